"""Court cases and what a prosecutor's office decides in them (T:473-T:487, T:673-T:692).

A case is a matter of its own; it may be about someone who is not in LEAD, and then is the record of its own party only.
Each party keeps its own: the office what it filed, the court its docket, care what it found. A party says itself whom
its record is about, by an id that it knows; nobody else joins the two, for the join would tell it who is in LEAD.
Prosecutors decide at their discretion; recording is never a precondition of acting (T:473).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum
from itertools import pairwise
from typing import Annotated, ClassVar, NamedTuple
from uuid import UUID

from pydantic import AwareDatetime

from domain.calendar import days_after, end_of_day
from domain.event import Event, LongText, Recorded, ShortText
from domain.identity import RecordSubject
from domain.labels import Label
from domain.protocol import Protocol
from domain.referral import Charge
from domain.refusal import Refused

ELSEWHERE = UUID(int=0)
"""The jurisdiction of a matter that belongs to no office of this site, such as one in an outlying court (T:694)."""


ChargeNumbers = tuple[ShortText | None, ...]
"""By which number every system knows each charge, in their order: that of the arrest, and its place in it."""


class CaseFiled(Event):
    """A prosecutor's office gave notice of a filing. Offence, arrest, filing and receipt stay apart (T:479).

    `cites_share`: it cites what the office knows only from LEAD (T:690); so it may say of a decision too.
    `tracking_number`: the office's own number of the matter, which it had before its docket.
    """

    topic: ClassVar[str] = "case.filed"
    label: ClassVar[Label] = Label.CASE_DOCKET
    requires: ClassVar[tuple[str, ...]] = ("party_id", "matter_id")
    names: ClassVar[str] = "defendant"

    docket: Annotated[ShortText, Label.CASE_DOCKET]
    tracking_number: Annotated[ShortText | None, Label.CASE_DOCKET] = None
    defendant: Annotated[RecordSubject, Label.CASE_DOCKET]
    charges: Annotated[tuple[Charge, ...], Label.CASE_DOCKET]
    charge_numbers: Annotated[ChargeNumbers | None, Label.CASE_DOCKET] = None
    incident_number: Annotated[ShortText | None, Label.CASE_DOCKET] = None
    offense_on: Annotated[date, Label.CASE_DOCKET]
    arrested_on: Annotated[date | None, Label.CASE_DOCKET] = None
    filed_on: Annotated[date, Label.CASE_DOCKET]
    received_at: Annotated[AwareDatetime, Label.CASE_DOCKET]
    cites_share: Annotated[bool, Label.CASE_DOCKET] = False

    def jurisdiction(self) -> UUID | None:
        """Return the office that filed it."""
        return self.party_id


class CourtRecord(Event):
    """What happened in a court. As a court's own feed tells it, it is public record; told by anyone else, it is theirs.

    `office`: the prosecutor's office to which the matter belongs, where it takes part in LEAD here.
    """

    label: ClassVar[Label] = Label.CASE_DOCKET
    requires: ClassVar[tuple[str, ...]] = ("party_id", "matter_id")

    office: Annotated[UUID | None, Label.CASE_DOCKET] = None
    public_record: Annotated[bool, Label.CASE_DOCKET] = False

    def jurisdiction(self) -> UUID:
        """Return the office to which the matter belongs; `ELSEWHERE` if to none of this site."""
        return self.office or ELSEWHERE

    def is_public(self) -> bool:
        """Return whether a court's own feed told it; None once its key is destroyed."""
        return self.public_record is True


class CaseEntered(CourtRecord):
    """A case stands on a court's docket, as the court tells it, or as care found it."""

    topic: ClassVar[str] = "case.entered"
    names: ClassVar[str] = "defendant"

    court: Annotated[ShortText, Label.CASE_DOCKET]
    docket: Annotated[ShortText, Label.CASE_DOCKET]
    defendant: Annotated[RecordSubject | None, Label.CASE_DOCKET] = None
    charges: Annotated[tuple[Charge, ...], Label.CASE_DOCKET] = ()
    charge_numbers: Annotated[ChargeNumbers | None, Label.CASE_DOCKET] = None
    filed_on: Annotated[date | None, Label.CASE_DOCKET] = None


