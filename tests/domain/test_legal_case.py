"""Court cases and decisions (T:473-T:487, T:673-T:692)."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from domain.event import PersonName
from domain.legal_case import (
    ADVERSE,
    CaseFiled,
    DecisionKind,
    DecisionRecorded,
    Defendant,
    Source,
    decide,
    file,
)
from domain.refusal import Refused
from tests.histories import DA, THEFT, local, named

TODAY = date(2026, 4, 20)


def filed(**dates: Any) -> CaseFiled:
    values = {"offense_on": date(2026, 2, 2), "arrested_on": date(2026, 2, 3), "filed_on": TODAY} | dates
    return CaseFiled(
        party_id=DA,
        matter_id=named("case"),
        occurred_at=local(4, 20),
        docket="26-CR-9",
        defendant=Defendant(name=PersonName(given="Ray", surname="Lewis"), birth_date=date(1980, 5, 17)),
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
