"""Everything a real feed sends: each wrong message is set aside in whatever place it comes, and nothing else is."""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from adapters.bootstrap import Database as SiteDatabase
from adapters.bootstrap import Parts, opened
from adapters.kafka.envelope import Record
from adapters.kafka.gateway import _trace
from adapters.settings import Settings
from adapters.simulation.cast import set_up
from domain.stop_record import ArrestRecorded
from services.feed import Cursor, feed_of
from services.messages import DropMessage
from services.ports import Keeping, Raw
from tests.adapters.kafka.messages import ATN, INCIDENT, WHO, person, raws, record, settle
from tests.adapters.postgres.test_feed import holders
from tests.adapters.test_telemetry import told
from tests.conftest import Database
from tests.site import SET_UP

pytestmark = pytest.mark.server
RMS = "city-pd:WASPD0000"
TOPIC = "in.city-pd.arrest.v1"
CANARY = "Xochitlquetzal"
SCHEMA = "urn:lead:schema:arrest:recorded"
TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def arrest(number: int, kind: str = "arrest.recorded", *, source: str = RMS, **changes: Any) -> Record:
    """An arrest of somebody whom LEAD does not know."""
    who = {WHO: person(CANARY, CANARY, "1971-11-23"), "LeadDiversion": None}
    numbers = {ATN: f"A26-{number:07}", INCIDENT: f"2026-{number:05}"}
    return record(kind, source, who | numbers | changes)


def header(name: str, value: str) -> Callable[[Record], Record]:
    """Say something else in a header."""

    def change(good: Record) -> Record:
        return good._replace(headers=[*((n, v) for n, v in good.headers if n != name), (name, value.encode())])

    return change


def body(change: Callable[[bytes], bytes]) -> Callable[[Record], Record]:
    """Send other bytes."""
    return lambda good: good._replace(value=change(good.value or b""))


def said(old: str, new: str) -> Callable[[Record], Record]:
    """Say something else in the body."""

    def change(text: bytes) -> bytes:
        assert old.encode() in text
        return text.replace(old.encode(), new.encode(), 1)

    return body(change)


def naive(good: Record) -> Record:
    value = json.loads(good.value or b"")
    value["Arrest"]["ActivityDate"]["DateTime"] = "2026-02-14T02:10:00"
    return good._replace(value=json.dumps(value).encode())


def booking(good: Record) -> Record:
    return record("custody.booked", RMS)._replace(topic=good.topic)


Poison = tuple[str, Callable[[Record], Record], str, str]
POISONS: list[Poison] = [
    ("cut in its middle", body(lambda text: text[:-40]), "", "truncated"),
    ("Latin-1", body(lambda text: text.decode().replace(CANARY, f"{CANARY}é").encode("latin-1")), "", "charset"),
    ("UTF-16", body(lambda text: text.decode().encode("utf-16")), "", "charset"),
    ("another charset named", header("content-type", "application/json; charset=latin1"), "content-type", "charset"),
    ("empty", body(lambda _: b""), "", "empty"),
    ("null", lambda good: good._replace(value=None), "", "tombstone"),
    ("five megabytes", said(CANARY, CANARY * 400_000), "", "too_large"),
    ("NUL", said(CANARY, f"{CANARY}\\u0000"), "", "nul"),
    ("half a surrogate pair", said(CANARY, f"{CANARY}\\ud83d"), "", "surrogate"),
    ("the same name twice", said('"Arrest":', f'"Arrest":"{CANARY}","Arrest":'), "", "duplicate_name"),
    ("an unknown property", said('"Arrest":', f'"{CANARY}":"{CANARY}","Arrest":'), "", "extra_forbidden"),
    ("a time without offset", naive, "/Arrest/ActivityDate/DateTime", "time_naive"),
    ("a naive time of sending", header("ce_time", "2026-02-14T02:10:00"), "ce_time", "time_naive"),
    (
        "unknown major",
        header("ce_dataschema", f"{SCHEMA}:2-0-0"),
        "ce_dataschema",
        "unknown_major",
    ),
    ("unknown type", header("ce_type", f"org.lead.{CANARY}.v1"), "ce_type", "unknown_type"),
    ("another kind of topic", booking, "ce_type", "wrong_topic"),
    ("another party's", header("ce_source", f"urn:lead:{CANARY.lower()}:transit-pd:X"), "ce_source", "wrong_party"),
    ("a key not its own", lambda good: good._replace(key=CANARY.encode()), "key", "key_mismatch"),
    ("no key", lambda good: good._replace(key=None), "key", "missing"),
]


