"""Scenario F, as-of: what the office was shown is computed again, for those who may ask; with why, field by field."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import psycopg
import pytest
from typer.testing import CliRunner

from adapters.cli import explain as command
from adapters.cli.main import app
from adapters.postgres.sealer import Sealer
from services.release import PART2_NOTICE
from tests.scenarios import ray as story
from tests.scenarios.test_r_revoked_at_night import AUTHORITY, client_of
from tests.site import Person, SiteUnderTest

pytestmark = pytest.mark.server

SHARED = "Engaged; housing application filed."
NINE = "2026-03-20T09:00:00-07:00"


@pytest.fixture
def ray(lead: SiteUnderTest) -> story.Ray:
    """Ray, of whom the office and the department were shown something on 20 March at nine; revoked on 8 April."""
    ray = story.arrest(lead)
    story.enrol(ray)
    for party in ("county-pa", "city-pd"):
        share = {"party": party, "labels": ["iip.progress"], "text": SHARED}
        ray.dana.do(f"/v1/participants/{ray.care}/shares", share)
    lead.settle()
    ray.at("2026-03-20 09:00")
    assert SHARED in str(ray.chen.see(f"/v1/prosecutor/participants/{ray.offices_id()}"))
    ray.kim.see(f"/v1/police/participants/{ray.participant}")
    ray.at("2026-04-08 14:03")
    word = {"word_of": "participant", "medium": "oral", "parties": ["city-pd", "county-pa"]}
    ray.dana.do(f"/v1/participants/{ray.care}/roi/{ray.roi}/revocations", word)
    ray.dana.do(f"/v1/participants/{ray.care}/counsel", AUTHORITY)
    ray.dana.do(f"/v1/participants/{ray.care}/access", {"subject": "r.bell"})
    ray.at("2026-04-20 10:00")
    lead.settle()
    return ray


def line_of(person: Person, accounting: str, to: str) -> dict[str, Any]:
    """Return the one line that says what somebody was shown."""
    lines = [x for x in person.see(accounting)["disclosures"] if x["what"] == "disclosure" and x["to"] == to]
    found: dict[str, Any]
    (found,) = [x for x in lines if x["surface"].endswith(".participant")]
    return found


def fields(found: dict[str, Any]) -> dict[str, Any]:
    """Return what was shown, by field: the value, or None where it is not told."""
    return {each["field"]: each.get("value") for row in found["shown"] for each in row["fields"]}


def askers(ray: story.Ray) -> Iterator[tuple[str, Person, str]]:
    """Yield everybody who may ask, and the path of Ray's accounting to each."""
    lead = ray.site
    patel, imani, himself = lead.person("patel"), lead.person("imani"), lead.person("r.bell")
    (row,) = imani.see("/v1/privacy/participants")["participants"]
    yield "himself", himself, f"/v1/participants/{himself.see('/v1/me')['participant']}/accounting"
    yield "patel", patel, f"/v1/participants/{client_of(patel)['participant']}/accounting"
    yield "dana", ray.dana, f"/v1/participants/{ray.care}/accounting"
    yield "imani", imani, f"/v1/participants/{row['participant']}/accounting"


