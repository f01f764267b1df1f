"""Write the golden numbers that the Python and the JavaScript tests share: tests/fixtures/*.json.

Geometry comes from nonlocal_core.geometry; affinities are the paper's formulas written out in NumPy (float64),
on purpose without nonlocal_core.affinity, which is held to them. Seeded: a second run changes no byte.

    python scripts/make_fixtures.py
"""

from __future__ import annotations

import base64
import json
from dataclasses import asdict
from pathlib import Path

import numpy as np

from nonlocal_core.geometry import ClipPoint, Grid, GridPoint, cell_at, cell_of, centre_of, span_of

FIXTURES = Path(__file__).parent.parent / "tests" / "fixtures"
GRIDS = [(Grid(16, 28, 28), 32), (Grid(4, 14, 14), 32), (Grid(8, 7, 7), 32), (Grid(3, 5, 4), 32), (Grid(3, 2, 6), 10)]
SHAPES = [
    ("gaussian", Grid(4, 6, 5), Grid(4, 3, 2), 32, 7, 0.25),
    ("embedded_gaussian", Grid(2, 4, 6), Grid(2, 2, 3), 16, 12, 1.0),
    ("embedded_gaussian", Grid(4, 3, 5), Grid(4, 3, 5), 8, 9, 0.3333),
    ("dot_product", Grid(3, 4, 5), Grid(3, 2, 2), 12, 6, 1.0),
    ("concatenation", Grid(2, 5, 3), Grid(1, 5, 3), 16, 2, 1.0),
]
ASKED, TOP = 4, 6


def geometry_cases(rng: np.random.Generator) -> list[dict[str, object]]:
    """Per grid: points with their cells, and cells with their flat index, centre and span."""
    cases: list[dict[str, object]] = []
    for grid, frames in GRIDS:
        edges = [
            ClipPoint(0, 0.0, 0.0),
            ClipPoint(frames - 1, 1 - 2**-53, 1 - 2**-53),
            ClipPoint(frames // 2, 0.5, 0.25),
        ]
        points = edges + [
            ClipPoint(int(rng.integers(frames)), float(rng.random()), float(rng.random())) for _ in range(40)
        ]
        indices = sorted({0, grid.cells - 1, *(int(n) for n in rng.integers(grid.cells, size=20))})
        cases.append({
            "grid": asdict(grid), "frames": frames,
            "points": [{"point": asdict(p), "cell": asdict(cell_at(grid, p, frames))} for p in points],
            "cells": [
                {"index": n, "cell": asdict(cell), "centre": asdict(centre_of(grid, cell, frames)),
                 "span": asdict(span_of(grid, cell, frames))}
                for n in indices for cell in [cell_of(grid, n)]
            ],
        })  # fmt: skip
    return cases


def matrix(kind: str, logits: np.ndarray) -> np.ndarray:
    """p_ij of Wang et al. 2018, equations 2 to 5, from the logits [Q, K]; float64 [Q, K]."""
    if kind in ("gaussian", "embedded_gaussian"):
        weights = np.exp(logits - logits.max(axis=1, keepdims=True))
        return weights / weights.sum(axis=1, keepdims=True)
    return (np.maximum(logits, 0) if kind == "concatenation" else logits) / logits.shape[1]


def top_answers(weights: np.ndarray, grid: Grid) -> list[dict[str, object]]:
    """The highest weights, falling; of equal weights the lower flat index first."""
    order = np.argsort(-weights, kind="stable")[:TOP]
    mass = np.cumsum(weights[order])
    return [
        {"rank": rank, "cell": asdict(cell_of(grid, int(n))), "weight": float(weights[n]), "mass": float(total)}
        for rank, (n, total) in enumerate(zip(order, mass, strict=True), start=1)
    ]


def container(tensors: dict[str, np.ndarray], metadata: dict[str, str]) -> bytes:
    """A safetensors file; the library's own writer orders the metadata anew in each run."""
    header: dict[str, object] = {"__metadata__": metadata}
    at = 0
    for name, array in tensors.items():
        dtype = {"float16": "F16", "float32": "F32"}[array.dtype.name]
        header[name] = {"dtype": dtype, "shape": list(array.shape), "data_offsets": [at, at + array.nbytes]}
        at += array.nbytes
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + b"".join(array.tobytes() for array in tensors.values())


def affinity_cases(rng: np.random.Generator) -> list[dict[str, object]]:
    """Per kind: the features file as base64, some rows and columns of the matrix and their top answers."""
    cases: list[dict[str, object]] = []
    for kind, query_grid, key_grid, frames, channels, scale in SHAPES:
        theta = rng.normal(size=(query_grid.cells, channels)).astype(np.float16)  # [Q, C]
        phi = rng.normal(size=(key_grid.cells, channels)).astype(np.float16)  # [K, C]
        if kind == "concatenation":
            theta[:, 1], phi[:, 0] = 1, 1  # theta = [a_i, 1], phi = [1, b_j]
        logits = scale * theta.astype(np.float64) @ phi.astype(np.float64).T  # [Q, K]
        p = matrix(kind, logits)
        tensors = {"theta": theta, "phi": phi}
        if kind in ("gaussian", "embedded_gaussian"):
            top = logits.max(axis=1, keepdims=True)
            tensors["lse"] = (top[:, 0] + np.log(np.exp(logits - top).sum(axis=1))).astype(np.float32)  # [Q]
        metadata = {
            "kind": kind, "scale": repr(scale), "block": "res3_1",
            "query_grid": f"{query_grid.t},{query_grid.h},{query_grid.w}",
            "key_grid": f"{key_grid.t},{key_grid.h},{key_grid.w}",
        }  # fmt: skip
        queries = rng.choice(query_grid.cells, ASKED, replace=False)
        keys = rng.choice(key_grid.cells, ASKED, replace=False)
        cases.append({
            "kind": kind, "scale": scale, "frames": frames, "channels": channels,
            "query_grid": asdict(query_grid), "key_grid": asdict(key_grid),
            "safetensors": base64.b64encode(container(tensors, metadata)).decode(),
            "rows": [
                {"cell": asdict(cell_of(query_grid, int(i))), "weights": p[i].tolist(),
                 "top": top_answers(p[i], key_grid)}
                for i in queries
            ],
            "columns": [
                {"cell": asdict(cell_of(key_grid, int(j))), "weights": p[:, j].tolist(),
                 "top": top_answers(p[:, j], query_grid)}
                for j in keys
            ],
        })  # fmt: skip
    return cases


def ties() -> dict[str, object]:
    """Equal weights: the lower flat index comes first."""
    grid = Grid(1, 2, 4)
    weights = np.array([0.125, 0.25, 0.125, 0.25, 0.0, 0.25, 0.0, 0.0])
    first = GridPoint(0, 0, 1)
    return {
        "grid": asdict(grid),
        "weights": weights.tolist(),
        "first": asdict(first),
        "top": top_answers(weights, grid),
    }


def main() -> None:
    """Write both files."""
    rng = np.random.default_rng(20180618)
    FIXTURES.mkdir(parents=True, exist_ok=True)
    (FIXTURES / "geometry.json").write_text(json.dumps(geometry_cases(rng), indent=None) + "\n")
    (FIXTURES / "affinity.json").write_text(json.dumps({"cases": affinity_cases(rng), "ties": ties()}) + "\n")


if __name__ == "__main__":
    main()
