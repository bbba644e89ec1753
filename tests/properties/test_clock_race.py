"""Several workers in processes of their own, killed and started again: each deadline is written down exactly once."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest import mock
from uuid import UUID, uuid4

import psycopg
import pytest

from adapters.postgres.log import PostgresLog
from domain import deadline
from domain.deadline import DeadlinePassed, HandoffMissed, HandoffRequested, NonReturnEnded, PaperMissing, RenewalDue
from domain.event import TOPICS, Envelope, Event
from domain.labels import Label, Reader
from domain.legal_case import ReviewDue, ReviewSet
from domain.plan import PlanAgreed, PlanReviewDue, plan_stream
from domain.protocol import Door, ProtocolAdopted
from domain.referral import (
    Charge,
    ChargeHeld,
    DeadlineSet,
    NoticeCode,
    ProsecutorNotified,
    ReferralAccepted,
    ReferralOffered,
    ReleasedFromCustody,
)
from domain.roi import (
    CounselAuthorised,
    CounselNarrowed,
    Medium,
    RoiExpired,
    RoiGranted,
    RoiNarrowed,
    RoiRevoked,
    RoiSigned,
    WordOf,
    consent_stream,
)
from services import clocks
from services.clocks import Clocks
from services.directory import Directory
from services.ports import NOBODY, Append
from tests.conftest import Database
from tests.histories import P7

pytestmark = [pytest.mark.server, pytest.mark.timeout(300)]
ROOT = Path(__file__).parents[2]
ONCE = Counter([HandoffMissed.topic, NonReturnEnded.topic, DeadlinePassed.topic, ProsecutorNotified.topic])
SYSTEM = Envelope(actor=None, role="service", agency=uuid4(), correlation_id=uuid4())
PEOPLE, WORKERS = 8, 3


class Worker:
    """A worker in a process of its own; `counted` is how many events it said it had written."""

    def __init__(self, db: Database) -> None:
        command = [sys.executable, "-m", "tests.properties.ticking"]
        self.process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.process.stdin
        self.process.stdin.write(f"{db.owner_url}\n{db.secrets.folder}\n{db.prefix}\n")
        self.process.stdin.flush()
        self.rounds = self.counted = 0
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            self.counted += int(line)
            self.rounds += 1

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(30)


def diverted(log: PostgresLog, due_at: datetime) -> UUID:
    """Record a referral whose every deadline ends at a moment; return its stream."""
    who, party, stream, now = uuid4(), uuid4(), uuid4(), log.now()
    common: dict[str, Any] = {"participant_id": who, "party_id": party, "occurred_at": now}
    charge = Charge(code="23C", description="theft", severity="misdemeanor")
    events = [
        ReferralOffered(
            **common,
            door=Door.ARREST_DIVERSION,
            incident_number="1",
            place="x",
            facts="x",
            agreed_at=now,
            protocol_version=P7.version,
        ),
        ChargeHeld(**common, matter_id=uuid4(), charge=charge, incident_number="1", prosecutor=uuid4()),
        HandoffRequested(**common, expires_at=due_at),
        ReferralAccepted(**common),
        ReleasedFromCustody(**common, in_presence_of_codefendants=False, non_return_until=due_at, expires_at=due_at),
        DeadlineSet(**common, due_on=due_at.date(), due_at=due_at, protocol_version=P7.version, expires_at=due_at),
    ]
    log.record([Append(stream, 0, events)], SYSTEM)
    return stream


def consenting(log: PostgresLog, due_at: datetime) -> UUID:
    """Record an ROI and counsels' authorities that end at a moment, and one by word of mouth whose paper is due."""
    who, now = uuid4(), log.now()
    about: dict[str, Any] = {"participant_id": who, "occurred_at": now}
    given: dict[str, Any] = about | {"roi": uuid4(), "purpose": "coordination", "covers_from": now}
    partner = given | {"reader": Reader.RECIPIENT, "labels": frozenset({Label.IDENTITY_LEGAL, Label.NEED_HOUSING})}
    counsel = given | {"reader": Reader.COUNSEL, "labels": frozenset({Label.IDENTITY_LEGAL, Label.ENROLMENT_STATUS})}
    less = {"labels": frozenset({Label.IDENTITY_LEGAL})}
    first, second, third, kept, patel, shaw = (uuid4() for _ in range(6))
    reminded_at_due = due_at + timedelta(days=P7.roi_notice_days)
    signed = {"form_version": "1", "explained_by": "Dana", "language": "English"}
    told = {"word_of": WordOf.PARTICIPANT, "medium": Medium.ORAL, "revocation": uuid4()}
    events = [
        RoiSigned(**about, **signed, roi=given["roi"], expires_at=reminded_at_due),
        RoiGranted(**partner, party_id=kept, expires_at=reminded_at_due),
        RoiGranted(**partner, party_id=first, expires_at=due_at),
        RoiGranted(**partner, party_id=second, expires_at=reminded_at_due),
        RoiNarrowed(**partner | less, party_id=second, expires_at=due_at),
        RoiGranted(**partner, party_id=third, expires_at=reminded_at_due),
        RoiRevoked(**about, **told, party_id=third, expires_at=due_at),
        CounselAuthorised(**counsel, party_id=patel, expires_at=due_at),
        CounselAuthorised(**counsel, party_id=shaw, expires_at=reminded_at_due),
        CounselNarrowed(**counsel | less, party_id=shaw, expires_at=due_at),
    ]
    log.record([Append(consent_stream(who), 0, events)], SYSTEM)
    return consent_stream(who)