class CaseUpdated(CourtRecord):
    """The charges of a case are these now; `defendant`: and whom it is against, where its party says more of them."""

    topic: ClassVar[str] = "case.updated"
    names: ClassVar[str] = "defendant"

    charges: Annotated[tuple[Charge, ...], Label.CASE_DOCKET]
    charge_numbers: Annotated[ChargeNumbers | None, Label.CASE_DOCKET] = None
    defendant: Annotated[RecordSubject | None, Label.CASE_DOCKET] = None


class CaseRenumbered(CourtRecord):
    """A case goes on under another docket number, as a criminal one replaces the magistrate's."""

    topic: ClassVar[str] = "case.renumbered"

    before: Annotated[ShortText, Label.CASE_DOCKET]
    docket: Annotated[ShortText, Label.CASE_DOCKET]


class CaseSealed(CourtRecord):
    """A case was sealed, expunged or vacated on `sealed_on`: from now on it is not there."""

    topic: ClassVar[str] = "case.sealed"
    withdraws: ClassVar[bool] = True

    sealed_on: Annotated[date, Label.CASE_DOCKET]


class ChargesSealed(CourtRecord):
    """Some charges of a case were sealed, expunged or vacated on `sealed_on`: from now on they are not there."""

    topic: ClassVar[str] = "charges.sealed"

    numbers: Annotated[frozenset[ShortText], Label.CASE_DOCKET]
    sealed_on: Annotated[date, Label.CASE_DOCKET]


class CaseRetracted(CourtRecord):
    """A case was entered in error: it is as if it had never been sent."""

    topic: ClassVar[str] = "case.retracted"
    withdraws: ClassVar[bool] = True


class Disposition(StrEnum):
    """How a case ended."""

    DISMISSED = "dismissed"
    ACQUITTED = "acquitted"
    DEFERRED = "deferred"
    PLEA = "guilty plea"
    CONVICTED = "convicted"
    OTHER = "otherwise disposed of"


class CaseDisposed(CourtRecord):
    """A case ended."""

    topic: ClassVar[str] = "case.disposed"

    outcome: Annotated[Disposition, Label.CASE_DOCKET]
    disposed_on: Annotated[date, Label.CASE_DOCKET]


class OrderKind(StrEnum):
    """What a court ordered. Closed: the words of an order name people whom no record of ours should."""

    RELEASE = "release"
    DETENTION = "detention"
    NO_CONTACT = "no contact"
    WARRANT_QUASHED = "warrant quashed"
    OTHER = "other"


class OrderEntered(CourtRecord):
    """A court made an order."""

    topic: ClassVar[str] = "order.entered"

    kind: Annotated[OrderKind, Label.CASE_DOCKET]
    ordered_on: Annotated[date, Label.CASE_DOCKET]


class OrderWithdrawn(CourtRecord):
    """An order was entered in error: it is as if it had never been sent."""

    topic: ClassVar[str] = "order.withdrawn"

    kind: Annotated[OrderKind, Label.CASE_DOCKET]
    ordered_on: Annotated[date, Label.CASE_DOCKET]


TAKES_BACK = (ChargesSealed, OrderWithdrawn)
"""What takes back a part of a case."""


class Relation(StrEnum):
    """How a case stands to its defendant's enrolment (T:479)."""

    PRE_EXISTING = "pre-existing case"
    PRE_ENROLMENT_INCIDENT = "pre-enrolment incident"
    POST_ENROLMENT = "post-enrolment case"


def relation(offense_on: date, filed_on: date, enrolled_on: date) -> Relation:
    """Return how a case stands to an enrolment: one filed afterwards may well be of an incident before it (T:479)."""
    if filed_on <= enrolled_on:
        return Relation.PRE_EXISTING
    return Relation.PRE_ENROLMENT_INCIDENT if offense_on <= enrolled_on else Relation.POST_ENROLMENT


class DecisionKind(StrEnum):
    """What an office may decide (T:477, T:686), and what it would do to someone outside LEAD."""

    DECLINE_TO_FILE = "decline to file"
    MONITOR = "monitor in queue"
    ABEYANCE = "hold in abeyance"
    DISMISS = "dismiss"
    FORGO_DETENTION = "forgo detention motion"
    SUPPORT_RELEASE = "support release"
    SUPPORT_QUASH = "support quash"
    FORGO_WARRANT = "forgo warrant"
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


