"""The accounting of disclosures: who was shown what, when, why and under which grant, and what followed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from enum import StrEnum
from math import inf
from operator import attrgetter
from typing import Any, NamedTuple
from uuid import UUID, uuid5

from domain.disclosure import OralDisclosure, Receipt, ReceiptGiven
from domain.event import Recorded
from domain.labels import TABLE, Grant, Label, Reader, Shown, Viewer
from domain.legal_case import DecisionRecorded
from domain.participant import ParticipantIdentified
from domain.referral import DepartmentNotified, NoticeCode, ProsecutorNotified
from domain.refusal import Forbidden, Refused, Unknown
from domain.roi import CounselAuthorised, CounselNarrowed, ItemConsented, RoiGranted, RoiNarrowed, grants
from domain.suspension import AccountingResumed, AccountingSuspended
from projections import case_manager, counsel, participant
from projections.lens import History, Lens, plain
from projections.record import RoleEntry
from services.person import reached, records
from services.ports import Accounted, Caller, Session
from services.questions.lines import cell, written
from services.questions.partner import ONE_SENTENCE
from services.release import PART2_NOTICE, Purpose, Rendered, answer
from services.site import Site


class Regime(StrEnum):
    """Whose rule on accountings is applied: that of 42 CFR part 2, or of HIPAA."""

    PART2 = "part2"
    HIPAA = "hipaa"


YEARS = {Regime.PART2: 3, Regime.HIPAA: 6}
"""How many years before the request each rule reaches: 42 CFR 2.25(a), 45 CFR 164.528(a)(1). They are the law's."""
_OUTSIDE = Reader.OBSERVER
"""Who reads by role and is not LEAD's own: that is a disclosure to HIPAA, too."""
COLUMNS = (
    *("at", "what", "to", "person", "by", "labels", "purpose", "code", "receipt", "notice"),
    *("surface", "grants", "decisions", "id", "statement", "stated_on", "until"),
)
"""What stands in a line of the accounting's file."""


class Extract(NamedTuple):
    """Which lines of an accounting are asked for, by default all. `since`, `until`: days at the site, both included.

    `regime` part2 (42 CFR 2.25): disclosures of Part 2 records with the participant's consent, those that the notice of
    2.32 goes with, of three years. `regime` hipaa (45 CFR 164.528): of six years, without what that rule leaves out:
    LEAD's own reading (treatment, payment, operations), what the participant read itself, and what rests on its
    signature; whether a word of mouth did is not known, and it stays in. What became of a copy is no disclosure, nor is
    a suspension.
    """

    since: date | None = None
    until: date | None = None
    regime: Regime | None = None


ALL = Extract()


class _Entry(NamedTuple):
    """A line with its moment, and as what the person read to whom it was shown; None: it was told."""

    at: datetime
    line: dict[str, Any]
    reader: str | None = None


def of(site: Site, caller: Caller, text: str, extract: Extract = ALL, surface: str = "accounting") -> dict[str, Any]:
    """Return the accounting of disclosures: who was shown what, when, why and under which grant; notices included.

    For the participant itself, counsel with its authority, care and the privacy officer; reading it is recorded.
    While it is suspended for an agency (45 CFR 164.528(a)(2), 42 CFR 2.25(a)) it is, but to the privacy officer, as if
    nothing had ever been disclosed to that agency; afterwards it says that it was. Raises `Unknown`, `Refused`.
    """
    kept = _kept(site, extract)
    asked = whose(site, caller, text)

    def render(session: Session) -> Rendered:
        client = client_of(session, caller, asked)  # first: an authority that changes while the log is read is refused
        person = person_of(site, caller, asked)
        history = sorted((r for record in person for r in site.log.history(record)), key=attrgetter("position"))
        if not any(isinstance(recorded.event, ParticipantIdentified) for recorded in history):
            raise Unknown
        silent = silent_of(site, caller, asked)
        purposes, told = _said(site, caller, history, silent)
        left = History(asked, history)
        # All but care have their entries by ids that do not count what they are not told of.
        id_of = attrgetter("id") if caller.reader is Reader.CASE_MANAGER else left.id_of
        decided = {id_of(r): (r.recorded_at, r.event.party_id) for r in left.of(DecisionRecorded)}
        first_told = {record: _first_told(site, record) for record in person} if silent else {}
        shown = [
            (number, _without_audit(row) if row.as_of < first_told.get(record, 0) and _is_of_care(row) else row)
            for record in person
            for number, row in numbered(record, session.accounting(record))
        ]
        known = _decisions(session, caller, person) if decided else []
        followed = [(*decided[row.entry_id], row.entry_id) for row in known if row.entry_id in decided]
        lines = [
            _Entry(
                row.disclosed_at,
                {"id": site.ids.seal(caller.party, number)} | _accounted(site, caller, row, purposes, person, followed),
                row.reader,
            )
            for number, row in shown
        ]
        ordered = sorted(filter(kept, [*lines, *told]), key=lambda entry: entry.at)
        body = {"disclosures": [{"at": plain(entry.at)} | entry.line for entry in ordered]}
        accessed = [] if client else person
        told_of = _labels_told(caller, body["disclosures"])
        return Rendered(body, known, accessed=accessed, under=list(client), told=told_of)

    return answer(site, caller, surface, Purpose.ACCOUNTING, render)


