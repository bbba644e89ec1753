"""What a defender's office observes: diversions, decisions and stops by pseudonym, so that harsher treatment, missed
diversions, disparity and silent units show (T:489-T:491); a name only where the participant's ROI names the office.

Free text, docket and incident numbers stay out: any of them names a person.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated, Any
from uuid import UUID

from domain.event import Recorded
from domain.labels import Basis, Ceiling, Grant, Label, Reader, Shown, Viewer
from domain.legal_case import DecisionRecorded
from domain.participant import ParticipantEnrolled
from domain.referral import (
    ChargeHeld,
    ChargeLatched,
    DepartmentNotified,
    ExclusionOverridden,
    ReferralAccepted,
    ReferralOffered,
)
from domain.stop_record import StopRecorded
from projections import finding
from projections.ask import OwnConcern, own_concerns
from projections.lens import NOBODY, History, Lens, Traced, plain
from projections.record import is_participant, names
from projections.rows import GrantedRow, PartyId, Ref, RoleRow, Row, model

READER = Reader.OBSERVER
_BY_PSEUDONYM = frozenset({Basis.ROLE, Basis.PSEUDONYM})


@model(READER, "diversion", order=("offered_at", "referral_id"), descending=True)
@dataclass(frozen=True, slots=True, kw_only=True)
class Diversion(RoleRow):
    """An arrest diversion: which department, which charges, what was overridden, what became of it."""

    offered_at: Annotated[datetime, Label.REFERRAL_POLICE]
    referral_id: Ref
    pseudonym: Ref
    department_id: Annotated[UUID, PartyId("department")]
    unit: Annotated[str | None, Label.REFERRAL_POLICE]
    door: Annotated[str | None, Label.REFERRAL_POLICE]
    charges: Annotated[list[dict[str, Any]], Label.CHARGE_DIVERTED, Label.OVERRIDE, Label.DEMOGRAPHICS_OFFICER]
    overrides: Annotated[list[dict[str, Any]], Label.OVERRIDE]
    notices: Annotated[list[str], Label.REFERRAL_STATUS]
    accepted_at: Annotated[datetime | None, Label.REFERRAL_STATUS]
    enrolled_at: Annotated[datetime | None, Label.ENROLMENT_STATUS]


@model(READER, "decision", order=("decided_at", "decision_id"), descending=True)
@dataclass(frozen=True, slots=True, kw_only=True)
class Decision(RoleRow):
    """A prosecutor's decision about someone in LEAD, beside the ceiling that the office had set itself."""

    decided_at: Annotated[datetime, Label.PROSECUTOR_DECISION]
    decision_id: Ref
    case_id: Ref
    pseudonym: Ref
    office_id: Annotated[UUID | None, PartyId("office")]
    kind: Annotated[str | None, Label.PROSECUTOR_DECISION]
    ceiling: Annotated[str | None, Label.PROSECUTOR_DECISION]
    source: Annotated[str | None, Label.PROSECUTOR_DECISION]


@model(READER, "stop", order=("subject_id",))
@dataclass(frozen=True, slots=True, kw_only=True)
class Stop(RoleRow):
    """One stop of an administrative record, de-identified."""

    stopped_at: Annotated[datetime, Label.STOP_RECORD]
    unit: Annotated[str | None, Label.STOP_RECORD]
    precinct: Annotated[str | None, Label.STOP_RECORD]
    race_as_perceived: Annotated[str | None, Label.STOP_RECORD]
    arrested: Annotated[bool, Label.STOP_RECORD]


@model(READER, "named", order=("subject_id",))
@dataclass(frozen=True, slots=True, kw_only=True)
class Named(GrantedRow):
    """Who stands behind a pseudonym, where the participant's ROI names this office."""

    pseudonym: Ref
    name: Annotated[str | None, Label.IDENTITY_LEGAL]
    birth_date: Annotated[date | None, Label.IDENTITY_LEGAL]


@model(READER, "own_concern", order=("raised_at", "concern_id"), descending=True)
@dataclass(frozen=True, slots=True, kw_only=True)
class Concern(OwnConcern):
    """A concern that this office raised, and its answer."""


