"""Arrest diversion: offer, sergeant's override, warm handoff, release, deadline, extension, latch (T:346, T:1097-1113).

Stream: the referral, by whatever door it came. Each charge held back is a matter of its own, so that an order on one
destroys no other.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from enum import StrEnum
from functools import reduce
from typing import Annotated, ClassVar
from uuid import UUID

from pydantic import AwareDatetime

from domain.calendar import days_after, end_of_day
from domain.door import (
    SCREENED,
    CommunityReferred,
    Decline,
    LegalSystemReferred,
    ReferralDeclined,
    ReferralScreened,
    SocialContactReferred,
)
from domain.event import Event, LongText, PartyIs, Recorded, ShortText, Value
from domain.labels import Label
from domain.protocol import Door, Protocol
from domain.refusal import Refused


class NoticeCode(StrEnum):
    """The closed codes that the protocol sends without an ROI. No reasons (labels, basis N)."""

    HANDOFF_MET = "handoff met"
    EXTENSION_REQUESTED = "extension requested"
    NO_CAPACITY = "no capacity"
    DIVERSION_PENDING = "diversion pending"
    NO_COMPLETION = "no completion notice by deadline"
    COMPLETED = "completed"


class Charge(Value):
    """A charge by code (NIBRS or local) as the arresting or charging agency states it."""

    code: ShortText
    description: ShortText
    severity: ShortText


class ReferralOffered(Event):
    """An officer with probable cause offered diversion, and the person said yes (T:1097, T:1101).

    Called in, it has neither place nor facts: they come with the report. `unit`: the officer's, as the department
    calls it, so that units that never offer show (T:491).
    """

    topic: ClassVar[str] = "referral.offered"
    label: ClassVar[Label] = Label.REFERRAL_POLICE
    requires: ClassVar[tuple[str, ...]] = ("participant_id", "party_id")

    door: Annotated[Door, Label.REFERRAL_POLICE]
    incident_number: Annotated[ShortText, Label.REFERRAL_POLICE]
    place: Annotated[ShortText | None, Label.REFERRAL_POLICE] = None
    precinct: Annotated[ShortText | None, Label.REFERRAL_POLICE] = None
    facts: Annotated[LongText | None, Label.REFERRAL_POLICE] = None
    unit: Annotated[ShortText | None, Label.REFERRAL_POLICE] = None
    agreed_at: Annotated[AwareDatetime, Label.REFERRAL_POLICE]
    protocol_version: Annotated[ShortText, Label.REFERRAL_POLICE]


class ReferralCalledIn(Event):
    """The officer called, and LEAD wrote it down for the department: a phone call is enough (T:1287)."""

    topic: ClassVar[str] = "referral.called_in"
    label: ClassVar[Label] = Label.REFERRAL_POLICE
    requires: ClassVar[tuple[str, ...]] = ("participant_id", "party_id")

    officer: Annotated[ShortText, Label.REFERRAL_POLICE]
    incident_number: Annotated[ShortText, Label.REFERRAL_POLICE]


class ReferralReported(Event):
    """The department's report of a referral that was called in."""

    topic: ClassVar[str] = "referral.reported"
    label: ClassVar[Label] = Label.REFERRAL_POLICE
    requires: ClassVar[tuple[str, ...]] = ("participant_id", "party_id")

    place: Annotated[ShortText, Label.REFERRAL_POLICE]
    facts: Annotated[LongText, Label.REFERRAL_POLICE]


