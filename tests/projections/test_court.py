"""Cases, hearings and warrants: whose rows they are in, on which basis, and who has none."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import date
from typing import Any
from uuid import UUID, uuid5

import pytest

from domain.event import PersonName
from domain.hearing import HearingEnded, HearingKind, HearingMoved, HearingOutcome, HearingSet
from domain.identity import RecordSubject
from domain.labels import Label, Reader
from domain.legal_case import CaseDisposed, CaseEntered, CaseUpdated, DecisionKind, Disposition, Source
from domain.warrant import WarrantEnd, WarrantEnded, WarrantIssued, WarrantKind
from projections import case_manager, court, liaison_prosecutor, police
from projections.partner import GrantedEntry
from projections.rows import GrantedRow, OwnRow, PublicRow, Row
from projections.views import VIEWS
from tests.histories import CARE, CITY_ATTORNEY, COURT, DA, P7, PD, TRESPASS, Given, erased, local, named

LEWIS = RecordSubject(name=PersonName(given="Ray", surname="Lewis"), birth_date=date(1980, 5, 17))
ROI = {DA: {Label.ENROLMENT_STATUS, Label.CASE_DOCKET, Label.WARRANT}, PD: {Label.ENROLMENT_STATUS, Label.IIP_PROGRESS}}
W9, AWAY = named("W-9"), named("W-O-77")


def issued(number: str, **said: Any) -> dict[str, Any]:
    given = {"number": number, "warrant_kind": WarrantKind.FAILURE_TO_APPEAR, "court": "District Court"}
    return given | {"issued_on": date(2023, 9, 12)} | said


def found() -> Given:
    """Ray, enrolled; care found a warrant of the county and one of an outlying court."""
    story = Given().diverted().at(local(3, 15)).intake().signed(ROI).at(local(3, 24))
    story.told_of(W9, WarrantIssued, by=CARE, **issued("W-9", office=DA))
    return story.told_of(AWAY, WarrantIssued, by=CARE, **issued("W-O-77", court="Enumclaw"))


def fed(who: str = "ray") -> Given:
    """A court's own feed about someone: a case with a hearing, and a warrant."""
    story, case = Given(who), named("court case")
    story.told_of(case, CaseEntered, by=COURT, court="District Court", docket="23-1", defendant=LEWIS)
    story.told_of(case, HearingSet, by=COURT, hearing_kind=HearingKind.PRETRIAL, starts_at=local(4, 14, 9))
    return story.told_of(W9, WarrantIssued, by=COURT, **issued("W-9", defendant=LEWIS, docket="23-1"))


def rows(story: Given, reader: Reader) -> list[Row]:
    return [*VIEWS[reader].rows(story.history, P7.ceiling, story.now)]


def of(story: Given, kind: type[Row], reader: Reader = Reader.PROSECUTOR) -> list[Any]:
    return [row for row in rows(story, reader) if isinstance(row, kind)]


def text(found: Sequence[Row]) -> str:
    return json.dumps([asdict(row) for row in found], default=str)


# What care found -----------------------------------------------------------------------------------------------------


def test_an_office_is_told_of_the_warrant_of_its_own_jurisdiction_and_of_no_other() -> None:
    (told,) = [row for row in of(found(), GrantedEntry) if row.kind == "warrant.issued"]
    assert (told.party_id, told.body["number"], told.shown) == (DA, "W-9", "warrant")
    assert "W-O-77" not in text(rows(found(), Reader.PROSECUTOR))


def test_another_office_is_told_of_neither_whatever_it_was_granted() -> None:
    story = found().signed({CITY_ATTORNEY: ROI[DA]}, covers_from=local(2, 1))
    assert "W-" not in text([row for row in rows(story, Reader.PROSECUTOR) if row.party_id == CITY_ATTORNEY])  # type: ignore[attr-defined]


