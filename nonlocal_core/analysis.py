"""The straight line from a video file to an `Analysis`. Read this first: each value is used by the next line.

    probe -> which frames -> decode -> crop -> normalise -> run the network and record its blocks

`affinity/store.py` keeps an Analysis on disk; `affinity/query.py` asks it questions.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nonlocal_core.affinity.arrows import TOP_ARROWS, Arrow
from nonlocal_core.affinity.capture import as_kept, capture
from nonlocal_core.affinity.field import AffinityField, Direction, Floats
from nonlocal_core.affinity.query import Answer, Query, answer
from nonlocal_core.errors import UnknownBlock
from nonlocal_core.geometry import ClipPoint
from nonlocal_core.model.build import Model
from nonlocal_core.model.randomise import with_random_projections
from nonlocal_core.model.spec import ModelSpec
from nonlocal_core.notebook import analysis_html
from nonlocal_core.variant import SEED, Variant, ensure_fits, frame_order, notes_of
from nonlocal_core.video import (
    Sampling,
    VideoInfo,
    clip_frames,
    crop_clip,
    decode_frames,
    normalise,
    probe_video,
)

Progress = Callable[[str, float], None]

# Where the stages end, as fractions of an analysis of a 32-frame clip on two cores; what remains is writing it.
DECODED, COMPUTED = 0.3, 0.9

ROUNDED = "The network ran in bfloat16: one to three in a hundred of the top 20 arrows are others than in float32."


def silent(_stage: str, _fraction: float) -> None:
    """Progress that nobody watches."""


@dataclass(frozen=True, eq=False)
class Clip:
    """The frames exactly as the network saw them."""

    rgb: NDArray[np.uint8]  # [T, S, S, 3]
    times_s: NDArray[np.float64]  # [T], of the video's own clock
    indices: NDArray[np.int64]  # [T], frame numbers in the video
    repeated: int  # how many of them repeat the one before, because the video was too short


@dataclass(frozen=True, eq=False)
class Analysis:
    """What a network made of one clip: its prediction and, block by block, what it relates."""

    clip: Clip
    info: VideoInfo
    labels: tuple[str, ...]
    logits: Floats  # [classes]
    fields: dict[str, AffinityField]  # in network order, as they are kept: Python, API and page answer alike
    notes: tuple[str, ...]  # what was cut or repeated, in words

    @property
    def blocks(self) -> tuple[str, ...]:
        """The blocks' names, in network order."""
        return tuple(self.fields)

    @property
    def scores(self) -> Floats:
        """Probability of each class: float32 [classes], sums to 1."""
        exps = np.exp(self.logits - self.logits.max())
        return exps / exps.sum()

    def __getitem__(self, block: str) -> AffinityField:
        """The affinities of one block.

        Raises:
            UnknownBlock: the model has no such block.
        """
        try:
            return self.fields[block]
        except KeyError:
            raise UnknownBlock(block, self.blocks) from None

    def arrows(
        self, block: str, *, frame: int, x: float, y: float, k: int = TOP_ARROWS, direction: Direction = "forward"
    ) -> list[Arrow]:
        """The k arrows of highest affinity from a place; x (right) and y (down) are fractions of the crop.

        Raises:
            UnknownBlock, PointOutsideClip: the question does not fit the clip.
        """
        return self.ask(Query(block, ClipPoint(frame, x, y), k=k, direction=direction)).arrows

    def ask(self, query: Query) -> Answer:
        """Answer any question.

        Raises:
            UnknownBlock, PointOutsideClip, InvalidQuery: the question does not fit the clip.
        """
        return answer(self[query.block], query, len(self.clip.rgb))

    def _repr_html_(self) -> str:
        """What a notebook shows; Jupyter asks for it by this name."""
        return analysis_html(self)


def analyse(
    video: Path | str, model: Model, *, start_s: float = 0.0, variant: Variant = "none", progress: Progress = silent
) -> Analysis:
    """Run `model` on one clip of a video and record what its blocks relate.

    Args:
        video: a file; it is opened in an isolated child process only.
        model: from `load_model`.
        start_s: where the clip starts, in seconds.
        variant: a null model, see `variant.py`.
        progress: called with a stage ("decode", "network") and the fraction of the whole; may raise to stop.

    Raises:
        UnreadableVideo, VideoTooLarge: the file is at fault.
        PointOutsideClip: the video ends before `start_s`.
        UnfitVariant: the model has no such null model.
    """
    ensure_fits(variant, (block.kind for block in model.spec.blocks))
    clip, info = read_clip(video, model.spec, start_s=start_s, variant=variant, progress=progress)
    progress("network", DECODED)
    batch = batch_of(clip, model.spec).to(device_of(model))
    logits, captured = capture(model_for(model, variant), batch)
    fields = {name: as_kept(field) for name, field in captured.items()}
    progress("network", COMPUTED)
    notes = (*_notes(info, clip), *notes_of(variant), *([ROUNDED] if model.precision == "bfloat16" else []))
    return Analysis(clip, info, model.labels, logits[0].float().cpu().numpy(), fields, notes)


def read_clip(
    video: Path | str, spec: ModelSpec, *, start_s: float = 0.0, variant: Variant = "none", progress: Progress = silent
) -> tuple[Clip, VideoInfo]:
    """The frames that a network of `spec` sees of a video, and what was probed of the file.

    Of a variant the frames and their `indices` are in the order seen; `times_s` is the clip's clock, as it was.

    Raises:
        UnreadableVideo, VideoTooLarge, PointOutsideClip: as `analyse`.
    """
    path = Path(video)
    progress("decode", 0.0)
    info = probe_video(path)
    indices = clip_frames(info, Sampling(spec.frames, spec.stride), start_s)
    decoded = decode_frames(
        path, indices, short_side=spec.short_side_px, progress=lambda fraction: progress("decode", DECODED * fraction)
    )
    order = frame_order(variant, len(indices))
    rgb = crop_clip(decoded.rgb, spec.size_px)[order]
    return Clip(rgb, decoded.times_s, decoded.indices[order], decoded.repeated), info


def batch_of(clip: Clip, spec: ModelSpec) -> Tensor:
    """What the network computes on: float32 [1, 3, T, S, S]."""
    return torch.from_numpy(normalise(clip.rgb, spec.mean, spec.std))


def device_of(model: Model) -> torch.device:
    """Where the model computes: the processor, unless somebody moved it to a GPU."""
    return next(model.parameters()).device


def model_for(model: Model, variant: Variant) -> Model:
    """The model that a variant of a clip is run with: `model`, or a copy of it with random theta and phi."""
    return with_random_projections(model, SEED) if variant == "random_weights" else model


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def _notes(info: VideoInfo, clip: Clip) -> tuple[str, ...]:
    notes: list[str] = []
    if clip.repeated:
        distinct = len(clip.rgb) - clip.repeated
        read = "one frame was" if distinct == 1 else f"{distinct} frames were"
        notes.append(f"The video is short: {read} read, the last is repeated {_times(clip.repeated)}.")
    if info.truncated:
        whole = f" of {info.stated_s:.0f} s" if info.stated_s and info.stated_s > info.duration_s else ""
        notes.append(f"The video is long: only the first {info.duration_s:.0f} s{whole} are considered.")
    if info.rotation:
        notes.append(f"Rotated by {info.rotation} degrees, as the file asks.")
    return tuple(notes)
