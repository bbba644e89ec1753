"""A whole site for tests: real PostgreSQL, real HTTP on loopback, the demo's parties and people, a clock to move."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from typing import Any
from urllib.parse import quote
from uuid import uuid4
from zoneinfo import ZoneInfo

import httpx
import uvicorn
from fastapi import FastAPI

from adapters.bootstrap import Database as SiteDatabase
from adapters.bootstrap import Parts, at_work, opened
from adapters.http.app import create_app
from adapters.http.listings import SEARCH
from adapters.http.signin import SignIn
from adapters.identity.issuer import DemoIssuer
from adapters.identity.provider import Provider
from adapters.settings import Settings
from adapters.simulation.cast import ZONE, Clock, set_up
from domain.labels import Reader
from domain.protocol import Access
from projections.views import VIEWS
from tests.conftest import Database

LOCAL = ZoneInfo(ZONE)
SET_UP = date(2026, 1, 1)
QUICK: dict[str, Any] = {
    "sweep_seconds": 0.3,
    "export_page": 3,
    "updates_beat_seconds": 0.03125,
    "updates_seconds_most": 0.09375,
}
"""Settings with which nothing has to be waited for; a followed list ends after three beats."""


HURRIED = Access(
    recent_minutes=1440,
    requests_per_minute=1_000_000,
    requests_per_address=1_000_000,
    lookups_per_hour=1_000_000,
    sign_ins_per_minute=1_000_000,
)
"""Nobody at a keyboard asks as much as a test does."""


def local(text: str) -> datetime:
    """Return a moment at the site, `2026-02-14 02:10`, as aware UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=LOCAL).astimezone(UTC)


def searching(text: str) -> dict[str, str]:
    """Return the header by which a list is searched for a text."""
    return {SEARCH: quote(text)}


@dataclass(slots=True)
class Person:
    """Someone at a keyboard: sends what people send, and waits for their own last command before reading."""

    client: httpx.Client
    token: str
    position: str | None = None

    def get(self, path: str, **headers: str) -> httpx.Response:
        """Ask, having seen the effect of one's own last command."""
        waiting = {"Wait-For-Position": self.position} if self.position else {}
        return self.client.get(path, headers=self._signed() | waiting | headers)

    def post(self, path: str, body: Any, *, key: str | None = None, **headers: str) -> httpx.Response:
        """Send a command under a new key, or the one given."""
        sent = self._signed() | {"Idempotency-Key": key or str(uuid4())} | headers
        answer = self.client.post(path, json=body, headers=sent)
        self.position = answer.headers.get("Position", self.position)
        return answer

    def do(self, path: str, body: Any) -> dict[str, Any]:
        """Send a command that must succeed, and return its answer."""
        answer = self.post(path, body)
        assert answer.status_code == 201, (path, answer.status_code, answer.text)
        found: dict[str, Any] = answer.json()
        return found

    def see(self, path: str, **headers: str) -> dict[str, Any]:
        """Ask a question that must be answered."""
        answer = self.get(path, **headers)
        assert answer.status_code == 200, (path, answer.status_code, answer.text)
        found: dict[str, Any] = answer.json()
        return found

    def _signed(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}


@dataclass(slots=True)
class SiteUnderTest:
    """A running site; `people` are made by `person`."""

    parts: Parts
    base_url: str
    issuer: DemoIssuer
    clock: Clock
    clients: list[httpx.Client] = field(default_factory=list)

    def person(self, subject: str) -> Person:
        """Return someone of the demo's staff, signed in: dana, luis, grace, noor, pat, kim, ortiz, webb, chen, ..."""
        client = httpx.Client(base_url=self.base_url, timeout=30, verify=False)  # no certificates to read: it is http
        self.clients.append(client)
        return Person(client, self.issuer.token(subject))

    def settle(self, readers: Iterable[Reader] = VIEWS, *, seconds: float = 20) -> None:
        """Wait until every view, or those of some readers, has come as far as the log."""
        end = time.monotonic() + seconds
        position = self.parts.log.position()
        while any(self.parts.log.view_position(reader) < position for reader in readers):
            assert time.monotonic() < end, "the views did not catch up"
            time.sleep(0.005)


@contextmanager
def running_site(
    site_db: Database,
    *,
    begin: str | None = "2026-02-14 02:10",
    access: Access = HURRIED,
    provider: Provider | None = None,
    **other: Any,
) -> Iterator[SiteUnderTest]:
    """Run a site on a fresh database. `begin`: the local time at which it begins; None: now. `other`: its settings.

    `access`: how people sign in and how much they may ask; `provider`: with what, by browser.
    """
    settings = Settings(environment="test", prefix=site_db.prefix, checkpoint_seconds=3600, **(QUICK | other))
    db = SiteDatabase(site_db.owner_url, site_db.secrets, site_db.prefix)
    clock = Clock(site_db.owner_url)
    with opened(db, settings) as fresh, _application(fresh, settings, provider) as (app, issuer, parts):
        clock.at(local(f"{SET_UP} 09:00"))
        set_up(parts.site, SET_UP, access)
        clock.at(local(begin) if begin else datetime.now(UTC))
        with at_work(parts, settings):
            config = uvicorn.Config(
                app,
                host="127.0.0.1",
                port=0,
                log_config=None,
                access_log=False,
                lifespan="off",
                timeout_keep_alive=60,  # between two questions a test may be at something else
            )
            server = uvicorn.Server(config)
            thread = threading.Thread(target=server.run, daemon=True)
            thread.start()
            while not server.started:
                time.sleep(0.005)
            port = server.servers[0].sockets[0].getsockname()[1]
            site = SiteUnderTest(parts, f"http://127.0.0.1:{port}", issuer, clock)
            try:
                yield site
            finally:
                for client in site.clients:
                    client.close()
                server.should_exit = True
                thread.join(10)
                clock.now()


IDLE: dict[str, list[_Application]] = {}
"""Applications whose site is gone, by their settings: to make one takes longer than all else of a site."""


@dataclass(frozen=True, slots=True)
class _Application:
    app: FastAPI
    issuer: DemoIssuer
    parts: Parts

    def of(self, parts: Parts) -> Parts:
        """Turn to another site: what the application holds becomes what that site's parts are; return them."""
        kept: dict[str, Any] = {name: getattr(self.parts, name) for name in ("site", "access", "spans", "metrics")}
        for name, held in kept.items():
            new = getattr(parts, name)
            for each in vars(new) if hasattr(new, "__dict__") else new.__slots__:
                object.__setattr__(held, each, getattr(new, each))
        return replace(parts, **kept)


@contextmanager
def _application(
    parts: Parts, settings: Settings, provider: Provider | None
) -> Iterator[tuple[FastAPI, DemoIssuer, Parts]]:
    """Return an application for a site, who signs its people in, and the parts that it asks."""
    idle = IDLE.setdefault(settings.model_dump_json(), []) if provider is None else []
    if idle:
        application = idle.pop()
        parts = application.of(parts)
    else:
        issuer = DemoIssuer(settings.audience)
        sign_in = SignIn(parts.site, parts.access, issuer, settings.admin_acr_values)
        app = create_app(parts.site, sign_in, settings, parts.spans, parts.metrics, lambda: True, provider)
        application = _Application(app, issuer, parts)
    yield application.app, application.issuer, parts
    idle.append(application)
