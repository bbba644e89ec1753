"""A witness: the answers of tlog-witness to the letter, the race that it must not lose, and the site that asks it.

The race: two requests are checked against the same memory, the one with fewer leaves is remembered last, and what came
between is forgotten. So are two histories that start from the same checkpoint: one alone may be signed.
"""

from __future__ import annotations

import multiprocessing
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from base64 import b64encode
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from random import Random

import pytest
import uvicorn
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from adapters.cli.witness import witness as witnessing
from adapters.witness import (
    Named,
    SqliteMemory,
    WitnessFailed,
    _post,
    key_in,
    read_witnesses,
    witness_app,
)
from services.checkpoint import Checkpoint, Verifier, sign, signers, verifier_of
from services.tree import Tree
from services.witness import NOTHING, PATH, Answer, Seen, Witness, request
from tests.services.played_log import KEY, ORIGIN

NAME = "witness.example/defenders"
OWN = Ed25519PrivateKey.from_private_bytes(b"w" * 32)
MINE = verifier_of(NAME, OWN.public_key(), cosigns=True)
LOG = verifier_of(ORIGIN, KEY.public_key())
TREE = Tree(sha256(b"%d" % n).digest() for n in range(200))
FORK = Tree(sha256(b"%d" % (n if n < 5 else -n)).digest() for n in range(200))


def witness(folder: Path) -> Witness:
    return Witness(NAME, OWN, {ORIGIN: [LOG]}, SqliteMemory(folder / "state"))


def note(size: int, tree: Tree = TREE, key: Ed25519PrivateKey = KEY, origin: str = ORIGIN) -> str:
    return sign(Checkpoint(origin, size, tree.root(size)), origin, key)


def asked(old: int, size: int, tree: Tree = TREE) -> bytes:
    return request(old, tree.consistency(old, size), note(size, tree)).encode()


def add(one: Witness, body: bytes) -> Answer:
    return one.add_checkpoint(body, lambda: 1_700_000_000)


def remembered(one: Witness) -> Seen:
    found: list[Seen] = []

    def look(seen: Seen) -> Seen:
        found.append(seen)
        return seen

    one.memory.advance(ORIGIN, look)
    return found[0]


def test_what_continues_is_remembered_and_signed(tmp_path: Path) -> None:
    one = witness(tmp_path)
    for old, size in ((0, 5), (5, 5), (5, 64), (64, 200), (200, 200)):
        answer = add(one, asked(old, size))
        assert (answer.status, answer.content_type) == (200, "text/plain; charset=utf-8")
        assert signers(note(size) + answer.body, LOG, MINE) == [LOG, MINE]
        assert remembered(witness(tmp_path)) == (size, TREE.root(size))  # on the disk


def test_the_cosignature_is_that_of_the_specification() -> None:
    """cosignature/v1: key hash over type 0x04; 8 bytes of time; the signed message has a header and the time."""
    one = Witness(NAME, OWN, {ORIGIN: [LOG]}, _Forgetful())
    line = add(one, asked(0, 5)).body
    dash, name, encoded = line.rstrip("\n").split(" ")
    text = f"{ORIGIN}\n5\n{b64encode(TREE.root(5)).decode()}\n"
    key_hash = sha256(NAME.encode() + b"\n\x04" + OWN.public_key().public_bytes_raw()).digest()[:4]
    message = f"cosignature/v1\ntime 1700000000\n{text}".encode()
    assert (dash, name) == ("—", NAME)
    assert encoded == b64encode(key_hash + (1_700_000_000).to_bytes(8) + OWN.sign(message)).decode()
    assert Verifier.parse(str(MINE)) == MINE
    assert str(MINE) != str(verifier_of(NAME, OWN.public_key()))


class _Forgetful:
    def advance(self, origin: str, decide: Callable[[Seen], Seen]) -> None:
        decide(NOTHING)


