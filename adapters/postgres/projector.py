"""The projector: keeps one view's tables what the view's function says of the log.

A subject's rows are a function of that subject's events alone, so a page of the log is: whom did it touch, what are
their rows now, put these in place of the old ones. Writing rows and position is one transaction.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from operator import attrgetter
from threading import Event as Stop
from threading import Lock
from typing import NamedTuple
from uuid import UUID
from weakref import ref

import orjson
import psycopg
from psycopg import sql
from psycopg.types.json import set_json_dumps

from adapters.postgres.log import PostgresLog
from adapters.postgres.tables import ddl
from domain.labels import Ceiling
from projections.lens import History
from projections.rows import MODELS, Holding, Model, Row
from projections.views import View
from services.ports import Unavailable

Observe = Callable[[str, int], AbstractContextManager[object]]
CeilingAt = Callable[[datetime], Ceiling]

PAGE = 500
POLL_SECONDS = 1.0
SWEEP_SECONDS = 2.0
_LOCKS = 7003  # with the view's name: one active runner
_PAUSE_SECONDS = (0.1, 5.0)  # shortest and longest wait after a failure
_SWAPS, _SWAP_PAUSE_SECONDS = 60, 0.5
_OUTAGE = (psycopg.OperationalError, psycopg.InterfaceError, Unavailable)  # nobody's rows are to blame


class Interleaved(RuntimeError):
    """Another runner, a rebuild or a migration changed the view meanwhile; nothing was written."""


class _State(NamedTuple):
    """How far a view has come, under which protocol, and until when expired consent has been swept out of it."""

    position: int
    ceiling: str
    swept_at: datetime | None


@dataclass(frozen=True, slots=True)
class _Computed:
    """One subject's rows as of a position, or the class of what kept them from being computed."""

    subject: UUID
    position: int
    rows: Sequence[Row]
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Parked:
    """A subject whose rows could not be computed: dark in this view until they can. `error` is a class name."""

    view: str
    subject: UUID
    position: int
    error: str
    parked_at: datetime


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What a rebuild did, in counts and seconds."""

    view: str
    position: int
    subjects: int
    events: int
    rows: int
    parked: int
    seconds: float


@dataclass(frozen=True)
class _Reading:
    """The histories of some subjects, as the log stood at a position."""

    position: int
    histories: Mapping[UUID, History | Exception]


class Readings:
    """What the runners of one process read of the log: an event wakes all of them, and is read and opened once.

    Nothing is kept here. A reading is gone with the last runner that computes of it, and what is asked for later is
    read again, when a key may be gone.
    """

    def __init__(self, log: PostgresLog) -> None:
        self._log, self._lock = log, Lock()
        self._latest: Callable[[], _Reading | None] = lambda: None

    def of(self, subjects: Collection[UUID], position: int) -> _Reading:
        """Return a reading of these subjects, and perhaps others, that holds at least all up to a position."""
        with self._lock:
            latest = self._latest()
            if latest is None or latest.position < position or not latest.histories.keys() >= set(subjects):
                now = self._log.position()
                latest = _Reading(now, dict(_histories(self._log, list(subjects), now)))
                self._latest = ref(latest)
            return latest


def _unobserved(_view: str, _events: int) -> AbstractContextManager[object]:
    return nullcontext()


class Projector:
    """The runner of one view, under the projector's login role.

    `ceiling` gives the protocol's ceiling at a moment; when what it lowers changes, every row is computed again.
    `observe` is entered with the view's name and the number of events around each page. `readings`: those of all
    runners of the process.
    """

    def __init__(
        self,
        view: View,
        projector_url: str,
        log: PostgresLog,
        ceiling: CeilingAt,
        *,
        page: int = PAGE,
        observe: Observe = _unobserved,
        readings: Readings | None = None,
    ) -> None:
        self._view, self._url, self._log, self._ceiling = view, projector_url, log, ceiling
        self._page_size, self._observe = page, observe
        self._readings = readings or Readings(log)
        # While it catches up: how far each subject's rows are known to go, so that none is computed twice for nothing.
        self._done: dict[UUID, int] = {}
        self._left: _State | None = None
        self.failure: str | None = None
        """The class of what last stopped the runner, until it makes progress again."""

    def run_once(self) -> int:
        """Process one page of the log; return how many events it held. 0: the view is up to date."""
        with self._connected() as connection:
            return self._process(connection)

    def sweep_once(self) -> int:
        """Compute again whose consent came to its end by time; return how many."""
        with self._connected() as connection:
            return self._sweep(connection)

    def run(self, stop: Stop) -> None:
        """Run until stopped: as standby until the view's lock is free, then as its one active runner.

        Survives whatever happens to the server or to an event, and tries again after a bounded pause.
        """
        shortest, longest = _PAUSE_SECONDS
        pause = shortest
        while not stop.is_set():
            try:
                with self._connected() as connection:
                    self._lead(connection, stop)
            except Interleaved:
                pause = shortest
            except Exception as error:  # noqa: BLE001 - a runner that died would leave its view behind for ever
                pause = shortest if self.failure is None else min(2 * pause, longest)
                self.failure = type(error).__name__
            stop.wait(pause)

    def _lead(self, connection: psycopg.Connection, stop: Stop) -> None:
        # On the very connection that writes: whoever has lost the lock cannot write any more.
        lock = "select pg_try_advisory_lock(%s, hashtext(%s))"
        while not stop.is_set() and not _one(connection, lock, _LOCKS, self._view.name):
            stop.wait(POLL_SECONDS)
        connection.execute("listen log")  # before the first read: nothing falls between the two
        self._retry_parked(connection)
        swept = -SWEEP_SECONDS
        while not stop.is_set():
            if time.monotonic() - swept >= SWEEP_SECONDS:
                self._sweep(connection)
                swept = time.monotonic()
            if not self._process(connection):
                for _ in connection.notifies(timeout=POLL_SECONDS, stop_after=1):
                    pass
            self.failure = None

    @contextmanager
    def _connected(self) -> Iterator[psycopg.Connection]:
        # Of what a column holds the planner knows nothing, since EXPLAIN would tell: it would read a table for a page.
        with psycopg.connect(self._url, autocommit=True, options="-c enable_seqscan=off") as connection:
            yield connection

    def _process(self, connection: psycopg.Connection) -> int:
        state = self._state(connection)
        if state != self._left:
            self._done.clear()
        page = self._log.page(state.position, self._page_size)
        if page:
            last = page[-1][0]
            with self._observe(self._view.name, len(page)):
                touched = dict.fromkeys(s for position, s in page if self._done.get(s, 0) < position)
                computed = self._compute(touched, last)
                self._left = self._write(connection, state, state._replace(position=last), computed)
            self._done.update({c.subject: c.position for c in computed if c.error is None})
        if len(page) < self._page_size:
            self._done.clear()
        return len(page)

    def _sweep(self, connection: psycopg.Connection) -> int:
        state = self._state(connection)
        now = self._log.now()
        ceiling = self._ceiling(now)
        if state.ceiling != _mark(ceiling):  # every row may have to change
            with connection.transaction():
                self._write(connection, state, _State(0, _mark(ceiling), state.swept_at), [])
                _darken(connection, self._view, ceiling)  # what is lowered goes at once, not as the replay reaches it
            return 0
        due = _expired(connection, state.swept_at, now)
        if not due:
            return 0
        for start in range(0, len(due), self._page_size):
            some = due[start : start + self._page_size]
            self._write(connection, state, state, self._compute(some, state.position))
        self._write(connection, state, state._replace(swept_at=now), [])
        return len(due)

    def _retry_parked(self, connection: psycopg.Connection) -> None:
        parked = connection.execute("select subject_id from log.parked where view = %s", [self._view.name]).fetchall()
        for start in range(0, len(parked), self._page_size):
            state = self._state(connection)
            again = self._compute([subject for (subject,) in parked[start : start + self._page_size]], state.position)
            self._write(connection, state, state, again)

    def _state(self, connection: psycopg.Connection) -> _State:
        read = "select position, ceiling, nullif(swept_at, '-infinity') from log.view where name = %s"
        found = connection.execute(read, [self._view.name]).fetchone()
        if found is None:
            connection.execute(
                "insert into log.view (name, position, ceiling) values (%s, 0, %s) on conflict do nothing",
                [self._view.name, _mark(self._ceiling(self._log.now()))],
            )
            return self._state(connection)
        return _State(*found)

    def _compute(self, subjects: Collection[UUID], position: int) -> list[_Computed]:
        reading = self._readings.of(subjects, position)  # held until all is computed: others may compute of it
        now = self._log.now()  # after what was read: rows are never of a moment before their last event
        return [*_computed(self._view, ((s, reading.histories[s]) for s in subjects), self._ceiling(now), now)]

    def _write(
        self, connection: psycopg.Connection, before: _State, after: _State, computed: Sequence[_Computed]
    ) -> _State:
        """Put the computed rows in place and advance, all or nothing. Raises `Interleaved`."""
        with connection.transaction():
            moved = connection.execute(
                "update log.view set position = %s, ceiling = %s, swept_at = coalesce(%s::timestamptz, '-infinity')"
                " where name = %s and position = %s and ceiling = %s"
                " and swept_at = coalesce(%s::timestamptz, '-infinity')",
                [*after, self._view.name, *before],
            )
            if moved.rowcount != 1:
                raise Interleaved(f"the view {self._view.name} was changed meanwhile")
            if computed:
                self._replace(connection, computed)
        return after

    def _replace(self, connection: psycopg.Connection, computed: Sequence[_Computed]) -> None:
        try:
            with connection.transaction():
                _replace_rows(connection, self._view, computed)
        except (psycopg.DataError, psycopg.IntegrityError) as error:
            if len(computed) == 1:  # a row that no table takes
                only = computed[0]
                lost = _Computed(only.subject, only.position, (), type(error).__name__)
                _replace_rows(connection, self._view, [lost])
            else:
                for one in computed:
                    self._replace(connection, [one])


def rebuild(
    views: Sequence[View],
    owner_url: str,
    log: PostgresLog,
    ceiling: CeilingAt,
    *,
    page: int = PAGE,
    observe: Observe = _unobserved,
) -> list[Rebuilt]:
    """Compute whole views again beside the old ones, reading the log once; put each in its place in one transaction.

    Readers read the old tables until then; the runner goes on from the position at which the rebuild began. Needs the
    owner's URL: it makes tables, and loads them before row security is on.
    """
    begun = time.monotonic()
    position, now = log.position(), log.now()
    limits = ceiling(now)
    tallies = [_Tally(view, f"{view.name}_next") for view in views]
    subjects = events = 0
    with psycopg.connect(owner_url, autocommit=True) as connection, _uncollected():
        set_json_dumps(orjson.dumps, connection)
        # Session lock: two rebuilds would share the fresh schemas.
        connection.execute("select pg_advisory_lock(%s, 0)", [_LOCKS])
        for tally in tallies:
            connection.execute(sql.SQL("drop schema if exists {} cascade").format(sql.Identifier(tally.schema)))
        with connection.transaction():
            for tally in tallies:
                connection.execute(ddl(tally.view, tally.schema).tables.encode())
            for some in _pages(subjects_of(log, position), page):
                histories = list(_histories(log, some, position))
                subjects += len(some)
                events += sum(len(h.events) for _, h in histories if isinstance(h, History))
                for tally in tallies:
                    with observe(tally.view.name, len(some)):
                        tally.load(connection, list(_computed(tally.view, histories, limits, now)))
            for tally in tallies:
                steps = ddl(tally.view, tally.schema)
                connection.execute(steps.keys.encode())
                connection.execute(steps.row_security.encode())
        for tally in tallies:
            _swap_soon(connection, tally, _State(position, _mark(limits), now))
    seconds = time.monotonic() - begun
    return [Rebuilt(t.view.name, position, subjects, events, t.rows, len(t.failed), seconds) for t in tallies]


@dataclass(slots=True)
class _Tally:
    """A view that is being rebuilt in a schema beside its own."""

    view: View
    schema: str
    rows: int = 0
    failed: list[_Computed] = field(default_factory=list)

    def load(self, connection: psycopg.Connection, computed: Sequence[_Computed]) -> None:
        """Copy computed rows into the fresh tables; a subject with a row that they do not take is parked."""
        try:
            with connection.transaction():
                loaded = _copy(connection, self.schema, computed)
        except psycopg.DataError as error:
            if len(computed) > 1:
                for one in computed:
                    self.load(connection, [one])
                return
            self.failed.append(replace(computed[0], rows=(), error=type(error).__name__))
        else:
            self.rows += loaded
            self.failed += (c for c in computed if c.error is not None)


@contextmanager
def _uncollected() -> Iterator[None]:
    """Keep the collector from looking through millions of young objects, none of them in a cycle, again and again."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def parked(url: str, view: View | None = None) -> list[Parked]:
    """Return whom a view, or every view, could not compute."""
    query = (
        "select view, subject_id, position, error, parked_at from log.parked where view = coalesce(%s, view)"
        " order by view, position"
    )
    with psycopg.connect(url, autocommit=True) as connection:
        found = connection.execute(query, [view.name if view else None])
        return [Parked(*row) for row in found]


