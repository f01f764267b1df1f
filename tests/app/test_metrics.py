"""`GET /metrics` and `/version` on a real server, and what a worker leaves behind."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest
from prometheus_client.parser import text_string_to_metric_families

from app.metrics import JobMetrics, WebMetrics, metrics_folder, worker_file
from nonlocal_core.errors import VideoTooLarge
from nonlocal_core.video import probe_video
from nonlocal_core.video.info import DecodeLimits
from nonlocal_core.video.isolation import watch_children
from tests.server import LensServer
from tests.trust.little import write_little_model

API = "/api/v1/clips"


@pytest.fixture(scope="module")
def watched(tmp_path_factory):
    folder = tmp_path_factory.mktemp("watched")
    models = json.dumps([str(write_little_model(folder / "little.safetensors"))])
    server = LensServer(folder / "data", models=models, samples="false").start()
    yield server
    assert server.stop() == 0


def samples_of(text: str) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """Every sample by name and labels; a parser that is not ours reads them."""
    families = text_string_to_metric_families(text)
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in families
        for sample in family.samples
    }


def value(server, name: str, **labels: str) -> float:
    response = server.http.get("/metrics")
    assert response.headers["content-type"].startswith("text/plain; version=0.0.4")
    return samples_of(response.text).get((name, tuple(sorted(labels.items()))), 0.0)


def test_a_question_is_counted_by_route_status_and_time(watched, sample):
    clip_id = watched.upload(sample).json()["id"]
    assert watched.finish(clip_id)["state"] == "done"
    arrows = f"{API}/{{clip_id}}/arrows"
    asked = {"block": "mixed_4b", "frame": 0, "x": 0.5, "y": 0.5}

    for wrong in ({}, {}, {"frame": 99}):
        watched.http.get(f"{API}/{clip_id}/arrows", params=asked | wrong)

    assert value(watched, "lens_requests_total", method="GET", route=arrows, status="200") == 2
    assert value(watched, "lens_requests_total", method="GET", route=arrows, status="422") == 1
    assert value(watched, "lens_request_seconds_count", route=arrows) == 3
    assert 0 < value(watched, "lens_request_seconds_sum", route=arrows) < 5
    assert value(watched, "lens_query_seconds_count") >= 2


def test_what_strangers_send_adds_no_names(watched):
    for path in ("/one", "/two", "/api/v1/three"):
        watched.http.get(path)
        watched.http.request("BREW", path)

    routes = {dict(labels).get("route") for _, labels in samples_of(watched.http.get("/metrics").text)}
    assert {"none"} <= routes
    assert not {"/one", "/two", "/api/v1/three"} & routes
    assert value(watched, "lens_requests_total", method="other", route="none", status="404") >= 3


def test_jobs_and_their_stages_are_counted_with_the_memory_of_the_decoder(watched, sample):
    before = value(watched, "lens_jobs_total", kind="analysis", outcome="done", worker="worker-0")
    clip_id = watched.upload(sample, start_s="0.25").json()["id"]
    watched.finish(clip_id)

    def jobs() -> float:
        return value(watched, "lens_jobs_total", kind="analysis", outcome="done", worker="worker-0")

    watched.wait_until(lambda: jobs() == before + 1, "told of the job", 5)
    for stage in ("decode", "network", "write"):
        assert value(watched, "lens_job_stage_seconds_count", stage=stage, worker="worker-0") >= 1
    children = value(watched, "lens_decoder_child_peak_bytes_count", task="decode", worker="worker-0")
    held = value(watched, "lens_decoder_child_peak_bytes_sum", task="decode", worker="worker-0")
    assert 10e6 < held / children < 1e9
    assert value(watched, "lens_clips", state="done") >= 1
    assert value(watched, "lens_worker_ready") == 1
    assert value(watched, "process_resident_memory_bytes") > 10e6


def test_videos_that_are_refused_are_counted_by_reason(watched):
    clip_id = watched.http.post(API, content=b"no video at all").json()["id"]
    assert watched.finish(clip_id)["error"]["code"] == "UnreadableVideo"

    def refused() -> float:
        return value(watched, "lens_decode_rejections_total", reason="UnreadableVideo", worker="worker-0")

    watched.wait_until(lambda: refused() == 1, "told of the refusal", 5)
    assert value(watched, "lens_jobs_total", kind="analysis", outcome="UnreadableVideo", worker="worker-0") == 1


def test_version_tells_what_it_is_built_on(watched):
    import hashlib
    from importlib.metadata import version

    told = watched.http.get("/version").json()
    weights = watched.data.parent / "little.safetensors"

    assert told["torch"] == version("torch")
    assert int(told["ffmpeg"].split(".")[0]) >= 6
    assert told["models"] == {"little": {weights.name: hashlib.sha256(weights.read_bytes()).hexdigest()}}


@pytest.fixture
def web(tmp_path):
    def text(clips=dict) -> str:
        return WebMetrics(clips, SimpleNamespace(ready=True, starts=1), metrics_folder(tmp_path)).text().decode()

    return text


def test_the_numbers_of_two_workers_stand_side_by_side(tmp_path, web):
    for worker, jobs in (("a", 1), ("b", 2)):
        metrics = JobMetrics(worker_file(tmp_path, worker))
        for _ in range(jobs):
            metrics.ended("analysis", "done", 0.5)

    text = web()

    found = {dict(labels)["worker"]: n for (name, labels), n in samples_of(text).items() if name == "lens_jobs_total"}
    assert found == {"a": 1, "b": 2}
    assert text.count("# TYPE lens_jobs_total counter") == 1


def test_a_file_that_no_worker_wrote_hides_no_other(tmp_path, web):
    JobMetrics(worker_file(tmp_path, "a")).ended("cut", "done", 1)
    worker_file(tmp_path, "b").write_text("what is this {{{")

    assert 'lens_jobs_total{kind="cut",outcome="done",worker="a"} 1.0' in web()


def test_a_full_disk_fails_no_job(tmp_path):
    JobMetrics(tmp_path / "no" / "such" / "folder" / "a.prom").ended("analysis", "done", 1)


def test_a_decoder_child_is_heard_of_once_with_its_memory_also_when_it_dies(sample):
    heard = []
    with watch_children(lambda task, peak_bytes: heard.append((task, peak_bytes))):
        probe_video(sample)
        with pytest.raises(VideoTooLarge):
            probe_video(sample, DecodeLimits(pixels=16))
    probe_video(sample)

    assert [task for task, _ in heard] == ["probe", "probe"]
    assert all(10e6 < peak_bytes < 1e9 for _, peak_bytes in heard)
