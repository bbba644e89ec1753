"""What agencies send, by stream or by file: each message taken once and in the order of its key, or kept.

A message is taken in the transaction that moves the partition on, so that it is never lost and never taken twice. One
that cannot be taken is set aside with what is wrong; later ones of its key wait behind it. What speaks of something
that has not come yet waits for it. What is about nobody whom LEAD knows is kept for the protocol's hours, then is gone.
"""

from __future__ import annotations

import hmac
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, Final, NamedTuple, TypeVar, cast
from uuid import UUID, uuid4

from domain.event import Event, Recorded
from domain.refusal import Forbidden, Refused, Unknown
from domain.registry import Role
from services.directory import Party
from services.ports import (
    NOBODY,
    Acknowledged,
    Append,
    Caller,
    Conflict,
    Erased,
    Keeping,
    Kept,
    Log,
    Raw,
    Settled,
    Stream,
    Taken,
    Turn,
    Unavailable,
)
from services.site import DECISIONS, Command, Site

AGAIN_AT_ONCE: Final = 500
"""How many kept messages are held in memory at once."""
ACCEPTED: Final = "accepted"
DUPLICATE: Final = "duplicate"
REFUSED: Final = "refused"

Faults = tuple[Mapping[str, str], ...]


class Told(Command):
    """What an agency tells; each kind has its teller in `TELLERS`."""

    def streams(self, party: UUID) -> tuple[UUID, ...]:  # noqa: ARG002 - whose own numbers name them
        """Return the streams that its teller will load, so that those of many messages are read in one go."""
        return ()


@dataclass(frozen=True, slots=True)
class Message:
    """A message that could be read: who says it is the sender's own id, and in which order it belongs.

    `id`: its source and id, by which it is the same whenever it comes; `order`: the key of what it speaks of.
    """

    id: str
    order: str
    told: Told
    correlation_id: UUID = field(default_factory=uuid4)
    traceparent: str | None = None


@dataclass(frozen=True, slots=True)
class Unread:
    """A message that could not be read, and why. `id`: its source and id, where they could."""

    order: str
    faults: Faults
    id: str | None = None


@dataclass(frozen=True, slots=True)
class Effect:
    """What a message comes to: events, and whether the message itself is kept for a time.

    `whole`: it is kept of everybody, whether or not LEAD knows them.
    """

    appends: Sequence[Append] = ()
    keep: Keeping | None = None
    faults: Faults = ()
    whole: bool = False

    def of_nobody(self) -> Effect:
        """Return what is left of it where somebody whom it is about was erased: all but what says whose it is.

        Nothing begins by it that would not be kept of a stranger.
        """
        nameless = [a for a in self.appends if all(event.participant_id is None for event in a.events)]
        return replace(self, appends=[a for a in nameless if self.whole or a.expected > 0])


@dataclass(frozen=True, slots=True)
class Again:
    """What taking a kept message again comes to: events, and the message itself if it is kept for another reason.

    `said`: what its sender hears now, where the last word was that it is refused.
    """

    appends: Sequence[Append]
    keep: Kept | None
    said: Acknowledged | None = None

    def taken(self, kept: Kept, by: UUID | None = None, why: str | None = None) -> Taken:
        """Return what is kept of the stream with it; `by` and `why`: who wanted it, if a person did."""
        return Taken(
            settled={kept.id: Settled.TAKEN},
            kept=[self.keep] if self.keep else [],
            by=by,
            why=why,
            acknowledged=[self.said] if self.said else [],
        )


class Early(Exception):
    """What the message speaks of has not come yet."""


T = TypeVar("T", bound=Callable[..., Effect])
TELLERS: dict[type[Told], Callable[..., Effect]] = {}


def tells(told: type[Told]) -> Callable[[T], T]:
    """Register what takes a kind of message: `(site, caller, told)`. Raises `Early`, `Refused`, `Unknown`."""

    def register(teller: T) -> T:
        TELLERS[told] = teller
        return teller

    return register


@dataclass(slots=True)
class Cursor:
    """How far a partition has come, as its holder knows."""

    topic: str
    partition: int
    epoch: int
    next_offset: int


class _Came(NamedTuple):
    """One message as it was read, in what order it belongs, and by what it is the same whenever it comes."""

    raw: Raw
    message: Message | Unread
    key: bytes
    digest: bytes


