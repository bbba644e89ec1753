"""Scenario R: revoked by a call from jail at 23:40; and L's counsel: an authority of its own, that ends at once."""

from __future__ import annotations

import json
from datetime import UTC, timedelta
from typing import Any

import pytest

from domain.referral import NoticeCode
from domain.roi import consent, consent_stream
from services.release import PART2_NOTICE
from tests.scenarios import ray as story
from tests.scenarios.eyes import everything, raw
from tests.site import Person, SiteUnderTest, local

pytestmark = pytest.mark.server

AUTHORITY = {
    "counsel": "r-patel",
    "labels": ["identity.legal", "enrolment.status", "charge.diverted", "iip.progress"],
    "covers_from": "2026-02-14T00:00:00-08:00",
    "expires_on": "2027-03-15",
}


@pytest.fixture
def ray(lead: SiteUnderTest) -> story.Ray:
    """Ray, with counsel of record Patel; enrolled late: the office had been told that there was no notice."""
    ray = story.arrest(lead)
    ray.at("2026-03-17 09:00")
    lead.wait_for_clocks()
    story.enrol(ray)
    ray.dana.do(f"/v1/participants/{ray.care}/counsel", AUTHORITY)
    ray.dana.do(
        f"/v1/participants/{ray.care}/shares",
        {"party": "city-pd", "labels": ["iip.progress"], "text": "Engaged; housing application filed."},
    )
    lead.settle()
    return ray


def client_of(patel: Person) -> dict[str, Any]:
    (client,) = patel.see("/v1/counsel/participants")["clients"]
    found: dict[str, Any] = client
    return found


def dark(ray: story.Ray, person: Person, path: str) -> bool:
    return bool(person.see(path)["shared"] == [])


def test_a_word_from_jail_is_enough_and_paper_follows(ray: story.Ray) -> None:
    lead, teo = ray.site, ray.site.person("teo")
    office = f"/v1/prosecutor/participants/{ray.offices_id()}"
    department = f"/v1/police/participants/{ray.participant}"
    assert not dark(ray, ray.kim, department)
    ray.at("2026-04-08 23:40")
    revocations = f"/v1/participants/{ray.care}/roi/{ray.roi}/revocations"
    word = {"word_of": "participant", "medium": "oral", "read_back": True}
    forever = teo.post(revocations, word | {"irrevocable_until": "2027-01-01"})
    assert forever.status_code == 422
    assert forever.json()["faults"][0]["field"] == "irrevocable_until"
    revoked = teo.do(revocations, word)
    assert dark(ray, ray.kim, department)
    assert dark(ray, ray.chen, office)

    # Counsel's authority is another instrument: it stands, and shows that nobody sees anything now.
    patel = lead.person("patel")
    client = client_of(patel)
    lead.settle()
    page = patel.see(f"/v1/counsel/participants/{client['participant']}")
    given = {to["party"]: to["labels"] for to in page["recipients"]}
    assert given["city-pd"] == given["county-pa"] == given["housing-co"] == []
    assert given["r-patel"] == sorted(AUTHORITY["labels"])

    # Seven days without paper: nothing comes back. Paper then joins, once, and changes nothing.
    ray.at("2026-04-16 09:00")
    assert dark(ray, ray.kim, department)
    who = lead.parts.site.ids.open(lead.parts.site.directory.by_code("lead-care", "party").id, ray.care)
    assert who is not None
    paper = f"{revocations}/{revoked['revocation']}/paper"
    assert len(consent(who, lead.parts.log.load(consent_stream(who))).oral) == 1
    ray.dana.do(paper, {"artefact_sha256": "c" * 64})
    assert consent(who, lead.parts.log.load(consent_stream(who))).oral == frozenset()
    assert ray.dana.post(paper, {"artefact_sha256": "c" * 64}).status_code == 422
    assert dark(ray, ray.kim, department)


