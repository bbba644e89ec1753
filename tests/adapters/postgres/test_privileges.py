"""A person with psql and the password of one of the site's logins, but no signed context, tries everything.

Every login is tried, against a database that is full of what it would like to see. What is not kept from such a person
is said in docs/decisions/0021.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, LiteralString, NamedTuple
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg import errors
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from adapters.postgres.log import PostgresLog
from adapters.secrets import ROLES
from domain.labels import Reader
from projections.views import VIEWS
from tests.adapters.postgres.site import Site
from tests.adapters.postgres.test_migrate import MAY_READ, MODELS, Person, bring_up, context, execute, fetch, hire, say
from tests.conftest import Database

pytestmark = pytest.mark.server

SERVICES = ("recorder", "projector", "sealer", "access")  # the application's own, which read without a context
READERS = tuple(role for role in ROLES if role not in SERVICES)
ROWS = 300
FILLED = {
    "uuid": "md5('{column}' || n)::uuid",
    "text": "'Canary' || lpad(n::text, 4, '0')",
    "bigint": "n",
    "boolean": "n % 2 = 0",
    "date": "date '2026-01-01' + n",
    "timestamptz": "timestamptz '2026-01-01' + n * interval '1 hour'",
    "jsonb": "jsonb_build_object('canary', n)",
}
THERE = {  # a value that some rows hold, or many are below; and one that none holds, or none is below
    "uuid": ("{known}", f"{UUID(int=0)}"),
    "text": ("Canary0150", "Barley0150"),
    "bigint": ("150", "-10"),
    "date": ("2026-05-31", "2020-01-01"),
    "timestamptz": ("2026-01-07 06:00:00+00", "2020-01-01 00:00:00+00"),
}


class Full(NamedTuple):
    """A site in which everybody has something that somebody without a context may not see."""

    db: Database
    reader: dict[str, Person]
    """Somebody of each reader, at a party of whom every table holds rows."""


@pytest.fixture(scope="module")
def full(shared_db: Database) -> Full:
    with psycopg.connect(shared_db.owner_url) as owner:
        people = {}
        for role in READERS:
            people[role] = who = hire(shared_db)
            for model in VIEWS[Reader(role)].models:
                values = [FILLED[c.sql_type].format(column=c.name) for c in model.columns]
                for place, column in enumerate(model.columns):
                    if column.name == "party_id" and model.holding != "role":
                        values[place] = f"case n % 3 when 0 then '{uuid4()}' else '{who.party}' end::uuid"
                    if column.name == "epoch":
                        values[place] = "0"
                    if column.name == "until":
                        values[place] = "now() + interval '1 day'"
                    if column.name == "subject_id" and role == "participant":
                        values[place] = f"case n when 150 then '{who.party}' else gen_random_uuid() end::uuid"
                filled = f"insert into {model.table} select {', '.join(values)} from generate_series(1, {ROWS}) n"
                owner.execute(filled.encode())
            owner.execute(
                b"insert into gate.consent select %s, md5('subject_id' || n)::uuid, 0, now() + n * interval '1 day',"
                b" '-infinity' from generate_series(1, 300) n",
                [who.party],
            )
        owner.commit()
        owner.autocommit = True
        owner.execute("analyze")
    log = PostgresLog(shared_db.login("recorder"), shared_db.secrets)
    try:
        Site(shared_db, log).play(1, steps=10, people=1)
    finally:
        log.close()
    return Full(shared_db, people)


@pytest.fixture(params=ROLES)
def anyone(request: pytest.FixtureRequest, full: Full) -> Iterator[psycopg.Connection]:
    """A session of psql under one of the logins."""
    with psycopg.connect(full.db.login(request.param), autocommit=True) as connection:
        yield connection


@pytest.fixture(params=READERS)
def role(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def psql(role: str, full: Full) -> Iterator[psycopg.Connection]:
    """A session of psql under a reader's login."""
    with psycopg.connect(full.db.login(role), autocommit=True) as connection:
        yield connection


def tables(role: str) -> list[str]:
    """Return what a reader's login may select from."""
    return sorted(table for who, table in MAY_READ if who == role)


def rows(connection: psycopg.Connection, query: str) -> list[tuple[Any, ...]]:
    return connection.execute(query.encode()).fetchall()


# Who tries


