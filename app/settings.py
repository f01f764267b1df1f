"""Every setting of the server, read once; nothing else reads the environment."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from nonlocal_core.model.precision import Precision
from nonlocal_core.zoo.cards import models_folder


class Settings(BaseSettings):
    """Settings of `nonlocal-lens serve`: from arguments, else from NONLOCAL_LENS_* in the environment."""

    model_config = SettingsConfigDict(env_prefix="NONLOCAL_LENS_", frozen=True, extra="forbid")

    data: Path = Field(default=Path(".data"), description="folder that holds everything that is kept")
    database_url: str | None = Field(
        default=None, description="Postgres URL; a SQLite file in the data folder when unset"
    )
    models: tuple[str, ...] = Field(("default",), min_length=1, description="names or files; the first is the default")
    models_folder: Path = Field(
        default_factory=lambda: models_folder(os.environ), description="where `models fetch` puts what it fetches"
    )
    precision: Precision = Field(default="float32", description="that networks are computed in")
    upload_limit_bytes: int = Field(default=200_000_000, gt=0, description="largest video that is accepted")
    queue_limit: int = Field(default=50, gt=0, description="clips that may wait or run at once; more get 429")
    ttl_s: float | None = Field(
        default=None, gt=0, description="seconds a clip is kept, samples excepted; unset: for ever"
    )
    hosts: tuple[str, ...] = Field(
        default=(), description="further names and addresses that the server goes by; `*.lab.example`, `*` for any"
    )
    api_key: SecretStr | None = Field(
        default=None, min_length=16, description="whoever asks must know it; unset: everybody may ask"
    )
    uploads_per_minute: int | None = Field(default=None, gt=0, description="of one client; unset: no limit")
    clips_per_client: int | None = Field(default=None, gt=0, description="kept at once; unset: no limit")
    log: Literal["human", "json"] = Field(default="human", description="what lines of the log look like")
    worker: bool = Field(
        default=True, description="whether the server runs a worker of its own; no where `nonlocal-lens worker` does"
    )
    samples: bool = Field(default=True, description="whether the three sample clips are analysed at first start")
