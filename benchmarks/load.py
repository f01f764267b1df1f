"""A small HTTP load generator: open loop (requests leave on a schedule, however slow the answers) and closed loop.

Plain sockets and asyncio, because it shares the machine's cores with the server that it measures.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Load:
    """Latencies in milliseconds from the scheduled moment, answers a second, and what was not a 200."""

    latencies_ms: np.ndarray
    rate_hz: float
    failures: int

    def percentile(self, q: float) -> float:
        return float(np.percentile(self.latencies_ms, q))


class Connection:
    """One keep-alive connection."""

    async def open(self, port: int) -> Connection:
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", port)
        return self

    async def get(self, path: str) -> int:
        self.writer.write(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
        head = await self.reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
        await self.reader.readexactly(length)
        return int(head[9:12])

    async def close(self) -> None:
        self.writer.close()
        await self.writer.wait_closed()


async def open_loop(port: int, paths: Sequence[str], *, rate_hz: float, connections: int, seconds: float) -> Load:
    """Requests at a fixed rate, spread over the connections in turn."""
    pool = [await Connection().open(port) for _ in range(connections)]
    latencies: list[float] = []
    failures = 0
    begin = time.perf_counter() + 0.2

    async def run(n: int, connection: Connection) -> None:
        nonlocal failures
        for i in range(n, int(rate_hz * seconds), connections):
            due = begin + i / rate_hz
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            failures += await connection.get(paths[i % len(paths)]) != 200
            latencies.append(1000 * (time.perf_counter() - due))

    await asyncio.gather(*(run(n, connection) for n, connection in enumerate(pool)))
    took_s = time.perf_counter() - begin
    await asyncio.gather(*(connection.close() for connection in pool))
    return Load(np.array(latencies), len(latencies) / took_s, failures)


async def closed_loop(port: int, paths: Sequence[str], *, connections: int, seconds: float) -> Load:
    """Each connection asks again as soon as it is answered: the highest rate."""
    pool = [await Connection().open(port) for _ in range(connections)]
    latencies: list[float] = []
    failures = 0
    begin = time.perf_counter()

    async def run(n: int, connection: Connection) -> None:
        nonlocal failures
        for path in itertools.islice(itertools.cycle(paths), n * 7, None):
            asked = time.perf_counter()
            if asked - begin > seconds:
                return
            failures += await connection.get(path) != 200
            latencies.append(1000 * (time.perf_counter() - asked))

    await asyncio.gather(*(run(n, connection) for n, connection in enumerate(pool)))
    took_s = time.perf_counter() - begin
    await asyncio.gather(*(connection.close() for connection in pool))
    return Load(np.array(latencies), len(latencies) / took_s, failures)
