"""Whoever changes who may do what signs in as strongly as the site says: its provider then looks at device and risk."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from adapters.cli.doctor import examine
from adapters.http.commands import ADMINISTRATIVE
from adapters.settings import Settings
from tests.adapters.http.conftest import COMMANDS, example, problem
from tests.browser import Browser, provider_at
from tests.conftest import Database
from tests.openid import OpenId, openid
from tests.site import HURRIED, SiteUnderTest, running_site

pytestmark = pytest.mark.server

WATCHED = ("urn:county:device-and-risk", "urn:county:at-the-desk")
CHALLENGE = f'Bearer error="insufficient_user_authentication", max_age="600", acr_values="{" ".join(WATCHED)}"'
STAFF = "/v1/register/staff"


@pytest.fixture(scope="module")
def provider() -> Iterator[OpenId]:
    with openid() as running:
        running.subject = "pat"
        yield running


@pytest.fixture
def lead(site_db: Database, provider: OpenId) -> Iterator[SiteUnderTest]:
    access = HURRIED.model_copy(update={"recent_minutes": 10})
    with (
        closing(provider_at(provider, admin_acr_values=WATCHED)) as ours,
        running_site(site_db, access=access, provider=ours, admin_acr_values=WATCHED) as running,
    ):
        yield running


def newcomer() -> dict[str, Any]:
    return {"party": "lead-care", "name": "New", "role": "case_manager", "subject": uuid4().hex}


def test_a_bearer_of_another_strength_is_told_which(lead: SiteUnderTest) -> None:
    pat = lead.person("pat")
    for acr, age in ((None, 0), ("aal3", 0), (WATCHED[0].upper(), 0), (WATCHED[0], 11)):
        pat.token = lead.issuer.token("pat", acr=acr, age=timedelta(minutes=age))
        for command in ADMINISTRATIVE:
            path = COMMANDS[command.__name__][0].format(participant=uuid4())
            answer = pat.post(path, example(command.__name__))
            problem(answer, 401, "step-up-required")
            assert answer.headers["www-authenticate"] == CHALLENGE
    for acr in WATCHED:
        pat.token = lead.issuer.token("pat", acr=acr)
        pat.do(STAFF, newcomer())


def test_to_end_what_someone_may_do_needs_no_more_than_before(lead: SiteUnderTest) -> None:
    pat = lead.person("pat")
    pat.do("/v1/register/staff/endings", {"subject": "luis"})
    assert pat.post("/v1/sessions/endings", {"subject": "dana"}).status_code == 200


def test_a_browser_signs_in_anew_as_strongly(lead: SiteUnderTest, provider: OpenId) -> None:
    provider.acr = "aal2"
    pat = Browser(lead.base_url)
    strongly = "?again=true&administrative=true"
    for way in ("", "?again=true"):
        assert pat.sign_in(way).status_code == 303
        assert provider.asked[-1]["acr_values"] == "aal2 aal3"
        answer = pat.post(STAFF, newcomer())
        problem(answer, 401, "step-up-required")
        assert answer.headers["www-authenticate"] == CHALLENGE
        assert strongly in answer.json()["title"]
    assert pat.sign_in(strongly).status_code == 403  # the provider did no more than before
    problem(pat.post(STAFF, newcomer()), 401, "step-up-required")
    provider.acr = WATCHED[0]
    assert pat.sign_in(strongly).status_code == 303
    assert {name: provider.asked[-1][name] for name in ("acr_values", "prompt", "max_age")} == {
        "acr_values": " ".join(WATCHED),
        "prompt": "login",
        "max_age": "0",
    }
    assert pat.post(STAFF, newcomer()).status_code == 201
    with psycopg.connect(lead.parts.database.url) as owner:
        owner.execute("update access.session set authenticated_at = authenticated_at - interval '10 minutes'")
    problem(pat.post(STAFF, newcomer()), 401, "step-up-required")  # what was looked at then is not now
    assert pat.get("/v1/me").status_code == 200
    provider.acr = WATCHED[1]
    assert pat.sign_in().status_code == 303  # more than was asked for is enough
    assert pat.post(STAFF, newcomer()).status_code == 201
    provider.acr = "aal2"
    assert pat.sign_in("?again=true").status_code == 303
    problem(pat.post(STAFF, newcomer()), 401, "step-up-required")  # a session is as strong as its own sign-in


def test_doctor_says_where_nobody_looks(lead: SiteUnderTest, capsys: pytest.CaptureFixture[str]) -> None:
    given: dict[str, Any] = {"environment": "test", "prefix": lead.parts.database.prefix}
    provider = {"issuer": "https://i.example", "jwks_file": "keys.json"}
    for settings, says in (
        (given, False),
        (given | provider, True),
        (given | provider | {"admin_acr_values": ["a"]}, False),
    ):
        examine(lead.parts, Settings(**settings))
        assert ("GOLDENTHREAD_ADMIN_ACR_VALUES" in capsys.readouterr().out) is says
