"""The lint of the live database: nothing as `migrate` leaves it; each fault, and no other, where one is made."""

from __future__ import annotations

import psycopg
import pytest
from typer.testing import CliRunner

from adapters.cli.main import app
from adapters.postgres.lint import lint
from adapters.postgres.migrate import SQL
from tests.conftest import Database

pytestmark = pytest.mark.server

NOT_LEAKPROOF = "an index column whose operator is not leakproof, so that policies keep its index from use"
LINT = (SQL / "lint.sql").read_bytes()
TABLE = "police.granted_entry"

# What is done to a database (`{login}`: a login of police), and what is found then, each as finding and place.
FAULTS = {
    # Tables
    f"alter table {TABLE} no force row level security": [("row security is not forced", TABLE)],
    f"alter table {TABLE} disable row level security": [("row security is not forced", TABLE)],
    "create table police.extra ()": [("row security is not forced", "police.extra")],
    "alter table gate.consent disable row level security": [("the gate is without row security", "gate.consent")],
    "create table police.extra (); alter table police.extra enable row level security, force row level security": [
        ("row security without a policy", "police.extra")
    ],
    f"create policy open on {TABLE} using ((select gate.party()) is not null)": [
        ("a policy for everybody", f"{TABLE} open")
    ],
    f"create policy open on {TABLE} to goldenthread_police using (true)": [
        ("a policy that does not ask first who reads", f"{TABLE} open")
    ],
    f"create policy late on {TABLE} to goldenthread_police using (party_id = (select gate.party()))": [
        ("a policy that does not ask first who reads", f"{TABLE} late")
    ],
    f"create policy slow on {TABLE} to goldenthread_police using ((select gate.party()) is not null"
    " and party_id = gate.party())": [("a policy that calls a function for each row", f"{TABLE} slow")],
    f"create policy naive on {TABLE} to goldenthread_police using ((select gate.party()) is not null"
    " and party_id::text = current_setting('app.party', true))": [("a policy that trusts a setting", f"{TABLE} naive")],
    f"create index extra on {TABLE} (occurred_at)": [
        ("an index that EXPLAIN would count hidden rows by", "police.extra")
    ],
    f"create index extra on {TABLE} (party_id, body)": [
        (NOT_LEAKPROOF, "police.extra body")
    ],
    f"create type police.mood as enum ('good'); alter table {TABLE} add mood police.mood;"
    f" alter table {TABLE} alter mood set statistics 0; create index extra on {TABLE} (party_id, mood)": [
        (NOT_LEAKPROOF, "police.extra mood")
    ],
    f"alter table {TABLE} add amount numeric; alter table {TABLE} alter amount set statistics 0;"
    f" create index extra on {TABLE} (party_id, amount)": [
        (
            NOT_LEAKPROOF,
            "police.extra amount",
        )
    ],
    f"alter table {TABLE} alter kind set statistics -1": [("statistics of what hidden rows hold", f"{TABLE} kind")],
    f"alter table {TABLE} add extra text": [("statistics of what hidden rows hold", f"{TABLE} extra")],
    f"alter table {TABLE} add constraint extra foreign key (authority) references log.key": [
        ("a foreign key, whose checks pass row security by", f"extra on {TABLE}")
    ],
    f"create trigger extra before insert on {TABLE} execute function suppress_redundant_updates_trigger()": [
        ("a trigger or a rule", f"extra on {TABLE}")
    ],
    f"create rule extra as on insert to {TABLE} do also notify log": [("a trigger or a rule", f"extra on {TABLE}")],
    f"create view police.extra as select from {TABLE}": [("a view without security_invoker", "police.extra")],
    "create materialized view police.extra as select 1 as one": [
        ("a materialized view, which passes row security by", "police.extra")
    ],
    # Functions
    "alter function gate.party() reset search_path": [("SECURITY DEFINER without a fixed search_path", "gate.party()")],
    "alter function gate.party() set search_path = pg_temp, gate": [
        ("SECURITY DEFINER without a fixed search_path", "gate.party()")
    ],
    "create function gate.extra(q text) returns void language plpgsql security definer set search_path = gate, pg_temp"
    " as 'begin execute q; end'; revoke execute on function gate.extra from public": [
        ("SECURITY DEFINER that runs text as SQL", "gate.extra(text)")
    ],
    "grant execute on function gate.party() to public": [("a function that everybody may execute", "gate.party()")],
    "create function gate.extra() returns int language sql as 'select 1'": [
        ("a function that everybody may execute", "gate.extra()")
    ],
    "grant execute on function log.horizon() to goldenthread_police": [
        ("a function that a reader may execute and that does not ask who it is", "log.horizon()")
    ],
    "grant execute on function log.horizon() to {login}": [
        ("a function that a reader may execute and that does not ask who it is", "log.horizon()")
    ],
    "create function gate.extra() returns text language sql as $$ select current_setting('app.party') $$;"
    " revoke execute on function gate.extra from public": [("a function that trusts a setting", "gate.extra()")],
    "create function log.extra(p text) returns void language plpgsql as $$ begin perform pg_notify('log', p); end $$;"
    " revoke execute on function log.extra from public": [("a NOTIFY that carries something", "log.extra(text)")],
    "create function log.extra() returns void language plpgsql as $$ begin notify log, 'x'; end $$;"
    " revoke execute on function log.extra from public": [("a NOTIFY that carries something", "log.extra()")],
    "create function log.extra() returns timestamptz language internal as 'now';"
    " revoke execute on function log.extra from public": [
        ("a function in a language that reaches out", "log.extra()")
    ],
    # Privileges
    "grant select on log.event to public": [("a table that everybody may use", "log.event")],
    "grant select (topic) on log.event to public": [("a table that everybody may use", "log.event (topic)")],
    "grant update on log.event to goldenthread_recorder": [
        ("a table that a role may update", "log.event: goldenthread_recorder")
    ],
    "grant insert on log.event to goldenthread_projector": [
        ("a table that a role may insert", "log.event: goldenthread_projector")
    ],
    "grant select on log.event to goldenthread_police": [
        ("a table that a role may select", "log.event: goldenthread_police")
    ],
    "grant select (topic) on log.event to goldenthread_police": [
        ("a table that a role may select", "log.event (topic): goldenthread_police")
    ],
    f"grant select on {TABLE} to goldenthread_recipient": [
        ("a table that a role may select", f"{TABLE}: goldenthread_recipient")
    ],
    f"grant insert on {TABLE} to goldenthread_police": [  # whose unique key it could then probe
        ("a table that a role may insert", f"{TABLE}: goldenthread_police")
    ],
    f"grant select on {TABLE} to {{login}}": [("a table that a role may select", f"{TABLE}: {{login}}")],
    "grant usage on sequence log.position to goldenthread_police": [
        ("a sequence that a role may use", 'log."position": goldenthread_police')
    ],
    "grant create on schema public to public": [("a schema in which others may create", "public: public")],
    "grant create on schema gate to goldenthread_police": [
        ("a schema in which others may create", "gate: goldenthread_police")
    ],
    "grant usage on schema log to public": [("a schema that everybody may use", "log")],
    "grant temporary on database {database} to public": [("this database lets everybody temporary", "{database}")],
    "grant temporary on database {database} to {login}": [("this database lets {login} temporary", "{database}")],
    "grant connect on database template1 to public": [
        ("another database that lets everybody in, and shows the whole server's sessions and locks", "template1")
    ],
    "alter default privileges in schema log grant select on tables to public": [
        ("privileges by default", "{owner} in log")
    ],
    "grant select on pg_stat_user_tables to public": [
        ("the server's statistics, locks, counters or sessions are open to everybody", "pg_stat_user_tables")
    ],
    "grant execute on function pg_try_advisory_lock(bigint) to public": [
        ("the server's statistics, locks, counters or sessions are open to everybody", "pg_try_advisory_lock(bigint)")
    ],
    "grant select on pg_class to public": [
        ("the server's statistics, locks, counters or sessions are open to everybody", "pg_class (reltuples)")
    ],
    # Roles
    "alter role {login} superuser": [("a role that may do more than it should", "{login}")],
    "alter role {login} bypassrls": [("a role that may do more than it should", "{login}")],
    "alter role {login} createrole": [("a role that may do more than it should", "{login}")],
    "alter role goldenthread_police replication": [("a role that may do more than it should", "goldenthread_police")],
    "alter role goldenthread_police login": [("a group that may log in", "goldenthread_police")],
    "grant pg_read_all_data to {login}": [("a role that is a member of another", "{login} of pg_read_all_data")],
    "grant goldenthread_projector to {login}": [
        ("a role that is a member of another", "{login} of goldenthread_projector")
    ],
    "grant goldenthread_projector to goldenthread_police": [
        ("a role that is a member of another", "goldenthread_police of goldenthread_projector")
    ],
    f"alter table {TABLE} owner to goldenthread_police": [
        ("a role of the application that owns something", f"goldenthread_police: table {TABLE}")
    ],
    f"alter table {TABLE} owner to {{login}}": [
        ("a role of the application that owns something", f"{{login}}: table {TABLE}")
    ],
    "alter role {login} set row_security = off": [("a login that gives its sessions settings", "{login}")],
    # What reaches out
    "create publication extra for table police.granted_entry": [
        ("something that takes rows out of the database", "publication extra")
    ],
    "create foreign data wrapper extra; create server extra foreign data wrapper extra": [
        ("something that takes rows out of the database", "foreign server extra")
    ],
    "update pg_extension set extname = 'dblink'": [("an extension that the site does not use", "dblink")],
}  # fmt: skip


