"""What prosecutors' offices and courts publish of cases, on a whole site: who sees what of it, and who nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any
from uuid import UUID, uuid5

import pytest

from adapters.bootstrap import opened
from adapters.kafka import contract
from adapters.kafka.envelope import encode
from adapters.kafka.translate import reader
from adapters.settings import Settings
from domain.charge_table import ChargeListed, ChargeUnlisted, charge_stream, last_told
from domain.hearing import hearings
from domain.identity import MatchProposed
from domain.legal_case import legal_case
from domain.retention import MatterErased
from services.dockets import Dockets
from services.feed import Feed
from services.messages import DropMessage
from services.ports import Keeping, Raw
from tests.adapters.kafka.messages import settle
from tests.conftest import Database
from tests.scenarios import ray as story
from tests.scenarios.audit import audited, file, findings, observed
from tests.scenarios.eyes import everything
from tests.site import SiteUnderTest, local, running_site, searching

pytestmark = pytest.mark.server

TOLD = datetime(2026, 3, 20, 18, tzinfo=UTC)
"""When an agency writes what it tells, unless a test says otherwise; the site's clock stands later."""
RAY = {
    "PersonName": {"PersonGivenName": "Ray", "PersonSurName": "Bell"},
    "PersonBirthDate": {"Date": "1984-05-09"},
}
ANA = {
    "PersonName": {"PersonGivenName": "Ana", "PersonSurName": "Cruz"},
    "PersonBirthDate": {"Date": "1991-11-30"},
}
THEFT = {
    "ChargeSequenceID": "1",
    "ChargeUCRCode": "23C",
    "ChargeDescriptionText": "Shoplifting",
    "ChargeSeverityText": "misdemeanor",
    "ArrestTransactionNumber": "A26-1",
}
BURGLARY = THEFT | {
    "ChargeSequenceID": "2",
    "ChargeUCRCode": "220",
    "ChargeDescriptionText": "Burglary",
    "ChargeSeverityText": "felony",
}
_serial = count(1)


def accused(person: dict[str, Any], *charges: dict[str, Any]) -> dict[str, Any]:
    return {"EntityPerson": person, "CaseCharge": list(charges or (THEFT,))}


@dataclass(slots=True)
class Publisher:
    """An agency's system: it publishes, and the site takes it."""

    lead: SiteUnderTest
    code: str
    sent: list[Raw] = field(default_factory=list)

    @property
    def party(self) -> UUID:
        return self.lead.parts.site.directory.by_code(self.code, "party").id

    @property
    def feed(self) -> Feed:
        site = self.lead.parts.site
        return Feed(site, self.lead.parts.log.stream, reader())

    def raw(self, kind: str, data: Any, at: datetime = TOLD, **extensions: str) -> Raw:
        """A message: the contract's example of its kind, with other data."""
        message = contract.TYPES[f"org.lead.{kind}.v1"]
        number = next(_serial)
        key = contract.key_of(message.family, data or {}) or str(extensions.pop("key", ""))
        event = replace(
            contract.example(message),
            id=f"m-{number}",
            source=f"urn:lead:king-county:{self.code}:system",
            time=at,
            data=data,
            tombstone=data is None,
            structured=False,
            datacontenttype=None if data is None else "application/json",
            extensions={"correlationid": str(uuid5(UUID(int=0), str(number)))} | extensions,
        )
        topic = message.family.topic(self.code)
        record = encode(event, key.encode(), topic)
        return Raw(
            topic, 0, number, tuple((name, value or b"") for name, value in record.headers), record.key, record.value
        )

    def tell(self, *raws: Raw) -> Counter[str]:
        """Publish, and wait until every reader could see it."""
        tally = self.feed.take(self.lead.parts.site.directory.party(self.party), raws)
        self.lead.settle()
        return tally

    def told(self, kind: str, data: Any, at: datetime = TOLD, **extensions: str) -> Counter[str]:
        return self.tell(self.raw(kind, data, at, **extensions))

    def states(self, docket: str) -> list[Any]:
        """What stands under a docket, folded."""
        dockets = Dockets(self.lead.parts.log)
        dockets.refresh()
        found = [legal_case(self.lead.parts.log.load(m)) for m in dockets.under(self.party, docket)]
        return [state for state in found if state is not None]


def filed(docket: str, *defendants: dict[str, Any], **more: Any) -> dict[str, Any]:
    case = {
        "CaseDocketID": docket,
        "CaseDefendantParty": list(defendants),
        "OffenseDate": {"Date": "2026-01-20"},
        "FilingDate": {"Date": "2026-02-10"},
    }
    return {"CourtCase": case | more}


