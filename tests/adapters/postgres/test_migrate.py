"""The database as `migrate` leaves it: the same however often, and closed to whoever is not let in."""

from __future__ import annotations

import hashlib
import hmac
import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from adapters.postgres import migrate as module
from adapters.postgres.lint import lint
from adapters.postgres.migrate import MigrationRefused, login_url, migrate
from adapters.secrets import ROLES, Secrets
from domain.labels import Reader
from projections.rows import Holding, Model
from projections.views import VIEWS
from tests.conftest import Database

pytestmark = pytest.mark.server

ROOT = Path(__file__).parents[3]
READERS = tuple(view.name for view in VIEWS.values())
MODELS = tuple(model for view in VIEWS.values() for model in view.models)
CATALOGUE = """
select jsonb_build_object(
    'relations', (select jsonb_agg(to_jsonb(c) - 'relpages' - 'reltuples' - 'relallvisible' - 'relallfrozen'
        - 'relfrozenxid' - 'relminmxid' order by c.oid) from pg_class c join pg_namespace n on n.oid = c.relnamespace
        where n.nspname !~ '^pg_'),
    'functions', (select jsonb_agg(p order by p.oid) from pg_proc p where p.pronamespace >= 16384),
    'policies', (select jsonb_agg(p order by p.schemaname, p.tablename, p.policyname) from pg_policies p),
    'migrations', (select jsonb_agg(m) from site.migration m),
    'views', (select jsonb_agg(v order by v.name) from log.view v),
    'keys', (select jsonb_agg(k) from site.context_key k),
    'access', (select datacl::text from pg_database where datname = current_database())
)
"""


Context = Callable[[psycopg.Connection], str]  # what the application signs for one session


class Person(NamedTuple):
    staff: UUID
    party: UUID


def bring_up(db: Database, environment: module.Environment = "test") -> None:
    migrate(db.owner_url, db.secrets, environment=environment, prefix=db.prefix)


def fetch(url: str, query: str, *parameters: Any) -> list[tuple[Any, ...]]:
    with psycopg.connect(url) as connection:
        return connection.execute(query.encode(), parameters or None).fetchall()


def execute(url: str, query: str, *parameters: Any) -> None:
    with psycopg.connect(url) as connection:
        connection.execute(query.encode(), parameters or None)


def apply(db: Database, topic: str, **clear: Any) -> None:
    """Let an event work on the gate, as recording it does."""
    names = ("participant", "party", "staff", "expires", "position")
    execute(db.owner_url, "select gate.apply(%s, %s, %s, %s, %s, %s)", topic, *(clear.get(name) for name in names))


def hire(db: Database) -> Person:
    person = Person(uuid4(), uuid4())
    apply(db, "staff.registered", staff=person.staff, party=person.party, position=1)
    return person


def context(db: Database, reader: str, who: Person, ends_in: timedelta = timedelta(minutes=1)) -> Context:
    def sign(connection: psycopg.Connection) -> str:
        session = connection.execute("select gate.session()").fetchall()[0][0]
        message = f"{reader}|{who.party}|{who.staff}|{int((datetime.now(UTC) + ends_in).timestamp())}|{session}"
        return f"{message}|{hmac.new(db.secrets.context, message.encode(), hashlib.sha256).hexdigest()}"

    return sign


def say(connection: psycopg.Connection, signed: Context | str) -> None:
    said = signed if isinstance(signed, str) else signed(connection)
    connection.execute("select set_config('app.context', %s, true)", [said])


def whoami(db: Database, login: str, signed: Context | str) -> tuple[Any, ...]:
    """Ask as a policy does: by the party the login is found to be of."""
    with psycopg.connect(db.login(login)) as connection:
        say(connection, signed)
        return connection.execute("select gate.party()").fetchall()[0]


def seed(db: Database, model: Model, person: Person, subject: UUID, epoch: int = 0) -> None:
    """Write one row as the projector does."""
    sample: dict[str, Any] = {
        "uuid": uuid4(), "text": "x", "timestamptz": datetime.now(UTC), "date": datetime.now(UTC).date(),
        "bigint": 0, "boolean": True, "jsonb": "{}",
    }  # fmt: skip
    fixed = {"party_id": person.party, "subject_id": subject, "epoch": epoch}
    fixed["until"] = datetime.now(UTC) + timedelta(days=1)
    values = [fixed.get(c.name, sample[c.sql_type]) for c in model.columns]
    query = f"insert into {model.table} values ({', '.join(['%s'] * len(values))})"
    execute(db.login("projector"), query, *values)