STRANGER = Ed25519PrivateKey.from_private_bytes(bytes(32))
GOOD = asked(5, 64)
REFUSED: dict[str, tuple[bytes, Answer]] = {
    "not UTF-8": (b"old 5\n\xff\n\n" + note(64).encode(), Answer(400)),
    "no old size": (GOOD.replace(b"old 5", b"older 5"), Answer(400)),
    "a leading zero": (GOOD.replace(b"old 5", b"old 05"), Answer(400)),
    "no empty line": (GOOD.replace(b"\n\n", b"\n"), Answer(400)),
    "64 hashes": (request(5, [bytes(32)] * 64, note(64)).encode(), Answer(400)),
    "a short hash": (request(5, [bytes(31)], note(64)).encode(), Answer(400)),
    "no base64": (b"old 5\n!\n\n" + note(64).encode(), Answer(400)),
    "no checkpoint": (b"old 5\n\nhello\n\n" + note(64).split("\n\n")[1].encode(), Answer(400)),
    "nothing": (b"", Answer(400)),
    "the old size above the new": (request(65, [], note(64)).encode(), Answer(400)),
    "another key": (request(5, [], note(64, key=STRANGER)).encode(), Answer(403)),
    "a signature that does not fit": (GOOD.replace(b"\n64\n", b"\n65\n"), Answer(403)),
    "another log": (request(5, [], note(64, origin="lead.example/other")).encode(), Answer(404)),
    "from an older size": (asked(3, 64), Answer(409, "5\n", "text/x.tlog.size")),
    "from a newer size": (asked(6, 64), Answer(409, "5\n", "text/x.tlog.size")),
    "from nothing": (asked(0, 64), Answer(409, "5\n", "text/x.tlog.size")),
    "another root of the same size": (
        request(5, [], sign(Checkpoint(ORIGIN, 5, bytes(32)), ORIGIN, KEY)).encode(),
        Answer(409, "5\n", "text/x.tlog.size"),
    ),
    "a proof that does not hold": (request(5, TREE.consistency(5, 64)[:-1], note(64)).encode(), Answer(422)),
    "another history": (asked(5, 64, Tree(sha256(b"x%d" % n).digest() for n in range(64))), Answer(422)),
}


@pytest.mark.parametrize("case", REFUSED)
def test_everything_else_is_refused_as_specified_and_changes_nothing(tmp_path: Path, case: str) -> None:
    one = witness(tmp_path)
    assert add(one, asked(0, 5)).status == 200
    body, expected = REFUSED[case]
    answer = add(one, body)
    assert answer.status == expected.status, answer
    if expected.status == 409:
        assert answer == expected
    assert remembered(one) == (5, TREE.root(5))


def test_a_proof_from_the_empty_tree_is_empty(tmp_path: Path) -> None:
    assert add(witness(tmp_path), request(0, [bytes(32)], note(5)).encode()).status == 422


# The race ------------------------------------------------------------------------------------------------------------


def climb(folder: Path, seed: int, rounds: int) -> list[tuple[int, int, bytes]]:
    """Ask again and again for something larger than what was last heard of; return what was signed, in order."""
    own, random, size = witness(folder), Random(seed), 5
    signed = []
    for _ in range(rounds):
        tree = random.choice((TREE, FORK))
        new = random.randrange(size, min(size + 5, 200) + 1)
        answer = add(own, asked(size, new, tree))
        if answer.status == 200:
            signed.append((size, new, tree.root(new)))
            size = new
        elif answer.status == 409:
            size = int(answer.body)
    return signed


@pytest.mark.parametrize("how", ["threads", "processes"])
def test_no_two_at_once_roll_it_back_or_get_two_histories_signed(tmp_path: Path, how: str) -> None:
    """Whoever is signed was the one that continued what stands: so all that was signed is one chain, without a fork."""
    add(witness(tmp_path), asked(0, 5))
    if how == "threads":
        with ThreadPoolExecutor(8) as pool:
            done = list(pool.map(lambda seed: climb(tmp_path, seed, 40), range(8)))
    else:
        with multiprocessing.get_context("spawn").Pool(3) as processes:
            done = processes.starmap(climb, [(tmp_path, seed, 60) for seed in range(3)])
    steps = {(old, new, root) for each in done for old, new, root in each if old != new}
    assert len(steps) > 5
    # Each size was left once, for one size and root: a rollback or a fork would leave it twice.
    assert len({old for old, _, _ in steps}) == len(steps)
    end, root = remembered(witness(tmp_path))
    at, chain = 5, {old: (new, root) for old, new, root in steps}
    while at in chain:
        at, last = chain[at]
        assert at < end or (at, last) == (end, root)
    assert at == end
    assert all(len({root for _, new, root in steps if new == size}) <= 1 for size in range(201))


