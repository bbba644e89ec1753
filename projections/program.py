"""What the project manager reads to run the site: referrals by door, places on the roster, the stops (T:989)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated
from uuid import UUID

from domain.event import Event, Recorded
from domain.labels import Ceiling, Label, Reader, Viewer
from domain.participant import Enrolment, IntakeCompleted, ParticipantEnrolled, StatusChanged, participant
from domain.referral import STARTS, ChargeHeld, ReferralAccepted, ReferralOffered
from domain.roster import ROSTER
from domain.stop_record import StopRecorded
from projections import deadlines, finding
from projections.ask import InboxConcern, inbox_concerns
from projections.lens import NOBODY, History, Lens, Traced
from projections.queue import queue
from projections.record import is_participant
from projections.rows import ALLOWED, REFERENCE, Holding, Ref, RoleRow, Row, model

READER = Reader.PROGRAM
UNKNOWN = "unknown"
_ROLE = ALLOWED[Holding.ROLE]
REFERRED: tuple[type[Event], ...] = STARTS
"""How a referral begins, at each door; its event names the door."""
ACCEPTED: tuple[type[Event], ...] = (ReferralAccepted,)
"""How one is accepted, on the same stream."""


@model(READER, "stop", order=("subject_id",))
@dataclass(frozen=True, slots=True, kw_only=True)
class Stop(RoleRow):
    """One stop of an administrative record, de-identified."""

    stopped_at: Annotated[datetime, Label.STOP_RECORD]
    precinct: Annotated[str, Label.STOP_RECORD]
    race_as_perceived: Annotated[str, Label.STOP_RECORD]
    arrested: Annotated[bool, Label.STOP_RECORD]


@model(READER, "concern", order=("raised_at", "concern_id"), descending=True)
@dataclass(frozen=True, slots=True, kw_only=True)
class Concern(InboxConcern):
    """A concern of a defender's office or counsel, to be answered on the record."""


@model(READER, "way", order=("subject_id", "referral_id"))
@dataclass(frozen=True, slots=True, kw_only=True)
class Way(RoleRow):
    """One referral and how far it led. Race as the person says and as the officer wrote it stay apart (T:251)."""

    referral_id: Ref
    door: Annotated[str, Label.REFERRAL_POLICE, Label.REFERRAL_COMMUNITY, Label.MESSAGE_ASK]
    precinct: Annotated[str, Label.REFERRAL_POLICE]
    accepted: Annotated[bool, Label.REFERRAL_STATUS]
    enrolled: Annotated[bool, Label.ENROLMENT_STATUS]
    race_self_reported: Annotated[str, Label.DEMOGRAPHICS_SELF]
    race_as_perceived: Annotated[str, Label.DEMOGRAPHICS_OFFICER]


@model(READER, "status", order=("subject_id",))
@dataclass(frozen=True, slots=True, kw_only=True)
class Status(RoleRow):
    """Where one participant stands, the dead too; records that were merged are one."""

    status: Annotated[str, Label.ENROLMENT_STATUS]


@model(READER, "place", order=("subject_id",))
@dataclass(frozen=True, slots=True, kw_only=True)
class Place(RoleRow):
    """A participant's place on the roster: who carries it, or, with a slot kept, nobody yet; who covers, until when."""

    carried_by: Annotated[UUID | None, REFERENCE]
    covered_by: Annotated[UUID | None, REFERENCE]
    covered_from: Annotated[datetime | None, Label.ROSTER]
    covered_until: Annotated[datetime | None, Label.ROSTER]


@model(READER, "duty", order=("begins_at", "staff_id"))
@dataclass(frozen=True, slots=True, kw_only=True)
class Duty(RoleRow):
    """When someone is on call."""

    staff_id: Ref
    begins_at: Annotated[datetime, Label.ROSTER]
    ends_at: Annotated[datetime, Label.ROSTER]


def rows(history: History, ceiling: Ceiling, at: datetime, trace: list[Traced] | None = None) -> Iterator[Row]:
    """Yield what this history comes to: a participant's status, referrals, place and deadlines, the on-call roster, a
    concern, or a stop.
    """
    yield from inbox_concerns(history, READER, Concern, ceiling, at, trace)
    yield from deadlines.rows(history)
    yield from finding.program_rows(history, ceiling, at, trace)
    yield from queue(history, READER, ceiling, at, trace)
    lens = Lens(Viewer(READER, NOBODY), None, ceiling, at, trace)
    yield from _status(history, lens)
    yield from _referrals(history, lens)
    yield from _places(history)
    for recorded in history.of(StopRecorded):
        yield Stop(
            subject_id=history.subject,
            as_of=history.position,
            stopped_at=recorded.event.occurred_at,
            precinct=lens.see(recorded, "precinct", _ROLE) or UNKNOWN,
            race_as_perceived=lens.see(recorded, "race_as_perceived", _ROLE) or UNKNOWN,
            arrested=bool(lens.see(recorded, "arrested", _ROLE)),
        )


def _status(history: History, lens: Lens) -> Iterator[Status]:
    if not is_participant(history) or participant(history.subject, history.events).into is not None:
        return
    said = [status for r in history.of(ParticipantEnrolled, StatusChanged) if (status := lens.see(r, "status", _ROLE))]
    yield Status(subject_id=history.subject, as_of=history.position, status=said[-1] if said else Enrolment.REFERRED)


def _referrals(history: History, lens: Lens) -> Iterator[Way]:
    enrolled = any(lens.see(r, "status", _ROLE) for r in history.of(ParticipantEnrolled))
    said = [race for r in history.of(IntakeCompleted) if (race := lens.see(r, "race_self", _ROLE))]
    for recorded in history.of(*REFERRED):
        stream = history.stream(recorded.stream)
        perceived = [lens.see(r, "race_as_perceived", _ROLE) for r in stream.of(ChargeHeld)]
        yield Way(
            subject_id=history.subject,
            as_of=history.position,
            referral_id=recorded.stream,
            door=lens.see(recorded, "door", _ROLE) or UNKNOWN,
            precinct=_precinct(recorded, lens) or UNKNOWN,
            accepted=any(stream.of(*ACCEPTED)),
            enrolled=enrolled,
            race_self_reported=said[-1] if said else UNKNOWN,
            race_as_perceived=next(filter(None, perceived), UNKNOWN),
        )


def _precinct(recorded: Recorded[Event], lens: Lens) -> str | None:
    """Return where an arrest was; no other door has a precinct."""
    found: str | None = lens.see(recorded, "precinct", _ROLE) if isinstance(recorded.event, ReferralOffered) else None
    return found


def _places(history: History) -> Iterator[Row]:
    standing = history.roster
    if history.subject in standing.carried_by or history.subject in standing.reserved:
        cover = standing.cover.get(history.subject)
        yield Place(
            subject_id=history.subject,
            as_of=history.position,
            carried_by=standing.carried_by.get(history.subject),
            covered_by=cover.staff if cover else None,
            covered_from=cover.begins_at if cover else None,
            covered_until=cover.ends_at if cover else None,
        )
    if history.subject == ROSTER:
        for duty in standing.on_call:
            yield Duty(
                subject_id=history.subject,
                as_of=history.position,
                staff_id=duty.staff,
                begins_at=duty.begins_at,
                ends_at=duty.ends_at,
            )
