"""Referrals without an arrest, by every door, and what a person makes of each (domain 1.2, 1.3)."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from adapters.simulation import lives
from adapters.simulation.people import PLACES, Person
from adapters.simulation.team import assign
from adapters.simulation.year import Story, Year
from domain.contact import ContactKind
from domain.door import SCREENED, CommunityReferred, Decline, Reason, Related, Risk, Sign
from services import care, doors, referrals

REFERRERS = (
    "kim",
    "kim",
    "ortiz",
    "webb",
    "marta",
    "the public",
    "the public",
    "ames",
    "judge",
    "brooks",
    "chen",
    "patel",
)
"""Who refers, some more often than others; the public has no account."""


class Odds(NamedTuple):
    """How often things happen, of one."""

    found: float = 0.6
    meets: float = 0.8
    agrees: float = 0.85
    withdrawn: float = 0.05
    twice: float = 0.08


ODDS = Odds()
LOOKED_FOR = 4
WAITED_FOR = 6


def referred(year: Year, person: Person) -> Story:
    """Tell of someone whom somebody refers: looked for, screened, taken, made to wait, or declined."""
    yield (at := person.by_day(year.begin, 1, max((year.end - year.begin).days - 10, 2)))
    year.meet(person)
    _refer(year, person, person.chance.choice(REFERRERS))
    yield (at := person.by_day(at, 0.5, 2))
    year.do("pat", doors.VetReferral(codes=(person.chance.choice(tuple(Risk)),)), referral=person.referral)
    found = False
    for _ in range(LOOKED_FOR):
        yield (at := person.by_day(at, 0.5, 5))
        found = person.happens(ODDS.found)
        looked = care.RecordContact(kind=ContactKind.OUTREACH, reached=found, location=person.chance.choice(PLACES))
        year.do("teo", looked, participant_id=person.participant)
        if found:
            break
    if (how := _ends_here(person, found=found)) is not None:
        year.do("teo", doors.DeclineReferral(how=how), referral=person.referral)
        return
    year.do("teo", doors.IdentifyReferred(person=person.identity), referral=person.referral)
    if not _screened(year, person):
        return
    yield from _waits(year, person, at)


def _waits(year: Year, person: Person, at: datetime) -> Story:
    """Tell how someone waits for a slot, behind those who are served first, and then begins."""
    for again in range(WAITED_FOR):
        if again:
            yield (at := person.by_day(at, 5, 9))
        if year.attempt("teo", referrals.AcceptReferral(), referral=person.referral) is not None:
            break
    else:
        year.do("teo", doors.DeclineReferral(how=Decline.NO_CAPACITY), referral=person.referral)
        return
    if person.happens(ODDS.twice):
        year.tell(_again(year, person, at))
    yield (at := person.by_day(at, 0.5, 2))
    assign(year, person)
    yield from lives.two_steps(year, person, person.by_day(at, 2, 30))


def _again(year: Year, person: Person, at: datetime) -> Story:
    """Tell how the same person is referred once more by someone else, which is a duplicate."""
    first = person.referral
    yield (at := person.by_day(at, 3, 20))
    twin = Person(person.n, year.chance(f"person {person.n}, again"))
    _refer(year, twin, "marta")
    yield person.by_day(at, 1, 3)
    duplicate = doors.DeclineReferral(how=Decline.DUPLICATE, same_as=year.named("teo", first))
    year.do("teo", duplicate, referral=twin.referral)


def _refer(year: Year, person: Person, who: str) -> None:
    told = {
        "description": f"{person.chance.choice(('A man', 'A woman', 'Someone'))} with a {_SEEN[person.n % len(_SEEN)]}",
        "place": person.chance.choice(PLACES),
        "reason": "There every night for months, often unwell; people have begun to call about it.",
    }
    if who == "the public":
        before = year.site.log.position()
        doors.public(year.site, doors.ReferInPublic(**told), f"198.51.100.{person.n % 250}")
        year.acts["ReferInPublic"] += 1
        (made,) = year.site.log.of_topics([CommunityReferred.topic], before)
        person.referral = made.stream
    else:
        named = {} if person.happens(0.5) else {"name": f"{person.given} {person.surname}"}
        made_by = year.do(who, doors.ReferPerson(**told, **named))
        person.referral = year.known(who, made_by["referral"])
    started = year.site.log.load(person.referral)[0].event
    person.participant = started.participant_id or person.participant


_SEEN = ("grey coat", "red cart", "small dog", "blue tarp", "guitar", "green hat")


def _ends_here(person: Person, *, found: bool) -> Decline | None:
    if not found:
        return Decline.UNREACHABLE
    if person.happens(ODDS.withdrawn):
        return Decline.WITHDRAWN
    return None if person.happens(ODDS.agrees) else Decline.OFFER_DECLINED


def _screened(year: Year, person: Person) -> bool:
    """Screen someone where nobody has filed a charge; return whether LEAD is for this."""
    state = referrals.load_referral(year.site, year.staff["teo"], year.named("teo", person.referral))
    if state.door not in SCREENED:
        return True
    meets = person.happens(ODDS.meets)
    screening = doors.ScreenReferral(
        signs=(person.chance.choice(tuple(Sign)),),
        related=(person.chance.choice(tuple(Related)),),
        response_expected=meets,
    )
    year.do("teo", screening, referral=person.referral)
    if not meets:
        declined = doors.DeclineReferral(how=Decline.NOT_ACCEPTED, reason=Reason.NO_RESPONSE_EXPECTED)
        year.do("teo", declined, referral=person.referral)
    return meets
