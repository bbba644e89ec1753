"""Configuration: environment variables `GOLDENTHREAD_*`, or a settings file. Secrets live in a folder, never here."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt
from pydantic_settings import BaseSettings, SettingsConfigDict

Port = Annotated[int, Field(ge=0, le=65535)]


def _home() -> Path:
    return Path.home() / ".local" / "share" / "goldenthread"


class Settings(BaseSettings):
    """What a site's operator sets.

    Without `database_url` the site keeps its own PostgreSQL in `data_dir`. `database_url` says where a packaged server
    is (host, port, database; the login roles and their passwords come from `prefix` and the secrets); `owner_url` is
    for `goldenthread migrate` alone.
    """

    model_config = SettingsConfigDict(env_prefix="GOLDENTHREAD_", env_file=None, extra="ignore")

    data_dir: Path = Field(default_factory=_home)
    secrets_dir: Path = Field(default_factory=lambda: Path.home() / ".config" / "goldenthread" / "secrets")
    database_url: str | None = None
    owner_url: str | None = None
    prefix: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,30}$")] = "goldenthread"
    environment: Literal["production", "demo", "test"] = "production"

    host: str = "127.0.0.1"
    port: Port = 8000
    body_bytes_most: PositiveInt = 256 * 1024
    wait_seconds_most: PositiveFloat = 5.0
    page_most: PositiveInt = 200

    issuer: str | None = None
    audience: str = "goldenthread"
    jwks_file: Path | None = None

    origin: str = "goldenthread.invalid/site"
    checkpoint_seconds: PositiveFloat = 3600.0
    checkpoint_pad: PositiveInt = 256
    sweep_seconds: PositiveFloat = 2.0
    pool_size: PositiveInt = 4

    otlp_endpoint: str | None = None
    load_batch: NonNegativeInt = 500
