"""Scenario O: Ray dies. Every grant of every party ends at once; nobody gets a message; the latch stands."""

from __future__ import annotations

from typing import Any

import pytest

from domain.participant import Enrolment
from tests.scenarios import ray as story
from tests.scenarios.eyes import everything, raw
from tests.scenarios.test_c_deadline_lapses import NO_NOTICE
from tests.scenarios.test_r_revoked_at_night import AUTHORITY
from tests.site import Person, SiteUnderTest

pytestmark = pytest.mark.server

TASKS = "/v1/case-manager/tasks?team=true"
NEVER_TO_PARTNERS = ("died", "deceased", "death", "discharge", "inactive", "sister", "harborview")


def of_one(person: Person, kind: str, participant: str) -> dict[str, Any]:
    """Return what a partner hears of one participant but for its own records."""
    body = person.see(f"/v1/{kind}/participants/{participant}")
    body.pop("own")
    return body


def standing(lead: SiteUnderTest) -> dict[str, int]:
    """Return how many participants stand where, as the project manager reads it."""
    lead.settle()
    told = lead.person("pat").see("/v1/program/funnel")["participants"]
    assert len(told) == len(Enrolment)
    return {line["status"]: line["count"] for line in told if line["count"]}


def test_death(lead: SiteUnderTest) -> None:
    ray = story.arrest(lead)
    story.enrol(ray)
    noor, marta, dana = lead.person("noor"), lead.person("marta"), ray.dana
    person = f"/v1/participants/{ray.care}"
    named = [
        {"party": party, "labels": labels, "purpose": story.COORDINATION}
        for party, labels in (
            ("district-court", ["identity.legal", "enrolment.status"]),
            ("probation", ["identity.legal", "enrolment.status"]),
            ("public-defense", ["identity.legal"]),
        )
    ]
    change = story.form(grants=[*story.grants(), *named], signed_at="2026-03-18T09:00:00-07:00")
    dana.do(f"{person}/roi/{ray.roi}/amendments", change)
    item = {
        "party": "county-pa",
        "text": "He can be reached at the day centre on Jackson St.",
        "labels": ["contact.location"],
        "expires_on": "2026-04-10",
        "counsel_offered": True,
    }
    dana.do(f"{person}/items", item)
    dana.do(f"{person}/plan", {"review_on": "2026-03-25"})
    for subject in ("r.bell", "r.bell.lost"):
        dana.do(f"{person}/access", {"subject": subject})
    lead.person("pat").do("/v1/register/staff/endings", {"subject": "r.bell.lost"})
    dana.do(f"{person}/counsel", AUTHORITY)
    for_counsel = {"party": "r-patel", "text": "He broke the no-contact order once.", "labels": ["conduct.order"]}
    dana.do(f"{person}/items", item | for_counsel)
    himself, patel = lead.person("r.bell"), lead.person("patel")
    lead.settle()
    stranger = "a" * 26
    offices_id = ray.offices_id()
    seen = of_one(ray.kim, "police", ray.participant)
    assert [shared["enrolment"] for shared in seen["shared"]] == ["enrolled"]
    told = ray.chen.see("/v1/prosecutor/notices")
    referrals = raw(ray.kim.get("/v1/police/referrals"))
    assert marta.see("/v1/recipient/participants")["shared"]
    courts = [lead.person(who) for who in ("judge", "brooks")]
    at_court = [who.see("/v1/court/participants")["shared"][0]["participant"] for who in courts]
    ames = lead.person("ames")
    assert [row["name"] for row in ames.see("/v1/defender/participants")["participants"]] == ["Ray Bell"]
    assert himself.see("/v1/me")
    (client,) = patel.see("/v1/counsel/participants")["clients"]
    of_client = f"/v1/counsel/participants/{client['participant']}"
    assert patel.see(of_client)["enrolment"] == "enrolled"

    # 2 April. Dana, who is to go through the plan with him, cannot record it; the supervisor does, the day after.
    ray.at("2026-04-03 09:00")
    lead.wait_for_clocks()
    assert [task["kind"] for task in dana.see(TASKS)["tasks"]] == ["plan to go through again"]
    death = {"died_at": "2026-04-02T06:30:00-07:00", "note": "Harborview called; his sister knows."}
    assert dana.post(f"{person}/death", death).status_code == 403
    assert standing(lead) == {"enrolled": 1}
    noor.do(f"{person}/death", death)
    assert standing(lead) == {"deceased": 1}, "he is counted among those who died, by the project manager alone"
    assert noor.get("/v1/program/funnel").status_code == ray.chen.get("/v1/program/funnel").status_code == 403

    # Every path of every party is dark with that answer, items included, and what is left is what it was.
    partners = [(ray.kim, "police", ray.participant), (ray.chen, "prosecutor", offices_id)]
    partners += [(who, "court", known) for who, known in zip(courts, at_court, strict=True)]
    for who, kind, known in partners:
        assert of_one(who, kind, known) == of_one(who, kind, stranger)
    # Counsel's authority was his to give, and ends with him.
    for surface in (of_client, f"{of_client}/trace?party=city-pd"):
        assert raw(patel.get(surface)) == raw(patel.get(surface.replace(client["participant"], stranger)))
    assert patel.see("/v1/counsel/participants")["clients"] == []
    lead.settle()
    assert marta.see("/v1/recipient/participants")["shared"] == []
    assert [who.see("/v1/court/participants")["shared"] for who in courts] == [[], []]
    assert ames.see("/v1/defender/participants")["participants"] == []
    assert raw(ray.kim.get("/v1/police/referrals")) == referrals
    assert ray.chen.see("/v1/prosecutor/notices") == told, "nobody is sent anything"
    ids = (ray.participant, offices_id, *at_court, stranger)
    for who in (ray.kim, ray.ortiz, ray.chen, marta, patel, *courts, ames):
        said = everything(who, lookups=(story.BY_NAME, story.BY_INCIDENT), ids=ids).lower()
        assert not [word for word in NEVER_TO_PARTNERS if word in said]

    # His own sign-in has ended with him.
    assert himself.get("/v1/me").status_code == 401

    # Care keeps what it knows. The slot is free, nobody is asked to go through the plan, what is latched stays so.
    now = dana.see(f"/v1/case-manager/participants/{ray.care}")
    assert (now["enrolment"], now["case_manager"], now["plan_review_at"]) == ("deceased", None, None)
    assert dana.see("/v1/case-manager/caseload")["participants"] == []
    assert dana.see(TASKS)["tasks"] == []
    assert len(ray.history("charge.latched")) == 1
    ended = {entry["kind"] for entry in now["history"]}
    assert {"roi.revoked", "roster.released", "plan.closed"} <= ended
    assert [recipient["labels"] for recipient in now["recipients"]] == [[]] * 7

    # Nothing can be given in his name any more, and late paper gives nothing either.
    signed = story.form(signed_at="2026-04-01T09:00:00-07:00")
    given = (("roi", signed), ("items", item), ("access", {"subject": "x"}), ("counsel", AUTHORITY))
    for path, body in given:
        refused = dana.post(f"{person}/{path}", body)
        assert refused.status_code == 422, refused.text
        assert "has died" in refused.text
    share = {"party": "city-pd", "text": "He was well liked.", "labels": ["iip.progress"]}
    assert dana.post(f"{person}/shares", share).status_code == 422


