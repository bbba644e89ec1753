"""What whoever keeps the charge table tells: a charge code, added, changed or repealed."""

from __future__ import annotations

from typing import Any, ClassVar

from adapters.kafka.messages.niem import Body, ChargeStatuteType, Closed, DateType, NibrsCode, Number, Text


class ListedChargeType(Closed):
    """A charge of the table."""

    ChargeKey: Number
    ChargeUCRCode: NibrsCode
    ChargeStatute: ChargeStatuteType
    ChargeDescriptionText: Text
    ChargeSeverityText: Text
    EffectiveDate: DateType
    ExpirationDate: DateType | None = None
    """The first day on which nobody can be charged with it."""


class ChargeListed(Body):
    """A charge stands in the table so. A tombstone of its key takes it out, as if it had never been there."""

    example: ClassVar[dict[str, Any]] = {
        "Charge": {
            "ChargeKey": "RCW-9A.56.050",
            "ChargeUCRCode": "23C",
            "ChargeStatute": {
                "StatuteCodeIdentification": {"IdentificationID": "RCW 9A.56.050"},
                "StatuteCodeSectionIdentification": {"IdentificationID": "(1)(a)"},
            },
            "ChargeDescriptionText": "Theft in the third degree",
            "ChargeSeverityText": "gross misdemeanor",
            "EffectiveDate": {"Date": "2009-07-26"},
        }
    }

    Charge: ListedChargeType
