"""People's stories: an arrest at night, a year with LEAD, and what does not go to plan (domain 1.2 to 1.10)."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from adapters.simulation.cast import CHARGES, ZONE
from adapters.simulation.year import Story, Year
from domain.contact import ContactKind
from domain.event import ShortText
from domain.labels import Label
from domain.legal_case import DecisionKind, Source
from domain.referral import Charge
from domain.roi import Medium, WordOf
from services import care, court, referrals, roster

GIVEN = "Ray Ana Joe Lena Omar Tess Carl Ivy Sam Ruth Dee Hank Mina Otis Paula Vic June Abe Nell Gus".split()  # noqa: SIM905
SURNAMES = "Bell Cruz Dunn Ellis Frost Grant Hale Ingram Jacobs Kane Lowe Marsh Nash Owens Price".split()  # noqa: SIM905
PLACES = ("3rd Ave and Pine", "Jackson St", "Aurora Ave N", "Westlake Park", "Rainier Ave S")
RACES = ("Black", "White", "Hispanic", "Asian", "American Indian", "Unknown")
POLICE_LABELS = frozenset(
    {Label.IDENTITY_LEGAL, Label.ENROLMENT_STATUS, Label.CASE_MANAGER_CONTACT, Label.IIP_PROGRESS}
)
PROSECUTOR_LABELS = POLICE_LABELS | {Label.CHARGE_DIVERTED, Label.CASE_DOCKET, Label.CASE_EFFECT}
HOUSING_LABELS = frozenset({Label.IDENTITY_LEGAL, Label.CONTACT_PHONE, Label.NEED_HOUSING, Label.CONTACT_FACT})


class Odds(NamedTuple):
    """How often things happen, of one: the site's luck, not its policy."""

    at_night: float = 0.6
    exclusion: float = 0.15
    in_the_wind: float = 0.2
    late_intake: float = 0.15
    more_time: float = 0.25
    two_steps_apart: float = 0.3
    strikes_out_police: float = 0.1
    names_housing: float = 0.5
    relapses: float = 0.3
    old_case: float = 0.35
    revokes: float = 0.15
    signs_again: float = 0.5


ODDS = Odds()


