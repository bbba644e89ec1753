"""What the stream relies on a broker for, and the broker of one's own: who starts it, what ends it, what it keeps."""

import ipaddress
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.errors import (
    KafkaError,
    KafkaTimeoutError,
    OffsetOutOfRangeError,
    TopicAlreadyExistsError,
    TopicAuthorizationFailedError,
)

from adapters.kafka import broker as module
from adapters.kafka.broker import ApacheKafka, BrokerFailed, Tansu, free_port

pytestmark = pytest.mark.kafka

ROOT = Path(__file__).parents[3]
DEPLOY = ROOT / "deploy" / "kafka"
PATIENCE = 90  # seconds, on a machine that does other things too


def consumer(address: str, **settings: Any) -> KafkaConsumer:
    return KafkaConsumer(
        bootstrap_servers=address,
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="none",
        isolation_level="read_committed",
        allow_auto_create_topics=False,
        **settings,
    )


def read(address: str, topic: str, **settings: Any) -> list[tuple[bytes | None, bytes | None]]:
    """Key and value of everything that the topic's first partition holds."""
    partition, found = TopicPartition(topic, 0), []
    with closing(consumer(address, **settings)) as reader:
        reader.assign([partition])
        reader.seek(partition, 0)
        for _ in within(PATIENCE):
            found += [(r.key, r.value) for records in reader.poll(timeout_ms=500).values() for r in records]
            if reader.highwater(partition) == reader.position(partition):
                return found
    raise AssertionError("unreachable")


def send(address: str, topic: str, *records: tuple[bytes, bytes | None], **settings: Any) -> None:
    with closing(KafkaProducer(bootstrap_servers=address, **settings)) as producer:
        for future in [producer.send(topic, key=key, value=value) for key, value in records]:
            future.get(PATIENCE)


def described(address: str, topic: str) -> dict[str, Any]:
    with closing(KafkaAdminClient(bootstrap_servers=address)) as admin:
        cluster = admin.describe_cluster()["cluster_id"]
        return {"cluster": cluster, "topic": admin.describe_topics([topic])[0]["topic_id"]}


def listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except ConnectionError:
        return False
    except TimeoutError:
        pass  # somebody is there, and slow
    return True


def within(seconds: float) -> Iterator[None]:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        yield
    pytest.fail(f"not within {seconds} s")


# On any broker


def test_headers_and_a_null_value_come_back_as_they_were_sent(kafka: str, new_topic: Callable[..., str]) -> None:
    topic, partition = new_topic(), None
    headers = [("ce_id", b"1"), ("ce_subject", "Zoë".encode()), ("ce_id", b"2"), ("empty", b"")]
    with closing(KafkaProducer(bootstrap_servers=kafka)) as producer:
        producer.send(topic, key=b"k", value=b"{}", headers=headers).get(PATIENCE)
        producer.send(topic, key=b"k", value=None).get(PATIENCE)
    partition = TopicPartition(topic, 0)
    found: list[Any] = []
    with closing(consumer(kafka)) as reader:
        reader.assign([partition])
        reader.seek(partition, 0)
        for _ in within(PATIENCE):
            found += reader.poll(timeout_ms=500).get(partition, [])
            if len(found) == 2:
                break
    assert [(r.offset, r.key, r.value, list(r.headers)) for r in found] == [
        (0, b"k", b"{}", headers),
        (1, b"k", None, []),
    ]


# What only Apache Kafka does


