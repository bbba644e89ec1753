"""What the project manager reads to run the site: for now the baseline of stops and arrests (T:989)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated
from uuid import UUID

from domain.labels import Ceiling, Label, Reader, Viewer
from domain.stop_record import StopRecorded
from projections.lens import History, Lens, Traced
from projections.queue import queue
from projections.rows import ALLOWED, Holding, RoleRow, Row, model

READER = Reader.PROGRAM
UNKNOWN = "unknown"
_ROLE = ALLOWED[Holding.ROLE]
_NOBODY = UUID(int=0)


@model(READER, "stop", order=("subject_id",))
@dataclass(frozen=True, slots=True, kw_only=True)
class Stop(RoleRow):
    """One stop of an administrative record, de-identified."""

    stopped_at: Annotated[datetime, Label.STOP_RECORD]
    precinct: Annotated[str, Label.STOP_RECORD]
    race_as_perceived: Annotated[str, Label.STOP_RECORD]
    arrested: Annotated[bool, Label.STOP_RECORD]


def rows(history: History, ceiling: Ceiling, at: datetime, trace: list[Traced] | None = None) -> Iterator[Row]:
    """Yield the stop that this history is about, if it is one, and the referrals of a person."""
    yield from queue(history, READER, ceiling, at, trace)
    lens = Lens(Viewer(READER, _NOBODY), None, ceiling, at, trace)
    for recorded in history.of(StopRecorded):
        yield Stop(
            subject_id=history.subject,
            as_of=history.position,
            stopped_at=recorded.event.occurred_at,
            precinct=lens.see(recorded, "precinct", _ROLE) or UNKNOWN,
            race_as_perceived=lens.see(recorded, "race_as_perceived", _ROLE) or UNKNOWN,
            arrested=bool(lens.see(recorded, "arrested", _ROLE)),
        )
