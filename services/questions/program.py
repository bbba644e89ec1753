"""What the project manager asks: capacity, deadlines, the way from each door, concerns, whether the site is well."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from domain.labels import Reader
from domain.participant import Enrolment
from domain.protocol import Door
from domain.refusal import Unknown
from domain.roster import Roster
from projections import case_manager
from projections.deadlines import Deadline, Stands
from projections.lens import plain
from projections.program import UNKNOWN, Concern, Duty, Place, Status, Way
from projections.views import VIEWS
from services import roster
from services.clocks import Clocks
from services.findings import Audit
from services.messages import NUMBER_MOST
from services.ports import OF_A_FILE, Aside, Caller, Keeping, Session
from services.questions.figures import Figures
from services.questions.listing import Asking, Choice, Listing, not_yours
from services.questions.showing import require
from services.release import Purpose, Rendered, answer
from services.site import Site
from services.tokens import BadToken


def _that_stand(asking: Asking) -> dict[str, Any]:
    return {} if asking.chosen is None else {"stands": asking.chosen}


LISTINGS = (
    Listing(
        path="program/concerns",
        key="concerns",
        row=Concern,
        reader=Reader.PROGRAM,
        purpose=Purpose.RUNNING_THE_SITE,
        doc="Concerns of defenders, to be answered on the record, newest first.",
    ),
    Listing(
        path="program/deadlines",
        key="deadlines",
        row=Deadline,
        reader=Reader.PROGRAM,
        purpose=Purpose.RUNNING_THE_SITE,
        doc="The deadlines of arrest diversions, the soonest first.",
        where=_that_stand,
        choice=Choice("stands", whole="all of them", values=tuple(Stands)),
    ),
)


def _funnel(_: Site, session: Session) -> dict[str, Any]:
    """Return participants by status, those who died too; referrals, acceptances and enrolments by door, race and
    precinct; stops and arrests by precinct and race.

    Race as the person says it and as an officer wrote it are counted apart. No small cell is hidden: who asks may
    read every field of it by role.
    """
    counted = session.funnel()
    cells = [
        {"precinct": precinct, "race_as_perceived": race, "stops": stops, "arrests": arrests}
        for precinct, race, stops, arrests in counted
    ]
    totals = {"stops": sum(stops for *_, stops, _ in counted), "arrests": sum(arrests for *_, arrests in counted)}
    stand = Counter(row.status for row in session.select(Status))
    participants = [{"status": status, "count": stand[status]} for status in Enrolment]
    referrals = session.select(Way)
    by_door = {door: [row for row in referrals if row.door == door] for door in (*Door, UNKNOWN)}
    doors = [{"door": door} | _steps(rows) for door, rows in by_door.items() if rows or door != UNKNOWN]
    groups = {
        column: [
            {"door": door, name: value} | _steps([row for row in rows if getattr(row, column) == value])
            for door, rows in by_door.items()
            for value in sorted({getattr(row, column) for row in rows})
        ]
        for column, name in _GROUPS.items()
    }
    return {"participants": participants, "doors": doors, **groups, "cells": cells} | totals


_GROUPS = {"race_self_reported": "race", "race_as_perceived": "race", "precinct": "precinct"}
"""By what referrals are counted beside their door, and what a line calls it."""


def _steps(rows: Sequence[Way]) -> dict[str, int]:
    return {
        "referred": len(rows),
        "accepted": sum(row.accepted for row in rows),
        "enrolled": sum(row.enrolled for row in rows),
    }


def _capacity(site: Site, session: Session) -> dict[str, Any]:
    """Return who carries how many, what is free, who covers and who is on call, and what should alarm (T:1129).

    Participants in the wind are carried, and counted.
    """
    protocol = site.protocol()
    standing, covered = _places(session, site.now())
    carried = standing.loads
    team = roster.team(site, carried)
    average = standing.average(team)
    return {
        "protocol_version": protocol.version,
        "policy": {
            "intensive_least": protocol.caseload_intensive_least,
            "intensive_most": protocol.caseload_intensive_most,
            "average": protocol.caseload_average,
            "most": protocol.caseload_most,
        },
        "case_managers": [
            {
                "case_manager": person.name,
                "role": person.role,
                "carried": carried[staff],
                "covered_by_others": sum(row.carried_by == staff for row in covered),
                "covers": sum(row.covered_by == staff for row in covered),
                "free": max(0, protocol.caseload_most - carried[staff]),
            }
            for staff, person in sorted(team.items(), key=lambda item: item[1].name)
        ],
        "average": None if average is None else round(average, 1),
        "waiting": len(standing.reserved),
        "free": standing.room(team, protocol.caseload_most),
        "on_call": duties(site, session.select(Duty)),
        "alarms": _alarms(site, standing, covered),
    }


def _alarmed(site: Site, session: Session) -> dict[str, Any]:
    """Return what alarms today, by itself: the project manager's to look at, or to follow, each day."""
    return {"alarms": _alarms(site, *_places(session, site.now()))}


