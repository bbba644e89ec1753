"""What a sender hears of its messages depends on the message alone: to send arrests is no way to ask who is in LEAD."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from adapters.kafka import contract
from adapters.kafka.contract import ACK
from adapters.kafka.envelope import Record
from adapters.kafka.messages.outgoing import MessageAcknowledged
from adapters.kafka.translate import reader
from services.feed import Cursor, Feed
from services.ports import Raw
from tests.adapters.kafka.messages import ATN, WHO, person, raws, record
from tests.conftest import Database
from tests.scenarios import ray as story
from tests.scenarios.stream import Streams, streams
from tests.site import SiteUnderTest, running_site

pytestmark = [pytest.mark.server, pytest.mark.kafka]
RMS = "city-pd:WASPD0000"
TOPIC = "in.city-pd.arrest.v1"


@pytest.fixture
def lead(site_db: Database) -> Iterator[SiteUnderTest]:
    with running_site(site_db) as site:
        yield site


@pytest.fixture
def out(lead: SiteUnderTest, kafka: str) -> Iterator[Streams]:
    with streams(lead, kafka, "city-pd") as made:
        yield made


def heard(out: Streams) -> list[MessageAcknowledged]:
    found = []
    for raw in out.read(ACK.topic("city-pd")):
        body = contract.read(Record(raw.headers, raw.key, raw.value, ACK.topic("city-pd"))).body
        assert isinstance(body, MessageAcknowledged)
        assert raw.key == body.MessageID.encode()
        found.append(body)
    return found


def arrest(number: str, who: dict[str, Any], **more: Any) -> Record:
    return record("arrest.recorded", RMS, {WHO: who, ATN: number, "LeadDiversion": None}, **more)


def test_of_whom_a_message_speaks_cannot_be_heard(lead: SiteUnderTest, out: Streams) -> None:
    story.arrest(lead)
    bell = person("Ray", "Bell", "1984-05-09", sid="WA10044871")
    sent = [
        arrest("A26-1", bell, id_="of-one-in-lead"),
        arrest("A26-2", person("Xochitl", "Quetzal", "1971-11-23", sid="WA77777777"), id_="of-a-stranger"),
        arrest("A26-1", bell, id_="of-one-in-lead"),
        record("arrest.retracted", RMS, {ATN: "A26-777"}, id_="of-what-never-came"),
        record(
            "arrest.recorded", RMS, {ATN: "A26-4", "Arrest/ActivityDate/DateTime": "2026-02-14T02:10:00"}, id_="bad"
        ),
        record("arrest.amended", RMS, {ATN: "A26-4"}, id_="behind-the-bad-one"),
    ]
    unreadable = Raw(TOPIC, 0, len(sent), (("content-type", b"application/json"),), b"k", b"{")
    site, stream = lead.parts.site, lead.parts.log.stream
    claimed = stream.claim(TOPIC, 0, "T1")
    cursor = Cursor(TOPIC, 0, claimed.epoch, claimed.next_offset)
    party = site.directory.by_code("city-pd", "party")
    tally = Feed(site, stream, reader()).take(party, [*raws(*sent), unreadable], cursor)
    assert len(tally) > 2, "inside they come to very different things"
    assert heard(out) == [], "nothing between beats"
    out.beat()
    said = heard(out)
    assert [(each.MessageID, each.AcknowledgementCode) for each in said] == [
        ("of-one-in-lead", "accepted"),
        ("of-a-stranger", "accepted"),
        ("of-one-in-lead", "accepted"),
        ("of-what-never-came", "accepted"),
        ("bad", "refused"),
        ("behind-the-bad-one", "accepted"),
    ]
    (fault,) = said[4].MessageError
    assert (fault.ErrorPointerText, fault.ErrorCodeText) == ("/Arrest/ActivityDate/DateTime", "time_naive")
    assert not any(each.MessageError for each in said if each is not said[4])
    assert out.beat() == 0
    assert site.outbox.acknowledged(10) == []


def test_a_file_is_not_acknowledged(lead: SiteUnderTest, out: Streams) -> None:
    site = lead.parts.site
    party = site.directory.by_code("city-pd", "party")
    Feed(site, lead.parts.log.stream, reader()).take(party, raws(arrest("A26-1", person("A", "B", None))))
    assert out.beat() == 0
