"""The lens: one viewer's eyes on one participant's history. Every value passes through `decide`, and leaves a trace."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cache, cached_property
from typing import Any, NamedTuple, TypeVar
from uuid import UUID, uuid5

from pydantic import BaseModel

from domain.deadline import Deadlines, deadlines
from domain.disclosure import CopyWithdrawn, OralDisclosure, ReceiptGiven
from domain.event import Event, Recorded, labels_of
from domain.finding import FindingRaised
from domain.labels import (
    TABLE,
    Basis,
    Ceiling,
    Decision,
    Grant,
    Label,
    Reader,
    Rule,
    Shown,
    Viewer,
    Withheld,
    decide,
)
from domain.legal_case import TAKES_BACK, left_of_cases
from domain.referral import DepartmentNotified, ProsecutorNotified, Referral, referral
from domain.retention import ParticipantErased
from domain.roi import grants
from domain.roster import Roster, roster
from domain.suspension import AccountingResumed, AccountingSuspended, suspended

E = TypeVar("E", bound=Event)

NOBODY = UUID(int=0)
"""The party of whoever reads by role alone."""

READS_LINKED = frozenset({Reader.CASE_MANAGER, Reader.COUNSEL, Reader.LEGAL_SERVICES, Reader.PARTICIPANT})
"""Who reads, with a participant, the records of agencies that are linked to them.

