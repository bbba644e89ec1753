"""The register of parties and staff: who takes part in LEAD at this site, and in which role (T:593-T:700)."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, ClassVar
from uuid import UUID, uuid5

from pydantic import StringConstraints

from domain.event import Event, ShortText
from domain.labels import Label, Reader

PartyCode = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{1,38}[a-z0-9]$")]


class PartyKind(StrEnum):
    """What a party is; it decides the column of the label table that its people read by.

    Counsel of record is a party of its own: privilege is personal, and a colleague in the same office another reader.
    """

    CARE = "care"
    PROGRAM = "program"
    POLICE = "police"
    PROSECUTOR = "prosecutor"
    COURT = "court"
    PROBATION = "probation"
    RECIPIENT = "recipient"
    DEFENDER = "defender"
    COUNSEL = "counsel"
    LEGAL_SERVICES = "legal_services"
    PERSON = "person"


class Role(StrEnum):
    """What a person does at the site. The names shown to people are the site's own; these are ours."""

    CASE_MANAGER = "case_manager"
    PEER = "peer"
    SUPERVISOR = "supervisor"
    OUTREACH = "outreach"
    LEGAL_ADVOCATE = "legal_advocate"
    PROJECT_MANAGER = "project_manager"
    PRIVACY_OFFICER = "privacy_officer"
    LIAISON_PROSECUTOR = "liaison_prosecutor"
    OFFICER = "officer"
    SERGEANT = "sergeant"
    COMMANDER = "commander"
    COURT_OFFICER = "court_officer"
    PROBATION_OFFICER = "probation_officer"
    RECIPIENT_CONTACT = "recipient_contact"
    DEFENDER_OBSERVER = "defender_observer"
    COUNSEL = "counsel"
    LEGAL_SERVICES = "legal_services"
    PARTICIPANT = "participant"
    SERVICE = "service"
    STREAM = "stream"


READER_OF: dict[Role, Reader] = {
    Role.CASE_MANAGER: Reader.CASE_MANAGER,
    Role.PEER: Reader.CASE_MANAGER,
    Role.SUPERVISOR: Reader.CASE_MANAGER,
    Role.OUTREACH: Reader.CASE_MANAGER,
    Role.LEGAL_ADVOCATE: Reader.CASE_MANAGER,
    Role.PROJECT_MANAGER: Reader.PROGRAM,
    Role.PRIVACY_OFFICER: Reader.PRIVACY,
    Role.LIAISON_PROSECUTOR: Reader.PROSECUTOR,
    Role.OFFICER: Reader.POLICE,
    Role.SERGEANT: Reader.POLICE,
    Role.COMMANDER: Reader.POLICE,
    Role.COURT_OFFICER: Reader.COURT,
    Role.PROBATION_OFFICER: Reader.COURT,
    Role.RECIPIENT_CONTACT: Reader.RECIPIENT,
    Role.DEFENDER_OBSERVER: Reader.OBSERVER,
    Role.COUNSEL: Reader.COUNSEL,
    Role.LEGAL_SERVICES: Reader.LEGAL_SERVICES,
    Role.PARTICIPANT: Reader.PARTICIPANT,
}

# Where each role sits, so that nobody reads by a column that is not the party's own.
KIND_OF: dict[Role, PartyKind] = {
    Role.CASE_MANAGER: PartyKind.CARE,
    Role.PEER: PartyKind.CARE,
    Role.SUPERVISOR: PartyKind.CARE,
    Role.OUTREACH: PartyKind.CARE,
    Role.LEGAL_ADVOCATE: PartyKind.CARE,
    Role.PROJECT_MANAGER: PartyKind.PROGRAM,
    Role.PRIVACY_OFFICER: PartyKind.PROGRAM,
    Role.LIAISON_PROSECUTOR: PartyKind.PROSECUTOR,
    Role.OFFICER: PartyKind.POLICE,
    Role.SERGEANT: PartyKind.POLICE,
    Role.COMMANDER: PartyKind.POLICE,
    Role.COURT_OFFICER: PartyKind.COURT,
    Role.PROBATION_OFFICER: PartyKind.PROBATION,
    Role.RECIPIENT_CONTACT: PartyKind.RECIPIENT,
    Role.DEFENDER_OBSERVER: PartyKind.DEFENDER,
    Role.COUNSEL: PartyKind.COUNSEL,
    Role.LEGAL_SERVICES: PartyKind.LEGAL_SERVICES,
    Role.PARTICIPANT: PartyKind.PERSON,
    Role.SERVICE: PartyKind.PROGRAM,
}

