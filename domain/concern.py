"""Concerns: what an observer or counsel sees going wrong, and the answer on the record (T:489-T:491).

Stream and subject: the concern itself.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, ClassVar
from uuid import UUID

from domain.event import Event, LongText, Recorded
from domain.labels import Label, Reader
from domain.refusal import Unknown


class ConcernRaised(Event):
    """A party, which reads by the column `reader`, raised a concern. `about`: whom it named by an id of its own."""

    topic: ClassVar[str] = "concern.raised"
    label: ClassVar[Label] = Label.CONCERN
    requires: ClassVar[tuple[str, ...]] = ("participant_id", "party_id")

    reader: Annotated[Reader, Label.CONCERN]
    text: Annotated[LongText, Label.CONCERN]
    about: Annotated[UUID | None, Label.CONCERN] = None


class ConcernAnswered(Event):
    """The project manager answered on the record. A concern is its party's own, and so is the answer to it."""

    topic: ClassVar[str] = "concern.answered"
    label: ClassVar[Label] = Label.CONCERN
    requires: ClassVar[tuple[str, ...]] = ("participant_id", "party_id")

    text: Annotated[LongText, Label.CONCERN]


def raised_by(history: Iterable[Recorded[Event]]) -> UUID:
    """Return the party that raised a concern. Raises `Unknown` for what is no concern."""
    for recorded in history:
        if isinstance(recorded.event, ConcernRaised) and recorded.event.party_id is not None:
            return recorded.event.party_id
    raise Unknown
