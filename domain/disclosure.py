"""What was told by word of mouth, for an accounting without it would be false by omission; and what became of a copy
that a party was sent: that it was withdrawn, and whether the party let go of it.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, ClassVar
from uuid import UUID, uuid5

from domain.event import Event, PartyIs, ShortText
from domain.labels import Label


class Occasion(StrEnum):
    """On which occasion something was told."""

    PHONE = "phone"
    MEETING = "meeting"
    COURT = "in court"
    STREET = "in person"


class OralDisclosure(Event):
    """A person of LEAD told somebody of a party what these labels are about; what was said is not repeated here.

    Stream: the telling.
    """

    topic: ClassVar[str] = "disclosure.oral"
    label: ClassVar[Label] = Label.AUDIT_ACCESS
    party_is: ClassVar[PartyIs] = PartyIs.ADDRESSEE
    requires: ClassVar[tuple[str, ...]] = ("participant_id", "party_id")

    labels: Annotated[frozenset[Label], Label.AUDIT_ACCESS]
    occasion: Annotated[Occasion, Label.AUDIT_ACCESS]
    person: Annotated[ShortText | None, Label.AUDIT_ACCESS] = None


_COPIES = UUID("3d6a2f60-4c1b-5a52-9c0e-7b8f4f1a9d35")


def copy_stream(party: UUID, participant: UUID) -> UUID:
    """Return the stream of the copy that a party was sent of a participant."""
    return uuid5(_COPIES, f"{party} {participant}")


class Receipt(StrEnum):
    """What a party says of a copy that was withdrawn: deleted everywhere, or held under a legal duty."""

    PURGED = "purged"
    HELD = "held"


class CopyWithdrawn(Event):
    """What a party was sent of a participant was withdrawn; it is to answer. It is not told why. Stream: the copy."""

    topic: ClassVar[str] = "copy.withdrawn"
    label: ClassVar[Label] = Label.CONSENT_STATE
    party_is: ClassVar[PartyIs] = PartyIs.ADDRESSEE
    requires: ClassVar[tuple[str, ...]] = ("participant_id", "party_id")

    version: Annotated[int, Label.CONSENT_STATE]
    receipt_by: Annotated[datetime, Label.CONSENT_STATE]


class ReceiptGiven(Event):
    """A party says what it did with a copy that was withdrawn. Stream: the copy."""

    topic: ClassVar[str] = "receipt.given"
    label: ClassVar[Label] = Label.CONSENT_STATE
    party_is: ClassVar[PartyIs] = PartyIs.ADDRESSEE
    requires: ClassVar[tuple[str, ...]] = ("participant_id", "party_id")

    version: Annotated[int, Label.CONSENT_STATE]
    receipt: Annotated[Receipt, Label.CONSENT_STATE]
