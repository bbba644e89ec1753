"""Every list is searched within one's own view, taken along as a file, and followed while it changes."""

from __future__ import annotations

import csv
import io
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import psycopg
import pytest

from adapters.http.listings import HEARTBEAT, SEARCH
from adapters.simulation.cast import STAFF
from domain.labels import Reader
from domain.registry import READER_OF
from services.questions import FIGURES, LISTINGS
from services.questions.figures import Figures
from services.questions.lines import cell, written
from services.questions.listing import Listing, _as_they_are, by_participant
from services.release import PART2_NOTICE
from tests.adapters.http.conftest import example, problem
from tests.conftest import Database
from tests.scenarios import ray as story
from tests.site import Person, SiteUnderTest, local, running_site, searching

server = pytest.mark.server
FOLLOWED: dict[str, Any] = {"updates_beat_seconds": 0.05, "updates_seconds_most": 120.0}
REFERRALS = "/v1/police/referrals"
READS: dict[Reader, str] = {READER_OF[role]: subject for _, _, role, subject in reversed(STAFF)} | {
    Reader.PARTICIPANT: "ray"
}
"""Who asks for a reader's lists."""


# What is written -----------------------------------------------------------------------------------------------------


def test_no_cell_is_a_formula() -> None:
    for text in ("=1+1", "+1", "-1", "@sum", "\tx", "\rx", "\nx"):
        assert next(csv.reader(io.StringIO(written([[text]]), newline=""))) == [f"'{text}"]
    assert written([["a=1", "206-555-0100", 'say "no"', "a,b", ""]]) == 'a=1,206-555-0100,"say ""no""","a,b",\r\n'


def test_cells_are_flat() -> None:
    item = {
        "charges": [{"charge": {"code": "90J", "severity": None}, "by": "x"}, {"code": "23C", "severity": "m"}],
        "scope": ["a", "b"],
        "lead": {"name": "Ray"},
        "seen": True,
        "none": None,
    }
    names = ("charges", "scope", "lead.name", "lead.call", "seen", "none", "absent.name")
    assert [cell(item, name) for name in names] == [
        "charge.code: 90J, charge.severity: , by: x; code: 23C, severity: m", "a; b", "Ray", "", "yes", "", "",
    ]  # fmt: skip


@pytest.mark.parametrize("listing", LISTINGS, ids=lambda listing: listing.path)
def test_a_list_that_shows_rows_in_its_own_way_names_its_columns(listing: Listing) -> None:
    assert listing.columns or listing.items in (_as_they_are, by_participant)
    assert len(set(listing.header)) == len(listing.header)
    assert listing.searched or listing.path == "privacy/participants"  # where no text is shown, no search finds any


# Over HTTP -----------------------------------------------------------------------------------------------------------


def lines(person: Person, path: str, **headers: str) -> tuple[list[str], list[dict[str, str]]]:
    """Return the header and the lines of a file, by column."""
    answer = person.get(path, **headers)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["cache-control"] == "private, no-store"
    assert answer.headers["content-disposition"].startswith('attachment; filename="')
    found = csv.DictReader(io.StringIO(answer.content.decode("utf-8"), newline=""))
    return list(found.fieldnames or ()), list(found)


@pytest.fixture(scope="module")
def crowd(lead: SiteUnderTest, ray: story.Ray) -> story.Ray:
    """Ray, a case of his and some of nobody, and what people write into free text."""
    for n, (surname, facts) in enumerate(
        [("López", "=cmd|' /C calc'!A0"), ("O'Neil", "100% sure"), ("Li_Wei", 'He said: "no", twice.\nThen left.')]
    ):
        charge = {"code": "23C", "description": "Shoplifting", "severity": "m", "prosecutor": "county-pa"}
        person = {"given": "Ana", "surname": surname, "birth_date": "1990-01-01"}
        sent = example("OfferDiversion", incident_number=f"S-{n}", person=person, charges=[charge], facts=facts)
        lead.person("kim").do("/v1/referrals", sent)
        if n == 0:
            lead.person("webb").do("/v1/referrals", sent)
    ray.dana.do(f"/v1/participants/{ray.care}/access", {"subject": "ray"})
    ray.chen.do("/v1/cases", example("FileCase", docket="26-0", participant=ray.offices_id()))
    ray.chen.do("/v1/cases", example("FileCase", docket="26-1"))
    for n in range(4):
        ray.chen.do("/v1/cases", example("FileCase", docket=f"27-x{n}"))
    lead.settle()
    return ray


