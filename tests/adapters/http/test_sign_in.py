"""People sign in with a provider, and stay signed in for as long as the site's policy and their authority let them."""

from __future__ import annotations

import asyncio
import re
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import date, timedelta
from hashlib import sha256
from html import unescape
from itertools import count
from typing import Any
from unittest import mock
from urllib.parse import parse_qs, urlencode, urlsplit
from uuid import uuid4

import httpx
import jwt
import psycopg
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key

from adapters.http.app import SECURITY, BodyLimit
from adapters.http.problems import STEP_UP
from adapters.identity.provider import Provider
from adapters.postgres.access import Access as Sessions
from adapters.postgres.access import Measure
from adapters.postgres.migrate import admit
from adapters.secrets import Secrets
from adapters.settings import Settings
from adapters.simulation.cast import protocol
from adapters.telemetry.logs import Line
from domain.protocol import Access
from services.ports import Unavailable
from tests.adapters.http.conftest import example, problem
from tests.browser import FROM_PROVIDER, OWN, PUBLIC, SESSION, Browser, Form, provider_at
from tests.conftest import Database, _created
from tests.openid import CLIENT, OpenId, openid
from tests.scenarios import ray as story
from tests.site import HURRIED, SiteUnderTest, running_site

pytestmark = pytest.mark.server

RULES = HURRIED.model_copy(update={"recent_minutes": 10})
_versions = count(100)


@pytest.fixture(scope="module")
def provider() -> Iterator[OpenId]:
    with openid() as running:
        yield running


@pytest.fixture(scope="module")
def ours(provider: OpenId) -> Iterator[Provider]:
    """The running site's side of it."""
    with closing(provider_at(provider)) as client:
        yield client


@pytest.fixture(scope="module")
def lead(
    server: str, template: str, secrets_and_prefix: tuple[Secrets, str], ours: Provider
) -> Iterator[SiteUnderTest]:
    secrets, prefix = secrets_and_prefix
    with _created(server, template) as url:
        with psycopg.connect(url) as connection:
            admit(connection, prefix)
        with running_site(Database(url, secrets, prefix), access=RULES, provider=ours) as running:
            yield running


@pytest.fixture
def dana(lead: SiteUnderTest, provider: OpenId) -> Browser:
    """Dana's browser; she is signed in, and the provider is honest."""
    provider.honest()
    browser = Browser(lead.base_url)
    assert browser.sign_in().status_code == 303
    return browser


def another(lead: SiteUnderTest, openid: OpenId, subject: str) -> Browser:
    """Return the browser of someone else, signed in."""
    openid.subject = subject
    browser = Browser(lead.base_url)
    assert browser.sign_in().status_code == 303
    return browser


def later(lead: SiteUnderTest, column: str, by: timedelta) -> None:
    """Let so much time have gone by since what a column says of every session."""
    with psycopg.connect(lead.parts.database.url) as owner:
        owner.execute(f"update access.session set {column} = {column} - %s", [by])


def rules(lead: SiteUnderTest, **numbers: int) -> None:
    """Let the site work by other numbers."""
    new = protocol(date(2026, 1, 16), RULES.model_copy(update=numbers))
    body = new.model_copy(update={"version": f"P-{next(_versions)}", "retroactive": True}).model_dump(mode="json")
    lead.person("pat").do("/v1/register/protocols", {"protocol": body})
    lead.parts.site.directory.refresh()


@pytest.fixture(scope="module")
def ray(lead: SiteUnderTest) -> story.Ray:
    """Ray, who is enrolled."""
    found = story.arrest(lead)
    story.enrol(found)
    rules(lead)
    return found


@pytest.fixture
def printed(ray: story.Ray) -> str:
    """Return the path of a page that one has to be signed in for: an accounting to print."""
    return f"/v1/participants/{ray.care}/accounting.html"


@pytest.fixture
def as_before(lead: SiteUnderTest) -> Iterator[None]:
    """Work by the usual numbers again after a test, and with empty measures."""
    yield
    with psycopg.connect(lead.parts.database.url) as owner:
        owner.execute("delete from access.measure")
    rules(lead)


# Signing in ----------------------------------------------------------------------------------------------------------


