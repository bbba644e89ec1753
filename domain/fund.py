"""Flexible funds: lunch, furnishings, a phone, paint (T:665), for any lawful purpose; other pools come first (T:667).

Stream: the use.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import Field

from domain.event import Event, ShortText
from domain.labels import Label
from domain.refusal import Refused

CENTS_MOST = 100_000_000
"""No rule of a site: more is a slip of the hand."""


class FundPurpose(StrEnum):
    """What the money is for."""

    BASIC_NEED = "basic need"
    SUPPLIES = "pro-social supplies"
    BAIL = "bail"
    RESTITUTION = "restitution"
    DEBT = "debt"
    OTHER = "other lawful purpose"


SUPERVISORS = frozenset({FundPurpose.BAIL, FundPurpose.RESTITUTION, FundPurpose.DEBT})
"""For which a clinical supervisor determines that the lack of it keeps someone from stabilising (T:665)."""


class WaitlistEffect(StrEnum):
    """Whom else it touches. Nobody is put behind on a waiting list: unused or new places only."""

    NONE = "none"
    UNUSED_PLACE = "uses an unused place"
    NEW_PLACE = "buys a new place"
    DISPLACES = "puts somebody behind"


class FundUsed(Event):
    """Money was spent for a participant. `other_pools`: who was asked first, and had nothing."""

    topic: ClassVar[str] = "fund.used"
    label: ClassVar[Label] = Label.FUND_USE
    requires: ClassVar[tuple[str, ...]] = ("participant_id", "party_id")

    cents: Annotated[int, Field(gt=0, le=CENTS_MOST), Label.FUND_USE]
    purpose: Annotated[FundPurpose, Label.FUND_USE]
    what: Annotated[ShortText, Label.FUND_USE]
    other_pools: Annotated[tuple[ShortText, ...], Label.FUND_USE]
    waitlist: Annotated[WaitlistEffect, Label.FUND_USE]
    determined_by: Annotated[ShortText | None, Label.FUND_USE] = None


def use(event: FundUsed) -> list[Event]:
    """Use flexible funds."""
    if not event.other_pools:
        raise Refused("other_pools", "other pools come first (T:667).", "Name who was asked and had nothing.")
    if event.waitlist is WaitlistEffect.DISPLACES:
        raise Refused("waitlist", "nobody is put behind for a participant.", "Use an unused place, or buy a new one.")
    if event.purpose in SUPERVISORS and event.determined_by is None:
        raise Refused("purpose", f"a supervisor determines {event.purpose} (T:665).", "Ask a supervisor to record it.")
    return [event]
