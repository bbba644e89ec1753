"""What a probation office alleges against someone in LEAD (T:1137, T:1145)."""

from __future__ import annotations

from datetime import date

from pydantic import AwareDatetime

from domain.event import ShortText
from domain.legal_case import Source
from domain.refusal import Refused
from domain.registry import Role
from domain.violation import Condition, ViolationAlleged, violation_id
from services.ports import Caller
from services.site import Command, Outcome, Site, append, day, example, handles, happened, known_to


class AllegeViolation(Command):
    """You allege a violation of what a court ordered. `participant`: your own id; `source`: what it rests on.

    `cites_share`: that source cites something that your office knows only from LEAD.
    """

    model_config = example(
        participant="k7q2m4xw6ahzn3rt5ybdcfgeuq",
        report_number="V-26-0118",
        docket="23-1-00871-2",
        condition="reporting",
        violated_on="2026-02-10",
        source="court record",
        source_number="23-1-00871-2",
        source_on="2026-02-10",
    )

    participant: str
    report_number: ShortText
    docket: ShortText | None = None
    condition: Condition
    violated_on: date | None = None
    source: Source
    source_number: ShortText | None = None
    source_on: date | None = None
    cites_share: bool = False
    alleged_at: AwareDatetime | None = None


@handles(AllegeViolation, Role.PROBATION_OFFICER)
def allege_violation(site: Site, caller: Caller, command: AllegeViolation) -> Outcome:
    """Record an allegation; nothing here delays it."""
    participant = known_to(site, caller, command.participant)
    violation = violation_id(caller.party, command.report_number)
    if site.log.load(violation):
        raise Refused("report_number", "your office has recorded it already.", "Give the number of this report.")
    for name in ("violated_on", "source_on"):
        if (value := getattr(command, name)) is not None:
            day(site, name, value)
    event = ViolationAlleged(
        participant_id=participant,
        party_id=caller.party,
        matter_id=violation,
        occurred_at=happened(site, "alleged_at", command.alleged_at),
        **command.model_dump(exclude={"participant", "alleged_at"}),
    )
    return Outcome([append(violation, 0, event)], {"violation": site.ids.seal(caller.party, violation)})
