"""Ray's filings, and the audit's beat: what the scenarios about findings share."""

from __future__ import annotations

from typing import Any

from services.findings import Audit
from tests.scenarios import ray as story
from tests.site import Person, SiteUnderTest


def file(chen: Person, office_id: str | None, docket: str, **other: Any) -> str:
    """File notice of a theft case about Ray; return the case's id."""
    filed = {
        "docket": docket,
        "participant": office_id,
        "defendant": story.RAY,
        "charges": [{"code": "23C", "description": "Shoplifting", "severity": "misdemeanor"}],
        "offense_on": "2026-02-02",
        "filed_on": "2026-04-20",
    }
    case: str = chen.do("/v1/cases", filed | other)["case"]
    return case


def audited(lead: SiteUnderTest) -> None:
    """Let the audit come to its next beat, and every view with it."""
    Audit(lead.parts.site).beat()
    lead.settle()


def findings(person: Person, query: str = "", *, reader: str = "program") -> list[dict[str, Any]]:
    """Return what the project manager sees, or the defender's observer (`defender`), newest first."""
    found: list[dict[str, Any]] = person.see(f"/v1/{reader}/findings{query}")["findings"]
    return found


def observed(ames: Person, query: str = "") -> list[dict[str, Any]]:
    """Return what the defender's observer sees, newest first."""
    return findings(ames, query, reader="defender")
