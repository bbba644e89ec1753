"""Two records of one person: a word that takes something away reaches both, and tells no partner of the merge."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from domain.roi import consent, consent_stream
from tests.adapters.http.conftest import to_program
from tests.scenarios import ray as story
from tests.scenarios.audit import audited, file, findings
from tests.scenarios.eyes import raw
from tests.scenarios.test_r_revoked_at_night import AUTHORITY
from tests.scenarios.test_suspended_accounting import ASKED
from tests.site import Person, SiteUnderTest

pytestmark = pytest.mark.server

NAMING = {"party": "public-defense", "labels": ["identity.legal"], "purpose": "defender oversight"}


@dataclass(slots=True)
class Two:
    """Ray, and the record that the transit police made of him under his brother's name, each with its own ROI."""

    ray: story.Ray
    away: str
    roi: str
    theirs: str

    def merge(self) -> None:
        body = {"other": self.away, "why": "He gave his brother's name."}
        self.ray.site.person("noor").do(f"/v1/participants/{self.ray.care}/merges", body)
        self.ray.site.settle()

    def dark(self) -> tuple[bool, bool]:
        """Return whether the city's police read nothing by the kept record, and the transit police by the other."""
        kim, webb = self.ray.kim, self.ray.site.person("webb")
        by_kept = kim.see(f"/v1/police/participants/{self.ray.participant}")["shared"]
        by_away = webb.see(f"/v1/police/participants/{self.theirs}")["shared"]
        return by_kept == [], by_away == []

    def papers_missing(self) -> list[int]:
        parts = self.ray.site.parts
        care = parts.site.directory.by_code("lead-care", "party").id
        found = [parts.site.ids.open(care, record) for record in (self.ray.care, self.away)]
        return [len(consent(who, parts.log.load(consent_stream(who))).oral) for who in found if who]


@pytest.fixture
def two(lead: SiteUnderTest) -> Two:
    ray = story.arrest(lead)
    story.enrol(ray)
    offer = {
        "door": "arrest_diversion",
        "person": {"given": "Sunny", "surname": "Bell", "birth_date": "1986-01-01"},
        "incident_number": "2026-60000",
        "place": "Pine St",
        "facts": "Trespass.",
        "charges": [
            {"code": "23C", "description": "Shoplifting", "severity": "misdemeanor", "prosecutor": "county-pa"}
        ],
    }
    theirs = lead.person("webb").do("/v1/referrals", offer)["participant"]
    lead.settle()
    team = ray.dana.see("/v1/case-manager/caseload?team=true")["participants"]
    away = next(one["participant"] for one in team if one["name"] == "Sunny Bell")
    grants = [{"party": "transit-pd", "labels": ["identity.legal"], "purpose": "coordination"}, NAMING]
    ray.at("2026-03-24 10:00")
    roi = ray.dana.do(f"/v1/participants/{away}/roi", story.form(grants=grants, warned=["county-pa"]))["roi"]
    ray.dana.do(f"/v1/participants/{ray.care}/roi/{ray.roi}/amendments", story.form(grants=[NAMING]))
    for record in (ray.care, away):
        ray.dana.do(f"/v1/participants/{record}/counsel", AUTHORITY)
    lead.settle()
    return Two(ray, away, roi, theirs)


@pytest.mark.parametrize("by", ["kept", "away"])
def test_an_accounting_that_is_suspended_by_either_record_is_silent_by_both(two: Two, by: str) -> None:
    for record in (two.ray.care, two.away):
        said = {"party": "county-pa", "labels": ["enrolment.status"], "occasion": "phone"}
        two.ray.dana.do(f"/v1/participants/{record}/oral-disclosures", said)
    two.merge()
    patel, imani = two.ray.site.person("patel"), two.ray.site.person("imani")
    clients = [client["participant"] for client in patel.see("/v1/counsel/participants")["clients"]]
    asked = [(two.ray.dana, two.ray.care), *((patel, client) for client in clients)]

    def to_the_office() -> list[int]:
        accounts = [who.see(f"/v1/participants/{one}/accounting")["disclosures"] for who, one in asked]
        return [sum(line["to"] == "County Prosecuting Attorney" for line in lines) for lines in accounts]

    before = to_the_office()
    assert len(before) == 3
    assert all(before)
    named = to_program(two.ray.site, two.ray.care if by == "kept" else two.away)
    imani.do(f"/v1/participants/{named}/accounting-suspensions", ASKED | {"stated_on": "2026-03-24"})
    assert to_the_office() == [0, 0, 0]
    two.ray.at("2026-05-01 00:00")
    assert to_the_office() == [number + 1 for number in before]  # and that it was suspended, once


