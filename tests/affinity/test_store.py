"""Stored analyses: whole or absent, and never wrong numbers."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from nonlocal_core.affinity.store import AffinityStore, field_from_bytes, field_to_bytes, sprite_sheet
from nonlocal_core.errors import AnalysisNotFound, DamagedAnalysis, UnknownBlock


@pytest.fixture
def store(tmp_path, analysis):
    (tmp_path / "clip").mkdir()
    store = AffinityStore(tmp_path)
    store.write("clip", analysis, {"model": "default"})
    return store


@pytest.mark.parametrize("kind", ["embedded_gaussian", "dot_product"])
def test_a_field_survives_the_trip_through_bytes(make_field, kind):
    field = make_field(kind)

    back = field_from_bytes(field_to_bytes(field, "b"), "b")

    assert (back.kind, back.scale, back.query_grid, back.key_grid) == (
        field.kind, field.scale, field.query_grid, field.key_grid,
    )  # fmt: skip
    np.testing.assert_array_equal(back.theta, field.theta)
    np.testing.assert_array_equal(back.phi, field.phi)


def test_a_transposed_view_is_stored_as_what_it_shows(make_field):
    field = make_field()
    seen = replace(field, theta=np.asfortranarray(field.theta))

    back = field_from_bytes(field_to_bytes(seen, "b"), "b")

    np.testing.assert_array_equal(back.theta, field.theta)


def test_what_is_stored_answers_as_the_analysis_does_to_the_last_bit(store, analysis):
    for block in analysis.blocks:
        stored, kept = store.read("clip", block), analysis[block]
        cell = kept.cell(kept.key_grid.cells // 3)
        np.testing.assert_array_equal(stored.row(cell), kept.row(cell))
        np.testing.assert_array_equal(stored.column(cell), kept.column(cell))


def test_the_sheet_holds_every_frame_where_its_geometry_says(store, analysis):
    frames = store.manifest("clip").frames
    with Image.open(store.folder("clip") / "frames.jpg") as image:
        sheet = np.asarray(image).astype(int)

    for i in (0, 7, frames.count - 1):
        row, column = divmod(i, frames.columns)
        size = frames.size_px
        cut = sheet[row * size : (row + 1) * size, column * size : (column + 1) * size]
        assert abs(cut - analysis.clip.rgb[i].astype(int)).mean() < 2


def test_a_long_clip_makes_a_sheet_within_4096_pixels():
    assert max(sprite_sheet(np.zeros((128, 224, 224, 3), np.uint8)).size) <= 4096


@pytest.mark.parametrize("name", ["frames.jpg", "mixed_4c.safetensors"])
def test_one_flipped_bit_is_found(store, name):
    path = store.folder("clip") / name
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)

    with pytest.raises(DamagedAnalysis, match="analyse it again"):
        store.read_bytes("clip", name)


def test_a_cut_manifest_is_damaged_and_not_absent(store):
    path = store.folder("clip") / "manifest.json"
    path.write_bytes(path.read_bytes()[:100])

    with pytest.raises(DamagedAnalysis):
        store.manifest("clip")


def test_nothing_is_left_of_a_write_that_broke_off(tmp_path, analysis, monkeypatch):
    (tmp_path / "clip").mkdir()
    monkeypatch.setattr("nonlocal_core.affinity.store.field_to_bytes", lambda *_: 1 / 0)

    with pytest.raises(ZeroDivisionError):
        AffinityStore(tmp_path).write("clip", analysis, {})

    assert list((tmp_path / "clip").iterdir()) == []


def test_what_is_not_there_is_named(store):
    with pytest.raises(AnalysisNotFound, match="nobody"):
        store.manifest("nobody")
    with pytest.raises(UnknownBlock, match="no block 'res9'; this model has mixed_3c, mixed_4b"):
        store.read("clip", "res9")
