"""The sealer: gives every event and disclosure its leaf, and signs what the log has come to.

Three stages: sequence (a position, under the log's lock), integrate (a leaf, here), publish (a signed checkpoint). An
index once given is never given again; a checkpoint that would not continue the one before is never signed. Padding is
strewn among the rows, so that neither the size nor the indexes of one's own leaves count what others did.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from heapq import merge
from itertools import islice
from threading import Lock
from typing import Any, NamedTuple
from uuid import UUID

import psycopg
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from psycopg import sql
from psycopg.rows import tuple_row

from services.checkpoint import BadCheckpoint, Checkpoint, Verifier, open_note, sign, verifier_of
from services.heads import Head, Heads
from services.leaves import (
    SALT_SIZE,
    Place,
    Stored,
    StoredDisclosure,
    StoredEvent,
    hashed,
    hashed_heads,
    hashed_padding,
    line_of,
)
from services.tree import Tree

PADDING = 256
_LOCK = 7004  # one sealer at a time
_PAGE = 2_000
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
_SIZE = "select coalesce(max(index) + 1, 0) from log.leaf"
_HEADS = sql.SQL(
    "select distinct on (participant_id) participant_id, number, hash from log.leaf"
    " where participant_id is not null and index < %s order by participant_id, number desc"
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


_Chain = dict[UUID, tuple[int, bytes]]  # number and hash of each participant's last leaf


class Leaves:
    """The tree of the stored leaves in memory, one of a process: 64 bytes a leaf. What was read stays as it was."""

    def __init__(self) -> None:
        self.tree, self._growing = Tree(), Lock()

    def grown(self, connection: psycopg.Connection[Any]) -> Tree:
        """Return the tree, extended by the leaves stored since; after a restart, by all of them."""
        with self._growing, connection.cursor(binary=True, row_factory=tuple_row) as cursor:
            cursor.execute("select hash from log.leaf where index >= %s order by index", [len(self.tree)])
            while found := cursor.fetchmany(_PAGE):
                self.tree.extend(leaf for (leaf,) in found)
        return self.tree


class Sealer:
    """Seals the log under the sealer's login role; `origin` is the log's unique name, signed with `key`."""

    def __init__(
        self, url: str, key: Ed25519PrivateKey, origin: str, *, padding: int = PADDING, leaves: Leaves | None = None
    ) -> None:
        self._url, self._key, self._origin, self._padding = url, key, origin, padding
        self._verifier = verifier_of(origin, key.public_key())
        self._leaves = leaves or Leaves()

    def seal(self) -> int:
        """Give a leaf to everything committed until now, without padding; return how many were given."""
        with self._alone() as connection:
            return self._seal(connection)

    def checkpoint(self) -> str:
        """Seal up to a multiple of `padding`, the last leaf saying where each line ends; return its signed note.

        Raises `Forked` where the stored leaves do not continue the checkpoint before.
        """
        with self._alone() as connection:
            size, note = self._last(connection)
            self._seal(connection, strew=True)
            grown = _one(connection, _SIZE)
            if note is not None and grown == size:
                return note
            more = -(grown + 1) % self._padding  # none where something was strewn: the last page left room for one
            with connection.transaction():
                self._append(connection, [_padding_leaf(index) for index in range(grown, grown + more)])
                self._append(connection, [_heads_leaf(grown + more, heads_at(connection, grown))])
            return self._publish(connection)

    def verify(self, held: str | None = None) -> list[str]:
        """Derive every leaf and every checkpoint's root again from the stored rows; return what is wrong, first first.

        Empty: nothing was changed, dropped, reordered or slipped in since it was sealed; nor, with a checkpoint that
        somebody `held` outside, was the whole of it made anew. At most 20 findings.
        """
        with self._connected() as connection, connection.transaction():
            connection.execute("set transaction isolation level repeatable read read only")
            return [*islice(_findings(connection, self._verifier, self._origin, held), _MOST_FINDINGS)]

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

    def _seal(self, connection: psycopg.Connection, *, strew: bool = False) -> int:
        horizon = _one(
            connection, "select log.horizon()"
        )  # a transaction of its own: the locks are held for an instant
        sealed = 0
        while True:
            with connection.transaction():
                rows = _unsealed(connection, horizon)
                size = _one(connection, _SIZE)
                room = -(size + len(rows) + (len(rows) < _PAGE)) % self._padding if strew and rows else 0
                self._append(connection, _placed(connection, size, rows, room))
            sealed += len(rows)
            if len(rows) < _PAGE:
                return sealed

    def _append(self, connection: psycopg.Connection, leaves: Sequence[_Leaf]) -> None:
        if leaves:
            columns = [list(column) for column in zip(*leaves, strict=True)]
            connection.execute(_APPEND, [leaves[0].at, *columns[1:]])

    def _last(self, connection: psycopg.Connection) -> tuple[int, str | None]:
        """Return the last checkpoint's size and note, 0 and None before there is one. Raises `Forked`."""
        last = connection.execute("select size, note from log.checkpoint order by size desc limit 1").fetchone()
        if last is None:
            return 0, None
        size, note = last
        try:
            before = open_note(note, self._verifier)
        except BadCheckpoint as error:
            raise Forked(f"the stored checkpoint of size {size} is not ours") from error
        tree = self._leaves.grown(connection)
        if before.size != size or size > len(tree) or before.root != tree.root(size):
            raise Forked(f"the stored leaves do not continue the checkpoint of size {size}")
        return size, note

    def _publish(self, connection: psycopg.Connection) -> str:
        tree = self._leaves.grown(connection)
        note = sign(Checkpoint(self._origin, len(tree), tree.root()), self._origin, self._key)
        connection.execute(
            "insert into log.checkpoint (size, note, signed_at) values (%s, %s, site.clock())", [len(tree), note]
        )
        return note


