"""Whether an agency's record is of a participant: what agrees, what follows by rule, and what a person has to decide.

A false link tells of a stranger's arrest, and is worse than a miss. So nothing links but prints with something beside
them, and no score ever does: it only puts first what a reviewer should look at first.

`rapidfuzz` is the one library here besides pydantic: it computes, and touches nothing.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum
from functools import lru_cache
from itertools import product
from typing import Annotated, ClassVar, Final, NamedTuple, cast
from uuid import UUID, uuid5

from rapidfuzz.distance import OSA, JaroWinkler

from domain.event import Event, LongText, PersonName, Recorded, ShortText, Value
from domain.labels import Label
from domain.protocol import Protocol
from domain.refusal import Refused

# What Unicode does not take apart into a letter and its mark.
_LETTERS: Final = str.maketrans(
    {"ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "\u0131": "i"}
)
_GENERATIONS: Final = {
    **dict.fromkeys(("jr", "junior", "ii", "2nd"), "2"),
    **dict.fromkeys(("sr", "senior"), "1"),
    **dict.fromkeys(("iii", "3rd"), "3"),
    **dict.fromkeys(("iv", "4th"), "4"),
}
_APOSTROPHES: Final = re.compile("['`.\u2019\u02bc\u00b4]")
_SEPARATORS: Final = re.compile(r"[\W_]+")
_WEAK: Final = frozenset("aeiouyhw")
"""Letters that spellings of one name differ in."""


WITHDRAWN: Final = "Its source has withdrawn it."


class Number(NamedTuple):
    """An id of a person or an incident, and whose it is: a department's incident number is no other's."""

    scheme: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """What one source says of a person. None and empty: it does not say.

    `sid`: the id that a state's bureau gives to a set of fingerprints, with the state (`WA 10482211`). `numbers`: other
    ids. `surname` may end in a generation (`Bell Jr.`), or `suffix` holds it. Sex is left out: it decides nothing.
    """

    sid: str | None = None
    numbers: frozenset[Number] = frozenset()
    given: str | None = None
    middle: str | None = None
    surname: str | None = None
    suffix: str | None = None
    birth_date: date | None = None


class RecordSubject(Value):
    """Whom an agency's record is of, as the agency names them; sealed under the record's key. None: not said.

    `sid`: the state's id of a set of fingerprints. `local_id`: the agency's own id of the person, as in its name index.
    """

    name: PersonName
    birth_date: date | None = None
    middle: ShortText | None = None
    suffix: ShortText | None = None
    sid: ShortText | None = None
    local_id: ShortText | None = None

    def described(self, party: UUID | None, *numbers: Number) -> Described:
        """Return what a party says of the person; its own id counts as its own alone."""
        own = () if self.local_id is None else (Number(f"person {party}", self.local_id),)
        return Described(
            sid=self.sid,
            numbers=frozenset({*own, *numbers}),
            given=self.name.given,
            middle=self.middle,
            surname=self.name.surname,
            suffix=self.suffix,
            birth_date=self.birth_date,
        )

    def is_of(self, other: RecordSubject) -> bool:
        """Return whether two statements of one agency are of one person: by its ids, else by name and birth date.

        Where a birth date is not said, only the very same name is the same.
        """
        for mine, its in ((self.sid, other.sid), (self.local_id, other.local_id)):
            if mine is not None and its is not None:
                return mine == its
        if self.birth_date is None or other.birth_date is None:
            return self._called == other._called
        found = compare(self.described(None), other.described(None))
        same_name = found.likeness == 1 and found.generation is not Agreement.OTHER
        return same_name and found.birth_date is Agreement.EQUAL

    def retold(self, now: RecordSubject) -> RecordSubject:
        """Return the person told of again: what the agency leaves out now stands as it said it before."""
        return self.model_copy(update={name: said for name, said in now if said is not None})

    def stream(self, party: UUID, matter: UUID) -> UUID:
        """Return the person whom a party calls so: by its own id, else by prints, else by this record of them alone."""
        return source_person(party, self.local_id or self.sid or str(matter))

    @property
    def full_name(self) -> str:
        """The name with all its parts."""
        return " ".join(part for part in (self.name.given, self.middle, self.name.surname, self.suffix) if part)

    @property
    def key(self) -> str:
        """What tells this person from others of one docket, for as long as the agency states it so."""
        return self.sid or self.local_id or f"{' '.join(self._called)} {self.birth_date}"

    @property
    def _called(self) -> tuple[str, ...]:
        return tuple(str(part or "").casefold() for part in (self.name, self.suffix))


def named(record: Iterable[Recorded[Event]]) -> list[RecordSubject]:
    """Return what an agency's record says of whom it is of, the oldest first; nothing of what is forgotten."""
    said = ((recorded, recorded.event.names) for recorded in record)
    who = (getattr(r.event, name) for r, name in said if name is not None and name not in r.erased)
    return [each for each in who if each is not None]