SEVERITY: Mapping[DecisionKind, str] = {
    DecisionKind.DISMISS: "the case is over",
    DecisionKind.DECLINE_TO_FILE: "no case comes to be, and one still could",
    DecisionKind.MONITOR: "nothing is filed while the office looks on",
    DecisionKind.ABEYANCE: "whether to file waits for how the person fares",
    DecisionKind.SUPPORT_QUASH: "the case stands, without the threat of arrest",
    DecisionKind.FORGO_WARRANT: "the case stands, and the office adds no threat of arrest",
    DecisionKind.SUPPORT_RELEASE: "the case goes on, the office speaks for liberty meanwhile",
    DecisionKind.FORGO_DETENTION: "the case goes on, the office leaves liberty to the court",
    DecisionKind.LESSER_DISPOSITION: "the case ends with less than it would",
    DecisionKind.STANDARD: "what anyone outside LEAD would meet (T:673)",
    DecisionKind.ALLEGE_VIOLATION: "what a court granted may be lost",
    DecisionKind.RAISE_CHARGE: "more is at stake than the case began with",
    DecisionKind.SEEK_WARRANT: "the person may be arrested any day",
    DecisionKind.DETENTION_MOTION: "liberty is lost before anything is decided",
}
"""Every decision, the mildest first, with the reason for its place."""
_RANK = {kind: rank for rank, kind in enumerate(SEVERITY)}


class Source(StrEnum):
    """What an adverse decision rests on (T:692)."""

    INCIDENT_REPORT = "incident report"
    VICTIM_REPORT = "victim or witness report"
    COURT_RECORD = "court record"
    OTHER_INVESTIGATION = "other investigation"
    NOT_STATED = "held by our office, not stated"


class DecisionRecorded(Event):
    """A prosecutor decided. `ceiling`: the most severe result the office allows itself here (T:673), if it set one."""

    topic: ClassVar[str] = "decision.recorded"
    label: ClassVar[Label] = Label.PROSECUTOR_DECISION
    requires: ClassVar[tuple[str, ...]] = ("party_id", "matter_id")

    kind: Annotated[DecisionKind, Label.PROSECUTOR_DECISION]
    reason: Annotated[LongText | None, Label.PROSECUTOR_DECISION] = None
    ceiling: Annotated[DecisionKind | None, Label.PROSECUTOR_DECISION] = None
    source: Annotated[Source | None, Label.PROSECUTOR_DECISION] = None
    source_number: Annotated[ShortText | None, Label.PROSECUTOR_DECISION] = None
    source_on: Annotated[date | None, Label.PROSECUTOR_DECISION] = None
    cites_share: Annotated[bool, Label.PROSECUTOR_DECISION] = False
    note: Annotated[LongText | None, Label.PROSECUTOR_WORKPRODUCT] = None
    protocol_version: Annotated[ShortText | None, Label.PROSECUTOR_DECISION] = None

    def jurisdiction(self) -> UUID | None:
        """Return the office that decided."""
        return self.party_id


WAITING = frozenset({DecisionKind.MONITOR, DecisionKind.ABEYANCE})
"""Decisions that put off another one: it is looked at again (T:686)."""


class ReviewSet(Event):
    """What the office put off is looked at again by the end of this local day, at `expires_at`."""

    topic: ClassVar[str] = "review.set"
    label: ClassVar[Label] = Label.PROSECUTOR_DECISION
    requires: ClassVar[tuple[str, ...]] = ("party_id", "matter_id", "expires_at")

    due_on: Annotated[date, Label.PROSECUTOR_DECISION]
    protocol_version: Annotated[ShortText, Label.PROSECUTOR_DECISION]


class ReviewDue(Event):
    """The day of a review has passed and nothing else was decided."""

    topic: ClassVar[str] = "review.due"
    label: ClassVar[Label] = Label.PROSECUTOR_DECISION
    requires: ClassVar[tuple[str, ...]] = ("party_id", "matter_id")

    due_on: Annotated[date, Label.PROSECUTOR_DECISION]


