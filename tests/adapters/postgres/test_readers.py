from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from uuid import UUID, uuid4

import psycopg
import pytest

from adapters.postgres.log import PostgresLog
from adapters.postgres.projector import Projector
from adapters.postgres.readers import PostgresReaders, Unreleased, signed_context
from domain.labels import Reader
from projections import case_manager, liaison_prosecutor, police
from projections.rows import GrantedRow
from projections.views import VIEWS
from services.ports import AuthorityEnded, Caller, Disclosed, Session, Unavailable
from tests.adapters.postgres.site import Site, ceiling
from tests.conftest import Database

pytestmark = pytest.mark.server


@pytest.fixture
def lead(site_db: Database) -> Iterator[Site]:
    log = PostgresLog(site_db.login("recorder"), site_db.secrets)
    yield Site(site_db, log)
    log.close()


@pytest.fixture
def opened(lead: Site) -> Iterator[PostgresReaders]:
    with lead.readers() as opened:
        yield opened


def project(lead: Site, reader: Reader) -> None:
    projector = Projector(VIEWS[reader], lead.database.login("projector"), lead.log, ceiling)
    while projector.run_once():
        pass


def granted_to_police(lead: Site) -> UUID:
    participant = lead.identify()
    lead.grant(participant, lead.police, Reader.POLICE)
    lead.share(participant, lead.police)
    project(lead, Reader.POLICE)
    return participant


def of(row: GrantedRow) -> Disclosed:
    return Disclosed(row.subject_id, row.epoch, row.until, row.as_of, row.shown, str(row.authority), b"\0" * 32)


def let_go(session: Session, *rows: GrantedRow) -> bool:
    return session.release([of(row) for row in rows], "police/1", "coordination", "test")


def ask(opened: PostgresReaders, caller: Caller) -> list[police.Entry]:
    with opened.session(caller) as session:
        rows = session.select(police.Entry)
        session.release([], "police/1", "test", "test")
    return rows


def test_a_session_sees_its_own_partys_rows_and_nobody_elses(lead: Site, opened: PostgresReaders) -> None:
    granted_to_police(lead)
    assert [row.body["text"] for row in ask(opened, lead.caller(lead.police, Reader.POLICE))] == ["Moved into housing."]
    assert ask(opened, lead.caller(lead.other_police, Reader.POLICE)) == []


def test_a_context_that_is_forged_or_stale_or_anothers_sees_nothing(lead: Site) -> None:
    granted_to_police(lead)
    key, caller = lead.database.secrets.context, lead.caller(lead.police, Reader.POLICE)
    with psycopg.connect(lead.database.login("police"), autocommit=True) as connection:
        ((here,),) = connection.execute("select gate.session()").fetchall()
        good = signed_context(key, Reader.POLICE, caller, here)
        contexts = {
            good: 1,
            "": 0,
            good[:-1] + ("0" if good[-1] != "0" else "1"): 0,
            signed_context(b"another key".ljust(32), Reader.POLICE, caller, here): 0,
            signed_context(key, Reader.POLICE, caller, here, seconds=-1): 0,
            signed_context(key, Reader.POLICE, caller, f"1{here}"): 0,
            signed_context(key, Reader.PROSECUTOR, caller, here): 0,  # the session logged in as police
            signed_context(key, Reader.POLICE, lead.caller(lead.other_police, Reader.POLICE), here): 0,
        }
        assert connection.execute("select * from police.granted_entry").fetchall() == []
        for context, expected in contexts.items():
            with connection.transaction():
                connection.execute("select set_config('app.context', %s, true)", [context])
                assert len(connection.execute("select * from police.granted_entry").fetchall()) == expected


def test_no_setting_survives_a_session(lead: Site) -> None:
    urls = {Reader.POLICE: lead.database.login("police")}
    with PostgresReaders(urls, lead.database.secrets.context, pool_size=1) as opened:
        with opened.session(lead.caller(lead.police, Reader.POLICE)) as session:
            session._connection.execute("select set_config('app.context', current_setting('app.context'), false)")
            session._connection.execute("set statement_timeout to 0")
            session.release([], "police/1", "test", "test")
        with opened._pools[Reader.POLICE].connection() as connection:
            row = connection.execute(
                "select coalesce(current_setting('app.context', true), ''), current_setting('statement_timeout')"
            ).fetchone()
    assert row == ("", "5s")