@pytest.mark.parametrize("by", ["kept", "away"])
def test_revoked_by_either_record_is_revoked_on_both_and_so_is_its_paper(two: Two, by: str) -> None:
    two.merge()
    assert two.dark() == (False, False)
    record, roi = (two.ray.care, two.ray.roi) if by == "kept" else (two.away, two.roi)
    revocations = f"/v1/participants/{record}/roi/{roi}/revocations"
    revoked = two.ray.dana.do(revocations, {"word_of": "participant", "medium": "oral"})
    assert two.dark() == (True, True)
    assert two.papers_missing() == [1, 1]
    paper = f"{revocations}/{revoked['revocation']}/paper"
    two.ray.dana.do(paper, {"artefact_sha256": "c" * 64})
    assert two.papers_missing() == [0, 0]
    assert two.ray.dana.post(paper, {"artefact_sha256": "c" * 64}).status_code == 422


def test_a_conflict_is_about_the_person_and_not_about_one_record(two: Two) -> None:
    ames = two.ray.site.person("ames")

    def named() -> dict[str, Any]:
        diversions = ames.see("/v1/defender/diversions")["diversions"]
        return {each["department"]: each["named"] and each["named"]["name"] for each in diversions}

    assert named() == {"city-pd": "Ray Bell", "transit-pd": "Sunny Bell"}
    before = {d["department"]: d["pseudonym"] for d in ames.see("/v1/defender/diversions")["diversions"]}
    two.merge()
    assert named() == {"city-pd": "Ray Bell", "transit-pd": "Sunny Bell"}
    ames.do(f"/v1/participants/{before['transit-pd']}/conflicts", {})
    assert named() == {"city-pd": None, "transit-pd": None}
    for record in before.values():  # said again, it is received as before
        assert ames.post(f"/v1/participants/{record}/conflicts", {}).status_code == 201


def test_a_conflict_of_before_the_merge_is_about_the_person_too(two: Two) -> None:
    ames = two.ray.site.person("ames")
    diversions = ames.see("/v1/defender/diversions")["diversions"]
    theirs = next(each["pseudonym"] for each in diversions if each["department"] == "transit-pd")
    ames.do(f"/v1/participants/{theirs}/conflicts", {})
    two.merge()
    assert [each["named"] for each in ames.see("/v1/defender/diversions")["diversions"]] == [None, None]
    again = two.ray.dana.post(f"/v1/participants/{two.ray.care}/roi", story.form(grants=[NAMING]))
    assert again.status_code == 422
    assert "conflict of interest" in again.text


def test_counsels_authority_ends_by_either_record_and_no_refusal_tells_of_the_merge(two: Two) -> None:
    patel, dana = two.ray.site.person("patel"), two.ray.dana
    clients = [(client["participant"], client["roi"]) for client in patel.see("/v1/counsel/participants")["clients"]]
    assert len(clients) == 2

    def told() -> list[tuple[Any, ...]]:
        """What counsel hears of each, of an ROI that is not that record's."""
        word = {"word_of": "counsel", "medium": "oral"}
        (one, hers), (other, his) = clients
        paths = [f"/v1/participants/{who}/roi/{roi}/revocations" for who, roi in ((one, his), (other, hers))]
        return [raw(patel.post(path, word)) for path in paths]

    before = told()
    two.merge()
    assert told() == before

    (own,) = [who for who, roi in clients if patel.see(f"/v1/counsel/participants/{who}")["name"] == "Sunny Bell"]
    patel.do(f"/v1/participants/{own}/counsel/endings", {"word_of": "counsel"})
    (left,) = patel.see("/v1/counsel/participants")["clients"]
    assert left["name"] == "Ray Bell", "its own word is about the one that it named"
    again = patel.post(f"/v1/participants/{own}/counsel/endings", {"word_of": "counsel"})
    assert again.status_code == 404

    # The client's word is about counsel, whatever record is named.
    dana.do(f"/v1/participants/{two.away}/counsel/endings", {"counsel": "r-patel", "word_of": "participant"})
    assert patel.see("/v1/counsel/participants")["clients"] == []


