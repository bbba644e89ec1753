"""An agency has the accounting suspended: what it was told is left out, as if it never had been, until its day is over.

45 CFR 164.528(a)(2), which 42 CFR 2.25(a) takes over. Nobody ends it, and nothing says that something is left out.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID, uuid5

import pytest

from adapters.postgres.sealer import Sealer
from adapters.simulation.cast import callers
from domain.labels import Reader
from domain.registry import Role
from services.register import party_id
from services.verification import Verdict, main
from tests.adapters.http.conftest import to_program
from tests.conftest import Database
from tests.scenarios import ray as story
from tests.scenarios.test_l_struck_out import struck_out
from tests.scenarios.test_r_revoked_at_night import AUTHORITY
from tests.site import Person, SiteUnderTest, running_site

pytestmark = pytest.mark.server

OFFICE = "County Prosecuting Attorney"
ASKED = {
    "agency": "county-pa",
    "capacity": "law enforcement",
    "official": "Alex Chen",
    "statement": "written",
    "stated_on": "2026-03-19",
    "until": "2026-04-30",
    "artefact_sha256": "d" * 64,
}
ORAL = ASKED | {"statement": "oral", "until": "2026-04-18", "artefact_sha256": None}
LAWS = ("", "?regime=part2", "?regime=hipaa")
OF_THE_OFFICE = {"disclosure.oral", "notice.prosecutor"}
SUSPENSIONS = {"accounting.suspended", "accounting.resumed"}


class Reads(NamedTuple):
    """Someone who may read Ray's accounting, and Ray by that person's own id."""

    person: Person
    ray: str
    history: str
    """Where the person reads Ray's history."""

    def path(self, below: str = "accounting") -> str:
        return f"/v1/participants/{self.ray}/{below}"

    def text(self, below: str) -> str:
        return self.person.get(self.path(below)).text

    def lines(self, how: str = "") -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.person.see(self.path(f"accounting{how}"))["disclosures"]
        return found

    def to(self) -> set[str]:
        """Return to whom something was disclosed."""
        return {line["to"] for line in self.lines()}

    def kinds(self) -> set[str]:
        return {entry["kind"] for entry in self.person.see(self.history)["history"]}


class Told:
    """Ray, of whom others may be told something, and whoever reads the accounting of it."""

    def __init__(self, lead: SiteUnderTest) -> None:
        self.lead, self.ray = lead, story.arrest(lead)
        dana, care = self.ray.dana, self.ray.care
        story.enrol(self.ray)
        dana.do(f"/v1/participants/{care}/counsel", AUTHORITY)
        dana.do(f"/v1/participants/{care}/access", {"subject": "r.bell"})
        lead.settle()
        himself, patel = lead.person("r.bell"), lead.person("patel")
        own, client = (
            himself.see("/v1/me")["participant"],
            patel.see("/v1/counsel/participants")["clients"][0]["participant"],
        )
        by_imani = to_program(lead, care)
        self.himself = Reads(himself, own, "/v1/participant/history?limit=200")
        self.patel = Reads(patel, client, f"/v1/counsel/participants/{client}")
        self.dana = Reads(dana, care, f"/v1/case-manager/participants/{care}")
        self.imani = Reads(lead.person("imani"), by_imani, f"/v1/privacy/participants/{by_imani}")

    def suspend(self, said: dict[str, Any]) -> None:
        self.imani.person.do(self.imani.path("accounting-suspensions"), said)
        self.lead.settle()

    def refused(self, said: dict[str, Any], how: str = "") -> str:
        """Return the field that the refusal of a statement names."""
        answer = self.imani.person.post(self.imani.path(f"accounting-suspensions{how}"), said)
        assert answer.status_code == 422, answer.text
        return str(answer.json()["faults"][0]["field"])


@pytest.fixture
def told(lead: SiteUnderTest) -> Told:
    found = Told(lead)
    said = {"party": "county-pa", "labels": ["case_manager.contact"], "occasion": "phone", "person": "Alex Chen"}
    found.dana.person.do(found.dana.path("oral-disclosures"), said)
    assert found.ray.chen.see(f"/v1/prosecutor/participants/{found.ray.offices_id()}")["shared"]
    assert found.ray.kim.see(f"/v1/police/participants/{found.ray.participant}")["shared"]
    found.ray.at("2026-03-19 09:00")
    return found


