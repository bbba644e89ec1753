"""Several workers in processes of their own, killed and started again: each deadline is written down exactly once."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest import mock
from uuid import UUID, uuid4

import psycopg
import pytest

from adapters.postgres.log import PostgresLog
from domain import deadline
from domain.deadline import DeadlinePassed, HandoffMissed, HandoffRequested, NonReturnEnded
from domain.event import TOPICS, Envelope
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
from services import clocks
from services.clocks import Clocks
from services.directory import Directory
from services.ports import Append
from tests.conftest import Database
from tests.histories import P7

pytestmark = [pytest.mark.server, pytest.mark.timeout(300)]
ROOT = Path(__file__).parents[2]
FACTS = (HandoffMissed.topic, NonReturnEnded.topic, DeadlinePassed.topic)
ONCE = Counter([*FACTS, ProsecutorNotified.topic])
SYSTEM = Envelope(actor=None, role="service", agency=uuid4(), correlation_id=uuid4())
PEOPLE, WORKERS = 20, 3


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


def fired(log: PostgresLog, stream: UUID) -> Counter[str]:
    return Counter(r.event.topic for r in log.load(stream) if r.version > 6)


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
    streams = [diverted(log, due_at) for _ in range(PEOPLE)]
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
    for stream in (*streams, late):
        assert fired(log, stream) == ONCE
        moments = {r.event.occurred_at for r in log.load(stream) if r.version > 6 and r.event.topic in FACTS}
        assert moments == {due_at}
        assert [r.event.code for r in log.load(stream) if isinstance(r.event, ProsecutorNotified)] == [
            NoticeCode.NO_COMPLETION
        ]


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
