"""Court cases: what a prosecutor's office, a court, and care each tell of them (T:467-T:487)."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any
from uuid import UUID, uuid5

from pydantic import AwareDatetime, Field

from domain import hearing as hear
from domain import legal_case
from domain.event import LongText, ShortText
from domain.hearing import HearingKind, HearingOutcome
from domain.identity import RecordSubject
from domain.legal_case import (
    CaseDisposed,
    CaseEntered,
    CaseFiled,
    CaseUpdated,
    DecisionKind,
    DecisionRecorded,
    Disposition,
    LegalCase,
    OrderEntered,
    OrderKind,
    Source,
)
from domain.referral import Charge, ProsecutorNotified
from domain.refusal import Refused, Unknown
from domain.registry import CARE, PartyKind, Role
from services.ports import Caller
from services.referrals import Person
from services.site import (
    EARLIEST,
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
    load_participant,
    reference,
)

KEEPS_CASES = (Role.LIAISON_PROSECUTOR, Role.COURT_OFFICER, *sorted(CARE))
"""Who keeps a record of cases; each party its own."""
Charges = Annotated[tuple[Charge, ...], Field(min_length=1, max_length=50)]


class FileCase(Command):
    """Notice of a filing. `participant`: your own id of the person, where you know it from a notice or an answer.

    `cites_share`: it cites something that your office knows only from LEAD.
    """

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
    charges: Charges
    incident_number: ShortText | None = None
    offense_on: date
    arrested_on: date | None = None
    filed_on: date
    received_at: AwareDatetime | None = None
    cites_share: bool = False


@handles(FileCase, Role.LIAISON_PROSECUTOR)
def file_case(site: Site, caller: Caller, command: FileCase) -> Outcome:
    """File notice of a case."""
    participant = None if command.participant is None else known_to(site, caller, command.participant)
    case = standing_at(site, uuid5(caller.party, command.docket))
    if site.log.load(case):
        raise Refused("docket", "your office has filed it already.", "Read your docket.")
    now = site.now()
    for name in ("offense_on", "arrested_on", "filed_on"):
        if (value := getattr(command, name)) is not None:
            day(site, name, value)
    event = CaseFiled(
        participant_id=participant,
        party_id=caller.party,
        matter_id=case,
        occurred_at=now,
        docket=command.docket,
        defendant=defendant(site, command.defendant),
        charges=command.charges,
        incident_number=command.incident_number,
        offense_on=command.offense_on,
        arrested_on=command.arrested_on,
        filed_on=command.filed_on,
        received_at=happened(site, "received_at", command.received_at),
        cites_share=command.cites_share,
    )
    today = now.astimezone(site.protocol().tz).date()
    return Outcome([append(case, 0, *legal_case.file(event, today))], {"case": site.ids.seal(caller.party, case)})


class EnterCase(Command):
    """A case on a court's own docket: public record. `prosecutor`: the office that brought it, if it takes part here.

    `participant`: your own id of the person, where you know it from an answer.
    """

    model_config = example(
        docket="23-1-00871-2",
        defendant={"given": "Ray", "surname": "Bell", "birth_date": "1984-05-09"},
        charges=[{"code": "23C", "description": "Shoplifting", "severity": "misdemeanor"}],
        filed_on="2023-06-01",
        prosecutor="county-pa",
    )

    docket: ShortText
    participant: str | None = None
    defendant: Person
    charges: Charges
    filed_on: date
    prosecutor: ShortText | None = None


@handles(EnterCase, Role.COURT_OFFICER)
def enter_case(site: Site, caller: Caller, command: EnterCase) -> Outcome:
    """Enter a case on the court's docket."""
    participant = None if command.participant is None else known_to(site, caller, command.participant)
    case = standing_at(site, uuid5(caller.party, command.docket))
    if site.log.load(case):
        raise Refused("docket", "your court has entered it already.", "Read your docket.")
    event = CaseEntered(
        participant_id=participant,
        party_id=caller.party,
        matter_id=case,
        occurred_at=site.now(),
        office=office(site, command.prosecutor),
        public_record=is_feed(caller),
        court=site.directory.party(caller.party).name,
        docket=command.docket,
        defendant=defendant(site, command.defendant),
        charges=command.charges,
        filed_on=day(site, "filed_on", command.filed_on),
    )
    return Outcome([append(case, 0, event)], {"case": site.ids.seal(caller.party, case)})


class FindCase(Command):
    """A case of the participant's that care found, here or in an outlying court (T:694).

    `prosecutor`: the office whose case it is, if it takes part here; only that office can be let know of it.
    """

    model_config = example(court="Enumclaw Municipal Court", docket="C-22-118")

    court: ShortText
    docket: ShortText
    charges: Annotated[tuple[Charge, ...], Field(max_length=50)] = ()
    filed_on: date | None = None
    prosecutor: ShortText | None = None


