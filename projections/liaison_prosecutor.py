"""What a prosecutor's office may know: its own docket, decisions, warrants and notices, the record of courts, and what
a live ROI names it for.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from functools import partial
from typing import Annotated, Any
from uuid import UUID

from domain.deadline import undecided
from domain.event import Recorded
from domain.hearing import hearings
from domain.labels import Ceiling, Label, Reader, Viewer
from domain.legal_case import (
    CaseDisposed,
    CaseFiled,
    DecisionKind,
    DecisionRecorded,
    ReviewSet,
    harsher,
    standing_review,
)
from domain.referral import NoticeCode, ProsecutorNotified
from domain.warrant import ACTIVE, WarrantEnded, WarrantIssued
from projections import finding
from projections import public_record as public
from projections.ask import OwnAsk, own_asks
from projections.lens import History, Lens, Traced
from projections.partner import GrantedEntry, GrantedParticipant, granted
from projections.public_record import charges_now, defendant_now, docket_now, last, next_hearing
from projections.referrer import referred
from projections.rows import ALLOWED, REFERENCE, GrantedRow, Holding, OwnRow, Ref, Row, model

READER = Reader.PROSECUTOR
_OWN = ALLOWED[Holding.OWN]
_REVIEW = "review"


@model(READER, "own_case", order=("filed_on", "case_id"), descending=True)
@dataclass(frozen=True, slots=True, kw_only=True)
class OwnCase(OwnRow):
    """A case that this office filed, whether or not its defendant is in LEAD."""

    filed_on: Annotated[date, Label.CASE_DOCKET]
    case_id: Ref
    participant_id: Annotated[UUID | None, REFERENCE]
    docket: Annotated[str, Label.CASE_DOCKET]
    defendant: Annotated[str | None, Label.CASE_DOCKET]
    birth_date: Annotated[date | None, Label.CASE_DOCKET]
    charges: Annotated[list[dict[str, Any]], Label.CASE_DOCKET]
    incident_number: Annotated[str | None, Label.CASE_DOCKET]
    offense_on: Annotated[date | None, Label.CASE_DOCKET]
    arrested_on: Annotated[date | None, Label.CASE_DOCKET]
    received_at: Annotated[datetime | None, Label.CASE_DOCKET]
    next_hearing: Annotated[datetime | None, Label.CASE_DOCKET]
    disposition: Annotated[str | None, Label.CASE_DOCKET]
    disposed_on: Annotated[date | None, Label.CASE_DOCKET]
    last_decision: Annotated[str | None, Label.PROSECUTOR_DECISION]
    ceiling: Annotated[str | None, Label.PROSECUTOR_DECISION]
    review_on: Annotated[date | None, Label.PROSECUTOR_DECISION]


@model(READER, "own_decision", order=("decided_at", "decision_id"), descending=True)
@dataclass(frozen=True, slots=True, kw_only=True)
class OwnDecision(OwnRow):
    """A decision of this office. `beyond`: the ceiling that stood before it, where it is harsher than that."""

    decided_at: Annotated[datetime, Label.PROSECUTOR_DECISION]
    decision_id: Ref
    case_id: Ref
    kind: Annotated[str | None, Label.PROSECUTOR_DECISION]
    reason: Annotated[str | None, Label.PROSECUTOR_DECISION]
    ceiling: Annotated[str | None, Label.PROSECUTOR_DECISION]
    beyond: Annotated[str | None, Label.PROSECUTOR_DECISION]
    source: Annotated[str | None, Label.PROSECUTOR_DECISION]
    note: Annotated[str | None, Label.PROSECUTOR_WORKPRODUCT]
    protocol_version: Annotated[str | None, Label.PROSECUTOR_DECISION]


@model(READER, "own_date", order=("due_at", "date_id"))
@dataclass(frozen=True, slots=True, kw_only=True)
class OwnDate(OwnRow):
    """A hearing of this office's that is not over, or the day on which what it put off is looked at again."""

    due_at: Annotated[datetime, Label.CASE_DOCKET, Label.PROSECUTOR_DECISION]
    date_id: Ref
    case_id: Ref
    docket: Annotated[str | None, Label.CASE_DOCKET]
    what: Annotated[str | None, Label.CASE_DOCKET, Label.PROSECUTOR_DECISION]
    courtroom: Annotated[str | None, Label.CASE_DOCKET]