def test_someone_of_the_register_signs_in(dana: Browser, provider: OpenId) -> None:
    assert dana.get("/v1/me").json()["name"] == "Dana Reyes"
    assert set(dana.cookies) == {SESSION}  # what the sign-in needed is gone
    assert len(dana.cookies[SESSION]) == 64  # 256 bits
    first = provider.asked[-1]
    Browser(dana.base_url).begin()
    second = provider.asked[-1]
    for secret in ("state", "nonce", "code_challenge"):
        assert first[secret] != second[secret]
        assert len(first[secret]) >= 43
    assert first["acr_values"] == "aal2 aal3"
    assert first["max_age"] == str(12 * 3600)


def test_one_comes_back_to_a_page_of_the_site_alone(lead: SiteUnderTest, provider: OpenId) -> None:
    provider.honest()
    for given, there in (
        ("/v1/me", "/v1/me"),
        ("//elsewhere.example", "/"),
        ("/\\elsewhere.example", "/"),
        ("https://elsewhere.example/", "/"),
        ("javascript:alert(1)", "/"),
        ("/a\r\nSet-Cookie: x=y", "/"),
    ):
        answer = Browser(lead.base_url).sign_in("?" + urlencode({"return_to": given}))
        assert answer.headers["location"] == there, given


def signed(**lie: Any) -> Callable[[OpenId], None]:
    return lambda openid: openid.lie.update(lie)


def signs_with(algorithm: str) -> Callable[[OpenId], None]:
    return lambda openid: setattr(openid, "algorithm", algorithm)


LIES: dict[str, Callable[[OpenId], None]] = {
    "somebody whom the register does not know": lambda openid: setattr(openid, "subject", "nobody"),
    "somebody whose authority has ended": lambda openid: setattr(openid, "subject", "gone"),
    "another nonce": signed(nonce="another"),
    "no nonce": signed(nonce=None),
    "another issuer": signed(iss="https://elsewhere.example"),
    "a list of issuers": signed(iss=["https://elsewhere.example"]),
    "meant for another": signed(aud="another-client"),
    "meant for others, too": signed(aud=["golden-thread", "another-client"]),
    "a bearer token's audience": signed(aud="goldenthread"),
    "expired": signed(exp=int(time.time()) - 5),
    "without an end": signed(exp=None),
    "not valid yet": signed(nbf=int(time.time()) + 3600),
    "not strong enough": lambda openid: setattr(openid, "acr", "aal1"),
    "of unknown strength": signed(acr=None),
    "signed in yesterday": lambda openid: setattr(openid, "signed_in_at", time.time() - 86_400),
    "signed in tomorrow": lambda openid: setattr(openid, "signed_in_at", time.time() + 86_400),
    "signed in at no time": signed(auth_time=None),
    "signed in at a word": signed(auth_time="soon"),
    "another's key": lambda openid: setattr(openid, "signer", generate_private_key(SECP256R1())),
    "a shared secret": signs_with("HS256"),
    "no signature": signs_with("none"),
}


def shape(answer: httpx.Response) -> tuple[int, bytes, list[tuple[str, str]]]:
    return answer.status_code, answer.content, [(k, v) for k, v in answer.headers.multi_items() if k != "date"]


def test_whatever_is_wrong_with_a_sign_in_is_one_answer_and_no_session(lead: SiteUnderTest, provider: OpenId) -> None:
    pat = lead.person("pat")
    pat.do("/v1/register/staff", {"party": "lead-care", "name": "Temp", "role": "case_manager", "subject": "gone"})
    pat.do("/v1/register/staff/endings", {"subject": "gone"})
    refusals = {}
    for name, lie in LIES.items():
        provider.honest()
        lie(provider)
        browser = Browser(lead.base_url)
        refusals[name] = shape(browser.finish(browser.begin()))
        assert SESSION not in browser.cookies, name
    provider.honest()
    for name, changed in (
        ("another state", lambda query: query | {"state": "another"}),
        ("another code", lambda query: query | {"code": "another"}),
        ("no code", lambda query: query | {"code": ""}),
        ("answered by another", lambda query: query | {"iss": "https://elsewhere.example"}),
        ("answered by nobody", lambda query: {k: v for k, v in query.items() if k != "iss"}),
        ("an error", lambda query: {"error": "access_denied", "state": query["state"], "iss": query["iss"]}),
    ):
        browser = Browser(lead.base_url)
        there = urlsplit(browser.begin())
        query = {key: values[0] for key, values in parse_qs(there.query).items()}
        refusals[name] = shape(browser.finish(f"{PUBLIC}{there.path}?{urlencode(changed(query))}"))
    browser = Browser(lead.base_url)
    refusals["something twice"] = shape(browser.finish(f"{browser.begin()}&code=another"))
    stolen = browser.begin()
    refusals["another browser"] = shape(Browser(lead.base_url).finish(stolen))
    other = Browser(lead.base_url)
    other.begin()
    refusals["another browser's sign-in"] = shape(other.finish(stolen))
    assert browser.finish(stolen).status_code == 303
    replayed = Browser(lead.base_url, {"__Host-sign-in": other.cookies["__Host-sign-in"]})
    refusals["a code twice"] = shape(replayed.finish(stolen))
    first = refusals["another nonce"]
    assert first[0] == 403
    assert b"/problems/sign-in-refused" in first[1]
    assert {name for name, refusal in refusals.items() if refusal != first} == set()


