"""From the contract's messages of cases and the charge table to what services take."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from adapters.kafka.contract import CHARGE_TABLE, Message
from adapters.kafka.messages import case, charge_table
from adapters.kafka.messages.niem import Body, PersonType
from domain.event import PersonName
from domain.hearing import HearingOutcome
from domain.identity import RecordSubject
from domain.referral import Charge
from domain.warrant import ACTIVE, WarrantEnd
from services.cases import (
    Accused,
    DeclinedTold,
    DisposedTold,
    FiledTold,
    HearingTold,
    InitiatedTold,
    OrderTold,
    RetractedTold,
    SealedTold,
    UpdatedTold,
    WarrantTold,
)
from services.charge_table import ListedTold, UnlistedTold
from services.feed import Told

DELETE: Final = "delete"


def tells_of_case(message: Message, key: str | None) -> Told | None:
    """Return what a message of these families tells; None for one of another. `key`: the record's."""
    if message.body is None:
        gone = message.kind.family is CHARGE_TABLE and key is not None
        return UnlistedTold(key=key, told_at=message.event.time) if gone else None
    translate = _TELLS.get(type(message.body))
    return None if translate is None else translate(message.body, message)


def _initiated(body: case.CaseInitiated, message: Message) -> InitiatedTold:
    told = body.CourtCase
    return InitiatedTold(
        **_docket(told, message),
        defendants=_defendants(told),
        court=told.CaseCourt.CourtName,
        filed_on=told.FilingDate.Date,
        prosecutor=told.ProsecutorPartyCode,
    )


def _filed(body: case.CaseFiled, message: Message) -> FiledTold:
    told = body.CourtCase
    return FiledTold(
        **_docket(told, message),
        defendants=_defendants(told),
        tracking_number=told.CaseTrackingID,
        incident_number=_incident(body.Incident),
        offense_on=told.OffenseDate.Date,
        arrested_on=told.ArrestDate.Date if told.ArrestDate else None,
        filed_on=told.FilingDate.Date,
        received_at=told.ReceiptDate.DateTime if told.ReceiptDate else None,
        cites_share=told.CitesLeadShareIndicator,
    )


def _declined(body: case.CaseDeclined, message: Message) -> DeclinedTold:
    told = body.CourtCase
    return DeclinedTold(
        docket=told.CaseDocketID,
        tracking_number=told.CaseTrackingID,
        told_at=message.event.time,
        defendants=_defendants(told),
        incident_number=_incident(body.Incident),
        screened_on=told.ProsecutionCaseScreenedDate.Date,
        reason=told.DeclinationReasonText,
    )


def _updated(body: case.CaseUpdated, message: Message) -> UpdatedTold:
    return UpdatedTold(**_docket(body.CourtCase, message), defendants=_defendants(body.CourtCase))


def _hearing(body: case.CaseHearing, message: Message) -> HearingTold:
    event, outcome = body.CourtEvent, body.CourtEvent.CourtEventOutcomeCode
    return HearingTold(
        **_concerned(body.CourtCase, message),
        number=event.ActivityIdentification.IdentificationID,
        kind=event.CourtEventCategoryCode,
        starts_at=event.CourtEventSchedule.ScheduleDate.DateTime,
        courtroom=event.LocationRoomText,
        outcome=HearingOutcome.STRICKEN if message.operation == DELETE else outcome,
    )


def _order(body: case.CaseOrder, message: Message) -> OrderTold | WarrantTold:
    of, withdrawn = _concerned(body.CourtCase, message), message.operation == DELETE
    if (order := body.CourtOrder) is not None:
        day = order.CourtOrderIssuingDate.Date
        return OrderTold(**of, kind=order.CourtOrderCategoryCode, ordered_on=day, withdrawn=withdrawn)
    told: Any = body.Warrant  # one of the two, the contract says
    state, ended = told.WarrantStatusCode, told.WarrantStatusDate
    return WarrantTold(
        **of,
        number=told.ActivityIdentification.IdentificationID,
        kind=told.WarrantCategoryCode,
        court=told.CourtName,
        issued_on=told.CourtOrderIssuingDate.Date,
        prosecutor=told.ProsecutorPartyCode,
        outcome=None if state == ACTIVE else WarrantEnd(state),
        ended_on=ended.Date if ended else None,
        withdrawn=withdrawn,
    )


