"""Say how a site is: nothing of whom it is about."""

from __future__ import annotations

import typer

from adapters.bootstrap import Parts
from adapters.postgres.projector import parked
from adapters.postgres.sealer import Sealer
from adapters.settings import Settings
from domain.protocol import NoProtocol
from projections.views import VIEWS


def examine(parts: Parts, settings: Settings) -> bool:
    """Print what was found, and what to do about it; return whether all is well."""
    well = True
    position = parts.log.position()
    typer.echo(f"log: {position} positions")
    for view in VIEWS.values():
        behind = position - parts.log.view_position(view.reader)
        typer.echo(f"view {view.name}: {'up to date' if behind <= 0 else f'{behind} positions behind'}")
    for held in parked(parts.database.login("projector")):
        well = False
        typer.echo(
            f"view {held.view}: someone could not be computed since {held.parked_at:%Y-%m-%d %H:%M} ({held.error}, "
            f"position {held.position}): dark to partners until a version that can is installed"
        )
    try:
        typer.echo(f"protocol: {parts.site.protocol().version}")
    except NoProtocol as error:
        well = False
        typer.echo(f"protocol: {error}")
    sealer = Sealer(parts.database.login("sealer"), parts.database.secrets.checkpoint_key, settings.origin)
    findings = sealer.verify()
    well = well and not findings
    typer.echo("seals: every leaf and checkpoint verifies" if not findings else "seals: " + "; ".join(findings))
    return well
