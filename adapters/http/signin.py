"""Who sends a request: a session of someone who signed in with the site's provider, or a bearer token of its issuer.

Either names a person; the register says who that is here, and the gate whether that authority lives.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from ipaddress import IPv6Address, ip_address
from typing import Annotated
from urllib.parse import parse_qs, urlsplit
from uuid import UUID, uuid4

from fastapi import Depends, Header, Request
from fastapi.security import APIKeyCookie, HTTPAuthorizationCredentials, HTTPBearer
from opentelemetry import trace
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from adapters.http.problems import FromElsewhere, StepUp, TooOften
from adapters.identity.issuer import BadIdentity, Identity, Verifier
from adapters.postgres.access import Access, Measure
from domain.protocol import Access as Rules
from domain.protocol import NoProtocol
from domain.registry import READER_OF, PartyKind, Role, staff_stream
from services.directory import Staff
from services.ports import AuthorityEnded, Caller
from services.site import Site

COOKIE = "__Host-session"
CSRF_HEADER, CSRF_FIELD = "X-CSRF-Token", "csrf_token"
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
_SAFE = ("GET", "HEAD")

bearer = HTTPBearer(auto_error=False, description="A token of the site's issuer.")
cookie = APIKeyCookie(
    name=COOKIE,
    auto_error=False,
    description="A session of who signed in. What changes something also needs `X-CSRF-Token` (`GET /v1/sessions`).",
)

Bearer = Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)]
Cookie = Annotated[str | None, Depends(cookie)]


async def form_token(request: Request) -> str | None:
    """Return the token that a form of a page sends, for it can send no header; None of what no form sends."""
    kind = request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        return None
    sent = parse_qs((await request.body()).decode("ascii", "replace")).get(CSRF_FIELD, [])
    return sent[0] if len(sent) == 1 else ""


FormToken = Annotated[str | None, Depends(form_token)]


@dataclass(frozen=True, slots=True, eq=False)
class SignIn:
    """Turns a request into its caller.

    `admin_acr_values`: how strongly one signs in for what is administrative, where the site says so. `recent`: only for
    someone who signed in lately; `administrative`: and so strongly. `lookup`: the request asks about a person by name.
    """

    site: Site
    access: Access
    verifier: Verifier
    admin_acr_values: tuple[str, ...] = ()
    recent: bool = False
    administrative: bool = False
    lookup: bool = False

    def asking(self, *, recent: bool = False, administrative: bool = False, lookup: bool = False) -> SignIn:
        """Return the same for requests of another kind."""
        return replace(self, recent=recent or administrative, administrative=administrative, lookup=lookup)

    def __call__(
        self,
        request: Request,
        credentials: Bearer,
        secret: Cookie,
        form: FormToken,
        x_correlation_id: Annotated[str | None, Header()] = None,
    ) -> Caller:
        """Return the caller.

        Raises `AuthorityEnded` for anyone whom the register does not know, `FromElsewhere` for a request that another
        site's page had the browser send, `StepUp`, `TooOften`.
        """
        token = request.headers.get(CSRF_HEADER, "") if form is None else form
        caller = self._caller(request, credentials, secret, x_correlation_id, token)
        trace.get_current_span().set_attribute("goldenthread.role", caller.role)
        return caller

    def still(self, request: Request, caller: Caller) -> Caller:
        """Return the caller again while a long answer goes on: a token ends, a session does; looking keeps neither."""
        given = request.headers.get("Authorization", "").partition(" ")[2]
        credentials = HTTPAuthorizationCredentials(scheme="Bearer", credentials=given) if given else None
        secret = request.cookies.get(COOKIE)
        return self._caller(request, credentials, secret, str(caller.correlation_id), looks=True)

    def rules(self) -> Rules:
        """Return how people sign in and how much they may ask, by the machine's time, as all of this is."""
        try:
            return self.site.directory.protocol(datetime.now(UTC)).access
        except NoProtocol:
            return Rules()

    def csrf(self, caller: Caller, secret: str) -> str:
        """Return what a session's own pages send with everything that changes something."""
        return self.site.tokens.tag(caller.staff, "csrf", secret)

    def _caller(
        self,
        request: Request,
        credentials: HTTPAuthorizationCredentials | None,
        secret: str | None,
        correlation: str | None,
        token: str = "",
        *,
        looks: bool = False,
    ) -> Caller:
        identity: Identity | None = None
        if credentials is not None:
            secret = None
            try:
                identity = self.verifier.identity(credentials.credentials)
            except BadIdentity:
                raise AuthorityEnded from None
        elif secret is None:
            raise AuthorityEnded
        elif not own_page(request):
            raise FromElsewhere
        rules = self.rules()
        staff = None if identity is None else staff_stream(identity.subject)
        admitted = self.access.admit(
            [] if looks else self._measures(rules, request),
            secret=secret,
            staff=staff,
            authenticated_at=None if identity is None else identity.authenticated_at,
            idle=timedelta(minutes=rules.idle_minutes),
            recently=timedelta(minutes=rules.recent_minutes),
            looks=looks,
        )
        if not admitted.admitted:
            raise TooOften
        if admitted.person is None:
            raise AuthorityEnded
        caller = request.state.caller = self._of(admitted.person, correlation)
        if secret is not None and request.method not in _SAFE:
            owed = self.csrf(caller, secret)
            if not hmac.compare_digest(token.encode(), owed.encode()):
                raise FromElsewhere
        acr_values = self.admin_acr_values if self.administrative else ()
        acr = admitted.acr if identity is None else identity.acr
        if (self.recent and not admitted.recent) or (acr_values and acr not in acr_values):
            raise StepUp(timedelta(minutes=rules.recent_minutes), acr_values)
        return caller

    def _measures(self, rules: Rules, request: Request) -> list[Measure]:
        measures = [
            Measure("person", rules.requests_per_minute, MINUTE),
            Measure("address", rules.requests_per_address, MINUTE, address(request)),
        ]
        if self.lookup:
            measures.append(Measure("lookup", rules.lookups_per_hour, HOUR))
        return measures

    def _of(self, staff: UUID, correlation: str | None) -> Caller:
        directory = self.site.directory
        person = directory.staff.get(staff)
        if person is None or person.ended:  # someone new, or registered again, in another process
            directory.refresh()
            person = directory.staff.get(staff)
        if person is None or person.ended or (kind := self._kind(person)) is None:
            raise AuthorityEnded
        return Caller(
            staff=person.id,
            party=person.party,
            party_kind=kind,
            role=person.role,
            reader=READER_OF.get(person.role),
            name=person.name,
            correlation_id=_correlation(correlation),
            traceparent=_traceparent(),
        )

    def _kind(self, person: Staff) -> PartyKind | None:
        if person.role is Role.PARTICIPANT:
            return PartyKind.PERSON
        party = self.site.directory.parties.get(person.party)
        return party.kind if party else None


def own_page(request: Request) -> bool:
    """Return whether a browser sent this from one of our own pages; what only reads, also from its address bar.

    Where the browser does not say, what changes something must name this host as its origin.
    """
    reads = request.method in _SAFE
    if (site := request.headers.get("Sec-Fetch-Site")) is not None:
        return site == "same-origin" or (reads and site == "none")
    origin = request.headers.get("Origin")
    if origin is None:
        return reads
    return urlsplit(origin).netloc == request.headers.get("Host")


def address(request: Request) -> str:
    """Return what stands for where a request comes from: the address, of IPv6 its network."""
    given = request.client.host if request.client else ""
    try:
        found = ip_address(given)
    except ValueError:
        return ""  # whoever has no address shares one place
    if isinstance(found, IPv6Address) and not found.ipv4_mapped:
        return found.packed[:8].hex()
    return str(found)


def _correlation(given: str | None) -> UUID:
    try:
        return UUID(given) if given else uuid4()
    except ValueError:
        return uuid4()


def _traceparent() -> str | None:
    carrier: dict[str, str] = {}
    TraceContextTextMapPropagator().inject(carrier)
    return carrier.get("traceparent")