@dataclass(slots=True)
class Person:
    """Someone whom the site meets: who it is, and by which ids of the log."""

    n: int
    chance: random.Random
    given: ShortText = ""
    surname: ShortText = ""
    born: date = date.min
    participant: UUID = field(default=UUID(int=0))
    referral: UUID = field(default=UUID(int=0))
    matter: UUID = field(default=UUID(int=0))
    roi: UUID | None = None
    enrolled: bool = False
    manager: str = ""

    def __post_init__(self) -> None:
        self.given, self.surname = GIVEN[self.n % len(GIVEN)], SURNAMES[(self.n // len(GIVEN) + self.n) % len(SURNAMES)]
        self.born = date(1960 + self.chance.randrange(42), 1 + self.chance.randrange(12), 1 + self.chance.randrange(28))

    @property
    def identity(self) -> referrals.Person:
        """Who the person is, as people write it down."""
        return referrals.Person(given=self.given, surname=self.surname, birth_date=self.born)

    def happens(self, odds: float) -> bool:
        """Return whether something happens to this person."""
        return self.chance.random() < odds

    def later(self, at: datetime, least: float, most: float) -> datetime:
        """Return a moment so many days later, to the second."""
        return (at + timedelta(days=self.chance.uniform(least, most))).replace(microsecond=0)


def arrest(year: Year, n: int) -> Story:
    """Tell of someone whom an officer diverts, most often at night, from the offer to whatever the year brings."""
    person = Person(n, year.chance(f"person {n}"), manager=year.team[n % len(year.team)])
    at = _night(year, person)
    yield at
    officer = "webb" if person.happens(1 / 6) else "kim"
    charge = person.chance.choice(CHARGES)
    excluded = officer == "kim" and person.happens(ODDS.exclusion)
    made = year.do(officer, at, _offer(person, at, charge, excluded=excluded))
    person.participant = year.known(officer, made["participant"])
    person.referral = year.known(officer, made["referral"])
    person.matter = year.known(officer, made["charges"][0])
    if excluded:
        yield (at := at + timedelta(minutes=1))
        override = referrals.OverrideExclusion(
            charge=made["charges"][0], exclusion="prior felony", rank="sergeant", reason="old and unrelated"
        )
        year.do("ortiz", at, override, referral=person.referral)
    call = at + timedelta(minutes=2)
    yield (at := call + timedelta(minutes=person.chance.randrange(10, 45)))
    year.do(person.manager, at, referrals.RecordHandoff(requested_at=call), referral=person.referral)
    yield (at := at + timedelta(minutes=5))
    found = f"Near {person.chance.choice(PLACES)}, mornings"
    year.do(person.manager, at, referrals.AcceptReferral(found_at=found), referral=person.referral)
    yield (at := at + timedelta(minutes=3))
    release = referrals.RecordRelease(in_presence_of_codefendants=False)
    year.do(officer, at, release, referral=person.referral)
    yield (at := person.later(at, 0.2, 1.2))
    year.do("noor", at, roster.AssignParticipant(case_manager=person.manager), participant_id=person.participant)
    yield from _until_enrolled(year, person, officer, at)


def _until_enrolled(year: Year, person: Person, officer: str, at: datetime) -> Story:
    """Tell how someone comes to the two steps, or does not."""
    if person.happens(ODDS.in_the_wind):
        for _ in range(person.chance.randrange(2, 6)):  # looked for, and not found
            yield (at := person.later(at, 2, 9))
            contact = care.RecordContact(kind=ContactKind.OUTREACH, reached=False, note="Looked for; nobody had seen.")
            year.do(person.manager, at, contact, participant_id=person.participant)
        return
    late = person.happens(ODDS.late_intake)
    if late and person.happens(ODDS.more_time):
        yield (asked := person.later(at, 12, 20))
        until = (at + timedelta(days=44)).date()
        more = referrals.RequestExtension(until=until, reason="Away until the end of the month.")
        year.do(person.manager, asked, more, referral=person.referral)
        yield (at := person.later(asked, 0.5, 2))
        agrees = "ortiz" if officer == "kim" else officer
        year.do(agrees, at, referrals.AgreeExtension(until=until), referral=person.referral)
    yield (at := person.later(at, *((31, 42) if late else (2, 24))))
    steps = [_intake, _sign]
    if person.happens(ODDS.two_steps_apart):
        steps.reverse()
    for step in steps:
        yield at
        step(year, person, at)
        at = person.later(at, 0.01, 3) if person.happens(ODDS.two_steps_apart) else at + timedelta(minutes=20)
    person.enrolled = True
    yield from _with_lead(year, person, at)


def _with_lead(year: Year, person: Person, at: datetime) -> Story:
    """Tell of the months with LEAD: contacts week by week, shares, a court case, a change of mind."""
    case = person.later(at, 10, 60) if person.happens(ODDS.old_case) else None
    revokes = person.later(at, 40, 160) if person.happens(ODDS.revokes) else None
    weeks = 0
    while True:
        at = person.later(at, 3, 16)
        yield at
        weeks += 1
        _contact(year, person, at)
        if weeks % 4 == 0 and person.roi is not None:
            yield (at := at + timedelta(hours=1))
            progress = frozenset({Label.IIP_PROGRESS})
            told = care.MakeShare(party="county-pa", text="Engaged; housing application filed.", labels=progress)
            year.attempt(person.manager, at, told, participant_id=person.participant)
        if case is not None and at > case:
            case = None
            yield from _court(year, person, at)
        if revokes is not None and at > revokes and person.roi is not None:
            revokes = None
            yield (at := at + timedelta(hours=9))
            gone = care.RevokeRoi(
                parties=("city-pd", "county-pa"), word_of=WordOf.COUNSEL, medium=Medium.ORAL, counsel="R. Patel"
            )
            year.do("noor", at, gone, participant_id=person.participant, roi_id=person.roi)
            if person.happens(ODDS.signs_again):
                yield (at := person.later(at, 14, 40))
                _sign(year, person, at)


def _court(year: Year, person: Person, at: datetime) -> Story:
    """Tell of a filing for something that lay before, and what the office decides once it has looked."""
    day = at.date()
    yield (at := at + timedelta(days=1))
    filed = court.FileCase(
        docket=f"{day:%y}-1-{person.n:05}-{day:%m%d}",
        participant=year.named("chen", person.participant),
        defendant=person.identity,
        charges=(CHARGES[2],),
        offense_on=day - timedelta(days=90),
        arrested_on=day - timedelta(days=90),
        filed_on=day - timedelta(days=1),
    )
    made = year.attempt("chen", at, filed)
    if made is None:
        return
    yield (at := at + timedelta(hours=5))
    kind = person.chance.choice((DecisionKind.ABEYANCE, DecisionKind.DISMISS, DecisionKind.STANDARD))
    decision = court.DecideCase(kind=kind, reason="Engaged with LEAD.", source=Source.NOT_STATED)
    year.do("chen", at, decision, case=year.known("chen", made["case"]))


def _contact(year: Year, person: Person, at: datetime) -> None:
    reached = person.happens(0.8)
    note = care.RecordContact(
        kind=person.chance.choice(tuple(ContactKind)),
        reached=reached,
        note="Brought socks and water; talked about the room." if reached else "Not there.",
        location=person.chance.choice(PLACES),
        current_use="Used again this week, and said so." if reached and person.happens(ODDS.relapses) else None,
    )
    year.do(person.manager, at, note, participant_id=person.participant)


def _intake(year: Year, person: Person, at: datetime) -> None:
    done = care.CompleteIntake(
        narrative="Grew up here; lost housing two years ago; wants a room and to see his daughter.",
        race_self=person.chance.choice(RACES),
        phone=f"206-555-{1000 + person.n:04}",
    )
    year.do(person.manager, at, done, participant_id=person.participant)


def _sign(year: Year, person: Person, at: datetime) -> None:
    police = care.GrantTo(party="city-pd", labels=POLICE_LABELS, purpose="coordination in the field")
    office = care.GrantTo(
        party="county-pa", labels=PROSECUTOR_LABELS, purpose="coordination of pending cases", notify_completion=True
    )
    housing = care.GrantTo(party="housing-co", labels=HOUSING_LABELS, purpose="an application for a room")
    strikes_out, names_housing = person.happens(ODDS.strikes_out_police), person.happens(ODDS.names_housing)
    signed = care.SignRoi(
        expires_on=(at + timedelta(days=360)).date(),
        form_version="ROI-3",
        explained_by=year.staff[person.manager].name,
        language="English",
        grants=tuple(
            grant for grant, named in ((police, not strikes_out), (office, True), (housing, names_housing)) if named
        ),
        struck_out=("city-pd",) if strikes_out else (),
    )
    answer = year.do(person.manager, at, signed, participant_id=person.participant)
    person.roi = year.known(person.manager, answer["roi"])


def _offer(person: Person, at: datetime, charge: Charge, *, excluded: bool) -> referrals.OfferDiversion:
    return referrals.OfferDiversion(
        door="arrest_diversion",
        person=person.identity,
        incident_number=f"{at:%Y}-{100000 + person.n}",
        place=person.chance.choice(PLACES),
        facts=f"{charge.description}; probable cause; the person agreed to be referred.",
        charges=(
            referrals.HeldCharge(
                **charge.model_dump(),
                prosecutor="county-pa",
                exclusions=("prior felony",) if excluded else (),
                criminal_history="One felony conviction, 2014." if excluded else None,
                race_as_perceived=person.chance.choice(RACES),
            ),
        ),
    )


def _night(year: Year, person: Person) -> datetime:
    """Return a moment of the year, most often in the night."""
    days = int((year.end - year.begin).days)
    day = (year.begin + timedelta(days=person.chance.randrange(1, max(days - 10, 2)))).date()
    hours = (21, 22, 23, 0, 1, 2, 3) if person.happens(ODDS.at_night) else range(9, 20)
    hour = person.chance.choice(hours)
    return datetime.combine(day, time(hour, person.chance.randrange(60)), tzinfo=ZoneInfo(ZONE))


def everyone(year: Year, number: int) -> Iterator[Story]:
    """Yield the stories of so many people."""
    for n in range(number):
        yield arrest(year, n)
