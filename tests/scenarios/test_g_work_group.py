"""Scenario G, of the work group: an officer tries everything, and what "nothing helpful" says.

That no answer's time tells either is tested apart (`tests/properties/test_timing.py`).
"""

from __future__ import annotations

from typing import Any

import pytest

from domain.share import NOTHING_HELPFUL
from tests.scenarios import ray as story
from tests.scenarios.eyes import everything, raw
from tests.site import SiteUnderTest, searching

pytestmark = pytest.mark.server

LIST = "/v1/police/referrals"
TRIED = (
    f"{LIST}?relapse=true",
    f"{LIST}?sort=last_contact",
    f"{LIST}?count=plan.kind",
    f"{LIST}?cursor=1",
    f"{LIST}?limit=0",
    f"{LIST}.csv",
    f"{LIST}.csv?columns=relapse",
    f"{LIST}/updates",
    f"{LIST}/history",
    "/v1/police/participants/{}",
    "/v1/police/participants/{}?at=2026-03-20",
    "/v1/police/participants/{}/history",
    "/v1/police/participants/{}/trace",
    "/v1/case-manager/participants/{}",
    "/v1/participants/{}/accounting",
    "/v1/participants/{}/as-of?party=city-pd",
    "/v1/program/figures",
)
"""A filter, an order, a count, a pattern, a file's header, an error's words, a history: whatever may be tried."""


def _tried(ray: story.Ray) -> list[Any]:
    """Return every byte that an officer gets by trying; twice, of the person and of a name that nobody has."""
    kim, nobody = ray.kim, "a" * len(ray.participant)
    signed = {"Authorization": f"Bearer {kim.token}"}
    lookups = (story.BY_NAME, story.BY_NAME | {"relapse": True}, {"participant": ray.participant, "sort": "contact"})
    commands = ("contacts", "shares", "reports", "plan")
    answers = [
        *(kim.get(path.format(whose)) for path in TRIED for whose in (ray.participant, nobody)),
        *(kim.get(LIST, **searching(text)) for text in ("relapse", ".*relaps.*")),
        *(kim.client.post("/v1/police/lookups", json=asked, headers=signed) for asked in lookups),
        *(kim.post(f"/v1/participants/{ray.participant}/{name}", {"note": "relapse"}, key=name) for name in commands),
    ]
    return [raw(answer) for answer in answers]


def _told(ray: story.Ray) -> list[str]:
    shared = ray.kim.see(f"/v1/police/participants/{ray.participant}")["shared"]
    return [entry["text"] for entry in shared[0]["told"] if "text" in entry]


def _hide(ray: story.Ray) -> None:
    """Record what no officer may know: a relapse, a plan, where he sleeps."""
    person = f"/v1/participants/{ray.care}"
    ray.dana.do(f"{person}/contacts", {"kind": "visit", "reached": True, "note": "He relapsed; sleeps on Pine."})
    ray.dana.do(f"{person}/plan/entries", {"kind": "challenge", "text": "A relapse, on the day of the hearing."})
    ray.site.settle()


def test_whatever_an_officer_tries_is_the_same_with_and_without_hidden_facts(lead: SiteUnderTest) -> None:
    ray = story.arrest(lead)
    story.enrol(ray)
    before = _tried(ray)
    assert {status for status, _, _ in before} >= {200, 403, 404, 422}, "some was answered, some refused"
    _hide(ray)
    assert _tried(ray) == before
    assert "relapse" not in everything(ray.kim, lookups=(story.BY_NAME,))


def test_nothing_helpful_is_what_a_person_says_whatever_there_is_to_hide(lead: SiteUnderTest) -> None:
    ray = story.arrest(lead)
    story.enrol(ray)
    said = {"party": "city-pd", "nothing_helpful": True}
    report = f"/v1/participants/{ray.care}/reports"
    assert NOTHING_HELPFUL not in everything(ray.kim, lookups=(story.BY_NAME,)), "it is never the system's own answer"
    ray.dana.do(report, said)
    lead.settle()
    assert _told(ray) == [NOTHING_HELPFUL]
    _hide(ray)
    ray.dana.do(report, said)
    lead.settle()
    assert _told(ray) == [NOTHING_HELPFUL] * 2, "and says the same where there is something"

    # It is a share like any other: it goes with the grant, and without one nobody is told anything.
    lit = _tried(ray)
    word = {"word_of": "participant", "medium": "oral", "parties": ["city-pd"]}
    lead.person("noor").do(f"/v1/participants/{ray.care}/roi/{ray.roi}/revocations", word)
    lead.settle()
    dark = _tried(ray)
    assert dark != lit, "where there is a difference, trying finds it"
    assert NOTHING_HELPFUL not in str(dark) + everything(ray.kim, lookups=(story.BY_NAME,))
    assert ray.dana.post(report, said).status_code == 422
    lead.settle()
    assert _tried(ray) == dark
