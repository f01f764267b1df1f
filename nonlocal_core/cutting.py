"""What a prediction owes to some arrows: a video's clip, run with and without them.

`affinity/cutting.py` says what cutting is. Here a clip is read once, run whole once, and cut as often as one likes.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from nonlocal_core.affinity.capture import capture
from nonlocal_core.affinity.cut import TOP_CLASSES, Cut
from nonlocal_core.affinity.cutting import cut_and_run
from nonlocal_core.affinity.field import AffinityField, Floats
from nonlocal_core.analysis import batch_of, device_of, model_for, read_clip
from nonlocal_core.errors import UnknownBlock
from nonlocal_core.model.build import Model
from nonlocal_core.variant import Variant


@dataclass(frozen=True)
class Change:
    """One class: its probability before the cut and after it."""

    index: int
    label: str
    before: float
    after: float


@dataclass(frozen=True, eq=False)
class CutResult:
    """Probabilities [classes] of a clip before and after a cut."""

    labels: tuple[str, ...]
    before: Floats
    after: Floats

    @property
    def moved(self) -> float:
        """How much probability went to another class: half of the sum of |after - before|, in [0, 1]."""
        return float(abs(self.after - self.before).sum() / 2)

    def changes(self, count: int = TOP_CLASSES) -> list[Change]:
        """The `count` most probable classes before the cut and the `count` after it, as they stood before."""
        tops = [(-scores).argsort(kind="stable")[:count] for scores in (self.before, self.after)]
        wanted = sorted({int(i) for top in tops for i in top}, key=lambda i: (-self.before[i], i))
        return [Change(i, self.labels[i], float(self.before[i]), float(self.after[i])) for i in wanted]


class ClipToCut:
    """A clip, ready to be run again: its batch, its model and what the model says of it uncut."""

    def __init__(self, video: Path | str, model: Model, *, start_s: float = 0.0, variant: Variant = "none") -> None:
        """Read and run the clip as `analyse` does; raises what it raises."""
        clip, _ = read_clip(video, model.spec, start_s=start_s, variant=variant)
        self._batch = batch_of(clip, model.spec).to(device_of(model))
        self._model = model_for(model, variant)
        with torch.inference_mode():
            self._before = _probabilities(self._model(self._batch))

    @property
    def frames(self) -> int:
        """Length T of the clip, in frames."""
        return self._batch.shape[2]

    def field(self, block: str) -> AffinityField:
        """What a block of the uncut network relates.

        Raises:
            UnknownBlock: the model has no such block.
        """
        _, fields = capture(self._model, self._batch)
        if block not in fields:
            raise UnknownBlock(block, tuple(fields))
        return fields[block]

    def without(self, cut: Cut) -> CutResult:
        """What the network says without the arrows.

        Raises:
            UnknownBlock, CellOutsideGrid: the cut does not fit the model.
        """
        after = _probabilities(cut_and_run(self._model, self._batch, cut))
        return CutResult(self._model.labels, self._before, after)


def _probabilities(logits: Tensor) -> Floats:
    """Logits [1, classes] -> probabilities [classes]."""
    return logits[0].softmax(0).float().cpu().numpy()