def receipts_overdue(url: str) -> tuple[int, datetime | None]:
    """Return how many receipts of withdrawals did not come in time, and by when the first was to."""
    query = (
        "select count(*), min(receipt_by) from privacy.withdrawal where receipt is null and receipt_by < site.clock()"
    )
    with psycopg.connect(url, autocommit=True) as connection:
        ((count, since),) = connection.execute(query).fetchall()
        return count, since and since.astimezone(UTC)


def _mark(ceiling: Ceiling) -> str:
    """Return what tells one ceiling from another; a protocol that lowers the same changes no row."""
    return " ".join(sorted(f"{reader}:{label}" for reader, label in ceiling.lowered))


def _computed(
    view: View, histories: Iterable[tuple[UUID, History | Exception]], ceiling: Ceiling, at: datetime
) -> Iterator[_Computed]:
    """Compute subjects' rows; what fails of one subject is its own affair."""
    for subject, history in histories:
        if isinstance(history, Exception):
            yield _Computed(subject, 0, (), type(history).__name__)
            continue
        try:
            rows = list(view.rows(history, ceiling, at))
        except Exception as error:  # noqa: BLE001 - a poisoned event parks its subject, whatever is wrong with it
            yield _Computed(subject, history.position, (), type(error).__name__)
        else:
            yield _Computed(subject, history.position, rows)


