"""Scenario D: an old warrant is found, the prosecutor supports its quash. 24 March 2026. All times the site's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from domain.legal_case import DecisionRecorded, harsher
from domain.share import NOTHING_HELPFUL
from tests.scenarios import ray as story
from tests.scenarios.eyes import everything
from tests.site import Person, SiteUnderTest

pytestmark = pytest.mark.server

DOCKET = "23-1-00871-2"
OUTLYING = ("Enumclaw", "C-22-118", "W-O-77")
RELAPSE = "Used again on Friday; ashamed"
NEVER = (*OUTLYING, RELAPSE, "ashamed", "ferry terminal", "daughter")
"""What no partner may read."""
SHARE = {"party": "county-pa", "labels": ["iip.progress"]}


def warrants(officer: Person) -> list[tuple[str, str]]:
    """Return number and state of what a lookup of Ray finds on public record."""
    signed = {"Authorization": f"Bearer {officer.token}"}
    found = officer.client.post("/v1/police/lookups", json=story.BY_NAME, headers=signed).json()
    return [(row["number"], row["state"]) for row in found["public_record"] if row["record"] == "warrant"]


def told(chen: Person, participant: str, kind: str) -> list[dict[str, Any]]:
    (shared,) = chen.see(f"/v1/prosecutor/participants/{participant}")["shared"]
    return [entry for entry in shared["told"] if entry["kind"] == kind]


def feed(judge: Person) -> dict[str, str]:
    """The court's own feed, of 2023: a theft case, and the warrant for a missed hearing."""
    case = {
        "docket": DOCKET,
        "defendant": story.RAY,
        "charges": [{"code": "23C", "description": "Shoplifting", "severity": "misdemeanor"}],
        "filed_on": "2023-06-01",
        "prosecutor": "county-pa",
    }
    made = judge.do("/v1/court/cases", case)
    warrant = {
        "number": "W-9",
        "kind": "failure to appear",
        "issued_on": "2023-09-12",
        "docket": DOCKET,
        "defendant": story.RAY,
    }
    return made | judge.do("/v1/warrants", warrant)


def file_old_case(ray: story.Ray) -> str:
    filed = {
        "docket": DOCKET,
        "participant": ray.offices_id(),
        "defendant": story.RAY,
        "charges": [{"code": "23C", "description": "Shoplifting", "severity": "misdemeanor"}],
        "offense_on": "2023-05-20",
        "filed_on": "2023-06-01",
    }
    case: str = ray.chen.do("/v1/cases", filed)["case"]
    return case


def partners_of(ray: story.Ray) -> Callable[[], list[str]]:
    """Return what tells all that each partner reads of Ray."""
    officers = [ray.site.person(name) for name in ("webb", "judge", "brooks")]
    partners, ids = (ray.kim, ray.ortiz, ray.chen, *officers), (ray.offices_id(), ray.participant)
    return lambda: [everything(partner, lookups=(story.BY_NAME,), ids=ids) for partner in partners]


def what_dana_notes_changes_no_byte(ray: story.Ray, seen: Callable[[], list[str]]) -> None:
    """20 March: of what the partners read. HousingCo, by Ray's form, hears that there was contact."""
    ray.at("2026-03-20 15:00")
    before = seen()
    note = {"kind": "visit", "reached": True, "note": RELAPSE, "current_use": RELAPSE, "location": "ferry terminal"}
    ray.dana.do(f"/v1/participants/{ray.care}/contacts", note)
    ray.site.settle()
    assert seen() == before


def rosa_finds_warrants_and_dana_shares(ray: story.Ray) -> None:
    """24 March. Rosa, the Legal Systems Advocate, finds W-9 and a bench warrant in an outlying court."""
    ray.at("2026-03-24 09:00")
    rosa, person, (town, docket, number) = ray.site.person("rosa"), f"/v1/participants/{ray.care}", OUTLYING
    found = {"kind": "failure to appear", "court": "District Court", "issued_on": "2023-09-12", "docket": DOCKET}
    rosa.do(f"{person}/warrants", found | {"number": "W-9", "prosecutor": "county-pa"})
    rosa.do(f"{person}/cases", {"court": f"{town} Municipal Court", "docket": docket})
    away = {"number": number, "kind": "bench", "court": f"{town} Municipal Court", "issued_on": "2022-04-02"}
    rosa.do(f"{person}/warrants", away)
    refused = ray.dana.post(f"{person}/shares", SHARE | {"text": "He\u2019s doing great."})
    assert refused.status_code == 422
    assert NOTHING_HELPFUL in refused.json()["faults"][0]["way_out"]
    ray.dana.do(f"{person}/shares", SHARE | {"text": "Engaged; housing application filed."})
    ray.site.settle()


