"""Arrest diversion at 02:10: handoff, release, deadline, extension, latch (T:346, T:393, T:407, T:1097-T:1113)."""

from __future__ import annotations

from datetime import UTC, date, timedelta

import pytest

from domain import referral as ref
from domain.calendar import days_after, end_of_day
from domain.event import PartyIs, labels_of
from domain.labels import TABLE, Basis, Label, Reader
from domain.participant import ParticipantEnrolled
from domain.referral import (
    ChargeLatched,
    DeadlineSet,
    DepartmentNotified,
    ExclusionOverridden,
    ExtensionRequested,
    HandoffMet,
    NoticeCode,
    ProsecutorNotified,
    ReferralAccepted,
    ReleasedFromCustody,
    latch,
    referral,
)
from domain.refusal import Refused
from tests.histories import CARE, CITY_ATTORNEY, DA, PD, THEFT, TRESPASS, ZONE, Given, erased, local, named

PROGRESS = {Label.IIP_PROGRESS}
LAST_SECOND = local(3, 16, 23, 59, 59)


def ray() -> Given:
    """Scenario A: offered 02:10 with an exclusion, overridden 02:13, called 02:14, met 02:38, released 02:46."""
    story = Given(now=local(2, 14, 2, 10)).referred(exclusions=("prior felony",), history="2009 robbery")
    story.at(local(2, 14, 2, 13)).overridden()
    story.at(local(2, 14, 2, 38)).met(requested_at=local(2, 14, 2, 14))
    return story.at(local(2, 14, 2, 40)).accepted().at(local(2, 14, 2, 46)).released()


# The night -----------------------------------------------------------------------------------------------------------


def test_the_handoff_took_24_minutes_and_was_within_the_protocols_30() -> None:
    (met,) = ray().of(HandoffMet)
    assert (met.minutes, met.within_protocol) == (24, True)


@pytest.mark.parametrize(("seconds", "within"), [(30 * 60, True), (30 * 60 + 1, False), (31 * 60, False)])
def test_within_30_minutes_means_30_minutes(seconds: int, within: bool) -> None:
    story = Given().referred()
    called = story.now
    (met,) = story.at(called + timedelta(seconds=seconds)).met(requested_at=called).of(HandoffMet)
    assert met.within_protocol is within


def test_the_deadline_is_the_end_of_the_30th_local_day_though_the_clocks_change_on_the_way() -> None:
    story = ray()
    (deadline,) = story.of(DeadlineSet)
    (released,) = story.of(ReleasedFromCustody)
    assert deadline.due_on == date(2026, 3, 16)
    assert deadline.due_at == LAST_SECOND
    assert deadline.due_at.astimezone(ZONE).strftime("%H:%M:%S %Z") == "23:59:59 PDT"
    elapsed = released.occurred_at + timedelta(hours=720)
    assert deadline.due_at - elapsed.astimezone(UTC) > timedelta(hours=20)
    assert deadline.protocol_version == "P-7"


def test_a_release_late_in_the_evening_counts_from_the_local_day_not_from_the_day_in_greenwich() -> None:
    assert days_after(local(2, 14, 23, 30).astimezone(UTC), 30, ZONE) == date(2026, 3, 16)
    assert end_of_day(date(2026, 3, 16), ZONE) == LAST_SECOND


def test_return_is_asked_against_for_24_elapsed_hours() -> None:
    (released,) = ray().of(ReleasedFromCustody)
    assert released.non_return_until == local(2, 15, 2, 46)


def test_the_department_hears_that_the_handoff_was_met_and_whom_to_call() -> None:
    (told,) = ray().of(DepartmentNotified)
    assert (told.party_id, told.code, told.team_number) == (PD, NoticeCode.HANDOFF_MET, "555-0101")


def test_the_prosecutor_hears_until_when_the_charge_is_held_and_nothing_else() -> None:
    (told,) = ray().of(ProsecutorNotified)
    assert told.party_id == DA
    said = {name: getattr(told, name) for name in labels_of(ProsecutorNotified) if name != "occurred_at"}
    assert said == {
        "code": NoticeCode.DIVERSION_PENDING,
        "until": date(2026, 3, 16),
        "incident_number": "26-0214",
        "charge_code": "23C",
    }