def test_compaction_takes_the_old_value_away_and_in_time_the_tombstone(
    apache_kafka: str, new_topic: Callable[..., str]
) -> None:
    topic = new_topic(
        **{
            "cleanup.policy": "compact",
            "segment.ms": "500",
            "min.cleanable.dirty.ratio": "0.01",
            "max.compaction.lag.ms": "500",
            "delete.retention.ms": "3000",
        }
    )
    send(apache_kafka, topic, (b"amended", b"old"), (b"amended", b"new"), (b"revoked", b"shared"), (b"revoked", None))

    def once(condition: Callable[[list[tuple[bytes | None, bytes | None]]], bool]) -> bool:
        for _ in within(PATIENCE):
            time.sleep(0.6)
            send(apache_kafka, topic, (b"beat", b""))  # the segment being written is never cleaned: begin another
            if condition(held := read(apache_kafka, topic)):
                return (b"amended", b"new") in held
        return False

    assert once(lambda held: (b"amended", b"old") not in held and (b"revoked", b"shared") not in held)
    assert once(lambda held: b"revoked" not in dict(held))


def test_a_position_that_the_log_does_not_have_is_an_error(apache_kafka: str, new_topic: Callable[..., str]) -> None:
    partition = TopicPartition(new_topic(), 0)
    send(apache_kafka, partition.topic, (b"k", b"v"))
    with closing(consumer(apache_kafka)) as reader:
        reader.assign([partition])
        reader.seek(partition, 100)
        with pytest.raises(OffsetOutOfRangeError):
            reader.poll(timeout_ms=PATIENCE * 1000)


def test_a_topic_that_was_deleted_and_made_again_is_another_topic(
    apache_kafka: str, new_topic: Callable[..., str]
) -> None:
    topic = new_topic()
    before = described(apache_kafka, topic)
    with closing(KafkaAdminClient(bootstrap_servers=apache_kafka)) as admin:
        admin.delete_topics([topic])
        for _ in within(PATIENCE):
            try:
                admin.create_topics({topic: {"num_partitions": 1}}, wait_for_metadata=True)
                break
            except TopicAlreadyExistsError:
                time.sleep(0.1)
    after = described(apache_kafka, topic)
    assert before["cluster"] == after["cluster"]
    assert before["topic"] != after["topic"]


def test_an_aborted_transaction_is_never_seen(apache_kafka: str, new_topic: Callable[..., str]) -> None:
    topic = new_topic()
    with closing(KafkaProducer(bootstrap_servers=apache_kafka, transactional_id=topic)) as producer:
        producer.init_transactions()
        producer.begin_transaction()
        producer.send(topic, key=b"k", value=b"aborted").get(PATIENCE)
        producer.abort_transaction()
        producer.begin_transaction()
        producer.send(topic, key=b"k", value=b"committed").get(PATIENCE)
        producer.commit_transaction()
    assert read(apache_kafka, topic) == [(b"k", b"committed")]


def test_a_broker_that_was_killed_comes_back_with_what_it_had_acknowledged(own_kafka: ApacheKafka) -> None:
    address = own_kafka.bootstrap
    with closing(KafkaAdminClient(bootstrap_servers=address)) as admin:
        admin.create_topics({"kept": {"num_partitions": 1}}, wait_for_metadata=True)
    send(address, "kept", *((b"k", b"%d" % n) for n in range(100)))
    before = described(address, "kept")
    own_kafka.kill()
    assert not listens(own_kafka.port)
    own_kafka.start()
    assert own_kafka.bootstrap == address
    assert described(address, "kept") == before
    assert [value for _, value in read(address, "kept")] == [b"%d" % n for n in range(100)]


def test_data_outlive_the_object_and_the_port(own_kafka: ApacheKafka) -> None:
    with closing(KafkaAdminClient(bootstrap_servers=own_kafka.bootstrap)) as admin:
        admin.create_topics({"kept": {"num_partitions": 1}}, wait_for_metadata=True)
    send(own_kafka.bootstrap, "kept", (b"k", b"v"))
    own_kafka.stop()
    with ApacheKafka(own_kafka.data) as address:
        assert address != own_kafka.bootstrap
        assert read(address, "kept") == [(b"k", b"v")]


# As a site runs it: TLS, a password for each agency, and rules


