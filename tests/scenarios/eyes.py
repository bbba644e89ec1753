"""What someone can get to see: raw answers, headers included, of every question there is."""

from __future__ import annotations

import re

import httpx

from tests.site import Person

LISTS = (
    "/v1/me",
    "/v1/parties",
    "/v1/police/referrals",
    "/v1/police/bookings",
    "/v1/prosecutor/referrals",
    "/v1/court/referrals",
    "/v1/recipient/referrals",
    "/v1/case-manager/referrals?all=true",
    "/v1/program/referrals?all=true",
    "/v1/prosecutor/pending-cases",
    "/v1/prosecutor/pending-cases?only=shared",
    "/v1/prosecutor/decisions",
    "/v1/prosecutor/notices",
    "/v1/prosecutor/calendar",
    "/v1/prosecutor/warrants",
    "/v1/prosecutor/obligations",
    "/v1/police/warrants",
    "/v1/court/cases",
    "/v1/court/hearings",
    "/v1/court/warrants",
    "/v1/recipient/participants",
    "/v1/case-manager/caseload",
    "/v1/case-manager/caseload?team=true",
    "/v1/case-manager/tasks?team=true",
    "/v1/program/deadlines",
    "/v1/case-manager/covered",
    "/v1/case-manager/on-call",
    "/v1/program/funnel",
    "/v1/program/capacity",
    "/v1/program/health",
    "/v1/prosecutor/findings",
    "/v1/program/findings",
    "/v1/program/missed-diversions",
    *(f"/v1/{reader}/asks" for reader in ("police", "prosecutor", "court", "recipient", "counsel", "case-manager")),
    *(f"/v1/{reader}/concerns" for reader in ("defender", "counsel", "program")),
    "/v1/court/participants",
    "/v1/defender/diversions",
    "/v1/defender/decisions",
    "/v1/defender/participants",
    "/v1/defender/stops",
    "/v1/counsel/participants",
    "/v1/legal-services/participants",
    "/v1/privacy/participants",
    "/v1/participant",
    "/v1/participant/history",
    "/v1/participant/recipients",
    "/v1/participant/trace?party=city-pd",
)
OF_ONE = (
    "/v1/police/participants/{}",
    "/v1/prosecutor/participants/{}",
    "/v1/recipient/participants/{}",
    "/v1/case-manager/participants/{}",
    "/v1/court/participants/{}",
    "/v1/counsel/participants/{}",
    "/v1/counsel/participants/{}/trace?party=city-pd",
    "/v1/legal-services/participants/{}",
    "/v1/privacy/participants/{}",
    "/v1/privacy/participants/{}/trace?party=city-pd",
    "/v1/participants/{}/accounting",
)
_ID = re.compile(r"\b[a-z2-7]{26}\b")
_CHANGES = {"date"}


def raw(answer: httpx.Response) -> tuple[int, tuple[tuple[str, str], ...], bytes]:
    """Return an answer byte for byte: status, headers but the date, body."""
    headers = sorted((name, value) for name, value in answer.headers.items() if name not in _CHANGES)
    return answer.status_code, tuple(headers), answer.content


def everything(person: Person, *, lookups: tuple[dict[str, str], ...] = (), ids: tuple[str, ...] = ()) -> str:
    """Return all that a person gets by asking every question, about every id that any list gave away, and these."""
    answers = [person.get(path) for path in LISTS]
    answers += [
        person.client.post("/v1/police/lookups", json=lookup, headers={"Authorization": f"Bearer {person.token}"})
        for lookup in lookups
    ]
    known = dict.fromkeys([*ids, *(found for answer in answers for found in _ID.findall(answer.text))])
    answers += [person.get(path.format(one)) for one in known for path in OF_ONE]
    assert all(answer.status_code in (200, 403, 404) for answer in answers), [a.status_code for a in answers]
    return "\n".join(f"{answer.request.url}\n{raw(answer)}" for answer in answers)