def initiated(docket: str, *defendants: dict[str, Any], **more: Any) -> dict[str, Any]:
    case = {
        "CaseDocketID": docket,
        "CaseCourt": {"CourtName": "District Court"},
        "CaseDefendantParty": list(defendants),
        "FilingDate": {"Date": "2026-02-10"},
        "ProsecutorPartyCode": "county-pa",
    }
    return {"CourtCase": case | more}


def updated(docket: str, *defendants: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"CourtCase": {"CaseDocketID": docket, "CaseDefendantParty": list(defendants)} | more}


def of(docket: str, *people: dict[str, Any], **more: Any) -> dict[str, Any]:
    named = {"CaseDefendantParty": [{"EntityPerson": person} for person in people]} if people else {}
    return {"CourtCase": {"CaseDocketID": docket} | named | more}


def hearing(docket: str, *people: dict[str, Any], at: str = "2026-04-14T09:00:00-07:00", **more: Any) -> dict[str, Any]:
    event = {
        "ActivityIdentification": {"IdentificationID": "E-1"},
        "CourtEventCategoryCode": "pretrial",
        "CourtEventSchedule": {"ScheduleDate": {"DateTime": at}},
    }
    return of(docket, *people) | {"CourtEvent": event | more}


@pytest.fixture(scope="module")
def lead(shared_db: Database) -> Iterator[SiteUnderTest]:
    """A site with the demo's parties and staff."""
    with running_site(shared_db) as running:
        yield running


@pytest.fixture(scope="module")
def ray(lead: SiteUnderTest) -> story.Ray:
    """Ray, enrolled; the site stands at noon of 24 March."""
    enrolled = story.arrest(lead)
    story.enrol(enrolled)
    enrolled.at("2026-03-24 12:00")
    return enrolled


@pytest.fixture
def office(lead: SiteUnderTest, ray: story.Ray) -> Publisher:
    return Publisher(lead, "county-pa")


@pytest.fixture
def court(lead: SiteUnderTest, ray: story.Ray) -> Publisher:
    return Publisher(lead, "district-court")


def cases(ray: story.Ray, docket: str) -> list[dict[str, Any]]:
    """What the office sees of its docket."""
    found = ray.chen.see("/v1/prosecutor/pending-cases", **searching(docket))["cases"]
    return [case for case in found if case["docket"] == docket]


def told_care(ray: story.Ray, *, kinds: tuple[str, ...] = ("case.", "hearing.", "order.", "warrant.")) -> list[Any]:
    """What care reads of cases with Ray."""
    history = ray.dana.see(f"/v1/case-manager/participants/{ray.care}")["history"]
    return [entry for entry in history if entry["kind"].startswith(kinds)]


def accept(lead: SiteUnderTest, ray: story.Ray) -> None:
    """Let the supervisor say that the record that was proposed last is Ray's."""
    entry = next(e for e in told_care(ray, kinds=("match.proposed",)))
    path = f"/v1/participants/{ray.care}/matches/{entry['entry_id']}/reviews"
    lead.person("noor").do(path, {"same": True, "why": "He told us of it himself."})
    lead.settle()


# The office's own docket ---------------------------------------------------------------------------------------------


def test_an_office_publishes_every_case_and_each_is_its_own_row(office: Publisher, ray: story.Ray) -> None:
    stranger, his = filed("F-1", accused(ANA)), filed("F-2", accused(RAY))
    assert office.tell(office.raw("case.filed", stranger), office.raw("case.filed", his)) == Counter(accepted=2)
    (first,), (second,) = cases(ray, "F-1"), cases(ray, "F-2")
    assert (first["defendant"], second["defendant"]) == ("Ana Cruz", "Ray Bell")
    assert first["participant_id"] is None is second["participant_id"], "its own record tells it of nobody in LEAD"
    accept(office.lead, ray)
    assert {e["body"]["docket"] for e in told_care(ray)} == {"F-2"}, "care reads Ray's, and no stranger's"
    (second,) = cases(ray, "F-2")
    assert second["participant_id"] is None, "its own record stays what it was; LEAD's column stands beside it"


def test_a_case_that_was_filed_over_http_and_by_stream_is_one(office: Publisher, ray: story.Ray) -> None:
    sent = {
        "docket": "H-1",
        "defendant": story.RAY,
        "charges": [{"code": "23C", "description": "Shoplifting", "severity": "misdemeanor"}],
        "offense_on": "2026-01-20",
        "filed_on": "2026-02-10",
    }
    ray.chen.do("/v1/cases", sent)
    assert office.told("case.filed", filed("H-1", accused(RAY))) == Counter(accepted=1)
    office.told("case.filed", filed("H-2", accused(RAY)))
    assert ray.chen.post("/v1/cases", sent | {"docket": "H-2"}).status_code == 422
    assert len(cases(ray, "H-1")) == 1 == len(cases(ray, "H-2"))


