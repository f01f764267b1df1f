"""Our own model files: safetensors with the spec, the labels and the provenance inside."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from nonlocal_core import tensor_file
from nonlocal_core.errors import UnreadableCheckpoint
from nonlocal_core.model.spec import ModelSpec
from nonlocal_core.zoo.rules import Array

_FORMAT = "nonlocal-lens/1"
_KEPT_WIDE = ("running_mean", "running_var", "bias")  # small, and float16's range or step would cost accuracy


@dataclass(frozen=True)
class Header:
    """What a model file says about itself."""

    spec: ModelSpec
    labels: tuple[str, ...]
    provenance: dict[str, str]


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """A model file; tensors are float32 whatever the file holds."""

    header: Header
    tensors: dict[str, Array]


def write_checkpoint(
    path: Path, checkpoint: Checkpoint, *, precision: Literal["float32", "float16"] = "float32"
) -> None:
    """Write a model file; as float16 it has half the size, and still float32 statistics and biases.

    Float16 keeps three digits of a weight, so the very numbers of a network's authors need float32.
    """
    kept = _KEPT_WIDE if precision == "float16" else ("",)
    tensors = {
        name: array.astype(np.float32 if name.endswith(kept) else np.float16)
        for name, array in checkpoint.tensors.items()
    }
    header = checkpoint.header
    metadata = {
        "format": _FORMAT,
        "spec": header.spec.model_dump_json(),
        "labels": json.dumps(header.labels),
        "provenance": json.dumps(header.provenance),
    }
    path.write_bytes(tensor_file.to_bytes(tensors, metadata))


def read_checkpoint(path: Path) -> Checkpoint:
    """Read a model file.

    Raises:
        UnreadableCheckpoint: it is not a safetensors file of this project.
    """
    header = read_header(path)
    try:
        _, tensors = tensor_file.from_bytes(path.read_bytes())
    except (tensor_file.NotATensorFile, OSError) as error:
        raise UnreadableCheckpoint(f"{path.name} cannot be read as a model file: {error}") from error
    return Checkpoint(header, {name: array.astype(np.float32) for name, array in tensors.items()})


def read_header(path: Path) -> Header:
    """Read what a model file says about itself, without its tensors.

    Raises:
        UnreadableCheckpoint: it is not a safetensors file of this project.
    """
    try:
        metadata = tensor_file.read_header(path)
        if metadata.get("format") != _FORMAT:
            raise UnreadableCheckpoint(
                f"{path.name} is not a model file of ours; make one with `nonlocal-lens convert`"
            )
        spec = ModelSpec.model_validate_json(metadata["spec"])
        return Header(spec, tuple(json.loads(metadata["labels"])), dict(json.loads(metadata["provenance"])))
    except (OSError, KeyError, ValueError, TypeError, RecursionError) as error:  # any of them, of a header that lies
        raise UnreadableCheckpoint(f"{path.name} cannot be read as a model file: {error}") from error


def file_sha256(path: Path) -> str:
    """The file's SHA-256, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
