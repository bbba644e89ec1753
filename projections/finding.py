"""Findings and missed diversions, as project manager, defender's observer and the office asked see them (T:489, T:491).

The observer knows the participant by a pseudonym alone: no number of a report and no free text, which could name it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated, Any, TypeVar
from uuid import UUID

from domain.event import Recorded
from domain.finding import ALARMS, Adverse, FindingAnswered, FindingAsked, FindingRaised, NamedSource, standing
from domain.identity import unlinked
from domain.labels import Ceiling, Label, Reader, Viewer
from domain.referral import ChargeLatched
from domain.stop_record import ArrestRecorded, NoOffer
from projections.lens import NOBODY, PLACES, History, Lens, Traced, plain
from projections.rows import ALLOWED, REFERENCE, Holding, OwnRow, PartyId, Ref, RoleRow, Row, model

_OWN, _ROLE = ALLOWED[Holding.OWN], ALLOWED[Holding.ROLE]


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingRow(RoleRow):
    """A finding with its evidence. `verdict` is that of today, with the office's answer; `raised_as` the first.

    `unanswered_since`: the office was asked then, and has said nothing. `latched_charge`: what was filed is a charge
    that will not be filed (T:1183), whichever was written down first; it alarms, whatever the verdict.
    """

    raised_at: Annotated[datetime, Label.FINDING]
    finding_id: Ref
    agency_id: Annotated[UUID, PartyId("agency")]
    person_id: Annotated[UUID | None, REFERENCE]
    action: Annotated[str, Label.FINDING]
    acted_at: Annotated[datetime, Label.FINDING]
    incident_on: Annotated[date | None, Label.FINDING]
    pre_enrolment_incident: Annotated[bool, Label.FINDING]
    latched_charge: Annotated[bool, Label.FINDING]
    verdict: Annotated[str, Label.FINDING]
    raised_as: Annotated[str, Label.FINDING]
    alarm: Annotated[bool, Label.FINDING]
    person_was_shown: Annotated[list[dict[str, Any]], Label.FINDING]
    agency_was_shown: Annotated[list[dict[str, Any]], Label.FINDING]
    source: Annotated[dict[str, Any] | None, Label.FINDING]
    answer: Annotated[dict[str, Any] | None, Label.FINDING]
    unanswered_since: Annotated[datetime | None, Label.FINDING]
    within_protocol: Annotated[bool, Label.FINDING]
    protocol_version: Annotated[str, Label.FINDING]


@model(Reader.PROGRAM, "finding", order=("raised_at", "finding_id"), descending=True)
@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramFinding(FindingRow):
    """A finding, to the project manager."""


@model(Reader.OBSERVER, "finding", order=("raised_at", "finding_id"), descending=True)
@dataclass(frozen=True, slots=True, kw_only=True)
class ObserverFinding(FindingRow):
    """A finding, to the defender's observer."""


@model(Reader.PROSECUTOR, "own_finding", order=("acted_at", "finding_id"), descending=True)
@dataclass(frozen=True, slots=True, kw_only=True)
class OwnFinding(OwnRow):
    """A question to this office about an action of its own, and its answer."""

    acted_at: Annotated[datetime, Label.FINDING]
    finding_id: Ref
    case_id: Ref
    action: Annotated[str | None, Label.FINDING]
    question: Annotated[str | None, Label.FINDING]
    answered_at: Annotated[datetime | None, Label.FINDING]
    answer: Annotated[dict[str, Any] | None, Label.FINDING]
    text: Annotated[str | None, Label.FINDING]


@dataclass(frozen=True, slots=True, kw_only=True)
class _ArrestRow(RoleRow):
    """An arrest for a divertible charge that led to no diversion; nobody is named."""

    arrested_at: Annotated[datetime, Label.STOP_RECORD]
    agency_id: Annotated[UUID, PartyId("agency")]
    code: Annotated[str, Label.STOP_RECORD]
    precinct: Annotated[str | None, Label.STOP_RECORD]
    unit: Annotated[str | None, Label.STOP_RECORD]
    race_as_perceived: Annotated[str | None, Label.STOP_RECORD]
    protocol_version: Annotated[str, Label.STOP_RECORD]


@dataclass(frozen=True, slots=True, kw_only=True)
class MissedDiversionRow(_ArrestRow):
    """Nothing was offered, and the reason that was stated."""

    reason: Annotated[str, Label.STOP_RECORD]


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferNotTakenRow(_ArrestRow):
    """Diversion was offered, and the person declined (T:1101)."""


@model(Reader.PROGRAM, "missed_diversion", order=("arrested_at", "subject_id"), descending=True)
@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramMissedDiversion(MissedDiversionRow):
    """A missed diversion, to the project manager."""


@model(Reader.OBSERVER, "missed_diversion", order=("arrested_at", "subject_id"), descending=True)
@dataclass(frozen=True, slots=True, kw_only=True)
class ObserverMissedDiversion(MissedDiversionRow):
    """A missed diversion, to the defender's observer."""


@model(Reader.PROGRAM, "offer_not_taken", order=("arrested_at", "subject_id"), descending=True)
@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramOfferNotTaken(OfferNotTakenRow):
    """An offer that was declined, to the project manager."""


@model(Reader.OBSERVER, "offer_not_taken", order=("arrested_at", "subject_id"), descending=True)
@dataclass(frozen=True, slots=True, kw_only=True)
class ObserverOfferNotTaken(OfferNotTakenRow):
    """An offer that was declined, to the defender's observer."""


F = TypeVar("F", bound=FindingRow)
M = TypeVar("M", bound=MissedDiversionRow)
N = TypeVar("N", bound=OfferNotTakenRow)