@dataclass(frozen=True, slots=True)
class _Ready:
    """One message with its effect decided."""

    raw: Raw
    key: bytes
    digest: bytes | None
    effect: Effect
    caller: Caller
    message: Message | Unread


@dataclass(frozen=True, slots=True)
class Feed:
    """Takes what agencies send. `read` decodes a message of a party; it raises nothing."""

    site: Site
    stream: Stream
    read: Callable[[Party, Raw], Message | Unread]
    _looked: list[int] = field(default_factory=lambda: [-1], init=False, repr=False, compare=False)

    def take(
        self,
        party: Party,
        raws: Sequence[Raw],
        cursor: Cursor | None = None,
        aside: Callable[[Raw, Faults], None] = lambda _raw, _faults: None,
    ) -> Counter[str]:
        """Take messages of a party, all of them or none of those that follow one that failed; return what became of how
        many: `accepted`, `duplicate`, or why they are kept. `aside` is told which are set aside, and what is wrong.

        Raises `Fenced`, and `Unavailable` for what may be tried again. `cursor` moves on with each transaction.
        """
        tally: Counter[str] = Counter()
        todo, at_once, tries = [self._came(party, raw) for raw in raws], len(raws), 0
        while todo:
            ready = self._decided(party, todo[:at_once])
            try:
                self._record(party, ready, cursor)
            except Conflict:  # of one of them: whose, is found by taking them one by one
                at_once, tries = 1, tries + 1
                if tries > DECISIONS:
                    raise Unavailable from None
                continue
            except Erased:  # about one of them nothing can be recorded any more
                if at_once > 1 and len(ready) > 1:
                    at_once = 1
                    continue
                for left in (ready[0].effect.of_nobody(), Effect()):
                    ready = [replace(ready[0], effect=left)]
                    with suppress(Erased):
                        self._record(party, ready, cursor)
                        break
            tries = 0
            tally.update(_word(one) for one in ready)
            for one in ready:
                if one.effect.keep is Keeping.SET_ASIDE:
                    aside(one.raw, one.effect.faults)
            todo = todo[len(ready) :]
            if keys := list({one.key for one in ready if one.effect.appends and one.effect.keep is None}):
                self._again(Keeping.EARLY, party, keys)
                self._again(Keeping.UNKNOWN, party, keys)
        return tally

    def sweep(self) -> int:
        """Let go of what was kept long enough, and take what can be taken now; return how many went by unread."""
        unread = self.stream.purge()
        for of_party, key in self.stream.released():
            self._let_pass(self.site.directory.party(of_party), key)
        known = max(self.site.people.refresh(), self.site.dockets.refresh())
        if known > self._looked[0]:  # nothing else can change what was decided of them
            self._again(Keeping.EARLY)
            self._again(Keeping.UNKNOWN)
            self._looked[0] = known
        return unread

    def again(self, kept: Kept) -> Again | Faults:
        """Decide what taking a kept message comes to now, or say what is wrong with it still. Records nothing."""
        party = self.site.directory.party(kept.party)
        message = self.read(party, kept.raw)
        caller = _caller(party, message)
        if not isinstance(message, Unread):
            effect = _effect(self.site, caller, message)
        elif kept.state is Keeping.WAITS:  # it may not keep those behind it for ever
            effect = Effect(keep=Keeping.SET_ASIDE, faults=message.faults)
        else:  # by a reader that cannot read it, nobody's time to be kept grows
            return message.faults
        if effect.keep is kept.state and not any(append.events for append in effect.appends):
            return effect.faults
        ready, now = _Ready(kept.raw, kept.key, None, effect, caller, message), self.site.now()
        keep = self._kept(party, ready, now)
        if keep is not None and keep.state is kept.state:  # a part of it is taken; the rest has no more time
            keep = replace(keep, until=kept.until)
        envelope = caller.envelope(self.site.version())
        said = self._said(party, ready, now) if kept.unread else None
        return Again([replace(append, envelope=envelope) for append in effect.appends], keep, said)

    def _came(self, party: Party, raw: Raw) -> _Came:
        message = self.read(party, raw)
        return _Came(raw, message, self._key(party, message.order), self._id(party, raw, message))

    def _decided(self, party: Party, came: Sequence[_Came]) -> list[_Ready]:
        """Decide what messages come to, up to one that must see what another of them did."""
        self.site.directory.refresh()
        self.site.people.refresh()
        self.site.dockets.refresh()
        messages = [one.message for one in came if isinstance(one.message, Message)]
        streams = {stream for message in messages for stream in message.told.streams(party.id)}
        ahead = cast("Log", _ReadAhead(self.site.log, self.site.log.loads(list(streams))))
        site = replace(self.site, log=ahead, moment=self.site.log.now())
        seen = self.stream.known([one.digest for one in came])
        blocked = self.stream.blocked(party.id, [one.key for one in came])
        ready: list[_Ready] = []
        touched: set[UUID] = set()
        for raw, message, key, digest in came:
            caller = _caller(party, message)
            if digest in seen:
                ready.append(_Ready(raw, key, None, Effect(), caller, message))
                continue
            if isinstance(message, Unread):
                effect = Effect(keep=Keeping.SET_ASIDE, faults=message.faults)
            elif key in blocked:
                effect = Effect(keep=Keeping.WAITS)
            else:
                effect = _effect(site, caller, message)
            if touched & {append.stream for append in effect.appends}:
                break
            touched |= {append.stream for append in effect.appends if append.events}
            if effect.keep is Keeping.SET_ASIDE:
                blocked.add(key)
            seen.add(digest)
            ready.append(_Ready(raw, key, digest, effect, caller, message))
        return ready

    def _record(self, party: Party, ready: Sequence[_Ready], cursor: Cursor | None) -> None:
        last = ready[-1].raw
        turn = None
        if cursor is not None:
            after = last.offset + 1
            turn = Turn(cursor.topic, cursor.partition, cursor.epoch, cursor.next_offset, after, mark(last))
        now = self.site.log.now()
        taken = Taken(
            turn=turn,
            messages=[one.digest for one in ready if one.digest is not None],
            kept=[
                replace(kept, unread=cursor is not None and isinstance(one.message, Unread))
                for one in ready
                if (kept := self._kept(party, one, now)) is not None
            ],
            acknowledged=[said for one in ready if cursor and (said := self._said(party, one, now)) is not None],
        )
        version = self.site.version()
        appends = [
            replace(append, envelope=one.caller.envelope(version)) for one in ready for append in one.effect.appends
        ]
        self.site.log.record(appends, _caller(party).envelope(version), taken=taken)
        if cursor is not None:
            cursor.next_offset = last.offset + 1

    def _kept(self, party: Party, one: _Ready, now: datetime) -> Kept | None:
        state = one.effect.keep
        if state is None:
            return None
        protocol = self.site.directory.protocol(now)
        known = state is not Keeping.UNKNOWN
        until = now + (timedelta(days=protocol.set_aside_days) if known else timedelta(hours=protocol.feed_hours))
        return Kept(party.id, state, one.raw, one.key, one.effect.faults, now, until)

    def _said(self, party: Party, one: _Ready, now: datetime) -> Acknowledged | None:
        """Return what its sender hears of a message. It depends on the message alone: never on whom LEAD knows.

        So whatever could be read was accepted, a duplicate and what waits too; a rule of the site that refuses it knows
        more than the message, and is for a person of the site.
        """
        source, _, number = (one.message.id or "").partition(" ")
        if not number:
            return None
        unread = one.message if isinstance(one.message, Unread) else None
        code, faults = (ACCEPTED, ()) if unread is None else (REFUSED, unread.faults)
        until = now + timedelta(days=self.site.directory.protocol(now).acknowledgement_days)
        return Acknowledged(party.id, source, number, code, faults, one.caller.correlation_id, until)

    def _again(self, state: Keeping, party: Party | None = None, keys: Sequence[bytes] | None = None) -> None:
        """Take what can be taken now of what was kept for a reason that may be gone, one after the other."""
        progress, after = True, 0
        while progress:  # what is early may have waited for another that was
            progress, after = False, 0
            while some := self.stream.kept(
                state, party=party.id if party else None, keys=keys, after=after, limit=AGAIN_AT_ONCE
            ):
                after = some[-1].id
                for kept in some:
                    taken = self._take_kept(self.site.directory.party(kept.party), kept) is None
                    progress |= taken and state is Keeping.EARLY

    def _let_pass(self, party: Party, key: bytes) -> None:
        """Take those that waited behind one of their key, up to the next that must be set aside."""
        for kept in self.stream.kept(Keeping.WAITS, party=party.id, keys=[key]):
            if self._take_kept(party, kept) is Keeping.SET_ASIDE:
                return

    def _take_kept(self, party: Party, kept: Kept) -> Keeping | None:
        """Take one message that is kept; return why it is kept still, or now, None if it is not.

        One that somebody else has taken up meanwhile counts as set aside: whoever has it goes on with what follows.
        """
        for _ in range(DECISIONS):
            self.site.directory.refresh()
            self.site.people.refresh()
            self.site.dockets.refresh()
            again = replace(self, site=replace(self.site, moment=self.site.log.now())).again(kept)
            if not isinstance(again, Again):
                return kept.state
            try:
                self.site.log.record(again.appends, _caller(party).envelope(), taken=again.taken(kept))
            except Erased:
                self.site.log.record([], _caller(party).envelope(), taken=Taken(settled={kept.id: Settled.TAKEN}))
                return None
            except Conflict:
                if not self.stream.kept(number=kept.id):
                    return Keeping.SET_ASIDE
                continue
            return again.keep.state if again.keep else None
        raise Unavailable

    def _key(self, party: Party, order: str) -> bytes:
        return hmac.digest(self.site.digests, b"order" + party.id.bytes + order.encode(), sha256)

    def _id(self, party: Party, raw: Raw, message: Message | Unread) -> bytes:
        """Return by what a message is the same whenever it comes: if it cannot be read, as it came to where it lies."""
        if isinstance(message, Unread):
            came = f"{raw.topic}/{raw.partition}{raw.headers}".encode() + mark(raw)
            return hmac.digest(self.site.digests, b"unread" + party.id.bytes + came, sha256)
        return hmac.digest(self.site.digests, b"message" + party.id.bytes + message.id.encode(), sha256)