@dataclass
class SiteKafka:
    """The broker of `deploy/kafka/server.properties`, on loopback, with certificates of the test's own."""

    agencies: str
    internal: str
    certificates: Path
    log: Path

    def admit(self, *arguments: str) -> str:
        """Let a party in by the site's own script, and return the password."""
        command = [sys.executable, str(DEPLOY / "admit.py"), "--broker", self.internal]
        command += ["--certificates", str(self.certificates), *arguments]
        return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()

    def login(self, user: str, password: str) -> dict[str, Any]:
        """Return the settings of a client that signs in."""
        return {
            "security_protocol": "SASL_SSL",
            "ssl_cafile": str(self.certificates / "ca.pem"),
            "sasl_mechanism": "SCRAM-SHA-512",
            "sasl_plain_username": user,
            "sasl_plain_password": password,
        }

    def of_the_broker(self) -> dict[str, Any]:
        """Return the settings of a client with the broker's own certificate, who may do all."""
        names = {"ssl_cafile": "ca.pem", "ssl_certfile": "broker.pem"}
        return {"security_protocol": "SSL"} | {name: str(self.certificates / file) for name, file in names.items()}


@pytest.fixture(scope="module")
def site_kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SiteKafka]:
    if lacking := ApacheKafka.missing():
        pytest.skip(f"Only Apache Kafka does this. {lacking}")
    folder, internal = tmp_path_factory.mktemp("certificates"), free_port()
    certify(folder)
    edits = {
        "kafka.lead.example.invalid": "127.0.0.1",
        "0.0.0.0": "127.0.0.1",
        ":9092": f":{internal}",
        ":9093": ":@PORT@",
        ":9094": ":@CONTROLLER_PORT@",
        "/var/lib/kafka/log": "@DATA@",
        "=/etc/kafka/": f"={folder}/",
    }
    settings = (DEPLOY / "server.properties").read_text()
    for of_a_site, ours in edits.items():
        assert of_a_site in settings
        settings = settings.replace(of_a_site, ours)
    broker = ApacheKafka(tmp_path_factory.mktemp("kafka"), settings)
    with broker as address:
        site = SiteKafka(address, f"127.0.0.1:{internal}", folder, broker.log)
        with closing(KafkaAdminClient(bootstrap_servers=site.internal, **site.of_the_broker())) as admin:
            admin.create_topics({topic: {"num_partitions": 1} for topic in TOPICS}, wait_for_metadata=True)
        yield site


TOPICS = ("in.police.arrest", "out.police.status", "in.police-2.arrest", "out.police-2.status")


def certify(folder: Path) -> None:
    """Write `ca.pem`, and `broker.pem`: a key, and what the authority says of it."""
    now = datetime.now(UTC)
    authority, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())

    def certificate(name: str, public: ec.EllipticCurvePublicKey, *extensions: x509.ExtensionType) -> bytes:
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
            .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "authority")]))
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1))
        )
        for extension in extensions:
            builder = builder.add_extension(extension, critical=isinstance(extension, x509.BasicConstraints))
        return builder.sign(authority, hashes.SHA256()).public_bytes(Encoding.PEM)

    loopback = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    ca = certificate("authority", authority.public_key(), x509.BasicConstraints(ca=True, path_length=0))
    (folder / "ca.pem").write_bytes(ca)
    (folder / "broker.pem").write_bytes(private + certificate("kafka-broker", key.public_key(), loopback))


def test_the_right_password_comes_in_and_a_wrong_or_an_old_one_does_not(site_kafka: SiteKafka) -> None:
    old = site_kafka.admit("sheriff")
    new = site_kafka.admit("sheriff")
    with closing(KafkaAdminClient(bootstrap_servers=site_kafka.agencies, **site_kafka.login("sheriff", new))) as client:
        assert client.describe_cluster()["cluster_id"]
    for user, password in (("sheriff", "guessed"), ("sheriff", old), ("nobody", new)):
        login = site_kafka.login(user, password)
        begun = site_kafka.log.stat().st_size
        with pytest.raises(KafkaTimeoutError):  # as if no broker were there: why, the broker's log says
            KafkaAdminClient(bootstrap_servers=site_kafka.agencies, bootstrap_timeout_ms=2000, **login)
        assert b"invalid credentials" in site_kafka.log.read_bytes()[begun:]


