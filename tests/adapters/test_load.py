"""Loading files into a real log: twice, at once, killed midway, damaged."""

from __future__ import annotations

import gzip
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import psycopg
import pytest
import typer
from typer.testing import CliRunner, Result

from adapters.bootstrap import Database as SiteDatabase
from adapters.bootstrap import opened
from adapters.cli.load import load
from adapters.settings import Settings
from domain.event import Recorded
from domain.protocol import Protocol
from domain.refusal import Refused
from domain.registry import PartyKind, Role
from domain.stop_record import StopRecorded
from services.ports import NOBODY, Caller, Log
from services.register import Beginning, EndStaff, RegisterParty, begin, party_id
from services.site import Site, carry_out
from services.stops import COLUMNS, Tally, load_stops
from tests.conftest import Database
from tests.services.stops_excerpt import document, line, row

pytestmark = pytest.mark.server

_REAL = Path(
    os.environ.get("GOLDENTHREAD_TEST_STOPS")
    or Path(__file__).parents[3] / "shared" / "data" / "seattle_terry_stops" / "terry_stops.csv.gz"
)
PROTOCOL: dict[str, Any] = {
    "version": "2026-1",
    "effective_from": "2026-01-01",
    "zone": "America/Los_Angeles",
    "handoff_minutes": 30,
    "intake_days": 30,
    "non_return_hours": 24,
    "caseload_intensive_least": 12,
    "caseload_intensive_most": 15,
    "caseload_average": 20,
    "caseload_most": 25,
    "priorities": ["arrest_diversion", "social_contact", "community", "defender", "court", "prosecutor", "probation"],
    "roi_days_most": 365,
    "roi_notice_days": 30,
    "item_days_most": 30,
    "paper_days": 7,
    "review_days": 90,
    "finding_hours": 24,
    "small_cell": 11,
    "retention_days": 2200,
    "retention_days_not_enrolled": 365,
    "public_referrals_per_hour": 60,
    "public_referrals_per_address": 6,
    "feed_hours": 72,
    "set_aside_days": 30,
    "lease_hours": 24,
    "receipt_days": 7,
    "acknowledgement_days": 30,
    "name_likeness": 0.85,
    "review_likeness": 0.75,
    "divertible": ["possession"],
    "exclusions": ["promoting"],
    "override_ranks": ["sergeant"],
    "on_call": "206-555-0100",
    "team_number": "206-555-0101",
}
SITE: dict[str, Any] = {
    "protocol": PROTOCOL,
    "parties": [
        {"code": "lead", "name": "LEAD", "kind": "program"},
        {"code": "seattle-pd", "name": "Seattle Police", "kind": "police"},
        {"code": "county-pao", "name": "Prosecuting Attorney", "kind": "prosecutor"},
    ],
    "staff": [{"party": "lead", "name": "P. Manager", "role": "project_manager", "subject": "pm"}],
}


@pytest.fixture(name="begun")
def begun_site(site_db: Database) -> Iterator[Site]:
    """A site that has begun."""
    with reopened(site_db) as parts:
        begin(parts.site, Beginning.model_validate_json(json.dumps(SITE)))
        yield parts.site


def reopened(database: Database) -> Any:
    """Open the site once more, as another process would."""
    return opened(SiteDatabase(database.owner_url, database.secrets, database.prefix), Settings())


def numbered(count: int) -> list[dict[str, str]]:
    return [row(TERRY_STOP_ID=str(n), Beat=f"K{n % 7}") for n in range(1, count + 1)]


def load_bytes(site: Site, content: bytes, **more: Any) -> Tally:
    return load_stops(site, io.BytesIO(content), "seattle-pd", **more)


def counted(tally: Tally) -> tuple[int, int, int, int]:
    """Return (accepted, known already, set aside, of them new), having checked that nothing is missing."""
    assert tally.read == tally.accepted + tally.duplicate + tally.set_aside
    return tally.accepted, tally.duplicate, tally.set_aside, tally.new_asides


def stops(site: Site) -> list[Recorded[Any]]:
    return site.log.of_topics([StopRecorded.topic])


