"""Scenario E: the ROI is revoked on counsel's word for police and prosecutor, 8 April; signed again on 1 May."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from domain.participant import ParticipantIdentified
from domain.roi import RoiExpired
from services.release import PART2_NOTICE
from tests.scenarios import ray as story
from tests.scenarios.eyes import everything, raw
from tests.site import Person, SiteUnderTest, local, searching

pytestmark = pytest.mark.server

NULL = {
    "shared": [],
    "statement": "LEAD has nothing it can show you here. Everyone gets this answer when there is nothing to show. "
    "Need help now? Call 206-555-0100.",
}
DARK = ("Engaged", "Dana", "enrolled", "identity.legal", "coordination", story.FOUND_AT)


def own(person: Person, path: str) -> bytes:
    """Return the bytes of a list of own rows."""
    answer = person.get(path)
    assert answer.status_code == 200
    return answer.content


def share(ray: story.Ray, party: str, label: str, text: str) -> None:
    ray.dana.do(f"/v1/participants/{ray.care}/shares", {"party": party, "labels": [label], "text": text})


def file(ray: story.Ray, docket: str, participant: str) -> str:
    filed = {
        "docket": docket,
        "participant": participant,
        "defendant": story.RAY,
        "charges": [{"code": "90J", "description": "Trespass", "severity": "misdemeanor"}],
        "offense_on": "2026-02-02",
        "filed_on": "2026-03-24",
    }
    case: str = ray.chen.do("/v1/cases", filed)["case"]
    return case


def test_revocation(lead: SiteUnderTest) -> None:
    ray = story.arrest(lead)
    story.enrol(ray)
    marta, noor = lead.person("marta"), lead.person("noor")
    ray.at("2026-03-24 10:00")
    share(ray, "city-pd", "iip.progress", "Engaged; housing application filed.")
    share(ray, "county-pa", "iip.progress", "Engaged; housing application filed.")
    share(ray, "housing-co", "need.housing", "He can move in on any day.")
    office_id = ray.offices_id()
    cases = [file(ray, f"26-1-0030{n}-1", office_id) for n in range(3)]
    decision = {"kind": "support quash", "reason": "Engaged with LEAD.", "source": "held by our office, not stated"}
    ray.chen.do(f"/v1/cases/{cases[0]}/decisions", decision)
    lead.settle()

    # Before: everyone whom the form names sees what it gives.
    assert len(ray.kim.see(f"/v1/police/participants/{ray.participant}")["shared"][0]["told"]) == 1
    first = ray.chen.see("/v1/prosecutor/pending-cases?limit=1")
    assert first["cases"][0]["lead"]["enrolment"] == "enrolled"
    assert len(ray.chen.see("/v1/prosecutor/pending-cases?only=shared")["cases"]) == 3
    assert ray.chen.get("/v1/prosecutor/pending-cases.csv").text.count(",enrolled,") == 3
    (listed,) = marta.see("/v1/recipient/participants")["shared"]
    hers = [f"/v1/recipient/participants/{listed['participant']}", "/v1/recipient/participants"]
    marta_saw = [raw(marta.get(path)) for path in hers]
    referrals = own(ray.kim, "/v1/police/referrals")
    decisions = own(ray.chen, "/v1/prosecutor/decisions")
    notices = own(ray.chen, "/v1/prosecutor/notices")
    obligations = own(ray.chen, "/v1/prosecutor/obligations")
    assert b"will not be filed" in obligations
    rows = ray.kim.see(f"/v1/police/participants/{ray.participant}")["own"]
    docket = ray.chen.see("/v1/prosecutor/pending-cases")["cases"]
    caseload = own(ray.dana, "/v1/case-manager/caseload")
    seen_at = ray.kim.position, ray.chen.position

    # 8 April, 14:03:07. Counsel calls; the supervisor records it.
    lead.clock.at(local("2026-04-08 14:03:07"))
    word = {"word_of": "counsel", "medium": "oral", "counsel": "R. Patel"}
    noor.do(f"/v1/participants/{ray.care}/roi/{ray.roi}/revocations", word | {"parties": ["city-pd", "county-pa"]})

    # The very next question of either is dark, on every path; what is theirs has not changed by a byte.
    for _ in range(2):  # at once, and again when the rows are purged
        of_ray = ray.kim.see(f"/v1/police/participants/{ray.participant}")
        assert of_ray == NULL | {"own": rows}
        of_ray = ray.chen.see(f"/v1/prosecutor/participants/{office_id}")
        assert of_ray | {"own": []} == NULL | {"own": [], "notice": PART2_NOTICE}  # said of anyone, to any office
        assert own(ray.kim, "/v1/police/referrals") == referrals
        assert own(ray.ortiz, "/v1/police/referrals") == referrals
        assert own(ray.chen, "/v1/prosecutor/decisions") == decisions
        assert own(ray.chen, "/v1/prosecutor/notices") == notices
        assert own(ray.chen, "/v1/prosecutor/obligations") == obligations
        now = ray.chen.see("/v1/prosecutor/pending-cases")
        assert now["cases"] == [case | {"lead": None} for case in docket]
        assert now["statement"] == NULL["statement"]
        assert ray.chen.see("/v1/prosecutor/pending-cases?only=shared")["cases"] == []
        in_a_file = ray.chen.get("/v1/prosecutor/pending-cases.csv").text
        assert (in_a_file.count("26-1-0030"), in_a_file.count(",enrolled,")) == (3, 0)
        for sought in ("enrolled", "housing application", "Dana"):
            assert ray.chen.see("/v1/prosecutor/pending-cases", **searching(sought))["cases"] == []
        for partner, ids in ((ray.kim, (ray.participant,)), (ray.ortiz, (ray.participant,)), (ray.chen, (office_id,))):
            seen = everything(partner, lookups=(story.BY_NAME, story.BY_INCIDENT), ids=ids)
            assert not [word for word in DARK if word in seen.replace("Engaged with LEAD.", "")]
            assert "revo" not in seen
            assert "Patel" not in seen

        # Cursors and positions of before go on working, and tell nothing.
        following = ray.chen.see(f"/v1/prosecutor/pending-cases?limit=1&cursor={first['next']}")
        assert following["cases"] == [docket[1] | {"lead": None}]
        assert (ray.kim.position, ray.chen.position) == seen_at  # each question above waited for it

        # HousingCo stays; Ray stays enrolled, and on Dana's caseload.
        assert [raw(marta.get(path)) for path in hers] == marta_saw
        lead.settle()
    assert own(ray.dana, "/v1/case-manager/caseload") == caseload
    page = ray.dana.see(f"/v1/case-manager/participants/{ray.care}")
    assert page["enrolment"] == "enrolled"
    assert {r["party"]: r["labels"] for r in page["recipients"]} == {
        "city-pd": [],
        "county-pa": [],
        "housing-co": sorted([*story.HOUSING, "consent.scope"]),
    }
    assert [(r["word_of"], r["counsel"]) for r in (entry["body"] for entry in ray.history("roi.revoked"))] == [
        ("counsel", "R. Patel"),
        ("counsel", "R. Patel"),
    ]

    # Ray reads that it was taken back, and what had been shown until then: nothing can call that back.
    ray.dana.do(f"/v1/participants/{ray.care}/access", {"subject": "r.bell"})
    lead.settle()
    himself = lead.person("r.bell")
    assert himself.get("/v1/participant/history").text.count('"roi.revoked"') == 2
    mine = himself.see("/v1/me")["participant"]
    lines = himself.see(f"/v1/participants/{mine}/accounting")["disclosures"]
    shown = {(line["person"], line["surface"]) for line in lines if line["what"] == "disclosure"}
    assert ("Officer Kim", "police.participant") in shown
    assert ("Alex Chen", "liaison_prosecutor.pending_cases") in shown
    partners = ("City Police Department", "County Prosecuting Attorney")
    after = [line for line in lines if line["to"] in partners and line["at"] > "2026-04-08T21:03:07"]
    assert after == []

    # Until he signs again nothing can be shared with them; what is said and done meanwhile stays dark afterwards.
    ray.at("2026-04-20 10:00")
    to_police = {"party": "city-pd", "labels": ["iip.progress"], "text": "Moved in."}
    refused = ray.dana.post(f"/v1/participants/{ray.care}/shares", to_police)
    assert (refused.status_code, refused.json()["faults"][0]["field"]) == (422, "party")
    ray.dana.do(f"/v1/participants/{ray.care}/contacts", {"kind": "ride", "reached": True, "note": "April"})

    # 1 May: signed again, from 1 May. The office and the department see Ray; not the weeks between.
    ray.at("2026-05-01 09:00")
    again = [grant | {"covers_from": "2026-05-01T00:00:00-07:00"} for grant in story.grants()[:2]]
    again[0]["labels"] = again[1]["labels"] = [*story.POLICE, "contact.fact"]
    signed = ray.dana.do(
        f"/v1/participants/{ray.care}/roi",
        story.form(
            expires_on="2027-04-30", grants=[*again, story.grants()[2] | {"covers_from": "2026-03-15T16:40:00-07:00"}]
        ),
    )
    assert signed["roi"] != ray.roi
    ray.at("2026-05-02 09:00")
    ray.dana.do(f"/v1/participants/{ray.care}/contacts", {"kind": "ride", "reached": True, "note": "May"})
    lead.settle()
    for partner, path in (
        (ray.kim, f"/v1/police/participants/{ray.participant}"),
        (ray.chen, f"/v1/prosecutor/participants/{office_id}"),
    ):
        (shared,) = partner.see(path)["shared"]
        assert shared["enrolment"] == "enrolled"
        assert [told["occurred_at"][:7] for told in shared["told"]] == ["2026-05"]
    assert own(ray.kim, "/v1/police/referrals") == referrals
    assert len(marta.see(hers[0])["shared"][0]["told"]) == 3  # her share of March, and both rides


# The null view -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("party", ["transit-pd", "housing-co", "county-pa"])
def test_the_null_view_is_the_same_bytes(lead: SiteUnderTest, monkeypatch: pytest.MonkeyPatch, party: str) -> None:
    """Revoked, expired (before anyone wrote it down, and after), never enrolled, never existed, no id at all."""
    subject, path = {
        "transit-pd": ("webb", "/v1/police/participants/{}"),
        "housing-co": ("marta", "/v1/recipient/participants/{}"),
        "county-pa": ("chen", "/v1/prosecutor/participants/{}"),
    }[party]
    partner, kim, dana, pat = lead.person(subject), lead.person("kim"), lead.person("dana"), lead.person("pat")
    # The charges belong to another office, so that this one has no rows of its own.
    pat.do("/v1/register/parties", {"code": "city-attorney", "name": "City Attorney", "kind": "prosecutor"})
    theirs = lead.parts.site.directory.by_code(party, "party").id
    care = lead.parts.site.directory.by_code("lead-care", "party").id

    named: dict[UUID, dict[str, str]] = {}

    def referred(n: int) -> UUID:
        person = {"given": f"P{n}", "surname": "Quist", "birth_date": f"199{n}-01-01"}
        charge = {"code": "23C", "description": "S", "severity": "m", "prosecutor": "city-attorney"}
        kim.do(
            "/v1/referrals",
            {
                "door": "arrest_diversion",
                "person": person,
                "incident_number": f"2026-{n}",
                "place": "Pine",
                "facts": "Took a coat.",
                "charges": [charge],
            },
        )
        found = lead.parts.log.of_topics([ParticipantIdentified.topic])[-1].event.participant_id
        assert found is not None
        named[found] = {"given": f"P{n}", "birth_date": f"199{n}-01-01"}
        return found

    def sign(who: UUID, expires_on: str) -> str:
        labels = ["identity.legal", "enrolment.status", "contact.fact"]
        sealed = lead.parts.site.ids.seal(care, who)
        dana.do(f"/v1/participants/{sealed}/intake", {"narrative": "He wants a room."})
        grants = [{"party": party, "labels": labels, "purpose": "coordination"}]
        form = story.form(expires_on=expires_on, grants=grants, warned=["city-attorney"])
        roi: str = dana.do(f"/v1/participants/{sealed}/roi", form)["roi"]
        dana.do(f"/v1/participants/{sealed}/contacts", {"kind": "visit", "reached": True, "note": "Socks"})
        return roi

    def ask(who: UUID) -> Any:
        """Ask by id; police also by name and birth date."""
        answer = raw(partner.get(path.format(lead.parts.site.ids.seal(theirs, who))))
        if subject != "webb":
            return answer
        name = {"surname": "Quist"} | named.get(who, {"given": "Nobody", "birth_date": "1990-01-01"})
        signed = {"Authorization": f"Bearer {partner.token}"}
        found = raw(partner.client.post("/v1/police/lookups", json=name, headers=signed))
        assert (b"Quist" in found[2]) is (b"Quist" in answer[2])
        return answer if b"Quist" in answer[2] else (*answer, *found)

    revoked, expired, standing, never = (referred(n) for n in range(4))
    roi = sign(revoked, "2027-01-31")
    sign(expired, "2026-03-31")
    sign(standing, "2027-01-31")
    lead.settle()
    for who in (revoked, expired, standing):
        assert b"Quist" in ask(who)[2]
    nothing = ask(UUID(int=0x1234))
    assert nothing[0] == 200
    assert ask(never) == nothing

    # Revoked: at once, and once purged.
    body = {"word_of": "participant", "medium": "oral", "parties": [party]}
    dana.do(f"/v1/participants/{lead.parts.site.ids.seal(care, revoked)}/roi/{roi}/revocations", body)
    assert ask(revoked) == nothing
    lead.settle()
    assert ask(revoked) == nothing

    # Expired: from the last second of 31 March, whether or not anyone has written it down.
    lead.clock.at(local("2026-03-31 23:59:50"))
    assert b"Quist" in ask(expired)[2]
    with monkeypatch.context() as nobody_sweeps:
        nobody_sweeps.setattr("services.clocks.CLOCKS", {})
        lead.clock.at(local("2026-03-31 23:59:59"))
        assert ask(expired) == nothing
        assert lead.parts.log.of_topics([RoiExpired.topic]) == []
    lead.wait_for_clocks(readers=())
    assert ask(expired) == nothing
    lead.settle()
    assert ask(expired) == nothing
    assert b"Quist" in ask(standing)[2]

    # What is no id of the partner's at all, and what is another party's.
    for text in (
        "x",
        "0" * 26,
        "a" * 26,
        str(expired),
        lead.parts.site.ids.seal(care, standing),
        "%00",
        "%F0%9F%99%82",
        "' or 1=1 --",
        "a" * 5000,
    ):
        assert raw(partner.get(path.format(text))) == nothing[:3], text