def _one(connection: psycopg.Connection, statement: str) -> int:
    row = connection.execute(statement.encode()).fetchone()
    return int(row[0]) if row else 0


def _unsealed(connection: psycopg.Connection, horizon: int) -> list[Stored]:
    """Return the next page of rows without a leaf, in position order; fewer than a page: there are no more."""
    sealed = _one(connection, "select coalesce(max(position), 0) from log.leaf")
    with connection.cursor(binary=True) as cursor:
        rows: list[Stored] = []
        rows += (StoredEvent(*row) for row in cursor.execute(_EVENTS, [sealed, horizon, _PAGE]))
        rows += (StoredDisclosure(*row) for row in cursor.execute(_DISCLOSURES, [sealed, horizon, _PAGE]))
    return sorted(rows, key=lambda row: row.position)[:_PAGE]


def _placed(connection: psycopg.Connection, size: int, rows: Sequence[Stored], room: int) -> list[_Leaf]:
    """Return the next leaves: of the rows, in order, and of so much padding, anywhere between them."""
    participants = list({row.participant for row in rows if row.participant is not None})
    chain: _Chain = {
        participant: (number, last) for participant, number, last in connection.execute(_LAST_OF, [participants])
    }
    places = range(size, size + len(rows) + room)
    taken = dict(zip(sorted(secrets.SystemRandom().sample(places, len(rows))), rows, strict=True))
    leaves = []
    for index in places:
        row = taken.get(index)
        if row is None:
            leaves.append(_padding_leaf(index))
            continue
        number, previous = _next(chain, row)
        leaf = hashed(row, Place(index, number, previous))
        if row.participant is not None and number is not None:
            chain[row.participant] = number, leaf
        leaves.append(_Leaf(index, row.position, row.participant, number, previous, row.salt, leaf))
    return leaves


def _next(chain: _Chain, row: Stored) -> tuple[int | None, bytes | None]:
    """Return the number of a row's leaf in its participant's line, and the hash of the leaf before."""
    if row.participant is None:
        return None, None
    before, previous = chain.get(row.participant, (0, None))
    return before + 1, previous


