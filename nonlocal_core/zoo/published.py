"""Every non-local video checkpoint that the field has published, as its authors list it. No torch.

The list is the table `published.txt`, one line each; here is what its words stand for. Accuracies are the authors'
own. Weights that are here have a `ModelCard` (cards.py); these are what `models fetch` (fetch.py) can get. Nothing here
says how a network computes: the converter of each source knows that.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from nonlocal_core.model.spec import Kind


class PublishedCard(BaseModel):
    """A checkpoint that somebody published. Its spec is known once it is converted."""

    model_config = ConfigDict(frozen=True)

    name: str
    title: str
    project: str
    page: str = Field(description="where the authors describe it")
    url: str | None = Field(description="null when its authors offer no download: bring the file with --from")
    file: str = Field(description="the file's own name")
    kind: Kind | None = Field(description="the pairwise function; null for a network without non-local blocks")
    blocks: int
    frames: int
    stride: int
    claimed_top1: float | None = Field(description="percent on Kinetics-400, as the authors report it")
    claimed_top5: float | None
    licence: str
    digest: str | None = Field(description="algorithm:hex, or the start of the hex, where the source names one")
    opens: bool = Field(description="whether a converter for it exists here")
    differs: tuple[str, ...] = Field(description="what differs from the paper")


class _Project(NamedTuple):
    title: str
    page: str
    url: str  # with {file}, {stem} and {folder}; empty without a download
    licence: str
    differs: str  # of all its checkpoints: keys of DIFFERS


_FB = "https://dl.fbaipublicfiles.com"
_MXNET = "https://apache-mxnet.s3-accelerate.dualstack.amazonaws.com"
_MM = "https://download.openmmlab.com/mmaction/v1.0"

PROJECTS = {
    "vnl": _Project(
        "video-nonlocal-net (the paper's authors, Caffe2)", "https://github.com/facebookresearch/video-nonlocal-net",
        f"{_FB}/video-nonlocal/{{file}}", "CC BY-NC 4.0", "scale pool-first res2",
    ),
    "tusharn": _Project(
        "Tushar-N/pytorch-resnet3d", "https://github.com/Tushar-N/pytorch-resnet3d",
        "", "see source (converted from video-nonlocal-net, CC BY-NC 4.0)", "scale pool-first res2 own-test",
    ),
    "psf": _Project(
        "PySlowFast", "https://github.com/facebookresearch/SlowFast/blob/main/MODEL_ZOO.md",
        f"{_FB}/pyslowfast/model_zoo/kinetics400/{{file}}", "see source (its code: Apache-2.0)", "scale pool-first",
    ),
    "ptv": _Project(
        "PyTorchVideo", "https://github.com/facebookresearch/pytorchvideo",
        f"{_FB}/pytorchvideo/model_zoo/kinetics/{{file}}", "see source (its code: Apache-2.0)", "",
    ),
    "mm": _Project(
        "MMAction2 1.0", "https://github.com/open-mmlab/mmaction2",
        f"{_MM}/{{folder}}/{{stem}}/{{file}}", "see source (its code: Apache-2.0)", "",
    ),
    "gluon": _Project(
        "GluonCV (PyTorch)", "https://cv.gluon.ai/model_zoo/action_recognition.html",
        f"{_MXNET}/torch/models/{{file}}", "see source (its code: Apache-2.0)", "scale every-key",
    ),
    "gluonmx": _Project(
        "GluonCV (MXNet)", "https://cv.gluon.ai/model_zoo/action_recognition.html",
        f"{_MXNET}/gluon/models/{{file}}", "see source (its code: Apache-2.0)", "scale every-key",
    ),
    "gluononnx": _Project(
        "GluonCV (ONNX export)", "https://cv.gluon.ai/model_zoo/action_recognition.html",
        "https://apache-mxnet.s3-us-west-2.amazonaws.com/onnx/models/{file}", "see source (its code: Apache-2.0)",
        "scale every-key",
    ),
}  # fmt: skip

DIFFERS = {
    "scale": "theta . phi is divided by the square root of its width before the softmax; the paper has no such factor.",
    "pool-first": "Keys and values are max-pooled before phi and g; the paper's text adds the pooling after them.",
    "every-key": "No sub-sampling: every cell is a key, four times as many as in the paper.",
    "res2": "The first pool is not padded, so res2 has 55x55 cells; the paper's Table 1 says 56x56.",
    "sparse": "Frames are taken four times as sparsely, and the first layer and pool keep the time axis instead.",
    "affine": "Batch norm is frozen to a fixed affine map, and a block in res3 relates only groups of four frames.",
    "frozen": "Batch norm is frozen to a fixed affine map.",
    "no-time": "C2D: no convolution reaches over time, only pools (and blocks) do.",
    "no-pool": "C2D without any pooling over time.",
    "drop": "The first pool takes every other frame (kernel 1, stride 2 in time); in the paper it pools over three.",
    "short": "Trained for 300,000 iterations; the paper trained for 400,000.",
    "4gpu": "Trained on 4 GPUs with a part of the videos missing.",
    "own-test": "The accuracy is the converter's own, on the 18,434 validation videos that he still found.",
    "ten": "Ten blocks, after every residual block of res3 and res4.",
    "ten-101": "Ten blocks: after each residual block of res3 and six of res4.",
    "dense": "Trained on densely sampled clips.",
    "heavy": "A heavier variant of I3D, which no converter here knows.",
    "slowonly": "Another backbone (SlowOnly): listed for completeness.",
    "tsm": "Another backbone (TSM, 2D with shifted channels): listed for completeness.",
    "ava": "A detector trained on AVA 2.1; its accuracy is no Kinetics top-1.",
    "same-digest": "The authors give this file and its twin without blocks the same digest: one of them is wrong.",
    "onnx": "An export for inference only, of the PyTorch checkpoint of the same name.",
    "own-names": "Its tensors have names that no converter here knows.",
}

KIND_WORDS: dict[Kind, str] = {
    "gaussian": "Gaussian",
    "embedded_gaussian": "embedded Gaussian",
    "dot_product": "dot product",
    "concatenation": "concatenation",
}
_OF_BLOCKS = {"scale", "pool-first", "every-key"}  # said of non-local blocks, so not of networks without any
_CLOSED = {"slowonly", "tsm", "ava", "onnx", "own-names", "heavy"}  # no converter
_MM_FOLDERS = {"ava": "detection/slowonly", "slowonly": "recognition/slowonly", "tsm": "recognition/tsm"}


def _rows(table: Path) -> Iterator[dict[str, str]]:
    head, *lines = table.read_text(encoding="utf-8").splitlines()
    for line in lines:
        yield dict(zip(head.split(), line.split(), strict=True))


def _card(row: dict[str, str]) -> PublishedCard:
    project, differs = PROJECTS[row["project"]], row["differs"].split(",")
    frames, stride = map(int, row["clip"].split("x"))
    network = row["network"].replace("-", " ")
    kind: Kind | None = next((kind for kind in KIND_WORDS if kind == row["kind"]), None)
    blocks = f"{row['blocks']} blocks, {KIND_WORDS[kind]}" if kind else "no non-local block"
    folder = next((folder for key, folder in _MM_FOLDERS.items() if key in differs), "recognition/i3d")
    shared = [key for key in project.differs.split() if kind or key not in _OF_BLOCKS]
    return PublishedCard(
        name=row["name"],
        title=f"{network}, {blocks}",
        project=project.title,
        page=project.page,
        url=project.url.format(file=row["file"], stem=row["file"].rpartition("_")[0], folder=folder) or None,
        file=row["file"],
        kind=kind,
        blocks=int(row["blocks"]),
        frames=frames,
        stride=stride,
        claimed_top1=None if row["top1"] == "-" else float(row["top1"]),
        claimed_top5=None if row["top5"] == "-" else float(row["top5"]),
        licence=project.licence,
        digest=None if row["digest"] == "-" else row["digest"],
        opens=not _CLOSED & set(differs),
        differs=tuple(DIFFERS[key] for key in (*differs, *shared) if key != "-"),
    )


PUBLISHED = {card.name: card for card in map(_card, _rows(Path(__file__).with_name("published.txt")))}
