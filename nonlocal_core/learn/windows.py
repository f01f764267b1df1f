"""Windows: clips of unlabelled videos as a frozen network sees them, on disk, with what moves in them.

    video -> first and last window -> frames -> motion, and the outputs of the stages -> Window (files in a folder)
    Window and a stage -> Scene: the stage's cells, how much of each moves by itself, where the flow carries it

Features are kept as float16 .npy files, mapped and not read: 19.5 MB a window of the default model with five stages.
Next: `closed_form.py` and `relate.py`, which fit theta and phi to the scenes of one stage.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from nonlocal_core.affinity.field import Floats
from nonlocal_core.errors import TrainingFailed, VideoError
from nonlocal_core.geometry import Grid
from nonlocal_core.learn.cells import cell_means, coverage
from nonlocal_core.learn.clips import Frames, Pixels
from nonlocal_core.learn.listing import Listing
from nonlocal_core.learn.motion import Motion, motion_of
from nonlocal_core.model.build import Model
from nonlocal_core.model.precision import computing_in, sooner
from nonlocal_core.model.spec import ModelSpec
from nonlocal_core.video import crop_clip, decode_frames, normalise, probe_video

Tell = Callable[[str], None]

# Found by looking. Two windows need this many times their own length, or they show nearly the same.
ROOM = 150 / 128
# What moves by itself teaches something only if it is more than noise and less than the scene.
LEAST_MOVING, MOST_MOVING = 0.02, 0.4
_SPEAK_EVERY = 10  # videos


@dataclass(frozen=True, eq=False)
class Scene:
    """One window at one stage of T x H x W cells; F frames of the video."""

    file: Path
    moving: Tensor  # float32 [T, H, W]: the share of each cell that moves by itself
    moving_keys: Tensor  # float32 [T, H // 2, W // 2]: the same of the keys' cells, pooled 2x2
    flow: Tensor  # float32 [F - 1, n, n, 2]: x and y to the next frame, in fractions of the crop
    understood: bool  # the camera's motion is known, so `moving` can be believed

    @property
    def features(self) -> Tensor:
        """What the stage gives: float16 [T, H, W, C], mapped from the file; only what is looked at is read."""
        return torch.from_numpy(np.load(self.file, mmap_mode="c"))

    @property
    def usable(self) -> bool:
        """Whether what moves here can be believed, and is neither next to nothing nor most of the picture."""
        return self.understood and LEAST_MOVING < float(self.moving.mean()) < MOST_MOVING


@dataclass(frozen=True, eq=False)
class Window:
    """A clip of a video whose features lie on the disk."""

    video: int  # its number in the listing
    motion: Motion
    files: dict[str, Path]  # by stage: float16 [T, H, W, C]

    def scene(self, stage: str) -> Scene:
        """The window as a stage sees it."""
        t, h, w, _ = np.load(self.files[stage], mmap_mode="r").shape
        moving, moving_keys = moving_shares(self.motion, Grid(t, h, w))
        flow = torch.from_numpy(self.motion.flow.astype(np.float32))
        return Scene(
            self.files[stage], torch.from_numpy(moving), torch.from_numpy(moving_keys), flow, self.motion.understood
        )


def moving_shares(motion: Motion, queries: Grid) -> tuple[Floats, Floats]:
    """How much of each cell moves by itself, of the queries [T, H, W] and of the keys [T, H // 2, W // 2].

    A place of a time step moves when its residual, averaged over the step's frames, passes the clip's threshold.
    """
    residual = np.concatenate([motion.residual, motion.residual[-1:]])  # [F, n, n]: the last frame as the one before
    side = residual.shape[1]
    places = Grid(queries.t, side, side)
    mask = cell_means(residual[..., None], places, places).reshape(queries.t, side, side) > motion.threshold_px
    keys = Grid(queries.t, queries.h // 2, queries.w // 2)
    moving, moving_keys = (
        coverage(mask.astype(np.float32), grid, queries).reshape(grid.t, grid.h, grid.w) for grid in (queries, keys)
    )
    return moving, moving_keys


def windows_of(
    model: Model, listing: Listing, stages: Collection[str], folder: Path, *, each: int, tell: Tell
) -> list[Window]:
    """Run the backbone, without blocks, over the windows of every video and keep what the stages give.

    A window that would repeat frames, because its video is too short or breaks off, is left out; so is a video that
    cannot be read.

    Args:
        model: on any device; its blocks are not run.
        listing: of any kind; labels are not looked at.
        stages: whose outputs are kept.
        folder: for the files.
        each: most windows of one video.
        tell: called with lines for people.

    Raises:
        TrainingFailed: the folder cannot hold the features, or OpenCV is missing.
    """
    windows: list[Window] = []
    model.eval()
    model.to(memory_format=torch.channels_last_3d)  # pyright: ignore[reportCallIssue]  # missing in torch's types
    for number, example in enumerate(listing.examples):
        try:
            for rgb in clips_of(example.path, model.spec, most=each):
                outputs = stage_outputs(model, rgb, stages)
                windows.append(Window(number, motion_of(rgb), _kept(outputs, folder, len(windows))))
        except VideoError as error:
            tell(f"  cannot be read: {example.path}: {error}")
        if (number + 1) % _SPEAK_EVERY == 0 or number + 1 == len(listing.examples):
            long_enough = len({window.video for window in windows})
            tell(f"[{number + 1}/{len(listing.examples)}] videos, {len(windows)} windows of {long_enough} of them")
    return windows


def clips_of(path: Path, spec: ModelSpec, *, most: int) -> Iterator[Pixels]:
    """The windows of a video, uint8 [T, S, S, 3] each, but none that repeats frames.

    Raises:
        UnreadableVideo, VideoTooLarge: the file is at fault.
    """
    for indices in window_frames(probe_video(path).frames, spec, most=most):
        decoded = decode_frames(path, indices, short_side=spec.short_side_px)
        if not decoded.repeated:
            yield crop_clip(decoded.rgb, spec.size_px)


def window_frames(count: int, spec: ModelSpec, *, most: int) -> Frames:
    """Frame numbers of a video's windows: int64 [windows, T], evenly from its first frame to its last.

    There is one, and one more for every `ROOM` times its length.
    """
    span = spec.frames * spec.stride
    windows = min(most, max(1, int(count / (ROOM * span))))
    starts = np.linspace(0, max(0, count - span), windows).astype(np.int64)
    return np.minimum(starts[:, None] + spec.stride * np.arange(spec.frames), count - 1)


@torch.inference_mode()
def stage_outputs(model: Model, rgb: Pixels, stages: Collection[str]) -> dict[str, Tensor]:
    """What the stages give for a clip [T, S, S, 3], without blocks: [1, C, T, H, W] by name, bfloat16 where sooner."""
    device = next(model.parameters()).device
    x = torch.from_numpy(normalise(rgb, model.spec.mean, model.spec.std)).to(device)
    x = x.contiguous(memory_format=torch.channels_last_3d)
    found: dict[str, Tensor] = {}
    with computing_in(sooner(device.type), device.type):
        for name, stage in model.stages.items():
            x = stage(x)
            if name in stages:
                found[name] = x
            if len(found) == len(stages):
                break
    return found


def _kept(outputs: dict[str, Tensor], folder: Path, number: int) -> dict[str, Path]:
    """The outputs as files: float16 [T, H, W, C]."""
    files = {stage: folder / f"{number:05}-{stage}.npy" for stage in outputs}
    try:
        for stage, x in outputs.items():
            np.save(files[stage], np.ascontiguousarray(x[0].permute(1, 2, 3, 0).half().cpu().numpy()))
    except OSError as error:
        raise TrainingFailed(
            f"{folder} cannot hold the features of window {number + 1} ({error.strerror or error}); choose a roomier "
            "folder with --scratch, or fewer videos"
        ) from error
    return files
