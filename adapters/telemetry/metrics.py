"""Metrics: how much is asked and how long it takes, what is refused, how far behind the site is; nothing of whom.

They are for the site's operator alone: numbers that go up tell that somebody is there. So they are sent to the
collector, and no question answers them. What varies in them comes from closed lists: routes, methods, problems,
surfaces, views.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Final

from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.metrics import CallbackOptions, Observation
from opentelemetry.sdk.metrics import AlwaysOffExemplarFilter, MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from adapters.telemetry import RESOURCE, SECONDS_MOST
from adapters.telemetry.spans import UNROUTED
from projections.views import VIEWS
from services.ports import Keeping, Unavailable
from services.site import Site

SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)
"""The bounds between which requests are counted by how long they took, as OpenTelemetry has them."""
METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")

_Seen = Iterable[tuple[float, Mapping[str, str]]]


class Metrics:
    """Counts; sends it all to `otlp_endpoint` every minute if one is configured, else nowhere."""

    def __init__(self, otlp_endpoint: str | None = None) -> None:
        sent = (
            [PeriodicExportingMetricReader(OTLPMetricExporter(otlp_endpoint, timeout=SECONDS_MOST))]
            if otlp_endpoint
            else []
        )
        self._provider = MeterProvider(sent, RESOURCE, exemplar_filter=AlwaysOffExemplarFilter())
        self._meter = self._provider.get_meter("goldenthread")
        self._requests = self._meter.create_histogram(
            "http.server.request.duration",
            "s",
            "Requests by route, method and kind of status; what was refused, by its problem.",
            explicit_bucket_boundaries_advisory=SECONDS,
        )
        self._releases = self._meter.create_counter(
            "goldenthread.releases",
            "{release}",
            "Answers released, by surface; refused: something went dark meanwhile, and it was rendered again.",
        )

    def released(self, surface: str, kept: bool) -> None:
        """Count an answer that came to the door: let out, or sent back to be rendered again."""
        self._releases.add(1, {"goldenthread.surface": surface, "goldenthread.refused": not kept})

    def watch(self, site: Site) -> None:
        """Look at a site whenever something is sent; what cannot be seen then is left out, never told as it was."""
        for name, unit, said, look in GAUGES:
            self._meter.create_observable_gauge(name, [partial(_looked, site, look)], unit, said)

    def middleware(self, app: ASGIApp) -> ASGIApp:
        """Wrap an application so that each request is counted, by its route, never by its path."""
        return _Requests(app, self._record)

    def close(self) -> None:
        """Send what is left."""
        self._provider.shutdown()

    def _record(self, seconds: float, attributes: Mapping[str, str]) -> None:
        self._requests.record(seconds, attributes)


class _Requests:
    def __init__(self, app: ASGIApp, record: Callable[[float, Mapping[str, str]], None]) -> None:
        self._app, self._record = app, record

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun, status = time.perf_counter(), 0

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, noted)
        finally:
            attributes = {
                "http.request.method": scope["method"] if scope["method"] in METHODS else "_OTHER",
                "http.route": getattr(scope.get("route"), "path", UNROUTED),
                "goldenthread.status": f"{status // 100}xx",
            }
            if (problem := scope.get("problem")) is not None:
                attributes["error.type"] = problem
            self._record(time.perf_counter() - begun, attributes)


def _looked(site: Site, look: Callable[[Site], _Seen], _: CallbackOptions) -> Iterable[Observation]:
    try:
        return [Observation(value, attributes) for value, attributes in look(site)]
    except Unavailable:
        return []


def _behind(site: Site) -> _Seen:
    state = site.log.health()
    for view in VIEWS.values():
        yield max(0, state.position - state.views.get(view.name, 0)), {"goldenthread.view": view.name}


def _parked(site: Site) -> _Seen:
    parked = site.log.health().parked
    for view in VIEWS.values():
        yield parked.get(view.name, 0), {"goldenthread.view": view.name}


def _unsealed(site: Site) -> _Seen:
    if (sealed := site.log.health().sealed_at) is not None:
        yield (site.now() - sealed).total_seconds(), {}


def _set_aside(site: Site) -> _Seen:
    count, _ = site.stream.health().kept.get(Keeping.SET_ASIDE, (0, None))
    yield count, {}


def _untold(site: Site) -> _Seen:
    yield sum(each.statuses + each.acknowledgements for each in site.outbox.health().untold), {}


GAUGES: Final[tuple[tuple[str, str, str, Callable[[Site], _Seen]], ...]] = (
    ("goldenthread.view.behind", "{position}", "How far each view is behind the log.", _behind),
    ("goldenthread.view.parked", "{participant}", "Whom each view could not compute.", _parked),
    ("goldenthread.checkpoint.age", "s", "How long ago the log was last sealed.", _unsealed),
    ("goldenthread.messages.set_aside", "{message}", "Agencies' messages that wait for a person.", _set_aside),
    ("goldenthread.messages.untold", "{message}", "What agencies are still to be told by stream.", _untold),
)
