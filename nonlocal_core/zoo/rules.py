"""Conversion tables: one list of rules per source, strict both ways.

Each source tensor must match exactly one rule, each tensor of ours must be supplied exactly once, and shapes must
agree. All misfits are listed in one error; there is no `strict=False`. In a table's file, a comment
`# theirs -> ours` is an example of a rule, and each is a test case (tests/zoo/test_tables.py).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nonlocal_core.errors import ConversionFailed

Array = NDArray[Any]
Shapes = Mapping[str, tuple[int, ...]]


def unchanged(array: Array) -> Array:
    """The array as it is."""
    return array


def as_convolution(array: Array) -> Array:
    """A linear layer's weight [classes, C] as that of a 1x1x1 convolution; one that is a convolution stays."""
    return array.reshape(*array.shape, 1, 1, 1) if array.ndim == 2 else array


@dataclass(frozen=True)
class Rule:
    """Tensors whose whole name matches `theirs` become `ours` (a template for `re.Match.expand`) after `change`.

    Two marks in the expanded name: `+2` is the number after 2 (their layer2 becomes our res3 by `res+\\1`), `#2` the
    second letter (their conv2 becomes our b by `#\\3`).
    """

    theirs: str
    ours: str
    change: Callable[[Array], Array] = unchanged

    def name(self, match: re.Match[str]) -> str:
        """Our name for a match of `theirs`."""
        name = re.sub(r"#(\d)", lambda mark: " abc"[int(mark[1])], match.expand(self.ours).lower())
        return re.sub(r"(\++)(\d+)", lambda mark: str(int(mark[2]) + len(mark[1])), name)


@dataclass(frozen=True)
class Repeat:
    """Tensors that a source stores a second time under another name of its own: compared with `of`, then dropped."""

    theirs: str
    of: str


@dataclass(frozen=True)
class Ignored:
    """What is known to be no weight of the network: counters, learning rates, an optimiser's state."""

    theirs: str


Rules = Sequence[Rule | Repeat | Ignored]


@dataclass(frozen=True, eq=False)
class Renamed:
    """A source's tensors under our names, whose they were, and what did not fit."""

    tensors: dict[str, Array] = field(default_factory=dict[str, Array])
    origins: dict[str, str] = field(default_factory=dict[str, str])
    misfits: list[str] = field(default_factory=list[str])

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of each tensor."""
        return {name: tensor.shape for name, tensor in self.tensors.items()}


def rename(source: Mapping[str, Array], rules: Rules, texts: Iterable[str] = ()) -> Renamed:
    """Their tensors under our names, with every tensor that no rule or more than one rule matches as a misfit.

    Args:
        source: their tensors by name.
        rules: the table of that source.
        texts: names of what the file holds besides numbers; a table must ignore each.
    """
    renamed = Renamed()
    for theirs in (*source, *texts):
        matches = [(rule, match) for rule in rules if (match := re.fullmatch(rule.theirs, theirs))]
        if len(matches) != 1:
            renamed.misfits.append(f"{theirs}: {len(matches)} rules match, one must")
            continue
        rule, match = matches[0]
        if isinstance(rule, Ignored):
            continue
        if theirs not in source:
            renamed.misfits.append(f"{theirs}: not a number, but weights were expected")
        elif isinstance(rule, Repeat):
            _compare(source, theirs, match.expand(rule.of), renamed.misfits)
        elif (ours := rule.name(match)) in renamed.tensors:
            renamed.misfits.append(f"{ours}: supplied twice, the second time by {theirs}")
        else:
            renamed.tensors[ours], renamed.origins[ours] = _changed(source[theirs], rule), theirs
    return renamed


def _changed(array: Array, rule: Rule) -> Array:
    try:
        return rule.change(array)
    except ValueError:  # it cannot be turned or cut that way, so its shape will be told to be wrong
        return array


def _compare(source: Mapping[str, Array], theirs: str, other: str, misfits: list[str]) -> None:
    if other not in source:
        misfits.append(f"{theirs}: should repeat {other}, which is missing")
    elif not np.array_equal(source[theirs], source[other]):
        misfits.append(f"{theirs}: should repeat {other}, but differs from it")


def fill(renamed: Renamed, wanted: Shapes) -> dict[str, Array]:
    """Exactly the tensors that a model wants, as float32.

    Raises:
        ConversionFailed: with every tensor that is left over, missing, supplied twice or of the wrong shape.
    """
    misfits = [*renamed.misfits]
    for ours, value in renamed.tensors.items():
        theirs = renamed.origins[ours]
        if ours not in wanted:
            misfits.append(f"{theirs}: would become {ours}, which the model does not have")
        elif value.shape != wanted[ours]:
            misfits.append(f"{theirs}: shape {list(value.shape)}, but {ours} is {list(wanted[ours])}")
        elif value.dtype.kind != "f":
            misfits.append(f"{theirs}: holds {value.dtype}, but weights are floating-point numbers")
    misfits += [f"{ours}: missing" for ours in wanted if ours not in renamed.tensors]
    if misfits:
        raise ConversionFailed(misfits)
    return {ours: np.require(value, np.float32, ["C", "W"]) for ours, value in renamed.tensors.items()}


def convert(source: Mapping[str, Array], rules: Rules, wanted: Shapes) -> dict[str, Array]:
    """Our tensors from theirs, where the model is known beforehand.

    Raises:
        ConversionFailed: with every misfit.
    """
    return fill(rename(source, rules), wanted)
