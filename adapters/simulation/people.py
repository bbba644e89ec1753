"""The people whom the site meets, and the luck that each has."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from uuid import UUID

from adapters.simulation.cast import TZ
from domain.event import ShortText
from services import referrals

GIVEN = "Ray Ana Joe Lena Omar Tess Carl Ivy Sam Ruth Dee Hank Mina Otis Paula Vic June Abe Nell Gus".split()  # noqa: SIM905
SURNAMES = "Bell Cruz Dunn Ellis Frost Grant Hale Ingram Jacobs Kane Lowe Marsh Nash Owens Price".split()  # noqa: SIM905
PLACES = ("3rd Ave and Pine", "Jackson St", "Aurora Ave N", "Westlake Park", "Rainier Ave S")
RACES = ("Black", "White", "Hispanic", "Asian", "American Indian", "Unknown")
NIGHT = (21, 22, 23, 0, 1, 2, 3)
STEADY = 2
"""To so many, the first, happens what mostly happens: whoever looks around finds them."""
MOSTLY = 0.5
_NOBODY = UUID(int=0)


@dataclass(slots=True)
class Person:
    """Someone whom the site meets: who it is, by which ids of the log, and who carries it.

    `here`: enrolled, and neither discharged nor dead. `away`: in the wind. `roi`: the one that stands.
    `conflict`: the defender's office may not be named in one.
    """

    n: int
    chance: random.Random
    manager: str = ""
    given: ShortText = ""
    surname: ShortText = ""
    born: date = date.min
    officer: str = "kim"
    participant: UUID = _NOBODY
    referral: UUID = _NOBODY
    matter: UUID = _NOBODY
    roi: UUID | None = None
    here: bool = False
    away: bool = False
    conflict: bool = False
    goals: list[str] = field(default_factory=list)
    steps: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.given, self.surname = GIVEN[self.n % len(GIVEN)], SURNAMES[(self.n // len(GIVEN) + self.n) % len(SURNAMES)]
        self.born = date(1960 + self.chance.randrange(42), 1 + self.chance.randrange(12), 1 + self.chance.randrange(28))

    @property
    def identity(self) -> referrals.Person:
        """Who the person is, as people write it down."""
        return referrals.Person(given=self.given, surname=self.surname, birth_date=self.born)

    @property
    def steady(self) -> bool:
        """Whether to this person happens what mostly happens."""
        return self.n < STEADY

    def happens(self, odds: float) -> bool:
        """Return whether something happens to this person."""
        drawn = self.chance.random()
        return odds >= MOSTLY if self.steady else drawn < odds

    def later(self, at: datetime, least: float, most: float) -> datetime:
        """Return a moment so many days later, to the second, at any hour."""
        return (at + timedelta(days=self.chance.uniform(least, most))).replace(microsecond=0)

    def by_day(self, at: datetime, least: float, most: float) -> datetime:
        """Return a moment so many days later, in the hours in which people work."""
        day = self.later(at, least, most).astimezone(TZ).date()
        moment = datetime.combine(day, time(self.chance.randrange(9, 17), self.chance.randrange(60)), TZ)
        return max(moment, at + timedelta(minutes=10))

    def by_night(self, at: datetime, least: float, most: float) -> datetime:
        """Return a moment so many days later, in the night."""
        day = self.later(at, least, most).astimezone(TZ).date()
        moment = datetime.combine(day, time(self.chance.choice(NIGHT), self.chance.randrange(60)), TZ)
        return max(moment, at + timedelta(minutes=10))
