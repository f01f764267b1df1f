"""Questions and their answers as JSON. Answers are plain dictionaries with declared keys, not pydantic models: they are
made of numbers that are valid already, 200 times a second, and validating 80 nested objects takes longer than asking.
"""

from __future__ import annotations

from functools import lru_cache
from typing import (
    Annotated,
    Any,
    NotRequired,  # of Python 3.12: pydantic takes no older TypedDict
)

from fastapi import Response
from pydantic import BaseModel, ConfigDict, Field
from pydantic_core import to_json
from typing_extensions import TypedDict

from nonlocal_core.affinity.arrows import MOST_ARROWS, TOP_ARROWS
from nonlocal_core.affinity.field import AffinityField, Direction
from nonlocal_core.affinity.query import WHEN, Answer, Pool, Query, Value, box_span
from nonlocal_core.geometry import Grid, GridPoint, Span, span_of


class QueryIn(BaseModel):
    """A question to a block, whole: the same names in a query string and in JSON."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    block: str = Field(max_length=64, examples=["mixed_4c"])
    frame: int = Field(ge=0, le=1_000_000, description="index into the clip's frames", examples=[0])
    x: float = Field(ge=0, lt=1, description="fraction of the crop, rightwards", examples=[0.5])
    y: float = Field(ge=0, lt=1, description="fraction of the crop, downwards", examples=[0.4])
    to_frame: int | None = Field(None, ge=0, le=1_000_000, description="with to_x and to_y: a region's other corner")
    to_x: float | None = Field(None, ge=0, lt=1)
    to_y: float | None = Field(None, ge=0, lt=1)
    pool: Pool = Field("mean", description="how a region's cells answer: mean, max, or each for itself")
    direction: Direction = Field("forward", description="forward: what it looks at; reverse: who looks at it")
    k: int = Field(TOP_ARROWS, ge=1, le=MOST_ARROWS, description="how many arrows; the paper's Figure 3 shows 20")
    mass: float | None = Field(None, gt=0, le=100, description="instead of k: as few as hold this % of the weight")
    near_cells: int | None = Field(None, ge=0, le=99, description="leave out what is within so many cells, and")
    near_frames: int = Field(0, ge=0, le=999, description="within so many frames, of the place")
    when: str = Field("all", pattern=f"^({WHEN.pattern})$", description="all, others, same, or a range such as 8-15")
    value: Value = Field("weight", description="weight: f / C(x); contribution: |W_z g_j| times that")
    minus_mean: bool = Field(default=False, description="subtract the mean over all questions")

    @property
    def query(self) -> Query:
        """As the core asks it.

        Raises:
            InvalidQuery: a region has not all of its corner, or a range of frames ends before it starts.
        """
        return Query.of(dict(self))


class QueriesIn(BaseModel):
    """Several questions at once."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    queries: list[QueryIn] = Field(min_length=1, max_length=1000)


class CellOut(TypedDict):
    """A cell of a feature map, or the size of one."""

    t: int
    h: int
    w: int


class Place(TypedDict):
    """A cell's centre, the frames (first, last) and the box (left, top, right, bottom; fractions) that it covers."""

    frame: int
    x: float
    y: float
    cell: CellOut
    frames: tuple[int, int]
    box: tuple[float, float, float, float]
    to: NotRequired[Annotated[CellOut, Field(description="the last cell of a region, whose first is `cell`")]]


class ArrowOut(TypedDict):
    """One arrow, by rank."""

    rank: int
    weight: Annotated[float, Field(description="f(x_i, x_j) / C(x), or what the question made of it")]
    mass: Annotated[float, Field(description="sum of this and all higher weights")]
    start: Annotated[CellOut, Field(description="the asking cell; of a region that asks as one, its first")]
    end: Place


class ArrowsOut(TypedDict):
    """The arrows of highest weight from one place, weights falling."""

    block: str
    direction: Direction
    k: int
    start: Place
    arrows: list[ArrowOut]


class AnswersOut(TypedDict):
    """The answers to several questions, in their order."""

    answers: list[ArrowsOut]


class RowOut(TypedDict):
    """Every weight of one question, flat over `grid`: time-major, then rows, then columns."""

    block: str
    direction: Direction
    start: Place
    grid: Annotated[CellOut, Field(description="the size of the grid")]
    weights: list[float]


def arrows_out(field: AffinityField, query: Query, found: Answer, frames: int) -> ArrowsOut:
    """A core answer in the coordinates of a clip of `frames` frames."""
    grid = field.answering_grid(query.direction)
    return {
        "block": query.block,
        "direction": query.direction,
        "k": query.k,
        "start": region_of(field.asking_grid(query.direction), found.cells, frames),
        "arrows": [
            {
                "rank": arrow.rank,
                "weight": arrow.weight,
                "mass": arrow.mass,
                "start": cell_out(arrow.start),
                "end": place_of(grid, arrow.end, frames),
            }
            for arrow in found.arrows
        ],
    }


def row_out(field: AffinityField, query: Query, found: Answer, frames: int) -> RowOut:
    """Every value of a core answer."""
    grid = field.answering_grid(query.direction)
    return {
        "block": query.block,
        "direction": query.direction,
        "start": region_of(field.asking_grid(query.direction), found.cells, frames),
        "grid": {"t": grid.t, "h": grid.h, "w": grid.w},
        "weights": found.values.tolist(),
    }


@lru_cache(maxsize=1 << 14)  # cells of a few clips: the same ones end arrows again and again
def place_of(grid: Grid, cell: GridPoint, frames: int) -> Place:
    """A cell in the coordinates of the clip. Callers share it: it is only read."""
    return _place(span_of(grid, cell, frames), cell)


def region_of(grid: Grid, cells: list[GridPoint], frames: int) -> Place:
    """What the cells of a region, in flat order, cover together; of one cell, its place."""
    place = _place(box_span(grid, cells, frames), cells[0])
    if len(cells) > 1:
        place["to"] = cell_out(cells[-1])
    return place


def _place(span: Span, cell: GridPoint) -> Place:
    return {
        "frame": (span.first + span.last) // 2,
        "x": (span.left + span.right) / 2,
        "y": (span.top + span.bottom) / 2,
        "cell": cell_out(cell),
        "frames": (span.first, span.last),
        "box": (span.left, span.top, span.right, span.bottom),
    }


def cell_out(cell: GridPoint) -> CellOut:
    """A cell in JSON."""
    return {"t": cell.t, "h": cell.h, "w": cell.w}


def as_json(answer: Any) -> Response:
    """The answer as it is; FastAPI would validate it first."""
    return Response(to_json(answer), media_type="application/json")
