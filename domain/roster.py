"""The roster: who carries whom, who covers, who is on call. One stream, so that a race has one winner (T:1129)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Annotated, ClassVar, NamedTuple
from uuid import UUID

from pydantic import AwareDatetime

from domain.event import Event, Recorded, ShortText
from domain.labels import Label
from domain.protocol import Door, Protocol
from domain.refusal import Refused

ROSTER = UUID("3d0b1a52-7a55-5f0e-8e0a-6d0c5a3b9c11")


class SlotReserved(Event):
    """LEAD accepted a participant whom nobody carries yet; a slot is kept until somebody does."""

    topic: ClassVar[str] = "roster.reserved"
    label: ClassVar[Label] = Label.ROSTER
    requires: ClassVar[tuple[str, ...]] = ("participant_id", "party_id")

    door: Annotated[Door, Label.ROSTER]
    protocol_version: Annotated[ShortText, Label.ROSTER]


class ParticipantAssigned(Event):
    """A case manager carries a participant from now on. Partners call the site's team number."""

    topic: ClassVar[str] = "roster.assigned"
    label: ClassVar[Label] = Label.ROSTER
    requires: ClassVar[tuple[str, ...]] = ("participant_id", "party_id", "staff_id")

    case_manager: Annotated[ShortText, Label.CASE_MANAGER_CONTACT]
    phone: Annotated[ShortText, Label.CASE_MANAGER_CONTACT]
    protocol_version: Annotated[ShortText | None, Label.ROSTER] = None


class Leaving(StrEnum):
    """How a participant came off the roster. Why it was discharged stays with care."""

    DISCHARGED = "discharged"
    DECEASED = "deceased"
    WITHDRAWN = "withdrawn"


class ParticipantReleased(Event):
    """Nobody carries the participant any more; its slot is free."""

    topic: ClassVar[str] = "roster.released"
    label: ClassVar[Label] = Label.ROSTER
    requires: ClassVar[tuple[str, ...]] = ("participant_id", "party_id")

    reason: Annotated[Leaving, Label.ROSTER]


class ParticipantCovered(Event):
    """A line of a supervisor's dated list: who looks after a colleague's participant, until `expires_at`.

    It is no assignment: the participant stays whose it is.
    """

    topic: ClassVar[str] = "roster.covered"
    label: ClassVar[Label] = Label.ROSTER
    requires: ClassVar[tuple[str, ...]] = ("participant_id", "party_id", "staff_id", "expires_at")

    begins_at: Annotated[AwareDatetime, Label.ROSTER]
    covered_by: Annotated[ShortText, Label.ROSTER]


class CoverEnded(Event):
    """The cover of one participant ended before its day."""

    topic: ClassVar[str] = "roster.cover_ended"
    label: ClassVar[Label] = Label.ROSTER
    requires: ClassVar[tuple[str, ...]] = ("participant_id", "party_id")


class OnCallSet(Event):
    """A member of the team is on call until `expires_at`."""

    topic: ClassVar[str] = "roster.on_call"
    label: ClassVar[Label] = Label.ROSTER
    requires: ClassVar[tuple[str, ...]] = ("party_id", "staff_id", "expires_at")

    begins_at: Annotated[AwareDatetime, Label.ROSTER]
    name: Annotated[ShortText, Label.ROSTER]


class OnCallEnded(Event):
    """A member of the team is not on call any more, nor later, until the roster says so again."""

    topic: ClassVar[str] = "roster.off_call"
    label: ClassVar[Label] = Label.ROSTER
    requires: ClassVar[tuple[str, ...]] = ("party_id", "staff_id")


TOPICS = tuple(
    kind.topic
    for kind in (
        SlotReserved,
        ParticipantAssigned,
        ParticipantReleased,
        ParticipantCovered,
        CoverEnded,
        OnCallSet,
        OnCallEnded,
    )
)


class Span(NamedTuple):
    """A member of staff's duty, on call or covering, from one moment to another."""

    staff: UUID
    begins_at: datetime
    ends_at: datetime

    def holds(self, at: datetime) -> bool:
        """Return whether it is this person's duty at a moment."""
        return self.begins_at <= at < self.ends_at