@dataclass
class Taking:
    """A site that takes one partition, and all that is written down of it."""

    parts: Parts
    spans: InMemorySpanExporter
    cursor: Cursor

    def take(self, lying: Sequence[Raw]) -> Counter[str]:
        site = self.parts.site
        with self.parts.spans.batch(TOPIC, [_trace(raw) for raw in lying]):
            return feed_of(site).take(site.directory.by_code("city-pd", "party"), lying, self.cursor)

    def next(self, *records: Record) -> list[Raw]:
        """Return records as they lie next in the partition."""
        here = [each._replace(topic=TOPIC) for each in records]
        return raws(*here, begin=self.cursor.next_offset)

    def again(self, offset: int) -> None:
        """Go on at an earlier offset."""
        stream = self.parts.site.stream
        stream.resume(TOPIC, 0, "first", offset)
        claimed = stream.claim(TOPIC, 0, "first")
        self.cursor = Cursor(TOPIC, 0, claimed.epoch, claimed.next_offset)

    def arrests(self) -> int:
        return len(self.parts.site.log.of_topics([ArrestRecorded.topic]))


@pytest.fixture
def site(site_db: Database, caplog: pytest.LogCaptureFixture) -> Iterator[Taking]:
    for name in ["root", *logging.root.manager.loggerDict]:
        caplog.set_level(logging.DEBUG, logger=name)
    spans = InMemorySpanExporter()
    db = SiteDatabase(site_db.owner_url, site_db.secrets, site_db.prefix)
    with opened(db, Settings(environment="test", prefix=site_db.prefix)) as parts:
        parts.spans._provider.add_span_processor(SimpleSpanProcessor(spans))
        set_up(parts.site, SET_UP)
        parts.site.directory.refresh()
        claimed = parts.site.stream.claim(TOPIC, 0, "first")
        yield Taking(parts, spans, Cursor(TOPIC, 0, claimed.epoch, claimed.next_offset))


@pytest.mark.parametrize(("what", "spoil", "place", "code"), POISONS, ids=[poison[0] for poison in POISONS])
def test_a_poisoned_message_is_set_aside_wherever_it_comes_and_nothing_else_is(
    site: Taking,
    site_db: Database,
    caplog: pytest.LogCaptureFixture,
    what: str,
    spoil: Callable[[Record], Record],
    place: str,
    code: str,
) -> None:
    stream, number = site.parts.site.stream, 0
    for position in range(4):
        good = [header("traceparent", TRACE)(arrest(number + n)) for n in range(4)]
        poison, behind = spoil(good[3]), arrest(number + 3, "arrest.amended")
        batch = site.next(*good[:position], poison, *good[position:3], behind)
        waits = poison.key == behind.key
        expected = Counter({"set aside": 1, "unknown": 3 if waits else 4}) + Counter(waits=int(waits))
        assert site.take(batch) == expected
        aside = stream.asides()[-1]
        assert [(fault["pointer"], fault["code"]) for fault in aside.faults] == [(place, code)]
        assert (aside.offset, aside.waiting) == (batch[position].offset, int(waits))
        before = site.arrests()
        assert site.take(site.next(*good[:3])) == Counter(duplicate=3), "sent again"
        site.again(batch[0].offset)
        site.take(batch)
        assert (site.arrests(), len(stream.asides())) == (before, 1), "read again"
        settle(site.parts.site, stream.kept(Keeping.SET_ASIDE)[0], DropMessage(why="It cannot be mended."))
        feed_of(site.parts.site).sweep()
        number += 4
        assert site.arrests() == number, "nothing is lost, and what waited is taken"
        told_of = json.dumps([dict(fault) for fault in aside.faults])
        assert CANARY.lower() not in told_of.lower()
    assert stream.asides() == []
    heard = "".join(map(told, site.spans.get_finished_spans()))
    assert TOPIC in heard
    for text in (heard, caplog.text):
        assert CANARY.lower() not in text.lower()
        assert "1971-11-23" not in text
    assert holders(site_db, CANARY) == []


def test_a_newer_minor_is_taken_without_what_is_new_in_it(site: Taking) -> None:
    newer = header("ce_dataschema", f"{SCHEMA}:1-9-0")
    more = said('"Arrest":', '"Weather":"rain","Arrest":')
    assert site.take(site.next(newer(more(arrest(1))), newer(arrest(2)))) == Counter({"unknown": 2})


def test_poison_alone_and_all_at_once_is_all_set_aside(site: Taking) -> None:
    batch = site.next(*(spoil(arrest(n)) for n, (_, spoil, _, _) in enumerate(POISONS)))
    assert site.take(batch) == Counter({"set aside": len(POISONS)})
    assert [aside.offset for aside in site.parts.site.stream.asides()] == [raw.offset for raw in batch]
    assert site.arrests() == 0


def test_headers_that_are_no_text_and_nothing_at_all(site: Taking) -> None:
    lying = [
        Raw(TOPIC, 0, 0, (), None, None),
        Raw(TOPIC, 0, 1, (("ce_id", b"\xff"), ("ce_source", b"\0"), ("content-type", b"")), b"\xff\0", b"\xff"),
        Raw(TOPIC, 0, 2, (("ce_id", b"1"), ("ce_id", b"2")), b"k", b"{}"),
    ]
    assert site.take(lying) == Counter({"set aside": 3})