def test_nobody_comes_in_without_tls_or_with_no_certificate_where_one_is_asked(site_kafka: SiteKafka) -> None:
    password = site_kafka.admit("jail")
    bare = site_kafka.login("jail", password) | {"security_protocol": "SASL_PLAINTEXT"}
    stranger = {"security_protocol": "SSL", "ssl_cafile": str(site_kafka.certificates / "ca.pem")}
    for address, settings in ((site_kafka.agencies, bare), (site_kafka.internal, stranger)):
        with pytest.raises(KafkaError):
            KafkaAdminClient(bootstrap_servers=address, bootstrap_timeout_ms=2000, **settings)


def test_an_agency_writes_only_its_own_in_topics_and_reads_only_its_own_out_topics(site_kafka: SiteKafka) -> None:
    address = site_kafka.agencies
    police = site_kafka.login("police", site_kafka.admit("police"))
    gateway = site_kafka.login("goldenthread", site_kafka.admit("goldenthread", "--gateway"))
    for topic in ("out.police.status", "out.police-2.status"):
        send(address, topic, (b"k", topic.encode()), **gateway)

    send(address, "in.police.arrest", (b"k", b"arrest"), **police)
    assert read(address, "in.police.arrest", **gateway) == [(b"k", b"arrest")]
    assert read(address, "out.police.status", **police) == [(b"k", b"out.police.status")]

    for topic in ("in.police-2.arrest", "out.police.status", "out.police-2.status"):
        with pytest.raises(TopicAuthorizationFailedError):
            send(address, topic, (b"k", b"v"), max_block_ms=5000, **police)
    with pytest.raises(TopicAuthorizationFailedError):
        read(address, "in.police.arrest", **police)
    partition = TopicPartition("out.police-2.status", 0)  # whose very name is not for the police: kafka-python waits
    with closing(consumer(address, **police)) as reader:
        reader.assign([partition])
        reader.seek(partition, 0)
        assert reader.poll(timeout_ms=2000) == {}
    with pytest.raises(TopicAuthorizationFailedError):  # the gateway, too, has one direction
        send(address, "in.police.arrest", (b"k", b"v"), max_block_ms=5000, **gateway)
    with closing(KafkaAdminClient(bootstrap_servers=address, **gateway)) as admin:  # and makes what parties lack
        admin.create_topics({"in.jail.custody": {"num_partitions": 1, "replication_factor": 1, "configs": {}}})
        assert "in.jail.custody" in {topic["name"] for topic in admin.describe_topics()}


def test_an_agency_makes_no_topic_and_sees_no_other_agencys(site_kafka: SiteKafka) -> None:
    police = site_kafka.login("police", site_kafka.admit("police"))
    with closing(KafkaAdminClient(bootstrap_servers=site_kafka.agencies, **police)) as client:
        assert {topic for topic in client.list_topics() if "police" in topic} == {
            "in.police.arrest",
            "out.police.status",
        }
        with pytest.raises(TopicAuthorizationFailedError):
            client.create_topics({"in.police-2.more": {"num_partitions": 1}})
        with pytest.raises(TopicAuthorizationFailedError):
            client.delete_topics(["out.police.status"])


# The child process

HOLDER = """
import sys, time
from pathlib import Path
from adapters.kafka import broker
kind = getattr(broker, sys.argv[1])(Path(sys.argv[2]))
kind.start()
print(kind.port, flush=True)
time.sleep(600)
"""


