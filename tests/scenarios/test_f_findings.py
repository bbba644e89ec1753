"""Scenario F, its findings: filings after a revocation are joined with what the prosecutor had been shown before."""

from __future__ import annotations

import json
import re
from datetime import datetime
from typing import Any

import psycopg
import pytest

from domain.legal_case import DecisionRecorded
from services.release import PART2_NOTICE
from tests.scenarios import ray as story
from tests.scenarios.audit import audited, file, findings, observed
from tests.scenarios.eyes import everything
from tests.scenarios.test_r_revoked_at_night import AUTHORITY
from tests.site import Person, SiteUnderTest, local

pytestmark = pytest.mark.server

ANSWERED = {"source": {"kind": "held by our office, not stated", "on": None, "cites_share": False}}
PLACE = "Stays at the Lyon Building, room 4."


def spring(lead: SiteUnderTest) -> story.Ray:
    """Ray enrols; on 25 March he signs for one sentence; Chen reads; on 8 April he revokes."""
    ray = story.arrest(lead)
    story.enrol(ray)
    ray.at("2026-03-25 10:00")
    item = {
        "party": "county-pa",
        "text": PLACE,
        "labels": ["contact.location"],
        "expires_on": "2026-05-10",
        "counsel_offered": True,
    }
    ray.dana.do(f"/v1/participants/{ray.care}/items", item)
    lead.settle()
    assert PLACE in str(read(ray))
    ray.at("2026-04-08 14:03:07")
    word = {"word_of": "counsel", "medium": "oral", "counsel": "R. Patel", "parties": ["city-pd", "county-pa"]}
    ray.dana.do(f"/v1/participants/{ray.care}/roi/{ray.roi}/revocations", word)
    lead.settle()
    assert read(ray)["shared"] == []
    ray.at("2026-04-20 10:00")
    return ray


def read(ray: story.Ray) -> dict[str, Any]:
    """Let the prosecutor ask about Ray."""
    return ray.chen.see(f"/v1/prosecutor/participants/{ray.offices_id()}")


def test_a_source_from_before_the_first_showing(lead: SiteUnderTest) -> None:
    ray, pat = spring(lead), lead.person("pat")
    file(
        ray.chen,
        ray.offices_id(),
        "26-1-00999-1",
        incident_number="2026-40001",
        received_at="2026-04-20T09:00:00-07:00",
    )
    audited(lead)
    (found,) = findings(pat)
    assert (found["action"], found["verdict"], found["alarm"]) == ("filing", "independent source, earlier", False)
    source = found["source"]
    assert (source["kind"], source["number"], source["on"]) == ("incident report", "2026-40001", "2026-02-02")

    # The evidence: what Chen herself had been shown, when, and where the log has it. Nothing of what it said.
    assert (found["agency"], found["person"]) == ("county-pa", "Alex Chen")
    (shown,) = [line for line in found["person_was_shown"] if "contact.location" in line["labels"]]
    assert {"contact.location", "enrolment.status", "identity.legal"} <= set(shown["labels"])
    assert (shown["surface"], shown["shown_on"], shown["times"]) == ("liaison_prosecutor.participant", "2026-03-25", 1)
    assert shown["position"] <= shown["last_position"]
    assert found["agency_was_shown"] == []
    assert "Lyon" not in json.dumps(found)

    # The incident lies before the enrolment: no new offence, whenever it is filed.
    assert (found["incident_on"], found["pre_enrolment_incident"]) == ("2026-02-02", True)
    assert found["within_protocol"]
    assert findings(pat, "?alarms=true") == []
    assert ray.chen.see("/v1/prosecutor/findings")["findings"] == []

    # The defender's observer has the same finding by pseudonym, with the same evidence; no number that leads to a name.
    ames = lead.person("ames")
    (seen,) = observed(ames)
    same = set(found) - {"finding_id", "participant", "source"}
    places = {"position", "last_position"}  # in the log of everyone: the site's own people look there, nobody else
    found["person_was_shown"] = [{k: v for k, v in shown.items() if k not in places}]
    assert {name: seen[name] for name in same} == {name: found[name] for name in same}
    assert seen["source"] == {name: value for name, value in source.items() if name != "number"}
    (diversion,) = ames.see("/v1/defender/diversions")["diversions"]
    assert seen["participant"] == diversion["pseudonym"]
    assert not [word for word in ("2026-40001", "26-1-00999", "Bell", "Lyon") if word in everything(ames)]


