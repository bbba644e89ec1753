"""Rebuilding one view against reading the log and copying the finished rows, with no logic in between."""

from __future__ import annotations

from datetime import datetime

import psycopg
import pytest
from psycopg import sql

from adapters.postgres.log import PostgresLog
from adapters.postgres.projector import rebuild
from domain.labels import Ceiling, Reader
from projections.views import VIEWS
from tests.benchmarks.measure import ratio, report
from tests.benchmarks.population import EVENTS_EACH, populate
from tests.conftest import Database

pytestmark = [pytest.mark.server, pytest.mark.benchmark, pytest.mark.timeout(1200)]
PARTICIPANTS = 2_000


@pytest.mark.parametrize("reader", [Reader.PROSECUTOR, Reader.POLICE, Reader.CASE_MANAGER])
def test_rebuilding_one_view(site_db: Database, reader: Reader) -> None:
    log = PostgresLog(site_db.login("recorder"), site_db.secrets)
    populate(log, PARTICIPANTS)
    view = VIEWS[reader]

    def ceiling(_: datetime) -> Ceiling:
        return Ceiling("P-1")

    (rebuilt,) = rebuild([view], site_db.owner_url, log, ceiling)
    with (
        psycopg.connect(site_db.owner_url, autocommit=True) as reading,
        psycopg.connect(site_db.owner_url, autocommit=True) as writing,
    ):
        finished = {}
        for model in view.models:
            name = sql.Identifier(model.reader.value, model.name)
            with (
                reading.cursor() as cursor,
                cursor.copy(sql.SQL("copy {} to stdout (format binary)").format(name)) as copy,
            ):
                finished[model] = b"".join(bytes(block) for block in copy)

        def baseline() -> None:
            with reading.cursor(binary=True) as cursor:
                cursor.execute("select * from log.event order by notification_id")
                while cursor.fetchmany(1000):
                    pass
            with writing.transaction():
                for model, rows in finished.items():
                    target = sql.Identifier(f"copy_{model.name}")
                    writing.execute(sql.SQL("drop table if exists {}").format(target))
                    source = sql.Identifier(model.reader.value, model.name)
                    writing.execute(sql.SQL("create table {} (like {} including indexes)").format(target, source))
                    with (
                        writing.cursor() as cursor,
                        cursor.copy(sql.SQL("copy {} from stdin (format binary)").format(target)) as copy,
                    ):
                        copy.write(rows)

        found = ratio(lambda: rebuild([view], site_db.owner_url, log, ceiling), baseline, rounds=3)
    log.close()
    assert rebuilt.parked == 0
    assert rebuilt.rows >= PARTICIPANTS
    report(
        f"rebuild of one view ({reader})",
        "reading the log and binary COPY of the finished rows, no logic",
        ">= 0.5",
        events=PARTICIPANTS * EVENTS_EACH,
        rows=rebuilt.rows,
        events_per_second=round(PARTICIPANTS * EVENTS_EACH / found["ours_seconds"]),
        **found,
    )
