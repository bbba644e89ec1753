"""The gateway on a real broker and a real log: each record once, whatever dies, and a stop where something is wrong."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import date
from secrets import token_hex
from threading import Event as Stop
from threading import Thread
from typing import Any

import psycopg
import pytest
from kafka import KafkaAdminClient, KafkaProducer

from adapters.bootstrap import Database as SiteDatabase
from adapters.bootstrap import Parts, opened
from adapters.cli.gateway import gateway
from adapters.kafka import gateway as gate
from adapters.kafka.broker import ApacheKafka
from adapters.kafka.envelope import Record
from adapters.settings import Settings
from adapters.simulation.cast import set_up
from domain.stop_record import ArrestRecorded
from services.ports import Keeping
from tests.adapters.kafka.messages import ARRESTED_AT, ATN, INCIDENT, WHO, person, record
from tests.conftest import Database

pytestmark = [pytest.mark.server, pytest.mark.kafka]
RMS = "city-pd:WASPD0000"
SECONDS = 60


def told(n: int, **also: Any) -> Record:
    changes: dict[str, Any] = {
        "LeadDiversion": None,
        ATN: f"A-{n}",
        INCIDENT: f"I-{n}",
        WHO: person("Given", f"Surname{n}", "1990-01-01", sid=f"WA{n:08}"),
        ARRESTED_AT: "2026-03-01T10:00:00-08:00",
    }
    return record("arrest.recorded", RMS, changes, id_=f"m-{n}", **also)


class Site:
    """A site of a test's own, and its topics on a broker."""

    def __init__(self, parts: Parts, database: Database, bootstrap: str, settings: Settings) -> None:
        self.parts, self.database, self.bootstrap, self.settings = parts, database, bootstrap, settings
        self.prefix = settings.kafka_prefix
        self.topic = f"{self.prefix}in.city-pd.arrest.v1"

    def make_topic(self, partitions: int = 1) -> None:
        """Make the department's topic."""
        admin = KafkaAdminClient(bootstrap_servers=self.bootstrap)
        wanted = {"num_partitions": partitions, "replication_factor": 1, "configs": {}}
        admin.create_topics({self.topic: wanted}, wait_for_metadata=True)
        admin.close()

    def delete_topic(self) -> None:
        """Delete it, with all that it held."""
        admin = KafkaAdminClient(bootstrap_servers=self.bootstrap)
        admin.delete_topics([self.topic])
        while self.topic in {each["name"] for each in admin.describe_topics()}:
            time.sleep(0.1)
        admin.close()

    def publish(self, *records: Record) -> None:
        """Publish records, as an agency's system does."""
        producer = KafkaProducer(bootstrap_servers=self.bootstrap)
        for each in records:
            headers = [(name, value or b"") for name, value in each.headers]
            producer.send(self.topic, key=each.key, value=each.value, headers=headers)
        producer.flush(30)
        producer.close()

    def taken(self) -> list[str]:
        """Return which arrests were taken."""
        with psycopg.connect(self.database.owner_url) as owner:
            found = owner.execute("select originator_id from log.event where topic = %s", [ArrestRecorded.topic])
            return [str(stream) for (stream,) in found.fetchall()]

    def until(self, true: Callable[[], bool], what: str, seconds: float = SECONDS) -> None:
        """Wait for something."""
        end = time.monotonic() + seconds
        while not true():
            assert time.monotonic() < end, what
            time.sleep(0.05)

    def partitions(self) -> list[tuple[Any, ...]]:
        """Return (number, next offset, why it is stopped) of each partition."""
        with psycopg.connect(self.database.owner_url) as owner:
            query = "select number, next_offset, stopped from stream.partition where topic = %s order by number"
            return owner.execute(query, [self.topic]).fetchall()

    @contextmanager
    def running(self) -> Iterator[gate.Gateway]:
        """Run a gateway in a thread."""
        one, stop = gateway(self.parts, self.settings, gate.Broker(self.bootstrap)), Stop()
        thread = Thread(target=one.run, args=(stop,))
        thread.start()
        try:
            yield one
        finally:
            stop.set()
            thread.join(timeout=30)
            assert not thread.is_alive(), "it ends within seconds"

    def process(self) -> subprocess.Popen[bytes]:
        """Run a gateway as its own process."""
        environment = os.environ | {
            "GOLDENTHREAD_DATABASE_URL": self.database.owner_url,
            "GOLDENTHREAD_SECRETS_DIR": str(self.database.secrets.folder),
            "GOLDENTHREAD_PREFIX": self.database.prefix,
            "GOLDENTHREAD_KAFKA": self.bootstrap,
            "GOLDENTHREAD_KAFKA_PREFIX": self.prefix,
        }
        program = "import sys; from adapters.cli.main import main; sys.argv = ['goldenthread', 'gateway']; main()"
        return subprocess.Popen(
            [sys.executable, "-c", program], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )


@contextmanager
def a_site(database: Database, bootstrap: str) -> Iterator[Site]:
    db = SiteDatabase(database.owner_url, database.secrets, database.prefix)
    settings = Settings(environment="test", prefix=database.prefix, kafka_prefix=f"t{token_hex(4)}.")
    with opened(db, settings) as parts:
        set_up(parts.site, date(2026, 1, 1))
        parts.site.directory.refresh()
        yield Site(parts, database, bootstrap, settings)


