"""Courts, offices and jails: cases, hearings, decisions, warrants, bookings, what an office answers (domain 1.10)."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import NamedTuple
from uuid import UUID

from adapters.simulation.cast import CHARGES, TZ
from adapters.simulation.people import Person
from adapters.simulation.year import Story, Year
from domain.hearing import HearingKind, HearingOutcome
from domain.labels import Reader
from domain.legal_case import DecisionKind, Disposition, OrderKind, Source
from domain.warrant import WarrantEnd, WarrantKind
from services import court, custody, findings, warrants
from services.questions import findings as questions
from services.questions import listing, partner, police

MILD = (DecisionKind.ABEYANCE, DecisionKind.MONITOR, DecisionKind.DISMISS, DecisionKind.LESSER_DISPOSITION)
HARSH = (DecisionKind.RAISE_CHARGE, DecisionKind.DETENTION_MOTION, DecisionKind.ALLEGE_VIOLATION)
INDEPENDENT = (Source.INCIDENT_REPORT, Source.VICTIM_REPORT, Source.COURT_RECORD)


class Odds(NamedTuple):
    """How often things happen, of one."""

    old_case: float = 0.35
    new_case: float = 0.15
    on_the_courts_docket: float = 0.4
    moved: float = 0.3
    reads_first: float = 0.7
    sets_ceiling: float = 0.5
    harsh: float = 0.12
    names_source: float = 0.6
    old_warrant: float = 0.2
    booked: float = 0.1
    looked_up: float = 0.25
    answers_now: float = 0.5


ODDS = Odds()


def _old_case(year: Year, person: Person, at: datetime) -> Story:
    """Tell of a filing for something that lay before LEAD."""
    if person.happens(ODDS.old_case):
        yield (at := person.by_day(at, 10, 60))
        offense_on = _day(at) - timedelta(days=person.chance.randrange(100, 300))
        yield from _case(year, person, at, offense_on, incident=None)


def _new_case(year: Year, person: Person, at: datetime) -> Story:
    """Tell of a filing for something new, with an incident report of its own."""
    if person.happens(ODDS.new_case):
        yield (at := person.by_day(at, 40, 180))
        offense_on = _day(at) - timedelta(days=person.chance.randrange(2, 12))
        yield from _case(year, person, at, offense_on, incident=f"{offense_on:%Y-%j}-{5000 + person.n}")


def _case(year: Year, person: Person, at: datetime, offense_on: date, incident: str | None) -> Story:
    """Tell of one case, from the notice to its end: the office may look at what LEAD tells it, and then decides."""
    if person.happens(ODDS.reads_first):
        _read(year, person)
    knows = year.named("chen", person.participant)
    filed = court.FileCase(
        docket=f"{at:%y}-1-{person.n:05}-{at:%m%d}",
        participant=knows,
        defendant=person.identity,
        charges=(person.chance.choice(CHARGES),),
        incident_number=incident,
        offense_on=offense_on,
        filed_on=_day(at) - timedelta(days=1),
    )
    made = year.attempt("chen", filed) or year.do("chen", filed.model_copy(update={"participant": None}))
    case = year.known("chen", made["case"])
    if person.happens(ODDS.on_the_courts_docket):
        year.tell(_docket(year, person, at, filed))
    starts_at = datetime.combine(_day(at) + timedelta(days=person.chance.randrange(20, 50)), time(9), TZ)
    heard = year.do(
        "chen", court.SetHearing(kind=HearingKind.PRETRIAL, starts_at=starts_at, courtroom="E-1201"), case=case
    )
    hearing = year.known("chen", heard["hearing"])
    yield (at := year.meeting(at))
    if person.happens(ODDS.reads_first):
        _read(year, person)
    ceiling = DecisionKind.LESSER_DISPOSITION if person.happens(ODDS.sets_ceiling) else None
    kind = person.chance.choice(MILD)
    year.do("chen", court.DecideCase(kind=kind, reason="Engaged with LEAD.", ceiling=ceiling), case=case)
    if person.happens(ODDS.moved):
        starts_at += timedelta(days=7)
        year.do("chen", court.MoveHearing(starts_at=starts_at), case=case, hearing=hearing)
    yield (at := max(at, starts_at) + timedelta(hours=1))
    came = HearingOutcome.HELD if person.happens(0.8) else HearingOutcome.DID_NOT_APPEAR
    year.do("chen", court.EndHearing(outcome=came), case=case, hearing=hearing)
    if person.happens(ODDS.harsh):
        yield (at := person.by_day(at, 1, 10))
        year.do("chen", _harsh(person, at), case=case)
    yield (at := person.by_day(at, 20, 60))
    ended = court.DisposeCase(outcome=person.chance.choice(tuple(Disposition)), disposed_on=_day(at))
    year.do("chen", ended, case=case)


def _harsh(person: Person, at: datetime) -> court.DecideCase:
    """Return an adverse decision; its source is an independent one by number and day, or not stated."""
    kind = person.chance.choice(HARSH)
    if not person.happens(ODDS.names_source):
        return court.DecideCase(kind=kind, source=Source.NOT_STATED)
    return court.DecideCase(
        kind=kind,
        source=person.chance.choice(INDEPENDENT),
        source_number=f"{at:%Y}-{70_000 + person.n}",
        source_on=_day(at) - timedelta(days=person.chance.randrange(1, 90)),
    )


def _docket(year: Year, person: Person, at: datetime, filed: court.FileCase) -> Story:
    """Tell how the court enters the case on its own docket, and its order: public record."""
    yield (at := person.by_day(at, 1, 5))
    entered = court.EnterCase(
        docket=filed.docket,
        defendant=filed.defendant,
        charges=filed.charges,
        filed_on=filed.filed_on,
        prosecutor="county-pa",
    )
    case = year.known("judge", year.do("judge", entered)["case"])
    yield (at := person.by_day(at, 5, 30))
    year.do("judge", court.EnterOrder(kind=person.chance.choice(tuple(OrderKind)), ordered_on=_day(at)), case=case)


def _warrant(year: Year, person: Person, at: datetime) -> Story:
    """Tell of an old warrant that the legal advocate finds; the court quashes it, with the office's support or not."""
    if not person.happens(ODDS.old_warrant):
        return
    yield (at := person.by_day(at, 10, 90))
    if not person.here:
        return
    issued_on = _day(at) - timedelta(days=person.chance.randrange(100, 900))
    found = warrants.FindWarrant(
        number=f"W-{person.n}",
        kind=person.chance.choice(tuple(WarrantKind)),
        court="District Court",
        issued_on=issued_on,
        prosecutor="county-pa",
    )
    made = year.do("rosa", found, participant_id=person.participant)
    if person.happens(ODDS.on_the_courts_docket):
        year.tell(_public(year, person, at, found))
    yield (at := person.by_day(at, 15, 45))
    quashed = warrants.EndWarrant(outcome=WarrantEnd.QUASHED, ended_on=_day(at))
    year.do("rosa", quashed, warrant_id=year.known("rosa", made["warrant"]))


