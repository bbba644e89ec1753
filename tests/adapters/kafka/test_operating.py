"""What the operator of a site sees of its streams, and how one goes on after a stop."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from typer.testing import CliRunner, Result

from adapters.cli.main import app
from adapters.kafka import gateway as gate
from tests.adapters.kafka.test_gateway import Site, a_site, distinct, told
from tests.conftest import Database

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
