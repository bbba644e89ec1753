"""Who a participant is: other names, a corrected name, a phone that changes hands, two records of one person.

A name or a number is that of the record which the path names, one that was merged away too: taken apart again, each
record bears what is its own, and until then its partners read it.
"""

from __future__ import annotations

from datetime import date

from pydantic import AwareDatetime

from domain import plan, roi, roster
from domain.event import LongText, PersonName, ShortText
from domain.participant import (
    AliasRecorded,
    NameCorrected,
    Participant,
    ParticipantIdentified,
    PhoneChanged,
    RecordsMerged,
    RecordsUnmerged,
    merge,
    participant,
    unmerge,
)
from domain.refusal import Refused
from domain.registry import CARE, Role
from services.person import consent_of, others
from services.ports import Append, Caller
from services.site import Command, Outcome, Site, append, day, example, handles, happened, load_participant
from services.status import latch_all


class RecordAlias(Command):
    """Another name by which the participant is known."""

    model_config = example(alias="Sunny")

    alias: ShortText


@handles(RecordAlias, *CARE)
def record_alias(site: Site, caller: Caller, command: RecordAlias, *, participant_id: str) -> Outcome:
    """Record another name."""
    who, history = load_participant(site, caller, participant_id, merged=True)
    state = participant(who, history)
    event = AliasRecorded(participant_id=who, party_id=caller.party, occurred_at=site.now(), alias=command.alias)
    return Outcome([append(who, state.version, event)], {"participant": participant_id})


class CorrectName(Command):
    """The participant's name as it is. Partners read this one from now on; the one before is told to nobody."""

    model_config = example(given="Rae", surname="Bell")

    given: ShortText
    surname: ShortText
    birth_date: date | None = None


@handles(CorrectName, *CARE)
def correct_name(site: Site, caller: Caller, command: CorrectName, *, participant_id: str) -> Outcome:
    """Correct a participant's name, or birth date."""
    who, history = load_participant(site, caller, participant_id, merged=True)
    state = participant(who, history)
    known = [r.event.birth_date for r in history if isinstance(r.event, ParticipantIdentified | NameCorrected)]
    if command.birth_date is None and not known:
        raise Refused("birth_date", "nobody has said it yet.", "Give it with the name.")
    event = NameCorrected(
        participant_id=who,
        party_id=caller.party,
        occurred_at=site.now(),
        name=PersonName(given=command.given, surname=command.surname),
        birth_date=day(site, "birth_date", command.birth_date) if command.birth_date else known[-1],
    )
    return Outcome([append(who, state.version, event)], {"participant": participant_id})


class ChangePhone(Command):
    """How the participant is reached from now on; nothing if at no number. `shared`: others read what comes there."""

    model_config = example(phone="206-555-0147", shared=True)

    phone: ShortText | None = None
    shared: bool = False
    since: AwareDatetime | None = None


@handles(ChangePhone, *CARE)
def change_phone(site: Site, caller: Caller, command: ChangePhone, *, participant_id: str) -> Outcome:
    """Change a participant's number."""
    who, history = load_participant(site, caller, participant_id, merged=True)
    state = participant(who, history)
    event = PhoneChanged(
        participant_id=who,
        party_id=caller.party,
        occurred_at=happened(site, "since", command.since),
        phone=command.phone,
        shared=command.shared,
    )
    return Outcome([append(who, state.version, event)], {"participant": participant_id})


class MergeRecords(Command):
    """Another record is of the same person: it is read with this one from now on. Partners notice nothing."""

    model_config = example(other="k7q2m4xw6ahzn3rt5ybdcfgeuq", why="Same prints; he gave his brother's name.")

    other: str
    why: LongText


@handles(MergeRecords, Role.SUPERVISOR)
def merge_records(site: Site, caller: Caller, command: MergeRecords, *, participant_id: str) -> Outcome:
    """Merge another record into this one; who was enrolled in time by one is so for the charges of both."""
    who, history = load_participant(site, caller, participant_id)
    kept = participant(who, history)
    other, its_history = load_participant(site, caller, command.other, "other", merged=True)
    away = participant(other, its_history)
    event = RecordsMerged(
        participant_id=who, party_id=caller.party, occurred_at=site.now(), other=other, kept=True, why=command.why
    )
    on_kept, on_away = merge(kept, away, event)
    records = [kept, *others(site, kept), away]
    enrolled_at = min((r.enrolled_at for r in records if r.enrolled_at is not None), default=None)
    its_plan = plan.plan(other, site.log.load(plan.plan_stream(other)))
    return Outcome(
        [
            append(who, kept.version, on_kept),
            append(other, away.version, on_away),
            append(plan.plan_stream(other), its_plan.version, *plan.close(its_plan, caller.party, site.now())),
            *latch_all(site, caller.party, records, enrolled_at),
            *_conflicts(site, records),
            _slot(site, caller, kept, away),
        ],
        {"participant": participant_id, "other": command.other},
    )


class UnmergeRecords(Command):
    """A record that was merged into another is of someone else after all; it is named in the path."""

    model_config = example(why="The brother came in himself.")

    why: LongText


@handles(UnmergeRecords, Role.SUPERVISOR)
def unmerge_records(site: Site, caller: Caller, command: UnmergeRecords, *, participant_id: str) -> Outcome:
    """Take two records apart; each has its own history and accounting again. What is latched stays so."""
    who, history = load_participant(site, caller, participant_id, merged=True)
    away = participant(who, history)
    event = RecordsUnmerged(
        participant_id=who, party_id=caller.party, occurred_at=site.now(), other=who, why=command.why
    )
    on_kept, on_away = unmerge(away, event)
    kept = site.log.load(on_away.other)
    return Outcome(
        [append(on_away.other, kept[-1].version, on_kept), append(who, away.version, on_away)],
        {"participant": participant_id},
    )


def _conflicts(site: Site, person: list[Participant]) -> list[Append]:
    """Return on each record the conflicts of interest that were declared on another: they are about the person."""
    held = [consent_of(site, record) for record in person]
    offices = sorted({office for consent in held for office in consent.conflicts})
    return [
        append(
            roi.consent_stream(consent.participant),
            consent.version,
            *(
                event
                for office in offices
                for event in roi.declare_conflict(
                    consent,
                    roi.ConflictDeclared(participant_id=consent.participant, party_id=office, occurred_at=site.now()),
                )
            ),
        )
        for consent in held
    ]


def _slot(site: Site, caller: Caller, kept: Participant, away: Participant) -> Append:
    """Return what frees the slot of the record merged away, or hands it over: somebody carries the person."""
    history = site.log.load(roster.ROSTER)
    event = roster.ParticipantReleased(
        participant_id=away.id, party_id=caller.party, occurred_at=site.now(), reason=roster.Leaving.WITHDRAWN
    )
    return append(roster.ROSTER, history[-1].version if history else 0, *roster.hand_over(history, event, kept.id))
