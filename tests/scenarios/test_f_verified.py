"""F: Patel proves by herself that her client's bundle is whole; whatever the site does to its own log is found.

The site has its database and its key, and everything else that it wants. It has not what somebody kept.
"""

from __future__ import annotations

import json
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from adapters.cli.fsck import examined
from adapters.postgres.sealer import Sealer
from adapters.postgres.seals import PostgresSeals
from adapters.settings import Settings
from adapters.witness import Named, SqliteMemory, Witnesses, key_in
from projections.views import VIEWS
from services.checkpoint import Verifier, verifier_of
from services.tree import Tree
from services.verification import Verdict, main
from services.witness import Witness
from tests.adapters.http.conftest import example
from tests.adapters.test_witness import served
from tests.scenarios import ray as story
from tests.scenarios.test_r_revoked_at_night import AUTHORITY
from tests.site import Person, SiteUnderTest

pytestmark = pytest.mark.server


@dataclass
class Defense:
    """Patel and what she has on her disk."""

    lead: SiteUnderTest
    ray: story.Ray
    patel: Person
    client: str
    folder: Path
    kept: dict[str, Any]
    checkpoint: int

    def seal(self, key: Ed25519PrivateKey | None = None) -> None:
        """Let the site's beat come: it seals, and signs a checkpoint."""
        db, seals = self.lead.parts.database, self.lead.parts.site.seals
        url, key = db.login("sealer"), key or db.secrets.checkpoint_key
        Sealer(url, key, seals.origin, padding=16, leaves=self.lead.parts.leaves).checkpoint()

    def fetch(self, person: Person | None = None) -> dict[str, Any]:
        """Fetch the bundle, as it continues the checkpoint that she kept."""
        path = f"/v1/participants/{self.client}/bundle?since={self.checkpoint}"
        return (person or self.patel).see(path)

    def verify(self, bundle: dict[str, Any], *options: str) -> Verdict:
        """Run the command on a bundle and what she kept."""
        for name, content in (("bundle", bundle), ("kept", self.kept)):
            (self.folder / name).write_text(json.dumps(content))
        return Verdict(main([str(self.folder / "bundle"), "--checkpoint", str(self.folder / "kept"), *options]))

    def as_owner(self, *statements: str) -> None:
        """Let the site do what it likes to its database."""
        with psycopg.connect(self.lead.parts.database.url, autocommit=True) as owner:
            for statement in statements:
                owner.execute(statement.encode())

    def forget(self) -> None:
        """Start the site's processes again: nothing of the old log is in their memory."""
        seals = self.lead.parts.site.seals
        assert isinstance(seals, PostgresSeals)
        seals.leaves.tree, seals._heads = Tree(), {}


@pytest.fixture
def defense(lead: SiteUnderTest, tmp_path: Path) -> Defense:
    """On 18 March Ray enrols and gives Patel his authority; she keeps a checkpoint. Then things go on."""
    ray = story.arrest(lead)
    story.enrol(ray)
    ray.dana.do(f"/v1/participants/{ray.care}/counsel", AUTHORITY)
    lead.settle()
    ray.kim.see(f"/v1/police/participants/{ray.participant}")
    patel = lead.person("patel")
    (client,) = patel.see("/v1/counsel/participants")["clients"]
    found = Defense(lead, ray, patel, client["participant"], tmp_path, {}, 0)
    assert patel.get("/v1/public/checkpoint").status_code == 404  # nothing is sealed yet
    found.seal()
    found.kept = patel.see("/v1/public/checkpoint")
    found.checkpoint = int(found.kept["checkpoint"].split("\n")[1])
    ray.chen.see(f"/v1/prosecutor/participants/{ray.offices_id()}")
    ray.dana.do(f"/v1/participants/{ray.care}/contacts", {"kind": "visit", "reached": True, "note": "He talks of June"})
    ana = {"given": "Ana", "surname": "Cruz", "birth_date": "1990-01-31"}
    lead.person("webb").do("/v1/referrals", example("OfferDiversion", person=ana, place="Pike St"))
    found.seal()
    return found


