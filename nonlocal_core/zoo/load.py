"""`load_model`: a card's name or a file -> a Model ready to run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch

from nonlocal_core.errors import ConversionFailed
from nonlocal_core.model.build import Model
from nonlocal_core.model.engine import fast
from nonlocal_core.model.precision import Precision, check_precision
from nonlocal_core.zoo.cards import CARDS, MODELS, ModelCard, card_of, card_of_file
from nonlocal_core.zoo.checkpoint import Checkpoint, read_checkpoint
from nonlocal_core.zoo.containers import is_ours
from nonlocal_core.zoo.convert import convert_file, wanted_tensors


def load_model(
    name_or_path: str | Path = "default", *, models: Path = MODELS, precision: Precision | None = None
) -> Model:
    """The model of a card, of one of our .safetensors files, or of a checkpoint that somebody published.

    It is in evaluation mode.

    Args:
        models: the folder that `models fetch` filled.
        precision: of a fast twin, for inference only; None: the network itself, in float32, which can be trained.

    Raises:
        UnknownModel: neither a card nor a file.
        NotFetched: published, but not in the models folder.
        UnreadableCheckpoint: the file is neither ours nor of a source that we can convert.
        ConversionFailed: its tensors do not fit its network.
        UnsupportedPrecision: this machine does not compute in it.
    """
    check_precision(precision or "float32")
    card, checkpoint = _opened(name_or_path, models)
    model = Model(card.spec, checkpoint.header.labels, card)
    wanted, tensors = wanted_tensors(model), checkpoint.tensors
    misfits = [f"{name}: missing" for name in wanted if name not in tensors]
    misfits += [f"{name}: left over" for name in tensors if name not in wanted]
    misfits += [
        f"{name}: shape {list(array.shape)}, but the model has {list(wanted[name])}"
        for name, array in tensors.items()
        if name in wanted and array.shape != wanted[name]
    ]
    if misfits:
        raise ConversionFailed(misfits)
    model.load_state_dict({name: torch.from_numpy(array) for name, array in tensors.items()}, strict=False)
    return model.eval() if precision is None else fast(model.eval(), precision)


def _opened(name_or_path: str | Path, models: Path) -> tuple[ModelCard, Checkpoint]:
    path = Path(name_or_path)
    if str(name_or_path) not in CARDS and path.is_file() and not is_ours(path):
        checkpoint = convert_file(path)
        return card_of_file(path, checkpoint.header), checkpoint
    card = card_of(str(name_or_path), models)
    checkpoint = read_checkpoint(card.weights)
    if card.block_weights:
        blocks = read_checkpoint(card.block_weights)
        checkpoint = replace(checkpoint, tensors=checkpoint.tensors | blocks.tensors)
    return card, checkpoint
