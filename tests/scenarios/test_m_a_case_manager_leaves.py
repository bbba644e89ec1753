"""Scenario M: a case manager leaves, and everyone is at 25. All times are the site's."""

from __future__ import annotations

import pytest

from tests.scenarios import ray as story
from tests.scenarios.team import Team
from tests.site import Person, SiteUnderTest, local

pytestmark = pytest.mark.server


def test_a_case_manager_leaves(lead: SiteUnderTest) -> None:
    ray = story.arrest(lead)
    story.enrol(ray)
    seen = ray.kim.see(f"/v1/police/participants/{ray.participant}")
    team = Team(lead)
    team.carries(24, 25, 25, 25, 25)

    # 20 March. Dana's authority ends. Hers stay hers; nobody new can go to her, and nobody of hers to a full colleague.
    ray.at("2026-03-20 17:00")
    team.pat.do("/v1/register/staff/endings", {"subject": "dana"})
    vacancy = team.capacity()
    assert {"alarm": "vacancy", "case_manager": "Dana Reyes", "carried": 25} in vacancy["alarms"]
    assert len(vacancy["case_managers"]) == 4
    assert (vacancy["average"], vacancy["free"]) == (31.2, -25)
    assert team.assign(team.noor, team.newcomer(), "dana").status_code == 422
    assert "carries 25 already" in team.assign(team.noor, ray.care, "luis").text

    # Only a supervisor arranges cover: Luis has half of them until the tenth, Grace the others; no caseload changes.
    theirs = [ray.care, *team.people["dana"]]
    half = {"case_manager": "dana", "by": "luis", "participants": theirs[:12], "last_on": "2026-04-10"}
    assert lead.person("luis").post("/v1/roster/cover", half).status_code == 403
    assert len(team.noor.do("/v1/roster/cover", half)["participants"]) == 12
    rest = half | {"by": "grace", "participants": theirs[12:]}
    team.noor.do("/v1/roster/cover", rest)
    covered = team.capacity()
    assert {row["case_manager"]: (row["carried"], row["covers"]) for row in covered["case_managers"]} == {
        "Luis Moreno": (25, 12),
        "Grace Okafor": (25, 13),
        "Omar": (25, 0),
        "Tess": (25, 0),
    }
    luis = lead.person("luis")
    mine = luis.see("/v1/case-manager/covered")["participants"]
    assert len(mine) == 12
    assert ray.care in {row["participant"] for row in mine}
    assert len(luis.see("/v1/case-manager/caseload?limit=50")["participants"]) == 25

    # The project manager is alarmed every day until it ends, and then not.
    for day, count in (("2026-03-20 18:00", 1), ("2026-03-21 09:00", 2), ("2026-04-10 23:00", 22)):
        ray.at(day)
        alarms = team.capacity()["alarms"]
        assert team.pat.see("/v1/program/alarms") == {"alarms": alarms}
        cover = [alarm for alarm in alarms if alarm["alarm"] == "cover"]
        assert [(a["covered_by"], a["participants"], a["day"]) for a in cover] == [
            ("Luis Moreno", 12, count),
            ("Grace Okafor", 13, count),
        ]
        assert {a["until"] for a in cover} == {local("2026-04-10 23:59:59").isoformat()}
    ray.at("2026-04-11 08:00")
    assert [alarm for alarm in team.capacity()["alarms"] if alarm["alarm"] == "cover"] == []

    # The partners keep the team's number and see no difference.
    assert ray.kim.see(f"/v1/police/participants/{ray.participant}") == seen
    assert seen["shared"][0]["call"] == "206-555-0100"


def test_cover_for_leave_ends_early(lead: SiteUnderTest) -> None:
    ray = story.arrest(lead)
    noor = lead.person("noor")
    leave = {"case_manager": "dana", "by": "luis", "first_on": "2026-03-01", "last_on": "2026-03-10"}
    noor.do("/v1/roster/cover", leave)
    team = Team(lead)
    assert [a["alarm"] for a in team.capacity()["alarms"]] == []  # it has not begun
    ray.at("2026-03-02 09:00")
    (cover,) = team.capacity()["alarms"]
    assert (cover["alarm"], cover["day"]) == ("cover", 2)
    noor.do("/v1/roster/cover/endings", {"case_manager": "dana"})
    assert team.capacity()["alarms"] == []
    again = noor.post("/v1/roster/cover/endings", {"case_manager": "dana"})
    assert again.status_code == 422
    assert lead.person("luis").see("/v1/case-manager/covered")["participants"] == []


def test_who_covers_has_the_tasks(lead: SiteUnderTest) -> None:
    ray = story.at_work(lead)
    for step in (story.offer, story.override, story.handoff, story.release):
        step(ray)
    luis, grace, noor = (lead.person(who) for who in ("luis", "grace", "noor"))
    everyone = (ray.dana, luis, grace, noor)

    # Ray is accepted, and nobody carries him: his intake is everyone's to think of, until Dana takes him.
    lead.settle()
    assert [to_do(who) for who in everyone] == [["intake due"]] * 4
    ray.dana.do(f"/v1/participants/{ray.care}/assignment", {})
    lead.settle()
    assert [to_do(who) for who in everyone] == [["intake due"], [], [], []]

    # She is away from the first of March, and Luis covers: from then on, and until it ends.
    leave = {"case_manager": "dana", "by": "luis", "first_on": "2026-03-01", "last_on": "2026-03-10"}
    noor.do("/v1/roster/cover", leave)
    lead.settle()
    assert to_do(luis) == []
    ray.at("2026-03-01 00:00")
    assert [to_do(who) for who in everyone] == [["intake due"], ["intake due"], [], []]
    ray.at("2026-03-11 00:00")
    assert to_do(luis) == []


def to_do(who: Person) -> list[str]:
    """Return what someone of the team is told to do."""
    return [task["kind"] for task in who.see("/v1/case-manager/tasks")["tasks"]]
