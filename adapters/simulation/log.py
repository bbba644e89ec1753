"""The log of a site that is played: it alone writes there, so it reads nothing back that it has recorded."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from heapq import merge
from operator import attrgetter
from uuid import UUID

from psycopg.conninfo import make_conninfo

from adapters.bootstrap import Parts
from adapters.postgres.log import PostgresLog
from adapters.postgres.mapper import Pending
from adapters.simulation.cast import Clock
from domain.event import Envelope, Event, Recorded
from domain.identity import RecordLinked
from services.directory import Directory
from services.people import People
from services.ports import Answer, Append, Taken
from services.standing import Standing

_NOT_DURABLE = "-c synchronous_commit=off"
"""A year that is cut off is played anew: no act waits for the disk."""
_POSITION, _RECORDED_AT = attrgetter("position"), attrgetter("recorded_at")

Events = list[Recorded[Event]]


@dataclass(slots=True)
class _Told:
    """All that was recorded, in the order of the log: as a whole, by stream, by subject and by topic."""

    all: Events = field(default_factory=list)
    streams: dict[UUID, Events] = field(default_factory=lambda: defaultdict(list))
    subjects: dict[UUID, Events] = field(default_factory=lambda: defaultdict(list))
    topics: dict[str, Events] = field(default_factory=lambda: defaultdict(list))

    def add(self, recorded: Recorded[Event]) -> None:
        event = recorded.event
        self.all.append(recorded)
        self.streams[recorded.stream].append(recorded)
        self.subjects[event.participant_id or event.matter_id or recorded.stream].append(recorded)
        self.topics[event.topic].append(recorded)


class PlayedLog(PostgresLog):
    """The log while a year is played. Where the clock stands, an event's time of recording is known too."""

    def __init__(self, parts: Parts, clock: Clock) -> None:
        super().__init__(make_conninfo(parts.database.login("recorder"), options=_NOT_DURABLE), parts.database.secrets)
        if super().position():
            raise ValueError("a year is played into an empty log")
        self._clock, self._told = clock, _Told()

    def now(self) -> datetime:
        """Return the moment that is played."""
        return self._clock.moment

    def position(self) -> int:
        """Return the position of the last event."""
        return self._told.all[-1].position if self._told.all else 0

    def load(self, stream: UUID) -> Events:
        """Return a stream's events, oldest first; empty for a stream that does not exist."""
        return list(self._told.streams.get(stream, ()))

    def history(self, participant: UUID, party: UUID | None = None) -> Events:
        """Return everything recorded about a participant, or what of it names one party, in the order of the log."""
        found = self._told.subjects.get(participant, ())
        return [r for r in found if r.event.participant_id and (party is None or r.event.party_id == party)]

    def of_topics(self, topics: Iterable[str], after: int = 0) -> Events:
        """Return the events of these topics after a position, in the order of the log."""
        return list(merge(*(_after(self._told.topics.get(topic, []), after) for topic in topics), key=_POSITION))

    def existing(self, streams: Sequence[UUID]) -> set[UUID]:
        """Return which of these streams exist."""
        return self._told.streams.keys() & set(streams)

    def ending(
        self, until: Mapping[str, datetime], after: Mapping[str, datetime], position: int
    ) -> list[tuple[str, UUID]]:
        """Return (topic, stream) of events of these topics whose `expires_at` is not after `until`, soonest first.

        Of those only what ends after `after`, or was recorded after a position; all, of a topic that `after` lacks.
        """
        ends = [
            (end, recorded.stream, topic)
            for topic, last in until.items()
            for recorded in self._told.topics.get(topic, ())
            if (end := recorded.event.expires_at) is not None
            and end <= last
            and (topic not in after or end > after[topic] or recorded.position > position)
        ]
        return list(dict.fromkeys((topic, stream) for _, stream, topic in sorted(ends)))

    def page(self, after: int, limit: int) -> list[tuple[int, UUID]]:
        """Return (position, subject) of the next events after a position, at most `limit`, in the order of the log."""
        found = _after(self._told.all, after)[:limit]
        return [(r.position, subject) for r in found for subject in self._touched(r)]

    def _touched(self, recorded: Recorded[Event]) -> set[UUID]:
        subject = recorded.event.participant_id or recorded.event.matter_id or recorded.stream
        links = [r.event for r in self._told.topics.get(RecordLinked.topic, ()) if r.event.matter_id == subject]
        return {subject, *(link.participant_id for link in links if link.participant_id is not None)}

    def _by_subject(self, subjects: Sequence[UUID], last: int | datetime) -> dict[UUID, Events]:
        found = {subject: self._told.subjects.get(subject, []) for subject in subjects}
        key = _POSITION if isinstance(last, int) else _RECORDED_AT
        return {subject: events[: bisect_right(events, last, key=key)] for subject, events in found.items()}

    def _append(
        self,
        appends: Sequence[Append],
        envelope: Envelope,
        answer: Answer | None,
        since: Mapping[UUID, int],
        taken: Taken | None = None,
    ) -> list[tuple[int, Pending]]:
        added = super()._append(appends, envelope, answer, since, taken)
        for position, one in added:
            self._told.add(Recorded(position, self._clock.moment, one.stream, one.version, one.envelope, one.event))
        return added


def _after(events: Events, position: int) -> Events:
    return events[bisect_right(events, position, key=_POSITION) :]


@contextmanager
def played(parts: Parts, clock: Clock) -> Iterator[Parts]:
    """Give the site's parts as they are while its past is played."""
    with closing(PlayedLog(parts, clock)) as log:
        site = replace(parts.site, log=log, directory=Directory(log), standing=Standing(log), people=People(log))
        yield replace(parts, site=site, log=log)
