"""README's examples are run, not admired."""

import re
import shlex
from pathlib import Path

import pytest

from app.cli import main

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
PYTHON = re.findall(r"```python\n(.*?)```", README, re.S)
SHELL = [line for block in re.findall(r"```sh\n(.*?)```", README, re.S) for line in block.splitlines()]
CURL = [line for line in SHELL if line.startswith("curl")]
LENS = [line for line in SHELL if line.startswith("nonlocal-lens")]


def test_the_python_example_runs_and_gives_what_its_comments_say(monkeypatch, capsys):
    monkeypatch.chdir(Path(__file__).parents[1])
    names: dict = {}
    exec(PYTHON[0], names)

    assert names["analysis"].blocks == ("mixed_3c", "mixed_4b", "mixed_4c", "mixed_4e", "mixed_4f")
    assert names["analysis"].scores.shape == (400,)
    assert names["field"].row(names["nl"].GridPoint(t=2, h=5, w=7)).shape == (392,)
    assert len(capsys.readouterr().out.splitlines()) == 3


def test_the_commands_run(monkeypatch, tmp_path, capsys):
    root = Path(__file__).parents[1]
    monkeypatch.chdir(tmp_path)
    (tmp_path / "app").symlink_to(root / "app")
    assert len(LENS) >= 5
    for line in LENS:
        assert main(shlex.split(line)[1:]) == 0, line
    assert "default: Non-local I3D" in capsys.readouterr().out


@pytest.mark.parametrize("line", CURL)
def test_the_curl_examples_fit_the_api(line, server, sample_id):
    path = re.search(r"http://127.0.0.1:8000(/[^']+)'", line)[1].replace("6f1c…", sample_id)

    if "--data-binary" in line:
        response = server.http.post(path, content=b"no video")
        assert response.status_code == 202
        server.http.delete(response.headers["location"])
    else:
        assert server.http.get(path).status_code == 200


def test_every_route_is_in_the_table(server):
    paths = server.http.get("/api/v1/openapi.json").json()["paths"]

    for path in paths:
        last = path.removeprefix("/api/v1").removeprefix("/clips/{clip_id}")
        assert last in README, path
