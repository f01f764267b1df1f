"""What moves in a clip, and where it goes: optical flow, and what of it the camera's own motion does not explain.

Things that move together belong together (Wertheimer's "common fate"; Pathak et al. 2017, "Learning Features by
Watching Objects Move"). No network, no labels; OpenCV is loaded here alone, and only when it is needed.
Next: `windows.py`, which lays this on the cells of a network.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nonlocal_core.errors import TrainingFailed

Halves = NDArray[np.float16]

FLOW_CELL_PX, RESIDUAL_CELL_PX = 8, 4  # flow is smooth and kept coarsely; what moves needs its outline
# Found by looking at flow over real videos; none of them comes from a paper.
STILL_LEVELS = 3  # two frames that differ by less in every pixel are a repeated one, coded anew
CAMERA_ERROR_PX = 0.7  # a place moves with the camera if the homography misses its flow by no more
UNDERSTOOD = 0.6  # share of the places that must do so before the rest is believed to move by itself
MOVES_PX = 0.75  # a place moves by itself when it departs by more than this ...
TIMES_MEDIAN = 3.0  # ... and by more than so many times the clip's median, which is the flow's own error


@dataclass(frozen=True, eq=False)
class Motion:
    """The motion of a clip of T square frames, between neighbours."""

    flow: Halves  # [T - 1, S / 8, S / 8, 2]: x and y to the next frame, in fractions of the crop
    residual: Halves  # [T - 1, S / 4, S / 4]: pixels by which the flow departs from the camera's motion
    inliers: float  # share of the places that the camera's motion explains

    @property
    def understood(self) -> bool:
        """Whether the dominant motion is the camera's, so that what departs from it moves by itself."""
        return self.inliers > UNDERSTOOD

    @property
    def threshold_px(self) -> float:
        """Where the residual is larger, something moves by itself."""
        return max(MOVES_PX, TIMES_MEDIAN * float(np.median(self.residual)))


def motion_of(rgb: NDArray[np.uint8]) -> Motion:
    """The motion of a clip: uint8 [T, S, S, 3], at least two frames.

    Flow is Kroeger et al. 2016 (DIS, preset "medium"); the camera's motion is the homography that explains most of
    it, found by RANSAC.

    Raises:
        TrainingFailed: OpenCV is not installed.
    """
    cv2 = opencv()
    grey = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in rgb]
    pairs = [_between(earlier, later) for earlier, later in pairwise(grey)]
    return Motion(
        flow=np.stack([_shrunk(flow, FLOW_CELL_PX) / len(grey[0]) for flow, _, _ in pairs]).astype(np.float16),
        residual=np.stack([_shrunk(residual, RESIDUAL_CELL_PX) for _, residual, _ in pairs]).astype(np.float16),
        inliers=float(np.mean([inliers for _, _, inliers in pairs])),
    )


def opencv() -> Any:
    """The module cv2.

    Raises:
        TrainingFailed: it is not installed.
    """
    try:
        return import_module("cv2")
    except ImportError:
        raise TrainingFailed(
            "motion is measured by OpenCV, which is missing: pip install 'nonlocal-lens[train]'"
        ) from None


def _between(earlier: Any, later: Any) -> tuple[Any, Any, float]:
    """Flow [S, S, 2] and residual [S, S] in pixels, and the share of places that the camera's motion explains."""
    cv2, size = opencv(), len(earlier)
    if cv2.absdiff(earlier, later).max() < STILL_LEVELS:
        return np.zeros((size, size, 2), np.float32), np.zeros((size, size), np.float32), 1.0
    flow = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM).calc(earlier, later, None)  # [S, S, 2]
    places = np.stack(np.meshgrid(np.arange(size), np.arange(size)), -1).astype(np.float32)  # [S, S, 2]: x, y
    half = FLOW_CELL_PX // 2
    some = (slice(half, None, FLOW_CELL_PX),) * 2
    camera, explained = cv2.findHomography(
        places[some].reshape(-1, 2), (places + flow)[some].reshape(-1, 2), cv2.RANSAC, CAMERA_ERROR_PX, maxIters=300
    )
    if camera is None:
        camera, explained = np.eye(3), np.zeros(1)
    carried = cv2.perspectiveTransform(places, camera)  # [S, S, 2]: where the camera's motion alone would take them
    residual = np.hypot(*np.moveaxis(places + flow - carried, -1, 0))  # [S, S]
    return flow, np.minimum(residual, size), float(explained.mean())  # a wild homography would overflow float16


def _shrunk(values: Any, cell_px: int) -> Any:
    """Means over cells: [S, S, ...] -> [S / cell, S / cell, ...]."""
    cv2, side = opencv(), max(1, len(values) // cell_px)
    return cv2.resize(values, (side, side), interpolation=cv2.INTER_AREA)
