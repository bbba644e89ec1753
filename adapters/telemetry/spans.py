"""Spans: one for each request, command and projected page. Attributes come from a closed list; none holds content."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from opentelemetry import propagate
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Link, SpanKind, StatusCode, get_current_span
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from adapters.telemetry import RESOURCE, SECONDS_MOST

UNROUTED = "unrouted"


class Spans:
    """Makes the spans; sends them to `otlp_endpoint` if one is configured, else nowhere."""

    def __init__(self, otlp_endpoint: str | None = None, processor: SpanProcessor | None = None) -> None:
        self._provider = TracerProvider(resource=RESOURCE)
        if otlp_endpoint:
            self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(otlp_endpoint, timeout=SECONDS_MOST)))
        if processor:
            self._provider.add_span_processor(processor)
        self._tracer = self._provider.get_tracer("goldenthread")

    @contextmanager
    def command(self, name: str) -> Iterator[None]:
        """Span a command: its name, nothing of what it holds."""
        with self._span(f"command {name}", {}):
            yield

    @contextmanager
    def page(self, view: str, events: int) -> Iterator[None]:
        """Span a projected page: the view, and how many events it took."""
        attributes: dict[str, str | int] = {"goldenthread.view": view, "goldenthread.events": events}
        with self._span("project", attributes):
            yield

    @contextmanager
    def batch(self, topic: str, headers: Sequence[Mapping[str, str]]) -> Iterator[None]:
        """Span the taking of some messages of a topic, linked to the trace of each; `headers` are theirs."""
        spans = (get_current_span(propagate.extract(each)).get_span_context() for each in headers)
        attributes: dict[str, str | int] = {
            "messaging.system": "kafka",
            "messaging.operation.name": "process",
            "messaging.operation.type": "process",
            "messaging.destination.name": topic,
            "messaging.batch.message_count": len(headers),
        }
        with self._span("process", attributes, [Link(context) for context in spans if context.is_valid]):
            yield

    @contextmanager
    def sent(self, party: str, messages: int) -> Iterator[None]:
        """Span what is told to a party on one beat: to whom and how many messages; a record's key names a person."""
        attributes: dict[str, str | int] = {
            "messaging.system": "kafka",
            "messaging.operation.name": "send",
            "messaging.operation.type": "send",
            "messaging.batch.message_count": messages,
            "goldenthread.party": party,
        }
        with self._span("tell", attributes):
            yield

    @contextmanager
    def _span(self, name: str, attributes: dict[str, str | int], links: Sequence[Link] = ()) -> Iterator[None]:
        """Span some work; of a failure its kind is told, never its message, which may quote what was sent."""
        with self._tracer.start_as_current_span(
            name, attributes=attributes, links=links, record_exception=False, set_status_on_exception=False
        ) as span:
            try:
                yield
            except Exception as error:
                span.set_attribute("error.type", type(error).__name__)
                span.set_status(StatusCode.ERROR)
                raise

    def middleware(self, app: ASGIApp) -> ASGIApp:
        """Wrap an application so that each request has its span, named by its route, never by its path."""
        return _Requests(app, self)

    def close(self) -> None:
        """Send what is left."""
        self._provider.shutdown()


class _Requests:
    def __init__(self, app: ASGIApp, spans: Spans) -> None:
        self._app, self._spans = app, spans

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        with self._spans._tracer.start_as_current_span(  # noqa: SLF001 - of this module
            UNROUTED,
            context=propagate.extract(headers),
            kind=SpanKind.SERVER,
            attributes={"http.request.method": scope["method"]},
            record_exception=False,
            set_status_on_exception=False,
        ) as span:

            async def noted(message: Message) -> None:
                if message["type"] == "http.response.start":
                    span.set_attribute("http.response.status_code", message["status"])
                await send(message)

            try:
                await self._app(scope, receive, noted)
            finally:
                route = getattr(scope.get("route"), "path", UNROUTED)
                span.update_name(f"{scope['method']} {route}")
                span.set_attribute("http.route", route)
