"""Request and response models: the API's reference, and the only place where core values become JSON."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from fastapi import Path as PathParameter
from pydantic import BaseModel, ConfigDict, Field

from app.clips_table import ClipRecord
from app.overviews import StoredOverview
from nonlocal_core.affinity.store import StoredBlock, StoredFrames, StoredGrid, StoredPrediction
from nonlocal_core.model.spec import SOFTMAX_KINDS, ModelSpec
from nonlocal_core.variant import Variant
from nonlocal_core.video import Sampling, VideoInfo, crop_box
from nonlocal_core.video.sampling import frame_at, frames_spanned, latest_start
from nonlocal_core.zoo.cards import ModelCard

API = "/api/v1"

ClipId = Annotated[str, PathParameter(max_length=64, description="the id that POST /clips gave")]
BlockName = Annotated[str, PathParameter(max_length=64, description="a name from GET /clips/{id}/blocks")]


class Frozen(BaseModel):
    """Base of what is answered."""

    model_config = ConfigDict(frozen=True)


class ClipError(Frozen):
    """Why a clip failed."""

    code: str
    message: str


class FramesOut(StoredFrames):
    """The sprite sheet: frame i is at column i % columns, row i // columns."""

    url: str


class ClipOut(Frozen):
    """A clip and its job, as people see them."""

    id: str
    state: Literal["queued", "running", "done", "failed", "cancelled"]
    stage: str = Field(description="queued, starting, decode, network, write or done", examples=["network"])
    progress: float = Field(description="of the whole analysis, in [0, 1]")
    error: ClipError | None
    filename: str = Field(examples=["kick.mp4"])
    model: str = Field(examples=["default"])
    start_s: float = Field(description="where in the video the clip starts, in seconds")
    variant: Variant = Field(description="the null model that the clip is; none for the clip as it is")
    bytes: int
    sha256: str = Field(description="of the video: clips that share it show one video with several models or starts")
    sample: bool
    created_at: datetime
    finished_at: datetime | None
    expires_at: datetime | None
    elapsed_s: float | None = Field(description="seconds of work on it so far, or in all")
    queue_place: int | None = Field(description="1 is next; null when not queued")
    revision: int = Field(description="grows with every change; the id of its server-sent event")
    notes: list[str] = Field(description="what was cut, rotated or repeated, in words")
    video: dict[str, Any] | None = Field(description="the uploaded video as probed")
    frames: FramesOut | None = Field(description="the frames the network saw")

    @classmethod
    def of(cls, record: ClipRecord, queue_place: int | None, now_s: float) -> ClipOut:
        """A library row as JSON."""
        error = ClipError(code=record.error_code, message=record.error_message or "") if record.error_code else None
        frames = record.details.get("frames")
        return cls.model_validate(
            vars(record)
            | {
                "error": error,
                "created_at": _moment(record.created_at),
                "finished_at": _moment(record.finished_at),
                "expires_at": _moment(record.expires_at),
                "elapsed_s": record.started_at and round((record.finished_at or now_s) - record.started_at, 3),
                "queue_place": queue_place,
                "notes": record.details.get("notes", []),
                "video": record.details.get("video"),
                "frames": frames and frames | {"url": f"{API}/clips/{record.id}/frames.jpg"},
            }
        )


class ClipsOut(Frozen):
    """All clips, newest first."""

    clips: list[ClipOut]


class WindowOut(Frozen):
    """Where a clip of the video lies in it."""

    id: str
    model: str
    variant: Variant
    state: str
    start_s: float
    first: int = Field(description="number of its first frame in the video")

    @classmethod
    def of(cls, record: ClipRecord, rate_hz: float) -> WindowOut:
        """The window of a clip, in a video of that rate."""
        return cls.model_validate(vars(record) | {"first": frame_at(record.start_s, rate_hz)})


