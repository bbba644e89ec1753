"""A simulated year: the same seed lives the same year, another one another, all of it through the site's commands."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest

from adapters.bootstrap import Database as SiteDatabase
from adapters.bootstrap import Parts, ceiling_of, opened, projectors
from adapters.cli.simulate import play
from adapters.postgres.projector import rebuild
from adapters.settings import Settings
from adapters.simulation.year import Year
from domain.event import TOPICS, Event, Recorded
from domain.participant import Enrolment
from domain.protocol import Protocol, ProtocolAdopted, in_force
from domain.roi import Medium, WordOf
from projections.views import VIEWS
from tests.adapters.test_rebuild import stored
from tests.conftest import Database

pytestmark = pytest.mark.server

END = datetime(2026, 10, 1, tzinfo=UTC)
Lived = tuple[Parts, Year, list[Recorded[Event]]]


@contextmanager
def lived(db: Database, *, seed: int, participants: int, days: int) -> Iterator[Lived]:
    """Live a year; give what was recorded, in its order."""
    settings = Settings(environment="test", prefix=db.prefix)
    with opened(SiteDatabase(db.owner_url, db.secrets, db.prefix), settings) as parts:
        year = play(parts, db.owner_url, seed=seed, participants=participants, days=days, end=END)
        recorded = parts.log.of_topics(TOPICS)
        assert recorded == year.parts.log.of_topics(TOPICS), "what was played with is not what was recorded"
        assert all(r.event.occurred_at <= min(r.recorded_at, END) for r in recorded)
        adopted: list[Protocol] = []
        for r in recorded:
            assert r.envelope.protocol == (in_force(adopted, r.recorded_at).version if adopted else None)
            adopted += [r.event.protocol] if isinstance(r.event, ProtocolAdopted) else []
        yield parts, year, recorded


@pytest.fixture(scope="module")
def year(shared_db: Database) -> Iterator[Lived]:
    """A year of a small site; the tests leave its log as it is."""
    with lived(shared_db, seed=10, participants=72, days=365) as found:
        yield found


def content(recorded: Sequence[Recorded[Event]]) -> list[Any]:
    """Return all that the log holds of some events, but for what names a request."""
    return [(r.stream, r.version, r.recorded_at, r.event, r.envelope.role, r.envelope.agency) for r in recorded]


def test_the_same_seed_lives_the_same_year_and_another_one_another(new_site_db: Callable[[], Database]) -> None:
    told, refused = [], []
    for seed in (1, 1, 2):
        with lived(new_site_db(), seed=seed, participants=4, days=90) as (_, year, recorded):
            told.append(content(recorded))
            refused.append(dict(year.refusals))
    assert told[0] == told[1]
    assert refused[0] == refused[1]
    assert told[0] != told[2]
    assert {event.topic for _, _, _, event, *_ in told[0]} > {"referral.offered", "contact.made"}


def test_a_year_has_every_rhythm_of_a_site(year: Lived) -> None:
    _, _, recorded = year
    topics = {r.event.topic for r in recorded}
    doors = {"referral.offered", "referral.called_in", "referral.community", "referral.screened", "referral.declined"}
    clocks = {"handoff.missed", "deadline.passed", "non_return.ended", "plan.review_due", "paper.missing"}
    consents = {"roi.signed", "roi.narrowed", "roi.revoked", "counsel.authorised", "disclosure.oral", "item.consented"}
    courts = {"case.filed", "hearing.set", "decision.recorded", "case.disposed", "warrant.issued", "warrant.ended"}
    team = {"roster.covered", "roster.on_call", "staff.ended", "protocol.adopted", "concern.answered"}
    lives = {"plan.goal", "plan.progress", "fund.used", "participant.alias", "participant.status", "ask.handled"}
    for told in (doors, clocks, consents, courts, team, lives, {"finding.raised", "arrest.recorded"}):
        assert told <= topics, f"nothing of {sorted(told - topics)}"
    nights = sum(r.event.topic == "referral.offered" and not 14 <= r.event.occurred_at.hour < 24 for r in recorded)
    assert nights > sum(r.event.topic == "referral.offered" for r in recorded) / 3


RHYTHMS: dict[str, Callable[[Event], bool]] = {
    "a death": lambda event: getattr(event, "status", None) is Enrolment.DECEASED,
    "a shared phone": lambda event: getattr(event, "shared", False) is True,
    "a revocation by word of mouth": lambda event: getattr(event, "medium", None) is Medium.ORAL,
    "on counsel's advice": lambda event: getattr(event, "word_of", None) is WordOf.COUNSEL,
    "a merge": lambda event: event.topic == "participant.merged",
}


@pytest.mark.parametrize("rhythm", RHYTHMS)
def test_what_happens_to_people_happens_in_a_year(year: Lived, rhythm: str) -> None:
    assert any(RHYTHMS[rhythm](r.event) for r in year[2])


def test_people_sign_again(year: Lived) -> None:
    signed = Counter(r.event.participant_id for r in year[2] if r.event.topic == "roi.signed")
    assert max(signed.values()) > 1


EMPTY = {
    "case_manager.match": "no agency's records in a played year",
    "case_manager.match_record": "so nobody is asked whom one names",
    "counsel.own_concern": "counsel raises none: the defender's observer does",
    "court.granted_entry": "care tells courts nothing but by the ROI's own fields",
    "court.own_referral": "courts refer nobody",
    "court.own_violation": "nobody is on probation in a played year",
    "court.public_hearing": "courts keep no hearings of their own: the office does",
    "liaison_prosecutor.own_warrant": "courts issue the warrants",
    "observer.stop": "stops are loaded, not lived",
    "police.granted_entry": "care tells departments nothing but by the ROI's own fields",
    "police.own_booking": "few are booked",
    "privacy.seal_order": "no court orders in a played year",
    "privacy.withdrawal": "no stream in a played year",
    "program.stop": "stops are loaded, not lived",
}
"""The tables of which a year may have no row, and why. `test_two_worlds` fills those of partners."""


def test_a_years_views_computed_again_are_what_they_were(year: Lived, shared_db: Database) -> None:
    parts, *_ = year
    for runner in projectors(parts):
        while runner.run_once():
            pass
        runner.sweep_once()
    live = stored(shared_db.owner_url)
    assert {table for table, rows in live.items() if not rows} <= set(EMPTY)
    rebuild([*VIEWS.values()], shared_db.owner_url, parts.log, ceiling_of(parts.site.directory))
    assert stored(shared_db.owner_url) == live
