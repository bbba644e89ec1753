"""What anyone needs to verify the log without trusting the site: the checkpoint, and a participant's own bundle.

`services/verification.py` says what a bundle holds, and verifies it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from domain.labels import Reader
from domain.refusal import Forbidden, Refused, Unknown
from projections import counsel, observer, participant
from projections.lens import History
from projections.rows import GrantedRow
from services.leaves import Place, Stored, StoredEvent, bearings, committed, facts, line_of, salt_for
from services.person import reached
from services.ports import Caller, Seal, Session
from services.questions import accounting
from services.questions.showing import require
from services.release import Purpose, Rendered, answer
from services.site import Site
from services.verification import FORMAT

Told = Callable[[Stored], bool]
"""Whether the facts of a row are shown; of any other, that it is there."""


def checkpoint(site: Site, since: int | None = None) -> dict[str, Any]:
    """Return the last checkpoint, for anyone to keep, and the proof that it continues one `since` this size.

    Raises `Unknown` before there is one, `Refused` for a size that no checkpoint had.
    """
    return _published(site, _latest(site), since)


def of(site: Site, caller: Caller, text: str, since: int | None = None) -> dict[str, Any]:
    """Return all leaves of a participant with their proofs, for the participant itself and counsel with its authority.

    What the reader reads of anyway is shown; of everything else, that it is there: of what was disclosed to an agency
    for which the accounting is suspended, too. Raises `Unknown`, `Refused`.
    """
    if caller.reader not in {Reader.PARTICIPANT, Reader.COUNSEL}:
        raise Forbidden
    return _bundle(site, caller, text, since)


def observed(site: Site, caller: Caller, text: str, since: int | None = None) -> dict[str, Any]:
    """Return the same for the observer whom the participant's ROI names; of events, only that they are there."""
    require(caller, Reader.OBSERVER)
    return _bundle(site, caller, text, since)


def _bundle(site: Site, caller: Caller, text: str, since: int | None) -> dict[str, Any]:
    asked = site.ids.open(caller.party, text)
    if asked is None or (caller.reader is Reader.PARTICIPANT and asked != caller.party):
        raise Unknown
    seal = _latest(site)
    site.seals.heads(seal.size)  # before a session: on a large site it takes a while
    itself = caller.reader is Reader.PARTICIPANT

    def render(session: Session) -> Rendered:
        under = _under(session, caller, asked)
        person = [record.id for record in reached(site, caller, asked)] if itself else [asked]
        silent = accounting.silent_of(site, caller, asked)
        entries = _entries(session, caller, person)
        sealed = {record: session.sealed(record, seal.size) for record in person}
        read = _events(site, caller, person, entries)
        if not any(sealed.values()):
            raise Unknown

        def is_told(row: Stored) -> bool:
            return (row.stream, row.version) in read if isinstance(row, StoredEvent) else row.party not in silent

        body = _proven(site, seal, since, sealed, is_told)
        body["names"] = _names(site, caller, body["lines"])
        return Rendered(body, [*entries], accessed=person if itself else [], under=under)

    return answer(site, caller, "bundle", Purpose.ACCOUNTING, render)


def _latest(site: Site) -> Seal:
    seal = site.seals.latest()
    if seal is None:
        raise Unknown
    return seal


def _published(site: Site, seal: Seal, since: int | None) -> dict[str, Any]:
    body: dict[str, Any] = {
        "origin": site.seals.origin,
        "key": site.seals.key,
        "checkpoint": seal.note,
        "consistency": None,
    }
    if since is not None:
        if since > seal.size or not site.seals.published(since):
            raise Refused("since", "no checkpoint had this size.", "Give the second line of the checkpoint you hold.")
        body["consistency"] = {"from": since, "proof": _hex(site.seals.consistency(since, seal.size))}
    return body


def _proven(
    site: Site,
    seal: Seal,
    since: int | None,
    sealed: Mapping[UUID, Sequence[tuple[Place, Stored]]],
    is_told: Told,
) -> dict[str, Any]:
    """Return the bundle of some records, but for the names; `is_told`: of which rows the facts are shown."""
    body = _published(site, seal, since) | {
        "format": FORMAT,
        "heads": _heads(site, seal.size),
        "lines": [_line(site, seal, since, record, rows, is_told) for record, rows in sealed.items() if rows],
    }
    if since is not None:
        body["consistency"]["heads"] = _heads(site, since)
    return body


