"""Who overrides an exclusion (T:393): by a rank that may, and also of what an officer only called in."""

from __future__ import annotations

from datetime import date

import pytest

from adapters.simulation.cast import protocol
from tests.scenarios import ray as story
from tests.scenarios.test_i_doors import faults
from tests.site import SiteUnderTest

pytestmark = pytest.mark.server

CALL = {
    "department": "city-pd",
    "officer": "Officer Kim",
    "incident_number": "2026-44902",
    "charges": [
        {
            "code": "90J",
            "description": "Trespass",
            "severity": "misdemeanor",
            "prosecutor": "county-pa",
            "exclusions": ["prior felony"],
        }
    ],
}


def test_where_commanders_alone_override_a_sergeant_does_not(lead: SiteUnderTest) -> None:
    ray = story.at_work(lead)
    commanders = protocol(date(2026, 1, 16)).model_copy(
        update={"version": "P-7c", "retroactive": True, "override_ranks": frozenset({"commander"})}
    )
    lead.person("pat").do("/v1/register/protocols", {"protocol": commanders.model_dump(mode="json")})
    story.offer(ray)
    override = {"charge": ray.charge, "exclusion": "prior felony", "rank": "sergeant", "reason": "it is old"}
    refused = faults(ray.ortiz.post(f"/v1/referrals/{ray.referral}/override", override))
    assert refused == [("rank", "sergeant may not override.")]


def test_what_was_called_in_with_an_exclusion_is_overridden_by_the_departments_own_id(lead: SiteUnderTest) -> None:
    ray = story.at_work(lead)
    called = ray.dana.do("/v1/referrals/by-telephone", CALL)
    lead.settle()
    (own,) = ray.ortiz.see("/v1/police/referrals")["referrals"]
    (charge,) = own["charges"]
    assert charge["charge_id"] not in called["charges"], "care's ids are not the department's"
    override = {"charge": charge["charge_id"], "exclusion": "prior felony", "rank": "sergeant", "reason": "it is old"}
    ray.ortiz.do(f"/v1/referrals/{own['referral_id']}/override", override)
    ray.dana.do(f"/v1/referrals/{called['referral']}/acceptance", {})
