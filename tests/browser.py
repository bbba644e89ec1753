"""A browser, as far as signing in needs one: it keeps cookies, says where a request comes from, and is sent on."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser
from http.cookies import SimpleCookie
from typing import Any
from uuid import uuid4

import httpx

from adapters.identity.provider import Client, Provider
from tests.openid import CLIENT, OpenId

PUBLIC = "https://lead.example"
SESSION = "__Host-session"
OWN = {"Sec-Fetch-Site": "same-origin"}
FROM_PROVIDER = {"Sec-Fetch-Site": "cross-site"}


def provider_at(openid: OpenId, **other: Any) -> Provider:
    """Return the site's side of a provider."""
    openid.redirect_uri = f"{PUBLIC}/sign-in/callback"
    known = {"acr_values": ("aal2", "aal3"), "key": openid.client_pem()} | other
    return Provider(Client(issuer=openid.issuer, client_id=CLIENT, public_url=PUBLIC, **known))


class Form(HTMLParser):
    """The one form of a page: how and where it is sent, the fields that it sends, and what its button says."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.method, self.action, self.button = "", "", ""
        self.fields: dict[str, str] = {}
        self._in_button = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self._in_button = tag == "button"
        if tag == "form":
            assert not self.method, "there are two"
            self.method, self.action = given["method"], given["action"]
        elif tag == "input":
            self.fields[given["name"]] = given["value"]

    def handle_data(self, data: str) -> None:
        if self._in_button:
            self.button += data

    def handle_endtag(self, tag: str) -> None:
        self._in_button = False


@dataclass(slots=True)
class Browser:
    """Somebody's browser at the site, which `PUBLIC` stands for."""

    base_url: str
    cookies: dict[str, str] = field(default_factory=dict)
    csrf: str | None = None

    def get(self, path: str, headers: dict[str, str] | None = None) -> httpx.Response:
        """Ask from a page of the site's own."""
        return self._send("GET", path, OWN if headers is None else headers)

    def post(self, path: str, body: Any = None, headers: dict[str, str] | None = None) -> httpx.Response:
        """Send from a page of the site's own, with what its pages send."""
        own = OWN | ({"X-CSRF-Token": self.csrf} if self.csrf else {})
        sent = {"Idempotency-Key": str(uuid4())} | (own if headers is None else headers)
        return self._send("POST", path, sent, json=body)

    def submit(self, page: httpx.Response) -> httpx.Response:
        """Press the button of a page's one form, as a browser does that runs no script."""
        form = Form(page.text)
        assert form.method == "post"
        return self._send("POST", form.action, OWN | {"Accept": "text/html"}, data=form.fields)

    def sign_in(self, query: str = "") -> httpx.Response:
        """Sign in; return the last answer of the site."""
        answer = self.finish(self.begin(query))
        if answer.status_code == 303:
            self.csrf = self.get("/v1/sessions").json()["csrf_token"]
        return answer

    def begin(self, query: str = "") -> str:
        """Begin to sign in; return what the provider sends the browser back to."""
        answer = self.get(f"/sign-in{query}")
        assert answer.status_code == 303, answer.text
        there = httpx.get(answer.headers["location"])
        assert there.status_code == 303, there.text
        return there.headers["location"]

    def finish(self, location: str) -> httpx.Response:
        """Come back from the provider."""
        assert location.startswith(PUBLIC)
        return self.get(location.removeprefix(PUBLIC), FROM_PROVIDER)

    def _send(self, method: str, path: str, headers: dict[str, str], **sent: Any) -> httpx.Response:
        held = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        cookie = {"Cookie": held} if held else {}
        answer = httpx.request(method, self.base_url + path, headers=headers | cookie, timeout=30, **sent)
        for line in answer.headers.get_list("set-cookie"):
            for name, morsel in SimpleCookie(line).items():
                assert name.startswith("__Host-"), line
                assert (morsel["path"], morsel["secure"], morsel["httponly"]) == ("/", True, True), line
                assert (morsel["samesite"].casefold(), morsel["domain"]) == ("lax", ""), line
                assert len(line) < 4096
                self.cookies.pop(name, None)
                if morsel["max-age"] != "0":
                    self.cookies[name] = morsel.value
        return answer