class OverviewOut(StoredOverview):
    """The whole video at a glance, the window of this clip in it, and where other windows may be.

    Frames are counted from the start of the video; frame / rate_hz is its time where the rate is even.
    """

    url: str = Field(description="of the sheet")
    frames: int = Field(description="of the whole video, as far as it is used")
    rate_hz: float
    duration_s: float
    crop: tuple[float, float, float, float] | None = Field(
        description="left, top, right, bottom of what the network sees, as fractions of a whole frame; "
        "null when this server no longer runs the clip's model"
    )
    spanned: int = Field(description="frames of the video from the first to the last of a clip of this model")
    span_s: float = Field(description="the same in seconds")
    latest_start_s: float = Field(description="a clip that starts later repeats its last frame")
    window: WindowOut
    others: list[WindowOut] = Field(description="other clips of the same video, whatever their model and variant")

    @classmethod
    def of(
        cls, found: StoredOverview, record: ClipRecord, siblings: list[ClipRecord], spec: ModelSpec | None
    ) -> OverviewOut:
        """A stored strip in the light of one clip; `spec` is its model's, None when that is gone."""
        info, seen = VideoInfo(**record.details["video"]), record.details["frames"]
        indices: list[int] = seen["indices"]
        sampling = Sampling(spec.frames, spec.stride) if spec else Sampling(max(indices) - min(indices) + 1, 1)
        spanned = frames_spanned(sampling)
        return cls(
            **found.model_dump(),
            url=f"{API}/clips/{record.id}/overview.jpg",
            frames=info.frames,
            rate_hz=info.rate_hz,
            duration_s=info.duration_s,
            crop=spec and crop_box(info.width, info.height, short_side=spec.short_side_px, size=spec.size_px),
            spanned=spanned,
            span_s=spanned / info.rate_hz,
            latest_start_s=latest_start(info, sampling),
            window=WindowOut.of(record, info.rate_hz),
            others=[WindowOut.of(other, info.rate_hz) for other in siblings if other.id != record.id],
        )


class BlockOut(Frozen):
    """One non-local block of the clip's model."""

    name: str = Field(examples=["mixed_4c"])
    kind: str = Field(examples=["embedded_gaussian"])
    stage: str = Field(description="the stage of the network it follows", examples=["mixed_4c"])
    channels: int = Field(description="width of theta and phi")
    scale: float = Field(description="factor on theta . phi")
    softmax: bool = Field(description="whether rows sum to 1")
    query_grid: StoredGrid
    key_grid: StoredGrid
    features_url: str
    features_bytes: int

    @classmethod
    def of(cls, clip_id: str, block: StoredBlock) -> BlockOut:
        """A stored block with its address."""
        return cls(
            **block.model_dump(exclude={"bytes"}),
            stage=block.name,
            softmax=block.kind in SOFTMAX_KINDS,
            features_url=f"{API}/clips/{clip_id}/blocks/{block.name}/features",
            features_bytes=block.bytes,
        )


class BlocksOut(Frozen):
    """Blocks in network order."""

    blocks: list[BlockOut]


class PredictionsOut(Frozen):
    """Classes, most probable first."""

    predictions: list[StoredPrediction]


class ModelOut(Frozen):
    """A model that this server runs."""

    name: str
    title: str
    summary: str
    default: bool
    spec: ModelSpec
    source: str
    page: str | None = Field(description="where its authors describe it")
    licence: str
    claimed_top1: float | None = Field(description="percent on Kinetics-400, as its authors report it")
    claimed_top5: float | None
    random_weights: bool = Field(description="nothing was learnt: what it answers means nothing")
    notes: tuple[str, ...]

    @classmethod
    def of(cls, card: ModelCard, *, default: bool) -> ModelOut:
        """A card without the place of its file."""
        return cls(**card.model_dump(exclude={"weights", "block_weights"}), default=default)


class ModelsOut(Frozen):
    """The models this server runs, the default first."""

    models: list[ModelOut]


class LimitsOut(Frozen):
    """What an upload must keep to."""

    upload_bytes: int
    video_seconds: float
    video_frames: int
    video_pixels: int
    queue: int
    containers: list[str]
    codecs: list[str] = Field(description="as people call them")


class VersionOut(Frozen):
    """The server's version, what it is built on, and limits."""

    version: str
    api: int = 1
    limits: LimitsOut
    ffmpeg: str = Field(description="the one inside PyAV", examples=["8.1"])
    torch: str
    models: dict[str, dict[str, str]] = Field(description="SHA-256 of each model's files, by name and file")


def _moment(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
