"""Administrative records of police stops and arrests: de-identified, for the baseline and the funnel (T:978, T:989).

Stream of a stop: named by its source's own number, so that loading it twice adds nothing. An arrest has one of its own.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, ClassVar
from uuid import UUID, uuid5

from domain.event import Event, ShortText
from domain.labels import Label

_STOPS = UUID("b9a3c0de-11f4-5c39-9d9e-3f1d5b7a2c60")


class StopRecorded(Event):
    """An officer stopped someone: unit, place, time, race as perceived by the officer, arrest or not.

    None where the source says that it does not know.
    """

    topic: ClassVar[str] = "stop.recorded"
    label: ClassVar[Label] = Label.STOP_RECORD
    requires: ClassVar[tuple[str, ...]] = ("party_id",)

    source: Annotated[ShortText, Label.STOP_RECORD]
    number: Annotated[ShortText, Label.STOP_RECORD]
    unit: Annotated[ShortText | None, Label.STOP_RECORD] = None
    precinct: Annotated[ShortText | None, Label.STOP_RECORD] = None
    sector: Annotated[ShortText | None, Label.STOP_RECORD] = None
    beat: Annotated[ShortText | None, Label.STOP_RECORD] = None
    call_type: Annotated[ShortText | None, Label.STOP_RECORD] = None
    race_as_perceived: Annotated[ShortText | None, Label.STOP_RECORD] = None
    arrested: Annotated[bool, Label.STOP_RECORD]
    frisked: Annotated[bool | None, Label.STOP_RECORD] = None


class NoOffer(StrEnum):
    """Why an arrest led to no diversion; `not stated` is an answer (T:491).

    Whoever is offered diversion may decline (T:1101): that is told like the others, and is no missed diversion.
    """

    DECLINED = "the person declined the offer"
    EXCLUDED = "an exclusion stood and was not overridden"
    OTHER_CHARGE = "another charge was not divertible"
    WARRANT = "a warrant required booking"
    COMPLAINANT = "a victim or complainant objected"
    NO_CAPACITY = "LEAD had no capacity"
    NO_HANDOFF = "no case manager could come in time"
    NOT_KNOWN = "the officer did not know that the charge is divertible"
    DISCRETION = "the officer's discretion"
    NOT_STATED = "not stated"


class ArrestRecorded(Event):
    """A department arrested someone and diverted nobody. Nothing names the person or the incident.

    `divertible`: whether this charge was, under the protocol that is named. `category`: on view, cited or taken (NIBRS
    element 43).
    """

    topic: ClassVar[str] = "arrest.recorded"
    label: ClassVar[Label] = Label.STOP_RECORD
    schema_version: ClassVar[int] = 2
    upcasts: ClassVar = {1: dict}  # severity and category came with it
    requires: ClassVar[tuple[str, ...]] = ("party_id",)

    code: Annotated[ShortText, Label.STOP_RECORD]
    divertible: Annotated[bool, Label.STOP_RECORD]
    reason: Annotated[NoOffer, Label.STOP_RECORD]
    precinct: Annotated[ShortText | None, Label.STOP_RECORD] = None
    unit: Annotated[ShortText | None, Label.STOP_RECORD] = None
    race_as_perceived: Annotated[ShortText | None, Label.STOP_RECORD] = None
    severity: Annotated[ShortText | None, Label.STOP_RECORD] = None
    category: Annotated[ShortText | None, Label.STOP_RECORD] = None
    protocol_version: Annotated[ShortText, Label.STOP_RECORD]


def stop_stream(source: str, number: str) -> UUID:
    """Return the stream of the stop that this source calls by this number."""
    return uuid5(_STOPS, f"{source}/{number}")