def test_what_is_told_twice_or_late_changes_nothing(office: Publisher, ray: story.Ray) -> None:
    office.told("case.filed", filed("T-1", accused(RAY)))
    newer, older = TOLD + timedelta(days=2), TOLD + timedelta(days=1)
    office.told("case.updated", updated("T-1", accused(RAY, THEFT, BURGLARY)), newer)
    position = office.lead.parts.log.position()
    office.told("case.filed", filed("T-1", accused(RAY)))
    office.told("case.updated", updated("T-1", accused(RAY)), older)
    office.told("case.updated", updated("T-1", accused(RAY, THEFT, BURGLARY)), newer)
    assert office.lead.parts.log.position() == position
    (case,) = cases(ray, "T-1")
    assert [charge["code"] for charge in case["charges"]] == ["23C", "220"]


def test_what_comes_days_too_early_waits_for_its_docket(office: Publisher, ray: story.Ray) -> None:
    assert office.told("case.hearing", hearing("E-1")) == Counter(early=1)
    assert office.told("case.disposed", _disposed("E-1", "dismissed")) == Counter(early=1)
    office.told("case.filed", filed("E-1", accused(ANA)))
    (case,) = cases(ray, "E-1")
    assert case["disposition"] == "dismissed"
    assert case["next_hearing"] is not None


def _disposed(docket: str, how: str, *people: dict[str, Any], on: str = "2026-03-02") -> dict[str, Any]:
    return of(docket, *people) | {"CaseDisposition": {"DispositionCode": how, "DispositionDate": {"Date": on}}}


def test_nobody_is_shown_with_a_co_defendant(office: Publisher, ray: story.Ray) -> None:
    office.told("case.filed", filed("M-1", accused(RAY, THEFT), accused(ANA, BURGLARY)))
    both = {case["defendant"]: [c["code"] for c in case["charges"]] for case in cases(ray, "M-1")}
    assert both == {"Ray Bell": ["23C"], "Ana Cruz": ["220"]}
    accept(office.lead, ray)
    office.told("case.hearing", hearing("M-1", ANA))
    office.told("case.hearing", hearing("M-1", CourtEventCategoryCode="trial", ActivityIdentification=_id("E-2")))
    his = [e for e in told_care(ray) if e["stream_id"] == _stream(ray, "M-1")]
    assert "Cruz" not in str(his)
    assert "220" not in str(his)
    assert [e["body"]["hearing_kind"] for e in his if e["kind"] == "hearing.set"] == ["trial"], "hers is not his"
    assert {c["defendant"]: c["next_hearing"] is not None for c in cases(ray, "M-1")} == dict.fromkeys(both, True)


def _id(number: str) -> dict[str, str]:
    return {"IdentificationID": number}


def _stream(ray: story.Ray, docket: str) -> str:
    found: str = next(e["stream_id"] for e in told_care(ray) if e["body"].get("docket") == docket)
    return found


def test_a_defendant_joins_and_leaves_a_docket(office: Publisher, ray: story.Ray) -> None:
    office.told("case.filed", filed("J-1", accused(RAY)))
    office.told("case.updated", updated("J-1", accused(RAY), accused(ANA)), TOLD + timedelta(hours=1))
    assert {case["defendant"] for case in cases(ray, "J-1")} == {"Ray Bell", "Ana Cruz"}
    office.told("case.updated", updated("J-1", accused(ANA)), TOLD + timedelta(hours=2))
    assert {case["defendant"] for case in cases(ray, "J-1")} == {"Ana Cruz"}


def test_a_replaced_docket_is_the_same_case_under_either_number(office: Publisher, ray: story.Ray) -> None:
    office.told("case.filed", filed("MAG-1", accused(RAY), accused(ANA)))
    follows = {"CourtCaseFollowCaseIdentification": _id("MAG-1")}
    office.told("case.updated", updated("CR-1", accused(RAY), **follows), TOLD + timedelta(hours=1))
    (his,), (hers,) = cases(ray, "CR-1"), cases(ray, "MAG-1")
    assert (his["defendant"], hers["defendant"]) == ("Ray Bell", "Ana Cruz"), "one went on under another number"
    office.told("case.disposed", _disposed("MAG-1", "dismissed", RAY), TOLD + timedelta(hours=2))
    office.told("case.hearing", hearing("CR-1"), TOLD + timedelta(hours=2))
    (his,), (hers,) = cases(ray, "CR-1"), cases(ray, "MAG-1")
    assert (his["disposition"], hers["disposition"]) == ("dismissed", None)
    assert his["next_hearing"] is not None
    assert hers["next_hearing"] is None
    assert office.told("case.filed", filed("MAG-1", accused(RAY))) == Counter(accepted=1)
    assert len(cases(ray, "CR-1")) == 1 == len(cases(ray, "MAG-1")), "a late word of the old number is no case"


