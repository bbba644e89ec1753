"""What people ask. Every answer leaves through `release`; with nothing to show, everyone gets one sentence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, NamedTuple, TypeVar
from uuid import UUID

from domain.event import ShortText
from domain.labels import TABLE, Label, Reader
from domain.participant import ParticipantIdentified
from domain.referral import DepartmentNotified, ProsecutorNotified
from domain.refusal import Forbidden, Refused, Unknown
from domain.roi import ItemConsented, RoiGranted, RoiNarrowed
from projections import case_manager, liaison_prosecutor, police, recipient
from projections.lens import plain
from projections.partner import GrantedEntry, GrantedParticipant
from projections.rows import MODELS, RoleRow, Row
from services.ports import Accounted, Caller, Session
from services.release import PART2_NOTICE, Purpose, Rendered, answer, is_part2
from services.site import Command, Site, example
from services.tokens import BadToken

R = TypeVar("R", bound=Row)

ONE_SENTENCE = "one sentence, which the participant signed for"

_HIDDEN = frozenset({"party_id", "subject_id", "epoch", "until", "as_of", "authority", "shown"})
# The columns of a table that an answer shows: no coordinates, and partners are not told when consent ends.
_SHOWN: dict[type[Row], tuple[str, ...]] = {
    row: tuple(
        column.name
        for column in model.columns
        if column.name not in (_HIDDEN - {"until"} if issubclass(row, RoleRow) else _HIDDEN)
    )
    for row, model in MODELS.items()
}
_TABLES: dict[Reader, tuple[type[GrantedParticipant], type[GrantedEntry]]] = {
    Reader.POLICE: (police.Participant, police.Entry),
    Reader.PROSECUTOR: (liaison_prosecutor.Participant, liaison_prosecutor.Entry),
    Reader.RECIPIENT: (recipient.Participant, recipient.Entry),
}


class Lookup(Command):
    """A question about a person: by name and birth date, or by an incident number of one's own."""

    model_config = example(given="Ray", surname="Bell", birth_date="1984-05-09")

    given: ShortText | None = None
    surname: ShortText | None = None
    birth_date: date | None = None
    incident_number: ShortText | None = None


def nothing(site: Site) -> str:
    """Return the one constant sentence. It says nothing about the person."""
    return (
        "LEAD has nothing it can show you here. Everyone gets this answer when there is nothing to show. "
        f"Need help now? Call {site.protocol().on_call}."
    )


def me(site: Site, caller: Caller) -> dict[str, Any]:
    """Return who the caller is here."""
    party = site.directory.parties.get(caller.party)
    body = {
        "name": caller.name,
        "role": caller.role,
        "party": party.code if party else "participant",
        "agency": party.name if party else "",
        "reads_as": caller.reader,
    }
    if caller.reader is Reader.PARTICIPANT:
        body["participant"] = site.ids.seal(caller.party, caller.party)
    return answer(site, caller, "me", Purpose.OWN_RECORDS, lambda _: Rendered(body)) if caller.reader else body


def parties(site: Site, caller: Caller) -> dict[str, Any]:
    """Return the register of parties."""
    site.directory.refresh()
    listed = sorted(site.directory.parties.values(), key=lambda p: p.code)
    body = {"parties": [{"code": p.code, "name": p.name, "kind": p.kind} for p in listed]}
    return answer(site, caller, "parties", Purpose.OWN_RECORDS, lambda _: Rendered(body)) if caller.reader else body


# What partners share -------------------------------------------------------------------------------------------------


def partner_participant(site: Site, caller: Caller, reader: Reader, text: str) -> dict[str, Any]:
    """Return what one participant's consent shows this party, and beside it what is the party's own."""
    _require(caller, reader)
    participant = site.ids.open(caller.party, text)

    def render(session: Session) -> Rendered:
        shown = _shared(session, reader, [participant] if participant is not None else [])
        rendered = _partner(site, caller, shown)
        rendered.body["own"] = _own(site, caller, session, reader, participant)
        if reader is Reader.PROSECUTOR:
            rendered.body["notice"] = PART2_NOTICE  # goes with a `completed`; the same whatever there is to show
        return rendered

    return answer(site, caller, f"{reader}.participant", Purpose.AS_THE_ROI_STATES, render)