class Agreement(StrEnum):
    """How what two sources say of one thing compares. Near: one slip of whoever wrote it down."""

    EQUAL = "equal"
    NEAR = "near"
    OTHER = "other"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """In what two descriptions agree; no word of what they say.

    `likeness`: of given name and surname together, 0 to 1, in whichever order they stand. `number`: an id other than
    the SID is the same.
    """

    sid: Agreement
    birth_date: Agreement
    likeness: float
    middle: Agreement
    generation: Agreement
    number: bool

    @property
    def score(self) -> float:
        """How much speaks for one person, in bits, after Fellegi and Sunter: it orders a queue, and decides nothing.

        Each is log2(m/u): how often it is so of one person's two records, against two people's. An equal SID: 0.9
        against one in a million; an equal birth date: 0.9 against one in fifteen thousand days; a slip in either is
        rarer in both. A name that is the same is worth as much as a birth date; one as alike as chance has it, nothing.
        """
        name = _NAME_BITS * (self.likeness - _CHANCE) / (1 - _CHANCE)
        agreed = sum(bits[agreement] for bits, agreement in zip(_BITS, self._agreements, strict=True))
        return round(agreed + max(name, -_NAME_BITS / 3) + (_NUMBER_BITS if self.number else 0), 1)

    @property
    def _agreements(self) -> tuple[Agreement, ...]:
        return (self.sid, self.birth_date, self.middle, self.generation)


_BITS: Final = tuple(
    dict(zip(Agreement, bits, strict=True))
    for bits in ((20.0, 11.0, -3.0, 0.0), (14.0, 7.0, -3.0, 0.0), (4.0, 2.0, -1.0, 0.0), (1.0, 0.0, -4.0, 0.0))
)
_NAME_BITS: Final = 14.0
_NUMBER_BITS: Final = 13.0
_CHANCE: Final = 0.5  # the likeness of two names that have nothing to do with each other


class Rule(StrEnum):
    """Why a record is linked."""

    SID_AND_BIRTH_DATE = "fingerprint id and birth date"
    SID_AND_NAME = "fingerprint id and name"
    LINKED_BEFORE = "the source's person is linked already"
    OWN_REFERRAL = "the source's own referral of the incident"
    REVIEWED = "a reviewer's decision"


class Link(NamedTuple):
    """One person, by a rule that needs nobody."""

    rule: Rule
    score: float


class Review(NamedTuple):
    """Perhaps one person: someone has to look. The higher the score, the sooner."""

    score: float


class Apart(NamedTuple):
    """Nothing says that it is one person."""


Verdict = Link | Review | Apart


def compare(one: Described, other: Described) -> Evidence:
    """Return in what two descriptions agree."""
    return Evidence(
        sid=_numbers_agree(one.sid, other.sid),
        birth_date=_dates_agree(one.birth_date, other.birth_date),
        likeness=_likeness(one, other),
        middle=_middles_agree(one.middle, other.middle),
        generation=_agree(_generation(one), _generation(other)),
        number=not _plain_numbers(one).isdisjoint(_plain_numbers(other)),
    )


