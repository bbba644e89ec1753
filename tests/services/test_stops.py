"""What a row of the source comes to: a stop, or a column and a reason."""

from __future__ import annotations

import io
import tracemalloc
from contextlib import suppress
from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.stop_record import StopRecorded
from services.stops import (
    COLUMNS,
    LONGEST_LINE,
    ROW,
    TEXTS,
    Fault,
    Line,
    WrongFile,
    _lines,
    read_header,
    read_row,
    stop_of,
)
from tests.services.stops_excerpt import HEADER, document, line, row

POLICE = UUID(int=7)
NOW = datetime(2020, 1, 1, tzinfo=UTC)


def lines(content: bytes) -> list[Line]:
    return list(_lines(io.BytesIO(content)))


def stop(**changed: str) -> StopRecorded:
    return stop_of(row(**changed), POLICE, NOW)


def fault_of(raw: bytes) -> Fault:
    """Return the fault of a line under the source's header."""
    with pytest.raises(Fault) as caught:
        stop_of(read_row(HEADER, lines(raw)[0]), POLICE, NOW)
    return caught.value


def test_a_row_becomes_a_stop_and_nothing_that_tells_who_it_was() -> None:
    told = stop()
    assert told == StopRecorded(
        party_id=POLICE,
        occurred_at=datetime(2016, 7, 5, 4, 8, tzinfo=UTC),
        source="seattle-terry-stops",
        number="10207",
        unit="MADE UP PCT 1ST W - NOBODY",
        precinct="West",
        sector="K",
        beat="K3",
        call_type="TELEPHONE OTHER, NOT 911",
        race_as_perceived="Multi-Racial",
        arrested=True,
        frisked=False,
    )
    kept = told.model_dump_json()
    for column in set(HEADER) - set(COLUMNS):
        assert f'"{row()[column]}"' not in kept, column


@pytest.mark.parametrize("said", ["", " ", "-", "NULL", "Unknown", "UNKNOWN"])
def test_what_the_source_does_not_know_is_none(said: str) -> None:
    told = stop(**dict.fromkeys(TEXTS.values(), said), FriskFlag=said)
    assert {name: getattr(told, name) for name in (*TEXTS, "frisked")} == dict.fromkeys((*TEXTS, "frisked"))


@pytest.mark.parametrize(
    ("column", "said", "reason"),
    [
        ("TERRY_STOP_ID", "NULL", "missing"),
        ("TERRY_STOP_ID", "", "missing"),
        ("TERRY_STOP_ID", "010207", "not a whole number"),
        ("TERRY_STOP_ID", "10207.0", "not a whole number"),
        ("TERRY_STOP_ID", "-9", "not a whole number"),
        ("TERRY_STOP_ID", "١٢٣", "not a whole number"),
        ("Reported_Date", "NULL", "not a date as YYYY-MM-DD"),
        ("Reported_Date", "07/04/2016", "not a date as YYYY-MM-DD"),
        ("Reported_Date", "2015-02-29", "no such day"),
        ("Reported_Date", "0000-01-01", "no such day"),
        ("Reported_Date", "1899-12-31", "before 1900-01-01"),
        ("Reported_Date", "9999-12-31", "in the future"),
        ("Reported_Time", "-", "not a time as HH:MM:SS"),
        ("Reported_Time", "9:08 PM", "not a time as HH:MM:SS"),
        ("Reported_Time", "24:00:00", "no such time of day"),
        ("ArrestFlag", "P", "neither Y nor N"),
        ("ArrestFlag", "y", "neither Y nor N"),
        ("ArrestFlag", "-", "not known, and no baseline can do without it"),
        ("FriskFlag", "1", "neither Y nor N"),
        ("OfficerSquad", "Q" * 201, "too long"),
        ("SubjectPerceivedRace", "Q\0Q", "holds control characters"),
        ("Beat", "K\t3", "holds control characters"),
    ],
)
def test_a_fault_names_its_column_and_does_not_quote_it(column: str, said: str, reason: str) -> None:
    fault = fault_of(line(row(**{column: said})))
    assert (fault.column, fault.reason) == (column, reason)
    if len(said) > 1 and said.isascii():
        assert said not in fault.reason
    assert fault.__cause__ is None
    assert fault.__context__ is None or fault.__suppress_context__