class ChargeHeld(Event):
    """A charge is held back while the diversion runs; `prosecutor` is the office whose charge it would be (T:1105)."""

    topic: ClassVar[str] = "charge.held"
    label: ClassVar[Label] = Label.CHARGE_DIVERTED
    requires: ClassVar[tuple[str, ...]] = ("participant_id", "party_id", "matter_id")

    charge: Annotated[Charge, Label.CHARGE_DIVERTED]
    incident_number: Annotated[ShortText, Label.CHARGE_DIVERTED]
    prosecutor: Annotated[UUID, Label.CHARGE_DIVERTED]
    exclusions: Annotated[tuple[ShortText, ...], Label.OVERRIDE] = ()
    criminal_history: Annotated[LongText | None, Label.CRIMHIST] = None
    race_as_perceived: Annotated[ShortText | None, Label.DEMOGRAPHICS_OFFICER] = None

    def jurisdiction(self) -> UUID:
        """Return the office whose charge it would be."""
        return self.prosecutor


class ExclusionOverridden(Event):
    """A sergeant or commander overrode an exclusion in this case (T:393)."""

    topic: ClassVar[str] = "exclusion.overridden"
    label: ClassVar[Label] = Label.OVERRIDE
    requires: ClassVar[tuple[str, ...]] = ("participant_id", "party_id", "matter_id")

    exclusion: Annotated[ShortText, Label.OVERRIDE]
    rank: Annotated[ShortText, Label.OVERRIDE]
    reason: Annotated[ShortText, Label.OVERRIDE]
    protocol_version: Annotated[ShortText, Label.OVERRIDE]


class HandoffMet(Event):
    """A case manager met the person where the officer was (T:348). Minutes run from `requested_at` to `occurred_at`."""

    topic: ClassVar[str] = "handoff.met"
    label: ClassVar[Label] = Label.REFERRAL_STATUS
    requires: ClassVar[tuple[str, ...]] = ("participant_id", "party_id")

    requested_at: Annotated[AwareDatetime, Label.REFERRAL_STATUS]
    minutes: Annotated[int, Label.REFERRAL_STATUS]
    within_protocol: Annotated[bool, Label.REFERRAL_STATUS]


class ReferralAccepted(Event):
    """LEAD accepted the referral. `found_at`: "where can I find you?" (T:1111), for care alone."""

    topic: ClassVar[str] = "referral.accepted"
    label: ClassVar[Label] = Label.REFERRAL_STATUS
    requires: ClassVar[tuple[str, ...]] = ("participant_id", "party_id")

    found_at: Annotated[LongText | None, Label.CONTACT_LOCATION] = None
    protocol_version: Annotated[ShortText | None, Label.REFERRAL_STATUS] = None


class ReleasedFromCustody(Event):
    """The officer released the person (T:1109); return within the protocol's hours is asked against, not forbidden."""

    topic: ClassVar[str] = "custody.released"
    label: ClassVar[Label] = Label.REFERRAL_POLICE
    requires: ClassVar[tuple[str, ...]] = ("participant_id", "party_id")

    in_presence_of_codefendants: Annotated[bool, Label.REFERRAL_POLICE]
    non_return_until: Annotated[AwareDatetime, Label.REFERRAL_POLICE]


class DeadlineSet(Event):
    """The intake is asked for by the end of this local day (T:1105)."""

    topic: ClassVar[str] = "deadline.set"
    label: ClassVar[Label] = Label.REFERRAL_STATUS
    requires: ClassVar[tuple[str, ...]] = ("participant_id", "party_id")

    due_on: Annotated[date, Label.REFERRAL_STATUS]
    due_at: Annotated[AwareDatetime, Label.REFERRAL_STATUS]
    protocol_version: Annotated[ShortText, Label.REFERRAL_STATUS]


class ExtensionRequested(Event):
    """Care asked for more time (T:407). The reason never leaves care."""

    topic: ClassVar[str] = "extension.requested"
    label: ClassVar[Label] = Label.REFERRAL_STATUS
    requires: ClassVar[tuple[str, ...]] = ("participant_id", "party_id")

    until: Annotated[date, Label.REFERRAL_STATUS]
    reason: Annotated[LongText, Label.CONTACT_NOTE]


