"""How the roster stands, folded from the log as it grows."""

from __future__ import annotations

from dataclasses import dataclass, field
from threading import Lock

from domain.roster import TOPICS, Roster, roster
from services.ports import Log


@dataclass(slots=True)
class Standing:
    """What the log says of the roster. `refresh` reads what is new."""

    log: Log
    _roster: Roster = field(default_factory=Roster)
    _position: int = 0
    _lock: Lock = field(default_factory=Lock)

    def refresh(self) -> Roster:
        """Read what was recorded since the last time, and return how the roster stands now."""
        with self._lock:
            if new := self.log.of_topics(TOPICS, self._position):
                self._roster, self._position = roster(new, self._roster), new[-1].position
            return self._roster
