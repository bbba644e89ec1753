"""The parts that messages share, called as NIEM 6 calls them, and the vocabulary they are taken from.

A class is called as the NIEM type (`PersonNameType`), a field as the NIEM property (`PersonGivenName`), so that an
adapter from NIEM XML renames nothing. A code of NIBRS stands as NIBRS writes it.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from typing import Annotated, Any, ClassVar, Literal, TypeAlias, TypeVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    StrictInt,
    StringConstraints,
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError

from adapters.kafka.envelope import Fault, day, moment
from domain.registry import PartyCode

T = TypeVar("T")


class Closed(BaseModel):
    """A part of a message: frozen, and nothing but what is named here."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class Body(Closed):
    """The data of a message. `example`: one, as JSON."""

    example: ClassVar[dict[str, Any]]


def _read(parse: Callable[[str], T | Fault]) -> Callable[[Any], Any]:
    def read(value: Any) -> Any:
        if not isinstance(value, str):
            raise PydanticCustomError("string_type", "it must be a text")
        found = parse(value)
        if isinstance(found, Fault):
            raise PydanticCustomError(found.code, "{sentence}", {"sentence": found.sentence.rstrip(".")})
        return found

    return read


Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200, pattern=r"\S")]
Narrative = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=10_000, pattern=r"\S")]
Number = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=60, pattern=r"\S")]
Ori = Annotated[str, StringConstraints(pattern=r"^[A-Z0-9]{9}$")]
NibrsCode = Annotated[str, StringConstraints(pattern=r"^[0-9]{2}[0-9A-Z]$")]
"""An offence code by its shape: the FBI adds codes, and a message with a new one is no bad message."""
Quantity = Annotated[StrictInt, Field(ge=1, le=9999)]
Flag: TypeAlias = StrictBool
Moment = Annotated[datetime, BeforeValidator(_read(moment)), WithJsonSchema({"type": "string", "format": "date-time"})]
Day = Annotated[date, BeforeValidator(_read(day)), WithJsonSchema({"type": "string", "format": "date"})]
Party: TypeAlias = PartyCode


class IdentificationType(Closed):
    """A number by which something is known."""

    IdentificationID: Number


class OriIdentificationType(Closed):
    """An agency's ORI: nine characters, given by the FBI."""

    IdentificationID: Ori


class DateType(Closed):
    """A day."""

    Date: Day


class DateTimeType(Closed):
    """A moment, with its offset from UTC."""

    DateTime: Moment


class OrganizationType(Closed):
    """An agency, by its ORI."""

    OrganizationORIIdentification: OriIdentificationType


class PersonNameType(Closed):
    """A legal name."""

    PersonGivenName: Text
    PersonMiddleName: Text | None = None
    PersonSurName: Text
    PersonNameSuffixText: Text | None = None


class PersonType(Closed):
    """Who a person is."""

    PersonStateIdentification: IdentificationType | None = None
    """The state's number (SID), bound to fingerprints; left out where no fingerprint was taken."""
    PersonOtherIdentification: IdentificationType | None = None
    """Your own number of the person: the master name index, or the jail's lifetime number."""
    PersonName: PersonNameType
    PersonBirthDate: DateType | None = None
    """Left out where it is not known; never a made-up one."""
    PersonSexCode: Literal["M", "F", "U"] = "U"
    PersonRaceNDExCode: Literal["A", "B", "I", "P", "U", "W"] = "U"
    """As the officer recorded it."""
    PersonEthnicityCode: Literal["H", "N", "U"] = "U"


class RoleOfPersonType(Closed):
    """A person in a role."""

    RoleOfPerson: PersonType


class ChargeStatuteType(Closed):
    """The law that a charge names."""

    StatuteCodeIdentification: IdentificationType
    StatuteCodeSectionIdentification: IdentificationType | None = None


class ChargeType(Closed):
    """A charge. Arrest transaction number and sequence together name it in every system, so a case repeats them."""

    ChargeSequenceID: Number
    ChargeUCRCode: NibrsCode
    ChargeKey: Number | None = None
    """Its key in the charge table."""
    ChargeStatute: ChargeStatuteType | None = None
    ChargeDescriptionText: Text
    ChargeSeverityText: Text
    """Such as misdemeanor, in your state's own word."""
    ChargeCountQuantity: Quantity = 1
    ChargeApplicabilityText: Text | None = None
    """Attempt, conspiracy, and so on."""
    ArrestTransactionNumber: Number | None = None
    """In a case: the arrest that the charge came from."""


