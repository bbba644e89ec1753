"""The checker of histories finds what is wrong with a forged one, and nothing in an honest one."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import NamedTuple
from uuid import UUID

import pytest

from tests.properties.history import Change, Written, disordered, stale

AT = datetime(2026, 2, 14, 17, tzinfo=UTC)
WHO, PARTY, STAFF = UUID(int=1), UUID(int=2), UUID(int=3)
ENDINGS = ("roi.revoked", "roi.narrowed", "roi.expired", "counsel.narrowed", "counsel.ended", "conflict.declared")


class Answer(NamedTuple):
    begun: float
    ended: float
    facts: frozenset[str]


def held(begun: float, ended: float) -> Answer:
    return Answer(begun, ended, frozenset({"told"}))


END = Change("told", 2.0, 3.0)


@pytest.mark.parametrize(
    ("answer", "changes", "found"),
    [
        (held(1.0, 1.5), [END], False),  # before
        (held(2.9, 9.0), [END], False),  # under way when it was acknowledged, however late it ends
        (held(3.1, 3.2), [END], True),
        (Answer(3.1, 3.2, frozenset()), [END], False),
        (Answer(3.1, 3.2, frozenset({"other"})), [END], False),
        (held(5.1, 5.2), [END, Change("told", 4.0, 5.0, gives=True)], False),
        (held(3.1, 4.5), [END, Change("told", 4.0, 5.0, gives=True)], False),  # given while it was under way
        (held(3.1, 3.9), [END, Change("told", 4.0, 5.0, gives=True)], True),  # given only afterwards
        (held(3.1, 3.9), [Change("told", 0.0, 1.0, gives=True), END], True),
        (held(7.1, 7.2), [END, Change("told", 4.0, 5.0, gives=True), Change("told", 6.0, 7.0)], True),
    ],
)
def test_an_answer_is_stale_if_it_was_asked_for_after_the_end(
    answer: Answer, changes: list[Change], found: bool
) -> None:
    assert bool(stale([answer], changes)) is found


@dataclass
class Log:
    """A log that is written as the rows are named."""

    rows: list[Written] = field(default_factory=list)

    def event(self, topic: str, **more: object) -> Log:
        given: dict[str, object] = {"participant": WHO, "party": PARTY, "staff": None, "until": AT + timedelta(days=9)}
        given |= {"topic": topic, "epoch": None, "at": AT} | more
        self.rows.append(Written(position=len(self.rows) + 1, **given))  # type: ignore[arg-type]
        return self

    def shown(self, epoch: int | None = 0, at: datetime = AT) -> Log:
        self.rows.append(Written(len(self.rows) + 1, None, WHO, PARTY, STAFF, None, epoch, at))
        return self


def test_a_disclosure_that_rests_on_what_stands_is_in_order() -> None:
    log = Log().event("roi.granted").shown().event("roi.narrowed").shown(3).event("roi.revoked").shown(None)
    log.event("roi.granted").shown(5)  # signed anew: under the epoch of the ending before
    log.event("roi.revoked", party=UUID(int=9)).shown(5)  # another party's
    assert disordered(log.rows) == []


@pytest.mark.parametrize("ending", [*ENDINGS, "participant.erased"])
def test_a_disclosure_after_any_ending_is_found(ending: str) -> None:
    log = Log().event("roi.granted").shown().event(ending).shown()
    assert [row.position for row in disordered(log.rows)] == [4]


def test_a_disclosure_of_nothing_given_or_run_out_or_by_one_who_has_gone_is_found() -> None:
    assert len(disordered(Log().shown().rows)) == 1
    assert len(disordered(Log().event("roi.granted").shown(at=AT + timedelta(days=9)).rows)) == 1
    assert len(disordered(Log().event("roi.granted").event("roi.revoked").shown(2).rows)) == 1
    assert len(disordered(Log().event("roi.granted").event("staff.ended", staff=STAFF).shown().rows)) == 1
    assert len(disordered(Log().event("staff.ended", staff=STAFF).shown(None).rows)) == 1
    assert len(disordered(Log().event("item.consented").shown().event("item.withdrawn").shown().rows)) == 1


def test_what_was_read_of_a_record_that_is_not_ones_own_any_more_is_found() -> None:
    other = UUID(int=4)

    def read(log: Log) -> Log:
        """Let the participant read of itself, and of the other record."""
        for record in (WHO, other):
            log.rows.append(Written(len(log.rows) + 1, None, record, WHO, STAFF, None, None, AT))
        return log

    log = Log().event("participant.identified").event("participant.identified", participant=other)
    log.event("participant.merged").event("participant.merged", participant=other)
    assert disordered(read(log).rows) == []
    log.event("participant.unmerged").event("participant.unmerged", participant=other)
    assert [row.participant for row in disordered(read(log).rows)] == [other]


@pytest.mark.parametrize("seed", range(50))
def test_one_stale_answer_is_found_among_a_thousand(seed: int) -> None:
    random = Random(seed)
    ends = {f"fact {n}": random.uniform(0, 100) for n in range(50)}
    changes = [Change(fact, at - 0.5, at) for fact, at in ends.items()]
    answers = []
    for _ in range(1000):
        begun = random.uniform(0, 100)
        lives = frozenset(fact for fact, at in ends.items() if at > begun)
        answers.append(Answer(begun, begun + random.random(), lives))
    assert stale(answers, changes) == []
    at, fact = random.randrange(len(answers)), random.choice([fact for fact in ends if ends[fact] < 95])
    forged = Answer(ends[fact] + 0.001, ends[fact] + 0.5, frozenset({fact}))
    answers[at] = forged
    assert [(answer, ending.fact) for answer, ending in stale(answers, changes)] == [(forged, fact)]
