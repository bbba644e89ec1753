"""Is this person worse off? The decision table row by row, and what holds whatever is put in (T:673, T:690, T:692)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.custody import PersonBooked
from domain.event import Envelope, Event, PersonName, Recorded
from domain.finding import (
    ALARMS,
    INDEPENDENT,
    Acted,
    Action,
    Adverse,
    Exposure,
    FindingAnswered,
    FindingAsked,
    FindingRaised,
    NamedSource,
    Question,
    Verdict,
    acted,
    answer,
    classify,
    find,
    finding_id,
    standing,
)
from domain.identity import RecordSubject
from domain.labels import Label
from domain.legal_case import CaseFiled, CaseUpdated, DecisionKind, DecisionRecorded, Source
from domain.referral import Charge
from domain.refusal import Refused
from domain.violation import Condition, ViolationAlleged
from domain.warrant import WarrantIssued, WarrantKind
from tests.histories import DA, P7, PD, THEFT, local, named

RAY, CASE, CHEN = named("ray"), named("case"), named("chen")
ACTED_ON = date(2026, 4, 20)
MARCH_25 = date(2026, 3, 25)


def shown(position: int, on: date = MARCH_25, label: Label = Label.IIP_PROGRESS) -> Exposure:
    at = datetime(on.year, on.month, on.day, 20, tzinfo=UTC)
    return Exposure(
        labels=frozenset({label}),
        surface="liaison_prosecutor.participant",
        position=position,
        shown_at=at,
        shown_on=on,
        last_position=position,
        last_at=at,
        times=1,
    )


def action(kind: Adverse = Adverse.FILING, *, position: int = 100, beyond: bool = False) -> Action:
    return Action(
        id=named("action"),
        kind=kind,
        position=position,
        recorded_at=datetime(2026, 4, 20, 18, tzinfo=UTC),
        on=ACTED_ON,
        beyond_ceiling=beyond,
    )


def source(on: date | None = date(2026, 2, 2), **other: Any) -> NamedSource:
    return NamedSource(**{"kind": Source.INCIDENT_REPORT, "number": "2026-40001", "on": on} | other)


BEFORE, AFTER = shown(50), shown(150)
EARLIER, SAME_DAY, LATER = source(date(2026, 2, 2)), source(MARCH_25), source(date(2026, 4, 18))
TABLE = (
    # what the person was shown, the source, beyond the ceiling, what it comes to
    ([], None, False, Verdict.NO_EXPOSURE),
    ([], EARLIER, False, Verdict.NO_EXPOSURE),
    ([], source(kind=Source.NOT_STATED), False, Verdict.NO_EXPOSURE),
    ([AFTER], None, False, Verdict.NO_EXPOSURE),
    ([BEFORE], EARLIER, False, Verdict.EARLIER),
    ([BEFORE], SAME_DAY, False, Verdict.LATER),
    ([BEFORE], LATER, False, Verdict.LATER),
    ([BEFORE], source(ACTED_ON), False, Verdict.LATER),
    ([BEFORE], source(ACTED_ON + timedelta(days=1)), False, Verdict.NONE_NAMED),
    ([shown(50), shown(60, date(2026, 2, 1))], EARLIER, False, Verdict.LATER),
    ([shown(50), shown(150, date(2026, 2, 1))], EARLIER, False, Verdict.EARLIER),
    ([BEFORE], None, False, Verdict.NONE_NAMED),
    ([BEFORE], source(None), False, Verdict.NONE_NAMED),
    ([BEFORE], source(number=None), False, Verdict.NONE_NAMED),
    ([BEFORE], source(cites_share=True), False, Verdict.NONE_NAMED),
    ([BEFORE], source(kind=Source.NOT_STATED), False, Verdict.NONE_NAMED),
    *(([BEFORE], source(kind=kind), False, Verdict.EARLIER) for kind in sorted(INDEPENDENT)),
    ([], None, True, Verdict.HARSHER),
    ([BEFORE], None, True, Verdict.HARSHER),
    ([BEFORE], EARLIER, True, Verdict.HARSHER),
)


@pytest.mark.parametrize(("person", "named_source", "beyond", "verdict"), TABLE)
def test_the_table(person: list[Exposure], named_source: NamedSource | None, beyond: bool, verdict: Verdict) -> None:
    for kind in Adverse:
        for agency in ([], [BEFORE], [AFTER]):
            assert classify(action(kind, beyond=beyond), person, agency, named_source).verdict is verdict


def test_every_verdict_and_every_kind_of_source_is_in_the_table() -> None:
    assert {verdict for *_, verdict in TABLE} == set(Verdict)
    assert {named_source.kind for _, named_source, *_ in TABLE if named_source} == set(Source)
    assert {verdict for verdict in Verdict if verdict in ALARMS} == {Verdict.NONE_NAMED, Verdict.HARSHER}


# Whatever is put in ---------------------------------------------------------------------------------------------------

days = st.dates(date(2026, 1, 1), date(2026, 6, 1))
exposures = st.lists(
    st.builds(shown, st.integers(1, 200), days, st.sampled_from([Label.IIP_PROGRESS, Label.CASE_EFFECT])), max_size=5
)
sources = st.none() | st.builds(
    NamedSource,
    kind=st.sampled_from(Source),
    number=st.none() | st.just("7"),
    on=st.none() | days,
    cites_share=st.booleans(),
)
actions = st.builds(
    action, st.sampled_from(Adverse), position=st.integers(1, 200), beyond=st.booleans() | st.just(False)
)
WORSE = (Verdict.NO_EXPOSURE, Verdict.EARLIER, Verdict.LATER, Verdict.NONE_NAMED, Verdict.HARSHER)


@given(actions, exposures, exposures, sources, exposures)
def test_what_was_shown_afterwards_never_counts(
    act: Action, person: list[Exposure], agency: list[Exposure], named_source: NamedSource | None, more: list[Exposure]
) -> None:
    afterwards = [e.model_copy(update={"position": e.position + act.position}) for e in more]
    found = classify(act, person, agency, named_source)
    assert classify(act, person + afterwards, agency + afterwards, named_source) == found
    assert all(e.position < act.position for e in (*found.person, *found.agency))


@given(actions, exposures, exposures, exposures, sources)
def test_person_and_agency_are_never_mixed(
    act: Action, person: list[Exposure], agency: list[Exposure], other: list[Exposure], named_source: NamedSource | None
) -> None:
    found, again = (classify(act, person, each, named_source) for each in (agency, other))
    assert (found.verdict, found.person) == (again.verdict, again.person)
    assert set(found.person) <= set(person)
    assert set(found.agency) <= set(agency)


@given(actions, exposures, exposures, sources)
def test_an_independent_earlier_source_never_makes_it_worse(
    act: Action, person: list[Exposure], agency: list[Exposure], named_source: NamedSource | None
) -> None:
    first = min((e.shown_on for e in person), default=date(2026, 1, 1))
    better = source(min(first, act.on) - timedelta(days=1))
    before, after = (classify(act, person, agency, each).verdict for each in (named_source, better))
    assert WORSE.index(after) <= WORSE.index(before)
    assert (after in ALARMS) == act.beyond_ceiling


@given(actions, exposures, exposures, sources)
def test_it_is_total_and_gives_the_same_again(
    act: Action, person: list[Exposure], agency: list[Exposure], named_source: NamedSource | None
) -> None:
    assert classify(act, person, agency, named_source) == classify(act, person, agency, named_source)


# Which events are adverse --------------------------------------------------------------------------------------------


def decision(kind: DecisionKind, ceiling: DecisionKind = DecisionKind.STANDARD, **other: Any) -> DecisionRecorded:
    values: dict[str, Any] = {"participant_id": RAY} | other
    return DecisionRecorded(party_id=DA, matter_id=CASE, occurred_at=local(4, 20), kind=kind, ceiling=ceiling, **values)


def filed(**other: Any) -> CaseFiled:
    values: dict[str, Any] = {"participant_id": RAY, "incident_number": "2026-40001"} | other
    return CaseFiled(
        party_id=DA,
        matter_id=CASE,
        occurred_at=local(4, 20),
        docket="26-CR-9",
        defendant=RecordSubject(name=PersonName(given="Ray", surname="Lewis"), birth_date=date(1980, 5, 17)),
        charges=(THEFT,),
        offense_on=date(2026, 2, 2),
        filed_on=ACTED_ON,
        received_at=local(4, 19),
        **values,
    )


LENIENT = set(DecisionKind) - {
    DecisionKind.RAISE_CHARGE,
    DecisionKind.DETENTION_MOTION,
    DecisionKind.SEEK_WARRANT,
    DecisionKind.ALLEGE_VIOLATION,
}


@pytest.mark.parametrize("kind", DecisionKind)
def test_what_goes_beyond_standard_is_adverse_and_nothing_milder(kind: DecisionKind) -> None:
    did = acted(decision(kind, source=None if kind in LENIENT else Source.COURT_RECORD))
    assert (did is None) == (kind in LENIENT)
    if did:
        assert not did.beyond_ceiling, "no ceiling was set: the source decides"
        assert did.source == NamedSource(kind=Source.COURT_RECORD)


def test_what_goes_beyond_a_ceiling_that_the_office_had_set_is_adverse_whatever_it_is() -> None:
    motion = decision(DecisionKind.DETENTION_MOTION, source=Source.COURT_RECORD)
    standard = decision(DecisionKind.STANDARD)
    lower = [decision(DecisionKind.MONITOR, DecisionKind.LESSER_DISPOSITION)]
    done = acted(motion, [decision(DecisionKind.ABEYANCE, DecisionKind.STANDARD)])
    assert done is not None
    assert done.beyond_ceiling
    assert acted(standard, lower) == Acted(Adverse.BEYOND_CEILING, beyond_ceiling=True)
    assert acted(standard) is None
    assert acted(decision(DecisionKind.SUPPORT_QUASH), lower) is None


def test_a_filing_names_the_incident_report_that_it_cites() -> None:
    assert acted(filed()) == Acted(Adverse.FILING, source(date(2026, 2, 2)), date(2026, 2, 2))
    assert acted(filed(incident_number=None)) == Acted(Adverse.FILING, None, date(2026, 2, 2))
    assert acted(filed(cites_share=True)) == Acted(
        Adverse.FILING, source(date(2026, 2, 2), cites_share=True), date(2026, 2, 2)
    )


def updated(*charges: Charge, office: UUID | None = DA) -> CaseUpdated:
    return CaseUpdated(
        participant_id=RAY, party_id=DA, matter_id=CASE, occurred_at=local(4, 21), office=office, charges=charges
    )


def test_a_charge_that_an_office_adds_to_its_case_is_a_charge_raised() -> None:
    robbery = Charge(code="120", description="Robbery", severity="felony A")
    other_words = THEFT.model_copy(update={"description": "Theft, third degree"})
    before = [filed()]
    assert acted(updated(THEFT, robbery), before) == Acted(Adverse.CHARGE_RAISED)
    assert acted(updated(THEFT.model_copy(update={"severity": "felony A"})), before) == Acted(Adverse.CHARGE_RAISED)
    assert acted(updated(other_words), before) is None
    assert acted(updated(THEFT), [*before, updated(THEFT, robbery)]) is None, "less than stood"
    assert acted(updated(THEFT, robbery), [*before, updated(THEFT, robbery)]) is None, "it was raised before"
    assert acted(updated(robbery, office=None), before) is None, "a court's own feed, or what care found"


@pytest.mark.parametrize("kind", WarrantKind)
def test_a_warrant_of_an_office_is_one_that_it_sought(kind: WarrantKind) -> None:
    def issued(office: UUID | None) -> WarrantIssued:
        return WarrantIssued(
            participant_id=RAY,
            party_id=DA,
            matter_id=CASE,
            occurred_at=local(4, 20),
            office=office,
            number="W-9",
            warrant_kind=kind,
            court="District Court",
            issued_on=date(2023, 9, 12),
        )

    record = NamedSource(kind=Source.COURT_RECORD, number="W-9", on=date(2023, 9, 12))
    rests_on = None if kind is WarrantKind.ARREST else record
    assert acted(issued(DA)) == Acted(Adverse.WARRANT_SOUGHT, rests_on)
    assert acted(issued(None)) is None


def test_a_booking_names_its_own_source() -> None:
    booked = PersonBooked(
        participant_id=RAY,
        party_id=PD,
        matter_id=CASE,
        occurred_at=local(4, 20),
        booking_number="226-1",
        facility="County Jail",
        source=Source.COURT_RECORD,
        source_number="W-9",
        source_on=date(2023, 5, 1),
    )
    citing = acted(booked.model_copy(update={"cites_share": True}))
    assert citing is not None
    assert citing.source is not None
    assert citing.source.cites_share
    did = acted(booked)
    assert did is not None
    assert (did.kind, did.source) == (
        Adverse.BOOKING,
        NamedSource(kind=Source.COURT_RECORD, number="W-9", on=date(2023, 5, 1)),
    )


def test_an_allegation_of_probations_names_its_own_source_and_its_incident() -> None:
    alleged = ViolationAlleged(
        participant_id=RAY,
        party_id=PD,
        matter_id=CASE,
        occurred_at=local(4, 20),
        report_number="V-1",
        condition=Condition.REPORTING,
        violated_on=date(2026, 4, 18),
        source=Source.COURT_RECORD,
        source_number="V-1",
        source_on=date(2026, 4, 18),
    )
    source = NamedSource(kind=Source.COURT_RECORD, number="V-1", on=date(2026, 4, 18))
    assert acted(alleged) == Acted(Adverse.VIOLATION_ALLEGED, source, incident_on=date(2026, 4, 18))


# The finding ---------------------------------------------------------------------------------------------------------


def recorded(event: Event) -> Recorded[Event]:
    envelope = Envelope(actor=CHEN, role="liaison_prosecutor", agency=DA, correlation_id=UUID(int=1))
    return Recorded(100, local(4, 20, 10), CASE, 1, envelope, event)


LOWER = [decision(DecisionKind.ABEYANCE, DecisionKind.STANDARD)]
"""The case's decisions so far: the office has set itself a ceiling."""