def _padding_leaf(index: int) -> _Leaf:
    salt = secrets.token_bytes(SALT_SIZE)
    return _Leaf(index, None, None, None, None, salt, hashed_padding(index, salt))


def _heads_leaf(index: int, heads: Mapping[bytes, Head]) -> _Leaf:
    salt = secrets.token_bytes(SALT_SIZE)
    return _Leaf(index, None, None, None, None, salt, hashed_heads(index, Heads(heads, salt).root(), salt))


def heads_at(connection: psycopg.Connection[Any], size: int) -> dict[bytes, Head]:
    """Return where each line ended when the log had this size."""
    with connection.cursor(binary=True, row_factory=tuple_row) as cursor:
        return {line_of(who): Head(number, leaf) for who, number, leaf in cursor.execute(_HEADS, [size])}


def _findings(connection: psycopg.Connection, verifier: Verifier, origin: str, held: str | None) -> Iterator[str]:
    tree, chain, last, padding = Tree(), _Chain(), 0, set[int]()
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
        if leaf.position is None and leaf.hash == hashed_padding(leaf.at, leaf.salt):
            padding.add(leaf.at)
    for (position,) in connection.execute(_UNSEALED, [_MOST_FINDINGS]):
        yield f"position {position}: a stored row that was never sealed"
    yield from _wrong_checkpoints(connection, tree, padding, verifier, origin)
    if held is not None and (wrong := _wrong_checkpoint(None, held, tree, verifier, origin)) is not None:
        yield f"held outside: {wrong}"


def _wrong_checkpoints(
    connection: psycopg.Connection, tree: Tree, padding: set[int], verifier: Verifier, origin: str
) -> Iterator[str]:
    for size, note in connection.execute("select size, note from log.checkpoint order by size"):
        if (wrong := _wrong_checkpoint(size, note, tree, verifier, origin)) is not None:
            yield wrong
        elif size - 1 in padding:
            yield f"checkpoint {size}: its last leaf does not say where each line ends"


def _wrong_checkpoint(stated: int | None, note: str, tree: Tree, verifier: Verifier, origin: str) -> str | None:
    try:
        checkpoint = open_note(note, verifier)
    except BadCheckpoint:
        return f"checkpoint {'(of some size)' if stated is None else stated}: not signed by our key"
    size = checkpoint.size
    if (checkpoint.origin, size) != (origin, size if stated is None else stated):
        return f"checkpoint {stated}: of another log or size"
    if size > len(tree):
        return f"leaf {len(tree)}: gone with all after it, which checkpoint {size} had"
    return None if tree.root(size) == checkpoint.root else f"checkpoint {size}: the leaves have another root"


def _wrong(leaf: _Leaf, row: Stored | None, chain: _Chain) -> str | None:
    """Say what is wrong between a leaf, its stored row and its participant's leaf before."""
    if leaf.position is None:
        if leaf.hash == hashed_padding(leaf.at, leaf.salt):
            return None
        heads = {line_of(who): Head(number, last) for who, (number, last) in chain.items()}
        root = Heads(heads, leaf.salt).root()
        if leaf.hash == hashed_heads(leaf.at, root, leaf.salt):
            return None
        return f"leaf {leaf.at}: neither padding nor where each line ends"
    if row is None:
        return f"position {leaf.position}: the stored row is gone"
    number, previous = _next(chain, row)
    if (leaf.participant, leaf.number, leaf.previous) != (row.participant, number, previous):
        return f"position {leaf.position}: does not follow its participant's leaf before"
    if hashed(row, Place(leaf.at, number, previous)) != leaf.hash:
        return f"position {leaf.position}: the stored row is not what was sealed"
    return None


def _sealed(connection: psycopg.Connection) -> Iterator[tuple[_Leaf, Stored | None]]:
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
        stored: Iterator[Stored] = merge(
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
