"""Hidden cells: blocks learn g and W_z by restoring what a frozen network can no longer see. No labels are needed.

The network without its blocks sees the whole clip and teaches. The same network with its blocks sees the features
that reach the first block with cells of space and time set to zero, and must come to the same later features and
class probabilities; clips with nothing hidden must change nothing. Theta and phi are best frozen at what `relate.py`
found: alone, restoring lets them drift away from the objects. Next: `objectives.py`, which this is one of.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from nonlocal_core.errors import TrainingFailed
from nonlocal_core.model.build import Model

Grid3 = tuple[int, int, int]
Blocks = Literal["with", "without"]
Box = tuple[int, int]  # time steps, and rows = columns, that are hidden together; cut at the grid's end

CLEAN = 1 / 3  # share of the clips of a training batch of which nothing is hidden
CLEAN_WEIGHT = 2.0  # and how much more their loss counts: arrows may not cost accuracy
SHARES = (0.2, 0.65)  # of the cells, hidden at random in training
ALL_TIME = 1 << 30  # time steps of a tube: hidden from the first frame to the last
BOXES: tuple[Box, ...] = ((1, 1), (2, 2), (2, 4), (ALL_TIME, 2))
MEASURED: tuple[float, Box] = (0.5, (2, 4))  # in validation; 2x4x4 cells of 28x28 are one key of a block at 14x14
SEED = 0  # of the cells that validation hides


def visible_cells(grid: Grid3, box: Box, share: float, generator: torch.Generator | None = None) -> Tensor:
    """0 where a cell is hidden, else 1: float32 [1, 1, T, H, W]. Each box of cells is hidden with chance `share`."""
    t, side = min(box[0], grid[0]), min(box[1], grid[1], grid[2])
    boxes = (-(-grid[0] // t), -(-grid[1] // side), -(-grid[2] // side))
    seen = (torch.rand(1, 1, *boxes, generator=generator) >= share).float()
    for axis, length in ((2, t), (3, side), (4, side)):
        seen = seen.repeat_interleave(length, axis)
    return seen[:, :, : grid[0], : grid[1], : grid[2]]


def cells_of_a_lesson(grid: Grid3, generator: torch.Generator | None = None) -> Tensor:
    """What is visible of a training clip, by a random box and share: as `visible_cells`."""
    box = BOXES[int(torch.randint(len(BOXES), (), generator=generator))]
    low, high = SHARES
    return visible_cells(grid, box, low + (high - low) * float(torch.rand((), generator=generator)), generator)


class Halves:
    """A network cut where its first block stands: the stages up to there, and the rest with or without blocks."""

    def __init__(self, model: Model) -> None:
        if not model.blocks:
            raise TrainingFailed("hidden cells are restored by non-local blocks, but the model has none")
        names = list(model.stages)
        last_block = list(model.blocks)[-1]
        self._model = model
        cut = names.index(next(iter(model.blocks))) + 1
        self._front, self._rest = names[:cut], names[cut:]
        self._compared = {last_block, names[-1]}

    def front(self, clips: Tensor) -> Tensor:
        """Clips [N, 3, T, S, S] -> what reaches the first block."""
        x = clips
        for name in self._front:
            x = self._model.stages[name](x)
        return x

    def reaching(self, block: str, x: Tensor, blocks: Blocks) -> Tensor:
        """From the first block on: what reaches a block, [N, C, T, H, W]."""
        names = [self._front[-1], *self._rest]
        for before, name in pairwise(names[: names.index(block) + 1]):
            x = self._model.stages[name](self._passed(before, x, blocks))
        return x

    def rest(self, x: Tensor, blocks: Blocks) -> tuple[Tensor, list[Tensor]]:
        """From the first block on: logits [N, C], and the features after the last block and after the last stage."""
        x = self._passed(self._front[-1], x, blocks)
        kept = [x] if self._front[-1] in self._compared else []
        for name in self._rest:
            x = self._passed(name, self._model.stages[name](x), blocks)
            if name in self._compared:
                kept.append(x)
        return self._model.head(x), kept

    def _passed(self, stage: str, x: Tensor, blocks: Blocks) -> Tensor:
        """x after the block of a stage, if it has one and blocks are wanted."""
        return self._model.blocks[stage](x) if blocks == "with" and stage in self._model.blocks else x


class Restoring(nn.Module):
    """The loss of a batch: forward(clips, targets) -> {"loss", ...}; there are no targets."""

    def __init__(self, model: Model) -> None:
        super().__init__()
        self.model = model
        self._halves = Halves(model)

    def forward(self, clips: Tensor, _targets: Tensor) -> dict[str, Tensor]:
        """Clips [N, 3, T, S, S] -> scalars: the loss and, in evaluation, the shares that keep the teacher's class."""
        with torch.no_grad():
            x = self._halves.front(clips)
            taught = self._halves.rest(x, "without")
        return self._lesson(x, taught) if self.training else self._examination(x, taught)

    def _lesson(self, x: Tensor, taught: tuple[Tensor, list[Tensor]]) -> dict[str, Tensor]:
        clean = torch.rand(len(x)) < CLEAN
        seen = torch.cat([torch.ones(1, 1, *grid_of(x)) if whole else cells_of_a_lesson(grid_of(x)) for whole in clean])
        missed, parted = _distances(self._halves.rest(x * seen.to(x), "with"), taught)  # [N], [N]
        weight = torch.where(clean, CLEAN_WEIGHT, 1.0).to(missed)
        return {"loss": (weight * (missed + parted)).mean()}

    def _examination(self, x: Tensor, taught: tuple[Tensor, list[Tensor]]) -> dict[str, Tensor]:
        share, box = MEASURED
        seen = visible_cells(grid_of(x), box, share, torch.Generator().manual_seed(SEED)).to(x)
        teacher = taught[0].argmax(1)
        clean, hidden = self._halves.rest(x, "with"), self._halves.rest(x * seen, "with")
        bare = self._halves.rest(x * seen, "without")
        found = {"clean": clean, "hidden": hidden, "without_blocks": bare}
        shares = {name: (logits.argmax(1) == teacher).float().mean() for name, (logits, _) in found.items()}
        missed, parted = _distances(hidden, taught)
        strayed, changed = _distances(clean, taught)
        lost = (missed + parted + CLEAN_WEIGHT * (strayed + changed)).mean()
        return {"loss": lost, **shares}


def _distances(student: tuple[Tensor, list[Tensor]], teacher: tuple[Tensor, list[Tensor]]) -> tuple[Tensor, Tensor]:
    """Of each clip [N]: the features' squared distance over the teacher's square, summed; KL of the probabilities."""
    missed = sum(
        (mine.float() - theirs.float()).square().flatten(1).sum(1) / theirs.float().square().flatten(1).sum(1)
        for mine, theirs in zip(student[1], teacher[1], strict=True)
    )
    mine, theirs = (logits.float().log_softmax(1) for logits in (student[0], teacher[0]))
    return torch.as_tensor(missed), functional.kl_div(mine, theirs, log_target=True, reduction="none").sum(1)


def grid_of(x: Tensor) -> Grid3:
    """Its time steps, rows and columns."""
    t, h, w = x.shape[2:]
    return t, h, w
