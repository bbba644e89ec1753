"""Taking records from a broker, exactly once, against polling them and copying their raw bytes into a table."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import date
from secrets import token_hex

import psycopg
import pytest
from kafka import KafkaAdminClient, KafkaProducer, TopicPartition

from adapters.bootstrap import Database as SiteDatabase
from adapters.bootstrap import opened
from adapters.kafka.gateway import RECORDS_MOST, Broker, raw_of
from adapters.kafka.translate import reader
from adapters.settings import Settings
from adapters.simulation.cast import set_up
from services.feed import Cursor, Feed
from services.ports import Raw
from tests.adapters.kafka.test_gateway import told
from tests.benchmarks.measure import ratio, report
from tests.conftest import Database

pytestmark = [pytest.mark.server, pytest.mark.kafka, pytest.mark.benchmark]
RECORDS, ROUNDS = 1000, 3


def test_ingest(site_db: Database, kafka: str) -> None:
    prefix = f"b{token_hex(4)}."
    topic = f"{prefix}in.city-pd.arrest.v1"
    with closing(KafkaAdminClient(bootstrap_servers=kafka)) as admin:
        admin.create_topics({topic: {"num_partitions": 1, "replication_factor": 1, "configs": {}}})
    with closing(KafkaProducer(bootstrap_servers=kafka)) as producer:
        for n in range(RECORDS * (ROUNDS + 1)):
            one = told(n)
            producer.send(topic, key=one.key, value=one.value, headers=[(k, v or b"") for k, v in one.headers])
        producer.flush(60)
    place, broker = TopicPartition(topic, 0), Broker(kafka)
    db = SiteDatabase(site_db.owner_url, site_db.secrets, site_db.prefix)
    with (
        opened(db, Settings(environment="test", prefix=site_db.prefix)) as parts,
        broker.consumer() as consumer,
        psycopg.connect(site_db.owner_url, autocommit=True) as bare,
    ):
        set_up(parts.site, date(2026, 1, 1))
        bare.execute('create table bare ("offset" bigint, key bytea, value bytea)')
        consumer.assign([place])
        feed = Feed(parts.site, parts.log.stream, reader(prefix))
        parts.site.directory.refresh()
        party = parts.site.directory.by_code("city-pd", "party")
        claimed = parts.log.stream.claim(topic, 0, "x")
        cursor = Cursor(topic, 0, claimed.epoch, 0)

        def polled(begin: int) -> Iterator[list[Raw]]:
            consumer.seek(place, begin)
            left = RECORDS
            while left:
                records = consumer.poll(timeout_ms=1000, max_records=min(left, RECORDS_MOST)).get(place, [])
                left -= len(records)
                if records:
                    yield [raw_of(record) for record in records]

        def ours() -> None:
            for raws in polled(cursor.next_offset):
                feed.take(party, raws, cursor)

        def baseline() -> None:
            for raws in polled(0):
                with (
                    bare.transaction(),
                    bare.cursor() as at,
                    at.copy('copy bare ("offset", key, value) from stdin') as copy,
                ):
                    for raw in raws:
                        copy.write_row((raw.offset, raw.key, raw.value))

        found = ratio(ours, baseline, rounds=ROUNDS)
        report(
            "stream ingest, exactly once",
            "kafka-python poll + psycopg COPY of the raw bytes",
            ">= 0.3",
            records_per_second=round(RECORDS / found["ours_seconds"]),
            **found,
        )
        assert cursor.next_offset == RECORDS * (ROUNDS + 1)
