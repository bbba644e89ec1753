"""What becomes of a participant once enrolled: active or inactive, discharged, returned, died (T:278-T:282)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import AwareDatetime

from domain import plan, roi, roster, screening
from domain.door import Decline, ReferralDeclined
from domain.event import Event, LongText
from domain.participant import (
    Enrolment,
    Ground,
    Participant,
    StatusChanged,
    become,
    come_back,
    die,
    discharge,
    participant,
)
from domain.referral import referrals
from domain.refusal import Refused
from domain.registry import CARE, ParticipantAccess, Role, StaffEnded
from services.person import consent_of, others
from services.ports import Append, Caller
from services.referrals import latches
from services.site import Command, Outcome, Site, append, example, handles, happened, load_participant

Decider = Callable[[Participant, StatusChanged], list[Event]]


class RecordActivity(Command):
    """Active, or inactive: a description (T:278). Someone in the wind is still carried."""

    model_config = example(status="inactive", note="Not seen since the bridge was cleared; Luis asks at breakfast.")

    status: Literal[Enrolment.ACTIVE, Enrolment.INACTIVE]
    since: AwareDatetime | None = None
    note: LongText | None = None


@handles(RecordActivity, *CARE)
def record_activity(site: Site, caller: Caller, command: RecordActivity, *, participant_id: str) -> Outcome:
    """Record that a participant is active, or inactive."""
    state = _participant(site, caller, participant_id)
    event = StatusChanged(
        participant_id=state.id,
        party_id=caller.party,
        occurred_at=happened(site, "since", command.since),
        status=command.status,
        note=command.note,
    )
    return Outcome(_changed(state, others(site, state), event, become), {"participant": participant_id})


class DischargeParticipant(Command):
    """Discharge someone, on a ground that there is; `tried`: what the team tried, and for how long."""

    model_config = example(
        ground="sustained lack of engagement",
        tried="Weekly outreach since October; family and shelters asked.",
    )

    ground: Ground
    tried: LongText
    since: AwareDatetime | None = None


@handles(DischargeParticipant, *CARE)
def discharge_participant(site: Site, caller: Caller, command: DischargeParticipant, *, participant_id: str) -> Outcome:
    """Discharge: the slot is free and the plan rests; the ROI, and what is latched, stand."""
    state = _participant(site, caller, participant_id)
    event = StatusChanged(
        participant_id=state.id,
        party_id=caller.party,
        occurred_at=happened(site, "since", command.since),
        status=Enrolment.DISCHARGED,
        ground=command.ground,
        note=command.tried,
        protocol_version=site.protocol().version,
    )
    by_supervisor = caller.role is Role.SUPERVISOR
    rest = others(site, state)
    return Outcome(
        [
            *_changed(state, rest, event, lambda who, said: discharge(who, said, by_supervisor=by_supervisor)),
            *_closed(site, caller, [state, *rest]),
            *freed(site, caller, [state, *rest], roster.Leaving.DISCHARGED),
        ],
        {"participant": participant_id},
    )


class ReturnParticipant(Command):
    """Someone who was discharged is back."""

    model_config = example(note="Came to the office; wants to take up the room again.")

    since: AwareDatetime | None = None
    note: LongText | None = None


@handles(ReturnParticipant, *CARE)
def return_participant(site: Site, caller: Caller, command: ReturnParticipant, *, participant_id: str) -> Outcome:
    """Return: charges held since then latch; the team assigns someone anew."""
    state = _participant(site, caller, participant_id)
    event = StatusChanged(
        participant_id=state.id,
        party_id=caller.party,
        occurred_at=happened(site, "since", command.since),
        status=Enrolment.ACTIVE,
        note=command.note,
    )
    rest = others(site, state)
    return Outcome(
        [
            *_changed(state, rest, event, come_back),
            *latch_all(site, caller.party, [state, *rest], event.occurred_at),
        ],
        {"participant": participant_id},
    )


class RecordDeath(Command):
    """A participant has died."""

    model_config = example(died_at="2026-02-14T01:30:00-08:00", note="Told by the hospital; his sister knows.")

    died_at: AwareDatetime
    note: LongText | None = None


@handles(RecordDeath, Role.SUPERVISOR)
def record_death(site: Site, caller: Caller, command: RecordDeath, *, participant_id: str) -> Outcome:
    """Record a death: every grant of every party ends at once. Nothing is sent to anyone; what is latched stands.

    What nobody has accepted waits no more.
    """
    state = _participant(site, caller, participant_id)
    event = StatusChanged(
        participant_id=state.id,
        party_id=caller.party,
        occurred_at=happened(site, "died_at", command.died_at),
        status=Enrolment.DECEASED,
        note=command.note,
    )
    records = [state, *others(site, state)]
    appends = _changed(state, records[1:], event, die)
    for record in records:
        consent = consent_of(site, record)
        ended = roi.end(consent, site.now())
        appends += [append(roi.consent_stream(record.id), consent.version, *ended), *_signed_out(site, record.id)]
    return Outcome(
        [
            *appends,
            *_closed(site, caller, records),
            *_off_the_queue(site, caller, records),
            *freed(site, caller, records, roster.Leaving.DECEASED),
        ],
        {"participant": participant_id},
    )


def latch_all(site: Site, care: UUID, records: Iterable[Participant], enrolled_at: datetime | None) -> list[Append]:
    """Return the latches of every referral of these records: who is in LEAD by one of them is in LEAD.

    An office hears `completed` by the consent of the very record alone: a merge widens nothing.
    """
    appends: list[Append] = []
    for record in records:
        consent = consent_of(site, record)
        tell = consent.hear_completed(site.now())
        appends += [
            append(roi.consent_stream(record.id), consent.version),
            *latches(care, site.log.history(record.id), enrolled_at, tell, site.now()),
        ]
    return appends


def freed(site: Site, caller: Caller, records: list[Participant], reason: roster.Leaving) -> list[Append]:
    """Return what frees the slot of these records."""
    state = roster.roster(site.log.load(roster.ROSTER))
    released = [
        roster.ParticipantReleased(
            participant_id=record.id, party_id=caller.party, occurred_at=site.now(), reason=reason
        )
        for record in records
    ]
    return [append(roster.ROSTER, state.version, *(e for each in released for e in roster.release(state, each)))]


def _participant(site: Site, caller: Caller, text: str) -> Participant:
    who, history = load_participant(site, caller, text)
    return participant(who, history)


def _changed(state: Participant, rest: list[Participant], event: StatusChanged, decide: Decider) -> list[Append]:
    """Return what a change writes on a participant's record, and on those merged into it that stand as it does."""
    appends = [append(state.id, state.version, *decide(state, event))]
    for record in rest:
        try:
            events = decide(record, event.model_copy(update={"participant_id": record.id}))
        except Refused:
            events = []
        appends.append(append(record.id, record.version, *events))
    return appends


