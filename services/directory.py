"""The directory: parties, staff and protocol, folded from the log. Whether an authority lives, the gate decides."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from threading import Lock
from uuid import UUID

from domain.protocol import NoProtocol, Protocol, ProtocolAdopted, in_force
from domain.refusal import Refused, Unknown
from domain.registry import (
    READS_AS,
    ParticipantAccess,
    PartyKind,
    PartyRegistered,
    Role,
    StaffEnded,
    StaffRegistered,
    staff_stream,
)
from services.ports import Log

TOPICS = tuple(
    kind.topic for kind in (PartyRegistered, StaffRegistered, ParticipantAccess, StaffEnded, ProtocolAdopted)
)


@dataclass(frozen=True, slots=True)
class Party:
    """An agency or other party."""

    id: UUID
    code: str
    name: str
    kind: PartyKind


@dataclass(frozen=True, slots=True)
class Staff:
    """A person of a party, in one role."""

    id: UUID
    party: UUID
    name: str
    role: Role
    subject: str
    ended: bool = False

    @property
    def is_stream(self) -> bool:
        """Whether it is a living account by which a party's system reads its stream."""
        return self.role is Role.STREAM and not self.ended


@dataclass(slots=True)
class Directory:
    """What the log says of parties, staff and protocols. `refresh` reads what is new; nothing here ever expires."""

    log: Log
    parties: dict[UUID, Party] = field(default_factory=dict)
    staff: dict[UUID, Staff] = field(default_factory=dict)
    protocols: list[Protocol] = field(default_factory=list)
    _position: int = 0
    _lock: Lock = field(default_factory=Lock)

    def refresh(self) -> None:
        """Read what was registered, ended or adopted since the last time."""
        with self._lock:
            for recorded in self.log.of_topics(TOPICS, self._position):
                self._position = recorded.position
                match recorded.event:
                    case PartyRegistered(party_id=UUID() as party) as event:
                        self.parties[party] = Party(party, event.code, event.name, event.kind)
                    case StaffRegistered(party_id=UUID() as party, staff_id=UUID() as staff) as event:
                        self.staff[staff] = Staff(staff, party, event.name, event.role, event.subject)
                    case ParticipantAccess(party_id=UUID() as party, staff_id=UUID() as staff):
                        self.staff[staff] = Staff(staff, party, "participant", Role.PARTICIPANT, "")
                    case StaffEnded(staff_id=UUID() as staff) if staff in self.staff:
                        known = self.staff[staff]
                        self.staff[staff] = Staff(staff, known.party, known.name, known.role, known.subject, ended=True)
                    case ProtocolAdopted() as event:
                        self.protocols.append(event.protocol)
                    case _:
                        pass

    def protocol(self, at: datetime) -> Protocol:
        """Return the protocol in force; raises `NoProtocol` where none is."""
        return in_force(self.protocols, at)

    def version(self, name: str) -> Protocol:
        """Return an adopted version; raises `NoProtocol`."""
        for adopted in self.protocols:
            if adopted.version == name:
                return adopted
        raise NoProtocol(f"the protocol {name} was never adopted")

    def known(self, subject: str) -> Staff | None:
        """Return who the identity provider calls by this name, as far as was read."""
        person = self.staff.get(staff_stream(subject))
        return None if person is None or person.ended else person

    def by_subject(self, subject: str) -> Staff | None:
        """Return who the identity provider calls by this name, if the person's authority has not ended."""
        if (person := self.known(subject)) is None:
            self.refresh()
            person = self.known(subject)
        return person

    def by_code(self, code: str, name: str) -> Party:
        """Return the party of this code; raises `Refused` naming the input `name`."""
        for party in list(self.parties.values()):
            if party.code == code:
                return party
        known = ", ".join(sorted(p.code for p in self.parties.values() if p.kind in READS_AS))
        raise Refused(name, "no party here is called so.", f"Parties are: {known or 'none yet'}.")

    def office(self, code: str, name: str) -> Party:
        """Return the prosecutor's office of this code; raises `Refused` naming the input `name`."""
        party = self.by_code(code, name)
        if party.kind is not PartyKind.PROSECUTOR:
            raise Refused(name, "it is not a prosecutor's office.", "Name the office to which the matter belongs.")
        return party

    def party(self, party: UUID) -> Party:
        """Return a party; raises `Unknown`."""
        if party not in self.parties:
            self.refresh()
        if party not in self.parties:
            raise Unknown
        return self.parties[party]