@pytest.mark.parametrize("reader", [Reader.POLICE, Reader.COURT, Reader.RECIPIENT])
def test_what_care_found_is_nobodys_own_and_no_public_record(reader: Reader) -> None:
    story = found().told_of(named("away case"), CaseEntered, by=CARE, court="Enumclaw", docket="C-22-118")
    assert "W-" not in text(rows(story, reader))
    assert "C-22-118" not in text(rows(story, reader) + rows(story, Reader.PROSECUTOR))


def test_without_the_grant_or_after_it_the_office_has_none_of_it() -> None:
    assert "W-9" not in text(rows(found().revoked(DA), Reader.PROSECUTOR))
    assert "W-9" not in text(rows(found().signed({DA: {Label.CASE_DOCKET}}), Reader.PROSECUTOR))


def test_care_reads_both() -> None:
    said = text([*case_manager.rows(found().history, P7.ceiling, found().now)])
    assert "W-9" in said
    assert "W-O-77" in said


# What a court tells --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reader", [Reader.POLICE, Reader.COURT, Reader.PROSECUTOR])
def test_a_courts_feed_is_public_record_to_those_whom_the_table_names(reader: Reader) -> None:
    public = [row for row in rows(fed(), reader) if isinstance(row, PublicRow)]
    assert "W-9" in text(public)
    assert "23-1" in text(public)
    assert not [row for row in rows(fed(), reader) if isinstance(row, OwnRow | GrantedRow)]


@pytest.mark.parametrize("reader", [r for r in VIEWS if r not in (Reader.POLICE, Reader.COURT, Reader.PROSECUTOR)])
def test_nobody_else_has_a_row_of_it(reader: Reader) -> None:
    assert "W-9" not in text(rows(fed(), reader))


def test_public_record_is_the_same_of_someone_in_lead_and_of_someone_who_is_not() -> None:
    stranger, ray = fed(), found()
    ray.recorded = [*ray.recorded, *Given("ray", now=ray.now).recorded]
    both = found()
    case = named("court case")
    both.told_of(case, CaseEntered, by=COURT, court="District Court", docket="23-1", defendant=LEWIS)
    both.told_of(case, HearingSet, by=COURT, hearing_kind=HearingKind.PRETRIAL, starts_at=local(4, 14, 9))
    both.told_of(named("W-9 of the court"), WarrantIssued, by=COURT, **issued("W-9", defendant=LEWIS, docket="23-1"))
    ids = {"subject_id", "warrant_id", "hearing_id"}

    def shown(story: Given) -> list[dict[str, Any]]:
        public = [row for row in rows(story, Reader.COURT) if isinstance(row, PublicRow)]
        return [{name: value for name, value in asdict(row).items() if name not in ids} for row in public]

    assert shown(both) == shown(stranger)


def test_a_warrant_stands_until_the_court_says_how_it_ended() -> None:
    story = fed()
    (warrant,) = of(story, police.PublicWarrant, Reader.POLICE)
    assert (warrant.state, warrant.defendant, warrant.ended_on) == ("active", "Ray Lewis", None)
    story.told_of(W9, WarrantEnded, by=COURT, outcome=WarrantEnd.QUASHED, ended_on=date(2026, 3, 25))
    (warrant,) = of(story, police.PublicWarrant, Reader.POLICE)
    assert (warrant.state, warrant.ended_on) == ("quashed", date(2026, 3, 25))


def test_what_was_vacated_is_on_nobodys_record() -> None:
    story = fed()
    history = erased(story.history, named("court case"), W9)
    for view in VIEWS.values():
        assert [*view.rows(history, P7.ceiling, story.now)] == []


# The office's own ----------------------------------------------------------------------------------------------------


def docket(story: Given) -> liaison_prosecutor.OwnCase:
    (case,) = of(story, liaison_prosecutor.OwnCase)
    assert isinstance(case, liaison_prosecutor.OwnCase)
    return case


