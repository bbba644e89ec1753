"""A refusal: what a command says when it cannot be done, naming the field and the way out."""

from __future__ import annotations


class Refused(Exception):
    """A rule forbids the command. `field` is the input it concerns, `way_out` what the person can do instead."""

    def __init__(self, field: str, reason: str, way_out: str) -> None:
        super().__init__(f"{field}: {reason} {way_out}")
        self.field = field
        self.reason = reason
        self.way_out = way_out


class Unknown(Exception):
    """What the command names does not exist, or may not be known to this caller: the answer is the same."""


class Stale(Exception):
    """Someone else changed the same thing first: read again, then decide again."""


class Forbidden(Exception):
    """The caller's role has no such command."""
