"""As-of: what a reader had of one participant at some moment, computed again from the log and from nothing else.

A view's rows are a function of a participant's history, the protocol's ceiling and the moment. Of a disclosure all are
known: the position that its rows stood at, and the time. Which of the rows it showed, their marks say; that they are
these, to the letter, its keyed digest proves. Old rows are kept nowhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from enum import StrEnum
from hmac import compare_digest
from uuid import UUID

from domain.event import Event, Recorded
from domain.labels import Ceiling, Reader, Viewer
from domain.protocol import NoProtocol, ProtocolAdopted, in_force
from projections.lens import History
from projections.partner import GrantedParticipant
from projections.rows import GrantedRow, RoleRow
from projections.views import VIEWS
from services.ports import Accounted
from services.relay import carried
from services.release import MARK, fingerprint, sealed
from services.site import Site

Shown = GrantedRow | RoleRow
"""What comes from LEAD, by consent or by role; a party's own rows and public ones are no disclosure."""
_INSTANT = timedelta(microseconds=1)


class Verdict(StrEnum):
    """What becomes of a disclosure that is computed again."""

    MATCHES = "matches"
    DIFFERS = "differs"
    ERASED = "erased"
    """A key of this history is destroyed: what it sealed cannot be computed any more. Its leaf still verifies."""
    OTHER_RELEASE = "view of another release"
    """It was shown by another version of the view, whose rows are others: the release that has it computes them."""
    NO_FACTS = "no fact of a view was shown"
    """Who saw what was read, or why: an accounting, a trace."""
    NOT_KEPT = "which rows it showed was not kept yet"


@dataclass(frozen=True, slots=True)
class AsOf:
    """What a reader had of one participant at a moment. `version`: the view's, by which it was computed."""

    viewer: Viewer
    at: datetime
    history: History
    ceiling: Ceiling
    version: str
    rows: Sequence[Shown]


def stood(site: Site, viewer: Viewer, participant: UUID, at: datetime | int) -> AsOf:
    """Return all that a reader had of a participant at a moment, or when the log stood at a position."""
    moment = at if isinstance(at, datetime) else site.log.recorded_at(at)
    history = site.log.histories([participant], upto=at)[participant]
    ceiling = _ceilings(site)[0](moment)
    rows = [
        row
        for row in _rows(viewer.reader, history, ceiling, moment)
        if isinstance(row, RoleRow) or (row.party_id == viewer.party and row.until > moment)
    ]
    return AsOf(viewer, moment, history, ceiling, VIEWS[viewer.reader].version, rows)


def disclosed(site: Site, participant: UUID, line: Accounted) -> tuple[AsOf, Verdict]:
    """Return what a disclosure showed, as far as it can be computed, and whether its digest says the same."""
    reader, at = Reader(line.reader), line.disclosed_at
    viewer = Viewer(reader, participant if reader is Reader.PARTICIPANT else line.party)
    history = site.log.histories([participant], upto=line.as_of)[participant]
    ceiling, changes = _ceilings(site)
    marks = line.marks or b""
    wanted = {marks[n : n + MARK] for n in range(0, len(marks), MARK)}
    found: dict[bytes, Shown] = {}
    matches = False
    for moment in _moments(history, changes, at):
        for row in _rows(reader, history, ceiling(moment), moment):
            for each in (row, carried(row)) if isinstance(row, GrantedParticipant) else (row,):
                whole = fingerprint(site.digests, each)
                if whole[:MARK] in wanted:
                    found.setdefault(whole, each)
        if matches := compare_digest(sealed(site.digests, found)[0], line.digest):
            break
    as_of = AsOf(viewer, at, history, ceiling(at), VIEWS[reader].version, [*found.values()])
    return as_of, _verdict(as_of, line, matches=matches)


def _verdict(as_of: AsOf, line: Accounted, *, matches: bool) -> Verdict:
    if line.marks is None:
        return Verdict.NOT_KEPT
    if matches:
        return Verdict.MATCHES if line.marks else Verdict.NO_FACTS
    if any(recorded.erased for recorded in _read(as_of.history)):
        return Verdict.ERASED
    return Verdict.DIFFERS if line.view_version == as_of.version else Verdict.OTHER_RELEASE


def _rows(reader: Reader, history: History, ceiling: Ceiling, at: datetime) -> Iterator[Shown]:
    return (row for row in VIEWS[reader].rows(history, ceiling, at) if isinstance(row, Shown))


def _read(history: History) -> list[Recorded[Event]]:
    return [*history.events, *history.linked, *history.proposed]


def _moments(history: History, changes: Sequence[datetime], at: datetime) -> Iterator[datetime]:
    """Yield the moments at which rows of this history, read at a moment, can have been computed; the latest first.

    Rows change with time alone where a consent ends or a protocol begins. The view follows within seconds; meanwhile
    readers by role are shown the rows of before.
    """
    yield at
    read = _read(history)
    since = max((recorded.recorded_at for recorded in read), default=at)
    ends = {recorded.event.expires_at for recorded in read if recorded.event.expires_at is not None}
    for change in sorted({*ends, *changes}, reverse=True):
        if since < change <= at:
            yield change - _INSTANT


def _ceilings(site: Site) -> tuple[Callable[[datetime], Ceiling], list[datetime]]:
    """Return the ceiling by moment, under what had been adopted by then, and when it can have become another."""
    adopted = [
        (recorded.recorded_at, recorded.event.protocol)
        for recorded in site.log.of_topics([ProtocolAdopted.topic])
        if isinstance(recorded.event, ProtocolAdopted)
    ]

    def ceiling(at: datetime) -> Ceiling:
        try:
            return in_force([protocol for since, protocol in adopted if since <= at], at).ceiling
        except NoProtocol:
            return Ceiling("none")

    begins = [datetime.combine(protocol.effective_from, time(), protocol.tz) for _, protocol in adopted]
    return ceiling, [*(since for since, _ in adopted), *begins]
