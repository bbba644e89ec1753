"""What others had, and who was shown what, is told as consent stands when it is asked for, whatever ends meanwhile.

As-of, accounting, a disclosure computed again, trace and bundle are worked out from the log and not from a view. So
they follow at once what no gate stands before, too: a record that is unlinked, a matter that is sealed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from functools import partial
from types import ModuleType
from typing import Any
from unittest import mock
from uuid import UUID, uuid5

import pytest

from domain.disclosure import Occasion, OralDisclosure
from domain.event import PersonName
from domain.identity import RecordLinked, RecordSubject, Rule
from domain.labels import Label, Reader
from domain.legal_case import CaseFiled
from domain.participant import ParticipantIdentified
from domain.referral import ChargeHeld, DepartmentNotified, NoticeCode
from domain.roi import RoiGranted, RoiSigned, consent_stream
from services import release
from services.questions import accounting, as_of, bundle, counsel
from services.register import party_id
from services.site import append
from tests.conftest import Database
from tests.properties.history import disordered, logged
from tests.properties.test_revocation_race import (
    BEGIN,
    CHARGE,
    EXTRA,
    FEW,
    HIMSELF,
    LABELS,
    THOUSANDS,
    Mark,
    Race,
    admitted,
    dying,
    ending_counsel,
    named,
    narrowing,
    narrowing_counsel,
    number,
    raced,
    revoking,
    signing_anew,
)
from tests.site import Person

pytestmark = pytest.mark.server

AUTHORITY = LABELS | {Label.REFERRAL_STATUS, Label.CHARGE_DIVERTED, Label.CASE_DOCKET}
NOTICE = NoticeCode.HANDOFF_MET
MATTER = re.compile(r"(charge|linked)-\d+-")
LINES = ("/accounting", "/accounting.csv", "/accounting.html")


class Accounts(Race):
    """The same, of whom counsel and care ask what others have, and who was shown what.

    Marks: `grant` and `told`, what the police have; `charge` and `linked`, a charge and the record of an office that
    counsel has; `code`, what counsel is told that a notice said; `client`, that counsel is answered at all.
    """

    def asks(self, who: str) -> Iterator[tuple[str, str, Any]]:
        """Yield each way to ask, about whoever is next."""
        mine = self.called(who, self.current)
        of = f"/v1/participants/{mine}"
        known = self.disclosures.get(mine, mine)
        yield from (("GET", f"{of}{lines}", None) for lines in LINES)
        yield from (("GET", f"{of}/as-of?party={party}", None) for party in ("city-pd", "r-patel"))
        if who == "patel":
            yield "GET", f"{of}/accounting/{known}", None
            yield "GET", f"{of}/bundle", None
            yield "GET", f"/v1/counsel/participants/{mine}/trace?party=city-pd", None

    def reading(self, who: str, in_parts: bool, door: Callable[[str], Person]) -> None:
        """Ask in each of these ways, again and again, until stopped: each is answered at once."""
        person = door(who)
        while not (in_parts or self.stop.is_set()):
            for asked in self.asks(who):
                self.ask(person, who, *asked)

    def marks(self, who: str, path: str, status: int, part: bytes) -> set[Mark]:
        """Return what an answer holds."""
        n = self.about(who, path)
        if status != 200 or n is None:
            return set()
        kinds = {"client"} if who == "patel" else set[str]()
        if path.endswith(LINES):
            kinds |= {"code"} if who == "patel" and NOTICE.encode() in part else set()
        else:
            kinds |= self._told(path, json.loads(part))
        if path.endswith("/accounting"):
            lines = json.loads(part)["disclosures"]
            seen = (line["id"] for line in lines if line.get("surface") == "counsel.participant")
            self.disclosures[path.split("/")[3]] = next(seen, "")
        return {Mark(kind, n) for kind in kinds}

    def _told(self, path: str, body: dict[str, Any]) -> set[str]:
        if path.endswith("/bundle"):
            facts = [leaf["facts"] for line in body["lines"] for leaf in line["leaves"]]
            return {
                "code" for each in facts if isinstance(each, dict) and each.get("topic") == DepartmentNotified.topic
            }
        if "/trace" in path:
            return {"grant" for line in body["decisions"] if line["grant"]}
        shown = json.dumps(body["shown"])
        if path.endswith("city-pd"):
            told = {"told"} if EXTRA["city-pd"] in shown else set[str]()
            return told | ({"grant"} if "grant-" in shown else set())
        return {found[1] for found in MATTER.finditer(shown)}

    def clients(self, numbers: range, until: Callable[[int], datetime]) -> None:
        """Record participants as `consenting` does, each with a notice, a charge and a record of an office besides."""
        self.consenting(numbers, until=until, authority=AUTHORITY)
        police, office = party_id("city-pd"), party_id("county-pa")
        for n in numbers:
            who = number(n)
            referral, charge, case = (uuid5(who, kind) for kind in ("referral", "charge", "linked"))
            about: dict[str, Any] = {"participant_id": who, "occurred_at": BEGIN}
            charged = CHARGE.model_copy(update={"description": f"charge-{n}-"})
            held = ChargeHeld(
                **about, party_id=police, matter_id=charge, charge=charged, incident_number=f"I-{n}", prosecutor=office
            )
            told = DepartmentNotified(**about, party_id=police, code=NOTICE, team_number="206-555-0100")
            person = RecordSubject(name=PersonName(given="Ray", surname="Bell"), birth_date=date(1980, 1, 1))
            filed = CaseFiled(
                party_id=office, matter_id=case, occurred_at=BEGIN, docket=f"linked-{n}-", charges=(CHARGE,),
                defendant=person, offense_on=BEGIN.date(), filed_on=BEGIN.date(), received_at=BEGIN,
            )  # fmt: skip
            linked = RecordLinked(**about, matter_id=case, source=office, rule=Rule.REVIEWED, score=1.0)
            self.site.parts.log.record(
                [
                    append(referral, 2, held, told),
                    append(case, 0, filed),
                    append(person.stream(office, case), 0, linked),
                ],
                self.envelope(),
            )
        self.checkpoint()
        self.site.settle()
        patel = self.site.person("patel")
        for n in numbers:  # what is computed again afterwards
            patel.see(f"/v1/counsel/participants/{self.called('patel', n)}")

    def asked_about(self, n: int) -> None:
        """Let the readers go on until each way to ask about someone has been tried by each."""
        since, paths = len(self.heard), {who: {_way(path) for _, path, _ in self.asks(who)} for who in READERS}

        def missing() -> set[str]:
            heard = [h for h in self.heard[since:] if self.about(h.who, h.path) == n]
            return {
                f"{who} {way}" for who in READERS for way in paths[who] - {_way(h.path) for h in heard if h.who == who}
            }

        self.wait(missing)


READERS = ("patel", "dana")


def _way(path: str) -> str:
    return f"{named(path)}?{path.partition('?')[2]}"


@pytest.fixture
def race(site_db: Database) -> Iterator[Accounts]:
    with raced(site_db, Accounts) as made:
        yield made


def sealing(race: Accounts) -> Callable[[int], object]:
    """Return how an order seals a charge."""
    noor = race.site.person("noor")

    def seal(n: int) -> None:
        charge = race.seal("lead-care", uuid5(number(n), "charge"))
        body = {"order": "sealed", "ordered_on": "2026-02-13", "cases": [charge]}
        noor.do(f"/v1/participants/{race.called('dana', n)}/orders", body)

    return seal


def unlinking(race: Accounts) -> Callable[[int], object]:
    """Return how a reviewer takes the record of an office from a participant."""
    noor = race.site.person("noor")
    recorded = race.site.parts.log.of_topics([RecordLinked.topic])
    links = {each.event.participant_id: race.seal("lead-care", each.id) for each in recorded}

    def unlink(n: int) -> None:
        path = f"/v1/participants/{race.called('dana', n)}/links/{links[number(n)]}/endings"
        noor.do(path, {"why": "The brother came in himself."})

    return unlink


def ends(n: int) -> datetime:
    """Return when a consent runs out: of one in nine while the race goes on."""
    return BEGIN + (timedelta(days=2, hours=n) if n % 9 == 8 else timedelta(days=300))


def running_out(race: Accounts) -> Callable[[int], object]:
    """Return how consent runs out, the ROI's and counsel's."""
    return lambda n: race.site.clock.at(ends(n))


HAD = ("code", "charge", "linked")
"""What counsel has of a client by its authority."""
ENDINGS: tuple[tuple[Callable[[Accounts], Callable[[int], object]], tuple[str, ...]], ...] = (
    (revoking, ("grant", "told")),
    (narrowing, ("told",)),
    (signing_anew, ("grant", "told")),
    (ending_counsel, ("client", *HAD)),
    (narrowing_counsel, HAD),
    (sealing, ("charge",)),
    (unlinking, ("linked",)),
    (dying, ("client", *HAD, "grant", "told")),
    (running_out, ("client", *HAD, "grant", "told")),
)


@pytest.mark.parametrize("_again", [0, *(pytest.param(n, marks=pytest.mark.long) for n in range(1, THOUSANDS // 100))])
def test_whatever_ends_is_told_by_no_way_of_asking_what_others_had_begun_afterwards(
    race: Accounts, _again: int
) -> None:
    people = range(len(ENDINGS))
    race.clients(people, ends)
    acts = [(ending(race), marks) for ending, marks in ENDINGS]
    with race.under_way(READERS):
        for n in people:
            race.current = n
            race.asked_about(n)
            act, marks = acts[n]
            race.end(n, act, *marks)
            race.asked_about(n)
    assert race.too_late() == []
    assert disordered(logged(race.owner)) == []
    assert race.disclosed_later("counsel.ended") == 0
    assert not race.labels_later("counsel.narrowed") & (AUTHORITY - LABELS)
    told = {mark for h in race.heard for mark in h.facts}
    assert told >= {change.fact for change in race.changes}, "what ended had been told"
    rows = set(race.owner.execute("select correlation_id, participant_id from log.disclosure").fetchall())
    for h in race.heard:
        assert {(h.correlation, number(mark.n)) for mark in h.facts} <= rows, "told and not written down"


class Merged(Race):
    """The same, of whom one has other records merged into its own, which it and care read with that.

    Mark: of each such record what it alone has in it, whether that is read in a view or worked out from the log.
    """

    def asks(self, who: str) -> Iterator[tuple[str, str, Any]]:
        """Yield each way to ask about the one record that is kept."""
        if who == "dana":
            yield "GET", f"/v1/case-manager/participants/{self.called(who, 0)}", None
        yield from super().asks(who)

    def marks(self, who: str, path: str, status: int, part: bytes) -> set[Mark]:
        """Return which records an answer, or a part of it, tells of."""
        super().marks(who, path, status, part)
        return {Mark(told.decode(), 0) for told in AWAY.findall(part)}

    def merging(self, numbers: range) -> None:
        """Record others, each told of by word of mouth and with its own consent, and merge them into number 0."""
        self.consenting(range(1))
        admitted(self, HIMSELF, HIMSELF)
        for n in numbers:
            who, party, until = away(n), party_id("transit-pd"), BEGIN + timedelta(days=300)
            about: dict[str, Any] = {"participant_id": who, "occurred_at": BEGIN}
            name = PersonName(given="Ray", surname=f"away-{n}-")
            roi = RoiSigned(
                **about, expires_at=until, roi=who, form_version="3", explained_by="Dana", language="English"
            )
            given = RoiGranted(
                **about, party_id=party, expires_at=until, covers_from=BEGIN, roi=who, reader=Reader.POLICE,
                labels=LABELS, purpose=f"away-{n}-",
            )  # fmt: skip
            said = OralDisclosure(
                **about, party_id=party, labels=frozenset({Label.ENROLMENT_STATUS}), occasion=Occasion.PHONE,
                person=f"away-{n}-",
            )  # fmt: skip
            named_so = ParticipantIdentified(**about, party_id=party, name=name, birth_date=date(1980, 1, 1))
            self.site.parts.log.record(
                [
                    append(who, 0, named_so),
                    append(consent_stream(who), 0, roi, given),
                    append(uuid5(who, "said"), 0, said),
                ],
                self.envelope(),
            )
        noor = self.site.person("noor")
        for n in numbers:
            body = {"other": self.seal("lead-care", away(n)), "why": "He gave his brother's name."}
            noor.do(f"/v1/participants/{self.called('dana', 0)}/merges", body)
        self.checkpoint()
        self.site.settle()

    def unmerging(self, n: int) -> Callable[[int], object]:
        """Return how one of them is taken from number 0."""
        path = f"/v1/participants/{self.seal('lead-care', away(n))}/unmerging"
        return lambda _: self.site.person("noor").do(path, {"why": "The brother came in himself."})


AWAY = re.compile(rb"away-\d+-")
TELL = {
    "dana": {
        "/v1/case-manager/participants/{participant}",
        *(f"/v1/participants/{{participant}}{how}" for how in LINES),
    },
    HIMSELF: {
        "/v1/participant",
        *(f"/v1/participants/{{participant}}{how}" for how in LINES),
        *(f"/v1/participant/recipients{how}" for how in ("", ".csv", "/updates")),
        "/v1/participant/history.csv",
    },
}
"""Where each reads of the records that are merged into one."""


def away(n: int) -> UUID:
    """Return the id of a record that is merged into another."""
    return uuid5(number(0), f"away {n}")


@pytest.fixture
def merged(site_db: Database) -> Iterator[Merged]:
    with raced(site_db, Merged) as made:
        yield made


def test_nothing_of_a_record_is_in_an_answer_to_a_request_begun_after_it_was_unmerged(merged: Merged) -> None:
    merged.merging(range(FEW))
    with merged.under_way(tuple(TELL)):
        merged.wait(
            lambda: (
                {(who, path) for who, paths in TELL.items() for path in paths}
                - {(h.who, named(h.path)) for h in merged.heard.copy() if h.facts}
            )
        )
        for n in range(FEW):
            merged.end(0, merged.unmerging(n), f"away-{n}-", dwell=0.05)
    assert merged.too_late() == []
    assert disordered(logged(merged.owner)) == []
    rows = set(merged.owner.execute("select correlation_id, participant_id from log.disclosure").fetchall())
    for h in merged.heard:
        told = {away(int(mark.kind.split("-")[1])) for mark in h.facts}
        assert {(h.correlation, record) for record in told} <= rows, "told and not written down"


def test_a_record_that_is_unmerged_while_an_answer_is_rendered_is_not_in_it(merged: Merged) -> None:
    """Its rows are read already: only the check in `gate.release` stands between."""
    merged.merging(range(2))
    himself = merged.site.person(HIMSELF)
    for n, path in enumerate(("/v1/participant/history", f"/v1/participants/{merged.called(HIMSELF, 0)}/accounting")):
        assert {mark.kind for mark in merged.ask(himself, HIMSELF, "GET", path).facts} >= {f"away-{n}-"}
        with before(release, "disclosures", partial(merged.unmerging(n), 0)):  # it is rendered
            heard = merged.ask(himself, HIMSELF, "GET", path)
        assert heard.status == 200
        assert f"away-{n}-" not in {mark.kind for mark in heard.facts}
    assert disordered(logged(merged.owner)) == []


def test_only_what_is_merged_into_a_record_is_read_with_it(merged: Merged) -> None:
    """Two merges in a row, nothing in the log between them: the second is none of the first one's other record."""
    merged.merging(range(2))
    asked = "select log.merged_into(%s), array(select log.records(%s))"
    records = [number(0), away(0), away(1)]
    into = {each: merged.owner.execute(asked, [each, each]).fetchone() for each in records}
    assert {each: found and (found[0], {*found[1]}) for each, found in into.items()} == {
        number(0): (None, {*records}),
        away(0): (number(0), {away(0)}),
        away(1): (number(0), {away(1)}),
    }
    merged.unmerging(0)(0)
    assert merged.owner.execute(asked, [away(0), number(0)]).fetchone() == (None, [number(0), away(1)])


