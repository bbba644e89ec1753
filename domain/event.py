"""The immutable event: labelled fields, clear coordinates, and the envelope in which it is recorded."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import cache, cached_property
from typing import Annotated, Any, ClassVar, Generic, TypeVar
from uuid import UUID, uuid5

from pydantic import AwareDatetime, BaseModel, ConfigDict, StringConstraints

from domain.labels import TABLE, Fact, Label, Seal

COORDINATES = ("participant_id", "matter_id", "party_id", "staff_id", "expires_at")

NO_NUL = r"^[^\x00]*$"  # PostgreSQL keeps no text with it
ShortText = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200, pattern=NO_NUL)]
LongText = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=10_000, pattern=NO_NUL)]


class UnlabelledField(TypeError):
    """An event class defines a field without a label, or a sealed field without the key it is sealed under."""


class PartyIs(StrEnum):
    """What the party that an event names is to it."""

    CONTRIBUTOR = "contributor"
    ADDRESSEE = "addressee"
    NOTIFIED = "notified"


class Value(BaseModel):
    """A part of an event: frozen, closed."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class PersonName(Value):
    """A legal name (NIEM nc:PersonGivenName, nc:PersonSurName)."""

    given: ShortText
    surname: ShortText

    def __str__(self) -> str:
        return f"{self.given} {self.surname}"


class Event(BaseModel):
    """One fact that happened; never changed, never deleted.

    Coordinates are clear: whom it is about (`participant_id`), which court case or charge (`matter_id`), which party
    or member of staff, and when an authority it gives ends (`expires_at`). They address, seal and drive the gate, and
    leave the log only as ids of the reader's own. Every other field is annotated with its `Label`, as in
    `note: Annotated[str, Label.CONTACT_NOTE]`; `label` is what the event tells by having happened at `occurred_at`.

    A changed class raises its `schema_version`, and `upcasts[n]` turns the fields of version n, as JSON, into those of
    n + 1. A field whose key was destroyed is absent there, so that an upcast takes it with `pop(name, None)`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    topic: ClassVar[str]
    label: ClassVar[Label]
    schema_version: ClassVar[int] = 1
    upcasts: ClassVar[Mapping[int, Callable[[dict[str, Any]], dict[str, Any]]]] = {}
    party_is: ClassVar[PartyIs] = PartyIs.CONTRIBUTOR
    requires: ClassVar[tuple[str, ...]] = ()
    withdraws: ClassVar[bool] = False
    """Whether it takes back all that is recorded of its matter, so that nobody reads any of it."""
    names: ClassVar[str | None] = None
    """Which field names the person whom an agency's record is of (`domain.identity.RecordSubject`)."""

    participant_id: UUID | None = None
    matter_id: UUID | None = None
    party_id: UUID | None = None
    staff_id: UUID | None = None
    expires_at: AwareDatetime | None = None
    occurred_at: AwareDatetime

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        """Check the labels of a new event class and enter it under its topic."""
        super().__pydantic_init_subclass__(**kwargs)
        if "topic" not in cls.__dict__:
            return
        for name, label in labels_of(cls).items():
            seal = TABLE[label].seal
            if seal is Seal.PARTICIPANT and "participant_id" not in cls.requires:
                raise UnlabelledField(f"{cls.topic}.{name} is sealed by {label}: the event must require participant_id")
            if seal is Seal.MATTER and "matter_id" not in cls.requires:
                raise UnlabelledField(f"{cls.topic}.{name} is sealed by {label}: the event must require matter_id")
        if TOPICS.setdefault(cls.topic, cls) is not cls:
            raise UnlabelledField(f"two events have the topic {cls.topic}")

    def model_post_init(self, _context: Any, /) -> None:
        """Refuse an event without the coordinates that its class requires."""
        missing = [name for name in self.requires if getattr(self, name) is None]
        if missing:
            raise ValueError(f"{self.topic} requires {', '.join(missing)}")

    def jurisdiction(self) -> UUID | None:
        """Return the prosecutor's office to which the event's matter belongs, if it has one."""
        return None

    def is_public(self) -> bool:
        """Return whether this is public record: a court's own feed told it."""
        return False

    def item(self) -> UUID | None:
        """Return the item consent under which alone this event may be shown, if it was signed for as one item."""
        return None

    def subject_labels(self, field: str) -> frozenset[Label]:
        """Return the labels that govern a field: its own, or its subject's where the table says so."""
        return _alone(labels_of(type(self))[field])

    def fact(self, field: str) -> Fact:
        """Return what `decide` needs to know of one field."""
        own, labels = labels_of(type(self))[field], self.subject_labels(field)
        party, contributes = self.party_id, self.party_is is PartyIs.CONTRIBUTOR
        return Fact(  # by position, because a view asks for millions
            labels,
            self.participant_id,
            self.occurred_at,
            None if own in labels else own,
            party if contributes else None,
            None if contributes else party,
            self.party_is is PartyIs.NOTIFIED,
            self.is_public(),
            self.jurisdiction(),
            self.item(),
        )


TOPICS: dict[str, type[Event]] = {}


@cache
def _alone(label: Label) -> frozenset[Label]:
    return frozenset({label})


@cache
def labels_of(cls: type[Event]) -> dict[str, Label]:
    """Return the label of every field but the coordinates; raise `UnlabelledField` for one without."""
    found: dict[str, Label] = {}
    for name, field in cls.model_fields.items():
        if name in COORDINATES:
            continue
        labels = [cls.label] if name == "occurred_at" else [m for m in field.metadata if isinstance(m, Label)]
        if len(labels) != 1:
            raise UnlabelledField(f"{cls.topic}.{name} must name one label, as in Annotated[str, Label.CONTACT_NOTE]")
        found[name] = labels[0]
    return found


@cache
def sealed_fields(cls: type[Event], seal: Seal) -> tuple[str, ...]:
    """Return the fields of an event class that this kind of key seals."""
    return tuple(name for name, label in labels_of(cls).items() if TABLE[label].seal is seal)


class Envelope(Value):
    """Who recorded an event, in which role and for which agency, and within which chain of acts and trace.

    `protocol` is the version in force when it was decided: None before one was adopted, and for a file that was loaded.
    An event whose numbers are another version's names that one itself.
    """

    actor: UUID | None
    role: str
    agency: UUID
    correlation_id: UUID
    causation_id: UUID | None = None
    traceparent: str | None = None
    protocol: str | None = None


E_co = TypeVar("E_co", bound=Event, covariant=True)


@dataclass(frozen=True)
class Recorded(Generic[E_co]):
    """An event as it stands in the log. `erased` names the fields whose key has been destroyed."""

    position: int
    recorded_at: datetime
    stream: UUID
    version: int
    envelope: Envelope
    event: E_co
    erased: frozenset[str] = frozenset()

    @cached_property
    def id(self) -> UUID:
        """The event's own id, from its place in its stream."""
        return uuid5(self.stream, str(self.version))
