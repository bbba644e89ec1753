"""Arrests, most at night: offered diversion or not, called in or sent, and the way to the two steps (domain 1.2)."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple

from adapters.simulation import lives
from adapters.simulation.cast import CHARGES, TZ
from adapters.simulation.people import PLACES, RACES, Person
from adapters.simulation.team import assign
from adapters.simulation.year import Story, Year
from domain.contact import ContactKind
from domain.door import Decline
from domain.referral import Charge
from domain.stop_record import NoOffer
from services import care, custody, doors, referrals

FRIDAY = 4
CALLS_IN_THE_NAME_OF = {"kim": ("city-pd", "Officer Kim"), "webb": ("transit-pd", "Officer Webb")}


class Odds(NamedTuple):
    """How often things happen, of one: the site's luck, not its policy."""

    at_night: float = 0.6
    telephone: float = 0.2
    exclusion: float = 0.15
    changes_mind: float = 0.05
    before_others: float = 0.05
    in_the_wind: float = 0.2
    turns_up: float = 0.4
    late_intake: float = 0.15
    more_time: float = 0.4
    again: float = 0.15


ODDS = Odds()


def arrest(year: Year, person: Person, *, bad_friday: bool = False) -> Story:
    """Tell of someone whom an officer diverts, from the offer to whatever the year brings."""
    at = _friday(year, person) if bad_friday else _any_night(year, person)
    yield at
    year.meet(person)
    person.officer = "webb" if person.happens(1 / 6) else "kim"
    excluded = person.officer == "kim" and person.happens(ODDS.exclusion)
    called = not excluded and person.happens(ODDS.telephone)
    if called:
        _call_in(year, person)
        year.tell(_report(year, person, at))
    else:
        _offer(year, person, excluded=excluded)
    if excluded:
        yield (at := at + timedelta(minutes=1))
        override = referrals.OverrideExclusion(
            charge=year.named("ortiz", person.matter),
            exclusion="prior felony",
            rank="sergeant",
            reason="old and unrelated",
        )
        year.do("ortiz", override, referral=person.referral)
    if not called:  # that call is written down with the referral
        yield (at := at + timedelta(minutes=2))
        year.do(person.manager, referrals.RequestHandoff(requested_at=at), referral=person.referral)
    call = at
    busy = 40 if bad_friday else 0
    took, asked = timedelta(minutes=person.chance.randrange(10, 45) + busy), year.site.protocol().handoff
    if took > asked:
        yield call + asked
        year.beat()
    yield (at := call + took)
    year.do(person.manager, referrals.RecordHandoff(requested_at=call), referral=person.referral)
    yield (at := at + timedelta(minutes=5))
    if person.happens(ODDS.changes_mind):
        year.do(person.manager, doors.DeclineReferral(how=Decline.OFFER_DECLINED), referral=person.referral)
        return
    found = f"Near {person.chance.choice(PLACES)}, mornings"
    if year.attempt(person.manager, referrals.AcceptReferral(found_at=found), referral=person.referral) is None:
        year.do(person.manager, doors.DeclineReferral(how=Decline.NO_CAPACITY), referral=person.referral)
        return
    yield (at := at + timedelta(minutes=3))
    release = referrals.RecordRelease(in_presence_of_codefendants=person.happens(ODDS.before_others))
    year.do(person.officer, release, referral=person.referral)
    yield (at := person.by_day(at, 0.5, 1.5))
    assign(year, person)
    yield from _until_enrolled(year, person, at)


def _until_enrolled(year: Year, person: Person, at: datetime) -> Story:
    """Tell how someone comes to the two steps: in time, with more time, after the deadline, or not."""
    if person.happens(ODDS.in_the_wind):
        for _ in range(person.chance.randrange(2, 6)):
            yield (at := person.by_day(at, 2, 9))
            looked = care.RecordContact(kind=ContactKind.OUTREACH, reached=False, note="Looked for; nobody had seen.")
            year.do(person.manager, looked, participant_id=person.participant)
        if not person.happens(ODDS.turns_up):
            return
    late = person.happens(ODDS.late_intake)
    if late and person.happens(ODDS.more_time):
        yield (asked := person.by_day(at, 8, 14))
        until = (at + timedelta(days=44)).date()
        more = referrals.RequestExtension(until=until, reason="Away until the end of the month.")
        if year.attempt(person.manager, more, referral=person.referral) is not None:
            yield (at := person.by_day(asked, 0.5, 2))
            agrees = "ortiz" if person.officer == "kim" else person.officer
            year.attempt(agrees, referrals.AgreeExtension(until=until), referral=person.referral)
    yield from lives.two_steps(year, person, person.by_day(at, *((31, 42) if late else (2, 24))))
    if person.happens(ODDS.again):
        yield from _again(year, person, year.now)


