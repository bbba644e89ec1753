"""The year: stories told side by side in the order of time, drawn from one seed, through the site's own commands.

A story is a generator: it yields the moment at which it goes on, and then does what happens then. The same seed gives
the same acts at the same moments: each person, and each story of the site's own, draws from a chance of its own.
"""

from __future__ import annotations

import heapq
import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, time, timedelta
from typing import Any, TypeVar
from uuid import UUID, uuid4

from adapters.bootstrap import Parts, projectors
from adapters.postgres.projector import Projector
from adapters.simulation.cast import TZ, Clock, callers
from adapters.simulation.people import Person
from domain.labels import Reader
from domain.refusal import Refused, Unknown
from domain.registry import Role
from projections.views import VIEWS
from services.clocks import Clocks
from services.findings import Audit
from services.ports import Caller
from services.site import Command, Site, carry_out

Story = Iterator[datetime]
T = TypeVar("T")

BEAT = timedelta(days=1)
"""How often the site's clocks and its audit look: what they find occurred when it fell due."""
READ_AGAIN = timedelta(days=7)
"""How often a view is brought up to date for people who ask; what goes dark is dark at once, whatever is in it."""
MEETING = timedelta(days=14)
"""How often the operational work group meets."""


@dataclass(slots=True)
class Year:
    """A site, its clock, and who works there. `acts` counts commands by name, `refusals` those refused, by name.

    `people` are those whom the site has met so far; `team`: who carries participants.
    """

    parts: Parts
    clock: Clock
    seed: int
    begin: datetime
    end: datetime
    site: Site = field(init=False)
    staff: dict[str, Caller] = field(init=False)
    team: list[str] = field(init=False)
    people: list[Person] = field(default_factory=list)
    acts: Counter[str] = field(default_factory=Counter)
    refusals: Counter[str] = field(default_factory=Counter)
    _clocks: Clocks = field(init=False)
    _audit: Audit = field(init=False)
    _views: dict[Reader, Projector] = field(init=False)
    _read: dict[Reader, datetime] = field(default_factory=dict)
    _waiting: list[tuple[datetime, int, Story]] = field(default_factory=list)
    _told: int = 0

    def __post_init__(self) -> None:
        ids = self.chance("ids")
        self.site = replace(self.parts.site, new_id=lambda: UUID(int=ids.getrandbits(128), version=4))
        self.staff = callers(self.site)
        self.team = [name for name, caller in self.staff.items() if caller.role is Role.CASE_MANAGER]
        self._clocks, self._audit = Clocks(self.site), Audit(self.site)
        self._views = dict(zip(VIEWS, projectors(self.parts), strict=True))

    def chance(self, name: str) -> random.Random:
        """Return the chance of one story: the same for the same seed and name."""
        return random.Random(f"{self.seed}/{name}")  # noqa: S311 - a story, not a secret

    @property
    def now(self) -> datetime:
        """The moment that is told."""
        return self.clock.moment

    def do(self, who: str, command: Command, **path: UUID) -> dict[str, Any]:
        """Let someone do something. Raises `Refused` as for anyone."""
        caller = self._caller(who)
        named = {name: self.site.ids.seal(caller.party, value) for name, value in path.items()}
        try:
            answer = carry_out(self.site, caller, command, path=named).answer
        except (Refused, Unknown):
            self.refusals[type(command).__name__] += 1
            raise
        self.acts[type(command).__name__] += 1
        return answer

    def attempt(self, who: str, command: Command, **path: UUID) -> dict[str, Any] | None:
        """Let someone try something that may be refused; None if it was."""
        try:
            return self.do(who, command, **path)
        except (Refused, Unknown):
            return None

    def ask(self, who: str, question: Callable[[Site, Caller], T]) -> T:
        """Let someone ask."""
        caller = self._caller(who)
        reader = caller.reader
        if reader is not None and self.now >= self._read.get(reader, self.begin) + READ_AGAIN:
            self._read[reader] = self.now
            while self._views[reader].run_once():
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

    def meeting(self, at: datetime) -> datetime:
        """Return when the operational work group meets next."""
        first = datetime.combine(self.begin.astimezone(TZ).date(), time(10), TZ)
        return first + MEETING * ((at - first) // MEETING + 1)

    def meet(self, person: Person) -> None:
        """Let the site meet someone; one of the team as it is then answers for the person."""
        person.manager = self.team[person.n % len(self.team)]
        self.people.append(person)

    def hire(self, subject: str) -> None:
        """Let someone new carry participants."""
        self.staff = callers(self.site)
        self.team.append(subject)

    def beat(self) -> None:
        """Let the site's clocks and its audit look."""
        self.acts["clocks fired"] += self._clocks.fire()
        self.acts["findings raised"] += self._audit.beat()

    def tell(self, story: Story) -> None:
        """Tell one more story beside the others."""
        following = next(story, None)
        if following is not None and following <= self.end:
            self._told += 1
            heapq.heappush(self._waiting, (following, self._told, story))

    def live(self) -> Iterator[datetime]:
        """Tell the stories side by side; yield each moment after what happened in it."""
        self.tell(self._beats())
        while self._waiting:
            at, _, story = heapq.heappop(self._waiting)
            self.clock.stand(at)
            self.tell(story)
            yield at

    def _beats(self) -> Story:
        at = self.begin
        while True:
            yield (at := at + BEAT)
            self.beat()

    def _caller(self, who: str) -> Caller:
        return replace(self.staff[who], correlation_id=uuid4())
