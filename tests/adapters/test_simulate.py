"""A simulated year: the same seed lives the same year, another one another, all of it through the site's commands."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from adapters.bootstrap import Database as SiteDatabase
from adapters.bootstrap import opened
from adapters.cli.simulate import play
from adapters.settings import Settings
from domain.event import TOPICS
from tests.conftest import Database

pytestmark = pytest.mark.server

END = datetime(2026, 10, 1, tzinfo=UTC)


def lived(db: Database, seed: int) -> list[tuple[str, datetime, str]]:
    """Return what was recorded in a year: topic, when it occurred to the second, in which role."""
    settings = Settings(environment="test", prefix=db.prefix)
    with opened(SiteDatabase(db.owner_url, db.secrets, db.prefix), settings) as parts:
        play(parts, db.owner_url, seed=seed, participants=10, days=150, end=END)
        return [
            (r.event.topic, r.event.occurred_at.replace(microsecond=0), r.envelope.role)
            for r in parts.log.of_topics(TOPICS)
        ]


def test_the_same_seed_lives_the_same_year_and_another_one_another(new_site_db: Callable[[], Database]) -> None:
    first, again, other = (lived(new_site_db(), seed) for seed in (1, 1, 2))
    assert first == again
    assert first != other
    assert {topic for topic, *_ in first} > {"referral.offered", "participant.enrolled", "contact.made", "share.made"}
    assert max(at for _, at, _ in first) <= END
