"""Scenario B by stream: before the ROI nothing of Ray leaves; of the hospital nothing ever does, on any topic."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from adapters.kafka.contract import ACK, CONTROL, PARTICIPANT_STATUS
from services.ports import Raw
from tests.scenarios import ray as story
from tests.scenarios.stream import Streams, streams
from tests.site import SiteUnderTest

pytestmark = [pytest.mark.server, pytest.mark.kafka]
PARTIES = ("city-pd", "county-pa", "housing-co")
NEVER = ("hospital", "Harborview", "surgery", "two more weeks", "Ray Bell", "1984-05-09", "ferry terminal", "daughter")


@pytest.fixture
def out(lead: SiteUnderTest, kafka: str) -> Iterator[Streams]:
    with streams(lead, kafka, *PARTIES) as made:
        yield made


def everything(out: Streams) -> list[Raw]:
    """Return every record that LEAD wrote for anyone."""
    topics = [family.topic(party) for party in PARTIES for family in (PARTICIPANT_STATUS, CONTROL, ACK)]
    return [raw for topic in topics for raw in out.read(topic, anew=True)]


def test_the_extension_and_the_intake_on_the_stream(lead: SiteUnderTest, out: Streams) -> None:
    ray = story.arrest(lead)
    for party in PARTIES:
        out.account(party)
    ray.at("2026-03-10 10:00")
    asked = {"until": "2026-03-30", "reason": story.HOSPITAL}
    ray.dana.do(f"/v1/referrals/{ray.care_referral}/extensions", asked)
    out.beat()
    ray.at("2026-03-12 09:00")
    ray.ortiz.do(f"/v1/referrals/{ray.referral}/extension-agreements", {"until": "2026-03-30"})
    out.beat()
    assert everything(out) == [], "no ROI, no record: not even that there is somebody"
    story.enrol(ray)
    assert out.beat() == len(PARTIES), "one sealed status for each party that the form names"
    records = everything(out)
    assert [raw.value is not None for raw in records] == [True] * len(PARTIES)
    for raw in records:
        said = (raw.key or b"") + (raw.value or b"") + b"".join(name.encode() + value for name, value in raw.headers)
        assert not [word for word in NEVER if word.lower().encode() in said.lower()]
    assert len({raw.key for raw in records}) == len(PARTIES), "no two parties can compare what they call him"
