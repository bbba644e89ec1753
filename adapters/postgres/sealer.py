"""The sealer: gives every event and disclosure its leaf, and signs what the log has come to.

Three stages: sequence (a position, under the log's lock), integrate (a leaf, here), publish (a signed checkpoint). An
index once given is never given again; a checkpoint that would not continue the one before is never signed.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from heapq import merge
from typing import NamedTuple
from uuid import UUID

import psycopg
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from psycopg import sql

from services.checkpoint import BadCheckpoint, Checkpoint, Verifier, open_note, sign, verifier_of
from services.leaves import Place, StoredDisclosure, StoredEvent, hashed, hashed_padding
from services.tree import Tree

PADDING = 256
_LOCK = 7004  # one sealer at a time
_PAGE = 2_000
_SALT = 16
_MOST_FINDINGS = 20

_EVENT = sql.SQL(
    "notification_id, recorded_at, participant_id, salt, originator_id, originator_version, topic, matter_id, party_id,"
    " staff_id, expires_at, sha256(state)"
)
_DISCLOSURE = sql.SQL(
    "position, recorded_at, participant_id, salt, kind, reader, party_id, staff_id, epoch, as_of, view_version, labels,"
    " grants, purpose, surface, digest, marks, correlation_id"
)
_EVENTS = sql.SQL(
    "select {} from log.event where notification_id > %s and notification_id <= %s order by 1 limit %s"
).format(_EVENT)
_DISCLOSURES = sql.SQL(
    "select {} from log.disclosure where position > %s and position <= %s order by 1 limit %s"
).format(_DISCLOSURE)
_LAST_OF = sql.SQL(
    "select l.* from unnest(%s::uuid[]) as p (participant) cross join lateral ("
    " select participant_id, number, hash from log.leaf where participant_id = p.participant"
    " order by number desc limit 1) l"
)
_APPEND = sql.SQL(
    "select log.append_leaves(%s, %s::bigint[], %s::uuid[], %s::bigint[], %s::bytea[], %s::bytea[], %s::bytea[])"
)
_LEAVES = sql.SQL("select index, position, participant_id, number, previous, salt, hash from log.leaf order by index")
_UNSEALED = sql.SQL(
    "with sealed as (select coalesce(max(position), 0) as most from log.leaf)"
    " select position from (select notification_id as position from log.event union all select position from"
    " log.disclosure) stored, sealed where position <= most"
    " and not exists (select from log.leaf l where l.position = stored.position) order by 1 limit %s"
)


class Forked(RuntimeError):
    """The stored leaves do not continue the last signed checkpoint; nothing was signed. Call `verify` to see where."""


class _Leaf(NamedTuple):
    at: int
    position: int | None
    participant: UUID | None
    number: int | None
    previous: bytes | None
    salt: bytes
    hash: bytes


_Chain = dict[UUID, tuple[int, bytes | None]]  # number and hash of each participant's last leaf


class Sealer:
    """Seals the log under the sealer's login role; `origin` is the log's unique name, signed with `key`."""

    def __init__(self, url: str, key: Ed25519PrivateKey, origin: str, *, padding: int = PADDING) -> None:
        self._url, self._key, self._origin, self._padding = url, key, origin, padding
        self._verifier = verifier_of(origin, key.public_key())
        self._tree = Tree()

    def seal(self) -> int:
        """Give a leaf to everything committed until now; return how many were given."""
        with self._alone() as connection:
            return self._seal(connection)

    def checkpoint(self) -> str:
        """Seal, pad to the next multiple of `padding`, and return the signed checkpoint note of that size.

        Raises `Forked` where the stored leaves do not continue the checkpoint before.
        """
        with self._alone() as connection:
            self._seal(connection)
            with connection.transaction():
                size = _one(connection, "select coalesce(max(index) + 1, 0) from log.leaf")
                more = -size % self._padding
                self._append(connection, [self._padding_leaf(index) for index in range(size, size + more)])
            return self._publish(connection)

    def verify(self) -> list[str]:
        """Derive every leaf and every checkpoint's root again from the stored rows; return what is wrong, first first.

        Empty: nothing was changed, dropped, reordered or slipped in since it was sealed. At most 20 findings.
        """
        with self._connected() as connection, connection.transaction():
            connection.execute("set transaction isolation level repeatable read read only")
            return [*_findings(connection, self._verifier, self._origin)][:_MOST_FINDINGS]

    @contextmanager
    def _connected(self) -> Iterator[psycopg.Connection]:
        with psycopg.connect(self._url, autocommit=True) as connection:
            yield connection

    @contextmanager
    def _alone(self) -> Iterator[psycopg.Connection]:
        """Connect and hold the sealer's lock, which goes with the connection."""
        with self._connected() as connection:
            connection.execute("select pg_advisory_lock(%s)", [_LOCK])
            yield connection

    def _seal(self, connection: psycopg.Connection) -> int:
        horizon = _one(
            connection, "select log.horizon()"
        )  # a transaction of its own: the locks are held for an instant
        sealed = 0
        while True:
            with connection.transaction():
                rows = _unsealed(connection, horizon)
                self._append(connection, _placed(connection, rows))
            sealed += len(rows)
            if len(rows) < _PAGE:
                return sealed

    def _append(self, connection: psycopg.Connection, leaves: Sequence[_Leaf]) -> None:
        if leaves:
            columns = [list(column) for column in zip(*leaves, strict=True)]
            connection.execute(_APPEND, [leaves[0].at, *columns[1:]])

    def _padding_leaf(self, index: int) -> _Leaf:
        salt = secrets.token_bytes(_SALT)
        return _Leaf(index, None, None, None, None, salt, hashed_padding(index, salt))

    def _publish(self, connection: psycopg.Connection) -> str:
        with connection.transaction():
            self._grow(connection)
            size = len(self._tree)
            last = connection.execute("select size, note from log.checkpoint order by size desc limit 1").fetchone()
            if last is not None:
                self._check_continues(*last)
                if last[0] == size:
                    return str(last[1])
            note = sign(Checkpoint(self._origin, size, self._tree.root()), self._origin, self._key)
            connection.execute(
                "insert into log.checkpoint (size, note, signed_at) values (%s, %s, site.clock())"
                " on conflict (size) do nothing",
                [size, note],
            )
            return note

    def _grow(self, connection: psycopg.Connection) -> None:
        """Extend the tree in memory by the leaves stored since; after a restart, by all of them."""
        with connection.cursor(binary=True) as cursor:
            cursor.execute("select hash from log.leaf where index >= %s order by index", [len(self._tree)])
            while found := cursor.fetchmany(_PAGE):
                self._tree.extend(leaf for (leaf,) in found)

    def _check_continues(self, size: int, note: str) -> None:
        try:
            before = open_note(note, self._verifier)
        except BadCheckpoint as error:
            raise Forked(f"the stored checkpoint of size {size} is not ours") from error
        if before.size != size or size > len(self._tree) or before.root != self._tree.root(size):
            raise Forked(f"the stored leaves do not continue the checkpoint of size {size}")