def test_the_provider_may_change_its_key(lead: SiteUnderTest, provider: OpenId, ours: Provider) -> None:
    provider.honest()
    assert Browser(lead.base_url).sign_in().status_code == 303
    provider.rotate()
    fresh = provider_at(provider)
    url, begun = fresh.begin("/", age_most=60, again=False)
    before = provider.keys_fetched
    query = {k: v[0] for k, v in parse_qs(urlsplit(httpx.get(url).headers["location"]).query).items()}
    assert fresh.finish(begun, query).subject == "dana"
    provider.rotate()
    for _ in range(3):  # unknown ids do not make us ask and ask
        with pytest.raises(KeyError):
            fresh.keys["unknown"]
    assert provider.keys_fetched == before + 1
    fresh.keys._fetched_at -= 60
    assert fresh.keys[provider.kid]
    fresh.close()
    ours.keys._fetched_at -= 60  # the site, too, asks again
    assert Browser(lead.base_url).sign_in().status_code == 303


@pytest.mark.parametrize(
    "metadata",
    [
        {"issuer": "https://elsewhere.example"},
        {"token_endpoint": "http://elsewhere.example/token"},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"jwks_uri": None},
    ],
    ids=lambda metadata: next(iter(metadata)),
)
def test_a_provider_that_describes_itself_otherwise_is_not_believed(provider: OpenId, metadata: dict[str, Any]) -> None:
    provider.honest()
    provider.metadata = metadata
    ours = provider_at(provider)
    with pytest.raises(Unavailable):
        ours.begin("/", age_most=60, again=False)
    provider.honest()
    ours.close()


def test_a_provider_that_does_not_answer_is_not_our_fault(lead: SiteUnderTest) -> None:
    nobody = OpenId(issuer="http://127.0.0.1:1")
    ours = provider_at(nobody)
    for _ in range(2):
        with pytest.raises(Unavailable):
            ours.begin("/", age_most=60, again=False)
    ours.close()


def test_nobody_is_signed_in_from_another_page(lead: SiteUnderTest) -> None:
    for site in ("cross-site", "same-site"):
        problem(Browser(lead.base_url).get("/sign-in", {"Sec-Fetch-Site": site}), 403, "from-elsewhere")


# Sessions ------------------------------------------------------------------------------------------------------------


def test_a_session_ends_with_signing_out(dana: Browser) -> None:
    kept = dict(dana.cookies)
    answer = dana.post("/sign-out")
    assert answer.status_code == 200
    assert answer.headers["clear-site-data"] == '"cache", "storage"'
    assert SESSION not in dana.cookies
    dana.cookies = kept
    problem(dana.get("/v1/me"), 401, "not-signed-in")


def test_signing_out_goes_on_at_the_provider(dana: Browser, provider: OpenId) -> None:
    there = dana.post("/sign-out").json()["at_provider"]
    assert "dana" not in there
    before = provider.signed_out
    answer = httpx.get(there)
    assert (answer.status_code, answer.headers["location"]) == (303, f"{PUBLIC}/")
    assert provider.signed_out == before + 1


