"""Whom LEAD knows, as agencies may describe them: folded from the log as it grows, and kept nowhere else.

Every name that a participant has or had, every id that a linked record brought, and every incident of a referral.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import date
from threading import Lock
from typing import Final
from uuid import UUID

from domain import arrest, identity
from domain.arrest import ArrestReported, BookingReported, incident_of
from domain.door import CommunityReferred, LegalSystemReferred, SocialContactReferred
from domain.event import Event, PersonName, Recorded
from domain.identity import (
    Described,
    Evidence,
    Link,
    Number,
    RecordLinked,
    RecordUnlinked,
    Review,
    blocking_keys,
    number_key,
)
from domain.legal_case import CaseUpdated
from domain.participant import AliasRecorded, NameCorrected, ParticipantIdentified, RecordsMerged, RecordsUnmerged
from domain.protocol import Protocol
from domain.referral import ReferralCalledIn, ReferralOffered
from domain.retention import ParticipantErased
from services.ports import Log

_REFERRED: Final = (SocialContactReferred, CommunityReferred, LegalSystemReferred)
_TOLD_AGAIN: Final = (ArrestReported, BookingReported, CaseUpdated)
_TOPICS: Final = tuple(
    kind.topic
    for kind in (
        *(ParticipantIdentified, NameCorrected, AliasRecorded, RecordsMerged, RecordsUnmerged),
        *_REFERRED,
        *(ReferralOffered, ReferralCalledIn, RecordLinked, RecordUnlinked, ParticipantErased),
        *_TOLD_AGAIN,
    )
)


@dataclass(slots=True)
class _Known:
    """What is known of one participant. `records`: what each linked record says, by its matter."""

    said: set[Described] = field(default_factory=set)
    numbers: set[Number] = field(default_factory=set)
    records: dict[UUID, Described] = field(default_factory=dict)

    def descriptions(self) -> Iterator[Described]:
        """Yield every way in which the participant may be described."""
        sids = {each.sid for each in self.records.values() if each.sid is not None}
        numbers = frozenset({*self.numbers, *(n for each in self.records.values() for n in each.numbers)})
        said = self.said or ({Described()} if numbers else set())
        for each in said:
            yield replace(each, numbers=each.numbers | numbers)
            for sid in sids:
                yield replace(each, numbers=each.numbers | numbers, sid=sid)
        yield from self.records.values()


@dataclass(slots=True)
class People:
    """Whom LEAD knows. `refresh` reads what is new. Thread-safe."""

    log: Log
    position: int = 0
    _changed: int = 0
    _linked_to: dict[UUID | None, UUID] = field(default_factory=dict)
    _known: dict[UUID, _Known] = field(default_factory=lambda: defaultdict(_Known))
    _kept_as: dict[UUID, UUID] = field(default_factory=dict)
    _described: dict[UUID, tuple[Described, ...]] = field(default_factory=dict)
    _keys: dict[str, set[UUID]] = field(default_factory=lambda: defaultdict(set))
    _lock: Lock = field(default_factory=Lock)

    def refresh(self) -> int:
        """Read what is new; return the position of the last event that could change an answer."""
        with self._lock:
            touched = set()
            for recorded in self.log.of_topics(_TOPICS, self.position):
                self.position, event = recorded.position, recorded.event
                who = event.participant_id or self._linked_to.get(event.matter_id)
                if who is not None and not recorded.erased:
                    self._note(who, recorded)
                    touched.add(who)
                    self._changed = recorded.position
            for who in touched:
                self._index(who)
            return self._changed

    def match(self, described: Described, protocol: Protocol) -> dict[UUID, Link | Review]:
        """Return whom a description may be of: one link, or whom somebody has to look at, the likeliest first.

        Of two records of one person the kept one is named.
        """
        with self._lock:
            found = {who for key in blocking_keys(described) for who in self._keys.get(key, ())}
            candidates: dict[UUID, list[Described]] = defaultdict(list)
            for who in found:
                candidates[self._kept_as.get(who, who)] += self._described[who]
        return identity.match(described, candidates, protocol)

    def has(self, number: Number) -> bool:
        """Return whether anyone whom LEAD knows goes with a number, such as that of an incident."""
        key = number_key(number)
        with self._lock:
            return key is not None and bool(self._keys.get(key))

    def follow(self, who: UUID, described: Described, protocol: Protocol) -> Link | Review:
        """Return whether a further record of someone whom its source calls by a known id is of this participant."""
        return identity.follows(self.evidence(who, described), protocol)

    def linked_to(self, matter: UUID) -> UUID | None:
        """Return the participant to whom an agency's record is linked."""
        with self._lock:
            return self._linked_to.get(matter)

    def evidence(self, who: UUID, described: Described) -> Evidence:
        """Return in what a description agrees with a participant, at its likeliest."""
        with self._lock:
            own = [each for record in self._records_of(who) for each in self._described.get(record, ())]
        found = [identity.compare(described, each) for each in own or [Described()]]
        return max(found, key=lambda evidence: evidence.score)

    def _records_of(self, who: UUID) -> list[UUID]:
        return [who, *(away for away, kept in self._kept_as.items() if kept == who)]

    def _note(self, who: UUID, recorded: Recorded[Event]) -> None:
        known, event = self._known[who], recorded.event
        match event:
            case ParticipantIdentified(name=name, birth_date=born) | NameCorrected(name=name, birth_date=born):
                known.said.add(_named(name, born))
            case AliasRecorded(alias=alias):
                known.said |= {_also(alias, each) for each in known.said} or {_split(alias, None)}
            case SocialContactReferred() | CommunityReferred() | LegalSystemReferred() if event.name:
                known.said.add(_split(event.name, event.birth_date))
            case ReferralOffered() | ReferralCalledIn() if event.incident_number and event.party_id:
                known.numbers.add(incident_of(event.party_id, event.incident_number))
            case RecordLinked(matter_id=UUID() as matter):
                self._linked_to[matter] = who
                known.records |= _said_in(self.log, matter)
            case RecordUnlinked(matter_id=UUID() as matter):
                self._linked_to.pop(matter, None)
                known.records.pop(matter, None)
            case ParticipantErased():
                self._known[who] = _Known()
                self._kept_as.pop(who, None)
            case ArrestReported() | BookingReported() | CaseUpdated() if event.matter_id in known.records:
                known.records |= _said_in(self.log, event.matter_id)
            case RecordsMerged() if not event.kept:
                self._kept_as[who] = event.other
            case RecordsUnmerged():
                self._kept_as.pop(who, None)
            case _:
                pass

    def _index(self, who: UUID) -> None:
        for each in self._described.get(who, ()):
            for key in blocking_keys(each):
                self._keys[key].discard(who)
        self._described[who] = tuple(self._known[who].descriptions())
        for each in self._described[who]:
            for key in blocking_keys(each):
                self._keys[key].add(who)


def _said_in(log: Log, matter: UUID) -> dict[UUID, Described]:
    said = described(log.load(matter))
    return {} if said is None else {matter: said}


def described(record: list[Recorded[Event]]) -> Described | None:
    """Return who an agency's record is of, as it says now; None where it does not, or is withdrawn or forgotten."""
    said = identity.named(record)
    if not said or any(recorded.event.withdraws for recorded in record):
        return None
    reported = arrest.report(record)
    return reported.described if reported is not None else said[-1].described(record[0].event.party_id)


def _named(name: PersonName, birth_date: date) -> Described:
    return Described(given=name.given, surname=name.surname, birth_date=birth_date)


def _split(name: str, birth_date: date | None) -> Described:
    *given, surname = name.split()
    return Described(given=" ".join(given) or None, surname=surname, birth_date=birth_date)


def _also(alias: str, known: Described) -> Described:
    """Return someone under another name: a single word stands for what one is called."""
    if len(alias.split()) == 1:
        return replace(known, given=alias, middle=None)
    return _split(alias, known.birth_date)
