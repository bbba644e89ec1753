"""Revocation is linearizable wherever the site is asked: by stream, in another process, after its gate was restored.

`test_revocation_race.py` has the readers and the race; `history.py` says what a history must be.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID, uuid5

import httpx
import psycopg
import pytest

from adapters.postgres.fsck import check_gate
from domain.roi import RoiRevoked
from services.ports import Unavailable
from services.register import party_id
from services.relay import Out, Relay
from tests.conftest import Database
from tests.properties.history import Change, disordered, logged, stale
from tests.properties.test_revocation_race import (
    CARRIED,
    FEW,
    LABELS,
    MARK,
    PARTIES,
    PREFIX,
    RACED,
    READER,
    Mark,
    Race,
    narrowing,
    number,
    raced,
    requests,
    revoking,
    views_stand_still,
)
from tests.site import QUICK, Person

pytestmark = pytest.mark.server
ROOT = Path(__file__).parents[2]


@pytest.fixture
def race(site_db: Database) -> Iterator[Race]:
    with raced(site_db, Race) as made:
        yield made


# The stream ----------------------------------------------------------------------------------------------------------


class Told(NamedTuple):
    """What the relay gave to the broker of one participant on one beat, or a key that a party's system was given."""

    begun: float
    ended: float
    facts: frozenset[Mark]
    party: UUID
    participant: UUID


def telling(race: Race, told: list[Told]) -> None:
    """Let the relay beat until stopped; the broker never says that it has anything, so all is told on each beat."""
    begun = 0.0

    def send(_at: datetime, outs: Sequence[Out]) -> None:
        for out in outs:
            marks = MARK.findall((out.row.purpose or "").encode()) if out.row else []
            facts = frozenset(Mark(kind.decode(), int(n)) for kind, n in marks)
            told.append(Told(begun, time.perf_counter(), facts, out.party.id, out.published.participant))
        raise Unavailable

    relay = Relay(race.site.parts.site, send, lambda *_: None, lambda parties: frozenset(p.id for p in parties))
    while not race.stop.is_set():
        begun = time.perf_counter()
        with pytest.raises(Unavailable):
            relay.beat()


def unlocking(race: Race, account: Person, party: str, told: list[Told]) -> None:
    """Ask, as a party's system, for the keys of what it was told, again and again, until stopped."""
    site, numbers = race.site.parts.site, {number(n): n for n in range(FEW)}
    while not race.stop.is_set():
        of = {site.ids.seal(party_id(party), one.key): one for one in site.outbox.published(party_id(party))}
        if not of:
            continue
        begun = time.perf_counter()
        answer = account.post("/v1/stream/keys", {"keys": list(of)})
        assert answer.status_code in {200, 503}
        for given in answer.json().get("keys", []):
            if given["key"] is not None:
                who = of[given["key_id"]].participant
                facts = frozenset({Mark("grant", numbers[who])})
                told.append(Told(begun, time.perf_counter(), facts, party_id(party), who))


def test_nothing_revoked_is_told_by_stream_or_unlocked_afterwards(race: Race) -> None:
    race.consenting(range(FEW))
    pat, told, unlocked = race.site.person("pat"), list[Told](), list[Told]()
    for party in READER:
        body = {"party": party, "name": "System", "role": "stream", "subject": f"{party}-stream"}
        pat.do("/v1/register/staff", body)
    race.site.settle()
    revoke = revoking(race)
    account = race.site.person("housing-co-stream")
    with race.at_work(lambda: telling(race, told), lambda: unlocking(race, account, "housing-co", unlocked)):
        race.wait(lambda: {"told", "unlocked"} if not (told and unlocked) else set())
        for n in range(FEW):
            race.end(n, revoke, "grant", dwell=0.1)
    assert stale([*told, *unlocked], race.changes) == []
    assert disordered(logged(race.owner)) == []
    rows = race.owner.execute("select surface, party_id, participant_id from log.disclosure").fetchall()
    for surface, heard in (("stream", told), ("stream.keys", unlocked)):
        shown = Counter((surface, each.party, each.participant) for each in heard if each.facts)
        assert shown <= Counter(rows), "told and not written down"
        assert len(shown) > len(race.changes) // 2


# Signed again --------------------------------------------------------------------------------------------------------


def test_what_was_signed_again_and_revoked_again_is_not_shown_again(race: Race) -> None:
    race.consenting(range(FEW))
    noor, roi = race.site.person("noor"), {n: uuid5(number(n), "roi") for n in range(FEW)}
    sealed: dict[int, str] = {n: race.seal("lead-care", each) for n, each in roi.items()}

    def revoke(n: int) -> None:
        person = race.seal("lead-care", number(n))
        body = {"word_of": "participant", "medium": "oral"}
        noor.do(f"/v1/participants/{person}/roi/{sealed[n]}/revocations", body)

    def sign(n: int) -> None:
        grants = [{"party": party, "labels": sorted(LABELS), "purpose": f"grant-{n}-"} for party in READER]
        body: dict[str, Any] = {"form_version": "3", "explained_by": "Dana", "language": "English", "grants": grants}
        body |= {"expires_on": "2026-12-10", "warned": ["county-pa"]}
        sealed[n] = noor.do(f"/v1/participants/{race.seal('lead-care', number(n))}/roi", body)["roi"]

    with race.under_way(tuple(PARTIES)):
        for n in range(FEW):
            race.end(n, revoke, "grant")
            race.end(n, sign, "grant", dwell=0.1, gives=True)
            race.end(n, revoke, "grant")
    assert race.too_late() == []
    again = {change.fact: change.acknowledged for change in race.changes if change.gives}
    assert any(h.begun > again[fact] for h in race.heard for fact in h.facts if fact in again), "nobody heard it again"
    race.accounted()


