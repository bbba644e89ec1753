"""Events of any topic, built from their own schema; and the mapper without a database, for tests of its bytes."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta, timezone
from enum import Enum
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints
from uuid import UUID, uuid4

from annotated_types import Ge, Gt, Le
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import strategies as st
from pydantic import AwareDatetime, BaseModel, StringConstraints
from pydantic.fields import FieldInfo

from adapters.postgres.keyring import DataKey, KeyDestroyed, Keyring
from adapters.postgres.mapper import COLUMNS, LogStoredEvent, Pending, SealingMapper, StoredRow
from domain.event import NO_NUL, Envelope, Event
from domain.protocol import Protocol

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
ENVELOPE = Envelope(
    actor=uuid4(), role="case_manager", agency=uuid4(), correlation_id=uuid4(), traceparent="00-ab-cd-01"
)
_ZONES = st.sampled_from([UTC, timezone(timedelta(hours=-8)), timezone(timedelta(hours=5, minutes=45))])
_TIMES = st.datetimes(datetime(1950, 1, 1), datetime(2150, 1, 1), timezones=_ZONES)  # noqa: DTZ001  # it adds them


class KeysInHand(Keyring):
    """Keys that lie in a dictionary instead of the database; None for a destroyed one."""

    def __init__(self, keys: dict[UUID, DataKey | None] | None = None) -> None:
        self.keys = keys or {}

    def for_sealing(self, subject: UUID) -> DataKey:
        key = self.keys.setdefault(subject, DataKey(uuid4(), AESGCM(AESGCM.generate_key(256))))
        if key is None:
            raise KeyDestroyed
        return key

    def for_opening(self, subjects: Iterable[UUID]) -> dict[UUID, DataKey | None]:
        return {subject: self.keys[subject] for subject in subjects if subject in self.keys}


def pending(event: Event, version: int = 1, envelope: Envelope = ENVELOPE) -> Pending:
    return Pending(uuid4(), version, event, envelope)


def row_of(stored: LogStoredEvent, **changed: Any) -> StoredRow:
    """The row that the log makes of a stored event."""
    values: dict[str, Any] = {name: getattr(stored, name, None) for name in COLUMNS.split(", ")}
    if stored.expires_at is not None:
        values["expires_at"] = stored.expires_at.astimezone(UTC)
    return StoredRow(**(values | {"notification_id": 7, "recorded_at": NOON} | changed))


def sealed(event: Event, envelope: Envelope = ENVELOPE) -> tuple[SealingMapper, KeysInHand, StoredRow]:
    keys = KeysInHand()
    mapper = SealingMapper(keys)
    return mapper, keys, row_of(mapper.to_stored_event(pending(event, envelope=envelope)))


def events(cls: type[Event], *, full: bool = False) -> st.SearchStrategy[Any]:
    """Events of one class; with `full`, nothing optional is left out, and the text is fit to read."""
    return _model(cls, full)


def envelopes() -> st.SearchStrategy[Envelope]:
    return _model(Envelope, full=False)


def _model(cls: type[BaseModel], full: bool) -> st.SearchStrategy[Any]:
    hints = get_type_hints(cls, include_extras=True)
    fields = {name: _value(hints[name], full) for name in cls.model_fields}
    for name in getattr(cls, "requires", ()):
        fields[name] = _value(UUID if name.endswith("_id") else AwareDatetime, full)
    if cls is Protocol:
        fields["zone"] = st.sampled_from(["America/Los_Angeles", "UTC"])
    return st.builds(cls, **fields)


def _value(hint: Any, full: bool) -> st.SearchStrategy[Any]:
    marks: list[Any] = []
    while get_origin(hint) is Annotated:
        marks += hint.__metadata__
        hint = hint.__origin__
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        kinds = [kind for kind in arguments if kind is not type(None)]
        inner = st.one_of([_value(Annotated[kind, *marks] if marks else kind, full) for kind in kinds])
        return inner if full or len(kinds) == len(arguments) else st.none() | inner
    if origin is tuple:
        return st.lists(_value(arguments[0], full), min_size=full, max_size=3).map(tuple)
    if origin is frozenset:
        return st.frozensets(_value(arguments[0], full), min_size=full, max_size=4)
    if hint is str:
        return _text(marks, full)
    if hint in (int, float):
        return _number(hint, marks)
    if hint is UUID:
        return st.builds(uuid4) if full else st.uuids()
    if hint in (datetime, AwareDatetime):
        return st.just(NOON.replace(microsecond=123456)) if full else _TIMES
    if issubclass(hint, Enum):
        return st.sampled_from(hint)
    if issubclass(hint, BaseModel):
        return _model(hint, full)
    return {bool: st.booleans(), date: st.dates()}[hint]


def _number(hint: Any, marks: list[Any]) -> st.SearchStrategy[Any]:
    bounds: list[Any] = [m for mark in marks if isinstance(mark, FieldInfo) for m in mark.metadata]
    step = 1 if hint is int else 0.01
    least: list[Any] = [mark.gt + step for mark in bounds if isinstance(mark, Gt)]  # type: ignore[operator]
    least += [mark.ge for mark in bounds if isinstance(mark, Ge)]
    most: list[Any] = [mark.le for mark in bounds if isinstance(mark, Le)]
    numbers: Any = st.integers if hint is int else st.floats
    return numbers(least[0] if least else hint(-(2**31)), most[0] if most else hint(2**31))  # type: ignore[no-any-return]


def _text(marks: list[Any], full: bool) -> st.SearchStrategy[str]:
    limits = next((m for m in marks if isinstance(m, StringConstraints)), StringConstraints())
    if limits.pattern not in (None, NO_NUL):
        return st.from_regex(str(limits.pattern), fullmatch=True)
    if full:
        return st.just("Zoë said: “I'll be there.”")
    least, most = limits.min_length or 0, min(limits.max_length or 300, 300)
    return st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=least, max_size=most).filter(
        lambda text: len(text.strip()) >= least
    )
