"""What falls due: intake, handoff, non-return window, an ROI to renew, a paper to come (T:348, T:407, T:413, T:893).

An event that starts a deadline says when it ends in its clear `expires_at`. A decider looks at the stream alone and
returns what has fallen due and is not written yet, so that asked twice it answers once. What fell due while nobody
looked occurred when it fell due.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Annotated, ClassVar
from uuid import UUID

from pydantic import AwareDatetime

from domain import roi
from domain.event import Event, PartyIs, Recorded, ShortText
from domain.labels import Label
from domain.legal_case import CaseFiled, DecisionRecorded
from domain.protocol import Protocol
from domain.referral import (
    DeadlineSet,
    HeldCharge,
    NoticeCode,
    ProsecutorNotified,
    Referral,
    ReferralOffered,
    ReleasedFromCustody,
    referral,
)
from domain.refusal import Refused


class HandoffRequested(Event):
    """The department called for a case manager (T:348); by `expires_at` she should be there."""

    topic: ClassVar[str] = "handoff.requested"
    label: ClassVar[Label] = Label.REFERRAL_POLICE
    requires: ClassVar[tuple[str, ...]] = ("participant_id", "party_id", "expires_at")


class HandoffMissed(Event):
    """Nobody had met the person when the minutes were over. About who was on call: for care and the project manager."""

    topic: ClassVar[str] = "handoff.missed"
    label: ClassVar[Label] = Label.ROSTER
    requires: ClassVar[tuple[str, ...]] = ("participant_id",)

    protocol_version: Annotated[ShortText, Label.ROSTER]


class NonReturnEnded(Event):
    """The hours are over in which the person was asked not to return (T:413)."""

    topic: ClassVar[str] = "non_return.ended"
    label: ClassVar[Label] = Label.REFERRAL_POLICE
    requires: ClassVar[tuple[str, ...]] = ("participant_id", "party_id")


class DeadlinePassed(Event):
    """The day of the intake ended, and no enrolment in time was recorded. Never `failed` (T:278): intake stays open."""

    topic: ClassVar[str] = "deadline.passed"
    label: ClassVar[Label] = Label.REFERRAL_STATUS
    requires: ClassVar[tuple[str, ...]] = ("participant_id", "party_id")

    due_on: Annotated[date, Label.REFERRAL_STATUS]
    protocol_version: Annotated[ShortText, Label.REFERRAL_STATUS]


class DecisionRequested(Event):
    """The person enrolled after the deadline, so that the charge is not latched: the office is asked to decide.

    It tells that someone enrolled. Only the office that it addresses sees it, and only while its ROI grants
    `enrolment.status`: not among its own rows, which no revocation takes back. The charge is `charge.diverted`.
    """

    topic: ClassVar[str] = "decision.requested"
    label: ClassVar[Label] = Label.ENROLMENT_STATUS
    party_is: ClassVar[PartyIs] = PartyIs.ADDRESSEE
    requires: ClassVar[tuple[str, ...]] = ("participant_id", "party_id", "matter_id")

    enrolled_at: Annotated[AwareDatetime, Label.ENROLMENT_STATUS]
    incident_number: Annotated[ShortText, Label.CHARGE_DIVERTED]
    charge_code: Annotated[ShortText, Label.CHARGE_DIVERTED]

    def jurisdiction(self) -> UUID | None:
        """Return the office that is asked."""
        return self.party_id


class RenewalDue(Event):
    """A standing ROI nears its end: care asks the participant whether to renew it."""

    topic: ClassVar[str] = "renewal.due"
    label: ClassVar[Label] = Label.CONSENT_STATE
    requires: ClassVar[tuple[str, ...]] = ("participant_id",)

    roi: Annotated[UUID, Label.CONSENT_STATE]
    until: Annotated[AwareDatetime, Label.CONSENT_STATE]


class PaperMissing(Event):
    """The paper of a revocation by word of mouth has not come. The revocation stands (T:893)."""

    topic: ClassVar[str] = "paper.missing"
    label: ClassVar[Label] = Label.CONSENT_STATE
    requires: ClassVar[tuple[str, ...]] = ("participant_id",)

    revoked_at: Annotated[AwareDatetime, Label.CONSENT_STATE]


@dataclass(frozen=True, slots=True)
class Deadlines:
    """What runs on a referral's stream, and what of it is written down.

    `told`: the charges whose office heard that no completion notice came by the deadline that stands now.
    """

    called_at: datetime | None = None
    met_by: datetime | None = None
    missed: bool = False
    non_return_until: datetime | None = None
    returned: bool = False
    intake: Recorded[DeadlineSet] | None = None
    passed: bool = False
    told: frozenset[UUID] = frozenset()
    asked: frozenset[UUID] = frozenset()


def deadlines(history: Iterable[Recorded[Event]]) -> Deadlines:
    """Fold the deadlines of a referral's stream: of the intake's, the last one stands."""
    state = Deadlines()
    for recorded in history:
        event = recorded.event
        match event:
            case HandoffRequested():
                state = replace(state, called_at=event.occurred_at, met_by=event.expires_at)
            case HandoffMissed():
                state = replace(state, missed=True)
            case ReleasedFromCustody():
                state = replace(state, non_return_until=event.expires_at)
            case NonReturnEnded():
                state = replace(state, returned=True)
            case DeadlineSet():
                state = replace(state, intake=recorded, passed=False, told=frozenset())  # type: ignore[arg-type]
            case DeadlinePassed():
                state = replace(state, passed=True)
            case ProsecutorNotified(code=NoticeCode.NO_COMPLETION, matter_id=UUID() as matter):
                state = replace(state, told=state.told | {matter})
            case DecisionRequested(matter_id=UUID() as matter):
                state = replace(state, asked=state.asked | {matter})
            case _:
                pass
    return state


def request_handoff(state: Referral, known: Deadlines, requested_at: datetime, protocol: Protocol) -> list[Event]:
    """Write down the department's call; the minutes run from it."""
    if state.met:
        raise Refused("requested_at", "the handoff is recorded already.", "Read the referral.")
    if known.met_by is not None:
        raise Refused("requested_at", "the call is recorded already.", "Record the handoff.")
    return [call(state.participant, state.department, requested_at, protocol)]


