"""What services need of the outside: the log, readers' sessions, keys to nothing else. Adapters provide them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol, TypeVar
from uuid import UUID

from domain.event import Envelope, Event, Recorded
from domain.labels import Reader
from domain.registry import PartyKind, Role
from projections.lens import History
from projections.rows import Row
from services.heads import Heads
from services.leaves import Place, Stored

R = TypeVar("R", bound=Row)


NOBODY = UUID(int=0)
"""The site itself, where no person acts: a file being loaded, a clock."""


class Conflict(Exception):
    """A stream has moved on since it was loaded."""


class AlreadyAnswered(Exception):
    """The caller has used this idempotency key before; nothing was recorded now."""


class AuthorityEnded(Exception):
    """The caller's authority has ended."""


class Erased(Exception):
    """Somebody's key was destroyed: nothing more can be recorded about that person or matter."""


class Fenced(Exception):
    """Another gateway has taken over the partition; nothing was recorded now."""


class Unavailable(Exception):
    """The outside did not answer in time; nothing is half done, and the caller may try again with the same key."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: a member of staff in a role of a party, or a participant, and the request it belongs to."""

    staff: UUID
    party: UUID
    party_kind: PartyKind
    role: Role
    reader: Reader | None
    name: str
    correlation_id: UUID
    traceparent: str | None = None

    def envelope(self, protocol: str | None = None) -> Envelope:
        """Return the envelope in which this caller's events are recorded, under a version of the protocol."""
        return Envelope(
            actor=None if self.staff == NOBODY else self.staff,
            role=self.role,
            agency=self.party,
            correlation_id=self.correlation_id,
            traceparent=self.traceparent,
            protocol=protocol,
        )


@dataclass(frozen=True, slots=True)
class Append:
    """Events to append to a stream whose last version is `expected` (0: the stream is new).

    Without events: the stream was read for the decision, and must still stand there. `envelope`: where it is not that
    of all that is recorded at once.
    """

    stream: UUID
    expected: int
    events: Sequence[Event]
    envelope: Envelope | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command sent under a key was (a digest of its bytes) and what it was answered: ids, and what was sent."""

    key: str
    request: bytes
    body: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class SetAside:
    """A row of a file that could not be taken: its number, the column and what is wrong with it, unquoted."""

    row_number: int
    field: str
    reason: str
    row_sha256: bytes


OF_A_FILE = -1
"""The partition of a message that came in a file: its offset is the line."""


@dataclass(frozen=True, slots=True)
class Raw:
    """A message as it came, and where it lay: of a topic's partition, or of a file. Never logged, never shown."""

    topic: str
    partition: int
    offset: int
    headers: tuple[tuple[str, bytes], ...] = field(repr=False)
    key: bytes | None = field(repr=False)
    value: bytes | None = field(repr=False)


class Keeping(StrEnum):
    """Why a message is kept for a time."""

    SET_ASIDE = "set aside"
    WAITS = "waits"
    EARLY = "early"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Kept:
    """A message kept for a time: its party, the digest of the key in whose order it is taken, and what is wrong.

    `faults`: where (a JSON pointer or a header), a code and a sentence; never a value. `unread`: it came by stream and
    could not be read, so its sender heard that it is refused. `id` 0: not kept yet.
    """

    party: UUID
    state: Keeping
    raw: Raw
    key: bytes
    faults: tuple[Mapping[str, str], ...]
    kept_at: datetime
    until: datetime
    unread: bool = False
    id: int = 0


class Settled(StrEnum):
    """What became of a message that was kept."""

    TAKEN = "taken"
    DROPPED = "dropped"
    GONE = "gone by age"


@dataclass(frozen=True, slots=True)
class Turn:
    """How far a partition is taken by this: from offset `expected` to `next`, by whoever claimed it as `epoch`.

    `last_record`: a digest of the last record before `next`.
    """

    topic: str
    partition: int
    epoch: int
    expected: int
    next: int
    last_record: bytes


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """What became of a message, by its sender's own source and id: `accepted`, or `refused` with what is wrong.

    `until`: how long it waits to be told. `id` and `taken_at` are given when it is kept, with what was taken.
    """

    party: UUID
    source: str
    message: str
    code: str
    faults: tuple[Mapping[str, str], ...]
    correlation_id: UUID
    until: datetime
    id: int = 0
    taken_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Taken:
    """What is kept of a stream in the transaction of its effect. `messages`: digests of those that are taken now.

    `settled`: which of those kept before are taken or dropped by it; `by` and `why`: who said so, if a person did.
    """

    turn: Turn | None = None
    messages: Sequence[bytes] = ()
    kept: Sequence[Kept] = ()
    settled: Mapping[int, Settled] = field(default_factory=dict)
    by: UUID | None = None
    why: str | None = None
    acknowledged: Sequence[Acknowledged] = ()