def partner_participants(site: Site, caller: Caller, reader: Reader, cursor: str | None, limit: int) -> dict[str, Any]:
    """Return a page of the participants whose consent names this party."""
    _require(caller, reader)
    row, _ = _TABLES[reader]

    def render(session: Session) -> Rendered:
        page, following = _page(site, caller, session, row, {}, cursor, limit)
        shared = [{"participant": site.ids.seal(caller.party, r.subject_id)} | _show(site, caller, r) for r in page]
        return Rendered(_statement(site, page) | {"shared": shared, "next": following}, list(page))

    return answer(site, caller, f"{reader}.participants", Purpose.AS_THE_ROI_STATES, render)


@dataclass(frozen=True, slots=True)
class Shared:
    """What consent shows of some participants: who each is, and what was told. `torn`: the view changed meanwhile."""

    participants: list[tuple[Row, list[Row]]]
    torn: bool = False


def _shared(session: Session, reader: Reader, participants: Sequence[UUID]) -> Shared:
    who, told = _TABLES[reader]
    found: list[tuple[Row, list[Row]]] = []
    torn = False
    for participant in participants:
        named = list[Row](session.select(who, {"subject_id": participant}))
        entries = list[Row](session.select(told, {"subject_id": participant}))
        # Entries that went dark between two computations would be missing beside a newer head: look again.
        torn = torn or list[Row](session.select(who, {"subject_id": participant})) != named
        if named or entries:
            found.append((named[0] if named else entries[0], entries))
    return Shared(found, torn)


def _partner(site: Site, caller: Caller, found: Shared) -> Rendered:
    unique = list({id(row): row for head, entries in found.participants for row in (head, *entries)}.values())
    shared = []
    for head, entries in found.participants:
        body: dict[str, Any] = {"participant": site.ids.seal(caller.party, head.subject_id)}
        if isinstance(head, GrantedParticipant):
            body |= _show(site, caller, head)
        else:  # 42 CFR 2.32 asks for the scope of the consent; that of an item is its sentence
            body |= {"scope": sorted({label for e in entries for label in _labels(e)}), "purpose": ONE_SENTENCE}
        body["told"] = [_show(site, caller, entry) for entry in entries]
        shared.append(body)
    return Rendered(_statement(site, unique) | {"shared": shared}, unique, torn=found.torn)


def _labels(row: Row) -> list[str]:
    return row.shown.split() if isinstance(row, GrantedEntry) else []


def _statement(site: Site, rows: Sequence[Row]) -> dict[str, Any]:
    if not rows:
        return {"statement": nothing(site)}
    return {"statement": PART2_NOTICE if is_part2(rows) else "Shared with you as the participant's ROI states."}


# Police --------------------------------------------------------------------------------------------------------------


def police_referrals(site: Site, caller: Caller, cursor: str | None, limit: int) -> dict[str, Any]:
    """Return a page of the department's own referrals, newest first."""
    return _own_page(site, caller, Reader.POLICE, police.OwnReferral, "police.referrals", "referrals", cursor, limit)


def police_lookup(site: Site, caller: Caller, lookup: Lookup) -> dict[str, Any]:
    """Answer a lookup. Nothing of the question is stored; people outside LEAD leave no trace by being asked about."""
    _require(caller, Reader.POLICE)
    by_name = lookup.given and lookup.surname and lookup.birth_date
    if not by_name and not lookup.incident_number:
        raise Refused(
            "given", "a lookup needs given, surname and birth_date, or incident_number.", "Give one or the other."
        )

    def render(session: Session) -> Rendered:
        own = session.select(
            police.OwnReferral,
            {"incident_number": lookup.incident_number}
            if lookup.incident_number
            else {"birth_date": lookup.birth_date},
        )
        if by_name:
            own = [row for row in own if _same_name(row.name, lookup)]
            candidates = session.select(police.Participant, {"birth_date": lookup.birth_date})
            found = [row.subject_id for row in candidates if _same_name(row.name, lookup)]
        else:
            found = [row.subject_id for row in own]
        rendered = _partner(site, caller, _shared(session, Reader.POLICE, list(dict.fromkeys(found))))
        rendered.body["own"] = [_show(site, caller, row) for row in own]
        return rendered

    return answer(site, caller, "police.lookup", Purpose.AS_THE_ROI_STATES, render)