def program_rows(history: History, ceiling: Ceiling, at: datetime, trace: list[Traced] | None = None) -> Iterator[Row]:
    """Yield the project manager's findings, missed diversions and offers not taken of one subject."""
    lens = Lens(Viewer(Reader.PROGRAM, NOBODY), None, ceiling, at, trace)
    yield from _findings(history, lens, ProgramFinding)
    yield from _arrests(history, lens, ProgramMissedDiversion, ProgramOfferNotTaken)


def observer_rows(history: History, ceiling: Ceiling, at: datetime, trace: list[Traced] | None = None) -> Iterator[Row]:
    """Yield the observer's findings, missed diversions and offers not taken of one subject."""
    lens = Lens(Viewer(Reader.OBSERVER, NOBODY), None, ceiling, at, trace)
    yield from _findings(history, lens, ObserverFinding)
    yield from _arrests(history, lens, ObserverMissedDiversion, ObserverOfferNotTaken)


def office_rows(history: History, ceiling: Ceiling, at: datetime, trace: list[Traced] | None = None) -> Iterator[Row]:
    """Yield what prosecutors' offices were asked about one participant, each its own."""
    answers = _answers(history)
    for asked in history.of(FindingAsked):
        party, matter = asked.event.party_id, asked.event.matter_id
        if party is None or matter is None or asked.erased:
            continue
        lens = Lens(Viewer(Reader.PROSECUTOR, party), None, ceiling, at, trace)
        answered = answers.get(asked.stream)
        yield OwnFinding(
            subject_id=history.subject,
            party_id=party,
            acted_at=lens.see(asked, "acted_at", _OWN) or asked.event.occurred_at,
            finding_id=asked.stream,
            case_id=matter,
            action=lens.see(asked, "kind", _OWN),
            question=lens.see(asked, "question", _OWN),
            answered_at=lens.see(answered, "occurred_at", _OWN) if answered else None,
            answer=plain(lens.see(answered, "source", _OWN)) if answered else None,
            text=lens.see(answered, "text", _OWN) if answered else None,
        )


def _answers(history: History) -> dict[UUID, Recorded[FindingAnswered]]:
    """Return the last answer to each finding; one that an order has destroyed is none."""
    return {answered.stream: answered for answered in history.of(FindingAnswered) if not answered.erased}


def _findings(history: History, lens: Lens, row: type[F]) -> Iterator[F]:
    answers = _answers(history)
    asked_at = {asked.stream: asked.event.occurred_at for asked in history.of(FindingAsked)}
    named = lens.viewer.reader is Reader.PROGRAM
    latched = {
        (lens.see(charge, "prosecutor", _ROLE), lens.see(charge, "incident_number", _ROLE))
        for charge in history.of(ChargeLatched)
        if not charge.erased
    }
    without = frozenset[str]() if named else PLACES  # the site itself looks its disclosures up
    others = unlinked(history.events)
    for raised in history.of(FindingRaised):
        if raised.event.matter_id in others:
            continue

        def see(name: str, raised: Recorded[FindingRaised] = raised) -> Any:
            return lens.see(raised, name, _ROLE)

        if raised.erased or (action := see("action")) is None:
            continue
        answered = answers.get(raised.stream)
        verdict = standing(raised.event, answered.event if answered else None)
        source = see("source")
        is_latched = action.kind is Adverse.FILING and source is not None and (see("agency"), source.number) in latched
        yield row(
            subject_id=history.subject,
            as_of=history.position,
            raised_at=see("occurred_at"),
            finding_id=raised.stream if named else history.findings[raised.stream],
            agency_id=see("agency"),
            person_id=see("person"),
            action=action.kind,
            acted_at=action.recorded_at,
            incident_on=action.incident_on,
            pre_enrolment_incident=see("pre_enrolment"),
            latched_charge=is_latched,
            verdict=verdict,
            raised_as=see("verdict"),
            alarm=verdict in ALARMS or is_latched,
            person_was_shown=plain(see("person_shown"), without=without),
            agency_was_shown=plain(see("agency_shown"), without=without),
            source=_source(source, named=named),
            answer=_answer(answered, named=named) if answered else None,
            unanswered_since=None if answered else asked_at.get(raised.stream),
            within_protocol=see("within_protocol"),
            protocol_version=see("protocol_version"),
        )


def _source(source: NamedSource | None, *, named: bool) -> dict[str, Any] | None:
    if source is None:
        return None
    body: dict[str, Any] = plain(source)
    return body if named else {name: value for name, value in body.items() if name != "number"}


def _answer(answered: Recorded[FindingAnswered], *, named: bool) -> dict[str, Any]:
    body = {"at": plain(answered.event.occurred_at), "source": _source(answered.event.source, named=named)}
    return body | ({"text": answered.event.text} if named else {})


def _arrests(history: History, lens: Lens, missed: type[M], not_taken: type[N]) -> Iterator[M | N]:
    for arrest in [*history.of(ArrestRecorded)][-1:]:  # as it was amended last
        if arrest.event.party_id is None or not lens.see(arrest, "divertible", _ROLE):
            continue
        said = ("code", "precinct", "unit", "race_as_perceived", "protocol_version")
        facts: dict[str, Any] = {name: lens.see(arrest, name, _ROLE) for name in said} | {
            "subject_id": history.subject,
            "as_of": history.position,
            "arrested_at": arrest.event.occurred_at,
            "agency_id": arrest.event.party_id,
        }
        reason = lens.see(arrest, "reason", _ROLE)
        yield not_taken(**facts) if reason is NoOffer.DECLINED else missed(reason=reason, **facts)
