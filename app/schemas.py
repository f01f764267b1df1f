"""Request and response models: the API's reference, and the only place where core values become JSON."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from fastapi import Path as PathParameter
from pydantic import BaseModel, ConfigDict, Field

from app.library import ClipRecord
from nonlocal_core.affinity.arrows import TOP_ARROWS, Arrow
from nonlocal_core.affinity.field import AffinityField, Direction
from nonlocal_core.affinity.store import StoredBlock, StoredFrames, StoredGrid, StoredPrediction
from nonlocal_core.geometry import ClipPoint, Grid, GridPoint, centre_of, span_of
from nonlocal_core.model.spec import SOFTMAX_KINDS, ModelSpec
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


class PlaceQuery(BaseModel):
    """A place in a clip and the direction of the question."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    block: str = Field(max_length=64, examples=["mixed_4c"])
    frame: int = Field(ge=0, le=1_000_000, description="index into the clip's frames", examples=[0])
    x: float = Field(ge=0, lt=1, description="fraction of the crop, rightwards", examples=[0.5])
    y: float = Field(ge=0, lt=1, description="fraction of the crop, downwards", examples=[0.4])
    direction: Direction = Field("forward", description="forward: what it looks at; reverse: who looks at it")

    @property
    def point(self) -> ClipPoint:
        """The place asked about."""
        return ClipPoint(self.frame, self.x, self.y)


class ArrowsQuery(PlaceQuery):
    """A question for arrows."""

    k: int = Field(TOP_ARROWS, ge=1, le=1000, description="how many arrows; the paper's Figure 3 shows 20")


class CellOut(_Frozen):
    """A cell of a feature map."""

    t: int
    h: int
    w: int


class Place(_Frozen):
    """A cell's centre, the frames (first, last) and the box (left, top, right, bottom; fractions) that it covers."""

    frame: int
    x: float
    y: float
    cell: CellOut
    frames: tuple[int, int]
    box: tuple[float, float, float, float]

    @classmethod
    def of(cls, grid: Grid, cell: GridPoint, frames: int) -> Place:
        """A cell in the coordinates of the clip."""
        centre, span = centre_of(grid, cell, frames), span_of(grid, cell, frames)
        return cls(
            frame=centre.frame,
            x=centre.x,
            y=centre.y,
            cell=CellOut(t=cell.t, h=cell.h, w=cell.w),
            frames=(span.first, span.last),
            box=(span.left, span.top, span.right, span.bottom),
        )


class ArrowOut(_Frozen):
    """One arrow, by rank."""

    rank: int
    weight: float = Field(description="f(x_i, x_j) / C(x)")
    mass: float = Field(description="sum of this and all higher weights")
    end: Place


class ArrowsOut(_Frozen):
    """The arrows of highest weight from one place, weights falling."""

    block: str
    direction: Direction
    k: int
    start: Place
    arrows: list[ArrowOut]

    @classmethod
    def of(
        cls, field: AffinityField, query: ArrowsQuery, cell: GridPoint, arrows: list[Arrow], frames: int
    ) -> ArrowsOut:
        """Core arrows in the coordinates of the clip."""
        grid = field.answering_grid(query.direction)
        return cls(
            block=query.block,
            direction=query.direction,
            k=query.k,
            start=Place.of(field.asking_grid(query.direction), cell, frames),
            arrows=[
                ArrowOut(rank=arrow.rank, weight=arrow.weight, mass=arrow.mass, end=Place.of(grid, arrow.end, frames))
                for arrow in arrows
            ],
        )


class RowOut(_Frozen):
    """Every weight of one question, flat over `grid`: time-major, then rows, then columns."""

    block: str
    direction: Direction
    start: Place
    grid: CellOut = Field(description="the size of the grid")
    weights: list[float]


class PredictionsOut(_Frozen):
    """Classes, most probable first."""

    predictions: list[StoredPrediction]


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
    """The server's version and limits."""

    version: str
    api: int = 1
    limits: LimitsOut


def _moment(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
