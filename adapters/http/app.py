"""The HTTP application: what stands around every request, then the routes."""

from __future__ import annotations

import asyncio
import logging
import time
import traceback
from collections.abc import Callable, Mapping

from fastapi import FastAPI
from fastapi.responses import HTMLResponse
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from adapters.http import commands, listings, problems, public, questions, sessions
from adapters.http.page import POLICY, page
from adapters.http.signin import SignIn
from adapters.identity.provider import Provider
from adapters.settings import Settings
from adapters.telemetry.metrics import Metrics
from adapters.telemetry.spans import Spans
from services.site import Site

_log = logging.getLogger("goldenthread.http")

DESCRIPTION = """Coordination backend of a LEAD site. Ids are your own party's: they mean nothing to anyone else.
Where LEAD has nothing it can show you, everyone gets the same answer."""


class BodyLimit:
    """Refuses a body larger than the site takes, whether or not its length was announced, and one that does not come.

    `most` bytes anywhere; `elsewhere` says for some paths that it is fewer. All of it must be there in `seconds`.
    """

    def __init__(self, app: ASGIApp, most: int, elsewhere: Mapping[str, int], seconds: float) -> None:
        self._app, self._most, self._elsewhere, self._seconds = app, most, elsewhere, seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, counting what is received."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        most = self._elsewhere.get(scope["path"], self._most)
        announced = dict(scope["headers"]).get(b"content-length", b"0")
        if not announced.isdigit() or int(announced) > most:
            await problems.respond(problems.TOO_LARGE)(scope, receive, send)
            return
        received, whole = 0, False
        end = time.monotonic() + self._seconds

        async def counted() -> Message:
            nonlocal received, whole
            try:  # once it is whole, only the end of the connection is waited for
                async with asyncio.timeout(None if whole else end - time.monotonic()):
                    message = await receive()
            except TimeoutError:
                raise _TooSlow from None
            whole = not message.get("more_body", False)
            received += len(message.get("body", b""))
            if received > most:
                raise _TooLarge
            return message

        await self._app(scope, counted, send)


class Guard:
    """Answers what nobody expected with a constant problem, and logs where it happened, never what with."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        begun = False

        async def noted(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._app(scope, receive, noted)
        except Exception as error:  # noqa: BLE001 - whatever it is
            where = traceback.extract_tb(error.__traceback__)[-1]
            _log.error("%s at %s:%s", type(error).__name__, where.filename, where.lineno)
            if scope["type"] == "http" and not begun:
                await problems.respond(problems.INTERNAL)(scope, receive, send)


class Headers:
    """Gives every answer what tells a browser to keep it to itself."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = {name for name, _ in message["headers"]}
                message["headers"] = [*message["headers"], *(each for each in SECURITY if each[0] not in given)]
            await send(message)

        await self._app(scope, receive, with_headers)


SECURITY = tuple(
    (name.encode(), value.encode())
    for name, value in (
        ("cache-control", "no-store"),
        ("content-security-policy", POLICY),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
        ("referrer-policy", "no-referrer"),
        ("strict-transport-security", "max-age=31536000; includeSubDomains"),
        ("x-content-type-options", "nosniff"),
    )
)


class _TooSlow(HTTPException):
    """What was announced did not come."""

    def __init__(self) -> None:
        super().__init__(problems.TOO_SLOW.status)


class _TooLarge(HTTPException):
    """More was received than the site takes. An `HTTPException`, or else FastAPI calls it a body it cannot parse."""

    def __init__(self) -> None:
        super().__init__(problems.TOO_LARGE.status)


def create_app(
    site: Site,
    sign_in: SignIn,
    settings: Settings,
    spans: Spans,
    metrics: Metrics,
    ready: Callable[[], bool],
    provider: Provider | None = None,
) -> FastAPI:
    """Return the application. `ready` says whether it can answer; without a provider nobody signs in by browser."""
    app = FastAPI(
        title="Golden Thread",
        version="1",
        description=DESCRIPTION,
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
        docs_url=None,
        redoc_url=None,
        openapi_url="/openapi.json",
    )
    problems.install(app)
    for routed in (  # as they are: `include_router` would work each of them out a second time, at the first request
        listings.routes(site, sign_in, settings),  # `.../updates` before any id
        questions.routes(site, sign_in, settings, ready),
        commands.routes(site, sign_in, spans),
        sessions.routes(site, sign_in, provider),
        public.routes(site),
    ):
        app.router.routes.extend(routed.routes)

    @app.get("/", include_in_schema=False)
    def api_page() -> HTMLResponse:
        """Show every question and command there is."""
        return HTMLResponse(page(app.openapi()))

    app.add_middleware(Guard)
    elsewhere = {public.PATH: settings.public_body_bytes_most}
    app.add_middleware(
        BodyLimit, most=settings.body_bytes_most, elsewhere=elsewhere, seconds=settings.receive_seconds_most
    )
    app.add_middleware(Headers)
    app.add_middleware(spans.middleware)
    app.add_middleware(metrics.middleware)
    return app
