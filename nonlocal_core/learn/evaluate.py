"""How well a network does on labelled videos, measured as the papers measure: many views a video, answers averaged.

    listing -> each video's views (decoded ahead) -> scores of each view -> their average -> metrics -> report

The networks' own windows (`ResNetHead`) average over places; this averages over views. Next: `metrics.py`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nonlocal_core.errors import UnusableListing, VideoError
from nonlocal_core.learn.clips import Protocol, Views, evaluation_views
from nonlocal_core.learn.listing import Example, Listing, Targets
from nonlocal_core.learn.metrics import average_precisions, class_accuracies, confusion
from nonlocal_core.learn.objectives import Supervised
from nonlocal_core.learn.validate import ahead
from nonlocal_core.model.build import Model
from nonlocal_core.video import normalise

Array = NDArray[Any]
Tell = Callable[[str], None]
BEST = 5  # predictions of a video that a report keeps


def silent(_line: str) -> None:
    """Progress that nobody watches."""


@dataclass(frozen=True)
class ClassResult:
    """One class: its top-1 accuracy (one class a video) or its average precision (several); NaN without videos."""

    name: str
    videos: int
    measure: float


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What a network scored; rows are the videos that could be read, in the listing's order."""

    classes: tuple[str, ...]
    names: tuple[str, ...]  # [N], paths
    scores: NDArray[np.float32]  # [N, C], averaged over views
    targets: Targets  # int64 [N] or float32 [N, C]
    broken: tuple[tuple[str, str], ...]  # path and reason of each video that could not be read
    metrics: dict[str, float]  # shares in [0, 1], by the objective: top1 and top5, or map
    per_class: tuple[ClassResult, ...]
    confusion: NDArray[np.int64] | None  # [C, C], true classes in rows; None where a video has several


def evaluate(
    model: Model,
    listing: Listing,
    protocol: Protocol,
    *,
    objective: Supervised,
    workers: int = 2,
    tell: Tell = silent,
) -> Evaluation:
    """Measure `model`, where it is (CPU or GPU), on every video of a listing.

    Args:
        model: it runs in evaluation mode, and is left as it was.
        listing: labelled as the objective needs it, with the model's own classes in the model's order.
        protocol: the views, and what of them is averaged.
        objective: turns logits into scores, and scores into metrics.
        workers: videos decoded at a time, ahead of the network; the views of each are some 100 MB.
        tell: gets a line of progress for each video.

    Raises:
        UnusableListing: it does not fit the model or the objective, or none of its videos can be read.
    """
    _check(model, listing, objective)
    done: list[tuple[Example, Array]] = []
    broken: list[tuple[str, str]] = []
    running = _Running(len(listing.examples), tell)
    with _in_evaluation_mode(model), torch.inference_mode():
        for example, views in ahead(lambda each: _decoded(each, model, protocol), listing.examples, workers):
            if isinstance(views, VideoError):
                broken.append((str(example.path), str(views)))
                running.skipped(example, views)
            else:
                done.append((example, _scores_of(model, views, protocol, objective)))
                running.measured(*done[-1])
    if not done:
        raise UnusableListing(f"none of the {len(broken)} videos can be read; the first: {': '.join(broken[0])}")
    return _put_together(listing, done, broken, objective)


def _check(model: Model, listing: Listing, objective: Supervised) -> None:
    if listing.labelling == "none" or listing.labelling != objective.labelling:
        raise UnusableListing(
            f"the videos are labelled {listing.labelling!r}, but {objective.name} is measured on "
            f"{objective.labelling!r}: one class a video is for softmax, several are for sigmoid"
        )
    if listing.classes != model.labels:
        raise UnusableListing(
            f"the listing's {len(listing.classes)} classes are not the model's {len(model.labels)}, in its order; "
            "read the listing with classes=model.labels"
        )


def _decoded(example: Example, model: Model, protocol: Protocol) -> tuple[Example, Views | VideoError]:
    """The example with its views, or with what is wrong with its video."""
    try:
        return example, evaluation_views(example.path, model.spec, protocol)
    except VideoError as error:
        return example, error


def _scores_of(model: Model, views: Iterable[NDArray[np.uint8]], protocol: Protocol, objective: Supervised) -> Array:
    """The average over the views, one at a time in the network: float32 [C]."""
    spec, device = model.spec, next(model.parameters()).device
    answers: list[Tensor] = []
    for view in views:
        batch = torch.from_numpy(normalise(view, spec.mean, spec.std)).to(device)  # [1, 3, T, H, W]
        logits = model(batch).float()  # [1, C]
        answers.append(objective.scores(logits) if protocol.average == "probabilities" else logits)
    mean = torch.cat(answers).mean(0, keepdim=True)  # [1, C]
    scores = mean if protocol.average == "probabilities" else objective.scores(mean)
    return scores[0].cpu().numpy()