def test_what_the_agency_was_told_is_left_out_until_its_day_is_over(told: Told) -> None:
    himself, readers = told.himself, (told.himself, told.patel, told.dana)
    before, history = [who.lines() for who in readers], [who.kinds() for who in readers]
    assert {line["what"] for line in before[0] if line["to"] == OFFICE} == {"disclosure", "notice", "by word of mouth"}
    assert history[0] >= OF_THE_OFFICE
    shown = next(line["id"] for line in before[0] if line["to"] == OFFICE and "id" in line)
    assert himself.person.get(himself.path(f"accounting/{shown}")).status_code == 200

    told.suspend(ASKED)
    for who, was in zip(readers, before, strict=True):
        for how in ("", "?regime=part2", "?regime=hipaa", "?since=2026-02-14&until=2026-03-18"):
            now = who.lines(how)
            assert now
            assert OFFICE not in {line["to"] for line in now}
            assert not [line for line in now if "suspen" in line["what"]]
        others = [line for line in was if line["to"] != OFFICE]
        assert [line for line in who.lines() if line in others] == others  # the department's, too
        for how in (".csv", ".html"):
            text = who.text(f"accounting{how}")
            assert "City Police Department" in text
            assert OFFICE not in text
            assert "uspension" not in text
    for who, kinds in zip((himself, told.patel), history, strict=False):
        assert who.kinds() == kinds - OF_THE_OFFICE
    hidden, none = (himself.person.get(himself.path(f"accounting/{number}")) for number in (shown, "a" * 26))
    assert (hidden.status_code, hidden.content) == (none.status_code, none.content)
    assert hidden.status_code == 404
    assert told.dana.kinds() == history[2]  # care's own record does not blink, nor tell of the suspension
    for how in ("/v1/participant/trace?party=county-pa", himself.path("as-of?party=county-pa")):
        decided = {line["kind"] for line in himself.person.see(how)["decisions"]}
        assert decided
        assert not decided & (OF_THE_OFFICE | SUSPENSIONS)

    # The day is over; nothing else happens.
    told.ray.at("2026-04-30 23:59")
    assert OFFICE not in himself.to()
    told.ray.at("2026-05-01 00:00")
    for who, was in zip(readers, before, strict=True):
        now = who.lines()
        assert [line for line in now if line in was] == was
        (said,) = [line for line in now if line["what"] == "suspension"]
        assert (said["to"], said["person"], said["by"]) == (OFFICE, "Alex Chen", "Imani Cole")
        assert (said["statement"], said["stated_on"], said["until"]) == ("written", "2026-03-19", "2026-04-30")
        assert "suspension" not in {line["what"] for line in who.lines("?regime=hipaa")}
    assert himself.person.get(himself.path(f"accounting/{shown}")).status_code == 200
    assert ",suspension," in himself.text("accounting.csv")
    end = time.monotonic() + 20
    while not himself.kinds() >= history[0] | {"accounting.suspended"}:
        assert time.monotonic() < end, "the history did not follow"
        time.sleep(0.05)


def test_the_privacy_officer_reads_all_of_it_and_that_is_recorded(told: Told) -> None:
    imani = told.imani
    before = imani.lines()
    assert OFFICE in {line["to"] for line in before}
    told.suspend(ASKED)
    now = imani.lines()
    assert [line for line in now if line in before] == before
    (said,) = [line for line in now if line["what"] == "suspension"]
    assert said["purpose"] == "its written statement of 2026-03-19, as law enforcement: not told until 2026-04-30"
    (row,) = imani.person.see("/v1/privacy/participants?suspended=true")["participants"]
    assert row["suspended"] is True
    (entry,) = [entry for entry in imani.person.see(imani.history)["history"] if entry["kind"] in SUSPENSIONS]
    assert (entry["agency"], entry["body"]["until"]) == ("county-pa", "2026-04-30")
    hers = {line["surface"] for line in told.himself.lines() if line.get("person") == "Imani Cole"}
    assert {"accounting", "privacy.participants", "privacy.participant"} <= hers
    imani.person.do(imani.path("accounting-suspensions/endings"), {"agency": "county-pa"})
    told.lead.settle()
    assert imani.person.see("/v1/privacy/participants?suspended=true")["participants"] == []


