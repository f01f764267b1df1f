"""F5, the slow part: the disk fills up under the worker. It takes a minute until waiting jobs are looked at again."""

from __future__ import annotations

import os
import signal
import time

import pytest

from tests.trust.conftest import API
from tests.trust.test_broken_storage import fill, small_disk
from tests.trust.watched import files_below

__all__ = ["small_disk"]


@pytest.mark.parametrize("room", [0, 16_384], ids=["none", "16 kB"])
def test_f5_a_disk_that_fills_up_under_the_worker_leaves_a_word_or_a_job_that_goes_on(
    request, room, start_little, film, figure
):
    disk = request.getfixturevalue("small_disk")
    server = start_little(disk / "data")
    try:
        video = film.read_bytes()
        assert server.finish(server.http.post(API, content=video).json()["id"])["state"] == "done"
        worker = server.worker_pid()
        os.kill(worker, signal.SIGSTOP)  # while the disk is filled
        clip_id = server.http.post(API, content=video + b"second").json()["id"]
        ballast = fill(disk)
        with ballast.open("r+b") as file:
            file.truncate(ballast.stat().st_size - room)
        os.kill(worker, signal.SIGCONT)
        time.sleep(3)
        under = server.clip(clip_id)["state"]
        assert under != "done"
        assert [path.name for path in files_below(server.data / "clips" / clip_id)] == ["video"]
        assert server.http.get(API).status_code == 200

        ballast.unlink()
        freed = time.monotonic()
        clip = server.finish(clip_id)
        figure(f"{room} bytes left: {under}; {time.monotonic() - freed:.0f} s after there was room: {clip['state']}")
        assert clip["state"] == "done" or clip["error"]["code"] == "StorageFull"
        assert server.finish(server.http.post(API, content=video + b"third").json()["id"])["state"] == "done"
    finally:
        server.stop()
