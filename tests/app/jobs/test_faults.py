"""kill -9, wherever it hurts."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import sqlalchemy as sa

from app.jobs.workflow import enqueue_options

ROOT = Path(__file__).parents[3]

SERVER = """
import sys, time
from app.jobs.supervisor import Supervisor
supervisor = Supervisor(sys.argv[1], task="fake_task:load")
supervisor.start()
while not supervisor.ready:
    time.sleep(0.01)
print(supervisor.pid, flush=True)
time.sleep(600)
"""

WRITER = """
import sys
from pathlib import Path
from app.database import open_database
from app.clips_table import NewClip
from app.library import Library
from app.uploads import Received
engine = open_database(Path(sys.argv[1]), None)
library = Library(engine, Path(sys.argv[1]))
while True:
    path = library.uploads / "x"
    path.write_bytes(b"x")
    record, _ = library.add(Received(path, str(library.revision()), 1), NewClip("x", "m", 0, False, None), lambda *_: 0)
    print(record.id, flush=True)
"""


def test_kill_9_in_mid_job_at_random_moments_ends_with_every_job_done_once(lens, until):
    ids = [lens.submit(f"sleep 0.4 clip {number}") for number in range(8)]
    lens.start_worker()
    random.seed(4)
    restarts_s = []

    for _ in range(6):
        # A clip is killed twice at most: after the third time it would rightly be given up.
        until(lambda: all(record.attempts < 2 for record in lens.library.active()))
        time.sleep(random.uniform(0, 0.6))
        killed, starts = time.monotonic(), lens.supervisor.starts
        os.kill(lens.supervisor.pid, signal.SIGKILL)
        folders = [lens.library.folder(clip_id) / "analysis" for clip_id in ids]
        assert all((folder / "manifest.json").exists() for folder in folders if folder.exists())
        until(lambda starts=starts: lens.supervisor.starts > starts and lens.supervisor.ready)
        restarts_s.append(time.monotonic() - killed)
    for clip_id in ids:
        lens.wait_for(clip_id, "done", within_s=20)

    print("seconds from kill -9 to ready:", [round(restart_s, 2) for restart_s in restarts_s])
    assert max(restarts_s) < 5
    assert [lens.artefacts(clip_id) for clip_id in ids] == [["analysis", "video"]] * 8


def test_kill_9_of_server_and_worker_with_a_queue_loses_no_job(lens):
    ids = [lens.submit(f"sleep 0.5 clip {number}") for number in range(3)]
    server = subprocess.Popen(
        [sys.executable, "-c", SERVER, lens.settings_json], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    with server:
        worker = int(server.stdout.readline())
        lens.wait_for(ids[0], "running")
        os.kill(worker, signal.SIGKILL)
        server.kill()

    lens.start_worker()
    for clip_id in ids:
        lens.wait_for(clip_id, "done")

    assert [lens.library.get(clip_id).attempts for clip_id in ids] == [2, 1, 1]


def test_a_worker_leaves_when_its_server_is_killed_and_its_job_does_not_lose_an_attempt(lens, until):
    clip_id = lens.submit("sleep 60")
    server = subprocess.Popen(
        [sys.executable, "-c", SERVER, lens.settings_json], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    with server:
        worker = int(server.stdout.readline())
        lens.wait_for(clip_id, "running")
        server.kill()

    until(lambda: not _alive(worker), 5)
    record = lens.library.get(clip_id)

    assert (record.state, record.attempts) == ("queued", 0)


def test_a_worker_that_cannot_start_is_tried_again_less_and_less_often(lens):
    lens.supervisor = type(lens.supervisor)(lens.settings_json, task="no.such:module")
    lens.supervisor.start()
    time.sleep(3)

    assert not lens.supervisor.ready
    assert 1 <= lens.supervisor.starts <= 5


def test_a_clip_without_a_living_job_is_enqueued_again_and_rests_are_removed(lens):
    clip_id, given_up = lens.submit("fine"), lens.submit("other")
    lens.queue._client.delete_workflow(clip_id)
    rest = lens.library.folder(clip_id) / "analysis.partial-x"
    rest.mkdir()
    with lens.engine.begin() as connection:
        set_status = "UPDATE workflow_status SET status = 'MAX_RECOVERY_ATTEMPTS_EXCEEDED' WHERE workflow_uuid = :id"
        connection.execute(sa.text(set_status), {"id": given_up})

    lens.queue.reconcile()
    lens.queue.reconcile()

    assert not rest.exists()
    assert lens.library.get(given_up).error_code == "WorkerDied"
    lens.start_worker()
    lens.wait_for(clip_id, "done")
    assert lens.runs() == [clip_id]


def test_a_job_that_ended_in_an_error_of_the_engine_is_run_again(lens):
    clip_id = lens.submit("fine")
    with lens.engine.begin() as connection:
        connection.execute(sa.text("UPDATE workflow_status SET status = 'ERROR', queue_name = NULL"))

    lens.start_worker()

    lens.wait_for(clip_id, "done")


def test_a_finished_clip_whose_job_is_delivered_again_is_left_alone(lens):
    clip_id = lens.submit("fine")
    lens.start_worker()
    lens.wait_for(clip_id, "done")
    before = lens.library.get(clip_id)

    lens.queue._client.delete_workflow(clip_id)
    lens.queue._client.enqueue(enqueue_options(clip_id), clip_id)
    lens.wait_for(lens.submit("next"), "done")

    assert lens.library.get(clip_id) == before


def test_tidying_forgets_ended_jobs_and_keeps_waiting_ones(lens):
    done = lens.submit("fine")
    lens.start_worker()
    lens.wait_for(done, "done")
    while not lens.queue._client.list_workflows(status="SUCCESS"):  # DBOS notes the end a little later
        time.sleep(0.05)
    lens.supervisor.stop()
    waiting = lens.submit("waits")

    lens.queue.tidy()

    assert [job.workflow_id for job in lens.queue._client.list_workflows()] == [waiting]
    assert lens.state(done) == "done"


def test_20_times_kill_9_of_a_writer_lose_nothing_acknowledged(lens):
    acknowledged = []
    random.seed(7)

    for _ in range(20):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(lens.data)], cwd=ROOT, stdout=subprocess.PIPE, text=True
        )
        with writer:
            acknowledged.append(writer.stdout.readline().strip())
            time.sleep(random.uniform(0, 0.1))
            writer.kill()
            acknowledged += [line for line in writer.stdout.read().split("\n") if len(line) == 24]

    known = {record.id for record in lens.library.list()}
    assert len(acknowledged) > 20
    assert set(acknowledged) <= known
    with lens.engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA integrity_check").scalar_one() == "ok"


def _alive(pid):
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False
    return stat.rsplit(")", 1)[1].split()[0] != "Z"