# Two processes -------------------------------------------------------------------------------------------------------


@contextmanager
def another_process(db: Database, race: Race, people: Sequence[str], ahead: float) -> Iterator[Callable[[str], Person]]:
    """Run a second process of the site, its clock wrong by so many seconds; people come in by what is yielded."""
    command = [sys.executable, "-m", "tests.properties.serving"]
    process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdin
        assert process.stdout
        given: dict[str, Any] = {"url": db.owner_url, "secrets": str(db.secrets.folder), "prefix": db.prefix}
        given |= {"ahead": ahead, "people": people, "settings": QUICK | RACED}
        process.stdin.write(json.dumps(given) + "\n")
        process.stdin.flush()
        url, tokens = json.loads(process.stdout.readline())

        def door(subject: str) -> Person:
            client = httpx.Client(base_url=url, timeout=30, verify=False)
            race.site.clients.append(client)
            return Person(client, tokens[subject])

        yield door
    finally:
        process.kill()
        process.wait(30)


@pytest.mark.parametrize("ahead", [0, 3600, -30], ids=["right", "an hour ahead", "half a minute behind"])
def test_two_processes_show_nothing_revoked_in_either_whatever_the_time_in_one(
    site_db: Database, race: Race, ahead: float
) -> None:
    """Half of the revocations are acknowledged by each process; all read in both. Then one who reads there ends."""
    few = max(FEW // 3, 5)
    race.consenting(range(few))
    marta = {"party": "housing-co", "name": "Someone", "role": "recipient_contact", "subject": "marta-2"}
    race.site.person("pat").do("/v1/register/staff", marta)
    with another_process(site_db, race, [*PARTIES, "noor", "pat", "marta-2"], ahead) as door:
        here, there = race.site.person("noor"), door("noor")
        narrow = narrowing(race)

        def revoke(n: int) -> None:
            who = number(n)
            person, roi = race.seal("lead-care", who), race.seal("lead-care", uuid5(who, "roi"))
            body = {"word_of": "counsel", "medium": "oral"}
            (there if n % 2 else here).do(f"/v1/participants/{person}/roi/{roi}/revocations", body)

        race.doors.append(door)
        race.site.settle()
        other = door("marta-2")
        assert other.get("/v1/recipient/participants").status_code == 200
        with race.under_way(tuple(PARTIES)):
            for n in range(few):
                race.end(n, narrow, "told", dwell=0.05)
                race.end(n, revoke, *CARRIED, dwell=0.05)
        assert race.too_late() == []
        assert race.disclosed_later() == 0
        assert disordered(logged(race.owner)) == []
        assert sum(h.status == 200 for h in race.heard) > len(race.heard) // 2
        race.site.person("pat").do("/v1/register/staff/endings", {"subject": "marta-2"})
        for method, path, body in requests(race, "marta"):
            assert race.ask(other, "marta", method, path, body).status == 401
        race.accounted()


def test_a_process_whose_clock_is_too_far_behind_shows_nothing(site_db: Database, race: Race) -> None:
    race.consenting(range(1))
    race.site.settle()
    with another_process(site_db, race, ["marta"], -3600) as door:
        marta = door("marta")
        for method, path, body in requests(race, "marta"):
            assert race.ask(marta, "marta", method, path, body).status == 401
    assert race.ask(race.site.person("marta"), "marta", "GET", PREFIX["marta"] + "participants").facts


# A gate restored -----------------------------------------------------------------------------------------------------


def test_a_gate_restored_from_before_is_found_and_made_anew(race: Race) -> None:
    """Until it is made anew it shows what had ended: fsck says where; nothing begun after `gate.derive` shows it."""
    few = max(FEW // 3, 5)
    race.consenting(range(few))
    revoke, sealer = revoking(race), race.site.parts.database.login("sealer")
    marta = race.site.person("marta")
    with psycopg.connect(race.site.parts.database.url, autocommit=True) as owner:
        owner.execute("create table older as select * from gate.consent")

        def restore() -> None:
            with owner.transaction():
                owner.execute("delete from gate.consent")
                owner.execute("insert into gate.consent select * from older")

        def of_all(act: Callable[[], None], *, gives: bool) -> None:
            begun = time.perf_counter()
            act()
            at = time.perf_counter()
            race.changes += [Change(Mark(kind, n), begun, at, gives) for n in range(few) for kind in CARRIED]
            time.sleep(0.5)

        def derive() -> None:
            assert owner.execute("select gate.derive()").fetchone() == (len(ended),)

        assert check_gate(sealer) == []
        with race.under_way(), views_stand_still(race):
            for n in range(few):
                race.end(n, revoke, *CARRIED)
            ended = [recorded.position for recorded in race.site.parts.log.of_topics([RoiRevoked.topic])]
            of_all(restore, gives=True)
            shown = race.ask(marta, "marta", "GET", PREFIX["marta"] + "participants?limit=50")
            said = check_gate(sealer)
            of_all(derive, gives=False)
        assert {mark.n for mark in shown.facts} == set(range(few)), "a gate from before does show it"
        assert {finding.split(":")[0] for finding in said} == {f"position {at}" for at in ended}
        assert race.too_late() == []
        assert any(h.begun > race.changes[-1].acknowledged for h in race.heard)
        assert check_gate(sealer) == []
