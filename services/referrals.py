"""Arrest diversion, from the officer's offer or call to the release and the extension (T:346, T:1097-T:1113)."""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from datetime import date, datetime
from hashlib import sha256
from itertools import count
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AwareDatetime, Field

from domain import deadline, roi, screening
from domain import referral as ref
from domain.event import Event, LongText, PersonName, Recorded, ShortText
from domain.participant import ParticipantIdentified
from domain.protocol import Door, Protocol
from domain.refusal import Refused, Unknown
from domain.registry import CARE, COMMAND, POLICE, PartyKind
from services.person import records
from services.ports import Append, Caller
from services.roster import room, standing, take
from services.site import (
    Command,
    Outcome,
    Site,
    append,
    day,
    example,
    handles,
    happened,
    known_to,
    last_day,
    reference,
)


class Person(Command):
    """Who a person is."""

    given: ShortText
    surname: ShortText
    birth_date: date

    @property
    def name(self) -> PersonName:
        """The person's name."""
        return PersonName(given=self.given, surname=self.surname)


class HeldCharge(Command):
    """A charge to hold back. `prosecutor`: the code of the office whose charge it would be."""

    code: ShortText
    description: ShortText
    severity: ShortText
    prosecutor: ShortText
    exclusions: tuple[ShortText, ...] = ()
    criminal_history: LongText | None = None
    race_as_perceived: ShortText | None = None


class OfferDiversion(Command):
    """An officer offered diversion, and the person agreed. `participant`: your own id, if you know the person."""

    model_config = example(
        door="arrest_diversion",
        person={"given": "Ray", "surname": "Bell", "birth_date": "1984-05-09"},
        incident_number="2026-44871",
        place="3rd Ave and Pine",
        precinct="West",
        facts="Took two coats; stopped at the door; agreed to be referred.",
        unit="West 2nd watch",
        charges=[
            {
                "code": "23C",
                "description": "Shoplifting",
                "severity": "misdemeanor",
                "prosecutor": "county-pa",
                "exclusions": ["prior felony"],
                "race_as_perceived": "White",
            }
        ],
    )

    door: Literal["arrest_diversion"]
    person: Person
    participant: str | None = None
    incident_number: ShortText
    place: ShortText
    precinct: ShortText | None = None
    facts: LongText
    unit: ShortText | None = None
    offered_at: AwareDatetime | None = None
    agreed_at: AwareDatetime | None = None
    charges: Annotated[tuple[HeldCharge, ...], Field(min_length=1, max_length=20)]


@handles(OfferDiversion, *POLICE)
def offer_diversion(site: Site, caller: Caller, command: OfferDiversion) -> Outcome:
    """Offer arrest diversion."""
    offered_at = happened(site, "offered_at", command.offered_at)
    protocol = site.protocol_of("offered_at", offered_at)
    agreed_at = happened(site, "agreed_at", command.agreed_at) if command.agreed_at else offered_at
    if agreed_at < offered_at:
        raise Refused("agreed_at", "it lies before offered_at.", "Give the time at which the person agreed.")
    day(site, "person.birth_date", command.person.birth_date)
    participant = site.new_id() if command.participant is None else known_to(site, caller, command.participant)
    offered = ref.ReferralOffered(
        participant_id=participant,
        party_id=caller.party,
        occurred_at=offered_at,
        door=Door(command.door),
        incident_number=command.incident_number,
        place=command.place,
        precinct=command.precinct,
        facts=command.facts,
        unit=command.unit,
        agreed_at=agreed_at,
        protocol_version=protocol.version,
    )
    outcome = _offered(site, caller, participant, offered, command.charges, command.person)
    known = _of_incident(site, caller.party, command.incident_number, command.person)
    if any(state.unreported for state in known):
        raise Refused("incident_number", "it was called in.", "Send your report to it: it is your own referral.")
    if known:
        raise Refused("incident_number", "its referral is here already.", "Go on with that one: it is your own.")
    return outcome


