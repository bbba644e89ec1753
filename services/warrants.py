"""Warrants: what a court, a prosecutor's office, and care each tell of them (T:467, T:694, T:1201)."""

from __future__ import annotations

from datetime import date
from typing import Any
from uuid import uuid5

from domain.event import ShortText
from domain.refusal import Refused, Unknown
from domain.registry import CARE, PartyKind, Role
from domain.warrant import WarrantEnd, WarrantEnded, WarrantIssued, WarrantKind, end, warrant
from services.court import KEEPS_CASES, defendant, is_feed, office
from services.ports import Caller
from services.referrals import Person
from services.site import (
    Command,
    Outcome,
    Site,
    append,
    day,
    example,
    handles,
    known_to,
    load_participant,
    reference,
)


class RecordWarrant(Command):
    """A warrant, of a court's own feed or as a prosecutor's office knows it. `court`: yours, if left out.

    `participant`: your own id of the person, where you know it from a notice or an answer.
    """

    model_config = example(
        number="W-9",
        kind="failure to appear",
        court="District Court",
        issued_on="2023-09-12",
        docket="23-1-00871-2",
        defendant={"given": "Ray", "surname": "Bell", "birth_date": "1984-05-09"},
    )

    number: ShortText
    kind: WarrantKind
    court: ShortText | None = None
    issued_on: date
    docket: ShortText | None = None
    defendant: Person
    participant: str | None = None
    prosecutor: ShortText | None = None


@handles(RecordWarrant, Role.LIAISON_PROSECUTOR, Role.COURT_OFFICER)
def record_warrant(site: Site, caller: Caller, command: RecordWarrant) -> Outcome:
    """Record a warrant."""
    participant = None if command.participant is None else known_to(site, caller, command.participant)
    number = uuid5(caller.party, f"warrant {command.number}")
    prosecutes = caller.party_kind is PartyKind.PROSECUTOR
    if site.log.load(number):
        raise Refused("number", "it is recorded already.", "Read your warrants.")
    if prosecutes and command.court is None:
        raise Refused("court", "it is missing.", "Name the court that issued it.")
    event = WarrantIssued(
        participant_id=participant,
        party_id=caller.party,
        matter_id=number,
        occurred_at=site.now(),
        office=caller.party if prosecutes else office(site, command.prosecutor),
        public_record=is_feed(caller),
        number=command.number,
        warrant_kind=command.kind,
        court=command.court or site.directory.party(caller.party).name,
        issued_on=day(site, "issued_on", command.issued_on),
        docket=command.docket,
        defendant=defendant(site, command.defendant),
    )
    return Outcome([append(number, 0, event)], {"warrant": site.ids.seal(caller.party, number)})


class FindWarrant(Command):
    """A warrant against the participant that care found, here or from an outlying court (T:694).

    `prosecutor`: the office whose matter it is, if it takes part here; only that office can be let know of it.
    """

    model_config = example(
        number="W-9",
        kind="failure to appear",
        court="District Court",
        issued_on="2023-09-12",
        prosecutor="county-pa",
    )

    number: ShortText
    kind: WarrantKind
    court: ShortText
    issued_on: date
    docket: ShortText | None = None
    prosecutor: ShortText | None = None


@handles(FindWarrant, *CARE)
def find_warrant(site: Site, caller: Caller, command: FindWarrant, *, participant_id: str) -> Outcome:
    """Record a warrant that care found."""
    who, _ = load_participant(site, caller, participant_id)
    number = uuid5(who, f"warrant {command.court} {command.number}")
    if site.log.load(number):
        raise Refused("number", "care has recorded it already.", "Read the participant's history.")
    event = WarrantIssued(
        participant_id=who,
        party_id=caller.party,
        matter_id=number,
        occurred_at=site.now(),
        office=office(site, command.prosecutor),
        number=command.number,
        warrant_kind=command.kind,
        court=command.court,
        issued_on=day(site, "issued_on", command.issued_on),
        docket=command.docket,
    )
    answered = {"participant": participant_id, "warrant": site.ids.seal(caller.party, number)}
    return Outcome([append(number, 0, event)], answered)


class EndWarrant(Command):
    """A warrant was recalled or quashed, or served."""

    model_config = example(outcome="quashed", ended_on="2026-02-10")

    outcome: WarrantEnd
    ended_on: date


@handles(EndWarrant, *KEEPS_CASES)
def end_warrant(site: Site, caller: Caller, command: EndWarrant, *, warrant_id: str) -> Outcome:
    """Record how a warrant ended."""
    state = warrant(site.log.load(reference(site, caller, "warrant", warrant_id)))
    if state is None or state.event.party_id != caller.party:
        raise Unknown
    event = WarrantEnded(
        **of_warrant(state.event),
        occurred_at=site.now(),
        outcome=command.outcome,
        ended_on=day(site, "ended_on", command.ended_on),
    )
    return Outcome([append(state.issued.stream, state.version, *end(state, event))], {"warrant": warrant_id})


def of_warrant(issued: WarrantIssued) -> dict[str, Any]:
    """Return what every record of a warrant says of it."""
    return {name: getattr(issued, name) for name in ("participant_id", "party_id", "matter_id", "office")} | {
        "public_record": issued.is_public()
    }