def test_an_old_warrant(lead: SiteUnderTest) -> None:
    ray = story.arrest(lead)
    story.enrol(ray)
    judge, webb, office_id = lead.person("judge"), lead.person("webb"), ray.offices_id()
    seen_by = partners_of(ray)
    court = feed(judge)
    lead.settle()

    # Any officer sees the warrant: it is the court's, and says nothing of LEAD.
    assert warrants(ray.kim) == warrants(webb) == [("W-9", "active")]
    signed = {"Authorization": f"Bearer {webb.token}"}
    lookup = webb.client.post("/v1/police/lookups", json=story.BY_NAME, headers=signed).json()
    assert (lookup["shared"], lookup["own"]) == ([], [])
    # Whom to call is Ray's to give; the city's officers have it from his form.
    (shared,) = ray.kim.see(f"/v1/police/participants/{ray.participant}")["shared"]
    assert (shared["case_manager"], shared["call"]) == ("Dana Reyes", "206-555-0100")

    what_dana_notes_changes_no_byte(ray, seen_by)

    person, number = f"/v1/participants/{ray.care}", OUTLYING[2]
    rosa_finds_warrants_and_dana_shares(ray)
    ray.dana.do(f"{person}/shares", SHARE | {"text": NOTHING_HELPFUL})
    lead.settle()

    # Chen sees, under the ROI: progress, and W-9, which is of her county. Not the outlying court's, not the relapse.
    (w9,) = told(ray.chen, office_id, "warrant.issued")
    assert (w9["number"], w9["warrant_kind"], w9["issued_on"]) == ("W-9", "failure to appear", "2023-09-12")
    sentences = {entry["text"] for entry in told(ray.chen, office_id, "share.made")}
    assert sentences == {"Engaged; housing application filed.", NOTHING_HELPFUL}
    for seen in seen_by():
        assert not [word for word in NEVER if word in seen]
    history = [entry["body"] for entry in ray.history("warrant.issued")]
    assert {body["number"] for body in history} == {"W-9", number}  # care has both

    # So has LEAD Legal Services, whose work the outlying court is; what Dana noted of his use it has not.
    shaw = lead.person("shaw")
    (client,) = shaw.see("/v1/legal-services/participants")["participants"]
    page = shaw.see(f"/v1/legal-services/participants/{client['participant']}")
    issued = [entry["body"]["number"] for entry in page["history"] if entry["kind"] == "warrant.issued"]
    assert sorted(issued) == sorted(["W-9", number])
    assert not [word for word in (RELAPSE, "ashamed", story.NARRATIVE) if word in str(page)]

    # Her docket of 2023, with LEAD's column and the court's warrant beside it; she supports the quash.
    case = file_old_case(ray)
    (listed,) = ray.chen.see("/v1/prosecutor/pending-cases")["cases"]
    assert (listed["docket"], listed["lead"]["relation"]) == (DOCKET, "pre-existing case")
    assert [(w["number"], w["state"]) for w in listed["warrants"]] == [("W-9", "active")]
    assert listed["warning"] is None
    quash = {"kind": "support quash", "reason": "Engaged with LEAD; a jail stay would cost him the room."}
    quash["ceiling"] = "proceed as standard"
    ray.chen.do(f"/v1/cases/{case}/decisions", quash)

    # The court quashes; every officer sees it, and so does the docket.
    ray.at("2026-03-25 10:00")
    judge.do(f"/v1/cases/{court['case']}/orders", {"kind": "warrant quashed", "ordered_on": "2026-03-25"})
    judge.do(f"/v1/warrants/{court['warrant']}/endings", {"outcome": "quashed", "ended_on": "2026-03-25"})
    lead.settle()
    assert warrants(ray.kim) == warrants(webb) == [("W-9", "quashed")]
    (listed,) = ray.chen.see("/v1/prosecutor/pending-cases")["cases"]
    assert [(w["number"], w["state"]) for w in listed["warrants"]] == [("W-9", "quashed")]
    assert [c["orders"] for c in listed["courts"]] == [[{"kind": "warrant quashed", "ordered_on": "2026-03-25"}]]

    # Severity. Quash and standard processing lie within the ceiling; a detention motion does not, and is hers to make.
    ray.at("2026-03-26 10:00")
    ray.chen.do(f"/v1/cases/{case}/decisions", {"kind": "proceed as standard"})
    motion = {"kind": "detention motion", "source": "held by our office, not stated"}
    ray.chen.do(f"/v1/cases/{case}/decisions", motion)
    lead.settle()
    decisions = ray.chen.see("/v1/prosecutor/decisions")["decisions"]
    assert [(d["kind"], d["beyond"]) for d in decisions] == [
        ("detention motion", "proceed as standard"),
        ("proceed as standard", None),
        ("support quash", None),
    ]
    assert {d["protocol_version"] for d in decisions} == {story.P7}
    made = [r.event for r in lead.parts.log.of_topics([DecisionRecorded.topic])]
    assert [b.decision.kind for b in harsher(d for d in made if isinstance(d, DecisionRecorded))] == [
        "detention motion"
    ]

    # The court reads its own docket, and probation what courts tell: neither supervises anyone in LEAD.
    for officer in (judge, lead.person("brooks")):
        assert [w["state"] for w in officer.see("/v1/court/warrants")["warrants"]] == ["quashed"]
        assert [c["docket"] for c in officer.see("/v1/court/cases")["cases"]] == [DOCKET]
    assert lead.person("brooks").post(f"/v1/cases/{court['case']}/orders", {}).status_code in (403, 422)

    # After a revocation the office keeps what is its own, and what is the court's.
    own = ray.chen.get("/v1/prosecutor/decisions").content
    word = {"word_of": "counsel", "medium": "oral", "counsel": "R. Patel", "parties": ["county-pa"]}
    ray.dana.do(f"{person}/roi/{ray.roi}/revocations", word)
    of_ray = ray.chen.see(f"/v1/prosecutor/participants/{office_id}")
    assert of_ray["shared"] == []
    assert ray.chen.get("/v1/prosecutor/decisions").content == own
    (listed,) = ray.chen.see("/v1/prosecutor/pending-cases")["cases"]
    assert (listed["lead"], [w["state"] for w in listed["warrants"]]) == (None, ["quashed"])


