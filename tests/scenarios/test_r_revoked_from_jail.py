"""Scenario R, as far as the clock goes: revoked by a call from jail at 23:40; the paper does not come."""

from __future__ import annotations

from datetime import datetime

import pytest

from domain.roi import RevocationPaper, consent, consent_stream
from tests.scenarios import ray as story
from tests.scenarios.eyes import everything
from tests.scenarios.test_r_revoked_at_night import AUTHORITY
from tests.site import SiteUnderTest, local

pytestmark = pytest.mark.server
MISSING = "paper of a revocation missing"


def test_counsel_calls_from_the_jail_and_its_paper_follows(lead: SiteUnderTest) -> None:
    """Counsel's word is enough as well, and counsel may give it itself; what it may know rests on its own authority."""
    ray = story.arrest(lead)
    story.enrol(ray)
    ray.dana.do(f"/v1/participants/{ray.care}/counsel", AUTHORITY)
    lead.settle()
    luis, patel, noor = lead.person("luis"), lead.person("patel"), lead.person("noor")
    noor.do("/v1/roster/on-call", {"name": "luis", "ends_at": "2026-04-02T08:00:00-07:00"})
    (client,) = patel.see("/v1/counsel/participants")["clients"]
    his = f"/v1/participants/{client['participant']}/roi/{client['roi']}/revocations"
    of_ray = f"/v1/police/participants/{ray.participant}"
    office = f"/v1/prosecutor/participants/{ray.offices_id()}"

    # 23:40. Patel telephones for the city's officers: Luis, on call, writes it down and reads it back.
    ray.at("2026-04-01 23:40")
    word = {"word_of": "counsel", "counsel": "R. Patel", "medium": "oral", "read_back": True, "parties": ["city-pd"]}
    luis.do(f"/v1/participants/{ray.care}/roi/{ray.roi}/revocations", word)
    assert ray.kim.see(of_ray)["shared"] == []
    assert ray.chen.see(office)["shared"] != []

    # 23:50. For the prosecutor's office it does so itself, by word of mouth too.
    ray.at("2026-04-01 23:50")
    filed = patel.do(his, {"word_of": "counsel", "medium": "oral", "parties": ["county-pa"]})
    assert ray.chen.see(office)["shared"] == []
    lead.settle()
    words = [entry["body"] for entry in ray.history("roi.revoked")]
    assert [(word["read_back"], word["counsel"]) for word in words] == [(True, "R. Patel"), (False, "R. Patel")]
    assert patel.see("/v1/counsel/participants")["clients"][0]["name"] == "Ray Bell"
    assert ray.dana.see("/v1/case-manager/tasks")["tasks"] == [], "both words are confirmed"

    # 3 April. It sends the paper of its own word, by the line in its client's history. Nothing changes but that this
    # paper is not looked for any more.
    ray.at("2026-04-03 09:00")
    paper = {"artefact_sha256": "c" * 64}
    page = patel.see(f"/v1/counsel/participants/{client['participant']}")
    its_word = next(entry["entry_id"] for entry in page["history"] if entry["kind"] == "roi.revoked")
    patel.do(f"{his}/{its_word}/paper", paper)
    assert patel.post(f"{his}/{filed['revocation']}/paper", paper).status_code == 422, "once"
    assert patel.post(f"{his}/{'a' * 26}/paper", paper).json()["faults"][0]["field"] == "revocation"
    lead.clock.at(local("2026-04-08 23:59:59"))
    lead.wait_for_clocks()
    assert len(ray.history("paper.missing")) == 1
    assert [task["kind"] for task in ray.dana.see("/v1/case-manager/tasks")["tasks"]] == [MISSING]

    # Seven days on, that of the telephone still lacks: a task. Dana, who did not take the call, has it by its line.
    (by_telephone, _) = ray.history("roi.revoked")
    ray.at("2026-04-10 10:00")
    ray.dana.do(f"/v1/participants/{ray.care}/roi/{ray.roi}/revocations/{by_telephone['entry_id']}/paper", paper)
    lead.settle()
    assert ray.dana.see("/v1/case-manager/tasks")["tasks"] == []
    assert (ray.kim.see(of_ray)["shared"], ray.chen.see(office)["shared"]) == ([], [])

    # Whose authority has ended brings nothing any more.
    ray.dana.do(f"/v1/participants/{ray.care}/counsel/endings", {"counsel": "r-patel", "word_of": "participant"})
    assert patel.post(f"{his}/{filed['revocation']}/paper", paper).status_code == 404


