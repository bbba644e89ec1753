"""Bad input: a problem that names the field and the way out, and nothing recorded."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from adapters.http.app import create_app
from adapters.http.commands import ROUTES
from adapters.http.signin import SignIn
from adapters.identity.issuer import DemoIssuer
from adapters.settings import Settings
from adapters.simulation.cast import STAFF
from domain import registry
from domain.registry import Role
from services.directory import Directory
from services.doors import DOOR_OF
from services.site import COMMANDS as HANDLERS
from tests.adapters.http.conftest import COMMANDS, example, path_of, problem, unrecorded
from tests.scenarios import ray as story
from tests.scenarios.eyes import raw
from tests.site import Person, SiteUnderTest

pytestmark = pytest.mark.server

FUTURE = "2026-03-19T00:00:00-07:00"  # the site stands at noon of 18 March
LONG_AGO = "1899-12-31T00:00:00Z"
UNKNOWN_ID = "a" * 26
OFFER = example("OfferDiversion")
CHARGE = OFFER["charges"][0]
CASE = example("FileCase")
ROI = example("SignRoi")
GRANT = ROI["grants"][0]


def charge(**other: Any) -> dict[str, Any]:
    return {"charges": [CHARGE | other]}


def grant(**other: Any) -> dict[str, Any]:
    return {"grants": [GRANT | other]}


REFUSED: list[tuple[str, str, dict[str, Any], str, str]] = [
    # who, command, what is wrong with its example, the problem, the field that it names
    ("kim", "OfferDiversion", {"colour": "red"}, "invalid-input", "colour"),
    ("kim", "OfferDiversion", {"person": {**OFFER["person"], "ssn": "1"}}, "invalid-input", "person.ssn"),
    ("kim", "OfferDiversion", {"place": 7}, "invalid-input", "place"),
    ("kim", "OfferDiversion", {"place": None}, "invalid-input", "place"),
    ("kim", "OfferDiversion", {"place": " "}, "invalid-input", "place"),
    ("kim", "OfferDiversion", {"place": "x" * 201}, "invalid-input", "place"),
    ("kim", "OfferDiversion", {"place": "Pine\0St"}, "invalid-input", "place"),
    ("kim", "OfferDiversion", {"place": "\ud800"}, "invalid-input", "place"),
    ("kim", "OfferDiversion", {"facts": "x\0"}, "invalid-input", "facts"),
    ("kim", "OfferDiversion", {"person": "Ray Bell"}, "invalid-input", "person"),
    ("kim", "OfferDiversion", {"door": "back"}, "invalid-input", "door"),
    ("kim", "OfferDiversion", {"charges": []}, "invalid-input", "charges"),
    ("kim", "OfferDiversion", {"charges": [CHARGE] * 21}, "invalid-input", "charges"),
    ("kim", "OfferDiversion", {"place": 10**400}, "invalid-input", "place"),
    ("kim", "OfferDiversion", charge(code="999"), "refused", "charges[0].code"),
    ("kim", "OfferDiversion", charge(exclusions=["red hair"]), "refused", "charges[0].exclusions"),
    ("kim", "OfferDiversion", charge(prosecutor="nobody"), "refused", "charges[0].prosecutor"),
    ("kim", "OfferDiversion", charge(prosecutor="housing-co"), "refused", "charges[0].prosecutor"),
    ("kim", "OfferDiversion", {"offered_at": FUTURE}, "refused", "offered_at"),
    ("kim", "OfferDiversion", {"offered_at": LONG_AGO}, "refused", "offered_at"),
    ("kim", "OfferDiversion", {"offered_at": "2026-02-30T00:00:00Z"}, "invalid-input", "offered_at"),
    ("kim", "OfferDiversion", {"offered_at": "2026-02-14T02:10:00"}, "invalid-input", "offered_at"),
    ("kim", "OfferDiversion", {"offered_at": "0001-01-01T00:00:00+14:00"}, "refused", "offered_at"),
    ("kim", "OfferDiversion", {"offered_at": "9999-12-31T23:59:59-14:00"}, "refused", "offered_at"),
    ("kim", "OfferDiversion", {"agreed_at": "2026-03-01T00:00:00Z"}, "refused", "agreed_at"),
    (
        "kim",
        "OfferDiversion",
        {"person": OFFER["person"] | {"birth_date": "2026-03-19"}},
        "refused",
        "person.birth_date",
    ),
    (
        "kim",
        "OfferDiversion",
        {"person": OFFER["person"] | {"birth_date": "1899-12-31"}},
        "refused",
        "person.birth_date",
    ),
    ("kim", "OfferDiversion", {"participant": str(UUID(int=7))}, "refused", "participant"),
    ("kim", "OfferDiversion", {"participant": ""}, "refused", "participant"),
    ("kim", "OfferDiversion", {"participant": "\ud800"}, "refused", "participant"),
    ("ortiz", "OverrideExclusion", {"charge": "nothing of mine"}, "refused", "charge"),
    ("ortiz", "OverrideExclusion", {}, "refused", "exclusion"),
    ("kim", "RecordRelease", {"released_at": FUTURE}, "refused", "released_at"),
    (
        "kim",
        "RecordRelease",
        {"in_presence_of_codefendants": "perhaps"},
        "invalid-input",
        "in_presence_of_codefendants",
    ),
    ("kim", "AgreeExtension", {}, "refused", "referral"),
    ("kim", "AgreeExtension", {"until": "9999-12-31"}, "refused", "until"),
    ("dana", "RecordHandoff", {"requested_at": FUTURE}, "refused", "requested_at"),
    ("dana", "RecordHandoff", {}, "refused", "met_at"),
    ("dana", "AcceptReferral", {}, "refused", "accepted_at"),
    ("dana", "RequestExtension", {"until": "2026-03-16"}, "refused", "until"),
    ("dana", "RequestExtension", {"until": "9999-12-31"}, "refused", "until"),
    ("dana", "RequestExtension", {"requested_at": LONG_AGO}, "refused", "requested_at"),
    ("dana", "CompleteIntake", {"document_sha256": "x"}, "invalid-input", "document_sha256"),
    ("dana", "CompleteIntake", {"completed_at": FUTURE}, "refused", "completed_at"),
    ("dana", "CompleteIntake", {}, "refused", "completed_at"),
    ("dana", "AssignParticipant", {"case_manager": "kim"}, "refused", "case_manager"),
    ("dana", "AssignParticipant", {"case_manager": "nobody"}, "refused", "case_manager"),
    ("dana", "SignRoi", {"signed_at": FUTURE}, "refused", "signed_at"),
    ("dana", "SignRoi", {"signed_at": "2026-03-14T09:00:00Z"}, "refused", "signed_at"),
    ("dana", "SignRoi", {"expires_on": "2026-03-17"}, "refused", "expires_on"),
    ("dana", "SignRoi", {"expires_on": "2028-01-01"}, "refused", "expires_on"),
    ("dana", "SignRoi", {"expires_on": "9999-12-31"}, "refused", "expires_on"),
    ("dana", "SignRoi", {"expires_on": "0001-01-01"}, "refused", "expires_on"),
    ("dana", "SignRoi", {"struck_out": ["nobody"]}, "refused", "struck_out[0]"),
    ("dana", "SignRoi", {"struck_out": ["city-pd"]}, "refused", "grants[0].party"),
    ("dana", "SignRoi", {"warned": ["nobody"]}, "refused", "warned[0]"),
    ("dana", "SignRoi", grant(party="lead-care"), "refused", "grants[0].party"),
    ("dana", "SignRoi", {"grants": [GRANT, GRANT]}, "refused", "grants[1].party"),
    ("dana", "SignRoi", grant(labels=["contact.note"]), "refused", "grants[0].labels"),
    ("dana", "SignRoi", grant(labels=["everything"]), "invalid-input", "grants[0].labels[0]"),
    ("dana", "SignRoi", grant(covers_from="0001-01-01T00:00:00+14:00"), "refused", "grants[0].covers_from"),
    ("dana", "SignRoi", grant(covers_from=FUTURE), "refused", "grants[0].covers_from"),
    ("dana", "RevokeRoi", {"parties": []}, "invalid-input", "parties"),
    ("dana", "RevokeRoi", {"parties": ["nobody"]}, "refused", "parties[0]"),
    ("dana", "RevokeRoi", {"word_of": "a neighbour"}, "invalid-input", "word_of"),
    ("dana", "ConsentItem", {"counsel_offered": False}, "refused", "counsel_offered"),
    ("dana", "ConsentItem", {"expires_on": "9999-12-31"}, "refused", "expires_on"),
    ("dana", "ConsentItem", {"expires_on": "2026-03-17"}, "refused", "expires_on"),
    ("dana", "ConsentItem", {"labels": ["contact.note"]}, "refused", "labels"),
    ("dana", "ConsentItem", {"text": "He relapsed."}, "refused", "text"),
    ("dana", "RecordContact", {"kind": "duel"}, "invalid-input", "kind"),
    ("dana", "RecordContact", {"met_at": FUTURE}, "refused", "met_at"),
    ("dana", "MakeShare", {"party": "transit-pd"}, "refused", "party"),
    ("dana", "MakeShare", {"party": "public-defense"}, "refused", "labels"),
    ("dana", "MakeShare", {"party": "lead-legal"}, "refused", "party"),
    ("dana", "MakeShare", {"labels": []}, "refused", "labels"),
    ("dana", "MakeShare", {"labels": ["substance.current"]}, "refused", "labels"),
    ("dana", "MakeShare", {"text": "He is doing great."}, "refused", "text"),
    ("dana", "GiveAccess", {"subject": "dana"}, "refused", "subject"),
    ("dana", "AgreePlan", {"agreed_at": FUTURE}, "refused", "agreed_at"),
    ("dana", "AgreePlan", {"review_on": "2026-03-17"}, "refused", "review_on"),
    ("dana", "AddToPlan", {"kind": "sanction"}, "invalid-input", "kind"),
    ("dana", "AddToPlan", {"text": "x" * 181}, "invalid-input", "text"),
    ("dana", "AddToPlan", {"dimension": None}, "refused", "dimension"),
    ("dana", "AddToPlan", {"goal": UNKNOWN_ID}, "refused", "goal"),
    ("dana", "AddToPlan", {"kind": "progress", "goal": "x"}, "refused", "goal"),
    ("dana", "EndGoal", {"how": "failed"}, "invalid-input", "how"),
    ("dana", "EndGoal", {}, "refused", "goal"),
    ("dana", "MakeReport", {"working": False}, "refused", "nothing_helpful"),
    ("dana", "MakeReport", {"nothing_helpful": True}, "refused", "nothing_helpful"),
    ("dana", "MakeReport", {"entries": [UNKNOWN_ID]}, "refused", "entries[0]"),
    ("dana", "MakeReport", {"party": "transit-pd"}, "refused", "working"),
    ("dana", "UseFunds", {"cents": 0}, "invalid-input", "cents"),
    ("dana", "UseFunds", {"other_pools": []}, "refused", "other_pools"),
    ("dana", "UseFunds", {"waitlist": "puts somebody behind"}, "refused", "waitlist"),
    ("dana", "UseFunds", {"purpose": "bail"}, "refused", "purpose"),
    ("dana", "RecordActivity", {"status": "failed"}, "invalid-input", "status"),
    ("dana", "RecordActivity", {"since": FUTURE}, "refused", "since"),
    ("dana", "RecordActivity", {"since": "2026-03-14T09:00:00Z"}, "refused", "since"),
    ("dana", "DischargeParticipant", {"ground": "capacity"}, "invalid-input", "ground"),
    ("dana", "DischargeParticipant", {"ground": "threat or harm to staff"}, "refused", "ground"),
    ("dana", "ReturnParticipant", {}, "refused", "participant"),
    ("noor", "RecordDeath", {"died_at": FUTURE}, "refused", "died_at"),
    ("dana", "RecordAlias", {"alias": " "}, "invalid-input", "alias"),
    ("dana", "CorrectName", {"birth_date": "2026-03-19"}, "refused", "birth_date"),
    ("dana", "ChangePhone", {"since": FUTURE}, "refused", "since"),
    ("noor", "MergeRecords", {"other": "x"}, "refused", "other"),
    ("noor", "UnmergeRecords", {}, "refused", "participant"),
    ("noor", "ReviewMatch", {"why": " "}, "invalid-input", "why"),
    ("noor", "UnlinkRecord", {"why": " "}, "invalid-input", "why"),
    ("noor", "PlaceHold", {"ground": "because"}, "invalid-input", "ground"),
    ("noor", "PlaceHold", {"case": "x"}, "refused", "case"),
    ("noor", "LiftHold", {"why": "x"}, "invalid-input", "why"),
    ("noor", "ReceiveOrder", {"ordered_on": "2099-01-01"}, "refused", "ordered_on"),
    ("noor", "ReceiveOrder", {"cases": ["x"]}, "refused", "cases[0]"),
    ("imani", "SuspendAccounting", {"agency": "nobody"}, "refused", "agency"),
    ("imani", "SuspendAccounting", {"agency": "housing-co"}, "refused", "agency"),
    ("imani", "SuspendAccounting", {"agency": "probation"}, "refused", "agency"),
    ("imani", "SuspendAccounting", {"capacity": "health oversight"}, "refused", "agency"),
    ("imani", "SuspendAccounting", {"capacity": "a friend"}, "invalid-input", "capacity"),
    ("imani", "SuspendAccounting", {"official": " "}, "invalid-input", "official"),
    ("imani", "SuspendAccounting", {"statement": "rumour"}, "invalid-input", "statement"),
    ("imani", "SuspendAccounting", {"stated_on": "2026-03-19"}, "refused", "stated_on"),
    ("imani", "SuspendAccounting", {"until": "2026-03-17"}, "refused", "until"),
    ("imani", "SuspendAccounting", {"until": "9999-12-31"}, "refused", "until"),
    ("imani", "SuspendAccounting", {"artefact_sha256": None}, "refused", "artefact_sha256"),
    ("imani", "SuspendAccounting", {"artefact_sha256": "x"}, "invalid-input", "artefact_sha256"),
    ("imani", "SuspendAccounting", {"statement": "oral"}, "refused", "until"),
    ("imani", "ResumeAccounting", {}, "refused", "agency"),
    ("imani", "ResumeAccounting", {"agency": "nobody"}, "refused", "agency"),
    ("chen", "FileCase", {"filed_on": "2026-01-19"}, "refused", "filed_on"),
    ("chen", "FileCase", {"filed_on": "2026-03-19"}, "refused", "filed_on"),
    ("chen", "FileCase", {"offense_on": "1899-12-31"}, "refused", "offense_on"),
    ("chen", "FileCase", {"arrested_on": "2026-01-19"}, "refused", "arrested_on"),
    ("chen", "FileCase", {"received_at": FUTURE}, "refused", "received_at"),
    ("chen", "FileCase", {"participant": str(uuid4())}, "refused", "participant"),
    ("chen", "DecideCase", {"source": "a hunch"}, "invalid-input", "source"),
    ("chen", "AnswerFinding", {"source": "a hunch"}, "invalid-input", "source"),
    ("kim", "RecordBooking", {"participant": str(UUID(int=7))}, "refused", "participant"),
    ("brooks", "AllegeViolation", {"participant": str(UUID(int=7))}, "refused", "participant"),
    ("brooks", "AllegeViolation", {"condition": "bad company"}, "invalid-input", "condition"),
    ("kim", "RecordArrest", {"arrested_at": FUTURE}, "refused", "arrested_at"),
    ("kim", "RecordArrest", {"reason": "he was rude"}, "invalid-input", "reason"),
    ("dana", "RecordCall", {"department": "housing-co"}, "refused", "department"),
    ("dana", "RecordCall", {"offered_at": FUTURE}, "refused", "offered_at"),
    ("dana", "RecordCall", {"charges": []}, "invalid-input", "charges"),
    ("kim", "SendReport", {}, "refused", "referral"),
    ("kim", "ReferPerson", {"birth_date": "2026-03-19"}, "refused", "birth_date"),
    ("kim", "ReferPerson", {"participant": "x"}, "refused", "participant"),
    ("kim", "ReferPerson", {"reason": " "}, "invalid-input", "reason"),
    ("kim", "VetReferral", {"codes": []}, "invalid-input", "codes"),
    ("kim", "VetReferral", {"codes": ["animal", "felon"]}, "invalid-input", "codes[1]"),
    ("kim", "VetReferral", {"note": "Two prior arrests"}, "refused", "note"),
    ("dana", "ScreenReferral", {}, "refused", "referral"),
    ("dana", "DeclineReferral", {}, "refused", "referral"),
    ("dana", "DeclineReferral", {"how": "failed"}, "invalid-input", "how"),
    ("dana", "DeclineReferral", {"reason": "criminal history"}, "invalid-input", "reason"),
    ("pat", "TakeMessageAgain", {"why": " "}, "invalid-input", "why"),
    ("pat", "DropMessage", {"why": "x" * 2001}, "invalid-input", "why"),
    ("pat", "RegisterParty", {"code": "Sunrise!"}, "invalid-input", "code"),
    ("pat", "RegisterParty", {"code": "city-pd"}, "refused", "code"),
    ("pat", "RegisterStaff", {"party": "housing-co"}, "refused", "role"),
    ("pat", "RegisterStaff", {"subject": "kim"}, "refused", "subject"),
]


@pytest.mark.parametrize(("who", "name", "wrong", "kind", "field"), REFUSED)
def test_bad_input_names_the_field(
    lead: SiteUnderTest, ray: story.Ray, who: str, name: str, wrong: dict[str, Any], kind: str, field: str
) -> None:
    path = path_of(ray, name, whose={"kim": "police", "ortiz": "police", "imani": "program"}.get(who, "care"))
    body = json.dumps(example(name, **wrong))
    if name == "OverrideExclusion" and not wrong:
        body = json.dumps(example(name, charge=ray.charge))
    with unrecorded(lead):
        problem(send(lead.person(who), path, body), 422, kind, field)


@pytest.mark.parametrize(
    "wrong",
    [
        {"zone": "Atlantis/Central"},
        {"zone": "../../etc/passwd"},
        {"zone": "UTC\0"},
        {"caseload_most": 26},
        {"intake_days": 10**12},
        {"roi_days_most": 10**30},
        {"handoff_minutes": -1},
        {"version": "P-7"},
    ],
)
def test_no_protocol_that_would_break_the_site(lead: SiteUnderTest, ray: story.Ray, wrong: dict[str, Any]) -> None:
    body = {"protocol": example("AdoptProtocol")["protocol"] | wrong}
    (field,) = (f"protocol.{name}" for name in wrong)
    kind = "refused" if field == "protocol.version" else "invalid-input"
    with unrecorded(lead):
        problem(lead.person("pat").post("/v1/register/protocols", body), 422, kind, field)


@pytest.mark.parametrize("name", ["RecordContact", "MakeShare", "RevokeRoi", "AcceptReferral"])
@pytest.mark.parametrize(
    ("text", "status", "kind"),
    [(UNKNOWN_ID, 404, "nothing-here"), (str(UUID(int=9)), 422, "refused"), ("x", 422, "refused")],
)
def test_an_id_that_is_none(lead: SiteUnderTest, ray: story.Ray, name: str, text: str, status: int, kind: str) -> None:
    path = COMMANDS[name][0].format(referral=text, participant=text, roi=ray.roi)
    field = "referral" if name == "AcceptReferral" else "participant"
    with unrecorded(lead):
        answer = ray.dana.post(path, example(name))
        problem(answer, status, kind, *([field] if status == 422 else []))


def test_another_partys_id_is_nobodys(lead: SiteUnderTest, ray: story.Ray) -> None:
    with unrecorded(lead):
        mine, theirs = ray.care, ray.participant
        problem(ray.dana.post(f"/v1/participants/{theirs}/contacts", example("RecordContact")), 404, "nothing-here")
        problem(ray.kim.post("/v1/referrals", OFFER | {"participant": mine}), 404, "nothing-here")
        webb = lead.person("webb")  # of the other department
        agree = f"/v1/referrals/{ray.referral}/extension-agreements"
        problem(webb.post(agree, example("AgreeExtension")), 404, "nothing-here")
        problem(ray.chen.post(f"/v1/cases/{ray.charge}/decisions", example("DecideCase")), 404, "nothing-here")
        problem(ray.dana.get(f"/v1/case-manager/participants/{theirs}"), 404, "nothing-here")
        problem(ray.dana.get(f"/v1/participants/{theirs}/accounting"), 404, "nothing-here")


# What cannot be read -------------------------------------------------------------------------------------------------


def send(person: Person, path: str, body: bytes | str | Iterator[bytes], **headers: str) -> httpx.Response:
    sent = {
        "Authorization": f"Bearer {person.token}",
        "Idempotency-Key": str(uuid4()),
        "Content-Type": "application/json",
    }
    return person.client.post(path, content=body, headers=sent | headers)


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"\xff\xfe\x00",
        b'{"place": "\xe9"}',
        b"[" * 100_000,
        b'{"a":' * 50_000,
        b"9" * 5000,
        b'{"place": "a\nb"}',
        b"NaN,",
    ],
)
def test_what_is_no_json(lead: SiteUnderTest, ray: story.Ray, body: bytes) -> None:
    with unrecorded(lead):
        problem(send(ray.kim, "/v1/referrals", body), 400, "malformed", "body")


@pytest.mark.parametrize("body", [b"", b"null", b"[]", b'"a"', b"NaN", b"1e999"])
def test_what_is_no_object(lead: SiteUnderTest, ray: story.Ray, body: bytes) -> None:
    with unrecorded(lead):
        problem(send(ray.kim, "/v1/referrals", body), 422, "invalid-input", "body")


def test_what_is_no_json_by_its_type(lead: SiteUnderTest, ray: story.Ray) -> None:
    with unrecorded(lead):
        answer = send(ray.kim, "/v1/referrals", json.dumps(OFFER), **{"Content-Type": "text/plain"})
        problem(answer, 422, "invalid-input", "body")


def test_surrogates_in_the_names_of_fields(lead: SiteUnderTest, ray: story.Ray) -> None:
    with unrecorded(lead):
        answer = send(ray.kim, "/v1/referrals", b'{"\\ud800": 1}')
        assert answer.status_code == 422


def test_ten_thousand_faults_are_not_answered_one_by_one(lead: SiteUnderTest, ray: story.Ray) -> None:
    body = json.dumps(OFFER | {f"f{n}": n for n in range(10_000)})
    with unrecorded(lead):
        answer = send(ray.kim, "/v1/referrals", body)
        assert answer.status_code == 422
        assert len(answer.content) < len(body)


def test_ten_megabytes(lead: SiteUnderTest, ray: story.Ray) -> None:
    """Announced, and in chunks of unannounced length: refused before they are read, and nothing goes on."""
    piece = b"x" * 65_536
    with unrecorded(lead):
        answer = raw_request(lead, ray.kim, b"Content-Length: 10485760\r\n", b"")
        assert b" 413 " in answer.split(b"\r\n")[0]
        assert b'"type":"/problems/too-large"' in answer
        chunks = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for _ in range(160)) + b"0\r\n\r\n"
        answer = raw_request(lead, ray.kim, b"Transfer-Encoding: chunked\r\n", chunks)
        assert b" 413 " in answer.split(b"\r\n")[0]
        assert b'"type":"/problems/too-large"' in answer
    assert ray.kim.get("/v1/me").status_code == 200


def test_a_torn_connection(lead: SiteUnderTest, ray: story.Ray, caplog: pytest.LogCaptureFixture) -> None:
    body = json.dumps(OFFER).encode()
    with unrecorded(lead):
        for sent in (b"", body[: len(body) // 2], body[:-1]):
            raw_request(lead, ray.kim, b"Content-Length: %d\r\n" % len(body), sent, listen=False)
        raw_request(lead, ray.kim, b"Transfer-Encoding: chunked\r\n", b"%x\r\n%s" % (len(body), body), listen=False)
        assert ray.kim.get("/v1/me").status_code == 200
        lead.settle()
    assert OFFER["place"] not in caplog.text


def raw_request(lead: SiteUnderTest, person: Person, header: bytes, body: bytes, *, listen: bool = True) -> bytes:
    """Send a request byte by byte; return what comes back, or leave in the middle."""
    url = urlsplit(lead.base_url)
    assert url.hostname is not None
    with socket.create_connection((url.hostname, url.port or 0), timeout=20) as connection:
        head = (
            b"POST /v1/referrals HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            b"Idempotency-Key: " + uuid4().hex.encode() + b"\r\nAuthorization: Bearer " + person.token.encode()
        )
        try:
            connection.sendall(head + b"\r\n" + header + b"\r\n" + body)
        except OSError:  # the site has hung up on what is too large; its answer may still be read
            assert listen
        answer = b""
        while listen:
            try:
                piece = connection.recv(65_536)
            except OSError:
                break
            answer += piece
            if not piece or b"}" in piece:
                break
        return answer


# Headers ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", [None, "", "x" * 201, "a b"])
def test_a_command_without_a_usable_key(lead: SiteUnderTest, ray: story.Ray, key: str | None) -> None:
    headers = {"Authorization": f"Bearer {ray.kim.token}"} | ({} if key is None else {"Idempotency-Key": key})
    with unrecorded(lead):
        answer = ray.kim.client.post("/v1/referrals", json=OFFER, headers=headers)
        problem(answer, 422, "invalid-input", "Idempotency-Key")


def test_a_key_replayed_with_another_body(lead: SiteUnderTest, ray: story.Ray) -> None:
    key = str(uuid4())
    path = f"/v1/participants/{ray.care}/contacts"
    assert ray.dana.post(path, example("RecordContact"), key=key).status_code == 201
    with unrecorded(lead):
        other = example("RecordContact", note="Something else")
        problem(ray.dana.post(path, other, key=key), 422, "refused", "Idempotency-Key")
        elsewhere = f"/v1/participants/{ray.care}/shares"
        problem(ray.dana.post(elsewhere, example("MakeShare"), key=key), 422, "refused", "Idempotency-Key")


def test_if_match(lead: SiteUnderTest, ray: story.Ray) -> None:
    page, path = f"/v1/case-manager/participants/{ray.care}", f"/v1/participants/{ray.care}/contacts"
    lead.settle()
    tag = ray.dana.get(page).headers["etag"]
    assert ray.dana.get(page).headers["etag"] == tag
    noors = lead.person("noor").get(page).headers["etag"]
    assert noors != tag
    with unrecorded(lead):
        for stale in ('"0123"', noors, "*", tag.strip('"')):
            problem(ray.dana.post(path, example("RecordContact"), **{"If-Match": stale}), 412, "changed-meanwhile")
        handoff = f"/v1/referrals/{ray.care_referral}/handoff"
        answer = ray.dana.post(handoff, example("RecordHandoff"), **{"If-Match": tag})
        problem(answer, 422, "refused", "If-Match")
    assert ray.dana.post(path, example("RecordContact"), **{"If-Match": tag}).status_code == 201
    with unrecorded(lead):
        problem(ray.dana.post(path, example("RecordContact"), **{"If-Match": tag}), 412, "changed-meanwhile")


def test_a_position_of_someone_else(lead: SiteUnderTest, ray: story.Ray) -> None:
    ray.dana.do(f"/v1/participants/{ray.care}/contacts", example("RecordContact"))
    assert ray.dana.position is not None
    for wrong in (ray.dana.position, "x", "\x00"[:0] or "0", "%"):
        problem(ray.kim.get("/v1/me", **{"Wait-For-Position": wrong}), 422, "refused", "Wait-For-Position")


def test_no_such_path_and_no_such_method(lead: SiteUnderTest, ray: story.Ray) -> None:
    problem(ray.kim.get("/v1/secrets"), 404, "no-such-path")
    answer = ray.kim.client.request("DELETE", "/v1/me")
    problem(answer, 405, "no-such-method")
    assert answer.headers["allow"] == "GET"


@pytest.mark.parametrize("query", ["limit=0", "limit=201", "limit=x", "limit=1e9", "cursor=" + "x" * 1001])
def test_a_page_that_is_none(lead: SiteUnderTest, ray: story.Ray, query: str) -> None:
    problem(ray.kim.get(f"/v1/police/referrals?{query}"), 422, "invalid-input", query.split("=", maxsplit=1)[0])


def test_a_lookup_that_asks_nothing(lead: SiteUnderTest, ray: story.Ray) -> None:
    for body, name, field in (
        ({}, "refused", "given"),
        ({"given": "Ray"}, "refused", "given"),
        ({"incident_number": "\0"}, "invalid-input", "incident_number"),
        ({"birth_date": "1984-13-01"}, "invalid-input", "birth_date"),
    ):
        problem(send(ray.kim, "/v1/police/lookups", json.dumps(body)), 422, name, field)


# Who asks ------------------------------------------------------------------------------------------------------------


def test_who_is_not_signed_in(lead: SiteUnderTest, ray: story.Ray) -> None:
    now = datetime.now(UTC)
    claims = {"iss": "urn:goldenthread:demo", "aud": "goldenthread", "sub": "kim", "iat": now}
    good = claims | {"exp": now + timedelta(hours=1)}
    foreign = Ed25519PrivateKey.generate()
    tokens = {
        "none at all": None,
        "nonsense": "nonsense",
        "expired": lead.issuer.token("kim", timedelta(seconds=-1)),
        "another issuer": DemoIssuer("goldenthread").token("kim"),
        "another issuer, our key's name": jwt.encode(good, foreign, "EdDSA", {"kid": "demo"}),
        "another audience": jwt.encode(good | {"aud": "other"}, lead.issuer._key, "EdDSA", {"kid": "demo"}),
        "another issuer's name": jwt.encode(good | {"iss": "x"}, lead.issuer._key, "EdDSA", {"kid": "demo"}),
        "no end": jwt.encode(claims, lead.issuer._key, "EdDSA", {"kid": "demo"}),
        "no subject": jwt.encode(
            {k: v for k, v in good.items() if k != "sub"}, lead.issuer._key, "EdDSA", {"kid": "demo"}
        ),
        "unsigned": jwt.encode(good, "", "none", {"kid": "demo"}),
        "another algorithm": jwt.encode(good, "k" * 32, "HS256", {"kid": "demo"}),
        "no key's name": jwt.encode(good, lead.issuer._key, "EdDSA"),
        "someone nobody registered": lead.issuer.token("mallory"),
        "deep": "W1tb" * 4000 + ".e30.AA",
    }
    answers = []
    with unrecorded(lead):
        for token in tokens.values():
            headers = {"Idempotency-Key": "k"} | ({} if token is None else {"Authorization": f"Bearer {token}"})
            answers.append(ray.kim.client.get("/v1/police/referrals", headers=headers))
            answers.append(ray.kim.client.post("/v1/referrals", json=OFFER, headers=headers))
            answers.append(ray.kim.client.post("/v1/referrals", json={}, headers=headers))
    for answer in answers:
        problem(answer, 401, "not-signed-in")
        assert raw(answer) == raw(answers[0])
        assert answer.headers["www-authenticate"] == "Bearer"


def test_an_ended_authority_ends_with_the_very_next_request(lead: SiteUnderTest, ray: story.Ray) -> None:
    pat = lead.person("pat")
    lead.settle()
    asks: list[tuple[str, str, str, tuple[str, ...]]] = [
        ("lead-care", "case_manager", "t.care", ("/v1/me", f"/v1/case-manager/participants/{ray.care}", "/v1/parties")),
        ("lead-care", "case_manager", "u.care", (f"/v1/case-manager/participants/{UNKNOWN_ID}",)),
        ("lead-care", "case_manager", "v.care", (f"/v1/participants/{UNKNOWN_ID}/accounting",)),
        ("lead-care", "case_manager", "w.care", (f"/v1/participants/{ray.care}/accounting",)),
        ("city-pd", "officer", "t.police", ("/v1/police/referrals", f"/v1/police/participants/{ray.participant}")),
        ("county-pa", "liaison_prosecutor", "t.office", ("/v1/prosecutor/pending-cases", "/v1/prosecutor/notices")),
    ]
    for party, role, subject, paths in asks:
        pat.do("/v1/register/staff", {"party": party, "name": "Temp", "role": role, "subject": subject})
        person = lead.person(subject)
        contact, key = f"/v1/participants/{ray.care}/contacts", "k"
        assert person.get("/v1/me").status_code == 200
        if party == "lead-care":
            assert person.post(contact, example("RecordContact"), key=key).status_code == 201
        pat.do("/v1/register/staff/endings", {"subject": subject})
        for path in paths:
            problem(person.get(path), 401, "not-signed-in")
        with unrecorded(lead):
            if party == "lead-care":  # neither a new command nor the stored answer of an old one
                problem(person.post(contact, example("RecordContact"), key=key), 401, "not-signed-in")
                problem(person.post(contact, example("RecordContact")), 401, "not-signed-in")


SUBJECT: dict[Role, str] = {role: subject for _, _, role, subject in reversed(STAFF)} | {
    Role.PARTICIPANT: "ray",
    Role.SERVICE: "feed",
    Role.STREAM: "rms",
}


@pytest.fixture(scope="module")
def everyone(lead: SiteUnderTest, ray: story.Ray) -> dict[Role, Person]:
    """Someone in each role."""
    ray.dana.do(f"/v1/participants/{ray.care}/access", {"subject": "ray"})
    feed = {"party": "lead-program", "name": "Feed", "role": "service", "subject": "feed"}
    lead.person("pat").do("/v1/register/staff", feed)
    rms = {"party": "city-pd", "name": "Records", "role": "stream", "subject": "rms"}
    lead.person("pat").do("/v1/register/staff", rms)
    assert set(SUBJECT) == set(Role)
    return {role: lead.person(subject) for role, subject in SUBJECT.items()}


def test_an_ended_authority_ends_in_another_process_too(lead: SiteUnderTest, ray: story.Ray) -> None:
    """One that has no view to run, and read the register before."""
    pat, site = lead.person("pat"), lead.parts.site
    hers = {"party": "lead-care", "name": "Temp", "role": "case_manager", "subject": "x.care"}
    pat.do("/v1/register/staff", hers)
    other = replace(site, directory=Directory(site.log))
    other.directory.refresh()
    app = create_app(
        other,
        SignIn(other, lead.parts.access, lead.issuer),
        Settings(environment="test"),
        lead.parts.spans,
        lead.parts.metrics,
        lambda: True,
    )
    contact = f"/v1/participants/{ray.care}/contacts"
    signed = {"Authorization": f"Bearer {lead.issuer.token('x.care')}"}
    paths = [f"/v1/case-manager/participants/{one}" for one in (ray.care, UNKNOWN_ID)]
    paths += [f"/v1/participants/{one}/accounting" for one in (ray.care, UNKNOWN_ID)]

    async def elsewhere(method: str, path: str, key: str = "k") -> httpx.Response:
        sent = example("RecordContact") if method == "POST" else None
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://elsewhere") as client:
            return await client.request(method, path, json=sent, headers=signed | {"Idempotency-Key": key})

    assert asyncio.run(elsewhere("POST", contact)).status_code == 201
    pat.do("/v1/register/staff/endings", {"subject": "x.care"})
    with unrecorded(lead):
        for path in (*paths, "/v1/case-manager/caseload", "/v1/me"):
            problem(asyncio.run(elsewhere("GET", path)), 401, "not-signed-in")
        for key in ("k", "l"):  # neither the stored answer of an old command, nor a new one
            problem(asyncio.run(elsewhere("POST", contact, key)), 401, "not-signed-in")


POLICE, CARE = set(registry.POLICE), set(registry.CARE)
SUPERVISOR = {Role.SUPERVISOR}
OFFICE, REGISTER = {Role.LIAISON_PROSECUTOR}, {Role.PROJECT_MANAGER, Role.SERVICE}
COURT = {Role.COURT_OFFICER}
ALLOWED: dict[str, set[Role]] = {
    **dict.fromkeys(("OfferDiversion", "RecordRelease", "AgreeExtension"), POLICE),
    **dict.fromkeys(("RequestHandoff", "RecordHandoff", "AcceptReferral", "RequestExtension"), CARE),
    **dict.fromkeys(("ArrangeCover", "EndCover"), SUPERVISOR),
    **dict.fromkeys(("SetOnCall", "EndOnCall"), SUPERVISOR | {Role.PROJECT_MANAGER}),
    **dict.fromkeys(("FileCase", "DecideCase", "AnswerFinding"), OFFICE),
    **dict.fromkeys(("RecordBooking", "RecordArrest"), POLICE),
    "AllegeViolation": {Role.PROBATION_OFFICER},
    **dict.fromkeys(("MakeReport", "AgreePlan", "AddToPlan", "EndGoal", "UseFunds"), CARE),
    **dict.fromkeys(("RecordActivity", "DischargeParticipant", "ReturnParticipant"), CARE),
    **dict.fromkeys(("RecordAlias", "CorrectName", "ChangePhone"), CARE),
    **dict.fromkeys(("RecordDeath", "MergeRecords", "UnmergeRecords", "ReviewMatch", "UnlinkRecord"), SUPERVISOR),
    **dict.fromkeys(("PlaceHold", "LiftHold"), SUPERVISOR | {Role.PRIVACY_OFFICER}),
    "ReceiveOrder": SUPERVISOR | {Role.PRIVACY_OFFICER, Role.LEGAL_SERVICES},
    **dict.fromkeys(("FindCase", "FindWarrant"), CARE),
    **dict.fromkeys(("UpdateCase", "SetHearing", "MoveHearing", "EndHearing", "DisposeCase"), OFFICE | COURT | CARE),
    "RecordWarrant": OFFICE | COURT,
    "EndWarrant": OFFICE | COURT | CARE,
    **dict.fromkeys(("EnterCase", "EnterOrder"), COURT),
    "OverrideExclusion": set(registry.COMMAND),
    **dict.fromkeys(("CompleteIntake", "AssignParticipant", "SignRoi", "AmendRoi"), CARE),
    **dict.fromkeys(("RevokeRoi", "AddPaper"), CARE | {Role.COUNSEL}),
    "SendReport": POLICE,
    "ReferPerson": set(DOOR_OF),
    "VetReferral": POLICE | {Role.PROJECT_MANAGER, Role.SUPERVISOR},
    **dict.fromkeys(("ScreenReferral", "DeclineReferral"), CARE | {Role.PROJECT_MANAGER}),
    **dict.fromkeys(("RecordCall", "IdentifyReferred"), CARE),
    **dict.fromkeys(("ConsentItem", "WithdrawItem", "RecordContact", "MakeShare", "GiveAccess"), CARE),
    **dict.fromkeys(("AuthoriseCounsel", "RecordOralDisclosure", "HandleAsk"), CARE),
    "EndCounsel": CARE | {Role.COUNSEL},
    "SuspendAccounting": {Role.PRIVACY_OFFICER},
    "ResumeAccounting": {Role.PRIVACY_OFFICER},
    "DeclareConflict": {Role.DEFENDER_OBSERVER},
    "MakeAsk": POLICE | OFFICE | {Role.COURT_OFFICER, Role.PROBATION_OFFICER, Role.RECIPIENT_CONTACT, Role.COUNSEL},
    "RaiseConcern": {Role.DEFENDER_OBSERVER, Role.COUNSEL},
    "AnswerConcern": {Role.PROJECT_MANAGER},
    "TakeMessageAgain": {Role.PROJECT_MANAGER},
    "DropMessage": {Role.PROJECT_MANAGER},
    **dict.fromkeys(("RegisterParty", "RegisterStaff", "EndStaff", "AdoptProtocol"), REGISTER),
}


def test_whose_each_command_is() -> None:
    assert {kind.__name__: set(HANDLERS[kind].roles) for _, kind, _ in ROUTES} == ALLOWED


@pytest.mark.parametrize("role", list(Role))
def test_a_command_of_another_role(
    lead: SiteUnderTest, ray: story.Ray, everyone: dict[Role, Person], role: Role
) -> None:
    answers = []
    with unrecorded(lead):
        for _, kind, _ in ROUTES:
            if role in ALLOWED[kind.__name__]:
                continue
            for whose in ("care", "police"):
                path = path_of(ray, kind.__name__, whose=whose)
                answers.append(everyone[role].post(path, example(kind.__name__)))
    assert len(answers) > 2
    for answer in answers:
        problem(answer, 403, "not-your-command")
        assert raw(answer) == raw(answers[0])


READERS: dict[str, set[Role]] = {
    "police": POLICE,
    "prosecutor": OFFICE,
    "court": COURT | {Role.PROBATION_OFFICER},
    "recipient": {Role.RECIPIENT_CONTACT},
    "case-manager": CARE,
    "program": {Role.PROJECT_MANAGER},
    "defender": {Role.DEFENDER_OBSERVER},
    "counsel": {Role.COUNSEL},
    "legal-services": {Role.LEGAL_SERVICES},
    "participant": {Role.PARTICIPANT},
    "privacy": {Role.PRIVACY_OFFICER},
    "participants": CARE | {Role.COUNSEL, Role.PARTICIPANT, Role.PRIVACY_OFFICER},  # the accounting
    "bundle": {Role.COUNSEL, Role.PARTICIPANT},
    "public": set(Role),
    "me": set(Role),
    "parties": set(Role),
    "protocol": set(Role),
    "sessions": set(Role),
}
"""Whose the questions are, by what their paths begin with; and the bundle's."""
BUNDLE = "/v1/participants/{participant}/bundle"


