"""A false link tells of a stranger's arrest: what links by rule, what a reviewer looks at, what can be taken back."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from uuid import UUID

import pytest

from domain.event import Envelope, Event, Recorded
from domain.identity import (
    Agreement,
    Apart,
    Described,
    Link,
    MatchDismissed,
    MatchProposed,
    Number,
    RecordLinked,
    RecordUnlinked,
    Review,
    Rule,
    SourcePerson,
    Verdict,
    accept,
    blocking_keys,
    compare,
    dismiss,
    follows,
    link,
    linked,
    match,
    person_of,
    propose,
    source_person,
    unlink,
    verdict,
)
from domain.refusal import Refused
from tests.histories import P7, PD, local, named

RAY = Described(sid="WA 10482211", given="Ray", middle="Lee", surname="Bell", birth_date=date(1984, 5, 9))
NO_PRINTS = replace(RAY, sid=None)
OTHER_PRINTS = "WA 30097716"


def between(one: Described, other: Described) -> Verdict:
    there, back = verdict(compare(one, other), P7), verdict(compare(other, one), P7)
    assert there == back, "whose record is looked at first makes no difference"
    if not isinstance(there, Apart):
        assert blocking_keys(one) & blocking_keys(other), "nobody who is to be compared is missed"
    return there


@pytest.mark.parametrize(
    "other",
    [
        RAY,
        replace(RAY, sid="wa-10482211", given="RAY", surname="BELL"),
        replace(RAY, given="Raymond", surname="Nowak"),  # an alias, and his own birth date
        replace(RAY, birth_date=None),
        replace(RAY, birth_date=date(1984, 9, 5)),
        replace(RAY, given="Bell", surname="Ray", birth_date=None),
        replace(RAY, surname="Bell-Castellanos", birth_date=None),
        replace(RAY, surname="Belle", birth_date=date(1979, 1, 1)),
    ],
)
def test_prints_with_a_birth_date_or_a_name_link(other: Described) -> None:
    assert isinstance(between(RAY, other), Link)


def test_which_rule_linked_is_said() -> None:
    assert between(RAY, replace(RAY, given="Nobody", surname="Else")).rule is Rule.SID_AND_BIRTH_DATE  # type: ignore[union-attr]
    assert between(RAY, replace(RAY, birth_date=None)).rule is Rule.SID_AND_NAME  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "other",
    [
        Described(sid=RAY.sid, given="Joaquin", surname="Ortega", birth_date=date(1990, 1, 31)),  # digits transposed
        Described(sid=RAY.sid),
        replace(RAY, surname="Bell Jr.", birth_date=None),
    ],
)
def test_prints_alone_are_reviewed(other: Described) -> None:
    mine = replace(RAY, surname="Bell Sr.") if other.surname == "Bell Jr." else RAY
    assert isinstance(between(mine, other), Review)


@pytest.mark.parametrize(
    "other",
    [
        NO_PRINTS,
        replace(RAY, sid=OTHER_PRINTS),
        replace(NO_PRINTS, birth_date=None),
        replace(NO_PRINTS, birth_date=date(1984, 9, 5)),  # day and month transposed
        replace(NO_PRINTS, birth_date=date(1984, 9, 5), surname="Bels"),  # and a name mistyped: found by the date alone
        replace(NO_PRINTS, birth_date=date(1985, 5, 9)),
        replace(NO_PRINTS, given="Bell", surname="Ray"),
        replace(NO_PRINTS, given="Raymond"),
        replace(RAY, sid="WA 10482121", surname="Nowak", given="Raymond"),  # two digits transposed
    ],
)
def test_no_name_ever_links(other: Described) -> None:
    assert isinstance(between(RAY, other), Review)


def test_the_same_number_of_the_same_agency_beside_a_name_is_reviewed() -> None:
    mine = replace(
        NO_PRINTS, numbers=frozenset({Number("city-pd incident", "2026-44871")}), birth_date=date(1984, 5, 9)
    )
    theirs = replace(mine, birth_date=date(1971, 2, 2))
    assert isinstance(between(mine, theirs), Review)
    elsewhere = replace(theirs, numbers=frozenset({Number("campus-pd incident", "2026-44871")}))
    assert isinstance(between(mine, elsewhere), Apart)


@pytest.mark.parametrize(
    "other",
    [
        Described(given="Ray", surname="Bell", birth_date=date(1962, 11, 30)),
        Described(given="Ray", surname="Bell", birth_date=date(1962, 11, 30), sid=OTHER_PRINTS),
        Described(given="Joaquin", surname="Ortega", birth_date=RAY.birth_date),
        Described(given="Bell", birth_date=None),
        Described(),
    ],
)
def test_one_thing_in_common_is_nothing(other: Described) -> None:
    assert isinstance(between(RAY, other), Apart)


@pytest.mark.parametrize("other", ["Roy", "Rae", "Marcus"])
def test_twins_are_reviewed_at_most(other: str) -> None:
    twin = replace(RAY, given=other, middle=None, sid=None)
    assert not isinstance(between(NO_PRINTS, twin), Link)
    assert not isinstance(between(RAY, replace(twin, sid=OTHER_PRINTS)), Link)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Peña", "PENA"),
        ("O'Brien", "OBrien"),
        ("O\u2019Brien", "O'Brien"),
        ("Smith-Jones", "Smith Jones"),
        ("Smith-Jones", "Jones"),
        ("Sørensen", "Sorensen"),
        ("Łukasz", "lukasz"),
        ("Nguyễn", "Nguyen"),
        ("Bell Jr.", "Bell"),
        ("Bell III", "Bell"),
    ],
)
def test_how_a_name_is_written_makes_no_difference(one: str, other: str) -> None:
    mine, theirs = replace(NO_PRINTS, surname=one), replace(NO_PRINTS, surname=other, birth_date=None)
    assert compare(mine, theirs).likeness == 1
    assert isinstance(between(mine, theirs), Review)


@pytest.mark.parametrize(("name", "nickname"), [("Robert", "Bob"), ("Margaret", "Peggy"), ("William", "Bill")])
def test_a_nickname_is_linked_by_prints_and_else_waits_for_a_number(name: str, nickname: str) -> None:
    mine, theirs = replace(RAY, given=name), replace(RAY, given=nickname)
    assert isinstance(between(mine, theirs), Link)
    number = frozenset({Number("city-pd incident", "2026-44871")})
    assert isinstance(between(replace(mine, sid=None, numbers=number), replace(theirs, numbers=number)), Review)


def test_father_and_son_of_one_name_are_not_one() -> None:
    father, son = replace(RAY, suffix="Sr."), replace(RAY, surname="Bell Jr", birth_date=date(2006, 1, 2), sid=None)
    assert compare(father, son).generation is Agreement.OTHER
    assert isinstance(between(father, son), Apart)
    assert isinstance(between(father, replace(son, sid=father.sid)), Review)


def test_what_agrees_more_stands_first_and_says_nothing_of_anyone() -> None:
    weak, strong = replace(NO_PRINTS, birth_date=None), replace(NO_PRINTS)
    strongest = replace(RAY, sid="WA 10482121")
    scores = [compare(RAY, other).score for other in (weak, strong, strongest, RAY)]
    assert scores == sorted(scores)
    assert not {"Ray", "Bell", "Lee", "10482211"} & set(str(compare(RAY, RAY)).replace("=", " ").split())


def test_a_record_that_could_be_two_participants_is_nobodys_until_someone_looked() -> None:
    one, two, three = named("one"), named("two"), named("three")
    assert list(match(RAY, {one: [RAY], two: [NO_PRINTS], three: [Described()]}, P7)) == [one]
    alias = Described(sid=RAY.sid, given="Raymond", surname="Nowak")
    assert isinstance(match(RAY, {one: [alias, RAY]}, P7)[one], Link), "by whichever of their names"
    both = match(RAY, {one: [NO_PRINTS, RAY], two: [RAY], three: [NO_PRINTS]}, P7)
    assert {who: type(each) for who, each in both.items()} == dict.fromkeys((one, two, three), Review)
    assert list(both)[-1] == three, "the least likely last"


def test_the_thresholds_are_the_sites() -> None:
    strict = P7.model_copy(update={"name_likeness": 1.0, "review_likeness": 1.0})
    typo = compare(RAY, replace(RAY, surname="Belle", birth_date=None))
    assert isinstance(verdict(typo, P7), Link)
    assert isinstance(verdict(typo, strict), Review)
    assert isinstance(verdict(compare(NO_PRINTS, replace(NO_PRINTS, surname="Belle")), strict), Apart)


def test_a_further_record_of_a_linked_person_follows_unless_it_says_otherwise() -> None:
    assert follows(compare(NO_PRINTS, replace(NO_PRINTS, given="Raymond")), P7)[0] is Rule.LINKED_BEFORE
    assert isinstance(follows(compare(NO_PRINTS, Described(given="Joaquin", surname="Ortega")), P7), Review)
    assert isinstance(follows(compare(RAY, replace(RAY, sid=OTHER_PRINTS)), P7), Review), "their index errs too"


def test_nobody_is_found_by_what_nobody_said() -> None:
    assert blocking_keys(Described()) == frozenset()
    assert blocking_keys(Described(given="Ray")) == frozenset()


# --- what is decided of a source's person -----------------------------------------------------------------------------

PERSON = source_person(PD, "MNI 77120")
ARREST, BOOKING = named("arrest"), named("booking")
WHO, ELSE, NOOR = named("who"), named("someone else"), named("noor")
AT = local(3, 1)


def linking(matter: UUID = ARREST, who: UUID = WHO, reviewer: UUID | None = None) -> RecordLinked:
    rule = Rule.SID_AND_NAME if reviewer is None else Rule.REVIEWED
    return RecordLinked(
        participant_id=who, matter_id=matter, staff_id=reviewer, occurred_at=AT, source=PD, rule=rule, score=31.0
    )


def unlinking(matter: UUID = ARREST, who: UUID = WHO) -> RecordUnlinked:
    return RecordUnlinked(
        participant_id=who, matter_id=matter, staff_id=NOOR, occurred_at=AT, source=PD, why="The brother came in."
    )


def proposing(matter: UUID = ARREST, who: UUID = WHO, score: float = 27.5) -> MatchProposed:
    return MatchProposed(
        participant_id=who,
        matter_id=matter,
        occurred_at=AT,
        source=PD,
        score=score,
        sid=Agreement.UNKNOWN,
        birth_date=Agreement.EQUAL,
        likeness=0.93,
        number=False,
    )


def dismissing(who: UUID = WHO) -> MatchDismissed:
    return MatchDismissed(
        participant_id=who, matter_id=ARREST, staff_id=NOOR, occurred_at=AT, source=PD, why="Another height."
    )


def recorded(*events: Event) -> list[Recorded[Event]]:
    envelope = Envelope(actor=None, role="service", agency=PD, correlation_id=named("chain"))
    return [Recorded(n, AT, PERSON, n, envelope, event) for n, event in enumerate(events, 1)]


def state(*events: Event) -> SourcePerson:
    return person_of(PERSON, recorded(*events))


def pairs(events: list[Event]) -> set[tuple[str, UUID | None, UUID | None]]:
    return {(event.topic, event.matter_id, event.participant_id) for event in events}


def test_a_record_is_linked_once_and_to_one_person() -> None:
    assert link(state(), linking()) == [linking()]
    with pytest.raises(Refused, match="linked already"):
        link(state(linking()), linking())
    with pytest.raises(Refused, match="someone else"):
        link(state(linking()), linking(BOOKING, ELSE))
    assert state(linking(), linking(BOOKING)).records == {ARREST, BOOKING}


def test_unlinking_takes_back_every_record_of_the_sources_person() -> None:
    before = state(linking(), linking(BOOKING), proposing(named("third")))
    events = unlink(before, unlinking())
    assert pairs(events) == {
        ("identity.unlinked", ARREST, WHO),
        ("identity.unlinked", BOOKING, WHO),
        ("match.dismissed", named("third"), WHO),
    }
    history = recorded(linking(), linking(BOOKING))
    assert linked(history) == {ARREST, BOOKING}
    assert linked([*history, *recorded(*events)]) == frozenset()
    after = state(linking(), linking(BOOKING), *events)
    assert (after.participant, after.records, after.proposed) == (None, frozenset(), ())
    assert link(after, linking(who=ELSE)), "whose it is after all"


def test_what_is_not_linked_cannot_be_unlinked() -> None:
    for before in (state(), state(proposing()), state(linking(BOOKING)), state(linking(who=ELSE))):
        with pytest.raises(Refused, match="not linked"):
            unlink(before, unlinking())
    with pytest.raises(Refused, match="not linked"):
        unlink(state(linking(), unlinking()), unlinking())


def test_what_a_reviewer_took_apart_no_rule_links_again() -> None:
    for before in (state(linking(), unlinking()), state(proposing(), dismissing())):
        assert before.apart == {WHO}
        assert propose(before, proposing()) == []
        with pytest.raises(Refused, match="someone else"):
            link(before, linking())
        assert link(before, linking(reviewer=NOOR)), "but a reviewer can"
    assert state(linking(), unlinking(), linking(reviewer=NOOR)).apart == frozenset()


def test_a_match_waits_once_and_until_it_is_decided() -> None:
    assert propose(state(), proposing()) == [proposing()]
    assert propose(state(proposing()), proposing()) == []
    assert propose(state(linking()), proposing()) == []
    with pytest.raises(Refused, match="does not wait"):
        accept(state(), linking(reviewer=NOOR))
    with pytest.raises(Refused, match="does not wait"):
        dismiss(state(proposing(), dismissing()), dismissing())


def test_accepting_links_all_that_waits_for_the_participant_and_ends_the_rest() -> None:
    before = state(proposing(), proposing(BOOKING, score=12.0), proposing(who=ELSE))
    events = accept(before, linking(reviewer=NOOR))
    assert pairs(events) == {
        ("identity.linked", ARREST, WHO),
        ("identity.linked", BOOKING, WHO),
        ("match.dismissed", ARREST, ELSE),
    }
    assert {e.score for e in events if isinstance(e, RecordLinked)} == {27.5, 12.0}, "each by its own evidence"
    after = state(proposing(), proposing(BOOKING), proposing(who=ELSE), *events)
    assert (after.participant, after.proposed, after.apart) == (WHO, (), frozenset())


def test_dismissing_ends_all_that_waits_for_the_participant_alone() -> None:
    before = state(proposing(), proposing(BOOKING), proposing(who=ELSE))
    events = dismiss(before, dismissing())
    assert pairs(events) == {("match.dismissed", ARREST, WHO), ("match.dismissed", BOOKING, WHO)}
    assert state(proposing(), proposing(BOOKING), proposing(who=ELSE), *events).proposed == (proposing(who=ELSE),)
