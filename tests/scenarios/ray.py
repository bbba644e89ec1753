"""Ray's story as far as several scenarios share it: the night of the arrest, and the day on which he enrols."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

from adapters.simulation.cast import protocol
from tests.site import HURRIED, Person, SiteUnderTest, local

P7 = "P-7"
INCIDENT = "2026-44871"
UNIT = "West 2nd watch"
RAY = {"given": "Ray", "surname": "Bell", "birth_date": "1984-05-09"}
FOUND_AT = "Behind the ferry terminal, mornings"
RECORD = "One felony conviction, Spokane 2014"
HOSPITAL = "Ray is in Harborview hospital after surgery; he asks for two more weeks"
NARRATIVE = "Lost his room when his mother died; wants to see his daughter"
BY_NAME = RAY
BY_INCIDENT = {"incident_number": INCIDENT}


@dataclass(slots=True)
class Ray:
    """Who works with Ray, and by which ids each party knows him and his matters."""

    site: SiteUnderTest
    kim: Person
    ortiz: Person
    dana: Person
    chen: Person
    referral: str = ""
    participant: str = ""
    charge: str = ""
    care: str = ""
    care_referral: str = ""
    roi: str = ""

    def at(self, text: str) -> None:
        """Let it be this local time at the site."""
        self.site.clock.at(local(text))

    def history(self, kind: str) -> list[dict[str, Any]]:
        """Return what care reads of one kind of event, oldest first."""
        entries = self.dana.see(f"/v1/case-manager/participants/{self.care}")["history"]
        return [entry for entry in reversed(entries) if entry["kind"] == kind]

    def offices_id(self) -> str:
        """Return the id that the prosecutor's office got with its first notice."""
        found: str = self.chen.see("/v1/prosecutor/notices")["notices"][-1]["participant_id"]
        return found


def at_work(site: SiteUnderTest) -> Ray:
    """Let the people sign in, under protocol P-7."""
    adopted = protocol(date(2026, 1, 15), HURRIED).model_copy(update={"version": P7, "retroactive": True})
    site.person("pat").do("/v1/register/protocols", {"protocol": adopted.model_dump(mode="json")})
    return Ray(site, site.person("kim"), site.person("ortiz"), site.person("dana"), site.person("chen"))


def offer(ray: Ray) -> None:
    """02:10 to 02:14: probable cause, an exclusion flag, Ray agrees."""
    ray.at("2026-02-14 02:14")
    made = ray.kim.do(
        "/v1/referrals",
        {
            "door": "arrest_diversion",
            "person": RAY,
            "incident_number": INCIDENT,
            "place": "3rd Ave and Pine",
            "precinct": "West",
            "facts": "Took two coats; stopped at the door; agreed to be referred.",
            "unit": UNIT,
            "offered_at": "2026-02-14T02:10:00-08:00",
            "agreed_at": "2026-02-14T02:14:00-08:00",
            "charges": [
                {
                    "code": "23C",
                    "description": "Shoplifting",
                    "severity": "misdemeanor",
                    "prosecutor": "county-pa",
                    "exclusions": ["prior felony"],
                    "criminal_history": RECORD,
                    "race_as_perceived": "White",
                }
            ],
        },
    )
    ray.referral, ray.participant, ray.charge = made["referral"], made["participant"], made["charges"][0]
    ray.site.settle()
    carried = ray.dana.see("/v1/case-manager/caseload?team=true")["participants"]
    ray.care = carried[0]["participant"]
    ray.care_referral = ray.history("referral.offered")[0]["stream_id"]


def override(ray: Ray) -> None:
    """02:13: the sergeant overrides."""
    ray.ortiz.do(
        f"/v1/referrals/{ray.referral}/override",
        {
            "charge": ray.charge,
            "exclusion": "prior felony",
            "rank": "sergeant",
            "reason": "twelve years old and unrelated",
            "overridden_at": "2026-02-14T02:13:00-08:00",
        },
    )


def handoff(ray: Ray) -> None:
    """02:38 to 02:40: Dana arrives and accepts."""
    ray.at("2026-02-14 02:38")
    ray.dana.do(
        f"/v1/referrals/{ray.care_referral}/handoff",
        {
            "requested_at": "2026-02-14T02:14:00-08:00",
            "met_at": "2026-02-14T02:38:00-08:00",
        },
    )
    ray.at("2026-02-14 02:40")
    ray.dana.do(f"/v1/referrals/{ray.care_referral}/acceptance", {"found_at": FOUND_AT})


def release(ray: Ray) -> None:
    """02:46: Kim releases him."""
    ray.at("2026-02-14 02:46")
    ray.kim.do(
        f"/v1/referrals/{ray.referral}/release",
        {"released_at": "2026-02-14T02:46:00-08:00", "in_presence_of_codefendants": False},
    )


def arrest(site: SiteUnderTest) -> Ray:
    """Play scenario A; Dana carries Ray from noon."""
    ray = at_work(site)
    offer(ray)
    override(ray)
    handoff(ray)
    release(ray)
    ray.at("2026-02-14 12:00")
    ray.dana.do(f"/v1/participants/{ray.care}/assignment", {})
    site.settle()
    return ray


POLICE = ["identity.legal", "enrolment.status", "case_manager.contact", "iip.progress"]
PROSECUTOR = [*POLICE, "case.docket", "warrant", "case.effect"]
HOUSING = ["need.housing", "contact.phone", "contact.fact"]
COORDINATION = "coordination"
ROOM = "an application for a room"


def grants() -> list[dict[str, Any]]:
    """Return what the form of 15 March gives."""
    return [
        {"party": "city-pd", "labels": POLICE, "purpose": COORDINATION},
        {"party": "county-pa", "labels": PROSECUTOR, "purpose": COORDINATION, "notify_completion": True},
        {"party": "housing-co", "labels": HOUSING, "purpose": ROOM},
    ]


def form(**more: Any) -> dict[str, Any]:
    """Return the ROI's form."""
    return {
        "expires_on": "2027-03-15",
        "form_version": "ROI-3",
        "explained_by": "Dana Reyes",
        "language": "English",
        "grants": grants(),
    } | more


def enrol(ray: Ray, *, struck_out: tuple[str, ...] = ()) -> None:
    """15 March, on paper, in the field: intake 16:20, ROI 16:40. Entered on 18 March at 09:00."""
    ray.at("2026-03-18 09:00")
    ray.dana.do(
        f"/v1/participants/{ray.care}/intake",
        {
            "completed_at": "2026-03-15T16:20:00-07:00",
            "narrative": NARRATIVE,
            "phone": "206-555-0199",
            "document_sha256": "a" * 64,
        },
    )
    signed = ray.dana.do(
        f"/v1/participants/{ray.care}/roi",
        form(signed_at="2026-03-15T16:40:00-07:00", artefact_sha256="b" * 64, struck_out=list(struck_out)),
    )
    ray.roi = signed["roi"]
    ray.site.settle()
