"""One participant's consent, played at random against two small models written without the domain.

`Party` says what a party may know, in plain words: what its ROI names, while it lives, from its period on; and each
sentence signed for, while that lives. `Gate` is `gate.apply.sql` and the policy of granted rows, in Python. After every
step the rows that the views compute, read through the gate, are exactly what the model says; and no row computed at any
earlier step, as a projector that lags would still have it, shows more than the model says now.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from domain.event import Event, Recorded
from domain.labels import Grant, Label, Reader
from domain.refusal import Refused
from domain.roi import grants
from projections import counsel
from projections.partner import GrantedEntry, GrantedParticipant
from projections.rows import GrantedRow
from projections.views import VIEWS
from tests.histories import ADDRESSED_AS, CAMPUS_PD, DA, HOUSING, PATEL, PD, ZONE, Given, local
from tests.projections import promises

NEVER = datetime.min.replace(tzinfo=UTC)
PARTIES = [PD, CAMPUS_PD, DA, HOUSING]
EVERYONE = [*PARTIES, PATEL]  # counsel's authority is an instrument of its own
LABELS = [Label.IDENTITY_LEGAL, Label.ENROLMENT_STATUS, Label.CONTACT_FACT, Label.NEED_HOUSING, Label.IIP_PROGRESS]
VIEWS_OF_PARTNERS = [VIEWS[reader] for reader in (Reader.POLICE, Reader.PROSECUTOR, Reader.RECIPIENT, Reader.COUNSEL)]


@dataclass
class Party:
    """The model: what one party holds. `labels` None: no ROI names it."""

    labels: frozenset[Label] | None = None
    covers_from: datetime = NEVER
    until: datetime = NEVER
    items: dict[UUID, tuple[str, datetime]] = field(default_factory=dict)

    def lives(self, now: datetime) -> bool:
        return self.labels is not None and now < self.until

    def loses_all(self) -> None:
        self.labels, self.until, self.items = None, NEVER, {}


@dataclass
class Gate:
    """`gate.apply.sql`, line by line: party to (epoch, end of its ROI, end of its last item)."""

    consent: dict[UUID, tuple[int, datetime, datetime]] = field(default_factory=dict)

    def apply(self, recorded: Recorded[Event]) -> None:
        event, pos = recorded.event, recorded.position
        party, expires = event.party_id, event.expires_at or NEVER
        if party is None:
            return
        known = party in self.consent
        epoch, roi_until, item_until = self.consent.get(party, (0, NEVER, NEVER))
        match event.topic:
            case "roi.granted" | "counsel.authorised":
                self.consent[party] = (epoch if known else 0, expires, item_until)
            case "roi.narrowed" | "counsel.narrowed":
                self.consent[party] = (pos, expires, item_until)
            case "roi.revoked" | "counsel.ended":
                self.consent[party] = (pos, NEVER, NEVER)
            case "roi.expired":
                self.consent[party] = (pos, NEVER, item_until)
            case "item.consented":
                self.consent[party] = (epoch if known else 0, roi_until, max(item_until, expires))
            case "item.withdrawn":
                self.consent[party] = (pos, roi_until, item_until)
            case _:
                pass

    def alive(self, party: UUID, now: datetime) -> bool:
        _, roi_until, item_until = self.consent.get(party, (0, NEVER, NEVER))
        return max(roi_until, item_until) > now

    def lets_through(self, row: GrantedRow, now: datetime) -> bool:
        """The policy of granted rows."""
        known = self.consent.get(row.party_id)
        return known is not None and row.epoch == known[0] and row.until > now and self.alive(row.party_id, now)


def facts(row: GrantedRow) -> set[str]:
    """Return what a row tells, one fact a word."""
    if isinstance(row, counsel.Recipient):
        return set()  # what consent gives to whom, which counsel reads by role
    if isinstance(row, counsel.Entry):
        told = {"participant.identified": "name", "participant.enrolled": "enrolled"}
        said = {told.get(row.kind, "")} | ({f"contact {row.occurred_at}"} if row.kind == "contact.made" else set())
        said |= {row.body["text"]} if row.kind == "share.made" else set()
        return said - {""}
    if isinstance(row, GrantedParticipant | counsel.Client):
        values = {"in LEAD": True, "name": row.name, "enrolled": row.enrolment}
        return {what for what, value in values.items() if value}
    assert isinstance(row, GrantedEntry)
    return {row.body["text"] if row.kind == "share.made" else f"contact {row.occurred_at}"}


class Consent(RuleBasedStateMachine):
    """A participant signs, amends, revokes, signs for sentences and withdraws; care shares; time passes."""

    @initialize()
    def begin(self) -> None:
        self.story = Given(now=local(3, 1)).identified().then()
        self.start = self.story.now
        self.model = {party: Party() for party in EVERYONE}
        self.gate, self.gated = Gate(), 0
        self.ever: set[Any] = set()
        self.shares: list[tuple[UUID, str, frozenset[Label], datetime]] = []
        self.contacts: list[datetime] = []
        self.withdrawn: dict[UUID, datetime] = {}
        self.revoked: dict[UUID, datetime] = {}
        self.signed_at: datetime | None = None
        self.authorised_at: datetime | None = None
        self.ends_at = NEVER
        self.has_intake = False

    # What happens -----------------------------------------------------------------------------------------------------

    # A few sets that hold each other, so that one signature often takes just one thing away from another.
    SETS = st.sampled_from([frozenset(LABELS)] * 3 + [frozenset(LABELS) - {Label.CONTACT_FACT}, frozenset(LABELS[:1])])
    GIVEN = st.dictionaries(st.sampled_from(PARTIES), SETS, max_size=3)
    DAYS = st.sampled_from([0, 2, 30])
    PURPOSES = st.sampled_from(["coordination", "housing"])

    @rule(given=GIVEN, days=DAYS, from_start=st.booleans(), purpose=PURPOSES, amends=st.booleans())
    def sign(
        self, given: dict[UUID, frozenset[Label]], days: int, from_start: bool, purpose: str, amends: bool
    ) -> None:
        now, until = self.story.now, self._day(days)
        covers_from = self.start if from_start else now
        stands = self.signed_at is not None and now < self.ends_at
        try:
            self.story.signed(given, until=until, covers_from=covers_from, purpose=purpose, amends=amends)
        except Refused:
            assert amends
            assert not stands
            return
        assert stands or not amends
        end = self._end(until)
        self.signed_at, self.ends_at = now, max(self.ends_at, end) if amends else end
        for party in PARTIES:
            held = self.model[party]
            if party in given:
                held.labels, held.covers_from, held.until = given[party], covers_from, end
            elif not amends and held.labels is not None:
                held.loses_all()
                self.revoked[party] = now

    @precondition(lambda self: self.revoked)
    @rule(data=st.data())
    def enter_paper_from_before_a_revocation(self, data: st.DataObject) -> None:
        party = data.draw(st.sampled_from(sorted(self.revoked)))
        with pytest.raises(Refused):
            self.story.signed({party: frozenset(LABELS)}, at=self.revoked[party] - timedelta(seconds=1))

    @rule(parties=st.lists(st.sampled_from(PARTIES), max_size=2))
    def revoke(self, parties: list[UUID]) -> None:
        for party in parties or PARTIES:
            if parties or self.model[party].labels is not None or self.model[party].items:
                self.revoked[party] = self.story.now
            self.model[party].loses_all()
        self.story.revoked(*parties)

    @rule(labels=SETS, days=DAYS, from_start=st.booleans())
    def authorise_counsel(self, labels: frozenset[Label], days: int, from_start: bool) -> None:
        covers_from, until = self.start if from_start else self.story.now, self._day(days)
        self.story.authorised(labels, until=until, covers_from=covers_from)
        held = self.model[PATEL]
        held.labels, held.covers_from, held.until = labels, covers_from, self._end(until)
        self.authorised_at = self.story.now - timedelta(minutes=1)  # the command took one

    @precondition(lambda self: self.authorised_at is not None)
    @rule()
    def enter_an_older_authority(self) -> None:
        assert self.authorised_at is not None
        with pytest.raises(Refused):
            self.story.authorised(LABELS, at=self.authorised_at - timedelta(seconds=1))

    @rule()
    def end_counsels_authority(self) -> None:
        self.model[PATEL].loses_all()
        self.story.counsel_ended()

    @rule(party=st.sampled_from(EVERYONE), days=st.integers(1, 5))
    def sign_for_a_sentence(self, party: UUID, days: int) -> None:
        text, now = f"Sentence {len(self.story.recorded)}.", self.story.now
        item = self.story.item(party, text, {Label.NEED_HOUSING}, days=days)
        self.model[party].items[item] = (text, now + timedelta(days=days))

    @precondition(lambda self: any(held.items for held in self.model.values()))
    @rule(data=st.data())
    def withdraw(self, data: st.DataObject) -> None:
        held = [(party, item) for party, holds in self.model.items() for item in holds.items]
        party, item = data.draw(st.sampled_from(held))
        _, until = self.model[party].items.pop(item)
        self.withdrawn[party] = max(until, self.withdrawn.get(party, NEVER))
        self.story.withdrawn(item)

    @rule(party=st.sampled_from(PARTIES), labels=st.frozensets(st.sampled_from(LABELS), min_size=1, max_size=2))
    def share(self, party: UUID, labels: frozenset[Label]) -> None:
        text, now, held = f"Sentence {len(self.story.recorded)}.", self.story.now, self.model[party]
        allowed = held.lives(now) and labels <= (held.labels or frozenset())
        try:
            self.story.shared(party, text, labels)
        except Refused:
            assert not allowed
        else:
            assert allowed
            self.shares.append((party, text, labels, now))

    @rule()
    def contact(self) -> None:
        self.contacts.append(self.story.now)
        self.story.contact(note="what was said")

    @precondition(lambda self: not self.has_intake)
    @rule()
    def intake(self) -> None:
        self.has_intake = True
        self.story.intake()

    @rule(hours=st.sampled_from([1, 13, 36, 24 * 31]))
    def wait(self, hours: int) -> None:
        self.story.at(self.story.now + timedelta(hours=hours))

    @rule()
    def write_down_what_expired(self) -> None:
        for held in self.model.values():
            if held.labels is not None and not held.lives(self.story.now):
                held.labels, held.until = None, NEVER
        self.story.expired()

    # What must hold ---------------------------------------------------------------------------------------------------

    @invariant()
    def each_party_knows_exactly_what_it_may(self) -> None:
        now, history = self.story.now, self.story.history
        for recorded in self.story.recorded[self.gated :]:
            self.gate.apply(recorded)
        self.gated = len(self.story.recorded)
        rows = [
            row
            for view in VIEWS_OF_PARTNERS
            for row in view.rows(history, self.story.protocol.ceiling, now)
            if isinstance(row, GrantedRow)
        ]
        self.ever |= {(row.party_id, row.epoch, row.until, fact) for row in rows for fact in facts(row)}
        for party in EVERYONE:
            may_know = self._may_know(party, now)
            shown = [row for row in rows if row.party_id == party and self.gate.lets_through(row, now)]
            assert set[str]().union(*map(facts, shown)) == may_know
            assert "what was said" not in str(shown)
        for party, epoch, until, fact in self.ever:
            known = self.gate.consent.get(party)
            if known and epoch == known[0] and until > now and self.gate.alive(party, now):
                assert fact in self._may_know(party, now), "a row of before outlived its authority"

    @invariant()
    def the_gate_and_the_domain_agree(self) -> None:
        now, held = self.story.now, grants(self.story.recorded)
        assert set(self.gate.consent) == set(held)
        for party, grant in held.items():
            epoch, roi_until, _ = self.gate.consent[party]
            assert epoch == grant.epoch
            assert roi_until == (grant.until if grant.labels is not None else NEVER)
            revoked_before_it_had_anything = grant == Grant(epoch=grant.epoch)
            assert grant.reader is ADDRESSED_AS[party] or revoked_before_it_had_anything
            could_show = grant.live_roi(now) or any(until > now for _, until in grant.items)
            if now >= self.withdrawn.get(party, NEVER):
                assert self.gate.alive(party, now) == could_show
            else:  # the gate knows no single item: it stays open, with nothing behind it, until the longest has run out
                assert self.gate.alive(party, now) or not could_show

    def teardown(self) -> None:
        promises.hold(self.story)

    def _may_know(self, party: UUID, now: datetime) -> set[str]:
        held = self.model[party]
        known = {text for text, until in held.items.values() if now < until}
        if held.labels is None or not held.lives(now):
            return known
        known |= {"in LEAD"}
        known |= {
            text
            for to, text, labels, at in self.shares
            if to == party and labels <= held.labels and self._covers(held, labels, at)
        }
        if Label.IDENTITY_LEGAL in held.labels:
            known |= {"name"}
        if Label.ENROLMENT_STATUS in held.labels and self.has_intake and self.signed_at is not None:
            known |= {"enrolled"}
        if Label.CONTACT_FACT in held.labels:
            known |= {f"contact {at}" for at in self.contacts if at >= held.covers_from}
        return known

    def _covers(self, held: Party, labels: frozenset[Label], at: datetime) -> bool:
        standing = {Label.IDENTITY_LEGAL, Label.ENROLMENT_STATUS}
        return labels <= standing or at >= held.covers_from

    def _day(self, days: int) -> date:
        return self.story.now.astimezone(ZONE).date() + timedelta(days=days)

    def _end(self, day: date) -> datetime:
        return datetime(day.year, day.month, day.day, 23, 59, 59, tzinfo=ZONE)


Consent.TestCase.settings = settings(
    max_examples=150, stateful_step_count=30, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
TestConsent = Consent.TestCase
