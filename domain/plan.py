"""The Individual Intervention Plan: what the participant wants, in its own words, and how far it came (T:461, T:1277).

Goals change over time. Nothing here is a condition: no sanction, no abstinence, no way to fail. Stream: the plan.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Annotated, ClassVar, NamedTuple
from uuid import UUID, uuid5

from pydantic import StringConstraints

from domain.event import NO_NUL, Event, Recorded, ShortText
from domain.labels import Label
from domain.refusal import Refused

_PLAN = UUID("0e7f3c52-1d1b-5f0b-8d51-5b2f60c7a9e4")

Words = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=180, pattern=NO_NUL)]
"""An entry of a plan: short enough to be shared as it stands."""


def plan_stream(participant: UUID) -> UUID:
    """Return the stream of a participant's plan."""
    return uuid5(_PLAN, str(participant))


class Dimension(StrEnum):
    """SAMHSA's four dimensions of recovery (T:267-T:272)."""

    HEALTH = "health"
    HOME = "home"
    PURPOSE = "purpose"
    COMMUNITY = "community"


class GoalEnd(StrEnum):
    """How a goal ends. Setting one aside needs no reason."""

    REACHED = "reached"
    SET_ASIDE = "set aside"


class PlanAgreed(Event):
    """Participant and case manager went through the plan; `expires_at` is when they mean to do so again."""

    topic: ClassVar[str] = "plan.agreed"
    label: ClassVar[Label] = Label.IIP_GOAL
    requires: ClassVar[tuple[str, ...]] = ("participant_id", "party_id", "expires_at")

    protocol_version: Annotated[ShortText, Label.IIP_GOAL]


class PlanReviewDue(Event):
    """The day meant for going through the plan has passed: a task of the team, and nothing that the person missed."""

    topic: ClassVar[str] = "plan.review_due"
    label: ClassVar[Label] = Label.IIP_GOAL
    requires: ClassVar[tuple[str, ...]] = ("participant_id",)


class PlanClosed(Event):
    """The plan rests: the participant was discharged or died. Going through it again opens it."""

    topic: ClassVar[str] = "plan.closed"
    label: ClassVar[Label] = Label.IIP_GOAL
    requires: ClassVar[tuple[str, ...]] = ("participant_id", "party_id")


class GoalChosen(Event):
    """The participant chose a goal; under the same `entry_id`, changed it."""

    topic: ClassVar[str] = "plan.goal"
    label: ClassVar[Label] = Label.IIP_GOAL
    requires: ClassVar[tuple[str, ...]] = ("participant_id", "party_id")

    entry_id: Annotated[UUID, Label.IIP_GOAL]
    dimension: Annotated[Dimension, Label.IIP_GOAL]
    text: Annotated[Words, Label.IIP_GOAL]


class GoalEnded(Event):
    """A goal was reached, or set aside for another."""

    topic: ClassVar[str] = "plan.goal_ended"
    label: ClassVar[Label] = Label.IIP_GOAL
    requires: ClassVar[tuple[str, ...]] = ("participant_id", "party_id")

    entry_id: Annotated[UUID, Label.IIP_GOAL]
    how: Annotated[GoalEnd, Label.IIP_GOAL]


class ProgressNoted(Event):
    """A step, however small, by the measure that the participant chose (T:1277)."""

    topic: ClassVar[str] = "plan.progress"
    label: ClassVar[Label] = Label.IIP_PROGRESS
    requires: ClassVar[tuple[str, ...]] = ("participant_id", "party_id")

    entry_id: Annotated[UUID, Label.IIP_PROGRESS]
    goal: Annotated[UUID | None, Label.IIP_PROGRESS] = None
    measure: Annotated[Words | None, Label.IIP_PROGRESS] = None
    text: Annotated[Words, Label.IIP_PROGRESS]


class ChallengeNoted(Event):
    """A setback, a fear, something in the way."""

    topic: ClassVar[str] = "plan.challenge"
    label: ClassVar[Label] = Label.IIP_CHALLENGE
    requires: ClassVar[tuple[str, ...]] = ("participant_id", "party_id")

    entry_id: Annotated[UUID, Label.IIP_CHALLENGE]
    text: Annotated[Words, Label.IIP_CHALLENGE]


class BarrierNoted(Event):
    """A resource that is missing, a door of the system that is shut."""

    topic: ClassVar[str] = "plan.barrier"
    label: ClassVar[Label] = Label.IIP_BARRIER
    requires: ClassVar[tuple[str, ...]] = ("participant_id", "party_id")

    entry_id: Annotated[UUID, Label.IIP_BARRIER]
    text: Annotated[Words, Label.IIP_BARRIER]


