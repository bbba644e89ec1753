"""What counsel of record may know of a client: what the client's signed authority names, and by role while it lives.

Everything stands behind the gate, so that it goes dark with the authority; counsel's own are referrals, asks and
concerns alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated, Any
from uuid import UUID

from domain.labels import Basis, Ceiling, Grant, Label, Reader, Viewer
from projections.ask import OwnAsk, OwnConcern, own_asks, own_concerns
from projections.lens import History, Lens, Traced
from projections.record import Seen, recipients, seen, standing
from projections.referrer import referred
from projections.rows import REFERENCE, AnyOf, GrantedRow, PartyId, Ref, Row, model, shown
from projections.task import TaskKind, not_told

READER = Reader.COUNSEL


@model(READER, "client", order=("subject_id",))
@dataclass(frozen=True, slots=True, kw_only=True)
class Client(GrantedRow):
    """A participant whose authority this counsel has. `roi`: the ROI that stands, for counsel to revoke."""

    name: Annotated[str | None, Label.IDENTITY_LEGAL]
    birth_date: Annotated[date | None, Label.IDENTITY_LEGAL]
    phone: Annotated[str | None, Label.CONTACT_PHONE]
    enrolment: Annotated[str | None, Label.ENROLMENT_STATUS]
    case_manager: Annotated[str | None, Label.CASE_MANAGER_CONTACT]
    call: Annotated[str | None, Label.CASE_MANAGER_CONTACT]
    roi: Annotated[UUID | None, REFERENCE, Label.CONSENT_STATE]
    authority_labels: Annotated[list[str], Label.CONSENT_SCOPE]


@model(READER, "recipient", order=("subject_id", "recipient_id"))
@dataclass(frozen=True, slots=True, kw_only=True)
class Recipient(GrantedRow):
    """What the client's consent gives one party now."""

    recipient_id: Annotated[UUID, PartyId("party")]
    labels: Annotated[list[str], Label.CONSENT_SCOPE]
    purpose: Annotated[str, Label.CONSENT_SCOPE]
    covers_from: Annotated[datetime | None, Label.CONSENT_SCOPE]
    ends_at: Annotated[datetime | None, Label.CONSENT_SCOPE]
    items: Annotated[int, Label.CONSENT_STATE]


@model(READER, "entry", order=("subject_id", "occurred_at", "entry_id"), descending=True)
@dataclass(frozen=True, slots=True, kw_only=True)
class Entry(GrantedRow):
    """One event of the client's history, as far as the authority goes. `agency`: whose action a finding is about."""

    occurred_at: Annotated[datetime, AnyOf()]
    entry_id: Ref
    stream_id: Ref
    matter_id: Annotated[UUID | None, REFERENCE]
    kind: Annotated[str, AnyOf()]
    agency_id: Annotated[UUID | None, PartyId("agency")]
    body: Annotated[dict[str, Any], AnyOf()]


@model(READER, "task", order=("due_at", "task_id"))
@dataclass(frozen=True, slots=True, kw_only=True)
class Task(GrantedRow):
    """Something to do for the client, as far as the authority lets counsel know of it."""

    due_at: Annotated[datetime, Label.CHARGE_DIVERTED]
    task_id: Ref
    kind: Annotated[str, Label.CHARGE_DIVERTED, Label.CONSENT_STATE]
    incident_number: Annotated[str, Label.CHARGE_DIVERTED]


@model(READER, "own_ask", order=("asked_at", "ask_id"), descending=True)
@dataclass(frozen=True, slots=True, kw_only=True)
class Ask(OwnAsk):
    """What this party asked or told, as it sent it."""


@model(READER, "own_concern", order=("raised_at", "concern_id"), descending=True)
@dataclass(frozen=True, slots=True, kw_only=True)
class Concern(OwnConcern):
    """A concern that this counsel raised, and its answer."""


def rows(history: History, ceiling: Ceiling, at: datetime, trace: list[Traced] | None = None) -> Iterator[Row]:
    """Yield every row that any counsel has of one subject."""
    yield from referred(history, READER, ceiling, at, trace)
    yield from own_asks(history, READER, Ask, ceiling, at, trace)
    yield from own_concerns(history, READER, Concern, ceiling, at, trace)
    for party, grant in history.grants.items():
        if grant.reader is READER:
            lens = Lens(Viewer(READER, party), grant, ceiling, at, trace)
            if grant.live_roi(at):
                yield from _client(history, lens, grant, at)
            for one in seen(history, lens):
                yield from _entry(history, party, grant, one)
            yield from _tasks(history, lens, grant)


def _client(history: History, lens: Lens, grant: Grant, at: datetime) -> Iterator[Row]:
    behind = _behind(history, lens, grant)
    client = standing(history, lens) | {"authority_labels": sorted(grant.labels or ())}
    yield Client(**behind, shown=shown(Client, client), **client)
    for columns in recipients(history, at):
        given = {name: columns[name] for name in ("labels", "purpose", "covers_from", "items")}
        yield Recipient(
            **behind,
            shown=f"{Label.CONSENT_SCOPE} {Label.CONSENT_STATE}",
            recipient_id=columns["party_id"],
            ends_at=columns["until"],
            **given,
        )


def _behind(history: History, lens: Lens, grant: Grant) -> dict[str, Any]:
    return {
        "subject_id": history.subject,
        "party_id": lens.viewer.party,
        "epoch": grant.epoch,
        "until": grant.until,
        "as_of": history.position,
        "authority": grant.roi,
    }


def _tasks(history: History, lens: Lens, grant: Grant) -> Iterator[Task]:
    """Yield the latched charges whose offices the client would not have told, where counsel may know of the charge.

    While the accounting is suspended for an office, none of its: that there is no task would say that it was told.
    """
    silent = history.silent_of(lens.at)
    for latched, due_at, office in not_told(history):
        if office in silent:
            continue
        incident_number = lens.see(latched, "incident_number", frozenset({Basis.GRANTED}))
        if incident_number is not None:
            yield Task(
                **_behind(history, lens, grant),
                shown=f"{Label.CHARGE_DIVERTED} {Label.CONSENT_STATE}",
                due_at=due_at,
                task_id=history.id_of(latched),
                kind=TaskKind.OFFICE_NOT_TOLD,
                incident_number=incident_number,
            )


def _entry(history: History, party: UUID, grant: Grant, one: Seen) -> Iterator[Entry]:
    item = next((basis.grant for basis in one.bases if basis.basis is Basis.ITEM), None)
    authority = item or grant.roi
    until = dict(grant.items).get(item) if item else grant.until
    if authority is None or until is None or not all(basis.grant for basis in one.bases):
        return  # the register is everyone's, and no fact about the client
    yield Entry(
        subject_id=history.subject,
        party_id=party,
        epoch=grant.epoch,
        until=until,
        as_of=history.position,
        authority=authority,
        shown=one.shown,
        occurred_at=one.recorded.event.occurred_at,
        entry_id=history.id_of(one.recorded),
        stream_id=history.stream_of(one.recorded),
        matter_id=one.recorded.event.matter_id,
        kind=one.recorded.event.topic,
        agency_id=one.agency,
        body=one.body,
    )
