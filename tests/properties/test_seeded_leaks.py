"""That the two-world test can fail: each leak put into the running site is found, and without one there is nothing.

The site is the real one: PostgreSQL, HTTP, two worlds with the same visible acts. A leak is one change at its natural
place; it is found if the officer hears another byte in one world than in the other. What an officer has no question
for is found in the worlds of the other viewers, in `test_two_worlds`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from email.utils import format_datetime
from typing import Any
from unittest import mock
from uuid import UUID

import pytest
from fastapi.responses import Response

import adapters.http.questions as http
from adapters.http.problems import TooOften
from domain.participant import ParticipantIdentified, RecordsMerged
from domain.roi import RoiRevoked
from services.ports import Caller
from services.questions import listing
from services.questions.listing import Asked, Asking, Listing
from services.release import answer
from services.site import Site
from services.tokens import Tokens
from tests.conftest import Database
from tests.properties.test_two_worlds import (
    Leak,
    Pair,
    Seeded,
    as_of_in_a_row,
    asked,
    both,
    busiest_first,
    by_id,
    cursor_of_the_log,
    error_text,
    exported,
    finds,
    followed,
    gaps_in_a_file,
    limited_first,
    listed,
    lookup_of_everyone,
    lookups,
    not_found,
    on_every_answer,
    on_participants,
    page_of,
    replay_at,
    replays,
    searched_first,
    statement,
    total,
    two_worlds,
    updates_of_the_log,
    withheld,
    writes,
)

pytestmark = pytest.mark.server


def on_every_reply(change: Callable[[Site, Response], None]) -> Leak:
    """Change the reply to every question about a list just before it is sent."""

    @contextmanager
    def leak(_: Pair) -> Iterator[None]:
        right, asked_of = http.reply, threading.local()

        def noted(site: Site, *rest: Any) -> dict[str, Any]:
            asked_of.site = site
            return answer(site, *rest)

        def reply(body: dict[str, Any], headers: dict[str, str] | None = None, status: int = 200) -> Response:
            sent = right(body, headers, status)
            change(asked_of.site, sent)
            return sent

        with mock.patch.object(listing, "answer", noted), mock.patch.object(http, "reply", reply):
            yield

    return leak


def etag(site: Site, sent: Response) -> None:
    """An entity tag is made of how far the log has come."""
    sent.headers["ETag"] = f'"{site.log.position()}"'


def last_modified(site: Site, sent: Response) -> None:
    """A list was modified when records were merged, whosever they are."""
    merged = site.log.of_topics([RecordsMerged.topic])
    sent.headers["Last-Modified"] = format_datetime(merged[-1].recorded_at)


def trace_id(site: Site, sent: Response) -> None:
    """A reply says under which number it stands in the traces, and the numbers count everything that happens."""
    sent.headers["Traceparent"] = f"00-{site.log.position():032x}-0000000000000001-01"


def length(site: Site, sent: Response) -> None:
    """A reply is as long as if what it keeps back stood in it."""
    sent.body = bytes(sent.body) + b" " * len(_everyone(site))
    sent.headers["Content-Length"] = str(len(sent.body))


def not_modified(pair: Pair) -> AbstractContextManager[object]:
    """A list is 304, not modified, unless anything at all was recorded since the viewer had it."""
    had = pair.first.site.parts.log.position()

    def change(site: Site, sent: Response) -> None:
        if site.log.position() == had:
            sent.status_code, sent.body, sent.headers["Content-Length"] = 304, b"", "0"

    return on_every_reply(change)(pair)


@contextmanager
def position_of_the_log(_: Pair) -> Iterator[None]:
    """A command's `Position` is the number of the log, not sealed."""
    right = Tokens.seal

    def wrong(self: Tokens, viewer: UUID, use: str, value: Any) -> str:
        return str(value) if use == "position" else right(self, viewer, use, value)

    with mock.patch.object(Tokens, "seal", wrong):
        yield


