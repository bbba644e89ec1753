"""Public record: what a court's own feed tells, the same for every party that the table lets read it (labels, P).

Nothing here says whether a person is in LEAD: neither an id of a participant, nor anything that came from care.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated, Any
from uuid import UUID

from domain.event import Event, Recorded
from domain.hearing import Hearing, hearings
from domain.identity import RecordSubject
from domain.labels import Basis, Ceiling, Label, Reader, Viewer
from domain.legal_case import CaseDisposed, CaseEntered, CaseFiled, CaseRenumbered, CaseUpdated, OrderEntered
from domain.warrant import ACTIVE, WarrantEnded, WarrantIssued
from projections.lens import NOBODY, History, Lens, Traced, plain
from projections.rows import ALLOWED, Holding, PartyId, PublicRow, Ref, Row

_PUBLIC = ALLOWED[Holding.PUBLIC]


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicCase(PublicRow):
    """A case on a court's docket. `court_id`: the court that tells of it, by its code."""

    docket: Annotated[str, Label.CASE_DOCKET]
    case_id: Ref
    court_id: Annotated[UUID, PartyId("told_by")]
    court: Annotated[str | None, Label.CASE_DOCKET]
    defendant: Annotated[str | None, Label.CASE_DOCKET]
    birth_date: Annotated[date | None, Label.CASE_DOCKET]
    charges: Annotated[list[dict[str, Any]], Label.CASE_DOCKET]
    filed_on: Annotated[date | None, Label.CASE_DOCKET]
    next_hearing: Annotated[datetime | None, Label.CASE_DOCKET]
    orders: Annotated[list[dict[str, Any]], Label.CASE_DOCKET]
    disposition: Annotated[str | None, Label.CASE_DOCKET]
    disposed_on: Annotated[date | None, Label.CASE_DOCKET]


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicHearing(PublicRow):
    """A hearing on a court's docket."""

    starts_at: Annotated[datetime, Label.CASE_DOCKET]
    hearing_id: Ref
    case_id: Ref
    court_id: Annotated[UUID, PartyId("told_by")]
    docket: Annotated[str, Label.CASE_DOCKET]
    kind: Annotated[str | None, Label.CASE_DOCKET]
    courtroom: Annotated[str | None, Label.CASE_DOCKET]
    outcome: Annotated[str | None, Label.CASE_DOCKET]


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicWarrant(PublicRow):
    """A warrant that a court issued, and whether it stands."""

    issued_on: Annotated[date, Label.WARRANT]
    warrant_id: Ref
    court_id: Annotated[UUID, PartyId("told_by")]
    number: Annotated[str, Label.WARRANT]
    kind: Annotated[str | None, Label.WARRANT]
    court: Annotated[str | None, Label.WARRANT]
    defendant: Annotated[str | None, Label.WARRANT]
    birth_date: Annotated[date | None, Label.WARRANT]
    docket: Annotated[str | None, Label.WARRANT]
    state: Annotated[str, Label.WARRANT]
    ended_on: Annotated[date | None, Label.WARRANT]


def public_record(
    history: History,
    reader: Reader,
    ceiling: Ceiling,
    at: datetime,
    trace: list[Traced] | None = None,
    *,
    case: Callable[..., Row] | None = None,
    hearing: Callable[..., Row] | None = None,
    warrant: Callable[..., Row] | None = None,
) -> Iterator[Row]:
    """Yield what courts tell of one subject, in the tables that this kind of reader has."""
    lens = Lens(Viewer(reader, NOBODY), None, ceiling, at, trace)
    for entered in history.of(CaseEntered):
        if lens.see(entered, "docket", _PUBLIC) is None:
            continue
        same = history.stream(entered.stream)
        docket = docket_now(lens, same, _PUBLIC)
        if case is not None:
            yield case(**_case(lens, same, entered, docket))
        if hearing is not None:
            for told in hearings([r for r in same.events if r.event.is_public()]).values():
                yield hearing(**_hearing(lens, same, told, docket))
    for issued in history.of(WarrantIssued):
        number = lens.see(issued, "number", _PUBLIC)
        if warrant is not None and number is not None:
            yield warrant(**_warrant(lens, history.stream(issued.stream), issued, number))