def raised(event: Event, *exposed: Exposure, now: datetime | None = None, **other: Any) -> list[Any]:
    did = acted(event, LOWER)
    assert did is not None
    given_: dict[str, Any] = {"enrolled_at": local(3, 15), "is_office": True} | other
    return find(
        recorded(event), RAY, did, exposed, (), given_.pop("enrolled_at"), P7, now or local(4, 20, 11), **given_
    )


def test_an_alarm_asks_the_office_and_cites_its_own_filing_alone() -> None:
    finding, asked = raised(filed(incident_number=None), BEFORE)
    assert isinstance(finding, FindingRaised)
    assert finding.verdict is Verdict.NONE_NAMED
    assert finding.person_shown == (BEFORE,)
    assert finding.party_id is None, "the finding is the site's, not the office's own"
    assert (finding.minutes, finding.within_protocol, finding.protocol_version) == (60, True, "P-7")
    assert isinstance(asked, FindingAsked)
    assert (asked.party_id, asked.question, asked.kind) == (DA, Question.SOURCE, Adverse.FILING)
    assert set(FindingAsked.model_fields) - set(Event.model_fields) == {"question", "kind", "acted_at"}


def test_without_an_alarm_and_outside_prosecution_nobody_is_asked() -> None:
    (finding,) = raised(filed(), BEFORE)
    assert finding.verdict is Verdict.EARLIER
    assert [type(e) for e in raised(filed(incident_number=None), BEFORE, is_office=False)] == [FindingRaised]
    (_, asked) = raised(decision(DecisionKind.DETENTION_MOTION, source=Source.COURT_RECORD))
    assert asked.question is Question.CEILING