def test_the_first_of_two_hours_is_taken_and_an_hour_that_never_was_is_not() -> None:
    before = stop(Reported_Date="2016-11-06", Reported_Time="00:59:00")
    twice = stop(Reported_Date="2016-11-06", Reported_Time="01:26:00")
    after = stop(Reported_Date="2016-11-06", Reported_Time="02:00:00")
    assert [s.occurred_at.hour for s in (before, twice, after)] == [7, 8, 10]
    assert twice == StopRecorded.model_validate_json(twice.model_dump_json())
    assert stop(Reported_Date="2017-03-12", Reported_Time="01:59:59").occurred_at.hour == 9
    assert stop(Reported_Date="2017-03-12", Reported_Time="03:00:00").occurred_at.hour == 10
    fault = fault_of(line(row(Reported_Date="2017-03-12", Reported_Time="02:30:00")))
    assert (fault.column, fault.reason) == ("Reported_Time", "skipped by the clocks when daylight saving began")


def test_now_is_not_the_future() -> None:
    now = datetime(2016, 7, 5, 4, 8, tzinfo=UTC)
    assert stop_of(row(), POLICE, now).occurred_at == now
    with pytest.raises(Fault, match="in the future"):
        stop_of(row(), POLICE, now.replace(minute=7))


@pytest.mark.parametrize(
    ("raw", "column", "reason"),
    [
        (line(row())[:-4] + b"\n", ROW, "20 columns where the header has 21"),
        (line(row())[:-1] + b",\n", ROW, "22 columns where the header has 21"),
        (b'"' + line(row()), ROW, "not a line of CSV"),
        (line(row()).replace(b"West", b"W\xe9st"), "Precinct", "not UTF-8"),
        (line(row()).replace(b"Not Specified", b"\xff"), "Officer_Race", "not UTF-8"),
        (line(row()).replace(b"West", b"\xed\xa0\x80"), "Precinct", "not UTF-8"),
        (line(row(Beat="K" * LONGEST_LINE)), ROW, f"longer than {LONGEST_LINE} bytes"),
    ],
)
def test_a_damaged_line_spoils_itself_alone(raw: bytes, column: str, reason: str) -> None:
    fault = fault_of(raw)
    assert (fault.column, fault.reason) == (column, reason)
    header, _, following = lines(document(raw, row(TERRY_STOP_ID="11")))
    assert following.number == 3
    assert stop_of(read_row(read_header(header), following), POLICE, NOW).number == "11"


def test_lines_are_the_same_however_they_end() -> None:
    unix, windows = document(row(), row()), document(row(), row()).replace(b"\n", b"\r\n")
    assert lines(unix) == lines(windows) == lines(unix[:-1])
    assert [at.number for at in lines(document(b"\n", row(), b"\r\n", row()))] == [1, 3, 5]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "empty"),
        (b"\n\n", "empty"),
        (line([name for name in HEADER if name not in ("Beat", "TERRY_STOP_ID")]), "lacks.* TERRY_STOP_ID, Beat$"),
        (line([*HEADER, "Beat"]), "more than one column Beat$"),
        (line(list(HEADER)).decode().encode("utf-16"), "no header: not UTF-8"),
        (b'"' + line(list(HEADER)), "no header: not a line of CSV"),
        (b"x" * 2 * LONGEST_LINE, "no header: longer than"),
    ],
)
def test_a_file_of_another_form_is_refused(content: bytes, sentence: str) -> None:
    with pytest.raises(WrongFile, match=sentence):
        read_header(next(_lines(io.BytesIO(content)), None))


def test_a_header_may_begin_with_a_mark_and_have_any_order() -> None:
    names = [*reversed(HEADER), "Weapon Type"]
    assert read_header(lines(b"\xef\xbb\xbf" + line(names))[0]) == names


@given(st.lists(st.sampled_from([*row().values(), "-", '"', "\n", "é", "2017-03-12"]) | st.text(), max_size=25))
def test_every_row_is_a_stop_or_a_fault(cells: list[str]) -> None:
    for at in lines(line([c.encode(errors="ignore").decode() for c in cells])):
        with suppress(Fault):
            assert stop_of(read_row(HEADER, at), POLICE, NOW).model_dump_json()


@given(st.binary(max_size=300), st.sampled_from([b"West", b"10207", b"2016-07-04", b"21:08:00.0000000", b",Y,"]))
def test_every_damage_is_a_stop_or_a_fault(damage: bytes, where: bytes) -> None:
    for at in lines(line(row()).replace(where, damage)):
        with suppress(Fault):
            assert stop_of(read_row(HEADER, at), POLICE, NOW).model_dump_json()


def test_a_file_without_line_ends_takes_no_memory() -> None:
    class Endless(io.RawIOBase):
        left = 64 * 1024 * 1024

        def readable(self) -> bool:
            return True

        def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
            size = min(len(buffer), self.left)
            self.left -= size
            buffer[:size] = b"x" * size
            return size

    tracemalloc.start()
    found = list(_lines(io.BufferedReader(Endless())))
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert [at.text for at in found] == [None]
    assert most < 1024 * 1024
