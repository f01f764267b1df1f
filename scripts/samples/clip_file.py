"""Clips on disk: NAME.mp4 (H.264) with NAME.json, the truth, beside it."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import av
import numpy as np

from samples.compose import RATE_HZ, Recipe, Truth
from samples.sources import SOURCES
from samples.sprites import SPRITES

CROP_PX = 224  # what the networks see: the centre square of a video whose shorter side is 256
# The same frames must give the same bytes: x264's AVX-512 routines break that (seen with PyAV 18.1), so none are used.
X264 = {"crf": "20", "preset": "slow", "x264-params": "asm=0"}


def write_video(path: Path, frames: np.ndarray) -> None:
    """Write `frames`, uint8 [T, H, W, 3], as H.264 in MP4."""
    with av.open(path, "w", options={"fflags": "+bitexact", "movflags": "+faststart"}) as container:
        stream = container.add_stream("libx264", rate=RATE_HZ, options=X264)
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = "yuv420p"
        stream.codec_context.thread_count = 1
        for rgb in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(rgb, format="rgb24")))
        container.mux(stream.encode(None))


def read_video(path: Path) -> np.ndarray:
    """All frames of the video, uint8 [T, H, W, 3]."""
    with av.open(path) as container:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])


def psnr_db(a: np.ndarray, b: np.ndarray) -> float:
    """Peak signal-to-noise ratio of two uint8 arrays of one shape, in decibels."""
    return float(10 * np.log10(255**2 / max(np.mean((a.astype(np.float32) - b) ** 2), 1e-9)))


def provenance(recipe: Recipe) -> list[dict[str, str]]:
    """The photographs in the clip, each with author, licence and source."""
    names = {name for layer in recipe.layers for name in SPRITES[layer.sprite].sources}
    return [dataclasses.asdict(SOURCES[name]) for name in sorted(names)]


def suggested_question(recipe: Recipe, truth: dict[str, list[Truth]]) -> dict[str, float]:
    """The middle of the asked object's box at the asked frame; x and y as fractions of the centre crop."""
    name, frame = recipe.asked
    box = truth[name][frame].box
    if box is None:
        raise ValueError(f"{recipe.slug}: {name!r} is hidden in frame {frame}; ask at another frame")
    x = (box[0] + box[2]) / 2 - (recipe.width - CROP_PX) / 2
    y = (box[1] + box[3]) / 2 - (recipe.height - CROP_PX) / 2
    return {"frame": frame, "x": round(x / CROP_PX, 4), "y": round(y / CROP_PX, 4)}


def sidecar(recipe: Recipe, truth: dict[str, list[Truth]]) -> dict[str, Any]:
    """The clip's JSON: titles, size, each object's boxes and visible parts by frame, photographs used."""
    objects = [
        {
            "name": name,
            "boxes": [moment.box and list(moment.box) for moment in moments],
            "visible": [round(moment.visible, 3) for moment in moments],
        }
        for name, moments in truth.items()
    ]
    return {
        "title": recipe.title,
        "description": recipe.description,
        "frames": len(next(iter(truth.values()))),
        "rate_hz": RATE_HZ,
        "width": recipe.width,
        "height": recipe.height,
        "suggested_question": suggested_question(recipe, truth),
        "objects": objects,
        "provenance": provenance(recipe),
    }


def write_sidecar(path: Path, content: dict[str, Any]) -> None:
    """Write the JSON, one object's boxes to a line."""
    lines = [f"  {json.dumps(key)}: {_value(value)}" for key, value in content.items()]
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


def _value(value: object) -> str:
    if not isinstance(value, list):
        return json.dumps(value, ensure_ascii=False)
    return "[\n    " + ",\n    ".join(json.dumps(item, ensure_ascii=False) for item in value) + "\n  ]"