NC = frozenset(
    {
        "ActivityDate",
        "ActivityDescriptionText",
        "ActivityIdentification",
        "CaseDocketID",
        "CaseTrackingID",
        "CourtCase",
        "Date",
        "DateTime",
        "DispositionDate",
        "EntityPerson",
        "FacilityName",
        "IdentificationID",
        "Incident",
        "LocaleDistrictName",
        "LocationDescriptionText",
        "LocationLocale",
        "LocationRoomText",
        "MessageID",
        "OrganizationName",
        "PersonBirthDate",
        "PersonFullName",
        "PersonGivenName",
        "PersonMiddleName",
        "PersonName",
        "PersonNameSuffixText",
        "PersonOtherIdentification",
        "PersonStateIdentification",
        "PersonSurName",
        "RoleOfPerson",
        "ScheduleDate",
        "TelephoneNumberFullID",
    }
)
J = frozenset(
    {
        "Arrest",
        "ArrestAgency",
        "ArrestCategoryCode",
        "ArrestCharge",
        "ArrestLocation",
        "ArrestOfficial",
        "ArrestSubject",
        "Booking",
        "BookingAgency",
        "BookingAgencyRecordIdentification",
        "BookingDocumentControlIdentification",
        "BookingRelease",
        "BookingSubject",
        "CaseCharge",
        "CaseCourt",
        "CaseDefendantParty",
        "Charge",
        "ChargeApplicabilityText",
        "ChargeCountQuantity",
        "ChargeDescriptionText",
        "ChargeSequenceID",
        "ChargeSeverityText",
        "ChargeStatute",
        "CourtEvent",
        "CourtEventSchedule",
        "CourtName",
        "CourtOrder",
        "CourtOrderIssuingDate",
        "EnforcementOfficialBadgeIdentification",
        "EnforcementOfficialUnit",
        "OrganizationORIIdentification",
        "PersonEthnicityCode",
        "PersonRaceNDExCode",
        "PersonSexCode",
        "StatuteCodeIdentification",
        "StatuteCodeSectionIdentification",
        "Warrant",
        "WarrantCategoryCode",
    }
)
NIBRS = frozenset({"ChargeUCRCode"})
LEAD = frozenset(
    {
        "AcknowledgementCode",
        "ArrestTransactionNumber",
        "BookingBasis",
        "BookingBasisCode",
        "BookedIndicator",
        "CaseDisposition",
        "CaseManager",
        "ChargeKey",
        "CitesLeadShareIndicator",
        "CodefendantsPresentIndicator",
        "ConsentScope",
        "ControlMessageID",
        "CourtCaseFollowCaseIdentification",
        "CourtEventCategoryCode",
        "CourtEventOutcomeCode",
        "CourtOrderCategoryCode",
        "DeclinationReasonText",
        "DetentionFacility",
        "DispositionCode",
        "DiversionAgreementDate",
        "DiversionCode",
        "DiversionOfferDate",
        "DiversionReasonCode",
        "EffectiveDate",
        "EncryptedBody",
        "EnrolmentStatusCode",
        "ErrorCodeText",
        "ErrorCodeDescriptionText",
        "ErrorPointerText",
        "ExclusionOverride",
        "ExclusionText",
        "ExpirationDate",
        "FilingDate",
        "HandoffByTelephoneIndicator",
        "HandoffCallDate",
        "KeyId",
        "LabelCode",
        "LeadDiversion",
        "LeaseUntil",
        "MessageError",
        "MessageSource",
        "Nonce",
        "OffenseDate",
        "OverrideReasonText",
        "ArrestDate",
        "ParticipantKey",
        "ProsecutionCaseScreenedDate",
        "ProsecutorPartyCode",
        "PurposeText",
        "RankText",
        "ReceiptCode",
        "ReceiptDate",
        "RedisclosureNoticeText",
        "ReleaseDate",
        "SealedScopeCode",
        "StatusVersion",
        "SystemEventDateTime",
        "WarrantStatusCode",
        "WarrantStatusDate",
    }
)
"""Our own terms, some after names that New Orleans gave to the same thing."""
