"""A simulated year: the same seed lives the same year, another one another, all of it through the site's commands."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import NamedTuple

import pytest

from adapters.bootstrap import Database as SiteDatabase
from adapters.bootstrap import opened
from adapters.cli.simulate import play
from adapters.settings import Settings
from domain.event import TOPICS
from domain.protocol import Protocol, ProtocolAdopted, in_force
from tests.conftest import Database

pytestmark = pytest.mark.server

END = datetime(2026, 10, 1, tzinfo=UTC)


class Lived(NamedTuple):
    """What a year came to: each event's topic, when it occurred, in which role; and what was refused."""

    events: list[tuple[str, datetime, str]]
    refused: dict[str, int]

    @property
    def topics(self) -> set[str]:
        return {topic for topic, *_ in self.events}


def lived(db: Database, *, seed: int, participants: int, days: int) -> Lived:
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
        return Lived([(r.event.topic, r.event.occurred_at, r.envelope.role) for r in recorded], dict(year.refusals))


def test_the_same_seed_lives_the_same_year_and_another_one_another(new_site_db: Callable[[], Database]) -> None:
    first, again, other = (lived(new_site_db(), seed=seed, participants=4, days=90) for seed in (1, 1, 2))
    assert first == again
    assert first.events != other.events
    assert first.topics > {"referral.offered", "participant.enrolled", "contact.made"}


def test_a_year_has_every_rhythm_of_a_site(new_site_db: Callable[[], Database]) -> None:
    year = lived(new_site_db(), seed=3, participants=36, days=300)
    doors = {"referral.offered", "referral.called_in", "referral.community", "referral.screened", "referral.declined"}
    clocks = {"handoff.missed", "deadline.passed", "non_return.ended", "plan.review_due"}
    consents = {"roi.signed", "roi.narrowed", "roi.revoked", "counsel.authorised", "disclosure.oral", "item.consented"}
    courts = {"case.filed", "hearing.set", "decision.recorded", "case.disposed", "warrant.issued", "warrant.ended"}
    team = {"roster.covered", "roster.on_call", "staff.ended", "protocol.adopted", "concern.answered"}
    lives = {"plan.goal", "plan.progress", "fund.used", "participant.alias", "participant.status", "ask.handled"}
    for told in (doors, clocks, consents, courts, team, lives, {"finding.raised", "arrest.recorded"}):
        assert told <= year.topics, f"nothing of {sorted(told - year.topics)}"
    nights = sum(topic == "referral.offered" and not 14 <= at.hour < 24 for topic, at, _ in year.events)
    assert nights > sum(topic == "referral.offered" for topic, *_ in year.events) / 3