def _under(session: Session, caller: Caller, asked: UUID) -> list[GrantedRow]:
    """Return under whose word someone other than the participant asks. Raises `Unknown` where there is none."""
    if caller.reader is Reader.PARTICIPANT:
        if not session.select(participant.Own, {"subject_id": asked}):
            raise Unknown
        return []
    named = counsel.Client if caller.reader is Reader.COUNSEL else observer.Named
    found = list[GrantedRow](session.select(named, {"subject_id": asked}))
    if not found:
        raise Unknown
    return found


def _entries(session: Session, caller: Caller, person: Sequence[UUID]) -> list[Any]:
    """Return what the caller reads of the participant's events; an observer reads none by name."""
    where = {"subject_id": list(person)}
    match caller.reader:
        case Reader.PARTICIPANT:
            return list(session.select(participant.Entry, where))
        case Reader.COUNSEL:
            return list(session.select(counsel.Entry, where))
        case _:
            return []


def _events(site: Site, caller: Caller, person: Sequence[UUID], entries: Iterable[Any]) -> set[tuple[UUID, int]]:
    """Return which events these entries are of, each by its place in its stream."""
    known = {entry.entry_id for entry in entries}
    found = set()
    for record in person if known else ():
        history = History(record, site.log.history(record))
        kept_back = history.kept_back(caller.reader, site.now())  # the view follows within seconds only
        told = [each for each in history.events if each.position not in kept_back]
        found |= {(each.stream, each.version) for each in told if history.id_of(each) in known}
    return found


def _heads(site: Site, size: int) -> dict[str, Any]:
    heads, salt = site.seals.heads(size)
    proof = site.seals.inclusion(size - 1, size)
    return {"salt": salt.hex(), "root": heads.root().hex(), "proof": _hex(proof)}


def _head(site: Site, line: bytes, size: int) -> dict[str, Any]:
    heads, _ = site.seals.heads(size)
    return {"salt": heads.salt(line).hex(), "proof": _hex(heads.proof(line))}


def _line(
    site: Site,
    seal: Seal,
    since: int | None,
    record: UUID,
    rows: Sequence[tuple[Place, Stored]],
    is_told: Told,
) -> dict[str, Any]:
    line = line_of(record)
    was = since is not None and rows[0][0].index < since
    return {
        "line": line.hex(),
        "head": _head(site, line, seal.size),
        "was": _head(site, line, since) if was and since is not None else None,
        "leaves": [_leaf(site, seal, place, row, is_told) for place, row in rows],
    }


def _leaf(site: Site, seal: Seal, place: Place, row: Stored, is_told: Told) -> dict[str, Any]:
    told: dict[str, Any] | str
    salt, told = salt_for("facts", row.salt), facts(row)
    told = {"salt": salt.hex(), **told} if is_told(row) else committed(salt, told).hex()
    return {
        "number": place.number,
        "index": place.index,
        "previous": None if place.previous is None else place.previous.hex(),
        "salt": salt_for("leaf", row.salt).hex(),
        "facts": told,
        "bearings": committed(salt_for("bearings", row.salt), bearings(row)).hex(),
        "proof": _hex(site.seals.inclusion(place.index, seal.size)),
    }


def _names(site: Site, caller: Caller, lines: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Return what the site calls the parties, people and grants in what is shown; a grant is the caller's own id."""
    shown = [leaf["facts"] for line in lines for leaf in line["leaves"] if isinstance(leaf["facts"], dict)]
    ids = {UUID(told[each]) for told in shown for each in ("party", "staff") if told[each]}
    names = {number: party.name for number, party in site.directory.parties.items()}
    names |= {number: person.name for number, person in site.directory.staff.items()}
    grants = {grant for told in shown for grant in told.get("grants", "").split()}
    return {str(number): names[number] for number in sorted(ids & names.keys())} | {
        grant: site.ids.seal(caller.party, UUID(grant)) for grant in sorted(grants)
    }


def _hex(hashes: Iterable[bytes]) -> list[str]:
    return [each.hex() for each in hashes]
