"""Everyone's year: who comes by which door, and what the site does meanwhile."""

from __future__ import annotations

from adapters.simulation import arrests, court, team
from adapters.simulation.people import Person
from adapters.simulation.referrals import referred
from adapters.simulation.year import Story, Year

WITHOUT_ARREST = 3
"""One of so many comes by another door than an arrest."""
ON_THE_FRIDAY = 25
"""One of so many is arrested on the one bad Friday."""


def stories(year: Year, number: int) -> list[Story]:
    """Return the stories of so many people, and the site's own."""
    told = [
        team.on_call(year),
        team.leave(year),
        team.leaving(year),
        team.new_protocol(year),
        team.concerns(year),
        court.answers(year),
        arrests.without_offer(year, each_days=300 / number),
    ]
    for n in range(number):
        person = Person(n, year.chance(f"person {n}"))
        if n % WITHOUT_ARREST == WITHOUT_ARREST - 1:
            told.append(referred(year, person))
        else:
            told.append(arrests.arrest(year, person, bad_friday=n % ON_THE_FRIDAY == ON_THE_FRIDAY - 1))
    return told
