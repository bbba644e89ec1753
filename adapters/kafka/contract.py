"""The contract of the stream: every topic and every type of message, in one table from which all else follows."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from datetime import UTC, datetime
from difflib import get_close_matches
from enum import StrEnum
from functools import cached_property, lru_cache
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from pydantic import ValidationError

from adapters.kafka.envelope import JSON_TYPE, CloudEvent, Fault, Record, Undecodable, decode, pointer_to
from adapters.kafka.messages import arrest, case, charge_table, custody, outgoing
from adapters.kafka.messages.niem import LEAD, NC, NIBRS, Body, J


class Direction(StrEnum):
    """Who writes a topic: the party (`in`), or LEAD for the party (`out`)."""

    IN = "in"
    OUT = "out"


class Family(NamedTuple):
    """A topic that each party has one of. `key`: where in the data the record's key stands, the first that is there.

    `compacted`: the broker keeps the last record of a key, and a tombstone ends it.
    """

    name: str
    direction: Direction
    who: str
    key: tuple[tuple[str, ...], ...]
    compacted: bool = False

    def topic(self, party: str) -> str:
        """Return the party's topic."""
        return f"{self.direction}.{party}.{self.name}.v1"


_ATN = ("Arrest", "ActivityIdentification", "IdentificationID")
_BOOKING = ("Booking", "BookingAgencyRecordIdentification", "IdentificationID")
_PARTICIPANT = (("ParticipantKey",),)

ARREST = Family("arrest", Direction.IN, "a police records system", (_ATN,))
CUSTODY = Family("custody", Direction.IN, "a jail", (_BOOKING,))
CASE = Family(
    "case",
    Direction.IN,
    "a prosecutor's office, a court",
    (("CourtCase", "CaseDocketID"), ("CourtCase", "CaseTrackingID")),
)
CHARGE_TABLE = Family(
    "charge-table", Direction.IN, "whoever keeps the charge table", (("Charge", "ChargeKey"),), compacted=True
)
RECEIPT = Family("receipt", Direction.IN, "whoever receives participant status", _PARTICIPANT)
PARTICIPANT_STATUS = Family("participant-status", Direction.OUT, "LEAD", _PARTICIPANT, compacted=True)
CONTROL = Family("control", Direction.OUT, "LEAD", _PARTICIPANT)
ACK = Family("ack", Direction.OUT, "LEAD", (("MessageID",),))
FAMILIES: Final = (ARREST, CUSTODY, CASE, CHARGE_TABLE, RECEIPT, PARTICIPANT_STATUS, CONTROL, ACK)


class Version(NamedTuple):
    """The version of a schema."""

    major: int
    minor: int
    patch: int

    def __str__(self) -> str:
        return "-".join(map(str, self))


_FIRST: Final = Version(1, 0, 0)


@dataclass(frozen=True)
class MessageType:
    """A type of message. `operations`: what its extension `operation` may say, first what it says if left out."""

    name: str
    family: Family
    model: type[Body]
    version: Version = _FIRST
    operations: Sequence[str] = ("add",)

    @cached_property
    def short(self) -> str:
        """Its name without what every name begins and ends with."""
        return self.name.removeprefix("org.lead.").removesuffix(f".v{self.version.major}")

    @cached_property
    def path(self) -> str:
        """Where its schemas stand: family and name."""
        return f"{self.family.name}/{self.short.rpartition('.')[2]}"

    @cached_property
    def dataschema(self) -> str:
        """What an event of its present version says as `dataschema`."""
        return f"urn:lead:schema:{self.path.replace('/', ':')}:{self.version}"


