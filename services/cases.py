"""What prosecutors' offices and courts tell of cases by stream.

An office that publishes its cases publishes all of them: each is its own row, whoever is charged, and a link only adds
whose it is. So it is of a court whose docket the protocol calls public: that is everyone's public record. Of any other
court a case is kept where LEAD knows the defendant, or may; it is then no public record, for being listed would tell
that, and it has a place of its own, where nobody finds it by the number. What is public is decided as if that were not
there. A docket with several defendants is a matter for each, and nobody is shown another's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Final
from uuid import UUID, uuid5

from pydantic import AwareDatetime

from domain import hearing as hear
from domain import legal_case
from domain.arrest import incident_of
from domain.calendar import end_of_day
from domain.event import Event, LongText, Recorded, ShortText
from domain.hearing import HearingEnded, HearingKind, HearingMoved, HearingOutcome, HearingSet
from domain.identity import RecordSubject
from domain.legal_case import (
    CaseDisposed,
    CaseEntered,
    CaseFiled,
    CaseRenumbered,
    CaseRetracted,
    CaseSealed,
    CaseUpdated,
    ChargeNumbers,
    ChargesSealed,
    DecisionKind,
    DecisionRecorded,
    Disposition,
    LegalCase,
    OrderEntered,
    OrderKind,
    OrderWithdrawn,
)
from domain.protocol import NoProtocol
from domain.refusal import Forbidden, Refused
from domain.registry import PartyKind
from domain.retention import MatterErased
from domain.warrant import Warrant, WarrantEnd, WarrantEnded, WarrantIssued, WarrantKind, end, warrant
from services.court import Charges, of_case, office, standing_at
from services.feed import Early, Effect, Told, tells
from services.links import attribute, detach
from services.ports import Append, Caller, Keeping
from services.retention import sealed
from services.site import Command, Site, append, day
from services.warrants import of_warrant

OFFICE, COURT = PartyKind.PROSECUTOR, PartyKind.COURT


class Accused(Command):
    """A defendant, and the charges against this one, with the numbers by which every system knows them."""

    person: RecordSubject
    charges: Charges
    numbers: ChargeNumbers | None = None

    @property
    def charged(self) -> dict[str, Any]:
        """What a record of the case says of them."""
        return {"charges": self.charges, "charge_numbers": self.numbers}


class _OfDocket(Told):
    """What is told of a docket. `follows`: the number that this one replaces."""

    docket: ShortText
    follows: ShortText | None = None
    told_at: AwareDatetime

    @property
    def people(self) -> tuple[RecordSubject, ...]:
        """Whom of its defendants it names; none: it is about all."""
        return ()


class _Whole(_OfDocket):
    """What is told of all defendants of a docket."""

    defendants: tuple[Accused, ...]

    @property
    def people(self) -> tuple[RecordSubject, ...]:
        """Whom it names."""
        return tuple(each.person for each in self.defendants)


class _Concerning(_OfDocket):
    """What is told of some defendants of a docket, or of all."""

    concerned: tuple[RecordSubject, ...] = ()

    @property
    def people(self) -> tuple[RecordSubject, ...]:
        """Whom it names."""
        return self.concerned


class InitiatedTold(_Whole):
    """A court's clerk created a case."""

    court: ShortText
    filed_on: date
    prosecutor: ShortText | None = None


class FiledTold(_Whole):
    """An office filed a case."""

    tracking_number: ShortText | None = None
    incident_number: ShortText | None = None
    offense_on: date
    arrested_on: date | None = None
    filed_on: date
    received_at: AwareDatetime | None = None
    cites_share: bool = False


class UpdatedTold(_Whole):
    """The whole of a case, as it is now."""


class DeclinedTold(Told):
    """An office does not file."""

    docket: ShortText | None = None
    tracking_number: ShortText
    told_at: AwareDatetime
    defendants: tuple[Accused, ...]
    incident_number: ShortText | None = None
    screened_on: date
    reason: LongText | None = None


class HearingTold(_Concerning):
    """A hearing as it stands, by the court's own number. `outcome`: what became of it."""

    number: ShortText
    kind: HearingKind
    starts_at: AwareDatetime
    courtroom: ShortText | None = None
    outcome: HearingOutcome | None = None


class OrderTold(_Concerning):
    """A court made an order. `withdrawn`: it was entered in error."""

    kind: OrderKind
    ordered_on: date
    withdrawn: bool = False


