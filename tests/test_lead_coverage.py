"""`docs/lead-coverage.md` names nothing that does not exist: no command, event, reader or test; and leaves none out."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import pytest

import adapters.postgres.mapper  # noqa: F401 - lets every event be known
from adapters.http.commands import ROUTES
from domain.event import TOPICS
from domain.labels import Reader

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "lead-coverage.md"
SECTIONS = [f"1.{n}" for n in range(1, 16)]
COMMANDS = {command.__name__ for _, command, _ in ROUTES}
NOT_YET = "not yet"


class Line(NamedTuple):
    """One rule of LEAD, and what stands for it."""

    section: str
    item: str
    commands: str
    events: str
    readers: str
    tests: str


def lines() -> list[Line]:
    """Read the page."""
    found, section = [], ""
    for text in PAGE.read_text(encoding="utf-8").splitlines():
        if heading := re.match(r"## (1\.\d+) ", text):
            section = heading[1]
        elif text.startswith("| ") and section and not text.startswith("| item"):
            found.append(Line(section, *(cell.strip() for cell in text.strip("|").split("|"))))
    return found


def names(cell: str) -> list[str]:
    """Return what a cell names."""
    return re.findall(r"`([^`]+)`", cell)


def test_every_part_of_lead_is_there() -> None:
    assert list(dict.fromkeys(line.section for line in lines())) == SECTIONS


def test_every_command_event_and_reader_has_its_place() -> None:
    assert {name for line in lines() for name in names(line.commands)} == COMMANDS
    assert {name for line in lines() for name in names(line.events)} == set(TOPICS)
    assert {name for line in lines() for name in names(line.readers)} == set(Reader)


@pytest.mark.parametrize("line", lines(), ids=lambda line: f"{line.section} {line.item[:40]}")
def test_a_line_has_a_test_or_nothing(line: Line) -> None:
    assert len(set(names(line.tests))) == len(names(line.tests))
    for name in names(line.tests):
        path, _, test = name.partition("::")
        assert (ROOT / path).is_file(), name
        assert not test or f"def {test}(" in (ROOT / path).read_text(encoding="utf-8"), name
    if line.tests == NOT_YET:
        assert not names(line.commands + line.events + line.readers), "what stands has a test"
    else:
        assert names(line.tests), f"name a test, or say `{NOT_YET}`"