def test_a_revocation_names_parties_that_an_roi_names(two: Two) -> None:
    """Counsel's authority is another instrument: one counsel does not end another's by an ROI."""
    dana, patel = two.ray.dana, two.ray.site.person("patel")
    revocations = f"/v1/participants/{two.ray.care}/roi/{two.ray.roi}/revocations"
    refused = dana.post(revocations, {"parties": ["r-patel"], "word_of": "participant", "medium": "oral"})
    assert [fault["field"] for fault in refused.json()["faults"]] == ["parties[0]"]
    replaced = dana.post(revocations, {"word_of": "participant", "medium": "replaced by a new ROI"})
    assert [fault["field"] for fault in replaced.json()["faults"]] == ["medium"]
    assert len(patel.see("/v1/counsel/participants")["clients"]) == 2


def test_a_person_has_one_slot_whichever_record_is_accepted(two: Two) -> None:
    dana, pat = two.ray.dana, two.ray.site.person("pat")
    theirs = dana.see(f"/v1/case-manager/participants/{two.away}")
    referral = next(e["stream_id"] for e in theirs["history"] if e["kind"] == "referral.offered")
    two.merge()
    before = pat.see("/v1/program/capacity")
    dana.do(f"/v1/referrals/{referral}/acceptance", {})
    two.ray.site.settle()
    after = pat.see("/v1/program/capacity")
    assert (after["waiting"], after["free"]) == (before["waiting"], before["free"]) == (0, before["free"])


def test_who_carries_the_record_merged_away_carries_the_person(two: Two) -> None:
    ray, noor = two.ray, two.ray.site.person("noor")
    ray.dana.do(f"/v1/participants/{ray.care}/discharge", {"ground": "sustained lack of engagement", "tried": "x"})
    ray.dana.do(f"/v1/participants/{ray.care}/return", {})
    noor.do(f"/v1/participants/{two.away}/assignment", {"case_manager": "luis"})
    cover = {"case_manager": "luis", "by": "dana", "participants": [two.away], "last_on": "2026-04-01"}
    noor.do("/v1/roster/cover", cover)
    two.merge()
    ray.site.settle()
    now = ray.dana.see(f"/v1/case-manager/participants/{ray.care}")
    assert now["case_manager"] == "Luis Moreno"
    assert ray.site.person("pat").see("/v1/program/capacity")["waiting"] == 0
    (mine,) = ray.site.person("luis").see("/v1/case-manager/caseload")["participants"]
    assert mine["participant"] == ray.care


def test_what_an_office_was_shown_by_one_record_counts_for_what_it_does_by_the_other(two: Two) -> None:
    ray, pat = two.ray, two.ray.site.person("pat")
    offices_id = ray.offices_id()
    assert ray.chen.see(f"/v1/prosecutor/participants/{offices_id}")["shared"]
    theirs = ray.dana.see(f"/v1/case-manager/participants/{two.away}")
    referral = next(e["stream_id"] for e in theirs["history"] if e["kind"] == "referral.offered")
    ray.dana.do(f"/v1/referrals/{referral}/acceptance", {})
    webb = ray.site.person("webb")
    (own,) = webb.see("/v1/police/referrals")["referrals"]
    webb.do(f"/v1/referrals/{own['referral_id']}/release", {"in_presence_of_codefendants": False})
    ray.site.settle()
    notices = ray.chen.see("/v1/prosecutor/notices")["notices"]
    other = next(n["participant_id"] for n in notices if n["incident_number"] == "2026-60000")
    assert other != offices_id
    two.merge()
    ray.at("2026-03-25 10:00")
    day = {"filed_on": "2026-03-24", "received_at": "2026-03-25T09:00:00-07:00"}
    file(ray.chen, other, "26-1-00777-1", **day)
    audited(ray.site)
    (found,) = findings(pat)
    assert found["verdict"] != "no exposure"
    assert found["person_was_shown"]


