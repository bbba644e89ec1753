"""What police records systems and jails tell by stream: arrests and custody, of whomever they are.

Of someone whom LEAD knows, or may know, the record is kept, under its own key, and a link or a proposal says whose it
may be. Of everyone else there stays a fact without a name, and the message itself for the protocol's hours.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Final
from uuid import UUID

from pydantic import AwareDatetime

from domain import identity
from domain import referral as ref
from domain.arrest import (
    ArrestReported,
    BookingReported,
    ReleaseReported,
    Report,
    ReportRetracted,
    arrest_id,
    booking_id,
    fact_id,
    incident_of,
    report,
)
from domain.event import Event, LongText, ShortText
from domain.identity import RecordLinked, RecordSubject, Rule
from domain.legal_case import Source
from domain.refusal import Forbidden, Refused
from domain.registry import PartyKind
from domain.stop_record import ArrestRecorded, NoOffer
from services.feed import Early, Effect, Told, tells
from services.links import attribute, detach
from services.ports import Append, Caller, Keeping
from services.referrals import HeldCharge, OfferDiversion, Person, identified, of_incident, offer_diversion
from services.site import Command, Outcome, Site, append

NOT_SAID: Final = "not stated"
"""What stands where a report leaves out what a referral has."""


class Overridden(Command):
    """An exclusion that was overridden at the arrest."""

    exclusion: ShortText
    rank: ShortText
    reason: ShortText
    at: AwareDatetime


class Diverted(Command):
    """A diversion that was offered at the arrest, and accepted. `called`: an officer called LEAD."""

    offered_at: AwareDatetime
    agreed_at: AwareDatetime | None = None
    place: ShortText
    facts: LongText
    overridden: tuple[Overridden, ...] = ()


class ArrestTold(Told):
    """An arrest, as it stands. `number`: the arrest transaction number; `no_offer`: why nobody was diverted."""

    number: ShortText
    told_at: AwareDatetime
    arrested_at: AwareDatetime
    incident_number: ShortText | None = None
    person: RecordSubject
    charges: tuple[HeldCharge, ...]
    precinct: ShortText | None = None
    unit: ShortText | None = None
    category: ShortText | None = None
    place: ShortText | None = None
    facts: LongText | None = None
    diverted: Diverted | None = None
    no_offer: NoOffer = NoOffer.NOT_STATED

    def streams(self, party: UUID) -> tuple[UUID, ...]:
        """Return the arrest, the fact of it, and the person."""
        matter = arrest_id(self.number)
        return matter, fact_id(matter), self.person.stream(party, matter)


class BookingTold(Told):
    """A booking, as it stands."""

    number: ShortText
    told_at: AwareDatetime
    booked_at: AwareDatetime
    person: RecordSubject
    facility: ShortText
    arrest_number: ShortText | None = None
    incident_number: ShortText | None = None
    source: Source | None = None
    source_number: ShortText | None = None
    source_on: date | None = None
    cites_share: bool = False

    def streams(self, party: UUID) -> tuple[UUID, ...]:
        """Return the booking and the person."""
        matter = booking_id(party, self.number)
        return matter, self.person.stream(party, matter)


class ReleaseTold(Told):
    """A release from a booking."""

    number: ShortText
    released_at: AwareDatetime


class ArrestRetracted(Told):
    """An arrest that was entered in error."""

    number: ShortText


class BookingRetracted(Told):
    """A booking that was entered in error."""

    number: ShortText


@tells(ArrestTold)
def tell_arrest(site: Site, caller: Caller, told: ArrestTold) -> Effect:
    """Take an arrest: a report of one's own referral, a new referral, a record of someone LEAD knows, or a fact."""
    _only(caller, PartyKind.POLICE)
    matter = arrest_id(told.number)
    known = report(history := site.log.load(matter))
    if history and (known is None or known.retracted or known.event.party_id != caller.party):
        return Effect()  # forgotten, withdrawn, or another system told of it first
    if known is not None:
        return _amended(site, caller, told, _reported(caller, told, matter), known)
    if (own := _own_referral(site, caller, told)) is not None:
        return _joined(site, caller, told, _reported(caller, told, matter), own)
    if told.diverted is not None:
        return _referred(site, caller, told, told.diverted, _reported(caller, told, matter))
    fact = _fact(site, caller, told, matter)
    kept = _whose(site, caller, told, matter)
    if not kept:
        return Effect(fact, keep=Keeping.UNKNOWN)
    return Effect([append(matter, 0, _reported(caller, told, matter)), *fact, *kept])


