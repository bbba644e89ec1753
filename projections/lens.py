"""The lens: one viewer's eyes on one participant's history. Every value passes through `decide`, and leaves a trace."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple, TypeVar
from uuid import UUID, uuid5

from pydantic import BaseModel

from domain.event import Event, Recorded, labels_of
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
from domain.roi import grants

E = TypeVar("E", bound=Event)

NOBODY = UUID(int=0)
"""The party of whoever reads by role alone."""


@dataclass(frozen=True, slots=True)
class History:
    """Everything that was recorded about one subject, in the order of the log."""

    subject: UUID
    events: Sequence[Recorded[Event]]

    @property
    def position(self) -> int:
        """The position of its last event."""
        return self.events[-1].position if self.events else 0

    def id_of(self, recorded: Recorded[Event]) -> UUID:
        """Return an id for what a party was told; it does not depend on what else lies in its stream."""
        told = (recorded.stream, recorded.event.topic, recorded.event.party_id, recorded.event.matter_id)
        before = sum(
            (r.stream, r.event.topic, r.event.party_id, r.event.matter_id) == told and r.position < recorded.position
            for r in self.events
        )
        return uuid5(recorded.stream, f"{recorded.event.topic}/{told[2]}/{told[3]}/{before}")

    def of(self, *kinds: type[E]) -> Iterator[Recorded[E]]:
        """Yield the events of these kinds."""
        for recorded in self.events:
            if isinstance(recorded.event, kinds):
                yield recorded  # type: ignore[misc]  # narrowed by the line above


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
        if self.trace is None and (settled := _settled(self.viewer.reader, type(recorded.event), name)) is not None:
            return settled
        fact = recorded.event.fact(name)
        if not own:
            fact = replace(fact, contributor=None)
        decision = decide(self.viewer, fact, self.grant, self.ceiling, self.at)
        if self.trace is not None:
            self.trace.append(
                Traced(
                    self.viewer,
                    recorded.position,
                    recorded.event.topic,
                    name,
                    fact.labels,
                    self.ceiling.version,
                    decision,
                )
            )
        return decision

    def see(self, recorded: Recorded[Event], name: str, bases: frozenset[Basis]) -> Any:
        """Return a field's value if it is shown on one of these bases, else None. An erased field is None."""
        decision = self.decide(recorded, name)
        if isinstance(decision, Shown) and decision.basis in bases and name not in recorded.erased:
            return getattr(recorded.event, name)
        return None


@cache
def _settled(reader: Reader, event: type[Event], name: str) -> Decision | None:
    """Return what `decide` says of a field to every viewer of this kind at any moment, where its label settles it."""
    if event.subject_labels is not Event.subject_labels:
        return None
    cell = TABLE[labels_of(event)[name]].cells[reader]
    if not cell:
        return Withheld(Rule.NEVER)
    always = Basis.ROLE in cell and reader not in (Reader.PARTICIPANT, Reader.COUNSEL)
    return Shown(Basis.ROLE) if always else None


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
    lens = Lens(viewer, grants(history.events).get(viewer.party), ceiling, at, trace)
    for recorded in history.events:
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
    """Return a value as JSON holds it: models as objects, without ids of the log and these fields; sets sorted."""
    if type(value) in _PLAIN:
        return value
    if isinstance(value, BaseModel):
        dumped = value.model_dump(mode="json")
        return {name: dumped[name] for name, v in value if name not in without and not is_id(v)}
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items()}
    if isinstance(value, frozenset | set):
        return sorted(plain(v) for v in value)
    if isinstance(value, list | tuple):
        return [plain(v, without=without) for v in value]
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value) if isinstance(value, UUID) or hasattr(value, "isoformat") else value
