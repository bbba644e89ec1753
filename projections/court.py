"""What a court or a probation office may know: what a live ROI names it for. It supervises nobody in LEAD (T:467)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from domain.labels import Ceiling, Reader
from projections.lens import History, Traced
from projections.partner import GrantedEntry, GrantedParticipant, granted
from projections.rows import Row, model

READER = Reader.COURT


@model(READER, "granted_participant", order=("place", "subject_id"))
@dataclass(frozen=True, slots=True, kw_only=True)
class Participant(GrantedParticipant):
    """A participant whose ROI names this office."""


@model(READER, "granted_entry", order=("subject_id", "occurred_at", "entry_id"))
@dataclass(frozen=True, slots=True, kw_only=True)
class Entry(GrantedEntry):
    """What LEAD told this office."""


def rows(history: History, ceiling: Ceiling, at: datetime, trace: list[Traced] | None = None) -> Iterator[Row]:
    """Yield every row that any such office has of one subject."""
    yield from granted(history, READER, Participant, Entry, ceiling, at, trace)