def asides(database: Database) -> list[tuple[Any, ...]]:
    with psycopg.connect(database.owner_url) as connection:
        return connection.execute(
            "select source, row_number, field, reason, row_sha256 from log.set_aside order by row_number"
        ).fetchall()


def end_state(site: Site, database: Database) -> tuple[list[str], list[tuple[Any, ...]]]:
    return sorted(r.event.model_dump_json() for r in stops(site)), asides(database)


FAULTY: list[dict[str, str] | bytes] = [
    *numbered(40),
    line(row(TERRY_STOP_ID="41", ArrestFlag="?")),
    line(row(TERRY_STOP_ID="NULL")),
    line(row(TERRY_STOP_ID="42"))[:-4] + b"\n",
    line(row(TERRY_STOP_ID="1", Beat="K1", OfficerID="1")),  # the same as we keep it
    line(row(TERRY_STOP_ID="1", Beat="K1", ArrestFlag="N")),  # told otherwise
    line(row(TERRY_STOP_ID="4300")),
]


@pytest.mark.parametrize("batch", [1, 7, 500])
def test_every_row_is_accepted_known_or_set_aside_and_twice_adds_nothing(
    begun: Site, site_db: Database, batch: int
) -> None:
    assert counted(load_bytes(begun, document(*FAULTY), batch=batch)) == (41, 1, 4, 4)
    first, position = end_state(begun, site_db), begun.log.position()
    assert [(number, field, reason) for _, number, field, reason, _ in first[1]] == [
        (42, "ArrestFlag", "neither Y nor N"),
        (43, "TERRY_STOP_ID", "missing"),
        (44, "the row", "20 columns where the header has 21"),
        (46, "TERRY_STOP_ID", "told already, with other facts"),
    ]
    assert counted(load_bytes(begun, document(*FAULTY), batch=batch)) == (0, 42, 4, 0)
    assert (end_state(begun, site_db), begun.log.position()) == (first, position)
    for recorded in stops(begun):
        assert recorded.version == 1
        assert recorded.envelope.actor is None
        assert (recorded.envelope.role, recorded.envelope.agency) == ("service", party_id("seattle-pd"))
        assert recorded.event.party_id == party_id("seattle-pd")
    assert len({recorded.envelope.correlation_id for recorded in stops(begun)}) == 1


def test_a_file_that_tells_a_known_stop_otherwise_is_set_aside(begun: Site) -> None:
    load_bytes(begun, document(*numbered(3)))
    other = document(row(TERRY_STOP_ID="2", Beat="K2", FriskFlag="Y"), row(TERRY_STOP_ID="3", Beat="K3"))
    assert counted(load_bytes(begun, other)) == (0, 1, 1, 1)
    assert [r.event.frisked for r in stops(begun)] == [False] * 3


def test_what_was_set_aside_holds_nothing_of_the_rows(begun: Site, site_db: Database) -> None:
    secret = row(TERRY_STOP_ID="x", SubjectID="424242", OfficerID="535353")
    load_bytes(begun, document(secret, row(Reported_Date="1066-10-14"), line(row(Beat="ABSURD"))[:-4] + b",,,\n"))
    kept = repr([(field, reason) for _, _, field, reason, _ in asides(site_db)])
    for said in ("424242", "535353", "1066", "ABS"):
        assert said not in kept


def test_two_loads_at_once_come_to_one(begun: Site, site_db: Database) -> None:
    content = document(*numbered(600), *FAULTY[40:])
    with reopened(site_db) as one, reopened(site_db) as other, ThreadPoolExecutor(2) as pool:
        ran = [pool.submit(load_bytes, parts.site, content, batch=20) for parts in (one, other)]
        tallies = [counted(run.result()) for run in ran]
    assert sum(accepted for accepted, *_ in tallies) == 601
    assert [aside for _, _, aside, _ in tallies] == [4, 4]
    assert sum(new for *_, new in tallies) == 4
    kept = end_state(begun, site_db)
    assert len(kept[0]) == 601
    assert counted(load_bytes(begun, content)) == (0, 602, 4, 0)
    assert end_state(begun, site_db) == kept