def test_an_office_that_owes_it_is_asked_about_a_latched_charge_whatever_the_verdict() -> None:
    for shown_before in ((), (BEFORE,)):
        (finding, asked) = raised(filed(), *shown_before, owes=True)
        assert finding.verdict not in ALARMS
        assert asked.question is Question.LATCHED
    (_, asked) = raised(filed(incident_number=None), BEFORE, owes=True)
    assert asked.question is Question.LATCHED


def test_a_late_finding_says_that_it_is_late() -> None:
    (at_the_end,) = raised(filed(), now=local(4, 21, 10))
    (late,) = raised(filed(), now=local(4, 21, 10) + timedelta(seconds=1))
    assert (at_the_end.within_protocol, late.within_protocol) == (True, False)


@pytest.mark.parametrize(
    ("enrolled_at", "is_old"),
    [(None, False), (local(3, 15), True), (local(2, 2), False), (local(1, 20), False), (local(4, 21), False)],
)
def test_an_incident_before_enrolment_is_no_new_offence(enrolled_at: datetime | None, is_old: bool) -> None:
    (finding,) = raised(filed(), enrolled_at=enrolled_at)
    assert finding.pre_enrolment is is_old


def test_one_action_has_one_finding() -> None:
    event = recorded(filed())
    assert finding_id(event.id) == finding_id(replace(event).id)
    assert finding_id(event.id) != finding_id(replace(event, version=2).id)
    ids = {finding_id(event.id), finding_id(event.id, RAY), finding_id(event.id, CHEN)}
    assert len(ids) == 3, "an action that names nobody has one of each person of whom it may be"