def test_a_name_or_number_corrected_while_merged_is_that_of_the_record_it_names(two: Two) -> None:
    ray, dana, webb = two.ray, two.ray.dana, two.ray.site.person("webb")
    two.merge()
    dana.do(f"/v1/participants/{two.away}/name", {"given": "Sonny", "surname": "Bell"})
    dana.do(f"/v1/participants/{two.away}/phone", {"phone": "206-555-0111"})
    dana.do(f"/v1/participants/{two.away}/aliases", {"alias": "Sun"})
    dana.do(f"/v1/participants/{ray.care}/name", {"given": "Raymond", "surname": "Bell"})
    ray.site.settle()
    merged = dana.see(f"/v1/case-manager/participants/{ray.care}")
    assert merged["name"] == "Raymond Bell"
    assert merged["merged"] == [{"participant": two.away, "name": "Sonny Bell", "phone": "206-555-0111"}]
    (theirs,) = webb.see(f"/v1/police/participants/{two.theirs}")["shared"]
    assert theirs["name"] == "Sonny Bell", "who knows that record alone reads what is corrected there"

    ray.site.person("noor").do(f"/v1/participants/{two.away}/unmerging", {"why": "The brother came in himself."})
    ray.site.settle()
    kept, away = (dana.see(f"/v1/case-manager/participants/{one}") for one in (ray.care, two.away))
    assert (kept["name"], kept["phone"], kept["other_names"]) == ("Raymond Bell", "206-555-0199", None)
    assert (away["name"], away["phone"], away["other_names"]) == ("Sonny Bell", "206-555-0111", ["Sun"])
    (theirs,) = webb.see(f"/v1/police/participants/{two.theirs}")["shared"]
    assert theirs["name"] == "Sonny Bell"


def test_what_a_participant_reads_of_itself_follows_a_merge_as_the_accounting_does(two: Two) -> None:
    ray = two.ray
    for record, subject in ((ray.care, "r.bell"), (two.away, "s.bell")):
        ray.dana.do(f"/v1/participants/{record}/access", {"subject": subject})
    himself, brother = ray.site.person("r.bell"), ray.site.person("s.bell")
    me, other = (each.see("/v1/me")["participant"] for each in (himself, brother))

    def history(who: Person) -> list[dict[str, Any]]:
        """Return all of it, a few lines a page."""
        found, cursor = [], ""
        while True:
            page = who.see(f"/v1/participant/history?limit=7{cursor}")
            found += page["history"]
            if page["next"] is None:
                return found
            cursor = f"&cursor={page['next']}"

    def given(who: Person) -> set[str]:
        lines = who.see("/v1/participant/recipients")["recipients"]
        assert {line["party"] for line in who.see("/v1/participant")["recipients"]} == {line["party"] for line in lines}
        return {line["party"] for line in lines}

    ray.site.settle()
    mine, his = history(himself), history(brother)
    assert {line["participant"] for line in mine} == {me}
    assert "transit-pd" not in given(himself)
    two.merge()
    joined = history(himself)
    assert len({line["participant"] for line in joined}) == 2
    assert len(joined) == len(mine) + len(his) + 2  # the merge, on each
    assert [line["occurred_at"] for line in joined] == sorted((line["occurred_at"] for line in joined), reverse=True)
    assert {"transit-pd", "city-pd"} <= given(himself)
    # Who has the record that was merged away reads of that alone: the other may yet be somebody else's.
    assert {line["participant"] for line in history(brother)} == {other}
    assert "city-pd" not in given(brother)

    ray.site.person("noor").do(f"/v1/participants/{two.away}/unmerging", {"why": "The brother came in himself."})
    ray.site.settle()
    assert {line["participant"] for line in history(himself)} == {me}
    assert "transit-pd" not in given(himself)