class OvertakenLog:
    """A log in which something else happens once, between what a writer was told and what it records."""

    def __init__(self, log: Log, meanwhile: Callable[[], object]) -> None:
        self._log = log
        self._meanwhile = [meanwhile]

    def __getattr__(self, name: str) -> Any:
        if name == "record" and self._meanwhile:
            self._meanwhile.pop()()
        return getattr(self._log, name)


def test_a_load_that_is_overtaken_asks_again(begun: Site, site_db: Database) -> None:
    content = document(*numbered(5))
    with reopened(site_db) as other:
        meanwhile = document(row(TERRY_STOP_ID="4", Beat="K4"), row(TERRY_STOP_ID="5", Beat="Q1"))
        log = cast("Log", OvertakenLog(begun.log, lambda: load_bytes(other.site, meanwhile)))
        assert counted(load_bytes(replace(begun, log=log), content)) == (3, 1, 1, 1)
    assert sorted((r.event.number, r.event.beat) for r in stops(begun)) == [
        ("1", "K1"), ("2", "K2"), ("3", "K3"), ("4", "K4"), ("5", "Q1"),
    ]  # fmt: skip


def test_a_beginning_that_is_overtaken_asks_again(begun: Site, site_db: Database) -> None:
    beginning = Beginning(
        parties=(RegisterParty(code="tacoma-pd", name="Tacoma Police", kind=PartyKind.POLICE),),
        protocol=Protocol.model_validate({**PROTOCOL, "version": "2026-2", "retroactive": True}),
    )
    one = beginning.model_copy(update={"protocol": None})
    other = beginning.model_copy(update={"parties": ()})
    with reopened(site_db) as parts:
        for part in (one, other):
            log = cast("Log", OvertakenLog(begun.log, lambda part=part: begin(parts.site, part)))  # type: ignore[misc]
            came_to = begin(replace(begun, log=log), part)
            assert (came_to.registered, came_to.unchanged) == (0, 1)


_KILLED = """
import sys
from pathlib import Path
from adapters.bootstrap import Database, opened
from adapters.secrets import Secrets
from adapters.settings import Settings
from services.stops import load_stops
url, secrets, prefix, file = sys.argv[1:]
with opened(Database(url, Secrets.read(Path(secrets)), prefix), Settings()) as parts, open(file, "rb") as rows:
    load_stops(parts.site, rows, "seattle-pd", batch=10, progress=lambda tally: print(tally.read, flush=True))
"""


@pytest.mark.parametrize("after", [1, 13])
def test_killed_and_run_again_it_ends_the_same(begun: Site, site_db: Database, tmp_path: Path, after: int) -> None:
    content = document(*FAULTY[40:], *numbered(2000), *FAULTY[44:45])
    file = tmp_path / "stops.csv"
    file.write_bytes(content)
    arguments = [site_db.owner_url, str(site_db.secrets.folder), site_db.prefix, str(file)]
    with subprocess.Popen(
        [sys.executable, "-c", _KILLED, *arguments], stdout=subprocess.PIPE, cwd=Path(__file__).parents[2]
    ) as process:
        assert process.stdout is not None
        for _ in range(after):
            assert process.stdout.readline()
        process.kill()
    assert 0 < len(stops(begun)) < 2000
    accepted, known, aside, _ = counted(load_bytes(begun, content))
    assert (accepted + known, aside) == (2002, 5)
    assert counted(load_bytes(begun, content)) == (0, 2002, 5, 0)
    told, kept = end_state(begun, site_db)
    assert len(told) == 2001
    assert [number for _, number, *_ in kept] == [2, 3, 4, 6]


