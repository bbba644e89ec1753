"""The last slot, asked for by several processes at once: one gets it. Where there is room, all are served (T:1129)."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, date, datetime
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from adapters.bootstrap import Database as SiteDatabase
from adapters.bootstrap import Parts, opened
from adapters.settings import Settings
from adapters.simulation.cast import callers, set_up
from domain.event import Envelope, Event, PersonName
from domain.participant import ParticipantIdentified
from domain.roster import ROSTER, Leaving, ParticipantAssigned, ParticipantReleased
from services import referrals
from services.ports import NOBODY
from services.roster import standing
from services.site import append, carry_out
from tests.conftest import Database

pytestmark = pytest.mark.server
ROOT = Path(__file__).parents[2]
ROUNDS = 20
AT_ONCE = 8


class Team:
    """A site whose processes each carry out one act when told to, all at the same moment."""

    def __init__(self, parts: Parts) -> None:
        self.parts, self.staff = parts, callers(parts.site)
        self.processes: list[subprocess.Popen[str]] = []

    def begin(self, db: Database, processes: int) -> None:
        """Start the processes."""
        command = [sys.executable, "-m", "tests.properties.rostered", db.owner_url, db.prefix, str(db.secrets.folder)]
        for _ in range(processes):
            pipe = subprocess.PIPE
            self.processes.append(subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, text=True))
        assert [self._said(process) for process in self.processes] == ["ready"] * processes

    def end(self) -> None:
        """End them."""
        for process in self.processes:
            process.kill()
            process.communicate(timeout=30)

    def person(self) -> UUID:
        """Return someone whom an officer named, and whom nobody carries yet."""
        who = uuid4()
        kim = self.staff["kim"].party
        name = PersonName(given="Ray", surname="Bell")
        now = datetime.now(UTC)
        said = ParticipantIdentified(
            participant_id=who, party_id=kim, occurred_at=now, name=name, birth_date=date(1980, 1, 1)
        )
        self._record(who, 0, said)
        return who

    def referred(self) -> tuple[UUID, UUID]:
        """Return someone whom an officer offers diversion, and the referral: it can be accepted."""
        kim, number = self.staff["kim"], uuid4().hex
        offer = referrals.OfferDiversion(
            door="arrest_diversion",
            person=referrals.Person(given="Ray", surname=number, birth_date=date(1980, 1, 1)),
            incident_number=number,
            place="x",
            facts="x",
            charges=(referrals.HeldCharge(code="23C", description="x", severity="x", prosecutor="county-pa"),),
        )
        site = self.parts.site
        made = carry_out(site, kim, offer).answer
        who, referral = (site.ids.open(kim.party, made[name]) for name in ("participant", "referral"))
        assert who is not None
        assert referral is not None
        return who, referral

    def carries(self, subject: str, count: int) -> list[UUID]:
        """Let a case manager carry this many more."""
        who, her = [self.person() for _ in range(count)], self.staff[subject]
        assigned = [
            ParticipantAssigned(
                participant_id=each,
                party_id=her.party,
                staff_id=her.staff,
                occurred_at=datetime.now(UTC),
                case_manager=her.name,
                phone="x",
            )
            for each in who
        ]
        self._record(ROSTER, standing(self.parts.site).version, *assigned)
        return who

    def leaves(self, *who: UUID) -> None:
        """Free the places of these."""
        party, now = self.staff["dana"].party, datetime.now(UTC)
        gone = [
            ParticipantReleased(participant_id=each, party_id=party, occurred_at=now, reason=Leaving.DISCHARGED)
            for each in who
        ]
        self._record(ROSTER, standing(self.parts.site).version, *gone)

    def at_once(self, *acts: str) -> list[str]:
        """Let each process do its act; return what each says of it."""
        busy = self.processes[: len(acts)]
        for process, act in zip(busy, acts, strict=True):
            assert process.stdin
            process.stdin.write(act + "\n")
        for process in busy:
            assert process.stdin
            process.stdin.flush()
        return [self._said(process) for process in busy]

    def loads(self) -> Counter[str]:
        """How many each case manager carries."""
        people = self.parts.site.directory.staff
        return Counter({people[who].subject: count for who, count in standing(self.parts.site).loads.items()})

    def _record(self, stream: UUID, version: int, *events: Event) -> None:
        envelope = Envelope(actor=None, role="test", agency=NOBODY, correlation_id=uuid4())
        self.parts.log.record([append(stream, version, *events)], envelope)

    @staticmethod
    def _said(process: subprocess.Popen[str]) -> str:
        assert process.stdout
        return process.stdout.readline().strip()


@pytest.fixture
def team(site_db: Database) -> Iterator[Callable[[int], Team]]:
    """Begins a team of so many processes; none outlives the test."""
    db = SiteDatabase(site_db.owner_url, site_db.secrets, site_db.prefix)
    with ExitStack() as stack:
        parts = stack.enter_context(opened(db, Settings(environment="test", prefix=site_db.prefix)))
        set_up(parts.site, date(2026, 1, 1))

        def begin(processes: int) -> Team:
            made = Team(parts)
            stack.callback(made.end)
            made.begin(site_db, processes)
            return made

        yield begin


def test_the_last_slot_of_a_case_manager_goes_to_one(team: Callable[[int], Team]) -> None:
    """Luis and Grace have room left; Dana has one slot, and two want it."""
    site = team(2)
    hers = site.carries("dana", 24)
    for _ in range(ROUNDS):
        said = site.at_once(*(f"dana assign {site.person()}" for _ in range(2)))
        assert sorted(said) == ["case_manager", "done"]
        assert site.loads() == {"dana": 25}
        (last,) = standing(site.parts.site).carried_by.keys() - hers
        site.leaves(last)


def test_the_last_slot_of_the_site_goes_to_one_who_is_accepted(team: Callable[[int], Team]) -> None:
    """Two are accepted, or one is accepted while another is assigned: one has a place, the other is declined."""
    site = team(2)
    for who, count in (("dana", 25), ("luis", 25), ("grace", 24)):
        site.carries(who, count)
    before = set(standing(site.parts.site).carried_by)
    for n in range(ROUNDS):
        (_, rays), (ana, anas) = site.referred(), site.referred()
        said = site.at_once(f"dana accept {rays}", f"grace assign {ana}" if n % 2 else f"grace accept {anas}")
        assert said.count("done") == 1
        assert set(said) - {"done"} <= {"capacity", "case_manager"}
        state = standing(site.parts.site)
        placed = [*state.reserved, *(state.carried_by.keys() - before)]
        assert len(placed) == 1
        site.leaves(*placed)


def test_eight_at_once_are_all_carried_where_there_is_room(team: Callable[[int], Team]) -> None:
    site = team(AT_ONCE)
    managers = ("dana", "luis", "grace")
    for n in range(ROUNDS // 2):
        people = [site.referred() for _ in range(AT_ONCE)]
        acts = [f"accept {referral}" if n % 2 else f"assign {who}" for who, referral in people]
        said = site.at_once(*(f"{managers[k % 3]} {act}" for k, act in enumerate(acts)))
        assert said == ["done"] * AT_ONCE
        site.leaves(*(who for who, _ in people))