def test_a_source_from_after_it(lead: SiteUnderTest) -> None:
    ray, pat = spring(lead), lead.person("pat")
    file(ray.chen, ray.offices_id(), "26-1-00999-2", incident_number="2026-52210", offense_on="2026-04-18")
    audited(lead)
    (found,) = findings(pat)
    assert (found["verdict"], found["alarm"]) == ("independent source, later", False)
    assert found["pre_enrolment_incident"] is False
    assert observed(lead.person("ames"), "?alarms=true") == []
    assert ray.chen.see("/v1/prosecutor/findings")["findings"] == []


def test_a_decisions_accounting_names_what_had_been_looked_at(lead: SiteUnderTest) -> None:
    """What Chen herself was shown before any decision, by position; the finding of an adverse one keeps it."""
    ray = story.arrest(lead)
    story.enrol(ray)
    ray.at("2026-03-24 09:00")
    case = file(ray.chen, ray.offices_id(), "23-1-00871-2", offense_on="2023-05-20", filed_on="2023-06-01")
    decided, ago = f"/v1/cases/{case}/decisions", "2026-03-20T09:00:00-07:00"
    assert read(ray)["shared"]
    ray.chen.do(decided, {"kind": "support quash", "reason": "Engaged; application filed."})
    assert read(ray)["shared"]
    ray.chen.do(decided, {"kind": "detention motion", "source": "held by our office, not stated", "decided_at": ago})
    assert read(ray)["shared"]
    audited(lead)

    log = lead.parts.log
    mild, adverse = log.of_topics([DecisionRecorded.topic])
    who, office = mild.event.participant_id, mild.envelope.agency
    assert who is not None
    looked = {
        decision.position: [
            line
            for line in log.exposures(who, office, decision.position)
            if (line.staff, line.surface) == (decision.envelope.actor, "liaison_prosecutor.participant")
        ]
        for decision in (mild, adverse)
    }
    (once,), (twice,) = looked[mild.position], looked[adverse.position]
    assert (once.times, twice.times) == (1, 2)
    assert once.position == once.last_position == twice.position < mild.position
    assert mild.position < twice.last_position < adverse.position  # whatever hour it is said to have been decided at

    # The finding cites those very positions, and the disclosure that stands there says of which event and with which
    # digest: no field of the decision could say more.
    (found,) = [f for f in findings(lead.person("pat")) if f["action"] == "detention motion"]
    (shown,) = [line for line in found["person_was_shown"] if line["surface"] == "liaison_prosecutor.participant"]
    assert (shown["position"], shown["last_position"], shown["times"]) == (twice.position, twice.last_position, 2)
    with psycopg.connect(lead.parts.database.url) as connection:
        rows = connection.execute(
            "select as_of, staff_id, length(digest) from log.disclosure where position = %s", [shown["last_position"]]
        ).fetchall()
    ((as_of, staff, digest),) = rows
    assert (as_of < shown["last_position"], staff, digest) == (True, adverse.envelope.actor, 32)


