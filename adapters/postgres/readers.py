"""Readers' sessions: one short transaction under the reader's own login role, left only through `release`.

Who the reader is comes with it as a signed context, which `gate.whoami` checks; row security does the rest.
"""

from __future__ import annotations

import hmac
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from enum import Enum
from functools import cache
from threading import Lock
from typing import Any, Self, TypeVar
from uuid import UUID

import orjson
import psycopg
from psycopg import pq, sql
from psycopg.types.json import set_json_loads
from psycopg_pool import ConnectionPool

from domain.labels import Reader
from projections.rows import MODELS, Row
from services.leaves import Place, Stored, StoredDisclosure, StoredEvent
from services.ports import Accounted, AuthorityEnded, Caller, Disclosed, Unavailable

R = TypeVar("R", bound=Row)

Observe = Callable[[str, bool], object]

CONTEXT_SECONDS = 60
_NO_AUTHORITY = "GT002"
_BEGIN = "begin isolation level read committed; select set_config('app.context', {}, true)"
_COMMIT = "commit; reset all"
_ROLLBACK = "rollback; reset all"


def _unobserved(_surface: str, _kept: bool) -> None:
    pass


class Unreleased(RuntimeError):
    """A session read after its release, released twice, or was left without release: a programming error."""


def signed_context(
    key: bytes, reader: Reader, caller: Caller, database_session: str, seconds: int = CONTEXT_SECONDS
) -> str:
    """Return what `gate.whoami` takes a reader's word for: `reader|party|staff|end|session|HMAC-SHA256 of the rest`.

    `database_session` is what `gate.session` names the one in which it will be said; it is worth nothing in another.
    """
    claim = f"{reader.value}|{caller.party}|{caller.staff}|{int(time.time()) + seconds}|{database_session}"
    return f"{claim}|{hmac.digest(key, claim.encode(), 'sha256').hex()}"


class _Connection(psycopg.Connection):
    """A connection that knows what the server calls its session."""

    session: str


class PostgresReaders:
    """`services.ports.Readers` on PostgreSQL: a small pool of connections for each reader's login role.

    `urls` holds the login URL of each reader, `context_key` the 32 bytes or more that sign who the reader is. The
    timeouts, in seconds, bound how long a revocation can be made to wait for a session: `wait` for a connection, `lock`
    for the fence, `statement` for any statement, `idle` between two. `observe` is told of each release: the surface,
    and whether it was kept.
    """

    def __init__(
        self,
        urls: Mapping[Reader, str],
        context_key: bytes,
        *,
        context_seconds: int = CONTEXT_SECONDS,
        pool_size: int = 4,
        wait: float = 5,
        lock: float = 3,
        statement: float = 5,
        idle: float = 5,
        observe: Observe = _unobserved,
    ) -> None:
        self._urls, self._key, self._context_seconds = dict(urls), context_key, context_seconds
        self._observe = observe
        self._pool_size, self._wait = pool_size, wait
        self._options = "-c timezone=UTC " + " ".join(  # no answer or digest depends on where the server stands
            f"-c {name}={int(seconds * 1000)}"
            for name, seconds in (
                ("lock_timeout", lock),
                ("statement_timeout", statement),
                ("idle_in_transaction_session_timeout", idle),
            )
        )
        self._pools: dict[Reader, ConnectionPool[_Connection]] = {}
        self._opening = Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close every connection."""
        with self._opening:
            for pool in self._pools.values():
                pool.close()
            self._pools.clear()

    @contextmanager
    def session(self, caller: Caller) -> Iterator[PostgresSession]:
        """Open a session for one question.

        Raises `LookupError` for a caller who reads nothing, `Unavailable`, `AuthorityEnded` from `release`, and
        `Unreleased` where the caller leaves without it: then nothing was committed, and nothing may be sent.
        """
        if caller.reader is None or caller.reader not in self._urls:
            raise LookupError(f"no reader's tables are open to the role {caller.role}")
        pool = self._pool(caller.reader)
        with _translated():
            connection = self._begin(pool, caller.reader, caller)
        session = PostgresSession(connection, caller, self._observe)
        try:
            try:
                yield session
                session.commit()
            except BaseException:
                _roll_back(connection)
                raise
        finally:
            pool.putconn(connection)

    def _begin(self, pool: ConnectionPool[_Connection], reader: Reader, caller: Caller) -> _Connection:
        """Begin and say who reads, in one round trip. A pooled connection may have died with a server's restart."""
        for _ in range(self._pool_size):
            connection = pool.getconn(self._wait)
            context = signed_context(self._key, reader, caller, connection.session, self._context_seconds)
            try:
                connection.execute(sql.SQL(_BEGIN).format(sql.Literal(context)))
            except psycopg.OperationalError:
                pool.putconn(connection)
            except BaseException:
                pool.putconn(connection)
                raise
            else:
                return connection
        raise Unavailable("the database does not answer")

    def _pool(self, reader: Reader) -> ConnectionPool[_Connection]:
        with self._opening:
            if reader not in self._pools:
                self._pools[reader] = ConnectionPool(
                    self._urls[reader],
                    connection_class=_Connection,
                    kwargs={"autocommit": True, "options": self._options},
                    min_size=1,
                    max_size=self._pool_size,
                    timeout=self._wait,
                    configure=_configure,
                    name=f"reader-{reader.value}",
                    open=True,
                )
            return self._pools[reader]


