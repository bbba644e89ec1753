"""Messages of agencies on a real log: each taken once and in its order, or kept with what is wrong, never in clear."""

from __future__ import annotations

import base64
import random
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

import orjson
import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.bootstrap import Database as SiteDatabase
from adapters.bootstrap import opened
from adapters.postgres import stream as kept_in
from adapters.settings import Settings
from adapters.simulation.cast import Clock, set_up
from domain.refusal import Refused
from domain.stop_record import StopRecorded, stop_stream
from services import feed as feeding
from services.directory import Party
from services.feed import Cursor, Early, Effect, Feed, Message, Told, Unread, fault, feed_of
from services.messages import DropMessage, TakeMessageAgain
from services.ports import Caller, Fenced, Keeping, Raw
from services.site import Site, append
from tests.adapters.kafka.messages import settle
from tests.conftest import Database

pytestmark = pytest.mark.server
TOPIC = "in.city-pd.arrest.v1"
CANARY = "Xochitl-Quetzal"


class Seen(Told):
    """A stop, after another one if it names it; refused if it says so."""

    number: int
    after: int | None = None
    wrong: bool = False
    about: str | None = None


def stop(number: int) -> UUID:
    return stop_stream("test", str(number))


def tell(site: Site, caller: Caller, told: Seen) -> Effect:
    if told.wrong:
        raise Refused("number", f"{told.number} is wrong.", "Mend it.")
    if told.about is not None:
        return Effect(keep=Keeping.UNKNOWN)
    if told.after is not None and not site.log.load(stop(told.after)):
        raise Early
    if site.log.load(stop(told.number)):
        return Effect()
    event = StopRecorded(
        party_id=caller.party, occurred_at=site.now(), source="test", number=str(told.number), arrested=True
    )
    return Effect([append(stop(told.number), 0, event)])


def read(_party: Party, raw: Raw) -> Message | Unread:
    order = (raw.key or b"").decode()
    try:
        said = orjson.loads(raw.value or b"")
    except orjson.JSONDecodeError:
        return Unread(order or f"{raw.partition}/{raw.offset}", (fault("", "json", "It is not JSON."),))
    return Message(said.pop("id"), order, Seen(**said))


def raw(offset: int, key: str, value: dict[str, Any] | bytes) -> Raw:
    body = value if isinstance(value, bytes) else orjson.dumps({"id": str(offset)} | value)
    return Raw(TOPIC, 0, offset, (("content-type", b"application/json"),), key.encode(), body)


@pytest.fixture
def tellers(monkeypatch: pytest.MonkeyPatch) -> None:
    _tellers(monkeypatch, tell)


def _tellers(monkeypatch: pytest.MonkeyPatch, teller: Callable[..., Effect]) -> None:
    monkeypatch.setattr(feeding, "TELLERS", {Seen: teller})


@pytest.fixture
def site(site_db: Database, tellers: None) -> Iterator[tuple[Site, Feed, Party, Database]]:
    db = SiteDatabase(site_db.owner_url, site_db.secrets, site_db.prefix)
    with opened(db, Settings(environment="test", prefix=site_db.prefix)) as parts:
        set_up(parts.site, datetime.now(UTC).date() - timedelta(days=1))
        parts.site.directory.refresh()
        party = parts.site.directory.by_code("city-pd", "party")
        site = replace(parts.site, read=read)
        yield site, feed_of(site), party, site_db


def claim(feed: Feed, topic_id: str = "first") -> Cursor:
    claimed = feed.stream.claim(TOPIC, 0, topic_id)
    return Cursor(TOPIC, 0, claimed.epoch, claimed.next_offset)


def taken(site: Site) -> list[int]:
    return [
        int(r.event.number)
        for r in site.log.of_topics([StopRecorded.topic])
        if isinstance(r.event, StopRecorded) and r.event.source == "test"
    ]


Open = tuple[Site, Feed, Party, Database]


