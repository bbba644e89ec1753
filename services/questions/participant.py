"""What participants ask: their own record and those merged into it, who sees what now, and why."""

from __future__ import annotations

from typing import Any

from domain.labels import Reader, Viewer
from domain.refusal import Unknown
from projections.lens import Lens
from projections.participant import Entry, Own, Recipient
from services.person import reached
from services.ports import Caller, Session
from services.questions.listing import Asking, Listing, by_participant
from services.questions.showing import require, show, who
from services.questions.trace import trace
from services.release import Purpose, Rendered, answer
from services.site import Site


def _mine(asking: Asking) -> dict[str, Any]:
    return _of(asking.site, asking.caller)


LISTINGS = (
    Listing(
        path="participant/history",
        key="history",
        row=Entry,
        reader=Reader.PARTICIPANT,
        purpose=Purpose.OWN_RECORDS,
        doc="All that LEAD has written down about you and may show you, newest first.",
        where=_mine,
        items=by_participant,
    ),
    Listing(
        path="participant/recipients",
        key="recipients",
        row=Recipient,
        reader=Reader.PARTICIPANT,
        purpose=Purpose.OWN_RECORDS,
        doc="Who can see what of you now, by your own signature.",
        where=_mine,
        items=by_participant,
    ),
)


def own(site: Site, caller: Caller) -> dict[str, Any]:
    """Return who a participant is to LEAD, its ROI copies, and who sees what now. Raises `Unknown`."""
    require(caller, Reader.PARTICIPANT)

    def render(session: Session) -> Rendered:
        mine = _of(site, caller)
        found = session.select(Own, {"subject_id": caller.party})
        if not found:
            raise Unknown
        given = session.select(Recipient, mine)
        signed = session.select(Entry, mine | {"kind": ["roi.signed", "roi.granted", "roi.narrowed"]})
        body = show(site, caller, found[0]) | who(site, caller, found[0])
        body["recipients"] = [show(site, caller, row) | who(site, caller, row) for row in given]
        body["signed"] = [show(site, caller, row) | who(site, caller, row) for row in signed]
        return Rendered(body, [*found, *given, *signed])

    return answer(site, caller, "participant.own", Purpose.OWN_RECORDS, render)


def explained(site: Site, caller: Caller, party: str) -> dict[str, Any]:
    """Return why each field of a participant's own is shown to a party, or withheld from it. Raises `Unknown`."""
    require(caller, Reader.PARTICIPANT)

    def render(session: Session) -> Rendered:
        if not session.select(Own, {"subject_id": caller.party}):
            raise Unknown
        eyes = Lens(Viewer(Reader.PARTICIPANT, caller.party), None, site.protocol().ceiling, site.now())
        return Rendered(trace(site, caller, caller.party, party, eyes), accessed=[caller.party])

    return answer(site, caller, "participant.trace", Purpose.OWN_RECORDS, render)


def _of(site: Site, caller: Caller) -> dict[str, Any]:
    """Return whose rows are the participant's: its record's, and those of the records merged into it."""
    return {"subject_id": [record.id for record in reached(site, caller, caller.party)]}