@handles(FindCase, *CARE)
def find_case(site: Site, caller: Caller, command: FindCase, *, participant_id: str) -> Outcome:
    """Record a case that care found."""
    who, _ = load_participant(site, caller, participant_id)
    case = uuid5(who, f"case {command.court} {command.docket}")
    if site.log.load(case):
        raise Refused("docket", "care has recorded it already.", "Read the participant's history.")
    event = CaseEntered(
        participant_id=who,
        party_id=caller.party,
        matter_id=case,
        occurred_at=site.now(),
        office=office(site, command.prosecutor),
        court=command.court,
        docket=command.docket,
        charges=command.charges,
        filed_on=None if command.filed_on is None else day(site, "filed_on", command.filed_on),
    )
    answered = {"participant": participant_id, "case": site.ids.seal(caller.party, case)}
    return Outcome([append(case, 0, event)], answered)


class UpdateCase(Command):
    """The charges of a case are now these."""

    model_config = example(charges=[{"code": "90J", "description": "Trespass", "severity": "misdemeanor"}])

    charges: Charges
    updated_at: AwareDatetime | None = None


@handles(UpdateCase, *KEEPS_CASES)
def update_case(site: Site, caller: Caller, command: UpdateCase, *, case: str) -> Outcome:
    """Record other charges."""
    state = _own_case(site, caller, case)
    event = CaseUpdated(
        **of_case(caller, state), occurred_at=happened(site, "updated_at", command.updated_at), charges=command.charges
    )
    return Outcome([append(state.id, state.version, event)], {"case": case})


class SetHearing(Command):
    """A hearing in a case."""

    model_config = example(kind="pretrial", starts_at="2026-04-14T09:00:00-07:00", courtroom="E-1201")

    kind: HearingKind
    starts_at: AwareDatetime
    courtroom: ShortText | None = None


@handles(SetHearing, *KEEPS_CASES)
def set_hearing(site: Site, caller: Caller, command: SetHearing, *, case: str) -> Outcome:
    """Set a hearing."""
    state = _own_case(site, caller, case)
    event = hear.HearingSet(
        **of_case(caller, state),
        occurred_at=site.now(),
        hearing_kind=command.kind,
        starts_at=_begins(site, command.starts_at),
        courtroom=command.courtroom,
    )
    made = uuid5(state.id, str(state.version + 1))
    return Outcome(
        [append(state.id, state.version, event)], {"case": case, "hearing": site.ids.seal(caller.party, made)}
    )


class MoveHearing(Command):
    """A hearing is at another time."""

    model_config = example(starts_at="2026-04-21T09:00:00-07:00", courtroom="E-1201")

    starts_at: AwareDatetime
    courtroom: ShortText | None = None


@handles(MoveHearing, *KEEPS_CASES)
def move_hearing(site: Site, caller: Caller, command: MoveHearing, *, case: str, hearing: str) -> Outcome:
    """Move a hearing."""
    state = _own_case(site, caller, case)
    number, found = _hearing(site, caller, state, hearing)
    event = hear.HearingMoved(
        **of_case(caller, state),
        occurred_at=site.now(),
        hearing=number,
        starts_at=_begins(site, command.starts_at),
        courtroom=command.courtroom,
    )
    return Outcome([append(state.id, state.version, *hear.move(found, event))], {"case": case, "hearing": hearing})


class EndHearing(Command):
    """A hearing was held, or will not be."""

    model_config = example(outcome="held")

    outcome: HearingOutcome
    ended_at: AwareDatetime | None = None


@handles(EndHearing, *KEEPS_CASES)
def end_hearing(site: Site, caller: Caller, command: EndHearing, *, case: str, hearing: str) -> Outcome:
    """End a hearing."""
    state = _own_case(site, caller, case)
    number, found = _hearing(site, caller, state, hearing)
    event = hear.HearingEnded(
        **of_case(caller, state),
        occurred_at=happened(site, "ended_at", command.ended_at),
        hearing=number,
        outcome=command.outcome,
    )
    return Outcome([append(state.id, state.version, *hear.end(found, event))], {"case": case, "hearing": hearing})


class DisposeCase(Command):
    """A case ended."""

    model_config = example(outcome="dismissed", disposed_on="2026-02-10")

    outcome: Disposition
    disposed_on: date


@handles(DisposeCase, *KEEPS_CASES)
def dispose_case(site: Site, caller: Caller, command: DisposeCase, *, case: str) -> Outcome:
    """Record how a case ended."""
    state = _own_case(site, caller, case)
    event = CaseDisposed(
        **of_case(caller, state),
        occurred_at=site.now(),
        outcome=command.outcome,
        disposed_on=day(site, "disposed_on", command.disposed_on),
    )
    return Outcome([append(state.id, state.version, *legal_case.dispose(state, event))], {"case": case})


class EnterOrder(Command):
    """A court made an order."""

    model_config = example(kind="release", ordered_on="2026-02-10")

    kind: OrderKind
    ordered_on: date


