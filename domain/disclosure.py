"""What was told by word of mouth: an accounting without it would be false by omission. Stream: the telling."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, ClassVar

from domain.event import Event, PartyIs, ShortText
from domain.labels import Label


class Occasion(StrEnum):
    """On which occasion something was told."""

    PHONE = "phone"
    MEETING = "meeting"
    COURT = "in court"
    STREET = "in person"


class OralDisclosure(Event):
    """A person of LEAD told somebody of a party what these labels are about; what was said is not repeated here."""

    topic: ClassVar[str] = "disclosure.oral"
    label: ClassVar[Label] = Label.AUDIT_ACCESS
    party_is: ClassVar[PartyIs] = PartyIs.ADDRESSEE
    requires: ClassVar[tuple[str, ...]] = ("participant_id", "party_id")

    labels: Annotated[frozenset[Label], Label.AUDIT_ACCESS]
    occasion: Annotated[Occasion, Label.AUDIT_ACCESS]
    person: Annotated[ShortText | None, Label.AUDIT_ACCESS] = None
