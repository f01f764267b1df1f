"""Safetensors in and out, typed: arrays by name and a header of strings. Fields and model files both use it.

The format: eight bytes of length, a JSON header, then the numbers (github.com/huggingface/safetensors).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np
import safetensors
from numpy.typing import NDArray
from safetensors import numpy as safetensors_numpy

Arrays = dict[str, NDArray[Any]]

_DTYPES = {"F16": np.float16, "F32": np.float32}
_LONGEST_HEADER = 10_000_000  # a length beyond it is not a header


class NotATensorFile(ValueError):
    """The content is not safetensors, or holds other numbers than float16 and float32."""


def to_bytes(arrays: Mapping[str, NDArray[Any]], header: dict[str, str]) -> bytes:
    """Float16 and float32 arrays and a header as one safetensors file."""
    # The library writes memory as it lies: a transposed view would be written untransposed.
    return safetensors_numpy.save({name: np.ascontiguousarray(array) for name, array in arrays.items()}, header)


def from_bytes(content: bytes) -> tuple[dict[str, str], Arrays]:
    """The header and the arrays, as views of `content`.

    Raises:
        NotATensorFile: the content is something else.
    """
    try:
        views = cast("list[tuple[str, dict[str, Any]]]", safetensors.deserialize(content))
        arrays: Arrays = {
            name: np.frombuffer(view["data"], _DTYPES[view["dtype"]]).reshape(view["shape"]) for name, view in views
        }
    except (safetensors.SafetensorError, KeyError) as error:
        raise NotATensorFile(f"no safetensors file of floats: {error}") from error
    return _header(content[8 : 8 + int.from_bytes(content[:8], "little")]), arrays


def read_header(path: Path) -> dict[str, str]:
    """The header alone, without reading the arrays.

    Raises:
        NotATensorFile: the file is something else.
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if not 0 < length < _LONGEST_HEADER:
            raise NotATensorFile("no safetensors file: its first eight bytes are no length")
        return _header(file.read(length))


def _header(text: bytes) -> dict[str, str]:
    try:
        header = dict(json.loads(text).get("__metadata__", {}).items())
    except (ValueError, AttributeError, RecursionError) as error:
        raise NotATensorFile("no safetensors file: its header is no JSON object") from error
    return {str(key): str(value) for key, value in header.items()}