def test_a_page_has_a_way_out_that_needs_no_script(
    lead: SiteUnderTest, dana: Browser, provider: OpenId, printed: str
) -> None:
    kept = Browser(lead.base_url, dict(dana.cookies))
    page = dana.get(printed)
    assert Form(page.text).button == "Sign out"
    assert page.text.index("<form") < page.text.index("<h1>") < page.text.index("<table>")  # seen without scrolling
    assert "form-action 'self'" in page.headers["content-security-policy"]
    assert page.headers["referrer-policy"] == "same-origin"  # else an older browser says `Origin: null`
    style = page.text.partition("<style>")[2].partition("</style>")[0]
    assert b64encode(sha256(style.encode()).digest()).decode() in page.headers["content-security-policy"]
    assert "@media print { form { display: none } }" in style
    left = dana.submit(page)
    assert left.status_code == 200
    assert left.headers["clear-site-data"] == '"cache", "storage"'
    assert SESSION not in dana.cookies
    problem(kept.get("/v1/me"), 401, "not-signed-in")
    (there,) = re.findall(r'href="(http[^"]+)"', left.text)
    before = provider.signed_out
    assert httpx.get(unescape(there)).status_code == 303
    assert provider.signed_out == before + 1


def test_the_way_out_is_the_sessions_own_and_a_bearer_sees_none(
    lead: SiteUnderTest, dana: Browser, provider: OpenId, printed: str
) -> None:
    page = dana.get(printed)
    as_bearer = lead.person("dana").get(printed, Cookie=f"{SESSION}={dana.cookies[SESSION]}")
    for said in ("<form", "csrf", "Sign out"):
        assert said in page.text
        assert said not in as_bearer.text
    other = another(lead, provider, "luis")
    problem(other.submit(page), 403, "from-elsewhere")
    form = Form(page.text)
    for headers, fields in (
        (OWN, {}),
        (OWN, {"csrf_token": [form.fields["csrf_token"], "another"]}),
        ({"Sec-Fetch-Site": "cross-site"}, form.fields),
        ({"Origin": "null"}, form.fields),
    ):
        cookie = {"Cookie": f"{SESSION}={dana.cookies[SESSION]}"}
        problem(httpx.post(lead.base_url + form.action, data=fields, headers=headers | cookie), 403, "from-elsewhere")
    problem(dana.get("/sign-out"), 405, "no-such-method")
    assert dana.get("/v1/me").status_code == 200


@pytest.mark.parametrize("endpoint", [None, "http://elsewhere.example/logout", "javascript:alert(1)", 7])
def test_a_provider_without_a_safe_way_out_is_left_alone(provider: OpenId, endpoint: object) -> None:
    provider.honest()
    provider.metadata = {"end_session_endpoint": endpoint}
    with closing(provider_at(provider)) as ours:
        assert ours.sign_out() is None
    provider.honest()


def test_one_signs_out_whether_or_not_the_provider_answers(lead: SiteUnderTest, dana: Browser, ours: Provider) -> None:
    kept = dict(dana.cookies)
    with mock.patch.object(ours, "_described", mock.Mock(side_effect=Unavailable)):
        assert dana.post("/sign-out").json() == {"signed_out": True, "at_provider": None}
    problem(Browser(lead.base_url, kept).get("/v1/me"), 401, "not-signed-in")


def test_what_the_browser_holds_is_not_what_is_kept(lead: SiteUnderTest, dana: Browser) -> None:
    with psycopg.connect(lead.parts.database.url) as owner:
        kept = owner.execute("select s::text from access.session s").fetchall()
        assert owner.execute(
            "select relpersistence from pg_class where oid = 'access.session'::regclass"
        ).fetchone() == ("u",)
    assert kept
    assert dana.cookies[SESSION] not in str(kept)
    problem(Browser(lead.base_url, {SESSION: "0" * 64}).get("/v1/me"), 401, "not-signed-in")


@pytest.mark.parametrize(
    ("column", "by"),
    [("seen_at", timedelta(minutes=15)), ("ends_at", timedelta(hours=12))],
    ids=["idle", "at last"],
)
def test_a_session_ends_by_time(lead: SiteUnderTest, dana: Browser, column: str, by: timedelta) -> None:
    later(lead, column, by - timedelta(minutes=1))
    assert dana.get("/v1/me").status_code == 200
    later(lead, column, by if column == "seen_at" else timedelta(minutes=1))
    problem(dana.get("/v1/me"), 401, "not-signed-in")


def test_an_ended_authority_ends_its_sessions_at_once_and_for_ever(lead: SiteUnderTest, provider: OpenId) -> None:
    provider.honest()
    pat = lead.person("pat")
    hers = {"party": "lead-care", "name": "Temp", "role": "case_manager", "subject": "temp"}
    pat.do("/v1/register/staff", hers)
    temp = another(lead, provider, "temp")
    assert temp.get("/v1/case-manager/on-call").status_code == 200
    pat.do("/v1/register/staff/endings", {"subject": "temp"})
    problem(temp.get("/v1/me"), 401, "not-signed-in")
    pat.do("/v1/register/staff", hers)
    problem(temp.get("/v1/me"), 401, "not-signed-in")
    assert temp.sign_in().status_code == 303
    assert temp.get("/v1/me").status_code == 200


