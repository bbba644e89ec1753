"""What any other party that an ROI names may know (a housing provider, a clinic, a business, an official; T:411)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from domain.labels import Ceiling, Label, Reader
from projections.lens import History, Traced
from projections.partner import GrantedEntry, GrantedParticipant, granted
from projections.rows import Row, model

READER = Reader.RECIPIENT


@model(READER, "granted_participant", order=("place", "subject_id"))
@dataclass(frozen=True, slots=True, kw_only=True)
class Participant(GrantedParticipant):
    """A participant whose ROI names this party."""

    phone: Annotated[str | None, Label.CONTACT_PHONE]


@model(READER, "granted_entry", order=("subject_id", "occurred_at", "entry_id"))
@dataclass(frozen=True, slots=True, kw_only=True)
class Entry(GrantedEntry):
    """What LEAD told this party."""


def rows(history: History, ceiling: Ceiling, at: datetime, trace: list[Traced] | None = None) -> Iterator[Row]:
    """Yield every row that any such party has of one subject."""
    yield from granted(history, READER, Participant, Entry, ceiling, at, trace)
