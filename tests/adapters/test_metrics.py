"""What the site's operator can count: how the site does, by closed lists; never of whom."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast
from unittest import mock

import httpx
import pytest
from fastapi import FastAPI
from opentelemetry.sdk.metrics.export import HistogramDataPoint, InMemoryMetricReader
from starlette.routing import Route

from adapters.http import problems
from adapters.http.app import BodyLimit, Guard, create_app
from adapters.settings import Settings
from adapters.telemetry.metrics import GAUGES, Metrics
from adapters.telemetry.spans import UNROUTED
from domain.labels import Reader
from domain.refusal import Refused
from projections.views import VIEWS
from services.ports import NOBODY, Health, Keeping, Streams, Telling, Unavailable, Untold
from services.questions import FIGURES, LISTINGS
from services.questions.figures import Figures
from services.questions.listing import Listing
from services.site import Site

AT = datetime(2026, 2, 14, 12, tzinfo=UTC)
POLICE, PROGRAM = "police", "program"
_APP = create_app(mock.Mock(), mock.Mock(), Settings(environment="test"), mock.Mock(), mock.Mock(), bool)
_ASKED: tuple[Listing | Figures, ...] = (*LISTINGS, *FIGURES)
MEASURED = {"http.server.request.duration", "goldenthread.releases", *(name for name, *_ in GAUGES)}
CLOSED: dict[str, set[Any]] = {
    "http.request.method": {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "_OTHER"},
    "http.route": {UNROUTED, *(route.path for route in cast("list[Route]", _APP.routes))},
    "goldenthread.status": {"2xx", "3xx", "4xx", "5xx"},
    "error.type": {problem.name for problem in problems.REGISTRY},
    "goldenthread.view": {view.name for view in VIEWS.values()},
    "goldenthread.refused": {False, True},
    "goldenthread.surface": {
        *(f"{each.surface}{how}" for each in _ASKED for how in ("", ".csv", ".updates")),
        *(f"{reader.value}.participant" for reader in Reader),
        *(f"{reader.value}.trace" for reader in (Reader.COUNSEL, Reader.PARTICIPANT, Reader.PRIVACY)),
        *("me", "parties", "protocol", "participant.own", "police.lookup", "stream", "stream.keys", "as_of", "bundle"),
        *("accounting", "accounting.csv", "accounting.html"),
        *("case_manager.on_call", "program.health", "program.message", "program.messages"),
    },
}
"""All that an attribute of a metric may be."""


def points(reader: InMemoryMetricReader) -> dict[tuple[str, frozenset[tuple[str, Any]]], Any]:
    """Return how often each thing was measured, or where it stands, by name and attributes."""
    return {
        (name, frozenset((point.attributes or {}).items())): point.count
        if isinstance(point, HistogramDataPoint)
        else point.value
        for name, point in measures(reader)
    }


def measures(reader: InMemoryMetricReader) -> Iterator[tuple[str, Any]]:
    """Yield every point that would be sent now, with its name."""
    data = reader.get_metrics_data()
    for resource in data.resource_metrics if data else ():
        for scope in resource.scope_metrics:
            for metric in scope.metrics:
                for point in metric.data.data_points:
                    yield metric.name, point


def unknown(measured: Iterable[tuple[str, Any]]) -> set[tuple[str, Any]]:
    """Return the attributes that are on no closed list, with what they are."""
    held = {item for _, point in measured for item in (point.attributes or {}).items()}
    return {(name, value) for name, value in held if value not in CLOSED.get(name, ())}


def request(method: str, route: str, status: str, problem: str | None = None) -> tuple[str, frozenset[tuple[str, Any]]]:
    held = {"http.request.method": method, "http.route": route, "goldenthread.status": status}
    return "http.server.request.duration", frozenset((held | ({"error.type": problem} if problem else {})).items())


@pytest.fixture
def metrics() -> Iterator[Metrics]:
    with closing(Metrics()) as made:
        yield made


@pytest.fixture
def reader(metrics: Metrics) -> InMemoryMetricReader:
    made = InMemoryMetricReader()
    metrics._provider.add_metric_reader(made)
    return made


def test_requests_are_counted_by_route_and_problem(metrics: Metrics, reader: InMemoryMetricReader) -> None:
    app = FastAPI()
    problems.install(app)

    @app.get("/people/{name}")
    def person(name: str) -> str:
        return name

    @app.post("/people/{name}")
    def refuse(name: str) -> None:
        raise Refused("name", name, name)

    @app.get("/broken/{name}")
    def broken(name: str) -> None:
        raise RuntimeError(name)

    app.add_middleware(Guard)
    app.add_middleware(BodyLimit, most=10, elsewhere={}, seconds=5)
    app.add_middleware(metrics.middleware)

    async def ask() -> None:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://lead") as client:
            for _ in range(2):
                await client.get("/people/Bell")
            await client.post("/people/Bell")
            await client.post("/people/Bell", content=b"x" * 11)
            await client.get("/broken/Bell")
            await client.get("/Bell")
            await client.request("BELL", "/people/x")

    asyncio.run(ask())
    assert points(reader) == {
        request("GET", "/people/{name}", "2xx"): 2,
        request("POST", "/people/{name}", "4xx", "refused"): 1,
        request("POST", "unrouted", "4xx", "too-large"): 1,
        request("GET", "/broken/{name}", "5xx", "our-fault"): 1,
        request("GET", "unrouted", "4xx", "no-such-path"): 1,
        request("_OTHER", "/people/{name}", "4xx", "no-such-method"): 1,
    }


def test_what_comes_to_the_door_is_counted_by_surface(metrics: Metrics, reader: InMemoryMetricReader) -> None:
    for kept in (True, True, False):
        metrics.released("police.participant", kept)

    def releases(*, refused: bool) -> Any:
        said = {"goldenthread.surface": "police.participant", "goldenthread.refused": refused}
        return points(reader)["goldenthread.releases", frozenset(said.items())]

    assert (releases(refused=False), releases(refused=True)) == (2, 1)


def site(**health: Any) -> Site:
    log = SimpleNamespace(
        health=lambda: Health(100, {POLICE: 98, PROGRAM: 101}, {POLICE: 3}, AT - timedelta(seconds=90))
    )
    stream = SimpleNamespace(health=lambda: Streams([], {Keeping.SET_ASIDE: (4, AT), Keeping.WAITS: (9, AT)}, 0))
    untold = [Untold(NOBODY, 2, AT, 1, AT, 7), Untold(NOBODY, 5, AT, 0, None, 0)]
    outbox = SimpleNamespace(health=lambda: Telling(untold, AT, None, None))
    return cast("Site", SimpleNamespace(log=log, stream=stream, outbox=outbox, now=lambda: AT, **health))


def test_how_far_behind_the_site_is(metrics: Metrics, reader: InMemoryMetricReader) -> None:
    metrics.watch(site())
    told = points(reader)
    for name, police, program, other in (("behind", 2, 0, 100), ("parked", 3, 0, 0)):
        found = {
            dict(said)["goldenthread.view"]: n for (of, said), n in told.items() if of == f"goldenthread.view.{name}"
        }
        assert found == {view.name: other for view in VIEWS.values()} | {POLICE: police, PROGRAM: program}
    assert told["goldenthread.checkpoint.age", frozenset()] == 90
    assert told["goldenthread.messages.set_aside", frozenset()] == 4
    assert told["goldenthread.messages.untold", frozenset()] == 8


def test_what_cannot_be_seen_is_not_told_as_it_was(metrics: Metrics, reader: InMemoryMetricReader) -> None:
    seen = site()
    metrics.watch(seen)
    assert points(reader)
    with mock.patch.object(seen.log, "health", mock.Mock(side_effect=Unavailable)):
        assert {name for name, _ in points(reader)} == {
            "goldenthread.messages.set_aside",
            "goldenthread.messages.untold",
        }


def test_nothing_is_sent_unless_a_collector_is_named() -> None:
    with mock.patch("adapters.telemetry.metrics.PeriodicExportingMetricReader") as exporting:
        Metrics().close()
    exporting.assert_not_called()
