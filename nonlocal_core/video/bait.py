"""Is the isolated decoder safe on this machine? The server asks before it takes uploads."""

from __future__ import annotations

import tempfile
from pathlib import Path

from nonlocal_core.errors import DecoderFault, VideoError
from nonlocal_core.video.info import DEFAULT_LIMITS
from nonlocal_core.video.isolation import call
from nonlocal_core.video.probe import probe_video

PICTURE = (
    b"GIF89a\x02\x00\x02\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff,\x00\x00\x00\x00\x02\x00\x02\x00\x00\x02\x02\x84Q\x00;"
)
PICTURE_NAME = "picture.gif"
BAIT = f"ffconcat version 1.0\nfile {PICTURE_NAME}\n".encode()


def self_test() -> None:
    """Tries every lock of the decoder on a hostile file, and that a harmless one still opens.

    Raises:
        DecoderFault: a lock is open, or the decoder does not work.
    """
    with tempfile.TemporaryDirectory(prefix="nonlocal-lens-") as name:
        folder = Path(name)
        (folder / PICTURE_NAME).write_bytes(PICTURE)
        (folder / "bait.mp4").write_bytes(BAIT)
        try:
            probe_video(folder / PICTURE_NAME)
            ((answer, _),) = call("locks", folder / "bait.mp4", DEFAULT_LIMITS, folder=name)
        except VideoError as error:
            raise DecoderFault(f"the isolated decoder fails on a harmless picture: {error}") from None
    if answer["open"]:
        raise DecoderFault(
            f"the isolated decoder would read hostile files: {', '.join(answer['open'])} has no effect in this PyAV; "
            "do not serve with it"
        )
