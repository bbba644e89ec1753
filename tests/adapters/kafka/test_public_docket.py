"""A court whose docket is public record: by its stream everybody's is, and it tells nobody who is in LEAD."""

from __future__ import annotations

import json
import random
import re
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from adapters.postgres.migrate import admit
from adapters.secrets import Secrets
from domain.legal_case import legal_case
from services.ports import Keeping
from tests.adapters.kafka.test_cases import (
    BURGLARY,
    RAY,
    THEFT,
    Publisher,
    accept,
    accused,
    hearing,
    initiated,
    of,
    told_care,
    updated,
)
from tests.conftest import Database, _created
from tests.scenarios import ray as story
from tests.site import Person, SiteUnderTest, local, running_site

pytestmark = pytest.mark.server

COURT = "district-court"
CLEO = {
    "PersonName": {"PersonGivenName": "Cleo", "PersonSurName": "Vance"},
    "PersonBirthDate": {"Date": "1984-05-09"},
}
"""Nobody in LEAD; born on Ray's day, so that one lookup of each finds rows that must look alike."""
WIDENED, NARROWED = "2026-03-25", "2026-04-01"
BEFORE, DURING, AFTER = (datetime(2026, *day, 18, tzinfo=UTC) for day in ((3, 20), (3, 27), (4, 4)))


def adopt(lead: SiteUnderTest, version: str, effective_from: str, *courts: str) -> None:
    """Let the Policy Coordinating Group say whose dockets are public from a day on."""
    now = lead.parts.site.directory.version(story.P7).model_dump(mode="json")
    said = {"version": version, "effective_from": effective_from, "retroactive": False, "public_dockets": courts}
    lead.person("pat").do("/v1/register/protocols", {"protocol": now | said})


@pytest.fixture(scope="module")
def lead(server: str, template: str, secrets_and_prefix: tuple[Secrets, str]) -> Iterator[SiteUnderTest]:
    """A site at noon of 10 April: Ray is enrolled, and the court's docket was public for a week of March."""
    secrets, prefix = secrets_and_prefix
    with _created(server, template) as url:
        with psycopg.connect(url) as connection:
            admit(connection, prefix)
        with running_site(Database(url, secrets, prefix)) as running:
            story.enrol(story.arrest(running))
            running.clock.at(local("2026-03-24 12:00"))
            adopt(running, "P-8", WIDENED, COURT)
            adopt(running, "P-9", NARROWED)
            running.clock.at(local("2026-04-10 12:00"))
            yield running


@pytest.fixture
def court(lead: SiteUnderTest) -> Publisher:
    return Publisher(lead, COURT)


@pytest.fixture(scope="module")
def ray(lead: SiteUnderTest) -> story.Ray:
    dana = lead.person("dana")
    (carried,) = dana.see("/v1/case-manager/caseload?team=true")["participants"]
    kim, ortiz, chen = (lead.person(name) for name in ("kim", "ortiz", "chen"))
    return story.Ray(lead, kim, ortiz, dana, chen, care=carried["participant"])


def warrant(docket: str, number: str, person: dict[str, Any], **more: Any) -> dict[str, Any]:
    told = {
        "ActivityIdentification": {"IdentificationID": number},
        "WarrantCategoryCode": "bench",
        "CourtOrderIssuingDate": {"Date": "2023-09-12"},
    }
    return of(docket, person) | {"Warrant": told | more}


def ended(how: str) -> dict[str, Any]:
    return {"WarrantStatusCode": how, "WarrantStatusDate": {"Date": "2026-03-18"}}


def order(docket: str, kind: str, *people: dict[str, Any]) -> dict[str, Any]:
    made = {"CourtOrderCategoryCode": kind, "CourtOrderIssuingDate": {"Date": "2026-03-02"}}
    return of(docket, *people) | {"CourtOrder": made}


def sealed(docket: str) -> dict[str, Any]:
    return of(docket, SealedScopeCode="case") | {"CourtOrder": {"CourtOrderIssuingDate": {"Date": "2026-03-23"}}}


def listed(who: Person, path: str, key: str) -> list[dict[str, Any]]:
    """Return a whole list, page by page."""
    rows, cursor = list[dict[str, Any]](), ""
    while True:
        page = who.see(f"{path}?limit=100{cursor}")
        rows += page[key]
        if not page.get("next"):
            return rows
        cursor = f"&cursor={page['next']}"


def read(lead: SiteUnderTest, docket: str) -> list[str]:
    """Return what police, court and probation read of one docket, without ids, and without whose it is."""
    found: list[tuple[str, dict[str, Any]]] = []
    for name in ("judge", "brooks"):
        who = lead.person(name)
        for key in ("cases", "hearings", "warrants"):
            found += [(f"{name} {key}", row) for row in listed(who, f"/v1/court/{key}", key)]
    for name in ("kim", "webb"):
        who = lead.person(name)
        found += [(f"{name} warrants", row) for row in listed(who, "/v1/police/warrants", "warrants")]
        for given, surname in (("Ray", "Bell"), ("Cleo", "Vance")):
            asked = {"given": given, "surname": surname, "birth_date": "1984-05-09"}
            signed = {"Authorization": f"Bearer {who.token}"}
            answer = who.client.post("/v1/police/lookups", json=asked, headers=signed).json()
            found += [(f"{name} lookup", row) for row in answer["public_record"]]
    told = (f"{where} {json.dumps(row, sort_keys=True)}" for where, row in found if row["docket"] == docket)
    whose = re.compile(r"Ray Bell|Cleo Vance|(?<=W)[A-Z]")
    return sorted(whose.sub("WHO", re.sub(r'"[a-z2-7]{26}"', '"ID"', text)).replace(docket, "DOCKET") for text in told)