def test_none_named(lead: SiteUnderTest) -> None:
    ray, pat = spring(lead), lead.person("pat")
    case = file(ray.chen, ray.offices_id(), "26-1-00999-3")
    audited(lead)
    (found,) = findings(pat, "?alarms=true")
    assert (found["verdict"], found["alarm"], found["source"]) == ("exposed, none named", True, None)
    assert local("2026-04-20 10:00") <= datetime.fromisoformat(found["raised_at"]) <= local("2026-04-21 10:00")
    assert found["within_protocol"]

    # The office is asked, citing its own filing and nothing else; its silence is shown.
    (asked,) = ray.chen.see("/v1/prosecutor/findings")["findings"]
    assert (asked["case_id"], asked["action"]) == (case, "filing")
    assert asked["question"] == "On which source of its own does this rest?"
    assert asked["answered_at"] is None
    assert set(asked) == {"finding_id", "case_id", "acted_at", "action", "question", "answered_at", "answer", "text"}
    assert found["unanswered_since"] == found["raised_at"]
    ames = lead.person("ames")
    (alarmed,) = observed(ames, "?alarms=true")
    assert (alarmed["verdict"], alarmed["raised_at"]) == (found["verdict"], found["raised_at"])
    assert alarmed["unanswered_since"] == found["raised_at"]
    answers = f"/v1/findings/{asked['finding_id']}/answers"

    # Nothing was held up, and an answer that names nothing is an answer; the alarm stands.
    assert [each["docket"] for each in ray.chen.see("/v1/prosecutor/pending-cases")["cases"]] == ["26-1-00999-3"]
    ray.chen.do(answers, {"source": "held by our office, not stated"})
    lead.settle()
    (found,) = findings(pat)
    assert (found["verdict"], found["alarm"], found["unanswered_since"]) == ("exposed, none named", True, None)
    assert found["answer"]["source"]["kind"] == "held by our office, not stated"
    (alarmed,) = observed(ames, "?alarms=true")
    assert (alarmed["unanswered_since"], alarmed["answer"]) == (None, {"at": alarmed["answer"]["at"]} | ANSWERED)

    # A report that cites what only Ray's sentence told is not independent; one that does not, is.
    report = {"source": "incident report", "number": "2026-53000", "on": "2026-04-19"}
    ray.chen.do(answers, report | {"cites_share": True, "text": "Found at the Lyon Building."})
    lead.settle()
    assert [(f["verdict"], f["alarm"]) for f in findings(pat)] == [("exposed, none named", True)]
    ray.chen.do(answers, report)
    lead.settle()
    (found,) = findings(pat)
    assert (found["verdict"], found["raised_as"]) == ("independent source, later", "exposed, none named")
    assert found["alarm"] is False
    assert observed(ames, "?alarms=true") == []
    assert "Lyon" not in everything(ames)
    (mine,) = ray.chen.see("/v1/prosecutor/findings")["findings"]
    assert mine["answer"]["number"] == "2026-53000"


def test_a_colleagues_reading_stands_apart(lead: SiteUnderTest) -> None:
    ray, pat = spring(lead), lead.person("pat")
    pat.do(
        "/v1/register/staff",
        {"party": "county-pa", "name": "Jo Park", "role": "liaison_prosecutor", "subject": "park"},
    )
    park = lead.person("park")
    file(park, ray.offices_id(), "26-1-00999-4")
    audited(lead)
    (found,) = findings(pat)
    assert (found["person"], found["verdict"], found["alarm"]) == ("Jo Park", "no exposure", False)
    assert found["person_was_shown"] == []
    assert any("contact.location" in line["labels"] for line in found["agency_was_shown"])


