"""The HTTP application: what stands around every request, then the routes."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable, Mapping

from fastapi import FastAPI
from fastapi.responses import HTMLResponse
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from adapters.http import commands, listings, problems, public, questions
from adapters.http.page import page
from adapters.http.signin import SignIn
from adapters.settings import Settings
from adapters.telemetry.spans import Spans
from services.site import Site

_log = logging.getLogger("goldenthread.http")

DESCRIPTION = """Coordination backend of a LEAD site. Ids are your own party's: they mean nothing to anyone else.
Where LEAD has nothing it can show you, everyone gets the same answer."""


class BodyLimit:
    """Refuses a body larger than the site takes, whether or not its length was announced.

    `most` bytes anywhere; `elsewhere` says for some paths that it is fewer.
    """

    def __init__(self, app: ASGIApp, most: int, elsewhere: Mapping[str, int]) -> None:
        self._app, self._most, self._elsewhere = app, most, elsewhere

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
        received = 0

        async def counted() -> Message:
            nonlocal received
            message = await receive()
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


class _TooLarge(HTTPException):
    """More was received than the site takes. An `HTTPException`, or else FastAPI calls it a body it cannot parse."""

    def __init__(self) -> None:
        super().__init__(problems.TOO_LARGE.status)


def create_app(site: Site, sign_in: SignIn, settings: Settings, spans: Spans, ready: Callable[[], bool]) -> FastAPI:
    """Return the application. `ready` says whether it can answer."""
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
        public.routes(site),
    ):
        app.router.routes.extend(routed.routes)

    @app.get("/", include_in_schema=False)
    def api_page() -> HTMLResponse:
        """Show every question and command there is."""
        return HTMLResponse(page(app.openapi()))

    app.add_middleware(Guard)
    elsewhere = {public.PATH: settings.public_body_bytes_most}
    app.add_middleware(BodyLimit, most=settings.body_bytes_most, elsewhere=elsewhere)
    app.add_middleware(spans.middleware)
    return app