def _one(connection: psycopg.Connection, statement: str) -> int:
    row = connection.execute(statement.encode()).fetchone()
    return int(row[0]) if row else 0


def _unsealed(connection: psycopg.Connection, horizon: int) -> list[StoredEvent | StoredDisclosure]:
    """Return the next page of rows without a leaf, in position order; fewer than a page: there are no more."""
    sealed = _one(connection, "select coalesce(max(position), 0) from log.leaf")
    with connection.cursor(binary=True) as cursor:
        rows: list[StoredEvent | StoredDisclosure] = []
        rows += (StoredEvent(*row) for row in cursor.execute(_EVENTS, [sealed, horizon, _PAGE]))
        rows += (StoredDisclosure(*row) for row in cursor.execute(_DISCLOSURES, [sealed, horizon, _PAGE]))
    return sorted(rows, key=lambda row: row.position)[:_PAGE]


def _placed(connection: psycopg.Connection, rows: Sequence[StoredEvent | StoredDisclosure]) -> list[_Leaf]:
    first = _one(connection, "select coalesce(max(index) + 1, 0) from log.leaf")
    participants = list({row.participant for row in rows if row.participant is not None})
    chain: _Chain = {
        participant: (number, last) for participant, number, last in connection.execute(_LAST_OF, [participants])
    }
    leaves = []
    for index, row in enumerate(rows, first):
        number, previous = None, None
        if row.participant is not None:
            before, previous = chain.get(row.participant, (0, None))
            number = before + 1
        leaf = hashed(row, Place(index, number, previous))
        if row.participant is not None and number is not None:
            chain[row.participant] = number, leaf
        leaves.append(_Leaf(index, row.position, row.participant, number, previous, row.salt, leaf))
    return leaves


