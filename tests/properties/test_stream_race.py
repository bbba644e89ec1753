"""Revocation is linearizable on a real broker: what Apache Kafka holds, and what of it a party's system can open.

The systems read their topics as they are written, ask for the key of each record at once, and keep what they are given.
`test_revocation_anywhere.py` races the same with a stand-in for the broker, where there is none.
"""

from __future__ import annotations

import base64
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

import pytest
from kafka import TopicPartition

from adapters.kafka.contract import PARTICIPANT_STATUS, Message
from adapters.kafka.gateway import raw_of
from adapters.kafka.messages.outgoing import StatusPublished
from services.ports import Raw, Unavailable
from services.register import party_id
from services.relay import Out
from tests.conftest import Database
from tests.properties.history import disordered, logged, stale
from tests.properties.test_revocation_anywhere import Told
from tests.properties.test_revocation_race import (
    EXTRA,
    FEW,
    MARK,
    READER,
    Mark,
    Race,
    dying,
    narrowing,
    number,
    raced,
    revoking,
)
from tests.scenarios.stream import Streams, streams
from tests.scenarios.test_e_stream import opened
from tests.site import Person

pytestmark = [pytest.mark.server, pytest.mark.kafka]

PEOPLE = max(FEW // 2, 6)
ENDINGS: tuple[tuple[Callable[[Race], Callable[[int], object]], tuple[str, ...]], ...] = (
    (revoking, ("grant", "told")),
    (narrowing, ("told",)),
    (dying, ("grant", "told")),
)
Version = tuple[str, str, int]
"""One record of a participant: the party, what it calls the participant, and the status's version."""


@pytest.fixture
def race(site_db: Database) -> Iterator[Race]:
    with raced(site_db, Race) as made:
        yield made


def facts(party: str, status: StatusPublished, key: bytes) -> frozenset[Mark]:
    """Return what the record says to whom has its key."""
    scope = opened(status, key)["ConsentScope"]
    ((_, n),) = MARK.findall(scope["PurposeText"].encode())
    return frozenset({Mark("grant", int(n)), *([Mark("told", int(n))] if EXTRA[party] in scope["LabelCode"] else [])})


@dataclass(slots=True)
class Systems:
    """The records systems of all parties. `keys`: what each was given, by the key's id; `refused`: how often not."""

    race: Race
    out: Streams
    accounts: dict[str, Person]
    keys: dict[tuple[str, str], bytes] = field(default_factory=dict)
    unlocked: list[Told] = field(default_factory=list)
    refused: int = 0

    def follow(self) -> None:
        """Read what is written to all, and unlock it, until stopped."""
        topics = {TopicPartition(self.out.prefix + PARTICIPANT_STATUS.topic(party), 0): party for party in READER}
        with self.out.broker.consumer() as consumer:
            consumer.assign([*topics])
            for place in topics:
                consumer.seek(place, 0)
            while not self.race.stop.is_set():
                for place, records in consumer.poll(timeout_ms=20).items():
                    told = [self.out._read(raw_of(record)) for record in records]
                    self.unlock(topics[place], [m.body for m in told if isinstance(m.body, StatusPublished)])

    def unlock(self, party: str, statuses: Sequence[StatusPublished]) -> None:
        """Ask for the keys of some records, and open what can be opened."""
        wanted = list(dict.fromkeys(status.KeyId for status in statuses))
        if not wanted:
            return
        begun = time.perf_counter()
        answer = self.accounts[party].post("/v1/stream/keys", {"keys": wanted})
        ended = time.perf_counter()
        assert answer.status_code in {200, 503}
        given = {each["key_id"]: each["key"] for each in answer.json().get("keys", [])}
        self.refused += sum(key is None for key in given.values())
        for status in statuses:
            if key := given.get(status.KeyId):
                bare = self.keys[party, status.KeyId] = base64.b64decode(key)
                who = self.race.site.parts.site.ids.open(party_id(party), status.ParticipantKey)
                assert who is not None
                self.unlocked.append(Told(begun, ended, facts(party, status, bare), party_id(party), who))


def beating(race: Race, out: Streams, begun: dict[Version, float]) -> None:
    """Let a relay beat until stopped; it never keeps that the broker has anything, so all is told on each beat."""
    at_beat = 0.0

    def send(at: datetime, outs: Sequence[Out]) -> None:
        for each in outs:
            begun.setdefault((each.party.code, each.key, each.published.version), at_beat)
        out.publisher.send(at, outs)
        raise Unavailable

    relay = replace(out.relay, send=send)
    while not race.stop.is_set():
        at_beat = time.perf_counter()
        with pytest.raises(Unavailable):
            relay.beat()


def read(raws: Sequence[Raw], out: Streams) -> dict[str, list[Message]]:
    """Return the records of a topic by participant, each in the broker's order."""
    found: defaultdict[str, list[Message]] = defaultdict(list)
    for raw in raws:
        found[(raw.key or b"").decode()].append(out._read(raw))
    return found


def test_what_the_broker_holds_of_a_beat_begun_after_an_ending_opens_to_nobody(race: Race, apache_kafka: str) -> None:
    race.consenting(range(PEOPLE))
    begun: dict[Version, float] = {}
    acts = [(ending(race), marks) for ending, marks in ENDINGS]
    with streams(race.site, apache_kafka, *READER) as out:
        systems = Systems(race, out, {party: out.account(party) for party in READER})
        race.site.settle()
        everything = {
            (party_id(party), Mark(kind, n)) for party in READER for kind in ("grant", "told") for n in range(PEOPLE)
        }
        with race.at_work(systems.follow, lambda: beating(race, out, begun)):
            race.wait(lambda: everything - {(t.party, fact) for t in systems.unlocked.copy() for fact in t.facts})
            for n in range(PEOPLE):
                act, marks = acts[n % len(acts)]
                race.end(n, act, *marks, dwell=0.1)
        out.beat()
        written = {party: read(out.read(PARTICIPANT_STATUS.topic(party), anew=True), out) for party in READER}
    assert stale(systems.unlocked, race.changes) == [], "a key was given afterwards"
    assert systems.refused, "nobody asked for the key of what had ended"
    assert disordered(logged(race.owner)) == []

    ids, numbers = race.site.parts.site.ids, {number(n): n for n in range(PEOPLE)}
    held, tombstones = list[Told](), list[tuple[int, list[bool]]]()
    statuses = Counter[tuple[str, object, object]]()
    for party, by_participant in written.items():
        for called, records in by_participant.items():
            who = ids.open(party_id(party), called)
            assert who is not None
            for status in (message.body for message in records):
                if not isinstance(status, StatusPublished):
                    continue
                statuses["stream", party_id(party), who] += 1
                if key := systems.keys.get((party, status.KeyId)):  # it keeps each key that it was given
                    at = begun.get((party, called, status.StatusVersion), float("inf"))
                    held.append(Told(at, at, facts(party, status, key), party_id(party), who))
            tombstones.append((numbers[who], [message.event.tombstone for message in records]))
    assert stale(held, race.changes) == [], "it was told on a beat begun afterwards"
    for n, each in tombstones:
        assert each == sorted(each), "it was told again after it was withdrawn"
        assert each[-1] is ("grant" in acts[n % len(acts)][1])
    asked = Counter(
        ("stream.keys", t.party, t.participant) for t in {t._replace(facts=frozenset()) for t in systems.unlocked}
    )
    rows = race.owner.execute("select surface, party_id, participant_id from log.disclosure").fetchall()
    assert statuses + asked <= Counter(rows), "told and not written down"
