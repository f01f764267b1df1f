"""Groups: a grid cut into equal boxes, where x_i sees only the keys of its own box.

`Groups` counts boxes along time, height and width: (4, 1, 1) are four groups of consecutive frames, (T, 1, 1) is
space-only, (1, H, W) time-only. Queries and keys are cut into as many boxes, whatever the sizes of their grids.
"""

from __future__ import annotations

import torch
from torch import Tensor

Groups = tuple[int, int, int]
WHOLE: Groups = (1, 1, 1)


def fold(x: Tensor, groups: Groups) -> Tensor:
    """[N, C, T, H, W] -> [N * boxes, places of a box, C]; boxes and places time-major, rows, columns."""
    n, c, t, h, w = x.shape
    by_t, by_h, by_w = groups
    boxes = x.reshape(n, c, by_t, t // by_t, by_h, h // by_h, by_w, w // by_w).permute(0, 2, 4, 6, 3, 5, 7, 1)
    return boxes.reshape(n * by_t * by_h * by_w, -1, c)


def unfold(y: Tensor, grid: tuple[int, int, int], groups: Groups) -> Tensor:
    """The inverse of `fold` for a grid (T, H, W)."""
    (t, h, w), (by_t, by_h, by_w) = grid, groups
    boxes = y.reshape(-1, by_t, by_h, by_w, t // by_t, h // by_h, w // by_w, y.shape[-1])
    return boxes.permute(0, 7, 1, 4, 2, 5, 3, 6).reshape(-1, y.shape[-1], t, h, w)


def box_of_each_place(grid: tuple[int, int, int], groups: Groups, device: torch.device) -> Tensor:
    """The number of the box that each flat place of the grid lies in: int64 [T * H * W]."""
    number = torch.zeros((1, 1, 1), dtype=torch.int64, device=device)
    for axis, (length, count) in enumerate(zip(grid, groups, strict=True)):
        along = torch.arange(length, device=device) // (length // count)
        number = number * count + along.reshape([-1 if i == axis else 1 for i in range(3)])
    return number.flatten()