@contextmanager
def _in_evaluation_mode(model: Model) -> Generator[None]:
    """Every module in evaluation mode; afterwards each is as it was, frozen batch norms too."""
    training = [module for module in model.modules() if module.training]
    model.eval()
    try:
        yield
    finally:
        for module in training:
            module.training = True


class _Running:
    """Lines of progress; of one class a video, with the accuracy so far."""

    def __init__(self, videos: int, tell: Tell) -> None:
        self._videos, self._tell = videos, tell
        self._seen = self._measured = self._right = 0

    def measured(self, example: Example, scores: Array) -> None:
        """A video was scored."""
        self._measured += 1
        self._right += int(scores.argmax()) in example.targets
        self._say(example, f"top-1 so far {100 * self._right / self._measured:.1f} %")

    def skipped(self, example: Example, error: VideoError) -> None:
        """A video could not be read."""
        self._say(example, f"BROKEN: {error}")

    def _say(self, example: Example, words: str) -> None:
        self._seen += 1
        self._tell(f"[{self._seen:{len(str(self._videos))}}/{self._videos}] {example.path.name}  {words}")


def _put_together(
    listing: Listing, done: list[tuple[Example, Array]], broken: list[tuple[str, str]], objective: Supervised
) -> Evaluation:
    examples = [example for example, _ in done]
    scores, targets = np.stack([scores for _, scores in done]), listing.targets(examples)  # [N, C]
    single = listing.labelling == "single"
    counts = confusion(scores, targets) if single else None
    measures = class_accuracies(scores, targets) if single else average_precisions(scores, targets)
    videos = counts.sum(1) if counts is not None else targets.sum(0)
    return Evaluation(
        classes=listing.classes,
        names=tuple(str(example.path) for example in examples),
        scores=scores,
        targets=targets,
        broken=tuple(broken),
        metrics=objective.metrics(scores, targets),
        per_class=tuple(
            ClassResult(name, int(count), float(measure))
            for name, count, measure in zip(listing.classes, videos, measures, strict=True)
        ),
        confusion=counts,
    )


def report(
    evaluation: Evaluation, *, model: str, weights_sha256: str, protocol: Protocol, objective: str, command: str
) -> dict[str, Any]:
    """All of an evaluation as data for JSON, and what is needed to get it again; what is NaN becomes null.

    Args:
        evaluation: what was measured.
        model: its name or file.
        weights_sha256: of the file of weights.
        protocol: how it was measured.
        objective: its name.
        command: the command line that did it.
    """
    found = {
        "command": command,
        "model": model,
        "weights_sha256": weights_sha256,
        "objective": objective,
        "seed": None,  # said outright: nothing here is drawn at random
        "protocol": protocol.model_dump(),
        "videos": len(evaluation.names),
        "metrics": evaluation.metrics,
        "classes_without_videos": sum(result.videos == 0 for result in evaluation.per_class),
        "broken": [{"video": video, "reason": reason} for video, reason in evaluation.broken],
        "per_class": [{"name": c.name, "videos": c.videos, "measure": c.measure} for c in evaluation.per_class],
        "confusion": None if evaluation.confusion is None else evaluation.confusion.tolist(),
        "predictions": list(_predictions(evaluation)),
    }
    return _without_nan(found)


def _predictions(evaluation: Evaluation) -> Iterator[dict[str, Any]]:
    """Each video's best classes and true ones."""
    for name, scores, targets in zip(evaluation.names, evaluation.scores, evaluation.targets, strict=True):
        true = np.flatnonzero(targets) if evaluation.confusion is None else [int(targets)]
        best = np.argsort(-scores, kind="stable")[:BEST]
        yield {
            "video": name,
            "true": [evaluation.classes[c] for c in true],
            "best": [{"label": evaluation.classes[c], "score": float(scores[c])} for c in best],
        }


def _without_nan(value: Any) -> Any:
    """JSON has no NaN."""
    return json.loads(json.dumps(value), parse_constant=lambda _name: None)


def format_table(evaluation: Evaluation) -> str:
    """For people: the classes that have videos, worst first, the videos that broke, and the metrics in per cent."""
    measure = "average precision" if evaluation.confusion is None else "top-1"
    known = sorted((c for c in evaluation.per_class if c.videos), key=lambda c: (c.measure, c.name))
    lines = [f"{'videos':>7} {measure:>18}  class"]
    lines += [f"{c.videos:7} {100 * c.measure:16.1f} %  {c.name}" for c in known]
    lines += [f"BROKEN {video}: {reason}" for video, reason in evaluation.broken]
    metrics = ", ".join(f"{name} {100 * value:.1f} %" for name, value in evaluation.metrics.items())
    counts = f"{len(evaluation.names)} videos, {len(evaluation.broken)} broken"
    return "\n".join([*lines, f"{metrics} ({counts})"])
