"""Two decisions that look at each other's streams, at the same moment: neither is taken on what has passed."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from adapters.simulation.cast import callers
from domain.labels import Label
from domain.participant import ParticipantEnrolled
from domain.referral import ChargeLatched, NoticeCode, ProsecutorNotified, ReferralOffered
from domain.refusal import Refused
from domain.roi import CounselAuthorised, Medium, RoiGranted, RoiNarrowed, RoiRevoked, WordOf
from services import care, consent, referrals, status
from services.ports import Caller
from services.site import Command, carry_out
from tests.conftest import Database
from tests.site import SiteUnderTest, running_site

pytestmark = pytest.mark.server
ROUNDS = 12


@pytest.fixture
def lead(site_db: Database) -> Iterator[SiteUnderTest]:
    with running_site(site_db, begin=None) as site:
        yield site


class Site:
    """The commands of one round, each given by its own person."""

    def __init__(self, lead: SiteUnderTest) -> None:
        self.site, self.log = lead.parts.site, lead.parts.log
        self.staff = callers(self.site)

    def do(self, who: str, command: Command, **path: str) -> dict[str, Any]:
        return carry_out(self.site, self.staff[who], command, path=path).answer

    def diverted(self, n: int, surname: str = "Bell", *, accepted: bool = True) -> tuple[UUID, str, str]:
        """Return someone who was diverted: the participant, and care's ids of participant and referral."""
        held = referrals.HeldCharge(code="23C", description="x", severity="misdemeanor", prosecutor="county-pa")
        made = self.do(
            "kim",
            referrals.OfferDiversion(
                door="arrest_diversion",
                person=referrals.Person(given="Ray", surname=surname, birth_date=date(1980, 1, 1)),
                incident_number=str(n),
                place="x",
                facts="x",
                charges=(held,),
            ),
        )
        ours = [self._ours(made[name]) for name in ("participant", "referral")]
        if accepted:
            self.do("dana", referrals.AcceptReferral(), referral=ours[1])
        participant = self.site.ids.open(self.staff["dana"].party, ours[0])
        assert participant is not None
        return participant, ours[0], ours[1]

    def signed(self, person: str) -> dict[str, Any]:
        """The participant signs for the prosecutor's office, and that it hears `completed`."""
        grant = care.GrantTo(
            party="county-pa", labels=frozenset({Label.ENROLMENT_STATUS}), purpose="x", notify_completion=True
        )
        command = care.SignRoi(
            expires_on=datetime.now(UTC).date() + timedelta(days=90),
            form_version="3",
            explained_by="x",
            language="English",
            grants=(grant,),
        )
        return self.do("dana", command, participant_id=person)

    def intake(self, person: str) -> dict[str, Any]:
        return self.do("luis", care.CompleteIntake(narrative="x"), participant_id=person)

    def _ours(self, theirs: str) -> str:
        kim: Caller = self.staff["kim"]
        value = self.site.ids.open(kim.party, theirs)
        assert value is not None
        return self.site.ids.seal(self.staff["dana"].party, value)


