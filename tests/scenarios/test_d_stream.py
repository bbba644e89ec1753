"""Scenario D by stream: the court's feed, which is public record, and the office's own, by a real broker."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from threading import Event as Stop
from threading import Thread
from typing import Any

import pytest
from kafka import KafkaProducer

from adapters.cli.gateway import gateway
from adapters.kafka import gateway as gate
from adapters.kafka.contract import ACK, CONTROL, PARTICIPANT_STATUS
from adapters.kafka.topics import make, wanted
from adapters.settings import Settings
from domain.legal_case import DecisionRecorded, harsher
from tests.adapters.kafka.test_cases import ANA, RAY, Publisher, accused, cases, filed, initiated, of
from tests.adapters.kafka.test_public_docket import adopt
from tests.conftest import Database
from tests.scenarios import ray as story
from tests.scenarios.audit import audited, findings
from tests.scenarios.stream import Streams, a_prefix, streams
from tests.scenarios.test_d_warrant import (
    DOCKET,
    NEVER,
    OUTLYING,
    partners_of,
    rosa_finds_warrants_and_dana_shares,
    told,
    warrants,
    what_dana_notes_changes_no_byte,
)
from tests.site import Person, SiteUnderTest, local, running_site

pytestmark = [pytest.mark.server, pytest.mark.kafka]

PARTIES = ("city-pd", "county-pa", "district-court", "housing-co")
SENDERS = ("county-pa", "district-court")
BY_ANAS_NAME = {"given": "Ana", "surname": "Cruz", "birth_date": "1991-11-30"}
SECONDS = 60


@dataclass(slots=True)
class Feeds:
    """What the court's system and the office's publish, and a gateway that takes it."""

    lead: SiteUnderTest
    out: Streams

    def publish(self, code: str, *messages: tuple[str, Any]) -> None:
        """Publish messages at the site's time, and wait until they are taken and everyone could see it."""
        sender, at = Publisher(self.lead, code), self.lead.parts.log.now() - timedelta(minutes=1)
        topic = f"{self.out.prefix}in.{code}.case.v1"
        before = self._taken(topic)
        producer = KafkaProducer(bootstrap_servers=self.out.broker.bootstrap)
        for n, (kind, data) in enumerate(messages):
            raw = sender.raw(kind, data, at + timedelta(seconds=n))
            producer.send(topic, key=raw.key, value=raw.value, headers=list(raw.headers))
        producer.flush(30)
        producer.close()
        end = time.monotonic() + SECONDS
        while self._taken(topic) < before + len(messages):
            assert time.monotonic() < end, "the gateway takes it within a minute"
            time.sleep(0.05)
        self.lead.settle()

    def _taken(self, topic: str) -> int:
        found = [p.next_offset for p in self.lead.parts.site.stream.health().partitions if p.topic == topic]
        return found[0] if found else 0


@contextmanager
def taking(lead: SiteUnderTest, out: Streams) -> Iterator[None]:
    """Run a gateway beside the site."""
    settings = Settings(environment="test", prefix=lead.parts.database.prefix, kafka_prefix=out.prefix)
    one, stop = gateway(lead.parts, settings, out.broker), Stop()
    thread = Thread(target=one.run, args=(stop,))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(timeout=30)
        assert not thread.is_alive()


@pytest.fixture
def feeds(site_db: Database, kafka: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Feeds]:
    """A site whose gateway takes the court's topic and the office's."""
    monkeypatch.setattr(gate, "LOOK_SECONDS", 0.5)
    prefix = a_prefix()
    with running_site(site_db, kafka_prefix=prefix) as lead, streams(lead, kafka, *PARTIES, prefix=prefix) as out:
        senders = [lead.parts.site.directory.by_code(code, "party") for code in SENDERS]
        make(out.broker, wanted(senders, prefix), replicas=1)
        with taking(lead, out):
            yield Feeds(lead, out)


def warrant(number: str, docket: str, person: dict[str, Any], **more: Any) -> tuple[str, Any]:
    told = {
        "ActivityIdentification": {"IdentificationID": number},
        "WarrantCategoryCode": "failure to appear",
        "CourtName": "District Court",
        "CourtOrderIssuingDate": {"Date": "2023-09-12"},
        "ProsecutorPartyCode": "county-pa",
    }
    return "case.order", of(docket, person) | {"Warrant": told | more}


def order(docket: str, kind: str) -> tuple[str, Any]:
    made = {"CourtOrderCategoryCode": kind, "CourtOrderIssuingDate": {"Date": "2026-03-25"}}
    return "case.order", of(docket) | {"CourtOrder": made}


