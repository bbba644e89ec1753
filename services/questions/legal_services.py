"""What LEAD Legal Services asks: the participants, and each one's legal matters, plan and needs."""

from __future__ import annotations

from typing import Any

from domain.labels import Reader
from domain.refusal import Unknown
from projections.legal_services import Entry, Participant
from services.ports import Caller, Session
from services.questions.listing import Listing, by_participant
from services.questions.showing import require, show, who
from services.release import Purpose, Rendered, answer
from services.site import Site

LISTINGS = (
    Listing(
        path="legal-services/participants",
        key="participants",
        row=Participant,
        reader=Reader.LEGAL_SERVICES,
        purpose=Purpose.REPRESENTATION,
        doc="The participants, by name.",
        items=by_participant,
    ),
)


def participant(site: Site, caller: Caller, text: str) -> dict[str, Any]:
    """Return all that Legal Services may read of a participant. Raises `Unknown`."""
    require(caller, Reader.LEGAL_SERVICES)
    asked = site.ids.open(caller.party, text)

    def render(session: Session) -> Rendered:
        found = session.select(Participant, {"subject_id": asked}) if asked else []
        if not found:
            raise Unknown
        entries = session.select(Entry, {"subject_id": asked})
        body = show(site, caller, found[0]) | who(site, caller, found[0])
        body["history"] = [show(site, caller, row) for row in entries]
        return Rendered(body, [*found, *entries])

    return answer(site, caller, "legal_services.participant", Purpose.REPRESENTATION, render)
