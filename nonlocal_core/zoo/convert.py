"""From a published checkpoint to one of ours: recognise container and source by their content, apply the table."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch
from pydantic import ValidationError

from nonlocal_core.errors import UnreadableCheckpoint
from nonlocal_core.model.build import Model
from nonlocal_core.zoo import caffe2, deepmind, gluoncv, mmaction2, pyslowfast, tushar_n
from nonlocal_core.zoo.cards import KINETICS_LABELS
from nonlocal_core.zoo.checkpoint import Checkpoint, Header, file_sha256, read_checkpoint
from nonlocal_core.zoo.containers import Contents, is_ours, read_container
from nonlocal_core.zoo.rules import Shapes, fill, rename
from nonlocal_core.zoo.source import Description, Source

SOURCES = (
    deepmind.SOURCE,
    caffe2.SOURCE,
    pyslowfast.SOURCE,
    mmaction2.SOURCE,
    tushar_n.SOURCE,
    gluoncv.TORCH,
    gluoncv.MXNET,
)

_NOT_WEIGHTS = "num_batches_tracked"  # a counter that torch keeps and no other source has


def wanted_tensors(model: Model) -> dict[str, tuple[int, ...]]:
    """Names and shapes of every tensor that a checkpoint must supply."""
    state = model.state_dict()
    return {name: tuple(tensor.shape) for name, tensor in state.items() if not name.endswith(_NOT_WEIGHTS)}


def convert_file(path: Path, *, published_as: str | None = None) -> Checkpoint:
    """Read somebody's checkpoint as one of ours; one that is ours already is read as it is.

    Args:
        path: the file; container and source are recognised by what is in it.
        published_as: the name it was published under, if `path` is called otherwise. It is asked only for what
            the content does not tell, such as the strides of a Caffe2 release; provenance says what came from it.

    Raises:
        UnreadableCheckpoint: the container, the source or the network is not one we know.
        ConversionFailed: the tensors do not fit.
    """
    if is_ours(path):
        return read_checkpoint(path)
    checkpoint = convert_contents(read_container(path), published_as or path.name)
    provenance = checkpoint.header.provenance | {"sha256": file_sha256(path)}
    return replace(checkpoint, header=replace(checkpoint.header, provenance=provenance))


def convert_contents(contents: Contents, published_as: str) -> Checkpoint:
    """As `convert_file`, of a container that was read."""
    source = _source_of(contents, published_as)
    renamed = rename(contents.arrays, source.rules, contents.texts)
    description = _describe(source, contents, renamed.shapes, published_as)
    with torch.device("meta"):  # shapes only
        wanted = wanted_tensors(Model(description.spec))
    tensors = fill(renamed, wanted)
    provenance = description.provenance | {
        "notes": "\n".join(description.notes),
        "file": published_as,
        "container": contents.container,
    }
    return Checkpoint(Header(description.spec, _labels(description.spec.classes), provenance), tensors)


def _source_of(contents: Contents, published_as: str) -> Source:
    for source in SOURCES:
        if source.recognises(contents.arrays.keys()):
            return source
    known = "; ".join(source.name for source in SOURCES)
    raise UnreadableCheckpoint(f"{published_as}: tensor names of no source we know; known: {known}")


def _describe(source: Source, contents: Contents, shapes: Shapes, published_as: str) -> Description:
    try:
        return source.describe(contents, shapes, published_as)
    except ValidationError as error:
        raise UnreadableCheckpoint(f"these shapes belong to no network of {source.name}: {error}") from error


def _labels(classes: int) -> tuple[str, ...]:
    """Kinetics-400's names where there are 400 classes: every source numbers them alphabetically."""
    names = KINETICS_LABELS.read_text(encoding="utf-8").splitlines()
    return tuple(names) if classes == len(names) else tuple(f"class {i}" for i in range(classes))