@dataclass(frozen=True, slots=True)
class Aside:
    """A message that was set aside, as a person looks at it: nothing of what it says. `waiting`: how many behind it."""

    id: int
    party: UUID
    topic: str
    partition: int
    offset: int
    faults: tuple[Mapping[str, str], ...]
    kept_at: datetime
    until: datetime
    waiting: int


@dataclass(frozen=True, slots=True)
class Partition:
    """How far a partition was taken, and when last; `stopped`: why nobody goes on with it.

    `topic_id`: the broker's own id of the topic, which another of the same name does not have.
    """

    topic: str
    number: int
    topic_id: str
    next_offset: int
    taken_at: datetime
    stopped: str | None


@dataclass(frozen=True, slots=True)
class Streams:
    """How the streams are: by why messages are kept, how many are and since when the oldest; counts and times alone.

    `unread`: how many that were set aside went by age, nobody having looked at them.
    """

    partitions: Sequence[Partition]
    kept: Mapping[Keeping, tuple[int, datetime]]
    unread: int


@dataclass(frozen=True, slots=True)
class Claimed:
    """A partition as whoever claims it finds it; `stopped`: why nobody may go on with it."""

    next_offset: int
    last_record: bytes | None
    epoch: int
    stopped: str | None


class Stream(Protocol):
    """What the site keeps of the streams that agencies send."""

    def claim(self, topic: str, partition: int, topic_id: str) -> Claimed:
        """Take over a partition; whoever had it is fenced."""
        ...

    def stop(self, topic: str, partition: int, why: str) -> None:
        """Let nobody go on with a partition until a person has said how."""
        ...

    def resume(self, topic: str, partition: int, topic_id: str, offset: int) -> None:
        """Go on with a partition that was stopped, at this offset of the broker's topic as it is now."""
        ...

    def known(self, messages: Sequence[bytes]) -> set[bytes]:
        """Return which of these messages were taken before."""
        ...

    def blocked(self, party: UUID, keys: Sequence[bytes]) -> set[bytes]:
        """Return the keys of which a message was set aside, so that later ones wait."""
        ...

    def kept(
        self,
        state: Keeping | None = None,
        *,
        party: UUID | None = None,
        keys: Sequence[bytes] | None = None,
        number: int | None = None,
        after: int = 0,
        limit: int | None = None,
    ) -> list[Kept]:
        """Return what is kept, oldest first, after an id; `number`: the one of this id."""
        ...

    def released(self) -> list[tuple[UUID, bytes]]:
        """Return the parties and keys of messages that wait, and no longer behind one that was set aside."""
        ...

    def asides(self, *, after: int = 0, number: int | None = None, limit: int | None = None) -> list[Aside]:
        """Return the messages that are set aside, oldest first, after an id; `number`: the one of this id."""
        ...

    def settled(self, number: int) -> Settled | None:
        """Return what became of a message that was set aside; None if nothing did."""
        ...

    def health(self) -> Streams:
        """Return how the streams are; counts and times alone."""
        ...

    def purge(self) -> int:
        """Let go of what was kept long enough; return how many of them somebody should have looked at."""
        ...


@dataclass(frozen=True, slots=True)
class Published:
    """What a party's stream holds of a participant, or last held.

    `version` only grows; `generation` is the version at which its key was made, `epoch` the gate's then; `content` a
    digest of what was said. `sent`: the broker has it.
    """

    party: UUID
    participant: UUID
    version: int
    generation: int
    epoch: int
    content: bytes
    lease_until: datetime
    withdrawn: bool = False
    sent: bool = False
    key: UUID = NOBODY
    """What the key is known by inside; the adapter says it."""


@dataclass(frozen=True, slots=True)
class Untold:
    """What a party is still to be told: how many statuses and acknowledgements, and since when the oldest waits.

    `never`: how many acknowledgements had had their time before they could be told.
    """

    party: UUID
    statuses: int
    statuses_since: datetime | None
    acknowledgements: int
    acknowledgements_since: datetime | None
    never: int


@dataclass(frozen=True, slots=True)
class Telling:
    """How the telling goes; counts and times alone. `beat_at`: when the relay beat last, None: never.

    `failure`: the kind of what has gone wrong since `failing_since`, None while all is well.
    """

    untold: Sequence[Untold]
    beat_at: datetime | None
    failure: str | None
    failing_since: datetime | None