class WarrantTold(_Concerning):
    """A warrant as it stands. `withdrawn`: it was entered in error."""

    number: ShortText
    kind: WarrantKind
    court: ShortText | None = None
    issued_on: date
    prosecutor: ShortText | None = None
    outcome: WarrantEnd | None = None
    ended_on: date | None = None
    withdrawn: bool = False


class DisposedTold(_Concerning):
    """A case ended."""

    outcome: Disposition
    disposed_on: date


class SealedTold(_Concerning):
    """A case was sealed, expunged or vacated; `charges`: only these, by their numbers."""

    sealed_on: date
    charges: frozenset[ShortText] = frozenset()


class RetractedTold(_OfDocket):
    """A case was entered in error."""


@dataclass(slots=True)
class _Matter:
    """A case of a docket against one person, and what is to be recorded of it."""

    state: LegalCase
    history: Sequence[Recorded[Event]]
    events: list[Event] = field(default_factory=list)

    @property
    def live(self) -> bool:
        """Whether it is still there."""
        return self.state.withdrawn is None

    def is_of(self, person: RecordSubject) -> bool:
        """Whether it is against this person."""
        return self.state.defendant is not None and self.state.defendant.is_of(person)


@dataclass(slots=True)
class _Docket:
    """What stands under a number at one party, and under the one that it replaces.

    `public`: it is public record, by the protocol under which it was told: so a message comes to the same however
    late it is taken. `missed`: the message is about somebody of whom no case is here.
    """

    site: Site
    caller: Caller
    told: _OfDocket
    matters: list[_Matter] = field(default_factory=list)
    warrants: list[Warrant] = field(default_factory=list)
    missed: bool = False
    at: datetime = field(init=False)
    public: bool = field(init=False)

    def __post_init__(self) -> None:
        """Find it. What is told as of tomorrow is told now."""
        told, dockets = self.told, self.site.dockets
        self.at = min(told.told_at, self.site.now())
        self.public = _is_public(self.site, self.caller, told.told_at)
        numbers = [told.docket, *([told.follows] if told.follows else [])]
        for matter in dict.fromkeys(m for number in numbers for m in dockets.under(self.caller.party, number)):
            history = self.site.log.load(matter)
            if not history or _came_out_later(history[0].event, self.at, public=self.public):
                continue
            if (state := legal_case.docketed(history)) is not None:
                self.matters.append(_Matter(state, history))
            elif (issued := warrant(history)) is not None:
                self.warrants.append(issued)

    @property
    def whole(self) -> bool:
        """Whether everybody's cases are kept."""
        return self.public or self.caller.party_kind is OFFICE

    @property
    def keep(self) -> Keeping | None:
        """Why the message is kept, if it is about somebody of whom no case is here.

        A case of a docket that is not kept whole may never come: then the message goes like the case's own, within
        hours. To keep it for longer would keep a stranger's name; and only where it matches, would tell so.
        """
        if not self.missed:
            return None
        return Keeping.EARLY if self.whole else Keeping.UNKNOWN

    def counts(self, state: LegalCase | WarrantIssued) -> bool:
        """Return whether a case or warrant is there to this message: to a public one only what is public is."""
        public = state.public if isinstance(state, LegalCase) else state.is_public()
        return public or not self.public

    def absent(self) -> Effect | None:
        """Return what becomes of a message about what has not come yet; None if it has. Raises `Early`."""
        if self.matters or self.warrants:
            return None
        matter = _place(self.caller, self.told.docket, whole=self.whole)
        return Effect() if _is_erased(self.site, matter) else _waits(matter, whole=self.whole)

    def concerned(self) -> list[_Matter]:
        """Return the cases that the message is about; nobody but whom it names."""
        found: list[_Matter] = []
        for person in self.told.people:
            own = [m for m in self.matters if m.is_of(person)]
            self.missed |= not any(self.counts(m.state) for m in own)
            found += own
        if not self.told.people:
            self.missed = not any(self.counts(m.state) for m in self.matters)
            for public in (True, False):
                of_kind = [m for m in self.matters if m.state.public is public]
                found += [m for m in of_kind if m.state.docket == self.told.docket] or of_kind
        return [m for m in found if m.live]

    def about(self, issued: Warrant) -> bool:
        """Return whether the message is about this warrant."""
        defendant = issued.event.defendant
        people = self.told.people
        return not people or (defendant is not None and any(defendant.is_of(person) for person in people))

    def renumber(self) -> list[Append]:
        """Let what stood under the number that this one replaces go on under this one."""
        old, new, people = self.told.follows, self.told.docket, self.told.people
        if old is None:
            return []
        for matter in self.matters:
            whole = not people or any(matter.is_of(person) for person in people)
            if matter.live and whole and matter.state.docket == old:
                matter.events.append(
                    CaseRenumbered(**of_case(self.caller, matter.state), occurred_at=self.at, before=old, docket=new)
                )
        return [
            append(
                issued.issued.stream,
                issued.version,
                CaseRenumbered(**of_warrant(issued.event), occurred_at=self.at, before=old, docket=new),
            )
            for issued in self.warrants
            if issued.docket == old and self.about(issued)
        ]

    def appends(self, more: Iterable[Append] = ()) -> list[Append]:
        """Return what is to be recorded."""
        own = [append(m.state.id, m.state.version, *m.events) for m in self.matters if m.events]
        return [*own, *more]


