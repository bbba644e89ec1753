"""What a prosecutor's office and a court tell of a case, in one topic under its docket, so that the order holds.

A case has one defendant or many; each stands with the charges against that person alone, and nobody is shown another's.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import ConfigDict, Field, model_validator

from adapters.kafka.messages.niem import (
    Body,
    ChargeType,
    Closed,
    DateTimeType,
    DateType,
    Flag,
    IdentificationType,
    Narrative,
    Number,
    Party,
    PersonType,
    Text,
)
from domain.hearing import HearingKind, HearingOutcome
from domain.legal_case import Disposition, OrderKind
from domain.warrant import WarrantKind


class CaseType(Closed):
    """Which case."""

    CaseDocketID: Number
    CaseTrackingID: Number | None = None
    """The prosecutor's own number, which the case had before its docket."""
    CourtCaseFollowCaseIdentification: IdentificationType | None = None
    """The docket that this one replaces, as a criminal docket replaces the magistrate's."""


class CourtType(Closed):
    """A court."""

    CourtName: Text


class EntityPersonType(Closed):
    """A party to a case who is a person."""

    EntityPerson: PersonType


class DefendantType(EntityPersonType):
    """A defendant, and the charges against this one."""

    CaseCharge: Annotated[tuple[ChargeType, ...], Field(min_length=1, max_length=50)]


Defendants = Annotated[tuple[DefendantType, ...], Field(min_length=1, max_length=50)]
Concerned = Annotated[tuple[EntityPersonType, ...], Field(max_length=50)]


class InitiatedCaseType(CaseType):
    """A case as a court's clerk creates it."""

    CaseCourt: CourtType
    CaseDefendantParty: Defendants
    FilingDate: DateType
    ProsecutorPartyCode: Party | None = None
    """The code of the office that brought it, where that office takes part in LEAD."""


class FiledCaseType(CaseType):
    """A case as a prosecutor's office files it. The four dates stand apart."""

    CaseDefendantParty: Defendants
    OffenseDate: DateType
    """The day of the offence: by it a case is told from one that began after enrolment."""
    ArrestDate: DateType | None = None
    FilingDate: DateType
    ReceiptDate: DateTimeType | None = None
    """When the office received the matter."""
    CitesLeadShareIndicator: Flag = False
    """Whether it cites something that the office knows only from LEAD."""


class DeclinedCaseType(Closed):
    """A case that the office does not file; it may never have had a docket."""

    CaseDocketID: Number | None = None
    CaseTrackingID: Number
    CaseDefendantParty: Defendants
    ProsecutionCaseScreenedDate: DateType
    DeclinationReasonText: Narrative | None = None


class UpdatedCaseType(CaseType):
    """A case whose charges, or defendants, are now these: the whole of it, not the change."""

    CaseDefendantParty: Defendants


class ConcernedCaseType(CaseType):
    """A case, and whom of its defendants this concerns; none named: all."""

    CaseDefendantParty: Concerned = ()


class ScheduleType(Closed):
    """When a hearing begins."""

    ScheduleDate: DateTimeType


class CourtEventType(Closed):
    """A hearing as it now stands: set, moved or over."""

    ActivityIdentification: IdentificationType
    """The court's own number of the hearing; it stays when the hearing is moved."""
    CourtEventCategoryCode: HearingKind
    CourtEventSchedule: ScheduleType
    LocationRoomText: Text | None = None
    CourtEventOutcomeCode: HearingOutcome | None = None
    """What became of it; left out while it is to come."""


class CourtOrderType(Closed):
    """An order. Its kind is a closed code: the words of an order name people whom no record of ours should."""

    CourtOrderCategoryCode: OrderKind
    CourtOrderIssuingDate: DateType


