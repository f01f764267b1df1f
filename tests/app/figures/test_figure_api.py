"""Figures and films of a real server with a real worker; a film survives kill -9."""

from __future__ import annotations

import os
import signal

import pytest

from app.cli import main
from app.figures import raster

API = "/api/v1/clips"
LINK = "block=mixed_4c&q=2.5.7"


@pytest.mark.parametrize(
    ("kind", "mime", "start"),
    [("svg", "image/svg+xml", b"<?xml"), ("png", "image/png", b"\x89PNG"), ("pdf", "application/pdf", b"%PDF")],
)
def test_a_link_is_a_figure(server, sample_id, kind, mime, start):
    response = server.http.get(f"{API}/{sample_id}/figure.{kind}?{LINK}&width=400")

    assert response.status_code == 200
    assert response.headers["content-type"] == mime
    assert response.content.startswith(start)
    assert f"two-cups-mixed_4c.{kind}" in response.headers["content-disposition"]


def test_the_command_makes_the_servers_figure_of_a_link(server, sample_id, tmp_path):
    out = tmp_path / "figure.svg"

    assert main(["figure", "--from", f"{server.url}/clips/{sample_id}?{LINK}", "--out", str(out)]) == 0
    theirs = server.http.get(f"{API}/{sample_id}/figure.svg?{LINK}").text
    dates = [raster.provenance_of(svg)["made"] for svg in (out.read_text(), theirs)]
    assert out.read_text().replace(dates[0], dates[1]) == theirs


def test_a_link_to_nothing_is_explained(server, tmp_path, capsys):
    status = main(["figure", "--from", f"{server.url}/clips/{'0' * 24}?{LINK}", "--out", str(tmp_path / "a.svg")])

    assert status == 1
    assert "404" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("figure.bmp", 422),
        ("figure.svg?width=1", 422),
        ("figure.png?width=1e9", 422),
        ("films/x", 404),
        ("films/x.mp4", 404),
    ],
)
def test_what_is_not_there_is_refused(server, sample_id, path, status):
    assert server.http.get(f"{API}/{sample_id}/{path}").status_code == status


@pytest.mark.parametrize(
    "body",
    ["", "{", '{"query": 5}', '{"query": "", "format": "avi"}', '{"query": "%s", "format": "gif"}' % ("a" * 5000)],
)
def test_a_wish_that_is_none_is_refused(server, sample_id, body):
    response = server.http.post(f"{API}/{sample_id}/films", content=body, headers={"Content-Type": "application/json"})

    assert response.status_code == 422


def test_a_body_of_many_bytes_is_not_read_to_its_end(server, sample_id):
    assert server.http.post(f"{API}/{sample_id}/films", content=b" " * 100_000).status_code == 413


def test_a_film_survives_the_death_of_its_worker(server, sample_id):
    wish = {"query": f"{LINK}&k=9", "format": "mp4"}
    film = server.http.post(f"{API}/{sample_id}/films", json=wish)
    assert film.status_code == 202
    url = film.json()["url"]
    server.wait_until(lambda: server.http.get(url).json()["progress"] > 0, "begun")

    os.kill(server.worker_pid(), signal.SIGKILL)
    server.wait_until(lambda: server.http.get(url).json()["state"] == "done", "made")

    file = server.http.get(server.http.get(url).json()["file"])
    assert file.headers["content-type"] == "video/mp4"
    assert file.content[4:8] == b"ftyp"
    assert server.http.post(f"{API}/{sample_id}/films", json=wish).status_code == 200
