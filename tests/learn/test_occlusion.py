"""Hidden cells: the same masks for both, counted as written out by hand, and new blocks that change nothing."""

import numpy as np
import pytest
import torch

from nonlocal_core.errors import UnusableListing
from nonlocal_core.learn.hidden import ALL_TIME, visible_cells
from nonlocal_core.learn.listing import read_listing
from nonlocal_core.learn.occlusion import Hiding, box_name, has_effect, mask_of, measure_occlusion, share_of
from nonlocal_core.learn.validate import middle_clip
from nonlocal_core.model.build import Model
from nonlocal_core.model.spec import BlockSpec
from tests.hardware import needs_bfloat16
from tests.learn.films import broken_film
from tests.learn.watched import SPEC, loud, noise_film, small_model

HIDING = Hiding(shares=(0.3,), boxes=((1, 1), (1, 2)), draws=2)


@pytest.fixture(scope="module")
def listing(tmp_path_factory):
    folder = tmp_path_factory.mktemp("films")
    for seed in (0, 2, 3, 4):  # whose classes do not all survive
        noise_film(folder / f"{seed}.avi", seed)
    return read_listing(folder)


@pytest.fixture(scope="module")
def loud_found(listing):
    return measure_occlusion(loud(small_model()), listing, HIDING, workers=1)


def kept_written_out(model, listing, box_number):
    """With and without blocks, the share of draws that keep the class; masks laid on by a hook, whole networks run."""
    bare = Model(SPEC.model_copy(update={"blocks": ()})).eval()
    bare.load_state_dict({name: x for name, x in model.state_dict().items() if not name.startswith("blocks.")})
    kept = []
    for number, example in enumerate(listing.examples):
        clip = middle_clip(example, SPEC)
        teacher = bare(clip).argmax()
        for draw in range(HIDING.draws):
            seed = int(np.random.SeedSequence((0, number, 0, box_number, draw)).generate_state(1)[0])
            mask = visible_cells((4, 8, 8), HIDING.boxes[box_number], 0.3, torch.Generator().manual_seed(seed))
            for network in (model, bare):
                handle = network.stages["mixed_3c"].register_forward_hook(lambda _m, _i, x, mask=mask: x * mask)
                kept.append(bool(network(clip).argmax() == teacher))
                handle.remove()
    return np.reshape(kept, (-1, 2)).mean(0)


def test_the_shares_are_those_written_out(listing, loud_found):
    with torch.inference_mode():
        expected = [kept_written_out(loud(small_model()), listing, box) for box in range(2)]

    assert [(each.with_blocks.mean, each.without_blocks.mean) for each in loud_found.hidden] == [
        pytest.approx(tuple(pair)) for pair in expected
    ]
    assert len(set(np.ravel(expected).tolist())) > 2  # the films tell the four apart


def test_new_blocks_change_nothing_under_the_same_masks(listing):
    found = measure_occlusion(small_model(), listing, HIDING, workers=1)

    assert found.clips == 4
    assert found.clean.mean == 1
    assert [each.gain.mean for each in found.hidden] == [0, 0]
    assert all(each.with_blocks == each.without_blocks for each in found.hidden)
    assert any(0 < each.without_blocks.mean < 1 for each in found.hidden)


def test_blocks_that_spoil_clean_clips_are_seen(loud_found):
    assert 0 < loud_found.clean.mean < 1


def test_the_measure_is_the_same_each_time(listing, loud_found):
    assert measure_occlusion(loud(small_model()), listing, HIDING, workers=1) == loud_found


@needs_bfloat16
def test_the_measure_is_nearly_the_same_in_half_precision(listing, loud_found):
    hiding = Hiding((0.3,), ((1, 2),), 1, precision="bfloat16")

    half = measure_occlusion(loud(small_model()), listing, hiding, workers=1)

    assert half.clean.mean == pytest.approx(loud_found.clean.mean, abs=0.26)


def test_another_draw_another_clip_and_another_seed_hide_other_cells():
    x = torch.ones(1, 2, 4, 8, 8)
    seeds = [(0, 0, 0, 0, 0), (0, 0, 0, 0, 1), (0, 1, 0, 0, 0), (1, 0, 0, 0, 0)]

    masks = [mask_of(x, 0.5, (1, 1), seed=seed) for seed in seeds]

    assert torch.equal(masks[0], mask_of(x, 0.5, (1, 1), seed=seeds[0]))
    assert all(not torch.equal(masks[0], other) for other in masks[1:])


def test_a_video_that_cannot_be_read_is_named_and_the_rest_is_measured(listing, tmp_path):
    for example in listing.examples[:1]:
        (tmp_path / "a.avi").write_bytes(example.path.read_bytes())
    broken = broken_film(tmp_path / "b.avi")
    told = []

    found = measure_occlusion(small_model(), read_listing(tmp_path), HIDING, workers=1, tell=told.append)

    assert found.clips == 1
    assert found.broken == (str(broken),)
    assert np.isnan(found.clean.error)
    assert told == ["[  1/2] a.avi", "[  2/2] b.avi: cannot be read"]


def test_nothing_readable_is_an_error(tmp_path):
    broken_film(tmp_path / "b.avi")

    with pytest.raises(UnusableListing, match=r"none of the 1 videos can be read, such as .*b\.avi"):
        measure_occlusion(small_model(), read_listing(tmp_path), HIDING, workers=1)


def test_the_standard_error_is_that_of_a_mean_over_clips():
    found = share_of([1.0, 0.0, 0.5, 0.5])

    assert found.mean == 0.5
    assert found.error == pytest.approx(np.sqrt((0.25 + 0.25) / 3) / 2)


def test_blocks_that_only_observe_have_no_effect():
    observing = BlockSpec(after="mixed_3c", kind="gaussian", residual="absent")

    assert not has_effect(small_model(SPEC.model_copy(update={"blocks": (observing,)})))
    assert has_effect(small_model())


def test_boxes_are_named_by_what_they_hide():
    assert [box_name(box) for box in ((1, 1), (2, 4), (ALL_TIME, 2))] == ["1x1x1", "2x4x4", "all x2x2"]
