"""The roster: who carries whom. Decided on one stream for the site, so that a race has one winner (T:1129)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated, ClassVar
from uuid import UUID

from domain.event import Event, Recorded, ShortText
from domain.labels import Label
from domain.protocol import Protocol
from domain.refusal import Refused

ROSTER = UUID("3d0b1a52-7a55-5f0e-8e0a-6d0c5a3b9c11")


class ParticipantAssigned(Event):
    """A case manager carries a participant from now on. Partners call the site's team number."""

    topic: ClassVar[str] = "roster.assigned"
    label: ClassVar[Label] = Label.ROSTER
    requires: ClassVar[tuple[str, ...]] = ("participant_id", "party_id", "staff_id")

    case_manager: Annotated[ShortText, Label.CASE_MANAGER_CONTACT]
    phone: Annotated[ShortText, Label.CASE_MANAGER_CONTACT]


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


@dataclass(frozen=True, slots=True)
class Roster:
    """Who carries whom: `carried_by[participant]` is a member of staff."""

    version: int = 0
    carried_by: dict[UUID, UUID] = field(default_factory=dict)


def roster(history: Iterable[Recorded[Event]]) -> Roster:
    """Fold the roster."""
    carried: dict[UUID, UUID] = {}
    version = 0
    for recorded in history:
        version = recorded.version
        event = recorded.event
        if isinstance(event, ParticipantAssigned) and event.participant_id and event.staff_id:
            carried[event.participant_id] = event.staff_id
        if isinstance(event, ParticipantReleased) and event.participant_id:
            carried.pop(event.participant_id, None)
    return Roster(version, carried)


def assign(state: Roster, event: ParticipantAssigned, protocol: Protocol) -> list[Event]:
    """Assign a participant; nobody is given more than the protocol's most, which is never above 25."""
    others = {p: s for p, s in state.carried_by.items() if p != event.participant_id}
    if event.staff_id is not None and Counter(others.values())[event.staff_id] >= protocol.caseload_most:
        raise Refused(
            "case_manager",
            f"this case manager carries {protocol.caseload_most} already.",
            "Assign someone else, or arrange cover.",
        )
    return [event]


def release(state: Roster, event: ParticipantReleased) -> list[Event]:
    """Take a participant off the roster; nothing for one who is not on it."""
    return [event] if event.participant_id in state.carried_by else []
