"""What becomes of a participant: nobody fails out, capacity is no ground, a death ends what was given (T:278-T:282)."""

from __future__ import annotations

import re
from datetime import timedelta
from enum import StrEnum

import pytest

from domain.contact import reminder
from domain.labels import TABLE, Label, Reader
from domain.participant import (
    Enrolment,
    Ground,
    Participant,
    RecordsMerged,
    RecordsUnmerged,
    StatusChanged,
    discharge,
    living,
    merge,
    participant,
    unmerge,
)
from domain.plan import Dimension, GoalEnd
from domain.refusal import Refused
from domain.roi import RoiRevoked
from tests.histories import CARE, DA, HOUSING, PD, ZONE, Given, local, named

RAY, ROY = named("ray"), named("roy")


def ray() -> Given:
    return Given().diverted().signed({PD: {Label.ENROLMENT_STATUS}, DA: {Label.IIP_PROGRESS}}).intake().assigned()


def folded(story: Given) -> Participant:
    return participant(story.who, story.stream(story.who))


@pytest.mark.parametrize("words", [Enrolment, Ground, GoalEnd, Dimension])
def test_nobody_fails(words: type[StrEnum]) -> None:
    assert not [word for word in words if re.search("fail|capacity|abstin|sanction|complian|violat", word)]


def test_active_and_inactive_are_descriptions() -> None:
    story = ray()
    since = folded(story).enrolled_at
    story.became(Enrolment.INACTIVE).became(Enrolment.ACTIVE).became(Enrolment.INACTIVE)
    assert folded(story).status is Enrolment.INACTIVE
    assert folded(story).enrolled_at == since, "someone in the wind is in LEAD all the same"


def test_who_was_never_enrolled_is_neither_active_nor_discharged() -> None:
    with pytest.raises(Refused, match="referred"):
        Given().diverted().became(Enrolment.INACTIVE)
    with pytest.raises(Refused, match="referred"):
        Given().diverted().discharged()


@pytest.mark.parametrize("ground", [Ground.HARM_TO_STAFF, Ground.OTHERS_SAFETY])
def test_only_a_supervisor_discharges_for_safety(ground: Ground) -> None:
    with pytest.raises(Refused, match="supervisors decide"):
        ray().discharged(ground)
    assert folded(ray().discharged(ground, by_supervisor=True)).status is Enrolment.DISCHARGED


def test_a_discharge_ends_neither_consent_nor_latch_and_a_return_needs_no_new_steps() -> None:
    story = ray().discharged()
    assert folded(story).enrolled_at is None
    assert set(story.consent.grants) == {PD, DA}
    assert not story.of(RoiRevoked)
    story.signed({PD: {Label.ENROLMENT_STATUS}})
    assert folded(story).status is Enrolment.DISCHARGED, "a signature does not bring anyone back"
    story.returned()
    assert folded(story).enrolled_at == folded(story).since


def test_a_status_is_not_older_than_the_one_before() -> None:
    story = ray().became(Enrolment.INACTIVE)
    before = StatusChanged(
        participant_id=RAY,
        party_id=CARE,
        occurred_at=story.now - timedelta(hours=1),
        status=Enrolment.DISCHARGED,
        ground=Ground.NO_CHANGE,
    )
    with pytest.raises(Refused, match="inactive since later"):
        discharge(folded(story), before, by_supervisor=True)


def test_death_ends_every_grant_and_every_item() -> None:
    story = ray()
    story.item(HOUSING, "He needs a ground-floor room.", {Label.NEED_HOUSING})
    story.died()
    assert all(grant.labels is None and not grant.items for grant in story.consent.grants.values())
    assert {event.party_id for event in story.of(RoiRevoked)} == {PD, DA, HOUSING}
    with pytest.raises(Refused, match="has died"):
        living(folded(story))
    with pytest.raises(Refused, match="has died"):
        story.died()


def test_why_someone_was_discharged_is_seen_by_care_and_the_participant_alone() -> None:
    event = StatusChanged(
        participant_id=RAY, party_id=CARE, occurred_at=local(3, 1), status=Enrolment.DISCHARGED, ground=Ground.NO_CHANGE
    )
    for field in ("ground", "note"):
        (label,) = event.subject_labels(field)
        assert {reader for reader, cell in TABLE[label].cells.items() if cell} == {
            Reader.CASE_MANAGER,
            Reader.PARTICIPANT,
        }


# Two records of one person -------------------------------------------------------------------------------------------

MERGED = RecordsMerged(
    participant_id=RAY, party_id=CARE, occurred_at=local(3, 1), other=ROY, kept=True, why="his brother's name"
)
UNMERGED = RecordsUnmerged(participant_id=ROY, party_id=CARE, occurred_at=local(3, 2), other=ROY, why="two brothers")


def test_merge_is_written_on_both_records_and_unmerge_takes_it_back() -> None:
    kept, away = Given("ray"), Given("roy")
    on_kept, on_away = merge(folded(kept), folded(away), MERGED)
    kept.record(RAY, on_kept)
    away.record(ROY, on_away)
    assert folded(kept).records == (RAY, ROY)
    assert folded(away).into == RAY
    on_kept_again, on_away_again = unmerge(folded(away), UNMERGED)
    kept.record(RAY, on_kept_again)
    away.record(ROY, on_away_again)
    assert folded(kept).records == (RAY,)
    assert folded(away).into is None


def test_what_cannot_be_merged() -> None:
    one, other = Participant(RAY), Participant(ROY)
    for kept, away in (
        (one, one),
        (one, Participant(ROY, into=named("ann"))),
        (one, Participant(ROY, others=frozenset({named("ann")}))),
        (Participant(RAY, into=named("ann")), other),
        (one, Participant(ROY, enrolled_at=local(3, 1), status=Enrolment.ENROLLED)),
        (one, Participant(ROY, status=Enrolment.DECEASED)),
    ):
        with pytest.raises(Refused):
            merge(kept, away, MERGED)
    with pytest.raises(Refused, match="not merged"):
        unmerge(one, UNMERGED)


# A shared phone (scenario Q) -----------------------------------------------------------------------------------------


def test_a_reminder_says_when_where_and_whom_to_call() -> None:
    text = reminder(local(3, 24, 9, 30), "516 3rd Ave, room 3", "206-555-0101", ZONE)
    assert text == "Tue 24 Mar 09:30, 516 3rd Ave, room 3. 206-555-0101"


@pytest.mark.parametrize("place", ["County Courthouse", "LEAD office", "West Precinct", "the methadone clinic"])
def test_a_reminder_does_not_say_why(place: str) -> None:
    with pytest.raises(Refused, match="says what it is about"):
        reminder(local(3, 24), place, "206-555-0101", ZONE)