class Outbox(Protocol):
    """What was published to each party, the keys it is sealed under, and what is to be said of their messages."""

    def acknowledged(self, most: int) -> list[Acknowledged]:
        """Return what became of messages that the broker does not have yet: so many of each party, oldest first."""
        ...

    def forget(self, each: Sequence[Acknowledged]) -> None:
        """Let go of acknowledgements that the broker has."""
        ...

    def published(self, party: UUID | None = None, keys: Sequence[UUID] | None = None) -> list[Published]:
        """Return what was published, to all or to one party, under any key or under these."""
        ...

    def publish(self, each: Sequence[Published]) -> list[Published]:
        """Keep what is about to be sent, each one version after what is kept; return it with its keys.

        A key that is thereby without use is destroyed. Raises `Conflict` where another relay was here meanwhile.
        """
        ...

    def sent(self, each: Sequence[Published]) -> None:
        """Keep that the broker has these."""
        ...

    def seal(self, published: Published, body: bytes, place: bytes) -> tuple[bytes, bytes]:
        """Return the nonce and the body sealed under its key, bound to a place."""
        ...

    def key_of(self, published: Published) -> bytes | None:
        """Return the key itself, 32 bytes; None where it was destroyed."""
        ...

    def beaten(self, failure: str | None) -> None:
        """Keep that the relay has beaten, and the kind of what went wrong, if anything did."""
        ...

    def health(self) -> Telling:
        """Return how the telling goes."""
        ...


@dataclass(frozen=True, slots=True)
class Health:
    """How far the log and each view have come, whom each view could not compute, and when the log was last sealed."""

    position: int
    views: Mapping[str, int]
    parked: Mapping[str, int]
    sealed_at: datetime | None


@dataclass(frozen=True, slots=True)
class ShownTo:
    """What a person was shown of a participant in one place, each time the same labels; nothing of what it said.

    `position` and `last_position` are those of the first and the last disclosure, `times` how many there were.
    """

    staff: UUID
    labels: str
    surface: str
    position: int
    shown_at: datetime
    last_position: int
    last_at: datetime
    times: int


class Log(Protocol):
    """The event log."""

    def now(self) -> datetime:
        """Return the time, aware UTC, by the one clock."""
        ...

    def load(self, stream: UUID) -> list[Recorded[Event]]:
        """Return a stream's events, oldest first; empty for a stream that does not exist."""
        ...

    def loads(self, streams: Sequence[UUID]) -> dict[UUID, list[Recorded[Event]]]:
        """Return the events of several streams, read in one go; of one that does not exist, none."""
        ...

    def history(self, participant: UUID, party: UUID | None = None) -> list[Recorded[Event]]:
        """Return everything recorded about a participant, or what of it names one party, in the order of the log."""
        ...

    def histories(self, subjects: Sequence[UUID], upto: int | datetime | None = None) -> dict[UUID, History]:
        """Return the history of each of these subjects, with what is linked to it; perhaps an empty one.

        `upto`: a position or a moment; left out, as it stands.
        """
        ...

    def of_topics(self, topics: Iterable[str], after: int = 0) -> list[Recorded[Event]]:
        """Return the events of these topics after a position, in the order of the log."""
        ...

    def existing(self, streams: Sequence[UUID]) -> set[UUID]:
        """Return which of these streams exist."""
        ...

    def record(
        self,
        appends: Sequence[Append],
        envelope: Envelope,
        answer: Answer | None = None,
        since: Mapping[UUID, int] | None = None,
        taken: Taken | None = None,
    ) -> int:
        """Append events and the answer, all or nothing; return the position of the last (of the log, if none).

        `since`: participants, and the positions past which nothing may have been recorded about them; else `Conflict`.
        `taken`: what is kept of a stream with it. Raises `Conflict`, `AlreadyAnswered`, `AuthorityEnded`, `Fenced` or
        `Unavailable`.
        """
        ...

    def admit(self, sender: bytes, *, share: int, most: int) -> bool:
        """Count something sent in public; False if this sender has sent its share this hour, or all have sent most."""
        ...

    def forget_senders(self) -> None:
        """Forget who sent something in public in an hour that is over."""
        ...

    def set_aside(self, source: str, rows: Sequence[SetAside]) -> int:
        """Keep rows of a source that could not be taken, each once; return how many were not kept already."""
        ...

    def answered(self, actor: UUID, key: str) -> Answer | None:
        """Return what this actor was answered under this key, if anything."""
        ...

    def position(self) -> int:
        """Return the position of the last event."""
        ...

    def recorded_at(self, position: int) -> datetime:
        """Return when the log came to a position: the time of the last event that is not after it; before any, now."""
        ...

    def quiet(self, before: datetime, apart: Sequence[str]) -> list[UUID]:
        """Return the participants about whom nothing was recorded since, these topics apart, and who are not erased."""
        ...

    def ending(
        self, until: Mapping[str, datetime], after: Mapping[str, datetime], position: int
    ) -> list[tuple[str, UUID]]:
        """Return (topic, stream) of events of these topics whose `expires_at` is not after `until`, soonest first.

        Of those only what ends after `after`, or was recorded after a position; all, of a topic that `after` lacks.
        """
        ...

    def fired(self) -> tuple[dict[str, datetime], int]:
        """Return how far clocks have fired, whichever worker let them: by topic what had ended by then, and stood at
        or before a position.
        """
        ...

    def set_fired(self, until: Mapping[str, datetime], position: int) -> None:
        """Keep how far clocks have fired, unless what is kept goes further already."""
        ...

    def health(self) -> Health:
        """Return how far everything has come; counts and times alone."""
        ...

    def exposures(self, participant: UUID, party: UUID, before: int) -> list[ShownTo]:
        """Return what a party's people were shown of a participant by consent before a position, by person."""
        ...

    def view_position(self, view: Reader) -> int:
        """Return how far a view has come."""
        ...


