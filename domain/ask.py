"""Asks: a partner's question or news. Stream and subject: the ask itself.

Its own subject, whose key seals it, so that nothing of the receipt depends on whether anybody of that name is in LEAD.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from enum import StrEnum
from typing import Annotated, ClassVar
from uuid import UUID

from domain.event import Event, LongText, PersonName, Recorded
from domain.labels import Label, Reader
from domain.refusal import Refused, Unknown


class AskKind(StrEnum):
    """What a partner has for LEAD."""

    QUESTION = "question"
    NEWS = "news"


class Handling(StrEnum):
    """How care took it up: an answer is a share of its own, or a call; most news needs none."""

    SHARE = "share"
    CALL = "call"
    NOTED = "noted"


class AskReceived(Event):
    """A partner, which reads by the column `reader`, asked or told something. `about`: whom it named by its own id."""

    topic: ClassVar[str] = "ask.received"
    label: ClassVar[Label] = Label.MESSAGE_ASK
    requires: ClassVar[tuple[str, ...]] = ("participant_id", "party_id")

    reader: Annotated[Reader, Label.MESSAGE_ASK]
    kind: Annotated[AskKind, Label.MESSAGE_ASK]
    text: Annotated[LongText, Label.MESSAGE_ASK]
    about: Annotated[UUID | None, Label.MESSAGE_ASK] = None
    name: Annotated[PersonName | None, Label.MESSAGE_ASK] = None
    birth_date: Annotated[date | None, Label.MESSAGE_ASK] = None


class AskHandled(Event):
    """Care took an ask up; the partner is not told how."""

    topic: ClassVar[str] = "ask.handled"
    label: ClassVar[Label] = Label.MESSAGE_ASK
    requires: ClassVar[tuple[str, ...]] = ("participant_id", "party_id")

    how: Annotated[Handling, Label.MESSAGE_ASK]


def handle(history: Iterable[Recorded[Event]], event: AskHandled) -> list[Event]:
    """Take an ask up, once. Raises `Unknown` for what is no ask."""
    events = [recorded.event for recorded in history]
    if not any(isinstance(known, AskReceived) for known in events):
        raise Unknown
    if any(isinstance(known, AskHandled) for known in events):
        raise Refused("ask", "somebody took it up already.", "Look into the inbox again.")
    return [event]
