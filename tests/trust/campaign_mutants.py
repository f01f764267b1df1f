"""S4: 10 000 mutated films through the real upload path: HTTP, queue, worker, decoder child, the little network.

TRUST_SCALE=1 python -m pytest -s tests/trust/campaign_mutants.py        about a quarter of an hour
"""

from __future__ import annotations

import random
import shutil
import tempfile
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.server import LensServer
from tests.trust.conftest import API
from tests.trust.films import SEEDS, mutated, write_seeds
from tests.trust.watched import MB, Watch, descriptors, files_below, private_mb

MUTANTS = 10_000
IN_FLIGHT = 40
MEMORY_LIMIT = 1 << 30
WARM = 500  # the first ones fill caches and pools


@pytest.fixture
def data():
    """In memory where there is such a place: the disk is not what is tested."""
    shared = Path("/dev/shm")
    folder = Path(tempfile.mkdtemp(dir=shared if shared.is_dir() else None))
    yield folder / "data"
    shutil.rmtree(folder)


class Campaign:
    """Keeps `IN_FLIGHT` clips on their way and removes those that ended."""

    def __init__(self, server: LensServer) -> None:
        self._server = server
        self._http = server.http
        self._waiting: list[str] = []
        self.statuses: Counter[int] = Counter()
        self.outcomes: Counter[str] = Counter()

    def send(self, name: str, content: bytes) -> None:
        response = self._http.post(API, params={"filename": name}, content=content)
        self.statuses[response.status_code] += 1
        assert response.status_code in (200, 202), response.text
        self._waiting.append(response.json()["id"])
        while len(self._waiting) >= IN_FLIGHT:
            self.collect()

    def collect(self) -> None:
        assert self._server.process.poll() is None, self._server.data.with_suffix(".log").read_text()[-3000:]
        clips = {clip["id"]: clip for clip in self._http.get(API).json()["clips"]}
        ended = [clip_id for clip_id in self._waiting if clips[clip_id]["state"] not in ("queued", "running")]
        for clip_id in ended:
            clip = clips[clip_id]
            self.outcomes[clip["error"]["code"] if clip["error"] else clip["state"]] += 1
            self.statuses[self._http.delete(f"{API}/{clip_id}").status_code] += 1
        self._waiting = [clip_id for clip_id in self._waiting if clip_id not in ended]
        time.sleep(0.1)

    def finish(self) -> None:
        while self._waiting:
            self.collect()


@pytest.mark.timeout(3600)
def test_s4_mutated_films_make_no_server_error_leave_nothing_and_cost_no_memory(
    start_little, data, tmp_path, scale, figure
):
    count = max(100, round(MUTANTS * scale))
    seeds, dice, names = write_seeds(tmp_path), random.Random(11), list(SEEDS)
    server = start_little(data, queue_limit="1000")
    pid, starts = server.process.pid, server.worker_pid()
    campaign = Campaign(server)
    sent: set[bytes] = set()
    before = {"private": private_mb(pid), "descriptors": descriptors(pid)}
    began = time.monotonic()

    with Watch(pid, every_s=0.02) as watch:
        while len(sent) < count:
            name = names[len(sent) % len(names)]
            content = mutated(name, seeds, dice)
            if content and content not in sent:
                sent.add(content)
                campaign.send(name, content)
                if len(sent) % 500 == 0:
                    print(f"{len(sent)} sent, {time.monotonic() - began:.0f} s, {dict(campaign.outcomes)}", flush=True)
            if len(sent) == min(WARM, count // 2):
                campaign.finish()
                before = {"private": private_mb(pid), "descriptors": descriptors(pid)}
        campaign.finish()
    seconds = time.monotonic() - began

    grown = private_mb(pid) - before["private"]
    child, worker = watch.peaks["child"], watch.peaks["worker"]
    outcomes = ", ".join(f"{number} {code}" for code, number in campaign.outcomes.most_common())
    figure(
        f"{count} files in {seconds:.0f} s: {outcomes}; no 5xx; child at most {child['VmHWM'] / MB:.0f} MB resident, "
        f"{child['VmPeak'] / MB:.0f} MB of address space ({len(watch.seen_children)} looked at); "
        f"web process {grown:+.1f} MB, worker at most {worker['VmHWM'] / MB:.0f} MB"
    )
    rest = [str(path) for folder in ("clips", "uploads") for path in files_below(data / folder)]
    said = data.with_suffix(".log").read_text()
    assert rest == []
    assert not list((data / "clips").iterdir())
    assert not [status for status in campaign.statuses if status >= 400]
    assert set(campaign.outcomes) <= {"done", "UnreadableVideo", "VideoTooLarge", "PointOutsideClip"}, said[-3000:]
    assert 0 < child["VmPeak"] <= MEMORY_LIMIT
    assert server.worker_pid() == starts  # nothing killed the worker
    assert descriptors(pid) <= before["descriptors"] + 5
    assert grown < 15
    assert "Traceback" not in said
    assert server.stop() == 0
