"""`python -m benchmarks.blocks`: memory and time of one block's forward against the literal formula, and of long clips.

A res3 block (512 channels, 256 inside, keys pooled 2x2) on T x 28 x 28 places for T = 2 ... 64 and each kind of f, as
a table and as docs/blocks.png. Both sides are the block as app and command line run it, in a float32 fast twin
(engine.py), and differ in the formula alone: "literal" writes the matrix f [Q, K] out. Peak memory is what
the forward pass adds to the process (VmHWM); each case runs in a fresh child. It takes four to six minutes on
two cores that others use too.
"""

from __future__ import annotations

import argparse
import multiprocessing
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import torch
from torch import Tensor

from nonlocal_core.model.block import NonLocalBlock
from nonlocal_core.model.build import Model
from nonlocal_core.model.count import FIVE_BLOCKS, family_spec
from nonlocal_core.model.engine import FastBlock
from nonlocal_core.model.pairwise import Affinity
from nonlocal_core.model.spec import SOFTMAX_KINDS, BlockSpec, Kind

PLOT = Path(__file__).parents[1] / "docs" / "blocks.png"
ROUNDS = {2: 150, 4: 40, 8: 8, 16: 4, 32: 3, 64: 2}  # of timing, for each T
FRAMES = tuple(ROUNDS)
SIDE, CHANNELS = 28, 512  # res3 of 224 px
KINDS: tuple[Kind, ...] = ("gaussian", "embedded_gaussian", "dot_product", "concatenation")
LONG_CLIPS = {"128 frames at 224 px": (128, 224, {}), "8 frames at 448 px": (8, 448, {"stem_stride_t": 1,
              "pool1_kernel_t": 1, "pool1_stride_t": 1})}  # fmt: skip


@dataclass(frozen=True)
class Case:
    """What one forward pass cost: bytes added at its peak, seconds of the quickest run."""

    peak_bytes: int
    seconds: float


def literal(affinity: Affinity, g: Tensor) -> Tensor:
    """y = f g / C with the whole matrix, as Eq. 1 reads and as the published modules compute it."""
    f = torch.einsum("ncq,nck->nqk", affinity.scale * affinity.theta.flatten(2), affinity.phi.flatten(2))
    if affinity.kind in SOFTMAX_KINDS:
        f = f.softmax(-1)
    else:
        f = (f if affinity.kind == "dot_product" else f.relu()) / f.shape[-1]
    return (g.flatten(2) @ f.transpose(1, 2)).reshape(*g.shape[:2], *affinity.theta.shape[2:])


def status_bytes(field: str) -> int:
    return int(Path("/proc/self/status").read_text().split(f"{field}:")[1].split()[0]) * 1024


def peak_of(forward: Callable[[], object]) -> int:
    """Bytes that `forward` adds to the memory of this process at its highest."""
    Path("/proc/self/clear_refs").write_text("5")  # VmHWM starts again from here
    before = status_bytes("VmRSS")
    forward()
    return status_bytes("VmHWM") - before


def seconds_of(forward: Callable[[], object]) -> float:
    began = time.perf_counter()
    forward()
    return time.perf_counter() - began


def measure_block(kind: Kind, frames: int) -> tuple[Case, Case]:
    """The block as it is run, and with the formula written out; timed in turns, so that a busy machine hits both."""
    torch.manual_seed(0)
    block = NonLocalBlock(BlockSpec(after="res3_1", kind=kind, scale="inverse_sqrt"), CHANNELS).eval()
    twin = FastBlock(block, torch.float32)
    x = torch.randn(1, CHANNELS, frames, SIDE, SIDE)
    last = x.contiguous(memory_format=torch.channels_last_3d)  # as a twin's stages leave it

    def ours() -> None:
        twin(last)

    def written_out() -> None:
        with mock.patch.object(Affinity, "aggregate", literal):
            twin(last)

    with torch.inference_mode():
        twin(last[:, :, :2])  # loads the libraries, outside every measurement
        peaks = [peak_of(forward) for forward in (ours, written_out)]
        times = [[seconds_of(forward) for forward in (ours, written_out)] for _ in range(ROUNDS[frames])]
    best = [min(each) for each in zip(*times, strict=True)]
    return Case(peaks[0], best[0]), Case(peaks[1], best[1])


