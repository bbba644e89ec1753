"""A rebuild of every view under live reads and writes: nobody is told less meanwhile, and what stands after it is,
byte for byte, what stood before."""

from __future__ import annotations

import threading
from typing import Any

import psycopg
import pytest

from adapters.bootstrap import ceiling_of
from adapters.postgres.projector import rebuild
from projections.views import VIEWS
from tests.conftest import Database
from tests.scenarios import ray as story
from tests.site import SiteUnderTest, running_site

pytestmark = pytest.mark.server

ROUNDS = 4
ASKED = {
    "kim": "/v1/police/referrals",
    "chen": "/v1/prosecutor/notices",
    "dana": "/v1/case-manager/caseload",
    "marta": "/v1/recipient/participants",
}


def stored(owner_url: str) -> dict[str, list[str]]:
    """Return every row of every view, as text and in order."""
    found: dict[str, list[str]] = {}
    with psycopg.connect(owner_url, autocommit=True) as owner:
        for view in VIEWS.values():
            for model in view.models:
                rows = owner.execute(f"select t::text from {model.table} t order by 1".encode()).fetchall()
                found[model.table] = [text for (text,) in rows]
    return found


class Life:
    """A site that goes on: people ask and write until it is stopped."""

    def __init__(self, lead: SiteUnderTest, ray: story.Ray) -> None:
        self.lead, self.ray = lead, ray
        self.stop = threading.Event()
        self.asked = self.written = 0
        self.wrong: list[Any] = []

    def ask(self, who: str) -> None:
        person = self.lead.person(who)
        before = person.get(ASKED[who])
        while not self.stop.is_set():
            answer = person.get(ASKED[who])
            self.asked += 1
            if answer.status_code != 200 or answer.content != before.content:
                self.wrong.append((who, answer.status_code, answer.text))
                return

    def write(self) -> None:
        n = 0
        while not self.stop.is_set():
            n += 1
            note = {"kind": "visit", "reached": True, "note": f"Brought water, {n}."}
            answer = self.ray.dana.post(f"/v1/participants/{self.ray.care}/contacts", note)
            self.written += 1
            if answer.status_code != 201:
                self.wrong.append((answer.status_code, answer.text))
                return


def test_a_rebuild_of_every_view_under_live_reads_and_writes(site_db: Database) -> None:
    with running_site(site_db) as lead:
        ray = story.arrest(lead)
        story.enrol(ray)
        site, log = lead.parts.site, lead.parts.log
        life = Life(lead, ray)
        threads = [threading.Thread(target=life.ask, args=(who,)) for who in ASKED]
        threads.append(threading.Thread(target=life.write))
        for thread in threads:
            thread.start()
        for _ in range(ROUNDS):
            done = rebuild([*VIEWS.values()], site_db.owner_url, log, ceiling_of(site.directory), page=5)
            assert [one.parked for one in done] == [0] * len(VIEWS)
        life.stop.set()
        for thread in threads:
            thread.join(30)
        assert life.wrong == []
        assert life.asked > 10 * ROUNDS
        assert life.written > ROUNDS
        lead.settle()
        live = stored(site_db.owner_url)
        assert live["case_manager.entry"]
        rebuild([*VIEWS.values()], site_db.owner_url, log, ceiling_of(site.directory))
        assert stored(site_db.owner_url) == live