No agency does: of its own record it has rows of its own, linked or not, and so cannot tell whether it is.
"""

_STATEMENTS = (AccountingSuspended, AccountingResumed)
_DISCLOSED = (OralDisclosure, DepartmentNotified, ProsecutorNotified, CopyWithdrawn, ReceiptGiven)
_SUSPENDED: dict[Reader, tuple[type[Event], ...]] = {
    Reader.CASE_MANAGER: _STATEMENTS,
    Reader.PARTICIPANT: (*_STATEMENTS, *_DISCLOSED),
    Reader.COUNSEL: (*_STATEMENTS, *_DISCLOSED),
}
"""What each is not told of an agency while the accounting is suspended for it: that it is, and to whom it is not to be
told, what was disclosed to the agency by the event itself.
"""


@dataclass(frozen=True)
class History:
    """Everything that was recorded about one subject, in the order of the log.

    What every view asks of it is worked out once. `linked`: what is recorded about nobody in LEAD, in matters that a
    link says are this participant's. It is no part of the participant's own history; `read_by` adds it. `proposed`: the
    like, in matters that may be; whom they name is for the reviewer alone.
    A matter that was sealed, or taken back by whoever sent it, is not there: no view of any reader tells of it.
    `position`: that of the last event of it, or of what is linked or proposed, told or not.
    """

    subject: UUID
    events: Sequence[Recorded[Event]]
    linked: Sequence[Recorded[Event]] = ()
    proposed: Sequence[Recorded[Event]] = ()
    position: int = field(default=0, init=False)
    _of: dict[tuple[type[Event], ...], list[Recorded[Any]]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )
    _told: dict[int, dict[str, Any]] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Leave out what was withdrawn."""
        read = (self.events, self.linked, self.proposed)
        last = max((some[-1].position for some in read if some), default=0)
        object.__setattr__(self, "position", last)
        object.__setattr__(self, "events", _left(self.events))
        object.__setattr__(self, "linked", _left(self.linked))
        object.__setattr__(self, "proposed", _left(self.proposed))

    def read_by(self, reader: Reader) -> Sequence[Recorded[Event]]:
        """Return what this kind of reader reads of the subject: for some, with what is linked, as told of it."""
        return self._whole if reader in READS_LINKED else self.events

    def id_of(self, recorded: Recorded[Event]) -> UUID:
        """Return an id for what a party was told; it does not depend on what else lies in its stream."""
        event, before = recorded.event, self._before[recorded.position]
        return uuid5(self.stream_of(recorded), f"{event.topic}/{event.party_id}/{event.matter_id}/{before}")

    def stream_of(self, recorded: Recorded[Event]) -> UUID:
        """Return an id for the stream that an event stands on; that of a finding does not count what its case holds."""
        return self.findings.get(recorded.stream, recorded.stream)

    @cached_property
    def findings(self) -> Mapping[UUID, UUID]:
        """The findings about the subject, by their streams, each by an id of its place among those of its case alone.

        A finding's stream is made of the action's place among others of the case, which not everyone is to count.
        """
        numbers, ids = Counter[UUID | None](), dict[UUID, UUID]()
        for raised in self.of(FindingRaised):
            matter = raised.event.matter_id
            numbers[matter] += 1
            ids[raised.stream] = uuid5(self.subject, f"finding/{matter}/{numbers[matter]}")
        return ids

    def of(self, *kinds: type[E]) -> Iterator[Recorded[E]]:
        """Yield the events of these kinds; of its own class alone is an event."""
        found = self._of.get(kinds)
        if found is None:
            wanted = self._kinds.intersection(kinds)
            found = self._of[kinds] = [r for r in self.events if type(r.event) in wanted] if wanted else []
        return iter(found)

    def silent_of(self, at: datetime) -> frozenset[UUID]:
        """Return the agencies for which the subject's accounting is suspended at a moment."""
        return suspended(self.of(AccountingSuspended, AccountingResumed), at)

    def kept_back(self, reader: Reader | None, at: datetime) -> frozenset[int]:
        """Return where there is what this kind of reader is not told while an accounting is suspended."""
        if reader not in _SUSPENDED or not (agencies := self.silent_of(at)):
            return frozenset()
        return frozenset(r.position for r in self.of(*_SUSPENDED[reader]) if _agency(r.event) in agencies)

    def stream(self, stream: UUID) -> History:
        """Return what of it stands on one stream."""
        return self._streams.get(stream) or History(self.subject, ())

    @cached_property
    def grants(self) -> Mapping[UUID, Grant]:
        """What each party holds by the participant's consent."""
        return grants(self.events)

    @cached_property
    def roster(self) -> Roster:
        """Who carries and covers whom, and who is on call."""
        return roster(self.events)

    @cached_property
    def referral(self) -> Referral | None:
        """The referral, of a history that is one referral's stream."""
        return referral(self.events)

    @cached_property
    def deadlines(self) -> Deadlines:
        """The deadlines, of a history that is one referral's stream."""
        return deadlines(self.events)

    def told(self, recorded: Recorded[Event]) -> Mapping[str, Any]:
        """Return what an event's fields say, as JSON holds it: without ids of the log, and without what is erased."""
        found = self._told.get(recorded.position)
        if found is None:
            values = ((name, getattr(recorded.event, name)) for name in labels_of(type(recorded.event)))
            found = self._told[recorded.position] = {
                name: plain(value, without=PLACES)
                for name, value in values
                if value is not None and name not in recorded.erased and not is_id(value)
            }
        return found

    @cached_property
    def _whole(self) -> Sequence[Recorded[Event]]:
        told = {"participant_id": self.subject}
        linked = [replace(r, event=r.event.model_copy(update=told)) for r in self.linked]
        return sorted([*self.events, *linked], key=lambda recorded: recorded.position) if linked else self.events

    @cached_property
    def _kinds(self) -> set[type[Event]]:
        return {type(recorded.event) for recorded in self.events}

    @cached_property
    def _streams(self) -> dict[UUID, History]:
        found: defaultdict[UUID, list[Recorded[Event]]] = defaultdict(list)
        for recorded in self.events:
            found[recorded.stream].append(recorded)
        return {stream: History(self.subject, events) for stream, events in found.items()}

    @cached_property
    def _before(self) -> dict[int, int]:
        """By position: how often the same party was told the like on the same stream before."""
        told: Counter[tuple[object, ...]] = Counter()
        before = {}
        for recorded in (*self.events, *self.linked):  # in this order: no id of its own depends on what is linked
            event = recorded.event
            like = (recorded.stream, event.topic, event.party_id, event.matter_id)
            before[recorded.position] = told[like]
            told[like] += 1
        return before