class NeedNoted(Event):
    """What the participant needs, each kind under its own label."""

    topic: ClassVar[str] = "plan.need"
    label: ClassVar[Label] = Label.IIP_GOAL
    requires: ClassVar[tuple[str, ...]] = ("participant_id", "party_id")

    entry_id: Annotated[UUID, Label.IIP_GOAL]
    housing: Annotated[Words | None, Label.NEED_HOUSING] = None
    income: Annotated[Words | None, Label.NEED_INCOME] = None
    work: Annotated[Words | None, Label.NEED_WORK] = None
    education: Annotated[Words | None, Label.NEED_EDUCATION] = None
    family: Annotated[Words | None, Label.NEED_FAMILY] = None


class Entry(NamedTuple):
    """A sentence of the plan that a report may take up, and what it is about."""

    label: Label
    text: str


@dataclass(frozen=True, slots=True)
class Plan:
    """A participant's plan, folded. `entries`: what stands; `goals`: those of them that are pursued.

    `overdue`: the day meant for going through it has passed, and nobody has.
    """

    participant: UUID
    version: int = 0
    agreed_at: datetime | None = None
    review_at: datetime | None = None
    overdue: bool = False
    entries: Mapping[UUID, Entry] = field(default_factory=dict)
    goals: frozenset[UUID] = frozenset()


def plan(who: UUID, history: Iterable[Recorded[Event]]) -> Plan:
    """Fold the stream of a participant's plan, out of whatever was recorded about it."""
    state, stream = Plan(who), plan_stream(who)
    for recorded in history:
        if recorded.stream == stream:
            state = replace(state if recorded.erased else _apply(state, recorded.event), version=recorded.version)
    return state


def _apply(state: Plan, event: Event) -> Plan:
    match event:
        case PlanAgreed():
            return replace(state, agreed_at=event.occurred_at, review_at=event.expires_at, overdue=False)
        case PlanReviewDue() | PlanClosed():
            return replace(state, review_at=None, overdue=isinstance(event, PlanReviewDue))
        case GoalChosen():
            entries = {**state.entries, event.entry_id: Entry(event.label, event.text)}
            return replace(state, entries=entries, goals=state.goals | {event.entry_id})
        case GoalEnded():
            return replace(state, goals=state.goals - {event.entry_id})
        case ProgressNoted() | ChallengeNoted() | BarrierNoted():
            return replace(state, entries={**state.entries, event.entry_id: Entry(event.label, event.text)})
        case _:
            return state


def agree(event: PlanAgreed, at: datetime) -> list[Event]:
    """Begin the plan, or go through it again."""
    if event.expires_at is None or event.expires_at <= at:
        raise Refused("review_on", "it is not in the future.", "Give a later day, or leave it out.")
    return [event]


def review_due(history: Iterable[Recorded[Event]], now: datetime) -> list[Event]:
    """Return the event of a review whose day has passed, if it is not written down yet."""
    events = list(history)
    agreed = [r.event for r in events if isinstance(r.event, PlanAgreed)]
    if not agreed or agreed[-1].participant_id is None:
        return []
    state = plan(agreed[-1].participant_id, events)
    if state.review_at is None or now < state.review_at:
        return []
    return [PlanReviewDue(participant_id=state.participant, occurred_at=state.review_at)]


def close(state: Plan, care: UUID, at: datetime) -> list[Event]:
    """Let the plan rest, so that nobody is asked to go through it; nothing if nobody is."""
    if state.review_at is None and not state.overdue:
        return []
    return [PlanClosed(participant_id=state.participant, party_id=care, occurred_at=at)]


def choose(state: Plan, event: GoalChosen, *, changes: bool) -> list[Event]:
    """Choose a goal, or change one that is pursued."""
    if changes:
        _pursued(state, event.entry_id)
    return [event]


def end_goal(state: Plan, event: GoalEnded) -> list[Event]:
    """End a goal."""
    _pursued(state, event.entry_id)
    return [event]


def note_progress(state: Plan, event: ProgressNoted) -> list[Event]:
    """Note a step, towards a goal that is pursued if it names one."""
    if event.goal is not None:
        _pursued(state, event.goal)
    return [event]


def _pursued(state: Plan, goal: UUID) -> None:
    if goal not in state.goals:
        raise Refused("goal", "it is not a goal that the participant pursues.", "Name one of the plan, or choose it.")
