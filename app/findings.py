"""Measures of blocks and tours of good questions, as JSON."""

from __future__ import annotations

import math

from pydantic import BaseModel, ConfigDict, Field

from app.questions import Place, place_of
from app.schemas import Frozen
from nonlocal_core.affinity.field import AffinityField
from nonlocal_core.affinity.measures import Measures
from nonlocal_core.affinity.tour import STOPS, Stop
from nonlocal_core.geometry import Grid


class HubOut(Frozen):
    """A key that many look at."""

    mass: float = Field(description="its share of all mass")
    place: Place


class StepOut(Frozen):
    """The mass that lies so much later (earlier: negative) than the place that asks."""

    steps: int = Field(description="time steps of the keys' grid")
    frames: float
    mass: float | None
    evenly: float | None = Field(description="the same if every key in reach had the same weight")


class MeasuresOut(Frozen):
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


class StopOut(Frozen):
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


class TourOut(Frozen):
    """Good questions, best first, spread over the clip; none where the block has no structure."""

    block: str
    seed: int
    stops: list[StopOut]


def _number(value: float) -> float | None:
    """What is no number (such as a mean of nothing) is null."""
    return None if math.isnan(value) else value
