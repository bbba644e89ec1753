"""What a court or a probation office may know: the record of courts, and what a live ROI names it for.

It supervises nobody in LEAD (T:467).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from domain.labels import Ceiling, Reader
from projections import public_record as public
from projections.ask import OwnAsk, own_asks
from projections.lens import History, Traced
from projections.partner import GrantedEntry, GrantedParticipant, granted
from projections.referrer import referred
from projections.rows import Row, model

READER = Reader.COURT


@model(READER, "public_case", order=("docket", "case_id"))
@dataclass(frozen=True, slots=True, kw_only=True)
class PublicCase(public.PublicCase):
    """A case on a court's docket."""


@model(READER, "public_hearing", order=("starts_at", "hearing_id"))
@dataclass(frozen=True, slots=True, kw_only=True)
class PublicHearing(public.PublicHearing):
    """A hearing on a court's docket."""


@model(READER, "public_warrant", order=("issued_on", "warrant_id"), descending=True)
@dataclass(frozen=True, slots=True, kw_only=True)
class PublicWarrant(public.PublicWarrant):
    """A warrant that a court issued."""


@model(READER, "granted_participant", order=("place", "subject_id"))
@dataclass(frozen=True, slots=True, kw_only=True)
class Participant(GrantedParticipant):
    """A participant whose ROI names this office."""


@model(READER, "granted_entry", order=("subject_id", "occurred_at", "entry_id"))
@dataclass(frozen=True, slots=True, kw_only=True)
class Entry(GrantedEntry):
    """What LEAD told this office."""


@model(READER, "own_ask", order=("asked_at", "ask_id"), descending=True)
@dataclass(frozen=True, slots=True, kw_only=True)
class Ask(OwnAsk):
    """What this party asked or told, as it sent it."""


def rows(history: History, ceiling: Ceiling, at: datetime, trace: list[Traced] | None = None) -> Iterator[Row]:
    """Yield every row that any such office has of one subject."""
    yield from public.public_record(
        history, READER, ceiling, at, trace, case=PublicCase, hearing=PublicHearing, warrant=PublicWarrant
    )
    yield from referred(history, READER, ceiling, at, trace)
    yield from granted(history, READER, Participant, Entry, ceiling, at, trace)
    yield from own_asks(history, READER, Ask, ceiling, at, trace)
