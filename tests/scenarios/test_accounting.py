"""The accounting of disclosures: what each law's holds, as far back as it reaches; to print and to take along."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest

from services.release import PART2_NOTICE
from tests.scenarios import ray as story
from tests.scenarios.test_r_revoked_at_night import AUTHORITY
from tests.site import Person, SiteUnderTest

pytestmark = pytest.mark.server

Accounting = tuple[Person, str]


@pytest.fixture
def ray(lead: SiteUnderTest) -> story.Ray:
    """Ray, enrolled and able to sign in, of whom the department was shown something, and the office was told."""
    ray = story.arrest(lead)
    story.enrol(ray)
    ray.dana.do(f"/v1/participants/{ray.care}/counsel", AUTHORITY)
    ray.dana.do(f"/v1/participants/{ray.care}/access", {"subject": "r.bell"})
    told = {"party": "county-pa", "labels": ["case_manager.contact"], "occasion": "phone", "person": "Alex Chen"}
    ray.dana.do(f"/v1/participants/{ray.care}/oral-disclosures", told)
    lead.settle()
    assert ray.kim.see(f"/v1/police/participants/{ray.participant}")["shared"]
    lead.person("ames").see("/v1/defender/diversions")
    return ray


def himself(ray: story.Ray) -> Accounting:
    person = ray.site.person("r.bell")
    return person, f"/v1/participants/{person.see('/v1/me')['participant']}/accounting"


def lines(accounting: Accounting, how: str = "") -> list[dict[str, Any]]:
    person, path = accounting
    found: list[dict[str, Any]] = person.see(f"{path}{how}")["disclosures"]
    return found


def test_each_law_has_an_accounting_of_its_own(ray: story.Ray) -> None:
    accounting = himself(ray)
    everything, part2, hipaa = (lines(accounting, how) for how in ("", "?regime=part2", "?regime=hipaa"))
    assert {"disclosure", "access", "notice", "by word of mouth"} <= {line["what"] for line in everything}

    # Part 2: what was shown of its records with his consent, and nothing that LEAD read itself.
    assert "City Police Department" in {line["to"] for line in part2}
    assert all(line["notice"] == PART2_NOTICE for line in part2)
    assert all(line["grants"] for line in part2)
    assert {line["what"] for line in part2} == {"disclosure", "notice"}  # that he completed intake, by his signature

    # HIPAA leaves out what he signed for, and what LEAD's own people read; not who reads by role from outside.
    assert {"notice", "by word of mouth"} <= {line["what"] for line in hipaa}
    assert not any(line.get("grants") for line in hipaa)
    observed = {line["to"] for line in hipaa if line["what"] == "access"}
    assert observed == {line["to"] for line in everything if line.get("surface") == "observer.diversions"} != set()

    # What one filter leaves out is there without it.
    again = lines(accounting)
    assert [line for line in again if line in everything] == everything


def test_a_law_reaches_as_far_back_as_it_says_and_nothing_is_lost(ray: story.Ray) -> None:
    accounting = himself(ray)
    before = lines(accounting)
    ray.at("2029-03-20 12:00")
    later = lines(accounting)
    assert [line for line in later if line in before] == before
    assert not [line for line in lines(accounting, "?regime=part2") if line in before]
    assert [line for line in lines(accounting, "?regime=hipaa") if line["what"] == "by word of mouth"]
    ray.at("2032-03-20 12:00")
    assert not [line for line in lines(accounting, "?regime=hipaa") if line["what"] == "by word of mouth"]
    assert [line for line in lines(accounting) if line["what"] == "by word of mouth"]


def test_days_are_the_sites_and_both_included(ray: story.Ray) -> None:
    accounting = himself(ray)
    of_february = lines(accounting, "?since=2026-02-14&until=2026-02-14")
    assert of_february
    assert all("2026-02-14T08" <= line["at"] < "2026-02-15T08" for line in of_february)
    assert not lines(accounting, "?until=2026-02-13")
    person, path = accounting
    wrong = person.get(f"{path}?since=2026-03-02&until=2026-03-01")
    assert wrong.status_code == 422
    assert wrong.json()["faults"][0]["field"] == "until"


def test_it_is_taken_along_and_printed_and_that_is_recorded(ray: story.Ray) -> None:
    person, path = accounting = himself(ray)
    whole = lines(accounting)
    filed = [*csv.DictReader(io.StringIO(person.get(f"{path}.csv").text))]
    assert [(line["at"], line["to"], line["purpose"]) for line in filed[: len(whole)]] == [
        (line["at"], line["to"], line["purpose"]) for line in whole
    ]
    printed = person.get(f"{path}.html?regime=part2")
    assert printed.headers["content-type"].startswith("text/html")
    for said in ("City Police Department", "Officer Kim", PART2_NOTICE, "regime part2", "privacy officer", "Secretary"):
        assert said in printed.text, said
    assert "<script" not in printed.text
    assert {"accounting", "accounting.csv", "accounting.html"} <= {line.get("surface") for line in lines(accounting)}
