"""Replace the site key, while the site goes on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from adapters.bootstrap import owner
from adapters.postgres import renewal
from adapters.secrets import Secrets
from adapters.settings import Settings

app = typer.Typer(no_args_is_help=True, help="Replace the key that wraps all others.")


@app.callback()
def keys() -> None:
    """Replace the key that wraps all others."""


@app.command()
def renew(
    algorithm: Annotated[
        Literal["AES-256-GCM", "ChaCha20-Poly1305"], typer.Option(help="By what the new site key wraps.")
    ] = "AES-256-GCM",
    only_make: Annotated[
        bool,
        typer.Option("--only-make", help="Make the new site key and stop, so that it can be kept elsewhere first."),
    ] = False,
    data_dir: Annotated[Path | None, typer.Option(help="Where the site keeps its own PostgreSQL.")] = None,
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
