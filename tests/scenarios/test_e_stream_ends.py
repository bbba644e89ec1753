"""However consent ends, what a party was sent ends alike; and what ends no consent moves not a byte of the stream."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from adapters.kafka.contract import CONTROL, PARTICIPANT_STATUS
from domain.identity import RecordLinked
from tests.adapters.kafka.test_cases import RAY, TOLD, Publisher, accused, filed, initiated, of
from tests.scenarios import ray as story
from tests.scenarios.stream import Streams, streams
from tests.scenarios.test_e_stream import key_of, opened, published, revoke
from tests.scenarios.test_r_revoked_at_night import AUTHORITY
from tests.site import SiteUnderTest, local

pytestmark = [pytest.mark.server, pytest.mark.kafka]
PARTIES = ("city-pd", "county-pa", "housing-co", "transit-pd", "probation")
NAME_ONLY = {"labels": ["identity.legal"], "purpose": story.COORDINATION}


@pytest.fixture
def out(lead: SiteUnderTest, kafka: str) -> Iterator[Streams]:
    with streams(lead, kafka, *PARTIES) as made:
        for party in PARTIES:
            made.account(party)
        yield made


def another(ray: story.Ray, name: str, officer: str, number: str) -> str:
    """Let another person be referred by an officer; return care's id of the record."""
    charge = {"code": "23C", "description": "Shoplifting", "severity": "misdemeanor", "prosecutor": "county-pa"}
    offer = {
        "door": "arrest_diversion",
        "person": {"given": name, "surname": "Bell", "birth_date": "1986-01-01"},
        "incident_number": number,
        "place": "Pine St",
        "facts": "Trespass.",
        "charges": [charge],
    }
    ray.site.person(officer).do("/v1/referrals", offer)
    ray.site.settle()
    team = ray.dana.see("/v1/case-manager/caseload?team=true")["participants"]
    found: str = next(one["participant"] for one in team if one["name"] == f"{name} Bell")
    return found


def sign(ray: story.Ray, record: str, party: str) -> None:
    grants = [NAME_ONLY | {"party": party}]
    ray.dana.do(f"/v1/participants/{record}/roi", story.form(grants=grants, warned=["county-pa"]))


def merge(ray: story.Ray, away: str) -> None:
    body = {"other": away, "why": "He gave his brother's name."}
    ray.site.person("noor").do(f"/v1/participants/{ray.care}/merges", body)


def last(out: Streams, party: str) -> list[str]:
    """Return what a party was told last, in each of its topics: all of each record but for ids and the beat's trace."""
    said = []
    for family in (PARTICIPANT_STATUS, CONTROL):
        raw = out.read(family.topic(party), anew=True)[-1]
        name = (raw.key or b"").decode()
        bare = repr((raw.headers, raw.key, raw.value)).replace(name, "K")
        said.append(re.sub("00-[0-9a-f]{32}-[0-9a-f]{16}", "T", bare))
    return said


def test_however_it_ends_it_ends_alike(lead: SiteUnderTest, out: Streams) -> None:
    """One beat after the midnight on which the form runs out; five parties, each of which lost it in another way."""
    ray = story.arrest(lead)
    noor = lead.person("noor")
    story.enrol(ray)
    ray.at("2026-03-24 10:00")
    brother, dead = another(ray, "Sunny", "webb", "2026-60000"), another(ray, "Mo", "kim", "2026-60001")
    sign(ray, brother, "transit-pd")
    sign(ray, dead, "probation")
    ray.dana.do(f"/v1/participants/{ray.care}/counsel", AUTHORITY)
    merge(ray, brother)
    lead.clock.at(local("2027-03-15 12:00"))
    assert out.beat() == len(PARTIES)

    patel = lead.person("patel")
    (client,) = patel.see("/v1/counsel/participants")["clients"]
    revocations = f"/v1/participants/{client['participant']}/roi/{client['roi']}/revocations"
    patel.do(revocations, {"parties": ["city-pd"], "word_of": "counsel", "medium": "written"})
    noor.do(f"/v1/participants/{dead}/death", {"died_at": "2027-03-15T11:00:00-07:00"})
    lead.person("pat").do("/v1/register/staff/endings", {"subject": "housing-co-stream"})
    revoke(ray, "transit-pd")  # by the record that was kept, of the one that was merged away
    lead.clock.at(local("2027-03-16 00:00:01"))  # county-pa's ran out
    held = {one.party: one for one in lead.parts.site.outbox.published()}
    assert out.beat() == len(PARTIES)
    shapes = [last(out, party) for party in PARTIES]
    assert shapes[1:] == shapes[:-1]
    status, control = shapes[0]
    assert status.endswith("None)"), "a tombstone"
    assert "StatusVersion" in control
    kept = lead.parts.site.outbox.published()
    assert all(one.withdrawn for one in kept)
    assert not [one for one in held.values() if lead.parts.site.outbox.key_of(one)], "every key is destroyed"
    assert out.beat() == 0