TYPES: Final[Mapping[str, MessageType]] = MappingProxyType(
    {
        kind.name: kind
        for kind in (
            MessageType("org.lead.arrest.recorded.v1", ARREST, arrest.ArrestRecorded),
            MessageType("org.lead.arrest.amended.v1", ARREST, arrest.ArrestAmended, operations=("update",)),
            MessageType("org.lead.arrest.retracted.v1", ARREST, arrest.ArrestRetracted, operations=("delete",)),
            MessageType("org.lead.custody.booked.v1", CUSTODY, custody.CustodyBooked, operations=("add", "update")),
            MessageType("org.lead.custody.released.v1", CUSTODY, custody.CustodyReleased, operations=("update",)),
            MessageType("org.lead.custody.retracted.v1", CUSTODY, custody.CustodyRetracted, operations=("delete",)),
            MessageType("org.lead.case.initiated.v1", CASE, case.CaseInitiated),
            MessageType("org.lead.case.filed.v1", CASE, case.CaseFiled),
            MessageType("org.lead.case.declined.v1", CASE, case.CaseDeclined),
            MessageType("org.lead.case.updated.v1", CASE, case.CaseUpdated, operations=("update",)),
            MessageType("org.lead.case.hearing.v1", CASE, case.CaseHearing, operations=("add", "update", "delete")),
            MessageType("org.lead.case.order.v1", CASE, case.CaseOrder, operations=("add", "update", "delete")),
            MessageType("org.lead.case.disposed.v1", CASE, case.CaseDisposed, operations=("update",)),
            MessageType("org.lead.case.sealed.v1", CASE, case.CaseSealed, operations=("delete",)),
            MessageType("org.lead.case.retracted.v1", CASE, case.CaseRetracted, operations=("delete",)),
            MessageType(
                "org.lead.charge.listed.v1",
                CHARGE_TABLE,
                charge_table.ChargeListed,
                operations=("add", "update", "delete"),
            ),
            MessageType("org.lead.receipt.v1", RECEIPT, outgoing.ReceiptSent),
            MessageType(
                "org.lead.participant.status.v1",
                PARTICIPANT_STATUS,
                outgoing.StatusPublished,
                operations=("update", "delete"),
            ),
            MessageType("org.lead.participant.retracted.v1", CONTROL, outgoing.StatusRetracted, operations=("delete",)),
            MessageType("org.lead.ack.v1", ACK, outgoing.MessageAcknowledged),
        )
    }
)

VOCABULARY: Final = NC | J | NIBRS | LEAD
"""Every name that a message can hold."""
_SOURCE: Final = re.compile(
    r"urn:lead:(?P<site>[a-z0-9][a-z0-9-]{0,62}):(?P<party>[a-z0-9][a-z0-9-]{1,38}[a-z0-9]):[A-Za-z0-9._-]{1,64}"
)
_TOPIC: Final = re.compile(r"(?:in|out)\.(?P<party>[a-z0-9][a-z0-9-]{1,38}[a-z0-9])\.(?P<family>[a-z-]+)\.v1")
_SCHEMA: Final = re.compile(
    r"(?:urn:|https?://).*?[:/](?P<path>[a-z-]+[:/][a-z]+)[:/](?P<version>\d{1,4}-\d{1,4}-\d{1,4})(?:\.json)?"
)
ID_MOST: Final = 200
FAULTS_MOST: Final = 100
"""How many faults of one message are told."""
_HINTS_MOST, _NAME_MOST = 10, 60  # for how many names, and how long ones, the nearest is looked for: it takes time


@dataclass(frozen=True, slots=True)
class Message:
    """A message that keeps the contract. `body` None: a tombstone; `dropped`: properties of a newer minor, left out."""

    kind: MessageType
    event: CloudEvent
    party: str
    body: Body | None
    operation: str
    dropped: int = 0


def read(record: Record) -> Message:
    """Return the message of a record. Raises `Undecodable` with everything that is wrong with it."""
    event = decode(record)
    kind = TYPES.get(event.type)
    if kind is None:
        raise Undecodable([_unknown_type(event)])
    source = _SOURCE.fullmatch(event.source)
    faults = [*_of_envelope(kind, event, source), *_of_topic(kind, record.topic, record.key, source, event)]
    body, dropped = None, 0
    if event.data is not None and not any(fault.code in ("unknown_major", "media_type") for fault in faults):
        found = _validated(kind, event)
        if isinstance(found, tuple):
            body, dropped = found
            faults += _of_key(kind.family, event, record.key)
        else:
            faults += found
    if faults or source is None:
        raise Undecodable(faults)
    operation = event.extensions.get("operation", "delete" if event.tombstone else kind.operations[0])
    return Message(kind, event, source["party"], body, str(operation), dropped)


