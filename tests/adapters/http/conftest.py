"""One site for all tests of a module, with Ray enrolled at it: each test leaves him as he was."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from typing import Any

import httpx
import pytest

from adapters.http.commands import ROUTES
from adapters.kafka.envelope import Record
from services.feed import Cursor, Feed, Unread, fault
from tests.adapters.kafka.messages import raws, record
from tests.conftest import Database
from tests.scenarios import ray as story
from tests.scenarios.audit import audited
from tests.scenarios.matching import proposed
from tests.site import Person, SiteUnderTest, local, running_site


@pytest.fixture(scope="module")
def lead(shared_db: Database) -> Iterator[SiteUnderTest]:
    """A site with the demo's parties and staff."""
    with running_site(shared_db) as running:
        yield running


@pytest.fixture(scope="module")
def ray(lead: SiteUnderTest) -> story.Ray:
    """Ray, arrested on 14 February, enrolled on 18 March; the site stands at noon of that day."""
    enrolled = story.arrest(lead)
    story.enrol(enrolled)
    enrolled.at("2026-03-18 12:00")
    lead.wait_for_clocks()
    return enrolled


@contextmanager
def unrecorded(lead: SiteUnderTest) -> Iterator[None]:
    """Assert that nothing is recorded meanwhile."""
    before = lead.parts.log.position()
    yield
    assert lead.parts.log.position() == before, "something was recorded"


def problem(answer: httpx.Response, status: int, name: str, *fields: str) -> None:
    """Assert that an answer is this problem, names these fields, and says of each the way out."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["cache-control"] == "no-store"
    body = answer.json()
    assert (body["type"], body["status"]) == (f"/problems/{name}", status)
    faults = body.get("faults", [])
    assert [fault["field"] for fault in faults] == list(fields), answer.text
    assert all(fault["reason"] and fault["way_out"].endswith(("'", '"', ".")) for fault in faults), faults


COMMANDS = {kind.__name__: (f"/v1/{path}", kind) for path, kind, _ in ROUTES}


def example(name: str, **other: Any) -> dict[str, Any]:
    """Return the documentation's example of a command, with other values for some fields."""
    extra: Any = COMMANDS[name][1].model_config["json_schema_extra"]
    return deepcopy(dict(extra["examples"][0])) | other


def to_program(lead: SiteUnderTest, text: str) -> str:
    """Return by which id the program's people, the privacy officer too, know what care knows by this one."""
    site = lead.parts.site
    care, program = (site.directory.by_code(code, "party").id for code in ("lead-care", "lead-program"))
    known = site.ids.open(care, text)
    assert known is not None
    return site.ids.seal(program, known)


def path_of(ray: story.Ray, name: str, *, whose: str) -> str:
    """Return the path of a command about Ray, as `police`, `program`, `care` or anyone calls him."""
    police = whose == "police"
    by_care = to_program(ray.site, ray.care) if whose == "program" else ray.care
    return COMMANDS[name][0].format(
        referral=ray.referral if police else ray.care_referral,
        participant=ray.participant if police else by_care,
        roi=ray.roi,
        item=ray.roi,
        case=ray.charge,
        finding=ray.charge,
        goal=ray.roi,
        hearing=ray.charge,
        warrant=ray.charge,
        revocation=ray.roi,
        ask=ray.roi,
        concern=ray.roi,
        match=ray.roi,
        link=ray.roi,
        hold=ray.roi,
        message=ray.roi,
    )


def misread(lead: SiteUnderTest, *records: Record, key: str = "") -> None:
    """Let messages of a party be set aside that the site can read: as an earlier version of it may have done."""
    site, topic = lead.parts.site, str(records[0].topic)
    party = site.directory.by_code(topic.split(".")[1], "party")
    claimed = site.stream.claim(topic, 0, "first")
    cursor = Cursor(topic, 0, claimed.epoch, claimed.next_offset)
    wrong = (fault("/data", "missing", "it lacks what it must have."),)
    feed = Feed(site, site.stream, lambda _party, raw: Unread(key or str(raw.offset), wrong))
    feed.take(party, raws(*records, begin=cursor.next_offset), cursor)


