"""What people sign and take back: ROI, single sentences, counsel's authority, words told (domain 1.5, 1.6)."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple

from adapters.simulation.cast import TZ
from adapters.simulation.people import Person
from adapters.simulation.year import Story, Year
from domain.disclosure import Occasion
from domain.labels import Label
from domain.roi import Medium, WordOf
from services import asks, care, consent
from services.care import GrantTo

POLICE = frozenset({Label.IDENTITY_LEGAL, Label.ENROLMENT_STATUS, Label.CASE_MANAGER_CONTACT, Label.IIP_PROGRESS})
PROSECUTOR = POLICE | {Label.CHARGE_DIVERTED, Label.CASE_DOCKET, Label.CASE_EFFECT, Label.IIP_BARRIER}
HOUSING = frozenset({Label.IDENTITY_LEGAL, Label.CONTACT_PHONE, Label.NEED_HOUSING, Label.CONTACT_FACT})
COURT = frozenset({Label.IDENTITY_LEGAL, Label.ENROLMENT_STATUS, Label.IIP_PROGRESS})
OBSERVER = frozenset({Label.IDENTITY_LEGAL})
COUNSEL = frozenset(
    {Label.IDENTITY_LEGAL, Label.ENROLMENT_STATUS, Label.CASE_DOCKET, Label.CHARGE_DIVERTED, Label.IIP_PROGRESS}
)


class Odds(NamedTuple):
    """How often things happen, of one."""

    strikes_out_police: float = 0.1
    strikes_out_office: float = 0.1
    names_housing: float = 0.5
    names_court: float = 0.2
    names_observer: float = 0.15
    whole_year: float = 0.6
    renews: float = 0.8
    revokes: float = 0.2
    from_jail: float = 0.4
    paper_comes: float = 0.6
    signs_again: float = 0.5
    adds_housing: float = 0.2
    one_sentence: float = 0.2
    takes_it_back: float = 0.3
    counsel: float = 0.2
    ends_counsel: float = 0.4
    conflict: float = 0.2
    shares: float = 0.5
    told: float = 0.3
    asked: float = 0.4


ODDS = Odds()


def sign(year: Year, person: Person) -> None:
    """Let someone sign an ROI, in place of one that stands."""
    struck_out, grants = [], []
    if person.happens(ODDS.strikes_out_office):
        struck_out.append("county-pa")
    else:
        coordination = "coordination of pending cases"
        grants.append(GrantTo(party="county-pa", labels=PROSECUTOR, purpose=coordination, notify_completion=True))
    if person.happens(ODDS.strikes_out_police):
        struck_out.append("city-pd")
    else:
        grants.append(GrantTo(party="city-pd", labels=POLICE, purpose="coordination in the field"))
    if person.happens(ODDS.names_housing):
        grants.append(GrantTo(party="housing-co", labels=HOUSING, purpose="an application for a room"))
    if person.happens(ODDS.names_court):
        grants.append(GrantTo(party="district-court", labels=COURT, purpose="pending hearings"))
    if person.happens(ODDS.names_observer) and not person.conflict:
        grants.append(GrantTo(party="public-defense", labels=OBSERVER, purpose="oversight by name"))
    days = 360 if person.happens(ODDS.whole_year) else person.chance.choice((90, 180))
    expires_on = (year.now + timedelta(days=days)).astimezone(TZ).date()
    signed = care.SignRoi(
        expires_on=expires_on,
        form_version="ROI-3",
        explained_by=year.staff[person.manager].name,
        language="English",
        grants=tuple(grants),
        struck_out=tuple(struck_out),
        warned=tuple(office for office in struck_out if office == "county-pa"),
    )
    answer = year.do(person.manager, signed, participant_id=person.participant)
    person.roi = year.known(person.manager, answer["roi"])
    if person.happens(ODDS.renews):
        year.tell(_renew(year, person, year.now + timedelta(days=days - 14)))


def _renew(year: Year, person: Person, at: datetime) -> Story:
    """Tell how an ROI is signed anew before its end."""
    roi = person.roi
    yield at
    if person.here and person.roi == roi and not person.away:
        sign(year, person)


def _revoke(year: Year, person: Person, at: datetime) -> Story:
    """Tell how someone revokes on counsel's advice by day, or by word of mouth from jail at night."""
    if not person.happens(ODDS.revokes):
        return
    from_jail = person.happens(ODDS.from_jail)
    yield (at := (person.by_night if from_jail else person.by_day)(at, 40, 160))
    if not person.here or person.roi is None:
        return
    if from_jail:
        who, word = person.manager, care.RevokeRoi(word_of=WordOf.PARTICIPANT, medium=Medium.ORAL, read_back=True)
    else:
        who, word = (
            "noor",
            care.RevokeRoi(
                parties=("city-pd", "county-pa"), word_of=WordOf.COUNSEL, medium=Medium.ORAL, counsel="R. Patel"
            ),
        )
    revoked, person.roi = person.roi, None
    said = year.do(who, word, participant_id=person.participant, roi_id=revoked)
    if person.happens(ODDS.paper_comes):
        yield (at := person.by_day(at, 0.5, 9))
        paper = consent.AddPaper(artefact_sha256=f"{person.chance.getrandbits(256):064x}")
        revocation = year.known(who, said["revocation"])
        year.attempt("noor", paper, participant_id=person.participant, roi_id=revoked, revocation=revocation)
    if person.happens(ODDS.signs_again):
        yield (at := person.by_day(at, 14, 40))
        if person.here:
            sign(year, person)


