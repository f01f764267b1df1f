"""Request and response models: the API's reference, and the only place where core values become JSON."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from fastapi import Path as PathParameter
from pydantic import BaseModel, ConfigDict, Field, StrictInt

from app.jobs.cuts import StoredChange, StoredCut
from app.jobs.errands import State
from app.jobs.films import FilmFormat, StoredFilm
from app.library import ClipRecord
from app.overviews import StoredOverview
from app.questions import Place, place_of
from nonlocal_core.affinity.cut import TOP_CLASSES, Removed
from nonlocal_core.affinity.field import AffinityField
from nonlocal_core.affinity.measures import Measures
from nonlocal_core.affinity.store import StoredBlock, StoredFrames, StoredGrid, StoredPrediction
from nonlocal_core.affinity.tour import STOPS, Stop
from nonlocal_core.geometry import Grid
from nonlocal_core.model.spec import SOFTMAX_KINDS, ModelSpec
from nonlocal_core.variant import Variant
from nonlocal_core.video import Sampling, VideoInfo, crop_box
from nonlocal_core.video.sampling import frame_at, frames_spanned, latest_start
from nonlocal_core.zoo.cards import ModelCard

API = "/api/v1"

ClipId = Annotated[str, PathParameter(max_length=64, description="the id that POST /clips gave")]
BlockName = Annotated[str, PathParameter(max_length=64, description="a name from GET /clips/{id}/blocks")]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True)


class ClipError(_Frozen):
    """Why a clip failed."""

    code: str
    message: str


class FramesOut(StoredFrames):
    """The sprite sheet: frame i is at column i % columns, row i // columns."""

    url: str


class ClipOut(_Frozen):
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


class ClipsOut(_Frozen):
    """All clips, newest first."""

    clips: list[ClipOut]


class WindowOut(_Frozen):
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


class BlockOut(_Frozen):
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


class BlocksOut(_Frozen):
    """Blocks in network order."""

    blocks: list[BlockOut]


class HubOut(_Frozen):
    """A key that many look at."""

    mass: float = Field(description="its share of all mass")
    place: Place


class StepOut(_Frozen):
    """The mass that lies so much later (earlier: negative) than the place that asks."""

    steps: int = Field(description="time steps of the keys' grid")
    frames: float
    mass: float | None
    evenly: float | None = Field(description="the same if every key in reach had the same weight")


class MeasuresOut(_Frozen):
    """What a block does in this clip; shares are of |f(x_i, x_j)| along rows. null: no row counts."""

    block: str
    queries: int = Field(description="rows that count: all but those that are zero throughout")
    silent: int = Field(description="rows that are zero throughout")
    dependence: float | None = Field(
        description="query dependence: mean total variation distance of two rows; 0 = all places look at the same"
    )
    outside: float | None = Field(
        description="share of mass more than one cell of the keys' grid away, in time, row or column"
    )
    outside_evenly: float | None = Field(description="the same if every key in reach had the same weight")
    entropy: float | None = Field(description="mean entropy of a row, 1 = even, 0 = all on one key")
    by_time: list[StepOut] = Field(description="mass by time difference, from the past to the future")
    hubs: list[HubOut] = Field(description="the keys with most mass, falling")
    hub_mass: float | None = Field(description="share of all mass on the 1 % of keys (at least one) that have most")

    @classmethod
    def of(cls, block: str, found: Measures, grid: Grid, frames: int) -> MeasuresOut:
        """Measures in the coordinates of the clip; `grid` is the keys'."""
        numbers = {name: _number(value) for name, value in vars(found).items() if isinstance(value, float)}
        steps = zip(range(1 - grid.t, grid.t), found.by_step, found.by_step_evenly, strict=True)
        return cls(
            block=block,
            queries=found.queries,
            silent=found.silent,
            **numbers,
            by_time=[
                StepOut(steps=step, frames=step * frames / grid.t, mass=_number(mass), evenly=_number(even))
                for step, mass, even in steps
            ],
            hubs=[HubOut(mass=hub.mass, place=place_of(grid, hub.cell, frames)) for hub in found.hubs],
        )


