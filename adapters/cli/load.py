"""Load a file: stops, an agency's messages, or a site's beginning. Doing it twice adds nothing."""

from __future__ import annotations

import gzip
import sys
import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import file_digest, sha256
from io import BufferedReader
from pathlib import Path
from typing import Annotated, Final, NoReturn

import typer
from pydantic import ValidationError

from adapters.bootstrap import database, opened
from adapters.kafka.envelope import BYTES_MOST
from adapters.kafka.lines import lines_of
from adapters.settings import Settings
from domain.refusal import Refused
from domain.registry import PartyKind
from services.feed import ACCEPTED, DUPLICATE, Faults, feed_of
from services.ports import Keeping, Raw
from services.register import Beginning, RegisterParty, begin
from services.site import Site
from services.stops import Tally, WrongFile, load_stops

_GZIP: Final = b"\x1f\x8b"
_REGISTRY_BYTES_MOST: Final = 16 * 1024 * 1024
_PROGRESS_SECONDS: Final = 1.0
_AT_ONCE: Final = 500
"""How many messages one transaction takes at most."""
_NAMED_MOST: Final = 20
"""Of how many messages that were set aside the report says what is wrong."""
_SEATTLE: Final = RegisterParty(code="seattle-pd", name="Seattle Police Department", kind=PartyKind.POLICE)


class Format(StrEnum):
    """What a file is."""

    SEATTLE_TERRY_STOPS = "seattle-terry-stops"
    REGISTRY = "registry"
    MESSAGES = "messages"


class Unreadable(Exception):
    """The file cannot be loaded; the sentence says what to do."""


def load(
    file: Annotated[
        Path, typer.Argument(help="The file; CSV and JSON lines may be compressed with gzip.", show_default=False)
    ],
    format_: Annotated[Format, typer.Option("--format", help="What the file is.", show_default=False)],
    party: Annotated[
        str | None, typer.Option(help="For stops and messages: the code of the party that made them.")
    ] = None,
    data_dir: Annotated[
        Path | None, typer.Option("--data-dir", help="Where the site keeps its own PostgreSQL.")
    ] = None,
) -> None:
    """Load a file of stops, of an agency's messages, or a site's beginning.

    What cannot be taken is set aside with a reason. Exit status 0 when every row was accepted, known already or kept
    for a reason; 2 when the file itself cannot be read.
    """
    settings = Settings() if data_dir is None else Settings(data_dir=data_dir)
    with database(settings) as db, opened(db, settings) as parts:
        try:
            if format_ is Format.REGISTRY:
                load_registry(parts.site, file)
            elif format_ is Format.MESSAGES:
                for line in load_messages(parts.site, file, party or _missing_party()).lines():
                    typer.echo(line)
            else:
                load_stops_file(parts.site, file, party or _department(parts.site))
        except Unreadable as error:
            typer.echo(f"goldenthread: {error}", err=True)
            raise typer.Exit(2) from None


def _department(site: Site) -> str:
    """Return the department whose file this is, registered if it is not yet."""
    begin(site, Beginning(parties=(_SEATTLE,)))
    return _SEATTLE.code


def _missing_party() -> NoReturn:
    raise Unreadable("a file of messages needs --party: the code of the agency whose file it is.")


@dataclass(slots=True)
class Loaded:
    """What became of a file's messages. `name`: by what they are known to lie in it: the file's SHA-256."""

    name: str
    read: int = 0
    tally: Counter[str] = field(default_factory=Counter)
    asides: list[tuple[int, Faults]] = field(default_factory=list)

    def aside(self, raw: Raw, faults: Faults) -> None:
        """Note a message that was set aside, if not many were before."""
        if len(self.asides) < _NAMED_MOST:
            self.asides.append((raw.offset, faults))

    def lines(self) -> Iterator[str]:
        """Yield what a person is told: how many, and of those set aside where and what is wrong; never a value."""
        words = (ACCEPTED, DUPLICATE, *Keeping)
        yield f"{self.name}: {_messages(self.read)} read: " + ", ".join(f"{self.tally[w]:,} {w}" for w in words) + "."
        for number, faults in self.asides:
            for each in faults:
                yield f"  line {number}: {each['pointer'] or 'value'} {each['code']}: {each['sentence']}"
        if self.tally[Keeping.SET_ASIDE] > len(self.asides):
            yield "  and so on: all of them stand in the list of messages that were set aside."


def load_messages(site: Site, path: Path, party: str) -> Loaded:
    """Load a file of a party's messages into an open site. Raises `Unreadable`, and `Unavailable` to be tried again."""
    with _reading(path), path.open("rb") as raw, _progress(raw, path.stat().st_size, _messages) as progress:
        whose = site.directory.by_code(party, "party")
        loaded = Loaded(f"file:{file_digest(raw, sha256).hexdigest()}")
        raw.seek(0)
        for batch in _batches(lines_of(_uncompressed(path, raw), loaded.name)):
            loaded.tally += feed_of(site).take(whose, batch, aside=loaded.aside)
            loaded.read += len(batch)
            progress(loaded.read)
    return loaded


