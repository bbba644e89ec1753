"""A record that may be Ray's: a reviewer decides, care reads it with him, and all of it can be taken back."""

from __future__ import annotations

from itertools import count
from typing import Any

import pytest

from adapters.kafka.translate import reader
from domain.identity import MatchProposed, RecordLinked, RecordUnlinked
from services.feed import Feed
from tests.adapters.kafka.messages import ARRESTED_AT, ATN, INCIDENT, WHO, person, raws, record
from tests.scenarios import ray as story
from tests.scenarios.audit import findings
from tests.scenarios.eyes import everything
from tests.scenarios.matching import proposed
from tests.site import Person, SiteUnderTest

pytestmark = pytest.mark.server

DOCKET = "23-1-00871-2"
CASE = {
    "docket": DOCKET,
    "defendant": story.RAY,
    "charges": [{"code": "23C", "description": "Shoplifting", "severity": "misdemeanor"}],
    "filed_on": "2023-06-01",
    "prosecutor": "county-pa",
}


def dockets(who: Person, path: str) -> set[str]:
    """Return what a reader is told of cases and hearings with a participant, by kind."""
    return {e["kind"] for e in who.see(path)["history"] if e["kind"].startswith(("case.", "hearing."))}


def test_a_linked_record_is_read_with_the_participant_and_unlinked_it_is_gone(lead: SiteUnderTest) -> None:
    ray = story.arrest(lead)
    story.enrol(ray)
    ray.at("2026-03-24 10:00")
    ray.dana.do(f"/v1/participants/{ray.care}/access", {"subject": "r.bell"})
    judge, noor, himself = map(lead.person, ("judge", "noor", "r.bell"))
    partners = (ray.kim, ray.chen, judge, lead.person("marta"), lead.person("ames"))
    path = f"/v1/case-manager/participants/{ray.care}"
    case = judge.do("/v1/court/cases", CASE)["case"]
    site = lead.parts.site
    matter = site.ids.open(site.directory.by_code("district-court", "party").id, case)
    lead.settle()
    before = [everything(who, lookups=(story.RAY,)) for who in partners]
    own = ray.dana.see(path)["history"]

    match = proposed(lead, ray.care, matter)
    assert dockets(ray.dana, path) == set(), "a match that nobody decided tells nothing of the record"
    cares = himself.see(f"/v1/participants/{himself.see('/v1/me')['participant']}/as-of?party=lead-care")["shown"]
    assert {"match", "match_record"} & {row["record"] for row in cares} == {"match"}, "it may be a stranger's"
    review = f"/v1/participants/{ray.care}/matches/{match}/reviews"
    assert ray.dana.post(review, {"same": True, "why": "x"}).status_code == 403
    noor.do(review, {"same": True, "why": "He told us of it himself."})
    assert noor.post(review, {"same": False, "why": "x"}).json()["faults"][0]["field"] == "match"
    lead.settle()
    assert dockets(ray.dana, path) == {"case.entered"}
    assert dockets(himself, "/v1/participant/history") == {"case.entered"}
    assert [everything(who, lookups=(story.RAY,)) for who in partners] == before, "no agency can tell"

    # What the agency records of it later is read with him at once, and as of any moment again.
    judge.do(f"/v1/cases/{case}/hearings", {"kind": "pretrial", "starts_at": "2026-04-14T09:00:00-07:00"})
    lead.settle()
    assert dockets(ray.dana, path) == {"case.entered", "hearing.set"}
    before = [everything(who, lookups=(story.RAY,)) for who in partners]

    link = next(e["entry_id"] for e in ray.dana.see(path)["history"] if e["kind"] == RecordLinked.topic)
    away = f"/v1/participants/{ray.care}/links/{link}/endings"
    noor.do(away, {"why": "Another Ray Bell: he was in the jail that day."})
    assert noor.post(away, {"why": "x"}).json()["faults"][0]["field"] == "record"
    judge.do(f"/v1/cases/{case}/hearings", {"kind": "trial", "starts_at": "2026-05-14T09:00:00-07:00"})
    lead.settle()
    assert dockets(ray.dana, path) == set() == dockets(himself, "/v1/participant/history")
    left = [e for e in ray.dana.see(path)["history"] if e not in own]
    assert {e["kind"] for e in left} == {MatchProposed.topic, RecordLinked.topic, RecordUnlinked.topic}
    assert DOCKET not in str(left), "what is left says nothing of the record"

    (who,) = [r.event.participant_id for r in site.log.of_topics([RecordUnlinked.topic])]
    assert who is not None
    assert lead.parts.log.histories([who])[who].linked == []
    linked_at = site.log.of_topics([RecordLinked.topic])[0].position
    assert len(lead.parts.log.histories([who], upto=linked_at)[who].linked) == 1, "as it was then"