def every_command(lead: SiteUnderTest, body: Callable[..., dict[str, Any]]) -> None:
    """Let people give every command there is, in the order of a story; `body(name, **ids)` is what they send."""
    kim, ortiz, dana, chen, pat, ames = map(lead.person, ("kim", "ortiz", "dana", "chen", "pat", "ames"))
    rosa, judge, brooks = map(lead.person, ("rosa", "judge", "brooks"))
    given: set[str] = set()

    def do(who: Person, name: str, path: dict[str, str] | None = None, **ids: Any) -> dict[str, Any]:
        given.add(name)
        return who.do(COMMANDS[name][0].format(**(path or {})), body(name, **ids))

    made = do(kim, "OfferDiversion")
    lead.settle()
    participant = dana.see("/v1/case-manager/caseload?team=true")["participants"][0]["participant"]
    history = dana.see(f"/v1/case-manager/participants/{participant}")["history"]
    referral = next(entry["stream_id"] for entry in history if entry["kind"] == "referral.offered")
    police, care = {"referral": made["referral"]}, {"referral": referral, "participant": participant}
    do(ortiz, "OverrideExclusion", police, charge=made["charges"][0])
    lead.clock.at(local("2026-02-14 02:38"))
    do(dana, "RequestHandoff", care)
    do(dana, "RecordHandoff", care)
    do(dana, "AcceptReferral", care)
    do(kim, "RecordRelease", police)
    called = {"referral": do(dana, "RecordCall")["referral"]}
    lead.settle()
    theirs = kim.see("/v1/police/referrals")["referrals"]
    do(kim, "SendReport", {"referral": next(own["referral_id"] for own in theirs if own["called_in_by"])})
    do(dana, "IdentifyReferred", called)
    vetted = do(kim, "ReferPerson")["referral"]
    do(kim, "VetReferral", {"referral": vetted})
    lead.settle()
    rows = dana.see("/v1/case-manager/referrals")["referrals"]
    do(dana, "ScreenReferral", {"referral": next(r["referral_id"] for r in rows if r["door"] == "social_contact")})
    met = {"requested_at": "2026-02-14T02:20:00-08:00", "met_at": "2026-02-14T02:30:00-08:00"}
    dana.do(f"/v1/referrals/{called['referral']}/handoff", met)
    do(dana, "DeclineReferral", called)
    do(dana, "RequestExtension", care)
    do(kim, "AgreeExtension", police)
    do(dana, "AssignParticipant", care)
    noor = lead.person("noor")
    for name in ("ArrangeCover", "EndCover", "SetOnCall", "EndOnCall"):
        do(noor, name)
    do(dana, "CompleteIntake", care)
    signed = care | {"roi": do(dana, "SignRoi", care)["roi"]}
    do(dana, "AmendRoi", signed)
    do(dana, "MakeShare", care)
    do(dana, "WithdrawItem", care | {"item": do(dana, "ConsentItem", care)["share"]})
    do(dana, "RecordContact", care)
    lead.settle()
    office_id = chen.see("/v1/prosecutor/notices")["notices"][0]["participant_id"]
    assert chen.see(f"/v1/prosecutor/participants/{office_id}")["shared"]
    probation = {"party": "probation", "labels": ["enrolment.status"], "purpose": "coordination"}
    dana.do(COMMANDS["AmendRoi"][0].format(**signed), body("AmendRoi", grants=[probation]))
    lead.settle()
    known = brooks.see("/v1/court/participants")["shared"][0]["participant"]
    do(brooks, "AllegeViolation", participant=known)
    do(dana, "AuthoriseCounsel", care)
    do(dana, "RecordOralDisclosure", care)
    to_imani = {"participant": to_program(lead, participant)}
    do(lead.person("imani"), "SuspendAccounting", to_imani)
    do(lead.person("imani"), "ResumeAccounting", to_imani)
    do(dana, "AddPaper", signed | {"revocation": do(dana, "RevokeRoi", signed)["revocation"]})
    do(dana, "EndCounsel", care)
    do(dana, "GiveAccess", care)
    do(kim, "MakeAsk")
    do(ames, "RaiseConcern")
    lead.settle()
    do(dana, "HandleAsk", {"ask": dana.see("/v1/case-manager/asks")["asks"][0]["ask_id"]})
    do(pat, "AnswerConcern", {"concern": pat.see("/v1/program/concerns")["concerns"][0]["concern_id"]})
    do(ames, "DeclareConflict", {"participant": ames.see("/v1/defender/diversions")["diversions"][0]["pseudonym"]})
    do(rosa, "FindCase", care)
    do(rosa, "FindWarrant", care)
    case = do(chen, "FileCase", participant=office_id)
    do(chen, "DecideCase", case)
    audited(lead)
    do(chen, "UpdateCase", case)
    heard = do(chen, "SetHearing", case)
    do(chen, "MoveHearing", heard)
    do(chen, "DisposeCase", case)
    do(judge, "EnterOrder", do(judge, "EnterCase"))
    do(judge, "EndWarrant", do(judge, "RecordWarrant"))
    do(chen, "AnswerFinding", {"finding": chen.see("/v1/prosecutor/findings")["findings"][0]["finding_id"]})
    do(kim, "RecordBooking", participant=made["participant"])
    do(kim, "RecordArrest")
    do(dana, "AgreePlan", care)
    do(dana, "EndGoal", care | {"goal": do(dana, "AddToPlan", care)["entry"]})
    do(dana, "MakeReport", care)
    do(dana, "UseFunds", care)
    do(dana, "RecordActivity", care)
    do(dana, "RecordAlias", care)
    do(dana, "CorrectName", care)
    do(dana, "ChangePhone", care)
    do(dana, "DischargeParticipant", care)
    do(dana, "ReturnParticipant", care)
    noor = lead.person("noor")
    other = lead.person("webb").do(COMMANDS["OfferDiversion"][0], body("OfferDiversion"))["participant"]
    lead.settle()
    found = dana.see("/v1/case-manager/caseload?team=true")["participants"]
    away = next(one["participant"] for one in found if one["participant"] != participant)
    assert other != away  # each party has ids of its own
    do(noor, "MergeRecords", care, other=away)
    do(noor, "UnmergeRecords", {"participant": away})
    do(noor, "ReviewMatch", care | {"match": proposed(lead, participant)})
    lead.settle()
    history = dana.see(f"/v1/case-manager/participants/{participant}")["history"]
    do(noor, "UnlinkRecord", care | {"link": next(e["entry_id"] for e in history if e["kind"] == "identity.linked")})
    do(noor, "LiftHold", care | {"hold": do(noor, "PlaceHold", care)["hold"]})
    do(noor, "ReceiveOrder", care)
    do(noor, "RecordDeath", care)
    do(pat, "RegisterParty")
    do(pat, "RegisterStaff")
    do(pat, "EndStaff")
    do(pat, "AdoptProtocol")
    misread(lead, record("arrest.recorded", "city-pd:WASPD0000", {"LeadDiversion": None}))
    misread(lead, record("arrest.retracted", "city-pd:WASPD0000"))
    first, second = pat.see("/v1/program/messages")["messages"]
    do(pat, "TakeMessageAgain", {"message": first["message"]})
    do(pat, "DropMessage", {"message": second["message"]})
    lead.clock.at(local("2026-04-21 10:00"))
    do(chen, "EndHearing", heard)
    assert given == set(COMMANDS)