def _amend(year: Year, person: Person, at: datetime) -> Story:
    """Tell how someone adds the housing provider to a standing ROI."""
    if not person.happens(ODDS.adds_housing):
        return
    yield (at := person.by_day(at, 20, 90))
    if not person.here or person.roi is None:
        return
    added = care.AmendRoi(
        expires_on=(at + timedelta(days=80)).date(),
        form_version="ROI-3",
        explained_by=year.staff[person.manager].name,
        language="English",
        grants=(GrantTo(party="housing-co", labels=HOUSING, purpose="an application for a room"),),
    )
    year.attempt(person.manager, added, participant_id=person.participant, roi_id=person.roi)


def _one_sentence(year: Year, person: Person, at: datetime) -> Story:
    """Tell of one sentence that someone signs for, and perhaps takes back."""
    if not person.happens(ODDS.one_sentence):
        return
    yield (at := person.by_day(at, 10, 90))
    if not person.here:
        return
    item = care.ConsentItem(
        party="county-pa",
        text="He can be reached at the day centre on Jackson St.",
        labels=frozenset({Label.CONTACT_LOCATION}),
        expires_on=(at + timedelta(days=60)).date(),
        counsel_offered=True,
    )
    made = year.do(person.manager, item, participant_id=person.participant)
    if person.happens(ODDS.takes_it_back):
        yield person.by_day(at, 5, 30)
        number = year.known(person.manager, made["share"])
        year.attempt(person.manager, care.WithdrawItem(), participant_id=person.participant, item=number)


def _counsel(year: Year, person: Person, at: datetime) -> Story:
    """Tell of counsel of record: authorised, heard, and ended by the client's word or its own."""
    if not person.happens(ODDS.counsel):
        return
    yield (at := person.by_day(at, 3, 60))
    if not person.here:
        return
    authority = consent.AuthoriseCounsel(
        counsel="r-patel", labels=COUNSEL, expires_on=(at + timedelta(days=300)).astimezone(TZ).date()
    )
    year.do(person.manager, authority, participant_id=person.participant)
    if person.happens(ODDS.ends_counsel):
        yield (at := person.by_day(at, 20, 120))
        by_counsel = person.happens(0.5)
        ended = consent.EndCounsel(
            counsel=None if by_counsel else "r-patel", word_of=WordOf.COUNSEL if by_counsel else WordOf.PARTICIPANT
        )
        year.attempt("patel" if by_counsel else person.manager, ended, participant_id=person.participant)


def _told(year: Year, person: Person, at: datetime) -> Story:
    """Tell of shares, of what was said on the telephone, of partners' questions, and of an office's conflict."""
    if person.happens(ODDS.conflict * ODDS.names_observer):
        yield (at := person.by_day(at, 1, 5))
        declared = year.attempt("ames", consent.DeclareConflict(), participant_id=person.participant)
        person.conflict = declared is not None
    while True:
        yield (at := person.by_day(at, 25, 60))
        if not person.here:
            return
        if person.roi is not None and person.happens(ODDS.shares):
            share = care.MakeShare(
                party="county-pa", text="Engaged; housing application filed.", labels=frozenset({Label.IIP_PROGRESS})
            )
            year.attempt(person.manager, share, participant_id=person.participant)
        if person.roi is not None and person.happens(ODDS.told):
            oral = consent.RecordOralDisclosure(
                party="county-pa",
                labels=frozenset({Label.ENROLMENT_STATUS}),
                occasion=person.chance.choice(tuple(Occasion)),
                person="Alex Chen",
            )
            year.do(person.manager, oral, participant_id=person.participant)
        if person.happens(ODDS.asked):
            yield from _ask(year, person, at)


def _ask(year: Year, person: Person, at: datetime) -> Story:
    """Tell of a partner's question or news, and of how care takes it up."""
    partner = person.chance.choice(("kim", "chen", "marta", "judge", "brooks", "patel"))
    words = {"kind": person.chance.choice(("question", "news")), "text": "Can you reach this person before Monday?"}
    name = {"given": person.given, "surname": person.surname}
    made = year.do(partner, asks.MakeAsk.model_validate(words | {"name": name, "birth_date": person.born}))
    yield person.by_day(at, 0.1, 3)
    handled = asks.HandleAsk.model_validate({"how": person.chance.choice(("share", "call", "noted"))})
    year.do(person.manager, handled, ask=year.known(partner, made["ask"]))


STORIES = (_revoke, _amend, _one_sentence, _counsel, _told)