def test_a_revocation_is_dark_at_once_before_the_projector_has_run(lead: Site, opened: PostgresReaders) -> None:
    participant = granted_to_police(lead)
    caller = lead.caller(lead.police, Reader.POLICE)
    assert ask(opened, caller)
    lead.revoke(participant, lead.police)
    assert ask(opened, caller) == []
    lead.grant(participant, lead.police, Reader.POLICE)  # the rows of the grant before stay dark
    assert ask(opened, caller) == []
    project(lead, Reader.POLICE)
    assert ask(opened, caller)


def test_widening_does_not_darken_and_narrowing_does(lead: Site, opened: PostgresReaders) -> None:
    participant = granted_to_police(lead)
    caller = lead.caller(lead.police, Reader.POLICE)
    lead.grant(participant, lead.police, Reader.POLICE)
    assert ask(opened, caller)
    lead.grant(participant, lead.police, Reader.POLICE, narrower=True)
    assert ask(opened, caller) == []


def test_an_expired_roi_is_dark_before_anybody_writes_it_down(lead: Site, opened: PostgresReaders) -> None:
    granted_to_police(lead)
    caller = lead.caller(lead.police, Reader.POLICE)
    lead.ahead("91 days")
    assert ask(opened, caller) == []


def test_release_writes_one_row_for_each_participant_and_the_accounting_shows_it(
    lead: Site, opened: PostgresReaders
) -> None:
    participant = granted_to_police(lead)
    caller = lead.caller(lead.police, Reader.POLICE)
    with opened.session(caller) as session:
        (row,) = session.select(police.Participant)
        assert let_go(session, row)
    with opened.session(lead.caller(lead.care, Reader.CASE_MANAGER)) as session:
        (line,) = session.accounting(participant)
        assert session.accounting(uuid4()) == []
        seen = Disclosed(participant, None, None, 1, "identity.legal", "", b"\1" * 32)
        assert session.release([seen], "case_manager/1", "care", "test")
    assert (line.kind, line.reader, line.party, line.staff) == ("disclosure", "police", lead.police, caller.staff)
    assert (line.labels, line.grants, line.purpose) == (row.shown, str(row.authority), "coordination")
    with opened.session(lead.caller(lead.care, Reader.CASE_MANAGER)) as session:
        assert [a.kind for a in session.accounting(participant)] == ["disclosure", "access"]
        session.release([], "case_manager/1", "care", "test")


def test_release_is_refused_after_a_revocation(lead: Site, opened: PostgresReaders) -> None:
    participant = granted_to_police(lead)
    with opened.session(lead.caller(lead.police, Reader.POLICE)) as session:
        (row,) = session.select(police.Participant)
        lead.revoke(participant, lead.police)
        assert not let_go(session, row)
    assert lead.owner("select count(*) from log.disclosure") == [(0,)]


def test_each_release_is_observed_and_whether_it_was_kept(lead: Site) -> None:
    participant, seen = granted_to_police(lead), list[tuple[str, bool]]()
    caller = lead.caller(lead.police, Reader.POLICE)
    with lead.readers(observe=lambda *told: seen.append(told)) as opened:
        with opened.session(caller) as session:
            (row,) = session.select(police.Participant)
            assert let_go(session, row)
        with opened.session(caller) as session:
            (row,) = session.select(police.Participant)
            lead.revoke(participant, lead.police)
            assert not let_go(session, row)
    assert seen == [("test", True), ("test", False)]


def test_release_is_refused_after_expiry_and_for_another_partys_participant(
    lead: Site, opened: PostgresReaders
) -> None:
    granted_to_police(lead)
    with opened.session(lead.caller(lead.police, Reader.POLICE)) as session:
        (row,) = session.select(police.Participant)
        assert let_go(session, row)
    with opened.session(lead.caller(lead.other_police, Reader.POLICE)) as session:
        assert not let_go(session, row)
    lead.ahead("91 days")
    with opened.session(lead.caller(lead.police, Reader.POLICE)) as session:
        assert not let_go(session, row)


def test_a_partner_never_releases_by_role(lead: Site, opened: PostgresReaders) -> None:
    participant = granted_to_police(lead)
    by_role = Disclosed(participant, None, None, 1, "", "", b"")
    with pytest.raises(AuthorityEnded), opened.session(lead.caller(lead.police, Reader.POLICE)) as session:
        session.release([by_role], "police/1", "test", "test")


