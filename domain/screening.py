"""What a person makes of a referral: screening, vetting, a refusal, who waits for whom (T:308-T:399, T:1131-T:1133).

Nothing here looks at a criminal history, and nothing here is decided by a form.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime

from domain.contact import ContactMade
from domain.door import SCREENED, Decline, ReferralDeclined, ReferralScreened, ReferralVetted
from domain.event import Event, Recorded
from domain.participant import Enrolment, StatusChanged
from domain.protocol import POST_FILING, Door, Protocol
from domain.referral import NoticeCode, Referral, tell_department
from domain.refusal import Refused

_REFUSALS = frozenset({Decline.UNREACHABLE, Decline.NOT_ACCEPTED, Decline.NO_CAPACITY})
_RECORD = re.compile(
    r"\b(arrest|book(ed|ing)|charged|convict|criminal (history|record)|felon|indict|jail|misdemeanou?r|ncic|parole|"
    r"prison|prior(s| (arrest|record|offen[cs]e)s?)\b|probation|rap sheet|rcw|sentenced|sex offender|sid\b|warrant)",
    re.IGNORECASE,
)


def screen(state: Referral, event: ReferralScreened) -> list[Event]:
    """Record what a person found; a later screening takes the place of an earlier one."""
    _still_open(state)
    if state.door not in SCREENED:
        raise Refused("referral", "by this door a charge has answered that.", "Accept it, or decline it.")
    return [event]


def vet(event: ReferralVetted) -> list[Event]:
    """Record what field staff should look out for; a text that quotes a criminal record is refused."""
    if event.note is not None and _RECORD.search(event.note):
        raise Refused(
            "note",
            "it reads as if it came from a criminal record.",
            "Say what to look out for, not what is on record; or leave it out.",
        )
    return [event]


def decline(
    state: Referral,
    event: ReferralDeclined,
    contacts: Iterable[Recorded[Event]],
    protocol: Protocol,
    now: datetime,
    *,
    has_slot: bool,
) -> list[Event]:
    """End a referral without accepting it. `contacts`: what is recorded about the person.

    `has_slot`: whether a slot could be taken for it now; then nobody says `no capacity` (T:1131).
    A department hears of `no capacity` where it holds someone who is under arrest, and of nothing else; no other
    referrer hears of anything.
    """
    _still_open(state)
    if (event.how is Decline.NOT_ACCEPTED) is (event.reason is None):
        raise Refused("reason", "it goes with `not accepted`, and with nothing else.", "Give it there alone.")
    if (event.how is Decline.DUPLICATE) is (event.same_as is None):
        raise Refused("same_as", "it goes with `duplicate`, and with nothing else.", "Name the other one there.")
    contacts = list(contacts)
    if event.how is Decline.DIED and not any(
        isinstance(r.event, StatusChanged) and r.event.status is Enrolment.DECEASED for r in contacts
    ):
        raise Refused("how", "no death is recorded.", "Let a supervisor record it: that ends all that waits.")
    if event.how is Decline.NO_CAPACITY and has_slot:
        raise Refused("how", "there is a slot for it.", "Accept it; the project manager sees who has room.")
    arrest = state.door is Door.ARREST_DIVERSION
    tried = [r.event for r in contacts if isinstance(r.event, ContactMade) and r.event.occurred_at >= state.offered_at]
    if event.how in _REFUSALS and not (tried or state.met or (arrest and event.how is Decline.NO_CAPACITY)):
        raise Refused("how", "nobody has looked for the person yet.", "Go out first, and record it as a contact.")
    if event.how is Decline.OFFER_DECLINED and not (arrest or any(contact.reached for contact in tried)):
        raise Refused("how", "nobody has spoken with the person yet.", "Go out first, and record it as a contact.")
    if arrest and event.how is Decline.NO_CAPACITY:
        return [event, tell_department(state, NoticeCode.NO_CAPACITY, now, protocol)]
    return [event]


def end_with_death(state: Referral, event: ReferralDeclined) -> list[Event]:
    """End a referral of someone who has died, if it still waits: nobody hears of it (labels, N)."""
    return [event] if state.accepted_at is None and state.declined is None else []


def served_first(door: Door, protocol: Protocol) -> frozenset[Door]:
    """Return the doors served before this one: the site's order, in which post-filing is always last (T:1133)."""
    before = frozenset(protocol.priorities[: protocol.priorities.index(door)])
    return before | (frozenset(Door) - POST_FILING) if door in POST_FILING else before - POST_FILING


def wait_your_turn(state: Referral, others: Iterable[Referral], room: int, protocol: Protocol) -> None:
    """Refuse a slot that would delay someone whose door is served first. `room`: the slots that are free."""
    first = served_first(state.door, protocol)
    waiting = sum(other.waits for other in others if other.id != state.id and other.door in first)
    if waiting >= max(room, 1):
        raise Refused(
            "referral",
            "others whose door is served first still wait for a slot.",
            "Accept or decline those first: it waits meanwhile.",
        )


def _still_open(state: Referral) -> None:
    if state.accepted_at is not None:
        raise Refused("referral", "it is accepted.", "Whoever leaves LEAD now is discharged.")
    if state.declined is not None:
        raise Refused("referral", f"it has ended: {state.declined}.", "Let the person be referred anew.")
