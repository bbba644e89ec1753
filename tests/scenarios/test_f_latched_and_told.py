"""Scenario F, its other filings: of a charge that will not be filed, and of what the office knows from LEAD alone."""

from __future__ import annotations

import pytest

from tests.scenarios import ray as story
from tests.scenarios.audit import audited, file, findings, observed
from tests.scenarios.eyes import everything
from tests.scenarios.test_f_findings import spring
from tests.scenarios.test_records import MATE
from tests.site import SiteUnderTest

pytestmark = pytest.mark.server

LATCHED = "Your office was told that this charge will not be filed. On which source of its own does this rest?"
SAID = {"labels": ["contact.location"], "occasion": "phone"}
OFFER = {
    "door": "arrest_diversion",
    "person": MATE,
    "incident_number": "2026-60000",
    "place": "Pine St",
    "facts": "Trespass.",
    "charges": [{"code": "90J", "description": "Trespass", "severity": "misdemeanor", "prosecutor": "county-pa"}],
}


def filed_again(ray: story.Ray) -> list[str]:
    """File Ray's diverted charge twice, dated before the day of the intake was over; once without LEAD's id."""
    ray.at("2026-03-20 09:00")
    of_it = {"incident_number": story.INCIDENT, "offense_on": "2026-02-14", "filed_on": "2026-03-01"}
    return [
        file(ray.chen, ray.offices_id(), "26-1-00317-9", **of_it),
        file(ray.chen, None, "26-1-00318-7", **of_it),
    ]


def test_a_charge_that_will_not_be_filed_is_filed(lead: SiteUnderTest) -> None:
    """Told `completed`, the office files: project manager and observer are alarmed, it is asked, and goes on."""
    ray, pat, ames = story.arrest(lead), lead.person("pat"), lead.person("ames")
    story.enrol(ray)
    cases = filed_again(ray)
    file(ray.chen, None, "26-1-00319-5", incident_number="2026-99999", filed_on="2026-03-01")  # nothing of LEAD's
    audited(lead)
    for reader in (findings(pat, "?alarms=true"), observed(ames, "?alarms=true")):
        assert [(f["action"], f["latched_charge"], f["verdict"]) for f in reader] == [
            ("filing", True, "no exposure")
        ] * 2
        assert len({f["participant"] for f in reader}) == 1, "whose notice had the incident's number is who it is about"
        assert all(f["unanswered_since"] for f in reader)
    assert len(findings(pat)) == 2
    asked = ray.chen.see("/v1/prosecutor/findings")["findings"]
    assert {(a["case_id"], a["question"]) for a in asked} == {(case, LATCHED) for case in cases}
    assert [t["kind"] for t in ray.dana.see("/v1/case-manager/tasks")["tasks"]] == ["latched charge filed"]
    ray.chen.do(f"/v1/cases/{cases[0]}/decisions", {"kind": "proceed as standard"})

    # Answered, it is answered; that the charge was latched does not change.
    for each in asked:
        ray.chen.do(f"/v1/findings/{each['finding_id']}/answers", {"source": "held by our office, not stated"})
    audited(lead)
    assert [(f["alarm"], f["unanswered_since"]) for f in findings(pat, "?alarms=true")] == [(True, None)] * 2
    seen = everything(ray.kim, lookups=(story.BY_NAME, story.BY_INCIDENT), ids=(ray.participant,))
    assert "26-1-0031" not in seen
    assert not [word for word in ("Bell", story.INCIDENT, "26-1-0031") if word in everything(ames)]


def test_a_case_from_before_the_offices_first_notice_is_joined_once_it_comes(lead: SiteUnderTest) -> None:
    """It names nobody, and nobody could have: the officer's file was on the desk before LEAD had accepted."""
    pat, ames = lead.person("pat"), lead.person("ames")
    of_it = {"incident_number": story.INCIDENT, "offense_on": "2026-02-14", "filed_on": "2026-02-14"}
    file(lead.person("chen"), None, "26-1-00320-9", **of_it)
    audited(lead)
    assert findings(pat) == []
    ray = story.arrest(lead)
    story.enrol(ray)
    audited(lead)
    for reader in (findings(pat, "?alarms=true"), observed(ames, "?alarms=true")):
        assert [(f["action"], f["latched_charge"], f["verdict"]) for f in reader] == [("filing", True, "no exposure")]
    assert ray.chen.see("/v1/prosecutor/findings")["findings"] == [], "it had been told of nothing when it filed"


def test_an_office_that_was_not_told_is_asked_nothing(lead: SiteUnderTest) -> None:
    """Struck out, it files the same: the alarm is the same, and a question would betray the latch."""
    ray, pat, ames = story.arrest(lead), lead.person("pat"), lead.person("ames")
    ray.at("2026-03-10 09:00")
    ray.dana.do(f"/v1/participants/{ray.care}/intake", {"narrative": story.NARRATIVE})
    struck = story.form(
        grants=story.grants()[::2], struck_out=["county-pa"], warned=["county-pa"], expires_on="2027-03-01"
    )
    ray.dana.do(f"/v1/participants/{ray.care}/roi", struck)
    filed_again(ray)
    lead.wait_for_clocks()
    before = everything(ray.chen, ids=(ray.offices_id(),))
    audited(lead)
    for reader in (findings(pat, "?alarms=true"), observed(ames, "?alarms=true")):
        assert [(f["latched_charge"], f["unanswered_since"]) for f in reader] == [(True, None)] * 2
    assert everything(ray.chen, ids=(ray.offices_id(),)) == before
    assert ray.chen.see("/v1/prosecutor/findings")["findings"] == []