def names(person: Person, text: str) -> list[str]:
    return [row["name"] for row in person.see(REFERRALS, **searching(text))["referrals"]]


@server
def test_a_search_stays_within_ones_own_view(lead: SiteUnderTest, crowd: story.Ray) -> None:
    kim, webb = lead.person("kim"), lead.person("webb")
    assert names(kim, "lópez") == names(kim, "LÓPEZ") == ["Ana López"]
    assert names(webb, "lópez") == ["Ana López"]
    assert names(webb, "O'Neil") == names(webb, "Bell") == []
    assert names(kim, "s-2") == ["Ana Li_Wei"]  # whatever text the list shows
    assert names(kim, "twice.\nThen") == ["Ana Li_Wei"]


@server
def test_a_search_has_no_wildcards(lead: SiteUnderTest, crowd: story.Ray) -> None:
    kim = lead.person("kim")
    assert names(kim, "%") == ["Ana O'Neil"]
    assert names(kim, "i_w") == ["Ana Li_Wei"]
    assert names(kim, "Ana_L") == names(kim, "A%l") == names(kim, "\\") == names(kim, "' or true --") == []


@server
def test_a_search_is_paged_by_its_own_cursor(lead: SiteUnderTest, crowd: story.Ray) -> None:
    kim = lead.person("kim")
    found, cursor = list[str](), ""
    while True:
        page = kim.see(f"{REFERRALS}?limit=1{cursor}", **searching("ana"))
        found += [row["name"] for row in page["referrals"]]
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"
    assert found == names(kim, "ana")
    assert len(found) == 3
    cursor = kim.see(f"{REFERRALS}?limit=1", **searching("ana"))["next"]
    assert kim.get(f"{REFERRALS}?cursor={cursor}", **searching("ana ")).status_code == 200  # trimmed
    for other in (searching("Ana"), {}):
        problem(kim.get(f"{REFERRALS}?cursor={cursor}", **other), 422, "refused", "cursor")


@server
@pytest.mark.parametrize("search", ["", "%20", "%00", "a%00b", "x" * 201, "%FF"])
def test_a_search_that_is_none(lead: SiteUnderTest, crowd: story.Ray, search: str) -> None:
    for how in ("", ".csv", "/updates"):
        problem(lead.person("kim").get(f"{REFERRALS}{how}", **{SEARCH: search}), 422, "invalid-input", SEARCH)


@server
def test_a_search_is_read_as_it_is_too(lead: SiteUnderTest, crowd: story.Ray) -> None:
    """A shell sends the letters of its own; a percent sign that encodes nothing is one."""
    for text in ("lópez".encode(), b"l%C3%B3pez", b"l\xc3\xb3pez"):
        signed = {b"Authorization": f"Bearer {lead.person('kim').token}".encode(), SEARCH.encode(): text}
        found = httpx.get(f"{lead.base_url}{REFERRALS}", headers=signed).json()
        assert [row["name"] for row in found["referrals"]] == ["Ana López"]
    assert [row["name"] for row in lead.person("kim").see(REFERRALS, **{SEARCH: "100% s"})["referrals"]] == [
        "Ana O'Neil"
    ]


@server
def test_a_search_looks_only_at_rows_that_row_security_lets_through(lead: SiteUnderTest) -> None:
    """PostgreSQL evaluates what is not leakproof after the policies; both functions of a search must stay so."""
    with psycopg.connect(lead.parts.database.url) as owner:
        found = owner.execute("select proname from pg_proc where proname in ('strpos', 'lower') and proleakproof")
        assert found.fetchall() == []


@server
def test_a_file_holds_the_whole_list(lead: SiteUnderTest, crowd: story.Ray) -> None:
    kim, chen = lead.person("kim"), crowd.chen
    header, rows = lines(kim, f"{REFERRALS}.csv")
    listed = kim.see(REFERRALS)["referrals"]
    assert set(header) == {name for row in listed for name in row}
    assert all(row["place"] for row in listed)  # where it happened: no coordinate of a list
    assert [row["referral_id"] for row in rows] == [row["referral_id"] for row in listed]
    assert {row["facts"] for row in rows} >= {"'=cmd|' /C calc'!A0", 'He said: "no", twice.\nThen left.'}
    assert all("charge.code: 23C, " in row["charges"] for row in rows if row["name"].startswith("Ana"))
    _, rows = lines(kim, f"{REFERRALS}.csv", **searching("lópez"))
    assert [row["name"] for row in rows] == ["Ana López"]
    _, rows = lines(chen, "/v1/prosecutor/pending-cases.csv", **searching("27-x"))
    assert len(rows) == 4  # more than a part holds