def test_signing_in_again_is_another_session_and_the_oldest_of_too_many_ends(
    lead: SiteUnderTest, dana: Browser
) -> None:
    first = Browser(lead.base_url, dict(dana.cookies))
    assert dana.sign_in().status_code == 303
    assert dana.cookies[SESSION] != first.cookies[SESSION]
    problem(first.get("/v1/me"), 401, "not-signed-in")
    more = [Browser(lead.base_url) for _ in range(3)]
    assert [browser.sign_in().status_code for browser in more] == [303] * 3
    problem(dana.get("/v1/me"), 401, "not-signed-in")
    assert [browser.get("/v1/me").status_code for browser in more] == [200] * 3
    listed = more[-1].get("/v1/sessions").json()["sessions"]
    assert [each["here"] for each in listed] == [True, False, False]


def test_one_sees_and_ends_ones_own_sessions(lead: SiteUnderTest, dana: Browser) -> None:
    elsewhere = Browser(lead.base_url)
    elsewhere.sign_in()
    listed = dana.get("/v1/sessions").json()["sessions"]
    (there,) = (each["session"] for each in listed[:2] if not each["here"])
    problem(dana.post("/v1/sessions/endings", {"session": "x"}), 404, "nothing-here")
    assert dana.post("/v1/sessions/endings", {"session": there}).json() == {"ended": 1}
    problem(elsewhere.get("/v1/me"), 401, "not-signed-in")
    assert dana.get("/v1/me").status_code == 200
    assert dana.post("/v1/sessions/endings", {}).json()["ended"] >= 1
    problem(dana.get("/v1/me"), 401, "not-signed-in")


def test_a_supervisor_ends_those_of_the_team_and_the_project_manager_anyones(
    lead: SiteUnderTest, dana: Browser, provider: OpenId
) -> None:
    path = "/v1/sessions/endings"
    problem(lead.person("luis").post(path, {"subject": "dana"}), 403, "not-your-command")
    for subject in ("kim", "nobody"):
        problem(lead.person("noor").post(path, {"subject": subject}), 404, "nothing-here")
    both = lead.person("noor").post(path, {"subject": "dana", "session": "x"})
    problem(both, 422, "refused", "session")
    assert dana.get("/v1/me").status_code == 200
    assert lead.person("noor").post(path, {"subject": "dana"}).json()["ended"] >= 1
    problem(dana.get("/v1/me"), 401, "not-signed-in")
    kim = another(lead, provider, "kim")
    assert lead.person("pat").post(path, {"subject": "kim"}).json() == {"ended": 1}
    problem(kim.get("/v1/me"), 401, "not-signed-in")


def test_a_list_is_followed_no_longer_than_the_session(lead: SiteUnderTest, dana: Browser) -> None:
    path = "/v1/case-manager/caseload/updates"
    whole = dana.get(path).text.count("\n\n")
    seen = 0
    cookie = {"Cookie": f"{SESSION}={dana.cookies[SESSION]}"}
    with httpx.stream("GET", lead.base_url + path, headers=OWN | cookie, timeout=30) as answer:
        for line in answer.iter_lines():
            if line.startswith("data:"):
                lead.parts.access.end(lead.parts.site.directory.by_subject("dana").id)  # type: ignore[union-attr]
            seen += not line
    assert seen < whole


# From the site's own pages alone -------------------------------------------------------------------------------------


def test_what_changes_something_comes_from_our_own_pages_with_their_token(lead: SiteUnderTest, dana: Browser) -> None:
    ask = {"kind": "question", "text": "Can you reach this person?"}
    kim = Browser(lead.base_url, dict(dana.cookies), dana.csrf)
    host = urlsplit(lead.base_url).netloc
    token = {"X-CSRF-Token": str(dana.csrf)}
    for headers in (
        {},
        OWN,
        OWN | {"X-CSRF-Token": "0" * 32},
        token,  # from who knows where
        token | {"Sec-Fetch-Site": "none"},
        token | {"Sec-Fetch-Site": "same-site"},
        token | {"Sec-Fetch-Site": "cross-site"},
        token | {"Sec-Fetch-Site": "cross-site", "Origin": f"http://{host}"},
        token | {"Origin": "https://elsewhere.example"},
        token | {"Origin": "null"},
    ):
        for path, body in (("/v1/roster/on-call", ask), ("/sign-out", None), ("/v1/sessions/endings", {})):
            problem(kim.post(path, body, headers), 403, "from-elsewhere")
    assert lead.parts.log.of_topics(["roster.on_call"]) == []
    for headers in (OWN | token, token | {"Origin": f"http://{host}"}):
        assert kim.post("/v1/roster/on-call", ask, headers).status_code == 422  # refused for what it says, not whence
    assert kim.post("/sign-out", None, token | {"Origin": f"http://{host}"}).status_code == 200