def hearing(story: Given, matter: UUID, month: int, day: int) -> UUID:
    story.told_of(matter, HearingSet, hearing_kind=HearingKind.MOTION, starts_at=local(month, day, 9), courtroom="E-1")
    return uuid5(matter, str(len(story.stream(matter))))


def test_an_offices_docket_names_the_next_hearing_that_is_not_over() -> None:
    story = Given()
    matter = story.case()
    later, sooner = hearing(story, matter, 5, 1), hearing(story, matter, 4, 1)
    assert docket(story).next_hearing == local(4, 1, 9)
    story.told_of(matter, HearingMoved, hearing=sooner, starts_at=local(6, 1, 9), courtroom="E-2")
    assert docket(story).next_hearing == local(5, 1, 9)
    calendar = {row.date_id: (row.due_at, row.courtroom) for row in of(story, liaison_prosecutor.OwnDate)}
    assert calendar == {later: (local(5, 1, 9), "E-1"), sooner: (local(6, 1, 9), "E-2")}
    story.told_of(matter, HearingEnded, hearing=later, outcome=HearingOutcome.STRICKEN)
    assert docket(story).next_hearing == local(6, 1, 9)


def test_charges_and_end_of_a_case_are_those_last_told() -> None:
    story = Given()
    matter = story.case()
    story.told_of(matter, CaseUpdated, charges=(TRESPASS,))
    story.told_of(matter, CaseDisposed, outcome=Disposition.DISMISSED, disposed_on=date(2026, 3, 1))
    assert [charge["code"] for charge in docket(story).charges] == ["90J"]
    assert (docket(story).disposition, docket(story).disposed_on) == ("dismissed", date(2026, 3, 1))


def test_a_decision_says_which_ceiling_it_goes_beyond() -> None:
    story = Given()
    matter = story.case()
    story.decided(matter, DecisionKind.ABEYANCE, ceiling=DecisionKind.LESSER_DISPOSITION)
    story.decided(matter, DecisionKind.STANDARD)
    story.decided(matter, DecisionKind.DETENTION_MOTION, source=Source.NOT_STATED)
    found = {row.kind: row.beyond for row in of(story, liaison_prosecutor.OwnDecision)}
    assert found == {
        "hold in abeyance": None,
        "proceed as standard": "disposition short of dismissal",
        "detention motion": "disposition short of dismissal",
    }


def test_cases_of_two_offices_stay_apart() -> None:
    story = Given()
    hearing(story, story.case(), 4, 1)
    other = story.case(CITY_ATTORNEY, "M-1")
    by_party: Iterator[Any] = (row for row in rows(story, Reader.PROSECUTOR) if isinstance(row, OwnRow))
    assert {row.party_id for row in by_party} == {DA, CITY_ATTORNEY}
    assert [row.party_id for row in of(story, liaison_prosecutor.OwnDate)] == [DA]
    assert other in {row.case_id for row in of(story, liaison_prosecutor.OwnCase) if row.party_id == CITY_ATTORNEY}


def test_an_office_that_was_told_completed_keeps_the_obligation_and_one_that_was_not_has_none() -> None:
    told = Given().diverted().at(local(3, 15)).intake().signed(ROI, completion={DA}).revoked(DA)
    (kept,) = of(told, liaison_prosecutor.OwnObligation)
    assert (kept.party_id, kept.incident_number, kept.charge_code) == (DA, "26-0214", "23C")
    assert kept.obligation == liaison_prosecutor.WILL_NOT_BE_FILED
    never = Given().diverted().at(local(3, 15)).intake().signed(ROI)
    assert of(never, liaison_prosecutor.OwnObligation) == []


def test_the_court_reads_hearings_of_its_docket() -> None:
    (told,) = of(fed(), court.PublicHearing, Reader.COURT)
    assert (told.docket, told.starts_at, told.kind, told.outcome) == ("23-1", local(4, 14, 9), "pretrial", None)
    assert told.court_id == COURT