def test_two_records_of_one_person_are_two_to_a_party_merged_or_not(lead: SiteUnderTest, out: Streams) -> None:
    ray = story.arrest(lead)
    story.enrol(ray)
    brother = another(ray, "Sunny", "webb", "2026-60000")
    sign(ray, brother, "city-pd")
    assert out.beat() == len(story.grants()) + 1
    statuses, _ = out.told("city-pd")
    assert len({published(each).ParticipantKey for each in statuses}) == 2
    merge(ray, brother)
    assert out.beat() == 0, "no partner is told of a merge"
    lead.person("noor").do(f"/v1/participants/{brother}/unmerging", {"why": "The brother came in himself."})
    assert out.beat() == 0, "nor that it was none"
    merge(ray, brother)
    revoke(ray, "city-pd")
    assert out.beat() == 2
    tombstones, controls = out.told("city-pd")
    assert [each.event.tombstone for each in tombstones] == [True, True]
    assert {c.event.data["ParticipantKey"] for c in controls} == {published(each).ParticipantKey for each in statuses}


def test_a_discharge_changes_a_status_and_withdraws_none(lead: SiteUnderTest, out: Streams) -> None:
    """The ROI stands (T:280). That he is not enrolled any more is told as it would be on the page."""
    ray = story.arrest(lead)
    story.enrol(ray)
    out.beat()
    out.told("city-pd")
    rms = lead.person("city-pd-stream")
    ended = {"ground": "sustained lack of engagement", "tried": "Weekly outreach since October."}
    ray.dana.do(f"/v1/participants/{ray.care}/discharge", ended)
    out.beat()
    (told,), withdrawn = out.told("city-pd")
    assert withdrawn == []
    key = key_of(rms, published(told).KeyId)
    assert key is not None
    said = opened(published(told), key)
    assert said["PersonName"] == {"PersonFullName": "Ray Bell"}
    assert "EnrolmentStatusCode" not in said
    assert "CaseManager" not in said
    assert "discharge" not in str(said)


def test_of_a_matter_nothing_is_published_so_its_end_moves_no_byte(lead: SiteUnderTest, out: Streams) -> None:
    """An agency's record is linked, unlinked, sealed by a court or was entered in error: no party's stream tells."""
    ray = story.arrest(lead)
    story.enrol(ray)
    noor, office, court = lead.person("noor"), Publisher(lead, "county-pa"), Publisher(lead, "district-court")
    order: dict[str, Any] = {"CourtOrder": {"CourtOrderIssuingDate": {"Date": "2026-03-18"}}}

    def link() -> None:
        for match in noor.see("/v1/case-manager/matches")["matches"]:
            review = f"/v1/participants/{ray.care}/matches/{match['match_id']}/reviews"
            noor.do(review, {"same": True, "why": "He told us of it himself."})
        lead.settle()

    lead.clock.at(TOLD + timedelta(hours=1))
    out.beat()
    before = [out.read(family.topic(party), anew=True) for party in PARTIES for family in (PARTICIPANT_STATUS, CONTROL)]
    office.told("case.filed", filed("N-1", accused(RAY)))
    court.told("case.initiated", initiated("C-1", accused(RAY)))
    assert noor.see("/v1/case-manager/matches")["matches"]
    link()
    assert out.beat() == 0
    office.told("case.sealed", of("N-1", SealedScopeCode="case") | order, TOLD + timedelta(minutes=10))
    court.told("case.retracted", of("C-1"), TOLD + timedelta(minutes=10))
    assert out.beat() == 0
    court.told("case.initiated", initiated("C-2", accused(RAY)), TOLD + timedelta(minutes=20))
    link()
    linked = ray.history(RecordLinked.topic)[-1]["entry_id"]
    noor.do(f"/v1/participants/{ray.care}/links/{linked}/endings", {"why": "Another Ray Bell."})
    assert out.beat() == 0
    after = [out.read(family.topic(party), anew=True) for party in PARTIES for family in (PARTICIPANT_STATUS, CONTROL)]
    assert after == before
