"""A copy of the database brings back everything but what was destroyed since, and nothing that anybody could read."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

from adapters.postgres.backup import back_up, restore
from adapters.postgres.log import PostgresLog
from adapters.postgres.migrate import MigrationRefused
from adapters.postgres.projector import Projector
from domain.contact import ContactMade
from domain.labels import Reader
from domain.participant import ParticipantIdentified
from domain.retention import ParticipantErased, retention_stream
from projections.views import VIEWS
from tests.adapters.postgres.site import Site, ceiling
from tests.conftest import Database

pytestmark = pytest.mark.server
POLICE = Reader.POLICE


@pytest.fixture
def site(site_db: Database) -> Site:
    return Site(site_db, PostgresLog(site_db.login("recorder"), site_db.secrets))


def catch_up(site: Site) -> None:
    projector = Projector(VIEWS[POLICE], site.database.login("projector"), site.log, ceiling)
    while projector.run_once():
        pass


def test_what_was_erased_since_does_not_come_back(site: Site, empty_db: Database, tmp_path: Path) -> None:
    gone, stays = site.identify(surname="Gone"), site.identify(surname="Stays")
    for who in (gone, stays):
        site.contact(who)
        site.grant(who, site.police, POLICE)
    catch_up(site)
    copy, keys = tmp_path / "site.dump", tmp_path / "apart" / "keys"
    back_up(site.database.owner_url, copy, keys)
    assert b"Gone" not in copy.read_bytes()
    with psycopg.connect(site.database.owner_url) as owner:
        assert "Gone" in str(owner.execute("select t::text from police.granted_participant t").fetchall()), (
            "for all that"
        )

    site.record(ParticipantErased(participant_id=gone, occurred_at=site.log.now()), stream=retention_stream(gone))
    back_up(site.database.owner_url, tmp_path / "a later one", keys)  # each writes the keys over

    restore(empty_db.owner_url, copy, keys, empty_db.secrets, prefix=empty_db.prefix)
    again = Site.__new__(Site)
    again.database, again.log = empty_db, PostgresLog(empty_db.login("recorder"), empty_db.secrets)
    try:
        assert [r.event for r in again.log.history(stays)] == [r.event for r in site.log.history(stays)]
        left = again.log.history(gone)
        assert not [r for r in left if isinstance(r.event, ParticipantErased)], "the copy is from before"
        assert all(r.erased for r in left if isinstance(r.event, ParticipantIdentified | ContactMade))
        assert "Gone" not in str(left)
        catch_up(again)
        with psycopg.connect(empty_db.owner_url) as owner:
            assert owner.execute("select count(*) from log.view").fetchall() == [(1,)], "computed anew"
    finally:
        again.log.close()


def test_the_gate_is_that_of_the_log_whatever_was_restored(site: Site) -> None:
    who = site.identify()
    site.grant(who, site.police, POLICE)
    with psycopg.connect(site.database.owner_url, autocommit=True) as owner:
        owner.execute("create table older as select * from gate.consent")
        before = owner.execute("select c::text from gate.consent c").fetchall()
        site.revoke(who, site.police)
        after = owner.execute("select c::text from gate.consent c").fetchall()
        assert before != after
        # Somebody restores the table of the gate alone, as it was.
        owner.execute("delete from gate.consent")
        owner.execute("insert into gate.consent select * from older")
        assert owner.execute("select gate.derive()").fetchall() == [(1,)]
        assert owner.execute("select c::text from gate.consent c").fetchall() == after
        assert owner.execute("select gate.derive()").fetchall() == [(0,)], "once is enough"


def test_a_site_is_never_restored_over_another(site: Site, tmp_path: Path) -> None:
    copy, keys = tmp_path / "site.dump", tmp_path / "keys"
    back_up(site.database.owner_url, copy, keys)
    with pytest.raises(MigrationRefused, match="empty"):
        restore(site.database.owner_url, copy, keys, site.database.secrets, prefix=site.database.prefix)


def test_a_copy_that_fails_leaves_the_one_before(site: Site, tmp_path: Path) -> None:
    copy, keys = tmp_path / "site.dump", tmp_path / "keys"
    copy.write_bytes(b"the one before")
    with pytest.raises(Exception, match="pg_dump"):
        back_up(site.database.owner_url.replace("dbname=", "dbname=no_").replace("/gt_", "/no_"), copy, keys)
    assert copy.read_bytes() == b"the one before"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["site.dump"]
