"""The site: the parts that every command and question works with, and how a command is carried out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID, uuid4

from pydantic import AwareDatetime, BaseModel, ConfigDict

from domain.event import Event
from domain.participant import participant
from domain.protocol import NoProtocol
from domain.protocol import Protocol as SiteProtocol
from domain.refusal import Forbidden, Refused, Stale, Unknown
from domain.registry import Role
from domain.roi import grants
from services.directory import Directory, Party
from services.dockets import Dockets
from services.ids import PartyIds
from services.people import People
from services.ports import (
    AlreadyAnswered,
    Answer,
    Append,
    AuthorityEnded,
    Caller,
    Conflict,
    Erased,
    Log,
    Outbox,
    Raw,
    Readers,
    Seals,
    Stream,
    Taken,
)
from services.standing import Standing
from services.tokens import Tokens

ATTEMPTS = 5
DECISIONS = 40
"""How often one command is decided before it gives up. Each time somebody else's was recorded, so that of any number
sent at once all are carried out, one after the other; the roster's are all on one stream."""
EARLIEST = date(1900, 1, 1)
_CENTURY = timedelta(days=36_525)


class Command(BaseModel):
    """What a person asks the site to do: the body of a request, closed. Ids in it are the caller's party's own."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def example(**fields: Any) -> ConfigDict:
    """Return the configuration of a command with an example of it, for the documentation."""
    return ConfigDict(json_schema_extra={"examples": [fields]})


@dataclass(frozen=True, slots=True)
class Site:
    """The parts of a running site. `read` decodes an agency's message (`services.feed.Message`, `Unread`)."""

    log: Log
    readers: Readers
    directory: Directory
    standing: Standing
    people: People
    dockets: Dockets
    ids: PartyIds
    tokens: Tokens
    outbox: Outbox
    digests: bytes = field(repr=False)
    stream: Stream
    seals: Seals
    read: Callable[[Party, Raw], Any]
    moment: datetime | None = None
    new_id: Callable[[], UUID] = uuid4

    def now(self) -> datetime:
        """Return the time; while a command is carried out, that at which it came."""
        return self.moment or self.log.now()

    def protocol(self) -> SiteProtocol:
        """Return the protocol in force now."""
        return self.directory.protocol(self.now())

    def version(self) -> str | None:
        """Return the version of the protocol in force now; None before one was adopted."""
        try:
            return self.protocol().version
        except NoProtocol:
            return None

    def protocol_of(self, name: str, at: datetime) -> SiteProtocol:
        """Return the protocol in force when something happened; raises `Refused` for a time before there was any."""
        try:
            return self.directory.protocol(at)
        except NoProtocol:
            self.protocol()  # where there is none now, the site is not set up
            raise Refused(name, "no protocol was in force then.", "Give the time at which it happened.") from None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a command comes to: the events to append, and the answer, which holds ids and what was sent.

    `taken`: what is kept of a stream with it.
    """

    appends: Sequence[Append]
    answer: dict[str, Any]
    taken: Taken | None = None


@dataclass(frozen=True, slots=True)
class Done:
    """A command that was carried out: its answer, and the log position from which it can be read."""

    answer: dict[str, Any]
    position: int


Handler = Callable[..., Outcome]
"""Decides a command, `(site, caller, command, **ids of the path)`: loads what it needs and returns the outcome; records
nothing. Raises `Refused`, `Unknown`, `Stale`."""

H = TypeVar("H", bound=Handler)


@dataclass(frozen=True, slots=True)
class Registered:
    """A command's handler and the roles that have it."""

    handler: Handler
    roles: frozenset[Role]


COMMANDS: dict[type[Command], Registered] = {}


def handles(command: type[Command], *roles: Role) -> Callable[[H], H]:
    """Register the handler of a command, and who may give it."""

    def register(handler: H) -> H:
        COMMANDS[command] = Registered(handler, frozenset(roles))
        return handler

    return register


