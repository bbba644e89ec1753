"""The event log on PostgreSQL: `services.ports.Log`, and the reads by subject from which views are computed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from heapq import merge
from operator import attrgetter
from typing import Any, Final
from uuid import UUID

from eventsourcing.persistence import IntegrityError
from psycopg.rows import args_row, tuple_row

from adapters.postgres.keyring import Keyring
from adapters.postgres.mapper import COLUMNS, Pending, SealingMapper, StoredRow
from adapters.postgres.outbox import PostgresOutbox
from adapters.postgres.recorder import GateRecorder, LogDatastore, available
from adapters.postgres.seals import PostgresSeals
from adapters.postgres.stream import PostgresStream
from adapters.secrets import Secrets
from domain.event import Envelope, Event, Recorded
from domain.identity import linked, waiting
from domain.labels import Reader
from projections.lens import History
from services.checkpoint import Verifier
from services.ports import Answer, Append, Conflict, Health, SetAside, ShownTo, Taken

_POSITION: Final = attrgetter("position")
_SELECT: Final = f"select {COLUMNS} from log.event"  # noqa: S608  # our own names


class PostgresLog:
    """The log of one site, read and appended to by the recorder's login. Thread-safe; `close` when done.

    Every method raises `Unavailable` where the server does not answer; those that return events raise `LogCorrupt` for
    one that is not readable as it was recorded, and `WrongSiteKey` where the secrets are another database's.
    """

    def __init__(self, url: str, secrets: Secrets, *, pool_size: int = 1, max_overflow: int = 9) -> None:
        self._datastore = LogDatastore(url, pool_size=pool_size, max_overflow=max_overflow)
        with available():
            self._recorder = GateRecorder(self._datastore)
        keyring = Keyring(self._datastore, secrets.site_keys)
        self._mapper = SealingMapper(keyring)
        self.stream = PostgresStream(self._datastore, keyring)
        self.outbox = PostgresOutbox(self._datastore, keyring)

    def seals(self, verifier: Verifier) -> PostgresSeals:
        """Return what was sealed of this log, signed by a key."""
        return PostgresSeals(self._datastore, verifier)

    def close(self) -> None:
        """Close every connection."""
        self._datastore.close()

    def now(self) -> datetime:
        """Return the time, aware UTC, by the one clock."""
        now: datetime = self._ask("select site.clock()")[0][0]
        return now

    def load(self, stream: UUID) -> list[Recorded[Event]]:
        """Return a stream's events, oldest first; empty for a stream that does not exist."""
        return self._events(f"{_SELECT} where originator_id = %s order by originator_version", stream)

    def loads(self, streams: Sequence[UUID]) -> dict[UUID, list[Recorded[Event]]]:
        """Return the events of several streams, read in one go; of one that does not exist, none."""
        found: dict[UUID, list[Recorded[Event]]] = {stream: [] for stream in streams}
        query = f"{_SELECT} where originator_id = any(%s) order by originator_id, originator_version"
        for recorded in self._events(query, list(found)):
            found[recorded.stream].append(recorded)
        return found

    def history(self, participant: UUID, party: UUID | None = None) -> list[Recorded[Event]]:
        """Return everything recorded about a participant, or what of it names one party, in the order of the log."""
        return self._events(
            f"{_SELECT} where participant_id = %s and (%s::uuid is null or party_id = %s) order by notification_id",
            participant,
            party,
            party,
        )

    def of_topics(self, topics: Iterable[str], after: int = 0) -> list[Recorded[Event]]:
        """Return the events of these topics after a position, in the order of the log."""
        where = "topic = any(%s) and notification_id > %s"
        return self._events(f"{_SELECT} where {where} order by notification_id", list(topics), after)

    def existing(self, streams: Sequence[UUID]) -> set[UUID]:
        """Return which of these streams exist."""
        found = self._ask(
            "select s from unnest(%s::uuid[]) s where exists (select from log.event e where e.originator_id = s)",
            list(streams),
        )
        return {stream for (stream,) in found}

    def record(
        self,
        appends: Sequence[Append],
        envelope: Envelope,
        answer: Answer | None = None,
        since: Mapping[UUID, int] | None = None,
        taken: Taken | None = None,
    ) -> int:
        """Append events and the answer, all or nothing; return the position of the last (of the log, if none).

        `since`: participants, and the positions past which nothing may have been recorded about them; else `Conflict`.
        `taken`: what is kept of a stream with it. Raises `Conflict`, `AlreadyAnswered`, `AuthorityEnded`, `Fenced` or
        `Unavailable`; `KeyDestroyed` for an event about someone who was erased.
        """
        recorded = self._append(appends, envelope, answer, since or {}, taken)
        return recorded[-1][0] if recorded else self.position()

    def _append(
        self,
        appends: Sequence[Append],
        envelope: Envelope,
        answer: Answer | None,
        since: Mapping[UUID, int],
        taken: Taken | None = None,
    ) -> list[tuple[int, Pending]]:
        pending = [
            Pending(append.stream, version, event, append.envelope or envelope)
            for append in appends
            for version, event in enumerate(append.events, append.expected + 1)
        ]
        with available():
            try:
                stored = [self._mapper.to_stored_event(event) for event in pending]
                read = [(append.stream, append.expected) for append in appends]
                positions = self._recorder.insert_events(
                    stored,
                    actor=envelope.actor,
                    answer=answer,
                    read=read,
                    since=since,
                    taken=None if taken is None else self.stream.arguments(taken),
                )
            except IntegrityError:
                raise Conflict("the stream has moved on since it was loaded") from None
        return list(zip(positions, pending, strict=True))

    def admit(self, sender: bytes, *, share: int, most: int) -> bool:
        """Count something sent in public; False if this sender has sent its share this hour, or all have sent most."""
        admitted: bool = self._ask("select log.admit(%s::bytea, %s, %s)", sender, share, most)[0][0]
        return admitted

    def wake(self) -> None:
        """Let who waits for the next event look at once, as at the end, when they are not to wait any more."""
        self._ask("select pg_notify('log', '')")

    def forget_senders(self) -> None:
        """Forget who sent something in public in an hour that is over."""
        self._ask("select log.forget_senders()")

    def set_aside(self, source: str, rows: Sequence[SetAside]) -> int:
        """Keep rows of a source that could not be taken, each once; return how many were not kept already."""
        added: int = self._ask(
            "select log.set_aside(%s, %s::bigint[], %s::text[], %s::text[], %s::bytea[])",
            source,
            [row.row_number for row in rows],
            [row.field for row in rows],
            [row.reason for row in rows],
            [row.row_sha256 for row in rows],
        )[0][0]
        return added

    def answered(self, actor: UUID, key: str) -> Answer | None:
        """Return what this actor was answered under this key, if anything."""
        found = self._ask("select key, request, answer from log.answer where actor = %s and key = %s", actor, key)
        return Answer(*found[0]) if found else None

    def position(self) -> int:
        """Return the position of the last event."""
        position: int = self._ask("select coalesce(max(notification_id), 0) from log.event")[0][0]
        return position

    def recorded_at(self, position: int) -> datetime:
        """Return when the log came to a position: the time of the last event that is not after it; before any, now."""
        found = self._ask(
            "select recorded_at from log.event where notification_id <= %s order by notification_id desc limit 1",
            position,
        )
        return found[0][0] if found else self.now()

    def exposures(self, participant: UUID, party: UUID, before: int) -> list[ShownTo]:
        """Return what a party's people were shown of a participant by consent before a position, by person."""
        found = self._ask(
            "select staff_id, labels, surface, first_position, first_at, last_position, last_at, times"
            " from log.exposures(%s, %s, %s)",
            participant,
            party,
            before,
        )
        return [ShownTo(*line) for line in found]

    def quiet(self, before: datetime, apart: Sequence[str]) -> list[UUID]:
        """Return the participants about whom nothing was recorded since, these topics apart, and who are not erased."""
        found = self._ask(
            "select participant_id from log.event where participant_id is not null group by participant_id"
            " having max(recorded_at) filter (where topic <> all(%s)) < %s"
            " and not bool_or(topic = 'participant.erased') order by participant_id",
            list(apart),
            before,
        )
        return [participant for (participant,) in found]

    def ending(
        self, until: Mapping[str, datetime], after: Mapping[str, datetime], position: int
    ) -> list[tuple[str, UUID]]:
        """Return (topic, stream) of events of these topics whose `expires_at` is not after `until`, soonest first.

        Of those only what ends after `after`, or was recorded after a position; all, of a topic that `after` lacks.
        """
        return self._ask(
            # Two reads, each by an index of its own: by when it ends, and by where it stands.
            "with asked as ("
            "select * from unnest(%s::text[], %s::timestamptz[], %s::timestamptz[]) a(topic, until, since))"
            " select topic, originator_id from ("
            "select e.topic, e.originator_id, e.expires_at from log.event e join asked a using (topic)"
            " where e.expires_at > (select min(coalesce(since, '-infinity')) from asked) and e.expires_at <= a.until"
            " and e.expires_at > coalesce(a.since, '-infinity')"
            " union all select e.topic, e.originator_id, e.expires_at from log.event e join asked a using (topic)"
            " where e.notification_id > %s and e.expires_at <= a.until"
            ") e group by topic, originator_id order by min(expires_at), originator_id",
            list(until),
            list(until.values()),
            [after.get(topic) for topic in until],
            position,
        )

    def fired(self) -> tuple[dict[str, datetime], int]:
        """Return how far clocks have fired, whichever worker let them: by topic what had ended by then, and stood at
        or before a position.
        """
        found = self._ask("select topic, until, position from log.fired")
        return {topic: until for topic, until, _ in found}, min((position for *_, position in found), default=0)

    def set_fired(self, until: Mapping[str, datetime], position: int) -> None:
        """Keep how far clocks have fired, unless what is kept goes further already."""
        self._ask(
            "select log.set_fired(%s::text[], %s::timestamptz[], %s)", list(until), list(until.values()), position
        )

    def health(self) -> Health:
        """Return how far everything has come; counts and times alone."""
        views = self._ask("select name, position from log.view")
        parked = self._ask("select view, count(*) from log.parked group by view")
        ((sealed_at,),) = self._ask("select max(signed_at) from log.checkpoint")
        return Health(self.position(), dict(views), dict(parked), sealed_at)

    def view_position(self, view: Reader) -> int:
        """Return how far a view has come."""
        found = self._ask("select position from log.view where name = %s", view.value)
        return int(found[0][0]) if found else 0

    def page(self, after: int, limit: int) -> list[tuple[int, UUID]]:
        """Return (position, subject) of the next events after a position, at most `limit`, in the order of the log.

        The subject of an event is its participant; without one, its matter; without either, its stream. What is
        recorded of a matter touches, too, whomever it was ever linked to or proposed for: then the page is longer than
        `limit`.
        """
        return self._ask(
            "with page as ("
            "select notification_id, participant_id, matter_id, originator_id from log.event"
            " where notification_id > %s order by notification_id limit %s)"
            " select notification_id, coalesce(participant_id, matter_id, originator_id) from page"
            " union select p.notification_id, l.participant_id from page p"
            " join log.event l on l.matter_id = p.matter_id and l.topic in ('identity.linked', 'match.proposed')"
            " where p.participant_id is null order by 1",
            after,
            limit,
        )

    def histories(self, subjects: Sequence[UUID], upto: int | datetime | None = None) -> dict[UUID, History]:
        """Return the history of each of these subjects, perhaps an empty one; up to a position, or a moment."""
        # Two reads, of one state of the log: else what is linked could stand later than what is left out before it.
        last = self.position() if upto is None else upto
        found = self._by_subject(subjects, last)
        records = {subject: (linked(events), frozenset(waiting(events))) for subject, events in found.items()}
        told = self._by_subject([*{m for of_subject in records.values() for some in of_subject for m in some}], last)

        def whole(matters: Iterable[UUID]) -> list[Recorded[Event]]:
            return list(merge(*(told[matter] for matter in matters), key=_POSITION))

        return {subject: History(subject, events, *map(whole, records[subject])) for subject, events in found.items()}

    def _by_subject(self, subjects: Sequence[UUID], last: int | datetime) -> dict[UUID, list[Recorded[Event]]]:
        if not subjects:
            return {}
        wanted = list(subjects)
        upto = "notification_id <= %s" if isinstance(last, int) else "recorded_at <= %s"
        events = self._events(
            f"{_SELECT} where participant_id = any(%s) and {upto} union all {_SELECT}"
            f" where participant_id is null and coalesce(matter_id, originator_id) = any(%s) and {upto}"
            " order by notification_id",
            wanted,
            last,
            wanted,
            last,
        )
        found: dict[UUID, list[Recorded[Event]]] = {subject: [] for subject in wanted}
        for recorded in events:
            event = recorded.event
            found[event.participant_id or event.matter_id or recorded.stream].append(recorded)
        return found

    def _events(self, query: str, *parameters: Any) -> list[Recorded[Event]]:
        with available():
            with (
                self._datastore.get_connection() as connection,
                connection.cursor(binary=True, row_factory=args_row(StoredRow)) as cursor,
            ):
                rows = cursor.execute(query.encode(), parameters, prepare=True).fetchall()
            return self._mapper.to_recorded(rows)

    def _ask(self, query: str, *parameters: Any) -> list[Any]:
        with (
            available(),
            self._datastore.get_connection() as connection,
            connection.cursor(binary=True, row_factory=tuple_row) as cursor,
        ):
            return cursor.execute(query.encode(), parameters, prepare=True).fetchall()
