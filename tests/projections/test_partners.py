"""What police, prosecutor and other recipients see of one participant: before an ROI, under it, after its end."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from domain.deadline import ask_to_decide
from domain.labels import Label, Reader, Rule, Shown, Viewer, Withheld
from domain.legal_case import DecisionKind
from domain.referral import NoticeCode
from domain.roi import grants
from projections import case_manager, liaison_prosecutor, police, recipient
from projections.lens import History, Lens, Traced, explain
from projections.partner import GrantedEntry, GrantedParticipant, place
from projections.rows import GrantedRow, OwnRow, Row
from projections.task import Task, TaskKind
from projections.views import VIEWS
from tests.histories import (
    CAMPUS_PD,
    CITY_ATTORNEY,
    CLINIC,
    DA,
    HOUSING,
    P7,
    PD,
    THEFT,
    TRESPASS,
    Given,
    erased,
    local,
    named,
)
from tests.projections import promises

POLICE_LABELS = {Label.IDENTITY_LEGAL, Label.ENROLMENT_STATUS, Label.CASE_MANAGER_CONTACT, Label.IIP_PROGRESS}
OFFICE_LABELS = POLICE_LABELS | {Label.CASE_DOCKET, Label.CHARGE_DIVERTED}
HOUSING_LABELS = {Label.IDENTITY_LEGAL, Label.NEED_HOUSING, Label.CONTACT_FACT, Label.CONTACT_PHONE}
ROI = {PD: POLICE_LABELS, DA: OFFICE_LABELS, HOUSING: HOUSING_LABELS}
PARTNER_VIEWS = [VIEWS[Reader.POLICE], VIEWS[Reader.PROSECUTOR], VIEWS[Reader.RECIPIENT]]


def rows_of(story: Given, party: UUID, at: datetime | None = None, history: History | None = None) -> list[Row]:
    """Return every row that the gate would let this party read at a moment."""
    at = at or story.now
    rows = [
        row
        for view in PARTNER_VIEWS
        for row in view.rows(history or story.history, story.protocol.ceiling, at)
        if getattr(row, "party_id", None) == party
    ]
    return [row for row in rows if not isinstance(row, GrantedRow) or row.until > at]


def granted(story: Given, party: UUID, at: datetime | None = None) -> list[Row]:
    return [row for row in rows_of(story, party, at) if isinstance(row, GrantedRow)]


def own(story: Given, party: UUID) -> list[Row]:
    return [row for row in rows_of(story, party) if isinstance(row, OwnRow)]


def who(story: Given, party: UUID) -> Any:
    (row,) = [row for row in rows_of(story, party) if isinstance(row, GrantedParticipant)]
    return row


def told(story: Given, party: UUID) -> list[dict[str, Any]]:
    return [row.body for row in rows_of(story, party) if isinstance(row, GrantedEntry)]


def text(rows: list[Row]) -> str:
    return json.dumps([asdict(row) for row in rows], default=str)


def ray() -> Given:
    """Ray, diverted on 14 February with an override and an extension for a stay in hospital."""
    story = Given(now=local(2, 14, 2, 10)).referred(exclusions=("prior felony",), history="2009 robbery")
    story.overridden().met().accepted(found_at="under the viaduct").released()
    story.at(local(3, 10)).extension_asked(date(2026, 3, 30), reason="Ray is in hospital")
    return story.extension_agreed(date(2026, 3, 30))


def enrolled() -> Given:
    """Ray, enrolled on 15 March: an ROI for police, prosecutor and housing; one share each, one contact, one case."""
    story = ray().at(local(3, 15)).intake(phone="555-0177").assigned("Dana")
    story.signed(ROI, completion={DA})
    story.shared(PD, "Met his goal for the week.", {Label.IIP_PROGRESS})
    story.shared(DA, "Filed a housing application.", {Label.IIP_PROGRESS})
    story.shared(HOUSING, "Looks for a ground floor.", {Label.NEED_HOUSING})
    story.contact(kind="hospital visit", note="relapse, ashamed", location="ward 4", current_use="fentanyl")
    story.decided(story.case(), DecisionKind.MONITOR, note="weak on intent")
    return story


def filed_after_all() -> Given:
    """Ray, whose two charges are latched, and whose office files them when the day of the intake is over."""
    story = Given(now=local(2, 14, 2, 10)).referred((THEFT, TRESPASS)).met().accepted().released()
    story.at(local(3, 15)).intake().signed({PD: POLICE_LABELS})
    story.at(local(4, 20)).case(incident_number="26-0214")
    return story


def enrolled_late(labels: set[Label]) -> Given:
    """Someone whose intake came when its day was over, and whose ROI gives the office these labels."""
    story = Given(now=local(2, 14, 2, 10)).referred().met().accepted().released()
    story.at(local(3, 20)).intake().signed({DA: labels}, covers_from=local(2, 1))
    asked = ask_to_decide(story.state, story.recorded, local(3, 20), story.now)
    return story.record(story.referral, *asked).then()


# Before --------------------------------------------------------------------------------------------------------------


def test_before_an_roi_police_see_their_own_report_and_the_codes_they_were_sent() -> None:
    (referral,) = rows_of(ray(), PD)
    assert isinstance(referral, police.OwnReferral)
    assert (referral.place, referral.facts, referral.name) == ("Third and Pike", "took a jacket", "Ray Lewis")
    assert [c["criminal_history"] for c in referral.charges] == ["2009 robbery"]
    assert [(o["rank"], o["protocol_version"]) for o in referral.overrides] == [("sergeant", "P-7")]
    assert [n["code"] for n in referral.notices] == ["handoff met", "extension requested"]
    assert {n["call"] for n in referral.notices} == {"555-0101"}
    assert referral.released_at is not None
    assert referral.non_return_until == referral.released_at + timedelta(hours=24)
    assert referral.extended_until == date(2026, 3, 30)


def test_before_an_roi_the_prosecutor_sees_until_when_the_charge_is_held() -> None:
    notices = rows_of(ray(), DA)
    assert [type(row) for row in notices] == [liaison_prosecutor.OwnNotice] * 2
    assert [(n.code, n.until_day, n.charge_code) for n in notices] == [  # type: ignore[attr-defined]
        (NoticeCode.DIVERSION_PENDING, date(2026, 3, 16), "23C"),
        (NoticeCode.DIVERSION_PENDING, date(2026, 3, 30), "23C"),
    ]


def test_before_an_roi_nobody_else_has_a_row() -> None:
    for party in (HOUSING, CLINIC, CAMPUS_PD, CITY_ATTORNEY):
        assert rows_of(ray(), party) == []


@pytest.mark.parametrize(
    "secret", ["hospital", "viaduct", "relapse", "ashamed", "ward", "fentanyl", "foster", "Samish"]
)
def test_what_care_knows_is_in_no_partners_row(secret: str) -> None:
    for story in (ray(), enrolled(), enrolled().revoked()):
        for party in (*ROI, CAMPUS_PD, CITY_ATTORNEY):
            assert secret not in text(rows_of(story, party))


# Under the ROI -------------------------------------------------------------------------------------------------------


def test_under_the_roi_police_see_enrolled_whom_to_call_and_what_they_were_told() -> None:
    story = enrolled()
    row = who(story, PD)
    assert (row.name, row.enrolment, row.case_manager, row.call) == ("Ray Lewis", "enrolled", "Dana", "555-0101")
    assert row.birth_date == date(1980, 5, 17)
    assert row.scope == sorted({*POLICE_LABELS, Label.CONSENT_SCOPE})
    assert [body["text"] for body in told(story, PD)] == ["Met his goal for the week."]


def test_under_the_roi_the_prosecutor_sees_the_charge_that_will_not_be_filed_and_its_own_case_as_its_own() -> None:
    story = enrolled()
    assert who(story, DA).enrolment == "enrolled"
    kinds = [row.kind for row in rows_of(story, DA) if isinstance(row, GrantedEntry)]
    assert sorted(kinds) == ["charge.held", "charge.latched", "share.made"]
    assert "2009 robbery" not in text(rows_of(story, DA))
    (case,) = [row for row in rows_of(story, DA) if isinstance(row, liaison_prosecutor.OwnCase)]
    assert (case.docket, case.last_decision) == ("26-CR-9", "monitor in queue")
    assert [row.code for row in rows_of(story, DA) if isinstance(row, liaison_prosecutor.OwnNotice)][-1] == "completed"


def test_under_the_roi_a_housing_provider_sees_that_contact_took_place_and_not_where_or_why() -> None:
    story = enrolled()
    row = who(story, HOUSING)
    assert (row.name, row.phone, row.enrolment, row.case_manager) == ("Ray Lewis", "555-0177", None, None)
    assert [{k: body[k] for k in body if k != "labels"} for body in told(story, HOUSING)] == [
        {"text": "Looks for a ground floor."},
        {"reached": True},
    ]


def test_parties_side_by_side_never_see_each_others_rows() -> None:
    story = enrolled()
    sentences = {PD: "Met his goal", DA: "housing application", HOUSING: "ground floor"}
    for party in ROI:
        shown = text(rows_of(story, party))
        assert [sentence in shown for sentence in sentences.values()] == [p == party for p in sentences]
    assert "weak on intent" in text(rows_of(story, DA))
    assert "weak on intent" not in text(rows_of(story, PD) + rows_of(story, HOUSING))
    story.signed({**ROI, CAMPUS_PD: POLICE_LABELS, CITY_ATTORNEY: OFFICE_LABELS})
    assert "took a jacket" not in text(rows_of(story, CAMPUS_PD))
    other = rows_of(story, CITY_ATTORNEY)
    assert [type(row) for row in other] == [liaison_prosecutor.Participant]  # another office's charges and cases: no
    assert own(story, CITY_ATTORNEY) == []


def test_facts_older_than_the_grants_period_stay_dark_and_standing_ones_do_not() -> None:
    story = ray().intake().assigned().contact().at(local(4, 1))
    story.signed({PD: POLICE_LABELS | {Label.CONTACT_FACT}}).contact()
    assert len(told(story, PD)) == 1
    assert who(story, PD).enrolment == "enrolled"
    assert who(story, PD).call == "555-0101"
    story.signed({PD: POLICE_LABELS | {Label.CONTACT_FACT}}, covers_from=local(2, 14, 0))
    assert len(told(story, PD)) == 2


def test_a_row_says_what_it_shows_and_on_which_authority() -> None:
    story = enrolled()
    row = who(story, PD)
    assert row.shown == "case_manager.contact consent.scope enrolment.status identity.legal"
    assert row.authority == story.consent.roi
    assert row.until == story.consent.expires_at
    assert row.as_of == story.history.position


def test_an_office_that_may_not_know_of_the_enrolment_is_not_asked_to_decide() -> None:
    """An intake after the deadline latches nothing: the office is asked, where its ROI gives it the enrolment."""
    asked = "decision.requested"
    for labels, kinds in (
        ({Label.CHARGE_DIVERTED}, {"charge.held"}),
        ({Label.CHARGE_DIVERTED, Label.ENROLMENT_STATUS}, {"charge.held", asked}),
        ({Label.ENROLMENT_STATUS}, {asked}),
    ):
        story = enrolled_late(labels)
        told_of = [row for row in granted(story, DA) if isinstance(row, GrantedEntry)]
        assert {row.kind for row in told_of} == kinds
        promises.hold(story)


def test_discharged_and_never_enrolled_read_the_same() -> None:
    """Also in what a row says that it shows: by that go the Part 2 notice, the accounting and the findings."""
    labels = POLICE_LABELS - {Label.IIP_PROGRESS}
    never = ray().signed({PD: labels, HOUSING: HOUSING_LABELS}).reached_at(None)
    left = ray().intake(phone="555-0177").assigned().signed({PD: labels, HOUSING: HOUSING_LABELS})
    left.discharged().reached_at(None)
    for party in (PD, HOUSING):
        one, other = (asdict(who(story, party)) for story in (never, left))
        apart = {name for name in one if one[name] != other[name]}
        assert apart == {"as_of", "authority"}
    assert who(left, PD).shown == "consent.scope identity.legal"
    assert who(left, HOUSING).shown == "consent.scope identity.legal"


# After ---------------------------------------------------------------------------------------------------------------


def test_after_a_revocation_the_granted_is_gone_and_the_own_is_unchanged() -> None:
    story = enrolled()
    before = {party: text(own(story, party)) for party in ROI}
    story.revoked(PD, DA)
    for party in (PD, DA):
        assert granted(story, party) == []
        assert text(own(story, party)) == before[party]
    assert who(story, HOUSING).name == "Ray Lewis"


def test_after_its_end_an_roi_shows_nothing_whether_or_not_that_was_written_down() -> None:
    story = enrolled()
    before = text(own(story, PD))
    story.at(local(2, 2, year=2027))
    assert granted(story, PD) == granted(story, DA) == granted(story, HOUSING) == []
    story.expired()
    assert granted(story, PD) == granted(story, DA) == granted(story, HOUSING) == []
    assert text(own(story, PD)) == before


def test_revoked_expired_and_never_named_leave_the_same_rows() -> None:
    revoked, expired = enrolled().revoked(HOUSING), enrolled().at(local(2, 2, year=2027)).expired()
    assert rows_of(revoked, HOUSING) == rows_of(expired, HOUSING) == rows_of(ray(), HOUSING) == []


def test_signed_again_a_party_sees_from_the_new_period_on_under_a_new_epoch() -> None:
    story = enrolled()
    old = who(story, PD).epoch
    story.at(local(4, 8)).revoked(PD)
    revoked = story.recorded[-1].position
    story.at(local(5, 1)).signed({PD: POLICE_LABELS})
    story.shared(PD, "Is in touch with us.", {Label.IIP_PROGRESS})
    assert [body["text"] for body in told(story, PD)] == ["Is in touch with us."]
    assert (old, who(story, PD).epoch) == (0, revoked)


def test_a_narrowed_roi_takes_away_what_it_no_longer_names() -> None:
    story = enrolled().signed({PD: {Label.ENROLMENT_STATUS}}, amends=True)
    assert who(story, PD).enrolment == "enrolled"
    assert who(story, PD).name is None
    assert told(story, PD) == []
    assert len(told(story, DA)) == 3


def test_a_site_that_lowers_a_ceiling_darkens_what_was_signed() -> None:
    story = enrolled()
    lowered = story.protocol.ceiling._replace(lowered=frozenset({(Reader.POLICE, Label.IIP_PROGRESS)}))
    rows = [r for r in police.rows(story.history, lowered, story.now) if isinstance(r, GrantedEntry)]
    assert rows == []


# Items ---------------------------------------------------------------------------------------------------------------


def test_an_item_reaches_its_party_alone_until_its_own_end_beside_an_roi_or_without_one() -> None:
    for story in (ray(), enrolled()):
        before = {party: text(rows_of(story, party)) for party in (DA, HOUSING)}
        item = story.item(PD, "Will be at the library.", {Label.CONTACT_LOCATION}, days=7)
        (row,) = [r for r in granted(story, PD) if isinstance(r, GrantedEntry) and r.authority == item]
        assert row.body["text"] == "Will be at the library."
        assert row.shown == "contact.location"
        assert str(item) not in text([row]).replace(f'"authority": "{item}"', "")
        assert all("library" not in text(rows_of(story, party)) for party in before)
        assert "library" not in text(rows_of(story, PD, story.now + timedelta(days=7)))


def test_a_withdrawn_item_is_gone_and_so_is_one_whose_party_was_revoked() -> None:
    story = enrolled()
    item = story.item(PD, "Will be at the library.", {Label.CONTACT_LOCATION})
    assert "library" not in text(rows_of(story.withdrawn(item), PD))
    story.item(PD, "Will be at the library.", {Label.CONTACT_LOCATION})
    assert "library" in text(rows_of(story, PD))
    assert "library" not in text(rows_of(story.revoked(PD), PD))


def test_an_items_sentence_does_not_come_back_with_a_later_roi() -> None:
    story = ray()
    story.item(DA, "Has a bed for tonight.", {Label.NEED_HOUSING})
    story.revoked(DA).signed({DA: OFFICE_LABELS | {Label.NEED_HOUSING}}, covers_from=local(2, 14, 0))
    assert "bed" not in text(rows_of(story, DA))


# Same again, trace, forgetting ---------------------------------------------------------------------------------------


def stories() -> Iterator[Given]:
    yield ray()
    yield enrolled()
    yield enrolled().revoked(PD)
    yield enrolled().at(local(2, 2, year=2027))
    yield filed_after_all()


@pytest.mark.parametrize("view", VIEWS.values(), ids=lambda view: view.name)
def test_twice_gives_the_same(view: Any) -> None:
    for story in stories():
        first, second = ([*view.rows(story.history, P7.ceiling, story.now)] for _ in range(2))
        assert first == second


def test_every_view_keeps_its_promises() -> None:
    for story in stories():
        promises.hold(story)


def test_the_trace_gives_a_rule_or_a_basis_for_every_field_of_every_event() -> None:
    story = enrolled()
    trace: list[Traced] = []
    list(police.rows(story.history, P7.ceiling, story.now, trace))
    mine = [line for line in trace if line.viewer.party == PD]
    fields = {(r.position, name) for r in story.recorded for name in type(r.event).model_fields}
    coordinates = {"participant_id", "matter_id", "party_id", "staff_id", "expires_at"}
    assert {(line.position, line.field) for line in mine} == {(p, n) for p, n in fields if n not in coordinates}
    assert all(isinstance(line.decision, Shown | Withheld) for line in mine)
    assert {line.protocol_version for line in mine} == {"P-7"}
    rules = {(line.topic, line.field): line.decision for line in mine}
    assert rules["contact.made", "note"] == Withheld(Rule.NEVER)
    assert rules["contact.made", "reached"] == Withheld(Rule.NOT_GRANTED)
    assert rules["contact.made", "location"] == Withheld(Rule.NO_ITEM)
    assert rules["extension.requested", "reason"] == Withheld(Rule.NEVER)
    assert rules["notice.prosecutor", "code"] == Withheld(Rule.NOT_ADDRESSED)


@pytest.mark.parametrize("reader", Reader)
def test_what_is_traced_is_what_is_decided(reader: Reader) -> None:
    for story in stories():
        for party in (PD, DA, HOUSING, CITY_ATTORNEY, story.who):
            grant = grants(story.recorded).get(party)
            lens = Lens(Viewer(reader, party), grant, P7.ceiling, story.now)
            for line in explain(story.history, lens.viewer, P7.ceiling, story.now):
                assert line.decision == lens.decide(story.recorded[line.position - 1], line.field)


def test_the_trace_of_someone_whom_no_roi_names_says_so() -> None:
    story = enrolled()
    trace = explain(story.history, Viewer(Reader.PROSECUTOR, CITY_ATTORNEY), P7.ceiling, story.now)
    assert not [line for line in trace if isinstance(line.decision, Shown) and line.labels != {Label.REGISTRY}]
    rules = {(line.topic, line.field): line.decision for line in trace}
    assert rules["participant.enrolled", "status"] == Withheld(Rule.NO_GRANT)


def test_no_row_shows_what_the_trace_withholds() -> None:
    for story in stories():
        for party, reader in ((PD, Reader.POLICE), (DA, Reader.PROSECUTOR), (HOUSING, Reader.RECIPIENT)):
            trace = explain(story.history, Viewer(reader, party), P7.ceiling, story.now)
            values = {
                str(getattr(r.event, line.field))
                for line in trace
                for r in [story.recorded[line.position - 1]]
                if isinstance(line.decision, Withheld) and isinstance(getattr(r.event, line.field), str)
            }
            shown = {
                str(getattr(story.recorded[line.position - 1].event, line.field))
                for line in trace
                if isinstance(line.decision, Shown)
            }
            said = text(rows_of(story, party))
            assert not [value for value in values - shown if len(value) > 4 and f'"{value}"' in said]


@pytest.mark.parametrize("what", ["participant", "charge", "case", "everything"])
def test_what_was_erased_vanishes_and_no_view_breaks(what: str) -> None:
    for story in stories():
        keys = {
            "participant": (story.who,),
            "charge": (story.matter,),
            "case": tuple(r.stream for r in story.recorded if r.event.topic == "case.filed"),
        }
        keys["everything"] = sum(keys.values(), ())
        history = erased(story.history, *keys[what])
        for view in VIEWS.values():
            rows = [*view.rows(history, P7.ceiling, story.now)]
            if what in ("participant", "everything"):
                for secret in ("took a jacket", "Met his goal", "foster", "viaduct", "hospital", "relapse"):
                    assert secret not in text(rows)
            if what in ("charge", "everything"):
                assert "2009 robbery" not in text(rows)
                assert '"23C"' not in text(rows) or what == "charge"
            if what in ("case", "everything"):
                assert "26-CR-9" not in text(rows)
                assert "weak on intent" not in text(rows)


def test_erasing_one_charge_leaves_the_participants_plan_and_consent() -> None:
    story = enrolled()
    history = erased(story.history, story.matter)
    rows = rows_of(story, PD, history=history)
    assert [row.name for row in rows if isinstance(row, police.Participant)] == ["Ray Lewis"]
    (referral,) = [row for row in rows if isinstance(row, police.OwnReferral)]
    assert referral.facts == "took a jacket"


# Care ----------------------------------------------------------------------------------------------------------------


def care(story: Given) -> list[Row]:
    return [*case_manager.rows(story.history, P7.ceiling, story.now)]


def test_care_sees_where_to_find_the_person_and_what_was_said() -> None:
    story = enrolled()
    (person,) = [row for row in care(story) if isinstance(row, case_manager.Participant)]
    assert (person.name, person.found_at, person.phone) == ("Ray Lewis", "under the viaduct", "555-0177")
    assert (person.enrolment, person.case_manager, person.carried_by) == ("enrolled", "Dana", named("Dana"))
    assert person.intake_due_on == date(2026, 3, 30)
    assert person.roi_until == story.consent.expires_at
    said = text(care(story))
    assert all(word in said for word in ("hospital", "relapse", "foster", "fentanyl"))


def test_care_never_sees_criminal_history_nor_the_prosecutors_notes() -> None:
    for story in stories():
        assert "2009 robbery" not in text(care(story))
        assert "weak on intent" not in text(care(story))


def test_care_sees_what_each_party_has_and_that_a_revocation_changed_nothing_else() -> None:
    story = enrolled()
    before = [row for row in care(story) if isinstance(row, case_manager.Participant)]
    story.revoked(PD)
    has = {row.party_id: row.labels for row in care(story) if isinstance(row, case_manager.Recipient)}
    assert has[PD] == []
    assert set(has[DA]) == {*OFFICE_LABELS, Label.CONSENT_SCOPE}
    (after,) = [row for row in care(story) if isinstance(row, case_manager.Participant)]
    assert (after.enrolment, after.enrolled_at) == (before[0].enrolment, before[0].enrolled_at)


def test_no_id_of_the_log_stands_inside_a_body() -> None:
    story = enrolled()
    item = story.item(PD, "Will be at the library.", {Label.CONTACT_LOCATION})
    ids = {str(i) for i in (item, story.consent.roi, story.who, *ROI)}
    rows = [*care(story), *rows_of(story, PD), *rows_of(story, DA)]
    bodies = json.dumps([row.body for row in rows if isinstance(row, case_manager.Entry | GrantedEntry)])
    assert not [i for i in ids if i in bodies]


def test_a_case_of_someone_not_in_lead_is_no_row_of_care() -> None:
    story = Given("someone")
    story.case()
    assert care(story) == []
    assert [*recipient.rows(story.history, P7.ceiling, story.now)] == []
    assert [type(row) for row in rows_of(story, DA)] == [liaison_prosecutor.OwnCase]


def test_nothing_of_nobody() -> None:
    empty = History(named("nobody"), ())
    assert [row for view in VIEWS.values() for row in view.rows(empty, P7.ceiling, local(3, 1))] == []


def test_a_filing_of_two_latched_charges_is_one_task_and_the_person_stays_in_care() -> None:
    rows = care(filed_after_all())
    (filed,) = [row for row in rows if isinstance(row, Task) and row.kind == TaskKind.FILED]
    assert filed.incident_number == "26-0214"
    assert [row.name for row in rows if isinstance(row, case_manager.Participant)] == ["Ray Lewis"]


# More than one of a thing ---------------------------------------------------------------------------------------------


def test_two_referrals_of_one_person_keep_their_charges_notices_and_times_apart() -> None:
    story = ray()
    story.name, story.referral = "ray again", named("ray again")
    story.matter = named("ray again charge 0")
    story.at(local(6, 1)).referred(department=CAMPUS_PD).accepted()
    (campus,) = rows_of(story, CAMPUS_PD)
    assert isinstance(campus, police.OwnReferral)
    assert (campus.notices, campus.released_at, campus.overrides) == ([], None, [])
    assert [charge["charge"]["code"] for charge in campus.charges] == ["23C"]
    assert "2009 robbery" not in text([campus])
    (city,) = rows_of(story, PD)
    assert isinstance(city, police.OwnReferral)
    assert len(city.charges) == 1
    assert city.offered_at == local(2, 14, 2, 10)


def test_the_hour_of_a_release_is_forgotten_with_the_rest() -> None:
    story = ray()
    (referral,) = rows_of(story, PD, history=erased(story.history, story.who))
    assert isinstance(referral, police.OwnReferral)
    assert (referral.released_at, referral.non_return_until, referral.name) == (None, None, None)


def test_two_parties_that_compare_their_lists_cannot_align_them() -> None:
    people = [named(f"person {n}") for n in range(50)]
    ours, theirs = (sorted(people, key=lambda who: place(party, who)) for party in (HOUSING, CLINIC))
    agreeing = sum(one is other for one, other in zip(ours, theirs, strict=True))
    assert agreeing < len(people) // 4
