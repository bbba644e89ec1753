"""A copy of the site's database, and its restoring: keys apart from what they open, and nothing that can be read.

The copy holds the log as it is stored, sealed, and no row of a view. The keys are one file, written over each time: so
what was destroyed since a copy was made is not brought back by it (`docs/decisions/0024`).
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from base64 import b64decode, b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import orjson
import psycopg
from psycopg.conninfo import conninfo_to_dict

from adapters.postgres.keyring import SiteKeys, WrappedKey
from adapters.postgres.migrate import PREFIX, SQL, MigrationRefused, migrate
from adapters.postgres.server import ServerFailed, binaries
from adapters.secrets import Secrets
from projections.views import VIEWS

_LEFT_OUT: Final = ("log.key", "log.site_key", "log.view", "log.parked", "site.context_key")
_COLUMNS: Final = ("key_id", "subject_id", "wrapped", "wrapped_by", "made_at", "destroyed_at")
_NAMES: Final = ", ".join(_COLUMNS)
_WRAPPED: Final = _COLUMNS.index("wrapped")


def back_up(owner_url: str, copy: Path, keys: Path) -> int:
    """Copy the database to a file and its keys to another; return how many keys. Both are replaced when complete.

    Raises `ServerFailed`, `OSError`, `psycopg.Error`.
    """
    left_out = [*_LEFT_OUT, *(f"{view.name}.*" for view in VIEWS.values())]
    with _aside(copy) as draft:
        arguments = [f"--exclude-table-data={name}" for name in left_out]
        _call(owner_url, "pg_dump", "--format=custom", "--no-owner", f"--file={draft}", *arguments)
    count = 0
    # After the copy, so that no key is missing of what is in it.
    with psycopg.connect(owner_url) as connection, _aside(keys) as draft, draft.open("wb") as file:
        read = f"select {_NAMES} from log.key order by made_at, key_id"  # noqa: S608 - our own names
        for row in connection.execute(read.encode()):
            file.write(_line(row))
            count += 1
        file.flush()
        os.fsync(file.fileno())
    return count


def restore(owner_url: str, copy: Path, keys: Path, secrets: Secrets, *, prefix: str = PREFIX) -> int:
    """Restore a copy into an empty database, with the keys as they are now; return how many rows of the gate differed.

    Raises `MigrationRefused` for a database that is not empty, or keys of other secrets; `ServerFailed`, `OSError`,
    `psycopg.Error`.
    """
    _check_keys(keys, secrets)
    with psycopg.connect(owner_url, autocommit=True) as connection:
        if connection.execute("select to_regclass('site.migration')").fetchall() != [(None,)]:
            raise MigrationRefused("The database holds a site already: restore into an empty one.")
        connection.execute((SQL / "privileges" / "0_roles.sql").read_bytes())
    _call(owner_url, "pg_restore", "--no-owner", "--exit-on-error", "--single-transaction", str(copy))
    copying = f"copy log.key ({_NAMES}) from stdin".encode()
    with psycopg.connect(owner_url) as connection, connection.cursor() as cursor, cursor.copy(copying) as rows:
        for row in _lines(keys):
            rows.write_row(row)
    migrate(owner_url, secrets, prefix=prefix)
    with psycopg.connect(owner_url) as connection:
        changed: int = connection.execute("select gate.derive()").fetchall()[0][0]
    return changed


@contextmanager
def _aside(path: Path) -> Iterator[Path]:
    """Return a file beside this one, which takes its place when it is complete."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=".")
    os.close(descriptor)
    draft = Path(name)
    try:
        yield draft
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def _line(row: tuple[Any, ...]) -> bytes:
    told = dict(zip(_COLUMNS, row, strict=True))
    if row[_WRAPPED] is not None:
        told["wrapped"] = b64encode(row[_WRAPPED]).decode()
    return orjson.dumps(told, option=orjson.OPT_APPEND_NEWLINE)


def _lines(keys: Path) -> Iterator[tuple[Any, ...]]:
    with keys.open("rb") as file:
        for line in file:
            told = {"wrapped_by": None, **orjson.loads(line)}  # which copies of once do not say
            if told["wrapped"] is not None:
                told["wrapped"] = b64decode(told["wrapped"])
            yield tuple(told[name] for name in _COLUMNS)


def _check_keys(keys: Path, secrets: Secrets) -> None:
    site = SiteKeys(secrets.site_keys())
    for key_id, subject, wrapped, by, *_ in _lines(keys):
        if wrapped is not None and site.opened(WrappedKey(UUID(key_id), UUID(subject), wrapped, by)) is None:
            raise MigrationRefused(
                f"{keys} has keys that no site key in {secrets.folder} opens ({by or 'which has no name'}): restore it "
                "with the secrets that were kept with it."
            )


def _call(owner_url: str, program: str, *arguments: str) -> None:
    """Run one of PostgreSQL's programs on a database; its URL, which has a password, stays out of the process list."""
    where = conninfo_to_dict(owner_url)
    names = ("host", "hostaddr", "port", "user", "password", "sslmode", "sslrootcert", "sslcert", "sslkey")
    env = {**os.environ, **{f"PG{name.upper()}": str(where[name]) for name in names if where.get(name)}}
    database = ["--dbname", str(where["dbname"])]
    # The wheel's programs know no TLS: what is on another machine is copied by the system's.
    path = shutil.which(program) if where.get("sslmode") else str(binaries() / program)
    if path is None:
        raise ServerFailed(f"{program} is missing: install your distribution's PostgreSQL client.")
    result = subprocess.run(  # noqa: S603 - our own arguments
        [path, "--no-password", *database, *arguments],
        env=env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if result.returncode:
        raise ServerFailed(f"{program} failed:\n{result.stderr[-2000:].strip()}")
