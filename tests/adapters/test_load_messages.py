"""Files of messages on a real log: loaded twice, torn, damaged, another party's; and a folder that is watched."""

from __future__ import annotations

import gzip
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from typer.testing import CliRunner, Result

from adapters.bootstrap import Database as SiteDatabase
from adapters.bootstrap import opened
from adapters.cli.load import Unreadable, load_messages
from adapters.cli.main import app
from adapters.cli.watch import Watched
from adapters.kafka.envelope import BYTES_MOST, Record
from adapters.settings import Settings
from adapters.simulation.cast import set_up
from domain.stop_record import ArrestRecorded
from services import feed as feeding
from services.messages import DropMessage
from services.ports import Keeping, Unavailable
from services.site import Site
from tests.adapters.kafka.messages import ATN, INCIDENT, WHO, person, record, settle
from tests.adapters.postgres.test_feed import holders
from tests.conftest import Database
from tests.site import SET_UP

pytestmark = pytest.mark.server
RMS = "city-pd:WASPD0000"
CANARY = "Xochitl-Quetzal"


@pytest.fixture
def site(site_db: Database) -> Iterator[Site]:
    db = SiteDatabase(site_db.owner_url, site_db.secrets, site_db.prefix)
    with opened(db, Settings(environment="test", prefix=site_db.prefix)) as parts:
        set_up(parts.site, SET_UP)
        parts.site.directory.refresh()
        yield parts.site


def arrest(number: int, *, source: str = RMS, id_: str | None = None) -> Record:
    """An arrest of somebody whom LEAD does not know."""
    return record(
        "arrest.recorded",
        source,
        {
            "LeadDiversion": None,
            WHO: person(CANARY, CANARY, "1971-11-23"),
            ATN: f"A26-{number:07}",
            INCIDENT: f"2026-{number:05}",
        },
        id_=id_,
    )


def wrapped(message: Record) -> bytes:
    """A line of headers, key and value."""
    headers = {name: (value or b"").decode() for name, value in message.headers}
    said = {"headers": headers, "key": (message.key or b"").decode(), "value": json.loads(message.value or b"null")}
    return json.dumps(said).encode()


def structured(message: Record) -> bytes:
    """A line that is a structured event."""
    headers = {name: (value or b"").decode() for name, value in message.headers}
    said = {name[3:]: value for name, value in headers.items() if name.startswith("ce_")}
    return json.dumps(said | {"data": json.loads(message.value or b"null")}).encode()


def lines(*messages: bytes) -> bytes:
    return b"".join(message + b"\n" for message in messages)


def arrests(site: Site) -> list[Any]:
    return [r.event for r in site.log.of_topics([ArrestRecorded.topic])]


def test_a_file_is_loaded_once_however_often_and_in_either_form(site: Site, tmp_path: Path) -> None:
    known = [arrest(n) for n in range(4)]
    first, second = tmp_path / "a.jsonl", tmp_path / "b.jsonl.gz"
    first.write_bytes(lines(*map(wrapped, known)))
    second.write_bytes(gzip.compress(lines(*map(structured, known), structured(arrest(9)))))
    assert load_messages(site, first, "city-pd").tally == Counter({"unknown": 4})
    assert load_messages(site, first, "city-pd").tally == Counter(duplicate=4)
    assert load_messages(site, second, "city-pd").tally == Counter({"duplicate": 4, "unknown": 1})
    assert len(arrests(site)) == 5


def test_a_torn_last_line_is_set_aside_by_itself(site: Site, tmp_path: Path, site_db: Database) -> None:
    file, whole = tmp_path / "a.jsonl", lines(*(structured(arrest(n)) for n in range(3)))
    file.write_bytes(whole[:-200])
    loaded = load_messages(site, file, "city-pd")
    assert loaded.tally == Counter({"unknown": 2, "set aside": 1})
    assert list(loaded.lines())[1] == "  line 3: value truncated: the JSON ends in its middle: send it whole."
    (aside,) = site.stream.asides()
    assert (aside.topic, aside.partition, aside.offset) == (loaded.name, -1, 3)
    assert load_messages(site, file, "city-pd").tally == Counter(duplicate=3)
    assert len(site.stream.asides()) == 1
    settle(site, site.stream.kept(Keeping.SET_ASIDE)[0], DropMessage(why="Torn."))
    load_messages(site, file, "city-pd")
    assert site.stream.asides() == [], "what was dropped of a file stays dropped"
    file.write_bytes(whole)
    assert load_messages(site, file, "city-pd").tally == Counter({"duplicate": 2, "unknown": 1})
    assert len(arrests(site)) == 3
    assert CANARY not in "".join(loaded.lines())
    assert holders(site_db, CANARY) == []


