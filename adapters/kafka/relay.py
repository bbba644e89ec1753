"""The relay at the broker: what is told to the parties, written on a fixed beat and at no other time.

One relay writes at a time, and another waits. Nothing is written between beats, and all of a beat bears one time, so
that neither the moment of a record nor its place tells a revocation from a renewal.
"""

from __future__ import annotations

import logging
import time
from base64 import b64encode
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass, field
from datetime import datetime
from threading import Event as Stop
from typing import Any, Final
from uuid import UUID

import psycopg
from kafka import KafkaProducer
from kafka.errors import KafkaError
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from adapters.kafka.contract import ACK, CONTROL, FAULTS_MOST, PARTICIPANT_STATUS, TYPES, Family, MessageType
from adapters.kafka.envelope import CloudEvent, Record, Scalar, encode
from adapters.kafka.gateway import Broker
from adapters.kafka.messages.niem import Body, DateType
from adapters.kafka.messages.outgoing import (
    CaseManagerType,
    ConsentScopeType,
    FullNameType,
    MessageAcknowledged,
    ParticipantStatus,
    StatusPublished,
    StatusRetracted,
)
from projections.partner import GrantedParticipant
from services.directory import Party
from services.ports import Acknowledged, Outbox, Unavailable
from services.relay import Out, Relay, withdrawal_id
from services.release import PART2_NOTICE, is_part2

STATUS, RETRACTED = TYPES["org.lead.participant.status.v1"], TYPES["org.lead.participant.retracted.v1"]
ACKNOWLEDGED = TYPES["org.lead.ack.v1"]
VERSION: Final = "statusversion"
"""The extension in which a tombstone, which has no data, says its version."""
PAD_BYTES: Final = 256
"""A sealed body is as long as a multiple of it: its length says little of what is in it."""
VIEWS_SECONDS: Final = 5.0
"""How long a beat waits for the views; what they do not show by then is for the next."""
_LOOK_SECONDS: Final = 1.0
_SEND_SECONDS: Final = 15.0
BEAT_SECONDS_MOST: Final = VIEWS_SECONDS + _SEND_SECONDS
"""How long a beat is under way, unless several parties cannot be told."""
_LOCK: Final = 7101

_log = logging.getLogger("goldenthread.relay")


