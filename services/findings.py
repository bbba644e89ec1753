"""The audit of adverse actions: it follows the log on its own beat, so that no prosecutor ever waits for it (T:489)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date, datetime, tzinfo
from typing import NamedTuple
from uuid import UUID, uuid5

from domain.arrest import BookingReported
from domain.disclosure import OralDisclosure
from domain.event import Envelope, Event, LongText, Recorded, ShortText
from domain.finding import (
    ADVERSE_TOPICS,
    Acted,
    Adverse,
    Exposure,
    FindingAnswered,
    FindingAsked,
    NamedSource,
    acted,
    answer,
    find,
    finding_id,
)
from domain.identity import RecordLinked, RecordUnlinked
from domain.labels import Label
from domain.legal_case import CaseFiled, CaseUpdated, CourtRecord, DecisionRecorded, Source
from domain.participant import ParticipantEnrolled
from domain.referral import NoticeCode, ProsecutorNotified
from domain.refusal import Unknown
from domain.registry import PartyKind, Role
from services.person import records
from services.ports import NOBODY, Caller, Conflict, Erased, ShownTo
from services.site import Command, Outcome, Site, append, day, example, handles, reference

_JOINING = (ProsecutorNotified.topic, RecordLinked.topic, RecordUnlinked.topic)
"""What says against whom an action was that names nobody."""
_Incident = tuple[UUID | None, str]
"""An office, and the number by which it and a notice to it call an incident."""


class _Left(NamedTuple):
    """An action that has no finding yet, and against whom it was.

    `told`: its agency could know that it was against this participant, so that it can be asked.
    """

    recorded: Recorded[Event]
    who: UUID
    told: bool = True


@dataclass(slots=True)
class Audit:
    """Raises the finding about every adverse action of the log, once, however many audits run.

    What it has read so far is its own; a new one begins at the log's beginning and finds what is raised already.
    """

    site: Site
    _position: int = 0
    _left: dict[UUID, _Left] = field(default_factory=dict)
    _linked: dict[UUID, set[UUID]] = field(default_factory=lambda: defaultdict(set))
    _noticed: dict[_Incident, set[UUID]] = field(default_factory=lambda: defaultdict(set))
    _unnamed: dict[_Incident, list[tuple[UUID, int]]] = field(default_factory=lambda: defaultdict(list))

    def beat(self) -> int:
        """Raise what was not raised yet; return how many. What fails is tried again at the next beat."""
        self._look()
        raised, failed = 0, None
        for stream, left in list(self._left.items()):
            try:
                with suppress(Erased):  # then there is nobody to raise it about
                    raised += self._raise(stream, left)
                del self._left[stream]
            except Exception as error:  # noqa: BLE001 - one action's trouble keeps no other from being looked at
                failed = error
        if failed is not None:
            raise failed
        return raised

    def unraised(self) -> list[datetime]:
        """Look whether other audits do their work: when each action was recorded that has no finding. Raises none."""
        self._look()
        actions = [left.recorded for left in self._left.values()]
        return [recorded.recorded_at for recorded in actions if self._adverse(recorded) is not None]

    def _look(self) -> None:
        """Let wait what was recorded since the last time and has no finding."""
        for recorded in self.site.log.of_topics((*ADVERSE_TOPICS, *_JOINING), self._position):
            event, matter = recorded.event, recorded.event.matter_id
            if event.topic not in _JOINING:
                self._act(recorded)
            elif event.participant_id is not None and matter is not None:
                self._joining(event.participant_id, matter, event)
            self._position = recorded.position
        for known in self.site.log.existing(list(self._left)) if self._left else ():
            del self._left[known]

    def _joining(self, who: UUID, matter: UUID, event: Event) -> None:
        """Note what says that actions which name nobody are against `who`, or are not."""
        match event:
            case ProsecutorNotified(party_id=office, incident_number=str() as number):
                if who not in self._noticed[office, number]:
                    self._noticed[office, number].add(who)
                    self._join(who, self._unnamed[office, number])
            case RecordLinked():
                self._linked[matter].add(who)
                self._join(who, self._actions(matter), told=False)
            case RecordUnlinked():
                self._linked[matter].discard(who)
                for stream, version in self._actions(matter):
                    self._left.pop(finding_id(uuid5(stream, str(version)), who), None)
            case _:  # its matter was vacated
                pass

    def _act(self, recorded: Recorded[Event]) -> None:
        """Let an action wait, for each against whom it was."""
        if recorded.event.participant_id is not None:
            self._left[finding_id(recorded.id)] = _Left(recorded, recorded.event.participant_id)
            return
        action = recorded.stream, recorded.version
        for who in self._linked.get(recorded.stream, ()):
            self._join(who, [action], told=False)
        if (incident := self._incident(recorded)) is not None:
            self._unnamed[incident].append(action)
            for who in self._noticed[incident]:
                self._join(who, [action])

    def _incident(self, recorded: Recorded[Event]) -> _Incident | None:
        """Return by which incident an office's case that names nobody is joined with whom the office had a notice of.

        By nothing else, where the office is asked: whether the name is the same would tell it whom LEAD works with.
        The notice may come after the case: an office may file before LEAD has accepted.
        """
        event = recorded.event
        if isinstance(event, CourtRecord) and event.office != event.party_id:
            return None
        filed = event if isinstance(event, CaseFiled) else self.site.log.load(recorded.stream)[0].event
        if not isinstance(filed, CaseFiled) or filed.incident_number is None:
            return None
        return filed.party_id, filed.incident_number

    def _actions(self, matter: UUID) -> list[tuple[UUID, int]]:
        """Return where in a matter that a link says is a participant's an adverse action may stand."""
        events = [(r.stream, r.version, r.event) for r in self.site.log.load(matter)]
        return [(s, v) for s, v, event in events if event.topic in ADVERSE_TOPICS and event.participant_id is None]

    def _join(self, who: UUID, actions: Iterable[tuple[UUID, int]], *, told: bool = True) -> None:
        """Let wait the actions at these places of their streams as actions against `who`.

        Not `told`: a link alone joins them, of which no agency knows. Its agency is asked nothing.
        """
        for stream, version in actions:
            recorded = self.site.log.load(stream)[version - 1]
            finding = finding_id(recorded.id, who)
            known = self._left.get(finding)
            self._left[finding] = _Left(recorded, who, told or (known is not None and known.told))

    def _adverse(self, recorded: Recorded[Event]) -> Acted | None:
        """Return the adverse action that is to be looked at; where the matter was vacated, it is dark here too."""
        return None if recorded.erased else acted(recorded.event, _earlier(self.site, recorded))

    def _raise(self, stream: UUID, left: _Left) -> bool:
        recorded, who = left.recorded, left.who
        did = self._adverse(recorded)
        if did is None:
            return False
        self.site.directory.refresh()
        protocol = self.site.directory.protocol(recorded.recorded_at)
        by = recorded.envelope
        same = [record.id for record in records(self.site, who)]
        told = [told for record in same for told in self.site.log.history(record, by.agency)]
        person, agency = self._exposed(recorded, same, told, protocol.tz)
        events = find(
            recorded,
            who,
            did,
            person,
            agency,
            _enrolled(each for record in same for each in self.site.log.load(record)),
            protocol,
            self.site.now(),
            is_office=left.told and self.site.directory.party(by.agency).kind is PartyKind.PROSECUTOR,
            owes=did.kind is Adverse.FILING and did.source is not None and _owes(told, recorded, did.source.number),
        )
        envelope = Envelope(
            actor=None,
            role=Role.SERVICE,
            agency=NOBODY,
            correlation_id=by.correlation_id,
            causation_id=recorded.id,
            protocol=protocol.version,
        )
        try:
            self.site.log.record([append(stream, 0, *events)], envelope)
        except Conflict:  # another audit was first
            return False
        return True

    def _exposed(
        self, recorded: Recorded[Event], same: list[UUID], told: list[Recorded[Event]], tz: tzinfo
    ) -> tuple[list[Exposure], list[Exposure]]:
        """Return what the person who acted had been shown or told, by any record, and what the rest of the agency.

        Of what a system sends nobody says who acted: it may have been anyone of the agency.
        """
        by = recorded.envelope
        lines = [line for record in same for line in self.site.log.exposures(record, by.agency, recorded.position)]
        person = [_exposure(line, tz) for line in lines if by.actor in (None, line.staff)]
        agency = [_exposure(line, tz) for line in lines if by.actor not in (None, line.staff)]
        actor = self.site.directory.staff.get(by.actor) if by.actor else None
        for each in told:
            if isinstance(each.event, OralDisclosure) and not each.erased:
                named = by.actor is None or (actor is not None and _same_name(each.event.person, actor.name))
                (person if named else agency).append(_heard(each, each.event, tz))
        return sorted(person, key=_place), sorted(agency, key=_place)


