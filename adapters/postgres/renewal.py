"""A new site key in the place of the old, while the site goes on.

First the new key is made beside the old; then the database says that it is in use, and nothing is wrapped by the old
one any more; then every data key is wrapped anew; then the old one is dropped. A renewal that was ended at any point,
by whatever, is gone on with by the next. It needs the owner's URL: no login of the site may write wrapped keys.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Final
from uuid import UUID

import psycopg
from psycopg.rows import args_row, scalar_row

from adapters.postgres.keyring import ALGORITHMS, DEFAULT, SiteKeys, WrappedKey, WrongSiteKey, site_key_name
from adapters.secrets import Secrets

_BATCH: Final = 500
_PAUSE_SECONDS: Final = 0.2
_STOPPED_AFTER: Final = "5s"
_NAMELESS: Final = "from before they had names"
_KEYS: Final = "select key_id, subject_id, wrapped, wrapped_by from log.key"
_OTHERS: Final = "wrapped is not null and wrapped_by is distinct from %s"


def renew(owner_url: str, secrets: Secrets, algorithm: str = DEFAULT) -> Iterator[int]:
    """Replace the site key, or go on with replacing it; yield after each batch how many keys are wrapped anew.

    `algorithm`: one of `ALGORITHMS`; a renewal that was begun keeps its own. Raises `WrongSiteKey` for a key that no
    site key opens, and then drops none; `SecretsUnsafe`, `psycopg.Error`.
    """
    with secrets.alone(), psycopg.connect(owner_url, autocommit=True) as connection:
        # Nothing is dropped before what replaces it is on the disk, and nobody waits for one who has stopped.
        connection.execute(
            "select set_config('synchronous_commit', 'on', false),"
            " set_config('idle_in_transaction_session_timeout', %s, false)",
            [_STOPPED_AFTER],
        )
        following, done = secrets.next_site_key(), 0
        site = SiteKeys(secrets.site_keys())
        name = _put_in_use(connection, site, following, algorithm)
        while _is_any_left(connection, name):
            before = done
            for count in _wrapped_anew(connection, site, name):
                done += count
                yield done
            if done == before:
                time.sleep(_PAUSE_SECONDS)  # others hold what is left, to destroy it
        secrets.drop_site_key()


def prepare(secrets: Secrets) -> str:
    """Make the next site key and nothing more, to be kept in other places before anything needs it; return its name."""
    with secrets.alone():
        return site_key_name(secrets.next_site_key())


def old_keys(url: str) -> dict[str, int]:
    """Return how many data keys are still wrapped by another site key than the one in use, by its name."""
    counted = f"select coalesce(wrapped_by, %s), count(*) from log.key where {_OTHERS} group by 1 order by 1"  # noqa: S608
    with psycopg.connect(url) as connection:
        return dict(connection.execute(counted.encode(), [_NAMELESS, _in_use(connection)]).fetchall())


def check_keys(url: str, secrets: Secrets) -> list[str]:
    """Return which data keys no site key opens, by their own ids, and how many an old one wrapped."""
    findings: list[str] = []
    with (
        psycopg.connect(url, autocommit=True) as connection,
        connection.cursor(row_factory=args_row(WrappedKey)) as cursor,
    ):
        site = SiteKeys(secrets.site_keys())
        shut = [key.key_id for key in cursor.execute(f"{_KEYS} where wrapped is not null") if site.opened(key) is None]
        # A renewal may have gone on meanwhile: what did not open is looked at again.
        site = SiteKeys(secrets.site_keys())
        again = cursor.execute(f"{_KEYS} where wrapped is not null and key_id = any(%s) order by key_id", [shut])
        findings += [f"the data key {key.key_id} is opened by no site key" for key in again if site.opened(key) is None]
    old = old_keys(url)
    return findings + [f"{count} data keys are wrapped by an old site key ({name})" for name, count in old.items()]


def _put_in_use(connection: psycopg.Connection, site: SiteKeys, following: bytes, algorithm: str) -> str:
    with connection.transaction():
        # Whoever makes a key holds this row until the key is there: those that the old one still wraps are seen below.
        connection.execute("select from log.site_key for update")
        name = _in_use(connection)
        if name is not None and name not in site:
            raise WrongSiteKey(f"the site key in use, {name}, is not among the secrets: copy it there")
        if name in {site_key_name(following, each) for each in ALGORITHMS}:
            return str(name)  # a renewal that was begun
        name = site_key_name(following, algorithm)
        connection.execute(
            "insert into log.site_key (name, since) values (%s, clock_timestamp())"
            " on conflict (one) do update set name = excluded.name, since = excluded.since",
            [name],
        )
        return name


def _in_use(connection: psycopg.Connection) -> str | None:
    return connection.cursor(row_factory=scalar_row).execute("select name from log.site_key").fetchone()


def _is_any_left(connection: psycopg.Connection, name: str) -> bool:
    asked = f"select exists (select from log.key where {_OTHERS})"  # noqa: S608 - our own names
    return bool(connection.cursor(row_factory=scalar_row).execute(asked.encode(), [name]).fetchone())


def _wrapped_anew(connection: psycopg.Connection, site: SiteKeys, name: str) -> Iterator[int]:
    """Wrap all keys anew, a batch in a transaction; yield how many after each. Those that others hold are left."""
    after = UUID(int=0)
    while True:
        with connection.transaction(), connection.cursor(binary=True, row_factory=args_row(WrappedKey)) as cursor:
            # Skipped, not waited for: so this never stands in anybody's way, nor in a deadlock.
            picked = f"{_KEYS} where key_id > %s and {_OTHERS} order by key_id limit %s for update skip locked"
            batch = cursor.execute(picked.encode(), [after, name, _BATCH]).fetchall()
            anew = []
            for stored in batch:
                if (key := site.opened(stored)) is None:
                    raise WrongSiteKey.of(stored.key_id)
                anew.append(site.wrap(name, stored.key_id, stored.subject_id, key))
            cursor.execute(
                "update log.key k set wrapped = r.anew, wrapped_by = %s"
                " from unnest(%s::uuid[], %s::bytea[]) r(key_id, anew) where k.key_id = r.key_id",
                [name, [stored.key_id for stored in batch], anew],
            )
        if not batch:
            return
        after = batch[-1].key_id
        yield len(batch)
