"""Absence says nothing: what a partner cannot know does not change a byte of what it hears, on any path there is.

`GOLDENTHREAD_TEST_WORLDS` is the number of pairs of worlds for each partner, one if it is not set.
"""

from __future__ import annotations

import json
import os
import random
import re
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import replace
from itertools import zip_longest
from typing import Any, NamedTuple, cast
from unittest import mock
from urllib.parse import quote
from uuid import UUID, uuid5

import pytest
from fastapi.responses import Response
from starlette.routing import Route

import adapters.http.questions as http
from adapters.bootstrap import ceiling_of
from adapters.http import commands
from adapters.http.app import SECURITY, create_app
from adapters.http.commands import ROUTES
from adapters.http.listings import SEARCH
from adapters.postgres.projector import rebuild
from adapters.settings import Settings
from domain.labels import Ceiling, Decision, Fact, Grant, Label, Reader, Viewer, decide
from domain.participant import ParticipantIdentified
from domain.referral import ReferralOffered
from domain.refusal import Refused, Unknown
from domain.registry import READER_OF, Role
from domain.roi import RoiSigned, grants
from projections import lens
from projections.lens import History, Traced
from projections.partner import GrantedParticipant
from projections.rows import MODELS, Row
from projections.views import VIEWS
from services.person import records
from services.ports import Caller
from services.questions import FIGURES, LISTINGS, accounting, counsel, listing, partner, police
from services.questions.as_of import Telling
from services.questions.listing import Asked, Asking, Listing
from services.questions.trace import trace
from services.release import answer
from services.site import COMMANDS, Done, Site, carry_out, known_to
from services.tokens import Tokens
from tests.conftest import Database
from tests.properties.worlds import (
    BEGIN,
    CALL,
    END,
    MEETS,
    VIEWERS,
    Filling,
    Heard,
    Numbers,
    Script,
    World,
    entry,
    filing,
    found,
    world,
)

PAIRS = int(os.environ.get("GOLDENTHREAD_TEST_WORLDS", "1"))
# Counsel, who asks most, takes more than a minute on a quiet machine: where one is busy that is no hang.
pytestmark = [pytest.mark.server, pytest.mark.timeout(1200 * PAIRS)]

