"""Two worlds that tell one partner the same: the same visible acts, and hidden ones that differ freely.

A script is drawn once and played into two sites over HTTP, on clocks that stand still between two acts. What the
partner cannot know is drawn anew in each world: the hidden parts of visible acts (`Hidden`), what happens in the slots
between them, other people's stories, loads of stop records. That the two worlds are equal to the partner follows from
how the script is made, not from any of the program's own rules.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from itertools import chain
from typing import Any, NamedTuple
from urllib.parse import quote, unquote
from uuid import UUID, uuid4, uuid5

import psycopg
import pytest

from domain.event import Envelope
from domain.labels import Label, Reader
from domain.registry import Role
from domain.stop_record import StopRecorded, stop_stream
from services import referrals
from services.clocks import Clocks
from services.findings import Audit
from services.ports import NOBODY
from services.questions import LISTINGS
from services.questions.listing import Asked, cursor_of
from services.register import party_id
from services.site import append
from services.tokens import BadToken, Tokens
from tests.conftest import Database
from tests.site import Person, SiteUnderTest, running_site

BEGIN = datetime(2026, 2, 14, 17, tzinfo=UTC)
END = BEGIN + timedelta(days=60)
"""When the partner asks: every consent of the script that was to run out has."""
SOON, LATE = "2026-04-01", "2026-05-10"
"""The last days of consents that have ended by then, and of items that live."""

VIEWERS = {
    "kim": "city-pd",
    "webb": "transit-pd",
    "chen": "county-pa",
    "marta": "housing-co",
    "judge": "district-court",
    "brooks": "probation",
    "patel": "r-patel",
    "ames": "public-defense",
}
PARTY_OF = VIEWERS | {
    "rossi": "metro-pa",
    "lopez": "clinic-co",
    "dana": "lead-care",
    "luis": "lead-care",
    "grace": "lead-care",
    "noor": "lead-care",
    "rosa": "lead-care",
    "pat": "lead-program",
}
_POLICE = (Label.IDENTITY_LEGAL, Label.ENROLMENT_STATUS, Label.CASE_MANAGER_CONTACT, Label.IIP_PROGRESS)
_OFFICE = (*_POLICE, Label.CHARGE_DIVERTED, Label.CASE_DOCKET, Label.CASE_EFFECT, Label.WARRANT)
_COURT = (*_POLICE, Label.CASE_EFFECT)
_OTHER = (Label.IDENTITY_LEGAL, Label.ENROLMENT_STATUS, Label.CONTACT_PHONE, Label.NEED_HOUSING, Label.IIP_PROGRESS)
LABELS: dict[str, tuple[Label, ...]] = {
    "city-pd": _POLICE,
    "transit-pd": _POLICE,
    "county-pa": _OFFICE,
    "metro-pa": _OFFICE,
    "district-court": _COURT,
    "probation": _COURT,
    "housing-co": _OTHER,
    "clinic-co": _OTHER,
}
_ITEM: dict[str, tuple[Label, str]] = {
    party: (Label.CONTACT_PHONE, "Reach her at 206-555-0142.")
    if party.endswith("-pd")
    else (Label.SUBSTANCE_CURRENT, "Says that he used again in March.")
    for party in LABELS
}
_ITEM["r-patel"] = (Label.CONDUCT_ORDER, "Says that he broke the no-contact order once.")
AUTHORITY = (
    Label.IDENTITY_LEGAL,
    Label.ENROLMENT_STATUS,
    Label.CASE_MANAGER_CONTACT,
    Label.CHARGE_DIVERTED,
    Label.REFERRAL_STATUS,
    Label.IIP_PROGRESS,
)
"""What clients let counsel of record know, beside what it reads by role while it is theirs: all of their consent."""
_SPACE = UUID("0d7c5f52-6a0e-5d0b-9f4d-2c1f5d9a7e11")
_NAMES = [("Ray", "Bell"), ("Ana", "Cruz"), ("Joe", "Dunn"), ("Lena", "Ellis"), ("Omar", "Frost")]
_BORN = ("1985-05-05", "1990-01-31")

BRIEFLY: dict[str, Any] = {"updates_beat_seconds": 0.004, "updates_seconds_most": 0.012, "sweep_seconds": 3600}
"""Settings with which a followed list ends after three short beats, and no clock fires but a world's own."""

Draw = Callable[[random.Random], Any]


@dataclass(frozen=True, slots=True)
class Hidden:
    """A part of a visible act that the partner cannot see: each world draws its own."""

    draw: Draw


@dataclass(frozen=True, slots=True)
class Name:
    """An id, by the name the script gives it; sent as the sender's party knows it."""

    name: str


@dataclass(frozen=True, slots=True)
class Act:
    """Someone sends a command. `{name}` in its path and `Name` in its body are ids; `gives` names those answered."""

    at: float
    who: str
    path: str
    body: dict[str, Any]
    gives: dict[str, str] = field(default_factory=dict)
    key: str | None = None
    """What the ids that it makes derive from; None for a hidden act, whose ids are free."""


@dataclass(slots=True)
class Numbers:
    """Gives a site its new ids: the same for the same visible act."""

    key: str | None = None
    made: int = 0

    def of(self, key: str | None) -> None:
        """Make the ids of one act from now on."""
        self.key, self.made = key, 0

    def __call__(self) -> UUID:
        self.made += 1
        return uuid4() if self.key is None else uuid5(_SPACE, f"{self.key}/{self.made}")


@dataclass(slots=True)
class Heard:
    """An answer as the partner has it: what can be compared byte for byte between the worlds."""

    asked: str
    status: int
    headers: list[tuple[str, str]]
    body: bytes


