"""The one place where real parts meet: from settings to a site, and to one that runs."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from threading import Event as Stop
from threading import Thread

from adapters.kafka.translate import reader
from adapters.postgres.access import Access
from adapters.postgres.log import PostgresLog
from adapters.postgres.migrate import MigrationRefused, login_url, migrate
from adapters.postgres.projector import Projector, Readings
from adapters.postgres.readers import PostgresReaders
from adapters.postgres.sealer import Leaves, Sealer
from adapters.postgres.server import EmbeddedServer
from adapters.secrets import Secrets
from adapters.settings import Settings
from adapters.telemetry import logs
from adapters.telemetry.metrics import Metrics
from adapters.telemetry.spans import Spans
from adapters.witness import Witnesses, read_witnesses
from domain.labels import Ceiling, Reader
from domain.protocol import NoProtocol
from projections.views import VIEWS
from services.checkpoint import verifier_of
from services.clocks import Clocks
from services.directory import Directory
from services.dockets import Dockets
from services.feed import feed_of
from services.findings import Audit
from services.ids import PartyIds
from services.people import People
from services.ports import Unavailable
from services.retention import Retentions
from services.site import Site
from services.standing import Standing
from services.tokens import Tokens

READERS = tuple(Reader)
_log = logging.getLogger("goldenthread")


@dataclass(frozen=True, slots=True)
class Database:
    """Where the site's database is: its URL (the owner's, where the site keeps its own server) and its secrets.

    `revive` starts the site's own server again should it have died; a packaged one has a keeper of its own.
    """

    url: str
    secrets: Secrets
    prefix: str
    revive: Callable[[], object] = lambda: None

    def login(self, role: str) -> str:
        """Return the URL under which a part of the site logs in."""
        return login_url(self.url, self.secrets, role, self.prefix)


@contextmanager
def database(settings: Settings) -> Iterator[Database]:
    """Open the configured database, or start, adopt or recover the site's own.

    Raises `ServerFailed`, `SecretsUnsafe` or `MigrationRefused`, each with the way out.
    """
    if settings.database_url is not None:
        yield Database(settings.database_url, Secrets.read(settings.secrets_dir), settings.prefix)
        return
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    server = EmbeddedServer(settings.data_dir / "postgres", settings.secrets_dir)
    with server as owner_url:
        secrets = Secrets.make(settings.secrets_dir)
        migrate(owner_url, secrets, environment=settings.environment, prefix=settings.prefix)
        yield Database(owner_url, secrets, settings.prefix, server.ensure)


@contextmanager
def owner(settings: Settings) -> Iterator[str]:
    """Give the URL of the database's owner: the configured one, or that of the site's own server.

    Raises `MigrationRefused` where there is neither, and what `database` raises.
    """
    if settings.owner_url is not None:
        yield settings.owner_url
    elif settings.database_url is not None:
        raise MigrationRefused("Only the database's owner may do this: give its URL in GOLDENTHREAD_OWNER_URL.")
    else:
        with database(settings) as db:
            yield db.url


@dataclass(frozen=True, slots=True)
class Parts:
    """An open site and the parts it is made of."""

    site: Site
    log: PostgresLog
    readers: PostgresReaders
    database: Database
    spans: Spans
    metrics: Metrics
    access: Access
    leaves: Leaves


@contextmanager
def opened(db: Database, settings: Settings) -> Iterator[Parts]:
    """Open a site on a migrated database."""
    with ExitStack() as stack:
        stack.enter_context(logs.sent(settings.otlp("logs")))
        spans, metrics = Spans(settings.otlp("traces")), Metrics(settings.otlp("metrics"))
        stack.callback(spans.close)
        log = PostgresLog(db.login("recorder"), db.secrets)
        stack.callback(log.close)
        access = stack.enter_context(Access(db.login("access"), db.secrets.digests))
        urls = {reader: db.login(reader.value) for reader in READERS}
        readers = stack.enter_context(
            PostgresReaders(urls, db.secrets.context, pool_size=settings.pool_size, observe=metrics.released)
        )
        stack.callback(metrics.close)  # the first to go: it still looks at the rest
        seals = log.seals(verifier_of(settings.origin, db.secrets.checkpoint_key.public_key()))
        site = Site(
            log=log,
            readers=readers,
            directory=Directory(log),
            standing=Standing(log),
            people=People(log),
            dockets=Dockets(log),
            ids=PartyIds(db.secrets.party_ids),
            tokens=Tokens(db.secrets.tokens),
            outbox=log.outbox,
            digests=db.secrets.digests,
            stream=log.stream,
            seals=seals,
            read=reader(settings.kafka_prefix),
        )
        site.directory.refresh()
        yield Parts(site, log, readers, db, spans, metrics, access, seals.leaves)


def ceiling_of(directory: Directory) -> Callable[[datetime], Ceiling]:
    """Return the function from a moment to the ceiling of the protocol in force then."""

    def ceiling(at: datetime) -> Ceiling:
        directory.refresh()
        try:
            return directory.protocol(at).ceiling
        except NoProtocol:
            return Ceiling("none")

    return ceiling


def projectors(parts: Parts) -> list[Projector]:
    """Return the runners of all views."""
    ceiling = ceiling_of(parts.site.directory)
    url = parts.database.login("projector")
    readings = Readings(parts.log)
    return [
        Projector(view, url, parts.log, ceiling, observe=parts.spans.page, readings=readings) for view in VIEWS.values()
    ]


@contextmanager
def at_work(parts: Parts, settings: Settings) -> Iterator[list[Projector]]:
    """Keep the site's views, its clocks, its audit and its seals going in the background, and watch them."""
    stop = Stop()
    parts.metrics.watch(parts.site)
    runners = projectors(parts)
    sealer = Sealer(
        parts.database.login("sealer"),
        parts.database.secrets.checkpoint_key,
        settings.origin,
        padding=settings.checkpoint_pad,
        leaves=parts.leaves,
    )
    threads = [Thread(target=runner.run, args=(stop,), daemon=True) for runner in runners]
    beats: tuple[tuple[float, Callable[[], object]], ...] = (
        (settings.sweep_seconds, parts.database.revive),
        (settings.sweep_seconds, Clocks(parts.site).fire),
        (settings.sweep_seconds, Audit(parts.site).beat),
        (settings.sweep_seconds, Retentions(parts.site).beat),
        (settings.sweep_seconds, feed_of(parts.site).sweep),
        (settings.sweep_seconds, parts.log.forget_senders),
        (settings.sweep_seconds, parts.access.sweep),
        (settings.sweep_seconds, parts.site.directory.refresh),  # what another process registered or adopted
        (settings.checkpoint_seconds, sealer.checkpoint),
        *witnessed(parts, settings),
    )
    threads += [Thread(target=_on_a_beat, args=(stop, *beat), daemon=True) for beat in beats]
    for thread in threads:
        thread.start()
    try:
        yield runners
    finally:
        stop.set()
        with suppress(Unavailable):
            parts.log.wake()
        for thread in threads:
            thread.join(timeout=5)


def witnessed(parts: Parts, settings: Settings) -> Iterator[tuple[float, Callable[[], object]]]:
    """Yield the beat on which the site's witnesses are asked, if it has any."""
    if settings.witnesses_file is not None:
        named = read_witnesses(settings.witnesses_file)
        yield settings.witness_seconds, Witnesses(parts.site.seals, parts.database.login("sealer"), named).ask


def _on_a_beat(stop: Stop, seconds: float, work: Callable[[], object]) -> None:
    while not stop.wait(seconds):
        try:
            work()
        except Exception as error:  # noqa: BLE001 - it is tried again at the next beat
            _log.warning("background work failed and will be tried again: %s", type(error).__name__)
