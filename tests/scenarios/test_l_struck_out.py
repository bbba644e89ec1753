"""Scenario L: Ray strikes out the office that holds his charge. It hears byte for byte what it hears in scenario C."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from itertools import count
from typing import Any
from uuid import UUID, uuid4, uuid5

import pytest

from domain.referral import NoticeCode, ProsecutorNotified
from tests.conftest import Database
from tests.scenarios import ray as story
from tests.scenarios.eyes import everything
from tests.scenarios.test_r_revoked_at_night import AUTHORITY
from tests.site import SiteUnderTest, local, running_site

pytestmark = pytest.mark.server


def arrested(lead: SiteUnderTest) -> story.Ray:
    """Play the night, its ids the same on every site, so that what an office hears can be compared."""
    ids = (uuid5(UUID(int=1), str(n)) for n in count())
    object.__setattr__(lead.parts.site, "new_id", lambda: next(ids))
    ray = story.arrest(lead)
    object.__setattr__(lead.parts.site, "new_id", uuid4)
    return ray


def heard_at_the_end(ray: story.Ray) -> tuple[str, list[dict[str, Any]]]:
    """Let 16 March end; return all that the office can get to hear, and its notices."""
    lead = ray.site
    lead.clock.at(local("2026-03-17 00:00"))
    end = time.monotonic() + 20
    while not any(told.event.code is NoticeCode.NO_COMPLETION for told in _notices(lead)):
        assert time.monotonic() < end, "the clock did not fire"
        time.sleep(0.02)
    lead.settle()
    heard = everything(ray.chen, ids=(ray.offices_id(),))
    heard = re.sub(r'"sent_at":"2026-02-14[^"]*"', "", heard)  # when the release was sent in, to the microsecond
    return heard, ray.chen.see("/v1/prosecutor/notices")["notices"]


def _notices(lead: SiteUnderTest) -> Any:
    return lead.parts.log.of_topics([ProsecutorNotified.topic])


def test_the_office_hears_what_it_hears_of_someone_who_never_came(new_site_db: Callable[[], Database]) -> None:
    with running_site(new_site_db()) as lapsed, running_site(new_site_db()) as struck:
        never_came, ray = arrested(lapsed), arrested(struck)

        # 10 March, on the second site: he enrols, strikes the office out, and will not have it told `completed`.
        ray.at("2026-03-10 09:00")
        ray.dana.do(f"/v1/participants/{ray.care}/intake", {"narrative": story.NARRATIVE})
        form = story.form(grants=story.grants()[::2], struck_out=["county-pa"], expires_on="2027-03-01")
        ray.dana.do(f"/v1/participants/{ray.care}/roi", form)
        ray.dana.do(f"/v1/participants/{ray.care}/counsel", AUTHORITY | {"expires_on": "2027-03-01"})
        struck.settle()

        heard, notices = heard_at_the_end(ray)
        assert [n["code"] for n in notices] == ["no completion notice by deadline", "diversion pending"]
        assert (heard, notices[0]) == (heard_at_the_end(never_came)[0], heard_at_the_end(never_came)[1][0])

        # The latch stands, whoever hears of it; care has something to do about it.
        assert ray.history("charge.latched")
        assert not ray.history("deadline.passed")
        (task,) = ray.dana.see("/v1/case-manager/tasks")["tasks"]
        assert (task["kind"], task["incident_number"]) == ("charge latched, office not told", story.INCIDENT)
        assert struck.person("pat").see("/v1/program/deadlines")["deadlines"][0]["stands"] == "met"

        # Counsel has it by authority of the client's own: the latch, and that the office is given nothing.
        patel = struck.person("patel")
        (client,) = patel.see("/v1/counsel/participants")["clients"]
        page = patel.see(f"/v1/counsel/participants/{client['participant']}")
        (latched,) = [entry["body"] for entry in page["history"] if entry["kind"] == "charge.latched"]
        assert (latched["incident_number"], latched["charge"]["code"]) == (story.INCIDENT, "23C")
        assert "county-pa" not in {to["party"] for to in page["recipients"] if to["labels"]}