class Answer(NamedTuple):
    """What came back: headers by their names in small letters."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes


@dataclass(slots=True)
class World:
    """One site, its clock standing still between two acts."""

    site: SiteUnderTest
    owner: psycopg.Connection[Any]
    numbers: Numbers
    chance: random.Random
    clocks: Clocks
    audit: Audit
    people: dict[str, Person] = field(default_factory=dict)
    line: HTTPConnection = field(init=False)
    ids: dict[str, UUID] = field(default_factory=dict)
    bodies: dict[str, dict[str, Any]] = field(default_factory=dict)
    offers: list[dict[str, Any]] = field(default_factory=list)
    sent: list[tuple[str, dict[str, Any], str]] = field(default_factory=list)
    heard: list[Heard] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.line = HTTPConnection(self.site.base_url.removeprefix("http://"), timeout=30)

    def ask(self, who: str, method: str, path: str, body: Any, headers: dict[str, str]) -> Answer:
        """Ask by as little of a client as there is: thousands of questions take it longer than the site."""
        signed = self.person(who)._signed() | ({} if body is None else {"Content-Type": "application/json"})
        compact = json.dumps(body, separators=(",", ":"), ensure_ascii=False)  # a replay is the same bytes, or none
        sent = None if body is None else compact.encode()
        self.line.request(method, quote(path, safe="/?&=%:+,"), sent, signed | headers)
        answer = self.line.getresponse()
        return Answer(answer.status, [(name.lower(), value) for name, value in answer.getheaders()], answer.read())

    def at(self, minutes: float) -> None:
        """Let it be so many minutes after the beginning; what has fallen due by then is written down first."""
        moment = BEGIN + timedelta(minutes=minutes)
        self.site.clock.stand(moment)
        self.clocks.fire()  # so that no command meets such an event half way and draws ids again
        self.audit.beat()

    @contextmanager
    def views_stand_still(self, readers: Iterable[Reader]) -> Iterator[None]:
        """Keep some views from following each act: they take many at once, when they may again."""
        self.site.settle(readers)  # so that they have begun
        patient = "-c idle_in_transaction_session_timeout=0"  # many acts take a busy machine long
        with psycopg.connect(self.site.parts.database.url, options=patient) as standing:
            standing.execute("select from log.view where name = any(%s) for update", [list(readers)])
            yield

    def person(self, who: str) -> Person:
        """Return someone, signed in once."""
        if who not in self.people:
            self.people[who] = self.site.person(who)
        return self.people[who]

    def seal(self, who: str, value: UUID) -> str:
        """Return an id as someone's party knows it."""
        return self.site.parts.site.ids.seal(party_id(PARTY_OF[who]), value)

    def play(self, act: Act, viewer: str) -> None:
        """Send an act; it must succeed. Keep the answer if the viewer sent it."""
        self.at(act.at)
        path = re.sub(r"\{([^}]+)\}", lambda m: self.seal(act.who, self.ids[m[1]]), act.path)
        body = self._filled(act.who, act.body)
        self.numbers.of(act.key)
        answer = self.person(act.who).post(path, body, key=act.key)
        assert answer.status_code == 201, (act.who, act.path, answer.text)
        self.bodies[re.sub(r"\{[^}]+\}", "{}", act.path)] = body
        found = answer.json()
        for name, as_name in act.gives.items():
            text = found[name][0] if isinstance(found[name], list) else found[name]
            opened = self.site.parts.site.ids.open(party_id(PARTY_OF[act.who]), text)
            assert opened is not None
            self.ids[as_name] = opened
        if act.path == "/v1/referrals":
            self.offers.append(body)
        if act.who == "chen":  # what may be found in it is found now, and not when something hidden happens next
            self.audit.beat()
        if act.who == viewer:
            self.sent.append((path, body, act.key or ""))
            plain = Answer(answer.status_code, answer.headers.multi_items(), answer.content)
            self.heard.append(self.compared(viewer, f"POST {act.path} {act.key}", plain))

    def stops(self, number: int, called: str = "") -> None:
        """Load some administrative records; `called`: the same in both worlds."""
        made = [
            StopRecorded(
                party_id=NOBODY,
                occurred_at=BEGIN,
                source="test",
                number=f"{called}/{n}" if called else str(uuid4()),
                precinct="West",
                arrested=False,
            )
            for n in range(number)
        ]
        envelope = Envelope(actor=None, role=Role.SERVICE, agency=NOBODY, correlation_id=uuid4())
        appends = [append(stop_stream(stop.source, stop.number), 0, stop) for stop in made]
        self.site.parts.log.record(appends, envelope)

    def compared(self, viewer: str, asked: str, answer: Answer, searched: str | None = None) -> Heard:
        """Return an answer with its tokens opened: they are sealed with a new nonce each time."""
        tokens, staff = self.site.parts.site.tokens, self._staff(viewer)
        headers = []
        for name, value in answer.headers:
            if name == "position":
                headers.append((name, _opened(tokens, staff, value)))
            elif name != "date":
                headers.append((name, value))
        body = answer.body
        for token in set(re.findall(rb'"next":"([^"]+)"', body)):
            body = body.replace(token, f"{len(token)} long, {self._cursor(staff, token.decode(), searched)}".encode())
        return Heard(asked, answer.status, sorted(headers), body)

    def _cursor(self, staff: UUID, token: str, searched: str | None) -> Any:
        search = None if searched is None else unquote(searched)
        for listing in LISTINGS:
            values = listing.choice.values if listing.choice else ()
            for chosen in (None, False, True, *values):
                with suppress(BadToken):
                    use = cursor_of(listing, Asked(chosen, search))
                    return self.site.parts.site.tokens.open(staff, use, token)
        raise AssertionError("a cursor that opens for no list")

    def _staff(self, viewer: str) -> UUID:
        person = self.site.parts.site.directory.by_subject(viewer)
        assert person is not None
        return person.id

    def _filled(self, who: str, value: Any) -> Any:
        match value:
            case Hidden():
                return self._filled(who, value.draw(self.chance))
            case Name():
                return self.seal(who, self.ids[value.name])
            case dict():
                return {k: self._filled(who, v) for k, v in value.items()}
            case list() | tuple():
                return [self._filled(who, v) for v in value]
            case _:
                return value


def _opened(tokens: Tokens, staff: UUID, position: str) -> str:
    """Return what can be compared of a `Position`; one that is not sealed is compared as it is."""
    try:
        opened = tokens.open(staff, "position", position)
    except BadToken:
        return position
    return f"{len(position)} long, a {type(opened).__name__}"


@contextmanager
def world(db: Database, numbers: Numbers, seed: str, *, observed: bool) -> Iterator[World]:
    """Run a world of its own on a fresh database. `observed`: to the observer, who is told of no incident's number."""
    with (
        running_site(db, **BRIEFLY) as site,
        psycopg.connect(db.owner_url, autocommit=True) as owner,
        pytest.MonkeyPatch.context() as patch,
    ):
        # Random ids, and one made under a key of what is hidden, tell nothing; here they are to be the same in both.
        object.__setattr__(site.parts.site, "new_id", numbers)
        if observed:
            patch.setattr(referrals, "_next_of_incident", lambda *_: numbers())
        made = World(site, owner, numbers, random.Random(seed), Clocks(site.parts.site), Audit(site.parts.site))
        made.at(0)
        for code, name, kind in (
            ("metro-pa", "Metro City Attorney", "prosecutor"),
            ("clinic-co", "Harbor Clinic", "recipient"),
            ("r-quinn", "Another counsel of record", "counsel"),
        ):
            made.person("pat").do("/v1/register/parties", {"code": code, "name": name, "kind": kind})
        for party, name, role, subject in (
            ("metro-pa", "Bea Rossi", "liaison_prosecutor", "rossi"),
            ("clinic-co", "Ivo Lopez", "recipient_contact", "lopez"),
        ):
            body = {"party": party, "name": name, "role": role, "subject": subject}
            made.person("pat").do("/v1/register/staff", body)
        yield made
        made.line.close()


