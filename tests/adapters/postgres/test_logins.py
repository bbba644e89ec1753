"""The site's logins: passwords that are renewed while it runs, and certificates in their place."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from ipaddress import ip_address
from itertools import count
from pathlib import Path

import psycopg
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from psycopg.conninfo import make_conninfo

import adapters.postgres.migrate
import adapters.secrets
from adapters.kafka.broker import free_port
from adapters.postgres.backup import back_up
from adapters.postgres.log import PostgresLog
from adapters.postgres.migrate import login_url, migrate, renew_passwords
from adapters.secrets import ROLES, Secrets, seal
from adapters.settings import Settings
from tests.adapters.postgres.site import Site
from tests.conftest import Database
from tests.kill import killer

pytestmark = pytest.mark.server


@pytest.fixture
def db(site_db: Database, tmp_path: Path) -> Iterator[Database]:
    """A site with secrets and logins of its own: other tests go on with those that all share."""
    prefix = f"{site_db.prefix}_own"
    own = Database(site_db.owner_url, Secrets.make(tmp_path / "secrets"), prefix)
    migrate(own.owner_url, own.secrets, prefix=prefix)
    yield own
    with psycopg.connect(own.owner_url, autocommit=True) as owner:
        for role in ROLES:
            owner.execute(f"drop owned by {prefix}_{role}_login".encode())
            owner.execute(f"drop role {prefix}_{role}_login".encode())


def passwords(db: Database) -> dict[str, str]:
    return {role: db.secrets.password(role) for role in ROLES}


def lets_in(db: Database, roles: Sequence[str] = ROLES) -> list[str]:
    """Return those of these roles whose logins come in with the passwords that there are."""
    found = []
    for role in roles:
        try:
            psycopg.connect(db.login(role)).close()
        except psycopg.OperationalError:
            continue
        found.append(role)
    return found


def renew(db: Database) -> None:
    renew_passwords(db.owner_url, db.secrets, db.prefix)


def test_every_login_has_a_new_password_and_the_old_one_is_refused(db: Database) -> None:
    before = passwords(db)
    renew(db)
    after = passwords(db)
    assert not {*before.values()} & {*after.values()}
    assert lets_in(db) == list(ROLES)
    assert not list(db.secrets.folder.glob("*.next"))
    for role, password in before.items():
        with pytest.raises(psycopg.OperationalError, match="password"):
            psycopg.connect(make_conninfo(db.login(role), password=password))


@pytest.mark.parametrize("is_sealed", [False, True], ids=["open", "sealed"])
def test_a_running_site_goes_on(db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_sealed: bool) -> None:
    """It reads the new ones when it connects again; the owner's URL is not needed."""
    if is_sealed:
        for variable in ("CREDENTIALS_DIRECTORY", "RUNTIME_DIRECTORY"):
            (tmp_path / variable).mkdir()
            monkeypatch.setenv(variable, str(tmp_path / variable))
        (tmp_path / "CREDENTIALS_DIRECTORY" / "goldenthread-seal").write_bytes(os.urandom(32))
        seal(db.secrets.folder)
    log = PostgresLog(db.login("recorder"), db.secrets)
    before = log.position()
    renew(replace(db, owner_url=make_conninfo(db.owner_url, user="nobody", password="none")))
    assert log.position() == before, "on the connections that there are"
    with psycopg.connect(db.owner_url) as owner:
        owner.execute(
            "select pg_terminate_backend(pid, 9999) from pg_stat_activity where usename like %s", [f"{db.prefix}%"]
        )
    assert log.position() == before, "and on new ones"
    log.close()


FEW = ROLES[:2]


def renewed(url: str, folder: str, prefix: str) -> Callable[[], object]:
    """Return what the one does who is killed."""
    pytest.MonkeyPatch().setattr("adapters.postgres.migrate.ROLES", FEW)  # all of them are the same
    return partial(renew_passwords, url, Secrets.read(Path(folder)), prefix)


