"""Contacts: attempts and successes, small acts count (T:443, T:1367). Stream: the contact.

A reminder by text may be read by anyone: it says where and when, and whom to call, and nothing of why.
"""

from __future__ import annotations

import re
from datetime import datetime
from enum import StrEnum
from typing import Annotated, ClassVar
from zoneinfo import ZoneInfo

from domain.event import Event, LongText, ShortText
from domain.labels import Label
from domain.refusal import Refused


class ContactKind(StrEnum):
    """What kind of contact it was."""

    OUTREACH = "outreach"
    VISIT = "visit"
    APPOINTMENT = "appointment"
    RIDE = "ride"
    COURT = "court accompaniment"
    HOSPITAL = "hospital visit"
    JAIL = "jail visit"
    PHONE = "phone"
    CRISIS = "crisis"


class ContactMade(Event):
    """A contact took place, or was attempted. What was said and seen stays with care.

    So does its kind: a hospital or a jail visit says where the participant was, and why.
    """

    topic: ClassVar[str] = "contact.made"
    label: ClassVar[Label] = Label.CONTACT_FACT
    requires: ClassVar[tuple[str, ...]] = ("participant_id", "party_id")

    kind: Annotated[ContactKind, Label.CONTACT_NOTE]
    reached: Annotated[bool, Label.CONTACT_FACT]
    note: Annotated[LongText | None, Label.CONTACT_NOTE] = None
    location: Annotated[ShortText | None, Label.CONTACT_LOCATION] = None
    current_use: Annotated[LongText | None, Label.SUBSTANCE_CURRENT] = None
    health: Annotated[LongText | None, Label.HEALTH_GENERAL] = None


_SAYS_WHY = re.compile(
    r"\b(?:lead|court\w*|judge|justice|police|precinct|sheriff|jail|prison|probation|parole|prosecut\w*|defen[sd]e\w*"
    r"|attorney|lawyer|clinic|hospital|detox|treatment|shelter|methadone|recovery)\b",
    re.IGNORECASE,
)


def reminder(at: datetime, place: str, call: str, zone: ZoneInfo) -> str:
    """Return the text of a reminder: time, place and a number. Raises `Refused` for a place that says what it is."""
    if why := _SAYS_WHY.search(place):
        raise Refused("place", f"{why.group(0)!r} says what it is about.", "Give the street and the number.")
    when = at.astimezone(zone)
    return f"{when:%a} {when.day} {when:%b} {when:%H:%M}, {place}. {call}"