Begin = Callable[[UUID, Accused], Event | None]


@tells(FiledTold)
def tell_filed(site: Site, caller: Caller, told: FiledTold) -> Effect:
    """Take a case that an office filed, whoever is charged."""
    _only(caller, OFFICE)
    docket = _Docket(site, caller, told)
    today = site.now().astimezone(site.protocol().tz).date()

    def filed(matter: UUID, accused: Accused) -> Event:
        case = CaseFiled(
            party_id=caller.party,
            matter_id=matter,
            occurred_at=docket.at,
            docket=told.docket,
            tracking_number=told.tracking_number,
            defendant=accused.person,
            **accused.charged,
            incident_number=told.incident_number,
            offense_on=told.offense_on,
            arrested_on=told.arrested_on,
            filed_on=told.filed_on,
            received_at=told.received_at or docket.at,
            cites_share=told.cites_share,
        )
        (event,) = legal_case.file(case, today)
        return event

    return _stand(docket, _each(told.defendants), filed, told.incident_number)


@tells(InitiatedTold)
def tell_initiated(site: Site, caller: Caller, told: InitiatedTold) -> Effect:
    """Take a case of a court: of a public docket whoever is charged, else against whom LEAD knows, or may know."""
    _only(caller, COURT)
    docket = _Docket(site, caller, told)
    of_office = office(site, told.prosecutor)
    filed_on = day(site, "filed_on", told.filed_on)

    def entered(matter: UUID, accused: Accused) -> Event:
        return CaseEntered(
            party_id=caller.party,
            matter_id=matter,
            occurred_at=docket.at,
            office=of_office,
            public_record=docket.public,
            court=told.court,
            docket=told.docket,
            defendant=accused.person,
            **accused.charged,
            filed_on=filed_on,
        )

    return _stand(docket, _each(told.defendants), entered)


@tells(UpdatedTold)
def tell_updated(site: Site, caller: Caller, told: UpdatedTold) -> Effect:
    """Take the whole of a case as it is now: other charges, another defendant, one who is not in it any more."""
    _only(caller, OFFICE, COURT)
    docket, accused = _Docket(site, caller, told), _each(told.defendants)
    if (waits := docket.absent()) is not None:
        return waits
    there = [matter for matter in docket.matters if docket.counts(matter.state)]
    beside = next((_begun(matter) for matter in there if matter.live), None)
    docket.missed = not there
    for matter in docket.matters:
        in_it = matter.state.docket != told.docket or any(matter.is_of(each.person) for each in accused)
        if matter.live and not in_it and _newer(docket.at, matter.state.told_at):
            matter.events.append(CaseRetracted(**of_case(caller, matter.state), occurred_at=docket.at))
    taken_back = [m for m in docket.matters if m.events]

    def begun(matter: UUID, accused: Accused) -> Event | None:
        said = {"defendant": accused.person, "docket": told.docket} | accused.charged
        own = {"participant_id": None, "matter_id": matter, "occurred_at": docket.at}
        shown = {"public_record": docket.public} if isinstance(beside, CaseEntered) else {}
        return None if beside is None else beside.model_copy(update=said | own | shown)

    incident = beside.incident_number if isinstance(beside, CaseFiled) else None
    return _stand(docket, accused, begun, incident, detached=detach(site, caller, [m.state.id for m in taken_back]))