@pytest.mark.parametrize("kind", [ApacheKafka, Tansu])
def test_a_broker_dies_with_the_process_that_started_it(kind: type[ApacheKafka | Tansu], tmp_path: Path) -> None:
    if kind is ApacheKafka and (lacking := ApacheKafka.missing()):
        pytest.skip(f"Only Apache Kafka does this. {lacking}")
    command = [sys.executable, "-c", HOLDER, kind.__name__, str(tmp_path)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout
        port = int(holder.stdout.readline())
        assert listens(port)
        os.kill(holder.pid, signal.SIGKILL)
    for _ in within(PATIENCE):
        if not listens(port):
            return


def test_a_tansu_that_was_killed_comes_back_empty(tmp_path: Path) -> None:
    tansu = Tansu(tmp_path)
    with tansu as address:
        send(address, "lost", (b"k", b"v"))
        tansu.kill()
        tansu.start()
        assert tansu.bootstrap == address
        with closing(KafkaAdminClient(bootstrap_servers=address)) as admin:
            assert "lost" not in admin.list_topics()


def test_a_broker_that_cannot_start_says_why(tmp_path: Path) -> None:
    if lacking := ApacheKafka.missing():
        pytest.skip(f"Only Apache Kafka does this. {lacking}")
    with pytest.raises(BrokerFailed, match=r"(?s)Formatting failed.*process\.roles"):
        ApacheKafka(tmp_path, "node.id=1").start()


# Where Java or Maven are missing, and the first time


def test_without_java_the_error_names_the_way_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with pytest.raises(BrokerFailed, match=r"needs Java 17 or newer, and none was found.*JAVA_HOME"):
        ApacheKafka(tmp_path / "data").start()
    java = tmp_path / "bin" / "java"
    java.parent.mkdir()
    java.write_text("#!/bin/sh\necho 'openjdk version \"11.0.2\" 2019-01-15' >&2\n")
    java.chmod(0o755)
    assert "this machine's is 11" in str(ApacheKafka.missing())


@pytest.fixture
def new_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, a Java, and a Maven of the test's own, which writes down each of its runs."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(module, "_java_version", lambda: 17)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("RUNS", str(tmp_path / "runs"))
    maven = tmp_path / "mvn"
    maven.write_text(
        "#!/bin/sh\necho run >> $RUNS\n"
        'for argument; do case $argument in -DoutputDirectory=*) touch "${argument#*=}/kafka.jar";; esac; done\n'
        "sleep 0.3\n"
    )
    maven.chmod(0o755)
    return tmp_path


def test_without_maven_the_error_names_the_way_out(new_machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(new_machine / "nothing"))
    with pytest.raises(BrokerFailed, match=r"Maven.*apt-get install maven"):
        ApacheKafka.fetch()


def test_however_many_ask_at_once_maven_runs_once(new_machine: Path) -> None:
    asking = [threading.Thread(target=ApacheKafka.fetch) for _ in range(4)]
    for thread in asking:
        thread.start()
    for thread in asking:
        thread.join()
    assert (new_machine / "runs").read_text() == "run\n"
    assert (ApacheKafka.fetch() / "kafka.jar").exists()


def test_a_maven_that_failed_leaves_nothing_and_the_next_one_is_asked_again(new_machine: Path) -> None:
    working = (new_machine / "mvn").read_text()
    (new_machine / "mvn").write_text("#!/bin/sh\necho no network; exit 1\n")
    with pytest.raises(BrokerFailed, match=r"(?s)Fetching Apache Kafka with Maven failed.*no network"):
        ApacheKafka.fetch()
    assert [path.suffix for path in (new_machine / "cache" / "goldenthread").iterdir()] == [".lock"]
    (new_machine / "mvn").write_text(working)
    assert (ApacheKafka.fetch() / "kafka.jar").exists()


def test_jars_of_another_pom_are_fetched_anew(new_machine: Path) -> None:
    folder = ApacheKafka.fetch()
    (folder / "pom.xml").write_text("older")
    (folder / "older.jar").touch()
    assert sorted(path.name for path in ApacheKafka.fetch().iterdir()) == ["kafka.jar", "pom.xml"]
    assert (new_machine / "runs").read_text() == "run\n" * 2