def rows(history: History, ceiling: Ceiling, at: datetime, trace: list[Traced] | None = None) -> Iterator[Row]:
    """Yield every row that any defender's office has of one subject."""
    lens = Lens(Viewer(READER, NOBODY), None, ceiling, at, trace)
    for stopped in history.of(StopRecorded):
        yield _stop(history, stopped, lens)
    yield from own_concerns(history, READER, Concern, ceiling, at, trace)
    yield from finding.observer_rows(history, ceiling, at, trace)
    if not is_participant(history):
        return
    for offered in history.of(ReferralOffered):
        yield _diversion(history, offered, lens)
    for decided in history.of(DecisionRecorded):
        yield _decision(history, decided, lens)
    for party, grant in history.grants.items():
        if grant.reader is READER and grant.live_roi(at):
            yield from _named(history, grant, Lens(Viewer(READER, party), grant, ceiling, at, trace))


def _stop(history: History, stopped: Recorded[StopRecorded], lens: Lens) -> Stop:
    return Stop(
        subject_id=history.subject,
        as_of=history.position,
        stopped_at=stopped.event.occurred_at,
        unit=lens.see(stopped, "unit", _BY_PSEUDONYM),
        precinct=lens.see(stopped, "precinct", _BY_PSEUDONYM),
        race_as_perceived=lens.see(stopped, "race_as_perceived", _BY_PSEUDONYM),
        arrested=bool(lens.see(stopped, "arrested", _BY_PSEUDONYM)),
    )


def _diversion(history: History, offered: Recorded[ReferralOffered], lens: Lens) -> Diversion:
    def see(recorded: Recorded[Any], name: str) -> Any:
        return plain(lens.see(recorded, name, _BY_PSEUDONYM))

    same = history.stream(offered.stream)
    latched = {r.event.matter_id for r in same.of(ChargeLatched)}
    accepted = next(same.of(ReferralAccepted), None)
    enrolled = next(history.of(ParticipantEnrolled), None)
    return Diversion(
        subject_id=history.subject,
        as_of=history.position,
        offered_at=offered.event.occurred_at,
        referral_id=offered.stream,
        pseudonym=history.subject,
        department_id=offered.event.party_id or NOBODY,
        unit=see(offered, "unit"),
        door=see(offered, "door"),
        charges=[
            {
                "code": (see(held, "charge") or {}).get("code"),
                "severity": (see(held, "charge") or {}).get("severity"),
                "exclusions": see(held, "exclusions") or [],
                "race_as_perceived": see(held, "race_as_perceived"),
                "will_not_be_filed": held.event.matter_id in latched,
            }
            for held in same.of(ChargeHeld)
        ],
        overrides=[
            {"exclusion": see(r, "exclusion"), "rank": see(r, "rank"), "protocol_version": see(r, "protocol_version")}
            for r in same.of(ExclusionOverridden)
        ],
        notices=[code for r in same.of(DepartmentNotified) if (code := see(r, "code")) is not None],
        accepted_at=lens.see(accepted, "occurred_at", _BY_PSEUDONYM) if accepted else None,
        enrolled_at=lens.see(enrolled, "occurred_at", _BY_PSEUDONYM) if enrolled else None,
    )


def _decision(history: History, decided: Recorded[DecisionRecorded], lens: Lens) -> Decision:
    return Decision(
        subject_id=history.subject,
        as_of=history.position,
        decided_at=decided.event.occurred_at,
        decision_id=history.id_of(decided),
        case_id=decided.event.matter_id or NOBODY,
        pseudonym=history.subject,
        office_id=decided.event.party_id,
        kind=lens.see(decided, "kind", _BY_PSEUDONYM),
        ceiling=lens.see(decided, "ceiling", _BY_PSEUDONYM),
        source=lens.see(decided, "source", _BY_PSEUDONYM),
    )


def _named(history: History, grant: Grant, lens: Lens) -> Iterator[Named]:
    if grant.roi is None or grant.until is None:
        return
    for said in reversed(names(history)):
        decision = lens.decide(said, "name")
        if isinstance(decision, Shown) and decision.grant is not None and "name" not in said.erased:
            yield Named(
                subject_id=history.subject,
                party_id=lens.viewer.party,
                epoch=grant.epoch,
                until=grant.until,
                as_of=history.position,
                authority=decision.grant,
                shown=Label.IDENTITY_LEGAL,
                pseudonym=history.subject,
                name=str(said.event.name),
                birth_date=said.event.birth_date,
            )
            return
