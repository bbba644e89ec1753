"""What police report of custody: bookings, and arrests that came without an offer of diversion (T:491)."""

from __future__ import annotations

from datetime import date

from pydantic import AwareDatetime

from domain.custody import PersonBooked, booking_id
from domain.event import ShortText
from domain.legal_case import Source
from domain.refusal import Refused
from domain.registry import POLICE
from domain.stop_record import ArrestRecorded, NoOffer
from services.ports import Caller
from services.site import Command, Outcome, Site, append, day, example, handles, happened, known_to


class RecordBooking(Command):
    """A person was booked into a jail. `participant`: your own id; `source`: what it rests on, by its own number.

    `cites_share`: that source cites something that your department knows only from LEAD.
    """

    model_config = example(
        participant="k7q2m4xw6ahzn3rt5ybdcfgeuq",
        booking_number="226-0193",
        facility="County Jail",
        source="incident report",
        source_number="2026-42210",
        source_on="2026-02-10",
    )

    participant: str
    booking_number: ShortText
    facility: ShortText
    source: Source
    source_number: ShortText | None = None
    source_on: date | None = None
    cites_share: bool = False
    booked_at: AwareDatetime | None = None


@handles(RecordBooking, *POLICE)
def record_booking(site: Site, caller: Caller, command: RecordBooking) -> Outcome:
    """Record a booking."""
    participant = known_to(site, caller, command.participant)
    booking = booking_id(caller.party, command.booking_number)
    if site.log.load(booking):
        raise Refused("booking_number", "your department has recorded it already.", "Give the number of this booking.")
    if command.source_on is not None:
        day(site, "source_on", command.source_on)
    event = PersonBooked(
        participant_id=participant,
        party_id=caller.party,
        matter_id=booking,
        occurred_at=happened(site, "booked_at", command.booked_at),
        **command.model_dump(exclude={"participant", "booked_at"}),
    )
    return Outcome([append(booking, 0, event)], {"booking": site.ids.seal(caller.party, booking)})


class RecordArrest(Command):
    """An arrest led to no diversion: none was offered, or the person declined.

    It names nobody: a charge by code, where, which unit, and the stated reason.
    """

    model_config = example(
        code="90J", reason="the officer's discretion", precinct="West", unit="West 2nd watch", race_as_perceived="Black"
    )

    code: ShortText
    reason: NoOffer
    precinct: ShortText | None = None
    unit: ShortText | None = None
    race_as_perceived: ShortText | None = None
    arrested_at: AwareDatetime | None = None


@handles(RecordArrest, *POLICE)
def record_arrest(site: Site, caller: Caller, command: RecordArrest) -> Outcome:
    """Record an arrest without a diversion, and whether its charge could have been diverted then."""
    arrested_at = happened(site, "arrested_at", command.arrested_at)
    protocol = site.protocol_of("arrested_at", arrested_at)
    event = ArrestRecorded(
        party_id=caller.party,
        occurred_at=arrested_at,
        divertible=command.code in protocol.divertible,
        protocol_version=protocol.version,
        **command.model_dump(exclude={"arrested_at"}),
    )
    arrest = site.new_id()
    return Outcome([append(arrest, 0, event)], {"arrest": site.ids.seal(caller.party, arrest)})