class _ReadAhead:
    """The log, with some of its streams read in one go."""

    def __init__(self, log: Log, streams: Mapping[UUID, list[Recorded[Event]]]) -> None:
        self._log, self._streams = log, streams

    def load(self, stream: UUID) -> list[Recorded[Event]]:
        """Return a stream's events."""
        return self._streams[stream] if stream in self._streams else self._log.load(stream)

    def existing(self, streams: Sequence[UUID]) -> set[UUID]:
        """Return which of these streams exist."""
        unread = [stream for stream in streams if stream not in self._streams]
        return {s for s in streams if self._streams.get(s)} | (self._log.existing(unread) if unread else set())

    def __getattr__(self, name: str) -> Any:
        return getattr(self._log, name)


def mark(raw: Raw) -> bytes:
    """Return the digest by which a record is known again where it lies."""
    return sha256(b"%d/%b/%b" % (raw.offset, raw.key or b"", raw.value or b"")).digest()


def _effect(site: Site, caller: Caller, message: Message) -> Effect:
    try:
        return TELLERS[type(message.told)](site, caller, message.told)
    except (Early, Unknown):
        return Effect(keep=Keeping.EARLY)
    except Erased:
        return Effect()
    except Forbidden:
        return Effect(keep=Keeping.SET_ASIDE, faults=(fault("", "not-yours", "Your agency does not send this."),))
    except Refused as refused:  # its sentence may quote what was sent
        faults = tuple(fault(f"/{f.field}", "refused", "The rules of the site refuse it.") for f in refused.faults)
        return Effect(keep=Keeping.SET_ASIDE, faults=faults)


def fault(pointer: str, code: str, sentence: str) -> Mapping[str, str]:
    """Return what is wrong with a message: where, a code, and a sentence. Never a value."""
    return {"pointer": pointer, "code": code, "sentence": sentence}


def _caller(party: Party, message: Message | Unread | None = None) -> Caller:
    told = message if isinstance(message, Message) else None
    return Caller(
        staff=NOBODY,
        party=party.id,
        party_kind=party.kind,
        role=Role.SERVICE,
        reader=None,
        name=party.name,
        correlation_id=told.correlation_id if told else uuid4(),
        traceparent=told.traceparent if told else None,
    )


def _word(one: _Ready) -> str:
    if one.effect.keep is not None:
        return one.effect.keep.value
    return ACCEPTED if one.digest is not None else DUPLICATE


def feed_of(site: Site) -> Feed:
    """Return the feed of a site."""
    return Feed(site, site.stream, site.read)
