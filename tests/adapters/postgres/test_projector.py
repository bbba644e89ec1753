from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID
from weakref import ref

import psycopg
import pytest

from adapters.postgres.log import PostgresLog
from adapters.postgres.projector import Interleaved, Projector, Readings, parked, rebuild
from domain.labels import Ceiling, Label, Reader
from projections import case_manager, police
from projections.lens import History
from projections.rows import Row
from projections.views import VIEWS, View
from services.ports import Unavailable
from tests.adapters.postgres.site import CEILING, Site, ceiling, running
from tests.conftest import Database

pytestmark = pytest.mark.server

EVERY = sorted(VIEWS)


@pytest.fixture
def lead(site_db: Database) -> Iterator[Site]:
    log = PostgresLog(site_db.login("recorder"), site_db.secrets)
    yield Site(site_db, log)
    log.close()


def projector(lead: Site, view: View, **options: Any) -> Projector:
    return Projector(view, lead.database.login("projector"), lead.log, options.pop("ceiling", ceiling), **options)


def catch_up(lead: Site, view: View, **options: Any) -> None:
    runner = projector(lead, view, **options)
    while runner.run_once():
        pass


def build(lead: Site, view: View, **options: Any) -> Any:
    (done,) = rebuild([view], lead.database.owner_url, lead.log, ceiling, **options)
    return done


def eventually(holds: Callable[[], bool], seconds: float = 15) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.02)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_projector_rebuild_and_function_agree_on_any_history(lead: Site, seed: int) -> None:
    runners = {reader: projector(lead, VIEWS[reader], page=7) for reader in EVERY}
    for part in range(3):
        lead.play(100 * seed + part, steps=25)
        for reader, runner in runners.items():
            if part < 2:
                runner.run_once()  # lags behind
                continue
            while runner.run_once():
                pass
            view = VIEWS[reader]
            projected, expected = lead.stored(view), lead.expected(view)
            assert projected == expected
            build(lead, view, page=3)
            assert lead.stored(view) == expected
            assert lead.log.view_position(reader) == lead.log.position()
            assert not runner.run_once()
    assert any(rows for reader in EVERY for rows in lead.stored(VIEWS[reader]).values())


def test_twice_gives_the_same(lead: Site) -> None:
    lead.play(5, steps=60)
    for reader in EVERY:
        view = VIEWS[reader]
        catch_up(lead, view, page=10)
        once = lead.stored(view)
        lead.owner("update log.view set position = 0 where name = %s", view.name)
        catch_up(lead, view, page=13)
        assert lead.stored(view) == once


def test_a_second_runner_cannot_interleave(lead: Site) -> None:
    lead.play(1, steps=10)
    first, second = projector(lead, VIEWS[Reader.POLICE], page=5), projector(lead, VIEWS[Reader.POLICE], page=5)
    compute = first._compute

    def overtaken(*asked: Any) -> Any:
        second.run_once()
        return compute(*asked)

    first._compute = overtaken  # type: ignore[assignment, method-assign]
    with pytest.raises(Interleaved):
        first.run_once()
    assert lead.log.view_position(Reader.POLICE) == lead.log.page(0, 5)[-1][0]


def test_a_running_projector_shows_what_is_recorded_within_moments(lead: Site) -> None:
    view = VIEWS[Reader.PROSECUTOR]
    with running(lead.log, projector(lead, view)):
        for _ in range(3):
            lead.file()
            eventually(lambda: lead.stored(view) == lead.expected(view))


def test_runners_that_share_what_they_read_show_what_each_would_alone(lead: Site) -> None:
    readings = Readings(lead.log)
    with running(lead.log, *(projector(lead, view, readings=readings) for view in VIEWS.values())):
        for _ in range(5):
            lead.play(1, steps=3)
        eventually(lambda: all(lead.log.view_position(reader) == lead.log.position() for reader in VIEWS))
    for view in VIEWS.values():
        assert lead.stored(view) == lead.expected(view)