@tells(DeclinedTold)
def tell_declined(site: Site, caller: Caller, told: DeclinedTold) -> Effect:
    """Take that an office does not file. Its decision is its own record, whoever it is about, as its cases are."""
    _only(caller, OFFICE)
    protocol = site.protocol()
    decided_at = min(end_of_day(day(site, "screened_on", told.screened_on), protocol.tz), told.told_at, site.now())
    party = caller.party
    known = site.dockets.tracked(party, told.tracking_number)
    known += [] if told.docket is None else site.dockets.under(party, told.docket)
    cases = [(state, h) for h in map(site.log.load, dict.fromkeys(known)) if (state := legal_case.docketed(h))]
    accused, appends = _each(told.defendants), list[Append]()
    for each in accused:
        own = [(state, h) for state, h in cases if state.defendant is not None and state.defendant.is_of(each.person)]
        if own and own[-1][0].withdrawn:
            continue
        key = told.tracking_number if len(accused) == 1 else f"{told.tracking_number} {each.person.key}"
        matter = own[-1][0].id if own else uuid5(party, f"tracking {key}")
        history = own[-1][1] if own else site.log.load(matter)
        if any(isinstance(r.event, DecisionRecorded) and r.event.kind is _DECLINED for r in history):
            continue
        event = DecisionRecorded(
            participant_id=own[-1][0].participant if own else None,
            party_id=party,
            matter_id=matter,
            occurred_at=decided_at,
            kind=_DECLINED,
            reason=told.reason,
            ceiling=own[-1][0].ceiling if own else None,
            protocol_version=protocol.version,
        )
        appends.append(append(matter, len(history), *legal_case.decide(event)))
        if not history:
            appends += _whose(site, caller, matter, each.person, told.incident_number)
    return Effect(appends)


@tells(HearingTold)
def tell_hearing(site: Site, caller: Caller, told: HearingTold) -> Effect:
    """Take a hearing as it stands; what was said of it last holds."""

    def changed(docket: _Docket, matter: _Matter) -> list[Event]:
        of = of_case(caller, matter.state)
        known = [h for h in hear.hearings(matter.history).values() if h.opened.event.number == told.number]
        last = known[-1] if known else None
        if last is not None and max(r.event.occurred_at for r in (last.told, last.ended) if r) > docket.at:
            return []
        starts, room, events = told.starts_at, told.courtroom, list[Event]()
        if last is None or (last.ended is not None and told.outcome is None):
            kind, number = told.kind, told.number
            events.append(
                HearingSet(
                    **of, occurred_at=docket.at, hearing_kind=kind, starts_at=starts, courtroom=room, number=number
                )
            )
            hearing = uuid5(matter.state.id, str(matter.state.version + len(matter.events) + 1))
        else:
            hearing = last.opened.id
            if last.ended is None and (last.starts_at, last.told.event.courtroom) != (starts, room):
                events.append(
                    HearingMoved(**of, occurred_at=docket.at, hearing=hearing, starts_at=starts, courtroom=room)
                )
        ended = None if last is None or last.ended is None else last.ended.event.outcome
        if told.outcome is not None and told.outcome is not ended:
            if told.outcome is not HearingOutcome.STRICKEN and docket.at < starts:
                raise Refused("outcome", "the hearing has not begun.", "Move it first, or say that it was stricken.")
            events.append(HearingEnded(**of, occurred_at=docket.at, hearing=hearing, outcome=told.outcome))
        return events

    _only(caller, OFFICE, COURT)
    return _told_of(_Docket(site, caller, told), changed)


@tells(OrderTold)
def tell_order(site: Site, caller: Caller, told: OrderTold) -> Effect:
    """Take an order of a court."""

    def changed(docket: _Docket, matter: _Matter) -> list[Event]:
        orders = [r.event for r in matter.history if isinstance(r.event, OrderEntered | OrderWithdrawn)]
        same = [order for order in orders if (order.kind, order.ordered_on) == (told.kind, ordered_on)]
        kind = OrderWithdrawn if told.withdrawn else OrderEntered
        if same and (isinstance(same[-1], kind) or not _newer(docket.at, same[-1].occurred_at)):
            return []
        of = of_case(caller, matter.state)
        return [kind(**of, occurred_at=docket.at, kind=told.kind, ordered_on=ordered_on)]

    _only(caller, COURT)
    ordered_on = day(site, "ordered_on", told.ordered_on)
    return _told_of(_Docket(site, caller, told), changed)


