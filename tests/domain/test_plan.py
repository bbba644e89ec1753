"""The plan is the participant's: goals that change, small steps, a review that is nobody's failure (T:461, T:1277)."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from domain.event import Event
from domain.fund import FundPurpose, FundUsed, WaitlistEffect, use
from domain.labels import Label
from domain.participant import Enrolment, Participant
from domain.plan import (
    BarrierNoted,
    ChallengeNoted,
    Dimension,
    GoalChosen,
    GoalEnd,
    GoalEnded,
    Plan,
    PlanAgreed,
    PlanReviewDue,
    ProgressNoted,
    agree,
    choose,
    close,
    end_goal,
    note_progress,
    plan,
    plan_stream,
    review_due,
)
from domain.refusal import Refused
from domain.report import WORKING, Form, lines
from domain.share import NOTHING_HELPFUL, lint
from tests.histories import CARE, ZONE, Given, local, named

RAY = named("ray")
STREAM = plan_stream(RAY)
ROOM, STEP, FEAR, QUEUE = named("room"), named("step"), named("fear"), named("queue")


def said(at: datetime, **more: Any) -> dict[str, Any]:
    return {"participant_id": RAY, "party_id": CARE, "occurred_at": at, **more}


def agreed(at: datetime, days: int = 90) -> PlanAgreed:
    return PlanAgreed(**said(at, expires_at=at + timedelta(days=days), protocol_version="P-7"))


def goal(text: str, entry: UUID = ROOM) -> GoalChosen:
    return GoalChosen(**said(local(3, 1)), entry_id=entry, dimension=Dimension.HOME, text=text)


def of(*events: Event) -> Given:
    return Given(now=local(3, 1)).record(STREAM, *events)


def folded(story: Given) -> Plan:
    return plan(RAY, story.stream(STREAM))


def test_goals_change_and_end_without_a_reason() -> None:
    story = of(goal("A room."))
    story.record(STREAM, *choose(folded(story), goal("A place for the dog too."), changes=True))
    assert folded(story).entries[ROOM].text == "A place for the dog too."
    story.record(STREAM, *end_goal(folded(story), GoalEnded(**said(story.now), entry_id=ROOM, how=GoalEnd.SET_ASIDE)))
    assert not folded(story).goals
    with pytest.raises(Refused):
        choose(folded(story), goal("Again."), changes=True)
    with pytest.raises(Refused):
        note_progress(folded(story), ProgressNoted(**said(story.now), entry_id=STEP, goal=ROOM, text="Saw one."))
    assert note_progress(folded(story), ProgressNoted(**said(story.now), entry_id=STEP, text="Slept well."))


def test_a_review_falls_due_once_and_going_through_the_plan_starts_it_anew() -> None:
    start = local(3, 1)
    story = of(*agree(agreed(start), start))
    due_at = start + timedelta(days=90)
    assert review_due(story.stream(STREAM), due_at - timedelta(seconds=1)) == []
    (due,) = review_due(story.stream(STREAM), due_at + timedelta(days=3))
    assert isinstance(due, PlanReviewDue)
    assert due.occurred_at == due_at, "it fell due when it did, whenever it is written down"
    story.record(STREAM, due)
    assert review_due(story.stream(STREAM), due_at + timedelta(days=9)) == []
    story.record(STREAM, agreed(due_at + timedelta(days=9)))
    assert review_due(story.stream(STREAM), due_at + timedelta(days=9)) == []
    assert review_due(story.stream(STREAM), due_at + timedelta(days=99))


def test_nobody_is_asked_to_go_through_the_plan_of_someone_who_is_gone() -> None:
    story = of(agreed(local(3, 1)))
    story.record(STREAM, *close(folded(story), CARE, local(3, 9)))
    assert review_due(story.stream(STREAM), local(12, 1)) == []
    assert close(folded(story), CARE, local(3, 9)) == []
    late = of(agreed(local(3, 1)), PlanReviewDue(participant_id=RAY, occurred_at=local(5, 30)))
    assert folded(late).overdue
    late.record(STREAM, *close(folded(late), CARE, local(6, 1)))
    assert not folded(late).overdue
    assert review_due([], local(3, 9)) == []


def test_a_review_lies_ahead() -> None:
    with pytest.raises(Refused):
        agree(agreed(local(3, 1), days=0), local(3, 1))


# The report ----------------------------------------------------------------------------------------------------------

ENROLLED = Participant(RAY, intake_at=local(3, 2), enrolled_at=local(3, 2), status=Enrolment.ENROLLED)


def whole() -> Plan:
    return folded(
        of(
            goal("A room of his own."),
            ProgressNoted(**said(local(3, 2)), entry_id=STEP, goal=ROOM, text="Housing application filed."),
            ChallengeNoted(**said(local(3, 2)), entry_id=FEAR, text="Afraid of the hallway."),
            BarrierNoted(**said(local(3, 2)), entry_id=QUEUE, text="No unit is free before May."),
        )
    )


def reported(**form: Any) -> list[tuple[Label, str]]:
    ticked: dict[str, Any] = {"assessment": False, "working": False, "entries": (), "nothing_helpful": False} | form
    return [(line.label, line.text) for line in lines(Form(**ticked), ENROLLED, whole(), ZONE)]


def test_a_report_says_what_the_form_has_room_for_each_line_under_its_label() -> None:
    found = reported(assessment=True, working=True, entries=(STEP, QUEUE, ROOM))
    assert found == [
        (Label.ENROLMENT_STATUS, "The LEAD assessment took place on 2026-03-02."),
        (Label.ENROLMENT_STATUS, WORKING),
        (Label.IIP_PROGRESS, "Progress: Housing application filed."),
        (Label.IIP_BARRIER, "Barrier: No unit is free before May."),
        (Label.IIP_GOAL, "Interim goal: A room of his own."),
    ]
    assert not [finding for label, text in found for finding in lint(text, frozenset({label}))]


def test_the_toolkits_sentence_stands_alone() -> None:
    assert reported(nothing_helpful=True) == [(Label.IIP_PROGRESS, NOTHING_HELPFUL)]
    for form in ({"nothing_helpful": True, "working": True}, {}):
        with pytest.raises(Refused):
            reported(**form)


def test_what_has_no_place_on_the_form() -> None:
    for entry in (FEAR, named("nothing")):
        with pytest.raises(Refused, match="no place"):
            reported(entries=(entry,))
    over = folded(of(goal("A room."), GoalEnded(**said(local(3, 2)), entry_id=ROOM, how=GoalEnd.REACHED)))
    with pytest.raises(Refused, match="not pursued"):
        lines(Form(False, False, (ROOM,), False), ENROLLED, over, ZONE)
    gone = Participant(RAY, intake_at=local(3, 2), status=Enrolment.DISCHARGED)
    with pytest.raises(Refused, match="discharged"):
        lines(Form(False, True, (), False), gone, whole(), ZONE)
    with pytest.raises(Refused, match="no intake"):
        lines(Form(True, False, (), False), Participant(RAY), whole(), ZONE)


# Flexible funds ------------------------------------------------------------------------------------------------------


def spent(**other: Any) -> FundUsed:
    told: dict[str, Any] = {
        "cents": 4200,
        "purpose": FundPurpose.SUPPLIES,
        "what": "Watercolours",
        "other_pools": ("arts fund",),
        "waitlist": WaitlistEffect.NONE,
    }
    return FundUsed(**said(local(3, 1)), **(told | other))


def test_funds_have_no_limit_on_lawful_purposes_but_other_pools_come_first_and_nobody_is_put_behind() -> None:
    assert use(spent())
    assert use(spent(purpose=FundPurpose.OTHER))
    with pytest.raises(Refused, match="other pools"):
        use(spent(other_pools=()))
    with pytest.raises(Refused, match="put behind"):
        use(spent(waitlist=WaitlistEffect.DISPLACES))


@pytest.mark.parametrize("purpose", [FundPurpose.BAIL, FundPurpose.RESTITUTION, FundPurpose.DEBT])
def test_a_supervisor_determines_bail_restitution_and_debt(purpose: FundPurpose) -> None:
    with pytest.raises(Refused, match="a supervisor determines"):
        use(spent(purpose=purpose))
    assert use(spent(purpose=purpose, determined_by="Noor Haddad"))