def _alarms(site: Site, standing: Roster, covered: Sequence[Place]) -> list[dict[str, Any]]:
    """Return the average above policy, who left with participants, each list of cover that runs.

    Nothing of it is written down: it follows from the roster and from which day it is, and ends with its reason.
    """
    carried = standing.loads
    team = roster.team(site, carried)
    gone = sorted(staff for staff in carried if staff not in team)
    return [
        *_above(standing.average(team), site.protocol().caseload_average),
        *({"alarm": "vacancy", "case_manager": _name(site, staff), "carried": carried[staff]} for staff in gone),
        *_covers(site, covered, site.now()),
    ]


def _places(session: Session, now: datetime) -> tuple[Roster, list[Place]]:
    """Return who carries whom, and of whom there is cover, now or later."""
    places = session.select(Place)
    standing = Roster(
        carried_by={row.subject_id: row.carried_by for row in places if row.carried_by},
        reserved=frozenset(row.subject_id for row in places if row.carried_by is None),
    )
    return standing, [row for row in places if row.covered_until and row.covered_until > now]


def _above(average: float | None, policy: int) -> list[dict[str, Any]]:
    above = average is not None and average > policy
    return [{"alarm": "average above policy", "average": round(average or 0, 1), "policy": policy}] if above else []


_OF_ALARMS = ("alarm", "average", "policy", "covered_by", "participants", "since", "until", "day")
"""What a line of a file tells of an alarm, beside whom it concerns."""


def _covers(site: Site, covered: Sequence[Place], now: datetime) -> Iterable[dict[str, Any]]:
    """Yield one alarm for each list of cover that runs, oldest first, every day until it ends: which day this is."""
    zone = site.protocol().tz
    lists = Counter(
        (row.covered_from, row.covered_until, row.carried_by, row.covered_by)
        for row in covered
        if row.covered_from is not None and row.covered_from <= now
    )
    for (since, until, carrier, by), count in sorted(lists.items(), key=lambda line: line[0][0]):
        yield {
            "alarm": "cover",
            "case_manager": _name(site, carrier),
            "covered_by": _name(site, by),
            "participants": count,
            "since": plain(since),
            "until": plain(until),
            "day": (now.astimezone(zone).date() - since.astimezone(zone).date()).days + 1,
        }


def duties(site: Site, rows: Iterable[Duty | case_manager.Duty]) -> list[dict[str, Any]]:
    """Return who is on call, and from when until when; what has ended is left out."""
    return [
        {"name": _name(site, row.staff_id), "begins_at": plain(row.begins_at), "ends_at": plain(row.ends_at)}
        for row in rows
        if row.ends_at > site.now()
    ]


def _name(site: Site, staff: UUID | None) -> str:
    person = site.directory.staff.get(staff) if staff else None
    return person.name if person else ""


FIGURES = (
    Figures(
        path="program/funnel",
        reader=Reader.PROGRAM,
        doc="From each door to enrolment, by race; stops and arrests by precinct and race as the officer perceived it.",
        count=_funnel,
        columns=(
            "status",
            "count",
            "door",
            "race",
            "precinct",
            "referred",
            "accepted",
            "enrolled",
            "race_as_perceived",
            "stops",
            "arrests",
        ),
    ),
    Figures(
        path="program/capacity",
        reader=Reader.PROGRAM,
        doc="Who carries how many, what is free, who covers, who is on call, and what should alarm.",
        count=_capacity,
        columns=(
            "intensive_least",
            "intensive_most",
            "most",
            "case_manager",
            "role",
            "carried",
            "covered_by_others",
            "covers",
            "free",
            "name",
            "begins_at",
            "ends_at",
            *_OF_ALARMS,
        ),
    ),
    Figures(
        path="program/alarms",
        reader=Reader.PROGRAM,
        doc="What alarms today: the average above policy, who left with participants, each list of cover that runs.",
        count=_alarmed,
        columns=("case_manager", "carried", *_OF_ALARMS),
    ),
)


