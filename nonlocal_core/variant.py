"""Null models: the same clip with its order, its motion or its learning taken away, to see what an arrow owes to them.

    shuffled         the frames in a random order (seed 0): what the network sees is the same, when it sees it is not
    reversed         the last frame first
    frozen           the first frame throughout: nothing moves
    random_weights   the blocks' theta and phi with their numbers in a random order (seed 0): nothing learnt relates

No torch: the web process names variants too. `model/randomise.py` does what `random_weights` asks.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from nonlocal_core.errors import UnfitVariant

Variant = Literal["none", "shuffled", "reversed", "frozen", "random_weights"]
VARIANTS: tuple[Variant, ...] = get_args(Variant)
SEED = 0  # of the shuffled order and of the random weights

_NOTES: dict[Variant, str] = {
    "shuffled": f"Null model: the frames were shuffled (seed {SEED}) before the network saw them.",
    "reversed": "Null model: the network saw the frames in reverse.",
    "frozen": "Null model: the network saw the first frame in place of every other.",
    "random_weights": f"Null model: the weights of the blocks' theta and phi are in random order (seed {SEED}).",
}


def frame_order(variant: Variant, count: int) -> NDArray[np.int64]:
    """Which of a clip's `count` frames the network sees first, second, ...: int64 [count]."""
    order = np.arange(count)
    if variant == "shuffled":
        return np.random.default_rng(SEED).permutation(order)
    if variant == "reversed":
        return order[::-1]
    return np.zeros_like(order) if variant == "frozen" else order


def notes_of(variant: Variant) -> tuple[str, ...]:
    """What a person must be told of the variant; nothing of the clip as it is."""
    return (_NOTES[variant],) if variant != "none" else ()


def ensure_fits(variant: Variant, kinds: Iterable[str]) -> None:
    """Ask before a clip is made or run; `kinds` are those of the model's blocks.

    Raises:
        UnfitVariant: random weights are wanted of a model whose blocks have none.
    """
    if variant == "random_weights" and all(kind == "gaussian" for kind in kinds):
        raise UnfitVariant("no block of this model has a theta and a phi: there are no weights to make random")
