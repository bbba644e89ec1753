"""Take what agencies publish and tell them what they may know, beside `serve`, until interrupted."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event as Stop
from threading import Thread
from typing import Annotated

import typer

from adapters.bootstrap import Parts, database, opened
from adapters.kafka import contract, topics
from adapters.kafka.gateway import Broker, Gateway
from adapters.kafka.relay import Beats, Publisher
from adapters.settings import Settings
from services.directory import Party
from services.feed import feed_of
from services.relay import Relay

_STOP_SECONDS = 20


def run_gateway(settings: Settings) -> None:
    """Take and tell on the configured broker; ends within seconds of an interrupt."""
    broker, stop = broker_of(settings), Stop()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    with database(settings) as db, opened(db, settings) as parts, at_the_broker(parts, settings, broker):
        typer.echo(f"Taking what agencies publish on {broker.bootstrap}, and telling them. Ctrl-C stops it.")
        stop.wait()


def make_topics(
    replicas: Annotated[int, typer.Option(min=1, help="How many brokers hold each topic.")] = 1,
) -> None:
    """Make the topics that the registered parties lack on the broker of GOLDENTHREAD_KAFKA."""
    settings = Settings()
    broker = broker_of(settings)
    with database(settings) as db, opened(db, settings) as parts:
        wanted = topics.wanted(parts.site.directory.parties.values(), settings.kafka_prefix)
        made = topics.make(broker, wanted, replicas=replicas)
    for name in made:
        typer.echo(f"made {name}")
    typer.echo(f"{len(wanted) - len(made)} were there already.")


def broker_of(settings: Settings) -> Broker:
    """Return the configured broker; says what to do where there is none."""
    if settings.kafka is None:
        typer.echo("goldenthread: name the broker in GOLDENTHREAD_KAFKA, such as kafka.example:9093.", err=True)
        raise typer.Exit(1)
    return Broker(settings.kafka, settings.kafka_options())


@contextmanager
def at_the_broker(parts: Parts, settings: Settings, broker: Broker) -> Iterator[None]:
    """Keep the gateway and the relay going in the background."""
    stop = Stop()
    source = f"urn:lead:{settings.site_code}:{_program(parts)}:golden-thread"
    publisher = Publisher(broker, parts.site.outbox, source, settings.kafka_prefix, parts.spans.sent)
    relay = Relay(parts.site, publisher.send, publisher.acknowledge, publisher.reaches)
    outbox = parts.site.outbox
    beats = Beats(relay, parts.database.login("recorder"), settings.stream_beat_seconds, outbox.beaten)
    threads = [Thread(target=one.run, args=(stop,), daemon=True) for one in (gateway(parts, settings, broker), beats)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join(timeout=_STOP_SECONDS)
        publisher.close()


def gateway(parts: Parts, settings: Settings, broker: Broker) -> Gateway:
    """Return the gateway of an open site."""
    return Gateway(
        broker=broker,
        feed=feed_of(parts.site),
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


def _program(parts: Parts) -> str:
    """Return the code of the party that runs the site."""
    kinds = {party.kind.value: party.code for party in parts.site.directory.parties.values()}
    return kinds.get("program", "lead-program")
