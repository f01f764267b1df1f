"""Known truth: read as it is, and cut into cells."""

import json

import numpy as np
import pytest
from PIL import Image

from nonlocal_core.learn.truth import UnreadableTruth, read_masks, truth_clips


def test_masks_become_shares_of_pixels_in_the_order_of_their_names(tmp_path):
    for i in (1, 0):
        mask = np.zeros((4, 6), np.uint8)
        mask[i, 2] = 255
        Image.fromarray(mask).save(tmp_path / f"{i:05}.png")

    masks = read_masks(tmp_path)

    assert masks.shape == (2, 4, 6)
    assert masks[0, 0, 2] == masks[1, 1, 2] == 1
    assert masks.sum() == 2


def test_boxes_of_a_composed_clip_become_one_truth_an_object(tmp_path):
    boxes = [[1, 0, 3, 2], None]
    facts = {"frames": 2, "width": 6, "height": 4, "objects": [{"name": "ball", "boxes": boxes}]}
    (tmp_path / "a.json").write_text(json.dumps(facts))
    (tmp_path / "a.mp4").touch()

    (truth,) = truth_clips(tmp_path)

    assert truth.name == "a: ball"
    assert truth.object[0].tolist() == [[0, 1, 1, 0, 0, 0], [0, 1, 1, 0, 0, 0], [0] * 6, [0] * 6]
    assert truth.object[1].sum() == 0


def test_a_folder_without_truth_says_what_was_expected(tmp_path):
    with pytest.raises(UnreadableTruth, match=r"NAME/clip.mp4 with masks nor NAME.mp4"):
        list(truth_clips(tmp_path))