def _histories(
    log: PostgresLog, subjects: Sequence[UUID], upto: int | None
) -> Iterator[tuple[UUID, History | Exception]]:
    if not subjects:
        return
    try:
        found = log.histories(subjects, upto=upto)
    except _OUTAGE:
        raise
    except Exception as error:  # noqa: BLE001 - an event that cannot be opened: find out whose
        if len(subjects) == 1:
            yield subjects[0], error
            return
        for subject in subjects:
            yield from _histories(log, [subject], upto)
        return
    for subject in subjects:
        yield subject, found.get(subject) or History(subject, ())


def _replace_rows(connection: psycopg.Connection, view: View, computed: Sequence[_Computed]) -> None:
    subjects = [c.subject for c in computed]
    for model in view.models:
        connection.execute(_delete(model), [subjects])
    for model, rows in _by_table(computed):
        connection.execute(_insert(model), [orjson.dumps(rows).decode()])
    connection.execute(
        "delete from log.parked where view = %s and subject_id = any(%s)",
        [view.name, [c.subject for c in computed if c.error is None]],
    )
    _park(connection, view, [c for c in computed if c.error is not None])


def _darken(connection: psycopg.Connection, view: View, ceiling: Ceiling) -> None:
    lowered = [label.value for reader, label in ceiling.lowered if reader is view.reader]
    for model in view.models:
        if model.holding is Holding.GRANTED:
            statement = sql.SQL("delete from {} where string_to_array(shown, ' ') && %s::text[]")
            connection.execute(statement.format(sql.Identifier(model.reader.value, model.name)), [lowered])


