"""Scenario E: the department's system is down when Ray revokes, and comes back when no tombstone tells of it any more.

Its system is the reference consumer of `deploy/consumer`, as an integrator would copy it.
"""

from __future__ import annotations

import importlib.util
import sys
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest

from adapters.kafka.contract import PARTICIPANT_STATUS, RECEIPT
from adapters.kafka.envelope import Record
from adapters.kafka.translate import reader
from services.feed import Feed
from tests.scenarios import ray as story
from tests.scenarios.stream import Streams, streams
from tests.site import SiteUnderTest, local

pytestmark = [pytest.mark.server, pytest.mark.kafka]

STATUS = PARTICIPANT_STATUS.topic("city-pd")
FORGETS_SOON = {
    "segment.ms": "500",
    "min.cleanable.dirty.ratio": "0.01",
    "max.compaction.lag.ms": "500",
    "delete.retention.ms": "1000",
}
PATIENCE = 60


def module() -> ModuleType:
    path = Path(__file__).parents[2] / "deploy" / "consumer" / "consumer.py"
    spec = importlib.util.spec_from_file_location("goldenthread_reference_consumer", path)
    assert spec is not None
    assert spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = made
    spec.loader.exec_module(made)
    return made


def rms(lead: SiteUnderTest, out: Streams, file: Path, now: Callable[[], datetime] | None = None) -> Any:
    """Start the department's system on what it kept, with nothing in memory."""
    signed = {"Authorization": f"Bearer {lead.issuer.token('city-pd-stream')}"}
    return module().Consumer(
        {"bootstrap_servers": out.broker.bootstrap},
        httpx.Client(base_url=lead.base_url, headers=signed, timeout=30, verify=False),
        "city-pd",
        "urn:lead:king-county:city-pd:records",
        file,
        prefix=out.prefix,
        now=now or lead.parts.log.now,
    )


def forget(out: Streams, key: str) -> None:
    """Wait until the broker has nothing of this key any more, not even that it was withdrawn."""
    end = time.monotonic() + PATIENCE
    while any(raw.key == key.encode() for raw in out.read(STATUS, anew=True)):
        assert time.monotonic() < end, "the broker did not let go of the tombstone"
        time.sleep(0.6)
        out.publisher.write([Record([], b"beat", None, STATUS)])  # what is being written is never cleaned: go on


def revoke(lead: SiteUnderTest, ray: story.Ray) -> None:
    word = {"word_of": "counsel", "medium": "oral", "counsel": "R. Patel", "parties": ["city-pd", "county-pa"]}
    lead.person("noor").do(f"/v1/participants/{ray.care}/roi/{ray.roi}/revocations", word)


def published(lead: SiteUnderTest, out: Streams) -> story.Ray:
    ray = story.arrest(lead)
    out.account("city-pd")
    story.enrol(ray)
    ray.at("2026-04-07 09:00")
    out.beat()
    return ray


def test_what_was_not_told_of_the_revocation_cannot_be_read_and_is_purged(
    lead: SiteUnderTest, apache_kafka: str, tmp_path: Path
) -> None:
    kept = tmp_path / "rms.sqlite"
    with streams(lead, apache_kafka, "city-pd", **FORGETS_SOON) as out:
        ray = published(lead, out)
        (old,) = out.read(STATUS)
        before = rms(lead, out, kept)
        before.once()
        assert before.show(ray.participant)["PersonName"] == {"PersonFullName": "Ray Bell"}
        before.db.close()  # it goes down
        assert b"Bell" not in kept.read_bytes(), "what lies on its disk is sealed"

        lead.clock.at(local("2026-04-08 14:03:07"))
        revoke(lead, ray)
        out.beat()
        forget(out, ray.participant)
        lead.clock.at(local("2026-04-19 08:00"))

        # It comes back. Before it has read anything: its lease has run; and were its clock wrong, there is no key.
        back = rms(lead, out, kept)
        assert back.show(ray.participant) is None
        wrong = rms(lead, out, kept, now=lambda: local("2026-04-07 09:05"))
        assert wrong.show(ray.participant) is None
        wrong.db.close()

        back.once()
        row = "select version, withdrawn, body, key_id from status where participant = ?"
        assert back.db.execute(row, [ray.participant]).fetchone() == (2, 1, None, None)
        topic = RECEIPT.topic("city-pd")
        (receipt,) = out.read(topic)
        feed = Feed(lead.parts.site, lead.parts.log.stream, reader(out.prefix))
        assert feed.take(lead.parts.site.directory.by_code("city-pd", "party"), [receipt]) == {"accepted": 1}
        lead.settle()
        (listed,) = lead.person("imani").see("/v1/privacy/withdrawals")["withdrawals"]
        assert (listed["party"], listed["receipt"], listed["overdue"]) == ("city-pd", "purged", False)

        # The older status, delivered again, resurrects nothing.
        out.publisher.write([Record(old.headers, old.key, old.value, STATUS)])
        back.once()
        assert back.db.execute(row, [ray.participant]).fetchone() == (2, 1, None, None)
        assert back.show(ray.participant) is None
        assert out.read(topic) == [], "it has answered"


def test_a_withdrawal_that_is_heard_of_at_once_and_a_copy_under_hold(
    lead: SiteUnderTest, kafka: str, tmp_path: Path
) -> None:
    with streams(lead, kafka, "city-pd") as out:
        ray = published(lead, out)
        system = rms(lead, out, tmp_path / "rms.sqlite")
        system.once()
        assert system.show(ray.participant)
        system.db.execute("insert into hold values (?)", [ray.participant])
        lead.clock.at(local("2026-04-07 10:00"))
        revoke(lead, ray)
        out.beat()
        system.once()
        assert system.show(ray.participant) is None, "held is not shown"
        (receipt,) = out.read(RECEIPT.topic("city-pd"))
        assert b'"held"' in (receipt.value or b"")

        # Signed again, he is told of again: a later version than the withdrawal.
        ray.at("2026-05-01 09:00")
        again = {"covers_from": "2026-05-01T00:00:00-07:00"}
        form = story.form(expires_on="2027-04-30", grants=[story.grants()[0] | again])
        ray.dana.do(f"/v1/participants/{ray.care}/roi", form)
        out.beat()
        system.once()
        assert system.show(ray.participant)["EnrolmentStatusCode"] == "enrolled"