@dataclass(frozen=True, slots=True)
class LegalCase:
    """A case's stream, folded. `ceiling`: the office's own, if it set one (T:673).

    `public`: a court's own feed told everyone of it. `told_at`: when its charges and defendant were said last.
    `withdrawn`: it was sealed, or entered in error, and is not there any more.
    """

    id: UUID
    version: int
    party: UUID
    participant: UUID | None
    office: UUID | None
    ceiling: DecisionKind | None = None
    disposed: bool = False
    public: bool = False
    docket: str | None = None
    defendant: RecordSubject | None = None
    charges: tuple[Charge, ...] = ()
    charge_numbers: ChargeNumbers = ()
    told_at: datetime | None = None
    withdrawn: Event | None = None


def legal_case(history: Iterable[Recorded[Event]], state: LegalCase | None = None) -> LegalCase | None:
    """Fold a case's stream; None for a stream that is no case's, and for a case that is not there any more.

    `state`: a charge held back, of which an office was told, to begin with: it decides on that without filing it.
    """
    found = docketed(history, state)
    return None if found is None or found.withdrawn else found


def docketed(history: Iterable[Recorded[Event]], state: LegalCase | None = None) -> LegalCase | None:
    """Fold a case's stream, whether or not the case is still there."""
    for recorded in history:
        match recorded.event:
            case CaseFiled(party_id=UUID() as party) as event:
                state = _begun(recorded.stream, party, party, event)
            case CaseEntered(party_id=UUID() as party) as event:
                state = replace(_begun(recorded.stream, party, event.office, event), public=event.is_public())
            case CaseUpdated() as event if state:
                numbers = event.charge_numbers or ()
                charges, told_at = event.charges or (), event.occurred_at
                state = replace(state, charges=charges, charge_numbers=numbers, told_at=told_at)
                state = replace(state, defendant=event.defendant or state.defendant)
            case CaseRenumbered() as event if state:
                state = replace(state, docket=event.docket)
            case event if event.withdraws and state:
                state = replace(state, withdrawn=event)
            case DecisionRecorded() as event if state and not recorded.erased:
                state = replace(state, ceiling=event.ceiling)
            case CaseDisposed() if state:
                state = replace(state, disposed=True)
            case _:
                pass
        if state is not None:
            state = replace(state, version=recorded.version)
    return state


def _begun(case: UUID, party: UUID, office: UUID | None, event: CaseFiled | CaseEntered) -> LegalCase:
    return LegalCase(
        case,
        0,
        party,
        event.participant_id,
        office,
        docket=event.docket,
        defendant=event.defendant,
        charges=event.charges or (),
        charge_numbers=event.charge_numbers or (),
        told_at=event.occurred_at,
    )


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


def dispose(state: LegalCase, event: CaseDisposed) -> list[Event]:
    """Record how a case ended; it ends once."""
    if state.disposed:
        raise Refused("outcome", "an end of this case is recorded already.", "Read the docket.")
    return [event]


def left_of_cases(history: Iterable[Recorded[Event]]) -> list[Recorded[Event]]:
    """Return what is told of cases: no charge that was sealed, whenever it was told, and no order until withdrawn."""
    left: list[Recorded[Event]] = []
    told = list(history)
    sealed: dict[UUID, frozenset[str]] = {}
    for recorded in told:
        if isinstance(recorded.event, ChargesSealed):
            numbers = recorded.event.numbers or frozenset()
            sealed[recorded.stream] = sealed.get(recorded.stream, frozenset()) | numbers
    for recorded in told:
        if isinstance(recorded.event, OrderWithdrawn):
            gone = recorded.stream, _order(recorded.event)
            left = [r for r in left if not isinstance(r.event, OrderEntered) or (r.stream, _order(r.event)) != gone]
        elif not isinstance(recorded.event, ChargesSealed):
            left.append(_without(recorded, sealed[recorded.stream]) if recorded.stream in sealed else recorded)
    return left


def _order(event: OrderEntered | OrderWithdrawn) -> tuple[OrderKind, date]:
    return event.kind, event.ordered_on


