"""What holds of every row of every view, whatever happened: asked of stories, and by the machines of theirs."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from domain.event import Event, Recorded
from domain.labels import Reader, Shown, Viewer
from projections import case_manager, counsel
from projections.lens import NOBODY, Lens
from projections.partner import GrantedEntry
from projections.record import RoleEntry
from projections.rows import MODELS, GrantedRow, Row, shown
from projections.views import VIEWS
from tests.histories import Given

UUID_PATTERN = re.compile("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


def hold(story: Given) -> None:
    """Assert all of it, of every row that anybody has of a story."""
    rows = [row for view in VIEWS.values() for row in view.rows(story.history, story.protocol.ceiling, story.now)]
    no_two_share_a_key(rows)
    each_says_what_it_shows(story, rows)
    no_id_leaves_raw(rows)
    nobody_reads_of_an_event_that_is_not_theirs_to_know_of(story, rows)


def no_two_share_a_key(rows: list[Row]) -> None:
    """Two rows of one key, and the projector parks the person: nobody of that view sees it any more."""
    keys = Counter((type(row), *(getattr(row, name) for name in MODELS[type(row)].key)) for row in rows)
    assert not [key for key, times in keys.items() if times > 1]


def each_says_what_it_shows(story: Given, rows: list[Row]) -> None:
    """`shown` is what the disclosure, the accounting and the Part 2 notice go by: no label more, and none less."""
    for row in rows:
        if isinstance(row, GrantedRow) and not hasattr(row, "body"):
            assert row.shown == shown(type(row), asdict(row)), row
    for row, recorded in entries(story, rows):
        fields = ["occurred_at", *row.body]
        labels = set[str]().union(*(recorded.event.subject_labels(name) for name in fields))
        assert set(row.shown.split()) == labels, row


def no_id_leaves_raw(rows: list[Row]) -> None:
    """Ids leave in columns of their own, sealed for their reader; places in the log to the site's own people alone."""
    for row in rows:
        model = MODELS[type(row)]
        values = [getattr(row, c.name) for c in model.columns if c.sql_type in ("jsonb", "text")]
        said = json.dumps([_without_ids(value) for value in values], default=str)
        assert not UUID_PATTERN.search(said), row
        assert model.reader is Reader.PROGRAM or "position" not in said, row


def _without_ids(value: Any) -> Any:
    """Return what stands in a list beside the ids that an answer seals for its reader."""
    if not isinstance(value, list):
        return value
    return [{k: v for k, v in i.items() if not k.endswith("_id")} if isinstance(i, dict) else i for i in value]


def nobody_reads_of_an_event_that_is_not_theirs_to_know_of(story: Given, rows: list[Row]) -> None:
    """A row of an event tells its kind and its time, so it rests on the event's own label, not on one field's."""
    held = story.consent.grants
    for row, recorded in entries(story, rows):
        reader = MODELS[type(row)].reader
        party = getattr(row, "party_id", story.who if reader is Reader.PARTICIPANT else NOBODY)
        lens = Lens(Viewer(reader, party), held.get(party), story.protocol.ceiling, story.now)
        decision = lens.decide(recorded, "occurred_at")
        assert isinstance(decision, Shown), row
        assert (decision.grant is not None) == isinstance(row, GrantedRow), row


def entries(story: Given, rows: list[Row]) -> Iterator[tuple[Any, Recorded[Event]]]:
    """Return the rows that each tell of one event, with the event."""
    own = {recorded.id: recorded for recorded in story.recorded}
    told = {story.history.id_of(recorded): recorded for recorded in story.recorded}
    for row in rows:
        if isinstance(row, GrantedEntry | counsel.Entry | RoleEntry):
            yield row, told[row.entry_id]
        if isinstance(row, case_manager.Entry):
            yield row, own[row.entry_id]
