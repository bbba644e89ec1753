"""From the contract's messages to what services take: names of NIEM become LEAD's own, codes stay what they are."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, Final
from uuid import UUID, uuid4

from adapters.kafka import contract
from adapters.kafka.envelope import Record, Undecodable, decode
from adapters.kafka.lines import record_of
from adapters.kafka.messages import arrest, custody, outgoing
from adapters.kafka.messages.niem import Body
from adapters.kafka.translate_case import subject_of, tells_of_case
from domain.disclosure import Receipt
from domain.stop_record import NoOffer
from services.arrests import (
    NOT_SAID,
    ArrestRetracted,
    ArrestTold,
    BookingRetracted,
    BookingTold,
    Diverted,
    Overridden,
    ReleaseTold,
)
from services.directory import Party
from services.feed import Message, Told, Unread, fault
from services.ports import OF_A_FILE, Raw
from services.receipts import ReceiptTold
from services.referrals import HeldCharge

_RACES: Final = {
    "A": "Asian",
    "B": "Black or African American",
    "I": "American Indian or Alaska Native",
    "P": "Native Hawaiian or Other Pacific Islander",
    "W": "White",
}
"""NIBRS element 49."""
_CATEGORIES: Final = {"O": "on view", "S": "summoned or cited", "T": "taken into custody"}
"""NIBRS element 43."""


def reader(prefix: str = "") -> Callable[[Party, Raw], Message | Unread]:
    """Return what reads a party's records. `prefix`: what the broker's topics of this site begin with."""

    def read(party: Party, raw: Raw) -> Message | Unread:
        try:
            record = _record(raw, prefix)
            message = contract.read(record)
        except Undecodable as error:
            faults = tuple(fault(each.place, each.code, each.sentence) for each in error.faults)
            return Unread(_order(raw, prefix), faults, _id(raw))
        if message.party != party.code:
            return Unread(_order(raw, prefix), (fault("", "wrong_party", "its source is of another party."),), _id(raw))
        said = record.key.decode(errors="replace") if record.key else None
        told = _told(message, said)
        if told is None:
            return Unread(
                _order(raw, prefix), (fault("", "not_taken", "messages of this type are not taken here."),), _id(raw)
            )
        key = contract.key_of(message.kind.family, message.event.data) or said  # of a tombstone the record's alone
        extensions = message.event.extensions
        return Message(
            id=f"{message.event.source} {message.event.id}",
            order=f"{message.kind.family.name} {key}",
            told=told,
            correlation_id=_uuid(extensions.get("correlationid")),
            traceparent=str(extensions["traceparent"]) if "traceparent" in extensions else None,
        )

    return read


def _record(raw: Raw, prefix: str) -> Record:
    if raw.partition == OF_A_FILE:
        return record_of(raw.value or b"")._replace(topic=None)
    return Record(raw.headers, raw.key, raw.value, raw.topic.removeprefix(prefix))


def _told(message: contract.Message, key: str | None) -> Told | None:
    """Return what a message tells; None where it is of a type that is not taken. `key`: the record's."""
    if message.event.time is None:
        return None
    if (translate := _TELLS.get(type(message.body))) is not None:
        return translate(message.body, message.event.time)
    return tells_of_case(message, key)


def _order(raw: Raw, prefix: str) -> str:
    """Return the order of a record that could not be read: that of its key, or one of its own."""
    if raw.key:
        owner = contract.owner_of(raw.topic.removeprefix(prefix))
        return f"{owner[1].name if owner else raw.topic} {raw.key.decode(errors='replace')}"
    return f"{raw.topic}/{raw.partition}/{raw.offset}"


def _id(raw: Raw) -> str | None:
    """Return source and id of a record that could not be read, if they could."""
    try:
        event = decode(Record(raw.headers, raw.key, raw.value))
        source, number = event.source, event.id
    except Undecodable:
        said = {name.lower(): value.decode(errors="replace") for name, value in raw.headers}
        source, number = said.get("ce_source", ""), said.get("ce_id", "")
    fits = contract.is_source(source) and 0 < len(number) <= contract.ID_MOST and number.isprintable()
    return f"{source} {number}" if fits else None


def _uuid(said: Any) -> UUID:
    try:
        return UUID(str(said))
    except ValueError:
        return uuid4()


