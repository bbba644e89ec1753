"""Asks and concerns as rows: the party's own as it sent them, and the inbox of those who take them up."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated, Any, TypeVar
from uuid import UUID

from domain.ask import AskHandled, AskReceived
from domain.concern import ConcernAnswered, ConcernRaised
from domain.event import Recorded
from domain.labels import Ceiling, Label, Reader, Viewer
from projections.lens import NOBODY, History, Lens, Traced
from projections.rows import ALLOWED, REFERENCE, Holding, OwnRow, PartyId, Ref, RoleRow


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnAsk(OwnRow):
    """What this party asked or told, as it sent it."""

    asked_at: Annotated[datetime, Label.MESSAGE_ASK]
    ask_id: Ref
    participant_id: Annotated[UUID | None, REFERENCE]
    kind: Annotated[str | None, Label.MESSAGE_ASK]
    name: Annotated[str | None, Label.MESSAGE_ASK]
    birth_date: Annotated[date | None, Label.MESSAGE_ASK]
    text: Annotated[str | None, Label.MESSAGE_ASK]


@dataclass(frozen=True, slots=True, kw_only=True)
class InboxAsk(RoleRow):
    """What a partner asked or told, for care to take up."""

    asked_at: Annotated[datetime, Label.MESSAGE_ASK]
    ask_id: Ref
    from_id: Annotated[UUID, PartyId("from")]
    about_id: Annotated[UUID | None, REFERENCE]
    kind: Annotated[str | None, Label.MESSAGE_ASK]
    name: Annotated[str | None, Label.MESSAGE_ASK]
    birth_date: Annotated[date | None, Label.MESSAGE_ASK]
    text: Annotated[str | None, Label.MESSAGE_ASK]
    handled_at: Annotated[datetime | None, Label.MESSAGE_ASK]
    handled: Annotated[str | None, Label.MESSAGE_ASK]


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnConcern(OwnRow):
    """A concern that this party raised, and its answer."""

    raised_at: Annotated[datetime, Label.CONCERN]
    concern_id: Ref
    participant_id: Annotated[UUID | None, REFERENCE]
    text: Annotated[str | None, Label.CONCERN]
    answered_at: Annotated[datetime | None, Label.CONCERN]
    answer: Annotated[str | None, Label.CONCERN]


@dataclass(frozen=True, slots=True, kw_only=True)
class InboxConcern(RoleRow):
    """A concern that a party raised, for the project manager to answer."""

    raised_at: Annotated[datetime, Label.CONCERN]
    concern_id: Ref
    from_id: Annotated[UUID, PartyId("from")]
    about_id: Annotated[UUID | None, REFERENCE]
    text: Annotated[str | None, Label.CONCERN]
    answered_at: Annotated[datetime | None, Label.CONCERN]
    answer: Annotated[str | None, Label.CONCERN]


A = TypeVar("A", bound=OwnAsk)
B = TypeVar("B", bound=InboxAsk)
C = TypeVar("C", bound=OwnConcern)
D = TypeVar("D", bound=InboxConcern)


def own_asks(
    history: History, reader: Reader, row: Callable[..., A], ceiling: Ceiling, at: datetime, trace: list[Traced] | None
) -> Iterator[A]:
    """Yield what parties of this kind asked; how it was taken up is not theirs."""
    for asked in history.of(AskReceived):
        if asked.event.reader is reader:
            see = _eyes(Viewer(reader, _party(asked)), Holding.OWN, ceiling, at, trace)
            yield row(
                subject_id=history.subject,
                party_id=_party(asked),
                asked_at=asked.event.occurred_at,
                ask_id=asked.stream,
                participant_id=see(asked, "about"),
                **_asked(asked, see),
            )


def inbox_asks(
    history: History, reader: Reader, row: Callable[..., B], ceiling: Ceiling, at: datetime, trace: list[Traced] | None
) -> Iterator[B]:
    """Yield what partners asked, as those read it who take it up."""
    see = _eyes(Viewer(reader, NOBODY), Holding.ROLE, ceiling, at, trace)
    handled = next(history.of(AskHandled), None)
    for asked in history.of(AskReceived):
        yield row(
            subject_id=history.subject,
            as_of=history.position,
            asked_at=asked.event.occurred_at,
            ask_id=asked.stream,
            from_id=_party(asked),
            about_id=see(asked, "about"),
            handled_at=see(handled, "occurred_at") if handled else None,
            handled=see(handled, "how") if handled else None,
            **_asked(asked, see),
        )


def own_concerns(
    history: History, reader: Reader, row: Callable[..., C], ceiling: Ceiling, at: datetime, trace: list[Traced] | None
) -> Iterator[C]:
    """Yield the concerns that parties of this kind raised, with their answers."""
    for raised in history.of(ConcernRaised):
        if raised.event.reader is reader:
            see = _eyes(Viewer(reader, _party(raised)), Holding.OWN, ceiling, at, trace)
            yield row(
                subject_id=history.subject,
                party_id=_party(raised),
                raised_at=raised.event.occurred_at,
                concern_id=raised.stream,
                participant_id=see(raised, "about"),
                **_raised(history, raised, see),
            )


def inbox_concerns(
    history: History, reader: Reader, row: Callable[..., D], ceiling: Ceiling, at: datetime, trace: list[Traced] | None
) -> Iterator[D]:
    """Yield the concerns there are, as those read them who answer."""
    see = _eyes(Viewer(reader, NOBODY), Holding.ROLE, ceiling, at, trace)
    for raised in history.of(ConcernRaised):
        yield row(
            subject_id=history.subject,
            as_of=history.position,
            raised_at=raised.event.occurred_at,
            concern_id=raised.stream,
            from_id=_party(raised),
            about_id=see(raised, "about"),
            **_raised(history, raised, see),
        )


See = Callable[[Recorded[Any], str], Any]


def _eyes(viewer: Viewer, holding: Holding, ceiling: Ceiling, at: datetime, trace: list[Traced] | None) -> See:
    lens = Lens(viewer, None, ceiling, at, trace)
    return lambda recorded, name: lens.see(recorded, name, ALLOWED[holding])


def _party(recorded: Recorded[Any]) -> UUID:
    return recorded.event.party_id or NOBODY


def _asked(asked: Recorded[AskReceived], see: See) -> dict[str, Any]:
    name = see(asked, "name")
    return {
        "kind": see(asked, "kind"),
        "name": None if name is None else str(name),
        "birth_date": see(asked, "birth_date"),
        "text": see(asked, "text"),
    }


def _raised(history: History, raised: Recorded[ConcernRaised], see: See) -> dict[str, Any]:
    answers = list(history.of(ConcernAnswered))
    return {
        "text": see(raised, "text"),
        "answered_at": see(answers[-1], "occurred_at") if answers else None,
        "answer": see(answers[-1], "text") if answers else None,
    }
