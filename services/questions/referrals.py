"""What is asked about referrals: what waits, by those who screen; what they said, by those who referred."""

from __future__ import annotations

from typing import Any

from domain.labels import Reader
from projections.queue import CareReferral, ProgramReferral
from projections.referrer import CommunityReferral, CounselReferral, CourtReferral, ProsecutorReferral
from services.questions.listing import Asking, Choice, Listing, by_participant
from services.release import Purpose

_ENDED = Choice("all", whole="those that wait", doc="Those that were accepted or have ended, too.")


def _waiting(asking: Asking) -> dict[str, Any]:
    return {} if asking.chosen else {"waits": True}


LISTINGS = (
    Listing(
        path="case-manager/referrals",
        key="referrals",
        row=CareReferral,
        reader=Reader.CASE_MANAGER,
        purpose=Purpose.CARE,
        doc="The referrals that wait, by every door, oldest first.",
        where=_waiting,
        items=by_participant,
        choice=_ENDED,
    ),
    Listing(
        path="program/referrals",
        key="referrals",
        row=ProgramReferral,
        reader=Reader.PROGRAM,
        purpose=Purpose.RUNNING_THE_SITE,
        doc="The referrals that wait, by every door, oldest first.",
        where=_waiting,
        items=by_participant,
        choice=_ENDED,
    ),
    Listing(
        path="prosecutor/referrals",
        key="referrals",
        row=ProsecutorReferral,
        reader=Reader.PROSECUTOR,
        purpose=Purpose.OWN_RECORDS,
        doc="Your office's own referrals, as you made them, newest first.",
    ),
    Listing(
        path="court/referrals",
        key="referrals",
        row=CourtReferral,
        reader=Reader.COURT,
        purpose=Purpose.OWN_RECORDS,
        doc="Your court's or office's own referrals, as you made them, newest first.",
    ),
    Listing(
        path="recipient/referrals",
        key="referrals",
        row=CommunityReferral,
        reader=Reader.RECIPIENT,
        purpose=Purpose.OWN_RECORDS,
        doc="Your own referrals, as you made them, newest first.",
    ),
    Listing(
        path="counsel/referrals",
        key="referrals",
        row=CounselReferral,
        reader=Reader.COUNSEL,
        purpose=Purpose.OWN_RECORDS,
        doc="Your own referrals, as you described each person, newest first; names stay out.",
    ),
)