def test_harsher_than_the_ceiling(lead: SiteUnderTest) -> None:
    """Scenario D's severity check: a detention motion beyond what the office allowed itself is accepted and found."""
    ray, pat = spring(lead), lead.person("pat")
    case = file(ray.chen, ray.offices_id(), "26-1-00999-5", incident_number="2026-40001")
    ray.chen.do(f"/v1/cases/{case}/decisions", {"kind": "support quash", "ceiling": "proceed as standard"})
    ray.chen.do(f"/v1/cases/{case}/decisions", {"kind": "proceed as standard"})
    audited(lead)
    assert [f["action"] for f in findings(pat)] == ["filing"]
    motion = {
        "kind": "detention motion",
        "source": "court record",
        "source_number": "26-1-1",
        "source_on": "2026-04-19",
    }
    ray.chen.do(f"/v1/cases/{case}/decisions", motion)
    audited(lead)
    (found,) = findings(pat, "?alarms=true")
    assert (found["action"], found["verdict"]) == ("detention motion", "harsher than standard")
    (asked,) = ray.chen.see("/v1/prosecutor/findings")["findings"]
    assert asked["question"] == "Why does this go beyond the most that your office recorded for this case?"


def test_counsel_asks_who_was_shown_what(lead: SiteUnderTest) -> None:
    """Patel reads the accounting: each showing with whom, when, what, why and the notice; and that she read it."""
    ray = spring(lead)
    case = file(ray.chen, ray.offices_id(), "26-1-00999-8")
    ray.kim.see(f"/v1/police/participants/{ray.participant}")
    ray.dana.do(f"/v1/participants/{ray.care}/counsel", AUTHORITY)
    lead.settle()
    patel = lead.person("patel")
    (client,) = patel.see("/v1/counsel/participants")["clients"]
    accounting = f"/v1/participants/{client['participant']}/accounting"
    lines = patel.see(accounting)["disclosures"]
    to_the_office = [line for line in lines if line.get("person") == "Alex Chen"]
    (shown,) = [line for line in to_the_office if "contact.location" in line["labels"]]
    assert (shown["to"], shown["surface"]) == ("County Prosecuting Attorney", "liaison_prosecutor.participant")
    assert local("2026-03-25 10:00") <= datetime.fromisoformat(shown["at"]) < local("2026-03-25 10:10")
    assert (story.COORDINATION in shown["purpose"], shown["notice"]) == (True, PART2_NOTICE)
    assert PLACE not in str(lines)

    # What it rested on: the ROI and the sentence that he signed for; and what the office decided after it.
    assert len(shown["grants"]) == 2
    assert client["roi"] in shown["grants"]
    assert shown["decisions"] == [], "her authority does not name what the office decided"
    ray.chen.do(f"/v1/cases/{case}/decisions", {"kind": "proceed as standard"})
    lead.settle()
    (decided,) = [x["entry_id"] for x in ray.history("decision.recorded")]
    for reader, path, followed in (
        (ray.dana, f"/v1/participants/{ray.care}/accounting", [decided]),
        (patel, accounting, []),
        (lead.person("imani"), f"/v1/participants/{privacy_id(lead)}/accounting", []),
    ):
        for line in reader.see(path)["disclosures"]:
            if line["what"] == "disclosure":
                to_the_office = line["to"] == "County Prosecuting Attorney"
                assert line["decisions"] == (followed if to_the_office else []), line
    labels: list[str] = list(AUTHORITY["labels"])
    ray.dana.do(f"/v1/participants/{ray.care}/counsel", AUTHORITY | {"labels": [*labels, "prosecutor.decision"]})
    lead.settle()
    again = [x for x in patel.see(accounting)["disclosures"] if x.get("person") == "Alex Chen"]
    assert {len(line["decisions"]) for line in again} == {1}

    # Nothing was shown to the office, or to the department, after the revocation, whatever they asked.
    revoked = local("2026-04-08 14:03:07")
    partners = ("County Prosecuting Attorney", "City Police Department")
    assert not [x for x in lines if x["to"] in partners and datetime.fromisoformat(x["at"]) >= revoked]

    # Reading the accounting stands in it.
    again = patel.see(accounting)["disclosures"]
    hers = [line for line in again if line.get("surface") == "accounting" and line["person"] == "R. Patel"]
    assert len(hers) == 3


def privacy_id(lead: SiteUnderTest) -> str:
    """Return the id by which the privacy officer knows the one participant."""
    (row,) = lead.person("imani").see("/v1/privacy/participants")["participants"]
    found: str = row["participant"]
    return found


