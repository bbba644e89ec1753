"""Suspension of an accounting: an agency says that telling somebody what was disclosed to it would impede it.

45 CFR 164.528(a)(2), which 42 CFR 2.25(a) takes over for Part 2. Health oversight and law enforcement may ask it, each
for itself alone, in writing for the time that it states, by word of mouth for thirty days at most. Nobody ends it: its
last day is in the event, and whoever asks afterwards is told.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Annotated, ClassVar, Final
from uuid import UUID, uuid5

from domain.calendar import end_of_day
from domain.event import Event, Recorded, ShortText
from domain.labels import Label
from domain.protocol import Protocol
from domain.refusal import Refused
from domain.registry import PartyKind

ORAL_DAYS: Final = 30
"""How long a statement by word of mouth suspends at most: the law's, no site's (45 CFR 164.528(a)(2)(ii)(C))."""

_SUSPENSIONS: Final = UUID("0a6c4a0e-5f0d-5b1c-9f52-2d0c9b6f7e41")


def suspension_stream(participant: UUID, agency: UUID) -> UUID:
    """Return the stream of what one agency said of the accounting of one participant."""
    return uuid5(_SUSPENSIONS, f"{participant} {agency}")


class Capacity(StrEnum):
    """As what an agency may ask it."""

    LAW_ENFORCEMENT = "law enforcement"
    HEALTH_OVERSIGHT = "health oversight"


MAY_ASK: Final = {
    Capacity.LAW_ENFORCEMENT: frozenset({PartyKind.POLICE, PartyKind.PROSECUTOR}),
    Capacity.HEALTH_OVERSIGHT: frozenset({PartyKind.RECIPIENT}),
}
"""Which parties can be what: who investigates or prosecutes (45 CFR 164.103), not a court, nor who supervises."""


class Statement(StrEnum):
    """How the agency said that an accounting would be reasonably likely to impede it."""

    WRITTEN = "written"
    ORAL = "oral"


class _OfSuspension(Event):
    """Something of a suspension; it needs no key, for it is kept as long as the accounting. Stream: the suspension."""

    label: ClassVar[Label] = Label.AUDIT_ACCESS


class AccountingSuspended(_OfSuspension):
    """What was disclosed to an agency is not told to the participant until a day is over, both as the agency stated.

    `expires_at`: the end of `until`, the last day. `official`: who made the statement. `artefact_sha256`: of its paper.
    """

    topic: ClassVar[str] = "accounting.suspended"
    requires: ClassVar[tuple[str, ...]] = ("participant_id", "party_id", "expires_at")

    agency: Annotated[UUID, Label.AUDIT_ACCESS]
    capacity: Annotated[Capacity, Label.AUDIT_ACCESS]
    official: Annotated[ShortText, Label.AUDIT_ACCESS]
    statement: Annotated[Statement, Label.AUDIT_ACCESS]
    stated_on: Annotated[date, Label.AUDIT_ACCESS]
    until: Annotated[date, Label.AUDIT_ACCESS]
    artefact_sha256: Annotated[str | None, Label.AUDIT_ACCESS] = None


class AccountingResumed(_OfSuspension):
    """A suspension ended before its last day."""

    topic: ClassVar[str] = "accounting.resumed"
    requires: ClassVar[tuple[str, ...]] = ("participant_id", "party_id")

    agency: Annotated[UUID, Label.AUDIT_ACCESS]


@dataclass(frozen=True, slots=True)
class Suspension:
    """What one agency said of one accounting. `last`: its last statement; `resumed`: that ended before its day."""

    stream: UUID
    version: int = 0
    last: AccountingSuspended | None = None
    resumed: bool = False

    def runs(self, at: datetime) -> bool:
        """Return whether the accounting is suspended at a moment."""
        until = self.last.expires_at if self.last and not self.resumed else None
        return until is not None and until > at


def suspension(participant: UUID, agency: UUID, history: Iterable[Recorded[Event]]) -> Suspension:
    """Fold one agency's suspension, out of whatever was recorded of a participant."""
    state = Suspension(suspension_stream(participant, agency))
    for recorded in history:
        if recorded.stream == state.stream:
            match recorded.event:
                case AccountingSuspended() as last:
                    state = Suspension(state.stream, recorded.version, last)
                case _:
                    state = Suspension(state.stream, recorded.version, state.last, resumed=True)
    return state


def suspend(state: Suspension, event: AccountingSuspended, protocol: Protocol) -> AccountingSuspended:
    """Suspend an accounting, or extend it by paper, from the moment of the event on. Raises `Refused`.

    One word of mouth does not follow another: thirty days are then over, and only paper gives more.
    """
    if event.until < event.occurred_at.astimezone(protocol.tz).date():
        raise Refused("until", "that day is over.", "Give a day from today on: nothing is suspended for the past.")
    if event.until < event.stated_on:
        raise Refused("until", "it lies before the statement.", "Give the last day as the agency stated it.")
    if event.statement is Statement.WRITTEN:
        if event.artefact_sha256 is None:
            raise Refused("artefact_sha256", "a written statement is kept.", "Give the SHA-256 of its paper.")
        return event
    if state.runs(event.occurred_at) or (state.last and state.last.statement is Statement.ORAL):
        raise Refused(
            "statement", "this agency's word was taken already.", "Ask it for a written statement and record that."
        )
    if event.until > event.stated_on + timedelta(days=ORAL_DAYS):
        raise Refused(
            "until",
            f"by word of mouth an accounting is suspended for {ORAL_DAYS} days at most (45 CFR 164.528(a)(2)(ii)).",
            "Give an earlier day, or record the written statement.",
        )
    return event


def last_moment(until: date, protocol: Protocol) -> datetime:
    """Return the end of a suspension's last day at the site."""
    return end_of_day(until, protocol.tz)


def suspended(history: Iterable[Recorded[AccountingSuspended | AccountingResumed]], at: datetime) -> frozenset[UUID]:
    """Return the agencies of which an accounting is silent at a moment, by all that they said of it."""
    said: dict[tuple[UUID, UUID], list[Recorded[Event]]] = {}
    for recorded in history:
        if (who := recorded.event.participant_id) is not None:
            said.setdefault((who, recorded.event.agency), []).append(recorded)
    return frozenset(agency for (who, agency), words in said.items() if suspension(who, agency, words).runs(at))
