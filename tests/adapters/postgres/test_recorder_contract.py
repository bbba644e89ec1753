"""The library's own contract tests, on our recorder, as the unprivileged login of the application."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import ModuleType
from unittest.mock import patch
from uuid import UUID, uuid4

import psycopg
import pytest
from eventsourcing.persistence import IntegrityError, StoredEvent

from adapters.postgres.recorder import GateRecorder, LogDatastore
from tests.conftest import Database

# The library's tests import its cipher, which needs pycryptodome; none that we run uses it.
_cipher = ModuleType("eventsourcing.cipher")
_cipher.AESCipher = object  # type: ignore[attr-defined]
with patch.dict(sys.modules, {_cipher.__name__: _cipher}):
    from eventsourcing.tests.persistence import ApplicationRecorderTestCase, NonInterleavingNotificationIDsBaseCase

pytestmark = pytest.mark.server


class Fresh:
    """A recorder on a fresh database for each test."""

    @pytest.fixture(autouse=True)
    def _connected(self, site_db: Database) -> Iterator[None]:
        self.datastore = LogDatastore(site_db.login("recorder"), pool_size=5)
        yield
        self.datastore.close()

    def create_recorder(self) -> GateRecorder:
        return GateRecorder(self.datastore)

    def new_originator_id(self) -> UUID:
        return uuid4()


class TestApplicationRecorder(Fresh, ApplicationRecorderTestCase[GateRecorder]):
    def test_insert_subscribe(self) -> None:
        self.optional_test_insert_subscribe()

    def test_performance(self) -> None:
        pytest.skip("a benchmark: tests/benchmarks measures recording")

    def test_concurrent_throughput(self) -> None:
        pytest.skip("a benchmark: tests/benchmarks measures recording")


class TestNonInterleavingNotificationIDs(Fresh, NonInterleavingNotificationIDsBaseCase):
    pass


@pytest.fixture
def recorder(site_db: Database) -> Iterator[GateRecorder]:
    datastore = LogDatastore(site_db.login("recorder"))
    yield GateRecorder(datastore)
    datastore.close()


def test_the_login_can_only_read_and_record(recorder: GateRecorder, site_db: Database) -> None:
    recorder.insert_events([StoredEvent(uuid4(), 1, "t", b"s")])
    with psycopg.connect(site_db.login("recorder"), autocommit=True) as connection:
        for statement in (
            "insert into log.event select * from log.event",
            "update log.event set topic = 'u'",
            "delete from log.event",
            "truncate log.event",
            "update log.key set wrapped = null",
            "insert into log.key select * from log.key",
            "insert into log.answer select * from log.answer",
            "update gate.consent set epoch = 0",
            "update gate.authority set alive = true",
            "select nextval('log.position')",
            "select gate.apply('roi.granted', null, null, null, null, 1)",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(statement.encode())
        assert connection.execute("select topic from log.event").fetchall() == [("t",)]


def test_all_or_nothing(recorder: GateRecorder) -> None:
    stream, other = uuid4(), uuid4()
    recorder.insert_events([StoredEvent(stream, 1, "t", b"s")])
    with pytest.raises(IntegrityError):
        recorder.insert_events([StoredEvent(other, 1, "t", b"s"), StoredEvent(stream, 1, "t", b"s")])
    assert not recorder.select_events(other)


def test_a_refusal_carries_nothing_of_the_row(recorder: GateRecorder) -> None:
    canary = b"canary7391"
    stream = uuid4()
    recorder.insert_events([StoredEvent(stream, 1, "t", canary)])
    for bad in StoredEvent(stream, 1, "t", canary), StoredEvent(uuid4(), 1, "roi.granted", canary):
        with pytest.raises(Exception) as caught:  # noqa: PT011  # of two kinds
            recorder.insert_events([bad])
        assert caught.value.__context__ is None
        assert caught.value.__cause__ is None
        assert canary.decode() not in str(caught.value)
        assert canary.hex() not in str(caught.value)
        assert str(stream) not in str(caught.value)