@handles(EnterOrder, Role.COURT_OFFICER)
def enter_order(site: Site, caller: Caller, command: EnterOrder, *, case: str) -> Outcome:
    """Enter an order."""
    state = _own_case(site, caller, case)
    event = OrderEntered(
        **of_case(caller, state),
        occurred_at=site.now(),
        kind=command.kind,
        ordered_on=day(site, "ordered_on", command.ordered_on),
    )
    return Outcome([append(state.id, state.version, event)], {"case": case})


class DecideCase(Command):
    """A decision in a case. Standard processing needs no source; `held by our office, not stated` is a valid one.

    A charge held back is decided on as well, by its `charge_id` and `participant` from your notice of it: nothing needs
    to be filed.
    `ceiling`: the most severe result that your office allows itself from now on; left out, it stays as it stands.
    `cites_share`: its source cites something that your office knows only from LEAD.
    `review_on`: when what is put off is looked at again; left out, after the protocol's days.
    """

    model_config = example(kind="hold in abeyance", reason="Engaged with LEAD.", ceiling="proceed as standard")

    participant: str | None = None
    kind: DecisionKind
    reason: LongText | None = None
    ceiling: DecisionKind | None = None
    source: Source | None = None
    source_number: ShortText | None = None
    source_on: date | None = None
    cites_share: bool = False
    note: LongText | None = None
    decided_at: AwareDatetime | None = None
    review_on: date | None = None


@handles(DecideCase, Role.LIAISON_PROSECUTOR)
def decide_case(site: Site, caller: Caller, command: DecideCase, *, case: str) -> Outcome:
    """Record a decision."""
    state, protocol = _decided_on(site, caller, case, command.participant), site.protocol()
    if command.source_on is not None:
        day(site, "source_on", command.source_on)
    event = DecisionRecorded(
        participant_id=state.participant,
        party_id=caller.party,
        matter_id=state.id,
        occurred_at=happened(site, "decided_at", command.decided_at),
        ceiling=command.ceiling or state.ceiling,
        protocol_version=protocol.version,
        **command.model_dump(exclude={"participant", "decided_at", "ceiling", "review_on"}),
    )
    review_on = None if command.review_on is None else last_day(site, "review_on", command.review_on)
    events = [*legal_case.decide(event), *legal_case.review(event, review_on, protocol)]
    return Outcome([append(state.id, state.version, *events)], {"case": case})


def standing_at(site: Site, case: UUID) -> UUID:
    """Return where a case goes on that was entered in error, or sealed, under the same number before."""
    while (state := legal_case.docketed(site.log.load(case))) is not None and state.withdrawn is not None:
        case = uuid5(case, "again")
    return case


def is_feed(caller: Caller) -> bool:
    """Return whether what the caller tells is public record: a court's own feed, and nothing else."""
    return caller.party_kind is PartyKind.COURT


def office(site: Site, code: str | None) -> UUID | None:
    """Return the office that a command names as `prosecutor`."""
    return None if code is None else site.directory.office(code, "prosecutor").id


def defendant(site: Site, person: Person) -> RecordSubject:
    """Return who is charged, as a command names it."""
    return RecordSubject(name=person.name, birth_date=day(site, "defendant.birth_date", person.birth_date))


def _own_case(site: Site, caller: Caller, text: str) -> LegalCase:
    state = legal_case.legal_case(site.log.load(reference(site, caller, "case", text)))
    if state is None or state.party != caller.party:
        raise Unknown
    return state


def _decided_on(site: Site, caller: Caller, text: str, participant: str | None) -> LegalCase:
    """Return the office's own case, or the charge held back of which it had a notice about this participant."""
    if participant is None:
        return _own_case(site, caller, text)
    charge, who = reference(site, caller, "case", text), known_to(site, caller, participant)
    told = (r.event for r in site.log.history(who, caller.party) if isinstance(r.event, ProsecutorNotified))
    if not any((event.party_id, event.matter_id) == (caller.party, charge) for event in told):
        return _own_case(site, caller, text)
    held = LegalCase(charge, 0, caller.party, who, caller.party)
    return legal_case.legal_case(site.log.load(charge), held) or held


def of_case(caller: Caller, state: LegalCase) -> dict[str, Any]:
    """Return what every record of a case says of it: what follows on public record is public record."""
    return {
        "participant_id": state.participant,
        "party_id": caller.party,
        "matter_id": state.id,
        "office": state.office,
        "public_record": state.public,
    }


def _hearing(site: Site, caller: Caller, state: LegalCase, text: str) -> tuple[UUID, hear.Hearing]:
    number = reference(site, caller, "hearing", text)
    found = hear.hearings(site.log.load(state.id)).get(number)
    if found is None:
        raise Unknown
    return number, found


def _begins(site: Site, moment: datetime) -> datetime:
    """Return when a hearing begins; raises `Refused` for a time that nobody can mean."""
    if moment.date() < EARLIEST:
        raise Refused("starts_at", f"it lies before {EARLIEST}.", "Give the time at which it begins.")
    last_day(site, "starts_at", moment.date())
    return moment
