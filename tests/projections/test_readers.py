"""What each of the other readers sees of one participant: no row holds what its column forbids, whatever happened."""

from __future__ import annotations

from dataclasses import asdict, replace
from datetime import date, timedelta
from typing import Any

import pytest

from domain.ask import AskHandled, AskKind, AskReceived, Handling
from domain.concern import ConcernAnswered, ConcernRaised
from domain.disclosure import Occasion, OralDisclosure
from domain.event import PersonName, labels_of
from domain.hearing import HearingKind, HearingSet
from domain.labels import TABLE, Label, Reader, grantable
from domain.legal_case import CaseEntered, DecisionKind
from domain.participant import Enrolment, RecordsMerged
from domain.refusal import Refused
from projections import case_manager, counsel, legal_services, observer, participant, police, privacy, program
from projections.lens import History
from projections.queue import CareReferral, ProgramReferral
from projections.rows import GrantedRow, Row, shown
from projections.task import Task
from projections.views import VIEWS
from tests.histories import CARE, COURT, DA, DEFENSE, P7, PATEL, PD, Given, local, named
from tests.projections import promises
from tests.projections.test_partners import OFFICE_LABELS, ROI, enrolled, ray, text

ALL = frozenset(grantable(Reader.COUNSEL))


def full() -> Given:
    """Ray's year with every instrument: partners, court, the defender's office, counsel with all that one can have."""
    story = enrolled().authorised(ALL, covers_from=local(2, 1))
    story.signed(
        {**ROI, DEFENSE: {Label.IDENTITY_LEGAL}, COURT: {Label.IDENTITY_LEGAL, Label.NEED_HOUSING}},
        covers_from=local(2, 1),
    )
    story.item(DA, "Will be at the library.", {Label.CONTACT_LOCATION})
    told = OralDisclosure(
        participant_id=story.who,
        party_id=DA,
        occurred_at=story.now,
        labels=frozenset({Label.ENROLMENT_STATUS}),
        occasion=Occasion.PHONE,
    )
    return story.record(named("told"), told).then()


def rows_of(reader: Reader, story: Given, history: History | None = None) -> list[Row]:
    return [*VIEWS[reader].rows(history or story.history, P7.ceiling, story.now)]


def only(kind: type[Any], rows: list[Row]) -> Any:
    (row,) = [row for row in rows if type(row) is kind]
    return row


# What a column forbids ------------------------------------------------------------------------------------------------

SECRETS = {
    Label.IDENTITY_LEGAL: "Ray Lewis",
    Label.CONTACT_PHONE: "555-0177",
    Label.CONTACT_LOCATION: "ward 4",
    Label.REFERRAL_POLICE: "took a jacket",
    Label.CRIMHIST: "2009 robbery",
    Label.INTAKE_NARRATIVE: "foster",
    Label.DEMOGRAPHICS_SELF: "Samish",
    Label.SUBSTANCE_CURRENT: "fentanyl",
    Label.CONTACT_NOTE: "relapse, ashamed",
    Label.PROSECUTOR_WORKPRODUCT: "weak on intent",
    Label.CASE_DOCKET: "26-CR-9",
    Label.CASE_MANAGER_CONTACT: "Dana",
    Label.PROSECUTOR_DECISION: DecisionKind.MONITOR.value,
}


@pytest.mark.parametrize("label", SECRETS)
@pytest.mark.parametrize("reader", VIEWS)
def test_what_a_column_forbids_is_in_no_row(reader: Reader, label: Label) -> None:
    if not TABLE[label].cells[reader]:
        said = text(rows_of(reader, full()))
        said = said.replace('explained_by": "Dana', "") if label is Label.CASE_MANAGER_CONTACT else said
        assert SECRETS[label] not in said


@pytest.mark.parametrize("reader", VIEWS)
def test_every_label_that_a_row_names_may_reach_its_reader(reader: Reader) -> None:
    for row in rows_of(reader, full()):
        named_in = set(str(getattr(row, "shown", "")).split())
        assert all(TABLE[Label(label)].cells[reader] for label in named_in), (row, named_in)