@pytest.fixture
def run(site_db: Database, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Run the command on the test's database."""
    monkeypatch.setenv("GOLDENTHREAD_DATABASE_URL", site_db.owner_url)
    monkeypatch.setenv("GOLDENTHREAD_SECRETS_DIR", str(site_db.secrets.folder))
    monkeypatch.setenv("GOLDENTHREAD_PREFIX", site_db.prefix)
    monkeypatch.setenv("GOLDENTHREAD_ENVIRONMENT", "test")
    app = typer.Typer()
    app.command()(load)

    def command(file: Path, form: str = "seattle-terry-stops", *options: str) -> Result:
        return CliRunner().invoke(app, [str(file), "--format", form, *options])

    return command


def test_the_command_says_what_became_of_the_rows(run: Any, begun: Site, tmp_path: Path) -> None:
    plain, packed = tmp_path / "stops.csv", tmp_path / "stops.csv.gz"
    plain.write_bytes(document(*FAULTY))
    packed.write_bytes(gzip.compress(document(*FAULTY)))
    first, second = run(packed), run(plain)
    assert (first.exit_code, second.exit_code) == (0, 0)
    assert "46 rows read: 41 accepted, 1 known already, 4 set aside (4 of them for the first time)." in first.stdout
    assert "46 rows read: 0 accepted, 42 known already, 4 set aside (0 of them for the first time)." in second.stdout
    assert "  set aside: 1 row: ArrestFlag: neither Y nor N\n" in first.stdout
    assert "  row 42: ArrestFlag: neither Y nor N\n" in first.stdout


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("stops.csv.gz", document(row()), "called .gz and is not gzip"),
        ("stops.csv", document(row()).replace(b"Beat", b"Bear", 1), "lacks the columns Beat."),
        ("stops.csv", b"", "the file is empty"),
        ("stops.csv.gz", gzip.compress(document(row()))[:-20], "damaged or cut short"),
        ("stops.csv.gz", gzip.compress(document(row()))[:-8] + b"\0" * 8, "damaged or cut short"),
    ],
)
def test_a_file_that_cannot_be_read_is_status_2(
    run: Any, begun: Site, tmp_path: Path, name: str, content: bytes, sentence: str
) -> None:
    (tmp_path / name).write_bytes(content)
    result = run(tmp_path / name)
    assert result.exit_code == 2
    assert sentence in result.stderr


def test_no_file_and_no_department_are_status_2(run: Any, begun: Site, tmp_path: Path) -> None:
    (tmp_path / "stops.csv").write_bytes(document(row()))
    assert "No such file" in run(tmp_path / "nothing.csv").stderr
    assert "Is a directory" in run(tmp_path).stderr
    for party, sentence in (("tacoma-pd", "no party here is called"), ("county-pao", "is of kind prosecutor")):
        result = run(tmp_path / "stops.csv", "seattle-terry-stops", "--party", party)
        assert result.exit_code == 2
        assert sentence in result.stderr
    assert stops(begun) == []