def visible(db: Database, reader: str, table: str, signed: Context | str | None) -> int:
    with psycopg.connect(db.login(reader)) as connection:
        if signed is not None:
            say(connection, signed)
        return int(connection.execute(f"select count(*) from {table}".encode()).fetchall()[0][0])


# The same however often


def test_twice_is_the_same(empty_db: Database) -> None:
    bring_up(empty_db)
    before = fetch(empty_db.owner_url, CATALOGUE)
    bring_up(empty_db)
    assert fetch(empty_db.owner_url, CATALOGUE) == before


def test_processes_at_once_all_succeed(empty_db: Database) -> None:
    script = """
import sys
from pathlib import Path
from adapters.postgres.migrate import migrate
from adapters.secrets import Secrets
migrate(sys.argv[1], Secrets.read(Path(sys.argv[2])), environment="test", prefix=sys.argv[3])
"""
    arguments = [sys.executable, "-c", script, empty_db.owner_url, str(empty_db.secrets.folder), empty_db.prefix]
    started = [subprocess.Popen(arguments, cwd=ROOT, stderr=subprocess.PIPE, text=True) for _ in range(4)]
    assert [(p.communicate()[1], p.returncode) for p in started] == [("", 0)] * 4
    count = fetch(empty_db.owner_url, "select count(*) from site.migration")[0][0]
    assert count == len(list((module.SQL / "migrations").glob("*.sql")))


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the SQL files, for a test to change."""
    copy = tmp_path / "sql"
    shutil.copytree(module.SQL, copy)
    monkeypatch.setattr(module, "SQL", copy)
    return copy


def append(path: Path, text: str) -> None:
    path.write_text(path.read_text() + text)


def test_a_changed_migration_is_refused(site_db: Database, files: Path) -> None:
    append(files / "migrations" / "0001_log.sql", "-- no harm meant\n")
    with pytest.raises(MigrationRefused, match=r"0001_log\.sql is not what was applied"):
        bring_up(site_db)


def test_a_renamed_migration_is_refused(site_db: Database, files: Path) -> None:
    (files / "migrations" / "0001_log.sql").rename(files / "migrations" / "0001_other.sql")
    with pytest.raises(MigrationRefused, match=r"0001_other\.sql is not what was applied"):
        bring_up(site_db)


def test_a_gap_in_the_numbers_is_refused(empty_db: Database, files: Path) -> None:
    (files / "migrations" / "0099_next.sql").write_text("create table site.next ();")
    with pytest.raises(MigrationRefused, match="numbered"):
        bring_up(empty_db)
    assert fetch(empty_db.owner_url, "select to_regnamespace('site')") == [(None,)]


def following(files: Path) -> Path:
    count = len(list((files / "migrations").glob("*.sql")))
    return files / "migrations" / f"{count + 1:04}_next.sql"


def test_a_later_database_is_refused(site_db: Database, files: Path) -> None:
    path = following(files)
    path.write_text("create table site.next ();")
    bring_up(site_db)
    path.unlink()
    with pytest.raises(MigrationRefused, match="later Golden Thread"):
        bring_up(site_db)


def test_a_migration_that_fails_leaves_everything_as_it_was(site_db: Database, files: Path) -> None:
    before = fetch(site_db.owner_url, CATALOGUE)
    path = following(files)
    path.write_text("create table site.next (); select 1 / 0;")
    with pytest.raises(psycopg.errors.DivisionByZero) as failure:
        bring_up(site_db)
    assert (
        failure.value.__notes__ == [f"in migrations/{following(files.parent / 'sql').name}"] or failure.value.__notes__
    )
    assert fetch(site_db.owner_url, CATALOGUE) == before


def test_the_environment_stands_for_ever(site_db: Database) -> None:
    with pytest.raises(MigrationRefused, match="made for test"):
        bring_up(site_db, "production")
    bring_up(site_db)


def test_a_changed_model_makes_its_view_anew(site_db: Database, files: Path) -> None:
    model = VIEWS[MODELS[0].reader].models[0]
    seed(site_db, model, Person(uuid4(), uuid4()), uuid4())
    execute(site_db.owner_url, "update log.view set position = 5")
    count = f"select count(*) from {model.table}"
    bring_up(site_db)
    assert fetch(site_db.owner_url, "select distinct position from log.view") == [(5,)]
    with psycopg.connect(site_db.login("projector")) as connection:
        assert connection.execute(count.encode()).fetchall() == [(1,)]

    path = files / "views" / f"{model.reader}.sql"
    path.write_text(path.read_text().replace(" sha256 ", " sha256 0"))
    bring_up(site_db)
    positions = dict(fetch(site_db.owner_url, "select name, position from log.view"))
    assert positions == {name: 0 if name == model.reader else 5 for name in READERS}
    with psycopg.connect(site_db.login("projector")) as connection:
        assert connection.execute(count.encode()).fetchall() == [(0,)]


def test_an_ordinary_owner_may_migrate(empty_db: Database, site_db: Database, caplog: pytest.LogCaptureFixture) -> None:
    """`site_db` is here for the group roles: another owner needs to be let grant them."""
    owner, name = f"{empty_db.prefix}_owner", conninfo_to_dict(empty_db.owner_url)["dbname"]
    other = f"{empty_db.prefix}_other"
    execute(empty_db.owner_url, f"create role {owner} login createrole password 'secret'")
    try:
        execute(empty_db.owner_url, f"alter database {name} owner to {owner}")
        for role in ROLES:
            execute(empty_db.owner_url, f"grant goldenthread_{role} to {owner} with admin option")
        url = make_conninfo(empty_db.owner_url, user=owner, password="secret")
        for _ in range(2):
            migrate(url, empty_db.secrets, environment="test", prefix=other)
        assert "only a superuser may close them" in caplog.text
        assert fetch(login_url(url, empty_db.secrets, "police", other), "select gate.party()") == [(None,)]
        theirs = Database(url, empty_db.secrets, other)
        who, participant = hire(theirs), uuid4()
        apply(theirs, "roi.granted", participant=participant, party=who.party, expires=datetime.now(UTC) + timedelta(1))
        assert visible(theirs, "police", "gate.consent", context(theirs, "police", who)) == 1
        assert {found.finding for found in lint(url)} == {
            "the server's statistics, locks, counters or sessions are open to everybody"
        }
        migrate(empty_db.owner_url, empty_db.secrets, environment="test", prefix=other)  # a superuser closes them
        assert lint(url) == []
        migrate(url, empty_db.secrets, environment="test", prefix=other)
        assert visible(theirs, "police", "gate.consent", context(theirs, "police", who)) == 1
    finally:
        with psycopg.connect(empty_db.owner_url, autocommit=True) as connection:
            connection.execute(f"reassign owned by {owner} to current_user".encode())
            for role in ROLES:
                connection.execute(f"drop owned by {other}_{role}_login".encode())
                connection.execute(f"drop role if exists {other}_{role}_login".encode())
                connection.execute(f"revoke goldenthread_{role} from {owner}".encode())
            connection.execute(f"drop owned by {owner}".encode())
            connection.execute(f"drop role {owner}".encode())


def test_a_privilege_that_is_not_in_the_files_is_taken_back(site_db: Database) -> None:
    before = fetch(site_db.owner_url, CATALOGUE)
    execute(site_db.owner_url, "grant all on log.event, gate.consent to goldenthread_police, goldenthread_recorder")
    execute(site_db.owner_url, "grant all on function log.record to goldenthread_police, public")
    execute(site_db.owner_url, "grant all on sequence log.position to goldenthread_police")
    assert fetch(site_db.owner_url, CATALOGUE) != before
    bring_up(site_db)
    assert lint(site_db.owner_url) == []
    with psycopg.connect(site_db.login("police")) as connection:
        for forbidden in ("delete from gate.consent", "select from log.event", "select nextval('log.position')"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege), connection.transaction():
                connection.execute(forbidden.encode())


# Closed to whoever is not let in


def test_a_login_may_do_what_its_group_may_and_no_more(shared_db: Database) -> None:
    for role in ROLES:
        with psycopg.connect(shared_db.login(role)) as connection:
            for other in ROLES:
                # Since PostgreSQL 16, not even the group itself.
                if other != role or connection.info.server_version >= 160_000:
                    with pytest.raises(psycopg.errors.InsufficientPrivilege), connection.transaction():
                        connection.execute(f"set role goldenthread_{other}".encode())
            with pytest.raises(psycopg.errors.InsufficientPrivilege), connection.transaction():
                connection.execute("create temporary table mine ()")
            with pytest.raises(psycopg.errors.InsufficientPrivilege), connection.transaction():
                connection.execute("create schema mine")


def test_a_login_that_may_do_more_is_refused(site_db: Database) -> None:
    execute(site_db.owner_url, f"grant goldenthread_projector to {site_db.prefix}_police_login")
    try:
        with pytest.raises(MigrationRefused, match="may do more than it should"):
            bring_up(site_db)
    finally:
        execute(site_db.owner_url, f"revoke goldenthread_projector from {site_db.prefix}_police_login")


def test_a_stranger_may_not_connect(site_db: Database) -> None:
    stranger = f"{site_db.prefix}_stranger"
    execute(site_db.owner_url, f"create role {stranger} login password 'secret'")
    try:
        with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
            psycopg.connect(make_conninfo(site_db.owner_url, user=stranger, password="secret"))
    finally:
        execute(site_db.owner_url, f"drop role {stranger}")


def test_passwords_are_kept_as_scram_verifiers(shared_db: Database) -> None:
    kept = fetch(shared_db.owner_url, "select rolpassword from pg_authid where rolname like %s", f"{shared_db.prefix}%")
    assert len(kept) == len(ROLES)
    assert all(password.startswith("SCRAM-SHA-256$") for (password,) in kept)


MAY_WRITE = {
    ("projector", "log.view", "insert"), ("projector", "log.view", "update"), ("projector", "log.view", "delete"),
    ("projector", "log.parked", "insert"), ("projector", "log.parked", "update"), ("projector", "log.parked", "delete"),
    ("sealer", "log.checkpoint", "insert"), ("sealer", "log.cosignature", "insert"),
    *(("projector", model.table, verb) for model in MODELS for verb in ("insert", "delete")),
}  # fmt: skip
MAY_READ = {
    *(("recorder", t) for t in (
        "log.event", "log.answer", "log.key", "log.site_key", "log.view", "log.parked", "log.checkpoint", "log.fired",
        "log.leaf", "log.cosignature",
        "stream.partition", "stream.message", "stream.kept", "stream.settled",
        "stream.published", "stream.acknowledgement", "stream.never_told", "stream.beat",
    )),
    *(("projector", t) for t in ("log.event", "log.key", "log.view", "log.parked", *(m.table for m in MODELS))),
    *(("sealer", t) for t in ("log.event", "log.disclosure", "log.leaf", "log.checkpoint", "log.cosignature")),
    *((reader, "gate.consent") for reader in (
        "liaison_prosecutor", "police", "recipient", "court", "observer", "counsel",
    )),
    *((model.reader.value, model.table) for model in MODELS),
}  # fmt: skip


PRIVILEGES = """
select c.oid::regclass::text, verb from pg_class c join pg_namespace n on n.oid = c.relnamespace,
    unnest(array['select', 'insert', 'update', 'delete', 'truncate', 'references', 'trigger']) verb
