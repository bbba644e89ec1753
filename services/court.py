"""What a prosecutor's office tells LEAD: notices of filings, and its decisions (T:473-T:487)."""

from __future__ import annotations

from datetime import date
from typing import Annotated
from uuid import uuid5

from pydantic import AwareDatetime, Field

from domain import legal_case
from domain.event import LongText, ShortText
from domain.legal_case import CaseFiled, DecisionKind, DecisionRecorded, Defendant, Source
from domain.referral import Charge
from domain.refusal import Refused, Unknown
from domain.registry import Role
from services.ports import Caller
from services.referrals import Person
from services.site import Command, Outcome, Site, append, day, example, handles, happened, known_to, reference


class FileCase(Command):
    """Notice of a filing. `participant`: your own id of the person, where you know it from a notice or an answer."""

    model_config = example(
        docket="26-1-00317-9",
        defendant={"given": "Ray", "surname": "Bell", "birth_date": "1984-05-09"},
        charges=[{"code": "90J", "description": "Trespass of real property", "severity": "misdemeanor"}],
        offense_on="2026-01-20",
        filed_on="2026-02-10",
    )

    docket: ShortText
    participant: str | None = None
    defendant: Person
    charges: Annotated[tuple[Charge, ...], Field(min_length=1, max_length=50)]
    incident_number: ShortText | None = None
    offense_on: date
    arrested_on: date | None = None
    filed_on: date
    received_at: AwareDatetime | None = None


@handles(FileCase, Role.LIAISON_PROSECUTOR)
def file_case(site: Site, caller: Caller, command: FileCase) -> Outcome:
    """File notice of a case."""
    participant = None if command.participant is None else known_to(site, caller, command.participant)
    case = uuid5(caller.party, command.docket)
    if site.log.load(case):
        raise Refused("docket", "your office has filed it already.", "Read your docket.")
    now = site.now()
    day(site, "defendant.birth_date", command.defendant.birth_date)
    for name in ("offense_on", "arrested_on", "filed_on"):
        if (value := getattr(command, name)) is not None:
            day(site, name, value)
    event = CaseFiled(
        participant_id=participant,
        party_id=caller.party,
        matter_id=case,
        occurred_at=now,
        docket=command.docket,
        defendant=Defendant(name=command.defendant.name, birth_date=command.defendant.birth_date),
        charges=command.charges,
        incident_number=command.incident_number,
        offense_on=command.offense_on,
        arrested_on=command.arrested_on,
        filed_on=command.filed_on,
        received_at=happened(site, "received_at", command.received_at),
    )
    today = now.astimezone(site.protocol().tz).date()
    return Outcome([append(case, 0, *legal_case.file(event, today))], {"case": site.ids.seal(caller.party, case)})


class DecideCase(Command):
    """A decision in a case. Standard processing needs no source; `held by our office, not stated` is a valid one."""

    model_config = example(kind="hold in abeyance", reason="Engaged with LEAD.")

    kind: DecisionKind
    reason: LongText | None = None
    ceiling: DecisionKind = DecisionKind.STANDARD
    source: Source | None = None
    source_number: ShortText | None = None
    source_on: date | None = None
    note: LongText | None = None
    decided_at: AwareDatetime | None = None


@handles(DecideCase, Role.LIAISON_PROSECUTOR)
def decide_case(site: Site, caller: Caller, command: DecideCase, *, case: str) -> Outcome:
    """Record a decision."""
    stream = reference(site, caller, "case", case)
    history = site.log.load(stream)
    if not history or history[0].event.party_id != caller.party or not isinstance(history[0].event, CaseFiled):
        raise Unknown
    if command.source_on is not None:
        day(site, "source_on", command.source_on)
    event = DecisionRecorded(
        participant_id=history[0].event.participant_id,
        party_id=caller.party,
        matter_id=stream,
        occurred_at=happened(site, "decided_at", command.decided_at),
        **command.model_dump(exclude={"decided_at"}),
    )
    return Outcome([append(stream, history[-1].version, *legal_case.decide(event))], {"case": case})
