"""Watch a folder: the nightly files of an agency that has no stream, taken as `load` takes them.

A file that was taken is deleted: it names everyone whom the agency met. What it told is in the log, or is kept sealed
for its time. Beside where it lay stands a report, which quotes nothing.
"""

from __future__ import annotations

import logging
import signal
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from stat import S_ISREG
from threading import Event as Stop
from typing import Annotated, Final

import typer

from adapters.bootstrap import database, opened
from adapters.cli.load import Unreadable, load_messages
from adapters.settings import Settings
from domain.refusal import Refused
from services.ports import Unavailable
from services.site import Site

_SECONDS: Final = 5.0
_TAKEN: Final = (".jsonl", ".ndjson", ".jsonl.gz", ".ndjson.gz")
_log = logging.getLogger("goldenthread.watch")

_Look = tuple[int, int, int]


def watch(
    folder: Annotated[Path, typer.Argument(help="The folder.", file_okay=False, exists=True, show_default=False)],
    party: Annotated[str, typer.Option(help="The code of the agency whose files lie there.", show_default=False)],
    every: Annotated[float, typer.Option(help="How many seconds lie between two looks.", min=0.01)] = _SECONDS,
    once: Annotated[bool, typer.Option("--once", help="Take what lies there now, and end.")] = False,
    data_dir: Annotated[
        Path | None, typer.Option("--data-dir", help="Where the site keeps its own PostgreSQL.")
    ] = None,
) -> None:
    """Take an agency's files of messages as they appear in a folder: JSON lines, or these compressed with gzip.

    A file is taken when it looked the same twice; then it is deleted, for it names everyone, and a `.report` is left.
    One that cannot be read stays where it is, with a `.report` that says why, until it is another.
    """
    settings = Settings() if data_dir is None else Settings(data_dir=data_dir)
    stop = Stop()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    with database(settings) as db, opened(db, settings) as parts:
        try:
            parts.site.directory.by_code(party, "--party")
        except Refused as refused:
            typer.echo(f"goldenthread: {refused}", err=True)
            raise typer.Exit(2) from None
        watched = Watched(parts.site, folder, party)
        watched.look()
        while not stop.wait(every):
            watched.look()
            if once:
                return


@dataclass(slots=True)
class Watched:
    """A folder and how its files looked before."""

    site: Site
    folder: Path
    party: str
    before: dict[Path, _Look] = field(default_factory=dict)
    refused: dict[Path, _Look] = field(default_factory=dict)

    def look(self) -> None:
        """Take each file that looks as it did before. What fails is tried again at the next look."""
        now = {path: look for path in self._files() if (look := _look(path)) is not None}
        for path, seen in sorted(now.items()):
            if self.before.get(path) == seen and self.refused.get(path) != seen:
                try:
                    self._take(path, seen)
                except (Unavailable, OSError) as error:
                    _log.warning("a file could not be taken and will be tried again: %s", type(error).__name__)
        self.before = now

    def _files(self) -> Iterable[Path]:
        return (p for p in self.folder.iterdir() if p.name.endswith(_TAKEN) and not p.name.startswith("."))

    def _take(self, path: Path, seen: _Look) -> None:
        try:
            loaded = load_messages(self.site, path, self.party)
        except Unreadable as error:
            if _look(path) == seen:
                self.refused[path] = seen
                _report(path, [str(error)])
            return
        _report(path, loaded.lines())
        _delete(path, seen)


def _delete(path: Path, seen: _Look) -> None:
    """Delete a file if it is still the one that was read: whoever replaces it meanwhile loses nothing."""
    away = path.with_name(f".{path.name}.{time.time_ns()}")
    path.rename(away)
    if _look(away) == seen:
        away.unlink()
    else:
        away.rename(path if not path.exists() else path.with_name(f"{time.time_ns()}-{path.name}"))


def _look(path: Path) -> _Look | None:
    """Return by what one sees that a file is another; None for what is no file."""
    try:
        found = path.lstat()
    except FileNotFoundError:
        return None
    return (found.st_ino, found.st_size, found.st_mtime_ns) if S_ISREG(found.st_mode) else None


def _report(path: Path, lines: Iterable[str]) -> None:
    draft = path.with_name(f".{path.name}.report")
    draft.write_text("".join(f"{line}\n" for line in lines))
    draft.replace(path.with_name(f"{path.name}.report"))
