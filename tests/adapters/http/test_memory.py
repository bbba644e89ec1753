"""The memory of `serve` while a million requests are answered; `GOLDENTHREAD_TEST_MESSAGES` says how many."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import httpx
import pytest
from jwt.algorithms import OKPAlgorithm

from adapters.bootstrap import Database as SiteDatabase
from adapters.bootstrap import opened
from adapters.identity.issuer import DemoIssuer
from adapters.settings import Settings
from adapters.simulation.cast import set_up
from tests.adapters.kafka.test_memory import FIRST, MESSAGES, flat, resident
from tests.conftest import Database
from tests.site import HURRIED

pytestmark = [pytest.mark.server, pytest.mark.long, pytest.mark.timeout(6 * 60 * 60)]
ASKED = (
    ("kim", "/v1/police/referrals?limit=20"),
    ("dana", "/v1/case-manager/referrals?limit=20"),
    ("pat", "/v1/program/health"),
    ("chen", "/v1/me"),
)
TOLD_EVERY = 100
"""One request in so many records something; the others ask."""
AT_ONCE = 4


@contextmanager
def serving(db: Database, jwks: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run `serve` as its own process; yield it and where it answers."""
    environment = os.environ | {
        "GOLDENTHREAD_DATABASE_URL": db.owner_url,
        "GOLDENTHREAD_SECRETS_DIR": str(db.secrets.folder),
        "GOLDENTHREAD_PREFIX": db.prefix,
        "GOLDENTHREAD_PORT": "0",
        "GOLDENTHREAD_ISSUER": "urn:goldenthread:demo",
        "GOLDENTHREAD_JWKS_FILE": str(jwks),
        "PYTHONUNBUFFERED": "1",
    }
    program = "import sys; from adapters.cli.main import main; sys.argv = ['goldenthread', 'serve']; main()"
    process = subprocess.Popen([sys.executable, "-c", program], env=environment, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield process, process.stdout.readline().split()[4].rstrip("/.")
    finally:
        process.kill()
        process.communicate()


def test_the_memory_of_serve_is_flat(site_db: Database, tmp_path: Path) -> None:
    settings = Settings(environment="test", prefix=site_db.prefix)
    with opened(SiteDatabase(site_db.owner_url, site_db.secrets, site_db.prefix), settings) as parts:
        set_up(parts.site, date(2026, 1, 1), HURRIED)
    issuer, jwks = DemoIssuer(settings.audience), tmp_path / "jwks.json"
    (key,) = issuer.keys.keys.values()
    jwks.write_text(json.dumps({"keys": [OKPAlgorithm.to_jwk(key, as_dict=True) | {"kid": "demo"}]}))
    seen: dict[int, int] = {}
    with (
        serving(site_db, jwks) as (process, address),
        httpx.Client(base_url=address, timeout=60) as client,
        ThreadPoolExecutor(AT_ONCE) as pool,
    ):

        def ask(n: int) -> int:
            who, path = ASKED[n % len(ASKED)] if n % TOLD_EVERY else ("kim", "/v1/referrals/without-arrest")
            signed = {"Authorization": f"Bearer {tokens[who]}"}
            if n % TOLD_EVERY:
                return client.get(path, headers=signed).status_code
            body = {"description": f"Sleeps at the terminal, {n}", "reason": "Asked for help"}
            return client.post(path, json=body, headers=signed | {"Idempotency-Key": f"n-{n}"}).status_code

        begin = 0
        for count in (FIRST, MESSAGES // 2, MESSAGES):
            tokens = {who: issuer.token(who) for who, _ in ASKED}
            assert set(pool.map(ask, range(begin, count))) <= {200, 201}
            begin, seen[count] = count, resident(process.pid)
    flat("site that serves", seen)
