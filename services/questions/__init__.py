"""What people ask, one module for each reader. Every answer leaves through `release`.

`LISTINGS` are all the lists there are, `FIGURES` all the figures. A new one is a declaration in its reader's module.
"""

from services.questions import (
    case_manager,
    counsel,
    court,
    defender,
    findings,
    legal_services,
    participant,
    police,
    privacy,
    program,
    prosecutor,
    public_record,
    recipient,
    referrals,
)
from services.questions.figures import Figures
from services.questions.listing import Listing

LISTINGS: tuple[Listing, ...] = (
    *police.LISTINGS,
    *prosecutor.LISTINGS,
    *recipient.LISTINGS,
    *public_record.LISTINGS,
    *case_manager.LISTINGS,
    *court.LISTINGS,
    *program.LISTINGS,
    *defender.LISTINGS,
    *counsel.LISTINGS,
    *legal_services.LISTINGS,
    *participant.LISTINGS,
    *privacy.LISTINGS,
    *findings.LISTINGS,
    *referrals.LISTINGS,
)

FIGURES: tuple[Figures, ...] = program.FIGURES
