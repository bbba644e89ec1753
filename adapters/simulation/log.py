"""The log of a site that is played: it is the moment that the stories tell, and no event is opened twice."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import datetime

from psycopg.conninfo import make_conninfo

from adapters.bootstrap import Parts
from adapters.postgres.keyring import Keyring
from adapters.postgres.log import PostgresLog
from adapters.postgres.mapper import SealingMapper, StoredRow
from adapters.simulation.cast import Clock
from domain.event import Event, Recorded
from services.directory import Directory
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
        self._mapper = _Remembering(Keyring(self._datastore, parts.database.secrets.site_key))

    def now(self) -> datetime:
        """Return the moment that is played."""
        return self._clock.moment


@contextmanager
def played(parts: Parts, clock: Clock) -> Iterator[Parts]:
    """Give the site's parts as they are while its past is played."""
    with closing(PlayedLog(parts, clock)) as log:
        site = replace(parts.site, log=log, directory=Directory(log), standing=Standing(log))
        yield replace(parts, site=site, log=log)