def test_a_person_whose_authority_ended_sees_nothing_and_releases_nothing(lead: Site, opened: PostgresReaders) -> None:
    granted_to_police(lead)
    lead.end(lead.police)
    seen: list[list[police.Entry]] = []

    def answer() -> None:
        with opened.session(lead.caller(lead.police, Reader.POLICE)) as session:
            seen.append(session.select(police.Entry))
            session.release([], "police/1", "test", "test")

    with pytest.raises(AuthorityEnded):
        answer()
    assert seen == [[]]


def test_nothing_leaves_without_exactly_one_release_last(lead: Site, opened: PostgresReaders) -> None:
    granted_to_police(lead)
    caller = lead.caller(lead.police, Reader.POLICE)

    def never(session: Session, row: police.Participant) -> None: ...

    def not_last(session: Session, row: police.Participant) -> None:
        let_go(session, row)
        session.select(police.Entry)

    def twice(session: Session, row: police.Participant) -> None:
        let_go(session, row)
        let_go(session, row)

    def failing(session: Session, row: police.Participant) -> None:
        let_go(session, row)
        raise ZeroDivisionError

    def answer(act: Callable[[Session, police.Participant], None]) -> None:
        with opened.session(caller) as session:
            (row,) = session.select(police.Participant)
            act(session, row)

    for act, error in ((never, Unreleased), (not_last, Unreleased), (twice, Unreleased), (failing, ZeroDivisionError)):
        with pytest.raises(error):
            answer(act)
    assert lead.owner("select count(*) from log.disclosure") == [(0,)]


def test_a_swallowed_failure_never_loses_a_disclosure_silently(lead: Site, opened: PostgresReaders) -> None:
    granted_to_police(lead)

    def answer() -> None:
        with opened.session(lead.caller(lead.police, Reader.POLICE)) as session:
            (row,) = session.select(police.Participant)
            let_go(session, row)
            with suppress(psycopg.Error):
                session._connection.execute("select 1 / 0")

    with pytest.raises(Unavailable):
        answer()