def call(participant: UUID, department: UUID, at: datetime, protocol: Protocol) -> HandoffRequested:
    """Return a department's call for a case manager, from which the minutes of the handoff run."""
    return HandoffRequested(
        participant_id=participant,
        party_id=department,
        occurred_at=at,
        expires_at=at + protocol.handoff,
    )


def due(history: Sequence[Recorded[Event]], now: datetime, _: Protocol) -> list[Event]:
    """Return what has fallen due on a referral's stream and is not written down."""
    state, running = referral(history), deadlines(history)
    if state is None or any(r.erased for r in history if isinstance(r.event, ReferralOffered)):
        return []  # who it was about is erased
    events: list[Event] = []
    if running.met_by is not None and running.met_by <= now and not state.met and not running.missed:
        events.append(
            HandoffMissed(
                participant_id=state.participant,
                occurred_at=running.met_by,
                protocol_version=state.protocol_version,
            )
        )
    if running.non_return_until is not None and running.non_return_until <= now and not running.returned:
        events.append(
            NonReturnEnded(
                participant_id=state.participant, party_id=state.department, occurred_at=running.non_return_until
            )
        )
    if running.intake is not None and running.intake.event.due_at <= now:
        events += _passed(state, running, running.intake)
    return events


def _passed(state: Referral, running: Deadlines, intake: Recorded[DeadlineSet]) -> list[Event]:
    """Return what the end of the last day of an intake comes to.

    Every office that was not told `completed` hears the same, whether or not the charge is latched: that one may not
    hear of a latch must not show (labels, N).
    """
    events: list[Event] = []
    if not running.passed and any(not held.latched for held in state.charges.values()):
        events.append(
            DeadlinePassed(
                participant_id=state.participant,
                party_id=state.department,
                occurred_at=intake.event.due_at,
                due_on=intake.event.due_on,
                protocol_version=intake.event.protocol_version,
            )
        )
    fell_due = max(intake.event.due_at, intake.recorded_at)  # a release written down weeks later: when it was set
    return events + [
        _no_completion(state, matter, held, fell_due)
        for matter, held in state.charges.items()
        if not held.told and matter not in running.told
    ]


def _no_completion(state: Referral, matter: UUID, held: HeldCharge, at: datetime) -> Event:
    return ProsecutorNotified(
        participant_id=state.participant,
        party_id=held.prosecutor,
        matter_id=matter,
        occurred_at=at,
        code=NoticeCode.NO_COMPLETION,
        incident_number=held.incident_number,
        charge_code=held.charge.code,
    )


