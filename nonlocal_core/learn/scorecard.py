"""The scorecard: arrows on clips with known truth, and classes under hidden cells, of several models and baselines.

`score.py`, `rows.py` and `occlusion.py` measure; here it is all put together, over clips, and made into JSON.
Next: `scorecard_text.py`, which prints it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from nonlocal_core.affinity.arrows import TOP_ARROWS
from nonlocal_core.affinity.field import AffinityField, Floats
from nonlocal_core.errors import InvalidSpec
from nonlocal_core.learn import rows, score
from nonlocal_core.learn.baselines import Blocks, baseline_blocks, baseline_fields, own_fields
from nonlocal_core.learn.occlusion import Hiding, Occlusion
from nonlocal_core.learn.rows import Rows, mean_rows, rows_of
from nonlocal_core.learn.score import Score, mean_score, score_field
from nonlocal_core.learn.truth import TruthClip
from nonlocal_core.learn.views import VIEWS, Shown, View, show, truth_in
from nonlocal_core.model.build import Model

Tell = Callable[[str], None]


@dataclass(frozen=True)
class BlockCard:
    """One block of one model or baseline in one view."""

    arrows: Score  # over all queries of all clips
    rows: Rows
    clips: dict[str, Score]  # by the name of the truth


Card = dict[View, dict[str, dict[str, BlockCard]]]  # by view, by the name of a model or baseline, by block


@dataclass
class _Tally:
    """What was found of one block so far."""

    scores: dict[str, list[Score]] = field(default_factory=dict[str, list[Score]])
    rows: list[Rows] = field(default_factory=list[Rows])

    def add(self, affinities: AffinityField, masks: Mapping[str, Floats]) -> None:
        self.rows.append(rows_of(affinities))
        for name, mask in masks.items():
            self.scores[name] = score_field(affinities, mask)

    def card(self) -> BlockCard:
        everything = [each for scores in self.scores.values() for each in scores]
        by_clip = {name: mean_score(scores) for name, scores in self.scores.items()}
        return BlockCard(mean_score(everything), mean_rows(self.rows), by_clip)


def arrow_card(
    models: Mapping[str, Model],
    clips: Iterable[TruthClip],
    *,
    views: Sequence[View] = VIEWS,
    tell: Tell = lambda _line: None,
) -> Card:
    """Every model's blocks, and the baselines on the grids of the first model's, over all clips.

    Args:
        models: by name; the first one's features and grids are the baselines'.
        clips: those of one video next to each other, so that each video is run once for each model and view.
        views: what the networks are shown.
        tell: gets a line of progress for each video and view.

    Raises:
        InvalidSpec: a model has no block.
        VideoError: a video cannot be read.
    """
    if blind := [name for name, model in models.items() if not model.blocks]:
        raise InvalidSpec(f"{blind[0]} has no non-local block, so there are no arrows to score")
    first = next(iter(models))
    blocks = baseline_blocks(models[first])
    found: dict[View, dict[str, dict[str, _Tally]]] = {view: {} for view in views}
    for video, of_video in groupby(clips, lambda clip: clip.video):
        truths = list(of_video)
        for view in views:
            for name, model in models.items():
                shown = show(video, model.spec, view)
                masks = {truth.name: truth_in(shown, truth) for truth in truths}
                for method, block, affinities in _fields(name, model, blocks if name == first else {}, shown):
                    tallies = found[view].setdefault(method, {})
                    tallies.setdefault(block, _Tally()).add(affinities, masks)
            tell(f"{view}: {', '.join(truth.name for truth in truths)}")
    return {
        view: {method: {block: tally.card() for block, tally in each.items()} for method, each in methods.items()}
        for view, methods in found.items()
    }


def _fields(
    name: str, model: Model, blocks: dict[str, Blocks], shown: Shown
) -> Iterator[tuple[str, str, AffinityField]]:
    """The model's own affinities first, so that it comes first in the card."""
    yield from ((name, block, affinities) for block, affinities in own_fields(model, shown).items())
    if blocks:
        yield from baseline_fields(model, blocks, shown)


def as_json(card: Card, occlusions: Mapping[str, Occlusion], hiding: Hiding, **about: Any) -> dict[str, Any]:
    """Everything measured and what it was measured with; what is no number (such as a mean of nothing) is null.

    Args:
        card: of the arrows.
        occlusions: by the name of the model.
        hiding: what they were measured with.
        about: what else to keep, such as the command.
    """
    settings = {
        "top_arrows": TOP_ARROWS,
        "on_object": score.ON_OBJECT,
        "object_queries": score.MOST_QUERIES,
        "row_queries": rows.QUERIES,
        "seeds": {"object_queries": score.SEED, "row_queries": rows.SEED},
        "hiding": hiding,
    }
    found = {**about, "settings": settings, "arrows": card, "occlusion": dict(occlusions)}
    return json.loads(json.dumps(found, default=_named), parse_constant=lambda _name: None)


def _named(value: object) -> dict[str, Any]:
    """A dataclass as JSON has it."""
    return {**vars(value), "lift": value.lift} if isinstance(value, Score) else vars(value)