def export(site: Site, caller: Caller, text: str, extract: Extract) -> str:
    """Return an accounting as a file. Raises what `of` raises."""
    body = of(site, caller, text, extract, "accounting.csv")
    return written([COLUMNS, *([cell(line, column) for column in COLUMNS] for line in body["disclosures"])])


def _kept(site: Site, extract: Extract) -> Callable[[_Entry], bool]:
    """Return what says of a line whether it was asked for. It is left out of the answer, and of nothing else."""
    tz, now = site.protocol().tz, site.now()
    if extract.since and extract.until and extract.until < extract.since:
        raise Refused("until", "it lies before `since`.", "Give a later day, or leave it out.")
    reach = _years_before(now, YEARS[extract.regime]) if extract.regime else None

    def kept(entry: _Entry) -> bool:
        day = entry.at.astimezone(tz).date()
        if (extract.since and day < extract.since) or (extract.until and day > extract.until):
            return False
        if reach is not None and entry.at < reach:
            return False
        match extract.regime:
            case Regime.PART2:
                return entry.line.get("notice") is not None
            case Regime.HIPAA:
                is_ours = entry.line["what"] == "access" and entry.reader != _OUTSIDE
                return not (is_ours or entry.line.get("grants") or entry.line["what"] in _NO_DISCLOSURE)
            case None:
                return True

    return kept


def _years_before(moment: datetime, years: int) -> datetime:
    day = 28 if (moment.month, moment.day) == (2, 29) else moment.day  # a year without that day reaches further back
    return moment.replace(year=moment.year - years, day=day)


def whose(site: Site, caller: Caller, text: str) -> UUID:
    """Return whose accounting is asked for. Raises `Forbidden`, `Unknown`."""
    if caller.reader not in _ACCOUNTED_TO:
        raise Forbidden
    asked = site.ids.open(caller.party, text)
    if asked is None or (caller.reader is Reader.PARTICIPANT and asked != caller.party):
        raise Unknown
    return asked


def person_of(site: Site, caller: Caller, asked: UUID) -> list[UUID]:
    """Return the records of one accounting: to care all of a person, to a participant those merged into its own."""
    if caller.reader in (Reader.CASE_MANAGER, Reader.PARTICIPANT):
        return [record.id for record in reached(site, caller, asked)]
    return [asked]


def silent_of(site: Site, caller: Caller, asked: UUID) -> frozenset[UUID]:
    """Return the agencies for which an accounting is suspended now, by whatever record; none to the privacy officer."""
    if caller.reader is Reader.PRIVACY:
        return frozenset()
    everyone = (History(record.id, site.log.history(record.id)) for record in records(site, asked))
    return frozenset[UUID]().union(*(history.silent_of(site.now()) for history in everyone))


def client_of(session: Session, caller: Caller, asked: UUID) -> list[counsel.Client]:
    """Return a counsel's client, under whose authority it reads; nobody, for who reads by role. Raises `Unknown`."""
    if caller.reader is not Reader.COUNSEL:
        return []
    client = session.select(counsel.Client, {"subject_id": asked})
    if not client:
        raise Unknown
    return client


def numbered(record: UUID, lines: Sequence[Accounted]) -> Iterator[tuple[UUID, Accounted]]:
    """Yield each disclosure about one record with an id to ask for it by: it counts nothing that is about others."""
    before: Counter[tuple[object, ...]] = Counter()
    for line in lines:
        like = (line.disclosed_at.isoformat(), line.reader, line.party, line.staff, line.surface)
        yield uuid5(record, "/".join(map(str, (*like, before[like])))), line
        before[like] += 1


