"""What case managers ask: their caseload, and all that care may read of a participant."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from domain.labels import Reader
from domain.refusal import Unknown
from projections.case_manager import Entry, Participant, Recipient
from services.ports import Caller, Session
from services.questions.listing import Asking, Choice, Items, Listing
from services.questions.showing import columns_of, require, show, who
from services.release import Purpose, Rendered, answer
from services.site import Site


def _carried(asking: Asking) -> dict[str, Any]:
    return {} if asking.chosen else {"carried_by": asking.caller.staff}


def _read(asking: Asking, rows: Sequence[Participant]) -> Items:
    return Items([asking.show(row) | asking.who(row) for row in rows], rows)


LISTINGS = (
    Listing(
        path="case-manager/caseload",
        key="participants",
        row=Participant,
        reader=Reader.CASE_MANAGER,
        purpose=Purpose.CARE,
        doc="Your participants, by name.",
        where=_carried,
        items=_read,
        choice=Choice("team", whole="yours alone", doc="The whole team's, not yours alone."),
        columns=(*columns_of(Participant), "participant"),
    ),
)


def participant(site: Site, caller: Caller, text: str) -> tuple[dict[str, Any], int]:
    """Return all that care may read of a participant, and the position it stands at. Raises `Unknown`."""
    require(caller, Reader.CASE_MANAGER)
    asked = site.ids.open(caller.party, text)
    positions = [0]

    def render(session: Session) -> Rendered:
        found = session.select(Participant, {"subject_id": asked}) if asked else []
        if not found:
            raise Unknown
        given = session.select(Recipient, {"subject_id": asked})
        entries = session.select(Entry, {"subject_id": asked})
        positions[0] = found[0].as_of
        body = show(site, caller, found[0]) | who(site, caller, found[0])
        body["recipients"] = [
            {"party": site.directory.party(row.party_id).code} | show(site, caller, row) for row in given
        ]
        body["history"] = [show(site, caller, row) for row in entries]
        return Rendered(body, [*found, *given, *entries])

    return answer(site, caller, "case_manager.participant", Purpose.CARE, render), positions[0]


def entity_tag(site: Site, caller: Caller, text: str, position: int) -> str:
    """Return the entity tag of what care read of a participant."""
    return site.tokens.tag(caller.staff, text, position)


def standing_tag(site: Site, caller: Caller, text: str) -> str:
    """Return the entity tag that a participant has now."""
    asked = site.ids.open(caller.party, text)
    history = site.log.history(asked) if asked else []
    return entity_tag(site, caller, text, history[-1].position if history else 0)
