"""Scenario H: capacity on a bad Friday. All times are the site's."""

from __future__ import annotations

import pytest

from domain.protocol import Door
from domain.refusal import Refused
from tests.scenarios.team import MANAGERS, Team
from tests.site import SiteUnderTest

pytestmark = pytest.mark.server


def test_above_the_average_and_somebody_has_room(lead: SiteUnderTest) -> None:
    team = Team(lead)
    team.carries(24, 25, 19, 18, 16)

    # The project manager: the average is above policy, which alarms; someone above the intensive standard does not.
    friday = team.capacity()
    assert friday["protocol_version"] == "P-1"
    assert {row["case_manager"]: (row["carried"], row["free"]) for row in friday["case_managers"]} == {
        "Dana Reyes": (24, 1),
        "Luis Moreno": (25, 0),
        "Grace Okafor": (19, 6),
        "Omar": (18, 7),
        "Tess": (16, 9),
    }
    assert (friday["average"], friday["waiting"], friday["free"]) == (20.4, 0, 23)
    assert friday["alarms"] == [{"alarm": "average above policy", "average": 20.4, "policy": 20}]

    # An arrest diversion is accepted, and waits for whoever has room: nobody has to exceed 25. It goes to Tess.
    ray = team.newcomer()
    team.accept(Door.ARREST_DIVERSION, ray)
    waiting = team.capacity()
    assert (waiting["average"], waiting["waiting"], waiting["free"]) == (20.6, 1, 22)
    assert team.assign(team.noor, ray, "tess").status_code == 201
    assigned = team.capacity()
    assert (assigned["average"], assigned["waiting"], assigned["free"]) == (20.6, 0, 22)

    # A community referral is accepted after it. The court's, which must not delay either, belongs to the doors: it is
    # refused before it asks for a slot (T:1133, T:1207), and its part of this scenario is played there.
    team.accept(Door.COMMUNITY, team.newcomer())
    assert team.capacity()["waiting"] == 1


def test_everyone_at_25(lead: SiteUnderTest) -> None:
    team = Team(lead)
    team.carries(25, 25, 25, 25, 24)
    ray, ana = team.newcomer(), team.newcomer()
    team.accept(Door.ARREST_DIVERSION, ray)
    with pytest.raises(Refused) as declined:
        team.accept(Door.ARREST_DIVERSION, ana)
    assert declined.value.field == "capacity"

    # The last slot is Ray's: nobody is given it before him, by nobody, the supervisor included.
    early = team.assign(team.noor, ana, "tess")
    assert (early.status_code, early.json()["faults"][0]["field"]) == (422, "capacity")
    assert team.assign(team.noor, ray, "tess").status_code == 201
    for case_manager in MANAGERS:
        for who in (team.noor, lead.person("dana")):
            refused = team.assign(who, ana, case_manager)
            assert refused.status_code == 422
            assert "carries 25 already" in refused.text
    assert {row["carried"] for row in team.capacity()["case_managers"]} == {25}
    assert team.capacity()["free"] == 0

    # Moving somebody is no way round it; nor is the supervisor, who carries nobody, counted as free slots.
    moved = team.assign(team.noor, team.people["dana"][0], "luis")
    assert moved.status_code == 422
    assert "Noor Haddad" not in str(team.capacity()["case_managers"])

    # The officer sees nothing of it, whatever the officer asks.
    for path in ("/v1/program/capacity", "/v1/case-manager/on-call", "/v1/case-manager/covered"):
        assert lead.person("kim").get(path).status_code == 403