def _park(connection: psycopg.Connection, view: View, failed: Iterable[_Computed]) -> None:
    for one in failed:
        connection.execute(
            "insert into log.parked (view, subject_id, position, error, parked_at)"
            " values (%s, %s, %s, %s, site.clock()) on conflict (view, subject_id) do update"
            " set position = excluded.position, error = excluded.error, parked_at = excluded.parked_at",
            [view.name, one.subject, one.position, one.error],
        )


def _by_table(computed: Iterable[_Computed]) -> list[tuple[Model, list[Row]]]:
    tables: dict[type[Row], list[Row]] = {}
    for one in computed:
        for row in one.rows:
            tables.setdefault(type(row), []).append(row)
    return [(MODELS[kind], rows) for kind, rows in tables.items()]


def _delete(model: Model) -> sql.Composed:
    return sql.SQL("delete from {} where subject_id = any(%s)").format(sql.Identifier(model.reader.value, model.name))


def _insert(model: Model) -> sql.Composed:
    # One statement and one parameter for any number of rows. COPY is impossible under row security.
    statement = "insert into {table} ({columns}) select {columns} from json_populate_recordset(null::{table}, %s)"
    return sql.SQL(statement).format(
        table=sql.Identifier(model.reader.value, model.name),
        columns=sql.SQL(", ").join(sql.Identifier(column.name) for column in model.columns),
    )