def intakes(pat: Person) -> list[str]:
    """Return how the intakes stand that the project manager chases."""
    return [row["stands"] for row in pat.see("/v1/program/deadlines")["deadlines"] if row["kind"] == "intake"]


def test_death_before_the_intake(lead: SiteUnderTest) -> None:
    """Reminders stop, and what waits ends; what an office or a department hears is what it would hear of anyone."""
    ray = story.arrest(lead)
    noor, pat = lead.person("noor"), lead.person("pat")
    seen_on_the_street = {
        "participant": ray.participant,
        "description": "Ray Bell, grey coat",
        "reason": "In the doorway again; asked for help.",
    }
    ray.kim.do("/v1/referrals/without-arrest", seen_on_the_street)
    lead.settle()
    assert [task["kind"] for task in ray.dana.see(TASKS)["tasks"]] == ["intake due"]
    assert intakes(pat) == ["pending"]
    queues = ((ray.dana, "/v1/case-manager/referrals"), (pat, "/v1/program/referrals"))
    assert [len(who.see(queue)["referrals"]) for who, queue in queues] == [1, 1]
    police = raw(ray.kim.get("/v1/police/referrals"))

    ray.at("2026-03-01 09:00")
    noor.do(f"/v1/participants/{ray.care}/death", {"died_at": "2026-02-28T06:30:00-08:00"})
    lead.settle()
    assert ray.dana.see(TASKS)["tasks"] == []
    assert intakes(pat) == []
    assert [who.see(queue)["referrals"] for who, queue in queues] == [[], []]
    assert raw(ray.kim.get("/v1/police/referrals")) == police
    (ended,) = ray.history("referral.declined")
    assert (ended["body"]["how"], ended["body"]["decided_by"]) == ("has died", "Noor Haddad")

    # An officer who has not heard of it writes him down once more: that ends so too, and she sees no difference.
    ray.kim.do("/v1/referrals/without-arrest", seen_on_the_street)
    lead.settle()
    (late,) = ray.dana.see("/v1/case-manager/referrals")["referrals"]
    ray.dana.do(f"/v1/referrals/{late['referral_id']}/decline", {"how": "has died"})
    assert ray.dana.see("/v1/case-manager/referrals")["referrals"] == []

    # The sixteenth passes: the office hears what it hears of anyone, and nobody is reminded of an intake.
    ray.at("2026-03-17 09:00")
    lead.wait_for_clocks()
    assert NO_NOTICE in [notice["code"] for notice in ray.chen.see("/v1/prosecutor/notices")["notices"]]
    assert intakes(pat) == []
    assert ray.dana.see(TASKS)["tasks"] == []