@server
def test_a_file_says_with_each_row_what_the_law_asks(lead: SiteUnderTest, crowd: story.Ray) -> None:
    header, rows = lines(crowd.chen, "/v1/prosecutor/pending-cases.csv")
    assert header[-1] == "statement"
    for row in rows:
        if row["docket"] == "26-0":
            assert row["lead.name"] == "Ray Bell"
            assert row["statement"]
        else:
            assert {value for name, value in row.items() if name.startswith("lead.")} == {""}
            assert row["statement"] == ""
    assert header == lines(crowd.chen, "/v1/prosecutor/pending-cases.csv", **searching("nothing"))[0]
    _, shared = lines(crowd.chen, "/v1/prosecutor/pending-cases.csv?only=shared")
    assert [row["docket"] for row in shared] == ["26-0"]
    _, notices = lines(crowd.chen, "/v1/prosecutor/notices.csv")
    assert {row["statement"] for row in notices} <= {PART2_NOTICE}


@server
@pytest.mark.parametrize("listing", LISTINGS, ids=lambda listing: listing.path)
def test_every_file_has_the_columns_of_its_list(lead: SiteUnderTest, crowd: story.Ray, listing: Listing) -> None:
    """Nothing that a page shows is missing in the file."""
    person = lead.person(READS[listing.reader])
    everybody = "?team=true" if listing.choice and listing.choice.name == "team" else ""
    page = person.see(f"/v1/{listing.path}{everybody}")
    header, _ = lines(person, f"/v1/{listing.path}.csv")
    assert tuple(header) == listing.header
    tops = {name.partition(".")[0] for name in header}
    assert {name for item in page[listing.key] for name in item} <= tops


@server
def test_a_file_is_accounted_for(lead: SiteUnderTest, crowd: story.Ray) -> None:
    before = crowd.dana.see(f"/v1/participants/{crowd.care}/accounting")["disclosures"]
    lines(crowd.chen, "/v1/prosecutor/pending-cases.csv")
    after = crowd.dana.see(f"/v1/participants/{crowd.care}/accounting")["disclosures"]
    (line,) = [each for each in after if each not in before and each["to"].startswith("County")]
    assert line["surface"] == "liaison_prosecutor.pending_cases.csv"


@server
def test_a_file_of_another_reader(lead: SiteUnderTest) -> None:
    ghost, kim, pat = map(lead.person, ("ghost", "kim", "pat"))
    asked: tuple[Listing | Figures, ...] = (*LISTINGS, *FIGURES)
    for each in asked:
        other = kim if each.reader is Reader.PROGRAM else pat
        for how in ("", ".csv", "/updates"):
            problem(ghost.get(f"/v1/{each.path}{how}"), 401, "not-signed-in")
            problem(other.get(f"/v1/{each.path}{how}"), 403, "not-your-command")


@server
@pytest.mark.parametrize("figures", FIGURES, ids=lambda figures: figures.path)
def test_a_file_of_figures_holds_each_of_them(lead: SiteUnderTest, crowd: story.Ray, figures: Figures) -> None:
    """Nothing that the answer shows is missing in the file: a line for each figure, or for each item of it."""
    pat = lead.person("pat")
    lead.person("noor").do("/v1/roster/cover", {"case_manager": "dana", "by": "luis", "last_on": "2026-12-01"})
    lead.settle()
    body = pat.see(f"/v1/{figures.path}")
    header, rows = lines(pat, f"/v1/{figures.path}.csv")
    assert tuple(header) == figures.header
    for name, found in body.items():
        items = found if isinstance(found, list) else [found if isinstance(found, dict) else {"value": found}]
        assert {column for item in items for column in item} <= set(header), name
        assert [{k: v for k, v in row.items() if v and k != "figure"} for row in rows if row["figure"] == name] == [
            {column: text for column in item if (text := cell(item, column))} for item in items
        ]