# The script ----------------------------------------------------------------------------------------------------------

_WORDS = ("Grew up here.", "Lost a room two years ago; wants one.", "x" * 150, "Asked about work.")


def words(chance: random.Random) -> str:
    """Return what care writes down for itself."""
    return f"{chance.choice(_WORDS)} {chance.random()}"


def moment(minutes: float) -> str:
    """Return a moment of the script, as a command takes it."""
    return (BEGIN + timedelta(minutes=minutes)).isoformat()


@dataclass(frozen=True, slots=True)
class Step:
    """A place in the shared timetable: a visible act, or a slot that each world fills with hidden acts of its own."""

    at: float
    act: Act | None = None
    slot: str = ""
    person: str = ""


@dataclass(slots=True)
class Script:
    """What one partner is to see, drawn once for both worlds."""

    viewer: str
    chance: random.Random
    steps: list[Step] = field(default_factory=list)
    dark: list[str] = field(default_factory=list)
    """Of whom the viewer holds nothing by consent at the end."""

    @property
    def is_counsel(self) -> bool:
        """True for counsel: to its clients' whole consent it is privy, and to nobody else's."""
        return self.viewer == "patel"

    @property
    def observes(self) -> bool:
        """True for the defender's observer: every diversion is its to see, by pseudonym, and hardly anybody's name."""
        return self.viewer == "ames"

    @property
    def party(self) -> str:
        """The viewer's party."""
        return VIEWERS[self.viewer]

    def draw(self, number: int) -> Script:
        """Draw the stories of some people, interleaved."""
        ends = ("none", "granted", "item", "none", "granted and item", "revoked")
        for n in range(number):
            self._person(f"v{n}", ends[n % len(ends)])
            if ends[n % len(ends)] in ("none", "revoked"):
                self.dark.append(f"v{n}")
        self._person("vlate", "granted", late=True)
        if self.viewer == "chen":
            for n in range(2):  # whether they enrolled, late, is not hers to know
                self._person(f"vcharge{n}", "charge", late=True)
                self._person(f"vsilent{n}", "silent", late=True)
            self._person("vtold", "completed")
        for n in range(3):
            self._referral(f"r{n}")
            if not self.observes:
                self._ask(f"q{n}", None if n else "v1")
        self._of_the_viewer()
        self.steps.sort(key=lambda step: step.at)
        return self

    def _of_the_viewer(self) -> None:
        """Tell of what only readers like the viewer have to do with."""
        if self.viewer == "chen":
            for n in range(2):
                self._case(f"v.nobody{n}", 100.0 + 31 * n, None)
        if self.observes:
            for n, reason in enumerate(("the officer's discretion", "the person declined the offer")):
                arrest = {"code": "90J", "reason": reason}
                self.steps.append(Step(80.0 + n, Act(80.0 + n, "kim", "/v1/arrests", arrest, {}, f"arrest{n}")))
        if self.is_counsel or self.observes:
            for n in range(2):
                self._concern(f"c{n}", None if n else "v1")
        if self.viewer not in ("marta", "patel"):  # public record, to all but these
            for n in range(2):
                self._feed(f"v.feed{n}", 150.0 + 40 * n)

    def _person(self, name: str, end: str, *, late: bool = False) -> None:
        """Tell of someone from the offer on. `late`: its intake comes when the deadline has passed.

        Of `end`: `charge` is the charge without `enrolment.status`, `completed` that closed code without any label,
        and `silent` the same of someone who does not enrol in time.
        """
        chance = self.chance
        own = self.viewer in ("kim", "webb") and (end == "none" or chance.random() < 0.7)
        officer = self.viewer if own else "webb" if self.viewer == "kim" else "kim"
        who = (*chance.choice(_NAMES), chance.choice(_BORN))
        at = chance.uniform(1, 2000)

        def later() -> float:
            nonlocal at
            at = round(at + chance.uniform(5, 600), 3)
            return at

        client = self.is_counsel and end.startswith("granted")
        named = not self.observes or end.startswith("granted")
        way = story(
            name,
            officer,
            "county-pa",
            who,
            own=own,
            viewer=self.viewer,
            at=later,
            late=late,
            client=client,
            named=named,
            enrols=end not in ("charge", "silent"),
        )
        booked = self._booking(name, later) if own else ()
        before = () if client else ("history",)
        tell = self._represented if self.is_counsel else self._named if self.observes else self._told
        told = tell(name, end, later)
        for each in chain(way, before, told, booked):
            if each == "deadline":
                at += 45_000
            elif isinstance(each, str):
                self.steps.append(Step(later(), None, each, name))
            else:
                self.steps.append(Step(each.at, each))
        if self.viewer in ("chen", "ames"):
            for n in range(chance.randrange(3)):
                self._case(f"{name}.case{n}", later(), name)

    def _booking(self, name: str, at: Callable[[], float]) -> Iterator[Act]:
        """Yield what the viewer reports of the custody of someone whom it referred itself."""
        now, number = at(), self.chance.randrange(10**6)
        body = {"participant": Name(name), "booking_number": f"226-{number}", "facility": "County Jail"}
        body |= {"source": "incident report", "source_number": f"I-{number}", "source_on": "2026-02-10"}
        yield Act(now, self.viewer, "/v1/bookings", body, {}, f"{name}/booking")

    def _violation(self, name: str, at: float) -> Act:
        """Return what the viewer alleges against someone who is shown to it."""
        number = self.chance.randrange(10**6)
        body = {"participant": Name(name), "report_number": f"V-{number}", "condition": "reporting"}
        body |= {"source": "court record", "source_number": f"C-{number}", "source_on": "2026-02-10"}
        return Act(at, self.viewer, "/v1/violations", body, {}, f"{name}/violation")

    def _ask(self, name: str, about: str | None) -> None:
        """Ask LEAD about someone by one's own id, or by a name; whether care took it up is each world's own."""
        at = round(self.chance.uniform(2500, 4000), 3)
        given, surname = self.chance.choice(_NAMES)
        body: dict[str, Any] = {"kind": "question", "text": "Can you reach this person?"}
        body |= {"participant": Name(about)} if about else {"name": {"given": given, "surname": surname}}
        gives = {"ask": f"{name}.item"}
        self.steps.append(Step(at, Act(at, self.viewer, "/v1/asks", body, gives, f"{name}/ask")))
        self.steps.append(Step(at + 1, None, "taken_up", name))

    def _told(self, name: str, end: str, at: Callable[[], float]) -> Iterator[Act | str]:
        """Yield what the viewer's party is given and told."""
        person, tells_contacts = f"/v1/participants/{{{name}}}", self.chance.random() < 0.5

        def act(who: str, path: str, body: dict[str, Any], **gives: str) -> Act:
            now = at()
            return Act(now, who, person + path, body, gives, f"{name}{path}/{now}")

        if end in ("completed", "silent"):
            alone = {"party": self.party, "labels": [], "purpose": "that it is done", "notify_completion": True}
            grants = Hidden(lambda hidden: [alone, *others(hidden, self.party)])
            yield act("noor", "/roi", roi(grants), roi=f"{name}.roi")
            yield from ("late_intake", "contact") if end == "silent" else ("life", "contact")
        if end in ("granted", "granted and item", "revoked", "charge"):
            labels = [*LABELS[self.party]] + ([Label.CONTACT_FACT] if tells_contacts else [])
            if end == "charge":
                labels.remove(Label.ENROLMENT_STATUS)
            ours: dict[str, Any] = {"party": self.party, "labels": labels, "purpose": "coordination"}
            ours |= {"notify_completion": True} if self.viewer == "chen" else {}
            grants = Hidden(lambda hidden: [ours, *others(hidden, self.party)])
            yield act("noor", "/roi", roi(grants), roi=f"{name}.roi")
            if self.viewer == "brooks":
                yield self._violation(name, at())
            for _ in range(2):
                yield from ("late_intake", "after") if end == "charge" else ("after",)
                if self.viewer == "chen":  # of her own jurisdiction
                    yield act("rosa", "/warrants", found(f"W-{self.chance.randrange(10**6)}", "county-pa"))
                text = f"Filed form {self.chance.randrange(10_000)}."
                yield act("luis", "/shares", {"party": self.party, "text": text, "labels": [Label.IIP_PROGRESS]})
                if tells_contacts:
                    yield act("dana", "/contacts", contact(reached=self.chance.random() < 0.5))
                else:
                    yield "contact"
        if end in ("item", "granted and item"):
            label, text = _ITEM[self.party]
            item = {"party": self.party, "text": text, "labels": [label], "expires_on": LATE, "counsel_offered": True}
            yield act("dana", "/items", item, share=f"{name}.item")
        if end == "revoked":
            yield act("noor", f"/roi/{{{name}.roi}}/revocations", revocation(self.party))
        yield "after"

    def _represented(self, name: str, end: str, at: Callable[[], float]) -> Iterator[Act | str]:
        """Yield what a client signs for its counsel, and what counsel then hears and does; else what it cannot know."""
        person = f"/v1/participants/{{{name}}}"

        def act(who: str, path: str, body: dict[str, Any], **gives: str) -> Act:
            now = at()
            return Act(now, who, person + path, body, gives, f"{name}{path}/{now}")

        if end in ("granted", "granted and item", "revoked"):
            signed = {"counsel": self.party, "labels": [*AUTHORITY], "expires_on": "2026-12-01"}
            signed |= {"covers_from": moment(0)} if end == "granted" else {}
            yield act("noor", "/counsel", signed)
        if end.startswith("granted"):
            ours = {"labels": [Label.IIP_PROGRESS], "purpose": "coordination"}
            given = [ours | {"party": party} for party in ("city-pd", "housing-co")]
            yield act("noor", "/roi", roi(given, client=True), roi=f"{name}.roi")
            for _ in range(3):
                yield from ("life", "contact", "elsewhere")
                goal = {"kind": "progress", "text": f"Filed form {self.chance.randrange(10_000)}."}
                yield act("dana", "/plan/entries", goal)
            word = {"parties": ["city-pd"], "word_of": "counsel", "medium": "written"}
            yield act(self.viewer, f"/roi/{{{name}.roi}}/revocations", word)
        if end in ("item", "granted and item"):
            label, text = _ITEM[self.party]
            item = {"party": self.party, "text": text, "labels": [label], "expires_on": LATE, "counsel_offered": True}
            yield act("dana", "/items", item, share=f"{name}.item")
        if end == "revoked":
            word_of = Hidden(lambda hidden: hidden.choice(("participant", "counsel")))
            yield act("noor", "/counsel/endings", {"counsel": self.party, "word_of": word_of})
        yield "elsewhere" if end.startswith("granted") else "after"

    def _named(self, name: str, end: str, at: Callable[[], float]) -> Iterator[Act | str]:
        """Yield the ROI that gives the office a name, and its end."""
        person = f"/v1/participants/{{{name}}}"
        if end.startswith("granted") or end == "revoked":
            ours = {"party": self.party, "labels": [Label.IDENTITY_LEGAL], "purpose": "observing"}
            grants = Hidden(lambda hidden: [ours, *others(hidden, self.party)])
            yield Act(at(), "noor", f"{person}/roi", roi(grants), {"roi": f"{name}.roi"}, f"{name}/named")
            yield from ("after", "life", "contact")
        if end == "revoked":
            gone = revocation(self.party)
            yield Act(at(), "noor", f"{person}/roi/{{{name}.roi}}/revocations", gone, {}, f"{name}/dark")
        yield from ("after", "life")

    def _concern(self, name: str, about: str | None) -> None:
        """Raise a concern, which is answered to who raised it."""
        at = round(self.chance.uniform(2500, 4000), 3)
        body: dict[str, Any] = {"text": "A filing that is not typical."}
        body |= {"participant": Name(about)} if about else {}
        gives = {"concern": f"{name}.item"}
        self.steps.append(Step(at, Act(at, self.viewer, "/v1/concerns", body, gives, f"{name}/concern")))
        path, answer = f"/v1/concerns/{{{name}.item}}/answers", {"text": "Under review."}
        self.steps.append(Step(at + 1, Act(at + 1, "pat", path, answer, {}, f"{name}/answer")))

    def _referral(self, name: str) -> None:
        """Refer someone without an arrest; what becomes of it is each world's own."""
        at = round(self.chance.uniform(1, 2000), 3)
        body = {"description": "A man in a grey coat", "name": "Joe Dunn", "reason": "He sleeps in the doorway."}
        path = "/v1/referrals/without-arrest"
        gives = {"referral": f"{name}.referral"}
        self.steps.append(Step(at, Act(at, self.viewer, path, body, gives, f"{name}/without-arrest")))
        self.steps.append(Step(at + 1, None, "became", name))

    def _case(self, name: str, at: float, participant: str | None) -> None:
        at = round(at, 3)
        given, surname = self.chance.choice(_NAMES)
        body = filing(f"26-1-{self.chance.randrange(10**6):06}", given, surname)
        if participant:
            body["participant"] = Name(participant)
        self.steps.append(Step(at, Act(at, "chen", "/v1/cases", body, {"case": name}, f"{name}/case")))
        decision = {"kind": self.chance.choice(("hold in abeyance", "dismiss")), "note": "Ours."}
        decided = round(at + self.chance.uniform(1, 300), 3)
        path = f"/v1/cases/{{{name}}}"
        first = decision | {"ceiling": decision["kind"]}
        self.steps.append(Step(decided, Act(decided, "chen", f"{path}/decisions", first, {}, f"{name}/decision")))
        if self.observes:
            self.steps.append(Step(decided + 0.15, None, "docketed", name))
        beyond, later = {"kind": "proceed as standard"}, decided + 0.2  # and the office is asked why
        self.steps.append(Step(later, Act(later, "chen", f"{path}/decisions", beyond, {}, f"{name}/beyond")))
        heard = {"kind": "pretrial", "starts_at": moment(decided + 100_000), "courtroom": "E-1"}
        act = Act(decided + 0.1, "chen", f"{path}/hearings", heard, {"hearing": f"{name}.hearing"}, f"{name}/hearing")
        self.steps.append(Step(act.at, act))
        warrant = found(f"W-{name}", None) | {"defendant": body["defendant"], "docket": body["docket"]}
        self.steps.append(Step(decided, Act(decided, "chen", "/v1/warrants", warrant, {}, f"{name}/warrant")))

    def _feed(self, name: str, at: float) -> None:
        """Let a court tell everyone of a case, a hearing and a warrant of someone, whoever is in LEAD."""
        given, surname = self.chance.choice(_NAMES)
        body = entry(f"26-2-{self.chance.randrange(10**6):06}", given, surname)
        warrant = found(f"W-{name}", "county-pa") | {"defendant": body["defendant"], "docket": body["docket"]}
        heard = {"kind": "arraignment", "starts_at": moment(at + 90_000)}
        ended = {"outcome": "recalled", "ended_on": "2026-02-20"}
        for n, (path, said, gives) in enumerate(
            (
                ("/v1/court/cases", body, {"case": f"{name}.case"}),
                ("/v1/warrants", warrant, {"warrant": f"{name}.warrant"}),
                (f"/v1/cases/{{{name}.case}}/hearings", heard, {"hearing": f"{name}.hearing"}),
                (f"/v1/warrants/{{{name}.warrant}}/endings", ended, dict[str, str]()),
            )
        ):
            now = at + 10_000 * n
            self.steps.append(Step(now, Act(now, "judge", path, said, gives, f"{name}/{path}")))


