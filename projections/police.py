"""What a police department may know: its own reports, the notices it was sent, and what a live ROI names it for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated, Any

from domain.event import Recorded
from domain.labels import Ceiling, Label, Reader, Viewer
from domain.participant import ParticipantIdentified
from domain.referral import (
    ChargeHeld,
    DepartmentNotified,
    ExclusionOverridden,
    ExtensionAgreed,
    ReferralOffered,
    ReleasedFromCustody,
)
from projections.lens import History, Lens, Traced, plain
from projections.partner import GrantedEntry, GrantedParticipant, granted
from projections.rows import ALLOWED, Holding, OwnRow, Ref, Row, model

READER = Reader.POLICE
_OWN = ALLOWED[Holding.OWN]


@model(READER, "own_referral", order=("offered_at", "referral_id"), descending=True)
@dataclass(frozen=True, slots=True, kw_only=True)
class OwnReferral(OwnRow):
    """A referral that this department made, as it made it, with the closed codes it was sent."""

    offered_at: Annotated[datetime, Label.REFERRAL_POLICE]
    referral_id: Ref
    participant_id: Ref
    incident_number: Annotated[str, Label.REFERRAL_POLICE]
    place: Annotated[str | None, Label.REFERRAL_POLICE]
    facts: Annotated[str | None, Label.REFERRAL_POLICE]
    name: Annotated[str | None, Label.IDENTITY_LEGAL]
    birth_date: Annotated[date | None, Label.IDENTITY_LEGAL]
    charges: Annotated[list[dict[str, Any]], Label.CHARGE_DIVERTED, Label.CRIMHIST, Label.DEMOGRAPHICS_OFFICER]
    overrides: Annotated[list[dict[str, Any]], Label.OVERRIDE]
    released_at: Annotated[datetime | None, Label.REFERRAL_POLICE]
    non_return_until: Annotated[datetime | None, Label.REFERRAL_POLICE]
    extended_until: Annotated[date | None, Label.REFERRAL_POLICE]
    notices: Annotated[list[dict[str, Any]], Label.REFERRAL_STATUS]


@model(READER, "granted_participant", order=("place", "subject_id"))
@dataclass(frozen=True, slots=True, kw_only=True)
class Participant(GrantedParticipant):
    """A participant whose ROI names this department."""


@model(READER, "granted_entry", order=("subject_id", "occurred_at", "entry_id"))
@dataclass(frozen=True, slots=True, kw_only=True)
class Entry(GrantedEntry):
    """What LEAD told this department."""


def rows(history: History, ceiling: Ceiling, at: datetime, trace: list[Traced] | None = None) -> Iterator[Row]:
    """Yield every row that any police department has of one subject."""
    for offered in history.of(ReferralOffered):
        if offered.event.party_id is not None:
            yield _referral(history, offered, Lens(Viewer(READER, offered.event.party_id), None, ceiling, at, trace))
    yield from granted(history, READER, Participant, Entry, ceiling, at, trace)


def _referral(history: History, offered: Recorded[ReferralOffered], lens: Lens) -> OwnReferral:
    def see(recorded: Recorded[Any], field: str) -> Any:
        return lens.see(recorded, field, _OWN)

    def fields(recorded: Recorded[Any], *names: str) -> dict[str, Any]:
        return {name: value for name in names if (value := plain(see(recorded, name))) is not None}

    same = History(history.subject, [r for r in history.events if r.stream == offered.stream])
    named = [
        r for r in history.of(ParticipantIdentified) if r.envelope.correlation_id == offered.envelope.correlation_id
    ]
    name = see(named[0], "name") if named else None
    released = next(same.of(ReleasedFromCustody), None)
    extended = list(same.of(ExtensionAgreed))
    notices = [(r, see(r, "code")) for r in same.of(DepartmentNotified)]
    return OwnReferral(
        subject_id=history.subject,
        party_id=lens.viewer.party,
        offered_at=offered.event.occurred_at,
        referral_id=offered.stream,
        participant_id=history.subject,
        incident_number=see(offered, "incident_number") or "",
        place=see(offered, "place"),
        facts=see(offered, "facts"),
        name=None if name is None else str(name),
        birth_date=see(named[0], "birth_date") if named else None,
        charges=[
            fields(r, "charge", "exclusions", "criminal_history", "race_as_perceived") for r in same.of(ChargeHeld)
        ],
        overrides=[fields(r, "exclusion", "rank", "reason", "protocol_version") for r in same.of(ExclusionOverridden)],
        released_at=see(released, "occurred_at") if released else None,
        non_return_until=see(released, "non_return_until") if released else None,
        extended_until=see(extended[-1], "until") if extended else None,
        notices=[
            {"at": plain(r.event.occurred_at), "code": code.value, "call": see(r, "team_number")}
            for r, code in notices
            if code is not None
        ],
    )
