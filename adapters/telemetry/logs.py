"""The process's own log: one line each on standard error, in UTC; its forms are constant, and none holds content.

Where the site has a collector, the same lines are sent there: who takes the machine cannot take them back.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.context import get_current
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.sdk._logs import LoggerProvider, LogRecordProcessor
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor

from adapters.telemetry import RESOURCE, SECONDS_MOST

OURS: Final = "goldenthread"
"""Above all loggers of ours."""
CHATTY: Final = ("psycopg", "kafka", "httpx", "httpcore")
"""Whose messages name connections and whole addresses, over and over, and tell nobody anything."""
_SEVERITY: Final = {
    logging.DEBUG: SeverityNumber.DEBUG,
    logging.INFO: SeverityNumber.INFO,
    logging.WARNING: SeverityNumber.WARN,
    logging.ERROR: SeverityNumber.ERROR,
    logging.CRITICAL: SeverityNumber.FATAL,
}


class Line(logging.Formatter):
    """`2026-11-28T10:00:00Z INFO goldenthread.access: refused=...`."""

    def __init__(self) -> None:
        super().__init__("%(asctime)sZ %(levelname)s %(name)s: %(message)s", "%Y-%m-%dT%H:%M:%S")
        self.converter = time.gmtime


class Sent(logging.Handler):
    """Sends a line to a collector: its time, level, logger, text and trace.

    Not the SDK's own handler, which is deprecated, and sends what an exception says besides.
    """

    def __init__(self, processor: LogRecordProcessor) -> None:
        super().__init__()
        self._provider = LoggerProvider(RESOURCE)
        self._provider.add_log_record_processor(processor)

    def emit(self, record: logging.LogRecord) -> None:
        """Send a line."""
        line = LogRecord(
            timestamp=int(record.created * 1e9),
            context=get_current(),
            severity_text=record.levelname,
            severity_number=_SEVERITY.get(record.levelno),
            body=record.getMessage(),
        )
        self._provider.get_logger(record.name).emit(line)

    def close(self) -> None:
        """Send what is left."""
        self._provider.shutdown()
        super().close()


def begin() -> None:
    """Let warnings be written, and who signed in and was refused what."""
    handler = logging.StreamHandler()
    handler.setFormatter(Line())
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    logging.getLogger("goldenthread.access").setLevel(logging.INFO)
    for name in CHATTY:
        logging.getLogger(name).setLevel(logging.CRITICAL)


@contextmanager
def sent(otlp_endpoint: str | None) -> Iterator[None]:
    """Send what our own loggers write to a collector, too, if there is one.

    Theirs alone: an exporter that cannot send says so on another, and so not to itself.
    """
    if otlp_endpoint is None:
        yield
        return
    handler = Sent(BatchLogRecordProcessor(OTLPLogExporter(otlp_endpoint, timeout=SECONDS_MOST)))
    logging.getLogger(OURS).addHandler(handler)
    try:
        yield
    finally:
        logging.getLogger(OURS).removeHandler(handler)
        handler.close()
