"""What partners share: what consent shows a party of a participant, and beside it what is the party's own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple
from uuid import UUID

from domain.labels import Reader
from projections import court, custody, liaison_prosecutor, police, recipient
from projections.partner import GrantedEntry, GrantedParticipant
from projections.rows import MODELS, GrantedRow, Row
from services.ports import Caller, Session
from services.questions.listing import Asking, Items
from services.questions.showing import nothing, require, show, who
from services.release import PART2_NOTICE, Purpose, Rendered, answer, is_part2
from services.site import Site

ONE_SENTENCE = "one sentence, which the participant signed for"


class Tables(NamedTuple):
    """A partner's tables: who was shown to it, what it was told, and what is its own.

    Its referrals stand in their own list alone: here one of a person unknown to it would say who that is.
    """

    who: type[GrantedParticipant]
    told: type[GrantedEntry]
    own: tuple[type[Row], ...] = ()


TABLES: dict[Reader, Tables] = {
    Reader.POLICE: Tables(police.Participant, police.Entry, (police.OwnReferral, custody.OwnBooking)),
    Reader.PROSECUTOR: Tables(
        liaison_prosecutor.Participant,
        liaison_prosecutor.Entry,
        (
            liaison_prosecutor.OwnCase,
            liaison_prosecutor.OwnDecision,
            liaison_prosecutor.OwnDate,
            liaison_prosecutor.OwnWarrant,
            liaison_prosecutor.OwnNotice,
            liaison_prosecutor.OwnObligation,
        ),
    ),
    Reader.RECIPIENT: Tables(recipient.Participant, recipient.Entry),
    Reader.COURT: Tables(court.Participant, court.Entry, (court.OwnViolation,)),
}


def participant(site: Site, caller: Caller, reader: Reader, text: str) -> dict[str, Any]:
    """Return what one participant's consent shows this party, and beside it what is the party's own."""
    require(caller, reader)
    asked = site.ids.open(caller.party, text)

    def render(session: Session) -> Rendered:
        found = shared(session, reader, [asked] if asked is not None else [])
        rendered = rendered_shared(site, caller, found)
        rendered.body["own"] = _own(site, caller, session, reader, asked)
        if reader is Reader.PROSECUTOR:
            rendered.body["notice"] = PART2_NOTICE  # goes with a `completed`; the same whatever there is to show
        return rendered

    return answer(site, caller, f"{reader}.participant", Purpose.AS_THE_ROI_STATES, render)


def named_participants(asking: Asking, rows: Sequence[GrantedRow]) -> Items:
    """Show a page of what consent shows this party: participants, or something of theirs."""
    items = [asking.who(row) | asking.show(row) for row in rows]
    return Items(items, rows, statement(asking.site, rows), [statement_of(row) for row in rows])


@dataclass(frozen=True, slots=True)
class Shared:
    """What consent shows of some participants: who each is, and what was told. `torn`: the view changed meanwhile."""

    participants: list[tuple[Row, list[Row]]]
    torn: bool = False


def shared(session: Session, reader: Reader, participants: Sequence[UUID]) -> Shared:
    """Read what consent shows this reader of some participants."""
    named_in, told_in, _ = TABLES[reader]
    found: list[tuple[Row, list[Row]]] = []
    torn = False
    for each in participants:
        named = list[Row](session.select(named_in, {"subject_id": each}))
        entries = list[Row](session.select(told_in, {"subject_id": each}))
        # Entries that went dark between two computations would be missing beside a newer head: look again.
        torn = torn or list[Row](session.select(named_in, {"subject_id": each})) != named
        if named or entries:
            found.append((named[0] if named else entries[0], entries))
    return Shared(found, torn)


def rendered_shared(site: Site, caller: Caller, found: Shared) -> Rendered:
    """Render what consent shows, with the sentence above it."""
    unique = list({id(row): row for head, entries in found.participants for row in (head, *entries)}.values())
    items = []
    for head, entries in found.participants:
        body = who(site, caller, head)
        if isinstance(head, GrantedParticipant):
            body |= show(site, caller, head)
        else:  # 42 CFR 2.32 asks for the scope of the consent; that of an item is its sentence
            body |= {"scope": sorted({label for e in entries for label in _labels(e)}), "purpose": ONE_SENTENCE}
        body["told"] = [show(site, caller, entry) for entry in entries]
        items.append(body)
    return Rendered(statement(site, unique) | {"shared": items}, unique, torn=found.torn)


def statement(site: Site, rows: Sequence[Row]) -> dict[str, Any]:
    """Return the sentence that stands above what consent shows."""
    if not rows:
        return {"statement": nothing(site)}
    return {"statement": statement_of(*rows)}


def statement_of(*rows: Row) -> str:
    """Return the sentence that goes with what consent shows."""
    return PART2_NOTICE if is_part2(rows) else "Shared with you as the participant's ROI states."


def _labels(row: Row) -> list[str]:
    return row.shown.split() if isinstance(row, GrantedEntry) else []


def _own(site: Site, caller: Caller, session: Session, reader: Reader, asked: UUID | None) -> list[dict[str, Any]]:
    if asked is None:
        return []
    return [
        {"record": MODELS[table].name.removeprefix("own_")} | show(site, caller, row)
        for table in TABLES[reader].own
        for row in session.select(table, {"subject_id": asked})
    ]