class ExtensionAgreed(Event):
    """The referring officer, or a sergeant or commander, agreed (T:407)."""

    topic: ClassVar[str] = "extension.agreed"
    label: ClassVar[Label] = Label.REFERRAL_POLICE
    requires: ClassVar[tuple[str, ...]] = ("participant_id", "party_id")

    until: Annotated[date, Label.REFERRAL_POLICE]


class DepartmentNotified(Event):
    """A closed code went to the referring department, with the site's team number."""

    topic: ClassVar[str] = "notice.department"
    label: ClassVar[Label] = Label.REFERRAL_STATUS
    party_is: ClassVar[PartyIs] = PartyIs.NOTIFIED
    requires: ClassVar[tuple[str, ...]] = ("participant_id", "party_id")

    code: Annotated[NoticeCode, Label.REFERRAL_STATUS]
    team_number: Annotated[ShortText, Label.REFERRAL_STATUS]


class ProsecutorNotified(Event):
    """A closed code went to the prosecutor's office, with incident number and charge code."""

    topic: ClassVar[str] = "notice.prosecutor"
    label: ClassVar[Label] = Label.CHARGE_DIVERTED
    party_is: ClassVar[PartyIs] = PartyIs.NOTIFIED
    requires: ClassVar[tuple[str, ...]] = ("participant_id", "party_id", "matter_id")

    code: Annotated[NoticeCode, Label.CHARGE_DIVERTED]
    until: Annotated[date | None, Label.CHARGE_DIVERTED] = None
    incident_number: Annotated[ShortText, Label.CHARGE_DIVERTED]
    charge_code: Annotated[ShortText, Label.CHARGE_DIVERTED]


class ChargeLatched(Event):
    """The charge will not be filed (T:1183). Nothing undoes it."""

    topic: ClassVar[str] = "charge.latched"
    label: ClassVar[Label] = Label.CHARGE_DIVERTED
    requires: ClassVar[tuple[str, ...]] = ("participant_id", "party_id", "matter_id")

    prosecutor: Annotated[UUID, Label.CHARGE_DIVERTED]
    charge: Annotated[Charge, Label.CHARGE_DIVERTED]
    incident_number: Annotated[ShortText, Label.CHARGE_DIVERTED]

    def jurisdiction(self) -> UUID:
        """Return the office whose charge it would have been."""
        return self.prosecutor


@dataclass(frozen=True, slots=True)
class HeldCharge:
    """A charge of a referral, as it stands. `excluded`: exclusions that stand; `told`: its office heard of the end."""

    charge: Charge
    incident_number: str
    prosecutor: UUID
    excluded: frozenset[str] = frozenset()
    latched: bool = False
    told: bool = False


@dataclass(frozen=True, slots=True)
class Referral:
    """A referral's stream, folded.

    `department`: whose referral it is, by another door the party that referred. `meets`: whether a person who screened
    it found both criteria met; None before. `unreported`: called in, and its report is still to come.
    """

    id: UUID
    version: int
    participant: UUID
    department: UUID
    offered_at: datetime
    protocol_version: str
    door: Door = Door.ARREST_DIVERSION
    charges: dict[UUID, HeldCharge] = field(default_factory=dict)
    unreported: bool = False
    meets: bool | None = None
    met: bool = False
    accepted_at: datetime | None = None
    accepted_by: UUID | None = None
    declined: Decline | None = None
    released_at: datetime | None = None
    due_at: datetime | None = None
    extension_until: date | None = None

    @property
    def waits(self) -> bool:
        """Whether a slot is all that it lacks: one that a person has yet to screen delays nobody (T:1133)."""
        fits = self.meets or self.door not in SCREENED
        return bool(self.accepted_at is None and self.declined is None and fits)


STARTS = (ReferralOffered, SocialContactReferred, CommunityReferred, LegalSystemReferred)
"""How a referral begins, one for each kind of door."""


