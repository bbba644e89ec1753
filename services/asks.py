"""Asks of partners, which care takes up, and concerns of defenders, which the project manager answers (T:489).

Taking an ask reads nothing about anybody, so that neither the receipt nor its timing tells whether somebody of that
name is in LEAD, was, or never was.
"""

from __future__ import annotations

from datetime import date

from domain.ask import AskHandled, AskKind, AskReceived, Handling, handle
from domain.concern import ConcernAnswered, ConcernRaised, raised_by
from domain.event import LongText, PersonName, ShortText
from domain.refusal import Forbidden
from domain.registry import CARE, POLICE, Role
from services.ports import Caller
from services.site import Command, Outcome, Site, append, day, example, handles, reference


class MakeAsk(Command):
    """You have a question or news for LEAD. Say whom it is about by your own id, or by name and birth date."""

    model_config = example(
        kind="question",
        name={"given": "Ray", "surname": "Bell"},
        birth_date="1984-05-09",
        text="Can you reach him?",
    )

    kind: AskKind
    participant: ShortText | None = None
    name: PersonName | None = None
    birth_date: date | None = None
    text: LongText


@handles(
    MakeAsk,
    *POLICE,
    Role.LIAISON_PROSECUTOR,
    Role.COURT_OFFICER,
    Role.PROBATION_OFFICER,
    Role.RECIPIENT_CONTACT,
    Role.COUNSEL,
)
def make_ask(site: Site, caller: Caller, command: MakeAsk) -> Outcome:
    """Take an ask; everyone gets the same receipt."""
    if caller.reader is None:
        raise Forbidden
    ask = site.new_id()
    event = AskReceived(
        participant_id=ask,
        party_id=caller.party,
        occurred_at=site.now(),
        reader=caller.reader,
        kind=command.kind,
        text=command.text,
        about=None if command.participant is None else reference(site, caller, "participant", command.participant),
        name=command.name,
        birth_date=None if command.birth_date is None else day(site, "birth_date", command.birth_date),
    )
    receipt = (
        "LEAD has what you sent, and a person will read it. Everyone gets this receipt. "
        f"Need someone now? Call {site.protocol().on_call}."
    )
    return Outcome([append(ask, 0, event)], {"ask": site.ids.seal(caller.party, ask), "receipt": receipt})


class HandleAsk(Command):
    """You took an ask up. What you answer is a share of its own, or a call."""

    model_config = example(how="call")

    how: Handling


@handles(HandleAsk, *CARE)
def handle_ask(site: Site, caller: Caller, command: HandleAsk, *, ask: str) -> Outcome:
    """Mark an ask as taken up."""
    stream = reference(site, caller, "ask", ask)
    history = site.log.load(stream)
    event = AskHandled(participant_id=stream, party_id=caller.party, occurred_at=site.now(), how=command.how)
    return Outcome([append(stream, len(history), *handle(history, event))], {"ask": ask})


class RaiseConcern(Command):
    """Something looks wrong to you. Say about whom, if about somebody, by your own id."""

    model_config = example(text="Three filings in this precinct that are not typically filed.")

    participant: ShortText | None = None
    text: LongText


@handles(RaiseConcern, Role.DEFENDER_OBSERVER, Role.COUNSEL)
def raise_concern(site: Site, caller: Caller, command: RaiseConcern) -> Outcome:
    """Raise a concern with the project manager."""
    if caller.reader is None:
        raise Forbidden
    concern = site.new_id()
    event = ConcernRaised(
        participant_id=concern,
        party_id=caller.party,
        occurred_at=site.now(),
        reader=caller.reader,
        text=command.text,
        about=None if command.participant is None else reference(site, caller, "participant", command.participant),
    )
    return Outcome([append(concern, 0, event)], {"concern": site.ids.seal(caller.party, concern)})


class AnswerConcern(Command):
    """Your answer, on the record, to who raised it."""

    model_config = example(text="Taken to the liaison prosecutor; all three are under review.")

    text: LongText


@handles(AnswerConcern, Role.PROJECT_MANAGER)
def answer_concern(site: Site, caller: Caller, command: AnswerConcern, *, concern: str) -> Outcome:
    """Answer a concern."""
    stream = reference(site, caller, "concern", concern)
    history = site.log.load(stream)
    event = ConcernAnswered(
        participant_id=stream, party_id=raised_by(history), occurred_at=site.now(), text=command.text
    )
    return Outcome([append(stream, len(history), event)], {"concern": concern})
