"""The one door out: read under the reader's role, render, release, commit, send.

Refused means that something went dark between reading and release; the answer is rendered again from what is left.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Any
from uuid import UUID

import orjson

from domain.labels import TABLE, Label
from domain.refusal import Unknown
from projections.rows import MODELS, GrantedRow, RoleRow, Row
from projections.views import VIEWS
from services.ports import Caller, Disclosed, Session, Unavailable
from services.site import ATTEMPTS, Site

PART2_NOTICE = "42 CFR part 2 prohibits unauthorized use or disclosure of these records."
"""42 CFR 2.32(a)(2), the short statement, to the letter."""


class Purpose:
    """Why an answer is given."""

    CARE = "care"
    AS_THE_ROI_STATES = "as the ROI states"
    OWN_RECORDS = "own records"
    RUNNING_THE_SITE = "running the site"
    ACCOUNTING = "accounting of disclosures"
    OBSERVING = "defender oversight"
    REPRESENTATION = "legal representation"


@dataclass(slots=True)
class Rendered:
    """An answer before it leaves: its body, and the rows about participants that it shows.

    `accessed`: of whom it tells who saw what and why, read by role; `under`: that, read by counsel under a client's
    authority. `torn`: the view was seen to change between two of its reads, so that it must be rendered again.
    """

    body: dict[str, Any]
    shown: list[Row] = field(default_factory=list)
    accessed: list[UUID] = field(default_factory=list)
    under: list[GrantedRow] = field(default_factory=list)
    torn: bool = False


def answer(
    site: Site, caller: Caller, surface: str, purpose: str, render: Callable[[Session], Rendered]
) -> dict[str, Any]:
    """Answer a question through the one door; the body is the caller's once its disclosures are committed.

    Raises `AuthorityEnded`, `Unavailable`, and what `render` raises.
    """
    view = VIEWS.get(caller.reader) if caller.reader is not None else None
    for _ in range(ATTEMPTS):
        with site.readers.session(caller) as session:
            try:
                rendered = render(session)
            except Unknown:
                session.release([], "", purpose, surface)  # an ended authority hears that it has ended
                raise
            torn = rendered.torn or is_torn([*rendered.shown, *rendered.under])
            disclosed = [] if torn else _on_footing(site, caller, purpose, disclosures(site.digests, rendered))
            released = session.release(disclosed, view.version if view else "", purpose, surface)
        if released and not torn:  # and committed
            return rendered.body
    raise Unavailable


def _on_footing(site: Site, caller: Caller, purpose: str, disclosed: list[Disclosed]) -> list[Disclosed]:
    """Return what is read for care with its footing: one's own caseload, cover, or neither (T:1289)."""
    if purpose != Purpose.CARE or not disclosed:
        return disclosed
    roster, now = site.standing.roster(), site.now()
    return [replace(line, purpose=roster.footing(caller.staff, line.participant, now)) for line in disclosed]


def is_torn(rows: Iterable[Row]) -> bool:
    """Return whether rows of one participant stem from two computations: the view changed between two reads."""
    seen: dict[UUID, int] = {}
    return any(
        seen.setdefault(row.subject_id, row.as_of) != row.as_of for row in rows if isinstance(row, GrantedRow | RoleRow)
    )


def disclosures(digests: bytes, rendered: Rendered) -> list[Disclosed]:
    """Return what an answer shows, one line for each participant."""
    by_participant: dict[UUID, list[GrantedRow | RoleRow]] = {}
    for row in rendered.shown:
        if isinstance(row, GrantedRow | RoleRow):
            by_participant.setdefault(row.subject_id, []).append(row)
    lines = {participant: _line(digests, participant, rows) for participant, rows in by_participant.items()}
    for row in rendered.under:
        lines[row.subject_id] = _under(row, lines.get(row.subject_id), digests)
    return [*lines.values()] + [
        Disclosed(participant, None, None, 0, Label.AUDIT_ACCESS, "", digest(digests, []))
        for participant in rendered.accessed
    ]


def _under(row: GrantedRow, line: Disclosed | None, digests: bytes) -> Disclosed:
    """Return a client's line, with it that who saw what was read under the client's authority."""
    audit, authority = str(Label.AUDIT_ACCESS), str(row.authority)
    if line is None or line.epoch is None or line.until is None:
        return Disclosed(row.subject_id, row.epoch, row.until, row.as_of, audit, authority, digest(digests, []))
    return replace(
        line,
        epoch=min(line.epoch, row.epoch),
        until=min(line.until, row.until),
        labels=" ".join(sorted({audit, *line.labels.split()})),
        grants=" ".join(sorted({authority, *line.grants.split()})),
    )


def _line(digests: bytes, participant: UUID, rows: list[GrantedRow | RoleRow]) -> Disclosed:
    first, granted = rows[0], [row for row in rows if isinstance(row, GrantedRow)]
    if len(rows) == 1 and isinstance(first, GrantedRow):  # a page's usual line
        labels, grants = first.shown, str(first.authority)
    else:
        named = {label for row in granted for label in row.shown.split()}
        read = {label for row in rows if isinstance(row, RoleRow) for label in _labels_of(row)}
        labels = " ".join(sorted(named | read))
        grants = " ".join(sorted({str(row.authority) for row in granted}))
    return Disclosed(
        participant=participant,
        epoch=min((row.epoch for row in granted), default=None),  # the oldest: any that went dark is refused
        until=min((row.until for row in granted), default=None),
        as_of=max(row.as_of for row in rows),
        labels=labels,
        grants=grants,
        digest=digest(digests, rows),
    )


def _labels_of(row: RoleRow) -> set[str]:
    """Return the labels that a row read by role shows: those it names itself, else those of its filled columns."""
    named = getattr(row, "shown", None)
    if named is not None:
        return set(named.split())
    filled = [column for column in MODELS[type(row)].columns if getattr(row, column.name) is not None]
    return {label for column in filled for label in column.labels}


def digest(key: bytes, rows: Iterable[Row]) -> bytes:
    """Return the keyed digest of the canonical facts of some rows: what can be computed again from the log."""
    facts = [_facts(row) for row in rows]
    return hmac.digest(key, orjson.dumps(facts, option=orjson.OPT_SORT_KEYS), sha256)


def _facts(row: Row) -> dict[str, Any]:
    model = MODELS[type(row)]
    return {column.name: getattr(row, column.name) for column in model.columns} | {"table": model.table}


def is_part2(rows: Iterable[Row]) -> bool:
    """Return whether some row shows what is treated as a 42 CFR Part 2 record."""
    return any(TABLE[Label(label)].part2 for row in rows if isinstance(row, GrantedRow) for label in row.shown.split())
