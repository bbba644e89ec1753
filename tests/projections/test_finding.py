"""What each reader has of a finding: the project manager all of it, the observer no name, the office its question."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import pytest

from domain.finding import Exposure, FindingAnswered, FindingRaised, NamedSource, acted, find, finding_id
from domain.hearing import HearingKind, HearingSet
from domain.labels import Label
from domain.legal_case import Source
from domain.referral import ChargeLatched
from domain.stop_record import ArrestRecorded, NoOffer
from projections import case_manager, counsel, court, finding, liaison_prosecutor, participant, police, recipient
from projections.finding import ObserverFinding, OwnFinding, ProgramFinding
from projections.lens import History
from tests.domain.test_finding import filed
from tests.histories import CITY_ATTORNEY, DA, P7, PD, THEFT, Given, erased, local, named
from tests.projections import promises

CHEN = named("chen")
SAID = "He stays at the Lyon Building."


def exposure(position: int) -> Exposure:
    at = datetime(2026, 3, 25, 20, tzinfo=UTC)
    return Exposure(
        labels=frozenset({Label.CONTACT_LOCATION}),
        surface="liaison_prosecutor.participant",
        position=position,
        shown_at=at,
        shown_on=at.date(),
        last_position=position,
        last_at=at,
        times=1,
    )


def found(*, told_before: int = 0, **filing: Any) -> tuple[Given, UUID]:
    """Ray's office was shown where he stays, and files; `told_before`: what else lies on the case's stream by then."""
    ray = Given().identified().at(local(4, 20, 8))
    for n in range(told_before):
        ray.told_of(named("case"), HearingSet, hearing_kind=HearingKind.TRIAL, starts_at=local(6, 1 + n))
    ray.at(local(4, 20))
    event = filed(**filing).model_copy(update={"participant_id": ray.who})
    ray.record(named("case"), event, agency=DA).then()
    recorded = ray.recorded[-1]
    did = acted(event)
    assert did is not None
    stream = finding_id(recorded.id)
    events = find(recorded, ray.who, did, [exposure(1)], [], local(3, 15), P7, ray.now, is_office=True)
    return ray.record(stream, *events).then(), stream


def answered(ray: Given, stream: UUID) -> None:
    event = FindingAnswered(
        participant_id=ray.who,
        party_id=DA,
        matter_id=named("case"),
        occurred_at=ray.now,
        source=NamedSource(kind=Source.VICTIM_REPORT, number="2026-53000", on=date(2026, 4, 18)),
        text=SAID,
    )
    ray.record(stream, event, agency=DA).then()


def of(kind: type[Any], history: History, at: datetime) -> list[Any]:
    rows = (finding.program_rows, finding.observer_rows, finding.office_rows)
    return [row for each in rows for row in each(history, P7.ceiling, at) if isinstance(row, kind)]


def test_the_manager_sees_all_of_it_and_the_observer_no_name() -> None:
    ray, stream = found(incident_number=None)
    (to_pat,), (to_ames,) = (of(kind, ray.history, ray.now) for kind in (ProgramFinding, ObserverFinding))
    assert to_pat.finding_id == stream
    for row in (to_pat, to_ames):
        assert (row.verdict, row.alarm) == ("exposed, none named", True)
        assert row.unanswered_since == row.raised_at
        assert row.person_was_shown[0]["labels"] == ["contact.location"]
        assert row.agency_id == DA

    answered(ray, stream)
    (to_pat,), (to_ames,) = (of(kind, ray.history, ray.now) for kind in (ProgramFinding, ObserverFinding))
    assert (to_pat.answer["text"], to_pat.answer["source"]["number"]) == (SAID, "2026-53000")
    assert set(to_ames.answer) == {"at", "source"}
    assert set(to_ames.answer["source"]) == {"kind", "on", "cites_share"}
    for row in (to_pat, to_ames):
        assert (row.verdict, row.raised_as) == ("independent source, later", "exposed, none named")
        assert (row.alarm, row.unanswered_since) == (False, None)
    assert "53000" not in str(asdict(to_ames))


def test_an_observers_id_of_a_finding_does_not_count_what_else_lies_in_its_case() -> None:
    stories = [found(told_before=n, incident_number=None) for n in (0, 2)]
    to_ames = [row for ray, _ in stories for row in of(ObserverFinding, ray.history, ray.now)]
    assert [row.finding_id for row in to_ames] == [to_ames[0].finding_id] * 2
    assert stories[0][1] != stories[1][1], "else it shows nothing"

    # Two findings of one case are two.
    ray, _ = stories[0]
    again = next(r.event for r in ray.recorded if isinstance(r.event, FindingRaised))
    ray.record(named("another action"), again)
    assert len({row.finding_id for row in of(ObserverFinding, ray.history, ray.now)}) == 2
    promises.hold(ray)


def test_counsels_and_the_participants_ids_of_a_finding_do_not_count_it_either() -> None:
    ids: dict[type[Any], set[tuple[UUID, UUID]]] = {counsel.Entry: set(), participant.Entry: set()}
    for told_before in (0, 2):
        ray, _ = found(told_before=told_before, incident_number=None)
        ray.authorised({Label.FINDING}, covers_from=local(4, 1))
        for rows in (counsel.rows, participant.rows):
            for row in rows(ray.history, P7.ceiling, ray.now):
                if isinstance(row, counsel.Entry | participant.Entry) and row.kind == FindingRaised.topic:
                    ids[type(row)].add((row.entry_id, row.stream_id))
    assert [len(some) for some in ids.values()] == [1, 1]


def test_counsel_and_participant_read_who_acted_and_what_was_shown_and_no_id_of_the_log() -> None:
    ray, _ = found(incident_number=None)
    ray.authorised({Label.FINDING}, covers_from=local(4, 1))
    views: dict[type[Any], Iterator[Any]] = {
        counsel.Entry: counsel.rows(ray.history, P7.ceiling, ray.now),
        participant.Entry: participant.rows(ray.history, P7.ceiling, ray.now),
    }
    for kind, rows in views.items():
        (row,) = [row for row in rows if isinstance(row, kind) and row.kind == FindingRaised.topic]
        assert (row.agency_id, row.body["verdict"], row.body["action"]["kind"]) == (DA, "exposed, none named", "filing")
        (shown,) = row.body["person_shown"]
        assert (shown["labels"], shown["times"]) == (["contact.location"], 1)
        assert not {"id", "position"} & (set(row.body["action"]) | set(shown))
    promises.hold(ray)


def test_a_finding_is_counsels_where_the_authority_names_it() -> None:
    ray, _ = found(incident_number=None)
    ray.authorised({Label.IDENTITY_LEGAL, Label.PROSECUTOR_DECISION, Label.CASE_DOCKET}, covers_from=local(2, 1))
    assert "finding" not in str([*counsel.rows(ray.history, P7.ceiling, ray.now)])


def test_a_reports_number_is_not_the_observers() -> None:
    ray, _ = found(incident_number="2026-40001")
    (to_pat,), (to_ames,) = (of(kind, ray.history, ray.now) for kind in (ProgramFinding, ObserverFinding))
    assert to_pat.source["number"] == "2026-40001"
    assert "2026-40001" not in str(asdict(to_ames))
    assert not to_pat.alarm
    assert of(OwnFinding, ray.history, ray.now) == []


def test_the_office_sees_its_own_question_and_answer_and_no_evidence() -> None:
    ray, stream = found(incident_number=None)
    (asked,) = of(OwnFinding, ray.history, ray.now)
    assert (asked.party_id, asked.case_id, asked.action, asked.answered_at) == (DA, named("case"), "filing", None)
    shown = str({name: value for name, value in asdict(asked).items() if name != "subject_id"})
    assert not [word for word in ("contact.location", "exposed", "enrol", "none named") if word in shown]
    answered(ray, stream)
    (asked,) = of(OwnFinding, ray.history, ray.now)
    assert (asked.answer["number"], asked.text) == ("2026-53000", SAID)
    own = [row for row in liaison_prosecutor.rows(ray.history, P7.ceiling, ray.now) if isinstance(row, OwnFinding)]
    assert own == [asked]
    assert CITY_ATTORNEY not in {row.party_id for row in own}


def test_nobody_else_has_a_row_of_it() -> None:
    ray, stream = found(incident_number=None)
    answered(ray, stream)
    for view in (police, recipient, court, case_manager):
        told = str([asdict(row) for row in view.rows(ray.history, P7.ceiling, ray.now)])
        assert not [word for word in ("finding", "exposed", "none named", SAID, "53000", str(stream)) if word in told]


def latched(ray: Given, incident: str, office: UUID = DA) -> Given:
    event = ChargeLatched(
        participant_id=ray.who,
        party_id=PD,
        matter_id=ray.matter,
        occurred_at=ray.now,
        prosecutor=office,
        charge=THEFT,
        incident_number=incident,
    )
    return ray.record(ray.referral, event)


@pytest.mark.parametrize("kind", [ProgramFinding, ObserverFinding])
def test_a_filing_of_a_latched_charge_alarms_whatever_its_verdict(kind: type[Any]) -> None:
    for incident, office in (("2026-40002", DA), ("2026-40001", CITY_ATTORNEY)):
        ray, _ = found(incident_number="2026-40001")
        (row,) = of(kind, latched(ray, incident, office).history, ray.now)
        assert (row.latched_charge, row.alarm) == (False, False), "another charge, or another office's"
    ray, _ = found(incident_number="2026-40001")
    latched(ray, "2026-40001")
    (row,) = of(kind, ray.history, ray.now)
    assert (row.latched_charge, row.alarm, row.verdict) == (True, True, "independent source, earlier")
    (dark,) = of(kind, erased(ray.history, ray.matter), ray.now)
    assert (dark.latched_charge, dark.alarm) == (False, False), "the charge's own order takes it along"
    assert of(OwnFinding, ray.history, ray.now) == [], "the office is asked nothing"


def test_a_vacated_case_is_dark_here_too() -> None:
    ray, stream = found(incident_number=None)
    answered(ray, stream)
    history = erased(ray.history, named("case"))
    assert [*finding.program_rows(history, P7.ceiling, ray.now)] == []
    assert [*finding.observer_rows(history, P7.ceiling, ray.now)] == []
    assert [*finding.office_rows(history, P7.ceiling, ray.now)] == []


@pytest.mark.parametrize("divertible", [True, False])
def test_an_arrest_is_missed_if_it_could_have_been_diverted(divertible: bool) -> None:
    arrest = ArrestRecorded(
        party_id=PD,
        occurred_at=local(4, 20),
        code="90J",
        divertible=divertible,
        reason=NoOffer.NOT_KNOWN,
        unit="West 2nd watch",
        protocol_version="P-7",
    )
    story = Given().record(named("arrest"), arrest)
    history = History(named("arrest"), tuple(story.recorded))
    for rows in (finding.program_rows, finding.observer_rows):
        listed: list[Any] = [*rows(history, P7.ceiling, story.now)]
        assert [(row.code, row.unit, row.reason) for row in listed] == [
            ("90J", "West 2nd watch", "the officer did not know that the charge is divertible")
        ] * divertible


def test_an_offer_that_the_person_declined_is_no_missed_diversion() -> None:
    arrest = ArrestRecorded(
        party_id=PD,
        occurred_at=local(4, 20),
        code="90J",
        divertible=True,
        reason=NoOffer.DECLINED,
        protocol_version="P-7",
    )
    history = History(named("arrest"), tuple(Given().record(named("arrest"), arrest).recorded))
    (told,) = finding.program_rows(history, P7.ceiling, local(4, 21))
    (seen,) = finding.observer_rows(history, P7.ceiling, local(4, 21))
    assert (type(told), type(seen)) == (finding.ProgramOfferNotTaken, finding.ObserverOfferNotTaken)
