"""The questions, one prefix for each reader. Every answer has left through `release` before it is sent."""

import time
from collections.abc import Callable
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Depends, Header, Query, Response
from starlette.concurrency import run_in_threadpool

from adapters.http import problems
from adapters.http.signin import SignIn
from adapters.settings import Settings
from domain.labels import Reader
from domain.refusal import Refused
from projections.views import VIEWS
from services import questions as ask
from services.ports import Caller, Unavailable
from services.site import Site
from services.tokens import BadToken

_POLL_SECONDS = 0.003
_REFUSALS = problems.responses(
    problems.MALFORMED,
    problems.UNAUTHENTICATED,
    problems.FORBIDDEN,
    problems.INVALID,
    problems.UNAVAILABLE,
    problems.TOO_LARGE,
)

Cursor = Annotated[str | None, Query(description="Where the page before ended, as it said.", max_length=1000)]


def reply(body: dict[str, Any], headers: dict[str, str] | None = None, status: int = 200) -> Response:
    """Return an answer; nobody between us and the caller may keep it."""
    kept = {"Cache-Control": "private, no-store"} | (headers or {})
    return Response(orjson.dumps(body), status, kept, "application/json")


def routes(  # noqa: C901 - one after the other
    site: Site, sign_in: SignIn, settings: Settings, ready: Callable[[], bool]
) -> APIRouter:
    """Return the routes of the questions."""
    api = APIRouter(responses=_REFUSALS)
    limit_most = settings.page_most
    Limit = Annotated[int, Query(ge=1, le=limit_most, description="How many at most.")]  # noqa: N806 - a type

    async def waited(
        caller: Annotated[Caller, Depends(sign_in)],
        wait_for_position: Annotated[str | None, Header(description="The `Position` of a command's answer.")] = None,
    ) -> Caller:
        """Wait until the caller's view has come as far as the caller's own last command."""
        if wait_for_position is not None:
            await run_in_threadpool(_wait, site, caller, wait_for_position, settings.wait_seconds_most)
        return caller

    Asking = Annotated[Caller, Depends(waited)]  # noqa: N806 - a type

    @api.get("/health/live", tags=["health"])
    def live() -> Response:
        """Say that the process runs."""
        return reply({"live": True})

    @api.get("/health/ready", tags=["health"])
    def ready_() -> Response:
        """Say whether the site can answer."""
        return reply({"ready": True}) if ready() else problems.respond(problems.UNAVAILABLE)

    @api.get("/v1/me", tags=["anyone"])
    def me(caller: Asking) -> Response:
        """Who you are here."""
        return reply(ask.me(site, caller))

    @api.get("/v1/parties", tags=["anyone"])
    def parties(caller: Asking) -> Response:
        """Who takes part in LEAD at this site."""
        return reply(ask.parties(site, caller))

    @api.get("/v1/police/referrals", tags=["police"])
    def police_referrals(caller: Asking, cursor: Cursor = None, limit: Limit = 50) -> Response:
        """Your department's own referrals, newest first."""
        return reply(ask.police_referrals(site, caller, cursor, limit))

    @api.post("/v1/police/lookups", tags=["police"])
    def police_lookup(caller: Asking, lookup: ask.Lookup) -> Response:
        """Ask about a person. A question is never stored."""
        return reply(ask.police_lookup(site, caller, lookup))

    @api.get("/v1/police/participants/{participant}", tags=["police"])
    def police_participant(caller: Asking, participant: str) -> Response:
        """What LEAD can show your department of a person, and what is its own."""
        return reply(ask.partner_participant(site, caller, Reader.POLICE, participant))

    @api.get("/v1/prosecutor/pending-cases", tags=["liaison prosecutor"])
    def pending_cases(
        caller: Asking, cursor: Cursor = None, limit: Limit = 50, only: Annotated[str | None, Query()] = None
    ) -> Response:
        """Your office's docket, newest first, with LEAD's column; `only=shared`: the cases where it says something."""
        if only not in (None, "shared"):
            raise Refused("only", "it can only be `shared`.", "Leave it out for the whole docket.")
        return reply(ask.pending_cases(site, caller, cursor, limit, only_shared=only == "shared"))

    @api.get("/v1/prosecutor/participants/{participant}", tags=["liaison prosecutor"])
    def prosecutor_participant(caller: Asking, participant: str) -> Response:
        """What LEAD can show your office of a person, and what is its own."""
        return reply(ask.partner_participant(site, caller, Reader.PROSECUTOR, participant))

    @api.get("/v1/prosecutor/decisions", tags=["liaison prosecutor"])
    def decisions(caller: Asking, cursor: Cursor = None, limit: Limit = 50) -> Response:
        """Your office's own decisions, newest first."""
        return reply(ask.own_decisions(site, caller, cursor, limit))

    @api.get("/v1/prosecutor/notices", tags=["liaison prosecutor"])
    def notices(caller: Asking, cursor: Cursor = None, limit: Limit = 50) -> Response:
        """The closed codes that your office was sent, newest first."""
        return reply(ask.own_notices(site, caller, cursor, limit))

    @api.get("/v1/recipient/participants", tags=["recipient"])
    def recipient_participants(caller: Asking, cursor: Cursor = None, limit: Limit = 50) -> Response:
        """The participants whose ROI names you."""
        return reply(ask.partner_participants(site, caller, Reader.RECIPIENT, cursor, limit))

    @api.get("/v1/recipient/participants/{participant}", tags=["recipient"])
    def recipient_participant(caller: Asking, participant: str) -> Response:
        """What LEAD can show you of a person."""
        return reply(ask.partner_participant(site, caller, Reader.RECIPIENT, participant))

    @api.get("/v1/case-manager/caseload", tags=["case manager"])
    def caseload(
        caller: Asking,
        cursor: Cursor = None,
        limit: Limit = 50,
        team: Annotated[bool, Query(description="The whole team's, not yours alone.")] = False,
    ) -> Response:
        """Your participants, by name."""
        return reply(ask.caseload(site, caller, cursor, limit, whole_team=team))

    @api.get("/v1/case-manager/participants/{participant}", tags=["case manager"], responses=_UNKNOWN)
    def care_participant(caller: Asking, participant: str) -> Response:
        """All that care may read of a participant. The `ETag` goes into `If-Match` of what you then change."""
        body, position = ask.care_participant(site, caller, participant)
        return reply(body, {"ETag": f'"{ask.entity_tag(site, caller, participant, position)}"'})

    @api.get("/v1/program/funnel", tags=["project manager"])
    def funnel(caller: Asking) -> Response:
        """Stops and arrests of the administrative records, by precinct and race as perceived by the officer."""
        return reply(ask.funnel(site, caller))

    @api.get("/v1/participants/{participant}/accounting", tags=["participant", "case manager"], responses=_UNKNOWN)
    def accounting(caller: Asking, participant: str) -> Response:
        """Who was shown what, when, why and under which grant."""
        return reply(ask.accounting(site, caller, participant))

    return api


_UNKNOWN = problems.responses(problems.UNKNOWN)


def _wait(site: Site, caller: Caller, token: str, seconds: float) -> None:
    if caller.reader is None or caller.reader not in VIEWS:
        return
    try:
        position = int(site.tokens.open(caller.staff, "position", token))
    except BadToken:
        raise Refused("Wait-For-Position", "it is not a position of yours.", "Send one that you were given.") from None
    end = time.monotonic() + seconds
    while site.log.view_position(caller.reader) < position:
        if time.monotonic() > end:
            raise Unavailable
        time.sleep(_POLL_SECONDS)
