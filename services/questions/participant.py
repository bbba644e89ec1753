"""What participants ask: the accounting of disclosures, which care may read as well."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from domain.labels import TABLE, Label, Reader
from domain.participant import ParticipantIdentified
from domain.referral import DepartmentNotified, ProsecutorNotified
from domain.refusal import Forbidden, Unknown
from domain.roi import ItemConsented, RoiGranted, RoiNarrowed
from projections.lens import plain
from services.person import records
from services.ports import Accounted, Caller, Session
from services.questions.partner import ONE_SENTENCE
from services.release import PART2_NOTICE, Purpose, Rendered, answer
from services.site import Site


def accounting(site: Site, caller: Caller, text: str) -> dict[str, Any]:
    """Return the accounting of disclosures: who was shown what, when, why and under which grant; notices included.

    For the participant itself and for care; reading it is recorded. Raises `Unknown`.
    """
    if caller.reader not in (Reader.PARTICIPANT, Reader.CASE_MANAGER):
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
        left = [row for record in person for row in session.accounting(record)]
        lines = [(row.disclosed_at, _accounted(site, row, purposes)) for row in left]
        ordered = sorted([*lines, *notices], key=lambda line: line[0])
        return Rendered({"disclosures": [{"at": plain(at)} | line for at, line in ordered]}, accessed=person)

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