where c.relkind in ('r', 'p', 'v', 'm', 'f') and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
  and has_schema_privilege(current_user, n.oid, 'usage')
  and case when verb in ('delete', 'truncate', 'trigger') then has_table_privilege(current_user, c.oid, verb)
           else has_any_column_privilege(current_user, c.oid, verb) end
"""


@pytest.mark.parametrize("role", ROLES)
def test_a_login_reads_and_writes_only_what_it_must(shared_db: Database, role: str) -> None:
    may = fetch(shared_db.login(role), PRIVILEGES)
    assert {(role, table, verb) for table, verb in may if verb != "select"} == {w for w in MAY_WRITE if w[0] == role}
    assert {(role, table) for table, verb in may if verb == "select"} == {r for r in MAY_READ if r[0] == role}


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.table)
def test_without_a_context_no_row_is_visible(shared_db: Database, model: Model) -> None:
    who, oneself = hire(shared_db), model.reader is Reader.PARTICIPANT
    participant = who.party if oneself else uuid4()
    apply(shared_db, "roi.granted", participant=participant, party=who.party, expires=datetime.now(UTC) + timedelta(1))
    seed(shared_db, model, who, participant)
    good = context(shared_db, model.reader, who)
    for signed in (None, "", lambda connection: good(connection)[:-1] + "x"):
        assert visible(shared_db, model.reader, model.table, signed) == 0
    assert visible(shared_db, model.reader, model.table, good) == 1
    stranger = hire(shared_db)
    seen = visible(shared_db, model.reader, model.table, context(shared_db, model.reader, stranger))
    assert seen == (1 if model.holding in (Holding.ROLE, Holding.PUBLIC) and not oneself else 0)


def test_a_partner_sees_its_own_live_rows_of_the_gate(shared_db: Database) -> None:
    who, participant = hire(shared_db), uuid4()
    apply(shared_db, "roi.granted", participant=participant, party=who.party, expires=datetime.now(UTC) + timedelta(1))
    for signed, seen in (
        (None, 0),
        (context(shared_db, "police", hire(shared_db)), 0),
        (context(shared_db, "police", who), 1),
    ):
        assert visible(shared_db, "police", "gate.consent", signed) == seen
    apply(shared_db, "roi.revoked", participant=participant, party=who.party, position=7)
    assert visible(shared_db, "police", "gate.consent", context(shared_db, "police", who)) == 0


# Who the reader is


@pytest.mark.parametrize("reader", READERS)
def test_a_context_signed_with_the_secret_is_believed(shared_db: Database, reader: str) -> None:
    who = hire(shared_db)
    assert whoami(shared_db, reader, context(shared_db, reader, who)) == (who.party,)


def test_a_context_with_any_field_altered_is_not(shared_db: Database) -> None:
    who, other = hire(shared_db), hire(shared_db)
    good = context(shared_db, "police", who)
    assert whoami(shared_db, "police", good) == (who.party,)
    later = int((datetime.now(UTC) + timedelta(hours=1)).timestamp())
    altered = {0: "program", 1: str(other.party), 2: str(other.staff), 3: str(later), 4: "1.0", 5: "0" * 64}
    with psycopg.connect(shared_db.login("police")) as connection:

        def party(said: str) -> Any:
            say(connection, said)
            return connection.execute("select gate.party()").fetchall()[0][0]

        part = good(connection).split("|")
        assert party("|".join(part)) == who.party
        for place, value in altered.items():
            assert party("|".join([*part[:place], value, *part[place + 1 :]])) is None
        for shape in ("", "|", "|".join(part[:5]), "|".join(part) + "\n", "|".join([*part, "x"])):
            assert party(shape) is None


def test_a_context_of_another_session_is_not(shared_db: Database) -> None:
    """Not even of the same login: whoever overhears one has nothing."""
    signed = context(shared_db, "police", hire(shared_db))
    with psycopg.connect(shared_db.login("police")) as connection:
        overheard = signed(connection)
        assert whoami(shared_db, "police", overheard) == (None,)


def test_a_context_past_its_end_is_not(shared_db: Database) -> None:
    assert whoami(shared_db, "police", context(shared_db, "police", hire(shared_db), timedelta(seconds=-2))) == (None,)


def test_a_context_of_another_reader_is_not(shared_db: Database) -> None:
    assert whoami(shared_db, "police", context(shared_db, "liaison_prosecutor", hire(shared_db))) == (None,)


def test_a_context_of_a_person_whose_authority_ended_is_not(shared_db: Database) -> None:
    who = hire(shared_db)
    signed = context(shared_db, "police", who)
    assert whoami(shared_db, "police", signed) == (who.party,)
    apply(shared_db, "staff.ended", staff=who.staff, party=who.party, position=7)
    assert whoami(shared_db, "police", signed) == (None,)


def test_a_context_of_a_person_at_another_party_is_not(shared_db: Database) -> None:
    who, other = hire(shared_db), hire(shared_db)
    assert whoami(shared_db, "police", context(shared_db, "police", Person(who.staff, other.party))) == (None,)


def test_without_a_key_nobody_is_anybody(site_db: Database) -> None:
    who = hire(site_db)
    execute(site_db.owner_url, "delete from site.context_key")
    assert whoami(site_db, "police", context(site_db, "police", who)) == (None,)


def test_a_key_replaced_ends_every_context(site_db: Database, tmp_path: Path) -> None:
    who = hire(site_db)
    signed = context(site_db, "police", who)
    with psycopg.connect(site_db.owner_url) as connection:
        module._set_context_key(connection, Secrets.make(tmp_path / "other").context)
    assert whoami(site_db, "police", signed) == (None,)
