"""What participants ask: their own record, who sees what now, why, and the accounting of disclosures."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from domain.disclosure import OralDisclosure
from domain.labels import TABLE, Label, Reader, Viewer
from domain.participant import ParticipantIdentified
from domain.referral import DepartmentNotified, ProsecutorNotified
from domain.refusal import Forbidden, Unknown
from domain.roi import CounselAuthorised, CounselNarrowed, ItemConsented, RoiGranted, RoiNarrowed
from projections.counsel import Client
from projections.lens import Lens, plain
from projections.participant import Entry, Own, Recipient
from services.person import records
from services.ports import Accounted, Caller, Session
from services.questions.listing import Asking, Listing
from services.questions.partner import ONE_SENTENCE
from services.questions.showing import require, show, who
from services.questions.trace import trace
from services.release import PART2_NOTICE, Purpose, Rendered, answer
from services.site import Site


def _mine(asking: Asking) -> dict[str, Any]:
    return {"subject_id": asking.caller.party}


LISTINGS = (
    Listing(
        path="participant/history",
        key="history",
        row=Entry,
        reader=Reader.PARTICIPANT,
        purpose=Purpose.OWN_RECORDS,
        doc="All that LEAD has written down about you and may show you, newest first.",
        where=_mine,
    ),
    Listing(
        path="participant/recipients",
        key="recipients",
        row=Recipient,
        reader=Reader.PARTICIPANT,
        purpose=Purpose.OWN_RECORDS,
        doc="Who can see what of you now, by your own signature.",
        where=_mine,
    ),
)


def own(site: Site, caller: Caller) -> dict[str, Any]:
    """Return who a participant is to LEAD, its ROI copies, and who sees what now. Raises `Unknown`."""
    require(caller, Reader.PARTICIPANT)

    def render(session: Session) -> Rendered:
        found = session.select(Own, _of(caller))
        if not found:
            raise Unknown
        given = session.select(Recipient, _of(caller))
        signed = session.select(Entry, _of(caller) | {"kind": ["roi.signed", "roi.granted", "roi.narrowed"]})
        body = show(site, caller, found[0]) | who(site, caller, found[0])
        body["recipients"] = [show(site, caller, row) for row in given]
        body["signed"] = [show(site, caller, row) for row in signed]
        return Rendered(body, [*found, *given, *signed])

    return answer(site, caller, "participant.own", Purpose.OWN_RECORDS, render)


def explained(site: Site, caller: Caller, party: str) -> dict[str, Any]:
    """Return why each field of a participant's own is shown to a party, or withheld from it. Raises `Unknown`."""
    require(caller, Reader.PARTICIPANT)

    def render(session: Session) -> Rendered:
        if not session.select(Own, _of(caller)):
            raise Unknown
        eyes = Lens(Viewer(Reader.PARTICIPANT, caller.party), None, site.protocol().ceiling, site.now())
        return Rendered(trace(site, caller, caller.party, party, eyes), accessed=[caller.party])

    return answer(site, caller, "participant.trace", Purpose.OWN_RECORDS, render)


def _of(caller: Caller) -> dict[str, Any]:
    return {"subject_id": caller.party}


def accounting(site: Site, caller: Caller, text: str) -> dict[str, Any]:
    """Return the accounting of disclosures: who was shown what, when, why and under which grant; notices included.

    For the participant itself, counsel with its authority, care and the privacy officer; reading it is recorded.
    Raises `Unknown`.
    """
    if caller.reader not in _ACCOUNTED_TO:
        raise Forbidden
    participant = site.ids.open(caller.party, text)
    if participant is None or (caller.reader is Reader.PARTICIPANT and participant != caller.party):
        raise Unknown
    person = [participant]
    if caller.reader is Reader.CASE_MANAGER:  # who reads records that were merged as one
        person = [record.id for record in records(site, participant)]
    history = sorted(
        (recorded for record in person for recorded in site.log.history(record)), key=lambda recorded: recorded.position
    )
    identified = any(isinstance(recorded.event, ParticipantIdentified) for recorded in history)
    purposes: list[_Stated] = []
    told: list[tuple[datetime, dict[str, Any]]] = []
    for recorded in history:
        match recorded.event:
            case RoiGranted() | RoiNarrowed() | CounselAuthorised() | CounselNarrowed() as given:
                purposes.append(_Stated(recorded.recorded_at, str(given.roi), given.party_id, given.purpose))
            case ItemConsented() as item:
                purposes.append(_Stated(recorded.recorded_at, str(item.item_id), item.party_id, ONE_SENTENCE))
            case DepartmentNotified() | ProsecutorNotified() as sent if sent.party_id is not None:
                line = {"what": "notice", "to": _party(site, sent.party_id), "labels": [sent.label], "code": sent.code}
                told.append((recorded.recorded_at, line))
            case OralDisclosure(party_id=UUID() as party) as oral:
                told.append((oral.occurred_at, _oral(site, oral, party, recorded.envelope.actor)))
            case _:
                pass

    def render(session: Session) -> Rendered:
        client = session.select(Client, {"subject_id": participant}) if caller.reader is Reader.COUNSEL else []
        if not identified or (caller.reader is Reader.COUNSEL and not client):
            raise Unknown
        left = [row for record in person for row in session.accounting(record)]
        lines = [(row.disclosed_at, _accounted(site, row, purposes)) for row in left]
        ordered = sorted([*lines, *told], key=lambda line: line[0])
        body = {"disclosures": [{"at": plain(at)} | line for at, line in ordered]}
        return Rendered(body, list(client), accessed=[] if client else person)

    return answer(site, caller, "accounting", Purpose.ACCOUNTING, render)


_ACCOUNTED_TO = frozenset({Reader.PARTICIPANT, Reader.COUNSEL, Reader.CASE_MANAGER, Reader.PRIVACY})


def _oral(site: Site, oral: OralDisclosure, party: UUID, by: UUID | None) -> dict[str, Any]:
    teller = site.directory.staff.get(by) if by else None
    labels = sorted(oral.labels)
    return {
        "what": "by word of mouth",
        "to": _party(site, party),
        "person": oral.person or "",
        "by": teller.name if teller else "",
        "labels": labels,
        "purpose": oral.occasion,
        "notice": PART2_NOTICE if any(TABLE[label].part2 for label in labels) else None,
    }


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