def verdict(evidence: Evidence, protocol: Protocol) -> Verdict:
    """Return what follows: a link for prints with a birth date or a name, a review for two of three that agree.

    The three are name, birth date and a number. A birth date that is not known, or is one slip away, counts beside a
    name that is alike. Prints alone are reviewed: digits are transposed, and people give a brother's name.
    """
    alike = evidence.likeness >= protocol.name_likeness
    if evidence.sid is Agreement.EQUAL and evidence.generation is not Agreement.OTHER:
        if evidence.birth_date is Agreement.EQUAL:
            return Link(Rule.SID_AND_BIRTH_DATE, evidence.score)
        if alike:
            return Link(Rule.SID_AND_NAME, evidence.score)
    if evidence.sid is Agreement.EQUAL:
        return Review(evidence.score)
    name = evidence.likeness >= protocol.review_likeness
    born = evidence.birth_date is Agreement.EQUAL or (alike and evidence.birth_date is not Agreement.OTHER)
    number = evidence.number or evidence.sid is Agreement.NEAR
    return Review(evidence.score) if name + born + number > 1 else Apart()


def follows(evidence: Evidence, protocol: Protocol) -> Link | Review:
    """Return what follows for a further record of someone whom its source calls by an id that is linked already.

    An agency's index of people errs too: what says otherwise goes to a reviewer.
    """
    same = evidence.birth_date is Agreement.EQUAL or evidence.likeness >= protocol.name_likeness
    if same and evidence.sid is not Agreement.OTHER and evidence.generation is not Agreement.OTHER:
        return Link(Rule.LINKED_BEFORE, evidence.score)
    return Review(evidence.score)


def match(
    who: Described, candidates: Mapping[UUID, Iterable[Described]], protocol: Protocol
) -> dict[UUID, Link | Review]:
    """Return whom a description may be of, the likeliest first: one link and nothing else, or reviews.

    A candidate may go by several names, each a description of its own. Where the rules link more than one candidate,
    nobody is linked: those two may be one person under two records, and somebody has to look.
    """
    found: dict[UUID, Link | Review] = {}
    for candidate, descriptions in candidates.items():
        verdicts = [verdict(compare(who, each), protocol) for each in descriptions]
        some = [each for each in verdicts if not isinstance(each, Apart)]
        if some:
            found[candidate] = max(some, key=lambda each: (isinstance(each, Link), each.score))
    links = {candidate: each for candidate, each in found.items() if isinstance(each, Link)}
    if len(links) == 1:
        return dict(links)
    ordered = sorted(found.items(), key=lambda item: (-item[1].score, item[0]))
    return {candidate: Review(each.score) for candidate, each in ordered}


def blocking_keys(who: Described) -> frozenset[str]:
    """Return the keys under which someone is found again: two people who share none are not compared.

    A birth date stands with day and month in either order; names by their consonants, in whatever order and spelling,
    for each part of a double name too.
    """
    keys = {key for number in who.numbers if (key := number_key(number)) is not None}
    if sid := _plain(who.sid):
        keys.add(f"sid {sid}")
    if born := who.birth_date:
        keys.add(f"born {born.year} {min(born.month, born.day)} {max(born.month, born.day)}")
    for given, surname in product(_spellings(who.given), _spellings(who.surname)):
        if consonants := {*given, *surname} - _WEAK:
            keys.add(f"name {''.join(sorted(consonants))}")
    return frozenset(keys)


def number_key(number: Number) -> str | None:
    """Return the key under which whoever goes with a number is found; None where nothing of it counts."""
    text = _plain(number.text)
    return f"{number.scheme} {text}" if text else None


def _likeness(one: Described, other: Described) -> float:
    a, b, c, d = map(_parts, (one.given, one.surname, other.given, other.surname))
    straight = _alike(a, c) + _alike(b, d)
    swapped = _alike(a, d) + _alike(b, c)
    return round(max(straight, swapped) / 2, 4)


def _alike(a: list[str], b: list[str]) -> float:
    """Return how alike two names are; one that is part of a double name is that name. Without a name: not at all."""
    if not a or not b:
        return 0.0
    if {*a} <= {*b} or {*b} <= {*a}:
        return 1.0
    return JaroWinkler.normalized_similarity("".join(a), "".join(b))


