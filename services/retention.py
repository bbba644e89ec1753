"""What is to be forgotten: orders that seal or vacate, legal holds, and the end of a participant's retention.

An order that nothing holds is carried out as it is recorded: the matter's key is destroyed in the same transaction.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import partial
from itertools import chain
from typing import Final
from uuid import UUID, uuid4

from domain import identity
from domain import retention as ret
from domain.event import Envelope, Event, Recorded
from domain.identity import Agreement, MatchDismissed, MatchProposed, RecordLinked, RecordUnlinked
from domain.legal_case import CaseEntered, CaseFiled, docketed
from domain.participant import Participant, participant
from domain.protocol import NoProtocol, Protocol
from domain.refusal import Refused, Unknown
from domain.registry import Role
from domain.retention import (
    HoldGround,
    HoldLifted,
    HoldPlaced,
    MatterErased,
    OrderCarriedOut,
    OrderReceived,
    ParticipantErased,
    Retention,
    SealOrderKind,
    retention,
    retention_stream,
)
from domain.suspension import AccountingResumed, AccountingSuspended
from domain.warrant import WarrantIssued
from projections.lens import History
from services.clocks import Clocks
from services.person import others
from services.ports import NOBODY, Append, Caller, Conflict
from services.site import Command, Outcome, Site, append, day, example, handles, load_participant, reference

_KEEPERS: Final = (Role.PRIVACY_OFFICER, Role.SUPERVISOR)
_NOTHING: Final[Mapping[UUID, int]] = {}
_ATTRIBUTIONS: Final = tuple(kind.topic for kind in (RecordLinked, RecordUnlinked, MatchProposed, MatchDismissed))
_RETENTION_TOPICS: Final = tuple(
    kind.topic
    for kind in (
        *(HoldPlaced, HoldLifted, OrderReceived, OrderCarriedOut, MatterErased, ParticipantErased),
        *(AccountingSuspended, AccountingResumed),
    )
)
"""What is recorded of records, not of a life: it makes no retention longer."""


class PlaceHold(Command):
    """Nothing of a participant is destroyed until you lift this. `case`: of this case, warrant or charge alone."""

    model_config = example(ground="litigation")

    ground: HoldGround
    case: str | None = None


@handles(PlaceHold, *_KEEPERS)
def place_hold(site: Site, caller: Caller, command: PlaceHold, *, participant_id: str) -> Outcome:
    """Place a legal hold."""
    who, history = load_participant(site, caller, participant_id, merged=True)
    state = retention(who, history)
    event = HoldPlaced(
        participant_id=who,
        party_id=caller.party,
        occurred_at=site.now(),
        ground=command.ground,
        matter=None if command.case is None else _matter(site, caller, history, "case", command.case),
    )
    answer = {"participant": participant_id, "hold": site.ids.seal(caller.party, ret.entry_of(state))}
    return Outcome([append(state.stream, state.version, event)], answer)


class LiftHold(Command):
    """A legal hold has ended; what waited for it alone is carried out now."""

    model_config = example()


@handles(LiftHold, *_KEEPERS)
def lift_hold(site: Site, caller: Caller, command: LiftHold, *, participant_id: str, hold: str) -> Outcome:  # noqa: ARG001
    """Lift a hold. `hold`: as its placing was answered, or the entry that placed it."""
    who, history = load_participant(site, caller, participant_id, merged=True)
    state = retention(who, history)
    wanted, told = reference(site, caller, "hold", hold), History(who, history)
    wanted = next((r.id for r in told.of(HoldPlaced) if told.id_of(r) == wanted), wanted)
    lifted = HoldLifted(participant_id=who, party_id=caller.party, occurred_at=site.now(), hold=wanted)
    left = ret.lift(state, lifted)
    return Outcome(_recorded(site, caller, who, history, state, left, [lifted]), {"participant": participant_id})


class ReceiveOrder(Command):
    """A court ordered to seal, vacate or expunge. `cases`: which, by their ids; each goes dark with its whole docket.

    Without `cases` it names the participant: it waits until the retention of the record has run.
    """

    model_config = example(order="expunged", ordered_on="2026-01-12")

    order: SealOrderKind
    ordered_on: date
    cases: tuple[str, ...] = ()


@handles(ReceiveOrder, Role.LEGAL_SERVICES, *_KEEPERS)
def receive_order(site: Site, caller: Caller, command: ReceiveOrder, *, participant_id: str) -> Outcome:
    """Record an order, and carry it out unless a hold stands."""
    who, history = load_participant(site, caller, participant_id, merged=True)
    state = left = retention(who, history)
    if state.erased:
        raise Unknown
    named = [_matter(site, caller, history, f"cases[{n}]", case) for n, case in enumerate(command.cases)]
    matters: Sequence[UUID | None] = _whole_dockets(site, who, named) or [None]
    received: list[Event] = []
    for matter in matters:
        event = OrderReceived(
            participant_id=who,
            party_id=caller.party,
            occurred_at=site.now(),
            order=command.order,
            ordered_on=day(site, "ordered_on", command.ordered_on),
            matter=matter,
        )
        left = ret.receive(left, event)
        received.append(event)
    appends = _recorded(site, caller, who, history, state, left, received)
    orders = [site.ids.seal(caller.party, ret.entry_of(state, n)) for n, _ in enumerate(received, 1)]
    return Outcome(appends, {"participant": participant_id, "orders": orders})


def _recorded(
    site: Site,
    caller: Caller,
    who: UUID,
    history: Sequence[Recorded[Event]],
    before: Retention,
    after: Retention,
    events: list[Event],
) -> list[Append]:
    """Return what a change of a retention comes to, with every order carried out that waits for nothing any more."""
    due = after.due()
    done = [
        OrderCarriedOut(participant_id=who, party_id=caller.party, occurred_at=site.now(), order=entry) for entry in due
    ]
    matters = [order.matter for order in due.values() if order.matter is not None]
    return [append(before.stream, before.version, *events, *done), *erased(site, who, history, matters)]


def erased(site: Site, who: UUID, history: Sequence[Recorded[Event]], matters: Iterable[UUID]) -> list[Append]:
    """Return what erases matters of a participant, and ends the links by which they were its own."""
    gone = dict.fromkeys(matters)
    links: dict[UUID, dict[UUID, UUID]] = {}
    own = set()
    for recorded in history:
        event = recorded.event
        if event.matter_id not in gone:
            continue
        if isinstance(event, RecordLinked | MatchProposed):
            links.setdefault(recorded.stream, {})[event.matter_id] = recorded.envelope.agency
        else:
            own.add(event.matter_id)
    appends = []
    told = site.log.loads(list(gone))
    for matter in gone:
        event = MatterErased(participant_id=who if matter in own else None, matter_id=matter, occurred_at=site.now())
        appends.append(append(matter, len(told[matter]), event))
    for stream, linked in links.items():
        state = identity.person_of(stream, site.log.load(stream))
        ended = [e for m, party in linked.items() for e in identity.withdraw(state, m, party, site.now())]
        appends.append(append(stream, state.version, *ended))
    return appends


def sealed(
    site: Site, caller: Caller, matters: Mapping[UUID, UUID | None], ordered_on: date
) -> tuple[dict[UUID, list[Event]], list[Append]]:
    """Return what erases matters that an agency says are sealed, by matter; and the orders that a hold makes wait.

    `matters`: each with the participant whom what is told of it names.
    """
    site.people.refresh()
    erasures: dict[UUID, list[Event]] = {}
    waiting: dict[UUID, list[Event]] = {}
    for matter, named in matters.items():
        who = named or site.people.linked_to(matter)
        if who is not None and _standing(site, who).held(matter):
            order = OrderReceived(
                participant_id=who,
                party_id=caller.party,
                occurred_at=site.now(),
                order=SealOrderKind.SEALED,
                ordered_on=ordered_on,
                matter=matter,
            )
            waiting.setdefault(who, []).append(order)
        else:
            erasures[matter] = [MatterErased(participant_id=named, matter_id=matter, occurred_at=site.now())]
    orders = [append((held := _standing(site, who)).stream, held.version, *events) for who, events in waiting.items()]
    return erasures, orders


def _standing(site: Site, who: UUID) -> Retention:
    return retention(who, site.log.load(retention_stream(who)))


def _matter(site: Site, caller: Caller, history: Sequence[Recorded[Event]], name: str, text: str) -> UUID:
    """Return the matter of a participant that a caller names. Raises `Refused`."""
    matter = reference(site, caller, name, text)
    if not any(recorded.event.matter_id == matter for recorded in history):
        raise Refused(name, "it is no case, warrant or charge of this participant.", "Use the id in its history.")
    return matter


def _whole_dockets(site: Site, who: UUID, named: Iterable[UUID]) -> list[UUID]:
    """Return the matters named, and what any party has under the same docket of the same person: each once."""
    site.dockets.refresh()
    site.people.refresh()
    found: dict[UUID, None] = {}
    for matter in named:
        found[matter] = None
        state = docketed(site.log.load(matter))
        if state is None or state.docket is None:
            continue
        for party in site.directory.parties:
            for other in site.dockets.under(party, state.docket):
                told = site.log.load(other)
                if told[0].event.participant_id == who or _is_against(site, who, party, told[0].event):
                    found[other] = None
    return list(found)


def _is_against(site: Site, who: UUID, party: UUID, told: Event) -> bool:
    """Return whether a case or a warrant is against a participant, as whoever told of it says."""
    if not isinstance(told, CaseFiled | CaseEntered | WarrantIssued) or told.defendant is None:
        return False
    found = site.people.evidence(who, told.defendant.described(party))
    named = found.likeness == 1 and found.birth_date is Agreement.EQUAL and found.generation is not Agreement.OTHER
    return found.sid is Agreement.EQUAL or named


@dataclass(slots=True)
class Retentions:
    """Ends what has run: one worker, which looks once each local day. Another may do the same: it finds it done."""

    site: Site
    _looked: date | None = field(default=None, init=False)

    def beat(self) -> int:
        """Erase whose retention has run and whom no hold holds; return how many. What fails is looked at anew."""
        now = self.site.now()
        try:
            protocol = self.site.directory.protocol(now)
        except NoProtocol:
            return 0
        today = now.astimezone(protocol.tz).date()
        # What fell due is written down first: it, too, is of the record.
        if today == self._looked or Clocks(self.site).late().past:
            return 0
        before = now - timedelta(days=min(protocol.retention_days, protocol.retention_days_not_enrolled))
        ended = (partial(self._end, who, now, protocol) for who in self.site.log.quiet(before, _RETENTION_TOPICS))
        of_nobody = (partial(self._records, [each], protocol) for each in self._of_nobody(now, protocol))
        done, failed, again = 0, None, False
        for erase in chain(of_nobody, ended):
            try:
                done += erase()
            except Conflict:
                again = True  # something was recorded meanwhile
            except Exception as error:  # noqa: BLE001 - one record's trouble keeps nobody else's
                failed = error
        if failed is not None:
            raise failed
        if not again:
            self._looked = today
        return done

    def _of_nobody(self, now: datetime, protocol: Protocol) -> list[Append]:
        """Return what erases agencies' records that might have been a participant's, and are no one's."""
        decided: dict[UUID, list[Recorded[Event]]] = {}
        for recorded in self.site.log.of_topics(_ATTRIBUTIONS):
            decided.setdefault(recorded.stream, []).append(recorded)
        standing, seen = set[UUID | None](), set[UUID | None]()
        for stream, events in decided.items():
            state = identity.person_of(stream, events)
            standing |= {*state.records, *(proposal.matter_id for proposal in state.proposed)}
            seen |= {recorded.event.matter_id for recorded in events}
        since = now - timedelta(hours=protocol.feed_hours)
        told = self.site.log.loads([matter for matter in seen - standing if matter is not None])
        return [
            append(matter, events[-1].version, MatterErased(matter_id=matter, occurred_at=now))
            for matter, events in told.items()
            if events and events[-1].recorded_at < since and _is_kept_for_a_match(events)
        ]

    def _records(self, appends: Sequence[Append], protocol: Protocol, since: Mapping[UUID, int] = _NOTHING) -> bool:
        envelope = Envelope(
            actor=None, role=Role.SERVICE, agency=NOBODY, correlation_id=uuid4(), protocol=protocol.version
        )
        self.site.log.record(appends, envelope, since=since)
        return True

    def _end(self, who: UUID, now: datetime, protocol: Protocol) -> bool:
        history = self.site.log.history(who)
        state = retention(who, history)
        if state.erased or not self._has_run(participant(who, history), history, now, protocol):
            return False
        event = ParticipantErased(participant_id=who, occurred_at=now)
        orders = [
            OrderCarriedOut(participant_id=who, party_id=NOBODY, occurred_at=now, order=entry)
            for entry in state.waiting
        ]
        appends = [
            append(state.stream, state.version, *orders, event),
            *erased(self.site, who, history, _kept_for(self.site, history)),
        ]
        return self._records(appends, protocol, {who: history[-1].position})

    def _has_run(
        self, record: Participant, history: Sequence[Recorded[Event]], now: datetime, protocol: Protocol
    ) -> bool:
        """Return whether the retention of a record has run, and of those that are read with it, and no hold stands."""
        person = [record, *others(self.site, record)]
        if record.into is not None:
            person.append(participant(record.into, self.site.log.load(record.into)))
        for each in person:
            told = history if each.id == record.id else self.site.log.history(each.id)
            since = max(r.recorded_at for r in told if r.event.topic not in _RETENTION_TOPICS)
            ends_at = ret.ends_at(each, since, protocol)
            if ends_at is None or ends_at > now or retention(each.id, told).held(None):
                return False
        return True


def _kept_for(site: Site, history: Sequence[Recorded[Event]]) -> list[UUID]:
    """Return the matters that are kept for a participant alone: not what an office publishes, nor public record."""
    matters = {r.event.matter_id for r in history if r.event.matter_id is not None}
    linked = {r.event.matter_id for r in history if isinstance(r.event, RecordLinked | MatchProposed)}
    told = site.log.loads([m for m in matters if m in linked])
    theirs = {m for m, events in told.items() if events and _is_published(events[0].event)}
    return sorted(m for m in matters if m not in theirs)


def _is_kept_for_a_match(told: Sequence[Recorded[Event]]) -> bool:
    """Return whether an agency's record is here only because it might be a participant's, and is here still."""
    first = told[0].event
    erased = any(isinstance(recorded.event, MatterErased) for recorded in told)
    return not erased and first.participant_id is None and not _is_published(first)


def _is_published(event: Event) -> bool:
    return isinstance(event, CaseFiled) or event.is_public()
