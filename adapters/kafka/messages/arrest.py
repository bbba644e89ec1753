"""What a police records system tells of an arrest: one message for each person arrested."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import ConfigDict, Field, model_validator

from adapters.kafka.messages.niem import (
    Body,
    ChargeType,
    Closed,
    DateTimeType,
    Flag,
    IdentificationType,
    Narrative,
    OrganizationType,
    Party,
    RoleOfPersonType,
    Text,
)
from domain.stop_record import NoOffer

Exclusions = Annotated[tuple[Text, ...], Field(max_length=20)]


class IncidentType(Closed):
    """The incident; its number joins a report to what an officer called in before."""

    ActivityIdentification: IdentificationType


class LocaleType(Closed):
    """A police district."""

    LocaleDistrictName: Text
    """The precinct."""


class LocationType(Closed):
    """Where."""

    LocationDescriptionText: Text | None = None
    """The place, as the officer would say it."""
    LocationLocale: LocaleType | None = None


class UnitType(Closed):
    """A unit of a police department."""

    OrganizationName: Text


class EnforcementOfficialType(Closed):
    """The officer, by badge or serial number."""

    EnforcementOfficialBadgeIdentification: IdentificationType
    EnforcementOfficialUnit: UnitType | None = None


class ArrestChargeType(ChargeType):
    """A charge of an arrest."""

    ProsecutorPartyCode: Party | None = None
    """The code of the office whose charge it would be; needed where diversion was offered."""
    ExclusionText: Exclusions = ()
    """The exclusions of the protocol that the officer found."""


class ArrestType(Closed):
    """An arrest of one person."""

    ActivityIdentification: IdentificationType
    """The arrest transaction number (ATN; NIBRS element 41)."""
    ActivityDate: DateTimeType
    """When the arrest was made; when it is told is the event's `time`."""
    ActivityDescriptionText: Narrative | None = None
    """The facts, as the report states them."""
    ArrestAgency: OrganizationType
    ArrestCategoryCode: Literal["O", "S", "T"]
    """On view, summoned or cited, taken into custody (NIBRS element 43)."""
    ArrestSubject: RoleOfPersonType
    ArrestOfficial: EnforcementOfficialType | None = None
    ArrestLocation: LocationType | None = None
    ArrestCharge: Annotated[tuple[ArrestChargeType, ...], Field(min_length=1, max_length=50)]
    BookedIndicator: Flag | None = None
    """Whether the person was booked; left out while it is open."""


class ExclusionOverrideType(Closed):
    """A sergeant or commander overrode an exclusion."""

    ExclusionText: Text
    RankText: Literal["sergeant", "commander"]
    OverrideReasonText: Text
    ActivityDate: DateTimeType


class LeadDiversionType(Closed):
    """What became of LEAD in this arrest. A call to LEAD is enough: the report may come days later."""

    DiversionCode: Literal["not offered", "offered", "accepted", "declined"]
    DiversionReasonCode: NoOffer | None = None
    """Why there was no diversion, in the officer's stated reason."""
    DiversionOfferDate: DateTimeType | None = None
    DiversionAgreementDate: DateTimeType | None = None
    HandoffByTelephoneIndicator: Flag = False
    """Whether the officer called LEAD: then the referral is there, and this report joins it by incident number."""
    HandoffCallDate: DateTimeType | None = None
    ExclusionOverride: Annotated[tuple[ExclusionOverrideType, ...], Field(max_length=20)] = ()
    ReleaseDate: DateTimeType | None = None
    """When the officer released the person to LEAD."""
    CodefendantsPresentIndicator: Flag | None = None
    """Whether co-defendants saw the release: it may look like informing."""


