"""Write the golden digest of each view's rows for every version that has none; never touch one that exists.

    python -m tests.projections.make_golden

A digest is a promise that the function of that version is still what it was, so that what it showed can be computed
again. The histories beside it are fixed: `history-1` was taken from a simulated year, the others have what such a year
lacks. They are read as the log is, through the events' own upcasts. Events that came later want another file, which
`written` writes, and digests of it for the views as they are.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import adapters.postgres.mapper  # noqa: F401 - every event is known by its topic once it is imported
from domain.event import TOPICS, Envelope, Event, Recorded
from domain.labels import Ceiling
from projections.lens import History
from projections.views import VIEWS, View
from services.release import fingerprint, sealed

GOLDEN = Path(__file__).parent / "golden"
FILES = sorted(GOLDEN.glob("history-*.json"))
CEILING = Ceiling("P-1")
_KEY = b"golden"
_AFTER = timedelta(days=400)
"""When every consent of a history has ended."""


def histories(path: Path) -> list[History]:
    """Return the histories of a file."""
    kept = json.loads(path.read_text(encoding="utf-8"))
    return [
        History(
            UUID(one["subject"]), *([*map(_recorded, one.get(some, ()))] for some in ("events", "linked", "proposed"))
        )
        for one in kept
    ]


def written(some: Sequence[History]) -> str:
    """Return the text of a file of histories: one line for each event."""

    def lines(events: Sequence[Recorded[Event]]) -> str:
        each = [json.dumps(_plain(r), ensure_ascii=False, sort_keys=True, separators=(",", ":")) for r in events]
        return "[\n" + ",\n".join(each) + "\n]" if each else "[]"

    whole = [
        f'{{"subject":"{one.subject}","events":{lines(one.events)},"linked":{lines(one.linked)},'
        f'"proposed":{lines(one.proposed)}}}'
        for one in some
    ]
    return "[" + ",\n".join(whole) + "]\n"


def digest(view: View, some: Sequence[History]) -> str:
    """Return the digest of all that a view has of some histories: in their middle, at their end, and long after."""
    each = [
        fingerprint(_KEY, row)
        for history in some
        for part, at in _moments(history)
        for row in view.rows(part, CEILING, at)
    ]
    return sealed(_KEY, each)[0].hex()


def kept(view: View) -> dict[str, dict[str, str]]:
    """Return the digests that are kept of a view: by version, by file of histories."""
    path = GOLDEN / f"{view.name}.json"
    found: dict[str, dict[str, str]] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return found


def _moments(history: History) -> Iterator[tuple[History, datetime]]:
    middle = History(history.subject, history.events[: len(history.events) // 2])
    for part in (middle, history):
        if part.events:
            yield part, part.events[-1].recorded_at
    yield history, history.events[-1].recorded_at + _AFTER


def _plain(recorded: Recorded[Event]) -> dict[str, Any]:
    event = recorded.event
    return {
        "position": recorded.position,
        "recorded_at": recorded.recorded_at.isoformat(),
        "stream": str(recorded.stream),
        "version": recorded.version,
        "envelope": recorded.envelope.model_dump(mode="json"),
        "topic": event.topic,
        "schema_version": event.schema_version,
        "event": event.model_dump(mode="json", exclude_none=True),
    }


def _recorded(kept: dict[str, Any]) -> Recorded[Event]:
    cls, values = TOPICS[kept["topic"]], kept["event"]
    for older in range(kept["schema_version"], cls.schema_version):
        values = cls.upcasts[older](values)
    return Recorded(
        position=kept["position"],
        recorded_at=datetime.fromisoformat(kept["recorded_at"]),
        stream=UUID(kept["stream"]),
        version=kept["version"],
        envelope=Envelope.model_validate(kept["envelope"]),
        event=cls.model_validate(values),
    )


if __name__ == "__main__":
    for view in VIEWS.values():
        golden = kept(view)
        version = golden.setdefault(view.version, {})
        for path in FILES:
            if path.stem not in version:
                version[path.stem] = digest(view, histories(path))
                sys.stdout.write(f"{view.version} {path.stem}\n")
        text = json.dumps(golden, indent=2)
        (GOLDEN / f"{view.name}.json").write_text(text + "\n", encoding="utf-8")