def test_only_what_the_protocol_calls_divertible_is_diverted() -> None:
    with pytest.raises(Refused, match="09A is not divertible under P-7") as refused:
        Given().referred((THEFT, THEFT.model_copy(update={"code": "09A"})))
    assert refused.value.field == "charges[1].code"


def test_an_exclusion_must_be_one_of_the_protocols() -> None:
    with pytest.raises(Refused, match="no exclusion of P-7"):
        Given().referred(exclusions=("looks wrong",))


# Override ------------------------------------------------------------------------------------------------------------


def test_an_override_names_the_rank_and_cites_the_policy() -> None:
    (override,) = ray().of(ExclusionOverridden)
    assert (override.rank, override.exclusion, override.protocol_version) == ("sergeant", "prior felony", "P-7")


def test_an_override_that_cites_no_policy_cannot_be_written_down() -> None:
    with pytest.raises(ValueError, match="protocol_version"):
        ExclusionOverridden(
            participant_id=named("ray"),
            party_id=PD,
            matter_id=named("m"),
            occurred_at=local(2, 14),
            exclusion="prior felony",
            rank="sergeant",
            reason="r",
            protocol_version=" ",
        )


def test_an_officer_does_not_override() -> None:
    with pytest.raises(Refused, match="officer may not override") as refused:
        Given().referred(exclusions=("prior felony",)).overridden(rank="officer")
    assert refused.value.field == "rank"


def test_an_exclusion_that_does_not_stand_cannot_be_overridden_twice() -> None:
    with pytest.raises(Refused, match="does not stand"):
        Given().referred(exclusions=("prior felony",)).overridden().overridden()


def test_nobody_is_accepted_while_an_exclusion_of_any_charge_stands() -> None:
    story = Given().referred((THEFT, TRESPASS), exclusions=("prior felony",))
    with pytest.raises(Refused, match="an exclusion stands"):
        story.accepted()
    story.overridden()  # of the first charge only
    with pytest.raises(Refused, match="an exclusion stands"):
        story.accepted()


# Order ---------------------------------------------------------------------------------------------------------------


def test_nobody_is_released_before_being_accepted() -> None:
    with pytest.raises(Refused, match="not accepted yet"):
        Given().referred().met().released()


def test_a_release_cannot_lie_before_its_acceptance() -> None:
    story = Given().referred().at(local(2, 14, 2, 40)).accepted()
    with pytest.raises(Refused, match="before acceptance"):
        story.released(at=local(2, 14, 2, 39))


def test_acceptance_does_not_wait_for_a_handoff_where_there_is_none() -> None:
    story = Given().referred().accepted()  # modified operation (T:419)
    assert story.of(ReferralAccepted)


def test_each_step_is_recorded_once() -> None:
    story = ray()
    for again in (story.met, story.accepted, story.released):
        with pytest.raises(Refused, match="already"):
            again()


def test_an_arrival_cannot_lie_before_the_call() -> None:
    story = Given().referred()
    with pytest.raises(Refused, match="before requested_at"):
        story.met(requested_at=story.now + timedelta(minutes=1))


# Extension -----------------------------------------------------------------------------------------------------------


def extended() -> Given:
    story = ray().at(local(3, 10)).extension_asked(date(2026, 3, 30), reason="Ray is in hospital")
    return story.at(local(3, 12)).extension_agreed(date(2026, 3, 30))


def test_an_extension_moves_the_deadline_to_the_end_of_the_day_agreed() -> None:
    assert extended().state.due_at == local(3, 30, 23, 59, 59)


def test_asking_alone_moves_nothing() -> None:
    story = ray().at(local(3, 10)).extension_asked(date(2026, 3, 30))
    assert story.state.due_at == LAST_SECOND


def test_the_department_hears_the_code_only_and_the_prosecutor_the_date_only() -> None:
    story = extended()
    department, prosecutor = story.of(DepartmentNotified)[-1], story.of(ProsecutorNotified)[-1]
    assert department.code is NoticeCode.EXTENSION_REQUESTED
    assert (prosecutor.code, prosecutor.until) == (NoticeCode.DIVERSION_PENDING, date(2026, 3, 30))
    told = [r.event for r in story.recorded if r.event.party_is is PartyIs.NOTIFIED]
    assert len(told) == 4
    assert not any("hospital" in event.model_dump_json() for event in told)


def test_no_label_lets_the_reason_of_an_extension_leave_care() -> None:
    cells = TABLE[labels_of(ExtensionRequested)["reason"]].cells
    assert {r for r in Reader if cells[r]} == {Reader.CASE_MANAGER, Reader.PARTICIPANT}


