"""Forgetting: orders that seal or vacate a matter, holds that make them wait, and the end of a participant's retention.

An order names a matter, or a participant. A matter's key is destroyed by its order; a participant's own only when its
retention has run too. A legal hold makes either wait, visibly. What an order, a hold and an end of retention say needs
no key: it is read when all else is gone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Annotated, ClassVar, Final
from uuid import UUID, uuid5

from domain.event import Event, Recorded
from domain.labels import Label
from domain.participant import IN_LEAD, Enrolment, Participant
from domain.protocol import Protocol
from domain.refusal import Refused

_RETENTIONS: Final = UUID("5b1f5d3e-0c5b-5f0a-8f5d-6a4a3f0b7c21")


def retention_stream(subject: UUID) -> UUID:
    """Return the stream of what is to be forgotten of a subject: a participant, or a matter of nobody in LEAD."""
    return uuid5(_RETENTIONS, str(subject))


RETENTION: Final = "the end of retention"
"""What an order that names a participant waits for."""


class HoldGround(StrEnum):
    """Why nothing may be destroyed. Closed: which proceeding it is stays in the file of whoever holds."""

    LITIGATION = "litigation"
    DISCLOSURE = "a prosecutor's duty to disclose"
    RECORDS_LAW = "records law"
    AUDIT = "an audit or investigation"


class SealOrderKind(StrEnum):
    """What was ordered."""

    SEALED = "sealed"
    VACATED = "vacated"
    EXPUNGED = "expunged"
    ERASURE = "erasure"


class _OfRetention(Event):
    """Something of a subject's retention. Stream: its retention."""

    label: ClassVar[Label] = Label.AUDIT_ACCESS


class HoldPlaced(_OfRetention):
    """A legal hold: nothing of a participant, or of one matter, is destroyed until it is lifted."""

    topic: ClassVar[str] = "hold.placed"
    requires: ClassVar[tuple[str, ...]] = ("participant_id", "party_id")

    ground: Annotated[HoldGround, Label.AUDIT_ACCESS]
    matter: Annotated[UUID | None, Label.AUDIT_ACCESS] = None


class HoldLifted(_OfRetention):
    """A legal hold has ended. `hold`: the entry that placed it."""

    topic: ClassVar[str] = "hold.lifted"
    requires: ClassVar[tuple[str, ...]] = ("participant_id", "party_id")

    hold: Annotated[UUID, Label.AUDIT_ACCESS]


class OrderReceived(_OfRetention):
    """An order came: to seal, vacate or expunge a matter, or naming the participant (`matter` None)."""

    topic: ClassVar[str] = "seal.ordered"
    requires: ClassVar[tuple[str, ...]] = ("party_id",)

    order: Annotated[SealOrderKind, Label.AUDIT_ACCESS]
    ordered_on: Annotated[date, Label.AUDIT_ACCESS]
    matter: Annotated[UUID | None, Label.AUDIT_ACCESS] = None


class OrderCarriedOut(_OfRetention):
    """What an order named is destroyed. `order`: the entry of the order."""

    topic: ClassVar[str] = "seal.carried_out"
    requires: ClassVar[tuple[str, ...]] = ("party_id",)

    order: Annotated[UUID, Label.AUDIT_ACCESS]


class MatterErased(Event):
    """A matter's key is destroyed with this event. Stream: the matter."""

    topic: ClassVar[str] = "matter.erased"
    label: ClassVar[Label] = Label.AUDIT_ACCESS
    requires: ClassVar[tuple[str, ...]] = ("matter_id",)
    withdraws: ClassVar[bool] = True


class ParticipantErased(_OfRetention):
    """A participant's own key is destroyed with this event: retention has run, and no hold stands."""

    topic: ClassVar[str] = "participant.erased"
    requires: ClassVar[tuple[str, ...]] = ("participant_id",)


@dataclass(frozen=True, slots=True)
class Retention:
    """What is to be forgotten of a subject. `holds` and `waiting`: those that stand, by their entries."""

    stream: UUID
    version: int = 0
    holds: Mapping[UUID, HoldPlaced] = field(default_factory=dict)
    waiting: Mapping[UUID, OrderReceived] = field(default_factory=dict)
    erased: bool = False

    def held(self, matter: UUID | None) -> list[HoldGround]:
        """Return why a matter is held; None: why the participant is, of whom any hold holds everything."""
        standing = self.holds.values()
        return sorted({hold.ground for hold in standing if matter is None or hold.matter in (None, matter)})

    def due(self) -> dict[UUID, OrderReceived]:
        """Return the orders of matters that wait for nothing any more."""
        return {
            entry: order
            for entry, order in self.waiting.items()
            if order.matter is not None and not self.held(order.matter)
        }


def retention(subject: UUID, history: Iterable[Recorded[Event]]) -> Retention:
    """Fold the retention of a subject, out of whatever was recorded of it."""
    state = Retention(retention_stream(subject))
    for recorded in history:
        if recorded.stream == state.stream:
            state = replace(_apply(state, recorded.id, recorded.event), version=recorded.version)
    return state


def _apply(state: Retention, entry: UUID, event: Event) -> Retention:
    match event:
        case HoldPlaced():
            return replace(state, holds={**state.holds, entry: event})
        case HoldLifted(hold=hold):
            return replace(state, holds={e: h for e, h in state.holds.items() if e != hold})
        case OrderReceived():
            return replace(state, waiting={**state.waiting, entry: event})
        case OrderCarriedOut(order=order):
            return replace(state, waiting={e: o for e, o in state.waiting.items() if e != order})
        case ParticipantErased():
            return replace(state, erased=True)
        case _:
            return state


def entry_of(state: Retention, ahead: int = 1) -> UUID:
    """Return the entry of what is recorded next on a retention, or `ahead` after what stands."""
    return uuid5(state.stream, str(state.version + ahead))


def lift(state: Retention, event: HoldLifted) -> Retention:
    """Return the retention without a hold. Raises `Refused` where it does not stand."""
    if event.hold not in state.holds:
        raise Refused("hold", "it does not stand any more.", "Read what holds there are.")
    return replace(_apply(state, event.hold, event), version=state.version + 1)


def receive(state: Retention, event: OrderReceived) -> Retention:
    """Return the retention with an order. Raises `Refused` for one that is there already."""
    if any(event.matter == order.matter for order in state.waiting.values()):
        raise Refused("cases", "an order of it waits already.", "Read what it waits for.")
    return replace(_apply(state, entry_of(state), event), version=state.version + 1)


def ends_at(who: Participant, quiet_since: datetime, protocol: Protocol) -> datetime | None:
    """Return when the retention of a record ends about which nothing happened since; None while it is in LEAD."""
    if who.status in IN_LEAD:
        return None
    days = protocol.retention_days_not_enrolled if who.status is Enrolment.REFERRED else protocol.retention_days
    return quiet_since + timedelta(days=days)
