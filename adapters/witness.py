"""Witnesses: what a partner agency runs to be one, and how the site asks those that it has.

The agency's memory is one SQLite file: a checkpoint is looked at and remembered in one transaction, on disk before it
is answered, however many processes serve from it.
"""

from __future__ import annotations

import logging
import os
import sqlite3
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final, NamedTuple

import psycopg
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from adapters.wire import is_encrypted
from services.checkpoint import BadCheckpoint, Verifier, signers
from services.ports import Seal, Seals
from services.witness import BODY_MOST, NOTHING, PATH, Seen, Witness, request

_WAIT_SECONDS: Final = 30.0
_ANSWER_SECONDS: Final = 10.0
_ANSWER_MOST: Final = 16 * 1024
_KEY_SIZE: Final = 32
_SIGNED, _CONFLICT = 200, 409
_DIGITS: Final = 20
_log = logging.getLogger("goldenthread.witness")


class WitnessFailed(RuntimeError):
    """A witness cannot be one, or cannot be named so; the sentence says what to do."""


class SqliteMemory:
    """`services.witness.Memory` in a file. A file put back from a backup forgets: begin anew, under another name."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with self._connected() as connection:
            connection.execute(
                "create table if not exists seen (origin text primary key, size text not null, root blob not null)"
            )

    def advance(self, origin: str, decide: Callable[[Seen], Seen]) -> None:
        """Put what `decide` makes of a log's last checkpoint in its place; others wait until it is on the disk."""
        with self._connected() as connection:
            connection.execute("begin immediate")
            try:
                found = connection.execute("select size, root from seen where origin = ?", [origin]).fetchone()
                size, root = decide(Seen(int(found[0]), found[1]) if found else NOTHING)
                connection.execute("insert or replace into seen values (?, ?, ?)", [origin, str(size), root])
            except BaseException:
                connection.execute("rollback")
                raise
            connection.execute("commit")

    @contextmanager
    def _connected(self) -> Iterator[sqlite3.Connection]:
        try:
            with closing(sqlite3.connect(self._path, timeout=_WAIT_SECONDS, isolation_level=None)) as connection:
                connection.execute("pragma synchronous = extra")
                yield connection
        except sqlite3.Error as error:
            raise WitnessFailed(f"{self._path} cannot be read or written ({type(error).__name__}).") from None


def key_in(path: Path) -> Ed25519PrivateKey:
    """Return the key that a file holds, 32 bytes; makes it, for its owner's eyes alone, where there is none."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        found = path.read_bytes()
        if len(found) != _KEY_SIZE:
            raise WitnessFailed(f"{path} is no key of {_KEY_SIZE} bytes: restore it from its backup.") from None
        return Ed25519PrivateKey.from_private_bytes(found)
    key = Ed25519PrivateKey.generate()
    with os.fdopen(descriptor, "wb") as file:
        file.write(key.private_bytes_raw())
        file.flush()
        os.fsync(descriptor)
    return key


def witness_app(witness: Witness) -> Starlette:
    """Return the application that a witness serves."""

    async def add_checkpoint(asked: Request) -> Response:
        body = bytearray()
        async for part in asked.stream():
            body += part
            if len(body) > BODY_MOST:
                return Response(status_code=413)
        answer = await run_in_threadpool(witness.add_checkpoint, bytes(body), lambda: int(time.time()))
        return Response(answer.body, answer.status, {"Content-Type": answer.content_type})

    return Starlette(routes=[Route(PATH, add_checkpoint, methods=["POST"])])


class Named(NamedTuple):
    """A witness that the site asks: whose signature it takes, and where."""

    verifier: Verifier
    url: str


def read_witnesses(path: Path) -> list[Named]:
    """Return the witnesses of a file, a line each: a verifier key, then its URL. Raises `WitnessFailed`."""
    found = []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        key, _, url = line.strip().partition(" ")
        if not key or key.startswith("#"):
            continue
        try:
            verifier = Verifier.parse(key)
        except ValueError as error:
            raise WitnessFailed(f"{path}, line {number}: {error}") from None
        if not verifier.cosigns or not is_encrypted(url.strip()):
            raise WitnessFailed(
                f"{path}, line {number}: give the key that the witness printed, a space, and its URL, https://..."
            )
        found.append(Named(verifier, url.strip().rstrip("/")))
    return found


class Witnesses:
    """Asks the site's witnesses to sign each checkpoint, and keeps what they signed, under the sealer's login."""

    def __init__(self, seals: Seals, sealer_url: str, named: Sequence[Named]) -> None:
        self._seals, self._url, self._named = seals, sealer_url, named
        self._signed: dict[str, int] = {}  # the size that each signed last, as far as is known here

    def ask(self) -> None:
        """Ask those who have not signed the last checkpoint. One that does not answer is asked again next time."""
        seal = self._seals.latest()
        if seal is None:
            return
        signed = signers(seal.note, *(named.verifier for named in self._named))
        for named in self._named:
            if named.verifier not in signed:
                self._ask(named, seal)

    def _ask(self, named: Named, seal: Seal) -> None:
        name, old = named.verifier.name, self._signed.get(named.verifier.name, 0)
        status, answer = self._post(named, seal, old)
        size = _size(answer) if status == _CONFLICT else None
        if size is not None and size != old:  # it says what it signed last
            if size > seal.size:
                _log.error("the witness %s signed %d leaves and the log has %d: it was cut", name, size, seal.size)
                return
            status, answer = self._post(named, seal, size)
        if status == _SIGNED:
            self._keep(named.verifier, seal, answer)
        else:
            _log.warning("the witness %s did not sign checkpoint %d: it answered %d", name, seal.size, status)

    def _post(self, named: Named, seal: Seal, old: int) -> tuple[int, str]:
        return _post(named.url + PATH, request(old, self._seals.consistency(old, seal.size), seal.note))

    def _keep(self, verifier: Verifier, seal: Seal, answer: str) -> None:
        for line in answer.splitlines(keepends=True):
            try:
                right = verifier in signers(seal.note + line, verifier)
            except BadCheckpoint:
                right = False
            if right:
                with psycopg.connect(self._url, autocommit=True) as connection:
                    connection.execute(
                        "insert into log.cosignature (size, witness, line) values (%s, %s, %s) on conflict do nothing",
                        [seal.size, verifier.name, line],
                    )
                self._signed[verifier.name] = seal.size
                return
        _log.warning("the witness %s answered with no signature of its own", verifier.name)


def _size(answer: str) -> int | None:
    found = answer.strip()
    return int(found) if found.isascii() and found.isdigit() and len(found) <= _DIGITS else None


def _post(url: str, body: str) -> tuple[int, str]:
    """Send a body; return the status, 0 where nobody answers, and what came."""
    asked = urllib.request.Request(url, body.encode(), {"Content-Type": "text/plain; charset=utf-8"})  # noqa: S310 - read_witnesses
    try:
        with urllib.request.urlopen(asked, timeout=_ANSWER_SECONDS) as answer:  # noqa: S310
            return answer.status, answer.read(_ANSWER_MOST).decode(errors="replace")
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read(_ANSWER_MOST).decode(errors="replace")
    except OSError:
        return 0, ""