def test_every_view_keeps_its_promises_with_every_instrument() -> None:
    for story in (full(), full().conflict(), full().revoked(), full().counsel_ended()):
        promises.hold(story)


@pytest.mark.parametrize(
    ("label", "kind"),
    [(Label.CONTACT_LOCATION, "referral.accepted"), (Label.CONTACT_PHONE, "intake.completed")],
)
def test_one_field_of_an_event_does_not_tell_counsel_that_it_took_place(label: Label, kind: str) -> None:
    rows = rows_of(Reader.COUNSEL, enrolled().authorised({label}, covers_from=local(2, 1)))
    assert kind not in {row.kind for row in rows if isinstance(row, counsel.Entry)}


def test_legal_services_reads_of_no_referral_and_no_intake() -> None:
    rows = rows_of(Reader.LEGAL_SERVICES, full())
    kinds = {row.kind for row in rows if isinstance(row, legal_services.Entry)}
    assert "contact.made" in kinds
    assert not {"referral.accepted", "intake.completed"} & kinds
    assert only(legal_services.Participant, rows).phone == "555-0177"


def test_every_secret_is_told_to_somebody() -> None:
    everyone = text([row for reader in VIEWS for row in rows_of(reader, full())])
    assert not [secret for secret in SECRETS.values() if secret not in everyone]


# Observer -------------------------------------------------------------------------------------------------------------

IDENTIFYING = ("Ray", "Lewis", "1980", "26-0214", "26-CR-9", "jacket", "Pine", "555-")


def test_an_observer_sees_the_diversion_and_its_decision_and_nobody() -> None:
    rows = rows_of(Reader.OBSERVER, enrolled())
    diversion, decision = only(observer.Diversion, rows), only(observer.Decision, rows)
    (charge,) = diversion.charges
    assert (charge["code"], charge["race_as_perceived"], charge["will_not_be_filed"]) == ("23C", "white", True)
    assert [o["rank"] for o in diversion.overrides] == ["sergeant"]
    assert diversion.notices == ["handoff met", "extension requested"]
    assert (decision.kind, decision.office_id) == (DecisionKind.MONITOR, DA)
    assert diversion.pseudonym == decision.pseudonym  # one person, one pseudonym
    assert not [word for word in IDENTIFYING if word in text(rows)]


def test_the_id_of_a_decision_does_not_count_what_else_lies_in_its_case() -> None:
    def second(story: Given, *, heard: bool) -> Any:
        matter = story.case()
        story.decided(matter, DecisionKind.MONITOR)
        if heard:
            story.told_of(matter, HearingSet, hearing_kind=HearingKind.TRIAL, starts_at=local(6, 1))
        story.decided(matter, DecisionKind.DISMISS)
        found = [row for row in rows_of(Reader.OBSERVER, story) if isinstance(row, observer.Decision)]
        return next(row for row in found if row.kind == DecisionKind.DISMISS).decision_id

    assert second(ray(), heard=True) == second(ray(), heard=False)


def test_an_observer_is_told_a_name_where_the_roi_names_its_office_and_no_conflict_exists() -> None:
    story = full()
    row = only(observer.Named, rows_of(Reader.OBSERVER, story))
    assert (row.party_id, row.name, row.pseudonym) == (DEFENSE, "Ray Lewis", story.who)
    story.conflict()
    rows = rows_of(Reader.OBSERVER, story)
    assert not [row for row in rows if isinstance(row, GrantedRow)]
    assert not [word for word in IDENTIFYING if word in text(rows)]
    assert only(observer.Diversion, rows).charges  # what it sees by pseudonym stays
    with pytest.raises(Refused, match="conflict"):
        story.signed({DEFENSE: {Label.IDENTITY_LEGAL}})


def test_an_roi_can_give_a_defenders_office_a_name_and_nothing_else() -> None:
    with pytest.raises(Refused, match=r"enrolment\.status"):
        enrolled().signed({DEFENSE: {Label.IDENTITY_LEGAL, Label.ENROLMENT_STATUS}})


# Counsel --------------------------------------------------------------------------------------------------------------


