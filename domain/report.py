"""The form on which LEAD reports: a closed list of what may be said, each line a share of its own (T:1145-T:1147).

LEAD confirms, tells of progress under the ROI, of what is missing and what is next; it never reports what could prompt
enforcement, and no sanction or violation has a place to be written.
"""

from __future__ import annotations

from typing import NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from domain.labels import Label
from domain.participant import Participant
from domain.plan import Plan
from domain.refusal import Refused
from domain.share import NOTHING_HELPFUL

WORKING = "LEAD is working with this person."
_TITLES = {Label.IIP_PROGRESS: "Progress", Label.IIP_BARRIER: "Barrier", Label.IIP_GOAL: "Interim goal"}


class Form(NamedTuple):
    """What the case manager ticked and chose."""

    assessment: bool
    working: bool
    entries: tuple[UUID, ...]
    nothing_helpful: bool


class Line(NamedTuple):
    """One line: the field of the form that it stems from, what it is about, and what it says."""

    field: str
    label: Label
    text: str


def lines(form: Form, who: Participant, plan: Plan, zone: ZoneInfo) -> list[Line]:
    """Return the lines of a report. The toolkit's sentence stands alone: beside others it would hint at something."""
    found: list[Line] = []
    if form.assessment:
        if who.intake_at is None:
            raise Refused("assessment", "no intake is recorded.", "Leave it out.")
        text = f"The LEAD assessment took place on {who.intake_at.astimezone(zone).date()}."
        found.append(Line("assessment", Label.ENROLMENT_STATUS, text))
    if form.working:
        if who.enrolled_at is None:
            raise Refused("working", f"the participant is {who.status}.", "Leave it out.")
        found.append(Line("working", Label.ENROLMENT_STATUS, WORKING))
    for n, number in enumerate(form.entries):
        entry = plan.entries.get(number)
        if entry is None or entry.label not in _TITLES:
            raise Refused(f"entries[{n}]", "it has no place on the form.", "Choose a step, a barrier or a goal.")
        if entry.label is Label.IIP_GOAL and number not in plan.goals:
            raise Refused(f"entries[{n}]", "this goal is not pursued any more.", "Choose one that is.")
        found.append(Line(f"entries[{n}]", entry.label, f"{_TITLES[entry.label]}: {entry.text}"))
    if form.nothing_helpful and found:
        raise Refused("nothing_helpful", "it stands alone.", "Leave the rest out, or this.")
    if form.nothing_helpful:
        found.append(Line("nothing_helpful", Label.IIP_PROGRESS, NOTHING_HELPFUL))
    if not found:
        raise Refused("nothing_helpful", "the form says nothing.", f"Tick it to say: {NOTHING_HELPFUL!r}")
    return found
