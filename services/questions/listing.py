"""Lists: each is one declaration, and is asked for in pages. Whatever can be done with a list is done for all here."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from hashlib import sha256
from typing import Any, NamedTuple
from uuid import UUID

import orjson

from domain.labels import Reader
from domain.refusal import Refused
from projections.lens import plain
from projections.rows import MODELS, GrantedRow, RoleRow, Row
from services.ports import Caller, Session
from services.questions.lines import cell, written
from services.questions.showing import columns_of, require, show, who
from services.release import Rendered, answer
from services.site import Site
from services.tokens import BadToken


@dataclass(frozen=True, slots=True)
class Choice:
    """The one parameter by which a list is narrowed or widened: what it may be (yes or no, where nothing is named)."""

    name: str
    whole: str
    values: tuple[str, ...] = ()
    doc: str | None = None


class Asked(NamedTuple):
    """What is asked of a list: how it is narrowed or widened, and what its rows contain."""

    chosen: Any = None
    search: str | None = None


@dataclass(frozen=True, slots=True)
class Items:
    """A page's rows as the answer shows them, the rows released with them, and what stands above them.

    `statements`: for each item the sentence that goes with what it shows where it is written by itself, in a file.
    `torn`: the view was seen to change meanwhile, so that the page must be rendered again.
    """

    items: list[dict[str, Any]]
    shown: Sequence[Row] = ()
    above: Mapping[str, Any] = field(default_factory=dict)
    statements: Sequence[str] = ()
    torn: bool = False


class Asking(NamedTuple):
    """Who asks for a page, in which session, and how it was chosen to be narrowed or widened."""

    site: Site
    caller: Caller
    session: Session
    chosen: Any

    def show(self, row: Row) -> dict[str, Any]:
        """Return a row as the caller's answer shows it."""
        return show(self.site, self.caller, row)

    def who(self, row: Row) -> dict[str, Any]:
        """Return the participant whom a row is about, by the caller's own id."""
        return who(self.site, self.caller, row)


def _all(_: Asking) -> dict[str, Any]:
    return {}


def _as_they_are(asking: Asking, rows: Sequence[Any]) -> Items:
    """Show each row as it is; what is not the reader's own, nor public, is released with the page."""
    return Items([asking.show(row) for row in rows], [row for row in rows if isinstance(row, GrantedRow | RoleRow)])


def by_participant(asking: Asking, rows: Sequence[Any]) -> Items:
    """Show each row as it is, and whom it is about."""
    return Items([asking.show(row) | asking.who(row) for row in rows], rows)


@dataclass(frozen=True, slots=True)
class Listing:
    """A list of a reader's: the rows of one table, in the table's order.

    `path`: under `/v1`. `key`: under which its rows stand in the answer. `doc`: what it holds, to the person who asks.
    `where`: what each row's columns must equal, as `Session.select` takes it. `items`: how a page's rows are shown;
    left out, each as it is. `below`: what stands under every page, the
    same for everyone. `columns`: what stands in a line of the list's file, `lead.name` being `name` within `lead`; left
    out, the columns of the table.
    """

    path: str
    key: str
    row: type[Row]
    reader: Reader
    purpose: str
    doc: str
    where: Callable[[Asking], Mapping[str, Any]] = _all
    items: Callable[[Asking, Sequence[Any]], Items] = _as_they_are
    choice: Choice | None = None
    below: Mapping[str, Any] = field(default_factory=dict)
    columns: tuple[str, ...] = ()

    @property
    def surface(self) -> str:
        """What the accounting of disclosures calls the list."""
        return f"{self.reader}.{self.path.rpartition('/')[2].replace('-', '_')}"

    @property
    def header(self) -> tuple[str, ...]:
        """The first line of the list's file: the same for everyone, whatever follows."""
        named = ("participant",) if self.items is by_participant else ()
        return self.columns or (*columns_of(self.row), *named, *self.below)

    @property
    def searched(self) -> tuple[str, ...]:
        """The columns that a search looks into: all text that the list shows."""
        texts = {column.name for column in MODELS[self.row].columns if column.sql_type == "text"}
        return tuple(name for name in columns_of(self.row) if name in texts)


def page(site: Site, caller: Caller, listing: Listing, asked: Asked, cursor: str | None, limit: int) -> dict[str, Any]:
    """Return a page of a list."""
    _allow(caller, listing, asked)

    def render(session: Session) -> Rendered:
        body, items = _page(Asking(site, caller, session, asked.chosen), listing, asked, cursor, limit)
        return Rendered(body, list(items.shown), torn=items.torn)

    return answer(site, caller, listing.surface, listing.purpose, render)


