"""What LEAD tells each party by stream: on every beat what its grants show now, and the withdrawal of all else.

The relay compares what a party may have with what was published to it; it follows no event, so it cannot miss one. What
is no longer shown is withdrawn, whatever the reason, which nothing here knows. What leaves has been released first, and
is kept as published before it is sent: after a crash the next beat sends it again.
"""

from __future__ import annotations

import hmac
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Annotated, Any, Final
from uuid import UUID, uuid4

import orjson
from pydantic import Field

from domain.calendar import days_after, end_of_day
from domain.disclosure import CopyWithdrawn, copy_stream
from domain.event import Envelope, ShortText
from domain.protocol import NoProtocol
from domain.refusal import Forbidden
from domain.registry import READS_AS, RECEIVES, Role
from projections.partner import GrantedParticipant
from projections.rows import shown
from projections.views import VIEWS
from services.directory import Party
from services.ports import (
    NOBODY,
    Acknowledged,
    AuthorityEnded,
    Caller,
    Conflict,
    Erased,
    Published,
    Session,
    Unavailable,
)
from services.questions.partner import TABLES
from services.release import Purpose, Rendered, answer, disclosures
from services.site import ATTEMPTS, Command, Site, append, example

SURFACE: Final = "stream"
CARRIED: Final = ("name", "birth_date", "enrolment", "case_manager", "call", "scope", "purpose")
"""What a status carries of the participant whom a party sees."""
ACKNOWLEDGED_MOST: Final = 5_000
"""How many acknowledgements one beat tells a party."""
KEYS_MOST: Final = 500
"""How many keys are asked for at once."""
_BEGINNING: Final = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Out:
    """What a party is told of one participant: its status, or (`row` None) that it is withdrawn.

    `key` and `key_id`: what the party calls the participant, and the key.
    """

    party: Party
    key: str
    key_id: str
    published: Published
    row: GrantedParticipant | None


@dataclass(frozen=True, slots=True)
class Relay:
    """Tells the parties. `send` and `acknowledge` give to the broker what was told at a moment, and what became of a
    party's messages; they raise `Unavailable`. `reaches` says whom of these parties the broker has topics for now: of
    whom else nothing is released, again and again, that cannot be sent; what is withdrawn is so all the same.
    """

    site: Site
    send: Callable[[datetime, Sequence[Out]], None]
    acknowledge: Callable[[datetime, Party, Sequence[Acknowledged]], None]
    reaches: Callable[[Sequence[Party]], frozenset[UUID]]

    def caught_up(self) -> bool:
        """Return whether the views show all that is recorded: what they do not show yet waits for the next beat."""
        position = self.site.log.position()
        readers = {READS_AS[kind] for kind in RECEIVES}
        return all(self.site.log.view_position(reader) >= position for reader in readers)

    def beat(self) -> int:
        """Tell every party what there is to tell; return how many messages that was.

        One party that cannot be told keeps no other waiting. Raises `Unavailable` at the end if there was one.
        """
        site = replace(self.site, moment=self.site.log.now())
        site.directory.refresh()
        try:
            lease = lease_until(site)
        except NoProtocol:
            return 0
        held: dict[UUID, dict[UUID, Published]] = {}
        for one in site.outbox.published():
            held.setdefault(one.party, {})[one.participant] = one
        accounts = {staff.party: staff.id for staff in list(site.directory.staff.values()) if staff.is_stream}
        heard: dict[UUID, list[Acknowledged]] = {}
        for said in site.outbox.acknowledged(ACKNOWLEDGED_MOST):
            heard.setdefault(said.party, []).append(said)
        parties = [site.directory.party(party) for party in sorted({*held, *accounts, *heard})]
        reached = self.reaches(parties) if parties else frozenset[UUID]()
        told, failed = 0, False
        for known in parties:
            party, account = known.id, accounts.get(known.id)
            caller = None if account is None else _caller(known, account)
            try:
                told += self._tell(site, known, caller, held.get(party, {}), lease, party in reached)
                told += self._acknowledge(site, known, heard.get(party, []))
            except (Conflict, Unavailable):
                failed = True
        if failed:
            raise Unavailable
        return told

    def _tell(
        self,
        site: Site,
        party: Party,
        caller: Caller | None,
        held: Mapping[UUID, Published],
        lease: datetime,
        is_reached: bool,
    ) -> int:
        stays, due = frozenset[UUID](), list[GrantedParticipant]()
        if caller is not None:
            stays, due = _released(site, caller, held, lease, is_reached)
        waits, due = bool(due) and not is_reached, due if is_reached else []
        rows = {row.subject_id: row for row in due}
        gone = [one for one in held.values() if one.participant not in stays and not one.withdrawn]
        changed = [_next(site, row, held.get(row.subject_id), lease) for row in due]
        changed += [replace(one, version=one.version + 1, withdrawn=True) for one in gone]
        again = [one for one in held.values() if one.withdrawn and not one.sent and one.participant not in rows]
        if not changed and not again and not waits:
            return 0
        kept = [*site.outbox.publish(changed), *again]
        _note(site, [one for one in kept if one.withdrawn])
        if not is_reached:
            raise Unavailable
        outs = [
            Out(
                party=party,
                key=site.ids.seal(party.id, one.participant),
                key_id=site.ids.seal(party.id, one.key),
                published=one,
                row=rows.get(one.participant),
            )
            for one in kept
        ]
        self.send(site.now(), sorted(outs, key=lambda out: out.key))  # an order that says nothing of what each is
        site.outbox.sent(kept)
        return len(outs)

    def _acknowledge(self, site: Site, party: Party, said: Sequence[Acknowledged]) -> int:
        if said:
            self.acknowledge(site.now(), party, said)
            site.outbox.forget(said)
        return len(said)


