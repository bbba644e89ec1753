"""The process's own log: one line each on standard error, in UTC; its forms are constant, and none holds content."""

from __future__ import annotations

import logging
import time
from typing import Final

CHATTY: Final = ("psycopg", "kafka", "httpx", "httpcore")
"""Whose messages name connections and whole addresses, over and over, and tell nobody anything."""


class Line(logging.Formatter):
    """`2026-11-28T10:00:00Z INFO goldenthread.access: refused=...`."""

    def __init__(self) -> None:
        super().__init__("%(asctime)sZ %(levelname)s %(name)s: %(message)s", "%Y-%m-%dT%H:%M:%S")
        self.converter = time.gmtime


def begin() -> None:
    """Let warnings be written, and who signed in and was refused what."""
    handler = logging.StreamHandler()
    handler.setFormatter(Line())
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    logging.getLogger("goldenthread.access").setLevel(logging.INFO)
    for name in CHATTY:
        logging.getLogger(name).setLevel(logging.CRITICAL)
