"""Small valid films of every container, and ways to break them."""

from __future__ import annotations

import random
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

# name -> (codec, pixel format, encoder options, container options)
SEEDS: dict[str, tuple[str, str, dict[str, str], dict[str, str]]] = {
    "h264.mp4": ("libx264", "yuv420p", {"bf": "2"}, {}),
    "fragments.mp4": ("libx264", "yuv420p", {}, {"movflags": "frag_keyframe+empty_moov"}),
    "mpeg4.mp4": ("mpeg4", "yuv420p", {}, {"movflags": "faststart"}),
    "hevc.mp4": ("libx265", "yuv420p", {"x265-params": "log-level=none"}, {}),
    "ten-bit.mp4": ("libx264", "yuv420p10le", {}, {}),
    "prores.mov": ("prores_ks", "yuv422p10le", {}, {}),
    "h264.mkv": ("libx264", "yuv420p", {}, {}),
    "mjpeg.mkv": ("mjpeg", "yuvj420p", {}, {}),
    "mpeg2.mkv": ("mpeg2video", "yuv420p", {}, {}),
    "vp8.webm": ("libvpx", "yuv420p", {"deadline": "realtime"}, {}),
    "vp9.webm": ("libvpx-vp9", "yuv420p", {"deadline": "realtime"}, {}),
    "mpeg4.avi": ("mpeg4", "yuv420p", {}, {}),
    "mjpeg.avi": ("mjpeg", "yuvj420p", {}, {}),
    "raw.avi": ("rawvideo", "yuv420p", {}, {}),
    "plain.gif": ("gif", "rgb8", {}, {}),
    "grey.gif": ("gif", "gray", {}, {"loop": "3"}),
}
BORDERS = (0, 1, 0x7F, 0x80, 0xFF)
WORDS = (b"\0\0\0\0", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\xff\xff\xff\x7f", b"\x80\0\0\0", b"\0\0\0\x01")


def write_seed(folder: Path, name: str, frames: int = 8, size: tuple[int, int] = (96, 64)) -> Path:
    """One of `SEEDS`: a bright square that moves over noise. (x265 writes past its memory at 48x32.)"""
    codec, pix_fmt, options, container_options = SEEDS[name]
    noise = np.random.default_rng(0).integers(60, 120, (size[1], size[0], 3), np.uint8)
    with av.open(str(folder / name), "w", container_options=container_options) as file:
        stream: Any = file.add_stream(codec, rate=10, options=options)
        stream.width, stream.height, stream.pix_fmt = *size, pix_fmt
        stream.codec_context.time_base = Fraction(1, 10)
        for number in range(frames):
            rgb = noise.copy()
            rgb[8:40, 4 * number : 4 * number + 32] = 230
            frame = av.VideoFrame.from_ndarray(rgb, "rgb24").reformat(format=pix_fmt)
            frame.pts, frame.time_base = number, Fraction(1, 10)
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
    return folder / name


def write_seeds(folder: Path) -> dict[str, bytes]:
    return {name: write_seed(folder, name).read_bytes() for name in SEEDS}


def mutated(name: str, seeds: dict[str, bytes], dice: random.Random) -> bytes:
    """The seed with one to four faults; half of them in its first 600 bytes or the last, where the tables are."""
    data = bytearray(seeds[name])
    kin = [seed for other, seed in seeds.items() if other.split(".")[1] == name.split(".")[1]]
    for _ in range(dice.choice((1, 1, 2, 4))):
        _fault(data, dice.choice(kin), dice)
    return bytes(data)


def _fault(data: bytearray, kin: bytes, dice: random.Random) -> None:
    if not data:
        return
    at = _place(len(data), dice)
    run = min(dice.choice((1, 4, 32, 400)), len(data) - at)
    kind = dice.randrange(9)
    if kind == 0:
        data[at] ^= 1 << dice.randrange(8)
    elif kind == 1:
        data[at] = dice.choice(BORDERS)
    elif kind == 2:
        data[at : at + 4] = dice.choice(WORDS)
    elif kind == 3:
        del data[at:]
    elif kind == 4:
        del data[at : at + run]
    elif kind == 5:
        data[at:at] = data[at : at + run]
    elif kind == 6:
        data[at : at + run] = dice.randbytes(run)
    elif kind == 7:
        other = _place(len(kin), dice)
        data[at:] = kin[other:]
    else:
        for _ in range(20):
            data[dice.randrange(len(data))] = dice.randrange(256)


def _place(size: int, dice: random.Random) -> int:
    near = min(600, size)
    return dice.choice(
        (dice.randrange(size), dice.randrange(size), dice.randrange(near), size - 1 - dice.randrange(near))
    )
