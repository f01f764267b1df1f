"""`nonlocal-lens models`: what is here, what was published, and getting one of those from a file."""

import json
import shutil

import pytest

from nonlocal_core.cli import main
from nonlocal_core.zoo.cards import CARDS
from nonlocal_core.zoo.published import PUBLISHED


@pytest.fixture(autouse=True)
def models(tmp_path, monkeypatch):
    """The models folder of a user who has nothing yet."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    return tmp_path / "nonlocal-lens" / "models"


def test_the_list_has_two_parts_and_every_published_name(capsys):
    assert main(["models"]) == 0

    here, published = capsys.readouterr().out.split("Published, not here")
    assert "default: Non-local I3D" in here
    assert all(f" {name} " in published for name in PUBLISHED)
    assert "74.9 % (91.6 %)" in published


def test_as_json_both_parts_are_cards(capsys):
    assert main(["models", "--json"]) == 0

    lists = json.loads(capsys.readouterr().out)
    assert [card["name"] for card in lists["here"]] == ["default", "i3d-observers"]
    assert [card["name"] for card in lists["published"]] == list(PUBLISHED)


def test_a_file_in_the_models_folder_is_here_and_a_broken_one_is_named(models, capsys):
    models.mkdir(parents=True)
    shutil.copyfile(CARDS["default"].weights, models / "mm-i3d.safetensors")
    (models / "broken.safetensors").write_bytes(b"no model")

    assert main(["models"]) == 0

    told = capsys.readouterr()
    here, published = told.out.split("Published, not here")
    assert "mm-i3d:" in here
    assert " mm-i3d " not in published
    assert "broken.safetensors cannot be read" in told.err


def test_the_table_is_printed_instead_of_the_list(capsys, monkeypatch):
    monkeypatch.setattr("nonlocal_core.model.count.format_family_table", lambda: "the family beside Table 2e")

    assert main(["models", "--table"]) == 0

    assert capsys.readouterr().out == "the family beside Table 2e\n"


def test_an_unknown_name_and_a_wrong_file_are_errors_in_one_line(tmp_path, capsys):
    (tmp_path / "odd.pth").write_bytes(b"something else")

    assert main(["models", "fetch", "i4d"]) == 1
    assert main(["models", "fetch", "mm-i3d-nl5-dot", "--from", str(tmp_path / "odd.pth")]) == 1

    first, second = capsys.readouterr().err.splitlines()
    assert "no model 'i4d'" in first
    assert "its source says 8e1f2148; not used" in second
