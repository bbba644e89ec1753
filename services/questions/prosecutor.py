"""What the liaison prosecutor asks: the office's docket with LEAD's column, its calendar, decisions and warrants,
what it was notified of, and what follows for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from domain.labels import Reader
from domain.legal_case import relation
from projections.liaison_prosecutor import (
    Ask,
    OwnCase,
    OwnDate,
    OwnDecision,
    OwnNotice,
    OwnObligation,
    OwnWarrant,
    Participant,
    PublicCase,
    PublicWarrant,
    Request,
    SharedCase,
)
from services.questions.listing import Asking, Choice, Items, Listing
from services.questions.partner import named_participants, statement, statement_of
from services.questions.showing import columns_of
from services.release import PART2_NOTICE, Purpose


def _shared_only(asking: Asking) -> dict[str, Any]:
    if asking.chosen is None:
        return {}
    return {"case_id": [row.case_id for row in asking.session.select(SharedCase)]}


def _with_lead(asking: Asking, rows: Sequence[OwnCase]) -> Items:
    shared = asking.session.select(SharedCase, {"case_id": [row.case_id for row in rows]})
    whose = {row.case_id: row.subject_id for row in shared}
    named = {"subject_id": sorted({*whose.values()})}
    lead = {row.subject_id: row for row in asking.session.select(Participant, named)} if whose else {}
    beside, zone = _beside(asking, rows), asking.site.protocol().tz
    cases, said = [], []
    for row in rows:
        who = lead.get(whose[row.case_id]) if row.case_id in whose else None
        cases.append(asking.show(row) | beside[row.case_id] | {"lead": _lead(asking, row, who, zone) if who else None})
        said.append(statement_of(who) if who else "")
    # To be on a page of `only=shared` is itself shown by the grant: a case whose grant went dark must not be on it.
    torn = asking.chosen is not None and any(case["lead"] is None for case in cases)
    return Items(cases, list(lead.values()), statement(asking.site, list(lead.values())), said, torn)


def _lead(asking: Asking, case: OwnCase, shared: Participant, zone: ZoneInfo) -> dict[str, Any]:
    """Return LEAD's column, with how the case stands to the enrolment (T:479) where both are known."""
    stands = None
    if shared.enrolled_at is not None and case.offense_on is not None:
        enrolled_on = shared.enrolled_at.astimezone(zone).date()
        stands = relation(case.offense_on, case.filed_on, enrolled_on)
    return asking.show(shared) | {"relation": stands}


def _beside(asking: Asking, rows: Sequence[OwnCase]) -> dict[UUID, dict[str, Any]]:
    """Return what stands beside each case: warrants, what courts tell of its docket, what the office was told of it.

    A warning is the office's own obligation read to it again; it hears of no charge that it was not told of.
    """
    dockets = {"docket": [row.docket for row in rows]}
    incidents = {"incident_number": [row.incident_number for row in rows if row.incident_number is not None]}
    own, told = asking.session.select(OwnWarrant, dockets), asking.session.select(PublicWarrant, dockets)
    warrants: list[OwnWarrant | PublicWarrant] = [*own, *told]
    courts = asking.session.select(PublicCase, dockets)
    obliged = asking.session.select(OwnObligation, incidents)
    return {
        row.case_id: {
            "warrants": [asking.show(each) for each in warrants if each.docket == row.docket],
            "courts": [asking.show(each) for each in courts if each.docket == row.docket],
            "warning": next((each.obligation for each in obliged if _is_of(each, row)), None),
        }
        for row in rows
    }


def _with_cases(asking: Asking, rows: Sequence[OwnObligation]) -> Items:
    """Show each obligation with the dockets under which the office filed that very charge, before it was told or after.

    Both are the office's own: nothing here tells when anything was entered at LEAD.
    """
    incidents = {"incident_number": [row.incident_number for row in rows if row.incident_number is not None]}
    filed = asking.session.select(OwnCase, incidents)
    return Items([asking.show(row) | {"filed_as": [c.docket for c in filed if _is_of(row, c)]} for row in rows], rows)


def _is_of(obligation: OwnObligation, case: OwnCase) -> bool:
    codes = {charge.get("code") for charge in case.charges}
    return obligation.incident_number == case.incident_number and obligation.charge_code in codes


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
        columns=(
            *columns_of(OwnCase),
            *("warrants", "courts", "warning"),
            *(f"lead.{name}" for name in (*columns_of(Participant), "relation")),
            "statement",
        ),
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
        path="prosecutor/calendar",
        key="dates",
        row=OwnDate,
        reader=Reader.PROSECUTOR,
        purpose=Purpose.OWN_RECORDS,
        doc="Your office's hearings that are not over, and the reviews of what it put off, the next first.",
    ),
    Listing(
        path="prosecutor/decision-requests",
        key="requests",
        row=Request,
        reader=Reader.PROSECUTOR,
        purpose=Purpose.AS_THE_ROI_STATES,
        doc="The charges held back on which your office is asked to decide, because the person enrolled after the "
        "deadline; newest first, until it has.",
        items=named_participants,
        columns=("participant", *columns_of(Request), "statement"),
    ),
    Listing(
        path="prosecutor/warrants",
        key="warrants",
        row=OwnWarrant,
        reader=Reader.PROSECUTOR,
        purpose=Purpose.OWN_RECORDS,
        doc="The warrants that your office recorded, the latest first.",
    ),
    Listing(
        path="prosecutor/obligations",
        key="obligations",
        row=OwnObligation,
        reader=Reader.PROSECUTOR,
        purpose=Purpose.OWN_RECORDS,
        doc="The charges that your office will not file, because it was told that the person enrolled in time; "
        "`filed_as`: where it did.",
        items=_with_cases,
        columns=(*columns_of(OwnObligation), "filed_as", "statement"),
        below={"statement": PART2_NOTICE},
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
    Listing(
        path="prosecutor/asks",
        key="asks",
        row=Ask,
        reader=Reader.PROSECUTOR,
        purpose=Purpose.OWN_RECORDS,
        doc="What your office asked LEAD or told it, newest first.",
    ),
)
