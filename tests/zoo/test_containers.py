"""Containers are known by their first bytes, broken ones are errors that say so, and no file can run anything."""

from __future__ import annotations

import io
import pickle
import re
import zipfile
from collections import OrderedDict

import numpy as np
import pytest
import torch

import nonlocal_core as nl
from nonlocal_core.errors import UnreadableCheckpoint
from nonlocal_core.zoo.containers import read_container
from nonlocal_core.zoo.mxnet import read_params
from scripts.oracle_table import write_params

# As Python 2's cPickle wrote: {'blobs': {'model_iter': 7, 'lr': array(0.5), 'conv1_w': array([[1, -2.5]])}}, float32
PYTHON_2 = (
    b"\x80\x02}q\x00U\x05blobsq\x01}q\x02(U\nmodel_iterq\x03K\x07U\x02lrq\x04cnumpy.core.multiarray\n_reconstru"
    b"ct\nq\x05cnumpy\nndarray\nq\x06K\x00\x85q\x07U\x01bq\x08\x87q\tRq\n(K\x01)cnumpy\ndtype\nq\x0bU\x02f4q"
    b"\x0cK\x00K\x01\x87q\rRq\x0e(K\x03U\x01<q\x0fNNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tq\x10b\x89U\x04"
    b"\x00\x00\x00?q\x11tq\x12bU\x07conv1_wq\x13h\x05h\x06K\x00\x85q\x14U\x01bq\x15\x87q\x16Rq\x17(K\x01K\x01K"
    b"\x02\x86q\x18h\x0bU\x02f4q\x19K\x00K\x01\x87q\x1aRq\x1b(K\x03U\x01<q\x1cNNNJ\xff\xff\xff\xffJ\xff\xff\xff"
    b"\xffK\x00tq\x1db\x89U\x08\x00\x00\x80?\x00\x00 \xc0q\x1etq\x1fbus."
)
ARRAY = np.arange(6, dtype=np.float32).reshape(2, 3)


class Malicious:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


def torch_bytes(value, *, legacy=False) -> bytes:
    file = io.BytesIO()
    torch.save(value, file, _use_new_zipfile_serialization=not legacy)
    return file.getvalue()


def params_bytes(tmp_path, **arrays) -> bytes:
    write_params(tmp_path / "written", arrays)
    return (tmp_path / "written").read_bytes()


def zipped(name: str, content: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return file.getvalue()


def read(tmp_path, content: bytes):
    (tmp_path / "file").write_bytes(content)  # no extension: nothing to guess by
    return read_container(tmp_path / "file")


def test_a_python_2_pickle_of_blobs_is_read(tmp_path):
    arrays = read(tmp_path, PYTHON_2).arrays

    assert {name: array.tolist() for name, array in arrays.items()} == {
        "model_iter": 7,
        "lr": 0.5,
        "conv1_w": [[1, -2.5]],
    }


def test_a_flat_pickle_with_pythons_own_numbers_is_read(tmp_path):
    arrays = read(tmp_path, pickle.dumps({"conv1_w": ARRAY, "lr": 0.01}, 4)).arrays

    assert {*arrays} == {"conv1_w", "lr"}


@pytest.mark.parametrize("legacy", [True, False])
@pytest.mark.parametrize("envelope", ["state_dict", "model_state", None])
def test_a_torch_file_is_read_without_its_envelope(tmp_path, legacy, envelope):
    tensors = OrderedDict({"conv.weight": torch.from_numpy(ARRAY)})
    tree = {envelope: tensors, "cfg": "ARCH: i3d", "epoch": 3, "optimizer": {"groups": [{"lr": 0.1}]}}

    contents = read(tmp_path, torch_bytes(tree if envelope else tensors, legacy=legacy))

    assert contents.arrays["conv.weight"].tolist() == ARRAY.tolist()
    if envelope:
        assert contents.texts == {"cfg": "ARCH: i3d"}
        assert {*contents.arrays} == {"conv.weight", "epoch", "optimizer|groups|0|lr"}


def test_an_mxnet_file_is_read_plain_and_zipped(tmp_path):
    content = params_bytes(tmp_path, **{"fc.weight": ARRAY, "bn.gamma": ARRAY[0]})

    for packed in (content, zipped("i3d.params", content)):
        arrays = read(tmp_path, packed).arrays
        assert {name: array.tolist() for name, array in arrays.items()} == {
            "fc.weight": ARRAY.tolist(),
            "bn.gamma": ARRAY[0].tolist(),
        }


@pytest.mark.parametrize("protocol", [0, 2, 5])
def test_a_malicious_plain_pickle_runs_nothing(tmp_path, protocol):
    with pytest.raises(UnreadableCheckpoint, match=r"asks for .*open.*nothing was run"):
        read(tmp_path, pickle.dumps({"blobs": {"conv1_w": Malicious(tmp_path / "ran")}}, protocol))

    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("legacy", [True, False])
def test_a_malicious_torch_file_runs_nothing(tmp_path, legacy):
    with pytest.raises(UnreadableCheckpoint, match="nothing was run"):
        read(tmp_path, torch_bytes({"state_dict": {}, "meta": Malicious(tmp_path / "ran")}, legacy=legacy))

    assert not (tmp_path / "ran").exists()


def test_a_malicious_pickle_inside_a_hand_made_torch_zip_runs_nothing(tmp_path):
    evil = pickle.dumps(Malicious(tmp_path / "ran"), 2)
    honest = torch_bytes({"a": torch.zeros(1)})
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(honest)) as old, zipfile.ZipFile(file, "w") as new:
        for name in old.namelist():
            new.writestr(name, evil if name.endswith("data.pkl") else old.read(name))

    with pytest.raises(UnreadableCheckpoint, match="nothing was run"):
        read(tmp_path, file.getvalue())

    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("name", ["i3d.params", "i3d.pkl"])
