"""One question, five answers: NumPy in float64, Python, the command line, the API and the page's own arithmetic."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

import nonlocal_core as nl
from nonlocal_core.affinity.store import AffinityStore
from nonlocal_core.cli import main
from nonlocal_core.video import normalise

TOLERANCE = 2e-3  # relative: large theta and phi are kept as float16
BLOCKS = ("mixed_3c", "mixed_4b", "mixed_4c", "mixed_4e", "mixed_4f")


class Reference:
    """The matrix of one block in float64, from the captured theta and phi, with nothing of ours in between."""

    def __init__(self, field: nl.AffinityField) -> None:
        self.field = field
        logits = field.scale * (field.theta.astype(np.float64) @ field.phi.astype(np.float64).T)  # [Q, K]
        np.exp(logits - logits.max(1, keepdims=True), out=logits)
        self.matrix = logits / logits.sum(1, keepdims=True)

    def weights(self, question: dict) -> np.ndarray:
        forward = question["direction"] == "forward"
        grid = self.field.query_grid if forward else self.field.key_grid
        t = question["frame"] * grid.t // 32
        i = (t * grid.h + math.floor(question["y"] * grid.h)) * grid.w + math.floor(question["x"] * grid.w)
        return self.matrix[i] if forward else self.matrix[:, i]

    def flat(self, question: dict, cell: dict) -> int:
        grid = self.field.key_grid if question["direction"] == "forward" else self.field.query_grid
        return (cell["t"] * grid.h + cell["h"]) * grid.w + cell["w"]

    def check(self, question: dict, answer: list[tuple[dict, float]]) -> None:
        """Weights agree, and the ends are the top 20 but for weights that float16 cannot tell apart."""
        weights = self.weights(question)
        best = np.sort(weights)[::-1][: len(answer)]
        assert [weight for _, weight in answer] == pytest.approx(best, rel=TOLERANCE), question
        ends = [self.flat(question, cell) for cell, _ in answer]
        assert len(set(ends)) == len(ends) == 20
        assert weights[ends] == pytest.approx([weight for _, weight in answer], rel=TOLERANCE), question


def questions(block: str, count: int) -> list[dict]:
    random = np.random.default_rng(7)
    return [
        {
            "block": block,
            "frame": int(random.integers(32)),
            "x": random.random(),
            "y": random.random(),
            "direction": way,
        }
        for way in ("forward", "reverse")
        for _ in range(count)
    ]


@pytest.fixture(scope="module", params=["two-cups.mp4", "juggle.mp4"])
def subject(request, server, sample_id, sample, analysis, model):
    """(analysis in Python, the clip's id on the server, how many questions a block and direction)."""
    if request.param == sample.name:
        return analysis, sample_id, 10
    video = request.getfixturevalue("desk") / "media" / "clips" / request.param
    clip = server.finish(server.upload(video).json()["id"])
    assert clip["state"] == "done"
    return nl.analyse(video, model), clip["id"], 200


@pytest.fixture(scope="module")
def references(subject, model) -> dict[str, Reference]:
    batch = normalise(subject[0].clip.rgb, model.spec.mean, model.spec.std)
    _, fields = nl.capture(model, torch.from_numpy(batch))  # float32, before anything is rounded
    return {block: Reference(fields[block]) for block in BLOCKS}


def check_all(subject, references, ask: Callable[[dict], list[tuple[dict, float]]]) -> None:
    for block in BLOCKS:
        for question in questions(block, subject[2]):
            references[block].check(question, ask(question))


def test_python_agrees(subject, references):
    def ask(question):
        arrows = subject[0].arrows(**question)
        return [(vars(arrow.end), arrow.weight) for arrow in arrows]

    check_all(subject, references, ask)


def test_the_api_agrees(subject, references, server):
    def ask(question):
        arrows = server.http.get(f"/api/v1/clips/{subject[1]}/arrows", params=question).json()["arrows"]
        return [(arrow["end"]["cell"], arrow["weight"]) for arrow in arrows]

    check_all(subject, references, ask)


def test_the_command_line_agrees(subject, references, tmp_path, capsys):
    (tmp_path / "kept").mkdir()
    AffinityStore(tmp_path).write("kept", subject[0], {})

    def ask(question):
        options = [f"--{name}={value}" for name, value in question.items()]
        assert main(["arrows", str(tmp_path / "kept"), *options, "--json"]) == 0
        arrows = json.loads(capsys.readouterr().out)["arrows"]
        return [(arrow["end"]["cell"], arrow["weight"]) for arrow in arrows]

    check_all(subject, references, ask)


ASK_IN_THE_PAGE = """async ({features, questions}) => {
  const [{parseSafetensors}, field, {cellAt}] = await Promise.all(
    ['safetensors', 'field', 'geometry'].map((name) => import(`/static/js/${name}.js`)));
  const block = field.fieldOf(parseSafetensors(await (await fetch(features)).arrayBuffer()));
  return questions.map((q) => {
    const cell = cellAt(field.askingGrid(block, q.direction), q, 32);
    const weights = field.weightsOf(block, q.direction, cell);
    return field.topAnswers(weights, field.answeringGrid(block, q.direction), 20).map((a) => [a.cell, a.weight]);
  });
}"""


@pytest.mark.browser
def test_the_page_agrees(subject, references, server, page):
    page.goto(server.url)
    for block in BLOCKS:
        asked = questions(block, subject[2])
        features = f"/api/v1/clips/{subject[1]}/blocks/{block}/features"
        answers = page.evaluate(ASK_IN_THE_PAGE, {"features": features, "questions": asked})
        for question, answer in zip(asked, answers, strict=True):
            references[block].check(question, [(cell, weight) for cell, weight in answer])


def test_the_reference_would_notice_a_fault(subject, references):
    """Exchange theta and phi, drop the scale, swap height and width, shift a frame: none of them passes."""
    analysis = subject[0]
    question = questions("mixed_4c", 1)[0]

    def refused(field, asked) -> bool:
        arrows = nl.top_arrows(field, nl_cell(field, asked), 20, "forward")
        try:
            references["mixed_4c"].check(question, [(vars(arrow.end), arrow.weight) for arrow in arrows])
        except AssertionError:
            return True
        return False

    def nl_cell(field, asked):
        from nonlocal_core.geometry import cell_at

        return cell_at(field.query_grid, nl.ClipPoint(asked["frame"], asked["x"], asked["y"]), 32)

    good = analysis["mixed_4c"]
    exchanged = nl.AffinityField(good.kind, good.scale, good.key_grid, good.query_grid, good.phi, good.theta)
    unscaled = nl.AffinityField(good.kind, good.scale / 2, good.query_grid, good.key_grid, good.theta, good.phi)
    assert not refused(good, question)
    assert refused(exchanged, question)
    assert refused(unscaled, question)  # the default model's factor is 1: here another one is lost
    assert refused(good, question | {"x": question["y"], "y": question["x"]})
    assert refused(good, question | {"frame": (question["frame"] + 4) % 32})


def test_the_command_line_answers_about_a_video_too(sample, capsys):
    assert main(["arrows", str(sample), "--block=mixed_4c", "--frame=0", "--x=0.5", "--y=0.5", "--k=3"]) == 0

    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["rank", "weight", "mass", "frame", "x", "y", "cell", "t,h,w"]
    assert len(lines) == 4


def test_the_command_line_says_errors_in_one_line(tmp_path, capsys):
    (tmp_path / "text.mp4").write_text("no video")

    assert main(["arrows", str(tmp_path / "text.mp4"), "--block=b", "--frame=0", "--x=0", "--y=0"]) == 1
    assert capsys.readouterr().err.startswith("nonlocal-lens: ")
    assert main(["analyse", str(Path("/nowhere.mp4"))]) == 1
