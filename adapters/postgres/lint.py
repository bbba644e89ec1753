"""What the live database would let somebody see or do beyond its policies, from its own catalog."""

from __future__ import annotations

from typing import NamedTuple

import psycopg

from adapters.postgres.migrate import SQL


class Finding(NamedTuple):
    """One fault: what kind it is, where, and what mends it (mostly a statement for the database's owner)."""

    finding: str
    what: str
    way_out: str

    def __str__(self) -> str:
        return f"{self.finding}: {self.what}. Way out: {self.way_out}"


def lint(url: str) -> list[Finding]:
    """Return every finding of `sql/lint.sql`, ordered; `url` is of the owner, or of the recorder's login."""
    with psycopg.connect(url) as connection:
        return [Finding(*found) for found in connection.execute((SQL / "lint.sql").read_bytes())]
