"""Agencies' messages that were set aside: what the project manager sees of them, and what becomes of them."""

from __future__ import annotations

import time
from typing import Any
from uuid import UUID

import psycopg
import pytest

from services.feed import feed_of
from tests.adapters.http.conftest import misread, problem
from tests.adapters.kafka.messages import WHO, person, raws, record
from tests.conftest import Database
from tests.scenarios.eyes import raw
from tests.site import Person, SiteUnderTest, running_site

pytestmark = pytest.mark.server
RMS = "city-pd:WASPD0000"
CANARY = "Xochitl-Quetzal"
OF_A_STRANGER: dict[str, Any] = {"LeadDiversion": None, WHO: person(CANARY, CANARY, "1971-11-23")}
WHY = {"why": "The reader was mended."}


@pytest.fixture
def lead(site_db: Database) -> Any:
    with running_site(site_db) as site:
        yield site


@pytest.fixture
def pat(lead: SiteUnderTest) -> Person:
    return lead.person("pat")


def the_messages(pat: Person) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = pat.see("/v1/program/messages")["messages"]
    return found


def settled(site_db: Database) -> list[tuple[str, UUID | None, str | None]]:
    with psycopg.connect(site_db.owner_url) as owner:
        return owner.execute("select outcome, settled_by, why from stream.settled order by id").fetchall()


def wait_until(done: Any) -> None:
    end = time.monotonic() + 20
    while not done():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_it_says_where_and_what_is_wrong_and_nothing_of_what_it_says(lead: SiteUnderTest, pat: Person) -> None:
    misread(lead, record("arrest.recorded", RMS, OF_A_STRANGER))
    (message,) = the_messages(pat)
    assert {name: message[name] for name in ("party", "topic", "partition", "offset", "waiting_behind", "faults")} == {
        "party": "city-pd",
        "topic": "in.city-pd.arrest.v1",
        "partition": 0,
        "offset": 0,
        "waiting_behind": 0,
        "faults": [{"pointer": "/data", "code": "missing", "sentence": "it lacks what it must have."}],
    }
    assert pat.see(f"/v1/program/messages/{message['message']}") == message
    assert CANARY not in str(message)
    problem(lead.person("shaw").get("/v1/program/messages"), 403, "not-your-command")


def test_a_page_goes_on_where_the_one_before_ended(lead: SiteUnderTest, pat: Person) -> None:
    misread(lead, *(record("arrest.recorded", RMS, OF_A_STRANGER) for _ in range(5)))
    page = pat.see("/v1/program/messages?limit=2")
    offsets = [message["offset"] for message in page["messages"]]
    while page["next"]:
        page = pat.see(f"/v1/program/messages?limit=2&cursor={page['next']}")
        offsets += [message["offset"] for message in page["messages"]]
    assert offsets == [0, 1, 2, 3, 4]
    problem(pat.get("/v1/program/messages?cursor=x"), 422, "refused", "cursor")


def test_a_message_is_taken_again_and_what_waits_behind_it_follows(
    lead: SiteUnderTest, pat: Person, site_db: Database
) -> None:
    first, second = record("arrest.recorded", RMS, OF_A_STRANGER), record("arrest.amended", RMS, OF_A_STRANGER)
    site = lead.parts.site
    misread(lead, first, key=f"arrest {first.key.decode() if first.key else None}")
    party = site.directory.by_code("city-pd", "party")
    assert feed_of(site).take(party, raws(second, begin=1)) == {"waits": 1}
    (message,) = the_messages(pat)
    assert message["waiting_behind"] == 1
    path = f"/v1/messages/{message['message']}/replays"
    answer = pat.post(path, WHY, key="once")
    assert (answer.status_code, answer.json()) == (201, {"message": message["message"]})
    wait_until(lambda: {kept.state.value for kept in site.stream.kept()} == {"unknown"})
    assert raw(pat.post(path, WHY, key="once"))[2] == raw(answer)[2], "the same command is answered as before"
    problem(pat.post(path, WHY), 422, "refused", "message")
    problem(pat.post(f"/v1/messages/{message['message']}/drops", WHY), 422, "refused", "message")
    problem(pat.get(f"/v1/program/messages/{message['message']}"), 404, "nothing-here")
    by = site.directory.by_subject("pat")
    assert by is not None
    assert settled(site_db) == [("taken", by.id, WHY["why"])]


def test_what_still_cannot_be_taken_stays_and_says_what_is_wrong_now(
    lead: SiteUnderTest, pat: Person, site_db: Database
) -> None:
    wrong = record("arrest.recorded", RMS, OF_A_STRANGER | {"Arrest/ActivityDate/DateTime": CANARY})
    misread(lead, wrong)
    (message,) = the_messages(pat)
    answer = pat.post(f"/v1/messages/{message['message']}/replays", WHY)
    problem(answer, 422, "refused", "/Arrest/ActivityDate/DateTime")
    assert CANARY not in answer.text
    assert the_messages(pat) == [message]
    assert settled(site_db) == []


def test_a_message_is_dropped_once_and_for_a_reason(lead: SiteUnderTest, pat: Person, site_db: Database) -> None:
    misread(lead, record("arrest.recorded", RMS, OF_A_STRANGER))
    (message,) = the_messages(pat)
    path = f"/v1/messages/{message['message']}/drops"
    problem(pat.post(path, {}), 422, "invalid-input", "why")
    pat.do(path, {"why": "A test of theirs."})
    assert the_messages(pat) == []
    problem(pat.post(path, WHY), 422, "refused", "message")
    assert [(how, why) for how, _, why in settled(site_db)] == [("dropped", "A test of theirs.")]
    problem(
        pat.post(f"/v1/messages/{lead.parts.site.ids.seal(UUID(int=1), UUID(int=1))}/drops", WHY), 404, "nothing-here"
    )


def test_what_is_kept_but_not_set_aside_is_nobodys_to_settle(lead: SiteUnderTest, pat: Person) -> None:
    site = lead.parts.site
    party = site.directory.by_code("city-pd", "party")
    feed_of(site).take(party, raws(record("arrest.recorded", RMS, OF_A_STRANGER)))
    (kept,) = site.stream.kept()
    assert the_messages(pat) == []
    program = site.directory.by_subject("pat")
    assert program is not None
    theirs = site.ids.seal(program.party, UUID(int=kept.id))
    problem(pat.get(f"/v1/program/messages/{theirs}"), 404, "nothing-here")
    problem(pat.post(f"/v1/messages/{theirs}/drops", WHY), 404, "nothing-here")