class Careless:
    """A memory that looks, and remembers later."""

    def __init__(self) -> None:
        self.seen = Seen(5, TREE.root(5))
        self.both, self.larger = threading.Barrier(2), threading.Event()

    def advance(self, origin: str, decide: Callable[[Seen], Seen]) -> None:
        new = decide(self.seen)
        self.both.wait(10)  # both have looked
        if new.size == 10:
            self.larger.wait(10)
        self.seen = new
        self.larger.set()


def test_the_race_is_lost_where_looking_and_remembering_are_two_things() -> None:
    """What the test above looks for: 20 leaves were signed, and 10 are remembered."""
    memory = Careless()
    one = Witness(NAME, OWN, {ORIGIN: [LOG]}, memory)
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda size: add(one, asked(5, size)), (10, 20)))
    assert [answer.status for answer in answers] == [200, 200]
    assert memory.seen.size == 10


# Served --------------------------------------------------------------------------------------------------------------


@contextmanager
def served(one: Witness) -> Iterator[str]:
    server = uvicorn.Server(uvicorn.Config(witness_app(one), port=0, log_config=None, lifespan="off"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.005)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join(10)


def test_it_answers_over_http(tmp_path: Path) -> None:
    with served(witness(tmp_path)) as url:
        assert _post(url + PATH, request(0, [], note(5)))[0] == 200
        with pytest.raises(urllib.error.HTTPError) as conflict:
            urllib.request.urlopen(urllib.request.Request(url + PATH, asked(0, 64)))
        assert (conflict.value.code, conflict.value.headers["Content-Type"]) == (409, "text/x.tlog.size")
        assert conflict.value.read() == b"5\n"
        assert _post(url + PATH, "x" * 70_000)[0] == 413
        with pytest.raises(urllib.error.HTTPError, match="405"):
            urllib.request.urlopen(url + PATH)


def test_the_command_is_a_witness_and_keeps_its_memory_and_key(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        sys.executable, "-c", "from adapters.cli.main import main; main()", "witness", "--name", NAME,
        "--listen", f"127.0.0.1:{port}", "--state", str(tmp_path / "state"), "--log-key", str(LOG),
    ]  # fmt: skip
    keys = set()
    for old, size, status in ((0, 5, 200), (0, 64, 409), (5, 64, 200)):
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            try:
                assert process.stdout is not None
                assert ORIGIN in process.stdout.readline()
                keys.add(process.stdout.readline().strip())
                end = time.monotonic() + 20
                while (answered := _post(f"http://127.0.0.1:{port}{PATH}", asked(old, size).decode()))[0] == 0:
                    assert time.monotonic() < end
                    time.sleep(0.05)
                assert answered[0] == status
            finally:
                process.send_signal(signal.SIGKILL)
    (key,) = keys
    assert Verifier.parse(key).cosigns
    assert (tmp_path / "state.key").stat().st_mode & 0o777 == 0o600


def test_it_listens_to_nobody_in_clear(tmp_path: Path) -> None:
    with pytest.raises(WitnessFailed, match="ends TLS"):
        witnessing(tmp_path / "state", [str(LOG)], NAME, "0.0.0.0:8100")
    assert not (tmp_path / "state.key").exists()


def test_a_key_that_is_none_is_refused(tmp_path: Path) -> None:
    made = key_in(tmp_path / "key")
    assert key_in(tmp_path / "key").private_bytes_raw() == made.private_bytes_raw()
    (tmp_path / "key").write_bytes(b"short")
    with pytest.raises(WitnessFailed, match="restore it"):
        key_in(tmp_path / "key")


@pytest.mark.parametrize(
    "line", ["x https://h", f"{LOG} https://h", f"{MINE} http://h", f"{MINE} ftp://127.0.0.1", f"{MINE}"]
)
def test_a_line_that_names_no_witness_is_refused_with_its_number(tmp_path: Path, line: str) -> None:
    file = tmp_path / "witnesses"
    file.write_text(f"# those who sign\n\n{MINE} https://w.example/lead/\n{line}\n")
    with pytest.raises(WitnessFailed, match="line 4"):
        read_witnesses(file)
    file.write_text(f"{MINE} https://w.example/lead/\n")
    assert read_witnesses(file) == [Named(MINE, "https://w.example/lead")]