class WarrantType(Closed):
    """A warrant as it now stands."""

    model_config = ConfigDict(
        json_schema_extra={
            "oneOf": [
                {"properties": {"WarrantStatusCode": {"const": "active"}, "WarrantStatusDate": {"type": "null"}}},
                {
                    "required": ["WarrantStatusCode", "WarrantStatusDate"],
                    "properties": {
                        "WarrantStatusCode": {"not": {"const": "active"}},
                        "WarrantStatusDate": {"type": "object"},
                    },
                },
            ]
        }
    )

    ActivityIdentification: IdentificationType
    """Its number."""
    WarrantCategoryCode: WarrantKind
    CourtName: Text | None = None
    """The court that issued it, where that is not the sender."""
    CourtOrderIssuingDate: DateType
    ProsecutorPartyCode: Party | None = None
    """The code of the office whose matter it is, where that office takes part in LEAD."""
    WarrantStatusCode: Literal["active", "recalled", "quashed", "served"] = "active"
    WarrantStatusDate: DateType | None = None
    """The day on which it ended."""

    @model_validator(mode="after")
    def _ended(self) -> WarrantType:
        if (self.WarrantStatusCode == "active") != (self.WarrantStatusDate is None):
            raise ValueError("it must say the day of its end, if it has ended, and none if it is active")
        return self


class DispositionType(Closed):
    """How a case ended."""

    DispositionCode: Disposition
    DispositionDate: DateType


_NONE: dict[str, Any] = {"type": "null"}
_DOCKET: dict[str, Any] = {"CaseDocketID": "26-1-00317-9"}
_RAY: dict[str, Any] = {
    "EntityPerson": {
        "PersonStateIdentification": {"IdentificationID": "WA10044871"},
        "PersonName": {"PersonGivenName": "Ray", "PersonSurName": "Bell"},
        "PersonBirthDate": {"Date": "1984-05-09"},
    }
}
_TRESPASS: dict[str, Any] = {
    "ChargeSequenceID": "1",
    "ChargeUCRCode": "90J",
    "ChargeKey": "RCW-9A.52.080",
    "ChargeDescriptionText": "Trespass of real property",
    "ChargeSeverityText": "misdemeanor",
    "ArrestTransactionNumber": "A26-0042210",
}
_DEFENDANTS: list[dict[str, Any]] = [
    _RAY | {"CaseCharge": [_TRESPASS]},
    {
        "EntityPerson": {"PersonName": {"PersonGivenName": "Ana", "PersonSurName": "Cruz"}},
        "CaseCharge": [_TRESPASS | {"ArrestTransactionNumber": "A26-0042211"}],
    },
]


class CaseInitiated(Body):
    """A clerk created a case."""

    example: ClassVar[dict[str, Any]] = {
        "CourtCase": _DOCKET
        | {
            "CourtCaseFollowCaseIdentification": {"IdentificationID": "M26-00551"},
            "CaseCourt": {"CourtName": "District Court"},
            "CaseDefendantParty": _DEFENDANTS,
            "FilingDate": {"Date": "2026-02-10"},
            "ProsecutorPartyCode": "county-pa",
        }
    }

    CourtCase: InitiatedCaseType


class CaseFiled(Body):
    """A prosecutor's office filed a case."""

    example: ClassVar[dict[str, Any]] = {
        "Incident": {"ActivityIdentification": {"IdentificationID": "2026-42210"}},
        "CourtCase": _DOCKET
        | {
            "CaseTrackingID": "PA-26-2207",
            "CaseDefendantParty": _DEFENDANTS[:1],
            "OffenseDate": {"Date": "2026-01-20"},
            "ArrestDate": {"Date": "2026-01-21"},
            "FilingDate": {"Date": "2026-02-10"},
            "ReceiptDate": {"DateTime": "2026-01-22T09:15:00-08:00"},
        },
    }

    Incident: IncidentReferenceType | None = None
    CourtCase: FiledCaseType


class IncidentReferenceType(Closed):
    """The incident that the matter is of, by the number of the police."""

    ActivityIdentification: IdentificationType


class CaseDeclined(Body):
    """A prosecutor's office declined to file."""

    example: ClassVar[dict[str, Any]] = {
        "CourtCase": {
            "CaseTrackingID": "PA-26-2207",
            "CaseDefendantParty": _DEFENDANTS[:1],
            "ProsecutionCaseScreenedDate": {"Date": "2026-02-09"},
        }
    }

    Incident: IncidentReferenceType | None = None
    CourtCase: DeclinedCaseType


class CaseUpdated(Body):
    """A case is now this."""

    example: ClassVar[dict[str, Any]] = {"CourtCase": _DOCKET | {"CaseDefendantParty": _DEFENDANTS[:1]}}

    CourtCase: UpdatedCaseType


