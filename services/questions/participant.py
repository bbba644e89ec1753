"""What participants ask: their own record, who sees what now, and why."""

from __future__ import annotations

from typing import Any

from domain.labels import Reader, Viewer
from domain.refusal import Unknown
from projections.lens import Lens
from projections.participant import Entry, Own, Recipient
from services.ports import Caller, Session
from services.questions.listing import Asking, Listing
from services.questions.showing import require, show, who
from services.questions.trace import trace
from services.release import Purpose, Rendered, answer
from services.site import Site


def _mine(asking: Asking) -> dict[str, Any]:
    return {"subject_id": asking.caller.party}


LISTINGS = (
    Listing(
        path="participant/history",
        key="history",
        row=Entry,
        reader=Reader.PARTICIPANT,
        purpose=Purpose.OWN_RECORDS,
        doc="All that LEAD has written down about you and may show you, newest first.",
        where=_mine,
    ),
    Listing(
        path="participant/recipients",
        key="recipients",
        row=Recipient,
        reader=Reader.PARTICIPANT,
        purpose=Purpose.OWN_RECORDS,
        doc="Who can see what of you now, by your own signature.",
        where=_mine,
    ),
)


def own(site: Site, caller: Caller) -> dict[str, Any]:
    """Return who a participant is to LEAD, its ROI copies, and who sees what now. Raises `Unknown`."""
    require(caller, Reader.PARTICIPANT)

    def render(session: Session) -> Rendered:
        found = session.select(Own, _of(caller))
        if not found:
            raise Unknown
        given = session.select(Recipient, _of(caller))
        signed = session.select(Entry, _of(caller) | {"kind": ["roi.signed", "roi.granted", "roi.narrowed"]})
        body = show(site, caller, found[0]) | who(site, caller, found[0])
        body["recipients"] = [show(site, caller, row) for row in given]
        body["signed"] = [show(site, caller, row) for row in signed]
        return Rendered(body, [*found, *given, *signed])

    return answer(site, caller, "participant.own", Purpose.OWN_RECORDS, render)


def explained(site: Site, caller: Caller, party: str) -> dict[str, Any]:
    """Return why each field of a participant's own is shown to a party, or withheld from it. Raises `Unknown`."""
    require(caller, Reader.PARTICIPANT)

    def render(session: Session) -> Rendered:
        if not session.select(Own, _of(caller)):
            raise Unknown
        eyes = Lens(Viewer(Reader.PARTICIPANT, caller.party), None, site.protocol().ceiling, site.now())
        return Rendered(trace(site, caller, caller.party, party, eyes), accessed=[caller.party])

    return answer(site, caller, "participant.trace", Purpose.OWN_RECORDS, render)


def _of(caller: Caller) -> dict[str, Any]:
    return {"subject_id": caller.party}