def test_what_comes_twice_is_taken_once(site: Open) -> None:
    log, feed, party, _ = site
    cursor = claim(feed)
    messages = [raw(n, "k", {"number": n}) for n in range(3)]
    assert feed.take(party, messages, cursor) == Counter(accepted=3)
    again = [raw(n + 3, "k", {"number": n, "id": str(n)}) for n in range(3)]
    assert feed.take(party, again, cursor) == Counter(duplicate=3)
    assert feed.stream.claim(TOPIC, 0, "first").next_offset == 6
    assert taken(log) == [0, 1, 2]


@pytest.mark.parametrize("poisoned", range(5))
@pytest.mark.parametrize("poison", [{"number": 9, "wrong": True}, b"{"], ids=["refused", "truncated"])
def test_one_poisoned_message_stops_nothing_but_its_own_key(site: Open, poisoned: int, poison: Any) -> None:
    log, feed, party, _ = site
    keys = ["a", "b", "a", "b", "a"]
    batch = [raw(n, key, poison if n == poisoned else {"number": n}) for n, key in enumerate(keys)]
    tally = feed.take(party, batch, claim(feed))
    behind = [n for n in range(poisoned + 1, 5) if keys[n] == keys[poisoned]]
    assert tally == Counter({"set aside": 1, "waits": len(behind), "accepted": 4 - len(behind)}) + Counter()
    assert taken(log) == [n for n in range(5) if n != poisoned and n not in behind]
    (aside,) = feed.stream.kept(Keeping.SET_ASIDE)
    settle(log, aside, DropMessage(why="A test of theirs."))
    feed.sweep()
    assert taken(log)[-len(behind) :] == behind or not behind
    assert sorted(taken(log)) == [n for n in range(5) if n != poisoned]
    assert feed.stream.kept() == []