def test_what_a_damaged_file_gave_stands_and_the_whole_one_does_the_rest(run: Any, begun: Site, tmp_path: Path) -> None:
    whole = gzip.compress(document(*numbered(3000)))
    file = tmp_path / "stops.csv.gz"
    file.write_bytes(whole[: len(whole) * 2 // 3])
    assert run(file).exit_code == 2
    assert 0 < len(stops(begun)) < 3000
    file.write_bytes(whole)
    assert run(file).exit_code == 0
    assert len(stops(begun)) == 3000


def test_a_pipe_is_a_file_too(run: Any, begun: Site) -> None:
    reading, writing = os.pipe()
    os.write(writing, gzip.compress(document(*numbered(5))))
    os.close(writing)
    assert "5 accepted" in run(Path(f"/dev/fd/{reading}")).stdout
    os.close(reading)


def test_the_real_file(begun: Site) -> None:
    if not _REAL.exists():
        pytest.skip("the City of Seattle's file is not here: name it in GOLDENTHREAD_TEST_STOPS")
    with gzip.open(_REAL) as file:
        assert counted(load_stops(begun, file, "seattle-pd")) == (19753, 0, 0, 0)
    told = [r.event for r in stops(begun)]
    assert sum(event.arrested for event in told) == 4248
    assert sum(event.frisked is None for event in told) == 297
    assert sum(event.race_as_perceived is None for event in told) == 936 + 287
    assert sum(event.precinct is None for event in told) == 7655 + 19
    assert {len(event.model_dump()) for event in told} == {6 + 10}  # coordinates and time, and what the class names
    assert len(COLUMNS) == 11


def test_a_beginning_is_made_once(run: Any, site_db: Database, tmp_path: Path) -> None:
    file = tmp_path / "site.json"
    file.write_text(json.dumps(SITE))
    assert "5 registered, 0 known already, 0 registered otherwise" in run(file, "registry").stdout
    with reopened(site_db) as parts:
        position = parts.site.log.position()
        assert parts.site.protocol().version == "2026-1"
        assert parts.site.directory.by_subject("pm").role is Role.PROJECT_MANAGER
        assert "0 registered, 5 known already" in run(file, "registry").stdout
        assert parts.site.log.position() == position
        envelopes = [r.envelope for r in parts.site.log.of_topics(["party.registered", "staff.registered"])]
        assert {(e.actor, e.role) for e in envelopes} == {(None, "service")}


def test_what_differs_is_said_and_left(begun: Site) -> None:
    position = begun.log.position()
    other = {
        "protocol": {**PROTOCOL, "handoff_minutes": 45},
        "parties": [{"code": "seattle-pd", "name": "SPD", "kind": "police"}],
        "staff": [{"party": "lead", "name": "Q. Manager", "role": "project_manager", "subject": "pm"}],
    }
    came_to = begin(begun, Beginning.model_validate_json(json.dumps(other)))
    assert (came_to.registered, came_to.unchanged) == (0, 0)
    assert came_to.differing == [
        "parties[0] (seattle-pd): name",
        "protocol (2026-1): handoff_minutes",
        "staff[0] (pm): name",
    ]
    assert begun.log.position() == position


def test_an_ended_authority_stays_ended(begun: Site) -> None:
    manager = begun.directory.by_subject("pm")
    assert manager is not None
    caller = Caller(manager.id, manager.party, PartyKind.PROGRAM, manager.role, None, manager.name, NOBODY)
    carry_out(begun, caller, EndStaff(subject="pm"))
    came_to = begin(begun, Beginning.model_validate_json(json.dumps(SITE)))
    assert came_to.differing == ["staff[0] (pm): the authority has ended"]
    assert begun.directory.by_subject("pm") is None


def test_a_refusal_names_its_place(begun: Site) -> None:
    staff = [{"party": "nobody", "name": "X", "role": "officer", "subject": "x"}]
    with pytest.raises(Refused) as refused:
        begin(begun, Beginning.model_validate_json(json.dumps({"staff": staff})))
    assert refused.value.field == "staff[0] (x).party"


def test_a_beginning_made_by_two_at_once_is_made_once(site_db: Database) -> None:
    parties = tuple(RegisterParty(code=f"party-{n}", name="P", kind=PartyKind.POLICE) for n in range(60))
    with reopened(site_db) as one, reopened(site_db) as other, ThreadPoolExecutor(2) as pool:
        ran = [pool.submit(begin, parts.site, Beginning(parties=parties)) for parts in (one, other)]
        begun = [run.result() for run in ran]
        assert sum(b.registered for b in begun) == 60
        assert sum(b.unchanged for b in begun) == 60
        assert len(one.site.log.of_topics(["party.registered"])) == 60


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("not json", "Invalid JSON"),
        (json.dumps({**SITE, "people": []}), "people: Extra inputs are not permitted"),
        (
            json.dumps({"protocol": {**PROTOCOL, "zone": "Nowhere/Land"}}),
            "protocol.zone: Value error, no such time zone",
        ),
        (json.dumps({"parties": [{"code": "x"}]}), "parties.0.name: Field required"),
        (json.dumps({"staff": [{"party": "no", "name": "X", "role": "officer", "subject": "x"}]}), "staff.0.party"),
    ],
)
def test_a_file_that_is_no_beginning_is_status_2(
    run: Any, site_db: Database, tmp_path: Path, content: str, sentence: str
) -> None:
    file = tmp_path / "site.json"
    file.write_text(content)
    result = run(file, "registry")
    assert result.exit_code == 2
    assert sentence in result.stderr
