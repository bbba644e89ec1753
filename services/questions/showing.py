"""How a row is shown to its reader: no coordinates, ids of the reader's own. With nothing to show, one sentence."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any
from uuid import UUID

from domain.labels import Reader
from domain.refusal import Forbidden
from projections.partner import GrantedEntry, GrantedParticipant
from projections.rows import Column, RoleRow, Row
from projections.views import VIEWS
from services.ports import NOBODY, Caller
from services.site import Site

_COORDINATES = frozenset({"party_id", "subject_id", "epoch", "as_of", "authority", "shown"})


def _hidden(row: type[Row]) -> frozenset[str]:
    if issubclass(row, RoleRow):
        return _COORDINATES
    if issubclass(row, GrantedParticipant):  # not an own row's `place`, which is where it happened
        return _COORDINATES | {"until", "place"}
    return _COORDINATES | {"until"}


# The columns of a table that an answer shows: no coordinates, and partners are not told when consent ends.
_SHOWN: dict[type[Row], tuple[Column, ...]] = {
    model.row: tuple(column for column in model.columns if column.party or column.name not in _hidden(model.row))
    for view in VIEWS.values()
    for model in view.models
}


def columns_of(row: type[Row], without: Collection[str] = ()) -> tuple[str, ...]:
    """Return the columns of a table by the names under which an answer shows them, in their order, but for some."""
    return tuple(column.party or column.name for column in _SHOWN[row] if column.name not in without)


def require(caller: Caller, reader: Reader) -> None:
    """Let only this reader ask. Raises `Forbidden`."""
    if caller.reader is not reader:
        raise Forbidden


def nothing(site: Site) -> str:
    """Return the one constant sentence. It says nothing about the person."""
    return (
        "LEAD has nothing it can show you here. Everyone gets this answer when there is nothing to show. "
        f"Need help now? Call {site.protocol().on_call}."
    )


def show(site: Site, caller: Caller, row: Row) -> dict[str, Any]:
    """Return a row as the caller's answer shows it: parties by their codes, other ids being the caller's own."""
    body: dict[str, Any] = {}
    for column in _SHOWN[type(row)]:
        value = getattr(row, column.name)
        if column.party is not None:
            body[column.party] = None if value in {None, NOBODY} else site.directory.party(value).code
        elif isinstance(value, UUID):
            body[column.name] = site.ids.seal(caller.party, value)
        elif isinstance(row, GrantedEntry) and column.name == "body":
            body |= value
        elif isinstance(value, list):
            body[column.name] = [_item(site, caller, item) for item in value]
        else:
            body[column.name] = value
    return body


def _item(site: Site, caller: Caller, item: Any) -> Any:
    """Return an item of a list as it is shown: an id in it is the caller's own too."""
    if not isinstance(item, dict):
        return item
    return {
        name: site.ids.seal(caller.party, UUID(value)) if name.endswith("_id") else value
        for name, value in item.items()
    }


def who(site: Site, caller: Caller, row: Row) -> dict[str, Any]:
    """Return the participant whom a row is about, by the caller's own id."""
    return {"participant": site.ids.seal(caller.party, row.subject_id)}
