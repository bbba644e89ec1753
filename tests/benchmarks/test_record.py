"""Recording one event, gate included, against bare psycopg doing the same with the same bytes."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from uuid import uuid4

import psycopg
import pytest

from adapters.postgres.keyring import Keyring
from adapters.postgres.log import PostgresLog
from adapters.postgres.mapper import Pending, SealingMapper
from adapters.postgres.recorder import LogDatastore
from domain.contact import ContactKind, ContactMade
from services.ports import Append
from tests.benchmarks.measure import ratio, report
from tests.benchmarks.population import CARE, envelope
from tests.conftest import Database

pytestmark = [pytest.mark.server, pytest.mark.benchmark]
EVENTS = 400

_INSERT = """
    insert into log.event (originator_id, originator_version, topic, state, recorded_at, participant_id, party_id, salt)
    values (%s, 1, %s, %b, clock_timestamp(), %s, %s, %b)
"""


@pytest.mark.parametrize("writers", [1, 8])
def test_recording(site_db: Database, writers: int) -> None:
    who = uuid4()
    event = ContactMade(
        participant_id=who,
        party_id=CARE,
        occurred_at=datetime.now(UTC),
        kind=ContactKind.VISIT,
        reached=True,
        note="Talked about the room.",
    )
    store = LogDatastore(site_db.login("recorder"))
    mapper = SealingMapper(Keyring(store, site_db.secrets.site_keys))
    stored = mapper.to_stored_event(Pending(uuid4(), 1, event, envelope()))
    store.close()
    log = PostgresLog(site_db.login("recorder"), site_db.secrets, pool_size=writers)
    bare = [psycopg.connect(site_db.owner_url, autocommit=True) for _ in range(writers)]
    each = EVENTS // writers

    def ours(_: int) -> None:
        for _ in range(each):
            log.record([Append(uuid4(), 0, [event])], envelope())

    def baseline(n: int) -> None:
        connection = bare[n]
        for _ in range(each):
            connection.execute("begin")
            connection.execute("select pg_advisory_xact_lock(7002)")
            connection.execute(_INSERT, (uuid4(), stored.topic, stored.state, who, CARE, b"0" * 16), prepare=True)
            connection.execute("notify log")
            connection.execute("commit")

    with ThreadPoolExecutor(writers) as pool:
        found = ratio(lambda: list(pool.map(ours, range(writers))), lambda: list(pool.map(baseline, range(writers))))
    report(
        f"record one event, gate included, {writers} writer(s)",
        "bare psycopg BEGIN; lock; INSERT; NOTIFY; COMMIT of the same bytes",
        ">= 0.7",
        events_per_second=round(EVENTS / found["ours_seconds"]),
        **found,
    )
    for connection in bare:
        connection.close()
    log.close()
    assert found["ratio"] > 0