def _again(year: Year, person: Person, at: datetime) -> Story:
    """Tell of a new arrest of a participant whom the officer knows: the new charge latches as LEAD accepts."""
    yield (at := person.by_night(at, 20, 120))
    if not person.here:
        return
    made = year.attempt(person.officer, _diversion(year, person, person.chance.choice(CHARGES), known=True))
    if made is None:
        return
    referral = year.known(person.officer, made["referral"])
    yield (at := at + timedelta(minutes=20))
    year.do(person.manager, referrals.RecordHandoff(requested_at=at - timedelta(minutes=18)), referral=referral)
    year.do(person.manager, referrals.AcceptReferral(), referral=referral)
    yield at + timedelta(minutes=4)
    year.do(person.officer, referrals.RecordRelease(in_presence_of_codefendants=False), referral=referral)


def without_offer(year: Year, each_days: float) -> Story:
    """Tell of the arrests that come without an offer, as the department reports them."""
    chance, at = year.chance("arrests without offer"), year.begin
    while True:
        yield (at := at + timedelta(days=chance.uniform(0.2, 2 * each_days)))
        reported = custody.RecordArrest(
            code=chance.choice((*(charge.code for charge in CHARGES), "13B", "90Z")),
            reason=chance.choice(tuple(NoOffer)),
            precinct=chance.choice(("West", "North", "South")),
            unit=chance.choice(("1st watch", "2nd watch", "3rd watch")),
            race_as_perceived=chance.choice(RACES),
        )
        year.do(chance.choice(("kim", "kim", "webb")), reported)


def _offer(year: Year, person: Person, *, excluded: bool) -> None:
    charge = person.chance.choice(CHARGES)
    made = year.do(person.officer, _diversion(year, person, charge, excluded=excluded))
    _met(year, person, person.officer, made)


def _call_in(year: Year, person: Person) -> None:
    department, officer = CALLS_IN_THE_NAME_OF[person.officer]
    call = referrals.RecordCall(
        department=department,
        officer=officer,
        incident_number=_incident(year, person),
        person=person.identity,
        called_at=year.now,
        charges=(_held(person, person.chance.choice(CHARGES)),),
    )
    _met(year, person, person.manager, year.do(person.manager, call))


def _report(year: Year, person: Person, at: datetime) -> Story:
    """Tell how the report of what was called in joins, some days later."""
    yield person.by_day(at, 0.5, 6)
    report = referrals.SendReport(place=person.chance.choice(PLACES), facts="As called in; the person agreed.")
    year.do(person.officer, report, referral=person.referral)


def _met(year: Year, person: Person, who: str, made: dict[str, str]) -> None:
    person.participant = year.known(who, made["participant"])
    person.referral = year.known(who, made["referral"])
    person.matter = year.known(who, made["charges"][0])


def _diversion(
    year: Year, person: Person, charge: Charge, *, excluded: bool = False, known: bool = False
) -> referrals.OfferDiversion:
    return referrals.OfferDiversion(
        door="arrest_diversion",
        person=person.identity,
        participant=year.named(person.officer, person.participant) if known else None,
        incident_number=_incident(year, person),
        place=person.chance.choice(PLACES),
        facts=f"{charge.description}; probable cause; the person agreed to be referred.",
        charges=(_held(person, charge, excluded=excluded),),
    )


def _held(person: Person, charge: Charge, *, excluded: bool = False) -> referrals.HeldCharge:
    return referrals.HeldCharge(
        **charge.model_dump(),
        prosecutor="county-pa",
        exclusions=("prior felony",) if excluded else (),
        criminal_history="One felony conviction, 2014." if excluded else None,
        race_as_perceived=person.chance.choice(RACES),
    )


def _incident(year: Year, person: Person) -> str:
    return f"{year.now:%Y-%j}-{1000 + person.n}"


def _any_night(year: Year, person: Person) -> datetime:
    """Return a moment of the year, most often in the night; early in it for whom things go as they mostly do."""
    days = max((year.end - year.begin).days - 10, 2)
    after = person.chance.uniform(1, min(days, 60) if person.steady else days)
    return (
        person.by_night(year.begin, after, after)
        if person.happens(ODDS.at_night)
        else person.by_day(year.begin, after, after)
    )


def _friday(year: Year, person: Person) -> datetime:
    """Return a moment of the one Friday night on which everything comes at once."""
    middle = (year.begin + (year.end - year.begin) / 3).astimezone(TZ)
    night = (middle + timedelta(days=(FRIDAY - middle.weekday()) % 7)).replace(hour=21, minute=0, second=0)
    return night + timedelta(minutes=person.chance.randrange(180))