@dataclass(slots=True)
class Publisher:
    """Writes what parties are told into their topics. `source`: LEAD's, `urn:lead:<site>:<party code>:golden-thread`.

    `prefix`: what the broker's topics of this site begin with. `observe` spans what a party is told on one beat; that
    is the trace that a record carries, never the trace of what it is told for.
    """

    broker: Broker
    outbox: Outbox
    source: str
    prefix: str = ""
    observe: Callable[[str, int], AbstractContextManager[None]] = lambda _party, _messages: nullcontext()
    _producer: KafkaProducer | None = field(default=None, repr=False)

    def reaches(self, parties: Sequence[Party]) -> frozenset[UUID]:
        """Return the parties that have their topics on the broker; nobody, where it does not answer."""
        wanted = {
            party.id: {self.prefix + family.topic(party.code) for family in (PARTICIPANT_STATUS, CONTROL)}
            for party in parties
        }
        try:
            with self.broker.admin() as admin:
                there = set(admin.list_topics())
        except KafkaError as error:
            _log.warning("the broker does not answer: %s", type(error).__name__)
            return frozenset()
        return frozenset(party for party, topics in wanted.items() if topics <= there)

    def send(self, at: datetime, outs: Sequence[Out]) -> None:
        """Write, and return once the broker has all of it. Raises `Unavailable`: then it may have some of it."""
        with self.observe(outs[0].party.code, len(outs)):
            self.write([record for out in outs for record in self.records(at, out)])

    def acknowledge(self, at: datetime, party: Party, said: Sequence[Acknowledged]) -> None:
        """Write what became of a party's messages. Raises `Unavailable`."""
        with self.observe(party.code, len(said)):
            self.write([self._acknowledgement(at, party, one) for one in said])

    def records(self, at: datetime, out: Out) -> list[Record]:
        """Return the records that tell of one participant: a status; or a tombstone and, beside it, a withdrawal."""
        version = out.published.version
        if out.row is None:
            said = StatusRetracted(ParticipantKey=out.key, StatusVersion=version)
            return [
                self._record(PARTICIPANT_STATUS, out, at, f"s-{out.key}-{version}", None),
                self._record(CONTROL, out, at, withdrawal_id(out.key, version), said),
            ]
        body = status_of(out.row).model_dump_json(exclude_none=True).encode()
        padded = body.ljust(-(-len(body) // PAD_BYTES) * PAD_BYTES)
        nonce, sealed = self.outbox.seal(out.published, padded, place(out.key, out.key_id, version))
        told = StatusPublished.model_validate(
            {
                "ParticipantKey": out.key,
                "StatusVersion": version,
                "LeaseUntil": out.published.lease_until.isoformat(),
                "KeyId": out.key_id,
                "Nonce": b64encode(nonce).decode(),
                "EncryptedBody": b64encode(sealed).decode(),
            }
        )
        return [self._record(PARTICIPANT_STATUS, out, at, f"s-{out.key}-{version}", told)]

    def write(self, records: Sequence[Record]) -> None:
        """Write records, all under one time. Raises `Unavailable`."""
        now = int(time.time()) * 1000  # the broker's time, by which it lets go of old ones; not a played site's
        try:
            producer = self._producer = self._producer or self.broker.producer()
            futures = [
                producer.send(
                    self.prefix + str(record.topic),
                    key=record.key,
                    value=record.value,
                    headers=[(name, value or b"") for name, value in record.headers],
                    timestamp_ms=now,
                )
                for record in records
            ]
            producer.flush(timeout=_SEND_SECONDS)
            for future in futures:
                future.get(timeout=_SEND_SECONDS)
        except KafkaError as error:
            _log.warning("the broker did not take what was told: %s", type(error).__name__)
            self.close()
            raise Unavailable from None

    def close(self) -> None:
        """Let go of the broker."""
        producer, self._producer = self._producer, None
        if producer is not None:
            with suppress(KafkaError):
                producer.close(timeout=1)

    def _record(self, family: Family, out: Out, at: datetime, number: str, body: Body | None) -> Record:
        kind = STATUS if family is PARTICIPANT_STATUS else RETRACTED
        more: dict[str, Scalar] = {"operation": kind.operations[0] if body else "delete"}
        if body is None:
            more[VERSION] = str(out.published.version)
        return encode(self._event(kind, number, at, body, more), out.key.encode(), family.topic(out.party.code))

    def _acknowledgement(self, at: datetime, party: Party, said: Acknowledged) -> Record:
        body = MessageAcknowledged.model_validate(
            {
                "MessageSource": said.source,
                "MessageID": said.message,
                "AcknowledgementCode": said.code,
                "SystemEventDateTime": {"DateTime": (said.taken_at or at).isoformat(timespec="seconds")},
                "MessageError": [
                    {
                        "ErrorPointerText": fault["pointer"],
                        "ErrorCodeText": fault["code"],
                        "ErrorCodeDescriptionText": fault["sentence"],
                    }
                    for fault in said.faults[:FAULTS_MOST]
                ],
            }
        )
        more: dict[str, Scalar] = {"operation": "add", "correlationid": str(said.correlation_id)}
        event = self._event(ACKNOWLEDGED, f"a-{said.id}", at, body, more)
        return encode(event, said.message.encode(), ACK.topic(party.code))

    def _event(
        self, kind: MessageType, number: str, at: datetime, body: Body | None, more: dict[str, Scalar]
    ) -> CloudEvent:
        return CloudEvent(
            id=number,
            source=self.source,
            type=kind.name,
            time=at.replace(microsecond=0),
            dataschema=kind.dataschema,
            extensions=more | _trace(),
            data=None if body is None else body.model_dump(mode="json", exclude_none=True),
            tombstone=body is None,
        )


@dataclass(slots=True)
class Beats:
    """Lets the relay beat every so many `seconds` of the clock, wherever it was started.

    `lock_url`: the database login under which the lead is held. `note` is told of each beat what went wrong, None: all
    is well. `failure`: the kind of what went wrong last.
    """

    relay: Relay
    lock_url: str
    seconds: float
    note: Callable[[str | None], None] = lambda _failure: None
    failure: str | None = None
    leads: bool = False

    def run(self, stop: Stop) -> None:
        """Beat until told to stop. Whatever fails is done again at the next beat."""
        while not stop.is_set():
            try:
                with psycopg.connect(self.lock_url, autocommit=True) as lock:
                    while not stop.is_set():
                        if not self.leads and not _may_lead(lock):
                            stop.wait(_LOOK_SECONDS)
                            continue
                        self.leads = True
                        if stop.wait(self.seconds - time.time() % self.seconds):
                            return
                        lock.execute("select 1")  # raises where the lead was lost
                        self._beat(stop)
            except Exception as error:  # noqa: BLE001 - nothing that fails here may end the relay
                self.failure = type(error).__name__
                _log.warning("the relay stopped and will begin again: %s", self.failure)
                with suppress(Exception):  # a database that is gone
                    self.note(self.failure)
                stop.wait(_LOOK_SECONDS)
            finally:
                self.leads = False

    def _beat(self, stop: Stop) -> None:
        end = time.monotonic() + VIEWS_SECONDS
        while not self.relay.caught_up() and time.monotonic() < end and not stop.wait(0.02):
            pass
        self.relay.beat()
        self.note(None)
        self.failure = None


def status_of(row: GrantedParticipant) -> ParticipantStatus:
    """Return the body that a status seals, with the scope of the consent and, of Part 2 records, its notice."""
    notice = PART2_NOTICE if is_part2([row]) else None
    return ParticipantStatus(
        PersonName=FullNameType(PersonFullName=row.name) if row.name else None,
        PersonBirthDate=DateType.model_validate({"Date": row.birth_date.isoformat()}) if row.birth_date else None,
        EnrolmentStatusCode="enrolled" if row.enrolment else None,
        CaseManager=(
            CaseManagerType(PersonFullName=row.case_manager, TelephoneNumberFullID=row.call) if row.call else None
        ),
        ConsentScope=(
            ConsentScopeType(LabelCode=tuple(row.scope), PurposeText=row.purpose, RedisclosureNoticeText=notice)
            if row.scope and row.purpose
            else None
        ),
    )


def place(key: str, key_id: str, version: int) -> bytes:
    """Return what a body is bound to: it opens at no other place, and under no other version."""
    return f"{key} {key_id} {version}".encode()


def _may_lead(lock: psycopg.Connection[Any]) -> bool:
    return lock.execute("select pg_try_advisory_lock(%s)", [_LOCK]).fetchone() == (True,)


def _trace() -> dict[str, Scalar]:
    carrier: dict[str, str] = {}
    TraceContextTextMapPropagator().inject(carrier)
    return dict(carrier)
