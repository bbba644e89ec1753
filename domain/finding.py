"""Is this person worse off because of LEAD? (T:489, T:673, T:690, T:692, T:1137, T:1139)

Every adverse action against a participant is joined with what the deciding person had been shown before it, and named
with the source it rests on. Enforcement must be something that "would have otherwise occurred"; nothing here forbids
or delays an action. Stream: the finding, made of the action's own id, so that each action is found once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Annotated, ClassVar
from uuid import UUID, uuid5

from pydantic import AwareDatetime

from domain.arrest import BookingReported
from domain.custody import PersonBooked
from domain.event import Event, LongText, Recorded, ShortText, Value
from domain.labels import Label
from domain.legal_case import CaseEntered, CaseFiled, CaseUpdated, DecisionKind, DecisionRecorded, Source, harsher
from domain.protocol import Protocol
from domain.referral import Charge
from domain.refusal import Refused
from domain.violation import ViolationAlleged
from domain.warrant import WarrantIssued, WarrantKind

_FINDINGS = UUID("8f1e2a64-6d0b-5c55-9d2f-4a7e0b6c3d18")


class Adverse(StrEnum):
    """What can leave someone worse off."""

    FILING = "filing"
    CHARGE_RAISED = "charge raised"
    DETENTION_MOTION = "detention motion"
    WARRANT_SOUGHT = "warrant sought"
    VIOLATION_ALLEGED = "violation alleged"
    BEYOND_CEILING = "harsher than the recorded ceiling"
    BOOKING = "booking"


class Verdict(StrEnum):
    """What a finding comes to."""

    NO_EXPOSURE = "no exposure"
    EARLIER = "independent source, earlier"
    LATER = "independent source, later"
    NONE_NAMED = "exposed, none named"
    HARSHER = "harsher than standard"


ALARMS = frozenset({Verdict.NONE_NAMED, Verdict.HARSHER})

INDEPENDENT = frozenset({Source.INCIDENT_REPORT, Source.VICTIM_REPORT, Source.COURT_RECORD, Source.OTHER_INVESTIGATION})


class NamedSource(Value):
    """What an action rests on: of which kind, by which number of its own, and since when it exists.

    `cites_share`: it cites something known only from LEAD, and so is not independent, whatever its kind.
    """

    kind: Source
    number: ShortText | None = None
    on: date | None = None
    cites_share: bool = False

    @property
    def is_independent(self) -> bool:
        """True if it is of a kind that does not come from LEAD, and can be looked up."""
        return self.kind in INDEPENDENT and self.number is not None and self.on is not None and not self.cites_share


class Exposure(Value):
    """What someone was shown of a participant in one place: which labels, when first and last, and how often.

    `position` and `last_position` are places in the log, by which the disclosures can be looked up.
    """

    labels: frozenset[Label]
    surface: ShortText
    position: int
    shown_at: AwareDatetime
    shown_on: date
    last_position: int
    last_at: AwareDatetime
    times: int


class Action(Value):
    """An adverse action. `position`: where the log has it; `on`: that day at the site; `incident_on`: of its incident.

    What its author says of an earlier hour changes nothing: before means before the log had it.
    """

    id: UUID
    kind: Adverse
    position: int
    recorded_at: AwareDatetime
    on: date
    incident_on: date | None = None
    beyond_ceiling: bool = False


@dataclass(frozen=True, slots=True)
class Classification:
    """A verdict, and what the deciding person and the rest of the agency had been shown before the action."""

    verdict: Verdict
    person: tuple[Exposure, ...]
    agency: tuple[Exposure, ...]


def classify(
    action: Action,
    exposures_of_person: Iterable[Exposure],
    exposures_of_agency: Iterable[Exposure],
    source: NamedSource | None,
) -> Classification:
    """Classify an adverse action; pure and total.

    =====================  =============  ==============================================  ===========================
    beyond the recorded    the person     independent source named                        verdict
    ceiling                was shown
                           anything
    =====================  =============  ==============================================  ===========================
    yes                    either         either                                          harsher than standard
                                                                                          (T:673, T:675)
    no                     no             either                                          no exposure (T:1139)
    no                     yes            dated before the day of the first showing       independent source, earlier
                                                                                          (T:692)
    no                     yes            dated from that day to the day of the action    independent source, later
                                                                                          (T:692: adequate, not older)
    no                     yes            none; not stated; without number or date; of    exposed, none named
                                          a later day; citing what LEAD alone told        (T:690, T:917)
    =====================  =============  ==============================================  ===========================

    Only what was shown before the action counts. What colleagues were shown stands beside it and changes no verdict.
    """
    person, agency = _before(action, exposures_of_person), _before(action, exposures_of_agency)
    return Classification(_verdict(action, person, source), person, agency)


def _before(action: Action, exposures: Iterable[Exposure]) -> tuple[Exposure, ...]:
    return tuple(exposure for exposure in exposures if exposure.position < action.position)


def _verdict(action: Action, person: Sequence[Exposure], source: NamedSource | None) -> Verdict:
    if action.beyond_ceiling:
        return Verdict.HARSHER
    if not person:
        return Verdict.NO_EXPOSURE
    if source is None or not source.is_independent or source.on is None or source.on > action.on:
        return Verdict.NONE_NAMED
    return Verdict.EARLIER if source.on < min(exposure.shown_on for exposure in person) else Verdict.LATER


_ADVERSE: dict[DecisionKind, Adverse] = {
    DecisionKind.RAISE_CHARGE: Adverse.CHARGE_RAISED,
    DecisionKind.DETENTION_MOTION: Adverse.DETENTION_MOTION,
    DecisionKind.SEEK_WARRANT: Adverse.WARRANT_SOUGHT,
    DecisionKind.ALLEGE_VIOLATION: Adverse.VIOLATION_ALLEGED,
}


@dataclass(frozen=True, slots=True)
class Acted:
    """An adverse event as its author recorded it: what was done, and the source that it names itself."""

    kind: Adverse
    source: NamedSource | None = None
    incident_on: date | None = None
    beyond_ceiling: bool = False


ADVERSE_TOPICS = tuple(
    kind.topic
    for kind in (
        CaseFiled,
        CaseUpdated,
        WarrantIssued,
        DecisionRecorded,
        PersonBooked,
        BookingReported,
        ViolationAlleged,
    )
)
"""The topics among which adverse actions are found."""


def acted(event: Event, before: Sequence[Event] = ()) -> Acted | None:
    """Return the adverse action that an event is; None for any other.

    `before`: what its stream had already. A filing's source is the incident report that it names. A bench
    warrant, or one for a failure to appear, rests on the court's own record; an arrest warrant on what an office sought
    it with, and a charge raised on what it was raised with, which neither tells.
    """
    match event:
        case CaseFiled(incident_number=number, offense_on=day, cites_share=cites):
            report = number and NamedSource(kind=Source.INCIDENT_REPORT, number=number, on=day, cites_share=cites)
            return Acted(Adverse.FILING, report or None, incident_on=day)
        case CaseUpdated(office=office, party_id=party) if office == party:
            return Acted(Adverse.CHARGE_RAISED) if _raised(event, before) else None
        case WarrantIssued(office=office, party_id=party) if office == party:
            record = NamedSource(kind=Source.COURT_RECORD, number=event.number, on=event.issued_on)
            return Acted(Adverse.WARRANT_SOUGHT, None if event.warrant_kind is WarrantKind.ARREST else record)
        case DecisionRecorded(kind=kind, source=source):
            decisions = [earlier for earlier in before if isinstance(earlier, DecisionRecorded)]
            beyond = any(found.decision is event for found in harsher([*decisions, event]))
            adverse = _ADVERSE.get(kind, Adverse.BEYOND_CEILING if beyond else None)
            return Acted(adverse, _named(event) if source else None, beyond_ceiling=beyond) if adverse else None
        case BookingReported() if any(isinstance(e, BookingReported) and _named(e) == _named(event) for e in before):
            return None  # the same booking, told again
        case PersonBooked() | BookingReported():
            return Acted(Adverse.BOOKING, _named(event))
        case ViolationAlleged(violated_on=violated_on):
            return Acted(Adverse.VIOLATION_ALLEGED, _named(event), incident_on=violated_on)
        case _:
            return None


def _named(event: DecisionRecorded | PersonBooked | BookingReported | ViolationAlleged) -> NamedSource:
    return NamedSource(
        kind=event.source or Source.NOT_STATED,
        number=event.source_number,
        on=event.source_on,
        cites_share=event.cites_share,
    )


def _raised(update: CaseUpdated, before: Sequence[Event]) -> bool:
    """Return whether the charges of a case hold one now that they did not hold before."""
    charged = [event.charges for event in before if isinstance(event, CaseFiled | CaseEntered | CaseUpdated)]
    stood: tuple[Charge, ...] = charged[-1] if charged else ()
    return not {(each.code, each.severity) for each in update.charges} <= {(each.code, each.severity) for each in stood}


class FindingRaised(Event):
    """An adverse action was joined with what had been shown. `minutes`: from the action's recording to this.

    The agency is named in a field of its own, not as contributor: the finding is the site's, and never the agency's
    to read. `pre_enrolment`: the incident lies before the enrolment, the action after it (T:479): no new offence.
    """

    topic: ClassVar[str] = "finding.raised"
    label: ClassVar[Label] = Label.FINDING
    requires: ClassVar[tuple[str, ...]] = ("participant_id", "matter_id")

    agency: Annotated[UUID, Label.FINDING]
    person: Annotated[UUID | None, Label.FINDING] = None
    action: Annotated[Action, Label.FINDING]
    source: Annotated[NamedSource | None, Label.FINDING] = None
    verdict: Annotated[Verdict, Label.FINDING]
    person_shown: Annotated[tuple[Exposure, ...], Label.FINDING] = ()
    agency_shown: Annotated[tuple[Exposure, ...], Label.FINDING] = ()
    pre_enrolment: Annotated[bool, Label.FINDING] = False
    minutes: Annotated[int, Label.FINDING]
    within_protocol: Annotated[bool, Label.FINDING]
    protocol_version: Annotated[ShortText, Label.FINDING]


class Question(StrEnum):
    """What an office is asked about its own action."""

    SOURCE = "On which source of its own does this rest?"
    CEILING = "Why does this go beyond the most that your office recorded for this case?"
    LATCHED = "Your office was told that this charge will not be filed. On which source of its own does this rest?"


_QUESTIONS = {Verdict.NONE_NAMED: Question.SOURCE, Verdict.HARSHER: Question.CEILING}
"""What an office is asked where the verdict alarms."""


class FindingAsked(Event):
    """The office is asked about its own action; nothing waits for the answer."""

    topic: ClassVar[str] = "finding.asked"
    label: ClassVar[Label] = Label.FINDING
    requires: ClassVar[tuple[str, ...]] = ("participant_id", "party_id", "matter_id")

    question: Annotated[Question, Label.FINDING]
    kind: Annotated[Adverse, Label.FINDING]
    acted_at: Annotated[AwareDatetime, Label.FINDING]


class FindingAnswered(Event):
    """The office answered, on the record. `held by our office, not stated` is an answer."""

    topic: ClassVar[str] = "finding.answered"
    label: ClassVar[Label] = Label.FINDING
    requires: ClassVar[tuple[str, ...]] = ("participant_id", "party_id", "matter_id")

    source: Annotated[NamedSource, Label.FINDING]
    text: Annotated[LongText | None, Label.FINDING] = None


def finding_id(action: UUID, joined: UUID | None = None) -> UUID:
    """Return the stream of the finding about this action; `joined`: about whom, where the action names nobody."""
    return uuid5(_FINDINGS, str(action) if joined is None else f"{action} {joined}")


def find(
    recorded: Recorded[Event],
    who: UUID,
    did: Acted,
    exposures_of_person: Iterable[Exposure],
    exposures_of_agency: Iterable[Exposure],
    enrolled_at: datetime | None,
    protocol: Protocol,
    now: datetime,
    *,
    is_office: bool,
    owes: bool = False,
) -> list[Event]:
    """Raise the finding about an adverse action against `who`; where it alarms, ask the prosecutor's office.

    `is_office`: an office acted. `owes`: it had been told `completed` of this very incident. An office that was not
    told is asked nothing on account of a latch: the question would betray it (labels, `finding`).
    """
    event, tz = recorded.event, protocol.tz
    action = Action(
        id=recorded.id,
        kind=did.kind,
        position=recorded.position,
        recorded_at=recorded.recorded_at,
        on=recorded.recorded_at.astimezone(tz).date(),
        incident_on=did.incident_on,
        beyond_ceiling=did.beyond_ceiling,
    )
    found = classify(action, exposures_of_person, exposures_of_agency, did.source)
    late = now - recorded.recorded_at
    enrolled_on = enrolled_at.astimezone(tz).date() if enrolled_at and enrolled_at <= recorded.recorded_at else None
    raised = FindingRaised(
        participant_id=who,
        matter_id=event.matter_id,
        occurred_at=now,
        agency=recorded.envelope.agency,
        person=recorded.envelope.actor,
        action=action,
        source=did.source,
        verdict=found.verdict,
        person_shown=found.person,
        agency_shown=found.agency,
        pre_enrolment=enrolled_on is not None and did.incident_on is not None and did.incident_on < enrolled_on,
        minutes=int(late.total_seconds() // 60),
        within_protocol=late <= timedelta(hours=protocol.finding_hours),
        protocol_version=protocol.version,
    )
    question = Question.LATCHED if owes else _QUESTIONS.get(found.verdict)
    if not is_office or question is None:
        return [raised]
    asked = FindingAsked(
        participant_id=who,
        party_id=recorded.envelope.agency,
        matter_id=event.matter_id,
        occurred_at=now,
        question=question,
        kind=did.kind,
        acted_at=recorded.recorded_at,
    )
    return [raised, asked]


def answer(event: FindingAnswered) -> list[Event]:
    """Answer a finding; a source is named so that it can be looked up, or is not stated."""
    source = event.source
    if source.kind in INDEPENDENT and (source.number is None or source.on is None):
        raise Refused(
            "number" if source.number is None else "on",
            "a source is named by its own number and the day from which it exists.",
            f"Give both, or answer {Source.NOT_STATED.value!r}.",
        )
    return [event]


def standing(raised: FindingRaised, answered: FindingAnswered | None) -> Verdict:
    """Return what a finding comes to with the office's last answer."""
    if answered is None:
        return raised.verdict
    return classify(raised.action, raised.person_shown, raised.agency_shown, answered.source).verdict
