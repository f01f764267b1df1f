"""The network that a recipe trains, before its first step: its spec, its weights, and what of it may move.

    model -> spec, with the data's classes -> weights of `start` -> batch norms -> what is frozen

Next: `train.py`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import torch
from pydantic import ValidationError
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.modules.batchnorm import _BatchNorm  # pyright: ignore[reportPrivateUsage]  # the base of every batch norm

from nonlocal_core.errors import ConversionFailed, InvalidSpec, TrainingFailed
from nonlocal_core.learn.recipe import OWN, RANDOM, Recipe
from nonlocal_core.model.build import Model
from nonlocal_core.model.inflate import inflate
from nonlocal_core.model.spec import ModelSpec
from nonlocal_core.zoo.cards import CARDS, MODELS
from nonlocal_core.zoo.containers import is_ours, read_container
from nonlocal_core.zoo.load import load_model

Source = Model | dict[str, Tensor]  # a video network, or the tensors of a 2D one


@dataclass(frozen=True, eq=False)
class Start:
    """A network that is ready to be trained."""

    model: Model
    notes: tuple[str, ...]  # what its weights are, in words
    licence: str  # of the weights it starts from; empty where they are random


@dataclass(frozen=True)
class _Taken:
    """What was found in the source of the weights."""

    new_blocks: tuple[str, ...]
    notes: tuple[str, ...]


def build(recipe: Recipe, classes: tuple[str, ...], *, models: Path = MODELS) -> Start:
    """The network of `recipe` for these classes; none where the data has no labels: the model's stay.

    Args:
        recipe: its fields on the network are read here: model, start, blocks, dropout, batch_norm, freeze, seed.
        classes: of the training listing, in its order. Where the weights know all of them by name, the classifier's
            rows are kept; else it is new.
        models: the folder that `models fetch` filled.

    Raises:
        ModelError: the model or the weights cannot be read, or do not fit each other; all misfits are listed.
        TrainingFailed: a `freeze` that fits nothing, or nothing is left to train.
    """
    torch.manual_seed(recipe.seed)
    own = _described(recipe.model, models)
    spec = _adapted(own if isinstance(own, ModelSpec) else own.spec, recipe, classes)
    labels = classes or (own.labels if isinstance(own, Model) else ())
    model = Model(spec, labels)
    source = _source(recipe, own, models)
    taken = _take(model, source)
    if recipe.batch_norm == "affine":
        model = folded(model)
    if recipe.batch_norm == "frozen":
        _freeze_batch_norms(model, but=taken.new_blocks)
    if spec.resnet is None and recipe.dropout:
        _drop_before_classifier(model, recipe.dropout)
    _freeze(model, recipe.freeze)
    licence = source.card.licence if isinstance(source, Model) and source.card else ""
    return Start(model, taken.notes, licence)


def set_training(module: nn.Module) -> None:
    """Training mode, but a batch norm of which nothing is trained keeps its statistics too."""
    module.train()
    for _, part in _batch_norms(module):
        if not any(parameter.requires_grad for parameter in part.parameters()):
            part.eval()


def folded(model: Model) -> Model:
    """The same ResNet with every batch norm folded into a scale and shift, as the release fine-tunes (USE_AFFINE).

    Raises:
        InvalidSpec: it is no ResNet.
    """
    if model.spec.resnet is None:
        raise InvalidSpec(f"batch_norm=affine needs a ResNet, not {model.spec.backbone}; choose frozen or trained")
    resnet = model.spec.resnet.model_copy(update={"norm": "affine"})
    blocks = tuple(block.model_copy(update={"norm": "affine"}) for block in model.spec.blocks)
    affine = Model(model.spec.model_copy(update={"resnet": resnet, "blocks": blocks}), model.labels, model.card)
    state = model.state_dict()
    for name, part in _batch_norms(model):
        mean, variance = state.pop(f"{name}.running_mean"), state.pop(f"{name}.running_var")
        del state[f"{name}.num_batches_tracked"]
        state[f"{name}.weight"] = scale = state[f"{name}.weight"] * (variance + part.eps).rsqrt()
        state[f"{name}.bias"] = state[f"{name}.bias"] - mean * scale
    affine.load_state_dict(state)
    return affine


def _batch_norms(module: nn.Module) -> list[tuple[str, _BatchNorm]]:
    """All batch norms, by their names in the module."""
    parts = cast("Iterable[tuple[str, nn.Module]]", module.named_modules())  # torch leaves its type half open
    return [(name, part) for name, part in parts if isinstance(part, _BatchNorm)]


def _described(name: str, models: Path) -> Model | ModelSpec:
    """What `model` names: a network with its weights, or only its description."""
    if not name.endswith(".json"):
        return load_model(name, models=models)
    try:
        return ModelSpec.model_validate_json(Path(name).read_bytes())
    except OSError as error:
        raise InvalidSpec(f"the spec {name} cannot be read: {error.strerror}") from None
    except ValidationError as error:
        raise InvalidSpec(f"{name} is no model spec: {error}") from error


def _adapted(spec: ModelSpec, recipe: Recipe, classes: tuple[str, ...]) -> ModelSpec:
    resnet = spec.resnet and spec.resnet.model_copy(update={"dropout": recipe.dropout})
    blocks = () if recipe.blocks == "remove" else spec.blocks
    return spec.model_copy(update={"classes": len(classes) or spec.classes, "blocks": blocks, "resnet": resnet})


def _source(recipe: Recipe, own: Model | ModelSpec, models: Path) -> Source | None:
    """Where the weights come from; None where they stay random."""
    if recipe.start == OWN:
        return own if isinstance(own, Model) else None
    if recipe.start == RANDOM:
        return None
    path = Path(recipe.start)
    if recipe.start not in CARDS and path.is_file() and not is_ours(path):
        arrays = read_container(path).arrays
        first = arrays.get("conv1.weight")
        if first is not None and first.ndim == 4:  # of a picture: a 2D network in torchvision's layout
            return {name: torch.from_numpy(array) for name, array in arrays.items() if array.ndim}
    return load_model(recipe.start, models=models)


def _take(model: Model, source: Source | None) -> _Taken:
    """Fill `model` from the source as far as it goes; its stages must fit, blocks and classifier may be new."""
    if source is None:
        return _Taken(tuple(model.blocks), ("every weight starts at random",))
    if not isinstance(source, Model):
        inflate(model, source)
        return _Taken(tuple(model.blocks), ("stages inflated from a 2D ResNet; blocks and classifier are new",))
    _take_stages(model, source)
    new = tuple(name for name in model.blocks if not _take_block(model, source, name))
    notes = [f"new blocks: {', '.join(new)}"] if new else []
    if not _take_classifier(model, source):
        notes.append(f"the classifier is new: the weights do not know all {len(model.labels)} classes by name")
    return _Taken(new, tuple(notes))


def _take_stages(model: Model, source: Model) -> None:
    ours, theirs = model.stages.state_dict(), source.stages.state_dict()
    misfits = [f"stages.{name}: missing in the weights to start from" for name in ours if name not in theirs]
    misfits += [f"stages.{name}: the model has no such tensor" for name in theirs if name not in ours]
    misfits += [
        f"stages.{name}: shape {list(value.shape)}, but the model has {list(ours[name].shape)}"
        for name, value in theirs.items()
        if name in ours and value.shape != ours[name].shape
    ]
    if misfits:
        raise ConversionFailed(misfits)
    model.stages.load_state_dict(theirs)


def _take_block(model: Model, source: Model, name: str) -> bool:
    """Whether the source has this block, tensor for tensor; then its weights are taken."""
    ours = {key: value.shape for key, value in model.blocks[name].state_dict().items()}
    if not ours:
        return True  # it has no weights
    theirs = source.blocks[name].state_dict() if name in source.blocks else {}
    if ours != {key: value.shape for key, value in theirs.items()}:
        return False
    model.blocks[name].load_state_dict(theirs)
    return True


def _take_classifier(model: Model, source: Model) -> bool:
    """Whether the source knows every class of the model by its name; then the rows of these are taken."""
    rows_of = {label: row for row, label in enumerate(source.labels)}
    if any(label not in rows_of for label in model.labels):
        return False
    rows = torch.tensor([rows_of[label] for label in model.labels])
    theirs = source.head.state_dict()
    model.head.load_state_dict({name: value[rows] for name, value in theirs.items()})  # classifier.weight and .bias
    return True


def _freeze_batch_norms(model: Model, but: tuple[str, ...]) -> None:
    """A new block's scale is zero: frozen, it would stay silent for ever."""
    new = tuple(f"blocks.{name}." for name in but)
    for name, part in _batch_norms(model):
        if not name.startswith(new):
            for parameter in part.parameters():
                parameter.requires_grad = False


def _drop_before_classifier(model: Model, share: float) -> None:
    """Inception's head has no dropout of its own; i3d.py drops between pool and classifier, as this does."""

    def drop(classifier: nn.Module, inputs: tuple[Tensor, ...]) -> Tensor:
        return functional.dropout(inputs[0], share, classifier.training)

    assert isinstance(model.head.classifier, nn.Module)
    model.head.classifier.register_forward_pre_hook(drop)


def _freeze(model: Model, patterns: tuple[str, ...]) -> None:
    parameters = dict(model.named_parameters())
    for pattern in patterns:
        try:
            found = [name for name in parameters if re.fullmatch(pattern, name)]
        except re.error as error:
            raise TrainingFailed(f"freeze={pattern!r} is no regular expression: {error}") from None
        if not found:
            raise TrainingFailed(f"freeze={pattern!r} fits no parameter; names are such as {next(iter(parameters))}")
        for name in found:
            parameters[name].requires_grad = False
    if not any(parameter.requires_grad for parameter in parameters.values()):
        raise TrainingFailed(f"freeze={patterns} leaves nothing to train")
