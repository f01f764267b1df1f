"""A pickle is a program; ours cannot be made to run one."""

import pickle
from collections import OrderedDict

import numpy as np
import pytest

from nonlocal_core.errors import UnreadableCheckpoint
from nonlocal_core.zoo.unpickle import read_arrays


class Malicious:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


def test_arrays_come_out_under_their_path(tmp_path):
    array = np.arange(6, dtype=np.float32).reshape(2, 3)
    (tmp_path / "a.pkl").write_bytes(pickle.dumps({"params": {"conv": {"kernel": array}}}))

    assert read_arrays(tmp_path / "a.pkl")["params|conv|kernel"].tolist() == array.tolist()


@pytest.mark.parametrize("protocol", [0, 2, 5])
def test_a_malicious_pickle_is_refused_and_nothing_runs(tmp_path, protocol):
    (tmp_path / "evil.pkl").write_bytes(pickle.dumps({"w": Malicious(tmp_path / "ran")}, protocol))

    with pytest.raises(UnreadableCheckpoint, match=r"asks for .*open; only NumPy arrays are read"):
        read_arrays(tmp_path / "evil.pkl")

    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("content", [b"", b"no pickle", pickle.dumps({"a": np.zeros(3)})[:-20]])
def test_a_broken_pickle_is_an_error_that_says_so(tmp_path, content):
    (tmp_path / "broken.pkl").write_bytes(content)

    with pytest.raises(UnreadableCheckpoint, match="not a readable pickle"):
        read_arrays(tmp_path / "broken.pkl")


@pytest.mark.parametrize("tree", [{"a": "text"}, {"a": [1, 2]}, {"a": np.array([object()])}, OrderedDict(a=1)])
def test_anything_but_numbers_is_refused(tmp_path, tree):
    (tmp_path / "odd.pkl").write_bytes(pickle.dumps(tree))

    with pytest.raises(UnreadableCheckpoint):
        read_arrays(tmp_path / "odd.pkl")