def test_counsel_sees_what_the_authority_names_and_consent_by_role() -> None:
    story = enrolled()
    story.authorised({Label.IDENTITY_LEGAL, Label.CASE_DOCKET, Label.IIP_PROGRESS}, covers_from=local(2, 1))
    rows = rows_of(Reader.COUNSEL, story)
    client = only(counsel.Client, rows)
    assert (client.name, client.phone, client.enrolment, client.roi) == ("Ray Lewis", None, None, story.consent.roi)
    given = {row.recipient_id: row.labels for row in rows if isinstance(row, counsel.Recipient)}
    assert set(given[DA]) == {*OFFICE_LABELS, Label.CONSENT_SCOPE}
    kinds = {row.kind for row in rows if isinstance(row, counsel.Entry)}
    assert {"case.filed", "roi.signed", "roi.granted"} <= kinds
    assert not {"contact.made", "referral.offered", "intake.completed"} & kinds
    assert all(isinstance(row, GrantedRow) and row.party_id == PATEL for row in rows)


def test_counsel_reads_a_record_that_is_linked_to_the_client() -> None:
    """By ids that nothing of the client's own depends on."""
    story, case = full(), named("a court's case")
    entered = CaseEntered(matter_id=case, party_id=COURT, occurred_at=story.now, court="District", docket="26-1")
    last = story.recorded[-1]
    linked = replace(last, position=last.position + 1, stream=case, version=1, event=entered)
    alone, both = (
        {row.entry_id for row in rows_of(Reader.COUNSEL, story, history) if isinstance(row, counsel.Entry)}
        for history in (story.history, History(story.who, story.history.events, (linked,)))
    )
    assert len(both - alone) == 1
    assert alone < both


def test_signing_revoking_and_expiring_an_roi_do_not_touch_counsels_authority() -> None:
    story = enrolled().authorised({Label.IDENTITY_LEGAL})
    story.signed({PD: {Label.IDENTITY_LEGAL}})
    assert only(counsel.Client, rows_of(Reader.COUNSEL, story)).name == "Ray Lewis"
    story.revoked()
    assert only(counsel.Client, rows_of(Reader.COUNSEL, story)).name == "Ray Lewis"
    story.at(local(12, 1)).expired()
    assert story.consent.live(PATEL, story.now)
    assert story.consent.live(PD, story.now) is None


def test_counsels_authority_ends_by_word_by_time_and_by_less() -> None:
    story = enrolled().authorised({Label.IDENTITY_LEGAL, Label.CASE_DOCKET}, until=date(2026, 6, 1))
    before = story.consent.grants[PATEL].epoch
    story.authorised({Label.IDENTITY_LEGAL}, until=date(2026, 6, 1))
    assert story.consent.grants[PATEL].epoch > before
    late = replace(story.history)
    rows = [*VIEWS[Reader.COUNSEL].rows(late, P7.ceiling, local(6, 2))]
    assert rows == []
    signed_at = story.now
    story.then().counsel_ended()
    assert rows_of(Reader.COUNSEL, story) == []
    with pytest.raises(Refused, match="revoked"):  # paper from before the end
        story.authorised({Label.IDENTITY_LEGAL}, at=signed_at)
    assert only(counsel.Client, rows_of(Reader.COUNSEL, story.authorised({Label.IDENTITY_LEGAL})))


def test_counsel_reads_the_closed_codes_that_went_out_as_the_authority_names_their_label() -> None:
    def codes(*labels: Label) -> dict[str, list[str]]:
        rows = rows_of(Reader.COUNSEL, enrolled().authorised(labels, covers_from=local(2, 1)))
        told = [row for row in rows if isinstance(row, counsel.Entry) and row.kind.startswith("notice.")]
        return {kind: [r.body["code"] for r in told if r.kind == kind] for kind in sorted({r.kind for r in told})}

    to_department, to_office = ["handoff met", "extension requested"], ["diversion pending", "diversion pending"]
    assert codes(Label.REFERRAL_STATUS) == {"notice.department": to_department}
    assert codes(Label.CHARGE_DIVERTED)["notice.prosecutor"][:2] == to_office
    assert codes(Label.IDENTITY_LEGAL) == {}
    ended = enrolled().authorised({Label.REFERRAL_STATUS}, covers_from=local(2, 1)).counsel_ended()
    assert not [row for row in rows_of(Reader.COUNSEL, ended) if isinstance(row, GrantedRow)]


