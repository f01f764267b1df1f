"""What a figure is made of: a clip and its blocks as the page knows them, the frames, the features, the weights."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from PIL import Image

from nonlocal_core.affinity.store import FRAMES, AffinityStore, Manifest, features_name
from nonlocal_core.model.spec import SOFTMAX_KINDS
from nonlocal_core.zoo.checkpoint import file_sha256

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from nonlocal_core.zoo.cards import ModelCard


@dataclass(frozen=True, eq=False)
class Subject:
    """A clip that can be drawn.

    Args:
        clip: id (or None), filename, sha256 (or None), start_s, model and frames, as GET /clips/{id} tells them.
        blocks: as GET /clips/{id}/blocks tells them.
        weights: SHA-256 of the model's files by their names; empty when they are not here.
        features: the features file of a block.
        sheet: the sprite sheet, a JPEG.
    """

    clip: dict[str, Any]
    blocks: list[dict[str, Any]]
    weights: dict[str, str]
    features: Callable[[str], bytes]
    sheet: Callable[[], bytes]

    def pictures(self, frames: Iterable[int]) -> Iterator[Image.Image]:
        """The pictures of some frames, cut out of the sheet."""
        size, columns = self.clip["frames"]["size_px"], self.clip["frames"]["columns"]
        with Image.open(io.BytesIO(self.sheet())) as sheet:
            for frame in frames:
                yield sheet.crop(_box(frame, size, columns))

    def picture_urls(self, frames: Iterable[int]) -> dict[int, str]:
        """The same as data URLs by frame: PNG, so that nothing is lost beyond the sheet's JPEG."""
        shown = tuple(frames)
        return dict(zip(shown, map(_data_url, self.pictures(shown)), strict=True))


def stored_subject(store: AffinityStore, clip_id: str, cards: Mapping[str, ModelCard]) -> Subject:
    """A clip of the store, with the weights of its model if that is among `cards`.

    Raises:
        AnalysisNotFound, DamagedAnalysis: as `AffinityStore.manifest`; later as its `read_bytes`.
    """
    manifest = store.manifest(clip_id)
    told = manifest.provenance
    card = cards.get(told.get("model", ""))
    about: dict[str, Any] = {"id": None, "filename": "video", "sha256": None, "model": "unknown", **told}
    return Subject(
        clip=about | {"start_s": float(told.get("start_s", 0)), "frames": manifest.frames.model_dump()},
        blocks=_blocks(manifest),
        weights=weights_of(card) if card else {},
        features=lambda block: store.read_bytes(clip_id, features_name(block)),
        sheet=lambda: store.read_bytes(clip_id, FRAMES),
    )


def weights_of(card: ModelCard) -> dict[str, str]:
    """SHA-256 of the files of a model, as they are now."""
    files = [card.weights, *([card.block_weights] if card.block_weights else [])]
    return {file.name: file_sha256(file) for file in files if file.exists()}


def _blocks(manifest: Manifest) -> list[dict[str, Any]]:
    return [block.model_dump() | {"softmax": block.kind in SOFTMAX_KINDS} for block in manifest.blocks]


def _box(frame: int, size: int, columns: int) -> tuple[int, int, int, int]:
    left, top = frame % columns * size, frame // columns * size
    return left, top, left + size, top + size


def _data_url(picture: Image.Image) -> str:
    file = io.BytesIO()
    picture.save(file, "png")
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"
