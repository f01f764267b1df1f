"""Jobs in a real worker process on a real database."""

from __future__ import annotations

import os
import signal
import time

import pytest

from app.problems import ClipAlreadyFinished


def test_a_queued_job_starts_within_a_fifth_of_a_second_and_ends_done(lens):
    lens.start_worker()
    lens.wait_for(lens.submit("warm up"), "done")

    waits = []
    for number in range(3):
        clip_id = lens.submit(f"clip {number}")
        lens.wait_for(clip_id, "done")
        record = lens.library.get(clip_id)
        waits.append(record.started_at - record.created_at)

    assert min(waits) < 0.2
    assert record.stage == "done"
    assert record.progress == 1
    assert record.attempts == 1
    assert record.details == {"video": {"width": 1}, "frames": {"count": 1}, "notes": ["fake"]}
    assert lens.artefacts(clip_id) == ["analysis", "video"]


@pytest.mark.parametrize(
    ("commands", "code", "message"),
    [
        ("bad", "UnreadableVideo", "no frame can be decoded"),
        ("bug", "InternalError", "the server's log"),
        ("full", "StorageFull", "no room left"),
    ],
)
def test_a_job_that_fails_says_why_and_the_next_one_runs(lens, commands, code, message):
    failing, next_one = lens.submit(commands), lens.submit("fine")
    lens.start_worker()

    lens.wait_for(next_one, "done")

    record = lens.library.get(failing)
    assert (record.state, record.error_code) == ("failed", code)
    assert message in record.error_message
    assert "secret" not in record.error_message
    assert lens.runs() == [failing, next_one]


def test_a_job_that_kills_its_worker_is_failed_after_three_attempts_and_the_next_one_runs(lens):
    deadly, next_one = lens.submit("die"), lens.submit("fine")
    lens.start_worker()

    lens.wait_for(next_one, "done", within_s=40)

    record = lens.library.get(deadly)
    assert (record.state, record.error_code) == ("failed", "WorkerDied")
    assert "died 3 times" in record.error_message
    assert lens.runs() == [deadly] * 3 + [next_one]


def test_a_worker_that_does_not_know_the_model_fails_the_clip(lens):
    clip_id = lens.submit("fine")
    lens.supervisor = type(lens.supervisor)(lens.settings_json.replace('"m"', '"other"'), task="fake_task:load")
    lens.start_worker()

    lens.wait_for(clip_id, "failed")

    assert lens.library.get(clip_id).error_code == "UnknownModel"


def test_cancelling_a_queued_job_means_it_never_runs(lens):
    first = lens.submit(f"wait {lens.data}/go")
    second = lens.submit("never")
    lens.start_worker()
    lens.wait_for(first, "running")

    lens.queue.cancel(second)
    (lens.data / "go").touch()
    last = lens.submit("last")
    lens.wait_for(last, "done")

    assert lens.state(second) == "cancelled"
    assert lens.runs() == [first, last]


def test_cancelling_a_running_job_stops_it_soon_and_leaves_no_artefact(lens):
    running, next_one = lens.submit("sleep 60"), lens.submit("fine")
    lens.start_worker()
    lens.wait_for(running, "running")

    lens.queue.cancel(running)
    lens.wait_for(next_one, "done", within_s=3)

    assert lens.queue.cancel(running).state == "cancelled"
    assert lens.artefacts(running) == ["video"]


def test_cancelling_a_finished_job_is_refused(lens):
    clip_id = lens.submit("fine")
    lens.start_worker()
    lens.wait_for(clip_id, "done")

    with pytest.raises(ClipAlreadyFinished, match="is done"):
        lens.queue.cancel(clip_id)

    assert lens.state(clip_id) == "done"


def test_deleting_a_running_job_leaves_no_file(lens, until):
    running, next_one = lens.submit("sleep 60"), lens.submit("fine")
    lens.start_worker()
    lens.wait_for(running, "running")

    lens.queue.delete(running)
    lens.wait_for(next_one, "done", within_s=3)

    assert lens.library.find(running) is None
    until(lambda: not lens.library.folder(running).exists())


def test_a_worker_told_to_stop_gives_its_job_back_and_exits_with_zero(lens, until):
    long, short = lens.submit(f"wait {lens.data}/go"), lens.submit("short")
    lens.start_worker()
    lens.wait_for(long, "running")
    started, process = time.monotonic(), lens.supervisor._process

    os.kill(lens.supervisor.pid, signal.SIGTERM)
    until(lambda: process.returncode is not None, 30)
    stopped_s = time.monotonic() - started
    (lens.data / "go").touch()
    lens.wait_for(short, "done", within_s=20)

    assert process.returncode == 0
    assert stopped_s < 30
    assert lens.library.get(long).attempts == 1  # the attempt that was stopped from outside does not count
    assert lens.state(long) == "done"


def test_a_job_that_can_finish_in_the_grace_time_does(lens):
    clip_id = lens.submit("sleep 1")
    lens.start_worker()
    lens.wait_for(clip_id, "running")

    lens.supervisor.stop()

    assert lens.state(clip_id) == "done"
    assert lens.supervisor._process.returncode == 0
    assert not lens.supervisor.alive
