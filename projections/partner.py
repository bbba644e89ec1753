"""What partners share is one mechanism: who the participant is to them, and what was told to them, behind the gate."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated, Any, TypeVar
from uuid import UUID, uuid5

from domain.contact import ContactMade
from domain.deadline import DecisionRequested
from domain.event import Event, Recorded
from domain.hearing import HearingEnded, HearingMoved, HearingSet
from domain.labels import Basis, Ceiling, Grant, Label, Reader, Viewer
from domain.legal_case import CaseDisposed, CaseEntered, CaseUpdated
from domain.participant import (
    IN_LEAD,
    Enrolment,
    IntakeCompleted,
    NameCorrected,
    ParticipantEnrolled,
    ParticipantIdentified,
    PhoneChanged,
    StatusChanged,
)
from domain.referral import ChargeHeld, ChargeLatched, NoticeCode, ProsecutorNotified
from domain.roi import RoiGranted, RoiNarrowed
from domain.roster import ParticipantAssigned, ParticipantReleased
from domain.share import ShareMade
from domain.warrant import WarrantEnded, WarrantIssued
from projections.lens import Gathered, History, Lens, Traced, explain, plain
from projections.rows import AnyOf, GrantedRow, Ref, shown

# What reaches a partner by itself under its grant, and which fields of it: what care says of a person goes as a share,
# an act of its own (T:885), so of a contact only that it took place.
ENTRIES: dict[type[Event], frozenset[str]] = {
    ShareMade: frozenset({"text", "labels"}),
    ContactMade: frozenset({"reached"}),
    ChargeHeld: frozenset({"charge", "incident_number"}),
    ChargeLatched: frozenset({"charge", "incident_number"}),
    DecisionRequested: frozenset({"enrolled_at", "charge_code", "incident_number"}),
    CaseEntered: frozenset({"court", "docket", "charges", "filed_on"}),
    CaseUpdated: frozenset({"charges"}),
    CaseDisposed: frozenset({"outcome", "disposed_on"}),
    HearingSet: frozenset({"hearing_kind", "starts_at", "courtroom"}),
    HearingMoved: frozenset({"starts_at", "courtroom"}),
    HearingEnded: frozenset({"outcome"}),
    WarrantIssued: frozenset({"number", "warrant_kind", "court", "issued_on", "docket"}),
    WarrantEnded: frozenset({"outcome", "ended_on"}),
}

# What tells who the participant is to a partner.
_STANDING: tuple[type[Event], ...] = (
    ParticipantIdentified,
    NameCorrected,
    ParticipantEnrolled,
    StatusChanged,
    ParticipantAssigned,
    ParticipantReleased,
    IntakeCompleted,
    PhoneChanged,
    RoiGranted,
    RoiNarrowed,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantedParticipant(GrantedRow):
    """A participant, as far as its ROI lets this party know it. `place`: where it stands in this party's lists."""

    place: Ref
    name: Annotated[str | None, Label.IDENTITY_LEGAL]
    birth_date: Annotated[date | None, Label.IDENTITY_LEGAL]
    enrolment: Annotated[str | None, Label.ENROLMENT_STATUS]
    case_manager: Annotated[str | None, Label.CASE_MANAGER_CONTACT]
    call: Annotated[str | None, Label.CASE_MANAGER_CONTACT]
    scope: Annotated[list[str] | None, Label.CONSENT_SCOPE]
    purpose: Annotated[str | None, Label.CONSENT_SCOPE]


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantedEntry(GrantedRow):
    """One thing that LEAD told this party: a share, a contact, a charge."""

    occurred_at: Annotated[datetime, AnyOf()]
    entry_id: Ref
    kind: Annotated[str, AnyOf()]
    body: Annotated[dict[str, Any], AnyOf()]


def place(party: UUID, participant: UUID) -> UUID:
    """Return where a participant stands in a party's lists: two parties that compare theirs cannot align them."""
    return uuid5(party, str(participant))


P = TypeVar("P", bound=GrantedParticipant)
N = TypeVar("N", bound=GrantedEntry)