def is_source(text: str) -> bool:
    """Return whether this can be the source of a message."""
    return _SOURCE.fullmatch(text) is not None


def owner_of(topic: str) -> tuple[str, Family] | None:
    """Return the party whose topic it is, and its family; None for a topic that is not of the contract."""
    place = _TOPIC.fullmatch(topic)
    for family in FAMILIES:
        if place is not None and topic == family.topic(place["party"]):
            return place["party"], family
    return None


def key_of(family: Family, data: Mapping[str, Any]) -> str | None:
    """Return the record's key that data of a family has; None if it has none."""
    return _found_key(family, data)[1]


def _found_key(family: Family, data: Mapping[str, Any]) -> tuple[tuple[str, ...], str | None]:
    """Return where the key stands, or should, and the key."""
    for path in family.key:
        value: Any = data
        for name in path:
            value = value.get(name) if isinstance(value, Mapping) else None
        if isinstance(value, str) and value.strip():
            return path, value.strip()
    return family.key[0], None


def example(kind: MessageType) -> CloudEvent:
    """Return an example of a message."""
    outward = kind.family.direction is Direction.OUT
    party = "lead-program:golden-thread" if outward else _PUBLISHERS[kind.family]
    key = key_of(kind.family, kind.model.example)
    return CloudEvent(
        id="01987a31-0c44-7b1e-8a52-1f6a2f9b0d11",
        source=f"urn:lead:king-county:{party}",
        type=kind.name,
        time=datetime(2026, 2, 14, 10, 55, tzinfo=UTC),
        datacontenttype=JSON_TYPE,
        dataschema=kind.dataschema,
        extensions={
            "correlationid": "01987a31-0c44-7b1e-8a52-000000000001",
            "operation": kind.operations[0],
            "partitionkey": str(key),
            "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        },
        data=kind.model.example,
        structured=True,
    )


_PUBLISHERS: Final = {
    ARREST: "city-pd:WASPD0000",
    CUSTODY: "county-jail:WA0170000",
    CASE: "county-pa:case-management",
    CHARGE_TABLE: "district-court:charge-table",
    RECEIPT: "city-pd:records",
}


def _unknown_type(event: CloudEvent) -> Fault:
    near = get_close_matches(event.type[:_NAME_MOST], TYPES, n=1)
    so = f": the nearest is {near[0]}" if near else ""
    return Fault(event.place("type"), "unknown_type", f"the contract has no such type{so}.")


def _of_envelope(kind: MessageType, event: CloudEvent, source: re.Match[str] | None) -> Iterator[Fault]:
    if source is None:
        yield Fault(event.place("source"), "source", "it must be urn:lead:<site>:<party code>:<ORI or system>.")
    if len(event.id) > ID_MOST:
        yield Fault(event.place("id"), "string_too_long", f"it is longer than {ID_MOST} characters.")
    if event.time is None:
        yield Fault(event.place("time"), "missing", "say when the message was made.")
    if event.datacontenttype is not None and event.datacontenttype.lower().partition(";")[0].strip() != JSON_TYPE:
        yield Fault(event.place("datacontenttype"), "media_type", f"the data must be {JSON_TYPE}.")
    if event.data is None and not event.tombstone:
        yield Fault(event.pointer, "missing", "there is no data; a tombstone is a binary event whose value is null.")
    if event.tombstone and not (kind.family.compacted and "delete" in kind.operations):
        yield Fault("", "tombstone", "a topic that is not compacted takes none: send the type that retracts.")
    operation = event.extensions.get("operation")
    if operation is not None and (operation not in kind.operations or (event.tombstone and operation != "delete")):
        allowed = ", ".join(kind.operations)
        yield Fault(event.place("operation"), "operation", f"of this type it may be: {allowed}; of a tombstone delete.")
    if event.dataschema is not None and (version := _version(kind.path, event.dataschema)) is None:
        yield Fault(event.place("dataschema"), "dataschema", f"it must name this type's schema, as {kind.dataschema}.")
    elif event.dataschema is not None and version is not None and version.major != kind.version.major:
        yield Fault(
            event.place("dataschema"), "unknown_major", f"of this type only major {kind.version.major} is known."
        )


def _of_topic(
    kind: MessageType, topic: str | None, key: bytes | None, source: re.Match[str] | None, event: CloudEvent
) -> Iterator[Fault]:
    """Yield what does not fit the topic, for the topic proves who sent it; what a message says of that does not."""
    if topic is None:
        return
    if key is None:
        yield Fault("key", "missing", "without a key no order holds between the messages of one matter.")
    place = _TOPIC.fullmatch(topic)
    if place is None or place["family"] != kind.family.name:
        yield Fault(event.place("type"), "wrong_topic", f"it belongs into {kind.family.topic('<party>')}.")
    elif source is not None and kind.family.direction is Direction.IN and source["party"] != place["party"]:
        yield Fault(event.place("source"), "wrong_party", "its party is not the one whose topic this is.")


def _of_key(family: Family, event: CloudEvent, key: bytes | None) -> Iterator[Fault]:
    """Yield where the record's key is not the data's: then no order holds between the messages of one matter."""
    path, expected = _found_key(family, event.data)
    sentence = f"it must be the text at {pointer_to(path, event.pointer)}."
    if key is not None and key != str(expected).encode():
        yield Fault("key", "key_mismatch", sentence)
    said = event.extensions.get("partitionkey")
    if said is not None and said != expected:
        yield Fault(event.place("partitionkey"), "key_mismatch", sentence)


@lru_cache(maxsize=1024)
def _version(path: str, dataschema: str | None) -> Version | None:
    """Return the version that a `dataschema` names; None if it names none of this type."""
    found = _SCHEMA.fullmatch(dataschema or "")
    if found is None or found["path"].replace(":", "/") != path:
        return None
    return Version(*map(int, found["version"].split("-")))


def _validated(kind: MessageType, event: CloudEvent) -> tuple[Body, int] | list[Fault]:
    """Return the body and how much of it was dropped; or what is wrong.

    Of a minor that is newer than ours we drop what we do not know, and take the rest: nothing else can be new in it.
    """
    version = _version(kind.path, event.dataschema)
    errors = _errors(kind.model, event.data)
    if isinstance(errors, Body):
        return errors, 0
    if version is not None and version[:2] > kind.version[:2]:
        unknown = [error["loc"] for error in errors if error["type"] == "extra_forbidden"]
        again = _errors(kind.model, _without(event.data, unknown))
        if isinstance(again, Body):
            return again, len(unknown)
        errors = again
    errors = errors[:FAULTS_MOST]
    inner = {error["loc"][:n] for error in errors for n in range(len(error["loc"]))}
    faults: list[Fault] = []
    for error in errors:
        if error["type"] != "too_short" or error["loc"] not in inner:  # too short only for its elements being wrong
            faults.append(_fault(error, event.pointer, hint=len(faults) < _HINTS_MOST))
    return faults


def _errors(model: type[Body], data: Any) -> Any:
    try:
        return model.model_validate(data)
    except ValidationError as error:
        return error.errors(include_input=False, include_context=False, include_url=False)


def _without(data: Any, paths: Sequence[tuple[str | int, ...]]) -> Any:
    data = deepcopy(data)
    for path in paths:
        inner = data
        for step in path[:-1]:
            inner = inner[step]
        del inner[path[-1]]
    return data


def _fault(error: Mapping[str, Any], pointer: str, *, hint: bool) -> Fault:
    """Return what pydantic found, without a word of the message: of a name that we do not know not even that."""
    *path, last = error["loc"] or ("",)
    if error["type"] != "extra_forbidden":
        sentence = str(error["msg"]).removeprefix("Value error, ")
        return Fault(pointer_to(error["loc"], pointer), error["type"], f"{sentence[:1].lower()}{sentence[1:]}.")
    if last in VOCABULARY:
        return Fault(pointer_to(error["loc"], pointer), error["type"], "the schema does not have it at this place.")
    near = get_close_matches(str(last), VOCABULARY, n=1) if hint and len(str(last)) <= _NAME_MOST else []
    so = f"; the nearest name is {near[0]}" if near else ""
    return Fault(pointer_to(path, pointer), error["type"], f"it has a property that the schema does not know{so}.")
