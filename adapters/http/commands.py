"""The commands, by subject. Each is carried out once under its Idempotency-Key, however often it is sent."""

import inspect
from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Header, Request, Response

from adapters.http import problems
from adapters.http.questions import reply
from adapters.http.signin import SignIn
from adapters.telemetry.spans import Spans
from domain.refusal import Refused, Stale
from services import (
    asks,
    care,
    consent,
    court,
    custody,
    doors,
    findings,
    identity,
    messages,
    plan,
    referrals,
    register,
    retention,
    roster,
    status,
    suspension,
    violations,
    warrants,
)
from services.ports import Caller
from services.questions.case_manager import stands
from services.site import Command, Site, carry_out

_REFUSALS = problems.responses(
    problems.MALFORMED,
    problems.UNAUTHENTICATED,
    problems.FORBIDDEN,
    problems.UNKNOWN,
    problems.STALE,
    problems.TOO_LARGE,
    problems.REFUSED,
    problems.TOO_OFTEN,
    problems.UNAVAILABLE,
)

Key = Annotated[
    str,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=200,
        pattern=r"^[\x21-\x7e]+$",
        description="New for each new command; the same to repeat one of which you had no answer.",
    ),
]
IfMatch = Annotated[
    str | None,
    Header(alias="If-Match", max_length=100, description="The ETag of what you read, if it must not have changed."),
]


def routes(site: Site, sign_in: SignIn, spans: Spans) -> APIRouter:
    """Return the routes of the commands."""
    api = APIRouter(responses=_REFUSALS)

    async def sent(request: Request) -> bytes:
        """Digest what was sent: path and body, byte for byte."""
        return sha256(request.url.path.encode() + b"\0" + await request.body()).digest()

    Sent = Annotated[bytes, Depends(sent)]  # noqa: N806 - a type
    Who = Annotated[Caller, Depends(sign_in)]  # noqa: N806 - a type
    asking = dict.fromkeys(RECENT, sign_in.asking(recent=True)) | dict.fromkeys(
        ADMINISTRATIVE, sign_in.asking(administrative=True)
    )

    def do(
        caller: Caller, command: Command, key: str, digest: bytes, if_match: str | None = None, **named: str
    ) -> Response:
        participant = named.get("participant_id")

        def unchanged() -> Mapping[UUID, int]:
            if participant is None:
                raise Refused("If-Match", "this path has no ETag to match.", "Leave it out.")
            tag, at = stands(site, caller, participant)
            if if_match != f'"{tag}"':
                raise Stale
            return at

        with spans.command(type(command).__name__):
            done = carry_out(
                site, caller, command, key=key, request=digest, unchanged=unchanged if if_match else None, path=named
            )
        position = site.tokens.seal(caller.staff, "position", str(done.position))
        return reply(dict(sorted(done.answer.items())), {"Position": position}, 201)  # as the stored one, byte for byte

    def add(path: str, kind: type[Command], summary: str) -> None:
        """Add the route of a command; the ids of its path are given to its handler by name."""
        names = tuple(part[1:-1] for part in path.split("/") if part.startswith("{"))

        def endpoint(
            caller: Who, key: Key, digest: Sent, command: Command, if_match: IfMatch = None, **path_ids: str
        ) -> Response:
            named = {_NAMED.get(name, name): value for name, value in path_ids.items()}
            return do(caller, command, key, digest, if_match, **named)

        _sign(endpoint, {"command": kind, "caller": Annotated[Caller, Depends(asking.get(kind, sign_in))]}, names)
        api.add_api_route(
            f"/v1/{path}",
            endpoint,
            methods=["POST"],
            status_code=201,
            summary=summary,
            tags=[path.split("/", maxsplit=1)[0]],
            operation_id=kind.__name__,
        )

    for path, kind, summary in ROUTES:
        add(path, kind, summary)
    return api


# The names by which handlers know the ids of a path, where they differ.
_NAMED = {"participant": "participant_id", "roi": "roi_id", "warrant": "warrant_id"}

