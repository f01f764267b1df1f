"""What a video file is, found out in isolation."""

from __future__ import annotations

import functools
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

from nonlocal_core.errors import UnreadableVideo
from nonlocal_core.video.info import DEFAULT_LIMITS, DecodeLimits, VideoInfo
from nonlocal_core.video.isolation import call


def probe_video(path: Path, limits: DecodeLimits = DEFAULT_LIMITS) -> VideoInfo:
    """The video's measures; every packet is read, one frame is decoded.

    Raises:
        UnreadableVideo: no frame can be decoded, or the container or codec is not on the white list.
        VideoTooLarge: a frame is too large, or reading takes too much time or memory.
    """
    replies = list(call("probe", Path(path), limits))
    return checked(replies[0][0] if replies else {})


@functools.cache
def ffmpeg_version() -> str:
    """The version of the FFmpeg inside PyAV, asked of a process of its own: this one never loads it."""
    code = "import av; print(av.ffmpeg_version_info)"
    answer = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=False)
    return answer.stdout.strip() or "unknown"


def checked(header: dict[str, Any]) -> VideoInfo:
    """The child's answer as a `VideoInfo`. The file may have taken the child over, so nothing in it is believed.

    Raises:
        UnreadableVideo: it makes no sense.
    """
    try:
        info = VideoInfo(
            container=str(header["container"])[:40],
            codec=str(header["codec"])[:40],
            width=int(header["width"]),
            height=int(header["height"]),
            rotation=int(header["rotation"]),
            frames=int(header["frames"]),
            duration_s=float(header["duration_s"]),
            rate_hz=float(header["rate_hz"]),
            truncated=header["truncated"] is True,
            stated_s=None if header["stated_s"] is None else float(header["stated_s"]),
        )
    except (KeyError, TypeError, ValueError, OverflowError):
        raise UnreadableVideo("the decoder's answer makes no sense") from None
    measures = [info.width, info.height, info.frames, info.duration_s, info.rate_hz]
    if info.stated_s is not None:
        measures.append(info.stated_s)
    if not all(math.isfinite(each) and each > 0 for each in measures) or info.rotation not in (0, 90, 180, 270):
        raise UnreadableVideo("the decoder's answer makes no sense")
    return info
