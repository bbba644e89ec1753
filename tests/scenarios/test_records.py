"""Who Ray is: a plan of his own, a name of her own, a phone that others read, and two records of one person."""

from __future__ import annotations

from typing import Any

import pytest

from tests.scenarios import ray as story
from tests.scenarios.eyes import everything
from tests.site import Person, SiteUnderTest

pytestmark = pytest.mark.server

MATE = {"given": "Sunny", "surname": "Bell", "birth_date": "1986-01-01"}


def test_a_plan_and_what_a_report_tells_of_it(lead: SiteUnderTest) -> None:
    ray = story.arrest(lead)
    story.enrol(ray)
    ray.at("2026-03-24 10:00")
    person, read = f"/v1/participants/{ray.care}", f"/v1/case-manager/participants/{ray.care}"
    before = [everything(who) for who in (ray.kim, ray.chen)]

    def add(kind: str, text: str, **more: Any) -> str:
        added: str = ray.dana.do(f"{person}/plan/entries", {"kind": kind, "text": text} | more)["entry"]
        return added

    ray.dana.do(f"{person}/plan", {})
    room = add("goal", "A room of his own.", dimension="home")
    step = add("progress", "Housing application filed.", goal=room, measure="papers that are in")
    relapse = add("progress", "He relapsed and came by all the same.")
    fear = add("challenge", "Afraid of the hallway.")
    add("housing", "A ground-floor room.")
    add("goal", "A room, and one for the dog.", goal=room, dimension="home")
    tag = ray.dana.get(read).headers["ETag"]
    funds = {"purpose": "debt", "what": "A fine", "cents": 9900, "other_pools": ["county fund"], "waitlist": "none"}
    assert ray.dana.post(f"{person}/funds", funds).json()["faults"][0]["field"] == "purpose"
    lead.person("noor").do(f"{person}/funds", funds)
    stale = ray.dana.post(f"{person}/plan/goals/{room}/endings", {"how": "reached"}, **{"If-Match": tag})
    assert stale.status_code == 412, "what was read has changed since"

    plan = {entry["text"]: entry for entry in ray.dana.see(read)["plan"]}
    assert plan["A room, and one for the dog."]["plan_entry"] == room
    assert plan["Housing application filed."]["goal"] == room
    assert {entry["kind"] for entry in plan.values()} == {"iip.goal", "iip.progress", "iip.challenge", "need.housing"}
    lead.settle()
    assert [everything(who) for who in (ray.kim, ray.chen)] == before, "a plan is told by no one but care"

    # The form: each line a share under its label; a line that says too much, or has no place there, sends nothing.
    report = f"{person}/reports"
    for entries, field in (([step, relapse], "entries[1]"), ([fear], "entries[0]")):
        refused = ray.dana.post(report, {"party": "county-pa", "entries": entries})
        assert [fault["field"] for fault in refused.json()["faults"]] == [field]
    ray.dana.do(report, {"party": "county-pa", "working": True, "entries": [step]})
    ray.dana.do(report, {"party": "city-pd", "nothing_helpful": True})
    lead.settle()

    def told(who: Any, kind: str, number: str) -> list[str]:
        shared = who.see(f"/v1/{kind}/participants/{number}")["shared"]
        return sorted(entry["text"] for entry in shared[0]["told"] if "text" in entry)

    assert told(ray.chen, "prosecutor", ray.offices_id()) == [
        "LEAD is working with this person.",
        "Progress: Housing application filed.",
    ]
    assert told(ray.kim, "police", ray.participant) == ["There is nothing helpful to report at this time."]

    ray.dana.do(f"{person}/plan/goals/{room}/endings", {"how": "set aside"})
    assert ray.dana.post(report, {"party": "county-pa", "entries": [room]}).status_code == 422

    # The day meant for going through it passes: a task, until they do.
    tasks = "/v1/case-manager/tasks"
    assert ray.dana.see(tasks)["tasks"] == []
    ray.at("2026-06-23 10:00")
    lead.wait_for_clocks()
    assert [(task["kind"], task["name"]) for task in ray.dana.see(tasks)["tasks"]] == [
        ("plan to go through again", "Ray Bell")
    ]
    ray.dana.do(f"{person}/plan", {})
    assert ray.dana.see(tasks)["tasks"] == []


def test_a_corrected_name_is_the_one_that_partners_read(lead: SiteUnderTest) -> None:
    ray = story.arrest(lead)
    story.enrol(ray)
    ray.at("2026-03-24 10:00")
    person = f"/v1/participants/{ray.care}"
    ray.dana.do(f"{person}/name", {"given": "Rae", "surname": "Bell"})
    ray.dana.do(f"{person}/aliases", {"alias": "Sunny"})
    ray.dana.do(f"{person}/phone", {"phone": "206-555-0147", "shared": True})
    lead.settle()
    found = ray.chen.see(f"/v1/prosecutor/participants/{ray.offices_id()}")["shared"][0]
    assert found["name"] == "Rae Bell"
    assert "Sunny" not in everything(ray.chen) + everything(ray.kim, lookups=(story.BY_NAME,))
    marta = lead.person("marta")
    assert marta.see("/v1/recipient/participants")["shared"][0]["phone"] == "206-555-0147"
    now = ray.dana.see(f"/v1/case-manager/participants/{ray.care}")
    assert (now["name"], now["other_names"], now["phone_is_shared"]) == ("Rae Bell", ["Sunny"], True)

    # Police write the old name once more: it stays in their report, and nobody else reads it.
    offer = {
        "door": "arrest_diversion",
        "person": story.RAY,
        "participant": ray.participant,
        "incident_number": "2026-50000",
        "place": "Pine St",
        "facts": "Trespass.",
        "charges": [
            {"code": "23C", "description": "Shoplifting", "severity": "misdemeanor", "prosecutor": "county-pa"}
        ],
    }
    ray.kim.do("/v1/referrals", offer)
    lead.settle()
    assert ray.chen.see(f"/v1/prosecutor/participants/{ray.offices_id()}")["shared"][0]["name"] == "Rae Bell"


