"""Write the golden numbers that the Python and the JavaScript tests share: tests/fixtures/*.json.

Geometry comes from nonlocal_core.geometry; affinities are the paper's formulas written out in NumPy (float64),
on purpose without nonlocal_core.affinity, which is held to them. Seeded: a second run changes no byte.

    python scripts/make_fixtures.py
"""

from __future__ import annotations

import base64
import json
from dataclasses import asdict, astuple
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from nonlocal_core.geometry import ClipPoint, Grid, GridPoint, cell_at, cell_of, centre_of, flat_index, span_of

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


QUESTIONS: list[tuple[str, int, dict[str, object]]] = [  # name, place in SHAPES, what differs from a usual question
    ("usual", 1, {}),
    ("by mass", 1, {"mass": 60.0}),
    ("by mass, negative weights", 3, {"mass": 40.0}),
    ("other frames", 0, {"when": "others", "k": 9}),
    ("same frame", 2, {"when": "same", "direction": "reverse"}),
    ("a range", 1, {"when": "3-9"}),
    ("near in space", 2, {"near": {"cells": 1, "frames": 0}}),
    ("near in time", 0, {"near": {"cells": 0, "frames": 9}, "direction": "reverse"}),
    ("contribution", 1, {"value": "contribution"}),
    ("contribution, reverse", 4, {"value": "contribution", "direction": "reverse"}),
    ("minus the mean", 1, {"minus_mean": True}),
    ("minus the mean, reverse", 3, {"minus_mean": True, "direction": "reverse", "value": "contribution"}),
    ("region, mean", 1, {"pool": "mean"}),
    ("region, max", 3, {"pool": "max", "when": "others"}),
    ("region, each", 1, {"pool": "each", "k": 12, "near": {"cells": 0, "frames": 3}}),
    ("region, reverse, by mass", 0, {"pool": "each", "direction": "reverse", "mass": 20.0}),
]


def query_cases(rng: np.random.Generator) -> list[dict[str, object]]:
    """One question each: the features file with means and what keys carry, the question, its values and its arrows."""
    cases: list[dict[str, object]] = []
    for name, shape, choices in QUESTIONS:
        kind, query_grid, key_grid, frames, channels, scale = SHAPES[shape]
        theta = rng.normal(size=(query_grid.cells, channels)).astype(np.float32)
        phi = rng.normal(size=(key_grid.cells, channels)).astype(np.float32)
        logits = scale * theta.astype(np.float64) @ phi.astype(np.float64).T
        p = matrix(kind, logits)
        carried = rng.uniform(0.2, 3, key_grid.cells)
        tensors = {"theta": theta, "phi": phi, "mean_row": p.mean(0), "mean_column": p.mean(1), "carried": carried}
        if kind in ("gaussian", "embedded_gaussian"):
            tensors["lse"] = np.log(np.exp(logits).sum(axis=1))
        tensors["added"] = np.zeros(query_grid.cells)
        metadata = {
            "kind": kind, "scale": repr(scale), "block": "res3_1",
            "query_grid": f"{query_grid.t},{query_grid.h},{query_grid.w}",
            "key_grid": f"{key_grid.t},{key_grid.h},{key_grid.w}",
        }  # fmt: skip
        reverse = choices.get("direction") == "reverse"
        asking, answering = (key_grid, query_grid) if reverse else (query_grid, key_grid)
        corner = cell_of(asking, int(rng.integers(asking.cells)))
        far = GridPoint(min(corner.t + 1, asking.t - 1), asking.h - 1, min(corner.w + 1, asking.w - 1))
        cells = [corner]
        if "pool" in choices:
            spans = (range(low, high + 1) for low, high in zip(astuple(corner), astuple(far), strict=True))
            cells = [GridPoint(*place) for place in product(*spans)]
        query = {
            "block": "res3_1", "point": asdict(centre_of(asking, corner, frames)), "pool": "mean",
            "direction": "forward", "k": 20, "mass": None, "near": None, "when": "all",
            "value": "weight", "minus_mean": False,
        } | choices  # fmt: skip
        if "pool" in choices:
            query["to"] = asdict(centre_of(asking, far, frames))
        values, top = longhand(p, carried, cells, asking, answering, frames, query)
        cases.append({
            "name": name, "frames": frames, "query": query, "cells": [asdict(cell) for cell in cells],
            "safetensors": base64.b64encode(
                container({key: array.astype(np.float32) for key, array in tensors.items()}, metadata)
            ).decode(),
            "values": values.tolist(), "top": top,
        })  # fmt: skip
    return cases


