"""Scenario C: no intake by the last second of 16 March. The office hears one closed code; nobody hears a reason."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from domain.deadline import DeadlinePassed, HandoffMissed, NonReturnEnded
from tests.scenarios import ray as story
from tests.scenarios.audit import audited, findings, observed
from tests.scenarios.eyes import everything
from tests.site import Person, SiteUnderTest, local, searching

pytestmark = pytest.mark.server

NEVER_SAID = ("failed", "declined", "unreachable", "lapsed", "expired", "missed", "passed")
NO_NOTICE = "no completion notice by deadline"


def notices(chen: Person) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = chen.see("/v1/prosecutor/notices")["notices"]
    return found


def the_day_ends(ray: story.Ray) -> None:
    """16 March, 23:59:59 passes."""
    ray.site.clock.at(local("2026-03-16 23:59:59"))
    ray.site.wait_for_clocks()


def test_the_deadline_lapses(lead: SiteUnderTest) -> None:
    ray = story.arrest(lead)
    pat, ames, marta = lead.person("pat"), lead.person("ames"), lead.person("marta")
    (due,) = ray.dana.see("/v1/case-manager/tasks")["tasks"]
    assert (due["kind"], due["name"]) == ("intake due", "Ray Bell")
    assert datetime.fromisoformat(due["due_at"]) == local("2026-03-16 23:59:59")
    (pending,) = pat.see("/v1/program/deadlines?stands=pending")["deadlines"]
    assert (pending["kind"], pending["incident_number"]) == ("intake", story.INCIDENT)
    assert "Bell" not in str(pending)

    # 16 March, 23:59:58: nothing. A second later the office hears the code, the incident and the charge; that is all.
    lead.clock.at(local("2026-03-16 23:59:50"))
    assert [n["code"] for n in notices(ray.chen)] == ["diversion pending"]
    the_day_ends(ray)
    told, pending = notices(ray.chen)
    assert (told["code"], told["incident_number"], told["charge_code"]) == (NO_NOTICE, story.INCIDENT, "23C")
    assert (told["until_day"], told["participant_id"]) == (None, pending["participant_id"])
    assert set(told) == set(pending)
    assert datetime.fromisoformat(told["sent_at"]) == local("2026-03-16 23:59:59")
    (passed,) = ray.history("deadline.passed")
    assert datetime.fromisoformat(passed["occurred_at"]) == local("2026-03-16 23:59:59")
    assert [d["stands"] for d in pat.see("/v1/program/deadlines")["deadlines"]] == ["met", "passed"]
    assert ray.dana.see("/v1/case-manager/tasks")["tasks"] == []

    # Outside care nobody reads why, and the department reads nothing new.
    shaw = lead.person("shaw")  # LEAD's own lawyer, who reads of the charge by role
    others = [lead.person(who) for who in ("webb", "judge", "brooks", "patel")]
    for partner in (ray.kim, ray.ortiz, ray.chen, marta, ames, shaw, *others):
        seen = everything(partner, lookups=(story.BY_NAME, story.BY_INCIDENT), ids=(ray.care, ray.participant))
        said = seen.replace('"expires', "").replace("missed_diversions", "")
        assert not [word for word in NEVER_SAID if word in said], partner
        assert (NO_NOTICE in seen) == (partner in (ray.chen, shaw))
    assert ames.get("/v1/program/deadlines").status_code == 403

    # Day 33: he comes in. He is enrolled; the charge is not latched, and the office that may know of it is asked.
    ray.at("2026-03-18 10:00")
    ray.dana.do(f"/v1/participants/{ray.care}/intake", {"narrative": story.NARRATIVE})
    granted = [*story.PROSECUTOR, "charge.diverted"]
    grants = [
        {"party": "county-pa", "labels": granted, "purpose": story.COORDINATION, "notify_completion": True},
        {"party": "city-pd", "labels": story.POLICE, "purpose": story.COORDINATION},
    ]
    ray.dana.do(f"/v1/participants/{ray.care}/roi", story.form(grants=grants))
    lead.settle()
    assert ray.dana.see(f"/v1/case-manager/participants/{ray.care}")["enrolment"] == "enrolled"
    assert ray.history("charge.latched") == []
    assert [n["code"] for n in notices(ray.chen)] == [NO_NOTICE, "diversion pending"]
    (shared,) = ray.chen.see(f"/v1/prosecutor/participants/{ray.offices_id()}")["shared"]
    assert shared["enrolment"] == "enrolled"
    (asked,) = [entry for entry in shared["told"] if entry["kind"] == "decision.requested"]
    assert (asked["incident_number"], asked["charge_code"]) == (story.INCIDENT, "23C")
    (of_police,) = ray.kim.see(f"/v1/police/participants/{ray.participant}")["shared"]
    assert not [entry for entry in of_police["told"] if entry["kind"] == "decision.requested"]

    # Taken back, the request is as dark as the enrolment that it tells of.
    standing = ray.dana.see(f"/v1/case-manager/participants/{ray.care}")["roi"]
    word = {"word_of": "participant", "medium": "oral", "parties": ["county-pa"]}
    ray.dana.do(f"/v1/participants/{ray.care}/roi/{standing}/revocations", word)
    seen = everything(ray.chen, ids=(ray.offices_id(),))
    assert "decision.requested" not in seen
    assert "enrolled" not in seen


def test_each_clock_fires_once(lead: SiteUnderTest) -> None:
    """A year goes by while nobody looks: a missed handoff, the window, the day of the intake; once, when they were."""
    ray = story.at_work(lead)
    story.offer(ray)
    story.override(ray)
    called = {"requested_at": "2026-02-14T02:14:00-08:00"}
    ray.dana.do(f"/v1/referrals/{ray.care_referral}/handoff-requests", called)
    again = lead.person("luis").post(f"/v1/referrals/{ray.care_referral}/handoff-requests", called)
    assert (again.status_code, again.json()["faults"][0]["field"]) == (422, "requested_at")
    ray.at("2026-02-14 02:40")
    ray.dana.do(f"/v1/referrals/{ray.care_referral}/acceptance", {})
    story.release(ray)
    ray.at("2027-02-20 09:00")
    lead.wait_for_clocks()
    moments = {
        recorded.event.topic: recorded.event.occurred_at
        for recorded in lead.parts.log.of_topics([HandoffMissed.topic, NonReturnEnded.topic, DeadlinePassed.topic])
    }
    assert moments == {
        "handoff.missed": local("2026-02-14 02:44"),
        "non_return.ended": local("2026-02-15 02:46"),
        "deadline.passed": local("2026-03-16 23:59:59"),
    }
    deadlines = lead.person("pat").see("/v1/program/deadlines")["deadlines"]
    assert [(d["kind"], d["stands"]) for d in deadlines] == [("handoff", "passed"), ("intake", "passed")]
    for partner in (ray.kim, ray.ortiz, ray.chen, lead.person("ames")):
        seen = everything(partner, lookups=(story.BY_INCIDENT,), ids=(ray.participant,))
        assert "missed" not in seen.replace("missed_diversions", "")


def test_filed_before_a_timely_intake_was_entered(lead: SiteUnderTest) -> None:
    """The variant of scenario B: project manager, observer and the office that was told see it; nothing is undone."""
    ray = story.arrest(lead)
    pat, ames = lead.person("pat"), lead.person("ames")
    the_day_ends(ray)
    ray.at("2026-03-17 10:00")
    filed = {
        "docket": "26-1-00317-9",
        "participant": ray.offices_id(),
        "defendant": story.RAY,
        "charges": [{"code": "23C", "description": "Shoplifting", "severity": "misdemeanor"}],
        "incident_number": story.INCIDENT,
        "offense_on": "2026-02-14",
        "filed_on": "2026-03-17",
    }
    case = ray.chen.do("/v1/cases", filed)["case"]
    audited(lead)
    before = findings(pat) + observed(ames)
    assert [(f["latched_charge"], f["alarm"]) for f in before] == [(False, False)] * 2
    story.enrol(ray)
    change = story.form(grants=story.grants()[2:])
    ray.dana.do(f"/v1/participants/{ray.care}/roi/{ray.roi}/amendments", change)
    lead.settle()
    assert [t["kind"] for t in ray.dana.see("/v1/case-manager/tasks")["tasks"]] == ["latched charge filed"]
    assert notices(ray.chen)[0]["code"] == "completed"

    # The finding of that filing alarms now, whatever it was raised as; the observer knows Ray by a pseudonym alone.
    for found in findings(pat, "?alarms=true") + observed(ames, "?alarms=true"):
        assert (found["action"], found["agency"], found["person"]) == ("filing", "county-pa", "Alex Chen")
        assert (found["latched_charge"], found["raised_as"]) == (True, "no exposure")
    (to_ames,) = observed(ames, "?alarms=true")
    assert to_ames["participant"] not in (ray.care, ray.participant, ray.offices_id())
    seen = everything(ames, ids=(to_ames["participant"],))
    assert not [word for word in ("Bell", "1984", story.INCIDENT, "26-1-00317-9") if word in seen]
    assert len(findings(pat, "?alarms=true")) == 1

    # The office, which was told `completed`, reads its own case beside its own obligation. Nobody asks it anything,
    # nothing of when or why was entered leaves, and its hands are not tied: the case goes on.
    (owed,) = ray.chen.see("/v1/prosecutor/obligations")["obligations"]
    assert (owed["obligation"], owed["filed_as"]) == ("will not be filed", ["26-1-00317-9"])
    assert "will not be filed" in ray.chen.get("/v1/prosecutor/obligations.csv", **searching("23C")).text
    assert ray.chen.see("/v1/prosecutor/findings")["findings"] == []
    assert "latched" not in everything(ray.chen, ids=(ray.offices_id(),))
    ray.chen.do(f"/v1/cases/{case}/decisions", {"kind": "proceed as standard"})

    # Every other office sees nothing of it, and history stays as it was: filed, then enrolled in time.
    for other in (ray.kim, lead.person("judge"), lead.person("marta")):
        assert "26-1-00317-9" not in everything(other, lookups=(story.BY_NAME,), ids=(ray.participant,))
    assert [entry["body"]["filed_on"] for entry in ray.history("case.filed")] == ["2026-03-17"]


def test_an_office_that_hears_nothing_reads_nothing_of_its_filing_beside(lead: SiteUnderTest) -> None:
    """Ray struck the office out: project manager and observer are alarmed all the same, the office is as before."""
    ray = story.arrest(lead)
    the_day_ends(ray)
    ray.at("2026-03-17 10:00")
    filed = {
        "docket": "26-1-00317-9",
        "participant": ray.offices_id(),
        "defendant": story.RAY,
        "charges": [{"code": "23C", "description": "Shoplifting", "severity": "misdemeanor"}],
        "incident_number": story.INCIDENT,
        "offense_on": "2026-02-14",
        "filed_on": "2026-03-17",
    }
    ray.chen.do("/v1/cases", filed)
    ids = (ray.offices_id(),)
    before = everything(ray.chen, ids=ids)
    ray.at("2026-03-18 09:00")
    ray.dana.do(
        f"/v1/participants/{ray.care}/intake",
        {"completed_at": "2026-03-15T16:20:00-07:00", "narrative": story.NARRATIVE},
    )
    grants = [story.grants()[0], story.grants()[2]]
    signed = story.form(
        signed_at="2026-03-15T16:40:00-07:00", grants=grants, struck_out=["county-pa"], warned=["county-pa"]
    )
    ray.dana.do(f"/v1/participants/{ray.care}/roi", signed)
    audited(lead)
    assert [f["latched_charge"] for f in findings(lead.person("pat"), "?alarms=true")] == [True]
    assert [f["latched_charge"] for f in observed(lead.person("ames"), "?alarms=true")] == [True]
    assert everything(ray.chen, ids=ids) == before


def test_an_roi_near_its_end_is_a_task(lead: SiteUnderTest) -> None:
    ray = story.arrest(lead)
    story.enrol(ray)
    ray.at("2027-02-14 09:00")
    lead.wait_for_clocks()
    (task,) = ray.dana.see("/v1/case-manager/tasks")["tasks"]
    assert task["kind"] == "ROI to renew"
    assert datetime.fromisoformat(task["due_at"]) == local("2027-03-15 23:59:59")
    assert lead.person("luis").see("/v1/case-manager/tasks")["tasks"] == []
    assert len(lead.person("luis").see("/v1/case-manager/tasks?team=true")["tasks"]) == 1


def test_the_office_decides_on_a_charge_that_it_has_not_filed(lead: SiteUnderTest) -> None:
    """Enrolled too late, he is asked about; the office monitors, then declines, and files nothing (T:477, T:686)."""
    ray = story.arrest(lead)
    the_day_ends(ray)
    ray.at("2026-03-18 10:00")
    ray.dana.do(f"/v1/participants/{ray.care}/intake", {"narrative": story.NARRATIVE})
    labels = [*story.PROSECUTOR, "charge.diverted"]
    grants = [{"party": "county-pa", "labels": labels, "purpose": story.COORDINATION}]
    ray.roi = ray.dana.do(f"/v1/participants/{ray.care}/roi", story.form(grants=grants))["roi"]
    lead.settle()
    (task,) = ray.dana.see("/v1/case-manager/tasks")["tasks"]
    assert (task["kind"], task["incident_number"]) == (
        "charge not latched, its office asked to decide",
        story.INCIDENT,
    )
    page = ray.chen.see("/v1/prosecutor/decision-requests")
    (asked,) = page["requests"]
    assert (asked["participant"], asked["incident_number"], asked["charge_code"]) == (
        ray.offices_id(),
        story.INCIDENT,
        "23C",
    )
    assert {n["charge_id"] for n in notices(ray.chen)} == {asked["charge_id"]}

    # It looks on, then declines; whoever was not told of the charge by a notice cannot decide on it.
    decisions, about = f"/v1/cases/{asked['charge_id']}/decisions", {"participant": asked["participant"]}
    assert ray.chen.post(decisions, {"kind": "monitor in queue"}).status_code == 404
    assert ray.chen.post(decisions, {"kind": "monitor in queue", "participant": asked["charge_id"]}).status_code == 404
    ray.chen.do(decisions, about | {"kind": "monitor in queue", "review_on": "2026-04-18"})
    lead.settle()
    (date,) = ray.chen.see("/v1/prosecutor/calendar")["dates"]
    assert (date["what"], date["case_id"], date["docket"]) == ("review", asked["charge_id"], None)
    assert ray.chen.see("/v1/prosecutor/decision-requests")["requests"] == []
    assert ray.dana.see("/v1/case-manager/tasks")["tasks"] == []
    ray.chen.do(decisions, about | {"kind": "decline to file", "note": "First in years."})
    ray.chen.do(decisions, about | {"kind": "seek warrant", "source": "held by our office, not stated"})
    audited(lead)
    made = ray.chen.see("/v1/prosecutor/decisions")["decisions"]
    assert [d["kind"] for d in made] == ["seek warrant", "decline to file", "monitor in queue"]
    assert {d["case_id"] for d in made} == {asked["charge_id"]}
    assert ray.chen.see("/v1/prosecutor/calendar")["dates"] == []
    assert ray.chen.see("/v1/prosecutor/pending-cases")["cases"] == []
    assert [f["action"] for f in findings(lead.person("pat"))] == ["warrant sought"]

    # Care reads what was decided, never the office's own note; no other partner reads anything of it.
    assert [e["body"]["kind"] for e in ray.history("decision.recorded")][:2] == ["monitor in queue", "decline to file"]
    assert "First in years" not in everything(ray.dana, ids=(ray.care,))
    for other in (ray.kim, lead.person("judge"), lead.person("marta")):
        seen = everything(other, lookups=(story.BY_NAME,), ids=(ray.participant,))
        assert not [word for word in ("decline to file", "monitor", "First in years") if word in seen]


def test_a_request_is_as_dark_as_the_enrolment_that_it_tells_of(lead: SiteUnderTest) -> None:
    ray = story.arrest(lead)
    the_day_ends(ray)
    ray.at("2026-03-18 10:00")
    ray.dana.do(f"/v1/participants/{ray.care}/intake", {"narrative": story.NARRATIVE})
    ray.roi = ray.dana.do(f"/v1/participants/{ray.care}/roi", story.form())["roi"]
    lead.settle()
    (asked,) = ray.chen.see("/v1/prosecutor/decision-requests")["requests"]
    told = (asked["participant"], asked["charge_id"], asked["incident_number"], asked["charge_code"])
    assert told == (ray.offices_id(), None, None, None), "its ROI does not name the charge"
    word = {"word_of": "participant", "medium": "oral", "parties": ["county-pa"]}
    ray.dana.do(f"/v1/participants/{ray.care}/roi/{ray.roi}/revocations", word)
    assert ray.chen.see("/v1/prosecutor/decision-requests")["requests"] == []
