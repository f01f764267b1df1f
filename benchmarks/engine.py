"""`python -m benchmarks.engine`: the forward pass in each precision against the network written out, on this machine.

    rates      of one large matrix product: the most that arithmetic can do here
    forward    I3D 3x1x1 R50 with five embedded Gaussian blocks at 224 px, and the default model: seconds, the ratio to
               the literal network (the same modules, f written out), peak memory, share of the rate, agreement
    frames     time and memory of each kind of f for T = 16 ... 128, with fitted exponents, as docs/engine.png

Times are medians of runs taken in turns, so that a busy machine hits all alike; memory is what a forward pass adds to a
fresh process (VmHWM). Agreement is the share of the top 20 keys of 500 queries of the composed sample
clip that the network as built gives too.
"""

from __future__ import annotations

import argparse
import multiprocessing
import statistics
import tempfile
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import numpy as np
import torch
from torch import Tensor

import nonlocal_core as nl
from benchmarks.blocks import KINDS, literal, peak_of, seconds_of
from nonlocal_core.affinity.capture import recorded_affinities
from nonlocal_core.analysis import batch_of, read_clip
from nonlocal_core.model.build import Model
from nonlocal_core.model.count import FIVE_BLOCKS, cost_of, family_spec
from nonlocal_core.model.engine import fast
from nonlocal_core.model.pairwise import Affinity
from nonlocal_core.model.precision import Precision, has_bfloat16
from nonlocal_core.model.spec import BlockSpec, Kind
from scripts.oracle_table import ORACLES, regenerate

ROOT = Path(__file__).parents[1]
SAMPLE, PLOT = ROOT / "app" / "samples" / "two-cups.mp4", ROOT / "docs" / "engine.png"
RUNS, QUERIES, TOP = 7, 500, 20
FRAMES = (16, 32, 64, 128)
MODES: tuple[Precision, ...] = ("float32", "bfloat16") if has_bfloat16("cpu") else ("float32",)


def matrix_rate(dtype: torch.dtype, size: int = 4096) -> float:
    """GFLOP/s of one large product; the best of five."""
    a, b = (torch.randn(size, size).to(dtype) for _ in range(2))
    a @ b
    return 2 * size**3 / min(seconds_of(lambda: a @ b) for _ in range(5)) / 1e9


def resnet(kind: Kind, frames: int) -> Model:
    """I3D 3x1x1 R50 as PySlowFast builds it: no stride in time before res3. Random weights."""
    spec = family_spec("I3D 3x1x1", 50)
    assert spec.resnet
    strides = {"stem_stride_t": 1, "pool1_kernel_t": 1, "pool1_stride_t": 1, "pool1_padding": 1}
    blocks = tuple(BlockSpec(after=name, kind=kind, scale="inverse_sqrt") for name in FIVE_BLOCKS[50])
    changes = {"resnet": spec.resnet.model_copy(update=strides), "blocks": blocks, "frames": frames, "stride": 1}
    torch.manual_seed(0)
    return Model(spec.model_copy(update=changes)).eval()


def conditioned(frames: int) -> Model:
    """The same with the well-conditioned random weights of the team's oracle, where that is here."""
    if not ORACLES.is_dir():
        return resnet("embedded_gaussian", frames)
    with tempfile.TemporaryDirectory() as folder:
        model = nl.load_model(regenerate("slowfast_i3d_nln_8x8_r50", "pyslowfast_pyth", Path(folder)))
    model.spec = model.spec.model_copy(update={"frames": frames, "stride": 1})
    return model


def logits(affinity: Affinity, queries: Tensor) -> Tensor:
    """Of these queries, without the factor that ranks do not see: [q, K]."""
    return affinity.scale * affinity.theta[0].flatten(1).T[queries] @ affinity.phi[0].flatten(1)


def tops(model: Model, batch: Tensor) -> dict[str, Tensor]:
    """The top keys of the same random queries in each block: [q, 20]."""
    with torch.inference_mode(), recorded_affinities(model) as found:
        model(batch)
    random = torch.Generator().manual_seed(0)
    return {
        name: logits(a, torch.randperm(a.theta[0, 0].numel(), generator=random)[:QUERIES]).topk(TOP, 1).indices
        for name, a in found.items()
    }


def agreement(found: dict[str, Tensor], wanted: dict[str, Tensor]) -> float:
    shares = [np.isin(a, b).mean() for name in wanted for a, b in zip(found[name], wanted[name], strict=True)]
    return float(np.mean(shares))


def written_out(model: Model, batch: Tensor) -> Tensor:
    with mock.patch.object(Affinity, "aggregate", literal):
        return model(batch)


def clip_for(model: Model) -> Tensor:
    clip, _ = read_clip(SAMPLE, model.spec)
    return batch_of(clip, model.spec)