@tells(DisposedTold)
def tell_disposed(site: Site, caller: Caller, told: DisposedTold) -> Effect:
    """Take how a case ended: a deferred one may end again."""

    def changed(docket: _Docket, matter: _Matter) -> list[Event]:
        ends = [r.event for r in matter.history if isinstance(r.event, CaseDisposed)]
        if ends and (ends[-1].outcome, ends[-1].disposed_on) == (told.outcome, disposed_on):
            return []
        if ends and not _newer(docket.at, ends[-1].occurred_at):
            return []
        of = of_case(caller, matter.state)
        return [CaseDisposed(**of, occurred_at=docket.at, outcome=told.outcome, disposed_on=disposed_on)]

    _only(caller, OFFICE, COURT)
    disposed_on = day(site, "disposed_on", told.disposed_on)
    return _told_of(_Docket(site, caller, told), changed)


@tells(WarrantTold)
def tell_warrant(site: Site, caller: Caller, told: WarrantTold) -> Effect:
    """Take a warrant as it stands: an office's or a public docket's whoever it is against, else as a case is taken."""
    _only(caller, OFFICE, COURT)
    if len(told.concerned) != 1:
        raise Refused("concerned", "a warrant is against one person.", "Send one for each.")
    (person,), prosecutes = told.concerned, caller.party_kind is OFFICE
    if prosecutes and told.court is None:
        raise Refused("court", "it is missing.", "Name the court that issued it.")
    name, at = f"warrant {told.number}", min(told.told_at, site.now())
    public = _is_public(site, caller, told.told_at)
    whole = public or prosecutes
    own, kept = (site.log.load(_place(caller, name, whole=each)) for each in (True, False))
    if own and _came_out_later(own[0].event, at, public=public):
        own = []
    changes = [] if (state := warrant(own)) is None else _warrant_changed(site, caller, told, state, at)
    if (state := warrant(kept)) is not None:
        with suppress(Refused) if public else nullcontext():
            changes += _warrant_changed(site, caller, told, state, at)
    if own or (kept and not public):  # one that was withdrawn, or forgotten, stays so
        return Effect(changes)
    matter = _place(caller, name, whole=whole)
    if told.withdrawn:
        return _waits(matter, changes, whole=whole)
    issued = WarrantIssued(
        party_id=caller.party,
        matter_id=matter,
        occurred_at=at,
        office=caller.party if prosecutes else office(site, told.prosecutor),
        public_record=public,
        number=told.number,
        warrant_kind=told.kind,
        court=told.court or site.directory.party(caller.party).name,
        issued_on=day(site, "issued_on", told.issued_on),
        docket=told.docket,
        defendant=person,
    )
    new = Warrant(Recorded(0, at, matter, 1, caller.envelope(), issued), 1)
    whose = _whose(site, caller, matter, person)
    if not whose and not whole:
        return _waits(matter, whole=whole)
    return Effect([*changes, append(matter, 0, issued, *_ended(site, told, new, at)), *whose], whole=whole)


@tells(SealedTold)
def tell_sealed(site: Site, caller: Caller, told: SealedTold) -> Effect:
    """Take that a case was sealed: it is not there any more, to nobody."""

    def changed(docket: _Docket, matter: _Matter) -> list[Event]:
        if len(matter.state.charge_numbers) < len(matter.state.charges) or None in matter.state.charge_numbers:
            raise Refused("charges", "the case was told without their numbers.", "Send it again with them, or seal it.")
        sealed = frozenset[str]().union(
            *(r.event.numbers for r in matter.history if isinstance(r.event, ChargesSealed) and not r.erased)
        )
        known = {number for number in matter.state.charge_numbers if number is not None}
        now = (told.charges & known) - sealed
        of = of_case(caller, matter.state)
        return [ChargesSealed(**of, occurred_at=docket.at, numbers=now, sealed_on=sealed_on)] if now else []

    _only(caller, OFFICE, COURT)
    sealed_on = day(site, "sealed_on", told.sealed_on)
    if told.charges:
        return _told_of(_Docket(site, caller, told), changed)
    return _withdrawn(_Docket(site, caller, told), CaseSealed, sealed_on=sealed_on)


@tells(RetractedTold)
def tell_retracted(site: Site, caller: Caller, told: RetractedTold) -> Effect:
    """Take that a case was entered in error: it is as if it had never been sent."""
    return _withdrawn(_Docket(site, caller, told), CaseRetracted)


