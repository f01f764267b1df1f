"""`load_model`: a card's name or a file -> a Model ready to run."""

from __future__ import annotations

from pathlib import Path

import torch

from nonlocal_core.errors import ConversionFailed
from nonlocal_core.model.build import Model
from nonlocal_core.zoo.cards import card_of
from nonlocal_core.zoo.checkpoint import read_checkpoint
from nonlocal_core.zoo.convert import wanted_tensors


def load_model(name_or_path: str | Path = "default") -> Model:
    """The model of a card, or of one of our .safetensors files, in evaluation mode.

    Raises:
        UnknownModel: neither a card nor a file.
        UnreadableCheckpoint: the file is not one of ours.
        ConversionFailed: the file does not fit its own spec.
    """
    card = card_of(str(name_or_path))
    checkpoint = read_checkpoint(card.weights)
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
    return model.eval()
