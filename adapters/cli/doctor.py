"""Say how a site is: nothing of whom it is about."""

from __future__ import annotations

from typing import Final

import typer

from adapters.bootstrap import Parts
from adapters.cli.resume import holds
from adapters.postgres.projector import parked
from adapters.postgres.sealer import Sealer
from adapters.settings import Settings
from adapters.witness import read_witnesses
from domain.protocol import NoProtocol
from projections.views import VIEWS
from services.checkpoint import signers
from services.ports import Keeping

_KEPT: Final = {
    Keeping.SET_ASIDE: "set aside: somebody must have them taken again, or drop them (docs/stream/operating.md)",
    Keeping.WAITS: "wait behind one of the same matter that was set aside",
    Keeping.EARLY: "early: what they speak of has not come yet",
    Keeping.UNKNOWN: "of nobody whom LEAD knows: gone when their hours are over",
}


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
    well &= _streams(parts, settings)
    sealer = Sealer(parts.database.login("sealer"), parts.database.secrets.checkpoint_key, settings.origin)
    findings = sealer.verify()
    well = well and not findings
    typer.echo("seals: every leaf and checkpoint verifies" if not findings else "seals: " + "; ".join(findings))
    _witnesses(parts, settings)
    return well


def _witnesses(parts: Parts, settings: Settings) -> None:
    """Print who signed the last checkpoint; one who did not is asked again by `serve`."""
    seal = parts.site.seals.latest()
    if settings.witnesses_file is None or seal is None:
        return
    for named in read_witnesses(settings.witnesses_file):
        signed = bool(signers(seal.note, named.verifier))
        typer.echo(f"witness {named.verifier.name}: {'signed' if signed else 'has not signed'} checkpoint {seal.size}")


def _streams(parts: Parts, settings: Settings) -> bool:
    """Print how agencies' streams are; return whether nothing of them needs a person."""
    streams = parts.site.stream.health()
    places = [(each.topic, each.number) for each in streams.partitions]
    held = holds(settings, places) if settings.kafka is not None else {}
    well = held is not None
    if settings.kafka is not None:
        typer.echo(f"broker {settings.kafka}: {'answers' if well else 'does not answer: is it up, and let through?'}")
    elif streams.partitions:
        typer.echo("broker: GOLDENTHREAD_KAFKA names none")
    for each in streams.partitions:
        place = f"{each.topic}/{each.number}"
        said = f"stream {place}: taken up to offset {each.next_offset}, last {each.taken_at:%Y-%m-%d %H:%M}"
        there = (held or {}).get((each.topic, each.number))
        if each.stopped is not None:
            well = False
            said += f"; STOPPED: {each.stopped}. See what there is: goldenthread resume {each.topic} {each.number}"
        elif there is not None:
            said += f", {max(0, there.end - each.next_offset)} behind"
        typer.echo(said)
    for keeping, meaning in _KEPT.items():
        if keeping in streams.kept:
            count, oldest = streams.kept[keeping]
            well = well and keeping is not Keeping.SET_ASIDE
            typer.echo(f"messages: {count:,} since {oldest:%Y-%m-%d %H:%M} {meaning}")
    if streams.unread:
        typer.echo(f"messages: {streams.unread:,} that were set aside went by age, and nobody had looked at them")
    return well