class Footing(StrEnum):
    """On what footing a member of the team reads of a participant; the log of accesses says it (T:1289)."""

    OWN_CASELOAD = "care: own caseload"
    COVER = "care: cover"
    OUTSIDE = "care: outside own caseload and cover"


@dataclass(frozen=True, slots=True)
class Roster:
    """Who carries whom: `carried_by[participant]` is a member of staff; `reserved` were accepted and wait for one.

    `cover` is by participant; `on_call` in the order in which it was said. Those in the wind are carried like others.
    """

    version: int = 0
    carried_by: dict[UUID, UUID] = field(default_factory=dict)
    reserved: frozenset[UUID] = frozenset()
    cover: dict[UUID, Span] = field(default_factory=dict)
    on_call: tuple[Span, ...] = ()

    @property
    def loads(self) -> Counter[UUID]:
        """How many participants each member of staff carries."""
        return Counter(self.carried_by.values())

    def keeps(self, participant: UUID) -> bool:
        """Return whether a participant has a slot: carried, or kept until then."""
        return participant in self.carried_by or participant in self.reserved

    def waiting(self, team: Collection[UUID]) -> int:
        """Return how many need a slot: accepted and carried by nobody, or by someone who has left the team."""
        return len(self.reserved) + sum(1 for staff in self.carried_by.values() if staff not in team)

    def room(self, team: Collection[UUID], most: int) -> int:
        """Return how many more the team could carry, nobody above `most`, once all who wait are carried."""
        loads = self.loads
        return sum(max(0, most - loads[staff]) for staff in team) - self.waiting(team)

    def average(self, team: Collection[UUID]) -> float | None:
        """Return the average caseload once all who wait are carried; None where nobody is there to carry."""
        return (len(self.carried_by) + len(self.reserved)) / len(team) if team else None

    def footing(self, staff: UUID, participant: UUID, at: datetime) -> Footing:
        """Return on what footing a member of the team reads of a participant."""
        if self.carried_by.get(participant) == staff:
            return Footing.OWN_CASELOAD
        duties = [*self.on_call, *([self.cover[participant]] if participant in self.cover else [])]
        covers = any(duty.staff == staff and duty.holds(at) for duty in duties)
        return Footing.COVER if covers else Footing.OUTSIDE


def roster(history: Iterable[Recorded[Event]], before: Roster | None = None) -> Roster:
    """Fold the roster's events, or those that came after it stood as it did `before`."""
    before = before or Roster()
    version, on_call = before.version, before.on_call
    carried, reserved, cover = dict(before.carried_by), set(before.reserved), dict(before.cover)
    for recorded in history:
        if recorded.stream != ROSTER:
            continue
        version = recorded.version
        match recorded.event:
            case SlotReserved(participant_id=UUID() as who):
                reserved.add(who)
            case ParticipantAssigned(participant_id=UUID() as who, staff_id=UUID() as staff):
                carried[who] = staff
                reserved.discard(who)
                cover.pop(who, None)
            case ParticipantReleased(participant_id=UUID() as who):
                carried.pop(who, None)
                reserved.discard(who)
                cover.pop(who, None)
            case ParticipantCovered(participant_id=UUID() as who, staff_id=UUID() as staff) as covered:
                cover[who] = _span(staff, covered)
            case CoverEnded(participant_id=UUID() as who):
                cover.pop(who, None)
            case OnCallSet(staff_id=UUID() as staff) as duty:
                new = _span(staff, duty)  # in place of one of the same beginning, which it corrects
                others = (span for span in on_call if span[:2] != new[:2] and span.ends_at > duty.occurred_at)
                on_call = (*others, new)
            case OnCallEnded(staff_id=staff):
                on_call = tuple(span for span in on_call if span.staff != staff)
            case _:
                pass
    return Roster(version, carried, frozenset(reserved), cover, on_call)


def _span(staff: UUID, event: ParticipantCovered | OnCallSet) -> Span:
    return Span(staff, event.begins_at, event.expires_at or event.begins_at)


