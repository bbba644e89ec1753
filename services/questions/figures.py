"""Figures: what the site comes to, counted anew at each question. Asked for, taken along as a file, followed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from domain.labels import Reader
from services.ports import Caller, Session
from services.questions.lines import cell, written
from services.questions.listing import changed
from services.questions.showing import require
from services.release import Purpose, Rendered, answer
from services.site import Site


@dataclass(frozen=True, slots=True)
class Figures:
    """Figures of a reader's, about nobody: one answer, without pages.

    `path`: under `/v1`. `doc`: what they are, to the person who asks. `count`: computes the answer. `columns`: what
    can stand in a line of the file, beside the figure's name and its value.
    """

    path: str
    reader: Reader
    doc: str
    count: Callable[[Site, Session], dict[str, Any]]
    columns: tuple[str, ...]

    @property
    def surface(self) -> str:
        """What the accounting of disclosures calls them."""
        return self.path.replace("/", ".").replace("-", "_")

    @property
    def header(self) -> tuple[str, ...]:
        """The first line of their file."""
        return ("figure", "value", *self.columns)


def figures(site: Site, caller: Caller, asked: Figures) -> dict[str, Any]:
    """Return figures as they stand."""
    return answer(site, caller, asked.surface, Purpose.RUNNING_THE_SITE, _counting(site, caller, asked))


def export(site: Site, caller: Caller, asked: Figures) -> str:
    """Return figures as a file: a line for each, or for each item of it."""
    render = _counting(site, caller, asked)
    body = answer(site, caller, f"{asked.surface}.csv", Purpose.RUNNING_THE_SITE, render)
    return written([asked.header, *([cell(line, column) for column in asked.header] for line in _lines(body))])


def change(site: Site, caller: Caller, asked: Figures, sent: bytes) -> tuple[dict[str, Any] | None, bytes]:
    """Return figures if they are others than were `sent` before, and their mark."""
    render = _counting(site, caller, asked)
    return changed(site, caller, f"{asked.surface}.updates", Purpose.RUNNING_THE_SITE, render, sent)


def _counting(site: Site, caller: Caller, asked: Figures) -> Callable[[Session], Rendered]:
    require(caller, asked.reader)
    site.directory.refresh()
    return lambda session: Rendered(asked.count(site, session))


def _lines(body: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for name, found in body.items():
        match found:
            case list():
                yield from ({"figure": name} | each for each in found)
            case dict():
                yield {"figure": name} | found
            case _:
                yield {"figure": name, "value": found}
