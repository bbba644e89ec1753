"""A participant's plan, and the flexible funds that help it along (T:461, T:665)."""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from typing import Annotated

from pydantic import AwareDatetime, Field

from domain import fund
from domain import plan as iip
from domain.calendar import days_after, end_of_day
from domain.event import Event, ShortText
from domain.refusal import Refused
from domain.registry import CARE, Role
from services.ports import Caller
from services.site import (
    Command,
    Outcome,
    Site,
    append,
    example,
    handles,
    happened,
    last_day,
    load_participant,
    reference,
)


class AgreePlan(Command):
    """Participant and case manager went through the plan. `review_on`: when they mean to again; the site's interval."""

    model_config = example(review_on="2026-06-15")

    agreed_at: AwareDatetime | None = None
    review_on: date | None = None


@handles(AgreePlan, *CARE)
def agree_plan(site: Site, caller: Caller, command: AgreePlan, *, participant_id: str) -> Outcome:
    """Begin the plan, or go through it again."""
    state = _plan(site, caller, participant_id)
    protocol = site.protocol()
    agreed_at = happened(site, "agreed_at", command.agreed_at)
    if command.review_on is None:
        review_on = days_after(agreed_at, protocol.review_days, protocol.tz)
    else:
        review_on = last_day(site, "review_on", command.review_on)
    event = iip.PlanAgreed(
        participant_id=state.participant,
        party_id=caller.party,
        occurred_at=agreed_at,
        expires_at=end_of_day(review_on, protocol.tz),
        protocol_version=protocol.version,
    )
    return _outcome(state, iip.agree(event, site.now()), {"participant": participant_id})


class EntryKind(StrEnum):
    """What an entry of a plan is about."""

    GOAL = "goal"
    PROGRESS = "progress"
    CHALLENGE = "challenge"
    BARRIER = "barrier"
    HOUSING = "housing"
    INCOME = "income"
    WORK = "work"
    EDUCATION = "education"
    FAMILY = "family"


class AddToPlan(Command):
    """One sentence of the plan: a goal and its dimension, a step, a challenge, a barrier, or a need by its kind.

    `goal`: the goal that changes, or that a step leads to. `measure`: what the participant goes by.
    """

    model_config = example(kind="goal", dimension="home", text="A room of his own with a door that locks.")

    kind: EntryKind
    text: iip.Words
    noted_at: AwareDatetime | None = None
    dimension: iip.Dimension | None = None
    goal: str | None = None
    measure: iip.Words | None = None


@handles(AddToPlan, *CARE)
def add_to_plan(site: Site, caller: Caller, command: AddToPlan, *, participant_id: str) -> Outcome:
    """Add a sentence to the plan."""
    state = _plan(site, caller, participant_id)
    goal = reference(site, caller, "goal", command.goal) if command.goal else None
    entry = goal if goal is not None and command.kind is EntryKind.GOAL else site.new_id()
    said = {
        "participant_id": state.participant,
        "party_id": caller.party,
        "occurred_at": happened(site, "noted_at", command.noted_at),
        "entry_id": entry,
    }
    events: list[Event]
    match command.kind:
        case EntryKind.GOAL:
            if command.dimension is None:
                raise Refused("dimension", "a goal names one.", f"One of: {', '.join(iip.Dimension)}.")
            chosen = iip.GoalChosen(**said, dimension=command.dimension, text=command.text)
            events = iip.choose(state, chosen, changes=goal is not None)
        case EntryKind.PROGRESS:
            step = iip.ProgressNoted(**said, goal=goal, measure=command.measure, text=command.text)
            events = iip.note_progress(state, step)
        case EntryKind.CHALLENGE:
            events = [iip.ChallengeNoted(**said, text=command.text)]
        case EntryKind.BARRIER:
            events = [iip.BarrierNoted(**said, text=command.text)]
        case _:
            events = [iip.NeedNoted(**said, **{command.kind.value: command.text})]
    return _outcome(state, events, {"participant": participant_id, "entry": site.ids.seal(caller.party, entry)})


class EndGoal(Command):
    """A goal was reached, or set aside for another; nobody asks why."""

    model_config = example(how="reached")

    how: iip.GoalEnd
    ended_at: AwareDatetime | None = None


@handles(EndGoal, *CARE)
def end_goal(site: Site, caller: Caller, command: EndGoal, *, participant_id: str, goal: str) -> Outcome:
    """End a goal."""
    state = _plan(site, caller, participant_id)
    event = iip.GoalEnded(
        participant_id=state.participant,
        party_id=caller.party,
        occurred_at=happened(site, "ended_at", command.ended_at),
        entry_id=reference(site, caller, "goal", goal),
        how=command.how,
    )
    return _outcome(state, iip.end_goal(state, event), {"participant": participant_id, "goal": goal})


class UseFunds(Command):
    """Flexible funds were used. `other_pools`: who was asked first, and had nothing. `cents`: the amount."""

    model_config = example(
        cents=4200, purpose="basic need", what="A prepaid phone", other_pools=["Lifeline"], waitlist="none"
    )

    cents: Annotated[int, Field(gt=0, le=fund.CENTS_MOST)]
    purpose: fund.FundPurpose
    what: ShortText
    other_pools: Annotated[tuple[ShortText, ...], Field(max_length=20)]
    waitlist: fund.WaitlistEffect
    used_at: AwareDatetime | None = None


@handles(UseFunds, *CARE)
def use_funds(site: Site, caller: Caller, command: UseFunds, *, participant_id: str) -> Outcome:
    """Use flexible funds; a supervisor's own word is the determination that some of them need."""
    who, _ = load_participant(site, caller, participant_id)
    number = site.new_id()
    event = fund.FundUsed(
        participant_id=who,
        party_id=caller.party,
        occurred_at=happened(site, "used_at", command.used_at),
        **command.model_dump(exclude={"used_at"}),
        determined_by=caller.name if caller.role is Role.SUPERVISOR else None,
    )
    return Outcome(
        [append(number, 0, *fund.use(event))],
        {"participant": participant_id, "use": site.ids.seal(caller.party, number)},
    )


def _plan(site: Site, caller: Caller, text: str) -> iip.Plan:
    who, history = load_participant(site, caller, text)
    return iip.plan(who, history)


def _outcome(state: iip.Plan, events: list[Event], answer: dict[str, str]) -> Outcome:
    return Outcome([append(iip.plan_stream(state.participant), state.version, *events)], answer)
