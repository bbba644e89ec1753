"""`kill -9` of the relay wherever it stands: nothing was told that is not accounted for, and consent's end is told."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest

from adapters.kafka.messages.outgoing import StatusPublished
from tests.conftest import Database
from tests.scenarios import ray as story
from tests.scenarios.stream import SOURCE, Streams, streams
from tests.site import SiteUnderTest, local, running_site

pytestmark = [pytest.mark.server, pytest.mark.kafka]
ROUNDS = 8
PARTIES = ("city-pd", "county-pa", "housing-co")
BEATS = """
import sys
from pathlib import Path
from adapters.bootstrap import Database, opened
from adapters.kafka.gateway import Broker
from adapters.kafka.relay import Publisher
from adapters.secrets import Secrets
from adapters.settings import Settings
from services.ports import Conflict, Unavailable
from services.relay import Relay
url, folder, db_prefix, address, prefix, source = sys.argv[1:]
settings = Settings(environment="test", prefix=db_prefix)
with opened(Database(url, Secrets.read(Path(folder)), db_prefix), settings) as parts:
    publisher = Publisher(Broker(address), parts.site.outbox, source, prefix)
    relay = Relay(parts.site, publisher.send, publisher.acknowledge, publisher.reaches)
    print("beats", flush=True)
    while True:
        try:
            relay.beat()
        except (Conflict, Unavailable):
            pass
"""


@pytest.fixture
def lead(site_db: Database) -> Iterator[SiteUnderTest]:
    with running_site(site_db) as site:
        yield site


def killed(out: Streams, db: Database, lead: SiteUnderTest, begin: float) -> None:
    """Let a relay beat, and kill it some time after there is something to tell."""
    where = (db.owner_url, str(db.secrets.folder), db.prefix, out.broker.bootstrap, out.prefix, SOURCE)
    root = str(Path(__file__).parents[3])
    relay = subprocess.Popen(
        [sys.executable, "-c", BEATS, *where], stdout=subprocess.PIPE, cwd=root, env=os.environ | {"PYTHONPATH": root}
    )
    assert relay.stdout is not None
    assert relay.stdout.readline() == b"beats\n"
    time.sleep(0.5)
    lead.clock.at(lead.clock.moment + timedelta(hours=13))  # a new lease for everyone
    time.sleep(begin)  # in the middle of a release, a row, a record, or of nothing
    relay.send_signal(signal.SIGKILL)
    relay.wait()
    relay.stdout.close()


def test_wherever_it_is_killed(lead: SiteUnderTest, kafka: str, site_db: Database) -> None:
    chance = random.Random(4)
    with streams(lead, kafka, *PARTIES) as out:
        ray = story.arrest(lead)
        for party in PARTIES:
            out.account(party)
        story.enrol(ray)
        lead.clock.at(local("2026-03-20 09:00"))
        for _ in range(ROUNDS):
            killed(out, site_db, lead, chance.uniform(0, 0.6))
        lead.person("noor").do(
            f"/v1/participants/{ray.care}/roi/{ray.roi}/revocations",
            {"word_of": "participant", "medium": "oral", "parties": list(PARTIES)},
        )
        killed(out, site_db, lead, chance.uniform(0, 0.3))
        out.beat()
        assert out.beat() == 0
        for party in PARTIES:
            statuses, controls = out.told(party)
            assert statuses[-1].event.tombstone
            assert controls
            versions = [each.body.StatusVersion for each in statuses if isinstance(each.body, StatusPublished)]
            assert versions == sorted(set(versions)), "each under a version of its own"
            with psycopg.connect(site_db.owner_url) as owner:
                (released,) = owner.execute(
                    "select count(*) from log.disclosure where surface = 'stream' and party_id = %s",
                    [lead.parts.site.directory.by_code(party, "party").id],
                ).fetchone() or (0,)
            assert len(versions) <= released, "nothing was told that is not accounted for"
            assert len(versions) > 1, "it was told something between being killed"
