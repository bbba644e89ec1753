"""Suspension of an accounting: whose word suspends it, for how long, and for which agency (45 CFR 164.528(a)(2))."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import pytest

from domain.event import Envelope, Event, Recorded
from domain.refusal import Refused
from domain.registry import PartyKind
from domain.suspension import (
    MAY_ASK,
    ORAL_DAYS,
    AccountingResumed,
    AccountingSuspended,
    Capacity,
    Statement,
    last_moment,
    suspend,
    suspended,
    suspension,
    suspension_stream,
)
from tests.histories import CARE, DA, P7, PD, local, named

RAY = named("ray")
WRITTEN, ORAL = Statement.WRITTEN, Statement.ORAL


class Asked:
    """What agencies said of Ray's accounting, each word as it was taken."""

    def __init__(self) -> None:
        self.recorded: list[Recorded[Event]] = []

    def said(self, how: Statement, stated_on: date, until: date, at: datetime, **other: object) -> Asked:
        event = AccountingSuspended(
            participant_id=RAY,
            party_id=CARE,
            expires_at=last_moment(until, P7),
            occurred_at=at,
            agency=DA,
            capacity=Capacity.LAW_ENFORCEMENT,
            official="Alex Chen",
            statement=how,
            stated_on=stated_on,
            until=until,
            artefact_sha256="d" * 64 if how is WRITTEN else None,
        ).model_copy(update=other)
        return self._record(event.agency, suspend(suspension(RAY, event.agency, self.recorded), event, P7))

    def resumed(self, at: datetime) -> Asked:
        return self._record(DA, AccountingResumed(participant_id=RAY, party_id=CARE, occurred_at=at, agency=DA))

    def silent(self, at: datetime) -> set[object]:
        return set(suspended(self.recorded, at))  # type: ignore[arg-type]

    def _record(self, agency: object, event: Event) -> Asked:
        stream = suspension_stream(RAY, agency)  # type: ignore[arg-type]
        version = sum(r.stream == stream for r in self.recorded) + 1
        envelope = Envelope(actor=None, role="test", agency=CARE, correlation_id=named("word"))
        self.recorded.append(Recorded(len(self.recorded) + 1, event.occurred_at, stream, version, envelope, event))
        return self


MARCH = date(2026, 3, 2)


def test_it_ends_by_itself_when_the_agencys_day_is_over() -> None:
    asked = Asked().said(WRITTEN, MARCH, date(2026, 4, 30), local(3, 3))
    assert asked.silent(local(3, 3, 0, 1)) == {DA}
    assert asked.silent(local(4, 30, 23, 59)) == {DA}
    assert asked.silent(local(5, 1)) == set()


def test_it_covers_the_agency_that_asked_and_no_other() -> None:
    asked = Asked().said(WRITTEN, MARCH, date(2026, 4, 30), local(3, 3))
    assert PD not in asked.silent(local(3, 4))
    asked.said(WRITTEN, MARCH, date(2026, 3, 10), local(3, 4), agency=PD)
    assert asked.silent(local(3, 9)) == {DA, PD}
    assert asked.silent(local(3, 11)) == {DA}


def test_it_can_be_ended_before_its_day_and_asked_for_again() -> None:
    asked = Asked().said(WRITTEN, MARCH, date(2026, 4, 30), local(3, 3)).resumed(local(3, 5))
    assert asked.silent(local(3, 6)) == set()
    asked.said(WRITTEN, date(2026, 3, 7), date(2026, 3, 20), local(3, 7))
    assert asked.silent(local(3, 8)) == {DA}


def test_a_word_of_mouth_is_good_for_thirty_days_and_not_for_one_more() -> None:
    last = MARCH + timedelta(days=ORAL_DAYS)
    assert last == date(2026, 4, 1)
    asked = Asked().said(ORAL, MARCH, last, local(3, 3))
    assert asked.silent(local(4, 1, 23)) == {DA}
    assert asked.silent(local(4, 2)) == set()
    refused = refusal(Asked(), ORAL, MARCH, last + timedelta(days=1))
    assert (refused.field, "30 days at most" in refused.reason) == ("until", True)


def test_the_thirty_days_begin_with_the_statement_not_with_its_being_written_down() -> None:
    assert refusal(Asked(), ORAL, MARCH, date(2026, 4, 15), at=local(3, 20)).field == "until"


def test_only_paper_gives_more_than_a_word_of_mouth() -> None:
    asked = Asked().said(ORAL, MARCH, date(2026, 4, 1), local(3, 3))
    for at in (local(3, 20), local(4, 2), local(6, 1)):  # while it runs, the day after, and long after
        assert refusal(asked, ORAL, at.date(), at.date() + timedelta(days=5), at=at).field == "statement"
    asked.said(WRITTEN, date(2026, 3, 25), date(2026, 6, 30), local(3, 26))
    assert asked.silent(local(6, 30, 12)) == {DA}
    assert refusal(asked, ORAL, date(2026, 6, 1), date(2026, 6, 30), at=local(6, 1)).field == "statement"
    asked.said(ORAL, date(2026, 8, 1), date(2026, 8, 20), local(8, 1))  # another time, once paper had come between
    assert asked.silent(local(8, 2)) == {DA}


def test_paper_may_also_shorten_what_runs() -> None:
    asked = Asked().said(WRITTEN, MARCH, date(2026, 4, 30), local(3, 3))
    asked.said(WRITTEN, date(2026, 3, 10), date(2026, 3, 15), local(3, 10))
    assert asked.silent(local(3, 16)) == set()


@pytest.mark.parametrize(
    ("stated_on", "until", "paper", "field"),
    [
        (MARCH, date(2026, 3, 2), "d" * 64, "until"),
        (date(2026, 3, 9), date(2026, 3, 8), "d" * 64, "until"),
        (MARCH, date(2026, 4, 30), None, "artefact_sha256"),
    ],
)
def test_what_a_written_statement_must_say(stated_on: date, until: date, paper: str | None, field: str) -> None:
    assert refusal(Asked(), WRITTEN, stated_on, until, artefact_sha256=paper).field == field


def test_whoever_investigates_or_prosecutes_may_ask_and_no_court_nor_who_supervises() -> None:
    assert MAY_ASK[Capacity.LAW_ENFORCEMENT] == {PartyKind.POLICE, PartyKind.PROSECUTOR}
    may = frozenset[PartyKind]().union(*MAY_ASK.values())
    assert not may & {PartyKind.COURT, PartyKind.PROBATION, PartyKind.DEFENDER, PartyKind.COUNSEL, PartyKind.CARE}


def refusal(
    asked: Asked, how: Statement, stated_on: date, until: date, *, at: datetime | None = None, **other: object
) -> Refused:
    with pytest.raises(Refused) as refused:
        asked.said(how, stated_on, until, at or local(3, 3), **other)
    assert refused.value.way_out
    return refused.value
