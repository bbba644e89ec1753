"""Who takes part: parties, staff, protocol. Written by the project manager, or from a file when a site begins."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from uuid import UUID, uuid4, uuid5

from pydantic import BaseModel

from domain.event import Envelope, Event, ShortText
from domain.protocol import Door, Protocol, ProtocolAdopted, adopt
from domain.refusal import Refused, Unknown
from domain.registry import (
    PartyCode,
    PartyKind,
    PartyRegistered,
    Role,
    StaffEnded,
    StaffRegistered,
    kinds_of,
    staff_stream,
)
from services.ports import NOBODY, Caller, Conflict
from services.site import COMMANDS, Command, Outcome, Site, append, example, handles

_PARTIES = UUID("0c1f0a0e-8d5f-5b7a-9d52-2b3c7b1a6e10")
PROTOCOLS = UUID("f3f0f3d4-4a08-5a4e-9c57-0a0b7b2d5e21")
FIRST = (Role.PROJECT_MANAGER, Role.SERVICE)


class RegisterParty(Command):
    """An agency or other party takes part."""

    model_config = example(code="sunrise-clinic", name="Sunrise Clinic", kind="recipient")

    code: PartyCode
    name: ShortText
    kind: PartyKind


class RegisterStaff(Command):
    """A person works for a party, in one role. `subject`: what the identity provider calls the person."""

    model_config = example(party="city-pd", name="Officer Doe", role="officer", subject="j.doe")

    party: PartyCode
    name: ShortText
    role: Role
    subject: ShortText


class EndStaff(Command):
    """A person's authority ends, at once."""

    model_config = example(subject="j.doe")

    subject: ShortText


class AdoptProtocol(Command):
    """The Policy Coordinating Group adopted a version of the protocol."""

    model_config = example(
        protocol={
            "version": "P-8",
            "effective_from": "2026-04-01",
            "zone": "America/Los_Angeles",
            "handoff_minutes": 30,
            "intake_days": 30,
            "non_return_hours": 24,
            "caseload_intensive_least": 12,
            "caseload_intensive_most": 15,
            "caseload_average": 20,
            "caseload_most": 25,
            "priorities": [door.value for door in Door],
            "roi_days_most": 366,
            "roi_notice_days": 30,
            "item_days_most": 90,
            "paper_days": 7,
            "review_days": 90,
            "finding_hours": 24,
            "small_cell": 11,
            "retention_days": 2200,
            "retention_days_not_enrolled": 365,
            "public_referrals_per_hour": 60,
            "public_referrals_per_address": 6,
            "feed_hours": 72,
            "set_aside_days": 30,
            "lease_hours": 24,
            "receipt_days": 7,
            "acknowledgement_days": 30,
            "name_likeness": 0.85,
            "review_likeness": 0.75,
            "divertible": ["23C", "35A", "90J"],
            "exclusions": ["prior felony", "violent history"],
            "override_ranks": ["sergeant", "commander"],
            "on_call": "206-555-0100",
            "team_number": "206-555-0100",
        }
    )

    protocol: Protocol


def party_id(code: str) -> UUID:
    """Return the id of the party of this code: the same wherever a site is set up from the same file."""
    return uuid5(_PARTIES, code)


@handles(RegisterParty, *FIRST)
def register_party(site: Site, caller: Caller, command: RegisterParty) -> Outcome:
    """Register a party."""
    party = party_id(command.code)
    if site.log.load(party):
        raise Refused("code", "it is registered already.", "Choose another code.")
    event = PartyRegistered(
        party_id=party, occurred_at=site.now(), code=command.code, name=command.name, kind=command.kind
    )
    return Outcome([append(party, 0, event)], {"party": command.code})


@handles(RegisterStaff, *FIRST)
def register_staff(site: Site, caller: Caller, command: RegisterStaff) -> Outcome:
    """Register a member of staff."""
    party = site.directory.by_code(command.party, "party")
    kinds = kinds_of(command.role)
    if party.kind not in kinds:
        raise Refused(
            "role",
            f"a {command.role} does not work for a party of kind {party.kind}.",
            f"Name a party of kind {' or '.join(sorted(kinds))}.",
        )
    stream = staff_stream(command.subject)
    history = site.log.load(stream)
    if history and not isinstance(history[-1].event, StaffEnded):
        raise Refused("subject", "it is registered already.", "End that authority first.")
    event = StaffRegistered(
        party_id=party.id,
        staff_id=stream,
        occurred_at=site.now(),
        name=command.name,
        role=command.role,
        subject=command.subject,
    )
    return Outcome([append(stream, history[-1].version if history else 0, event)], {"subject": command.subject})


