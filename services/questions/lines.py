"""How a list is written as a file: CSV (RFC 4180), its cells flat, none of them a formula to a spreadsheet."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from typing import Any

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


def cell(item: dict[str, Any], column: str) -> str:
    """Return what an item holds under a column's name, as the text of one cell."""
    value: Any = item
    for name in column.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return _flat(value)


def written(lines: Iterable[Sequence[str]]) -> str:
    """Return lines of cells as CSV. A cell that a spreadsheet would compute gets an apostrophe before it."""
    text = io.StringIO()
    csv.writer(text).writerows([f"'{c}" if c.startswith(_FORMULA) else c for c in line] for line in lines)
    return text.getvalue()


def _flat(value: Any) -> str:
    """Return a value as text: lists with semicolons, what belongs together as `name: value` with commas.

    What lies within is named by its way: `charge.code: 90J, charge.severity: misdemeanor`.
    """
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case date():
            return value.isoformat()
        case dict():
            return ", ".join(f"{name}: {_flat(each)}" for name, each in _named(value))
        case list() | tuple():
            return "; ".join(_flat(each) for each in value)
        case _:
            return str(value)


def _named(value: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, each in value.items():
        if isinstance(each, dict):
            yield from ((f"{name}.{inner}", found) for inner, found in _named(each))
        else:
            yield name, each
