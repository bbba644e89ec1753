"""What the case-management team reads for care: everybody it carries, and their history."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated, Any
from uuid import UUID

from domain.event import Event, Recorded, labels_of
from domain.identity import RecordSubject, named, waiting
from domain.labels import TABLE, Basis, Ceiling, Label, Reader, Viewer
from domain.participant import (
    AliasRecorded,
    Enrolment,
    IntakeCompleted,
    NameCorrected,
    ParticipantEnrolled,
    ParticipantIdentified,
    PhoneChanged,
    StatusChanged,
    participant,
)
from domain.plan import BarrierNoted, ChallengeNoted, GoalChosen, GoalEnded, NeedNoted, ProgressNoted, plan
from domain.referral import DeadlineSet, ReferralAccepted
from domain.roi import RoiSigned
from domain.roster import ROSTER, ParticipantAssigned
from projections.ask import InboxAsk, inbox_asks
from projections.lens import NOBODY, History, Lens, Traced
from projections.queue import queue
from projections.record import RoleRecipient, labels_of_entry, recipients
from projections.rows import ALLOWED, REFERENCE, Holding, PartyId, Ref, RoleRow, Row, model
from projections.task import tasks

READER = Reader.CASE_MANAGER
_ROLE = ALLOWED[Holding.ROLE]
_CARE = tuple(label for label, line in TABLE.items() if Basis.ROLE in line.cells[READER])


@model(READER, "participant", order=("name", "subject_id"))
@dataclass(frozen=True, slots=True, kw_only=True)
class Participant(RoleRow):
    """A person whom the team carries or may come to carry."""

    name: Annotated[str, Label.IDENTITY_LEGAL]
    birth_date: Annotated[date | None, Label.IDENTITY_LEGAL]
    other_names: Annotated[list[str] | None, Label.IDENTITY_ALIAS]
    phone: Annotated[str | None, Label.CONTACT_PHONE]
    phone_is_shared: Annotated[bool | None, Label.CONTACT_PHONE]
    found_at: Annotated[str | None, Label.CONTACT_LOCATION]
    enrolment: Annotated[str, Label.ENROLMENT_STATUS]
    enrolled_at: Annotated[datetime | None, Label.ENROLMENT_STATUS]
    status_since: Annotated[datetime | None, Label.ENROLMENT_STATUS]
    ground: Annotated[str | None, Label.CONTACT_NOTE]
    merged_into: Annotated[UUID | None, REFERENCE]
    plan_review_at: Annotated[datetime | None, Label.IIP_GOAL]
    carried_by: Annotated[UUID | None, REFERENCE]
    case_manager: Annotated[str | None, Label.CASE_MANAGER_CONTACT]
    covered_by: Annotated[UUID | None, REFERENCE]
    covered_from: Annotated[datetime | None, Label.ROSTER]
    covered_until: Annotated[datetime | None, Label.ROSTER]
    intake_due_on: Annotated[date | None, Label.REFERRAL_STATUS]
    roi: Annotated[UUID | None, REFERENCE]
    roi_until: Annotated[datetime | None, Label.CONSENT_STATE]


@model(READER, "recipient", order=("subject_id", "party_id"))
@dataclass(frozen=True, slots=True, kw_only=True)
class Recipient(RoleRecipient):
    """What a participant's consent gives one party now."""


_PLAN = (
    Label.IIP_GOAL,
    Label.IIP_PROGRESS,
    Label.IIP_CHALLENGE,
    Label.IIP_BARRIER,
    Label.NEED_HOUSING,
    Label.NEED_INCOME,
    Label.NEED_WORK,
    Label.NEED_EDUCATION,
    Label.NEED_FAMILY,
)


_BESIDE_THE_TEXT = frozenset({"occurred_at", "entry_id", "dimension", "measure", "goal"})


@model(READER, "plan_entry", order=("subject_id", "noted_at", "plan_entry", "kind"))
@dataclass(frozen=True, slots=True, kw_only=True)
class PlanEntry(RoleRow):
    """One sentence of a participant's plan as it stands. `goal`: the goal that a step leads to."""

    noted_at: Annotated[datetime, *_PLAN]
    plan_entry: Ref
    kind: Annotated[str, *_PLAN]
    text: Annotated[str, *_PLAN]
    dimension: Annotated[str | None, Label.IIP_GOAL]
    ended: Annotated[str | None, Label.IIP_GOAL]
    measure: Annotated[str | None, Label.IIP_PROGRESS]
    goal: Annotated[UUID | None, REFERENCE]
    shown: Annotated[str, *_PLAN]


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