def at_once(*acts: Callable[[], object]) -> None:
    """Do these at the same moment, each in its own thread; what one raises, this raises."""
    begin, failed = threading.Barrier(len(acts)), list[BaseException]()

    def run(act: Callable[[], object]) -> None:
        begin.wait()
        try:
            act()
        except BaseException as error:  # noqa: BLE001 - raised again by whoever waits
            failed.append(error)

    threads = [threading.Thread(target=run, args=[act]) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    if failed:
        raise failed[0]


def test_one_arrest_reported_twice_at_once_is_one_referral(lead: SiteUnderTest) -> None:
    """By whichever two ways, and under two keys: the one that comes second hears what it would have heard later."""
    site = Site(lead)
    held = referrals.HeldCharge(code="23C", description="x", severity="misdemeanor", prosecutor="county-pa")
    person = referrals.Person(given="Ray", surname="Bell", birth_date=date(1980, 1, 1))
    told = {"person": person, "charges": (held,)}
    called = {"department": "city-pd", "officer": "Officer Kim", "charges": (held,)}

    def offers(who: str, n: int) -> None:
        offer = referrals.OfferDiversion(door="arrest_diversion", incident_number=str(n), place="x", facts="x", **told)
        site.do(who, offer)

    def calls(n: int) -> None:
        site.do("dana", referrals.RecordCall(incident_number=str(n), **called))

    pairs = (
        (lambda n: offers("kim", n), lambda n: offers("kim", n)),
        (lambda n: offers("kim", n), lambda n: offers("ortiz", n)),
        (lambda n: offers("kim", n), calls),
        (calls, calls),
    )
    for n in range(ROUNDS):
        one, other = pairs[n % len(pairs)]
        with pytest.raises(Refused) as refused:
            at_once(lambda n=n, one=one: one(n), lambda n=n, other=other: other(n))  # type: ignore[misc]
        (fault,) = refused.value.faults
        assert fault.field == "incident_number"
        assert fault.reason in ("its referral is here already.", "it was called in.")
        recorded = lead.parts.log.of_topics([ReferralOffered.topic])
        assert [r.event.incident_number for r in recorded if isinstance(r.event, ReferralOffered)].count(str(n)) == 1


def test_two_people_of_one_incident_offered_at_once_are_two_referrals(lead: SiteUnderTest) -> None:
    site = Site(lead)
    for n in range(ROUNDS):
        at_once(lambda n=n: site.diverted(n, accepted=False), lambda n=n: site.diverted(n, "Dunn", accepted=False))  # type: ignore[misc]
    assert len(lead.parts.log.of_topics([ReferralOffered.topic])) == 2 * ROUNDS


def test_intake_and_roi_entered_at_once_enrol_and_latch(lead: SiteUnderTest) -> None:
    site = Site(lead)
    for n in range(ROUNDS):
        who, person, _ = site.diverted(n)
        at_once(lambda person=person: site.intake(person), lambda person=person: site.signed(person))  # type: ignore[misc]
        kinds = [type(recorded.event) for recorded in site.log.history(who)]
        assert kinds.count(ParticipantEnrolled) == 1
        assert kinds.count(ChargeLatched) == 1


def test_enrolment_and_acceptance_at_once_latch(lead: SiteUnderTest) -> None:
    site = Site(lead)
    for n in range(ROUNDS):
        who, person, referral = site.diverted(n, accepted=False)
        site.signed(person)
        at_once(
            lambda person=person: site.intake(person),  # type: ignore[misc]
            lambda referral=referral: site.do("dana", referrals.AcceptReferral(), referral=referral),  # type: ignore[misc]
        )
        kinds = [type(recorded.event) for recorded in site.log.history(who)]
        assert kinds.count(ChargeLatched) == 1


def test_no_office_hears_completed_after_it_was_revoked(lead: SiteUnderTest) -> None:
    site = Site(lead)
    revoked = care.RevokeRoi(parties=("county-pa",), word_of=WordOf.COUNSEL, medium=Medium.ORAL)
    told = 0
    for n in range(ROUNDS):
        who, person, _ = site.diverted(n)
        path = {"participant_id": person, "roi_id": site.signed(person)["roi"]}
        at_once(
            lambda person=person: site.intake(person),  # type: ignore[misc]
            lambda path=path: site.do("noor", revoked, **path),  # type: ignore[misc]
        )
        history = site.log.history(who)
        (gone,) = [r.position for r in history if isinstance(r.event, RoiRevoked)]
        heard = [
            r.position
            for r in history
            if isinstance(r.event, ProsecutorNotified) and r.event.code is NoticeCode.COMPLETED
        ]
        assert all(position < gone for position in heard)
        assert any(isinstance(r.event, ChargeLatched) for r in history), "the latch stands, whoever hears of it"
        told += len(heard)
    assert told < ROUNDS, "the revocation never came first: this proved nothing"


def test_a_signature_without_a_time_does_not_come_after_the_revocation_it_raced(lead: SiteUnderTest) -> None:
    """What was said at one moment is decided again as of that moment, never as of a later one."""
    site = Site(lead)
    _, person, _ = site.diverted(1)
    roi = site.signed(person)["roi"]
    record, raced = site.log.record, list[bool]()

    def revoke_first(*arguments: Any, **named: Any) -> int:
        if not raced and any(isinstance(e, RoiGranted | RoiNarrowed) for a in arguments[0] for e in a.events):
            raced.append(True)
            revoked = care.RevokeRoi(parties=None, word_of=WordOf.PARTICIPANT, medium=Medium.ORAL)
            site.do("noor", revoked, participant_id=person, roi_id=roi)
        return record(*arguments, **named)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(site.log, "record", revoke_first)
        with pytest.raises(Exception, match="revoked for this party after signing this"):
            site.signed(person)
    assert raced


def test_no_authority_is_given_on_the_consent_of_someone_who_dies_meanwhile(lead: SiteUnderTest) -> None:
    site = Site(lead)
    who, person, _ = site.diverted(1)
    record, raced = site.log.record, list[bool]()

    def die_first(*arguments: Any, **named: Any) -> int:
        if not raced and any(isinstance(e, CounselAuthorised) for a in arguments[0] for e in a.events):
            raced.append(True)
            site.do("noor", status.RecordDeath(died_at=site.log.now()), participant_id=person)
        return record(*arguments, **named)

    authority = consent.AuthoriseCounsel(
        counsel="r-patel",
        labels=frozenset({Label.IDENTITY_LEGAL}),
        expires_on=datetime.now(UTC).date() + timedelta(days=90),
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(site.log, "record", die_first)
        with pytest.raises(Exception, match="has died"):
            site.do("dana", authority, participant_id=person)
    assert raced
    assert not [r for r in site.log.history(who) if isinstance(r.event, CounselAuthorised)]
