"""Derive what follows from the events again, and say what differs: the gate here, views' rows here, seals in `sealer`.

Findings name positions of the log, never a person.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import closing
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

import psycopg
from psycopg import sql

from adapters.postgres.log import PostgresLog
from adapters.postgres.projector import CeilingAt
from domain.labels import Ceiling
from projections.lens import History
from projections.rows import Model, Row
from projections.views import View

_PAGE: Final = 500
_LOOKS, _PAUSE_SECONDS = 3, 1.0
_GATE_EVENTS: Final = (
    "select notification_id, topic, participant_id, party_id, staff_id, expires_at from log.event"
    " where topic ~ '^(roi|item|counsel|staff)\\.' or topic in ('conflict.declared', 'access.given') order by 1"
)
_STANDING: Final = "select party, participant, staff, epoch, roi_until, item_until, alive from gate.standing()"


class _Consent(NamedTuple):
    """What the gate should hold of one party and participant; None: never. `at`: the event that last moved it."""

    epoch: int = 0
    roi_until: datetime | None = None
    item_until: datetime | None = None
    at: int = 0


class _Authority(NamedTuple):
    party: UUID
    epoch: int
    alive: bool


_Consents = dict[tuple[UUID, UUID], _Consent]
_Authorities = dict[UUID, _Authority]


def check_gate(sealer_url: str) -> list[str]:
    """Return where the gate is not what the events make it, in the order of the log; empty: nowhere."""
    consents, authorities = _Consents(), _Authorities()
    with psycopg.connect(sealer_url, autocommit=True) as connection, connection.transaction():
        connection.execute("set transaction isolation level repeatable read read only")
        with connection.cursor(binary=True) as cursor:
            for position, topic, participant, party, staff, expires_at in cursor.execute(_GATE_EVENTS):
                if topic in {"staff.registered", "staff.ended", "access.given"}:
                    before = authorities.get(staff)
                    alive = topic != "staff.ended"
                    kept = party if alive or before is None else before.party
                    authorities[staff] = _Authority(kept, position, alive)
                else:
                    known = consents.get((party, participant))
                    moved = _moved(topic, expires_at, position, known or _Consent())
                    if moved is not None:
                        consents[party, participant] = moved._replace(at=position)
            stands = cursor.execute(_STANDING).fetchall()
    findings: list[tuple[int, str]] = []
    for party, participant, staff, epoch, roi_until, item_until, alive in stands:
        if participant is None:
            should = authorities.pop(staff, None)
            if should != (party, epoch, alive):
                findings.append(_finding("a person's authority", should.epoch if should else None))
        else:
            ought = consents.pop((party, participant), None)
            if ought is None or ought[:3] != (epoch, roi_until, item_until):
                findings.append(_finding("a consent", ought.at if ought else None))
    findings += [_finding("a consent", each.at, gone=True) for each in consents.values()]
    findings += [_finding("a person's authority", each.epoch, gone=True) for each in authorities.values()]
    return [said for _, said in sorted(findings)]


def _finding(what: str, position: int | None, *, gone: bool = False) -> tuple[int, str]:
    if position is None:
        return 0, f"gate: {what} that no event made"
    return position, f"position {position}: in the gate, {what} that it set is {'gone' if gone else 'another'}"


def _moved(topic: str, until: datetime | None, position: int, was: _Consent) -> _Consent | None:
    """Return what an event makes of a consent, as `gate.apply` does; None for one that leaves the gate alone."""
    match topic:
        case "roi.granted" | "counsel.authorised":
            return was._replace(roi_until=until)
        case "roi.narrowed" | "counsel.narrowed":
            return was._replace(epoch=position, roi_until=until)
        case "roi.revoked" | "counsel.ended" | "conflict.declared":
            return _Consent(position)
        case "roi.expired":
            return was._replace(epoch=position, roi_until=None)
        case "item.consented":
            return was._replace(item_until=max(filter(None, (was.item_until, until)), default=None))
        case "item.withdrawn":
            return was._replace(epoch=position)
        case _:
            return None


def check_view(
    view: View, projector_url: str, log: PostgresLog, ceiling: CeilingAt, subjects: Sequence[UUID]
) -> list[str]:
    """Return of which of these subjects a view's rows are not what the log gives, by their last events' positions.

    What the runner is just about to write is looked at again. Whoever could not be computed is `doctor`'s affair.
    """
    wrong, findings = list(subjects), dict[UUID, int]()
    with closing(psycopg.connect(projector_url, autocommit=True)) as connection:
        connection.execute("set timezone to 'UTC'")
        for look in range(_LOOKS):
            if look and wrong:
                time.sleep(_PAUSE_SECONDS)
            findings = {}
            for start in range(0, len(wrong), _PAGE):
                findings |= _differing(connection, view, log, ceiling, wrong[start : start + _PAGE])
            wrong = list(findings)
    return [
        f"position {position}: in the view {view.name}, somebody's rows are not what the log gives"
        for position in sorted(findings.values())
    ]


def _differing(
    connection: psycopg.Connection, view: View, log: PostgresLog, ceiling: CeilingAt, subjects: Sequence[UUID]
) -> dict[UUID, int]:
    with connection.transaction():
        connection.execute("set transaction isolation level repeatable read read only")
        found = connection.execute(
            "select position, nullif(swept_at, '-infinity') from log.view where name = %s", [view.name]
        ).fetchone()
        position, swept_at = found or (0, None)
        parked = {
            subject
            for (subject,) in connection.execute("select subject_id from log.parked where view = %s", [view.name])
        }
        stored = {model: _stored(connection, model, subjects) for model in view.models}
    now = swept_at or log.now()
    limits = ceiling(now)
    return {
        subject: history.position
        for subject, history in log.histories(subjects, upto=position).items()
        if subject not in parked and not _same(view, history, limits, now, stored)
    }


def _same(
    view: View, history: History, ceiling: Ceiling, at: datetime, stored: dict[Model, dict[UUID, list[Row]]]
) -> bool:
    left = [row for rows in stored.values() for row in rows.get(history.subject, [])]
    for row in view.rows(history, ceiling, at):
        if row not in left:
            return False
        left.remove(row)
    return not left


def _stored(connection: psycopg.Connection, model: Model, subjects: Sequence[UUID]) -> dict[UUID, list[Row]]:
    names = [column.name for column in model.columns]
    statement = sql.SQL("select {} from {} where subject_id = any(%s)").format(
        sql.SQL(", ").join(map(sql.Identifier, names)), sql.Identifier(model.reader.value, model.name)
    )
    found: dict[UUID, list[Row]] = {}
    for values in connection.execute(statement, [list(subjects)]):
        row: Any = model.row(**dict(zip(names, values, strict=True)))
        found.setdefault(row.subject_id, []).append(row)
    return found
