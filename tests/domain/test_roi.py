"""The Release of Information: sign, amend, revoke, expire, one sentence at a time (T:843-T:893)."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from domain.labels import Label
from domain.protocol import LoweredCeiling
from domain.refusal import Refused
from domain.roi import (
    ItemConsented,
    RoiExpired,
    RoiGranted,
    RoiNarrowed,
    RoiRevoked,
    RoiSigned,
    amend,
    consent_item,
    grants,
)
from tests.histories import ADDRESSED_AS, CITY_ATTORNEY, DA, HOUSING, P7, PATEL, PD, READS_AS, Given, local, named

COORDINATION = frozenset({Label.IDENTITY_LEGAL, Label.ENROLMENT_STATUS, Label.IIP_PROGRESS})
SCOPE = {Label.CONSENT_SCOPE}
FAR = date(2027, 2, 1)


def signed() -> Given:
    return Given(now=local(3, 15)).identified().signed({PD: COORDINATION, DA: COORDINATION, HOUSING: COORDINATION})


def test_signing_gives_each_party_what_it_names_and_the_scope_that_says_so() -> None:
    story = signed()
    for party in (PD, DA, HOUSING):
        grant = story.consent.grants[party]
        assert grant.labels == COORDINATION | SCOPE
        assert grant.reader is READS_AS[party]
        assert grant.live_roi(story.now)
        assert grant.epoch == 0
    assert CITY_ATTORNEY not in story.consent.grants


def test_an_roi_ends_with_the_last_second_of_its_last_local_day() -> None:
    grant = signed().consent.grants[PD]
    assert grant.until == local(2, 1, 23, 59, 59, year=2027)
    assert not grant.live_roi(local(2, 1, 23, 59, 59, year=2027))


@pytest.mark.parametrize(
    ("party", "label"),
    [
        (PD, Label.HEALTH_SUD),
        (PD, Label.CONTACT_LOCATION),
        (PD, Label.CONTACT_NOTE),
        (DA, Label.SUBSTANCE_CURRENT),
        (DA, Label.RELEASE_PLAN),
        (DA, Label.CONDUCT_UNLAWFUL),
        (HOUSING, Label.CASE_DOCKET),
        (HOUSING, Label.INTAKE_NARRATIVE),
    ],
)
def test_a_grant_beyond_the_ceiling_is_refused_and_the_field_named(party: object, label: Label) -> None:
    first, beyond = (HOUSING, PD) if party is not HOUSING else (PD, HOUSING)
    beyond = party  # type: ignore[assignment]
    with pytest.raises(Refused, match="no ROI can grant") as refused:
        Given(now=local(3, 15)).signed({first: {Label.IIP_GOAL}, beyond: {Label.IIP_GOAL, label}})
    assert refused.value.field == "grants[1].labels"
    assert str(label) in refused.value.reason


def test_what_the_site_lowered_cannot_be_signed_away() -> None:
    lowered = LoweredCeiling(reader=READS_AS[PD], label=Label.IIP_PROGRESS)
    story = Given(now=local(3, 15), protocol=P7.model_copy(update={"lowered": (lowered,)}))
    with pytest.raises(Refused, match=r"iip\.progress"):
        story.signed({PD: COORDINATION})
    story.signed({DA: COORDINATION})


def test_an_roi_ends_in_the_future_and_within_the_protocols_longest() -> None:
    with pytest.raises(Refused, match="not in the future"):
        Given(now=local(3, 15)).signed({PD: COORDINATION}, until=date(2026, 3, 14))
    with pytest.raises(Refused, match="P-7 lets an ROI run 366 days"):
        Given(now=local(3, 15)).signed({PD: COORDINATION}, until=date(2027, 3, 18))
    Given(now=local(3, 15)).signed({PD: COORDINATION}, until=date(2027, 3, 15))


# Amend: more is widening, less is narrowing --------------------------------------------------------------------------


def test_more_labels_are_a_widening_and_darken_nothing() -> None:
    story = signed().signed({PD: COORDINATION | {Label.IIP_GOAL}}, covers_from=local(3, 15), amends=True)
    assert isinstance(story.recorded[-1].event, RoiGranted)
    assert story.consent.grants[PD].epoch == 0


@pytest.mark.parametrize(
    "change",
    [
        {"labels": COORDINATION - {Label.IIP_PROGRESS}},
        {"labels": (COORDINATION - {Label.IIP_PROGRESS}) | {Label.IIP_GOAL, Label.IIP_BARRIER}},
        {"purpose": "housing"},
        {"covers_from": local(3, 16)},
        {"until": date(2027, 1, 31)},
    ],
    ids=["fewer labels", "other labels", "another purpose", "a shorter period", "an earlier end"],
)
def test_anything_less_is_a_narrowing_and_begins_a_new_epoch(change: dict[str, object]) -> None:
    story = signed()
    given = {"covers_from": local(3, 15), "until": FAR, "purpose": "coordination"} | change
    labels = given.pop("labels", COORDINATION)
    story.at(local(3, 20)).signed({PD: labels}, amends=True, **given)  # type: ignore[arg-type, dict-item]
    last = story.recorded[-1]
    assert isinstance(last.event, RoiNarrowed)
    assert story.consent.grants[PD].epoch == last.position


def test_an_amendment_leaves_the_parties_it_does_not_name_as_they_were() -> None:
    story = signed()
    before = story.consent
    story.signed({PD: {Label.ENROLMENT_STATUS}}, amends=True)
    assert story.consent.grants[DA] == before.grants[DA]
    assert story.consent.grants[HOUSING] == before.grants[HOUSING]
    assert story.consent.roi == before.roi


def test_only_a_standing_roi_is_amended() -> None:
    with pytest.raises(Refused, match="does not stand"):
        Given(now=local(3, 15)).signed({PD: COORDINATION}, amends=True)
    story = signed().at(local(2, 2, year=2027))
    with pytest.raises(Refused, match="does not stand"):
        story.signed({PD: COORDINATION}, until=date(2027, 3, 1), amends=True)


def test_a_new_roi_takes_the_place_of_the_old_one_whole() -> None:
    story = signed()
    story.signed({DA: COORDINATION}, covers_from=local(3, 15))
    ended = [event.party_id for event in story.of(RoiRevoked)]
    assert sorted(map(str, ended)) == sorted(map(str, (PD, HOUSING)))
    assert story.consent.live(PD, story.now) is None
    assert story.consent.live(DA, story.now) is not None
    assert story.consent.grants[DA].roi == story.consent.roi


def test_signing_again_after_a_revocation_does_not_bring_back_the_old_epoch() -> None:
    story = signed().revoked(PD)
    revoked_at = story.recorded[-1].position
    story.at(local(5, 1)).signed({PD: COORDINATION})
    grant = story.consent.grants[PD]
    assert grant.epoch == revoked_at
    assert grant.covers_from == local(5, 1)


# Revoke --------------------------------------------------------------------------------------------------------------


def test_revoking_for_one_party_leaves_the_rest() -> None:
    story = signed().revoked(PD)
    assert story.consent.live(PD, story.now) is None
    assert story.consent.grants[PD].labels is None
    assert story.consent.live(HOUSING, story.now) is not None
    assert story.consent.grants[PD].epoch == story.recorded[-1].position


def test_revoking_for_all_reaches_all_by_word_of_mouth() -> None:
    story = signed()
    story.item(CITY_ATTORNEY, "Has a new phone.", {Label.CONTACT_PHONE})
    story.revoked()
    assert {event.party_id for event in story.of(RoiRevoked)} == {PD, DA, HOUSING, CITY_ATTORNEY}
    assert all(grant.labels is None and not grant.items for grant in story.consent.grants.values())


def test_revoking_for_all_names_those_that_hold_something() -> None:
    story = signed().revoked(PD).revoked()
    assert [e.party_id for e in story.of(RoiRevoked)] == [PD, DA, HOUSING]


def test_a_call_before_the_paper_comes_in_counts() -> None:
    story = Given(now=local(3, 15)).identified().at(local(3, 16)).revoked(DA).at(local(3, 17))
    with pytest.raises(Refused, match="revoked for this party after signing this"):
        story.signed({PD: COORDINATION, DA: COORDINATION}, at=local(3, 15))


def test_a_sentence_signed_before_a_revocation_and_entered_after_it_is_not_shared() -> None:
    story = signed().at(local(3, 20)).revoked(PD)
    event = ItemConsented(
        participant_id=story.who,
        party_id=PD,
        expires_at=local(4, 1),
        occurred_at=local(3, 19),
        item_id=named("item"),
        reader=READS_AS[PD],
        labels=frozenset({Label.NEED_HOUSING}),
        counsel_offered=True,
    )
    with pytest.raises(Refused, match="revoked for this party after signing this") as refused:
        consent_item(story.consent, event, local(3, 21))
    assert refused.value.field == "party"
    later = event.model_copy(update={"occurred_at": local(3, 21)})
    assert consent_item(story.consent, later, local(3, 21)) == [later]
    with pytest.raises(Refused, match="not in the future"):
        consent_item(story.consent, later, local(4, 2))


def test_paper_of_an_amendment_that_comes_in_late_does_not_undo_a_later_word() -> None:
    story = signed()
    state = story.consent
    assert state.roi is not None
    paper = RoiSigned(
        participant_id=story.who,
        expires_at=local(6, 1),
        occurred_at=local(3, 14),
        roi=state.roi,
        form_version="3",
        explained_by="Dana",
        language="English",
        amends=True,
    )
    with pytest.raises(Refused, match="a later paper is recorded already"):
        amend(state, paper, [], P7, story.now)


def test_an_office_hears_completed_only_while_its_roi_lives() -> None:
    story = Given(now=local(3, 15)).identified().signed({DA: COORDINATION}, completion={DA})
    assert story.consent.hear_completed(story.now) == {DA}
    assert story.consent.hear_completed(local(2, 2, year=2027)) == frozenset()


def test_paper_signed_before_a_revocation_but_entered_after_it_gives_nothing_back() -> None:
    story = signed().at(local(3, 20)).revoked(PD)
    story.at(local(3, 22))
    with pytest.raises(Refused, match="revoked for this party after signing this") as refused:
        story.signed({DA: COORDINATION, PD: COORDINATION}, at=local(3, 18))
    assert refused.value.field == "grants[1].party"
    story.signed({DA: COORDINATION}, at=local(3, 18))
    story.signed({PD: COORDINATION}, at=local(3, 21))


def test_an_older_roi_entered_late_does_not_take_the_place_of_a_newer_one() -> None:
    with pytest.raises(Refused, match="a later ROI is recorded already"):
        signed().signed({PD: COORDINATION | {Label.IIP_GOAL}}, at=local(3, 14))


# Expiry --------------------------------------------------------------------------------------------------------------


def test_at_its_end_an_roi_gives_nothing_before_anyone_has_written_it_down() -> None:
    story = signed().at(local(2, 1, 23, 59, 59, year=2027))
    assert story.consent.live(PD, story.now) is None
    assert not story.of(RoiExpired)


def test_an_expiry_is_written_down_once_with_the_time_at_which_it_ended() -> None:
    story = signed().at(local(2, 3, year=2027)).expired().expired()
    assert {(event.party_id, event.occurred_at) for event in story.of(RoiExpired)} == {
        (party, local(2, 1, 23, 59, 59, year=2027)) for party in (PD, DA, HOUSING)
    }
    assert len(story.of(RoiExpired)) == 3


def test_an_expiry_leaves_the_sentences_that_were_signed_for_on_their_own() -> None:
    story = signed().at(local(2, 1, year=2027))
    item = story.item(PD, "Has a new phone.", {Label.CONTACT_PHONE})
    story.at(local(2, 2, year=2027)).expired()
    assert story.consent.grants[PD].live_item(item, story.now)


# Items ---------------------------------------------------------------------------------------------------------------


def test_an_item_lives_until_its_own_end() -> None:
    story = signed()
    item = story.item(PD, "Has a new phone.", {Label.CONTACT_PHONE}, days=7)
    grant = story.consent.grants[PD]
    assert grant.live_item(item, story.now)
    assert not grant.live_item(item, story.now + timedelta(days=7))
    assert grant.live_roi(story.now + timedelta(days=7))


def test_withdrawing_an_item_ends_that_item_alone() -> None:
    story = signed()
    first = story.item(PD, "Has a new phone.", {Label.CONTACT_PHONE})
    second = story.item(PD, "Meets us at the library.", {Label.CONTACT_LOCATION})
    story.withdrawn(first)
    grant = story.consent.grants[PD]
    assert not grant.live_item(first, story.now)
    assert grant.live_item(second, story.now)
    assert grant.live_roi(story.now)
    assert grant.epoch == story.recorded[-1].position


def test_an_item_needs_no_standing_roi_and_a_partys_revocation_ends_it() -> None:
    story = Given(now=local(3, 15)).identified()
    item = story.item(PD, "Has a new phone.", {Label.CONTACT_PHONE})
    assert story.consent.live(PD, story.now) is None
    assert story.consent.grants[PD].live_item(item, story.now)
    story.revoked(PD)
    assert not story.consent.grants[PD].live_item(item, story.now)


# Death, and counsel's authority ---------------------------------------------------------------------------------------


def test_death_ends_what_every_party_holds_each_sentence_signed_for_it_included() -> None:
    story = signed().authorised({Label.IDENTITY_LEGAL}, until=date(2026, 3, 20))
    for party in ADDRESSED_AS:
        story.item(party, "He goes by Ray.", {Label.IDENTITY_LEGAL}, days=30)
    story.at(local(3, 21)).expired()
    assert story.consent.grants[PATEL].labels is None, "the authority has run out; the sentence has not"
    assert all(held.items for held in story.consent.grants.values())
    story.died()
    assert story.consent.grants.keys() == ADDRESSED_AS.keys()
    assert {(held.labels, held.items) for held in story.consent.grants.values()} == {(None, ())}


def test_a_sentence_signed_for_counsel_ends_by_the_word_that_ends_its_authority() -> None:
    story = signed()
    item = story.item(PATEL, "He goes by Ray.", {Label.IDENTITY_LEGAL})
    assert story.consent.grants[PATEL].live_item(item, story.now)
    story.counsel_ended()
    assert not story.consent.grants[PATEL].live_item(item, story.now)


def test_an_authority_entered_late_gives_nothing_back_that_the_client_took_away_since() -> None:
    wide, narrow = frozenset({Label.IDENTITY_LEGAL, Label.HEALTH_MENTAL}), frozenset({Label.IDENTITY_LEGAL})
    story = Given(now=local(3, 10)).authorised(wide).at(local(3, 20)).authorised(narrow).at(local(3, 21))
    with pytest.raises(Refused, match="a later authority is recorded already") as refused:
        story.authorised(wide, at=local(3, 5))
    assert refused.value.field == "signed_at"
    assert story.consent.grants[PATEL].labels == narrow
    story.authorised(wide)
    assert story.consent.grants[PATEL].labels == wide


def test_the_gates_view_of_consent_and_the_streams_are_one() -> None:
    story = signed().revoked(PD).signed({PD: {Label.IIP_GOAL}}, amends=True)
    story.item(DA, "Has a bed for tonight.", {Label.NEED_HOUSING})
    assert grants(story.recorded) == story.consent.grants


def test_no_clause_makes_a_lead_roi_irrevocable() -> None:
    assert not {name for name in RoiSigned.model_fields if "irrevocable" in name}
