"""Scenario K: a docket is vacated. It goes dark everywhere, its key dies, the log verifies, his life with LEAD stays.

And what a hold does: an order waits, visibly, and nothing is destroyed meanwhile.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest

from adapters.postgres.log import PostgresLog
from adapters.postgres.sealer import Sealer
from adapters.simulation.cast import callers
from domain.door import ReferralDeclined
from domain.event import Event, PersonName, Recorded
from domain.identity import MatchProposed, RecordSubject
from domain.participant import IntakeCompleted
from domain.retention import HoldPlaced, MatterErased, ParticipantErased
from services.arrests import ArrestTold, tell_arrest
from services.ports import Append
from services.retention import Retentions
from tests.scenarios import ray as story
from tests.scenarios.eyes import everything
from tests.scenarios.test_i_doors import DOORWAY, OUTREACH
from tests.site import Person, SiteUnderTest, local

pytestmark = pytest.mark.server

OLD, OTHER = "19-1-00231-4", "23-1-00871-2"
THEFT = [{"code": "23C", "description": "Shoplifting", "severity": "misdemeanor"}]
EVERYBODY = ("dana", "noor", "kim", "chen", "judge", "marta", "ames", "shaw", "imani", "pat", "r.bell")


def _case(docket: str) -> dict[str, Any]:
    return {"docket": docket, "defendant": story.RAY, "charges": THEFT, "filed_on": "2019-06-01"}


def _filing(docket: str) -> dict[str, Any]:
    dates = {"offense_on": "2019-05-01", "filed_on": "2019-06-01"}
    return {"docket": docket, "defendant": story.RAY, "charges": THEFT, **dates}


def _seen(people: dict[str, Person]) -> dict[str, str]:
    return {name: everything(person) for name, person in people.items()}


def _key(lead: SiteUnderTest, subject: UUID) -> tuple[bool, bool]:
    """Return whether a subject's key was made, and whether it is destroyed."""
    with psycopg.connect(lead.parts.database.url) as owner:
        found = owner.execute("select wrapped is null from log.key where subject_id = %s", [subject]).fetchall()
    return bool(found), bool(found and found[0][0])


def _found(ray: story.Ray, docket: str) -> str:
    """Let care record a case that it found; return it, as Legal Services calls it."""
    ray.dana.do(f"/v1/participants/{ray.care}/cases", {"court": "District Court", "docket": docket})
    ray.site.settle()
    shaw = ray.site.person("shaw")
    (who,) = (p["participant"] for p in shaw.see("/v1/legal-services/participants")["participants"])
    entries = shaw.see(f"/v1/legal-services/participants/{who}")["history"]
    found: str = next(e["matter_id"] for e in entries if e["body"].get("docket") == docket)
    return found


def _orders(lead: SiteUnderTest) -> tuple[Person, str]:
    shaw = lead.person("shaw")
    (who,) = (p["participant"] for p in shaw.see("/v1/legal-services/participants")["participants"])
    return shaw, f"/v1/participants/{who}/orders"


@pytest.fixture
def ray(lead: SiteUnderTest) -> story.Ray:
    """Ray, enrolled, with two old dockets that the court, the office and care have."""
    ray = story.arrest(lead)
    story.enrol(ray)
    ray.at("2026-03-24 10:00")
    ray.dana.do(f"/v1/participants/{ray.care}/access", {"subject": "r.bell"})
    judge = lead.person("judge")
    for docket in (OLD, OTHER):
        judge.do("/v1/court/cases", _case(docket))
        ray.chen.do("/v1/cases", _filing(docket))
    lead.settle()
    return ray