def _same_name(name: str | None, lookup: Lookup) -> bool:
    return (name or "").casefold() == f"{lookup.given} {lookup.surname}".casefold()


# Liaison prosecutor --------------------------------------------------------------------------------------------------


def pending_cases(site: Site, caller: Caller, cursor: str | None, limit: int, *, only_shared: bool) -> dict[str, Any]:
    """Return a page of the office's own docket, newest first, with LEAD's column where a live ROI names the office."""
    _require(caller, Reader.PROSECUTOR)

    def render(session: Session) -> Rendered:
        # Read once: to be on a page of `only=shared` is itself shown by the grant, and released with it.
        shared_all = session.select(liaison_prosecutor.Participant) if only_shared else []
        where = {"participant_id": [r.subject_id for r in shared_all]} if only_shared else {}
        page, following = _page(site, caller, session, liaison_prosecutor.OwnCase, where, cursor, limit)
        named = [row.participant_id for row in page if row.participant_id is not None]
        if only_shared:
            known = [r for r in shared_all if r.subject_id in set(named)]
        else:
            known = session.select(liaison_prosecutor.Participant, {"subject_id": named}) if named else []
        lead = {row.subject_id: row for row in known}
        cases = []
        for row in page:
            shared = lead.get(row.participant_id) if row.participant_id else None
            cases.append(_show(site, caller, row) | {"lead": _show(site, caller, shared) if shared else None})
        return Rendered(_statement(site, known) | {"cases": cases, "next": following}, list(known))

    return answer(site, caller, "liaison_prosecutor.pending_cases", Purpose.AS_THE_ROI_STATES, render)


def own_decisions(site: Site, caller: Caller, cursor: str | None, limit: int) -> dict[str, Any]:
    """Return a page of the office's own decisions, newest first."""
    row = liaison_prosecutor.OwnDecision
    return _own_page(site, caller, Reader.PROSECUTOR, row, "prosecutor.decisions", "decisions", cursor, limit)


def own_notices(site: Site, caller: Caller, cursor: str | None, limit: int) -> dict[str, Any]:
    """Return a page of the closed codes that the office was sent, newest first."""
    row = liaison_prosecutor.OwnNotice
    body = _own_page(site, caller, Reader.PROSECUTOR, row, "prosecutor.notices", "notices", cursor, limit)
    return body | {"statement": PART2_NOTICE}  # goes with a `completed`; the same for everyone, whatever the page holds


# Care ----------------------------------------------------------------------------------------------------------------


def caseload(site: Site, caller: Caller, cursor: str | None, limit: int, *, whole_team: bool) -> dict[str, Any]:
    """Return a page of the caller's participants, or of the whole team's, by name."""
    _require(caller, Reader.CASE_MANAGER)

    def render(session: Session) -> Rendered:
        where = {} if whole_team else {"carried_by": caller.staff}
        page, following = _page(site, caller, session, case_manager.Participant, where, cursor, limit)
        participants = [_show(site, caller, row) | _who(site, caller, row) for row in page]
        return Rendered({"participants": participants, "next": following}, list(page))

    return answer(site, caller, "case_manager.caseload", Purpose.CARE, render)


