"""Telemetry tells that something was done, never about whom: canaries in every text, looked for wherever we write."""

from __future__ import annotations

import json
import logging
import re
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import httpx
import psycopg
import pytest
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from pydantic import ValidationError

from adapters.cli.doctor import examine
from adapters.settings import Settings
from adapters.telemetry.logs import OURS, Sent
from domain.event import TOPICS, Envelope, Event
from services.care import RecordContact
from services.ports import NOBODY, Append
from services.site import COMMANDS as HANDLERS
from services.site import Command, Registered
from tests.adapters.http.conftest import COMMANDS, every_command, example, misread
from tests.adapters.kafka.messages import record
from tests.adapters.postgres.make_examples import path_of
from tests.adapters.test_metrics import MEASURED, measures, unknown
from tests.browser import SESSION, Browser, provider_at
from tests.conftest import Database
from tests.openid import openid
from tests.scenarios.eyes import everything
from tests.site import HURRIED, SiteUnderTest, running_site, searching

pytestmark = pytest.mark.server

CANARY = "kanarienvogel"
# What is looked up: a command with another text there is refused.
CLOSED = {
    *("code", "prosecutor", "exclusion", "exclusions", "rank", "party", "parties", "struck_out", "department", "court"),
    *(
        "charge",
        "participant",
        "case_manager",
        "staff",
        "counsel",
        "agency",
        "divertible",
        "override_ranks",
        "other",
        "by",
        "warned",
    ),
}
OPTIONAL: dict[str, dict[str, Any]] = {
    "OfferDiversion": {"charges": [example("OfferDiversion")["charges"][0] | {"criminal_history": "x"}]},
    "CompleteIntake": {"race_self": "x", "phone": "x"},
    "SignRoi": {"interpreter": "x"},
    "AmendRoi": {"interpreter": "x"},
    "RecordContact": {"location": "x", "current_use": "x", "health": "x"},
    "DecideCase": {"reason": "x", "note": "x"},
    "AdoptProtocol": {"protocol": example("AdoptProtocol")["protocol"] | {"access": HURRIED.model_dump()}},
}
OF_ITS_OWN = {
    "GiveAccess": {"subject": f"{CANARY} of the participant"},
    "RecordCall": {"incident_number": f"{CANARY} of the call"},
    "SetOnCall": {"name": example("SetOnCall")["name"]},  # a sign-in
    "EndOnCall": {"name": example("EndOnCall")["name"]},
}
"""Where the same text as another command's would name the same thing."""
OF_THE_TEST = ("httpx", "httpcore")
"""Whose loggers are the test's own client's."""
PEOPLE = ("kim", "ortiz", "webb", "dana", "noor", "chen", "marta", "pat", "ames", "judge", "patel", "shaw", "imani")
LOOKUP = {"given": f"{CANARY} given", "surname": f"{CANARY} surname", "birth_date": "1984-05-09"}


def planted(kind: type[Command | Event], value: Any) -> Any:
    """Return a body with a canary for every text that is free; the same name, the same canary."""

    def plant(holder: Any, key: Any, name: str) -> None:
        before = holder[key]
        if isinstance(before, dict | list):
            for inner in list(before) if isinstance(before, dict) else range(len(before)):
                plant(before, inner, inner if isinstance(inner, str) else name)
        elif isinstance(before, str) and name not in CLOSED:
            holder[key] = f"{CANARY} {name}"
            try:
                kind.model_validate_json(json.dumps(value))
            except ValidationError:  # a closed list, a date, a digest
                holder[key] = before

    for field in value:
        plant(value, field, field)
    return value


def body(name: str, **ids: Any) -> dict[str, Any]:
    found: dict[str, Any] = planted(COMMANDS[name][1], example(name) | OPTIONAL.get(name, {})) | ids
    return found | OF_ITS_OWN.get(name, {})


