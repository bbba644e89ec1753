"""The log of a site that is played: it is the moment that the stories tell, and no event is opened twice."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from psycopg.conninfo import make_conninfo

from adapters.bootstrap import Parts
from adapters.postgres.keyring import Keyring
from adapters.postgres.log import PostgresLog
from adapters.postgres.mapper import SealingMapper, StoredRow
from adapters.simulation.cast import Clock
from domain.event import Envelope, Event, Recorded
from services.directory import Directory
from services.ports import Answer, Append
from services.standing import Standing

_NOT_DURABLE = "-c synchronous_commit=off"
"""A year that is cut off is played anew: no act waits for the disk."""


class _Remembering(SealingMapper):
    """Opens each event once; nothing is erased while a year is played."""

    def __init__(self, keys: Keyring) -> None:
        super().__init__(keys)
        self._opened: dict[int, Recorded[Event]] = {}

    def to_recorded(self, rows: Iterable[StoredRow]) -> list[Recorded[Event]]:
        rows = list(rows)
        for recorded in super().to_recorded(row for row in rows if row.notification_id not in self._opened):
            self._opened[recorded.position] = recorded
        return [self._opened[row.notification_id] for row in rows]


class PlayedLog(PostgresLog):
    """The log while a year is played."""

    def __init__(self, parts: Parts, clock: Clock) -> None:
        super().__init__(make_conninfo(parts.database.login("recorder"), options=_NOT_DURABLE), parts.database.secrets)
        self._clock = clock
        self._latest: dict[str, int] = {}
        self._ends: dict[str, list[tuple[datetime, int]]] = {}
        self._mapper = _Remembering(Keyring(self._datastore, parts.database.secrets.site_key))

    def record(self, appends: Sequence[Append], envelope: Envelope, answer: Answer | None = None) -> int:
        """Append, and remember where each topic ends, and when: nobody else writes while a year is played."""
        position = super().record(appends, envelope, answer)
        for event in (event for append in appends for event in append.events):
            self._latest[event.topic] = position
            if event.expires_at is not None:
                self._ends.setdefault(event.topic, []).append((event.expires_at, position))
        return position

    def of_topics(self, topics: Iterable[str], after: int = 0) -> list[Recorded[Event]]:
        """Return the events of these topics after a position, without asking the server for none."""
        topics = list(topics)
        if all(self._latest.get(topic, 0) <= after for topic in topics):
            return []
        return super().of_topics(topics, after)

    def ending(
        self, until: Mapping[str, datetime], after: Mapping[str, datetime], position: int
    ) -> list[tuple[str, UUID]]:
        """Return the streams of which something ends, without asking the server for none."""
        asked = {
            topic: last
            for topic, last in until.items()
            for end, at in self._ends.get(topic, ())
            if end <= last and (topic not in after or end > after[topic] or at > position)
        }
        return super().ending(asked, after, position) if asked else []

    def position(self) -> int:
        """Return the position of the last event."""
        return max(self._latest.values(), default=0)

    def now(self) -> datetime:
        """Return the moment that is played."""
        return self._clock.moment


@contextmanager
def played(parts: Parts, clock: Clock) -> Iterator[Parts]:
    """Give the site's parts as they are while its past is played."""
    with closing(PlayedLog(parts, clock)) as log:
        site = replace(parts.site, log=log, directory=Directory(log), standing=Standing(log))
        yield replace(parts, site=site, log=log)
