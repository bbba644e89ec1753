"""The other doors: referrals without an arrest, what people made of each, how it ended (T:358-T:399, T:467, T:493).

Stream: the referral. Whoever referred knows what they said, and nothing of what became of it. The person may be known
by a `description` alone: how to recognise them.
"""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from typing import Annotated, ClassVar, TypeAlias
from uuid import UUID

from domain.event import Event, LongText, ShortText
from domain.labels import Label
from domain.protocol import POST_FILING, Door

SCREENED = frozenset(Door) - POST_FILING - {Door.ARREST_DIVERSION}
"""The doors at which a person asks whether LEAD is for this (T:384, T:385); at the others a charge has answered."""


class Sign(StrEnum):
    """What someone is seen doing again and again. Civil infractions count (T:384), and so does a doorway (T:330)."""

    SLEEPING_IN_DOORWAYS = "sleeping in doorways"
    CIVIL_INFRACTIONS = "civil infractions"
    TRESPASS = "trespass"
    THEFT = "theft"
    DRUG_USE = "drug use in public"
    SELLING = "subsistence selling"
    SEX_WORK = "sex work"
    DISTURBANCE = "disturbance"
    OTHER = "other law violations"


class Related(StrEnum):
    """What it comes from (T:384)."""

    BEHAVIOURAL_HEALTH = "behavioural health"
    POVERTY = "extreme poverty"


class Risk(StrEnum):
    """What field staff should know, in closed codes: never why it is known (T:399)."""

    NONE_KNOWN = "none known"
    IN_PAIRS = "go in pairs"
    IN_PUBLIC = "meet in a public place"
    BY_DAY = "go by day"
    WEAPON_SEEN = "weapon seen"
    ANIMAL = "animal"


class Decline(StrEnum):
    """How a referral ended without being accepted."""

    OFFER_DECLINED = "offer declined"
    WITHDRAWN = "withdrawn"
    DUPLICATE = "duplicate"
    UNREACHABLE = "unreachable"
    NOT_ACCEPTED = "not accepted"
    NO_CAPACITY = "no capacity"
    DIED = "has died"


class Reason(StrEnum):
    """Why a person did not accept a referral. A criminal history is none (T:399)."""

    NOT_CHRONIC = "no chronic law violations"
    NOT_RELATED = "not related to behavioural health or poverty"
    NO_RESPONSE_EXPECTED = "no legal response to be expected otherwise"
    OUTSIDE_AREA = "outside the site's area"
    SERVED_ELSEWHERE = "served elsewhere"


class SocialContactReferred(Event):
    """An officer referred someone without an arrest (T:358). Who declines faces no consequences."""

    topic: ClassVar[str] = "referral.social_contact"
    label: ClassVar[Label] = Label.REFERRAL_POLICE
    requires: ClassVar[tuple[str, ...]] = ("participant_id", "party_id")

    door: Annotated[Door, Label.REFERRAL_POLICE] = Door.SOCIAL_CONTACT
    description: Annotated[LongText, Label.REFERRAL_POLICE]
    name: Annotated[ShortText | None, Label.IDENTITY_LEGAL] = None
    birth_date: Annotated[date | None, Label.IDENTITY_LEGAL] = None
    place: Annotated[ShortText | None, Label.REFERRAL_POLICE] = None
    reason: Annotated[LongText, Label.REFERRAL_POLICE]
    protocol_version: Annotated[ShortText, Label.REFERRAL_POLICE]


class CommunityReferred(Event):
    """A business, a resident or a crisis line referred someone (T:370). No police; perhaps nobody who is known."""

    topic: ClassVar[str] = "referral.community"
    label: ClassVar[Label] = Label.REFERRAL_COMMUNITY
    requires: ClassVar[tuple[str, ...]] = ("participant_id", "party_id")

    door: Annotated[Door, Label.REFERRAL_COMMUNITY] = Door.COMMUNITY
    description: Annotated[LongText, Label.REFERRAL_COMMUNITY]
    name: Annotated[ShortText | None, Label.REFERRAL_COMMUNITY] = None
    birth_date: Annotated[date | None, Label.REFERRAL_COMMUNITY] = None
    place: Annotated[ShortText | None, Label.REFERRAL_COMMUNITY] = None
    reason: Annotated[LongText, Label.REFERRAL_COMMUNITY]
    protocol_version: Annotated[ShortText, Label.REFERRAL_COMMUNITY]


class LegalSystemReferred(Event):
    """A defender, a court, a prosecutor or a probation office referred someone (T:467, T:493, T:1133)."""

    topic: ClassVar[str] = "referral.legal_system"
    label: ClassVar[Label] = Label.MESSAGE_ASK
    requires: ClassVar[tuple[str, ...]] = ("participant_id", "party_id")

    door: Annotated[Door, Label.MESSAGE_ASK]
    description: Annotated[LongText, Label.MESSAGE_ASK]
    name: Annotated[ShortText | None, Label.IDENTITY_LEGAL] = None
    birth_date: Annotated[date | None, Label.IDENTITY_LEGAL] = None
    place: Annotated[ShortText | None, Label.MESSAGE_ASK] = None
    reason: Annotated[LongText, Label.MESSAGE_ASK]
    protocol_version: Annotated[ShortText, Label.MESSAGE_ASK]


Referred: TypeAlias = SocialContactReferred | CommunityReferred | LegalSystemReferred
"""A referral without an arrest."""


class ReferralScreened(Event):
    """A person asked whether LEAD is for this (T:308-T:316). `response_expected`: of the legal system, otherwise."""

    topic: ClassVar[str] = "referral.screened"
    label: ClassVar[Label] = Label.REFERRAL_COMMUNITY
    requires: ClassVar[tuple[str, ...]] = ("participant_id", "party_id", "staff_id")

    signs: Annotated[tuple[Sign, ...], Label.REFERRAL_COMMUNITY]
    related: Annotated[tuple[Related, ...], Label.REFERRAL_COMMUNITY]
    response_expected: Annotated[bool, Label.REFERRAL_COMMUNITY]
    screened_by: Annotated[ShortText, Label.REFERRAL_COMMUNITY]
    protocol_version: Annotated[ShortText, Label.REFERRAL_COMMUNITY]

    @property
    def meets(self) -> bool:
        """Whether both criteria are met (T:384, T:385)."""
        return bool(self.signs and self.related and self.response_expected)


class ReferralVetted(Event):
    """Someone who knows said what field staff should look out for (T:399)."""

    topic: ClassVar[str] = "referral.vetted"
    label: ClassVar[Label] = Label.SCREENING_RISK
    requires: ClassVar[tuple[str, ...]] = ("participant_id", "party_id")

    codes: Annotated[tuple[Risk, ...], Label.SCREENING_RISK]
    note: Annotated[ShortText | None, Label.SCREENING_RISK] = None


class ReferralDeclined(Event):
    """A referral ended without being accepted. That, why and by whom stays with care, the site and the person."""

    topic: ClassVar[str] = "referral.declined"
    label: ClassVar[Label] = Label.REFERRAL_DECLINED
    requires: ClassVar[tuple[str, ...]] = ("participant_id", "party_id", "staff_id")

    how: Annotated[Decline, Label.REFERRAL_DECLINED]
    reason: Annotated[Reason | None, Label.REFERRAL_DECLINED] = None
    same_as: Annotated[UUID | None, Label.REFERRAL_DECLINED] = None
    decided_by: Annotated[ShortText, Label.REFERRAL_DECLINED]
    protocol_version: Annotated[ShortText, Label.REFERRAL_DECLINED]