def questions(lead: SiteUnderTest) -> dict[str, set[Role]]:
    """Return every question that the site answers, from its own document, and who may ask it.

    Whose a list's file and updates are is asked of them all in `test_listings`.
    """
    document = lead.person("pat").client.get("/openapi.json").json()
    return {
        path: READERS["bundle" if path == BUNDLE else path.split("/")[2]]
        for path, operations in document["paths"].items()
        if "get" in operations and path.startswith("/v1/")
        if not path.endswith((".csv", "/updates"))
    }


@pytest.mark.parametrize("role", list(Role))
def test_a_question_of_another_role(
    lead: SiteUnderTest, ray: story.Ray, everyone: dict[Role, Person], role: Role
) -> None:
    for path, roles in questions(lead).items():
        about = "?party=county-pa" if path.endswith(("/trace", "/as-of")) else ""
        answer = everyone[role].get(
            path.format(participant=UNKNOWN_ID, message=UNKNOWN_ID, disclosure=UNKNOWN_ID) + about
        )
        if role in roles:
            assert answer.status_code in (200, 404), (path, answer.text)
        else:
            problem(answer, 403, "not-your-command")
    lookup = send(everyone[role], "/v1/police/lookups", json.dumps(story.BY_NAME))
    assert lookup.status_code == (200 if role in POLICE else 403)


