"""Conversion tables: one list of rules per source, strict both ways.

Each source tensor must match exactly one rule, each tensor of ours must be supplied exactly once, and shapes must
agree. All misfits are listed in one error; there is no `strict=False`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nonlocal_core.errors import ConversionFailed

Array = NDArray[Any]


def unchanged(array: Array) -> Array:
    """The array as it is."""
    return array


@dataclass(frozen=True)
class Rule:
    """Tensors whose whole name matches `theirs` become `ours` (a template for `re.Match.expand`) after `change`."""

    theirs: str
    ours: str
    change: Callable[[Array], Array] = unchanged


def convert(
    source: Mapping[str, Array], rules: Sequence[Rule], wanted: Mapping[str, tuple[int, ...]]
) -> dict[str, Array]:
    """Our tensors from theirs.

    Args:
        source: their tensors by name.
        rules: the table of that source.
        wanted: our tensors' names and shapes, from the model that is to be filled.

    Raises:
        ConversionFailed: with every tensor that is left over, missing, supplied twice or of the wrong shape.
    """
    converted: dict[str, Array] = {}
    misfits: list[str] = []
    for theirs, array in source.items():
        matches = [(rule, match) for rule in rules if (match := re.fullmatch(rule.theirs, theirs))]
        if len(matches) != 1:
            misfits.append(f"{theirs}: {len(matches)} rules match, one must")
            continue
        rule, match = matches[0]
        ours, value = match.expand(rule.ours).lower(), rule.change(array)
        if ours in converted:
            misfits.append(f"{ours}: supplied twice, the second time by {theirs}")
        elif ours not in wanted:
            misfits.append(f"{theirs}: would become {ours}, which the model does not have")
        elif value.shape != wanted[ours]:
            misfits.append(f"{theirs}: shape {list(value.shape)}, but {ours} is {list(wanted[ours])}")
        converted[ours] = np.ascontiguousarray(value)
    misfits += [f"{ours}: missing" for ours in wanted if ours not in converted]
    if misfits:
        raise ConversionFailed(misfits)
    return converted
