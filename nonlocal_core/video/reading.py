"""What the isolated child does with an open file: measure it, or decode the wanted frames or key frames of it.

All are generators of messages: a dict that JSON can carry, and bytes. They never see a path. Next: `child.py`, which
runs them, and `probe.py`, `decode.py` and `overview.py`, which ask for them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from fractions import Fraction
from typing import Any, BinaryIO

import av
import av.error
import numpy as np
from av.container import InputContainer
from av.packet import Packet
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from av.video.reformatter import Interpolation
from av.video.stream import VideoStream

from nonlocal_core.errors import UnreadableVideo
from nonlocal_core.video.container import check_size, clockwise_quarter_turns, open_container, video_stream
from nonlocal_core.video.info import DecodeLimits, VideoInfo

Message = tuple[dict[str, Any], bytes]

FALLBACK_RATE_HZ = 25.0  # for a video that tells neither a rate nor times; FFmpeg's own guess
PLAUSIBLE_RATE_HZ = (0.01, 1000.0)
SAME_RATE = 0.02  # measured and stated rates that differ less are the same: Matroska rounds times to milliseconds
PROGRESS_EVERY = 8  # frames

# swscale's bilinear filter widens as it shrinks, so every source pixel counts (no aliasing). FULL_CHR_H_INT keeps the
# full width of the colour planes; ACCURATE_RND and BITEXACT give every machine the same pixels.
SCALING = Interpolation.BILINEAR | Interpolation.FULL_CHR_H_INT | Interpolation.ACCURATE_RND | Interpolation.BITEXACT


def probe(file: BinaryIO, limits: DecodeLimits) -> Iterator[Message]:
    """One message: the fields of `VideoInfo`.

    A header is only a claim: every packet is read and counted, and packets are decoded until one frame is out.

    Raises:
        UnreadableVideo, VideoTooLarge, and whatever PyAV raises on damaged data.
    """
    with open_container(file, limits) as container:
        stream = video_stream(container, limits)
        frame: VideoFrame | None = None
        count = PacketCount(stream, limits)
        for packet in packets(container, stream):
            frame = frame or next(decoded(stream.codec_context, packet, limits), None)
            if count.full(packet):
                break
        frame = frame or next(decoded(stream.codec_context, None, limits), None)
        if frame is None:
            raise UnreadableVideo("no frame of the video can be decoded; it is damaged or empty")
        yield asdict(described(container, stream, frame, count)), b""


def described(container: InputContainer, stream: VideoStream, frame: VideoFrame, count: PacketCount) -> VideoInfo:
    """The measurements, put together."""
    turns = clockwise_quarter_turns(frame.rotation)
    width, height = (frame.width, frame.height) if turns % 2 == 0 else (frame.height, frame.width)
    frames, rate_hz = max(1, count.frames), count.rate_hz()
    stated = container.duration or 0  # microseconds
    return VideoInfo(
        container="/".join(container.format.name.split(",")[:2]),
        codec=stream.codec_context.codec.canonical_name,
        width=width,
        height=height,
        rotation=turns * 90,
        frames=frames,
        duration_s=frames / rate_hz,
        rate_hz=rate_hz,
        truncated=count.truncated,
        stated_s=stated / av.time_base if stated > 0 else None,
    )


class PacketCount:
    """Counts the frames of a stream, packet by packet, and the times between them."""

    def __init__(self, stream: VideoStream, limits: DecodeLimits) -> None:
        self.frames = 0
        self.truncated = False
        self._stream = stream
        self._limits = limits
        self._seen = 0
        self._earliest_s = self._latest_s = None

    def full(self, packet: Packet[VideoStream]) -> bool:
        """Takes the packet into account; true when the limit of frames or seconds is reached."""
        self._seen += 1  # empty packets too: a 5 kB header can claim 268 million of them
        ticks = packet.pts if packet.pts is not None else packet.dts
        time_s = float(ticks * packet.time_base) if ticks is not None and packet.time_base else None
        earliest_s, latest_s = self._earliest_s, self._latest_s
        if time_s is not None:
            earliest_s = time_s if earliest_s is None else min(earliest_s, time_s)
            latest_s = time_s if latest_s is None else max(latest_s, time_s)
            if latest_s - earliest_s >= self._limits.seconds:
                self.truncated = True
                return True
        if self.frames == self._limits.frames or self._seen > 2 * self._limits.frames:
            self.truncated = True
            return True
        if packet.size and not packet.is_discard:  # discarded: before the start that an edit list sets
            self.frames += 1
            self._earliest_s, self._latest_s = earliest_s, latest_s
        return False

    def rate_hz(self) -> float:
        """The rate the header states where the packets bear it out (it is an exact fraction), else theirs."""
        stated, measured = self._plausible(self._stream.average_rate), None
        if self._earliest_s is not None and self._latest_s is not None and self._latest_s > self._earliest_s:
            measured = self._plausible((self.frames - 1) / (self._latest_s - self._earliest_s))
        if stated and measured and abs(stated - measured) > SAME_RATE * measured:
            return measured
        return stated or measured or FALLBACK_RATE_HZ

    @staticmethod
    def _plausible(rate_hz: Fraction | float | None) -> float | None:
        low, high = PLAUSIBLE_RATE_HZ
        return float(rate_hz) if rate_hz is not None and low <= rate_hz <= high else None


def decode(file: BinaryIO, limits: DecodeLimits, *, indices: list[int], short_side: int) -> Iterator[Message]:
    """Messages {"progress"}, and {"index", "time_s", "height", "width"} with pixels for each of `indices` (rising).

    Where the video ends or breaks off before the last of them, its last frame comes instead, once.

    Raises:
        UnreadableVideo: no frame decodes. VideoTooLarge: a frame is. And whatever PyAV raises on damaged data.
    """
    wanted, last = set(indices), indices[-1]
    kept: tuple[int, VideoFrame, float] | None = None
    shape: tuple[int, int] | None = None
    with open_container(file, limits) as container:
        stream = video_stream(container, limits)
        time_s = Clock(stream)
        for index, frame in enumerate(all_frames(container, stream, limits)):
            kept = index, frame, time_s(index, frame)
            shape = shape or scaled(frame.width, frame.height, short_side)
            if index in wanted:
                yield picture(*kept, shape)
            elif index % PROGRESS_EVERY == 0:
                yield {"progress": index / (last + 1)}, b""
            if index == last:
                return
        if kept is None or shape is None:
            raise UnreadableVideo("no frame of the video can be decoded; it is damaged or empty")
        if kept[0] not in wanted:
            yield picture(*kept, shape)


def keys(file: BinaryIO, limits: DecodeLimits, *, indices: list[int], short_side: int) -> Iterator[Message]:
    """Messages as `decode` sends them, for the last key frame up to each of `indices` (rising); each comes once.

    Only these are decoded. They are counted in the order of storing, which leading B-frames make a few off.

    Raises:
        VideoTooLarge: a frame is. And whatever PyAV raises on damaged data.
    """
    shape: tuple[int, int] | None = None
    with open_container(file, limits) as container:
        stream = video_stream(container, limits)
        time_s = Clock(stream)
        for index, packet in wanted_keys(container, stream, indices):
            for frame in [*decoded(stream.codec_context, packet, limits), *decoded(stream.codec_context, None, limits)]:
                shape = shape or scaled(frame.width, frame.height, short_side)
                yield picture(index, frame, time_s(index, frame), shape)
            stream.codec_context.flush_buffers()  # it was drained, and shall take the next


def wanted_keys(
    container: InputContainer, stream: VideoStream, indices: list[int]
) -> Iterator[tuple[int, Packet[VideoStream]]]:
    """The number and the packet of the last key frame up to each of `indices`, each once."""
    waiting = iter(indices)
    wanted = next(waiting, None)
    latest: tuple[int, Packet[VideoStream]] | None = None
    shown = (packet for packet in packets(container, stream) if packet.size and not packet.is_discard)
    for index, packet in enumerate(shown):
        if wanted is None:
            return
        if packet.is_keyframe:
            latest = index, packet
        if index < wanted:
            continue
        while wanted is not None and wanted <= index:
            wanted = next(waiting, None)
        if latest is not None:
            yield latest
            latest = None


def picture(index: int, frame: VideoFrame, time_s: float, shape: tuple[int, int]) -> Message:
    """The frame as RGB, scaled to `shape` (width and height before it is turned) and upright. Alpha is dropped."""
    width, height = shape
    small = frame.reformat(width=width, height=height, format="rgb24", interpolation=SCALING, threads=1)
    upright = np.rot90(small.to_ndarray(), -clockwise_quarter_turns(frame.rotation))
    return {"index": index, "time_s": time_s, "height": upright.shape[0], "width": upright.shape[1]}, upright.tobytes()


def scaled(width: int, height: int, short_side: int) -> tuple[int, int]:
    """Width and height with the shorter side at `short_side` and the longer in proportion, rounded."""
    short = min(width, height)
    return round(width * short_side / short), round(height * short_side / short)


class Clock:
    """Seconds from the first frame; index / rate where the file tells no time; never falling."""

    def __init__(self, stream: VideoStream) -> None:
        self._rate_hz = float(stream.average_rate or FALLBACK_RATE_HZ)
        self._tick_s = float(stream.time_base or 0)  # not the frame's: PyAV sets none on the last, flushed frames
        self._first: int | None = None
        self._last_s = 0.0

    def __call__(self, index: int, frame: VideoFrame) -> float:
        """The time of the frame."""
        if frame.pts is None or not self._tick_s:
            time_s = index / self._rate_hz
        else:
            self._first = frame.pts if self._first is None else self._first
            time_s = (frame.pts - self._first) * self._tick_s
        self._last_s = max(self._last_s, time_s)
        return self._last_s


def all_frames(container: InputContainer, stream: VideoStream, limits: DecodeLimits) -> Iterator[VideoFrame]:
    """Every frame, in the order they are shown."""
    for packet in packets(container, stream):
        yield from decoded(stream.codec_context, packet, limits)
    yield from decoded(stream.codec_context, None, limits)


def packets(container: InputContainer, stream: VideoStream) -> Iterator[Packet[VideoStream]]:
    """The stream's packets; a file that breaks off just ends. (PyAV's own empty last one is left out.)"""
    reader = container.demux(stream)
    while True:
        try:
            packet = next(reader)
        except (StopIteration, av.error.InvalidDataError, av.error.EOFError):
            return
        if packet.dts is None and not packet.size:
            continue
        yield packet


def decoded(
    decoder: VideoCodecContext, packet: Packet[VideoStream] | None, limits: DecodeLimits
) -> Iterator[VideoFrame]:
    """The frames that a packet completes, or with None those that the decoder still holds; none of a damaged packet."""
    try:
        frames = decoder.decode(packet)
    except av.error.MemoryError:
        raise
    except av.error.FFmpegError:
        return
    for frame in frames:
        check_size(frame.width, frame.height, limits)
        yield frame