def test_an_extension_is_agreed_only_when_asked_for_and_only_forward() -> None:
    with pytest.raises(Refused, match="no extension is asked for"):
        ray().extension_agreed(date(2026, 3, 30))
    with pytest.raises(Refused, match="not later than the deadline"):
        ray().extension_asked(date(2026, 3, 16))
    with pytest.raises(Refused, match="no deadline runs"):
        Given().referred().extension_asked(date(2026, 3, 30))


def test_nobody_gets_more_time_until_a_day_that_is_over() -> None:
    late = ray().at(local(4, 1))
    with pytest.raises(Refused, match="that day is over"):
        late.extension_asked(date(2026, 3, 31))
    late.extension_asked(date(2026, 4, 1))
    with pytest.raises(Refused, match="that day is over"):
        late.at(local(4, 2)).extension_agreed(date(2026, 4, 1))


def test_what_was_agreed_in_time_and_written_down_late_tells_no_office_of_a_day_that_is_over() -> None:
    story = ray().at(local(3, 10)).extension_asked(date(2026, 3, 20)).at(local(4, 1))
    events = ref.agree_extension(story.state, date(2026, 3, 20), local(3, 12), story.protocol, story.now)
    assert [event.topic for event in events] == ["extension.agreed", "deadline.set"]


# Latch ---------------------------------------------------------------------------------------------------------------


def enrolled_on(story: Given, *, intake: tuple[int, int], signed: tuple[int, int], entered: tuple[int, int]) -> Given:
    story.at(local(*entered, 9))
    story.intake(at=local(*intake, 16, 20))
    return story.signed({DA: PROGRESS}, at=local(*signed, 16, 40))


def test_intake_and_roi_on_day_29_entered_late_still_latch_the_charge() -> None:
    story = enrolled_on(ray(), intake=(3, 15), signed=(3, 15), entered=(3, 18))
    (enrolled,), (latched,) = story.of(ParticipantEnrolled), story.of(ChargeLatched)
    assert enrolled.occurred_at == latched.occurred_at == local(3, 15, 16, 40)
    assert latched.matter_id == story.matter
    assert story.recorded[-1].recorded_at.astimezone(ZONE).date() == date(2026, 3, 18)


@pytest.mark.parametrize("first", ["intake", "roi"])
def test_the_order_of_intake_and_roi_is_free(first: str) -> None:
    story = ray().at(local(3, 1))
    if first == "intake":
        story.intake().signed({DA: PROGRESS})
    else:
        story.signed({DA: PROGRESS}).intake()
    (enrolled,) = story.of(ParticipantEnrolled)
    assert enrolled.occurred_at == local(3, 1, 12, 1)
    assert len(story.of(ChargeLatched)) == 1


def test_one_step_alone_enrols_nobody() -> None:
    assert not ray().signed({DA: PROGRESS}).of(ParticipantEnrolled)
    assert not ray().intake().of(ParticipantEnrolled)


def test_the_last_second_of_the_deadline_is_in_time_and_the_next_is_not() -> None:
    story = ray().at(local(3, 17)).intake(at=local(3, 15))
    assert latch(story.state, CARE, LAST_SECOND, frozenset(), local(3, 17))
    assert not latch(story.state, CARE, LAST_SECOND + timedelta(seconds=1), frozenset(), local(3, 17))


def test_an_intake_on_day_33_enrols_but_does_not_latch_by_itself() -> None:
    story = enrolled_on(ray(), intake=(3, 19), signed=(3, 19), entered=(3, 19))
    assert story.of(ParticipantEnrolled)
    assert not story.of(ChargeLatched)


def test_an_extension_carries_the_latch_with_it() -> None:
    story = enrolled_on(extended(), intake=(3, 19), signed=(3, 29), entered=(3, 29))
    assert story.of(ChargeLatched)
    assert not enrolled_on(extended(), intake=(3, 19), signed=(3, 31), entered=(3, 31)).of(ChargeLatched)


def test_every_charge_of_the_referral_latches() -> None:
    story = Given().referred((THEFT, TRESPASS)).met().accepted().released().intake().signed({DA: PROGRESS})
    assert {latched.charge.code for latched in story.of(ChargeLatched)} == {"23C", "90J"}


