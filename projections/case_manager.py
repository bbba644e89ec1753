"""What the case-management team reads for care: everybody it carries, and their history."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated, Any
from uuid import UUID

from domain.event import Event, labels_of
from domain.labels import TABLE, Basis, Ceiling, Label, Reader, Viewer
from domain.participant import Enrolment, IntakeCompleted, ParticipantEnrolled, ParticipantIdentified
from domain.referral import DeadlineSet, ReferralAccepted
from domain.roi import RoiSigned, grants
from domain.roster import ParticipantAssigned
from projections.lens import History, Lens, Traced, is_id, plain
from projections.queue import queue
from projections.rows import ALLOWED, REFERENCE, Holding, Ref, RoleRow, Row, model

READER = Reader.CASE_MANAGER
_ROLE = ALLOWED[Holding.ROLE]
_CARE = tuple(label for label, line in TABLE.items() if Basis.ROLE in line.cells[READER])
_NOBODY = UUID(int=0)


@model(READER, "participant", order=("name", "subject_id"))
@dataclass(frozen=True, slots=True, kw_only=True)
class Participant(RoleRow):
    """A person whom the team carries or may come to carry."""

    name: Annotated[str, Label.IDENTITY_LEGAL]
    birth_date: Annotated[date | None, Label.IDENTITY_LEGAL]
    phone: Annotated[str | None, Label.CONTACT_PHONE]
    found_at: Annotated[str | None, Label.CONTACT_LOCATION]
    enrolment: Annotated[str, Label.ENROLMENT_STATUS]
    enrolled_at: Annotated[datetime | None, Label.ENROLMENT_STATUS]
    carried_by: Annotated[UUID | None, REFERENCE]
    case_manager: Annotated[str | None, Label.CASE_MANAGER_CONTACT]
    intake_due_on: Annotated[date | None, Label.REFERRAL_STATUS]
    roi: Annotated[UUID | None, REFERENCE]
    roi_until: Annotated[datetime | None, Label.CONSENT_STATE]


@model(READER, "recipient", order=("subject_id", "party_id"))
@dataclass(frozen=True, slots=True, kw_only=True)
class Recipient(RoleRow):
    """What a participant's consent gives one party now."""

    party_id: Ref
    labels: Annotated[list[str], Label.CONSENT_SCOPE]
    purpose: Annotated[str, Label.CONSENT_SCOPE]
    covers_from: Annotated[datetime | None, Label.CONSENT_SCOPE]
    until: Annotated[datetime | None, Label.CONSENT_SCOPE]
    items: Annotated[int, Label.CONSENT_STATE]


@model(READER, "entry", order=("subject_id", "occurred_at", "entry_id"), descending=True)
@dataclass(frozen=True, slots=True, kw_only=True)
class Entry(RoleRow):
    """One event of a participant's history, as far as care may read it."""

    occurred_at: Annotated[datetime, *_CARE]
    recorded_at: Annotated[datetime, *_CARE]
    entry_id: Ref
    stream_id: Ref
    matter_id: Annotated[UUID | None, REFERENCE]
    kind: Annotated[str, *_CARE]
    shown: Annotated[str, *_CARE]
    body: Annotated[dict[str, Any], *_CARE]


def rows(history: History, ceiling: Ceiling, at: datetime, trace: list[Traced] | None = None) -> Iterator[Row]:
    """Yield every row that the team has of one participant."""
    yield from queue(history, READER, ceiling, at, trace)
    if not any(history.of(ParticipantIdentified, ReferralAccepted)):
        return  # a record about nobody in LEAD
    lens = Lens(Viewer(READER, _NOBODY), None, ceiling, at, trace)
    yield _participant(history, lens)
    for party, grant in grants(history.events).items():
        yield Recipient(
            subject_id=history.subject,
            as_of=history.position,
            party_id=party,
            labels=sorted(grant.labels or ()) if grant.live_roi(at) else [],
            purpose=grant.purpose,
            covers_from=grant.covers_from,
            until=grant.until,
            items=sum(1 for _, until in grant.items if until > at),
        )
    for recorded in history.events:
        body = {
            name: plain(value)
            for name in labels_of(type(recorded.event))
            if name != "occurred_at" and (value := lens.see(recorded, name, _ROLE)) is not None and not is_id(value)
        }
        if body or _seen(recorded.event):
            yield Entry(
                subject_id=history.subject,
                as_of=history.position,
                occurred_at=recorded.event.occurred_at,
                recorded_at=recorded.recorded_at,
                entry_id=recorded.id,
                stream_id=recorded.stream,
                matter_id=recorded.event.matter_id,
                kind=recorded.event.topic,
                shown=_labels(recorded.event, body),
                body=body,
            )


def _seen(event: Event) -> bool:
    return Basis.ROLE in TABLE[event.label].cells[READER]


def _labels(event: Event, body: dict[str, Any]) -> str:
    """Return the labels of what an entry shows, in order, separated by spaces."""
    shown = {label for name in body for label in event.subject_labels(name)} | {event.label}
    return " ".join(sorted(shown))


def _participant(history: History, lens: Lens) -> Participant:
    def last(kind: type[Event], field: str) -> Any:
        values = [lens.see(recorded, field, _ROLE) for recorded in history.of(kind)]
        return next((value for value in reversed(values) if value is not None), None)

    carried = [r.event.staff_id for r in history.of(ParticipantAssigned)]
    signed = [r for r in history.of(RoiSigned) if not r.event.amends]  # an amendment has an end of its own
    return Participant(
        subject_id=history.subject,
        as_of=history.position,
        name=str(last(ParticipantIdentified, "name") or ""),
        birth_date=last(ParticipantIdentified, "birth_date"),
        phone=last(IntakeCompleted, "phone"),
        found_at=last(ReferralAccepted, "found_at"),
        enrolment=last(ParticipantEnrolled, "status") or Enrolment.REFERRED,
        enrolled_at=last(ParticipantEnrolled, "occurred_at"),
        carried_by=carried[-1] if carried else None,
        case_manager=last(ParticipantAssigned, "case_manager"),
        intake_due_on=last(DeadlineSet, "due_on"),
        roi=last(RoiSigned, "roi"),
        roi_until=signed[-1].event.expires_at if signed else None,
    )
