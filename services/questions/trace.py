"""Traces: why each field about a participant is shown to a party, or withheld from it. Asking is itself recorded."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

from domain.event import Event, Recorded
from domain.labels import Ceiling, Shown, Viewer
from domain.refusal import Refused
from domain.registry import ADDRESSED_AS
from projections.lens import History, Lens, explain, plain
from services.ports import Caller
from services.site import Site


def trace(site: Site, caller: Caller, participant: UUID, party: str, eyes: Lens | None) -> dict[str, Any]:
    """Return every decision about a participant for one party, without any value.

    `eyes`: those of who asks, who is told of no field that it may not see itself; None for the privacy officer. Ids
    do not count what is not told.
    """
    viewed = site.directory.by_code(party, "party")
    reader = ADDRESSED_AS.get(viewed.kind)
    if reader is None:
        raise Refused("party", "it reads by role, not by consent.", "Name a partner, a recipient or counsel.")
    now, protocol = site.now(), site.protocol()
    history = History(participant, site.log.history(participant))

    kept_back = history.kept_back(eyes.viewer.reader if eyes else None, now)

    def knows_of(recorded: Recorded[Event], name: str) -> bool:
        return recorded.position not in kept_back and (eyes is None or isinstance(eyes.decide(recorded, name), Shown))

    viewer = Viewer(reader, viewed.id)
    lines = decisions(site, caller, history, viewer, protocol.ceiling, now, knows_of, history.id_of)
    return {"party": party, "at": plain(now), "protocol": protocol.version, "decisions": lines}


def decisions(
    site: Site,
    caller: Caller,
    history: History,
    viewer: Viewer,
    ceiling: Ceiling,
    at: datetime,
    knows_of: Callable[[Recorded[Event], str], bool],
    id_of: Callable[[Recorded[Event]], UUID],
) -> list[dict[str, Any]]:
    """Return the decisions about a history for one viewer at a moment, as far as who asks may know of the fields."""
    recorded = {each.position: each for each in history.read_by(viewer.reader)}
    lines = []
    for line in explain(history, viewer, ceiling, at):
        event, decision = recorded[line.position], line.decision
        if knows_of(event, line.field):
            shown = decision if isinstance(decision, Shown) else None
            lines.append(
                {
                    "event": site.ids.seal(caller.party, id_of(event)),
                    "kind": line.topic,
                    "field": line.field,
                    "labels": sorted(line.labels),
                    "shown": shown is not None,
                    "why": decision.basis if isinstance(decision, Shown) else decision.rule,
                    "grant": site.ids.seal(caller.party, shown.grant) if shown and shown.grant else None,
                }
            )
    return lines
