"""Take what agencies publish, beside `serve`, until interrupted."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from threading import Event as Stop

import typer

from adapters.bootstrap import Parts, database, opened
from adapters.kafka import contract
from adapters.kafka.gateway import Broker, Gateway
from adapters.kafka.translate import reader
from adapters.settings import Settings
from services.directory import Party
from services.feed import Feed


def run_gateway(settings: Settings) -> None:
    """Take from the configured broker; ends within seconds of an interrupt."""
    if settings.kafka is None:
        sys.exit("goldenthread: name the broker in GOLDENTHREAD_KAFKA, such as kafka.example:9093.")
    stop = Stop()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    with database(settings) as db, opened(db, settings) as parts:
        typer.echo(f"Taking what agencies publish on {settings.kafka}. Ctrl-C stops it.")
        gateway(parts, settings, settings.kafka).run(stop)


def gateway(parts: Parts, settings: Settings, bootstrap: str) -> Gateway:
    """Return the gateway of an open site."""
    return Gateway(
        broker=Broker(bootstrap, settings.kafka_options()),
        feed=Feed(parts.site, parts.log.stream, reader(settings.kafka_prefix)),
        party_of=owner(parts, settings.kafka_prefix),
        lock_url=parts.database.login("recorder"),
        observe=parts.spans.batch,
    )


def owner(parts: Parts, prefix: str) -> Callable[[str], Party | None]:
    """Return what says whose a topic is: one that a registered party writes; None for any other."""

    def owner_of(topic: str) -> Party | None:
        found = contract.owner_of(topic.removeprefix(prefix)) if topic.startswith(prefix) else None
        if found is None or found[1].direction is not contract.Direction.IN:
            return None
        return next((p for p in parts.site.directory.parties.values() if p.code == found[0]), None)

    return owner_of