def test_no_authority_carries_what_a_table_keeps_from_counsel() -> None:
    for label in (Label.CONTACT_NOTE, Label.CONDUCT_UNLAWFUL, Label.CRIMHIST):
        with pytest.raises(Refused):
            enrolled().authorised({label})


# Participant, privacy officer, Legal Services -------------------------------------------------------------------------


def test_a_participant_reads_its_own_column_and_who_sees_what_now() -> None:
    story = full()
    rows = rows_of(Reader.PARTICIPANT, story)
    assert only(participant.Own, rows).name == "Ray Lewis"
    assert "relapse, ashamed" in text(rows)
    assert {row.party_id for row in rows if isinstance(row, participant.Recipient) and row.labels} >= {PD, DA, PATEL}
    seen = {
        label
        for recorded in story.recorded
        for name, label in labels_of(type(recorded.event)).items()
        if name != "occurred_at"
        and getattr(recorded.event, name) is not None
        and TABLE[label].cells[Reader.PARTICIPANT]
    }
    said = {label for row in rows if isinstance(row, participant.Entry) for label in row.shown.split()}
    said |= set(shown(participant.Own, asdict(only(participant.Own, rows))).split())  # who carries, without the roster
    assert seen - {Label(label) for label in said} <= {
        Label.CONSENT_STATE,
        Label.SHARE_TEXT,
    }  # ids only, and a share stands as its subject


def test_the_privacy_officer_reads_consent_and_what_was_told_and_no_content() -> None:
    rows = rows_of(Reader.PRIVACY, full())
    kinds = {row.kind for row in rows if isinstance(row, privacy.Entry)}
    assert {"roi.signed", "roi.granted", "item.consented", "counsel.authorised", "disclosure.oral"} <= kinds
    assert {label for row in rows if isinstance(row, privacy.Entry) for label in row.shown.split()} == {
        Label.CONSENT_SCOPE,
        Label.CONSENT_STATE,
        Label.AUDIT_ACCESS,
    }


# What is true no more -------------------------------------------------------------------------------------------------


def left() -> Given:
    """Ray, who is Rae, has no number, and was discharged; police go on using the name of before."""
    story = ray().at(local(3, 15)).intake(phone="555-0177").assigned("Dana").authorised(ALL, covers_from=local(2, 1))
    story.signed({**ROI, DEFENSE: {Label.IDENTITY_LEGAL}}, covers_from=local(2, 1))
    story.renamed("Rae", "Bell").reached_at(None).discharged()
    return story.identified().then()


@pytest.mark.parametrize("reader", VIEWS)
def test_no_reader_hears_a_name_that_the_person_does_not_bear_any_more(reader: Reader) -> None:
    its_own = (police.OwnReferral, participant.Entry, case_manager.Entry)  # a department's report; the person's and
    rows = [row for row in rows_of(reader, left()) if not isinstance(row, its_own)]  # the team's whole history
    assert "Lewis" not in text(rows)
    promises.hold(left())


def test_every_reader_of_a_name_reads_the_one_that_is_borne() -> None:
    story = left()
    story.at(local(6, 1)).referred().identified().then()
    named_by = {
        type(row): str(getattr(row, "name", None))
        for reader in VIEWS
        for row in rows_of(reader, story)
        if hasattr(row, "name") and not isinstance(row, police.OwnReferral)
    }
    assert set(named_by.values()) == {"Rae Bell"}
    assert {observer.Named, counsel.Client, legal_services.Participant, participant.Own, Task} <= set(named_by)
    assert {CareReferral, ProgramReferral, police.Participant} <= set(named_by)