@server
def test_figures_for_a_spreadsheet(lead: SiteUnderTest, crowd: story.Ray) -> None:
    pat = lead.person("pat")
    _, rows = lines(pat, "/v1/program/capacity.csv")
    carried = {row["case_manager"]: row["carried"] for row in rows if row["figure"] == "case_managers"}
    assert carried["Dana Reyes"] == "1"
    assert [row["value"] for row in rows if row["figure"] == "waiting"] == ["0"]
    _, rows = lines(pat, "/v1/program/funnel.csv")
    (west,) = [row for row in rows if row["figure"] == "precinct" and row["precinct"] == "West"]
    assert (west["door"], west["enrolled"]) == ("arrest_diversion", "1")


# Followed ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def live(site_db: Database) -> Iterator[SiteUnderTest]:
    """A site where a list can be followed for a while."""
    with running_site(site_db, **FOLLOWED) as running:
        yield running


@contextmanager
def following(person: Person, path: str, **headers: str) -> Iterator[Iterator[bytes]]:
    """Follow a list; yields what comes, event by event."""
    with person.client.stream("GET", path, headers=person._signed() | headers) as answer:
        assert answer.status_code == 200, answer.read()
        assert answer.headers["content-type"].startswith("text/event-stream")
        yield events(answer)


def events(answer: httpx.Response) -> Iterator[bytes]:
    left = b""
    for some in answer.iter_raw():
        left += some
        while b"\n\n" in left:
            event, _, left = left.partition(b"\n\n")
            yield event + b"\n\n"


def next_page(coming: Iterator[bytes]) -> dict[str, Any]:
    """Return the next page, past heartbeats of one form."""
    for event in coming:
        if event != HEARTBEAT:
            kind, data = event.removesuffix(b"\n\n").split(b"\n")
            assert kind == b"event: page"
            found: dict[str, Any] = json.loads(data.removeprefix(b"data: "))
            return found
    raise AssertionError("it ended")


@server
def test_a_page_comes_when_it_has_changed(live: SiteUnderTest) -> None:
    kim, webb = live.person("kim"), live.person("webb")
    with following(kim, f"{REFERRALS}/updates?limit=1") as coming:
        assert next_page(coming) == {"referrals": [], "next": None}
        assert [next(coming) for _ in range(3)] == [HEARTBEAT] * 3
        webb.do("/v1/referrals", example("OfferDiversion", incident_number="T-1"))  # of another department
        live.settle()
        assert [next(coming) for _ in range(5)] == [HEARTBEAT] * 5
        kim.do("/v1/referrals", example("OfferDiversion", incident_number="K-1"))
        assert [row["incident_number"] for row in next_page(coming)["referrals"]] == ["K-1"]
        kim.do("/v1/referrals", example("OfferDiversion", incident_number="K-2"))
        page = next_page(coming)
        assert [row["incident_number"] for row in page["referrals"]] == ["K-2"]
        assert kim.see(f"{REFERRALS}?limit=1&cursor={page['next']}")["referrals"][0]["incident_number"] == "K-1"


@server
def test_what_a_list_is_searched_for_is_followed(live: SiteUnderTest) -> None:
    kim = live.person("kim")
    with following(kim, f"{REFERRALS}/updates", **searching("é-2")) as coming:
        assert next_page(coming)["referrals"] == []
        kim.do("/v1/referrals", example("OfferDiversion", incident_number="É-1"))
        live.settle()
        assert [next(coming) for _ in range(3)] == [HEARTBEAT] * 3
        kim.do("/v1/referrals", example("OfferDiversion", incident_number="É-2"))
        assert [row["incident_number"] for row in next_page(coming)["referrals"]] == ["É-2"]


@server
def test_a_revocation_is_followed_by_a_page_without(live: SiteUnderTest) -> None:
    ray = story.arrest(live)
    story.enrol(ray)
    ray.chen.do("/v1/cases", example("FileCase", docket="26-0", participant=ray.offices_id()))
    live.settle()
    with following(ray.chen, "/v1/prosecutor/pending-cases/updates") as coming:
        shown = next_page(coming)
        assert shown["cases"][0]["lead"]["name"] == "Ray Bell"
        live.person("noor").do(
            f"/v1/participants/{ray.care}/roi/{ray.roi}/revocations", {"word_of": "counsel", "medium": "oral"}
        )
        assert next_page(coming)["cases"][0]["lead"] is None
    with psycopg.connect(live.parts.database.url) as owner:
        count = "select count(*) from log.disclosure where surface = 'liaison_prosecutor.pending_cases.updates'"
        assert owner.execute(count).fetchone() == (1,), "heartbeats show nothing, and no row is written for them"