def test_a_new_number_that_comes_before_the_old_one(office: Publisher, ray: story.Ray) -> None:
    follows = {"CourtCaseFollowCaseIdentification": _id("MAG-2")}
    office.told("case.filed", filed("CR-2", accused(RAY), **follows), TOLD + timedelta(hours=1))
    office.told("case.filed", filed("MAG-2", accused(RAY)))
    assert len(cases(ray, "CR-2")) == 1
    assert cases(ray, "MAG-2") == []


def test_declining_is_a_decision_and_never_a_finding(office: Publisher, ray: story.Ray) -> None:
    tracked = {"CaseTrackingID": "PA-1"}
    office.told("case.filed", filed("D-1", accused(RAY), **tracked))
    declined = {
        "CourtCase": {
            "CaseTrackingID": "PA-1",
            "CaseDefendantParty": [accused(RAY)],
            "ProsecutionCaseScreenedDate": {"Date": "2026-02-09"},
        }
    }
    office.told("case.declined", declined)
    office.told("case.declined", declined)
    assert cases(ray, "D-1")[0]["last_decision"] == "decline to file"
    never = deepcopy(declined)
    never["CourtCase"]["CaseTrackingID"] = "PA-2"
    before = len(ray.chen.see("/v1/prosecutor/decisions")["decisions"])
    office.told("case.declined", never)
    assert len(ray.chen.see("/v1/prosecutor/decisions")["decisions"]) == before + 1, "its own, filed or not"
    audited(office.lead)
    actions = {row["action"] for row in findings(office.lead.person("pat"))}
    assert "decline to file" not in actions


# The court's ---------------------------------------------------------------------------------------------------------


def test_of_a_courts_docket_only_whom_lead_may_know_is_kept_and_nobody_can_tell(
    court: Publisher, ray: story.Ray
) -> None:
    partners = [ray.kim, ray.chen, court.lead.person("judge"), court.lead.person("marta")]
    before = [everything(who, lookups=(story.RAY,)) for who in partners]
    assert court.told("case.initiated", initiated("C-1", accused(ANA))) == Counter(unknown=1)
    assert court.told("case.hearing", hearing("C-1", ANA)) == Counter(unknown=1)
    assert court.states("C-1") == []
    assert court.told("case.initiated", initiated("C-2", accused(RAY), accused(ANA))) == Counter(unknown=1)
    assert [state.defendant.name.given for state in court.states("C-2")] == ["Ray"]
    accept(court.lead, ray)
    court.told("case.hearing", hearing("C-2"))
    court.told("case.order", of("C-2", RAY) | {"CourtOrder": _order("release")})
    court.told("case.hearing", hearing("C-2", ANA, ActivityIdentification=_id("E-9")))
    his = [e for e in told_care(ray) if e["stream_id"] == _stream(ray, "C-2")]
    assert sorted(e["kind"] for e in his) == ["case.entered", "hearing.set", "order.entered"]
    assert "Cruz" not in str(his)
    assert [everything(who, lookups=(story.RAY,)) for who in partners] == before, "a listed case would tell who is here"


def _order(kind: str) -> dict[str, Any]:
    return {"CourtOrderCategoryCode": kind, "CourtOrderIssuingDate": {"Date": "2026-03-02"}}


def test_the_clerk_cannot_find_out_by_entering_the_docket_by_hand(court: Publisher, ray: story.Ray) -> None:
    court.told("case.initiated", initiated("C-3", accused(RAY)))
    court.told("case.hearing", hearing("C-3"))
    judge = court.lead.person("judge")
    sent = {
        "docket": "C-3",
        "defendant": story.RAY,
        "charges": [{"code": "23C", "description": "Shoplifting", "severity": "misdemeanor"}],
        "filed_on": "2026-02-10",
    }
    judge.do("/v1/court/cases", sent)
    court.lead.settle()
    (case,) = [c for c in judge.see("/v1/court/cases")["cases"] if c["docket"] == "C-3"]
    assert case["next_hearing"] is None, "what it did not enter, it does not read"
    assert judge.post("/v1/court/cases", sent).status_code == 422
    court.told("case.hearing", hearing("C-3", ActivityIdentification=_id("E-3")), TOLD + timedelta(days=5))
    (case,) = [c for c in judge.see("/v1/court/cases")["cases"] if c["docket"] == "C-3"]
    assert case["next_hearing"] is not None, "of a docket that is public, all is"


def test_nor_by_recording_the_warrant(court: Publisher, ray: story.Ray) -> None:
    judge = court.lead.person("judge")
    warrant = {
        "ActivityIdentification": _id("W-9"),
        "WarrantCategoryCode": "bench",
        "CourtOrderIssuingDate": {"Date": "2023-09-12"},
    }
    court.told("case.order", of("W-C", RAY) | {"Warrant": warrant})
    sent = {"number": "W-9", "kind": "bench", "issued_on": "2023-09-12", "defendant": story.RAY}
    judge.do("/v1/warrants", sent)
    assert judge.post("/v1/warrants", sent).status_code == 422
    court.lead.settle()
    assert [w["number"] for w in judge.see("/v1/court/warrants")["warrants"]] == ["W-9"]


