"""What LEAD Legal Services reads by role: legal matters, plan and needs of its clients, nothing said in confidence."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated

from domain.labels import Ceiling, Label, Reader, Viewer
from projections.lens import NOBODY, History, Lens, Traced
from projections.record import RoleEntry, entry_of, is_participant, seen, standing
from projections.rows import RoleRow, Row, model

READER = Reader.LEGAL_SERVICES


@model(READER, "participant", order=("name", "subject_id"))
@dataclass(frozen=True, slots=True, kw_only=True)
class Participant(RoleRow):
    """A participant whom Legal Services may advise."""

    name: Annotated[str, Label.IDENTITY_LEGAL]
    birth_date: Annotated[date | None, Label.IDENTITY_LEGAL]
    phone: Annotated[str | None, Label.CONTACT_PHONE]
    enrolment: Annotated[str | None, Label.ENROLMENT_STATUS]
    case_manager: Annotated[str | None, Label.CASE_MANAGER_CONTACT]
    call: Annotated[str | None, Label.CASE_MANAGER_CONTACT]


@model(READER, "entry", order=("subject_id", "occurred_at", "entry_id"), descending=True)
@dataclass(frozen=True, slots=True, kw_only=True)
class Entry(RoleEntry):
    """One event of a participant's history, as far as Legal Services reads it."""


def rows(history: History, ceiling: Ceiling, at: datetime, trace: list[Traced] | None = None) -> Iterator[Row]:
    """Yield every row that Legal Services has of one participant."""
    if not is_participant(history):
        return
    lens = Lens(Viewer(READER, NOBODY), None, ceiling, at, trace)
    who = standing(history, lens)
    yield Participant(
        subject_id=history.subject,
        as_of=history.position,
        name=who["name"] or "",
        birth_date=who["birth_date"],
        phone=who["phone"],
        enrolment=who["enrolment"],
        case_manager=who["case_manager"],
        call=who["call"],
    )
    for one in seen(history, lens):
        yield Entry(**entry_of(history, one))