@model(READER, "own_warrant", order=("issued_on", "warrant_id"), descending=True)
@dataclass(frozen=True, slots=True, kw_only=True)
class OwnWarrant(OwnRow):
    """A warrant that this office recorded, and whether it stands."""

    issued_on: Annotated[date, Label.WARRANT]
    warrant_id: Ref
    participant_id: Annotated[UUID | None, REFERENCE]
    number: Annotated[str | None, Label.WARRANT]
    kind: Annotated[str | None, Label.WARRANT]
    court: Annotated[str | None, Label.WARRANT]
    defendant: Annotated[str | None, Label.WARRANT]
    birth_date: Annotated[date | None, Label.WARRANT]
    docket: Annotated[str | None, Label.WARRANT]
    state: Annotated[str, Label.WARRANT]
    ended_on: Annotated[date | None, Label.WARRANT]


@model(READER, "own_notice", order=("sent_at", "notice_id"), descending=True)
@dataclass(frozen=True, slots=True, kw_only=True)
class OwnNotice(OwnRow):
    """A closed code that this office was sent; once sent, it is the office's own. On `charge_id` it may decide."""

    sent_at: Annotated[datetime, Label.CHARGE_DIVERTED]
    notice_id: Ref
    participant_id: Ref
    charge_id: Annotated[UUID | None, REFERENCE]
    code: Annotated[str | None, Label.CHARGE_DIVERTED]
    until_day: Annotated[date | None, Label.CHARGE_DIVERTED]
    incident_number: Annotated[str | None, Label.CHARGE_DIVERTED]
    charge_code: Annotated[str | None, Label.CHARGE_DIVERTED]


@model(READER, "own_obligation", order=("since", "obligation_id"), descending=True)
@dataclass(frozen=True, slots=True, kw_only=True)
class OwnObligation(OwnRow):
    """A charge that this office will not file: it was told `completed`, and that is its own (T:1183)."""

    since: Annotated[datetime, Label.CHARGE_DIVERTED]
    obligation_id: Ref
    participant_id: Ref
    incident_number: Annotated[str | None, Label.CHARGE_DIVERTED]
    charge_code: Annotated[str | None, Label.CHARGE_DIVERTED]
    obligation: Annotated[str, Label.CHARGE_DIVERTED]


@model(READER, "public_case", order=("docket", "case_id"))
@dataclass(frozen=True, slots=True, kw_only=True)
class PublicCase(public.PublicCase):
    """A case on a court's docket."""


@model(READER, "public_warrant", order=("issued_on", "warrant_id"), descending=True)
@dataclass(frozen=True, slots=True, kw_only=True)
class PublicWarrant(public.PublicWarrant):
    """A warrant that a court issued."""


@model(READER, "granted_participant", order=("place", "subject_id"))
@dataclass(frozen=True, slots=True, kw_only=True)
class Participant(GrantedParticipant):
    """A participant whose ROI names this office."""

    enrolled_at: Annotated[datetime | None, Label.ENROLMENT_STATUS]


@model(READER, "granted_case", order=("case_id", "subject_id"))
@dataclass(frozen=True, slots=True, kw_only=True)
class SharedCase(GrantedRow):
    """A case of this office's own, of a participant who lets the office know of it: LEAD's column stands beside it.

    Whose a case is that names nobody, a link says; without a living ROI the office's docket does not tell.
    """

    case_id: Ref


@model(READER, "granted_entry", order=("subject_id", "occurred_at", "entry_id"))
@dataclass(frozen=True, slots=True, kw_only=True)
class Entry(GrantedEntry):
    """What LEAD told this office."""


@model(READER, "granted_request", order=("asked_at", "request_id"), descending=True)
@dataclass(frozen=True, slots=True, kw_only=True)
class Request(GrantedRow):
    """A charge that its person's enrolment came too late for: this office is asked to decide, and has not yet."""

    asked_at: Annotated[datetime, Label.ENROLMENT_STATUS]
    request_id: Ref
    charge_id: Annotated[UUID | None, REFERENCE]
    incident_number: Annotated[str | None, Label.CHARGE_DIVERTED]
    charge_code: Annotated[str | None, Label.CHARGE_DIVERTED]


@model(READER, "own_ask", order=("asked_at", "ask_id"), descending=True)
@dataclass(frozen=True, slots=True, kw_only=True)
class Ask(OwnAsk):
    """What this party asked or told, as it sent it."""


WILL_NOT_BE_FILED = "will not be filed"


