"""The audit on real PostgreSQL: however many run, each action is found once; and nobody waits for any of them."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from unittest import mock
from uuid import UUID, uuid4

import psycopg
import pytest

from adapters.bootstrap import Database as SiteDatabase
from adapters.bootstrap import opened
from adapters.postgres.log import PostgresLog
from adapters.secrets import ROLES
from adapters.settings import Settings
from adapters.simulation.cast import set_up
from domain.event import Envelope, PersonName
from domain.finding import FindingRaised, finding_id
from domain.identity import RecordSubject
from domain.legal_case import CaseFiled
from domain.registry import Role
from services.findings import Audit
from services.ports import Unavailable
from services.register import party_id
from services.site import Site, append
from tests.conftest import Database
from tests.histories import THEFT
from tests.scenarios import ray as story
from tests.scenarios.audit import file
from tests.site import SET_UP, SiteUnderTest, running_site

pytestmark = pytest.mark.server

RUNNERS = 4
FILINGS = 60
OFFICE = party_id("county-pa")


@pytest.fixture
def lead(site_db: Database) -> Iterator[SiteUnderTest]:
    with running_site(site_db) as running:
        yield running


def filings(site: Site, number: int) -> list[UUID]:
    """Record so many filings about as many people; return their findings' streams."""
    now = site.log.now()
    found = []
    for n in range(number):
        case = uuid4()
        event = CaseFiled(
            participant_id=uuid4(),
            party_id=OFFICE,
            matter_id=case,
            occurred_at=now,
            docket=f"26-{n}",
            defendant=RecordSubject(name=PersonName(given="Ray", surname="Bell"), birth_date=SET_UP),
            charges=(THEFT,),
            offense_on=SET_UP,
            filed_on=SET_UP,
            received_at=now,
        )
        envelope = Envelope(actor=None, role=Role.SERVICE, agency=OFFICE, correlation_id=uuid4())
        site.log.record([append(case, 0, event)], envelope)
        found.append(finding_id(site.log.load(case)[0].id))
    return found


def raised(site: Site) -> list[UUID]:
    return [recorded.stream for recorded in site.log.of_topics([FindingRaised.topic])]


def until(true: Any, seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_however_many_run_each_action_is_found_once(lead: SiteUnderTest) -> None:
    site, stop = lead.parts.site, threading.Event()
    audits = [Audit(site) for _ in range(RUNNERS)]
    counts = [0] * RUNNERS

    def run(n: int) -> None:
        while not stop.is_set():
            counts[n] += audits[n].beat()

    threads = [threading.Thread(target=run, args=(n,)) for n in range(RUNNERS)]
    for thread in threads:
        thread.start()
    expected = filings(site, FILINGS)
    until(lambda: len(raised(site)) >= FILINGS)
    stop.set()
    for thread in threads:
        thread.join(20)
    assert sorted(raised(site)) == sorted(expected)
    assert sum(counts) <= FILINGS, "the site's own runs too"
    assert all(site.log.load(stream)[0].version == 1 for stream in expected)
    assert Audit(site).beat() == 0, "one that begins anew finds nothing left"


def test_the_prosecutor_does_not_wait_for_the_audit(lead: SiteUnderTest) -> None:
    ray = story.arrest(lead)
    story.enrol(ray)
    ray.at("2026-04-20 10:00")
    until(lambda: not Audit(lead.parts.site).beat())
    go_on, exposures = threading.Event(), PostgresLog.exposures

    def slow(self: PostgresLog, *given: Any) -> Any:
        assert go_on.wait(30)
        return exposures(self, *given)

    with mock.patch.object(PostgresLog, "exposures", slow):
        case = file(ray.chen, ray.offices_id(), "26-1-1")
        ray.chen.do(f"/v1/cases/{case}/decisions", {"kind": "hold in abeyance"})
        assert [each["case_id"] for each in ray.chen.see("/v1/prosecutor/pending-cases")["cases"]] == [case]
        assert raised(lead.parts.site) == []
        go_on.set()
        until(lambda: len(raised(lead.parts.site)) == 1)


def test_one_actions_trouble_is_its_own_and_is_tried_again(site_db: Database) -> None:
    db = SiteDatabase(site_db.owner_url, site_db.secrets, site_db.prefix)
    with opened(db, Settings(environment="test", prefix=site_db.prefix)) as parts:
        site = parts.site
        set_up(site, (site.log.now() - timedelta(days=1)).date())
        first, *others = filings(site, 3)
        audit, exposures, calls = Audit(site), PostgresLog.exposures, iter(range(100))

        def fails_first(self: PostgresLog, *given: Any) -> Any:
            if next(calls) == 0:
                raise Unavailable
            return exposures(self, *given)

        with mock.patch.object(PostgresLog, "exposures", fails_first), pytest.raises(Unavailable):
            audit.beat()
        assert raised(site) == others
        assert audit.beat() == 1
        assert raised(site) == [*others, first]


def test_only_the_recorder_may_ask_who_was_shown_what(site_db: Database) -> None:
    question = "select * from log.exposures(gen_random_uuid(), gen_random_uuid(), 1)"
    for role in ROLES:
        with psycopg.connect(site_db.login(role)) as connection:
            if role == "recorder":
                assert connection.execute(question).fetchall() == []
                continue
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(question)
