"""Films that are small as files and enormous as films."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np


def many_frames(path: Path, frames: int) -> Path:
    """Frames of 1920x1080, about 1 kB each: the second frame's packet, "nothing changes", again and again."""
    with av.open(str(path), "w") as out:
        stream = out.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt, stream.codec_context.gop_size = 1920, 1080, "yuv420p", 600
        grey = av.VideoFrame.from_ndarray(np.full((1080, 1920, 3), 128, np.uint8), "rgb24")
        packets = []
        for place in range(3):
            grey.pts, grey.time_base = place, Fraction(1, 25)
            packets += [bytes(packet) for packet in stream.encode(grey)]
        for place in range(frames):
            packet = av.Packet(packets[min(place, 1)])
            packet.stream, packet.pts, packet.dts, packet.time_base = stream, place, place, Fraction(1, 25)
            packet.is_keyframe = place == 0
            out.mux(packet)
    return path