def to_whom(person: Person, accounting: str) -> set[str]:
    """Return who has been shown something, by an accounting."""
    return {line["to"] for line in person.see(accounting)["disclosures"]}


def test_two_records_of_one_person_are_one_to_care_and_two_to_everyone_else(lead: SiteUnderTest) -> None:
    ray = story.arrest(lead)
    story.enrol(ray)
    ray.at("2026-03-24 10:00")
    noor, webb, marta, dana = lead.person("noor"), lead.person("webb"), lead.person("marta"), ray.dana
    offer = {
        "door": "arrest_diversion",
        "person": MATE,
        "incident_number": "2026-60000",
        "place": "Pine St",
        "facts": "Trespass.",
        "charges": [
            {"code": "23C", "description": "Shoplifting", "severity": "misdemeanor", "prosecutor": "county-pa"}
        ],
    }
    transit = webb.do("/v1/referrals", offer)
    lead.settle()
    team = dana.see("/v1/case-manager/caseload?team=true")["participants"]
    away = next(one["participant"] for one in team if one["name"] == "Sunny Bell")
    theirs = f"/v1/case-manager/participants/{away}"
    referral = next(e["stream_id"] for e in dana.see(theirs)["history"] if e["kind"] == "referral.offered")
    dana.do(f"/v1/referrals/{referral}/acceptance", {})
    webb.do(f"/v1/referrals/{transit['referral']}/release", {"in_presence_of_codefendants": False})
    grants = [{"party": "transit-pd", "labels": ["identity.legal", "enrolment.status"], "purpose": "coordination"}]
    dana.do(f"/v1/participants/{away}/roi", story.form(grants=grants, warned=["county-pa"]))
    lead.settle()
    partners = (ray.kim, webb, ray.chen, marta)
    before = [everything(who, lookups=(MATE, story.RAY)) for who in partners]
    webb.see(f"/v1/police/participants/{transit['participant']}")
    accountings = [dana.see(f"/v1/participants/{one}/accounting") for one in (ray.care, away)]

    assert dana.post(f"/v1/participants/{ray.care}/merges", {"other": away, "why": "x"}).status_code == 403
    for who, subject in ((ray.care, "r.bell"), (away, "s.bell")):
        dana.do(f"/v1/participants/{who}/access", {"subject": subject})
    himself, brother = lead.person("r.bell"), lead.person("s.bell")
    mine, his = (f"/v1/participants/{one.see('/v1/me')['participant']}/accounting" for one in (himself, brother))
    assert "Transit Police" not in to_whom(himself, mine)
    noor.do(f"/v1/participants/{ray.care}/merges", {"other": away, "why": "He gave his brother's name."})
    lead.settle()

    # To care they are one, whichever is asked for; the record merged away takes no new commands.
    one, other = (dana.see(f"/v1/case-manager/participants/{number}") for number in (ray.care, away))
    assert one == other
    assert [found["name"] for found in one["merged"]] == ["Sunny Bell"]
    assert {entry["of"] for entry in one["history"]} == {ray.care, away}
    assert [p["name"] for p in dana.see("/v1/case-manager/caseload?team=true")["participants"]] == ["Ray Bell"]
    note = {"kind": "visit", "reached": True}
    assert dana.post(f"/v1/participants/{away}/contacts", note).status_code == 422
    # Enrolled in time by one record, so for the charge of the other too.
    assert len([entry for entry in one["history"] if entry["kind"] == "charge.latched"]) == 2
    # Partners hear the same bytes as before: no id, no grant, no name of the other record.
    for who, said in zip(partners, before, strict=True):
        assert everything(who, lookups=(MATE, story.RAY)) == said
    joined = dana.see(f"/v1/participants/{ray.care}/accounting")["disclosures"]
    assert "Transit Police" in {line["to"] for line in joined}
    # So it is to who signs in with the record that is kept; to who has the other, its own alone.
    assert {"Transit Police", "City Police Department"} <= to_whom(himself, mine)
    assert "City Police Department" not in to_whom(brother, his)
    assert himself.get(his).status_code == 404, "an id of someone else's"

    # What takes away reaches every record of the person.
    revoked = {"parties": ["transit-pd"], "word_of": "participant", "medium": "oral"}
    dana.do(f"/v1/participants/{ray.care}/roi/{ray.roi}/revocations", revoked)
    assert webb.see(f"/v1/police/participants/{transit['participant']}")["shared"] == []

    # Taken apart, each has its own history and accounting again; what is latched stays so.
    noor.do(f"/v1/participants/{away}/unmerging", {"why": "The brother came in himself."})
    lead.settle()
    again = [dana.see(f"/v1/participants/{number}/accounting")["disclosures"] for number in (ray.care, away)]
    for now, then in zip(again, accountings, strict=True):
        assert [line for line in now if line in then["disclosures"]] == then["disclosures"]
    assert "Transit Police" not in {line["to"] for line in again[0]}
    assert "City Police Department" not in {line["to"] for line in again[1]}
    assert "Transit Police" not in to_whom(himself, mine)
    # That somebody else read it meanwhile stands in it, and not who.
    assert "who had a record that was merged with this one" in to_whom(brother, his)
    assert "who had a record that was merged with this one" not in to_whom(himself, mine)
    apart = dana.see(theirs)
    assert {entry["of"] for entry in apart["history"]} == {away}
    assert "charge.latched" in {entry["kind"] for entry in apart["history"]}
    dana.do(f"/v1/participants/{away}/contacts", note)
