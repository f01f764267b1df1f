"""A data folder with its library, queue and worker, as the web process holds them."""

from __future__ import annotations

import asyncio
import json
import os
import time
from pathlib import Path

import pytest

from app.database import open_database
from app.jobs.queue import JobQueue
from app.jobs.supervisor import Supervisor
from app.library import Library
from app.uploads import UploadReceiver

HERE = Path(__file__).parent


class Lens:
    """The web process's objects over one data folder."""

    def __init__(self, data, *, limit=20, ttl_s=None):
        self.data = data
        self.engine = open_database(data, None)
        self.library = Library(self.engine, data)
        self.queue = JobQueue(self.engine, self.library, limit=limit, ttl_s=ttl_s)
        settings = {"data": str(data), "database_url": None, "models": ["m"], "models_folder": str(data)}
        settings |= {"ttl_s": ttl_s, "queue_limit": limit}
        self.settings_json = json.dumps(settings)
        self.supervisor = Supervisor(self.settings_json, task="fake_task:load")

    def submit(self, commands, **options):
        async def chunks():
            yield commands.encode()

        received = asyncio.run(UploadReceiver(self.library.uploads).receive(chunks(), 1000))
        return self.queue.submit(received, filename="kick.mp4", model="m", **options)[0].id

    def start_worker(self):
        self.supervisor.start()
        wait_until(lambda: self.supervisor.ready)

    def state(self, clip_id):
        return self.library.get(clip_id).state

    def wait_for(self, clip_id, state, within_s=15.0):
        wait_until(lambda: self.state(clip_id) == state, within_s)

    def artefacts(self, clip_id):
        return sorted(path.name for path in self.library.folder(clip_id).iterdir())

    def runs(self):
        path = self.data / "runs"
        return path.read_text().split() if path.exists() else []

    def close(self):
        if self.supervisor.starts:
            self.supervisor.stop()
        self.queue.close()
        self.engine.dispose()


def wait_until(condition, within_s=15.0):
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


@pytest.fixture
def open_lens(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(HERE), os.environ.get("PYTHONPATH", "")]))
    opened = []

    def open_(data=tmp_path / "data", **options):
        opened.append(Lens(data, **options))
        return opened[-1]

    yield open_
    for lens in opened:
        lens.close()


@pytest.fixture
def lens(open_lens):
    return open_lens()


@pytest.fixture
def until():
    return wait_until
