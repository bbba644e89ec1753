"""Lists: each is one declaration, and is asked for in pages. Whatever can be done with a list is done for all here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, NamedTuple, TypeVar
from uuid import UUID

from domain.labels import Reader
from domain.refusal import Refused
from projections.lens import plain
from projections.rows import MODELS, Row
from services.ports import Caller, Session
from services.questions.showing import require, show, who
from services.release import Rendered, answer
from services.site import Site
from services.tokens import BadToken

R = TypeVar("R", bound=Row)


@dataclass(frozen=True, slots=True)
class Choice:
    """The one parameter by which a list is narrowed or widened: what it may be (yes or no, where nothing is named)."""

    name: str
    whole: str
    values: tuple[str, ...] = ()
    doc: str | None = None


@dataclass(frozen=True, slots=True)
class Items:
    """A page's rows as the answer shows them, the rows released with them, and what stands above them.

    `torn`: the view was seen to change meanwhile, so that the page must be rendered again.
    """

    items: list[dict[str, Any]]
    shown: Sequence[Row] = ()
    above: Mapping[str, Any] = field(default_factory=dict)
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
    return Items([asking.show(row) for row in rows])


@dataclass(frozen=True, slots=True)
class Listing:
    """A list of a reader's: the rows of one table, in the table's order.

    `path`: under `/v1`. `key`: under which its rows stand in the answer. `doc`: what it holds, to the person who asks.
    `where`: what each row's columns must equal, as `Session.select` takes it. `items`: how a page's rows are shown;
    left out, each as it is, which is right for a reader's own rows only. `below`: what stands under every page, the
    same for everyone.
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

    @property
    def surface(self) -> str:
        """What the accounting of disclosures calls the list."""
        return f"{self.reader}.{self.path.rpartition('/')[2].replace('-', '_')}"


def page(
    site: Site, caller: Caller, listing: Listing, cursor: str | None, limit: int, chosen: str | bool | None = None
) -> dict[str, Any]:
    """Return a page of a list."""
    choice = listing.choice
    if choice and choice.values and chosen is not None and chosen not in choice.values:
        allowed = " or ".join(f"`{value}`" for value in choice.values)
        raise Refused(choice.name, f"it can only be {allowed}.", f"Leave it out for {choice.whole}.")
    require(caller, listing.reader)

    def render(session: Session) -> Rendered:
        asking = Asking(site, caller, session, chosen)
        rows, following = rows_after(site, caller, session, listing.row, listing.where(asking), cursor, limit)
        shown = listing.items(asking, rows)
        body = {**shown.above, listing.key: shown.items, "next": following, **listing.below}
        return Rendered(body, list(shown.shown), torn=shown.torn)

    return answer(site, caller, listing.surface, listing.purpose, render)


def rows_after(
    site: Site,
    caller: Caller,
    session: Session,
    row: type[R],
    where: Mapping[str, Any],
    cursor: str | None,
    limit: int,
) -> tuple[list[R], str | None]:
    """Return the rows after a cursor, and the cursor of the next. The limit counts what the gate has let through."""
    model = MODELS[row]
    use = f"cursor {model.table}"
    try:
        after = None if cursor is None else site.tokens.open(caller.staff, use, cursor)
    except BadToken:
        raise Refused("cursor", "it is not one of yours for this list.", "Leave it out to begin anew.") from None
    if after is not None:
        kinds = {column.name: column.sql_type for column in model.columns}
        after = [_parse(kinds[name], value) for name, value in zip(model.order, after, strict=True)]
    found = session.select(row, where, after=after, limit=limit + 1)
    rows = found[:limit]
    if len(found) <= limit:
        return rows, None
    return rows, site.tokens.seal(caller.staff, use, [plain(getattr(rows[-1], name)) for name in model.order])


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
