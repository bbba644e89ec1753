"""The gateway's memory while a million messages go through it; `GOLDENTHREAD_TEST_MESSAGES` says another number."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.adapters.kafka.test_gateway import Site, a_site, told
from tests.conftest import Database

pytestmark = [pytest.mark.server, pytest.mark.kafka, pytest.mark.long, pytest.mark.timeout(6 * 60 * 60)]
MESSAGES = int(os.environ.get("GOLDENTHREAD_TEST_MESSAGES", "1000000"))
FIRST = 10_000
MOST_BYTES = 300 * 1024 * 1024
GROWTH_BYTES = 32 * 1024 * 1024
"""What Python's allocator may still take after the first ten thousand; a leak of a hundred bytes a message is more."""


def test_the_gateways_memory_is_flat(site_db: Database, kafka: str) -> None:
    with a_site(site_db, kafka) as site:
        site.make_topic()
        process = site.process()
        try:
            seen = [(count, through(site, process.pid, count)) for count in (FIRST, MESSAGES // 2, MESSAGES)]
        finally:
            process.kill()
            process.wait()
    print(json.dumps({"what": "resident memory of the gateway, MiB", "after": {n: b >> 20 for n, b in seen}}))  # noqa: T201
    assert seen[-1][1] < MOST_BYTES
    assert seen[-1][1] - seen[0][1] < GROWTH_BYTES


def through(site: Site, pid: int, count: int) -> int:
    """Publish until so many messages have been published, wait until they are taken, and return the resident bytes."""
    published = site.partitions()[0][1] if site.partitions() else 0
    while published < count:
        upto = min(published + 5_000, count)
        site.publish(*(told(n) for n in range(published, upto)))
        published = upto
        site.until(lambda upto=published: site.partitions() == [(0, upto, None)], "taken", seconds=600)  # type: ignore[misc]
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
