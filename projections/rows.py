"""Row models: what a reader's tables hold. Every column names its labels; tables, policies and grants follow from them.

Four holdings. `own`: what the party contributed, and notices; consent never touches them. `public`: what a court's own
feed tells everyone; consent never touches it either. `granted`: what came from LEAD by consent; behind the gate.
`role`: what people read for care or for running the site.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, Any, NamedTuple, TypeVar, get_args, get_origin, get_type_hints
from uuid import UUID

from domain.labels import BEHIND_THE_GATE, TABLE, Basis, Label, Reader, behind_the_gate, by_role


class Holding(StrEnum):
    """Which rows a table holds; it decides the table's policy."""

    OWN = "own"
    PUBLIC = "public"
    GRANTED = "granted"
    ROLE = "role"


ALLOWED: dict[Holding, frozenset[Basis]] = {
    Holding.OWN: frozenset({Basis.OWN, Basis.NOTICE, Basis.PUBLIC}),
    Holding.PUBLIC: frozenset({Basis.PUBLIC}),
    Holding.GRANTED: BEHIND_THE_GATE,
    Holding.ROLE: frozenset({Basis.ROLE, Basis.PSEUDONYM}),
}


def reaching(reader: Reader, holding: Holding) -> frozenset[Label]:
    """Return the labels that can reach this reader in rows of this holding."""
    match holding:
        case Holding.OWN | Holding.PUBLIC:
            return frozenset(label for label, line in TABLE.items() if line.cells[reader] & ALLOWED[holding])
        case Holding.GRANTED:
            return behind_the_gate(reader)
        case Holding.ROLE:  # counsel has none: its role ends with the client's authority
            return frozenset() if reader is Reader.COUNSEL else by_role(reader)


class BeyondCeiling(TypeError):
    """A row model has a column that the table of labels does not allow its reader on that basis."""


class Reference:
    """Marks a column that holds an id. It leaves only as an id of the reader's own."""


@dataclass(frozen=True, slots=True)
class PartyId:
    """Marks a column that holds a party's id. It leaves as the party's code in the register, under this name."""

    shown_as: str


class AnyOf:
    """Marks a column that holds values of several labels: those that reach this reader in rows of this holding."""


REFERENCE = Reference()
Ref = Annotated[UUID, REFERENCE]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row. `subject_id`: the participant, or the matter or stream of a record about nobody in LEAD."""

    subject_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnRow(Row):
    """A party's own row."""

    party_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicRow(Row):
    """A row of public record: the same for every party of its kind, whoever is in LEAD."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantedRow(Row):
    """A row behind the gate: alive while its epoch is the gate's and `until` lies ahead.

    `as_of` is the position of the participant's last event that went into it, `authority` the ROI or item it rests on,
    `shown` the labels of what it shows, in order, separated by spaces.
    """

    party_id: UUID
    epoch: int
    until: datetime
    as_of: int
    authority: UUID
    shown: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleRow(Row):
    """A row read by role."""

    as_of: int


_COORDINATES = frozenset(f.name for base in (OwnRow, PublicRow, GrantedRow, RoleRow) for f in fields(base))

SQL_TYPE: dict[Any, str] = {
    str: "text",
    UUID: "uuid",
    datetime: "timestamptz",
    date: "date",
    int: "bigint",
    bool: "boolean",
    dict: "jsonb",
    list: "jsonb",
    tuple: "jsonb",
}


class Column(NamedTuple):
    """A column of a table: its SQL type, whether it may be null, the labels of what it holds."""

    name: str
    sql_type: str
    nullable: bool
    labels: frozenset[Label]
    is_reference: bool
    party: str | None
    """The name under which a party's id is shown, as the party's code."""


class Model(NamedTuple):
    """A table of a reader: its row model and the order of its pages, newest or smallest first."""

    reader: Reader
    name: str
    holding: Holding
    row: type[Row]
    order: tuple[str, ...]
    descending: bool
    columns: tuple[Column, ...]

    @property
    def table(self) -> str:
        """The table's name in SQL: the reader's schema, then its own."""
        return f"{self.reader.value}.{self.name}"

    @property
    def key(self) -> tuple[str, ...]:
        """The columns that make a row one. A party's rows lie in the order of its pages."""
        is_partys = self.holding in (Holding.OWN, Holding.GRANTED)
        return ("party_id", *(c for c in self.order if c != "party_id")) if is_partys else self.order

    @property
    def labels(self) -> frozenset[Label]:
        """Every label the table can hold."""
        return frozenset[Label]().union(*(c.labels for c in self.columns))


MODELS: dict[type[Row], Model] = {}
_HELD: dict[type[Row], Holding] = {
    OwnRow: Holding.OWN,
    PublicRow: Holding.PUBLIC,
    GrantedRow: Holding.GRANTED,
    RoleRow: Holding.ROLE,
}

R = TypeVar("R", bound=type[Row])


def model(reader: Reader, name: str, *, order: tuple[str, ...], descending: bool = False) -> Callable[[R], R]:
    """Declare a row model to be a table of this reader, its pages in this order.

    Raises `BeyondCeiling` at import for a column that the table of labels does not allow.
    """

    def declare(row: R) -> R:
        holding = next(held for base, held in _HELD.items() if issubclass(row, base))
        hints = get_type_hints(row, include_extras=True)
        columns = tuple(_column(reader, holding, name, f.name, hints[f.name]) for f in fields(row))
        MODELS[row] = Model(reader, name, holding, row, order, descending, columns)
        return row

    return declare


def shown(row: type[Row], values: Mapping[str, Any]) -> str:
    """Return the labels of what these columns of a row show, in order, separated by spaces."""
    filled = (column for column in MODELS[row].columns if values.get(column.name) is not None)
    return " ".join(sorted({label for column in filled for label in column.labels}))


def _column(reader: Reader, holding: Holding, table: str, name: str, hint: Any) -> Column:
    marks: tuple[Any, ...] = ()
    while get_origin(hint) is Annotated:
        marks += hint.__metadata__
        hint = hint.__origin__
    members = get_args(hint) if type(None) in get_args(hint) else (hint,)
    inner = next(m for m in members if m is not type(None))
    while get_origin(inner) is Annotated:
        marks += inner.__metadata__
        inner = inner.__origin__
    labels = frozenset(m for m in marks if isinstance(m, Label))
    if any(isinstance(m, AnyOf) for m in marks):
        labels |= reaching(reader, holding)
    party = next((m.shown_as for m in marks if isinstance(m, PartyId)), None)
    is_reference = name in _COORDINATES or REFERENCE in marks or party is not None
    if not labels and not is_reference:
        raise BeyondCeiling(f"{reader}.{table}.{name} names no label")
    for label in labels - {Label.SHARE_TEXT}:
        if label not in reaching(reader, holding):
            raise BeyondCeiling(f"{reader}.{table}.{name}: {label} never reaches this reader in {holding} rows")
    plain = get_origin(inner) or inner
    sql_type = SQL_TYPE.get(plain) or ("text" if isinstance(plain, type) and issubclass(plain, str) else None)
    if sql_type is None:
        raise BeyondCeiling(f"{reader}.{table}.{name}: no SQL type for {plain}")
    return Column(name, sql_type, len(members) > 1, labels, is_reference, party)
