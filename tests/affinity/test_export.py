"""Answers as files: read back by the csv module and by NumPy."""

import csv
import io
import json
from dataclasses import replace

import numpy as np
import pytest

from nonlocal_core.affinity.export import ARROW_COLUMNS, answer_npz, arrows_csv, field_npz, values_csv
from nonlocal_core.affinity.query import Near, Query, answer
from nonlocal_core.geometry import ClipPoint, GridPoint

TIMES = [n / 15 for n in range(8)]


@pytest.fixture
def asked(make_field):
    """(field, query, answer): a region of two cells, each for itself, in reverse."""
    field = make_field()  # queries 2x4x6, keys 2x2x3
    query = Query("b", ClipPoint(4, 0.1, 0.1), ClipPoint(4, 0.4, 0.1), pool="each", direction="reverse", k=7)
    return field, query, answer(field, query, len(TIMES))


def test_the_csv_of_arrows_holds_every_number_of_every_arrow(asked):
    field, query, found = asked

    lines = list(csv.DictReader(io.StringIO(arrows_csv(field, query, found, TIMES))))

    assert len(lines) == 7
    assert tuple(lines[0]) == ARROW_COLUMNS
    for line, arrow in zip(lines, found.arrows, strict=True):
        assert (float(line["weight"]), float(line["mass"])) == (arrow.weight, arrow.mass)
        assert GridPoint(*(int(line[f"end_{axis}"]) for axis in "thw")) == arrow.end
        assert GridPoint(*(int(line[f"start_{axis}"]) for axis in "thw")) == arrow.start
        assert float(line["time_s"]) == TIMES[int(line["frame"])]
        assert float(line["y"]) == (arrow.end.h + 0.5) / 4


def test_the_csv_of_values_is_the_whole_map_in_order(asked):
    field, query, found = asked

    lines = list(csv.DictReader(io.StringIO(values_csv(field, query, found))))

    assert [float(line["value"]) for line in lines] == found.values.tolist()
    assert (lines[7]["t"], lines[7]["h"], lines[7]["w"]) == ("0", "1", "1")


def test_the_npz_of_an_answer_holds_map_arrows_and_question(asked):
    field, query, found = asked

    with np.load(io.BytesIO(answer_npz(field, query, found, TIMES)), allow_pickle=False) as read:
        assert read["values"].shape == (2, 4, 6)
        for place, weight in zip(read["end"], read["weight"], strict=True):
            assert weight <= read["values"][tuple(place)]  # the map has the strongest of the two cells
        assert json.loads(str(read["query"]))["pool"] == "each"
        np.testing.assert_array_equal(read["times_s"], TIMES)


def test_an_answer_without_arrows_is_a_file_too(asked):
    field, query, _ = asked
    query = replace(query, near=Near(99, 99))
    found = answer(field, query, len(TIMES))

    with np.load(io.BytesIO(answer_npz(field, query, found, TIMES))) as read:
        assert read["end"].shape == (0, 3)
    assert arrows_csv(field, query, found, TIMES).count("\n") == 1


@pytest.mark.parametrize("kind", ["embedded_gaussian", "dot_product"])
def test_a_row_can_be_computed_from_the_npz_of_a_block(make_field, kind):
    field = make_field(kind)

    with np.load(io.BytesIO(field_npz(field))) as read:
        logits = float(read["scale"]) * read["phi"] @ read["theta"][1, 2, 3]
        softmax = kind == "embedded_gaussian"
        row = np.exp(logits - read["log_sum_exp"][1, 2, 3]) if softmax else logits / logits.size
        np.testing.assert_allclose(row.ravel(), field.row(GridPoint(1, 2, 3)), rtol=1e-5)
        assert read["mean_row"].shape == read["phi"].shape[:3]
