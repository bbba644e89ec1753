from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from hashlib import sha256
from itertools import pairwise
from typing import Any
from uuid import UUID

import psycopg
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from adapters.postgres.log import PostgresLog
from adapters.postgres.projector import Projector
from adapters.postgres.sealer import Forked, Sealer
from domain.labels import Reader
from projections import police
from projections.views import VIEWS
from services.checkpoint import open_note, verifier_of
from services.leaves import (
    Place,
    StoredDisclosure,
    StoredEvent,
    bearings,
    body,
    committed,
    facts,
    hashed,
    hashed_padding,
    heads_body,
)
from services.ports import Disclosed
from services.tree import Tree, verify_consistency, verify_inclusion
from tests.adapters.postgres.site import Site, ceiling
from tests.conftest import Database

ORIGIN = "example.org/lead"
ONE = UUID(int=1)
server = pytest.mark.server


@pytest.fixture
def lead(site_db: Database) -> Iterator[Site]:
    log = PostgresLog(site_db.login("recorder"), site_db.secrets)
    yield Site(site_db, log)
    log.close()


def sealer(lead: Site, **options: Any) -> Sealer:
    return Sealer(lead.database.login("sealer"), lead.database.secrets.checkpoint_key, ORIGIN, **options)


def disclose(lead: Site, participant: UUID, times: int = 1) -> None:
    lead.grant(participant, lead.police, Reader.POLICE)
    projector = Projector(VIEWS[Reader.POLICE], lead.database.login("projector"), lead.log, ceiling)
    while projector.run_once():
        pass
    with lead.readers() as opened:
        for _ in range(times):
            with opened.session(lead.caller(lead.police, Reader.POLICE)) as session:
                (row,) = session.select(police.Participant, {"subject_id": participant})
                shown = Disclosed(
                    participant, row.epoch, row.until, row.as_of, row.shown, str(row.authority), b"\1" * 32
                )
                assert session.release([shown], "police/1", "coordination", "test")


def leaves(lead: Site) -> list[Any]:
    return lead.owner("select index, position, participant_id, number, previous, hash from log.leaf order by index")


def stored(lead: Site) -> list[int]:
    found = lead.owner("select notification_id from log.event union all select position from log.disclosure order by 1")
    return [int(str(position)) for (position,) in found]


def check_leaves(lead: Site) -> None:
    """Every stored row has one leaf, in order, and each participant's leaves are numbered and chained."""
    found = leaves(lead)
    assert [leaf[0] for leaf in found] == list(range(len(found)))
    assert [leaf[1] for leaf in found if leaf[1] is not None] == stored(lead)
    last: dict[UUID, tuple[int, bytes]] = {}
    for _, _, participant, number, previous, leaf in found:
        if participant is None:
            assert (number, previous) == (None, None)
            continue
        before = last.get(participant, (0, None))
        assert (number, previous) == (before[0] + 1, before[1])
        last[participant] = number, leaf


