"""The other doors: screening by a person, a refusal only after outreach, who waits for whom (T:308-T:399, T:1133)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.contact import ContactKind, ContactMade
from domain.door import (
    SCREENED,
    CommunityReferred,
    Decline,
    LegalSystemReferred,
    Reason,
    ReferralDeclined,
    ReferralScreened,
    ReferralVetted,
    Related,
    Risk,
    Sign,
    SocialContactReferred,
)
from domain.event import Event
from domain.participant import Enrolment, StatusChanged
from domain.protocol import POST_FILING, Door
from domain.referral import DepartmentNotified, NoticeCode, Referral, ReferralAccepted, accept, after, referral
from domain.refusal import Refused
from domain.screening import decline, end_with_death, screen, served_first, vet, wait_your_turn
from tests.histories import CARE, HOUSING, P7, PD, Given, named

STAFF = named("staff")


def referred(door: Door, name: str = "man in doorway") -> Given:
    """Somebody is referred by a door without an arrest."""
    story = Given(name)
    facts: dict[str, Any] = {
        "participant_id": story.who,
        "occurred_at": story.now,
        "description": "A man in a grey coat",
        "reason": "sleeps in the doorway",
        "protocol_version": P7.version,
    }
    event: Event
    if door is Door.SOCIAL_CONTACT:
        event = SocialContactReferred(party_id=PD, **facts)
    elif door is Door.COMMUNITY:
        event = CommunityReferred(party_id=HOUSING, **facts)
    else:
        event = LegalSystemReferred(party_id=named("court"), door=door, **facts)
    return story.record(story.referral, event).then()


def screened(story: Given, *, meets: bool = True) -> ReferralScreened:
    return ReferralScreened(
        participant_id=story.who,
        party_id=CARE,
        staff_id=STAFF,
        occurred_at=story.now,
        signs=(Sign.SLEEPING_IN_DOORWAYS,),
        related=(Related.POVERTY,),
        response_expected=meets,
        screened_by="Teo Park",
        protocol_version=P7.version,
    )


def declined(story: Given, how: Decline, **more: Any) -> ReferralDeclined:
    return ReferralDeclined(
        participant_id=story.who,
        party_id=CARE,
        staff_id=STAFF,
        occurred_at=story.now,
        how=how,
        decided_by="Teo Park",
        protocol_version=P7.version,
        **more,
    )


def accepted(story: Given) -> ReferralAccepted:
    return ReferralAccepted(participant_id=story.who, party_id=CARE, occurred_at=story.now)


def end(story: Given, how: Decline, *, has_slot: bool = False, **more: Any) -> list[Event]:
    event = declined(story, how, **more)
    return decline(story.state, event, story.recorded, P7, story.now, has_slot=has_slot)


def looked_for(story: Given, *, reached: bool) -> Given:
    """Someone of LEAD goes out."""
    event = ContactMade(
        participant_id=story.who, party_id=CARE, occurred_at=story.now, kind=ContactKind.OUTREACH, reached=reached
    )
    return story.record(named(f"contact {story.now}"), event).then()


def test_nobody_is_accepted_by_an_open_door_before_a_person_has_screened_it() -> None:
    story = referred(Door.COMMUNITY)
    with pytest.raises(Refused, match="nobody has screened it yet"):
        accept(story.state, accepted(story))
    story.record(story.referral, *screen(story.state, screened(story, meets=False))).then()
    with pytest.raises(Refused, match="does not meet both criteria"):
        accept(story.state, accepted(story))
    story.record(story.referral, *screen(story.state, screened(story))).then()  # looked at again
    assert accept(story.state, accepted(story))


@pytest.mark.parametrize("wrong", [{"signs": ()}, {"related": ()}, {"response_expected": False}])
def test_both_criteria_are_needed(wrong: dict[str, Any]) -> None:
    good = screened(referred(Door.COMMUNITY))
    assert good.meets
    assert not good.model_copy(update=wrong).meets


@pytest.mark.parametrize("door", sorted(POST_FILING))
def test_where_a_charge_is_filed_nothing_is_screened(door: Door) -> None:
    story = referred(door)
    assert accept(story.state, accepted(story))
    with pytest.raises(Refused, match="a charge has answered"):
        screen(story.state, screened(story))


@pytest.mark.parametrize("how", [Decline.UNREACHABLE, Decline.NOT_ACCEPTED, Decline.NO_CAPACITY])
def test_no_refusal_before_anybody_went_out(how: Decline) -> None:
    reason: dict[str, Any] = {"reason": Reason.NOT_CHRONIC} if how is Decline.NOT_ACCEPTED else {}
    with pytest.raises(Refused, match="nobody has looked for the person yet"):
        end(referred(Door.COMMUNITY), how, **reason)
    assert end(looked_for(referred(Door.COMMUNITY), reached=False), how, **reason)


def test_a_contact_before_the_referral_is_no_outreach() -> None:
    story = referred(Door.COMMUNITY)
    early = ContactMade(
        participant_id=story.who,
        party_id=CARE,
        occurred_at=story.state.offered_at - timedelta(days=1),
        kind=ContactKind.OUTREACH,
        reached=True,
    )
    with pytest.raises(Refused, match="nobody has looked"):
        end(story.record(named("early"), early), Decline.UNREACHABLE)


def test_only_who_was_reached_can_decline_the_offer() -> None:
    with pytest.raises(Refused, match="nobody has spoken with the person"):
        end(looked_for(referred(Door.SOCIAL_CONTACT), reached=False), Decline.OFFER_DECLINED)
    assert end(looked_for(referred(Door.SOCIAL_CONTACT), reached=True), Decline.OFFER_DECLINED)


def test_a_reason_goes_with_not_accepted_and_with_nothing_else() -> None:
    story = looked_for(referred(Door.COMMUNITY), reached=True)
    with pytest.raises(Refused) as refused:
        end(story, Decline.NOT_ACCEPTED)
    assert refused.value.field == "reason"
    with pytest.raises(Refused):
        end(story, Decline.UNREACHABLE, reason=Reason.NOT_CHRONIC)
    with pytest.raises(Refused) as refused:
        end(story, Decline.DUPLICATE)
    assert refused.value.field == "same_as"


def test_a_criminal_history_is_no_reason() -> None:
    said = " ".join(Reason)
    assert not [word for word in ("history", "criminal", "felony", "record", "exclu") if word in said]


def test_nobody_is_declined_for_a_death_that_nobody_recorded() -> None:
    story = looked_for(referred(Door.SOCIAL_CONTACT), reached=True)
    with pytest.raises(Refused, match="no death is recorded"):
        end(story, Decline.DIED)
    ended = declined(story, Decline.DIED)
    assert end_with_death(story.state, ended) == [ended]
    dead = StatusChanged(participant_id=story.who, party_id=CARE, occurred_at=story.now, status=Enrolment.DECEASED)
    story.record(story.who, dead).then()
    assert [event.topic for event in end(story, Decline.DIED)] == ["referral.declined"]
    story.record(story.referral, ended)
    assert end_with_death(story.state, ended) == []
    assert end_with_death(Given().referred().met().accepted().state, ended) == []


@pytest.mark.parametrize("door", [door for door in Door if door is not Door.ARREST_DIVERSION])
@pytest.mark.parametrize("how", [how for how in Decline if how is not Decline.DIED])
def test_no_referrer_without_an_arrest_hears_how_it_ended(door: Door, how: Decline) -> None:
    story = looked_for(referred(door), reached=True)
    more: dict[str, Any] = {"reason": Reason.NOT_CHRONIC} if how is Decline.NOT_ACCEPTED else {}
    more |= {"same_as": named("other")} if how is Decline.DUPLICATE else {}
    (event,) = end(story, how, **more)
    assert isinstance(event, ReferralDeclined)
    assert event.party_id == CARE


def test_an_officer_who_holds_someone_hears_that_there_is_no_capacity_and_whom_to_call() -> None:
    story = Given().referred()
    _, told = end(story, Decline.NO_CAPACITY)
    assert isinstance(told, DepartmentNotified)
    assert (told.party_id, told.code, told.team_number) == (PD, NoticeCode.NO_CAPACITY, P7.team_number)


@pytest.mark.parametrize("story", [Given().referred(), looked_for(referred(Door.COMMUNITY), reached=True)])
def test_nobody_says_no_capacity_while_there_is_a_slot(story: Given) -> None:
    with pytest.raises(Refused, match="there is a slot for it") as refused:
        end(story, Decline.NO_CAPACITY, has_slot=True)
    assert refused.value.field == "how"
    assert end(story, Decline.WITHDRAWN, has_slot=True)


@pytest.mark.parametrize("how", [Decline.OFFER_DECLINED, Decline.WITHDRAWN])
def test_of_any_other_end_the_officer_hears_nothing(how: Decline) -> None:
    assert [event.topic for event in end(Given().referred().met(), how)] == ["referral.declined"]


def test_what_has_ended_is_not_accepted_and_does_not_end_twice() -> None:
    story = looked_for(referred(Door.COMMUNITY), reached=False)
    story.record(story.referral, *end(story, Decline.UNREACHABLE)).then()
    with pytest.raises(Refused, match="it has ended: unreachable"):
        end(story, Decline.WITHDRAWN)
    with pytest.raises(Refused, match="it has ended: unreachable"):
        accept(story.state, accepted(story))
    done = Given().referred().met().accepted()
    with pytest.raises(Refused, match="it is accepted"):
        end(done, Decline.WITHDRAWN)


@pytest.mark.parametrize(
    "note",
    [
        "Convicted of assault in 2014",
        "two prior arrests",
        "has an open WARRANT",
        "on probation",
        "felony record",
        "was in prison",
        "registered sex offender",
    ],
)
def test_a_text_that_quotes_a_record_is_refused(note: str) -> None:
    event = ReferralVetted(
        participant_id=named("p"), party_id=PD, occurred_at=Given().now, codes=(Risk.IN_PAIRS,), note=note
    )
    with pytest.raises(Refused) as refused:
        vet(event)
    assert refused.value.field == "note"


@pytest.mark.parametrize("note", [None, "A large dog", "Speak slowly; he startles", "Prioritise mornings"])
def test_a_text_that_says_what_to_look_out_for_is_not(note: str | None) -> None:
    event = ReferralVetted(
        participant_id=named("p"), party_id=PD, occurred_at=Given().now, codes=(Risk.ANIMAL,), note=note
    )
    assert vet(event) == [event]


# Who waits for whom --------------------------------------------------------------------------------------------------


def state_of(door: Door, name: str) -> Referral:
    """Return a referral that a slot is all it lacks."""
    story = Given(name).referred() if door is Door.ARREST_DIVERSION else referred(door, name)
    if door in SCREENED:
        story.record(story.referral, *screen(story.state, screened(story))).then()
    return story.state


@given(st.permutations(list(Door)))
def test_whatever_the_order_of_a_site_post_filing_is_last(order: list[Door]) -> None:
    protocol = P7.model_copy(update={"priorities": tuple(order)})
    for door in Door:
        first = served_first(door, protocol)
        assert door not in first
        assert first >= (frozenset(Door) - POST_FILING if door in POST_FILING else frozenset())
        assert door in POST_FILING or not first & POST_FILING


@pytest.mark.parametrize("ahead", [Door.ARREST_DIVERSION, Door.SOCIAL_CONTACT, Door.COMMUNITY])
def test_a_court_referral_waits_while_it_would_delay_police_or_community(ahead: Door) -> None:
    court, other = state_of(Door.COURT, "court"), state_of(ahead, "other")
    for room in (-3, 0, 1):
        with pytest.raises(Refused, match="served first"):
            wait_your_turn(court, [court, other], room, P7)
    wait_your_turn(court, [court, other], 2, P7)
    wait_your_turn(court, [court, state_of(Door.PROBATION, "later")], 0, P7)
    wait_your_turn(other, [court, other], 0, P7)


@pytest.mark.parametrize("ahead", [Door.ARREST_DIVERSION, Door.SOCIAL_CONTACT])
def test_a_community_referral_waits_while_it_would_delay_police(ahead: Door) -> None:
    community, police = state_of(Door.COMMUNITY, "community"), state_of(ahead, "police")
    for room in (-3, 0, 1):
        with pytest.raises(Refused, match="served first"):
            wait_your_turn(community, [community, police], room, P7)
    wait_your_turn(community, [community, police], 2, P7)
    wait_your_turn(police, [community, police], 1, P7)


def test_who_was_screened_out_delays_nobody_nor_who_is_yet_to_be_screened() -> None:
    court, story = state_of(Door.COURT, "court"), referred(Door.COMMUNITY)
    wait_your_turn(court, [story.state], 0, P7)  # anybody may fill in the public form
    story.record(story.referral, *screen(story.state, screened(story, meets=False))).then()
    wait_your_turn(court, [story.state], 0, P7)
    story.record(story.referral, *screen(story.state, screened(story))).then()
    with pytest.raises(Refused, match="served first"):
        wait_your_turn(court, [story.state], 0, P7)


def test_events_fold_the_same_before_and_after_they_are_recorded() -> None:
    story = Given().referred()
    events = accept(story.state, accepted(story))
    foreseen = after(story.state, events)
    story.record(story.referral, *events)
    found = referral(story.stream(story.referral))
    assert found is not None
    assert (found.accepted_at, found.accepted_by) == (foreseen.accepted_at, foreseen.accepted_by) == (story.now, CARE)