def test_what_only_reads_is_not_shown_within_another_page(dana: Browser) -> None:
    for site in ("cross-site", "same-site"):
        problem(dana.get("/v1/me", {"Sec-Fetch-Site": site}), 403, "from-elsewhere")
    for headers in ({}, OWN, {"Sec-Fetch-Site": "none"}):
        assert dana.get("/v1/me", headers).status_code == 200


def test_a_token_is_another_sessions(lead: SiteUnderTest, dana: Browser, provider: OpenId) -> None:
    other = another(lead, provider, "luis")
    assert other.csrf != dana.csrf
    other.csrf = dana.csrf
    problem(other.post("/sign-out"), 403, "from-elsewhere")


def test_a_bearer_needs_neither(lead: SiteUnderTest) -> None:
    grace = lead.person("grace")
    assert grace.get("/v1/sessions").json() == {"csrf_token": None, "sessions": []}
    assert grace.get("/v1/me", **FROM_PROVIDER).status_code == 200
    assert grace.post("/sign-out", None, **FROM_PROVIDER).json() == {"signed_out": True, "at_provider": None}


# Signed in lately ----------------------------------------------------------------------------------------------------

FRESH = ("/v1/case-manager/caseload.csv", "/v1/case-manager/referrals.csv")


def test_an_export_needs_a_sign_in_of_a_few_minutes_ago(lead: SiteUnderTest, dana: Browser, provider: OpenId) -> None:
    for path in FRESH:
        assert dana.get(path).status_code == 200
    later(lead, "authenticated_at", timedelta(minutes=10))
    for path in FRESH:
        answer = dana.get(path)
        problem(answer, 401, "step-up-required")
        challenge = 'Bearer error="insufficient_user_authentication", max_age="600"'
        assert answer.headers["www-authenticate"] == challenge
        assert answer.json()["title"] == STEP_UP.title
        assert "/sign-in?again=true" in answer.json()["title"]
    assert dana.get("/v1/case-manager/caseload").status_code == 200  # all else goes on
    provider.signed_in_at = time.time() - 300  # the provider still knows her; that is not anew
    assert dana.sign_in("?again=true").status_code == 403
    provider.honest()
    assert dana.sign_in("?again=true").status_code == 303
    assert (provider.asked[-1]["prompt"], provider.asked[-1]["max_age"]) == ("login", "0")
    for path in FRESH:
        assert dana.get(path).status_code == 200


def test_a_bearer_signed_in_lately_too(lead: SiteUnderTest) -> None:
    luis = lead.person("luis")
    luis.token = lead.issuer.token("luis", age=timedelta(minutes=9))
    assert luis.get(FRESH[0]).status_code == 200
    luis.token = lead.issuer.token("luis", age=timedelta(minutes=11))
    assert luis.get("/v1/me").status_code == 200
    problem(luis.get(FRESH[0]), 401, "step-up-required")
    problem(luis.post("/v1/sessions/endings", {}), 401, "step-up-required")


def test_revoking_for_someone_and_saying_who_may_do_what_needs_one(lead: SiteUnderTest, ray: story.Ray) -> None:
    dana, pat = lead.person("dana"), lead.person("pat")
    dana.token, pat.token = (lead.issuer.token(who, age=timedelta(minutes=11)) for who in ("dana", "pat"))
    for person, path, name in (
        (dana, f"/v1/participants/{ray.care}/roi/{ray.roi}/revocations", "RevokeRoi"),
        (dana, f"/v1/participants/{ray.care}/items/{ray.roi}/withdrawals", "WithdrawItem"),
        (dana, f"/v1/participants/{ray.care}/access", "GiveAccess"),
        (pat, "/v1/register/parties", "RegisterParty"),
        (pat, "/v1/register/staff", "RegisterStaff"),
        (pat, "/v1/register/protocols", "AdoptProtocol"),
    ):
        problem(person.post(path, example(name)), 401, "step-up-required")
    assert lead.parts.log.of_topics(["roi.revoked", "item.withdrawn", "access.given"]) == []
    dana.token = lead.issuer.token("dana")
    dana.do(f"/v1/participants/{ray.care}/roi/{ray.roi}/revocations", example("RevokeRoi"))