@contextmanager
def watched(
    site_db: Database, caplog: pytest.LogCaptureFixture, **other: Any
) -> Iterator[tuple[SiteUnderTest, InMemorySpanExporter, InMemoryMetricReader, InMemoryLogRecordExporter, Path | None]]:
    """Run a site whose telemetry is kept, at its most talkative; with its server's log, if on this machine."""
    for name in ["root", *logging.root.manager.loggerDict]:
        if not name.startswith(OF_THE_TEST):
            caplog.set_level(logging.DEBUG, logger=name)
    with psycopg.connect(site_db.owner_url) as owner:
        row = owner.execute("select setting from pg_settings where name = 'data_directory'").fetchone()
    log = Path(row[0]) / "server.log" if row else None
    exporter, metrics = InMemorySpanExporter(), InMemoryMetricReader()
    lines = InMemoryLogRecordExporter()  # type: ignore[no-untyped-call]
    sent = Sent(SimpleLogRecordProcessor(lines))
    with running_site(site_db, **other) as lead:
        lead.parts.spans._provider.add_span_processor(SimpleSpanProcessor(exporter))
        lead.parts.metrics._provider.add_metric_reader(metrics)
        logging.getLogger(OURS).addHandler(sent)
        try:
            yield lead, exporter, metrics, lines, log if log is not None and log.exists() else None
        finally:
            logging.getLogger(OURS).removeHandler(sent)


def told(span: ReadableSpan) -> str:
    """Return all that a span tells whoever it is exported to."""
    events = [(event.name, dict(event.attributes or {})) for event in span.events]
    state = span.context.trace_state if span.context else None
    return str((span.name, dict(span.attributes or {}), events, span.status.description, span.links, state))


