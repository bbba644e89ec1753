"""A participant's record, event by event, as far as one reader may read it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, NamedTuple
from uuid import UUID

from domain.event import Event, Recorded
from domain.finding import FindingRaised
from domain.labels import Basis, Label, Reader, Shown
from domain.participant import (
    IntakeCompleted,
    NameCorrected,
    ParticipantEnrolled,
    ParticipantIdentified,
    PhoneChanged,
    StatusChanged,
)
from domain.roi import RoiSigned
from domain.roster import ParticipantAssigned, ParticipantReleased
from domain.suspension import AccountingResumed, AccountingSuspended
from projections.lens import History, Lens
from projections.rows import REFERENCE, AnyOf, PartyId, Ref, RoleRow


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleEntry(RoleRow):
    """One event of a participant's history, as far as this reader reads it by role."""

    occurred_at: Annotated[datetime, AnyOf()]
    recorded_at: Annotated[datetime, AnyOf()]
    entry_id: Ref
    stream_id: Ref
    matter_id: Annotated[UUID | None, REFERENCE]
    kind: Annotated[str, AnyOf()]
    shown: Annotated[str, AnyOf()]
    body: Annotated[dict[str, Any], AnyOf()]


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleRecipient(RoleRow):
    """What a participant's consent gives one party now."""

    party_id: Annotated[UUID, PartyId("party")]
    labels: Annotated[list[str], Label.CONSENT_SCOPE]
    purpose: Annotated[str, Label.CONSENT_SCOPE]
    covers_from: Annotated[datetime | None, Label.CONSENT_SCOPE]
    until: Annotated[datetime | None, Label.CONSENT_SCOPE]
    items: Annotated[int, Label.CONSENT_STATE]


class Seen(NamedTuple):
    """What one reader sees of one event: the values by field, their labels, and what each rests on."""

    recorded: Recorded[Event]
    body: dict[str, Any]
    shown: str
    bases: Sequence[Shown]

    @property
    def agency(self) -> UUID | None:
        """Whose action a finding is about, or for whom an accounting is suspended: no other id of a body is read."""
        event = self.recorded.event
        return event.agency if isinstance(event, FindingRaised | AccountingSuspended | AccountingResumed) else None


def seen(history: History, lens: Lens) -> Iterator[Seen]:
    """Yield every event that the viewer may know of, with what it may see of it; ids of the log stay in it.

    An entry tells an event's kind and time. So it rests on the event's own label: one field of it is not enough.
    """
    # A name of before is told to nobody but its bearer.
    before = frozenset[int]() if lens.viewer.reader is Reader.PARTICIPANT else names_before(history)
    kept_back = history.kept_back(lens.viewer.reader, lens.at)
    for recorded in history.read_by(lens.viewer.reader):
        if recorded.position in kept_back:
            continue
        decided = dict(lens.shown(recorded))
        if "occurred_at" in decided:
            told = {} if recorded.position in before else history.told(recorded)
            body = {name: told[name] for name in decided if name in told and name != "occurred_at"}
            bases = [decided[name] for name in ("occurred_at", *body)]
            yield Seen(recorded, body, labels_of_entry(recorded.event, body), bases)


def labels_of_entry(event: Event, body: Iterable[str]) -> str:
    """Return the labels of an event's time and of these fields, in order, separated by spaces."""
    return " ".join(sorted({label for name in ("occurred_at", *body) for label in event.subject_labels(name)}))


def entry_of(history: History, one: Seen) -> dict[str, Any]:
    """Return the columns of an entry that is read by role."""
    return {
        "subject_id": history.subject,
        "as_of": history.position,
        "occurred_at": one.recorded.event.occurred_at,
        "recorded_at": one.recorded.recorded_at,
        "entry_id": history.id_of(one.recorded),
        "stream_id": history.stream_of(one.recorded),
        "matter_id": one.recorded.event.matter_id,
        "kind": one.recorded.event.topic,
        "shown": one.shown,
        "body": one.body,
    }


def recipients(history: History, at: datetime) -> Iterator[dict[str, Any]]:
    """Yield the columns of what consent gives each party now."""
    for party, grant in history.grants.items():
        yield {
            "subject_id": history.subject,
            "as_of": history.position,
            "party_id": party,
            "labels": sorted(grant.labels or ()) if grant.live_roi(at) else [],
            "purpose": grant.purpose,
            "covers_from": grant.covers_from,
            "until": grant.until,
            "items": sum(1 for _, until in grant.items if until > at),
        }


# Which field of which event says what of a person now; None: that there is nothing any more.
_STANDING: dict[type[Event], dict[str, str | None]] = {
    ParticipantIdentified: {"name": "name", "birth_date": "birth_date"},
    NameCorrected: {"name": "name", "birth_date": "birth_date"},
    ParticipantEnrolled: {"enrolment": "status"},
    StatusChanged: {"enrolment": "status"},
    ParticipantAssigned: {"case_manager": "case_manager", "call": "phone"},
    ParticipantReleased: {"case_manager": None, "call": None},
    IntakeCompleted: {"phone": "phone"},
    PhoneChanged: {"phone": "phone"},
    RoiSigned: {"roi": "roi"},
}
_BASES = frozenset({Basis.ROLE, Basis.GRANTED})


def standing(history: History, lens: Lens) -> dict[str, Any]:
    """Return what is true of a person now, by the columns that show it, as far as the viewer may see it."""
    found: dict[str, Any] = dict.fromkeys(column for says in _STANDING.values() for column in says)
    before = names_before(history)
    for recorded in history.of(*_STANDING):
        if recorded.position in before or (isinstance(recorded.event, IntakeCompleted) and not recorded.event.phone):
            continue
        for column, name in _STANDING[type(recorded.event)].items():
            found[column] = lens.see(recorded, name, _BASES) if name else None
    return found | {"name": None if found["name"] is None else str(found["name"])}


def names(history: History) -> list[Recorded[Any]]:
    """Return the events that say a person's name: once it was corrected, no party's older or later word does."""
    return [*history.of(NameCorrected)] or [*history.of(ParticipantIdentified)]


def names_before(history: History) -> frozenset[int]:
    """Return where a name stands that the person does not bear any more, or that a party still uses."""
    corrected = [*history.of(NameCorrected)][-1:]
    said = history.of(ParticipantIdentified, NameCorrected)
    return frozenset(recorded.position for recorded in said if corrected and recorded.position != corrected[0].position)


def is_participant(history: History) -> bool:
    """Return whether this is the record of a person in LEAD, not one about nobody."""
    return any(history.of(ParticipantIdentified))
