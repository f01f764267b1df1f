"""The I3D backbone: TensorFlow's padding, the paper's grids, blocks by name."""

import pytest
import torch
from pydantic import ValidationError

from nonlocal_core.errors import InvalidSpec
from nonlocal_core.model.build import Model
from nonlocal_core.model.inception import InceptionHead, SamePool, same_padding
from nonlocal_core.model.spec import BlockSpec, ModelSpec


def spec(**choices) -> ModelSpec:
    return ModelSpec(**({"backbone": "inception_v1", "mean": (0.5,) * 3, "std": (0.5,) * 3} | choices))


@pytest.mark.parametrize(
    ("length", "kernel", "stride", "before", "after"),
    [(224, 7, 2, 2, 3), (225, 7, 2, 3, 3), (112, 3, 2, 0, 1), (28, 3, 1, 1, 1), (16, 2, 2, 0, 0), (7, 2, 2, 0, 1)],
)  # TensorFlow's rule: total = max((ceil(n/s) - 1) * s + k - n, 0), the odd one behind
def test_same_padding_is_tensorflows(length, kernel, stride, before, after):
    assert same_padding((1, 1, length), (1, 1, kernel), (1, 1, stride))[:2] == [before, after]


def test_padding_runs_from_width_to_time():
    assert same_padding((2, 112, 7), (1, 3, 2), (1, 2, 2)) == [0, 1, 0, 1, 0, 0]


def test_what_is_padded_never_wins_the_maximum():
    assert SamePool((3, 3, 3), (1, 1, 1))(torch.full((1, 1, 2, 2, 2), -5.0)).max() == -5


def test_the_grids_of_a_32_frame_clip_are_those_of_i3d():
    model, shapes = Model(spec()), {}
    for name, stage in model.stages.items():
        stage.register_forward_hook(lambda _m, _i, out, name=name: shapes.update({name: tuple(out.shape[1:])}))
    with torch.inference_mode():
        assert model.eval()(torch.zeros(1, 3, 32, 224, 224)).shape == (1, 400)

    assert shapes["mixed_3c"] == (480, 16, 28, 28)
    assert shapes["mixed_4f"] == (832, 8, 14, 14)
    assert shapes["mixed_5c"] == (1024, 4, 7, 7)


def test_the_head_averages_windows_then_places():
    head = InceptionHead(4, 3)
    x = torch.randn(1, 4, 3, 7, 7)

    windows = [x[:, :, t : t + 2].mean((2, 3, 4)) for t in range(2)]
    longhand = torch.stack([w @ head.classifier.weight.flatten(1).T + head.classifier.bias for w in windows]).mean(0)

    torch.testing.assert_close(head(x), longhand)


def test_blocks_stand_after_the_stages_that_ask_in_network_order():
    blocks = tuple(BlockSpec(after=name, kind="gaussian") for name in ("mixed_4c", "mixed_3b"))

    assert list(Model(spec(blocks=blocks)).blocks) == ["mixed_3b", "mixed_4c"]


def test_a_block_after_an_unknown_stage_is_refused():
    with pytest.raises(InvalidSpec, match="no stage res3_1 for a block; blocks may follow mixed_3b"):
        Model(spec(blocks=(BlockSpec(after="res3_1", kind="gaussian"),)))


def test_two_blocks_after_one_stage_are_refused():
    block = BlockSpec(after="mixed_3b", kind="gaussian")
    with pytest.raises(ValidationError, match="two blocks after the same stage"):
        spec(blocks=(block, block))


def test_a_label_for_each_class_is_required():
    with pytest.raises(InvalidSpec, match="2 labels for 400 classes"):
        Model(spec(), labels=("a", "b"))
