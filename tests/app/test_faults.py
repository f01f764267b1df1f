"""kill -9 on the real server and its real worker: accepted work is done, once."""

import time

import pytest

from tests.server import LensServer


@pytest.fixture
def fragile(tmp_path):
    server = LensServer(tmp_path / "data", samples="false").start()
    yield server
    server.stop()


def work_begins(server, clip_id):
    server.wait_until(lambda: server.clip(clip_id)["stage"] in ("decode", "network"), "at work")


def attempts_of(server, clip_id):
    return len(list((server.data / "clips" / clip_id).glob("analysis*")))


def test_a_worker_killed_in_mid_job_is_replaced_and_the_job_is_done_once(fragile, sample):
    clip_id = fragile.upload(sample).json()["id"]
    work_begins(fragile, clip_id)

    import os

    os.kill(fragile.worker_pid(), 9)

    assert fragile.finish(clip_id)["state"] == "done"
    assert attempts_of(fragile, clip_id) == 1  # one folder, nothing half-made beside it


def test_a_killed_server_finishes_its_queue_after_the_next_start(fragile, sample):
    ids = [fragile.upload(sample, start_s=str(start)).json()["id"] for start in (0.0, 0.2, 0.4)]
    work_begins(fragile, ids[0])
    fragile.kill()
    time.sleep(0.5)

    fragile.start()

    assert [fragile.finish(clip_id)["state"] for clip_id in ids] == ["done"] * 3
    assert [attempts_of(fragile, clip_id) for clip_id in ids] == [1, 1, 1]
    assert len(fragile.http.get("/api/v1/clips").json()["clips"]) == 3


def test_a_server_that_is_told_to_stop_leaves_within_30_seconds_and_loses_nothing(tmp_path, sample):
    server = LensServer(tmp_path / "data", samples="false").start()
    clip_id = server.upload(sample).json()["id"]
    work_begins(server, clip_id)

    began = time.monotonic()
    server.process.terminate()
    assert server.process.wait(40) == 0
    assert time.monotonic() - began < 30

    server.start()
    assert server.finish(clip_id)["state"] == "done"
    server.stop()
