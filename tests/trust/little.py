"""A model file so little that an analysis takes a few hundredths of a second: for tests of what is around it."""

from __future__ import annotations

from pathlib import Path

import torch

from nonlocal_core.model.build import Model
from nonlocal_core.model.spec import BlockSpec, ModelSpec
from nonlocal_core.zoo.checkpoint import Checkpoint, Header, write_checkpoint
from nonlocal_core.zoo.convert import wanted_tensors

BLOCK = "mixed_4b"
SPEC = ModelSpec(
    backbone="inception_v1",
    blocks=(BlockSpec(after=BLOCK, kind="embedded_gaussian"),),
    classes=2,
    frames=4,
    stride=2,
    size_px=32,
    short_side_px=32,
    mean=(0.5, 0.5, 0.5),
    std=(0.5, 0.5, 0.5),
)


def write_little_model(path: Path, labels: tuple[str, ...] = ("left", "right")) -> Path:
    """A random Inception of 4 frames of 32 px with one block."""
    torch.manual_seed(0)
    model = Model(SPEC, labels)
    state = model.state_dict()
    tensors = {name: state[name].numpy() for name in wanted_tensors(model)}
    header = Header(SPEC, labels, {"source": "this test", "weights": "random"})
    write_checkpoint(path, Checkpoint(header, tensors), precision="float16")
    return path
