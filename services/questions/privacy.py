"""What the privacy officer asks: the state of consent, traces and accountings; no content, and nobody's name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from domain.labels import Reader
from domain.refusal import Unknown
from projections.privacy import Entry, Participant, Recipient, SealOrder, Withdrawal
from services.ports import Caller, Session
from services.questions.listing import Asking, Choice, Items, Listing, by_participant
from services.questions.showing import columns_of, require, show, who
from services.questions.trace import trace
from services.release import Purpose, Rendered, answer
from services.site import Site


def _late_or_not(asking: Asking, rows: Sequence[Withdrawal]) -> Items:
    """Show each withdrawal, and whether its receipt is overdue: then somebody is to call that party."""
    now = asking.site.now()
    late = [row.receipt is None and row.receipt_by < now for row in rows]
    return Items(
        [asking.show(row) | asking.who(row) | {"overdue": is_late} for row, is_late in zip(rows, late, strict=True)],
        rows,
    )


def _suspended_only(asking: Asking) -> dict[str, Any]:
    return {"suspended": True} if asking.chosen else {}


LISTINGS = (
    Listing(
        path="privacy/participants",
        key="participants",
        row=Participant,
        reader=Reader.PRIVACY,
        purpose=Purpose.ACCOUNTING,
        doc="Everybody who has a record here, by your own ids: when each ROI was signed and ends, and whether the "
        "accounting is suspended for an agency; `suspended`: those alone.",
        where=_suspended_only,
        items=by_participant,
        choice=Choice("suspended", whole="everybody"),
    ),
    Listing(
        path="privacy/withdrawals",
        key="withdrawals",
        row=Withdrawal,
        reader=Reader.PRIVACY,
        purpose=Purpose.ACCOUNTING,
        doc="What parties had been sent and was withdrawn, by when they were to answer, and who is late with it.",
        items=_late_or_not,
        columns=(*columns_of(Withdrawal), "participant", "overdue"),
    ),
    Listing(
        path="privacy/seal-orders",
        key="orders",
        row=SealOrder,
        reader=Reader.PRIVACY,
        purpose=Purpose.ACCOUNTING,
        doc="Orders to seal, vacate or expunge: when each was carried out, or what it waits for.",
        items=by_participant,
    ),
)


def participant(site: Site, caller: Caller, text: str) -> dict[str, Any]:
    """Return the state and scope of a participant's consent. Raises `Unknown`."""
    require(caller, Reader.PRIVACY)
    asked = site.ids.open(caller.party, text)

    def render(session: Session) -> Rendered:
        found = session.select(Participant, {"subject_id": asked}) if asked else []
        if not found:
            raise Unknown
        given = session.select(Recipient, {"subject_id": asked})
        entries = session.select(Entry, {"subject_id": asked})
        body = show(site, caller, found[0]) | who(site, caller, found[0])
        body["recipients"] = [show(site, caller, row) for row in given]
        body["history"] = [show(site, caller, row) for row in entries]
        return Rendered(body, [*found, *given, *entries])

    return answer(site, caller, "privacy.participant", Purpose.ACCOUNTING, render)


def explained(site: Site, caller: Caller, text: str, party: str) -> dict[str, Any]:
    """Return why each field about a participant is shown to a party or withheld; no values. Raises `Unknown`."""
    require(caller, Reader.PRIVACY)
    asked = site.ids.open(caller.party, text)

    def render(session: Session) -> Rendered:
        if asked is None or not session.select(Participant, {"subject_id": asked}):
            raise Unknown
        return Rendered(trace(site, caller, asked, party, None), accessed=[asked])

    return answer(site, caller, "privacy.trace", Purpose.ACCOUNTING, render)
