"""The log on a real server: what it returns, what it refuses, and who wins a race."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from threading import Barrier
from threading import Event as Flag
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from eventsourcing.persistence import ProgrammingError
from psycopg.conninfo import conninfo_to_dict

from adapters.postgres.keyring import KeyDestroyed, Keyring, WrongSiteKey
from adapters.postgres.log import PostgresLog
from adapters.postgres.mapper import LogCorrupt, LogStoredEvent
from adapters.postgres.recorder import GateRecorder, LogDatastore
from adapters.secrets import Secrets
from domain.contact import ContactKind, ContactMade
from domain.event import Envelope, Event
from domain.labels import Label, Reader
from domain.legal_case import DecisionKind, DecisionRecorded
from domain.registry import PartyKind, PartyRegistered, Role, StaffEnded, StaffRegistered
from domain.roi import (
    ItemConsented,
    ItemWithdrawn,
    Medium,
    RoiExpired,
    RoiGranted,
    RoiNarrowed,
    RoiRevoked,
    WordOf,
)
from services.ports import AlreadyAnswered, Answer, Append, AuthorityEnded, Conflict, Log, Unavailable
from tests.adapters.postgres.events import NOON
from tests.conftest import Database

pytestmark = pytest.mark.server

SYSTEM = Envelope(actor=None, role="service", agency=uuid4(), correlation_id=uuid4())
THREADS = 8


@pytest.fixture
def log(site_db: Database) -> Iterator[PostgresLog]:
    log = PostgresLog(site_db.login("recorder"), site_db.secrets)
    yield log
    log.close()


@pytest.fixture
def owner(site_db: Database) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(site_db.owner_url, autocommit=True) as connection:
        yield connection


def contact(who: UUID | None = None, note: str = "said") -> ContactMade:
    return ContactMade(
        participant_id=who or uuid4(),
        party_id=uuid4(),
        occurred_at=NOON,
        kind=ContactKind.VISIT,
        reached=True,
        note=note,
    )


def decision(matter: UUID) -> DecisionRecorded:
    return DecisionRecorded(party_id=uuid4(), matter_id=matter, occurred_at=NOON, kind=DecisionKind.DISMISS)


def registered(name: str = "Hopeful Homes") -> PartyRegistered:
    return PartyRegistered(party_id=uuid4(), occurred_at=NOON, code="hopeful", name=name, kind=PartyKind.RECIPIENT)


def granted(who: UUID, party: UUID, until: datetime, kind: type[Any] = RoiGranted) -> Event:
    event: Event = kind(
        participant_id=who,
        party_id=party,
        expires_at=until,
        occurred_at=NOON,
        roi=uuid4(),
        reader=Reader.RECIPIENT,
        labels=frozenset({Label.NEED_HOUSING}),
        purpose="housing",
        covers_from=NOON,
    )
    return event


def put(log: PostgresLog, *events: Event, stream: UUID | None = None, expected: int = 0) -> int:
    return log.record([Append(stream or uuid4(), expected, events)], SYSTEM)


def together(work: Callable[[int], Any]) -> list[Any]:
    """Do it in eight threads at once; return the results and the exceptions."""
    barrier = Barrier(THREADS)

    def run(n: int) -> Any:
        barrier.wait()
        try:
            return work(n)
        except Exception as error:  # noqa: BLE001
            return error

    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(run, range(THREADS)))


def test_it_is_the_port(log: PostgresLog) -> None:
    port: Log = log
    assert port.position() == 0
    assert port.load(uuid4()) == []
    assert port.history(uuid4()) == []
    assert port.existing([]) == set()
    assert port.ending({"roi.granted": port.now()}, {}, 0) == []
    assert port.view_position(Reader.POLICE) == 0
    assert port.answered(uuid4(), "k") is None
    assert port.record([], SYSTEM) == 0
    assert port.now().utcoffset() == timedelta(0)


def test_what_was_recorded_is_loaded(log: PostgresLog) -> None:
    who, stream, other = uuid4(), uuid4(), uuid4()
    events = [contact(who), contact(who, "later")]
    before = log.now()
    last = log.record([Append(stream, 0, events), Append(other, 0, [registered()])], SYSTEM)
    assert last == log.position() == 3
    loaded = log.load(stream)
    assert [r.event for r in loaded] == events
    assert [(r.stream, r.version, r.position) for r in loaded] == [(stream, 1, 1), (stream, 2, 2)]
    assert before <= loaded[0].recorded_at == loaded[1].recorded_at <= log.now()
    assert {r.envelope for r in loaded} == {SYSTEM}
    assert log.history(who) == loaded
    assert [r.position for r in log.of_topics(["party.registered", "contact.made"], after=1)] == [2, 3]
    assert [r.position for r in log.of_topics(["party.registered"])] == [3]
    assert log.existing([stream, other, uuid4()]) == {stream, other}


def test_a_stream_that_moved_on(log: PostgresLog) -> None:
    stream = uuid4()
    put(log, contact(), stream=stream)
    with pytest.raises(Conflict):
        put(log, contact(), stream=stream)
    with pytest.raises(Conflict):
        log.record([Append(uuid4(), 0, [contact()]), Append(stream, 0, [contact()])], SYSTEM)
    assert log.position() == 1


def test_subjects_and_their_histories(log: PostgresLog) -> None:
    who, matter, party = uuid4(), uuid4(), uuid4()
    docket, contacts, another = uuid4(), uuid4(), uuid4()
    put(log, decision(matter), stream=docket)
    put(log, contact(who), stream=contacts)
    put(log, registered(), stream=party)
    put(log, contact(), stream=another)
    put(log, contact(who), stream=contacts, expected=1)
    put(log, decision(matter), stream=uuid4())
    pages = log.page(0, 4) + log.page(4, 4)
    assert [position for position, _ in pages] == [1, 2, 3, 4, 5, 6]
    subjects = [subject for _, subject in pages]
    assert subjects[:3] == [matter, who, party]
    assert subjects[4:] == [who, matter]

    def positions(histories: dict[UUID, Any]) -> dict[UUID, list[int]]:
        return {subject: [r.position for r in history.events] for subject, history in histories.items()}

    wanted = [who, matter, party, docket, uuid4()]
    found = [[2, 5], [1, 6], [3], [], []]
    assert positions(log.histories(wanted)) == dict(zip(wanted, found, strict=True))
    assert positions(log.histories(wanted, 4)) == dict(zip(wanted, [[2], [1], [3], [], []], strict=True))
    assert log.histories([who])[who].subject == who
    assert log.histories([]) == {}


def test_histories_read_by_index(log: PostgresLog, owner: psycopg.Connection[Any]) -> None:
    owner.execute("set enable_seqscan = off")
    plan = owner.execute(
        "explain select * from log.event where participant_id is null and coalesce(matter_id, originator_id) = any(%s)",
        ([uuid4()],),
    ).fetchall()
    assert "event_subject" in str(plan)


CONSENT: list[tuple[str, Callable[[UUID, UUID], Event], tuple[str, str, str]]] = [
    ("roi.granted", lambda w, p: granted(w, p, NOON), ("same", "given", "same")),
    ("roi.narrowed", lambda w, p: granted(w, p, NOON, RoiNarrowed), ("now", "given", "same")),
    (
        "roi.revoked",
        lambda w, p: RoiRevoked(
            participant_id=w, party_id=p, occurred_at=NOON, word_of=WordOf.PARTICIPANT, medium=Medium.ORAL
        ),
        ("now", "never", "never"),
    ),
    ("roi.expired", lambda w, p: RoiExpired(participant_id=w, party_id=p, occurred_at=NOON), ("now", "never", "same")),
    (
        "item.consented",
        lambda w, p: ItemConsented(
            participant_id=w, party_id=p, occurred_at=NOON, expires_at=NOON, item_id=uuid4(),
            reader=Reader.RECIPIENT, labels=frozenset({Label.HEALTH_HIV}), counsel_offered=True,
        ),
        ("same", "same", "given"),
    ),
    (
        "item.withdrawn",
        lambda w, p: ItemWithdrawn(participant_id=w, party_id=p, occurred_at=NOON, item_id=uuid4()),
        ("now", "same", "same"),
    ),
]  # fmt: skip


@pytest.mark.parametrize(("topic", "make", "effect"), CONSENT, ids=[c[0] for c in CONSENT])
@pytest.mark.parametrize("first", [True, False])
def test_the_gate_follows_from_the_event(
    log: PostgresLog, owner: psycopg.Connection[Any], topic: str, make: Any, effect: Any, first: bool
) -> None:
    who, party = uuid4(), uuid4()
    columns = "epoch, nullif(roi_until, '-infinity'), nullif(item_until, '-infinity')"
    before: tuple[Any, ...] = (0, None, None)
    if not first:
        put(log, granted(who, party, NOON - timedelta(days=9), RoiNarrowed))
        put(
            log,
            ItemConsented(
                participant_id=who, party_id=party, occurred_at=NOON, expires_at=NOON - timedelta(days=8),
                item_id=uuid4(), reader=Reader.RECIPIENT, labels=frozenset({Label.HEALTH_HIV}), counsel_offered=True,
            ),
        )  # fmt: skip
        before = (1, NOON - timedelta(days=9), NOON - timedelta(days=8))
        assert owner.execute(f"select {columns} from gate.consent").fetchall() == [before]
    event = make(who, party)
    assert event.topic == topic
    position = put(log, event)
    values = {"now": position, "given": NOON, "never": None}
    expected = tuple(values.get(word, old) for word, old in zip(effect, before, strict=True))
    found = owner.execute(f"select party_id, participant_id, {columns} from gate.consent").fetchall()
    assert found == [(party, who, *expected)]


@pytest.mark.parametrize("topic", [c[0] for c in CONSENT] + ["staff.registered", "staff.ended"])
def test_a_gate_event_without_its_coordinates_is_refused(site_db: Database, topic: str) -> None:
    datastore = LogDatastore(site_db.login("recorder"))
    recorder = GateRecorder(datastore)
    whole = LogStoredEvent(
        originator_id=uuid4(), originator_version=1, topic=topic, state=b"{}",
        participant_id=uuid4(), party_id=uuid4(), staff_id=uuid4(), expires_at=NOON,
    )  # fmt: skip
    needed = ["party_id", "staff_id" if topic.startswith("staff") else "participant_id"]
    if topic in ("roi.granted", "roi.narrowed", "item.consented"):
        needed.append("expires_at")
    for name in needed:
        with pytest.raises(ProgrammingError, match="names"):
            recorder.insert_events([replace(whole, **{name: None})])  # type: ignore[arg-type]
    recorder.insert_events([whole])
    datastore.close()


def test_who_has_ended_records_nothing(log: PostgresLog) -> None:
    staff, party = uuid4(), uuid4()
    theirs = SYSTEM.model_copy(update={"actor": staff})
    append = [Append(uuid4(), 0, [contact()])]
    with pytest.raises(AuthorityEnded):
        log.record(append, theirs)
    who = {"staff_id": staff, "party_id": party, "occurred_at": NOON}
    put(log, StaffRegistered(**who, name="Ann Lee", role=Role.CASE_MANAGER, subject="ann"), stream=staff)
    log.record(append, theirs)
    put(log, StaffEnded(**who), stream=staff, expected=1)
    with pytest.raises(AuthorityEnded):
        log.record([Append(uuid4(), 0, [contact()])], theirs, Answer("k", b"r", {}))
    assert log.answered(staff, "k") is None


@pytest.fixture
def staff(log: PostgresLog) -> Envelope:
    who = uuid4()
    put(
        log,
        StaffRegistered(
            staff_id=who, party_id=uuid4(), occurred_at=NOON, name="Ann Lee", role=Role.CASE_MANAGER, subject="ann"
        ),
    )
    return SYSTEM.model_copy(update={"actor": who})


def test_an_answer_is_kept_with_its_events(log: PostgresLog, staff: Envelope) -> None:
    assert staff.actor
    answer = Answer("key", b"digest", {"id": "7", "labels": ["a"]})
    stream = uuid4()
    log.record([Append(stream, 0, [contact()])], staff, answer)
    assert log.answered(staff.actor, "key") == answer
    assert log.answered(uuid4(), "key") is None
    with pytest.raises(AlreadyAnswered):
        log.record([Append(stream, 1, [contact()])], staff, answer)
    with pytest.raises(Conflict):
        log.record([Append(stream, 0, [contact()])], staff, replace(answer, key="other"))
    assert log.answered(staff.actor, "other") is None
    position = log.position()
    assert log.record([], staff, replace(answer, key="nothing came of it")) == position
    assert log.answered(staff.actor, "nothing came of it")


def test_eight_with_one_key_record_once(log: PostgresLog, staff: Envelope) -> None:
    streams = [uuid4() for _ in range(THREADS)]
    results = together(lambda n: log.record([Append(streams[n], 0, [contact()])], staff, Answer("k", b"d", {"n": n})))
    assert Counter(map(type, results)) == {int: 1, AlreadyAnswered: THREADS - 1}
    winner = next(n for n, result in enumerate(results) if isinstance(result, int))
    assert log.existing(streams) == {streams[winner]}
    assert staff.actor
    answer = log.answered(staff.actor, "k")
    assert answer
    assert answer.body == {"n": winner}


def test_eight_on_one_stream_one_wins_each_version(log: PostgresLog) -> None:
    stream, who = uuid4(), uuid4()

    def attempt(version: int, n: int) -> int:
        return put(log, contact(who, f"thread {n}"), stream=stream, expected=version)

    for version in range(6):
        notes = together(partial(attempt, version))
        assert Counter(map(type, notes)) == {int: 1, Conflict: THREADS - 1}
        winner = next(n for n, result in enumerate(notes) if isinstance(result, int))
        event = log.load(stream)[-1].event
        assert isinstance(event, ContactMade)
        assert event.note == f"thread {winner}"
    assert [r.version for r in log.load(stream)] == [1, 2, 3, 4, 5, 6]


def test_a_tailing_reader_misses_nothing(log: PostgresLog) -> None:
    """Positions are committed in their order: a reader that goes on from the last it saw never steps over one."""
    done, seen = Flag(), list[int]()

    def tail() -> None:
        while True:
            last = done.is_set()
            page = log.page(seen[-1] if seen else 0, 50)
            seen.extend(position for position, _ in page)
            if last and not page:
                return

    def write(n: int) -> list[int]:
        return [put(log, *(registered() for _ in range(1 + (n + turn) % 3))) for turn in range(40)]

    with ThreadPoolExecutor(1) as pool:
        tailing = pool.submit(tail)
        results = together(write)
        done.set()
        tailing.result(60)
    assert all(isinstance(result, list) for result in results), results
    assert all(result == sorted(result) for result in results)
    assert seen == sorted(seen)
    assert seen == [position for position, _ in log.page(0, 10**6)]
    assert {p for result in results for p in result} <= set(seen)


def test_eight_make_one_key(log: PostgresLog, owner: psycopg.Connection[Any]) -> None:
    who = uuid4()
    results = together(lambda n: put(log, contact(who)))
    assert all(isinstance(result, int) for result in results)
    assert owner.execute("select count(*) from log.key where subject_id = %s", (who,)).fetchone() == (1,)
    assert len(log.history(who)) == THREADS


def test_erased_at_once_in_every_process(log: PostgresLog, site_db: Database, owner: psycopg.Connection[Any]) -> None:
    other = PostgresLog(site_db.login("recorder"), site_db.secrets)
    who, stream = uuid4(), uuid4()
    put(log, contact(who), stream=stream)
    assert not other.load(stream)[0].erased
    owner.execute("update log.key set wrapped = null, destroyed_at = now() where subject_id = %s", (who,))
    for reader in log, other:
        recorded = reader.load(stream)[0]
        assert recorded.erased >= {"note", "kind", "occurred_at"}
        assert recorded.event.occurred_at == recorded.recorded_at
        with pytest.raises(KeyDestroyed):
            put(reader, contact(who), stream=stream, expected=1)
    other.close()


def test_the_database_refuses_what_a_destroyed_key_sealed(log: PostgresLog, owner: psycopg.Connection[Any]) -> None:
    """A process that still remembers the key and has not asked since."""
    who = uuid4()
    put(log, contact(who))
    owner.execute("update log.key set wrapped = null, destroyed_at = now() where subject_id = %s", (who,))
    with pytest.raises(KeyDestroyed):
        put(log, contact(who))
    assert log.position() == 1
    put(log, granted(who, uuid4(), NOON))


def test_the_secrets_of_another_site(log: PostgresLog, site_db: Database, tmp_path: Path) -> None:
    who = uuid4()
    put(log, contact(who))
    others = Secrets.make(tmp_path / "others")
    other = PostgresLog(site_db.login("recorder"), others)
    with pytest.raises(WrongSiteKey, match="restore"):
        other.history(who)
    with pytest.raises(WrongSiteKey, match=r"the site key in use, AES-256-GCM [0-9a-f]{16}, is not among the secrets"):
        put(other, contact(uuid4()))
    other.close()


def test_a_wrapped_key_moved_to_another_subject_does_not_open(
    log: PostgresLog, site_db: Database, owner: psycopg.Connection[Any]
) -> None:
    put(log, contact(who := uuid4()))
    owner.execute("update log.key set subject_id = %s", (uuid4(),))
    keys = Keyring(LogDatastore(site_db.login("recorder")), site_db.secrets.site_keys)
    assert keys.for_opening([who]) == {}
    subject = owner.execute("select subject_id from log.key").fetchall()[0][0]
    with pytest.raises(WrongSiteKey):
        keys.for_opening([subject])
    keys._datastore.close()


def test_the_keyring_remembers_no_more_than_it_may(site_db: Database) -> None:
    datastore = LogDatastore(site_db.login("recorder"))
    keys = Keyring(datastore, site_db.secrets.site_keys, remembers=3)
    made = {subject: keys.for_sealing(subject).key_id for subject in (uuid4() for _ in range(10))}
    assert len(keys._known) == 3
    found = keys.for_opening(made)
    assert {subject: key and key.key_id for subject, key in found.items()} == made
    assert len(keys._known) == 3
    datastore.close()


def test_a_row_changed_behind_our_back(log: PostgresLog, owner: psycopg.Connection[Any]) -> None:
    who, stream = uuid4(), uuid4()
    put(log, contact(who, "canary7391"), stream=stream)
    owner.execute("update log.event set party_id = %s", (uuid4(),))
    with pytest.raises(LogCorrupt, match=str(stream)) as caught:
        log.load(stream)
    assert caught.value.__context__ is None


def test_streams_of_what_ends(log: PostgresLog) -> None:
    now, party = log.now(), uuid4()
    sooner, later, other = uuid4(), uuid4(), uuid4()
    put(log, granted(uuid4(), party, now + timedelta(hours=2)), stream=later)
    put(log, granted(uuid4(), party, now + timedelta(hours=1)), stream=sooner)
    put(log, granted(uuid4(), party, now + timedelta(hours=3)), stream=sooner, expected=1)
    put(log, CONSENT[1][1](uuid4(), party), stream=other)
    position = log.position()

    def ending(after: int | None, until: int, since: int = position) -> list[UUID]:
        begin = {} if after is None else {"roi.granted": now + timedelta(hours=after)}
        found = log.ending({"roi.granted": now + timedelta(hours=until), "roi.signed": now}, begin, since)
        return [stream for _, stream in found]

    assert ending(None, 0) == []
    assert ending(None, 2) == [sooner, later], "the soonest first, each once, its last moment included"
    assert ending(1, 2) == [later]
    assert ending(2, 3) == [sooner]
    assert ending(3, 9) == []
    put(log, granted(uuid4(), party, now - timedelta(days=9)), stream=other, expected=1)
    assert ending(3, 9) == [other], "what had ended before it was recorded"
    assert ending(3, 9, log.position()) == []


def test_how_far_the_clocks_have_fired_never_goes_back(log: PostgresLog) -> None:
    now = log.now()
    for _ in range(2):
        put(log, granted(uuid4(), uuid4(), now))
    last = log.position()
    assert log.fired() == ({}, 0)
    log.set_fired({"roi.granted": now, "roi.signed": now}, last - 1)
    later, sooner = now + timedelta(hours=1), now - timedelta(hours=1)
    for until, position in ((sooner, last), (later, last - 2), (later, last + 1)):
        log.set_fired({"roi.granted": until}, position)
        assert log.fired() == ({"roi.granted": now, "roi.signed": now}, last - 1)
    log.set_fired({"roi.granted": later}, last)
    assert log.fired() == ({"roi.granted": later, "roi.signed": now}, last - 1), "of several, what holds for all"
    log.set_fired({"roi.signed": now}, last)
    assert log.fired() == ({"roi.granted": later, "roi.signed": now}, last)


def _end_all(owner: psycopg.Connection[Any]) -> None:
    ours = "from pg_stat_activity where usename <> current_user and datname = current_database()"
    ended = owner.execute(f"select pg_terminate_backend(pid, 60000) {ours}".encode()).fetchall()
    assert ended
    assert all(gone for (gone,) in ended)


def test_connections_that_died_in_the_pool_are_replaced(log: PostgresLog, owner: psycopg.Connection[Any]) -> None:
    stream = uuid4()
    together(lambda n: log.position())
    for version in range(5):
        _end_all(owner)
        put(log, contact(), stream=stream, expected=version)
    assert len(log.load(stream)) == 5


def test_a_connection_lost_in_the_call_is_unavailable_and_the_same_key_settles_it(
    log: PostgresLog, staff: Envelope, owner: psycopg.Connection[Any]
) -> None:
    """Whether the server had committed, the caller cannot know: here it had not, and the retry records once."""
    stream = uuid4()

    def attempt() -> int:
        return log.record([Append(stream, 0, [contact()])], staff, Answer("k", b"d", {}))

    with ThreadPoolExecutor(1) as pool, owner.transaction():
        owner.execute("select pg_advisory_xact_lock(log.lock_id())")  # so that the call has been sent, and waits
        sent = pool.submit(attempt)
        waiting = "select count(pg_terminate_backend(pid)) from pg_locks where locktype = 'advisory' and not granted"
        while owner.execute(waiting).fetchall()[0][0] == 0:
            pass
        with pytest.raises(Unavailable) as caught:
            sent.result(60)
    assert caught.value.__suppress_context__
    attempt()
    with pytest.raises(AlreadyAnswered):
        attempt()
    assert len(log.load(stream)) == 1


def test_no_server(site_db: Database) -> None:
    nowhere = {**conninfo_to_dict(site_db.login("recorder")), "host": "/nowhere"}
    with pytest.raises(Unavailable):
        PostgresLog(" ".join(f"{k}={v}" for k, v in nowhere.items()), site_db.secrets)


def test_a_decision_on_a_stream_that_has_moved_on_is_refused_whole(site_db: Database) -> None:
    log = PostgresLog(site_db.login("recorder"), site_db.secrets)
    read, other = uuid4(), uuid4()
    log.record([Append(read, 0, [contact()])], SYSTEM)
    before = log.position()
    for seen in (0, 2):
        with pytest.raises(Conflict):
            log.record([Append(other, 0, [contact()]), Append(read, seen, [])], SYSTEM)
    with pytest.raises(Conflict):
        log.record([Append(other, 3, [contact()])], SYSTEM)  # a version that would leave a gap
    assert log.position() == before
    log.record([Append(other, 0, [contact()]), Append(read, 1, [])], SYSTEM)
    log.close()