class RecordCall(Command):
    """An officer called, and that is enough (T:1287): write it down for the department; its report joins later.

    The minutes of the handoff run from the call, where the site has one. `person`: if the name was said.
    """

    model_config = example(
        department="city-pd",
        officer="Officer Kim",
        incident_number="2026-44902",
        person={"given": "Ana", "surname": "Cruz", "birth_date": "1990-01-31"},
        offered_at="2026-02-14T02:20:00-08:00",
        called_at="2026-02-14T02:22:00-08:00",
        charges=[
            {"code": "90J", "description": "Trespass", "severity": "misdemeanor", "prosecutor": "county-pa"},
        ],
    )

    department: ShortText
    officer: ShortText
    incident_number: ShortText
    precinct: ShortText | None = None
    person: Person | None = None
    unit: ShortText | None = None
    offered_at: AwareDatetime | None = None
    called_at: AwareDatetime | None = None
    charges: Annotated[tuple[HeldCharge, ...], Field(min_length=1, max_length=20)]


@handles(RecordCall, *CARE)
def record_call(site: Site, caller: Caller, command: RecordCall) -> Outcome:
    """Record what an officer called in, as the department's own referral."""
    department = site.directory.by_code(command.department, "department")
    if department.kind is not PartyKind.POLICE:
        raise Refused("department", "it is not a police department.", "Name the department whose officer called.")
    offered_at = happened(site, "offered_at", command.offered_at)
    called_at = happened(site, "called_at", command.called_at)
    if command.person is not None:
        day(site, "person.birth_date", command.person.birth_date)
    participant, protocol = site.new_id(), site.protocol_of("offered_at", offered_at)
    offered = ref.ReferralOffered(
        participant_id=participant,
        party_id=department.id,
        occurred_at=offered_at,
        door=Door.ARREST_DIVERSION,
        incident_number=command.incident_number,
        unit=command.unit,
        precinct=command.precinct,
        agreed_at=offered_at,
        protocol_version=protocol.version,
    )
    called = ref.ReferralCalledIn(
        participant_id=participant,
        party_id=department.id,
        occurred_at=called_at,
        officer=command.officer,
        incident_number=command.incident_number,
    )
    has_handoff = protocol.handoff_minutes is not None  # without, nobody is asked to come, and nobody is late (T:419)
    handoff = [deadline.call(participant, department.id, called_at, protocol)] if has_handoff else []
    outcome = _offered(site, caller, participant, offered, command.charges, command.person, [called, *handoff])
    if _of_incident(site, department.id, command.incident_number, command.person):
        raise Refused(
            "incident_number",
            "its referral is here already.",
            "Go on with that one; for another person of the same incident, give the name.",
        )
    return outcome


class SendReport(Command):
    """The department's report of what its officer called in. `person`: if the name was not known then."""

    model_config = example(place="3rd Ave and Pine", facts="Slept in the doorway after two warnings; agreed.")

    place: ShortText
    facts: LongText
    person: Person | None = None
    reported_at: AwareDatetime | None = None


@handles(SendReport, *POLICE)
def send_report(site: Site, caller: Caller, command: SendReport, *, referral: str) -> Outcome:
    """Join the report to what was called in, once."""
    state = _own_arrest(site, caller, referral)
    at = happened(site, "reported_at", command.reported_at)
    event = ref.ReferralReported(
        participant_id=state.participant,
        party_id=caller.party,
        occurred_at=at,
        place=command.place,
        facts=command.facts,
    )
    joined = append(state.id, state.version, *ref.report(state, event))
    if command.person is None:
        return Outcome([joined], {"referral": referral})
    day(site, "person.birth_date", command.person.birth_date)
    return Outcome(
        [joined, identified(site, state.participant, caller.party, at, command.person)], {"referral": referral}
    )


class OverrideExclusion(Command):
    """A sergeant or commander overrides an exclusion of one charge (T:393)."""

    model_config = example(
        charge="k7q2m4xw6ahzn3rt5ybdcfgeuq", exclusion="prior felony", rank="sergeant", reason="old and unrelated"
    )

    charge: str
    exclusion: ShortText
    rank: ShortText
    reason: ShortText
    overridden_at: AwareDatetime | None = None


@handles(OverrideExclusion, *COMMAND)
def override_exclusion(site: Site, caller: Caller, command: OverrideExclusion, *, referral: str) -> Outcome:
    """Override an exclusion."""
    state = _own_arrest(site, caller, referral)
    if command.rank != caller.role:
        raise Refused("rank", "it is not yours.", f"You are registered as {caller.role}: override as that.")
    matter = reference(site, caller, "charge", command.charge)
    event = ref.ExclusionOverridden(
        participant_id=state.participant,
        party_id=caller.party,
        matter_id=matter,
        occurred_at=happened(site, "overridden_at", command.overridden_at),
        exclusion=command.exclusion,
        rank=command.rank,
        reason=command.reason,
        protocol_version=state.protocol_version,
    )
    return Outcome(
        [append(state.id, state.version, *ref.override(state, event, rules(site, state)))], {"referral": referral}
    )