def _public(year: Year, person: Person, at: datetime, found: warrants.FindWarrant) -> Story:
    """Tell how the court's own feed tells of the same warrant, and of its end."""
    yield (at := person.by_day(at, 0.1, 2))
    feed = warrants.RecordWarrant(
        number=found.number, kind=found.kind, issued_on=found.issued_on, defendant=person.identity
    )
    made = year.do("judge", feed)
    yield (at := person.by_day(at, 15, 50))
    ended = warrants.EndWarrant(outcome=person.chance.choice(tuple(WarrantEnd)), ended_on=_day(at))
    year.do("judge", ended, warrant_id=year.known("judge", made["warrant"]))


def _booking(year: Year, person: Person, at: datetime) -> Story:
    """Tell of a booking, which the officer may have read about the person before."""
    if not person.happens(ODDS.booked):
        return
    yield (at := person.by_night(at, 30, 200))
    if person.happens(ODDS.looked_up):
        _look_up(year, person)
    booked = custody.RecordBooking(
        participant=year.named(person.officer, person.participant),
        booking_number=f"{at:%y%j}-{person.n:04}",
        facility="County Jail",
        source=Source.INCIDENT_REPORT,
        source_number=f"{at:%Y}-{80_000 + person.n}",
        source_on=_day(at) - timedelta(days=1),
    )
    year.attempt(person.officer, booked)


def _patrol(year: Year, person: Person, at: datetime) -> Story:
    """Tell how an officer looks someone up on the street."""
    if person.happens(ODDS.looked_up):
        yield person.by_night(at, 5, 120)
        _look_up(year, person)


def _read(year: Year, person: Person) -> None:
    text = year.named("chen", person.participant)
    year.ask("chen", lambda site, caller: partner.participant(site, caller, Reader.PROSECUTOR, text))
    year.acts["prosecutor reads"] += 1


def _look_up(year: Year, person: Person) -> None:
    asked = police.Lookup(given=person.given, surname=person.surname, birth_date=person.born)
    year.ask("kim", lambda site, caller: police.lookup(site, caller, asked))
    year.acts["police look up"] += 1


def answers(year: Year) -> Story:
    """Tell how the office answers what it was asked about its own actions: some of it, meeting by meeting."""
    chance, at = year.chance("answers"), year.begin
    theirs = next(found for found in questions.LISTINGS if found.path == "prosecutor/findings")
    answered: set[UUID] = set()
    while True:
        yield (at := year.meeting(at))
        page = year.ask("chen", lambda site, caller: listing.page(site, caller, theirs, listing.Asked(), None, 50))
        for asked in page[theirs.key]:
            finding = year.known("chen", asked["finding_id"])
            if finding in answered or chance.random() > ODDS.answers_now:
                continue
            answered.add(finding)
            source = chance.choice((*INDEPENDENT, Source.NOT_STATED))
            stated = {} if source is Source.NOT_STATED else {"number": f"{at:%Y}-{chance.randrange(10_000)}"}
            year.attempt("chen", findings.AnswerFinding(source=source, **stated), finding=finding)


def _day(at: datetime) -> date:
    return at.astimezone(TZ).date()


STORIES = (_old_case, _new_case, _warrant, _booking, _patrol)
