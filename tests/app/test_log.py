"""The log: JSON that a machine reads, lines that a person reads, and what belongs together."""

from __future__ import annotations

import asyncio
import json
import logging

import httpx
import pytest
from fastapi import FastAPI
from fastapi.responses import JSONResponse

from app.logs import JOB, REQUEST, HumanLines, JsonLines, RequestLog, working_on
from tests.server import LensServer
from tests.trust.little import write_little_model

API = "/api/v1/clips"


@pytest.fixture(scope="module")
def logged(tmp_path_factory, sample):
    """The lines of a server that was asked a few things, and the id of its clip."""
    folder = tmp_path_factory.mktemp("logged")
    models = json.dumps([str(write_little_model(folder / "little.safetensors"))])
    server = LensServer(folder / "data", models=models, samples="false", log="json").start()
    response = server.http.post(API, content=sample.read_bytes(), headers={"X-Request-ID": "from-the-proxy"})
    clip_id = response.json()["id"]
    server.finish(clip_id)
    server.http.get(f"{API}/{clip_id}/arrows?block=secret")
    broken = server.http.post(API, content=b"no video").json()["id"]
    server.finish(broken)
    server.stop()
    text = (folder / "data.log").read_text()
    return [json.loads(line) for line in text.splitlines()], clip_id, response


def test_every_line_is_one_json_object_with_time_level_and_process(logged):
    lines, _, _ = logged

    assert {"time", "level", "process", "logger", "message"} <= set.intersection(*(set(line) for line in lines))
    assert {line["process"] for line in lines} == {"web", "worker"}


def test_an_upload_can_be_followed_from_its_request_to_the_end_of_its_job(logged):
    lines, clip_id, response = logged

    assert response.headers["x-request-id"] == "from-the-proxy"
    own = [line for line in lines if line.get("request") == "from-the-proxy"]
    assert any(clip_id in line["message"] and "queued" in line["message"] for line in own)
    (end,) = [line for line in own if line["logger"] == "app.requests"]
    assert (end["status"], end["message"]) == (202, f"POST {API}")
    assert 0 < end["ms"] < 60_000
    (job,) = [line for line in lines if line.get("job") == clip_id]
    assert job["process"] == "worker"
    assert "done after" in job["message"]


def test_queries_stay_out_of_the_log(logged):
    assert "secret" not in json.dumps(logged[0])


def test_people_read_warnings_and_jobs_but_not_each_request(tmp_path, sample):
    models = json.dumps([str(write_little_model(tmp_path / "little.safetensors"))])
    server = LensServer(tmp_path / "data", models=models, samples="false").start()
    clip_id = server.upload(sample).json()["id"]
    server.finish(clip_id)
    server.stop()

    text = (tmp_path / "data.log").read_text()
    assert f"worker INFO clip {clip_id}: done after" in text
    assert f"[job {clip_id}]" in text
    assert "GET /" not in text


def record(message: str, **more) -> logging.LogRecord:
    return logging.LogRecord("a", logging.WARNING, "f", 1, message, (), more.get("exc_info"))


def test_a_message_cannot_forge_a_second_line():
    forged = "a\n2026-01-01 web INFO all is well\r\x1b[2J\u2028"

    assert len(HumanLines("web").format(record(forged)).splitlines()) == 1
    assert len(JsonLines("web").format(record(forged)).splitlines()) == 1
    assert json.loads(JsonLines("web").format(record(forged)))["message"] == forged


def test_lines_name_the_job_only_while_it_is_worked_on():
    with working_on("clip-a"):
        assert HumanLines("worker").format(record("hot")).endswith("hot [job clip-a]")
    assert JOB.get() is None
    assert HumanLines("worker").format(record("cold")).endswith("cold")


@pytest.fixture
def app():
    """A small app below the request log: /ok, /boom, /id."""
    app, seen = FastAPI(), []
    app.add_middleware(
        RequestLog,
        observe=lambda *told: seen.append(told[:3]),
        respond=lambda _request, error: JSONResponse({"error": str(error)}, 500),
    )

    @app.get("/boom/{name}")
    def boom(name: str):
        raise RuntimeError(name)

    @app.get("/id")
    def read_id():
        return {"id": REQUEST.get()}

    app.state.seen = seen
    return app


def ask(app, path: str, **headers: str) -> httpx.Response:
    async def once():
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://lens") as client:
            return await client.get(path, headers=headers)

    return asyncio.run(once())


def test_an_error_that_nobody_foresaw_is_answered_counted_and_has_an_id(app):
    response = ask(app, "/boom/x")

    assert (response.status_code, response.json()) == (500, {"error": "x"})
    assert response.headers["x-request-id"]
    assert app.state.seen == [("GET", "/boom/{name}", 500)]


@pytest.mark.parametrize("given", ["", "a b", "x" * 65, "<script>", 'a"b'])
def test_an_id_from_outside_is_taken_only_if_it_is_sane(app, given):
    response = ask(app, "/id", **{"X-Request-ID": given})

    assert response.json()["id"] == response.headers["x-request-id"] != given
    assert ask(app, "/id", **{"X-Request-ID": "a.B-1_2"}).json() == {"id": "a.B-1_2"}
