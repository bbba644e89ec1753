"""The roster's commands: assignment, cover by a dated list, on call; and the slot of who is accepted (T:1129)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, time
from typing import Annotated
from uuid import UUID

from pydantic import AwareDatetime, Field

from domain import roster
from domain.calendar import end_of_day
from domain.event import ShortText
from domain.protocol import Door
from domain.refusal import Refused
from domain.registry import CARE, CARRIES, Role, StaffEnded, staff_stream
from services.directory import Staff
from services.ports import Append, Caller
from services.site import (
    Command,
    Outcome,
    Site,
    append,
    example,
    handles,
    last_day,
    load_participant,
    reference,
)

ON_CALL = (Role.SUPERVISOR, Role.PROJECT_MANAGER)
"""Who keeps the on-call roster."""


def standing(site: Site) -> roster.Roster:
    """Return how the roster stands now."""
    return site.standing.roster()


def team(site: Site, loads: Mapping[UUID, int]) -> dict[UUID, Staff]:
    """Return who carries participants here: case managers, and whoever else of the team may and does.

    A supervisor or peer who carries nobody is no free slot.
    """
    return {
        person.id: person
        for person in list(site.directory.staff.values())
        if not person.ended and person.role in CARRIES and (person.role is Role.CASE_MANAGER or loads.get(person.id))
    }


def room(site: Site) -> int:
    """Return how many more the team could carry before its average is above the policy's (T:1131)."""
    state = standing(site)
    return site.protocol().caseload_average * len(team(site, state.loads)) - len(state.carried_by) - len(state.reserved)


def take(site: Site, caller: Caller, participant: UUID, door: Door) -> Append:
    """Return the slot that an accepted participant takes until it is assigned; nothing new for one who has one.

    Raises `Refused` naming `capacity` where the site must decline (T:1131).
    """
    state, protocol = standing(site), site.protocol()
    event = roster.SlotReserved(
        participant_id=participant,
        party_id=caller.party,
        occurred_at=site.now(),
        door=door,
        protocol_version=protocol.version,
    )
    return append(roster.ROSTER, state.version, *roster.take(state, team(site, state.loads), event, protocol))


class AssignParticipant(Command):
    """A case manager carries a participant from now on. `case_manager`: her sign-in; you, if left out."""

    model_config = example(case_manager="dana")

    case_manager: ShortText | None = None


@handles(AssignParticipant, *CARE)
def assign(site: Site, caller: Caller, command: AssignParticipant, *, participant_id: str) -> Outcome:
    """Assign a participant, or move it from one case manager to another."""
    who, _ = load_participant(site, caller, participant_id)
    staff = site.directory.staff.get(caller.staff)
    if command.case_manager is not None:
        staff = site.directory.by_subject(command.case_manager)
    staff = _of_the_team(caller, staff, "case_manager")
    state, protocol = standing(site), site.protocol()
    event = roster.ParticipantAssigned(
        participant_id=who,
        party_id=caller.party,
        staff_id=staff.id,
        occurred_at=site.now(),
        case_manager=staff.name,
        phone=protocol.team_number,
        protocol_version=protocol.version,
    )
    events = roster.assign(state, {*team(site, state.loads), staff.id}, event, protocol)
    return Outcome(
        [append(roster.ROSTER, state.version, *events), _still_here(site, staff, "case_manager")],
        {"participant": participant_id},
    )


class ArrangeCover(Command):
    """A supervisor's dated list: who looks after a colleague's participants, on leave or after she left.

    `participants`: those of hers that this line is about; all of them, if left out. It is no assignment.
    """

    model_config = example(case_manager="dana", by="luis", last_on="2026-12-20")

    case_manager: ShortText
    by: ShortText
    participants: Annotated[tuple[str, ...], Field(min_length=1, max_length=100)] | None = None
    first_on: date | None = None
    last_on: date


@handles(ArrangeCover, Role.SUPERVISOR)
def arrange_cover(site: Site, caller: Caller, command: ArrangeCover) -> Outcome:
    """Arrange cover. It begins with its first day, now if that is today, and ends with its last."""
    carrier = _carrier(site, caller, command.case_manager)
    by = _of_the_team(caller, site.directory.by_subject(command.by), "by")
    state, now, zone = standing(site), site.now(), site.protocol().tz
    begins_at = now
    if command.first_on is not None:
        first = datetime.combine(last_day(site, "first_on", command.first_on), time(), zone)
        begins_at = max(now, first)
    lines = [
        roster.ParticipantCovered(
            participant_id=who,
            party_id=caller.party,
            staff_id=by.id,
            expires_at=end_of_day(last_day(site, "last_on", command.last_on), zone),
            occurred_at=now,
            begins_at=begins_at,
            covered_by=by.name,
        )
        for who in _whom(site, caller, state, carrier, command.participants)
    ]
    events = roster.arrange_cover(state, carrier, lines, now)
    return Outcome(
        [append(roster.ROSTER, state.version, *events), _still_here(site, by, "by")],
        {"participants": [site.ids.seal(caller.party, line.participant_id) for line in lines if line.participant_id]},
    )


