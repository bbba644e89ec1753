"""Arrests and custody by stream: whose they are, what is kept of everyone else, and what comes twice or too early."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from copy import deepcopy
from datetime import timedelta
from typing import Any

import psycopg
import pytest

from adapters.kafka.envelope import Record
from adapters.kafka.translate import reader
from domain.arrest import ArrestReported, BookingReported, ReleaseReported, ReportRetracted
from domain.finding import Adverse, FindingRaised
from domain.identity import MatchProposed, RecordLinked, RecordUnlinked, Rule
from domain.referral import ExclusionOverridden, ReferralOffered, ReferralReported
from domain.stop_record import ArrestRecorded, NoOffer
from services.feed import Feed
from services.ports import Keeping
from tests.adapters.kafka.messages import ARRESTED_AT, ATN, INCIDENT, WHO, person, raws, record
from tests.adapters.postgres.test_feed import holders
from tests.conftest import Database
from tests.scenarios import ray as story
from tests.scenarios.audit import audited, findings
from tests.site import SiteUnderTest, local, running_site

pytestmark = pytest.mark.server
RMS = "city-pd:WASPD0000"
JAIL = "transit-pd:WATPD0000"
BELL = person("Ray", "Bell", "1984-05-09", sid="WA10044871", own="MNI-20931")
STRANGER = person("Xochitl", "Quetzal", "1971-11-23", sid="WA77777777", own="MNI-88888")
NO_LEAD: dict[str, Any] = {"LeadDiversion": None}


@pytest.fixture
def lead(site_db: Database) -> Iterator[SiteUnderTest]:
    with running_site(site_db) as site:
        yield site


Take = Callable[..., Counter[str]]


@pytest.fixture
def take(lead: SiteUnderTest) -> Take:
    site, place = lead.parts.site, iter(range(0, 10_000, 100))
    feed = Feed(site, lead.parts.log.stream, reader())

    def take(*records: Record) -> Counter[str]:
        party = site.directory.by_code(str(records[0].topic).split(".")[1], "party")
        tally = feed.take(party, raws(*records, begin=next(place)))
        lead.settle()
        return tally

    return take


def sweep(lead: SiteUnderTest) -> None:
    Feed(lead.parts.site, lead.parts.log.stream, reader()).sweep()


def all_of(lead: SiteUnderTest, kind: Any) -> list[Any]:
    return [r.event for r in lead.parts.site.log.of_topics([kind.topic])]


AGAIN: dict[str, Any] = {ARRESTED_AT: "2026-05-30T02:00:00-07:00", ATN: "A26-0099999", INCIDENT: "2026-99999"}
"""Another arrest, of the last days."""


def an_arrest(who: dict[str, Any], changes: dict[str, Any] | None = None) -> Record:
    return record(
        "arrest.recorded", RMS, (NO_LEAD | {WHO: who, ARRESTED_AT: "2026-02-14T02:00:00-08:00"} | (changes or {}))
    )


def test_of_a_stranger_nothing_is_kept_but_that_somebody_was_arrested(
    lead: SiteUnderTest, take: Take, site_db: Database
) -> None:
    assert take(an_arrest(STRANGER)) == Counter({"unknown": 1})
    (fact,) = all_of(lead, ArrestRecorded)
    assert (fact.code, fact.reason, fact.severity, fact.category) == (
        "23C",
        NoOffer.NOT_STATED,
        "gross misdemeanor",
        "on view",
    )
    assert all_of(lead, ArrestReported) == []
    for word in ("Quetzal", "WA77777777", "MNI-88888", "A26-0044871", "2026-44871"):
        assert holders(site_db, word) == []
    assert take(an_arrest(STRANGER)) == Counter({"unknown": 1}), "sent again under another id"
    assert len(all_of(lead, ArrestRecorded)) == 1, "it is one arrest"


def test_an_arrest_message_becomes_a_referral(lead: SiteUnderTest, take: Take) -> None:
    story.at_work(lead)
    lead.clock.at(local("2026-02-14 03:00"))
    told = record("arrest.recorded", RMS, at="2026-02-14T02:55:00-08:00")
    assert take(told) == Counter(accepted=1)
    (offered,) = all_of(lead, ReferralOffered)
    assert (offered.incident_number, offered.precinct) == ("2026-44871", "West")
    (override,) = all_of(lead, ExclusionOverridden)
    assert override.rank == "sergeant"
    (own,) = lead.person("kim").see("/v1/police/referrals")["referrals"]
    assert (own["name"], own["incident_number"]) == ("Ray Bell", "2026-44871")
    caseload = lead.person("dana").see("/v1/case-manager/referrals")
    assert "Ray Bell" in str(caseload)
    (link,) = all_of(lead, RecordLinked)
    assert link.participant_id == offered.participant_id


def test_the_report_joins_what_was_called_in_once_twice_and_out_of_order(lead: SiteUnderTest, take: Take) -> None:
    ray = story.at_work(lead)
    ray.at("2026-02-14 02:14")
    ray.dana.do(
        "/v1/referrals/by-telephone",
        {
            "department": "city-pd",
            "officer": "Officer Kim",
            "incident_number": "2026-44871",
            "person": story.RAY,
            "charges": [
                {"code": "23C", "description": "Shoplifting", "severity": "misdemeanor", "prosecutor": "county-pa"}
            ],
        },
    )
    ray.at("2026-02-14 03:00")
    first = record("arrest.recorded", RMS, at="2026-02-14T02:55:00-08:00")
    amended = record("arrest.amended", RMS, NO_LEAD, at="2026-02-14T02:57:00-08:00")
    assert take(amended, first, first) == Counter(accepted=2, duplicate=1)
    assert len(all_of(lead, ReferralOffered)) == 1
    (report,) = all_of(lead, ReferralReported)
    assert report.facts == "Took two coats; stopped at the door; agreed to be referred."
    (kept,) = all_of(lead, ArrestReported)
    assert kept.told_at == local("2026-02-14 02:57"), "what was written later holds, though it came first"
    assert all_of(lead, ArrestRecorded) == [], "it was diverted"


def enrolled(lead: SiteUnderTest) -> story.Ray:
    ray = story.arrest(lead)
    story.enrol(ray)
    ray.at("2026-06-01 12:00")
    lead.wait_for_clocks()
    return ray


def test_a_participants_arrest_is_read_by_care_and_by_nobody_who_sent_it(lead: SiteUnderTest, take: Take) -> None:
    ray = enrolled(lead)
    kim = lead.person("kim")
    before = kim.see("/v1/police/referrals")
    assert take(an_arrest(BELL, AGAIN)) == Counter(accepted=1)
    assert all_of(lead, RecordLinked) == [], "a name and a birth date link nothing"
    (proposed,) = all_of(lead, MatchProposed)
    assert kim.see("/v1/police/referrals") == before
    (entry,) = ray.history("match.proposed")
    lead.person("noor").do(
        f"/v1/participants/{ray.care}/matches/{entry['entry_id']}/reviews", {"same": True, "why": "He told us."}
    )
    lead.settle()
    (arrest,) = ray.history("arrest.reported")
    assert "A26-0099999" in str(arrest)
    assert kim.see("/v1/police/referrals") == before
    # What is told of him next needs nobody: the prints are known now.
    third = {ARRESTED_AT: "2026-05-31T02:00:00-07:00", ATN: "A26-0100000", INCIDENT: "2026-100000"}
    take(an_arrest(BELL, third))
    assert len(all_of(lead, RecordLinked)) == 2
    assert len(all_of(lead, MatchProposed)) == 1
    assert proposed.participant_id == all_of(lead, RecordLinked)[1].participant_id


def test_the_likeliest_match_stands_first_and_only_who_decides_reads_whom_the_record_names(
    lead: SiteUnderTest, take: Take
) -> None:
    ray = enrolled(lead)
    half = person("Raymond", "Bell", "1984-05-09")
    take(an_arrest(half, AGAIN))
    take(an_arrest(BELL, AGAIN | {ATN: "A26-0100001", INCIDENT: "2026-100001"}))
    noor = lead.person("noor")
    first, second = noor.see("/v1/case-manager/matches")["matches"]
    assert first["score"] > second["score"]
    assert [m["record"]["name"] for m in (first, second)] == ["Ray Bell", "Raymond Bell"]
    assert first["record"]["sid"] == "WA10044871"
    assert {m["about"]["name"] for m in (first, second)} == {"Ray Bell"}
    assert first["agency"] == "city-pd"
    assert "23C" not in str((first, second)), "until it is linked, what the record says is perhaps a stranger's"
    dana = lead.person("dana")
    assert [m["record"] for m in dana.see("/v1/case-manager/matches")["matches"]] == [None, None]
    review = f"/v1/participants/{ray.care}/matches/{first['match_id']}/reviews"
    noor.do(review, {"same": True, "why": "He told us."})
    lead.settle()
    assert [m["match_id"] for m in noor.see("/v1/case-manager/matches")["matches"]] == [second["match_id"]]


SECOND: dict[str, Any] = {ARRESTED_AT: "2026-05-31T02:00:00-07:00", ATN: "A26-0100000", INCIDENT: "2026-100000"}
THIRD: dict[str, Any] = {ARRESTED_AT: "2026-06-01T02:00:00-07:00", ATN: "A26-0100001", INCIDENT: "2026-100001"}


def amended(who: dict[str, Any], changes: dict[str, Any]) -> Record:
    return record("arrest.amended", RMS, NO_LEAD | {WHO: who} | changes)


def review(lead: SiteUnderTest, ray: story.Ray, *, same: bool) -> None:
    """Let the supervisor decide whose the likeliest record is."""
    noor = lead.person("noor")
    match = noor.see("/v1/case-manager/matches")["matches"][0]["match_id"]
    noor.do(f"/v1/participants/{ray.care}/matches/{match}/reviews", {"same": same, "why": "He told us."})
    lead.settle()


def test_prints_that_come_later_link_what_waited(lead: SiteUnderTest, take: Take) -> None:
    ray = enrolled(lead)
    take(an_arrest(BELL, AGAIN))
    review(lead, ray, same=True)
    nameless = person("Raymond", "Bell", "1984-05-09")
    take(an_arrest(nameless, SECOND))
    assert len(lead.person("noor").see("/v1/case-manager/matches")["matches"]) == 1
    assert take(
        amended(nameless | {"PersonStateIdentification": {"IdentificationID": "WA10044871"}}, SECOND)
    ) == Counter(accepted=1)
    first, second = all_of(lead, RecordLinked)
    assert (second.rule, second.participant_id) == (Rule.SID_AND_BIRTH_DATE, first.participant_id)
    assert lead.person("noor").see("/v1/case-manager/matches")["matches"] == [], "nobody is asked any more"
    assert "A26-0100000" in str(ray.history("arrest.reported"))


def test_a_birth_date_that_comes_later_is_put_before_the_reviewer(lead: SiteUnderTest, take: Take) -> None:
    enrolled(lead)
    noor = lead.person("noor")
    take(an_arrest(person("Ray", "Bell", None), AGAIN))
    (before,) = noor.see("/v1/case-manager/matches")["matches"]
    take(amended(person("Ray", "Bell", "1984-05-09", own="MNI-20931"), AGAIN))
    (after,) = noor.see("/v1/case-manager/matches")["matches"]
    assert (before["birth_date"], after["birth_date"]) == ("unknown", "equal")
    assert after["score"] > before["score"]
    assert after["record"]["born"] == "1984-05-09"
    take(amended(person("Ray", "Bell", "1948-11-30", own="MNI-20931"), AGAIN | {"Arrest/BookedIndicator": False}))
    (last,) = noor.see("/v1/case-manager/matches")["matches"]
    assert last["birth_date"] == "other", "what waits for somebody to look waits until somebody has looked"
    assert all_of(lead, RecordLinked) == []


def accessed(lead: SiteUnderTest, subject: str) -> tuple[set[str], bytes]:
    """Return the labels of what this person was shown of the matches last, and the digest of it."""
    staff = lead.parts.site.directory.by_subject(subject)
    assert staff is not None
    with psycopg.connect(lead.parts.database.url) as connection:
        ((who, labels, digest),) = connection.execute(
            "select participant_id, labels, digest from log.disclosure"
            " where surface = 'case_manager.matches' and staff_id = %s order by position desc limit 1",
            [staff.id],
        ).fetchall()
    assert who == all_of(lead, MatchProposed)[-1].participant_id
    return set(labels.split()), digest


def test_who_is_shown_whom_a_record_names_is_written_down_with_it(lead: SiteUnderTest, take: Take) -> None:
    """The access row of whoever's match it is names the record's label too, and its digest holds the record."""
    ray = enrolled(lead)
    noor, dana = lead.person("noor"), lead.person("dana")
    matches = "/v1/case-manager/matches"
    take(an_arrest(BELL, AGAIN))
    (match,) = noor.see(matches)["matches"]
    labels, digest = accessed(lead, "noor")
    assert {"identity.external", "identity.legal", "custody"} <= labels
    assert match["record"] == {"name": "Ray Bell", "born": "1984-05-09", "sid": "WA10044871"}
    dana.see(matches)
    assert accessed(lead, "dana")[0] == labels - {"custody"}, "she was shown nothing of the record"
    assert accessed(lead, "dana")[1] != digest
    noor.see(matches)
    assert accessed(lead, "noor")[1] == digest, "what is the same is written down as the same"
    page = f"/v1/case-manager/participants/{ray.care}"
    tag = dana.get(page).headers["ETag"]
    again = deepcopy(BELL)
    again["PersonName"]["PersonMiddleName"] = "Lee"
    take(amended(again, AGAIN))
    (changed,) = noor.see(matches)["matches"]
    assert changed["match_id"] == match["match_id"], "in nothing that is compared do the two agree otherwise"
    assert changed["record"]["name"] == "Ray Lee Bell"
    assert accessed(lead, "noor")[1] != digest
    alias, names = {"alias": "Sunny"}, f"/v1/participants/{ray.care}/aliases"
    assert dana.post(names, alias, **{"If-Match": tag}).status_code == 412
    tag = dana.get(page).headers["ETag"]
    assert dana.post(names, alias, **{"If-Match": tag}).status_code == 201, "what she read is what stands"


def test_what_a_linked_record_says_later_is_known_and_takes_no_link_away(lead: SiteUnderTest, take: Take) -> None:
    ray = enrolled(lead)
    take(an_arrest(person("Ray", "Bell", "1984-05-09"), AGAIN))
    review(lead, ray, same=True)
    take(amended(person("Ray", "Bell", "1948-11-30", sid="WA10044871"), AGAIN))
    assert len(ray.history("arrest.reported")) == 2, "only a reviewer takes a record away"
    assert all_of(lead, RecordUnlinked) == []
    take(an_arrest(person("Raymond", "Bell", "1984-05-09", sid="WA10044871"), SECOND))
    assert [link.rule for link in all_of(lead, RecordLinked)] == [Rule.REVIEWED, Rule.SID_AND_BIRTH_DATE]


def test_what_a_reviewer_took_apart_stays_so_whatever_comes_later(lead: SiteUnderTest, take: Take) -> None:
    ray = enrolled(lead)
    take(an_arrest(BELL, AGAIN))
    review(lead, ray, same=True)
    take(an_arrest(person("Ray", "Bell", "1984-05-09"), SECOND))
    review(lead, ray, same=False)
    take(amended(BELL, SECOND))
    assert len(all_of(lead, RecordLinked)) == 1
    assert lead.person("noor").see("/v1/case-manager/matches")["matches"] == []
    take(an_arrest(BELL, THIRD))
    assert len(all_of(lead, RecordLinked)) == 2, "of another record nobody has said so"


def test_whom_lead_comes_to_know_within_the_hours_is_found_in_what_is_kept(
    lead: SiteUnderTest, take: Take, site_db: Database
) -> None:
    story.at_work(lead)
    lead.clock.at(local("2026-02-14 02:05"))
    assert take(an_arrest(BELL, {INCIDENT: "2026-1"})) == Counter({"unknown": 1})
    sweep(lead)
    assert len(lead.parts.log.stream.kept(Keeping.UNKNOWN)) == 1
    lead.person("kim").do(
        "/v1/referrals/without-arrest",
        {
            "description": "Sleeps at the terminal",
            "name": "Ray Bell",
            "birth_date": "1984-05-09",
            "reason": "Asked for help",
        },
    )
    sweep(lead)
    assert lead.parts.log.stream.kept() == []
    assert len(all_of(lead, MatchProposed)) == 1
    assert len(all_of(lead, ArrestRecorded)) == 1


def test_a_message_about_someone_who_was_erased_is_passed_over(
    lead: SiteUnderTest, take: Take, site_db: Database
) -> None:
    enrolled(lead)
    again = [an_arrest(BELL, AGAIN | {ATN: f"A26-{n}", INCIDENT: f"2026-{n}"}) for n in range(3)]
    take(again[0])
    with psycopg.connect(site_db.owner_url) as owner:  # as an order to forget does
        (proposed,) = all_of(lead, MatchProposed)
        owner.execute(
            "update log.key set wrapped = null, destroyed_at = now() where subject_id = %s", [proposed.participant_id]
        )
    assert take(again[1], an_arrest(STRANGER, {ATN: "A26-9"}), again[2]) == Counter({"accepted": 2, "unknown": 1})
    assert len(all_of(lead, ArrestReported)) == 1, "nothing more is recorded of whoever was erased"


def test_what_is_retracted_is_gone_also_as_a_number(lead: SiteUnderTest, take: Take) -> None:
    ray = enrolled(lead)
    take(an_arrest(BELL, AGAIN))
    missed = lead.person("pat").see("/v1/program/missed-diversions")["missed_diversions"]
    assert len(missed) == 1
    gone = record("arrest.retracted", RMS, {ATN: "A26-0099999"})
    assert take(gone) == Counter(accepted=1)
    assert len(all_of(lead, ReportRetracted)) == 2
    assert lead.person("pat").see("/v1/program/missed-diversions")["missed_diversions"] == []
    (entry,) = ray.history("match.proposed")
    noor = lead.person("noor")
    assert noor.see("/v1/case-manager/matches")["matches"] == [], "nobody is asked whose it was"
    review = f"/v1/participants/{ray.care}/matches/{entry['entry_id']}/reviews"
    refused = noor.post(review, {"same": True, "why": "He told us."})
    assert refused.json()["faults"][0]["field"] == "match"
    assert "A26-0099999" not in str(ray.history("arrest.reported"))


def test_a_retraction_that_comes_first_waits_for_what_it_retracts(lead: SiteUnderTest, take: Take) -> None:
    gone = record("arrest.retracted", RMS, {ATN: "A26-0044871"})
    assert take(gone) == Counter(early=1)


def test_the_same_arrest_from_two_systems_is_one(lead: SiteUnderTest, take: Take) -> None:
    enrolled(lead)
    take(an_arrest(BELL, AGAIN))
    take(record("arrest.recorded", JAIL, (NO_LEAD | {WHO: BELL} | AGAIN)))
    assert len(all_of(lead, ArrestReported)) == 1
    assert len(all_of(lead, ArrestRecorded)) == 1


def test_a_booking_and_its_release_however_they_come(lead: SiteUnderTest, take: Take) -> None:
    ray = enrolled(lead)
    held = "Booking/BookingSubject/RoleOfPerson"
    at = "Booking/ActivityDate/DateTime"
    booked = record("custody.booked", JAIL, {held: BELL, at: "2026-05-30T03:00:00-07:00"})
    released = record(
        "custody.released", JAIL, {"Booking/BookingRelease/ActivityDate/DateTime": "2026-05-31T08:00:00-07:00"}
    )
    assert take(released) == Counter({"unknown": 1})
    take(booked)
    assert len(all_of(lead, BookingReported)) == 1
    assert len(all_of(lead, ReleaseReported)) == 1
    assert all_of(lead, FindingRaised) == [], "nobody has said yet that it is Ray"
    (entry,) = ray.history("match.proposed")
    lead.person("noor").do(
        f"/v1/participants/{ray.care}/matches/{entry['entry_id']}/reviews", {"same": True, "why": "He called us."}
    )
    deadline = time.monotonic() + 20
    while not (findings := all_of(lead, FindingRaised)):
        assert time.monotonic() < deadline, "a booking is an adverse action"
        time.sleep(0.05)
    (finding,) = findings
    assert (finding.action.kind, finding.source.number) == (Adverse.BOOKING, "2026-42210")
    stranger = record(
        "custody.booked",
        JAIL,
        {
            held: STRANGER,
            at: "2026-05-30T03:00:00-07:00",
            "Booking/BookingAgencyRecordIdentification/IdentificationID": "9",
        },
    )
    assert take(stranger) == Counter({"unknown": 1})
    lead.clock.at(lead.parts.log.now() + timedelta(hours=lead.parts.site.protocol().feed_hours, minutes=1))
    sweep(lead)
    assert lead.parts.log.stream.kept() == []


def test_a_booking_entered_in_error_is_nowhere_and_nothing_is_left_that_followed_from_it(
    lead: SiteUnderTest, take: Take
) -> None:
    ray = enrolled(lead)
    noor, pat, number = (
        lead.person("noor"),
        lead.person("pat"),
        "Booking/BookingAgencyRecordIdentification/IdentificationID",
    )
    booked = {"Booking/BookingSubject/RoleOfPerson": BELL, "Booking/ActivityDate/DateTime": "2026-05-30T03:00:00-07:00"}
    released = {"Booking/BookingRelease/ActivityDate/DateTime": "2026-05-31T08:00:00-07:00"}
    take(record("custody.booked", JAIL, booked))
    take(record("custody.booked", JAIL, booked | {number: "2"}))
    take(record("custody.released", JAIL, released))
    take(record("custody.booked", JAIL, booked | {"Booking/DetentionFacility/FacilityName": "The annex"}))
    assert take(record("custody.retracted", JAIL, {number: "2"})) == Counter(accepted=1)
    assert len(noor.see("/v1/case-manager/matches")["matches"]) == 1, "of that one nobody is asked any more"
    review(lead, ray, same=True)
    audited(lead)
    assert [finding["action"] for finding in findings(pat)] == ["booking"], "told again, it is the same booking"
    assert (len(ray.history("booking.reported")), len(ray.history("release.reported"))) == (2, 1)
    gone = record("custody.retracted", JAIL)
    assert take(gone) == Counter(accepted=1)
    assert ray.history("booking.reported") == ray.history("release.reported") == []
    assert findings(pat) == []
    assert take(record("custody.booked", JAIL, booked)) == Counter(accepted=1)
    assert ray.history("booking.reported") == [], "what was withdrawn is not brought back by the same word"
    assert len(all_of(lead, RecordLinked)) == len(all_of(lead, RecordUnlinked)) == 1


def test_a_retraction_of_a_booking_that_nobody_has_waits_no_longer_than_a_strangers_booking(
    lead: SiteUnderTest, take: Take
) -> None:
    enrolled(lead)
    gone = record("custody.retracted", JAIL)
    assert take(gone) == Counter({"unknown": 1})
    booked = {"Booking/BookingSubject/RoleOfPerson": BELL, "Booking/ActivityDate/DateTime": "2026-05-30T03:00:00-07:00"}
    assert take(record("custody.booked", JAIL, booked)) == Counter(accepted=1)
    assert lead.person("noor").see("/v1/case-manager/matches")["matches"] == [], "it was taken back at once"
    take(record("custody.retracted", JAIL, {"Booking/BookingAgencyRecordIdentification/IdentificationID": "9"}))
    lead.clock.at(lead.parts.log.now() + timedelta(hours=lead.parts.site.protocol().feed_hours, minutes=1))
    sweep(lead)
    assert lead.parts.log.stream.kept() == []


def test_a_prosecutors_office_sends_no_arrests(lead: SiteUnderTest, take: Take) -> None:
    assert take(record("arrest.recorded", source="county-pa:cms")) == Counter({"set aside": 1})
    (aside,) = lead.parts.log.stream.kept(Keeping.SET_ASIDE)
    assert aside.faults[0]["code"] == "not-yours"
