"""L1, L2, L4, L5: clicks, uploads at once, listeners, and a soak; shortened by TRUST_SCALE."""

from __future__ import annotations

import asyncio
import os
import time

import numpy as np
import pytest

from benchmarks.load import closed_loop, open_loop
from tests.server import LensServer
from tests.trust.conftest import API
from tests.trust.little import BLOCK
from tests.trust.watched import descriptors, files_below, private_mb, resident_mb, until

BLOCKS = ("mixed_3c", "mixed_4b", "mixed_4c", "mixed_4e", "mixed_4f")


def questions(clip_id, blocks=BLOCKS, frames=32):
    dice = np.random.default_rng(0)
    return [
        f"{API}/{clip_id}/arrows?block={blocks[n % len(blocks)]}&frame={dice.integers(frames)}"
        f"&x={dice.random():.4f}&y={dice.random():.4f}&direction={'forward' if n % 4 else 'reverse'}"
        for n in range(499)
    ]


@pytest.fixture(scope="module")
def real(tmp_path_factory, sample):
    """A server with the model that ships, and a clip that is done."""
    server = LensServer(tmp_path_factory.mktemp("load") / "data", samples="false").start()
    clip_id = server.upload(sample).json()["id"]
    assert server.finish(clip_id)["state"] == "done"
    yield server, questions(clip_id)
    assert server.stop() == 0


@pytest.mark.timeout(600)
def test_l1_clicks(real, scale, figure):
    server, paths = real
    asyncio.run(closed_loop(server.port, paths, connections=4, seconds=2))

    load = asyncio.run(open_loop(server.port, paths, rate_hz=200, connections=50, seconds=max(5, 60 * scale)))
    most = asyncio.run(closed_loop(server.port, paths, connections=50, seconds=max(3, 10 * scale)))

    figure(
        f"200/s over 50 connections: p50 {load.percentile(50):.1f} ms, p99 {load.percentile(99):.1f} ms, "
        f"{load.failures} not 200; saturated {most.rate_hz:.0f}/s"
    )
    assert load.failures == most.failures == 0
    assert load.percentile(50) <= 5
    assert load.percentile(99) <= 50


async def upload_all(port: int, count: int, size: int) -> list[tuple[int, float]]:
    """`count` uploads of `size` bytes at once, over plain sockets; -> (status, seconds) of each."""
    piece = os.urandom(1 << 16)

    async def one(n: int) -> tuple[int, float]:
        began = time.monotonic()
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        head = f"POST {API}?filename=a.mp4 HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {size}\r\n\r\n"
        writer.write(head.encode() + n.to_bytes(8, "little"))
        sent = 8
        while sent < size:
            writer.write(piece[: size - sent])
            sent += min(len(piece), size - sent)
            await writer.drain()
        status = int((await reader.readuntil(b"\r\n"))[9:12])
        writer.close()
        return status, time.monotonic() - began

    return await asyncio.gather(*(one(n) for n in range(count)))


@pytest.mark.timeout(900)
def test_l2_200_uploads_of_20_mb_at_once_are_each_taken_or_refused(start_little, scale, figure):
    size = round(20_000_000 * max(scale, 0.05))
    server = start_little()
    peak_mb = [0.0]

    async def watched():
        uploads = asyncio.create_task(upload_all(server.port, 200, size))
        while not uploads.done():
            peak_mb[0] = max(peak_mb[0], resident_mb(server.process.pid))
            await asyncio.sleep(0.02)
        return await uploads

    answers = asyncio.run(watched())
    statuses = sorted({status for status, _ in answers})
    counts = {status: sum(found == status for found, _ in answers) for status in statuses}
    until(lambda: not files_below(server.data / "uploads"), 60)
    slowest_s = max(seconds for _, seconds in answers)
    figure(f"200 of {size / 1e6:.0f} MB: {counts}, slowest {slowest_s:.1f} s; web process {peak_mb[0]:.0f} MB")
    assert set(counts) <= {200, 202, 413, 429}
    assert peak_mb[0] < 300
    server.stop()


@pytest.mark.timeout(1200)
def test_l4_200_listeners_beside_clicks(real, scale, figure):
    """They listen to a clip that waits behind a stopped worker, so that they stay."""
    server, paths = real
    before = descriptors(server.process.pid)
    worker = server.worker_pid()
    os.kill(worker, 19)
    waiting = server.http.post(API, content=b"waits" + os.urandom(8)).json()["id"]

    async def listen_and_click():
        listeners = []
        for _ in range(200):
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(f"GET {API}/{waiting}/events HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
            await reader.readuntil(b"event: clip")
            listeners.append(writer)
        load = await open_loop(server.port, paths, rate_hz=100, connections=20, seconds=max(5, 600 * scale))
        for writer in listeners:
            writer.close()
        return load

    try:
        load = asyncio.run(listen_and_click())
    finally:
        os.kill(worker, 18)
    returned_s = until(lambda: descriptors(server.process.pid) <= before + 5, 30)
    figure(
        f"200 listeners, 100 clicks/s for {max(5, 600 * scale):.0f} s: p99 {load.percentile(99):.1f} ms, "
        f"{load.failures} not 200; descriptors back after {returned_s:.1f} s"
    )
    assert load.failures == 0
    assert load.percentile(99) < 100


@pytest.mark.timeout(3600)
def test_l5_a_soak_costs_no_memory_and_leaves_no_orphan(start_little, film, scale, figure):
    """Rounds of upload, questions, overview, figure and deletion; memory is counted once everything is warm."""
    server = start_little()
    pid, video = server.process.pid, film.read_bytes()
    rounds = max(20, round(600 * scale))
    memory: list[float] = []

    for n in range(rounds):
        clip_id = server.http.post(API, content=video + n.to_bytes(4, "little")).json()["id"]
        assert server.finish(clip_id)["state"] == "done"
        for path in questions(clip_id, (BLOCK,), 4)[:20]:
            assert server.http.get(path).status_code == 200
        for name in ("overview.jpg", f"figure.svg?block={BLOCK}", "row?frame=0&x=0&y=0&block=" + BLOCK):
            assert server.http.get(f"{API}/{clip_id}/{name}").status_code == 200
        assert server.http.delete(f"{API}/{clip_id}").status_code == 204
        memory.append(private_mb(pid))
    warm, last = np.median(memory[rounds // 4 : rounds // 2]), np.median(memory[-rounds // 4 :])

    rest = [str(path) for folder in ("clips", "uploads") for path in files_below(server.data / folder)]
    figure(
        f"{rounds} rounds: {warm:.1f} MB, later {last:.1f} MB ({100 * (last / warm - 1):+.1f} %), {len(rest)} orphans"
    )
    assert rest == []
    assert not list((server.data / "clips").iterdir())
    assert last < 1.05 * warm
    assert server.stop() == 0
