"""Pages: complete, without duplicates while rows are added; a cursor is its owner's, for its list alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.adapters.http.conftest import example, problem
from tests.site import Person, SiteUnderTest

pytestmark = pytest.mark.server

ROWS, LIMIT = 25, 7


def pages(person: Person, path: str, name: str, *, between: Callable[[], None] = lambda: None) -> list[dict[str, Any]]:
    """Return the rows of all pages; something may happen between two."""
    rows: list[dict[str, Any]] = []
    cursor = ""
    while True:
        page = person.see(f"{path}{'&' if '?' in path else '?'}limit={LIMIT}{cursor}")
        assert len(page[name]) <= LIMIT
        rows += page[name]
        if page["next"] is None:
            return rows
        assert len(page[name]) == LIMIT
        cursor = f"&cursor={page['next']}"
        between()


@pytest.fixture(scope="module")
def full(lead: SiteUnderTest) -> SiteUnderTest:
    """A site with more of everything than fits a page: referrals of two departments, cases, decisions, grants."""
    kim, webb, chen, dana = (lead.person(who) for who in ("kim", "webb", "chen", "dana"))
    for n in range(ROWS):
        offer(kim, n)
        case = chen.do("/v1/cases", example("FileCase", docket=f"D-{n}", filed_on=f"2026-02-{1 + n % 9:02}"))["case"]
        chen.do(f"/v1/cases/{case}/decisions", example("DecideCase"))
        if n % 8 == 0:
            offer(webb, 1000 + n)
    lead.settle()
    for person in pages(dana, "/v1/case-manager/caseload?team=true", "participants"):
        grants = [{"party": "housing-co", "labels": ["identity.legal"], "purpose": "a room"}]
        roi = example("SignRoi", grants=grants, struck_out=[], warned=["county-pa"])
        dana.do(f"/v1/participants/{person['participant']}/roi", roi)
    lead.settle()
    return lead


def offer(officer: Person, n: int) -> None:
    charge = {"code": "23C", "description": "S", "severity": "m", "prosecutor": "county-pa"}
    person = {"given": f"P{n % 5}", "surname": "Quist", "birth_date": "1990-01-01"}  # names repeat
    officer.do("/v1/referrals", example("OfferDiversion", incident_number=f"I-{n}", person=person, charges=[charge]))


@pytest.mark.parametrize(
    ("subject", "path", "name", "key", "expected"),
    [
        ("kim", "/v1/police/referrals", "referrals", "referral_id", ROWS),
        ("webb", "/v1/police/referrals", "referrals", "referral_id", 4),
        ("chen", "/v1/prosecutor/pending-cases", "cases", "case_id", ROWS),
        ("chen", "/v1/prosecutor/decisions", "decisions", "decision_id", ROWS),
        ("chen", "/v1/prosecutor/notices", "notices", "notice_id", 0),
        ("dana", "/v1/case-manager/caseload?team=true", "participants", "participant", ROWS + 4),
        ("dana", "/v1/case-manager/caseload", "participants", "participant", 0),
        ("marta", "/v1/recipient/participants", "shared", "participant", ROWS + 4),
    ],
)
def test_pages_are_complete(full: SiteUnderTest, subject: str, path: str, name: str, key: str, expected: int) -> None:
    person = full.person(subject)
    rows = pages(person, path, name)
    assert len(rows) == expected
    assert len({row[key] for row in rows}) == expected
    whole = person.see(f"{path}{'&' if '?' in path else '?'}limit=200")
    assert whole[name] == rows
    assert whole["next"] is None


def test_rows_added_meanwhile(full: SiteUnderTest) -> None:
    """Newest first: what comes in while someone pages stands before the page that is read, and disturbs nothing."""
    kim = full.person("kim")
    before = {row["referral_id"] for row in pages(kim, "/v1/police/referrals", "referrals")}
    added = iter(range(2000, 3000))

    def more() -> None:
        offer(kim, next(added))
        full.settle()

    rows = [row["referral_id"] for row in pages(kim, "/v1/police/referrals", "referrals", between=more)]
    assert len(rows) == len(set(rows))
    assert set(rows) == before
    after = {row["referral_id"] for row in pages(kim, "/v1/police/referrals", "referrals")}
    assert len(after) == len(before) + next(added) - 2000


def test_a_cursor_is_its_owners_for_its_list(full: SiteUnderTest) -> None:
    chen, kim, ortiz = (full.person(who) for who in ("chen", "kim", "ortiz"))
    of_cases = chen.see(f"/v1/prosecutor/pending-cases?limit={LIMIT}")["next"]
    of_referrals = kim.see(f"/v1/police/referrals?limit={LIMIT}")["next"]
    assert kim.see(f"/v1/police/referrals?cursor={of_referrals}")["referrals"]
    broken = of_referrals[:-6] + ("AAAAAA" if not of_referrals.endswith("AAAAAA") else "BBBBBB")
    for person, path, cursor in (
        (ortiz, "/v1/police/referrals", of_referrals),  # of the same department
        (chen, "/v1/prosecutor/decisions", of_cases),
        (chen, "/v1/prosecutor/pending-cases", of_referrals),
        (kim, "/v1/police/referrals", broken),
        (kim, "/v1/police/referrals", of_referrals[:20]),
        (kim, "/v1/police/referrals", ""),
        (kim, "/v1/police/referrals", "é"),
        (kim, "/v1/police/referrals", "%00"),
    ):
        problem(person.get(f"{path}?cursor={cursor}"), 422, "refused", "cursor")


def test_cursors_tell_nothing_by_their_length(full: SiteUnderTest) -> None:
    """The last row of a page, and how many lie behind it, cannot be read off a cursor."""
    kim = full.person("kim")
    cursors = [kim.see(f"/v1/police/referrals?limit={n}")["next"] for n in range(1, 20)]
    assert len({len(cursor) for cursor in cursors}) == 1
    assert len(set(cursors)) == len(cursors)
