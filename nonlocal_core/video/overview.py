"""A whole video at a glance: a few whole frames, evenly spread, small, in one sheet.

`read_overview` decodes them in isolation, all frames of a short video and only the key frames of a long one;
`overview_sheet` lays them out. Nothing here crops: what a network sees of a frame is `transform.crop_box`.
"""

from __future__ import annotations

import math
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nonlocal_core.video.decode import Picture, assembled, checked, decode_frames
from nonlocal_core.video.info import DEFAULT_LIMITS, Decoded, DecodeLimits, VideoInfo
from nonlocal_core.video.isolation import call

PICTURES = 48
SHORT_SIDE_PX = 90
WHOLLY_DECODED_PIXELS = 2_000_000_000  # 1000 frames of 1080p, about 3 s on two cores
OVERVIEW_LIMITS = replace(DEFAULT_LIMITS, wall_s=20.0, cpu_s=30)


def overview_frames(frames: int) -> NDArray[np.int64]:
    """Numbers of at most `PICTURES` frames: int64 [N], evenly spread from the first to the last, each once."""
    return np.linspace(0, frames - 1, min(PICTURES, frames)).round().astype(np.int64)


def read_overview(path: Path, info: VideoInfo, limits: DecodeLimits = OVERVIEW_LIMITS) -> Decoded:
    """The frames of `overview_frames`, whole and upright, their shorter side `SHORT_SIDE_PX`: rgb uint8 [N,H,W,3].

    Of a long video the nearest key frame before each is taken, for decoding it all would take minutes; then there
    may be fewer, unevenly spread, and `indices` and `times_s` tell where they are.

    Raises:
        UnreadableVideo, VideoTooLarge: the file is at fault.
    """
    wanted = overview_frames(info.frames)
    if info.frames * info.width * info.height <= WHOLLY_DECODED_PIXELS:
        return decode_frames(path, wanted, short_side=SHORT_SIDE_PX, limits=limits)
    return key_frames(path, wanted, short_side=SHORT_SIDE_PX, limits=limits)


def key_frames(path: Path, indices: NDArray[np.int64], *, short_side: int, limits: DecodeLimits) -> Decoded:
    """The last key frame up to each of `indices` (rising), each once; only these are decoded.

    Frames are counted as they are stored, which may be a few off the order of showing.

    Raises:
        UnreadableVideo, VideoTooLarge: as `decode_frames`.
    """
    wanted: list[int] = indices.tolist()
    found: dict[int, Picture] = {}
    most_bytes = round(3 * short_side * (limits.aspect * short_side + 1))
    request = {"indices": wanted, "short_side": short_side}
    with closing(call("keys", path, limits, most_bytes=most_bytes, **request)) as replies:
        for header, pixels in replies:
            picture = checked(header, pixels, wanted[-1])
            found[picture.index] = picture
    return assembled(sorted(found), found)


def overview_sheet(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Frames [N,H,W,3] in rows, left to right: uint8 [rows*H, columns*W, 3], about square.

    Places left over in the last row are black.
    """
    count, height, width = rgb.shape[:3]
    columns = min(count, max(1, round(math.sqrt(count * height / width))))
    rows = math.ceil(count / columns)
    padded = np.zeros((rows * columns, height, width, 3), np.uint8)
    padded[:count] = rgb
    grid = padded.reshape(rows, columns, height, width, 3).transpose(0, 2, 1, 3, 4)  # [rows,H,columns,W,3]
    return np.ascontiguousarray(grid.reshape(rows * height, columns * width, 3))
