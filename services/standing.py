"""How the roster and the referrals stand, folded from the log as it grows."""

from __future__ import annotations

from dataclasses import dataclass, field
from threading import Lock
from uuid import UUID

from domain import roster
from domain.door import ReferralDeclined, ReferralScreened
from domain.referral import STARTS, Referral, ReferralAccepted, referral
from domain.roster import Roster
from services.ports import Log

_WAITING = tuple(kind.topic for kind in (*STARTS, ReferralScreened, ReferralAccepted, ReferralDeclined))
"""What says whether a referral waits for a slot."""


@dataclass(slots=True)
class Standing:
    """What the log says of the roster and of the referrals. Each is asked for by name, and reads what is new."""

    log: Log
    _roster: Roster = field(default_factory=Roster)
    _roster_position: int = 0
    _referrals: dict[UUID, Referral] = field(default_factory=dict)
    _referrals_position: int = 0
    _lock: Lock = field(default_factory=Lock)

    def roster(self) -> Roster:
        """Read what was recorded since the last time, and return how the roster stands now."""
        with self._lock:
            if new := self.log.of_topics(roster.TOPICS, self._roster_position):
                self._roster, self._roster_position = roster.roster(new, self._roster), new[-1].position
            return self._roster

    def waiting(self) -> list[Referral]:
        """Read what was recorded since the last time, and return the referrals that wait for a slot."""
        with self._lock:
            for recorded in self.log.of_topics(_WAITING, self._referrals_position):
                state = referral([recorded], self._referrals.get(recorded.stream))
                if state is not None:
                    self._referrals[recorded.stream] = state
                self._referrals_position = recorded.position
            return [state for state in self._referrals.values() if state.waits]
