"""Compute views again beside the ones that are read, and put each in its place in one transaction."""

from __future__ import annotations

from typing import Annotated

import typer

from adapters.bootstrap import ceiling_of, database, opened
from adapters.postgres.migrate import MigrationRefused
from adapters.postgres.projector import rebuild as rebuild_views
from adapters.settings import Settings
from domain.labels import Reader
from projections.views import VIEWS

Names = Annotated[list[Reader] | None, typer.Argument(help="The views; all, if none is named.")]


def rebuild(views: Names = None) -> None:
    """Compute views again from the log, while the site goes on reading and writing."""
    settings = Settings()
    if settings.database_url is not None and settings.owner_url is None:
        raise MigrationRefused("A rebuild makes tables: give the owner's URL in GOLDENTHREAD_OWNER_URL.")
    chosen = [view for view in VIEWS.values() if not views or view.reader in views]
    with database(settings) as db, opened(db, settings) as parts:
        typer.echo(f"Computing {', '.join(view.name for view in chosen)} again. Readers go on with what they have.")
        for done in rebuild_views(chosen, settings.owner_url or db.url, parts.log, ceiling_of(parts.site.directory)):
            dark = f"; {done.parked} could not be computed: see `goldenthread doctor`" if done.parked else ""
            typer.echo(
                f"view {done.view}: {done.rows} rows of {done.subjects} subjects, {done.events} events,"
                f" at position {done.position}, {done.seconds:.1f} s{dark}"
            )
