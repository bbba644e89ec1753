"""Rebuilding every view against the event-sourcing library's own projection runner with one view, event by event."""

from __future__ import annotations

import os
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import pytest
from eventsourcing.application import Application
from eventsourcing.dispatch import singledispatchmethod
from eventsourcing.domain import Aggregate, event
from eventsourcing.persistence import Tracking
from eventsourcing.postgres import PostgresTrackingRecorder
from eventsourcing.projection import Projection, ProjectionRunner
from psycopg.conninfo import conninfo_to_dict

from adapters.postgres.log import PostgresLog
from adapters.postgres.projector import rebuild
from domain.labels import Ceiling
from projections.views import VIEWS
from tests.benchmarks.measure import report, seconds, work_seconds
from tests.benchmarks.population import EVENTS_EACH, populate
from tests.conftest import Database

pytestmark = [pytest.mark.server, pytest.mark.benchmark, pytest.mark.timeout(1200)]
PARTICIPANTS = 1_000
THEIRS = 600
"""How many events the library's runner is given in each round: it takes long."""
ROUNDS = 2


class Carried(Aggregate):
    """The library's own kind of aggregate: a person, and the notes about that person."""

    class Opened(Aggregate.Created):
        name: str

    class Noted(Aggregate.Event):
        text: str

    def __init__(self, *, name: str) -> None:
        self.name = name

    @event(Noted)
    def note(self, *, text: str) -> None:
        """Take a note."""


class Care(Application[UUID]):
    """The library's own kind of application."""


class View(PostgresTrackingRecorder):
    """One table, written to as the library's documentation does: a transaction for each event."""

    def _create_table(self, curs: Any) -> None:
        super()._create_table(curs)
        curs.execute(f"create table if not exists {self.datastore.schema}.carried (id uuid primary key, notes int)")

    def write(self, statement: str, values: tuple[Any, ...], tracking: Tracking) -> None:
        with self.datastore.transaction(commit=True) as cursor:
            self._insert_tracking(cursor, tracking)
            cursor.execute(statement.format(self.datastore.schema).encode(), values, prepare=True)


class Carrying(Projection[View]):
    """The library's own kind of projection."""

    name = "carrying"

    @singledispatchmethod
    def process_event(self, domain_event: Any, tracking: Tracking) -> None:
        raise NotImplementedError

    @process_event.register
    def _opened(self, domain_event: Carried.Opened, tracking: Tracking) -> None:
        self.view.write("insert into {}.carried values (%s, 0)", (domain_event.originator_id,), tracking)

    @process_event.register
    def _noted(self, domain_event: Carried.Noted, tracking: Tracking) -> None:
        self.view.write(
            "update {}.carried set notes = notes + 1 where id = %s", (domain_event.originator_id,), tracking
        )


def runners_seconds(owner_url: str, events: int) -> float:
    """Return how long the library's runner takes for so many events more."""
    where = conninfo_to_dict(owner_url)
    environment = {
        "PERSISTENCE_MODULE": "eventsourcing.postgres",
        "POSTGRES_DBNAME": str(where["dbname"]),
        "POSTGRES_HOST": str(where.get("host", "")),
        "POSTGRES_PORT": str(where.get("port", 5432)),
        "POSTGRES_USER": str(where["user"]),
        "POSTGRES_PASSWORD": str(where.get("password", "")),
        "POSTGRES_SCHEMA": "public",
    }
    app = Care(env=environment)
    for _ in range(events // EVENTS_EACH):
        person = Carried(name="Ray Bell")
        for _ in range(EVENTS_EACH - 1):
            person.note(text="Talked about the room, and the bus. " * 3)
        app.save(person)
    last = app.recorder.max_notification_id()
    app.close()

    def run() -> None:
        with ProjectionRunner(
            application_class=Care, projection_class=Carrying, view_class=View, env=environment
        ) as runner:
            runner.wait(last, timeout=300)

    return seconds(run)


def test_rebuilding_every_view(site_db: Database, empty_db: Database) -> None:
    log = PostgresLog(site_db.login("recorder"), site_db.secrets)
    views = [*VIEWS.values()]

    def ceiling(_: datetime) -> Ceiling:
        return Ceiling("P-1")

    def again() -> None:
        done = rebuild(views, site_db.owner_url, log, ceiling)
        assert [one.parked for one in done] == [0] * len(VIEWS)

    ours, work, theirs = [], [], []
    for _ in range(ROUNDS):  # each time as many participants more
        populate(log, PARTICIPANTS, seed=uuid4().int)
        work.append(work_seconds(lambda: ours.append(seconds(again))))
        theirs.append(runners_seconds(empty_db.owner_url, THEIRS))
    log.close()
    events = PARTICIPANTS * EVENTS_EACH * sum(range(1, ROUNDS + 1))
    ours_each, theirs_each = sum(ours) / events, sum(theirs) / (ROUNDS * THEIRS)
    report(
        f"rebuild of all {len(views)} views",
        "the library's own ProjectionRunner, one view",
        ">= 20x, linear in events",
        ratio=round(theirs_each / ours_each, 1),
        events_per_second=round(1 / ours_each),
        baseline_events_per_second=round(1 / theirs_each),
        twice_the_events_take=round(work[1] / work[0], 2),
        events_per_second_of_work=round(events / sum(work)),
        load=round(os.getloadavg()[0], 1),
    )
