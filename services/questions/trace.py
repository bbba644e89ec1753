"""Traces: why each field about a participant is shown to a party, or withheld from it. Asking is itself recorded."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from domain.labels import Shown, Viewer
from domain.refusal import Refused
from domain.registry import ADDRESSED_AS
from projections.lens import History, Lens, explain, plain
from services.ports import Caller
from services.site import Site


def trace(site: Site, caller: Caller, participant: UUID, party: str, eyes: Lens | None) -> dict[str, Any]:
    """Return every decision about a participant for one party, without any value.

    `eyes`: those of who asks, who is told of no field that it may not see itself, and has ids that do not count what
    it is not told of; None for the privacy officer.
    """
    viewed = site.directory.by_code(party, "party")
    reader = ADDRESSED_AS.get(viewed.kind)
    if reader is None:
        raise Refused("party", "it reads by role, not by consent.", "Name a partner, a recipient or counsel.")
    now, protocol = site.now(), site.protocol()
    history = History(participant, site.log.history(participant))
    recorded = {each.position: each for each in history.events}
    lines = []
    for line in explain(history, Viewer(reader, viewed.id), protocol.ceiling, now):
        event = recorded[line.position]
        if eyes is None or isinstance(eyes.decide(event, line.field), Shown):
            shown = isinstance(line.decision, Shown)
            lines.append(
                {
                    "event": site.ids.seal(caller.party, history.id_of(event) if eyes else event.id),
                    "kind": line.topic,
                    "field": line.field,
                    "labels": sorted(line.labels),
                    "shown": shown,
                    "why": line.decision.basis if isinstance(line.decision, Shown) else line.decision.rule,
                }
            )
    return {"party": party, "at": plain(now), "protocol": protocol.version, "decisions": lines}