ROUTES: tuple[tuple[str, type[Command], str], ...] = (
    ("referrals", referrals.OfferDiversion, "Offer arrest diversion."),
    ("referrals/{referral}/override", referrals.OverrideExclusion, "Override an exclusion of one charge."),
    ("referrals/{referral}/handoff-requests", referrals.RequestHandoff, "Record the department's call."),
    ("referrals/{referral}/handoff", referrals.RecordHandoff, "Record the warm handoff."),
    ("referrals/{referral}/acceptance", referrals.AcceptReferral, "Accept a referral."),
    ("referrals/{referral}/release", referrals.RecordRelease, "Record the release from custody."),
    ("referrals/{referral}/extensions", referrals.RequestExtension, "Ask for more time."),
    ("referrals/{referral}/extension-agreements", referrals.AgreeExtension, "Agree to more time."),
    ("referrals/by-telephone", referrals.RecordCall, "Record an arrest diversion that an officer called in."),
    ("referrals/{referral}/report", referrals.SendReport, "Send the report of what was called in."),
    ("referrals/without-arrest", doors.ReferPerson, "Refer someone without an arrest."),
    ("referrals/{referral}/identification", doors.IdentifyReferred, "Say who a referred person is."),
    ("referrals/{referral}/screening", doors.ScreenReferral, "Record a screening."),
    ("referrals/{referral}/vetting", doors.VetReferral, "Say what field staff should look out for."),
    ("referrals/{referral}/decline", doors.DeclineReferral, "End a referral that is not accepted."),
    ("participants/{participant}/intake", care.CompleteIntake, "Record the intake."),
    ("participants/{participant}/assignment", roster.AssignParticipant, "Assign a participant."),
    ("participants/{participant}/roi", care.SignRoi, "Record a signed ROI."),
    ("participants/{participant}/roi/{roi}/amendments", care.AmendRoi, "Record a signed change of the ROI."),
    ("participants/{participant}/roi/{roi}/revocations", care.RevokeRoi, "Revoke, for some parties or for all."),
    ("participants/{participant}/items", care.ConsentItem, "Share one sentence that the participant signed for."),
    ("participants/{participant}/items/{item}/withdrawals", care.WithdrawItem, "Withdraw one sentence."),
    ("participants/{participant}/contacts", care.RecordContact, "Record a contact."),
    ("participants/{participant}/shares", care.MakeShare, "Share one sentence under the ROI."),
    ("participants/{participant}/access", care.GiveAccess, "Let a participant sign in."),
    (
        "participants/{participant}/roi/{roi}/revocations/{revocation}/paper",
        consent.AddPaper,
        "Add the paper of a revocation by word of mouth.",
    ),
    ("participants/{participant}/counsel", consent.AuthoriseCounsel, "Record the client's authority for counsel."),
    ("participants/{participant}/counsel/endings", consent.EndCounsel, "End counsel's authority, at once."),
    ("participants/{participant}/conflicts", consent.DeclareConflict, "Declare your office's conflict of interest."),
    (
        "participants/{participant}/oral-disclosures",
        consent.RecordOralDisclosure,
        "Record what you told by word of mouth.",
    ),
    (
        "participants/{participant}/accounting-suspensions",
        suspension.SuspendAccounting,
        "Suspend the accounting, as an agency stated.",
    ),
    (
        "participants/{participant}/accounting-suspensions/endings",
        suspension.ResumeAccounting,
        "End a suspension before its last day.",
    ),
    ("asks", asks.MakeAsk, "Ask LEAD, or tell it something."),
    ("asks/{ask}/handling", asks.HandleAsk, "Mark an ask as taken up."),
    ("concerns", asks.RaiseConcern, "Raise a concern."),
    ("concerns/{concern}/answers", asks.AnswerConcern, "Answer a concern, on the record."),
    ("roster/cover", roster.ArrangeCover, "Arrange cover by a dated list."),
    ("roster/cover/endings", roster.EndCover, "End cover before its day."),
    ("roster/on-call", roster.SetOnCall, "Put someone on call."),
    ("roster/on-call/endings", roster.EndOnCall, "Take someone off call."),
    ("participants/{participant}/reports", care.MakeReport, "Tell one party what the form has room for."),
    ("participants/{participant}/plan", plan.AgreePlan, "Go through the plan."),
    ("participants/{participant}/plan/entries", plan.AddToPlan, "Add a sentence to the plan."),
    ("participants/{participant}/plan/goals/{goal}/endings", plan.EndGoal, "End a goal."),
    ("participants/{participant}/funds", plan.UseFunds, "Use flexible funds."),
    ("participants/{participant}/activity", status.RecordActivity, "Record that someone is active, or inactive."),
    ("participants/{participant}/discharge", status.DischargeParticipant, "Discharge a participant."),
    ("participants/{participant}/return", status.ReturnParticipant, "Take back someone who was discharged."),
    ("participants/{participant}/death", status.RecordDeath, "Record a death."),
    ("participants/{participant}/aliases", identity.RecordAlias, "Record another name."),
    ("participants/{participant}/name", identity.CorrectName, "Correct a name."),
    ("participants/{participant}/phone", identity.ChangePhone, "Change a number."),
    ("participants/{participant}/merges", identity.MergeRecords, "Merge another record of the same person."),
    ("participants/{participant}/unmerging", identity.UnmergeRecords, "Take a merged record apart again."),
    (
        "participants/{participant}/matches/{match}/reviews",
        identity.ReviewMatch,
        "Decide whether an agency's record is of a participant.",
    ),
    (
        "participants/{participant}/links/{link}/endings",
        identity.UnlinkRecord,
        "Take an agency's record from a participant.",
    ),
    ("participants/{participant}/holds", retention.PlaceHold, "Place a legal hold."),
    ("participants/{participant}/holds/{hold}/endings", retention.LiftHold, "Lift a legal hold."),
    ("participants/{participant}/orders", retention.ReceiveOrder, "Record an order to seal, vacate or expunge."),
    ("cases", court.FileCase, "Give notice of a filing."),
    ("cases/{case}/decisions", court.DecideCase, "Record a decision."),
    ("findings/{finding}/answers", findings.AnswerFinding, "Answer what your office was asked about its own action."),
    ("bookings", custody.RecordBooking, "Record a booking."),
    ("arrests", custody.RecordArrest, "Record an arrest that led to no diversion."),
    ("violations", violations.AllegeViolation, "Allege a violation."),
    ("cases/{case}/updates", court.UpdateCase, "Record other charges."),
    ("cases/{case}/hearings", court.SetHearing, "Set a hearing."),
    ("cases/{case}/hearings/{hearing}/moves", court.MoveHearing, "Move a hearing."),
    ("cases/{case}/hearings/{hearing}/endings", court.EndHearing, "Record that a hearing is over."),
    ("cases/{case}/dispositions", court.DisposeCase, "Record how a case ended."),
    ("cases/{case}/orders", court.EnterOrder, "Enter a court's order."),
    ("court/cases", court.EnterCase, "Enter a case on a court's docket."),
    ("participants/{participant}/cases", court.FindCase, "Record a case that care found."),
    ("participants/{participant}/warrants", warrants.FindWarrant, "Record a warrant that care found."),
    ("warrants", warrants.RecordWarrant, "Record a warrant."),
    ("warrants/{warrant}/endings", warrants.EndWarrant, "Record how a warrant ended."),
    ("messages/{message}/replays", messages.TakeMessageAgain, "Take a message that was set aside again."),
    ("messages/{message}/drops", messages.DropMessage, "Let a message that was set aside go."),
    ("register/parties", register.RegisterParty, "Register a party."),
    ("register/staff", register.RegisterStaff, "Register a member of staff."),
    ("register/staff/endings", register.EndStaff, "End a person's authority, at once."),
    ("register/protocols", register.AdoptProtocol, "Adopt a version of the protocol."),
)


RECENT: frozenset[type[Command]] = frozenset({care.RevokeRoi, care.WithdrawItem})
"""What needs a sign-in of a few minutes ago: to revoke for the participant."""
ADMINISTRATIVE: frozenset[type[Command]] = frozenset(
    {care.GiveAccess, register.RegisterParty, register.RegisterStaff, register.AdoptProtocol}
)
"""What needs one that is also as strong as the site says: to change who may do what. To end it needs neither."""


def _sign(endpoint: Callable[..., Response], annotations: Mapping[str, Any], names: tuple[str, ...]) -> None:
    """Give an endpoint the signature of its command: its body, who may send it, and the ids of its path."""
    given = inspect.signature(endpoint).parameters
    body = [p.replace(annotation=annotations.get(p.name, p.annotation)) for p in given.values()]
    fixed = [p for p in body if p.kind is not inspect.Parameter.VAR_KEYWORD]
    ids = [inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=str) for name in names]
    endpoint.__signature__ = inspect.Signature([*fixed, *ids])  # type: ignore[attr-defined]
