"""Golden digests: a version of a view is the same function for ever, so that what it showed can be computed again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

import pytest

from domain.labels import Ceiling
from projections import police
from projections.lens import History, Traced
from projections.rows import MODELS, Row
from projections.views import VIEWS, Rows, View
from tests.projections.make_golden import CEILING, FILES, digest, histories, kept

SAYS = (
    "{view} has other rows of the golden histories than it had: what was disclosed by it could not be computed again."
    " If the change is meant, raise the version in projections/views.py, generate the SQL"
    " (python -m adapters.postgres.tables), and keep its digest (python -m tests.projections.make_golden)."
)


@pytest.mark.parametrize("view", VIEWS.values(), ids=lambda view: view.name)
def test_a_views_rows_are_what_its_version_says(view: View) -> None:
    golden = kept(view)
    make = f"{view.version} has no golden digest: python -m tests.projections.make_golden"
    assert golden.get(view.version, {}).keys() == {path.stem for path in FILES}, make
    for path in FILES:
        assert digest(view, histories(path)) == golden[view.version][path.stem], SAYS.format(view=view.version)


def test_the_histories_fill_every_table() -> None:
    """A table without a row could change unseen. What the simulated year never makes stands here."""
    filled: set[type[Row]] = set()
    for path in FILES:
        for history in histories(path):
            for view in VIEWS.values():
                for row in view.rows(history, CEILING, history.events[-1].recorded_at):
                    filled.add(type(row))
    assert {MODELS[row].table for row in MODELS.keys() - filled} == set()


def test_another_row_is_another_digest() -> None:
    """One letter of one row, or one row left out."""
    some = histories(FILES[0])
    view = VIEWS[police.READER]

    def changed(history: History, ceiling: Ceiling, at: datetime, trace: list[Traced] | None = None) -> Iterator[Row]:
        for row in view.rows(history, ceiling, at, trace):
            yield replace(row, scope=None) if isinstance(row, police.Participant) else row

    def shortened(history: History, ceiling: Ceiling, at: datetime, trace: list[Traced] | None = None) -> Iterator[Row]:
        yield from list(view.rows(history, ceiling, at, trace))[:-1]

    different: list[Rows] = [view.rows, changed, shortened]
    assert len({digest(replace(view, rows=rows), some) for rows in different}) == len(different)
