"""A participant's record, event by event, as far as one reader may read it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Annotated, Any, NamedTuple
from uuid import UUID

from domain.event import Event, Recorded, labels_of
from domain.finding import FindingRaised
from domain.labels import Label, Shown
from domain.participant import IntakeCompleted, ParticipantEnrolled, ParticipantIdentified
from domain.roi import RoiSigned, grants
from domain.roster import ParticipantAssigned
from projections.lens import PLACES, History, Lens, is_id, plain
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
    bases: frozenset[Shown]

    @property
    def agency(self) -> UUID | None:
        """Whose action a finding is about: it is read by the agency's code, as no other id of a body is."""
        event = self.recorded.event
        return event.agency if isinstance(event, FindingRaised) else None


def seen(history: History, lens: Lens) -> Iterator[Seen]:
    """Yield every event that the viewer may know of, with what it may see of it; ids of the log stay in it.

    An entry tells an event's kind and time. So it rests on the event's own label: one field of it is not enough.
    """
    for recorded in history.events:
        event, known, body, labels, bases = recorded.event, False, {}, set[Label](), set[Shown]()
        for name in labels_of(type(event)):
            decision = lens.decide(recorded, name)
            if not isinstance(decision, Shown):
                continue
            value = getattr(event, name)
            if name == "occurred_at":
                known = True
                labels |= event.subject_labels(name)
            elif name in recorded.erased or value is None or is_id(value):
                continue
            else:
                body[name] = plain(value, without=PLACES)
                labels |= event.subject_labels(name)
            bases.add(decision)
        if known:
            yield Seen(recorded, body, " ".join(sorted(labels)), frozenset(bases))


def entry_of(history: History, one: Seen) -> dict[str, Any]:
    """Return the columns of an entry that is read by role."""
    return {
        "subject_id": history.subject,
        "as_of": history.position,
        "occurred_at": one.recorded.event.occurred_at,
        "recorded_at": one.recorded.recorded_at,
        "entry_id": one.recorded.id,
        "stream_id": one.recorded.stream,
        "matter_id": one.recorded.event.matter_id,
        "kind": one.recorded.event.topic,
        "shown": one.shown,
        "body": one.body,
    }


def recipients(history: History, at: datetime) -> Iterator[dict[str, Any]]:
    """Yield the columns of what consent gives each party now."""
    for party, grant in grants(history.events).items():
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


@dataclass(slots=True)
class Standing:
    """The standing facts that a viewer sees; a later one takes the place of an earlier one."""

    values: dict[str, Any] = field(default_factory=dict)
    labels: set[Label] = field(default_factory=set)

    @property
    def name(self) -> str | None:
        """The person's name, if it may be seen."""
        found = self.values.get("name")
        return None if found is None else str(found)

    @property
    def birth_date(self) -> date | None:
        """The person's birth date, if it may be seen."""
        found: date | None = self.values.get("birth_date")
        return found

    @property
    def shown(self) -> str:
        """The labels of what is seen, in order, separated by spaces."""
        return " ".join(sorted(self.labels))


# Which field of which event says what of a person.
_STANDING: dict[type[Event], dict[str, str]] = {
    ParticipantIdentified: {"name": "name", "birth_date": "birth_date"},
    ParticipantEnrolled: {"status": "enrolment"},
    ParticipantAssigned: {"case_manager": "case_manager", "phone": "call"},
    IntakeCompleted: {"phone": "phone"},
    RoiSigned: {"roi": "roi"},
}


def standing(history: History, lens: Lens) -> Standing:
    """Return the standing facts as the viewer sees them."""
    found = Standing()
    for recorded in history.of(*_STANDING):
        for name, called in _STANDING[type(recorded.event)].items():
            decision, value = lens.decide(recorded, name), getattr(recorded.event, name)
            if isinstance(decision, Shown) and name not in recorded.erased and value is not None:
                found.values[called] = value
                found.labels |= recorded.event.subject_labels(name)
    return found


def is_participant(history: History) -> bool:
    """Return whether this is the record of a person in LEAD, not one about nobody."""
    return any(history.of(ParticipantIdentified))