class RequestHandoff(Command):
    """The department called for a case manager; whoever takes the call writes it down (T:1287)."""

    model_config = example(requested_at="2026-02-14T02:14:00-08:00")

    requested_at: AwareDatetime | None = None


@handles(RequestHandoff, *CARE)
def request_handoff(site: Site, caller: Caller, command: RequestHandoff, *, referral: str) -> Outcome:
    """Write down the department's call; the minutes of the handoff run from it."""
    state = _arrest(site, caller, referral)
    requested_at = happened(site, "requested_at", command.requested_at)
    known = deadline.deadlines(site.log.load(state.id))
    events = deadline.request_handoff(state, known, requested_at, rules(site, state))
    return Outcome([append(state.id, state.version, *events)], {"referral": referral})


class RecordHandoff(Command):
    """A case manager met the person: when the department called, and when she arrived.

    `requested_at`: left out where the call is written down already; that time stands.
    """

    model_config = example(requested_at="2026-02-14T02:14:00-08:00")

    requested_at: AwareDatetime | None = None
    met_at: AwareDatetime | None = None


@handles(RecordHandoff, *CARE)
def record_handoff(site: Site, caller: Caller, command: RecordHandoff, *, referral: str) -> Outcome:
    """Record the warm handoff, and the call for it if nobody wrote that down."""
    state = _arrest(site, caller, referral)
    protocol, known = rules(site, state), deadline.deadlines(site.log.load(state.id))
    said = command.requested_at and happened(site, "requested_at", command.requested_at)
    called_at = known.called_at or said
    if called_at is None:
        raise Refused("requested_at", "nobody has written down the call.", "Give the time at which it came.")
    met_at = happened(site, "met_at", command.met_at)
    met = ref.meet(state, caller.party, called_at, met_at, protocol, site.now())
    call = [] if known.called_at else deadline.request_handoff(state, known, called_at, protocol)
    return Outcome([append(state.id, state.version, *call, *met)], {"referral": referral})


class AcceptReferral(Command):
    """LEAD accepts the referral. `found_at`: where the person can be found, for care alone (T:1111)."""

    model_config = example(found_at="Near the ferry terminal, mornings")

    accepted_at: AwareDatetime | None = None
    found_at: LongText | None = None


@handles(AcceptReferral, *CARE)
def accept_referral(site: Site, caller: Caller, command: AcceptReferral, *, referral: str) -> Outcome:
    """Accept a referral by any door, if there is a slot that delays nobody who is served first.

    The charges of someone who is enrolled already latch at once (T:1183, T:1327).
    """
    state = load_referral(site, caller, referral)
    protocol = rules(site, state)
    accepted = ref.ReferralAccepted(
        participant_id=state.participant,
        party_id=caller.party,
        occurred_at=happened(site, "accepted_at", command.accepted_at),
        found_at=command.found_at,
        protocol_version=protocol.version,
    )
    outcome = _with_latch(site, state, ref.accept(state, accepted), {"referral": referral})
    return Outcome([*outcome.appends, slot(site, caller, state)], outcome.answer)


def slot(site: Site, caller: Caller, state: ref.Referral) -> Append:
    """Return the slot that accepting a referral takes. Raises `Refused` while it has none, or delays someone."""
    kept = records(site, state.participant)[0].id
    if state.door is not Door.ARREST_DIVERSION and not standing(site).keeps(kept):  # nobody is served before an arrest
        screening.wait_your_turn(state, site.standing.waiting(), room(site), site.protocol())
    return take(site, caller, kept, state.door)


class RecordRelease(Command):
    """The officer released the person. Before co-defendants it may look like informing (T:1113)."""

    model_config = example(in_presence_of_codefendants=False)

    released_at: AwareDatetime | None = None
    in_presence_of_codefendants: bool


@handles(RecordRelease, *POLICE)
def record_release(site: Site, caller: Caller, command: RecordRelease, *, referral: str) -> Outcome:
    """Record the release."""
    state = _own_arrest(site, caller, referral)
    released_at = happened(site, "released_at", command.released_at)
    events = ref.release(
        state, released_at, rules(site, state), site.now(), codefendants=command.in_presence_of_codefendants
    )
    return Outcome([append(state.id, state.version, *events)], {"referral": referral})