def _batches(raws: Iterator[Raw]) -> Iterator[list[Raw]]:
    """Yield messages as they are taken: not too many at once, nor too long together."""
    batch: list[Raw] = []
    held = 0
    try:
        for raw in raws:
            batch.append(raw)
            held += len(raw.value or b"")
            if len(batch) == _AT_ONCE or held > BYTES_MOST:
                yield batch
                batch, held = [], 0
    except (gzip.BadGzipFile, zlib.error, EOFError):
        if batch:
            yield batch  # what stands before the damage
        raise
    if batch:
        yield batch


def load_stops_file(site: Site, path: Path, party: str) -> Tally:
    """Load a file of stops into an open site, and say what became of its rows. Raises `Unreadable`."""
    with _reading(path), path.open("rb") as raw, _progress(raw, path.stat().st_size, _rows) as progress:
        tally = load_stops(site, _uncompressed(path, raw), party, progress=lambda tally: progress(tally.read))
    typer.echo(
        f"{_rows(tally.read)} read: {tally.accepted:,} accepted, {tally.duplicate:,} known already, "
        f"{tally.set_aside:,} set aside ({tally.new_asides:,} of them for the first time)."
    )
    for (column, reason), count in sorted(tally.asides.items(), key=lambda item: (-item[1], item[0])):
        typer.echo(f"  set aside: {_rows(count)}: {column}: {reason}")
    for aside in tally.named:
        typer.echo(f"  row {aside.row_number}: {aside.field}: {aside.reason}")
    if tally.set_aside > len(tally.named):
        typer.echo("  and so on: every one of them is in the table log.set_aside")
    return tally


def load_registry(site: Site, path: Path) -> None:
    """Begin an open site with a file, and say what that came to. Raises `Unreadable`."""
    with _reading(path), path.open("rb") as file:
        text = file.read(_REGISTRY_BYTES_MOST + 1)
    if len(text) > _REGISTRY_BYTES_MOST:
        raise Unreadable(f"{path} is longer than {_REGISTRY_BYTES_MOST} bytes: no site's beginning is.")
    try:
        begun = begin(site, Beginning.model_validate_json(text))
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'the file'}: {e['msg']}" for e in error.errors())
        raise Unreadable(f"{path} is not a site's beginning: {faults}. Nothing was registered.") from None
    except Refused as refused:
        raise Unreadable(f"{path}: {refused} What stands before it in the file is registered.") from None
    typer.echo(
        f"{begun.registered:,} registered, {begun.unchanged:,} known already, {len(begun.differing):,} registered "
        "otherwise and left so."
    )
    for place in begun.differing:
        typer.echo(f"  left as it is: {place}")


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Turn what goes wrong with a file into a sentence."""
    try:
        yield
    except WrongFile as error:
        raise Unreadable(f"{path} cannot be loaded: {error}.") from None
    except (gzip.BadGzipFile, zlib.error, EOFError):
        raise Unreadable(
            f"{path} is damaged or cut short. Rows before the damage are loaded; get the whole file and load it again."
        ) from None
    except OSError as error:
        raise Unreadable(f"{path} cannot be read: {error.strerror or 'not a readable file'}.") from None
    except Refused as refused:
        raise Unreadable(str(refused)) from None


def _uncompressed(path: Path, raw: BufferedReader) -> BufferedReader | gzip.GzipFile:
    """Return the file's bytes, uncompressed by what it is rather than what it is called."""
    if raw.peek(len(_GZIP)).startswith(_GZIP):
        return gzip.GzipFile(fileobj=raw)
    if path.suffix == ".gz":
        raise WrongFile("it is called .gz and is not gzip")
    return raw


@contextmanager
def _progress(raw: BufferedReader, size: int, counted: Callable[[int], str]) -> Iterator[Callable[[int], None]]:
    """Show progress on standard error: a bar on a terminal, else a line now and then. `counted` words a number."""
    with typer.progressbar(length=size, label="loading", file=sys.stderr, hidden=not sys.stderr.isatty()) as bar:
        said = time.monotonic()

        def show(read: int) -> None:
            nonlocal said
            if raw.seekable():
                bar.update(raw.tell() - bar.pos)
            if bar.hidden and time.monotonic() - said >= _PROGRESS_SECONDS:
                said = time.monotonic()
                typer.echo(f"{counted(read)} read", err=True)

        yield show


def _rows(count: int) -> str:
    return f"{count:,} row" if count == 1 else f"{count:,} rows"


def _messages(count: int) -> str:
    return f"{count:,} message" if count == 1 else f"{count:,} messages"