def test_in_one_batch_a_case_and_its_hearings_are_taken_together(court: Publisher, ray: story.Ray) -> None:
    messages = [
        ("initiated", initiated("B-1", accused(RAY))),
        ("hearing", hearing("B-1")),
        ("order", _with_order("B-1")),
    ]
    assert court.tell(*(court.raw(f"case.{kind}", data) for kind, data in messages)) == Counter(accepted=3)


def _with_order(docket: str) -> dict[str, Any]:
    return of(docket) | {"CourtOrder": _order("no contact")}


def test_who_comes_to_lead_within_hours_is_found_in_what_was_kept(court: Publisher, ray: story.Ray) -> None:
    bo = {
        "PersonName": {"PersonGivenName": "Bo", "PersonSurName": "Lind"},
        "PersonBirthDate": {"Date": "1979-02-03"},
    }
    court.told("case.initiated", initiated("L-1", accused(RAY), accused(bo), accused(ANA)))
    court.told("case.initiated", initiated("L-2", accused(bo)))
    court.told("case.hearing", hearing("L-2"))
    assert {state.defendant.name.given for state in court.states("L-1")} == {"Ray"}
    until = {kept.until for kept in court.feed.stream.kept(Keeping.UNKNOWN)}
    person = {"given": "Bo", "surname": "Lind", "birth_date": "1979-02-03"}
    charge = {"code": "23C", "description": "Shoplifting", "severity": "misdemeanor", "prosecutor": "county-pa"}
    offer = {"door": "arrest_diversion", "incident_number": "2026-90001", "place": "Pine", "facts": "Took a coat."}
    ray.kim.do("/v1/referrals", offer | {"person": person, "charges": [charge]})
    court.feed.sweep()
    assert {state.defendant.name.given for state in court.states("L-1")} == {"Ray", "Bo"}
    (state,) = court.states("L-2")
    assert len(hearings(court.lead.parts.log.load(state.id))) == 1
    assert {kept.until for kept in court.feed.stream.kept(Keeping.UNKNOWN)} <= until, "nobody is kept for longer by it"


def test_another_process_finds_the_docket(office: Publisher, ray: story.Ray) -> None:
    lead = office.lead
    office.told("case.filed", filed("Q-1", accused(RAY), accused(ANA)))
    with opened(lead.parts.database, Settings(environment="test", prefix=lead.parts.database.prefix)) as parts:
        elsewhere = Publisher(replace(lead, parts=parts), "county-pa")
        assert elsewhere.told("case.disposed", _disposed("Q-1", "dismissed")) == Counter(accepted=1)
    office.told("case.disposed", _disposed("Q-1", "dismissed"))
    assert [case["disposition"] for case in cases(ray, "Q-1")] == ["dismissed"] * 2


def test_a_hearing_is_set_moved_and_over_by_the_courts_own_number(office: Publisher, ray: story.Ray) -> None:
    office.told("case.filed", filed("R-1", accused(RAY)))
    office.told("case.hearing", hearing("R-1"))
    moved = hearing("R-1", at="2026-04-21T09:00:00-07:00")
    office.told("case.hearing", moved, TOLD + timedelta(hours=2))
    office.told("case.hearing", hearing("R-1", at="2026-04-18T09:00:00-07:00"), TOLD + timedelta(hours=1))
    office.told("case.hearing", moved, TOLD + timedelta(hours=2))
    assert cases(ray, "R-1")[0]["next_hearing"].startswith("2026-04-21"), "what was said last holds"
    office.told("case.hearing", moved, TOLD + timedelta(hours=3), operation="delete")
    assert cases(ray, "R-1")[0]["next_hearing"] is None
    office.told("case.hearing", moved, TOLD + timedelta(hours=4))
    assert cases(ray, "R-1")[0]["next_hearing"].startswith("2026-04-21"), "it is on the calendar again"
    office.told("case.hearing", hearing("R-1", CourtEventOutcomeCode="held"), TOLD + timedelta(hours=5))
    (aside,) = office.feed.stream.kept(Keeping.SET_ASIDE)
    assert aside.faults[0]["pointer"] == "/outcome", "nobody held a hearing that has not begun"
    settle(office.lead.parts.site, aside, DropMessage(why="A slip."))


