"""What the case-management team and counsel have to do, as it follows from what happened. It ends with its reason."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, NamedTuple
from uuid import UUID

from domain.deadline import PaperMissing, RenewalDue, gave_to_the_end, papered, undecided
from domain.disclosure import OralDisclosure
from domain.event import Recorded
from domain.labels import Label, Reader
from domain.legal_case import CaseFiled
from domain.participant import Enrolment, ParticipantEnrolled, StatusChanged
from domain.plan import PlanReviewDue, plan
from domain.referral import ChargeLatched, DepartmentNotified, NoticeCode, ReferralOffered
from domain.registry import Role
from domain.roi import RoiRevoked, RoiSigned
from projections.lens import History
from projections.record import names
from projections.rows import REFERENCE, Ref, RoleRow, model

READER = Reader.CASE_MANAGER
_ABOUT = (
    Label.REFERRAL_STATUS,
    Label.CHARGE_DIVERTED,
    Label.CASE_DOCKET,
    Label.CONSENT_STATE,
    Label.IIP_GOAL,
    Label.ENROLMENT_STATUS,
)


class TaskKind(StrEnum):
    """What there is to do. `OFFICE_NOT_TOLD`: a latched charge whose office may not hear `completed` (scenario L)."""

    INTAKE = "intake due"
    RENEWAL = "ROI to renew"
    REVIEW = "plan to go through again"
    PAPER = "paper of a revocation missing"
    READ_BACK = "revocation by word of mouth to read back"
    OFFICE_NOT_TOLD = "charge latched, office not told"
    FILED = "latched charge filed"
    UNDECIDED = "charge not latched, its office asked to decide"
    CALL_BACK = "officer to call back: no capacity"


@model(READER, "task", order=("due_at", "task_id"))
@dataclass(frozen=True, slots=True, kw_only=True)
class Task(RoleRow):
    """Something to do for a participant. `about`: the referral or case that it concerns."""

    due_at: Annotated[datetime, *_ABOUT]
    task_id: Ref
    kind: Annotated[str, *_ABOUT]
    name: Annotated[str, Label.IDENTITY_LEGAL]
    carried_by: Annotated[UUID | None, REFERENCE]
    about: Annotated[UUID | None, REFERENCE]
    incident_number: Annotated[str | None, Label.CHARGE_DIVERTED]


class NotTold(NamedTuple):
    """A latched charge whose office was not told, when the day of the intake ends, or ended, and that office."""

    latched: Recorded[ChargeLatched]
    due_at: datetime
    office: UUID


def not_told(history: History) -> Iterator[NotTold]:
    """Yield the latched charges whose offices were not told: the latch stands all the same."""
    for stream in dict.fromkeys(r.stream for r in history.of(ReferralOffered) if not r.erased):
        own = history.stream(stream)
        state, running = own.referral, own.deadlines
        if state is None or running.intake is None:
            continue
        for latched in own.of(ChargeLatched):
            held = state.charges.get(latched.event.matter_id) if latched.event.matter_id else None
            if held is not None and not held.told and not latched.erased:
                yield NotTold(latched, running.intake.event.due_at, held.prosecutor)


def tasks(history: History) -> Iterator[Task]:
    """Yield what there is to do for one participant; after a death nothing that only the living can do."""
    dead = any(r.event.status is Enrolment.DECEASED for r in history.of(StatusChanged))
    named = [r for r in names(history) if not r.erased]
    carried_by = history.roster.carried_by.get(history.subject)

    def task(
        kind: TaskKind,
        recorded: Recorded[Any],
        due_at: datetime,
        about: UUID | None = None,
        incident: str | None = None,
    ) -> Task:
        return Task(
            subject_id=history.subject,
            as_of=history.position,
            due_at=due_at,
            task_id=recorded.id,
            kind=kind,
            name=str(named[-1].event.name) if named else "",
            carried_by=carried_by,
            about=about,
            incident_number=incident,
        )

    yield from _of_filings(history, task)
    if dead:
        return
    for stream in dict.fromkeys(r.stream for r in history.of(ReferralOffered) if not r.erased):
        yield from _of_referral(history, stream, task)
    for latched, due_at, _ in not_told(history):
        yield task(TaskKind.OFFICE_NOT_TOLD, latched, due_at, latched.stream, latched.event.incident_number)
    yield from _of_officers(history, task)
    for asked in undecided(history.events):
        yield task(TaskKind.UNDECIDED, asked, asked.event.occurred_at, asked.stream, asked.event.incident_number)
    yield from _of_consent(history, task)
    yield from _of_plan(history, task)


def _of_referral(history: History, stream: UUID, task: Any) -> Iterator[Task]:
    own = history.stream(stream)
    state, running = own.referral, own.deadlines
    if state is None or running.intake is None:
        return
    due_at = running.intake.event.due_at
    if not running.passed and not any(history.of(ParticipantEnrolled)):
        yield task(TaskKind.INTAKE, running.intake, due_at, stream)


def _of_filings(history: History, task: Any) -> Iterator[Task]:
    """Yield each case that brings a latched incident, once: all charges of an arrest have one incident number."""
    latched = {(r.event.prosecutor, r.event.incident_number) for r in history.of(ChargeLatched) if not r.erased}
    for filed in history.of(CaseFiled):
        if not filed.erased and (filed.event.party_id, filed.event.incident_number) in latched:
            yield task(TaskKind.FILED, filed, filed.event.received_at, filed.stream, filed.event.incident_number)


def _of_officers(history: History, task: Any) -> Iterator[Task]:
    """Yield whom an officer still holds, or has let go, without a word from the team; the call is written down."""
    called = [(r.event.party_id, r.event.occurred_at) for r in history.of(OralDisclosure)]
    for told in history.of(DepartmentNotified):
        party, at = told.event.party_id, told.event.occurred_at
        if told.event.code is NoticeCode.NO_CAPACITY and not any(to == party and when >= at for to, when in called):
            yield task(TaskKind.CALL_BACK, told, at, told.stream)


def _of_consent(history: History, task: Any) -> Iterator[Task]:
    signed = next(reversed(list(history.of(RoiSigned))), None)
    renewal = next(reversed(list(history.of(RenewalDue))), None)
    if signed is not None and renewal is not None and renewal.event.roi == signed.event.roi:
        until = renewal.event.until
        extended = (signed.event.expires_at or until) > until
        if not extended and gave_to_the_end(history.events, renewal.event.roi, until):
            yield task(TaskKind.RENEWAL, renewal, until)
    oral = {r.event.occurred_at: r for r in history.of(RoiRevoked) if r.event.expires_at is not None}
    for said in oral.values():
        if not _confirmed(history, said) and not papered(history.events, said.event):
            yield task(TaskKind.READ_BACK, said, said.event.occurred_at)
    for missing in history.of(PaperMissing):
        revocation = oral.get(missing.event.revoked_at)
        if revocation is not None and not papered(history.events, revocation.event):
            yield task(TaskKind.PAPER, missing, missing.event.occurred_at)


def _confirmed(history: History, said: Recorded[RoiRevoked]) -> bool:
    """Return whether a word was read back, then or since, or was written down by counsel, whose own it is."""
    since = (r.event for r in history.of(RoiRevoked) if r.position >= said.position)
    read_back = any(event.read_back and event.party_id == said.event.party_id for event in since)
    return read_back or said.envelope.role == Role.COUNSEL


def _of_plan(history: History, task: Any) -> Iterator[Task]:
    due = next(reversed(list(history.of(PlanReviewDue))), None)
    if due is not None and plan(history.subject, history.events).overdue:
        yield task(TaskKind.REVIEW, due, due.event.occurred_at)