def _first_told(site: Site, record: UUID) -> float:
    """Return where the first event lies that says who was told what, and is told itself; beyond all, if none does."""
    history = History(record, site.log.history(record))
    kept_back = history.kept_back(Reader.PARTICIPANT, site.now())
    audits = (r.position for r in history.events if type(r.event).label is Label.AUDIT_ACCESS)
    return min((position for position in audits if position not in kept_back), default=inf)


def _is_of_care(row: Accounted) -> bool:
    return row.reader == Reader.CASE_MANAGER and row.purpose != Purpose.ACCOUNTING


def _without_audit(row: Accounted) -> Accounted:
    """Return care's reading of a history without that it read who was told what, where all of that is kept back."""
    return replace(row, labels=" ".join(label for label in row.labels.split() if label != Label.AUDIT_ACCESS))


def _labels_told(caller: Caller, lines: Sequence[Mapping[str, Any]]) -> frozenset[Label]:
    """Return the labels of what an accounting tells of a participant itself: consents' words, codes, receipts.

    Of the privacy officer's, whatever it held: that line is in an accounting too, and says nothing of a suspension.
    """
    if caller.reader is Reader.PRIVACY:
        return frozenset({Label.CONSENT_SCOPE, Label.CONSENT_STATE})
    codes = {Label(line["labels"][0]) for line in lines if line.get("code")}
    stated = {Label.CONSENT_SCOPE for line in lines if line.get("grants")}
    return frozenset(codes | stated | {Label.CONSENT_STATE for line in lines if line["what"] == "receipt"})


_LET_GO = {
    Receipt.PURGED: "what had been received is deleted",
    Receipt.HELD: "already received, kept under a duty",
}
_NO_DISCLOSURE = frozenset({"receipt", "suspension", "suspension ended"})
_ACCOUNTED_TO = frozenset({Reader.PARTICIPANT, Reader.COUNSEL, Reader.CASE_MANAGER, Reader.PRIVACY})


# Where each of them reads what a prosecutor decided, if the table of labels lets it.
_ENTRIES: dict[Reader, type[RoleEntry | case_manager.Entry | counsel.Entry]] = {
    Reader.PARTICIPANT: participant.Entry,
    Reader.COUNSEL: counsel.Entry,
    Reader.CASE_MANAGER: case_manager.Entry,
}


def _decisions(session: Session, caller: Caller, person: list[UUID]) -> list[Any]:
    """Return what the caller reads of the decisions about a participant; nothing for the privacy officer."""
    entries = _ENTRIES.get(caller.reader) if caller.reader else None
    if entries is None:
        return []
    return list(session.select(entries, {"subject_id": person, "kind": DecisionRecorded.topic}))


def _said(
    site: Site, caller: Caller, history: Sequence[Recorded[Any]], silent: frozenset[UUID]
) -> tuple[list[_Stated], list[_Entry]]:
    """Return what each consent said it was for, and what was told of a person otherwise than by an answer."""
    held = grants(history)
    purposes: list[_Stated] = []
    given_now: dict[tuple[UUID | None, UUID | None], UUID] = {}
    told: list[_Entry] = []
    statements: dict[tuple[object, ...], _Entry] = {}  # each is recorded once for every record of a person
    for recorded in history:
        match recorded.event:
            case RoiGranted() | RoiNarrowed() | CounselAuthorised() | CounselNarrowed() as given:
                purposes.append(_Stated(recorded.recorded_at, str(given.roi), given.party_id, given.purpose))
                given_now[given.participant_id, given.party_id] = given.roi
            case ItemConsented() as item:
                purposes.append(_Stated(recorded.recorded_at, str(item.item_id), item.party_id, ONE_SENTENCE))
            case DepartmentNotified() | ProsecutorNotified() | OralDisclosure() | ReceiptGiven() as sent if (
                sent.party_id in silent
            ):
                pass
            case DepartmentNotified() | ProsecutorNotified() as sent if sent.party_id is not None:
                grant = given_now.get((sent.participant_id, sent.party_id))
                told.append(_Entry(recorded.recorded_at, _notice(site, caller, recorded, held, grant)))
            case OralDisclosure(party_id=UUID() as party) as oral:
                told.append(_Entry(oral.occurred_at, _oral(site, oral, party, recorded.envelope.actor)))
            case ReceiptGiven() as receipt if not recorded.erased:
                told.append(_receipt(site, receipt))
            case AccountingSuspended() | AccountingResumed() as stated if stated.agency not in silent:
                line = _statement(site, stated, recorded.envelope.actor)
                statements[stated.topic, stated.agency, stated.occurred_at] = _Entry(stated.occurred_at, line)
            case _:
                pass
    return purposes, [*told, *statements.values()]