def test_of_a_public_docket_everybody_is_listed_and_the_office_and_police_read_it(
    court: Publisher, ray: story.Ray
) -> None:
    for docket, person in (("A900", RAY), ("B900", CLEO)):
        tally = court.tell(
            court.raw("case.initiated", initiated(docket, accused(person)), DURING),
            court.raw("case.hearing", hearing(docket, at="2026-04-20T09:00:00-07:00"), DURING),
            court.raw("case.order", order(docket, "release"), DURING),
            court.raw("case.order", warrant(docket, f"W{docket}", person), DURING),
        )
        assert tally.total() == 4
        assert set(tally) <= {"accepted", "early"}
    assert read(court.lead, "A900") == read(court.lead, "B900")
    assert len(read(court.lead, "B900")) == 2 * 3 + 2 * 3, "a case, a hearing, a warrant; a case and a warrant"
    assert court.feed.stream.kept() == []
    # Care reads Ray's, once it is known to be his; nobody else's view of it changes by that.
    accept(court.lead, ray)
    mine = [e["body"] for e in told_care(ray, kinds=("case.entered", "warrant.issued"))]
    assert "A900" in {body.get("docket") for body in mine}
    assert "B900" not in str(mine)
    assert read(court.lead, "A900") == read(court.lead, "B900")
    # It ends for both in the same way.
    for docket, person in (("A900", RAY), ("B900", CLEO)):
        court.told(
            "case.order", warrant(docket, f"W{docket}", person, **ended("recalled")), DURING + timedelta(hours=1)
        )
    assert read(court.lead, "A900") == read(court.lead, "B900")
    assert "recalled" in str(read(court.lead, "B900"))


def test_narrowed_what_is_public_goes_on_and_no_new_stranger_is_kept(court: Publisher, ray: story.Ray) -> None:
    for docket, person in (("N-1", RAY), ("N-2", CLEO)):
        court.told("case.initiated", initiated(docket, accused(person)), DURING)
        assert court.told("case.disposed", _dismissed(docket), AFTER) == Counter(accepted=1)
    assert "dismissed" in str(read(court.lead, "N-2"))
    assert read(court.lead, "N-1") == read(court.lead, "N-2") != []
    assert court.told("case.initiated", initiated("N-4", accused(CLEO)), AFTER) == Counter(unknown=1)
    assert court.told("case.initiated", initiated("N-3", accused(RAY)), AFTER) == Counter(accepted=1)
    assert read(court.lead, "N-3") == read(court.lead, "N-4") == [], "his is kept again for care alone"
    assert court.states("N-4") == []


def test_a_strangers_case_stays_until_the_court_takes_it_back(court: Publisher) -> None:
    lead = court.lead
    court.told("case.initiated", initiated("R-1", accused(CLEO)), DURING)
    court.told("case.order", warrant("R-1", "WR-1", CLEO), DURING)
    lead.clock.at(local("2026-09-01 12:00"))
    court.feed.sweep()
    lead.settle()
    assert len(read(lead, "R-1")) == 2 * 2 + 2 * 3, "no hours end what is public record"
    court.told("case.sealed", sealed("R-1"), datetime(2026, 9, 1, tzinfo=UTC))
    assert read(lead, "R-1") == []
    assert court.states("R-1") == []
    lead.clock.at(local("2026-04-10 12:00"))


def _dismissed(docket: str, *people: dict[str, Any]) -> dict[str, Any]:
    return of(docket, *people) | {
        "CaseDisposition": {"DispositionCode": "dismissed", "DispositionDate": {"Date": "2026-03-02"}}
    }


Telling = tuple[str, Callable[[str, dict[str, Any]], dict[str, Any]], dict[str, str]]
TELLINGS: list[Telling] = [
    ("initiated", lambda d, who: initiated(d, accused(who)), {}),
    ("initiated", lambda d, who: initiated(d, accused(who, THEFT, BURGLARY)), {}),
    ("updated", lambda d, who: updated(d, accused(who, BURGLARY)), {}),
    ("updated", lambda d, who: updated(f"{d}R", accused(who), CourtCaseFollowCaseIdentification=_id(d)), {}),
    ("hearing", lambda d, _: hearing(d, at="2026-04-20T09:00:00-07:00"), {}),
    ("hearing", lambda d, who: hearing(d, who, at="2026-04-27T09:00:00-07:00"), {}),
    ("hearing", lambda d, _: hearing(d, at="2026-04-27T09:00:00-07:00"), {"operation": "delete"}),
    ("order", lambda d, who: order(d, "release", who), {}),
    ("order", lambda d, _: order(d, "release"), {"operation": "delete"}),
    ("disposed", lambda d, _: _dismissed(d), {}),
    ("order", lambda d, who: warrant(d, f"W{d}", who), {}),
    ("order", lambda d, who: warrant(d, f"W{d}", who, **ended("recalled")), {}),
    ("order", lambda d, who: warrant(d, f"W{d}", who, **ended("quashed")), {}),
    ("order", lambda d, who: warrant(d, f"W{d}", who), {"operation": "delete"}),
    ("retracted", lambda d, _: of(d), {}),
    ("sealed", lambda d, _: sealed(d), {}),
]


