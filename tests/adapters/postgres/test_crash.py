"""Kill -9 in mid-write, of the application and of PostgreSQL: what was acknowledged stays, no version is missing."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event as Flag
from uuid import UUID, uuid4

import pytest

from adapters.postgres.log import PostgresLog
from adapters.postgres.migrate import login_url, migrate
from adapters.postgres.server import EmbeddedServer
from adapters.secrets import Secrets
from domain.contact import ContactKind, ContactMade
from domain.event import Envelope, Event
from domain.registry import Role, StaffRegistered
from services.ports import AlreadyAnswered, Answer, Append, Unavailable
from tests.adapters.postgres.events import NOON
from tests.conftest import Database

pytestmark = pytest.mark.server

ROOT = Path(__file__).parents[3]
ROUNDS = [3, pytest.param(10, marks=pytest.mark.long)]
WRITER = """
import sys
from pathlib import Path
from uuid import UUID
from adapters.postgres.log import PostgresLog
from adapters.secrets import Secrets
from services.ports import Append
from tests.adapters.postgres.test_crash import SYSTEM, contact
log = PostgresLog(sys.argv[1], Secrets.read(Path(sys.argv[2])))
stream, version = UUID(sys.argv[3]), 0
while True:
    log.record([Append(stream, version, [contact()])], SYSTEM)
    version += 1
    print(version, flush=True)
"""
SYSTEM = Envelope(actor=None, role="service", agency=uuid4(), correlation_id=uuid4())


def contact() -> Event:
    return ContactMade(
        participant_id=UUID(int=7), party_id=uuid4(), occurred_at=NOON, kind=ContactKind.RIDE, reached=True
    )


@pytest.mark.parametrize("rounds", ROUNDS)
def test_the_application_is_killed(site_db: Database, rounds: int) -> None:
    url, log = site_db.login("recorder"), PostgresLog(site_db.login("recorder"), site_db.secrets)
    for _ in range(rounds):
        stream = uuid4()
        command = [sys.executable, "-c", WRITER, url, str(site_db.secrets.folder), str(stream)]
        writer = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        assert writer.stdout
        assert writer.stdout.readline() == "1\n"
        time.sleep(random.uniform(0.01, 0.2))
        writer.kill()
        acknowledged = [1, *map(int, writer.stdout.read().split())]
        writer.stdout.close()
        writer.wait(60)
        versions = [recorded.version for recorded in log.load(stream)]
        assert versions == list(range(1, len(versions) + 1))
        assert len(acknowledged) <= len(versions) <= len(acknowledged) + 1, "at most the one under way came on top"
    log.close()


@pytest.fixture
def embedded() -> Iterator[EmbeddedServer]:
    folder = Path(tempfile.mkdtemp(prefix="gt-crash-", dir="/tmp")).resolve()
    folder.chmod(0o711)
    server = EmbeddedServer(folder / "pg", folder / "secrets")
    try:
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder)


@pytest.mark.parametrize("rounds", ROUNDS)
def test_postgresql_is_killed(embedded: EmbeddedServer, tmp_path: Path, rounds: int) -> None:
    """The application stays, and repeats under the same key what it got no answer to: done once, in every case."""
    owner, secrets = embedded.ensure(), Secrets.make(tmp_path / "secrets")
    migrate(owner, secrets, environment="test")
    log = PostgresLog(login_url(owner, secrets, "recorder"), secrets)
    staff = uuid4()
    who = StaffRegistered(
        staff_id=staff, party_id=uuid4(), occurred_at=NOON, name="Ann Lee", role=Role.CASE_MANAGER, subject="ann"
    )
    log.record([Append(staff, 0, [who])], SYSTEM)
    envelope = SYSTEM.model_copy(update={"actor": staff})
    done, streams = Flag(), [uuid4() for _ in range(4)]
    unanswered: list[str] = []

    def write(stream: UUID) -> int:
        version = 0
        while not done.is_set():
            answer = Answer(f"{stream}/{version + 1}", b"digest", {})
            try:
                log.record([Append(stream, version, [contact()])], envelope, answer)
            except Unavailable:
                unanswered.append(answer.key)
                continue
            except AlreadyAnswered:
                assert answer.key in unanswered
            version += 1
        return version

    with ThreadPoolExecutor(len(streams)) as pool:
        try:
            writers = [pool.submit(write, stream) for stream in streams]
            for _ in range(rounds):
                before = log.position()
                while log.position() < before + 20:
                    time.sleep(0.005)
                time.sleep(random.uniform(0, 0.1))
                pid = embedded.pid()
                assert pid
                os.kill(pid, signal.SIGKILL)
                while embedded.pid() == pid:  # it takes the kernel an instant
                    time.sleep(0.002)
                embedded.ensure()
                _answers_again(log)
        finally:
            done.set()
        acknowledged = {stream: writer.result(60) for stream, writer in zip(streams, writers, strict=True)}
    assert unanswered, "it was killed in mid-write"
    for stream, last in acknowledged.items():
        assert [recorded.version for recorded in log.load(stream)] == list(range(1, last + 1))
    log.close()


def _answers_again(log: PostgresLog) -> None:
    end = time.monotonic() + 30
    while True:
        try:
            log.position()
        except Unavailable:
            assert time.monotonic() < end
        else:
            return