def _earlier(site: Site, recorded: Recorded[Event]) -> list[Event]:
    if not isinstance(recorded.event, DecisionRecorded | CaseUpdated | BookingReported):
        return []
    return [r.event for r in site.log.load(recorded.stream) if r.position < recorded.position and not r.erased]


def _owes(told: Iterable[Recorded[Event]], filing: Recorded[Event], incident: str | None) -> bool:
    """Return whether an office had been told, before it filed, that a charge of this incident will not be filed."""
    return any(
        isinstance(r.event, ProsecutorNotified)
        and (r.event.party_id, r.event.code) == (filing.envelope.agency, NoticeCode.COMPLETED)
        and r.event.incident_number == incident
        and r.position < filing.position
        for r in told
    )


def _same_name(one: str | None, other: str) -> bool:
    return one is not None and one.casefold().split() == other.casefold().split()


def _place(exposure: Exposure) -> int:
    return exposure.position


def _heard(recorded: Recorded[Event], told: OralDisclosure, tz: tzinfo) -> Exposure:
    return Exposure(
        labels=told.labels,
        surface=f"told: {told.occasion}",
        position=recorded.position,
        shown_at=told.occurred_at,
        shown_on=told.occurred_at.astimezone(tz).date(),
        last_position=recorded.position,
        last_at=told.occurred_at,
        times=1,
    )