SEED = int(os.environ.get("GOLDENTHREAD_TEST_SEED", "1"))
ROLE = {
    "kim": Role.OFFICER,
    "webb": Role.OFFICER,
    "chen": Role.LIAISON_PROSECUTOR,
    "marta": Role.RECIPIENT_CONTACT,
    "judge": Role.COURT_OFFICER,
    "brooks": Role.PROBATION_OFFICER,
    "patel": Role.COUNSEL,
    "ames": Role.DEFENDER_OBSERVER,
}
NOT_OF = {"judge": {"/v1/court/violations"}}
"""Lists of its column that a viewer's kind of party never fills: a court alleges nothing."""
READER = {viewer: READER_OF[role] for viewer, role in ROLE.items()}
HEADERS = {"retry-after", "content-type", "content-length", "cache-control", "position", "server", "www-authenticate"}
HEADERS |= {"transfer-encoding", "content-disposition", "clear-site-data", "set-cookie"}
HEADERS |= {name.decode() for name, _ in SECURITY}
RAW_ID = re.compile(rb"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
NO_ID = ("x", "a" * 300, "00000000-0000-4000-8000-000000000001", "%00", "%C3%A9" * 13, "a" * 26, "7" * 26, "1" * 26)


ANYONE = "kim"
"""Who asks what is the same for everyone."""
MINE = "the position of my own last command"


class Ask(NamedTuple):
    """One request of the transcript. `follow`: go on with the cursor of each answer."""

    method: str
    path: str
    body: Any = None
    headers: tuple[tuple[str, str], ...] = ()
    follow: bool = False


class Pair(NamedTuple):
    """Two worlds and what can be asked about in either."""

    viewer: str
    first: World
    second: World

    @property
    def worlds(self) -> tuple[World, World]:
        return self.first, self.second

    def known(self, suffix: str) -> list[str]:
        """Return ids of one kind, as the viewer knows them or would: of both worlds, and some that are of none."""
        both = self.first.ids | self.second.ids
        raw = [value for name, value in sorted(both.items()) if _kind(name) == suffix]
        raw += [uuid5(UUID(int=1), f"{suffix}{n}") for n in range(2)]
        return [*dict.fromkeys(self.first.seal(self.viewer, value) for value in raw)]

    def hidden(self, suffix: str) -> list[str]:
        """Return such ids that do not belong to both worlds: hidden in one, absent in the other, or in neither."""
        shared = {self.first.seal(self.viewer, v) for n, v in self.first.ids.items() if self.second.ids.get(n) == v}
        return [text for text in self.known(suffix) if text not in shared]


def _kind(name: str) -> str:
    return re.sub(r"\d+$", "", name.partition(".")[2]) if "." in name else ""


# Every path there is -------------------------------------------------------------------------------------------------

Asks = Callable[[Pair, str], Iterator[Ask]]


def described(pair: Pair, path: str) -> Iterator[Ask]:
    """Ask what the site describes of itself; it takes no token, and seconds to write: for one viewer."""
    if pair.viewer == ANYONE:
        yield Ask("GET", path)


def plain(pair: Pair, path: str) -> Iterator[Ask]:
    """Ask as it is."""
    yield Ask("GET", path)
    yield Ask("GET", path, headers=(("Wait-For-Position", "not-one-of-mine"),))
    yield Ask("GET", path, headers=(("Wait-For-Position", MINE),))


def narrowed(path: str) -> list[str]:
    """Return how a list can be narrowed or widened: the beginnings of its queries."""
    choice = LISTED[path].choice
    return ["", *(f"{choice.name}={value}&" for value in (choice.values or ("true",)))] if choice else [""]


def list_of(path: str) -> Listing | None:
    """Return the list whose page, file or updates a path is."""
    return LISTED.get(path.removesuffix(".csv").removesuffix("/updates"))


def others(pair: Pair, path: str) -> bool:
    """True for another reader's list: it is 403, however it is asked."""
    return (listed := list_of(path)) is not None and listed.reader is not READER[pair.viewer]


def searches(pair: Pair, path: str) -> list[str]:
    """Return what to search for: what many rows contain, someone hidden in either world, and what no row contains."""
    hidden = [one.chance.choice(one.offers)["person"]["surname"] for one in pair.worlds]
    return [quote(text) for text in ("e", "A", *hidden, "%", "e%", "_", "é", "no such text")] + ["e%", "%FF"]


def listed(pair: Pair, path: str) -> Iterator[Ask]:
    """Ask for every page of a list, however narrowed, in pages of several sizes; and for pages that there are not."""
    if others(pair, path):
        yield Ask("GET", f"{path}?limit=1", follow=True)
        return
    choice = LISTED[path].choice
    for how in narrowed(path):
        for limit in (1, 2, 50):
            yield Ask("GET", f"{path}?{how}limit={limit}", follow=True)
    for text in searches(pair, path):
        for limit in (1, 2):
            yield Ask("GET", f"{path}?limit={limit}", headers=((SEARCH, text),), follow=True)
    for wrong in ("", "%00", "x" * 201):
        yield Ask("GET", path, headers=((SEARCH, wrong),))
    for wrong in ("limit=0", "limit=201", "limit=x", "cursor=x", "cursor=" + "A" * 120, "limit=1&cursor="):
        yield Ask("GET", f"{path}?{wrong}")
    if choice:
        yield Ask("GET", f"{path}?{choice.name}=hidden")


def exported(pair: Pair, path: str) -> Iterator[Ask]:
    """Take the whole list along as a file, however narrowed or searched."""
    of = path.removesuffix(".csv")
    if others(pair, path):
        yield Ask("GET", path)
        return
    for how in narrowed(of):
        yield Ask("GET", f"{path}?{how}")
    for text in searches(pair, of):
        yield Ask("GET", path, headers=((SEARCH, text),))


def followed(pair: Pair, path: str) -> Iterator[Ask]:
    """Follow the list for some beats, however narrowed or searched."""
    of = path.removesuffix("/updates")
    if others(pair, path):
        yield Ask("GET", path)
        return
    for how in narrowed(of):
        yield Ask("GET", f"{path}?{how}limit=2")
    yield Ask("GET", path, headers=((SEARCH, searches(pair, of)[0]),))
    yield Ask("GET", f"{path}?limit=0")


def own(pair: Pair, path: str) -> bool:
    """True for a question about one person that the viewer's kind of reader has."""
    reader = READER[pair.viewer]
    return path.startswith(PREFIX[reader]) or (path in OF_PARTICIPANT and reader is Reader.COUNSEL)


def by_id(pair: Pair, path: str) -> Iterator[Ask]:
    """Ask about everyone of either world, about nobody, and about what is no id."""
    most = None if own(pair, path) else 3  # elsewhere it is 403 anyhow
    for text in [*pair.hidden("")[:3], *pair.known(""), *pair.known("referral")[:2], *NO_ID][:most]:
        yield Ask("GET", re.sub(r"\{[^}]+\}", text, path))
    stranger = next(value for name, value in pair.first.ids.items() if name.startswith("h"))
    yield Ask("GET", re.sub(r"\{[^}]+\}", str(stranger), path))
    yield Ask("GET", re.sub(r"\{[^}]+\}", pair.first.seal("lopez", stranger), path))


def traced(pair: Pair, path: str) -> Iterator[Ask]:
    """Ask why each field about each is shown or withheld: to partners, to who asks, to another counsel, to nobody."""
    for ask in by_id(pair, path):
        yield ask
        if own(pair, path):
            for party in ("city-pd", "housing-co", "r-patel", "r-quinn", "lead-care", "no-party"):
                yield Ask("GET", f"{ask.path}?party={party}")


def at_moments(pair: Pair, path: str) -> Iterator[Ask]:
    """Ask what each party had of each before it, now and half way, and care, and nobody; and of what is to come."""
    half, ahead = (quote(moment.isoformat()) for moment in (BEGIN + (END - BEGIN) / 2, END + (END - BEGIN)))
    for ask in by_id(pair, path):
        yield ask
        if own(pair, path):
            for party in ("city-pd", "r-patel", "lead-care", "no-party"):
                yield Ask("GET", f"{ask.path}?party={party}")
            for how in (f"at={half}", f"at={ahead}", "reader=court"):
                yield Ask("GET", f"{ask.path}?party=city-pd&{how}")


def computed_again(pair: Pair, path: str) -> Iterator[Ask]:
    """Ask for disclosures that there are, as the accountings of those asked about name them, and that there are not."""
    yield from by_id(pair, path)
    if own(pair, path):
        for text in pair.known(""):
            of_one = ACCOUNTING.replace("{participant}", text)
            answers = [one.ask(pair.viewer, "GET", of_one, None, {}) for one in pair.worlds]  # each world hears it
            lines = json.loads(answers[0].body).get("disclosures", [])
            for number in [line["id"] for line in lines if "id" in line][::20]:
                yield Ask("GET", f"{of_one}/{number}")


def lookups(pair: Pair, path: str) -> Iterator[Ask]:
    """Look up people of either world and nobody, by name and by incident; and nothing at all."""
    people = {
        (body["person"]["given"], body["person"]["surname"], body["person"]["birth_date"])
        for each in pair.worlds
        for body in each.offers
    }
    for given, surname, born in (*sorted(people), ("No", "Body", "1985-05-05")):
        yield Ask("POST", path, {"given": given, "surname": surname, "birth_date": born})
        yield Ask("POST", path, {"given": given.upper(), "surname": surname, "birth_date": "1999-01-01"})
    incidents = {body["incident_number"] for each in pair.worlds for body in each.offers}
    for incident in (*sorted(incidents), "I-none", "x" * 200):
        yield Ask("POST", path, {"incident_number": incident})
    yield from (Ask("POST", path, {}), Ask("POST", path, {"given": "Ray"}), Ask("POST", path, [1]))


def public_form(pair: Pair, path: str) -> Iterator[Ask]:
    """Send the public form what it takes, and what it does not."""
    yield Ask("POST", path, {"description": "A man in a grey coat", "reason": "He is there every night."})
    yield from (Ask("POST", path, {}), Ask("POST", path, {"participant": pair.known("")[0]}), Ask("POST", path, [1]))


def stream_keys(pair: Pair, path: str) -> Iterator[Ask]:
    """Ask for keys by ids that the viewer has, and by what is none; nobody here has a stream."""
    yield Ask("POST", path, {"keys": [pair.known("")[0], "x", "a" * 26]})
    yield from (Ask("POST", path, {"keys": []}), Ask("POST", path, {}))


def signed_out(pair: Pair, path: str) -> Iterator[Ask]:
    """Sign out, without having signed in by browser."""
    yield Ask("POST", path)


def sessions_ended(pair: Pair, path: str) -> Iterator[Ask]:
    """End sessions: one's own, one that there is not, somebody else's, and those of an id that the viewer has."""
    for body in ({}, {"session": "x"}, {"subject": "dana"}, {"subject": "nobody"}, {"subject": pair.known("")[0]}, [1]):
        yield Ask("POST", path, body)


ACCOUNTING = "/v1/participants/{participant}/accounting"
OF_PARTICIPANT = (
    *(f"{ACCOUNTING}{how}" for how in ("", ".csv", ".html", "/{disclosure}")),
    "/v1/participants/{participant}/as-of",
)
LISTED = {f"/v1/{each.path}": each for each in LISTINGS}
PREFIX = {each.reader: f"/v1/{each.path.partition('/')[0]}/" for each in LISTINGS}
QUESTIONS: dict[str, Asks] = dict.fromkeys(LISTED, listed)
QUESTIONS |= {f"{path}.csv": exported for path in LISTED} | {f"{path}/updates": followed for path in LISTED}
QUESTIONS |= {f"/v1/{each.path}{how}": plain for each in FIGURES for how in ("", ".csv", "/updates")}
QUESTIONS |= {
    "/": described,
    "/health/live": plain,
    "/health/ready": plain,
    "/v1/me": plain,
    "/v1/parties": plain,
    "/v1/protocol": plain,
    "/v1/police/lookups": lookups,
    "/v1/police/participants/{participant}": by_id,
    "/v1/prosecutor/participants/{participant}": by_id,
    "/v1/recipient/participants/{participant}": by_id,
    "/v1/court/participants/{participant}": by_id,
    "/v1/counsel/participants/{participant}": by_id,
    "/v1/counsel/participants/{participant}/trace": traced,
    "/v1/legal-services/participants/{participant}": by_id,
    "/v1/participant": plain,
    "/v1/participant/trace": plain,
    "/v1/privacy/participants/{participant}": by_id,
    "/v1/privacy/participants/{participant}/trace": by_id,
    "/v1/case-manager/participants/{participant}": by_id,
    "/v1/program/health": plain,
    "/v1/program/messages": plain,
    "/v1/program/messages/{message}": by_id,
    "/v1/case-manager/on-call": plain,
    "/v1/participants/{participant}/bundle": by_id,  # nothing is sealed yet: what is, is random bytes in either world
    "/v1/defender/participants/{participant}/bundle": by_id,
    **dict(zip(OF_PARTICIPANT, (by_id, by_id, by_id, computed_again, at_moments), strict=True)),
    "/v1/stream/keys": stream_keys,
    "/v1/public/referrals": public_form,
    "/sign-in": plain,
    "/sign-in/callback": plain,
    "/sign-out": signed_out,
    "/v1/sessions": plain,
    "/v1/sessions/endings": sessions_ended,
    "/v1/public/checkpoint": plain,
}

EXAMPLES: dict[str, dict[str, Any]] = {
    "register/staff/endings": {"subject": "marta"},
    "roster/cover": {"case_manager": "dana", "by": "luis", "last_on": "2026-12-20"},
    "roster/cover/endings": {"case_manager": "dana"},
    "roster/on-call": {"name": "luis", "ends_at": "2026-12-20T08:00:00-08:00"},
    "roster/on-call/endings": {"name": "luis"},
    "register/parties": {"code": "new-co", "name": "New", "kind": "recipient"},
    "register/staff": {"party": "city-pd", "name": "New", "role": "officer", "subject": "new"},
    "register/protocols": {"protocol": {}},
    "participants/{}/access": {"subject": "new"},
    "referrals/{}/override": {"charge": "x", "exclusion": "prior felony", "rank": "sergeant", "reason": "old"},
    "referrals/by-telephone": CALL,
    "referrals/{}/report": {"place": "3rd and Pine", "facts": "As it was."},
    "referrals/without-arrest": {"description": "A man in a grey coat", "reason": "He sleeps there."},
    "referrals/{}/identification": {"person": {"given": "Joe", "surname": "Dunn", "birth_date": "1985-05-05"}},
    "referrals/{}/screening": MEETS,
    "referrals/{}/vetting": {"codes": ["animal"], "note": "A large dog"},
    "referrals/{}/decline": {"how": "withdrawn"},
    "cases/{}/decisions": {"kind": "dismiss"},
    "cases": filing("26-none", "No", "Body"),
    "findings/{}/answers": {"source": "held by our office, not stated"},
    "bookings": {"participant": "x", "booking_number": "226-1", "facility": "Jail", "source": "incident report"},
    "arrests": {"code": "90J", "reason": "not stated"},
    "violations": {
        "participant": "x",
        "report_number": "V-1",
        "condition": "reporting",
        "source": "court record",
    },
    "cases/{}/updates": {"charges": [{"code": "90J", "description": "Trespass", "severity": "misdemeanor"}]},
    "cases/{}/hearings": {"kind": "trial", "starts_at": "2026-06-01T09:00:00-07:00"},
    "cases/{}/hearings/{}/moves": {"starts_at": "2026-06-02T09:00:00-07:00"},
    "cases/{}/hearings/{}/endings": {"outcome": "stricken from the calendar"},
    "cases/{}/dispositions": {"outcome": "dismissed", "disposed_on": "2026-02-20"},
    "cases/{}/orders": {"kind": "release", "ordered_on": "2026-02-20"},
    "court/cases": entry("26-none", "No", "Body"),
    "participants/{}/cases": {"court": "Elsewhere", "docket": "C-1"},
    "participants/{}/warrants": found("W-none", None),
    "warrants": found("W-none", None) | {"defendant": {"given": "No", "surname": "Body", "birth_date": "1985-05-05"}},
    "warrants/{}/endings": {"outcome": "quashed", "ended_on": "2026-02-20"},
    "participants/{}/roi/{}/revocations/{}/paper": {"artefact_sha256": "c" * 64},
    "participants/{}/counsel": {"counsel": "r-patel", "labels": [], "expires_on": "2027-01-31"},
    "participants/{}/counsel/endings": {"counsel": "r-patel", "word_of": "counsel"},
    "participants/{}/oral-disclosures": {"party": "county-pa", "labels": ["enrolment.status"], "occasion": "phone"},
    "participants/{}/accounting-suspensions": {
        "agency": "county-pa",
        "capacity": "law enforcement",
        "official": "Alex Chen",
        "statement": "oral",
        "stated_on": "2026-02-20",
        "until": "2026-03-20",
    },
    "participants/{}/accounting-suspensions/endings": {"agency": "county-pa"},
    "participants/{}/holds": {"ground": "litigation"},
    "participants/{}/orders": {"order": "vacated", "ordered_on": "2026-02-20"},
    "asks": {"kind": "question", "text": "Can you reach this person?"},
    "asks/{}/handling": {"how": "call"},
    "concerns": {"text": "Filings that are not typical."},
    "concerns/{}/answers": {"text": "Under review."},
    "messages/{}/replays": {"why": "The office is registered now."},
    "messages/{}/drops": {"why": "A test of theirs."},
}
"""Bodies of commands that no script sends."""

# Where a command of a partner names something in its body: the field, and what kind of id it is.
NAMED_IN_BODY = dict.fromkeys(
    (
        "referrals",
        "referrals/without-arrest",
        "cases",
        "bookings",
        "violations",
        "court/cases",
        "warrants",
        "asks",
        "concerns",
    ),
    "",
)
NAMED_IN_PATH = {
    "participant": "",
    "referral": "referral",
    "case": "case",
    "roi": "roi",
    "item": "item",
    "revocation": "roi",
    "ask": "item",
    "concern": "item",
    "finding": "finding",
    "goal": "goal",
    "hearing": "hearing",
    "warrant": "warrant",
    "match": "item",
    "link": "item",
    "hold": "item",
    "message": "",
}


def writes(pair: Pair) -> Iterator[Ask]:
    """Send every command about what is hidden or absent, and every command that the viewer does not have."""
    for path, kind, _ in ROUTES:
        template = re.sub(r"\{[^}]+\}", "{}", path)
        body = EXAMPLES.get(template) or pair.first.bodies.get(f"/v1/{template}", {})
        names = re.findall(r"\{([^}]+)\}", path)
        keys = (f"{path}-{n}" for n in range(10_000))

        def send(where: str, what: Any, *more: tuple[str, str], keys: Iterator[str] = keys) -> Ask:
            key = next(keys).replace("{", "").replace("}", "")
            return Ask("POST", f"/v1/{where}", what, (("Idempotency-Key", key), *more))

        ids = pair.hidden(NAMED_IN_PATH[names[0]]) if names else []
        most = None if ROLE[pair.viewer] in COMMANDS[kind].roles else 2  # what it does not have is 403 anyhow
        for text in [*ids, *NO_ID][:most] if names else []:
            where = path.replace("{" + names[0] + "}", text)
            for name in names[1:]:
                where = where.replace("{" + name + "}", pair.known(NAMED_IN_PATH[name])[0])
            yield send(where, body)
        if path in NAMED_IN_BODY:
            for text in (*pair.hidden(NAMED_IN_BODY[path]), *(unreadable for unreadable in NO_ID)):
                yield send(path, body | {"participant": text})
        first = path
        for name in names:
            first = first.replace("{" + name + "}", pair.hidden(NAMED_IN_PATH[name])[0])
        if ROLE[pair.viewer] not in COMMANDS[kind].roles or names:
            yield send(first, body, ("If-Match", '"1"'))
        yield send(first, {"unknown": 1})
        yield Ask("POST", f"/v1/{first}", body)  # without a key


def replays(pair: Pair) -> Iterator[Ask]:
    """Send again what the viewer sent, under the same key; and another body under it."""
    for path, body, key in pair.first.sent:
        yield Ask("POST", path, body, (("Idempotency-Key", key),))
        yield Ask("POST", path, body | {"incident_number": "other"}, (("Idempotency-Key", key),))


POSTED = (lookups, stream_keys, public_form, signed_out, sessions_ended)


def test_every_path_there_is_is_asked() -> None:
    app = create_app(mock.Mock(), mock.Mock(), Settings(environment="test"), mock.Mock(), mock.Mock(), bool)
    there_are = {(method, route.path) for route in cast("list[Route]", app.routes) for method in route.methods or ()}
    by_command = {("POST", f"/v1/{path}") for path, _, _ in ROUTES}
    by_question = {("POST" if asks in POSTED else "GET", path) for path, asks in QUESTIONS.items()}
    schema = {(method, "/openapi.json") for method in ("GET", "HEAD")}
    assert there_are == by_command | by_question | schema, "a path that no probe asks, or a probe without a path"


def questions(pair: Pair) -> Iterator[Ask]:
    """Ask every question there is."""
    for path, asks in QUESTIONS.items():
        yield from asks(pair, path)


def everything_else(pair: Pair) -> Iterator[Ask]:
    """Send every command there is, and ask what is no question."""
    if pair.viewer == ANYONE:
        yield Ask("GET", "/openapi.json")
    yield Ask("GET", "/v1/nothing")
    yield Ask("DELETE", "/v1/police/referrals")
    yield from writes(pair)
    yield from replays(pair)


# Transcripts ---------------------------------------------------------------------------------------------------------


def hear(pair: Pair, one: World, request: Ask) -> Iterator[Heard]:
    """Ask in one world; yield the answer, and those of the pages that follow."""
    person, cursor = one.person(pair.viewer), ""
    for page in range(100):
        path = request.path + (f"&cursor={cursor}" if cursor else "")
        headers = {name: (person.position or "") if value == MINE else value for name, value in request.headers}
        one.numbers.of(f"{request}")  # what is made by asking is called alike in both worlds
        answer = one.ask(pair.viewer, request.method, path, request.body, headers)
        one.numbers.of(None)
        asked = f"{request.method} {request.path} page {page} {request.body} {request.headers}"
        heard = one.compared(pair.viewer, asked, answer, headers.get(SEARCH))
        assert answer.status < 500, asked
        yield heard
        following = json.loads(answer.body).get("next") if request.follow and answer.status == 200 else None
        if following is None:
            return
        cursor = following
    raise AssertionError("the pages do not end")


def both(pair: Pair, asks: Iterable[Ask]) -> Iterator[tuple[Ask, Heard | None, Heard | None]]:
    """Yield what the viewer hears in either world."""
    for request in asks:
        for first, second in zip_longest(*(hear(pair, one, request) for one in pair.worlds)):
            yield request, first, second


def play(pair: Pair, script: Script) -> None:
    """Play the visible acts into both worlds, each with its own hidden acts and number of strangers."""
    own_view = (READER[pair.viewer],)
    for one, strangers in zip(pair.worlds, (2, 4), strict=True):
        acts = Filling(script, one.chance).fill(strangers)
        halves = (acts[: len(acts) // 2], acts[len(acts) // 2 :])  # the views, too, change what they hold
        for half, some in enumerate(halves):
            with one.views_stand_still(own_view):
                for act in some:
                    one.play(act, pair.viewer)
                if script.observes:  # every stop, too
                    one.stops(3, called=f"half {half}")
                else:
                    one.stops(one.chance.randrange(40))
            one.site.settle(own_view)
        one.at((END - BEGIN).total_seconds() / 60)
        one.site.settle(own_view)


@contextmanager
def two_worlds(viewer: str, seed: int, new_site_db: Callable[[], Database]) -> Iterator[Pair]:
    """Two worlds after the same visible acts."""
    with ExitStack() as stack:
        numbers = Numbers()
        script = Script(viewer, random.Random(f"{viewer}/{seed}")).draw(6)
        first, second = (
            stack.enter_context(world(new_site_db(), numbers, f"{seed}/{n}", observed=script.observes)) for n in "ab"
        )
        pair = Pair(viewer, first, second)
        for one in pair.worlds:  # what nobody asks of is not computed
            stack.enter_context(one.views_stand_still(VIEWS.keys() - {READER[viewer]}))
        play(pair, script)
        yield pair


@pytest.mark.parametrize("viewer", VIEWERS)
def test_two_worlds_that_differ_in_what_is_hidden_are_the_same_bytes(
    viewer: str, new_site_db: Callable[[], Database]
) -> None:
    for seed in range(SEED, SEED + PAIRS):
        with two_worlds(viewer, seed, new_site_db) as pair:
            assert pair.first.site.parts.log.position() != pair.second.site.parts.log.position()
            assert pair.first.heard == pair.second.heard, f"commands, seed {seed}"
            shown, filled = 0, set[str]()
            for request, first, second in both(pair, questions(pair)):
                assert first == second, f"seed {seed}"
                shown += checked(pair, request, first)
                filled |= {request.path.partition("?")[0]} if holds_a_row(request, first) else set()
            lists = {path for path in LISTED if not others(pair, path)}
            assert filled == lists - NOT_OF.get(viewer, set()), "a list that never held a row"
            for _, first, second in both(pair, everything_else(pair)):
                assert first == second, f"seed {seed}"
            assert shown > 3
            if seed == 1:  # the leaks need a script that shows them
                missed = [name for name, leak in LEAKS[viewer].items() if not finds(pair, leak)]
                assert not missed, f"leaks that nothing found: {missed}"


def checked(pair: Pair, request: Ask, heard: Heard | None) -> bool:
    """Check what one world is enough for: closed headers, no id of the log; return whether anything shared is shown."""
    assert heard is not None
    path = request.path.partition("?")[0]
    if others(pair, path):
        assert heard.status == 403, heard
    assert {name for name, _ in heard.headers} <= HEADERS, heard
    assert not RAW_ID.search(heard.body.partition(b'"next":')[0]), heard
    return any(said in heard.body for said in (b'"as the ROI', b"42 CFR", b'"authority_labels"', b'"pseudonym"'))


def holds_a_row(request: Ask, heard: Heard | None) -> bool:
    """True for a page of a list that is not empty."""
    listed = LISTED.get(request.path.partition("?")[0])
    return bool(listed and heard and heard.status == 200 and json.loads(heard.body)[listed.key])


# Leaks that the test must find ---------------------------------------------------------------------------------------

Leak = Callable[[Pair], AbstractContextManager[object]]


class Seeded(NamedTuple):
    """A leak, and which questions can meet it."""

    leak: Leak
    met_by: Callable[[Pair], Iterable[Ask]]


def asked(*kinds: Asks) -> Callable[[Pair], Iterable[Ask]]:
    """Return the viewer's own questions of some kinds."""

    def ours(pair: Pair) -> Iterator[Ask]:
        for path, asks in QUESTIONS.items():
            if asks in kinds and own(pair, path):
                yield from asks(pair, path)

    return ours


def finds(pair: Pair, seeded: Seeded) -> bool:
    """True if a question that can meet the leak finds it."""
    with seeded.leak(pair):
        return any(first != second for _, first, second in both(pair, seeded.met_by(pair)))


def _events(site: Site, participant: UUID | None) -> list[Any]:
    return site.log.history(participant) if participant else []


def on_every_answer(change: Callable[[Site, Caller, dict[str, Any]], None]) -> Leak:
    """Change every body just before it is sent."""

    def leak(_: Pair) -> AbstractContextManager[object]:
        right = answer

        def wrong(site: Site, caller: Caller, *rest: Any) -> dict[str, Any]:
            body = right(site, caller, *rest)
            change(site, caller, body)
            return body

        return mock.patch.object(listing, "answer", wrong)

    return leak


def on_participants(change: Callable[[Site, Caller, list[Any], dict[str, Any]], dict[str, Any]]) -> Leak:
    """Change the answer about one participant, knowing all that happened to it."""

    def leak(_: Pair) -> AbstractContextManager[object]:
        right = partner.participant

        def wrong(site: Site, caller: Caller, reader: Reader, text: str) -> dict[str, Any]:
            body = right(site, caller, reader, text)
            return change(site, caller, _events(site, site.ids.open(caller.party, text)), body)

        return mock.patch.object(partner, "participant", wrong)

    return leak


def total(site: Site, caller: Caller, body: dict[str, Any]) -> None:
    """A list says how many people the site has."""
    if "next" in body:
        body["total"] = len(site.log.of_topics([ParticipantIdentified.topic]))


def withheld(site: Site, caller: Caller, history: list[Any], body: dict[str, Any]) -> dict[str, Any]:
    """An answer says that something is kept back."""
    return body | {"withheld": caller.party in grants(history)}


def of_pseudonyms(tell: Callable[[list[Any]], Any]) -> Leak:
    """Tell something more of everyone whom a list shows by pseudonym."""

    def change(site: Site, caller: Caller, body: dict[str, Any]) -> None:
        rows = [row for rows in body.values() if isinstance(rows, list) for row in rows]
        for row in rows:
            if "pseudonym" in row:
                row["more"] = tell(_events(site, site.ids.open(caller.party, row["pseudonym"])))

    return on_every_answer(change)


def its_name(history: list[Any]) -> Any:
    """A name, whether or not the ROI names the office."""
    return next(str(r.event.name) for r in history if isinstance(r.event, ParticipantIdentified))


def its_incident(history: list[Any]) -> Any:
    """An incident number, by which the person is found in any docket."""
    return next(r.event.incident_number for r in history if isinstance(r.event, ReferralOffered))


def its_signatures(history: list[Any]) -> Any:
    """How often the person has signed."""
    return sum(isinstance(r.event, RoiSigned) for r in history)


def statement(site: Site, caller: Caller, history: list[Any], body: dict[str, Any]) -> dict[str, Any]:
    """Someone who revoked gets another sentence than someone who never signed."""
    ended = caller.party in grants(history) and not body["shared"]
    return body | ({"statement": "The consent has ended."} if ended else {})


def not_found(site: Site, caller: Caller, history: list[Any], body: dict[str, Any]) -> dict[str, Any]:
    """Someone who does not exist is 404, someone hidden is not."""
    if not history:
        raise Unknown
    return body


def page_of(change: Callable[[Pair, Asking, Listing, Asked, str | None, int, list[Any]], list[Any]]) -> Leak:
    """Change the rows of every page."""

    def leak(pair: Pair) -> AbstractContextManager[object]:
        right = listing.rows_after

        def wrong(asking: Asking, of: Listing, asked: Asked, cursor: str | None, limit: int) -> Any:
            page, following = right(asking, of, asked, cursor, limit)
            return change(pair, asking, of, asked, cursor, limit, page), following

        return mock.patch.object(listing, "rows_after", wrong)

    return leak


def limited_first(
    pair: Pair, asking: Asking, of: Listing, asked: Asked, cursor: str | None, limit: int, page: list[Any]
) -> list[Any]:
    """The limit counts rows before the gate and the policy have let them through."""
    if asked.search is not None:
        return page
    return _of_those_first(pair, asking, of, asked, cursor, limit, page)


def searched_first(
    pair: Pair, asking: Asking, of: Listing, asked: Asked, cursor: str | None, limit: int, page: list[Any]
) -> list[Any]:
    """A search looks into the whole table; the gate and the policy then take away of what it has found."""
    if asked.search is None:
        return page
    return _of_those_first(pair, asking, of, asked, cursor, limit, page)


def _of_those_first(
    pair: Pair, asking: Asking, of: Listing, asked: Asked, cursor: str | None, limit: int, page: list[Any]
) -> list[Any]:
    model, site, caller = MODELS[of.row], asking.site, asking.caller
    owner = next(one.owner for one in pair.worlds if one.site.parts.site is site)
    order = ", ".join(f"{name} {'desc' if model.descending else 'asc'}" for name in model.order)
    holds = " or ".join(f"strpos(lower({name}), lower(%(search)s)) > 0" for name in of.searched)
    found = owner.execute(
        f"select {', '.join(model.order)}, party_id from {model.table}"
        f" where %(search)s::text is null or {holds} order by {order}",
        {"search": asked.search},
    ).fetchall()
    places = [[str(lens.plain(value)) for value in row[:-1]] for row in found]
    after = site.tokens.open(caller.staff, listing.cursor_of(of, asked), cursor) if cursor else None
    start = places.index([str(value) for value in after]) + 1 if after else 0
    taken = found[start : start + limit]
    return [row for row in page if (*(getattr(row, name) for name in model.order), row.party_id) in taken]


def busiest_first(
    pair: Pair, asking: Asking, of: Listing, asked: Asked, cursor: str | None, limit: int, page: list[Any]
) -> list[Any]:
    """A page is sorted by how much has happened to each."""
    return sorted(page, key=lambda row: len(_events(asking.site, row.subject_id)), reverse=True)


def gaps_in_a_file(pair: Pair) -> AbstractContextManager[object]:
    """A file has an empty line for each row of the table that is kept back."""
    right = listing.export

    def wrong(site: Site, caller: Caller, of: Listing, asked: Asked, limit: int) -> Iterator[str]:
        yield from right(site, caller, of, asked, limit)
        owner = next(one.owner for one in pair.worlds if one.site.parts.site is site)
        for _ in owner.execute(f"select from {MODELS[of.row].table} where party_id <> %s", [caller.party]):
            yield "\r\n"

    return mock.patch.object(listing, "export", wrong)


def updates_of_the_log(pair: Pair) -> AbstractContextManager[object]:
    """A page that is sent because it has changed says how far the log has come."""
    right = listing.change

    def wrong(site: Site, *rest: Any) -> Any:
        page, mark = right(site, *rest)
        return page and page | {"id": site.log.position()}, mark

    return mock.patch.object(listing, "change", wrong)


@contextmanager
def cursor_of_the_log(pair: Pair) -> Iterator[None]:
    """A cursor holds a position of the log."""
    site_of = {one.site.parts.site.tokens: one.site.parts.site for one in pair.worlds}
    seal, page = Tokens.seal, listing.rows_after

    def wrong(self: Tokens, viewer: UUID, use: str, value: Any) -> str:
        return seal(self, viewer, use, [*value, site_of[self].log.position()] if use.startswith("cursor") else value)

    def paged(asking: Asking, of: Listing, asked: Asked, cursor: str | None, limit: int) -> Any:
        if cursor is not None:
            tokens, staff, use = asking.site.tokens, asking.caller.staff, listing.cursor_of(of, asked)
            cursor = seal(tokens, staff, use, tokens.open(staff, use, cursor)[:-1])
        return page(asking, of, asked, cursor, limit)

    with mock.patch.object(Tokens, "seal", wrong), mock.patch.object(listing, "rows_after", paged):
        yield


@contextmanager
def etag_of_the_log(pair: Pair) -> Iterator[None]:
    """Every answer has an ETag made from how far the log has come."""
    right, answered, at = http.reply, answer, threading.local()

    def noted(site: Site, *rest: Any) -> dict[str, Any]:
        at.position = site.log.position()
        return answered(site, *rest)

    def reply(body: dict[str, Any], headers: dict[str, str] | None = None, status: int = 200) -> Response:
        return right(body, {"ETag": f'"{getattr(at, "position", 0)}"'} | (headers or {}), status)

    with mock.patch.object(listing, "answer", noted), mock.patch.object(http, "reply", reply):
        yield


def lookup_of_everyone(pair: Pair) -> AbstractContextManager[object]:
    """A lookup matches people of whom the department may know nothing."""
    right = police.lookup

    def wrong(site: Site, caller: Caller, lookup: police.Lookup) -> dict[str, Any]:
        body = right(site, caller, lookup)
        known = [r.event for r in site.log.of_topics([ParticipantIdentified.topic])]
        if any(isinstance(e, ParticipantIdentified) and police.same_name(str(e.name), lookup) for e in known):
            body["statement"] += " "
        return body

    return mock.patch.object(police, "lookup", wrong)


def error_text(pair: Pair) -> AbstractContextManager[object]:
    """A write about someone hidden is refused with another text than one about nobody."""

    def wrong(site: Site, caller: Caller, text: str, name: str = "participant") -> UUID:
        try:
            return known_to(site, caller, text, name)
        except Unknown:
            if _events(site, site.ids.open(caller.party, text)):
                raise Refused(name, "its consent has ended.", "Ask LEAD.") from None
            raise

    stack = ExitStack()
    for module in ("court", "custody", "doors", "referrals", "warrants"):
        stack.enter_context(mock.patch(f"services.{module}.known_to", wrong))
    return stack


def replay_at(pair: Pair) -> AbstractContextManager[object]:
    """A command's answer says where in the log it stands."""

    def wrong(*given: Any, **named: Any) -> Done:
        done = carry_out(*given, **named)
        return replace(done, answer=done.answer | {"position": done.position})

    return mock.patch.object(commands, "carry_out", wrong)


@contextmanager
def projected(pair: Pair, change: Callable[[Iterator[Row]], Iterator[Row]]) -> Iterator[None]:
    """Compute the viewer's view again with something wrong in it, and rightly afterwards."""
    view = VIEWS[READER[pair.viewer]]

    def wrong(history: History, ceiling: Ceiling, at: Any, trace: list[Traced] | None = None) -> Iterator[Row]:
        return change(view.rows(history, ceiling, at, trace))

    def again(shown: Any) -> None:
        for one in pair.worlds:
            parts = one.site.parts
            rebuild([shown], parts.database.url, parts.log, ceiling_of(parts.site.directory))

    again(replace(view, rows=wrong))
    try:
        yield
    finally:
        again(view)


def as_of_in_a_row(pair: Pair) -> AbstractContextManager[object]:
    """A granted row shows how far the participant's history has come."""

    def change(rows: Iterator[Row]) -> Iterator[Row]:
        for row in rows:
            yield replace(row, purpose=f"{row.purpose} {row.as_of}") if isinstance(row, GrantedParticipant) else row

    return projected(pair, change)


def decided(wrong: Callable[[Viewer, Fact, Grant | None, Ceiling, Any], Decision]) -> Leak:
    """Compute the viewer's view again with wrong decisions."""

    def change(rows: Iterator[Row]) -> Iterator[Row]:
        with mock.patch.object(lens, "decide", wrong):
            yield from list(rows)

    return lambda pair: projected(pair, change)


def addressed_to_anyone(viewer: Viewer, fact: Fact, grant: Grant | None, ceiling: Ceiling, at: Any) -> Decision:
    """What was told to one party is shown to all that hold its label."""
    return decide(viewer, fact._replace(addressee=None), grant, ceiling, at)


def enrolment_with_any(viewer: Viewer, fact: Fact, grant: Grant | None, ceiling: Ceiling, at: Any) -> Decision:
    """Whoever is given anything, the charge or `completed` alone, is told who enrolled."""
    given = grant and grant.labels and grant.labels | {Label.ENROLMENT_STATUS}
    return decide(viewer, fact, replace(grant, labels=given) if grant and given else grant, ceiling, at)


def any_label(viewer: Viewer, fact: Fact, grant: Grant | None, ceiling: Ceiling, at: Any) -> Decision:
    """An authority opens more than the labels that it names."""
    return decide(viewer, fact, grant and replace(grant, labels=frozenset(Label)), ceiling, at)


def ids_of_the_log(pair: Pair) -> AbstractContextManager[object]:
    """An entry's id counts what else lies in its stream."""

    def change(rows: Iterator[Row]) -> Iterator[Row]:
        with mock.patch.object(History, "id_of", lambda _, recorded: recorded.id):
            yield from list(rows)

    return projected(pair, change)


def traced_to_anyone(pair: Pair) -> AbstractContextManager[object]:
    """A trace tells of fields that who asks may not see itself."""

    def wrong(site: Site, caller: Caller, asked: UUID, party: str, _: Any) -> dict[str, Any]:
        return trace(site, caller, asked, party, None)

    return mock.patch.object(counsel, "trace", wrong)


def as_of_to_anyone(pair: Pair) -> AbstractContextManager[object]:
    """What another had before it is told whether or not who asks may see it."""
    return mock.patch.object(Telling, "sees", return_value=True)


def former_client(pair: Pair) -> AbstractContextManager[object]:
    """Counsel whose authority has ended hears another answer than who never had one."""
    right = counsel.participant

    def wrong(site: Site, caller: Caller, text: str) -> dict[str, Any]:
        try:
            return right(site, caller, text)
        except Unknown:
            if caller.party in grants(_events(site, site.ids.open(caller.party, text))):
                raise Refused("participant", "your authority has ended.", "Ask LEAD.") from None
            raise

    return mock.patch.object(counsel, "participant", wrong)


def accounting_of_the_person(pair: Pair) -> AbstractContextManager[object]:
    """An accounting tells of records that were merged into the client's, too."""

    def wrong(site: Site, caller: Caller, asked: UUID) -> list[UUID]:
        return [record.id for record in records(site, asked)]

    return mock.patch.object(accounting, "person_of", wrong)


TOTAL = Seeded(on_every_answer(total), asked(listed))
WITHHELD = Seeded(on_participants(withheld), asked(by_id))
ERROR_TEXT = Seeded(error_text, writes)
ADDRESSEE = Seeded(decided(addressed_to_anyone), asked(by_id))
AS_OF = Seeded(as_of_in_a_row, asked(by_id))
LEAKS: dict[str, dict[str, Seeded]] = {
    "kim": {
        "total": TOTAL,
        "etag": Seeded(etag_of_the_log, asked(listed)),
        "lookup": Seeded(lookup_of_everyone, asked(lookups)),
        "error text": ERROR_TEXT,
        "limit first": Seeded(page_of(limited_first), asked(listed)),
        "search first": Seeded(page_of(searched_first), asked(listed)),
        "gaps in a file": Seeded(gaps_in_a_file, asked(exported)),
        "cursor": Seeded(cursor_of_the_log, asked(listed)),
    },
    "webb": {"withheld": WITHHELD, "replay": Seeded(replay_at, replays), "as of": AS_OF},
    "chen": {
        "statement": Seeded(on_participants(statement), asked(by_id)),
        "not found": Seeded(on_participants(not_found), asked(by_id)),
        "error text": ERROR_TEXT,
        "sort": Seeded(page_of(busiest_first), asked(listed)),
        "addressee": ADDRESSEE,
        "enrolment": Seeded(decided(enrolment_with_any), asked(by_id)),
    },
    "marta": {"total": TOTAL, "as of": AS_OF, "updates": Seeded(updates_of_the_log, asked(followed))},
    "judge": {"withheld": WITHHELD, "error text": ERROR_TEXT, "total": TOTAL, "as of": AS_OF},
    "brooks": {"total": TOTAL, "as of": AS_OF},
    "patel": {
        "total": TOTAL,
        "error text": ERROR_TEXT,
        "sort": Seeded(page_of(busiest_first), asked(listed)),
        "addressee": ADDRESSEE,
        "any label": Seeded(decided(any_label), asked(by_id)),
        "ids": Seeded(ids_of_the_log, asked(listed, by_id)),
        "trace": Seeded(traced_to_anyone, asked(traced)),
        "as of": Seeded(as_of_to_anyone, asked(at_moments)),
        "former client": Seeded(former_client, asked(by_id)),
        "merged away": Seeded(accounting_of_the_person, asked(by_id)),
    },
    "ames": {
        "total": TOTAL,
        "sort": Seeded(page_of(busiest_first), asked(listed)),
        "name": Seeded(of_pseudonyms(its_name), asked(listed)),
        "incident": Seeded(of_pseudonyms(its_incident), asked(listed)),
        "signatures": Seeded(of_pseudonyms(its_signatures), asked(listed)),
        "ids": Seeded(ids_of_the_log, asked(listed)),
    },
}
