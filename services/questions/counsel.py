"""What counsel of record asks: its clients, as far as each client's authority goes."""

from __future__ import annotations

from typing import Any

from domain.labels import Reader, Viewer
from domain.refusal import Unknown
from domain.roi import grants
from projections.counsel import Ask, Client, Concern, Entry, Recipient, Task
from projections.lens import Lens
from services.ports import Caller, Session
from services.questions.listing import Listing, by_participant
from services.questions.showing import require, show, who
from services.questions.trace import trace
from services.release import Purpose, Rendered, answer
from services.site import Site

LISTINGS = (
    Listing(
        path="counsel/participants",
        key="clients",
        row=Client,
        reader=Reader.COUNSEL,
        purpose=Purpose.REPRESENTATION,
        doc="Your clients here: the participants whose signed authority you have.",
        items=by_participant,
    ),
    Listing(
        path="counsel/tasks",
        key="tasks",
        row=Task,
        reader=Reader.COUNSEL,
        purpose=Purpose.REPRESENTATION,
        doc="What there is to do for your clients, the soonest first.",
        items=by_participant,
    ),
    Listing(
        path="counsel/asks",
        key="asks",
        row=Ask,
        reader=Reader.COUNSEL,
        purpose=Purpose.OWN_RECORDS,
        doc="What you asked LEAD or told it, newest first.",
    ),
    Listing(
        path="counsel/concerns",
        key="concerns",
        row=Concern,
        reader=Reader.COUNSEL,
        purpose=Purpose.OWN_RECORDS,
        doc="The concerns that you raised, with their answers, newest first.",
    ),
)


def participant(site: Site, caller: Caller, text: str) -> dict[str, Any]:
    """Return what a client's authority opens to its counsel, and who sees what now. Raises `Unknown`."""
    require(caller, Reader.COUNSEL)
    asked = site.ids.open(caller.party, text)

    def render(session: Session) -> Rendered:
        found = session.select(Client, {"subject_id": asked}) if asked else []
        entries = session.select(Entry, {"subject_id": asked}) if asked else []
        if not found and not entries:
            raise Unknown
        given = session.select(Recipient, {"subject_id": asked})
        body = who(site, caller, (found or entries)[0]) | (show(site, caller, found[0]) if found else {})
        body["recipients"] = [show(site, caller, row) for row in given]
        body["history"] = [show(site, caller, row) for row in entries]
        return Rendered(body, [*found, *given, *entries])

    return answer(site, caller, "counsel.participant", Purpose.REPRESENTATION, render)


def explained(site: Site, caller: Caller, text: str, party: str) -> dict[str, Any]:
    """Return why each field that counsel sees of a client is shown to a party or withheld. Raises `Unknown`."""
    require(caller, Reader.COUNSEL)
    asked = site.ids.open(caller.party, text)

    def render(session: Session) -> Rendered:
        found = session.select(Client, {"subject_id": asked}) if asked else []
        if asked is None or not found:
            raise Unknown
        grant = grants(site.log.history(asked)).get(caller.party)
        eyes = Lens(Viewer(Reader.COUNSEL, caller.party), grant, site.protocol().ceiling, site.now())
        return Rendered(trace(site, caller, asked, party, eyes), under=list(found))

    return answer(site, caller, "counsel.trace", Purpose.ACCOUNTING, render)
