"""What the project manager reads: from each door to enrolment, and whether the site is well."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from projections.views import VIEWS
from tests.scenarios import ray as story
from tests.site import SiteUnderTest

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