def test_what_was_set_aside_is_taken_when_it_can_be(site: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    log, feed, party, _ = site
    feed.take(party, [raw(0, "a", {"number": 0, "wrong": True}), raw(1, "a", {"number": 1})], claim(feed))
    (aside,) = feed.stream.kept(Keeping.SET_ASIDE)
    assert aside.faults == ({"pointer": "/number", "code": "refused", "sentence": "The rules of the site refuse it."},)
    with pytest.raises(Refused, match="The rules of the site refuse it"):
        settle(log, aside, TakeMessageAgain(why="Again."))
    assert feed.stream.blocked(party.id, [aside.key]), "it is set aside as before"
    _tellers(monkeypatch, lambda site, caller, told: tell(site, caller, told.model_copy(update={"wrong": False})))
    settle(log, aside, TakeMessageAgain(why="The rule was wrong."))
    assert taken(log) == [0]
    feed.sweep()
    assert taken(log) == [0, 1]


def test_what_speaks_of_something_to_come_waits_for_it(site: Open) -> None:
    log, feed, party, _ = site
    cursor = claim(feed)
    late = [raw(0, "d", {"number": 2, "after": 1}), raw(1, "d", {"number": 1, "after": 0})]
    assert feed.take(party, late, cursor) == Counter(early=2)
    feed.take(party, [raw(2, "d", {"number": 0})], cursor)
    assert taken(log) == [0, 1, 2]
    assert feed.stream.kept() == []


def test_in_one_batch_the_second_sees_what_the_first_did(site: Open) -> None:
    log, feed, party, _ = site
    batch = [raw(0, "a", {"number": 1}), raw(1, "a", {"number": 1}), raw(2, "a", {"number": 2, "after": 1})]
    assert feed.take(party, batch, claim(feed)) == Counter(accepted=3)
    assert taken(log) == [1, 2]


def test_a_message_is_read_once_however_often_its_batch_is_cut(site: Open) -> None:
    _, feed, party, _ = site
    times: Counter[int] = Counter()

    def counted(party: Party, raw: Raw) -> Message | Unread:
        times[raw.offset] += 1
        return read(party, raw)

    messages = [raw(n, "k", {"number": n // 2}) for n in range(8)]
    assert replace(feed, read=counted).take(party, messages, claim(feed)) == Counter(accepted=8)
    assert times == Counter(range(8))


def test_whoever_was_replaced_records_nothing(site: Open) -> None:
    log, feed, party, _ = site
    first = claim(feed)
    second = claim(feed)
    with pytest.raises(Fenced):
        feed.take(party, [raw(0, "a", {"number": 1})], first)
    assert taken(log) == []
    feed.take(party, [raw(0, "a", {"number": 1})], second)
    assert taken(log) == [1]


def test_another_topic_of_the_same_name_is_not_gone_on_with(site: Open) -> None:
    _, feed, party, _ = site
    cursor = claim(feed)
    feed.take(party, [raw(0, "a", {"number": 1})], cursor)
    assert feed.stream.claim(TOPIC, 0, "second").stopped == "another topic of this name"
    with pytest.raises(Fenced):
        feed.take(party, [raw(1, "a", {"number": 2})], cursor)
    feed.stream.resume(TOPIC, 0, "second", 0)
    went_on = feed.stream.claim(TOPIC, 0, "second")
    assert (went_on.next_offset, went_on.stopped) == (0, None)


def test_where_another_topic_of_the_name_has_others_in_the_same_places_both_are_kept(site: Open) -> None:
    _, feed, party, _ = site
    first = [raw(0, "a", b"{"), raw(1, "b", {"id": "one", "number": 1, "about": "x"})]
    feed.take(party, first, claim(feed))
    feed.stream.resume(TOPIC, 0, "second", 0)
    second = [raw(0, "a", b"["), raw(1, "b", {"id": "two", "number": 2, "about": "y"})]
    assert feed.take(party, second, claim(feed, "second")) == Counter({"set aside": 1, "unknown": 1})
    assert len(feed.stream.kept()) == 4
    feed.stream.resume(TOPIC, 0, "second", 0)
    assert feed.take(party, second, claim(feed, "second")) == Counter(duplicate=2), "read again"
    assert len(feed.stream.kept()) == 4


def test_nothing_of_what_is_kept_lies_in_clear_and_nothing_is_left_of_it(site: Open) -> None:
    _, feed, party, database = site
    clock = Clock(database.owner_url)
    now = datetime.now(UTC)
    clock.at(now)
    feed.take(party, [raw(0, CANARY, {"number": 1, "about": CANARY})], claim(feed))
    (kept,) = feed.stream.kept(Keeping.UNKNOWN)
    assert CANARY.encode() in (kept.raw.value or b"")
    assert not holders(database, CANARY)
    hours = feed.site.protocol().feed_hours
    clock.at(now + timedelta(hours=hours, seconds=1))
    assert feed.stream.kept() == [], "its time is over, purged or not"
    feed.sweep()
    with psycopg.connect(database.owner_url) as owner:
        assert owner.execute("select count(*) from stream.kept").fetchall() == [(0,)]
    clock.at(now + timedelta(hours=hours, days=1))
    feed.sweep()
    with psycopg.connect(database.owner_url) as owner:
        ((alive,),) = owner.execute(
            "select count(*) from log.key join stream.day using (key_id) where wrapped is not null"
        ).fetchall()
    assert alive == 0, "a copy of the table cannot be read any more"


def _as_before(raw: Raw) -> dict[str, Any]:
    def text(value: bytes | None) -> str | None:
        return None if value is None else base64.b64encode(value).decode()

    headers = [(name, text(value)) for name, value in raw.headers]
    return {"headers": headers, "key": text(raw.key), "value": text(raw.value)}


@pytest.mark.parametrize("before", [False, True], ids=["now", "by an earlier version"])
def test_what_is_kept_comes_back_byte_for_byte(site: Open, monkeypatch: pytest.MonkeyPatch, before: bool) -> None:
    _, feed, party, _ = site
    every = bytes(range(256))
    came = [Raw(TOPIC, 0, 0, (("own", every), ("none", b"")), b"k", every), Raw(TOPIC, 0, 1, (), None, None)]
    with monkeypatch.context() as patched:
        if before:
            patched.setattr(kept_in, "_closed", _as_before)
        assert feed.take(party, came, claim(feed)) == Counter({"set aside": 2})
    assert [kept.raw for kept in feed.stream.kept()] == came


def holders(database: Database, text: str) -> list[str]:
    """Return the tables in which a text lies, in clear or in base64."""
    found = []
    with psycopg.connect(database.owner_url) as owner:
        tables = owner.execute(
            "select c.oid::regclass::text from pg_class c join pg_namespace n on n.oid = c.relnamespace"
            " where c.relkind = 'r' and n.nspname not in ('pg_catalog', 'information_schema')"
        ).fetchall()
        for (table,) in tables:
            for (row,) in owner.execute(f"select to_jsonb(t)::text from {table} t".encode()):
                # jsonb writes bytes in hexadecimal
                shapes = (text, base64.b64encode(text.encode()).decode()[:-4], text.encode().hex())
                if any(shape in row for shape in shapes):
                    found.append(table)
    return found


def test_two_that_take_the_same_at_once_take_each_once(site: Open) -> None:
    log, feed, party, _ = site
    batch = [raw(n, str(n % 3), {"number": n}) for n in range(40)]

    def work(_: int) -> None:
        for _attempt in range(50):
            cursor = claim(feed)
            try:
                while cursor.next_offset < len(batch):
                    feed.take(party, batch[cursor.next_offset : cursor.next_offset + 3], cursor)
            except Fenced:
                continue
            return

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(work, range(2)))
    assert taken(log) == list(range(40))


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32))
def test_whatever_the_order_and_the_cuts_each_is_taken_once_and_in_order(
    new_site_db: Callable[[], Database], tellers: None, seed: int
) -> None:
    chance = random.Random(seed)
    last: dict[str, int] = {}
    batch: list[tuple[str, dict[str, Any]]] = []
    for number in range(12):
        key = chance.choice("abc")
        batch.append((key, {"number": number, "after": last.get(key)}))
        last[key] = number
    for n in range(len(batch) - 1):  # some come too early, some twice
        if chance.random() < 0.3:
            batch[n], batch[n + 1] = batch[n + 1], batch[n]
    raws: list[Raw] = []
    for key, said in batch:
        for _ in range(1 + (chance.random() < 0.2)):
            raws.append(raw(len(raws), key, said | {"id": str(said["number"])}))
    database = new_site_db()
    db = SiteDatabase(database.owner_url, database.secrets, database.prefix)
    with opened(db, Settings(environment="test", prefix=database.prefix)) as parts:
        set_up(parts.site, datetime.now(UTC).date() - timedelta(days=1))
        parts.site.directory.refresh()
        party = parts.site.directory.by_code("city-pd", "party")
        feed = Feed(parts.site, parts.log.stream, read)
        cursor = claim(feed)
        while cursor.next_offset < len(raws):
            cut = chance.randint(1, 5)
            feed.take(party, raws[cursor.next_offset : cursor.next_offset + cut], cursor)
        done = taken(parts.site)
    assert sorted(done) == list(range(12))
    for key in "abc":
        numbers = [said["number"] for k, said in batch if k == key]
        assert [n for n in done if n in numbers] == sorted(numbers)


def test_a_key_names_nobody(site: Open) -> None:
    _, feed, party, _ = site
    feed.take(party, [raw(0, "bell-ray", {"number": 1, "wrong": True})], claim(feed))
    (aside,) = feed.stream.kept()
    assert aside.key != uuid5(party.id, "bell-ray").bytes
    assert b"bell" not in aside.key