class PostgresSession:
    """`services.ports.Session`: any number of reads, then one `release`."""

    def __init__(self, connection: psycopg.Connection, caller: Caller, observe: Observe = _unobserved) -> None:
        self._connection, self._caller, self._observe = connection, caller, observe
        self._released = False

    def select(
        self,
        row: type[R],
        where: Mapping[str, Any] | None = None,
        *,
        after: Sequence[Any] | None = None,
        limit: int | None = None,
        search: str | None = None,
        within: Sequence[str] = (),
    ) -> list[R]:
        """Return the rows that the reader may see, in the order of the table's pages.

        `where` holds columns and the value each must equal (None: is null; a list: any of it); `after` the order
        columns of the last row of the page before; `search` what one of the columns `within` must contain, in whatever
        case. Raises `KeyError` for an undeclared column, `Unavailable`, and `Unreleased` after release.
        """
        where = where or {}
        matches = tuple((name, _Match.of(value)) for name, value in where.items())
        searched = None if search is None else tuple(within)
        shape = (row, matches, searched, after is not None, limit is not None)
        statement = _select(*shape)  # type: ignore[arg-type]  # it hashes
        values = [value for value in where.values() if value is not None]
        if search is not None:
            values += [search] * len(within)
        if after is not None:
            values += after
        if limit is not None:
            values.append(limit)
        names = [column.name for column in MODELS[row].columns]
        return [row(**dict(zip(names, found, strict=True))) for found in self._read(statement, values)]

    def release(self, disclosed: Sequence[Disclosed], view_version: str, purpose: str, surface: str) -> bool:
        """Write down who is shown what; False if something went dark meanwhile: leave, and render in a new session.

        Raises `AuthorityEnded`, `Unavailable`, and `Unreleased` when called a second time.
        """
        purposes = {d.purpose or purpose for d in disclosed} or {purpose}  # several of what is read for care alone
        kept = [
            self._release([d for d in disclosed if (d.purpose or purpose) == each], view_version, each, surface)
            for each in sorted(purposes)
        ]
        self._released = True
        self._observe(surface, all(kept))
        return all(kept)

    def _release(self, disclosed: Sequence[Disclosed], view_version: str, purpose: str, surface: str) -> bool:
        arguments = [
            [d.participant for d in disclosed],
            [d.epoch for d in disclosed],
            [d.until for d in disclosed],
            [d.as_of for d in disclosed],
            [d.labels for d in disclosed],
            [d.grants for d in disclosed],
            [d.digest for d in disclosed],
            [d.marks for d in disclosed],
            view_version,
            purpose,
            surface,
            self._caller.correlation_id,
        ]
        ((kept,),) = self._read(_RELEASE, arguments)
        return bool(kept)

    def alive(self) -> set[UUID]:
        """Return the participants of whom the reader's party has a living consent now, whatever a view shows yet."""
        return {participant for (participant,) in self._read(_ALIVE, [])}

    def accounting(self, participant: Any) -> list[Accounted]:
        """Return everything that left about a participant, oldest first; nothing for one who may not ask."""
        return [Accounted(*found) for found in self._read(_ACCOUNTING, [participant])]

    def sealed(self, participant: UUID, size: int) -> list[tuple[Place, Stored]]:
        """Return a participant's rows that were sealed when the log had this size; nothing for one who may not ask."""
        asked = [participant, size]
        rows = [(Place(*found[:3]), StoredEvent(*found[3:])) for found in self._read(_SEALED_EVENTS, asked)]
        told = [(Place(*found[:3]), StoredDisclosure(*found[3:])) for found in self._read(_SEALED_DISCLOSURES, asked)]
        return sorted([*rows, *told], key=lambda row: row[0].index)

    def funnel(self) -> list[tuple[str, str, int, int]]:
        """Return (precinct, race as perceived, stops, arrests), ordered."""
        return [(precinct, race, stops, arrests) for precinct, race, stops, arrests in self._read(_FUNNEL, [])]

    def commit(self) -> None:
        """Commit what `release` wrote down. Raises `Unreleased`, or `Unavailable` if it is not certain to stand."""
        if not self._released:
            raise Unreleased("a session was left without release: nothing may be sent")
        # A failed statement that somebody swallowed would turn COMMIT into a silent rollback of the disclosure.
        if self._connection.info.transaction_status is not pq.TransactionStatus.INTRANS:
            raise Unavailable("the session's transaction failed")
        with _translated():
            self._connection.execute(_COMMIT)

    def _read(self, statement: bytes, values: Sequence[Any]) -> list[tuple[Any, ...]]:
        if self._released:
            raise Unreleased("a session ends with its release")
        with _translated(), self._connection.cursor(binary=True) as cursor:
            return cursor.execute(statement, values).fetchall()