def take(state: Roster, team: Collection[UUID], event: SlotReserved, protocol: Protocol) -> list[Event]:
    """Keep a slot for a participant who is being accepted; nothing for one who has one.

    Declined when the average is above policy and someone would have to carry more than the most (T:1131). Where
    nobody has room the average cannot be at or below policy, which is never above the most.
    """
    if event.participant_id is not None and state.keeps(event.participant_id):
        return []
    _require_room(state, team, protocol)
    return [event]


def assign(state: Roster, team: Collection[UUID], event: ParticipantAssigned, protocol: Protocol) -> list[Event]:
    """Assign or move a participant. Nobody is given more than the protocol's most, never above 25, whoever asks."""
    who, staff = event.participant_id, event.staff_id
    if staff is None or staff not in team:
        raise Refused("case_manager", "nobody who carries participants signs in so.", "Name a case manager.")
    if who is not None and state.carried_by.get(who) == staff:
        return [event]
    if state.loads[staff] >= protocol.caseload_most:
        raise Refused(
            "case_manager",
            f"this case manager carries {protocol.caseload_most} already.",
            "Assign someone else, or arrange cover.",
        )
    if who is not None and not state.keeps(who):
        _require_room(state, team, protocol)
    return [event]


def release(state: Roster, event: ParticipantReleased) -> list[Event]:
    """Take a participant off the roster, or free the slot that was kept; nothing for one who is not on it."""
    return [event] if event.participant_id is not None and state.keeps(event.participant_id) else []


def hand_over(history: Sequence[Recorded[Event]], event: ParticipantReleased, kept: UUID) -> list[Event]:
    """Take a record that is merged away off the roster; the kept one has its slot, and cover, unless it has its own."""
    state, away = roster(history), event.participant_id
    if (freed := release(state, event)) == [] or state.keeps(kept):
        return freed
    of_away = [r.event for r in history if r.event.participant_id == away]
    slot = next(e for e in reversed(of_away) if isinstance(e, SlotReserved | ParticipantAssigned))
    cover = next((e for e in reversed(of_away) if isinstance(e, ParticipantCovered) and away in state.cover), None)
    held = [each for each in (slot, cover) if each is not None]
    return [*freed, *(e.model_copy(update={"participant_id": kept, "occurred_at": event.occurred_at}) for e in held)]


def _require_room(state: Roster, team: Collection[UUID], protocol: Protocol) -> None:
    if state.room(team, protocol.caseload_most) < 1:
        raise Refused(
            "capacity",
            f"every slot of {protocol.version} is taken or kept for someone who was accepted.",
            "Tell whoever referred that there is no capacity now; the project manager sees it.",
        )


def arrange_cover(state: Roster, carrier: UUID, lines: list[ParticipantCovered], now: datetime) -> list[Event]:
    """Put a dated list in force for participants of one case manager. It gives nobody a slot, and takes none."""
    if not lines:
        raise Refused("case_manager", "this case manager carries nobody.", "Name whose participants need cover.")
    for n, line in enumerate(lines):
        if line.participant_id is None or state.carried_by.get(line.participant_id) != carrier:
            raise Refused(f"participants[{n}]", "this case manager does not carry it.", "Name one that she carries.")
        if line.staff_id == carrier:
            raise Refused("by", "nobody covers for herself.", "Name a colleague.")
        if _span(carrier, line).ends_at <= max(now, line.begins_at):
            raise Refused("last_on", "it lies before the first day, or before today.", "Give a later day.")
    return list(lines)


def end_cover(state: Roster, endings: list[CoverEnded]) -> list[Event]:
    """End cover early, of those of whom there is any."""
    found: list[Event] = [event for event in endings if event.participant_id in state.cover]
    if not found:
        raise Refused("case_manager", "nobody covers for this case manager.", "See who covers whom under capacity.")
    return found


def set_on_call(event: OnCallSet, now: datetime) -> list[Event]:
    """Put a member of the team on call."""
    if event.expires_at is None or event.expires_at <= max(now, event.begins_at):
        raise Refused("ends_at", "it lies before begins_at, or is past.", "Give the time at which the duty ends.")
    return [event]
