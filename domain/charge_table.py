"""The charge table, as whoever keeps it tells it: what each charge is called and how severe it is, and since when.

It says what an office charges with, and decides nothing: what is divertible, the site's protocol alone says.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Annotated, ClassVar
from uuid import UUID, uuid5

from pydantic import AwareDatetime

from domain.event import Event, Recorded, ShortText
from domain.labels import Label


class ChargeListed(Event):
    """A charge stands in the table so. `expires_on`: the first day on which nobody can be charged with it.

    `told_at`: when its keeper wrote it; what was written later holds, in whichever order it came.
    """

    topic: ClassVar[str] = "charge.listed"
    label: ClassVar[Label] = Label.REGISTRY
    requires: ClassVar[tuple[str, ...]] = ("party_id",)

    key: Annotated[ShortText, Label.REGISTRY]
    told_at: Annotated[AwareDatetime, Label.REGISTRY]
    code: Annotated[ShortText, Label.REGISTRY]
    statute: Annotated[ShortText, Label.REGISTRY]
    section: Annotated[ShortText | None, Label.REGISTRY] = None
    description: Annotated[ShortText, Label.REGISTRY]
    severity: Annotated[ShortText, Label.REGISTRY]
    effective_on: Annotated[date, Label.REGISTRY]
    expires_on: Annotated[date | None, Label.REGISTRY] = None


class ChargeUnlisted(Event):
    """A charge was taken out of the table, as if it had never been there."""

    topic: ClassVar[str] = "charge.unlisted"
    label: ClassVar[Label] = Label.REGISTRY
    requires: ClassVar[tuple[str, ...]] = ("party_id",)

    told_at: Annotated[AwareDatetime, Label.REGISTRY]


def charge_stream(party: UUID, key: str) -> UUID:
    """Return the stream of a charge, which is the keeper's own."""
    return uuid5(party, f"charge {key}")


def last_told(history: Iterable[Recorded[Event]]) -> ChargeListed | ChargeUnlisted | None:
    """Return what was said of a charge last."""
    found: ChargeListed | ChargeUnlisted | None = None
    for recorded in history:
        event = recorded.event
        if isinstance(event, ChargeListed | ChargeUnlisted):
            found = event
    return found
