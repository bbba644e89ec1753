"""What a recipient asks: the participants whose ROI names it."""

from __future__ import annotations

from domain.labels import Reader
from projections.recipient import Ask, Participant
from services.questions.listing import Listing
from services.questions.partner import named_participants
from services.questions.showing import columns_of
from services.release import Purpose

LISTINGS = (
    Listing(
        path="recipient/participants",
        key="shared",
        row=Participant,
        reader=Reader.RECIPIENT,
        purpose=Purpose.AS_THE_ROI_STATES,
        doc="The participants whose ROI names you.",
        items=named_participants,
        columns=("participant", *columns_of(Participant), "statement"),
    ),
    Listing(
        path="recipient/asks",
        key="asks",
        row=Ask,
        reader=Reader.RECIPIENT,
        purpose=Purpose.OWN_RECORDS,
        doc="What you asked LEAD or told it, newest first.",
    ),
)
