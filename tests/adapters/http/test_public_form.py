"""The public form: one receipt for everyone, so many in an hour, and nothing kept of who sent it."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from threading import Barrier
from typing import Any

import httpx
import psycopg
import pytest

from adapters.postgres.log import PostgresLog
from domain.protocol import Door
from tests.conftest import Database
from tests.site import SiteUnderTest, running_site

pytestmark = pytest.mark.server

FORM = {"description": "A man in a grey coat", "place": "3rd and Pine", "reason": "He is there every night."}
MOST, SHARE = 60, 6
"""The demo protocol's number an hour."""


@pytest.fixture
def site(site_db: Database) -> Any:
    with running_site(site_db) as running:
        yield running


def send(site: SiteUnderTest, body: Any = None, **headers: str) -> httpx.Response:
    sent = FORM if body is None else body
    return httpx.post(f"{site.base_url}/v1/public/referrals", json=sent, headers=headers, timeout=30, verify=False)


def test_everyone_gets_the_same_receipt_and_care_gets_the_referral(
    site: SiteUnderTest, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        first = send(site)
        second = send(site, FORM | {"description": "A woman by the bank"}, Authorization="Bearer nonsense")
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.content == second.content
    assert list(first.json()) == ["receipt"]
    assert "206-555-0100" in first.json()["receipt"]
    site.settle()
    rows = site.person("dana").see("/v1/case-manager/referrals")["referrals"]
    assert [(row["door"], row["description"]) for row in rows] == [
        (Door.COMMUNITY, "A man in a grey coat"),
        (Door.COMMUNITY, "A woman by the bank"),
    ]
    assert site.person("kim").see("/v1/police/referrals")["referrals"] == []
    assert "grey coat" not in caplog.text
    # The access log is off; only pytest listens there. The client's own lines name the site.
    ours = [r for r in caplog.records if not r.name.startswith(("httpx", "httpcore", "uvicorn.access"))]
    assert not [r for r in ours if "127.0.0.1" in r.getMessage()]


@pytest.mark.parametrize(
    "body",
    [{}, [], FORM | {"sender": "me"}, FORM | {"reason": " "}, FORM | {"reason": "x" * 2001}, FORM | {"place": "a\0b"}],
)
def test_what_the_form_does_not_take(site: SiteUnderTest, body: Any) -> None:
    before = site.parts.log.position()
    assert send(site, body).status_code == 422
    assert site.parts.log.position() == before


def test_a_body_larger_than_a_form_is_not_read(site: SiteUnderTest) -> None:
    answer = send(site, FORM | {"reason": "x" * 40_000})
    assert (answer.status_code, answer.json()["type"]) == (413, "/problems/too-large")


def test_one_address_cannot_use_up_the_hour(site: SiteUnderTest, site_db: Database) -> None:
    answers = [send(site).status_code for _ in range(SHARE + 2)]
    assert answers == [201] * SHARE + [429] * 2
    refused = send(site)
    assert (refused.json()["type"], refused.headers["retry-after"]) == ("/problems/too-many", "3600")
    assert site.parts.log.admit(b"b" * 32, share=SHARE, most=MOST)  # someone else
    with psycopg.connect(site_db.owner_url) as owner:
        kept = owner.execute("select sender from log.sent").fetchall()
    assert b"127.0.0.1" not in b"".join(sender for (sender,) in kept)


def test_how_many_one_address_sends_is_the_sites_own_rule(site: SiteUnderTest) -> None:
    now = site.parts.site.protocol()
    fewer = now.model_copy(update={"version": "P-fewer", "retroactive": True, "public_referrals_per_address": 2})
    site.person("pat").do("/v1/register/protocols", {"protocol": fewer.model_dump(mode="json")})
    assert [send(site).status_code for _ in range(3)] == [201, 201, 429]


def test_an_hour_later_nothing_is_known_of_the_sender(site: SiteUnderTest, site_db: Database) -> None:
    assert [send(site).status_code for _ in range(SHARE + 1)][-1] == 429
    with psycopg.connect(site_db.owner_url, autocommit=True) as owner:
        owner.execute("select site.set_clock((select ahead from site.clock_offset) + interval '1 hour')")
        site.parts.log.forget_senders()
        assert owner.execute("select count(*) from log.sent").fetchall() == [(0,)]
    assert send(site).status_code == 201


def test_two_processes_at_once_admit_exactly_as_many_as_the_protocol_says(site_db: Database) -> None:
    """Two connections pools, as of two processes; many senders, sixteen at a time."""
    gate = Barrier(16)

    def one(n: int) -> list[bool]:
        gate.wait()
        return [logs[n % 2].admit(bytes([n % 8]) * 32, share=7, most=MOST) for _ in range(9)]

    with (
        closing(PostgresLog(site_db.login("recorder"), site_db.secrets)) as first,
        closing(PostgresLog(site_db.login("recorder"), site_db.secrets)) as second,
    ):
        logs = (first, second)
        with ThreadPoolExecutor(16) as pool:
            admitted = sum(sum(found) for found in pool.map(one, range(16)))
        assert admitted == 8 * 7  # every sender its share, which together is under the most
        more = [logs[n % 2].admit(bytes([100 + n]) * 32, share=7, most=MOST) for n in range(10)]
    assert sum(more) == MOST - 8 * 7
