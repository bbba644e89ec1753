"""A site at work, its clock at 02:10 on 14 February 2026."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.as_of import computed_again
from tests.conftest import Database
from tests.site import SiteUnderTest, running_site


@pytest.fixture
def lead(site_db: Database) -> Iterator[SiteUnderTest]:
    """A site with the demo's parties and staff, and nobody in LEAD yet. Whatever it discloses is computed again."""
    with running_site(site_db) as running:
        yield running
        computed_again(running.parts)