def test_a_vacated_docket_goes_dark_everywhere_and_nothing_else_does(ray: story.Ray) -> None:
    lead = ray.site
    case = _found(ray, OLD)
    people = {name: lead.person(name) for name in EVERYBODY}
    seen = _seen(people)
    assert all(OLD in seen[name] for name in ("dana", "chen", "judge", "shaw", "r.bell")), "it was there to be lost"

    shaw, orders = _orders(lead)
    made = shaw.do(orders, {"order": "vacated", "ordered_on": "2026-03-23", "cases": [case]})["orders"]
    assert len(made) == 3, "one for each who told of it"
    lead.settle()
    left = _seen(people)
    assert not [name for name, text in left.items() if OLD in text], "it is there to nobody"
    assert [name for name in EVERYBODY if OTHER in seen[name]] == [name for name in EVERYBODY if OTHER in left[name]]
    assert story.NARRATIVE in left["dana"], "his file is his file"

    # Three parties had told of it: three matters, and the key of each is gone; no other is.
    gone = {recorded.event.matter_id for recorded in lead.parts.log.of_topics([MatterErased.topic])}
    assert len(gone) == 3
    assert all(_key(lead, matter) == (True, True) for matter in gone if matter is not None)
    with psycopg.connect(lead.parts.database.url) as owner:
        ((destroyed,),) = owner.execute("select count(*) from log.key where wrapped is null").fetchall()
    assert destroyed == 3

    # The log verifies, the destroyed included: a leaf is of the bytes as they are stored.
    sealer = Sealer(lead.parts.database.login("sealer"), lead.parts.database.secrets.checkpoint_key, "test")
    assert sealer.checkpoint() is not None

    # What the office's system still sends of it does not bring it back.
    lines = people["chen"].see("/v1/prosecutor/pending-cases")["cases"]
    assert [line["docket"] for line in lines] == [OTHER]
    accounting = people["r.bell"].see(f"/v1/participants/{_himself(people['r.bell'])}/accounting")["disclosures"]
    assert accounting, "who saw what stays readable to him"


def _himself(person: Person) -> str:
    found: str = person.see("/v1/participant")["participant"]
    return found


def test_what_a_restarted_process_knows_of_a_docket_is_forgotten_too(ray: story.Ray) -> None:
    lead = ray.site
    case = _found(ray, OLD)
    site = lead.parts.site
    site.dockets.refresh()
    office = site.directory.by_code("county-pa", "party").id
    assert site.dockets.under(office, OLD)
    shaw, orders = _orders(lead)
    shaw.do(orders, {"order": "sealed", "ordered_on": "2026-03-23", "cases": [case]})
    site.dockets.refresh()
    assert site.dockets.under(office, OLD) == []


def test_a_hold_makes_an_order_wait_visibly_until_it_is_lifted(ray: story.Ray) -> None:
    lead, noor, imani = ray.site, ray.site.person("noor"), ray.site.person("imani")
    case = _found(ray, OLD)
    hold = noor.do(f"/v1/participants/{ray.care}/holds", {"ground": "litigation"})["hold"]
    shaw, orders = _orders(lead)
    shaw.do(orders, {"order": "vacated", "ordered_on": "2026-03-23", "cases": [case]})
    shaw.do(orders, {"order": "expunged", "ordered_on": "2026-03-24"})
    again = shaw.post(orders, {"order": "vacated", "ordered_on": "2026-03-23", "cases": [case]})
    assert again.json()["faults"][0]["field"] == "cases"
    lead.settle()
    waiting = imani.see("/v1/privacy/seal-orders")["orders"]
    assert {(line["names"], *line["waits_for"]) for line in waiting} == {
        ("a matter", "litigation"),
        ("the participant", "litigation", "the end of retention"),
    }
    assert OLD not in str(waiting), "an order tells nothing of what it is about"
    assert OLD in everything(ray.dana), "nothing is destroyed while it waits"
    assert not lead.parts.log.of_topics([MatterErased.topic])

    noor.do(f"/v1/participants/{ray.care}/holds/{hold}/endings", {})
    assert noor.post(f"/v1/participants/{ray.care}/holds/{hold}/endings", {}).json()["faults"][0]["field"] == "hold"
    lead.settle()
    left = imani.see("/v1/privacy/seal-orders")["orders"]
    assert all(line["carried_out_at"] for line in left if line["names"] == "a matter")
    assert [line["waits_for"] for line in left if line["names"] == "the participant"] == [["the end of retention"]]
    assert OLD not in everything(ray.dana)
    assert story.NARRATIVE in everything(ray.dana), "retention has not run"


