"""Serve a site over HTTP until interrupted."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import typer
import uvicorn

from adapters.bootstrap import Parts, at_work, database, opened
from adapters.http.app import create_app
from adapters.http.signin import SignIn
from adapters.identity.issuer import KeySet, Verifier
from adapters.identity.provider import Client, Provider
from adapters.postgres.projector import Projector
from adapters.secrets import secret_file
from adapters.settings import Settings
from domain.labels import Reader
from projections.views import VIEWS
from services.ports import Unavailable

_STOP_SECONDS = 5
_SAY_SECONDS = 5
_POLL_SECONDS = 0.02


@dataclass(slots=True)
class Ready:
    """Whether the site can answer: its database does, its views' runners work, and each has once caught up."""

    parts: Parts
    runners: list[Projector]
    behind: set[Reader] = field(default_factory=lambda: set(VIEWS))

    def __call__(self) -> bool:
        """Ask."""
        log = self.parts.log
        try:
            position = log.position()
            self.behind = {reader for reader in self.behind if log.view_position(reader) < position}
        except Unavailable:
            return False
        return not self.behind and not any(runner.failure for runner in self.runners)

    def wait(self) -> None:
        """Wait until it can, and say so while it cannot."""
        said = time.monotonic()
        while not self():
            if time.monotonic() - said > _SAY_SECONDS:
                said = time.monotonic()
                typer.echo("Still computing the views.", err=True)
            time.sleep(_POLL_SECONDS)


def serve_site(settings: Settings) -> None:
    """Serve on the configured PostgreSQL, or the site's own; raises what the parts raise when they cannot start."""
    if settings.issuer is None or (settings.jwks_file is None and settings.client_id is None):
        typer.echo("Nobody can sign in: set GOLDENTHREAD_ISSUER, and GOLDENTHREAD_CLIENT_ID or _JWKS_FILE.", err=True)
    with database(settings) as db, opened(db, settings) as parts, provider_of(settings) as provider:
        issuer = settings.issuer or ""
        if settings.jwks_file is not None:
            verifier: Verifier = KeySet.read(issuer, settings.audience, settings.jwks_file, settings.rsa_bits_least)
        else:
            keys = {} if provider is None else provider.keys
            verifier = KeySet(issuer, settings.audience, keys, settings.rsa_bits_least)
        answer(parts, settings, verifier, provider)


@contextmanager
def provider_of(settings: Settings) -> Iterator[Provider | None]:
    """Give the provider with which people sign in, if the site has one."""
    if settings.client_id is None:
        yield None
        return
    client = Client(
        issuer=str(settings.issuer),
        client_id=settings.client_id,
        public_url=str(settings.public_url),
        key=secret_file(Path(str(settings.client_key_file))),
        acr_values=settings.acr_values,
        admin_acr_values=settings.admin_acr_values,
        rsa_bits_least=settings.rsa_bits_least,
    )
    with closing(Provider(client)) as provider:
        yield provider


def answer(
    parts: Parts,
    settings: Settings,
    verifier: Verifier,
    provider: Provider | None = None,
    *,
    ready_file: Path | None = None,
    ready: Any = None,
    first: Callable[[], None] = lambda: None,
) -> None:
    """Answer requests until an interrupt; with `ready`, only once the site can, which then `ready_file` tells.

    `first` is done when the site can answer and before it does.
    """
    with at_work(parts, settings) as runners:
        can_answer = Ready(parts, runners)
        sign_in = SignIn(parts.site, parts.access, verifier, settings.admin_acr_values)
        app = create_app(parts.site, sign_in, settings, parts.spans, parts.metrics, can_answer, provider)
        config = uvicorn.Config(
            app,
            host=settings.host,
            port=settings.port,
            http="httptools",
            loop="asyncio",
            log_config=None,
            access_log=False,  # a path holds ids
            server_header=False,
            timeout_graceful_shutdown=_STOP_SECONDS,
        )
        server = _Server(config, ready_file, ready)
        with suppress(KeyboardInterrupt):  # the server has stopped by then
            if ready is not None:
                can_answer.wait()
                first()
            try:
                server.run()
            except SystemExit:
                sys.exit(f"goldenthread: {settings.host}:{settings.port} cannot be listened on: choose another --port.")


class _Server(uvicorn.Server):
    """Says where it listens once it does."""

    def __init__(self, config: uvicorn.Config, ready_file: Path | None, ready: Any) -> None:
        super().__init__(config)
        self._ready_file, self._ready = ready_file, ready

    async def startup(self, sockets: Any = None) -> None:
        await super().startup(sockets)
        if not self.started:
            return
        port = self.servers[0].sockets[0].getsockname()[1]
        base_url = f"http://{self.config.host}:{port}"
        typer.echo(f"Golden Thread answers on {base_url}/. Ctrl-C stops it.")
        if self._ready_file is not None:
            told = {"base_url": base_url, "console_url": f"{base_url}/"} | (self._ready or {})
            draft = self._ready_file.with_suffix(".draft")
            draft.write_text(json.dumps(told, indent=2))
            draft.chmod(0o600)
            draft.replace(self._ready_file)
