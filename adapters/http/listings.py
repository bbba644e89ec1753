"""The lists. Each is asked for in pages, taken along as a file, or followed: a page whenever the first has changed."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from enum import Enum
from itertools import chain
from typing import Annotated, Any
from uuid import UUID

import orjson
from fastapi import APIRouter, Depends, Query, Response
from fastapi.responses import StreamingResponse
from fastapi.security import HTTPAuthorizationCredentials
from starlette.concurrency import run_in_threadpool

from adapters.http import problems, questions
from adapters.http.signin import SignIn, bearer
from adapters.settings import Settings
from domain.event import ShortText
from domain.refusal import Forbidden
from services.ports import AuthorityEnded, Caller, Unavailable
from services.questions import LISTINGS, listing
from services.questions.listing import Asked, Choice, Listing
from services.site import Site

HEARTBEAT = b": nothing new\n\n"
_KEPT = {"Cache-Control": "private, no-store"}

Cursor = Annotated[str | None, Query(description="Where the page before ended, as it said.", max_length=1000)]
Search = Annotated[ShortText | None, Query(description="What some text of a row must contain, in whatever case.")]


class _Csv(StreamingResponse):
    media_type = "text/csv"


class _Updates(StreamingResponse):
    media_type = "text/event-stream"


def routes(site: Site, sign_in: SignIn, settings: Settings) -> APIRouter:
    """Return the routes of every list."""
    api = APIRouter(responses=questions.REFUSALS)
    Asking = Annotated[Caller, Depends(questions.waiting(site, sign_in, settings))]  # noqa: N806 - a type
    Limit = Annotated[int, Query(ge=1, le=settings.page_most, description="How many at most.")]  # noqa: N806 - a type
    following = Following(settings.updates_per_person)

    async def one_more(caller: Asking) -> AsyncIterator[None]:
        following.begin(caller.staff)
        try:
            yield
        finally:
            following.end(caller.staff)

    def add(listed: Listing) -> None:
        AskedOf = Annotated[Asked, Depends(_asked(listed.choice))]  # noqa: N806 - a type

        def page(caller: Asking, asked: AskedOf, cursor: Cursor = None, limit: Limit = 50) -> Response:
            return questions.reply(listing.page(site, caller, listed, asked, cursor, limit))

        def file(caller: Asking, asked: AskedOf) -> Response:
            parts = listing.export(site, caller, listed, asked, settings.export_page)
            first = next(parts)  # what is refused is refused before anything is sent
            named = {"Content-Disposition": f'attachment; filename="{listed.path.replace("/", "-")}.csv"'}
            return _Csv(chain([first], parts), headers=_KEPT | named)

        async def updates(
            caller: Asking,
            asked: AskedOf,
            token: Annotated[HTTPAuthorizationCredentials, Depends(bearer)],
            limit: Limit = 50,
        ) -> Response:
            async def look(sent: bytes) -> tuple[dict[str, Any] | None, bytes]:
                asking = await sign_in(token, str(caller.correlation_id))  # a token ends, too
                return await run_in_threadpool(listing.change, site, asking, listed, asked, limit, sent)

            first = await look(b"")
            return _Updates(_follow(look, first, settings), headers=_KEPT)

        name = listed.path.replace("/", "_").replace("-", "_")
        tag: list[str | Enum] = [listed.reader.replace("_", " ")]
        path = f"/v1/{listed.path}"
        api.get(path, name=name, description=listed.doc, tags=tag)(page)
        api.get(
            f"{path}.csv",
            name=f"{name}_csv",
            description=f"{listed.doc} The whole list as a file.",
            tags=tag,
            response_class=_Csv,
            responses=_answers("text/csv", {"type": "string"}),
        )(file)
        api.get(
            f"{path}/updates",
            name=f"{name}_updates",
            description=f"{listed.doc} The first page, and again whenever it has changed.",
            tags=tag,
            response_class=_Updates,
            responses=_answers("text/event-stream", _EVENT) | problems.responses(problems.TOO_MANY_STREAMS),
            dependencies=[Depends(one_more)],
        )(updates)

    for each in LISTINGS:
        add(each)
    return api


class Following:
    """How many lists each person follows in this process."""

    def __init__(self, most: int) -> None:
        self._most, self._people = most, Counter[UUID]()

    def begin(self, person: UUID) -> None:
        """Count one more. Raises `TooManyStreams`."""
        if self._people[person] >= self._most:
            raise problems.TooManyStreams
        self._people[person] += 1

    def end(self, person: UUID) -> None:
        """Count one less."""
        self._people[person] -= 1
        if not self._people[person]:
            del self._people[person]


async def _follow(
    look: Callable[[bytes], Any], first: tuple[dict[str, Any] | None, bytes], settings: Settings
) -> AsyncIterator[bytes]:
    """Yield a page or a heartbeat for each beat: what was found in it is released by then, and nothing is held between.

    Ends after so many beats, with the caller's authority, or when the site cannot answer.
    """
    page, mark = first
    yield _event(page)
    due = time.monotonic()
    for _ in range(1, int(settings.updates_seconds_most / settings.updates_beat_seconds)):
        due = max(due + settings.updates_beat_seconds, time.monotonic())
        await asyncio.sleep(due - time.monotonic())
        try:
            page, mark = await look(mark)
        except (AuthorityEnded, Forbidden, Unavailable):
            return
        yield _event(page)


def _event(page: dict[str, Any] | None) -> bytes:
    return HEARTBEAT if page is None else b"event: page\ndata: " + orjson.dumps(page) + b"\n\n"


def _answers(media_type: str, schema: dict[str, Any]) -> dict[int | str, dict[str, Any]]:
    return {200: {"content": {media_type: {"schema": schema}}}}


_EVENT = {
    "type": "object",
    "required": ["event", "data"],
    "properties": {
        "event": {"const": "page"},
        "data": {"type": "string", "contentMediaType": "application/json", "description": "The first page, whole."},
    },
}


def _asked(choice: Choice | None) -> Callable[..., Any]:
    """Return the dependency that reads what is asked of a list."""

    async def as_it_is(search: Search = None) -> Asked:
        return Asked(None, search)

    if choice is None:
        return as_it_is
    said = Query(alias=choice.name, description=choice.doc)

    async def one_of(chosen: Annotated[str | None, said] = None, search: Search = None) -> Asked:
        return Asked(chosen, search)

    async def yes_or_no(chosen: Annotated[bool, said] = False, search: Search = None) -> Asked:
        return Asked(chosen, search)

    return one_of if choice.values else yes_or_no
