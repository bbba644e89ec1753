"""Scenario B: the gap before the ROI, an extension, intake on day 29, entered on day 32. All times are the site's."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from services.release import PART2_NOTICE
from tests.scenarios import ray as story
from tests.scenarios.eyes import everything
from tests.site import Person, SiteUnderTest, local

pytestmark = pytest.mark.server

NEVER_TO_PARTNERS = ("hospital", "surgery", "two more weeks", "ferry terminal", "daughter", "socks", "fell ill")


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def city_attorney(lead: SiteUnderTest) -> Person:
    """Let the City Attorney's office take part: a prosecutor's office that Ray will strike out."""
    pat = lead.person("pat")
    pat.do("/v1/register/parties", {"code": "city-attorney", "name": "City Attorney", "kind": "prosecutor"})
    ruiz = {"party": "city-attorney", "name": "Ines Ruiz", "role": "liaison_prosecutor", "subject": "ruiz"}
    pat.do("/v1/register/staff", ruiz)
    return lead.person("ruiz")


def completions(chen: Person) -> list[dict[str, Any]]:
    notices = chen.see("/v1/prosecutor/notices")["notices"]
    return [notice for notice in notices if notice["code"] == "completed"]


def test_who_agrees_to_more_time(lead: SiteUnderTest) -> None:
    """The officer who referred, or a sergeant or commander of that department (T:407); no other officer."""
    ray = story.arrest(lead)
    park = {"party": "city-pd", "name": "Officer Park", "role": "officer", "subject": "park"}
    lead.person("pat").do("/v1/register/staff", park)
    ray.at("2026-03-10 10:00")
    for person, until in (("kim", "2026-03-30"), ("ortiz", "2026-03-31"), ("lang", "2026-04-01")):
        asked = {"until": until, "reason": story.HOSPITAL}
        ray.dana.do(f"/v1/referrals/{ray.care_referral}/extensions", asked)
        agreement = (f"/v1/referrals/{ray.referral}/extension-agreements", {"until": until})
        refused = lead.person("park").post(*agreement)
        assert (refused.status_code, refused.json()["faults"][0]["reason"]) == (422, "another officer made it.")
        lead.person(person).do(*agreement)


def test_extension_and_intake(lead: SiteUnderTest) -> None:
    ray = story.arrest(lead)
    ruiz, marta = city_attorney(lead), lead.person("marta")
    strangers_saw = everything(ruiz, lookups=(story.BY_NAME,))
    ray.at("2026-03-01 11:00")
    visit = {"kind": "visit", "reached": True, "note": "Brought socks; he fell ill", "location": "ferry terminal"}
    ray.dana.do(f"/v1/participants/{ray.care}/contacts", visit)

    # 10 March. Dana asks for more time; the sergeant hears that, the team's number, and no reason.
    ray.at("2026-03-10 10:00")
    asked = {"until": "2026-03-30", "reason": story.HOSPITAL}
    ray.dana.do(f"/v1/referrals/{ray.care_referral}/extensions", asked)
    lead.settle()
    notices = ray.ortiz.see("/v1/police/referrals")["referrals"][0]["notices"]
    assert [(n["code"], n["call"]) for n in notices] == [
        ("handoff met", "206-555-0100"),
        ("extension requested", "206-555-0100"),
    ]
    assert set(notices[1]) == {"at", "code", "call"}
    assert [n["until_day"] for n in ray.chen.see("/v1/prosecutor/notices")["notices"]] == ["2026-03-16"]

    # 12 March. Ortiz agrees; the deadline moves to the end of 30 March, and the office hears the new day.
    ray.at("2026-03-12 09:00")
    ray.ortiz.do(f"/v1/referrals/{ray.referral}/extension-agreements", {"until": "2026-03-30"})
    lead.settle()
    assert [n["until_day"] for n in ray.chen.see("/v1/prosecutor/notices")["notices"]] == ["2026-03-30", "2026-03-16"]
    assert moment(ray.history("deadline.set")[-1]["body"]["due_at"]) == local("2026-03-30 23:59:59")
    partners = (ray.kim, ray.ortiz, ray.chen, marta, lead.person("webb"))
    for partner in partners:
        seen = everything(partner, lookups=(story.BY_NAME, story.BY_INCIDENT), ids=(ray.care, ray.participant))
        assert not [word for word in NEVER_TO_PARTNERS if word in seen]
        assert "enrolled" not in seen

    # 18 March, 09:00. Intake and ROI of 15 March are entered; he was enrolled when he signed, in time for both dates.
    story.enrol(ray, struck_out=("city-attorney",))
    page = ray.dana.see(f"/v1/case-manager/participants/{ray.care}")
    assert page["enrolment"] == "enrolled"
    assert moment(page["enrolled_at"]) == local("2026-03-15 16:40")
    enrolled = ray.history("participant.enrolled")[0]
    assert moment(enrolled["occurred_at"]) == local("2026-03-15 16:40")
    assert local("2026-03-18 09:00") <= moment(enrolled["recorded_at"]) < local("2026-03-18 09:05")
    (latched,) = ray.history("charge.latched")
    assert latched["body"]["charge"]["code"] == "23C"
    assert ray.history("extension.agreed")  # moot, and recorded
    assert {r["party"]: r["purpose"] for r in page["recipients"]} == {
        "city-pd": story.COORDINATION,
        "county-pa": story.COORDINATION,
        "housing-co": story.ROOM,
    }
    for recipient in page["recipients"]:
        assert moment(recipient["covers_from"]) == local("2026-03-15 16:40")
        assert moment(recipient["until"]) == local("2027-03-15 23:59:59")

    # The prosecutor's office: `completed`, with the Part 2 statement, and the scope of what it may have.
    office = ray.chen.see("/v1/prosecutor/notices")
    assert office["statement"] == PART2_NOTICE
    (completed,) = completions(ray.chen)
    assert (completed["incident_number"], completed["charge_code"]) == (story.INCIDENT, "23C")
    assert completed["until_day"] is None
    of_ray = ray.chen.see(f"/v1/prosecutor/participants/{ray.offices_id()}")
    assert of_ray["statement"] == PART2_NOTICE
    (shared,) = of_ray["shared"]
    assert (shared["name"], shared["enrolment"]) == ("Ray Bell", "enrolled")
    assert (shared["case_manager"], shared["call"]) == ("Dana Reyes", "206-555-0100")
    assert shared["purpose"] == story.COORDINATION
    assert set(shared["scope"]) == {*story.PROSECUTOR, "consent.scope"}

    # Police: enrolled, and whom to call. Not until when, not under which form.
    (shared,) = ray.kim.see(f"/v1/police/participants/{ray.participant}")["shared"]
    assert (shared["enrolment"], shared["case_manager"], shared["call"]) == ("enrolled", "Dana Reyes", "206-555-0100")
    assert not [key for key in shared if "until" in key or "roi" in key]
    (found,) = ray.kim.client.post(
        "/v1/police/lookups", json=story.BY_NAME, headers={"Authorization": f"Bearer {ray.kim.token}"}
    ).json()["shared"]
    assert found["participant"] == ray.participant

    # HousingCo: a phone number; no enrolment, no name that Ray did not give, and no contact older than the form.
    (listed,) = marta.see("/v1/recipient/participants")["shared"]
    assert listed["phone"] == "206-555-0199"
    assert (listed["name"], listed["enrolment"], listed["case_manager"]) == (None, None, None)
    assert marta.see(f"/v1/recipient/participants/{listed['participant']}")["shared"][0]["told"] == []
    for partner in partners:
        seen = everything(partner, lookups=(story.BY_NAME, story.BY_INCIDENT), ids=(ray.care, ray.participant))
        assert not [word for word in NEVER_TO_PARTNERS if word in seen]
    assert "206-555-0199" not in everything(ray.chen) + everything(ray.kim, lookups=(story.BY_NAME,))

    # The office that Ray struck out sees what it saw when nobody of the site had heard of him.
    ids = (ray.care, ray.participant, ray.offices_id())
    assert everything(ruiz, lookups=(story.BY_NAME,)) == strangers_saw
    assert "Bell" not in everything(ruiz, ids=ids)

    # Ray himself: the accounting shows what went out, to whom, when and why.
    ray.dana.do(f"/v1/participants/{ray.care}/access", {"subject": "ray"})
    himself = lead.person("ray")
    lead.settle()
    signed = himself.see("/v1/participant")["signed"]
    assert {entry["kind"] for entry in signed} == {"roi.signed", "roi.granted"}
    mine = himself.see("/v1/me")["participant"]
    lines = himself.see(f"/v1/participants/{mine}/accounting")["disclosures"]
    (told,) = [line for line in lines if line.get("code") == "completed"]
    assert (told["what"], told["to"]) == ("notice", "County Prosecuting Attorney")
    assert local("2026-03-18 09:00") <= moment(told["at"]) < local("2026-03-18 09:05")
    assert (told["grants"], told["notice"]) == ([himself.see("/v1/participant")["roi"]], PART2_NOTICE)
    assert [line["grants"] for line in lines if line.get("code") == "handoff met"] == [[]]
    codes = [line["code"] for line in lines if line["what"] == "notice"]
    assert codes == [
        "handoff met",
        "diversion pending",
        "extension requested",
        "diversion pending",
        "completed",
    ]
    (to_chen, *_) = [line for line in lines if line.get("person") == "Alex Chen"]
    assert to_chen["to"] == "County Prosecuting Attorney"
    assert to_chen["purpose"] == story.COORDINATION
    assert to_chen["grants"] == told["grants"], "the ROI, by the id that Ray knows it by"
    assert to_chen["notice"] == PART2_NOTICE
    assert "enrolment.status" in to_chen["labels"]
    assert [line["at"] for line in lines] == sorted(line["at"] for line in lines)
    for word in ("Ruiz", "City Attorney", "Webb"):
        assert word not in str(lines)
    for stranger in (ruiz, ray.kim, marta, lead.person("pat"), lead.person("ames")):
        assert stranger.get(f"/v1/participants/{mine}/accounting").status_code == 403


def test_the_form_may_reach_back(lead: SiteUnderTest) -> None:
    ray = story.arrest(lead)
    marta = lead.person("marta")
    ray.at("2026-03-01 11:00")
    ray.dana.do(f"/v1/participants/{ray.care}/contacts", {"kind": "visit", "reached": True, "note": "Brought socks"})
    story.enrol(ray)
    (listed,) = marta.see("/v1/recipient/participants")["shared"]
    one = f"/v1/recipient/participants/{listed['participant']}"
    assert marta.see(one)["shared"][0]["told"] == []

    back = [
        {
            "party": "housing-co",
            "labels": story.HOUSING,
            "purpose": story.ROOM,
            "covers_from": "2026-02-14T00:00:00-08:00",
        }
    ]
    ray.dana.do(f"/v1/participants/{ray.care}/roi/{ray.roi}/amendments", story.form(grants=back))
    lead.settle()
    (told,) = marta.see(one)["shared"][0]["told"]
    assert moment(told["occurred_at"]) >= local("2026-03-01 11:00")
    assert told["reached"] is True
    assert "socks" not in marta.get(one).text
    assert "visit" not in marta.get(one).text
    assert ray.chen.see(f"/v1/prosecutor/participants/{ray.offices_id()}")["shared"]  # the others keep what they had


def test_filed_before_the_intake_was_entered(lead: SiteUnderTest) -> None:
    """Without the extension: the office files on 17 March, after the deadline. History is not rewritten."""
    ray = story.arrest(lead)
    ray.at("2026-03-17 10:00")
    filed = {
        "docket": "26-1-00317-9",
        "participant": ray.offices_id(),
        "defendant": story.RAY,
        "charges": [{"code": "23C", "description": "Shoplifting", "severity": "misdemeanor"}],
        "incident_number": story.INCIDENT,
        "offense_on": "2026-02-14",
        "arrested_on": "2026-02-14",
        "filed_on": "2026-03-17",
    }
    ray.chen.do("/v1/cases", filed)
    (before,) = ray.chen.see("/v1/prosecutor/pending-cases")["cases"]
    assert before["lead"] is None

    story.enrol(ray)
    (case,) = ray.chen.see("/v1/prosecutor/pending-cases")["cases"]
    changed = {name for name in case if case[name] != before[name]}
    assert (changed, case["warning"]) == ({"lead", "warning"}, "will not be filed")  # as its own notice says now
    assert case["lead"]["enrolment"] == "enrolled"
    assert len(completions(ray.chen)) == 1  # he was in time, whenever it was entered
    assert ray.history("charge.latched")
    assert moment(ray.dana.see(f"/v1/case-manager/participants/{ray.care}")["enrolled_at"]) == local("2026-03-15 16:40")