@tells(ArrestRetracted)
def retract_arrest(site: Site, caller: Caller, told: ArrestRetracted) -> Effect:
    """Withdraw an arrest, the fact of it, and whatever links or proposes it."""
    _only(caller, PartyKind.POLICE)
    matter = arrest_id(told.number)
    appends = [*_withdrawn(site, caller, matter), *_withdrawn(site, caller, fact_id(matter))]
    if not appends and not site.log.load(matter):
        raise Early
    return Effect([*appends, *detach(site, caller, [matter])])


@tells(BookingTold)
def tell_booking(site: Site, caller: Caller, told: BookingTold) -> Effect:
    """Take a booking of someone whom LEAD knows, or may know."""
    _only(caller, PartyKind.POLICE)
    matter = booking_id(caller.party, told.number)
    record = BookingReported(
        party_id=caller.party,
        matter_id=matter,
        occurred_at=told.booked_at,
        **{name: getattr(told, name) for name in type(told).model_fields if name != "booked_at"},
    )
    known = report(history := site.log.load(matter))
    if known is not None and not known.retracted:
        return _amended(site, caller, told, record, known)
    if history:
        return Effect()
    kept = _whose(site, caller, told, matter)
    return Effect([append(matter, 0, record), *kept]) if kept else Effect(keep=Keeping.UNKNOWN)


@tells(ReleaseTold)
def tell_release(site: Site, caller: Caller, told: ReleaseTold) -> Effect:
    """Take a release from a booking that is kept."""
    _only(caller, PartyKind.POLICE)
    matter = booking_id(caller.party, told.number)
    known = report(site.log.load(matter))
    if known is None:  # a stranger's, or it came before its booking
        return Effect(keep=Keeping.UNKNOWN)
    if known.retracted or known.released_at == told.released_at:
        return Effect()
    event = ReleaseReported(
        party_id=caller.party, matter_id=matter, occurred_at=told.released_at, released_at=told.released_at
    )
    return Effect([append(matter, known.version, event)])


@tells(BookingRetracted)
def retract_booking(site: Site, caller: Caller, told: BookingRetracted) -> Effect:
    """Withdraw a booking that is kept, its release, and whatever links or proposes it."""
    _only(caller, PartyKind.POLICE)
    matter = booking_id(caller.party, told.number)
    if not site.log.load(matter):  # a stranger's, or it came before its booking
        return Effect(keep=Keeping.UNKNOWN)
    return Effect([*_withdrawn(site, caller, matter), *detach(site, caller, [matter])])


def _whose(site: Site, caller: Caller, told: ArrestTold | BookingTold, matter: UUID) -> list[Append]:
    """Return whose an arrest or a booking is, by the person and the incident that it names."""
    number = told.incident_number
    incident = () if number is None else (incident_of(caller.party, number),)
    return attribute(site, caller, matter, told.person, *incident)


def _reported(caller: Caller, told: ArrestTold, matter: UUID) -> ArrestReported:
    """Return the arrest as it is recorded of someone whom LEAD knows, or may know."""
    return ArrestReported(
        party_id=caller.party,
        matter_id=matter,
        occurred_at=told.arrested_at,
        number=told.number,
        told_at=told.told_at,
        incident_number=told.incident_number,
        person=told.person,
        charges=tuple(_charge(charge) for charge in told.charges),
        precinct=told.precinct,
        unit=told.unit,
    )


def _joined(site: Site, caller: Caller, told: ArrestTold, record: ArrestReported, own: ref.Referral) -> Effect:
    """Return what the report of one's own referral comes to: it joins what was called in, once."""
    appends = [append(arrest_id(told.number), 0, record), *_linked(site, caller, told, own.participant)]
    if own.unreported:
        place, facts = told.place or NOT_SAID, told.facts or NOT_SAID
        event = ref.ReferralReported(
            participant_id=own.participant,
            party_id=caller.party,
            occurred_at=told.told_at,
            place=place,
            facts=facts,
        )
        appends.append(append(own.id, own.version, *ref.report(own, event)))
        if (person := _full(told.person)) is not None and not site.log.load(own.participant):
            appends.append(identified(site, own.participant, caller.party, told.told_at, person))
    return Effect(appends)


def _referred(site: Site, caller: Caller, told: ArrestTold, diverted: Diverted, record: ArrestReported) -> Effect:
    """Return what a diversion that the report tells of comes to: a referral, as if the officer had sent it."""
    person = _full(told.person)
    if person is None:
        raise Refused("person", "a diversion needs the birth date.", "Send it.")
    if told.incident_number is None:
        raise Refused("incident_number", "a diversion needs one.", "Send it.")
    command = OfferDiversion(
        door="arrest_diversion",
        person=person,
        incident_number=told.incident_number,
        place=diverted.place,
        precinct=told.precinct,
        facts=diverted.facts,
        unit=told.unit,
        offered_at=diverted.offered_at,
        agreed_at=diverted.agreed_at,
        charges=told.charges,
    )
    outcome: Outcome = offer_diversion(site, caller, command)
    first = outcome.appends[0]
    who = first.events[0].participant_id
    if who is None:  # a referral is of somebody
        raise Refused("person", "it names nobody.", "Send the name.")
    begun = append(first.stream, 0, *first.events, *_overrides(first, diverted))
    appends = [begun, *outcome.appends[1:], append(arrest_id(told.number), 0, record)]
    return Effect([*appends, *_linked(site, caller, told, who)])


