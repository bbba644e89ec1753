"""What police and jails report of an arrest and of custody by stream, of someone whom LEAD knows, or may know.

Stream: the arrest, or the booking, which is a matter of its own. Nothing here names a participant: whose record it is,
a link says (`domain.identity`), and can take back. Of everyone else nothing is kept but that somebody was arrested.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import lru_cache
from typing import Annotated, Any, ClassVar
from uuid import UUID, uuid5

from pydantic import AwareDatetime

from domain.event import Event, Recorded, ShortText
from domain.identity import Described, Number, RecordSubject
from domain.labels import Label
from domain.legal_case import Source
from domain.referral import Charge

_ARRESTS = UUID("3b0f0e52-2a3a-5b0d-8d3e-6f7f1b0c9a44")
_FACTS = UUID("c1a0a8de-9e0b-5d6f-a1f4-2b9b7f7f5d10")


def _with_a_name(stored: dict[str, Any]) -> dict[str, Any]:
    """Up to version 1 given name and surname stood among a person's other fields."""
    person = stored.get("person")
    if person is None:  # its key is destroyed
        return stored
    name = {part: person[part] for part in ("given", "surname")}
    return stored | {"person": {field: said for field, said in person.items() if field not in name} | {"name": name}}


class ArrestReported(Event):
    """A department reported an arrest, or how it stands now. `number`: the arrest transaction number (NIBRS 41).

    `told_at`: when the department wrote it; what it wrote later holds, in whichever order it came.
    """

    topic: ClassVar[str] = "arrest.reported"
    label: ClassVar[Label] = Label.CUSTODY
    schema_version: ClassVar[int] = 2
    upcasts: ClassVar = {1: _with_a_name}
    requires: ClassVar[tuple[str, ...]] = ("party_id", "matter_id")
    names: ClassVar[str] = "person"

    number: Annotated[ShortText, Label.CUSTODY]
    told_at: Annotated[AwareDatetime, Label.CUSTODY]
    incident_number: Annotated[ShortText | None, Label.CUSTODY] = None
    person: Annotated[RecordSubject, Label.CUSTODY]
    charges: Annotated[tuple[Charge, ...], Label.CUSTODY]
    precinct: Annotated[ShortText | None, Label.CUSTODY] = None
    unit: Annotated[ShortText | None, Label.CUSTODY] = None


class BookingReported(Event):
    """A jail reported a booking. `source`: what it rests on, by its own number and day.

    `cites_share`: that source cites what the jail knows only from LEAD.
    """

    topic: ClassVar[str] = "booking.reported"
    label: ClassVar[Label] = Label.CUSTODY
    schema_version: ClassVar[int] = 2
    upcasts: ClassVar = {1: _with_a_name}
    requires: ClassVar[tuple[str, ...]] = ("party_id", "matter_id")
    names: ClassVar[str] = "person"

    number: Annotated[ShortText, Label.CUSTODY]
    told_at: Annotated[AwareDatetime, Label.CUSTODY]
    person: Annotated[RecordSubject, Label.CUSTODY]
    facility: Annotated[ShortText, Label.CUSTODY]
    arrest_number: Annotated[ShortText | None, Label.CUSTODY] = None
    source: Annotated[Source | None, Label.CUSTODY] = None
    source_number: Annotated[ShortText | None, Label.CUSTODY] = None
    source_on: Annotated[date | None, Label.CUSTODY] = None
    cites_share: Annotated[bool, Label.CUSTODY] = False
    incident_number: Annotated[ShortText | None, Label.CUSTODY] = None


class ReleaseReported(Event):
    """A jail reported a release."""

    topic: ClassVar[str] = "release.reported"
    label: ClassVar[Label] = Label.CUSTODY
    requires: ClassVar[tuple[str, ...]] = ("party_id", "matter_id")

    released_at: Annotated[AwareDatetime, Label.CUSTODY]


class ReportRetracted(Event):
    """An agency entered an arrest or a booking in error: it is as if it had never been sent."""

    topic: ClassVar[str] = "report.retracted"
    withdraws: ClassVar[bool] = True
    label: ClassVar[Label] = Label.CUSTODY
    requires: ClassVar[tuple[str, ...]] = ("party_id", "matter_id")


Reported = ArrestReported | BookingReported


@dataclass(frozen=True, slots=True)
class Report:
    """An arrest or a booking as it stands."""

    id: UUID
    version: int
    event: Reported
    released_at: datetime | None = None
    retracted: bool = False

    @property
    def described(self) -> Described:
        """Who it is of, as its agency has it."""
        event = self.event
        number = event.incident_number
        incident = () if number is None or event.party_id is None else (incident_of(event.party_id, number),)
        return event.person.described(event.party_id or self.id, *incident)


def report(history: Iterable[Recorded[Event]]) -> Report | None:
    """Fold an arrest's or a booking's stream; None for an empty one, or one whose matter was forgotten."""
    state: Report | None = None
    for recorded in history:
        event = recorded.event
        if isinstance(event, Reported) and not recorded.erased:
            state = Report(recorded.stream, recorded.version, event, state.released_at if state else None)
        elif state is not None and isinstance(event, ReleaseReported):
            state = replace(state, released_at=event.released_at)
        elif state is not None and isinstance(event, ReportRetracted):
            state = replace(state, retracted=True)
        if state is not None:
            state = replace(state, version=recorded.version)
    return state


def incident_of(party: UUID, number: str) -> Number:
    """Return a department's incident number, which is no other department's."""
    return Number(f"incident {party}", number)


@lru_cache(4096)  # each of a batch is asked for several times
def arrest_id(number: str) -> UUID:
    """Return the arrest of this transaction number: it is the state's, whichever system tells of it."""
    return uuid5(_ARRESTS, f"arrest {number}")


def booking_id(party: UUID, number: str) -> UUID:
    """Return the booking that a jail calls by this number."""
    return uuid5(_ARRESTS, f"booking {party} {number}")


@lru_cache(4096)  # each of a batch is asked for several times
def fact_id(arrest: UUID) -> UUID:
    """Return the stream of what is kept of an arrest, whoever it was of, without a name."""
    return uuid5(_FACTS, str(arrest))