@pytest.fixture
def site(site_db: Database, kafka: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setattr(gate, "LOOK_SECONDS", 0.5)
    monkeypatch.setattr(gate, "PAUSE_SECONDS", (0.1, 1.0))
    with a_site(site_db, kafka) as made:
        yield made


def distinct(site: Site, count: int) -> bool:
    taken = site.taken()
    assert len(taken) == len(set(taken)), "each once"
    return len(taken) == count


def test_what_is_published_is_taken_and_a_poisoned_one_stops_nobody_else(site: Site) -> None:
    site.make_topic()
    poison = told(3)._replace(value=b'{"Arrest": ')
    with site.running():
        site.publish(told(1), told(2), poison, told(4))
        site.until(lambda: distinct(site, 3), "three are taken")
        site.publish(told(2), told(5))
        site.until(lambda: distinct(site, 4), "the fifth is taken, the second is not taken again")
    assert site.partitions() == [(0, 6, None)]
    (aside,) = site.parts.log.stream.kept(Keeping.SET_ASIDE)
    assert aside.faults[0]["code"] == "truncated"


def test_a_new_gateway_goes_on_where_the_last_one_ended(site: Site) -> None:
    site.make_topic()
    site.publish(*(told(n) for n in range(5)))
    with site.running():
        site.until(lambda: distinct(site, 5), "five are taken")
    site.publish(*(told(n) for n in range(5, 8)))
    with site.running():
        site.until(lambda: distinct(site, 8), "three more")
    assert site.partitions() == [(0, 8, None)]


def test_two_gateways_at_once_take_each_record_once(site: Site) -> None:
    site.make_topic(partitions=3)
    with site.running() as one, site.running() as other:
        for begin in range(0, 60, 20):
            site.publish(*(told(n) for n in range(begin, begin + 20)))
        site.until(lambda: distinct(site, 60), "sixty are taken")
        assert one.leads != other.leads, "one leads, the other waits"


def test_a_topic_made_again_is_not_gone_on_with_until_somebody_says_so(site: Site, apache_kafka: str) -> None:
    site.make_topic()
    site.publish(*(told(n) for n in range(4)))
    with site.running():
        site.until(lambda: distinct(site, 4), "four are taken")
        site.delete_topic()
        site.make_topic()
        site.publish(*(told(n) for n in range(10, 20)))
        site.until(lambda: site.partitions()[0][2] is not None, "it stops")
        time.sleep(1)
        assert distinct(site, 4), "nothing of the other topic is taken, and nothing of it is passed over"
        with gate.Broker(site.bootstrap).admin() as admin:
            found = str(admin.describe_topics([site.topic])[0]["topic_id"])
        site.parts.log.stream.resume(site.topic, 0, found, 0)
        site.until(lambda: distinct(site, 14), "told how to go on, it does")


def test_a_broker_that_is_killed_and_comes_back_is_gone_on_with(
    site_db: Database, own_kafka: ApacheKafka, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gate, "LOOK_SECONDS", 0.5)
    with a_site(site_db, own_kafka.bootstrap) as site:
        site.make_topic()
        site.publish(*(told(n) for n in range(3)))
        with site.running() as one:
            site.until(lambda: distinct(site, 3), "three are taken")
            own_kafka.kill()
            site.until(lambda: one.failure is not None, "it says that something is wrong")
            own_kafka.start()
            site.publish(*(told(n) for n in range(3, 6)))
            site.until(lambda: distinct(site, 6), "three more", seconds=120)


def rounds_of_kill(site: Site, rounds: int, each: int) -> None:
    """Kill the gateway in mid-batch, again and again, while records are published."""
    site.make_topic(partitions=2)
    published = 0
    for _ in range(rounds):
        process = site.process()
        try:
            site.publish(*(told(n) for n in range(published, published + each)))
            published += each
            before = len(site.taken())
            site.until(lambda before=before: len(site.taken()) > before, "it has begun to take")  # type: ignore[misc]
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait()
    with site.running():
        site.until(lambda: distinct(site, published), "all of them, each once", seconds=120)
    assert sum(offset for _, offset, _ in site.partitions()) == published


def test_killed_in_mid_batch_it_loses_nothing_and_takes_nothing_twice(site: Site) -> None:
    rounds_of_kill(site, rounds=2, each=120)


@pytest.mark.long
def test_killed_twenty_times(site: Site) -> None:
    rounds_of_kill(site, rounds=20, each=200)


def test_two_processes_and_one_is_killed(site: Site) -> None:
    site.make_topic(partitions=2)
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(lambda _: site.process(), range(2))
    try:
        site.publish(*(told(n) for n in range(50)))
        site.until(lambda: distinct(site, 50), "fifty are taken")
        first.send_signal(signal.SIGKILL)
        site.publish(*(told(n) for n in range(50, 100)))
        site.until(lambda: distinct(site, 100), "whoever is left goes on")
        second.send_signal(signal.SIGTERM)
        assert second.wait(timeout=30) == 0, "told to end, it ends in good order"
    finally:
        for process in (first, second):
            process.kill()
            process.wait()
