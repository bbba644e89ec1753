"""Scenario H: capacity on a bad Friday. All times are the site's."""

from __future__ import annotations

import re
from typing import NamedTuple

import pytest

from tests.scenarios import ray as story
from tests.scenarios.eyes import everything
from tests.scenarios.team import MANAGERS, Team
from tests.scenarios.test_i_doors import DOORWAY, MEETS, RECEIPT, faults, offer, waiting
from tests.site import SiteUnderTest

pytestmark = pytest.mark.server
ANA = {"given": "Ana", "surname": "Cruz", "birth_date": "1990-01-31"}


class Arrested(NamedTuple):
    """Someone whom Kim offered diversion: the referral and the person, as care names them."""

    path: str
    care: str


def arrested(lead: SiteUnderTest, person: dict[str, str]) -> Arrested:
    """Let Kim offer diversion to someone."""
    lead.person("kim").do("/v1/referrals", offer(person=person))
    lead.settle()
    (row,) = [r for r in waiting(lead.person("dana")) if r["name"] == f"{person['given']} {person['surname']}"]
    return Arrested(f"/v1/referrals/{row['referral_id']}", row["participant"])


def test_above_the_average_and_somebody_has_room(lead: SiteUnderTest) -> None:
    team = Team(lead)
    team.carries(24, 25, 19, 18, 16)

    # The project manager: the average is above policy, which alarms; someone above the intensive standard does not.
    friday = team.capacity()
    assert friday["protocol_version"] == "P-1"
    assert friday["policy"] == {"intensive_least": 12, "intensive_most": 15, "average": 20, "most": 25}
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
    ray = arrested(lead, story.RAY)
    lead.person("dana").do(f"{ray.path}/acceptance", {})
    kept = team.capacity()
    assert (kept["average"], kept["waiting"], kept["free"]) == (20.6, 1, 22)
    assert team.assign(team.noor, ray.care, "tess").status_code == 201
    assigned = team.capacity()
    assert (assigned["average"], assigned["waiting"], assigned["free"]) == (20.6, 0, 22)


def test_three_doors_on_a_friday(lead: SiteUnderTest) -> None:
    """Police, a shop and the court refer on one day: each is served in its turn, and the court's waits (T:1133)."""
    ray, team = story.at_work(lead), Team(lead)
    team.carries(24, 25, 19, 18, 16)
    marta, judge = lead.person("marta"), lead.person("judge")
    judge.do("/v1/referrals/without-arrest", DOORWAY | {"name": "Vic Nash"})
    marta.do("/v1/referrals/without-arrest", DOORWAY)
    story.offer(ray)
    story.override(ray)
    lead.settle()
    at_the_door = {row["door"]: row for row in waiting(ray.dana)}
    assert set(at_the_door) == {"arrest_diversion", "community", "court"}
    path = {door: f"/v1/referrals/{row['referral_id']}" for door, row in at_the_door.items()}
    ids = {door: row["participant"] for door, row in at_the_door.items()}
    heard = everything(judge)

    # The arrest is accepted whatever the average, the shop's after it; while it waits, neither other is.
    later = ("referral", "others whose door is served first still wait for a slot.")
    ray.dana.do(f"{path['community']}/screening", MEETS)
    for door in ("court", "community"):
        assert faults(ray.dana.post(f"{path[door]}/acceptance", {})) == [later]
    ray.dana.do(f"{path['arrest_diversion']}/acceptance", {"found_at": story.FOUND_AT})
    assert team.assign(team.noor, ids["arrest_diversion"], "tess").status_code == 201
    assert faults(ray.dana.post(f"{path['court']}/acceptance", {})) == [later]
    ray.dana.do(f"{path['community']}/acceptance", {})
    assert team.assign(team.noor, ids["community"], "tess").status_code == 201
    busy = team.capacity()
    assert (busy["average"], busy["waiting"]) == (20.8, 0)

    # Nobody whose door is served first waits any more: the court's has its turn. The court hears nothing of any of it.
    lead.settle()
    assert everything(judge) == heard
    ray.dana.do(f"{path['court']}/acceptance", {})
    lead.settle()
    assert everything(judge) == heard
    assert judge.do("/v1/referrals/without-arrest", DOORWAY)["receipt"] == RECEIPT