def messages(site: Site, caller: Caller, cursor: str | None, limit: int) -> dict[str, Any]:
    """Return a page of agencies' messages that were set aside, oldest first: nothing of what they say."""
    require(caller, Reader.PROGRAM)
    try:
        after = 0 if cursor is None else site.tokens.open(caller.staff, _MESSAGES, cursor)
    except BadToken:
        raise not_yours() from None
    found = site.stream.asides(after=after, limit=limit + 1)
    more = site.tokens.seal(caller.staff, _MESSAGES, found[limit - 1].id) if len(found) > limit else None
    body = {"messages": [_message(site, caller, aside) for aside in found[:limit]], "next": more}
    return answer(site, caller, "program.messages", Purpose.RUNNING_THE_SITE, lambda _: Rendered(body))


def message(site: Site, caller: Caller, text: str) -> dict[str, Any]:
    """Return one message that was set aside. Raises `Unknown`."""
    require(caller, Reader.PROGRAM)

    def render(_: Session) -> Rendered:
        number = site.ids.open(caller.party, text)
        found = site.stream.asides(number=number.int) if number and number.int <= NUMBER_MOST else []
        if not found:
            raise Unknown
        return Rendered(_message(site, caller, found[0]))

    return answer(site, caller, "program.message", Purpose.RUNNING_THE_SITE, render)


_MESSAGES = "cursor program/messages"


def _message(site: Site, caller: Caller, aside: Aside) -> dict[str, Any]:
    party = site.directory.party(aside.party)
    return {
        "message": site.ids.seal(caller.party, UUID(int=aside.id)),
        "party": party.code,
        "topic": aside.topic,
        "partition": None if aside.partition == OF_A_FILE else aside.partition,
        "offset": aside.offset,
        "set_aside_at": plain(aside.kept_at),
        "kept_until": plain(aside.until),
        "waiting_behind": aside.waiting,
        "faults": [dict(fault) for fault in aside.faults],
    }


def health(site: Site, caller: Caller) -> dict[str, Any]:
    """Return whether the site is well: how far views lag, what they could not compute, the last seal.

    Of agencies' messages, how many are kept and why, since when the oldest, and how many partitions stopped. Of what
    agencies are told by stream, how much is unsent and since when, how much had its days before it could be told, when
    the relay beat last (None: never) and since when it fails. Of the clocks and of the audit, the oldest that should be
    written down and is not: they stand still if it is old.
    """
    require(caller, Reader.PROGRAM)
    streams, telling = site.stream.health(), site.outbox.health()
    unsent = [since for each in telling.untold for since in (each.statuses_since, each.acknowledgements_since) if since]
    state, late, unraised = site.log.health(), Clocks(site).late(), Audit(site).unraised()
    body = {
        "position": state.position,
        "views": [
            {
                "view": view.name,
                "version": view.version,
                "behind": state.position - state.views.get(view.name, 0),
                "parked": state.parked.get(view.name, 0),
            }
            for view in VIEWS.values()
        ],
        "deadlines_not_written": late.past,
        "deadlines_not_written_since": plain(late.since),
        "deadlines_failing": late.failing,
        "actions_without_finding": len(unraised),
        "actions_without_finding_since": plain(min(unraised, default=None)),
        "messages": [
            {"kept": keeping, "count": count, "oldest_at": plain(oldest)}
            for keeping in Keeping
            for count, oldest in [streams.kept.get(keeping, (0, None))]
        ],
        "messages_gone_unread": streams.unread,
        "partitions_stopped": sum(partition.stopped is not None for partition in streams.partitions),
        "messages_unsent": sum(each.statuses + each.acknowledgements for each in telling.untold),
        "messages_unsent_since": plain(min(unsent, default=None)),
        "messages_never_told": sum(each.never for each in telling.untold),
        "relay_beat_at": plain(telling.beat_at),
        "relay_failing_since": plain(telling.failing_since),
        "checkpoint_at": plain(state.sealed_at),
        "checkpoint_age_seconds": state.sealed_at and int((site.now() - state.sealed_at).total_seconds()),
    }
    return answer(site, caller, "program.health", Purpose.RUNNING_THE_SITE, lambda _: Rendered(body))