@pytest.mark.timeout(900)
def test_it_is_killed_before_every_line(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each login is let in by the password there is or by the next: whoever goes on finds out by which."""
    monkeypatch.setattr("adapters.postgres.migrate.ROLES", FEW)
    modules = [adapters.postgres.migrate, adapters.secrets]
    with killer(renewed, modules, db.owner_url, str(db.secrets.folder), db.prefix) as killed_before:
        for line in count(1):
            has_ended = killed_before(line)
            renew(db)
            assert lets_in(db, FEW) == list(FEW), f"killed before line {line}"
            assert {path.suffix for path in db.secrets.folder.glob("*password*")} == {".password"}
            if has_ended:
                break
    assert line > 50, "it was traced"


# Certificates


@dataclass(frozen=True)
class Certified:
    """A PostgreSQL that is met over TLS alone, and the certificates of its authority."""

    url: str
    folder: Path

    def over_tls(self, **changed: str) -> str:
        """Return a URL of it that says which certificates to trust and to show."""
        shown = {"sslrootcert": "ca.pem", "sslcert": "site.pem", "sslkey": "site.key"} | changed
        return make_conninfo(
            self.url, sslmode="verify-full", **{name: str(self.folder / f) for name, f in shown.items()}
        )


@pytest.fixture(scope="module")
def packaged() -> Path:
    """The programs of a packaged PostgreSQL: those of the wheel know no TLS."""
    for found in sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), reverse=True):
        return found.parent
    pytest.skip("No packaged PostgreSQL is installed, and the wheel's knows no TLS.")


@pytest.fixture
def certified(packaged: Path) -> Iterator[Certified]:
    with tempfile.TemporaryDirectory(prefix="goldenthread-test-", dir="/tmp") as made:
        folder, port = Path(made), free_port()
        folder.chmod(0o755)
        certify(folder)
        (folder / "data").mkdir()
        user = "postgres" if os.geteuid() == 0 else None
        for path in (folder / "data", folder / "server.key", folder / "server.pem"):
            if user:
                shutil.chown(path, user)

        def run(program: str, *arguments: str) -> None:
            command = [str(packaged / program), "-D", str(folder / "data"), *arguments]
            subprocess.run(command, user=user, cwd="/", check=True, stdout=subprocess.DEVNULL, timeout=60)

        run("initdb", "--username=postgres", "--auth=trust", "--locale=C.UTF-8", "--encoding=UTF8")
        data = folder / "data"
        (data / "pg_hba.conf").write_text("hostssl all all 127.0.0.1/32 cert map=site\n")
        logins = ["postgres", *(f"goldenthread_{role}_login" for role in ROLES)]
        (data / "pg_ident.conf").write_text("".join(f"site lead-site {login}\n" for login in logins))
        with (data / "postgresql.conf").open("a") as conf:
            conf.write(
                f"listen_addresses = '127.0.0.1'\nport = {port}\nunix_socket_directories = ''\nfsync = off\nssl = on\n"
                f"ssl_cert_file = '{folder}/server.pem'\nssl_key_file = '{folder}/server.key'\n"
                f"ssl_ca_file = '{folder}/ca.pem'\n"
            )
        run("pg_ctl", "start", "-w", "-l", str(data / "log"))
        try:
            yield Certified(f"postgresql://postgres@127.0.0.1:{port}/postgres", folder)
        finally:
            run("pg_ctl", "stop", "-m", "immediate")


def certify(folder: Path) -> None:
    """Write an authority's certificate, those of the server and of the site by it, and one by nobody known."""
    now, authority = datetime.now(UTC), ec.generate_private_key(ec.SECP256R1())

    def write(
        name: str, of: str, key: ec.EllipticCurvePrivateKey, signer: ec.EllipticCurvePrivateKey, *, ca: bool
    ) -> None:
        loopback = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
        certificate = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, of)]))
            .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "authority")]))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
            .add_extension(loopback, critical=False)
            .sign(signer, hashes.SHA256())
        )
        (folder / f"{name}.pem").write_bytes(certificate.public_bytes(Encoding.PEM))
        private = folder / f"{name}.key"
        private.touch(0o600)
        private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))

    write("ca", "authority", authority, authority, ca=True)
    for name, of in (("server", "127.0.0.1"), ("site", "lead-site"), ("stranger", "lead-site")):
        key = ec.generate_private_key(ec.SECP256R1())
        write(name, of, key, key if name == "stranger" else authority, ca=False)


def test_a_site_logs_in_by_certificate_and_knows_the_server_by_its_own(certified: Certified, tmp_path: Path) -> None:
    secrets, url = Secrets.make(tmp_path / "secrets"), certified.over_tls()
    assert Settings(database_url=url, owner_url=url).database_url == url
    migrate(url, secrets, environment="test")
    log = PostgresLog(login_url(url, secrets, "recorder"), secrets)
    site = Site(Database(url, secrets, "goldenthread"), log)
    who = site.identify()
    assert len(log.history(who)) == 1
    log.close()
    assert back_up(url, tmp_path / "copy", tmp_path / "keys") == 1
    for lacking in ({"sslcert": "none", "sslkey": "none"}, {"sslcert": "stranger.pem", "sslkey": "stranger.key"}):
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(login_url(certified.over_tls(**lacking), secrets, "recorder"))
    with pytest.raises(psycopg.OperationalError, match="certificate verify failed"):
        psycopg.connect(login_url(certified.over_tls(sslrootcert="stranger.pem"), secrets, "recorder"))
    with pytest.raises(psycopg.OperationalError, match="no encryption"):
        psycopg.connect(make_conninfo(certified.url, sslmode="disable"))
