"""What may stand after the question mark of an address: what its route declares, each of it once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from itertools import islice
from typing import Final

from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from starlette.datastructures import QueryParams
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from adapters.http.problems import FAULTS_MOST, BadAddress, Fault

_NAME_MOST: Final = 60
"""How much of an unknown name is told again: it may be anything."""


def close(app: FastAPI, *, but: str) -> None:
    """Let every route of the application refuse what it does not declare, before it looks at anything else.

    `but` is the path of the one route that others put into words (RFC 6749, 4.1.2: what is not recognized is ignored).
    """
    for route in app.routes:
        if isinstance(route, Route) and route.path != but:
            route.app = _closed(route.app, dict(_taken(route.dependant)) if isinstance(route, APIRoute) else {})


def _taken(dependant: Dependant) -> Iterator[tuple[str, bool]]:
    """Yield the names that a route reads, or anything that it depends on, and whether after the question mark."""
    yield from ((field.alias, True) for field in dependant.query_params)
    yield from ((field.alias.replace("_", "-"), False) for field in dependant.header_params)
    for inner in dependant.dependencies:
        yield from _taken(inner)


def _closed(app: ASGIApp, taken: Mapping[str, bool]) -> ASGIApp:
    async def checked(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["query_string"] and (faults := [*islice(_faults(scope["query_string"], taken), FAULTS_MOST)]):
            raise BadAddress(faults)
        await app(scope, receive, send)

    return checked


def _faults(query: bytes, taken: Mapping[str, bool]) -> Iterator[Fault]:
    """Yield what is wrong with a query. No value is looked at."""
    names = [name for name, in_address in taken.items() if in_address]
    for name, times in Counter(name for name, _ in QueryParams(query).multi_items()).items():
        if name not in names:
            said = "".join(filter(str.isprintable, name[:_NAME_MOST]))
            near = [
                f" The nearest name is {'' if taken[each] else 'the header '}{each}."
                for each in get_close_matches(said, taken, n=1)
            ]
            way_out = f"Leave it out; this address takes {', '.join(names) or 'none'}.{''.join(near)}"
            yield Fault(field=said, reason="this address does not take it.", way_out=way_out)
        elif times > 1:
            yield Fault(field=name, reason="it stands there more than once.", way_out="Say it once.")
