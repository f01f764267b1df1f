"""Are the locks of `container.py` on? Each is tried by itself on a bait, since PyAV ignores a misspelt option.

The bait is an ffconcat text, named like a video, that makes an unlocked FFmpeg decode the picture beside it.
`open_locks` runs in the child; `bait.py` asks for it.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import av.error

from nonlocal_core.video import container
from nonlocal_core.video.info import DecodeLimits

TOO_STRICT = {"codec_whitelist": "h264", "max_pixels": "1"}
"""Values with which the picture, a GIF of four pixels, must not decode."""


def open_locks(file: BinaryIO, limits: DecodeLimits, *, folder: str) -> Iterator[tuple[dict[str, Any], bytes]]:
    """One message, {"open": names}: the locks that do not hold, none when all is well.

    `file` is the bait and lies in `folder` beside the picture. "bait" in the answer means that the bait catches
    nothing even without any lock, so the test would prove nothing.
    """
    text = file.read()

    def bait() -> BinaryIO:
        named = io.BytesIO(text)
        named.name = str(Path(folder) / "bait.mp4")  # FFmpeg looks for the picture beside this name
        return named

    attempts: dict[str, Callable[[], object]] = {"all": lambda: container.open_container(bait(), limits)}
    for name in ("format_whitelist", "protocol_whitelist"):
        alone = {name: container.FORMAT_LOCKS[name]}
        attempts[name] = partial(container.open_with, bait(), alone, {})
    for name in container.decoder_locks(limits):
        attempts[name] = partial(decode_first, bait(), {name: TOO_STRICT[name]})
    found = [name for name, attempt in attempts.items() if succeeds(attempt)]
    if not succeeds(lambda: decode_first(bait(), {})):
        found.append("bait")
    yield {"open": found}, b""


def decode_first(bait: BinaryIO, options: dict[str, str]) -> None:
    """Decodes the picture behind the bait; `options` are those of PyAV's decoder, set as `video_stream` sets them."""
    with container.open_with(bait, {}, {}) as opened:
        decoder = opened.streams.video[0].codec_context
        decoder.options = options
        for packet in opened.demux(opened.streams.video[0]):
            if decoder.decode(packet):
                return


def succeeds(attempt: Callable[[], object]) -> bool:
    """Whether it got through; no other error than FFmpeg's own counts as its refusal."""
    try:
        attempt()
    except av.error.FFmpegError:
        return False
    return True
