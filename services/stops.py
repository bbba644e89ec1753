"""Police stops from a file of their source into the log: every row is taken, known already, or set aside with a reason.

The source is the City of Seattle's "Terry Stops" as published in 2017: CSV, UTF-8, one line for each stop. Subject,
officer and incident numbers, ages and birth years stay in the file. A line is read by itself, so that a damaged one
spoils no other. What a reason says never quotes a row.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from hashlib import sha256
from itertools import islice
from typing import Final, NamedTuple, Protocol
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

from pydantic import ValidationError

from domain.event import Envelope
from domain.refusal import Refused
from domain.registry import PartyKind, Role
from domain.stop_record import StopRecorded, stop_stream
from services.directory import Party
from services.ports import Conflict, SetAside
from services.site import EARLIEST, Site, append

SOURCE: Final = "seattle-terry-stops"
ZONE: Final = ZoneInfo("America/Los_Angeles")
BATCH: Final = 500
NAMED: Final = 20
LONGEST_LINE: Final = 64 * 1024  # bytes
ROW: Final = "the row"  # what a reason names when it is no single column

NUMBER, DATE, TIME, ARREST, FRISK = "TERRY_STOP_ID", "Reported_Date", "Reported_Time", "ArrestFlag", "FriskFlag"
TEXTS: Final = {
    "unit": "OfficerSquad",
    "precinct": "Precinct",
    "sector": "Sector",
    "beat": "Beat",
    "call_type": "CallType",
    "race_as_perceived": "SubjectPerceivedRace",
}
COLUMNS: Final = (NUMBER, DATE, TIME, ARREST, FRISK, *TEXTS.values())

_NOT_KNOWN: Final = frozenset({"", "-", "null", "unknown"})
_FLAGS: Final = {"Y": True, "N": False}
_NUMBER: Final = re.compile(r"[1-9][0-9]{0,18}")  # one way to write each, for it names the stream
_DATE: Final = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})")
_TIME: Final = re.compile(r"([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.[0-9]+)?")
_UNDECODED: Final = re.compile(r"[\ud800-\udfff]")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")


class Lines(Protocol):
    """A file of bytes, open to be read."""

    def readline(self, size: int, /) -> bytes:
        """Return the next line, or as much of it as `size` bytes; nothing at the end."""
        ...


class WrongFile(Exception):
    """The file is not of this form, or is damaged; the sentence says what is wrong."""


class Fault(Exception):
    """A row cannot be taken: the column and the reason."""

    def __init__(self, column: str, reason: str) -> None:
        super().__init__(f"{column}: {reason}")
        self.column = column
        self.reason = reason


class Line(NamedTuple):
    """A line of the file, counted from 1 (the header); `text` None: longer than `LONGEST_LINE`."""

    number: int
    sha256: bytes
    text: bytes | None

    def aside(self, fault: Fault) -> SetAside:
        """Return what is kept of a line that cannot be taken."""
        return SetAside(self.number, fault.column, fault.reason, self.sha256)


@dataclass(slots=True)
class Tally:
    """What became of the rows read: `accepted + duplicate + set_aside == read`.

    `asides` counts the set aside by (column, reason); `new_asides` are those that no earlier load had set aside;
    `named` are the first of them.
    """

    read: int = 0
    accepted: int = 0
    duplicate: int = 0
    asides: Counter[tuple[str, str]] = field(default_factory=Counter)
    new_asides: int = 0
    named: list[SetAside] = field(default_factory=list)

    @property
    def set_aside(self) -> int:
        """How many rows were set aside."""
        return self.asides.total()


def load_stops(
    site: Site, file: Lines, party: str, *, batch: int = BATCH, progress: Callable[[Tally], None] = lambda _: None
) -> Tally:
    """Record the stops of a file as those of the police party of this code, in batches; repeating it adds nothing.

    `progress` is told after every batch. Raises `Refused` for the party; `WrongFile` for the header; and what the log
    and the file raise: then the batches before stand, and loading the file again does the rest.
    """
    department = police(site, party)
    envelope = Envelope(actor=None, role=Role.SERVICE, agency=department.id, correlation_id=uuid4())
    lines = _lines(file)
    header = read_header(next(lines, None))
    now = site.log.now()
    tally = Tally()
    while some := list(islice(lines, batch)):
        _take(site, envelope, header, some, now, tally)
        progress(tally)
    return tally


def police(site: Site, code: str) -> Party:
    """Return the police department of this code; raises `Refused`."""
    site.directory.refresh()
    party = site.directory.by_code(code, "party")
    if party.kind is not PartyKind.POLICE:
        raise Refused("party", f"{code!r} is of kind {party.kind}, not police.", "Name the department that made them.")
    return party


def read_header(line: Line | None) -> list[str]:
    """Return the file's column names; raises `WrongFile` naming the columns that are missing."""
    if line is None:
        raise WrongFile("the file is empty")
    try:
        names = _cells(Line(line.number, line.sha256, line.text and line.text.removeprefix(b"\xef\xbb\xbf")))
    except Fault as fault:
        raise WrongFile(f"its first line is no header: {fault.reason}") from None
    if any(_UNDECODED.search(name) or _CONTROL.search(name) for name in names):
        raise WrongFile("its first line is no header: not UTF-8 text")
    if missing := [name for name in COLUMNS if name not in names]:
        raise WrongFile(f"its header lacks the columns {', '.join(missing)}")
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise WrongFile(f"its header has more than one column {', '.join(twice)}")
    return names


def read_row(header: Sequence[str], line: Line) -> dict[str, str]:
    """Return a row's text by column; raises `Fault`."""
    cells = _cells(line)
    if len(cells) != len(header):
        raise Fault(ROW, f"{len(cells)} columns where the header has {len(header)}")
    row = dict(zip(header, cells, strict=True))
    for column, cell in row.items():
        if _UNDECODED.search(cell):
            raise Fault(column, "not UTF-8")
    return row