def planned(log: PostgresLog, due_at: datetime) -> UUID:
    """Record a plan that is gone through again at a moment."""
    who = uuid4()
    agreed = PlanAgreed(
        participant_id=who, party_id=uuid4(), occurred_at=log.now(), expires_at=due_at, protocol_version=P7.version
    )
    log.record([Append(plan_stream(who), 0, [agreed])], SYSTEM)
    return plan_stream(who)


def put_off(log: PostgresLog, due_at: datetime) -> UUID:
    """Record a case whose decision is looked at again at a moment."""
    stream = uuid4()
    waits = ReviewSet(
        party_id=uuid4(),
        matter_id=stream,
        occurred_at=log.now(),
        expires_at=due_at,
        due_on=due_at.date(),
        protocol_version=P7.version,
    )
    log.record([Append(stream, 0, [waits])], SYSTEM)
    return stream


WRITTEN: dict[Callable[[PostgresLog, datetime], UUID], Counter[str]] = {
    diverted: ONCE,
    consenting: Counter({RoiExpired.topic: 4, RenewalDue.topic: 1, PaperMissing.topic: 1}),
    planned: Counter([PlanReviewDue.topic]),
    put_off: Counter([ReviewDue.topic]),
}
"""By how a stream begins: what its clocks write, once each."""


def written(log: PostgresLog, stream: UUID) -> list[Event]:
    """Return what clocks wrote on a stream."""
    return [r.event for r in log.load(stream) if r.envelope.agency == NOBODY]


def fired(log: PostgresLog, stream: UUID) -> Counter[str]:
    return Counter(event.topic for event in written(log, stream))


@pytest.fixture
def log(site_db: Database) -> Any:
    made = PostgresLog(site_db.login("recorder"), site_db.secrets)
    adopted = ProtocolAdopted(occurred_at=datetime(2026, 1, 1, tzinfo=UTC), protocol=P7)
    made.record([Append(uuid4(), 0, [adopted])], SYSTEM)
    yield made
    made.close()


