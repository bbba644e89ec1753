"""The log is also sent to a machine of its own, where the site has one: our lines, and nothing that an error quotes."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from pydantic import ValidationError

from adapters.settings import Settings
from adapters.telemetry import logs
from adapters.telemetry.metrics import Metrics
from adapters.telemetry.spans import Spans


@contextmanager
def collector() -> Iterator[tuple[str, list[tuple[str, bytes]]]]:
    """Run a collector on loopback; give its address, and what is sent to it: path and body."""
    taken: list[tuple[str, bytes]] = []

    class Taking(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            taken.append((self.path, self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Taking)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", taken
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)


def test_everything_goes_to_one_collector_each_by_its_own_path() -> None:
    with collector() as (address, taken):
        settings = Settings(environment="test", otlp_endpoint=f"{address}/")
        spans, metrics = Spans(settings.otlp("traces")), Metrics(settings.otlp("metrics"))
        with logs.sent(settings.otlp("logs")):
            with spans.command("OfferDiversion"):
                logging.getLogger("goldenthread.access").warning("refused=%s", "not-signed-in")
            metrics.released("me", True)
        spans.close()
        metrics.close()
    assert {path for path, _ in taken} == {"/v1/traces", "/v1/metrics", "/v1/logs"}


def test_our_lines_are_sent_with_their_trace_and_nobody_elses_and_no_error() -> None:
    with collector() as (address, taken):
        spans = Spans()
        with logs.sent(f"{address}/v1/logs"), spans.command("OfferDiversion"):
            logging.getLogger("goldenthread.access").warning("refused=%s", "not-signed-in", extra={"who": "Bell"})
            logging.getLogger("uvicorn.error").warning("Bell")
            logging.getLogger("goldenthread.http").error("unexpected", exc_info=RuntimeError("Bell"))
        logging.getLogger("goldenthread.access").warning("once it is over")
        spans.close()
    (sent,) = [ExportLogsServiceRequest.FromString(body) for _, body in taken]
    (resource,) = sent.resource_logs
    lines = [(scope.scope.name, line) for scope in resource.scope_logs for line in scope.log_records]
    assert [(name, line.body.string_value, line.severity_text, [*line.attributes]) for name, line in lines] == [
        ("goldenthread.access", "refused=not-signed-in", "WARNING", []),
        ("goldenthread.http", "unexpected", "ERROR", []),
    ]
    assert all(line.trace_id and line.time_unix_nano for _, line in lines)
    assert b"Bell" not in sent.SerializeToString()


def test_without_a_collector_nothing_is_sent() -> None:
    assert Settings(environment="test").otlp("logs") is None
    before = list(logging.getLogger(logs.OURS).handlers)
    with logs.sent(None):
        assert logging.getLogger(logs.OURS).handlers == before


def test_a_collector_is_named_without_a_path() -> None:
    with pytest.raises(ValidationError, match="leave out /v1/traces"):
        Settings(otlp_endpoint="https://collector.example/v1/traces")
    assert Settings(otlp_endpoint="https://collector.example").otlp("metrics") == "https://collector.example/v1/metrics"
