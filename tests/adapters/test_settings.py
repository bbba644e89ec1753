"""What an operator sets: nothing goes elsewhere in clear, and the refusal names the setting and the way out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from adapters.cli.main import main
from adapters.settings import Settings

FAR = "postgresql://u:canary7391@db.example.invalid/site"
HERE = (
    "postgresql:///site",
    "postgresql:///site?host=/var/run/postgresql",
    "postgresql://localhost/site",
    "postgresql://127.0.0.1:5433/site",
    "postgresql://[::1]/site",
    "postgresql://db.example.invalid/site?hostaddr=127.0.0.1",
    "host=@abstract dbname=site",
)
SEEN = (f"{FAR}?sslmode=verify-full", "postgresql://a.example,b.example/site?sslmode=verify-full&sslrootcert=/ca.pem")
UNSEEN = (
    FAR,
    *(f"{FAR}?sslmode={mode}" for mode in ("disable", "allow", "prefer", "require", "verify-ca")),
    "postgresql://127.0.0.1,db.example.invalid/site",
    "postgresql://localhost/site?hostaddr=192.0.2.1",
    "postgresql://10.0.0.1/site",
    "postgresql:///site?service=far",
)


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PGHOST", "PGHOSTADDR", "PGSSLMODE", "PGSERVICE"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("setting", ["database_url", "owner_url"])
@pytest.mark.parametrize("url", [*HERE, *SEEN])
def test_a_database_of_this_machine_or_of_a_checked_certificate(setting: str, url: str) -> None:
    assert getattr(Settings(**{setting: url}), setting) == url  # type: ignore[arg-type]  # one of several types


@pytest.mark.parametrize("setting", ["database_url", "owner_url"])
@pytest.mark.parametrize("url", UNSEEN)
def test_a_database_elsewhere_must_show_its_certificate(setting: str, url: str) -> None:
    with pytest.raises(ValidationError, match="sslmode=verify-full"):
        Settings(**{setting: url})  # type: ignore[arg-type]  # one of several types


def test_what_the_environment_adds_to_a_database_url_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGHOST", "db.example.invalid")
    with pytest.raises(ValidationError, match="sslmode=verify-full"):
        Settings(database_url="postgresql:///site")
    assert Settings(database_url="postgresql://127.0.0.1/site").database_url
    monkeypatch.setenv("PGSSLMODE", "verify-full")
    assert Settings(database_url="postgresql:///site").database_url


@pytest.mark.parametrize(
    ("setting", "here", "elsewhere", "way_out"),
    [
        ("otlp_endpoint", "http://127.0.0.1:4318", "http://otel.example.invalid:4318", "https://"),
        ("otlp_endpoint", "https://otel.example.invalid", "otel.example.invalid", "https://"),
        ("kafka", "127.0.0.1:9092,[::1]:9092", "127.0.0.1:9092,kafka.example.invalid:9093", "GOLDENTHREAD_KAFKA_USER"),
        ("host", "::1", "0.0.0.0", "reverse proxy"),
    ],
)
def test_nothing_goes_elsewhere_in_clear(setting: str, here: str, elsewhere: str, way_out: str) -> None:
    assert getattr(Settings(**{setting: here}), setting) == here  # type: ignore[arg-type]  # one of several types
    with pytest.raises(ValidationError, match=way_out):
        Settings(**{setting: elsewhere})  # type: ignore[arg-type]  # one of several types


def test_a_broker_elsewhere_is_met_by_its_user_over_tls() -> None:
    assert Settings(kafka="kafka.example.invalid:9093", kafka_user="site").kafka


def test_nobody_signs_in_with_an_issuer_in_clear(tmp_path: Path) -> None:
    given: dict[str, Any] = {"client_id": "site", "public_url": "https://h", "client_key_file": tmp_path}
    assert Settings(issuer="https://sign-in.example.invalid", **given).issuer
    with pytest.raises(ValidationError, match="https://"):
        Settings(issuer="http://sign-in.example.invalid", **given)


def test_the_command_says_which_setting_and_nothing_of_what_it_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOLDENTHREAD_DATABASE_URL", FAR)
    monkeypatch.setattr("sys.argv", ["goldenthread", "doctor"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert "GOLDENTHREAD_DATABASE_URL" in str(ended.value)
    assert "sslmode=verify-full" in str(ended.value)
    assert "canary7391" not in str(ended.value)


def test_what_is_no_database_url_is_not_repeated() -> None:
    with pytest.raises(ValidationError, match="it is not a PostgreSQL URL"):
        Settings(database_url="postgresql//u:canary7391@h/site")


@pytest.mark.parametrize("setting", ["acr_values", "admin_acr_values"])
@pytest.mark.parametrize("wrong", ["two words", 'quo"te', "", "line\nend", "back\\slash"])
def test_a_strength_is_one_word(setting: str, wrong: str) -> None:
    with pytest.raises(ValidationError, match=setting):
        Settings(**{setting: ["urn:one:word", wrong]})  # type: ignore[arg-type]  # one of several types