def _overrides(referral: Append, diverted: Diverted) -> list[Event]:
    """Return the exclusions that were overridden at the arrest, of each charge against which they stood."""
    return [
        ref.ExclusionOverridden(
            participant_id=held.participant_id,
            party_id=held.party_id,
            matter_id=held.matter_id,
            occurred_at=said.at,
            exclusion=said.exclusion,
            rank=said.rank,
            reason=said.reason,
            protocol_version=offered.protocol_version,
        )
        for offered in referral.events
        if isinstance(offered, ref.ReferralOffered)
        for held in referral.events
        if isinstance(held, ref.ChargeHeld)
        for said in diverted.overridden
        if said.exclusion in held.exclusions
    ]


def _linked(site: Site, caller: Caller, told: ArrestTold, participant: UUID) -> list[Append]:
    """Return the link of an arrest to the participant of one's own referral of it."""
    matter = arrest_id(told.number)
    stream = told.person.stream(caller.party, matter)
    state = identity.person_of(stream, site.log.load(stream))
    if state.participant not in (None, participant) or participant in state.apart:
        return []  # two records of one person: care merges them
    event = RecordLinked(
        participant_id=participant,
        matter_id=matter,
        occurred_at=site.now(),
        source=caller.party,
        rule=Rule.OWN_REFERRAL,
        score=0.0,
    )
    return [append(stream, state.version, *identity.link(state, event))]


def _own_referral(site: Site, caller: Caller, told: ArrestTold) -> ref.Referral | None:
    if told.incident_number is None or not site.people.has(incident_of(caller.party, told.incident_number)):
        return None
    found = of_incident(site, caller.party, told.incident_number, told.person.name)
    return found[0] if found else None


def _fact(site: Site, caller: Caller, told: ArrestTold, matter: UUID) -> list[Append]:
    """Return that somebody was arrested and not diverted, once; whoever it was."""
    stream = fact_id(matter)
    if site.log.existing([stream]):
        return []
    protocol = site.protocol_of("arrested_at", told.arrested_at)
    first = told.charges[0]
    event = ArrestRecorded(
        party_id=caller.party,
        occurred_at=told.arrested_at,
        code=first.code,
        divertible=first.code in protocol.divertible,
        reason=told.no_offer,
        precinct=told.precinct,
        unit=told.unit,
        race_as_perceived=first.race_as_perceived,
        severity=first.severity,
        category=told.category,
        protocol_version=protocol.version,
    )
    return [append(stream, 0, event)]


def _charge(charge: HeldCharge) -> ref.Charge:
    return ref.Charge(code=charge.code, description=charge.description, severity=charge.severity)


def _amended(
    site: Site, caller: Caller, told: ArrestTold | BookingTold, record: ArrestReported | BookingReported, known: Report
) -> Effect:
    """Return what a report comes to of which an earlier word is kept: who it is of is asked again if it says more."""
    if not _later(record, known):
        return Effect()
    asked = (record.person, record.incident_number) != (known.event.person, known.event.incident_number)
    again = _whose(site, caller, told, known.id) if asked else []
    return Effect([append(known.id, known.version, record), *again])


def _later(record: ArrestReported | BookingReported, known: Report) -> bool:
    """Return whether a record says something else than what is known, and was written later."""
    told: datetime = known.event.told_at
    return record.told_at > told and record.model_dump(exclude={"told_at"}) != known.event.model_dump(
        exclude={"told_at"}
    )


def _full(person: RecordSubject) -> Person | None:
    if person.birth_date is None:
        return None
    return Person(given=person.name.given, surname=person.name.surname, birth_date=person.birth_date)


def _only(caller: Caller, kind: PartyKind) -> None:
    if caller.party_kind is not kind:
        raise Forbidden


def _withdrawn(site: Site, caller: Caller, stream: UUID) -> list[Append]:
    """Return what withdraws a report, or the fact of it, if it is the caller's and stands."""
    history = site.log.load(stream)
    if not history or history[0].event.party_id != caller.party or isinstance(history[-1].event, ReportRetracted):
        return []
    event = ReportRetracted(party_id=caller.party, matter_id=stream, occurred_at=site.now())
    return [append(stream, history[-1].version, event)]
