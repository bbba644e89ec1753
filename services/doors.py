"""The other doors: a referral without an arrest, and what people make of it (T:358-T:399, T:467, T:493, T:1133).

Whoever refers gets one receipt, the same whatever becomes of it.
"""

from __future__ import annotations

import hmac
from datetime import date
from hashlib import sha256
from ipaddress import IPv6Address, ip_address
from typing import Annotated, Any
from uuid import uuid4

from pydantic import AwareDatetime, Field, StringConstraints

from domain import door, screening
from domain.event import NO_NUL, LongText, ShortText
from domain.protocol import Door
from domain.referral import Referral
from domain.refusal import Refused
from domain.registry import CARE, POLICE, PartyKind, Role
from services.ports import NOBODY, Caller
from services.referrals import Person, identified, load_referral, own_referral, rules, slot
from services.site import (
    Command,
    Outcome,
    Site,
    append,
    carry_out,
    day,
    example,
    handles,
    happened,
    known_to,
)

SCREENS = CARE | {Role.PROJECT_MANAGER}
DOOR_OF: dict[Role, Door] = {
    **dict.fromkeys(POLICE, Door.SOCIAL_CONTACT),
    **dict.fromkeys(SCREENS, Door.COMMUNITY),  # somebody telephoned
    Role.RECIPIENT_CONTACT: Door.COMMUNITY,
    Role.DEFENDER_OBSERVER: Door.DEFENDER,
    Role.COUNSEL: Door.DEFENDER,
    Role.COURT_OFFICER: Door.COURT,
    Role.LIAISON_PROSECUTOR: Door.PROSECUTOR,
    Role.PROBATION_OFFICER: Door.PROBATION,
}
"""The door by which someone of each role refers without an arrest."""

FormText = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2000, pattern=NO_NUL)]


class TooMany(Exception):
    """The public form has taken as many as it may for now."""


class ReferPerson(Command):
    """Refer someone without an arrest. `description`: how to know the person; the name is not needed.

    `participant`: your own id, if you know the person by one.
    """

    model_config = example(
        description="A man of about fifty who sleeps in the doorway of our shop, grey coat",
        place="3rd Ave and Pine",
        reason="There every night for months, often unwell; people have begun to call the police about him.",
    )

    participant: str | None = None
    description: LongText
    name: ShortText | None = None
    birth_date: date | None = None
    place: ShortText | None = None
    reason: LongText
    referred_at: AwareDatetime | None = None


@handles(ReferPerson, *DOOR_OF)
def refer(site: Site, caller: Caller, command: ReferPerson) -> Outcome:
    """Refer someone by the door of the caller's role."""
    at = happened(site, "referred_at", command.referred_at)
    if command.birth_date is not None:
        day(site, "birth_date", command.birth_date)
    who = site.new_id() if command.participant is None else known_to(site, caller, command.participant)
    referral, by = site.new_id(), DOOR_OF[caller.role]
    facts: dict[str, Any] = {
        "participant_id": who,
        "party_id": caller.party,
        "occurred_at": at,
        "door": by,
        "description": command.description,
        "name": command.name,
        "birth_date": command.birth_date,
        "place": command.place,
        "reason": command.reason,
        "protocol_version": site.protocol_of("referred_at", at).version,
    }
    match by:
        case Door.SOCIAL_CONTACT:
            event: door.Referred = door.SocialContactReferred(**facts)
        case Door.COMMUNITY:
            event = door.CommunityReferred(**facts)
        case _:
            event = door.LegalSystemReferred(**facts)
    return Outcome(
        [append(referral, 0, event)], {"referral": site.ids.seal(caller.party, referral), "receipt": receipt(site)}
    )


class ReferInPublic(Command):
    """Tell LEAD of someone who could use its help. Nothing about you is asked, and nothing is kept."""

    model_config = example(
        description="A man who sleeps in the doorway of the pharmacy, grey coat",
        place="3rd Ave and Pine",
        reason="He is there every night, and he is not well.",
    )

    description: FormText
    place: ShortText | None = None
    reason: FormText


@handles(ReferInPublic, Role.SERVICE)
def refer_in_public(site: Site, caller: Caller, command: ReferInPublic) -> Outcome:
    """Take what the public form was sent."""
    event = door.CommunityReferred(
        participant_id=site.new_id(),
        party_id=caller.party,
        occurred_at=site.now(),
        description=command.description,
        place=command.place,
        reason=command.reason,
        protocol_version=site.protocol().version,
    )
    return Outcome([append(site.new_id(), 0, event)], {"receipt": receipt(site)})


def public(site: Site, command: ReferInPublic, address: str) -> dict[str, Any]:
    """Take a referral from someone without an account, who stays unknown. Raises `TooMany`."""
    share, most = site.protocol().public_referrals_per_address, site.protocol().public_referrals_per_hour
    if not site.log.admit(_sender(site, address), share=share, most=most):
        raise TooMany
    nobody = Caller(NOBODY, NOBODY, PartyKind.PROGRAM, Role.SERVICE, None, "", uuid4())
    return carry_out(site, nobody, command).answer


