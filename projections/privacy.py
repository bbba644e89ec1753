"""What the privacy officer reads: the state and scope of consent and who saw what; no content, and nobody's name."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated
from uuid import UUID

from domain.disclosure import CopyWithdrawn, ReceiptGiven
from domain.labels import Ceiling, Label, Reader, Viewer
from domain.retention import RETENTION, OrderCarriedOut, OrderReceived, ParticipantErased, retention
from domain.roi import RoiSigned
from projections.lens import NOBODY, History, Lens, Traced, plain
from projections.record import RoleEntry, RoleRecipient, entry_of, is_participant, recipients, seen
from projections.rows import ALLOWED, Holding, PartyId, Ref, RoleRow, Row, model

READER = Reader.PRIVACY
_ROLE = ALLOWED[Holding.ROLE]


@model(READER, "participant", order=("subject_id",))
@dataclass(frozen=True, slots=True, kw_only=True)
class Participant(RoleRow):
    """Somebody who has a record here, by an id: when its ROI was signed and ends, and whether an accounting waits."""

    signed_at: Annotated[datetime | None, Label.CONSENT_STATE]
    ends_at: Annotated[datetime | None, Label.CONSENT_STATE]
    suspended: Annotated[bool, Label.AUDIT_ACCESS]


@model(READER, "recipient", order=("subject_id", "party_id"))
@dataclass(frozen=True, slots=True, kw_only=True)
class Recipient(RoleRecipient):
    """What a participant's consent gives one party now."""


@model(READER, "entry", order=("subject_id", "occurred_at", "entry_id"), descending=True)
@dataclass(frozen=True, slots=True, kw_only=True)
class Entry(RoleEntry):
    """One act of consent, one telling by word of mouth, or one word of an agency's on the accounting."""

    agency_id: Annotated[UUID | None, PartyId("agency")]


@model(READER, "withdrawal", order=("receipt_by", "entry_id"))
@dataclass(frozen=True, slots=True, kw_only=True)
class Withdrawal(RoleRow):
    """A copy that a party was sent and that was withdrawn, and what the party has answered by now."""

    receipt_by: Annotated[datetime, Label.CONSENT_STATE]
    entry_id: Ref
    party_id: Annotated[UUID, PartyId("party")]
    withdrawn_at: Annotated[datetime, Label.CONSENT_STATE]
    receipt: Annotated[str | None, Label.CONSENT_STATE]
    answered_at: Annotated[datetime | None, Label.CONSENT_STATE]


@model(READER, "seal_order", order=("received_at", "entry_id"), descending=True)
@dataclass(frozen=True, slots=True, kw_only=True)
class SealOrder(RoleRow):
    """An order to seal, vacate or expunge: when it was carried out, or what it waits for."""

    received_at: Annotated[datetime, Label.AUDIT_ACCESS]
    entry_id: Ref
    order_kind: Annotated[str | None, Label.AUDIT_ACCESS]
    ordered_on: Annotated[date | None, Label.AUDIT_ACCESS]
    names: Annotated[str, Label.AUDIT_ACCESS]
    carried_out_at: Annotated[datetime | None, Label.AUDIT_ACCESS]
    waits_for: Annotated[list[str], Label.AUDIT_ACCESS]


def rows(history: History, ceiling: Ceiling, at: datetime, trace: list[Traced] | None = None) -> Iterator[Row]:
    """Yield every row that the privacy officer has of one participant."""
    if not is_participant(history) and not any(history.of(ParticipantErased)):
        return
    lens = Lens(Viewer(READER, NOBODY), None, ceiling, at, trace)
    signed = [r for r in history.of(RoiSigned) if "occurred_at" not in r.erased]
    yield Participant(
        subject_id=history.subject,
        as_of=history.position,
        signed_at=signed[-1].event.occurred_at if signed else None,
        ends_at=signed[-1].event.expires_at if signed else None,
        suspended=bool(history.silent_of(at)),
    )
    for columns in recipients(history, at):
        yield Recipient(**columns)
    for one in seen(history, lens):
        if one.shown != Label.REGISTRY:
            yield Entry(**entry_of(history, one), agency_id=one.agency)
    yield from _withdrawals(history, lens)
    yield from _seal_orders(history, lens)


def _seal_orders(history: History, lens: Lens) -> Iterator[SealOrder]:
    state = retention(history.subject, history.events)
    done = {carried.event.order: carried for carried in history.of(OrderCarriedOut)}
    for received in history.of(OrderReceived):
        matter, carried = received.event.matter, done.get(received.id)
        kind = lens.see(received, "order", _ROLE)
        if kind is None:
            continue
        waits = [] if carried else [*state.held(matter), *([RETENTION] if matter is None else [])]
        yield SealOrder(
            subject_id=history.subject,
            as_of=history.position,
            received_at=received.event.occurred_at,
            entry_id=history.id_of(received),
            order_kind=kind,
            ordered_on=lens.see(received, "ordered_on", _ROLE),
            names="the participant" if matter is None else "a matter",
            carried_out_at=carried.event.occurred_at if carried else None,
            waits_for=plain(waits),
        )


def _withdrawals(history: History, lens: Lens) -> Iterator[Withdrawal]:
    for withdrawn in history.of(CopyWithdrawn):
        receipt_by = lens.see(withdrawn, "receipt_by", _ROLE)
        if receipt_by is None or withdrawn.event.party_id is None:
            continue
        given = [
            r for r in history.stream(withdrawn.stream).of(ReceiptGiven) if r.event.version == withdrawn.event.version
        ]
        yield Withdrawal(
            subject_id=history.subject,
            as_of=history.position,
            receipt_by=receipt_by,
            entry_id=history.id_of(withdrawn),
            party_id=withdrawn.event.party_id,
            withdrawn_at=withdrawn.event.occurred_at,
            receipt=lens.see(given[-1], "receipt", _ROLE) if given else None,
            answered_at=given[-1].event.occurred_at if given else None,
        )
