"""Two clerks at one record: a warrant ends once, a case ends once, and no hearing is both moved and over."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from domain.hearing import HearingEnded, HearingMoved
from domain.legal_case import CaseDisposed
from domain.warrant import WarrantEnded
from tests.adapters.http.conftest import example
from tests.conftest import Database
from tests.site import Person, SiteUnderTest, local, running_site

pytestmark = pytest.mark.server

CLERKS = 6


@pytest.fixture
def site(site_db: Database) -> Iterator[SiteUnderTest]:
    with running_site(site_db, begin="2026-04-21 10:00") as running:
        yield running


def at_once(site: SiteUnderTest, send: Callable[[Person, int], int]) -> list[int]:
    """Let the clerks of one court send at the same moment; return their answers' statuses, in order."""
    together = Barrier(CLERKS)

    def one(n: int) -> int:
        clerk = site.person("judge")
        together.wait()
        return send(clerk, n)

    with ThreadPoolExecutor(CLERKS) as pool:
        return sorted(pool.map(one, range(CLERKS)))


def test_what_ends_ends_once(site: SiteUnderTest) -> None:
    judge = site.person("judge")
    case = judge.do("/v1/court/cases", example("EnterCase"))["case"]
    warrant = judge.do("/v1/warrants", example("RecordWarrant"))["warrant"]
    outcomes = ("quashed", "recalled", "served")

    def end_warrant(clerk: Person, n: int) -> int:
        body = {"outcome": outcomes[n % 3], "ended_on": "2026-04-21"}
        return clerk.post(f"/v1/warrants/{warrant}/endings", body).status_code

    def end_case(clerk: Person, _: int) -> int:
        return clerk.post(f"/v1/cases/{case}/dispositions", example("DisposeCase")).status_code

    assert at_once(site, end_warrant) == [201] + [422] * (CLERKS - 1)
    assert at_once(site, end_case) == [201] + [422] * (CLERKS - 1)
    assert len(site.parts.log.of_topics([WarrantEnded.topic])) == 1
    assert len(site.parts.log.of_topics([CaseDisposed.topic])) == 1


def test_a_hearing_that_is_over_is_not_moved(site: SiteUnderTest) -> None:
    judge = site.person("judge")
    case = judge.do("/v1/court/cases", example("EnterCase"))["case"]
    heard = {"kind": "pretrial", "starts_at": local("2026-04-21 09:00").isoformat()}
    hearing = judge.do(f"/v1/cases/{case}/hearings", heard)["hearing"]
    path = f"/v1/cases/{case}/hearings/{hearing}"

    def send(clerk: Person, n: int) -> int:
        if n % 2:
            return clerk.post(f"{path}/moves", {"starts_at": local("2026-04-28 09:00").isoformat()}).status_code
        return clerk.post(f"{path}/endings", {"outcome": "stricken from the calendar"}).status_code

    assert 201 in at_once(site, send)
    moved, ended = (site.parts.log.of_topics([kind.topic]) for kind in (HearingMoved, HearingEnded))
    assert len(ended) == 1
    assert all(each.position < ended[0].position for each in moved)
