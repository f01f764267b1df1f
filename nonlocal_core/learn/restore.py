"""g and W_z in closed form, block by block: what a block must add so that later layers see what was hidden.

With theta and phi given, y_i before g is a fixed average of the keys, a_i = sum_j p_ij x_j, and W_z g is a linear map
of it. So the map that best turns the features of a clip with hidden cells into those of the whole clip is a least
squares problem: r_i = x_i(whole) - x_i(hidden) against a_i, with r = 0 where nothing is hidden. Its solution, cut to
the block's inner width (reduced rank regression, Izenman 1975), is W_z g. No gradient step is made. At the end all
blocks are turned down together, by the scale of their norms: a weaker block changes fewer classes of whole clips.
Next: `commands/relating.py`, which does this after theta and phi were fitted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from nonlocal_core.learn.hidden import Blocks, Halves, cells_of_a_lesson, grid_of
from nonlocal_core.model.block import NonLocalBlock
from nonlocal_core.model.build import Model
from nonlocal_core.model.norm import Affine
from nonlocal_core.model.precision import computing_in, sooner

WHOLE_EVERY = 3  # of every third clip nothing is hidden ...
WHOLE_WEIGHT = 100.0  # ... and its cells weigh more: arrows may not cost accuracy. Found by trying
WHOLE_CLIPS = 80  # that tell at the end how many classes the blocks change
CELLS = 3000  # of each clip: neighbours say much the same
RIDGE = 1e-3  # of the mean square of a feature

Tell = Callable[[str], None]


class Moments:
    """Weighted second moments of what a block aggregates, a [C, N], and of what it should add, r [C, N]."""

    def __init__(self, channels: int) -> None:
        self._channels = channels
        self._inputs = torch.zeros(channels + 1, channels + 1, dtype=torch.float64)  # a is joined by a constant 1
        self._both = torch.zeros(channels, channels + 1, dtype=torch.float64)

    def add(self, a: Tensor, r: Tensor, *, weight: float) -> None:
        """Count in a [C, N] and r [C, N]."""
        inputs = torch.cat([a, torch.ones_like(a[:1])]).double()
        self._inputs += weight * inputs @ inputs.T
        self._both += weight * r.double() @ inputs.T

    def solved(self, rank: int) -> tuple[Tensor, Tensor, Tensor]:
        """W [C, rank], G [rank, C], b [C] with the least squares of r - (W G a + b); float32."""
        held = torch.ones(self._channels + 1, dtype=torch.float64)
        held[-1] = 0  # the constant is not held back
        ridge = RIDGE * self._inputs.diagonal()[:-1].mean() * held.diag()
        full = cast("Tensor", torch.linalg.solve(self._inputs + ridge, self._both.T)).T  # [C, C + 1]
        values, vectors = _eigen(self._inputs[:-1, :-1] / self._inputs[-1, -1])
        size = values.clamp(min=1e-6 * float(values[-1])).sqrt()  # of a along each direction
        left, strength, right = _singular(full[:, :-1] @ vectors * size)  # what matters is W G a, not W G
        root = strength[:rank].sqrt()
        back = vectors / size
        return (left[:, :rank] * root).float(), (root[:, None] * right[:rank] @ back.T).float(), full[:, -1].float()


def restore(
    model: Model, files: Sequence[Path], random: np.random.Generator, *, clips: int, strength: float, tell: Tell
) -> None:
    """Give every block of `model` its g and W_z, in network order; theta and phi stay.

    Args:
        model: in evaluation mode, on the processor; its blocks end in an affine norm. It is changed.
        files: what leaves the stage of its first block, of whole clips: .npy, [T, H, W, C].
        random: draws clips, cells and what is hidden.
        clips: for each block.
        strength: factor on every W_z in the end; at 1 it is the least squares solution.
        tell: called with lines for people.
    """
    halves = Halves(model)
    generator = torch.Generator().manual_seed(int(random.integers(1 << 32)))
    for name, module in model.blocks.items():
        block = cast("NonLocalBlock", module)
        moments, errors = Moments(block.g.in_channels), dict[str, list[float]]()
        for number in range(clips):
            whole = number % WHOLE_EVERY == 0
            a, r = _lesson(halves, name, block, _loaded(_any_of(files, random)), generator, whole=whole)
            moments.add(a, r, weight=WHOLE_WEIGHT if whole else 1.0)
        _fill(block, *moments.solved(block.g.out_channels))
        for kind in ("whole", "hidden"):
            a, r = _lesson(halves, name, block, _loaded(_any_of(files, random)), generator, whole=kind == "whole")
            errors[kind] = [float(r.square().mean()), float((r - added(block, a)).square().mean())]
        told = ", ".join(f"{kind} {before:.4f} -> {after:.4f}" for kind, (before, after) in errors.items())
        tell(f"  {name}: mean square of what is missing, {told}")
    _turn_down(model, strength)
    kept = share_kept(halves, [_any_of(files, random) for _ in range(WHOLE_CLIPS)])
    tell(f"  W_z scaled by {strength:g}: {100 * kept:.1f} % of {WHOLE_CLIPS} whole clips of the fit keep their class")


@torch.no_grad()
def _turn_down(model: Model, strength: float) -> None:
    """Scale W_z of all blocks alike, by their norms."""
    for block in cast("Iterable[NonLocalBlock]", model.blocks.values()):
        cast("Affine", block.w_z[1]).weight.fill_(strength)


@torch.no_grad()
def share_kept(halves: Halves, whole: Sequence[Path]) -> float:
    """The share of whole clips whose most probable class is the one without blocks."""
    return float((_classes(halves, whole, "with") == _classes(halves, whole, "without")).float().mean())


def _classes(halves: Halves, clips: Sequence[Path], blocks: Blocks) -> Tensor:
    """The most probable class of each clip: [N]."""
    with computing_in(sooner("cpu"), "cpu"):
        return torch.cat([halves.rest(_loaded(file), blocks)[0].argmax(1) for file in clips])


@torch.no_grad()
def _lesson(
    halves: Halves, name: str, block: NonLocalBlock, x: Tensor, generator: torch.Generator, *, whole: bool
) -> tuple[Tensor, Tensor]:
    """a [C, N] and r [C, N] of some cells of one clip."""
    seen = x if whole else x * cells_of_a_lesson(grid_of(x), generator).to(x)
    with computing_in(sooner("cpu"), "cpu"):
        wanted, found = halves.reaching(name, x, "without"), halves.reaching(name, seen, "with")
        theta, keys = block.theta(found), block.pool(found)
        averages = block.pairwise(theta, block.phi(keys)).aggregate(keys.to(theta))  # [1, C, T, H, W]
    some = torch.randperm(found[0, 0].numel(), generator=generator)[:CELLS]
    return averages[0].flatten(1)[:, some].float(), (wanted - found)[0].flatten(1)[:, some].float()


@torch.no_grad()
def added(block: NonLocalBlock, a: Tensor) -> Tensor:
    """What the block adds where it aggregates a: [C, N] -> [C, N]."""
    return block.w_z(block.g(a[None, :, None, None]))[0, :, 0, 0]


@torch.no_grad()
def _fill(block: NonLocalBlock, w: Tensor, g: Tensor, bias: Tensor) -> None:
    conv = cast("torch.nn.Conv3d", block.w_z[0])
    block.g.weight.copy_(g[:, :, None, None, None])
    conv.weight.copy_(w[:, :, None, None, None])
    assert block.g.bias is not None
    assert conv.bias is not None
    block.g.bias.zero_()
    conv.bias.copy_(bias)


def _any_of(files: Sequence[Path], random: np.random.Generator) -> Path:
    return files[int(random.integers(len(files)))]


def _loaded(file: Path) -> Tensor:
    """Features of a clip: float32 [1, C, T, H, W]."""
    x = torch.from_numpy(np.load(file).astype(np.float32))
    return x.permute(3, 0, 1, 2)[None]


def _eigen(matrix: Tensor) -> tuple[Tensor, Tensor]:
    return cast("Any", torch.linalg.eigh(matrix))


def _singular(matrix: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    return cast("Any", torch.linalg.svd(matrix))
