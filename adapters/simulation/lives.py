"""Lives with LEAD: the two steps, then contacts, plan, names and numbers, being away, leaving, death (domain 1.4)."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple

from adapters.simulation import consent, court
from adapters.simulation.people import PLACES, RACES, Person
from adapters.simulation.team import assign
from adapters.simulation.year import Story, Year
from domain.contact import ContactKind
from domain.fund import FundPurpose, WaitlistEffect
from domain.participant import Enrolment, Ground
from domain.plan import Dimension, GoalEnd
from services import care, doors, identity, plan, status
from services.plan import EntryKind

GOALS = (
    (Dimension.HOME, "A room with a door that locks."),
    (Dimension.HEALTH, "To sleep through a night."),
    (Dimension.PURPOSE, "Two mornings a week at the bicycle shop."),
    (Dimension.COMMUNITY, "To see the family again."),
)
STEPS = ("Went to see two rooms.", "Came to the office unasked.", "Has papers again.", "Called the sister.")
BARRIERS = ("No room under 900 dollars in this county.", "The waiting list is closed.")
NEEDS = ((EntryKind.HOUSING, "A room on a bus line."), (EntryKind.INCOME, "Benefits that lapsed."))


class Odds(NamedTuple):
    """How often things happen, of one."""

    two_steps_apart: float = 0.3
    relapses: float = 0.3
    goes_away: float = 0.25
    comes_back: float = 0.7
    taken_back: float = 0.4
    dies: float = 0.03
    alias: float = 0.3
    renamed: float = 0.05
    phone: float = 0.3
    shared_phone: float = 0.3
    twin: float = 0.05
    unmerged: float = 0.4
    reaches_goal: float = 0.3
    report: float = 0.4
    funds: float = 0.3


ODDS = Odds()


def two_steps(year: Year, person: Person, at: datetime) -> Story:
    """Tell of intake and ROI, in either order, and begin the stories of someone who is enrolled."""
    steps = [_intake, consent.sign]
    if apart := person.happens(ODDS.two_steps_apart):
        steps.reverse()
    for step in steps:
        yield at
        step(year, person)
        at = person.by_day(at, 0.01, 3) if apart else at + timedelta(minutes=20)
    person.here = True
    for story in (_contacts, _plan, _called, *consent.STORIES, *court.STORIES):
        year.tell(story(year, person, at))
    for odds, rare in ((ODDS.goes_away, _away), (ODDS.dies, _death), (ODDS.twin, _twin)):
        if person.happens(odds):
            year.tell(rare(year, person, at))


def _intake(year: Year, person: Person) -> None:
    done = care.CompleteIntake(
        narrative="Grew up here; lost housing two years ago; wants a room and to see the family.",
        race_self=person.chance.choice(RACES),
        phone=f"206-555-{1000 + person.n:04}",
    )
    year.do(person.manager, done, participant_id=person.participant)


def _contacts(year: Year, person: Person, at: datetime) -> Story:
    """Tell of the contacts, week by week: many are attempts, and small acts count."""
    while person.here:
        yield (at := person.by_day(at, 5, 20))
        if not person.here:
            return
        reached = not person.away and person.happens(0.8)
        kind = person.chance.choice(tuple(ContactKind)) if reached else ContactKind.OUTREACH
        note = care.RecordContact(
            kind=kind,
            reached=reached,
            note="Brought socks and water; talked about the room." if reached else "Not there; asked around.",
            location=person.chance.choice(PLACES),
            current_use="Used again this week, and said so." if reached and person.happens(ODDS.relapses) else None,
        )
        year.do(person.manager, note, participant_id=person.participant)
        if reached and person.happens(0.1):
            year.attempt(
                "gil", care.RecordContact(kind=ContactKind.RIDE, reached=True), participant_id=person.participant
            )


def _plan(year: Year, person: Person, at: datetime) -> Story:
    """Tell of the plan: goals, steps, what is in the way, what helped; gone through again, or left until it is due."""
    yield (at := person.by_day(at, 5, 25))
    while person.here:
        if not person.away:
            _go_through(year, person)
        yield (at := person.by_day(at, 20, 45))
        if not person.here:
            return
        if not person.away:
            _a_month_later(year, person)
        yield (at := person.by_day(at, 30, 75))


def _go_through(year: Year, person: Person) -> None:
    year.do(person.manager, plan.AgreePlan(), participant_id=person.participant)
    dimension, wish = person.chance.choice(GOALS)
    person.goals.append(_entry(year, person, EntryKind.GOAL, wish, dimension=dimension))
    kind, need = person.chance.choice(NEEDS)
    _entry(year, person, kind, need)
    if person.happens(0.5):
        person.steps.append(_entry(year, person, EntryKind.BARRIER, person.chance.choice(BARRIERS)))


def _a_month_later(year: Year, person: Person) -> None:
    goal = person.goals[-1] if person.goals else None
    step = _entry(year, person, EntryKind.PROGRESS, person.chance.choice(STEPS), goal=goal, measure="his own words")
    person.steps.append(step)
    if person.happens(ODDS.report):
        report = care.MakeReport(party="county-pa", working=True, entries=(step,))
        year.attempt(person.manager, report, participant_id=person.participant)
    if goal is not None and person.happens(ODDS.reaches_goal):
        person.goals.pop()
        ended = plan.EndGoal(how=person.chance.choice(tuple(GoalEnd)))
        year.do(person.manager, ended, participant_id=person.participant, goal=year.known(person.manager, goal))
    if person.happens(ODDS.funds):
        used = plan.UseFunds(
            cents=person.chance.randrange(500, 20_000, 100),
            purpose=FundPurpose.BASIC_NEED,
            what="A prepaid phone",
            other_pools=("Lifeline",),
            waitlist=WaitlistEffect.NONE,
        )
        year.do(person.manager, used, participant_id=person.participant)


def _entry(year: Year, person: Person, kind: EntryKind, text: str, **more: str | Dimension | None) -> str:
    added = plan.AddToPlan.model_validate({"kind": kind, "text": text, **more})
    entry: str = year.do(person.manager, added, participant_id=person.participant)["entry"]
    return entry


def _called(year: Year, person: Person, at: datetime) -> Story:
    """Tell of other names, a name that was wrong, and a number that changes, or that others read too."""
    changes: list[identity.RecordAlias | identity.CorrectName | identity.ChangePhone] = []
    if person.happens(ODDS.alias):
        changes.append(identity.RecordAlias(alias=f"{person.given[:2]}-{person.chance.randrange(10)}"))
    if person.happens(ODDS.phone):
        phone, shared = f"206-555-{4000 + person.n:04}", person.happens(ODDS.shared_phone)
        changes.append(identity.ChangePhone(phone=phone, shared=shared))
    if person.happens(ODDS.renamed):
        changes.append(identity.CorrectName(given=f"{person.given}a", surname=person.surname))
    for change in changes:
        yield (at := person.by_day(at, 3, 60))
        if not person.here:
            return
        year.do(person.manager, change, participant_id=person.participant)


def _away(year: Year, person: Person, at: datetime) -> Story:
    """Tell of someone in the wind: carried all the while, found again, or discharged after long effort."""
    yield (at := person.by_day(at, 30, 120))
    if not person.here:
        return
    person.away = True
    _become(year, person, Enrolment.INACTIVE, "Not seen since the bridge was cleared.")
    yield (at := person.by_day(at, 20, 120))
    if not person.here:
        return
    if person.happens(ODDS.comes_back):
        person.away = False
        _become(year, person, Enrolment.ACTIVE, "Waited at the door this morning.")
        return
    yield (at := person.by_day(at, 20, 40))
    if not person.here:
        return
    person.here = False
    tried = "Weekly outreach for months; family and shelters asked."
    gone = status.DischargeParticipant(ground=Ground.NO_ENGAGEMENT, tried=tried)
    year.do("noor", gone, participant_id=person.participant)
    if person.happens(ODDS.taken_back):
        yield (at := person.by_day(at, 20, 60))
        back = status.ReturnParticipant(note="Came to the office; wants to take up the room again.")
        year.do("noor", back, participant_id=person.participant)
        assign(year, person)
        person.here, person.away = True, False
        year.tell(_contacts(year, person, at))


def _become(year: Year, person: Person, now: Enrolment, note: str) -> None:
    said = status.RecordActivity.model_validate({"status": now, "note": note})
    year.do(person.manager, said, participant_id=person.participant)


def _death(year: Year, person: Person, at: datetime) -> Story:
    """Tell of a death; the team hears of it a day or two later."""
    yield (heard := person.by_day(at, 30, 200))
    if not person.here:
        return
    person.here = False
    died_at = heard - timedelta(days=person.chance.uniform(0.5, 2))
    year.do(
        "noor", status.RecordDeath(died_at=died_at, note="Told by the hospital."), participant_id=person.participant
    )


def _twin(year: Year, person: Person, at: datetime) -> Story:
    """Tell of a second record that proves to be the same person's, or, after all, another's."""
    yield (at := person.by_day(at, 10, 60))
    told = doors.ReferPerson(description="Asleep at the bus stop, grey coat", reason="There every night.")
    referral = year.known("kim", year.do("kim", told)["referral"])
    yield (at := person.by_day(at, 1, 5))
    met = year.do("teo", doors.IdentifyReferred(person=person.identity), referral=referral)
    other = year.known("teo", met["participant"])
    yield (at := person.by_day(at, 5, 20))
    if not person.here:
        return
    same = identity.MergeRecords(other=year.named("noor", other), why="The same person: she knew both places.")
    if year.attempt("noor", same, participant_id=person.participant) is None or not person.happens(ODDS.unmerged):
        return
    yield person.by_day(at, 10, 40)
    year.attempt("noor", identity.UnmergeRecords(why="A cousin of that name came in."), participant_id=other)
