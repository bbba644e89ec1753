"""What was sealed, as it is given away: checkpoints with their witnesses, and proofs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import psycopg
from psycopg.rows import tuple_row

from adapters.postgres.recorder import LogDatastore, available
from adapters.postgres.sealer import Leaves, heads_at
from services.checkpoint import Verifier
from services.heads import Heads
from services.leaves import salt_for
from services.ports import Seal
from services.tree import Tree

_LATEST: Final = (
    "select size, note, coalesce((select string_agg(line, '' order by witness) from log.cosignature s"
    " where s.size = c.size), '') from log.checkpoint c order by size desc limit 1"
)


class PostgresSeals:
    """`services.ports.Seals` under the recorder's login."""

    def __init__(self, datastore: LogDatastore, verifier: Verifier) -> None:
        self._datastore = datastore
        self.origin, self.key = verifier.name, str(verifier)
        self.leaves = Leaves()
        self._heads: dict[int, tuple[Heads, bytes]] = {}

    def latest(self) -> Seal | None:
        """Return the last checkpoint; None before there is one."""
        found = self._ask(_LATEST)
        return Seal(found[0][0], found[0][1] + found[0][2]) if found else None

    def published(self, size: int) -> bool:
        """Return whether there is a checkpoint of this size."""
        return bool(self._ask("select from log.checkpoint where size = %s", size))

    def inclusion(self, index: int, size: int) -> list[bytes]:
        """Return the proof that a leaf is in the log of a size."""
        return self._tree(size).inclusion(index, size)

    def consistency(self, old: int, new: int) -> list[bytes]:
        """Return the proof that the log of a size continues that of an earlier one."""
        return self._tree(new).consistency(old, new)

    def heads(self, size: int) -> tuple[Heads, bytes]:
        """Return where each line ended at a checkpoint, and the salt of the leaf that says so."""
        known = self._heads.get(size)
        if known is None:
            with self._connected() as connection:
                heads = heads_at(connection, size)
            ((salt,),) = self._ask("select salt from log.leaf where index = %s", size - 1)
            known = Heads(heads, salt), salt_for("leaf", salt)
            kept = dict([*self._heads.items()][-1:])  # of what is asked for, the last two
            self._heads = kept | {size: known}
        return known

    def _tree(self, size: int) -> Tree:
        if size <= len(self.leaves.tree):
            return self.leaves.tree
        with self._connected() as connection:
            return self.leaves.grown(connection)

    @contextmanager
    def _connected(self) -> Iterator[psycopg.Connection[Any]]:
        with available(), self._datastore.get_connection() as connection:
            yield connection

    def _ask(self, query: str, *parameters: Any) -> list[Any]:
        with self._connected() as connection, connection.cursor(binary=True, row_factory=tuple_row) as cursor:
            return cursor.execute(query.encode(), parameters, prepare=True).fetchall()