def rows(history: History, ceiling: Ceiling, at: datetime, trace: list[Traced] | None = None) -> Iterator[Row]:
    """Yield every row that any prosecutor's office has of one subject."""

    def eyes(office: UUID) -> Lens:
        return Lens(Viewer(READER, office), None, ceiling, at, trace)

    for filed in history.of(CaseFiled):
        if filed.event.party_id is not None:
            yield from _matter(history.stream(filed.stream), filed, eyes(filed.event.party_id))
    for charge, office in _charges_decided(history).items():
        yield from _held(history.stream(charge), charge, eyes(office))
    for issued in history.of(WarrantIssued):
        if issued.event.office is not None and issued.event.office == issued.event.party_id:
            yield _warrant(history.stream(issued.stream), issued, eyes(issued.event.office))
    for sent in history.of(ProsecutorNotified):
        if sent.event.party_id is not None:
            lens = eyes(sent.event.party_id)
            yield (notice := _notice(history, sent, lens))
            if notice.code is NoticeCode.COMPLETED:
                yield _obligation(notice)
    yield from finding.office_rows(history, ceiling, at, trace)
    yield from referred(history, READER, ceiling, at, trace)
    yield from public.public_record(history, READER, ceiling, at, trace, case=PublicCase, warrant=PublicWarrant)
    yield from _granted(history, ceiling, at, trace)
    yield from own_asks(history, READER, Ask, ceiling, at, trace)


def _granted(history: History, ceiling: Ceiling, at: datetime, trace: list[Traced] | None) -> Iterator[Row]:
    """Yield what a live ROI names an office for, which of its cases that is about, and what it is asked to decide."""
    asked = {history.id_of(recorded): recorded.event for recorded in undecided(history.events)}
    for row in granted(history, READER, Participant, Entry, ceiling, at, trace):
        yield row
        if isinstance(row, Entry) and row.entry_id in asked:
            yield _request(row, asked[row.entry_id].matter_id)
        elif isinstance(row, Participant):
            yield from _shared_cases(history, row)


def _charges_decided(history: History) -> dict[UUID, UUID]:
    """Return the charges held back on which an office decided without filing a case, and which office."""
    filed = {recorded.stream for recorded in history.of(CaseFiled)}
    return {
        recorded.stream: recorded.event.party_id
        for recorded in history.of(DecisionRecorded)
        if recorded.event.party_id is not None and recorded.stream not in filed
    }


def _shared_cases(history: History, who: Participant) -> Iterator[SharedCase]:
    """Yield which cases of an office are this participant's: its own word or a link says so."""
    for recorded in (*history.events, *history.linked):
        if isinstance(recorded.event, CaseFiled) and recorded.event.party_id == who.party_id:
            yield SharedCase(
                subject_id=who.subject_id,
                party_id=who.party_id,
                epoch=who.epoch,
                until=who.until,
                as_of=who.as_of,
                authority=who.authority,
                shown="",
                case_id=recorded.stream,
            )


def _matter(case: History, filed: Recorded[CaseFiled], lens: Lens) -> Iterator[Row]:
    """Yield a case of an office, with its decisions and its dates."""
    decisions = _decisions(case, lens)
    yield from decisions
    row = _case(case, filed, lens, decisions[-1] if decisions else None)
    yield row
    date_of = partial(_date, case, filed.stream, row.docket, lens)
    for told in hearings(case.events).values():
        if told.ended is None:
            yield date_of(told.starts_at, told.opened.id, lens.see(told.opened, "hearing_kind", _OWN), told.told)
    if (review := _review(case)) is not None and review.event.expires_at is not None:
        yield date_of(review.event.expires_at, review.id, _REVIEW)


def _held(charge: History, number: UUID, lens: Lens) -> Iterator[Row]:
    """Yield what an office decided on a charge held back, and when it looks at that again; it filed nothing."""
    yield from _decisions(charge, lens)
    if (review := _review(charge)) is not None and review.event.expires_at is not None:
        yield _date(charge, number, None, lens, review.event.expires_at, review.id, _REVIEW)


def _decisions(case: History, lens: Lens) -> list[OwnDecision]:
    made = list(case.of(DecisionRecorded))
    readable = [recorded.event for recorded in made if not recorded.erased]
    beyond = {id(decision): ceiling for decision, ceiling in harsher(readable)}
    return [_decision(case, recorded, lens, beyond.get(id(recorded.event))) for recorded in made]


def _review(case: History) -> Recorded[ReviewSet] | None:
    standing = standing_review(case.events)
    return next((recorded for recorded in case.of(ReviewSet) if recorded.event is standing), None)


def _date(
    case: History,
    case_id: UUID,
    docket: str | None,
    lens: Lens,
    due_at: datetime,
    number: UUID,
    what: str | None,
    room: Recorded[Any] | None = None,
) -> OwnDate:
    return OwnDate(
        subject_id=case.subject,
        party_id=lens.viewer.party,
        due_at=due_at,
        date_id=number,
        case_id=case_id,
        docket=docket,
        what=what,
        courtroom=lens.see(room, "courtroom", _OWN) if room is not None else None,
    )


