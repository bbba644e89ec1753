"""A real PostgreSQL for the tests that ask: of `GOLDENTHREAD_TEST_POSTGRES` (its owner's URL), or the embedded one."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex

import psycopg
import pytest
from hypothesis import settings
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from adapters.postgres.migrate import admit, login_url, migrate
from adapters.postgres.server import EmbeddedServer
from adapters.secrets import ROLES, Secrets

_VARIABLE = "GOLDENTHREAD_TEST_POSTGRES"

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


def pytest_report_header() -> str:
    url = os.environ.get(_VARIABLE)
    if not url:
        return f"postgresql: embedded ({_VARIABLE} not set)"
    where = conninfo_to_dict(url)
    return f"postgresql: {where.get('host', 'local')}:{where.get('port', 5432)} ({_VARIABLE})"


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """The URL of a server's owner."""
    if url := os.environ.get(_VARIABLE):
        yield url
        return
    folder = Path(tempfile.mkdtemp(prefix="goldenthread-test-", dir="/tmp"))
    folder.chmod(0o711)  # started by root, PostgreSQL runs as another user, who must get in
    embedded = EmbeddedServer(folder / "data", folder / "secrets")
    try:
        yield embedded.ensure()
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


@contextmanager
def _created(server: str, template: str = "template0") -> Iterator[str]:
    name = f"gt_{token_hex(6)}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"create database {name} template {template}".encode())
    try:
        yield make_conninfo(server, dbname=name)
    finally:
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(f"drop database {name} with (force)".encode())