def docket_now(lens: Lens, case: History, bases: frozenset[Basis]) -> str:
    """Return the number under which a case, or a warrant of it, stands now."""
    told = [
        lens.see(recorded, "docket", bases)
        for recorded in case.of(CaseFiled, CaseEntered, WarrantIssued, CaseRenumbered)
    ]
    return next((docket for docket in reversed(told) if docket is not None), "")


def charges_now(lens: Lens, case: History, bases: frozenset[Basis]) -> list[dict[str, Any]]:
    """Return a case's charges as they stand."""
    told = [lens.see(recorded, "charges", bases) for recorded in case.of(CaseFiled, CaseEntered, CaseUpdated)]
    return plain(next((charges for charges in reversed(told) if charges is not None), []))  # type: ignore[no-any-return]


def defendant_now(lens: Lens, case: History, bases: frozenset[Basis]) -> RecordSubject | None:
    """Return whom a case is against, as its party says now."""
    told = [lens.see(recorded, "defendant", bases) for recorded in case.of(CaseFiled, CaseEntered, CaseUpdated)]
    return next((who for who in reversed(told) if who is not None), None)


def next_hearing(lens: Lens, case: History, bases: frozenset[Basis]) -> datetime | None:
    """Return when the first hearing of a case begins that is not over."""
    starts = [lens.see(told.told, "starts_at", bases) for told in hearings(case.events).values() if told.ended is None]
    return min((start for start in starts if start is not None), default=None)


def last(lens: Lens, case: History, kind: type[Event], name: str, bases: frozenset[Basis]) -> Any:
    """Return what the last event of a kind says that the viewer is told of."""
    said = (lens.see(recorded, name, bases) for recorded in reversed(list(case.of(kind))))
    return next((value for value in said if value is not None), None)


def _case(lens: Lens, case: History, entered: Recorded[CaseEntered], docket: str) -> dict[str, Any]:
    who = defendant_now(lens, case, _PUBLIC)
    orders = [
        {name: plain(lens.see(order, name, _PUBLIC)) for name in ("kind", "ordered_on")}
        for order in case.of(OrderEntered)
        if order.event.is_public()
    ]
    return {
        "subject_id": case.subject,
        "docket": docket,
        "case_id": entered.stream,
        "court_id": entered.event.party_id,
        "court": lens.see(entered, "court", _PUBLIC),
        "defendant": str(who.name) if who else None,
        "birth_date": who.birth_date if who else None,
        "charges": charges_now(lens, case, _PUBLIC),
        "filed_on": lens.see(entered, "filed_on", _PUBLIC),
        "next_hearing": next_hearing(lens, case, _PUBLIC),
        "orders": orders,
        "disposition": last(lens, case, CaseDisposed, "outcome", _PUBLIC),
        "disposed_on": last(lens, case, CaseDisposed, "disposed_on", _PUBLIC),
    }


def _hearing(lens: Lens, case: History, told: Hearing, docket: str) -> dict[str, Any]:
    return {
        "subject_id": case.subject,
        "starts_at": told.starts_at,
        "hearing_id": told.opened.id,
        "case_id": told.opened.stream,
        "court_id": told.opened.event.party_id,
        "docket": docket,
        "kind": lens.see(told.opened, "hearing_kind", _PUBLIC),
        "courtroom": lens.see(told.told, "courtroom", _PUBLIC),
        "outcome": lens.see(told.ended, "outcome", _PUBLIC) if told.ended else None,
    }


def _warrant(lens: Lens, history: History, issued: Recorded[WarrantIssued], number: str) -> dict[str, Any]:
    who = lens.see(issued, "defendant", _PUBLIC)
    return {
        "subject_id": history.subject,
        "issued_on": issued.event.issued_on,
        "warrant_id": issued.stream,
        "court_id": issued.event.party_id,
        "number": number,
        "kind": lens.see(issued, "warrant_kind", _PUBLIC),
        "court": lens.see(issued, "court", _PUBLIC),
        "defendant": str(who.name) if who else None,
        "birth_date": who.birth_date if who else None,
        "docket": docket_now(lens, history, _PUBLIC) or None,
        "state": last(lens, history, WarrantEnded, "outcome", _PUBLIC) or ACTIVE,
        "ended_on": last(lens, history, WarrantEnded, "ended_on", _PUBLIC),
    }
