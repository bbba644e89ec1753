"""Scenario E by stream: the ROI is revoked, and what a department's system has of Ray is withdrawn on the next beat."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any
from unittest import mock
from uuid import uuid4

import orjson
import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from adapters.kafka.contract import Message
from adapters.kafka.messages.outgoing import StatusPublished
from services.ports import Outbox, Unavailable
from services.relay import withdrawal_id
from services.release import PART2_NOTICE
from tests.scenarios import ray as story
from tests.scenarios.stream import Streams, streams
from tests.site import Person, SiteUnderTest, local

pytestmark = [pytest.mark.server, pytest.mark.kafka]

WORD = {"word_of": "counsel", "medium": "oral", "counsel": "R. Patel"}


@pytest.fixture
def out(lead: SiteUnderTest, kafka: str) -> Iterator[Streams]:
    with streams(lead, kafka, "city-pd", "county-pa", "housing-co") as made:
        yield made


def published(message: Message) -> StatusPublished:
    assert isinstance(message.body, StatusPublished)
    return message.body


def key_of(rms: Person, key_id: str) -> bytes | None:
    answer = rms.client.post(
        "/v1/stream/keys", json={"keys": [key_id]}, headers={"Authorization": f"Bearer {rms.token}"}
    )
    assert answer.status_code == 200, answer.text
    (found,) = answer.json()["keys"]
    assert found["key_id"] == key_id
    return base64.b64decode(found["key"]) if found["key"] else None


def opened(status: StatusPublished, key: bytes) -> Any:
    nonce, sealed = base64.b64decode(status.Nonce), base64.b64decode(status.EncryptedBody)
    bound = f"{status.ParticipantKey} {status.KeyId} {status.StatusVersion}".encode()
    return orjson.loads(AESGCM(key).decrypt(nonce, sealed, bound))


class Died(BaseException):
    """The process was killed."""


@contextmanager
def crashing(out: Streams, step: str) -> Iterator[None]:
    """Let the relay die before it sends, or after it has sent and before it has said so."""

    def die(*_: Any) -> None:
        raise Died

    broken = {
        "send": lambda: replace(out.relay, send=die),
        "sent": lambda: replace(out.relay, site=replace(out.relay.site, outbox=Forgetful(out.relay.site.outbox))),
    }
    whole, out.relay = out.relay, broken[step]()
    yield
    out.relay = whole


@dataclass
class Forgetful:
    """An outbox whose process dies before it keeps that the broker has something."""

    real: Outbox

    def __getattr__(self, name: str) -> Any:
        if name == "sent":
            raise Died
        return getattr(self.real, name)


def revoke(ray: story.Ray, *parties: str) -> None:
    path = f"/v1/participants/{ray.care}/roi/{ray.roi}/revocations"
    ray.site.person("noor").do(path, WORD | {"parties": list(parties)})


def test_what_was_published_is_withdrawn_on_the_next_beat(lead: SiteUnderTest, out: Streams) -> None:
    ray = story.arrest(lead)
    rms, _, housing = (out.account(party) for party in ("city-pd", "county-pa", "housing-co"))
    assert out.beat() == 0, "before anybody signed there is nothing to tell"
    story.enrol(ray)
    ray.at("2026-03-24 10:00")
    assert out.beat() == 3, "one for each party that the form names"
    (told,), withdrawn = out.told("city-pd")
    status = published(told)
    assert withdrawn == []
    assert not [
        raw for raw in out.read("out.city-pd.participant-status.v1", anew=True) if b"Bell" in (raw.value or b"")
    ]
    assert (told.operation, status.StatusVersion, status.ParticipantKey) == ("update", 1, ray.participant)
    key = key_of(rms, status.KeyId)
    assert key is not None
    assert opened(status, key) == {
        "PersonName": {"PersonFullName": "Ray Bell"},
        "PersonBirthDate": {"Date": "1984-05-09"},
        "EnrolmentStatusCode": "enrolled",
        "CaseManager": {"PersonFullName": "Dana Reyes", "TelephoneNumberFullID": "206-555-0100"},
        "ConsentScope": {
            "LabelCode": sorted([*story.POLICE, "consent.scope"]),
            "PurposeText": "coordination",
            "RedisclosureNoticeText": PART2_NOTICE,
        },
    }
    with pytest.raises(InvalidTag):
        opened(status.model_copy(update={"StatusVersion": 2}), key)
    ((theirs,), _) = out.told("housing-co")
    assert key_of(rms, published(theirs).KeyId) is None, "another party's key"
    assert key_of(housing, status.KeyId) is None

    # What changes nothing in a status changes no byte of the stream; a lease is renewed for everyone on one beat.
    ray.dana.do(f"/v1/participants/{ray.care}/contacts", {"kind": "ride", "reached": True, "note": "Relapsed"})
    assert out.beat() == 0
    ray.at("2026-03-24 17:10")
    assert out.beat() == 3
    ((renewed,), _) = out.told("city-pd")
    assert published(renewed).LeaseUntil > status.LeaseUntil
    assert (published(renewed).StatusVersion, published(renewed).KeyId) == (2, status.KeyId)

    # 8 April. Counsel calls. The key is not given from that moment on; on the next beat the copy is withdrawn.
    lead.clock.at(local("2026-04-08 14:03:07"))
    out.beat()
    out.told("city-pd")
    revoke(ray, "city-pd", "county-pa")
    assert key_of(rms, status.KeyId) is None
    assert out.beat() == 2
    (tombstone,), (control,) = out.told("city-pd")
    assert tombstone.event.tombstone
    assert control.event.data == {"ParticipantKey": ray.participant, "StatusVersion": 4}
    assert control.event.id == withdrawal_id(ray.participant, 4)
    assert tombstone.event.extensions["statusversion"] == "4"
    city_pd = lead.parts.site.directory.by_code("city-pd", "party").id
    (held,) = lead.parts.site.outbox.published(city_pd)
    assert lead.parts.site.outbox.key_of(held) is None, "destroyed, not hidden"
    assert key_of(rms, "a" * 26) is None, "the same nothing as for an id that is nobody's"
    assert out.beat() == 0, "it is told once"
    assert key_of(housing, published(theirs).KeyId) is not None, "HousingCo stays"

    # Ray reads what left by stream, each delivery and each key.
    ray.dana.do(f"/v1/participants/{ray.care}/access", {"subject": "r.bell"})
    lead.settle()
    himself = lead.person("r.bell")
    lines = himself.see(f"/v1/participants/{himself.see('/v1/me')['participant']}/accounting")["disclosures"]
    streamed = [line for line in lines if line.get("surface", "").startswith("stream")]
    to_police = [line for line in streamed if line["to"] == "City Police Department"]
    assert [line["surface"] for line in to_police] == ["stream", "stream.keys", "stream", "stream"]
    carried = ["case_manager.contact", "consent.scope", "enrolment.status", "identity.legal"]
    assert all(line["labels"] == carried for line in to_police)
    assert all(line["purpose"] == "coordination" for line in to_police)
    to_housing = [line["labels"] for line in streamed if line["to"] == "HousingCo"]
    assert to_housing == [["consent.scope"]] * len(to_housing), "the number is his; a status does not carry it"


def ids(lead: SiteUnderTest, party: str, value: Any) -> str:
    return lead.parts.site.ids.seal(lead.parts.site.directory.by_code(party, "party").id, value)


def test_when_the_accounts_authority_ends_everything_is_withdrawn(lead: SiteUnderTest, out: Streams) -> None:
    ray = story.arrest(lead)
    rms = out.account("city-pd")
    story.enrol(ray)
    out.beat()
    ((told,), _) = out.told("city-pd")
    lead.person("pat").do("/v1/register/staff/endings", {"subject": "city-pd-stream"})
    asked = {"keys": [published(told).KeyId]}
    refused = rms.client.post("/v1/stream/keys", json=asked, headers={"Authorization": f"Bearer {rms.token}"})
    assert refused.status_code == 401
    assert out.beat() == 1
    (tombstone,), (control,) = out.told("city-pd")
    assert tombstone.event.tombstone
    assert control.kind.name == "org.lead.participant.retracted.v1"


def test_an_expiry_and_a_revocation_of_one_day_are_the_same_bytes(lead: SiteUnderTest, out: Streams) -> None:
    ray = story.arrest(lead)
    out.account("city-pd")
    out.account("county-pa")
    story.enrol(ray)
    out.beat()
    out.told("city-pd")
    out.told("county-pa")
    lead.clock.at(local("2027-03-15 12:00"))
    revoke(ray, "city-pd")
    lead.clock.at(local("2027-03-16 00:00:01"))  # the other ran out
    out.beat()
    shapes = []
    for party in ("city-pd", "county-pa"):
        shape = []
        for topic in (f"out.{party}.participant-status.v1", f"out.{party}.control.v1"):
            out.seen[topic] = 0
            for raw in out.read(topic)[-1:]:
                name = (raw.key or b"").decode()
                said = repr((raw.headers, raw.key, raw.value)).replace(name, "K")
                shape.append(re.sub("00-[0-9a-f]{32}-[0-9a-f]{16}", "T", said))  # of each party's own beat
        shapes.append(shape)
    assert shapes[0] == shapes[1]
    assert "StatusVersion" in shapes[0][1]


def test_narrowed_it_is_sealed_under_another_key_and_a_death_withdraws_it_like_anything_else(
    lead: SiteUnderTest, out: Streams
) -> None:
    ray = story.arrest(lead)
    rms = out.account("city-pd")
    story.enrol(ray)
    out.beat()
    ((first,), _) = out.told("city-pd")
    old = key_of(rms, published(first).KeyId)
    assert old is not None
    ray.at("2026-03-20 10:00")
    narrower = [story.grants()[0] | {"labels": ["identity.legal"]}]
    ray.dana.do(f"/v1/participants/{ray.care}/roi/{ray.roi}/amendments", story.form(grants=narrower))
    lead.settle()
    assert key_of(rms, published(first).KeyId) is None, "what was told before it was narrowed opens no more, at once"
    assert out.beat() == 1
    ((second,), withdrawn) = out.told("city-pd")
    assert withdrawn == []
    status = published(second)
    key = key_of(rms, status.KeyId)
    assert key not in (None, old)
    assert "EnrolmentStatusCode" not in opened(status, key or b"")
    assert key_of(rms, published(first).KeyId) is None

    ray.at("2026-03-21 10:00")
    lead.person("noor").do(f"/v1/participants/{ray.care}/death", {"died_at": "2026-03-21T08:00:00-07:00"})
    assert out.beat() == 1
    (tombstone,), (control,) = out.told("city-pd")
    assert tombstone.event.tombstone
    assert control.event.data == {"ParticipantKey": ray.participant, "StatusVersion": 3}
    assert key_of(rms, status.KeyId) is None


def test_a_view_that_is_behind_withdraws_what_the_gate_has_ended_and_nothing_else(
    lead: SiteUnderTest, out: Streams
) -> None:
    ray = story.arrest(lead)
    out.account("city-pd")
    out.account("county-pa")
    story.enrol(ray)
    out.beat()
    site = lead.parts.site
    with mock.patch.object(lead.parts.log, "view_position", return_value=0):
        lead.clock.connection.execute("delete from police.granted_participant")  # as while it is computed anew
        assert out.relay.beat() == 0
        revoke(ray, "county-pa")
        assert out.relay.beat() == 1
    gone = {one.party for one in site.outbox.published() if one.withdrawn}
    assert gone == {site.directory.by_code("county-pa", "party").id}


def test_the_order_of_a_beat_is_that_of_the_keys(lead: SiteUnderTest, out: Streams) -> None:
    """Who is told of and who is withdrawn stand mixed, in an order that nobody chose."""
    ray = story.arrest(lead)
    out.account("city-pd")
    story.enrol(ray)
    out.beat()
    out.told("city-pd")
    kept: list[list[str]] = []
    relay = replace(out.relay, send=lambda _at, outs: kept.append([one.key for one in outs]))
    held = lead.parts.site.outbox.published()[0]
    others = [replace(held, participant=uuid4(), version=1, generation=1) for _ in range(5)]  # of whom nothing is shown
    lead.parts.site.outbox.publish(others)
    ray.at("2026-03-18 23:00")  # a new lease for Ray; the others go
    lead.settle()
    assert relay.beat() == 6
    assert kept[0] == sorted(kept[0])
    assert ray.participant in kept[0]


def test_a_crash_between_release_and_produce_tells_again_and_never_untold(lead: SiteUnderTest, out: Streams) -> None:
    ray = story.arrest(lead)
    out.account("city-pd")
    story.enrol(ray)
    lead.settle()
    with crashing(out, "send"), pytest.raises(Died):
        out.relay.beat()
    assert out.told("city-pd") == ([], [])
    assert out.beat() == 1
    ((told,), _) = out.told("city-pd")
    assert published(told).StatusVersion == 2
    (participant,) = {one.participant for one in lead.parts.site.outbox.published()}
    path = f"/v1/participants/{ids(lead, 'lead-program', participant)}/accounting"
    lines = [line for line in lead.person("imani").see(path)["disclosures"] if line.get("surface") == "stream"]
    assert len(lines) == 2, "disclosed twice at most, never undisclosed"

    # After the broker has it and before that is known; and Ray revokes before anything goes on.
    ray.at("2026-04-08 02:00")
    with crashing(out, "sent"), pytest.raises(Died):
        out.relay.beat()
    assert published(out.told("city-pd")[0][0]).StatusVersion == 3
    revoke(ray, "city-pd")
    for _ in range(2):  # the second time it is the withdrawal that dies half way
        lead.settle()
        with crashing(out, "sent"), pytest.raises(Died):
            out.relay.beat()
    assert out.beat() == 1
    tombstones, controls = out.told("city-pd")
    assert [one.event.tombstone for one in tombstones] == [True] * 3
    assert len({one.event.id for one in controls}) == 1, "sent again, it is the same withdrawal"
    assert out.beat() == 0


def test_who_cannot_be_reached_is_told_nothing_and_nothing_is_written_down_as_told(
    lead: SiteUnderTest, out: Streams
) -> None:
    ray = story.arrest(lead)
    out.account("city-pd")
    story.enrol(ray)
    lead.settle()
    away = replace(out, relay=replace(out.relay, reaches=lambda _parties: frozenset()))
    for _ in range(3):
        with pytest.raises(Unavailable):
            away.beat()
    assert lead.parts.site.outbox.published() == []
    assert out.beat() == 1
    (one,) = lead.parts.site.outbox.published()
    path = f"/v1/participants/{ids(lead, 'lead-program', one.participant)}/accounting"
    lines = [line for line in lead.person("imani").see(path)["disclosures"] if line.get("surface") == "stream"]
    assert len(lines) == 1, "as often as it was told"

    revoke(ray, "city-pd")
    for _ in range(2):
        with pytest.raises(Unavailable):
            away.beat()
    assert lead.parts.site.outbox.key_of(one) is None, "what is withdrawn is so whether or not the broker is there"
    assert out.beat() == 1
    assert [told.event.tombstone for told in out.told("city-pd")[0]] == [False, True]


def test_a_record_carries_its_beats_trace_and_no_span_says_of_whom(lead: SiteUnderTest, out: Streams) -> None:
    exporter = InMemorySpanExporter()
    lead.parts.spans._provider.add_span_processor(SimpleSpanProcessor(exporter))
    ray = story.arrest(lead)
    out.account("city-pd")
    story.enrol(ray)
    out.beat()
    revoke(ray, "city-pd")
    out.beat()
    (told, tombstone), (control,) = out.told("city-pd")
    spans = [span for span in exporter.get_finished_spans() if span.name == "tell"]
    traces = [str(each.event.extensions["traceparent"]).split("-")[1] for each in (told, tombstone, control)]
    assert traces == [f"{span.context.trace_id:032x}" for span in (spans[0], spans[1], spans[1])]
    requests = {span.context.trace_id for span in exporter.get_finished_spans() if span.name != "tell"}
    assert not requests & {span.context.trace_id for span in spans}, "not the trace of the revocation"
    for span in spans:
        assert dict(span.attributes or {}) == {
            "messaging.system": "kafka",
            "messaging.operation.name": "send",
            "messaging.operation.type": "send",
            "messaging.batch.message_count": 1,
            "goldenthread.party": "city-pd",
        }
