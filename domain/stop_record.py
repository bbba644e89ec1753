"""Administrative records of police stops: de-identified, for the baseline and the funnel (T:978, T:989).

Stream: the stop, named by its source's own number, so that loading it twice adds nothing.
"""

from __future__ import annotations

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


def stop_stream(source: str, number: str) -> UUID:
    """Return the stream of the stop that this source calls by this number."""
    return uuid5(_STOPS, f"{source}/{number}")
