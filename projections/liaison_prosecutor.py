"""What a prosecutor's office may know: its own docket, decisions and notices, and what a live ROI names it for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated, Any
from uuid import UUID

from domain.event import Recorded
from domain.labels import Ceiling, Label, Reader, Viewer
from domain.legal_case import CaseFiled, DecisionRecorded
from domain.referral import ProsecutorNotified
from projections.lens import History, Lens, Traced, plain
from projections.partner import GrantedEntry, GrantedParticipant, granted
from projections.rows import ALLOWED, REFERENCE, Holding, OwnRow, Ref, Row, model

READER = Reader.PROSECUTOR
_OWN = ALLOWED[Holding.OWN]


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
    last_decision: Annotated[str | None, Label.PROSECUTOR_DECISION]


@model(READER, "own_decision", order=("decided_at", "decision_id"), descending=True)
@dataclass(frozen=True, slots=True, kw_only=True)
class OwnDecision(OwnRow):
    """A decision of this office."""

    decided_at: Annotated[datetime, Label.PROSECUTOR_DECISION]
    decision_id: Ref
    case_id: Ref
    kind: Annotated[str | None, Label.PROSECUTOR_DECISION]
    reason: Annotated[str | None, Label.PROSECUTOR_DECISION]
    ceiling: Annotated[str | None, Label.PROSECUTOR_DECISION]
    source: Annotated[str | None, Label.PROSECUTOR_DECISION]
    note: Annotated[str | None, Label.PROSECUTOR_WORKPRODUCT]


@model(READER, "own_notice", order=("sent_at", "notice_id"), descending=True)
@dataclass(frozen=True, slots=True, kw_only=True)
class OwnNotice(OwnRow):
    """A closed code that this office was sent; once sent, it is the office's own."""

    sent_at: Annotated[datetime, Label.CHARGE_DIVERTED]
    notice_id: Ref
    participant_id: Ref
    code: Annotated[str | None, Label.CHARGE_DIVERTED]
    until_day: Annotated[date | None, Label.CHARGE_DIVERTED]
    incident_number: Annotated[str | None, Label.CHARGE_DIVERTED]
    charge_code: Annotated[str | None, Label.CHARGE_DIVERTED]


@model(READER, "granted_participant", order=("place", "subject_id"))
@dataclass(frozen=True, slots=True, kw_only=True)
class Participant(GrantedParticipant):
    """A participant whose ROI names this office."""


@model(READER, "granted_entry", order=("subject_id", "occurred_at", "entry_id"))
@dataclass(frozen=True, slots=True, kw_only=True)
class Entry(GrantedEntry):
    """What LEAD told this office."""


def rows(history: History, ceiling: Ceiling, at: datetime, trace: list[Traced] | None = None) -> Iterator[Row]:
    """Yield every row that any prosecutor's office has of one subject."""
    decided: dict[tuple[UUID, UUID], str | None] = {}
    for recorded in history.of(DecisionRecorded):
        party, matter = recorded.event.party_id, recorded.event.matter_id
        if party is not None and matter is not None:
            lens = Lens(Viewer(READER, party), None, ceiling, at, trace)
            decision = _decision(history, recorded, lens, matter)
            decided[party, matter] = decision.kind
            yield decision
    for filed in history.of(CaseFiled):
        party, matter = filed.event.party_id, filed.event.matter_id
        if party is not None and matter is not None:
            lens = Lens(Viewer(READER, party), None, ceiling, at, trace)
            yield _case(history, filed, lens, matter, decided.get((party, matter)))
    for sent in history.of(ProsecutorNotified):
        if sent.event.party_id is not None:
            yield _notice(history, sent, Lens(Viewer(READER, sent.event.party_id), None, ceiling, at, trace))
    yield from granted(history, READER, Participant, Entry, ceiling, at, trace)


def _decision(history: History, recorded: Recorded[DecisionRecorded], lens: Lens, matter: UUID) -> OwnDecision:
    return OwnDecision(
        subject_id=history.subject,
        party_id=lens.viewer.party,
        decided_at=recorded.event.occurred_at,
        decision_id=recorded.id,
        case_id=matter,
        kind=lens.see(recorded, "kind", _OWN),
        reason=lens.see(recorded, "reason", _OWN),
        ceiling=lens.see(recorded, "ceiling", _OWN),
        source=lens.see(recorded, "source", _OWN),
        note=lens.see(recorded, "note", _OWN),
    )


def _case(history: History, filed: Recorded[CaseFiled], lens: Lens, matter: UUID, last_decision: str | None) -> OwnCase:
    defendant = lens.see(filed, "defendant", _OWN)
    return OwnCase(
        subject_id=history.subject,
        party_id=lens.viewer.party,
        filed_on=lens.see(filed, "filed_on", _OWN) or filed.recorded_at.date(),
        case_id=matter,
        participant_id=filed.event.participant_id,
        docket=lens.see(filed, "docket", _OWN) or "",
        defendant=str(defendant.name) if defendant else None,
        birth_date=defendant.birth_date if defendant else None,
        charges=plain(lens.see(filed, "charges", _OWN)) or [],
        incident_number=lens.see(filed, "incident_number", _OWN),
        offense_on=lens.see(filed, "offense_on", _OWN),
        arrested_on=lens.see(filed, "arrested_on", _OWN),
        received_at=lens.see(filed, "received_at", _OWN),
        last_decision=last_decision,
    )


def _notice(history: History, sent: Recorded[ProsecutorNotified], lens: Lens) -> OwnNotice:
    return OwnNotice(
        subject_id=history.subject,
        party_id=lens.viewer.party,
        sent_at=sent.event.occurred_at,
        notice_id=sent.id,
        participant_id=history.subject,
        code=lens.see(sent, "code", _OWN),
        until_day=lens.see(sent, "until", _OWN),
        incident_number=lens.see(sent, "incident_number", _OWN),
        charge_code=lens.see(sent, "charge_code", _OWN),
    )
