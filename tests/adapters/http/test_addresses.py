"""No address holds what someone is called: on its way it is written down, by proxies, browsers and collectors."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute

from adapters.http.app import create_app
from adapters.http.listings import SEARCH
from adapters.http.signin import SignIn
from adapters.settings import Settings
from services.questions import LISTINGS

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
    sign_in = SignIn(mock.Mock(), mock.Mock(), mock.Mock())
    return create_app(mock.Mock(), sign_in, Settings(environment="test"), mock.Mock(), mock.Mock(), bool)


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
    assert reading == ["sessions.py"]  # what a provider sends a browser back with


def test_every_list_is_searched_by_a_header(app: FastAPI) -> None:
    searched = [name for name, _ in parameters(app, "header") if name == SEARCH]
    assert len(searched) == 3 * len(LISTINGS)  # its pages, its file, what follows it
