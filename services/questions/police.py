"""What police ask: their department's referrals, and lookups of a person."""

from __future__ import annotations

from datetime import date
from typing import Any

from domain.event import ShortText
from domain.labels import Reader
from domain.refusal import Refused
from projections import custody, police
from projections.rows import MODELS
from services.ports import Caller, Session
from services.questions.listing import Listing
from services.questions.partner import rendered_shared, shared
from services.questions.showing import require, show
from services.release import Purpose, Rendered, answer
from services.site import Command, Site, example

LISTINGS = (
    Listing(
        path="police/referrals",
        key="referrals",
        row=police.OwnReferral,
        reader=Reader.POLICE,
        purpose=Purpose.OWN_RECORDS,
        doc="Your department's own referrals, newest first.",
    ),
    Listing(
        path="police/asks",
        key="asks",
        row=police.Ask,
        reader=Reader.POLICE,
        purpose=Purpose.OWN_RECORDS,
        doc="What your department asked LEAD or told it, newest first.",
    ),
    Listing(
        path="police/bookings",
        key="bookings",
        row=custody.OwnBooking,
        reader=Reader.POLICE,
        purpose=Purpose.OWN_RECORDS,
        doc="The bookings that your department reported, newest first.",
    ),
    Listing(
        path="police/warrants",
        key="warrants",
        row=police.PublicWarrant,
        reader=Reader.POLICE,
        purpose=Purpose.OWN_RECORDS,
        doc="The warrants of the courts' public record, the latest first. Arrest on an old one is yours to decide.",
    ),
)


class Lookup(Command):
    """A question about a person: by name and birth date, or by an incident number of one's own."""

    model_config = example(given="Ray", surname="Bell", birth_date="1984-05-09")

    given: ShortText | None = None
    surname: ShortText | None = None
    birth_date: date | None = None
    incident_number: ShortText | None = None


def lookup(site: Site, caller: Caller, asked: Lookup) -> dict[str, Any]:
    """Answer a lookup. Nothing of the question is stored; people outside LEAD leave no trace by being asked about."""
    require(caller, Reader.POLICE)
    by_name = asked.given and asked.surname and asked.birth_date
    if not by_name and not asked.incident_number:
        raise Refused(
            "given", "a lookup needs given, surname and birth_date, or incident_number.", "Give one or the other."
        )

    def render(session: Session) -> Rendered:
        own = session.select(
            police.OwnReferral,
            {"incident_number": asked.incident_number} if asked.incident_number else {"birth_date": asked.birth_date},
        )
        if by_name:
            own = [row for row in own if same_name(row.name, asked)]
            candidates = session.select(police.Participant, {"birth_date": asked.birth_date})
            found = [row.subject_id for row in candidates if same_name(row.name, asked)]
        else:
            found = [row.subject_id for row in own]
        rendered = rendered_shared(site, caller, shared(session, Reader.POLICE, list(dict.fromkeys(found))))
        rendered.body["own"] = [show(site, caller, row) for row in own]
        rendered.body["public_record"] = _public_record(site, caller, session, asked) if by_name else []
        return rendered

    return answer(site, caller, "police.lookup", Purpose.AS_THE_ROI_STATES, render)


def _public_record(site: Site, caller: Caller, session: Session, asked: Lookup) -> list[dict[str, Any]]:
    """Return what courts tell everyone of someone of this name and birth date, whoever is in LEAD."""
    born = {"birth_date": asked.birth_date}
    told: list[police.PublicWarrant | police.PublicCase] = [*session.select(police.PublicWarrant, born)]
    told += session.select(police.PublicCase, born)
    return [
        {"record": MODELS[type(row)].name.removeprefix("public_")} | show(site, caller, row)
        for row in told
        if same_name(row.defendant, asked)
    ]


def same_name(name: str | None, asked: Lookup) -> bool:
    """Return whether a name is the one that is asked about."""
    return (name or "").casefold() == f"{asked.given} {asked.surname}".casefold()
