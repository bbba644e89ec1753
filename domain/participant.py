"""The participant: who it is, the intake, enrolment, which takes exactly two steps (T:403, T:1183), and what follows.

Nobody fails out (T:278): a participant is active or inactive, may be discharged and may return; capacity is no ground.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
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
    ACTIVE = "active"
    INACTIVE = "inactive"
    DISCHARGED = "discharged"
    DECEASED = "deceased"


IN_LEAD = frozenset({Enrolment.ENROLLED, Enrolment.ACTIVE, Enrolment.INACTIVE})
"""Enrolled. To a partner they are one: how active someone is would be a report on compliance (T:1145)."""


class Ground(StrEnum):
    """Why the team may discharge someone: not benefiting after long effort (T:280), or others' safety (T:282)."""

    NO_ENGAGEMENT = "sustained lack of engagement"
    NO_CHANGE = "no observable change for an extended period"
    HARM_TO_STAFF = "threat or harm to staff"
    OTHERS_SAFETY = "safety of other participants"


SUPERVISORS_GROUNDS = frozenset({Ground.HARM_TO_STAFF, Ground.OTHERS_SAFETY})
"""At the discretion of supervisors (T:282)."""


class ParticipantIdentified(Event):
    """A party said who a person is. Stream: the participant."""

    topic: ClassVar[str] = "participant.identified"
    label: ClassVar[Label] = Label.IDENTITY_LEGAL
    requires: ClassVar[tuple[str, ...]] = ("participant_id", "party_id")

    name: Annotated[PersonName, Label.IDENTITY_LEGAL]
    birth_date: Annotated[date, Label.IDENTITY_LEGAL]


class NameCorrected(Event):
    """The participant's name, or birth date, is another. From then on no party's older or later word changes it.

    The name before is no alias: it may be one that the person does not bear any more.
    """

    topic: ClassVar[str] = "participant.renamed"
    label: ClassVar[Label] = Label.IDENTITY_LEGAL
    requires: ClassVar[tuple[str, ...]] = ("participant_id", "party_id")

    name: Annotated[PersonName, Label.IDENTITY_LEGAL]
    birth_date: Annotated[date, Label.IDENTITY_LEGAL]


class AliasRecorded(Event):
    """Another name by which the participant is known."""

    topic: ClassVar[str] = "participant.alias"
    label: ClassVar[Label] = Label.IDENTITY_ALIAS
    requires: ClassVar[tuple[str, ...]] = ("participant_id", "party_id")

    alias: Annotated[ShortText, Label.IDENTITY_ALIAS]


class PhoneChanged(Event):
    """The participant is reached at another number, or at none. `shared`: others pick up or read it too."""

    topic: ClassVar[str] = "participant.phone"
    label: ClassVar[Label] = Label.CONTACT_PHONE
    requires: ClassVar[tuple[str, ...]] = ("participant_id", "party_id")

    phone: Annotated[ShortText | None, Label.CONTACT_PHONE]
    shared: Annotated[bool, Label.CONTACT_PHONE]


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


class StatusChanged(Event):
    """A participant became active or inactive, was discharged, returned or died. Why, only care and it itself see."""

    topic: ClassVar[str] = "participant.status"
    label: ClassVar[Label] = Label.ENROLMENT_STATUS
    requires: ClassVar[tuple[str, ...]] = ("participant_id", "party_id")

    status: Annotated[Enrolment, Label.ENROLMENT_STATUS]
    ground: Annotated[Ground | None, Label.CONTACT_NOTE] = None
    note: Annotated[LongText | None, Label.CONTACT_NOTE] = None
    protocol_version: Annotated[ShortText | None, Label.ENROLMENT_STATUS] = None


class RecordsMerged(Event):
    """Two records are of one person. Written on both: each stays what it is, with its own consent and its own ids."""

    topic: ClassVar[str] = "participant.merged"
    label: ClassVar[Label] = Label.IDENTITY_EXTERNAL
    requires: ClassVar[tuple[str, ...]] = ("participant_id", "party_id")

    other: Annotated[UUID, Label.IDENTITY_EXTERNAL]
    kept: Annotated[bool, Label.IDENTITY_EXTERNAL]
    why: Annotated[LongText, Label.CONTACT_NOTE]


class RecordsUnmerged(Event):
    """The two records are of two people after all. Written on both."""

    topic: ClassVar[str] = "participant.unmerged"
    label: ClassVar[Label] = Label.IDENTITY_EXTERNAL
    requires: ClassVar[tuple[str, ...]] = ("participant_id", "party_id")

    other: Annotated[UUID, Label.IDENTITY_EXTERNAL]
    why: Annotated[LongText, Label.CONTACT_NOTE]


@dataclass(frozen=True, slots=True)
class Participant:
    """A participant's own stream, folded. `enrolled_at`: since when it is in LEAD, None while it is not.

    `into`: the record that this one was merged into; `others`: those that were merged into this one.
    """

    id: UUID
    version: int = 0
    intake_at: datetime | None = None
    enrolled_at: datetime | None = None
    status: Enrolment = Enrolment.REFERRED
    since: datetime | None = None
    into: UUID | None = None
    others: frozenset[UUID] = frozenset()

    @property
    def records(self) -> tuple[UUID, ...]:
        """The records that care reads as this one, itself first."""
        return (self.id, *sorted(self.others))


