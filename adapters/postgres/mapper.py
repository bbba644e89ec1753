"""Events to bytes and back. What is written here is read for ever: the form of these bytes never changes, it gets a
successor.

The state of an event is one line of canonical JSON (UTF-8, keys and sets sorted, times in UTC):

    {"box":  {"S": {"c": ciphertext, "k": key id, "n": nonce}, "M": ...},   what each key seals
     "data": {...},                       the coordinates, and the fields whose label is clear
     "env":  {...},                       the envelope
     "f":    1,                           the form described here
     "id":   [stream, version, topic],
     "v":    1}                           the event's schema version

A box is AES-256-GCM. Its associated data are all the rest of the state, the letter of the box and its key's id; so it
opens only in its own place, among its own clear fields. The coordinates are columns too, and must agree with `data`.
"""

from __future__ import annotations

import os
from base64 import b64encode
from binascii import a2b_base64
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cache
from typing import Annotated, Any, Final, NamedTuple
from uuid import UUID

import orjson
from eventsourcing.persistence import JSONTranscoder, Mapper, StoredEvent
from pydantic import TypeAdapter

import domain.arrest
import domain.ask
import domain.charge_table
import domain.concern
import domain.contact
import domain.custody
import domain.deadline
import domain.disclosure
import domain.finding
import domain.fund
import domain.hearing
import domain.identity
import domain.legal_case
import domain.participant
import domain.plan
import domain.protocol
import domain.referral
import domain.registry
import domain.retention
import domain.roi
import domain.roster
import domain.share
import domain.stop_record
import domain.suspension
import domain.warrant  # noqa: F401  # all of them: an event is known by its topic once its module is imported
from adapters.postgres.keyring import NONCE_BYTES, DataKey, Keyring
from domain.event import COORDINATES, TOPICS, Envelope, Event, Recorded, sealed_fields
from domain.labels import Seal

_FORM: Final = 1
_PAD: Final = 64  # bytes: else a box tells how long the note in it is
_SUBJECT: Final = {Seal.PARTICIPANT: "participant_id", Seal.MATTER: "matter_id"}
_OF_PARTICIPANT: Final = Seal.PARTICIPANT.value
_BOX, _DATA, _VERSION = b'{"box":', b',"data":', b',"v":'
_NOTHING: Final = frozenset[str]()


class LogCorrupt(Exception):
    """What is stored is not what was recorded there. Names the place, and nothing of what it holds."""

    def __init__(self, stream: UUID, version: int) -> None:
        super().__init__(f"version {version} of stream {stream} is not readable as it was recorded: verify the log")
        self.stream = stream
        self.version = version


@dataclass(frozen=True, slots=True)
class Pending:
    """An event about to be recorded, in its place."""

    stream: UUID
    version: int
    event: Event
    envelope: Envelope

    @property
    def originator_id(self) -> UUID:
        """The stream, as the library calls it."""
        return self.stream

    @property
    def originator_version(self) -> int:
        """The version, as the library calls it."""
        return self.version


@dataclass(frozen=True, kw_only=True)
class LogStoredEvent(StoredEvent):
    """A stored event with its coordinates as columns, and the ids of the keys that seal it."""

    participant_id: UUID | None = None
    matter_id: UUID | None = None
    party_id: UUID | None = None
    staff_id: UUID | None = None
    expires_at: datetime | None = None
    sealed_under: tuple[UUID, ...] = ()


class StoredRow(NamedTuple):
    """A row of the log, in the order of `COLUMNS`. A tuple, because a rebuild makes millions."""

    originator_id: UUID
    originator_version: int
    topic: str
    state: bytes
    notification_id: int
    recorded_at: datetime
    participant_id: UUID | None
    matter_id: UUID | None
    party_id: UUID | None
    staff_id: UUID | None
    expires_at: datetime | None


COLUMNS: Final = ", ".join(StoredRow._fields)


class SealingMapper(Mapper[UUID]):
    """Maps a `Pending` to a `LogStoredEvent`, and rows of the log to `Recorded` events."""

    def __init__(self, keys: Keyring) -> None:
        super().__init__(JSONTranscoder())  # the library wants one; the form of the state is our own
        self._keys = keys

    def to_stored_event(self, domain_event: Pending) -> LogStoredEvent:  # type: ignore[override]  # of ours alone
        """Seal an event by its labels. Raises `KeyDestroyed`."""
        event, cls = domain_event.event, type(domain_event.event)
        fields = event.model_dump()
        coordinates = {name: fields.pop(name) for name in COORDINATES}
        sealed = {seal: {name: fields.pop(name) for name in sealed_fields(cls, seal)} for seal in _SUBJECT}
        state: dict[str, Any] = {
            "f": _FORM,
            "v": cls.schema_version,
            "id": [domain_event.stream, domain_event.version, cls.topic],
            "env": domain_event.envelope.model_dump(),
            "data": {name: value for name, value in coordinates.items() if value is not None} | fields,
        }
        clear, boxes = _canonical(state), dict[str, dict[str, Any]]()
        under: list[UUID] = []
        for seal, values in sealed.items():
            if values:
                key = self._keys.for_sealing(coordinates[_SUBJECT[seal]])
                boxes[seal.value] = _seal(values, clear, seal.value, key)
                under.append(key.key_id)
        return LogStoredEvent(
            originator_id=domain_event.stream,
            originator_version=domain_event.version,
            topic=cls.topic,
            state=_BOX + _canonical(boxes) + b"," + clear[1:] if boxes else clear,
            sealed_under=tuple(under),
            **coordinates,
        )

    def to_domain_event(self, stored_event: StoredRow) -> Recorded[Event]:  # type: ignore[override]  # as above
        """Open one row. Raises `LogCorrupt` or `WrongSiteKey`."""
        return self.to_recorded([stored_event])[0]

    def to_recorded(self, rows: Iterable[StoredRow]) -> list[Recorded[Event]]:
        """Open rows, fetching all their keys by one query. Raises `LogCorrupt` or `WrongSiteKey`."""
        rows = list(rows)
        subjects = {row.participant_id for row in rows} | {row.matter_id for row in rows}
        keys = self._keys.for_opening(subject for subject in subjects if subject is not None)
        return [_recorded(row, keys) for row in rows]


