"""What case managers ask: their caseload, and all that care may read of a participant."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from domain.labels import Reader
from domain.refusal import Unknown
from domain.registry import Role
from projections.case_manager import Ask, Duty, Entry, Match, MatchRecord, Participant, PlanEntry, Recipient
from projections.task import Task
from services.person import records
from services.ports import Caller, Session
from services.questions.listing import Asking, Choice, Items, Listing, by_participant
from services.questions.program import duties
from services.questions.showing import columns_of, require, show, who
from services.release import Purpose, Rendered, answer
from services.site import Site


def _on_caseload(asking: Asking) -> dict[str, Any]:
    return {"merged_into": None} | ({} if asking.chosen else {"carried_by": asking.caller.staff})


def _to_do(asking: Asking) -> dict[str, Any]:
    """Whose tasks are the caller's: of those whom she carries, those whom she covers now, and those of nobody."""
    if asking.chosen:
        return {}
    me, now, session = asking.caller.staff, asking.site.now(), asking.session
    covers = [
        row.subject_id
        for row in session.select(Participant, {"covered_by": me})
        if row.covered_from and row.covered_until and row.covered_from <= now < row.covered_until
    ]
    of_mine_or_nobody = [row for whose in (me, None) for row in session.select(Task, {"carried_by": whose})]
    return {"subject_id": [*covers, *dict.fromkeys(row.subject_id for row in of_mine_or_nobody)]}


def _inbox(asking: Asking, rows: Sequence[Ask]) -> Items:
    """Show what partners asked; whom it is about, where that is somebody whom the team has a record of."""
    about = [row.about_id for row in rows if row.about_id is not None]
    known = {row.subject_id: row for row in asking.session.select(Participant, {"subject_id": about})} if about else {}
    items = []
    for row in rows:
        body = asking.show(row)
        del body["about_id"]
        found = known.get(row.about_id) if row.about_id else None
        body["about"] = None if found is None else asking.who(found) | {"name": found.name}
        items.append(body)
    return Items(items, [*rows, *known.values()])


def _beside_the_record(asking: Asking, rows: Sequence[Match]) -> Items:
    """Show whom each is proposed for, and to who decides whom the record names: never what it says of that person.

    Until it is linked, it may be a stranger's.
    """
    about = {"subject_id": [row.subject_id for row in rows]}
    decides = bool(rows) and asking.caller.role is Role.SUPERVISOR
    records = {row.match_id: row for row in asking.session.select(MatchRecord, about)} if decides else {}
    known = {row.subject_id: row for row in asking.session.select(Participant, about)} if rows else {}
    items = []
    for row in rows:
        found, record = known.get(row.subject_id), records.get(row.match_id)
        items.append(
            asking.show(row)
            | {"about": None if found is None else asking.who(found) | {"name": found.name, "born": found.birth_date}}
            | {"record": None if record is None else {n: getattr(record, n) for n in ("name", "born", "sid")}}
        )
    shown = [records[row.match_id] for row in rows if row.match_id in records]
    return Items(items, [*rows, *known.values(), *shown])


LISTINGS = (
    Listing(
        path="case-manager/asks",
        key="asks",
        row=Ask,
        reader=Reader.CASE_MANAGER,
        purpose=Purpose.CARE,
        doc="What partners asked or told, newest first. An answer is a share of its own, or a call.",
        items=_inbox,
        columns=(*columns_of(Ask, {"about_id"}), "about.participant", "about.name"),
    ),
    Listing(
        path="case-manager/caseload",
        key="participants",
        row=Participant,
        reader=Reader.CASE_MANAGER,
        purpose=Purpose.CARE,
        doc="Your participants, by name.",
        where=_on_caseload,
        items=by_participant,
        choice=Choice("team", whole="yours alone", doc="The whole team's, not yours alone."),
        columns=(*columns_of(Participant), "participant"),
    ),
    Listing(
        path="case-manager/tasks",
        key="tasks",
        row=Task,
        reader=Reader.CASE_MANAGER,
        purpose=Purpose.CARE,
        doc="What there is to do for those whom you carry or cover now, and those whom nobody carries, soonest first.",
        where=_to_do,
        items=by_participant,
        choice=Choice("team", whole="yours alone", doc="The whole team's, not yours alone."),
    ),
    Listing(
        path="case-manager/matches",
        key="matches",
        row=Match,
        reader=Reader.CASE_MANAGER,
        purpose=Purpose.CARE,
        doc="Agencies' records that may be a participant's, the likeliest first; a supervisor decides.",
        items=_beside_the_record,
        columns=(
            *columns_of(Match),
            *("about.participant", "about.name", "about.born", "record.name", "record.born", "record.sid"),
        ),
    ),
    Listing(
        path="case-manager/covered",
        key="participants",
        row=Participant,
        reader=Reader.CASE_MANAGER,
        purpose=Purpose.CARE,
        doc="The colleagues' participants whom you cover or are to cover, from when until when, by name.",
        where=lambda asking: {"covered_by": asking.caller.staff},
        items=by_participant,
    ),
)


def on_call(site: Site, caller: Caller) -> dict[str, Any]:
    """Return who of the team is on call, now and later."""
    require(caller, Reader.CASE_MANAGER)

    def render(session: Session) -> Rendered:
        return Rendered({"on_call": duties(site, session.select(Duty))})

    return answer(site, caller, "case_manager.on_call", Purpose.RUNNING_THE_SITE, render)


def participant(site: Site, caller: Caller, text: str) -> tuple[dict[str, Any], int]:
    """Return all that care may read of a participant, and the position it stands at. Raises `Unknown`.

    Records that were merged are read as one, whichever of them is asked for; `of` says of which a line is.
    """
    require(caller, Reader.CASE_MANAGER)
    asked = site.ids.open(caller.party, text)
    positions = [0]

    def render(session: Session) -> Rendered:
        person = [record.id for record in records(site, asked)] if asked else []
        found = session.select(Participant, {"subject_id": person}) if person else []
        if not found:
            raise Unknown
        found.sort(key=lambda row: person.index(row.subject_id))  # the kept one first
        given = session.select(Recipient, {"subject_id": person})
        planned = session.select(PlanEntry, {"subject_id": person})
        entries = session.select(Entry, {"subject_id": person})
        entries.sort(key=lambda row: row.occurred_at, reverse=True)
        positions[0] = max(row.as_of for row in found)

        def line(row: Recipient | PlanEntry | Entry) -> dict[str, Any]:
            return {"of": site.ids.seal(caller.party, row.subject_id)} | show(site, caller, row)

        body = show(site, caller, found[0]) | who(site, caller, found[0])
        body["merged"] = [who(site, caller, row) | {"name": row.name, "phone": row.phone} for row in found[1:]]
        body["recipients"] = [line(row) for row in given]
        body["plan"] = [line(row) for row in planned]
        body["history"] = [line(row) for row in entries]
        return Rendered(body, [*found, *given, *planned, *entries])

    return answer(site, caller, "case_manager.participant", Purpose.CARE, render), positions[0]


def entity_tag(site: Site, caller: Caller, text: str, position: int) -> str:
    """Return the entity tag of what care read of a participant."""
    return site.tokens.tag(caller.staff, text, position)


def stands(site: Site, caller: Caller, text: str) -> tuple[str, dict[UUID, int]]:
    """Return the entity tag that a participant has now, and the position at which each record of it stands."""
    asked = site.ids.open(caller.party, text)
    person = records(site, asked) if asked else []
    at = {who: history.position for who, history in site.log.histories([record.id for record in person]).items()}
    return entity_tag(site, caller, text, max(at.values(), default=0)), at