def test_counsel_asks_whether_the_client_is_worse_off(lead: SiteUnderTest) -> None:
    """Who acted, and what they had been shown before: where the authority says so, and nothing of anybody else."""
    ray = spring(lead)
    file(ray.chen, ray.offices_id(), "26-1-00999-9")
    audited(lead)
    patel, authority = lead.person("patel"), AUTHORITY | {"labels": [*AUTHORITY["labels"], "finding"]}
    read = {}
    for who, given in (("without", AUTHORITY), ("with", authority)):
        ray.dana.do(f"/v1/participants/{ray.care}/counsel", given)
        lead.settle()
        (client,) = patel.see("/v1/counsel/participants")["clients"]
        history = patel.see(f"/v1/counsel/participants/{client['participant']}")["history"]
        read[who] = [entry for entry in history if entry["kind"].startswith("finding.")]
    assert read["without"] == []
    raised, asked = sorted(read["with"], key=lambda entry: str(entry["kind"]), reverse=True)
    assert (raised["kind"], raised["agency"]) == ("finding.raised", "county-pa")
    assert (raised["body"]["verdict"], raised["body"]["action"]["kind"]) == ("exposed, none named", "filing")
    assert asked["body"]["question"] == "On which source of its own does this rest?"
    (shown,) = [line for line in raised["body"]["person_shown"] if "contact.location" in line["labels"]]
    assert shown["shown_on"] == "2026-03-25"
    said = json.dumps(read["with"])
    assert not re.search(r"[0-9a-f]{8}-[0-9a-f]{4}-|position", said)
    assert "Lyon" not in said


def test_nobody_else_hears_of_it(lead: SiteUnderTest) -> None:
    ray = spring(lead)
    others = [ray.kim, ray.dana, lead.person("marta"), lead.person("webb")]
    before = [everything(each, lookups=(story.BY_NAME,)) for each in (ray.kim, lead.person("marta"))]
    file(ray.chen, ray.offices_id(), "26-1-00999-6")
    audited(lead)
    (asked,) = ray.chen.see("/v1/prosecutor/findings")["findings"]
    assert [everything(each, lookups=(story.BY_NAME,)) for each in (ray.kim, lead.person("marta"))] == before
    for other in others:
        answer = other.post(f"/v1/findings/{asked['finding_id']}/answers", {"source": "court record"})
        assert answer.status_code == 403
        assert other.get("/v1/program/findings").status_code == 403
    assert not ray.history("finding.raised")
    assert not ray.history("finding.asked")


def test_an_office_answers_only_what_it_was_asked(lead: SiteUnderTest) -> None:
    ray, pat = spring(lead), lead.person("pat")
    pat.do("/v1/register/parties", {"code": "city-attorney", "name": "City Attorney", "kind": "prosecutor"})
    ruiz_is = {"party": "city-attorney", "name": "Ines Ruiz", "role": "liaison_prosecutor", "subject": "ruiz"}
    pat.do("/v1/register/staff", ruiz_is)
    ruiz: Person = lead.person("ruiz")
    case = file(ray.chen, ray.offices_id(), "26-1-00999-7")
    audited(lead)
    (asked,) = ray.chen.see("/v1/prosecutor/findings")["findings"]
    said = {"source": "held by our office, not stated"}
    for who, text in ((ruiz, asked["finding_id"]), (ray.chen, case), (ray.chen, ray.offices_id())):
        assert who.post(f"/v1/findings/{text}/answers", said).status_code == 404
    assert ruiz.see("/v1/prosecutor/findings")["findings"] == []
    unnamed = ray.chen.post(f"/v1/findings/{asked['finding_id']}/answers", {"source": "court record"})
    assert unnamed.status_code == 422
    assert [fault["field"] for fault in unnamed.json()["faults"]] == ["number"]
