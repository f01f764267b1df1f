"""What many tests share: the desk's folder (skipped where it is missing), a sample clip, the model, one analysis."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import nonlocal_core as nl
from nonlocal_core.affinity.field import AffinityField
from nonlocal_core.geometry import Grid

ROOT = Path(__file__).parents[1]
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

    def make(kind="embedded_gaussian", *, scale=0.5, seed=0, query_grid=Grid(2, 4, 6), key_grid=Grid(2, 2, 3)):
        random = np.random.default_rng(seed)
        theta = random.standard_normal((query_grid.cells, 8)).astype(np.float32)
        phi = random.standard_normal((key_grid.cells, 8)).astype(np.float32)
        return AffinityField(kind, scale, query_grid, key_grid, theta, phi)

    return make
