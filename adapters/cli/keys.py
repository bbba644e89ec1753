"""Replace the site key, and the passwords of the database logins, while the site goes on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from adapters.bootstrap import database, owner
from adapters.postgres import renewal
from adapters.postgres.migrate import renew_passwords
from adapters.secrets import Secrets, SecretsUnsafe
from adapters.secrets import seal as seal_folder
from adapters.settings import Settings

app = typer.Typer(no_args_is_help=True, help="Replace the site's own secrets, while it runs.")
DataDir = Annotated[Path | None, typer.Option(help="Where the site keeps its own PostgreSQL.")]


@app.command()
def renew(
    algorithm: Annotated[
        Literal["AES-256-GCM", "ChaCha20-Poly1305"], typer.Option(help="By what the new site key wraps.")
    ] = "AES-256-GCM",
    only_make: Annotated[
        bool,
        typer.Option("--only-make", help="Make the new site key and stop, so that it can be kept elsewhere first."),
    ] = False,
    data_dir: DataDir = None,
) -> None:
    """Make a new site key, wrap every data key anew, and drop the old one; go on with what was begun."""
    settings = Settings() if data_dir is None else Settings(data_dir=data_dir)
    if only_make:
        name = renewal.prepare(Secrets.read(settings.secrets_dir))
        typer.echo(f"Made {name} in {settings.secrets_dir}: keep a copy, then `goldenthread keys renew`.")
        return
    with owner(settings) as url:
        for done in renewal.renew(url, Secrets.read(settings.secrets_dir), algorithm):
            typer.echo(f"{done:,} keys wrapped anew", err=True)
    typer.echo(f"Every key is wrapped by the new site key; the one from before is gone from {settings.secrets_dir}.")
    typer.echo("Keep a copy of the secrets and `goldenthread backup` now: keys copied before need the secrets of then.")


@app.command()
def logins(data_dir: DataDir = None) -> None:
    """Give each database login a new password; go on with what was begun."""
    settings = Settings() if data_dir is None else Settings(data_dir=data_dir)
    with database(settings) as db:
        renew_passwords(db.url, db.secrets, db.prefix)
    typer.echo("Every login has a new password. Keep a copy of the secrets.")


@app.command()
def seal() -> None:
    """Seal what lies in the folder of secrets by what systemd gives this process; go on with what was begun."""
    settings = Settings()
    if settings.database_url is None:
        raise SecretsUnsafe("The site's own server reads its password in clear: seal with a GOLDENTHREAD_DATABASE_URL.")
    folder = settings.secrets_dir
    typer.echo(
        f"{seal_folder(folder)} secrets in {folder} are sealed. Keep a copy of the folder, and of what sealed it."
    )
