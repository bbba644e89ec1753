"""The charge table by stream. A charge that it does not list is no error anywhere: it is only not described."""

from __future__ import annotations

from datetime import date

from pydantic import AwareDatetime

from domain.charge_table import ChargeListed, ChargeUnlisted, charge_stream, last_told
from domain.event import ShortText
from domain.refusal import Forbidden, Refused
from domain.registry import PartyKind
from services.feed import Effect, Told, tells
from services.ports import Caller
from services.site import Site, append

KEEPERS = frozenset({PartyKind.COURT, PartyKind.PROSECUTOR})
"""Who charges, and before whom."""


class ListedTold(Told):
    """A charge as it stands in the table."""

    key: ShortText
    told_at: AwareDatetime
    code: ShortText
    statute: ShortText
    section: ShortText | None = None
    description: ShortText
    severity: ShortText
    effective_on: date
    expires_on: date | None = None


class UnlistedTold(Told):
    """A charge that is not in the table any more."""

    key: ShortText
    told_at: AwareDatetime


@tells(ListedTold)
def tell_listed(site: Site, caller: Caller, told: ListedTold) -> Effect:
    """Take a charge of the table, or how it stands now."""
    if told.expires_on is not None and told.expires_on < told.effective_on:
        raise Refused("expires_on", "it lies before effective_on.", "Give both as they are.")
    event = ChargeListed(party_id=caller.party, occurred_at=site.now(), **told.model_dump())
    return _told(site, caller, told.key, event)


@tells(UnlistedTold)
def tell_unlisted(site: Site, caller: Caller, told: UnlistedTold) -> Effect:
    """Take a charge out of the table."""
    event = ChargeUnlisted(party_id=caller.party, occurred_at=site.now(), told_at=told.told_at)
    return _told(site, caller, told.key, event)


def _told(site: Site, caller: Caller, key: str, event: ChargeListed | ChargeUnlisted) -> Effect:
    if caller.party_kind not in KEEPERS:
        raise Forbidden
    stream = charge_stream(caller.party, key)
    history = site.log.load(stream)
    known = last_told(history)
    if known is not None and (known.told_at > event.told_at or _same(known, event)):
        return Effect()
    return Effect([append(stream, len(history), event)])


def _same(one: ChargeListed | ChargeUnlisted, other: ChargeListed | ChargeUnlisted) -> bool:
    times = {"told_at", "occurred_at"}
    return type(one) is type(other) and one.model_dump(exclude=times) == other.model_dump(exclude=times)
