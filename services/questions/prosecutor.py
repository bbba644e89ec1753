"""What the liaison prosecutor asks: the office's docket with LEAD's column, its decisions, what it was notified of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from domain.labels import Reader
from projections.liaison_prosecutor import OwnCase, OwnDecision, OwnNotice, Participant
from services.questions.listing import Asking, Choice, Items, Listing
from services.questions.partner import statement, statement_of
from services.questions.showing import columns_of
from services.release import PART2_NOTICE, Purpose


def _shared_only(asking: Asking) -> dict[str, Any]:
    if asking.chosen is None:
        return {}
    return {"participant_id": [row.subject_id for row in asking.session.select(Participant)]}


def _with_lead(asking: Asking, rows: Sequence[OwnCase]) -> Items:
    named = [row.participant_id for row in rows if row.participant_id is not None]
    lead = {row.subject_id: row for row in asking.session.select(Participant, {"subject_id": named})} if named else {}
    cases = []
    for row in rows:
        shared = lead.get(row.participant_id) if row.participant_id else None
        cases.append(asking.show(row) | {"lead": asking.show(shared) if shared else None})
    # To be on a page of `only=shared` is itself shown by the grant: a case whose grant went dark must not be on it.
    torn = asking.chosen is not None and any(case["lead"] is None for case in cases)
    said = [statement_of(lead[row.participant_id]) if row.participant_id in lead else "" for row in rows]
    return Items(cases, list(lead.values()), statement(asking.site, list(lead.values())), said, torn)


LISTINGS = (
    Listing(
        path="prosecutor/pending-cases",
        key="cases",
        row=OwnCase,
        reader=Reader.PROSECUTOR,
        purpose=Purpose.AS_THE_ROI_STATES,
        doc="Your office's docket, newest first, with LEAD's column; `only=shared`: the cases where it says something.",
        where=_shared_only,
        items=_with_lead,
        choice=Choice("only", whole="the whole docket", values=("shared",)),
        columns=(*columns_of(OwnCase), *(f"lead.{name}" for name in columns_of(Participant)), "statement"),
    ),
    Listing(
        path="prosecutor/decisions",
        key="decisions",
        row=OwnDecision,
        reader=Reader.PROSECUTOR,
        purpose=Purpose.OWN_RECORDS,
        doc="Your office's own decisions, newest first.",
    ),
    Listing(
        path="prosecutor/notices",
        key="notices",
        row=OwnNotice,
        reader=Reader.PROSECUTOR,
        purpose=Purpose.OWN_RECORDS,
        doc="The closed codes that your office was sent, newest first.",
        below={"statement": PART2_NOTICE},  # goes with a `completed`; the same for everyone, whatever the page holds
    ),
)