_INCIDENT: dict[str, Any] = {"ActivityIdentification": {"IdentificationID": "2026-44871"}}
_ARREST: dict[str, Any] = {
    "ActivityIdentification": {"IdentificationID": "A26-0044871"},
    "ActivityDate": {"DateTime": "2026-02-14T02:10:00-08:00"},
    "ActivityDescriptionText": "Took two coats; stopped at the door; agreed to be referred.",
    "ArrestAgency": {"OrganizationORIIdentification": {"IdentificationID": "WASPD0000"}},
    "ArrestCategoryCode": "O",
    "ArrestSubject": {
        "RoleOfPerson": {
            "PersonStateIdentification": {"IdentificationID": "WA10044871"},
            "PersonOtherIdentification": {"IdentificationID": "MNI-20931"},
            "PersonName": {"PersonGivenName": "Ray", "PersonSurName": "Bell"},
            "PersonBirthDate": {"Date": "1984-05-09"},
            "PersonSexCode": "M",
            "PersonRaceNDExCode": "W",
            "PersonEthnicityCode": "N",
        }
    },
    "ArrestOfficial": {
        "EnforcementOfficialBadgeIdentification": {"IdentificationID": "7781"},
        "EnforcementOfficialUnit": {"OrganizationName": "West 2nd watch"},
    },
    "ArrestLocation": {
        "LocationDescriptionText": "3rd Ave and Pine",
        "LocationLocale": {"LocaleDistrictName": "West"},
    },
    "ArrestCharge": [
        {
            "ChargeSequenceID": "1",
            "ChargeUCRCode": "23C",
            "ChargeKey": "RCW-9A.56.050",
            "ChargeStatute": {"StatuteCodeIdentification": {"IdentificationID": "RCW 9A.56.050"}},
            "ChargeDescriptionText": "Theft in the third degree",
            "ChargeSeverityText": "gross misdemeanor",
            "ChargeCountQuantity": 1,
            "ProsecutorPartyCode": "county-pa",
            "ExclusionText": ["prior felony"],
        }
    ],
    "BookedIndicator": False,
}
_DIVERSION: dict[str, Any] = {
    "DiversionCode": "accepted",
    "DiversionOfferDate": {"DateTime": "2026-02-14T02:10:00-08:00"},
    "DiversionAgreementDate": {"DateTime": "2026-02-14T02:14:00-08:00"},
    "HandoffByTelephoneIndicator": True,
    "HandoffCallDate": {"DateTime": "2026-02-14T02:14:00-08:00"},
    "ExclusionOverride": [
        {
            "ExclusionText": "prior felony",
            "RankText": "sergeant",
            "OverrideReasonText": "old and unrelated",
            "ActivityDate": {"DateTime": "2026-02-14T02:13:00-08:00"},
        }
    ],
    "ReleaseDate": {"DateTime": "2026-02-14T02:46:00-08:00"},
    "CodefendantsPresentIndicator": False,
}


class ArrestRecorded(Body):
    """An arrest report was approved."""

    model_config = ConfigDict(
        json_schema_extra={
            "if": {
                "required": ["LeadDiversion"],
                "properties": {
                    "LeadDiversion": {
                        "type": "object",
                        "properties": {"DiversionCode": {"enum": ["offered", "accepted"]}},
                    }
                },
            },
            "then": {
                "required": ["Incident"],
                "properties": {
                    "Incident": {"type": "object"},
                    "Arrest": {
                        "properties": {
                            "ArrestCharge": {
                                "items": {
                                    "required": ["ProsecutorPartyCode"],
                                    "properties": {"ProsecutorPartyCode": {"type": "string"}},
                                }
                            }
                        }
                    },
                },
            },
        }
    )
    example: ClassVar[dict[str, Any]] = {"Incident": _INCIDENT, "Arrest": _ARREST, "LeadDiversion": _DIVERSION}

    Incident: IncidentType | None = None
    """Left out for an arrest of group B, which has no incident."""
    Arrest: ArrestType
    LeadDiversion: LeadDiversionType | None = None

    @model_validator(mode="after")
    def _offered(self) -> ArrestRecorded:
        if self.LeadDiversion is not None and self.LeadDiversion.DiversionCode in ("offered", "accepted"):
            if self.Incident is None:
                raise ValueError("where diversion was offered, it must name the incident")
            if any(charge.ProsecutorPartyCode is None for charge in self.Arrest.ArrestCharge):
                raise ValueError("where diversion was offered, every charge must name its ProsecutorPartyCode")
        return self


class ArrestAmended(ArrestRecorded):
    """An arrest report is now this: the whole of it, not the change."""

    example: ClassVar[dict[str, Any]] = {
        "Incident": _INCIDENT,
        "Arrest": _ARREST | {"BookedIndicator": True},
        "LeadDiversion": {"DiversionCode": "declined", "DiversionReasonCode": "the person declined the offer"},
    }


class RetractedArrestType(Closed):
    """Which arrest."""

    ActivityIdentification: IdentificationType
    ArrestAgency: OrganizationType


class ArrestRetracted(Body):
    """An arrest report was entered in error: it is as if it had never been sent."""

    example: ClassVar[dict[str, Any]] = {
        "Arrest": {name: _ARREST[name] for name in ("ActivityIdentification", "ArrestAgency")}
    }

    Arrest: RetractedArrestType
