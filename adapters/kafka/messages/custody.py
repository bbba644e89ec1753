"""What a jail tells: a booking, its release, and that it was an error."""

from __future__ import annotations

from typing import Any, ClassVar

from adapters.kafka.messages.niem import (
    Body,
    Closed,
    DateTimeType,
    DateType,
    Flag,
    IdentificationType,
    Number,
    OrganizationType,
    RoleOfPersonType,
    Text,
)
from domain.legal_case import Source


class DetentionFacilityType(Closed):
    """Where a person is held."""

    FacilityName: Text


class BookingBasisType(Closed):
    """What a booking rests on, by its own number and day."""

    BookingBasisCode: Source
    ActivityIdentification: IdentificationType | None = None
    ActivityDate: DateType | None = None
    CitesLeadShareIndicator: Flag = False
    """Whether it cites something that you know only from LEAD."""


class BookingType(Closed):
    """A booking of one person."""

    BookingAgencyRecordIdentification: IdentificationType
    """The booking number."""
    BookingDocumentControlIdentification: IdentificationType | None = None
    """The folder of this stay."""
    ActivityDate: DateTimeType
    """When the person was booked."""
    BookingAgency: OrganizationType
    BookingSubject: RoleOfPersonType
    DetentionFacility: DetentionFacilityType
    ArrestTransactionNumber: Number | None = None
    """The arrest that led to it."""
    BookingBasis: BookingBasisType | None = None


class ReleaseType(Closed):
    """A release."""

    ActivityDate: DateTimeType


class ReleasedBookingType(Closed):
    """A booking that ended."""

    BookingAgencyRecordIdentification: IdentificationType
    BookingAgency: OrganizationType
    BookingRelease: ReleaseType


class RetractedBookingType(Closed):
    """Which booking."""

    BookingAgencyRecordIdentification: IdentificationType
    BookingAgency: OrganizationType


_NUMBER: dict[str, Any] = {
    "BookingAgencyRecordIdentification": {"IdentificationID": "226-0193"},
    "BookingAgency": {"OrganizationORIIdentification": {"IdentificationID": "WA0170000"}},
}


class CustodyBooked(Body):
    """A booking was approved."""

    example: ClassVar[dict[str, Any]] = {
        "Booking": _NUMBER
        | {
            "BookingDocumentControlIdentification": {"IdentificationID": "F-118204"},
            "ActivityDate": {"DateTime": "2026-02-10T23:40:00-08:00"},
            "BookingSubject": {
                "RoleOfPerson": {
                    "PersonStateIdentification": {"IdentificationID": "WA10044871"},
                    "PersonOtherIdentification": {"IdentificationID": "CCN-55120"},
                    "PersonName": {"PersonGivenName": "Ray", "PersonSurName": "Bell"},
                    "PersonBirthDate": {"Date": "1984-05-09"},
                }
            },
            "DetentionFacility": {"FacilityName": "County Jail"},
            "ArrestTransactionNumber": "A26-0042210",
            "BookingBasis": {
                "BookingBasisCode": "incident report",
                "ActivityIdentification": {"IdentificationID": "2026-42210"},
                "ActivityDate": {"Date": "2026-02-10"},
            },
        }
    }

    Booking: BookingType


class CustodyReleased(Body):
    """A release is complete."""

    example: ClassVar[dict[str, Any]] = {
        "Booking": _NUMBER | {"BookingRelease": {"ActivityDate": {"DateTime": "2026-02-12T08:05:00-08:00"}}}
    }

    Booking: ReleasedBookingType


class CustodyRetracted(Body):
    """A booking was entered in error: it is as if it had never been sent."""

    example: ClassVar[dict[str, Any]] = {"Booking": _NUMBER}

    Booking: RetractedBookingType
