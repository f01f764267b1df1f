"""The clips that ship are what their recipes say, and their boxes fit what is seen in them."""

import dataclasses
import json

import numpy as np
import pytest

pytest.importorskip("skimage", reason="clips are composed from scikit-image's photographs")

from compose_samples import FOLDER, differences, main
from samples.clip_file import CROP_PX, read_video, sidecar, write_sidecar, write_video
from samples.compose import FRAMES, CameraKey, Key, Layer, Recipe, compose, compose_frame
from samples.recipes import RECIPES, random_recipe

SEEN = 64  # frames that a network of 32 frames, every other one, is shown


def content_of(slug):
    return json.loads((FOLDER / f"{slug}.json").read_text(encoding="utf-8"))


def still_life(*layers):
    return Recipe("still", "Still", "Still.", layers, (CameraKey(0, 0, 0),), asked=("ball", 0), vignette=0.0)


BALL = Layer("ball", (Key(0, 0, 0, 100),), name="ball")


@pytest.mark.parametrize("slug", RECIPES)
def test_a_clip_on_disk_is_what_its_recipe_composes(slug):
    assert differences(RECIPES[slug], FOLDER, range(0, FRAMES, 19)) == []


@pytest.mark.parametrize("slug", RECIPES)
def test_a_clip_is_small_and_its_json_counts_the_frames_of_its_video(slug):
    content, video = content_of(slug), read_video(FOLDER / f"{slug}.mp4")

    assert video.shape == (content["frames"], content["height"], content["width"], 3) == (FRAMES, *video.shape[1:])
    assert min(video.shape[1:3]) == 256
    assert (FOLDER / f"{slug}.mp4").stat().st_size < 400_000
    for entry in content["objects"]:
        assert len(entry["boxes"]) == len(entry["visible"]) == FRAMES
        assert all((box is None) == (part == 0) for box, part in zip(entry["boxes"], entry["visible"], strict=True))


@pytest.mark.parametrize("slug", RECIPES)
def test_the_suggested_question_lies_on_an_object_that_stays_in_the_networks_view(slug):
    content = content_of(slug)
    question, (name, _) = content["suggested_question"], RECIPES[slug].asked
    boxes = next(entry["boxes"] for entry in content["objects"] if entry["name"] == name)
    left, top = (content["width"] - CROP_PX) / 2, (content["height"] - CROP_PX) / 2
    x, y = left + question["x"] * CROP_PX, top + question["y"] * CROP_PX
    box = boxes[question["frame"]]

    assert question["frame"] % 2 == 0
    assert box[0] < x < box[2]
    assert box[1] < y < box[3]
    for seen in boxes[:SEEN]:
        width, height = (min(seen[2], left + CROP_PX) - max(seen[0], left), min(seen[3], 240) - max(seen[1], top))
        assert width * height > 0.9 * (seen[2] - seen[0]) * (seen[3] - seen[1])


@pytest.mark.parametrize("slug", RECIPES)
def test_a_box_holds_all_that_changes_when_its_object_is_taken_away(slug):
    recipe, frame = RECIPES[slug], 32
    with_all, truth = compose_frame(recipe, frame)

    for layer in [layer for layer in recipe.layers if layer.name is not None]:
        bare = dataclasses.replace(layer, shadow=None)
        layers = [bare if other is layer else other for other in recipe.layers]
        lit, _ = compose_frame(dataclasses.replace(recipe, layers=tuple(layers)), frame)
        layers.remove(bare)
        without, _ = compose_frame(dataclasses.replace(recipe, layers=tuple(layers)), frame)
        rows, columns = np.nonzero(np.abs(lit.astype(int) - without).max(-1) > 15)
        left, top, right, bottom = truth[layer.name].box
        found = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
        assert with_all.shape == without.shape
        assert np.allclose(found, (left, top, right, bottom), atol=6), layer.name
        assert left - 2 <= found[0] < found[2] <= right + 2, layer.name


def test_a_ball_at_the_centre_has_the_box_that_its_height_says():
    _, truth = compose_frame(still_life(BALL), 0)

    assert np.allclose(truth["ball"].box, (228 - 50, 128 - 50, 228 + 50, 128 + 50), atol=1)
    assert truth["ball"].visible == pytest.approx(1, abs=0.001)


def test_a_half_that_lies_outside_the_frame_is_not_visible():
    edge = dataclasses.replace(BALL, keys=(Key(0, 228, 0, 100),))

    _, truth = compose_frame(still_life(edge), 0)

    assert truth["ball"].visible == pytest.approx(0.5, abs=0.01)
    assert truth["ball"].box[2] == 456


def test_a_covered_object_has_no_box():
    cover = Layer("planet", (Key(0, 0, 0, 140),), name="planet")

    _, truth = compose_frame(still_life(BALL, cover), 0)

    assert truth["ball"].box is None
    assert truth["ball"].visible == 0
    assert truth["planet"].visible == pytest.approx(1, abs=0.001)


def test_the_camera_moves_what_stands_in_the_world_and_not_what_moves_with_it():
    recipe = still_life(BALL, dataclasses.replace(BALL, name="follower", parallax=0.0))
    recipe = dataclasses.replace(recipe, camera=(CameraKey(0, 120, 0),))

    _, truth = compose_frame(recipe, 0)

    assert np.allclose(truth["ball"].box, (58, 78, 158, 178), atol=1)
    assert np.allclose(truth["follower"].box, (178, 78, 278, 178), atol=1)


def test_the_same_frames_give_the_same_bytes(tmp_path):
    recipe = random_recipe(3)
    frames, truth = compose(recipe, range(12))

    for name in ("one", "two"):
        write_video(tmp_path / f"{name}.mp4", frames)
        write_sidecar(tmp_path / f"{name}.json", sidecar(recipe, truth))

    assert (tmp_path / "one.mp4").read_bytes() == (tmp_path / "two.mp4").read_bytes()
    assert (tmp_path / "one.json").read_bytes() == (tmp_path / "two.json").read_bytes()
    assert random_recipe(3) == recipe != random_recipe(4)


def test_another_clip_under_a_clips_name_is_noticed(tmp_path):
    slug, other = "two-cups", "shuttle-orbit"
    (tmp_path / f"{slug}.json").write_bytes((FOLDER / f"{slug}.json").read_bytes())
    (tmp_path / f"{slug}.mp4").write_bytes((FOLDER / f"{other}.mp4").read_bytes())

    found = differences(RECIPES[slug], tmp_path, [0])

    assert len(found) == 1
    assert found[0].startswith("two-cups: frame 0 has")


def test_help_teaches(capsys):
    with pytest.raises(SystemExit, match="0"):
        main(["--help"])

    assert "--check" in capsys.readouterr().out
