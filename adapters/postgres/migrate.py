"""Bring a site's database to this version: durable tables by numbered migrations, the rest as it should stand now.

Everything happens in one transaction, so a migration that fails leaves the database, and whoever serves from it, as
they were.
"""

from __future__ import annotations

import hashlib
import logging
import re
from pathlib import Path
from typing import Any, Final, Literal

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from adapters.secrets import ROLES, Secrets

Environment = Literal["production", "demo", "test"]

SQL: Final = Path(__file__).parent / "sql"
PREFIX: Final = "goldenthread"
_LOCK: Final = 7000  # whoever migrates, alone
_GRANT_OPTIONS: Final = 160_000  # since PostgreSQL 16, membership need not allow SET ROLE
_BLOCK: Final = 64  # bytes of SHA-256's block, to which HMAC pads its key
_MARK: Final = re.compile(r"^comment on schema (\w+) is '(.+)';$", re.MULTILINE)
_log = logging.getLogger("goldenthread.migrate")

Connection = psycopg.Connection[tuple[Any, ...]]


class MigrationRefused(RuntimeError):
    """The database is not what these migrations expect; nothing was changed. The sentence says what to do."""


def migrate(owner_url: str, secrets: Secrets, *, environment: Environment | None = None, prefix: str = PREFIX) -> None:
    """Make or bring up to date the site's database; harmless when there is nothing to do, or when several do it.

    `owner_url` is of the database's owner: a superuser, or a role with CREATEROLE that owns the database. `prefix`
    begins the names of the site's login roles, and is the site's own on a server with several. `environment` is said
    once and stands for ever; None: whatever was said before, else production. Raises `MigrationRefused`, or
    `psycopg.Error` when the server cannot be reached or a statement fails.
    """
    with psycopg.connect(owner_url, autocommit=True) as connection, connection.transaction():
        connection.add_notice_handler(lambda notice: _log.warning("%s", notice.message_primary))
        _settle(connection)
        connection.execute("select pg_advisory_xact_lock(%s)", [_LOCK])
        _apply_migrations(connection)
        _set_environment(connection, environment)
        _run(connection, SQL / "privileges" / "0_roles.sql")
        for path in sorted((SQL / "functions").glob("*.sql")):
            _run(connection, path)
        for path in sorted((SQL / "views").glob("*.sql")):
            _make_view(connection, path)
        for path in sorted((SQL / "privileges").glob("*.sql")):
            _run(connection, path)
        _set_context_key(connection, secrets.context)
        for role in ROLES:
            _make_login(connection, role, _login(prefix, role), secrets.password(role))
        admit(connection, prefix)


def admit(connection: Connection, prefix: str = PREFIX) -> None:
    """Let the site's logins, and nobody else but the owner, connect to this database; a copy of it needs this anew."""
    database = sql.Identifier(connection.info.dbname)
    logins = sql.SQL(", ").join(sql.Identifier(_login(prefix, role)) for role in ROLES)
    connection.execute(sql.SQL("revoke all on database {} from public").format(database))
    connection.execute(sql.SQL("grant connect on database {} to {}").format(database, logins))


def login_url(owner_url: str, secrets: Secrets, role: str, prefix: str = PREFIX) -> str:
    """Return the connection string of the site's login for one of `ROLES`, to the database of `owner_url`.

    It says where the password is, not which: libpq reads it whenever it connects, so that it can be renewed.
    """
    return make_conninfo(owner_url, user=_login(prefix, role), password="", passfile=str(secrets.passfile(role)))


def renew_passwords(url: str, secrets: Secrets, prefix: str = PREFIX) -> None:
    """Give each of the site's logins a new password, while the site runs, or go on with giving them.

    Each changes its own. Connections that there are stay; one that is made at the very instant is made again. Raises
    `SecretsUnsafe`, `psycopg.Error`.
    """
    with secrets.alone():
        for role in ROLES:
            password = secrets.next_password(role)
            present = login_url(url, secrets, role, prefix)
            try:
                connection = psycopg.connect(present, autocommit=True)
            except psycopg.OperationalError:  # changed already, before whoever did it was killed?
                connection = psycopg.connect(make_conninfo(present, password=password), autocommit=True)
            with connection:
                changed = sql.SQL("alter role current_user password {}")
                connection.execute(changed.format(sql.Literal(_verifier(connection, password, _login(prefix, role)))))
            secrets.drop_password(role)


def _login(prefix: str, role: str) -> str:
    return f"{prefix}_{role}_login"  # apart from the group's name, whatever the prefix


def _settle(connection: Connection) -> None:
    """Keep our statements, which carry the key of contexts, out of the server's log, and names to their schemas."""
    if _is_superuser(connection):
        for setting, value in (
            ("log_statement", "none"),
            ("log_min_duration_statement", "-1"),
            ("log_min_error_statement", "panic"),
        ):
            connection.execute("select set_config(%s, %s, true)", [setting, value])
    # Functions may call functions that come later. An empty search path: every name says its schema.
    for setting, value in (
        ("client_min_messages", "warning"),
        ("check_function_bodies", "off"),
        ("search_path", ""),
    ):
        connection.execute("select set_config(%s, %s, true)", [setting, value])