def test_every_login_of_the_database_is_tried(full: Full) -> None:
    logins = fetch(
        full.db.owner_url,
        "select rolname from pg_roles where rolcanlogin and not rolsuper"
        " and has_database_privilege(oid, current_database(), 'connect')",
    )
    assert {name for (name,) in logins} == {f"{full.db.prefix}_{role}_login" for role in ROLES}


def test_no_login_gets_into_a_database_that_is_nobodys(full: Full) -> None:
    """From there it would see the statements, the locks and the pace of every site of the server."""
    for role in ROLES:
        for other in ("template1", conninfo_to_dict(full.db.owner_url).get("user", "postgres")):
            with pytest.raises(psycopg.OperationalError, match=r"permission denied|does not exist"):
                psycopg.connect(make_conninfo(full.db.login(role), dbname=str(other)))


# Rows and values


def test_what_is_hidden_is_there(full: Full, role: str, psql: psycopg.Connection) -> None:
    """With a signed context the same statements find something: the other tests do not pass for want of rows."""
    with psql.transaction():
        say(psql, context(full.db, role, full.reader[role]))
        found = {table: rows(psql, f"select count(*) from {table}")[0][0] for table in tables(role)}
    assert all(found.values()), found


CONTEXTS: dict[str, Callable[[Full, str, psycopg.Connection], str | None]] = {
    "none": lambda full, role, psql: None,
    "empty": lambda full, role, psql: "",
    "forged": lambda full, role, psql: signed(full, role, psql)[:-64] + "0" * 64,
    "of no shape": lambda full, role, psql: f"{role}|{'-' * 36}|{'-' * 36}|999999999999|1.1|{'0' * 64}",
    "expired": lambda full, role, psql: context(full.db, role, full.reader[role], timedelta(seconds=-2))(psql),
    "with another's party": lambda full, role, psql: signed(full, role, psql).replace(
        str(full.reader[role].party), str(uuid4())
    ),
    "with another end": lambda full, role, psql: re_ended(signed(full, role, psql)),
    "of another reader": lambda full, role, psql: signed(full, READERS[READERS.index(role) - 1], psql),
    "of another person's party": lambda full, role, psql: context(
        full.db, role, Person(full.reader[role].staff, uuid4())
    )(psql),
    "overheard from another session": lambda full, role, psql: elsewhere(full, role),
}


def signed(full: Full, role: str, connection: psycopg.Connection) -> str:
    return context(full.db, role, full.reader[role])(connection)


def re_ended(said: str) -> str:
    part = said.split("|")
    part[3] = str(int((datetime.now(UTC) + timedelta(days=1)).timestamp()))
    return "|".join(part)


def elsewhere(full: Full, role: str) -> str:
    with psycopg.connect(full.db.login(role)) as other:
        return signed(full, role, other)


@pytest.mark.parametrize("which", CONTEXTS)
def test_no_row_and_no_value_without_a_context_that_holds(
    full: Full, role: str, psql: psycopg.Connection, which: str
) -> None:
    said = CONTEXTS[which](full, role, psql)
    if said is not None:
        psql.execute("select set_config('app.context', %s, false)", [said])
    for table in tables(role):
        assert rows(psql, f"select * from {table}") == []
        assert rows(psql, f"select count(*) from {table}") == [(0,)]
    assert psql.execute("select gate.party()").fetchall() == [(None,)]
    if role == "participant":
        assert psql.execute("select gate.records()").fetchall() == [(None,)]
    if role in ("case_manager", "participant", "counsel", "privacy"):
        someone = fetch(full.db.owner_url, "select participant_id from log.event where participant_id is not null")[0][
            0
        ]
        for asked in (someone, None, full.reader[role].party):
            assert psql.execute("select * from log.accounting(%s)", [asked]).fetchall() == []


def test_no_error_tells_that_there_is_a_row(full: Full, role: str, psql: psycopg.Connection) -> None:
    for table in tables(role):
        columns = [name for (name,) in fetch(full.db.owner_url, COLUMNS, table)]
        for column in columns:
            assert rows(psql, f"select from {table} where 1 / (length({column}::text) * 0) = 1") == []
            assert rows(psql, f"select {column}::text::int from {table}") == []
            assert rows(psql, f"select from {table} where repeat({column}::text, 1 << 30) = ''") == []
        joined = f"select t.* from (values (1)) v left join lateral (select * from {table}) t on true"
        assert rows(psql, joined) == [(None,) * len(columns)]


COLUMNS = "select attname from pg_attribute where attrelid = %s::regclass and attnum > 0 and not attisdropped"


