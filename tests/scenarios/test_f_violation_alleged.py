"""Scenario F, of probation: what it alleges is joined with what it had been shown, and waits for nobody."""

from __future__ import annotations

import pytest

from tests.scenarios import ray as story
from tests.scenarios.audit import audited, findings, observed
from tests.scenarios.eyes import everything
from tests.site import SiteUnderTest

pytestmark = pytest.mark.server

ALLEGED = {"condition": "reporting", "violated_on": "2026-04-17"}


def test_what_probation_had_been_shown_stands_beside_what_it_alleges(lead: SiteUnderTest) -> None:
    ray, brooks, pat = story.arrest(lead), lead.person("brooks"), lead.person("pat")
    story.enrol(ray)
    ray.at("2026-03-28 10:00")
    grant = {"party": "probation", "labels": ["identity.legal", "iip.progress"], "purpose": "coordination"}
    ray.dana.do(f"/v1/participants/{ray.care}/roi/{ray.roi}/amendments", story.form(grants=[grant]))
    share = {"party": "probation", "labels": ["iip.progress"], "text": "Engaged; housing application filed."}
    ray.dana.do(f"/v1/participants/{ray.care}/shares", share)
    lead.settle()
    (shown,) = brooks.see("/v1/court/participants")["shared"]
    assert "Engaged" in str(brooks.see(f"/v1/court/participants/{shown['participant']}"))

    # It names nothing of its own, then a report of the day itself: both are taken at once.
    ray.at("2026-04-20 10:00")
    said = ALLEGED | {"participant": shown["participant"]}
    unnamed = said | {"report_number": "V-26-1", "source": "held by our office, not stated"}
    brooks.do("/v1/violations", unnamed)
    own_report = {"source": "other investigation", "source_number": "R-77", "source_on": "2026-04-17"}
    brooks.do("/v1/violations", said | own_report | {"report_number": "V-26-2"})
    again = brooks.post("/v1/violations", unnamed)
    assert again.json()["faults"][0]["reason"] == "your office has recorded it already."
    audited(lead)
    later, none_named = findings(pat)
    assert {each["action"] for each in (later, none_named)} == {"violation alleged"}
    assert (later["verdict"], none_named["verdict"]) == ("independent source, later", "exposed, none named")
    assert (none_named["agency"], none_named["person"]) == ("probation", "Officer Brooks")
    assert none_named["person_was_shown"]
    assert [each["verdict"] for each in findings(pat, "?alarms=true")] == ["exposed, none named"]
    assert [each["verdict"] for each in observed(lead.person("ames"), "?alarms=true")] == ["exposed, none named"]

    # Ray and care read it; police and the prosecutor do not, and nobody is asked but who reads the alarm.
    kinds = [entry["kind"] for entry in ray.dana.see(f"/v1/case-manager/participants/{ray.care}")["history"]]
    assert kinds.count("violation.alleged") == 2
    for other in (ray.kim, ray.chen, lead.person("judge")):
        assert "V-26" not in everything(other)
    assert ray.chen.see("/v1/prosecutor/findings")["findings"] == []

    # What it alleged is its own, whatever is revoked.
    revocations = f"/v1/participants/{ray.care}/roi/{ray.roi}/revocations"
    ray.dana.do(revocations, {"word_of": "participant", "medium": "oral"})
    lead.settle()
    assert brooks.see("/v1/court/participants")["shared"] == []
    own = brooks.see("/v1/court/violations")["violations"]
    assert [each["report_number"] for each in own] == ["V-26-2", "V-26-1"]
    page = brooks.see(f"/v1/court/participants/{shown['participant']}")
    assert (page["shared"], [each["record"] for each in page["own"]]) == ([], ["violation", "violation"])
