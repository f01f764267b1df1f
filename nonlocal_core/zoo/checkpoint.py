"""Our own model files: safetensors with the spec, the labels and the provenance inside."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydantic import ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

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


def write_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Write a model file; weights as float16, statistics and biases as float32."""
    tensors = {
        name: array.astype(np.float32 if name.endswith(_KEPT_WIDE) else np.float16)
        for name, array in checkpoint.tensors.items()
    }
    header = checkpoint.header
    metadata = {
        "format": _FORMAT,
        "spec": header.spec.model_dump_json(),
        "labels": json.dumps(header.labels),
        "provenance": json.dumps(header.provenance),
    }
    save_file(tensors, path, metadata)
    path.chmod(0o644)                                                    # safetensors writes for the owner alone


def read_checkpoint(path: Path) -> Checkpoint:
    """Read a model file.

    Raises:
        UnreadableCheckpoint: it is not a safetensors file of this project.
    """
    header = read_header(path)
    with safe_open(path, framework="numpy") as file:
        return Checkpoint(header, {name: file.get_tensor(name).astype(np.float32) for name in file.offset_keys()})


def read_header(path: Path) -> Header:
    """Read what a model file says about itself, without its tensors.

    Raises:
        UnreadableCheckpoint: it is not a safetensors file of this project.
    """
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
        if metadata.get("format") != _FORMAT:
            raise UnreadableCheckpoint(f"{path.name} is not a model file of ours; make one with `nonlocal-lens convert`")
        spec = ModelSpec.model_validate_json(metadata["spec"])
        return Header(spec, tuple(json.loads(metadata["labels"])), dict(json.loads(metadata["provenance"])))
    except (SafetensorError, OSError, KeyError, ValidationError, json.JSONDecodeError) as error:
        raise UnreadableCheckpoint(f"{path.name} cannot be read as a model file: {error}") from error


def file_sha256(path: Path) -> str:
    """The file's SHA-256, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