def receipt(site: Site) -> str:
    """Return the sentence with which every referral without an arrest is received."""
    return f"Thank you. LEAD has this and will look for the person. Need help now? Call {site.protocol().on_call}."


class IdentifyReferred(Command):
    """Outreach found out who the person is."""

    model_config = example(person={"given": "Joe", "surname": "Dunn", "birth_date": "1971-03-02"})

    person: Person
    identified_at: AwareDatetime | None = None


@handles(IdentifyReferred, *CARE)
def identify(site: Site, caller: Caller, command: IdentifyReferred, *, referral: str) -> Outcome:
    """Say who a referred person is."""
    state = load_referral(site, caller, referral)
    day(site, "person.birth_date", command.person.birth_date)
    at = happened(site, "identified_at", command.identified_at)
    return Outcome(
        [identified(site, state.participant, caller.party, at, command.person)],
        {"referral": referral, "participant": site.ids.seal(caller.party, state.participant)},
    )


class ScreenReferral(Command):
    """You asked whether LEAD is for this (T:384, T:385). `response_expected`: of the legal system, without LEAD."""

    model_config = example(
        signs=["sleeping in doorways", "civil infractions"], related=["extreme poverty"], response_expected=True
    )

    signs: Annotated[tuple[door.Sign, ...], Field(max_length=len(door.Sign))]
    related: Annotated[tuple[door.Related, ...], Field(max_length=len(door.Related))]
    response_expected: bool
    screened_at: AwareDatetime | None = None


@handles(ScreenReferral, *SCREENS)
def screen(site: Site, caller: Caller, command: ScreenReferral, *, referral: str) -> Outcome:
    """Record a screening."""
    state = load_referral(site, caller, referral)
    event = door.ReferralScreened(
        participant_id=state.participant,
        party_id=caller.party,
        staff_id=caller.staff,
        occurred_at=happened(site, "screened_at", command.screened_at),
        signs=command.signs,
        related=command.related,
        response_expected=command.response_expected,
        screened_by=caller.name,
        protocol_version=state.protocol_version,
    )
    return Outcome([append(state.id, state.version, *screening.screen(state, event))], {"referral": referral})


class VetReferral(Command):
    """What field staff should look out for: codes, never a record (T:399)."""

    model_config = example(codes=["go in pairs", "animal"], note="A large dog, friendly when spoken to first")

    codes: Annotated[tuple[door.Risk, ...], Field(min_length=1, max_length=len(door.Risk))]
    note: ShortText | None = None
    vetted_at: AwareDatetime | None = None


@handles(VetReferral, *POLICE, Role.PROJECT_MANAGER, Role.SUPERVISOR)
def vet(site: Site, caller: Caller, command: VetReferral, *, referral: str) -> Outcome:
    """Record a vetting; a department vets what it referred itself, whatever has become of it."""
    find = own_referral if caller.role in POLICE else load_referral
    state = find(site, caller, referral)
    event = door.ReferralVetted(
        participant_id=state.participant,
        party_id=caller.party,
        occurred_at=happened(site, "vetted_at", command.vetted_at),
        codes=command.codes,
        note=command.note,
    )
    return Outcome([append(state.id, state.version, *screening.vet(event))], {"referral": referral})


class DeclineReferral(Command):
    """A referral ends without being accepted; you answer for it by name. `same_as`: the referral it repeats."""

    model_config = example(how="unreachable")

    how: door.Decline
    reason: door.Reason | None = None
    same_as: str | None = None
    declined_at: AwareDatetime | None = None


@handles(DeclineReferral, *SCREENS)
def decline(site: Site, caller: Caller, command: DeclineReferral, *, referral: str) -> Outcome:
    """End a referral that is not accepted."""
    state = load_referral(site, caller, referral)
    other = None
    if command.same_as is not None:
        other = load_referral(site, caller, command.same_as).id
        if other == state.id:
            raise Refused("same_as", "it is this referral.", "Name the other one.")
    event = door.ReferralDeclined(
        participant_id=state.participant,
        party_id=caller.party,
        staff_id=caller.staff,
        occurred_at=happened(site, "declined_at", command.declined_at),
        how=command.how,
        reason=command.reason,
        same_as=other,
        decided_by=caller.name,
        protocol_version=state.protocol_version,
    )
    events = screening.decline(
        state,
        event,
        site.log.history(state.participant),
        rules(site, state),
        site.now(),
        has_slot=_has_slot(site, caller, state),
    )
    return Outcome([append(state.id, state.version, *events)], {"referral": referral})


def _has_slot(site: Site, caller: Caller, state: Referral) -> bool:
    try:
        slot(site, caller, state)
    except Refused:
        return False
    return True


def _sender(site: Site, address: str) -> bytes:
    """Return what stands for a sender for an hour: a keyed digest of the address, of IPv6 its network's."""
    try:
        found = ip_address(address)
        whole = found.packed[:8] if isinstance(found, IPv6Address) and not found.ipv4_mapped else found.packed
    except ValueError:
        whole = b""  # whoever has no address shares one place
    return hmac.digest(site.digests, b"sender of a public referral" + whole, sha256)