def care_participant(site: Site, caller: Caller, text: str) -> tuple[dict[str, Any], int]:
    """Return all that care may read of a participant, and the position it stands at. Raises `Unknown`."""
    _require(caller, Reader.CASE_MANAGER)
    participant = site.ids.open(caller.party, text)
    positions = [0]

    def render(session: Session) -> Rendered:
        found = session.select(case_manager.Participant, {"subject_id": participant}) if participant else []
        if not found:
            raise Unknown
        given = session.select(case_manager.Recipient, {"subject_id": participant})
        entries = session.select(case_manager.Entry, {"subject_id": participant})
        positions[0] = found[0].as_of
        body = _show(site, caller, found[0]) | _who(site, caller, found[0])
        body["recipients"] = [
            {"party": site.directory.party(row.party_id).code} | _show(site, caller, row) for row in given
        ]
        body["history"] = [_show(site, caller, row) for row in entries]
        return Rendered(body, [*found, *given, *entries])

    return answer(site, caller, "case_manager.participant", Purpose.CARE, render), positions[0]


def entity_tag(site: Site, caller: Caller, text: str, position: int) -> str:
    """Return the entity tag of what care read of a participant."""
    return site.tokens.tag(caller.staff, text, position)


def standing_tag(site: Site, caller: Caller, text: str) -> str:
    """Return the entity tag that a participant has now."""
    participant = site.ids.open(caller.party, text)
    history = site.log.history(participant) if participant else []
    return entity_tag(site, caller, text, history[-1].position if history else 0)


def _who(site: Site, caller: Caller, row: RoleRow) -> dict[str, Any]:
    return {"participant": site.ids.seal(caller.party, row.subject_id)}


# Program -------------------------------------------------------------------------------------------------------------


def funnel(site: Site, caller: Caller) -> dict[str, Any]:
    """Return stops and arrests of the administrative records, by precinct and race as perceived by the officer."""
    _require(caller, Reader.PROGRAM)

    def render(session: Session) -> Rendered:
        counted = session.funnel()
        cells = [
            {"precinct": precinct, "race_as_perceived": race, "stops": stops, "arrests": arrests}
            for precinct, race, stops, arrests in counted
        ]
        totals = {"stops": sum(stops for *_, stops, _ in counted), "arrests": sum(arrests for *_, arrests in counted)}
        return Rendered({"cells": cells} | totals)

    return answer(site, caller, "program.funnel", Purpose.RUNNING_THE_SITE, render)


# The participant -----------------------------------------------------------------------------------------------------


def accounting(site: Site, caller: Caller, text: str) -> dict[str, Any]:
    """Return the accounting of disclosures: who was shown what, when, why and under which grant; notices included.

    For the participant itself and for care; reading it is recorded. Raises `Unknown`.
    """
    if caller.reader not in (Reader.PARTICIPANT, Reader.CASE_MANAGER):
        raise Forbidden
    participant = site.ids.open(caller.party, text)
    if participant is None or (caller.reader is Reader.PARTICIPANT and participant != caller.party):
        raise Unknown
    history = site.log.history(participant)
    identified = any(isinstance(recorded.event, ParticipantIdentified) for recorded in history)
    purposes: list[_Stated] = []
    notices: list[tuple[datetime, dict[str, Any]]] = []
    for recorded in history:
        match recorded.event:
            case RoiGranted() | RoiNarrowed() as given:
                purposes.append(_Stated(recorded.recorded_at, str(given.roi), given.party_id, given.purpose))
            case ItemConsented() as item:
                purposes.append(_Stated(recorded.recorded_at, str(item.item_id), item.party_id, ONE_SENTENCE))
            case DepartmentNotified() | ProsecutorNotified() as sent if sent.party_id is not None:
                line = {"what": "notice", "to": _party(site, sent.party_id), "labels": [sent.label], "code": sent.code}
                notices.append((recorded.recorded_at, line))
            case _:
                pass

    def render(session: Session) -> Rendered:
        if not identified:
            raise Unknown
        lines = [(row.disclosed_at, _accounted(site, row, purposes)) for row in session.accounting(participant)]
        ordered = sorted([*lines, *notices], key=lambda line: line[0])
        return Rendered({"disclosures": [{"at": plain(at)} | line for at, line in ordered]}, accessed=[participant])

    return answer(site, caller, "accounting", Purpose.ACCOUNTING, render)