def test_what_the_office_was_shown_is_computed_again(ray: story.Ray) -> None:
    told = {}
    for who, person, accounting in askers(ray):
        line = line_of(person, accounting, "County Prosecuting Attorney")
        found = person.see(f"{accounting}/{line['id']}")
        assert (found["verdict"], found["protocol"]) == ("matches", story.P7)
        assert (found["party"], found["reader"], found["at"]) == ("county-pa", "liaison_prosecutor", line["at"])
        assert found["shown_by"] == found["view"]
        assert {x for row in found["shown"] for f in row["fields"] for x in f["labels"]} == set(line["labels"])
        told[who] = found

        # The same by time; there nothing is named that the asker may not see.
        then = person.see(accounting.replace("accounting", f"as-of?party=county-pa&at={quote(NINE)}"))
        seen = {name: value for name, value in fields(found).items() if value is not None}
        assert {name: value for name, value in fields(then).items() if value is not None} == seen
        now = person.see(accounting.replace("accounting", "as-of?party=county-pa"))
        assert not now["shown"], "revoked, the office has nothing"

    # He and care read all of it; counsel what her authority names; the privacy officer nothing of it.
    for who in ("himself", "dana"):
        assert {"Ray Bell", SHARED, story.COORDINATION} <= {x for x in fields(told[who]).values() if isinstance(x, str)}
    assert fields(told["patel"])["name"] == "Ray Bell"
    assert "text" in fields(told["patel"]), "that there was a sentence, the accounting tells her too"
    assert SHARED not in str(told["patel"]), "it was another party's"
    assert not [value for value in fields(told["imani"]).values() if value is not None]
    assert "Bell" not in str(told["imani"])
    assert told["patel"]["notice"] == PART2_NOTICE

    # Why: by which rule, and under which grant; and for whom not.
    why = {(x["kind"], x["field"]): x for x in told["himself"]["decisions"]}
    assert why["participant.enrolled", "status"]["why"] == "G"
    assert why["participant.enrolled", "status"]["grant"] is not None
    assert (why["intake.completed", "narrative"]["shown"], why["intake.completed", "narrative"]["grant"]) == (
        False,
        None,
    )
    assert story.NARRATIVE not in str(told), "withheld then, it is not told now"
    assert ("referral.vetted", "note") not in why


def test_asking_is_itself_a_reading(ray: story.Ray) -> None:
    for who, person, accounting in askers(ray):
        line = line_of(person, accounting, "City Police Department")
        person.see(f"{accounting}/{line['id']}")
        asked = [x for x in person.see(accounting)["disclosures"] if x.get("surface") == "as_of"][-1]
        read = set(asked["labels"])
        assert ({"audit.access"} == read) == (who == "imani"), (who, read)
        assert (asked["what"] == "disclosure") == (who == "patel")
        assert ("identity.legal" in read) == (who != "imani")
    for partner in ("kim", "chen", "ames", "marta"):
        path = f"/v1/participants/{ray.participant}"
        for asked in ("accounting/" + "a" * 26, "as-of?party=city-pd"):
            assert ray.site.person(partner).get(f"{path}/{asked}").status_code == 403


def test_nobody_asks_of_another_or_of_what_is_to_come(ray: story.Ray) -> None:
    (_, himself, his), (_, patel, _), (_, dana, hers), _ = askers(ray)
    line = line_of(dana, hers, "County Prosecuting Attorney")
    assert himself.get(f"{his}/{line['id']}").status_code == 404, "an id is its own party's"
    assert dana.get(f"{hers}/{'a' * 26}").status_code == 404
    assert patel.get(f"/v1/participants/{'a' * 26}/as-of?party=county-pa").status_code == 404
    path = hers.replace("accounting", "as-of")
    for wrong in (
        "party=nobody",
        "party=county-pa&reader=police",
        f"party=county-pa&at={quote('2027-01-01T00:00:00Z')}",
    ):
        assert dana.get(f"{path}?{wrong}").status_code == 422, wrong
    ray.dana.do(f"/v1/participants/{ray.care}/counsel/endings", {"counsel": "r-patel", "word_of": "participant"})
    with pytest.raises(ValueError, match="unpack"):
        client_of(patel)


def test_after_erasure_it_says_so(ray: story.Ray) -> None:
    imani = ray.site.person("imani")
    (row,) = imani.see("/v1/privacy/participants")["participants"]
    accounting = f"/v1/participants/{row['participant']}/accounting"
    line = line_of(imani, accounting, "County Prosecuting Attorney")
    assert imani.see(f"{accounting}/{line['id']}")["verdict"] == "matches"
    parts = ray.site.parts
    db = parts.database
    sealer = Sealer(db.login("sealer"), db.secrets.checkpoint_key, "test")
    sealer.checkpoint()
    who = parts.site.ids.open(parts.site.directory.by_code("lead-care", "party").id, ray.care)
    with psycopg.connect(db.url, autocommit=True) as owner:
        owner.execute("update log.key set wrapped = null, destroyed_at = now() where subject_id = %s", [who])
    assert imani.see(f"{accounting}/{line['id']}")["verdict"] == "erased"
    sealer.seal()
    assert sealer.verify() == [], "every leaf stands"


