"""What the project manager asks: counts of the administrative records."""

from __future__ import annotations

from typing import Any

from domain.labels import Reader
from services.ports import Caller, Session
from services.questions.showing import require
from services.release import Purpose, Rendered, answer
from services.site import Site


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
