from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from hashlib import sha256
from itertools import pairwise
from typing import Any
from uuid import UUID

import orjson
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
from services.leaves import Place, StoredDisclosure, StoredEvent, body, hashed, padding_body
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
    i = "00000000-0000-0000-0000-000000000001"
    assert body(event, Place(5, 2, b"\2" * 32)).decode() == (
        f'{{"expires_at":"2026-01-31T08:00:00.000000+00:00","f":2,"index":5,"kind":"event","matter":null,"number":2,'
        f'"participant":"{i}","party":"{i}","position":7,"previous":"{"02" * 32}",'
        f'"recorded_at":"2026-01-31T08:00:00.000000+00:00","staff":null,"state":"{"01" * 32}","stream":"{i}",'
        '"topic":"roi.revoked","version":3}'
    )
    shown = StoredDisclosure(
        8, at, ONE, b"s" * 16, "disclosure", "police", ONE, ONE, 4, 7, "police/1", "need.housing", i, "é", "item",
        b"\3" * 32, b"\4" * 8, ONE,
    )  # fmt: skip
    assert body(shown, Place(6, 3, None)).decode() == (
        f'{{"as_of":7,"correlation":"{i}","digest":"{"03" * 32}","epoch":4,"f":2,"grants":"{i}","index":6,'
        f'"kind":"disclosure","labels":"need.housing","marks":"{"04" * 8}","number":3,"participant":"{i}",'
        f'"party":"{i}","position":8,'
        f'"previous":null,"purpose":"é","reader":"police","recorded_at":"2026-01-31T08:00:00.000000+00:00",'
        f'"staff":"{i}","surface":"item","view_version":"police/1"}}'
    )
    assert padding_body(9) == b'{"f":2,"index":9,"kind":"padding"}'
    assert hashed(event, Place(5)) == sha256(b"\0" + b"s" * 16 + body(event, Place(5))).digest()
    assert hashed(event, Place(5)).hex() == "0f9da1262a611d1f3f98f310d883c72dba9f6f20e3689fd6a173b70a46c0979d"
    assert set(orjson.loads(body(event, Place(5)))) - {"f", "index", "kind"} == (
        set(StoredEvent._fields) - {"salt"}
    ) | {
        "number",
        "previous",
    }


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
    (finding,) = own.verify()
    assert finding == "checkpoint 16: the leaves have another root"


@server
def test_a_dropped_leaf_is_found(lead: Site) -> None:
    lead.play(1, steps=5)
    own = sealer(lead)
    own.seal()
    lead.owner("delete from log.leaf where index = 2")
    assert "leaf 2: missing" in own.verify()
