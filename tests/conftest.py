"""Real servers for the tests that ask.

PostgreSQL: of `GOLDENTHREAD_TEST_POSTGRES` (its owner's URL), or the embedded one. Kafka: the Apache Kafka of
`GOLDENTHREAD_TEST_KAFKA` (host:port), or one of our own where Java and Maven are found, or the Tansu stand-in.
"""

from __future__ import annotations

import gc
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex

import psycopg
import pytest
from hypothesis import settings
from kafka import KafkaAdminClient
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from adapters.kafka.broker import ApacheKafka, BrokerFailed, Tansu
from adapters.postgres.migrate import admit, login_url, migrate
from adapters.postgres.server import EmbeddedServer
from adapters.secrets import ROLES, Secrets

_VARIABLE = "GOLDENTHREAD_TEST_POSTGRES"
_KAFKA = "GOLDENTHREAD_TEST_KAFKA"

settings.register_profile("unhurried", deadline=None)  # how long an example takes is the machine's affair
settings.load_profile("unhurried")


@dataclass(frozen=True)
class Database:
    """A site's database of a test's own."""

    owner_url: str
    secrets: Secrets
    prefix: str

    def login(self, role: str) -> str:
        """Return the connection string of one of the site's login roles."""
        return login_url(self.owner_url, self.secrets, role, self.prefix)


def pytest_report_header() -> list[str]:
    if url := os.environ.get(_VARIABLE):
        where = conninfo_to_dict(url)
        postgres = f"{where.get('host', 'local')}:{where.get('port', 5432)} ({_VARIABLE})"
    else:
        postgres = f"embedded ({_VARIABLE} not set)"
    if address := os.environ.get(_KAFKA):
        kafka = f"{address} ({_KAFKA})"
    elif lacking := ApacheKafka.missing():
        kafka = f"Tansu, on which tests of Apache Kafka are skipped ({_KAFKA} not set). {lacking}"
    else:
        kafka = f"Apache Kafka of its own ({_KAFKA} not set)"
    return [f"postgresql: {postgres}", f"kafka: {kafka}"]


def pytest_collection_finish(session: pytest.Session) -> None:
    gc.collect()
    gc.freeze()  # what was imported stays: nobody need look through it again and again
    # Fetched here, where no test's time runs. What goes wrong is told by the test that asks for the broker.
    if not os.environ.get(_KAFKA) and any(item.get_closest_marker("kafka") for item in session.items):
        with suppress(BrokerFailed):
            ApacheKafka.fetch()


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """The URL of a server's owner. As its keeper must, we let no site's login into another database than its own."""
    with _running() as url:
        with psycopg.connect(url) as connection:
            connection.execute(f"revoke connect on database {connection.info.dbname} from public".encode())
        yield url


@contextmanager
def _running() -> Iterator[str]:
    if url := os.environ.get(_VARIABLE):
        yield url
        return
    folder = Path(tempfile.mkdtemp(prefix="goldenthread-test-", dir="/tmp"))
    folder.chmod(0o711)  # started by root, PostgreSQL runs as another user, who must get in
    embedded = EmbeddedServer(folder / "data", folder / "secrets")
    try:
        url = embedded.ensure()
        with psycopg.connect(url, autocommit=True) as connection:
            # What outlives a crash is tested on servers of their own.
            connection.execute("alter system set fsync = off")
            connection.execute("select pg_reload_conf()")
        yield url
    finally:
        embedded.stop()
        shutil.rmtree(folder)


@pytest.fixture(scope="session")
def secrets_and_prefix(server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Secrets, str]]:
    """The secrets and the prefix of login roles that all test databases of one session share."""
    prefix = f"gt_test_{token_hex(3)}"
    yield Secrets.make(tmp_path_factory.mktemp("site") / "secrets"), prefix
    with psycopg.connect(server, autocommit=True) as connection:
        for role in ROLES:
            connection.execute(f"drop role if exists {prefix}_{role}_login".encode())


