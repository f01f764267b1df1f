"""Analyses on disk: one folder per clip, written aside and renamed into place when whole, checked by SHA-256.

    <root>/<clip id>/analysis/manifest.json        what is here, the checksums, the predictions
                              frames.jpg           the frames the network saw, as one sprite sheet
                              <block>.safetensors  theta, phi (float32, large ones float16), the log-sum-exp, the means
                                                   of rows and columns, what keys carry and the block adds

No torch: the web process answers questions from here. A folder is whole or absent; a file that does not match its
checksum is named, never read.
"""

from __future__ import annotations

import hashlib
import math
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from nonlocal_core import tensor_file
from nonlocal_core.affinity.field import AffinityField
from nonlocal_core.durable import sync
from nonlocal_core.errors import AnalysisNotFound, DamagedAnalysis, UnknownBlock
from nonlocal_core.geometry import Grid
from nonlocal_core.model.spec import Kind

if TYPE_CHECKING:
    from nonlocal_core.analysis import Analysis

MANIFEST, FRAMES = "manifest.json", "frames.jpg"
_KIND: TypeAdapter[Kind] = TypeAdapter(Kind)
_JPEG_QUALITY = 92  # a 32-frame sheet of 224 px is about 600 kB; block artefacts stay invisible at 2x


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class StoredGrid(_Frozen):
    """A `Grid` in JSON."""

    t: int
    h: int
    w: int


class StoredBlock(_Frozen):
    """One block, without its numbers."""

    name: str
    kind: Kind
    scale: float
    channels: int
    query_grid: StoredGrid
    key_grid: StoredGrid
    bytes: int


class StoredFrames(_Frozen):
    """The sprite sheet's geometry: frame i stands in column i % columns, row i // columns, `size_px` a side."""

    count: int
    size_px: int
    columns: int
    rows: int
    times_s: list[float]
    indices: list[int]


class StoredPrediction(_Frozen):
    """One class and its probability."""

    index: int
    label: str
    probability: float


class Manifest(_Frozen):
    """What is stored for one clip."""

    frames: StoredFrames
    blocks: list[StoredBlock]
    predictions: list[StoredPrediction]  # all classes, falling
    video: dict[str, Any]
    notes: list[str]
    provenance: dict[str, str]
    sha256: dict[str, str]  # of each other file of the folder


class AffinityStore:
    """Opens and writes files and computes nothing."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def folder(self, clip_id: str) -> Path:
        """Where the analysis of a clip is, or would be."""
        return self.root / clip_id / "analysis"

    def write(self, clip_id: str, analysis: Analysis, provenance: dict[str, str]) -> Manifest:
        """Store an analysis; an earlier one of the same clip is replaced. Nothing is visible until it is whole."""
        parent = self.root / clip_id
        aside = Path(tempfile.mkdtemp(prefix="analysis.partial-", dir=parent))
        try:
            aside.chmod(0o755)
            manifest = _write_files(aside, analysis, provenance)
            target = self.folder(clip_id)
            if target.exists():
                shutil.rmtree(target)
            aside.rename(target)
            sync(parent)
        except BaseException:
            shutil.rmtree(aside, ignore_errors=True)
            raise
        return manifest

    def manifest(self, clip_id: str) -> Manifest:
        """What is stored for a clip.

        Raises:
            AnalysisNotFound: nothing is.
            DamagedAnalysis: the manifest cannot be read.
        """
        try:
            return Manifest.model_validate_json((self.folder(clip_id) / MANIFEST).read_bytes())
        except FileNotFoundError:
            raise AnalysisNotFound(clip_id) from None
        except (ValidationError, UnicodeDecodeError):
            raise DamagedAnalysis(MANIFEST) from None

    def read_bytes(self, clip_id: str, name: str) -> bytes:
        """The content of `frames.jpg` or of `<block>.safetensors`.

        Raises:
            AnalysisNotFound: nothing is stored for the clip.
            UnknownBlock: the analysis has no such file.
            DamagedAnalysis: the content does not match its checksum.
        """
        manifest = self.manifest(clip_id)
        if name not in manifest.sha256:
            raise UnknownBlock(name.removesuffix(".safetensors"), tuple(block.name for block in manifest.blocks))
        try:
            content = (self.folder(clip_id) / name).read_bytes()
        except FileNotFoundError:
            raise DamagedAnalysis(name) from None
        if hashlib.sha256(content).hexdigest() != manifest.sha256[name]:
            raise DamagedAnalysis(name)
        return content

    def read(self, clip_id: str, block: str) -> AffinityField:
        """The affinities of one block of a clip.

        Raises:
            AnalysisNotFound, UnknownBlock, DamagedAnalysis: as `read_bytes`.
        """
        return field_from_bytes(self.read_bytes(clip_id, features_name(block)), block)


def features_name(block: str) -> str:
    """The file that holds a block's theta and phi."""
    return f"{block}.safetensors"