def _expired(connection: psycopg.Connection, since: datetime | None, now: datetime) -> list[UUID]:
    """Return whose consent came to an end by time since the last sweep: every end is an event's own."""
    found = connection.execute(
        "select distinct participant_id from log.event where expires_at > coalesce(%s::timestamptz, '-infinity')"
        " and expires_at <= %s and participant_id is not null",
        [since, now],
    )
    return [subject for (subject,) in found]


def subjects_of(log: PostgresLog, upto: int) -> Iterator[UUID]:
    """Yield every subject of the log once, in the order in which they first appear."""
    seen: set[UUID] = set()
    after = 0
    while page := log.page(after, 20 * PAGE):
        for position, subject in page:
            if position <= upto and subject not in seen:
                seen.add(subject)
                yield subject
        after = page[-1][0]


def _pages(subjects: Iterable[UUID], size: int) -> Iterator[list[UUID]]:
    page: list[UUID] = []
    for subject in subjects:
        page.append(subject)
        if len(page) == size:
            yield page
            page = []
    if page:
        yield page


def _copy(connection: psycopg.Connection, schema: str, computed: Sequence[_Computed]) -> int:
    count = 0
    for model, rows in _by_table(computed):
        names = [column.name for column in model.columns]
        kinds = [column.sql_type for column in model.columns]
        statement = sql.SQL("copy {} ({}) from stdin (format binary)").format(
            sql.Identifier(schema, model.name), sql.SQL(", ").join(map(sql.Identifier, names))
        )
        values = attrgetter(*names)
        with connection.cursor() as cursor, cursor.copy(statement) as copy:
            copy.set_types(kinds)
            for row in rows:
                copy.write_row(values(row))
        count += len(rows)
    return count


def _swap_soon(connection: psycopg.Connection, tally: _Tally, state: _State) -> None:
    """Swap as soon as no reader is in the way; while we waited in line, new ones would have to wait behind us."""
    for _ in range(_SWAPS):
        try:
            return _swap(connection, tally, state)
        except (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected):
            time.sleep(_SWAP_PAUSE_SECONDS)
    return _swap(connection, tally, state)


def _swap(connection: psycopg.Connection, tally: _Tally, state: _State) -> None:
    view = tally.view
    with connection.transaction():
        connection.execute("set local lock_timeout = '500ms'")
        # The view's row is what the runner advances first: it waits here, and then finds that it was overtaken.
        connection.execute(
            "insert into log.view (name, position, ceiling, swept_at) values (%s, %s, %s, %s) on conflict (name)"
            " do update set position = excluded.position, ceiling = excluded.ceiling, swept_at = excluded.swept_at",
            [view.name, *state],
        )
        connection.execute(sql.SQL("drop schema if exists {} cascade").format(sql.Identifier(view.name)))
        connection.execute(
            sql.SQL("alter schema {} rename to {}").format(sql.Identifier(tally.schema), sql.Identifier(view.name))
        )
        connection.execute("delete from log.parked where view = %s", [view.name])
        _park(connection, view, tally.failed)


def _one(connection: psycopg.Connection, statement: str, *values: object) -> object:
    row = connection.execute(statement.encode(), values).fetchone()
    return row[0] if row else None
