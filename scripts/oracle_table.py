"""Print how close converted checkpoints come to their authors' own numbers: `python scripts/oracle_table.py`.

Each oracle of the team's desk (../shared/oracles) is regenerated in each container that its project publishes,
converted, and run on the recorded inputs. A row of the table is one run; differences are absolute, in float32 on the
CPU: of the logits, and per block of the affinity that the network computes (`Affinity.matrix`) and of the rows that
people are answered with (`AffinityField.row`), where the two differ.

Blocks without a factor before a softmax, or with a ReLU on large numbers, amplify rounding: there the authors' own
float32 numbers are further than the bound from the same network in float64, and only their very kernels, on their kind
of processor with as many threads, give their bits. Such blocks are marked with that distance; their rows, and all of
them on another processor, may differ from the authors by `ROUNDING` times as much.
"""

from __future__ import annotations

import importlib.util
import json
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch

import nonlocal_core as nl
from nonlocal_core.affinity.capture import field_of, recorded_affinities
from nonlocal_core.geometry import cell_of
from nonlocal_core.model.build import Model
from nonlocal_core.model.pairwise import Affinity
from nonlocal_core.zoo.mxnet import MAGIC

Rows = tuple[int, Callable[[int], np.ndarray]]  # how many queries there are, and the row of one

ORACLES = Path(__file__).parents[2] / "shared" / "oracles"
LOGITS, AFFINITY = 1e-4, 1e-5  # the largest differences that pass
ROUNDING = 10

# Files are named as they are published where the name tells what the tensors do not, and else say nothing.
NAMES = {
    ("slowfast_i3d_nln_8x8_r50", "caffe2_pkl"): "I3D_NLN_8x8_R50.pkl",
    ("slowfast_i3d_nln_8x8_r50_dot", "caffe2_pkl"): "I3D_NLN_8x8_R50_dot_product.pkl",  # not published; invented
    ("slowfast_i3d_nln_8x8_r50_dot", "pyslowfast_pyth"): "I3D_NLN_8x8_R50_dot_product.pyth",  # its cfg is a dummy
    ("tusharn_i3d_r50_nl", "caffe2_pkl"): "i3d_nonlocal_32x2_IN_pretrain_400k.pkl",
    ("vnl_i3d_nonlocal_8x8", "caffe2_pkl"): "i3d_nonlocal_8x8_IN_pretrain_400k.pkl",
    ("vnl_i3d_nonlocal_affine_32x4", "caffe2_pkl"): "i3d_nonlocal_32x4_I3D_pretrain_400k.pkl",
}


@dataclass(frozen=True)
class Difference:
    """One run of one converted checkpoint: the largest differences, of the logits and per block of the affinity."""

    oracle: str
    container: str
    run: str
    logits: float
    affinity: dict[str, float]  # as the network computes it
    answered: dict[str, float]  # as its rows are answered
    own_rounding: dict[str, float]  # of the blocks beyond AFFINITY: from the authors' numbers to float64

    @property
    def passes(self) -> bool:
        bounds = {name: max(AFFINITY, ROUNDING * self.own_rounding.get(name, 0.0)) for name in self.affinity}
        pairs = [*self.affinity.items(), *self.answered.items()]
        return self.logits <= LOGITS and all(value <= bounds[name] for name, value in pairs)

    def block_text(self, name: str) -> str:
        """What the table says of a block."""
        computed, answered, own = self.affinity[name], self.answered[name], self.own_rounding.get(name)
        marks = [f"rows {answered:.1e}"] if answered > AFFINITY >= computed else []
        marks += [f"authors' rounding {own:.1e}"] if own is not None else []
        return f"{name} {computed:.1e}" + (f" ({', '.join(marks)})" if marks else "")


def load_library() -> ModuleType:
    """oraclelib.py, which lies beside the oracles."""
    spec = importlib.util.spec_from_file_location("oraclelib", ORACLES / "oraclelib.py")
    assert spec is not None
    assert spec.loader is not None
    library = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(library)
    return library


def containers() -> list[tuple[str, str]]:
    """Every oracle with each container that it is published in; gluoncv publishes MXNet files too."""
    pairs: list[tuple[str, str]] = []
    for path in sorted(ORACLES.glob("*/spec.json")):
        names = json.loads(path.read_text(encoding="utf-8"))["containers"]
        pairs += [(path.parent.name, name) for name in names]
        if path.parent.name.startswith("gluoncv"):
            pairs.append((path.parent.name, "mxnet_params"))
    return pairs


def regenerate(oracle: str, container: str, folder: Path) -> Path:
    """The oracle's checkpoint, written into `folder`."""
    library, spec = load_library(), json.loads((ORACLES / oracle / "spec.json").read_text(encoding="utf-8"))
    path = folder / NAMES.get((oracle, container), "checkpoint")
    if container == "mxnet_params":
        write_params(path, as_gluon(library.gen_state(spec)))
    else:
        library.write_checkpoint(spec, str(path), container)
    return path


