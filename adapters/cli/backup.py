"""Copy a site, keys apart, and restore it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from adapters.bootstrap import owner
from adapters.postgres import backup as copies
from adapters.postgres.migrate import MigrationRefused
from adapters.postgres.server import EmbeddedServer
from adapters.secrets import Secrets
from adapters.settings import Settings

Copy = Annotated[Path, typer.Argument(help="The copy of the database.")]
Keys = Annotated[Path, typer.Option(help="The file of keys, on another medium; written over each time.")]
DataDir = Annotated[Path | None, typer.Option(help="Where the site keeps its own PostgreSQL.")]


def backup(copy: Copy, keys: Keys, data_dir: DataDir = None) -> None:
    """Copy the database, without its keys; and the keys, over those that were copied before."""
    settings = Settings() if data_dir is None else Settings(data_dir=data_dir)
    with owner(settings) as url:
        count = copies.back_up(url, copy, keys)
    typer.echo(
        f"Copied to {copy}; {count} keys to {keys}. Keep no older copy of the keys: it would open what was erased."
    )


def restore(copy: Copy, keys: Keys, data_dir: DataDir = None) -> None:
    """Restore a copy into an empty database, with the keys as they were copied last."""
    settings = Settings() if data_dir is None else Settings(data_dir=data_dir)
    with _empty(settings) as owner_url:
        secrets = Secrets.read(settings.secrets_dir)
        changed = copies.restore(owner_url, copy, keys, secrets, prefix=settings.prefix)
    typer.echo(f"Restored. The gate was made anew from the log; {changed} of its rows had stood otherwise.")
    typer.echo("What was signed, revoked or told after the copy was made is not in it: ask before you share.")


@contextmanager
def _empty(settings: Settings) -> Iterator[str]:
    """Return the URL of the owner of the database to restore into: the configured one, or the site's own."""
    if settings.owner_url is not None:
        yield settings.owner_url
    elif settings.database_url is not None:
        raise MigrationRefused("Give the URL of an empty database's owner in GOLDENTHREAD_OWNER_URL.")
    else:
        settings.data_dir.mkdir(parents=True, exist_ok=True)
        with EmbeddedServer(settings.data_dir / "postgres", settings.secrets_dir) as owner_url:
            yield owner_url
