"""Alleged violations of what a court ordered, as the probation office reports them. Stream: the allegation, a matter.

LEAD reports no one's compliance (T:1145). What an office alleges rests on sources of its own, and is looked at like any
other adverse action (T:1137).
"""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from typing import Annotated, ClassVar
from uuid import UUID, uuid5

from domain.event import Event, ShortText
from domain.labels import Label
from domain.legal_case import ELSEWHERE, Source


class Condition(StrEnum):
    """Which condition is said to be violated. Closed: what is said of it stays in the office's own file."""

    REPORTING = "reporting"
    NEW_OFFENCE = "no new offence"
    NO_CONTACT = "no contact"
    RESIDENCE = "residence or travel"
    PROGRAMME = "attending a programme"
    OTHER = "other"


class ViolationAlleged(Event):
    """A probation office alleged a violation. `source`: what it rests on, by its own number and day.

    `cites_share`: that source cites what the office knows only from LEAD.
    """

    topic: ClassVar[str] = "violation.alleged"
    label: ClassVar[Label] = Label.CASE_DOCKET
    requires: ClassVar[tuple[str, ...]] = ("participant_id", "party_id", "matter_id")

    report_number: Annotated[ShortText, Label.CASE_DOCKET]
    docket: Annotated[ShortText | None, Label.CASE_DOCKET] = None
    condition: Annotated[Condition, Label.CASE_DOCKET]
    violated_on: Annotated[date | None, Label.CASE_DOCKET] = None
    source: Annotated[Source, Label.CASE_DOCKET]
    source_number: Annotated[ShortText | None, Label.CASE_DOCKET] = None
    source_on: Annotated[date | None, Label.CASE_DOCKET] = None
    cites_share: Annotated[bool, Label.CASE_DOCKET] = False

    def jurisdiction(self) -> UUID:
        """Return that it is no prosecutor's matter: an ROI that names an office shows it none of this."""
        return ELSEWHERE


def violation_id(party: UUID, number: str) -> UUID:
    """Return the allegation that a party calls by this number."""
    return uuid5(party, f"violation {number}")
