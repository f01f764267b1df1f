"""Reading a torch.save file, zip or legacy, with torch's own restricted unpickler.

`weights_only` builds tensors and plain containers and refuses every other name, so nothing of the file is run.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray

from nonlocal_core.errors import UnreadableCheckpoint

Array = NDArray[Any]

_DEEPEST = 12  # optimizer|param_groups|0|params|7 is five deep; a file can hold itself
_MOST_LEAVES = 200_000  # a ResNet-101 with its optimiser has about 3000; lists of the same list multiply


def read_torch_file(path: Path) -> tuple[dict[str, Array], dict[str, str]]:
    """What a torch.save file holds, keyed by its path joined with `|`: numbers and tensors, and the rest as text.

    Raises:
        UnreadableCheckpoint: it cannot be read, or asks for anything but tensors and plain containers.
    """
    try:
        tree: object = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a broken file can raise anything
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise UnreadableCheckpoint(
            f"{path.name} cannot be read as weights only, and nothing else is read; nothing was run: {reason[-1]}"
        ) from error
    arrays: dict[str, Array] = {}
    texts: dict[str, str] = {}
    for count, (name, leaf) in enumerate(_leaves(tree, ())):
        if count == _MOST_LEAVES:
            raise UnreadableCheckpoint(f"{path.name} holds more than {_MOST_LEAVES} values; that is no checkpoint")
        if isinstance(leaf, torch.Tensor):
            arrays[name] = _numbers(name, leaf)
        elif isinstance(leaf, int | float):
            arrays[name] = np.asarray(leaf)
        else:
            texts[name] = str(leaf)
    return arrays, texts


def _leaves(node: object, path: tuple[str, ...]) -> Iterator[tuple[str, object]]:
    if isinstance(node, Mapping):
        children = list(cast("Mapping[object, object]", node).items())
    elif isinstance(node, Sequence) and not isinstance(node, str | bytes):
        children = list(enumerate(cast("Sequence[object]", node)))
    else:
        yield "|".join(path), node
        return
    if len(path) == _DEEPEST:
        raise UnreadableCheckpoint(f"{'|'.join(path)}: more than {_DEEPEST} containers in each other")
    for key, child in children:
        yield from _leaves(child, (*path, str(key)))


def _numbers(name: str, tensor: torch.Tensor) -> Array:
    if tensor.layout != torch.strided or tensor.is_quantized or tensor.is_complex() or tensor.is_meta:
        raise UnreadableCheckpoint(f"{name} is a {tensor.layout} tensor of {tensor.dtype}; plain numbers were expected")
    tensor = tensor.detach()
    return (tensor.float() if tensor.dtype == torch.bfloat16 else tensor).numpy()