@pytest.mark.parametrize(
    ("reader", "row"),
    [
        (Reader.COUNSEL, counsel.Client),
        (Reader.LEGAL_SERVICES, legal_services.Participant),
        (Reader.PARTICIPANT, participant.Own),
    ],
)
def test_nobody_reads_a_number_a_case_manager_or_an_enrolment_of_before(reader: Reader, row: type[Any]) -> None:
    before, after = enrolled().authorised(ALL, covers_from=local(2, 1)), left()
    was, now = only(row, rows_of(reader, before)), only(row, rows_of(reader, after))
    assert (was.phone, was.case_manager, was.call, was.enrolment) == ("555-0177", "Dana", "555-0101", "enrolled")
    assert (now.phone, now.case_manager, now.call, now.enrolment) == (None, None, None, "discharged")


# Asks and concerns ----------------------------------------------------------------------------------------------------


def test_an_ask_is_its_askers_own_and_the_teams_to_take_up() -> None:
    ask = named("ask")
    story = Given("nobody")
    received = AskReceived(
        participant_id=ask,
        party_id=PD,
        occurred_at=story.now,
        reader=Reader.POLICE,
        kind=AskKind.QUESTION,
        text="Where does he sleep?",
        about=named("ray"),
        name=PersonName(given="Ray", surname="Lewis"),
    )
    handled = AskHandled(participant_id=ask, party_id=CARE, occurred_at=story.now, how=Handling.CALL)
    before = History(ask, story.record(ask, received).history.events)
    after = History(ask, story.record(ask, handled).history.events)
    own = only(police.Ask, rows_of(Reader.POLICE, story, before))
    assert own == only(police.Ask, rows_of(Reader.POLICE, story, after))  # it is not told how it was taken up
    assert (own.party_id, own.participant_id, own.text) == (PD, named("ray"), "Where does he sleep?")
    inbox = only(case_manager.Ask, rows_of(Reader.CASE_MANAGER, story, after))
    assert (inbox.from_id, inbox.about_id, inbox.handled) == (PD, named("ray"), Handling.CALL)
    others = [reader for reader in VIEWS if reader not in (Reader.POLICE, Reader.CASE_MANAGER)]
    assert [row for reader in others for row in rows_of(reader, story, after)] == []


def test_a_concern_is_answered_on_the_record() -> None:
    concern, story = named("concern"), Given("nobody")
    raised = ConcernRaised(
        participant_id=concern, party_id=DEFENSE, occurred_at=story.now, reader=Reader.OBSERVER, text="Three filings."
    )
    answered = ConcernAnswered(
        participant_id=concern, party_id=DEFENSE, occurred_at=story.now + timedelta(hours=1), text="Under review."
    )
    story.record(concern, raised, answered)
    history = History(concern, story.history.events)
    own = only(observer.Concern, rows_of(Reader.OBSERVER, story, history))
    inbox = only(program.Concern, rows_of(Reader.PROGRAM, story, history))
    assert (own.text, own.answer) == (inbox.text, inbox.answer) == ("Three filings.", "Under review.")
    others = [reader for reader in VIEWS if reader not in (Reader.OBSERVER, Reader.PROGRAM)]
    assert [row for reader in others for row in rows_of(reader, story, history)] == []


# Project manager ------------------------------------------------------------------------------------------------------


def test_everyone_is_counted_once_by_status_the_dead_too() -> None:
    story = enrolled()
    assert only(program.Status, rows_of(Reader.PROGRAM, story)).status == Enrolment.ENROLLED
    assert only(program.Status, rows_of(Reader.PROGRAM, story.became(Enrolment.INACTIVE))).status == Enrolment.INACTIVE
    assert only(program.Status, rows_of(Reader.PROGRAM, story.died())).status == Enrolment.DECEASED
    others = [reader for reader in VIEWS if reader is not Reader.PROGRAM]
    assert not [row for reader in others for row in rows_of(reader, story) if isinstance(row, program.Status)]

    # A record that was merged into another is not one person more.
    twice = Given("rey").identified()
    assert only(program.Status, rows_of(Reader.PROGRAM, twice)).status == Enrolment.REFERRED
    merged = RecordsMerged(
        participant_id=twice.who, party_id=CARE, occurred_at=twice.now, other=story.who, kept=False, why="Same man."
    )
    twice.record(twice.who, merged)
    assert not [row for row in rows_of(Reader.PROGRAM, twice) if isinstance(row, program.Status)]
