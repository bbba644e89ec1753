"""A command is carried out once under its key, however often and from however many places it is sent."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from tests.adapters.http.conftest import COMMANDS, example, path_of
from tests.scenarios import ray as story
from tests.site import Person, SiteUnderTest

pytestmark = pytest.mark.server

THREADS = 8


def events(lead: SiteUnderTest, topic: str) -> int:
    return len(lead.parts.log.of_topics([topic]))


def test_twice_is_once(lead: SiteUnderTest, ray: story.Ray) -> None:
    path, body, key = f"/v1/participants/{ray.care}/contacts", example("RecordContact"), str(uuid4())
    before = events(lead, "contact.made")
    first, second = (ray.dana.post(path, body, key=key) for _ in range(2))
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.content == second.content
    assert events(lead, "contact.made") == before + 1
    assert ray.dana.post(path, body).content != first.content  # a new key is a new contact
    assert events(lead, "contact.made") == before + 2


def test_two_people_may_use_the_same_key(lead: SiteUnderTest, ray: story.Ray) -> None:
    path, key, before = f"/v1/participants/{ray.care}/contacts", str(uuid4()), events(lead, "contact.made")
    first = ray.dana.post(path, example("RecordContact"), key=key)
    second = lead.person("noor").post(path, example("RecordContact"), key=key)
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.content != second.content
    assert events(lead, "contact.made") == before + 2


def at_once(lead: SiteUnderTest, subject: str, send: Callable[[Person, int], Any]) -> list[Any]:
    """Let one person's browser send from eight places at the same moment."""
    people = [lead.person(subject) for _ in range(THREADS)]
    for person in people:
        person.get("/v1/me")  # connected
    gate = Barrier(THREADS)

    def one(n: int) -> Any:
        gate.wait()
        return send(people[n], n)

    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(one, range(THREADS)))


@pytest.mark.parametrize("round_", range(3))
@pytest.mark.parametrize(
    ("subject", "name", "topic"),
    [
        ("kim", "OfferDiversion", "referral.offered"),
        ("dana", "RecordContact", "contact.made"),
        ("chen", "FileCase", "case.filed"),  # the second of its docket is refused, under a key of its own
        ("dana", "GiveAccess", "access.given"),
        ("pat", "RegisterParty", "party.registered"),
    ],
)
def test_eight_at_once_are_once(
    lead: SiteUnderTest, ray: story.Ray, subject: str, name: str, topic: str, round_: int
) -> None:
    path, key, before = path_of(ray, name, whose="care"), str(uuid4()), events(lead, topic)
    body = example(name)
    for own in {"docket", "subject", "code", "incident_number"} & set(body):
        body[own] = f"{own}-{round_}"
    answers = at_once(lead, subject, lambda person, _: person.post(path, body, key=key))
    assert [answer.status_code for answer in answers] == [201] * THREADS, [answer.text for answer in answers]
    assert len({answer.content for answer in answers}) == 1
    assert events(lead, topic) == before + 1


def test_eight_at_once_with_if_match_are_once(lead: SiteUnderTest, ray: story.Ray) -> None:
    path, key, before = path_of(ray, "RecordContact", whose="care"), str(uuid4()), events(lead, "contact.made")
    lead.settle()
    tag = ray.dana.get(f"/v1/case-manager/participants/{ray.care}").headers["etag"]
    body = example("RecordContact")
    answers = at_once(lead, "dana", lambda person, _: person.post(path, body, key=key, **{"If-Match": tag}))
    assert [answer.status_code for answer in answers] == [201] * THREADS, [answer.text for answer in answers]
    assert events(lead, "contact.made") == before + 1


def test_of_eight_that_changed_the_same_reading_one_is_carried_out(lead: SiteUnderTest, ray: story.Ray) -> None:
    """Each contact is a stream of its own: what counts is that nothing at all was recorded of whom one has read."""
    path, before = path_of(ray, "RecordContact", whose="care"), events(lead, "contact.made")
    lead.settle()
    tag = ray.dana.get(f"/v1/case-manager/participants/{ray.care}").headers["etag"]
    body = example("RecordContact")
    answers = at_once(lead, "dana", lambda person, _: person.post(path, body, **{"If-Match": tag}))
    assert sorted(answer.status_code for answer in answers) == [201, *[412] * (THREADS - 1)]
    assert events(lead, "contact.made") == before + 1


def test_eight_keys_at_once_are_eight(lead: SiteUnderTest, ray: story.Ray) -> None:
    path, before = path_of(ray, "RecordContact", whose="care"), events(lead, "contact.made")
    answers = at_once(lead, "dana", lambda person, _: person.post(path, example("RecordContact")))
    assert [answer.status_code for answer in answers] == [201] * THREADS
    assert events(lead, "contact.made") == before + THREADS


def test_the_stored_answer_holds_ids_and_what_was_sent(lead: SiteUnderTest, ray: story.Ray) -> None:
    """Every stored answer, of every command that has been carried out here."""
    ray.dana.do(f"/v1/participants/{ray.care}/assignment", {})
    ray.dana.do(f"/v1/participants/{ray.care}/aliases", {"alias": "Sunny"})
    lead.person("noor").do(f"/v1/participants/{ray.care}/holds", {"ground": "litigation"})
    revocation = {"word_of": "participant", "medium": "oral"}  # for all: whom that concerns was not sent
    ray.dana.do(f"/v1/participants/{ray.care}/roi/{ray.roi}/revocations", revocation)
    with psycopg.connect(lead.parts.database.url) as owner:
        answers = [answer for (answer,) in owner.execute("select answer from log.answer").fetchall()]
    assert len(answers) > len(COMMANDS) // 2
    sent = {"P-7", None, "ray", "feed", "sunrise-clinic"}
    sent |= {f"{own}-{n}" for own in ("docket", "subject", "code") for n in range(3)}
    for answer in answers:
        for name, value in answer.items():
            for one in value if isinstance(value, list) else [value]:
                assert one in sent or is_an_id(lead, one), (name, one)


def is_an_id(lead: SiteUnderTest, text: str) -> bool:
    site = lead.parts.site
    care = site.directory.by_code("lead-care", "party").id
    return isinstance(site.ids.open(care, text), UUID)