def _disposed(body: case.CaseDisposed, message: Message) -> DisposedTold:
    told = body.CaseDisposition
    of = _concerned(body.CourtCase, message)
    return DisposedTold(**of, outcome=told.DispositionCode, disposed_on=told.DispositionDate.Date)


def _sealed(body: case.CaseSealed, message: Message) -> SealedTold:
    return SealedTold(
        **_concerned(body.CourtCase, message),
        sealed_on=body.CourtOrder.CourtOrderIssuingDate.Date,
        charges=frozenset(_number(c.ArrestTransactionNumber, c.ChargeSequenceID) for c in body.CourtCase.CaseCharge),
    )


def _retracted(body: case.CaseRetracted, message: Message) -> RetractedTold:
    return RetractedTold(**_docket(body.CourtCase, message))


def _listed(body: charge_table.ChargeListed, message: Message) -> ListedTold | UnlistedTold:
    told, at = body.Charge, message.event.time
    if message.operation == DELETE:
        return UnlistedTold(key=told.ChargeKey, told_at=at)
    section = told.ChargeStatute.StatuteCodeSectionIdentification
    return ListedTold(
        key=told.ChargeKey,
        told_at=at,
        code=told.ChargeUCRCode,
        statute=told.ChargeStatute.StatuteCodeIdentification.IdentificationID,
        section=section.IdentificationID if section else None,
        description=told.ChargeDescriptionText,
        severity=told.ChargeSeverityText,
        effective_on=told.EffectiveDate.Date,
        expires_on=told.ExpirationDate.Date if told.ExpirationDate else None,
    )


def _docket(told: case.CaseType, message: Message) -> dict[str, Any]:
    before = told.CourtCaseFollowCaseIdentification
    return {
        "docket": told.CaseDocketID,
        "follows": before.IdentificationID if before else None,
        "told_at": message.event.time,
    }


def _concerned(told: case.ConcernedCaseType, message: Message) -> dict[str, Any]:
    people = tuple(subject_of(party.EntityPerson) for party in told.CaseDefendantParty)
    return _docket(told, message) | {"concerned": people}


def _defendants(told: Any) -> tuple[Accused, ...]:
    return tuple(
        Accused(
            person=subject_of(party.EntityPerson),
            charges=tuple(
                Charge(
                    code=charge.ChargeUCRCode,
                    description=charge.ChargeDescriptionText,
                    severity=charge.ChargeSeverityText,
                )
                for charge in party.CaseCharge
            ),
            numbers=tuple(
                None
                if charge.ArrestTransactionNumber is None
                else _number(charge.ArrestTransactionNumber, charge.ChargeSequenceID)
                for charge in party.CaseCharge
            ),
        )
        for party in told.CaseDefendantParty
    )


def _number(arrest: str, sequence: str) -> str:
    return f"{arrest}/{sequence}"


def _incident(told: case.IncidentReferenceType | None) -> str | None:
    return told.ActivityIdentification.IdentificationID if told else None


def subject_of(person: PersonType) -> RecordSubject:
    """Return whom a record is of, as its agency names them."""
    name, state, own = person.PersonName, person.PersonStateIdentification, person.PersonOtherIdentification
    return RecordSubject(
        name=PersonName(given=name.PersonGivenName, surname=name.PersonSurName),
        birth_date=person.PersonBirthDate.Date if person.PersonBirthDate else None,
        middle=name.PersonMiddleName,
        suffix=name.PersonNameSuffixText,
        sid=state.IdentificationID if state else None,
        local_id=own.IdentificationID if own else None,
    )


_TELLS: Final[dict[type[Body], Callable[[Any, Message], Told]]] = {
    case.CaseInitiated: _initiated,
    case.CaseFiled: _filed,
    case.CaseDeclined: _declined,
    case.CaseUpdated: _updated,
    case.CaseHearing: _hearing,
    case.CaseOrder: _order,
    case.CaseDisposed: _disposed,
    case.CaseSealed: _sealed,
    case.CaseRetracted: _retracted,
    charge_table.ChargeListed: _listed,
}