def test_counsel_proves_that_every_disclosure_is_there(defense: Defense, capsys: pytest.CaptureFixture[str]) -> None:
    bundle = defense.fetch()
    assert defense.verify(bundle, "--list") is Verdict.VERIFIED
    said = capsys.readouterr().out
    assert "continues yours of" in said
    for who in ("City Police Department", "County Prosecuting Attorney", "Alex Chen"):
        assert who in said

    # Whatever the accounting told when the log was sealed stands in it, and as it tells it.
    leaves = bundle["lines"][0]["leaves"]
    told = [leaf["facts"] for leaf in leaves if isinstance(leaf["facts"], dict)]
    shown = [facts for facts in told if facts["kind"] != "event"]
    lines = defense.patel.see(f"/v1/participants/{defense.client}/accounting")["disclosures"]
    accounted = [line for line in lines if line["what"] in {"disclosure", "access"}]
    by_herself = [line for line in accounted if line["surface"] == "bundle"]
    assert len(by_herself) == 1  # that she fetched it is written down
    sealed = [line for line in accounted if line not in by_herself]
    names = bundle["names"]
    assert [(names[f["party"]], f["surface"], f["labels"].split()) for f in shown] == [
        (line["to"], line["surface"], line["labels"]) for line in sealed
    ]
    assert [[names[grant] for grant in facts["grants"].split()] for facts in shown] == [x["grants"] for x in sealed]

    # What her client's authority does not open is there, so that it can be counted, and says nothing of itself.
    assert {facts["topic"] for facts in told if facts["kind"] == "event"} >= {"roi.granted", "participant.enrolled"}
    assert "contact.made" not in json.dumps(bundle)
    assert len(leaves) > len(told)


def test_everything_can_be_derived_again(defense: Defense, capsys: pytest.CaptureFixture[str]) -> None:
    """What `goldenthread fsck --all` says of a site at work; and of one whose gate somebody opened by hand."""
    settings = Settings(environment="test", origin=defense.lead.parts.site.seals.origin)
    assert examined(defense.lead.parts, settings, None, defense.kept["checkpoint"]) == []
    said = capsys.readouterr().out
    assert "leaves and checkpoints: as the log gives it" in said
    assert all(f"the view {reader}, " in said for reader in VIEWS)
    defense.as_owner("update gate.consent set roi_until = '2100-01-01' where roi_until = (select max(roi_until)"
                     " from gate.consent)")  # fmt: skip
    (found, *_) = examined(defense.lead.parts, settings, 1)
    assert found.startswith("position ")
    assert found.endswith("a consent that it set is another")


def test_a_bundle_shows_of_others_nothing_but_hashes(defense: Defense) -> None:
    text = json.dumps(defense.fetch())
    site = defense.lead.parts.site
    with psycopg.connect(defense.lead.parts.database.url) as owner:
        people = owner.execute("select distinct participant_id::text from log.event where participant_id is not null")
        ids = [str(who) for (who,) in people]
        streams = [str(s) for (s,) in owner.execute("select distinct originator_id::text from log.event").fetchall()]
    assert len(ids) == 2
    known = {str(number) for number in (*site.directory.parties, *site.directory.staff)}
    assert not [number for number in {*ids, *streams} - known if number in text]
    for word in ("Ana", "Cruz", "Pike", "He talks", "Bell", story.NARRATIVE):
        assert word not in text


