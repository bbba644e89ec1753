"""The roster and the protocol: who carries how many, who covers, and which rules are in force (T:1129, T:835)."""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from domain.event import Envelope, Event, Recorded
from domain.protocol import CASELOAD_FLOOR, Door, Protocol, in_force
from domain.refusal import Refused
from domain.roster import (
    ROSTER,
    CoverEnded,
    Footing,
    Leaving,
    OnCallEnded,
    OnCallSet,
    ParticipantAssigned,
    ParticipantCovered,
    ParticipantReleased,
    Roster,
    SlotReserved,
    arrange_cover,
    assign,
    end_cover,
    hand_over,
    roster,
    set_on_call,
    take,
)
from tests.histories import CARE, P7, Given, local, named

DANA, LEE = named("dana"), named("lee")


def asked(who: str, to: UUID = DANA) -> ParticipantAssigned:
    return ParticipantAssigned(
        participant_id=named(who),
        party_id=CARE,
        staff_id=to,
        occurred_at=local(3, 1),
        case_manager="Dana",
        phone="555-0101",
    )


def carrying(n: int) -> Roster:
    return Roster(n, {named(f"p{i}"): DANA for i in range(n)})


TEAM = frozenset({DANA, LEE})


def test_the_25th_is_carried_and_the_26th_is_not() -> None:
    assert assign(carrying(24), TEAM, asked("ray"), P7)
    with pytest.raises(Refused, match="carries 25 already"):
        assign(carrying(25), TEAM, asked("ray"), P7)
    assert assign(carrying(25), TEAM, asked("ray", LEE), P7)


def test_a_site_may_set_less_but_no_site_more_than_25() -> None:
    with pytest.raises(Refused, match="carries 15 already"):
        assign(carrying(15), TEAM, asked("ray"), P7.model_copy(update={"caseload_most": 15}))
    with pytest.raises(ValidationError, match="less than or equal to 25"):
        Protocol.model_validate(P7.model_dump() | {"caseload_most": CASELOAD_FLOOR + 1})


def test_a_participant_already_carried_counts_once() -> None:
    assert assign(carrying(25), TEAM, asked("p3"), P7)


def test_who_moves_to_another_case_manager_frees_the_place() -> None:
    story = Given("ray").assigned("Dana").assigned("Lee")
    assert roster(story.recorded).carried_by == {named("ray"): named("Lee")}
    assert roster(story.recorded).version == 2


def written(*events: Event, before: Roster | None = None) -> list[Recorded[Event]]:
    envelope = Envelope(actor=None, role="test", agency=CARE, correlation_id=CARE)
    begun = before.version if before else 0
    at = enumerate(events, begun + 1)
    return [Recorded(n, e.occurred_at, ROSTER, n, envelope, e) for n, e in at]


def said(*events: Event, before: Roster | None = None) -> Roster:
    return roster(written(*events, before=before), before)


def reserved(who: str) -> SlotReserved:
    return SlotReserved(
        participant_id=named(who),
        party_id=CARE,
        occurred_at=local(3, 1),
        door=Door.ARREST_DIVERSION,
        protocol_version=P7.version,
    )


FIRST, LAST = local(3, 1), local(3, 10)


def covered(who: str, by: UUID = LEE, *, begins: datetime = FIRST, ends: datetime = LAST) -> ParticipantCovered:
    return ParticipantCovered(
        participant_id=named(who),
        party_id=CARE,
        staff_id=by,
        expires_at=ends,
        occurred_at=local(3, 1),
        begins_at=begins,
        covered_by="Lee",
    )


def on_call(who: UUID, begins: datetime, ends: datetime) -> OnCallSet:
    return OnCallSet(
        party_id=CARE, staff_id=who, expires_at=ends, occurred_at=local(3, 1), begins_at=begins, name="Lee"
    )


def test_an_accepted_participant_has_a_slot_until_it_is_assigned_and_nobody_else_gets_it() -> None:
    state = said(reserved("ray"), before=carrying(24))
    assert state.room({DANA}, 25) == 0
    with pytest.raises(Refused) as declined:
        take(state, {DANA}, reserved("ana"), P7)
    assert declined.value.field == "capacity"
    with pytest.raises(Refused, match="kept for someone who was accepted"):
        assign(state, {DANA}, asked("ana"), P7)
    assert take(state, {DANA}, reserved("ray"), P7) == []
    after = said(*assign(state, {DANA}, asked("ray"), P7), before=state)
    assert (after.reserved, after.loads[DANA]) == (frozenset(), 25)