def test_a_malicious_pickle_where_an_mxnet_file_should_be_runs_nothing(tmp_path, name):
    with pytest.raises(UnreadableCheckpoint, match="magic number"):
        read(tmp_path, zipped(name, pickle.dumps(Malicious(tmp_path / "ran"))))

    assert not (tmp_path / "ran").exists()


def test_a_malicious_pickle_behind_a_safetensors_header_runs_nothing(tmp_path):
    evil = pickle.dumps(Malicious(tmp_path / "ran"))
    (tmp_path / "evil.safetensors").write_bytes((2).to_bytes(8, "little") + b"{}" + evil)

    with pytest.raises(UnreadableCheckpoint):
        nl.load_model(tmp_path / "evil.safetensors")

    assert not (tmp_path / "ran").exists()


def holding_itself() -> dict:
    tree: dict = {}
    tree["again"] = tree
    return tree


@pytest.mark.parametrize("write", [pickle.dumps, torch_bytes])
def test_a_file_that_holds_itself_is_refused(tmp_path, write):
    with pytest.raises(UnreadableCheckpoint, match="again"):
        read(tmp_path, write(holding_itself()))


def test_lists_that_multiply_are_refused(tmp_path):
    tree: list = [0] * 100
    for _ in range(5):
        tree = [tree] * 100

    with pytest.raises(UnreadableCheckpoint, match="more than 200000 values"):
        read(tmp_path, torch_bytes({"state_dict": tree}))


@pytest.mark.parametrize("part", [0.1, 0.5, 0.95])
@pytest.mark.parametrize("container", ["zip", "legacy", "params", "params in a zip", "pickle"])
def test_a_file_that_broke_off_is_refused(tmp_path, container, part):
    params = params_bytes(tmp_path, w=np.zeros(500, np.float32))
    content = {
        "zip": torch_bytes({"w": torch.zeros(500)}),
        "legacy": torch_bytes({"w": torch.zeros(500)}, legacy=True),
        "params": params,
        "params in a zip": zipped("x.params", params),
        "pickle": pickle.dumps({"w": np.zeros(500)}),
    }[container]

    with pytest.raises(UnreadableCheckpoint):
        read(tmp_path, content[: int(len(content) * part)])


@pytest.mark.parametrize("content", [b"", b"GIF89a", b"PK\x03\x04", bytes(64), b"\x80\x02."])
def test_what_is_no_checkpoint_is_refused(tmp_path, content):
    with pytest.raises(UnreadableCheckpoint):
        read(tmp_path, content)


def test_a_compressed_torch_file_is_refused_before_it_unpacks(tmp_path):
    with pytest.raises(UnreadableCheckpoint, match="is compressed"):
        read(tmp_path, zipped("archive/data.pkl", bytes(100_000)))


def test_a_zip_of_several_files_is_refused(tmp_path):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a.params", b"")
        archive.writestr("b.params", b"")

    with pytest.raises(UnreadableCheckpoint, match=r"neither of torch nor of one \.params file"):
        read(tmp_path, file.getvalue())


def at(content: bytes, offset: int, value: int, size: int) -> bytes:
    return content[:offset] + value.to_bytes(size, "little", signed=True) + content[offset + size :]


# After the 16 bytes of magic: count (8), version (4), storage (4), dimensions (4), shape (8 each), device (8), type (4)
@pytest.mark.parametrize(
    ("offset", "value", "size", "complaint"),
    [
        (16, 1 << 60, 8, "breaks off|of 0 dimensions|of type|dimensions"),
        (16, -1, 8, "announces -1 entries"),
        (28, 1, 4, "stored as type 1|storage type 1"),
        (32, 99, 4, "99 dimensions"),
        (32, 0, 4, "0 dimensions"),
        (36, -2, 8, re.escape("shape [-2, 3]")),
        (36, 1 << 62, 8, "breaks off"),
        (60, 12, 4, "numbers of type 12"),
    ],
)
def test_an_mxnet_file_that_lies_is_refused(tmp_path, offset, value, size, complaint):
    content = params_bytes(tmp_path, w=ARRAY)

    with pytest.raises(UnreadableCheckpoint, match=complaint):
        read_params(at(content, offset, value, size))


def test_two_arrays_of_one_name_are_refused(tmp_path):
    content = params_bytes(tmp_path, a=ARRAY, b=ARRAY)

    with pytest.raises(UnreadableCheckpoint, match="2 arrays, but 1 names"):
        read_params(content[:-1] + b"a")


def test_older_mxnet_arrays_without_a_version_are_read(tmp_path):
    content = params_bytes(tmp_path, w=ARRAY)
    dimensions, shape = (2).to_bytes(4, "little"), b"".join(n.to_bytes(4, "little") for n in (2, 3))

    assert read_params(content[:24] + dimensions + shape + content[52:])["w"].tolist() == ARRAY.tolist()