def _recorded(row: StoredRow, keys: Mapping[UUID, DataKey | None]) -> Recorded[Event]:
    try:
        return _open(row, keys)
    except Exception:  # noqa: BLE001  # whichever it is, its message may quote the event
        unreadable = LogCorrupt(row.originator_id, row.originator_version)
    raise unreadable  # out here, so that it does not carry the other along as its context


def _open(row: StoredRow, keys: Mapping[UUID, DataKey | None]) -> Recorded[Event]:
    cls, (boxes, clear) = TOPICS[row.topic], _parts(row.state)
    state = orjson.loads(clear)
    values, version = state["data"], state["v"]
    _require(state["f"] == _FORM)
    _require(state["id"] == [str(row.originator_id), row.originator_version, row.topic])
    _require(version < cls.schema_version or (version == cls.schema_version and boxes.keys() == _boxes(cls)))
    is_whole = True
    for letter, box in boxes.items():
        subject = row.participant_id if letter == _OF_PARTICIPANT else row.matter_id
        key = keys[subject]  # type: ignore[index]  # None has no key: not readable
        if key is None:
            is_whole = False
        else:
            values |= _unseal(box, clear, letter, key)
    for older in range(version, cls.schema_version):
        values = cls.upcasts[older](values)
    event, erased = (cls.model_validate(values), _NOTHING) if is_whole else _remains(cls, values, row)
    _require(
        (event.participant_id, event.matter_id, event.party_id, event.staff_id, event.expires_at)
        == (row.participant_id, row.matter_id, row.party_id, row.staff_id, row.expires_at)
    )
    return Recorded(
        position=row.notification_id,
        recorded_at=row.recorded_at,
        stream=row.originator_id,
        version=row.originator_version,
        envelope=Envelope.model_validate(state["env"]),
        event=event,
        erased=erased,
    )


def _remains(cls: type[Event], values: dict[str, Any], row: StoredRow) -> tuple[Event, frozenset[str]]:
    """Return what is left of an event one of whose keys is gone: those fields None, its time that of recording."""
    erased = frozenset(name for seal in _SUBJECT for name in sealed_fields(cls, seal) if name not in values)
    left = {name: _field(cls, name).validate_python(value) for name, value in values.items()}
    gone: dict[str, Any] = dict.fromkeys(erased)
    if "occurred_at" in erased:
        gone["occurred_at"] = row.recorded_at
    return cls.model_construct(**gone, **left), erased


def _seal(values: Mapping[str, Any], clear: bytes, letter: str, key: DataKey) -> dict[str, Any]:
    plain = _canonical(values)
    plain += b" " * (-len(plain) % _PAD)
    nonce = os.urandom(NONCE_BYTES)
    box = key.cipher.encrypt(nonce, plain, _bound(clear, letter, str(key.key_id)))
    return {"k": key.key_id, "n": b64encode(nonce).decode(), "c": b64encode(box).decode()}


def _parts(state: bytes) -> tuple[dict[str, dict[str, str]], bytes]:
    """Return the boxes of a state and all the rest of it, as it stands: in canonical JSON the boxes come first."""
    if not state.startswith(_BOX):
        return {}, state
    boxes, _, rest = state.removeprefix(_BOX).partition(_DATA)
    return orjson.loads(boxes), b"{" + _DATA[1:] + rest


def _unseal(box: Mapping[str, str], clear: bytes, letter: str, key: DataKey) -> dict[str, Any]:
    _require(box["k"] == str(key.key_id))
    bound = _bound(clear, letter, box["k"])
    values: dict[str, Any] = orjson.loads(key.cipher.decrypt(a2b_base64(box["n"]), a2b_base64(box["c"]), bound))
    return values


def _bound(clear: bytes, letter: str, key_id: str) -> bytes:
    """Return what a box is bound to: the rest of the state, with the letter and the key's id where they sort."""
    before, last, version = clear.rpartition(_VERSION)
    return b'{"box":"%b",%b,"k":"%b"%b%b' % (letter.encode(), before[1:], key_id.encode(), last, version)


def _canonical(value: Any) -> bytes:
    return orjson.dumps(value, default=_plain, option=orjson.OPT_SORT_KEYS | orjson.OPT_PASSTHROUGH_DATETIME)


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, frozenset | set):
        return sorted(value)
    raise TypeError(f"no event may hold a {type(value).__name__}")


def _require(holds: bool) -> None:
    if not holds:
        raise ValueError


@cache
def _boxes(cls: type[Event]) -> frozenset[str]:
    return frozenset(seal.value for seal in _SUBJECT if sealed_fields(cls, seal))


@cache
def _field(cls: type[Event], name: str) -> TypeAdapter[Any]:
    field = cls.model_fields[name]
    return TypeAdapter(Annotated[field.annotation, field, *field.metadata])  # type: ignore[arg-type]  # a type at run time
