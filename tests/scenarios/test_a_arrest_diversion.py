"""Scenario A: arrest diversion at 02:10 with a warm handoff, 14 February 2026. All times are the site's own."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tests.scenarios import ray as story
from tests.scenarios.eyes import everything
from tests.site import SiteUnderTest, local

pytestmark = pytest.mark.server

NEVER_TO_PARTNERS = ("ferry terminal", "mornings")


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def test_arrest_diversion(lead: SiteUnderTest) -> None:
    ray = story.at_work(lead)

    # 02:14. Offered, flagged, agreed. Until a sergeant overrides, nobody can accept; until LEAD accepts, no release.
    story.offer(ray)
    early = ray.dana.post(f"/v1/referrals/{ray.care_referral}/acceptance", {})
    assert early.status_code == 422
    assert "an exclusion stands: prior felony." in early.text
    mine = {"charge": ray.charge, "exclusion": "prior felony", "rank": "officer", "reason": "it is old"}
    assert ray.kim.post(f"/v1/referrals/{ray.referral}/override", mine).status_code == 403
    for above_or_below in ("officer", "commander"):
        not_hers = ray.ortiz.post(f"/v1/referrals/{ray.referral}/override", mine | {"rank": above_or_below})
        assert not_hers.json()["faults"][0] == {
            "field": "rank",
            "reason": "it is not yours.",
            "way_out": "You are registered as sergeant: override as that.",
        }

    story.override(ray)
    too_soon = ray.kim.post(f"/v1/referrals/{ray.referral}/release", {"in_presence_of_codefendants": False})
    assert too_soon.json()["faults"][0]["reason"] == "the referral is not accepted yet."
    story.handoff(ray)
    before = ray.kim.post(
        f"/v1/referrals/{ray.referral}/release",
        {"released_at": "2026-02-14T02:39:59-08:00", "in_presence_of_codefendants": False},
    )
    assert before.json()["faults"][0]["reason"] == "it lies before acceptance."
    story.release(ray)
    lead.settle()

    # Dana, the case manager: times to the second, the deadline at the end of a local day, where to find Ray.
    met = ray.history("handoff.met")[0]
    assert moment(met["occurred_at"]) == local("2026-02-14 02:38")
    assert met["body"]["minutes"] == 24
    assert met["body"]["within_protocol"] is True
    assert moment(met["body"]["requested_at"]) == local("2026-02-14 02:14")
    released = ray.history("custody.released")[0]
    assert moment(released["occurred_at"]) == local("2026-02-14 02:46")
    assert moment(released["body"]["non_return_until"]) == local("2026-02-15 02:46")
    due = ray.history("deadline.set")[0]["body"]
    assert due["due_on"] == "2026-03-16"
    assert due["protocol_version"] == story.P7
    # Daylight saving began on 8 March: 720 elapsed hours from the release would end 20 hours earlier.
    assert moment(due["due_at"]) == datetime(2026, 3, 17, 6, 59, 59, tzinfo=UTC)
    overridden = ray.history("exclusion.overridden")[0]
    assert overridden["body"]["protocol_version"] == story.P7
    assert overridden["body"]["rank"] == "sergeant"
    assert moment(overridden["occurred_at"]) == local("2026-02-14 02:13")
    offered = ray.history("referral.offered")[0]
    assert moment(offered["occurred_at"]) == local("2026-02-14 02:10")
    assert moment(offered["recorded_at"]) >= local("2026-02-14 02:14")
    page = ray.dana.see(f"/v1/case-manager/participants/{ray.care}")
    assert page["found_at"] == story.FOUND_AT
    assert page["intake_due_on"] == "2026-03-16"
    assert "Spokane" not in everything(ray.dana)  # the history behind the override stays with the department

    # Kim and her sergeant: their own report, the handoff, the hours of non-return.
    for officer in (ray.kim, ray.ortiz):
        (own,) = officer.see("/v1/police/referrals")["referrals"]
        assert own["referral_id"] == ray.referral
        assert (own["incident_number"], own["unit"]) == (story.INCIDENT, story.UNIT)
        assert own["charges"][0]["criminal_history"] == story.RECORD
        assert own["overrides"][0]["protocol_version"] == story.P7
        assert [(n["code"], n["call"]) for n in own["notices"]] == [("handoff met", "206-555-0100")]
        assert moment(own["released_at"]) == local("2026-02-14 02:46")
        assert moment(own["non_return_until"]) == local("2026-02-15 02:46")
        one = officer.see(f"/v1/police/participants/{ray.participant}")
        assert one["shared"] == []
        assert [row["record"] for row in one["own"]] == ["referral"]

    # Chen, the liaison prosecutor: the charge is held, until when, and nothing else.
    (notice,) = ray.chen.see("/v1/prosecutor/notices")["notices"]
    assert {k: notice[k] for k in ("code", "until_day", "incident_number", "charge_code")} == {
        "code": "diversion pending",
        "until_day": "2026-03-16",
        "incident_number": story.INCIDENT,
        "charge_code": "23C",
    }
    assert ray.chen.see("/v1/prosecutor/pending-cases")["cases"] == []
    assert ray.chen.see(f"/v1/prosecutor/participants/{notice['participant_id']}")["shared"] == []

    # Who does not see: no partner the place, the office no name, and the others nothing at all.
    lookups = (story.BY_NAME, story.BY_INCIDENT)
    ids = (ray.participant, ray.referral, ray.care, notice["participant_id"])
    for partner in (ray.kim, ray.ortiz, ray.chen):
        seen = everything(partner, lookups=lookups, ids=ids)
        assert not [word for word in NEVER_TO_PARTNERS if word in seen]
    office = everything(ray.chen, ids=ids)
    for word in ("Bell", "1984", "Spokane", "3rd Ave", "coats", "prior felony", "sergeant", "handoff", story.UNIT):
        assert word not in office
    for subject in ("webb", "marta", "judge", "brooks", "patel"):
        seen = everything(lead.person(subject), lookups=lookups, ids=ids)
        for word in ("Bell", "1984", story.INCIDENT, "23C", "diversion pending", *NEVER_TO_PARTNERS):
            assert word not in seen, (subject, word)

    # The defender's observer: a pseudonym, the charge's class, the unit, that an override was used, and by which rank.
    ames, pat = lead.person("ames"), lead.person("pat")
    (observed,) = ames.see("/v1/defender/diversions")["diversions"]
    assert (observed["department"], observed["unit"], observed["named"]) == ("city-pd", story.UNIT, None)
    assert [(c["severity"], c["exclusions"]) for c in observed["charges"]] == [("misdemeanor", ["prior felony"])]
    used = {"exclusion": "prior felony", "rank": "sergeant", "protocol_version": story.P7}
    assert observed["overrides"] == [used]
    assert observed["pseudonym"] not in ids
    seen = everything(ames, lookups=lookups, ids=(*ids, observed["pseudonym"]))
    for word in ("Bell", "1984", story.INCIDENT, "Spokane", "3rd Ave", "coats", *NEVER_TO_PARTNERS):
        assert word not in seen, word

    # The project manager: how soon the case manager was there, and the deadline of the intake; not where to find Ray,
    # nor the history behind the override.
    met, due = pat.see("/v1/program/deadlines")["deadlines"]
    assert (met["kind"], met["stands"], met["minutes"]) == ("handoff", "met", 24)
    assert moment(met["due_at"]) == local("2026-02-14 02:44")
    assert (due["kind"], due["stands"], due["minutes"], due["protocol_version"]) == (
        "intake",
        "pending",
        None,
        story.P7,
    )
    seen = everything(pat, ids=ids)
    for word in ("Spokane", *NEVER_TO_PARTNERS):
        assert word not in seen, word
