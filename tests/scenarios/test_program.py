"""What the project manager reads: from each door to enrolment, and whether the site is well."""

from __future__ import annotations

from typing import Any
from unittest import mock

import psycopg
import pytest

from domain.event import Event, Recorded
from domain.referral import ReferralOffered
from projections.views import VIEWS
from services.clocks import Clocks
from services.findings import Audit
from tests.conftest import Database
from tests.scenarios import ray as story
from tests.scenarios.audit import file
from tests.site import SiteUnderTest, local, running_site

pytestmark = pytest.mark.server


def of(rows: list[dict[str, Any]], door: str = "arrest_diversion") -> list[dict[str, Any]]:
    return [{k: v for k, v in row.items() if k != "door"} for row in rows if row["door"] == door]


def test_the_way_from_the_door_to_enrolment(lead: SiteUnderTest) -> None:
    ray, pat = story.at_work(lead), lead.person("pat")
    doors = pat.see("/v1/program/funnel")["doors"]
    assert len(doors) == 7
    assert {(row["referred"], row["accepted"], row["enrolled"]) for row in doors} == {(0, 0, 0)}

    story.offer(ray)
    story.override(ray)
    lead.settle()
    assert of(pat.see("/v1/program/funnel")["doors"]) == [{"referred": 1, "accepted": 0, "enrolled": 0}]
    story.handoff(ray)
    story.release(ray)
    lead.settle()
    assert of(pat.see("/v1/program/funnel")["doors"]) == [{"referred": 1, "accepted": 1, "enrolled": 0}]

    # Race as the officer wrote it and as he says it himself are two facts, counted apart.
    story.enrol(ray)
    funnel = pat.see("/v1/program/funnel")
    steps = {"referred": 1, "accepted": 1, "enrolled": 1}
    assert of(funnel["doors"]) == [steps]
    assert of(funnel["race_as_perceived"]) == [{"race": "White"} | steps]
    assert of(funnel["precinct"]) == [{"precinct": "West"} | steps]
    assert of(funnel["race_self_reported"]) == [{"race": "unknown"} | steps]
    assert (funnel["stops"], funnel["arrests"], funnel["cells"]) == (0, 0, [])
    assert "Bell" not in str(funnel)


def test_parties_are_named_by_their_codes(lead: SiteUnderTest) -> None:
    ray, pat = story.arrest(lead), lead.person("pat")
    story.enrol(ray)
    assert {line["department"] for line in pat.see("/v1/program/deadlines")["deadlines"]} == {"city-pd"}
    assert [line["from"] for line in pat.see("/v1/program/referrals?all=true")["referrals"]] == ["city-pd"]
    (found,) = pat.get("/v1/program/referrals.csv?all=true").text.splitlines()[1:]
    assert ",city-pd," in found
    assert {to["party"] for to in ray.dana.see(f"/v1/case-manager/participants/{ray.care}")["recipients"]} >= {
        "city-pd",
        "county-pa",
    }


def test_whether_the_site_is_well(lead: SiteUnderTest) -> None:
    ray, pat = story.arrest(lead), lead.person("pat")
    well = pat.see("/v1/program/health")
    assert {view["view"] for view in well["views"]} == {reader.value for reader in VIEWS}
    assert {(view["behind"], view["parked"]) for view in well["views"]} == {(0, 0)}
    assert well["checkpoint_at"] is None

    # Somebody whom a view could not compute is counted, and not named.
    with psycopg.connect(lead.parts.database.url, autocommit=True) as connection:
        connection.execute(
            "insert into log.parked select 'police', participant_id, 1, 'ValueError', site.clock() from log.event"
            " where participant_id is not null limit 1"
        )
        ill = pat.get("/v1/program/health")
        connection.execute("delete from log.parked")
    parked = {view["view"]: view["parked"] for view in ill.json()["views"]}
    assert parked == dict.fromkeys(parked, 0) | {"police": 1}
    assert ray.care not in ill.text
    for stranger in (ray.kim, ray.dana, ray.chen):
        assert stranger.get("/v1/program/health").status_code == 403


def test_clocks_and_an_audit_that_stand_still_are_seen(site_db: Database) -> None:
    with running_site(site_db, sweep_seconds=3600) as lead:  # nobody sweeps
        ray, pat = story.arrest(lead), lead.person("pat")
        story.enrol(ray)
        ray.dana.do(f"/v1/participants/{ray.care}/plan", {"review_on": "2026-04-01"})

        def stands_still() -> tuple[Any, ...]:
            well = pat.see("/v1/program/health")
            return tuple(well[name] for name in STANDS_STILL)

        # The hours of not returning were over on 15 February, the plan's day on 1 April; nobody has written it down.
        assert stands_still() == (1, local("2026-02-15 02:46").isoformat(), 0, 0, None)
        ray.at("2026-04-20 10:00")
        assert stands_still() == (2, local("2026-02-15 02:46").isoformat(), 0, 0, None)
        file(ray.chen, ray.offices_id(), "26-1-00411-2")
        ray.at("2026-04-21 10:00")
        file(ray.chen, ray.offices_id(), "26-1-00412-1")
        number, since = stands_still()[3:]
        assert (number, since[:16]) == (2, local("2026-04-20 10:00").isoformat()[:16])

        # One that fails is counted; the others go on.
        clocks, load = Clocks(lead.parts.site), type(lead.parts.log).load
        with mock.patch.object(type(lead.parts.log), "load", lambda log, stream: broken(load(log, stream))):
            assert stands_still()[:3] == (1, local("2026-04-01 23:59:59").isoformat(), 1)
            with pytest.raises(OSError, match="cannot be read"):
                clocks.fire()
            assert stands_still()[:3] == (0, None, 1)

        # Once somebody does the work, all is well.
        clocks.fire()
        Audit(lead.parts.site).beat()
        assert stands_still() == (0, None, 0, 0, None)


STANDS_STILL = (
    "deadlines_not_written",
    "deadlines_not_written_since",
    "deadlines_failing",
    "actions_without_finding",
    "actions_without_finding_since",
)


def broken(history: list[Recorded[Event]]) -> list[Recorded[Event]]:
    """Return a history as it is, unless it is a referral's."""
    if isinstance(history[0].event, ReferralOffered):
        raise OSError("this one cannot be read")
    return history