def test_counsel_files_for_its_client_and_ends_at_once_on_every_surface(ray: story.Ray) -> None:
    lead, patel = ray.site, ray.site.person("patel")
    client = client_of(patel)
    assert (client["name"], client["enrolment"], client["phone"]) == ("Ray Bell", "enrolled", None)
    path = f"/v1/counsel/participants/{client['participant']}"
    seen = everything(patel, ids=(client["participant"],))
    assert "206-555-0199" not in seen
    assert story.NARRATIVE not in seen
    trace = patel.see(f"{path}/trace?party=city-pd")["decisions"]
    assert {(line["kind"], line["field"]): line["shown"] for line in trace}["participant.enrolled", "status"]
    assert "iip.progress" not in {label for line in trace for label in line["labels"]}  # another party's share
    accounted = patel.see(f"/v1/participants/{client['participant']}/accounting")["disclosures"]
    assert {line["to"] for line in accounted} >= {"City Police Department"}
    # What notices said, it reads where its authority names the label: of the charge, not of the referral's status. That
    # it read who saw what is written down, and not that it read a name.
    notices = [line for line in accounted if line["what"] == "notice"]
    assert {(line["to"], line["code"], line["notice"]) for line in notices} == {
        ("City Police Department", None, None),
        ("County Prosecuting Attorney", "diversion pending", None),
        ("County Prosecuting Attorney", "no completion notice by deadline", None),
        ("County Prosecuting Attorney", "completed", PART2_NOTICE),
    }
    assert [line["code"] for line in notices if line["grants"]] == ["completed"]
    again = patel.see(f"/v1/participants/{client['participant']}/accounting")["disclosures"]
    by_patel = {line["surface"]: line for line in again if line.get("person") == "R. Patel"}
    for surface, more in (("counsel.trace", []), ("accounting", ["charge.diverted", "consent.scope"])):
        assert (by_patel[surface]["what"], by_patel[surface]["labels"]) == ("disclosure", ["audit.access", *more])

    # Its own word, as its own.
    filed = f"/v1/participants/{client['participant']}/roi/{client['roi']}/revocations"
    not_its_own = patel.post(filed, {"word_of": "participant", "medium": "oral"})
    assert not_its_own.status_code == 422
    patel.do(filed, {"parties": ["city-pd"], "word_of": "counsel", "medium": "written"})
    assert dark(ray, ray.kim, f"/v1/police/participants/{ray.participant}")
    lead.settle()
    assert [entry["body"]["counsel"] for entry in ray.history("roi.revoked")] == ["R. Patel"]
    assert client_of(patel)["name"] == "Ray Bell"

    # Signing a new ROI leaves counsel as it is; the client's word ends it, before any view has moved.
    ray.dana.do(f"/v1/participants/{ray.care}/roi", story.form(expires_on="2027-03-10"))
    lead.settle()
    assert client_of(patel)["name"] == "Ray Bell"
    ray.dana.do(f"/v1/participants/{ray.care}/counsel/endings", {"counsel": "r-patel", "word_of": "participant"})
    nobody = patel.get("/v1/counsel/participants/" + "a" * 26)
    for surface in (path, f"{path}/trace?party=city-pd", f"/v1/participants/{client['participant']}/accounting"):
        assert raw(patel.get(surface)) == raw(nobody), surface
    assert patel.see("/v1/counsel/participants")["clients"] == []
    again = patel.post(filed, {"word_of": "counsel", "medium": "oral"})
    assert again.status_code == 404
    assert "Ray" not in everything(patel, ids=(client["participant"],))

    # So does the authority of the person itself.
    ray.dana.do(f"/v1/participants/{ray.care}/counsel", {**AUTHORITY})
    lead.settle()
    assert client_of(patel)["name"] == "Ray Bell"
    lead.person("pat").do("/v1/register/staff/endings", {"subject": "patel"})
    for surface in ("/v1/counsel/participants", path, f"{path}/trace?party=city-pd", "/v1/me"):
        assert patel.get(surface).status_code == 401


def test_an_observer_is_told_a_name_until_a_conflict_is_declared(ray: story.Ray) -> None:
    lead, ames = ray.site, ray.site.person("ames")
    (diversion,) = ames.see("/v1/defender/diversions")["diversions"]
    assert (diversion["named"], diversion["department"]) == (None, "city-pd")
    assert "Bell" not in everything(ames, ids=(diversion["pseudonym"],))
    naming = {"party": "public-defense", "labels": ["identity.legal"], "purpose": "defender oversight"}
    ray.dana.do(f"/v1/participants/{ray.care}/roi/{ray.roi}/amendments", story.form(grants=[naming]))
    lead.settle()
    (now,) = ames.see("/v1/defender/diversions")["diversions"]
    assert now["named"] == {"name": "Ray Bell", "birth_date": "1984-05-09"}
    assert now["pseudonym"] == diversion["pseudonym"]
    assert [p["name"] for p in ames.see("/v1/defender/participants")["participants"]] == ["Ray Bell"]
    ames.do(f"/v1/participants/{now['pseudonym']}/conflicts", {})
    assert ames.see("/v1/defender/diversions")["diversions"] == [diversion]
    assert ames.see("/v1/defender/participants")["participants"] == []
    assert "Bell" not in everything(ames, ids=(diversion["pseudonym"],))


