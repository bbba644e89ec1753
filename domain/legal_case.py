"""Court cases and what a prosecutor's office decides in them (T:473-T:487, T:673-T:692).

A case is a matter of its own; it may be about someone who is not in LEAD, and then is the office's own record only.
Prosecutors decide at their discretion; recording is never a precondition of acting (T:473).
"""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from itertools import pairwise
from typing import Annotated, ClassVar
from uuid import UUID

from pydantic import AwareDatetime

from domain.event import Event, LongText, PersonName, ShortText, Value
from domain.labels import Label
from domain.referral import Charge
from domain.refusal import Refused


class Defendant(Value):
    """Who is charged, as the office states it; sealed under the case's key."""

    name: PersonName
    birth_date: date


class CaseFiled(Event):
    """A prosecutor's office gave notice of a filing. Offence, arrest, filing and receipt stay apart (T:479)."""

    topic: ClassVar[str] = "case.filed"
    label: ClassVar[Label] = Label.CASE_DOCKET
    requires: ClassVar[tuple[str, ...]] = ("party_id", "matter_id")

    docket: Annotated[ShortText, Label.CASE_DOCKET]
    defendant: Annotated[Defendant, Label.CASE_DOCKET]
    charges: Annotated[tuple[Charge, ...], Label.CASE_DOCKET]
    incident_number: Annotated[ShortText | None, Label.CASE_DOCKET] = None
    offense_on: Annotated[date, Label.CASE_DOCKET]
    arrested_on: Annotated[date | None, Label.CASE_DOCKET] = None
    filed_on: Annotated[date, Label.CASE_DOCKET]
    received_at: Annotated[AwareDatetime, Label.CASE_DOCKET]

    def jurisdiction(self) -> UUID | None:
        """Return the office that filed it."""
        return self.party_id


class DecisionKind(StrEnum):
    """What an office may decide (T:477, T:686), and what it would do to someone outside LEAD."""

    DECLINE_TO_FILE = "decline to file"
    MONITOR = "monitor in queue"
    ABEYANCE = "hold in abeyance"
    DISMISS = "dismiss"
    FORGO_DETENTION = "forgo detention motion"
    SUPPORT_RELEASE = "support release"
    SUPPORT_QUASH = "support quash"
    LESSER_DISPOSITION = "disposition short of dismissal"
    STANDARD = "proceed as standard"
    RAISE_CHARGE = "raise charge"
    DETENTION_MOTION = "detention motion"
    SEEK_WARRANT = "seek warrant"
    ALLEGE_VIOLATION = "allege violation"


ADVERSE = frozenset(
    {
        DecisionKind.RAISE_CHARGE,
        DecisionKind.DETENTION_MOTION,
        DecisionKind.SEEK_WARRANT,
        DecisionKind.ALLEGE_VIOLATION,
    }
)


class Source(StrEnum):
    """What an adverse decision rests on (T:692)."""

    INCIDENT_REPORT = "incident report"
    VICTIM_REPORT = "victim or witness report"
    COURT_RECORD = "court record"
    OTHER_INVESTIGATION = "other investigation"
    NOT_STATED = "held by our office, not stated"


class DecisionRecorded(Event):
    """A prosecutor decided. `ceiling`: the most severe result the office allows itself here (T:673)."""

    topic: ClassVar[str] = "decision.recorded"
    label: ClassVar[Label] = Label.PROSECUTOR_DECISION
    requires: ClassVar[tuple[str, ...]] = ("party_id", "matter_id")

    kind: Annotated[DecisionKind, Label.PROSECUTOR_DECISION]
    reason: Annotated[LongText | None, Label.PROSECUTOR_DECISION] = None
    ceiling: Annotated[DecisionKind, Label.PROSECUTOR_DECISION] = DecisionKind.STANDARD
    source: Annotated[Source | None, Label.PROSECUTOR_DECISION] = None
    source_number: Annotated[ShortText | None, Label.PROSECUTOR_DECISION] = None
    source_on: Annotated[date | None, Label.PROSECUTOR_DECISION] = None
    note: Annotated[LongText | None, Label.PROSECUTOR_WORKPRODUCT] = None

    def jurisdiction(self) -> UUID | None:
        """Return the office that decided."""
        return self.party_id


def file(event: CaseFiled, today: date) -> list[Event]:
    """File notice of a case; its dates must be possible."""
    order = [("offense_on", event.offense_on), ("arrested_on", event.arrested_on), ("filed_on", event.filed_on)]
    known = [(name, day) for name, day in order if day is not None]
    for (earlier, first), (later, second) in pairwise(known):
        if second < first:
            raise Refused(later, f"it lies before {earlier}.", "Give the dates as they happened.")
    for name, day in known:
        if day > today:
            raise Refused(name, "it lies in the future.", "Give the date as it happened.")
    return [event]


def decide(event: DecisionRecorded) -> list[Event]:
    """Record a decision; only an adverse one is asked what it rests on, and `not stated` is an answer."""
    if event.kind in ADVERSE and event.source is None:
        raise Refused(
            "source",
            f"'{event.kind}' goes beyond standard processing.",
            f"Name what it rests on, or {Source.NOT_STATED.value!r}.",
        )
    return [event]