def _middles_agree(one: str | None, other: str | None) -> Agreement:
    a, b = "".join(_parts(one)), "".join(_parts(other))
    if a and b and a != b and (a == b[0] or b == a[0]):  # an initial
        return Agreement.NEAR
    return _agree(a or None, b or None)


def _dates_agree(one: date | None, other: date | None) -> Agreement:
    if one is None or other is None or one == other:
        return _agree(one, other)
    transposed = one.year == other.year and (one.month, one.day) == (other.day, other.month)
    same = (one.year == other.year) + (one.month == other.month) + (one.day == other.day)
    return Agreement.NEAR if transposed or same > 1 else Agreement.OTHER


def _numbers_agree(one: str | None, other: str | None) -> Agreement:
    a, b = _plain(one), _plain(other)
    return Agreement.NEAR if a and b and OSA.distance(a, b) == 1 else _agree(a, b)


def _agree(one: object, other: object) -> Agreement:
    if one is None or other is None:
        return Agreement.UNKNOWN
    return Agreement.EQUAL if one == other else Agreement.OTHER


def _plain(number: str | None) -> str | None:
    return _SEPARATORS.sub("", (number or "").casefold()) or None


def _plain_numbers(who: Described) -> frozenset[Number]:
    return frozenset(Number(n.scheme, text) for n in who.numbers if (text := _plain(n.text)))


def _words(name: str | None) -> list[str]:
    """Return a name's words, without case, marks of letters, hyphens and apostrophes."""
    letters = (name or "").casefold()
    if letters.isascii() and letters.isalpha():  # nearly every name
        return [letters]
    if not letters.isascii():
        apart = unicodedata.normalize("NFKD", letters).translate(_LETTERS)
        letters = "".join(c for c in apart if not unicodedata.combining(c))
    return [word for word in _SEPARATORS.split(_APOSTROPHES.sub("", letters)) if word]


def _parts(name: str | None) -> list[str]:
    words = _words(name)
    return [word for n, word in enumerate(words) if n == 0 or word not in _GENERATIONS]


def _spellings(name: str | None) -> set[str]:
    parts = _parts(name)
    return {*parts, "".join(parts)} - {""}


def _generation(who: Described) -> str | None:
    said = [*_words(who.suffix), *_words(who.given)[1:], *_words(who.surname)[1:]]
    return next((_GENERATIONS[word] for word in said if word in _GENERATIONS), None)


class RecordLinked(Event):
    """A source's record is of a participant. Stream: the person as its source calls them (`source_person`).

    What the record says stands in its own stream, under its matter's key; nothing of it is copied here. `source`: the
    agency. `staff_id`: the reviewer, where a person decided. The record itself never changes: what reads a participant
    reads the records that are linked to them (`linked`), so that an unlinking takes back all that followed.
    """

    topic: ClassVar[str] = "identity.linked"
    label: ClassVar[Label] = Label.IDENTITY_EXTERNAL
    requires: ClassVar[tuple[str, ...]] = ("participant_id", "matter_id")

    source: Annotated[UUID, Label.IDENTITY_EXTERNAL]
    rule: Annotated[Rule, Label.IDENTITY_EXTERNAL]
    score: Annotated[float, Label.IDENTITY_EXTERNAL]
    why: Annotated[LongText | None, Label.CONTACT_NOTE] = None


class RecordUnlinked(Event):
    """A record that was linked to a participant is of someone else after all."""

    topic: ClassVar[str] = "identity.unlinked"
    label: ClassVar[Label] = Label.IDENTITY_EXTERNAL
    requires: ClassVar[tuple[str, ...]] = ("participant_id", "matter_id")

    source: Annotated[UUID, Label.IDENTITY_EXTERNAL]
    why: Annotated[LongText, Label.CONTACT_NOTE]