def test_only_those_who_keep_records_may_order_and_hold(ray: story.Ray) -> None:
    for person in (ray.dana, ray.kim, ray.chen, ray.site.person("pat")):
        assert person.post(f"/v1/participants/{ray.care}/holds", {"ground": "litigation"}).status_code == 403
        order = {"order": "sealed", "ordered_on": "2026-03-23"}
        assert person.post(f"/v1/participants/{ray.care}/orders", order).status_code == 403


def test_at_the_end_of_retention_the_content_is_gone_and_the_accounting_stays(ray: story.Ray) -> None:
    lead, log = ray.site, ray.site.parts.log
    himself, imani = lead.person("r.bell"), lead.person("imani")
    lead.settle()
    own = _himself(himself)
    shown = himself.see(f"/v1/participants/{own}/accounting")["disclosures"]
    ray.dana.do(
        f"/v1/participants/{ray.care}/discharge",
        {"ground": "sustained lack of engagement", "tried": "Calls, visits, letters."},
    )
    days = lead.parts.site.protocol().retention_days
    last = _last_word(lead)
    lead.clock.at(last + timedelta(days=days) - timedelta(minutes=1))
    Retentions(lead.parts.site).beat()
    assert not log.of_topics([ParticipantErased.topic]), "a minute before, nothing is destroyed"

    lead.clock.at(last + timedelta(days=days + 1))
    (erased,) = _until(lead, 1, ParticipantErased)
    who = _who(lead)
    assert erased.event.participant_id == who
    assert _key(lead, who) == (True, True)
    lead.settle()
    for name in ("dana", "noor", "kim", "chen", "marta", "shaw", "ames", "pat"):
        text = everything(lead.person(name))
        assert "Bell" not in text or name == "chen", name  # whose own docket names him
        assert story.NARRATIVE not in text
    assert [line["docket"] for line in ray.chen.see("/v1/prosecutor/pending-cases")["cases"]], "the office's own stays"

    kept = [_told(line) for line in himself.see(f"/v1/participants/{own}/accounting")["disclosures"]]
    assert [line for line in map(_told, shown) if line not in kept] == [], "who saw what, when and why stays readable"
    assert imani.see("/v1/privacy/participants")["participants"], "the privacy officer still finds whose it was"
    assert Retentions(lead.parts.site).beat() == 0, "once"

    # Whoever comes again is somebody new: nothing can be written on a record that is erased.
    answer = ray.dana.post(f"/v1/participants/{ray.care}/aliases", {"alias": "Sunny"})
    assert answer.status_code == 404, answer.text


def test_a_hold_keeps_a_record_past_its_retention(ray: story.Ray) -> None:
    lead, log = ray.site, ray.site.parts.log
    ray.dana.do(
        f"/v1/participants/{ray.care}/discharge",
        {"ground": "sustained lack of engagement", "tried": "Calls, visits, letters."},
    )
    noor = lead.person("noor")
    noor.do(f"/v1/participants/{ray.care}/holds", {"ground": "records law"})
    lead.clock.at(_last_word(lead) + timedelta(days=lead.parts.site.protocol().retention_days + 1))
    Retentions(lead.parts.site).beat()
    assert not log.of_topics([ParticipantErased.topic])
    assert story.NARRATIVE in everything(ray.dana)


def _told(line: dict[str, Any]) -> dict[str, Any]:
    """Return a line of an accounting; of a notice no more than that it was sent: what it said was content."""
    notice = ("at", "what", "to", "labels", "purpose")
    return {name: line[name] for name in notice} if line["what"] == "notice" else line


def _last_word(lead: SiteUnderTest) -> datetime:
    """Return when the last was recorded about Ray, once all that he signed has run out: that it did is recorded too."""
    lead.clock.at(local("2027-06-01 09:00"))
    lead.wait_for_clocks()
    return max(r.recorded_at for r in lead.parts.log.history(_who(lead)))


def _until(lead: SiteUnderTest, count: int, kind: type[Event]) -> list[Recorded[Event]]:
    """Return what was erased, once the site's own worker has erased so many."""
    deadline = time.monotonic() + 20
    while len(found := lead.parts.log.of_topics([kind.topic])) < count and time.monotonic() < deadline:
        time.sleep(0.05)
    assert len(found) == count
    return found


def _who(lead: SiteUnderTest) -> UUID:
    (intake,) = lead.parts.log.of_topics([IntakeCompleted.topic])
    assert intake.event.participant_id is not None
    return intake.event.participant_id


