"""A share: one sentence that care chose to send to one party, under the labels it is about. Stream: the share.

A lint reads it before it leaves: an ROI for housing does not carry a relapse, and no sentence may give a false
impression (T:885, T:919).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, ClassVar
from uuid import UUID

from domain.event import Event, PartyIs, ShortText
from domain.labels import Grant, Label, Reader, Viewer, Withheld, by_item, decide, grantable
from domain.protocol import Protocol
from domain.refusal import Refused

NOTHING_HELPFUL = "There is nothing helpful to report at this time."
"""The toolkit's sentence (T:1145): a person's choice, never the system's answer."""


class ShareMade(Event):
    """A sentence for one party. `item` names the consent it rests on where the participant signed for this sentence."""

    topic: ClassVar[str] = "share.made"
    label: ClassVar[Label] = Label.SHARE_TEXT
    party_is: ClassVar[PartyIs] = PartyIs.ADDRESSEE
    requires: ClassVar[tuple[str, ...]] = ("participant_id", "party_id")

    text: Annotated[ShortText, Label.SHARE_TEXT]
    labels: Annotated[frozenset[Label], Label.SHARE_TEXT]
    item_id: Annotated[UUID | None, Label.SHARE_TEXT] = None

    def item(self) -> UUID | None:
        """Return the item consent under which alone it is shown."""
        return self.item_id

    def subject_labels(self, field: str) -> frozenset[Label]:
        """Return the labels that the sentence is about."""
        return self.labels or super().subject_labels(field)


@dataclass(frozen=True, slots=True)
class Finding:
    """What the lint found: a phrase that belongs to a label the share does not name, or that misleads."""

    phrase: str
    label: Label | None


_WORDS: dict[Label, str] = {
    Label.SUBSTANCE_CURRENT: r"relaps\w*|us(?:ing|ed) again|sober|clean|high on|overdos\w*|drunk|drinking"
        r"|fentanyl|meth|heroin|cocaine",
    Label.HEALTH_SUD: r"detox|methadone|suboxone|buprenorphine|rehab\w*|treatment program|addict\w*|recovery",
    Label.HEALTH_MENTAL: r"psych\w*|depress\w*|schizo\w*|bipolar|suicid\w*|mental health|anxiety|ptsd",
    Label.HEALTH_HIV: r"hiv|aids|hepatitis",
    Label.HEALTH_GENERAL: r"hospital\w*|diagnos\w*|surgery|medication\w*|doctor|wound|pregnan\w*",
    Label.CONTACT_LOCATION: r"sleeps? (?:at|in|under|near)|stay(?:s|ing) (?:at|with|in)|whereabouts|camp(?:s|ing)?|address",  # noqa: E501
    Label.CONDUCT_UNLAWFUL: r"stole\w*|shoplift\w*|dealing|sold drugs|assault\w*|broke into|burglar\w*|robb\w*",
    Label.CONDUCT_ORDER: r"violat\w*|no-contact order|curfew|probation condition",
    Label.CRIMHIST: r"rap sheet|convict\w*|felon\w*|criminal history|prior arrests?",
    Label.LEGAL_IMMIGRATION: r"immigra\w*|undocumented|visa|deport\w*|asylum",
    Label.LEGAL_STRATEGY: r"attorney said|lawyer said|plead\w*|plea offer",
    Label.FUND_USE: r"flex(?:ible)? funds?|paid (?:his|her|their) \w+",
}  # fmt: skip
_PATTERNS = {label: re.compile(rf"\b(?:{words})\b", re.IGNORECASE) for label, words in _WORDS.items()}
_MISLEADING = re.compile(
    r"(?:\b(?:doing|is|are|seems)|['\u2019]s) (?:really |very |so )?(?:great|fine|well)\b"
    r"|\b(?:no (?:problems?|issues?|concerns?)|all good|on track|out of trouble)\b",
    re.IGNORECASE,
)


def lint(text: str, labels: frozenset[Label]) -> list[Finding]:
    """Return what in a sentence belongs to a label it does not name, or judges instead of telling a fact."""
    found = [
        Finding(match.group(0), label)
        for label, pattern in _PATTERNS.items()
        if label not in labels
        for match in pattern.finditer(text)
    ]
    return found + [Finding(match.group(0), None) for match in _MISLEADING.finditer(text)]


def share(event: ShareMade, reader: Reader, grant: Grant | None, protocol: Protocol) -> list[Event]:
    """Share a sentence under a party's standing grant.

    Raises `Refused` where the grant does not carry the labels, or the lint finds something.
    """
    if not event.labels:
        raise Refused("labels", "a share names what it is about.", "Name at least one label.")
    for label in sorted(event.labels):
        single = event.model_copy(update={"labels": frozenset({label})})
        if label not in grantable(reader):
            way_out = (
                "The participant can sign for this very sentence." if label in by_item(reader) else "Leave it out."
            )
            raise Refused("labels", f"{label} never goes to this kind of party under a standing ROI.", way_out)
        decision = decide_share(single, reader, grant, protocol)
        if decision is not None:
            raise Refused("party", f"no live grant carries {label} to it ({decision}).", "Ask the participant first.")
    _check_lint(event)
    return [event]


def share_item(event: ShareMade, reader: Reader, protocol: Protocol) -> list[Event]:
    """Share a sentence that the participant signed for, to this one party.

    Raises `Refused` for a label that not even an item can carry to that kind of party here.
    """
    lowered = {label for low, label in protocol.ceiling.lowered if low is reader}
    never = sorted(event.labels - ((grantable(reader) | by_item(reader)) - lowered))
    if never or not event.labels:
        what = never[0] if never else "nothing"
        raise Refused("labels", f"{what} can never go to this kind of party.", "Name what the sentence is about.")
    _check_lint(event)
    return [event]


def decide_share(event: ShareMade, reader: Reader, grant: Grant | None, protocol: Protocol) -> str | None:
    """Return why a share would stay dark to its own addressee, or None where it would be shown."""
    if event.party_id is None:
        return "it names no party"
    viewer = Viewer(reader, event.party_id)
    decision = decide(viewer, event.fact("text"), grant, protocol.ceiling, event.occurred_at)
    return decision.rule if isinstance(decision, Withheld) else None


def _check_lint(event: ShareMade) -> None:
    for finding in lint(event.text, event.labels):
        if finding.label is None:
            raise Refused(
                "text",
                f"{finding.phrase!r} judges instead of telling a fact, and may mislead.",
                f"Say what happened, or: {NOTHING_HELPFUL!r}",
            )
        raise Refused(
            "text",
            f"{finding.phrase!r} speaks of {finding.label}, which the share does not name.",
            "Take it out, or name that label if the participant allows it.",
        )
