"""F15 and what else a cluster promises, on one machine with a real Postgres: two web processes, two workers."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tarfile
import time
from collections import Counter

import httpx
import pytest

from tests.server import ROOT
from tests.trust.cluster import Cluster
from tests.trust.conftest import API
from tests.trust.watched import until

AWAY_S = 60.0
LOOK = {"block": "mixed_4c", "frame": 0, "x": 0.5, "y": 0.5}


GUIDE = (ROOT / "docs" / "deployment.md").read_text(encoding="utf-8")


@pytest.fixture
def make_cluster(tmp_path):
    """make_cluster("first"): with an empty database and nothing started, in a folder of its own."""
    made = []

    def make(name: str) -> Cluster:
        (tmp_path / name).mkdir()
        made.append(Cluster(tmp_path / name))
        return made[-1]

    yield make
    for cluster in made:
        cluster.remove()


@pytest.fixture
def cluster(make_cluster):
    return make_cluster("cluster")


def those(states: dict[str, str], state: str) -> list[str]:
    return [clip_id for clip_id, found in states.items() if found == state]


@pytest.mark.timeout(600)
def test_f15_the_job_of_a_worker_that_is_gone_for_ever_is_done_by_the_other_within_60_s(cluster, sample, figure):
    cluster.start(webs=2, workers=2)
    ids = cluster.upload(sample, range(6))
    until(lambda: len(those(cluster.states(ids), "running")) == 2, 300)  # one each
    held = those(cluster.states(ids), "running")
    cluster.workers[0].send_signal(signal.SIGKILL)
    killed = time.monotonic()
    done_s: dict[str, float] = {}
    while len(done_s) < len(ids) and time.monotonic() - killed < 300:
        done = those(cluster.states(ids), "done")
        done_s |= {clip_id: time.monotonic() - killed for clip_id in done if clip_id not in done_s}
        time.sleep(0.2)

    figure(
        f"6 jobs, 2 web processes, 2 workers on Postgres, one killed for ever: {len(done_s)} done, "
        f"the lost one's after {max(done_s.get(clip_id, 999) for clip_id in held):.0f} s"
    )
    assert len(done_s) == 6
    assert max(done_s[clip_id] for clip_id in held) < 60
    for web in cluster.webs:
        assert sorted(clip["id"] for clip in web.http.get(API).json()["clips"]) == sorted(ids)
        assert all(web.http.get(f"{API}/{clip_id}/arrows", params=LOOK).status_code == 200 for clip_id in ids)
    folders = [sorted(p.name for p in (cluster.data / "clips" / i).iterdir() if "analysis" in p.name) for i in ids]
    assert folders == [["analysis"]] * 6


@pytest.mark.timeout(900)
def test_f15_two_workers_do_more_than_one(cluster, sample, scale, figure):
    cluster.start(webs=1, workers=1)
    jobs = max(4, round(12 * scale))

    def rate(first: int) -> float:
        began = time.monotonic()
        ids = cluster.upload(sample, range(first, first + jobs))
        until(lambda: len(those(cluster.states(ids), "done")) == jobs, 600)
        return jobs / (time.monotonic() - began)

    one = rate(0)
    cluster.add_worker()
    two = rate(jobs)

    figure(
        f"{jobs} jobs each, one thread per worker: {one:.3f} jobs/s with one worker, {two:.3f} with two: "
        f"{two / one:.2f} times ({os.cpu_count()} cores, load {os.getloadavg()[0]:.1f})"
    )
    assert two > one


@pytest.mark.timeout(900)
def test_f15_a_postgres_that_is_away_for_a_minute_costs_no_job_and_is_said_with_503(cluster, sample, scale, figure):
    cluster.start(webs=2, workers=2)
    done = cluster.upload(sample, range(1))
    until(lambda: those(cluster.states(done), "done") == done, 120)
    ids = cluster.upload(sample, range(1, 7))
    until(lambda: len(those(cluster.states(ids), "running")) == 2, 300)
    answers: Counter[str] = Counter()
    slowest_s = 0.0

    def ask(web, what: str, method: str, path: str, **options) -> None:
        nonlocal slowest_s
        began = time.monotonic()
        response = web.http.request(method, path, **options)
        slowest_s = max(slowest_s, time.monotonic() - began)
        answers[f"{what} {response.status_code}"] += 1
        if response.status_code == 503 and path != "/readyz":
            assert response.headers["Retry-After"]
            assert response.json()["error"]["code"] == "DatabaseAway"

    cluster.postgres.stop()
    stopped = time.monotonic()
    while time.monotonic() - stopped < max(15.0, AWAY_S * scale):
        for web in cluster.webs:
            ask(web, "health", "GET", "/healthz")
            ask(web, "list", "GET", API)
            ask(web, "clip", "GET", f"{API}/{ids[0]}")
            ask(web, "upload", "POST", API, params={"start_s": "5"}, content=sample.read_bytes())
            ask(web, "cancel", "POST", f"{API}/{ids[5]}/cancel")
            ask(web, "film", "POST", f"{API}/{done[0]}/films", json={"query": "block=mixed_4c", "format": "gif"})
            ask(web, "click", "GET", f"{API}/{done[0]}/arrows", params=LOOK)
        time.sleep(1)
    workers = [worker.poll() for worker in cluster.workers]
    cluster.postgres.start()
    back = time.monotonic()
    until(lambda: all(web.http.get(API).status_code == 200 for web in cluster.webs), 60)
    asked_s = time.monotonic() - back
    until(lambda: len(those(cluster.states(ids), "done")) == len(ids), 400)

    figure(
        f"Postgres away for {back - stopped:.0f} s: {dict(sorted(answers.items()))}, slowest {slowest_s:.1f} s; "
        f"questions answered {asked_s:.1f} s after it was back, all {len(ids)} jobs done after "
        f"{time.monotonic() - back:.0f} s"
    )
    assert workers == [None, None]
    told_so = {f"{what} 503" for what in ("list", "clip", "upload", "cancel", "film")}
    assert set(answers) == told_so | {"health 200", "click 200"}
    assert slowest_s < 10
    assert {clip["id"] for clip in cluster.webs[1].http.get(API).json()["clips"]} == {*done, *ids}
    assert not list((cluster.data / "uploads").iterdir())
    assert sorted(path.name for path in (cluster.data / "clips").iterdir()) == sorted([*done, *ids])
    assert "Traceback" not in cluster.said_by("web")  # DBOS in the workers shows one at each of its tries


OPEN = """
import sys
from pathlib import Path
from app.database import open_database
from app.jobs.heartbeat import Heartbeats
from app.library import Library
engine = open_database(Path(sys.argv[1]), sys.argv[2])
Library(engine, Path(sys.argv[1])), Heartbeats(engine)
"""


@pytest.mark.timeout(120)
def test_f15_processes_that_start_at_once_on_an_empty_database_do_not_wait_for_each_other_for_ever(cluster, figure):
    began = time.monotonic()
    command = [sys.executable, "-c", OPEN, str(cluster.data), cluster.postgres.url]
    started = [subprocess.Popen(command, cwd=ROOT) for _ in range(6)]
    try:
        ended = [process.wait(60) for process in started]
    finally:
        for process in started:
            process.kill()
            process.wait()

    figure(f"6 processes at once on an empty database: tables made in {time.monotonic() - began:.1f} s")
    assert ended == [0] * 6


@pytest.mark.timeout(600)
def test_f15_a_listener_hears_the_end_of_its_clip_though_postgres_was_away(cluster, sample, figure):
    cluster.start(webs=1, workers=1)
    clip_id = cluster.upload(sample, range(1))[0]
    seen: list[str] = []
    last = "0"
    cuts = 0
    away = False
    deadline = time.monotonic() + 180
    while "done" not in seen and time.monotonic() < deadline:
        try:
            with cluster.webs[0].http.stream(
                "GET", f"{API}/{clip_id}/events", headers={"Last-Event-ID": last}
            ) as stream:
                for line in stream.iter_lines():
                    if line.startswith("id: "):
                        last = line.removeprefix("id: ")
                    seen += [state for state in ("queued", "running", "done") if f'"state":"{state}"' in line]
                    if "running" in seen and not away:
                        cluster.postgres.stop()
                        time.sleep(5)
                        cluster.postgres.start()
                        away = True
        except httpx.TransportError:
            pass
        cuts += 1
        time.sleep(0.5)

    figure(f"a listener over 5 s without Postgres: connected {cuts} times, {len(seen)} events, then done")
    assert away
    assert seen[-1] == "done"


@pytest.mark.timeout(900)
def test_f15_a_backup_of_a_working_cluster_restores_clips_answers_and_the_job_that_ran(make_cluster, sample, figure):
    dump = re.search(r"exec -T postgres (pg_dump [^>]+)>", GUIDE)[1]
    restore = re.search(r"`(pg_restore [^`]+)`", GUIDE)[1]
    first = make_cluster("first").start(webs=1, workers=1)
    done = first.upload(sample, range(1))
    until(lambda: those(first.states(done), "done") == done, 120)
    going = first.upload(sample, range(1, 3))
    until(lambda: those(first.states(going), "running"), 120)

    kept = first.postgres.ask(dump)  # the database first, then the files
    with tarfile.open(first.data.parent / "files.tar", "w") as files:
        files.add(first.data / "clips", "clips", filter=lambda entry: None if "partial" in entry.name else entry)
    told = first.webs[0].http.get(f"{API}/{done[0]}/arrows", params=LOOK).json()
    first.stop()
    second = make_cluster("second")
    second.postgres.ask(restore, kept)
    with tarfile.open(first.data.parent / "files.tar") as files:
        files.extractall(second.data, filter="data")
    second.start(webs=1, workers=1)
    restored = time.monotonic()
    until(lambda: those(second.states(going), "done") == going, 400)

    figure(
        f"backup of {len(kept) / 1e3:.0f} kB from pg_dump and the files, restored into another cluster: 1 done clip "
        f"answers the same, 2 jobs under way done {time.monotonic() - restored:.0f} s later"
    )
    assert second.webs[0].http.get(f"{API}/{done[0]}/arrows", params=LOOK).json() == told
    assert sorted(clip["id"] for clip in second.webs[0].http.get(API).json()["clips"]) == sorted([*done, *going])