def test_a_filing_that_cites_what_a_share_alone_told(lead: SiteUnderTest) -> None:
    """The variant: it names a report, and cites the place that Ray had signed for as one sentence."""
    ray, pat = spring(lead), lead.person("pat")
    case = file(
        ray.chen,
        ray.offices_id(),
        "26-1-00999-1",
        incident_number="2026-52210",
        offense_on="2026-04-18",
        cites_share=True,
    )
    motion = {
        "kind": "detention motion",
        "source": "court record",
        "source_number": "26-1-1",
        "source_on": "2026-02-02",
    }
    ray.chen.do(f"/v1/cases/{case}/decisions", motion | {"cites_share": True})
    ray.chen.do(f"/v1/cases/{case}/decisions", motion)
    robbery = {"code": "120", "description": "Robbery", "severity": "felony A"}
    ray.chen.do(f"/v1/cases/{case}/updates", {"charges": [robbery]})
    warrant = {"kind": "arrest", "court": "Superior Court", "issued_on": "2026-04-20", "defendant": story.RAY}
    ray.chen.do("/v1/warrants", warrant | {"number": "W-11", "participant": ray.offices_id()})
    audited(lead)
    assert {(f["action"], f["verdict"], f["alarm"]) for f in findings(pat)} == {
        ("filing", "exposed, none named", True),
        ("detention motion", "exposed, none named", True),
        ("detention motion", "independent source, earlier", False),
        ("charge raised", "exposed, none named", True),
        ("warrant sought", "exposed, none named", True),
    }
    (filing,) = [f for f in observed(lead.person("ames")) if f["action"] == "filing"]
    assert filing["source"] == {"kind": "incident report", "on": "2026-04-18", "cites_share": True}
    assert len(ray.chen.see("/v1/prosecutor/findings")["findings"]) == 4
    assert [c["case_id"] for c in ray.chen.see("/v1/prosecutor/pending-cases")["cases"]] == [case]


def test_what_was_told_by_telephone_and_what_another_record_of_him_showed(lead: SiteUnderTest) -> None:
    ray, pat, noor = story.arrest(lead), lead.person("pat"), lead.person("noor")
    story.enrol(ray)
    for name in ("Jo Park", "Ines Ruiz", "Lee Moss"):
        pat.do(
            "/v1/register/staff",
            {"party": "county-pa", "name": name, "role": "liaison_prosecutor", "subject": name.split()[1].lower()},
        )
    park, ruiz, moss = (lead.person(subject) for subject in ("park", "ruiz", "moss"))

    # Park is told where Ray is. Ruiz reads of him under the name that he gave another officer.
    ray.dana.do(f"/v1/participants/{ray.care}/oral-disclosures", SAID | {"party": "county-pa", "person": "jo park"})
    offered = ray.kim.do("/v1/referrals", OFFER)
    lead.settle()
    team = ray.dana.see("/v1/case-manager/caseload?team=true")["participants"]
    away = next(one["participant"] for one in team if one["name"] == "Sunny Bell")
    history = ray.dana.see(f"/v1/case-manager/participants/{away}")["history"]
    referral = next(entry["stream_id"] for entry in history if entry["kind"] == "referral.offered")
    ray.dana.do(f"/v1/referrals/{referral}/acceptance", {})
    ray.kim.do(f"/v1/referrals/{offered['referral']}/release", {"in_presence_of_codefendants": False})
    ray.dana.do(f"/v1/participants/{away}/roi", story.form(grants=story.grants()[1:2]))
    lead.settle()
    (sunny,) = [n for n in ruiz.see("/v1/prosecutor/notices")["notices"] if n["incident_number"] == "2026-60000"]
    assert ruiz.see(f"/v1/prosecutor/participants/{sunny['participant_id']}")["shared"]
    noor.do(f"/v1/participants/{ray.care}/merges", {"other": away, "why": "He gave his brother's name."})

    ray.at("2026-04-20 10:00")
    for n, person in enumerate((park, ruiz, moss)):
        file(person, ray.offices_id(), f"26-1-0100{n}-1")
    audited(lead)
    found = {f["person"]: f for f in findings(pat)}
    assert {name: f["verdict"] for name, f in found.items()} == {
        "Jo Park": "exposed, none named",
        "Ines Ruiz": "exposed, none named",
        "Lee Moss": "no exposure",
    }
    (told,) = found["Jo Park"]["person_was_shown"]
    assert (told["surface"], told["labels"], told["shown_on"]) == ("told: phone", ["contact.location"], "2026-03-18")
    assert {line["surface"] for line in found["Lee Moss"]["agency_was_shown"]} == {
        "told: phone",
        "liaison_prosecutor.participant",
    }
