"""How good scores are, as plain NumPy: accuracies of one class a video, average precision of several.

All are shares in [0, 1]. NaN stands where there is nothing to measure. Next: `evaluate.py`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def top_k(scores: Array, targets: Array, k: int) -> float:
    """The share of examples whose class is among the k highest scores.

    Args:
        scores: float [N, C].
        targets: int [N], the true classes.
        k: more than C counts as C.

    Equal scores rank in the order of the classes, so a network that answers the same everywhere gets no credit for it.
    """
    if not len(scores):
        return float("nan")
    best = np.argsort(-scores, axis=1, kind="stable")[:, :k]  # [N, k]
    return float((best == targets[:, None]).any(1).mean())


def class_accuracies(scores: Array, targets: Array) -> Array:
    """Top-1 of each class's examples: float64 [C]; NaN for a class without any."""
    counts = confusion(scores, targets)
    examples = counts.sum(1)
    return np.divide(np.diag(counts), examples, out=np.full(len(counts), np.nan), where=examples > 0)


def confusion(scores: Array, targets: Array) -> NDArray[np.int64]:
    """How many examples of each true class (row) were taken for each class (column): int64 [C, C]."""
    counts = np.zeros((scores.shape[1], scores.shape[1]), np.int64)
    np.add.at(counts, (targets, scores.argmax(1)), 1)
    return counts


def average_precision(scores: Array, positives: Array) -> float:
    """Area under precision over recall of one class: sum over thresholds of (R_n - R_{n-1}) P_n, no interpolation.

    Args:
        scores: float [N].
        positives: [N], 1 or True where the class occurs.

    Equal scores pass a threshold together, so the order of files cannot matter. That is the definition of
    scikit-learn's `average_precision_score`, which the code of Wang et al.'s group uses on Charades
    (video-long-term-feature-banks, lib/utils/metrics.py). Without ties it is Charades' own: the mean, over positives,
    of the precision at each one's rank. NaN without positives.
    """
    positives = positives.astype(bool)
    if not positives.any():
        return float("nan")
    order = np.argsort(-scores, kind="stable")
    hits = np.cumsum(positives[order])  # [N], positives at or above each rank
    ends = np.flatnonzero(np.append(np.diff(scores[order]) != 0, True))  # the last rank of each threshold
    gained = np.diff(hits[ends], prepend=0)  # [thresholds], positives that each one adds
    return float((gained * hits[ends] / (ends + 1)).sum() / hits[-1])


def average_precisions(scores: Array, targets: Array) -> Array:
    """`average_precision` of each class: scores and targets (0 or 1) [N, C] -> float64 [C]; NaN where none occurs."""
    return np.array([average_precision(scores[:, c], targets[:, c]) for c in range(scores.shape[1])])


def mean_average_precision(scores: Array, targets: Array) -> float:
    """The mean of `average_precisions` over the classes that occur; the others are left out.

    Charades' official score ranks the videos without any action last, which is the same as to leave them out.
    """
    found = average_precisions(scores, targets)
    known = found[~np.isnan(found)]
    return float(known.mean()) if len(known) else float("nan")
