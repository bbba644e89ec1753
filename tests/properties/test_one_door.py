"""No disclosure without its record: whatever leaves, by whatever way there is, was written down before it left.

Every text that can be written down holds a canary of its own. Whoever may ask anything asks everything, by every route
of the router, while what is sent is watched: at the very moment a piece of an answer is about to be sent, another
connection reads what has been committed of it. A canary that is not the caller's own contribution, nor public record,
must stand in the record by then: with its label, for the participant whose it is.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock
from uuid import UUID, uuid4

import psycopg
import pytest
from fastapi import FastAPI, Response
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.types import ASGIApp, Message, Receive, Scope, Send

import tests.site
from adapters.http.app import create_app
from adapters.postgres.sealer import Sealer
from domain.event import TOPICS, Event, labels_of
from domain.labels import Basis, Fact, Label, Shown, Viewer, decide
from domain.registry import READER_OF, READS_AS, staff_stream
from projections.views import VIEWS
from services import release
from services.directory import Staff
from services.ports import Caller, Disclosed
from services.questions import FIGURES, LISTINGS, case_manager, listing
from services.questions.listing import Listing
from services.relay import CARRIED, Out, Relay
from services.release import Rendered
from services.site import Site
from tests.adapters import test_telemetry as telemetry
from tests.adapters.http.conftest import every_command
from tests.conftest import Database
from tests.site import Person, SiteUnderTest, running_site, searching

ROOT = Path(__file__).parents[2]

pytestmark = [pytest.mark.server, pytest.mark.timeout(1200)]  # to walk every route takes a busy machine minutes

CANARY = telemetry.CANARY
HEARD = re.compile(rf"{CANARY} \w+(?: of [\w ]+)?\.")
LINKED = {"given", "surname", "incident_number", "docket", "case_number", "code", "name", "subject"}
"""Texts by which commands name the same thing, or the same person."""
OF_NOBODY = {Label.REGISTRY, Label.ROSTER, Label.STOP_RECORD}
"""What is about no participant: the site's parties, rules and duties; stops, whose records name nobody."""
COUNTS = {f"/v1/{each.path}{how}" for each in FIGURES for how in ("", ".csv", "/updates")}
COUNTED = {"precinct", "race_as_perceived", "race_self"}
"""By what figures count: they tell of groups, and of nobody."""
REDIRECTS = {("GET", "/sign-in"), ("GET", "/sign-in/callback")}
"""They send a browser on before anybody is known, and answer nothing."""
OF_ITS_OWN = {"GiveAccess": {"subject": "r.bell"}}
FREE = {Basis.OWN, Basis.NOTICE, Basis.PUBLIC}
"""What a party has of its own, was told of by the protocol, or reads on a public docket: consent never touches it."""
PEOPLE = (*telemetry.PEOPLE, "rosa", "brooks", "lang", "luis")
STREAMED = ("city-pd", "county-pa", "housing-co", "probation")
MOST = 4
"""About how much of a kind that is no participant each is asked."""
OBSERVED = {"party": "public-defense", "labels": ["identity.legal"], "purpose": "oversight"}
ID = re.compile(r"\b[a-z2-7]{26}\b")


class Line(NamedTuple):
    """One committed line of the record."""

    position: int
    participant: UUID
    labels: frozenset[str]


class Piece(NamedTuple):
    """A piece of an answer that was about to be sent, and what had been committed of it since the one before."""

    method: str
    route: str
    path: str
    status: int
    subject: str
    canaries: frozenset[str]
    lines: tuple[Line, ...]


class Planted(NamedTuple):
    """One place in the log where a canary stands: in a field of this name."""

    participant: UUID | None
    name: str
    fact: Fact