def test_a_warrant_stands_and_ends(office: Publisher, court: Publisher, ray: story.Ray) -> None:
    def told(number: str, person: dict[str, Any], **more: Any) -> dict[str, Any]:
        warrant = {
            "ActivityIdentification": _id(number),
            "WarrantCategoryCode": "failure to appear",
            "CourtName": "District Court",
            "CourtOrderIssuingDate": {"Date": "2023-09-12"},
        }
        return of("W-D", person) | {"Warrant": warrant | more}

    def states() -> dict[str, str]:
        return {w["number"]: w["state"] for w in ray.chen.see("/v1/prosecutor/warrants")["warrants"]}

    office.told("case.order", told("W-1", ANA))
    assert states()["W-1"] == "active"
    ended = {"WarrantStatusCode": "quashed", "WarrantStatusDate": {"Date": "2026-03-02"}}
    office.told("case.order", told("W-1", ANA, **ended))
    office.told("case.order", told("W-1", ANA))
    assert states()["W-1"] == "quashed"
    office.told("case.order", told("W-1", ANA), operation="delete")
    assert "W-1" not in states()
    assert court.told("case.order", told("W-2", ANA)) == Counter(unknown=1)
    assert court.told("case.order", told("W-3", RAY)) == Counter(accepted=1)


# What is not there any more ------------------------------------------------------------------------------------------


def is_erased(lead: SiteUnderTest, case: str) -> bool:
    """Return whether the key of a case is destroyed; `case`: as the office calls it."""
    site = lead.parts.site
    matter = site.ids.open(site.directory.by_code("county-pa", "party").id, case)
    return any(recorded.event.matter_id == matter for recorded in site.log.of_topics([MatterErased.topic]))


@pytest.mark.parametrize("how", ["sealed", "retracted"])
def test_a_sealed_case_and_one_entered_in_error_are_nowhere_and_look_alike(
    office: Publisher, ray: story.Ray, how: str
) -> None:
    lead, docket = office.lead, f"S-{how}"
    pat, ames = lead.person("pat"), lead.person("ames")
    readers = [ray.kim, ray.chen, ray.dana, pat, ames]
    audited(lead)
    found, everyone = findings(pat), [everything(who, lookups=(story.RAY,)) for who in readers]
    office.told("case.filed", filed(docket, accused(RAY)))
    office.told("case.hearing", hearing(docket))
    accept(lead, ray)
    audited(lead)
    case = cases(ray, docket)[0]["case_id"]
    assert docket in str(told_care(ray))
    assert len(findings(pat)) == len(found) + 1 == len(observed(ames))
    seal = of(docket, SealedScopeCode="case") | {"CourtOrder": {"CourtOrderIssuingDate": {"Date": "2026-03-23"}}}
    at = TOLD + timedelta(days=1)
    office.told(f"case.{how}", seal if how == "sealed" else of(docket), at)
    assert docket not in str(told_care(ray))
    for who, before in zip(readers, everyone, strict=True):
        now = everything(who, lookups=(story.RAY,))
        assert docket not in now
        assert who in (ray.dana, pat) or now == before, "no reader is left with a trace of it"
    assert findings(pat) == found
    assert ray.chen.post(f"/v1/cases/{case}/decisions", {"kind": "dismiss"}).status_code == 404
    office.told("case.hearing", hearing(docket, CourtEventCategoryCode="trial"), at)
    office.told("case.filed", filed(docket, accused(RAY)))
    assert cases(ray, docket) == [], "an old word does not bring it back"
    office.told("case.filed", filed(docket, accused(RAY)), at + timedelta(hours=1))
    assert len(cases(ray, docket)) == (how == "retracted"), "what is sealed stays so; an error is put right"
    assert is_erased(lead, case) == (how == "sealed"), "and its key is destroyed"


def test_a_hold_makes_a_seal_wait_and_what_waits_is_dark_all_the_same(office: Publisher, ray: story.Ray) -> None:
    lead, noor = office.lead, office.lead.person("noor")
    file(ray.chen, ray.offices_id(), "HOLD-1", filed_on="2026-03-20")
    lead.settle()
    case = cases(ray, "HOLD-1")[0]["case_id"]
    hold = noor.do(f"/v1/participants/{ray.care}/holds", {"ground": "litigation"})["hold"]
    seal = of("HOLD-1", SealedScopeCode="case") | {"CourtOrder": {"CourtOrderIssuingDate": {"Date": "2026-03-23"}}}
    office.told("case.sealed", seal, TOLD + timedelta(days=5))
    assert cases(ray, "HOLD-1") == []
    assert not is_erased(lead, case)
    noor.do(f"/v1/participants/{ray.care}/holds/{hold}/endings", {})
    assert is_erased(lead, case)