class _Stated(NamedTuple):
    """What a consent said it was for, from when on."""

    since: datetime
    grant: str
    party: UUID | None
    purpose: str


def _accounted(site: Site, row: Accounted, purposes: list[_Stated]) -> dict[str, Any]:
    in_force = {s.grant: s.purpose for s in purposes if s.party == row.party and s.since <= row.disclosed_at}
    stated = [in_force[grant] for grant in row.grants.split() if grant in in_force]
    labels = row.labels.split()
    part2 = row.kind == "disclosure" and any(TABLE[Label(label)].part2 for label in labels)
    person = site.directory.staff.get(row.staff)
    return {
        "what": row.kind,
        "to": _party(site, row.party),
        "person": person.name if person else "",
        "labels": labels,
        "purpose": "; ".join(stated) or row.purpose,
        "surface": row.surface,
        "notice": PART2_NOTICE if part2 else None,
    }


def _party(site: Site, party: UUID) -> str:
    known = site.directory.parties.get(party)
    return known.name if known else "the participant"


# Pages and values ----------------------------------------------------------------------------------------------------


def _require(caller: Caller, reader: Reader) -> None:
    if caller.reader is not reader:
        raise Forbidden


def _own(
    site: Site, caller: Caller, session: Session, reader: Reader, participant: UUID | None
) -> list[dict[str, Any]]:
    if participant is None:
        return []
    tables: dict[Reader, tuple[type[Row], ...]] = {
        Reader.POLICE: (police.OwnReferral,),
        Reader.PROSECUTOR: (liaison_prosecutor.OwnCase, liaison_prosecutor.OwnDecision, liaison_prosecutor.OwnNotice),
    }
    return [
        {"record": MODELS[table].name.removeprefix("own_")} | _show(site, caller, row)
        for table in tables.get(reader, ())
        for row in session.select(table, {"subject_id": participant})
    ]


def _own_page(
    site: Site,
    caller: Caller,
    reader: Reader,
    row: type[Row],
    surface: str,
    name: str,
    cursor: str | None,
    limit: int,
) -> dict[str, Any]:
    _require(caller, reader)

    def render(session: Session) -> Rendered:
        page, following = _page(site, caller, session, row, {}, cursor, limit)
        return Rendered({name: [_show(site, caller, r) for r in page], "next": following})

    return answer(site, caller, surface, Purpose.OWN_RECORDS, render)


def _page(
    site: Site, caller: Caller, session: Session, row: type[R], where: dict[str, Any], cursor: str | None, limit: int
) -> tuple[list[R], str | None]:
    """Return a page after a cursor, and the cursor of the next. The limit counts what the gate has let through."""
    model = MODELS[row]
    use = f"cursor {model.table}"
    try:
        after = None if cursor is None else site.tokens.open(caller.staff, use, cursor)
    except BadToken:
        raise Refused("cursor", "it is not one of yours for this list.", "Leave it out to begin anew.") from None
    if after is not None:
        kinds = {column.name: column.sql_type for column in model.columns}
        after = [_parse(kinds[name], value) for name, value in zip(model.order, after, strict=True)]
    found = session.select(row, where, after=after, limit=limit + 1)
    page = found[:limit]
    if len(found) <= limit:
        return page, None
    return page, site.tokens.seal(caller.staff, use, [plain(getattr(page[-1], name)) for name in model.order])


def _parse(sql_type: str, value: str) -> Any:
    match sql_type:
        case "uuid":
            return UUID(value)
        case "date":
            return date.fromisoformat(value)
        case "timestamptz":
            return datetime.fromisoformat(value)
        case _:
            return value


def _show(site: Site, caller: Caller, row: Row) -> dict[str, Any]:
    """Return a row as the caller's answer shows it, ids being the caller's own."""
    body: dict[str, Any] = {}
    for name in _SHOWN[type(row)]:
        value = getattr(row, name)
        if isinstance(value, UUID):
            body[name] = site.ids.seal(caller.party, value)
        elif isinstance(row, GrantedEntry) and name == "body":
            body |= value
        else:
            body[name] = value
    return body
