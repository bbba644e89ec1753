"""The public form: no account, nothing asked about the sender, nothing kept of it but, for an hour, a keyed digest."""

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

from adapters.http import problems
from adapters.http.questions import Since, reply
from services import doors
from services.questions import bundle
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

    @api.get("/v1/public/checkpoint", tags=["public"], responses=problems.responses(problems.UNKNOWN))
    def checkpoint(since: Since = None) -> Response:
        """The log's size and root, signed. Keep it: with it you can verify later, by yourself, that nothing changed."""
        return reply(bundle.checkpoint(site, since))

    return api