def answered(**fields: Any) -> FindingAnswered:
    return FindingAnswered(
        participant_id=RAY, party_id=DA, matter_id=CASE, occurred_at=local(4, 21), source=NamedSource(**fields)
    )


def test_an_answer_names_what_can_be_looked_up_or_nothing() -> None:
    for fields, field in (({}, "number"), ({"number": "7"}, "on"), ({"on": MARCH_25}, "number")):
        with pytest.raises(Refused) as refused:
            answer(answered(kind=Source.VICTIM_REPORT, **fields))
        assert refused.value.field == field
    assert answer(answered(kind=Source.NOT_STATED))
    assert answer(answered(kind=Source.VICTIM_REPORT, number="7", on=MARCH_25))


def test_an_answer_settles_only_what_it_can() -> None:
    finding, _ = raised(filed(incident_number=None), BEFORE)
    report: dict[str, Any] = {"kind": Source.VICTIM_REPORT, "number": "7", "on": date(2026, 4, 18)}
    assert standing(finding, None) is Verdict.NONE_NAMED
    assert standing(finding, answered(**report)) is Verdict.LATER
    assert standing(finding, answered(**report, cites_share=True)) is Verdict.NONE_NAMED
    assert standing(finding, answered(kind=Source.NOT_STATED)) is Verdict.NONE_NAMED
    harsher, _ = raised(decision(DecisionKind.DETENTION_MOTION, source=Source.COURT_RECORD), BEFORE)
    assert standing(harsher, answered(**report)) is Verdict.HARSHER
