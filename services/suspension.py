"""Suspending an accounting on an agency's statement, and ending that before its day. On its day it ends by itself."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from uuid import UUID

from domain import suspension as law
from domain.event import Event, ShortText
from domain.refusal import Refused
from domain.registry import Role
from domain.suspension import AccountingResumed, AccountingSuspended, Capacity, Statement, Suspension
from services.consent import Sha256
from services.directory import Party
from services.person import records
from services.ports import Append, Caller
from services.site import Command, Outcome, Site, append, day, example, handles, last_day, load_participant


class SuspendAccounting(Command):
    """An agency stated that telling this participant what was disclosed to it would be likely to impede it.

    `until`: the last day, as it stated; by word of mouth thirty days from the statement at most. `official`: who said
    so. A written statement extends what runs.
    """

    model_config = example(
        agency="county-pa",
        capacity="law enforcement",
        official="Alex Chen",
        statement="written",
        stated_on="2026-02-10",
        until="2026-04-30",
        artefact_sha256="d" * 64,
    )

    agency: ShortText
    capacity: Capacity
    official: ShortText
    statement: Statement
    stated_on: date
    until: date
    artefact_sha256: Sha256 | None = None


@handles(SuspendAccounting, Role.PRIVACY_OFFICER)
def suspend_accounting(site: Site, caller: Caller, command: SuspendAccounting, *, participant_id: str) -> Outcome:
    """Suspend the accounting of one participant for one agency, by whatever record it is asked for."""
    who, _ = load_participant(site, caller, participant_id, merged=True)
    agency, protocol = site.directory.by_code(command.agency, "agency"), site.protocol()
    if agency.kind not in law.MAY_ASK[command.capacity]:
        kinds = " or ".join(sorted(law.MAY_ASK[command.capacity]))
        raise Refused("agency", f"for {command.capacity} it would be a party of the kind {kinds}.", "Name another one.")
    stated_on = day(site, "stated_on", command.stated_on)
    until = last_day(site, "until", command.until)

    def suspended(record: UUID, state: Suspension) -> list[Event]:
        event = AccountingSuspended(
            participant_id=record,
            party_id=caller.party,
            expires_at=law.last_moment(until, protocol),
            occurred_at=site.now(),
            agency=agency.id,
            capacity=command.capacity,
            official=command.official,
            statement=command.statement,
            stated_on=stated_on,
            until=until,
            artefact_sha256=command.artefact_sha256,
        )
        return [law.suspend(state, event, protocol)]

    appends = _on_each(site, who, agency, suspended)
    return Outcome(appends, {"participant": participant_id, "agency": command.agency})


class ResumeAccounting(Command):
    """A suspension ends before its last day, at once."""

    model_config = example(agency="county-pa")

    agency: ShortText


@handles(ResumeAccounting, Role.PRIVACY_OFFICER)
def resume_accounting(site: Site, caller: Caller, command: ResumeAccounting, *, participant_id: str) -> Outcome:
    """End a suspension."""
    who, _ = load_participant(site, caller, participant_id, merged=True)
    agency = site.directory.by_code(command.agency, "agency")

    def resumed(record: UUID, state: Suspension) -> list[Event]:
        if not state.runs(site.now()):
            return []
        event = AccountingResumed(
            participant_id=record, party_id=caller.party, occurred_at=site.now(), agency=agency.id
        )
        return [event]

    appends = _on_each(site, who, agency, resumed)
    if not any(each.events for each in appends):
        raise Refused("agency", "it has nothing suspended here.", "Read what is suspended in the accounting.")
    return Outcome(appends, {"participant": participant_id, "agency": command.agency})


def _on_each(site: Site, who: UUID, agency: Party, decide: Callable[[UUID, Suspension], list[Event]]) -> list[Append]:
    """Return what a word comes to on each record of the person; nothing is merged meanwhile."""
    appends = []
    for record in records(site, who):
        stream = law.suspension_stream(record.id, agency.id)
        state = law.suspension(record.id, agency.id, site.log.load(stream))
        appends += [append(record.id, record.version), append(stream, state.version, *decide(record.id, state))]
    return appends