def story(
    name: str,
    officer: str,
    office: str,
    who: tuple[str, str, str],
    *,
    own: bool,
    viewer: str,
    at: Callable[[], float],
    late: bool = False,
    client: bool = False,
    named: bool = True,
    enrols: bool = True,
) -> Iterator[Act | str]:
    """Yield a person's way from the offer to enrolment, and the slots in it. `own`: the officer is the viewer.

    `client`: the viewer is the person's counsel. `named`: not to an observer's eyes by pseudonym alone. `enrols`:
    whoever does not may do so in one world and not in the other.
    What only an officer knows is hidden from everyone else; incident and charge reach the prosecutor's office.
    """
    given, surname, born = who
    said = "As it was." if own else Hidden(words)
    charge: dict[str, Any] = {
        "code": "23C",
        "description": "Shoplifting",
        "severity": "misdemeanor",
        "prosecutor": office,
    }
    observed = viewer == "ames"
    person_of: Any = {"given": given, "surname": surname, "birth_date": born}
    offer: dict[str, Any] = {
        "door": "arrest_diversion",
        "person": person_of if named else Hidden(lambda hidden: person_of | {"surname": f"B-{hidden.random()}"}),
        "incident_number": Hidden(lambda hidden: f"I-{hidden.random()}") if observed else f"I-{name}",
        "place": "3rd and Pine" if own else Hidden(words),
        "facts": said,
        "unit": "Unit 3" if observed else said,
        "charges": [charge | {"race_as_perceived": "Unknown" if own or observed else Hidden(words)}],
    }

    def act(by: str, path: str, body: dict[str, Any], **gives: str) -> Act:
        now = at()
        return Act(now, by, path, body, gives, f"{name}/{path}")

    yield act(officer, "/v1/referrals", offer, participant=name, referral=f"{name}.referral", charges=f"{name}.charge")
    referral, person = f"/v1/referrals/{{{name}.referral}}", f"/v1/participants/{{{name}}}"
    if not client:
        yield "call"
    met = at()
    called = moment(met - 2) if client else Hidden(lambda hidden: moment(met - hidden.uniform(0, 4)))
    yield Act(met, "dana", f"{referral}/handoff", {"requested_at": called}, {}, f"{name}/handoff")
    yield "contact"
    yield act("dana", f"{referral}/acceptance", {"found_at": Hidden(words)})
    front = False if own else Hidden(lambda hidden: hidden.random() < 0.5)
    yield act(officer, f"{referral}/release", {"in_presence_of_codefendants": front})
    until = "2026-05-15" if client else Hidden(lambda hidden: f"2026-05-{hidden.randrange(1, 28):02}")
    if not late:
        yield act("luis", f"{referral}/extensions", {"until": until, "reason": Hidden(words)})
        yield act(officer, f"{referral}/extension-agreements", {"until": "2026-05-20"})
    yield act("noor", f"{person}/assignment", {"case_manager": "dana"})
    yield "contact"
    yield act("noor", f"{person}/roi", roi([], client=client), roi=f"{name}.roi")
    if late:
        yield "deadline"
    if not enrols:
        yield "late_intake"
        return
    phone = "206-555-0142" if viewer == "marta" else Hidden(lambda hidden: f"206-555-{hidden.randrange(10_000):04}")
    yield act("dana", f"{person}/intake", {"narrative": Hidden(words), "race_self": Hidden(words), "phone": phone})