class RequestExtension(Command):
    """Care asks for more time; the reason stays with care (T:407)."""

    model_config = example(until="2026-03-30", reason="He is away until the end of the month.")

    until: date
    reason: LongText
    requested_at: AwareDatetime | None = None


@handles(RequestExtension, *CARE)
def request_extension(site: Site, caller: Caller, command: RequestExtension, *, referral: str) -> Outcome:
    """Ask for an extension."""
    state = _arrest(site, caller, referral)
    event = ref.ExtensionRequested(
        participant_id=state.participant,
        party_id=caller.party,
        occurred_at=happened(site, "requested_at", command.requested_at),
        until=last_day(site, "until", command.until),
        reason=command.reason,
    )
    events = ref.request_extension(state, event, rules(site, state), site.now())
    return Outcome([append(state.id, state.version, *events)], {"referral": referral})


class AgreeExtension(Command):
    """The referring officer, or a sergeant or commander of the department, agrees to more time (T:407)."""

    model_config = example(until="2026-03-30")

    until: date
    agreed_at: AwareDatetime | None = None


@handles(AgreeExtension, *POLICE)
def agree_extension(site: Site, caller: Caller, command: AgreeExtension, *, referral: str) -> Outcome:
    """Agree to an extension."""
    state = _own_arrest(site, caller, referral)
    if caller.role not in COMMAND and not _referred(site, caller, state):
        raise Refused("referral", "another officer made it.", "That officer agrees, or your sergeant or commander.")
    agreed_at = happened(site, "agreed_at", command.agreed_at)
    until = last_day(site, "until", command.until)
    events = ref.agree_extension(state, until, agreed_at, rules(site, state), site.now())
    return _with_latch(site, state, events, {"referral": referral})


def load_referral(site: Site, caller: Caller, text: str) -> ref.Referral:
    """Return a referral that care or the project manager names; raises `Unknown`."""
    state = ref.referral(site.log.load(reference(site, caller, "referral", text)))
    if state is None:
        raise Unknown
    return state


def own_referral(site: Site, caller: Caller, text: str) -> ref.Referral:
    """Return a referral that the caller's own party made; raises `Unknown`."""
    state = load_referral(site, caller, text)
    if state.department != caller.party:
        raise Unknown
    return state


def _own_arrest(site: Site, caller: Caller, text: str) -> ref.Referral:
    state = own_referral(site, caller, text)
    if state.door is not Door.ARREST_DIVERSION:
        raise Unknown  # before anything that the department may not know is looked at
    return state


def _referred(site: Site, caller: Caller, state: ref.Referral) -> bool:
    """Return whether an officer made a referral of the department: offered it, called it in or reported it."""
    return any(
        recorded.event.officer == caller.name
        if isinstance(recorded.event, ref.ReferralCalledIn)
        else recorded.envelope.actor == caller.staff
        for recorded in site.log.load(state.id)
        if isinstance(recorded.event, ref.ReferralOffered | ref.ReferralCalledIn | ref.ReferralReported)
    )


def _arrest(site: Site, caller: Caller, text: str) -> ref.Referral:
    state = load_referral(site, caller, text)
    if state.door is not Door.ARREST_DIVERSION:
        raise Refused("referral", "it is no arrest diversion.", "Record what you did as a contact.")
    return state


def _with_latch(site: Site, state: ref.Referral, events: list[Event], answer: dict[str, str]) -> Outcome:
    """Return the events, and with them the latch of someone who is enrolled already, in time (T:1183, T:1327)."""
    person = records(site, state.participant)
    enrolled_at = min((record.enrolled_at for record in person if record.enrolled_at is not None), default=None)
    consent = roi.consent(state.participant, site.log.load(roi.consent_stream(state.participant)))
    then = ref.after(state, events)
    if enrolled_at is not None and then.accepted_by is not None:
        tell = consent.hear_completed(site.now())
        events = [*events, *ref.latch(then, then.accepted_by, enrolled_at, tell, site.now())]
    return Outcome(
        [
            append(state.id, state.version, *events),
            *(append(record.id, record.version) for record in person),
            append(roi.consent_stream(state.participant), consent.version),
        ],
        answer,
    )


