"""Say how a site is: nothing of whom it is about."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

import typer

from adapters.bootstrap import Parts
from adapters.cli.resume import holds
from adapters.kafka.relay import BEAT_SECONDS_MOST
from adapters.kafka.topics import wanted
from adapters.postgres.lint import lint
from adapters.postgres.projector import parked, receipts_overdue
from adapters.postgres.renewal import old_keys
from adapters.postgres.sealer import Sealer
from adapters.settings import Settings
from adapters.witness import read_witnesses
from domain.protocol import NoProtocol
from projections.views import VIEWS
from services.checkpoint import signers
from services.ports import Keeping, Telling, Untold

_KEPT: Final = {
    Keeping.SET_ASIDE: "set aside: somebody must have them taken again, or drop them (docs/stream/operating.md)",
    Keeping.WAITS: "wait behind one of the same matter that was set aside",
    Keeping.EARLY: "early: what they speak of has not come yet",
    Keeping.UNKNOWN: "of nobody whom LEAD knows: gone when their hours are over",
}

_BEATS_MISSED: Final = 2
"""How many beats may go by before one is missed: a relay that takes over needs one."""


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
    faults = lint(parts.database.login("recorder"))
    typer.echo("privileges: TOO WIDE" if faults else "privileges: nobody may more than the policies say")
    for fault in faults:
        typer.echo(f"  {fault}")
    well = well and not faults
    sealer = Sealer(parts.database.login("sealer"), parts.database.secrets.checkpoint_key, settings.origin)
    findings = sealer.verify()
    well = well and not findings
    typer.echo("seals: every leaf and checkpoint verifies" if not findings else "seals: " + "; ".join(findings))
    for name, count in old_keys(parts.database.login("recorder")).items():
        well = False
        typer.echo(f"keys: {count:,} are wrapped by an old site key ({name}): goldenthread keys renew")
    _witnesses(parts, settings)
    _strengths(settings)
    if settings.database_url is not None and not parts.database.secrets.sealed:
        typer.echo(f"secrets: {settings.secrets_dir} is not sealed (deploy/README.md)")
    return well


def _strengths(settings: Settings) -> None:
    """Print where the provider is not asked how strongly people sign in."""
    if settings.issuer is None:
        return
    if settings.client_id is not None and not settings.acr_values:
        typer.echo("sign-in: GOLDENTHREAD_ACR_VALUES names no strength, so take it for one factor (docs/security.md)")
    if not settings.admin_acr_values:
        typer.echo(
            "administration: GOLDENTHREAD_ADMIN_ACR_VALUES names no strength, so nobody looks at the device and the "
            "risk of who registers, adopts a protocol or gives access (docs/security.md)"
        )


def _witnesses(parts: Parts, settings: Settings) -> None:
    """Print who signed the last checkpoint; one who did not is asked again by `serve`."""
    seal = parts.site.seals.latest()
    if settings.witnesses_file is None or seal is None:
        return
    for named in read_witnesses(settings.witnesses_file):
        signed = bool(signers(seal.note, named.verifier))
        typer.echo(f"witness {named.verifier.name}: {'signed' if signed else 'has not signed'} checkpoint {seal.size}")


def _streams(parts: Parts, settings: Settings) -> bool:
    """Print how agencies' streams are, both ways; return whether nothing of them needs a person."""
    streams, telling = parts.site.stream.health(), parts.site.outbox.health()
    places = [(each.topic, each.number) for each in streams.partitions]
    topics = _wanted(parts, settings)
    places += [(topic, 0) for topic in topics]
    held = holds(settings, places) if settings.kafka is not None else {}
    well = held is not None
    if settings.kafka is not None:
        typer.echo(f"broker {settings.kafka}: {'answers' if well else 'does not answer: is it up, and let through?'}")
    elif streams.partitions or telling.untold:
        typer.echo("broker: GOLDENTHREAD_KAFKA names none")
    lacking = [] if settings.kafka is None or held is None else [t for t in topics if (t, 0) not in held]
    well &= not lacking
    for topic in lacking:
        typer.echo(f"topic {topic}: the broker has none: goldenthread topics makes it")
    for each in streams.partitions:
        place = f"{each.topic}/{each.number}"
        said = f"stream {place}: taken up to offset {each.next_offset}, last {each.taken_at:%Y-%m-%d %H:%M}"
        there = (held or {}).get((each.topic, each.number))
        if each.stopped is not None:
            well = False
            said += f"; STOPPED: {each.stopped}. See what there is: goldenthread resume {each.topic} {each.number}"
        elif there is not None:
            behind = max(0, there.end - each.next_offset)
            said += f", {behind} behind" + (
                ": it goes on by itself while `goldenthread gateway` runs" if behind else ""
            )
        elif settings.kafka is not None and held is not None:
            said += (
                "; the broker has it no more: goldenthread topics makes it, then it stops until you say how to go on"
            )
        typer.echo(said)
    for keeping, meaning in _KEPT.items():
        if keeping in streams.kept:
            count, oldest = streams.kept[keeping]
            well = well and keeping is not Keeping.SET_ASIDE
            typer.echo(f"messages: {count:,} since {oldest:%Y-%m-%d %H:%M} {meaning}")
    if streams.unread:
        typer.echo(f"messages: {streams.unread:,} that were set aside went by age, and nobody had looked at them")
    return _told(parts, settings, telling) and well