OF_CLIENT = (
    *((accounting, f"/v1/participants/{{}}{lines}") for lines in LINES),
    (as_of, "/v1/participants/{}/as-of?party=r-patel"),
    (as_of, "/v1/participants/{}/accounting/{}"),
    (bundle, "/v1/participants/{}/bundle"),
    (counsel, "/v1/counsel/participants/{}/trace?party=city-pd"),
)


@contextmanager
def before(module: ModuleType, name: str, act: Callable[[], object]) -> Iterator[None]:
    """Let something happen once, just before a module's function of this name is called."""
    right, left = getattr(module, name), [act]

    def late(*given: Any) -> Any:
        if left:
            left.pop()()
        return right(*given)

    with mock.patch.object(module, name, late):
        yield
    assert not left


def test_nothing_that_was_read_before_the_session_is_told_in_it(race: Accounts) -> None:
    """Counsel's authority is narrowed, and the view has followed, between the beginning of a request and its session.

    The gate then knows only the authority as it is: what is told of the log must have been read under that one.
    """
    race.clients(range(len(OF_CLIENT)), ends)
    patel, narrow = race.site.person("patel"), narrowing_counsel(race)
    for n, (module, path) in enumerate(OF_CLIENT):
        mine = race.called("patel", n)
        race.ask(patel, "patel", "GET", f"/v1/participants/{mine}/accounting")

        def act(n: int = n) -> None:
            narrow(n)
            race.site.settle()

        with before(module, "answer", act):  # it has begun, and opens its session next
            heard = race.ask(patel, "patel", "GET", path.format(mine, race.disclosures[mine]))
        assert heard.status == 200
        assert {mark.kind for mark in heard.facts} <= {"client", "grant"}, path
    assert not race.labels_later("counsel.narrowed") & (AUTHORITY - LABELS)
