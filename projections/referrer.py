"""What those who referred someone without an arrest know of it: what they said. Nothing of what became of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated, TypeAlias

from domain.door import CommunityReferred, LegalSystemReferred
from domain.labels import Ceiling, Label, Reader, Viewer
from domain.registry import READER_OF
from projections.lens import History, Lens, Traced
from projections.rows import ALLOWED, Holding, OwnRow, Ref, model

_OWN = ALLOWED[Holding.OWN]


@model(Reader.RECIPIENT, "own_referral", order=("referred_at", "referral_id"), descending=True)
@dataclass(frozen=True, slots=True, kw_only=True)
class CommunityReferral(OwnRow):
    """A referral that this party made, as it made it."""

    referred_at: Annotated[datetime, Label.REFERRAL_COMMUNITY]
    referral_id: Ref
    description: Annotated[str, Label.REFERRAL_COMMUNITY]
    name: Annotated[str | None, Label.REFERRAL_COMMUNITY]
    birth_date: Annotated[date | None, Label.REFERRAL_COMMUNITY]
    place: Annotated[str | None, Label.REFERRAL_COMMUNITY]
    reason: Annotated[str, Label.REFERRAL_COMMUNITY]


@model(Reader.COUNSEL, "own_referral", order=("referred_at", "referral_id"), descending=True)
@dataclass(frozen=True, slots=True, kw_only=True)
class CounselReferral(OwnRow):
    """A referral that this counsel made; without the name, which reaches counsel by the client's authority alone."""

    referred_at: Annotated[datetime, Label.MESSAGE_ASK]
    referral_id: Ref
    description: Annotated[str, Label.MESSAGE_ASK]
    place: Annotated[str | None, Label.MESSAGE_ASK]
    reason: Annotated[str, Label.MESSAGE_ASK]


@dataclass(frozen=True, slots=True, kw_only=True)
class _LegalSystemReferral(OwnRow):
    referred_at: Annotated[datetime, Label.MESSAGE_ASK]
    referral_id: Ref
    description: Annotated[str, Label.MESSAGE_ASK]
    name: Annotated[str | None, Label.IDENTITY_LEGAL]
    birth_date: Annotated[date | None, Label.IDENTITY_LEGAL]
    place: Annotated[str | None, Label.MESSAGE_ASK]
    reason: Annotated[str, Label.MESSAGE_ASK]


@model(Reader.PROSECUTOR, "own_referral", order=("referred_at", "referral_id"), descending=True)
@dataclass(frozen=True, slots=True, kw_only=True)
class ProsecutorReferral(_LegalSystemReferral):
    """A referral that this office made, as it made it."""


@model(Reader.COURT, "own_referral", order=("referred_at", "referral_id"), descending=True)
@dataclass(frozen=True, slots=True, kw_only=True)
class CourtReferral(_LegalSystemReferral):
    """A referral that this court or probation office made, as it made it."""


Referral: TypeAlias = CommunityReferral | CounselReferral | _LegalSystemReferral
_ROW: dict[Reader, type[Referral]] = {
    Reader.RECIPIENT: CommunityReferral,
    Reader.PROSECUTOR: ProsecutorReferral,
    Reader.COURT: CourtReferral,
    Reader.COUNSEL: CounselReferral,
}


def referred(
    history: History, reader: Reader, ceiling: Ceiling, at: datetime, trace: list[Traced] | None = None
) -> Iterator[Referral]:
    """Yield the referrals of one subject that people who read so have made."""
    row = _ROW[reader]
    named = () if row is CounselReferral else ("name", "birth_date")
    roles = {role for role, column in READER_OF.items() if column is reader}
    for recorded in history.of(CommunityReferred, LegalSystemReferred):
        party = recorded.event.party_id
        if recorded.envelope.role not in roles or party is None:
            continue
        lens = Lens(Viewer(reader, party), None, ceiling, at, trace)
        description, reason = (lens.see(recorded, name, _OWN) for name in ("description", "reason"))
        if description is not None and reason is not None:
            yield row(
                subject_id=history.subject,
                party_id=party,
                referred_at=recorded.event.occurred_at,
                referral_id=recorded.stream,
                description=description,
                place=lens.see(recorded, "place", _OWN),
                reason=reason,
                **{name: lens.see(recorded, name, _OWN) for name in named},
            )
