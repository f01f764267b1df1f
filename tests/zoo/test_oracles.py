"""Converted checkpoints give their authors' own numbers; the table itself is printed by scripts/oracle_table.py."""

from __future__ import annotations

import pytest
import torch

import nonlocal_core as nl
from nonlocal_core.model.build import Model
from nonlocal_core.zoo.checkpoint import read_checkpoint, write_checkpoint
from nonlocal_core.zoo.convert import convert_file
from scripts.oracle_table import ORACLES, compare, containers, regenerate

pytestmark = pytest.mark.skipif(not ORACLES.is_dir(), reason=f"{ORACLES} is not here: the oracles cannot ship")


@pytest.mark.parametrize(("oracle", "container"), containers())
def test_a_converted_checkpoint_gives_its_authors_numbers(oracle, container, tmp_path):
    path = regenerate(oracle, container, tmp_path)
    try:
        model = nl.load_model(path)
    finally:
        path.unlink()  # up to 284 MB

    differences = list(compare(oracle, container, model))

    assert [found for found in differences if not found.passes] == []
    assert {found.run for found in differences} >= {"small", "mid"}


ORDINARY, GROUPED = "slowfast_i3d_nln_8x8_r50", "vnl_i3d_nonlocal_affine_32x4"


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory):
    """Two converted oracles: one of the ordinary sort, one with temporal groups and affine layers."""
    folder, found = tmp_path_factory.mktemp("oracles"), {}
    for oracle, container in ((ORDINARY, "pyslowfast_pyth"), (GROUPED, "caffe2_pkl")):
        path = regenerate(oracle, container, folder)
        found[oracle] = convert_file(path)
        path.unlink()
    return found


def blocks_with(spec, **fields):
    return spec.model_copy(update={"blocks": tuple(block.model_copy(update=fields) for block in spec.blocks)})


def resnet_with(spec, **fields):
    return spec.model_copy(update={"resnet": spec.resnet.model_copy(update=fields)})


def exchanged(tensors):
    swap = {"theta": "phi", "phi": "theta"}
    return {".".join(swap.get(part, part) for part in name.split(".")): tensor for name, tensor in tensors.items()}


def is_caught(oracle, spec, tensors) -> bool:
    """Whether this network with these weights is told from the oracle's, by error or by its first run."""
    model = Model(spec).eval()
    model.load_state_dict({name: torch.from_numpy(tensor) for name, tensor in tensors.items()}, strict=False)
    return not next(compare(oracle, "faulty", model)).passes


@pytest.mark.parametrize(
    "fault",
    [
        lambda spec: spec,
        lambda spec: blocks_with(spec, scale=1.0),
        lambda spec: blocks_with(spec, sub_sampling="project_then_pool"),
        lambda spec: resnet_with(spec, pool1_padding=0),
        lambda spec: resnet_with(spec, spatial_stride_on="1x1"),
    ],
    ids=["none", "scale dropped", "pool and projection exchanged", "pool1 padding", "stride"],
)
def test_a_fault_in_the_spec_is_caught(checkpoints, fault, request):
    header, tensors = checkpoints[ORDINARY].header, checkpoints[ORDINARY].tensors

    assert is_caught(ORDINARY, fault(header.spec), tensors) == ("none" not in request.node.callspec.id)


def test_theta_and_phi_exchanged_is_caught(checkpoints):
    assert is_caught(ORDINARY, checkpoints[ORDINARY].header.spec, exchanged(checkpoints[ORDINARY].tensors))


@pytest.mark.parametrize("group_frames", [None, 2, 8])
def test_another_group_size_is_caught(checkpoints, group_frames):
    spec = checkpoints[GROUPED].header.spec
    res3 = [block.model_copy(update={"group_frames": group_frames}) for block in spec.blocks[:2]]

    assert is_caught(
        GROUPED, spec.model_copy(update={"blocks": (*res3, *spec.blocks[2:])}), checkpoints[GROUPED].tensors
    )


def test_our_own_file_keeps_the_numbers_and_float16_is_asked_for(checkpoints, tmp_path):
    checkpoint, path = checkpoints[ORDINARY], tmp_path / "i3d.safetensors"
    values = sum(tensor.size for tensor in checkpoint.tensors.values())

    write_checkpoint(path, checkpoint)
    kept = read_checkpoint(path)
    assert kept.header == checkpoint.header
    assert all((kept.tensors[name] == tensor).all() for name, tensor in checkpoint.tensors.items())
    assert 4 * values < path.stat().st_size < 4 * values + 100_000

    write_checkpoint(path, checkpoint, precision="float16")
    assert 2 * values < path.stat().st_size < 2.01 * values
    path.unlink()