def test_a_sealed_case_that_the_office_named_a_participant_in_is_nowhere_either(
    office: Publisher, ray: story.Ray
) -> None:
    file(ray.chen, ray.offices_id(), "N-1", filed_on="2026-03-20")
    office.lead.settle()
    assert "N-1" in str(told_care(ray))
    seal = of("N-1", SealedScopeCode="case") | {"CourtOrder": {"CourtOrderIssuingDate": {"Date": "2026-03-23"}}}
    office.told("case.sealed", seal, TOLD + timedelta(days=5))
    audited(office.lead)
    readers = [ray.kim, ray.chen, ray.dana, office.lead.person("pat"), office.lead.person("ames")]
    assert all("N-1" not in everything(who, lookups=(story.RAY,)) for who in readers)


def test_a_sealed_charge_is_not_there_and_the_rest_of_the_case_is(office: Publisher, ray: story.Ray) -> None:
    office.told("case.filed", filed("S-1", accused(RAY, THEFT, BURGLARY)))
    number = {"ArrestTransactionNumber": "A26-1", "ChargeSequenceID": "2"}
    scope = {"SealedScopeCode": "charge", "CaseCharge": [number]}
    seal = of("S-1", **scope) | {"CourtOrder": {"CourtOrderIssuingDate": {"Date": "2026-03-23"}}}
    office.told("case.sealed", seal)
    office.told("case.updated", updated("S-1", accused(RAY, BURGLARY, THEFT)), TOLD + timedelta(hours=1))
    accept(office.lead, ray)
    assert [charge["code"] for charge in cases(ray, "S-1")[0]["charges"]] == ["23C"]
    assert "220" not in str([e for e in told_care(ray) if e["stream_id"] == _stream(ray, "S-1")])


def test_an_order_that_was_entered_in_error_is_not_there(court: Publisher, ray: story.Ray) -> None:
    def orders() -> list[str]:
        return [e["body"]["kind"] for e in told_care(ray) if e["stream_id"] == case and e["kind"].startswith("order.")]

    court.told("case.initiated", initiated("O-1", accused(RAY)))
    accept(court.lead, ray)
    case = _stream(ray, "O-1")
    court.told("case.order", of("O-1") | {"CourtOrder": _order("detention")})
    court.told("case.order", _with_order("O-1"))
    assert sorted(orders()) == ["detention", "no contact"]
    later = TOLD + timedelta(hours=1)
    court.told("case.order", of("O-1") | {"CourtOrder": _order("detention")}, later, operation="delete")
    court.told("case.order", of("O-1") | {"CourtOrder": _order("detention")})
    assert orders() == ["no contact"], "it was never made, and an old word does not bring it back"
    court.told("case.order", of("O-1") | {"CourtOrder": _order("detention")}, later + timedelta(hours=1))
    assert sorted(orders()) == ["detention", "no contact"]


# The audit -----------------------------------------------------------------------------------------------------------


def test_a_linked_filing_and_a_raised_charge_are_found_and_the_office_is_not_asked(
    office: Publisher, ray: story.Ray
) -> None:
    lead, pat = office.lead, office.lead.person("pat")
    ray.chen.see(f"/v1/prosecutor/participants/{ray.offices_id()}")
    ray.at("2026-03-25 12:00")
    office.told("case.filed", filed("A-1", accused(RAY)), TOLD + timedelta(days=5))
    audited(lead)
    before = len(findings(pat))
    accept(lead, ray)
    audited(lead)
    assert len(findings(pat)) == before + 1
    assert findings(pat)[0]["alarm"], "who acted is not told: what any of the office was shown counts"
    asked = ray.chen.see("/v1/prosecutor/findings")["findings"]
    office.told("case.updated", updated("A-1", accused(RAY, THEFT, BURGLARY)), TOLD + timedelta(days=5, hours=1))
    audited(lead)
    assert findings(pat)[0]["action"] == "charge raised"
    assert ray.chen.see("/v1/prosecutor/findings")["findings"] == asked, "to be asked would tell whose case it is"
    entry = next(e for e in told_care(ray, kinds=("identity.linked",)))
    lead.person("noor").do(f"/v1/participants/{ray.care}/links/{entry['entry_id']}/endings", {"why": "Another Ray."})
    lead.settle()
    assert len(findings(pat)) == before, "what followed from the link is taken back with it"


def test_a_link_adds_leads_column_to_the_offices_own_case_and_takes_it_away(office: Publisher, ray: story.Ray) -> None:
    lead = office.lead
    office.told("case.filed", filed("L-1", accused(RAY)))

    def columns() -> list[Any]:
        lead.settle()
        shared = ray.chen.see("/v1/prosecutor/pending-cases?only=shared")["cases"]
        whole = cases(ray, "L-1")
        assert [case["lead"] for case in shared if case["docket"] == "L-1"] == [
            case["lead"] for case in whole if case["lead"] is not None
        ]
        return [case["lead"] and case["lead"]["enrolment"] for case in whole]

    assert columns() == [None], "a proposal is no link"
    accept(lead, ray)
    assert columns() == ["enrolled"]
    entry = next(e for e in told_care(ray, kinds=("identity.linked",)))
    lead.person("noor").do(f"/v1/participants/{ray.care}/links/{entry['entry_id']}/endings", {"why": "Another Ray."})
    assert columns() == [None]