_LEFT = frozenset({Label.CONSENT_SCOPE, Label.AUDIT_ACCESS})
"""What stays of somebody who was erased: who might be shown what, and why nothing else is there any more."""


def _left(events: Sequence[Recorded[Event]]) -> Sequence[Recorded[Event]]:
    """Return what is not withdrawn, in whole or in part; of somebody who was erased, what consent there was."""
    kinds = {type(recorded.event) for recorded in events}
    if ParticipantErased in kinds:
        return [recorded for recorded in events if type(recorded.event).label in _LEFT and not recorded.erased]
    if not any(kind.withdraws or kind in TAKES_BACK for kind in kinds):
        return events
    if gone := {_matter(recorded) for recorded in events if recorded.event.withdraws}:
        events = [recorded for recorded in events if _matter(recorded) not in gone]
    return left_of_cases(events)


def _agency(event: Event) -> UUID | None:
    return event.agency if isinstance(event, AccountingSuspended | AccountingResumed) else event.party_id


def _matter(recorded: Recorded[Event]) -> UUID:
    return recorded.event.matter_id or recorded.stream


class Traced(NamedTuple):
    """One decision: which field of which event, for whom, shown on which basis or withheld by which rule."""

    viewer: Viewer
    position: int
    topic: str
    field: str
    labels: frozenset[Label]
    protocol_version: str
    decision: Decision


@dataclass(slots=True)
class Lens:
    """One viewer's eyes, at one moment, under one protocol."""

    viewer: Viewer
    grant: Grant | None
    ceiling: Ceiling
    at: datetime
    trace: list[Traced] | None = None

    def decide(self, recorded: Recorded[Event], name: str, *, own: bool = True) -> Decision:
        """Decide one field, and keep the trace. Not `own`: as consent shows it, whoever contributed the fact."""
        event, viewer = recorded.event, self.viewer
        if self.trace is None:
            settled = _settled(viewer.reader, type(event), name, self._of_itself(recorded))
            if settled is not None:
                return settled
        fact = event.fact(name)
        if not own:
            fact = fact._replace(contributor=None)
        decision = decide(viewer, fact, self.grant, self.ceiling, self.at)
        if self.trace is not None:
            self.trace.append(
                Traced(
                    viewer,
                    recorded.position,
                    event.topic,
                    name,
                    fact.labels,
                    self.ceiling.version,
                    decision,
                )
            )
        return decision

    def shown(self, recorded: Recorded[Event]) -> Iterable[tuple[str, Shown]]:
        """Decide every field; return those that are shown."""
        kind = type(recorded.event)
        if self.trace is None and (settled := _shown(self.viewer.reader, kind, self._of_itself(recorded))) is not None:
            return settled
        decided = [(name, self.decide(recorded, name)) for name in labels_of(kind)]
        return [(name, decision) for name, decision in decided if isinstance(decision, Shown)]

    def _of_itself(self, recorded: Recorded[Event]) -> bool:
        return self.viewer.reader is Reader.PARTICIPANT and self.viewer.party == recorded.event.participant_id

    def see(self, recorded: Recorded[Event], name: str, bases: frozenset[Basis]) -> Any:
        """Return a field's value if it is shown on one of these bases, else None. An erased field is None."""
        decision = self.decide(recorded, name)
        if isinstance(decision, Shown) and decision.basis in bases and name not in recorded.erased:
            return getattr(recorded.event, name)
        return None


