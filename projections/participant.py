"""What participants read of themselves: everything of their own, their consent, and who can see what now (T:885)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated
from uuid import UUID

from domain.labels import Ceiling, Label, Reader, Viewer
from projections.lens import History, Lens, Traced
from projections.record import RoleEntry, RoleRecipient, entry_of, is_participant, recipients, seen, standing
from projections.rows import REFERENCE, PartyId, RoleRow, Row, model

READER = Reader.PARTICIPANT


@model(READER, "own", order=("subject_id",))
@dataclass(frozen=True, slots=True, kw_only=True)
class Own(RoleRow):
    """Who the participant is to LEAD."""

    name: Annotated[str | None, Label.IDENTITY_LEGAL]
    birth_date: Annotated[date | None, Label.IDENTITY_LEGAL]
    phone: Annotated[str | None, Label.CONTACT_PHONE]
    enrolment: Annotated[str | None, Label.ENROLMENT_STATUS]
    case_manager: Annotated[str | None, Label.CASE_MANAGER_CONTACT]
    call: Annotated[str | None, Label.CASE_MANAGER_CONTACT]
    roi: Annotated[UUID | None, REFERENCE]


@model(READER, "recipient", order=("subject_id", "party_id"))
@dataclass(frozen=True, slots=True, kw_only=True)
class Recipient(RoleRecipient):
    """What the participant's consent gives one party now."""


@model(READER, "entry", order=("occurred_at", "entry_id"), descending=True)
@dataclass(frozen=True, slots=True, kw_only=True)
class Entry(RoleEntry):
    """One event of the participant's own history. `agency`: whose action a finding is about."""

    agency_id: Annotated[UUID | None, PartyId("agency")]


def rows(history: History, ceiling: Ceiling, at: datetime, trace: list[Traced] | None = None) -> Iterator[Row]:
    """Yield every row that a participant has of itself."""
    if not is_participant(history):
        return
    lens = Lens(Viewer(READER, history.subject), None, ceiling, at, trace)
    yield Own(subject_id=history.subject, as_of=history.position, **standing(history, lens))
    for columns in recipients(history, at):
        yield Recipient(**columns)
    for one in seen(history, lens):
        yield Entry(**entry_of(history, one), agency_id=one.agency)
