"""Spans, metrics and logs, never content: to one collector, if the site has one."""

from typing import Final
from uuid import uuid4

from opentelemetry.sdk.resources import Resource

SECONDS_MOST: Final = 3
"""How long anything is tried to be sent, again and again: a collector that is away holds no stop of the site up."""
RESOURCE: Final = Resource.create({"service.name": "goldenthread", "service.instance.id": str(uuid4())})
"""What this process is to the collector: `serve` and `gateway`, or several of each, are told apart."""
