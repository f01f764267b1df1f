"""F12: the clock of the machine jumps an hour, forward or back, while things are under way."""

from __future__ import annotations

import asyncio
import os
import time

import pytest

from app.database import open_database
from app.jobs.queue import LEFTOVER_S, JobQueue
from app.library import Library
from app.uploads import UploadReceiver

HOUR_S = 3600.0 + 60


@pytest.fixture
def jump(monkeypatch):
    """jump(seconds): from now on the clock is that much off; the kernel's own file times are not."""
    true_time, offset = time.time, [0.0]
    monkeypatch.setattr(time, "time", lambda: true_time() + offset[0])

    def jump(seconds):
        offset[0] += seconds

    return jump


@pytest.fixture
def queue(tmp_path):
    engine = open_database(tmp_path, None)
    library = Library(engine, tmp_path)
    queue = JobQueue(engine, library, limit=20, ttl_s=24 * 3600)
    queue.library = library
    yield queue
    queue.close()
    engine.dispose()


def upload(queue, content, midway=lambda: None):
    async def chunks():
        yield content
        midway()
        yield content

    received = asyncio.run(UploadReceiver(queue.library.uploads).receive(chunks(), 1000))
    return queue.submit(received, filename="kick.mp4", model="m")[0].id


@pytest.mark.parametrize("hours", [1, -1])
def test_f12_the_queue_keeps_its_order_and_no_clip_expires(queue, jump, hours):
    first = upload(queue, b"1")
    jump(hours * HOUR_S)
    second = upload(queue, b"2")
    jump(-hours * HOUR_S)
    third = upload(queue, b"3")

    queue.tidy()

    assert queue.library.queue_places() == {first: 1, second: 2, third: 3}
    assert [record.id for record in queue.library.active()] == [first, second, third]


@pytest.mark.parametrize("hours", [1, -1])
def test_f12_an_upload_that_is_under_way_is_not_swept(queue, jump, hours, figure):
    def midway():
        jump(hours * HOUR_S)
        queue.tidy()

    clip_id = upload(queue, b"x", midway)

    figure("order kept, no clip expired, an upload under way kept")
    assert queue.library.video(clip_id).read_bytes() == b"xx"


def test_f12_a_video_that_is_lent_is_not_swept_however_old_it_is(queue):
    """A hard link has the times of the file that it is a link to."""
    clip_id = upload(queue, b"x")
    old = time.time() - 9 * HOUR_S
    os.utime(queue.library.video(clip_id), (old, old))
    lent = queue.library.lend(clip_id)

    queue.tidy()

    assert lent.exists()


def test_f12_what_nobody_sends_any_more_is_swept_in_the_end(queue, monkeypatch):
    rest = queue.library.uploads / "rest"
    rest.write_bytes(b"broken off")
    queue.tidy()
    assert rest.exists()

    steady = time.monotonic
    monkeypatch.setattr(time, "monotonic", lambda: steady() + LEFTOVER_S + 1)
    queue.tidy()

    assert not rest.exists()