def field_to_bytes(field: AffinityField, block: str) -> bytes:
    """theta and phi as they are kept, what is known per cell; other choices in the header: safetensors."""
    arrays: tensor_file.Arrays = {"theta": field.theta, "phi": field.phi}
    if field.has_softmax:
        arrays["lse"] = field.log_sum_exp
    arrays["mean_row"], arrays["mean_column"] = field.means
    if field.carried is not None and field.added is not None:
        arrays |= {"carried": field.carried, "added": field.added}
    grids = {"query_grid": field.query_grid, "key_grid": field.key_grid, "groups": field.groups}
    header = {"block": block, "kind": field.kind, "scale": repr(field.scale)}
    return tensor_file.to_bytes(arrays, header | {name: f"{grid.t},{grid.h},{grid.w}" for name, grid in grids.items()})


def field_from_bytes(content: bytes, block: str) -> AffinityField:
    """The inverse of `field_to_bytes`; the arrays are views of `content`.

    Raises:
        DamagedAnalysis: the content is not such a file.
    """
    try:
        header, arrays = tensor_file.from_bytes(content)
        return AffinityField(
            kind=_KIND.validate_python(header["kind"]),
            scale=float(header["scale"]),
            query_grid=_grid_of(header["query_grid"]),
            key_grid=_grid_of(header["key_grid"]),
            theta=arrays["theta"],
            phi=arrays["phi"],
            given_log_sum_exp=arrays.get("lse"),
            groups=_grid_of(
                header.get("groups", "1,1,1")
            ),  # files of version 0.1.0 know neither groups nor what follows
            given_means=(arrays["mean_row"], arrays["mean_column"]) if "mean_row" in arrays else None,
            carried=arrays.get("carried"),
            added=arrays.get("added"),
        )
    except (KeyError, ValueError, TypeError) as error:
        raise DamagedAnalysis(features_name(block)) from error


def _grid_of(text: str) -> Grid:
    return Grid(*map(int, text.split(",")))


def sprite_sheet(rgb: NDArray[np.uint8]) -> Image.Image:
    """Frames [T, S, S, 3] side by side in rows of about sqrt(T): at most 4096 px a side for 224 px and 320 frames."""
    count, size = rgb.shape[:2]
    columns = math.ceil(math.sqrt(count))
    sheet = np.zeros((math.ceil(count / columns) * size, columns * size, 3), np.uint8)
    for i, frame in enumerate(rgb):
        row, column = divmod(i, columns)
        sheet[row * size : (row + 1) * size, column * size : (column + 1) * size] = frame
    return Image.fromarray(sheet)


def _write_files(folder: Path, analysis: Analysis, provenance: dict[str, str]) -> Manifest:
    sheet = sprite_sheet(analysis.clip.rgb)
    sheet.save(folder / FRAMES, quality=_JPEG_QUALITY, subsampling=0)  # 4:4:4: edges keep their colour
    checksums = {FRAMES: hashlib.sha256((folder / FRAMES).read_bytes()).hexdigest()}
    blocks: list[StoredBlock] = []
    for name, field in analysis.fields.items():
        content = field_to_bytes(field, name)
        (folder / features_name(name)).write_bytes(content)
        checksums[features_name(name)] = hashlib.sha256(content).hexdigest()
        blocks.append(_stored_block(name, field, len(content)))
    manifest = Manifest(
        frames=_stored_frames(analysis, sheet),
        blocks=blocks,
        predictions=_stored_predictions(analysis),
        video=vars(analysis.info),
        notes=list(analysis.notes),
        provenance=provenance,
        sha256=checksums,
    )
    (folder / MANIFEST).write_text(manifest.model_dump_json(), encoding="utf-8")
    for file in folder.iterdir():
        sync(file)
    sync(folder)
    return manifest


def _stored_block(name: str, field: AffinityField, size: int) -> StoredBlock:
    query, key = field.query_grid, field.key_grid
    return StoredBlock(
        name=name,
        kind=field.kind,
        scale=field.scale,
        channels=field.theta.shape[1],
        query_grid=StoredGrid(t=query.t, h=query.h, w=query.w),
        key_grid=StoredGrid(t=key.t, h=key.h, w=key.w),
        bytes=size,
    )


def _stored_frames(analysis: Analysis, sheet: Image.Image) -> StoredFrames:
    clip = analysis.clip
    size = clip.rgb.shape[1]
    return StoredFrames(
        count=len(clip.rgb),
        size_px=size,
        columns=sheet.width // size,
        rows=sheet.height // size,
        times_s=clip.times_s.tolist(),
        indices=clip.indices.tolist(),
    )


def _stored_predictions(analysis: Analysis) -> list[StoredPrediction]:
    scores = analysis.scores
    order: list[int] = np.argsort(-scores, kind="stable").tolist()
    return [StoredPrediction(index=i, label=analysis.labels[i], probability=float(scores[i])) for i in order]
