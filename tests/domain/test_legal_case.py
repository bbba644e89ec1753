"""Court cases and decisions (T:473-T:487, T:673-T:692)."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from domain.event import PersonName
from domain.identity import RecordSubject
from domain.legal_case import (
    ADVERSE,
    ELSEWHERE,
    SEVERITY,
    WAITING,
    Beyond,
    CaseDisposed,
    CaseEntered,
    CaseFiled,
    DecisionKind,
    DecisionRecorded,
    Disposition,
    Relation,
    ReviewSet,
    Source,
    decide,
    dispose,
    file,
    harsher,
    legal_case,
    relation,
    review,
    reviews_due,
    standing_review,
)
from domain.refusal import Refused
from tests.histories import DA, P7, THEFT, Given, local, named

TODAY = date(2026, 4, 20)


def filed(**dates: Any) -> CaseFiled:
    values = {"offense_on": date(2026, 2, 2), "arrested_on": date(2026, 2, 3), "filed_on": TODAY} | dates
    return CaseFiled(
        party_id=DA,
        matter_id=named("case"),
        occurred_at=local(4, 20),
        docket="26-CR-9",
        defendant=RecordSubject(name=PersonName(given="Ray", surname="Lewis"), birth_date=date(1980, 5, 17)),
        charges=(THEFT,),
        received_at=local(4, 19),
        **values,
    )


def decision(kind: DecisionKind, source: Source | None = None) -> DecisionRecorded:
    return DecisionRecorded(party_id=DA, matter_id=named("case"), occurred_at=local(4, 21), kind=kind, source=source)


def test_offence_arrest_filing_and_receipt_stay_four_dates() -> None:
    (case,) = file(filed(), TODAY)
    assert isinstance(case, CaseFiled)
    days = (case.offense_on, case.arrested_on, case.filed_on, case.received_at.date())
    assert days == (date(2026, 2, 2), date(2026, 2, 3), TODAY, date(2026, 4, 19))
    assert file(filed(arrested_on=None), TODAY)
    assert file(filed(offense_on=TODAY, arrested_on=TODAY), TODAY)


@pytest.mark.parametrize(
    ("dates", "field"),
    [
        ({"arrested_on": date(2026, 2, 1)}, "arrested_on"),
        ({"filed_on": date(2026, 2, 2)}, "filed_on"),
        ({"arrested_on": None, "filed_on": date(2026, 2, 1)}, "filed_on"),
        ({"filed_on": date(2026, 4, 21)}, "filed_on"),
    ],
)
def test_impossible_dates_are_refused_and_named(dates: dict[str, Any], field: str) -> None:
    with pytest.raises(Refused) as refused:
        file(filed(**dates), TODAY)
    assert refused.value.field == field


def test_a_case_belongs_to_the_office_that_filed_it() -> None:
    assert filed().jurisdiction() == DA
    assert decision(DecisionKind.MONITOR).jurisdiction() == DA


@pytest.mark.parametrize("kind", sorted(ADVERSE))
def test_what_goes_beyond_standard_processing_is_asked_for_its_source(kind: DecisionKind) -> None:
    with pytest.raises(Refused, match="goes beyond standard processing") as refused:
        decide(decision(kind))
    assert refused.value.field == "source"
    assert Source.NOT_STATED.value in refused.value.way_out


@pytest.mark.parametrize("source", Source)
def test_every_source_is_an_answer_and_so_is_held_by_our_office_not_stated(source: Source) -> None:
    assert decide(decision(DecisionKind.DETENTION_MOTION, source))
    assert Source("held by our office, not stated") is Source.NOT_STATED


@pytest.mark.parametrize("kind", sorted(set(DecisionKind) - ADVERSE))
def test_standard_processing_and_all_that_is_milder_is_asked_nothing(kind: DecisionKind) -> None:
    assert decide(decision(kind))
    assert DecisionKind.STANDARD not in ADVERSE


# Severity and ceiling -------------------------------------------------------------------------------------------------


def made(kind: DecisionKind, ceiling: DecisionKind = DecisionKind.STANDARD) -> DecisionRecorded:
    return decision(kind, Source.NOT_STATED).model_copy(update={"ceiling": ceiling})


def test_every_decision_has_a_place_and_a_reason() -> None:
    assert set(SEVERITY) == set(DecisionKind)
    assert all(SEVERITY.values())
    order = list(SEVERITY)
    assert set(order[order.index(DecisionKind.STANDARD) + 1 :]) == ADVERSE


@pytest.mark.parametrize("kind", DecisionKind)
@pytest.mark.parametrize("ceiling", sorted(set(DecisionKind) - ADVERSE))
def test_a_decision_is_beyond_a_ceiling_exactly_if_it_is_more_severe(kind: DecisionKind, ceiling: DecisionKind) -> None:
    first, second = made(DecisionKind.DISMISS, ceiling), made(kind)
    order = list(SEVERITY)
    found = harsher([first, second])
    assert found == ([Beyond(second, ceiling)] if order.index(kind) > order.index(ceiling) else [])
    assert decide(second) == [second]  # and is recorded all the same


@pytest.mark.parametrize("kind", DecisionKind)
def test_before_an_office_sets_a_ceiling_no_decision_goes_beyond_one(kind: DecisionKind) -> None:
    assert harsher([decision(DecisionKind.DISMISS), made(kind)]) == []


def test_a_decision_is_not_judged_by_the_ceiling_it_sets_itself_but_the_next_is() -> None:
    strict, later = made(DecisionKind.STANDARD, DecisionKind.ABEYANCE), made(DecisionKind.LESSER_DISPOSITION)
    assert harsher([strict]) == []
    assert harsher([strict, later]) == [Beyond(later, DecisionKind.ABEYANCE)]


@pytest.mark.parametrize("ceiling", sorted(ADVERSE))
def test_no_ceiling_lies_above_standard_processing(ceiling: DecisionKind) -> None:
    with pytest.raises(Refused, match="T:673") as refused:
        decide(made(DecisionKind.STANDARD, ceiling))
    assert refused.value.field == "ceiling"


# Before and after enrolment -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("offense_on", "filed_on", "stands"),
    [
        (date(2023, 5, 1), date(2023, 6, 1), Relation.PRE_EXISTING),
        (date(2026, 3, 15), date(2026, 3, 15), Relation.PRE_EXISTING),
        (date(2026, 2, 2), date(2026, 4, 20), Relation.PRE_ENROLMENT_INCIDENT),
        (date(2026, 3, 15), date(2026, 3, 16), Relation.PRE_ENROLMENT_INCIDENT),
        (date(2026, 3, 16), date(2026, 4, 20), Relation.POST_ENROLMENT),
    ],
)
def test_a_filing_after_enrolment_of_an_incident_before_it_is_called_so(
    offense_on: date, filed_on: date, stands: Relation
) -> None:
    assert relation(offense_on, filed_on, date(2026, 3, 15)) is stands


# Reviews --------------------------------------------------------------------------------------------------------------


def waiting(kind: DecisionKind = DecisionKind.ABEYANCE, due_on: date | None = None) -> Given:
    story = Given("review", now=local(4, 21))
    matter = story.case()
    story.decided(matter, kind)
    (event,) = story.of(DecisionRecorded)
    return story.record(matter, *review(event, due_on, P7), agency=DA)


@pytest.mark.parametrize("kind", sorted(WAITING))
def test_what_is_put_off_falls_due_once_at_the_end_of_its_day(kind: DecisionKind) -> None:
    story = waiting(kind, date(2026, 5, 1))
    assert reviews_due(story.recorded, local(5, 1, 23, 59, 58)) == []
    (due,) = reviews_due(story.recorded, local(5, 9))
    assert (due.occurred_at, due.party_id) == (local(5, 1, 23, 59, 59), DA)
    story.record(story.recorded[0].stream, due)
    assert reviews_due(story.recorded, local(6, 9)) == []
    (standing,) = story.of(ReviewSet)
    assert standing_review(story.recorded) is standing  # it waits on, until someone decides


def test_a_review_is_set_after_the_protocols_days_where_no_day_is_named() -> None:
    (standing,) = waiting().of(ReviewSet)
    assert (standing.due_on, standing.protocol_version) == (date(2026, 7, 20), "P-7")


def test_a_later_decision_or_the_end_of_the_case_ends_the_waiting() -> None:
    story = waiting()
    matter = story.recorded[0].stream
    assert reviews_due(story.decided(matter, DecisionKind.DISMISS).recorded, local(12, 1)) == []
    ended = waiting()
    ended.told_of(matter, CaseDisposed, outcome=Disposition.DISMISSED, disposed_on=date(2026, 4, 22))
    assert reviews_due(ended.recorded, local(12, 1)) == []


@pytest.mark.parametrize("kind", sorted(set(DecisionKind) - WAITING))
def test_only_what_puts_something_off_has_a_review(kind: DecisionKind) -> None:
    assert review(made(kind), None, P7) == []
    with pytest.raises(Refused, match="puts nothing off"):
        review(made(kind), date(2026, 5, 1), P7)


def test_a_review_does_not_lie_before_the_decision() -> None:
    with pytest.raises(Refused, match="before the decision"):
        review(made(DecisionKind.MONITOR), date(2026, 4, 20), P7)


# Public record --------------------------------------------------------------------------------------------------------


def test_what_a_case_ends_with_is_recorded_once() -> None:
    story = Given("ended", now=local(4, 21))
    matter = story.case()
    event = CaseDisposed(
        party_id=DA, matter_id=matter, occurred_at=story.now, outcome=Disposition.PLEA, disposed_on=date(2026, 4, 21)
    )
    state = legal_case(story.recorded)
    assert state is not None
    story.record(matter, *dispose(state, event))
    after = legal_case(story.recorded)
    assert after is not None
    with pytest.raises(Refused, match="recorded already"):
        dispose(after, event)


@pytest.mark.parametrize("public", [True, False])
def test_only_what_a_courts_feed_told_is_public_and_what_belongs_to_no_office_here_is_no_offices(public: bool) -> None:
    entered = CaseEntered(
        party_id=DA, matter_id=named("c"), occurred_at=local(4, 1), court="C", docket="1", public_record=public
    )
    assert entered.fact("docket").is_public is public
    assert entered.fact("docket").jurisdiction == ELSEWHERE
    assert not filed().fact("docket").is_public


BELL = RecordSubject(name=PersonName(given="Ray", surname="Bell"), birth_date=date(1984, 5, 9))


@pytest.mark.parametrize(
    ("other", "same"),
    [
        ({}, True),
        ({"name": PersonName(given="RAY", surname="Béll")}, True),
        ({"birth_date": None}, True),
        ({"birth_date": None, "name": PersonName(given="Ray", surname="Béll")}, False),
        ({"name": PersonName(given="Roy", surname="Bell")}, False),
        ({"birth_date": date(1984, 9, 5)}, False),
        ({"suffix": "Jr."}, True),
        ({"sid": "WA1", "name": PersonName(given="Sunny", surname="Bell")}, True),
        ({"sid": "WA2"}, False),
        ({"local_id": "8"}, False),
    ],
)
def test_who_is_one_defendant_of_a_docket(other: dict[str, Any], same: bool) -> None:
    one = BELL.model_copy(update={"sid": "WA1"} if "sid" in other else {"local_id": "7"} if "local_id" in other else {})
    two = BELL.model_copy(update=other)
    assert one.is_of(two) is same is two.is_of(one)


def test_a_father_is_not_his_son() -> None:
    senior, junior = (BELL.model_copy(update={"suffix": suffix}) for suffix in ("Sr.", "Jr."))
    assert not senior.is_of(junior)