@handles(EndStaff, *FIRST)
def end_staff(site: Site, caller: Caller, command: EndStaff) -> Outcome:
    """End a person's authority."""
    stream = staff_stream(command.subject)
    history = site.log.load(stream)
    if not history or isinstance(history[-1].event, StaffEnded):
        raise Unknown
    last: Event = history[-1].event
    event = StaffEnded(party_id=last.party_id, staff_id=stream, occurred_at=site.now())
    return Outcome([append(stream, history[-1].version, event)], {"subject": command.subject})


@handles(AdoptProtocol, *FIRST)
def adopt_protocol(site: Site, caller: Caller, command: AdoptProtocol) -> Outcome:
    """Adopt a protocol; a version is frozen once adopted."""
    history = site.log.load(PROTOCOLS)
    adopted = [r.event.protocol for r in history if isinstance(r.event, ProtocolAdopted)]
    for code in sorted(command.protocol.public_dockets):
        if site.directory.by_code(code, "protocol.public_dockets").kind is not PartyKind.COURT:
            raise Refused("protocol.public_dockets", f"{code} is no court.", "Name courts alone.")
    now = site.now()
    event = ProtocolAdopted(occurred_at=now, protocol=command.protocol)
    events = adopt(adopted, event, now.astimezone(command.protocol.tz).date())
    return Outcome(
        [append(PROTOCOLS, history[-1].version if history else 0, *events)], {"version": command.protocol.version}
    )


class Beginning(Command):
    """A site's beginning, as its file tells it."""

    protocol: Protocol | None = None
    parties: tuple[RegisterParty, ...] = ()
    staff: tuple[RegisterStaff, ...] = ()

    def commands(self) -> Iterator[tuple[str, Command]]:
        """Yield the commands that it comes to, in their order, and where in the file each stands."""
        yield from ((f"parties[{n}] ({party.code})", party) for n, party in enumerate(self.parties))
        if self.protocol is not None:
            yield f"protocol ({self.protocol.version})", AdoptProtocol(protocol=self.protocol)
        yield from ((f"staff[{n}] ({person.subject})", person) for n, person in enumerate(self.staff))


@dataclass(slots=True)
class Begun:
    """What a beginning came to. `differing` names what the site has already, but not so, and in which fields."""

    registered: int = 0
    unchanged: int = 0
    differing: list[str] = field(default_factory=list)


def begin(site: Site, beginning: Beginning) -> Begun:
    """Register what a site begins with; what it has already stays as it is, so that repeating it adds nothing.

    Nobody is the actor, for nobody has authority yet. Raises `Refused`, its field beginning with the place in the file:
    what stands before that place is registered.
    """
    begun = Begun()
    correlation = uuid4()
    nobody = Caller(NOBODY, NOBODY, PartyKind.PROGRAM, Role.SERVICE, None, "", correlation)
    envelope = Envelope(actor=None, role=Role.SERVICE, agency=NOBODY, correlation_id=correlation)
    for place, command in beginning.commands():
        try:
            differs = _register_once(site, nobody, envelope, command)
        except Refused as refused:
            raise refused.within(place) from None
        if differs is None:
            begun.registered += 1
        elif differs:
            begun.differing.append(f"{place}: {', '.join(differs)}")
        else:
            begun.unchanged += 1
    site.directory.refresh()
    return begun


def _register_once(site: Site, nobody: Caller, envelope: Envelope, command: Command) -> list[str] | None:
    """Register; None if it was not there, else the names of the fields in which what is there differs."""
    while True:  # a conflict means that something was registered meanwhile, perhaps this
        site.directory.refresh()
        if (differs := _differs(site, command)) is not None:
            return differs
        try:
            outcome = COMMANDS[type(command)].handler(site, nobody, command)
            site.log.record(outcome.appends, envelope)
        except Conflict:
            continue
        except Refused:
            site.directory.refresh()
            if _differs(site, command) is None:
                raise
            continue
        return None


def _differs(site: Site, command: Command) -> list[str] | None:
    """Return in which fields what is registered differs from the command; None if nothing is."""
    match command:
        case RegisterParty():
            party = site.directory.parties.get(party_id(command.code))
            return None if party is None else _unequal(command, name=party.name, kind=party.kind)
        case RegisterStaff():
            staff = site.directory.staff.get(staff_stream(command.subject))
            if staff is None:
                return None
            if staff.ended:  # an old file gives nobody an authority back
                return ["the authority has ended"]
            code = site.directory.party(staff.party).code
            return _unequal(command, party=code, name=staff.name, role=staff.role)
        case AdoptProtocol(protocol=protocol):
            adopted = next((p for p in site.directory.protocols if p.version == protocol.version), None)
            return None if adopted is None else _unequal(protocol, **dict(adopted))
    return None


def _unequal(wanted: BaseModel, **there: object) -> list[str]:
    return [name for name, value in there.items() if getattr(wanted, name) != value]
