"""Receiving one upload: a stream of bytes into a file that is whole or not there."""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from anyio import CapacityLimiter, to_thread
from starlette.requests import ClientDisconnect

from app.problems import FULL, StorageFull, UploadTooLarge

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from typing import BinaryIO

    from starlette.types import Receive

# A thread hop costs about 50 us, a disk that is behind blocks for seconds: so write in threads, in pieces large
# enough to hide the hop and small enough that 200 uploads at once hold 50 MB.
PIECE_BYTES = 256 * 1024
WRITERS = 4  # threads of their own, or uploads would take those that answer clicks


@dataclass(frozen=True)
class Received:
    """A whole upload, synced to disk, not yet a clip: the file is the receiver's to move or remove."""

    path: Path
    sha256: str
    bytes: int


class _Digest(Protocol):
    def update(self, data: bytearray, /) -> None: ...


class UploadReceiver:
    """Writes uploads into one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._writers = CapacityLimiter(WRITERS)

    async def receive(self, chunks: AsyncIterator[bytes], limit_bytes: int) -> Received:
        """Stream `chunks` into a new file.

        Nothing is left when it fails or is cancelled, a client that hangs up included (its exception passes through).

        Raises:
            UploadTooLarge: as soon as the limit is passed, without waiting for the rest.
            StorageFull: the disk has no room.
        """
        path = self._folder / secrets.token_hex(16)
        digest = hashlib.sha256()
        total = 0
        try:
            with path.open("xb", buffering=0) as file:
                piece = bytearray()
                async for chunk in chunks:
                    total += len(chunk)
                    if total > limit_bytes:
                        raise UploadTooLarge(limit_bytes)
                    piece += chunk
                    if len(piece) >= PIECE_BYTES:
                        await to_thread.run_sync(_write, file, digest, piece, limiter=self._writers)
                        piece.clear()
                await to_thread.run_sync(_write, file, digest, piece, limiter=self._writers)
                await to_thread.run_sync(os.fsync, file.fileno(), limiter=self._writers)
        except BaseException as error:
            path.unlink(missing_ok=True)
            if isinstance(error, OSError) and error.errno in FULL:
                raise StorageFull("the upload") from error
            raise
        return Received(path, digest.hexdigest(), total)


def _write(file: BinaryIO, digest: _Digest, piece: bytearray) -> None:
    """Unbuffered, so that a full disk is met here and not when the file is closed; a short write goes on."""
    digest.update(piece)
    rest = memoryview(piece)
    while rest:
        rest = rest[file.write(rest) :]


class Body:
    """The body of a request, which can be heard to its end after it was refused."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._ended = False

    async def chunks(self) -> AsyncIterator[bytes]:
        """What is sent, as it comes.

        Raises:
            ClientDisconnect: the client hung up.
        """
        while not self._ended:
            yield await self._next()

    async def forget(self, most_bytes: int) -> None:
        """Read the rest, or `most_bytes` of it, and keep nothing.

        A connection that is closed on unread bytes is reset, and the client would never read why it was refused.
        """
        with contextlib.suppress(ClientDisconnect):
            while not self._ended and most_bytes > 0:
                most_bytes -= len(await self._next())

    async def _next(self) -> bytes:
        message = await self._receive()
        self._ended = not message.get("more_body", False)
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        return message.get("body", b"")
