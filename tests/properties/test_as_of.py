"""Every view can be computed again: whatever a site disclosed, on whichever surface, its log says the same again."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest

from adapters.bootstrap import Database as SiteDatabase
from adapters.bootstrap import Parts, opened, projectors
from adapters.cli.simulate import play
from adapters.settings import Settings
from adapters.simulation.cast import callers
from domain.labels import Reader
from domain.participant import ParticipantIdentified
from domain.refusal import Unknown
from domain.registry import Role
from projections.views import VIEWS
from services import register, relay
from services.as_of import Verdict
from services.ports import Caller
from services.questions import LISTINGS, accounting, case_manager, counsel, legal_services, partner, police, privacy
from services.questions.listing import Asked, Listing, change, export, page
from services.relay import Relay
from services.site import Site, carry_out
from tests.as_of import computed_again
from tests.conftest import Database

pytestmark = pytest.mark.server

END = datetime(2026, 10, 1, tzinfo=UTC)
STREAM = register.RegisterStaff(party="city-pd", name="Stream", role=Role.STREAM, subject="pd-stream")
PERSON: dict[Reader, Callable[[Site, Caller, str], Any]] = {
    Reader.CASE_MANAGER: case_manager.participant,
    Reader.COUNSEL: counsel.participant,
    Reader.LEGAL_SERVICES: legal_services.participant,
    Reader.PRIVACY: privacy.participant,
}
"""How readers ask about one person; partners have one way."""


def test_what_a_site_disclosed_is_computed_again(new_site_db: Callable[[], Database]) -> None:
    db = new_site_db()
    settings = Settings(environment="test", prefix=db.prefix)
    with opened(SiteDatabase(db.owner_url, db.secrets, db.prefix), settings) as parts:
        play(parts, db.owner_url, seed=4, participants=16, days=150, end=END)
        lived = computed_again(parts)  # its people asked of views that were up to a week behind
        assert sum(lived.values()) > 0
        staff = callers(parts.site)
        told: list[Any] = []
        carry_out(parts.site, staff["pat"], STREAM)
        for projector in projectors(parts):
            while projector.run_once():
                pass
            projector.sweep_once()
        for caller in staff.values():
            if caller.reader in VIEWS and not parts.site.directory.staff[caller.staff].ended:
                ask_everything(parts, caller)
        everyone = lambda parties: frozenset(party.id for party in parties)  # noqa: E731
        Relay(parts.site, lambda _, outs: told.extend(outs), lambda *_: None, everyone).beat()
        ask_for_keys(parts)
        found = computed_again(parts)
    assert told, "nothing was told by stream"
    matched = {surface for surface, verdict in found if verdict is Verdict.MATCHES}
    assert {"stream", "stream.keys", "police.lookup", "police.participant", "counsel.participant"} <= matched
    assert {"case_manager.caseload", "case_manager.caseload.csv", "case_manager.caseload.updates"} <= matched
    assert {"liaison_prosecutor.pending_cases", "observer.diversions", "privacy.participants"} <= matched


def ask_everything(parts: Parts, caller: Caller) -> None:
    """Ask for every list of a reader, as pages, a file and updates, searched and not, and about every person."""
    site = parts.site
    for listing in LISTINGS:
        if listing.reader is caller.reader:
            ask_for(site, caller, listing)
    for recorded in parts.log.of_topics([ParticipantIdentified.topic]):
        event = recorded.event
        if not isinstance(event, ParticipantIdentified) or event.participant_id is None or event.birth_date is None:
            continue
        text = site.ids.seal(caller.party, event.participant_id)
        with suppress(Unknown):
            if caller.reader in PERSON:
                PERSON[caller.reader](site, caller, text)
            if caller.reader in partner.TABLES:
                partner.participant(site, caller, caller.reader, text)
            if caller.reader is Reader.PRIVACY:
                accounting.of(site, caller, text)
        if caller.reader is Reader.POLICE:
            said = {"given": event.name.given, "surname": event.name.surname, "birth_date": event.birth_date}
            police.lookup(site, caller, police.Lookup.model_validate(said))


def ask_for(site: Site, caller: Caller, listing: Listing) -> None:
    """Ask for one list."""
    choices = [None, *((listing.choice.values or (True,)) if listing.choice else ())]
    for asked in [*(Asked(chosen) for chosen in choices), Asked(search="e")]:
        cursor = None
        for _ in range(3):
            cursor = page(site, caller, listing, asked, cursor, 5)["next"]
            if cursor is None:
                break
        change(site, caller, listing, asked, 5, b"")
        list(export(site, caller, listing, asked, 50))


def ask_for_keys(parts: Parts) -> None:
    """Ask, as the department's stream, for the keys of what it was sent."""
    site = parts.site
    account = callers(site)[STREAM.subject]
    keys = [site.ids.seal(account.party, one.key) for one in site.outbox.published(account.party)]
    relay.keys(site, account, relay.AskKeys(keys=tuple(keys)))
