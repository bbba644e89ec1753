"""What a person does with an agency's message that was set aside: has it taken again, or drops it. Both for a reason.

What waits behind it follows by itself, in its order.
"""

from __future__ import annotations

from typing import Final

from domain.event import ShortText
from domain.refusal import Fault, Refused, Unknown
from domain.registry import Role
from services.feed import Again, feed_of
from services.ports import Caller, Keeping, Kept, Settled, Taken
from services.site import Command, Outcome, Site, example, handles, reference

NUMBER_MOST: Final = 2**63 - 1


class TakeMessageAgain(Command):
    """A message that was set aside is taken again: what was wrong, the site or its register, was mended."""

    model_config = example(why="The office is registered now.")

    why: ShortText


class DropMessage(Command):
    """A message that was set aside is let go."""

    model_config = example(why="A test of theirs, as they told us by telephone.")

    why: ShortText


@handles(TakeMessageAgain, Role.PROJECT_MANAGER)
def take_message_again(site: Site, caller: Caller, command: TakeMessageAgain, *, message: str) -> Outcome:
    """Take a message again, or refuse with what is wrong with it now."""
    kept = _set_aside(site, caller, message)
    site.people.refresh()
    site.dockets.refresh()
    again = feed_of(site).again(kept)
    if not isinstance(again, Again):
        raise Refused.of([Fault(each["pointer"] or "message", each["sentence"], _WAY_OUT) for each in again])
    return Outcome(again.appends, {"message": message}, again.taken(kept, caller.staff, command.why))


_WAY_OUT: Final = "Let the agency send it again as it should be, and drop this one."


@handles(DropMessage, Role.PROJECT_MANAGER)
def drop_message(site: Site, caller: Caller, command: DropMessage, *, message: str) -> Outcome:
    """Let a message go."""
    kept = _set_aside(site, caller, message)
    taken = Taken(settled={kept.id: Settled.DROPPED}, by=caller.staff, why=command.why)
    return Outcome([], {"message": message}, taken)


def _set_aside(site: Site, caller: Caller, message: str) -> Kept:
    number = reference(site, caller, "message", message).int
    if number > NUMBER_MOST:
        raise Unknown
    kept = next(iter(site.stream.kept(Keeping.SET_ASIDE, number=number)), None)
    if kept is not None:
        return kept
    outcome = site.stream.settled(number)
    if outcome is None:
        raise Unknown
    raise Refused("message", f"it is {outcome} already.", "Nothing is left to do about it.")