def roi(
    grants: Any, last_day: str | None = None, struck_out: tuple[str, ...] = (), *, client: bool = False
) -> dict[str, Any]:
    """Return the body of a signed ROI; but for the grants to the viewer nothing of it is a partner's to know.

    `client`: it is all its viewer's to know, who is counsel.
    """
    form: dict[str, Any] = {
        "expires_on": Hidden(lambda hidden: f"2026-{hidden.randrange(9, 13):02}-01"),
        "form_version": Hidden(words),
        "explained_by": Hidden(words),
        "language": Hidden(lambda hidden: hidden.choice(("English", "Spanish"))),
    }
    if client:
        form = {"expires_on": "2026-12-01", "form_version": "1", "explained_by": "Dana", "language": "English"}
    return form | {
        "expires_on": last_day or form["expires_on"],
        "struck_out": list(struck_out),
        "grants": grants,
        "warned": ["county-pa", "metro-pa"],
    }


def others(chance: random.Random, viewer_party: str) -> list[dict[str, Any]]:
    """Return grants to some parties that are not the viewer's."""
    named = chance.sample([party for party in LABELS if party != viewer_party], chance.randrange(1, 5))
    return [{"party": party, "labels": [*LABELS[party]], "purpose": f"help {chance.random()}"} for party in named]


