"""How long a connection may take over the head of a request, and how much of its bytes is held at once.

uvicorn itself would wait for ever: anybody can hold as many connections half-open as the process may have files. A
body may take its time: a large upload over a slow line is no attack, and its length and number are limited elsewhere.
"""

from __future__ import annotations

import asyncio

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

HEAD_S = 8.0  # TRUST.md S13 promises ten, and closing five hundred takes its time
# asyncio reads 256 KiB at once, which h11, uvicorn and we each hold for a moment: measured with 200 uploads at once,
# the process takes 163 MB more with it, 92 to 128 MB with this.
READ_BYTES = 1 << 16


class PatientProtocol(H11Protocol):
    """uvicorn's protocol; a head that is not here whole after `HEAD_S` seconds closes its connection."""

    _head_due: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """The clock of the first head starts with the connection."""
        transport.max_size = READ_BYTES  # pyright: ignore[reportAttributeAccessIssue]  # of asyncio's own transports
        super().connection_made(transport)
        self._mind_the_head()

    def data_received(self, data: bytes) -> None:
        """The clock of a later head starts with its first byte; until then uvicorn's keep-alive limit counts."""
        super().data_received(data)
        self._mind_the_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is waited for any more."""
        super().connection_lost(exc)
        self._stop_clock()

    def _mind_the_head(self) -> None:
        if self.conn.their_state is not h11.IDLE:  # it is here
            self._stop_clock()
        elif self._head_due is None:
            self._head_due = self.loop.call_later(HEAD_S, self._give_up)

    def _give_up(self) -> None:
        self._head_due = None
        if not self.transport.is_closing() and self.conn.their_state is h11.IDLE:
            self.transport.close()

    def _stop_clock(self) -> None:
        if self._head_due is not None:
            self._head_due.cancel()
            self._head_due = None
