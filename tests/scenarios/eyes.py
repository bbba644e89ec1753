"""What someone can get to see: raw answers, headers included, of every question there is."""

from __future__ import annotations

import re
from collections.abc import Iterator

import httpx

from services.questions import FIGURES, LISTINGS
from tests.site import Person

LISTS = (
    "/v1/me",
    "/v1/parties",
    *(f"/v1/{each.path}" for each in LISTINGS),
    *(
        f"/v1/{each.path}?{each.choice.name}={value}"
        for each in LISTINGS
        if each.choice
        for value in each.choice.values or ("true",)
    ),
    "/v1/case-manager/on-call",
    *(f"/v1/{each.path}" for each in FIGURES),
    "/v1/program/health",
    "/v1/program/messages",
    "/v1/participant",
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
    "/v1/participants/{}/bundle",
    "/v1/defender/participants/{}/bundle",
    "/v1/participants/{}/as-of?party=city-pd",
)
_ID = re.compile(r"\b[a-z2-7]{26}\b")
_CHANGES = {"date"}


def raw(answer: httpx.Response) -> tuple[int, tuple[tuple[str, str], ...], bytes]:
    """Return an answer byte for byte: status, headers but the date, body."""
    headers = sorted((name, value) for name, value in answer.headers.items() if name not in _CHANGES)
    return answer.status_code, tuple(headers), answer.content


def everything(person: Person, *, lookups: tuple[dict[str, str], ...] = (), ids: tuple[str, ...] = ()) -> str:
    """Return all that a person gets by asking every question, about every id that any list gave away, and these.

    Of another reader's questions one is asked: that all of them are refused is tested elsewhere.
    """
    others: set[str] = set()

    def ask(path: str) -> Iterator[httpx.Response]:
        reader = path.split("/")[2]
        if reader not in others:
            answer = person.get(path)
            if answer.status_code == 403:
                others.add(reader)
            yield answer

    answers = [answer for path in LISTS for answer in ask(path)]
    answers += [
        person.client.post("/v1/police/lookups", json=lookup, headers={"Authorization": f"Bearer {person.token}"})
        for lookup in lookups
    ]
    known = dict.fromkeys([*ids, *(found for answer in answers for found in _ID.findall(answer.text))])
    answers += [answer for one in known for path in OF_ONE for answer in ask(path.format(one))]
    assert all(answer.status_code in (200, 403, 404) for answer in answers), [a.status_code for a in answers]
    return "\n".join(str(raw(answer)) for answer in answers)
