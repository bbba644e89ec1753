"""Problems (RFC 9457), from one registry. Their sentences are constant; none tells a partner what it may not know."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypedDict

import orjson
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.types import Receive, Scope, Send

from domain.protocol import NoProtocol
from domain.refusal import Forbidden, Refused, Stale, Unknown
from domain.registry import Role
from services.doors import TooMany
from services.ports import AuthorityEnded, Caller, Unavailable

MEDIA_TYPE = "application/problem+json"
_log = logging.getLogger("goldenthread.access")


@dataclass(frozen=True, slots=True)
class Problem:
    """One kind of problem: its name, HTTP status and title."""

    name: str
    status: int
    title: str


class Fault(TypedDict):
    """What is wrong with one input, and the way out."""

    field: str
    reason: str
    way_out: str


INVALID = Problem("invalid-input", 422, "Some of what was sent cannot be right.")
REFUSED = Problem("refused", 422, "The command cannot be done as it stands.")
MALFORMED = Problem("malformed", 400, "The request cannot be read.")
UNAUTHENTICATED = Problem("not-signed-in", 401, "Sign in first.")
STEP_UP = Problem(
    "step-up-required",
    401,
    "This needs a sign-in of a few minutes ago: GET /sign-in?again=true, or a token of a sign-in made anew."
    " Where WWW-Authenticate names acr_values: GET /sign-in?again=true&administrative=true, or a token that has one.",
)
NO_SIGN_IN = Problem("sign-in-refused", 403, "You are not signed in. Begin again; if that fails, ask your supervisor.")
FROM_ELSEWHERE = Problem(
    "from-elsewhere",
    403,
    "A browser sends this from the site's own pages only, with what GET /v1/sessions gives it as X-CSRF-Token.",
)
FORBIDDEN = Problem("not-your-command", 403, "Your role has no such command or question.")
UNKNOWN = Problem("nothing-here", 404, "There is nothing here that you can do this to.")
NO_ROUTE = Problem("no-such-path", 404, "There is no such path.")
METHOD = Problem("no-such-method", 405, "This path has no such method.")
STALE = Problem("changed-meanwhile", 412, "Someone changed this meanwhile. Read it again, then decide again.")
TOO_MANY_STREAMS = Problem("too-many-streams", 429, "You follow as many lists as one person can. Leave one first.")
TOO_LARGE = Problem("too-large", 413, "What was sent is larger than anything the site takes.")
TOO_SLOW = Problem("too-slow", 408, "What was sent did not come in time. Send it again.")
TOO_MANY = Problem("too-many", 429, "The form has taken as much as it can in this hour. Call LEAD, or come back later.")
TOO_OFTEN = Problem("too-often", 429, "That is more than may be asked in so short a time. Wait a little.")
UNAVAILABLE = Problem("try-again", 503, "The site did not answer in time. Try again with the same Idempotency-Key.")
NOT_SET_UP = Problem("not-set-up", 503, "The site has no protocol in force yet. Its project manager adopts one.")
INTERNAL = Problem("our-fault", 500, "Something went wrong on our side. Nothing was half done.")

REGISTRY = (
    INVALID,
    REFUSED,
    MALFORMED,
    UNAUTHENTICATED,
    STEP_UP,
    NO_SIGN_IN,
    FROM_ELSEWHERE,
    FORBIDDEN,
    UNKNOWN,
    NO_ROUTE,
    METHOD,
    STALE,
    TOO_LARGE,
    TOO_SLOW,
    TOO_MANY,
    TOO_MANY_STREAMS,
    TOO_OFTEN,
    UNAVAILABLE,
    NOT_SET_UP,
    INTERNAL,
)


class TooManyStreams(Exception):
    """A person follows as many lists as the site lets one follow."""


class StepUp(Exception):
    """The person has to sign in again for this: `age` ago at most, as strongly as one of `acr_values`, if any."""

    def __init__(self, age: timedelta, acr_values: Sequence[str]) -> None:
        super().__init__()
        self.challenge = f'Bearer error="insufficient_user_authentication", max_age="{int(age.total_seconds())}"'
        if acr_values:
            self.challenge += f', acr_values="{" ".join(acr_values)}"'  # RFC 9470


class FromElsewhere(Exception):
    """A browser sent this, and not from one of our own pages."""


class SignInRefused(Exception):
    """A sign-in came to nothing; why, only our own log says."""


class TooOften(Exception):
    """A person, or everyone behind an address, has sent as much as may be sent for now."""


SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["type", "title", "status"],
    "properties": {
        "type": {"type": "string", "examples": [f"/problems/{REFUSED.name}"]},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "faults": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["field", "reason", "way_out"],
                "properties": {name: {"type": "string"} for name in ("field", "reason", "way_out")},
            },
        },
    },
}


class _Answer(Response):
    """A problem's response; on its way out it tells whoever stands around the request which problem it is."""

    media_type = MEDIA_TYPE

    def __init__(self, problem: Problem, body: bytes, headers: dict[str, str]) -> None:
        super().__init__(body, problem.status, headers)
        self._problem = problem

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["problem"] = self._problem.name
        await super().__call__(scope, receive, send)