def granted(
    history: History,
    reader: Reader,
    participant: type[P],
    told: type[N],
    ceiling: Ceiling,
    at: datetime,
    trace: list[Traced] | None = None,
) -> Iterator[P | N]:
    """Yield the rows behind the gate for every party of this kind that the participant's consent names."""
    for party, grant in history.grants.items():
        if grant.reader is not reader:
            continue
        viewer = Viewer(reader, party)
        if trace is not None:
            trace.extend(explain(history, viewer, ceiling, at))
        if not grant.live_roi(at) and not grant.items:
            continue
        lens = Lens(viewer, grant, ceiling, at)
        who = _participant(lens, history, grant)
        if who.authority is not None and grant.until is not None and not _scope_alone(history, party, grant):
            columns = _columns(participant, who)
            yield participant(
                subject_id=history.subject,
                party_id=party,
                epoch=grant.epoch,
                until=grant.until,
                as_of=history.position,
                authority=who.authority,
                shown=shown(participant, columns),
                place=place(party, history.subject),
                **columns,
            )
        for recorded in history.of(*ENTRIES):
            yield from _entry(lens, history, grant, recorded, told)


def _scope_alone(history: History, party: UUID, grant: Grant) -> bool:
    """Return whether all that a party is to have is `completed`, and it has not: the scope goes with it, not before."""
    return grant.labels == frozenset({Label.CONSENT_SCOPE}) and not any(
        recorded.event.party_id == party and not recorded.erased and recorded.event.code is NoticeCode.COMPLETED
        for recorded in history.of(ProsecutorNotified)
    )


def _participant(lens: Lens, history: History, grant: Grant) -> Gathered:
    """Gather the standing facts; a later one takes the place of an earlier one."""
    who = Gathered()
    corrected, in_lead = any(history.of(NameCorrected)), False
    for recorded in history.of(*_STANDING):
        match recorded.event:
            case ParticipantIdentified() if corrected:
                pass  # no name of before, nor one that a party still uses
            case ParticipantIdentified() | NameCorrected():
                # The department that referred a person knows the name already; its granted row stands by itself.
                who.take(lens, recorded, "name", own=False)
                who.take(lens, recorded, "birth_date", own=False)
            case ParticipantEnrolled() | StatusChanged() as change if (change.status in IN_LEAD) != in_lead:
                in_lead = not in_lead  # not at every change: how active someone is, no partner hears
                who.values.pop("status", None)
                who.values.pop("enrolled_at", None)
                if in_lead:
                    who.take(lens, recorded, "status")
                    who.take(lens, recorded, "occurred_at", "enrolled_at")
            case ParticipantAssigned():
                who.take(lens, recorded, "case_manager")
                who.take(lens, recorded, "phone")
            case ParticipantReleased():
                who.values.pop("case_manager", None)
                who.values.pop("phone", None)
            case IntakeCompleted():
                who.take(lens, recorded, "phone", "participant_phone")
            case PhoneChanged():
                who.values.pop("participant_phone", None)
                who.take(lens, recorded, "phone", "participant_phone")
            case RoiGranted() | RoiNarrowed() as given if given.roi == grant.roi:
                who.take(lens, recorded, "labels")
                who.take(lens, recorded, "purpose")
            case _:
                pass
    return who


def _entry(lens: Lens, history: History, grant: Grant, recorded: Recorded[Event], told: type[N]) -> Iterator[N]:
    """Yield what a party was told by one event; nothing to whom it may not know of the event itself."""
    event = Gathered()
    event.take(lens, recorded, "occurred_at")
    gathered = Gathered(labels=event.labels)
    for name in sorted(ENTRIES[type(recorded.event)]):
        gathered.take(lens, recorded, name)
    if event.authority is None or gathered.authority is None:
        return
    ends = dict(grant.items).get(gathered.authority) if gathered.basis is Basis.ITEM else grant.until
    if ends is None:
        return
    yield told(
        subject_id=history.subject,
        party_id=lens.viewer.party,
        epoch=grant.epoch,
        until=ends,
        as_of=history.position,
        authority=gathered.authority,
        shown=gathered.shown(),
        occurred_at=recorded.event.occurred_at,
        entry_id=history.id_of(recorded),
        kind=recorded.event.topic,
        body={name: plain(value) for name, value in gathered.values.items()},
    )


def _columns(participant: type[P], who: Gathered) -> dict[str, Any]:
    """Return the columns of who a participant is; some only some kinds of party have."""
    columns = {
        "name": _text(who.values.get("name")),
        "birth_date": who.values.get("birth_date"),
        "enrolment": Enrolment.ENROLLED if "status" in who.values else None,
        "case_manager": who.values.get("case_manager"),
        "call": who.values.get("phone"),
        "scope": plain(who.values.get("labels")),
        "purpose": who.values.get("purpose"),
    }
    more = {"phone": "participant_phone", "enrolled_at": "enrolled_at"}
    return columns | {column: who.values.get(name) for column, name in more.items() if hasattr(participant, column)}


def _text(value: Any) -> str | None:
    return None if value is None else str(value)
