"""`make bench` or `python -m benchmarks [VIDEO]`: the figures of README, on this machine, as a table.

VIDEO is the clip that is uploaded; a sample that ships when it is not given. A server of its own is started.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.hover import hover
from benchmarks.load import Load, closed_loop, open_loop
from tests.server import ROOT, LensServer

UPLOADS = 5
BLOCKS = ("mixed_3c", "mixed_4b", "mixed_4c", "mixed_4e", "mixed_4f")


def row(what: str, figure: str) -> None:
    print(f"{what:62} {figure}", flush=True)


def upload_to_arrows(server: LensServer, video: Path, start_s: float) -> tuple[float, str]:
    """Seconds from the first byte sent until the first arrows are here; each start is another clip."""
    began = time.perf_counter()
    clip_id = server.upload(video, start_s=str(start_s)).json()["id"]
    while server.clip(clip_id)["state"] != "done":
        time.sleep(0.02)
    answer = server.http.get(
        f"/api/v1/clips/{clip_id}/arrows", params={"block": "mixed_4c", "frame": 8, "x": 0.5, "y": 0.5}
    )
    assert len(answer.json()["arrows"]) == 20
    return time.perf_counter() - began, clip_id


def questions(clip_id: str, count: int) -> list[str]:
    random = np.random.default_rng(0)
    return [
        f"/api/v1/clips/{clip_id}/arrows?block={BLOCKS[i % 5]}&frame={random.integers(32)}"
        f"&x={random.random():.4f}&y={random.random():.4f}&direction={'forward' if i % 4 else 'reverse'}"
        for i in range(count)
    ]


def many_questions(server: LensServer, clip_id: str) -> str:
    """Round trip of `POST /arrows` with 1000 questions to five blocks."""
    random = np.random.default_rng(0)
    queries = [
        {"block": BLOCKS[i % 5], "frame": int(random.integers(32)), "x": random.random(), "y": random.random()}
        for i in range(1000)
    ]
    times = []
    for _ in range(6):
        began = time.perf_counter()
        answer = server.http.post(f"/api/v1/clips/{clip_id}/arrows", json={"queries": queries})
        times.append(1000 * (time.perf_counter() - began))
        assert len(answer.json()["answers"]) == 1000
    return f"median {statistics.median(times[1:]):.0f} ms"


def resident_mb(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 1000


def show_load(what: str, load: Load) -> None:
    row(what, f"p50 {load.percentile(50):.1f} ms, p99 {load.percentile(99):.1f} ms, {load.rate_hz:.0f}/s, "
              f"{load.failures} not 200")  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("video", type=Path, nargs="?", default=ROOT / "app" / "samples" / "two-cups.mp4")
    video = parser.parse_args().video
    with tempfile.TemporaryDirectory() as folder:
        server = LensServer(Path(folder) / "data", samples="false").start()
        times, clip_id = [], ""
        for n in range(UPLOADS + 1):  # the first one warms the server up
            seconds, clip_id = upload_to_arrows(server, video, n / 10)
            times.append(seconds)
        row(f"{video.name}: upload to first arrows, warm, of {UPLOADS}",
            f"median {statistics.median(times[1:]):.2f} s, slowest {max(times[1:]):.2f} s")  # fmt: skip
        disk = sum(path.stat().st_size for path in (server.data / "clips" / clip_id).rglob("*") if path.is_file())
        row("disk per clip (video included)", f"{disk / 1e6:.1f} MB, video {video.stat().st_size / 1e6:.1f} MB")
        paths = questions(clip_id, 997)
        asyncio.run(closed_loop(server.port, paths, connections=4, seconds=1))
        show_load("arrows, 200/s, open loop, 50 connections, 30 s",
                  asyncio.run(open_loop(server.port, paths, rate_hz=200, connections=50, seconds=30)))  # fmt: skip
        show_load("arrows, saturated, 50 connections, 10 s",
                  asyncio.run(closed_loop(server.port, paths, connections=50, seconds=10)))  # fmt: skip
        row("1000 questions in one request, warm, of 5", many_questions(server, clip_id))
        row("memory of the web process", f"{resident_mb(server.process.pid):.0f} MB")
        row("memory of the worker (model loaded, after its jobs)", f"{resident_mb(server.worker_pid()):.0f} MB")
        for what, figure in hover(server.url, clip_id).items():
            row(f"hover, {what}", figure)
        server.stop()


if __name__ == "__main__":
    main()
