"""Lists and figures. Each is asked for (a list in pages), taken along as a file, followed: sent when it has changed."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable
from enum import Enum
from itertools import chain
from typing import Annotated, Any, Final
from urllib.parse import unquote_to_bytes
from uuid import UUID

import orjson
from fastapi import APIRouter, Depends, Header, Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import BeforeValidator
from starlette.concurrency import run_in_threadpool

from adapters.http import problems, questions
from adapters.http.signin import SignIn
from adapters.settings import Settings
from domain.event import ShortText
from domain.refusal import Forbidden
from services.ports import AuthorityEnded, Caller, Unavailable
from services.questions import FIGURES, LISTINGS, figures, listing
from services.questions.figures import Figures
from services.questions.listing import Asked, Choice, Listing
from services.site import Site

HEARTBEAT = b": nothing new\n\n"
_KEPT = {"Cache-Control": "private, no-store"}

SEARCH: Final = "Search-For"
"""Where the text of a search stands: it is often a name, and an address is written down on its way."""


def _said(value: object) -> object:
    """Return what a header says in UTF-8, percent-encoded or as it is. Raises `ValueError`."""
    return unquote_to_bytes(value.encode("latin-1")).decode() if isinstance(value, str) else value


Search = Annotated[
    ShortText | None,
    BeforeValidator(_said),
    Header(
        alias=SEARCH,
        description="What some text of a row must contain, in whatever case. UTF-8, percent-encoded as in addresses.",
    ),
]

_Answer = Callable[..., Any]
_Change = Callable[[Caller, bytes], tuple[dict[str, Any] | None, bytes]]


class _Csv(StreamingResponse):
    media_type = "text/csv"


class _Updates(StreamingResponse):
    media_type = "text/event-stream"


def routes(  # noqa: C901 - one after the other
    site: Site, sign_in: SignIn, settings: Settings
) -> APIRouter:
    """Return the routes of every list and all figures."""
    api = APIRouter(responses=questions.REFUSALS)
    Asking = Annotated[Caller, Depends(questions.waiting(site, sign_in, settings))]  # noqa: N806 - a type
    Taking = Annotated[  # noqa: N806 - a type
        Caller, Depends(questions.waiting(site, sign_in.asking(recent=True), settings))
    ]
    Limit = Annotated[int, Query(ge=1, le=settings.page_most, description="How many at most.")]  # noqa: N806 - a type
    following = Following(settings.updates_per_person)

    async def one_more(caller: Asking) -> AsyncIterator[None]:
        following.begin(caller.staff)
        try:
            yield
        finally:
            following.end(caller.staff)

    async def follow(request: Request, caller: Caller, change: _Change) -> Response:
        async def look(sent: bytes) -> tuple[dict[str, Any] | None, bytes]:
            return await run_in_threadpool(lambda: change(sign_in.still(request, caller), sent))

        return _Updates(_follow(look, await look(b""), settings), headers=_KEPT)

    def add(asked: Listing | Figures, whole: _Answer, file: _Answer, updates: _Answer, said: tuple[str, str]) -> None:
        name = asked.path.replace("/", "_").replace("-", "_")
        tag: list[str | Enum] = [asked.reader.replace("_", " ")]
        path = f"/v1/{asked.path}"
        api.get(path, name=name, description=asked.doc, tags=tag)(whole)
        api.get(
            f"{path}.csv",
            name=f"{name}_csv",
            description=f"{asked.doc} {said[0]}",
            tags=tag,
            response_class=_Csv,
            responses=_answers("text/csv", {"type": "string"}),
        )(file)
        api.get(
            f"{path}/updates",
            name=f"{name}_updates",
            description=f"{asked.doc} {said[1]}",
            tags=tag,
            response_class=_Updates,
            responses=_answers("text/event-stream", _EVENT) | problems.responses(problems.TOO_MANY_STREAMS),
            dependencies=[Depends(one_more)],
        )(updates)

    def add_list(listed: Listing) -> None:
        AskedOf = Annotated[Asked, Depends(_asked(listed.choice))]  # noqa: N806 - a type

        def page(caller: Asking, asked: AskedOf, cursor: questions.Cursor = None, limit: Limit = 50) -> Response:
            return questions.reply(listing.page(site, caller, listed, asked, cursor, limit))

        def file(caller: Taking, asked: AskedOf) -> Response:
            parts = listing.export(site, caller, listed, asked, settings.export_page)
            first = next(parts)  # what is refused is refused before anything is sent
            return _file(listed.path, chain([first], parts))

        async def updates(request: Request, caller: Asking, asked: AskedOf, limit: Limit = 50) -> Response:
            return await follow(
                request, caller, lambda asking, sent: listing.change(site, asking, listed, asked, limit, sent)
            )

        add(
            listed,
            page,
            file,
            updates,
            ("The whole list as a file.", "The first page, and again whenever it has changed."),
        )

    def add_figures(counted: Figures) -> None:
        def whole(caller: Asking) -> Response:
            return questions.reply(figures.figures(site, caller, counted))

        def file(caller: Taking) -> Response:
            return _file(counted.path, [figures.export(site, caller, counted)])

        async def updates(request: Request, caller: Asking) -> Response:
            return await follow(request, caller, lambda asking, sent: figures.change(site, asking, counted, sent))

        add(counted, whole, file, updates, ("As a file.", "All of it, and again whenever it has changed."))

    for each in LISTINGS:
        add_list(each)
    for each_of in FIGURES:
        add_figures(each_of)
    return api


def _file(path: str, parts: Iterable[str]) -> Response:
    named = {"Content-Disposition": f'attachment; filename="{path.replace("/", "-")}.csv"'}
    return _Csv(parts, headers=_KEPT | named)


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
    closed = {"enum": [*choice.values]} if choice.values else None
    said = Query(alias=choice.name, description=choice.doc, json_schema_extra=closed)

    async def one_of(chosen: Annotated[str | None, said] = None, search: Search = None) -> Asked:
        return Asked(chosen, search)

    async def yes_or_no(chosen: Annotated[bool, said] = False, search: Search = None) -> Asked:
        return Asked(chosen, search)

    return one_of if choice.values else yes_or_no
