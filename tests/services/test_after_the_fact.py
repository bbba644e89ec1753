"""What is settled after the fact: an extension agreed late, and a purpose that an amendment changed."""

from __future__ import annotations

from datetime import date

import pytest

from domain.labels import Label
from domain.referral import ChargeLatched
from services import care, referrals
from tests.conftest import Database
from tests.properties.test_enrolment_race import Site
from tests.site import local, running_site

pytestmark = pytest.mark.server


def test_an_extension_agreed_after_a_late_enrolment_latches(site_db: Database) -> None:
    with running_site(site_db, begin="2026-02-14 02:10") as lead:
        site = Site(lead)
        who, person, referral = site.diverted(1)
        kims = site.site.ids.seal(
            site.staff["kim"].party, site.site.ids.open(site.staff["dana"].party, referral) or who
        )
        site.do("kim", referrals.RecordRelease(in_presence_of_codefendants=False), referral=kims)
        lead.clock.at(local("2026-03-12 09:00"))
        site.do("dana", referrals.RequestExtension(until=date(2026, 3, 30), reason="x"), referral=referral)
        lead.clock.at(local("2026-03-18 09:00"))
        site.intake(person)
        grant = care.GrantTo(party="county-pa", labels=frozenset({Label.ENROLMENT_STATUS}), purpose="coordination")
        form = {"form_version": "3", "explained_by": "x", "language": "English"}
        signed = care.SignRoi(expires_on=date(2026, 12, 1), grants=(grant,), **form)
        roi = site.do("dana", signed, participant_id=person)["roi"]

        def latched() -> bool:
            return any(isinstance(recorded.event, ChargeLatched) for recorded in site.log.history(who))

        assert not latched(), "the deadline that ran was over"
        lead.clock.at(local("2026-03-19 09:00"))
        site.do("kim", referrals.AgreeExtension(until=date(2026, 3, 30)), referral=kims)
        assert latched()

        # The office reads, the purpose changes, the office reads again: each reading keeps its own purpose.
        office = site.site.ids.seal(site.staff["chen"].party, who)
        lead.settle()
        lead.person("chen").see(f"/v1/prosecutor/participants/{office}")
        other = grant.model_copy(update={"purpose": "a hearing"})
        changed = care.AmendRoi(expires_on=date(2026, 12, 1), grants=(other,), warned=("county-pa",), **form)
        site.do("dana", changed, participant_id=person, roi_id=roi)
        lead.settle()
        lead.person("chen").see(f"/v1/prosecutor/participants/{office}")
        lines = lead.person("dana").see(f"/v1/participants/{person}/accounting")["disclosures"]
        assert [line["purpose"] for line in lines if line["what"] == "disclosure"] == ["coordination", "a hearing"]