def contact(*, reached: bool) -> dict[str, Any]:
    """Return the body of a contact, of which a partner may know at most that it took place."""
    return {
        "kind": Hidden(lambda hidden: hidden.choice(("visit", "jail visit", "hospital visit", "phone"))),
        "reached": reached,
        "note": Hidden(words),
        "location": Hidden(words),
        "current_use": Hidden(words),
        "health": Hidden(words),
    }


MEETS = {"signs": ["sleeping in doorways"], "related": ["extreme poverty"], "response_expected": True}
PUBLIC = {"description": "A woman by the bank", "reason": "She is there every night."}
CALL: dict[str, Any] = {
    "department": "city-pd",
    "officer": "Officer Doe",
    "incident_number": "C-0",
    "charges": [{"code": "23C", "description": "Shoplifting", "severity": "misdemeanor", "prosecutor": "metro-pa"}],
}


def revocation(*parties: str) -> dict[str, Any]:
    """Return the body of a revocation for these parties, or for all."""
    return {
        "parties": list(parties) or None,
        "word_of": Hidden(lambda hidden: hidden.choice(("participant", "counsel"))),
        "medium": Hidden(lambda hidden: hidden.choice(("oral", "written"))),
        "counsel": Hidden(words),
    }


def filing(docket: str, given: str, surname: str) -> dict[str, Any]:
    """Return the body of a filing notice."""
    return {
        "docket": docket,
        "defendant": {"given": given, "surname": surname, "birth_date": "1985-05-05"},
        "charges": [{"code": "90J", "description": "Trespass", "severity": "misdemeanor"}],
        "offense_on": "2026-01-05",
        "filed_on": "2026-01-20",
        "received_at": moment(0),
    }


def entry(docket: str, given: str, surname: str) -> dict[str, Any]:
    """Return the body of a case on a court's own docket."""
    kept = ("docket", "defendant", "charges", "filed_on")
    return {name: value for name, value in filing(docket, given, surname).items() if name in kept}


def found(number: str, prosecutor: str | None) -> dict[str, Any]:
    """Return the body of a warrant, of an office's jurisdiction or of nobody's here."""
    warrant = {"number": number, "kind": "bench", "court": "Court", "issued_on": "2025-09-12"}
    return warrant | {"prosecutor": prosecutor}


