"""People who were written down twice: who is linked without anyone, who waits for a reviewer, who is missed.

FEBRL 4a and 4b (Australian National University): 5,000 made-up people, each twice, the second time with slips.
"""

from __future__ import annotations

import csv
import gzip
import os
import sys
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import date
from pathlib import Path
from typing import NamedTuple
from uuid import UUID, uuid5

import pytest

from domain.identity import Described, Link, blocking_keys, match
from tests.domain.people_excerpt import LINKED, SLIPS, document, people, told_again
from tests.histories import P7

_REAL = Path(os.environ.get("GOLDENTHREAD_TEST_FEBRL") or Path(__file__).parents[3] / "shared" / "data" / "febrl")
_NAMES = UUID("0f5fbd3c-7c2a-4f43-8a44-33b6f70b1c77")
Pair = tuple[str, UUID]


class Matched(NamedTuple):
    """Pairs of a record and a person: linked by rule, and waiting for a reviewer; how many pairs were compared."""

    linked: set[Pair]
    review: list[Pair]
    compared: int

    def right(self, pairs: Iterable[Pair]) -> int:
        return sum(person(number) == who for number, who in pairs)


def person(number: str) -> UUID:
    return uuid5(_NAMES, number)


def read(lines: Iterable[str]) -> dict[str, Described]:
    rows = ({name.strip(): cell.strip() for name, cell in row.items()} for row in csv.DictReader(lines))
    return {
        row["rec_id"].split("-")[1]: Described(
            sid=row["soc_sec_id"] or None,
            given=row["given_name"] or None,
            surname=row["surname"] or None,
            birth_date=day(row["date_of_birth"]),
        )
        for row in rows
    }


def rows_of(name: str) -> dict[str, Described]:
    with gzip.open(_REAL / name, "rt") as file:
        return read(file)


def day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:  # a slip made it no date
        return None


def matched(known: Mapping[str, Described], told: Mapping[str, Described]) -> Matched:
    """Match what was told with those who are known, comparing only who shares a blocking key."""
    found: defaultdict[str, dict[UUID, list[Described]]] = defaultdict(dict)
    for number, who in known.items():
        for key in blocking_keys(who):
            found[key][person(number)] = [who]
    result = Matched(set(), [], 0)
    for number, who in told.items():
        candidates = {c: d for key in blocking_keys(who) for c, d in found[key].items()}
        result = result._replace(compared=result.compared + len(candidates))
        for candidate, verdict in match(who, candidates, P7).items():
            if isinstance(verdict, Link):
                result.linked.add((number, candidate))
            else:
                result.review.append((number, candidate))
    return result


def test_people_who_were_written_down_twice() -> None:
    known, told = (read(document(rows).splitlines()) for rows in (people(), told_again()))
    result = matched(known, told)
    slips = list(SLIPS)
    linked = {number for number in told if slips[int(number) % len(slips)] in LINKED}
    assert result.linked == {(number, person(number)) for number in linked}, "whoever is linked is who it is"
    assert {number for number, who in result.review if who == person(number)} == told.keys() - linked, (
        "nobody is missed"
    )
    assert result.compared < len(known) * len(told) / 10


def test_five_thousand_people_who_were_written_down_twice() -> None:
    if not _REAL.exists():
        pytest.skip("FEBRL's data sets are not here: name their folder in GOLDENTHREAD_TEST_FEBRL")
    known, told = (rows_of(f"dataset{name}.csv.gz") for name in ("4a", "4b"))
    begun = time.perf_counter()
    result = matched(known, told)
    sys.stdout.write(
        f"linked {len(result.linked)}, of them right {result.right(result.linked)};"
        f" to review {len(result.review)}, of them right {result.right(result.review)};"
        f" {result.compared} compared, {time.perf_counter() - begun:.2f} s\n"
    )
    assert len(known) == len(told) == 5000
    assert result.right(result.linked) == len(result.linked), "no stranger's record is ever linked"
    assert len(result.linked) >= 0.89 * 5000
    assert len(result.linked) + result.right(result.review) >= 0.985 * 5000
    assert len(result.review) < 600, "a reviewer has days for it, not years"
    assert result.compared < 20_000