def participant(stream: UUID, history: Iterable[Recorded[Event]]) -> Participant:
    """Fold a participant's own stream, out of whatever was recorded about it."""
    state = Participant(stream)
    for recorded in history:
        if recorded.stream == stream:
            state = replace(_apply(state, recorded), version=recorded.version)
    return state


def _apply(state: Participant, recorded: Recorded[Event]) -> Participant:
    match recorded.event:
        case IntakeCompleted(occurred_at=at):
            return replace(state, intake_at=state.intake_at or at)
        case ParticipantEnrolled(occurred_at=at):
            return replace(state, enrolled_at=at, status=Enrolment.ENROLLED, since=at)
        case StatusChanged(status=status, occurred_at=at):
            enrolled_at = (state.enrolled_at or at) if status in IN_LEAD else None
            return replace(state, enrolled_at=enrolled_at, status=status, since=at)
        case _ if recorded.erased:
            return state
        case RecordsMerged(other=other, kept=True):
            return replace(state, others=state.others | {other})
        case RecordsMerged(other=other):
            return replace(state, into=other)
        case RecordsUnmerged(other=other):
            return replace(state, into=None, others=state.others - {other})
        case _:
            return state


def complete_intake(who: Participant, event: IntakeCompleted) -> list[Event]:
    """Record the intake; one is enough."""
    if who.intake_at is not None:
        raise Refused("completed_at", "an intake is recorded already.", "Record what changed since as a contact.")
    return [event]


def enrol(who: Participant, care: UUID, intake_at: datetime | None, signed_at: datetime | None) -> list[Event]:
    """Enrol once both steps are done, in either order; nothing otherwise, nor for someone who was discharged."""
    if who.status is not Enrolment.REFERRED or intake_at is None or signed_at is None:
        return []
    return [ParticipantEnrolled(participant_id=who.id, party_id=care, occurred_at=max(intake_at, signed_at))]


def living(who: Participant) -> Participant:
    """Return the participant. Raises `Refused` for one who has died: nothing is given in its name any more."""
    if who.status is Enrolment.DECEASED:
        raise Refused("participant", "this participant has died.", "Nothing can be signed or shared any more.")
    return who


def become(who: Participant, event: StatusChanged) -> list[Event]:
    """Become active or inactive: a description, which nothing hangs on."""
    if who.status not in IN_LEAD:
        raise Refused("status", f"the participant is {who.status}.", "Only who is enrolled is active or inactive.")
    return [_in_order(who, event)]


def discharge(who: Participant, event: StatusChanged, *, by_supervisor: bool) -> list[Event]:
    """Discharge on one of the grounds that there are, saying what was tried (T:280, T:282). The ROI stands.

    What someone signed ends by its own word or day; an end of it here would tell every partner that something happened.
    """
    if who.status not in IN_LEAD:
        raise Refused("participant", f"the participant is {who.status}.", "Only who is enrolled can be discharged.")
    if event.ground in SUPERVISORS_GROUNDS and not by_supervisor:
        raise Refused("ground", "supervisors decide on it (T:282).", "Ask a supervisor to record it.")
    return [_in_order(who, event)]


def come_back(who: Participant, event: StatusChanged) -> list[Event]:
    """Return after a discharge, as circumstances have changed (T:280); intake and ROI need not be repeated."""
    if who.status is not Enrolment.DISCHARGED:
        raise Refused("participant", f"the participant is {who.status}.", "Only who was discharged can return.")
    return [_in_order(who, event)]


def die(who: Participant, event: StatusChanged) -> list[Event]:
    """Record a death, even one before what was written down since."""
    living(who)
    return [event]


def _in_order(who: Participant, event: StatusChanged) -> StatusChanged:
    if who.since is not None and event.occurred_at < who.since:
        raise Refused("since", f"the participant is {who.status} since later.", "Give the time at which it happened.")
    return event


def merge(kept: Participant, away: Participant, event: RecordsMerged) -> list[RecordsMerged]:
    """Merge one record into another: return what is written on the kept one and on the one merged away."""
    if kept.id == away.id:
        raise Refused("other", "it is the same record.", "Name the other record of this person.")
    if kept.into is not None or away.into is not None or away.others:
        raise Refused("other", "one of the two is merged already.", "Unmerge that first.")
    if away.enrolled_at is not None and kept.enrolled_at is None:
        raise Refused("other", "it is enrolled, and this one is not.", "Merge this one into it.")
    if (kept.status is Enrolment.DECEASED) != (away.status is Enrolment.DECEASED):
        raise Refused("other", "one of the two has died.", "Record the death on the other one first.")
    return [
        event.model_copy(update={"participant_id": kept.id, "other": away.id, "kept": True}),
        event.model_copy(update={"participant_id": away.id, "other": kept.id, "kept": False}),
    ]


def unmerge(away: Participant, event: RecordsUnmerged) -> list[RecordsUnmerged]:
    """Take two records apart: return what is written on the kept one and on the one that was merged away."""
    if away.into is None:
        raise Refused("participant", "it is not merged into another record.", "Name the record that was merged away.")
    return [
        event.model_copy(update={"participant_id": away.into, "other": away.id}),
        event.model_copy(update={"participant_id": away.id, "other": away.into}),
    ]
