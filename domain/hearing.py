"""Hearings: set, moved, held, each as the party that keeps the case tells it. Stream: the case.

A hearing is known by the id of the event that set it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, ClassVar
from uuid import UUID

from pydantic import AwareDatetime

from domain.event import Event, Recorded, ShortText
from domain.labels import Label
from domain.legal_case import CourtRecord
from domain.refusal import Refused


class HearingKind(StrEnum):
    """What a hearing is for."""

    FIRST_APPEARANCE = "first appearance"
    ARRAIGNMENT = "arraignment"
    PRETRIAL = "pretrial"
    MOTION = "motion"
    TRIAL = "trial"
    SENTENCING = "sentencing"
    REVIEW = "review"
    OTHER = "other"


class HearingOutcome(StrEnum):
    """What became of a hearing."""

    HELD = "held"
    DID_NOT_APPEAR = "did not appear"
    STRICKEN = "stricken from the calendar"


class HearingSet(CourtRecord):
    """A hearing is set. `number`: the court's own of it, where it has one."""

    topic: ClassVar[str] = "hearing.set"

    hearing_kind: Annotated[HearingKind, Label.CASE_DOCKET]
    starts_at: Annotated[AwareDatetime, Label.CASE_DOCKET]
    courtroom: Annotated[ShortText | None, Label.CASE_DOCKET] = None
    number: Annotated[ShortText | None, Label.CASE_DOCKET] = None


class HearingMoved(CourtRecord):
    """A hearing is at another time, or in another room."""

    topic: ClassVar[str] = "hearing.moved"

    hearing: Annotated[UUID, Label.CASE_DOCKET]
    starts_at: Annotated[AwareDatetime, Label.CASE_DOCKET]
    courtroom: Annotated[ShortText | None, Label.CASE_DOCKET] = None


class HearingEnded(CourtRecord):
    """A hearing is over, or will not be."""

    topic: ClassVar[str] = "hearing.ended"

    hearing: Annotated[UUID, Label.CASE_DOCKET]
    outcome: Annotated[HearingOutcome, Label.CASE_DOCKET]


@dataclass(frozen=True, slots=True)
class Hearing:
    """A hearing as it stands. `opened`: the event that set it; `told`: that which says when and where
    it is; `ended`: that which ends it.
    """

    opened: Recorded[Any]
    told: Recorded[Any]
    ended: Recorded[Any] | None = None

    @property
    def starts_at(self) -> datetime:
        """When it begins."""
        told: HearingSet | HearingMoved = self.told.event
        return told.starts_at


def hearings(history: Iterable[Recorded[Event]]) -> dict[UUID, Hearing]:
    """Fold the hearings of one case. One whose key was destroyed is none."""
    found: dict[UUID, Hearing] = {}
    for recorded in history:
        if recorded.erased:
            continue
        match recorded.event:
            case HearingSet():
                found[recorded.id] = Hearing(recorded, recorded)
            case HearingMoved(hearing=hearing) if hearing in found:
                found[hearing] = replace(found[hearing], told=recorded)
            case HearingEnded(hearing=hearing) if hearing in found:
                found[hearing] = replace(found[hearing], ended=recorded)
            case _:
                pass
    return found


def move(state: Hearing, event: HearingMoved) -> list[Event]:
    """Move a hearing that is not over."""
    _open(state, "starts_at")
    return [event]


def end(state: Hearing, event: HearingEnded) -> list[Event]:
    """End a hearing; only one that has begun was held."""
    _open(state, "outcome")
    if event.outcome is not HearingOutcome.STRICKEN and event.occurred_at < state.starts_at:
        raise Refused("outcome", "the hearing has not begun.", "Move it first, or say that it was stricken.")
    return [event]


def _open(state: Hearing, name: str) -> None:
    if state.ended is not None:
        raise Refused(name, "the hearing is over.", "Set another one.")