def is_allowed(
    cell: GridPoint, cells: list[GridPoint], asking: Grid, answering: Grid, frames: int, query: dict[str, Any]
) -> bool:
    """Whether a cell of the answering grid may be an answer: the wanted frames, outside the neighbourhood."""
    first, last = span_of(asking, cells[0], frames), span_of(asking, cells[-1], frames)
    span = span_of(answering, cell, frames)
    whole = {"all": (0, frames), "same": (first.first, last.last), "others": (first.first, last.last)}
    low, high = whole.get(query["when"]) or map(int, query["when"].split("-"))
    shared = any(low <= frame <= high for frame in range(span.first, span.last + 1))
    if shared == (query["when"] == "others"):
        return False
    near = query["near"]
    gap = max(0, span.first - last.last, first.first - span.last)
    if not near or gap > near["frames"]:
        return True
    rows, columns = (  # of the answering grid that overlap the asked box, in exact fractions
        [n for n in range(theirs) if n * ours < (end + 1) * theirs and (n + 1) * ours > begin * theirs]
        for theirs, ours, begin, end in (
            (answering.h, asking.h, cells[0].h, cells[-1].h), (answering.w, asking.w, cells[0].w, cells[-1].w)
        )
    )  # fmt: skip
    margin = near["cells"]
    beside = any(abs(cell.h - h) <= margin for h in rows) and any(abs(cell.w - w) <= margin for w in columns)
    return not beside


def longhand(
    p: np.ndarray, carried: np.ndarray, cells: list[GridPoint], asking: Grid, answering: Grid, frames: int, query: dict
) -> tuple[np.ndarray, list[dict[str, object]]]:
    """The answer by loops over cells, as the words of `nonlocal_core.affinity.query.Query` say it."""
    reverse = query["direction"] == "reverse"
    amount = p - (p.mean(1, keepdims=True) if reverse else p.mean(0)) if query["minus_mean"] else p
    amount = amount * carried if query["value"] == "contribution" else amount
    rows = [(amount.T if reverse else amount)[flat_index(asking, cell)] for cell in cells]
    allowed = [
        n for n in range(answering.cells) if is_allowed(cell_of(answering, n), cells, asking, answering, frames, query)
    ]
    pooled = np.mean(rows, 0) if query["pool"] == "mean" else np.max(rows, 0)
    each = query["pool"] == "each"
    pairs = [(row[n], cell, n) for cell, row in zip(cells, rows, strict=True) for n in allowed] if each else [
        (pooled[n], cells[0], n) for n in allowed
    ]  # fmt: skip
    pairs.sort(key=lambda pair: -pair[0])
    if query["mass"] is not None:
        whole = sum(max(0, value) for value, _, _ in pairs)
        held, count = 0.0, 0
        while held < whole * query["mass"] / 100:
            held, count = held + pairs[count][0], count + 1
        pairs = pairs[:count]
    pairs = pairs[: 1000 if query["mass"] is not None else query["k"]]
    mass = np.cumsum([value for value, _, _ in pairs]) / (len(cells) if each else 1)
    return pooled, [
        {
            "rank": rank,
            "start": asdict(start),
            "cell": asdict(cell_of(answering, n)),
            "weight": value,
            "mass": float(total),
        }
        for rank, ((value, start, n), total) in enumerate(zip(pairs, mass, strict=True), 1)
    ]


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
    """Write the files."""
    rng = np.random.default_rng(20180618)
    FIXTURES.mkdir(parents=True, exist_ok=True)
    (FIXTURES / "geometry.json").write_text(json.dumps(geometry_cases(rng), indent=None) + "\n")
    (FIXTURES / "affinity.json").write_text(json.dumps({"cases": affinity_cases(rng), "ties": ties()}) + "\n")
    (FIXTURES / "query.json").write_text(json.dumps(query_cases(rng)) + "\n")


if __name__ == "__main__":
    main()