@model(READER, "match", order=("score", "match_id"), descending=True)
@dataclass(frozen=True, slots=True, kw_only=True)
class Match(RoleRow):
    """An agency's record that may be this participant's: a supervisor decides. It says in what the two agree.

    `score`: in bits, the likeliest first. `matter_id`: the record. `likeness`: of the names, in hundredths.
    """

    score: Annotated[int, Label.IDENTITY_EXTERNAL]
    match_id: Ref
    matter_id: Ref
    agency_id: Annotated[UUID, PartyId("agency")]
    proposed_at: Annotated[datetime, Label.IDENTITY_EXTERNAL]
    sid: Annotated[str, Label.IDENTITY_EXTERNAL]
    birth_date: Annotated[str, Label.IDENTITY_EXTERNAL]
    likeness: Annotated[int, Label.IDENTITY_EXTERNAL]
    number: Annotated[bool, Label.IDENTITY_EXTERNAL]


_RECORDS = (Label.CUSTODY, Label.CASE_DOCKET, Label.WARRANT)


@model(READER, "match_record", order=("match_id",))
@dataclass(frozen=True, slots=True, kw_only=True)
class MatchRecord(RoleRow):
    """Whom the record of a match names, and nothing else that it says: until it is linked, it may be a stranger's."""

    match_id: Ref
    name: Annotated[str, *_RECORDS]
    born: Annotated[date | None, *_RECORDS]
    sid: Annotated[str | None, *_RECORDS]
    shown: Annotated[str, *_RECORDS]


@model(READER, "ask", order=("asked_at", "ask_id"), descending=True)
@dataclass(frozen=True, slots=True, kw_only=True)
class Ask(InboxAsk):
    """What a partner asked or told, for the team to take up."""


@model(READER, "duty", order=("begins_at", "staff_id"))
@dataclass(frozen=True, slots=True, kw_only=True)
class Duty(RoleRow):
    """When someone of the team is on call."""

    staff_id: Ref
    begins_at: Annotated[datetime, Label.ROSTER]
    ends_at: Annotated[datetime, Label.ROSTER]


def rows(history: History, ceiling: Ceiling, at: datetime, trace: list[Traced] | None = None) -> Iterator[Row]:
    """Yield every row that the team has of one participant; of the roster, who is on call; of an ask, the ask."""
    yield from inbox_asks(history, READER, Ask, ceiling, at, trace)
    yield from queue(history, READER, ceiling, at, trace)
    if history.subject == ROSTER:
        for duty in history.roster.on_call:
            yield Duty(
                subject_id=history.subject,
                as_of=history.position,
                staff_id=duty.staff,
                begins_at=duty.begins_at,
                ends_at=duty.ends_at,
            )
    if not any(history.of(ParticipantIdentified, ReferralAccepted)):
        return  # a record about nobody in LEAD
    lens = Lens(Viewer(READER, NOBODY), None, ceiling, at, trace)
    yield _participant(history, lens)
    for columns in recipients(history, at):
        yield Recipient(**columns)
    yield from tasks(history)
    yield from _matches(history, lens)
    yield from _plan(history, lens)
    kept_back = history.kept_back(READER, at)
    for recorded in history.read_by(READER):
        shown = [name for name, decision in lens.shown(recorded) if decision.basis in _ROLE]
        if _seen(recorded.event) and recorded.position not in kept_back:
            told = history.told(recorded)
            body = {name: told[name] for name in shown if name in told and name != "occurred_at"}
            yield Entry(
                subject_id=history.subject,
                as_of=history.position,
                occurred_at=recorded.event.occurred_at,
                recorded_at=recorded.recorded_at,
                entry_id=recorded.id,
                stream_id=recorded.stream,
                matter_id=recorded.event.matter_id,
                kind=recorded.event.topic,
                shown=labels_of_entry(recorded.event, body),
                body=body,
            )


