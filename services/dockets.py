"""Which matters of a party stand, or ever stood, under one number: folded from the log as it grows, and kept nowhere.

A docket with several defendants is as many matters; a replaced number still leads to what stood under it.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from threading import Lock
from typing import Final
from uuid import UUID

from domain.event import Event
from domain.legal_case import CaseEntered, CaseFiled, CaseRenumbered
from domain.retention import MatterErased
from domain.warrant import WarrantIssued
from services.ports import Log

_TOPICS: Final = tuple(kind.topic for kind in (CaseFiled, CaseEntered, CaseRenumbered, WarrantIssued, MatterErased))


@dataclass(slots=True)
class Dockets:
    """The numbers of cases, and what stands under each. `refresh` reads what is new. Thread-safe."""

    log: Log
    position: int = 0
    _dockets: dict[tuple[UUID, str], dict[UUID, None]] = field(default_factory=lambda: defaultdict(dict))
    _tracked: dict[tuple[UUID, str], dict[UUID, None]] = field(default_factory=lambda: defaultdict(dict))
    _lock: Lock = field(default_factory=Lock)

    def refresh(self) -> int:
        """Read what was filed, entered, renumbered or issued since the last time; return the position of the last."""
        with self._lock:
            for recorded in self.log.of_topics(_TOPICS, self.position):
                self.position = recorded.position
                if not recorded.erased:
                    self._note(recorded.stream, recorded.event)
            return self.position

    def under(self, party: UUID, docket: str) -> list[UUID]:
        """Return the cases and warrants of a party that stand or stood under a docket, the oldest first."""
        with self._lock:
            return [*self._dockets.get((party, docket), ())]

    def tracked(self, party: UUID, number: str) -> list[UUID]:
        """Return the cases that an office has under its own tracking number."""
        with self._lock:
            return [*self._tracked.get((party, number), ())]

    def _note(self, matter: UUID, event: Event) -> None:
        if isinstance(event, MatterErased):
            for numbers in (self._dockets, self._tracked):
                for matters in numbers.values():
                    matters.pop(matter, None)
        if event.party_id is None:
            return
        match event:
            case CaseFiled(docket=docket, tracking_number=tracking):
                self._dockets[event.party_id, docket][matter] = None
                if tracking is not None:
                    self._tracked[event.party_id, tracking][matter] = None
            case CaseEntered(docket=docket) | WarrantIssued(docket=str() as docket):
                self._dockets[event.party_id, docket][matter] = None
            case CaseRenumbered(before=before, docket=docket):
                self._dockets[event.party_id, before][matter] = None
                self._dockets[event.party_id, docket][matter] = None
            case _:
                pass
