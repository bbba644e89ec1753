"""Signing in with the site's provider, out again, and the sessions between."""

import logging
import time
from datetime import timedelta
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from adapters.http import page, problems
from adapters.http.problems import FromElsewhere, SignInRefused, TooOften, who
from adapters.http.questions import reply
from adapters.http.signin import COOKIE, MINUTE, Cookie, FormToken, SignIn, address, own_page
from adapters.identity.issuer import BadIdentity, Identity
from adapters.identity.provider import Begun, Provider
from adapters.postgres.access import Measure, Session, known_as
from domain.event import ShortText
from domain.refusal import Forbidden, Refused, Unknown
from domain.registry import Role, staff_stream
from services.ports import NOBODY, Caller
from services.site import Command, Site, example
from services.tokens import BadToken

BEGUN: Final = "__Host-sign-in"
_log = logging.getLogger("goldenthread.access")
_BROWSER: dict[int | str, dict[str, Any]] = {
    303: {"description": "Go on there."},
    **problems.responses(problems.NO_SIGN_IN, problems.INVALID, problems.TOO_OFTEN, problems.UNAVAILABLE),
}
_REFUSALS = problems.responses(
    problems.MALFORMED,
    problems.UNAUTHENTICATED,
    problems.FROM_ELSEWHERE,
    problems.UNKNOWN,
    problems.TOO_LARGE,
    problems.INVALID,
    problems.TOO_OFTEN,
    problems.UNAVAILABLE,
)


class EndSessions(Command):
    """End sessions, at once: all of your own, or the one named `session`; or all of a member of staff, by `subject`."""

    model_config = example(subject="j.doe")

    session: ShortText | None = None
    subject: ShortText | None = None


def routes(site: Site, sign_in: SignIn, provider: Provider | None) -> APIRouter:
    """Return the routes of signing in and out."""
    api = APIRouter(tags=["sign-in"])
    _add_the_way_in(api, site, sign_in, provider)
    _add_sessions(api, site, sign_in, provider)
    return api


def _add_the_way_in(api: APIRouter, site: Site, sign_in: SignIn, provider: Provider | None) -> None:

    @api.get("/sign-in", status_code=303, response_class=Response, responses=_BROWSER)
    def begin(
        request: Request,
        again: Annotated[bool, Query(description="Sign in anew, for what needs it.")] = False,
        administrative: Annotated[
            bool, Query(description="As strongly as to register, to adopt a protocol or to give access needs.")
        ] = False,
        return_to: Annotated[str, Query(description="The page to come back to.", max_length=500)] = "/",
    ) -> Response:
        """Go and sign in with the site's provider. Nobody is sent here by another site's page."""
        _count(sign_in, request)
        if not own_page(request):
            raise FromElsewhere
        if provider is None:
            raise _refused(request, "there is no provider")
        age = 0 if again else int(timedelta(hours=sign_in.rules().session_hours).total_seconds())
        url, begun = provider.begin(_own_path(return_to), age_most=age, again=again, administrative=administrative)
        answer = RedirectResponse(url, 303, {"Cache-Control": "no-store"})
        _keep(answer, BEGUN, site.tokens.seal(NOBODY, BEGUN, begun.as_json()))
        return answer

    @api.get("/sign-in/callback", status_code=303, response_class=Response, responses=_BROWSER)
    def finish(request: Request) -> Response:
        """Come back from the provider. Whatever was wrong, the answer is the same."""
        _count(sign_in, request)
        begun = _begun(site, request, timedelta(minutes=sign_in.rules().sign_in_minutes))
        identity = _identity(provider, request, begun)
        rules, staff = sign_in.rules(), staff_stream(identity.subject)
        secret = sign_in.access.begin(
            staff,
            identity.authenticated_at,
            acr=identity.acr,
            lasts=timedelta(hours=rules.session_hours),
            most=rules.sessions_most,
            before=request.cookies.get(COOKIE),
        )
        if secret is None:
            raise _refused(request, "nobody here is called so, or no longer")
        person = site.directory.by_subject(identity.subject)
        known = person is not None and person.role is not Role.PARTICIPANT
        _log.info("signed-in staff=%s acr=%s", staff if known else "participant", identity.acr or "not asked for")
        answer = RedirectResponse(begun.return_to, 303, {"Cache-Control": "no-store"})
        _drop(answer, BEGUN)
        _keep(answer, COOKIE, secret)
        return answer