@pytest.mark.parametrize("size", [1, 7, 50, 200])
def test_pages_in_descending_order_hold_every_row_once(lead: Site, opened: PostgresReaders, size: int) -> None:
    days = [date(2026, 1, 1) + timedelta(days=n // 3) for n in range(200)]
    for day in days:
        lead.file(on=day)
    project(lead, Reader.PROSECUTOR)
    with opened.session(lead.caller(lead.office, Reader.PROSECUTOR)) as session:
        everything = session.select(liaison_prosecutor.OwnCase)
        paged: list[liaison_prosecutor.OwnCase] = []
        after = None
        while page := session.select(liaison_prosecutor.OwnCase, after=after, limit=size):
            paged += page
            after = (page[-1].filed_on, page[-1].case_id)
        session.release([], "liaison_prosecutor/1", "test", "test")
    assert paged == everything
    assert len({row.case_id for row in paged}) == 200
    assert [row.filed_on for row in paged] == sorted(days, reverse=True)


def test_pages_in_ascending_order_and_filters(lead: Site, opened: PostgresReaders) -> None:
    people = sorted(lead.identify(surname=f"Doe{n % 5}") for n in range(40))
    project(lead, Reader.CASE_MANAGER)
    with opened.session(lead.caller(lead.care, Reader.CASE_MANAGER)) as session:
        rows = session.select(case_manager.Participant, limit=25)
        rows += session.select(case_manager.Participant, after=(rows[-1].name, rows[-1].subject_id))
        assert len(rows) == 40
        assert [(r.name, r.subject_id) for r in rows] == sorted((r.name, r.subject_id) for r in rows)
        assert len(session.select(case_manager.Participant, {"name": "Jo Doe3"})) == 8
        assert len(session.select(case_manager.Participant, {"name": "Jo Doe3", "carried_by": None}, limit=3)) == 3
        assert session.select(case_manager.Participant, {"carried_by": uuid4()}) == []
        some = session.select(case_manager.Participant, {"subject_id": people[:7]})
        assert sorted(r.subject_id for r in some) == people[:7]
        with pytest.raises(KeyError):
            session.select(case_manager.Participant, {"salt": 1})
        session.release([], "case_manager/1", "test", "test")


def test_the_funnel_counts_stops_and_arrests(lead: Site, opened: PostgresReaders) -> None:
    for precinct, arrested in (("West", True), ("West", False), ("East", False)):
        lead.stop(precinct, arrested=arrested)
    project(lead, Reader.PROGRAM)
    with opened.session(lead.caller(lead.program, Reader.PROGRAM)) as session:
        assert session.funnel() == [("East", "unknown", 1, 0), ("West", "unknown", 2, 1)]
        session.release([], "program/1", "test", "test")


def test_a_reader_cannot_hold_a_revocation_up_for_long(lead: Site) -> None:
    participant = granted_to_police(lead)
    with PostgresReaders(
        {Reader.POLICE: lead.database.login("police")}, lead.database.secrets.context, idle=0.5, statement=0.5
    ) as opened:
        begun = time.monotonic()
        held = threading.Event()
        late: list[type[BaseException]] = []

        def dawdle() -> None:
            try:
                with opened.session(lead.caller(lead.police, Reader.POLICE)) as session:
                    (row,) = session.select(police.Participant)
                    let_go(session, row)
                    held.set()
                    time.sleep(2)
            except Unavailable as error:
                late.append(type(error))

        reader = threading.Thread(target=dawdle)
        reader.start()
        held.wait(10)
        lead.revoke(participant, lead.police)
        assert time.monotonic() - begun < 1.9
        reader.join()
    assert late == [Unavailable]  # the answer that was too slow is not sent
    assert lead.owner("select count(*) from log.disclosure") == [(0,)]


def test_a_lock_that_is_not_given_in_time_is_unavailable_and_leaks_no_text(lead: Site) -> None:
    urls = {Reader.POLICE: lead.database.login("police")}
    with (
        PostgresReaders(urls, lead.database.secrets.context, lock=0.2) as opened,
        psycopg.connect(lead.database.owner_url) as owner,
    ):
        owner.execute("select pg_advisory_xact_lock(gate.fence())")
        with (
            pytest.raises(Unavailable) as caught,
            opened.session(lead.caller(lead.police, Reader.POLICE)) as session,
        ):
            session.release([], "police/1", "test", "test")
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__
    assert "lock" not in str(caught.value)


def test_a_pool_with_no_free_connection_is_unavailable(lead: Site) -> None:
    urls = {Reader.POLICE: lead.database.login("police")}
    caller = lead.caller(lead.police, Reader.POLICE)
    with (
        PostgresReaders(urls, lead.database.secrets.context, pool_size=1, wait=0.2) as opened,
        opened.session(caller) as session,
    ):
        with pytest.raises(Unavailable), opened.session(caller):
            pass
        session.release([], "police/1", "test", "test")


def test_connections_that_the_server_ended_are_replaced_unseen(lead: Site, opened: PostgresReaders) -> None:
    granted_to_police(lead)
    caller = lead.caller(lead.police, Reader.POLICE)
    assert ask(opened, caller)
    lead.owner("select pg_terminate_backend(pid) from pg_stat_activity where usename = %s", "gt_test_police")
    assert ask(opened, caller)


def test_a_caller_who_reads_nothing_has_no_session(lead: Site, opened: PostgresReaders) -> None:
    caller = lead.caller(lead.police, Reader.POLICE)
    with pytest.raises(LookupError), opened.session(replace(caller, reader=None)):
        pass


def test_no_release_stands_after_a_revocation_that_was_acknowledged(lead: Site, opened: PostgresReaders) -> None:
    """Readers and revocations race: no disclosure is ordered after the revocation of what it rests on."""
    participant = granted_to_police(lead)
    caller, stop, failures = lead.caller(lead.police, Reader.POLICE), threading.Event(), list[str]()
    acknowledged = [0]

    def read() -> None:
        while not stop.is_set():
            revoked = acknowledged[0]
            with opened.session(caller) as session:
                rows = session.select(police.Participant)
                kept = let_go(session, *rows)
            if rows and kept and rows[0].epoch < revoked:
                failures.append("shown after the revocation was acknowledged")

    threads = [threading.Thread(target=read) for _ in range(3)]
    for thread in threads:
        thread.start()
    revocations = []
    for _ in range(15):
        revocations.append(lead.revoke(participant, lead.police))
        acknowledged[0] = revocations[-1]
        lead.grant(participant, lead.police, Reader.POLICE)
        project(lead, Reader.POLICE)
    stop.set()
    for thread in threads:
        thread.join()
    assert failures == []
    disclosed = lead.owner("select position, epoch from log.disclosure order by position")
    assert disclosed
    for position, epoch in disclosed:
        assert not [r for r in revocations if int(str(epoch)) < r < int(str(position))]


def test_times_are_aware(lead: Site, opened: PostgresReaders) -> None:
    granted_to_police(lead)
    (entry,) = ask(opened, lead.caller(lead.police, Reader.POLICE))
    assert entry.until.astimezone(UTC) > datetime.now(UTC)
