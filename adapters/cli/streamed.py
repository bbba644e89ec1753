"""The stream in a demo: a broker, and a police records system that publishes, is told, and then is told no longer."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import typer
from kafka import KafkaProducer, TopicPartition

from adapters.bootstrap import Parts
from adapters.cli.gateway import at_the_broker
from adapters.kafka import contract, topics
from adapters.kafka.broker import ApacheKafka
from adapters.kafka.envelope import Record, encode
from adapters.kafka.gateway import Broker
from adapters.settings import Settings
from adapters.simulation.cast import callers
from domain.arrest import ArrestReported
from domain.registry import Role
from services.register import RegisterStaff
from services.site import carry_out

POLICE: Final = "city-pd"
BEAT_SECONDS: Final = 1.0
"""In a demo nobody waits half a minute."""
_PATIENCE_SECONDS: Final = 30.0
_POLL_SECONDS: Final = 0.1


@dataclass(slots=True)
class Streamed:
    """A police department's records system, as far as the demo needs one."""

    parts: Parts
    broker: Broker

    def an_arrest(self) -> None:
        """Publish an arrest report in which diversion was accepted, and say what became of it."""
        record = self._report()
        with closing(KafkaProducer(bootstrap_servers=self.broker.bootstrap)) as producer:
            headers = [(name, value or b"") for name, value in record.headers]
            producer.send(record.topic, key=record.key, value=record.value, headers=headers).get(_PATIENCE_SECONDS)
        begun = time.perf_counter()
        taken = self._until(lambda: self._arrests() > 0)
        took = (time.perf_counter() - begun) * 1000
        typer.echo("\nThe police records system publishes an arrest report: diversion offered and accepted.")
        typer.echo(f"  {took:.0f} ms later it is a referral." if taken else "  It has not been taken yet.")

    def a_withdrawal(self) -> None:
        """Say what the department reads of the stream after the revocation."""
        gone = self._until(lambda: self._tombstones() > 0)
        typer.echo("\nOn the stream of the department that was revoked:")
        if gone:
            typer.echo(
                f"  {self._statuses()} sealed statuses, {self._tombstones()} tombstone on the next beat, no key."
            )
        else:
            typer.echo("  nothing was withdrawn yet.")

    def _report(self) -> Record:
        kind = contract.TYPES["org.lead.arrest.recorded.v1"]
        now = self.parts.log.now()
        number = uuid4().hex[:8]
        data: dict[str, Any] = {
            "Incident": {"ActivityIdentification": {"IdentificationID": f"I-{number}"}},
            "Arrest": kind.model.example["Arrest"]
            | {
                "ActivityIdentification": {"IdentificationID": f"A-{number}"},
                "ActivityDate": {"DateTime": (now - timedelta(minutes=45)).isoformat(timespec="seconds")},
            },
            "LeadDiversion": {"DiversionCode": "accepted"},
        }
        data["Arrest"]["ArrestCharge"] = [data["Arrest"]["ArrestCharge"][0] | {"ExclusionText": []}]
        event = replace(
            contract.example(kind),
            id=number,
            source=f"urn:lead:demo:{POLICE}:records",
            time=now,
            data=data,
            structured=False,
            extensions={"correlationid": str(uuid4())},
        )
        return encode(event, f"A-{number}".encode(), kind.family.topic(POLICE))

    def _arrests(self) -> int:
        return len(self.parts.log.of_topics([ArrestReported.topic]))

    def _statuses(self) -> int:
        return sum(value is not None for value in self._published())

    def _tombstones(self) -> int:
        return sum(value is None for value in self._published())

    def _published(self) -> list[bytes | None]:
        """Return the values on the department's topic of statuses, as the broker has them."""
        place = TopicPartition(contract.PARTICIPANT_STATUS.topic(POLICE), 0)
        with self.broker.consumer() as consumer:
            consumer.assign([place])
            end = consumer.end_offsets([place])[place]
            consumer.seek(place, consumer.beginning_offsets([place])[place])
            found: list[bytes | None] = []
            while consumer.position(place) < end:
                for records in consumer.poll(timeout_ms=200).values():
                    found += [record.value for record in records]
        return found

    def _until(self, true: Callable[[], bool]) -> bool:
        end = time.monotonic() + _PATIENCE_SECONDS
        while not true():
            if time.monotonic() > end:
                return False
            time.sleep(_POLL_SECONDS)
        return True


@contextmanager
def streaming(parts: Parts, settings: Settings, folder: Path) -> Iterator[Streamed]:
    """Run a broker in the demo's folder, with the site's topics, the gateway and the relay. Raises `BrokerFailed`."""
    typer.echo("Starting Apache Kafka; the first time it is fetched, which takes a minute.")
    with ApacheKafka(folder / "kafka") as address:
        broker = Broker(address)
        topics.make(broker, topics.wanted(parts.site.directory.parties.values(), ""), replicas=1)
        subject = f"{POLICE}-stream"
        if parts.site.directory.by_subject(subject) is None:
            account = RegisterStaff(party=POLICE, name="Records system", role=Role.STREAM, subject=subject)
            carry_out(parts.site, callers(parts.site)["pat"], account)
        demo = settings.model_copy(update={"stream_beat_seconds": BEAT_SECONDS, "site_code": "demo"})
        with at_the_broker(parts, demo, broker):
            typer.echo(f"Kafka listens on {address}; topics such as {contract.ARREST.topic(POLICE)}.")
            streamed = Streamed(parts, broker)
            yield streamed
