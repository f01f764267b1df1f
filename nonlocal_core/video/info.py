"""What is known of a video, what is asked of it and what may be spent on it: plain values, without PyAV.

Next: `probe.py` and `decode.py`, which make these from a file.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

CONTAINERS = ("mp4", "mov", "mkv", "webm", "avi", "gif")
"""What may be uploaded, in the words people use; FFmpeg's names for these are in `container.py`."""
CODECS_IN_WORDS = ("H.264", "H.265", "AV1", "VP8", "VP9", "MPEG-1", "MPEG-2", "MPEG-4", "ProRes", "Motion JPEG", "GIF")
"""The same for codecs, the common ones first."""


@dataclass(frozen=True)
class VideoInfo:
    """One video stream, measured and not merely read off its header.

    The pixel's aspect ratio, should the file state one, is ignored: frames are used with the pixels they have.
    """

    container: str
    """FFmpeg's name of the container: mp4, matroska, webm, avi, gif, ..."""
    codec: str
    """FFmpeg's name of the codec: h264, vp9, ..."""
    width: int
    """Pixels as shown, after rotation."""
    height: int
    rotation: int
    """Clockwise degrees that were applied: 0, 90, 180 or 270."""
    frames: int
    """Frames found by reading every packet, never the header's claim; at most `DecodeLimits.frames`."""
    duration_s: float
    """frames / rate_hz: the length of the part that is used."""
    rate_hz: float
    """Frames per second; the mean where the rate varies."""
    truncated: bool
    """The file is longer than `DecodeLimits` allow; only its first part is used."""
    stated_s: float | None = None
    """The length that the file's header states; told where the video is cut, and believed nowhere."""


@dataclass(frozen=True)
class DecodeLimits:
    """What one upload may cost. Passing a limit of length cuts the video; passing any other refuses it."""

    pixels: int = 4096 * 2304
    """Largest frame, width times height."""
    aspect: float = 8.0
    """Longer side over shorter side; beyond it, the scaled frames would be long and useless ribbons."""
    frames: int = 20_000
    """Frames of a video that are used."""
    seconds: float = 600.0
    """Seconds of a video that are used."""
    wall_s: float = 60.0
    """Time for one probe or decode before its child is killed."""
    cpu_s: int = 60
    """Processor time of the child, all its threads together."""
    memory_bytes: int = 1 << 30
    """Address space of the child."""


DEFAULT_LIMITS = DecodeLimits()


@dataclass(frozen=True)
class Sampling:
    """How a clip is taken from a video: `frames` frames, every `stride`-th one."""

    frames: int = 32
    stride: int = 2


@dataclass(frozen=True, eq=False)
class Decoded:
    """The wanted frames, upright and scaled."""

    rgb: NDArray[np.uint8]
    """[T,H,W,3]; the shorter of H and W is the short side asked for."""
    times_s: NDArray[np.float64]
    """[T]: seconds from the first frame of the video; never falling."""
    indices: NDArray[np.int64]
    """[T]: the frames that these really are; they differ from the wanted ones where the video ended early."""
    repeated: int
    """How many of the T frames only repeat another: the video is shorter than the clip, or broke off."""