@pytest.mark.parametrize("allowed", ["seqscan", "indexscan", "bitmapscan"])
def test_explain_says_the_same_of_a_value_that_is_there_and_of_one_that_is_not(
    full: Full, role: str, psql: psycopg.Connection, allowed: str
) -> None:
    """Estimates come of statistics, EXPLAIN ANALYZE counts what was found: the person chooses the plan."""
    for kind in ("seqscan", "indexscan", "indexonlyscan", "bitmapscan"):
        psql.execute(f"set enable_{kind} = {'on' if kind.startswith(allowed[:5]) else 'off'}".encode())
    types = {model.table: {c.name: c.sql_type for c in model.columns} for model in MODELS}
    types["gate.consent"] = {
        "party_id": "uuid",
        "participant_id": "uuid",
        "epoch": "bigint",
        "roi_until": "timestamptz",
    }
    for table in tables(role):
        for column, sql_type in types[table].items():
            if sql_type not in THERE:
                continue
            known = f"select {column}::text from {table} where {column} is not null order by 1 desc limit 1"
            there, absent = THERE[sql_type]
            there = there.format(known=fetch(full.db.owner_url, known)[0][0])
            for condition in (
                f"{column} = '%s'",
                f"{column} <= '%s'",
                f"{column} = any('{{%s}}'::{sql_type}[])",
                f"{column} is not null and {column} = any('{{%s}}'::{sql_type}[])",
                f"{column} = '%s' or {column} = '%s'",
            ):
                assert plan(psql, table, condition, there) == plan(psql, table, condition, absent)


def plan(connection: psycopg.Connection, table: str, condition: str, value: str) -> list[str]:
    query = f"explain (analyze, timing off, summary off, buffers off) select * from {table} where "
    return [line.replace(value, "?") for (line,) in rows(connection, query + condition.replace("%s", value))]


def test_a_listener_learns_that_something_was_recorded_and_not_what(full: Full, anyone: psycopg.Connection) -> None:
    anyone.execute("listen log")
    log = PostgresLog(full.db.login("recorder"), full.db.secrets)
    try:
        Site(full.db, log).identify()
    finally:
        log.close()
    heard = list(anyone.notifies(timeout=1))
    assert heard
    assert {(n.channel, n.payload) for n in heard} == {("log", "")}


# Functions


def test_a_function_that_a_login_may_not_execute_is_not_executed(full: Full, anyone: psycopg.Connection) -> None:
    ours = rows(
        anyone,
        "select p.oid::regproc::text, pronargs, has_function_privilege(p.oid, 'execute')"
        " and has_schema_privilege(n.oid, 'usage') from pg_proc p join pg_namespace n on n.oid = pronamespace"
        " where n.nspname in ('site', 'log', 'gate', 'stream')",
    )
    assert len(ours) > 30
    for name, arguments, allowed in ours:
        if not allowed:
            with pytest.raises(errors.InsufficientPrivilege):
                rows(anyone, f"select {name}({', '.join(['null'] * arguments)})")


RELEASE: LiteralString = (
    "select gate.release(%s, '{0}', '{infinity}', '{0}', '{x}', '{x}', '{x}', '{x}', 'x', 'x', 'x', null)"
)


def test_nothing_is_released_and_nobody_learns_that_the_fence_is_closed(full: Full, psql: psycopg.Connection) -> None:
    psql.execute("set lock_timeout = '200ms'")
    with psycopg.connect(full.db.owner_url) as revoking:
        revoking.execute("select pg_advisory_xact_lock(gate.fence())")
        for participants in ([uuid4()], [None], [], None, [uuid4()] * 10_000):
            with pytest.raises(psycopg.Error) as refused:
                psql.execute(RELEASE, [participants])
            assert refused.value.sqlstate == "GT002"


def test_a_search_path_of_ones_own_changes_nothing(full: Full, role: str, psql: psycopg.Connection) -> None:
    for path in ("pg_temp, public", "public, pg_catalog", ""):
        psql.execute("select set_config('search_path', %s, false)", [path])
        with psql.transaction():
            say(psql, context(full.db, role, full.reader[role]))
            assert psql.execute("select gate.party()").fetchall() == [(full.reader[role].party,)]
        assert psql.execute("select gate.party()").fetchall() == [(None,)]


# What is denied to every login