def _id(number: str) -> dict[str, str]:
    return {"IdentificationID": number}


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.long) for seed in (1, 2))])
def test_whatever_a_court_tells_before_while_and_after_its_docket_is_public_says_nothing_of_lead(
    court: Publisher, seed: int
) -> None:
    """The same is told of Ray and of somebody who is not in LEAD; what anyone reads of the two is the same."""
    chance, dockets = random.Random(seed), [f"{seed}{n:02}" for n in range(12)]
    party = court.lead.parts.site.directory.party(court.party)
    for number in dockets:
        at = BEFORE
        while at < AFTER:
            kind, data, more = chance.choice((TELLINGS[0], *TELLINGS))
            for letter, who in (("A", RAY), ("B", CLEO)):
                court.feed.take(party, [court.raw(f"case.{kind}", data(f"{letter}{number}", who), at, **more)])
            at += timedelta(hours=chance.randrange(4, 60))
    court.feed.sweep()
    court.lead.settle()
    for number in dockets:
        for suffix in ("", "R"):
            assert read(court.lead, f"A{number}{suffix}") == read(court.lead, f"B{number}{suffix}"), number
    assert any(read(court.lead, f"B{number}") for number in dockets)
    asides = court.feed.stream.kept(Keeping.SET_ASIDE)
    assert len(asides) % 2 == 0, "nor is more set aside of the one than of the other"


def test_no_docket_becomes_public_before_tomorrow_and_only_a_courts(lead: SiteUnderTest) -> None:
    now = lead.parts.site.directory.version(story.P7).model_dump(mode="json")
    pat = lead.person("pat")
    for said, reason in (
        ({"effective_from": "2026-04-10", "public_dockets": [COURT]}, "no docket becomes public before tomorrow."),
        ({"effective_from": "2026-04-12", "public_dockets": ["city-pd"]}, "city-pd is no court."),
        ({"effective_from": "2026-04-12", "public_dockets": ["nowhere"]}, "no party here is called so."),
    ):
        refused = pat.post("/v1/register/protocols", {"protocol": now | {"version": "P-10"} | said})
        (fault,) = refused.json()["faults"]
        assert (fault["field"], fault["reason"]) == ("protocol.public_dockets", reason)


def test_the_clerk_enters_what_the_stream_told_of_a_public_docket_once(court: Publisher) -> None:
    court.told("case.initiated", initiated("K-1", accused(CLEO)), DURING)
    charges = [{"code": "23C", "description": "Shoplifting", "severity": "misdemeanor"}]
    defendant = {"given": "Cleo", "surname": "Vance", "birth_date": "1984-05-09"}
    by_hand = {"docket": "K-1", "defendant": defendant, "charges": charges, "filed_on": "2026-02-10"}
    assert court.lead.person("judge").post("/v1/court/cases", by_hand).status_code == 422
    (state,) = court.states("K-1")
    assert legal_case(court.lead.parts.log.load(state.id)) == state
    assert state.public


def test_whoever_was_erased_stands_on_the_docket_like_a_stranger(court: Publisher, ray: story.Ray) -> None:
    """The last test of the site: nothing can be recorded of Ray after it."""
    lead = court.lead
    for docket, person in (("A950", RAY), ("B950", CLEO)):
        court.told("case.initiated", initiated(docket, accused(person)), DURING)
    with psycopg.connect(lead.clock.owner_url) as owner:  # as an order to forget does
        who = lead.parts.site.ids.open(lead.parts.site.directory.by_code("lead-care", "party").id, ray.care)
        owner.execute("update log.key set wrapped = null, destroyed_at = now() where subject_id = %s", [who])
    for docket, person in (("A951", RAY), ("B951", CLEO)):
        court.told("case.initiated", initiated(docket, accused(person)), DURING)
        court.told("case.order", warrant(docket, f"W{docket}", person), DURING)
    assert read(lead, "A951") == read(lead, "B951") != []
    for docket in ("A950", "B950"):
        court.told("case.sealed", sealed(docket), AFTER)
    assert read(lead, "A950") == read(lead, "B950") == [], "an order that seals is carried out, whoever was erased"
    his = court.told("case.initiated", initiated("A952", accused(RAY)), AFTER)
    assert (his, court.states("A952")) == (Counter(accepted=1), []), (
        "but of a docket that is not public, nothing begins"
    )
