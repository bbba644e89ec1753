"""What the operator of a site sees of its streams, and how one goes on after a stop."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from typer.testing import CliRunner, Result

from adapters.cli.main import app
from adapters.kafka import gateway as gate
from services.ports import Unavailable
from tests.adapters.kafka.test_gateway import Site, a_site, distinct, told
from tests.conftest import Database
from tests.scenarios import ray as story
from tests.scenarios.stream import streams
from tests.site import running_site

pytestmark = [pytest.mark.server, pytest.mark.kafka]

Run = Callable[..., Result]


@pytest.fixture
def site(site_db: Database, kafka: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setattr(gate, "LOOK_SECONDS", 0.5)
    with a_site(site_db, kafka) as made:
        yield made


@pytest.fixture
def run(site: Site, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command on the test's database and broker."""
    settings = {
        "DATABASE_URL": site.database.owner_url,
        "SECRETS_DIR": str(site.database.secrets.folder),
        "PREFIX": site.database.prefix,
        "KAFKA": site.bootstrap,
        "KAFKA_PREFIX": site.prefix,
    }
    for name, value in settings.items():
        monkeypatch.setenv(f"GOLDENTHREAD_{name}", value)
    return lambda *arguments: CliRunner().invoke(app, list(map(str, arguments)))


def test_doctor_says_how_the_streams_are(site: Site, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    site.make_topic()
    site.publish(told(1), told(2))
    with site.running():
        site.until(lambda: distinct(site, 2), "two are taken")
    site.publish(told(3))
    well = run("doctor")
    assert well.exit_code == 0, well.stdout
    assert f"broker {site.bootstrap}: answers" in well.stdout
    assert f"stream {site.topic}/0: taken up to offset 2, last " in well.stdout
    assert ", 1 behind" in well.stdout
    assert "messages: 2 since " in well.stdout
    site.publish(told(4)._replace(value=b"{"))
    with site.running():
        site.until(lambda: site.partitions()[0][1] == 4, "all are taken")
    ill = run("doctor")
    assert ill.exit_code == 1
    assert "set aside: somebody must have them taken again, or drop them" in ill.stdout
    monkeypatch.setenv("GOLDENTHREAD_KAFKA", "127.0.0.1:1")
    gone = run("doctor")
    assert gone.exit_code == 1
    assert "broker 127.0.0.1:1: does not answer" in gone.stdout
    assert "Surname" not in well.stdout + ill.stdout + gone.stdout


def test_doctor_says_how_the_telling_goes(site_db: Database, kafka: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ray is told of and withdrawn while one party has no topic; the relay stops; nobody answers the withdrawal."""
    with running_site(site_db) as lead, streams(lead, kafka, "city-pd") as out:
        settings = {
            "DATABASE_URL": site_db.owner_url,
            "SECRETS_DIR": str(site_db.secrets.folder),
            "PREFIX": site_db.prefix,
            "KAFKA": kafka,
            "KAFKA_PREFIX": out.prefix,
        }
        for name, value in settings.items():
            monkeypatch.setenv(f"GOLDENTHREAD_{name}", value)

        def doctor() -> tuple[int, str]:
            found = CliRunner().invoke(app, ["doctor"])
            return found.exit_code, found.stdout

        def relay_in_health() -> list[bool]:
            """Return whether the project manager hears that the relay beats, fails, leaves something unsent."""
            well = lead.person("pat").see("/v1/program/health")
            return [
                well[name] is not None for name in ("relay_beat_at", "relay_failing_since", "messages_unsent_since")
            ]

        def later(**more: int) -> None:
            lead.clock.at(lead.clock.moment + timedelta(**more))

        ray = story.arrest(lead)
        assert "relay" not in doctor()[1], "nobody waits for one"
        assert relay_in_health() == [False, False, False]
        for party in ("city-pd", "county-pa"):
            out.account(party)
        ill, said = doctor()
        assert ill == 1
        assert "relay: it has never beaten: start `goldenthread gateway`" in said
        lacking = f"topic {out.prefix}out.county-pa.participant-status.v1: the broker has none: goldenthread topics"
        assert lacking in said, "before anything is to be told there"
        assert "out.city-pd.participant-status" not in said

        story.enrol(ray)
        lead.settle()
        outbox = lead.parts.site.outbox
        relay = replace(out.relay, reaches=lambda parties: frozenset(party.id for party in parties))
        with pytest.raises(Unavailable):  # as when a topic goes between asking and writing
            relay.beat()
        outbox.beaten("Unavailable")
        since = f"{lead.clock.moment:%Y-%m-%d %H:%M}"
        assert f"telling county-pa: 1 statuses unsent since {since}: for the next beat" in doctor()[1]
        later(minutes=5)
        with pytest.raises(Unavailable):
            relay.beat()
        outbox.beaten("Unavailable")
        failing, said = doctor()
        assert failing == 1
        assert "telling city-pd" not in said, "it has its topics, and was told"
        assert f"telling county-pa: 1 statuses unsent since {since}; they go by themselves once the relay beats" in said
        assert lacking in said
        assert relay_in_health() == [True, True, True]
        assert f"it has failed since {since} (Unavailable) and tries again on each beat" in said

        assert CliRunner().invoke(app, ["topics"]).exit_code == 0
        out.beat()
        outbox.beaten(None)
        beaten = f"{lead.clock.moment:%Y-%m-%d %H:%M}"
        well, said = doctor()
        assert well == 0, said
        assert f"relay: last beat {beaten}\n" in said
        assert "telling" not in said
        assert "the broker has none" not in said
        assert relay_in_health() == [True, False, False]

        word = {"word_of": "participant", "medium": "oral", "parties": ["city-pd"]}
        lead.person("noor").do(f"/v1/participants/{ray.care}/roi/{ray.roi}/revocations", word)
        out.beat()
        later(days=8)
        lead.settle()
        still, said = doctor()
        assert still == 1
        assert f"relay: last beat {beaten}; it stands still: is `goldenthread gateway` running?" in said
        assert "receipts: 1 overdue, the first since 2026-03-2" in said
        assert "GET /v1/privacy/withdrawals" in said
        outbox.beaten(None)
        assert doctor()[0] == 0, "who does not answer is the privacy officer's to call"
        assert not [word for word in ("Ray", "Bell", ray.participant, ray.care) if word in said]


def test_a_stopped_partition_goes_on_where_a_person_says(site: Site, run: Run, apache_kafka: str) -> None:
    site.make_topic()
    site.publish(*(told(n) for n in range(4)))
    with site.running():
        site.until(lambda: distinct(site, 4), "four are taken")
    assert "is not stopped" in run("resume", site.topic, 0, "--offset", 0).stderr
    assert "nothing was ever taken" in run("resume", site.topic, 7, "--offset", 0).stderr
    site.parts.site.stream.stop(site.topic, 0, gate.SHORTER)
    ill = run("doctor")
    assert ill.exit_code == 1
    assert f"STOPPED: {gate.SHORTER}. See what there is: goldenthread resume {site.topic} 0" in ill.stdout
    asked = run("resume", site.topic, 0)
    assert asked.exit_code == 2
    assert "It was taken up to offset 4" in asked.stdout
    assert "The broker holds offsets 0 to 4" in asked.stdout
    assert "--offset 0 takes all that there is" in asked.stderr
    assert run("resume", site.topic, 0, "--offset", 5).exit_code == 2
    assert site.partitions() == [(0, 4, gate.SHORTER)], "nothing was changed"
    went = run("resume", site.topic, 0, "--offset", 1)
    assert went.exit_code == 0
    assert "Read again: offsets 1 to 3. What was taken of them is not taken twice." in went.stdout
    site.publish(told(4))
    with site.running():
        site.until(lambda: distinct(site, 5), "the fifth is taken, and no other twice")
    assert site.partitions() == [(0, 5, None)]
    site.parts.site.stream.stop(site.topic, 0, gate.LOST)
    site.publish(told(5), told(6))
    assert "Given up: offsets 5 to 5, unless they are sent again." in run("resume", site.topic, 0, "--offset", 6).stdout


def test_another_topic_of_the_name_is_said_to_be_another(site: Site, run: Run) -> None:
    site.make_topic()
    site.publish(told(0))
    stream = site.parts.site.stream
    stream.claim(site.topic, 0, "an id that the broker does not have any more")
    stream.stop(site.topic, 0, gate.OTHER)
    went = run("resume", site.topic, 0, "--offset", 0)
    assert went.exit_code == 0, went.stderr
    assert "It is another topic: what the former one held from offset 0 on is lost" in went.stdout
    with site.running():
        site.until(lambda: distinct(site, 1), "it goes on")