def _decision(
    history: History, recorded: Recorded[DecisionRecorded], lens: Lens, beyond: DecisionKind | None
) -> OwnDecision:
    return OwnDecision(
        subject_id=history.subject,
        party_id=lens.viewer.party,
        decided_at=recorded.event.occurred_at,
        decision_id=recorded.id,
        case_id=recorded.stream,
        kind=lens.see(recorded, "kind", _OWN),
        reason=lens.see(recorded, "reason", _OWN),
        ceiling=lens.see(recorded, "ceiling", _OWN),
        beyond=beyond,
        source=lens.see(recorded, "source", _OWN),
        note=lens.see(recorded, "note", _OWN),
        protocol_version=lens.see(recorded, "protocol_version", _OWN),
    )


def _case(history: History, filed: Recorded[CaseFiled], lens: Lens, decided: OwnDecision | None) -> OwnCase:
    defendant = defendant_now(lens, history, _OWN)
    review = _review(history)
    return OwnCase(
        subject_id=history.subject,
        party_id=lens.viewer.party,
        filed_on=lens.see(filed, "filed_on", _OWN) or filed.recorded_at.date(),
        case_id=filed.stream,
        participant_id=filed.event.participant_id,
        docket=docket_now(lens, history, _OWN),
        defendant=str(defendant.name) if defendant else None,
        birth_date=defendant.birth_date if defendant else None,
        charges=charges_now(lens, history, _OWN),
        incident_number=lens.see(filed, "incident_number", _OWN),
        offense_on=lens.see(filed, "offense_on", _OWN),
        arrested_on=lens.see(filed, "arrested_on", _OWN),
        received_at=lens.see(filed, "received_at", _OWN),
        next_hearing=next_hearing(lens, history, _OWN),
        disposition=last(lens, history, CaseDisposed, "outcome", _OWN),
        disposed_on=last(lens, history, CaseDisposed, "disposed_on", _OWN),
        last_decision=decided.kind if decided else None,
        ceiling=decided.ceiling if decided else None,
        review_on=lens.see(review, "due_on", _OWN) if review else None,
    )


def _warrant(history: History, issued: Recorded[WarrantIssued], lens: Lens) -> OwnWarrant:
    defendant = lens.see(issued, "defendant", _OWN)
    return OwnWarrant(
        subject_id=history.subject,
        party_id=lens.viewer.party,
        issued_on=issued.event.issued_on,
        warrant_id=issued.stream,
        participant_id=issued.event.participant_id,
        number=lens.see(issued, "number", _OWN),
        kind=lens.see(issued, "warrant_kind", _OWN),
        court=lens.see(issued, "court", _OWN),
        defendant=str(defendant.name) if defendant else None,
        birth_date=defendant.birth_date if defendant else None,
        docket=docket_now(lens, history, _OWN) or None,
        state=last(lens, history, WarrantEnded, "outcome", _OWN) or ACTIVE,
        ended_on=last(lens, history, WarrantEnded, "ended_on", _OWN),
    )


def _request(told: Entry, charge: UUID | None) -> Request:
    """Return a request that an office was told of; on which charge, where its ROI names it `charge.diverted`."""
    number, code = told.body.get("incident_number"), told.body.get("charge_code")
    return Request(
        subject_id=told.subject_id,
        party_id=told.party_id,
        epoch=told.epoch,
        until=told.until,
        as_of=told.as_of,
        authority=told.authority,
        shown=told.shown,
        asked_at=told.occurred_at,
        request_id=told.entry_id,
        charge_id=None if number is None else charge,
        incident_number=number,
        charge_code=code,
    )


def _obligation(notice: OwnNotice) -> OwnObligation:
    return OwnObligation(
        subject_id=notice.subject_id,
        party_id=notice.party_id,
        since=notice.sent_at,
        obligation_id=notice.notice_id,
        participant_id=notice.participant_id,
        incident_number=notice.incident_number,
        charge_code=notice.charge_code,
        obligation=WILL_NOT_BE_FILED,
    )


def _notice(history: History, sent: Recorded[ProsecutorNotified], lens: Lens) -> OwnNotice:
    return OwnNotice(
        subject_id=history.subject,
        party_id=lens.viewer.party,
        sent_at=sent.event.occurred_at,
        notice_id=history.id_of(sent),
        participant_id=history.subject,
        charge_id=sent.event.matter_id,
        code=lens.see(sent, "code", _OWN),
        until_day=lens.see(sent, "until", _OWN),
        incident_number=lens.see(sent, "incident_number", _OWN),
        charge_code=lens.see(sent, "charge_code", _OWN),
    )