def rules(site: Site, state: ref.Referral) -> Protocol:
    """Return the protocol under which a referral was made; it keeps its deadlines."""
    return site.directory.version(state.protocol_version)


def _offered(
    site: Site,
    caller: Caller,
    who: UUID,
    offered: ref.ReferralOffered,
    charges: tuple[HeldCharge, ...],
    person: Person | None,
    call: Sequence[Event] = (),
) -> Outcome:
    """Return what a new arrest diversion comes to, whether the officer sent it or LEAD wrote it down.

    Only afterwards is it of use to look whether the incident has one already: see `_next_of_incident`.
    """
    referral, matters = _next_of_incident(site, offered), [site.new_id() for _ in charges]
    held = [
        ref.ChargeHeld(
            participant_id=who,
            party_id=offered.party_id,
            matter_id=matter,
            occurred_at=offered.occurred_at,
            charge=ref.Charge(code=charge.code, description=charge.description, severity=charge.severity),
            incident_number=offered.incident_number,
            prosecutor=site.directory.office(charge.prosecutor, f"charges[{n}].prosecutor").id,
            exclusions=charge.exclusions,
            criminal_history=charge.criminal_history,
            race_as_perceived=charge.race_as_perceived,
        )
        for n, (matter, charge) in enumerate(zip(matters, charges, strict=True))
    ]
    appends = [append(referral, 0, *ref.offer(offered, held, site.directory.version(offered.protocol_version)), *call)]
    if person is not None:
        appends.append(identified(site, who, offered.party_id, offered.occurred_at, person))
    return Outcome(
        appends,
        {
            "referral": site.ids.seal(caller.party, referral),
            "participant": site.ids.seal(caller.party, who),
            "charges": [site.ids.seal(caller.party, matter) for matter in matters],
        },
    )


def identified(site: Site, who: UUID, party: UUID | None, at: datetime, person: Person) -> Append:
    """Return that a party said who a person is."""
    event = ParticipantIdentified(
        participant_id=who, party_id=party, occurred_at=at, name=person.name, birth_date=person.birth_date
    )
    known = site.log.load(who)
    return append(who, known[-1].version if known else 0, event)


def _next_of_incident(site: Site, offered: ref.ReferralOffered) -> UUID:
    """Return the stream of an incident's next referral, which nobody has begun.

    Two that are sent at the same moment meet on it: one is recorded, the other decided again, and it finds the first.
    Keyed, so that nobody who knows an incident's number finds its referral in the log.
    """
    for n in count():
        named = f"referral {n} of {offered.incident_number} {offered.party_id}".encode()
        stream = UUID(bytes=hmac.digest(site.digests, named, sha256)[:16], version=4)
        if not site.log.existing([stream]):
            return stream
    raise AssertionError  # there is always a next one


def _of_incident(site: Site, department: UUID, incident_number: str, person: Person | None) -> list[ref.Referral]:
    """Return the department's arrest diversions of an incident that may be about this person."""
    found = []
    for recorded in site.log.of_topics([ref.ReferralOffered.topic]):
        event = recorded.event
        if event.party_id == department and getattr(event, "incident_number", None) == incident_number:
            state = ref.referral(site.log.load(recorded.stream))
            if state is not None and _may_be(site, state, person):
                found.append(state)
    return found


def _may_be(site: Site, state: ref.Referral, person: Person | None) -> bool:
    """Return whether a referral may be about this person, by what the department itself has said.

    Called in without a name, it may be anybody until the report is there.
    """
    said = [r.event for r in site.log.load(state.participant) if r.event.party_id == state.department]
    names = {str(event.name).casefold() for event in said if isinstance(event, ParticipantIdentified)}
    return person is None or str(person.name).casefold() in names or (not names and state.unreported)


def latches(
    care: UUID, history: list[Recorded[Event]], enrolled_at: datetime | None, tell: frozenset[UUID], now: datetime
) -> list[Append]:
    """Return the latches of every referral that a participant's enrolment was in time for, and who hears of them."""
    appends: list[Append] = []
    if enrolled_at is None:
        return appends
    for state in ref.referrals(history, ref.ReferralOffered):
        latched = ref.latch(state, care, enrolled_at, tell, now)
        asked = deadline.ask_to_decide(state, history, enrolled_at, now)
        appends.append(append(state.id, state.version, *latched, *asked))
    return appends