def _stand(
    docket: _Docket,
    accused: Sequence[Accused],
    begin: Begin,
    incident_number: str | None = None,
    detached: Iterable[Append] = (),
) -> Effect:
    """Return what a docket comes to that stands so: cases that go on with these charges, and new ones."""
    site, caller, told = docket.site, docket.caller, docket.told
    appends = [*docket.renumber(), *detached]
    for each in accused:
        theirs = [matter for matter in docket.matters if matter.is_of(each.person)]
        for matter in theirs:
            asked = _update(docket, matter, each, incident_number) if matter.live else []
            if not {a.stream for a in asked} & {a.stream for a in appends}:  # once of one person
                appends += asked
        own = [matter for matter in theirs if docket.counts(matter.state)]
        live = [matter.state.public for matter in own if matter.live]
        if len(live) > len(set(live)):
            raise Refused("defendants", "two defendants of this docket are called so.", "Send their ids.")
        if live or (own and not _again(own[-1], docket.at)):
            continue
        several = len(accused) > 1 or (any(docket.counts(m.state) for m in docket.matters) and not own)
        name = f"{told.docket} {each.person.key}" if several else told.docket
        alike = [matter.state.id for matter in own if matter.state.public is docket.public]
        first = alike[-1] if alike else _place(caller, name, whole=docket.whole)
        stream = standing_at(site, first)
        begun = begin(stream, each)
        if begun is None:  # there is none to begin beside
            continue
        if site.log.existing([stream]) or (not alike and _is_erased(site, first)):  # it was forgotten
            continue
        whose = _whose(site, caller, stream, each.person, incident_number)
        if not whose and not docket.whole:
            docket.missed = True
            continue
        of = {"party_id": caller.party, "matter_id": stream, "occurred_at": docket.at, "public_record": docket.public}
        before = told.follows and CaseRenumbered(**of, before=told.follows, docket=told.docket)
        appends += [append(stream, 0, begun, *([before] if before else [])), *whose]
    return Effect(docket.appends(appends), keep=docket.keep, whole=docket.whole)


def _is_erased(site: Site, matter: UUID) -> bool:
    return any(isinstance(recorded.event, MatterErased) for recorded in site.log.load(matter))


def _update(docket: _Docket, matter: _Matter, accused: Accused, incident_number: str | None) -> list[Append]:
    """Give a case other charges, or say more of its defendant, if this was told after what it has.

    Return whose it is, asked again where more is said of the person.
    """
    state, known = matter.state, matter.state.defendant
    person = accused.person if known is None else known.retold(accused.person)
    more = None if person == known else person
    if (accused.charges == state.charges and more is None) or not _newer(docket.at, state.told_at):
        return []
    of = of_case(docket.caller, state)
    matter.events.append(CaseUpdated(**of, occurred_at=docket.at, **accused.charged, defendant=more))
    if more is None or state.participant is not None:
        return []
    return _whose(docket.site, docket.caller, state.id, more, incident_number)


def _told_of(docket: _Docket, changed: Callable[[_Docket, _Matter], list[Event]]) -> Effect:
    """Return what is told of all cases of a docket that are concerned."""
    if (waits := docket.absent()) is not None:
        return waits
    found, renumbered = docket.concerned(), docket.renumber()
    for matter in found:
        with nullcontext() if docket.counts(matter.state) else suppress(Refused):
            matter.events += changed(docket, matter)
    return Effect(docket.appends(renumbered), keep=docket.keep)


def _withdrawn(docket: _Docket, kind: type[CaseSealed | CaseRetracted], **said: date) -> Effect:
    """Return what takes back the cases of a docket that are concerned, their warrants, and whose they were."""
    _only(docket.caller, OFFICE, COURT)
    if (waits := docket.absent()) is not None:
        return waits
    site, caller = docket.site, docket.caller
    cases, warrants = docket.concerned(), [each for each in docket.warrants if docket.about(each)]
    gone = {matter.state.id: matter.state.participant for matter in cases}
    gone |= {issued.issued.stream: issued.event.participant_id for issued in warrants}
    appends = detach(site, caller, gone)
    erased: dict[UUID, list[Event]] = {}
    if kind is CaseSealed:
        erased, orders = sealed(site, caller, gone, said["sealed_on"])
        appends += orders
    for matter in cases:
        event = kind(**of_case(caller, matter.state), occurred_at=docket.at, **said)
        matter.events += [event, *erased.get(matter.state.id, ())]
    for issued in warrants:
        event, stream = kind(**of_warrant(issued.event), occurred_at=docket.at, **said), issued.issued.stream
        appends.append(append(stream, issued.version, event, *erased.get(stream, ())))
        docket.missed &= not docket.counts(issued.event)
    return Effect(docket.appends(appends), keep=docket.keep)


