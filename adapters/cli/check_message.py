"""Check messages against the contract of the stream, before they are ever sent: no site, no broker, nothing kept."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Final, NamedTuple

import typer

from adapters.kafka.contract import read
from adapters.kafka.envelope import BYTES_MOST, Undecodable, parse_json
from adapters.kafka.lines import record_of

_FILE_BYTES_MOST: Final = 256 * BYTES_MOST
_LINES: Final = frozenset({".jsonl", ".ndjson"})


class _Found(NamedTuple):
    place: str
    text: bytes


def check_message(
    files: Annotated[
        list[Path],
        typer.Argument(
            help="A CloudEvent as one JSON object; or headers, key and value of a record as one; or a line for each.",
            show_default=False,
        ),
    ],
) -> None:
    """Say of every message `ok` and its type, or where it breaks the contract: place, code and sentence, never a value.

    Exit status 0 if all keep it, 1 if one does not, 2 if a file cannot be read.
    """
    broken = False
    for path in files:
        try:
            messages = list(_messages(path))
        except OSError as error:
            typer.echo(f"goldenthread: {path} cannot be read: {error.strerror or 'not a readable file'}.", err=True)
            raise typer.Exit(2) from None
        for found in messages:
            where = f"{found.place}: " if len(files) > 1 or len(messages) > 1 else ""
            lines, well = _checked(found.text)
            broken |= not well
            for line in lines:
                typer.echo(where + line)
    raise typer.Exit(1 if broken else 0)


def _messages(path: Path) -> Iterator[_Found]:
    """Yield the messages of a file: each line, if the first is one by itself, else the whole of it."""
    with path.open("rb") as file:
        text = file.read(_FILE_BYTES_MOST + 1)
    if len(text) > _FILE_BYTES_MOST:
        raise OSError(0, f"longer than {_FILE_BYTES_MOST} bytes; check a part of it")
    lines = [_Found(f"{path}:{n}", line) for n, line in enumerate(text.split(b"\n"), 1) if line.strip()]
    each = path.suffix in _LINES or (len(lines) > 1 and _is_object(lines[0].text))
    yield from lines if each else [_Found(str(path), text)]


def _is_object(text: bytes) -> bool:
    try:
        return isinstance(parse_json(text), dict)
    except Undecodable:
        return False


def _checked(text: bytes) -> tuple[list[str], bool]:
    try:
        message = read(record_of(text))
    except Undecodable as error:
        return [f"{fault.place or 'value'} {fault.code}: {fault.sentence}" for fault in error.faults], False
    left = f" ({message.dropped} of a newer minor version left out)" if message.dropped else ""
    return [f"ok {message.kind.name}{left}"], True
