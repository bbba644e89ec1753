"""The questions, one prefix for each reader. Every answer has left through `release` before it is sent."""

import time
from collections.abc import Awaitable, Callable
from datetime import date
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Depends, Header, Query, Response
from fastapi.responses import HTMLResponse
from pydantic import AwareDatetime
from starlette.concurrency import run_in_threadpool

from adapters.http import printed, problems
from adapters.http.signin import Bearer, Cookie, SignIn
from adapters.settings import Settings
from domain.labels import Reader
from domain.refusal import Refused
from projections.views import VIEWS
from services import relay
from services.ports import Caller, Unavailable
from services.questions import (
    accounting,
    anyone,
    as_of,
    bundle,
    case_manager,
    counsel,
    legal_services,
    partner,
    police,
    privacy,
    program,
)
from services.questions import participant as own
from services.questions.police import Lookup
from services.site import Site
from services.tokens import BadToken

_POLL_SECONDS = 0.003
REFUSALS = problems.responses(
    problems.MALFORMED,
    problems.UNAUTHENTICATED,
    problems.FORBIDDEN,
    problems.INVALID,
    problems.TOO_OFTEN,
    problems.UNAVAILABLE,
    problems.TOO_LARGE,
)


Cursor = Annotated[str | None, Query(description="Where the page before ended, as it said.", max_length=1000)]
Since = Annotated[
    int | None, Query(ge=0, lt=2**63, description="The size of a checkpoint that you hold: its second line.")
]


def _extract(
    since: Annotated[date | None, Query(description="The first day, at the site.")] = None,
    until: Annotated[date | None, Query(description="The last day, at the site.")] = None,
    regime: Annotated[
        accounting.Regime | None, Query(description="Only what this law's accounting holds, and as far back.")
    ] = None,
) -> accounting.Extract:
    return accounting.Extract(since, until, regime)


class _Csv(Response):
    media_type = "text/csv"


_FILED = {"Cache-Control": "private, no-store", "Content-Disposition": 'attachment; filename="accounting.csv"'}
Extract = Annotated[accounting.Extract, Depends(_extract)]
Party = Annotated[str, Query(description="The party's code in the register.", max_length=40)]


def reply(body: dict[str, Any], headers: dict[str, str] | None = None, status: int = 200) -> Response:
    """Return an answer; nobody between us and the caller may keep it."""
    kept = {"Cache-Control": "private, no-store"} | (headers or {})
    return Response(orjson.dumps(body), status, kept, "application/json")


def waiting(site: Site, sign_in: SignIn, settings: Settings) -> Callable[..., Awaitable[Caller]]:
    """Return the dependency that says who asks, once the caller's view has come as far as its own last command."""

    async def waited(
        caller: Annotated[Caller, Depends(sign_in)],
        wait_for_position: Annotated[str | None, Header(description="The `Position` of a command's answer.")] = None,
    ) -> Caller:
        if wait_for_position is not None:
            await run_in_threadpool(_wait, site, caller, wait_for_position, settings.wait_seconds_most)
        return caller

    return waited