_RETRY_AFTER = {UNAVAILABLE: "1", TOO_OFTEN: "60", TOO_MANY: "3600"}


def responses(*problems: Problem) -> dict[int | str, dict[str, Any]]:
    """Return the OpenAPI responses of these problems."""
    return {
        problem.status: {"description": problem.title, "content": {MEDIA_TYPE: {"schema": SCHEMA}}}
        for problem in problems
    }


def respond(problem: Problem, faults: Sequence[Fault] = ()) -> Response:
    """Return the response of a problem."""
    body: dict[str, Any] = {"type": f"/problems/{problem.name}", "title": problem.title, "status": problem.status}
    if faults:
        body["faults"] = list(faults)
    headers = {"Cache-Control": "no-store"}
    if problem is UNAUTHENTICATED:
        headers["WWW-Authenticate"] = "Bearer"
    if problem in _RETRY_AFTER:
        headers["Retry-After"] = _RETRY_AFTER[problem]
    return _Answer(problem, orjson.dumps(body), headers)


def install(app: FastAPI) -> None:
    """Let every failure of a request become one of the registry's problems, and the log tell of it."""

    @app.exception_handler(Refused)
    def refused(request: Request, error: Refused) -> Response:
        faults = [Fault(field=field, reason=reason, way_out=way_out) for field, reason, way_out in error.faults]
        return _logged(request, REFUSED, faults)

    @app.exception_handler(RequestValidationError)
    def invalid(request: Request, error: RequestValidationError) -> Response:
        if any(found["type"] == "json_invalid" for found in error.errors()):
            return _logged(request, MALFORMED, [_UNREADABLE])
        return _logged(request, INVALID, [_fault(found) for found in error.errors()[:_FAULTS_MOST]])

    constant: dict[type[Exception], Problem] = {
        Forbidden: FORBIDDEN,
        Unknown: UNKNOWN,
        Stale: STALE,
        AuthorityEnded: UNAUTHENTICATED,
        SignInRefused: NO_SIGN_IN,
        FromElsewhere: FROM_ELSEWHERE,
        TooOften: TOO_OFTEN,
        TooMany: TOO_MANY,
        Unavailable: UNAVAILABLE,
        NoProtocol: NOT_SET_UP,
        TooManyStreams: TOO_MANY_STREAMS,
    }
    for kind, problem in constant.items():
        app.add_exception_handler(kind, _always(problem))

    @app.exception_handler(StepUp)
    def step_up(request: Request, error: StepUp) -> Response:
        response = _logged(request, STEP_UP)
        response.headers["WWW-Authenticate"] = error.challenge
        return response

    @app.exception_handler(HTTPException)
    def framework(request: Request, error: HTTPException) -> Response:
        by_status = {400: MALFORMED, 401: UNAUTHENTICATED, 404: NO_ROUTE, 405: METHOD, 408: TOO_SLOW, 413: TOO_LARGE}
        problem = by_status.get(error.status_code, INTERNAL)
        response = _logged(request, problem, [_UNREADABLE] if problem is MALFORMED else ())
        response.headers.update(error.headers or {})
        return response


def _always(problem: Problem) -> Any:
    def handler(request: Request, _: Exception) -> Response:
        return _logged(request, problem)

    return handler


def _logged(request: Request, problem: Problem, faults: Sequence[Fault] = ()) -> Response:
    """Return the response of a problem, having logged who was answered so, and where: nothing of what was sent."""
    route = getattr(request.scope.get("route"), "path", "unrouted")
    _log.info("refused=%s method=%s route=%s %s", problem.name, request.method, route, who(request))
    return respond(problem, faults)


def who(request: Request) -> str:
    """Return how the log calls whoever sent a request: staff by their id, of a participant only that it is one."""
    caller: Caller | None = getattr(request.state, "caller", None)
    if caller is None:
        return "staff=unknown correlation=none"
    staff = "participant" if caller.role is Role.PARTICIPANT else caller.staff
    return f"staff={staff} correlation={caller.correlation_id}"


# Sentences of the validator that hold no value of the caller's.
_WAY_OUT = {
    "missing": "Give it.",
    "extra_forbidden": "Leave it out; see the documentation for the fields there are.",
}
_UNREADABLE: Fault = {
    "field": "body",
    "reason": "it cannot be read.",
    "way_out": "Send valid JSON in UTF-8, not nested deeply, numbers of usual length.",
}
_FAULTS_MOST = 50  # an answer is not longer than what was sent


def _fault(found: dict[str, Any]) -> Fault:
    where = [str(part) if isinstance(part, str) else f"[{part}]" for part in found["loc"][1:]] or [str(found["loc"][0])]
    field = ".".join(where).replace(".[", "[")
    kind = str(found["type"])
    reason = "it is not valid" if kind == "value_error" else str(found["msg"])
    return {
        "field": field,
        "reason": reason[0].lower() + reason[1:] + ("" if reason.endswith(".") else "."),
        "way_out": _WAY_OUT.get(kind, "Correct it; see the documentation for what it takes."),
    }
