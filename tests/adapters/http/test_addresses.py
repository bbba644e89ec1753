"""No address holds what someone is called: on its way it is written down, by proxies, browsers and collectors.

And none holds what nobody reads: a filter that is misspelt would be none, and the answer all there is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.routing import Route

from adapters.http.app import create_app
from adapters.http.listings import SEARCH
from adapters.http.sessions import CALLBACK
from adapters.http.signin import SignIn
from adapters.settings import Settings
from services.questions import LISTINGS
from tests.adapters.http.conftest import problem

ROOT = Path(__file__).parents[3]
TEXTS = {"cursor", "party", "return_to"}
"""What may be any text after a question mark: what we sealed, an agency's code, another address of the site."""
IDS = {
    *("ask", "case", "concern", "disclosure", "finding", "goal", "hearing", "hold", "item", "link", "match", "message"),
    *("participant", "referral", "revocation", "roi", "warrant"),
}
"""What stands in a path: ids that mean something to the asker's own party alone."""
CLOSED = ("boolean", "integer", "null")
FORMATS = ("date", "date-time")


@pytest.fixture(scope="module")
def app() -> FastAPI:
    """The application, with nothing behind it: whatever it looked up would fail."""
    sign_in = SignIn(mock.Mock(), mock.Mock(), mock.Mock())
    around = mock.Mock(middleware=lambda inner: inner)
    return create_app(mock.Mock(), sign_in, Settings(environment="test"), around, around, bool)


def parameters(app: FastAPI, where: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the name and schema of each parameter that stands there, of every route."""
    for operations in app.openapi()["paths"].values():
        for operation in operations.values():
            for parameter in operation.get("parameters", ()):
                if parameter["in"] == where:
                    yield parameter["name"], parameter["schema"]


def is_closed(schema: dict[str, Any], schemas: dict[str, Any]) -> bool:
    """Return whether nobody's name fits a schema: it is yes or no, a number, a moment, or one of a list."""
    if "$ref" in schema:
        return is_closed(schemas[schema["$ref"].rpartition("/")[2]], schemas)
    if "enum" in schema:
        return True
    if "anyOf" in schema:
        return all(is_closed(each, schemas) for each in schema["anyOf"])
    return schema.get("type") in CLOSED or schema.get("format") in FORMATS


def test_no_query_takes_a_name(app: FastAPI) -> None:
    schemas = app.openapi()["components"]["schemas"]
    assert {name for name, schema in parameters(app, "query") if not is_closed(schema, schemas)} == TEXTS


def test_no_path_takes_a_name(app: FastAPI) -> None:
    assert {name for name, _ in parameters(app, "path")} == IDS


def test_every_route_is_looked_at(app: FastAPI) -> None:
    """A route that the document leaves out takes nothing; and none reads of its address what it does not declare."""
    documented = app.openapi()["paths"]
    assert [route.path for route in app.routes if isinstance(route, APIRoute) and route.path not in documented] == ["/"]
    code = (ROOT / "adapters" / "http").glob("*.py")
    reading = [each.name for each in code if "query_params" in (text := each.read_text()) or ".query" in text]
    assert sorted(reading) == ["addresses.py", "sessions.py"]  # names alone; what a provider sends a browser back with


def test_every_list_is_searched_by_a_header(app: FastAPI) -> None:
    searched = [name for name, _ in parameters(app, "header") if name == SEARCH]
    assert len(searched) == 3 * len(LISTINGS)  # its pages, its file, what follows it


def ask(app: FastAPI, path: str, method: str = "GET") -> httpx.Response:
    async def asked() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://site") as client:
            return await client.request(method, path)

    return asyncio.run(asked())


def test_no_route_takes_what_it_does_not_declare(app: FastAPI) -> None:
    """Nor tells the value again; it is refused to whoever asks, before it is known who that is."""
    routes = [route for route in app.routes if isinstance(route, Route)]
    assert len(routes) == len(app.routes) > 200
    for route in routes:
        for method in sorted((route.methods or set()) - {"HEAD"}):
            answer = ask(app, f"{route.path}?colour=Ray%20Bell", method)
            if route.path == CALLBACK:
                assert answer.status_code != 422, "a provider may add what it likes"
                continue
            problem(answer, 422, "invalid-input", "colour")
            assert "Bell" not in answer.text


def test_nothing_stands_twice(app: FastAPI) -> None:
    """Where one is meant, the last would have been taken."""
    declared = [
        (path, method, parameter["name"])
        for path, operations in app.openapi()["paths"].items()
        for method, operation in operations.items()
        for parameter in operation.get("parameters", ())
        if parameter["in"] == "query"
    ]
    assert len(declared) > 100
    for path, method, name in declared:
        problem(ask(app, f"{path}?{name}=1&{name}=2", method), 422, "invalid-input", name)
        assert ask(app, f"{path}?{name}=1", method).status_code != 422, (path, name)


REFERRALS = "/v1/police/referrals"


@pytest.mark.parametrize(
    ("path", "field", "way_out"),
    [
        (
            f"{REFERRALS}?search=Bell",
            "search",
            "Leave it out; this address takes cursor, limit. The nearest name is the header Search-For.",
        ),
        (
            "/v1/participants/x/accounting?untill=2026-02-13",
            "untill",
            "Leave it out; this address takes since, until, regime. The nearest name is until.",
        ),
        ("/v1/me?colour", "colour", "Leave it out; this address takes none."),
        (f"{REFERRALS}?Limit=1", "Limit", "Leave it out; this address takes cursor, limit. The nearest name is limit."),
        ("/v1/me?" + "x" * 200, "x" * 60, "Leave it out; this address takes none."),
        ("/v1/me?%1b%5b2J%00%ff=1", "[2J\ufffd", "Leave it out; this address takes none."),
        ("/v1/me?=1", "", "Leave it out; this address takes none."),
        (f"{REFERRALS}?limit=1&limit=2", "limit", "Say it once."),
    ],
)
def test_the_way_out_of_an_address(
    app: FastAPI, caplog: pytest.LogCaptureFixture, path: str, field: str, way_out: str
) -> None:
    answer = ask(app, path)
    problem(answer, 422, "invalid-input", field)
    assert answer.json()["faults"][0]["way_out"] == way_out
    assert (field or "?") not in caplog.text


def test_many_unknown_names_are_not_answered_one_by_one(app: FastAPI) -> None:
    assert len(ask(app, "/v1/me?" + "&".join(f"f{n}" for n in range(5_000))).json()["faults"]) == 50
