"""All views following the log as it grows, reading each event once for all of them, against each reading for itself."""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from uuid import uuid4

import pytest

from adapters.postgres.log import PostgresLog
from adapters.postgres.projector import Projector, Readings
from domain.contact import ContactKind, ContactMade
from domain.labels import Ceiling
from projections.views import VIEWS
from services.ports import Append
from tests.benchmarks.measure import report, work_seconds
from tests.benchmarks.population import CARE, EVENTS_EACH, envelope, populate
from tests.conftest import Database

pytestmark = [pytest.mark.server, pytest.mark.benchmark, pytest.mark.timeout(1200)]
EVENTS, ROUNDS = 50, 3


def test_following(site_db: Database) -> None:
    log = PostgresLog(site_db.login("recorder"), site_db.secrets)
    populate(log, 1)
    who = next(subject for _, subject in log.page(0, EVENTS_EACH))

    def contacts() -> None:
        for _ in range(EVENTS):
            met = ContactMade(
                participant_id=who, party_id=CARE, occurred_at=datetime.now(UTC), kind=ContactKind.VISIT, reached=True
            )
            log.record([Append(uuid4(), 0, [met])], envelope())
            follow(log)

    def followed(readings: Callable[[], Readings | None]) -> float:
        with following(site_db, log, readings):
            follow(log)
            return work_seconds(contacts)

    shared = Readings(log)
    pairs = [(followed(lambda: shared), followed(lambda: None)) for _ in range(ROUNDS)]
    log.close()
    report(
        "all views following one event after the other of a participant",
        "each view reading the participant's history for itself; this process's work",
        "> 1",
        events=EVENTS,
        ratio=round(statistics.median(alone / together for together, alone in pairs), 2),
        lowest=round(min(alone / together for together, alone in pairs), 2),
        highest=round(max(alone / together for together, alone in pairs), 2),
        milliseconds_each=round(1000 * statistics.median(together for together, _ in pairs) / EVENTS, 1),
    )


@contextmanager
def following(site_db: Database, log: PostgresLog, readings: Callable[[], Readings | None]) -> Iterator[None]:
    """Keep every view going, as `serve` does."""
    url, stop = site_db.login("projector"), threading.Event()
    runners = [Projector(view, url, log, lambda _: Ceiling("P-1"), readings=readings()) for view in VIEWS.values()]
    threads = [threading.Thread(target=runner.run, args=[stop]) for runner in runners]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        log.wake()
        for thread in threads:
            thread.join()


def follow(log: PostgresLog) -> None:
    """Wait until every view has come as far as the log."""
    position = log.position()
    while any(log.view_position(reader) < position for reader in VIEWS):
        time.sleep(0.002)
