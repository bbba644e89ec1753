"""Whose an agency's record is: asked when it comes, again when it says more of the person, and ended when it goes.

What was decided of a record may stand under several people of its source: as it came to know what it calls the person.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any, Final
from uuid import UUID

from domain import identity
from domain.event import Event
from domain.identity import Described, Link, MatchProposed, Number, RecordLinked, RecordSubject, SourcePerson
from services.ports import Append, Caller
from services.site import Site, append

PROPOSED_MOST: Final = 5
"""How many participants one record is proposed for: what a person can look at."""


def attribute(site: Site, caller: Caller, matter: UUID, person: RecordSubject, *numbers: Number) -> list[Append]:
    """Return whose a record is: one link, or proposals for a reviewer; nothing for someone whom LEAD does not know.

    `person`: whom it names now; `numbers`: of the incident that it names. A record that is linked stays so, whatever it
    says now: only a reviewer takes it away. What waits for a reviewer goes on waiting, by what agrees now.
    """
    now, stream = site.now(), person.stream(caller.party, matter)
    before = [_person(site, each) for each in _streams(site, caller.party, matter) if each != stream]
    state = _person(site, stream)
    decided = [*before, state]
    if any(matter in each.records for each in decided):
        return []
    described, apart = person.described(caller.party, *numbers), frozenset[UUID]().union(*(p.apart for p in decided))
    found = {p: each for p, each in _found(site, state, described).items() if p not in apart}
    about = {"matter_id": matter, "occurred_at": now, "source": caller.party}
    events: list[Event] = []
    for participant, each in found.items():
        if isinstance(each, Link):
            link = RecordLinked(participant_id=participant, **about, rule=each.rule, score=each.score)
            events += identity.link(state, link)
    if not events:
        waiting = [w for p in decided for each in p.proposed if each.matter_id == matter and (w := each.participant_id)]
        for who in dict.fromkeys([*list(found)[:PROPOSED_MOST], *waiting]):
            events += identity.propose(state, _proposal(site, who, described, about))
    moved = [append(p.id, p.version, *identity.withdraw(p, matter, caller.party, now)) for p in before]
    return [each for each in (*moved, append(stream, state.version, *events)) if each.events]


def detach(site: Site, caller: Caller, matters: Iterable[UUID]) -> list[Append]:
    """Return what ends the links of records that are not there any more, and what was proposed of them."""
    of: defaultdict[UUID, list[UUID]] = defaultdict(list)
    for matter in matters:
        for stream in _streams(site, caller.party, matter):
            of[stream].append(matter)
    appends = []
    for stream, gone in of.items():
        state = _person(site, stream)
        events = [event for matter in gone for event in identity.withdraw(state, matter, caller.party, site.now())]
        if events:
            appends.append(append(stream, state.version, *events))
    return appends


def _found(site: Site, state: SourcePerson, described: Described) -> dict[UUID, identity.Link | identity.Review]:
    protocol = site.protocol()
    if state.participant is None:
        return site.people.match(described, protocol)
    return {state.participant: site.people.follow(state.participant, described, protocol)}


def _proposal(site: Site, participant: UUID, described: Described, about: dict[str, Any]) -> MatchProposed:
    evidence = site.people.evidence(participant, described)
    return MatchProposed(
        participant_id=participant,
        **about,
        score=evidence.score,
        sid=evidence.sid,
        birth_date=evidence.birth_date,
        likeness=evidence.likeness,
        number=evidence.number,
    )


def _streams(site: Site, party: UUID, matter: UUID) -> list[UUID]:
    """Return the people of a source under whom something may be decided of a record: as it named them so far."""
    return list(dict.fromkeys(who.stream(party, matter) for who in identity.named(site.log.load(matter))))


def _person(site: Site, stream: UUID) -> SourcePerson:
    return identity.person_of(stream, site.log.load(stream))