@pytest.mark.parametrize("reason", list(Leaving))
def test_who_leaves_frees_the_slot(reason: Leaving) -> None:
    state = said(reserved("ana"), covered("p1"), before=carrying(24))
    gone = [
        ParticipantReleased(participant_id=named(who), party_id=CARE, occurred_at=local(3, 2), reason=reason)
        for who in ("p1", "ana")
    ]
    after = said(*gone, before=state)
    assert (len(after.carried_by), after.reserved, after.cover) == (23, frozenset(), {})
    assert after.room({DANA}, 25) == 2


def test_scenario_h_declines_only_when_somebody_would_have_to_exceed_25() -> None:
    """24, 25, 19, 18, 16: the average is above 20, and there is room (T:1131)."""
    friday = loads(24, 25, 19, 18, 16)
    team = {named(f"cm{n}") for n in range(5)}
    assert friday.average(team) == 20.4
    assert take(friday, team, reserved("ray"), P7)
    full = loads(25, 25, 25, 25, 25)
    with pytest.raises(Refused):
        take(full, team, reserved("ray"), P7)
    for staff in team:
        with pytest.raises(Refused):
            assign(full, team, asked("ray", staff), P7)


def test_the_slot_of_a_record_merged_away_is_the_kept_ones_unless_it_has_one() -> None:
    gone = ParticipantReleased(
        participant_id=named("away"), party_id=CARE, occurred_at=local(3, 2), reason=Leaving.WITHDRAWN
    )
    carried = [reserved("away"), asked("away"), covered("away")]
    for before in ([reserved("away")], carried, carried[1:2]):
        then = said(*before, *hand_over(written(*before), gone, named("kept")))
        was = said(*before)
        assert not then.keeps(named("away"))
        assert then.keeps(named("kept"))
        assert then.carried_by.get(named("kept")) == was.carried_by.get(named("away"))
        assert then.cover.get(named("kept")) == was.cover.get(named("away"))
    both = [*carried, asked("kept", LEE)]
    assert hand_over(written(*both), gone, named("kept")) == [gone]
    assert hand_over(written(asked("kept")), gone, named("kept")) == []


def loads(*carried: int) -> Roster:
    return Roster(1, {named(f"p{m}/{n}"): named(f"cm{m}") for m, count in enumerate(carried) for n in range(count)})


@settings(deadline=None)
@given(
    carried=st.lists(st.integers(0, 25), min_size=1, max_size=6),
    gone=st.integers(0, 3),
    waiting=st.integers(0, 30),
    numbers=st.tuples(st.integers(1, 25), st.integers(1, 25)).map(sorted),
)
def test_the_decline_rule(carried: list[int], gone: int, waiting: int, numbers: list[int]) -> None:
    """Declined: the average is above policy and someone would have to exceed the most (T:1131). No more, no less."""
    average, most = numbers
    policy = P7.model_copy(update={"caseload_average": average, "caseload_most": most})
    kept = frozenset(named(f"w{n}") for n in range(waiting))
    state = Roster(1, loads(*carried).carried_by, kept)
    team = {named(f"cm{n}") for n in range(min(gone, len(carried) - 1), len(carried))}  # the others have left
    everyone = sum(carried) + waiting + 1
    free = sum(max(0, most - count) for count in carried[-len(team) :])
    to_place = sum(carried[: len(carried) - len(team)]) + waiting + 1
    must_exceed = to_place > free
    declined = everyone / len(team) > average and must_exceed
    if declined:
        with pytest.raises(Refused, match="every slot"):
            take(state, team, reserved("new"), policy)
    else:
        assert take(state, team, reserved("new"), policy)


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from("taro"), st.integers(0, 9), st.integers(0, 2)), max_size=60))
def test_no_order_of_acts_gives_anyone_more_than_the_most(acts: list[tuple[str, int, int]]) -> None:
    policy = P7.model_copy(update={"caseload_most": 3, "caseload_average": 3})
    team = {named(f"cm{n}") for n in range(3)}
    state = Roster()
    for kind, who, staff in acts:
        name = f"p{who}"
        try:
            match kind:
                case "t":
                    events = take(state, team, reserved(name), policy)
                case "a":
                    events = assign(state, team, asked(name, named(f"cm{staff}")), policy)
                case "r":
                    events = [
                        ParticipantReleased(
                            participant_id=named(name),
                            party_id=CARE,
                            occurred_at=local(3, 2),
                            reason=Leaving.DISCHARGED,
                        )
                    ]
                case _:
                    events = [covered(name, named(f"cm{staff}"))]
        except Refused:
            continue
        state = said(*events, before=state)
        assert max(state.loads.values(), default=0) <= 3
        assert state.room(team, 3) >= 0, "everyone who was accepted has a slot"
        assert not state.reserved & state.carried_by.keys()