DENIED: dict[str, tuple[str, ...]] = {
    "to become another": (
        "set role goldenthread_{another}",
        "set role pg_read_all_data",
        "set session authorization {owner}",
        "set local session authorization {owner}",
        "create role mine",
        "alter role goldenthread_police superuser",
        "grant goldenthread_projector to current_user",
        "alter role current_user superuser",
        "alter role current_user bypassrls",
        "alter role all set row_security = off",
    ),
    "to leave something": (
        "create schema mine",
        "create table public.mine ()",
        "create table gate.mine ()",
        "create temporary table mine ()",
        "create function public.mine() returns int language sql as 'select 1'",
        "create function pg_temp.mine() returns int language sql as 'select 1'",
        "create function log.mine() returns int language sql as 'select 1'",
        "create operator public.=== (function = texteq, leftarg = text, rightarg = text)",
        "create operator pg_temp.=== (function = texteq, leftarg = text, rightarg = text)",
        "create view public.mine as select 1",
        "create aggregate public.mine(text) (sfunc = textcat, stype = text)",
        "create extension dblink",
        "create language plpython3u",
        "create publication mine for all tables",
        "create foreign data wrapper mine",
        "create event trigger mine on ddl_command_start execute function pg_notify()",
        "select lo_create(0)",
        "select lo_from_bytea(0, 'x')",
        "comment on schema log is 'mine'",
    ),
    "to change what protects": (
        "alter table police.granted_entry disable row level security",
        "drop policy granted on police.granted_entry",
        "create policy mine on police.granted_entry using (true)",
        "alter function gate.party() reset search_path",
        "create or replace function gate.party() returns uuid language sql as 'select gen_random_uuid()'",
        "grant select on site.context_key to public",
        "alter default privileges for role {owner} grant select on tables to public",
        "alter system set track_activities = on",
        "set session_replication_role = replica",
        "reassign owned by {owner} to current_user",
        "drop owned by {owner}",
        "update pg_class set relrowsecurity = false",
        "insert into site.context_key values ('', '')",
        "update gate.consent set roi_until = 'infinity'",
        "insert into gate.authority values (gen_random_uuid(), gen_random_uuid(), 0, true)",
        "select site.set_clock('1 day')",
        "truncate log.event",
        "delete from log.disclosure",
        "update log.event set topic = topic",
        "begin; lock table log.event in share mode",
        "begin; lock table gate.consent in access exclusive mode",
    ),
    "the server's files and programs": (
        "copy (select 1) to program 'cat'",
        "copy (select 1) to '/tmp/mine'",
        "select pg_read_file('postgresql.conf')",
        "select pg_read_binary_file('PG_VERSION')",
        "select pg_ls_dir('.')",
        "select pg_stat_file('PG_VERSION')",
        "select pg_ls_waldir()",
        "select lo_import('/etc/passwd')",
        "select lo_export(1, '/tmp/mine')",
        "load '/tmp/mine'",
        "select pg_current_logfile()",
        "select * from pg_hba_file_rules",
        "select * from pg_file_settings",
    ),
    "the catalog's secrets": (
        "select rolpassword from pg_authid",
        "select passwd from pg_shadow",
        "select * from pg_statistic",
        "select * from pg_largeobject",
        "select * from site.context_key",
        "select * from gate.authority",
        "select * from log.sent",
    ),
    "how much there is": (
        "select reltuples from pg_class",
        "select relpages from pg_class",
        "select * from pg_class",
        "select n_tup_del from pg_stat_user_tables",
        "select * from pg_stats",
        "select * from pg_stats_ext",
        "select * from pg_statio_user_indexes",
        "select * from pg_stat_database",
        "select pg_relation_size('log.event')",
        "select pg_total_relation_size('police.granted_entry')",
        "select pg_database_size(current_database())",
        "select pg_stat_get_live_tuples('police.granted_entry'::regclass)",
        "select currtid2('police.granted_entry', '(0,1)')",
        "select last_value from log.position",
        "select nextval('log.position')",
        "select setval('log.position', 1)",
        "select pg_current_wal_lsn()",
        "select pg_current_xact_id()",
        "select txid_current()",
        "select pg_current_snapshot()",
        "select age(xmin) from pg_namespace",
        "select * from pg_control_checkpoint()",
    ),
    "what others do": (
        "select query from pg_stat_activity",
        "select * from pg_stat_get_activity(null)",
        "select pg_stat_get_backend_activity(1)",
        "select * from pg_locks",
        "select * from pg_lock_status()",
        "select pg_blocking_pids(1)",
        "select * from pg_prepared_xacts",
        "select * from pg_stat_replication",
        "select pg_cancel_backend(1)",
        "select pg_terminate_backend(1)",
        "select pg_create_logical_replication_slot('mine', 'pgoutput')",
        "select pg_stat_reset()",
    ),
}  # fmt: skip


