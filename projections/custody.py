"""Bookings, as the department that reported them sees them: its own, whatever is signed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated

from domain.custody import PersonBooked
from domain.labels import Ceiling, Label, Reader, Viewer
from projections.lens import History, Lens, Traced
from projections.rows import ALLOWED, Holding, OwnRow, Ref, Row, model

_OWN = ALLOWED[Holding.OWN]


@model(Reader.POLICE, "own_booking", order=("booked_at", "booking_id"), descending=True)
@dataclass(frozen=True, slots=True, kw_only=True)
class OwnBooking(OwnRow):
    """A booking that this department reported."""

    booked_at: Annotated[datetime, Label.CUSTODY]
    booking_id: Ref
    participant_id: Ref
    booking_number: Annotated[str | None, Label.IDENTITY_EXTERNAL]
    facility: Annotated[str | None, Label.CUSTODY]
    source: Annotated[str | None, Label.CUSTODY]
    source_number: Annotated[str | None, Label.CUSTODY]
    source_on: Annotated[date | None, Label.CUSTODY]


def police_rows(history: History, ceiling: Ceiling, at: datetime, trace: list[Traced] | None = None) -> Iterator[Row]:
    """Yield the bookings of one participant, each its department's."""
    for booked in history.of(PersonBooked):
        party, booking = booked.event.party_id, booked.event.matter_id
        if party is not None and booking is not None:
            lens = Lens(Viewer(Reader.POLICE, party), None, ceiling, at, trace)
            yield OwnBooking(
                subject_id=history.subject,
                party_id=party,
                booked_at=booked.event.occurred_at,
                booking_id=booking,
                participant_id=history.subject,
                booking_number=lens.see(booked, "booking_number", _OWN),
                facility=lens.see(booked, "facility", _OWN),
                source=lens.see(booked, "source", _OWN),
                source_number=lens.see(booked, "source_number", _OWN),
                source_on=lens.see(booked, "source_on", _OWN),
            )