def test_a_line_that_is_too_long_is_one_message_and_the_next_is_another(site: Site, tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    file.write_bytes(lines(b'{"id": "' + b"x" * (5 * BYTES_MOST) + b'"}', structured(arrest(1)), b"", b"[]"))
    loaded = load_messages(site, file, "city-pd")
    assert loaded.tally == Counter({"set aside": 2, "unknown": 1})
    assert [(number, faults[0]["code"]) for number, faults in loaded.asides] == [(1, "too_large"), (4, "no_event")]


def test_a_file_of_another_party_is_set_aside(site: Site, tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    file.write_bytes(lines(wrapped(arrest(1)), wrapped(arrest(2, source="transit-pd:WATPD0000"))))
    loaded = load_messages(site, file, "city-pd")
    assert loaded.tally == Counter({"unknown": 1, "set aside": 1})
    assert loaded.asides[0][1][0]["code"] == "wrong_party"
    with pytest.raises(Unreadable, match="no party here is called so"):
        load_messages(site, file, "nobody")


def test_what_stands_before_the_damage_is_taken(site: Site, tmp_path: Path) -> None:
    file, whole = tmp_path / "a.jsonl.gz", gzip.compress(lines(*(structured(arrest(n)) for n in range(1500))), 1)
    file.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(Unreadable, match="damaged or cut short"):
        load_messages(site, file, "city-pd")
    before = len(arrests(site))
    assert 0 < before < 1500
    file.write_bytes(whole)
    assert load_messages(site, file, "city-pd").tally == Counter({"duplicate": before, "unknown": 1500 - before})


@pytest.fixture
def run(site_db: Database, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Run a command on the test's database."""
    for name, value in environment(site_db).items():
        monkeypatch.setenv(name, value)
    return lambda *arguments: CliRunner().invoke(app, list(map(str, arguments)))


def environment(site_db: Database) -> dict[str, str]:
    return {
        "GOLDENTHREAD_DATABASE_URL": site_db.owner_url,
        "GOLDENTHREAD_SECRETS_DIR": str(site_db.secrets.folder),
        "GOLDENTHREAD_PREFIX": site_db.prefix,
        "GOLDENTHREAD_ENVIRONMENT": "test",
    }


def test_the_command_says_what_became_of_the_messages(run: Any, site: Site, tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    file.write_bytes(lines(wrapped(arrest(1)), b'{"headers": [], "value": null}'))
    result = run("load", file, "--format", "messages", "--party", "city-pd")
    assert result.exit_code == 0
    assert "2 messages read: 0 accepted, 0 duplicate, 1 set aside, 0 waits, 0 early, 1 unknown." in result.stdout
    assert "  line 2: /headers string_type: it must be an object of texts." in result.stdout
    assert run("load", file, "--format", "messages").exit_code == 2


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "nightly"
    made.mkdir()
    return made


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_that_appears_is_taken_when_it_is_whole_and_leaves_a_report(site: Site, folder: Path) -> None:
    watched = Watched(site, folder, "city-pd")
    file, whole = folder / "a.jsonl", lines(*(structured(arrest(n)) for n in range(3)))
    file.write_bytes(whole[:500])
    watched.look()
    file.write_bytes(whole[:900])
    watched.look()
    assert arrests(site) == [], "it still grows"
    file.write_bytes(whole + b"{\n")
    watched.look()
    watched.look()
    assert len(arrests(site)) == 3
    assert names(folder) == ["a.jsonl.report"]
    report = (folder / "a.jsonl.report").read_text()
    assert "4 messages read: 0 accepted, 0 duplicate, 1 set aside, 0 waits, 0 early, 3 unknown." in report
    assert "line 4: value truncated" in report
    assert CANARY not in report


def test_the_same_file_again_adds_nothing(site: Site, folder: Path) -> None:
    watched = Watched(site, folder, "city-pd")
    for name in ("a.jsonl", "a.jsonl", "b.jsonl"):
        (folder / name).write_bytes(lines(structured(arrest(1, id_="the-same"))))
        watched.look()
        watched.look()
    assert len(arrests(site)) == 1
    assert names(folder) == ["a.jsonl.report", "b.jsonl.report"]


@pytest.mark.parametrize("replaced", [True, False], ids=["replaced", "appended to"])
def test_a_file_that_changes_while_it_is_read_is_read_again(
    site: Site, folder: Path, monkeypatch: pytest.MonkeyPatch, replaced: bool
) -> None:
    watched, file = Watched(site, folder, "city-pd"), folder / "a.jsonl"
    file.write_bytes(lines(structured(arrest(1))))
    watched.look()
    take = feeding.Feed.take

    def meanwhile(*args: Any, **options: Any) -> Counter[str]:
        tally = take(*args, **options)
        if replaced:
            draft = folder / "draft"
            draft.write_bytes(lines(structured(arrest(2))))
            draft.replace(file)
        else:
            with file.open("ab") as more:
                more.write(lines(structured(arrest(2))))
        monkeypatch.setattr(feeding.Feed, "take", take)
        return tally

    monkeypatch.setattr(feeding.Feed, "take", meanwhile)
    watched.look()
    assert "a.jsonl" in names(folder), "what came meanwhile is not deleted unread"
    watched.look()
    watched.look()
    assert (len(arrests(site)), names(folder)) == (2, ["a.jsonl.report"])


def test_what_cannot_be_read_stays_and_says_why_until_it_is_another(site: Site, folder: Path) -> None:
    watched, file = Watched(site, folder, "city-pd"), folder / "a.jsonl.gz"
    for other in ("notes.txt", ".hidden.jsonl", "a.jsonl.part"):
        (folder / other).write_text("x")
    (folder / "link.jsonl").symlink_to(folder / "notes.txt")
    file.write_bytes(b"no gzip")
    for _ in range(3):
        watched.look()
    assert "it is called .gz and is not gzip" in (folder / "a.jsonl.gz.report").read_text()
    file.write_bytes(gzip.compress(lines(structured(arrest(1)))))
    watched.look()
    watched.look()
    assert len(arrests(site)) == 1
    assert names(folder) == [".hidden.jsonl", "a.jsonl.gz.report", "a.jsonl.part", "link.jsonl", "notes.txt"]


def test_where_the_log_does_not_answer_the_file_waits(
    site: Site, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    watched = Watched(site, folder, "city-pd")
    (folder / "a.jsonl").write_bytes(lines(structured(arrest(1))))
    watched.look()
    with monkeypatch.context() as patch:

        def down(*_: Any, **__: Any) -> Counter[str]:
            raise Unavailable

        patch.setattr(feeding.Feed, "take", down)
        watched.look()
    assert names(folder) == ["a.jsonl"]
    watched.look()
    assert (len(arrests(site)), names(folder)) == (1, ["a.jsonl.report"])


def test_a_watcher_that_is_killed_in_the_middle_loses_nothing_and_takes_nothing_twice(
    site: Site, folder: Path, site_db: Database, run: Any
) -> None:
    many = 3000
    (folder / "a.jsonl").write_bytes(lines(*(structured(arrest(n)) for n in range(many))))
    script = "from adapters.cli.main import main; main()"
    command = [sys.executable, "-c", script, "watch", str(folder), "--party", "city-pd", "--every", "0.05"]
    watcher = subprocess.Popen(command, env=os.environ | environment(site_db))
    try:
        end = time.monotonic() + 60
        while not taken(site_db):
            assert time.monotonic() < end
            time.sleep(0.01)
    finally:
        watcher.send_signal(signal.SIGKILL)
        watcher.wait()
    assert 0 < taken(site_db) < many
    assert names(folder) == ["a.jsonl"]
    assert run("watch", folder, "--party", "city-pd", "--every", "0.05", "--once").exit_code == 0
    assert (taken(site_db), names(folder)) == (many, ["a.jsonl.report"])
    assert run("watch", folder, "--party", "nobody").exit_code == 2


def taken(site_db: Database) -> int:
    with psycopg.connect(site_db.owner_url) as owner:
        ((count,),) = owner.execute(
            "select count(*) from log.event where topic = %s", (ArrestRecorded.topic,)
        ).fetchall()
    return int(count)
