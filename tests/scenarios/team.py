"""A case-management team of a size: as many participants for each as a story needs, carried at one stroke."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

from adapters.simulation.cast import callers
from domain.event import Event, PersonName
from domain.participant import ParticipantIdentified
from domain.roster import ROSTER, ParticipantAssigned
from services.roster import standing
from services.site import Site, append
from tests.site import Person, SiteUnderTest

MANAGERS = ("dana", "luis", "grace", "omar", "tess")


class Team:
    """Five case managers, their supervisor and the project manager, who carry nobody yet."""

    def __init__(self, lead: SiteUnderTest) -> None:
        self.lead, self.pat, self.noor = lead, lead.person("pat"), lead.person("noor")
        for subject in MANAGERS[3:]:
            hers = {"party": "lead-care", "name": subject.title(), "role": "case_manager", "subject": subject}
            self.pat.do("/v1/register/staff", hers)
        self.staff = callers(self.site)
        self.people: dict[str, list[str]] = {subject: [] for subject in MANAGERS}

    @property
    def site(self) -> Site:
        return self.lead.parts.site

    def carries(self, *counts: int) -> None:
        """Let each case manager, in their order, carry this many."""
        for subject, count in zip(MANAGERS, counts, strict=True):
            her, now = self.staff[subject], self.site.log.now()
            people = [self._person() for _ in range(count)]
            assigned = [
                ParticipantAssigned(
                    participant_id=who,
                    party_id=her.party,
                    staff_id=her.staff,
                    occurred_at=now,
                    case_manager=her.name,
                    phone=self.site.protocol().team_number,
                )
                for who in people
            ]
            self._record(ROSTER, standing(self.site).version, *assigned)
            self.people[subject] += [self.site.ids.seal(her.party, who) for who in people]

    def newcomer(self) -> str:
        """Return care's id of someone whom nobody carries."""
        return self.site.ids.seal(self.staff["dana"].party, self._person())

    def capacity(self) -> dict[str, Any]:
        """Return what the project manager reads now."""
        self.lead.settle()
        return self.pat.see("/v1/program/capacity")

    def assign(self, who: Person, participant: str, case_manager: str) -> Any:
        """Let someone assign a participant; return the answer."""
        return who.post(f"/v1/participants/{participant}/assignment", {"case_manager": case_manager})

    def _person(self) -> UUID:
        who = uuid4()
        event = ParticipantIdentified(
            participant_id=who,
            party_id=self.staff["kim"].party,
            occurred_at=self.site.log.now(),
            name=PersonName(given="Ray", surname=f"Bell {who.hex[:6]}"),
            birth_date=self.site.log.now().date().replace(year=1980),
        )
        self._record(who, 0, event)
        return who

    def _record(self, stream: UUID, version: int, *events: Event) -> None:
        self.site.log.record([append(stream, version, *events)], self.staff["kim"].envelope())