def _exposure(line: ShownTo, tz: tzinfo) -> Exposure:
    return Exposure(
        labels=frozenset(Label(label) for label in line.labels.split()),
        surface=line.surface,
        position=line.position,
        shown_at=line.shown_at,
        shown_on=line.shown_at.astimezone(tz).date(),
        last_position=line.last_position,
        last_at=line.last_at,
        times=line.times,
    )


def _enrolled(history: Iterable[Recorded[Event]]) -> datetime | None:
    return min((r.event.occurred_at for r in history if isinstance(r.event, ParticipantEnrolled)), default=None)


class AnswerFinding(Command):
    """Your office's answer: the source by kind, number and day; `held by our office, not stated` is one too.

    `cites_share`: the source cites something that your office knows only from LEAD.
    """

    model_config = example(source="victim or witness report", number="2026-42210", on="2026-02-10")

    source: Source
    number: ShortText | None = None
    on: date | None = None
    cites_share: bool = False
    text: LongText | None = None


@handles(AnswerFinding, Role.LIAISON_PROSECUTOR)
def answer_finding(site: Site, caller: Caller, command: AnswerFinding, *, finding: str) -> Outcome:
    """Answer a finding that your office was asked about."""
    stream = reference(site, caller, "finding", finding)
    history = site.log.load(stream)
    asked = next((r.event for r in history if isinstance(r.event, FindingAsked)), None)
    if asked is None or asked.party_id != caller.party:
        raise Unknown
    if command.on is not None:
        day(site, "on", command.on)
    event = FindingAnswered(
        participant_id=asked.participant_id,
        party_id=caller.party,
        matter_id=asked.matter_id,
        occurred_at=site.now(),
        source=NamedSource(kind=command.source, number=command.number, on=command.on, cites_share=command.cites_share),
        text=command.text,
    )
    return Outcome([append(stream, history[-1].version, *answer(event))], {"finding": finding})
