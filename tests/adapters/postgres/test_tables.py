"""The generated tables: as committed, in the order of their pages, and each row behind its policy."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import psycopg
import pytest

from adapters.postgres.lint import lint
from adapters.postgres.tables import FOLDER, ddl, digest, script
from domain.labels import NAMES, PARTNERS, Reader
from projections.rows import Holding, Model
from projections.views import VIEWS, View
from tests.adapters.postgres.test_migrate import MODELS, apply, context, execute, fetch, hire, say, seed, visible
from tests.conftest import Database

GRANTED = [model for model in MODELS if model.holding is Holding.GRANTED]
DAY = timedelta(days=1)


def named(thing: View | Model) -> str:
    return thing.table if isinstance(thing, Model) else thing.name


@pytest.mark.parametrize("view", VIEWS.values(), ids=named)
def test_the_committed_sql_is_the_generated(view: View) -> None:
    assert (FOLDER / f"{view.name}.sql").read_text() == script(view), "run python -m adapters.postgres.tables"


def test_every_committed_file_is_of_a_view() -> None:
    assert {path.stem for path in FOLDER.glob("*.sql")} == {view.name for view in VIEWS.values()}


def test_partners_and_counsel_read_nothing_by_role_and_an_observer_has_no_name_there() -> None:
    for model in MODELS:
        assert model.holding is not Holding.ROLE or model.reader not in PARTNERS | {Reader.COUNSEL}
        assert model.holding is not Holding.ROLE or model.reader is not Reader.OBSERVER or not model.labels & NAMES
        if model.reader not in PARTNERS | {Reader.COUNSEL, Reader.OBSERVER}:
            assert model.holding is Holding.ROLE


@pytest.mark.server
def test_a_participant_reads_its_own_rows_and_nobody_elses(site_db: Database) -> None:
    who, somebody = hire(site_db), uuid4()
    for model in VIEWS[Reader.PARTICIPANT].models:
        seed(site_db, model, who, somebody)
        signed = context(site_db, Reader.PARTICIPANT, who)
        assert visible(site_db, Reader.PARTICIPANT, model.table, signed) == 0
        seed(site_db, model, who, who.party)
        assert visible(site_db, Reader.PARTICIPANT, model.table, signed) == 1


def test_the_digest_is_of_the_model_not_of_the_schema() -> None:
    view = next(iter(VIEWS.values()))
    assert f"comment on schema next is '{digest(view)}'" in ddl(view, "next").tables
    assert len({digest(view) for view in VIEWS.values()}) == len(VIEWS)


@pytest.mark.server
@pytest.mark.parametrize("view", VIEWS.values(), ids=named)
def test_a_view_is_made_beside_the_old_and_takes_its_place(site_db: Database, view: View) -> None:
    """Tables, COPY, keys, row security, swap: blue and green."""
    who, model = hire(site_db), view.models[0]
    seed(site_db, model, who, uuid4())
    steps = ddl(view, "next")
    with psycopg.connect(site_db.login("projector")) as connection:
        rows = connection.execute(f"select * from {model.table}".encode()).fetchall()
    with psycopg.connect(site_db.owner_url) as connection:
        connection.execute(steps.tables.encode())
        with connection.cursor().copy(f"copy next.{model.name} from stdin".encode()) as copy:
            types = [c.sql_type for c in model.columns]
            for row in rows:
                copy.write_row(["{}" if t == "jsonb" else value for t, value in zip(types, row, strict=True)])
        connection.execute(steps.keys.encode())
        connection.execute(steps.row_security.encode())
        connection.execute(f"drop schema {view.name} cascade; alter schema next rename to {view.name}".encode())
    assert lint(site_db.owner_url) == []
    assert fetch(site_db.owner_url, "select obj_description(%s::regnamespace)", view.name) == [(digest(view),)]
    with psycopg.connect(site_db.login("projector")) as connection:
        assert connection.execute(f"select * from {model.table}".encode()).fetchall() == rows
    assert visible(site_db, view.name, model.table, None) == 0


@pytest.mark.server
@pytest.mark.parametrize("model", GRANTED, ids=named)
def test_a_granted_row_is_seen_at_the_gates_epoch_and_while_alive(shared_db: Database, model: Model) -> None:
    who, participant = hire(shared_db), uuid4()
    clear = {"participant": participant, "party": who.party}

    def seen() -> int:
        return visible(shared_db, model.reader, model.table, context(shared_db, model.reader, who))

    seed(shared_db, model, who, participant)
    assert seen() == 0  # nobody has signed anything
    apply(shared_db, "roi.granted", **clear, expires=datetime.now(UTC) + DAY)
    assert seen() == 1
    apply(shared_db, "roi.granted", **clear, expires=datetime.now(UTC) + 2 * DAY)
    assert seen() == 1  # widening does not darken
    apply(shared_db, "roi.narrowed", **clear, expires=datetime.now(UTC) + DAY, position=5)
    assert seen() == 0
    for epoch, sees in (4, 0), (6, 0), (5, 1):  # neither an older row nor a newer one, until the gate is there
        with psycopg.connect(shared_db.login("projector")) as connection:
            connection.execute(f"delete from {model.table}".encode())
        seed(shared_db, model, who, participant, epoch)
        assert seen() == sees
    execute(shared_db.owner_url, "select site.set_clock('25 hours')")
    assert seen() == 0  # the row's own end has come, and the gate's
    execute(shared_db.owner_url, "select site.set_clock('0')")
    assert seen() == 1
    apply(shared_db, "item.consented", **clear, expires=datetime.now(UTC) + DAY)
    apply(shared_db, "roi.revoked", **clear, position=9)
    assert seen() == 0


@pytest.mark.server
def test_a_row_ends_by_itself_though_the_gate_lives_on(site_db: Database) -> None:
    model, who, participant = GRANTED[0], hire(site_db), uuid4()
    apply(site_db, "roi.granted", participant=participant, party=who.party, expires=datetime.now(UTC) + 9 * DAY)
    seed(site_db, model, who, participant)
    execute(site_db.owner_url, "select site.set_clock('25 hours')")
    with psycopg.connect(site_db.owner_url) as connection:
        alive = connection.execute("select bool_and(roi_until > site.clock()) from gate.consent").fetchall()
    assert alive == [(True,)]
    assert visible(site_db, model.reader, model.table, context(site_db, model.reader, who, 2 * DAY)) == 0


@pytest.mark.server
@pytest.mark.parametrize("model", MODELS, ids=named)
def test_a_page_is_read_in_the_order_of_its_key(shared_db: Database, model: Model) -> None:
    """No sort: a page costs what it shows, however much lies behind it."""
    who = hire(shared_db)
    direction = " desc" if model.descending else ""
    page = f"select * from {model.table} order by {', '.join(c + direction for c in model.order)} limit 50"
    with psycopg.connect(shared_db.login(model.reader)) as connection:
        say(connection, context(shared_db, model.reader, who))
        connection.execute("set local enable_seqscan = off; set local enable_bitmapscan = off")
        plan = "\n".join(line for (line,) in connection.execute(f"explain {page}".encode()).fetchall())
    assert "Sort" not in plan
    assert f"using {model.name}_pkey" in plan
