"""What the project manager chases: the deadlines of arrest diversions that run, were met, or passed. By incident."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Annotated
from uuid import UUID

from domain.deadline import HandoffRequested
from domain.event import Event, Recorded
from domain.labels import Label, Reader
from domain.participant import Enrolment, StatusChanged
from domain.referral import HandoffMet, ReferralOffered
from projections.lens import History
from projections.rows import PartyId, Ref, RoleRow, model

READER = Reader.PROGRAM


class Stands(StrEnum):
    """How a deadline stands. What was met in time is met, though it was written down afterwards."""

    PENDING = "pending"
    MET = "met"
    PASSED = "passed"


@model(READER, "deadline", order=("due_at", "deadline_id"))
@dataclass(frozen=True, slots=True, kw_only=True)
class Deadline(RoleRow):
    """A deadline of an arrest diversion: the warm handoff's, or the intake's as it stands.

    `minutes`: from the call until the case manager was there, which the protocol asks to be few (T:348).
    """

    due_at: Annotated[datetime, Label.REFERRAL_STATUS]
    deadline_id: Ref
    referral_id: Ref
    department: Annotated[UUID, PartyId("department")]
    kind: Annotated[str, Label.REFERRAL_STATUS]
    stands: Annotated[str, Label.REFERRAL_STATUS, Label.ROSTER]
    minutes: Annotated[int | None, Label.REFERRAL_STATUS]
    incident_number: Annotated[str, Label.REFERRAL_POLICE]
    protocol_version: Annotated[str, Label.REFERRAL_POLICE]


def rows(history: History) -> Iterator[Deadline]:
    """Yield the deadlines of every referral of one participant. Nobody chases an intake that a death forestalled."""
    for offered in history.of(ReferralOffered):
        if not offered.erased:
            yield from _of_referral(history, offered)


def _of_referral(history: History, offered: Recorded[ReferralOffered]) -> Iterator[Deadline]:
    own = history.stream(offered.stream)
    state, running = own.referral, own.deadlines
    if state is None:
        return

    def deadline(
        recorded: Recorded[Event], kind: str, due_at: datetime, stands: Stands, minutes: int | None = None
    ) -> Deadline:
        return Deadline(
            subject_id=history.subject,
            as_of=history.position,
            due_at=due_at,
            deadline_id=recorded.id,
            referral_id=offered.stream,
            department=state.department,
            kind=kind,
            stands=stands,
            minutes=minutes,
            incident_number=offered.event.incident_number,
            protocol_version=state.protocol_version,
        )

    met = next(own.of(HandoffMet), None)
    for called in own.of(HandoffRequested):
        if (by := called.event.expires_at) is not None:
            in_time = met is not None and met.event.occurred_at <= by
            late = running.missed or met is not None
            stands = Stands.MET if in_time else Stands.PASSED if late else Stands.PENDING
            yield deadline(called, "handoff", by, stands, met.event.minutes if met else None)
    if running.intake is not None:
        latched = bool(state.charges) and all(held.latched for held in state.charges.values())
        stands = Stands.MET if latched else Stands.PASSED if running.passed else Stands.PENDING
        due_at = running.intake.event.due_at
        died = (r.event.occurred_at for r in history.of(StatusChanged) if r.event.status is Enrolment.DECEASED)
        if latched or not any(at < due_at for at in died):
            yield deadline(running.intake, "intake", due_at, stands)