def test_the_paper_joins_on_every_record_of_the_person(lead: SiteUnderTest) -> None:
    ray = story.arrest(lead)
    story.enrol(ray)
    webb, noor = lead.person("webb"), lead.person("noor")
    charge = {"code": "23C", "description": "Shoplifting", "severity": "misdemeanor", "prosecutor": "county-pa"}
    brothers = {"given": "Sunny", "surname": "Bell", "birth_date": "1986-01-01"}
    facts = {"person": brothers, "incident_number": "2026-6", "place": "Pine St", "facts": "Trespass."}
    webb.do("/v1/referrals", facts | {"door": "arrest_diversion", "charges": [charge]})
    lead.settle()
    team = ray.dana.see("/v1/case-manager/caseload?team=true")["participants"]
    away = next(one["participant"] for one in team if one["name"] == "Sunny Bell")
    ray.dana.do(f"/v1/participants/{away}/roi", story.form(grants=[story.grants()[0]], warned=["county-pa"]))
    noor.do(f"/v1/participants/{ray.care}/merges", {"other": away, "why": "He gave his brother's name."})

    word = {"word_of": "participant", "medium": "oral"}
    revocations = f"/v1/participants/{ray.care}/roi/{ray.roi}/revocations"
    said = ray.dana.do(revocations, word)
    ray.dana.do(f"{revocations}/{said['revocation']}/paper", {"artefact_sha256": "c" * 64})
    site = lead.parts.site
    care = site.directory.by_code("lead-care", "party").id
    for record in (site.ids.open(care, one) for one in (ray.care, away)):
        assert record is not None
        assert consent(record, lead.parts.log.load(consent_stream(record))).oral == frozenset()
        assert len([r for r in lead.parts.log.history(record) if isinstance(r.event, RevocationPaper)]) == 1


def test_no_paper_for_seven_days_is_a_task_and_never_a_return_to_sharing(lead: SiteUnderTest) -> None:
    ray = story.arrest(lead)
    story.enrol(ray)
    luis, noor = lead.person("luis"), lead.person("noor")
    ray.at("2026-04-01 17:00")
    noor.do("/v1/roster/on-call", {"name": "luis", "ends_at": "2026-04-02T08:00:00-07:00"})
    lead.settle()

    # 23:40. Luis is on call; Ray's word is enough, read back to him, and partners are dark at once.
    ray.at("2026-04-01 23:40")
    assert [duty["name"] for duty in luis.see("/v1/case-manager/on-call")["on_call"]] == ["Luis Moreno"]
    oral = {"word_of": "participant", "medium": "oral", "read_back": True}
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
    lead.wait_for_clocks()
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


def test_a_word_that_nobody_read_back_is_a_task(lead: SiteUnderTest) -> None:
    ray = story.arrest(lead)
    story.enrol(ray)
    luis = lead.person("luis")

    # The line breaks off before Luis has read it back. Partners are dark all the same; that it is to be done, shows.
    ray.at("2026-04-01 23:40")
    oral = {"word_of": "participant", "medium": "oral", "parties": ["city-pd"]}
    revocations = f"/v1/participants/{ray.care}/roi/{ray.roi}/revocations"
    luis.do(revocations, oral)
    lead.settle()
    dark = everything(ray.kim, ids=(ray.participant,))
    assert '"enrolled"' not in dark
    (task,) = ray.dana.see("/v1/case-manager/tasks")["tasks"]
    assert task["kind"] == "revocation by word of mouth to read back"

    # He calls again, and confirms it.
    ray.at("2026-04-01 23:55")
    luis.do(revocations, oral | {"read_back": True})
    lead.settle()
    assert ray.dana.see("/v1/case-manager/tasks")["tasks"] == []
    assert everything(ray.kim, ids=(ray.participant,)) == dark