class MatchProposed(Event):
    """A record may be of a participant: someone has to look. It says in what the two agree, and no word of either."""

    topic: ClassVar[str] = "match.proposed"
    label: ClassVar[Label] = Label.IDENTITY_EXTERNAL
    requires: ClassVar[tuple[str, ...]] = ("participant_id", "matter_id")

    source: Annotated[UUID, Label.IDENTITY_EXTERNAL]
    score: Annotated[float, Label.IDENTITY_EXTERNAL]
    sid: Annotated[Agreement, Label.IDENTITY_EXTERNAL]
    birth_date: Annotated[Agreement, Label.IDENTITY_EXTERNAL]
    likeness: Annotated[float, Label.IDENTITY_EXTERNAL]
    number: Annotated[bool, Label.IDENTITY_EXTERNAL]


class MatchDismissed(Event):
    """A record that might have been a participant's is not. `staff_id`: a reviewer, unless it was linked elsewhere."""

    topic: ClassVar[str] = "match.dismissed"
    label: ClassVar[Label] = Label.IDENTITY_EXTERNAL
    requires: ClassVar[tuple[str, ...]] = ("participant_id", "matter_id")

    source: Annotated[UUID, Label.IDENTITY_EXTERNAL]
    why: Annotated[LongText | None, Label.CONTACT_NOTE] = None


@dataclass(frozen=True, slots=True)
class SourcePerson:
    """A person as one source calls them: to whom their records are linked, and for whom they wait.

    `records`: the matters that are linked to `participant`. `proposed`: what waits for a reviewer. `apart`: the
    participants of whom a reviewer said that it is not them.
    """

    id: UUID
    version: int = 0
    participant: UUID | None = None
    records: frozenset[UUID] = frozenset()
    proposed: tuple[MatchProposed, ...] = ()
    apart: frozenset[UUID] = frozenset()


@lru_cache(4096)  # each of a batch is asked for several times
def source_person(party: UUID, called: str) -> UUID:
    """Return the person whom a party calls by this id; where it has none for people, by its number of the record."""
    return uuid5(party, f"person {called}")


def person_of(stream: UUID, history: Iterable[Recorded[Event]]) -> SourcePerson:
    """Fold what was decided of a source's person, out of its own stream."""
    state = SourcePerson(stream)
    for recorded in history:
        known = state if recorded.erased else _apply(state, recorded.event)  # of whoever was erased nothing is said
        state = replace(known, version=recorded.version)
    return state


def _apply(state: SourcePerson, event: Event) -> SourcePerson:
    matter, who = event.matter_id, event.participant_id
    if matter is None or who is None:
        return state
    rest = tuple(p for p in state.proposed if not _same(p, event))
    apart = state.apart if event.staff_id is None else state.apart | {who}
    match event:
        case MatchProposed():
            return replace(state, proposed=(*rest, event))
        case MatchDismissed():
            return replace(state, proposed=rest, apart=apart)
        case RecordLinked():
            records = state.records | {matter}
            return replace(state, participant=who, records=records, proposed=rest, apart=state.apart - {who})
        case RecordUnlinked():
            records = state.records - {matter}
            return replace(state, participant=who if records else None, records=records, apart=apart)
        case _:
            return state


def _same(proposal: MatchProposed, event: Event) -> bool:
    return (proposal.matter_id, proposal.participant_id) == (event.matter_id, event.participant_id)


def propose(state: SourcePerson, event: MatchProposed) -> list[Event]:
    """Put a record before a reviewer; nothing where it is linked, or a reviewer said that it is not.

    One that waits already is put there again only where something else agrees now.
    """
    known = event.matter_id in state.records or event.participant_id in state.apart
    waits = [p.model_copy(update={"occurred_at": event.occurred_at}) for p in state.proposed]
    return [] if known or event in waits else [event]


def link(state: SourcePerson, event: RecordLinked) -> list[Event]:
    """Link a record, and end what was proposed of it and others. Raises `Refused`."""
    if event.matter_id in state.records:
        raise Refused("record", "it is linked already.", "Unlink it first.")
    if state.participant not in (None, event.participant_id):
        raise Refused("participant", "its source's person is linked to someone else.", "Unlink that first.")
    if event.participant_id in state.apart and event.staff_id is None:
        raise Refused("participant", "a reviewer said that it is someone else.", "Only a reviewer can link it again.")
    others = [p for p in state.proposed if p.matter_id == event.matter_id and not _same(p, event)]
    return [event, *(_dismissed(p, event.occurred_at) for p in others)]


