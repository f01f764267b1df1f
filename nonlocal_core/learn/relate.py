"""Theta and phi of one stage, fitted to unlabelled scenes so that what moves together is related.

From the closed form on, two losses go down: the affinity of a query on something that moves by itself must lie on
what moves so at other times; and, lightly, every query must find the place where optical flow carries it. It is not
said *which* of the moving keys are the same thing, only that some must be found (multiple-instance learning).

All is computed on features that are fixed, by torch on the processor; every random choice is drawn from one
generator. Next: `commands/relating.py`, which does this for several stages and writes the network.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn

from nonlocal_core.errors import InvalidSpec, TrainingFailed
from nonlocal_core.learn.closed_form import ClosedForm, Random, closed_form, pooled, sampled, some
from nonlocal_core.learn.windows import Scene
from nonlocal_core.model.block import NonLocalBlock
from nonlocal_core.model.build import Model, stage_widths
from nonlocal_core.model.spec import BlockSpec, ModelSpec

Tell = Callable[[str], None]
Loss = Callable[["Relation", Scene, Tensor, int, Random], Tensor]  # of queries of a time step: see `loss_of`

# Found by trying.
ON_IT = 0.7  # a query lies on what moves when so much of its cell does
LEAST_KEYS = 3.0  # key cells that must move at other times, or there is nothing to find
MOST_QUERIES = 128  # of each loss, in one step of one window
NEAR = 0.99  # key cells: keys whose centres are closer to a place on both axes cover it, or touch the one that does
TRACK = 0.1  # weight of following the flow
PULL = 0.05  # weight of staying near the closed form
LEARNING_RATE, WARM_UP = 2e-3, 0.1  # the highest rate, and the part of the steps that it takes to get there
WINDOWS_A_STEP = 4
_FLOOR = 1e-6  # added to how much of a key moves, so that its logarithm is finite
_TOLD = 5  # times that a fit speaks


@dataclass(frozen=True, eq=False)
class Projections:
    """Theta and phi as 1x1x1 convolutions, float32."""

    theta_weight: Tensor  # [D, C]
    theta_bias: Tensor  # [D]
    phi_weight: Tensor
    phi_bias: Tensor


@dataclass(frozen=True)
class Measured:
    """How usable scenes are related; NaN where there are none."""

    loss: float  # what the steps lower, but for the pull
    mass: float  # of the affinity that queries on what moves have with other time steps: the share on what moves there
    chance: float  # the share of those cells that moves
    queries: int


@dataclass(frozen=True, eq=False)
class Fitted:
    """The projections of one stage, and what they do on scenes that the fit did not see."""

    projections: Projections
    before: Measured  # the closed form
    after: Measured


def fit(
    scenes: Sequence[Scene], held_back: Sequence[Scene], *, inner: int, steps: int, random: Random, tell: Tell
) -> Fitted:
    """Fit theta and phi of a stage.

    Args:
        scenes: of one stage. The closed form looks at all, the steps only at those that are usable.
        held_back: of the same stage; only measured.
        inner: width D of theta and phi; at most the stage's channels.
        steps: of gradient descent; with 0 the closed form stays.
        random: draws everything.
        tell: called with lines for people.

    Raises:
        TrainingFailed: no scene is usable, or all cells are alike.
        InvalidSpec: the stage has a single time step.
    """
    usable = [scene for scene in scenes if scene.usable]
    if not usable:
        raise TrainingFailed(
            f"in none of {len(scenes)} windows something is seen to move against the camera's motion; give more videos"
        )
    if len(usable[0].moving) < 2:
        raise InvalidSpec("a stage with a single time step has no other to relate; choose earlier --blocks")
    relation = Relation(closed_form(sampled(scenes, random), inner))
    seed = int(random.integers(1 << 32))  # the same places are followed before and after
    before = measured(relation, held_back, np.random.default_rng(seed))
    if steps:
        descend(relation, usable, steps=steps, random=random, tell=tell)
    return Fitted(relation.projections(), before, measured(relation, held_back, np.random.default_rng(seed)))


class Relation(nn.Module):
    """Theta and phi in whitened coordinates, where one learning rate suits all directions."""

    def __init__(self, start: ClosedForm) -> None:
        super().__init__()
        inner, channels = start.directions.shape
        self.start = start
        self.theta, self.phi = nn.Linear(channels, inner), nn.Linear(channels, inner)
        for linear in (self.theta, self.phi):
            linear.weight.data.copy_(start.directions)
            linear.bias.data.zero_()

    def queries(self, cells: Tensor) -> Tensor:
        """theta of cells: [N, C] -> float32 [N, D]."""
        return self.theta((cells.float() - self.start.query_mean) @ self.start.whitening)

    def keys_of(self, cells: Tensor) -> Tensor:
        """phi of pooled cells: [..., C] -> float32 [..., D]."""
        return self.phi((cells - self.start.key_mean) @ self.start.whitening)

    def keys(self, scene: Scene) -> Tensor:
        """phi of all key cells of a scene: float32 [T, K, D]."""
        return self.keys_of(pooled(scene.features).flatten(1, 2))

    def pull(self) -> Tensor:
        """How far the weights have gone from the closed form: squares, summed over rows, averaged over columns."""
        gone = [(linear.weight - self.start.directions).square().sum(0).mean() for linear in (self.theta, self.phi)]
        return gone[0] + gone[1]

    @torch.no_grad()
    def projections(self) -> Projections:
        """The same theta and phi, of features as they are."""
        theta, phi = (linear.weight @ self.start.whitening for linear in (self.theta, self.phi))  # [D, C]
        return Projections(
            theta, self.theta.bias - theta @ self.start.query_mean, phi, self.phi.bias - phi @ self.start.key_mean
        )


def descend(
    relation: Relation,
    scenes: Sequence[Scene],
    *,
    steps: int,
    random: Random,
    tell: Tell,
    loss: Loss | None = None,
    watch: Callable[[int], None] = lambda _done: None,
) -> None:
    """Lower the loss (`loss_of` if none is given) of randomly chosen scenes and time steps, a few in each step.

    `watch` is called after each step.
    """
    loss = loss or loss_of
    optimiser = torch.optim.Adam(relation.parameters(), LEARNING_RATE)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, LEARNING_RATE, steps, pct_start=WARM_UP)
    told = max(1, steps // _TOLD)
    history: list[float] = []
    for done in range(1, steps + 1):
        losses: list[Tensor] = []
        for number in random.integers(len(scenes), size=WINDOWS_A_STEP):
            scene = scenes[int(number)]
            keys = relation.keys(scene)
            losses.append(loss(relation, scene, keys, int(random.integers(len(keys))), random))
        mean = torch.stack(losses).mean()
        optimiser.zero_grad()
        (mean + PULL * relation.pull()).backward()
        optimiser.step()
        schedule.step()
        history.append(mean.item())
        watch(done)
        if done % told == 0:
            tell(f"  [{done}/{steps}] loss {np.mean(history[-told:]):.3f}")


def loss_of(relation: Relation, scene: Scene, keys: Tensor, t: int, random: Random, *, track: float = TRACK) -> Tensor:
    """The loss of queries of time step t; `keys` [T, K, D] are those of the scene, `track` the weight of the flow."""
    asked = queries_on_it(scene, t)
    asked = asked[some(len(asked), MOST_QUERIES, random)]
    loss = track * track_loss(relation, scene, keys, t, random)
    if not len(asked):
        return loss
    log_p, moving = log_affinity(relation, scene, keys, t, asked)
    return loss - (log_p + (moving + _FLOOR).log()).logsumexp(1).mean()  # -log sum_j p_ij m_j


def queries_on_it(scene: Scene, t: int) -> Tensor:
    """Cells of time step t that lie on what moves by itself: int64 [N], flat; none if nothing does at other times."""
    elsewhere = scene.moving_keys.sum() - scene.moving_keys[t].sum()
    on_it = (scene.moving[t].flatten() >= ON_IT) & (elsewhere > LEAST_KEYS)
    return on_it.nonzero()[:, 0]


def log_affinity(relation: Relation, scene: Scene, keys: Tensor, t: int, cells: Tensor) -> tuple[Tensor, Tensor]:
    """log p_ij [N, K'] of cells of time step t with the keys of all others, and how much of these moves [K']."""
    others = [step for step in range(len(keys)) if step != t]
    theta = relation.queries(scene.features[t].flatten(0, 1)[cells])  # [N, D]
    return (theta @ keys[others].flatten(0, 1).T).log_softmax(1), scene.moving_keys[others].flatten()


def track_loss(relation: Relation, scene: Scene, keys: Tensor, t: int, random: Random) -> Tensor:
    """-log of the affinity, with one other time step, that lies where the flow carries cells of step t; mean.

    Cells that leave the crop are not asked; zero if all do.
    """
    steps, rows, columns = scene.moving.shape
    gaps = [sign << power for sign in (1, -1) for power in range((steps // 2).bit_length())]  # 1, 2, 4 ... half
    to = int(random.choice([t + gap for gap in gaps if 0 <= t + gap < steps]))
    cells = some(rows * columns, MOST_QUERIES, random)
    places = torch.stack([(cells % columns + 0.5) / columns, (cells // columns + 0.5) / rows], 1)  # [N, 2]: x, y
    frames = len(scene.flow) + 1
    near = keys_near(carried(scene.flow, places, t * frames // steps, to * frames // steps), rows, columns)  # [N, K]
    inside = near.any(1)
    if not inside.any():
        return keys.new_zeros(())
    theta = relation.queries(scene.features[t].flatten(0, 1)[cells[inside]])
    log_p = (theta @ keys[to].T).log_softmax(1)
    return -log_p.masked_fill(~near[inside], -torch.inf).logsumexp(1).mean()


def carried(flow: Tensor, places: Tensor, first: int, last: int) -> Tensor:
    """Where places [N, 2] of frame `first` are in frame `last`; x and y in fractions of the crop.

    They go from frame to frame. Back in time, the flow that led to a frame is read where the place is in it.
    """
    side, sign = len(flow[0]), 1 if last > first else -1
    for frame in range(first, last, sign):
        column, row = (places * side).long().clamp(0, side - 1).T
        places = places + sign * flow[frame if sign > 0 else frame - 1][row, column]
    return places


def keys_near(places: Tensor, rows: int, columns: int) -> Tensor:
    """Which keys, pooled 2x2 from rows x columns cells, are within about one key of places [N, 2]: bool [N, K]."""
    down, right = (torch.arange(count // 2) * 2 + 1 for count in (rows, columns))  # centres, in query cells
    by_row = (places[:, 1:] * rows - down).abs() < NEAR * 2  # [N, H']
    by_column = (places[:, :1] * columns - right).abs() < NEAR * 2  # [N, W']
    return (by_row[:, :, None] & by_column[:, None, :]).flatten(1)


@torch.no_grad()
def measured(relation: Relation, scenes: Sequence[Scene], random: Random) -> Measured:
    """Loss and mass, at all time steps of the usable scenes."""
    losses: list[float] = []
    rows = [torch.zeros(0, 2)]
    for scene in filter(lambda scene: scene.usable, scenes):
        keys = relation.keys(scene)
        for t in range(len(keys)):
            losses.append(loss_of(relation, scene, keys, t, random).item())
            log_p, moving = log_affinity(relation, scene, keys, t, queries_on_it(scene, t))
            mass = log_p.exp() @ moving  # [N]
            rows.append(torch.stack([mass, moving.mean().expand_as(mass)], 1))
    table = torch.cat(rows)  # [N, 2]
    return Measured(
        loss=float(np.mean(losses)) if losses else float("nan"),
        mass=table[:, 0].mean().item(),
        chance=table[:, 1].mean().item(),
        queries=len(table),
    )


def related_spec(spec: ModelSpec, stages: Sequence[str], inner: int) -> ModelSpec:
    """The spec with an embedded Gaussian block after each of `stages`, in place of the blocks it had.

    Raises:
        InvalidSpec: a stage is unknown, or has fewer channels than `inner`.
    """
    widths = stage_widths(spec)
    if unknown := [stage for stage in stages if stage not in widths]:
        raise InvalidSpec(f"no stage {', '.join(unknown)} for a block; blocks may follow {', '.join(widths)}")
    if (least := min(widths[stage] for stage in stages)) < inner:
        raise InvalidSpec(f"--inner {inner} is more than the {least} channels of a stage; choose at most that")
    blocks = (
        BlockSpec(after=stage, kind="embedded_gaussian", inner_channels=inner, norm="affine")
        for stage in dict.fromkeys(stages)
    )
    return spec.model_copy(update={"blocks": tuple(blocks)})


def assembled(model: Model, spec: ModelSpec, fitted: Mapping[str, Projections], random: Random) -> Model:
    """The network `model` with the blocks of `spec`; they relate as fitted and, as W_z is zero, change nothing yet.

    g is drawn with a variance of 1 / C, so that W_z learns at a sane rate from the first step on.
    """
    related = Model(spec, model.labels, model.card)
    for mine, theirs in ((related.stages, model.stages), (related.head, model.head)):
        mine.load_state_dict(theirs.state_dict())
    for stage, found in fitted.items():
        block = cast("NonLocalBlock", related.blocks[stage])
        _fill(block.theta, found.theta_weight, found.theta_bias)
        _fill(block.phi, found.phi_weight, found.phi_bias)
        inner, channels = found.theta_weight.shape
        g = torch.from_numpy(random.standard_normal((inner, channels), np.float32)) / channels**0.5
        _fill(block.g, g, torch.zeros(inner))
    return related.eval()


def _fill(module: nn.Module, weight: Tensor, bias: Tensor) -> None:
    module.load_state_dict({"weight": weight[:, :, None, None, None], "bias": bias})
