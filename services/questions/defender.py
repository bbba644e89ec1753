"""What a defender's office asks: diversions, decisions and stops by pseudonym, and its own concerns (T:489-T:495)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from domain.labels import Reader
from projections.observer import Concern, Decision, Diversion, Named, Stop
from services.questions.listing import Asking, Items, Listing
from services.questions.showing import columns_of
from services.release import Purpose


def _observed(asking: Asking, rows: Sequence[Diversion | Decision]) -> Items:
    """Show rows by pseudonym, and the name where the ROI gives it to this office."""
    behind = [row.subject_id for row in rows]
    named = {row.subject_id: row for row in asking.session.select(Named, {"subject_id": behind})} if behind else {}
    items = [
        asking.show(row) | {"named": _name(named[row.subject_id]) if row.subject_id in named else None} for row in rows
    ]
    return Items(items, [*rows, *named.values()])


def _name(row: Named) -> dict[str, Any]:
    return {"name": row.name, "birth_date": row.birth_date}


LISTINGS = (
    Listing(
        path="defender/diversions",
        key="diversions",
        row=Diversion,
        reader=Reader.OBSERVER,
        purpose=Purpose.OBSERVING,
        doc="Arrest diversions by pseudonym, newest first; the pseudonyms are your office's own, and stay.",
        items=_observed,
        columns=(*columns_of(Diversion), "named.name", "named.birth_date"),
    ),
    Listing(
        path="defender/decisions",
        key="decisions",
        row=Decision,
        reader=Reader.OBSERVER,
        purpose=Purpose.OBSERVING,
        doc="Prosecutors' decisions about people in LEAD by pseudonym, newest first.",
        items=_observed,
        columns=(*columns_of(Decision), "named.name", "named.birth_date"),
    ),
    Listing(
        path="defender/stops",
        key="stops",
        row=Stop,
        reader=Reader.OBSERVER,
        purpose=Purpose.OBSERVING,
        doc="Stops of the administrative records, de-identified.",
    ),
    Listing(
        path="defender/participants",
        key="participants",
        row=Named,
        reader=Reader.OBSERVER,
        purpose=Purpose.AS_THE_ROI_STATES,
        doc="The participants whose ROI names your office: who stands behind which pseudonym.",
    ),
    Listing(
        path="defender/concerns",
        key="concerns",
        row=Concern,
        reader=Reader.OBSERVER,
        purpose=Purpose.OWN_RECORDS,
        doc="The concerns that your office raised, with their answers, newest first.",
    ),
)