def test_the_database_gives_the_lines_to_nobody_but_the_privacy_officer(told: Told) -> None:
    """Whoever holds a reader's login and a signed context, and asks past the application, is told no more."""
    told.suspend(ASKED)
    site = told.lead.parts.site
    office, police = party_id("county-pa"), party_id("city-pd")
    asking = callers(site)
    record = site.ids.open(asking["dana"].party, told.dana.ray)
    assert record is not None
    me = next(each for each in site.directory.staff.values() if each.party == record)
    asking["himself"] = replace(
        asking["dana"], staff=me.id, party=record, role=Role.PARTICIPANT, reader=Reader.PARTICIPANT
    )

    def given(who: str) -> set[UUID]:
        with site.readers.session(asking[who]) as session:
            found = {line.party for line in session.accounting(record)}
            session.release([], "", "a test", "a test")
        return found

    for who in ("himself", "patel", "dana"):
        assert police in given(who)
        assert office not in given(who)
    assert given("imani") >= {office, police}
    told.ray.at("2026-05-01 00:00")
    for who in ("himself", "patel", "dana"):
        assert given(who) >= {office, police}


def test_counsels_tasks_do_not_say_whether_the_office_was_told(lead: SiteUnderTest) -> None:
    ray = story.arrest(lead)
    ray.at("2026-03-10 09:00")
    ray.dana.do(f"/v1/participants/{ray.care}/intake", {"narrative": story.NARRATIVE})
    ray.dana.do(f"/v1/participants/{ray.care}/counsel", AUTHORITY | {"expires_on": "2027-03-01"})
    ray.dana.do(f"/v1/participants/{ray.care}/roi", struck_out(warned=["county-pa"]))
    lead.settle()
    patel, by_imani = lead.person("patel"), to_program(lead, ray.care)

    def tasks() -> list[str]:
        return [task["kind"] for task in patel.see("/v1/counsel/tasks")["tasks"]]

    assert tasks() == ["charge latched, office not told"]
    said = ASKED | {"stated_on": "2026-03-10"}
    lead.person("imani").do(f"/v1/participants/{by_imani}/accounting-suspensions", said)
    lead.settle()
    assert tasks() == []  # as where it was told
    assert [task["kind"] for task in ray.dana.see("/v1/case-manager/tasks")["tasks"]][:1] == [
        "charge latched, office not told"
    ]
    ray.at("2026-05-01 00:00")
    end = time.monotonic() + 20
    while tasks() != ["charge latched, office not told"]:
        assert time.monotonic() < end, "the task did not come back"
        time.sleep(0.05)


def test_it_ends_early_at_once_and_says_so_itself(told: Told) -> None:
    told.suspend(ASKED)
    assert OFFICE not in told.himself.to()
    told.imani.person.do(told.imani.path("accounting-suspensions/endings"), {"agency": "county-pa"})
    now = {line["what"] for line in told.himself.lines() if line["to"] == OFFICE}
    assert now == {"disclosure", "notice", "by word of mouth", "suspension", "suspension ended"}
    assert told.refused({"agency": "county-pa"}, "/endings") == "agency"


def test_a_word_of_mouth_is_good_for_thirty_days_and_paper_extends_it(told: Told) -> None:
    assert told.refused(ORAL | {"until": "2026-04-19"}) == "until"
    told.suspend(ORAL)
    told.ray.at("2026-04-18 23:59")
    assert OFFICE not in told.himself.to()
    told.ray.at("2026-04-19 00:00")
    assert OFFICE in told.himself.to()
    assert told.refused(ORAL | {"stated_on": "2026-04-19", "until": "2026-04-20"}) == "statement"
    told.suspend(ASKED | {"stated_on": "2026-04-19"})
    assert OFFICE not in told.himself.to()  # nor that it was suspended before
    told.ray.at("2026-05-01 00:00")
    said = [line["statement"] for line in told.himself.lines() if line["what"] == "suspension"]
    assert said == ["oral", "written"]


# Two worlds ----------------------------------------------------------------------------------------------------------


def _alike(text: str) -> str:
    """Return an answer without what two sites do not have alike: ids, and seconds."""
    text = re.sub(r"\b[a-z2-7]{26}\b", "*", text)
    return re.sub(r"(T\d\d:\d)\d:[\d.]+", r"\1", text)


