"""`deploy/audit` ends well only if everything that is installed was asked about, and has no published hole."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("pip_audit", reason="the extra `audit` is not installed")

AUDIT = Path(__file__).parents[1] / "deploy" / "audit"
HOLED = "pydantic"
NOBODY = "http://127.0.0.1:1"

Advice = Callable[[dict[str, Any]], tuple[int, bytes]]


@contextmanager
def advising(advice: Advice) -> Iterator[tuple[str, set[str]]]:
    """Run a service of advisories in the form of OSV; give its address, and what it was asked about."""
    asked: set[str] = set()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            query = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            asked.add(query["package"]["name"])
            status, body = advice(query)
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/v1/query", asked
        finally:
            server.shutdown()


def audit(*options: str) -> subprocess.CompletedProcess[str]:
    # Nobody elsewhere is asked, whatever is set here.
    env = {"PATH": os.environ["PATH"], "HTTPS_PROXY": NOBODY, "HTTP_PROXY": NOBODY, "NO_PROXY": "127.0.0.1"}
    return subprocess.run(
        [AUDIT, sys.executable, *options], env=env, capture_output=True, text=True, timeout=120, check=False
    )


def of_osv(url: str) -> tuple[str, ...]:
    return "--vulnerability-service", "osv", "--osv-url", url


def none(_: dict[str, Any]) -> tuple[int, bytes]:
    return 200, b"{}"


def one(query: dict[str, Any]) -> tuple[int, bytes]:
    if query["package"]["name"] != HOLED:
        return none(query)
    hole = {
        "id": "PYSEC-2026-1",
        "summary": "It opens.",
        "affected": [{"package": query["package"], "ranges": [{"type": "ECOSYSTEM", "events": [{"fixed": "99.0"}]}]}],
    }
    return 200, json.dumps({"vulns": [hole]}).encode()


def test_a_hole_is_a_failure_that_names_it() -> None:
    with advising(one) as (url, _):
        found = audit(*of_osv(url))
    assert found.returncode == 1, found.stderr
    assert [word in found.stdout for word in (HOLED, "PYSEC-2026-1", "99.0")] == [True] * 3


def test_everything_that_is_installed_is_asked_about() -> None:
    with advising(none) as (url, asked):
        found = audit(*of_osv(url))
    assert found.returncode == 0, found.stderr
    assert {"pydantic", "fastapi", "psycopg", "psycopg-binary", "cryptography", "pip"} <= asked
    assert "goldenthread" not in asked


@pytest.mark.parametrize(
    "advice",
    [lambda _: (503, b""), lambda _: (404, b"{}"), lambda _: (200, b"<html>Sign in to the network</html>")],
    ids=["out of order", "not there", "another's page"],
)
def test_an_answer_that_says_nothing_is_a_failure(advice: Advice) -> None:
    with advising(advice) as (url, _):
        assert audit(*of_osv(url)).returncode != 0


def test_no_answer_is_a_failure() -> None:
    assert audit(*of_osv(f"{NOBODY}/v1/query")).returncode != 0
    found = audit()  # PyPI, which is not reached
    assert found.returncode != 0
    assert "No known vulnerabilities" not in found.stdout + found.stderr


def test_a_python_without_the_extra_is_a_failure(tmp_path: Path) -> None:
    bare = tmp_path / "python"
    bare.write_text(f'#!/bin/sh\ncase "$2" in pip_audit) exit 1;; esac\nexec {sys.executable} "$@"\n')
    bare.chmod(0o755)
    assert subprocess.run([AUDIT, bare], capture_output=True, timeout=60, check=False).returncode == 1
