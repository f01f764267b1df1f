"""Workers by themselves: `nonlocal-lens worker` beside a web process that runs none."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import pytest

from app.cli import main
from app.jobs import heartbeat
from app.jobs.heartbeat import READY_LOOKS, SILENT_LOOKS, Heartbeats, OtherWorkers

ALONE = """
import sys
from app.jobs import heartbeat
from app.jobs.worker import WorkerSettings, run_alone
heartbeat.BEAT_S = 0.05
run_alone(WorkerSettings.model_validate_json(sys.argv[1]), task="fake_task:load")
"""


@pytest.fixture
def start_alone(lens):
    """A worker by itself, by its name; beats come forty times as fast."""
    started = []

    def start(name):
        settings = json.dumps(json.loads(lens.settings_json) | {"worker": False, "name": name})
        process = subprocess.Popen([sys.executable, "-c", ALONE, settings], stdout=subprocess.PIPE, text=True)
        started.append(process)
        assert f"{name} takes jobs" in process.stdout.readline()
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()


def test_the_jobs_of_a_worker_that_is_gone_for_ever_are_done_once_by_another(lens, start_alone):
    lost = start_alone("worker-0")
    gate = lens.data / "gate"
    job = lens.submit(f"wait {gate}")
    lens.wait_for(job, "running")
    os.kill(lost.pid, signal.SIGKILL)

    start_alone("worker-1")
    gate.touch()

    lens.wait_for(job, "done", within_s=30)
    assert lens.runs() == [job, job]
    assert lens.artefacts(job) == ["analysis", "video"]


def test_two_living_workers_share_the_queue_and_take_nothing_from_each_other(lens, start_alone):
    for name in ("worker-0", "worker-1"):
        start_alone(name)

    jobs = [lens.submit(f"sleep 1.5 {number}") for number in range(6)]  # 1.5 s are twice the silence that counts

    for job in jobs:
        lens.wait_for(job, "done", within_s=30)
    assert sorted(lens.runs()) == sorted(jobs)


def test_a_worker_by_itself_ends_with_status_0_when_told_and_its_job_is_done_after_the_next_start(lens, start_alone):
    worker, gate = start_alone("worker-0"), lens.data / "gate"
    job = lens.submit(f"wait {gate}")
    lens.wait_for(job, "running")

    worker.terminate()

    assert worker.wait(30) == 0
    assert lens.state(job) == "queued"
    gate.touch()
    start_alone("worker-0")
    lens.wait_for(job, "done")


def test_a_web_process_without_a_worker_is_ready_while_one_beats_elsewhere(lens, start_alone, until, monkeypatch):
    monkeypatch.setattr(heartbeat, "BEAT_S", 0.05)
    others = OtherWorkers(lens.engine)
    others.start()
    try:
        assert not others.ready
        worker = start_alone("worker-0")
        until(lambda: others.ready)
        worker.kill()
        until(lambda: not others.ready)
    finally:
        others.stop()


def test_a_row_that_was_never_seen_to_change_is_not_living_and_silent_in_the_end(lens):
    Heartbeats(lens.engine).beat("of yesterday")
    beats = Heartbeats(lens.engine)

    for _ in range(SILENT_LOOKS + 2):
        beats.look()

    assert beats.living() == []
    assert beats.silent() == ["of yesterday"]


def test_silence_counts_in_looks_and_one_beat_ends_it(lens):
    worker, beats = Heartbeats(lens.engine), Heartbeats(lens.engine)
    worker.beat("a")
    beats.look()
    worker.beat("a")
    beats.look()
    assert beats.living() == ["a"]

    for _ in range(READY_LOOKS):
        beats.look()
    assert (beats.living(), beats.silent()) == ([], [])
    for _ in range(SILENT_LOOKS - READY_LOOKS):
        beats.look()
    assert beats.silent() == ["a"]

    worker.beat("a")
    beats.look()
    assert (beats.living(), beats.silent()) == (["a"], [])


def test_one_of_two_that_see_a_silence_claims_it(lens):
    Heartbeats(lens.engine).beat("lost")
    first, second = Heartbeats(lens.engine), Heartbeats(lens.engine)
    first.look()
    second.look()

    assert [first.claim("lost"), second.claim("lost")] == [True, False]


def test_a_supervised_worker_on_sqlite_does_not_beat(lens):
    lens.start_worker()
    beats = Heartbeats(lens.engine)
    beats.look()

    assert beats._seen == {}


@pytest.mark.parametrize("name", ["../x", "", "a b", "A" * 41])
def test_a_name_that_is_no_file_name_is_refused(name, capsys):
    with pytest.raises(SystemExit):
        main(["worker", "--name", name])

    assert "is no name" in capsys.readouterr().err
