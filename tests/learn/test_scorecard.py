"""The scorecard: what is shown, what it is compared with, and all of it put together."""

import argparse
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import nonlocal_core as nl
from nonlocal_core.affinity.capture import recorded_affinities
from nonlocal_core.commands.scoring import declare_score
from nonlocal_core.errors import InvalidSpec, QueryError
from nonlocal_core.geometry import cell_of
from nonlocal_core.learn.baselines import baseline_blocks, baseline_fields, own_fields, stage_outputs
from nonlocal_core.learn.occlusion import Hidden, Hiding, Occlusion, Share
from nonlocal_core.learn.scorecard import arrow_card, as_json
from nonlocal_core.learn.scorecard_text import format_scorecard
from nonlocal_core.learn.truth import truth_clips
from nonlocal_core.learn.views import Shown, extent, middle, show, truth_in
from nonlocal_core.model.spec import ResNetSpec
from nonlocal_core.video import crop_clip
from nonlocal_core.zoo.checkpoint import Checkpoint, Header, file_sha256, write_checkpoint
from tests.learn.watched import SPEC, loud, noise_film, small_model, truth_folder

OCCLUSION = Occlusion(
    103, Share(0.96, 0.02), (Hidden(0.5, "2x4x4", Share(0.5, 0.05), Share(0.25, 0.04), Share(0.25, 0.05)),), ()
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return truth_folder(tmp_path_factory.mktemp("truth"))


@pytest.fixture(scope="module")
def card(folder):
    """Two models in both views."""
    return arrow_card({"small": small_model(), "other": small_model(seed=1)}, truth_clips(folder))


def test_the_middle_is_where_the_networks_crop_is():
    frames = np.random.default_rng(0).integers(0, 256, (2, 35, 46, 3), np.uint8)

    assert np.array_equal(middle(frames, 32, 32), crop_clip(frames, 32))


def test_the_whole_frame_is_cut_to_cells_of_the_last_stage():
    assert extent(256, 456, SPEC, "whole") == (256, 448)
    assert extent(256, 456, SPEC, "crop") == (64, 64)
    with pytest.raises(QueryError, match="456×30 pixels is too small"):
        extent(30, 456, SPEC, "whole")


@pytest.mark.parametrize("view", ["crop", "whole"])
@pytest.mark.parametrize("enlarged", [1, 2])
def test_the_truth_lies_on_the_very_pixels_of_the_object(tmp_path, view, enlarged):
    (truth,) = truth_clips(truth_folder(tmp_path, enlarged=enlarged))

    shown = show(truth.video, replaced(SPEC, frames=6, stride=2), view)

    mask = truth_in(shown, truth)
    assert shown.rgb.shape == (6, 64, 64 if view == "crop" else 96, 3)
    assert np.array_equal(mask, shown.rgb[..., 0] > 200)
    assert mask.any(axis=(1, 2)).all()


@pytest.mark.parametrize("resnet", [None, ResNetSpec(stem_stride_t=1, pool1_kernel_t=1, pool1_stride_t=1)])
def test_grids_of_the_whole_frame_tile_it(folder, resnet):
    after = ("res3_1", "res4_1") if resnet else ("mixed_3c", "mixed_4b")
    blocks = tuple(replaced(block, after=stage) for block, stage in zip(SPEC.blocks, after, strict=True))
    spec = replaced(SPEC, blocks=blocks, resnet=resnet, backbone="resnet" if resnet else "inception_v1")
    shown = show(next(iter(truth_clips(folder))).video, spec, "whole")

    fields = own_fields(small_model(spec), shown)

    assert [(f.query_grid.h, f.query_grid.w) for f in fields.values()] == [(8, 12), (4, 6)]
    assert [(f.key_grid.h, f.key_grid.w) for f in fields.values()] == [(4, 6), (2, 3)]


def replaced(spec, **fields):
    return spec.model_copy(update=fields)


def shown_noise(seed: int = 0) -> Shown:
    return Shown(np.random.default_rng(seed).integers(0, 256, (8, 64, 96, 3), np.uint8), np.arange(8), (64, 96))


def baseline_of(model, name):
    found = list(baseline_fields(model, baseline_blocks(model), shown_noise()))
    return {block: field for baseline, block, field in found if baseline == name}


def test_cosine_is_the_features_divided_by_their_length_over_the_temperature():
    model = small_model()
    with torch.inference_mode():
        x = stage_outputs(model, shown_noise().batch(SPEC))["mixed_4b"]
        keys = torch.nn.functional.max_pool3d(x, (1, 2, 2))
    a, b = (y[0].flatten(1).T.numpy() for y in (x, keys))
    logits = 10 * (a[5] @ b.T) / np.linalg.norm(a[5]) / np.linalg.norm(b, axis=1)

    field = baseline_of(model, "cosine")["mixed_4b"]

    assert field.row(fifth(field)) == pytest.approx(np.exp(logits) / np.exp(logits).sum(), rel=1e-4)


def fifth(field):
    return cell_of(field.query_grid, 5)


def test_the_baselines_read_the_network_without_its_blocks():
    quiet, noisy = (baseline_of(model, "cosine") for model in (small_model(), loud(small_model())))

    assert np.array_equal(quiet["mixed_4b"].theta, noisy["mixed_4b"].theta)


def test_untrained_blocks_begin_as_every_new_block_and_leave_the_random_numbers_alone():
    model = loud(small_model())
    torch.rand(1)  # somewhere else than a baseline before may have left them
    before = torch.get_rng_state()

    block = baseline_blocks(model)["untrained"]["mixed_3c"]

    assert torch.equal(torch.get_rng_state(), before)
    assert float(block.theta.weight.detach().std()) == pytest.approx(0.01, rel=0.05)
    assert not block.phi.bias.any()
    assert not hasattr(block, "g")
    assert torch.equal(block.theta.weight, baseline_blocks(model)["untrained"]["mixed_3c"].theta.weight)


def test_the_affinities_are_those_of_the_running_network(folder):
    network = loud(small_model())
    shown = show(next(iter(truth_clips(folder))).video, SPEC, "whole")

    field = own_fields(network, shown)["mixed_4b"]

    with torch.inference_mode(), recorded_affinities(network) as found:
        network(shown.batch(SPEC))
    assert field.row(fifth(field)) == pytest.approx(found["mixed_4b"].matrix()[0, 5].numpy(), rel=1e-4)


def test_every_view_holds_the_models_and_the_baselines_of_the_first(card):
    for methods in card.values():
        assert list(methods) == ["small", "cosine", "untrained", "pixels", "other"]
        assert {tuple(blocks) for blocks in methods.values()} == {("mixed_3c", "mixed_4b")}
    assert card["whole"]["pixels"]["mixed_3c"].arrows.hit > 3 * card["whole"]["pixels"]["mixed_3c"].arrows.chance
    assert card["crop"]["small"]["mixed_3c"].arrows.chance > card["whole"]["small"]["mixed_3c"].arrows.chance


def test_another_model_does_not_change_the_baselines(card, folder):
    alone = arrow_card({"small": small_model()}, truth_clips(folder), views=["whole"])

    for name in ("small", "cosine", "untrained", "pixels"):
        assert alone["whole"][name] == card["whole"][name]


def test_a_video_is_run_once_for_all_its_objects_and_observing_blocks_are_their_own_cosine(sample, tmp_path):
    for path in sample.parent.glob("two-cups.*"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    told = []

    card = arrow_card(
        {"observers": nl.load_model("i3d-observers")}, truth_clips(tmp_path), views=["crop"], tell=told.append
    )

    assert told == ["crop: two-cups: far cup, two-cups: near cup, two-cups: ball"]
    assert list(card["crop"]) == ["observers", "cosine", "pixels"]  # its blocks have nothing to train
    for block, found in card["crop"]["observers"].items():
        assert list(found.clips) == ["two-cups: far cup", "two-cups: near cup", "two-cups: ball"]
        assert found.arrows.queries == sum(score.queries for score in found.clips.values()) > 20
        assert found.arrows.hit > 1.2 * found.arrows.chance
        assert found.arrows.hit == card["crop"]["cosine"][block].arrows.hit
        assert 0.1 < found.rows.distance < 1


def test_a_model_without_blocks_is_refused():
    with pytest.raises(InvalidSpec, match="bare has no non-local block"):
        arrow_card({"bare": small_model(replaced(SPEC, blocks=()))}, [])


def test_the_text_fits_120_columns_whatever_is_in_it(card):
    long = {
        f"/models/of/somebody/who/likes/long/names/{i}.safetensors": found
        for i, found in enumerate(7 * [*card["whole"].values()])
    }
    wide = {"whole": long}

    text = format_scorecard(wide, {"a" * 80: replace(OCCLUSION, broken=("b.avi", "c.avi"))})

    assert max(map(len, text.splitlines())) <= 120
    assert "…g/names/34.safetensors" not in text  # names are cut at the front
    assert text.count("mixed_3c") > 14
    assert "2 could not be read" in text


def test_the_text_says_the_figures(card):
    found = card["whole"]["small"]["mixed_4b"]

    text = " ".join(format_scorecard(card, {"small": OCCLUSION}).split())

    assert f"{found.arrows.hit:.3f} ({found.arrows.lift:.1f}x) {found.arrows.mass:.2f}" in text
    assert f"{found.rows.distance:.2f}" in text
    assert "50 % 2x4x4 50.0 ± 5.0 % 25.0 ± 4.0 % +25.0 ± 5.0" in text


def test_the_json_holds_everything_and_what_is_no_number_is_null(card):
    lonely = replace(OCCLUSION, clean=Share(1.0, float("nan")))

    found = json.loads(json.dumps(as_json(card, {"small": lonely}, Hiding(), command="score"), allow_nan=False))

    block = found["arrows"]["whole"]["small"]["mixed_3c"]
    assert block["arrows"]["lift"] == pytest.approx(block["arrows"]["hit"] / block["arrows"]["chance"])
    assert block["clips"]["square"]["queries"] > 0
    assert len(block["rows"]["by_step"]) == 4
    assert found["occlusion"]["small"]["clean"]["error"] is None
    assert found["settings"]["hiding"]["draws"] == 2
    assert found["command"] == "score"


def test_the_command_scores_a_model_file_on_truth_and_on_hidden_cells(folder, tmp_path, capsys):
    network = small_model()
    tensors = {name: x.numpy() for name, x in network.state_dict().items() if not name.endswith("num_batches_tracked")}
    header = Header(SPEC, network.labels, {})
    write_checkpoint(tmp_path / "small.safetensors", Checkpoint(header, tensors))
    (tmp_path / "films").mkdir()
    noise_film(tmp_path / "films" / "a.avi", 0)
    parser = argparse.ArgumentParser()
    declare_score(parser.add_subparsers())
    name = str(tmp_path / "small.safetensors")
    options = parser.parse_args(
        [
            "score",
            str(folder),
            "--model",
            name,
            "--view",
            "whole",
            "--videos",
            str(tmp_path / "films"),
            "--draws",
            "1",
            "--json",
        ]
    )

    assert options.run(options) == 0

    found = json.loads(capsys.readouterr().out)
    assert list(found["arrows"]) == ["whole"]
    assert found["occlusion"][name]["clips"] == 1
    assert found["sha256"][name] == {"small.safetensors": file_sha256(Path(name))}
