"""What LEAD tells a party, and the receipt with which the party answers a withdrawal.

In clear stands an opaque key, which is the party's alone: two parties that compare theirs learn nothing. What is known
of the participant is sealed under a key of this participant and this party, destroyed when the grant ends.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, StrictInt, StringConstraints

from adapters.kafka.messages.niem import (
    Body,
    Closed,
    DateTimeType,
    DateType,
    Moment,
    Narrative,
    Number,
    Text,
)
from domain.labels import Label

OpaqueKey = Annotated[str, StringConstraints(pattern=r"^[a-z2-7]{26}$")]
Base64 = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9+/]+={0,2}$", max_length=16_384)]
Growing = Annotated[StrictInt, Field(ge=1, lt=2**53)]
"""A number that every JSON reader holds exactly."""
Nonce = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9+/]{16}$")]

_KEY = "k7q2m4xw6ahzn3rt5ybdcfgeuq"


class FullNameType(Closed):
    """A legal name as it stands at LEAD, in one piece."""

    PersonFullName: Narrative


class CaseManagerType(Closed):
    """Whom to call."""

    PersonFullName: Text | None = None
    TelephoneNumberFullID: Text


class ConsentScopeType(Closed):
    """What the participant allows this party to have, and for what."""

    LabelCode: Annotated[tuple[Label, ...], Field(min_length=1)]
    PurposeText: Text
    RedisclosureNoticeText: Narrative | None = None
    """The notice that goes with records under 42 CFR Part 2."""


class ParticipantStatus(Body):
    """What the sealed body holds: no more than the party's grants carry, and nothing of when or why they end."""

    example: ClassVar[dict[str, Any]] = {
        "PersonName": {"PersonFullName": "Ray Bell"},
        "PersonBirthDate": {"Date": "1984-05-09"},
        "EnrolmentStatusCode": "enrolled",
        "CaseManager": {"PersonFullName": "Dana Reyes", "TelephoneNumberFullID": "206-555-0100"},
        "ConsentScope": {
            "LabelCode": ["identity.legal", "enrolment.status", "case_manager.contact"],
            "PurposeText": "coordination",
        },
    }

    PersonName: Annotated[FullNameType | None, Label.IDENTITY_LEGAL] = None
    PersonBirthDate: Annotated[DateType | None, Label.IDENTITY_LEGAL] = None
    EnrolmentStatusCode: Annotated[Literal["enrolled"] | None, Label.ENROLMENT_STATUS] = None
    CaseManager: Annotated[CaseManagerType | None, Label.CASE_MANAGER_CONTACT] = None
    ConsentScope: Annotated[ConsentScopeType | None, Label.CONSENT_SCOPE] = None


class StatusPublished(Body):
    """A participant's status, sealed for this party."""

    example: ClassVar[dict[str, Any]] = {
        "ParticipantKey": _KEY,
        "StatusVersion": 3,
        "LeaseUntil": "2026-03-19T06:00:00Z",
        "KeyId": "k-5512",
        "Nonce": "AAECAwQFBgcICQoL",
        "EncryptedBody": "c2VhbGVkIHVuZGVyIGEga2V5IG9mIHRoaXMgcGFydHkgYWxvbmU=",
    }

    ParticipantKey: OpaqueKey
    """What this party knows the participant by; the record's key."""
    StatusVersion: Growing
    """It only grows: whoever has a later one drops this."""
    LeaseUntil: Moment
    """Until when it may be relied on, on the site's beat: it says nothing of when a grant ends."""
    KeyId: Number
    """The key, which is asked for and never sent along."""
    Nonce: Nonce
    """Of AES-256-GCM; Base64 of 12 bytes."""
    EncryptedBody: Base64
    """A `ParticipantStatus` as JSON, sealed, with its tag at the end; Base64."""


class StatusRetracted(Body):
    """What LEAD told of a participant is withdrawn: delete it, and answer with a receipt. There is never a reason."""

    example: ClassVar[dict[str, Any]] = {"ParticipantKey": _KEY, "StatusVersion": 4}

    ParticipantKey: OpaqueKey
    StatusVersion: Growing
    """Whatever has an earlier one is withdrawn, even if it comes later."""


class ReceiptSent(Body):
    """A party deleted what was withdrawn, or holds it under a legal duty."""

    example: ClassVar[dict[str, Any]] = {
        "ParticipantKey": _KEY,
        "ControlMessageID": "01987a31-2f1c-7d34-9f5b-62a1c0e3b7aa",
        "ReceiptCode": "purged",
        "ReceiptDate": {"DateTime": "2026-04-19T08:12:44-07:00"},
    }

    ParticipantKey: OpaqueKey
    ControlMessageID: Number
    """The id of the withdrawal."""
    ReceiptCode: Literal["purged", "held"]
    """Deleted everywhere, or held under a legal duty such as a litigation hold."""
    ReceiptDate: DateTimeType


class MessageErrorType(Closed):
    """What is wrong with a message."""

    ErrorPointerText: Annotated[str, StringConstraints(max_length=1000)]
    """A JSON pointer into the value, a header's name, or `key`; empty: the whole value."""
    ErrorCodeText: Number
    ErrorCodeDescriptionText: Narrative


class MessageAcknowledged(Body):
    """What became of a message. It depends on the message alone: never on whether LEAD knows anybody in it."""

    example: ClassVar[dict[str, Any]] = {
        "MessageSource": "urn:lead:king-county:city-pd:WASPD0000",
        "MessageID": "01987a31-0c44-7b1e-8a52-1f6a2f9b0d11",
        "AcknowledgementCode": "refused",
        "SystemEventDateTime": {"DateTime": "2026-02-14T10:55:02Z"},
        "MessageError": [
            {
                "ErrorPointerText": "/Arrest/ActivityDate/DateTime",
                "ErrorCodeText": "time_naive",
                "ErrorCodeDescriptionText": "It has no offset from UTC: write it as 2026-02-14T02:10:00-08:00.",
            }
        ],
    }

    MessageSource: Text
    MessageID: Text
    """The `source` and `id` of the message."""
    AcknowledgementCode: Literal["received", "waiting", "accepted", "refused"]
    """Received; waiting for a person; accepted; refused, with what is wrong."""
    SystemEventDateTime: DateTimeType
    MessageError: Annotated[tuple[MessageErrorType, ...], Field(max_length=100)] = ()