# Not too often -------------------------------------------------------------------------------------------------------


def test_a_person_asks_so_often_and_no_more_wherever_from(
    lead: SiteUnderTest, provider: OpenId, as_before: None
) -> None:
    provider.honest()
    luis, browser = lead.person("luis"), another(lead, provider, "luis")
    rules(lead, requests_per_minute=20)
    answers = [(browser.get if n % 2 else luis.get)("/v1/me") for n in range(30)]
    statuses = [answer.status_code for answer in answers]
    assert statuses.count(200) in range(18, 23)  # some come free again while this goes on
    refused = next(answer for answer in answers if answer.status_code == 429)
    problem(refused, 429, "too-often")
    assert refused.headers["retry-after"] == "60"
    assert all(shape(answer) == shape(refused) for answer in answers if answer.status_code == 429)
    assert lead.person("grace").get("/v1/me").status_code == 200  # nobody else pays for it


def test_lookups_are_counted_whomever_they_find(lead: SiteUnderTest, as_before: None) -> None:
    webb = lead.person("webb")
    rules(lead, lookups_per_hour=6)
    nobody = {"given": "No", "surname": "Body", "birth_date": "1985-05-05"}
    statuses = [webb.post("/v1/police/lookups", nobody).status_code for _ in range(8)]
    assert statuses == [200] * 6 + [429] * 2
    assert webb.get("/v1/police/referrals").status_code == 200  # what is one's own is not a lookup
    assert lead.person("kim").post("/v1/police/lookups", nobody).status_code == 200


def test_an_address_is_counted_also_of_who_is_not_signed_in(lead: SiteUnderTest, as_before: None) -> None:
    rules(lead, sign_ins_per_minute=5)
    statuses = [Browser(lead.base_url).get("/sign-in/callback").status_code for _ in range(8)]
    assert statuses.count(403) in range(5, 7)
    assert statuses[-1] == 429
    rules(lead, requests_per_minute=10, requests_per_address=10)
    spent = [lead.person(who).get("/v1/me").status_code for who in ("luis", "grace", "kim", "webb") for _ in range(4)]
    assert spent.count(429) >= 4


def test_two_processes_count_as_one(shared_db: Database) -> None:
    """And exactly, however many ask at once; a full measure drains evenly, and asking on does not fill it."""
    measure = [Measure("test", 10, timedelta(minutes=1), "198.51.100.7")]

    def asked_of(process: Sessions) -> bool:
        return process.admit(measure, idle=timedelta(0), recently=timedelta(0)).admitted

    with (
        Sessions(shared_db.login("access"), b"k" * 32) as one,
        Sessions(shared_db.login("access"), b"k" * 32) as other,
        psycopg.connect(shared_db.owner_url, autocommit=True) as owner,
    ):

        async def all_at_once() -> list[bool]:
            asked = (asyncio.to_thread(asked_of, each) for _ in range(20) for each in (one, other))
            return list(await asyncio.gather(*asked))

        assert sum(asyncio.run(all_at_once())) in (10, 11)
        assert not asked_of(one)
        owner.execute("update access.measure set empty_at = empty_at - interval '12 seconds'")
        drained = [asked_of(other) for _ in range(4)]
        assert drained[:2] == [True, True]
        assert drained[3] is False
        owner.execute("update access.measure set empty_at = empty_at + interval '1 day'")  # the clock was set back
        assert asked_of(one)
        owner.execute("update access.measure set empty_at = empty_at - interval '2 minutes'")
        one.sweep()
        assert owner.execute("select count(*) from access.measure").fetchone() == (0,)


# Every answer --------------------------------------------------------------------------------------------------------


