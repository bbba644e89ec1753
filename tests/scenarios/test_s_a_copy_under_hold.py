"""Scenario S: what the office had taken lies under a hold; it says so, and Ray reads it. Silence is noticed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from adapters.kafka.translate import reader
from services.feed import Feed
from tests.adapters.kafka.messages import raws, record
from tests.scenarios import ray as story
from tests.scenarios.stream import Streams, streams
from tests.site import SiteUnderTest, local

pytestmark = [pytest.mark.server, pytest.mark.kafka]


@pytest.fixture
def out(lead: SiteUnderTest, kafka: str) -> Iterator[Streams]:
    with streams(lead, kafka, "city-pd", "county-pa") as made:
        yield made


def test_a_copy_under_hold(lead: SiteUnderTest, out: Streams) -> None:
    ray = story.arrest(lead)
    for party in ("city-pd", "county-pa"):
        out.account(party)
    story.enrol(ray)
    out.beat()
    for party in ("city-pd", "county-pa"):
        out.told(party)
    imani = lead.person("imani")
    assert imani.see("/v1/privacy/withdrawals")["withdrawals"] == []

    lead.clock.at(local("2026-04-08 14:03:07"))
    word = {"word_of": "participant", "medium": "oral", "parties": ["city-pd", "county-pa"]}
    lead.person("noor").do(f"/v1/participants/{ray.care}/roi/{ray.roi}/revocations", word)
    out.beat()
    lead.settle()
    awaited = imani.see("/v1/privacy/withdrawals")["withdrawals"]
    assert {(each["party"], each["receipt"], each["overdue"]) for each in awaited} == {
        ("city-pd", None, False),
        ("county-pa", None, False),
    }

    # The office's system answers: the copy is under a litigation hold. It answers twice, and of somebody else's too.
    _, (control,) = out.told("county-pa")
    key = control.event.data["ParticipantKey"]
    said = {
        "ParticipantKey": key,
        "ControlMessageID": control.event.id,
        "ReceiptCode": "held",
        "ReceiptDate": {"DateTime": "2026-04-08T15:00:00-07:00"},
    }
    lead.clock.at(local("2026-04-08 15:01"))
    feed = Feed(lead.parts.site, lead.parts.log.stream, reader())
    office = lead.parts.site.directory.by_code("county-pa", "party")
    receipts = [record("receipt", "county-pa:case-management", change) for change in (said, said)]
    wrong = record("receipt", "county-pa:case-management", said | {"ControlMessageID": "w-nothing-1"})
    assert feed.take(office, raws(*receipts, wrong)) == {"accepted": 2, "set aside": 1}
    lead.settle()
    assert len(ray.history("receipt.given")) == 1

    # Ray reads it in his own list; nobody tells the office anything.
    ray.dana.do(f"/v1/participants/{ray.care}/access", {"subject": "r.bell"})
    lead.settle()
    himself = lead.person("r.bell")
    lines = himself.see(f"/v1/participants/{himself.see('/v1/me')['participant']}/accounting")["disclosures"]
    (held,) = [line for line in lines if line["what"] == "receipt"]
    assert (held["to"], held["purpose"]) == ("County Prosecuting Attorney", "already received, kept under a duty")
    assert "receipt" not in str(ray.chen.see(f"/v1/prosecutor/participants/{ray.offices_id()}"))

    # The department says nothing: when its seven local days are over the privacy officer's list says so, and goes on.
    for moment, late in (("2026-04-15 23:59", False), ("2026-04-16 00:00", True), ("2026-06-01 09:00", True)):
        lead.clock.at(local(moment))
        listed = {each["party"]: each for each in imani.see("/v1/privacy/withdrawals")["withdrawals"]}
        assert listed["city-pd"]["overdue"] is late
        assert (listed["county-pa"]["receipt"], listed["county-pa"]["overdue"]) == ("held", False)
