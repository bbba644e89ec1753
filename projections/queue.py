"""Referrals by all doors, as those read them who screen them: who waits, who has looked, how each ended."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from domain.contact import ContactMade
from domain.door import ReferralDeclined, ReferralScreened, ReferralVetted
from domain.event import Recorded
from domain.labels import Ceiling, Label, Reader, Viewer
from domain.referral import STARTS, ReferralOffered
from projections.lens import NOBODY, History, Lens, Traced, plain
from projections.record import names
from projections.rows import ALLOWED, Holding, PartyId, Ref, RoleRow, model

_ROLE = ALLOWED[Holding.ROLE]
_SCREENING = ("signs", "related", "response_expected", "screened_by", "protocol_version")
_TOLD = (Label.REFERRAL_POLICE, Label.REFERRAL_COMMUNITY, Label.MESSAGE_ASK)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Referral(RoleRow):
    referred_at: Annotated[datetime, *_TOLD]
    referral_id: Ref
    participant_id: Ref
    party_id: Annotated[UUID, PartyId("from")]
    door: Annotated[str, *_TOLD]
    waits: Annotated[bool, Label.REFERRAL_STATUS, Label.REFERRAL_DECLINED]
    name: Annotated[str | None, Label.IDENTITY_LEGAL, *_TOLD]
    description: Annotated[str | None, *_TOLD]
    place: Annotated[str | None, *_TOLD]
    reason: Annotated[str | None, *_TOLD]
    contacts: Annotated[int, Label.CONTACT_FACT]
    reached: Annotated[bool, Label.CONTACT_FACT]
    screening: Annotated[dict[str, Any] | None, Label.REFERRAL_COMMUNITY]
    risks: Annotated[list[dict[str, Any]], Label.SCREENING_RISK]
    accepted_at: Annotated[datetime | None, Label.REFERRAL_STATUS]
    decline: Annotated[dict[str, Any] | None, Label.REFERRAL_DECLINED]


@model(Reader.CASE_MANAGER, "referral", order=("referred_at", "referral_id"))
@dataclass(frozen=True, slots=True, kw_only=True)
class CareReferral(_Referral):
    """A referral by any door, as care reads it."""


@model(Reader.PROGRAM, "referral", order=("referred_at", "referral_id"))
@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramReferral(_Referral):
    """A referral by any door, as the project manager reads it."""


_ROW: dict[Reader, type[_Referral]] = {Reader.CASE_MANAGER: CareReferral, Reader.PROGRAM: ProgramReferral}


def queue(
    history: History, reader: Reader, ceiling: Ceiling, at: datetime, trace: list[Traced] | None = None
) -> Iterator[_Referral]:
    """Yield every referral of one subject, by whatever door."""
    lens = Lens(Viewer(reader, NOBODY), None, ceiling, at, trace)
    for started in history.of(*STARTS):
        yield _referral(history, started, lens)


def _referral(history: History, started: Recorded[Any], lens: Lens) -> _Referral:
    def see(recorded: Recorded[Any], field: str) -> Any:
        return lens.see(recorded, field, _ROLE)

    def fields(recorded: Recorded[Any], *names: str) -> dict[str, Any]:
        seen = {name: plain(see(recorded, name)) for name in names}
        return {"at": plain(recorded.event.occurred_at)} | {k: v for k, v in seen.items() if v is not None}

    same = history.stream(started.stream)
    state = same.referral
    arrest = isinstance(started.event, ReferralOffered)
    said = [name for r in names(history) if (name := see(r, "name")) is not None]
    tried = [r for r in history.of(ContactMade) if r.event.occurred_at >= started.event.occurred_at]
    screened, declined = [*same.of(ReferralScreened)], next(same.of(ReferralDeclined), None)
    return _ROW[lens.viewer.reader](
        subject_id=history.subject,
        as_of=history.position,
        referred_at=started.event.occurred_at,
        referral_id=started.stream,
        participant_id=history.subject,
        party_id=started.event.party_id or NOBODY,
        door=see(started, "door") or "",
        waits=state is not None and state.accepted_at is None and state.declined is None,
        name=str(said[-1]) if said else None if arrest else see(started, "name"),
        description=None if arrest else see(started, "description"),
        place=see(started, "place"),
        reason=see(started, "facts" if arrest else "reason"),
        contacts=len(tried),
        reached=any(see(r, "reached") for r in tried),
        screening=fields(screened[-1], *_SCREENING) if screened else None,
        risks=[fields(r, "codes", "note") for r in same.of(ReferralVetted)],
        accepted_at=state.accepted_at if state else None,
        decline=fields(declined, "how", "reason", "decided_by", "protocol_version") if declined else None,
    )
