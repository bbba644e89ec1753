"""The OpenAPI document: valid, its examples taken by the application itself, and no input that breaks it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import jsonschema_rs
import psycopg
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from schemathesis.specs.openapi.definitions import OPENAPI_31_VALIDATOR

from domain.registry import Role
from services.site import COMMANDS as HANDLERS
from tests.adapters.http.conftest import COMMANDS, every_command, example
from tests.conftest import Database
from tests.scenarios import ray as story
from tests.site import SiteUnderTest, running_site

pytestmark = pytest.mark.server

EXAMPLES = int(os.environ.get("GOLDENTHREAD_SCHEMATHESIS_EXAMPLES", "2"))
SEED = int(os.environ.get("GOLDENTHREAD_SCHEMATHESIS_SEED", "1"))
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
PARTIES = ("city-pd", "transit-pd", "county-pa", "housing-co", "lead-care", "lead-program")


@pytest.fixture(scope="module")
def document(lead: SiteUnderTest) -> dict[str, Any]:
    """The document, as the application serves it."""
    found: dict[str, Any] = requests.get(f"{lead.base_url}/openapi.json", timeout=10).json()
    return found


def test_the_document_is_openapi_3_1(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1.")
    OPENAPI_31_VALIDATOR.validate(document)
    for schema in document["components"]["schemas"].values():
        jsonschema_rs.meta.validate(schema | {"$schema": "https://json-schema.org/draft/2020-12/schema"})
    ids = [operation["operationId"] for path in document["paths"].values() for operation in path.values()]
    assert len(set(ids)) == len(ids)


def test_every_command_is_documented_with_an_example(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    for name, (path, kind) in COMMANDS.items():
        (shown,) = schemas[name]["examples"]
        kind.model_validate_json(json.dumps(shown))
        operation = document["paths"][path]["post"]
        assert operation["summary"]
        assert {"201", "400", "401", "403", "404", "412", "413", "422", "503"} <= set(operation["responses"])
    assert schemas["Lookup"]["examples"]


def test_the_application_takes_every_example(site_db: Database) -> None:
    with running_site(site_db) as fresh:
        every_command(fresh, example)


# Schemathesis, role by role ------------------------------------------------------------------------------------------

PREFIX = {
    Role.OFFICER: "/v1/police/",
    Role.CASE_MANAGER: "/v1/case-manager/",
    Role.LIAISON_PROSECUTOR: "/v1/prosecutor/",
    Role.COURT_OFFICER: "/v1/court/",
    Role.RECIPIENT_CONTACT: "/v1/recipient/",
    Role.DEFENDER_OBSERVER: "/v1/defender/",
    Role.COUNSEL: "/v1/counsel/",
    Role.LEGAL_SERVICES: "/v1/legal-services/",
    Role.PRIVACY_OFFICER: "/v1/privacy/",
    Role.PARTICIPANT: "/v1/participant",  # its own, and its accounting
    Role.PROJECT_MANAGER: "/v1/program/",
}
SUBJECT = {
    Role.OFFICER: "kim",
    Role.CASE_MANAGER: "dana",
    Role.LIAISON_PROSECUTOR: "chen",
    Role.COURT_OFFICER: "judge",
    Role.RECIPIENT_CONTACT: "marta",
    Role.DEFENDER_OBSERVER: "ames",
    Role.COUNSEL: "patel",
    Role.LEGAL_SERVICES: "shaw",
    Role.PRIVACY_OFFICER: "imani",
    Role.PARTICIPANT: "fay",
    Role.PROJECT_MANAGER: "pat",  # last: it may adopt any protocol
}
ASKS_ALL = Role.RECIPIENT_CONTACT
"""Who also asks and sends what is another's: the answer is the same to all."""


def ids_of(lead: SiteUnderTest, ray: story.Ray, role: Role) -> dict[str, list[str]]:
    """Return ids that mean something to someone of this role, by the name of the parameter or field."""
    site = lead.parts.site
    person = site.directory.by_subject(SUBJECT[role])
    assert person is not None

    def sealed(party: str, *texts: str) -> list[str]:
        opened = (site.ids.open(site.directory.by_code(party, "party").id, text) for text in texts)
        return [site.ids.seal(person.party, value) for value in opened if value is not None]

    cases = [row["case_id"] for row in ray.chen.see("/v1/prosecutor/pending-cases")["cases"]]
    return {
        "participant": sealed("city-pd", ray.participant),
        "referral": sealed("city-pd", ray.referral),
        "charge": sealed("city-pd", ray.charge),
        "roi": sealed("lead-care", ray.roi),
        "item": sealed("lead-care", ray.roi),
        "case": sealed("county-pa", *cases),
    }