def test_the_offices_calendar_and_what_it_put_off(lead: SiteUnderTest) -> None:
    ray = story.arrest(lead)
    story.enrol(ray)
    ray.at("2026-03-24 09:00")
    case = file_old_case(ray)
    hearing = ray.chen.do(
        f"/v1/cases/{case}/hearings",
        {"kind": "pretrial", "starts_at": "2026-04-14T09:00:00-07:00", "courtroom": "E-1201"},
    )["hearing"]
    ray.chen.do(f"/v1/cases/{case}/decisions", {"kind": "hold in abeyance", "review_on": "2026-05-01"})
    dates = ray.chen.see("/v1/prosecutor/calendar")["dates"]
    assert [(d["what"], d["docket"]) for d in dates] == [("pretrial", DOCKET), ("review", DOCKET)]
    assert [d["due_at"][:16] for d in dates] == ["2026-04-14T16:00", "2026-05-02T06:59"]
    (listed,) = ray.chen.see("/v1/prosecutor/pending-cases")["cases"]
    assert (listed["next_hearing"][:10], listed["review_on"]) == ("2026-04-14", "2026-05-01")

    # Moved, and held; decided: nothing waits any more.
    moved = {"starts_at": "2026-04-21T09:00:00-07:00", "courtroom": "E-1202"}
    ray.chen.do(f"/v1/cases/{case}/hearings/{hearing}/moves", moved)
    assert [d["courtroom"] for d in ray.chen.see("/v1/prosecutor/calendar")["dates"]] == ["E-1202", None]
    early = ray.chen.post(f"/v1/cases/{case}/hearings/{hearing}/endings", {"outcome": "held"})
    assert early.json()["faults"][0]["reason"] == "the hearing has not begun."
    ray.at("2026-04-21 10:00")
    ray.chen.do(f"/v1/cases/{case}/hearings/{hearing}/endings", {"outcome": "held"})
    ray.chen.do(f"/v1/cases/{case}/decisions", {"kind": "dismiss", "reason": "He has a room."})
    ray.chen.do(f"/v1/cases/{case}/dispositions", {"outcome": "dismissed", "disposed_on": "2026-04-21"})
    assert ray.chen.see("/v1/prosecutor/calendar")["dates"] == []
    (listed,) = ray.chen.see("/v1/prosecutor/pending-cases")["cases"]
    assert (listed["disposition"], listed["next_hearing"], listed["review_on"]) == ("dismissed", None, None)
    # Care reads the dates, for reminders, and the decisions; not the office's notes.
    assert [entry["body"]["courtroom"] for entry in ray.history("hearing.moved")] == ["E-1202"]
    # Nobody else can touch the office's case, nor tell that there is one.
    judge = lead.person("judge")
    theirs = lead.parts.site.ids
    chens, judges = (lead.parts.site.directory.by_code(code, "") for code in ("county-pa", "district-court"))
    opened = theirs.open(chens.id, case)
    assert opened is not None
    guessed = judge.post(f"/v1/cases/{theirs.seal(judges.id, opened)}/hearings", moved | {"kind": "trial"})
    nobody = judge.post(f"/v1/cases/{'a' * 26}/hearings", moved | {"kind": "trial"})
    assert (guessed.status_code, guessed.content) == (nobody.status_code, nobody.content) == (404, guessed.content)


