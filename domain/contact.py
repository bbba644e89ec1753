"""Contacts: attempts and successes, small acts count (T:443, T:1367). Stream: the contact."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, ClassVar

from domain.event import Event, LongText, ShortText
from domain.labels import Label


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