def referrals(history: Sequence[Recorded[Event]], *starts: type[Event]) -> list[Referral]:
    """Fold every referral of a participant's history that began with one of these events; of any, if none is named."""
    begun = dict.fromkeys(r.stream for r in history if isinstance(r.event, starts or STARTS))
    states = (referral(r for r in history if r.stream == stream) for stream in begun)
    return [state for state in states if state is not None]


def referral(history: Iterable[Recorded[Event]], state: Referral | None = None) -> Referral | None:
    """Fold a referral's stream, or what is new of it after a state; None for an empty one."""
    for recorded in history:
        event = recorded.event
        if isinstance(event, STARTS) and event.participant_id is not None and event.party_id is not None:
            state = Referral(
                id=recorded.stream,
                version=recorded.version,
                participant=event.participant_id,
                department=event.party_id,
                offered_at=event.occurred_at,
                protocol_version=event.protocol_version,
                door=event.door,
            )
        elif state is not None:
            state = replace(_apply(state, event, erased=bool(recorded.erased)), version=recorded.version)
    return state


def after(state: Referral, events: Iterable[Event]) -> Referral:
    """Return a referral as it stands once these events are recorded."""
    return reduce(_apply, events, state)


def _apply(state: Referral, event: Event, *, erased: bool = False) -> Referral:
    if event.matter_id is not None:
        # Where the matter was vacated and its key destroyed, nobody hears of it and nothing latches.
        return state if erased else replace(state, charges=_charges(state.charges, event.matter_id, event))
    match event:
        case ReferralCalledIn() | ReferralReported():
            return replace(state, unreported=isinstance(event, ReferralCalledIn))
        case ReferralScreened():
            return replace(state, meets=event.meets)
        case HandoffMet():
            return replace(state, met=True)
        case ReferralAccepted():
            return replace(state, accepted_at=event.occurred_at, accepted_by=event.party_id)
        case ReferralDeclined():
            return replace(state, declined=event.how)
        case ReleasedFromCustody():
            return replace(state, released_at=event.occurred_at)
        case DeadlineSet():
            return replace(state, due_at=event.due_at)
        case ExtensionRequested():
            return replace(state, extension_until=event.until)
        case ExtensionAgreed():
            return replace(state, extension_until=None)
        case _:
            return state


def _charges(charges: dict[UUID, HeldCharge], matter: UUID, event: Event) -> dict[UUID, HeldCharge]:
    match event:
        case ChargeHeld():
            held = HeldCharge(event.charge, event.incident_number, event.prosecutor, frozenset(event.exclusions))
        case ExclusionOverridden():
            held = replace(charges[matter], excluded=charges[matter].excluded - {event.exclusion})
        case ChargeLatched():
            held = replace(charges[matter], latched=True)
        case ProsecutorNotified(code=NoticeCode.COMPLETED):
            held = replace(charges[matter], told=True)
        case _:
            return charges
    return {**charges, matter: held}


def offer(offered: ReferralOffered, charges: list[ChargeHeld], protocol: Protocol) -> list[Event]:
    """Offer arrest diversion for divertible charges.

    Raises `Refused` for a charge or an exclusion that the protocol in force does not know.
    """
    for n, held in enumerate(charges):
        if held.charge.code not in protocol.divertible:
            raise Refused(
                f"charges[{n}].code",
                f"{held.charge.code} is not divertible under {protocol.version}.",
                f"Divertible are: {', '.join(sorted(protocol.divertible))}.",
            )
        unknown = sorted(set(held.exclusions) - protocol.exclusions)
        if unknown:
            raise Refused(
                f"charges[{n}].exclusions",
                f"{unknown[0]} is no exclusion of {protocol.version}.",
                f"Exclusions are: {', '.join(sorted(protocol.exclusions))}.",
            )
    return [offered, *charges]


def report(state: Referral, event: ReferralReported) -> list[Event]:
    """Join the department's report to what it called in, once."""
    if not state.unreported:
        raise Refused("referral", "its report is here already.", "Nothing more is needed: it is among your referrals.")
    return [event]


