"""As-of: what somebody was shown, or had before them at some moment, computed again; and why, field by field.

Asked by whoever may read the accounting of disclosures. A value is told to whom the table of labels lets read it now,
and none to the privacy officer. What of a disclosure is not told is named with its labels, as the accounting names it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from domain.event import Event, Recorded, labels_of
from domain.labels import STANDING, TABLE, Label, Reader, Viewer, by_role
from domain.labels import Shown as IsShown
from domain.refusal import Refused, Unknown
from domain.registry import KIND_OF, READER_OF, PartyKind
from projections.case_manager import MatchRecord
from projections.counsel import Client
from projections.lens import History, Lens, plain
from projections.partner import GrantedEntry
from projections.record import is_participant, names_before
from projections.rows import MODELS
from services.as_of import AsOf, Shown, disclosed, stood
from services.ports import NOBODY, Caller, Session
from services.questions import accounting
from services.questions.showing import show
from services.questions.trace import decisions
from services.release import PART2_NOTICE, Purpose, Rendered, answer
from services.site import Site

READERS_OF: dict[PartyKind, list[Reader]] = {
    kind: [*dict.fromkeys(READER_OF[role] for role in READER_OF if KIND_OF[role] is kind)] for kind in PartyKind
}
"""As what the people of each kind of party read; the first, where nothing is said."""


def at(
    site: Site,
    caller: Caller,
    text: str,
    party: str,
    reader: Reader | None = None,
    moment: datetime | int | None = None,
    *,
    values: bool = True,
) -> dict[str, Any]:
    """Return what a party had of a participant at a moment or position of the log, by default now, and why.

    Without `values`, which the privacy officer never has: what was shown by its labels alone.
    Raises `Unknown`, `Refused`.
    """
    asked = accounting.whose(site, caller, text)
    viewed = site.directory.by_code(party, "party")
    readers = READERS_OF[viewed.kind]
    if reader is not None and reader not in readers:
        raise Refused("reader", "this party does not read so.", f"It reads as {' or '.join(readers)}.")
    if isinstance(moment, datetime) and moment > site.now():
        raise Refused("at", "it lies ahead.", "Give a moment that has been.")

    def render(session: Session) -> Rendered:
        client = accounting.client_of(session, caller, asked)
        found = stood(site, Viewer(reader or readers[0], viewed.id), asked, site.now() if moment is None else moment)
        telling = Telling.of(site, caller, found, values=values)
        shown = telling.rows(named=telling.eyes is None)
        return telling.rendered({"party": party, "reader": found.viewer.reader}, shown, client)

    return answer(site, caller, "as_of", _purpose(caller), render)


def of_disclosure(site: Site, caller: Caller, text: str, disclosure: str, *, values: bool = True) -> dict[str, Any]:
    """Return a disclosure of an accounting computed again: what it showed, whether its digest says the same, and why.

    Without `values`, which the privacy officer never has: what was shown by its labels alone. Raises `Unknown`.
    """
    asked = accounting.whose(site, caller, text)
    number = site.ids.open(caller.party, disclosure)

    def render(session: Session) -> Rendered:
        client = accounting.client_of(session, caller, asked)
        person = accounting.person_of(site, caller, asked)
        every = ((of, *each) for of in person for each in accounting.numbered(of, session.accounting(of)))
        record, line = next(((of, line) for of, each, line in every if each == number), (None, None))
        if record is None or line is None:
            raise Unknown
        found, verdict = disclosed(site, record, line)
        telling = Telling.of(site, caller, found, values=values)
        party = site.directory.parties.get(line.party)
        body = {
            "disclosure": disclosure,
            "party": party.code if party else None,
            "reader": line.reader,
            "surface": line.surface,
            "shown_by": line.view_version,
            "verdict": verdict,
        }
        return telling.rendered(body, telling.rows(named=True), client)

    return answer(site, caller, "as_of", _purpose(caller), render)


def _purpose(caller: Caller) -> str:
    return Purpose.OWN_RECORDS if caller.reader is Reader.PARTICIPANT else Purpose.ACCOUNTING


@dataclass(slots=True)
class Telling:
    """How what another reader had is told to who asks. `eyes` are the asker's own, None the privacy officer's.

    `now` is the history as it stands now: nothing is told of what was withdrawn since, a name of before to its bearer
    alone. `hidden`: the labels of what the other reader was shown and the asker does not see. `told`: of what is told.
    """

    site: Site
    caller: Caller
    found: AsOf
    now: History
    eyes: Lens | None
    values: bool
    hidden: set[Label] = field(default_factory=set)
    told: set[Label] = field(default_factory=set)
    _stands: set[int] = field(default_factory=set)
    _before: frozenset[int] = frozenset()

    @classmethod
    def of(cls, site: Site, caller: Caller, found: AsOf, *, values: bool) -> Telling:
        """Return how it is told to this caller. Raises `Unknown` for what is no participant."""
        who = found.history.subject
        now = site.log.histories([who])[who]
        if not is_participant(now):
            raise Unknown
        telling = cls(site, caller, found, now, _eyes(site, caller, now), values)
        kept_back = now.kept_back(telling.eyes.viewer.reader if telling.eyes else None, site.now())
        telling._stands = {recorded.position for recorded in (*now.events, *now.linked)} - kept_back
        telling._before = frozenset() if caller.reader is Reader.PARTICIPANT else names_before(now)
        theirs = Lens(found.viewer, found.history.grants.get(found.viewer.party), found.ceiling, found.at)
        telling.hidden = {
            label
            for recorded in found.history.read_by(found.viewer.reader)
            for name in labels_of(type(recorded.event))
            if isinstance(theirs.decide(recorded, name), IsShown) and not telling.sees(recorded, name)
            for label in recorded.event.subject_labels(name)
        }
        return telling

    def sees(self, recorded: Recorded[Event], name: str) -> bool:
        """Return whether the asker may see a field itself, now."""
        if recorded.position not in self._stands or (recorded.position in self._before and name != "occurred_at"):
            return False
        return self.eyes is not None and isinstance(self.eyes.decide(recorded, name), IsShown)

    def knows_of(self, recorded: Recorded[Event], name: str) -> bool:
        """Return whether the asker may know that there is this field."""
        return recorded.position in self._stands if self.eyes is None else self.sees(recorded, name)

    def rendered(self, body: dict[str, Any], shown: list[dict[str, Any]], client: Sequence[Client]) -> Rendered:
        """Return the answer: what was shown, every decision that stands behind it, and the notice that goes with it."""
        found = self.found
        part2 = bool(client) and any(TABLE[label].part2 for label in self.told)
        body |= {
            "at": plain(found.at),
            "protocol": found.ceiling.version,
            "view": found.version,
            "shown": shown,
            "decisions": decisions(
                self.site,
                self.caller,
                found.history,
                found.viewer,
                found.ceiling,
                found.at,
                self.knows_of,
                self.now.id_of,
            ),
            "notice": PART2_NOTICE if part2 else None,
        }
        accessed = [] if client else [found.history.subject]
        return Rendered(body, accessed=accessed, under=list(client), told=frozenset(self.told))

    def rows(self, *, named: bool) -> list[dict[str, Any]]:
        """Return what was shown, row by row; with what is not told, by its labels, if it is `named`."""
        history = self.found.history
        events = {number: r for r in history.read_by(self.found.viewer.reader) for number in (r.id, history.id_of(r))}
        rows = []
        for row in self.found.rows:
            fields = [self._field(*one) for one in self._fields(row, events) if named or one[-1]]
            if fields:
                rows.append({"record": MODELS[type(row)].name, "fields": fields})
        return rows

    def _fields(
        self, row: Shown, events: Mapping[UUID, Recorded[Event]]
    ) -> Iterator[tuple[str, frozenset[Label], Any, bool]]:
        """Yield what a row shows: name, labels and value, and whether the asker sees it too."""
        event = events.get(getattr(row, "entry_id", NOBODY))
        said = show(self.site, self.caller, row)
        shown = frozenset(map(Label, getattr(row, "shown", "").split()))
        for column in MODELS[type(row)].columns:
            if not column.labels or column.name == "shown":
                continue
            if event is not None and column.name == "body":
                for name in getattr(row, column.name):
                    value = said[name] if isinstance(row, GrantedEntry) else said["body"][name]
                    yield name, event.event.subject_labels(name), value, self.sees(event, name)
            elif (value := said.get(column.name)) is not None:
                labels = column.labels & shown or column.labels
                sees = self.sees(event, "occurred_at") if event else self._reads(labels)
                # Whom a record names that may be a stranger's, its reviewer alone was told.
                yield column.name, labels, value, sees and not isinstance(row, MatchRecord)

    def _field(self, name: str, labels: frozenset[Label], value: Any, sees: bool) -> dict[str, Any]:
        is_told = sees and self.values
        if is_told:
            self.told |= labels
        told = {"value": plain(value)} if is_told else {}
        return {"field": name, "labels": sorted(labels), "told": is_told} | told

    def _reads(self, labels: frozenset[Label]) -> bool:
        """Return whether the asker reads every fact of these labels that the other reader was shown.

        Of counsel's own, only states: which happenings it is not told of may not be seen by what is left out here.
        """
        if self.eyes is None:
            return False
        grant = self.eyes.grant
        given = STANDING & grant.labels if grant is not None and grant.labels is not None else frozenset[Label]()
        return labels <= (by_role(self.eyes.viewer.reader) | given) - self.hidden


def _eyes(site: Site, caller: Caller, now: History) -> Lens | None:
    """Return the eyes of who asks, now; nobody's for the privacy officer, who reads no content."""
    party = {Reader.PARTICIPANT: now.subject, Reader.COUNSEL: caller.party, Reader.CASE_MANAGER: NOBODY}
    if caller.reader is None or caller.reader not in party:
        return None
    viewer = Viewer(caller.reader, party[caller.reader])
    return Lens(viewer, now.grants.get(viewer.party), site.protocol().ceiling, site.now())