def test_hidden_and_never_existed_are_the_same_to_a_partners_commands(lead: SiteUnderTest) -> None:
    """A participant who revoked for a party that has no rows of its own, and nobody at all."""
    pat, kim, dana = lead.person("pat"), lead.person("kim"), lead.person("dana")
    pat.do("/v1/register/parties", {"code": "city-attorney", "name": "City Attorney", "kind": "prosecutor"})
    ruiz = {"party": "city-attorney", "name": "Ines Ruiz", "role": "liaison_prosecutor", "subject": "ruiz"}
    pat.do("/v1/register/staff", ruiz)
    ines, webb = lead.person("ruiz"), lead.person("webb")
    ids, directory = lead.parts.site.ids, lead.parts.site.directory
    care, department, office, transit = (
        directory.by_code(code, "party").id for code in ("lead-care", "city-pd", "city-attorney", "transit-pd")
    )
    parties = ["city-attorney", "transit-pd"]
    grants = [{"party": p, "labels": ["identity.legal"], "purpose": "coordination"} for p in parties]

    def granted(incident: str) -> tuple[UUID, str]:
        offer = OFFER | {"incident_number": incident}
        who = ids.open(department, kim.do("/v1/referrals", offer)["participant"])
        assert who is not None
        path = f"/v1/participants/{ids.seal(care, who)}/roi"
        form = ROI | {"grants": grants, "struck_out": [], "warned": ["county-pa"]}
        return who, f"{path}/{dana.do(path, form)['roi']}/revocations"

    standing, _ = granted("2026-44881")
    revoked, path = granted("2026-44882")
    dana.do(path, {"parties": parties, "word_of": "participant", "medium": "oral"})
    with unrecorded(lead):
        for person, party, where, body in (
            (ines, office, "/v1/cases", CASE),
            (webb, transit, "/v1/referrals", OFFER),
        ):
            hidden = person.post(where, body | {"participant": ids.seal(party, revoked)})
            nobody = person.post(where, body | {"participant": UNKNOWN_ID})
            problem(hidden, 404, "nothing-here")
            assert raw(hidden) == raw(nobody)
    assert ines.post("/v1/cases", CASE | {"participant": ids.seal(office, standing)}).status_code == 201
    assert webb.post("/v1/referrals", OFFER | {"participant": ids.seal(transit, standing)}).status_code == 201