def _dismissed(proposal: MatchProposed, at: datetime) -> MatchDismissed:
    return MatchDismissed(
        participant_id=proposal.participant_id,
        matter_id=proposal.matter_id,
        occurred_at=at,
        source=proposal.source,
    )


def unlink(state: SourcePerson, event: RecordUnlinked) -> list[Event]:
    """Take every record of a source's person from the participant, linked or waiting: they are of one person.

    Raises `Refused`.
    """
    if event.matter_id not in state.records or event.participant_id != state.participant:
        raise Refused("record", "it is not linked to this participant.", "Name one that is.")
    waiting = [p for p in state.proposed if p.participant_id == event.participant_id]
    return [
        *(event.model_copy(update={"matter_id": matter}) for matter in sorted(state.records)),
        *(_dismissed(p, event.occurred_at) for p in waiting),
    ]


def withdraw(state: SourcePerson, matter: UUID, source: UUID, at: datetime) -> list[Event]:
    """Take one record, which is not there any more, from whomever it is linked to or proposed for."""
    events: list[Event] = [_dismissed(p, at) for p in state.proposed if p.matter_id == matter]
    if matter in state.records:
        who = state.participant
        events.append(
            RecordUnlinked(participant_id=who, matter_id=matter, occurred_at=at, source=source, why=WITHDRAWN)
        )
    return events


def accept(state: SourcePerson, event: RecordLinked) -> list[Event]:
    """Link every record of a source's person that waits for this participant. Raises `Refused`."""
    events: list[Event] = []
    for proposal in _waiting(state, event):
        decided = {"matter_id": proposal.matter_id, "score": proposal.score}
        events += link(state, event.model_copy(update=decided))
    return events


def dismiss(state: SourcePerson, event: MatchDismissed) -> list[Event]:
    """End what was proposed of a source's person and this participant. Raises `Refused`."""
    return [event.model_copy(update={"matter_id": proposal.matter_id}) for proposal in _waiting(state, event)]


def _waiting(state: SourcePerson, event: Event) -> list[MatchProposed]:
    if not any(_same(p, event) for p in state.proposed):
        raise Refused("match", "it does not wait for a decision.", "Read the participant's history again.")
    return [p for p in state.proposed if p.participant_id == event.participant_id]


def linked(history: Iterable[Recorded[Event]]) -> frozenset[UUID]:
    """Return the matters that are linked to a participant, out of its own history."""
    found: set[UUID | None] = set()
    for recorded in history:
        match recorded.event:
            case RecordLinked(matter_id=matter):
                found.add(matter)
            case RecordUnlinked(matter_id=matter):
                found.discard(matter)
            case _:
                pass
    return frozenset(matter for matter in found if matter is not None)


def waiting(history: Iterable[Recorded[Event]]) -> dict[UUID, Recorded[MatchProposed]]:
    """Return the proposals that nobody has decided, by matter, out of a participant's own history."""
    found: dict[UUID | None, Recorded[MatchProposed]] = {}
    for recorded in history:
        match recorded.event:
            case MatchProposed(matter_id=matter) if not recorded.erased:
                found[matter] = cast("Recorded[MatchProposed]", recorded)
            case MatchProposed(matter_id=matter) | MatchDismissed(matter_id=matter) | RecordLinked(matter_id=matter):
                found.pop(matter, None)
            case _:
                pass
    return {matter: proposed for matter, proposed in found.items() if matter is not None}


def unlinked(history: Sequence[Recorded[Event]]) -> frozenset[UUID]:
    """Return the matters that were linked to a participant, out of its own history, and are someone else's after all.

    What followed from the link is taken back with it.
    """
    once = {r.event.matter_id for r in history if isinstance(r.event, RecordUnlinked)}
    return frozenset(matter for matter in once if matter is not None) - linked(history) if once else frozenset()
