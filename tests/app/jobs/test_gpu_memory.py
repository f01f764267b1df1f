"""A GPU with too little memory: the clip is analysed all the same, and the worker lives.

No GPU is needed: what torch raises then is raised by hand, everything behind it is real.
"""

from __future__ import annotations

import asyncio

import pytest
import torch

import nonlocal_core.analysis
from app.jobs.task import load_task
from app.jobs.worker import WorkerSettings
from app.uploads import UploadReceiver

FULL = "CUDA out of memory. Tried to allocate 2.00 GiB."


@pytest.fixture
def task(lens, monkeypatch):
    """The real task; the models that it loaded first find no memory. `given` are the models that analyses got."""
    analyse, given = nonlocal_core.analysis.analyse, []

    def crowded(video, model, **options):
        given.append(model)
        if model in found.models.values():
            raise torch.OutOfMemoryError(f"{FULL}\nGPU 0 has a total capacity of 8 GiB")
        return analyse(video, model, **options)

    monkeypatch.setattr(nonlocal_core.analysis, "analyse", crowded)
    settings = WorkerSettings.model_validate_json(lens.settings_json).model_copy(update={"models": ("i3d-observers",)})
    found = load_task(settings, lens.library)
    found.models, found.given = found._models, given
    return found


def upload(lens, sample, start_s):
    async def chunks():
        yield sample.read_bytes()

    received = asyncio.run(UploadReceiver(lens.library.uploads).receive(chunks(), 10_000_000))
    return lens.queue.submit(received, filename="cups.mp4", model="i3d-observers", start_s=start_s)[0].id


def test_a_clip_without_room_on_the_gpu_is_analysed_on_the_processor(lens, task, sample, caplog):
    clips = [upload(lens, sample, start_s) for start_s in (0.0, 0.5)]

    for clip_id in clips:
        task.run(clip_id)

    assert [lens.state(clip_id) for clip_id in clips] == ["done", "done"]
    assert lens.artefacts(clips[0]) == ["analysis", "video"]
    on_gpu, instead, on_gpu_again, _ = task.given  # the next clip finds the GPU tried again
    assert on_gpu is on_gpu_again is not instead
    assert {parameter.device.type for parameter in instead.parameters()} == {"cpu"}
    assert f"so the processor takes it: {FULL}" in caplog.text
