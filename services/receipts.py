"""What a party says of a copy that was withdrawn: that it let go of it, or holds it under a legal duty."""

from __future__ import annotations

from pydantic import AwareDatetime

from domain.disclosure import CopyWithdrawn, Receipt, ReceiptGiven, copy_stream
from domain.event import ShortText
from services.feed import Effect, Told, fault, tells
from services.ports import Caller, Keeping
from services.relay import withdrawal_id
from services.site import Site, append


class ReceiptTold(Told):
    """A receipt. `participant`: as the party calls it; `withdrawal`: the id of what it answers."""

    participant: ShortText
    withdrawal: ShortText
    receipt: Receipt
    given_at: AwareDatetime


@tells(ReceiptTold)
def tell_receipt(site: Site, caller: Caller, told: ReceiptTold) -> Effect:
    """Take a receipt; one that says nothing new changes nothing, one of no withdrawal is for a person to look at."""
    participant = site.ids.open(caller.party, told.participant)
    history = [] if participant is None else site.log.load(stream := copy_stream(caller.party, participant))
    answered = [
        recorded.event.version
        for recorded in history
        if isinstance(recorded.event, CopyWithdrawn)
        and told.withdrawal == withdrawal_id(told.participant, recorded.event.version)
    ]
    if not answered:
        faults = (fault("/ControlMessageID", "unknown_withdrawal", "It names no withdrawal that was sent to you."),)
        return Effect(keep=Keeping.SET_ASIDE, faults=faults)
    said = [
        recorded.event.receipt
        for recorded in history
        if isinstance(recorded.event, ReceiptGiven) and recorded.event.version == answered[0]
    ]
    if said[-1:] == [told.receipt]:
        return Effect()
    event = ReceiptGiven(
        participant_id=participant,
        party_id=caller.party,
        occurred_at=min(told.given_at, site.now()),
        version=answered[0],
        receipt=told.receipt,
    )
    return Effect([append(stream, history[-1].version, event)])
