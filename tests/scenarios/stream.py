"""The stream of a site under test: topics on a real broker, a relay that beats when told, and what a party reads."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from secrets import token_hex

from kafka import KafkaAdminClient, TopicPartition

from adapters.kafka import contract
from adapters.kafka.contract import CONTROL, PARTICIPANT_STATUS, Direction, Message
from adapters.kafka.envelope import Record
from adapters.kafka.gateway import Broker, raw_of
from adapters.kafka.relay import Publisher
from services.ports import Raw
from services.relay import Relay
from tests.site import Person, SiteUnderTest

SOURCE = "urn:lead:test:lead-program:golden-thread"


@dataclass(slots=True)
class Streams:
    """Topics of some parties, and the relay that writes them."""

    site: SiteUnderTest
    broker: Broker
    prefix: str
    relay: Relay
    publisher: Publisher
    seen: dict[str, int] = field(default_factory=dict)

    def beat(self) -> int:
        """Let the views come as far as the log, and the relay beat once."""
        self.site.settle()
        return self.relay.beat()

    def read(self, topic: str, *, anew: bool = False) -> list[Raw]:
        """Return the records of a topic that came since it was last read; all that the broker has, where `anew`."""
        with self.broker.consumer() as consumer:
            place = TopicPartition(self.prefix + topic, 0)
            consumer.assign([place])
            begin = consumer.beginning_offsets([place])[place] if anew else self.seen.get(topic, 0)
            consumer.seek(place, begin)
            found: list[Raw] = []
            while (end := consumer.highwater(place)) is None or consumer.position(place) < end:
                for records in consumer.poll(timeout_ms=200).values():
                    found += [raw_of(record) for record in records]
        self.seen[topic] = end
        return found

    def told(self, party: str) -> tuple[list[Message], list[Message]]:
        """Return what a party was told since: of its statuses, and of withdrawals, each as the contract reads it."""
        status, control = PARTICIPANT_STATUS.topic(party), CONTROL.topic(party)
        return [self._read(raw) for raw in self.read(status)], [self._read(raw) for raw in self.read(control)]

    def account(self, party: str) -> Person:
        """Register the account by which a party's system reads its stream."""
        subject = f"{party}-stream"
        person = {"party": party, "name": f"Records of {party}", "role": "stream", "subject": subject}
        self.site.person("pat").do("/v1/register/staff", person)
        return self.site.person(subject)

    def _read(self, raw: Raw) -> Message:
        return contract.read(Record(raw.headers, raw.key, raw.value, raw.topic.removeprefix(self.prefix)))


def a_prefix() -> str:
    """Return a prefix that nobody else on the broker has."""
    return f"t{token_hex(4)}."


@contextmanager
def streams(
    site: SiteUnderTest, address: str, *parties: str, prefix: str | None = None, **configs: str
) -> Iterator[Streams]:
    """Make the topics of some parties under a prefix, or one of their own; `configs`: of the compacted ones."""
    prefix = prefix or a_prefix()
    wanted: dict[str, dict[str, object]] = {
        prefix + family.topic(party): {
            "num_partitions": 1,
            "replication_factor": 1,
            "configs": {"cleanup.policy": "compact", **configs} if family.compacted else {},
        }
        for party in parties
        for family in contract.FAMILIES
        if family.direction is Direction.OUT or family is contract.RECEIPT
    }
    admin = KafkaAdminClient(bootstrap_servers=address)
    admin.create_topics(wanted, wait_for_metadata=True)
    broker = Broker(address)
    publisher = Publisher(broker, site.parts.site.outbox, SOURCE, prefix, site.parts.spans.sent)
    try:
        relay = Relay(site.parts.site, publisher.send, publisher.acknowledge, publisher.reaches)
        yield Streams(site, broker, prefix, relay, publisher)
    finally:
        publisher.close()
        admin.delete_topics(list(wanted), raise_errors=False)
        admin.close()
