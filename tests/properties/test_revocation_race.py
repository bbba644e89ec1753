"""Revocation is linearizable: no answer to a request begun after the acknowledgement holds what the grant carried.

Real threads, real HTTP: a reader of each kind that consent shows anything asks on every path it has while consent ends.
`GOLDENTHREAD_TEST_REVOCATIONS` is the number of revocations, 60 if it is not set; the variants take a sixth of it.
"""

from __future__ import annotations

import os
import random
import re
import sys
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import cache, partial
from itertools import product
from typing import Any, NamedTuple, TypeVar
from unittest import mock
from uuid import UUID, uuid4, uuid5

import httpx
import psycopg
import pytest

from adapters.bootstrap import ceiling_of
from adapters.postgres.readers import PostgresSession
from adapters.postgres.sealer import Sealer
from adapters.settings import Settings
from domain.event import Envelope, Event, PersonName
from domain.identity import RecordSubject
from domain.labels import Label, Reader
from domain.legal_case import CaseFiled
from domain.participant import ParticipantEnrolled, ParticipantIdentified
from domain.protocol import Door
from domain.referral import Charge, ChargeHeld, ReferralOffered
from domain.registry import Role
from domain.retention import ParticipantErased
from domain.roi import CounselAuthorised, ItemConsented, RoiGranted, RoiSigned, consent_stream
from domain.share import ShareMade
from projections import counsel, liaison_prosecutor
from projections.partner import GrantedEntry, GrantedParticipant, place
from projections.rows import MODELS, GrantedRow, Row
from projections.views import VIEWS
from services import release
from services.ports import Caller
from services.questions import LISTINGS, listing
from services.questions.listing import Asked, Listing
from services.questions.partner import TABLES
from services.register import party_id
from services.release import Rendered
from services.retention import Retentions
from services.site import Site, append
from tests.conftest import Database
from tests.properties.history import Change, disordered, logged, stale
from tests.properties.test_two_worlds import LISTED, OF_PARTICIPANT, QUESTIONS, narrowed
from tests.site import Person, SiteUnderTest, running_site, searching

pytestmark = pytest.mark.server