def _wanted(parts: Parts, settings: Settings) -> list[str]:
    """Return the topics of every party that has an account for its stream."""
    site = parts.site.directory
    accounts = {staff.party for staff in site.staff.values() if staff.is_stream}
    return list(wanted(map(site.party, sorted(accounts)), settings.kafka_prefix))


def _told(parts: Parts, settings: Settings, telling: Telling) -> bool:
    """Print how agencies are told; return whether nothing of it needs a person."""
    late = parts.log.now() - timedelta(seconds=_BEATS_MISSED * settings.stream_beat_seconds + BEAT_SECONDS_MOST)
    well = True
    for each in telling.untold:
        code = parts.site.directory.party(each.party).code
        for count, since, what in _waiting(each):
            said = f"telling {code}: {count:,} {what} unsent since {since:%Y-%m-%d %H:%M}"
            if since >= late:
                said += ": for the next beat"
            else:
                said += "; they go by themselves once the relay beats and the broker has their topics: see those lines"
            well = well and since >= late
            typer.echo(said)
        if each.never:
            typer.echo(
                f"telling {code}: {each.never:,} acknowledgements had had their days before they could be told: let it "
                "ask you what became of its messages"
            )
    if settings.kafka is not None:
        well &= _beats(parts, telling, late)
    count, first = receipts_overdue(parts.database.login("projector"))
    if first is not None:
        typer.echo(
            f"receipts: {count:,} overdue, the first since {first:%Y-%m-%d %H:%M}: the privacy officer sees whose at "
            "GET /v1/privacy/withdrawals, and calls them"
        )
    return well


def _beats(parts: Parts, telling: Telling, late: datetime) -> bool:
    """Print how the relay is; return whether it beats, or nobody waits for it."""
    if telling.beat_at is None:
        awaited = any(staff.is_stream for staff in parts.site.directory.staff.values())
        if awaited:
            typer.echo("relay: it has never beaten: start `goldenthread gateway`")
        return not awaited
    said = f"relay: last beat {telling.beat_at:%Y-%m-%d %H:%M}"
    if telling.failing_since is not None:
        said += (
            f"; it has failed since {telling.failing_since:%Y-%m-%d %H:%M} ({telling.failure}) and tries again on each "
            "beat: see the broker's line, and the log of `goldenthread gateway`"
        )
    if stands := telling.beat_at < late:
        said += "; it stands still: is `goldenthread gateway` running?"
    typer.echo(said)
    return telling.failure is None and not stands


def _waiting(each: Untold) -> Iterator[tuple[int, datetime, str]]:
    if each.statuses_since is not None:
        yield each.statuses, each.statuses_since, "statuses"
    if each.acknowledgements_since is not None:
        yield each.acknowledgements, each.acknowledgements_since, "acknowledgements"