def override(state: Referral, event: ExclusionOverridden, protocol: Protocol) -> list[Event]:
    """Override one exclusion of one charge, by rank (T:393)."""
    held = state.charges.get(event.matter_id) if event.matter_id else None
    if held is None or event.exclusion not in held.excluded:
        raise Refused("exclusion", "it does not stand against this charge.", "Name one that does.")
    if event.rank not in protocol.override_ranks:
        ranks = ", ".join(sorted(protocol.override_ranks))
        raise Refused("rank", f"{event.rank} may not override.", f"Ranks that may: {ranks}.")
    return [event]


def meet(
    state: Referral, care: UUID, requested_at: datetime, met_at: datetime, protocol: Protocol, now: datetime
) -> list[Event]:
    """Record the warm handoff and tell the department, now."""
    if state.met:
        raise Refused("met_at", "the handoff is recorded already.", "Read the referral.")
    if met_at < requested_at:
        raise Refused("met_at", "it lies before requested_at.", "Give the time of arrival.")
    minutes = int((met_at - requested_at).total_seconds() // 60)
    return [
        HandoffMet(
            participant_id=state.participant,
            party_id=care,
            occurred_at=met_at,
            requested_at=requested_at,
            minutes=minutes,
            within_protocol=met_at - requested_at <= protocol.handoff,
        ),
        tell_department(state, NoticeCode.HANDOFF_MET, now, protocol),
    ]


def accept(state: Referral, event: ReferralAccepted) -> list[Event]:
    """Accept the referral, once no exclusion stands and, by a door without a charge, once a person has screened it."""
    if state.accepted_at is not None:
        raise Refused("accepted_at", "the referral is accepted already.", "Read the referral.")
    if state.declined is not None:
        raise Refused("referral", f"it has ended: {state.declined}.", "Let the person be referred anew.")
    if event.occurred_at < state.offered_at:
        raise Refused("accepted_at", "it lies before the offer.", "Give the time of acceptance.")
    if state.door in SCREENED and not state.meets:
        reason = "nobody has screened it yet." if state.meets is None else "it does not meet both criteria."
        raise Refused("referral", reason, "Screen it: what is seen, what it comes from, what would happen otherwise.")
    standing = sorted({e for held in state.charges.values() for e in held.excluded})
    if standing:
        raise Refused("referral", f"an exclusion stands: {standing[0]}.", "Ask a sergeant or commander to override it.")
    return [event]


def release(
    state: Referral, released_at: datetime, protocol: Protocol, now: datetime, *, codefendants: bool
) -> list[Event]:
    """Release the person; the intake deadline begins, and the prosecutor's office hears how long the charge is held."""
    if state.accepted_at is None:
        raise Refused("released_at", "the referral is not accepted yet.", "The case manager records acceptance first.")
    if state.released_at is not None:
        raise Refused("released_at", "the release is recorded already.", "Read the referral.")
    if released_at < state.accepted_at:
        raise Refused("released_at", "it lies before acceptance.", "Give the time of release.")
    released = ReleasedFromCustody(
        participant_id=state.participant,
        party_id=state.department,
        occurred_at=released_at,
        in_presence_of_codefendants=codefendants,
        non_return_until=released_at + protocol.non_return,
        expires_at=released_at + protocol.non_return,
    )
    due_on = days_after(released_at, protocol.intake_days, protocol.tz)
    return [released, *_deadline(state, released_at, due_on, protocol, now)]


def request_extension(state: Referral, event: ExtensionRequested, protocol: Protocol, now: datetime) -> list[Event]:
    """Ask the department for more time; it hears the code, not the reason."""
    _check_until(state, event.until, protocol, now)
    return [event, tell_department(state, NoticeCode.EXTENSION_REQUESTED, now, protocol)]


def agree_extension(
    state: Referral, until: date, agreed_at: datetime, protocol: Protocol, now: datetime
) -> list[Event]:
    """Agree to more time; the deadline moves, and the prosecutor's office hears the new date."""
    if state.extension_until is None:
        raise Refused("referral", "no extension is asked for.", "The case manager asks first.")
    _check_until(state, until, protocol, agreed_at)
    agreed = ExtensionAgreed(
        participant_id=state.participant, party_id=state.department, occurred_at=agreed_at, until=until
    )
    return [agreed, *_deadline(state, agreed_at, until, protocol, now)]


def latch(state: Referral, care: UUID, enrolled_at: datetime, tell: frozenset[UUID], now: datetime) -> list[Event]:
    """Latch the charges of a referral whose participant enrolled in time: they will not be filed (T:1183).

    Before the release is written down no deadline runs, and any time is in time. `tell` holds the offices for which
    the participant signed that they hear `completed`: now, or earlier.
    """
    if state.accepted_at is None:  # LEAD may still decline it
        return []
    in_time = state.due_at is None or enrolled_at <= state.due_at
    at = max(enrolled_at, state.offered_at)
    events: list[Event] = []
    for matter, held in state.charges.items():
        latches = in_time and not held.latched and not held.excluded
        if latches:
            events.append(
                ChargeLatched(
                    participant_id=state.participant,
                    party_id=care,
                    matter_id=matter,
                    occurred_at=at,
                    prosecutor=held.prosecutor,
                    charge=held.charge,
                    incident_number=held.incident_number,
                )
            )
        if (latches or held.latched) and held.prosecutor in tell and not held.told:
            events.append(_tell_prosecutor(state, matter, NoticeCode.COMPLETED, now, None))
    return events


def untold(state: Referral, signed_at: datetime) -> frozenset[UUID]:
    """Return the offices that have not heard `completed` of a charge which is latched, or would be by this signature.

    A charge that the signature is too late for goes its usual way, and its office has nothing to hear.
    """
    if state.declined is not None:
        return frozenset()
    in_time = state.due_at is None or signed_at <= state.due_at
    return frozenset(held.prosecutor for held in state.charges.values() if not held.told and (held.latched or in_time))


def _check_until(state: Referral, until: date, protocol: Protocol, at: datetime) -> None:
    if state.due_at is None:
        raise Refused("until", "no deadline runs.", "Record the release first.")
    if until <= state.due_at.astimezone(protocol.tz).date():
        raise Refused("until", "it is not later than the deadline that runs.", "Give a later day.")
    if until < at.astimezone(protocol.tz).date():
        raise Refused("until", "that day is over.", "Give today, or a later day.")


def _deadline(state: Referral, at: datetime, due_on: date, protocol: Protocol, now: datetime) -> list[Event]:
    due_at = end_of_day(due_on, protocol.tz)
    return [
        DeadlineSet(
            participant_id=state.participant,
            party_id=state.department,
            occurred_at=at,
            due_on=due_on,
            due_at=due_at,
            expires_at=due_at,
            protocol_version=protocol.version,
        ),
        *(
            _tell_prosecutor(state, matter, NoticeCode.DIVERSION_PENDING, now, due_on)
            for matter, held in state.charges.items()
            # An office that may not hear of the latch hears what it would of anyone; and none of a day that is over.
            if not held.told and due_at >= now
        ),
    ]


def tell_department(state: Referral, code: NoticeCode, at: datetime, protocol: Protocol) -> Event:
    """Return the notice of a closed code to the department."""
    return DepartmentNotified(
        participant_id=state.participant,
        party_id=state.department,
        occurred_at=at,
        code=code,
        team_number=protocol.team_number,
    )


def _tell_prosecutor(state: Referral, matter: UUID, code: NoticeCode, at: datetime, until: date | None) -> Event:
    held = state.charges[matter]
    return ProsecutorNotified(
        participant_id=state.participant,
        party_id=held.prosecutor,
        matter_id=matter,
        occurred_at=at,
        code=code,
        until=until,
        incident_number=held.incident_number,
        charge_code=held.charge.code,
    )