def routes(  # noqa: C901, PLR0915 - one after the other
    site: Site, sign_in: SignIn, settings: Settings, ready: Callable[[], bool]
) -> APIRouter:
    """Return the routes of the questions."""
    api = APIRouter(responses=REFUSALS)
    LookingUp = Annotated[  # noqa: N806 - a type
        Caller, Depends(waiting(site, sign_in.asking(lookup=True), settings))
    ]
    Asking = Annotated[Caller, Depends(waiting(site, sign_in, settings))]  # noqa: N806 - a type
    recently = sign_in.asking(recent=True)
    Taking = Annotated[Caller, Depends(waiting(site, recently, settings))]  # noqa: N806 - a type

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
        return reply(anyone.me(site, caller))

    @api.get("/v1/parties", tags=["anyone"])
    def parties(caller: Asking) -> Response:
        """Who takes part in LEAD at this site."""
        return reply(anyone.parties(site, caller))

    @api.get("/v1/protocol", tags=["anyone"])
    def protocol(caller: Asking) -> Response:
        """The rules that the site works by now, and what it calls its roles and bodies."""
        return reply(anyone.protocol(site, caller))

    @api.post("/v1/police/lookups", tags=["police"])
    def police_lookup(caller: LookingUp, lookup: Lookup) -> Response:
        """Ask about a person. A question is never stored."""
        return reply(police.lookup(site, caller, lookup))

    @api.get("/v1/police/participants/{participant}", tags=["police"])
    def police_participant(caller: Asking, participant: str) -> Response:
        """What LEAD can show your department of a person, and what is its own."""
        return reply(partner.participant(site, caller, Reader.POLICE, participant))

    @api.get("/v1/prosecutor/participants/{participant}", tags=["liaison prosecutor"])
    def prosecutor_participant(caller: Asking, participant: str) -> Response:
        """What LEAD can show your office of a person, and what is its own."""
        return reply(partner.participant(site, caller, Reader.PROSECUTOR, participant))

    @api.get("/v1/recipient/participants/{participant}", tags=["recipient"])
    def recipient_participant(caller: Asking, participant: str) -> Response:
        """What LEAD can show you of a person."""
        return reply(partner.participant(site, caller, Reader.RECIPIENT, participant))

    @api.get("/v1/court/participants/{participant}", tags=["court"])
    def court_participant(caller: Asking, participant: str) -> Response:
        """What LEAD can show your office of a person."""
        return reply(partner.participant(site, caller, Reader.COURT, participant))

    @api.get("/v1/counsel/participants/{participant}", tags=["counsel"], responses=_UNKNOWN)
    def counsel_participant(caller: Asking, participant: str) -> Response:
        """What your client's authority opens to you, and who sees what of it now."""
        return reply(counsel.participant(site, caller, participant))

    @api.get("/v1/counsel/participants/{participant}/trace", tags=["counsel"], responses=_UNKNOWN)
    def counsel_trace(caller: Asking, participant: str, party: Party) -> Response:
        """Why each field that you see of your client is shown to a party, or withheld from it."""
        return reply(counsel.explained(site, caller, participant, party))

    @api.get("/v1/legal-services/participants/{participant}", tags=["legal services"], responses=_UNKNOWN)
    def legal_services_participant(caller: Asking, participant: str) -> Response:
        """All that Legal Services may read of a participant."""
        return reply(legal_services.participant(site, caller, participant))

    @api.get("/v1/participant", tags=["participant"], responses=_UNKNOWN)
    def participant_own(caller: Asking) -> Response:
        """Who you are to LEAD, what you signed, and who can see what of you now."""
        return reply(own.own(site, caller))

    @api.get("/v1/participant/trace", tags=["participant"], responses=_UNKNOWN)
    def participant_trace(caller: Asking, party: Party) -> Response:
        """Why each field of your own is shown to a party, or withheld from it."""
        return reply(own.explained(site, caller, party))

    @api.get("/v1/privacy/participants/{participant}", tags=["privacy"], responses=_UNKNOWN)
    def privacy_participant(caller: Asking, participant: str) -> Response:
        """The state and scope of a participant's consent, and what was told by word of mouth."""
        return reply(privacy.participant(site, caller, participant))

    @api.get("/v1/privacy/participants/{participant}/trace", tags=["privacy"], responses=_UNKNOWN)
    def privacy_trace(caller: Asking, participant: str, party: Party) -> Response:
        """Why each field about a participant is shown to a party, or withheld from it; no values."""
        return reply(privacy.explained(site, caller, participant, party))

    @api.get("/v1/case-manager/participants/{participant}", tags=["case manager"], responses=_UNKNOWN)
    def care_participant(caller: Asking, participant: str) -> Response:
        """All that care may read of a participant. The `ETag` goes into `If-Match` of what you then change."""
        body, position = case_manager.participant(site, caller, participant)
        return reply(body, {"ETag": f'"{case_manager.entity_tag(site, caller, participant, position)}"'})

    @api.get("/v1/case-manager/on-call", tags=["case manager"])
    def on_call(caller: Asking) -> Response:
        """Who of the team is on call, now and later."""
        return reply(case_manager.on_call(site, caller))

    @api.post("/v1/stream/keys", tags=["stream"])
    def stream_keys(caller: Asking, asked: relay.AskKeys) -> Response:
        """Ask for the keys of what was published to your party, each to be forgotten when its lease is over."""
        return reply(relay.keys(site, caller, asked))

    @api.get("/v1/program/health", tags=["project manager"])
    def health(caller: Asking) -> Response:
        """Whether the site is well: views, clocks, seals. Nothing about anybody."""
        return reply(program.health(site, caller))

    @api.get("/v1/program/messages", tags=["project manager"])
    def program_messages(
        caller: Asking,
        limit: Annotated[int, Query(ge=1, le=settings.page_most, description="How many at most.")] = 50,
        cursor: Cursor = None,
    ) -> Response:
        """Agencies' messages that were set aside: where they lay, what is wrong, what waits behind. No content."""
        return reply(program.messages(site, caller, cursor, limit))

    @api.get("/v1/program/messages/{message}", tags=["project manager"], responses=_UNKNOWN)
    def program_message(caller: Asking, message: str) -> Response:
        """One message that was set aside."""
        return reply(program.message(site, caller, message))

    @api.get("/v1/participants/{participant}/accounting", tags=["participant", "case manager"], responses=_UNKNOWN)
    def accounting_of(caller: Asking, participant: str, extract: Extract) -> Response:
        """Who was shown what, when, why and under which grant, and what a prosecutor's office decided afterwards."""
        return reply(accounting.of(site, caller, participant, extract))

    @api.get(
        "/v1/participants/{participant}/accounting.csv",
        tags=["participant", "case manager"],
        response_class=_Csv,
        responses=_UNKNOWN,
    )
    def accounting_file(caller: Taking, participant: str, extract: Extract) -> Response:
        """The accounting as a file."""
        return _Csv(accounting.export(site, caller, participant, extract), headers=_FILED)

    @api.get(
        "/v1/participants/{participant}/accounting.html",
        tags=["participant", "case manager"],
        response_class=HTMLResponse,
        responses=_UNKNOWN,
    )
    def accounting_printed(
        caller: Taking, participant: str, extract: Extract, secret: Cookie, credentials: Bearer
    ) -> Response:
        """The accounting to print: names, notices, and how to complain."""
        body = accounting.of(site, caller, participant, extract, "accounting.html")
        named = [f"{name} {value}" for name, value in zip(extract._fields, extract, strict=True) if value is not None]
        csrf = sign_in.csrf(caller, secret) if secret is not None and credentials is None else None
        return printed.accounting(body, "".join(f", {each}" for each in named), site.protocol().on_call, csrf)

    @api.get("/v1/participants/{participant}/bundle", tags=["participant", "counsel"], responses=_UNKNOWN)
    def bundle_of(caller: Taking, participant: str, since: Since = None) -> Response:
        """All that the log holds of a participant, with its proofs: for `goldenthread verify`, and to keep."""
        return reply(bundle.of(site, caller, participant, since))

    @api.get("/v1/defender/participants/{participant}/bundle", tags=["observer"], responses=_UNKNOWN)
    def bundle_observed(caller: Taking, participant: str, since: Since = None) -> Response:
        """The same of a participant whose ROI names your office: who saw what, and that the rest is there."""
        return reply(bundle.observed(site, caller, participant, since))

    @api.get(
        "/v1/participants/{participant}/accounting/{disclosure}", tags=["participant", "counsel"], responses=_UNKNOWN
    )
    def disclosure_of(caller: Asking, participant: str, disclosure: str) -> Response:
        """One disclosure, computed again from the log: what it showed, whether its digest says the same, and why."""
        return reply(as_of.of_disclosure(site, caller, participant, disclosure))

    @api.get("/v1/participants/{participant}/as-of", tags=["participant", "counsel"], responses=_UNKNOWN)
    def as_of_(
        caller: Asking,
        participant: str,
        party: Party,
        reader: Annotated[
            Reader | None, Query(description="As what its people read, where they read as several.")
        ] = None,
        at: Annotated[AwareDatetime | None, Query(description="The moment; left out: now.")] = None,
    ) -> Response:
        """What a party had before it of a participant at a moment, and why each field was shown to it or withheld."""
        return reply(as_of.at(site, caller, participant, party, reader, at))

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