def export(site: Site, caller: Caller, listing: Listing, asked: Asked, limit: int) -> Iterator[str]:
    """Yield a list as a file, a page at a time: each is rendered and released by itself, when it is asked for."""
    _allow(caller, listing, asked)
    heading, cursor = written([listing.header]), None
    while True:
        part = _part(site, caller, listing, asked, cursor, limit)
        yield heading + part["lines"]
        heading, cursor = "", part["next"]
        if cursor is None:
            return


def change(
    site: Site, caller: Caller, listing: Listing, asked: Asked, limit: int, sent: bytes
) -> tuple[dict[str, Any] | None, bytes]:
    """Return a list's first page if it is another than was `sent` before, and its mark."""
    _allow(caller, listing, asked)

    def render(session: Session) -> Rendered:
        body, items = _page(Asking(site, caller, session, asked.chosen), listing, asked, None, limit)
        return Rendered(body, list(items.shown), torn=items.torn)

    return changed(site, caller, f"{listing.surface}.updates", listing.purpose, render, sent)


def changed(
    site: Site, caller: Caller, surface: str, purpose: str, render: Callable[[Session], Rendered], sent: bytes
) -> tuple[dict[str, Any] | None, bytes]:
    """Return an answer if it is another than was `sent` before, and its mark. Only then is it released."""
    mark = sent

    def unless_sent(session: Session) -> Rendered:
        nonlocal mark
        rendered = render(session)
        cursor = {"next": rendered.body.get("next") is not None}  # it is never the same twice
        mark = sha256(orjson.dumps(rendered.body | cursor)).digest()
        return rendered if mark != sent else Rendered({}, torn=rendered.torn)

    body = answer(site, caller, surface, purpose, unless_sent)
    return body or None, mark


def not_yours() -> Refused:
    """Return the refusal of a cursor that is none of this list and caller."""
    return Refused("cursor", "it is not one of yours for this list.", "Leave it out to begin anew.")


def cursor_of(listing: Listing, asked: Asked) -> str:
    """Return what a cursor is used for: one list, chosen and searched as it was."""
    return f"cursor {listing.path} {asked.chosen} {asked.search}"


def _allow(caller: Caller, listing: Listing, asked: Asked) -> None:
    choice = listing.choice
    if choice and choice.values and asked.chosen is not None and asked.chosen not in choice.values:
        allowed = " or ".join(f"`{value}`" for value in choice.values)
        raise Refused(choice.name, f"it can only be {allowed}.", f"Leave it out for {choice.whole}.")
    require(caller, listing.reader)


def _page(
    asking: Asking, listing: Listing, asked: Asked, cursor: str | None, limit: int
) -> tuple[dict[str, Any], Items]:
    rows, following = rows_after(asking, listing, asked, cursor, limit)
    items = listing.items(asking, rows)
    return {**items.above, listing.key: items.items, "next": following, **listing.below}, items


def _part(site: Site, caller: Caller, listing: Listing, asked: Asked, cursor: str | None, limit: int) -> dict[str, Any]:
    def render(session: Session) -> Rendered:
        body, found = _page(Asking(site, caller, session, asked.chosen), listing, asked, cursor, limit)
        statements = found.statements or [""] * len(found.items)
        items = [
            {"statement": said} | item | dict(listing.below) for item, said in zip(found.items, statements, strict=True)
        ]
        lines = written([cell(item, column) for column in listing.header] for item in items)
        return Rendered({"lines": lines, "next": body["next"]}, list(found.shown), torn=found.torn)

    return answer(site, caller, f"{listing.surface}.csv", listing.purpose, render)


def rows_after(
    asking: Asking, listing: Listing, asked: Asked, cursor: str | None, limit: int
) -> tuple[list[Any], str | None]:
    """Return the rows after a cursor, and the cursor of the next. The limit counts what the gate has let through."""
    tokens, caller = asking.site.tokens, asking.caller
    model, use = MODELS[listing.row], cursor_of(listing, asked)
    try:
        after = None if cursor is None else tokens.open(caller.staff, use, cursor)
    except BadToken:
        raise not_yours() from None
    if after is not None:
        kinds = {column.name: column.sql_type for column in model.columns}
        after = [_parse(kinds[name], value) for name, value in zip(model.order, after, strict=True)]
    found = asking.session.select(
        listing.row,
        listing.where(asking),
        after=after,
        limit=limit + 1,
        search=asked.search,
        within=listing.searched,
    )
    rows = found[:limit]
    if len(found) <= limit:
        return rows, None
    return rows, tokens.seal(caller.staff, use, [plain(getattr(rows[-1], name)) for name in model.order])


def _parse(sql_type: str, value: str) -> Any:
    match sql_type:
        case "uuid":
            return UUID(value)
        case "date":
            return date.fromisoformat(value)
        case "timestamptz":
            return datetime.fromisoformat(value)
        case _:
            return value
