"""How long an answer takes does not tell whether somebody is hidden or never was: a classifier is left to guess.

One probe for each case: the id of somebody whose consent is revoked and whose rows are gone, or who is enrolled and
gave the asker nothing; or an id that never was anyone's. The classifier learns from as many cases as it is tried on.
"""

from __future__ import annotations

import math
import random
import statistics
import time
from bisect import bisect
from collections.abc import Sequence
from contextlib import closing
from datetime import datetime
from http.client import HTTPConnection
from itertools import cycle
from typing import Any, NamedTuple
from unittest import mock
from uuid import UUID, uuid4

import psycopg
import pytest

from domain.labels import Reader
from domain.participant import ParticipantIdentified
from domain.roi import Medium, RoiRevoked, WordOf, consent_stream
from projections.police import Participant
from projections.rows import MODELS
from services.ports import Session
from services.questions import partner
from services.register import party_id
from services.site import append
from tests.benchmarks.population import envelope, populate
from tests.conftest import Database
from tests.site import SiteUnderTest, running_site

TRAINED_ON = 1000
"""For each who asks; and tried on as many that it has not seen. Half of either are hidden."""
MOST = 0.55
SURE = statistics.NormalDist().inv_cdf(0.99)
"""A classifier that is right in 55 % of all cases is found above `most_right` in one run of a hundred."""
ASKERS = {"kim": "city-pd", "webb": "transit-pd"}
"""Kim's department was shown everyone until they revoked; Webb's never anyone."""


class Case(NamedTuple):
    """One id, asked about once: by whom, what it is, and how many seconds the answer took."""

    asker: str
    who: UUID
    hidden: bool
    seconds: float = 0.0


class Classifier:
    """Sorts times by where they fall among those it was trained on, as most of the cases there were: hidden or not."""

    def __init__(self, cases: Sequence[Case], *, ranges: int = 20) -> None:
        self._cuts = statistics.quantiles([case.seconds for case in cases], n=ranges)
        votes = [0] * ranges
        for case in cases:
            votes[self._range(case)] += 1 if case.hidden else -1
        self._says_hidden = [vote > 0 for vote in votes]

    def right(self, cases: Sequence[Case]) -> float:
        """Return in what part of some cases it is right."""
        return statistics.fmean(self._says_hidden[self._range(case)] is case.hidden for case in cases)

    def _range(self, case: Case) -> int:
        return bisect(self._cuts, case.seconds)


def most_right(cases: int) -> float:
    """Return up to where a classifier that is right in 55 % of all cases is found in so many of them."""
    return MOST + SURE * math.sqrt(MOST * (1 - MOST) / cases)


def test_the_classifier_tells_apart_what_can_be_told_apart() -> None:
    chance = random.Random(1)
    told: list[tuple[float, float]] = [(1.0, 0.5), (0.0, 0.0)]
    for (apart, least), expected in zip(told, (True, False), strict=True):
        cases = [
            Case("", UUID(int=0), n % 2 == 0, chance.gauss(5 + apart * (n % 2), 0.5)) for n in range(2 * TRAINED_ON)
        ]
        found = Classifier(cases[:TRAINED_ON]).right(cases[TRAINED_ON:])
        assert found > least
        assert (found > most_right(TRAINED_ON)) is expected


@pytest.mark.server
@pytest.mark.long
@pytest.mark.timeout(1800)
def test_time_does_not_tell_hidden_from_never_existed(site_db: Database) -> None:
    with running_site(site_db, begin=None) as site:
        cases = _cases(site, site_db)
        answers, probed = _probed(site, cases)
        assert len(answers) == 1, "not the same bytes"
        for asker in ASKERS:
            of = [case for case in probed if case.asker == asker]
            found = Classifier(of[:TRAINED_ON]).right(of[TRAINED_ON:])
            hidden, never = (
                1000 * statistics.median(c.seconds for c in of if c.hidden is one) for one in (True, False)
            )
            print(f"{asker}: right in {found:.1%}; median hidden {hidden:.3f} ms, never existed {never:.3f} ms")  # noqa: T201
            assert found <= most_right(TRAINED_ON), asker

        # It would find a look into the history of whoever has one.
        right = partner.shared

        def slower(session: Session, reader: Reader, participants: Sequence[UUID]) -> Any:
            for each in participants:
                for _ in site.parts.log.history(each):
                    time.sleep(0.002)
            return right(session, reader, participants)

        with mock.patch.object(partner, "shared", slower):
            _, leaking = _probed(site, cases[:400])
        assert Classifier(leaking[:200]).right(leaking[200:]) > most_right(200)


def _cases(site: SiteUnderTest, site_db: Database) -> list[Case]:
    """Return `2 * TRAINED_ON` cases for each who asks, in an order drawn; each of those hidden is somebody else."""
    log = site.parts.log
    populate(log, TRAINED_ON * len(ASKERS))
    people = [r.event.participant_id for r in log.of_topics([ParticipantIdentified.topic]) if r.event.participant_id]
    site.settle([Reader.POLICE], seconds=600)
    assert _rows(site_db) == len(people)
    for start in range(0, len(people), 20):
        some, signed = people[start : start + 20], 3  # the ROI and its two grants
        log.record([append(consent_stream(who), signed, _revoked(who, log.now())) for who in some], envelope())
    site.settle([Reader.POLICE], seconds=600)
    assert _rows(site_db) == 0, "not purged"
    hidden = [Case(asker, who, hidden=True) for asker, who in zip(cycle(ASKERS), people, strict=False)]
    cases = [*hidden, *(Case(case.asker, uuid4(), hidden=False) for case in hidden)]
    random.Random(1).shuffle(cases)
    return cases


def _revoked(who: UUID, at: datetime) -> RoiRevoked:
    return RoiRevoked(
        participant_id=who,
        party_id=party_id("city-pd"),
        occurred_at=at,
        word_of=WordOf.PARTICIPANT,
        medium=Medium.ORAL,
    )


def _rows(site_db: Database) -> int:
    with psycopg.connect(site_db.owner_url) as owner:
        (found,) = owner.execute(f"select count(*) from {MODELS[Participant].table}").fetchone() or (0,)
        return int(found)


def _probed(site: SiteUnderTest, cases: Sequence[Case]) -> tuple[set[bytes], list[Case]]:
    """Ask about each once, as little of a client between as there is; return the answers that there were."""
    answers, probed = set[bytes](), []
    tokens = {asker: site.person(asker).token for asker in ASKERS}
    with closing(HTTPConnection(site.base_url.removeprefix("http://"), timeout=30)) as line:
        cold = [Case(asker, uuid4(), hidden=False) for asker in ASKERS for _ in range(25)]
        for case in [*cold, *cases]:
            path = site.parts.site.ids.seal(party_id(ASKERS[case.asker]), case.who)
            begun = time.perf_counter()
            line.request(
                "GET", f"/v1/police/participants/{path}", headers={"Authorization": f"Bearer {tokens[case.asker]}"}
            )
            answer = line.getresponse()
            body = answer.read()
            seconds = time.perf_counter() - begun
            kept = sorted((name, value) for name, value in answer.getheaders() if name.lower() != "date")
            answers.add(b"%d %r %b" % (answer.status, kept, body))
            probed.append(case._replace(seconds=seconds))
    return answers, probed[len(cold) :]
