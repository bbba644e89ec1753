"""A refusal: what a command says when it cannot be done, naming the field and the way out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Self


class Fault(NamedTuple):
    """What is wrong with one input, and what the person can do instead."""

    field: str
    reason: str
    way_out: str


class Refused(Exception):
    """A rule forbids the command: because of one input, or of several, all of which `faults` lists."""

    def __init__(self, field: str, reason: str, way_out: str, *more: Fault) -> None:
        self.faults = (Fault(field, reason, way_out), *more)
        super().__init__("\n".join(f"{fault.field}: {fault.reason} {fault.way_out}" for fault in self.faults))
        self.field, self.reason, self.way_out = self.faults[0]

    @classmethod
    def of(cls, faults: Sequence[Fault]) -> Self:
        """Return the refusal for all of these."""
        first, *more = faults
        return cls(*first, *more)

    def within(self, place: str) -> Self:
        """Return the same refusal, of inputs that stand at a place of something larger."""
        return self.of([fault._replace(field=f"{place}.{fault.field}") for fault in self.faults])


class Unknown(Exception):
    """What the command names does not exist, or may not be known to this caller: the answer is the same."""


class Stale(Exception):
    """Someone else changed the same thing first: read again, then decide again."""


class Forbidden(Exception):
    """The caller's role has no such command."""