class EndCover(Command):
    """Cover ends before its day: for some of a case manager's participants, or for all."""

    model_config = example(case_manager="dana")

    case_manager: ShortText
    participants: Annotated[tuple[str, ...], Field(min_length=1, max_length=100)] | None = None


@handles(EndCover, Role.SUPERVISOR)
def end_cover(site: Site, caller: Caller, command: EndCover) -> Outcome:
    """End cover."""
    state = standing(site)
    carrier = _carrier(site, caller, command.case_manager)
    endings = [
        roster.CoverEnded(participant_id=who, party_id=caller.party, occurred_at=site.now())
        for who in _whom(site, caller, state, carrier, command.participants)
    ]
    events = roster.end_cover(state, endings)
    return Outcome(
        [append(roster.ROSTER, state.version, *events)],
        {"participants": [site.ids.seal(caller.party, e.participant_id) for e in events if e.participant_id]},
    )


class SetOnCall(Command):
    """A member of the team is on call; she may open anyone of the team meanwhile, logged as cover (T:1289)."""

    model_config = example(name="luis", ends_at="2026-12-20T08:00:00-08:00")

    name: ShortText
    begins_at: AwareDatetime | None = None
    ends_at: AwareDatetime


@handles(SetOnCall, *ON_CALL)
def set_on_call(site: Site, caller: Caller, command: SetOnCall) -> Outcome:
    """Put someone on call."""
    person = _of_the_team(caller, site.directory.by_subject(command.name), "name")
    last_day(site, "ends_at", command.ends_at.date())
    event = roster.OnCallSet(
        party_id=person.party,
        staff_id=person.id,
        expires_at=command.ends_at,
        occurred_at=site.now(),
        begins_at=max(site.now(), command.begins_at or site.now()),
        name=person.name,
    )
    return Outcome(
        [
            append(roster.ROSTER, standing(site).version, *roster.set_on_call(event, site.now())),
            _still_here(site, person, "name"),
        ],
        {"name": command.name},
    )


class EndOnCall(Command):
    """Someone is not on call any more, nor at any later time that was set."""

    model_config = example(name="luis")

    name: ShortText


@handles(EndOnCall, *ON_CALL)
def end_on_call(site: Site, _: Caller, command: EndOnCall) -> Outcome:
    """Take someone off call."""
    state, person = standing(site), site.directory.staff.get(staff_stream(command.name))
    if person is None or not any(duty.staff == person.id and duty.ends_at > site.now() for duty in state.on_call):
        raise Refused("name", "nobody who signs in so is on call.", "See who is on call.")
    event = roster.OnCallEnded(party_id=person.party, staff_id=person.id, occurred_at=site.now())
    return Outcome([append(roster.ROSTER, state.version, event)], {"name": command.name})


def _of_the_team(caller: Caller, person: Staff | None, name: str) -> Staff:
    """Return someone who may carry participants; coordinators and advocates have no caseload (T:659, T:1119).

    To the team, a colleague of its own.
    """
    stranger = person is None or (caller.role in CARE and person.party != caller.party)
    if person is None or stranger or person.role not in CARRIES:
        raise Refused(name, "nobody of the team who carries participants signs in so.", "Name a case manager.")
    return person


def _carrier(site: Site, caller: Caller, subject: str) -> UUID:
    """Return a case manager by her sign-in, even if her authority has ended: her participants stay hers."""
    person = site.directory.staff.get(staff_stream(subject))
    if person is None or person.party != caller.party:
        raise Refused("case_manager", "nobody of your team signs in so.", "Name a case manager of your team.")
    return person.id


def _whom(site: Site, caller: Caller, state: roster.Roster, carrier: UUID, named: tuple[str, ...] | None) -> list[UUID]:
    """Return the participants that are named, each once; all that a case manager carries, if none is."""
    if named is None:
        return [who for who, staff in state.carried_by.items() if staff == carrier]
    return list(dict.fromkeys(reference(site, caller, f"participants[{n}]", text) for n, text in enumerate(named)))


def _still_here(site: Site, person: Staff, name: str) -> Append:
    """Return the precondition that a colleague's authority does not end meanwhile."""
    last = site.log.load(person.id)[-1]
    if isinstance(last.event, StaffEnded):
        raise Refused(name, "her authority has ended.", "Name someone else of your team.")
    return append(person.id, last.version)