def _add_sessions(api: APIRouter, site: Site, sign_in: SignIn, provider: Provider | None) -> None:
    Who = Annotated[Caller, Depends(sign_in)]  # noqa: N806 - a type
    Recently = Annotated[Caller, Depends(sign_in.asking(recent=True))]  # noqa: N806 - a type

    def alive(caller: Caller) -> dict[str, Session]:
        """Return the caller's sessions, by what each is called to the caller."""
        found = sign_in.access.sessions(caller.staff, timedelta(minutes=sign_in.rules().idle_minutes))
        return {site.tokens.tag(caller.staff, "session", each.id.hex()): each for each in found}

    @api.post("/sign-out", responses=_REFUSALS)
    def sign_out(request: Request, caller: Who, secret: Cookie, form: FormToken) -> Response:
        """End this session, at once. A bearer token has none: it ends by itself.

        Where the browser then goes to `at_provider`, the provider's session ends, too. A form of the site's own pages
        sends the session's token as `csrf_token`, and is answered with a page that says the same.
        """
        at_provider = None
        if secret is not None:
            sign_in.access.end(caller.staff, known_as(secret))
            at_provider = provider.sign_out() if provider is not None else None
        _log.info("signed-out %s", who(request))
        cleared = {"Clear-Site-Data": '"cache", "storage"'}
        answer: Response
        if form is None:
            answer = reply({"signed_out": True, "at_provider": at_provider}, cleared)
        else:
            answer = HTMLResponse(page.signed_out(at_provider), headers=cleared)
        _drop(answer, COOKIE)
        return answer

    @api.get("/v1/sessions", responses=_REFUSALS)
    def sessions(caller: Who, secret: Cookie) -> Response:
        """Where you are signed in; and what this session's pages send as `X-CSRF-Token` with every command."""
        here = None if secret is None else known_as(secret)
        found = [
            {
                "session": name,
                "here": each.id == here,
                "signed_in_at": each.authenticated_at.isoformat(),
                "begun_at": each.begun_at.isoformat(),
                "last_used_at": each.seen_at.isoformat(),
                "ends_at": each.ends_at.isoformat(),
            }
            for name, each in alive(caller).items()
        ]
        mine = any(each["here"] for each in found)
        return reply({"csrf_token": sign_in.csrf(caller, secret) if secret and mine else None, "sessions": found})

    @api.post("/v1/sessions/endings", responses=_REFUSALS)
    def end(request: Request, caller: Recently, command: EndSessions) -> Response:
        """End sessions, at once."""
        staff, session = caller.staff, None
        if command.subject is not None:
            staff = _theirs(site, caller, command)
        elif command.session is not None:
            if (named := alive(caller).get(command.session)) is None:
                raise Unknown
            session = named.id
        ended = sign_in.access.end(staff, session)
        _log.info("sessions-ended count=%d by %s", ended, who(request))
        return reply({"ended": ended})


def _theirs(site: Site, caller: Caller, command: EndSessions) -> Any:
    """Return whose sessions are to end: of anyone, for the project manager; of the same agency, for a supervisor."""
    if command.session is not None:
        raise Refused("session", "a session is named, and a person.", "Name one of them.")
    if caller.role not in (Role.PROJECT_MANAGER, Role.SUPERVISOR):
        raise Forbidden
    site.directory.refresh()
    person = site.directory.staff.get(staff_stream(command.subject or ""))
    if person is None or (caller.role is Role.SUPERVISOR and person.party != caller.party):
        raise Unknown
    return person.id


def _count(sign_in: SignIn, request: Request) -> None:
    """Count somebody who is not signed in yet. Raises `TooOften`."""
    measure = Measure("sign-in", sign_in.rules().sign_ins_per_minute, MINUTE, address(request))
    nothing = timedelta(0)
    if not sign_in.access.admit([measure], idle=nothing, recently=nothing).admitted:
        raise TooOften


def _begun(site: Site, request: Request, lasts: timedelta) -> Begun:
    """Return the sign-in that this very browser began."""
    try:
        begun = Begun.read(site.tokens.open(NOBODY, BEGUN, request.cookies.get(BEGUN, "")))
    except (BadToken, KeyError):  # or one of an earlier version
        raise _refused(request, "this browser began none") from None
    if time.time() - begun.begun_at > lasts.total_seconds():
        raise _refused(request, "it took too long")
    return begun


def _identity(provider: Provider | None, request: Request, begun: Begun) -> Identity:
    answer = dict(request.query_params)
    if provider is None or len(answer) != len(request.query_params.multi_items()):
        raise _refused(request, "something is said twice")
    try:
        return provider.finish(begun, answer)
    except BadIdentity as wrong:
        raise _refused(request, str(wrong)) from None


def _refused(request: Request, why: str) -> SignInRefused:
    """Log why a sign-in came to nothing; nobody else is told."""
    _log.warning("sign-in-refused why=%r path=%s", why, request.scope["route"].path)
    return SignInRefused()


def _own_path(given: str) -> str:
    """Return a path of this host; anything else becomes the first page."""
    ours = given.startswith("/") and not given.startswith(("//", "/\\")) and given.isprintable() and "\\" not in given
    return given if ours else "/"


def _keep(answer: Response, name: str, value: str) -> None:
    answer.set_cookie(name, value, path="/", secure=True, httponly=True, samesite="lax")


def _drop(answer: Response, name: str) -> None:
    answer.delete_cookie(name, path="/", secure=True, httponly=True, samesite="lax")
