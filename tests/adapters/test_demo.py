"""The main job as a newcomer runs it: one command, a site at work, each person its own view, nothing left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

pytestmark = [pytest.mark.server, pytest.mark.timeout(120)]
ROOT = Path(__file__).parents[2]
COMMAND = "import sys; from adapters.cli.main import main; sys.argv[0] = 'goldenthread'; main()"


def run(*words: str, before: str = "") -> subprocess.Popen[str]:
    environment = os.environ | {"PYTHONUNBUFFERED": "1"}
    return subprocess.Popen(
        [sys.executable, "-c", before + COMMAND, *words],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def until_ready(demo: subprocess.Popen[str], ready: Path, seconds: float = 60) -> dict[str, Any]:
    end = time.monotonic() + seconds
    while not ready.exists():
        assert demo.poll() is None, demo.stdout and demo.stdout.read()
        assert time.monotonic() < end, "the demo was not ready in time"
        time.sleep(0.05)
    found: dict[str, Any] = json.loads(ready.read_text())
    return found


def interrupted(demo: subprocess.Popen[str]) -> str:
    demo.send_signal(signal.SIGINT)
    said, _ = demo.communicate(timeout=120)
    assert demo.returncode == 0, said
    return said


@pytest.fixture
def room() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="gt-demo-", dir="/tmp") as made:
        Path(made).chmod(0o711)
        yield Path(made)


def test_a_newcomer_sees_a_site_at_work_and_nothing_is_left(room: Path) -> None:
    ready = room / "ready.json"
    demo = run(
        "demo", "--port", "0", "--participants", "8", "--data-dir", str(room / "site"), "--ready-file", str(ready)
    )
    try:
        told = until_ready(demo, ready)
        assert ready.stat().st_mode & 0o077 == 0, "tokens are for their owner's eyes"
        people = {p["role"]: p for p in told["personas"]}
        assert set(people) >= {"case_manager", "supervisor", "liaison_prosecutor", "officer", "sergeant"}
        assert set(people) >= {"recipient_contact", "project_manager", "defender_observer", "participant"}
        assert set(people) >= {"counsel", "legal_services", "privacy_officer", "court_officer", "probation_officer"}
        assert len([p for p in told["personas"] if p["role"] == "officer"]) == 2
        assert httpx.get(f"{told['base_url']}/health/ready").status_code == 200
        assert "Golden Thread" in httpx.get(told["console_url"]).text

        def ask(role: str, path: str) -> httpx.Response:
            return httpx.get(told["base_url"] + path, headers={"Authorization": f"Bearer {people[role]['token']}"})

        own = {
            "case_manager": "/v1/case-manager/caseload",
            "liaison_prosecutor": "/v1/prosecutor/pending-cases",
            "officer": "/v1/police/referrals",
            "recipient_contact": "/v1/recipient/participants",
            "project_manager": "/v1/program/funnel",
        }
        care, police = {"case_manager", "supervisor", "outreach", "legal_advocate"}, {"officer", "sergeant"}
        for role in people:
            assert ask(role, "/v1/me").json()["role"] == role
            for owner, path in own.items():
                same_view = role == owner or any({role, owner} <= view for view in (care, police))
                assert ask(role, path).status_code == (200 if same_view else 403), (role, path)
        file = ask("liaison_prosecutor", "/v1/prosecutor/pending-cases.csv")
        assert file.status_code == 200, "a demo's tokens are of a recent sign-in"
        me = ask("participant", "/v1/me").json()
        assert ask("participant", f"/v1/participants/{me['participant']}/accounting").json()["disclosures"]
    finally:
        said = interrupted(demo)
    before, after = said.split("Counsel calls")
    assert "nothing from LEAD" not in before
    assert after.count("nothing from LEAD") == 2, "police and prosecutor went dark, the housing provider did not"
    assert not (room / "site" / "postgres" / "postmaster.pid").exists()


def test_the_same_folder_goes_on_where_it_stopped(room: Path) -> None:
    for _ in range(2):
        ready = room / "ready.json"
        ready.unlink(missing_ok=True)
        words = ("--port", "0", "--participants", "2", "--data-dir", str(room / "site"), "--ready-file", str(ready))
        demo = run("demo", *words)
        told = until_ready(demo, ready)
        token = next(p["token"] for p in told["personas"] if p["role"] == "case_manager")
        path = f"{told['base_url']}/v1/case-manager/caseload?team=true"
        team = httpx.get(path, headers={"Authorization": f"Bearer {token}"}).json()
        interrupted(demo)
        assert len(team["participants"]) == 2


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_while_the_past_is_played_leaves_nothing_running(room: Path, number: signal.Signals) -> None:
    """Even if started in the background by a shell, which has such a command ignore an interrupt."""
    ignored = f"import signal; signal.signal({int(number)}, signal.SIG_IGN); "
    demo = run("demo", "--port", "0", "--participants", "2000", "--data-dir", str(room / "site"), before=ignored)
    pid = room / "site" / "postgres" / "postmaster.pid"
    end = time.monotonic() + 60
    while not pid.exists():
        assert time.monotonic() < end
        time.sleep(0.05)
    time.sleep(1)
    demo.send_signal(number)
    demo.communicate(timeout=60)
    assert not pid.exists()


def test_a_taken_port_is_said_with_the_way_out(room: Path) -> None:
    ready = room / "ready.json"
    first = run("demo", "--port", "0", "--participants", "1", "--data-dir", str(room / "a"), "--ready-file", str(ready))
    port = until_ready(first, ready)["base_url"].rsplit(":", 1)[1]
    second = run("demo", "--port", port, "--participants", "1", "--data-dir", str(room / "b"))
    said, _ = second.communicate(timeout=60)
    interrupted(first)
    assert second.returncode == 1
    assert "choose another --port" in said
    assert "Traceback" not in said


@pytest.mark.kafka
def test_with_a_stream_an_arrest_becomes_a_referral_and_a_revocation_a_tombstone(room: Path, apache_kafka: str) -> None:
    ready = room / "ready.json"
    demo = run("demo", "--port", "0", "--participants", "12", "--stream", "--ready-file", str(ready))
    until_ready(demo, ready, 180)
    said = interrupted(demo)
    assert "later it is a referral." in said
    assert "1 tombstone on the next beat, no key." in said
