"""Clocks: what falls due is written down once, by the database's time, however many workers look (T:407, T:413).

A stream that has a deadline is found by the `expires_at` of the event that started it, loaded, and decided on by its
domain alone. Two workers decide the same; the one whose events come second finds the stream moved on, and on looking
again that nothing is left to write. So no worker needs to know of another. How far all that was found has been decided
stands in the database, so that one that is started again looks at nothing twice.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID, uuid4

from domain import deadline
from domain.event import Envelope, Event, Recorded
from domain.legal_case import ReviewSet, reviews_due
from domain.plan import PlanAgreed, review_due
from domain.protocol import NoProtocol, Protocol
from domain.referral import DeadlineSet, ReleasedFromCustody
from domain.registry import Role
from domain.roi import CounselAuthorised, CounselNarrowed, RoiGranted, RoiNarrowed, RoiRevoked, RoiSigned
from services.ports import NOBODY, Conflict, Erased
from services.site import ATTEMPTS, Site, append

Due = Callable[[Sequence[Recorded[Event]], datetime, Protocol], Sequence[Event]]
"""What has fallen due on a stream by a moment, under the protocol in force, and is not written down yet."""


def _at_the_end(_: Protocol) -> timedelta:
    return timedelta()


@dataclass(frozen=True, slots=True)
class Clock:
    """What a domain decides once an event's `expires_at` has come, or lies only so far ahead."""

    due: Due
    ahead: Callable[[Protocol], timedelta] = _at_the_end


CLOCKS: dict[str, Clock] = {
    deadline.HandoffRequested.topic: Clock(deadline.due),
    ReleasedFromCustody.topic: Clock(deadline.due),
    DeadlineSet.topic: Clock(deadline.due),
    RoiGranted.topic: Clock(deadline.expired),
    RoiNarrowed.topic: Clock(deadline.expired),
    RoiSigned.topic: Clock(deadline.renewal, ahead=lambda protocol: timedelta(days=protocol.roi_notice_days)),
    RoiRevoked.topic: Clock(deadline.missing_paper),
    CounselAuthorised.topic: Clock(deadline.expired),
    CounselNarrowed.topic: Clock(deadline.expired),
    PlanAgreed.topic: Clock(lambda history, now, _: review_due(history, now)),
    ReviewSet.topic: Clock(lambda history, now, _: reviews_due(history, now)),
}
"""By the topic of the event that starts a deadline."""


class Late(NamedTuple):
    """What is past and not written down, since when, and on how many streams looking at it fails."""

    since: datetime | None = None
    past: int = 0
    failing: int = 0


@dataclass(slots=True)
class Clocks:
    """One worker: fires what is due. It begins where the site's clocks have come to."""

    site: Site
    _upto: dict[str, datetime] | None = None
    _position: int = 0
    _waiting: dict[UUID, list[str]] = field(default_factory=dict)

    def fire(self) -> int:
        """Write down everything that has fallen due; return how many events that were.

        A stream whose turn fails keeps no other from firing; it is tried again the next time, and its error raised
        after all the others.
        """
        self.site.directory.refresh()
        now = self.site.log.now()
        try:
            protocol = self.site.directory.protocol(now)
        except NoProtocol:
            return 0  # the site is not set up yet
        written, failed = 0, None
        until = self._find(now, protocol)
        found = bool(self._waiting)
        for stream, topics in list(self._waiting.items()):
            try:
                written += self._decide(stream, topics, now, protocol)
                del self._waiting[stream]
            except Exception as error:  # noqa: BLE001 - one stream's trouble keeps nobody else's clock from firing
                failed = error
        if failed is not None:
            raise failed
        if found:
            self.site.log.set_fired(until, self._position)
        return written

    def late(self) -> Late:
        """Look whether other workers do their work: what is past and not written down. Writes nothing itself."""
        now = self.site.now()
        try:
            protocol = self.site.directory.protocol(now)
        except NoProtocol:
            return Late()
        self._find(now, protocol)
        past, failing = [], 0
        for stream, topics in self._waiting.items():
            try:
                past += [event.occurred_at for event in _due(self.site.log.load(stream), topics, now, protocol)]
            except Exception:  # noqa: BLE001 - such a stream is what is looked for
                failing += 1
        return Late(min(past, default=None), len(past), failing)

    def _find(self, now: datetime, protocol: Protocol) -> dict[str, datetime]:
        """Let wait what has ended since the last time and what was recorded since; what failed waits still.

        Return by when what it looked for had ended, by topic.
        """
        if self._upto is None:
            self._upto, self._position = self.site.log.fired()
        position = self.site.log.position()
        until = {topic: now + clock.ahead(protocol) for topic, clock in CLOCKS.items()}
        for topic, stream in self.site.log.ending(until, self._upto, self._position):
            self._waiting.setdefault(stream, []).append(topic)
        self._upto, self._position = until, position
        return until

    def _decide(self, stream: UUID, topics: Sequence[str], now: datetime, protocol: Protocol) -> int:
        """Look at a stream once, by all of its clocks."""
        envelope = Envelope(
            actor=None, role=Role.SERVICE, agency=NOBODY, correlation_id=uuid4(), protocol=protocol.version
        )
        for _ in range(ATTEMPTS):
            history = self.site.log.load(stream)
            events = _due(history, topics, now, protocol)
            if not events:
                return 0
            try:
                self.site.log.record([append(stream, history[-1].version, *events)], envelope)
            except Conflict:  # another worker, or a command that came between
                continue
            except Erased:  # nothing falls due any more
                return 0
            return len(events)
        raise Conflict("the stream moves too fast")


def _due(history: Sequence[Recorded[Event]], topics: Sequence[str], now: datetime, protocol: Protocol) -> list[Event]:
    """Return what has fallen due on a stream by all of its clocks."""
    dues = dict.fromkeys(CLOCKS[topic].due for topic in topics)
    return [event for due in dues for event in due(history, now, protocol)]
