"""A server with a model so little that analyses take no time, a clip on it, and how a test tells what it measured."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.server import LensServer
from tests.trust.films import write_seed
from tests.trust.little import write_little_model

API = "/api/v1/clips"


@pytest.fixture(scope="session")
def scale() -> float:
    """How much of a campaign is run: 1 is what TRUST.md asks for."""
    return float(os.environ.get("TRUST_SCALE", "0.02"))


@pytest.fixture
def figure(record_property) -> Callable[[str], None]:
    """figure("p50 2.1 ms"): what was measured, for the table of `make trust`."""

    def tell(words: str) -> None:
        print(words)
        record_property("figure", words)

    return tell


@pytest.fixture(scope="session")
def little_model(tmp_path_factory) -> Path:
    return write_little_model(tmp_path_factory.mktemp("model") / "little.safetensors")


@pytest.fixture(scope="session")
def start_little(little_model, tmp_path_factory):
    """start_little(data=..., queue_limit="9"): a server with the little model; stop it yourself."""

    def start(data: Path | None = None, **settings: str) -> LensServer:
        folder = data or tmp_path_factory.mktemp("little") / "data"
        started.append(LensServer(folder, models=json.dumps([str(little_model)]), **({"samples": "false"} | settings)))
        return started[-1].start()

    started: list[LensServer] = []
    yield start
    for server in started:
        if server.process.poll() is None:  # its test failed
            server.stop()


@pytest.fixture(scope="module")
def little(start_little):
    """A running server with the little model, one for each module."""
    server = start_little()
    yield server
    assert server.stop() == 0


@pytest.fixture(scope="session")
def film(tmp_path_factory) -> Path:
    """A small valid film."""
    return write_seed(tmp_path_factory.mktemp("film"), "h264.mp4")


@pytest.fixture(scope="module")
def little_id(little, film) -> str:
    """A clip that is done."""
    clip_id = little.upload(film).json()["id"]
    assert little.finish(clip_id)["state"] == "done"
    return clip_id