def _without(recorded: Recorded[Event], sealed: frozenset[str]) -> Recorded[Event]:
    event = recorded.event
    if not isinstance(event, CaseFiled | CaseEntered | CaseUpdated) or not event.charge_numbers:
        return recorded
    kept = [(c, n) for c, n in zip(event.charges, event.charge_numbers, strict=True) if n not in sealed]
    left = {"charges": tuple(c for c, _ in kept), "charge_numbers": tuple(n for _, n in kept)}
    return replace(recorded, event=event.model_copy(update=left))


class Beyond(NamedTuple):
    """A decision harsher than the ceiling that stood before it: for the review of the first Golden Rule, no more."""

    decision: DecisionRecorded
    ceiling: DecisionKind


def harsher(decisions: Iterable[DecisionRecorded]) -> list[Beyond]:
    """Return which decisions in one matter, in the order recorded, are harsher than the ceiling before them.

    A decision is not judged by the ceiling that it sets itself, and none before the office has set one: whether it
    belongs to standard processing is then for its source to say (T:692).
    """
    found: list[Beyond] = []
    ceiling: DecisionKind | None = None
    for decision in decisions:
        if ceiling is not None and _RANK[decision.kind] > _RANK[ceiling]:
            found.append(Beyond(decision, ceiling))
        ceiling = decision.ceiling or ceiling
    return found


def decide(event: DecisionRecorded) -> list[Event]:
    """Record a decision; only an adverse one is asked what it rests on, and `not stated` is an answer.

    One that is harsher than the ceiling is recorded like any other: no prosecutor's hands are tied (T:473).
    """
    if event.ceiling is not None and _RANK[event.ceiling] > _RANK[DecisionKind.STANDARD]:
        raise Refused(
            "ceiling",
            f"no ceiling lies above {DecisionKind.STANDARD.value!r} (T:673).",
            "Name that or a milder result, or leave it out. The decision itself is yours, whatever the ceiling.",
        )
    if event.kind in ADVERSE and event.source is None:
        raise Refused(
            "source",
            f"'{event.kind}' goes beyond standard processing.",
            f"Name what it rests on, or {Source.NOT_STATED.value!r}.",
        )
    return [event]


def review(decision: DecisionRecorded, due_on: date | None, protocol: Protocol) -> list[Event]:
    """Set the review of a decision that puts off another; by the protocol's days where no day is named."""
    if decision.kind not in WAITING:
        if due_on is not None:
            raise Refused("review_on", f"{decision.kind.value!r} puts nothing off.", "Leave it out.")
        return []
    decided_on = decision.occurred_at.astimezone(protocol.tz).date()
    due_on = due_on or days_after(decision.occurred_at, protocol.review_days, protocol.tz)
    if due_on < decided_on:
        raise Refused("review_on", "it lies before the decision.", "Give a later day, or leave it out.")
    return [
        ReviewSet(
            participant_id=decision.participant_id,
            party_id=decision.party_id,
            matter_id=decision.matter_id,
            expires_at=end_of_day(due_on, protocol.tz),
            occurred_at=decision.occurred_at,
            due_on=due_on,
            protocol_version=protocol.version,
        )
    ]


def reviews_due(history: Iterable[Recorded[Event]], now: datetime) -> list[Event]:
    """Return the review of one case that has fallen due and is not written down yet."""
    events = list(history)
    waiting = standing_review(events)
    told = [recorded.event for recorded in events if isinstance(recorded.event, ReviewSet | ReviewDue)]
    if waiting is None or told[-1] is not waiting or waiting.expires_at is None or waiting.expires_at > now:
        return []
    return [
        ReviewDue(
            participant_id=waiting.participant_id,
            party_id=waiting.party_id,
            matter_id=waiting.matter_id,
            occurred_at=waiting.expires_at,
            due_on=waiting.due_on,
        )
    ]


def standing_review(history: Iterable[Recorded[Event]]) -> ReviewSet | None:
    """Return the review that one case waits for, due or not, until a later decision or the end of the case."""
    waiting: ReviewSet | None = None
    for recorded in history:
        match recorded.event:
            case ReviewSet() as event if not recorded.erased:
                waiting = event
            case DecisionRecorded() | CaseDisposed():
                waiting = None
            case _:
                pass
    return waiting
