"""Scenario R, as far as the clock goes: revoked by a call from jail at 23:40; the paper does not come."""

from __future__ import annotations

from datetime import datetime

import pytest

from domain.deadline import PaperMissing
from tests.scenarios import ray as story
from tests.scenarios.eyes import everything
from tests.scenarios.test_e_revocation import wait_for
from tests.site import SiteUnderTest, local

pytestmark = pytest.mark.server


def test_no_paper_for_seven_days_is_a_task_and_never_a_return_to_sharing(lead: SiteUnderTest) -> None:
    ray = story.arrest(lead)
    story.enrol(ray)
    luis = lead.person("luis")

    # 23:40. Luis is on call; Ray's word is enough, and partners are dark at once.
    ray.at("2026-04-01 23:40")
    oral = {"word_of": "participant", "medium": "oral"}
    revocations = f"/v1/participants/{ray.care}/roi/{ray.roi}/revocations"
    luis.do(revocations, oral)
    ids = (ray.participant, ray.offices_id())
    dark = {partner.token: everything(partner, ids=ids) for partner in (ray.kim, ray.chen)}
    assert not [seen for seen in dark.values() if '"enrolled"' in seen]

    # Seven days on, to the end of the day: no paper. That is a task of Ray's case manager, once.
    lead.clock.at(local("2026-04-08 23:59:50"))
    lead.settle()
    assert ray.dana.see("/v1/case-manager/tasks")["tasks"] == []
    lead.clock.at(local("2026-04-08 23:59:59"))
    wait_for(lead, PaperMissing.topic)
    lead.settle()
    (task,) = ray.dana.see("/v1/case-manager/tasks")["tasks"]
    assert task["kind"] == "paper of a revocation missing"
    assert datetime.fromisoformat(task["due_at"]) == local("2026-04-08 23:59:59")
    assert len(ray.history("paper.missing")) == 1, "one call, whatever the number of parties"
    for partner in (ray.kim, ray.chen):
        assert everything(partner, ids=ids) == dark[partner.token]

    # The paper comes: the task ends, and nothing returns.
    ray.at("2026-04-10 10:00")
    luis.do(revocations, {**oral, "medium": "written", "parties": ["city-pd", "county-pa", "housing-co"]})
    lead.settle()
    assert ray.dana.see("/v1/case-manager/tasks")["tasks"] == []
    for partner in (ray.kim, ray.chen):
        assert everything(partner, ids=ids) == dark[partner.token]
