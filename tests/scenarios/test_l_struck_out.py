"""Scenario L: Ray strikes out the office that holds his charge. It hears byte for byte what it hears in scenario C."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import count
from typing import Any
from uuid import UUID, uuid4, uuid5

import pytest

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
    lead.wait_for_clocks()
    heard = everything(ray.chen, ids=(ray.offices_id(),))
    heard = re.sub(r'"sent_at":"2026-02-14[^"]*"', "", heard)  # when the release was sent in, to the microsecond
    return heard, ray.chen.see("/v1/prosecutor/notices")["notices"]


def test_the_office_hears_what_it_hears_of_someone_who_never_came(new_site_db: Callable[[], Database]) -> None:
    with running_site(new_site_db()) as lapsed, running_site(new_site_db()) as struck:
        never_came, ray = arrested(lapsed), arrested(struck)

        # 10 March, on the second site: he enrols, and strikes the office out.
        ray.at("2026-03-10 09:00")
        ray.dana.do(f"/v1/participants/{ray.care}/intake", {"narrative": story.NARRATIVE})
        signs, form = f"/v1/participants/{ray.care}/roi", struck_out()
        ray.dana.do(f"/v1/participants/{ray.care}/access", {"subject": "r.bell"})
        ray.dana.do(f"/v1/participants/{ray.care}/counsel", AUTHORITY | {"expires_on": "2027-03-01"})

        # He is told in plain words what it will then not know, and offered `completed` alone. He refuses that too.
        told = ray.dana.post(signs, form)
        assert told.status_code == 422
        (warning,) = told.json()["faults"]
        assert warning["field"] == "warned"
        assert "County Prosecuting Attorney holds a charge" in warning["reason"]
        assert "may go on with the charge" in warning["reason"]
        assert "`completed` alone" in warning["way_out"]
        assert not ray.history("roi.signed"), "nothing is signed before he was told"
        ray.dana.do(signs, form | {"warned": ["county-pa"]})
        struck.settle()

        heard, notices = heard_at_the_end(ray)
        assert [n["code"] for n in notices] == ["no completion notice by deadline", "diversion pending"]
        assert (heard, notices[0]) == (heard_at_the_end(never_came)[0], heard_at_the_end(never_came)[1][0])

        # The latch stands, whoever hears of it; care and counsel have something to do about it.
        assert ray.history("charge.latched")
        assert not ray.history("deadline.passed")
        (task,) = ray.dana.see("/v1/case-manager/tasks")["tasks"]
        assert (task["kind"], task["incident_number"]) == ("charge latched, office not told", story.INCIDENT)
        assert struck.person("pat").see("/v1/program/deadlines")["deadlines"][0]["stands"] == "met"

        # Counsel has it by authority of the client's own: the latch, and that the office is given nothing.
        patel = struck.person("patel")
        (client,) = patel.see("/v1/counsel/participants")["clients"]
        (its_task,) = patel.see("/v1/counsel/tasks")["tasks"]
        assert (its_task["kind"], its_task["participant"]) == (task["kind"], client["participant"])
        page = patel.see(f"/v1/counsel/participants/{client['participant']}")
        (latched,) = [entry["body"] for entry in page["history"] if entry["kind"] == "charge.latched"]
        assert (latched["incident_number"], latched["charge"]["code"]) == (story.INCIDENT, "23C")
        assert "county-pa" not in {to["party"] for to in page["recipients"] if to["labels"]}
        own = struck.person("r.bell").see("/v1/participant/history")["history"]
        assert "charge.latched" in {entry["kind"] for entry in own}

        # Whose authority does not name the charge is told of no task about it.
        narrower = AUTHORITY | {"labels": ["identity.legal"], "expires_on": "2027-03-01"}
        ray.dana.do(f"/v1/participants/{ray.care}/counsel", narrower)
        struck.settle()
        assert patel.see("/v1/counsel/tasks")["tasks"] == []


def struck_out(**more: Any) -> dict[str, Any]:
    """Return the form on which the office is struck out."""
    form = story.form(grants=story.grants()[::2], struck_out=["county-pa"], expires_on="2027-03-01")
    return form | more


def test_completed_alone(lead: SiteUnderTest) -> None:
    """He lets the office hear `completed`, and nothing else: before he has, it hears what it hears of anyone."""
    ray = story.arrest(lead)
    office = f"/v1/prosecutor/participants/{ray.offices_id()}"
    signs = f"/v1/participants/{ray.care}/roi"
    before = everything(ray.chen, ids=(ray.offices_id(),))
    ray.at("2026-03-10 09:00")
    nothing = {"party": "county-pa", "labels": [], "purpose": "that the diversion is done"}
    for gives_nothing in (nothing, nothing | {"party": "city-pd", "notify_completion": True}):
        refused = ray.dana.post(
            signs, story.form(grants=[gives_nothing], expires_on="2027-03-01", warned=["county-pa"])
        )
        assert [fault["field"] for fault in refused.json()["faults"]] == ["grants[0].labels"]
    alone = nothing | {"notify_completion": True}
    ray.dana.do(signs, story.form(grants=[alone], expires_on="2027-03-01"))
    lead.settle()
    assert everything(ray.chen, ids=(ray.offices_id(),)) == before, "signed, not enrolled"

    ray.dana.do(f"/v1/participants/{ray.care}/intake", {"narrative": story.NARRATIVE})
    lead.settle()
    assert ray.chen.see("/v1/prosecutor/notices")["notices"][0]["code"] == "completed"
    assert ray.chen.see("/v1/prosecutor/obligations")["obligations"][0]["incident_number"] == story.INCIDENT
    (shared,) = ray.chen.see(office)["shared"]
    assert (shared.pop("scope"), shared.pop("purpose")) == (["consent.scope"], alone["purpose"])
    assert {name for name, value in shared.items() if value} == {"participant"}, "42 CFR 2.32: the scope, no more"
    assert ray.dana.see("/v1/case-manager/tasks")["tasks"] == []


def test_he_changes_his_mind_and_the_office_hears_it_then(lead: SiteUnderTest) -> None:
    ray = story.arrest(lead)
    ray.at("2026-03-10 09:00")
    ray.dana.do(f"/v1/participants/{ray.care}/intake", {"narrative": story.NARRATIVE})
    signs = f"/v1/participants/{ray.care}/roi"
    roi = ray.dana.do(signs, struck_out(warned=["county-pa"]))["roi"]
    amends = f"{signs}/{roi}/amendments"

    # An amendment warns of the offices that it names, and of no other.
    housing, office = story.grants()[2], story.grants()[1]
    ray.dana.do(amends, story.form(grants=[housing], expires_on="2027-03-01"))
    silent = story.form(grants=[office | {"notify_completion": False}], expires_on="2027-03-01")
    assert [fault["field"] for fault in ray.dana.post(amends, silent).json()["faults"]] == ["warned"]

    lead.settle()
    assert [task["kind"] for task in ray.dana.see("/v1/case-manager/tasks")["tasks"]] == [
        "charge latched, office not told"
    ]
    alone = office | {"labels": [], "notify_completion": True}
    ray.dana.do(amends, story.form(grants=[alone], expires_on="2027-03-01"))
    lead.settle()
    assert ray.chen.see("/v1/prosecutor/notices")["notices"][0]["code"] == "completed"
    assert ray.dana.see("/v1/case-manager/tasks")["tasks"] == []

    # Told once, there is nothing to warn of any more.
    ray.dana.do(signs, struck_out())
