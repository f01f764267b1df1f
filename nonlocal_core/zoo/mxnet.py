"""Reading MXNet's .params files: a list of named NDArrays, without MXNet.

The format is that of `NDArray::Save` (apache/mxnet, src/ndarray/ndarray.cc): little-endian, a magic number, a count,
the arrays, a count, their names. Every length is checked against what is left of the file before it is believed.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nonlocal_core.errors import UnreadableCheckpoint

Array = NDArray[Any]

MAGIC = (0x112).to_bytes(8, "little") + bytes(8)  # kMXAPINDArrayListMagic, and eight reserved bytes

_V1, _V2, _V3 = 0xF993FAC8, 0xF993FAC9, 0xF993FACA  # NDARRAY_V1_MAGIC and its successors
_DENSE = 0  # kDefaultStorage; the others are sparse
_DTYPES = dict(enumerate(("<f4", "<f8", "<f2", "u1", "<i4", "i1", "<i8")))  # mshadow's type flags
_MOST_DIMENSIONS = 8  # a convolution's kernel has five


class _Reader:
    """A cursor over a file's bytes that refuses to pass their end."""

    def __init__(self, content: bytes) -> None:
        self._content = memoryview(content)
        self._at = 0

    def take(self, size: int) -> memoryview:
        """The next `size` bytes."""
        if size > len(self._content) - self._at:
            raise UnreadableCheckpoint(
                f"the .params file breaks off: at byte {self._at} of {len(self._content)}, {size} more were announced"
            )
        self._at += size
        return self._content[self._at - size : self._at]

    def number(self, size: int) -> int:
        """The next `size` bytes as a signed number."""
        return int.from_bytes(self.take(size), "little", signed=True)

    def numbers(self, count: int, size: int) -> list[int]:
        """So many signed numbers of `size` bytes each."""
        return [self.number(size) for _ in range(count)]

    @property
    def ended(self) -> bool:
        """Whether nothing is left."""
        return self._at == len(self._content)


def read_params(content: bytes) -> dict[str, Array]:
    """The arrays of a .params file by name, as views of `content`; Gluon's `arg:` and `aux:` are taken off.

    Raises:
        UnreadableCheckpoint: the content breaks off, contradicts itself or holds sparse arrays.
    """
    reader = _Reader(content)
    if bytes(reader.take(len(MAGIC))) != MAGIC:
        raise UnreadableCheckpoint("no .params file: it does not begin with MXNet's magic number")
    arrays = [_array(reader) for _ in range(_count(reader))]
    names = [bytes(reader.take(_count(reader))).decode("utf-8", "replace") for _ in range(_count(reader))]
    names = [name.removeprefix("arg:").removeprefix("aux:") for name in names]
    if not reader.ended or len(set(names)) != len(arrays):
        raise UnreadableCheckpoint(f"the .params file holds {len(arrays)} arrays, but {len(set(names))} names or more")
    return dict(zip(names, arrays, strict=True))


def _count(reader: _Reader) -> int:
    count = reader.number(8)
    if count < 0:
        raise UnreadableCheckpoint(f"the .params file announces {count} entries")
    return count


def _array(reader: _Reader) -> Array:
    version = reader.number(4) & 0xFFFFFFFF
    if version in (_V2, _V3) and (storage := reader.number(4)) != _DENSE:
        raise UnreadableCheckpoint(
            f"the .params file holds an array of storage type {storage}; only dense ones are read"
        )
    versioned = version in (_V1, _V2, _V3)  # before, the number of dimensions stood in the version's place
    shape = _shape(reader, reader.number(4), 8) if versioned else _shape(reader, version, 4)
    reader.take(8)  # the device it was on
    flag = reader.number(4)
    if flag not in _DTYPES:
        raise UnreadableCheckpoint(f"the .params file holds numbers of type {flag}; known are 0 to {max(_DTYPES)}")
    dtype = np.dtype(_DTYPES[flag])
    return np.frombuffer(reader.take(math.prod(shape) * dtype.itemsize), dtype).reshape(shape)


def _shape(reader: _Reader, dimensions: int, size: int) -> list[int]:
    if not 0 < dimensions <= _MOST_DIMENSIONS:
        raise UnreadableCheckpoint(f"the .params file holds an array of {dimensions} dimensions")
    shape = reader.numbers(dimensions, size)
    if min(shape) < 0:
        raise UnreadableCheckpoint(f"the .params file holds an array of shape {shape}")
    return shape