def test_what_the_office_was_told_stays_its_own_and_warns_it(lead: SiteUnderTest) -> None:
    ray = story.arrest(lead)
    assert ray.chen.see("/v1/prosecutor/obligations")["obligations"] == []
    story.enrol(ray)
    (kept,) = ray.chen.see("/v1/prosecutor/obligations")["obligations"]
    assert (kept["incident_number"], kept["charge_code"], kept["obligation"]) == (
        story.INCIDENT,
        "23C",
        "will not be filed",
    )
    before = ray.chen.get("/v1/prosecutor/obligations").content
    word = {"word_of": "participant", "medium": "oral", "parties": ["county-pa"]}
    ray.dana.do(f"/v1/participants/{ray.care}/roi/{ray.roi}/revocations", word)
    lead.settle()
    assert ray.chen.get("/v1/prosecutor/obligations").content == before

    # Its hands are not tied: it files, and its own obligation is read to it again.
    filed = {
        "docket": "26-1-00401-1",
        "defendant": story.RAY,
        "charges": [{"code": "23C", "description": "Shoplifting", "severity": "misdemeanor"}],
        "incident_number": story.INCIDENT,
        "offense_on": "2026-02-14",
        "filed_on": "2026-03-18",
    }
    ray.chen.do("/v1/cases", filed)
    (listed,) = ray.chen.see("/v1/prosecutor/pending-cases")["cases"]
    assert listed["warning"] == "will not be filed"


def test_an_office_that_was_never_told_keeps_nothing_and_is_not_warned(lead: SiteUnderTest) -> None:
    ray = story.arrest(lead)
    grants = [story.grants()[0]]
    ray.at("2026-03-01 09:00")
    ray.dana.do(f"/v1/participants/{ray.care}/intake", {"narrative": story.NARRATIVE})
    strikes_out = {"grants": grants, "struck_out": ["county-pa"], "warned": ["county-pa"]}
    ray.dana.do(f"/v1/participants/{ray.care}/roi", story.form(**strikes_out, expires_on="2027-02-28"))
    filed = {
        "docket": "26-1-00401-1",
        "participant": ray.offices_id(),
        "defendant": story.RAY,
        "charges": [{"code": "23C", "description": "Shoplifting", "severity": "misdemeanor"}],
        "incident_number": story.INCIDENT,
        "offense_on": "2026-02-14",
        "filed_on": "2026-03-01",
    }
    ray.chen.do("/v1/cases", filed)
    lead.settle()
    assert ray.history("charge.latched")
    assert ray.chen.see("/v1/prosecutor/obligations")["obligations"] == []
    (listed,) = ray.chen.see("/v1/prosecutor/pending-cases")["cases"]
    assert (listed["warning"], listed["lead"]) == (None, None)
