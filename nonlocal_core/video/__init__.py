"""Video files: what they are, which frames make a clip, and those frames, from a decoder no hostile file can leave.

The way through: `probe_video` -> `clip_frames` -> `decode_frames` -> `crop_clip` -> `normalise`. PyAV is loaded in the
isolated process alone: read `isolation.py`, `child.py`, `reading.py` and `container.py`, in this order.
"""

from nonlocal_core.video.bait import self_test
from nonlocal_core.video.decode import decode_frames
from nonlocal_core.video.info import Decoded, DecodeLimits, Sampling, VideoInfo
from nonlocal_core.video.overview import overview_sheet, read_overview
from nonlocal_core.video.probe import probe_video
from nonlocal_core.video.sampling import clip_frames
from nonlocal_core.video.transform import crop_box, crop_clip, normalise

__all__ = [
    "DecodeLimits",
    "Decoded",
    "Sampling",
    "VideoInfo",
    "clip_frames",
    "crop_box",
    "crop_clip",
    "decode_frames",
    "normalise",
    "overview_sheet",
    "probe_video",
    "read_overview",
    "self_test",
]
