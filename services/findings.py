"""The audit of adverse actions: it follows the log on its own beat, so that no prosecutor ever waits for it (T:489)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, tzinfo
from uuid import UUID

from domain.event import Envelope, Event, LongText, Recorded, ShortText
from domain.finding import (
    ADVERSE_TOPICS,
    Acted,
    Exposure,
    FindingAnswered,
    FindingAsked,
    NamedSource,
    acted,
    answer,
    find,
    finding_id,
)
from domain.labels import Label
from domain.legal_case import DecisionRecorded, Source
from domain.participant import ParticipantEnrolled
from domain.refusal import Unknown
from domain.registry import PartyKind, Role
from services.person import records
from services.ports import NOBODY, Caller, Conflict, ShownTo
from services.site import Command, Outcome, Site, append, day, example, handles, reference


@dataclass(slots=True)
class Audit:
    """Raises the finding about every adverse action of the log, once, however many audits run.

    What it has read so far is its own; a new one begins at the log's beginning and finds what is raised already.
    """

    site: Site
    _position: int = 0
    _left: dict[UUID, Recorded[Event]] = field(default_factory=dict)

    def beat(self) -> int:
        """Raise what was not raised yet; return how many. What fails is tried again at the next beat."""
        self._look()
        raised, failed = 0, None
        for stream, recorded in list(self._left.items()):
            try:
                raised += self._raise(stream, recorded)
                del self._left[stream]
            except Exception as error:  # noqa: BLE001 - one action's trouble keeps no other from being looked at
                failed = error
        if failed is not None:
            raise failed
        return raised

    def unraised(self) -> list[datetime]:
        """Look whether other audits do their work: when each action was recorded that has no finding. Raises none."""
        self._look()
        return [recorded.recorded_at for recorded in self._left.values() if self._adverse(recorded) is not None]

    def _look(self) -> None:
        """Let wait what was recorded since the last time and has no finding."""
        for recorded in self.site.log.of_topics(ADVERSE_TOPICS, self._position):
            self._left[finding_id(recorded.id)] = recorded
            self._position = recorded.position
        for known in self.site.log.existing(list(self._left)) if self._left else ():
            del self._left[known]

    def _adverse(self, recorded: Recorded[Event]) -> Acted | None:
        """Return the adverse action that is to be looked at; where the matter was vacated, it is dark here too."""
        return None if recorded.erased else acted(recorded.event, _earlier(self.site, recorded))

    def _raise(self, stream: UUID, recorded: Recorded[Event]) -> bool:
        did, participant = self._adverse(recorded), recorded.event.participant_id
        if did is None or participant is None:
            return False
        self.site.directory.refresh()
        protocol = self.site.directory.protocol(recorded.recorded_at)
        who = recorded.envelope
        person = [record.id for record in records(self.site, participant)]  # by whatever record it was shown
        shown = [line for one in person for line in self.site.log.exposures(one, who.agency, recorded.position)]
        lines = sorted(shown, key=lambda line: line.position)
        events = find(
            recorded,
            did,
            [_exposure(line, protocol.tz) for line in lines if line.staff == who.actor],
            [_exposure(line, protocol.tz) for line in lines if line.staff != who.actor],
            _enrolled(r for one in person for r in self.site.log.load(one)),
            protocol,
            self.site.now(),
            is_office=self.site.directory.party(who.agency).kind is PartyKind.PROSECUTOR,
        )
        envelope = Envelope(
            actor=None,
            role=Role.SERVICE,
            agency=NOBODY,
            correlation_id=who.correlation_id,
            causation_id=recorded.id,
            protocol=protocol.version,
        )
        try:
            self.site.log.record([append(stream, 0, *events)], envelope)
        except Conflict:  # another audit was first
            return False
        return True


def _earlier(site: Site, recorded: Recorded[Event]) -> list[DecisionRecorded]:
    if not isinstance(recorded.event, DecisionRecorded):
        return []
    stream = [r for r in site.log.load(recorded.stream) if r.position < recorded.position and not r.erased]
    return [r.event for r in stream if isinstance(r.event, DecisionRecorded)]


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
