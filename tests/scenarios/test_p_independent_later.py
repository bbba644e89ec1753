"""Scenario P: three weeks after the prosecutor read a share, a shop reports a new theft by Ray, on camera."""

from __future__ import annotations

import pytest

from tests.scenarios import ray as story
from tests.scenarios.audit import audited, file, findings, observed
from tests.scenarios.eyes import everything
from tests.site import SiteUnderTest

pytestmark = pytest.mark.server


def test_independent_and_later(lead: SiteUnderTest) -> None:
    ray, pat = story.arrest(lead), lead.person("pat")
    story.enrol(ray)
    ray.at("2026-03-28 10:00")
    engaged = {"party": "county-pa", "labels": ["iip.progress"], "text": "Engaged; housing application filed."}
    ray.dana.do(f"/v1/participants/{ray.care}/shares", engaged)
    lead.settle()
    office_id = ray.offices_id()
    assert "Engaged" in str(ray.chen.see(f"/v1/prosecutor/participants/{office_id}"))

    # 18 April: the report. 20 April: charged and filed, with no delay and no question.
    ray.at("2026-04-20 10:00")
    case = file(
        ray.chen,
        office_id,
        "26-1-01200-1",
        incident_number="2026-52210",
        offense_on="2026-04-18",
        arrested_on="2026-04-19",
    )
    ray.kim.do(
        "/v1/bookings",
        {
            "participant": ray.participant,
            "booking_number": "226-0193",
            "facility": "County Jail",
            "source": "incident report",
            "source_number": "2026-52210",
            "source_on": "2026-04-18",
        },
    )
    audited(lead)
    assert [each["case_id"] for each in ray.chen.see("/v1/prosecutor/pending-cases")["cases"]] == [case]
    assert ray.chen.see("/v1/prosecutor/findings")["findings"] == []

    # The booking is the department's own.
    (own,) = ray.kim.see("/v1/police/bookings")["bookings"]
    assert (own["participant_id"], own["booking_number"], own["facility"]) == (
        ray.participant,
        "226-0193",
        "County Jail",
    )
    assert lead.person("webb").see("/v1/police/bookings")["bookings"] == []

    # Both are kept, and shown without alarm; the officer, who never asked about Ray, was shown nothing.
    booked, filed = findings(pat)
    assert (filed["action"], filed["verdict"], filed["alarm"]) == ("filing", "independent source, later", False)
    assert (booked["action"], booked["verdict"], booked["alarm"]) == ("booking", "no exposure", False)
    assert (booked["agency"], booked["person"]) == ("city-pd", "Officer Kim")
    assert findings(pat, "?alarms=true") == []
    assert {filed["unanswered_since"], booked["unanswered_since"]} == {None}
    assert not filed["pre_enrolment_incident"]

    # The defender's observer sees the same, by pseudonym, and has no alarm either.
    ames = lead.person("ames")
    assert [(f["action"], f["verdict"], f["alarm"]) for f in observed(ames)] == [
        ("booking", "no exposure", False),
        ("filing", "independent source, later", False),
    ]
    assert observed(ames, "?alarms=true") == []

    # Whoever compares the ceiling finds it kept: standard processing is no finding.
    ray.chen.do(f"/v1/cases/{case}/decisions", {"kind": "proceed as standard", "ceiling": "proceed as standard"})
    audited(lead)
    assert len(findings(pat)) == len(observed(ames)) == 2
    (decided,) = ames.see("/v1/defender/decisions")["decisions"]
    assert (decided["kind"], decided["ceiling"]) == ("proceed as standard", "proceed as standard")
    assert decided["pseudonym"] == observed(ames)[0]["participant"]
    assert "Bell" not in everything(ames)


def test_missed_diversions(lead: SiteUnderTest) -> None:
    """A divertible charge, an arrest, no offer: listed with its reason, and nobody in it."""
    kim, pat = lead.person("kim"), lead.person("pat")
    missed = {"code": "90J", "unit": "West 2nd watch", "precinct": "West", "race_as_perceived": "Black"}
    lead.clock.at(lead.parts.site.now())
    kim.do("/v1/arrests", missed | {"reason": "the officer's discretion"})
    kim.do("/v1/arrests", missed | {"code": "13A", "reason": "not stated"})  # aggravated assault: not divertible
    assert kim.post("/v1/arrests", missed | {"reason": "he was rude"}).status_code == 422
    assert kim.post("/v1/arrests", missed | {"reason": "not stated", "name": "Ray Bell"}).status_code == 422
    lead.settle()
    (listed,) = pat.see("/v1/program/missed-diversions")["missed_diversions"]
    assert listed.pop("arrested_at")
    assert listed == missed | {
        "reason": "the officer's discretion",
        "agency": "city-pd",
        "protocol_version": "P-1",
    }
    funnel = pat.see("/v1/program/funnel")
    assert (funnel["stops"], funnel["arrests"]) == (0, 0)
    assert kim.get("/v1/program/missed-diversions").status_code == 403
    # Whoever is offered diversion may decline (T:1101): apart from those, and nobody in it either.
    declined = missed | {"reason": "the person declined the offer"}
    kim.do("/v1/arrests", declined)
    assert kim.post("/v1/arrests", declined | {"name": "Ray Bell"}).status_code == 422
    lead.settle()
    for who, reader in ((pat, "program"), (lead.person("ames"), "defender")):
        (told,) = who.see(f"/v1/{reader}/offers-not-taken")["offers_not_taken"]
        assert told.pop("arrested_at")
        assert told == missed | {"agency": "city-pd", "protocol_version": "P-1"}
        assert len(who.see(f"/v1/{reader}/missed-diversions")["missed_diversions"]) == 1
    assert kim.get("/v1/program/offers-not-taken").status_code == 403
    (seen,) = lead.person("ames").see("/v1/defender/missed-diversions")["missed_diversions"]
    assert seen.pop("arrested_at")
    assert seen == listed
