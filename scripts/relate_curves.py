"""Hit share over gradient steps for several ideas of what theta and phi should learn. Draws docs/relate-curves.png.

python scripts/relate_curves.py ../shared/training/truth lists/train.csv

The features of a stage are fixed; each idea starts from the same closed form and is looked at every few steps on the
sequences with masks (middle square, top 20 in other frames, as `nonlocal-lens score` has it). The ideas:

    what moves together    some key that moves must be found, tracks weighted lightly (this ships at 14x14)
    without tracks         the same, flow not followed
    tracks alone           optical flow is the only teacher
    all that moves         every key that moves must be found: cross entropy with even targets
    random walk            t -> t' -> t by theta and phi must come back to where it began (Jabri et al. 2020)
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from nonlocal_core.affinity.capture import field_of
from nonlocal_core.affinity.field import Floats
from nonlocal_core.learn import relate
from nonlocal_core.learn.closed_form import Random, closed_form, pooled, sampled, some
from nonlocal_core.learn.listing import Listing, read_listing
from nonlocal_core.learn.relate import Loss, Relation, loss_of, track_loss
from nonlocal_core.learn.score import mean_score, score_field
from nonlocal_core.learn.truth import truth_clips
from nonlocal_core.learn.views import show, truth_in
from nonlocal_core.learn.windows import Scene, stage_outputs, windows_of
from nonlocal_core.model.build import Model
from nonlocal_core.model.pairwise import Affinity
from nonlocal_core.zoo.load import load_model

PLOT = Path(__file__).parents[1] / "docs" / "relate-curves.png"


def all_that_moves(relation: Relation, scene: Scene, keys: Tensor, t: int, random: Random) -> Tensor:
    asked = relate.queries_on_it(scene, t)
    asked = asked[some(len(asked), relate.MOST_QUERIES, random)]
    if not len(asked):
        return keys.sum() * 0
    log_p, moving = relate.log_affinity(relation, scene, keys, t, asked)
    return -(log_p @ (moving / moving.sum())).mean()


def random_walk(relation: Relation, scene: Scene, keys: Tensor, t: int, random: Random) -> Tensor:
    """-log of the chance to be back after t -> t' -> t: from places to keys of t', and by these cells' theta back."""
    to = int(random.choice([step for step in range(len(keys)) if step != t]))
    starts = some(len(keys[t]), relate.MOST_QUERIES, random)  # key cells, so that both ends are counted alike
    here, there = (relation.queries(pooled(scene.features[s : s + 1]).flatten(0, 2)) for s in (t, to))
    away = (here[starts] @ keys[to].T).softmax(1)
    back = away @ (there @ keys[t].T).softmax(1)
    return -back[torch.arange(len(starts)), starts].clamp_min(1e-9).log().mean()


IDEAS: dict[str, Loss] = {
    "what moves together": loss_of,
    "without tracks": partial(loss_of, track=0.0),
    "tracks alone": track_loss,
    "all that moves": all_that_moves,
    "random walk": random_walk,
}


class Measure:
    """The mean hit share of a stage's arrows on the sequences with masks."""

    def __init__(self, model: Model, truth: Path, stage: str) -> None:
        self.clips: list[tuple[Tensor, Floats]] = []  # features [T, H, W, C] and the object [T, H, W]
        for clip in truth_clips(truth):
            shown = show(clip.video, model.spec, "crop")
            features = stage_outputs(model, shown.rgb, [stage])[stage][0].permute(1, 2, 3, 0).half()
            self.clips.append((features, truth_in(shown, clip)))

    @torch.no_grad()
    def __call__(self, relation: Relation) -> float:
        scores = [score_field(field_of(affinity_of(relation, features)), mask) for features, mask in self.clips]
        return mean_score(each for clip in scores for each in clip).hit


def affinity_of(relation: Relation, features: Tensor) -> Affinity:
    """The affinity of features [T, H, W, C]."""
    cells = pooled(features)
    theta = relation.queries(features.flatten(0, 2)).reshape(*features.shape[:3], -1)
    phi = relation.keys_of(cells.flatten(0, 2)).reshape(*cells.shape[:3], -1)
    return Affinity("embedded_gaussian", 1.0, theta.permute(3, 0, 1, 2)[None], phi.permute(3, 0, 1, 2)[None])


def curve(
    relation: Relation, scenes: Sequence[Scene], loss: Loss, measure: Measure, steps: int, every: int
) -> list[float]:
    """The hit share at the start and after every few steps of one idea."""
    found = [measure(relation)]

    def watch(done: int) -> None:
        if done % every == 0:
            found.append(measure(relation))

    random = np.random.default_rng(0)
    relate.descend(relation, scenes, steps=steps, random=random, tell=lambda _line: None, loss=loss, watch=watch)
    return found


def draw(curves: dict[str, dict[str, list[float]]], every: int, path: Path) -> None:
    import matplotlib as mpl

    mpl.use("agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(
        1, len(curves), figsize=(5.2 * len(curves), 3.8), layout="constrained", squeeze=False
    )
    for axis, (stage, ideas) in zip(axes[0], curves.items(), strict=True):
        for colour, (idea, hits) in zip(
            ("#0072b2", "#56b4e9", "#d55e00", "#009e73", "#cc79a7"), ideas.items(), strict=True
        ):
            axis.plot([every * n for n in range(len(hits))], hits, "o-", color=colour, label=idea)
        axis.set(title=stage, xlabel="gradient steps from the closed form", ylabel="hit share, middle square")
        axis.grid(alpha=0.3)
    axes[0][0].legend(frameon=False, fontsize=8)
    figure.savefig(path, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("truth", type=Path)
    parser.add_argument("videos", type=Path)
    parser.add_argument("--stages", nargs="+", default=["mixed_3c", "mixed_4e"])
    parser.add_argument("--most", type=int, default=100, help="videos, evenly from the listing")
    parser.add_argument("--inner", type=int, default=128)
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--every", type=int, default=100)
    parser.add_argument("--plot", type=Path, default=PLOT)
    options = parser.parse_args()
    model, listing = load_model("i3d-observers"), read_listing(options.videos)
    chosen = listing.examples[:: max(1, len(listing.examples) // options.most)]
    curves: dict[str, dict[str, list[float]]] = {}
    with tempfile.TemporaryDirectory() as folder:
        few = Listing(tuple(chosen), listing.classes, listing.labelling)
        windows = windows_of(model, few, options.stages, Path(folder), each=1, tell=print)
        for stage in options.stages:
            scenes = [window.scene(stage) for window in windows]
            usable = [scene for scene in scenes if scene.usable]
            start = closed_form(sampled(scenes, np.random.default_rng(0)), options.inner)
            measure = Measure(model, options.truth, stage)
            for idea, loss in IDEAS.items():
                hits = curve(Relation(start), usable, loss, measure, options.steps, options.every)
                curves.setdefault(stage, {})[idea] = hits
                print(json.dumps({"stage": stage, "idea": idea, "hits": [round(hit, 4) for hit in hits]}), flush=True)
    draw(curves, options.every, options.plot)


if __name__ == "__main__":
    main()