def _matches(history: History, lens: Lens) -> Iterator[Match | MatchRecord]:
    """Yield the proposals that nobody has decided, and whom the record of each names now."""
    names = {recorded.event.matter_id: recorded for recorded in history.proposed if named([recorded])}
    for matter, proposed in waiting(history.events).items():
        event = proposed.event
        yield Match(
            subject_id=history.subject,
            as_of=history.position,
            score=round(event.score),
            match_id=proposed.id,
            matter_id=matter,
            agency_id=event.source,
            proposed_at=event.occurred_at,
            sid=event.sid,
            birth_date=event.birth_date,
            likeness=round(event.likeness * 100),
            number=event.number,
        )
        if (recorded := names.get(matter)) is None or (field := recorded.event.names) is None:
            continue
        who = lens.see(recorded, field, _ROLE)
        if isinstance(who, RecordSubject):
            yield MatchRecord(
                subject_id=history.subject,
                as_of=history.position,
                match_id=proposed.id,
                name=who.full_name,
                born=who.birth_date,
                sid=who.sid,
                shown=labels_of(type(recorded.event))[field],
            )


def _plan(history: History, lens: Lens) -> Iterator[PlanEntry]:
    """Yield what stands in the plan; a goal under the same id takes the place of the one before."""
    ended = {r.event.entry_id: lens.see(r, "how", _ROLE) for r in history.of(GoalEnded) if not r.erased}
    goals = {r.event.entry_id: r for r in history.of(GoalChosen) if not r.erased}
    steps = [r for r in history.of(ProgressNoted, ChallengeNoted, BarrierNoted, NeedNoted) if not r.erased]
    for recorded in (*goals.values(), *steps):
        labels = labels_of(type(recorded.event))
        said = {name: lens.see(recorded, name, _ROLE) for name in labels}
        for name in said.keys() - _BESIDE_THE_TEXT:
            if said[name] is not None:
                yield PlanEntry(
                    subject_id=history.subject,
                    as_of=history.position,
                    noted_at=said["occurred_at"],
                    plan_entry=said["entry_id"],
                    kind=labels[name],
                    text=said[name],
                    dimension=said.get("dimension"),
                    ended=ended.get(said["entry_id"]),
                    measure=said.get("measure"),
                    goal=said.get("goal"),
                    shown=labels[name],
                )


def _seen(event: Event) -> bool:
    return Basis.ROLE in TABLE[event.label].cells[READER]


def _participant(history: History, lens: Lens) -> Participant:
    def last(kind: type[Event], field: str) -> Any:
        values = [lens.see(recorded, field, _ROLE) for recorded in history.of(kind)]
        return next((value for value in reversed(values) if value is not None), None)

    standing = history.roster
    carried_by, cover = standing.carried_by.get(history.subject), standing.cover.get(history.subject)
    identified = NameCorrected if any(history.of(NameCorrected)) else ParticipantIdentified
    phones: list[Recorded[Any]] = [r for r in history.of(IntakeCompleted) if r.event.phone is not None]
    phones = sorted([*phones, *history.of(PhoneChanged)], key=lambda recorded: recorded.position)
    names = [lens.see(r, "alias", _ROLE) for r in history.of(AliasRecorded)]
    state = participant(history.subject, history.events)
    changed = list(history.of(StatusChanged))
    its_plan = plan(history.subject, history.events)
    signed = [r for r in history.of(RoiSigned) if not r.event.amends]  # an amendment has an end of its own
    return Participant(
        subject_id=history.subject,
        as_of=history.position,
        name=str(last(identified, "name") or ""),
        birth_date=last(identified, "birth_date"),
        other_names=list(dict.fromkeys(name for name in names if name is not None)) or None,
        phone=lens.see(phones[-1], "phone", _ROLE) if phones else None,
        phone_is_shared=last(PhoneChanged, "shared"),
        found_at=last(ReferralAccepted, "found_at"),
        enrolment=last(StatusChanged, "status") or last(ParticipantEnrolled, "status") or Enrolment.REFERRED,
        enrolled_at=last(ParticipantEnrolled, "occurred_at"),
        carried_by=carried_by,
        case_manager=last(ParticipantAssigned, "case_manager") if carried_by else None,
        covered_by=cover.staff if cover else None,
        covered_from=cover.begins_at if cover else None,
        covered_until=cover.ends_at if cover else None,
        status_since=last(StatusChanged, "occurred_at") or last(ParticipantEnrolled, "occurred_at"),
        ground=lens.see(changed[-1], "ground", _ROLE) if changed else None,
        merged_into=state.into,
        plan_review_at=its_plan.review_at,
        intake_due_on=last(DeadlineSet, "due_on"),
        roi=last(RoiSigned, "roi"),
        roi_until=signed[-1].event.expires_at if signed else None,
    )
