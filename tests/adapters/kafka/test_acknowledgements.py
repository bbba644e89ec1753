"""What a sender hears of its messages depends on the message alone: to send arrests is no way to ask who is in LEAD."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from adapters.kafka import contract
from adapters.kafka.contract import ACK, RECEIPT
from adapters.kafka.envelope import Record
from adapters.kafka.messages.outgoing import MessageAcknowledged
from adapters.kafka.translate import reader
from services.feed import Cursor, Feed, Unread, fault, feed_of
from services.messages import TakeMessageAgain
from services.ports import Keeping, Raw
from services.relay import withdrawal_id
from tests.adapters.kafka.messages import ATN, WHO, person, raws, record, settle
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


def misread(lead: SiteUnderTest, *records: Record, stream: bool = True) -> None:
    """Let messages be set aside that an earlier version of the site could not read, though it knew whose they were."""
    site = lead.parts.site
    wrong = (fault("/Arrest", "unknown_property", "A newer version of the contract has it."),)

    def read(_: Any, raw: Raw) -> Unread:
        headers = dict(raw.headers)
        return Unread(f"order {raw.offset}", wrong, f"{headers['ce_source'].decode()} {headers['ce_id'].decode()}")

    claimed = site.stream.claim(TOPIC, 0, "T1")
    cursor = Cursor(TOPIC, 0, claimed.epoch, claimed.next_offset) if stream else None
    feed = Feed(site, site.stream, read)
    feed.take(site.directory.by_code("city-pd", "party"), raws(*records, begin=claimed.next_offset), cursor)


def replayed(lead: SiteUnderTest) -> None:
    for aside in lead.parts.site.stream.kept(Keeping.SET_ASIDE):
        settle(lead.parts.site, aside, TakeMessageAgain(why="This version reads it."))


def test_that_a_refused_message_was_taken_after_all_is_told(lead: SiteUnderTest, out: Streams) -> None:
    misread(lead, arrest("A26-1", person("A", "B", None), id_="read-later"))
    out.beat()
    replayed(lead)
    out.beat()
    said = heard(out)
    assert [(each.MessageID, each.AcknowledgementCode) for each in said] == [
        ("read-later", "refused"),
        ("read-later", "accepted"),
    ]
    assert said[1].MessageSource == said[0].MessageSource
    assert not said[1].MessageError
    feed_of(lead.parts.site).sweep()
    assert out.beat() == 0, "once: what becomes of it later depends on whom LEAD knows"


def test_of_a_message_that_was_accepted_no_second_word_tells_that_a_person_looked_at_it(
    lead: SiteUnderTest, out: Streams
) -> None:
    """A receipt that came before the withdrawal which it answers can be read: a rule of the site refuses it."""
    ray = story.arrest(lead)
    out.account("city-pd")
    story.enrol(ray)
    out.beat()
    said = {"ParticipantKey": ray.participant, "ControlMessageID": withdrawal_id(ray.participant, 2)}
    site, topic = lead.parts.site, RECEIPT.topic("city-pd")
    claimed = site.stream.claim(topic, 0, "T1")
    cursor = Cursor(topic, 0, claimed.epoch, claimed.next_offset)
    party = site.directory.by_code("city-pd", "party")
    taken = Feed(site, site.stream, reader()).take(party, raws(record("receipt", RMS, said)), cursor)
    assert taken == {"set aside": 1}
    word = {"word_of": "participant", "medium": "oral", "parties": ["city-pd"]}
    lead.person("noor").do(f"/v1/participants/{ray.care}/roi/{ray.roi}/revocations", word)
    out.beat()
    replayed(lead)
    assert site.stream.kept() == []
    out.beat()
    assert [each.AcknowledgementCode for each in heard(out)] == ["accepted"]


def test_a_file_that_could_not_be_read_is_not_acknowledged_later_either(lead: SiteUnderTest, out: Streams) -> None:
    misread(lead, arrest("A26-1", person("A", "B", None), id_="of-a-file"), stream=False)
    replayed(lead)
    assert out.beat() == 0


def test_what_no_topic_took_in_its_days_is_never_told_and_counted(lead: SiteUnderTest, out: Streams) -> None:
    misread(lead, *(arrest(f"A26-{n}", person("A", "B", None)) for n in range(3)))
    site = lead.parts.site
    days = timedelta(days=site.protocol().acknowledgement_days)
    (waits,) = site.outbox.health().untold
    feed, begun = feed_of(site), waits.acknowledgements_since
    assert begun is not None

    def unsent() -> tuple[int, str | None, int]:
        """Return what the project manager hears of it."""
        well = lead.person("pat").see("/v1/program/health")
        return well["messages_unsent"], well["messages_unsent_since"], well["messages_never_told"]

    lead.clock.at(begun + days - timedelta(minutes=1))
    feed.sweep()
    (waits,) = site.outbox.health().untold
    assert (waits.acknowledgements, waits.acknowledgements_since, waits.never) == (3, begun, 0)
    assert unsent() == (3, begun.isoformat(), 0)
    lead.clock.at(begun + days)
    feed.sweep()
    (gone,) = site.outbox.health().untold
    assert (gone.acknowledgements, gone.never) == (0, 3)
    assert unsent() == (0, None, 3)
    assert out.beat() == 0
