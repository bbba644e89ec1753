"""What a police department may know: its own reports, the notices it was sent, and what a live ROI names it for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated, Any

from domain.door import ReferralVetted, SocialContactReferred
from domain.event import Recorded
from domain.labels import Ceiling, Label, Reader, Viewer
from domain.participant import ParticipantIdentified
from domain.referral import (
    ChargeHeld,
    DepartmentNotified,
    ExclusionOverridden,
    ExtensionAgreed,
    ReferralCalledIn,
    ReferralOffered,
    ReferralReported,
    ReleasedFromCustody,
)
from projections import custody
from projections import public_record as public
from projections.ask import OwnAsk, own_asks
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
    door: Annotated[str, Label.REFERRAL_POLICE]
    incident_number: Annotated[str | None, Label.REFERRAL_POLICE]
    unit: Annotated[str | None, Label.REFERRAL_POLICE]
    called_in_by: Annotated[str | None, Label.REFERRAL_POLICE]
    reported_at: Annotated[datetime | None, Label.REFERRAL_POLICE]
    place: Annotated[str | None, Label.REFERRAL_POLICE]
    facts: Annotated[str | None, Label.REFERRAL_POLICE]
    description: Annotated[str | None, Label.REFERRAL_POLICE]
    name: Annotated[str | None, Label.IDENTITY_LEGAL]
    birth_date: Annotated[date | None, Label.IDENTITY_LEGAL]
    vetting: Annotated[list[dict[str, Any]], Label.SCREENING_RISK]
    charges: Annotated[list[dict[str, Any]], Label.CHARGE_DIVERTED, Label.CRIMHIST, Label.DEMOGRAPHICS_OFFICER]
    overrides: Annotated[list[dict[str, Any]], Label.OVERRIDE]
    released_at: Annotated[datetime | None, Label.REFERRAL_POLICE]
    non_return_until: Annotated[datetime | None, Label.REFERRAL_POLICE]
    extended_until: Annotated[date | None, Label.REFERRAL_POLICE]
    notices: Annotated[list[dict[str, Any]], Label.REFERRAL_STATUS]


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
    """A participant whose ROI names this department."""


@model(READER, "granted_entry", order=("subject_id", "occurred_at", "entry_id"))
@dataclass(frozen=True, slots=True, kw_only=True)
class Entry(GrantedEntry):
    """What LEAD told this department."""


@model(READER, "own_ask", order=("asked_at", "ask_id"), descending=True)
@dataclass(frozen=True, slots=True, kw_only=True)
class Ask(OwnAsk):
    """What this party asked or told, as it sent it."""


def rows(history: History, ceiling: Ceiling, at: datetime, trace: list[Traced] | None = None) -> Iterator[Row]:
    """Yield every row that any police department has of one subject."""
    yield from custody.police_rows(history, ceiling, at, trace)
    yield from public.public_record(history, READER, ceiling, at, trace, case=PublicCase, warrant=PublicWarrant)
    for made in history.of(ReferralOffered, SocialContactReferred):
        if made.event.party_id is not None:
            yield _referral(history, made, Lens(Viewer(READER, made.event.party_id), None, ceiling, at, trace))
    yield from granted(history, READER, Participant, Entry, ceiling, at, trace)
    yield from own_asks(history, READER, Ask, ceiling, at, trace)


def _referral(history: History, made: Recorded[Any], lens: Lens) -> OwnReferral:
    def see(recorded: Recorded[Any] | None, field: str) -> Any:
        return None if recorded is None else lens.see(recorded, field, _OWN)

    def fields(recorded: Recorded[Any], *names: str) -> dict[str, Any]:
        return {name: value for name in names if (value := plain(see(recorded, name))) is not None}

    same = history.stream(made.stream)
    arrest = isinstance(made.event, ReferralOffered)
    called, reported = next(same.of(ReferralCalledIn), None), next(same.of(ReferralReported), None)
    chains = {r.envelope.correlation_id for r in (made, reported) if r is not None}
    said = [r for r in history.of(ParticipantIdentified) if r.event.party_id == lens.viewer.party]
    named = next((r for r in said if r.envelope.correlation_id in chains), None)
    name = see(named, "name")
    released = next(same.of(ReleasedFromCustody), None)
    extended = [*same.of(ExtensionAgreed)]
    notices = [(r, see(r, "code")) for r in same.of(DepartmentNotified)]
    own = [r for r in same.of(ReferralVetted) if r.event.party_id == lens.viewer.party]
    return OwnReferral(
        subject_id=history.subject,
        party_id=lens.viewer.party,
        offered_at=made.event.occurred_at,
        referral_id=made.stream,
        participant_id=history.subject,
        door=made.event.door,
        incident_number=see(made, "incident_number") if arrest else None,
        unit=see(made, "unit") if arrest else None,
        called_in_by=see(called, "officer"),
        reported_at=see(reported, "occurred_at"),
        place=see(reported or made, "place"),
        facts=see(reported or made, "facts" if arrest else "reason"),
        description=None if arrest else see(made, "description"),
        name=str(name) if name is not None else None if arrest else see(made, "name"),
        birth_date=see(named, "birth_date") if name is not None or arrest else see(made, "birth_date"),
        vetting=[{"at": plain(r.event.occurred_at)} | fields(r, "codes", "note") for r in own],
        charges=[
            {"charge_id": plain(r.event.matter_id)}
            | fields(r, "charge", "exclusions", "criminal_history", "race_as_perceived")
            for r in same.of(ChargeHeld)
        ],
        overrides=[fields(r, "exclusion", "rank", "reason", "protocol_version") for r in same.of(ExclusionOverridden)],
        released_at=see(released, "occurred_at"),
        non_return_until=see(released, "non_return_until"),
        extended_until=see(extended[-1], "until") if extended else None,
        notices=[
            {"at": plain(r.event.occurred_at), "code": code.value, "call": see(r, "team_number")}
            for r, code in notices
            if code is not None
        ],
    )
