"""Scenario I and what belongs to it: doors without an arrest, a decline without a trace, a call, turns in a queue."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import pytest

from adapters.simulation.cast import protocol
from services.clocks import Clocks
from services.release import PART2_NOTICE
from tests.scenarios import ray as story
from tests.scenarios.eyes import everything, raw
from tests.scenarios.team import Team
from tests.site import Person, SiteUnderTest, local

pytestmark = pytest.mark.server

DOORWAY = {
    "description": "A man in a grey coat, about fifty",
    "place": "3rd Ave and Pine",
    "reason": "Sleeps in our doorway; no offence seen",
}
JOE = {"given": "Joe", "surname": "Dunn", "birth_date": "1971-03-02"}
MEETS = {"signs": ["sleeping in doorways"], "related": ["extreme poverty"], "response_expected": True}
RECEIPT = "Thank you. LEAD has this and will look for the person. Need help now? Call 206-555-0100."
OUTREACH = {"kind": "outreach", "reached": False, "note": "Looked around the block."}


def faults(answer: Any) -> list[tuple[str, str]]:
    assert answer.status_code == 422, answer.text
    return [(fault["field"], fault["reason"]) for fault in answer.json()["faults"]]


def waiting(care: Person, question: str = "/v1/case-manager/referrals") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = care.see(question)["referrals"]
    return found


def test_a_shop_owner_refers_a_man_in_a_doorway(lead: SiteUnderTest) -> None:
    story.at_work(lead)
    marta, dana, pat, kim = (lead.person(who) for who in ("marta", "dana", "pat", "kim"))
    before = everything(kim)
    made = marta.do("/v1/referrals/without-arrest", DOORWAY)
    assert made["receipt"] == RECEIPT
    lead.settle()

    # Care and the project manager see that he waits; nobody knows his name. A person screens; no form has rejected him.
    (his,) = waiting(dana)
    (theirs,) = waiting(pat, "/v1/program/referrals")
    assert (his["door"], his["description"], his["name"]) == ("community", DOORWAY["description"], None)
    assert theirs["reason"] == DOORWAY["reason"]
    path, person = f"/v1/referrals/{his['referral_id']}", f"/v1/participants/{his['participant']}"
    not_accepted = {"how": "not accepted", "reason": "no legal response to be expected otherwise"}
    assert faults(dana.post(f"{path}/decline", not_accepted)) == [("how", "nobody has looked for the person yet.")]
    assert faults(dana.post(f"{path}/acceptance", {})) == [("referral", "nobody has screened it yet.")]
    pat.do(f"/v1/referrals/{theirs['referral_id']}/screening", MEETS | {"response_expected": False})
    assert faults(dana.post(f"{path}/acceptance", {})) == [("referral", "it does not meet both criteria.")]

    # Nobody has said who he is: a name alone is not enough, and is refused rather than failing.
    assert faults(dana.post(f"{person}/name", {"given": "Joe", "surname": "Dunn"}))[0][0] == "birth_date"

    # Outreach first; then a named person, for a reason from the list.
    dana.do(f"{person}/contacts", OUTREACH)
    assert faults(dana.post(f"{path}/decline", {"how": "not accepted"}))[0][0] == "reason"
    assert dana.post(f"{path}/decline", {"how": "not accepted", "reason": "criminal history"}).status_code == 422
    dana.do(f"{path}/decline", not_accepted)
    lead.settle()
    assert waiting(dana) == []
    (ended,) = waiting(pat, "/v1/program/referrals?all=true")
    assert (ended["decline"]["how"], ended["decline"]["decided_by"]) == ("not accepted", "Dana Reyes")
    assert ended["screening"]["screened_by"] == "Pat Lindqvist"

    # The owner sees what she sent, and the receipt; a police officer sees what she saw before.
    (own,) = marta.see("/v1/recipient/referrals")["referrals"]
    assert own["referral_id"] == made["referral"]
    assert {own[name] for name in ("description", "place", "reason")} == set(DOORWAY.values())
    seen = everything(marta)
    assert not [word for word in ("not accepted", "declined", "screen", "Dana", "outreach") if word in seen]
    assert everything(kim) == before
    assert marta.do("/v1/referrals/without-arrest", DOORWAY)["receipt"] == RECEIPT


def test_with_chronic_trespass_he_is_accepted_whatever_his_history(lead: SiteUnderTest) -> None:
    story.at_work(lead)
    marta, dana, pat = (lead.person(who) for who in ("marta", "dana", "pat"))
    marta.do("/v1/referrals/without-arrest", DOORWAY)
    lead.settle()
    (his,) = waiting(dana)
    (theirs,) = waiting(pat, "/v1/program/referrals")
    path, vetting = f"/v1/referrals/{his['referral_id']}", f"/v1/referrals/{theirs['referral_id']}/vetting"
    record = {"codes": ["go in pairs"], "note": "Convicted of robbery in 2009"}
    assert faults(pat.post(vetting, record)) == [("note", "it reads as if it came from a criminal record.")]
    pat.do(vetting, {"codes": ["go in pairs"], "note": "Startles when woken"})
    dana.do(f"{path}/identification", {"person": JOE})
    dana.do(f"{path}/screening", MEETS | {"signs": ["trespass", "civil infractions"]})
    dana.do(f"{path}/acceptance", {"found_at": "The doorway of the pharmacy"})
    lead.settle()
    (row,) = waiting(dana, "/v1/case-manager/referrals?all=true")
    assert (row["name"], row["waits"]) == ("Joe Dunn", False)
    assert row["risks"][0]["codes"] == ["go in pairs"]
    page = dana.see(f"/v1/case-manager/participants/{his['participant']}")
    assert (page["name"], page["found_at"]) == ("Joe Dunn", "The doorway of the pharmacy")
    assert [e["body"].get("protocol_version") for e in page["history"] if e["kind"] == "referral.accepted"] == ["P-7"]
    # No deadline runs, and nothing of it is the owner's.
    assert page["intake_due_on"] is None
    assert not [word for word in ("Joe", "pairs", "trespass", "pharmacy") if word in everything(marta)]


def test_the_owner_whom_he_names_later_sees_exactly_that(lead: SiteUnderTest) -> None:
    story.at_work(lead)
    marta, dana = lead.person("marta"), lead.person("dana")
    marta.do("/v1/referrals/without-arrest", DOORWAY)
    lead.settle()
    (his,) = waiting(dana)
    person = f"/v1/participants/{his['participant']}"
    dana.do(f"/v1/referrals/{his['referral_id']}/identification", {"person": JOE})
    dana.do(f"/v1/referrals/{his['referral_id']}/screening", MEETS)
    dana.do(f"/v1/referrals/{his['referral_id']}/acceptance", {})
    dana.do(f"{person}/intake", {"narrative": "He wants a room.", "phone": "206-555-0199"})
    are_you_in_contact = {"party": "housing-co", "labels": ["contact.fact"], "purpose": "are you in contact"}
    form = story.form(grants=[are_you_in_contact], expires_on="2027-01-31")
    signed = dana.do(f"{person}/roi", form)
    dana.do(f"{person}/contacts", OUTREACH | {"reached": True})
    lead.settle()
    (listed,) = marta.see("/v1/recipient/participants")["shared"]
    assert {listed[name] for name in ("name", "birth_date", "phone", "enrolment", "case_manager")} == {None}
    one = f"/v1/recipient/participants/{listed['participant']}"
    answer = marta.see(one)
    assert (answer["shared"][0]["purpose"], answer["statement"]) == ("are you in contact", PART2_NOTICE)
    (told,) = answer["shared"][0]["told"]
    assert (told["kind"], told["reached"]) == ("contact.made", True)
    assert not [word for word in ("Joe", "Dunn", "0199", "outreach", "block", "room") if word in everything(marta)]

    revoked = {"word_of": "participant", "medium": "oral", "parties": ["housing-co"]}
    dana.do(f"{person}/roi/{signed['roi']}/revocations", revoked)
    assert raw(marta.get(one)) == raw(marta.get("/v1/recipient/participants/" + "a" * 26))


@pytest.mark.parametrize("how", ["offer declined", "withdrawn", "unreachable", "not accepted", "no capacity"])
def test_a_decline_of_a_social_contact_leaves_no_trace_that_police_could_see(lead: SiteUnderTest, how: str) -> None:
    """The second half of scenario C: the same person through door 2. No clock, no notice, no row that changes."""
    story.at_work(lead)
    kim, ortiz, dana = (lead.person(who) for who in ("kim", "ortiz", "dana"))
    told = DOORWAY | {"name": "Joe Dunn", "birth_date": JOE["birth_date"]}
    made = kim.do("/v1/referrals/without-arrest", told)
    assert made["receipt"] == RECEIPT
    (own,) = kim.see("/v1/police/referrals")["referrals"]
    assert (own["door"], own["name"], own["charges"], own["notices"]) == ("social_contact", "Joe Dunn", [], [])
    lead.settle()
    ids, lookups = (own["participant_id"], own["referral_id"]), (JOE,)
    before = [everything(who, ids=ids, lookups=lookups) for who in (kim, ortiz)]
    police = f"/v1/referrals/{made['referral']}"
    release = kim.post(f"{police}/release", {"in_presence_of_codefendants": False})
    assert release.status_code == 404  # it is no arrest

    (his,) = waiting(dana)
    path = f"/v1/referrals/{his['referral_id']}"
    if how == "no capacity":
        Team(lead).carries(25, 25, 25, 25, 25)
    dana.do(f"{path}/identification", {"person": JOE | {"given": "Joseph"}})
    dana.do(f"{path}/screening", MEETS)
    dana.do(f"/v1/participants/{his['participant']}/contacts", OUTREACH | {"reached": True})
    reason = {"reason": "served elsewhere"} if how == "not accepted" else {}
    dana.do(f"{path}/decline", {"how": how, **reason})
    lead.settle()
    assert lead.person("pat").see("/v1/program/deadlines")["deadlines"] == [], "no clock runs"
    assert dana.see("/v1/case-manager/tasks")["tasks"] == []
    assert [everything(who, ids=ids, lookups=lookups) for who in (kim, ortiz)] == before
    again = kim.post(f"{police}/release", {"in_presence_of_codefendants": False})
    assert raw(again) == raw(release)
    # What Kim says of her own referral is taken as ever, and is her own.
    kim.do(f"{police}/vetting", {"codes": ["go by day"]})
    lead.settle()
    (own,) = kim.see("/v1/police/referrals")["referrals"]
    assert own["vetting"][0]["codes"] == ["go by day"]


def test_an_officer_who_holds_someone_hears_no_capacity_and_whom_to_call(lead: SiteUnderTest) -> None:
    ray, team = story.at_work(lead), Team(lead)
    story.offer(ray)
    decline = f"/v1/referrals/{ray.care_referral}/decline"
    team.carries(25, 25, 25, 25, 24)  # the average is above policy, and somebody has room
    assert faults(ray.dana.post(decline, {"how": "no capacity"})) == [("how", "there is a slot for it.")]
    team.carries(0, 0, 0, 0, 1)
    ray.dana.do(decline, {"how": "no capacity"})
    lead.settle()
    (own,) = ray.kim.see("/v1/police/referrals")["referrals"]
    assert [(n["code"], n["call"]) for n in own["notices"]] == [("no capacity", "206-555-0100")]
    assert "Dana" not in everything(ray.kim)
    late = ray.dana.post(f"/v1/referrals/{ray.care_referral}/acceptance", {})
    assert faults(late) == [("referral", "it has ended: no capacity.")]


CALL = {
    "department": "city-pd",
    "officer": "Officer Kim",
    "incident_number": story.INCIDENT,
    "offered_at": "2026-02-14T02:14:00-08:00",
    "called_at": "2026-02-14T02:16:00-08:00",
    "charges": [{"code": "23C", "description": "Shoplifting", "severity": "misdemeanor", "prosecutor": "county-pa"}],
}
REPORT = {"place": "3rd Ave and Pine", "facts": "Took two coats; stopped at the door.", "person": story.RAY}


def offer(**more: Any) -> dict[str, Any]:
    told = {name: REPORT[name] for name in ("place", "facts", "person")}
    return {"door": "arrest_diversion", "incident_number": story.INCIDENT, "charges": CALL["charges"]} | told | more


def test_a_call_is_enough_and_the_report_joins_later(lead: SiteUnderTest) -> None:
    ray = story.at_work(lead)
    kim, webb, dana = ray.kim, lead.person("webb"), ray.dana
    ray.at("2026-02-14 02:20")
    called = dana.do("/v1/referrals/by-telephone", CALL)
    lead.settle()

    # The minutes run from the call: written down again they would begin anew.
    (handoff,) = lead.person("pat").see("/v1/program/deadlines")["deadlines"]
    assert (handoff["kind"], handoff["stands"], handoff["minutes"]) == ("handoff", "pending", None)
    assert datetime.fromisoformat(handoff["due_at"]) == local("2026-02-14 02:46")
    again = dana.post(f"/v1/referrals/{called['referral']}/handoff-requests", {})
    assert faults(again) == [("requested_at", "the call is recorded already.")]
    ray.at("2026-02-14 02:35")
    dana.do(f"/v1/referrals/{called['referral']}/handoff", {})
    dana.do(f"/v1/referrals/{called['referral']}/acceptance", {"found_at": story.FOUND_AT})
    lead.settle()

    # The department finds it among its own, and goes on with it.
    (own,) = kim.see("/v1/police/referrals")["referrals"]
    assert (own["called_in_by"], own["reported_at"], own["name"], own["facts"]) == ("Officer Kim", None, None, None)
    assert own["charges"][0]["charge"]["code"] == "23C"
    assert webb.see("/v1/police/referrals")["referrals"] == []
    path = f"/v1/referrals/{own['referral_id']}"
    kim.do(f"{path}/release", {"in_presence_of_codefendants": False})

    # The report does not make a second referral, and joins once.
    assert faults(kim.post("/v1/referrals", offer())) == [("incident_number", "it was called in.")]
    assert webb.post(f"{path}/report", REPORT).status_code in (404, 422)
    lead.settle()
    (handoff, _) = lead.person("pat").see("/v1/program/deadlines")["deadlines"]
    assert (handoff["stands"], handoff["minutes"]) == ("met", 19)
    ray.at("2026-02-14 02:55")
    kim.do(f"{path}/report", REPORT)
    assert faults(kim.post(f"{path}/report", REPORT)) == [("referral", "its report is here already.")]
    lead.settle()
    (own,) = kim.see("/v1/police/referrals")["referrals"]
    assert (own["name"], own["facts"], own["place"]) == ("Ray Bell", REPORT["facts"], REPORT["place"])
    assert datetime.fromisoformat(own["reported_at"]) >= local("2026-02-14 02:55")
    (row,) = waiting(dana, "/v1/case-manager/referrals?all=true")
    assert row["name"] == "Ray Bell"
    assert dana.see(f"/v1/case-manager/participants/{row['participant']}")["intake_due_on"] == "2026-03-16"


def test_nobody_came_to_the_officer_who_called(lead: SiteUnderTest) -> None:
    ray = story.at_work(lead)
    ray.at("2026-02-14 02:20")
    ray.dana.do("/v1/referrals/by-telephone", CALL)
    ray.at("2026-02-14 02:46")
    lead.wait_for_clocks()
    (handoff,) = lead.person("pat").see("/v1/program/deadlines?stands=passed")["deadlines"]
    assert (handoff["kind"], handoff["minutes"]) == ("handoff", None)
    assert "missed" not in everything(ray.kim).replace("missed_diversions", "")


def test_no_call_waits_for_a_handoff_at_a_site_that_has_none(lead: SiteUnderTest) -> None:
    """Care follows up on its own (T:419): nobody was asked to come, and nobody is late."""
    ray, pat = story.at_work(lead), lead.person("pat")
    ray.at("2026-02-14 02:00")
    modified = protocol(date(2026, 2, 14)).model_copy(update={"version": "P-8", "handoff_minutes": None})
    pat.do("/v1/register/protocols", {"protocol": modified.model_dump(mode="json")})
    ray.at("2026-02-14 02:20")
    path = f"/v1/referrals/{ray.dana.do('/v1/referrals/by-telephone', CALL)['referral']}"
    for step, said in (("handoff-requests", {}), ("handoff", {"requested_at": CALL["called_at"]})):
        assert faults(ray.dana.post(f"{path}/{step}", said)) == [("referral", "this site has no warm handoff.")]
    ray.at("2026-02-14 09:00")
    assert Clocks(lead.parts.site).fire() == 0
    lead.settle()
    assert pat.see("/v1/program/deadlines")["deadlines"] == []
    assert pat.see("/v1/program/missed-diversions")["missed_diversions"] == []
    ray.dana.do(f"{path}/acceptance", {})


def test_two_reports_of_one_arrest_are_one_referral(lead: SiteUnderTest) -> None:
    kim, ortiz, webb = lead.person("kim"), lead.person("ortiz"), lead.person("webb")
    kim.do("/v1/referrals", offer())
    shouted = {"person": story.RAY | {"surname": "BELL"}}
    for again in (kim.post("/v1/referrals", offer()), ortiz.post("/v1/referrals", offer(**shouted))):
        assert faults(again) == [("incident_number", "its referral is here already.")]
        assert again.json()["faults"][0]["way_out"] == "Go on with that one: it is your own."
    kim.do("/v1/referrals", offer(person=JOE))  # who was stopped with him
    kim.do("/v1/referrals", offer(incident_number="2026-44999"))
    webb.do("/v1/referrals", offer())  # another department's numbers are its own
    lead.settle()
    assert len(kim.see("/v1/police/referrals")["referrals"]) == 3
    assert len(waiting(lead.person("dana"))) == 4


def test_a_call_about_what_is_reported_already_is_sent_to_it(lead: SiteUnderTest) -> None:
    ray = story.at_work(lead)
    ray.at("2026-02-14 02:20")
    ray.kim.do("/v1/referrals", offer())
    for person in ({}, {"person": story.RAY}):
        refused = ray.dana.post("/v1/referrals/by-telephone", CALL | person)
        assert faults(refused) == [("incident_number", "its referral is here already.")]
        assert "Go on with that one" in refused.json()["faults"][0]["way_out"]
    ray.dana.do("/v1/referrals/by-telephone", CALL | {"person": JOE})  # who was stopped with him
    ray.dana.do("/v1/referrals/by-telephone", CALL | {"department": "transit-pd"})
    lead.settle()
    assert len(ray.kim.see("/v1/police/referrals")["referrals"]) == 2


def test_a_court_referral_waits_for_police_and_community(lead: SiteUnderTest) -> None:
    """Scenario H, its turns: where room is short, post-filing comes last. The court hears nothing of it."""
    story.at_work(lead)
    pat, dana, marta = (lead.person(who) for who in ("pat", "dana", "marta"))
    one_each = protocol(date(2026, 1, 20)).model_dump(mode="json")
    least = dict.fromkeys(("caseload_intensive_least", "caseload_intensive_most", "caseload_average"), 1)
    pat.do("/v1/register/protocols", {"protocol": one_each | least | {"version": "P-8", "retroactive": True}})
    pat.do("/v1/register/parties", {"code": "muni-court", "name": "Municipal Court", "kind": "court"})
    clerk = {"party": "muni-court", "name": "Clerk Osei", "role": "court_officer", "subject": "osei"}
    pat.do("/v1/register/staff", clerk)
    osei = lead.person("osei")
    assert osei.do("/v1/referrals/without-arrest", DOORWAY | {"name": "Vic Nash"})["receipt"] == RECEIPT
    before = everything(osei)
    for n in range(3):  # as many as there are slots
        marta.do("/v1/referrals/without-arrest", DOORWAY | {"description": f"Somebody in doorway {n}"})
    lead.settle()
    courts, *doorways = waiting(dana)
    assert courts["door"] == "court"
    path = f"/v1/referrals/{courts['referral_id']}"
    for his in doorways:
        dana.do(f"/v1/referrals/{his['referral_id']}/screening", MEETS)
    later = ("referral", "others whose door is served first still wait for a slot.")
    assert faults(dana.post(f"{path}/acceptance", {})) == [later]
    last = doorways.pop()
    for his in doorways:
        dana.do(f"/v1/referrals/{his['referral_id']}/acceptance", {})
        dana.do(f"/v1/participants/{his['participant']}/assignment", {})
    assert faults(dana.post(f"{path}/acceptance", {})) == [later]  # the last slot is the last doorway's
    dana.do(f"/v1/participants/{last['participant']}/contacts", OUTREACH)
    dana.do(f"/v1/referrals/{last['referral_id']}/decline", {"how": "unreachable"})
    lead.settle()
    assert everything(osei) == before
    dana.do(f"{path}/acceptance", {})
    lead.settle()
    assert everything(osei) == before

    # Who has a slot needs none: referred once more, he delays nobody, and does not wait for who is served first.
    lead.person("kim").do("/v1/referrals", offer())
    again = dana.do("/v1/referrals/without-arrest", DOORWAY | {"participant": courts["participant"]})
    dana.do(f"/v1/referrals/{again['referral']}/screening", MEETS)
    dana.do(f"/v1/referrals/{again['referral']}/acceptance", {})


def test_whoever_refers_sees_what_it_said(lead: SiteUnderTest) -> None:
    """In a list of its own, whatever becomes of it. Counsel's is without the name; nobody's says who the person is."""
    ray = story.arrest(lead)
    story.enrol(ray)
    marta, brooks, patel = (lead.person(who) for who in ("marta", "brooks", "patel"))
    (shared,) = marta.see("/v1/recipient/participants")["shared"]
    partners = ((ray.chen, "prosecutor"), (marta, "recipient"), (brooks, "court"), (patel, "counsel"))
    for who, _ in partners:
        who.do("/v1/referrals/without-arrest", DOORWAY | {"name": "Joe Dunn"})
    lead.settle()

    def own() -> list[dict[str, Any]]:
        return [row for who, kind in partners for row in who.see(f"/v1/{kind}/referrals")["referrals"]]

    said = own()
    assert [{row[name] for name in ("description", "place", "reason")} for row in said] == [set(DOORWAY.values())] * 4
    assert [row.get("name") for row in said] == ["Joe Dunn", "Joe Dunn", "Joe Dunn", None]
    assert "Dunn" not in everything(patel)
    assert "participant" not in "".join(name for row in said for name in row)
    assert DOORWAY["reason"] not in str(marta.see(f"/v1/recipient/participants/{shared['participant']}"))

    for row in waiting(ray.dana):
        ray.dana.do(f"/v1/referrals/{row['referral_id']}/decline", {"how": "withdrawn"})
    lead.settle()
    assert own() == said
