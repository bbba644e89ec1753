"""What the privacy officer reads: the state and scope of consent and who saw what; no content, and nobody's name."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from domain.labels import Ceiling, Label, Reader, Viewer
from domain.roi import RoiSigned
from projections.lens import NOBODY, History, Lens, Traced
from projections.record import RoleEntry, RoleRecipient, entry_of, is_participant, recipients, seen
from projections.rows import RoleRow, Row, model

READER = Reader.PRIVACY


@model(READER, "participant", order=("subject_id",))
@dataclass(frozen=True, slots=True, kw_only=True)
class Participant(RoleRow):
    """Somebody who has a record here, by an id, and when its ROI was last signed and ends."""

    signed_at: Annotated[datetime | None, Label.CONSENT_STATE]
    ends_at: Annotated[datetime | None, Label.CONSENT_STATE]


@model(READER, "recipient", order=("subject_id", "party_id"))
@dataclass(frozen=True, slots=True, kw_only=True)
class Recipient(RoleRecipient):
    """What a participant's consent gives one party now."""


@model(READER, "entry", order=("subject_id", "occurred_at", "entry_id"), descending=True)
@dataclass(frozen=True, slots=True, kw_only=True)
class Entry(RoleEntry):
    """One act of consent, or one telling by word of mouth."""


def rows(history: History, ceiling: Ceiling, at: datetime, trace: list[Traced] | None = None) -> Iterator[Row]:
    """Yield every row that the privacy officer has of one participant."""
    if not is_participant(history):
        return
    lens = Lens(Viewer(READER, NOBODY), None, ceiling, at, trace)
    signed = [r for r in history.of(RoiSigned) if "occurred_at" not in r.erased]
    yield Participant(
        subject_id=history.subject,
        as_of=history.position,
        signed_at=signed[-1].event.occurred_at if signed else None,
        ends_at=signed[-1].event.expires_at if signed else None,
    )
    for columns in recipients(history, at):
        yield Recipient(**columns)
    for one in seen(history, lens):
        if one.shown != Label.REGISTRY:
            yield Entry(**entry_of(history, one))
