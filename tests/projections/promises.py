"""What holds of every row of every view, whatever happened: asked of stories, and by the machines of theirs."""

from __future__ import annotations

from collections import Counter

from projections.rows import MODELS, Row
from projections.views import VIEWS
from tests.histories import Given


def all_rows(story: Given) -> list[Row]:
    """Return every row that anybody has of a story."""
    return [row for view in VIEWS.values() for row in view.rows(story.history, story.protocol.ceiling, story.now)]


def no_two_rows_share_a_key(rows: list[Row]) -> None:
    """Two rows of one key, and the projector parks the person: nobody of that view sees it any more."""
    keys = Counter((type(row), *(getattr(row, name) for name in MODELS[type(row)].key)) for row in rows)
    assert not [key for key, times in keys.items() if times > 1]


def hold(story: Given) -> None:
    """Assert all of it."""
    rows = all_rows(story)
    no_two_rows_share_a_key(rows)
