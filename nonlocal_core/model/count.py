"""What a network costs: parameters and multiply-adds, read off the built model; and the paper's family, counted.

FLOPs are the paper's: one multiply-add is one. Convolutions count, and in a block the two products of the literal
formula, theta . phi and f g, whichever route computes them; norms, pools, ReLUs and the softmax do not.
The models are built on the "meta" device, where shapes flow and no number is computed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from math import prod
from typing import Literal

import torch
from torch import Tensor, nn

from nonlocal_core.geometry import Grid
from nonlocal_core.model.block import NonLocalBlock
from nonlocal_core.model.build import Model
from nonlocal_core.model.pairwise import Affinity
from nonlocal_core.model.spec import BlockSpec, ModelSpec, ResNetSpec


@dataclass(frozen=True)
class Cost:
    """The size and work of a network on one clip, and the grid that leaves each of its stages."""

    parameters: int
    multiply_adds: int
    grids: dict[str, Grid]


def cost_of(spec: ModelSpec) -> Cost:
    """Build the model of `spec`, run it on one clip of the spec's size, and count."""
    with torch.device("meta"):
        model = Model(spec).eval()
        clip = torch.empty(1, 3, spec.frames, spec.size_px, spec.size_px)
    multiply_adds: list[int] = []
    grids: dict[str, Grid] = {}

    def count_convolution(conv: nn.Module, _inputs: object, out: Tensor) -> None:
        assert isinstance(conv, nn.Conv3d)
        multiply_adds.append(out.numel() * conv.in_channels * prod(conv.kernel_size))

    def pairs_of(block: NonLocalBlock) -> Callable[[nn.Module, object, Affinity], None]:
        values = block.g.out_channels if block.spec.residual == "learned" else 0

        def count_pairs(_pairwise: nn.Module, _inputs: object, affinity: Affinity) -> None:
            queries, keys = (prod(x.shape[2:]) for x in (affinity.theta, affinity.phi))
            multiply_adds.append(queries * keys // prod(affinity.groups) * (affinity.theta.shape[1] + values))

        return count_pairs

    def grid_of(name: str) -> Callable[[nn.Module, object, Tensor], None]:
        def note_grid(_stage: nn.Module, _inputs: object, out: Tensor) -> None:
            t, h, w = out.shape[2:]
            grids[name] = Grid(t, h, w)

        return note_grid

    for module in model.modules():
        if isinstance(module, nn.Conv3d):
            module.register_forward_hook(count_convolution)
        if isinstance(module, NonLocalBlock):
            module.pairwise.register_forward_hook(pairs_of(module))
    for name, stage in model.stages.items():
        stage.register_forward_hook(grid_of(name))
    with torch.no_grad():
        model(clip)
    return Cost(sum(p.numel() for p in model.parameters()), sum(multiply_adds), grids)


GREY, CONTRAST = (0.45, 0.45, 0.45), (0.225, 0.225, 0.225)  # video-nonlocal-net: 114.75 and 57.375 of 255

Network = Literal["C2D", "I3D 3x3x3", "I3D 3x1x1", "NL C2D, 5 blocks"]
Depth = Literal[50, 101]

# Parameters and FLOPs relative to the C2D of the same depth: Wang et al. 2018, Table 2e.
PAPER_RATIOS: dict[Network, tuple[float, float]] = {
    "C2D": (1.0, 1.0),
    "I3D 3x3x3": (1.5, 1.8),
    "I3D 3x1x1": (1.2, 1.5),
    "NL C2D, 5 blocks": (1.2, 1.2),
}
# The output sizes of C2D R50 on 32x224x224: Wang et al. 2018, Table 1.
PAPER_GRIDS = {
    "conv1": Grid(16, 112, 112),
    "pool1": Grid(8, 56, 56),
    "res2": Grid(8, 56, 56),
    "pool2": Grid(4, 56, 56),
    "res3": Grid(4, 28, 28),
    "res4": Grid(4, 14, 14),
    "res5": Grid(4, 7, 7),
}
# Every second residual block of res3 and res4; in R101 every seventh of res4: video-nonlocal-net, see FACTS.
FIVE_BLOCKS: dict[Depth, tuple[str, ...]] = {
    50: ("res3_1", "res3_3", "res4_1", "res4_3", "res4_5"),
    101: ("res3_1", "res3_3", "res4_6", "res4_13", "res4_20"),
}


_NOTES = (
    "FLOPs are multiply-adds of one 32x224x224 clip: convolutions, and of a block theta . phi and f g.",
    "The paper prints one set of ratios for both depths. Ours for R101 round to every one of them. What is added to",
    "the smaller R50 is the same or nearly, so it weighs more; but of its three wide 3x3 in res5 one is inflated.",
    'The paper\'s words on R50, 5 blocks against R101 without, "~70% parameters and ~80% FLOPs", hold here too.',
    "55 places a side, not 56, in pool1, res2 and pool2: the authors' release does not pad pool1. pool1_padding=1,",
    "as in PySlowFast, mmaction2 and gluoncv, gives the 56 of Table 1. From res3 on they agree.",
)


@dataclass(frozen=True)
class FamilyRow:
    """One network of Table 2e: what it costs here, relative to the C2D of its depth, and what the paper says."""

    network: Network
    depth: Depth
    cost: Cost
    parameters_ratio: float
    multiply_adds_ratio: float
    paper_parameters_ratio: float
    paper_multiply_adds_ratio: float
    grids: dict[str, Grid]  # of conv1, pool1, res2, pool2, res3, res4, res5


def family_spec(network: Network, depth: Depth) -> ModelSpec:
    """The spec of one network of Table 2e, 32x224x224, as video-nonlocal-net builds it."""
    if network.startswith("I3D"):
        resnet = ResNetSpec(depth=depth, inflation="3x3x3" if "3x3x3" in network else "3x1x1", stem_kernel_t=5)
    else:
        resnet = ResNetSpec(depth=depth)
    after = FIVE_BLOCKS[depth] if network.startswith("NL") else ()
    blocks = tuple(BlockSpec(after=name, kind="embedded_gaussian", scale="inverse_sqrt") for name in after)
    return ModelSpec(backbone="resnet", resnet=resnet, blocks=blocks, mean=GREY, std=CONTRAST)


@cache
def family_table() -> tuple[FamilyRow, ...]:
    """The four networks of Table 2e for R50 and R101, counted."""
    rows: list[FamilyRow] = []
    for depth in (50, 101):
        costs: dict[Network, Cost] = {network: cost_of(family_spec(network, depth)) for network in PAPER_RATIOS}
        base = costs["C2D"]
        for network, cost in costs.items():
            ratios = cost.parameters / base.parameters, cost.multiply_adds / base.multiply_adds
            grids = {name[:4] if name.startswith("res") else name: grid for name, grid in cost.grids.items()}
            rows.append(FamilyRow(network, depth, cost, *ratios, *PAPER_RATIOS[network], grids))
    return tuple(rows)


def format_family_table() -> str:
    """`family_table` as text, beside Tables 2e and 1 of the paper, with what differs and why."""
    rows = family_table()
    lines = [f"{'':22} {'parameters':>10} {'to C2D':>7} {'paper':>6} {'FLOPs':>9} {'to C2D':>7} {'paper':>6}"]
    lines += [
        f"{f'R{row.depth} {row.network}':22} {row.cost.parameters / 1e6:8.2f} M {row.parameters_ratio:6.2f}x "
        f"{row.paper_parameters_ratio:5.1f}x {row.cost.multiply_adds / 1e9:7.1f} G {row.multiply_adds_ratio:6.2f}x "
        f"{row.paper_multiply_adds_ratio:5.1f}x"
        for row in rows
    ]
    lines += ["", f"{'grids of C2D R50':22} " + " ".join(f"{name:>10}" for name in PAPER_GRIDS)]
    for title, grids in (("built here", rows[0].grids), ("paper, Table 1", PAPER_GRIDS)):
        lines.append(f"{title:22} " + " ".join(f"{f'{g.t}x{g.h}x{g.w}':>10}" for g in (grids[n] for n in PAPER_GRIDS)))
    return "\n".join([*lines, "", *_NOTES])