def lookup(officer: Person, asked: dict[str, str]) -> dict[str, Any]:
    signed = {"Authorization": f"Bearer {officer.token}"}
    found: dict[str, Any] = officer.client.post("/v1/police/lookups", json=asked, headers=signed).json()
    return found


def states(officer: Person) -> dict[str, str]:
    """Return the state of every warrant that an officer reads."""
    return {row["number"]: row["state"] for row in officer.see("/v1/police/warrants")["warrants"]}


def test_an_old_warrant_by_stream(feeds: Feeds) -> None:
    lead = feeds.lead
    ray = story.arrest(lead)
    adopt(lead, "P-8", "2026-03-01", "district-court")
    story.enrol(ray)
    webb, shaw, judge = (lead.person(name) for name in ("webb", "shaw", "judge"))
    office_id, seen_by = ray.offices_id(), partners_of(ray)

    # 19 March. The court's feed tells of everybody's case and warrant: Ray's of 2023, and those of Ana, a stranger.
    ray.at("2026-03-19 09:00")
    since = {"FilingDate": {"Date": "2023-06-01"}}
    feeds.publish(
        "district-court",
        ("case.initiated", initiated(DOCKET, accused(RAY), **since)),
        ("case.initiated", initiated("23-1-00999-9", accused(ANA), **since)),
        warrant("W-9", DOCKET, RAY),
        warrant("W-10", "23-1-00999-9", ANA),
    )
    # Any officer reads both, and of both the same: to be listed says nothing of LEAD.
    assert states(ray.kim) == states(webb) == {"W-9": "active", "W-10": "active"}
    of_ray, of_ana = lookup(webb, story.BY_NAME), lookup(webb, BY_ANAS_NAME)
    assert (of_ray["shared"], of_ray["own"]) == ([], []) == (of_ana["shared"], of_ana["own"])
    own = ("defendant", "birth_date", "docket", "number", "case_id", "warrant_id")
    his, hers = ([{**row, **dict.fromkeys(own)} for row in each["public_record"]] for each in (of_ray, of_ana))
    assert his == hers
    assert len(his) == 2
    # Whom to call is Ray's to give; the city's officers have it from his form, and no other department does.
    (shared,) = ray.kim.see(f"/v1/police/participants/{ray.participant}")["shared"]
    assert (shared["case_manager"], shared["call"]) == ("Dana Reyes", "206-555-0100")
    # What the court hears of its messages is the same too.
    feeds.out.beat()
    acks = [m.event.data for m in map(feeds.out._read, feeds.out.read(ACK.topic("district-court"))) if m.event.data]
    assert [ack["AcknowledgementCode"] for ack in acks] == ["accepted"] * 4

    # 20 March: on no topic either, as is seen below.
    what_dana_notes_changes_no_byte(ray, seen_by)

    # 23 March. The office publishes its own docket, everybody's; a supervisor knows which case is Ray's.
    ray.at("2026-03-23 09:00")
    old = {"OffenseDate": {"Date": "2023-05-20"}, "FilingDate": {"Date": "2023-06-01"}}
    report = {"Incident": {"ActivityIdentification": {"IdentificationID": "2023-11870"}}}
    feeds.publish(
        "county-pa",
        ("case.filed", filed(DOCKET, accused(RAY), **old) | report),
        ("case.filed", filed("23-1-00999-9", accused(ANA), **old)),
    )
    assert [(c["docket"], c["lead"]) for c in cases(ray, DOCKET)] == [(DOCKET, None)], "unlinked, it says nothing"
    for proposed in ray.history("match.proposed"):
        path = f"/v1/participants/{ray.care}/matches/{proposed['entry_id']}/reviews"
        lead.person("noor").post(path, {"same": True, "why": "He told us of it himself."})
    lead.settle()

    rosa_finds_warrants_and_dana_shares(ray)

    # Chen sees, under the ROI, progress and W-9, and on her own docket the charges, LEAD's column, the court's warrant.
    assert [entry["number"] for entry in told(ray.chen, office_id, "warrant.issued")] == ["W-9"]
    assert [e["text"] for e in told(ray.chen, office_id, "share.made")] == ["Engaged; housing application filed."]
    (listed,) = cases(ray, DOCKET)
    assert (listed["lead"]["relation"], [c["code"] for c in listed["charges"]]) == ("pre-existing case", ["23C"])
    assert [(w["number"], w["state"]) for w in listed["warrants"]] == [("W-9", "active")]
    assert [(c["lead"], [w["number"] for w in c["warrants"]]) for c in cases(ray, "23-1-00999-9")] == [(None, ["W-10"])]
    # Care and LEAD Legal Services have the outlying court's too; no partner has, on a page or on a topic.
    (client,) = shaw.see("/v1/legal-services/participants")["participants"]
    page = shaw.see(f"/v1/legal-services/participants/{client['participant']}")
    numbers = {entry["body"]["number"] for entry in page["history"] if entry["kind"] == "warrant.issued"}
    assert numbers == {entry["body"]["number"] for entry in ray.history("warrant.issued")} == {"W-9", OUTLYING[2]}
    for seen in seen_by():
        assert not [word for word in NEVER if word in seen]
    feeds.out.beat()
    topics = [family.topic(party) for party in PARTIES for family in (PARTICIPANT_STATUS, CONTROL, ACK)]
    streamed = b"".join((raw.value or b"") for topic in topics for raw in feeds.out.read(topic, anew=True))
    assert not [word for word in (*NEVER, "W-9", "Bell") if word.encode() in streamed]

    # She supports the quash. What she had looked at by then the log knows, by position.
    assert ray.chen.see(f"/v1/prosecutor/participants/{office_id}")["shared"]
    decided = f"/v1/cases/{listed['case_id']}/decisions"
    quash = {"kind": "support quash", "reason": "Engaged with LEAD; a jail stay would cost him the room."}
    ray.chen.do(decided, quash | {"ceiling": "proceed as standard"})
    (made,) = lead.parts.log.of_topics([DecisionRecorded.topic])
    who = lead.parts.site.ids.open(lead.parts.site.directory.by_code("lead-care", "party").id, ray.care)
    assert who is not None
    shown = [
        line
        for line in lead.parts.log.exposures(who, made.envelope.agency, made.position)
        if (line.staff, line.surface) == (made.envelope.actor, "liaison_prosecutor.participant")
    ]
    assert shown
    assert all(line.last_position < made.position for line in shown)

    # 25 March. The court recalls it, by its feed: every officer reads so, and so does the docket. Ana's stands.
    ray.at("2026-03-25 10:00")
    status = {"WarrantStatusCode": "recalled", "WarrantStatusDate": {"Date": "2026-03-25"}}
    feeds.publish("district-court", order(DOCKET, "warrant quashed"), warrant("W-9", DOCKET, RAY, **status))
    assert states(ray.kim) == states(webb) == {"W-9": "recalled", "W-10": "active"}
    assert warrants(webb) == [("W-9", "recalled")]
    (listed,) = cases(ray, DOCKET)
    assert [(w["number"], w["state"]) for w in listed["warrants"]] == [("W-9", "recalled")]
    assert [c["orders"] for c in listed["courts"]] == [[{"kind": "warrant quashed", "ordered_on": "2026-03-25"}]]
    for officer in (judge, lead.person("brooks")):
        assert {w["state"] for w in officer.see("/v1/court/warrants")["warrants"]} == {"recalled", "active"}

    # Severity. Quash and standard processing lie within the ceiling; a detention motion does not, and is hers to make.
    ray.at("2026-03-26 10:00")
    ray.chen.do(decided, {"kind": "proceed as standard"})
    ray.chen.do(decided, {"kind": "detention motion", "source": "held by our office, not stated"})
    lead.settle()
    decisions = [r.event for r in lead.parts.log.of_topics([DecisionRecorded.topic])]
    assert [b.decision.kind for b in harsher(d for d in decisions if isinstance(d, DecisionRecorded))] == [
        "detention motion"
    ]
    rows = ray.chen.see("/v1/prosecutor/decisions")["decisions"]
    assert [row["beyond"] for row in rows] == ["proceed as standard", None, None]
    audited(lead)
    found_of = {f["action"]: f["alarm"] for f in findings(lead.person("pat"))}
    assert found_of == {"detention motion": True, "filing": False}, "the old case rests on its own report"

    # After a revocation the office keeps what is its own and what is the court's; on the stream his copy is withdrawn.
    word = {"word_of": "counsel", "medium": "oral", "counsel": "R. Patel", "parties": ["county-pa"]}
    lead.clock.at(local("2026-04-08 14:03:07"))
    ray.dana.do(f"/v1/participants/{ray.care}/roi/{ray.roi}/revocations", word)
    lead.settle()
    assert ray.chen.see(f"/v1/prosecutor/participants/{office_id}")["shared"] == []
    (listed,) = cases(ray, DOCKET)
    assert (listed["lead"], [w["state"] for w in listed["warrants"]]) == (None, ["recalled"])
    assert states(ray.kim) == {"W-9": "recalled", "W-10": "active"}
