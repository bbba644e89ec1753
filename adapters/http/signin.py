"""Who sends a request: a bearer token of the site's issuer names a person; the register says who that is here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated
from uuid import UUID, uuid4

from fastapi import Depends, Header
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from opentelemetry import trace
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from starlette.concurrency import run_in_threadpool

from adapters.identity.issuer import BadIdentity, Verifier
from domain.registry import READER_OF, PartyKind, Role
from services.ports import AuthorityEnded, Caller
from services.site import Site

bearer = HTTPBearer(auto_error=False, description="A token of the site's issuer.")


@dataclass(frozen=True, slots=True, eq=False)
class SignIn:
    """Turns a request's token into its caller."""

    site: Site
    verifier: Verifier

    async def __call__(
        self,
        credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)],
        x_correlation_id: Annotated[str | None, Header()] = None,
    ) -> Caller:
        """Return the caller; raises `AuthorityEnded` for anyone whom the register does not know."""
        if credentials is None:
            raise AuthorityEnded
        try:
            subject = self.verifier.subject(credentials.credentials)
        except BadIdentity:
            raise AuthorityEnded from None
        directory = self.site.directory
        # Known people cost no thread; someone new is looked up in the log.
        person = directory.known(subject) or await run_in_threadpool(directory.by_subject, subject)
        if person is None:
            raise AuthorityEnded
        party = directory.parties.get(person.party)
        kind = PartyKind.PERSON if person.role is Role.PARTICIPANT else party.kind if party else None
        if kind is None:
            raise AuthorityEnded
        trace.get_current_span().set_attribute("goldenthread.role", person.role)
        return Caller(
            staff=person.id,
            party=person.party,
            party_kind=kind,
            role=person.role,
            reader=READER_OF.get(person.role),
            name=person.name,
            correlation_id=_correlation(x_correlation_id),
            traceparent=_traceparent(),
        )


def _correlation(given: str | None) -> UUID:
    try:
        return UUID(given) if given else uuid4()
    except ValueError:
        return uuid4()


def _traceparent() -> str | None:
    carrier: dict[str, str] = {}
    TraceContextTextMapPropagator().inject(carrier)
    return carrier.get("traceparent")
