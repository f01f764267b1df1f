"""The only place that opens an upload with FFmpeg, and the locks that keep FFmpeg from opening anything else.

FFmpeg reads playlists: a text that is named .mp4 can make it decode other local files and send HTTP requests. What
stops it is a white list of formats, of protocols and of codecs. PyAV ignores an option it does not know without a word,
so each lock is tried at start-up: see `locks.py`. (PyAV's `io_open` is no lock: FFmpeg's concat demuxer goes round it.)
Runs in the child only.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, BinaryIO

import av
from av.container import InputContainer
from av.stream import Disposition
from av.video.stream import VideoStream

from nonlocal_core.errors import UnreadableVideo, VideoTooLarge
from nonlocal_core.video.info import DecodeLimits

FORMATS = ("mov", "matroska", "avi", "gif")
"""FFmpeg's demuxers: mov also reads mp4, m4v and 3gp; matroska also reads webm."""

CODECS = (
    *("h264", "hevc", "libdav1d", "vp8", "vp9"),  # phones, cameras and the web
    *(
        "mpeg4",
        "msmpeg4",
        "msmpeg4v2",
        "h263",
        "mpeg1video",
        "mpeg2video",
        "rawvideo",
    ),  # older data sets
    *("mjpeg", "prores", "gif"),
)
"""FFmpeg's decoders (not codecs: AV1 is read by libdav1d). PNG is left out: 750 kB of it can take 768 MB a frame."""

FORMAT_LOCKS = {
    "format_whitelist": ",".join(FORMATS),
    "protocol_whitelist": "none",
    "codec_whitelist": ",".join(CODECS),
    "enable_drefs": "0",  # a MOV may name other files to read its data from
    "max_streams": "16",
    "probesize": "5000000",
    "analyzeduration": "10000000",
}

DECODER_THREADS = 4
"""Measured at 4096×2304 in 10 bits: 610 MB of address space with 4 threads, 795 MB with 8, and no faster."""


def decoder_locks(limits: DecodeLimits) -> dict[str, str]:
    """Options of the decoder itself. FFmpeg's demuxer and PyAV each open one of their own, so both are given these.

    The decoder counts pixels in whole blocks and with borders, so it is given some more; `check_size` is exact.
    """
    return {"max_pixels": str(limits.pixels + limits.pixels // 4 + (1 << 17)), "codec_whitelist": ",".join(CODECS)}


def open_container(file: BinaryIO, limits: DecodeLimits) -> InputContainer:
    """The container, with every lock on.

    Raises:
        av.FFmpegError and others: it is damaged, or not of an allowed format; PyAV's choice of errors is wide.
    """
    return open_with(file, FORMAT_LOCKS, decoder_locks(limits))


def open_with(file: BinaryIO, locks: Mapping[str, str], options: Mapping[str, str]) -> InputContainer:
    """The call of `av.open`. Only `open_container`, and the test of each lock by itself, have business here."""
    return av.open(file, mode="r", metadata_errors="replace", container_options=dict(locks), options=dict(options))


def video_stream(container: InputContainer, limits: DecodeLimits) -> VideoStream:
    """The first film in the container (not a cover picture), with the locks set on PyAV's own decoder.

    Raises:
        UnreadableVideo: there is none, or its codec is not on the white list.
        VideoTooLarge: the header already claims too many pixels.
    """
    films = [each for each in container.streams.video if not each.disposition & Disposition.attached_pic]
    if not films:
        raise UnreadableVideo("the file holds no video stream; only sound, pictures or text were found in it")
    stream = films[0]
    # PyAV types it as always there, but it is None where FFmpeg has no decoder.
    context: Any = stream.codec_context
    if context is None or context.codec.name not in CODECS:
        name = context.name if context else "unknown"
        raise UnreadableVideo(f"the video codec {name!r} is not supported; convert the file to H.264, for example")
    check_size(context.width, context.height, limits)
    context.options = decoder_locks(limits)
    context.thread_count = DECODER_THREADS
    context.thread_type = "AUTO"
    return stream


def check_size(width: int, height: int, limits: DecodeLimits) -> None:
    """Raises VideoTooLarge for a frame with too many pixels, or of too long and narrow a shape."""
    if width * height > limits.pixels:
        raise VideoTooLarge(f"frames of {width}×{height} pixels are too large; at most {limits.pixels} pixels are read")
    if max(width, height) > limits.aspect * max(1, min(width, height)):
        raise VideoTooLarge(
            f"frames of {width}×{height} pixels are too narrow; one side may be {limits.aspect:g} times the other"
        )


def clockwise_quarter_turns(rotation: float) -> int:
    """Quarter turns to make a frame upright, from PyAV's `frame.rotation` (degrees, counter-clockwise).

    Angles between are rounded to the next quarter. Mirrored display matrices are shown unmirrored.
    """
    return 0 if math.isnan(rotation) else round(-rotation / 90) % 4
