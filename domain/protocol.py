"""The site's operational protocol: every number is policy with an effective date (T:515, T:835).

Two hard floors that no policy can move: 25 participants per case manager (T:1129), and the Golden Rules.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Annotated, ClassVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, field_validator

from domain.event import Event, ShortText, Value
from domain.labels import Ceiling, Label, Reader

CASELOAD_FLOOR = 25
DAYS_MOST = 3660
"""No rule of a site runs longer than ten years."""


class LoweredCeiling(Value):
    """A label that this site never lets this kind of reader have, whatever is signed."""

    reader: Reader
    label: Label


class Protocol(Value):
    """One version of the site's rules. Durations are in the unit their name says; `zone` is an IANA name."""

    version: ShortText
    effective_from: date
    zone: str
    handoff_minutes: Annotated[int, Field(gt=0, le=DAYS_MOST * 24 * 60)]
    intake_days: Annotated[int, Field(gt=0, le=DAYS_MOST)]
    non_return_hours: Annotated[int, Field(gt=0, le=DAYS_MOST * 24)]
    caseload_average: Annotated[int, Field(gt=0, le=CASELOAD_FLOOR)]
    caseload_most: Annotated[int, Field(gt=0, le=CASELOAD_FLOOR)]
    roi_days_most: Annotated[int, Field(gt=0, le=DAYS_MOST)]
    item_days_most: Annotated[int, Field(gt=0, le=DAYS_MOST)]
    divertible: frozenset[ShortText]
    exclusions: frozenset[ShortText]
    override_ranks: frozenset[ShortText]
    on_call: ShortText
    team_number: ShortText
    lowered: tuple[LoweredCeiling, ...] = ()

    @field_validator("zone")
    @classmethod
    def _known_zone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, OSError):  # neither of them a ValueError
            raise ValueError("no such time zone") from None
        return name

    @property
    def tz(self) -> ZoneInfo:
        """The site's time zone."""
        return ZoneInfo(self.zone)

    @property
    def ceiling(self) -> Ceiling:
        """What this version takes away from the table of labels."""
        return Ceiling(self.version, frozenset((low.reader, low.label) for low in self.lowered))

    @property
    def non_return(self) -> timedelta:
        """How long a released person is asked not to return (T:413): a request, not a condition."""
        return timedelta(hours=self.non_return_hours)


class ProtocolAdopted(Event):
    """The Policy Coordinating Group adopted a version of the protocol; it is frozen from then on."""

    topic: ClassVar[str] = "protocol.adopted"
    label: ClassVar[Label] = Label.REGISTRY

    protocol: Annotated[Protocol, Label.REGISTRY]


class NoProtocol(LookupError):
    """No protocol is in force: the site is not set up yet."""


def in_force(versions: list[Protocol], at: datetime) -> Protocol:
    """Return the version in force at a moment: the latest whose effective day has begun at the site.

    `versions` stand in the order of their adoption; of two with the same day the one adopted later corrects the other.
    Raises `NoProtocol` where none is.
    """
    begun = [p for p in versions if p.effective_from <= at.astimezone(p.tz).date()]
    if not begun:
        raise NoProtocol("no protocol is in force: adopt one with an effective date that has come")
    return max(reversed(begun), key=lambda p: p.effective_from)