def stop_of(row: dict[str, str], party: UUID, now: datetime) -> StopRecorded:
    """Return the stop that a row tells of; raises `Fault`."""
    number = _known(row, NUMBER)
    if number is None:
        raise Fault(NUMBER, "missing")
    if not _NUMBER.fullmatch(number):
        raise Fault(NUMBER, "not a whole number")
    arrested = _flag(row, ARREST)
    if arrested is None:
        raise Fault(ARREST, "not known, and no baseline can do without it")
    try:
        return StopRecorded(
            party_id=party,
            occurred_at=_moment(row, now),
            source=SOURCE,
            number=number,
            arrested=arrested,
            frisked=_flag(row, FRISK),
            **{name: _known(row, column) for name, column in TEXTS.items()},
        )
    except ValidationError as error:
        name = str(error.errors(include_input=False)[0]["loc"][0])
    raise Fault(TEXTS[name], "too long")  # out here, so that it does not carry the row along


def _lines(file: Lines) -> Iterator[Line]:
    """Yield the lines of a file but the blank ones, holding `LONGEST_LINE` bytes at a time."""
    number = 0
    while piece := file.readline(LONGEST_LINE):
        number += 1
        digest = sha256(piece.rstrip(b"\r\n"))
        text: bytes | None = piece.rstrip(b"\r\n")
        while not piece.endswith(b"\n") and (piece := file.readline(LONGEST_LINE)):
            digest.update(piece.rstrip(b"\r\n"))
            text = None
        if text != b"":
            yield Line(number, digest.digest(), text)


def _cells(line: Line) -> list[str]:
    if line.text is None:
        raise Fault(ROW, f"longer than {LONGEST_LINE} bytes")
    try:
        return next(csv.reader([line.text.decode(errors="surrogateescape")], strict=True))
    except (csv.Error, StopIteration):
        raise Fault(ROW, "not a line of CSV") from None


def _known(row: dict[str, str], column: str) -> str | None:
    """Return what a cell says, None where the source does not know."""
    text = row[column].strip()
    if _CONTROL.search(text):
        raise Fault(column, "holds control characters")
    return None if text.casefold() in _NOT_KNOWN else text


def _flag(row: dict[str, str], column: str) -> bool | None:
    text = _known(row, column)
    if text is None:
        return None
    if text not in _FLAGS:
        raise Fault(column, "neither Y nor N")
    return _FLAGS[text]


def _moment(row: dict[str, str], now: datetime) -> datetime:
    """Return when the stop was, in UTC.

    An hour that the clocks ran through twice is read as the first of the two: the source does not say which, and an
    hour moves no baseline. An hour that they skipped is a fault.
    """
    day, clock = _DATE.fullmatch(row[DATE].strip()), _TIME.fullmatch(row[TIME].strip())
    if day is None:
        raise Fault(DATE, "not a date as YYYY-MM-DD")
    if clock is None:
        raise Fault(TIME, "not a time as HH:MM:SS")
    try:
        year, month, number = map(int, day.groups())
        on = date(year, month, number)
    except ValueError:
        raise Fault(DATE, "no such day") from None
    try:
        hours, minutes, seconds = map(int, clock.groups())
        wall = datetime.combine(on, time(hours, minutes, seconds))
    except ValueError:
        raise Fault(TIME, "no such time of day") from None
    if on < EARLIEST:
        raise Fault(DATE, f"before {EARLIEST}")
    if wall > now.astimezone(ZONE).replace(tzinfo=None):
        raise Fault(DATE, "in the future")
    moment = wall.replace(tzinfo=ZONE).astimezone(UTC)
    if moment.astimezone(ZONE).replace(tzinfo=None) != wall:
        raise Fault(TIME, "skipped by the clocks when daylight saving began")
    return moment


def _take(site: Site, envelope: Envelope, header: list[str], lines: list[Line], now: datetime, tally: Tally) -> None:
    """Record or set aside some lines."""
    stops: list[tuple[Line, StopRecorded]] = []
    asides: list[SetAside] = []
    for line in lines:
        try:
            stops.append((line, stop_of(read_row(header, line), envelope.agency, now)))
        except Fault as fault:
            asides.append(line.aside(fault))
    accepted, differing = _record(site, envelope, stops)
    asides += differing
    tally.read += len(lines)
    tally.accepted += accepted
    tally.duplicate += len(stops) - accepted - len(differing)
    tally.asides.update((aside.field, aside.reason) for aside in asides)
    tally.new_asides += site.log.set_aside(SOURCE, asides) if asides else 0
    tally.named += asides[: NAMED - len(tally.named)]


def _record(site: Site, envelope: Envelope, stops: list[tuple[Line, StopRecorded]]) -> tuple[int, list[SetAside]]:
    """Record the stops that the log does not have; return how many, and the rows that tell one otherwise.

    The first row about a stop holds, whichever file it came from.
    """
    by_stream = [(stop_stream(SOURCE, stop.number), line, stop) for line, stop in stops]
    while True:  # ends: after a conflict, at least one stream more exists
        told = {s: site.log.load(s)[0].event for s in site.log.existing([stream for stream, _, _ in by_stream])}
        fresh: dict[UUID, StopRecorded] = {}
        differing: list[SetAside] = []
        for stream, line, stop in by_stream:
            first = told.get(stream) or fresh.setdefault(stream, stop)
            if first != stop:
                differing.append(line.aside(Fault(NUMBER, "told already, with other facts")))
        try:
            if fresh:
                site.log.record([append(stream, 0, stop) for stream, stop in fresh.items()], envelope)
        except Conflict:
            continue
        return len(fresh), differing