def test_what_was_written_down_falsely_does_not_match(ray: story.Ray) -> None:
    """A digest, a mark or an epoch of the view that is another; and what another version of the view showed."""
    imani = ray.site.person("imani")
    (row,) = imani.see("/v1/privacy/participants")["participants"]
    accounting = f"/v1/participants/{row['participant']}/accounting"
    line = line_of(imani, accounting, "County Prosecuting Attorney")
    where = "where surface = 'liaison_prosecutor.participant' and kind = 'disclosure'"
    kept = "digest = kept.digest, marks = kept.marks, as_of = kept.as_of, view_version = kept.view_version"
    with psycopg.connect(ray.site.parts.database.url, autocommit=True) as owner:
        owner.execute(f"create table public.kept as select * from log.disclosure {where}".encode())
        for wrong, verdict in (
            ("digest = sha256(digest)", "differs"),
            ("marks = substr(marks, 9)", "differs"),
            ("as_of = as_of - 1", "differs"),
            ("digest = sha256(digest), view_version = 'liaison_prosecutor/1'", "view of another release"),
            ("view_version = 'liaison_prosecutor/1'", "matches"),  # the digest proves it, whatever wrote it
            ("marks = null", "which rows it showed was not kept yet"),
        ):
            owner.execute(f"update log.disclosure set {wrong} {where}".encode())
            assert imani.see(f"{accounting}/{line['id']}")["verdict"] == verdict, wrong
            owner.execute(
                f"update log.disclosure d set {kept} from public.kept where d.position = kept.position".encode()
            )
        owner.execute("drop table public.kept")


def test_the_operator_asks_in_somebodys_name(ray: story.Ray, monkeypatch: pytest.MonkeyPatch) -> None:
    """`explain` tells what that person would be told, and is that person's reading; no values unless asked for."""
    parts = ray.site.parts
    who = parts.site.ids.open(parts.site.directory.by_code("lead-care", "party").id, ray.care)

    def explained(*more: str) -> str:
        monkeypatch.setattr(command, "database", lambda _: _Open(parts.database))
        monkeypatch.setattr(command, "opened", lambda *_: _Open(parts))
        ran = CliRunner().invoke(app, ["explain", str(who), *more])
        assert ran.exit_code in (0, 2), ran.output
        return ran.output

    listed = explained("--as", "imani").splitlines()
    (line,) = [x for x in listed if "liaison_prosecutor.participant" in x and "County" in x]
    said = explained("--as", "imani", "--disclosure", line.split()[0])
    assert "liaison_prosecutor.participant, shown by liaison_prosecutor/" in said
    assert ": matches" in said
    assert "participant.enrolled.status [enrolment.status] shown: G by " in said
    then = ("--party", "county-pa", "--at", NINE)
    assert "Bell" not in explained("--as", "dana", *then)
    assert "name [identity.legal] = Ray Bell" in explained("--as", "dana", *then, "--content")
    assert "Bell" not in explained("--as", "imani", *then, "--content"), "no content for the privacy officer"
    position = next(r.position for r in parts.log.of_topics(["roi.revoked"])) - 1
    assert "granted_participant" in explained("--as", "dana", "--party", "county-pa", "--at", str(position))
    assert "granted_participant" not in explained("--as", "dana", "--party", "county-pa")
    for wrong in (("--as", "kim"), ("--as", "nobody"), ("--as", "imani", *then[:3], "noon")):
        assert explained(*wrong).startswith("goldenthread: "), wrong
    lines = ray.dana.see(f"/v1/participants/{ray.care}/accounting")["disclosures"]
    read = [(x["person"], "identity.legal" in x["labels"]) for x in lines if x.get("surface") == "as_of"]
    dana, imani = "Dana Reyes", ray.site.person("imani").see("/v1/me")["name"]
    assert read == [(imani, False), (dana, False), (dana, True), (imani, False), (dana, False), (dana, False)]


class _Open:
    """What is open already."""

    def __init__(self, it: Any) -> None:
        self.it = it

    def __enter__(self) -> Any:
        return self.it

    def __exit__(self, *_: object) -> None:
        pass
