"""What lies in a checkpoint file, whoever wrote it: numbers by name, recognised by the first bytes, never by the name.

Here are the containers; what the names mean is for the tables (`rules.py` and one file per source).
"""

from __future__ import annotations

import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from nonlocal_core.errors import UnreadableCheckpoint
from nonlocal_core.zoo import mxnet
from nonlocal_core.zoo.torch_file import read_torch_file
from nonlocal_core.zoo.unpickle import read_arrays

Array = NDArray[Any]

_ZIP = b"PK\x03\x04"
_LEGACY_TORCH = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."  # torch.serialization.MAGIC_NUMBER as a pickle of its own
_ENVELOPES = ("blobs", "model_state", "state_dict")  # Caffe2, PySlowFast, mmaction2: the weights lie inside
_LARGEST_MEMBER = 2 << 30  # bytes; the largest published .params has 0.25 GB


@dataclass(frozen=True, eq=False)
class Contents:
    """What a file holds: numbers by name, and by name what is not a number."""

    container: str
    arrays: dict[str, Array]
    texts: dict[str, str] = field(default_factory=dict[str, str])


def is_ours(path: Path) -> bool:
    """Whether the file begins as safetensors do: eight bytes of length, then a JSON object."""
    with path.open("rb") as file:
        return file.read(9)[8:] == b"{"


def read_container(path: Path) -> Contents:
    """Open somebody's checkpoint, running nothing of it. Envelopes such as `state_dict` are taken off the names.

    Raises:
        UnreadableCheckpoint: no container we know, a broken one, or one that wants to run code.
    """
    with path.open("rb") as file:
        start = file.read(16)
    if start.startswith(_ZIP):
        contents = _read_zip(path)
    elif start.startswith(_LEGACY_TORCH):
        contents = Contents("torch, legacy", *read_torch_file(path))
    elif start == mxnet.MAGIC:
        contents = Contents("MXNet .params", mxnet.read_params(path.read_bytes()))
    else:
        contents = Contents("pickle", read_arrays(path))
    inside = {_inside(name): array for name, array in contents.arrays.items()}
    return Contents(contents.container, inside, contents.texts)


def _inside(name: str) -> str:
    envelope, bar, inner = name.partition("|")
    return inner if bar and envelope in _ENVELOPES else name


def _read_zip(path: Path) -> Contents:
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            if any(Path(member.filename).name == "data.pkl" for member in members):
                if any(member.compress_type != zipfile.ZIP_STORED for member in members):  # torch never compresses
                    raise UnreadableCheckpoint(f"{path.name} is compressed; torch.save writes no such file")
                return Contents("torch, zip", *read_torch_file(path))
            files = [member for member in members if not member.is_dir()]
            if len(files) != 1 or files[0].file_size > _LARGEST_MEMBER:
                raise UnreadableCheckpoint(f"{path.name} is a zip, but neither of torch nor of one .params file")
            return Contents("MXNet .params in a zip", mxnet.read_params(archive.read(files[0])))
    except UnreadableCheckpoint:
        raise
    except Exception as error:  # a broken archive can raise anything
        raise UnreadableCheckpoint(f"{path.name} is a broken zip: {error}") from error