def test_who_may_have_it(defense: Defense) -> None:
    """The participant, counsel while the authority lives, and the observer whom the ROI names; nobody else."""
    lead, ray = defense.lead, defense.ray
    ray.dana.do(f"/v1/participants/{ray.care}/access", {"subject": "ray"})
    lead.settle()
    himself = lead.person("ray")
    mine = himself.see("/v1/me")["participant"]
    own = himself.see(f"/v1/participants/{mine}/bundle?since={defense.checkpoint}")
    assert defense.verify(own) is Verdict.VERIFIED
    assert '"contact.made"' in json.dumps(own)  # he reads all of his record
    assert himself.get(f"/v1/participants/{defense.client}/bundle").status_code == 404

    ames = lead.person("ames")
    site = lead.parts.site
    who = site.ids.open(site.directory.by_code("r-patel", "party").id, defense.client)
    assert who is not None
    pseudonym = site.ids.seal(site.directory.by_code("public-defense", "party").id, who)
    assert pseudonym in str(ames.see("/v1/defender/diversions"))
    path = f"/v1/defender/participants/{pseudonym}/bundle"
    unnamed, nobody = ames.get(path), ames.get(f"/v1/defender/participants/{'a' * 26}/bundle")
    assert (unnamed.status_code, unnamed.content) == (404, nobody.content)
    grants = [
        *story.grants(),
        {"party": "public-defense", "labels": ["identity.legal"], "purpose": "oversight by name"},
    ]
    ray.dana.do(f"/v1/participants/{ray.care}/roi", story.form(expires_on="2027-03-10", grants=grants))
    lead.settle()
    seen = ames.see(f"{path}?since={defense.checkpoint}")
    assert defense.verify(seen) is Verdict.VERIFIED
    assert {leaf["facts"]["kind"] for leaf in seen["lines"][0]["leaves"] if isinstance(leaf["facts"], dict)} == {
        "disclosure",
        "access",
    }

    for role in ("counsel", "participant", "observer"):  # with psql and the password, and nobody's word who asks
        with psycopg.connect(lead.parts.database.login(role)) as psql:
            for table in ("log.sealed_events", "log.sealed_disclosures"):
                assert psql.execute(f"select from {table}(%s, 1000000)".encode(), [who]).fetchall() == []

    for someone in ("kim", "chen", "judge", "marta", "dana", "pat", "imani", "shaw"):
        assert lead.person(someone).get(f"/v1/participants/{defense.client}/bundle").status_code == 403
    assert defense.patel.get(f"/v1/defender/participants/{defense.client}/bundle").status_code == 403
    ray.dana.do(f"/v1/participants/{ray.care}/counsel/endings", {"counsel": "r-patel", "word_of": "participant"})
    ended = defense.patel.get(f"/v1/participants/{defense.client}/bundle")
    assert (ended.status_code, ended.content) == (404, nobody.content)


def test_a_size_that_no_checkpoint_had_is_refused(defense: Defense) -> None:
    for path in ("/v1/public/checkpoint", f"/v1/participants/{defense.client}/bundle"):
        refused = defense.patel.get(f"{path}?since={defense.checkpoint + 1}")
        assert refused.status_code == 422
        assert refused.json()["faults"][0]["field"] == "since"
    again = defense.patel.see(f"/v1/public/checkpoint?since={defense.checkpoint}")
    assert again["consistency"]["from"] == defense.checkpoint


FIRST_SHOWN = "(select min(position) from log.disclosure where kind = 'disclosure')"
SLIPPED_IN = (
    "insert into log.disclosure select 0, recorded_at, kind, reader, party_id, staff_id, participant_id, epoch, as_of,"
    " view_version, labels, grants, purpose, surface, digest, correlation_id, salt from log.disclosure"
    f" where position = {FIRST_SHOWN}"
)
SWAPPED = (
    "update log.event set notification_id = -notification_id where topic in ('roi.signed', 'counsel.authorised')",
    (
        "update log.event set notification_id = notification_id + (select sum(-notification_id) from log.event"
        " where notification_id < 0) where notification_id < 0"
    ),
)
DONE: dict[str, tuple[str, ...]] = {
    "a disclosure edited": (f"update log.disclosure set labels = '' where position = {FIRST_SHOWN}",),
    "a disclosure dropped": (f"delete from log.disclosure where position = {FIRST_SHOWN}",),
    "a disclosure slipped in": (SLIPPED_IN,),
    "an event edited": ("update log.event set recorded_at = now() where topic = 'roi.granted'",),
    "two events in another order": SWAPPED,
}
TABLES = ("event", "disclosure", "leaf", "checkpoint")