def test_a_match_that_is_none_tells_nothing_and_is_not_asked_again(lead: SiteUnderTest) -> None:
    ray = story.arrest(lead)
    story.enrol(ray)
    match = proposed(lead, ray.care)
    noor = lead.person("noor")
    noor.do(f"/v1/participants/{ray.care}/matches/{match}/reviews", {"same": False, "why": "Ten years older."})
    proposed(lead, ray.care)
    assert len(lead.parts.log.of_topics([MatchProposed.topic])) == 1, "a reviewer said no"
    proposed(lead, ray.care, called="MNI 90210")
    assert len(lead.parts.log.of_topics([MatchProposed.topic])) == 2, "somebody else is somebody else"


def test_arrests_that_were_the_brothers_are_taken_back_together_and_nobody_outside_can_tell(
    lead: SiteUnderTest,
) -> None:
    ray = story.arrest(lead)
    story.enrol(ray)
    ray.at("2026-03-24 10:00")
    ray.dana.do(f"/v1/participants/{ray.care}/access", {"subject": "r.bell"})
    noor, pat, himself = map(lead.person, ("noor", "pat", "r.bell"))
    partners = (ray.kim, ray.chen, *map(lead.person, ("judge", "marta", "ames")))
    site = lead.parts.site
    feed, department = Feed(site, lead.parts.log.stream, reader()), site.directory.by_code("city-pd", "party")

    def arrested(number: int, own: str = "MNI-20931", kind: str = "arrest.recorded") -> str:
        """Let the department tell of an arrest of someone with Ray's name and birth date; return its number."""
        who, told = person("Ray", "Bell", "1984-05-09", sid=f"WA-{own}", own=own), f"A26-000{number}"
        if kind == "arrest.amended":
            who["PersonName"]["PersonMiddleName"] = "Lee"
        said = {WHO: who, ATN: told, INCIDENT: f"2026-000{number}", ARRESTED_AT: f"2026-03-2{number}T02:00:00-07:00"}
        message = record(kind, "city-pd:WASPD0000", said | {"LeadDiversion": None})
        feed.take(department, raws(message, begin=next(offsets)))
        lead.settle()
        return told

    def asked() -> list[str]:
        """What the supervisor is asked to decide; whoever else of the team looks sees as many, and no name of them."""
        found, team = (who.see("/v1/case-manager/matches")["matches"] for who in (noor, ray.dana))
        assert [match["match_id"] for match in found] == [match["match_id"] for match in team]
        assert all(match["record"] is None for match in team)
        return [match["match_id"] for match in found]

    def told(who: Person, path: str) -> int:
        return len([e for e in who.see(path)["history"] if e["kind"] == "arrest.reported"])

    def outside() -> list[Any]:
        seen = [everything(who, lookups=(story.RAY,)) for who in partners]
        return [*seen, pat.see("/v1/program/missed-diversions"), findings(pat)]

    def everyone() -> tuple[int, int]:
        return told(ray.dana, care), told(himself, "/v1/participant/history")

    care, offsets = f"/v1/case-manager/participants/{ray.care}", count()
    numbers = [arrested(1), arrested(2)]
    before = outside()
    assert len(asked()) == 2
    assert everyone() == (0, 0)
    noor.do(f"/v1/participants/{ray.care}/matches/{asked()[0]}/reviews", {"same": True, "why": "He told us."})
    lead.settle()
    assert asked() == [], "it holds for all that waits of whom the department calls so"
    assert everyone() == (2, 2)
    assert outside() == before

    numbers.append(arrested(3))
    assert everyone() == (3, 3), "what is told of him next needs nobody"
    before = outside()
    link = ray.history(RecordLinked.topic)[0]["entry_id"]
    noor.do(f"/v1/participants/{ray.care}/links/{link}/endings", {"why": "The brother came in himself."})
    lead.settle()
    assert everyone() == (0, 0), "all three were of one person"
    assert not any(number in str((ray.dana.see(care), himself.see("/v1/participant/history"))) for number in numbers)
    assert outside() == before, "that somebody was arrested stands, and of whom it never said"
    assert asked() == []

    arrested(3, kind="arrest.amended")
    arrested(4)
    assert asked() == [], "a reviewer has said that it is not he"
    assert everyone() == (0, 0)
    arrested(0, own="MNI-55555")
    assert len(asked()) == 1, "whom the department calls otherwise may be he still"