def test_a_record_that_is_no_participants_is_erased_within_the_hours_of_the_feed(ray: story.Ray) -> None:
    lead, log = ray.site, ray.site.parts.log
    kim = callers(lead.parts.site)["kim"]
    person = RecordSubject(name=PersonName(given="Ray", surname="Bell"), birth_date=date(1984, 5, 9))
    charge = THEFT[0] | {"prosecutor": "county-pa", "race_as_perceived": "White"}
    told = ArrestTold.model_validate(
        {
            "number": "T-1",
            "told_at": log.now(),
            "arrested_at": log.now(),
            "person": person,
            "charges": [charge],
        }
    )
    lead.parts.site.people.refresh()
    log.record(tell_arrest(lead.parts.site, kim, told).appends, kim.envelope())
    (proposal,) = log.of_topics([MatchProposed.topic])
    lead.settle()
    match = ray.history(MatchProposed.topic)[0]["entry_id"]
    lead.person("noor").do(
        f"/v1/participants/{ray.care}/matches/{match}/reviews", {"same": False, "why": "Ten years older."}
    )
    Retentions(lead.parts.site).beat()
    assert not log.of_topics([MatterErased.topic]), "for some hours a slip can be put right"
    lead.clock.at(log.now() + timedelta(hours=lead.parts.site.protocol().feed_hours + 24))
    (gone,) = _until(lead, 1, MatterErased)
    assert gone.event.matter_id == proposal.event.matter_id
    assert all(r.erased for r in log.load(gone.stream)[:-1]), "nothing of the stranger can be read"
    lead.clock.at(log.now() + timedelta(days=2))
    Retentions(lead.parts.site).beat()
    assert len(log.of_topics([MatterErased.topic])) == 1, "once"


def test_one_record_that_cannot_be_erased_keeps_no_other(lead: SiteUnderTest, monkeypatch: pytest.MonkeyPatch) -> None:
    story.at_work(lead)
    log, dana = lead.parts.log, lead.person("dana")
    for where in ("pharmacy", "library"):
        lead.person("marta").do("/v1/referrals/without-arrest", DOORWAY | {"description": f"A man at the {where}"})
    lead.settle()
    for his in dana.see("/v1/case-manager/referrals")["referrals"]:
        dana.do(f"/v1/participants/{his['participant']}/contacts", OUTREACH)
        reason = {"how": "not accepted", "reason": "no legal response to be expected otherwise"}
        dana.do(f"/v1/referrals/{his['referral_id']}/decline", reason)
    declined = [r.event.participant_id for r in log.of_topics([ReferralDeclined.topic])]
    first, second = sorted(who for who in declined if who is not None)
    record = PostgresLog.record

    def failing(self: PostgresLog, appends: Sequence[Append], *rest: Any, **more: Any) -> Any:
        if any(event.participant_id == first for each in appends for event in each.events):
            raise OSError("the disk is full")
        return record(self, appends, *rest, **more)

    lead.clock.at(log.now() + timedelta(days=lead.parts.site.protocol().retention_days_not_enrolled + 1))
    with monkeypatch.context() as broken:
        broken.setattr(PostgresLog, "record", failing)
        (only,) = _until(lead, 1, ParticipantErased)
        assert only.event.participant_id == second
        with pytest.raises(OSError, match="full"):
            Retentions(lead.parts.site).beat()
    again = _until(lead, 2, ParticipantErased)  # by the site's own worker, which tries again
    assert {r.event.participant_id for r in again} == {first, second}


def test_a_hold_is_lifted_by_the_line_that_the_privacy_officer_reads(ray: story.Ray) -> None:
    lead, imani = ray.site, ray.site.person("imani")
    lead.person("noor").do(f"/v1/participants/{ray.care}/holds", {"ground": "an audit or investigation"})
    lead.settle()
    (row,) = imani.see("/v1/privacy/participants")["participants"]
    history = imani.see(f"/v1/privacy/participants/{row['participant']}")["history"]
    line = next(entry["entry_id"] for entry in history if entry["kind"] == HoldPlaced.topic)
    imani.do(f"/v1/participants/{row['participant']}/holds/{line}/endings", {})