class AskKeys(Command):
    """Which keys a party wants, by the ids that stand in what was published to it."""

    model_config = example(keys=["k7q2m4xw6ahzn3rt5ybdcfgeuq"])

    keys: Annotated[tuple[ShortText, ...], Field(min_length=1, max_length=KEYS_MOST)]


def keys(site: Site, caller: Caller, asked: AskKeys) -> dict[str, Any]:
    """Return the keys of what a party may read now; for any other id, whatever it is, the same nothing.

    Each key is given away as what it opens is: released, and accounted for. For a party's stream account alone.
    """
    if caller.role is not Role.STREAM:
        raise Forbidden
    reader = READS_AS[caller.party_kind]
    wanted = {text: site.ids.open(caller.party, text) for text in asked.keys}

    def render(session: Session) -> Rendered:
        known = [key for key in wanted.values() if key is not None]
        due = {one.key: one for one in site.outbox.published(caller.party, known) if _is_due(site, one)}
        about = [one.participant for one in due.values()]
        rows = {row.subject_id: row for row in session.select(TABLES[reader].who, {"subject_id": about})}
        given, seen = [], []
        for text, key in wanted.items():
            one = due.get(key) if key is not None else None
            row = rows.get(one.participant) if one else None
            bare = site.outbox.key_of(one) if one and row and row.epoch == one.epoch else None
            if one is None or row is None or bare is None:
                given.append({"key_id": text, "key": None, "until": None})
                continue
            seen.append(carried(row))
            given.append({"key_id": text, "key": b64encode(bare).decode(), "until": one.lease_until.isoformat()})
        return Rendered({"keys": given}, list(seen))

    return answer(site, replace(caller, reader=reader), "stream.keys", Purpose.AS_THE_ROI_STATES, render)


def withdrawal_id(key: str, version: int) -> str:
    """Return the id of a withdrawal, which its receipt names."""
    return f"w-{key}-{version}"


