"""The memory of the gateway and of the relay over a million messages; `GOLDENTHREAD_TEST_MESSAGES` says how many."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest

from services.relay import lease_until
from tests.adapters.kafka.test_gateway import Site, a_site, told
from tests.adapters.kafka.test_relay_kill import BEATS, PARTIES
from tests.conftest import Database
from tests.scenarios import ray as story
from tests.scenarios.stream import SOURCE, Streams, streams
from tests.site import SiteUnderTest, running_site

pytestmark = [pytest.mark.server, pytest.mark.kafka, pytest.mark.long, pytest.mark.timeout(6 * 60 * 60)]
MESSAGES = int(os.environ.get("GOLDENTHREAD_TEST_MESSAGES", "1000000"))
FIRST = 10_000
SECONDS_MOST = 600
MOST_BYTES = 300 * 1024 * 1024
GROWTH_BYTES = 32 * 1024 * 1024
"""What Python's allocator may still take after the first ten thousand; a leak of a hundred bytes a message is more."""
ROUNDS = 500
"""How many times everybody's lease is renewed: half a day each, within the year for which Ray has signed."""


def test_the_gateways_memory_is_flat(site_db: Database, kafka: str) -> None:
    with a_site(site_db, kafka) as site:
        site.make_topic()
        process = site.process()
        try:
            seen = {count: through(site, process.pid, count) for count in (FIRST, MESSAGES // 2, MESSAGES)}
        finally:
            process.kill()
            process.wait()
    flat("gateway", seen)


def test_the_relays_memory_is_flat(site_db: Database, kafka: str) -> None:
    """Each round a status for every party under a new lease, and acknowledgements."""
    seen: dict[int, int] = {}
    with running_site(site_db) as lead, streams(lead, kafka, *PARTIES) as out:
        ray = story.arrest(lead)
        for party in PARTIES:
            out.account(party)
        story.enrol(ray)
        where = (site_db.owner_url, str(site_db.secrets.folder), site_db.prefix, kafka, out.prefix, SOURCE)
        root = Path(__file__).parents[3]
        process = subprocess.Popen([sys.executable, "-c", BEATS, *where], stdout=subprocess.DEVNULL, cwd=root)
        try:
            for n in range(1, ROUNDS + 1):
                one_round(lead, out, site_db, MESSAGES // ROUNDS - len(PARTIES))
                if (count := n * (MESSAGES // ROUNDS)) in (FIRST, MESSAGES // 2, MESSAGES):
                    seen[count] = resident(process.pid)
        finally:
            process.kill()
            process.wait()
    flat("relay", seen)


def one_round(lead: SiteUnderTest, out: Streams, db: Database, acknowledgements: int) -> None:
    """Let half a day go by and an agency have sent so many messages; wait until all of it was told."""
    lead.clock.at(lead.parts.log.now() + timedelta(hours=12))
    outbox = lead.parts.site.outbox
    with psycopg.connect(db.owner_url) as owner:
        owner.execute(
            "insert into stream.acknowledgement"
            " (party_id, source, message, code, faults, correlation_id, taken_at, until)"
            " select %s, 'urn:lead:test:city-pd:rms', 'm-' || n, 'accepted', '[]', gen_random_uuid(), site.clock(),"
            " site.clock() + interval '30 days' from generate_series(1, %s) n",
            [lead.parts.site.directory.by_code("city-pd", "party").id, acknowledgements],
        )
    due = lease_until(replace(lead.parts.site, moment=lead.parts.log.now()))
    end = time.monotonic() + SECONDS_MOST
    while (
        any(not one.sent or one.lease_until < due for one in outbox.published())
        or len(outbox.published()) < len(PARTIES)
        or outbox.acknowledged(1)
    ):
        assert time.monotonic() < end, "it is told"
        time.sleep(0.02)


def through(site: Site, pid: int, count: int) -> int:
    """Publish until so many messages have been published, wait until they are taken, and return the resident bytes."""
    published = site.partitions()[0][1] if site.partitions() else 0
    while published < count:
        upto = min(published + 5_000, count)
        site.publish(*(told(n) for n in range(published, upto)))
        published = upto
        site.until(lambda upto=published: site.partitions() == [(0, upto, None)], "taken", SECONDS_MOST)  # type: ignore[misc]
    return resident(pid)


def resident(pid: int) -> int:
    """Return how many bytes of memory a process has."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def flat(what: str, seen: Mapping[int, int]) -> None:
    """Say how much memory was seen after how many, and fail where it grew."""
    print(json.dumps({"what": f"resident memory of the {what}, MiB", "after": {n: b >> 20 for n, b in seen.items()}}))  # noqa: T201
    assert seen[MESSAGES] < MOST_BYTES
    assert seen[MESSAGES] - seen[FIRST] < GROWTH_BYTES
