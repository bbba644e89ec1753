"""Findings, missed diversions and offers not taken: what project manager, observer and the office concerned ask."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from domain.labels import Reader
from projections.finding import (
    FindingRow,
    MissedDiversionRow,
    ObserverFinding,
    ObserverMissedDiversion,
    ObserverOfferNotTaken,
    OfferNotTakenRow,
    OwnFinding,
    ProgramFinding,
    ProgramMissedDiversion,
    ProgramOfferNotTaken,
)
from services.questions.listing import Asking, Choice, Items, Listing
from services.questions.showing import columns_of
from services.release import Purpose


def _alarms_only(asking: Asking) -> dict[str, Any]:
    return {"alarm": True} if asking.chosen else {}


def _with_names(asking: Asking, rows: Sequence[FindingRow]) -> Items:
    """Show findings with the name of the person who acted, who is on the register that everyone reads."""
    items = []
    for row in rows:
        body = asking.who(row) | asking.show(row)
        del body["person_id"]
        person = asking.site.directory.staff.get(row.person_id) if row.person_id else None
        items.append(body | {"person": person.name if person else None})
    return Items(items, rows)


def _arrests(asking: Asking, rows: Sequence[MissedDiversionRow | OfferNotTakenRow]) -> Items:
    """Show arrests. They are about nobody whose reading could be accounted for."""
    return Items([asking.show(row) for row in rows])


_FINDINGS = Listing(
    path="program/findings",
    key="findings",
    row=ProgramFinding,
    reader=Reader.PROGRAM,
    purpose=Purpose.RUNNING_THE_SITE,
    doc="Adverse actions with what had been shown before them, newest first; `alarms`: those that need an answer.",
    where=_alarms_only,
    items=_with_names,
    columns=("participant", *columns_of(ProgramFinding, {"person_id"}), "person"),
    choice=Choice("alarms", whole="all findings"),
)
_MISSED = Listing(
    path="program/missed-diversions",
    key="missed_diversions",
    row=ProgramMissedDiversion,
    reader=Reader.PROGRAM,
    purpose=Purpose.RUNNING_THE_SITE,
    doc="Arrests for a divertible charge without an offer, with the stated reason, newest first.",
    items=_arrests,
    columns=columns_of(ProgramMissedDiversion),
)
_NOT_TAKEN = replace(
    _MISSED,
    path="program/offers-not-taken",
    key="offers_not_taken",
    row=ProgramOfferNotTaken,
    doc="Arrests for a divertible charge where the person declined the offer, newest first: nobody is named.",
    columns=columns_of(ProgramOfferNotTaken),
)
_ASKED = Listing(
    path="prosecutor/findings",
    key="findings",
    row=OwnFinding,
    reader=Reader.PROSECUTOR,
    purpose=Purpose.OWN_RECORDS,
    doc="What your office was asked about actions of its own, newest first, and its answers.",
)

LISTINGS = (
    _FINDINGS,
    _MISSED,
    _NOT_TAKEN,
    _ASKED,
    replace(
        _FINDINGS, path="defender/findings", row=ObserverFinding, reader=Reader.OBSERVER, purpose=Purpose.OBSERVING
    ),
    replace(
        _MISSED,
        path="defender/missed-diversions",
        row=ObserverMissedDiversion,
        reader=Reader.OBSERVER,
        purpose=Purpose.OBSERVING,
    ),
    replace(
        _NOT_TAKEN,
        path="defender/offers-not-taken",
        row=ObserverOfferNotTaken,
        reader=Reader.OBSERVER,
        purpose=Purpose.OBSERVING,
    ),
)