def test_each_fires_once_whoever_is_killed(site_db: Database, log: PostgresLog) -> None:
    workers = [Worker(site_db) for _ in range(WORKERS)]
    due_at = log.now() + timedelta(hours=1)
    once = {begin(log, due_at): expected for _ in range(PEOPLE) for begin, expected in WRITTEN.items()}
    streams = [*once]
    assert {r.event.topic for stream in streams for r in log.load(stream)} >= set(clocks.CLOCKS)
    try:
        _until(lambda: all(worker.rounds for worker in workers), 120)
        assert not any(fired(log, stream) for stream in streams)
        with psycopg.connect(site_db.owner_url, autocommit=True) as owner:
            owner.execute("select site.set_clock('2 hours')")
        _until(lambda: any(fired(log, stream) for stream in streams), 60)
        workers[0].kill()  # in the middle of it
        workers.append(Worker(site_db))
        late = diverted(log, due_at)  # had ended before it was written down
        _until(lambda: all(fired(log, stream) for stream in (*streams, late)), 120)
        rounds = [worker.rounds for worker in workers]
        _until(lambda: all(w.rounds > n + 1 for w, n in zip(workers[1:], rounds[1:], strict=True)), 120)
    finally:
        for worker in workers:
            worker.kill()
    for stream, expected in (once | {late: ONCE}).items():
        assert fired(log, stream) == expected
        told = [event for event in written(log, stream) if isinstance(event, ProsecutorNotified)]
        assert {event.occurred_at for event in written(log, stream) if event not in told} == {due_at}
        assert [event.code for event in told] == [NoticeCode.NO_COMPLETION] * expected[ProsecutorNotified.topic]


def test_one_streams_trouble_keeps_no_other_from_firing(log: PostgresLog) -> None:
    due_at = log.now() - timedelta(days=7)
    streams = [diverted(log, due_at) for _ in range(3)]
    worker = Clocks(_site(log))
    load = log.load

    def broken(stream: UUID) -> Any:
        if stream == streams[1]:
            raise OSError("this one cannot be read")
        return load(stream)

    with mock.patch.object(log, "load", broken):
        for _ in range(2):
            with pytest.raises(OSError, match="cannot be read"):
                worker.fire()
    assert [fired(log, stream) for stream in streams] == [ONCE, Counter(), ONCE]
    assert worker.fire() == 4, "it is tried again"
    assert worker.fire() == 0
    assert fired(log, streams[1]) == ONCE


def test_a_worker_looks_at_what_is_new_only(log: PostgresLog) -> None:
    now = log.now()
    worker, loaded = Clocks(_site(log)), list[UUID]()
    diverted(log, now - timedelta(days=7))
    worker.fire()
    load = log.load

    def noted(stream: UUID) -> Any:
        loaded.append(stream)
        return load(stream)

    with mock.patch.object(log, "load", noted):
        worker.fire()
        assert loaded == []
        again = diverted(log, now - timedelta(days=9))
        worker.fire()
        assert loaded == [again], "once, by all of its clocks"


def test_a_worker_that_is_started_again_looks_at_nothing_twice(log: PostgresLog) -> None:
    now, loaded = log.now(), list[UUID]()
    settled = diverted(log, now - timedelta(days=7))
    assert Clocks(_site(log)).fire() == 4
    load = log.load

    def noted(stream: UUID) -> Any:
        loaded.append(stream)
        if stream == broken:
            raise OSError("this one cannot be read")
        return load(stream)

    broken = None
    with mock.patch.object(log, "load", noted):
        assert Clocks(_site(log)).fire() == 0
        assert loaded == []
        missed = [diverted(log, now - timedelta(days=days)) for days in (9, 1)]  # while no worker ran
        broken = missed[0]
        with pytest.raises(OSError, match="cannot be read"):
            Clocks(_site(log)).fire()
        assert loaded == missed
        broken = None
        assert Clocks(_site(log)).fire() == 4, "what failed is looked for by the next one"
    assert set(loaded) == set(missed)
    assert [fired(log, stream) for stream in (settled, *missed)] == [ONCE] * 3


def test_a_new_clock_looks_at_what_has_ended_before_there_was_one(log: PostgresLog) -> None:
    stream = diverted(log, log.now() - timedelta(days=7))
    without = {topic: clock for topic, clock in clocks.CLOCKS.items() if clock.due is not deadline.due}
    with mock.patch.object(clocks, "CLOCKS", without):
        assert Clocks(_site(log)).fire() == 0
    assert Clocks(_site(log)).fire() == 4
    assert fired(log, stream) == ONCE


def test_every_clock_has_a_topic_that_there_is() -> None:
    assert set(clocks.CLOCKS) <= set(TOPICS)


def _site(log: PostgresLog) -> Any:
    return mock.Mock(log=log, directory=Directory(log))


def _until(done: Any, seconds: float) -> None:
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end
        time.sleep(0.1)