@pytest.fixture(scope="module")
def crowd(lead: SiteUnderTest) -> story.Ray:
    """Ray enrolled, in touch, with a case of his, and able to sign in."""
    ray = story.arrest(lead)
    story.enrol(ray)
    ray.at("2026-03-18 12:00")
    ray.chen.do("/v1/cases", example("FileCase", docket="26-9", participant=ray.offices_id()))
    ray.dana.do(f"/v1/participants/{ray.care}/access", {"subject": "fay"})
    ray.dana.do(f"/v1/participants/{ray.care}/counsel", example("AuthoriseCounsel"))
    lead.settle()
    return ray


# Schemathesis draws from `random` within its strategies, which Hypothesis does not like.
@pytest.mark.filterwarnings("ignore::hypothesis.errors.HypothesisDeprecationWarning")
@pytest.mark.parametrize("role", list(SUBJECT))
def test_no_input_breaks_it(lead: SiteUnderTest, crowd: story.Ray, role: Role) -> None:
    schema = schemathesis.openapi.from_url(f"{lead.base_url}/openapi.json")
    session = requests.Session()
    session.headers["Authorization"] = f"Bearer {lead.person(SUBJECT[role]).token}"
    known = ids_of(lead, crowd, role)
    seen: set[int] = set()
    failures: list[str] = []
    for result in schema.get_all_operations():
        assert isinstance(result, Ok), result
        operation = result.ok()
        name = operation.definition.raw.get("operationId")
        mine = (
            role in HANDLERS[COMMANDS[name][1]].roles if name in COMMANDS else operation.path.startswith(PREFIX[role])
        )
        if not mine and role is not ASKS_ALL:
            continue
        for mode in GenerationMode:
            if mode is GenerationMode.NEGATIVE and not (mine and (list(operation.iter_parameters()) or operation.body)):
                continue  # nothing that could be wrong, or nothing that would be looked at
            strategy, sent = operation.as_strategy(generation_mode=mode), list[Case[Any]]()
            budget = max(1, EXAMPLES // 3 if operation.path.endswith((".csv", "/updates")) else EXAMPLES) if mine else 1

            @seed(SEED)
            @settings(
                max_examples=budget,
                phases=[Phase.generate],
                database=None,
                deadline=None,
                suppress_health_check=list(HealthCheck),
            )
            @given(case=strategy, data=st.data())
            def send(case: Case[Any], data: st.DataObject) -> None:
                if mode is GenerationMode.POSITIVE and not sent and name in COMMANDS:  # noqa: B023 - called within
                    case.body, case.headers["Idempotency-Key"] = example(name), str(uuid4())  # noqa: B023
                    case.headers.pop("If-Match", None)
                    for parameter in case.path_parameters or {}:
                        case.path_parameters[parameter] = (known.get(parameter) or [case.path_parameters[parameter]])[0]
                else:
                    fill(case, data, known, name)  # noqa: B023
                sent.append(case)  # noqa: B023
                response = case.call(session=session)
                seen.add(response.status_code)
                try:
                    case.validate_response(response, checks=CHECKS)
                except FailureGroup as found:  # not raised: a site is no function of its input, and a replay differs
                    failures.append(f"{found}\n" + "\n".join(str(e) for e in found.exceptions))

            send()
    assert not failures, "\n\n".join(failures[:5])
    assert seen >= {200, 422}
    assert 201 in seen or not any(role in HANDLERS[kind].roles for _, kind in COMMANDS.values())
    assert 403 in seen or role is not ASKS_ALL
    lead.settle()
    with psycopg.connect(lead.parts.database.url) as owner:  # whom a view could not compute
        assert owner.execute("select view, error from log.parked").fetchall() == []


def fill(case: Case[Any], data: st.DataObject, known: dict[str, list[str]], name: str) -> None:
    """Put ids that mean something where ids go, mostly; begin from the documentation's example, half the time."""
    for parameter in case.path_parameters or {}:
        if known.get(parameter) and data.draw(st.integers(0, 4)):
            case.path_parameters[parameter] = data.draw(st.sampled_from(known[parameter]))
    if data.draw(st.booleans()):
        case.headers.pop("If-Match", None)
    if "Idempotency-Key" in case.headers and data.draw(st.integers(0, 4)):
        case.headers["Idempotency-Key"] = str(uuid4())
    if name in COMMANDS and isinstance(case.body, dict) and data.draw(st.booleans()):
        whole = example(name)
        changed = data.draw(st.lists(st.sampled_from(sorted(case.body) or ["-"]), max_size=2))
        case.body = whole | {key: case.body[key] for key in changed if key in case.body}
    for holder in holders(case.body):
        for field in ("participant", "charge"):
            if isinstance(holder.get(field), str) and data.draw(st.integers(0, 4)):
                holder[field] = data.draw(st.sampled_from(known[field]))
        for field in ("party", "prosecutor"):
            if isinstance(holder.get(field), str) and data.draw(st.booleans()):
                holder[field] = data.draw(st.sampled_from(PARTIES))


def holders(value: Any) -> Iterator[dict[str, Any]]:
    """Yield every object within a body."""
    if isinstance(value, dict):
        yield value
        for inner in value.values():
            yield from holders(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from holders(inner)
