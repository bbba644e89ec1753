"""The year: stories told side by side in the order of time, drawn from one seed, through the site's own commands.

A story is a generator: it yields the moment at which it goes on, and then does what happens then. The same seed gives
the same acts at the same moments, whatever else is told beside them: each story draws from a chance of its own.
"""

from __future__ import annotations

import heapq
import random
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID, uuid4

from adapters.bootstrap import Parts, projectors
from adapters.postgres.projector import Projector
from adapters.simulation.cast import Clock, callers
from domain.labels import Reader
from domain.refusal import Refused
from domain.registry import Role
from projections.views import VIEWS
from services.ports import Caller
from services.site import Command, Site, carry_out

Story = Iterator[datetime]
T = TypeVar("T")


@dataclass(slots=True)
class Year:
    """A site, its clock, and who works there. `acts` counts commands by name, `refusals` those refused, by name."""

    site: Site
    clock: Clock
    seed: int
    begin: datetime
    end: datetime
    views: dict[Reader, Projector]
    staff: dict[str, Caller] = field(init=False)
    team: list[str] = field(init=False)
    acts: Counter[str] = field(default_factory=Counter)
    refusals: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        ids = self.chance("ids")
        self.site = replace(self.site, new_id=lambda: UUID(int=ids.getrandbits(128), version=4))
        self.staff = callers(self.site)
        self.team = [name for name, caller in self.staff.items() if caller.role is Role.CASE_MANAGER]

    def chance(self, name: str) -> random.Random:
        """Return the chance of one story: the same for the same seed and name."""
        return random.Random(f"{self.seed}/{name}")  # noqa: S311 - a story, not a secret

    def do(self, who: str, at: datetime, command: Command, **path: UUID) -> dict[str, Any]:
        """Let someone do something. Raises `Refused` as for anyone."""
        caller = self._at(who, at)
        named = {name: self.site.ids.seal(caller.party, value) for name, value in path.items()}
        try:
            answer = carry_out(self.site, caller, command, path=named).answer
        except Refused:
            self.refusals[type(command).__name__] += 1
            raise
        self.acts[type(command).__name__] += 1
        return answer

    def attempt(self, who: str, at: datetime, command: Command, **path: UUID) -> dict[str, Any] | None:
        """Let someone try something that may be refused; None if it was."""
        try:
            return self.do(who, at, command, **path)
        except Refused:
            return None

    def ask(self, who: str, at: datetime, question: Callable[[Site, Caller], T]) -> T:
        """Let someone ask, with the reader's view up to date."""
        caller = self._at(who, at)
        if caller.reader in self.views:
            while self.views[caller.reader].run_once():
                pass
        return question(self.site, caller)

    def known(self, who: str, text: str) -> UUID:
        """Return what someone's party calls by this id."""
        value = self.site.ids.open(self.staff[who].party, text)
        if value is None:
            raise ValueError("no id of this party")
        return value

    def named(self, who: str, value: UUID) -> str:
        """Return the id by which someone's party knows this."""
        return self.site.ids.seal(self.staff[who].party, value)

    def live(self, stories: Iterable[Story]) -> Iterator[datetime]:
        """Tell the stories side by side; yield each moment after what happened in it."""
        waiting: list[tuple[datetime, int, Story]] = []
        for n, story in enumerate(stories):
            self._wait(waiting, n, story)
        while waiting:
            at, n, story = heapq.heappop(waiting)
            self._wait(waiting, n, story)
            yield at

    def _wait(self, waiting: list[tuple[datetime, int, Story]], n: int, story: Story) -> None:
        following = next(story, None)
        if following is not None and following <= self.end:
            heapq.heappush(waiting, (following, n, story))

    def _at(self, who: str, at: datetime) -> Caller:
        self.clock.at(at)
        return replace(self.staff[who], correlation_id=uuid4())


def views(parts: Parts) -> dict[Reader, Projector]:
    """Return the runners by reader, to bring a view up to date before someone asks."""
    return dict(zip(VIEWS, projectors(parts), strict=True))
