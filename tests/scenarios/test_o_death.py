"""Scenario O: Ray dies. Every grant of every party ends at once; nobody gets a message; the latch stands."""

from __future__ import annotations

from typing import Any

import pytest

from domain.participant import Enrolment
from tests.scenarios import ray as story
from tests.scenarios.eyes import everything, raw
from tests.scenarios.test_r_revoked_at_night import AUTHORITY
from tests.site import Person, SiteUnderTest

pytestmark = pytest.mark.server

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
    item = {
        "party": "county-pa",
        "text": "He can be reached at the day centre on Jackson St.",
        "labels": ["contact.location"],
        "expires_on": "2026-04-10",
        "counsel_offered": True,
    }
    dana.do(f"{person}/items", item)
    dana.do(f"{person}/plan", {"review_on": "2026-05-15"})
    dana.do(f"{person}/access", {"subject": "r.bell"})
    dana.do(f"{person}/counsel", AUTHORITY)
    himself, patel = lead.person("r.bell"), lead.person("patel")
    lead.settle()
    stranger = "a" * 26
    offices_id = ray.offices_id()
    seen = of_one(ray.kim, "police", ray.participant)
    assert [shared["enrolment"] for shared in seen["shared"]] == ["enrolled"]
    told = ray.chen.see("/v1/prosecutor/notices")
    referrals = raw(ray.kim.get("/v1/police/referrals"))
    assert marta.see("/v1/recipient/participants")["shared"]
    assert himself.see("/v1/me")
    (client,) = patel.see("/v1/counsel/participants")["clients"]
    of_client = f"/v1/counsel/participants/{client['participant']}"
    assert patel.see(of_client)["enrolment"] == "enrolled"

    # 2 April. Dana cannot record it; the supervisor does, the day after.
    ray.at("2026-04-03 09:00")
    death = {"died_at": "2026-04-02T06:30:00-07:00", "note": "Harborview called; his sister knows."}
    assert dana.post(f"{person}/death", death).status_code == 403
    assert standing(lead) == {"enrolled": 1}
    noor.do(f"{person}/death", death)
    assert standing(lead) == {"deceased": 1}, "he is counted among those who died, by the project manager alone"
    assert noor.get("/v1/program/funnel").status_code == ray.chen.get("/v1/program/funnel").status_code == 403

    # Every path of every party is dark with that answer, items included, and what is left is what it was.
    for who, kind, known in ((ray.kim, "police", ray.participant), (ray.chen, "prosecutor", offices_id)):
        assert of_one(who, kind, known) == of_one(who, kind, stranger)
    # Counsel's authority was his to give, and ends with him.
    for surface in (of_client, f"{of_client}/trace?party=city-pd"):
        assert raw(patel.get(surface)) == raw(patel.get(surface.replace(client["participant"], stranger)))
    assert patel.see("/v1/counsel/participants")["clients"] == []
    lead.settle()
    assert marta.see("/v1/recipient/participants")["shared"] == []
    assert raw(ray.kim.get("/v1/police/referrals")) == referrals
    assert ray.chen.see("/v1/prosecutor/notices") == told, "nobody is sent anything"
    ids = (ray.participant, offices_id, stranger)
    for who in (ray.kim, ray.ortiz, ray.chen, marta, patel):
        said = everything(who, lookups=(story.BY_NAME, story.BY_INCIDENT), ids=ids).lower()
        assert not [word for word in NEVER_TO_PARTNERS if word in said]

    # His own sign-in has ended with him.
    assert himself.get("/v1/me").status_code == 401

    # Care keeps what it knows. The slot is free, nobody is asked to go through the plan, what is latched stays so.
    now = dana.see(f"/v1/case-manager/participants/{ray.care}")
    assert (now["enrolment"], now["case_manager"], now["plan_review_at"]) == ("deceased", None, None)
    assert dana.see("/v1/case-manager/caseload")["participants"] == []
    assert len(ray.history("charge.latched")) == 1
    ended = {entry["kind"] for entry in now["history"]}
    assert {"roi.revoked", "roster.released", "plan.closed"} <= ended
    assert [recipient["labels"] for recipient in now["recipients"]] == [[], [], [], []]

    # Nothing can be given in his name any more, and late paper gives nothing either.
    signed = story.form(signed_at="2026-04-01T09:00:00-07:00")
    for path, body in ((f"{person}/roi", signed), (f"{person}/items", item), (f"{person}/access", {"subject": "x"})):
        refused = dana.post(path, body)
        assert refused.status_code == 422, refused.text
        assert "has died" in refused.text
    share = {"party": "city-pd", "text": "He was well liked.", "labels": ["iip.progress"]}
    assert dana.post(f"{person}/shares", share).status_code == 422