@dataclass(slots=True)
class Watch:
    """Stands around the application, where its answers leave."""

    url: str
    heard: list[Piece] = field(default_factory=list)
    issuer: Any = None
    app: Any = None
    record: Any = None

    def around(self, app: FastAPI) -> ASGIApp:
        """Return the application, watched."""
        self.app = app

        async def watched(scope: Scope, receive: Receive, send: Send) -> None:
            correlation, seen = uuid4(), 0
            told = [(name, value) for name, value in scope["headers"] if name != b"x-correlation-id"]
            scope["headers"] = [*told, (b"x-correlation-id", str(correlation).encode())]
            status = 0

            async def noted(message: Message) -> None:
                nonlocal status, seen
                if message["type"] == "http.response.start":
                    status = message["status"]
                elif text := message.get("body", b"").decode():
                    lines = self.committed("correlation_id = %s and position > %s", correlation, seen)
                    seen = max([seen, *(line.position for line in lines)])
                    route = str(getattr(scope.get("route"), "path", scope["path"]))
                    who = self._who(dict(scope["headers"]))
                    self.hear(Piece(scope["method"], route, scope["path"], status, who, canaries(text), lines))
                await send(message)

            await app(scope, receive, noted)

        return watched

    def hear(self, piece: Piece) -> None:
        """Keep a piece."""
        self.heard.append(piece)

    def committed(self, condition: str, *values: Any) -> tuple[Line, ...]:
        """Return lines of the record that another connection than the site's reads now."""
        if self.record is None:
            self.record = psycopg.connect(self.url, autocommit=True)
        found = self.record.execute(
            f"select position, participant_id, labels from log.disclosure where {condition} order by position", values
        )
        return tuple(Line(position, who, frozenset(labels.split())) for position, who, labels in found.fetchall())

    def _who(self, headers: dict[bytes, bytes]) -> str:
        token = headers.get(b"authorization", b"").decode().removeprefix("Bearer ")
        return str(self.issuer.identity(token).subject) if token else ""


def canaries(text: str) -> frozenset[str]:
    """Return the canaries in a text."""
    return frozenset(HEARD.findall(text))


def planter() -> Callable[..., dict[str, Any]]:
    """Return what people send: the documentation's examples, with a canary of its own for every free text."""
    given: dict[str, int] = {}

    def body(name: str, **ids: Any) -> dict[str, Any]:
        given[name] = given.get(name, 0) + 1

        def own(value: Any) -> Any:
            match value:
                case dict():
                    return {key: own(each) for key, each in value.items()}
                case list():
                    return [own(each) for each in value]
                case str() if value.startswith(CANARY):
                    what = value.removeprefix(f"{CANARY} ")
                    return f"{CANARY} {what}." if what in LINKED else f"{CANARY} {what} of {name} {given[name]}."
                case _:
                    return value

        found: dict[str, Any] = own(telemetry.body(name))
        return found | OF_ITS_OWN.get(name, {}) | ids

    return body


# Asking everything ---------------------------------------------------------------------------------------------------


def routes_of(app: FastAPI) -> list[tuple[str, str]]:
    """Return every route of a router, as (method, path)."""
    found = [route for route in app.routes if isinstance(route, APIRoute)]
    return sorted((method, route.path) for route in found for method in route.methods or ())


def undriven(app: FastAPI, heard: list[Piece]) -> set[tuple[str, str]]:
    """Return the routes that never answered anybody: of these nothing is known."""
    answered = {(piece.method, piece.route) for piece in heard if piece.status < 300}
    return set(routes_of(app)) - answered - REDIRECTS


LISTED: dict[str, Listing] = {f"/v1/{each.path}": each for each in LISTINGS}