def carry_out(
    site: Site,
    caller: Caller,
    command: Command,
    *,
    key: str | None = None,
    request: bytes = b"",
    unchanged: Callable[[], Mapping[UUID, int]] | None = None,
    path: Mapping[str, str] | None = None,
) -> Done:
    """Carry out a command once, however often it is sent under one key.

    `request` is the digest of what was sent; `path` holds the ids of the path, by name; `unchanged` is the caller's
    precondition: it raises `Stale`, or returns the participants about whom nothing may have been recorded since these
    positions. Raises `Forbidden`, `Refused`, `Unknown`, `Stale`, `AuthorityEnded`, `Unavailable`.
    """
    registered = COMMANDS[type(command)]
    if caller.role not in registered.roles:
        raise Forbidden
    site.directory.refresh()
    person = site.directory.staff.get(caller.staff)
    if person and (person.ended or (person.party, person.role) != (caller.party, caller.role)):
        raise AuthorityEnded  # before anything is answered, a stored answer included
    if key is not None and (before := _answered(site, caller, key, request)):
        return before
    came = replace(site, moment=site.log.now())  # decided again, it is still what was said then
    for _ in range(DECISIONS):
        try:
            since = {} if unchanged is None else unchanged()
            outcome = registered.handler(came, caller, command, **(path or {}))
            answer = None if key is None else Answer(key, request, outcome.answer)
            position = site.log.record(outcome.appends, caller.envelope(came.version()), answer, since, outcome.taken)
        except Conflict:
            continue
        except Erased:  # about whoever was erased there is nothing to say, nor to read
            raise Unknown from None
        except (AlreadyAnswered, Refused, Stale, Unknown):
            # The same request, sent twice at once, may have been carried out since we looked.
            if key is not None and (before := _answered(site, caller, key, request)):
                return before
            raise
        return Done(outcome.answer, position)
    raise Stale


def _answered(site: Site, caller: Caller, key: str, request: bytes) -> Done | None:
    answer = site.log.answered(caller.staff, key)
    if answer is None:
        return None
    if answer.request != request:
        raise Refused(
            "Idempotency-Key",
            "it was used for another request.",
            "Use a new key for a new request, and the old one only to repeat the old request unchanged.",
        )
    return Done(dict(answer.body), site.log.position())


def happened(site: Site, name: str, moment: AwareDatetime | None) -> datetime:
    """Return when something happened: the time given, else now. Raises `Refused` for the future and before 1900."""
    now = site.now()
    if moment is None:
        return now
    if moment > now:
        raise Refused(name, "it lies in the future.", "Give the time at which it happened, or leave it out for now.")
    if moment.date() < EARLIEST:
        raise Refused(name, f"it lies before {EARLIEST}.", "Give the time at which it happened.")
    return moment


def day(site: Site, name: str, value: date) -> date:
    """Return a day of the past; raises `Refused` for the future and before 1900."""
    today = site.now().astimezone(site.protocol().tz).date()
    if not EARLIEST <= value <= today:
        raise Refused(name, f"it is not a day between {EARLIEST} and today.", "Give the date as it is.")
    return value


def last_day(site: Site, name: str, value: date) -> date:
    """Return the day on which something ends; raises `Refused` for one that nobody can mean."""
    today = site.now().astimezone(site.protocol().tz).date()
    if not EARLIEST <= value <= today + _CENTURY:
        raise Refused(name, f"it is not a day between {EARLIEST} and a hundred years from now.", "Give the last day.")
    return value


def reference(site: Site, caller: Caller, name: str, text: str) -> UUID:
    """Return what the caller's party calls by this id.

    Raises `Refused` for what is no id of the party at all, such as one of another system.
    """
    value = site.ids.open(caller.party, text)
    if value is None:
        raise Refused(name, "it is not one of your ids.", "Use the id from an answer that you were given.")
    return value


def load_participant(
    site: Site, caller: Caller, text: str, name: str = "participant", *, merged: bool = False
) -> tuple[UUID, list[Any]]:
    """Return a participant that care names, with its history; raises `Unknown`.

    Raises `Refused` for a record that was merged into another, unless the command is one for those too (`merged`).
    """
    who = reference(site, caller, name, text)
    history = site.log.history(who)
    if not history:
        raise Unknown
    if not merged and participant(who, history).into is not None:
        raise Refused(name, "this record was merged into another.", "Use the other one, or unmerge them.")
    return who, history


def known_to(site: Site, caller: Caller, text: str, name: str = "participant") -> UUID:
    """Return a participant that a partner names, if it has a row or a live grant about that person.

    Raises `Unknown` otherwise: the same for someone who is not in LEAD, who revoked, or who never was.
    """
    who = reference(site, caller, name, text)
    history = site.log.history(who, caller.party)  # no more work for a long history than for none
    grant = grants(history).get(caller.party)
    if grant is not None and grant.live_roi(site.now()):
        return who
    for recorded in history:
        fact = recorded.event.fact("occurred_at")
        if fact.contributor == caller.party or (fact.is_notice and fact.addressee == caller.party):
            return who
    raise Unknown


def append(stream: UUID, expected: int, *events: Event) -> Append:
    """Return the events to append to a stream that stands at version `expected`."""
    return Append(stream, expected, events)