def _arrest(body: arrest.ArrestRecorded, told_at: datetime) -> ArrestTold:
    told, lead = body.Arrest, body.LeadDiversion
    where = told.ArrestLocation
    place = where.LocationDescriptionText if where else None
    unit = told.ArrestOfficial.EnforcementOfficialUnit if told.ArrestOfficial else None
    facts = told.ActivityDescriptionText
    accepted = lead is not None and lead.DiversionCode == "accepted"
    race = _RACES.get(told.ArrestSubject.RoleOfPerson.PersonRaceNDExCode)
    return ArrestTold(
        number=told.ActivityIdentification.IdentificationID,
        told_at=told_at,
        arrested_at=told.ActivityDate.DateTime,
        incident_number=body.Incident.ActivityIdentification.IdentificationID if body.Incident else None,
        person=subject_of(told.ArrestSubject.RoleOfPerson),
        charges=tuple(_charge(charge, race) for charge in told.ArrestCharge),
        precinct=where.LocationLocale.LocaleDistrictName if where and where.LocationLocale else None,
        unit=unit.OrganizationName if unit else None,
        category=_CATEGORIES[told.ArrestCategoryCode],
        place=place,
        facts=facts,
        diverted=_diverted(lead, told.ActivityDate.DateTime, place, facts) if lead and accepted else None,
        no_offer=_no_offer(lead),
    )


def _diverted(lead: arrest.LeadDiversionType, arrested_at: datetime, place: str | None, facts: str | None) -> Diverted:
    return Diverted(
        offered_at=lead.DiversionOfferDate.DateTime if lead.DiversionOfferDate else arrested_at,
        agreed_at=lead.DiversionAgreementDate.DateTime if lead.DiversionAgreementDate else None,
        place=place or NOT_SAID,
        facts=facts or NOT_SAID,
        overridden=tuple(
            Overridden(
                exclusion=each.ExclusionText,
                rank=each.RankText,
                reason=each.OverrideReasonText,
                at=each.ActivityDate.DateTime,
            )
            for each in lead.ExclusionOverride
        ),
    )


def _no_offer(lead: arrest.LeadDiversionType | None) -> NoOffer:
    if lead is not None and lead.DiversionCode == "declined":
        return NoOffer.DECLINED
    return lead.DiversionReasonCode if lead and lead.DiversionReasonCode else NoOffer.NOT_STATED


def _charge(charge: arrest.ArrestChargeType, race: str | None) -> HeldCharge:
    return HeldCharge(
        code=charge.ChargeUCRCode,
        description=charge.ChargeDescriptionText,
        severity=charge.ChargeSeverityText,
        prosecutor=charge.ProsecutorPartyCode or NOT_SAID,
        exclusions=charge.ExclusionText,
        race_as_perceived=race,
    )


def _booking(body: custody.CustodyBooked, told_at: datetime) -> BookingTold:
    told, basis = body.Booking, body.Booking.BookingBasis
    number = basis.ActivityIdentification if basis else None
    return BookingTold(
        number=told.BookingAgencyRecordIdentification.IdentificationID,
        told_at=told_at,
        booked_at=told.ActivityDate.DateTime,
        person=subject_of(told.BookingSubject.RoleOfPerson),
        facility=told.DetentionFacility.FacilityName,
        arrest_number=told.ArrestTransactionNumber,
        source=basis.BookingBasisCode if basis else None,
        source_number=number.IdentificationID if number else None,
        source_on=basis.ActivityDate.Date if basis and basis.ActivityDate else None,
        cites_share=basis.CitesLeadShareIndicator if basis else False,
    )


def _release(body: custody.CustodyReleased, _told_at: datetime) -> ReleaseTold:
    told = body.Booking
    return ReleaseTold(
        number=told.BookingAgencyRecordIdentification.IdentificationID,
        released_at=told.BookingRelease.ActivityDate.DateTime,
    )


def _arrest_retracted(body: arrest.ArrestRetracted, _told_at: datetime) -> ArrestRetracted:
    return ArrestRetracted(number=body.Arrest.ActivityIdentification.IdentificationID)


def _booking_retracted(body: custody.CustodyRetracted, _told_at: datetime) -> BookingRetracted:
    return BookingRetracted(number=body.Booking.BookingAgencyRecordIdentification.IdentificationID)


def _receipt(body: outgoing.ReceiptSent, _told_at: datetime) -> ReceiptTold:
    return ReceiptTold(
        participant=body.ParticipantKey,
        withdrawal=body.ControlMessageID,
        receipt=Receipt(body.ReceiptCode),
        given_at=body.ReceiptDate.DateTime,
    )


_TELLS: Final[dict[type[Body | None], Callable[[Any, datetime], Told]]] = {
    arrest.ArrestRecorded: _arrest,
    arrest.ArrestAmended: _arrest,
    arrest.ArrestRetracted: _arrest_retracted,
    custody.CustodyBooked: _booking,
    custody.CustodyReleased: _release,
    custody.CustodyRetracted: _booking_retracted,
    outgoing.ReceiptSent: _receipt,
}
