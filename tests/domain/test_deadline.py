"""What falls due, and falls due once: intake, handoff, non-return, renewal, paper (T:348, T:407, T:413, T:893)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain import deadline, roi
from domain.calendar import end_of_day
from domain.deadline import (
    DeadlinePassed,
    DecisionRequested,
    HandoffMissed,
    NonReturnEnded,
    PaperMissing,
    RenewalDue,
)
from domain.event import Event, Recorded, labels_of
from domain.labels import TABLE, Basis, Label, Reader, Viewer, decide
from domain.legal_case import CaseFiled
from domain.referral import ChargeLatched, DeadlineSet, NoticeCode, ProsecutorNotified, ReleasedFromCustody
from domain.refusal import Refused
from domain.roi import consent_stream
from projections.task import TaskKind, tasks
from tests.histories import CITY_ATTORNEY, DA, PD, THEFT, TRESPASS, ZONE, Given, erased, local

LAST_SECOND = local(3, 16, 23, 59, 59)
ENROLMENT = {Label.ENROLMENT_STATUS}


class Story(Given):
    """A history with a clock: `ticked` writes down what has fallen due by now."""

    def ticked(self) -> Story:
        for stream, due in (
            (self.referral, deadline.due),
            (consent_stream(self.who), deadline.expired),
            (consent_stream(self.who), deadline.renewal),
            (consent_stream(self.who), deadline.missing_paper),
        ):
            history = self.stream(stream)
            if history:
                self.record(stream, *due(history, self.now, self.protocol))
        self._chain += 1
        return self

    def notices(self, code: NoticeCode = NoticeCode.NO_COMPLETION) -> list[ProsecutorNotified]:
        return [event for event in self.of(ProsecutorNotified) if event.code is code]

    def enrolled(self, *, at: datetime | None = None, **signed: Any) -> Story:
        self.signed({DA: ENROLMENT}, at=at, **signed).intake(at)
        return self


def diverted(**referred: Any) -> Story:
    story = Story()
    story.referred(**referred).met().accepted().released()
    return story


# The intake ----------------------------------------------------------------------------------------------------------


def test_the_last_second_of_the_30th_day_is_still_in_time() -> None:
    story = diverted().at(LAST_SECOND - timedelta(seconds=1)).ticked()
    assert not story.of(DeadlinePassed)
    story.at(LAST_SECOND).ticked().ticked()
    (passed,) = story.of(DeadlinePassed)
    assert (passed.occurred_at, passed.due_on) == (LAST_SECOND, date(2026, 3, 16))
    (notice,) = story.notices()
    assert (notice.incident_number, notice.charge_code, notice.until) == ("26-0214", "23C", None)
    assert notice.occurred_at == LAST_SECOND


@pytest.mark.parametrize("clocks_change_on", [date(2026, 3, 8), date(2026, 11, 1)])
def test_a_deadline_over_a_change_of_the_clocks_ends_with_the_local_day(clocks_change_on: date) -> None:
    begin = datetime.combine(clocks_change_on - timedelta(days=9), datetime.min.time(), ZONE) + timedelta(hours=3)
    story = Story(now=begin).referred().met().accepted().released()
    (set_,) = story.of(DeadlineSet)
    last = end_of_day(begin.date() + timedelta(days=30), ZONE)
    assert set_.expires_at == set_.due_at == last
    assert last.astimezone(ZONE).strftime("%H:%M:%S") == "23:59:59"
    assert (last - begin) % timedelta(days=1) != timedelta(hours=20, minutes=59, seconds=59)
    assert not story.at(last - timedelta(seconds=1)).ticked().of(DeadlinePassed)
    assert story.at(last).ticked().of(DeadlinePassed)


def test_what_nobody_looked_at_for_a_week_occurred_when_it_fell_due() -> None:
    story = diverted().at(LAST_SECOND + timedelta(days=7)).ticked()
    assert [event.occurred_at for event in (*story.of(DeadlinePassed), *story.notices())] == [LAST_SECOND] * 2
    assert story.recorded[-1].recorded_at == LAST_SECOND + timedelta(days=7)


def test_only_the_last_deadline_fires() -> None:
    story = diverted().at(local(3, 10)).extension_asked(date(2026, 3, 30)).extension_agreed(date(2026, 3, 30))
    assert not story.at(LAST_SECOND).ticked().of(DeadlinePassed)
    assert story.at(local(3, 30, 23, 59, 59)).ticked().of(DeadlinePassed)[0].due_on == date(2026, 3, 30)
    assert len(story.notices()) == 1


def test_an_extension_agreed_after_the_end_runs_and_ends_anew() -> None:
    story = diverted().at(local(3, 10)).extension_asked(date(2026, 3, 30)).at(LAST_SECOND).ticked()
    story.at(local(3, 19)).extension_agreed(date(2026, 3, 30)).ticked()
    assert len(story.of(DeadlinePassed)) == 1
    story.at(local(4, 1)).ticked().ticked()
    assert [event.due_on.day for event in story.of(DeadlinePassed)] == [16, 30]
    assert len(story.notices()) == 2


def test_the_office_that_may_not_hear_of_the_latch_hears_what_it_would_have_heard() -> None:
    never, struck, told = diverted(), diverted(), diverted()
    struck.at(local(3, 1))
    struck.signed({PD: ENROLMENT}).intake()
    told.at(local(3, 1))
    told.signed({DA: ENROLMENT}, completion=(DA,)).intake()
    for story in (never, struck, told):
        story.at(LAST_SECOND + timedelta(hours=1)).ticked()
    assert struck.of(ChargeLatched)
    assert not struck.of(DeadlinePassed), "the intake was in time"
    assert [n.model_dump() for n in struck.notices()] == [n.model_dump() for n in never.notices()]
    assert not told.notices()
    assert told.notices(NoticeCode.COMPLETED)


def test_two_offices_of_one_referral_each_hear_their_own() -> None:
    story = diverted(charges=(THEFT, TRESPASS)).at(LAST_SECOND).ticked()
    assert {n.charge_code for n in story.notices()} == {"23C", "90J"}
    assert len(story.of(DeadlinePassed)) == 1


def test_paper_that_comes_late_latches_and_is_told_as_it_is_now() -> None:
    story = diverted().at(LAST_SECOND).ticked().at(local(3, 18, 9))
    story.signed({DA: ENROLMENT}, at=local(3, 15, 16, 40), completion=(DA,)).intake(local(3, 15, 16, 20))
    assert story.of(ChargeLatched)
    assert story.notices(NoticeCode.COMPLETED)
    before = len(story.recorded)
    story.ticked()
    assert len(story.recorded) == before


def test_a_vacated_charge_and_an_erased_person_hear_nothing() -> None:
    story = diverted(charges=(THEFT, TRESPASS)).at(LAST_SECOND)
    history = erased(story.history, story.matter)
    own = [r for r in history.events if r.stream == story.referral]
    found = deadline.due(own, story.now, story.protocol)
    assert [e.charge_code for e in found if isinstance(e, ProsecutorNotified)] == ["90J"]
    gone = erased(story.history, story.who)
    assert deadline.due([r for r in gone.events if r.stream == story.referral], story.now, story.protocol) == []


def test_what_was_stored_without_an_end_is_no_trouble() -> None:
    story = diverted()
    old = [_without_end(r) for r in story.stream(story.referral)]
    deadline.due(old, local(5, 1), story.protocol)
    assert not [e for e in deadline.due(old, local(5, 1), story.protocol) if isinstance(e, NonReturnEnded)]


def _without_end(recorded: Recorded[Event]) -> Recorded[Event]:

    if not isinstance(recorded.event, DeadlineSet) and recorded.event.topic != "custody.released":
        return recorded
    return replace(recorded, event=recorded.event.model_copy(update={"expires_at": None}))


# Handoff and non-return ----------------------------------------------------------------------------------------------


def called() -> Story:
    story = Story()
    story.referred()
    events = deadline.request_handoff(story.state, deadline.Deadlines(), local(2, 14, 2, 14), story.protocol)
    story.at(local(2, 14, 2, 15)).record(story.referral, *events)
    return story


def test_a_handoff_that_is_missed_is_for_care_and_project_manager_alone() -> None:
    story = called()
    assert not story.at(local(2, 14, 2, 43)).ticked().of(HandoffMissed)
    (missed,) = story.at(local(2, 14, 2, 50)).ticked().ticked().of(HandoffMissed)
    assert missed.occurred_at == local(2, 14, 2, 44)
    seen = {reader for reader in Reader for label in labels_of(HandoffMissed).values() if TABLE[label].cells[reader]}
    assert seen == {Reader.CASE_MANAGER, Reader.PROGRAM}


def test_a_handoff_that_was_met_is_not_missed_and_one_call_is_enough() -> None:
    story = called()
    known = deadline.deadlines(story.stream(story.referral))
    with pytest.raises(Refused, match="the call is recorded already"):
        deadline.request_handoff(story.state, known, story.now, story.protocol)
    story.at(local(2, 14, 2, 38)).met(local(2, 14, 2, 14))
    assert not story.at(local(2, 14, 4)).ticked().of(HandoffMissed)


def test_the_non_return_window_ends_after_24_elapsed_hours() -> None:
    story = Story(now=local(3, 7, 2, 10)).referred().met().accepted()
    story.at(local(3, 7, 2, 46).astimezone(UTC)).released()
    end = story.now - timedelta(minutes=1) + timedelta(hours=24)
    assert not story.at(end - timedelta(seconds=1)).ticked().of(NonReturnEnded)
    (ended,) = story.at(end).ticked().ticked().of(NonReturnEnded)
    assert ended.occurred_at.astimezone(ZONE).hour == 3, "an hour was skipped that night"
    assert ended.party_id == PD


# ROI -----------------------------------------------------------------------------------------------------------------


def test_an_roi_is_to_be_renewed_30_days_before_its_end_once() -> None:
    story = Story().identified()
    story.signed({DA: ENROLMENT}, until=date(2026, 6, 30))
    end = end_of_day(date(2026, 6, 30), ZONE)
    assert not story.at(end - timedelta(days=30, seconds=1)).ticked().of(RenewalDue)
    (due,) = story.at(end - timedelta(days=30)).ticked().ticked().of(RenewalDue)
    assert (due.occurred_at, due.until) == (end - timedelta(days=30), end)
    assert kinds(story) == [TaskKind.RENEWAL]
    story.at(end).ticked()
    assert kinds(story) == [TaskKind.RENEWAL], "it has ended, and is still to be signed anew"
    story.then().signed({DA: ENROLMENT}, until=date(2027, 6, 1))
    assert kinds(story) == []


def test_nobody_is_asked_to_renew_what_was_taken_back() -> None:
    story = Story().identified()
    story.signed({DA: ENROLMENT}, until=date(2026, 6, 30)).at(local(6, 2)).ticked()
    story.at(local(6, 3)).revoked()
    assert kinds(story) == []
    other = Story().identified()
    other.signed({DA: ENROLMENT}, until=date(2026, 6, 30)).revoked()
    assert not other.at(local(6, 2)).ticked().of(RenewalDue)


def test_paper_that_does_not_come_is_a_task_and_returns_nothing_to_anyone() -> None:

    story = Story().identified()
    story.signed({DA: ENROLMENT, PD: ENROLMENT}).at(local(4, 1, 23, 40))
    by = end_of_day(date(2026, 4, 8), ZONE)
    said: dict[str, Any] = {"word_of": roi.WordOf.PARTICIPANT, "counsel": None, "read_back": True, "paper_by": by}
    stream = consent_stream(story.who)
    story.record(stream, *roi.revoke(story.consent, None, story.now, medium=roi.Medium.ORAL, **said)).then()
    assert not story.at(by - timedelta(seconds=1)).ticked().of(PaperMissing)
    (missing,) = story.at(by).ticked().ticked().of(PaperMissing)
    assert missing.occurred_at == by
    assert kinds(story) == [TaskKind.PAPER]
    assert story.consent.live(DA, story.now) is None
    written = roi.revoke(story.consent, [DA, PD], story.now, medium=roi.Medium.WRITTEN, **said)
    assert [event.expires_at for event in written] == [None, None]
    story.record(stream, *written)
    assert kinds(story) == []


# What is settled when an enrolment is entered ------------------------------------------------------------------------


def asked_to_decide(story: Story, enrolled_at: datetime) -> list[Event]:

    return deadline.ask_to_decide(story.state, story.recorded, enrolled_at, story.now)


def test_a_charge_that_enrolment_came_too_late_for_is_put_to_its_office_once() -> None:
    story = diverted(charges=(THEFT, TRESPASS)).at(LAST_SECOND).ticked().at(local(3, 19))
    asked = asked_to_decide(story, local(3, 18))
    assert [type(event) for event in asked] == [DecisionRequested] * 2
    story.record(story.referral, *asked)
    assert asked_to_decide(story, local(3, 18)) == []


def test_only_the_office_asked_sees_the_request_and_only_by_its_roi() -> None:
    story = diverted().at(local(3, 19))
    (asked,) = asked_to_decide(story, local(3, 18))
    story.signed({DA: ENROLMENT, CITY_ATTORNEY: ENROLMENT, PD: ENROLMENT})
    ceiling, now = story.protocol.ceiling, story.now

    def basis(reader: Reader, party: Any, name: str = "enrolled_at") -> Any:
        grant = story.consent.grants.get(party)
        return getattr(decide(Viewer(reader, party), asked.fact(name), grant, ceiling, now), "basis", None)

    assert basis(Reader.PROSECUTOR, DA) is Basis.GRANTED
    assert basis(Reader.PROSECUTOR, DA, "incident_number") is None, "only where the ROI grants charge.diverted"
    assert basis(Reader.PROSECUTOR, CITY_ATTORNEY) is None
    assert basis(Reader.POLICE, PD) is None
    story.revoked(DA)
    assert basis(Reader.PROSECUTOR, DA) is None


def filed_again(story: Story, docket: str, incident: str) -> None:

    (filed,) = story.of(CaseFiled)
    again = filed.model_copy(update={"docket": docket, "incident_number": incident})
    story.record(story.who, again)


# Tasks ---------------------------------------------------------------------------------------------------------------


def kinds(story: Story) -> list[TaskKind]:
    return [TaskKind(task.kind) for task in tasks(story.history)]


def test_an_intake_is_a_task_until_it_is_done_or_its_day_is_over() -> None:
    story = diverted()
    assert [(task.kind, task.due_at) for task in tasks(story.history)] == [(TaskKind.INTAKE, LAST_SECOND)]
    done = diverted()
    done.signed({DA: ENROLMENT}, completion=(DA,)).intake()
    assert kinds(done) == []
    assert kinds(story.at(LAST_SECOND).ticked()) == []


def test_an_office_that_may_not_hear_and_a_charge_that_it_files_are_tasks() -> None:
    story = diverted()
    story.signed({PD: ENROLMENT}).intake()
    assert kinds(story) == [TaskKind.OFFICE_NOT_TOLD]
    story.case()  # another incident
    assert kinds(story) == [TaskKind.OFFICE_NOT_TOLD]
    filed_again(story, "26-CR-10", "26-0214")  # long before the intake was due: the charge is latched all the same
    assert set(kinds(story)) == {TaskKind.OFFICE_NOT_TOLD, TaskKind.FILED}


# Any order -----------------------------------------------------------------------------------------------------------

_ACTS = st.sampled_from(["release", "ask", "agree", "enrol", "tick", "call", "meet"])
_MINUTES = st.sampled_from([0, 20, 31, 60 * 25, 60 * 24 * 19, 60 * 24 * 31])


@settings(max_examples=150, deadline=None)
@given(steps=st.lists(st.tuples(_ACTS, _MINUTES), max_size=14))
def test_in_any_order_each_fires_exactly_when_due_and_once(  # noqa: C901, PLR0912 - the acts, then what must hold
    steps: Sequence[tuple[str, int]],
) -> None:
    story = Story()
    story.referred().accepted()
    intakes, call, window = list[datetime](), None, None
    looked = False
    for act, minutes in (*steps, ("tick", 0)):
        story.at(story.now + timedelta(minutes=minutes))
        looked = act == "tick"
        try:
            match act:
                case "release":
                    story.released()
                    window = story.of(ReleasedFromCustody)[0].occurred_at + timedelta(hours=24)
                case "ask":
                    story.extension_asked(story.now.astimezone(ZONE).date() + timedelta(days=20))
                case "agree":
                    story.extension_agreed(story.state.extension_until or date(2026, 1, 1))
                case "enrol":
                    story.signed({PD: ENROLMENT}).intake()
                case "call":
                    known = deadline.deadlines(story.stream(story.referral))
                    events = deadline.request_handoff(story.state, known, story.now, story.protocol)
                    story.record(story.referral, *events)
                    call = story.now + timedelta(minutes=30)
                case "meet":
                    story.met()
                case _:
                    story.ticked()
        except Refused:
            pass
        if act in ("release", "agree") and story.state.due_at is not None:
            intakes = [event.due_at for event in story.of(DeadlineSet)]
    assert looked
    now = story.now.astimezone(UTC)

    # What was written down, was due; each once.
    for kind in (HandoffMissed, NonReturnEnded):
        assert len(story.of(kind)) <= 1
    passed = [event.occurred_at for event in story.of(DeadlinePassed)]
    assert max(Counter(passed).values(), default=1) == 1
    assert set(passed) <= set(intakes)
    for recorded in story.recorded:
        if isinstance(recorded.event, DeadlinePassed | HandoffMissed | NonReturnEnded):
            assert recorded.event.occurred_at <= recorded.recorded_at
    # What is due now, is written down.
    latched = bool(story.of(ChargeLatched))
    if intakes and intakes[-1] <= now:
        assert (intakes[-1] in passed) or latched
        assert [n for n in story.notices() if n.occurred_at >= intakes[-1]], "the office hears it, latched or not"
    assert len(story.notices()) <= len(intakes)
    assert bool(story.of(NonReturnEnded)) == (window is not None and window <= now)
    if call is not None and call <= now and not story.state.met:
        assert story.of(HandoffMissed)
    # Asked again, there is nothing more.
    before = len(story.recorded)
    story.ticked()
    assert len(story.recorded) == before