def lease_until(site: Site) -> datetime:
    """Return until when what is published now may be relied on: the same moment for everyone.

    It lies between half a lease and a whole one ahead, and says nothing of when anybody's consent ends. Raises
    `NoProtocol`.
    """
    half = timedelta(hours=site.protocol().lease_hours) / 2
    return _BEGINNING + ((site.now() - _BEGINNING) // half + 2) * half


def carried(row: GrantedParticipant) -> GrantedParticipant:
    """Return a participant as far as a status carries it: what is released is what leaves, and no more."""
    more: dict[str, Any] = {name: None for name in ("phone", "enrolled_at") if hasattr(row, name)}
    kept = replace(row, **more)
    return replace(kept, shown=shown(type(row), {name: getattr(row, name) for name in CARRIED}))


def _note(site: Site, withdrawn: Sequence[Published]) -> None:
    """Record what is withdrawn and until when a receipt is awaited, each once. Raises `Conflict`, `Unavailable`."""
    protocol = site.protocol()
    receipt_by = end_of_day(days_after(site.now(), protocol.receipt_days, protocol.tz), protocol.tz)
    for one in withdrawn:
        stream = copy_stream(one.party, one.participant)
        history = site.log.load(stream)
        if any(isinstance(r.event, CopyWithdrawn) and r.event.version == one.version for r in history):
            continue
        event = CopyWithdrawn(
            participant_id=one.participant,
            party_id=one.party,
            occurred_at=site.now(),
            version=one.version,
            receipt_by=receipt_by,
        )
        envelope = Envelope(
            actor=None, role=Role.SERVICE, agency=NOBODY, correlation_id=uuid4(), protocol=protocol.version
        )
        with suppress(Erased):  # of whom nothing can be written down any more
            site.log.record([append(stream, history[-1].version if history else 0, event)], envelope)


def _released(
    site: Site, caller: Caller, held: Mapping[UUID, Published], lease: datetime, is_reached: bool
) -> tuple[frozenset[UUID], list[GrantedParticipant]]:
    """Return of whom the party keeps what it has, and what is to be told anew: that is released. Nobody, unauthorised.

    For a party that is not reached nothing is released: it is not told.

    A view that is behind may not show yet what a living consent gives: that is no reason to withdraw it.
    """
    reader = READS_AS[caller.party_kind]
    had_come = site.log.view_position(reader)
    for _ in range(ATTEMPTS):
        try:
            with site.readers.session(caller) as session:
                rows = [carried(row) for row in session.select(TABLES[reader].who)]
                alive = session.alive()
                due = [row for row in rows if _is_news(site, row, held.get(row.subject_id), lease)]
                lines = disclosures(site.digests, Rendered({}, list(due) if is_reached else []))
                released = session.release(lines, VIEWS[reader].version, Purpose.AS_THE_ROI_STATES, SURFACE)
        except AuthorityEnded:
            return frozenset(), []
        if released:  # and committed
            seen = frozenset(row.subject_id for row in rows)
            return (seen | alive if had_come < site.log.position() else seen), due
    raise Unavailable


def _is_news(site: Site, row: GrantedParticipant, held: Published | None, lease: datetime) -> bool:
    if held is None or held.withdrawn or not held.sent:
        return True
    return (held.epoch, held.lease_until, held.content) != (row.epoch, lease, _content(site, row))


def _next(site: Site, row: GrantedParticipant, held: Published | None, lease: datetime) -> Published:
    """Return what is published of a participant next; under a new key where something was taken back since."""
    version = held.version + 1 if held else 1
    same = held is not None and not held.withdrawn and held.epoch == row.epoch
    return Published(
        party=row.party_id,
        participant=row.subject_id,
        version=version,
        generation=held.generation if held and same else version,
        epoch=row.epoch,
        content=_content(site, row),
        lease_until=lease,
    )


def _content(site: Site, row: GrantedParticipant) -> bytes:
    """Return a digest of what a status says, not of when that was worked out: what changes nothing in it is no news."""
    said = orjson.dumps([getattr(row, name) for name in CARRIED])
    return hmac.digest(site.digests, b"status" + row.party_id.bytes + row.subject_id.bytes + said, sha256)


def _is_due(site: Site, one: Published) -> bool:
    return not one.withdrawn and one.lease_until > site.now()


def _caller(party: Party, account: UUID) -> Caller:
    return Caller(
        staff=account,
        party=party.id,
        party_kind=party.kind,
        role=Role.STREAM,
        reader=READS_AS[party.kind],
        name=party.name,
        correlation_id=uuid4(),
    )