def test_whatever_the_site_does_to_its_own_log_is_a_fork(defense: Defense) -> None:
    """With the real key, every leaf, proof and signature made anew."""
    defense.as_owner(*(f"create table kept_{table} as select * from log.{table}" for table in TABLES))
    for done, statements in DONE.items():
        defense.as_owner(*statements, "delete from log.checkpoint", "delete from log.leaf")
        defense.forget()
        defense.seal()
        # Or else it would refuse `since`, which tells enough.
        defense.as_owner(f"insert into log.checkpoint values ({defense.checkpoint}, '', now()) on conflict do nothing")
        assert defense.verify(defense.fetch()) is Verdict.FORKED, done
        for table in TABLES:
            defense.as_owner(f"delete from log.{table}", f"insert into log.{table} select * from kept_{table}")
        defense.forget()
        assert defense.verify(defense.fetch()) is Verdict.VERIFIED

    # Sealed anew, but signed with another key.
    defense.as_owner("delete from log.checkpoint", "delete from log.leaf")
    defense.forget()
    defense.seal(Ed25519PrivateKey.generate())
    defense.as_owner(f"insert into log.checkpoint values ({defense.checkpoint}, '', now()) on conflict do nothing")
    assert defense.verify(defense.fetch()) is Verdict.FORGED


def test_a_log_cut_back_is_found(defense: Defense) -> None:
    earlier, defense.kept = defense.checkpoint, defense.patel.see("/v1/public/checkpoint")
    assert len(defense.lead.parts.leaves.tree) > earlier
    defense.as_owner(
        f"delete from log.checkpoint where size > {earlier}", f"delete from log.leaf where index >= {earlier}"
    )
    defense.forget()
    assert defense.verify(defense.fetch()) is Verdict.TRUNCATED


def test_witnesses_sign_what_is_published_and_never_a_second_history(
    defense: Defense, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Two partner agencies are witnesses; Patel asks for both. A history made anew they do not sign."""
    site, url = defense.lead.parts.site, defense.lead.parts.database.login("sealer")
    with ExitStack() as running:
        named = []
        for name in ("defenders.example", "county.example"):
            key = key_in(tmp_path / f"{name}.key")
            trusts = {site.seals.origin: [Verifier.parse(site.seals.key)]}
            agency = Witness(name, key, trusts, SqliteMemory(tmp_path / name))
            address = running.enter_context(served(agency))
            named.append(Named(verifier_of(name, key.public_key(), cosigns=True), address))
        ask = Witnesses(site.seals, url, named).ask
        both = [option for each in named for option in ("--witness", str(each.verifier))]
        assert defense.verify(defense.fetch(), *both) is Verdict.UNWITNESSED  # nobody was asked yet
        ask()
        ask()  # who has signed is not asked again
        assert defense.verify(defense.fetch(), *both) is Verdict.VERIFIED
        note = defense.patel.see("/v1/public/checkpoint")["checkpoint"]
        assert [line.split(" ")[1] for line in note.splitlines()[-3:]] == [
            site.seals.origin, "county.example", "defenders.example",
        ]  # fmt: skip

        # The site's process starts again, and the log grows: they say what they signed last, and sign on.
        defense.ray.kim.see(f"/v1/police/participants/{defense.ray.participant}")
        defense.seal()
        Witnesses(site.seals, url, named).ask()
        assert defense.verify(defense.fetch(), *both) is Verdict.VERIFIED

        defense.as_owner(*DONE["a disclosure edited"], "delete from log.cosignature", "delete from log.checkpoint")
        defense.as_owner("delete from log.leaf")
        defense.forget()
        defense.seal()
        defense.ray.kim.see(f"/v1/police/participants/{defense.ray.participant}")
        defense.seal()
        caplog.clear()
        Witnesses(site.seals, url, named).ask()
        assert [record.args[0] for record in caplog.records if isinstance(record.args, tuple)] == [
            each.verifier.name for each in named
        ]
        defense.kept = defense.patel.see("/v1/public/checkpoint")  # who had kept nothing relies on them
        assert defense.verify(defense.patel.see(f"/v1/participants/{defense.client}/bundle"), *both) is (
            Verdict.UNWITNESSED
        )