def test_the_bytes_of_a_leaf_never_change() -> None:
    at = datetime(2026, 1, 31, 8, tzinfo=UTC)
    local = at.astimezone(timezone(timedelta(hours=-8)))
    event = StoredEvent(7, local, ONE, b"s" * 16, ONE, 3, "roi.revoked", None, ONE, None, at, b"\1" * 32)
    shown = StoredDisclosure(
        8, at, ONE, b"s" * 16, "disclosure", "police", ONE, ONE, 4, 7, "police/1", "need.housing", str(ONE), "é",
        "item", b"\3" * 32, b"\4" * 8, ONE,
    )  # fmt: skip
    assert facts(event) == {
        "kind": "event", "recorded_at": "2026-01-31T08:00:00.000000+00:00", "topic": "roi.revoked", "party": str(ONE),
        "staff": None, "expires_at": "2026-01-31T08:00:00.000000+00:00", "state": "01" * 32,
    }  # fmt: skip
    assert bearings(event) == {"position": 7, "stream": str(ONE), "version": 3, "matter": None}
    assert facts(shown) == {
        "kind": "disclosure", "recorded_at": "2026-01-31T08:00:00.000000+00:00", "reader": "police", "party": str(ONE),
        "staff": str(ONE), "view_version": "police/1", "labels": "need.housing", "grants": str(ONE), "purpose": "é",
        "surface": "item", "digest": "03" * 32,
    }  # fmt: skip
    assert bearings(shown) == {"position": 8, "epoch": 4, "as_of": 7, "marks": "04" * 8, "correlation": str(ONE)}
    written = '{"bearings":"%s","f":3,"facts":"%s","index":5,"line":"%s","number":2,"previous":"%s"}'
    line = sha256(b"line\0" + ONE.bytes).digest()
    assert body(Place(5, 2, b"\2" * 32), line, b"\4" * 32, b"\5" * 32).decode() == written % (
        "05" * 32,
        "04" * 32,
        line.hex(),
        "02" * 32,
    )
    salts = {part: sha256(part.encode() + b"\0" + b"s" * 16).digest()[:16] for part in ("leaf", "facts", "bearings")}
    told = sha256(salts["facts"] + b'{"digest":"%s","grants":"%s","kind":"disclosure","labels":"need.housing","party":'
                  b'"%s","purpose":"\xc3\xa9","reader":"police","recorded_at":"2026-01-31T08:00:00.000000+00:00",'
                  b'"staff":"%s","surface":"item","view_version":"police/1"}'
                  % (b"03" * 32, *[str(ONE).encode()] * 3)).digest()  # fmt: skip
    assert told == committed(salts["facts"], facts(shown))
    untold = committed(salts["bearings"], bearings(shown))
    assert hashed(shown, Place(6)) == sha256(b"\0" + salts["leaf"] + body(Place(6), line, told, untold)).digest()
    assert hashed(event, Place(5)).hex() == "8f8227b77f99024fafa53efda57cebd0e441c30633767cc6dc2da8ea86979c0e"
    assert hashed_padding(9, b"s" * 16) == sha256(
        b"\0" + salts["leaf"] + b'{"f":3,"index":9,"kind":"padding"}'
    ).digest()  # fmt: skip
    assert heads_body(9, b"\6" * 32).decode() == '{"f":3,"index":9,"kind":"heads","root":"%s"}' % ("06" * 32)


def test_every_column_of_a_row_is_in_its_leaf() -> None:
    """In its facts or in its bearings, but for the salt, and for whose row it is: that is the line."""
    for row in (StoredEvent, StoredDisclosure):
        stored = row._make(None for _ in row._fields)
        assert set(facts(stored)) - {"kind"} | set(bearings(stored)) | {"kind", "salt", "participant"} == {
            *row._fields,
            "kind",
        }
        assert set(facts(stored)) & set(bearings(stored)) == set()


@server
def test_every_event_and_disclosure_gets_its_leaf_in_order(lead: Site) -> None:
    lead.play(1, steps=20)
    assert sealer(lead).seal() == len(stored(lead))
    assert sealer(lead).seal() == 0
    disclose(lead, lead.identify(), times=3)
    lead.play(2, steps=20)
    assert sealer(lead).seal() > 3
    check_leaves(lead)
    assert sealer(lead).verify() == []


