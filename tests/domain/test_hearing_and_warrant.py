"""Hearings and warrants: each is over once."""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID, uuid5

import pytest

from domain import hearing, warrant
from domain.hearing import HearingEnded, HearingKind, HearingMoved, HearingOutcome, HearingSet, hearings
from domain.refusal import Refused
from domain.warrant import WarrantEnd, WarrantEnded, WarrantIssued, WarrantKind
from tests.histories import DA, Given, local, named

MATTER = named("a case")


def hearing_of(story: Given) -> UUID:
    story.told_of(MATTER, HearingSet, hearing_kind=HearingKind.TRIAL, starts_at=local(4, 14, 9))
    return uuid5(MATTER, str(len(story.stream(MATTER))))


def ended(number: UUID, outcome: HearingOutcome, at: datetime) -> HearingEnded:
    return HearingEnded(party_id=DA, matter_id=MATTER, occurred_at=at, hearing=number, outcome=outcome)


def test_a_hearing_is_known_by_the_event_that_set_it_and_stands_as_last_told() -> None:
    story = Given()
    number = hearing_of(story)
    story.told_of(MATTER, HearingMoved, hearing=number, starts_at=local(4, 21, 9))
    found = hearings(story.recorded)
    assert {each: told.starts_at for each, told in found.items()} == {number: local(4, 21, 9)}


@pytest.mark.parametrize("outcome", HearingOutcome)
def test_only_a_hearing_that_has_begun_was_held_or_missed(outcome: HearingOutcome) -> None:
    story = Given()
    number = hearing_of(story)
    state = hearings(story.recorded)[number]
    assert hearing.end(state, ended(number, outcome, local(4, 14, 10)))
    if outcome is HearingOutcome.STRICKEN:
        assert hearing.end(state, ended(number, outcome, local(4, 1)))
    else:
        with pytest.raises(Refused, match="has not begun"):
            hearing.end(state, ended(number, outcome, local(4, 14, 8)))


def test_what_is_over_is_neither_moved_nor_ended_again() -> None:
    story = Given()
    number = hearing_of(story)
    story.told_of(MATTER, HearingEnded, hearing=number, outcome=HearingOutcome.HELD)
    state = hearings(story.recorded)[number]
    moved = HearingMoved(party_id=DA, matter_id=MATTER, occurred_at=story.now, hearing=number, starts_at=local(5, 1))
    with pytest.raises(Refused, match="is over"):
        hearing.move(state, moved)
    with pytest.raises(Refused, match="is over"):
        hearing.end(state, ended(number, HearingOutcome.HELD, local(5, 1)))


def test_a_warrant_ends_once_and_not_before_it_was_issued() -> None:
    story = Given()
    story.told_of(
        MATTER,
        WarrantIssued,
        number="W-9",
        warrant_kind=WarrantKind.BENCH,
        court="District Court",
        issued_on=date(2023, 9, 12),
    )
    state = warrant.warrant(story.recorded)
    assert state is not None
    end = WarrantEnded(
        party_id=DA, matter_id=MATTER, occurred_at=story.now, outcome=WarrantEnd.SERVED, ended_on=date(2023, 9, 12)
    )
    with pytest.raises(Refused, match="before the warrant was issued"):
        warrant.end(state, end.model_copy(update={"ended_on": date(2023, 9, 11)}))
    story.record(MATTER, *warrant.end(state, end))
    after = warrant.warrant(story.recorded)
    assert after is not None
    with pytest.raises(Refused, match="ended already"):
        warrant.end(after, end)
