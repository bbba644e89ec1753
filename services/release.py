"""The one door out: read under the reader's role, render, release, commit, send.

Refused means that something went dark between reading and release; the answer is rendered again from what is left.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
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

MARK = 8
"""How many bytes of a row's keyed digest are kept, to know the row again. What proves it is the digest of all."""


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
    authority; `told`: the labels of the facts that it tells with that. `torn`: the view was seen to change between two
    of its reads, so that it must be rendered again.
    """

    body: dict[str, Any]
    shown: list[Row] = field(default_factory=list)
    accessed: list[UUID] = field(default_factory=list)
    under: list[GrantedRow] = field(default_factory=list)
    told: frozenset[Label] = frozenset()
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
        lines[row.subject_id] = _under(row, lines.get(row.subject_id), rendered.told, digests)
    for participant in rendered.accessed:
        lines[participant] = _accessed(participant, lines.get(participant), rendered.told, digests)
    return [*lines.values()]


def _accessed(participant: UUID, line: Disclosed | None, told: frozenset[Label], digests: bytes) -> Disclosed:
    """Return a participant's line, with it that who saw what was read by role."""
    labels = {Label.AUDIT_ACCESS, *told}
    if line is None:
        return Disclosed(participant, None, None, 0, " ".join(sorted(labels)), "", *sealed(digests, []))
    return replace(line, labels=" ".join(sorted({*labels, *line.labels.split()})))


def _under(row: GrantedRow, line: Disclosed | None, told: frozenset[Label], digests: bytes) -> Disclosed:
    """Return a client's line, with it that who saw what was read under the client's authority."""
    labels, authority = {Label.AUDIT_ACCESS, *told}, str(row.authority)
    if line is None or line.epoch is None or line.until is None:
        read = " ".join(sorted(labels))
        return Disclosed(row.subject_id, row.epoch, row.until, row.as_of, read, authority, *sealed(digests, []))
    return replace(
        line,
        epoch=min(line.epoch, row.epoch),
        until=min(line.until, row.until),
        labels=" ".join(sorted({*labels, *line.labels.split()})),
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
    digest, marks = sealed(digests, (fingerprint(digests, row) for row in rows))
    return Disclosed(
        participant=participant,
        epoch=min((row.epoch for row in granted), default=None),  # the oldest: any that went dark is refused
        until=min((row.until for row in granted), default=None),
        as_of=max(row.as_of for row in rows),
        labels=labels,
        grants=grants,
        digest=digest,
        marks=marks,
    )


def _labels_of(row: RoleRow) -> set[str]:
    """Return the labels that a row read by role shows: those it names itself, else those of its filled columns."""
    named = getattr(row, "shown", None)
    if named is not None:
        return set(named.split())
    filled = [column for column in MODELS[type(row)].columns if getattr(row, column.name) is not None]
    return {label for column in filled for label in column.labels}


def fingerprint(key: bytes, row: Row) -> bytes:
    """Return the keyed digest, 32 bytes, of the canonical facts of a row: the same read from its table or computed."""
    model = MODELS[type(row)]
    facts = {column.name: _canonical(getattr(row, column.name)) for column in model.columns} | {"table": model.table}
    return hmac.digest(key, orjson.dumps(facts, option=orjson.OPT_SORT_KEYS), sha256)


def sealed(key: bytes, fingerprints: Iterable[bytes]) -> tuple[bytes, bytes]:
    """Return the digest of a set of rows, in whatever order they were shown, and the mark of each in one string."""
    each = sorted({*fingerprints})
    return hmac.digest(key, b"".join(each), sha256), b"".join(one[:MARK] for one in each)


def _canonical(value: Any) -> Any:
    return value.astimezone(UTC) if isinstance(value, datetime) else value


def is_part2(rows: Iterable[Row]) -> bool:
    """Return whether some row shows what is treated as a 42 CFR Part 2 record."""
    return any(TABLE[Label(label)].part2 for row in rows if isinstance(row, GrantedRow) for label in row.shown.split())