def test_a_case_manager_who_left_keeps_hers_and_gets_nobody() -> None:
    state = carrying(3)
    with pytest.raises(Refused, match="nobody who carries"):
        assign(state, {LEE}, asked("ray"), P7)
    assert state.waiting({LEE}) == 3
    assert state.room({LEE}, 25) == 22
    assert assign(state, {LEE}, asked("p1", LEE), P7)


def test_cover_is_no_assignment() -> None:
    state = Roster(2, {named(f"p{i}"): DANA for i in range(25)} | {named(f"q{i}"): LEE for i in range(25)})
    lines = [covered(f"p{n}", LEE) for n in range(25)]
    after = said(*arrange_cover(state, DANA, lines, local(3, 1)), before=state)
    assert after.loads == {DANA: 25, LEE: 25}
    assert len(after.cover) == 25
    with pytest.raises(Refused):
        assign(after, TEAM, asked("p1", LEE), P7)


def test_cover_is_of_a_colleagues_participants_until_a_day() -> None:
    state = carrying(2)
    for wrong, field in (
        ([], "case_manager"),
        ([covered("ray", LEE)], "participants[0]"),
        ([covered("p1", DANA)], "by"),
        ([covered("p1", LEE, ends=local(2, 10))], "last_on"),
    ):
        with pytest.raises(Refused) as refused:
            arrange_cover(state, DANA, wrong, local(3, 1))
        assert refused.value.field == field


def test_on_what_footing_a_colleague_reads() -> None:
    state = said(covered("p1", begins=local(3, 2), ends=local(3, 9)), before=carrying(2))
    assert state.footing(DANA, named("p1"), local(3, 5)) is Footing.OWN_CASELOAD
    assert state.footing(LEE, named("p1"), local(3, 5)) is Footing.COVER
    for when in (local(3, 1), local(3, 9)):
        assert state.footing(LEE, named("p1"), when) is Footing.OUTSIDE
    assert state.footing(LEE, named("p0"), local(3, 5)) is Footing.OUTSIDE
    night = said(on_call(LEE, local(3, 3, 18), local(3, 4, 8)), before=state)
    assert night.footing(LEE, named("p0"), local(3, 4, 2)) is Footing.COVER
    assert night.footing(LEE, named("p0"), local(3, 4, 9)) is Footing.OUTSIDE
    off = said(OnCallEnded(party_id=CARE, staff_id=LEE, occurred_at=local(3, 3, 20)), before=night)
    assert off.footing(LEE, named("p0"), local(3, 4, 2)) is Footing.OUTSIDE


def test_cover_ends_by_its_day_by_word_and_by_assignment() -> None:
    state = said(covered("p0"), covered("p1"), before=carrying(2))
    ended = CoverEnded(participant_id=named("p0"), party_id=CARE, occurred_at=local(3, 2))
    after = said(*end_cover(state, [ended]), before=state)
    assert after.cover.keys() == {named("p1")}
    assert said(asked("p1", LEE), before=after).cover == {}
    with pytest.raises(Refused):
        end_cover(after, [ended])


def test_a_duty_ends_after_it_begins() -> None:
    with pytest.raises(Refused):
        set_on_call(on_call(LEE, local(3, 4), local(3, 3)), local(3, 1))
    assert set_on_call(on_call(LEE, local(3, 3), local(3, 4)), local(3, 1))


def version(name: str, day: date) -> Protocol:
    return P7.model_copy(update={"version": name, "effective_from": day})


def test_a_version_is_in_force_from_the_beginning_of_its_local_day() -> None:
    versions = [version("P-7", date(2026, 1, 1)), version("P-8", date(2026, 4, 1))]
    assert in_force(versions, local(3, 31, 23, 59, 59)).version == "P-7"
    assert in_force(versions, local(4, 1, 0)).version == "P-8"
    with pytest.raises(LookupError):
        in_force(versions, local(12, 31, year=2025))


def test_of_two_versions_of_one_day_the_one_adopted_later_corrects_the_other() -> None:
    versions = [version("P-8", date(2026, 4, 1)), version("P-9", date(2026, 4, 1)), version("P-7", date(2026, 1, 1))]
    assert in_force(versions, local(4, 2)).version == "P-9"


def test_a_site_that_knows_no_such_time_zone_cannot_adopt_it() -> None:
    with pytest.raises((ValidationError, KeyError)):
        Protocol.model_validate(P7.model_dump() | {"zone": "America/Nowhere"})


def test_a_duty_of_the_same_beginning_corrects_the_one_before() -> None:
    state = said(on_call(LEE, local(3, 3, 18), local(3, 4, 8)), on_call(LEE, local(3, 3, 18), local(3, 4, 6)))
    assert [span.ends_at for span in state.on_call] == [local(3, 4, 6)]