def test_every_answer_tells_the_browser_to_keep_it_to_itself(lead: SiteUnderTest, dana: Browser) -> None:
    answers = [
        dana.get("/"),
        dana.get("/v1/me"),
        dana.get("/openapi.json"),
        dana.get("/health/live"),
        dana.get("/nowhere"),
        dana.get("/sign-in"),
        dana.get("/sign-in/callback"),
        dana.get(FRESH[0]),
        dana.post("/v1/asks", {}),
        httpx.get(f"{lead.base_url}/v1/me"),
        httpx.post(f"{lead.base_url}/v1/asks", content=b"x" * 300_000),
    ]
    for answer in answers:
        for name, value in SECURITY:
            given = answer.headers.get_list(name.decode())
            assert len(given) == 1, (answer.url, name)
            if name != b"cache-control":
                assert given == [value.decode()], answer.url
        assert "no-store" in answer.headers["cache-control"], answer.url
        assert "access-control-allow-origin" not in answer.headers
        assert "server" not in answer.headers or answer.headers["server"] == "uvicorn"  # `serve` sends none
    policy = answers[0].headers["content-security-policy"]
    for directive in ("default-src 'none'", "object-src 'none'", "base-uri 'none'", "frame-ancestors 'none'"):
        assert directive in policy
    assert "unsafe-inline" not in policy


def test_a_body_that_does_not_come_is_not_waited_for() -> None:
    async def stalls() -> dict[str, Any]:
        await asyncio.sleep(30)
        raise AssertionError

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()

    async def tell(_: Any) -> None:
        raise AssertionError

    async def ask() -> None:
        await BodyLimit(app, 100, {}, 0.05)({"type": "http", "path": "/", "headers": []}, stalls, tell)

    with pytest.raises(Exception, match="408"):
        asyncio.run(ask())


def test_what_is_refused_is_written_down(lead: SiteUnderTest, caplog: pytest.LogCaptureFixture) -> None:
    """Who was answered what and where, in one line that a machine can read; nothing of what was sent."""
    caplog.set_level("INFO", logger="goldenthread.access")
    luis, correlation = lead.person("luis"), str(uuid4())
    staff = lead.parts.site.directory.by_subject("luis")
    assert staff is not None
    sent = {"X-Correlation-Id": correlation}
    luis.post("/v1/register/parties", example("RegisterParty"), **sent)
    luis.post("/v1/participants/x%0aINFO goldenthread/contacts", {"colour": "red\nINFO"}, **sent)
    httpx.get(f"{lead.base_url}/v1/me")
    lines = [Line().format(record) for record in caplog.records if record.name == "goldenthread.access"]
    begin = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ INFO goldenthread.access: refused="
    known = f"staff={staff.id} correlation={correlation}"
    for wanted in (
        f"not-your-command method=POST route=/v1/register/parties {known}",
        f"invalid-input method=POST route=/v1/participants/{{participant}}/contacts {known}",
        "not-signed-in method=GET route=/v1/me staff=unknown correlation=none",
    ):
        assert any(re.fullmatch(begin + re.escape(wanted), line) for line in lines), (wanted, lines)


def test_neither_kind_of_token_passes_for_the_other(lead: SiteUnderTest) -> None:
    """An ID token is for the client's id, a bearer for the audience; no site starts in which both are the same."""
    now = int(time.time())
    claims = {"iss": "urn:goldenthread:demo", "aud": CLIENT, "sub": "luis", "iat": now, "exp": now + 60}
    token = jwt.encode(claims, lead.issuer._key, "EdDSA", {"kid": "demo"})
    answer = httpx.get(f"{lead.base_url}/v1/me", headers={"Authorization": f"Bearer {token}"})
    problem(answer, 401, "not-signed-in")
    given: dict[str, Any] = {"issuer": "https://i.example", "public_url": PUBLIC, "client_key_file": "key.pem"}
    assert Settings(client_id="other", **given).client_id == "other"
    with pytest.raises(ValueError, match="the audience of bearer tokens is the client_id"):
        Settings(client_id="goldenthread", **given)
    with pytest.raises(ValueError, match="a client_id needs an issuer"):
        Settings(client_id="other")


def test_trace_is_no_method(lead: SiteUnderTest) -> None:
    for path in ("/", "/v1/me", "/sign-in"):
        problem(httpx.request("TRACE", lead.base_url + path), 405, "no-such-method")


def test_the_numbers_have_bounds() -> None:
    assert Access() == Access(idle_minutes=15, session_hours=12, sessions_most=3, recent_minutes=10)
    for wrong in ({"session_hours": 25}, {"idle_minutes": 61}, {"requests_per_minute": 0}, {"sessions_most": 0}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            Access(**wrong)