def network(name: str) -> tuple[Model, Tensor]:
    """A network and its clip: "default", or "R50 x 8" for so many frames."""
    if name == "default":
        model = nl.load_model()
        return model, clip_for(model)
    model = conditioned(int(name.split()[-1]))
    return model, clip_for(model)


def in_child(measure: Callable, *arguments: object):
    """What `measure` gives in a fresh process: its memory is then its own."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(measure, arguments)


def peak_mb(name: str, mode: Precision | None) -> float:
    model, batch = network(name)
    model = model if mode is None else fast(model, mode)
    with torch.inference_mode():
        run = (lambda: written_out(model, batch)) if mode is None else (lambda: model(batch))
        model(batch[:, :, :8, :64, :64])  # loads the libraries, outside of the measurement
        return peak_of(run) / 1e6


@torch.inference_mode()
def forward(name: str, rates: dict[Precision, float]) -> None:
    """The rows of one network."""
    model, batch = network(name)
    twins = {mode: fast(model, mode) for mode in MODES}
    runs: dict[str, Callable[[], Tensor]] = {
        "literal": lambda: written_out(model, batch),
        "as built": lambda: model(batch),
    }
    runs |= {mode: lambda twin=twin: twin(batch) for mode, twin in twins.items()}
    for run in runs.values():
        run()
    seconds = {what: [] for what in runs}
    for _ in range(RUNS):
        for what, run in runs.items():
            seconds[what].append(seconds_of(run))
    wanted, flops = tops(model, batch), 2 * cost_of(model.spec).multiply_adds
    base, base_mb = statistics.median(seconds["literal"]), in_child(peak_mb, name, None)
    for what, times in seconds.items():
        median, line = statistics.median(times), f"{name:10} {what:9}"
        line += f" {median:7.3f} s (best {min(times):.3f})  {base / median:5.2f} x"
        if what == "literal":
            line += f"  peak {base_mb:5.0f} MB"
        if what in twins:
            mb, found = in_child(peak_mb, name, what), tops(twins[what], batch)
            share = flops / median / 1e9 / rates[what]
            line += f"  peak {mb:5.0f} MB ({mb / base_mb:.2f})  {share:4.0%} of the matrix rate"
            line += f"  top 20 agree {agreement(found, wanted):.4f}"
        print(line, flush=True)


def cost(kind: Kind, frames: int) -> tuple[float, float]:
    """Seconds and megabytes of a float32 forward pass."""
    twin, batch = fast(resnet(kind, frames), "float32"), torch.randn(1, 3, frames, 224, 224)
    with torch.inference_mode():
        twin(batch[:, :, :8, :64, :64])
        seconds: list[float] = []
        megabytes = peak_of(lambda: seconds.append(seconds_of(lambda: twin(batch)))) / 1e6
    return seconds[0], megabytes


def frames_table(path: Path) -> None:
    import matplotlib as mpl

    mpl.use("agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, 2, figsize=(11, 4.5), layout="constrained")
    for colour, kind in zip(("#0072b2", "#d55e00", "#009e73", "#cc79a7"), KINDS, strict=True):
        found = [in_child(cost, kind, frames) for frames in FRAMES]
        slopes = [np.polyfit(np.log(FRAMES), np.log(values), 1)[0] for values in zip(*found, strict=True)]
        figures = "  ".join(f"{t:3}: {s:6.2f} s {mb:5.0f} MB" for t, (s, mb) in zip(FRAMES, found, strict=True))
        print(f"{kind:18} {figures}   exponents: time {slopes[0]:.2f}, memory {slopes[1]:.2f}", flush=True)
        for axis, values in zip(axes, zip(*found, strict=True), strict=True):
            axis.plot(FRAMES, values, "o-", color=colour, label=kind.replace("_", " "))
    for axis, what in zip(axes, ("seconds", "MB at the peak"), strict=True):
        axis.set(xscale="log", yscale="log", xlabel="frames of 224 x 224 pixels", ylabel=what)
        axis.set_xticks(FRAMES, list(map(str, FRAMES)), minor=False)
        axis.minorticks_off()
        axis.grid(alpha=0.3)
    axes[0].legend(frameon=False)
    figure.suptitle("I3D R50 with five blocks, one forward pass in float32")
    figure.savefig(path, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--plot", type=Path, default=PLOT)
    path = parser.parse_args().plot
    rates = {mode: matrix_rate(getattr(torch, mode)) for mode in MODES}
    print("matrix rates: " + ", ".join(f"{mode} {rate:.0f} GFLOP/s" for mode, rate in rates.items()), flush=True)
    for name in ("R50 x 8", "R50 x 32", "default"):
        forward(name, rates)
    frames_table(path)


if __name__ == "__main__":
    main()
