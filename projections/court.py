"""What a court or a probation office may know: the record of courts, and what a live ROI names it for.

It supervises nobody in LEAD (T:467).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated

from domain.labels import Ceiling, Label, Reader, Viewer
from domain.violation import ViolationAlleged
from projections import public_record as public
from projections.ask import OwnAsk, own_asks
from projections.lens import History, Lens, Traced
from projections.partner import GrantedEntry, GrantedParticipant, granted
from projections.referrer import referred
from projections.rows import ALLOWED, Holding, OwnRow, Ref, Row, model

READER = Reader.COURT
_OWN = ALLOWED[Holding.OWN]


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


@model(READER, "own_violation", order=("alleged_at", "violation_id"), descending=True)
@dataclass(frozen=True, slots=True, kw_only=True)
class OwnViolation(OwnRow):
    """A violation that this office alleged."""

    alleged_at: Annotated[datetime, Label.CASE_DOCKET]
    violation_id: Ref
    participant_id: Ref
    report_number: Annotated[str | None, Label.CASE_DOCKET]
    docket: Annotated[str | None, Label.CASE_DOCKET]
    condition: Annotated[str | None, Label.CASE_DOCKET]
    violated_on: Annotated[date | None, Label.CASE_DOCKET]
    source: Annotated[str | None, Label.CASE_DOCKET]
    source_number: Annotated[str | None, Label.CASE_DOCKET]
    source_on: Annotated[date | None, Label.CASE_DOCKET]


def rows(history: History, ceiling: Ceiling, at: datetime, trace: list[Traced] | None = None) -> Iterator[Row]:
    """Yield every row that any such office has of one subject."""
    yield from public.public_record(
        history, READER, ceiling, at, trace, case=PublicCase, hearing=PublicHearing, warrant=PublicWarrant
    )
    yield from referred(history, READER, ceiling, at, trace)
    yield from granted(history, READER, Participant, Entry, ceiling, at, trace)
    yield from own_asks(history, READER, Ask, ceiling, at, trace)
    yield from _violations(history, ceiling, at, trace)


def _violations(
    history: History, ceiling: Ceiling, at: datetime, trace: list[Traced] | None = None
) -> Iterator[OwnViolation]:
    for alleged in history.of(ViolationAlleged):
        party, violation = alleged.event.party_id, alleged.event.matter_id
        if party is not None and violation is not None:
            lens = Lens(Viewer(READER, party), None, ceiling, at, trace)
            yield OwnViolation(
                subject_id=history.subject,
                party_id=party,
                alleged_at=alleged.event.occurred_at,
                violation_id=violation,
                participant_id=history.subject,
                report_number=lens.see(alleged, "report_number", _OWN),
                docket=lens.see(alleged, "docket", _OWN),
                condition=lens.see(alleged, "condition", _OWN),
                violated_on=lens.see(alleged, "violated_on", _OWN),
                source=lens.see(alleged, "source", _OWN),
                source_number=lens.see(alleged, "source_number", _OWN),
                source_on=lens.see(alleged, "source_on", _OWN),
            )
