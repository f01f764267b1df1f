"""What a video file is, found out in isolation."""

from __future__ import annotations

from pathlib import Path

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
    if len(replies) != 1:
        raise UnreadableVideo("the decoder gave no answer")
    fields = {name: value for name, value in replies[0][0].items() if name != "bytes"}
    return VideoInfo(**fields)