def _heard(db: Database, *, told_to_transit: bool) -> dict[str, str]:
    """Return what everyone hears who may ask for Ray's accounting. The second department may be told, or never was."""
    with running_site(db, sweep_seconds=3600.0) as lead:  # no clock fires between two acts
        ids = (uuid5(UUID(int=1), str(n)) for n in count())  # what happens in one moment stands in the order of ids
        object.__setattr__(lead.parts.site, "new_id", lambda: next(ids))
        here = Told(lead)
        ray, dana, imani = here.ray, here.dana, here.imani
        given = {"party": "transit-pd", "labels": [*story.POLICE], "purpose": story.COORDINATION}
        dana.person.do(dana.path(f"roi/{ray.roi}/amendments"), story.form(grants=[given]))
        lead.settle()
        ray.at("2026-03-20 09:00")
        if told_to_transit:
            webb, asked = lead.person("webb"), {"given": "Ray", "surname": "Bell", "birth_date": "1984-05-09"}
            shown = webb.client.post("/v1/police/lookups", json=asked, headers=webb._signed())
            assert "Dana" in shown.text
            said = {"party": "transit-pd", "labels": ["enrolment.status"], "occasion": "phone"}
            dana.person.do(dana.path("oral-disclosures"), said)
            lead.settle()
        for at in ("2026-03-20 10:00", "2026-03-20 12:00"):
            ray.at(at)
            dana.person.see(dana.history)  # what LEAD's own people read is told, too
            imani.person.see(imani.history)
            imani.person.see("/v1/privacy/participants")
            assert ("Transit Police" in imani.to()) is told_to_transit
            if told_to_transit and at.endswith("10:00"):
                here.suspend(ASKED | {"agency": "transit-pd", "stated_on": "2026-03-20"})
        ray.at("2026-03-20 13:00")
        ways = [f"accounting{how}{law}" for law in LAWS for how in ("", ".csv", ".html")]
        heard = {f"{who.history} {one}": who.text(one) for who in (here.himself, here.patel, dana) for one in ways}
        for who in (here.himself, here.patel):  # care knows what it said itself
            for party in ("transit-pd", "city-pd"):
                heard[f"{who.history} as of {party}"] = who.text(f"as-of?party={party}")
        for path in ("participant", "participant/history?limit=200", "participant/trace?party=transit-pd"):
            heard[path] = here.himself.person.get(f"/v1/{path}").text
        for path in (here.patel.history, f"{here.patel.history}/trace?party=transit-pd"):
            heard[path] = here.patel.person.get(path).text
        return {_alike(asked): _alike(text) for asked, text in heard.items()}


def test_suspended_and_never_told_are_the_same_bytes(new_site_db: Callable[[], Database]) -> None:
    told, never = (_heard(new_site_db(), told_to_transit=is_told) for is_told in (True, False))
    assert told.keys() == never.keys()
    for asked, text in told.items():
        assert len(text) > 100, asked
        assert text == never[asked], asked


# The bundle ----------------------------------------------------------------------------------------------------------


@contextmanager
def kept(folder: Path, *contents: dict[str, Any]) -> Iterator[list[str]]:
    """Keep what was given, as files."""
    paths = [folder / f"{n}.json" for n, _ in enumerate(contents)]
    for path, content in zip(paths, contents, strict=True):
        path.write_text(json.dumps(content), encoding="utf-8")
    yield [str(path) for path in paths]


def test_a_bundle_has_every_leaf_and_shows_of_the_agencys_that_it_is_there(told: Told, tmp_path: Path) -> None:
    def seal() -> None:
        parts = told.lead.parts
        db, seals = parts.database, parts.site.seals
        login, key = db.login("sealer"), db.secrets.checkpoint_key
        Sealer(login, key, seals.origin, padding=16, leaves=parts.leaves).checkpoint()

    def bundle(who: Reads, how: str = "") -> dict[str, Any]:
        return who.person.see(who.path(f"bundle{how}"))

    def shown(found: dict[str, Any]) -> list[dict[str, Any]]:
        return [leaf["facts"] for leaf in found["lines"][0]["leaves"] if isinstance(leaf["facts"], dict)]

    office = str(told.lead.parts.site.directory.by_code("county-pa", "party").id)
    seal()
    whole = bundle(told.himself)
    assert [facts for facts in shown(whole) if facts["party"] == office and facts["kind"] == "disclosure"]
    size = int(whole["checkpoint"].split("\n")[1])
    told.suspend(ASKED)
    seal()
    for who in (told.himself, told.patel):
        now = bundle(who, f"?since={size}")
        told_now = shown(now)
        assert told_now
        assert not [facts for facts in told_now if facts["party"] == office and facts["kind"] != "event"]
        assert not [facts for facts in told_now if facts.get("topic") in OF_THE_OFFICE | SUSPENSIONS]
        assert len(now["lines"][0]["leaves"]) > len(whole["lines"][0]["leaves"])  # none is left out
        with kept(tmp_path, now, whole) as (fetched, before):
            assert main([fetched, "--checkpoint", before]) == Verdict.VERIFIED
    told.ray.at("2026-05-01 00:00")
    again = shown(bundle(told.himself))
    assert [facts for facts in again if facts["party"] == office and facts["kind"] == "disclosure"]
