"""Reading NumPy arrays out of somebody's pickle without running anything of it.

A pickle is a program. This unpickler can look up three names, those that rebuild a NumPy array, and no other; every
other lookup is refused before it happens.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy._core.multiarray import _reconstruct  # pyright: ignore[reportPrivateUsage, reportUnknownVariableType]
from numpy.typing import NDArray

from nonlocal_core.errors import UnreadableCheckpoint

_ALLOWED: dict[tuple[str, str], Any] = {
    (module, "_reconstruct"): _reconstruct for module in ("numpy.core.multiarray", "numpy._core.multiarray")
} | {("numpy", "ndarray"): np.ndarray, ("numpy", "dtype"): np.dtype}


class _ArraysOnly(pickle.Unpickler):
    def find_class(self, module_name: str, global_name: str, /) -> Any:
        try:
            return _ALLOWED[module_name, global_name]
        except KeyError:
            raise UnreadableCheckpoint(
                f"the pickle asks for {module_name}.{global_name}; only NumPy arrays are read, nothing was run"
            ) from None


def read_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """Every array of a pickled tree of dictionaries, keyed by its path joined with `|`.

    Raises:
        UnreadableCheckpoint: it is no pickle, asks for anything but arrays, or holds something else.
    """
    try:
        with path.open("rb") as file:
            tree = _ArraysOnly(file, encoding="latin1").load()
    except UnreadableCheckpoint:
        raise
    except Exception as error:  # a broken pickle can raise anything
        raise UnreadableCheckpoint(f"{path.name} is not a readable pickle: {error}") from error
    return dict(_leaves(tree, ()))


def _leaves(node: object, path: tuple[str, ...]) -> Iterator[tuple[str, NDArray[Any]]]:
    if isinstance(node, Mapping):
        for key, child in node.items():  # pyright: ignore[reportUnknownVariableType]
            yield from _leaves(child, (*path, str(key)))  # pyright: ignore[reportUnknownArgumentType]
    elif isinstance(node, np.ndarray) and node.dtype.kind in "fiub":
        yield "|".join(path), node
    else:
        raise UnreadableCheckpoint(f"{'|'.join(path) or 'the file'} is a {type(node).__name__}; numbers were expected")
