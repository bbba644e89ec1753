"""The participant: who it is, the intake, and enrolment, which takes exactly two steps (T:403, T:1183)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, ClassVar
from uuid import UUID

from domain.event import Event, LongText, PersonName, Recorded, ShortText
from domain.labels import Label
from domain.refusal import Refused


class Enrolment(StrEnum):
    """Where a participant stands. Nobody is ever `failed` (T:278)."""

    REFERRED = "referred"
    ENROLLED = "enrolled"


class ParticipantIdentified(Event):
    """A party said who a person is. Stream: the participant."""

    topic: ClassVar[str] = "participant.identified"
    label: ClassVar[Label] = Label.IDENTITY_LEGAL
    requires: ClassVar[tuple[str, ...]] = ("participant_id", "party_id")

    name: Annotated[PersonName, Label.IDENTITY_LEGAL]
    birth_date: Annotated[date, Label.IDENTITY_LEGAL]


class IntakeCompleted(Event):
    """The psychosocial intake interview took place (T:403). `document_sha256` is that of a paper form's photo."""

    topic: ClassVar[str] = "intake.completed"
    label: ClassVar[Label] = Label.INTAKE_NARRATIVE
    requires: ClassVar[tuple[str, ...]] = ("participant_id", "party_id")

    narrative: Annotated[LongText, Label.INTAKE_NARRATIVE]
    race_self: Annotated[ShortText | None, Label.DEMOGRAPHICS_SELF] = None
    phone: Annotated[ShortText | None, Label.CONTACT_PHONE] = None
    document_sha256: Annotated[str | None, Label.INTAKE_NARRATIVE] = None


class ParticipantEnrolled(Event):
    """Both steps are done; it occurred when the later of them did, whenever it was written down."""

    topic: ClassVar[str] = "participant.enrolled"
    label: ClassVar[Label] = Label.ENROLMENT_STATUS
    requires: ClassVar[tuple[str, ...]] = ("participant_id", "party_id")

    status: Annotated[Enrolment, Label.ENROLMENT_STATUS] = Enrolment.ENROLLED


@dataclass(frozen=True, slots=True)
class Participant:
    """A participant's own stream, folded."""

    id: UUID
    version: int = 0
    intake_at: datetime | None = None
    enrolled_at: datetime | None = None


def participant(stream: UUID, history: Iterable[Recorded[Event]]) -> Participant:
    """Fold a participant's stream."""
    version, intake_at, enrolled_at = 0, None, None
    for recorded in history:
        version = recorded.version
        match recorded.event:
            case IntakeCompleted(occurred_at=at):
                intake_at = intake_at or at
            case ParticipantEnrolled(occurred_at=at):
                enrolled_at = at
            case _:
                pass
    return Participant(stream, version, intake_at, enrolled_at)


def complete_intake(who: Participant, event: IntakeCompleted) -> list[Event]:
    """Record the intake; one is enough."""
    if who.intake_at is not None:
        raise Refused("completed_at", "an intake is recorded already.", "Record what changed since as a contact.")
    return [event]


def enrol(who: Participant, care: UUID, intake_at: datetime | None, signed_at: datetime | None) -> list[Event]:
    """Enrol once both steps are done, in either order; nothing otherwise."""
    if who.enrolled_at is not None or intake_at is None or signed_at is None:
        return []
    return [ParticipantEnrolled(participant_id=who.id, party_id=care, occurred_at=max(intake_at, signed_at))]