def compare(oracle: str, container: str, model: Model) -> Iterator[Difference]:
    """Run a loaded checkpoint on the oracle's inputs."""
    spec = json.loads((ORACLES / oracle / "spec.json").read_text(encoding="utf-8"))
    for run in runs(oracle, container):
        expected = dict(np.load(ORACLES / oracle / f"{run}.npz"))
        batch = torch.from_numpy(expected["input"] if "input" in expected else generated_input(spec, run))
        with torch.inference_mode(), recorded_affinities(model) as found:
            logits = model(batch)
        theirs = dict(zip(found, spec["nl_blocks"], strict=True))
        affinity, answered = (
            {ours: affinity_difference(rows(found[ours]), expected, theirs[ours]) for ours in found}
            for rows in (matrix_rows, field_rows)
        )
        far_off = [ours for ours in found if max(affinity[ours], answered[ours]) > AFFINITY]
        own_rounding: dict[str, float] = {}
        if far_off:
            with torch.inference_mode(), recorded_affinities(model.double()) as exact:
                model(batch.double())
            model.float()
            own_rounding = {
                ours: affinity_difference(matrix_rows(exact[ours]), expected, theirs[ours]) for ours in far_off
            }
        far = float(np.abs(logits.numpy() - expected["output"]).max())
        yield Difference(oracle, container, run, far, affinity, answered, own_rounding)


def runs(oracle: str, container: str) -> list[str]:
    """The recorded runs. A 256 px crop through the fully convolutional head of the Caffe2 release is another number."""
    recorded = [path.stem for path in sorted((ORACLES / oracle).glob("*.npz"), reverse=True)]
    return [run for run in recorded if run != "crop256" or container == "plain_pth"]


def generated_input(spec: dict[str, Any], run: str) -> np.ndarray:
    """The input of a run that is too large to be recorded; its hash is."""
    library, how, norm = load_library(), spec["runs"][run], spec["normalisation"]
    clip = library.gen_clip(how["T"], how["H"], how["W"], how["clip_seed"])
    batch = library.normalise(clip, norm["mean"], norm["std"], norm["scale01"])
    assert library.sha(batch) == how["input_sha"]
    return batch


def affinity_difference(rows: Rows, recorded: dict[str, np.ndarray], block: str) -> float:
    """The largest difference of our rows from what was recorded of a block.

    Recorded are [groups, queries of a group, keys of a group], of all queries or of those that `rows:` lists.
    """
    count, row = rows
    expected = recorded[f"aff:{block}"]
    groups, _, keys = expected.shape
    queries = recorded.get(f"rows:{block}", np.arange(count // groups))
    largest = 0.0
    for group in range(groups):
        for query, weights in zip(queries.tolist(), expected[group], strict=True):
            wanted = np.zeros(groups * keys, weights.dtype)  # nothing outside the group
            wanted[group * keys : (group + 1) * keys] = weights
            largest = max(largest, float(np.abs(row(group * count // groups + query) - wanted).max()))
    return largest


def field_rows(affinity: Affinity) -> Rows:
    """What users are answered with."""
    field = field_of(affinity)
    return field.query_grid.cells, lambda query: field.row(cell_of(field.query_grid, query))


def matrix_rows(affinity: Affinity) -> Rows:
    """The formula written out, in the precision of the network."""
    matrix = affinity.matrix()[0].numpy()
    return len(matrix), matrix.__getitem__


def as_gluon(state: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """gluoncv's torch tensors under the names of its MXNet twin, every bottleneck's layers twice as there."""
    children = {"conv1": 0, "bn1": 1, "conv2": 3, "bn2": 4, "conv3": 6, "bn3": 7, "nonlocal_block": 8}
    out: dict[str, np.ndarray] = {}
    norms = {key.removesuffix(".running_mean") for key in state if key.endswith(".running_mean")}
    for key, array in state.items():
        owner, _, leaf = key.rpartition(".")
        if leaf == "num_batches_tracked":
            continue
        leaf = {"weight": "gamma", "bias": "beta"}.get(leaf, leaf) if owner in norms else leaf
        out[f"{owner}.{leaf}"] = array
        parts = f"{owner}.{leaf}".split(".")
        if parts[0] == "res_layers" and parts[3] in children:
            out[".".join([*parts[:3], "bottleneck", str(children[parts[3]]), *parts[4:]])] = array
    return out


def write_params(path: Path, arrays: dict[str, np.ndarray]) -> None:
    """MXNet's NDArray::Save, version 2, float32."""

    def numbers(*values: int, size: int) -> bytes:
        return b"".join(value.to_bytes(size, "little") for value in values)

    with path.open("wb") as file:
        file.write(MAGIC + numbers(len(arrays), size=8))
        for array in arrays.values():
            file.write(numbers(0xF993FAC9, 0, array.ndim, size=4) + numbers(*array.shape, size=8))
            file.write(numbers(1, 0, 0, size=4) + np.ascontiguousarray(array, "<f4").tobytes())  # on cpu(0), float32
        file.write(numbers(len(arrays), size=8))
        for name in arrays:
            file.write(numbers(len(name), size=8) + name.encode())


def main() -> int:
    """Print the table; status 1 when a difference is too large."""
    print(f"{'oracle':40} {'container':16} {'run':6} {'logits':>8}  affinity per block")
    good = True
    for oracle, container in containers():
        with tempfile.TemporaryDirectory() as folder:
            model = nl.load_model(regenerate(oracle, container, Path(folder)))
            for row in compare(oracle, container, model):
                blocks = "  ".join(map(row.block_text, row.affinity))
                verdict = "" if row.passes else "  TOO FAR"
                print(f"{oracle:40} {container:16} {row.run:6} {row.logits:8.1e}  {blocks}{verdict}", flush=True)
                good &= row.passes
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