def ask_to_decide(
    state: Referral, history: Sequence[Recorded[Event]], enrolled_at: datetime, now: datetime
) -> list[Event]:
    """Ask offices, once, to decide on the charges that an enrolment came too late for. `history`: the participant's."""
    asked = deadlines(r for r in history if r.stream == state.id).asked
    if state.accepted_at is None or state.due_at is None or enrolled_at <= state.due_at:
        return []
    return [
        DecisionRequested(
            participant_id=state.participant,
            party_id=held.prosecutor,
            matter_id=matter,
            occurred_at=now,
            enrolled_at=enrolled_at,
            incident_number=held.incident_number,
            charge_code=held.charge.code,
        )
        for matter, held in state.charges.items()
        if not held.latched and not held.excluded and matter not in asked
    ]


def undecided(history: Sequence[Recorded[Event]]) -> list[Recorded[DecisionRequested]]:
    """Return the requests that an office has not met yet, by a decision on the charge or by filing it."""
    decided = {(r.event.party_id, r.event.matter_id) for r in history if isinstance(r.event, DecisionRecorded)}
    filed = {(r.event.party_id, r.event.incident_number) for r in history if isinstance(r.event, CaseFiled)}
    return [
        recorded  # type: ignore[misc]  # narrowed by the line below
        for recorded in history
        if isinstance(asked := recorded.event, DecisionRequested)
        and not recorded.erased
        and (asked.party_id, asked.matter_id) not in decided
        and (asked.party_id, asked.incident_number) not in filed
    ]


def expired(history: Sequence[Recorded[Event]], now: datetime, _: Protocol) -> list[Event]:
    """Return the standing ROIs of a consent stream that came to their end; the gate had closed by itself."""
    state = _consent(history)
    return [] if state is None else roi.expire(state, now)


def renewal(history: Sequence[Recorded[Event]], now: datetime, protocol: Protocol) -> list[Event]:
    """Return the reminder that the standing ROI nears its end, while it still gives someone something."""
    state = _consent(history)
    if state is None or state.roi is None or state.expires_at is None or state.signed_at is None:
        return []
    begins = max(state.expires_at - timedelta(days=protocol.roi_notice_days), state.signed_at)
    written = any(
        isinstance(r.event, RenewalDue) and (r.event.roi, r.event.until) == (state.roi, state.expires_at)
        for r in history
    )
    if now < begins or written or not gave_to_the_end(history, state.roi, state.expires_at):
        return []
    return [RenewalDue(participant_id=state.participant, occurred_at=begins, roi=state.roi, until=state.expires_at)]


def gave_to_the_end(history: Iterable[Recorded[Event]], number: UUID, until: datetime) -> bool:
    """Return whether an ROI gives someone something, or did until it ended; not where all of it was taken back."""
    events = list(history)
    given = any(grant.roi == number and grant.labels is not None for grant in roi.grants(events).values())
    return given or any(isinstance(r.event, roi.RoiExpired) and r.event.occurred_at == until for r in events)


def missing_paper(history: Sequence[Recorded[Event]], now: datetime, _: Protocol) -> list[Event]:
    """Return the revocations by word of mouth whose paper should have come. It never returns anything to anyone."""
    written = {r.event.revoked_at for r in history if isinstance(r.event, PaperMissing)}
    oral = {
        r.event.occurred_at: r.event
        for r in history
        if isinstance(r.event, roi.RoiRevoked) and r.event.expires_at is not None and r.event.expires_at <= now
    }
    return [
        PaperMissing(participant_id=event.participant_id, occurred_at=event.expires_at, revoked_at=revoked_at)
        for revoked_at, event in oral.items()
        if event.expires_at is not None and revoked_at not in written and not papered(history, event)
    ]


def papered(history: Sequence[Recorded[Event]], oral: roi.RoiRevoked) -> bool:
    """Return whether a revocation by word of mouth has its paper, or came again in writing for the same party."""
    return any(
        isinstance(r.event, roi.RevocationPaper) and r.event.revocation == oral.revocation for r in history
    ) or any(
        isinstance(r.event, roi.RoiRevoked)
        and r.event.medium is roi.Medium.WRITTEN
        and r.event.party_id == oral.party_id
        and r.event.occurred_at >= oral.occurred_at
        for r in history
    )


def _consent(history: Sequence[Recorded[Event]]) -> roi.Consent | None:
    who = history[0].event.participant_id if history else None
    return None if who is None else roi.consent(who, history)
