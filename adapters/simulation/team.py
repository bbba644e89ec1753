"""The team's and the site's own year: assignment, on call, leave and leaving, a new protocol, concerns (domain 1.7)."""

from __future__ import annotations

from datetime import timedelta

from adapters.simulation.cast import TZ, protocol
from adapters.simulation.people import Person
from adapters.simulation.year import Story, Year
from domain.registry import Role
from services import asks, register, roster

WEEK = timedelta(days=7)
NOT_ANSWERED = 0.2
LEAVES = "grace"
SUCCESSOR = ("Marisol Vega", "marisol")


def assign(year: Year, person: Person) -> None:
    """Let the supervisor assign someone to whoever of the team carries least; where all are full, it stays as it is."""
    loads = roster.standing(year.site).loads
    least = min(year.team, key=lambda name: loads[year.staff[name].staff])
    assigned = roster.AssignParticipant(case_manager=least)
    if year.attempt("noor", assigned, participant_id=person.participant) is not None:
        person.manager = least


def on_call(year: Year) -> Story:
    """Tell who is on call, week by week."""
    at, week = year.begin + timedelta(hours=1), 0
    while True:
        yield at
        duty = year.team[week % len(year.team)]
        year.do("noor", roster.SetOnCall(name=duty, ends_at=at + WEEK))
        at, week = at + WEEK, week + 1


def leave(year: Year) -> Story:
    """Tell of colleagues on leave, covered by a dated list; one comes back before its end."""
    at = year.begin + timedelta(days=50)
    while True:
        yield at
        first, second = year.team[0], year.team[1]
        cover = roster.ArrangeCover(case_manager=first, by=second, last_on=(at + 2 * WEEK).astimezone(TZ).date())
        year.attempt("noor", cover)
        yield (at := at + WEEK)
        year.attempt("noor", roster.EndCover(case_manager=first))
        at += 12 * WEEK


def leaving(year: Year) -> Story:
    """Tell how a case manager leaves: her authority ends at once, a colleague covers, the team takes over."""
    at = year.begin + (year.end - year.begin) * 0.6
    yield at
    gone = year.staff[LEAVES].staff
    year.team.remove(LEAVES)
    for person in year.people:
        if person.manager == LEAVES:
            person.manager = year.team[0]
    year.do("pat", register.EndStaff(subject=LEAVES))
    cover = roster.ArrangeCover(case_manager=LEAVES, by=year.team[0], last_on=(at + 4 * WEEK).astimezone(TZ).date())
    year.attempt("noor", cover)
    yield (at := at + WEEK)
    name, subject = SUCCESSOR
    year.do("pat", register.RegisterStaff(party="lead-care", name=name, role=Role.CASE_MANAGER, subject=subject))
    year.hire(subject)
    yield at + timedelta(days=3)
    carried = {who for who, staff in roster.standing(year.site).carried_by.items() if staff == gone}
    for person in year.people:
        if person.participant in carried:
            assign(year, person)


def new_protocol(year: Year) -> Story:
    """Tell of a new version in mid-year: LEAD asks for more time; what was promised before keeps its days."""
    yield (at := year.begin + (year.end - year.begin) / 2)
    day = at.astimezone(TZ).date()
    changed = protocol(day).model_copy(update={"version": "P-2", "handoff_minutes": 45, "intake_days": 35})
    year.do("pat", register.AdoptProtocol(protocol=changed))


def concerns(year: Year) -> Story:
    """Tell what the defenders' observer wonders about, and what the project manager answers."""
    chance, at = year.chance("concerns"), year.begin
    while True:
        yield (at := (at + timedelta(days=chance.uniform(30, 80))).replace(microsecond=0))
        raised = year.do("ames", asks.RaiseConcern(text="Filings in one precinct that are not typically filed."))
        if chance.random() < NOT_ANSWERED:
            continue  # not answered yet
        yield (at := (at + timedelta(days=chance.uniform(1, 8))).replace(microsecond=0))
        answer = asks.AnswerConcern(text="Taken to the liaison prosecutor; under review.")
        year.do("pat", answer, concern=year.known("ames", raised["concern"]))