def _configure(connection: _Connection) -> None:
    set_json_loads(orjson.loads, connection)
    (connection.session,) = connection.execute("select gate.session()").fetchall()[0]


def _roll_back(connection: psycopg.Connection) -> None:
    if connection.info.transaction_status in (pq.TransactionStatus.INTRANS, pq.TransactionStatus.INERROR):
        try:
            connection.execute(_ROLLBACK)
        except psycopg.Error:
            connection.close()  # the pool opens another


@contextmanager
def _translated() -> Iterator[None]:
    """Let no text of the database out: it quotes values."""
    try:
        yield
    except (psycopg.OperationalError, psycopg.InterfaceError, psycopg.InternalError):  # the last: a session timed out
        raise Unavailable("the database did not answer in time") from None
    except psycopg.Error as error:
        if error.sqlstate == _NO_AUTHORITY:
            raise AuthorityEnded("the caller's authority has ended") from None
        raise RuntimeError(f"the database refused a reader's statement: SQLSTATE {error.sqlstate}") from None


class _Match(Enum):
    """How a column is compared with a value."""

    NULL = "{column} is null"
    ANY = "{column} = any(%s::{type}[])"
    EQUAL = "{column} = %s::{type}"

    @classmethod
    def of(cls, value: object) -> _Match:
        """Return how to compare with this value."""
        return cls.NULL if value is None else cls.ANY if isinstance(value, list) else cls.EQUAL


@cache
def _select(
    row: type[Row],
    matches: tuple[tuple[str, _Match], ...],
    searched: tuple[str, ...] | None,
    after: bool,
    limit: bool,
) -> bytes:
    """Build one table's statement; parameters: filters that are not null, the search, then `after`, then `limit`."""
    model = MODELS[row]
    types = {column.name: sql.SQL(column.sql_type) for column in model.columns}
    conditions: list[sql.Composable] = [
        sql.SQL(match.value).format(column=sql.Identifier(name), type=types[name]) for name, match in matches
    ]
    if searched is not None:
        # No wildcards to escape. Neither function is leakproof: they meet only rows that row security has let through.
        holds = [sql.SQL(_HOLDS).format(sql.Identifier(name), types[name]) for name in searched]
        conditions.append(sql.SQL("({})").format(sql.SQL(" or ").join(holds)) if holds else sql.SQL("false"))
    ordered = [sql.Identifier(name) for name in model.order]
    if after:
        conditions.append(
            sql.SQL("({}) {} ({})").format(
                sql.SQL(", ").join(ordered),
                sql.SQL("<" if model.descending else ">"),
                sql.SQL(", ").join(sql.SQL("%s::{}").format(types[name]) for name in model.order),
            )
        )
    direction = sql.SQL("{} desc" if model.descending else "{}")
    return (
        sql.SQL("select {} from {}{} order by {}{}")
        .format(
            sql.SQL(", ").join(sql.Identifier(name) for name in types),
            sql.Identifier(model.reader.value, model.name),
            sql.SQL(" where {}").format(sql.SQL(" and ").join(conditions)) if conditions else sql.SQL(""),
            sql.SQL(", ").join(direction.format(name) for name in ordered),
            sql.SQL(" limit %s") if limit else sql.SQL(""),
        )
        .as_bytes()
    )


_HOLDS = "strpos(lower({}), lower(%s::{})) > 0"
_RELEASE = (
    b"select gate.release(%b::uuid[], %b::bigint[], %b::timestamptz[], %b::bigint[], %b::text[], %b::text[],"
    b" %b::bytea[], %b::bytea[], %s, %s, %s, %s)"
)
_ALIVE = b"select participant_id from gate.consent"  # by its policy: the party's own, and alive
_ACCOUNTING = (
    b"select disclosed_at, kind, reader, party_id, staff_id, labels, grants, purpose, surface, as_of, view_version,"
    b" digest, marks from log.accounting(%s)"
)
_SEALED_EVENTS = b"select * from log.sealed_events(%s, %s)"
_SEALED_DISCLOSURES = b"select * from log.sealed_disclosures(%s, %s)"
_FUNNEL = (
    b"select precinct, race_as_perceived, count(*), count(*) filter (where arrested) from program.stop"
    b" group by 1, 2 order by 1, 2"
)