def _notice(
    site: Site, caller: Caller, recorded: Recorded[Any], held: Mapping[UUID, Grant], grant: UUID | None
) -> dict[str, Any]:
    """Return that a notice was sent; what it said, to those alone who may read it anyway."""
    sent: DepartmentNotified | ProsecutorNotified = recorded.event
    itself = sent.participant_id if caller.reader is Reader.PARTICIPANT else None
    viewer = Viewer(caller.reader or Reader.PRIVACY, itself or caller.party)
    eyes = Lens(viewer, held.get(caller.party), site.protocol().ceiling, site.now())
    reads = isinstance(eyes.decide(recorded, "code"), Shown)
    # `completed` is the only code that goes by the participant's signature.
    signed = grant if reads and sent.code is NoticeCode.COMPLETED else None
    return {
        "what": "notice",
        "to": _party(site, sent.party_id, []),
        "labels": [sent.label],
        "code": sent.code if reads else None,
        "purpose": "notice by the protocol",
        "grants": [site.ids.seal(caller.party, signed)] if signed else [],
        "notice": PART2_NOTICE if signed else None,
    }


def _receipt(site: Site, given: ReceiptGiven) -> _Entry:
    to = _party(site, given.party_id, [])
    line = {"what": "receipt", "to": to, "receipt": given.receipt, "purpose": _LET_GO[given.receipt]}
    return _Entry(given.occurred_at, line)


def _statement(site: Site, said: AccountingSuspended | AccountingResumed, by: UUID | None) -> dict[str, Any]:
    """Return that an agency had an accounting suspended, or that this ended before its day."""
    officer = site.directory.staff.get(by) if by else None
    line = {"to": _party(site, said.agency, []), "by": officer.name if officer else ""}
    if isinstance(said, AccountingResumed):
        return {"what": "suspension ended", "purpose": "before its last day"} | line
    stated = {"statement": said.statement, "stated_on": plain(said.stated_on), "until": plain(said.until)}
    purpose = f"its {said.statement} statement of {said.stated_on}, as {said.capacity}: not told until {said.until}"
    return {"what": "suspension", "person": said.official, "purpose": purpose} | line | stated


def _oral(site: Site, oral: OralDisclosure, party: UUID, by: UUID | None) -> dict[str, Any]:
    teller = site.directory.staff.get(by) if by else None
    labels = sorted(oral.labels)
    return {
        "what": "by word of mouth",
        "to": _party(site, party, []),
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


def _accounted(
    site: Site,
    caller: Caller,
    row: Accounted,
    purposes: list[_Stated],
    person: list[UUID],
    followed: list[tuple[datetime, UUID | None, UUID]],
) -> dict[str, Any]:
    """Return one line: with the ids of what it rested on, and of what that office decided afterwards."""
    in_force = {s.grant: s.purpose for s in purposes if s.party == row.party and s.since <= row.disclosed_at}
    stated = [in_force[grant] for grant in row.grants.split() if grant in in_force]
    labels = row.labels.split()
    part2 = row.kind == "disclosure" and any(TABLE[Label(label)].part2 for label in labels)
    somebody = site.directory.staff.get(row.staff)
    decisions = [number for at, office, number in followed if office == row.party and at >= row.disclosed_at]
    return {
        "what": row.kind,
        "to": _party(site, row.party, person),
        "person": somebody.name if somebody else "",
        "labels": labels,
        "purpose": "; ".join(stated) or row.purpose,
        "surface": row.surface,
        "grants": [site.ids.seal(caller.party, UUID(grant)) for grant in row.grants.split()],
        "notice": PART2_NOTICE if part2 else None,
        "decisions": [site.ids.seal(caller.party, number) for number in decisions],
    }


def _party(site: Site, party: UUID | None, person: list[UUID]) -> str:
    known = site.directory.parties.get(party) if party else None
    if known is not None:
        return known.name
    return "the participant" if party in person else "who had a record that was merged with this one"
