"""Configuration: environment variables `GOLDENTHREAD_*`, or a settings file. Secrets live in a folder, never here."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, PositiveFloat, PositiveInt, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from adapters.identity.issuer import RSA_BITS_LEAST
from adapters.secrets import secret_file
from adapters.wire import is_encrypted, is_loopback, is_verified

Port = Annotated[int, Field(ge=0, le=65535)]
Acr = Annotated[str, Field(pattern=r"^[\x21\x23-\x5b\x5d-\x7e]+$")]
"""One word: a header quotes several of them, with spaces between."""


class Settings(BaseSettings):
    """What a site's operator sets.

    Without `database_url` the site keeps its own PostgreSQL in `data_dir`. Its secrets lie in `secrets_dir`: beside the
    server's files where a `data_dir` is named, else with the user's configuration. `database_url` says where a packaged
    server is (host, port, database; the login roles and their passwords come from `prefix` and the secrets);
    `owner_url` is for `goldenthread migrate` alone. `issuer`: who says who someone is. People sign in with it where
    `client_id` names the site to it: `public_url` is where their browsers reach the site, `client_key_file` the private
    key (PEM) whose public half the issuer has, `acr_values` (JSON) how strong a sign-in must be, in the issuer's words,
    and `admin_acr_values` how strong, by browser or bearer token, to register, to adopt a protocol or to give access.
    Bearer tokens are for `audience`, which is never the `client_id`, so that neither token passes for the other;
    `jwks_file` holds the issuer's keys where they are not fetched from it; `rsa_bits_least`: how long those of RSA must
    be, 2048 at a site that knowingly takes less than 128 bits of strength. `site_code`: what stands in the source of
    every message of ours. `witnesses_file`: who signs that the log only ever grew, a line each: verifier key and URL.
    `kafka`: the broker's addresses; `kafka_prefix`: what this site's topics begin with, on a broker of several. With
    `kafka_user` the client signs in with SCRAM over TLS; its password is the file `kafka.password` among the secrets.
    `otlp_endpoint`: the collector that spans, metrics and log go to, without `/v1/traces`; left out, they go nowhere.
    What would send anything in clear to another machine is refused.
    """

    model_config = SettingsConfigDict(
        env_prefix="GOLDENTHREAD_", env_file=None, extra="ignore", hide_input_in_errors=True
    )

    data_dir: Path = Field(default_factory=lambda: Path.home() / ".local" / "share" / "goldenthread")
    secrets_dir: Path = Path()
    database_url: str | None = None
    owner_url: str | None = None
    prefix: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,30}$")] = "goldenthread"
    environment: Literal["production", "demo", "test"] | None = None

    host: str = "127.0.0.1"
    port: Port = 8000
    body_bytes_most: PositiveInt = 256 * 1024
    public_body_bytes_most: PositiveInt = 32 * 1024
    wait_seconds_most: PositiveFloat = 5.0
    page_most: PositiveInt = 200
    export_page: PositiveInt = 200
    receive_seconds_most: PositiveFloat = 30.0
    updates_beat_seconds: PositiveFloat = 2.0
    updates_seconds_most: PositiveFloat = 900.0
    updates_per_person: PositiveInt = 4

    issuer: str | None = None
    audience: str = "goldenthread"
    jwks_file: Path | None = None
    public_url: str | None = None
    client_id: str | None = None
    client_key_file: Path | None = None
    acr_values: tuple[Acr, ...] = ()
    admin_acr_values: tuple[Acr, ...] = ()
    rsa_bits_least: Annotated[int, Field(ge=2048)] = RSA_BITS_LEAST

    origin: str = "goldenthread.invalid/site"
    checkpoint_seconds: PositiveFloat = 3600.0
    checkpoint_pad: PositiveInt = 256
    witnesses_file: Path | None = None
    witness_seconds: PositiveFloat = 60.0
    sweep_seconds: PositiveFloat = 2.0
    stream_beat_seconds: PositiveFloat = 30.0
    pool_size: PositiveInt = 4

    site_code: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")] = "site"
    kafka: str | None = None
    kafka_prefix: str = ""
    kafka_user: str | None = None
    kafka_ca_file: Path | None = None

    otlp_endpoint: str | None = None

    def otlp(self, signal: Literal["traces", "metrics", "logs"]) -> str | None:
        """Return where the collector takes a signal; None where the site has none."""
        return f"{self.otlp_endpoint.rstrip('/')}/v1/{signal}" if self.otlp_endpoint else None

    @classmethod
    def of_a_played_site(cls, folder: Path, port: int = 0) -> Self:
        """Return the settings of a site that is only played: never a real one's, whatever the shell has."""
        return cls(
            data_dir=folder,
            secrets_dir=folder / "secrets",
            database_url=None,
            environment="demo",
            origin="goldenthread.invalid/demo",
            admin_acr_values=(),
            otlp_endpoint=None,
            kafka=None,
            witnesses_file=None,
            host="127.0.0.1",
            port=port,
        )

    def kafka_options(self) -> dict[str, Any]:
        """Return how a client of the broker signs in."""
        if self.kafka_user is None:
            return {}
        return {
            "security_protocol": "SASL_SSL",
            "ssl_cafile": str(self.kafka_ca_file) if self.kafka_ca_file else None,
            "sasl_mechanism": "SCRAM-SHA-512",
            "sasl_plain_username": self.kafka_user,
            "sasl_plain_password": secret_file(self.secrets_dir / "kafka.password").decode().strip(),
        }

    @field_validator("database_url", "owner_url")
    @classmethod
    def _no_database_unseen(cls, url: str | None) -> str | None:
        if url is not None and not is_verified(url):
            raise ValueError(
                "the server is on another machine and its certificate would not be checked: add sslmode=verify-full, "
                "and sslrootcert where the system does not know who signed it"
            )
        return url

    @field_validator("otlp_endpoint")
    @classmethod
    def _no_telemetry_in_clear(cls, url: str | None) -> str | None:
        if url is not None and not is_encrypted(url):
            raise ValueError(
                "it would be sent in clear to another machine: give an https:// address, or one of loopback"
            )
        if url is not None and url.rstrip("/").endswith("/v1/traces"):
            raise ValueError("it is the collector's own address: leave out /v1/traces")
        return url

    @field_validator("host")
    @classmethod
    def _nobody_heard_in_clear(cls, host: str) -> str:
        if not is_loopback(host):
            raise ValueError(
                "others would be answered in clear: give 127.0.0.1, and a reverse proxy here that ends TLS"
            )
        return host

    @model_validator(mode="after")
    def _no_messages_in_clear(self) -> Self:
        brokers = () if self.kafka is None or self.kafka_user else self.kafka.split(",")
        if not all(is_loopback(urlsplit(f"//{broker.strip()}").hostname or "") for broker in brokers):
            raise ValueError(
                "messages would go to another machine in clear: set GOLDENTHREAD_KAFKA_USER, for SASL over TLS"
            )
        return self

    @model_validator(mode="after")
    def _one_kind_of_token_each(self) -> Self:
        if self.client_id is not None:
            if self.client_id == self.audience:
                raise ValueError("the audience of bearer tokens is the client_id: give the issuer another")
            if not (self.issuer and self.public_url and self.client_key_file):
                raise ValueError("a client_id needs an issuer, a public_url and a client_key_file")
            if not is_encrypted(self.issuer):
                raise ValueError("people would sign in with an issuer in clear: its address begins with https://")
        return self

    @model_validator(mode="after")
    def _place_secrets(self) -> Self:
        if "secrets_dir" not in self.model_fields_set:
            home = Path.home() / ".config" / "goldenthread"
            self.secrets_dir = (self.data_dir if "data_dir" in self.model_fields_set else home) / "secrets"
        return self
