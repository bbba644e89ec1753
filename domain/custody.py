"""Custody: a booking, as the police or the jail report it. Stream: the booking, which is a matter of its own."""

from __future__ import annotations

from datetime import date
from typing import Annotated, ClassVar
from uuid import UUID, uuid5

from domain.event import Event, ShortText
from domain.labels import Label
from domain.legal_case import Source


class PersonBooked(Event):
    """Someone was booked into a jail. `source`: what it rests on, by its own number and day.

    `cites_share`: that source cites what the department knows only from LEAD.
    """

    topic: ClassVar[str] = "custody.booked"
    label: ClassVar[Label] = Label.CUSTODY
    requires: ClassVar[tuple[str, ...]] = ("participant_id", "party_id", "matter_id")

    booking_number: Annotated[ShortText, Label.IDENTITY_EXTERNAL]
    facility: Annotated[ShortText, Label.CUSTODY]
    source: Annotated[Source, Label.CUSTODY]
    source_number: Annotated[ShortText | None, Label.CUSTODY] = None
    source_on: Annotated[date | None, Label.CUSTODY] = None
    cites_share: Annotated[bool, Label.CUSTODY] = False


def booking_id(party: UUID, number: str) -> UUID:
    """Return the booking that a party calls by this number."""
    return uuid5(party, f"booking {number}")
