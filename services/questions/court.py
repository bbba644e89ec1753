"""What courts and probation offices ask: the participants whose ROI names them, and what they asked themselves."""

from __future__ import annotations

from domain.labels import Reader
from projections.court import Ask, OwnViolation, Participant
from services.questions.listing import Listing
from services.questions.partner import named_participants
from services.questions.showing import columns_of
from services.release import Purpose

LISTINGS = (
    Listing(
        path="court/participants",
        key="shared",
        row=Participant,
        reader=Reader.COURT,
        purpose=Purpose.AS_THE_ROI_STATES,
        doc="The participants whose ROI names your office.",
        items=named_participants,
        columns=("participant", *columns_of(Participant), "statement"),
    ),
    Listing(
        path="court/asks",
        key="asks",
        row=Ask,
        reader=Reader.COURT,
        purpose=Purpose.OWN_RECORDS,
        doc="What your office asked LEAD or told it, newest first.",
    ),
    Listing(
        path="court/violations",
        key="violations",
        row=OwnViolation,
        reader=Reader.COURT,
        purpose=Purpose.OWN_RECORDS,
        doc="The violations that your office alleged, newest first.",
    ),
)
