"""`measures` and `tour` on the command line say what Python says."""

import json
from dataclasses import asdict

import numpy as np
import pytest

from nonlocal_core.affinity.measures import measure
from nonlocal_core.affinity.store import AffinityStore
from nonlocal_core.affinity.tour import tour
from nonlocal_core.cli import main
from nonlocal_core.commands.measuring import as_json


@pytest.fixture(scope="module")
def kept(analysis, tmp_path_factory):
    """The sample's analysis in a folder, as `analyse --out` leaves it."""
    folder = tmp_path_factory.mktemp("kept") / "clip"
    folder.mkdir()
    AffinityStore(folder.parent).write(folder.name, analysis, {})
    return folder


def test_measures_of_every_block_are_printed(kept, capsys, analysis):
    assert main(["measures", str(kept)]) == 0

    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[-5:]] == list(analysis.blocks)
    assert lines[-1].split()[1] == f"{measure(analysis['mixed_4f']).dependence:.2f}"


def test_measures_of_one_block_as_json_are_those_of_python(kept, capsys, analysis):
    assert main(["measures", str(kept), "--block=mixed_4c", "--json"]) == 0

    found = json.loads(capsys.readouterr().out)
    assert found == {"mixed_4c": json.loads(json.dumps(asdict(measure(analysis["mixed_4c"]))))}


def test_a_tour_of_the_last_block_is_printed_and_as_json_is_that_of_python(kept, capsys, analysis):
    assert main(["tour", str(kept)]) == 0
    assert capsys.readouterr().out.splitlines()[0] == "mixed_4f: 8 good questions"

    assert main(["tour", str(kept), "--count=3", "--json"]) == 0
    stops = json.loads(capsys.readouterr().out)["stops"]
    assert stops == [asdict(stop) for stop in tour(analysis["mixed_4f"], 32, count=3)]


def test_an_unknown_block_is_said_in_one_line(kept, capsys):
    assert main(["measures", str(kept), "--block=res9"]) == 1
    assert capsys.readouterr().err.startswith("nonlocal-lens: no block 'res9'")


def test_what_is_no_number_is_null(make_field):
    silent = make_field("concatenation")
    silent.theta[:], silent.phi[:] = -np.abs(silent.theta), np.abs(silent.phi)

    found = json.loads(as_json({"b": measure(silent)}), parse_constant=pytest.fail)["b"]

    assert (found["queries"], found["outside"], found["by_step"][0], found["hubs"]) == (0, None, None, [])