@cache
def _settled(reader: Reader, event: type[Event], name: str, of_itself: bool) -> Decision | None:
    """Return what `decide` says of a field to every viewer of this kind at any moment, where its label settles it.

    `of_itself`: the viewer is the participant whom the event is about.
    """
    if event.subject_labels is not Event.subject_labels:
        return None
    cell = TABLE[labels_of(event)[name]].cells[reader]
    if not cell:
        return Withheld(Rule.NEVER)
    always = Basis.ROLE in cell and (of_itself or reader not in (Reader.PARTICIPANT, Reader.COUNSEL))
    return Shown(Basis.ROLE) if always else None


@cache
def _shown(reader: Reader, event: type[Event], of_itself: bool) -> tuple[tuple[str, Shown], ...] | None:
    """Return which fields are shown to every viewer of this kind, if that is settled for each of them."""
    settled = [(name, _settled(reader, event, name, of_itself)) for name in labels_of(event)]
    if any(decision is None for _, decision in settled):
        return None
    return tuple((name, decision) for name, decision in settled if isinstance(decision, Shown))


@dataclass(slots=True)
class Gathered:
    """What was shown of some facts: values by name, their labels, and the authority they rest on."""

    values: dict[str, Any] = field(default_factory=dict)
    labels: set[Label] = field(default_factory=set)
    authority: UUID | None = None
    basis: Basis | None = None

    def take(
        self, lens: Lens, recorded: Recorded[Event], name: str, column: str | None = None, *, own: bool = True
    ) -> None:
        """Take one field if consent shows it to a viewer; not `own`: even one that the viewer's party contributed."""
        decision = lens.decide(recorded, name, own=own)
        if not isinstance(decision, Shown) or decision.grant is None or name in recorded.erased:
            return
        value = getattr(recorded.event, name)
        if value is None:
            return
        self.values[column or name] = value
        self.labels |= recorded.event.subject_labels(name)
        self.authority, self.basis = decision.grant, decision.basis

    def shown(self) -> str:
        """Return the labels of what was taken, in order, separated by spaces."""
        return " ".join(sorted(self.labels))


def explain(history: History, viewer: Viewer, ceiling: Ceiling, at: datetime) -> list[Traced]:
    """Return the decision about every field of every event for one viewer, in the order of the log."""
    trace: list[Traced] = []
    lens = Lens(viewer, history.grants.get(viewer.party), ceiling, at, trace)
    for recorded in history.read_by(viewer.reader):
        for name in labels_of(type(recorded.event)):
            lens.decide(recorded, name)
    return trace


def is_id(value: Any) -> bool:
    """Return whether a value is an id of the log, or several: they leave only as ids of the reader's own."""
    return isinstance(value, UUID) or (isinstance(value, tuple) and any(isinstance(v, UUID) for v in value))


_PLAIN = frozenset({str, int, bool, type(None)})


PLACES = frozenset({"position", "last_position"})
"""Where the log has something, as models name it: who counts along knows how much happens to others meanwhile."""


def plain(value: Any, *, without: frozenset[str] = frozenset()) -> Any:
    """Return a value as JSON holds it: models without ids of the log and these fields, sets sorted, times in UTC."""
    if type(value) in _PLAIN:
        return value
    if isinstance(value, str):  # one of a closed list
        return value
    if isinstance(value, BaseModel):
        dumped = value.model_dump(mode="json")
        return {name: _ordered(v, dumped[name]) for name, v in value if name not in without and not is_id(v)}
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items()}
    if isinstance(value, frozenset | set):
        return sorted(plain(v) for v in value)
    if isinstance(value, list | tuple):
        return [plain(v, without=without) for v in value]
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    return str(value) if isinstance(value, UUID) or hasattr(value, "isoformat") else value


def _ordered(value: Any, dumped: Any) -> Any:
    """Return what a model's part was dumped as, its sets sorted: their own order is another in every process."""
    if isinstance(value, frozenset | set):
        return sorted(dumped, key=str)
    if isinstance(value, BaseModel):
        return {name: _ordered(v, dumped[name]) for name, v in value}
    if isinstance(value, list | tuple):
        return [_ordered(v, d) for v, d in zip(value, dumped, strict=True)]
    return dumped
