"""The public form: no account, nothing asked about the sender, nothing kept of it but, for an hour, a keyed digest."""

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

from adapters.http import problems
from adapters.http.questions import reply
from services import doors
from services.site import Site

PATH = "/v1/public/referrals"
_REFUSALS = problems.responses(
    problems.MALFORMED, problems.TOO_LARGE, problems.INVALID, problems.TOO_MANY, problems.UNAVAILABLE
)


def routes(site: Site) -> APIRouter:
    """Return the routes of the public form."""
    api = APIRouter(responses=_REFUSALS)

    @api.post(PATH, status_code=201, summary="Tell LEAD of someone who could use its help.", tags=["public"])
    async def refer(request: Request, command: doors.ReferInPublic) -> Response:
        """Everyone gets the same receipt."""
        address = request.client.host if request.client else ""
        return reply(await run_in_threadpool(doors.public, site, command, address), status=201)

    return api