def _findings(connection: psycopg.Connection, verifier: Verifier, origin: str) -> Iterator[str]:
    tree, chain, last = Tree(), _Chain(), 0
    for leaf, row in _sealed(connection):
        if leaf.at != len(tree):
            yield f"leaf {len(tree)}: missing"
            break  # every later root differs
        tree.append(leaf.hash)
        if leaf.position is not None and leaf.position <= last:
            yield f"position {leaf.position}: sealed out of order"
        last = leaf.position or last
        if (wrong := _wrong(leaf, row, chain)) is not None:
            yield wrong
        if leaf.participant is not None and leaf.number is not None:
            chain[leaf.participant] = leaf.number, leaf.hash
    for (position,) in connection.execute(_UNSEALED, [_MOST_FINDINGS]):
        yield f"position {position}: a stored row that was never sealed"
    for size, note in connection.execute("select size, note from log.checkpoint order by size"):
        if (wrong := _wrong_checkpoint(size, note, tree, verifier, origin)) is not None:
            yield wrong


def _wrong_checkpoint(size: int, note: str, tree: Tree, verifier: Verifier, origin: str) -> str | None:
    try:
        checkpoint = open_note(note, verifier)
    except BadCheckpoint:
        return f"checkpoint {size}: not signed by our key"
    if (checkpoint.origin, checkpoint.size) != (origin, size):
        return f"checkpoint {size}: of another log or size"
    if size > len(tree) or tree.root(size) != checkpoint.root:
        return f"checkpoint {size}: the leaves have another root"
    return None


def _wrong(leaf: _Leaf, row: StoredEvent | StoredDisclosure | None, chain: _Chain) -> str | None:
    """Say what is wrong between a leaf, its stored row and its participant's leaf before."""
    if leaf.position is None:
        return None if leaf.hash == hashed_padding(leaf.at, leaf.salt) else f"leaf {leaf.at}: padding changed"
    if row is None:
        return f"position {leaf.position}: the stored row is gone"
    number, previous = None, None
    if row.participant is not None:
        before, previous = chain.get(row.participant, (0, None))
        number = before + 1
    if (leaf.participant, leaf.number, leaf.previous) != (row.participant, number, previous):
        return f"position {leaf.position}: does not follow its participant's leaf before"
    if hashed(row, Place(leaf.at, number, previous)) != leaf.hash:
        return f"position {leaf.position}: the stored row is not what was sealed"
    return None


def _sealed(connection: psycopg.Connection) -> Iterator[tuple[_Leaf, StoredEvent | StoredDisclosure | None]]:
    """Yield every leaf in order with the row it stands for, if that is still stored."""
    with (
        connection.cursor("leaves", binary=True) as leaves,
        connection.cursor("events", binary=True) as events,
        connection.cursor("disclosures", binary=True) as disclosures,
    ):
        for cursor in (leaves, events, disclosures):
            cursor.itersize = _PAGE
        leaves.execute(_LEAVES)
        events.execute(sql.SQL("select {} from log.event order by notification_id").format(_EVENT))
        disclosures.execute(sql.SQL("select {} from log.disclosure order by position").format(_DISCLOSURE))
        stored: Iterator[StoredEvent | StoredDisclosure] = merge(
            (StoredEvent(*row) for row in events),
            (StoredDisclosure(*row) for row in disclosures),
            key=lambda row: row.position,
        )
        row = next(stored, None)
        for found in leaves:
            leaf = _Leaf(*found)
            while leaf.position is not None and row is not None and row.position < leaf.position:
                row = next(stored, None)
            yield leaf, row if row is not None and row.position == leaf.position else None