@pytest.fixture(scope="session")
def template(server: str, secrets_and_prefix: tuple[Secrets, str]) -> Iterator[str]:
    """The name of a migrated database to copy."""
    secrets, prefix = secrets_and_prefix
    with _created(server) as url:
        migrate(url, secrets, environment="test", prefix=prefix)
        yield str(conninfo_to_dict(url)["dbname"])


@pytest.fixture
def empty_db(server: str, secrets_and_prefix: tuple[Secrets, str]) -> Iterator[Database]:
    """A fresh database, not migrated."""
    with _created(server) as url:
        yield Database(url, *secrets_and_prefix)


@pytest.fixture
def new_site_db(
    server: str, template: str, secrets_and_prefix: tuple[Secrets, str]
) -> Iterator[Callable[[], Database]]:
    """Make fresh migrated databases, of the environment `test`, all with the same secrets."""
    with ExitStack() as stack:

        def make() -> Database:
            url = stack.enter_context(_created(server, template))
            with psycopg.connect(url) as connection:
                admit(connection, secrets_and_prefix[1])
            return Database(url, *secrets_and_prefix)

        yield make


@pytest.fixture
def site_db(new_site_db: Callable[[], Database]) -> Database:
    """A fresh migrated database, of the environment `test`."""
    return new_site_db()


@pytest.fixture(scope="module")
def shared_db(server: str, template: str, secrets_and_prefix: tuple[Secrets, str]) -> Iterator[Database]:
    """A migrated database that the tests of a module share: for those that leave nothing the others could meet."""
    with _created(server, template) as url:
        with psycopg.connect(url) as connection:
            admit(connection, secrets_and_prefix[1])
        yield Database(url, *secrets_and_prefix)


@pytest.fixture(scope="session")
def kafka() -> Iterator[str]:
    """The address of a broker that all tests of one process share: Apache Kafka where it can be had, else Tansu."""
    if address := os.environ.get(_KAFKA):
        yield address
        return
    kind = Tansu if ApacheKafka.missing() else ApacheKafka
    with tempfile.TemporaryDirectory(prefix="goldenthread-test-") as folder, kind(Path(folder)) as address:
        yield address


@pytest.fixture
def apache_kafka(kafka: str) -> str:
    """The same, for what only Apache Kafka does."""
    if not os.environ.get(_KAFKA):
        _skip_without_apache_kafka()
    return kafka


@pytest.fixture
def own_kafka(tmp_path: Path) -> Iterator[ApacheKafka]:
    """An Apache Kafka of the test's own, started, to be killed and started again."""
    _skip_without_apache_kafka()
    broker = ApacheKafka(tmp_path / "kafka")
    with broker:
        yield broker


@pytest.fixture
def new_topic(kafka: str) -> Iterator[Callable[..., str]]:
    """Make topics of unique names on the shared broker; `configs` are each topic's own, by Kafka's names."""
    made: list[str] = []
    client = KafkaAdminClient(bootstrap_servers=kafka)

    def make(name: str = "test", *, partitions: int = 1, **configs: str) -> str:
        topic = f"{name}.{token_hex(6)}"
        wanted = {"num_partitions": partitions, "replication_factor": 1, "configs": configs}
        client.create_topics({topic: wanted}, wait_for_metadata=True)
        made.append(topic)
        return topic

    yield make
    if made:
        client.delete_topics(made, raise_errors=False)  # a test may have deleted its own
    client.close()


def _skip_without_apache_kafka() -> None:
    if lacking := ApacheKafka.missing():
        pytest.skip(f"Only Apache Kafka does this. {lacking}")


@contextmanager
def _created(server: str, template: str = "template0") -> Iterator[str]:
    name = f"gt_{token_hex(6)}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"create database {name} template {template}".encode())
        connection.execute(f"revoke connect on database {name} from public".encode())
    try:
        yield make_conninfo(server, dbname=name)
    finally:
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(f"drop database {name} with (force)".encode())