def test_a_participant_sees_its_own_who_sees_it_and_why(ray: story.Ray) -> None:
    lead = ray.site
    ray.dana.do(f"/v1/participants/{ray.care}/access", {"subject": "r.bell"})
    told = {"party": "county-pa", "labels": ["health.general"], "occasion": "phone", "person": "Alex Chen"}
    ray.dana.do(f"/v1/participants/{ray.care}/oral-disclosures", told)
    lead.settle()
    me = lead.person("r.bell")
    own = me.see("/v1/participant")
    assert (own["name"], own["phone"]) == ("Ray Bell", "206-555-0199")
    assert set({to["party"]: to["labels"] for to in own["recipients"]}["city-pd"]) == {*story.POLICE, "consent.scope"}
    assert story.NARRATIVE in me.get("/v1/participant/history").text
    decisions = me.see("/v1/participant/trace?party=city-pd")["decisions"]
    why = {(line["kind"], line["field"]): (line["shown"], line["why"]) for line in decisions}
    assert why["participant.enrolled", "status"] == (True, "G")
    assert why["intake.completed", "narrative"][0] is False
    assert story.RECORD not in me.get("/v1/participant/trace?party=city-pd").text
    lines = me.see(f"/v1/participants/{own['participant']}/accounting")["disclosures"]
    (oral,) = [line for line in lines if line["what"] == "by word of mouth"]
    assert (oral["to"], oral["person"], oral["by"]) == ("County Prosecuting Attorney", "Alex Chen", "Dana Reyes")
    assert [line["surface"] for line in lines if line.get("surface") == "participant.trace"]

    # The privacy officer: traces and accounting, nobody's name and no content.
    imani = lead.person("imani")
    (row,) = imani.see("/v1/privacy/participants")["participants"]
    seen = everything(imani, ids=(row["participant"],))
    assert "enrolment.status" in seen
    for content in ("Bell", story.NARRATIVE, "206-555-0199", "housing application", story.FOUND_AT):
        assert content not in seen
    told = imani.see(f"/v1/participants/{row['participant']}/accounting")["disclosures"]
    assert {line["to"] for line in told if line["what"] == "notice"} >= {"City Police Department"}
    assert not [code for code in NoticeCode if f'"{code.value}"' in json.dumps(told)]
    assert {"handoff met", "completed"} <= {line.get("code") for line in lines}  # the participant reads what was said
    shaw = lead.person("shaw")
    seen = everything(shaw)
    assert "Ray Bell" in seen
    assert story.NARRATIVE not in seen


def test_an_ask_is_answered_alike_whoever_it_is_about(ray: story.Ray) -> None:
    lead = ray.site
    begun = local("2026-03-19 09:00")
    answers = []
    for n, about in enumerate(
        (
            {"participant": ray.participant, "name": {"given": "Ray", "surname": "Bell"}, "birth_date": "1984-05-09"},
            {"participant": "a" * 26, "name": {"given": "No", "surname": "Body"}, "birth_date": "1984-05-09"},
        )
    ):
        lead.clock.at((begun + timedelta(minutes=n)).astimezone(UTC))
        answer = ray.kim.post("/v1/asks", {"kind": "question", "text": "Can you reach him?", **about})
        answers.append((answer.status_code, answer.json()["receipt"], len(answer.content), set(answer.headers)))
    assert answers[0] == answers[1]
    assert "206-555-0100" in answers[0][1]
    lead.settle()
    mine = ray.kim.see("/v1/police/asks")["asks"]
    assert [ask["name"] for ask in mine] == ["No Body", "Ray Bell"]
    inbox = {ask["name"]: ask for ask in ray.dana.see("/v1/case-manager/asks")["asks"]}
    assert inbox["No Body"]["about"] is None
    assert inbox["Ray Bell"]["about"] == {"participant": ray.care, "name": "Ray Bell"}
    ray.dana.do(f"/v1/asks/{inbox['Ray Bell']['ask_id']}/handling", {"how": "call"})
    lead.settle()
    assert ray.kim.see("/v1/police/asks")["asks"] == mine
    assert "Can you reach" not in everything(lead.person("webb"))