def _closed(site: Site, caller: Caller, records: list[Participant]) -> list[Append]:
    appends = []
    for record in records:
        stream = plan.plan_stream(record.id)
        state = plan.plan(record.id, site.log.load(stream))
        appends.append(append(stream, state.version, *plan.close(state, caller.party, site.now())))
    return appends


def _off_the_queue(site: Site, caller: Caller, records: list[Participant]) -> list[Append]:
    """Return the end of the referrals of someone who died that nobody has accepted."""
    appends = []
    for record in records:
        for state in referrals(site.log.history(record.id)):
            ended = ReferralDeclined(
                participant_id=record.id,
                party_id=caller.party,
                staff_id=caller.staff,
                occurred_at=site.now(),
                how=Decline.DIED,
                decided_by=caller.name,
                protocol_version=state.protocol_version,
            )
            appends.append(append(state.id, state.version, *screening.end_with_death(state, ended)))
    return appends


def _signed_out(site: Site, who: UUID) -> list[Append]:
    """Return the end of every sign-in of a participant; one that was ended before stays as it is."""
    given = [r.stream for r in site.log.history(who) if isinstance(r.event, ParticipantAccess)]
    last = [site.log.load(stream)[-1] for stream in given]
    return [
        append(
            recorded.stream,
            recorded.version,
            StaffEnded(participant_id=who, party_id=who, staff_id=recorded.event.staff_id, occurred_at=site.now()),
        )
        for recorded in last
        if isinstance(recorded.event, ParticipantAccess)
    ]
