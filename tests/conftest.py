"""What many tests share: the desk's folder (skipped where it is missing), a sample clip, the model, one analysis."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import nonlocal_core as nl
from nonlocal_core.affinity.field import AffinityField
from nonlocal_core.geometry import Grid
from nonlocal_core.zoo.cards import CARDS
from nonlocal_core.zoo.checkpoint import read_checkpoint, write_checkpoint
from tests.server import LensServer

ROOT = Path(__file__).parents[1]
QUERIES, KEYS = Grid(2, 4, 6), Grid(2, 2, 3)  # keys pooled 2x2
SHARED = ROOT.parent / "shared"


@pytest.fixture(scope="session")
def desk() -> Path:
    """The team's desk; its videos may not be in the repository."""
    if not SHARED.is_dir():
        pytest.skip(f"{SHARED} is not here: its videos may not be redistributed")
    return SHARED


@pytest.fixture(scope="session")
def sample() -> Path:
    """A short video that ships."""
    return ROOT / "app" / "samples" / "two-cups.mp4"


@pytest.fixture(scope="session")
def model():
    return nl.load_model("default")


@pytest.fixture(scope="session")
def analysis(model, sample):
    """The sample, analysed once for the whole run."""
    return nl.analyse(sample, model)


@pytest.fixture
def make_field():
    """A small random field of any kind; queries and keys on different grids, height and width different."""

    def make(kind="embedded_gaussian", *, scale=0.5, seed=0, query_grid=QUERIES, key_grid=KEYS):
        random = np.random.default_rng(seed)
        theta = random.standard_normal((query_grid.cells, 8)).astype(np.float32)
        phi = random.standard_normal((key_grid.cells, 8)).astype(np.float32)
        return AffinityField(kind, scale, query_grid, key_grid, theta, phi)

    return make


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    """A running server whose three samples are analysed; shared, so tests clean up after themselves."""
    server = LensServer(tmp_path_factory.mktemp("server") / "data").start()
    clips = server.http.get("/api/v1/clips").json()["clips"]
    assert len(clips) == 3
    for clip in clips:
        assert server.finish(clip["id"])["state"] == "done"
    yield server
    assert server.stop() == 0


@pytest.fixture(scope="session")
def two_models_server(tmp_path_factory):
    """A running server of the default model and of a file: the same weights under two blocks, labelled as random."""
    folder = tmp_path_factory.mktemp("two")
    shipped, card = read_checkpoint(CARDS["i3d-observers"].weights), CARDS["i3d-observers"]
    header = replace(
        shipped.header,
        spec=shipped.header.spec.model_copy(update={"blocks": card.spec.blocks[-2:]}),
        provenance={"source": "this test", "weights": "random", "notes": "Made for a test."},
    )
    write_checkpoint(folder / "late-blocks.safetensors", replace(shipped, header=header), precision="float16")
    models = json.dumps(["default", str(folder / "late-blocks.safetensors")])
    server = LensServer(folder / "data", models=models, samples="false").start()
    yield server
    assert server.stop() == 0


@pytest.fixture(scope="session")
def sample_id(server, sample):
    """The clip of the sample that `analysis` analyses too."""
    clips = server.http.get("/api/v1/clips").json()["clips"]
    return next(clip["id"] for clip in clips if clip["filename"] == sample.name)


@pytest.fixture(scope="module")
def chromium():
    """Debian's Chromium, driven by Playwright; `lens.test` is this machine, as an ordinary host on plain http.

    For one module at a time: Playwright holds an event loop, and tests with loops of their own must not meet it.
    """
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium",
            args=["--no-sandbox", "--disable-gpu", "--host-resolver-rules=MAP lens.test 127.0.0.1"],
        )
        yield browser
        browser.close()


@pytest.fixture
def page(chromium):
    """A fresh page; an error or warning on its console fails the test."""
    complaints = []
    context = chromium.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.on(
        "console", lambda message: complaints.append(message.text) if message.type in ("error", "warning") else None
    )
    page.on("pageerror", lambda error: complaints.append(str(error)))
    yield page
    context.close()
    assert complaints == []