def test_it_finds_nothing_on_a_site_as_it_was_migrated(shared_db: Database) -> None:
    assert lint(shared_db.owner_url) == []
    assert lint(shared_db.login("recorder")) == []


@pytest.mark.parametrize("fault", FAULTS)
def test_it_finds_each_fault_and_no_other(shared_db: Database, fault: str) -> None:
    with psycopg.connect(shared_db.owner_url) as connection:
        names = {
            "login": f"{shared_db.prefix}_police_login",
            "database": connection.info.dbname,
            "owner": connection.info.user,
        }
        connection.execute(fault.format(**names).encode())
        found = connection.execute(LINT).fetchall()
        connection.rollback()  # roles and grants of the server's too
    assert [(finding, what) for finding, what, _ in found] == [
        (finding.format(**names), what.format(**names)) for finding, what in FAULTS[fault]
    ]
    assert all(way_out for _, _, way_out in found)


def test_every_finding_has_its_fault() -> None:
    """Of each `select '...'` that begins a check, some fault above makes one."""
    text = LINT.decode()
    checks = {line.split("'")[1] for line in text.splitlines() if line.startswith("    select '")}
    seen = {finding for found in FAULTS.values() for finding, _ in found}
    assert not {check for check in checks if not any(finding.startswith(check.strip()) for finding in seen)}


def test_doctor_says_what_was_found_and_the_way_out(site_db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "DATABASE_URL": site_db.owner_url,
        "SECRETS_DIR": str(site_db.secrets.folder),
        "PREFIX": site_db.prefix,
    }.items():
        monkeypatch.setenv(f"GOLDENTHREAD_{name}", value)
    assert "privileges: nobody may more than the policies say" in CliRunner().invoke(app, ["doctor"]).stdout
    with psycopg.connect(site_db.owner_url) as connection:
        connection.execute("grant select on log.event to goldenthread_police")
    ill = CliRunner().invoke(app, ["doctor"])
    assert ill.exit_code == 1
    assert (
        "privileges: TOO WIDE\n  a table that a role may select: log.event: goldenthread_police."
        " Way out: revoke select on log.event from goldenthread_police\n"
    ) in ill.stdout