@server
def test_figures_come_when_they_have_changed(live: SiteUnderTest) -> None:
    ray, pat = story.arrest(live), live.person("pat")
    with following(pat, "/v1/program/capacity/updates") as coming:
        assert next_page(coming) == pat.see("/v1/program/capacity")
        assert [next(coming) for _ in range(3)] == [HEARTBEAT] * 3
        live.person("noor").do(f"/v1/participants/{ray.care}/assignment", {"case_manager": "luis"})
        live.settle()
        changed = next_page(coming)
    assert {row["case_manager"]: row["carried"] for row in changed["case_managers"]}["Luis Moreno"] == 1


@server
def test_cover_alarms_the_project_manager_anew_each_day(live: SiteUnderTest) -> None:
    ray, pat, noor = story.arrest(live), live.person("pat"), live.person("noor")
    ray.at("2026-03-09 09:00")
    with following(pat, "/v1/program/alarms/updates") as coming:
        assert next_page(coming) == {"alarms": []}
        noor.do("/v1/roster/cover", {"case_manager": "dana", "by": "luis", "last_on": "2026-03-10"})
        live.settle()
        days = [next_page(coming)["alarms"]]
        for day in ("2026-03-10 00:01", "2026-03-11 00:01"):
            live.clock.at(local(day))
            days.append(next_page(coming)["alarms"])
    assert [[(a["alarm"], a["case_manager"], a["covered_by"], a["day"]) for a in alarms] for alarms in days] == [
        [("cover", "Dana Reyes", "Luis Moreno", 1)],
        [("cover", "Dana Reyes", "Luis Moreno", 2)],
        [],
    ]


@server
def test_it_ends_with_the_authority(live: SiteUnderTest) -> None:
    kim, pat = live.person("kim"), live.person("pat")
    with following(kim, f"{REFERRALS}/updates") as coming:
        next_page(coming)
        pat.do("/v1/register/staff/endings", {"subject": "kim"})
        begun = time.monotonic()
        assert set(coming) <= {HEARTBEAT}
        assert time.monotonic() - begun < 30
    problem(kim.get(f"{REFERRALS}/updates"), 401, "not-signed-in")


@server
def test_it_ends_by_itself(lead: SiteUnderTest) -> None:
    with following(lead.person("dana"), "/v1/case-manager/caseload/updates") as coming:
        assert [*coming][1:] == [HEARTBEAT] * 2


@server
def test_nobody_follows_more_lists_than_the_site_lets_one_follow(live: SiteUnderTest) -> None:
    kim, ortiz, webb = live.person("kim"), live.person("ortiz"), live.person("webb")
    kim.client = httpx.Client(base_url=live.base_url, timeout=30, limits=httpx.Limits(max_connections=20))
    live.clients.append(kim.client)
    with following(kim, f"{REFERRALS}/updates") as first, following(kim, f"{REFERRALS}/updates"):
        with following(kim, f"{REFERRALS}/updates"), following(kim, f"{REFERRALS}/updates", **searching("x")):
            problem(kim.get(f"{REFERRALS}/updates"), 429, "too-many-streams")
            problem(kim.get("/v1/case-manager/caseload/updates"), 429, "too-many-streams")
            # Six by one reader's role: no connection is held between two beats.
            with following(ortiz, f"{REFERRALS}/updates") as other, following(webb, f"{REFERRALS}/updates"):
                next_page(other)
                for _ in range(5):
                    kim.see(REFERRALS)  # it would be `try-again`: a pool holds four
        next_page(first)
        end = time.monotonic() + 30
        while (answer := try_to_follow(kim)) == 429:  # those left are forgotten
            assert time.monotonic() < end
            time.sleep(0.05)
        assert answer == 200


def try_to_follow(person: Person) -> int:
    with person.client.stream("GET", f"{REFERRALS}/updates", headers=person._signed()) as answer:
        return answer.status_code
