"""The relay's beat: one relay at a time, once in each period, and on again after a failure."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, cast

import pytest

from adapters.kafka.relay import Beats
from services.ports import Unavailable
from services.relay import Relay
from tests.conftest import Database

pytestmark = pytest.mark.server
SECONDS = 0.5


class Counted:
    """A relay that notes when it beats."""

    def __init__(self, fails: int = 0) -> None:
        self.at: list[float] = []
        self.fails = fails

    def caught_up(self) -> bool:
        return True

    def beat(self) -> int:
        self.at.append(time.time())
        if len(self.at) <= self.fails:
            raise Unavailable
        return 0


@contextmanager
def beating(db: Database, relay: Any, note: Callable[[str | None], None] = lambda _: None) -> Iterator[Beats]:
    beats, stop = Beats(cast("Relay", relay), db.login("recorder"), SECONDS, note), threading.Event()
    thread = threading.Thread(target=beats.run, args=(stop,), daemon=True)
    thread.start()
    try:
        yield beats
    finally:
        stop.set()
        thread.join(10)
        assert not thread.is_alive()


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_one_relay_beats_at_a_time_and_another_goes_on(site_db: Database) -> None:
    first, second = Counted(), Counted()
    with beating(site_db, second) as waits:
        until(lambda: waits.leads)
        with beating(site_db, first) as leads:
            until(lambda: len(second.at) >= 4)
            assert (first.at, leads.leads) == ([], False)
    periods = [int(at / SECONDS) for at in second.at]
    assert len(set(periods)) == len(periods), "once in each period"
    with beating(site_db, first):
        until(lambda: len(first.at) > 0)


def test_after_a_failure_the_next_beat_goes_on(site_db: Database) -> None:
    relay, noted = Counted(fails=1), list[str | None]()
    with beating(site_db, relay, noted.append) as beats:
        until(lambda: beats.failure == "Unavailable")
        until(lambda: len(relay.at) >= 2)
        until(lambda: beats.failure is None)
    assert noted[:2] == ["Unavailable", None]


def test_what_cannot_be_noted_ends_no_relay(site_db: Database) -> None:
    """The database is away: neither a beat nor that it failed can be written down."""

    def away(_: str | None) -> None:
        raise Unavailable

    relay = Counted(fails=1)
    with beating(site_db, relay, away):
        until(lambda: len(relay.at) >= 3)
