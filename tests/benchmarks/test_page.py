"""A partner's page of 50 over HTTP, released, against the same rows from a bare endpoint with no policy."""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import psycopg
import psycopg_pool
import pytest
import uvicorn
from fastapi import FastAPI, Response
from psycopg.rows import dict_row

from tests.benchmarks.measure import report
from tests.benchmarks.population import OFFICE, populate
from tests.conftest import Database
from tests.site import SiteUnderTest, running_site

pytestmark = [pytest.mark.server, pytest.mark.benchmark]
PARTICIPANTS = 1_000
REQUESTS = 400
QUIET_SECONDS = 3

_CASES = """
    select * from liaison_prosecutor.own_case where party_id = %s order by filed_on desc, case_id desc limit 51
"""
_KNOWN = "select * from liaison_prosecutor.granted_participant where party_id = %s and subject_id = any(%s)"


@contextmanager
def bare_endpoint(site_db: Database) -> Iterator[str]:
    """Serve the same rows with FastAPI and psycopg alone, as the owner, past every policy."""
    import orjson

    app = FastAPI()
    pool = psycopg_pool.ConnectionPool(
        site_db.owner_url,
        connection_class=psycopg.Connection[dict[str, Any]],
        min_size=2,
        max_size=4,
        open=True,
        kwargs={"autocommit": True, "row_factory": dict_row},
    )

    @app.get("/page")
    def page() -> Response:
        with pool.connection() as connection:
            cases = connection.execute(_CASES, (OFFICE,), prepare=True).fetchall()
            named = [case["participant_id"] for case in cases]
            known = connection.execute(_KNOWN, (OFFICE, named), prepare=True).fetchall()
        by_id = {row["subject_id"]: row for row in known}
        rows = [case | {"lead": by_id.get(case["participant_id"])} for case in cases[:50]]
        return Response(orjson.dumps(rows, default=str), media_type="application/json")

    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_config=None, lifespan="off"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.005)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}/page"
    finally:
        server.should_exit = True
        thread.join(10)
        pool.close()


def quiet(site: SiteUnderTest) -> None:
    """Wait until the audit has looked at every filing, and every view shows what it found."""
    position = -1
    while position != site.parts.log.position():
        position = site.parts.log.position()
        time.sleep(QUIET_SECONDS)
    site.settle(seconds=300)


def test_a_partners_page(site_db: Database) -> None:
    with running_site(site_db, begin=None) as site, bare_endpoint(site_db) as bare:
        populate(site.parts.log, PARTICIPANTS)
        quiet(site)
        with psycopg.connect(site_db.owner_url, autocommit=True) as owner:
            owner.execute("analyze")  # what autovacuum does within a minute
        chen = site.person("chen")
        path = "/v1/prosecutor/pending-cases?limit=50"
        first = chen.see(path)
        assert len(first["cases"]) == 50
        assert all(case["lead"] for case in first["cases"])
        mine: list[float] = []
        theirs: list[float] = []
        with httpx.Client() as client:
            for n in range(REQUESTS + 20):
                begun = time.perf_counter()
                chen.get(path)
                between = time.perf_counter()
                client.get(bare)
                if n >= 20:
                    mine.append(between - begun)
                    theirs.append(time.perf_counter() - between)
    report(
        "a partner's page of 50 over HTTP, released",
        "the same rows from a bare FastAPI + psycopg endpoint with no policy",
        "<= 2x its p50",
        ratio=round(statistics.median(mine) / statistics.median(theirs), 3),
        ours_p50_ms=round(statistics.median(mine) * 1000, 2),
        ours_p99_ms=round(sorted(mine)[int(len(mine) * 0.99)] * 1000, 2),
        baseline_p50_ms=round(statistics.median(theirs) * 1000, 2),
    )