def limited_together(pair: Pair) -> AbstractContextManager[object]:
    """How much one may ask is used up by what happens to others."""
    most = min(len(_everyone(one.site.parts.site)) for one in pair.worlds)

    def change(site: Site, _: Caller, __: dict[str, Any]) -> None:
        if len(_everyone(site)) > most:
            raise TooOften

    return on_every_answer(change)(pair)


def numbered(site: Site, caller: Caller, history: list[Any], body: dict[str, Any]) -> dict[str, Any]:
    """Ids are numbers, given in the order in which people came to the site."""
    told = {"participant": _everyone(site).index(history[0].event.participant_id)} if body["shared"] else {}
    return body | {"shared": [each | told for each in body["shared"]]}


def touched_last_first(
    pair: Pair, asking: Asking, of: Listing, asked: Asked, cursor: str | None, limit: int, page: list[Any]
) -> list[Any]:
    """The lines of a file stand in the order in which anything happened to whom they are about."""
    return sorted(page, key=lambda row: asking.site.log.history(row.subject_id)[-1].position)


def blinking(
    pair: Pair, asking: Asking, of: Listing, asked: Asked, cursor: str | None, limit: int, page: list[Any]
) -> list[Any]:
    """An own row is away once the person has revoked what it had given to anyone."""
    log = asking.site.log
    return [row for row in page if not any(isinstance(r.event, RoiRevoked) for r in log.history(row.subject_id))]


def _everyone(site: Site) -> list[UUID | None]:
    """Return the site's people in the order in which they came."""
    return [recorded.event.participant_id for recorded in site.log.of_topics([ParticipantIdentified.topic])]


LISTS, FILES, PEOPLE = asked(listed), asked(exported), asked(by_id)
LEAKS: dict[str, Seeded] = {
    "count": Seeded(on_every_answer(total), LISTS),
    "cursor": Seeded(cursor_of_the_log, LISTS),
    "position": Seeded(position_of_the_log, replays),
    "ETag": Seeded(on_every_reply(etag), LISTS),
    "304": Seeded(not_modified, LISTS),
    "Last-Modified": Seeded(on_every_reply(last_modified), LISTS),
    "length": Seeded(on_every_reply(length), LISTS),
    "trace id": Seeded(on_every_reply(trace_id), LISTS),
    "status": Seeded(on_participants(not_found), PEOPLE),
    "rate limit": Seeded(limited_together, LISTS),
    "limit before filter": Seeded(page_of(limited_first), LISTS),
    "sort": Seeded(page_of(busiest_first), LISTS),
    "as-of": Seeded(as_of_in_a_row, PEOPLE),
    "search": Seeded(page_of(searched_first), LISTS),
    "error text": Seeded(error_text, writes),
    "idempotency replay": Seeded(replay_at, replays),
    "live-update gap": Seeded(updates_of_the_log, asked(followed)),
    "export order": Seeded(page_of(touched_last_first), FILES),
    "gap in a file": Seeded(gaps_in_a_file, FILES),
    "id order": Seeded(on_participants(numbered), PEOPLE),
    "own row blinking": Seeded(page_of(blinking), LISTS),
    "something is withheld": Seeded(on_participants(withheld), PEOPLE),
    "sentence": Seeded(on_participants(statement), PEOPLE),
    "lookup": Seeded(lookup_of_everyone, asked(lookups)),
}
"""Every leak by what gives the hidden away. No answer to an officer has an ETag, a `Last-Modified` or a trace id, and
none is a 304: these leaks put in what the site leaves out. A limit on asking there is, of each person's own."""


def test_every_seeded_leak_is_found_and_without_one_there_is_none(new_site_db: Callable[[], Database]) -> None:
    with two_worlds("kim", 1, new_site_db) as pair:
        missed = [name for name, leak in LEAKS.items() if not finds(pair, leak)]
        assert not missed, f"leaks that nothing found: {missed}"
        for met_by in dict.fromkeys(leak.met_by for leak in LEAKS.values()):
            for _, first, second in both(pair, met_by(pair)):
                assert first == second, "a difference without a leak"
