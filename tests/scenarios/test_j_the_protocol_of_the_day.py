"""Scenario J's eve: what happened under one version is decided by that version, whenever it is written down."""

from __future__ import annotations

from datetime import date

import pytest

from adapters.simulation.cast import protocol
from domain.door import CommunityReferred
from domain.stop_record import ArrestRecorded
from tests.scenarios import ray as story
from tests.scenarios.test_i_doors import CALL, DOORWAY, faults
from tests.site import SiteUnderTest

pytestmark = pytest.mark.server

BEFORE_MIDNIGHT = "2026-03-31T23:50:00-07:00"


def test_what_was_offered_before_midnight_keeps_the_version_of_that_day(lead: SiteUnderTest) -> None:
    ray = story.at_work(lead)
    ray.at("2026-03-20 09:00")
    eighth = protocol(date(2026, 4, 1))
    later = {"version": "P-8", "intake_days": eighth.intake_days // 2, "divertible": eighth.divertible | {"99Z"}}
    eighth = eighth.model_copy(update=later)
    lead.person("pat").do("/v1/register/protocols", {"protocol": eighth.model_dump(mode="json")})

    ray.at("2026-04-01 09:00")
    called = ray.dana.do("/v1/referrals/by-telephone", CALL | {"offered_at": BEFORE_MIDNIGHT})
    charge = {"code": "99Z", "description": "New", "severity": "misdemeanor", "prosecutor": "county-pa"}
    sent = {"door": "arrest_diversion", "person": story.RAY, "incident_number": "2026-9", "place": "x", "facts": "x"}
    too_early = ray.kim.post("/v1/referrals", sent | {"offered_at": BEFORE_MIDNIGHT, "charges": [charge]})
    assert faults(too_early) == [("charges[0].code", "99Z is not divertible under P-7.")]
    ray.kim.do("/v1/referrals", sent | {"charges": [charge]})
    lead.person("marta").do("/v1/referrals/without-arrest", DOORWAY | {"referred_at": BEFORE_MIDNIGHT})
    (told,) = [r.event for r in lead.parts.log.of_topics([CommunityReferred.topic])]
    assert isinstance(told, CommunityReferred)
    assert told.protocol_version == story.P7

    # It is released in April, and runs the days of March.
    ray.dana.do(f"/v1/referrals/{called['referral']}/acceptance", {})
    lead.settle()
    own = ray.kim.see("/v1/police/referrals")["referrals"]
    theirs = next(each["referral_id"] for each in own if each["called_in_by"])
    ray.kim.do(f"/v1/referrals/{theirs}/release", {"in_presence_of_codefendants": False})
    lead.settle()
    assert ray.dana.see(f"/v1/case-manager/participants/{called['participant']}")["intake_due_on"] == "2026-05-01"


def test_an_arrest_is_missed_only_if_its_charge_could_be_diverted_then(lead: SiteUnderTest) -> None:
    ray = story.at_work(lead)
    ray.at("2026-03-20 09:00")
    eighth = protocol(date(2026, 4, 1))
    eighth = eighth.model_copy(update={"version": "P-8", "divertible": eighth.divertible | {"99Z"}})
    lead.person("pat").do("/v1/register/protocols", {"protocol": eighth.model_dump(mode="json")})
    ray.at("2026-04-01 09:00")
    arrest = {"code": "99Z", "reason": "not stated"}
    for told in (arrest | {"arrested_at": BEFORE_MIDNIGHT}, arrest):
        ray.kim.do("/v1/arrests", told)
    recorded = [r.event for r in lead.parts.log.of_topics([ArrestRecorded.topic])]
    said = [(e.divertible, e.protocol_version) for e in recorded if isinstance(e, ArrestRecorded)]
    assert said == [(False, story.P7), (True, "P-8")]
    before_any = ray.kim.post("/v1/arrests", arrest | {"arrested_at": "2019-01-01T00:00:00Z"})
    assert faults(before_any) == [("arrested_at", "no protocol was in force then.")]
