"""The gateway: takes from the broker what agencies publish, each record exactly once.

How far a partition was taken stands in the database, in the transaction of the effect; the broker keeps no offset.
One gateway leads at a time, and another waits. Whoever has lost the lead is fenced: it can record nothing any more.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from dataclasses import dataclass, field
from threading import Event as Stop
from typing import Any, Final

import psycopg
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.consumer.fetcher import ConsumerRecord
from kafka.errors import OffsetOutOfRangeError

from adapters.kafka.envelope import TRACE
from services.directory import Party
from services.feed import Cursor, Feed, mark
from services.ports import Claimed, Raw

POLL_MILLISECONDS: Final = 250
RECORDS_MOST: Final = 500
"""How many records one transaction takes at most."""
LOOK_SECONDS: Final = 5.0
"""How often the broker is asked for new topics, and the database for partitions that may go on."""
SWEEP_SECONDS: Final = 2.0
PAUSE_SECONDS: Final = (0.2, 30.0)
"""The shortest and the longest wait after a failure; each is twice the one before."""
_LAST_SECONDS: Final = 5.0
_LOCK: Final = 7100

GONE: Final = "the broker no longer has what comes next"
OTHER: Final = "the broker holds other records than those that were taken"
SHORTER: Final = "the broker holds less than was taken"
LOST: Final = "records were deleted before they were taken"

_log = logging.getLogger("goldenthread.gateway")


@dataclass(frozen=True, slots=True)
class Broker:
    """Where the broker is, and what else its clients are told (`security_protocol` and the like)."""

    bootstrap: str
    options: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @contextmanager
    def consumer(self) -> Iterator[KafkaConsumer]:
        """Open a consumer that belongs to no group and gives bytes as they are."""
        consumer = KafkaConsumer(
            bootstrap_servers=self.bootstrap,
            client_id="goldenthread",
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="none",
            isolation_level="read_committed",
            allow_auto_create_topics=False,
            max_poll_records=RECORDS_MOST,
            reconnect_backoff_max_ms=2000,
            **self.options,
        )
        with closing(consumer):
            yield consumer

    @contextmanager
    def admin(self) -> Iterator[KafkaAdminClient]:
        """Open a client that asks for topics."""
        with closing(
            KafkaAdminClient(bootstrap_servers=self.bootstrap, client_id="goldenthread-admin", **self.options)
        ) as admin:
            yield admin

    def producer(self) -> KafkaProducer:
        """Open what writes, each record once and in order. After any `KafkaError` close it, and open another."""
        return KafkaProducer(
            bootstrap_servers=self.bootstrap,
            client_id="goldenthread-relay",
            enable_idempotence=True,
            acks="all",
            delivery_timeout_ms=15_000,
            request_timeout_ms=5_000,
            max_block_ms=5_000,
            **self.options,
        )


class Stalled(Exception):
    """A partition stands still before what it holds: the consumer is made anew."""


@dataclass(slots=True)
class _Held:
    """A partition that this gateway takes, and the topic it belongs to."""

    party: Party
    topic_id: str
    cursor: Cursor


@dataclass(slots=True)
class Gateway:
    """Takes what agencies publish. `party_of` says whose a topic is; None: not one that is taken.

    `lock_url`: the database login under which the lead is held. `observe` spans the taking of some records.
    `failure`: the kind of what went wrong last, None while all is well.
    """

    broker: Broker
    feed: Feed
    party_of: Callable[[str], Party | None]
    lock_url: str
    observe: Callable[[str, Sequence[Mapping[str, str]]], AbstractContextManager[None]] = lambda *_: nullcontext()
    failure: str | None = None
    leads: bool = False

    def run(self, stop: Stop) -> None:
        """Take until told to stop. Whatever fails is tried again, after a pause that grows."""
        shortest, longest = PAUSE_SECONDS
        pause = shortest
        while not stop.is_set():
            begun = time.monotonic()
            try:
                with psycopg.connect(self.lock_url, autocommit=True) as lock:
                    if self._may_lead(lock, stop):
                        self._lead(lock, stop)
            except Exception as error:  # noqa: BLE001 - nothing that fails here may end the gateway
                self.failure = type(error).__name__
                _log.warning("the gateway stopped and will begin again: %s", self.failure)
            finally:
                self.leads = False
            pause = shortest if time.monotonic() - begun > longest else min(2 * pause, longest)
            stop.wait(pause)

    def _may_lead(self, lock: psycopg.Connection[Any], stop: Stop) -> bool:
        while not stop.is_set():
            if lock.execute("select pg_try_advisory_lock(%s)", [_LOCK]).fetchone() == (True,):
                return True
            stop.wait(LOOK_SECONDS / 5)
        return False

    def _lead(self, lock: psycopg.Connection[Any], stop: Stop) -> None:
        """Take, with a new consumer whenever there are other partitions to take: one that is told to seek may stall."""
        held: dict[TopicPartition, _Held] = {}
        with self.broker.admin() as admin:
            self.leads = True
            while not stop.is_set():
                self._look(admin, held)
                with self.broker.consumer() as consumer:
                    consumer.assign(list(held))
                    for place, one in held.items():
                        consumer.seek(place, one.cursor.next_offset)
                    self._follow(lock, admin, consumer, held, stop)

    def _follow(
        self,
        lock: psycopg.Connection[Any],
        admin: KafkaAdminClient,
        consumer: KafkaConsumer,
        held: dict[TopicPartition, _Held],
        stop: Stop,
    ) -> None:
        """Take from these partitions until there are others."""
        looked, swept, stood = time.monotonic(), float("-inf"), dict[TopicPartition, int]()
        while not stop.is_set():
            now = time.monotonic()
            if now - looked > LOOK_SECONDS:
                looked = now
                lock.execute("select 1")  # raises where the lead was lost
                stood = self._moved(consumer, stood)
                if self._look(admin, held):
                    return
            if now - swept > SWEEP_SECONDS:
                swept = now
                self.feed.sweep()
            if not held:
                stop.wait(LOOK_SECONDS / 5)
            elif not self._take(admin, consumer, held):
                return
            else:
                self.failure = None

    def _moved(self, consumer: KafkaConsumer, stood: dict[TopicPartition, int]) -> dict[TopicPartition, int]:
        """Return where each partition stands; raises `Stalled` for one that stands still before what it holds."""
        places = list(consumer.assignment())
        positions = {place: consumer.position(place) for place in places}
        ends = consumer.end_offsets(places) if places else {}
        for place, position in positions.items():
            if position < ends[place] and position == stood.get(place):
                raise Stalled
        return positions

    def _look(self, admin: KafkaAdminClient, held: dict[TopicPartition, _Held]) -> bool:
        """Take on the partitions that are new, or may go on again; return whether there are any."""
        self.feed.site.directory.refresh()
        found: list[tuple[TopicPartition, Party, str]] = []
        for topic in admin.describe_topics():
            party = None if topic.get("is_internal") else self.party_of(topic["name"])
            if party is not None:
                places = [TopicPartition(topic["name"], each["partition_index"]) for each in topic["partitions"]]
                found += [(place, party, str(topic["topic_id"])) for place in places if place not in held]
        if not found:
            return False
        before = len(held)
        with self.broker.consumer() as probe:
            for place, party, topic_id in found:
                claimed = self.feed.stream.claim(place.topic, place.partition, topic_id)
                if claimed.stopped is not None:
                    continue
                if wrong := _is_not_as_left(probe, place, claimed):
                    self._stop(place, wrong)
                    continue
                cursor = Cursor(place.topic, place.partition, claimed.epoch, claimed.next_offset)
                held[place] = _Held(party, topic_id, cursor)
        return len(held) > before

    def _take(self, admin: KafkaAdminClient, consumer: KafkaConsumer, held: dict[TopicPartition, _Held]) -> bool:
        """Take what has come; False if a partition was stopped."""
        try:
            polled = consumer.poll(timeout_ms=POLL_MILLISECONDS, max_records=RECORDS_MOST)
        except OffsetOutOfRangeError as error:
            for place in error.args[0] if error.args and isinstance(error.args[0], dict) else list(held):
                held.pop(place, None)
                self._stop(place, GONE)
            return False
        if not polled:
            return True
        # Asked after the records came: while the topic is still the same, so were they.
        ids = {topic["name"]: str(topic["topic_id"]) for topic in admin.describe_topics([p.topic for p in polled])}
        others = [place for place in polled if ids.get(place.topic) != held[place].topic_id]
        for place in others:
            held.pop(place)
            self._stop(place, OTHER)
        for place, records in polled.items():
            if place in held:
                raws = [raw_of(record) for record in records]
                with self.observe(place.topic, [_trace(raw) for raw in raws]):
                    self.feed.take(held[place].party, raws, held[place].cursor)
        return not others

    def _stop(self, place: TopicPartition, why: str) -> None:
        self.feed.stream.stop(place.topic, place.partition, why)
        _log.error("%s/%d is stopped: %s. See `goldenthread doctor`.", place.topic, place.partition, why)


def _is_not_as_left(consumer: KafkaConsumer, place: TopicPartition, claimed: Claimed) -> str | None:
    """Return why one cannot go on where one left off; None if the broker still holds what was taken last."""
    consumer.assign([place])
    beginning = consumer.beginning_offsets([place])[place]
    if beginning > claimed.next_offset:
        return LOST
    if claimed.last_record is None or beginning == claimed.next_offset:
        return None
    consumer.seek(place, claimed.next_offset - 1)
    end = time.monotonic() + _LAST_SECONDS
    try:
        while time.monotonic() < end:
            for record in consumer.poll(timeout_ms=POLL_MILLISECONDS, max_records=1).get(place, []):
                if record.offset >= claimed.next_offset:  # the last one was compacted away, or marked a transaction
                    return None
                return None if mark(raw_of(record)) == claimed.last_record else OTHER
    except OffsetOutOfRangeError:
        return SHORTER
    return None if consumer.end_offsets([place])[place] >= claimed.next_offset else SHORTER


def raw_of(record: ConsumerRecord) -> Raw:
    """Return a record as it came."""
    headers = tuple((name, value or b"") for name, value in record.headers)
    return Raw(record.topic, record.partition, record.offset, headers, record.key, record.value)


def _trace(raw: Raw) -> dict[str, str]:
    """Return the headers that carry a trace, and no other."""
    return {name: value.decode(errors="replace") for name, value in raw.headers if name in TRACE}
