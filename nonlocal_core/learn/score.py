"""Do the arrows point at the right things? The share of arrows from an object that end on it in *other* frames.

For query cells that lie on a known object, the row is asked only for keys whose frames the query's cell does not
cover. An arrow counts by the part of its end cell that the object covers, so an arrow to anywhere scores the object's
mean area in those frames: that is chance, and it is stated beside every score. Three baselines need no training:
raw pixels (non-local means, Buades et al. 2005), the frozen features' cosine, and blocks with random weights.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from nonlocal_core.affinity.arrows import TOP_ARROWS, top_indices
from nonlocal_core.affinity.field import AffinityField, Floats
from nonlocal_core.analysis import Analysis, analyse
from nonlocal_core.geometry import Grid, cell_of
from nonlocal_core.learn.truth import TruthClip, coverage_of_cells
from nonlocal_core.model.build import Model
from nonlocal_core.video import crop_clip

ON_OBJECT = 0.7  # a query cell lies on the object when the object covers at least this much of it
MOST_QUERIES = 60  # of one clip and block, drawn at random with a fixed seed
SEED = 0

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Score:
    """What the arrows of one block did, averaged over queries."""

    hit: float  # share of the top 20 that lands on the object
    mass: float  # share of the affinity that does
    chance: float  # the object's share of the candidate cells
    entropy: float  # of the rows, 1 = uniform; rows that are all alike and flat have collapsed
    queries: int

    @property
    def lift(self) -> float:
        """How many times chance."""
        return self.hit / self.chance if self.chance else float("nan")


def score_field(field: AffinityField, crop: Floats) -> list[Score]:
    """One score for each query cell on the object; `crop` [T, S, S] is the object's share of each pixel."""
    asked, answered = coverage_of_cells(crop, field.query_grid), coverage_of_cells(crop, field.key_grid)
    candidates = np.flatnonzero(asked >= ON_OBJECT)
    random = np.random.default_rng(SEED)
    chosen = random.choice(candidates, min(MOST_QUERIES, len(candidates)), replace=False)
    return [_score_query(field, int(index), answered) for index in chosen]


def _score_query(field: AffinityField, index: int, answered: Floats) -> Score:
    query = cell_of(field.query_grid, index)
    elsewhere = other_frames(field, query.t)
    weights, covered = field.row(query)[elsewhere], answered[elsewhere]
    total = float(np.abs(weights).sum()) or 1.0
    best = top_indices(weights, TOP_ARROWS)
    return Score(
        hit=float(covered[best].mean()),
        mass=float((np.abs(weights) * covered).sum() / total),
        chance=float(covered.mean()),
        entropy=_entropy(np.abs(weights)),
        queries=1,
    )


def other_frames(field: AffinityField, t: int) -> NDArray[np.bool_]:
    """Which keys [K] share no frame with the queries of time step `t`."""
    query_grid, key_grid = field.query_grid, field.key_grid
    steps = np.arange(key_grid.t)
    # Step s of n covers the part [s/n, (s+1)/n) of the clip; two parts meet unless one ends before the other begins.
    apart = ((steps + 1) * query_grid.t <= t * key_grid.t) | (steps * query_grid.t >= (t + 1) * key_grid.t)
    return np.repeat(apart, key_grid.h * key_grid.w)


def _entropy(weights: Floats) -> float:
    """Of the weights as a distribution, over that of the uniform one."""
    p = weights[weights > 0] / weights.sum()
    return float(-(p * np.log(p)).sum() / np.log(len(weights)))


def mean_score(scores: Iterable[Score]) -> Score:
    """The average over queries."""
    rows = [(s.hit, s.mass, s.chance, s.entropy) for s in scores]
    if not rows:
        return Score(float("nan"), float("nan"), float("nan"), float("nan"), 0)
    hit, mass, chance, entropy = (float(value) for value in np.mean(rows, 0))
    return Score(hit, mass, chance, entropy, len(rows))


def pixel_field(rgb: NDArray[np.uint8], like: AffinityField) -> AffinityField:
    """Non-local means on the grids of `like`: f = exp(-|a - b|^2) of the cells' mean-pooled 4x4 pixels.

    |a - b|^2 = |a|^2 - 2 a.b + |b|^2, and |a|^2 is the same for a whole row, so theta = [a, 1], phi = [2b, -|b|^2].
    """
    a, b = (_patches(rgb, grid) for grid in (like.query_grid, like.key_grid))
    theta = np.concatenate([a, np.ones((len(a), 1), np.float32)], 1)  # [Q, C + 1]
    phi = np.concatenate([2 * b, -(b * b).sum(1, keepdims=True)], 1)  # [K, C + 1]
    return replace(like, kind="gaussian", scale=1.0, theta=theta, phi=phi, given_log_sum_exp=None)


def _patches(rgb: NDArray[np.uint8], grid: Grid) -> Floats:
    """Each cell as 4x4 colours, averaged over its frames, in [0, 1]: [cells, 48]."""
    frames, size = rgb.shape[:2]
    t, h, w, side = frames // grid.t, size // grid.h, size // grid.w, 4
    x = rgb.reshape(grid.t, t, grid.h, side, h // side, grid.w, side, w // side, 3).astype(np.float32) / 255
    return x.mean((1, 4, 7)).transpose(0, 1, 3, 2, 4, 5).reshape(grid.cells, -1)


def crop_truth(analysis: Analysis, truth: TruthClip) -> Floats:
    """The object in the very frames and crop that the network saw: [T, S, S]."""
    shown = truth.object[np.minimum(analysis.clip.indices, len(truth.object) - 1)]  # [T, H, W]
    grey = np.round(255 * shown[..., None]).astype(np.uint8)
    return np.divide(crop_clip(grey, analysis.clip.rgb.shape[1])[..., 0], 255, dtype=np.float32)


Card = dict[str, dict[str, Score]]  # by the name of a model or baseline, then by block


def scorecard(models: dict[str, Model], clips: Iterable[TruthClip], tell: Tell) -> Card:
    """Every model's blocks, and raw pixels on their grids, over all clips."""
    found: dict[str, dict[str, list[Score]]] = {}
    for truth in clips:
        for name, model in models.items():
            analysis = analyse(truth.video, model)
            crop = crop_truth(analysis, truth)
            for block, field in analysis.fields.items():
                found.setdefault(name, {}).setdefault(block, []).extend(score_field(field, crop))
                if name == next(iter(models)):
                    pixels = pixel_field(analysis.clip.rgb, field)
                    found.setdefault("pixels", {}).setdefault(block, []).extend(score_field(pixels, crop))
        tell(truth.name)
    return {name: {block: mean_score(scores) for block, scores in blocks.items()} for name, blocks in found.items()}


def format_scorecard(card: Card) -> str:
    """The card as a table, blocks in columns."""
    first = next(iter(card.values()))
    rows = [("hit (x chance) mass", list(first))]
    rows += [
        (name, [f"{s.hit:.3f} ({s.lift:.1f}x) {s.mass:.3f}" for s in blocks.values()]) for name, blocks in card.items()
    ]
    rows += [(f"entropy, {name}", [f"{s.entropy:.2f}" for s in blocks.values()]) for name, blocks in card.items()]
    rows.append(("chance", [f"{s.chance:.3f}" for s in first.values()]))
    rows.append(("queries", [str(s.queries) for s in first.values()]))
    return "\n".join(f"{name:20}" + "".join(f"{cell:>21}" for cell in cells) for name, cells in rows)
