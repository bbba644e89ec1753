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
from domain.arrest import incident_of
from domain.door import CommunityReferred, LegalSystemReferred, SocialContactReferred
from domain.event import Event, PersonName, Recorded
from domain.identity import Described, Evidence, Link, Number, RecordLinked, RecordUnlinked, Review, blocking_keys
from domain.legal_case import CaseEntered, CaseFiled, Defendant
from domain.participant import AliasRecorded, NameCorrected, ParticipantIdentified, RecordsMerged, RecordsUnmerged
from domain.protocol import Protocol
from domain.referral import ReferralCalledIn, ReferralOffered
from domain.retention import ParticipantErased
from domain.warrant import WarrantIssued
from services.ports import Log

_REFERRED: Final = (SocialContactReferred, CommunityReferred, LegalSystemReferred)
_TOPICS: Final = tuple(
    kind.topic
    for kind in (
        *(ParticipantIdentified, NameCorrected, AliasRecorded, RecordsMerged, RecordsUnmerged),
        *_REFERRED,
        *(ReferralOffered, ReferralCalledIn, RecordLinked, RecordUnlinked, ParticipantErased),
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
                self.position = recorded.position
                if (who := recorded.event.participant_id) is not None and not recorded.erased:
                    self._note(who, recorded)
                    touched.add(who)
            for who in touched:
                self._index(who)
            return self.position

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
        with self._lock:
            return any(self._keys.get(key) for key in blocking_keys(Described(numbers=frozenset({number}))))

    def follow(self, who: UUID, described: Described, protocol: Protocol) -> Link | Review:
        """Return whether a further record of someone whom its source calls by a known id is of this participant."""
        return identity.follows(self.evidence(who, described), protocol)

    def evidence(self, who: UUID, described: Described) -> Evidence:
        """Return in what a description agrees with a participant, at its likeliest."""
        with self._lock:
            own = [each for record in self._records_of(who) for each in self._described.get(record, ())]
        found = [identity.compare(described, each) for each in own or [Described()]]
        return max(found, key=lambda evidence: evidence.score)

    def _records_of(self, who: UUID) -> list[UUID]:
        return [who, *(away for away, kept in self._kept_as.items() if kept == who)]

    def _note(self, who: UUID, recorded: Recorded[Event]) -> None:
        known = self._known[who]
        match recorded.event:
            case ParticipantIdentified(name=name, birth_date=born) | NameCorrected(name=name, birth_date=born):
                known.said.add(_named(name, born))
            case AliasRecorded(alias=alias):
                known.said |= {_also(alias, each) for each in known.said} or {_split(alias, None)}
            case SocialContactReferred() | CommunityReferred() | LegalSystemReferred() as event if event.name:
                known.said.add(_split(event.name, event.birth_date))
            case ReferralOffered() | ReferralCalledIn() as event if event.incident_number and event.party_id:
                known.numbers.add(incident_of(event.party_id, event.incident_number))
            case RecordLinked(matter_id=UUID() as matter):
                if (said := described(self.log.load(matter))) is not None:
                    known.records[matter] = said
            case RecordUnlinked(matter_id=UUID() as matter):
                known.records.pop(matter, None)
            case ParticipantErased():
                self._known[who] = _Known()
                self._kept_as.pop(who, None)
            case RecordsMerged() as event if not event.kept:
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


def described(record: list[Recorded[Event]]) -> Described | None:
    """Return who an agency's record is of, as it says; None where it does not, or is forgotten."""
    state = arrest.report(record)
    if state is not None:
        return None if state.retracted else state.described
    if any(recorded.event.withdraws for recorded in record):
        return None
    for recorded in reversed(record):
        event = recorded.event
        if isinstance(event, CaseFiled | CaseEntered | WarrantIssued) and isinstance(event.defendant, Defendant):
            return event.defendant.described(event.party_id)
    return None


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