class CaseHearing(Body):
    """A hearing was set, moved, held or stricken."""

    example: ClassVar[dict[str, Any]] = {
        "CourtCase": _DOCKET | {"CaseDefendantParty": [_RAY]},
        "CourtEvent": {
            "ActivityIdentification": {"IdentificationID": "E-90211"},
            "CourtEventCategoryCode": "pretrial",
            "CourtEventSchedule": {"ScheduleDate": {"DateTime": "2026-04-14T09:00:00-07:00"}},
            "LocationRoomText": "E-1201",
        },
    }

    CourtCase: ConcernedCaseType
    CourtEvent: CourtEventType


class CaseOrder(Body):
    """A court made an order, or a warrant stands otherwise than before: one of the two."""

    model_config = ConfigDict(
        json_schema_extra={
            "oneOf": [
                {"required": ["CourtOrder"], "properties": {"CourtOrder": {"type": "object"}, "Warrant": _NONE}},
                {
                    "required": ["Warrant"],
                    "properties": {
                        "Warrant": {"type": "object"},
                        "CourtOrder": _NONE,
                        "CourtCase": {
                            "required": ["CaseDefendantParty"],
                            "properties": {"CaseDefendantParty": {"minItems": 1}},
                        },
                    },
                },
            ]
        }
    )
    example: ClassVar[dict[str, Any]] = {
        "CourtCase": _DOCKET | {"CaseDefendantParty": [_RAY]},
        "Warrant": {
            "ActivityIdentification": {"IdentificationID": "W-9"},
            "WarrantCategoryCode": "failure to appear",
            "CourtOrderIssuingDate": {"Date": "2023-09-12"},
            "WarrantStatusCode": "quashed",
            "WarrantStatusDate": {"Date": "2026-03-24"},
        },
    }

    CourtCase: ConcernedCaseType
    CourtOrder: CourtOrderType | None = None
    Warrant: WarrantType | None = None

    @model_validator(mode="after")
    def _one(self) -> CaseOrder:
        if (self.CourtOrder is None) == (self.Warrant is None):
            raise ValueError("it must have one of CourtOrder and Warrant")
        if self.Warrant is not None and not self.CourtCase.CaseDefendantParty:
            raise ValueError("a warrant must say for whom it is, in CaseDefendantParty")
        return self


class CaseDisposed(Body):
    """A case ended."""

    example: ClassVar[dict[str, Any]] = {
        "CourtCase": _DOCKET | {"CaseDefendantParty": [_RAY]},
        "CaseDisposition": {"DispositionCode": "dismissed", "DispositionDate": {"Date": "2026-05-04"}},
    }

    CourtCase: ConcernedCaseType
    CaseDisposition: DispositionType


class ChargeReferenceType(Closed):
    """Which charge, by the two numbers that name it in every system."""

    ArrestTransactionNumber: Number
    ChargeSequenceID: Number


class SealedCaseType(ConcernedCaseType):
    """What is sealed, expunged or vacated: the case, or these charges of it."""

    model_config = ConfigDict(
        json_schema_extra={
            "oneOf": [
                {"properties": {"SealedScopeCode": {"const": "case"}, "CaseCharge": {"maxItems": 0}}},
                {
                    "required": ["CaseCharge"],
                    "properties": {"SealedScopeCode": {"const": "charge"}, "CaseCharge": {"minItems": 1}},
                },
            ]
        }
    )

    SealedScopeCode: Literal["case", "charge"]
    CaseCharge: Annotated[tuple[ChargeReferenceType, ...], Field(max_length=50)] = ()
    """Which charges, where it is not the whole case."""

    @model_validator(mode="after")
    def _scope(self) -> SealedCaseType:
        if (self.SealedScopeCode == "charge") != bool(self.CaseCharge):
            raise ValueError("it must name charges if the scope is charge, and none if it is the case")
        return self


class CaseSealed(Body):
    """A case, or charges of it, were sealed, expunged or vacated: from now on they are not there."""

    example: ClassVar[dict[str, Any]] = {
        "CourtCase": _DOCKET | {"SealedScopeCode": "case"},
        "CourtOrder": {"CourtOrderIssuingDate": {"Date": "2026-09-01"}},
    }

    CourtCase: SealedCaseType
    CourtOrder: SealingOrderType


class SealingOrderType(Closed):
    """The order, by its day."""

    CourtOrderIssuingDate: DateType


class CaseRetracted(Body):
    """A case was entered in error: it is as if it had never been sent."""

    example: ClassVar[dict[str, Any]] = {"CourtCase": _DOCKET}

    CourtCase: CaseType