def test_what_all_ask_for_at_once_is_read_once(lead: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    participant = lead.identify()
    readings, read, histories = Readings(lead.log), list[Sequence[UUID]](), lead.log.histories
    position, together = lead.log.position(), threading.Barrier(len(EVERY))

    def counted(subjects: Sequence[UUID], upto: int) -> Any:
        read.append(subjects)
        return histories(subjects, upto)

    monkeypatch.setattr(lead.log, "histories", counted)

    def computes(_: Reader) -> None:
        reading = readings.of([participant], position)
        together.wait(10)
        assert reading.histories.keys() == {participant}

    with ThreadPoolExecutor(len(EVERY)) as pool:
        list(pool.map(computes, EVERY))
    assert read == [[participant]]


def test_what_was_read_for_all_is_never_older_than_asked_for_and_not_kept(lead: Site) -> None:
    participant, other = lead.identify(), lead.identify()
    readings, position = Readings(lead.log), lead.log.position()
    reading = readings.of([participant], position)
    assert readings.of([participant], position) is reading
    wider = readings.of([participant, other], position)
    assert wider is not reading
    lead.share(participant, lead.police)
    later = readings.of([participant], lead.log.position())
    assert later is not wider, "which is still there, and older"
    history = later.histories[participant]
    assert isinstance(history, History)
    assert history.position == lead.log.position()
    held = ref(later)
    del reading, later, history
    assert held() is None


def test_a_standby_takes_over_when_the_active_runner_dies(lead: Site) -> None:
    view = VIEWS[Reader.PROSECUTOR]
    lock = "select pid from pg_locks where locktype = 'advisory' and classid = 7003 and granted and database ="
    lock += " (select oid from pg_database where datname = current_database())"
    with running(lead.log, projector(lead, view), projector(lead, view)):
        lead.file()
        eventually(lambda: lead.stored(view) == lead.expected(view))
        ((active,),) = lead.owner(lock)
        lead.owner("select pg_terminate_backend(%s)", active)
        eventually(lambda: lead.owner(lock) not in ([], [(active,)]))
        lead.file()
        eventually(lambda: lead.stored(view) == lead.expected(view))


def test_a_runner_survives_every_connection_being_cut(lead: Site) -> None:
    view = VIEWS[Reader.POLICE]
    with running(lead.log, projector(lead, view)):
        for seed in range(3):
            lead.play(seed, steps=5)
            lead.owner(
                "select pg_terminate_backend(pid) from pg_stat_activity"
                " where datname = current_database() and pid <> pg_backend_pid()"
            )
            time.sleep(0.2)
        eventually(lambda: lead.stored(view) == lead.expected(view))


class Poison:
    """A view's function that fails for some subjects while they are poisoned."""

    def __init__(self, view: View) -> None:
        self.rows, self.poisoned = view.rows, set[UUID]()

    def __call__(self, history: History, ceiling: Ceiling, at: datetime, trace: Any = None) -> Any:
        for row in self.rows(history, ceiling, at, trace):
            yield row
            if history.subject in self.poisoned:
                raise ZeroDivisionError("Jo Doe relapsed")


def test_a_poisoned_subject_is_parked_dark_and_comes_back(lead: Site) -> None:
    poison = Poison(VIEWS[Reader.POLICE])
    view = replace(VIEWS[Reader.POLICE], rows=poison)
    bad, good = lead.identify(), lead.identify()
    for participant in (bad, good):
        lead.grant(participant, lead.police, Reader.POLICE)
        lead.share(participant, lead.police)
    catch_up(lead, view)
    poison.poisoned.add(bad)
    lead.share(bad, lead.police)
    at = lead.share(good, lead.police)
    catch_up(lead, view)
    assert {row.subject_id for row in lead.stored(view)["police.granted_entry"]} == {good}
    assert len(lead.stored(view)["police.granted_entry"]) == 2
    (found,) = parked(lead.database.login("projector"), view)
    assert (found.subject, found.error, found.view) == (bad, "ZeroDivisionError", "police")
    assert found.position < at
    build(lead, view)
    assert {row.subject_id for row in lead.stored(view)["police.granted_entry"]} == {good}
    assert len(parked(lead.database.owner_url)) == 1
    poison.poisoned.clear()
    lead.share(bad, lead.police)
    catch_up(lead, view)
    assert parked(lead.database.owner_url) == []
    assert lead.stored(view) == lead.expected(view)


def test_parked_subjects_are_tried_again_by_the_next_runner(lead: Site) -> None:
    poison = Poison(VIEWS[Reader.POLICE])
    view = replace(VIEWS[Reader.POLICE], rows=poison)
    bad = lead.identify()
    lead.grant(bad, lead.police, Reader.POLICE)
    projector(lead, view).sweep_once()
    poison.poisoned.add(bad)
    catch_up(lead, view)
    assert parked(lead.database.owner_url)
    poison.poisoned.clear()
    with running(lead.log, projector(lead, view)):
        eventually(lambda: not parked(lead.database.owner_url))
    assert lead.stored(view) == lead.expected(view)


def test_an_event_that_cannot_be_opened_parks_its_participant_alone(lead: Site) -> None:
    view = VIEWS[Reader.CASE_MANAGER]
    bad, good = lead.identify(), lead.identify()
    lead.owner("update log.event set state = substring(state for 40) where participant_id = %s", bad)
    lead.contact(good)
    catch_up(lead, view)
    assert [p.subject for p in parked(lead.database.owner_url, view)] == [bad]
    assert {row.subject_id for row in lead.stored(view)["case_manager.participant"]} == {good}
    assert build(lead, view).parked == 1
    assert {row.subject_id for row in lead.stored(view)["case_manager.participant"]} == {good}


def test_a_row_that_no_table_takes_parks_its_participant_alone(lead: Site) -> None:
    bad, good = lead.identify(), lead.identify()
    rows = VIEWS[Reader.CASE_MANAGER].rows

    def with_a_nul(history: History, ceiling: Ceiling, at: datetime, trace: Any = None) -> Any:
        for row in rows(history, ceiling, at, trace):
            if isinstance(row, case_manager.Participant) and row.subject_id == bad:
                yield replace(row, name="Do\0e")
            else:
                yield row

    view = replace(VIEWS[Reader.CASE_MANAGER], rows=with_a_nul)
    catch_up(lead, view)
    for _ in range(2):
        assert [p.subject for p in parked(lead.database.owner_url, view)] == [bad]
        assert {row.subject_id for row in lead.stored(view)["case_manager.participant"]} == {good}
        assert {row.subject_id for row in lead.stored(view)["case_manager.entry"]} == {good}
        build(lead, view)


def test_an_outage_parks_nobody(lead: Site) -> None:
    view = VIEWS[Reader.CASE_MANAGER]
    lead.identify()

    class Down:
        def __getattr__(self, name: str) -> Any:
            if name == "histories":
                raise Unavailable("down")
            return getattr(lead.log, name)

    runner = Projector(view, lead.database.login("projector"), Down(), ceiling)  # type: ignore[arg-type]
    with pytest.raises(Unavailable):
        runner.run_once()
    assert parked(lead.database.owner_url) == []
    assert lead.log.view_position(Reader.CASE_MANAGER) == 0


def test_what_time_made_dark_is_purged(lead: Site) -> None:
    participant = lead.identify()
    views = [VIEWS[reader] for reader in (Reader.POLICE, Reader.CASE_MANAGER)]
    lead.grant(participant, lead.police, Reader.POLICE, until=timedelta(days=10))
    item = lead.consent_item(participant, lead.police, Reader.POLICE, until=timedelta(days=5))
    lead.share(participant, lead.police)
    lead.share(participant, lead.police, item=item)
    for view in views:
        catch_up(lead, view)
        projector(lead, view).sweep_once()
    care = VIEWS[Reader.CASE_MANAGER]
    assert len(lead.stored(views[0])["police.granted_participant"]) == 1
    for day, items, labels in ((0, 1, True), (6, 0, True), (11, 0, False)):
        lead.ahead(f"{day} days")
        for view in views:
            projector(lead, view).sweep_once()
            assert lead.stored(view) == lead.expected(view)
            assert projector(lead, view).sweep_once() == 0  # nothing is left to do
        (row,) = lead.stored(care)["case_manager.recipient"]
        assert (row.items, bool(row.labels)) == (items, labels)  # type: ignore[attr-defined]
    assert lead.owner("select count(*) from police.granted_entry, police.granted_participant") == [(0,)]


def test_a_running_projector_purges_by_itself(lead: Site) -> None:
    participant = lead.identify()
    lead.grant(participant, lead.police, Reader.POLICE)
    with running(lead.log, projector(lead, VIEWS[Reader.POLICE])):
        eventually(lambda: lead.owner("select count(*) from police.granted_participant") == [(1,)])
        lead.ahead("91 days")
        eventually(lambda: lead.owner("select count(*) from police.granted_participant") == [(0,)])


def test_a_view_made_anew_under_a_runner_is_filled_again(lead: Site) -> None:
    view, participant = VIEWS[Reader.CASE_MANAGER], lead.identify()
    for _ in range(20):
        lead.contact(participant)
    runner = projector(lead, view, page=10)
    runner.run_once()
    runner.run_once()
    lead.owner("truncate case_manager.entry, case_manager.participant")  # as a migration does
    lead.owner("update log.view set position = 0")
    while runner.run_once():
        pass
    assert lead.stored(view) == lead.expected(view)


def test_a_lowered_ceiling_takes_rows_away(lead: Site) -> None:
    participant = lead.identify()
    lead.grant(participant, lead.police, Reader.POLICE)
    limits = [CEILING]
    runner = projector(lead, VIEWS[Reader.POLICE], ceiling=lambda _at: limits[0])
    with running(lead.log, runner):
        eventually(lambda: lead.owner("select name from police.granted_participant") == [("Jo Doe",)])
        limits[0] = Ceiling("test/2", frozenset({(Reader.POLICE, Label.IDENTITY_LEGAL)}))
        eventually(lambda: lead.owner("select name from police.granted_participant") == [(None,)])


def test_what_a_lowered_ceiling_forbids_goes_in_the_instant_in_which_it_is_noticed(lead: Site) -> None:
    people = [lead.identify() for _ in range(3)]
    for participant in people:
        lead.grant(participant, lead.police, Reader.POLICE)
    limits = [CEILING]
    runner = projector(lead, VIEWS[Reader.POLICE], ceiling=lambda _at: limits[0])
    while runner.run_once():
        pass
    assert len(lead.owner("select name from police.granted_participant where name is not null")) == len(people)
    limits[0] = Ceiling("test/2", frozenset({(Reader.POLICE, Label.IDENTITY_LEGAL)}))
    runner.sweep_once()
    assert lead.owner("select name from police.granted_participant where name is not null") == []
    while runner.run_once():
        pass
    assert len(lead.owner("select name from police.granted_participant")) == len(people)


def test_a_rebuild_under_a_running_projector_loses_nothing(lead: Site) -> None:
    view = VIEWS[Reader.PROSECUTOR]
    lead.play(9, steps=30)
    stop = threading.Event()

    def write() -> None:
        while not stop.is_set():
            lead.play(1, steps=5, people=1)

    writer = threading.Thread(target=write)
    runner = projector(lead, view, page=20)
    with running(lead.log, runner):
        writer.start()
        for _ in range(3):
            build(lead, view, page=5)
        stop.set()
        writer.join()
        eventually(lambda: lead.log.view_position(Reader.PROSECUTOR) == lead.log.position())
        assert lead.stored(view) == lead.expected(view)


def test_a_rebuild_waits_for_a_reader_without_making_others_wait(lead: Site) -> None:
    participant = lead.identify()
    lead.grant(participant, lead.police, Reader.POLICE)
    view = VIEWS[Reader.POLICE]
    with psycopg.connect(lead.database.owner_url) as reader:
        reader.execute("select * from police.granted_entry")
        thread = threading.Thread(target=build, args=[lead, view])
        thread.start()
        thread.join(1.5)
        assert thread.is_alive()
        lead.owner("set statement_timeout = '2s'; select * from police.granted_participant")
    thread.join(10)
    assert not thread.is_alive()
    assert lead.stored(view) == lead.expected(view)


def test_a_rebuilt_view_has_its_policies_keys_and_owner(lead: Site) -> None:
    facts = (
        "select c.relname, c.relrowsecurity, c.relforcerowsecurity, c.relacl::text, c.relowner::text,"
        " (select count(*) from pg_index i where i.indrelid = c.oid),"
        " (select array_agg(p.polname || pg_get_expr(p.polqual, p.polrelid) order by p.polname)::text from pg_policy p"
        " where p.polrelid = c.oid), n.nspacl::text, obj_description(n.oid, 'pg_namespace')"
        " from pg_class c join pg_namespace n on n.oid = c.relnamespace"
        " where n.nspname = %s and c.relkind = 'r' order by 1"
    )
    for reader in EVERY:
        before = lead.owner(facts, reader.value)
        build(lead, VIEWS[reader])
        assert lead.owner(facts, reader.value) == before
    assert lead.owner("select nspname from pg_namespace where nspname like '%%_next'") == []


def test_all_views_are_rebuilt_in_one_pass(lead: Site) -> None:
    lead.play(4, steps=40)
    done = rebuild(list(VIEWS.values()), lead.database.owner_url, lead.log, ceiling)
    assert {d.events for d in done} == {len(lead.log.page(0, 10_000))}
    for reader in EVERY:
        assert lead.stored(VIEWS[reader]) == lead.expected(VIEWS[reader])


def test_what_a_label_settles_is_what_decide_says(lead: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    lead.play(6, steps=80)
    at, limits = lead.log.now(), Ceiling("test/2", frozenset({(Reader.POLICE, Label.CONTACT_FACT)}))
    histories = lead.log.histories([subject for _, subject in lead.log.page(0, 10_000)]).values()

    def rows() -> list[Row]:
        return [row for h in histories for view in VIEWS.values() for row in view.rows(h, limits, at)]

    shorter = rows()
    assert {row.kind for row in shorter if isinstance(row, police.Entry)} >= {"share.made"}
    monkeypatch.setattr("projections.lens._settled", lambda *_: None)
    monkeypatch.setattr("projections.lens._shown", lambda *_: None)
    assert rows() == shorter


def test_a_page_is_observed(lead: Site) -> None:
    seen: list[tuple[str, int]] = []

    @contextmanager
    def observe(view: str, events: int) -> Iterator[None]:
        seen.append((view, events))
        yield

    lead.identify()
    catch_up(lead, VIEWS[Reader.POLICE], page=4, observe=observe)
    assert seen[0] == ("police", 4)


def test_the_projector_may_not_read_past_its_role(lead: Site) -> None:
    with psycopg.connect(lead.database.login("projector"), autocommit=True) as connection:
        for statement in (
            "select * from gate.authority",
            "update log.event set topic = ''",
            "select * from log.answer",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(statement.encode())


def test_a_backlog_computes_each_subject_once(lead: Site) -> None:
    participant = lead.identify()
    for _ in range(30):
        lead.contact(participant)
    calls: list[UUID] = []
    rows = VIEWS[Reader.POLICE].rows

    def counting(history: History, ceiling: Ceiling, at: datetime, trace: Any = None) -> Any:
        calls.append(history.subject)
        return rows(history, ceiling, at, trace)

    catch_up(lead, replace(VIEWS[Reader.POLICE], rows=counting), page=5)
    assert calls.count(participant) == 1
