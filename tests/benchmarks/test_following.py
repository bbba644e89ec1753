"""All views following the log as it grows, reading each event once for all of them, against each reading for itself."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from functools import partial
from uuid import uuid4

import pytest

from adapters.postgres.log import PostgresLog
from adapters.postgres.projector import Projector, Readings
from domain.contact import ContactKind, ContactMade
from domain.labels import Ceiling
from projections.views import VIEWS
from services.ports import Append
from tests.adapters.postgres.site import running
from tests.benchmarks.measure import ratio, report, work_seconds
from tests.benchmarks.population import CARE, EVENTS_EACH, envelope, populate
from tests.conftest import Database

pytestmark = [pytest.mark.server, pytest.mark.benchmark, pytest.mark.timeout(1200)]
EVENTS = 50


def test_following(site_db: Database) -> None:
    log, url = PostgresLog(site_db.login("recorder"), site_db.secrets), site_db.login("projector")
    populate(log, 1)
    who = next(subject for _, subject in log.page(0, EVENTS_EACH))

    def followed(readings: Readings | None) -> None:
        runners = (Projector(view, url, log, lambda _: Ceiling("P-1"), readings=readings) for view in VIEWS.values())
        with running(log, *runners):
            for _ in range(EVENTS):
                met = ContactMade(
                    participant_id=who,
                    party_id=CARE,
                    occurred_at=datetime.now(UTC),
                    kind=ContactKind.VISIT,
                    reached=True,
                )
                log.record([Append(uuid4(), 0, [met])], envelope())
                follow(log)

    found = ratio(partial(followed, Readings(log)), partial(followed, None), rounds=3, measured=work_seconds)
    log.close()
    report(
        "all views following one event after the other of a participant",
        "each view reading the participant's history for itself; this process's work",
        "> 1",
        events=EVENTS,
        **found,
    )


def follow(log: PostgresLog) -> None:
    """Wait until every view has come as far as the log."""
    position = log.position()
    while any(log.view_position(reader) < position for reader in VIEWS):
        time.sleep(0.002)
