"""Scenario N: at 02:10 the on-call case manager opens a colleague's participant. All times are the site's."""

from __future__ import annotations

from datetime import datetime, timedelta

import psycopg
import pytest

from tests.scenarios import ray as story
from tests.scenarios.eyes import everything
from tests.scenarios.test_i_doors import JOE
from tests.site import SiteUnderTest, local

pytestmark = pytest.mark.server


def test_a_colleagues_participant_at_night(lead: SiteUnderTest) -> None:
    ray = story.arrest(lead)
    luis, grace, noor, pat = (lead.person(who) for who in ("luis", "grace", "noor", "pat"))

    # The supervisor, or the project manager, says who is on call; a case manager does not.
    ray.at("2026-03-01 12:00")
    night = {"name": "luis", "begins_at": "2026-03-01T18:00:00-08:00", "ends_at": "2026-03-02T08:00:00-08:00"}
    assert luis.post("/v1/roster/on-call", night).status_code == 403
    noor.do("/v1/roster/on-call", night)
    pat.do("/v1/roster/on-call", night | {"name": "noor", "ends_at": "2026-03-01T20:00:00-08:00"})
    for who in ("kim", "nobody"):
        assert noor.post("/v1/roster/on-call", night | {"name": who}).status_code == 422
    lead.settle()
    on_call = grace.see("/v1/case-manager/on-call")["on_call"]
    assert {duty["name"] for duty in on_call} == {"Luis Moreno", "Noor Haddad"}
    assert pat.see("/v1/program/capacity")["on_call"] == on_call

    # 02:10. Kim has somebody else, and Luis is there within minutes.
    ray.at("2026-03-02 02:10")
    charge = {"code": "23C", "description": "Shoplifting", "severity": "misdemeanor", "prosecutor": "county-pa"}
    offer = {
        "door": "arrest_diversion",
        "person": JOE,
        "incident_number": "2026-45100",
        "place": "3rd Ave and Pine",
        "facts": "Took a coat.",
        "offered_at": "2026-03-02T01:50:00-08:00",
        "charges": [charge],
    }
    ray.kim.do("/v1/referrals", offer)
    lead.settle()
    (joes,) = luis.see("/v1/case-manager/referrals")["referrals"]
    met = {"requested_at": "2026-03-02T01:50:00-08:00", "met_at": "2026-03-02T02:05:00-08:00"}
    luis.do(f"/v1/referrals/{joes['referral_id']}/handoff", met)

    # Of Ray, Luis reads all that care needs; so does Grace, who is not on call. The log of accesses tells them apart.
    page = luis.see(f"/v1/case-manager/participants/{ray.care}")
    assert page["found_at"] == story.FOUND_AT
    grace.see(f"/v1/case-manager/participants/{ray.care}")
    ray.dana.see(f"/v1/case-manager/participants/{ray.care}")
    ray.dana.see("/v1/case-manager/caseload")
    grace.see("/v1/case-manager/caseload?team=true")
    assert [duty["name"] for duty in grace.see("/v1/case-manager/on-call")["on_call"]] == ["Luis Moreno"]
    assert purposes(lead, ray.care) == [
        ("Luis Moreno", "case_manager.participant", "care: cover"),
        ("Grace Okafor", "case_manager.participant", "care: outside own caseload and cover"),
        ("Dana Reyes", "case_manager.participant", "care: own caseload"),
        ("Dana Reyes", "case_manager.caseload", "care: own caseload"),
        ("Grace Okafor", "case_manager.caseload", "care: outside own caseload and cover"),
    ]

    # After the night it is cover no longer; taken off call, neither.
    ray.at("2026-03-02 08:01")
    luis.see(f"/v1/case-manager/participants/{ray.care}")
    assert purposes(lead, ray.care)[-1][2] == "care: outside own caseload and cover"
    assert noor.post("/v1/roster/on-call/endings", {"name": "luis"}).status_code == 422
    noor.do("/v1/roster/on-call", night | {"begins_at": None, "ends_at": "2026-03-03T08:00:00-08:00"})
    luis.see(f"/v1/case-manager/participants/{ray.care}")
    assert purposes(lead, ray.care)[-1][2] == "care: cover"
    noor.do("/v1/roster/on-call/endings", {"name": "luis"})
    luis.see(f"/v1/case-manager/participants/{ray.care}")
    assert purposes(lead, ray.care)[-1][2] == "care: outside own caseload and cover"

    # The officer sees `handoff met`, and nobody's name.
    lead.settle()
    (that_night,) = [row for row in ray.kim.see("/v1/police/referrals")["referrals"] if row["name"] == "Joe Dunn"]
    (notice,) = that_night["notices"]
    assert notice["code"] == "handoff met"
    assert datetime.fromisoformat(notice["at"]) - local("2026-03-02 02:10") < timedelta(minutes=1)
    seen = everything(ray.kim, lookups=(JOE, story.BY_NAME, story.BY_INCIDENT))
    assert not [name for name in ("Luis", "Moreno", "Dana", "Grace", "Noor") if name in seen]

    # Ray can read in his accounting who opened his page, and why.
    ray.dana.do(f"/v1/participants/{ray.care}/access", {"subject": "ray"})
    himself = lead.person("ray")
    lines = himself.see(f"/v1/participants/{himself.see('/v1/me')['participant']}/accounting")["disclosures"]
    assert ("Luis Moreno", "care: cover") in {(line.get("person"), line.get("purpose")) for line in lines}


def purposes(lead: SiteUnderTest, participant: str) -> list[tuple[str, str, str]]:
    """Return who of the team was shown the participant since Luis was, on which surface, and on which footing."""
    site = lead.parts.site
    who = site.ids.open(site.directory.by_code("lead-care", "party").id, participant)
    with psycopg.connect(lead.parts.database.url) as connection:
        rows = connection.execute(
            "select staff_id, surface, purpose from log.disclosure where participant_id = %s and reader ="
            " 'case_manager' order by position",
            [who],
        ).fetchall()
    lines = [(site.directory.staff[staff].name, surface, purpose) for staff, surface, purpose in rows]
    begun = next(n for n, line in enumerate(lines) if line[0] == "Luis Moreno")
    return lines[begun:]