CARE = frozenset({Role.CASE_MANAGER, Role.PEER, Role.SUPERVISOR, Role.OUTREACH, Role.LEGAL_ADVOCATE})
"""The case-management team."""
CARRIES = frozenset({Role.CASE_MANAGER, Role.PEER, Role.SUPERVISOR})
"""Who of the team may carry participants; coordinators and advocates have no caseload (T:659, T:1119)."""
POLICE = frozenset({Role.OFFICER, Role.SERGEANT, Role.COMMANDER})
COMMAND = frozenset({Role.SERGEANT, Role.COMMANDER})
"""Who may override an exclusion (T:393)."""

READS_AS: dict[PartyKind, Reader] = {
    PartyKind.POLICE: Reader.POLICE,
    PartyKind.PROSECUTOR: Reader.PROSECUTOR,
    PartyKind.COURT: Reader.COURT,
    PartyKind.PROBATION: Reader.COURT,
    PartyKind.RECIPIENT: Reader.RECIPIENT,
    PartyKind.DEFENDER: Reader.OBSERVER,
}
"""The column by which a party that an ROI can name reads."""
RECEIVES = frozenset(READS_AS) - {PartyKind.DEFENDER}
"""To which parties LEAD publishes: those whose people read what an ROI gives. Such a party has an account of the role
`stream`, which reads nothing over HTTP but the keys of what was published; as anyone's, its authority ends at once."""
ADDRESSED_AS = READS_AS | {PartyKind.COUNSEL: Reader.COUNSEL}
"""The same of a party to which care can send a sentence; counsel's authority is another instrument."""


def kinds_of(role: Role) -> frozenset[PartyKind]:
    """Return the kinds of party that a role works for."""
    return RECEIVES if role is Role.STREAM else frozenset({KIND_OF[role]})


_STAFF = UUID("5c0b5d2a-5c5a-5d7e-8e38-6c3f8b1f2a44")


def staff_stream(subject: str) -> UUID:
    """Return the stream of the person whom the identity provider calls by this name."""
    return uuid5(_STAFF, subject)


class PartyRegistered(Event):
    """An agency or other party takes part in LEAD at this site. Stream: the party."""

    topic: ClassVar[str] = "party.registered"
    label: ClassVar[Label] = Label.REGISTRY
    requires: ClassVar[tuple[str, ...]] = ("party_id",)

    code: Annotated[PartyCode, Label.REGISTRY]
    name: Annotated[ShortText, Label.REGISTRY]
    kind: Annotated[PartyKind, Label.REGISTRY]


class StaffRegistered(Event):
    """A person works for a party, in one role. Stream: the member of staff.

    `subject` is what the identity provider calls the person.
    """

    topic: ClassVar[str] = "staff.registered"
    label: ClassVar[Label] = Label.REGISTRY
    requires: ClassVar[tuple[str, ...]] = ("party_id", "staff_id")

    name: Annotated[ShortText, Label.REGISTRY]
    role: Annotated[Role, Label.REGISTRY]
    subject: Annotated[ShortText, Label.REGISTRY]


class ParticipantAccess(Event):
    """A participant may sign in. The stream's id is made of the sign-in; nothing here names the person."""

    topic: ClassVar[str] = "access.given"
    label: ClassVar[Label] = Label.REGISTRY
    requires: ClassVar[tuple[str, ...]] = ("participant_id", "party_id", "staff_id")


class StaffEnded(Event):
    """A person's authority ended; it ends at once."""

    topic: ClassVar[str] = "staff.ended"
    label: ClassVar[Label] = Label.REGISTRY
    requires: ClassVar[tuple[str, ...]] = ("party_id", "staff_id")