def measure_clip(frames: int, size_px: int, choices: dict[str, int]) -> Case:
    """One forward pass of I3D 3x1x1, R50, five blocks."""
    spec = family_spec("I3D 3x1x1", 50)
    blocks = tuple(BlockSpec(after=n, kind="embedded_gaussian", scale="inverse_sqrt") for n in FIVE_BLOCKS[50])
    assert spec.resnet
    model = Model(spec.model_copy(update={"resnet": spec.resnet.model_copy(update=choices), "blocks": blocks})).eval()
    clip = torch.randn(1, 3, frames, size_px, size_px)
    with torch.inference_mode():
        began = time.perf_counter()
        peak = peak_of(lambda: model(clip))
    return Case(peak, time.perf_counter() - began)


def in_child(measure: Callable, *arguments: object):
    """What `measure` gives in a process of its own, forked before PyTorch has computed anything."""
    with multiprocessing.get_context("fork").Pool(1) as pool:
        return pool.apply(measure, arguments)


def draw(found: dict[Kind, list[tuple[Case, Case]]], path: Path) -> None:
    import matplotlib as mpl

    mpl.use("agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, 2, figsize=(11, 4.5), layout="constrained")
    places = [frames * SIDE**2 for frames in FRAMES]
    for colour, (kind, cases) in zip(("#0072b2", "#d55e00", "#009e73", "#cc79a7"), found.items(), strict=True):
        for label, which, style in ((kind.replace("_", " "), 0, "o-"), (None, 1, "x--")):
            axes[0].plot(places, [c[which].peak_bytes / 1e6 for c in cases], style, color=colour, label=label)
            axes[1].plot(places, [c[which].seconds for c in cases], style, color=colour, label=label)
    for axis, what in zip(axes, ("peak memory of the forward pass, MB", "time of the forward pass, s"), strict=True):
        axis.set(xscale="log", yscale="log", xlabel="places x_i  (T x 28 x 28, T = 2 ... 64)", ylabel=what)
        axis.set_xticks(places, [f"{n:,}" for n in places], minor=False)
        axis.minorticks_off()
        axis.grid(alpha=0.3)
    axes[0].plot([], [], "x--", color="grey", label="the literal formula")
    axes[0].legend(frameon=False)
    figure.suptitle("One non-local block (512 channels, keys pooled 2x2): memory grows with places, not with pairs")
    figure.savefig(path, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--plot", type=Path, default=PLOT)
    path = parser.parse_args().plot
    print(
        f"{'kind':18} {'T':>3} {'places':>7} {'peak':>9} {'literal':>9} {'time':>10} {'literal':>10} ratio", flush=True
    )
    found: dict[Kind, list[tuple[Case, Case]]] = {kind: [] for kind in KINDS}
    for kind in KINDS:
        for frames in FRAMES:
            ours, written = in_child(measure_block, kind, frames)
            found[kind].append((ours, written))
            sizes = f"{ours.peak_bytes / 1e6:6.0f} MB {written.peak_bytes / 1e6:6.0f} MB"
            times = f"{ours.seconds:8.4f} s {written.seconds:8.4f} s {ours.seconds / written.seconds:5.2f}"
            print(f"{kind:18} {frames:3} {frames * SIDE**2:7} {sizes} {times}", flush=True)
    for name, (frames, size_px, choices) in LONG_CLIPS.items():
        case = in_child(measure_clip, frames, size_px, choices)
        print(f"I3D R50, 5 blocks, {name}: peak {case.peak_bytes / 1e6:.0f} MB, {case.seconds:.1f} s", flush=True)
    draw(found, path)


if __name__ == "__main__":
    main()