def test_no_canary_is_heard(
    site_db: Database,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with watched(site_db, caplog) as (lead, exporter, metrics, lines, server_log):
        problems = say_and_ask_everything(lead, monkeypatch)
        plant_the_rest(lead)
        misread(lead, record("arrest.recorded", f"city-pd:{CANARY}", {"LeadDiversion": CANARY}))
        assert examine(lead.parts, Settings(environment="test", prefix=site_db.prefix)) is False  # it was set aside
        spans, measured = exporter.get_finished_spans(), list(measures(metrics))
    heard = {
        "spans": "\n".join(told(span) for span in spans),
        "metrics": "\n".join(map(str, measured)),
        "the log that is sent": "\n".join(line.to_json() for line in lines.get_finished_logs()),
        "logs": "\n".join(
            f"{record.getMessage()} {record.exc_text} {record.__dict__}"
            for record in caplog.records
            if not record.name.startswith(OF_THE_TEST)
        ),
        "the server's log": server_log.read_text(errors="replace") if server_log else "",
        "problems": "\n".join(problems),
        # The protocol's version is the site's own name of it, and of nobody.
        "what doctor prints": "".join(capsys.readouterr()).replace(f"protocol: {CANARY} version", "protocol:"),
    }
    for where, text in heard.items():
        found = text.casefold().find(CANARY)
        assert found < 0, (where, text[max(0, found - 300) : found + 300])
    assert unknown(measured) == set()
    assert {name for name, _ in measured} >= MEASURED - {"goldenthread.checkpoint.age"}  # nothing was sealed
    assert "RuntimeError at" in heard["logs"]
    assert "RuntimeError at" in heard["the log that is sent"]
    assert "seals: every leaf" in heard["what doctor prints"]
    assert len(problems) > 100


def plant_the_rest(lead: SiteUnderTest) -> None:
    """Record what no command here leaves with a canary: what agencies' streams, clocks and files tell."""
    envelope = Envelope(actor=None, role="service", agency=NOBODY, correlation_id=uuid4())
    for kind in TOPICS.values():
        if unplanted(lead, kind):
            example = json.loads(path_of(kind).read_text(encoding="utf-8"))["event"]
            told = kind.model_validate_json(json.dumps(planted(kind, example)))
            lead.parts.log.record([Append(uuid4(), 0, [told])], envelope)
    lead.settle()
    assert not [topic for topic, kind in TOPICS.items() if unplanted(lead, kind)]


def unplanted(lead: SiteUnderTest, kind: type[Event]) -> bool:
    """Return whether no event of a kind that has room for free text was recorded with a canary in it."""
    recorded = [r.event.model_dump(mode="json") for r in lead.parts.log.of_topics([kind.topic])]
    return CANARY not in json.dumps(recorded) and (not recorded or any(has_room(kind, each) for each in recorded))


def has_room(kind: type[Event], dumped: dict[str, Any]) -> bool:
    """Return whether some field of an event takes any text there is."""
    return CANARY in json.dumps(planted(kind, dumped))


def test_signing_in_tells_nobody_of_whom_or_with_what(site_db: Database, caplog: pytest.LogCaptureFixture) -> None:
    """Neither what a browser, the provider and we tell each other in secret, nor what anyone puts into an address."""
    with openid() as provider, closing(provider_at(provider)) as ours:
        with watched(site_db, caplog, provider=ours) as (lead, exporter, metrics, lines, server_log):
            browser, secrets = Browser(lead.base_url), list[str]()
            secrets.append(browser.begin(f"?return_to=/{CANARY}"))
            secrets += parse_qs(urlsplit(secrets[0]).query)["state"] + parse_qs(urlsplit(secrets[0]).query)["code"]
            secrets += [provider.asked[0]["nonce"], browser.cookies["__Host-sign-in"]]
            assert browser.finish(secrets[0]).status_code == 303
            browser.csrf = browser.get("/v1/sessions").json()["csrf_token"]
            secrets += [browser.cookies[SESSION], str(browser.csrf)]
            problems = [
                browser.post("/v1/asks", {}, {"X-CSRF-Token": CANARY}).text,
                browser.get(f"/sign-in/callback?state={CANARY}&error={CANARY}&error_description={CANARY}").text,
                Browser(lead.base_url, {SESSION: CANARY}).get("/v1/me").text,
                httpx.get(f"{lead.base_url}/v1/me", headers={"Authorization": f"Bearer {CANARY}"}).text,
                browser.post("/v1/sessions/endings", {"subject": CANARY}).text,
                browser.get("/v1/case-manager/caseload", {"X-Correlation-Id": CANARY, "Sec-Fetch-Site": CANARY}).text,
            ]
            ray = Browser(lead.base_url)
            dana = lead.person("dana")
            dana.do("/v1/referrals/without-arrest", example("ReferPerson"))
            provider.subject = CANARY
            problems.append(ray.sign_in().text)
            assert browser.post("/sign-out").status_code == 200
            spans, measured = exporter.get_finished_spans(), list(measures(metrics))
        heard = {
            "spans": "\n".join(told(span) for span in spans),
            "metrics": "\n".join(map(str, measured)),
            "the log that is sent": "\n".join(line.to_json() for line in lines.get_finished_logs()),
            "logs": "\n".join(r.getMessage() for r in caplog.records if not r.name.startswith(OF_THE_TEST)),
            "the server's log": server_log.read_text(errors="replace") if server_log else "",
            "problems": "\n".join(problems),
        }
    for where, text in heard.items():
        for secret in (CANARY, *secrets):
            assert secret not in text, (where, secret)
    for line in ("signed-in staff=", "signed-out staff=", "sign-in-refused why=", "refused=from-elsewhere method=POST"):
        assert line in heard["logs"], line
        assert line in heard["the log that is sent"], line


def say_and_ask_everything(lead: SiteUnderTest, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Let everyone say what can be said, and ask what can be asked; return the problems that they were answered."""
    problems: list[str] = []

    # Everything that can be said is said, and everything that can be asked is asked by everyone.
    every_command(lead, body)
    lead.settle()
    seen = {subject: everything(lead.person(subject), lookups=(LOOKUP,)) for subject in PEOPLE}
    for field in ("given", "narrative", "note", "current_use", "found_at", "reason", "explained_by", "text"):
        assert f"{CANARY} {field}" in seen["dana"], field  # they were planted, and are read by whom they are for

    # What is refused: an unknown field, a wrong role, an unknown id, a canary where none can be.
    people = [lead.person(subject) for subject in ("kim", "ortiz", "dana", "chen", "pat", "marta")]
    for name, (path, _) in COMMANDS.items():
        where = re.sub(r"{\w+}", "a" * 26, path)
        for person in people:
            for wrong in ({}, {"colour": f"{CANARY} colour"}, dict.fromkeys(body(name), f"{CANARY} {name}")):
                answer = person.post(where, body(name) | wrong)
                if answer.status_code != 201:
                    problems.append(answer.text)
    paths = (f"/v1/{CANARY}", f"/v1/case-manager/participants/{CANARY}", f"/v1/case-manager/caseload?cursor={CANARY}")
    problems += [lead.person("dana").get(path).text for path in paths]
    problems += [lead.person("dana").get("/v1/case-manager/caseload", **searching(f"{CANARY}\0")).text]
    for how in ("", ".csv", "/updates"):  # what is searched for is often a name
        assert lead.person("dana").get(f"/v1/case-manager/caseload{how}", **searching(CANARY)).status_code == 200

    # What nobody expected.
    def boom(*_: Any, **__: Any) -> Any:
        raise RuntimeError(CANARY)

    with monkeypatch.context() as broken:
        handlers: dict[Any, Any] = HANDLERS
        broken.setitem(handlers, RecordContact, Registered(boom, HANDLERS[RecordContact].roles))
        broken.setattr("services.questions.anyone.me", boom)
        answers = [
            lead.person("dana").post(f"/v1/participants/{'a' * 26}/contacts", body("RecordContact")),
            lead.person("dana").get("/v1/me"),
        ]
    assert [answer.status_code for answer in answers] == [500, 500]
    problems += [answer.text for answer in answers]

    return problems


def test_spans_of_request_command_and_projected_page(site_db: Database, caplog: pytest.LogCaptureFixture) -> None:
    with watched(site_db, caplog) as (lead, exporter, _, _, _):
        follow(lead, exporter)


def follow(lead: SiteUnderTest, exporter: InMemorySpanExporter) -> None:
    correlation = str(uuid4())
    traceparent = f"00-{uuid4().hex}-{'1' * 16}-01"
    lead.settle()
    exporter.clear()
    lead.person("kim").post(
        "/v1/referrals",
        example("OfferDiversion"),
        **{"traceparent": traceparent, "X-Correlation-Id": correlation},
    )
    lead.settle()
    lead.person("kim").get(f"/v1/police/participants/{'a' * 26}")
    lead.person("kim").get("/nowhere")
    end = time.monotonic() + 10
    while "GET unrouted" not in {span.name for span in exporter.get_finished_spans()}:  # a span ends after its answer
        assert time.monotonic() < end, "the last request has no span"
        time.sleep(0.005)
    spans = {span.name: span for span in exporter.get_finished_spans()}
    request, command = spans["POST /v1/referrals"], spans["command OfferDiversion"]
    assert request.attributes is not None
    assert dict(request.attributes) == {
        "http.request.method": "POST",
        "http.route": "/v1/referrals",
        "http.response.status_code": 201,
        "goldenthread.role": "officer",
    }
    assert request.context is not None
    assert command.context is not None
    assert command.parent is not None
    assert command.parent.span_id == request.context.span_id
    assert f"{request.context.trace_id:032x}" == traceparent.split("-")[1]
    assert "GET /v1/police/participants/{participant}" in spans
    pages = [span for span in exporter.get_finished_spans() if span.name == "project"]
    assert {dict(span.attributes or {})["goldenthread.view"] for span in pages} >= {"police", "case_manager"}

    # The events carry the request's correlation and trace, so that a person's report finds what happened.
    (offered,) = lead.parts.log.of_topics(["referral.offered"])
    assert str(offered.envelope.correlation_id) == correlation
    assert offered.envelope.traceparent is not None
    assert traceparent.split("-")[1] in offered.envelope.traceparent