@dataclass(frozen=True, slots=True)
class Disclosed:
    """What an answer shows of one participant: what `release` checks and writes down.

    `epoch` None: read by role. `digest` and `marks`: of its rows, as `release.sealed` makes them. `purpose`: of this
    participant; None: the answer's.
    """

    participant: UUID
    epoch: int | None
    until: datetime | None
    as_of: int
    labels: str
    grants: str
    digest: bytes
    marks: bytes = b""
    purpose: str | None = None


@dataclass(frozen=True, slots=True)
class Accounted:
    """One line of a participant's accounting of disclosures, and what it is computed again from.

    `as_of`: the position that its rows stood at. `marks` None: it left before they were kept.
    """

    disclosed_at: datetime
    kind: str
    reader: str
    party: UUID
    staff: UUID
    labels: str
    grants: str
    purpose: str
    surface: str
    as_of: int
    view_version: str
    digest: bytes
    marks: bytes | None


@dataclass(frozen=True, slots=True)
class Seal:
    """A published checkpoint: the log's size then, and the signed note, with what witnesses signed of it."""

    size: int
    note: str


class Seals(Protocol):
    """What was sealed of the log: checkpoints, and the proofs that go with them."""

    origin: str
    key: str
    """The log's verifier key, as C2SP writes it."""

    def latest(self) -> Seal | None:
        """Return the last checkpoint; None before there is one."""
        ...

    def published(self, size: int) -> bool:
        """Return whether there is a checkpoint of this size."""
        ...

    def inclusion(self, index: int, size: int) -> list[bytes]:
        """Return the proof that a leaf is in the log of a size."""
        ...

    def consistency(self, old: int, new: int) -> list[bytes]:
        """Return the proof that the log of a size continues that of an earlier one."""
        ...

    def heads(self, size: int) -> tuple[Heads, bytes]:
        """Return where each line ended at a checkpoint, and the salt of the leaf that says so."""
        ...


class Session(Protocol):
    """One transaction under a reader's own role, in which a question is read, rendered and released."""

    def select(
        self,
        row: type[R],
        where: Mapping[str, Any] | None = None,
        *,
        after: Sequence[Any] | None = None,
        limit: int | None = None,
        search: str | None = None,
        within: Sequence[str] = (),
    ) -> list[R]:
        """Return rows in the order of the table's pages.

        `where`: columns and the value each must equal (None: is null; a list: any of it). `after`: the order columns of
        the last row of the page before. `search`: what one of the columns `within` must contain, in whatever case.
        """
        ...

    def release(self, disclosed: Sequence[Disclosed], view_version: str, purpose: str, surface: str) -> bool:
        """Write down who is shown what; False if something went dark meanwhile. Called once, last."""
        ...

    def alive(self) -> set[UUID]:
        """Return the participants of whom the reader's party has a living consent now, whatever a view shows yet."""
        ...

    def accounting(self, participant: UUID) -> list[Accounted]:
        """Return everything that left about a participant, oldest first."""
        ...

    def sealed(self, participant: UUID, size: int) -> list[tuple[Place, Stored]]:
        """Return a participant's rows that were sealed when the log had this size, each at its place, in order."""
        ...

    def funnel(self) -> list[tuple[str, str, int, int]]:
        """Return (precinct, race as perceived, stops, arrests), ordered."""
        ...


class Readers(Protocol):
    """Opens readers' sessions."""

    def session(self, caller: Caller) -> AbstractContextManager[Session]:
        """Open a session; leaving it commits, leaving it by an exception rolls back.

        Raises `AuthorityEnded` at release for a caller without a living authority.
        """
        ...
