"""The SQL of each reader's tables, generated from the row models: `python -m adapters.postgres.tables` writes it."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path
from typing import NamedTuple
from uuid import UUID

from domain.labels import Reader
from projections.rows import Holding, Model
from projections.views import VIEWS, View

FOLDER = Path(__file__).parent / "sql" / "views"

# EXPLAIN ANALYZE, which nobody can be refused, says how many rows were found and taken away again, and which
# conditions had to be asked. So who reads comes first of all, and is a condition on a column of every index: for nobody
# it is null, and then no index is looked into.
_KNOWN = "(select gate.party()) is not null"
_OWN = f"{_KNOWN} and party_id = (select gate.party())"
_ANYBODY = f"{_KNOWN} and {{first}} >= (select {{least}} where gate.party() is not null)"
_GRANTED = f"""{_OWN} and until > (select site.clock()) and exists (
    select from gate.consent g
    where g.party_id = {{table}}.party_id and g.participant_id = {{table}}.subject_id
      -- Not `epoch = epoch`: the planner would hash the whole gate for a page of fifty.
      and ({{table}}.epoch - g.epoch) = 0
      and greatest(g.roi_until, g.item_until) > (select site.clock())
)"""  # noqa: S608  # names of our own
_USING = {
    Holding.OWN: _OWN,
    Holding.GRANTED: _GRANTED,
    Holding.PUBLIC: _ANYBODY,
    Holding.ROLE: _ANYBODY,
}
_OF_ONESELF = f"{_ANYBODY} and subject_id in (select gate.records())"
_LEAST = {
    "uuid": f"'{UUID(int=0)}'::uuid",
    "text": "''",
    "bigint": f"'{-(2**63)}'::bigint",
    "date": "'-infinity'::date",
    "timestamptz": "'-infinity'::timestamptz",
}


class Ddl(NamedTuple):
    """A view's tables in three steps. Load after the first: it is faster, and COPY fails under forced row security."""

    tables: str
    keys: str
    row_security: str


def ddl(view: View, schema: str | None = None) -> Ddl:
    """Return the SQL of a view's tables in a new schema, by default the view's own name.

    The schema's comment says from which SQL it was made, and keeps saying so when the schema is renamed.
    """
    made = _ddl(view, schema or view.name)
    mark = f"comment on schema {schema or view.name} is '{digest(view)}';\n"
    return made._replace(tables=made.tables + mark)


def digest(view: View) -> str:
    """Return what identifies a view's SQL and the version of its code: the comment of its schema."""
    text = "".join(_ddl(view, view.name))
    return f"{view.version} sha256 {hashlib.sha256(text.encode()).hexdigest()}"


def script(view: View) -> str:
    """Return the text of `sql/views/<view>.sql`: the view's tables anew, empty, its position at zero."""
    made = ddl(view)
    return f"""-- Generated from the models of {view.rows.__module__}, not edited: python -m adapters.postgres.tables
-- Run by `migrate` when it differs from what the schema's comment says. The projector then computes every row again.
drop schema if exists {view.name} cascade;
{made.tables}
{made.keys}
{made.row_security}
insert into log.view (name, position) values ('{view.name}', 0) on conflict (name) do update set position = 0;
delete from log.parked where view = '{view.name}';
"""  # noqa: S608  # names of our own


def _ddl(view: View, schema: str) -> Ddl:
    models = view.models
    return Ddl(
        tables=f"create schema {schema};\n"
        + "".join(_table(model, schema) for model in models)
        + f"\nselect site.keep_no_statistics('{schema}');\n",
        keys="".join(_keys(model, schema) for model in models),
        row_security=f"grant usage on schema {schema} to goldenthread_{view.name}, goldenthread_projector;\n"
        + "".join(_row_security(model, schema) for model in models),
    )


def _table(model: Model, schema: str) -> str:
    columns = ",\n".join(f"    {c.name} {c.sql_type}{'' if c.nullable else ' not null'}" for c in model.columns)
    says = (model.row.__doc__ or "").strip().splitlines()[0]
    return f"\n-- {model.row.__name__} ({model.holding}): {says}\ncreate table {schema}.{model.name} (\n{columns}\n);\n"


def _keys(model: Model, schema: str) -> str:
    # A page in descending order reads the key backwards.
    made = f"alter table {schema}.{model.name} add primary key ({', '.join(model.key)});\n"
    if model.key[0] != "subject_id":  # by which the projector replaces rows
        made += f"create index on {schema}.{model.name} (subject_id, {model.key[0]});\n"
    return made


def _row_security(model: Model, schema: str) -> str:
    table, reader = f"{schema}.{model.name}", f"goldenthread_{model.reader}"
    using = _OF_ONESELF if model.reader is Reader.PARTICIPANT else _USING[model.holding]
    first = next(column for column in model.columns if column.name == model.key[0])
    using = using.format(table=model.name, first=first.name, least=_LEAST[first.sql_type])
    return f"""
alter table {table} enable row level security;
alter table {table} force row level security;
create policy {model.holding} on {table} for select to {reader} using (
    {using.replace(chr(10), chr(10) + "    ")}
);
create policy projector on {table} for all to goldenthread_projector using (true) with check (true);
grant select on {table} to {reader};
grant select, insert, delete on {table} to goldenthread_projector;
"""


def main() -> None:
    """Write every view's SQL to its file."""
    FOLDER.mkdir(exist_ok=True)
    for view in VIEWS.values():
        (FOLDER / f"{view.name}.sql").write_text(script(view))
        sys.stdout.write(f"{FOLDER / view.name}.sql\n")


if __name__ == "__main__":
    main()