def _warrant_changed(site: Site, caller: Caller, told: WarrantTold, state: Warrant, at: datetime) -> list[Append]:
    of, stream = of_warrant(state.event), state.issued.stream
    if told.withdrawn:
        event = CaseRetracted(**of, occurred_at=at)
        return [append(stream, state.version, event), *detach(site, caller, [stream])]
    events = _ended(site, told, state, at)
    return [append(stream, state.version, *events)] if events else []


def _ended(site: Site, told: WarrantTold, state: Warrant, at: datetime) -> list[Event]:
    """Return how a warrant ended, unless that is known."""
    if told.outcome is None or told.ended_on is None:
        return []
    known = None if state.ended is None else state.ended.event
    if known is not None and (known.outcome, known.ended_on) == (told.outcome, told.ended_on):
        return []
    ended_on = day(site, "ended_on", told.ended_on)
    event = WarrantEnded(**of_warrant(state.event), occurred_at=at, outcome=told.outcome, ended_on=ended_on)
    return end(state, event)


def _whose(
    site: Site, caller: Caller, matter: UUID, person: RecordSubject, incident_number: str | None = None
) -> list[Append]:
    """Return whose a case is. An office names an incident by the number of a department, and not which."""
    police = [party.id for party in list(site.directory.parties.values()) if party.kind is PartyKind.POLICE]
    numbers = [] if incident_number is None else [incident_of(party, incident_number) for party in police]
    return attribute(site, caller, matter, person, *numbers)


def _is_public(site: Site, caller: Caller, told_at: datetime) -> bool:
    """Return whether a court's docket was public record when it told of it."""
    if caller.party_kind is not COURT:
        return False
    try:
        return site.directory.party(caller.party).code in site.directory.protocol(told_at).public_dockets
    except NoProtocol:
        return False


def _came_out_later(began: Event, at: datetime, *, public: bool) -> bool:
    """Return whether a matter is public record only since after a message that is not: the message is not of it.

    Of a stranger such a message may be kept still, and must not say more than it does of somebody whom LEAD knows.
    """
    return began.is_public() and not public and began.occurred_at > at


def _place(caller: Caller, name: str, *, whole: bool) -> UUID:
    """Return where a matter stands; what is kept of those alone whom LEAD may know has places of its own."""
    return uuid5(caller.party if whole else uuid5(caller.party, "whom LEAD may know"), name)


def _waits(matter: UUID, changes: Sequence[Append] = (), *, whole: bool) -> Effect:
    """Return what becomes of a message about what is not here. Raises `Early`."""
    if not whole:
        return Effect([append(matter, 0)], keep=Keeping.UNKNOWN)
    if not changes:
        raise Early
    return Effect(changes, keep=Keeping.EARLY)


def _each(accused: Sequence[Accused]) -> list[Accused]:
    """Return each defendant once, with all charges against that one."""
    found: list[Accused] = []
    for each in accused:
        same = next((n for n, one in enumerate(found) if one.person.is_of(each.person)), None)
        if same is None:
            found.append(each)
        else:
            one = found[same]
            numbers = None if one.numbers is None or each.numbers is None else one.numbers + each.numbers
            found[same] = Accused(person=one.person, charges=one.charges + each.charges, numbers=numbers)
    return found


def _begun(matter: _Matter) -> CaseFiled | CaseEntered:
    return next(r.event for r in matter.history if isinstance(r.event, CaseFiled | CaseEntered))


def _again(matter: _Matter, at: datetime) -> bool:
    """Return whether a case that is not there any more is begun again: a retracted one is, a sealed one never."""
    withdrawn = matter.state.withdrawn
    return isinstance(withdrawn, CaseRetracted) and at > withdrawn.occurred_at


def _newer(at: datetime, known: datetime | None) -> bool:
    return known is None or at >= known


def _only(caller: Caller, *kinds: PartyKind) -> None:
    if caller.party_kind not in kinds:
        raise Forbidden


_DECLINED: Final = DecisionKind.DECLINE_TO_FILE
