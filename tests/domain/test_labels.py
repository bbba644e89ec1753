"""The label table, and what follows from it: who may ever see which fact, and on which basis."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.event import TOPICS, Event, UnlabelledField, labels_of
from domain.labels import (
    BEHIND_THE_GATE,
    PARTNERS,
    TABLE,
    Basis,
    Ceiling,
    Fact,
    Grant,
    Label,
    Reader,
    Rule,
    Seal,
    Shown,
    Viewer,
    Withheld,
    by_item,
    decide,
    grantable,
)
from projections.rows import BeyondCeiling, GrantedRow, OwnRow, model
from tests.histories import CARE, DA, HOUSING, PATEL, PD, named

NORMATIVE = Path(__file__).parents[3] / "shared" / "labels.md"
NOON = datetime(2026, 3, 20, 12, tzinfo=UTC)
NO_CEILING = Ceiling("P-7")
ROI, ITEM, RAY = named("roi"), named("item"), named("ray")

# Written by hand from the agreements with the partners, not from the table: what a standing ROI may give each of them.
NEEDS = "need.housing need.income need.work need.education need.family"
MAY_BE_GRANTED = {
    Reader.POLICE: f"""identity.legal identity.alias enrolment.status case_manager.contact iip.goal iip.progress
        iip.barrier contact.fact consent.scope {NEEDS}""",
    Reader.PROSECUTOR: f"""identity.legal identity.alias enrolment.status case_manager.contact charge.diverted
        case.docket case.effect warrant health.general health.mental health.sud iip.goal iip.progress iip.challenge
        iip.barrier contact.fact consent.scope {NEEDS}""",
    Reader.COURT: f"""identity.legal enrolment.status case_manager.contact case.effect health.general health.mental
        health.sud iip.goal iip.progress iip.challenge iip.barrier contact.fact consent.scope {NEEDS}""",
    Reader.RECIPIENT: f"""identity.legal contact.phone contact.location enrolment.status case_manager.contact
        health.general health.mental health.sud iip.goal iip.progress iip.barrier contact.fact consent.scope
        {NEEDS}""",
}
ONLY_BY_ITEM = {
    Reader.POLICE: "contact.phone contact.location",
    Reader.PROSECUTOR: "contact.phone contact.location release.plan health.hiv substance.current",
    Reader.COURT: "contact.phone contact.location release.plan health.hiv substance.current",
    Reader.RECIPIENT: "health.hiv substance.current",
    Reader.COUNSEL: "intake.narrative health.hiv substance.current conduct.unlawful conduct.order",
}
NEVER_TO_A_PARTNER_BY_CONSENT = """contact.note intake.narrative conduct.unlawful conduct.order fund.use legal.civil
    legal.immigration legal.strategy defense.communication referral.declined referral.community demographics.self
    consent.state crimhist prosecutor.workproduct safety.threat roster override"""


def labels(names: str) -> frozenset[Label]:
    return frozenset(Label(name) for name in names.split())


@pytest.mark.parametrize("reader", MAY_BE_GRANTED)
def test_a_standing_roi_can_give_each_kind_of_partner_this_and_no_more(reader: Reader) -> None:
    assert grantable(reader) == labels(MAY_BE_GRANTED[reader])


@pytest.mark.parametrize("reader", ONLY_BY_ITEM)
def test_what_is_shared_one_signed_sentence_at_a_time(reader: Reader) -> None:
    assert by_item(reader) == labels(ONLY_BY_ITEM[reader])


@pytest.mark.parametrize("label", sorted(labels(NEVER_TO_A_PARTNER_BY_CONSENT)))
def test_no_signature_whatever_gives_a_partner_this(label: Label) -> None:
    assert not any(label in grantable(reader) | by_item(reader) for reader in PARTNERS)


def test_criminal_history_never_enters_case_management_nor_care_notes_anyone_elses_hands() -> None:
    assert {r for r in Reader if TABLE[Label.CRIMHIST].cells[r]} == {Reader.PROSECUTOR, Reader.POLICE, Reader.COURT}
    assert {r for r in Reader if TABLE[Label.CONTACT_NOTE].cells[r]} == {Reader.CASE_MANAGER, Reader.PARTICIPANT}
    assert {r for r in Reader if TABLE[Label.PROSECUTOR_WORKPRODUCT].cells[r]} == {Reader.PROSECUTOR}


def test_spot_checks_of_whole_lines() -> None:
    charge = TABLE[Label.CHARGE_DIVERTED]
    assert (charge.seal, charge.part2) == (Seal.MATTER, True)
    assert charge.cells[Reader.PROSECUTOR] == {Basis.GRANTED, Basis.NOTICE, Basis.OWN}
    assert charge.cells[Reader.POLICE] == {Basis.OWN}
    assert TABLE[Label.CONTACT_LOCATION].cells[Reader.POLICE] == {Basis.ITEM, Basis.EMERGENCY}
    assert TABLE[Label.CONTACT_LOCATION].cells[Reader.PROGRAM] == frozenset()
    assert TABLE[Label.REFERRAL_STATUS].seal is Seal.CLEAR
    assert TABLE[Label.SHARE_TEXT].as_subject == frozenset(Reader) - {
        Reader.CASE_MANAGER,
        Reader.PROGRAM,
        Reader.PARTICIPANT,
        Reader.PRIVACY,
    }


@pytest.mark.skipif(not NORMATIVE.exists(), reason="the normative page is not beside this checkout")
def test_the_table_equals_the_normative_page_cell_by_cell() -> None:
    columns = dict(zip(["CM", "PM", "PR", "PO", "CT", "RC", "DO", "DC", "LS", "PT", "PV"], Reader, strict=True))
    lines = [line for line in NORMATIVE.read_text().splitlines() if line.startswith("| ") and "---" not in line]
    head, *body = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.count("|") == 16]
    reader_at = {n: columns[name] for n, name in enumerate(head) if name in columns}
    assert set(reader_at.values()) == set(Reader)
    seen: set[Label] = set()
    for row in body:
        names, _, seal, part2 = row[:4]
        first, *more = [name.strip() for name in names.split("/")]
        for name in (first, *(first.split(".")[0] + suffix for suffix in more)):
            line = TABLE[label := Label(name)]
            seen.add(label)
            assert (line.seal, line.part2) == (Seal(seal), part2 == "2"), name
            for n, reader in reader_at.items():
                if row[n].startswith("as "):
                    assert reader in line.as_subject, (name, reader)
                    assert not line.cells[reader]
                else:
                    assert line.cells[reader] == {Basis(b) for b in row[n].split() if b != "-"}, (name, reader)
                    assert reader not in line.as_subject, (name, reader)
    assert seen == set(Label)


# Definition ----------------------------------------------------------------------------------------------------------


def test_a_field_without_a_label_cannot_be_defined() -> None:
    with pytest.raises(UnlabelledField, match="must name one label"):

        class Unlabelled(Event):
            topic: ClassVar[str] = "test.unlabelled"
            label: ClassVar[Label] = Label.REGISTRY
            note: str

    assert "test.unlabelled" not in TOPICS


def test_a_field_with_two_labels_cannot_be_defined() -> None:
    with pytest.raises(UnlabelledField, match="must name one label"):

        class Twice(Event):
            topic: ClassVar[str] = "test.twice"
            label: ClassVar[Label] = Label.REGISTRY
            note: Annotated[str, Label.REGISTRY, Label.ROSTER]


@pytest.mark.parametrize(
    ("label", "coordinate"), [(Label.CONTACT_NOTE, "participant_id"), (Label.CASE_DOCKET, "matter_id")]
)
def test_a_sealed_field_without_the_subject_of_its_key_cannot_be_defined(label: Label, coordinate: str) -> None:
    with pytest.raises(UnlabelledField, match=coordinate):
        type(
            "Keyless",
            (Event,),
            {
                "__annotations__": {"note": Annotated[str, label]},
                "__module__": __name__,
                "topic": "test.keyless",
                "label": Label.REGISTRY,
            },
        )


def test_two_events_cannot_have_one_topic() -> None:
    with pytest.raises(UnlabelledField, match="two events"):

        class Impostor(Event):
            topic: ClassVar[str] = "roi.revoked"
            label: ClassVar[Label] = Label.REGISTRY

    assert TOPICS["roi.revoked"].__name__ == "RoiRevoked"


def test_an_event_without_a_coordinate_that_its_class_requires_cannot_be_made() -> None:
    with pytest.raises(ValueError, match="requires participant_id, party_id"):
        TOPICS["roi.revoked"](occurred_at=NOON, word_of="participant", medium="oral")  # type: ignore[call-arg]


def test_a_row_that_could_hold_what_its_reader_may_never_see_cannot_be_defined() -> None:
    with pytest.raises(BeyondCeiling, match=r"contact\.note never reaches this reader in granted rows"):

        @model(Reader.POLICE, "leak", order=("note",))
        @dataclass(frozen=True, slots=True, kw_only=True)
        class Leak(GrantedRow):
            note: Annotated[str, Label.CONTACT_NOTE]


def test_a_granted_label_does_not_slip_into_rows_that_consent_never_touches() -> None:
    with pytest.raises(BeyondCeiling, match=r"enrolment\.status never reaches this reader in own rows"):

        @model(Reader.POLICE, "leak", order=("status",))
        @dataclass(frozen=True, slots=True, kw_only=True)
        class Leak(OwnRow):
            status: Annotated[str, Label.ENROLMENT_STATUS]


def test_a_column_without_a_label_cannot_be_defined() -> None:
    with pytest.raises(BeyondCeiling, match="names no label"):

        @model(Reader.POLICE, "leak", order=("status",))
        @dataclass(frozen=True, slots=True, kw_only=True)
        class Leak(OwnRow):
            status: str


@pytest.mark.parametrize("topic", sorted(TOPICS))
def test_every_field_of_every_event_has_its_label(topic: str) -> None:
    assert all(isinstance(label, Label) for label in labels_of(TOPICS[topic]).values())


# Decision ------------------------------------------------------------------------------------------------------------

PARTIES = st.sampled_from([PD, DA, HOUSING, CARE, RAY])
MOMENTS = st.integers(-3, 3).map(lambda days: NOON + timedelta(days=days))
SOME_LABELS = st.frozensets(st.sampled_from(Label), max_size=4)
GRANTS = st.builds(
    Grant,
    epoch=st.integers(0, 9),
    reader=st.sampled_from(Reader),
    roi=st.just(ROI),
    labels=st.none() | st.frozensets(st.sampled_from(Label)) | st.just(frozenset(Label)),
    purpose=st.just("coordination"),
    covers_from=st.none() | MOMENTS,
    until=st.none() | MOMENTS,
    items=st.lists(st.tuples(st.sampled_from([ITEM, ROI]), MOMENTS), max_size=2).map(tuple),
)
FACTS = st.builds(
    Fact,
    labels=SOME_LABELS,
    subject=st.sampled_from([None, RAY]),
    occurred_at=MOMENTS,
    form=st.sampled_from([None, None, Label.SHARE_TEXT, Label.DOCUMENT]),
    contributor=st.none() | PARTIES,
    addressee=st.none() | PARTIES,
    is_notice=st.booleans(),
    is_public=st.booleans(),
    jurisdiction=st.none() | PARTIES,
    item=st.none() | st.just(ITEM),
)
CEILINGS = st.builds(
    Ceiling, st.just("P-7"), st.frozensets(st.tuples(st.sampled_from(Reader), st.sampled_from(Label)), max_size=40)
)
VIEWERS = st.builds(Viewer, st.sampled_from(Reader), PARTIES)
situation = given(viewer=VIEWERS, fact=FACTS, grant=st.none() | GRANTS, ceiling=CEILINGS)


@situation
def test_there_is_an_answer_to_every_question_and_always_the_same(
    viewer: Viewer, fact: Fact, grant: Grant | None, ceiling: Ceiling
) -> None:
    answer = decide(viewer, fact, grant, ceiling, NOON)
    assert isinstance(answer, Shown | Withheld)
    assert answer == decide(viewer, fact, grant, ceiling, NOON)


@situation
def test_whatever_is_signed_nobody_sees_what_no_cell_allows(
    viewer: Viewer, fact: Fact, grant: Grant | None, ceiling: Ceiling
) -> None:
    answer = decide(viewer, fact, grant, ceiling, NOON)
    if isinstance(answer, Shown):
        as_subject = fact.form is None or viewer.reader in TABLE[fact.form].as_subject
        read_by = fact.labels if as_subject else frozenset({fact.form})
        assert read_by
        cells = [TABLE[label].cells[viewer.reader] for label in read_by if label is not None]
        assert all(cells)
        if answer.basis in BEHIND_THE_GATE:  # an item carries what a grant could, and more; never the reverse
            assert any(cell & (BEHIND_THE_GATE | {Basis.PSEUDONYM}) for cell in cells)
        else:
            assert any(answer.basis in cell for cell in cells)


@situation
def test_what_came_by_consent_needs_a_living_grant_or_a_living_item(
    viewer: Viewer, fact: Fact, grant: Grant | None, ceiling: Ceiling
) -> None:
    answer = decide(viewer, fact, grant, ceiling, NOON)
    if isinstance(answer, Shown) and answer.basis is Basis.GRANTED:
        assert grant is not None
        assert grant.live_roi(NOON)
        assert fact.item is None
        assert not fact.is_notice or viewer.reader is Reader.COUNSEL
    if isinstance(answer, Shown) and answer.basis is Basis.ITEM:
        assert grant is not None
        assert (ITEM, True) in {(item, until > NOON) for item, until in grant.items}


@given(viewer=VIEWERS, fact=FACTS, grant=GRANTS, ceiling=CEILINGS, removed=st.frozensets(st.sampled_from(Label)))
def test_taking_labels_from_a_grant_never_shows_more(
    viewer: Viewer, fact: Fact, grant: Grant, ceiling: Ceiling, removed: frozenset[Label]
) -> None:
    less = replace(grant, labels=None if grant.labels is None else grant.labels - removed)
    if isinstance(decide(viewer, fact, less, ceiling, NOON), Shown):
        assert isinstance(decide(viewer, fact, grant, ceiling, NOON), Shown)


@situation
def test_lowering_a_ceiling_never_shows_more(viewer: Viewer, fact: Fact, grant: Grant | None, ceiling: Ceiling) -> None:
    if isinstance(decide(viewer, fact, grant, ceiling, NOON), Shown):
        assert isinstance(decide(viewer, fact, grant, NO_CEILING, NOON), Shown)


@situation
def test_consent_never_touches_what_is_a_partys_own(
    viewer: Viewer, fact: Fact, grant: Grant | None, ceiling: Ceiling
) -> None:
    without = decide(viewer, fact, None, ceiling, NOON)
    if isinstance(without, Shown):
        assert isinstance(decide(viewer, fact, grant, ceiling, NOON), Shown)
    elif grant is not None:
        dead = replace(grant, until=NOON, items=())
        assert not isinstance(decide(viewer, fact, dead, ceiling, NOON), Shown)


POLICE, OFFICE = Viewer(Reader.POLICE, PD), Viewer(Reader.PROSECUTOR, DA)
PROGRESS = Fact(labels=frozenset({Label.IIP_PROGRESS}), subject=RAY, occurred_at=NOON)
DOCKET = Fact(labels=frozenset({Label.CASE_DOCKET}), subject=RAY, occurred_at=NOON, jurisdiction=DA)
LIVE = Grant(
    epoch=0,
    reader=Reader.POLICE,
    roi=ROI,
    labels=frozenset({Label.IIP_PROGRESS, Label.ENROLMENT_STATUS, Label.CASE_DOCKET}),
    covers_from=NOON,
    until=NOON + timedelta(days=1),
    items=((ITEM, NOON + timedelta(days=1)),),
)


def test_a_live_grant_shows_what_it_names_until_the_instant_it_ends() -> None:
    assert decide(POLICE, PROGRESS, LIVE, NO_CEILING, NOON) == Shown(Basis.GRANTED, ROI)
    assert decide(POLICE, PROGRESS, LIVE, NO_CEILING, NOON + timedelta(days=1)) == Withheld(Rule.NO_GRANT)
    assert decide(POLICE, PROGRESS, None, NO_CEILING, NOON) == Withheld(Rule.NO_GRANT)
    barrier = PROGRESS._replace(labels=frozenset({Label.IIP_BARRIER}))
    assert decide(POLICE, barrier, LIVE, NO_CEILING, NOON) == Withheld(Rule.NOT_GRANTED)


def test_happenings_before_the_grants_period_stay_dark_and_standing_facts_do_not() -> None:
    before = NOON - timedelta(minutes=1)
    assert decide(POLICE, PROGRESS._replace(occurred_at=before), LIVE, NO_CEILING, NOON) == Withheld(Rule.BEFORE)
    enrolled = Fact(labels=frozenset({Label.ENROLMENT_STATUS}), subject=RAY, occurred_at=before)
    assert decide(POLICE, enrolled, LIVE, NO_CEILING, NOON) == Shown(Basis.GRANTED, ROI)


def test_an_item_shows_only_its_own_sentence_and_only_to_its_own_party() -> None:
    told = Fact(labels=frozenset({Label.CONTACT_LOCATION}), subject=RAY, occurred_at=NOON, addressee=PD, item=ITEM)
    assert decide(POLICE, told, LIVE, NO_CEILING, NOON) == Shown(Basis.ITEM, ITEM)
    assert decide(POLICE, told._replace(item=named("another")), LIVE, NO_CEILING, NOON) == Withheld(Rule.NO_ITEM)
    assert decide(POLICE, told._replace(item=None), LIVE, NO_CEILING, NOON) == Withheld(Rule.NO_ITEM)
    campus = Viewer(Reader.POLICE, named("campus pd"))
    assert decide(campus, told, LIVE, NO_CEILING, NOON) == Withheld(Rule.NOT_ADDRESSED)


def test_a_sentence_signed_for_as_an_item_is_not_carried_by_a_standing_roi() -> None:
    told = PROGRESS._replace(addressee=PD, item=ITEM)
    assert decide(POLICE, told, replace(LIVE, items=()), NO_CEILING, NOON) == Withheld(Rule.NO_ITEM)


def test_a_notice_is_its_addressees_alone() -> None:
    notice = Fact(
        labels=frozenset({Label.REFERRAL_STATUS}), subject=RAY, occurred_at=NOON, addressee=PD, is_notice=True
    )
    assert decide(POLICE, notice, None, NO_CEILING, NOON) == Shown(Basis.NOTICE)
    for other in (OFFICE, Viewer(Reader.POLICE, named("campus pd"))):
        assert decide(other, notice, LIVE, NO_CEILING, NOON) == Withheld(Rule.NOT_ADDRESSED)
    charge = notice._replace(labels=frozenset({Label.CHARGE_DIVERTED}), addressee=DA)
    other_office = Viewer(Reader.PROSECUTOR, named("city attorney"))
    granted = replace(LIVE, labels=charge.labels)
    assert decide(other_office, charge, granted, NO_CEILING, NOON) == Withheld(Rule.NOT_ADDRESSED)


def test_counsel_reads_the_notices_about_its_client_as_the_living_authority_names_their_label() -> None:
    counsel, authority = Viewer(Reader.COUNSEL, PATEL), replace(LIVE, labels=frozenset({Label.REFERRAL_STATUS}))
    notice = Fact(
        labels=frozenset({Label.REFERRAL_STATUS}), subject=RAY, occurred_at=NOON, addressee=PD, is_notice=True
    )
    assert decide(counsel, notice, authority, NO_CEILING, NOON) == Shown(Basis.GRANTED, ROI)
    assert decide(counsel, notice, LIVE, NO_CEILING, NOON) == Withheld(Rule.NOT_GRANTED)
    assert decide(counsel, notice, None, NO_CEILING, NOON) == Withheld(Rule.NO_GRANT)
    assert decide(counsel, notice, authority, NO_CEILING, NOON + timedelta(days=1)) == Withheld(Rule.NO_GRANT)
    before = notice._replace(occurred_at=NOON - timedelta(minutes=1))
    assert decide(counsel, before, authority, NO_CEILING, NOON) == Withheld(Rule.BEFORE)


def test_an_offices_grant_reaches_its_own_jurisdiction_and_counsels_reaches_every_matter_of_the_client() -> None:
    assert decide(OFFICE, DOCKET, LIVE, NO_CEILING, NOON) == Shown(Basis.GRANTED, ROI)
    other = Viewer(Reader.PROSECUTOR, named("city attorney"))
    assert decide(other, DOCKET, LIVE, NO_CEILING, NOON) == Withheld(Rule.JURISDICTION)
    assert decide(Viewer(Reader.COUNSEL, named("defense")), DOCKET, LIVE, NO_CEILING, NOON) == Shown(Basis.GRANTED, ROI)


def test_a_site_lowers_a_ceiling_below_what_was_signed_but_not_what_is_a_partys_own() -> None:
    lowered = Ceiling("P-9", frozenset({(Reader.POLICE, Label.IIP_PROGRESS), (Reader.POLICE, Label.IDENTITY_LEGAL)}))
    assert decide(POLICE, PROGRESS, LIVE, lowered, NOON) == Withheld(Rule.LOWERED)
    own = Fact(labels=frozenset({Label.IDENTITY_LEGAL}), subject=RAY, occurred_at=NOON, contributor=PD)
    assert decide(POLICE, own, None, lowered, NOON) == Shown(Basis.OWN)


def test_a_share_is_read_as_its_subject_by_its_addressee_and_never_by_the_project_manager() -> None:
    told = Fact(
        labels=frozenset({Label.IIP_BARRIER}),
        form=Label.SHARE_TEXT,
        subject=RAY,
        occurred_at=NOON,
        addressee=PD,
    )
    barrier = replace(LIVE, labels=frozenset({Label.IIP_BARRIER}))
    assert decide(POLICE, told, barrier, NO_CEILING, NOON) == Shown(Basis.GRANTED, ROI)
    assert decide(Viewer(Reader.CASE_MANAGER, CARE), told, None, NO_CEILING, NOON) == Shown(Basis.ROLE)
    assert decide(Viewer(Reader.PROGRAM, named("program")), told, None, NO_CEILING, NOON) == Withheld(Rule.NEVER)


def test_a_sentence_about_two_things_needs_both_to_be_granted() -> None:
    both = PROGRESS._replace(labels=frozenset({Label.IIP_PROGRESS, Label.NEED_HOUSING}))
    assert decide(POLICE, both, LIVE, NO_CEILING, NOON) == Withheld(Rule.NOT_GRANTED)
    widened = replace(LIVE, labels=both.labels)
    assert decide(POLICE, both, widened, NO_CEILING, NOON) == Shown(Basis.GRANTED, ROI)


def test_a_participant_reads_of_itself_alone_and_counsel_only_while_the_client_lets_it() -> None:
    mine = Fact(labels=frozenset({Label.CONSENT_STATE}), subject=RAY, occurred_at=NOON)
    assert decide(Viewer(Reader.PARTICIPANT, RAY), mine, None, NO_CEILING, NOON) == Shown(Basis.ROLE)
    assert isinstance(decide(Viewer(Reader.PARTICIPANT, named("kim")), mine, None, NO_CEILING, NOON), Withheld)
    counsel = Viewer(Reader.COUNSEL, named("defense"))
    assert decide(counsel, mine, LIVE, NO_CEILING, NOON) == Shown(Basis.ROLE, ROI)
    assert isinstance(decide(counsel, mine, LIVE, NO_CEILING, NOON + timedelta(days=2)), Withheld)
    assert isinstance(decide(counsel, mine, None, NO_CEILING, NOON), Withheld)


def test_an_observer_reads_by_pseudonym_and_a_name_only_as_the_roi_grants_it() -> None:
    observer = Viewer(Reader.OBSERVER, named("public defense"))
    decision = PROGRESS._replace(labels=frozenset({Label.PROSECUTOR_DECISION}), contributor=named("pa"), addressee=None)
    name = decision._replace(labels=frozenset({Label.IDENTITY_LEGAL}))
    assert decide(observer, decision, None, NO_CEILING, NOON) == Shown(Basis.PSEUDONYM)
    assert isinstance(decide(observer, name, None, NO_CEILING, NOON), Withheld)
    named_by_roi = replace(LIVE, reader=Reader.OBSERVER, labels=frozenset({Label.IDENTITY_LEGAL}))
    assert decide(observer, name, named_by_roi, NO_CEILING, NOON) == Shown(Basis.GRANTED, ROI)
    assert isinstance(decide(observer, name, named_by_roi, NO_CEILING, NOON + timedelta(days=2)), Withheld)
    assert grantable(Reader.OBSERVER) == {Label.IDENTITY_LEGAL}
