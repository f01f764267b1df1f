"""Learning curves of one run or several, side by side: the picture of Figure 4 of Wang et al. 2018, from the logs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nonlocal_core.errors import LearningError
from nonlocal_core.learn.state import Record, RunFolder, read_log

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Floats = NDArray[np.float64]

_WINDOWS = 50  # a training curve is averaged over a fiftieth of its length: single batches are too noisy to compare


@dataclass(frozen=True, eq=False)
class Curve:
    """One measure over the iterations of a run."""

    iterations: Floats  # [N]
    values: Floats  # [N]


def curve_of(records: Sequence[Record], name: str) -> Curve:
    """A measure by its name in the records; records without it are left out."""
    pairs = [(record["iteration"], record[name]) for record in records if name in record]
    iterations, values = np.array(pairs, np.float64).reshape(-1, 2).T
    return Curve(iterations, values)


def validation_of(records: Sequence[Record]) -> list[Record]:
    """What was measured on the validation videos, as records of their own."""
    return [{"iteration": record["iteration"], **record["validation"]} for record in records if "validation" in record]


def smoothed(curve: Curve) -> Curve:
    """Each value the mean of a window that ends there, so that the curve never looks ahead."""
    window = max(1, len(curve.values) // _WINDOWS)
    sums = np.cumsum(np.append(0.0, curve.values))  # [N + 1]
    ends = np.arange(1, len(curve.values) + 1)
    starts = np.maximum(ends - window, 0)
    return Curve(curve.iterations, (sums[ends] - sums[starts]) / (ends - starts))


def draw_curves(runs: Sequence[Path], out: Path) -> None:
    """Draw loss and error of the runs into one picture: training thin, validation thick, a colour for each run.

    Raises:
        LearningError: matplotlib is missing, or a folder has no log.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise LearningError(
            "curves are drawn by matplotlib, which is missing: pip install 'nonlocal-lens[train]'"
        ) from None
    logs = {path: read_log(RunFolder(path).log_file) for path in runs}
    if empty := [str(path) for path, records in logs.items() if not records]:
        raise LearningError(f"no log.jsonl with a line in {', '.join(empty)}; give folders that `train` wrote")
    figure = Figure(figsize=(10, 4.2), layout="constrained")
    axes: list[Any] = list(figure.subplots(1, 2))
    for number, (path, records) in enumerate(logs.items()):
        for axis, name, factor in zip(axes, ("loss", "error"), (1, 100), strict=True):
            _draw(axis, records, name, factor=factor, colour=f"C{number}", label=path.resolve().name)
    for axis, title in zip(axes, ("loss", "error (%)"), strict=True):
        axis.set(xlabel="iterations", ylabel=title)
        axis.grid(alpha=0.3)
        if axis.lines:
            axis.legend(fontsize="small")
    figure.savefig(out, dpi=150)


def _draw(axis: Axes, records: Sequence[Record], name: str, *, factor: float, colour: str, label: str) -> None:
    training, validation = smoothed(curve_of(records, name)), curve_of(validation_of(records), name)
    if len(training.values):
        axis.plot(training.iterations, factor * training.values, colour, lw=1, alpha=0.6, label=f"{label}, training")
    if len(validation.values):
        axis.plot(
            validation.iterations, factor * validation.values, colour, lw=2, marker=".", label=f"{label}, validation"
        )
