"""Kill -9 of the application and of PostgreSQL in mid-write, ten rounds each, on a whole site at work.

No acknowledged command is lost, none is done twice, the log verifies, and the views are what a rebuild makes of it.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

from adapters.bootstrap import Parts, ceiling_of, database, opened, projectors
from adapters.postgres.projector import rebuild
from adapters.postgres.sealer import Sealer
from adapters.postgres.server import EmbeddedServer
from projections.views import VIEWS
from tests.properties.killed import settings

pytestmark = [pytest.mark.server, pytest.mark.timeout(300)]
ROOT = Path(__file__).parents[2]
ROUNDS = 10


@pytest.fixture
def folder() -> Iterator[Path]:
    made = Path(tempfile.mkdtemp(prefix="gt-kill-", dir="/tmp"))
    made.chmod(0o711)
    yield made
    EmbeddedServer(made / "postgres", made / "secrets").stop()
    shutil.rmtree(made)


@pytest.fixture
def site(folder: Path) -> Iterator[Callable[[], Worker]]:
    """Begins sites in processes of their own; none outlives the test."""
    begun: list[Worker] = []

    def begin() -> Worker:
        begun.append(Worker(folder))
        return begun[-1]

    yield begin
    for worker in begun:
        worker.kill()


class Worker:
    """A site in a process of its own, and the keys of what it says it did."""

    def __init__(self, folder: Path) -> None:
        command = [sys.executable, "-m", "tests.properties.killed", str(folder)]
        self.process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        self.done: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            if line.endswith("\n"):
                self.done.append(line.strip())

    def does_more(self, seconds: float = 60) -> None:
        """Wait until it has done something more."""
        end, before = time.monotonic() + seconds, len(self.done)
        while len(self.done) <= before:
            assert self.process.poll() is None, "the site ended by itself"
            assert time.monotonic() < end, "the site did nothing more"
            time.sleep(0.01)

    def kill(self) -> list[str]:
        """Kill it, and return the keys of what it had done."""
        self.process.kill()
        self.process.wait(60)
        self._reader.join(10)
        return self.done


def test_the_application_is_killed(folder: Path, site: Callable[[], Worker]) -> None:
    acknowledged: list[str] = []
    for _ in range(ROUNDS):
        worker = site()
        for _ in range(random.randrange(1, 6)):  # so that each kind of command is the last at times
            worker.does_more()
        time.sleep(random.uniform(0, 0.3))
        acknowledged += worker.kill()
    check(folder, acknowledged)


def test_postgresql_is_killed(folder: Path, site: Callable[[], Worker]) -> None:
    worker = site()
    worker.does_more()
    server = EmbeddedServer(folder / "postgres", folder / "secrets")
    for _ in range(ROUNDS):
        time.sleep(random.uniform(0, 0.3))
        pid = alive(server)
        os.kill(pid, signal.SIGKILL)
        while server.pid() == pid:
            time.sleep(0.002)
        alive(server)  # the site has started it again
        worker.does_more()
    check(folder, worker.kill())


def alive(server: EmbeddedServer, seconds: float = 60) -> int:
    """Wait until the server runs, and return its process."""
    end = time.monotonic() + seconds
    while (pid := server.pid()) is None:
        assert time.monotonic() < end, "nobody started PostgreSQL again"
        time.sleep(0.01)
    return pid


def check(folder: Path, acknowledged: list[str]) -> None:
    assert len(acknowledged) >= ROUNDS
    with at_rest(folder) as parts:
        owner = parts.database.url
        with psycopg.connect(owner) as connection:
            kept = {key for (key,) in connection.execute("select key from log.answer").fetchall()}
            per_key = connection.execute(
                "select count(*) from log.event where topic in ('contact.made', 'share.made')"
            ).fetchone()
        assert set(acknowledged) <= kept, "an acknowledged command was lost"
        assert len(set(acknowledged)) == len(acknowledged)
        assert per_key is not None
        assert per_key[0] <= len(kept), "a command was done twice"
        for runner in projectors(parts):
            while runner.run_once():
                pass
        before = tables(owner)
        assert all(
            before[name] for name in ("case_manager.entry", "police.granted_entry", "recipient.granted_participant")
        )
        rebuild(list(VIEWS.values()), owner, parts.log, ceiling_of(parts.site.directory))
        assert tables(owner) == before
        sealer = Sealer(parts.database.login("sealer"), parts.database.secrets.checkpoint_key, settings(folder).origin)
        sealer.seal()
        assert sealer.verify() == []


@contextmanager
def at_rest(folder: Path) -> Iterator[Parts]:
    with database(settings(folder)) as db, opened(db, settings(folder)) as parts:
        yield parts


def tables(owner: str) -> dict[str, list[Any]]:
    """Return every row of every view."""
    found: dict[str, list[Any]] = {}
    with psycopg.connect(owner) as connection:
        for view in VIEWS.values():
            for model in view.models:
                names = sql.SQL(", ").join(sql.Identifier(column.name) for column in model.columns)
                query = sql.SQL("select {} from {}").format(names, sql.Identifier(model.reader.value, model.name))
                found[model.table] = sorted(map(repr, connection.execute(query).fetchall()))
    return found