# Whose what is -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "kind", "data"),
    [
        ("district-court", "case.filed", filed("X-1", accused(RAY))),
        ("county-pa", "case.initiated", initiated("X-1", accused(RAY))),
        ("county-pa", "case.order", of("X-1", RAY) | {"CourtOrder": _order("release")}),
        ("city-pd", "case.filed", filed("X-1", accused(RAY))),
        ("city-pd", "case.retracted", of("X-1")),
        ("probation", "case.hearing", hearing("X-1")),
    ],
)
def test_an_agency_sends_only_what_is_its_own_to_say(
    lead: SiteUnderTest, ray: story.Ray, code: str, kind: str, data: Any
) -> None:
    agency = Publisher(lead, code)
    assert agency.told(kind, data) == Counter({"set aside": 1})
    (aside,) = agency.feed.stream.kept(Keeping.SET_ASIDE)
    assert aside.faults[0]["code"] == "not-yours"
    settle(lead.parts.site, aside, DropMessage(why="Not theirs."))


def test_the_charge_table_says_what_a_charge_is_called_and_decides_nothing(court: Publisher, ray: story.Ray) -> None:
    listed = deepcopy(contract.TYPES["org.lead.charge.listed.v1"].model.example)
    log, key = court.lead.parts.log, listed["Charge"]["ChargeKey"]

    def now() -> Any:
        return last_told(log.load(charge_stream(court.party, key)))

    court.told("charge.listed", listed, TOLD + timedelta(hours=1))
    older = deepcopy(listed)
    older["Charge"]["ChargeSeverityText"] = "felony"
    court.told("charge.listed", older)
    assert isinstance(now(), ChargeListed)
    assert now().severity == "gross misdemeanor"
    court.told("charge.listed", None, TOLD + timedelta(hours=2), key=key)
    assert isinstance(now(), ChargeUnlisted)
    divertible = court.lead.parts.site.protocol().divertible
    assert "23C" in divertible, "the protocol's, whatever the table says"
    unknown = THEFT | {"ChargeUCRCode": "99Z", "ChargeKey": "RCW-NEW"}
    assert court.told("case.initiated", initiated("K-1", accused(RAY, unknown))) == Counter(accepted=1)


def test_a_match_is_proposed_by_what_the_court_says_alone(court: Publisher, ray: story.Ray) -> None:
    court.told("case.initiated", initiated("P-1", accused(RAY)))
    proposal = court.lead.parts.log.of_topics([MatchProposed.topic])[-1].event
    assert isinstance(proposal, MatchProposed)
    assert proposal.source == court.party
    assert local("2026-03-24 12:00") <= proposal.occurred_at


def test_prints_that_come_with_a_later_word_link_the_case_and_the_office_cannot_tell(
    office: Publisher, ray: story.Ray
) -> None:
    def printed(person: dict[str, Any]) -> dict[str, Any]:
        return person | {"PersonStateIdentification": {"IdentificationID": "WA10555555"}}

    noor = office.lead.person("noor")
    office.told("case.filed", filed("PR-1", accused(printed(RAY))))
    asked = noor.see("/v1/case-manager/matches")["matches"]
    (match,) = (match["match_id"] for match in asked if match["record"] and match["record"]["sid"] == "WA10555555")
    noor.do(f"/v1/participants/{ray.care}/matches/{match}/reviews", {"same": True, "why": "He told us."})
    office.lead.settle()
    office.told("case.filed", filed("PR-2", accused(RAY)))
    waiting = noor.see("/v1/case-manager/matches")["matches"]
    assert "PR-2" not in str(told_care(ray))
    (before,) = cases(ray, "PR-2")
    office.told("case.updated", updated("PR-2", accused(printed(RAY))), TOLD + timedelta(hours=1))
    assert "PR-2" in str(told_care(ray))
    assert len(noor.see("/v1/case-manager/matches")["matches"]) == len(waiting) - 1, "nobody is asked any more"
    (after,) = cases(ray, "PR-2")
    assert after == before | {"lead": after["lead"]}, "its own record says nothing of the link"
    respelt = deepcopy(printed(RAY))
    respelt["PersonName"]["PersonGivenName"] = "Raymond"
    office.told("case.updated", updated("PR-2", accused(respelt)), TOLD + timedelta(hours=2))
    assert cases(ray, "PR-2")[0]["defendant"] == "Raymond Bell", "its own record is what it says now"
    office.told("case.updated", updated("PR-2", accused(ANA)), TOLD + timedelta(hours=3))
    assert cases(ray, "PR-2")[0]["defendant"] == "Ana Cruz"
    assert "PR-2" not in str(told_care(ray)), "another defendant is another case"
