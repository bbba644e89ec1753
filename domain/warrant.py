"""Warrants: that one stands, and how it ended (T:467, T:694, T:1201). Stream: the warrant, as one party knows it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum
from typing import Annotated, Any, ClassVar
from uuid import UUID

from domain.event import Event, Recorded, ShortText
from domain.identity import RecordSubject
from domain.labels import Label
from domain.legal_case import CaseRenumbered, CourtRecord
from domain.refusal import Refused


class WarrantKind(StrEnum):
    """What kind of warrant it is."""

    ARREST = "arrest"
    BENCH = "bench"
    FAILURE_TO_APPEAR = "failure to appear"


class WarrantEnd(StrEnum):
    """How a warrant ended."""

    RECALLED = "recalled"
    QUASHED = "quashed"
    SERVED = "served"


ACTIVE = "active"
"""The state of a warrant that has not ended."""


class _Warrant(CourtRecord):
    label: ClassVar[Label] = Label.WARRANT

    office: Annotated[UUID | None, Label.WARRANT] = None
    public_record: Annotated[bool, Label.WARRANT] = False


class WarrantIssued(_Warrant):
    """A warrant was issued on `issued_on`; it occurred to us when the court, an office or care told of it."""

    topic: ClassVar[str] = "warrant.issued"
    names: ClassVar[str] = "defendant"

    number: Annotated[ShortText, Label.WARRANT]
    warrant_kind: Annotated[WarrantKind, Label.WARRANT]
    court: Annotated[ShortText, Label.WARRANT]
    issued_on: Annotated[date, Label.WARRANT]
    docket: Annotated[ShortText | None, Label.WARRANT] = None
    defendant: Annotated[RecordSubject | None, Label.WARRANT] = None


class WarrantEnded(_Warrant):
    """A warrant was recalled or quashed by the court, or served."""

    topic: ClassVar[str] = "warrant.ended"

    outcome: Annotated[WarrantEnd, Label.WARRANT]
    ended_on: Annotated[date, Label.WARRANT]


@dataclass(frozen=True, slots=True)
class Warrant:
    """A warrant as it stands. `docket`: the number of its case now."""

    issued: Recorded[Any]
    version: int
    ended: Recorded[Any] | None = None
    docket: str | None = None

    @property
    def event(self) -> WarrantIssued:
        """What was told of it first."""
        issued: WarrantIssued = self.issued.event
        return issued


def warrant(history: Iterable[Recorded[Event]]) -> Warrant | None:
    """Fold a warrant's stream; None for a stream that is no warrant's, or whose key was destroyed."""
    state: Warrant | None = None
    for recorded in history:
        match recorded.event:
            case WarrantIssued() if not recorded.erased:
                state = Warrant(recorded, recorded.version, docket=recorded.event.docket)
            case WarrantEnded() if state:
                state = replace(state, ended=recorded)
            case CaseRenumbered() as event if state:
                state = replace(state, docket=event.docket)
            case event if event.withdraws:
                state = None
            case _:
                pass
        if state is not None:
            state = replace(state, version=recorded.version)
    return state


def end(state: Warrant, event: WarrantEnded) -> list[Event]:
    """End a warrant, once, not before it was issued."""
    if state.ended is not None:
        raise Refused("outcome", "the warrant has ended already.", "Read the record.")
    if event.ended_on < state.event.issued_on:
        raise Refused("ended_on", "it lies before the warrant was issued.", "Give the date as it happened.")
    return [event]