def ways(path: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield the ways to ask by one route that names nobody: paths with their queries, and headers."""
    yield path, {}
    listed = LISTED.get(path.removesuffix(".csv").removesuffix("/updates"))
    if listed is not None:
        choice = listed.choice
        for value in (choice.values or ("true",)) if choice else ():
            yield f"{path}?{choice.name if choice else ''}={value}", {}
        yield path, searching(CANARY)
    if path in LISTED:
        yield f"{path}?limit=1", {}
    if path.endswith(("/trace", "/as-of")):
        yield f"{path}?party=city-pd", {}


def walk(lead: SiteUnderTest, app: FastAPI, subjects: tuple[str, ...]) -> None:  # noqa: C901 - one after the other
    """Let each of these people ask by every route that reads, about everyone of whom they hear."""
    lead.settle()
    parts, site = lead.parts, lead.parts.site
    url, key = parts.database.login("sealer"), parts.database.secrets.checkpoint_key
    Sealer(url, key, site.seals.origin, padding=16, leaves=parts.leaves).checkpoint()  # what is sealed can be asked for
    for subject in subjects:
        person, refused = lead.person(subject), set[str]()
        staff = site.directory.by_subject(subject)
        if staff is None:  # ended, in the course of the story
            continue
        gets = [path for method, path in routes_of(app) if method == "GET"]

        def ask(
            path: str, how: dict[str, str] | None = None, person: Person = person, refused: set[str] = refused
        ) -> str:
            first = path.split("/")[2] if path.startswith("/v1/") else path
            if first in refused:
                return ""
            answer = person.get(path, **(how or {}))
            if answer.status_code == 403 and first != "participants":
                refused.add(first)
            return answer.text

        told = "\n".join(ask(way, how) for path in gets if "{" not in path for way, how in ways(path))
        known = dict.fromkeys(ID.findall(told))
        people = [text for text in known if _is_participant(site, staff.party, text)]
        for path in gets:
            if "{" in path:
                for filled in _filled(path, people, ask):
                    for way, how in ways(filled):
                        ask(way, how)
        if "police" not in refused:
            for asked in (telemetry.LOOKUP, {name: f"{value}." for name, value in telemetry.LOOKUP.items()}):
                person.client.post("/v1/police/lookups", json=asked, headers=person._signed())


def _filled(path: str, people: list[str], ask: Callable[[str], str]) -> Iterator[str]:
    """Yield a path about each participant, and about some of what the question above it tells of."""
    above, name, below = re.split(r"/\{(\w+)\}", path, maxsplit=1)
    about = people if name == "participant" else list(dict.fromkeys(ID.findall(ask(above))))[-MOST:]
    for one in about:
        if "{" in below:
            yield from _filled(f"{above}/{one}{below}", people, ask)
        else:
            yield f"{above}/{one}{below}"


def _is_participant(site: Site, party: UUID, text: str) -> bool:
    found = site.ids.open(party, text)
    return found is not None and bool(site.log.history(found))


def beat(lead: SiteUnderTest, watch: Watch) -> None:
    """Tell every party by stream what there is to tell, and let each ask for its keys."""
    asked: dict[str, list[str]] = {}
    before = max((line.position for line in watch.committed("true")), default=0)

    def send(_: datetime, outs: Any) -> None:
        found: list[Out] = list(outs)
        party = found[0].party
        lines = watch.committed("surface = 'stream' and party_id = %s and position > %s", party.id, before)
        text = json.dumps([[getattr(out.row, name) for name in CARRIED] for out in found if out.row], default=str)
        watch.hear(Piece("SEND", "stream", party.code, 200, f"{party.code}-stream", canaries(text), lines))
        asked[party.code] = [out.key_id for out in found if out.row]

    relay = Relay(lead.parts.site, send, lambda *_: None, lambda parties: frozenset(party.id for party in parties))
    relay.beat()
    assert any(asked.values()), "nothing was told by stream"
    for party, keys in asked.items():
        if keys:
            person = lead.person(f"{party}-stream")
            given = person.client.post("/v1/stream/keys", json={"keys": keys}, headers=person._signed())
            assert given.status_code == 200, given.text


# What is wrong with what was heard -----------------------------------------------------------------------------------


def planted(site: Site) -> dict[str, list[Planted]]:
    """Return where in the log each canary stands."""
    found: dict[str, list[Planted]] = {}
    for recorded in site.log.of_topics(TOPICS):
        event: Any = recorded.event
        kind: type[Event] = type(recorded.event)
        for name in labels_of(kind):
            for canary in canaries(_text(getattr(event, name))):
                found.setdefault(canary, []).append(Planted(event.participant_id, name, event.fact(name)))
    return found


def _text(value: Any) -> str:
    def plain(one: Any) -> Any:
        return one.model_dump(mode="json") if isinstance(one, BaseModel) else str(one)

    return json.dumps(value, default=plain, ensure_ascii=False)


def unrecorded(site: Site, heard: list[Piece]) -> list[str]:
    """Return what was told and was not in the record by then, or was in it twice."""
    facts, wrong = planted(site), list[str]()
    staff = {
        subject: site.directory.staff[staff_stream(subject)] for subject in {p.subject for p in heard if p.subject}
    }
    for piece in heard:
        where = f"{piece.subject or 'anyone'}: {piece.method} {piece.path}"
        whose = [line.participant for line in piece.lines]
        if len(set(whose)) != len(whose):
            wrong.append(f"{where}: a participant stands in the record twice")
        for canary in sorted(piece.canaries):
            places = facts.get(canary, [])
            if any(place.participant is None and place.fact.labels <= OF_NOBODY for place in places):
                continue
            if piece.route in COUNTS and any(place.name in COUNTED for place in places):
                continue
            who = staff.get(piece.subject)
            if who is None or not (_is_free(site, who, places) or _is_recorded(places, piece.lines)):
                labels = sorted({label for place in places for label in place.fact.labels})
                wrong.append(f"{where}: {canary!r}, {labels}, is not in the record: {_said(piece.lines)}")
    return wrong


def _said(lines: tuple[Line, ...]) -> list[str]:
    return [" ".join(sorted(line.labels)) for line in lines]


def _is_free(site: Site, who: Staff, places: list[Planted]) -> bool:
    """Return whether it is of nobody, or the party's own, a notice to it, or public record."""
    reader = READER_OF.get(who.role) or READS_AS.get(site.directory.parties[who.party].kind)
    if reader is None:
        return False
    viewer = Viewer(reader, who.party)
    decided = [decide(viewer, place.fact, None, site.protocol().ceiling, site.now()) for place in places]
    return any(isinstance(each, Shown) and each.basis in FREE for each in decided)


def _is_recorded(places: list[Planted], lines: tuple[Line, ...]) -> bool:
    return any(
        place.participant in (None, line.participant) and line.labels & place.fact.labels
        for place in places
        for line in lines
    )


# The walk ------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def walked(shared_db: Database) -> Iterator[tuple[SiteUnderTest, Watch]]:
    """A site at which everything was said, and everything asked: while consents stood, and at the end."""
    watch, plant = Watch(shared_db.owner_url), planter()
    make = create_app
    with (
        mock.patch.dict(tests.site.IDLE, clear=True),  # an application of its own
        mock.patch.object(tests.site, "create_app", lambda *given: watch.around(make(*given))),
        running_site(shared_db) as lead,
    ):
        watch.issuer = lead.issuer

        def body(name: str, **ids: Any) -> dict[str, Any]:
            if name == "RevokeRoi":
                for party in STREAMED:
                    account = {"party": party, "name": party, "role": "stream", "subject": f"{party}-stream"}
                    lead.person("pat").do("/v1/register/staff", account)
                walk(lead, watch.app, PEOPLE)
                beat(lead, watch)
            if name == "AmendRoi" and "grants" in ids:
                ids["grants"] = [*ids["grants"], OBSERVED]
            if name == "MakeReport":
                walk(lead, watch.app, ("r.bell",))
            if name == "TakeMessageAgain":
                walk(lead, watch.app, ("pat",))
            return plant(name, **ids)

        every_command(lead, body)
        public = {"description": f"{CANARY} of the public.", "reason": "He is there every night."}
        assert lead.person("kim").client.post("/v1/public/referrals", json=public).status_code == 201
        for path, sent in (("/v1/sessions/endings", {}), ("/sign-out", None)):
            lead.person("webb").post(path, sent)
        walk(lead, watch.app, PEOPLE)
        yield lead, watch
    if watch.record is not None:
        watch.record.close()


def test_nothing_leaves_that_is_not_in_the_record_by_then(walked: tuple[SiteUnderTest, Watch]) -> None:
    lead, watch = walked
    assert unrecorded(lead.parts.site, watch.heard) == []
    assert undriven(watch.app, watch.heard) == set(), "a route that nobody could be made to answer by"


def test_every_reader_heard_what_is_in_the_record(walked: tuple[SiteUnderTest, Watch]) -> None:
    lead, watch = walked
    staff = lead.parts.site.directory.staff
    heard = {staff[staff_stream(p.subject)].role for p in watch.heard if p.canaries and p.lines}
    assert {READER_OF.get(role) for role in heard} >= set(VIEWS)
    assert any(p.route == "stream" and p.canaries for p in watch.heard)


# Seeded faults: each is found ----------------------------------------------------------------------------------------


def skips_the_door(site: Site, caller: Caller, surface: str, purpose: str, render: Any) -> dict[str, Any]:
    """Answer without writing down who is shown what."""
    with site.readers.session(caller) as session:
        body: dict[str, Any] = render(session).body
        session.release([], "", purpose, surface)
    return body


def writes_twice(digests: bytes, rendered: Rendered) -> list[Disclosed]:
    """Write each line down twice."""
    return [line for line in DISCLOSURES(digests, rendered) for _ in range(2)]


DISCLOSURES = release.disclosures
SEEDED: dict[str, tuple[Any, str, Any]] = {
    "a question that skips the door": (case_manager, "answer", skips_the_door),
    "a list that skips the door": (listing, "answer", skips_the_door),
    "labels that are left out": (release, "_labels_of", lambda _: {str(Label.ENROLMENT_STATUS)}),
    "a line written twice": (release, "disclosures", writes_twice),
}


@pytest.mark.parametrize("seeded", SEEDED)
def test_a_seeded_fault_is_found(walked: tuple[SiteUnderTest, Watch], seeded: str) -> None:
    lead, watch = walked
    dana, path = lead.person("dana"), "/v1/case-manager/caseload?team=true"
    one = dana.see(path)["participants"][0]["participant"]
    before = len(watch.heard)
    with mock.patch.object(*SEEDED[seeded]):
        dana.see(path)
        dana.get("/v1/case-manager/caseload.csv?team=true")
        dana.see(f"/v1/case-manager/participants/{one}")
    assert unrecorded(lead.parts.site, watch.heard[before:])
    del watch.heard[before:]


def test_a_new_route_has_to_be_driven(walked: tuple[SiteUnderTest, Watch]) -> None:
    _, watch = walked
    app = FastAPI()
    app.router.routes.extend(watch.app.routes)

    @app.get("/v1/police/everyone")
    def everyone() -> Response:
        return Response()

    assert undriven(app, watch.heard) - undriven(watch.app, watch.heard) == {("GET", "/v1/police/everyone")}


# What the source may do ----------------------------------------------------------------------------------------------


def opens(source: str) -> bool:
    """Return whether a module opens a reader's session."""
    nodes = [*ast.walk(ast.parse(source))]
    called = {node.func.attr for node in nodes if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)}
    return "session" in called or "readers" in {node.attr for node in nodes if isinstance(node, ast.Attribute)}


def test_only_the_door_and_the_relay_open_a_readers_session() -> None:
    found = [*(ROOT / "services").rglob("*.py"), *(ROOT / "adapters" / "http").rglob("*.py")]
    opening = {str(path.relative_to(ROOT)) for path in found if opens(path.read_text(encoding="utf-8"))}
    assert opening == {"services/release.py", "services/relay.py"}


def test_a_module_that_opens_one_is_found() -> None:
    assert opens("def of(site, caller):\n    with site.readers.session(caller) as s:\n        return s")
    assert not opens("def render(session):\n    return session.select(Row)")