def _is_superuser(connection: Connection) -> bool:
    return bool(connection.execute("select rolsuper from pg_roles where rolname = current_user").fetchall()[0][0])


def _run(connection: Connection, path: Path) -> None:
    try:
        connection.execute(path.read_bytes())
    except psycopg.Error as error:
        error.add_note(f"in {path.relative_to(SQL)}")
        raise


def _apply_migrations(connection: Connection) -> None:
    connection.execute("""
        create schema if not exists site;
        create table if not exists site.migration (
            number int primary key,
            name text not null,
            sha256 text not null,
            applied_at timestamptz not null
        )
    """)
    known = connection.execute("select number, name, sha256 from site.migration order by number").fetchall()
    paths = sorted((SQL / "migrations").glob("*.sql"))
    if [path.name[:5] for path in paths] != [f"{n:04}_" for n in range(1, len(paths) + 1)]:
        raise MigrationRefused("The migrations are not numbered 0001, 0002 and so on: the installation is damaged.")
    if len(known) > len(paths):
        raise MigrationRefused(f"The database has migration {known[-1][0]}: it is of a later Golden Thread. Upgrade.")
    for number, path in enumerate(paths, start=1):
        # As text, so that the line endings of a checkout make no difference.
        applied = number, path.name, hashlib.sha256(path.read_text().encode()).hexdigest()
        if number > len(known):
            _run(connection, path)
            connection.execute("insert into site.migration values (%s, %s, %s, clock_timestamp())", applied)
        elif known[number - 1] != applied:
            raise MigrationRefused(f"{path.name} is not what was applied to this database: restore the file.")


def _set_environment(connection: Connection, environment: Environment | None) -> None:
    connection.execute(
        "insert into site.environment (kind) values (%s) on conflict do nothing", [environment or "production"]
    )
    kind = connection.execute("select kind from site.environment").fetchall()[0][0]
    if environment is not None and kind != environment:
        raise MigrationRefused(f"This database was made for {kind} and stays so: use another for {environment}.")


def _make_view(connection: Connection, path: Path) -> None:
    """Make a view's tables anew when their SQL, or the version of the view's code, has changed."""
    mark = _MARK.search(path.read_text())
    if mark is None:
        raise MigrationRefused(f"{path.name} does not say what it was generated from: generate it again.")
    made = connection.execute(
        "select obj_description(oid, 'pg_namespace') from pg_namespace where nspname = %s", [mark[1]]
    ).fetchall()
    if made != [(mark[2],)]:
        _run(connection, path)


def _set_context_key(connection: Connection, key: bytes) -> None:
    """Store the key of contexts as HMAC uses it, so that two nested sha256 make HMAC-SHA256 (RFC 2104)."""
    padded = key.ljust(_BLOCK, b"\0")
    connection.execute(
        "insert into site.context_key (inner_pad, outer_pad) values (%s, %s)"
        " on conflict (one) do update set inner_pad = excluded.inner_pad, outer_pad = excluded.outer_pad",
        [bytes(b ^ 0x36 for b in padded), bytes(b ^ 0x5C for b in padded)],
    )


def _make_login(connection: Connection, role: str, login: str, password: str) -> None:
    """Make or correct one login role: a member of its group and of nothing else, with no power of its own."""
    verifier = _verifier(connection, password, login)
    name, group = sql.Identifier(login), sql.Identifier(f"goldenthread_{role}")
    exists = connection.execute("select from pg_roles where rolname = %s", [login]).fetchall()
    verb = sql.SQL("alter" if exists else "create")
    connection.execute(sql.SQL("{} role {} login inherit password {}").format(verb, name, sql.Literal(verifier)))
    # A login may give itself settings, and so every session of the application that logs in with it.
    connection.execute(sql.SQL("alter role {} reset all").format(name))
    here = sql.Identifier(connection.info.dbname)
    connection.execute(sql.SQL("alter role {} in database {} reset all").format(name, here))
    options = sql.SQL(" with inherit true, set false" if connection.info.server_version >= _GRANT_OPTIONS else "")
    connection.execute(sql.SQL("grant {} to {}").format(group, name) + options)
    excess = connection.execute(
        "select from pg_roles r where r.rolname = %s and ("
        " r.rolsuper or r.rolbypassrls or r.rolcreaterole or r.rolcreatedb or r.rolreplication or exists ("
        "  select from pg_auth_members m join pg_roles g on g.oid = m.roleid"
        "  where m.member = r.oid and g.rolname <> %s))",
        [login, f"goldenthread_{role}"],
    ).fetchall()
    if excess:
        raise MigrationRefused(f"The role {login} may do more than it should: drop it, and migrate again.")


def _verifier(connection: Connection, password: str, login: str) -> str:
    """Hash a password (SCRAM): so it never travels, and cannot reach the server's log."""
    return connection.pgconn.encrypt_password(password.encode(), login.encode(), b"scram-sha-256").decode()
