"""A share: one sentence to one party, read by a lint before it leaves (T:885, T:917, T:919, T:1145)."""

from __future__ import annotations

import pytest

from domain.labels import PARTNERS, Label, Reader, by_item, grantable
from domain.refusal import Refused
from domain.share import NOTHING_HELPFUL, ShareMade, lint, share_item
from tests.histories import CITY_ATTORNEY, DA, HOUSING, P7, PD, Given, local, named

GRANTED = {
    PD: {Label.IIP_PROGRESS, Label.CONTACT_FACT},
    DA: {Label.IIP_PROGRESS, Label.HEALTH_SUD, Label.IIP_BARRIER},
    HOUSING: {Label.NEED_HOUSING, Label.CONTACT_LOCATION},
}

SPEAKS_OF = {
    Label.SUBSTANCE_CURRENT: ["He relapsed on Friday.", "Tests clean.", "Is using again.", "Took meth.", "Was drunk."],
    Label.HEALTH_SUD: ["Started suboxone.", "Left detox.", "In recovery."],
    Label.HEALTH_MENTAL: ["Saw a psychiatrist.", "Is bipolar.", "Has PTSD."],
    Label.HEALTH_HIV: ["Takes care of his HIV.", "Hepatitis C again."],
    Label.HEALTH_GENERAL: ["Is in the hospital.", "Was hospitalized.", "Has a wound.", "Is pregnant."],
    Label.CONTACT_LOCATION: ["Sleeps under the viaduct.", "Is staying with his aunt.", "His address is new."],
    Label.CONDUCT_UNLAWFUL: ["He stole a bike.", "Was shoplifting.", "Sold drugs there.", "An assault last week."],
    Label.CONDUCT_ORDER: ["He violated the no-contact order.", "Missed curfew."],
    Label.CRIMHIST: ["Has a felony.", "His rap sheet is long.", "Convicted in 2009."],
    Label.LEGAL_IMMIGRATION: ["Is undocumented.", "Fears deportation."],
    Label.LEGAL_STRATEGY: ["Will plead.", "His lawyer said to wait.", "Waits for the plea offer."],
    Label.FUND_USE: ["Flex funds bought lunch.", "We paid his rent."],
}
SENTENCES = [(label, text) for label, texts in SPEAKS_OF.items() for text in texts]


def consented() -> Given:
    return Given(now=local(3, 15)).identified().signed(GRANTED)


def test_a_sentence_within_the_grant_leaves() -> None:
    story = consented().shared(PD, "Met his goal for the week.", {Label.IIP_PROGRESS})
    assert story.of(ShareMade)[0].text == "Met his goal for the week."


@pytest.mark.parametrize(("label", "text"), SENTENCES)
def test_a_sentence_that_speaks_of_what_it_does_not_name_stays(label: Label, text: str) -> None:
    assert label in {finding.label for finding in lint(text, frozenset())}
    assert label not in {finding.label for finding in lint(text, frozenset({label}))}
    with pytest.raises(Refused, match="the share does not name") as refused:
        consented().shared(PD, text, {Label.IIP_PROGRESS})
    assert refused.value.field == "text"


@pytest.mark.parametrize(
    "text",
    [
        "He's doing great!",
        "He's doing really well.",
        "He\u2019s fine.",
        "She is doing fine.",
        "There are no problems.",
        "No concerns at all.",
        "All good here.",
        "He is on track.",
        "Stays out of trouble.",
    ],
)
def test_a_judgement_that_may_mislead_is_refused_and_the_toolkits_sentence_offered(text: str) -> None:
    with pytest.raises(Refused, match="may mislead") as refused:
        consented().shared(PD, text, {Label.IIP_PROGRESS})
    assert NOTHING_HELPFUL in refused.value.way_out


@pytest.mark.parametrize("label", [Label.IIP_PROGRESS, Label.CONTACT_FACT])
def test_nothing_helpful_to_report_can_always_be_said_under_a_grant(label: Label) -> None:
    assert consented().shared(PD, NOTHING_HELPFUL, {label}).of(ShareMade)


@pytest.mark.parametrize("text", ["Met with us on Tuesday.", "Filed a housing application.", "Waits for a bed."])
def test_plain_facts_of_ordinary_work_pass(text: str) -> None:
    assert lint(text, frozenset({Label.IIP_PROGRESS})) == []


def test_a_share_names_what_it_is_about() -> None:
    with pytest.raises(Refused, match="names what it is about"):
        consented().shared(PD, "Met with us.", set())


def test_a_share_needs_a_living_grant_of_each_of_its_labels() -> None:
    with pytest.raises(Refused, match=r"no live grant carries contact\.fact to it"):
        consented().shared(DA, "Met with us.", {Label.IIP_PROGRESS, Label.CONTACT_FACT})
    for party in (PD, CITY_ATTORNEY):
        with pytest.raises(Refused, match="no live grant"):
            consented().revoked(PD).shared(party, "Met with us.", {Label.IIP_PROGRESS})
    with pytest.raises(Refused, match="no live grant"):
        consented().at(local(2, 2, year=2027)).shared(PD, "Met with us.", {Label.IIP_PROGRESS})


def test_what_needs_its_own_signature_is_said_to_need_it() -> None:
    with pytest.raises(Refused, match="never goes to this kind of party") as refused:
        consented().shared(PD, "Will be at the library.", {Label.CONTACT_LOCATION})
    assert "sign for this very sentence" in refused.value.way_out
    with pytest.raises(Refused, match="never goes to this kind of party") as refused:
        consented().shared(PD, "Told us much.", {Label.CONTACT_NOTE})
    assert refused.value.way_out == "Leave it out."


def item(reader: Reader, *labels: Label, text: str = "Will be at the library at noon.") -> list[object]:
    told = ShareMade(
        participant_id=named("ray"),
        party_id=PD,
        occurred_at=local(3, 15),
        text=text,
        labels=frozenset(labels),
        item_id=named("item"),
    )
    return list(share_item(told, reader, P7))


def test_one_signed_sentence_carries_what_a_standing_roi_may_not() -> None:
    assert item(Reader.POLICE, Label.CONTACT_LOCATION)
    assert item(Reader.PROSECUTOR, Label.SUBSTANCE_CURRENT, text="Relapsed, and asked for a bed.")


@pytest.mark.parametrize("reader", sorted(PARTNERS))
@pytest.mark.parametrize(
    "label", [Label.CONTACT_NOTE, Label.CONDUCT_UNLAWFUL, Label.CONDUCT_ORDER, Label.INTAKE_NARRATIVE]
)
def test_no_signature_carries_notes_or_unlawful_conduct_to_a_partner(reader: Reader, label: Label) -> None:
    with pytest.raises(Refused, match="can never go to this kind of party"):
        item(reader, label)
    assert label not in grantable(reader) | by_item(reader)


def test_a_signed_sentence_is_read_by_the_lint_too() -> None:
    with pytest.raises(Refused, match=r"speaks of conduct\.unlawful"):
        item(Reader.POLICE, Label.CONTACT_LOCATION, text="At the library, where he stole a bike.")
    with pytest.raises(Refused, match="nothing can never go"):
        item(Reader.POLICE)
