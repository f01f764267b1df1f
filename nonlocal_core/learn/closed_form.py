"""Where theta and phi start: a closed form of the cells that find each other across frames, with no gradient step.

What differs within such pairs is noise. Theta and phi whiten that noise (relevant component analysis, Bar-Hillel et
al. 2003) and keep the directions in which cells differ most beside it (linear discriminant analysis, with pairs for
classes). Theta is phi there. Measured in docs/experiments/0001. Next: `relate.py`, which goes on from here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from nonlocal_core.errors import TrainingFailed
from nonlocal_core.learn.windows import Scene

Random = np.random.Generator

# Found by trying.
WINDOWS, STEPS = 150, 4  # windows that are looked at, and pairs of time steps in each
PAIRS, QUERIES, KEYS = 48, 400, 200  # cells taken: pairs of one pair of time steps, queries and keys of one window
SHRINKAGE = 0.1  # of the scatter within pairs, towards its mean eigenvalue
SPREAD = 1.2  # standard deviation of theta . phi: from sharper rows less is learnt, flatter ones mean less


@dataclass(frozen=True, eq=False)
class Cells:
    """What the closed form looks at, all float32."""

    left: Tensor  # [P, C]: queries that found a key
    right: Tensor  # [P, C]: that key
    queries: Tensor  # [N, C]: any
    keys: Tensor  # [M, C]: any


@dataclass(frozen=True, eq=False)
class ClosedForm:
    """theta(x) = directions . whitening . (x - query_mean), phi(x) = directions . whitening . (x - key_mean)."""

    query_mean: Tensor  # float32 [C]
    key_mean: Tensor  # float32 [C]
    whitening: Tensor  # float32 [C, C], symmetric; scaled so that theta . phi spreads by SPREAD
    directions: Tensor  # float32 [D, C], orthonormal rows


def pooled(x: Tensor) -> Tensor:
    """Keys as a block's sub-sampling makes them, 2x2 in space: [T, H, W, C] -> float32 [T, H // 2, W // 2, C]."""
    return functional.max_pool2d(x.permute(0, 3, 1, 2).float(), 2).permute(0, 2, 3, 1)


def some(count: int, most: int, random: Random) -> Tensor:
    """At most `most` of `count` numbers, drawn without repetition: int64."""
    return torch.from_numpy(random.permutation(count)[:most])


def sampled(scenes: Sequence[Scene], random: Random) -> Cells:
    """Cells of randomly chosen scenes of one stage."""
    chosen = [scenes[int(number)] for number in random.permutation(len(scenes))[:WINDOWS]]
    found = [_of_scene(scene, random) for scene in chosen]
    return Cells(
        left=torch.cat([cells.left for cells in found]),
        right=torch.cat([cells.right for cells in found]),
        queries=torch.cat([cells.queries for cells in found]),
        keys=torch.cat([cells.keys for cells in found]),
    )


def _of_scene(scene: Scene, random: Random) -> Cells:
    x = scene.features.float()  # [T, H, W, C]
    keys = pooled(x)
    pairs: list[tuple[Tensor, Tensor]] = []
    for _ in range(STEPS):
        gap = max(1, len(x) // int(random.choice((8, 4, 2))))  # an eighth of the clip, a quarter or a half
        t = int(random.integers(len(x) - gap))
        left, right = mutual(x[t], keys[t + gap])
        kept = some(len(left), PAIRS, random)
        pairs.append((left[kept], right[kept]))
    queries, keys = x.flatten(0, 2), keys.flatten(0, 2)
    return Cells(
        left=torch.cat([left for left, _ in pairs]),
        right=torch.cat([right for _, right in pairs]),
        queries=queries[some(len(queries), QUERIES, random)],
        keys=keys[some(len(keys), KEYS, random)],
    )


def mutual(queries: Tensor, keys: Tensor) -> tuple[Tensor, Tensor]:
    """The query cells of [H, W, C] and the key cells of [H', W', C] that find each other by cosine: [P, C] each.

    A query's best key must have its own best query within one cell of that query: the cycle of Jabri et al. 2020, on
    features as they are.
    """
    width = queries.shape[1]
    x, y = queries.flatten(0, 1), keys.flatten(0, 1)
    likeness = functional.normalize(x, dim=1) @ functional.normalize(y, dim=1).T  # [Q, K]
    there, own = likeness.argmax(1), torch.arange(len(x))  # [Q]
    back = likeness.argmax(0)[there]
    near = ((back // width - own // width).abs() <= 1) & ((back % width - own % width).abs() <= 1)
    return x[near], y[there[near]]


def closed_form(cells: Cells, inner: int) -> ClosedForm:
    """The `inner` directions of highest ratio of total to within-pair variance; float64 inside.

    Raises:
        TrainingFailed: the cells of all pairs are alike.
    """
    query_mean, key_mean = cells.queries.double().mean(0), cells.keys.double().mean(0)
    queries, keys = cells.queries - query_mean, cells.keys - key_mean  # float64
    apart = (cells.left - query_mean) - (cells.right - key_mean)  # [P, C]
    within = apart.T @ apart / len(apart) / 2  # S_w; half, because both cells of a pair have noise
    if not (noise := within.trace() / len(within)) > 0:
        raise TrainingFailed("no two cells of these videos differ, so nothing can be related; give other videos")
    within = within + SHRINKAGE * noise * torch.eye(len(within), dtype=torch.float64)
    values, vectors = _eigen(within)
    whitening = vectors / values.sqrt() @ vectors.T  # S_w^(-1/2)
    total = (queries.T @ queries + keys.T @ keys) / (len(queries) + len(keys))
    directions = _eigen(whitening @ total @ whitening)[1].flip(1)[:, :inner].T  # [D, C], highest ratio first
    project = whitening @ directions.T  # [C, D]
    spread = ((queries[:2000] @ project) @ (keys[:2000] @ project).T).std()
    whitening = whitening * (SPREAD / spread).sqrt()  # a root, because theta and phi both have it
    return ClosedForm(query_mean.float(), key_mean.float(), whitening.float(), directions.float().contiguous())


def _eigen(matrix: Tensor) -> tuple[Tensor, Tensor]:
    """Eigenvalues, rising, and eigenvectors in columns."""
    return cast("tuple[Tensor, Tensor]", torch.linalg.eigh(matrix))
