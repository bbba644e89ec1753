"""What people ask, one module for each reader. Every answer leaves through `release`.

`LISTINGS` are all the lists there are. A new one is a declaration in its reader's module.
"""

from services.questions import case_manager, police, prosecutor, recipient, referrals
from services.questions.listing import Listing

LISTINGS: tuple[Listing, ...] = (
    *police.LISTINGS,
    *prosecutor.LISTINGS,
    *recipient.LISTINGS,
    *case_manager.LISTINGS,
    *referrals.LISTINGS,
)
