"""Measures and tours over the API: those of Python, in the clip's coordinates, and clear errors for odd questions."""

import itertools

import numpy as np
import pytest

from app.findings import MeasuresOut
from app.services import FINDINGS_KEPT, Measurer
from nonlocal_core.affinity.measures import measure
from nonlocal_core.affinity.tour import tour
from nonlocal_core.geometry import ClipPoint, GridPoint, cell_at

API = "/api/v1/clips"


@pytest.fixture
def get(server, sample_id):
    def get(path="", **params):
        return server.http.get(f"{API}/{sample_id}{path}", params=params)

    return get


def test_measures_are_those_of_python(get, analysis):
    found, expected = get("/blocks/mixed_4c/measures").json(), measure(analysis["mixed_4c"])

    for name in ("dependence", "outside", "outside_evenly", "entropy", "hub_mass"):
        assert found[name] == pytest.approx(getattr(expected, name), rel=1e-3), name
    assert [step["mass"] for step in found["by_time"]] == pytest.approx(expected.by_step, rel=1e-3, abs=1e-6)
    assert [step["evenly"] for step in found["by_time"]] == pytest.approx(expected.by_step_evenly)
    assert [hub["mass"] for hub in found["hubs"]] == pytest.approx([hub.mass for hub in expected.hubs], rel=1e-3)


def test_time_differences_are_in_frames_and_hubs_in_the_clips_coordinates(get):
    found = get("/blocks/mixed_4c/measures").json()

    assert [step["frames"] for step in found["by_time"]] == list(range(-28, 29, 4))  # 8 time steps of 4 frames
    for hub in found["hubs"]:
        place = hub["place"]
        assert place["frames"][0] <= place["frame"] <= place["frames"][1]
        assert place["box"][0] == pytest.approx(place["cell"]["w"] / 7)


def test_a_tour_is_that_of_python_and_its_places_can_be_asked(get, analysis):
    stops, expected = get("/tour", block="mixed_4f").json()["stops"], tour(analysis["mixed_4f"], 32)

    assert [stop["place"]["cell"] for stop in stops] == [vars(stop.cell) for stop in expected]
    assert [stop["end"]["cell"] for stop in stops] == [vars(stop.end) for stop in expected]
    place = stops[0]["place"]
    point = ClipPoint(place["frame"], place["x"], place["y"])
    assert cell_at(analysis["mixed_4f"].query_grid, point, 32) == GridPoint(**place["cell"])


def test_count_and_seed_are_heard(get):
    some = get("/tour", block="mixed_3c", count=3).json()
    others = get("/tour", block="mixed_3c", count=3, seed=5).json()

    assert len(some["stops"]) == 3
    assert others["seed"] == 5
    assert some["stops"] != others["stops"]  # 12544 places: the seed draws those that are looked at


@pytest.mark.parametrize(
    ("path", "params", "status"),
    [
        ("/blocks/res9/measures", {}, 404),
        ("/blocks/%00/measures", {}, 404),
        ("/blocks/..%2Fframes.jpg/measures", {}, 404),
        (f"/blocks/{'b' * 65}/measures", {}, 422),
        ("/tour", {}, 422),
        ("/tour", {"block": "res9"}, 404),
        ("/tour", {"block": "frames.jpg"}, 404),
        ("/tour", {"block": "mixed_4f", "colour": "red"}, 422),
    ],
)
def test_odd_questions_get_the_one_shape_of_error(get, path, params, status):
    response = get(path, **params)

    assert response.status_code == status
    assert set(response.json()["error"]) == {"code", "message", "details"}


def test_no_number_makes_the_server_fail(get):
    numbers = (
        "-1",
        "0",
        "1",
        "64",
        "65",
        "1.5",
        "nan",
        "1e999",
        "9" * 5000,
        "",
        "0x10",
        "true",
        str(2**32 - 1),
        str(2**32),
    )

    for count, seed in itertools.product(numbers, repeat=2):
        assert get("/tour", block="mixed_4f", count=count, seed=seed).status_code in (200, 422), (count, seed)


def test_a_clip_that_is_not_there_has_no_measures(server):
    for path in ("blocks/mixed_4f/measures", "tour?block=mixed_4f"):
        assert server.http.get(f"{API}/{'0' * 24}/{path}").status_code == 404


def test_a_block_without_a_row_that_counts_is_null_not_nan(make_field):
    silent = make_field("concatenation")
    silent.theta[:], silent.phi[:] = -np.abs(silent.theta), np.abs(silent.phi)

    text = MeasuresOut.of("b", measure(silent), silent.key_grid, 8).model_dump_json()

    assert "NaN" not in text
    assert '"dependence":null' in text


class CountingFields:
    """Fields of a made-up clip, counted as they are read."""

    def __init__(self, field):
        self.field, self.reads = field, 0

    def kept(self, _clip_id, _block):
        self.reads += 1
        return self.field, 8

    def read(self, _clip_id, _block):
        raise AssertionError


def test_what_was_measured_is_remembered_and_the_oldest_forgotten(make_field, monkeypatch):
    measured = []
    monkeypatch.setattr("app.services.measure", lambda field: measured.append(field) or measure(field))
    measurer = Measurer(CountingFields(make_field()))

    for _ in range(3):
        measurer.measures("a", "b")
    assert len(measured) == 1

    for n in range(FINDINGS_KEPT):
        measurer.tour("a", "b", 1, n)
    measurer.measures("a", "b")
    assert len(measured) == 2