@server
def test_sealing_in_small_pages_gives_the_same_leaves(lead: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    lead.play(3, steps=30)
    disclose(lead, lead.identify(), times=5)
    monkeypatch.setattr("adapters.postgres.sealer._PAGE", 3)
    assert sealer(lead).seal() == len(stored(lead))
    check_leaves(lead)
    assert sealer(lead).verify() == []


@server
def test_concurrent_recording_and_two_sealers_never_skip_or_double_a_leaf(lead: Site) -> None:
    stop = threading.Event()
    sealed = [0, 0]

    def seal(n: int) -> None:
        own = sealer(lead)
        while not stop.is_set():
            sealed[n] += own.seal()

    def play(n: int) -> None:
        lead.play(n, steps=25)
        if n == 0:
            disclose(lead, lead.identify(), times=20)

    sealers = [threading.Thread(target=seal, args=[n]) for n in range(2)]
    players = [threading.Thread(target=play, args=[n]) for n in range(4)]
    for thread in (*sealers, *players):
        thread.start()
    for thread in players:
        thread.join()
    stop.set()
    for thread in sealers:
        thread.join()
    rest = sealer(lead).seal()
    assert sum(sealed) + rest == len(stored(lead))
    check_leaves(lead)
    assert sealer(lead).verify() == []


@server
def test_a_transaction_in_flight_holds_the_horizon_back(lead: Site) -> None:
    """A position that is drawn but not committed yet is never stepped over."""
    lead.play(1, steps=5)
    with psycopg.connect(lead.database.owner_url) as slow:
        slow.execute("select pg_advisory_xact_lock(log.lock_id())")
        slow.execute(
            "insert into log.event (originator_id, originator_version, topic, state, recorded_at, salt)"
            " values (gen_random_uuid(), 1, 'x', '', now(), '')"
        )
        sealing = threading.Thread(target=sealer(lead).seal)
        sealing.start()
        sealing.join(0.3)
        assert sealing.is_alive()
        slow.commit()
        sealing.join(10)
    assert [leaf[1] for leaf in leaves(lead)] == stored(lead)


@server
def test_checkpoints_are_signed_padded_and_consistent(lead: Site) -> None:
    own = sealer(lead, padding=16)
    verifier = verifier_of(ORIGIN, lead.database.secrets.checkpoint_key.public_key())
    notes = []
    for seed in range(3):
        lead.play(seed, steps=10)
        notes.append(own.checkpoint())
    assert own.checkpoint() == notes[-1]  # nothing new
    assert sealer(lead, padding=16).checkpoint() == notes[-1]  # after a restart
    checkpoints = [open_note(note, verifier) for note in notes]
    assert all(c.size % 16 == 0 and c.origin == ORIGIN for c in checkpoints)
    hashes = [leaf[5] for leaf in leaves(lead)]
    tree = Tree(hashes)
    for old, new in pairwise(checkpoints):
        assert old.size < new.size
        assert verify_consistency(old.size, new.size, tree.consistency(old.size, new.size), old.root, new.root)
    last = checkpoints[-1]
    assert verify_inclusion(hashes[3], 3, last.size, tree.inclusion(3, last.size), last.root)
    check_leaves(lead)
    assert own.verify() == []


@server
def test_neither_sizes_nor_indexes_count_what_was_done(lead: Site) -> None:
    """One beat with a single row and one with a dozen are as large; the rows lie anywhere in them, in their order."""
    own, places, participant = sealer(lead, padding=64), [], lead.identify()
    own.checkpoint()
    for rows in (1, 12):
        for _ in range(rows):
            lead.contact(participant)
        size = len(leaves(lead))
        own.checkpoint()
        found = leaves(lead)[size:]
        assert len(found) == 64
        at = [leaf[0] - size for leaf in found if leaf[1] is not None]
        assert len(at) == rows
        places.append(at)
    assert places[1] != list(range(12))  # once in 3 thousand million runs it would be
    assert max(places[1]) < 63  # the last leaf says where each line ends
    check_leaves(lead)
    assert own.verify() == []


@server
def test_a_beat_that_was_cut_off_before_it_was_signed_is_signed_by_the_next(lead: Site) -> None:
    participant = lead.identify()
    own = sealer(lead, padding=16)
    first = own.checkpoint()
    lead.contact(participant)
    own.checkpoint()
    lead.owner("delete from log.checkpoint where note <> %s", first)
    size = len(leaves(lead))
    again = open_note(sealer(lead, padding=16).checkpoint(), verifier_of(ORIGIN, own._key.public_key()))
    assert again.size == size + 16
    assert own.verify() == []


@server
def test_a_forked_log_is_never_signed(lead: Site) -> None:
    lead.play(1, steps=10)
    own = sealer(lead, padding=16)
    own.checkpoint()
    lead.owner("update log.leaf set hash = sha256(hash) where index = 3")
    lead.play(2, steps=10)
    own.checkpoint()  # the one that saw the leaf keeps to it
    with pytest.raises(Forked):
        sealer(lead, padding=16).checkpoint()
    lead.owner("delete from log.checkpoint")
    assert sealer(lead, padding=16).checkpoint()
    stranger = Sealer(lead.database.login("sealer"), Ed25519PrivateKey.generate(), ORIGIN, padding=16)
    with pytest.raises(Forked):
        stranger.checkpoint()


CHANGES = {
    "an event's bytes": "update log.event set state = state || ' ' where notification_id = {at}",
    "an event's time": "update log.event set recorded_at = recorded_at + interval '1 us' where notification_id = {at}",
    "an event's participant": "update log.event set participant_id = gen_random_uuid() where notification_id = {at}",
    "an event's party": "update log.event set party_id = gen_random_uuid() where notification_id = {at}",
    "an event's end": "update log.event set expires_at = '2030-01-01' where notification_id = {at}",
    "an event's salt": "update log.event set salt = '' where notification_id = {at}",
    "an event dropped": "delete from log.event where notification_id = {at}",
    "a leaf's hash": "update log.leaf set hash = sha256(hash) where position = {at}",
    "a leaf's number": "update log.leaf set number = number + 100 where position = {at}",
    "a leaf's predecessor": "update log.leaf set previous = sha256('') where position = {at}",
}


@server
@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_row_is_found_with_its_position(lead: Site, change: str) -> None:
    participant = lead.identify()
    at = lead.contact(participant)
    lead.contact(participant)
    own = sealer(lead, padding=16)
    own.checkpoint()
    assert own.verify() == []
    lead.owner(CHANGES[change].format(at=at))
    assert own.verify()[0].startswith(f"position {at}:")


DISCLOSURES = {
    "reader": "'x'", "party_id": "gen_random_uuid()", "staff_id": "gen_random_uuid()", "epoch": "epoch + 1",
    "as_of": "as_of + 1", "view_version": "'x'", "labels": "''", "grants": "''", "purpose": "''", "surface": "''",
    "digest": "''", "marks": "salt", "correlation_id": "gen_random_uuid()", "recorded_at": "now()", "kind": "'access'",
    "participant_id": "gen_random_uuid()", "salt": "''",
}  # fmt: skip


@server
def test_every_column_of_a_disclosure_is_sealed(lead: Site) -> None:
    disclose(lead, lead.identify(), times=2)
    own = sealer(lead)
    own.seal()
    found = lead.owner(
        "select column_name::text from information_schema.columns"
        " where table_schema = 'log' and table_name = 'disclosure'"
    )
    assert {str(name) for (name,) in found} == {*DISCLOSURES, "position"}
    ((at,),) = lead.owner("select min(position) from log.disclosure")
    for column, value in DISCLOSURES.items():
        lead.owner("create table kept as select * from log.disclosure")
        lead.owner(f"update log.disclosure set {column} = {value} where position = {at}")
        assert own.verify()[0].startswith(f"position {at}:"), column
        lead.owner("truncate log.disclosure")
        lead.owner("insert into log.disclosure select * from kept")
        lead.owner("drop table kept")
    assert own.verify() == []
    lead.owner("delete from log.disclosure where position = %s", at)
    assert own.verify() == [f"position {at}: the stored row is gone"]


@server
def test_reordered_and_slipped_in_rows_are_found(lead: Site) -> None:
    participant = lead.identify()
    first, second = lead.contact(participant), lead.contact(participant)
    own = sealer(lead)
    own.seal()
    swap = "update log.event set notification_id = %s where notification_id = %s"
    for new, old in ((0, first), (first, second), (second, 0)):
        lead.owner(swap, new, old)
    assert [f.split(":")[0] for f in own.verify()] == [f"position {first}", f"position {second}"]
    for new, old in ((0, first), (first, second), (second, 0)):
        lead.owner(swap, new, old)
    assert own.verify() == []
    lead.owner(
        "insert into log.event select gen_random_uuid(), 1, topic, state, 0, recorded_at, participant_id, matter_id,"
        " party_id, staff_id, expires_at, salt from log.event where notification_id = %s",
        first,
    )
    assert own.verify() == ["position 0: a stored row that was never sealed"]


@server
def test_a_history_written_anew_with_its_leaves_is_found_by_the_checkpoint(lead: Site) -> None:
    lead.contact(lead.identify())
    own = sealer(lead, padding=16)
    own.checkpoint()
    lead.owner("update log.event set state = state || ' '")
    lead.owner("delete from log.leaf")
    sealer(lead).seal()
    assert own.verify() == ["leaf 8: gone with all after it, which checkpoint 16 had"]
    for _ in range(8):
        lead.contact(lead.identify())
    sealer(lead).seal()
    assert own.verify() == ["checkpoint 16: the leaves have another root"]
    size = len(leaves(lead))
    with pytest.raises(Forked):
        sealer(lead, padding=16).checkpoint()
    assert len(leaves(lead)) == size  # nor does it grow


@server
def test_a_dropped_leaf_is_found(lead: Site) -> None:
    lead.play(1, steps=5)
    own = sealer(lead)
    own.seal()
    lead.owner("delete from log.leaf where index = 2")
    assert "leaf 2: missing" in own.verify()
