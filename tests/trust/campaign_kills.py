"""F1, F2: kill -9 of the worker and of the whole server at random moments, under a queue of 20 real jobs."""

from __future__ import annotations

import os
import random
import signal
import time

import pytest

from tests.server import LensServer
from tests.trust.conftest import API
from tests.trust.watched import until

JOBS, WORKER_KILLS, SERVER_KILLS = 20, 20, 5
PATIENCE_S = 300  # of a machine that others use too
LOOK = {"block": "mixed_4c", "frame": 0, "x": 0.5, "y": 0.5}


class Observer:
    """What the clips and their files say, and that none of it is half."""

    def __init__(self, server: LensServer) -> None:
        self.server = server

    def active(self) -> list[dict]:
        return [clip for clip in self.clips() if clip["state"] in ("queued", "running")]

    def clips(self) -> list[dict]:
        return self.server.http.get(API).json()["clips"]

    def assert_nothing_half(self) -> None:
        for folder in (self.server.data / "clips").iterdir():
            assert not (folder / "analysis").exists() or (folder / "analysis" / "manifest.json").exists()


@pytest.mark.timeout(5400)
def test_f1_f2_every_job_ends_done_once_whatever_is_killed_and_when(tmp_path, sample, scale, figure):
    share = max(scale, 0.1)
    jobs, worker_kills, server_kills = (max(1, round(n * share)) for n in (JOBS, WORKER_KILLS, SERVER_KILLS))
    dice = random.Random(3)
    server = LensServer(tmp_path / "data", samples="false").start()
    observer = Observer(server)
    ids = [server.upload(sample, start_s=str(n / 10)).json()["id"] for n in range(jobs)]
    kills = ["worker"] * worker_kills + ["server"] * server_kills
    dice.shuffle(kills)
    restarts_s: list[float] = []
    seen_attempts = dict.fromkeys(ids, 0)
    began = time.monotonic()

    for n, victim in enumerate(kills):
        # A clip that was running at two kills is spared the third, after which it would rightly be given up.
        until(lambda: not observer.active() or _running(observer, seen_attempts) is not None, PATIENCE_S)
        if not observer.active():
            more = server.upload(sample, start_s=str(jobs / 10 + n / 10)).json()["id"]  # the queue ran dry: one more
            ids.append(more)
            seen_attempts[more] = 0
            until(lambda: _running(observer, seen_attempts) is not None, PATIENCE_S)
        time.sleep(dice.uniform(0, 2.5))
        running = _running(observer, seen_attempts)
        if running is not None:
            seen_attempts[running] += 1
        killed = time.monotonic()
        if victim == "worker":
            os.kill(server.worker_pid(), signal.SIGKILL)
            observer.assert_nothing_half()
            until(lambda: server.http.get("/readyz").status_code == 503, 5)
            until(lambda: server.http.get("/readyz").status_code == 200, PATIENCE_S)
        else:
            server.kill()
            observer.assert_nothing_half()
            server.start()
        restarts_s.append(time.monotonic() - killed)
    ended = [server.finish(clip_id) for clip_id in ids]
    seconds = time.monotonic() - began

    folders = {path.name: sorted(p.name for p in path.iterdir()) for path in (server.data / "clips").iterdir()}
    states = [clip["state"] for clip in ended]
    restarts_s.sort()
    figure(
        f"{worker_kills} worker and {server_kills} server kills, {len(ids)} jobs in {seconds:.0f} s: "
        f"{states.count('done')} done once, {len(ids) - len(observer.clips())} lost, "
        f"{len(observer.clips()) - len(set(ids))} doubled; ready again after {restarts_s[len(restarts_s) // 2]:.1f} s "
        f"(slowest {restarts_s[-1]:.1f} s)"
    )
    assert states == ["done"] * len(ids)
    assert sorted(clip["id"] for clip in observer.clips()) == sorted(ids)
    assert all("analysis" in files and not any("partial" in name for name in files) for files in folders.values())
    assert set(folders) == set(ids)
    assert all(server.http.get(f"{API}/{clip_id}/arrows", params=LOOK).status_code == 200 for clip_id in ids)
    assert server.stop() == 0


def _running(observer: Observer, attempts: dict[str, int]) -> str | None:
    """The clip that runs, if it may be killed once more."""
    running = [clip["id"] for clip in observer.active() if clip["state"] == "running"]
    return next((clip_id for clip_id in running if attempts[clip_id] < 2), None)


@pytest.mark.timeout(600)
def test_f2_a_listener_comes_back_with_its_last_event_id_after_the_server_was_killed(tmp_path, sample, figure):
    server = LensServer(tmp_path / "data", samples="false").start()
    clip_id = server.upload(sample).json()["id"]
    with server.http.stream("GET", f"{API}/{clip_id}/events") as stream:
        last = next(line for line in stream.iter_lines() if line.startswith("id: ")).removeprefix("id: ")
    server.kill()
    server.start()

    seen: list[int] = []
    with server.http.stream("GET", f"{API}/{clip_id}/events", headers={"Last-Event-ID": last}) as stream:
        for line in stream.iter_lines():
            if line.startswith("id: "):
                seen.append(int(line.removeprefix("id: ")))

    figure(f"{len(seen)} events after {last}, none seen before")
    assert seen == sorted(set(seen))
    assert seen[0] > int(last)
    assert server.clip(clip_id)["state"] == "done"
    assert server.stop() == 0