REVOCATIONS = int(os.environ.get("GOLDENTHREAD_TEST_REVOCATIONS", "60"))
FEW = max(REVOCATIONS // 6, 5)
THOUSANDS = 5000
"""How many revocations the long tier races, on as many sites as that takes."""
PARTIES = {"kim": "city-pd", "chen": "county-pa", "marta": "housing-co", "judge": "district-court"}
READER = {
    "city-pd": Reader.POLICE,
    "county-pa": Reader.PROSECUTOR,
    "housing-co": Reader.RECIPIENT,
    "district-court": Reader.COURT,
}
OFFICE, COUNSEL = "public-defense", "r-patel"
PARTY = PARTIES | {"ames": OFFICE, "patel": COUNSEL}
"""Who asks, and for which party: the partners, the defender's office to which an ROI gives a name, and counsel."""
BY_ROLE = {"dana": "lead-care", "imani": "lead-program"}
"""Who reads by role who saw what: care, and the privacy officer."""
HIMSELF = "ray"
"""The participant of number 0, who reads of himself."""
ALL = {party_id(code): reader for code, reader in READER.items()}
ALL |= {party_id(OFFICE): Reader.OBSERVER, party_id(COUNSEL): Reader.COUNSEL}
LABELS = frozenset({Label.IDENTITY_LEGAL, Label.ENROLMENT_STATUS, Label.CONTACT_FACT, Label.CONSENT_SCOPE})
EXTRA = dict.fromkeys(READER, Label.IIP_PROGRESS) | {"housing-co": Label.NEED_HOUSING}
NAMED = re.compile(rb"Bell (\d+)")
DISCLOSURE = re.compile(rb'"id":"([a-z2-7]{26})"')
CALLED = re.compile(r"\b[a-z2-7]{26}\b")
UNDER = re.compile("/(trace|as-of|bundle|accounting)")
ACCOUNTS = {"counsel.trace", "as_of", "accounting", "accounting.csv", "accounting.html", "bundle"}
"""The surfaces that tell who was shown what."""
CARRIED = ("grant", "told", "shared", "named")
"""What ends with an ROI."""
MARK = re.compile(rb"(grant|told|item|shared)-(\d+)-")
BEGIN = datetime(2026, 2, 14, 17, tzinfo=UTC)
CHARGE = Charge(code="90J", description="Trespass", severity="misdemeanor")
_SPACE = UUID("3b6c6a2f-7c57-5c62-8b0b-2e5f6b1d7c40")


class Mark(NamedTuple):
    """A fact whose only authority is a grant: the ROI's own purpose, a share, an item, a place in a shared docket, the
    name behind a pseudonym; to counsel, that someone is its client, and who that is (`known`); to who reads by role,
    that there is something to tell of what others had.
    """

    kind: str
    n: int


class Heard(NamedTuple):
    """One answer, or a part of one that is rendered by itself: which request, when it began, what of others' consent
    is in its bytes.
    """

    who: str
    path: str
    begun: float
    ended: float
    status: int
    correlation: UUID
    facts: frozenset[Mark]


@cache
def _numbered() -> list[UUID]:
    made = (uuid5(_SPACE, str(n)) for n in range(10_000))
    return sorted(made, key=lambda who: place(party_id("housing-co"), who))


def number(n: int) -> UUID:
    """Return a participant's id: they lie in the recipient's list in the order of their numbers."""
    return _numbered()[n]


@cache
def _numbers() -> dict[UUID | None, int]:
    return {who: n for n, who in enumerate(_numbered())}


def _party(who: str) -> UUID:
    """Return the party for which someone asks; a participant is its own."""
    return number(0) if who == HIMSELF else party_id((PARTY | BY_ROLE)[who])


@dataclass(slots=True)
class Race:
    """A site full of consent, three readers, and what they heard."""

    site: SiteUnderTest
    owner: psycopg.Connection[Any]
    current: int = 0
    heard: list[Heard] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    """What ended or was given again. A fact of `Mark("grant", n)` stands for all that the ROI carries."""
    doors: list[Callable[[str], Person]] = field(default_factory=list)
    """By which other processes of the site people come in."""
    disclosures: dict[str, str] = field(default_factory=dict)
    """By what counsel calls a participant: a disclosure of its accounting."""
    stop: threading.Event = field(default_factory=threading.Event)
    failures: list[BaseException] = field(default_factory=list)
    rendering: dict[UUID, list[float]] = field(default_factory=lambda: defaultdict(list))
    """By request: when the rendering of each of its parts began, for files and followed lists."""

    def seal(self, party: str, value: UUID) -> str:
        return self.site.parts.site.ids.seal(party_id(party), value)

    def called(self, who: str, n: int) -> str:
        """Return what a reader calls a participant."""
        return self.site.parts.site.ids.seal(_party(who), number(n))

    def consenting(
        self,
        numbers: range,
        *,
        until: Callable[[int], datetime] | None = None,
        item: bool = False,
        authority: frozenset[Label] = LABELS,
    ) -> None:
        """Record participants whose ROI names all parties, each told a sentence; and a case of each.

        `authority`: what each lets its counsel know.
        """
        care, envelope = party_id("lead-care"), self.envelope()
        for n in numbers:
            who, at, ends = number(n), BEGIN, until(n) if until else BEGIN + timedelta(days=300)
            name = PersonName(given="Ray", surname=f"Bell {n}")
            roi = uuid5(who, "roi")
            about = {"participant_id": who, "occurred_at": at}
            consent: list[Event] = [
                RoiSigned(**about, expires_at=ends, roi=roi, form_version="3", explained_by="Dana", language="English")
            ]
            shares: list[Event] = []
            named: dict[str, Any] = {"roi": roi, "labels": frozenset({Label.IDENTITY_LEGAL}), "purpose": f"grant-{n}-"}
            named |= about | {"expires_at": ends, "covers_from": at, "reader": Reader.OBSERVER}
            consent.append(RoiGranted(**named, party_id=party_id(OFFICE)))
            for party, reader in READER.items():
                labels = LABELS | {EXTRA[party]}
                given = {"roi": roi, "reader": reader, "labels": labels, "purpose": f"grant-{n}-"}
                consent.append(RoiGranted(**about, party_id=party_id(party), expires_at=ends, covers_from=at, **given))
                text = f"told-{n}-"
                shares.append(ShareMade(**about, party_id=party_id(party), text=text, labels=frozenset({EXTRA[party]})))
            if item:
                signed = uuid5(who, "item")
                housing, what = party_id("housing-co"), frozenset({Label.SUBSTANCE_CURRENT})
                consent.append(
                    ItemConsented(
                        **about, party_id=housing, expires_at=ends, item_id=signed, reader=Reader.RECIPIENT,
                        labels=what, counsel_offered=True,
                    )
                )  # fmt: skip
                shares.append(ShareMade(**about, party_id=housing, text=f"item-{n}-", labels=what, item_id=signed))
            own: dict[str, Any] = {"roi": uuid5(who, "authority"), "labels": authority, "purpose": "representation"}
            own |= about | {"expires_at": ends, "covers_from": at, "reader": Reader.COUNSEL}
            consent.append(CounselAuthorised(**own, party_id=party_id(COUNSEL)))
            referral, matter, case = (uuid5(who, kind) for kind in ("referral", "matter", "case"))
            police, office = party_id("city-pd"), party_id("county-pa")
            born, day = date(1980, 1, 1), date(2020, 1, 1) + timedelta(days=5000 - n)
            offered = ReferralOffered(
                **about, party_id=police, door=Door.ARREST_DIVERSION, incident_number=f"I-{n}", place="Pine", facts="f",
                agreed_at=at, protocol_version="P-1",
            )  # fmt: skip
            held = ChargeHeld(
                **about, party_id=police, matter_id=matter, charge=CHARGE, incident_number=f"I-{n}", prosecutor=office
            )
            filed = CaseFiled(
                **about, party_id=office, matter_id=case, docket=f"shared-{n}-", charges=(CHARGE,),
                defendant=RecordSubject(name=name, birth_date=born), offense_on=day, filed_on=day, received_at=at,
            )  # fmt: skip
            self.site.parts.log.record(
                [
                    append(referral, 0, offered, held),
                    append(
                        who,
                        0,
                        ParticipantIdentified(**about, party_id=police, name=name, birth_date=born),
                        ParticipantEnrolled(**about, party_id=care),
                    ),
                    append(consent_stream(who), 0, *consent),
                    append(case, 0, filed),
                    *(append(uuid5(who, f"share {k}"), 0, share) for k, share in enumerate(shares)),
                ],
                envelope,
            )
        self.checkpoint()

    def checkpoint(self) -> None:
        """Seal what was recorded, so that bundles have it."""
        secrets = self.site.parts.database.secrets
        Sealer(self.site.parts.database.login("sealer"), secrets.checkpoint_key, Settings().origin).checkpoint()

    def reading(self, who: str, in_parts: bool, door: Callable[[str], Person]) -> None:
        """Ask on every path of one's own whose answers come in parts, or at once, again and again, until stopped."""
        person = door(who)
        while not self.stop.is_set():
            for method, path, body in self.asks(who):
                if path.partition("?")[0].endswith((".csv", "/updates")) is in_parts and not self.stop.is_set():
                    self.ask(person, who, method, path, body)

    def asks(self, who: str) -> Iterator[tuple[str, str, Any]]:
        """Yield what a reader asks, on each of its paths once."""
        return requests(self, who)

    def ask(self, person: Person, who: str, method: str, path: str, body: Any = None) -> Heard:
        """Ask once, and write down what was heard: of a file or a followed list each part; return the last.

        `body`: what is sent; with a GET what is searched for.
        """
        correlation = uuid4()
        headers = person._signed() | {"X-Correlation-ID": str(correlation)}
        if method == "GET" and body is not None:
            headers, body = headers | searching(body), None
        begun, content = time.perf_counter(), b""
        with person.client.stream(method, path, json=body, headers=headers) as answer:
            status = answer.status_code
            try:
                for some in answer.iter_raw():
                    content += some
            except httpx.RemoteProtocolError:  # cut off, as is right for a file whose rest is not to be had
                status = 503
        ended = time.perf_counter()
        for n, part in enumerate(parts(path, content)):
            rendered = self.rendering[correlation]
            marks = self.marks(who, path, status, part)
            at = rendered[n] if n and n < len(rendered) else begun
            self.heard.append(Heard(who, path, at, ended, status, correlation, frozenset(marks)))
        return self.heard[-1]

    def marks(self, who: str, path: str, status: int, part: bytes) -> set[Mark]:
        """Return what an answer, or a part of it, holds that rests on somebody's consent."""
        found = {Mark(kind.decode(), int(n)) for kind, n in MARK.findall(part)}
        asked = self.about(who, path) if status == 200 else None
        about = set() if asked is None else {asked}
        names = {int(n) for n in NAMED.findall(part)}
        if who == "ames":
            found = {Mark("named", n) for n in about | names}
        elif who == "patel":  # a client is shown by the id that counsel has for it, where not by name
            listed = {n for text in CALLED.findall(part.decode()) if (n := self.number_of(who, text)) is not None}
            found = {Mark("client", n) for n in about | names | listed | {mark.n for mark in found}}
            found |= {Mark("known", n) for n in names}
        elif who in BY_ROLE:
            found = {Mark("had", n) for n in about if "/as-of" in path}
        if path.endswith("/accounting") and (numbered := DISCLOSURE.search(part)):
            self.disclosures[path.split("/")[3]] = numbered[1].decode()
        if "only=shared" not in path:  # a docket number is the office's own; that it is shared is not
            found = {mark for mark in found if mark.kind != "shared"}
        return found

    def about(self, who: str, path: str) -> int | None:
        """Return about whom a reader asks on a path, if it names someone."""
        asked = re.search("/participants/([a-z2-7]{26})", path)
        return self.number_of(who, asked[1]) if asked else None

    def number_of(self, who: str, text: str) -> int | None:
        """Return the number of the participant whom a reader calls so, if it is one."""
        return _numbers().get(self.site.parts.site.ids.open(_party(who), text))

    @contextmanager
    def under_way(self, readers: tuple[str, ...] = (*PARTIES, "ames")) -> Iterator[None]:
        """Let the readers read, slowly between reading and release."""
        self.site.settle()
        right, answer = release.disclosures, release.answer

        def slowly(*given: Any) -> Any:
            time.sleep(random.random() * 0.004)
            return right(*given)

        def noted(site: Site, caller: Caller, *rest: Any) -> Any:
            self.rendering[caller.correlation_id].append(time.perf_counter())
            return answer(site, caller, *rest)

        doors = (self.site.person, *self.doors)
        interval = sys.getswitchinterval()
        work = [partial(self.reading, *args) for args in product(readers, (False, True), doors)]
        with (
            mock.patch.object(release, "disclosures", slowly),
            mock.patch.object(listing, "answer", noted),
            self.at_work(*work),
        ):
            sys.setswitchinterval(interval / 10)  # or who ends something waits its turn behind each of them
            try:
                yield
            finally:
                sys.setswitchinterval(interval)
        allowed = {200, 401, 503}
        for h in self.heard:
            assert h.status in allowed or (h.status == 404 and h.who in {"patel", "ames", HIMSELF, *BY_ROLE}), h

    @contextmanager
    def at_work(self, *work: Callable[[], object]) -> Iterator[None]:
        """Let all of these run, each in its own thread, until `stop`, which the end sets; what one raises is told."""
        self.stop.clear()

        def run(act: Callable[[], object]) -> None:
            try:
                act()
            except BaseException as error:  # noqa: BLE001 - the thread's, told by the test
                self.failures.append(error)

        threads = [threading.Thread(target=run, args=[act], daemon=True) for act in work]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self.stop.set()
            for thread in threads:
                thread.join(30)
        assert not self.failures, self.failures

    def hear_all(self, *who: str) -> None:
        """Let some readers go on until each has been answered on each of its paths."""
        wanted = {path for each in who for path in PATHS[each]}
        self.wait(lambda: wanted - {named(h.path) for h in self.heard.copy() if h.status == 200})

    def hear_of(self, *kinds: str) -> None:
        """Let the readers go on until they have heard of each kind of fact."""
        self.wait(lambda: {*kinds} - {mark.kind for h in self.heard.copy() for mark in h.facts})

    def wait(self, missing: Callable[[], Collection[object]]) -> None:
        """Let the readers go on until nothing is missing."""
        end = time.monotonic() + 120
        while left := missing():
            assert time.monotonic() < end, left
            assert not self.failures, self.failures
            time.sleep(0.05)

    def end(self, n: int, act: Callable[[int], object], *marks: str, dwell: float = 0.02, gives: bool = False) -> None:
        """End something about one participant, or give it again, while everyone asks about it."""
        self.current = n
        time.sleep(random.random() * dwell)
        begun = time.perf_counter()
        act(n)
        acknowledged = time.perf_counter()
        self.changes += [Change(Mark(kind, n), begun, acknowledged, gives) for kind in marks]
        time.sleep(random.random() * dwell)

    def too_late(self) -> list[tuple[Heard, Change]]:
        """Return the answers to requests begun after an acknowledgement that hold what had ended."""
        return stale(self.heard, self.changes)

    def disclosed_later(self, topic: str = "roi.revoked") -> int:
        """Count the disclosures that stand after the revocation in the log."""
        row = self.owner.execute(
            "select count(*) from log.disclosure d join log.event e"
            " on e.participant_id = d.participant_id and e.party_id = d.party_id"
            " where e.topic = %s and d.position > e.notification_id and d.epoch is not null",  # not what is by role
            [topic],
        ).fetchone()
        assert row is not None
        return int(row[0])

    def labels_later(self, topic: str) -> set[str]:
        """Return the labels of the disclosures that stand after such an ending in the log; some do."""
        rows = self.owner.execute(
            "select d.labels from log.disclosure d join log.event e"
            " on e.participant_id = d.participant_id and e.party_id = d.party_id"
            " where e.topic = %s and d.position > e.notification_id",
            [topic],
        ).fetchall()
        assert rows, f"nobody asked after {topic}"
        return {label for (labels,) in rows for label in labels.split()}

    def accounted(self, at_least: int = 50) -> None:
        """Check that every answer that showed something has exactly its rows, each in order and computed again."""
        assert disordered(logged(self.owner)) == []
        columns = "correlation_id, participant_id, party_id, recorded_at, as_of, epoch, labels, surface, digest"
        rows = defaultdict(list)
        for correlation, *rest in self.owner.execute(f"select {columns} from log.disclosure where kind = 'disclosure'"):
            rows[correlation].append(rest)
        shown = 0
        by_request = defaultdict(list)
        for heard in self.heard:
            by_request[heard.correlation].append(heard)
        for correlation, parts_heard in by_request.items():
            written = Counter(row[0] for row in rows[correlation])
            heard_of = Counter(number(n) for h in parts_heard for n in {mark.n for mark in h.facts})
            assert heard_of <= written, f"shown and not written down: {parts_heard}"
            if len(parts_heard) == 1:
                assert max(written.values(), default=0) <= 1, "two rows for one participant"
            for heard in parts_heard:
                for mark in heard.facts:
                    labels = {
                        label for row in rows[correlation] if row[0] == number(mark.n) for label in row[5].split()
                    }
                    party = PARTIES.get(heard.who, "city-pd")
                    of = {"told": EXTRA[party], "item": Label.SUBSTANCE_CURRENT}
                    of |= dict.fromkeys(("named", "known"), Label.IDENTITY_LEGAL)
                    want = of.get(mark.kind, Label.CONSENT_SCOPE)
                    if UNDER.search(heard.path):  # who sees what, read under the client's authority
                        want = Label.AUDIT_ACCESS
                    assert want in labels, (heard, labels)
                    shown += 1
            whole = {heard.status for heard in parts_heard} == {200}
            by_role = parts_heard[0].who == "ames"  # whom it reads of by pseudonym is written down too
            assert not whole or by_role or written.keys() <= heard_of.keys(), "a row for nothing shown"
        assert shown >= at_least, "nothing was shown at all"
        again = cache(self._rows_again)
        for some in rows.values():
            for who, party, at, as_of, epoch, _, surface, digest in some:
                if ALL[party] is Reader.OBSERVER or surface in ACCOUNTS:
                    continue  # what it reads by role is in the same digest; of an account there are no such rows
                whole = surface.endswith((".participant", ".lookup"))
                # Rows change with time alone only where consent runs out; then their `until` says so.
                found = [r for r in again(who, party, as_of) if r.until > at and (whole or isinstance(r, HEADS))]
                assert {r.epoch for r in found} == {epoch}
                key = self.site.parts.site.digests
                computed, _ = release.sealed(key, [release.fingerprint(key, row) for row in found])
                assert computed == bytes(digest), f"{surface} at {as_of} cannot be computed again"

    def _rows_again(self, who: UUID, party: UUID, as_of: int) -> list[GrantedRow]:
        """Compute what a party had of a participant as of a position of the log, in the order in which it is shown."""
        history = self.site.parts.log.histories([who], upto=as_of)[who]
        reader = ALL[party]
        ceiling = ceiling_of(self.site.parts.site.directory)(BEGIN)
        rows = [r for r in VIEWS[reader].rows(history, ceiling, BEGIN) if isinstance(r, GrantedRow)]
        ours = [r for r in rows if r.party_id == party]
        given = [r for r in ours if isinstance(r, counsel.Recipient)]
        entries = [r for r in ours if isinstance(r, GrantedEntry | counsel.Entry)]
        newest_first = reader is Reader.COUNSEL
        return [
            *(r for r in ours if isinstance(r, HEADS)),
            *sorted(given, key=lambda r: r.recipient_id.bytes),
            *sorted(entries, key=lambda r: (r.occurred_at, r.entry_id.bytes), reverse=newest_first),
        ]

    def envelope(self) -> Envelope:
        return Envelope(actor=None, role=Role.CASE_MANAGER, agency=party_id("lead-care"), correlation_id=uuid4())


HEADS = (GrantedParticipant, counsel.Client)
"""The rows of which lists consist."""


def requests(race: Race, who: str) -> Iterator[tuple[str, str, Any]]:
    """Yield a request on each of a reader's paths, about whoever is next."""
    for path in PATHS[who]:
        n = race.current
        where = path.replace("{participant}", race.called(who, n))
        if path.endswith("lookups"):
            yield "POST", path, {"given": "Ray", "surname": f"Bell {n}", "birth_date": "1980-01-01"}
            yield "POST", path, {"incident_number": f"I-{n}"}
        elif path.endswith(("/trace", "/as-of")):
            yield "GET", f"{where}?party=city-pd", None
        elif "{disclosure}" in path:
            known = race.disclosures.get(where.split("/")[3], race.called(who, n))
            yield "GET", where.replace("{disclosure}", known), None
        elif "{" in path or not of_list(path):
            yield "GET", where, None
        else:
            some = "" if path.endswith(".csv") else "limit=8"  # a file is the whole list
            for how in narrowed(of_list(path)):
                yield "GET", f"{where}?{how}{some}".rstrip("&?"), None
            yield "GET", where, f"{n}"


@cache
def named(path: str) -> str:
    """Return a path as the application names it."""
    path = re.sub("/accounting/[a-z2-7]{26}", "/accounting/{disclosure}", path.partition("?")[0])
    return re.sub("[a-z2-7]{26}", "{participant}", path)


def of_list(path: str) -> str:
    """Return the list whose page, file or updates this path is; empty if it is none."""
    base = path.removesuffix(".csv").removesuffix("/updates")
    return base if base in LISTED else ""


def parts(path: str, content: bytes) -> list[bytes]:
    """Return what of an answer was rendered and released by itself: the pages of a file, the beats of an update."""
    name = path.partition("?")[0]
    if name.endswith(".csv") and of_list(name) and content:
        _, *lines = content.removesuffix(b"\r\n").split(b"\r\n")
        return [b"\r\n".join(lines[n : n + PART]) for n in range(0, len(lines), PART)] or [b""]
    if name.endswith("/updates") and content.endswith(b"\n\n"):
        return content.removesuffix(b"\n\n").split(b"\n\n")
    return [content]


PART = 20
"""How many rows a part of a file holds."""
RACED: dict[str, Any] = {"export_page": PART, "updates_beat_seconds": 0.004, "updates_seconds_most": 0.012}


def _prefix(reader: Reader) -> str:
    """Return where the paths of a reader begin, as its lists have it."""
    (prefix,) = {each.path.partition("/")[0] for each in LISTINGS if each.reader is reader}
    return f"/v1/{prefix}/"


PREFIX = {who: _prefix(ALL[party_id(code)]) for who, code in PARTY.items()}
# Every question of such a reader: a path that the application has and this table has not fails the two-world test.
PATHS = {who: [path for path in QUESTIONS if path.startswith(prefix)] for who, prefix in PREFIX.items()}
_OF_ONE = [path for path in QUESTIONS if path.startswith("/v1/participants/")]
PATHS["patel"] += _OF_ONE  # under the client's authority
PATHS |= {who: list(OF_PARTICIPANT) for who in BY_ROLE}
PATHS[HIMSELF] = [*_OF_ONE, *(path for path in QUESTIONS if f"{path}/".startswith("/v1/participant/"))]


def test_every_reader_that_consent_shows_anything_is_in_the_race() -> None:
    assert {model.reader for row, model in MODELS.items() if issubclass(row, GrantedRow)} == set(ALL.values())
    assert all(PATHS.values())


R = TypeVar("R", bound=Race)


@contextmanager
def raced(db: Database, kind: type[R]) -> Iterator[R]:
    with (
        running_site(db, begin="2026-02-14 10:00", **RACED) as site,
        psycopg.connect(db.owner_url, autocommit=True) as owner,
    ):
        yield kind(site, owner)


@pytest.fixture
def race(site_db: Database) -> Iterator[Race]:
    with raced(site_db, Race) as made:
        yield made


def revoking(race: Race) -> Callable[[int], object]:
    """Return how the supervisor revokes for all, over HTTP."""
    noor = race.site.person("noor")

    def revoke(n: int) -> None:
        who = number(n)
        person, roi = race.seal("lead-care", who), race.seal("lead-care", uuid5(who, "roi"))
        body = {"word_of": "counsel", "medium": "oral"}
        noor.do(f"/v1/participants/{person}/roi/{roi}/revocations", body)

    return revoke


def narrowing(race: Race) -> Callable[[int], object]:
    """Return how an amendment takes one label from every party, over HTTP."""
    noor = race.site.person("noor")

    def narrow(n: int) -> None:
        who = number(n)
        person, roi = race.seal("lead-care", who), race.seal("lead-care", uuid5(who, "roi"))
        grants = [{"party": p, "labels": sorted(LABELS), "purpose": f"grant-{n}-"} for p in READER]
        for grant in grants:
            grant["covers_from"] = BEGIN.isoformat()
        body = {"form_version": "3", "explained_by": "Dana", "language": "English", "grants": grants}
        body |= {"expires_on": "2026-12-10", "warned": ["county-pa"]}
        noor.do(f"/v1/participants/{person}/roi/{roi}/amendments", body)

    return narrow


def contacts(race: Race) -> Callable[[], object]:
    """Return how a case manager records a contact with whoever is next: rows change while they are read."""
    dana = race.site.person("dana")

    def record() -> None:
        person = race.seal("lead-care", number(race.current))
        dana.do(f"/v1/participants/{person}/contacts", {"kind": "phone", "reached": True, "note": "Called."})

    return record


@pytest.mark.parametrize(
    "_again", [0, *(pytest.param(n, marks=pytest.mark.long) for n in range(1, THOUSANDS // REVOCATIONS))]
)
def test_nothing_revoked_is_in_an_answer_to_a_request_begun_afterwards(race: Race, _again: int) -> None:
    race.consenting(range(REVOCATIONS))
    revoke, record = revoking(race), contacts(race)
    with race.under_way():
        race.hear_all(*PARTIES, "ames")
        for n in range(REVOCATIONS):
            if n % 4 == 0:
                race.current = n
                record()
            race.end(n, revoke, *CARRIED)
    assert race.too_late() == []
    assert race.disclosed_later() == 0
    race.accounted()


def ending_counsel(race: Race) -> Callable[[int], object]:
    """Return how counsel's authority ends: by the word of the client to care, or by counsel itself."""
    noor, patel = race.site.person("noor"), race.site.person("patel")

    def end(n: int) -> None:
        who, person, said = ("dana", noor, {"counsel": COUNSEL}) if n % 2 else ("patel", patel, {})
        body = said | {"word_of": "participant" if n % 2 else "counsel"}
        person.do(f"/v1/participants/{race.called(who, n)}/counsel/endings", body)

    return end


def narrowing_counsel(race: Race) -> Callable[[int], object]:
    """Return how a client signs that its counsel may not know its name any more, nor what it was charged with."""
    noor = race.site.person("noor")
    kept = LABELS - {Label.IDENTITY_LEGAL, Label.CONSENT_SCOPE}  # the scope it reads by its authority alone
    body = {"counsel": COUNSEL, "labels": sorted(kept), "expires_on": "2026-12-10"}

    def narrow(n: int) -> None:
        noor.do(f"/v1/participants/{race.called('dana', n)}/counsel", body | {"covers_from": BEGIN.isoformat()})

    return narrow


def test_nothing_of_a_client_is_in_an_answer_after_its_counsels_authority_ended(race: Race) -> None:
    race.consenting(range(FEW))
    end = ending_counsel(race)
    with race.under_way(("patel", *PARTIES)):
        race.hear_all("patel")
        for n in range(FEW):
            race.end(n, end, "client", "known", dwell=0.05)
    assert race.too_late() == []
    assert race.disclosed_later("counsel.ended") == 0
    assert {mark.n for h in race.heard if h.who == "patel" for mark in h.facts} >= set(range(FEW // 2, FEW))
    ended = next(change.acknowledged for change in race.changes if change.fact == Mark("client", 0))
    assert any(h.begun > ended and Mark("grant", 0) in h.facts for h in race.heard), "the ROI ended too"
    race.accounted()


def test_nothing_that_counsel_may_not_know_any_more_is_in_an_answer_to_a_request_begun_afterwards(race: Race) -> None:
    race.consenting(range(FEW))
    narrow = narrowing_counsel(race)
    with race.under_way(("patel",)):
        race.hear_all("patel")
        for n in range(FEW):
            race.end(n, narrow, "known", dwell=0.05)
    assert race.too_late() == []
    assert Label.IDENTITY_LEGAL not in race.labels_later("counsel.narrowed")
    race.accounted()


def test_clients_of_whom_counsel_may_know_no_name_are_heard_of_and_accounted_for(race: Race) -> None:
    race.consenting(range(2))
    narrow, patel = narrowing_counsel(race), race.site.person("patel")
    for n in range(2):
        narrow(n)
    race.site.settle()
    for how in ("", ".csv", "/updates"):
        heard = race.ask(patel, "patel", "GET", f"/v1/counsel/participants{how}")
        assert any(h.facts == {Mark("client", n) for n in range(2)} for h in race.heard if h.path == heard.path)
    race.accounted(at_least=6)


def test_nothing_narrowed_away_is_in_an_answer_to_a_request_begun_afterwards(race: Race) -> None:
    race.consenting(range(FEW))
    narrow = narrowing(race)
    with race.under_way():
        for n in range(FEW):
            race.end(n, narrow, "told", dwell=0.05)
    assert race.too_late() == []
    assert not race.labels_later("roi.narrowed") & {*EXTRA.values()}
    race.accounted()


def test_no_item_withdrawn_is_in_an_answer_to_a_request_begun_afterwards(race: Race) -> None:
    race.consenting(range(FEW), item=True)
    noor = race.site.person("noor")

    def withdraw(n: int) -> None:
        who = number(n)
        person, item = race.seal("lead-care", who), race.seal("lead-care", uuid5(who, "item"))
        noor.do(f"/v1/participants/{person}/items/{item}/withdrawals", {})

    with race.under_way():
        for n in range(FEW):
            race.end(n, withdraw, "item", dwell=0.05)
    assert race.too_late() == []
    assert Label.SUBSTANCE_CURRENT not in race.labels_later("item.withdrawn")
    race.accounted()


def dying(race: Race) -> Callable[[int], object]:
    """Return how a death is recorded: every grant of every party ends."""
    noor = race.site.person("noor")

    def die(n: int) -> None:
        noor.do(f"/v1/participants/{race.seal('lead-care', number(n))}/death", {"died_at": BEGIN.isoformat()})

    return die


def signing_anew(race: Race) -> Callable[[int], object]:
    """Return how an ROI is signed in place of the one before, that names none of those who ask."""
    noor = race.site.person("noor")
    given = {"party": "transit-pd", "labels": sorted(LABELS), "purpose": "coordination"}
    body = {
        "form_version": "3",
        "explained_by": "Dana",
        "language": "English",
        "grants": [given],
        "warned": ["county-pa"],
    }

    def sign(n: int) -> None:
        person = race.seal("lead-care", number(n))
        noor.do(f"/v1/participants/{person}/roi", body | {"expires_on": "2026-12-10"})

    return sign


def declaring(race: Race) -> Callable[[int], object]:
    """Return how the defender's office declares a conflict of interest about someone whose name it was given."""
    ames = race.site.person("ames")

    def declare(n: int) -> None:
        ames.do(f"/v1/participants/{race.seal(OFFICE, number(n))}/conflicts", {})

    return declare


@pytest.mark.parametrize(
    ("ending", "marks", "topic", "counsel"),
    [
        (dying, (*CARRIED, "client", "known"), "roi.revoked", ("patel",)),
        (signing_anew, CARRIED, "roi.revoked", ()),
        (declaring, ("named",), "conflict.declared", ()),
    ],
)
def test_whatever_else_ends_it_nothing_is_in_an_answer_to_a_request_begun_afterwards(
    race: Race,
    ending: Callable[[Race], Callable[[int], object]],
    marks: tuple[str, ...],
    topic: str,
    counsel: tuple[str, ...],
) -> None:
    race.consenting(range(FEW))
    end = ending(race)
    with race.under_way((*PARTIES, "ames", *counsel)):
        race.hear_of(*marks)
        for n in range(FEW):
            race.end(n, end, *marks, dwell=0.05)
    assert race.too_late() == []
    assert race.disclosed_later(topic) == 0
    race.accounted()


def discharged(race: Race, numbers: range) -> None:
    """Discharge each a day after the one before: nothing happens about them any more, and their consent lives on."""
    noor = race.site.person("noor")
    body = {"ground": "sustained lack of engagement", "tried": "Weekly outreach"}
    for n in numbers:
        race.site.clock.at(BEGIN + timedelta(days=n + 1))
        noor.do(f"/v1/participants/{race.called('dana', n)}/discharge", body)


def test_nothing_of_someone_erased_is_in_an_answer_to_a_request_begun_afterwards(race: Race) -> None:
    """The end of retention, day after day: here consent outlives it, so that nothing else ends what is shown."""
    race.consenting(range(FEW), until=lambda _: BEGIN + timedelta(days=9_000))
    discharged(race, range(FEW))
    kept = timedelta(days=race.site.parts.site.protocol().retention_days)
    marks = (*CARRIED, "client", "known", "had")

    def erase(n: int) -> None:
        race.site.clock.at(BEGIN + timedelta(days=n + 1, hours=6) + kept)
        Retentions(race.site.parts.site).beat()

    with race.under_way((*PARTIES, "ames", "patel", "dana")):
        race.hear_of(*marks)
        for n in range(FEW):
            race.end(n, erase, *marks, dwell=0.05)
    erased = race.site.parts.log.of_topics([ParticipantErased.topic])
    assert [recorded.event.participant_id for recorded in erased] == [number(n) for n in range(FEW)]
    assert race.too_late() == []
    assert disordered(logged(race.owner)) == []
    for who in ("patel", "dana", "ames", *PARTIES):
        assert any(h.facts for h in race.heard if h.who == who), f"nothing was shown to {who} at all"


@contextmanager
def views_stand_still(race: Race) -> Iterator[None]:
    """Keep the projectors from writing: the views go stale."""
    with race.owner.transaction():
        race.owner.execute("select from log.view for update")
        yield


def test_views_that_stand_still_show_nothing_revoked(race: Race) -> None:
    race.consenting(range(FEW))
    revoke = revoking(race)
    with race.under_way(), views_stand_still(race):
        for n in range(FEW):
            race.end(n, revoke, *CARRIED)
    assert race.too_late() == []
    assert race.disclosed_later() == 0
    race.accounted()


ROLES = {
    "kim": Role.OFFICER,
    "chen": Role.LIAISON_PROSECUTOR,
    "marta": Role.RECIPIENT_CONTACT,
    "judge": Role.COURT_OFFICER,
    "ames": Role.DEFENDER_OBSERVER,
    "patel": Role.COUNSEL,
    "dana": Role.CASE_MANAGER,
    "imani": Role.PRIVACY_OFFICER,
}
COMINGS = max(FEW // 10, 2)
"""How many people of each role come and go."""


def admitted(race: Race, who: str, name: str) -> Person:
    """Let one more of a role sign in, under a name of their own; of the participant, again."""
    if who == HIMSELF:
        race.site.person("noor").do(f"/v1/participants/{race.called('dana', 0)}/access", {"subject": name})
    else:
        body = {"party": (PARTY | BY_ROLE)[who], "name": "Someone", "role": ROLES[who], "subject": name}
        race.site.person("pat").do("/v1/register/staff", body)
    return race.site.person(name)


def test_a_person_whose_authority_ended_hears_nothing(race: Race) -> None:
    race.consenting(range(1))
    coming = [(who, f"{who}-{n}") for who in (*ROLES, HIMSELF) for n in range(COMINGS)]
    readers = [(who, name, admitted(race, who, name)) for who, name in coming]
    race.site.settle()
    for who, name, reader in readers:
        a_person_ends_while_reading(race, who, name, reader)
    assert {h.who for h in race.heard if h.facts} == {*ROLES, HIMSELF}
    later = race.owner.execute(
        "select count(*) from log.disclosure d join log.event e on e.staff_id = d.staff_id"
        " where e.topic = 'staff.ended' and d.position > e.notification_id"
    ).fetchone()
    assert later == (0,)
    assert disordered(logged(race.owner)) == []


def a_person_ends_while_reading(race: Race, who: str, name: str, reader: Person) -> None:
    """End somebody's authority once all of their paths have answered; nothing answers a request begun afterwards."""

    def read() -> None:
        while not race.stop.is_set():
            for method, path, body in requests(race, who):
                race.ask(reader, who, method, path, body)

    first = len(race.heard)
    with race.at_work(read, read):
        race.wait(lambda: {*PATHS[who]} - {named(h.path) for h in race.heard[first:] if h.status == 200})
        time.sleep(random.random() * 0.03)
        race.site.person("pat").do("/v1/register/staff/endings", {"subject": name})
        ended = time.perf_counter()
        # What a refusal would tell: someone who is known here, or nobody.
        sent: dict[str, Any] = {"incident_number": "I", "place": "p", "facts": "f", "door": "arrest_diversion"}
        sent |= {"person": {"given": "A", "surname": "B", "birth_date": "1980-01-01"}}
        sent |= {"charges": [{"code": "90J", "description": "d", "severity": "s", "prosecutor": "county-pa"}]}
        bodies = {"/v1/referrals/without-arrest": {"description": "A man in a grey coat", "reason": "Unwell"}}
        bodies |= {"/v1/referrals": sent} if who == "kim" else {}  # what is not the role's to send is 403 to anyone
        for path, about in product(bodies, (race.called(who, 0), race.called(who, 1))):
            assert reader.post(path, bodies[path] | {"participant": about}).status_code == 401
        race.wait(lambda: set() if any(h.begun > ended for h in race.heard[first:]) else {"one who asks afterwards"})
    late = [h for h in race.heard[first:] if h.begun > ended]
    assert {h.status for h in late} == {401}


def test_nothing_that_has_run_out_is_in_an_answer_to_a_request_begun_afterwards(race: Race) -> None:
    ends = {n: BEGIN + timedelta(days=2, hours=n) for n in range(FEW)}
    race.consenting(range(FEW), until=ends.__getitem__)

    def let_time_pass(n: int) -> None:
        race.site.clock.at(ends[n])

    race.site.clock.at(BEGIN + timedelta(days=1))
    marks = (*CARRIED, "client", "known")
    with race.under_way((*PARTIES, "ames", "patel")):
        race.hear_of(*marks)
        for n in range(FEW):
            race.end(n, let_time_pass, *marks, dwell=0.05)
    assert race.too_late() == []
    for n, end in ends.items():
        late = "select count(*) from log.disclosure where participant_id = %s and recorded_at >= %s"
        late += " and epoch is not null"  # not what is by role
        assert race.owner.execute(late, [number(n), end]).fetchone() == (0,)
    race.accounted(at_least=len(CARRIED))


@contextmanager
def after_reading(row: type[Row], act: Callable[[], object]) -> Iterator[None]:
    """Let something happen once, when a question has read these rows and is about to read others."""
    right, left = PostgresSession.select, [act]

    def select(self: PostgresSession, kind: type[Row], *rest: Any, **more: Any) -> Any:
        found = right(self, kind, *rest, **more)
        if kind is row and left:
            left.pop()()
        return found

    with mock.patch.object(PostgresSession, "select", select):
        yield
    assert not left


def test_rows_of_two_computations_do_not_leave_in_one_answer(race: Race) -> None:
    race.consenting(range(len(PARTIES)))
    race.site.settle()
    narrow = narrowing(race)
    for n, (who, party) in enumerate(PARTIES.items()):
        person, path = race.site.person(who), f"{PREFIX[who]}participants/{race.called(who, n)}"
        assert {mark.kind for mark in race.ask(person, who, "GET", path).facts} == {"grant", "told"}

        def act(n: int = n) -> None:
            narrow(n)
            race.site.settle()

        with after_reading(TABLES[READER[party]].told, act):
            assert {mark.kind for mark in race.ask(person, who, "GET", path).facts} == {"grant"}
    race.accounted(at_least=2 * len(PARTIES))


def test_a_docket_shows_as_shared_only_what_still_is_when_it_leaves(race: Race) -> None:
    race.consenting(range(2))
    race.site.settle()
    revoke, chen = revoking(race), race.site.person("chen")

    def act() -> None:
        revoke(0)
        race.site.settle()

    with after_reading(liaison_prosecutor.Participant, act):
        heard = race.ask(chen, "chen", "GET", "/v1/prosecutor/pending-cases?only=shared")
    assert heard.facts == {Mark("grant", 1), Mark("shared", 1)}
    race.accounted(at_least=1)


def heard_of_one_who_revoked_meanwhile(race: Race) -> set[str]:
    """Let the last of a list revoke once the first part of a file has left; return what the file shows of it."""
    race.consenting(range(2 * PART))
    race.site.settle()
    revoke, marta, right = revoking(race), race.site.person("marta"), listing.export

    def export(*given: Any) -> Iterator[str]:
        for n, part in enumerate(right(*given)):
            yield part
            if n == 0:
                revoke(2 * PART - 1)

    with mock.patch.object(listing, "export", export):
        race.ask(marta, "marta", "GET", "/v1/recipient/participants.csv")
    assert {mark.n for h in race.heard for mark in h.facts} >= set(range(2 * PART - 1))
    return {mark.kind for h in race.heard for mark in h.facts if mark.n == 2 * PART - 1}


def test_a_file_holds_nothing_of_a_revocation_while_it_is_written(race: Race) -> None:
    assert heard_of_one_who_revoked_meanwhile(race) == set()
    assert race.disclosed_later() == 0
    race.accounted(at_least=2 * PART - 1)


def test_a_file_released_as_one_holds_what_was_revoked_meanwhile(race: Race) -> None:
    right = listing.export

    def as_one(site: Site, caller: Caller, of: Listing, asked: Asked, limit: int) -> Iterator[str]:
        (whole,) = right(site, caller, of, asked, 1000)
        lines = whole.splitlines(keepends=True)
        yield from ("".join(lines[n : n + limit]) for n in range(0, len(lines), limit))

    with mock.patch.object(listing, "export", as_one):
        assert heard_of_one_who_revoked_meanwhile(race) == {"grant"}


def test_an_update_that_is_not_released_is_not_accounted_for(race: Race) -> None:
    race.consenting(range(2))
    race.site.settle()
    marta, right = race.site.person("marta"), release.answer

    def unreleased(site: Site, caller: Caller, surface: str, purpose: str, render: Any) -> Any:
        def bare(session: Any) -> Rendered:
            return Rendered(render(session).body)

        return right(site, caller, surface, purpose, bare if surface.endswith(".updates") else render)

    race.ask(marta, "marta", "GET", "/v1/recipient/participants/updates")
    race.accounted(at_least=2)
    with mock.patch.object(listing, "answer", unreleased):
        race.ask(marta, "marta", "GET", "/v1/recipient/participants/updates")
    with pytest.raises(AssertionError, match="shown and not written down"):
        race.accounted(at_least=2)


def test_the_race_is_lost_where_release_does_not_check(race: Race) -> None:
    """Read and render before the revocation, release after it: only the check in `gate.release` stands between."""
    race.owner.execute(without_check(race.owner))
    race.consenting(range(FEW))
    revoke = revoking(race)
    with race.under_way():
        for n in range(FEW):
            race.end(n, revoke, *CARRIED)
    assert race.disclosed_later() > 0
    assert disordered(logged(race.owner)), "the log's order alone tells it"


def test_the_race_is_lost_where_no_row_policy_looks_at_the_gate_either(race: Race) -> None:
    race.owner.execute(without_check(race.owner))
    for (table,) in race.owner.execute(
        "select format('%I.%I', schemaname, tablename) from pg_policies where policyname = 'granted'"
    ).fetchall():
        race.owner.execute(f"alter policy granted on {table} using (party_id = (select gate.party()))")
    race.consenting(range(FEW))
    revoke = revoking(race)
    with race.under_way(), views_stand_still(race):
        for n in range(FEW):
            race.end(n, revoke, *CARRIED)
    assert len(race.too_late()) > FEW
    assert race.disclosed_later() > FEW


def without_check(owner: psycopg.Connection[Any]) -> str:
    """Return `gate.release` with its check cut out."""
    row = owner.execute("select pg_get_functiondef('gate.release'::regproc)").fetchone()
    assert row is not None
    text, cut = re.subn(
        r"if exists \(\s*select from unnest\(participants.*?return false;\s*end if;", "", row[0], flags=re.DOTALL
    )
    assert cut == 1
    return text
