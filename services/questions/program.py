"""What the project manager asks: deadlines, and counts of the administrative records."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from domain.labels import Reader
from projections.deadlines import Deadline, Stands
from projections.program import Concern
from services.ports import Caller, Session
from services.questions.listing import Asking, Choice, Items, Listing
from services.questions.showing import require
from services.release import Purpose, Rendered, answer
from services.site import Site


def _concerns(asking: Asking, rows: Sequence[Concern]) -> Items:
    items = []
    for row in rows:
        body = asking.show(row) | {"from": asking.site.directory.party(row.from_id).code}
        del body["from_id"]
        items.append(body)
    return Items(items, rows)


def _that_stand(asking: Asking) -> dict[str, Any]:
    return {} if asking.chosen is None else {"stands": asking.chosen}


def _accessed(asking: Asking, rows: Sequence[Deadline]) -> Items:
    return Items([asking.show(row) for row in rows], rows)


LISTINGS = (
    Listing(
        path="program/concerns",
        key="concerns",
        row=Concern,
        reader=Reader.PROGRAM,
        purpose=Purpose.RUNNING_THE_SITE,
        doc="Concerns of defenders, to be answered on the record, newest first.",
        items=_concerns,
    ),
    Listing(
        path="program/deadlines",
        key="deadlines",
        row=Deadline,
        reader=Reader.PROGRAM,
        purpose=Purpose.RUNNING_THE_SITE,
        doc="The deadlines of arrest diversions, the soonest first.",
        where=_that_stand,
        items=_accessed,
        choice=Choice("stands", whole="all of them", values=tuple(Stands)),
    ),
)


def funnel(site: Site, caller: Caller) -> dict[str, Any]:
    """Return stops and arrests of the administrative records, by precinct and race as perceived by the officer."""
    require(caller, Reader.PROGRAM)

    def render(session: Session) -> Rendered:
        counted = session.funnel()
        cells = [
            {"precinct": precinct, "race_as_perceived": race, "stops": stops, "arrests": arrests}
            for precinct, race, stops, arrests in counted
        ]
        totals = {"stops": sum(stops for *_, stops, _ in counted), "arrests": sum(arrests for *_, arrests in counted)}
        return Rendered({"cells": cells} | totals)

    return answer(site, caller, "program.funnel", Purpose.RUNNING_THE_SITE, render)
