"""The views: one per kind of reader, each with its own tables, runner and position."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol as Port

from domain.labels import Ceiling, Reader
from projections import (
    case_manager,
    counsel,
    court,
    legal_services,
    liaison_prosecutor,
    observer,
    participant,
    police,
    privacy,
    program,
    recipient,
)
from projections.lens import History, Traced
from projections.rows import MODELS, Model, Row


class Rows(Port):
    """A view's function: all rows that readers of one kind have of one subject at one moment."""

    def __call__(
        self, history: History, ceiling: Ceiling, at: datetime, trace: list[Traced] | None = None
    ) -> Iterator[Row]:
        """Yield the rows; append every decision to `trace` if one is given."""
        ...


@dataclass(frozen=True, slots=True)
class View:
    """A view: its reader, the version of its code, its function. The version changes when the same history gives
    other rows.
    """

    reader: Reader
    version: str
    rows: Rows

    @property
    def name(self) -> str:
        """The view's name: its reader's."""
        return self.reader.value

    @property
    def models(self) -> list[Model]:
        """The view's tables, by name."""
        return sorted((m for m in MODELS.values() if m.reader is self.reader), key=lambda model: model.name)


VIEWS: dict[Reader, View] = {
    view.reader: view
    for view in (
        View(Reader.CASE_MANAGER, "case_manager/12", case_manager.rows),
        View(Reader.PROSECUTOR, "liaison_prosecutor/13", liaison_prosecutor.rows),
        View(Reader.POLICE, "police/11", police.rows),
        View(Reader.RECIPIENT, "recipient/6", recipient.rows),
        View(Reader.COURT, "court/10", court.rows),
        View(Reader.PROGRAM, "program/12", program.rows),
        View(Reader.OBSERVER, "observer/9", observer.rows),
        View(Reader.COUNSEL, "counsel/10", counsel.rows),
        View(Reader.LEGAL_SERVICES, "legal_services/6", legal_services.rows),
        View(Reader.PARTICIPANT, "participant/8", participant.rows),
        View(Reader.PRIVACY, "privacy/5", privacy.rows),
    )
}
