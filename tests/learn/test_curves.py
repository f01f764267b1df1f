"""Learning curves: what is taken from a log, how it is smoothed, and that the picture shows it."""

import argparse
import json
import sys

import numpy as np
import pytest

from nonlocal_core.commands.training import declare_curves
from nonlocal_core.errors import LearningError
from nonlocal_core.learn.curves import Curve, curve_of, draw_curves, smoothed, validation_of

RECORDS = [
    {"iteration": 1, "loss": 3.0, "error": 0.9},
    {"iteration": 2, "loss": 2.0, "error": 0.7, "validation": {"loss": 2.5, "error": 0.8}},
    {"iteration": 3, "loss": 1.0, "error": 0.5},
]


def run_folder(path, records=RECORDS):
    path.mkdir()
    (path / "log.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


def drawn(monkeypatch, runs, out):
    """The axes of the picture as it is saved."""
    from matplotlib.figure import Figure

    figures = []
    save = Figure.savefig
    monkeypatch.setattr(
        Figure, "savefig", lambda self, *given, **named: (figures.append(self), save(self, *given, **named))
    )
    draw_curves(runs, out)
    return figures[0].axes


def test_a_curve_is_a_measure_over_iterations():
    curve = curve_of(RECORDS, "error")

    assert curve.iterations.tolist() == [1, 2, 3]
    assert curve.values.tolist() == [0.9, 0.7, 0.5]


def test_validation_has_points_only_where_it_was_measured():
    curve = curve_of(validation_of(RECORDS), "error")

    assert (curve.iterations.tolist(), curve.values.tolist()) == ([2], [0.8])


def test_a_measure_that_nobody_took_is_an_empty_curve():
    assert curve_of(RECORDS, "map").values.size == 0


def test_smoothing_averages_a_fiftieth_of_the_curve_and_never_looks_ahead():
    curve = Curve(np.arange(1.0, 101), np.repeat([0.0, 1.0], 50))

    values = smoothed(curve).values

    assert values[[0, 49, 50, 51, 99]].tolist() == [0, 0, 0.5, 1, 1]  # windows of two


def test_several_runs_share_a_picture(tmp_path, monkeypatch):
    runs = [run_folder(tmp_path / name) for name in ("with-blocks", "without-blocks")]

    loss, error = drawn(monkeypatch, runs, tmp_path / "curves.png")

    labels = [line.get_label() for line in error.lines]
    assert labels == [f"{run.name}, {kind}" for run in runs for kind in ("training", "validation")]
    assert error.lines[0].get_ydata().tolist() == pytest.approx([90, 70, 50])
    assert loss.lines[1].get_ydata().tolist() == [2.5]
    assert error.lines[0].get_color() == error.lines[1].get_color() != error.lines[2].get_color()
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")


def test_a_run_without_errors_is_drawn_by_its_loss_alone(tmp_path, monkeypatch):
    run = run_folder(tmp_path / "run", [{"iteration": 1, "loss": 3.0}])

    loss, error = drawn(monkeypatch, [run], tmp_path / "curves.svg")

    assert (len(loss.lines), len(error.lines)) == (1, 0)


def test_the_command_writes_the_picture_and_names_it(tmp_path, capsys):
    parser = argparse.ArgumentParser()
    declare_curves(parser.add_subparsers())
    options = parser.parse_args(["curves", str(run_folder(tmp_path / "run")), "--out", str(tmp_path / "c.png")])

    assert options.run(options) == 0
    assert capsys.readouterr().out == f"{tmp_path / 'c.png'}\n"
    assert (tmp_path / "c.png").exists()


def test_a_folder_without_a_log_is_named(tmp_path):
    with pytest.raises(LearningError, match=f"no log.jsonl with a line in {tmp_path}"):
        draw_curves([tmp_path], tmp_path / "curves.png")


def test_a_missing_matplotlib_is_told_with_its_cure(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)

    with pytest.raises(LearningError, match="pip install 'nonlocal-lens"):
        draw_curves([run_folder(tmp_path / "run")], tmp_path / "curves.png")