def test_someone_enrolled_before_the_release_is_written_down_keeps_the_latch() -> None:
    story = Given().referred().met().accepted().intake().signed({DA: PROGRESS}, completion={DA})
    assert len(story.of(ChargeLatched)) == 1
    story.released()
    assert [n.code for n in story.of(ProsecutorNotified)] == [NoticeCode.COMPLETED]


def test_an_office_that_may_not_hear_completed_hears_what_it_would_of_anyone() -> None:
    story = Given().referred().met().accepted().intake().signed({DA: PROGRESS}).released()
    assert story.of(ChargeLatched)
    assert [n.code for n in story.of(ProsecutorNotified)] == [NoticeCode.DIVERSION_PENDING]


def test_an_office_hears_completed_when_the_participant_signs_for_it_later() -> None:
    story = ray().intake().signed({DA: PROGRESS})
    told = latch(story.state, CARE, local(3, 15), frozenset({DA}), local(3, 20))
    assert [event.topic for event in told] == [ProsecutorNotified.topic]


def test_a_charge_whose_exclusion_stands_does_not_latch() -> None:
    story = Given().referred(exclusions=("prior felony",)).intake().signed({DA: PROGRESS})
    assert not story.of(ChargeLatched)


def test_a_charge_latches_once() -> None:
    story = enrolled_on(ray(), intake=(3, 15), signed=(3, 15), entered=(3, 18))
    assert latch(story.state, CARE, local(3, 15), frozenset(), local(3, 18)) == []


def test_the_office_hears_completed_only_where_the_participant_signed_for_it() -> None:
    silent = ray().intake().signed({DA: PROGRESS})
    assert [n.code for n in silent.of(ProsecutorNotified)] == [NoticeCode.DIVERSION_PENDING]
    told = ray().intake().signed({DA: PROGRESS}, completion={DA})
    assert told.of(ProsecutorNotified)[-1].code is NoticeCode.COMPLETED
    elsewhere = ray().intake().signed({CITY_ATTORNEY: PROGRESS}, completion={CITY_ATTORNEY})
    assert [n.party_id for n in elsewhere.of(ProsecutorNotified)] == [DA]


def test_completed_is_not_sent_once_its_consent_was_revoked_but_the_latch_stands() -> None:
    story = ray().signed({DA: PROGRESS}, completion={DA}).revoked(DA).intake()
    assert story.of(ChargeLatched)
    assert NoticeCode.COMPLETED not in {n.code for n in story.of(ProsecutorNotified)}


def test_a_sentence_signed_for_on_its_own_does_not_take_away_the_consent_to_completed() -> None:
    story = ray().signed({DA: PROGRESS}, completion={DA})
    story.item(DA, "Has a bed for tonight.", {Label.NEED_HOUSING})
    assert story.intake().of(ProsecutorNotified)[-1].code is NoticeCode.COMPLETED


def test_revocation_undoes_no_latch() -> None:
    story = ray().intake().signed({DA: PROGRESS}).revoked()
    assert all(held.latched for held in story.state.charges.values())


def test_a_charge_that_was_vacated_and_erased_takes_no_other_with_it() -> None:
    story = Given().referred((THEFT, TRESPASS)).met().accepted().released()
    state = referral([r for r in erased(story.history, story.matter).events if r.stream == story.referral])
    assert state is not None
    assert state.version == story.state.version
    latched = latch(state, CARE, local(3, 1), frozenset(), local(3, 1))
    assert [event.matter_id for event in latched] == [named("ray charge 1")]


def test_the_notices_stand_on_a_cell_of_the_table() -> None:
    assert Basis.NOTICE in TABLE[DepartmentNotified.label].cells[Reader.POLICE]
    assert Basis.NOTICE in TABLE[ProsecutorNotified.label].cells[Reader.PROSECUTOR]


def test_a_referral_that_lead_has_not_accepted_does_not_latch() -> None:
    story = Given().referred()
    assert latch(story.state, CARE, local(3, 1), frozenset({DA}), local(3, 1)) == []
    story.met().accepted()
    assert latch(story.state, CARE, local(3, 1), frozenset(), local(3, 1))


def test_a_notice_bears_the_time_of_sending() -> None:
    story = Given().referred().met().accepted().at(local(2, 20)).released(at=local(2, 14, 2, 50))
    assert story.of(ProsecutorNotified)[-1].occurred_at == local(2, 20)