class TourQuery(BaseModel):
    """How many good questions to which block."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    block: str = Field(max_length=64, examples=["mixed_4c"])
    count: int = Field(STOPS, ge=1, le=64, description="at most so many")
    seed: int = Field(0, ge=0, le=2**32 - 1, description="draws the places looked at where there are very many")


class StopOut(_Frozen):
    """A place that is good to ask about."""

    rank: int
    score: float = Field(description="information in what goes far, 0 = none")
    far: float = Field(description="share of the row's mass outside the neighbourhood, in other frames")
    entropy: float = Field(description="of the row, 1 = even")
    place: Place
    end: Place = Field(description="the far place that gets most of the weight")

    @classmethod
    def of(cls, stop: Stop, field: AffinityField, frames: int) -> StopOut:
        """A stop in the coordinates of the clip."""
        places = {
            "place": place_of(field.query_grid, stop.cell, frames),
            "end": place_of(field.key_grid, stop.end, frames),
        }
        return cls(rank=stop.rank, score=stop.score, far=stop.far, entropy=stop.entropy, **places)


class TourOut(_Frozen):
    """Good questions, best first, spread over the clip; none where the block has no structure."""

    block: str
    seed: int
    stops: list[StopOut]


class PredictionsOut(_Frozen):
    """Classes, most probable first."""

    predictions: list[StoredPrediction]


class CutWish(BaseModel):
    """What to remove from a block of the clip's network. Cells are flat: time-major, then rows, then columns."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    block: str = Field(max_length=64, examples=["mixed_4c"])
    keys: list[StrictInt] | Removed = Field(
        description="cells of the key grid; or other_frames: the keys of every time step but the query's; or block: "
        "the block itself, so that z = x"
    )
    queries: list[StrictInt] | None = Field(
        default=None, description="the cells of the query grid that lose them; null: every one"
    )


class CutClass(_Frozen):
    """One class and its probability."""

    label: str
    probability: float


class CutOut(_Frozen):
    """A cut, how far it is and what came of it."""

    id: str
    state: State
    url: str
    block: str
    keys: list[int] | Removed
    queries: list[int] | None
    error: ClipError | None
    before: list[CutClass] = Field(description="the top 5 of the whole network; empty until done")
    after: list[CutClass] = Field(description="the top 5 without what was cut")
    changes: list[StoredChange] = Field(description="the classes of both lists, as they stood before")
    moved: float | None = Field(description="probability that went to other classes: half of sum |after - before|")

    @classmethod
    def of(cls, clip_id: str, stored: StoredCut) -> CutOut:
        """A stored cut as JSON."""
        return cls.model_validate(
            stored.model_dump()
            | {
                "url": f"{API}/clips/{clip_id}/cuts/{stored.id}",
                "before": _top(stored, "before"),
                "after": _top(stored, "after"),
            }
        )


def _top(stored: StoredCut, when: Literal["before", "after"]) -> list[CutClass]:
    best = sorted(stored.changes, key=lambda change: -getattr(change, when))[:TOP_CLASSES]
    return [CutClass(label=change.label, probability=getattr(change, when)) for change in best]


class FilmWish(BaseModel):
    """A film of the clip: the player's view of every frame, with the arrows of a link."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    query: str = Field(max_length=4096, description="the page's own query string", examples=["block=mixed_4c&q=4.5.7"])
    format: FilmFormat


class FilmOut(_Frozen):
    """A film and how far it is."""

    id: str
    state: State
    progress: float = Field(description="share of the frames that are drawn, in [0, 1]")
    error: ClipError | None
    format: FilmFormat
    url: str = Field(description="where this is told")
    file: str | None = Field(description="the film itself, once it is done")

    @classmethod
    def of(cls, clip_id: str, stored: StoredFilm) -> FilmOut:
        """A stored film as JSON."""
        url = f"{API}/clips/{clip_id}/films/{stored.id}"
        file = f"{url}.{stored.format}" if stored.state == "done" else None
        return cls.model_validate(stored.model_dump() | {"url": url, "file": file})


class ModelOut(_Frozen):
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


class ModelsOut(_Frozen):
    """The models this server runs, the default first."""

    models: list[ModelOut]


class LimitsOut(_Frozen):
    """What an upload must keep to."""

    upload_bytes: int
    video_seconds: float
    video_frames: int
    video_pixels: int
    queue: int
    containers: list[str]


class VersionOut(_Frozen):
    """The server's version, what it is built on, and limits."""

    version: str
    api: int = 1
    limits: LimitsOut
    ffmpeg: str = Field(description="the one inside PyAV", examples=["8.1"])
    torch: str
    models: dict[str, dict[str, str]] = Field(description="SHA-256 of each model's files, by name and file")


def _number(value: float) -> float | None:
    """What is no number (such as a mean of nothing) is null."""
    return None if math.isnan(value) else value


def _moment(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