ABSENT = ("create extension dblink", "create language plpython3u")  # where the server does not even have it


@pytest.mark.parametrize("what", DENIED)
def test_every_login_is_denied(full: Full, anyone: psycopg.Connection, what: str) -> None:
    ((owner,),) = fetch(full.db.owner_url, "select current_user")
    another = "police" if anyone.info.user.endswith("_recorder_login") else "recorder"
    done = []
    for statement in DENIED[what]:
        try:
            anyone.execute(statement.replace("{owner}", owner).replace("{another}", another).encode())
            done.append((statement, "was done"))
        except errors.InsufficientPrivilege:
            pass
        except psycopg.Error as error:
            if statement not in ABSENT:
                done.append((statement, str(error)))
        if anyone.info.transaction_status:
            anyone.execute("rollback")
    assert not done


@pytest.mark.parametrize("lock", ["pg_advisory_lock", "pg_try_advisory_lock", "pg_advisory_xact_lock_shared"])
@pytest.mark.parametrize("which", [7001, 7002])
def test_a_reader_takes_no_lock_of_the_sites(psql: psycopg.Connection, lock: str, which: int) -> None:
    """Whoever held the fence would keep every revocation waiting, and whoever tried it would see them."""
    with pytest.raises(errors.InsufficientPrivilege):
        rows(psql, f"select {lock}({which})")


def test_a_reader_writes_nowhere_and_so_probes_no_key(full: Full, psql: psycopg.Connection) -> None:
    for model in MODELS:
        for statement in (
            f"insert into {model.table} (subject_id) values ('{uuid4()}') on conflict do nothing",
            f"update {model.table} set subject_id = subject_id",
            f"delete from {model.table}",
            f"merge into {model.table} using (values (1)) v on true when matched then delete",
            f"select from {model.table} for update",
            f"explain analyze insert into {model.table} (subject_id) values (null)",
            f"copy {model.table} from stdin",
            f"create trigger mine before insert on {model.table} execute function suppress_redundant_updates_trigger()",
            f"create index on {model.table} (subject_id)",
        ):
            with pytest.raises(errors.InsufficientPrivilege):
                rows(psql, statement)


def test_a_reader_reads_no_table_of_others(full: Full, role: str, psql: psycopg.Connection) -> None:
    every = fetch(
        full.db.owner_url,
        "select c.oid::regclass::text from pg_class c join pg_namespace n on n.oid = c.relnamespace"
        " where n.nspname !~ '^pg_' and n.nspname <> 'information_schema'"
        " and c.relkind in ('r', 'S', 'v', 'm', 'p', 'f')",
    )
    assert len(every) > len(MODELS)
    for (table,) in every:
        if table not in tables(role):
            for statement in (f"select from {table}", f"explain select from {table}", f"copy {table} to stdout"):
                with pytest.raises(errors.InsufficientPrivilege):
                    rows(psql, statement)


def test_row_security_put_off_is_an_error_and_no_row(role: str, psql: psycopg.Connection) -> None:
    psql.execute("set row_security = off")
    for table in tables(role):
        with pytest.raises(errors.InsufficientPrivilege):
            rows(psql, f"select * from {table}")


def test_a_do_block_may_no_more_than_who_runs_it(role: str, psql: psycopg.Connection) -> None:
    psql.execute("set statement_timeout = 0; set idle_in_transaction_session_timeout = 0")
    for table in tables(role):
        psql.execute(f"do $$ begin if exists (select from {table}) then raise 'a row'; end if; end $$".encode())
    with pytest.raises(errors.InsufficientPrivilege):
        psql.execute("do $$ begin perform from log.disclosure; end $$")


def test_what_a_login_sets_for_itself_is_gone_with_the_next_migration(site_db: Database) -> None:
    login = f"{site_db.prefix}_police_login"
    execute(site_db.login("police"), f"alter role {login} set row_security = off")
    try:
        with pytest.raises(errors.InsufficientPrivilege):
            fetch(site_db.login("police"), "select * from police.granted_entry")
    finally:
        bring_up(site_db)
    assert fetch(site_db.login("police"), "select * from police.granted_entry") == []