def test_everyone_at_25(lead: SiteUnderTest) -> None:
    team, dana, kim = Team(lead), lead.person("dana"), lead.person("kim")
    team.carries(25, 25, 25, 25, 24)
    ray, ana = arrested(lead, story.RAY), arrested(lead, ANA)
    dana.do(f"{ray.path}/acceptance", {})
    full = [("capacity", "every slot of P-1 is taken or kept for someone who was accepted.")]
    assert faults(dana.post(f"{ana.path}/acceptance", {})) == full

    # The last slot is Ray's: nobody is given it before him, by nobody, the supervisor included.
    assert faults(team.assign(team.noor, ana.care, "tess")) == full
    assert team.assign(team.noor, ray.care, "tess").status_code == 201
    for case_manager in MANAGERS:
        for who in (team.noor, dana):
            refused = team.assign(who, ana.care, case_manager)
            assert refused.status_code == 422
            assert "carries 25 already" in refused.text
    assert {row["carried"] for row in team.capacity()["case_managers"]} == {25}
    assert team.capacity()["free"] == 0

    # Moving somebody is no way round it; nor is the supervisor, who carries nobody, counted as free slots.
    moved = team.assign(team.noor, team.people["dana"][0], "luis")
    assert moved.status_code == 422
    assert "Noor Haddad" not in str(team.capacity()["case_managers"])

    # Room is no ground on which anybody could be discharged (T:280).
    someone = f"/v1/participants/{team.people['dana'][0]}/discharge"
    assert "ground" in dana.post(someone, {"ground": "no capacity", "tried": "Waiting."}).text

    # Ana is declined, whatever is known of her. The officer reads the code and whom to call: nothing else is new.
    dana.do(
        f"/v1/participants/{ana.care}/contacts", {"kind": "phone", "reached": True, "note": "She is in withdrawal."}
    )
    lead.settle()
    before = {row["name"]: row for row in kim.see("/v1/police/referrals")["referrals"]}
    dana.do(f"{ana.path}/decline", {"how": "no capacity"})
    lead.settle()
    after = {row["name"]: row for row in kim.see("/v1/police/referrals")["referrals"]}
    (notice,) = after["Ana Cruz"]["notices"]
    assert set(notice) == {"code", "at", "call"}
    assert (notice["code"], notice["call"]) == ("no capacity", "206-555-0100")
    assert after == before | {"Ana Cruz": before["Ana Cruz"] | {"notices": [notice]}}
    seen = everything(kim)
    assert not [word for word in ("withdrawal", "declined", "Dana", "Tess", "waiting") if word in seen]
    assert not re.search(r"(?<![\w:.+-])25(?![\w:.+-])", seen), (
        "a number of participants, not a part of a time or an id"
    )

    # The team has to call the officer back, until it has written down that it did.
    (to_call,) = dana.see("/v1/case-manager/tasks?team=true")["tasks"]
    assert (to_call["kind"], to_call["name"]) == ("officer to call back: no capacity", "Ana Cruz")
    said = {"party": "city-pd", "labels": ["referral.status"], "occasion": "phone", "person": "Officer Kim"}
    dana.do(f"/v1/participants/{ana.care}/oral-disclosures", said)
    lead.settle()
    assert dana.see("/v1/case-manager/tasks?team=true")["tasks"] == []

    # Of the roster the officer sees nothing, whatever the officer asks.
    for path in ("/v1/program/capacity", "/v1/case-manager/on-call", "/v1/case-manager/covered"):
        assert kim.get(path).status_code == 403
