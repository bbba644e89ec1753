"""Derive everything again from what is stored, and say what differs, the first position first."""

from __future__ import annotations

from pathlib import Path
from random import SystemRandom
from typing import Annotated, Final

import typer

from adapters.bootstrap import Parts, ceiling_of, database, opened
from adapters.postgres.fsck import check_gate, check_view
from adapters.postgres.projector import subjects_of
from adapters.postgres.renewal import check_keys
from adapters.postgres.sealer import Sealer
from adapters.settings import Settings
from projections.views import VIEWS
from services.verification import read_held

_SAMPLE: Final = 200
_MOST_SAID: Final = 20


def fsck(
    everyone: Annotated[bool, typer.Option("--all", help="Compute everybody's rows again, not those of some.")] = False,
    checkpoint: Annotated[
        Path | None, typer.Option(help="A checkpoint that somebody outside kept: does the log continue it?")
    ] = None,
    data_dir: Annotated[
        Path | None, typer.Option("--data-dir", help="Where the site keeps its own PostgreSQL.")
    ] = None,
) -> None:
    """Derive leaves, checkpoints, gate and views again, and open every key; exit status 1 where one differs."""
    settings = Settings() if data_dir is None else Settings(data_dir=data_dir)
    held = None if checkpoint is None else read_held(checkpoint.read_text()).note
    with database(settings) as db, opened(db, settings) as parts:
        raise typer.Exit(1 if examined(parts, settings, None if everyone else _SAMPLE, held) else 0)


def examined(parts: Parts, settings: Settings, sample: int | None, held: str | None = None) -> list[str]:
    """Say what differs, and return it; `sample`: of how many subjects each view is computed again, None for all."""
    db, log = parts.database, parts.log
    sealer = Sealer(db.login("sealer"), db.secrets.checkpoint_key, settings.origin)
    findings = _said("leaves and checkpoints", sealer.verify(held))
    findings += _said("the gate", check_gate(db.login("sealer")))
    findings += _said(
        "keys", check_keys(db.login("recorder"), db.secrets), well="each is opened by the site key in use"
    )
    position = log.position()
    subjects = list(subjects_of(log, position))
    if sample is not None and sample < len(subjects):
        subjects = SystemRandom().sample(subjects, sample)
    ceiling = ceiling_of(parts.site.directory)
    for view in VIEWS.values():
        behind = position - log.view_position(view.reader)
        what = f"the view {view.name}, {len(subjects)} subjects{f', {behind} positions behind' if behind > 0 else ''}"
        findings += _said(what, check_view(view, db.login("projector"), log, ceiling, subjects))
    return findings


def _said(what: str, findings: list[str], well: str = "as the log gives it") -> list[str]:
    typer.echo(f"{what}: {well if not findings else f'{len(findings)} findings'}")
    for finding in findings[:_MOST_SAID]:
        typer.echo(f"  {finding}")
    if len(findings) > _MOST_SAID:
        typer.echo(f"  and {len(findings) - _MOST_SAID} more")
    return findings
