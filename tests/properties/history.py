"""A history of who was shown what while it was given and taken away, and whether it is linearizable.

In real time: no answer to a question begun after an ending was acknowledged holds what had ended, unless it was given
again before the answer was whole. In the order of the log: no disclosure stands after the ending of what it rests on.
The second knows nothing of the gate, of `gate.apply` or of `fsck`: it says anew what each event means.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple, Protocol, TypeVar
from uuid import UUID

import psycopg


class Answer(Protocol):
    """One answer: between which moments of one real clock, in seconds, and the facts in its bytes."""

    @property
    def begun(self) -> float: ...
    @property
    def ended(self) -> float: ...
    @property
    def facts(self) -> frozenset[Hashable]: ...


A = TypeVar("A", bound=Answer)


class Change(NamedTuple):
    """A fact's only authority is given (`gives`), or ends: when that was sent, and when it was acknowledged."""

    fact: Hashable
    begun: float
    acknowledged: float
    gives: bool = False


def stale(answers: Iterable[A], changes: Iterable[Change]) -> list[tuple[A, Change]]:
    """Return the answers that hold what had ended before they were asked for, each with the ending."""
    of: dict[Hashable, list[Change]] = defaultdict(list)
    for change in changes:
        of[change.fact].append(change)
    return [
        (answer, ending)
        for answer in answers
        for fact in answer.facts
        for ending in of[fact]
        if not ending.gives and ending.acknowledged < answer.begun and not _given_again(answer, ending, of[fact])
    ]


def _given_again(answer: Answer, ending: Change, changes: Sequence[Change]) -> bool:
    """Return whether it may have been given between the ending and the answer: in doubt, yes."""
    return any(c.gives and c.acknowledged > ending.begun and c.begun < answer.ended for c in changes)


class Written(NamedTuple):
    """A row of the log, in its order: an event that gives or takes, or a disclosure (`topic` None).

    `until`: when what an event gives runs out; `at`: when it was recorded.
    """

    position: int
    topic: str | None
    participant: UUID | None
    party: UUID | None
    staff: UUID | None
    until: datetime | None
    epoch: int | None
    at: datetime


def logged(connection: psycopg.Connection[Any]) -> list[Written]:
    """Return every row of the log, in its order."""
    found = connection.execute(
        "select notification_id, topic, participant_id, party_id, staff_id, expires_at, null, recorded_at"
        " from log.event union all"
        " select position, null, participant_id, party_id, staff_id, null, epoch, recorded_at from log.disclosure"
        " order by 1"
    )
    return [Written(*row) for row in found]


@dataclass(slots=True)
class _Consent:
    """What a party may rely on of one participant: until when, by ROI and by item, and the last ending."""

    roi: datetime | None = None
    item: datetime | None = None
    ended: int = 0

    def lives(self, at: datetime) -> bool:
        return any(until is not None and until > at for until in (self.roi, self.item))


_Consents = dict[tuple[UUID | None, UUID | None], _Consent]


def _take(consents: _Consents, row: Written) -> None:
    known = consents[row.party, row.participant]
    match row.topic:
        case "roi.granted" | "counsel.authorised":
            known.roi = row.until
        case "item.consented":
            known.item = max(filter(None, (known.item, row.until)), default=None)
        case "roi.narrowed" | "counsel.narrowed":
            known.roi, known.ended = row.until, row.position
        case "roi.expired":
            known.roi, known.ended = None, row.position
        case "item.withdrawn":
            known.ended = row.position
        case "roi.revoked" | "counsel.ended" | "conflict.declared":
            known.roi, known.item, known.ended = None, None, row.position
        case "participant.erased":
            for (_, participant), each in consents.items():
                if participant == row.participant:
                    each.roi, each.item, each.ended = None, None, row.position
        case _:
            pass


@dataclass(slots=True)
class _Records:
    """Whose record each is: a merge is two events next to each other, the first on the record that is kept."""

    into: dict[UUID | None, UUID | None] = field(default_factory=dict)
    kept: UUID | None = None
    known: set[UUID | None] = field(default_factory=set)

    def take(self, row: Written) -> None:
        self.known.add(row.participant)
        if row.topic == "participant.unmerged":
            self.into.pop(row.participant, None)
        elif row.topic == "participant.merged" and self.kept is None:
            self.kept = row.participant
        elif row.topic == "participant.merged":
            self.into[row.participant], self.kept = self.kept, None

    def are(self, row: Written) -> bool:
        """Return whether a participant who reads, which is its own party, reads of its own record."""
        return row.party not in self.known or row.party in (row.participant, self.into.get(row.participant))


def disordered(rows: Iterable[Written]) -> list[Written]:
    """Return the disclosures that stand in the log after the end of what they rest on, or of their reader's authority.

    One without an epoch is read by role: only its reader's authority can end, and that a record is a participant's own.
    """
    consents: _Consents = defaultdict(_Consent)
    records, gone, found = _Records(), set[UUID | None](), list[Written]()
    for row in rows:
        if row.topic is not None:
            _take(consents, row)
            records.take(row)
        if row.topic == "staff.ended":
            gone.add(row.staff)
        elif row.topic in {"staff.registered", "access.given"}:
            gone.discard(row.staff)
        elif row.topic is None:
            consent = consents[row.party, row.participant]
            rests = row.epoch == consent.ended and consent.lives(row.at) if row.epoch is not None else records.are(row)
            if row.staff in gone or not rests:
                found.append(row)
    return found
