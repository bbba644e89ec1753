"""What a court or a probation office asks: the record of courts. A court reads its own; probation those of all."""

from __future__ import annotations

from typing import Any

from domain.labels import Reader
from domain.registry import PartyKind
from projections.court import PublicCase, PublicHearing, PublicWarrant
from services.questions.listing import Asking, Listing
from services.release import Purpose


def _own(asking: Asking) -> dict[str, Any]:
    return {"court_id": asking.caller.party} if asking.caller.party_kind is PartyKind.COURT else {}


LISTINGS = tuple(
    Listing(
        path=f"court/{key}",
        key=key,
        row=row,
        reader=Reader.COURT,
        purpose=Purpose.OWN_RECORDS,
        doc=doc,
        where=_own,
    )
    for key, row, doc in (
        ("cases", PublicCase, "The court's docket, by number."),
        ("hearings", PublicHearing, "The court's hearings, the earliest first."),
        ("warrants", PublicWarrant, "The court's warrants, the latest first."),
    )
)
