"""The library's recorder over our one server-side call: `log.record` appends, and nothing else can.

One call is one transaction, and is sent once: where its answer is lost, nobody here knows whether it was committed. The
caller does, by asking again under the same idempotency key.
"""

from __future__ import annotations

import select
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any, Final
from uuid import UUID

import orjson
import psycopg
from eventsourcing.persistence import (
    IntegrityError,
    InterfaceError,
    OperationalError,
    ProgrammingError,
    StoredEvent,
)
from eventsourcing.postgres import ConnectionPool, PostgresApplicationRecorder, PostgresDatastore
from psycopg import Connection
from psycopg.rows import DictRow, dict_row
from psycopg.types.json import Jsonb

from adapters.postgres.keyring import KeyDestroyed
from services.ports import AlreadyAnswered, Answer, AuthorityEnded, Fenced, Unavailable

_REFUSALS: Final[Mapping[str, Callable[[], Exception]]] = {
    "GT001": AlreadyAnswered,
    "GT003": AuthorityEnded,
    "GT005": KeyDestroyed,
    "GT007": Fenced,
}
_BACK_OFF_SECONDS: Final = 3  # the pool's own, minutes, would still be waiting long after the server has come back
_MOVED_ON: Final = "GT006"
_RECORD: Final = """
    select log.record(
        %b::uuid[], %b::bigint[], %b::text[], %b::bytea[],
        %b::uuid[], %b::uuid[], %b::uuid[], %b::uuid[], %b::timestamptz[],
        %b::uuid[], %b::uuid[], %b::bigint[], %b::uuid[], %b::bigint[], %s::uuid, %s::text, %b::bytea, %s::jsonb
    ) as position
"""
_TAKE: Final = """
    select stream.take(
        %s::text, %s::integer, %s::bigint, %s::bigint, %s::bigint, %b::bytea, %b::bytea[],
        %b::uuid[], %b::text[], %b::text[], %b::integer[], %b::bigint[], %b::bytea[], %b::jsonb[],
        %b::uuid[], %b::bytea[], %b::timestamptz[], %b::boolean[],
        %b::bigint[], %b::text[], %s::uuid, %s::text, %b::jsonb[]
    )
"""


class LogDatastore(PostgresDatastore):
    """The library's datastore on one libpq URL, in the schema `log`, its sessions in UTC.

    A connection that died while it lay in the pool (the server was restarted) is noticed before it is used.
    `connect_timeout` and `lock_timeout` are seconds: how long to wait for a connection, and for the log's turn.
    """

    def __init__(
        self, url: str, *, pool_size: int = 1, max_overflow: int = 9, connect_timeout: float = 5, lock_timeout: int = 10
    ) -> None:
        super().__init__("", "", "", "", "", schema="log", lock_timeout=lock_timeout)
        self.pool = ConnectionPool(  # in place of the library's, which knows no URL; neither is open yet
            url,
            connection_class=Connection[DictRow],
            kwargs={"row_factory": dict_row},
            min_size=pool_size,
            max_size=pool_size + max_overflow,
            open=False,
            configure=self.after_connect_func(),
            check=self._check,
            timeout=connect_timeout,
            reconnect_timeout=_BACK_OFF_SECONDS,
        )

    def after_connect_func(self) -> Callable[[Connection[Any]], None]:
        """Return what prepares a new connection."""
        prepare, lock_timeout = super().after_connect_func(), f"{self.lock_timeout}s"

        def after_connect(connection: Connection[DictRow]) -> None:
            prepare(connection)
            connection.execute(
                "select set_config('timezone', 'UTC', false), set_config('lock_timeout', %s, false)", (lock_timeout,)
            )

        return after_connect

    def _check(self, connection: Connection[Any]) -> None:
        # Ask the server only if it has spoken: on an idle connection that is mostly its farewell. Costs no round trip.
        poll = select.poll()
        poll.register(connection.fileno(), select.POLLIN)
        if poll.poll(0):
            try:
                ConnectionPool.check_connection(connection)
            except psycopg.Error:
                self.pool.drain()  # where one has died, others have: the pool itself tries them one by one, in seconds
                raise


class GateRecorder(PostgresApplicationRecorder):
    """Records on `log.event` through `log.record`. The table is the migrations', not the library's."""

    def __init__(self, datastore: PostgresDatastore) -> None:
        super().__init__(datastore, events_table_name="event")
        self.channel_name = "log"

    def create_table(self) -> None:
        """Do nothing: `migrate` has made it."""

    def insert_events(
        self,
        stored_events: Sequence[StoredEvent],
        *,
        actor: UUID | None = None,
        answer: Answer | None = None,
        read: Sequence[tuple[UUID, int]] = (),
        since: Mapping[UUID, int] | None = None,
        taken: Sequence[Any] | None = None,
        **_: Any,
    ) -> Sequence[int]:
        """Append events, and the answer to the command they come from; all or nothing. Return their positions.

        `read` holds the streams that the caller decided on and the versions at which it read them; `since` participants
        and the positions at which it read all about them; `taken` is what `stream.take` keeps in the same transaction.

        Raises `AlreadyAnswered`, `AuthorityEnded`, `Fenced` or `KeyDestroyed`; the library's `IntegrityError` for a
        version that the stream has already, or for what was read and has moved on; its `OperationalError` or
        `InterfaceError` where the outcome is unknown.
        """
        columns = (
            [event.originator_id for event in stored_events],
            [event.originator_version for event in stored_events],
            [event.topic for event in stored_events],
            [event.state for event in stored_events],
            *(
                [getattr(event, name, None) for event in stored_events]
                for name in ("participant_id", "matter_id", "party_id", "staff_id", "expires_at")
            ),
            list({key for event in stored_events for key in getattr(event, "sealed_under", ())}),
        )
        stood = [stream for stream, _ in read], [version for _, version in read]
        known = list((since or {}).keys()), list((since or {}).values())
        answered = (
            (answer.key, answer.request, Jsonb(answer.body, dumps=orjson.dumps)) if answer else (None, None, None)
        )
        with self.datastore.get_connection() as connection, connection.cursor() as cursor:
            try:
                with connection.transaction() if taken else nullcontext():
                    if taken:
                        cursor.execute(_TAKE, taken, prepare=True)
                    cursor.execute(_RECORD, (*columns, *stood, *known, actor, *answered), prepare=True)
                    return [row["position"] for row in cursor.fetchall()]
            except psycopg.Error as error:
                refusal = _refusal(error)
            raise refusal  # out here, so that it does not carry the server's message along, which quotes the row


def _refusal(error: psycopg.Error) -> Exception:
    if error.sqlstate == _MOVED_ON:
        return IntegrityError("a stream has moved on since it was read")
    if refused := _REFUSALS.get(error.sqlstate or ""):
        return refused()
    constraint = error.diag.constraint_name
    if isinstance(error, psycopg.errors.UniqueViolation) and constraint == "event_pkey":
        return IntegrityError("the stream has this version already")
    if isinstance(error, psycopg.OperationalError):
        return OperationalError(f"whether the events were recorded is unknown (SQLSTATE {error.sqlstate})")
    if isinstance(error, psycopg.InterfaceError):
        return InterfaceError("whether the events were recorded is unknown")
    return ProgrammingError(f"the log does not take such an event (SQLSTATE {error.sqlstate}, {constraint})")


@contextmanager
def available() -> Iterator[None]:
    """Turn the library's words for a server that does not answer into the port's."""
    try:
        yield
    except (OperationalError, InterfaceError):
        raise Unavailable("the log did not answer: try again, with the same key") from None