# What each world fills in --------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Filling:
    """The hidden acts of one world."""

    script: Script
    chance: random.Random
    acts: list[Act] = field(default_factory=list)
    hidden: int = 0
    strangers: list[str] = field(default_factory=list)
    enrolled: set[str] = field(default_factory=set)

    def fill(self, people: int) -> list[Act]:
        """Return every act of the world in the order of time: the visible ones and its own hidden ones."""
        for step in self.script.steps:
            if step.act is not None:
                self.acts.append(step.act)
            else:
                getattr(self, f"_{step.slot}")(step.person, step.at)
        for _ in range(self.chance.randrange(4)):  # no more than one address may send in an hour
            self._add(self.chance.uniform(1, 2000), "dana", "/v1/public/referrals", PUBLIC)
        for _ in range(people):
            called = CALL | {"incident_number": f"C-{self.chance.randrange(10**9)}"}
            called["department"] = "transit-pd" if self.script.viewer == "kim" else "city-pd"
            gives = {"referral": f"h{self.chance.randrange(10**9)}.referral"}
            self._add(self.chance.uniform(1, 2000), "dana", "/v1/referrals/by-telephone", called, **gives)
            if not self.script.observes:  # who sees every diversion has no strangers
                self._stranger()
                self._stranger(offered_only=True)
        self._merges()
        return sorted(self.acts, key=lambda act: act.at)

    def _add(self, at: float, who: str, path: str, body: dict[str, Any], **gives: str) -> None:
        self.acts.append(Act(at, who, path, body, gives))

    def _call(self, name: str, at: float) -> None:
        """The call that care writes down or not: nobody else hears whether the minutes were kept."""
        if self.chance.random() < 0.5:
            self._add(at, "dana", f"/v1/referrals/{{{name}.referral}}/handoff-requests", {})

    def _taken_up(self, name: str, at: float) -> None:
        """What became of an ask: who asked hears nothing of it."""
        if self.chance.random() < 0.5:
            how = self.chance.choice(("share", "call", "noted"))
            self._add(at, "dana", f"/v1/asks/{{{name}.item}}/handling", {"how": how})

    def _became(self, name: str, at: float) -> None:
        """What became of a referral without an arrest: nothing yet, or any end that it can have."""
        path, how = (
            f"/v1/referrals/{{{name}.referral}}",
            self.chance.choice(("waits", "accepted", "withdrawn", "unreachable", "not accepted", "offer declined")),
        )
        if how == "waits":
            return
        who = {"person": {"given": "Joe", "surname": self.chance.choice(("Dunn", "Kane")), "birth_date": "1985-05-05"}}
        self._add(at + 0.001, "dana", f"{path}/identification", who, participant=f"{name}.referred")
        if self.script.viewer not in ("chen", "judge", "brooks"):  # an office's or a court's referral is not screened
            self._add(at + 0.002, "luis", f"{path}/screening", MEETS)
        self._add(at + 0.003, "noor", f"{path}/vetting", {"codes": ["go in pairs"]})
        self._add(at + 0.004, "dana", f"/v1/participants/{{{name}.referred}}/contacts", contact(reached=True))
        if how == "accepted":
            self._add(at + 0.005, "dana", f"{path}/acceptance", {"found_at": Hidden(words)})
        else:
            reason = {"reason": "served elsewhere"} if how == "not accepted" else {}
            self._add(at + 0.005, "dana", f"{path}/decline", {"how": how, **reason})

    def _contact(self, name: str, at: float) -> None:
        """Contacts that no grant to the viewer covers: before its period, or it does not name that label."""
        for n in range(self.chance.randrange(3)):
            who = self.chance.choice(("dana", "luis"))
            body = contact(reached=self.chance.random() < 0.5)
            self._add(at + 0.001 * n, who, f"/v1/participants/{{{name}}}/contacts", body)

    def _history(self, name: str, at: float, ends: str | None = None) -> None:
        """What became of the viewer's consent before: nothing of it is left."""
        self.hidden += 1
        person, party = f"/v1/participants/{{{name}}}", self.script.party
        if self.script.is_counsel:
            self._represented_before(name, at)
            return
        if self.script.observes:
            self._named_before(name, at)
            return
        ours = {"party": party, "labels": [*LABELS[party]], "purpose": "long ago"}
        label, text = _ITEM[party]
        item = {"party": party, "text": text, "labels": [label], "expires_on": SOON, "counsel_offered": True}
        kind = ends or self.chance.choice(
            ("never", "revoked", "expired", "struck out", "withdrawn", "ran out", "twice")
        )
        told = {"party": party, "text": f"Met {self.chance.random()}.", "labels": [Label.IIP_PROGRESS]}
        match kind:
            case "revoked" | "twice":
                for n in range(2 if kind == "twice" else 1):
                    now, called = at + 0.1 * n, f"{name}.roi"
                    body = roi([ours, *others(self.chance, party)])
                    self._add(now + 0.01, "noor", f"{person}/roi", body, roi=called)
                    self._add(now + 0.02, "dana", f"{person}/shares", told)
                    self._add(now + 0.03, "dana", f"{person}/items", item)
                    gone = revocation(party) if self.chance.random() < 0.5 else revocation()
                    self._add(now + 0.04, "noor", f"{person}/roi/{{{called}}}/revocations", gone)
            case "expired":
                self._add(at + 0.01, "noor", f"{person}/roi", roi([ours], SOON), roi=f"{name}.roi")
                self._add(at + 0.02, "dana", f"{person}/shares", told)
            case "struck out":
                body = roi(others(self.chance, party), struck_out=(party,))
                self._add(at + 0.01, "noor", f"{person}/roi", body, roi=f"{name}.roi")
            case "withdrawn":
                self._add(at + 0.01, "dana", f"{person}/items", item, share=f"{name}.gone")
                self._add(at + 0.02, "dana", f"{person}/items/{{{name}.gone}}/withdrawals", {})
            case "ran out":
                self._add(at + 0.01, "dana", f"{person}/items", item)
            case _:
                pass

    def _named_before(self, name: str, at: float) -> None:
        """What became of a consent that gave the office the name before: nothing of it is left."""
        person, party = f"/v1/participants/{{{name}}}", self.script.party
        ours = {"party": party, "labels": [Label.IDENTITY_LEGAL], "purpose": "long ago"}
        kind = self.chance.choice(("never", "revoked", "expired"))
        if kind != "never":
            body = roi([ours, *others(self.chance, party)], SOON if kind == "expired" else None)
            self._add(at + 0.01, "noor", f"{person}/roi", body, roi=f"{name}.roi")
        if kind == "revoked":
            self._add(at + 0.02, "noor", f"{person}/roi/{{{name}.roi}}/revocations", revocation(party))

    def _represented_before(self, name: str, at: float) -> None:
        """What became of counsel's authority before, or that it is another's client: nothing of it is the viewer's."""
        person, party = f"/v1/participants/{{{name}}}", self.script.party
        signed: dict[str, Any] = {"counsel": party, "labels": [*AUTHORITY], "expires_on": "2026-12-01"}
        signed |= {"covers_from": moment(0)}
        label, text = _ITEM[party]
        item = {"party": party, "text": text, "labels": [label], "expires_on": SOON, "counsel_offered": True}
        match self.chance.choice(("never", "ended", "expired", "another's", "ran out")):
            case "ended":
                self._add(at + 0.01, "noor", f"{person}/counsel", signed)
                self._add(at + 0.02, "dana", f"{person}/items", item)
                self._add(at + 0.03, "noor", f"{person}/counsel/endings", {"counsel": party, "word_of": "participant"})
            case "expired":
                self._add(at + 0.01, "noor", f"{person}/counsel", signed | {"expires_on": SOON})
            case "another's":
                self._add(at + 0.01, "noor", f"{person}/counsel", signed | {"counsel": "r-quinn"})
            case "ran out":
                self._add(at + 0.01, "dana", f"{person}/items", item)
            case _:
                pass

    def _after(self, name: str, at: float) -> None:
        """What goes to others, and what others do."""
        person, party = f"/v1/participants/{{{name}}}", self.script.party
        for n in range(self.chance.randrange(3)):
            now = at + 0.01 * n
            label, text = _ITEM["clinic-co"]
            mate = self.chance.choice([p for p in LABELS if p not in (party, "clinic-co")])
            item = {"party": "clinic-co", "text": text, "labels": [label], "expires_on": LATE, "counsel_offered": True}
            grant = {"party": mate, "labels": [*LABELS[mate]], "purpose": f"help {self.chance.random()}"}
            match self.chance.randrange(5):
                case 3 | 4:
                    self._elsewhere(name, now)
                case 0:
                    self._add(now + 0.001, "luis", f"{person}/items", item)
                case 1:
                    change = roi([grant])
                    del change["struck_out"]
                    self._add(now + 0.001, "noor", f"{person}/roi/{{{name}.roi}}/amendments", change)
                    told = {"party": mate, "text": f"Asked {self.chance.random()}.", "labels": [Label.IIP_PROGRESS]}
                    self._add(now + 0.002, "dana", f"{person}/shares", told)
                    if mate == "metro-pa" and not self.script.observes:
                        body = filing(f"M-{self.chance.randrange(10**9)}", "Ray", "Bell")
                        self._add(now + 0.003, "rossi", "/v1/cases", body | {"participant": Name(name)})
                case _:
                    gone = revocation(mate)
                    self._add(now + 0.001, "noor", f"{person}/roi/{{{name}.roi}}/revocations", gone)

    def _elsewhere(self, name: str, at: float) -> None:
        """What care found elsewhere, or what another office keeps."""
        person, number = f"/v1/participants/{{{name}}}", self.chance.randrange(10**9)
        if self.chance.random() < 0.5:
            office = self.chance.choice((None, "metro-pa"))
            self._add(at + 0.001, "rosa", f"{person}/warrants", found(f"W-{number}", office))
            away = {"court": "Enumclaw", "docket": f"C-{number}", "prosecutor": office}
            self._add(at + 0.002, "rosa", f"{person}/cases", away)
            return
        called = f"{name}.case{number}"
        body = filing(f"M-{number}", "Ray", "Bell")
        self._add(at + 0.001, "rossi", "/v1/cases", body, case=called)
        heard = {"kind": "trial", "starts_at": moment(at + 50_000)}
        self._add(at + 0.002, "rossi", f"/v1/cases/{{{called}}}/hearings", heard)
        theirs = found(f"W-{number}", None) | {"defendant": body["defendant"], "docket": body["docket"]}
        self._add(at + 0.003, "rossi", "/v1/warrants", theirs, warrant=f"{name}.warrant{number}")

    def _late_intake(self, name: str, at: float) -> None:
        """An intake when the deadline has passed: the person enrols, and the charge is not latched."""
        if name not in self.enrolled and self.chance.random() < 0.4:
            self.enrolled.add(name)
            self._add(at, "dana", f"/v1/participants/{{{name}}}/intake", {"narrative": words(self.chance)})

    def _docketed(self, name: str, at: float) -> None:
        """What else lies on a case's stream, between two decisions: an observer reads of the decisions alone."""
        for n in range(self.chance.randrange(4)):
            heard = {"kind": "trial", "starts_at": moment(at + 50_000 + n)}
            self._add(at + 0.001 * n, "chen", f"/v1/cases/{{{name}}}/hearings", heard)

    def _life(self, name: str, at: float) -> None:
        """What only care, or who is told, may know of someone enrolled, whoever holds a grant."""
        person = f"/v1/participants/{{{name}}}"
        match self.chance.randrange(6):
            case 0 if self.script.is_counsel:  # each of its clients gave that to them
                told = {"party": "housing-co", "text": words(self.chance), "labels": [Label.IIP_PROGRESS]}
                self._add(at, "dana", f"{person}/shares", told)
            case 1:
                self._add(at, "dana", f"{person}/aliases", {"alias": f"Sunny {self.chance.random()}"})
            case 2:
                spent = {"purpose": "debt", "what": "A fine", "cents": 1 + self.chance.randrange(9999)}
                self._add(at, "noor", f"{person}/funds", spent | {"other_pools": ["none left"], "waitlist": "none"})
            case 3:
                goal = {"kind": "goal", "dimension": "home", "text": words(self.chance)}
                self._add(at, "dana", f"{person}/plan", {"review_on": "2026-04-10"})
                self._add(at + 0.0001, "dana", f"{person}/plan/entries", goal, entry=f"{name}.goal{self.hidden}")
                self._add(
                    at + 0.0002, "dana", f"{person}/plan/goals/{{{name}.goal{self.hidden}}}/endings", {"how": "reached"}
                )
            case 4:
                kind = self.chance.choice(("challenge", "barrier", "housing", "family"))
                self._add(at, "dana", f"{person}/plan/entries", {"kind": kind, "text": words(self.chance)})
            case _:
                pass

    def _fate(self, name: str, at: float) -> None:
        """What becomes of someone of whom the viewer holds nothing by consent."""
        person = f"/v1/participants/{{{name}}}"
        named = {"given": "Rae", "surname": f"Bell-{self.chance.randrange(10**6)}"}
        gone = {"ground": "sustained lack of engagement", "tried": words(self.chance)}
        match self.chance.randrange(5):
            case 0:
                self._add(at, "dana", f"{person}/discharge", gone)
            case 1:
                self._add(at, "dana", f"{person}/discharge", gone)
                self._add(at + 0.1, "dana", f"{person}/return", {})
            case 2:
                self._add(at, "noor", f"{person}/death", {"died_at": moment(at - 1)})
            case 3:
                self._add(at, "luis", f"{person}/name", named)
                self._add(at + 0.1, "luis", f"{person}/phone", {"phone": "206-555-0147", "shared": True})
            case _:
                pass

    def _merges(self) -> None:
        """Merge strangers into whomever, and take some apart again; then tell what became of those in the dark."""
        everyone = [act.gives["participant"] for act in self.acts if act.path == "/v1/referrals"]
        offered_only = [name for name in everyone if name.startswith("h") and name not in self.strangers]
        for n, away in enumerate(offered_only):
            kept, at = self.chance.choice([name for name in everyone if name not in offered_only]), 30_000.0 + 10 * n
            self._add(
                at, "noor", f"/v1/participants/{{{kept}}}/merges", {"other": Name(away), "why": words(self.chance)}
            )
            if self.chance.random() < 0.5:
                self._add(at + 1, "noor", f"/v1/participants/{{{away}}}/unmerging", {"why": words(self.chance)})
        for n, name in enumerate([*self.script.dark, *self.strangers]):
            self._fate(name, 40_000.0 + 10 * n)

    def _stranger(self, *, offered_only: bool = False) -> None:
        """Play someone of whom the viewer has nothing at all."""
        viewer, chance = self.script.viewer, self.chance
        name = f"h{chance.randrange(10**9)}"
        officer = "webb" if viewer == "kim" else "kim"
        at = chance.uniform(1, 2000)

        def later() -> float:
            nonlocal at
            at += chance.uniform(5, 300)
            return at

        given, surname = chance.choice(_NAMES)  # half of them share it with someone whom the viewer knows
        who = (given, chance.choice((surname, f"{surname}-{chance.randrange(10**6)}")), chance.choice(_BORN))
        for each in story(name, officer, "metro-pa", who, own=False, viewer="", at=later):
            if isinstance(each, str):
                getattr(self, f"_{each}")(name, later())
            else:
                self.acts.append(Act(each.at, each.who, each.path, each.body, each.gives))
            if offered_only:
                return
        self.strangers.append(name)
        self._history(name, later())
        self._after(name, later())
        self._contact(name, later())
