"""Model cards: the models we know by name, with what a person should know about each. No torch here."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from nonlocal_core.errors import UnknownModel
from nonlocal_core.model.spec import BlockSpec, ModelSpec
from nonlocal_core.zoo import deepmind
from nonlocal_core.zoo.checkpoint import read_header

_ZOO = Path(__file__).parent
KINETICS_LABELS = _ZOO / "labels" / "kinetics-400.txt"


class ModelCard(BaseModel):
    """What a model is, where it comes from, and what not to believe of it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    title: str
    summary: str
    spec: ModelSpec
    weights: Path = Field(description="our .safetensors file")
    source: str
    licence: str
    claimed_top1: float | None = Field(default=None, description="percent on Kinetics-400, as its authors report it")
    notes: tuple[str, ...] = Field(default=(), description="what differs from the paper, and limits")


def _observer(stage: str) -> BlockSpec:
    return BlockSpec(after=stage, kind="gaussian", similarity="cosine", scale=1 / TEMPERATURE, residual="absent")


# Cosines of one clip's features spread over about 0.1, a row's logits then over about 1. Sharper is possible, but
# some features live in one channel, where float16 would cost more than 0.2 % of a weight.
TEMPERATURE = 0.1

DEFAULT = ModelCard(
    name="default",
    title="I3D, Kinetics-400, with five observing Gaussian blocks",
    summary=(
        "DeepMind's I3D (Inception-v1) as trained on Kinetics-400. Its blocks have no parameters and were not trained: "
        "they show how alike the network's own features are, and change nothing in its predictions."
    ),
    spec=deepmind.SPEC.model_copy(
        update={"blocks": tuple(map(_observer, ("mixed_3c", "mixed_4b", "mixed_4c", "mixed_4e", "mixed_4f")))}
    ),
    weights=_ZOO / "weights" / "i3d-kinetics-400.safetensors",
    source=f"{deepmind.PROVENANCE['original']}; from {deepmind.PROVENANCE['source']}",
    licence="Apache-2.0 (weights), MIT (the package they were taken from)",
    notes=(
        "The blocks are of the Gaussian kind, f = exp(x_i . x_j), on features divided by their length (cosine) and a "
        f"temperature of {TEMPERATURE}; the paper divides by neither.",
        "Keys are max-pooled 2x2 in space, as in the paper's sub-sampling.",
        "The residual branch is absent (z = x), so the predictions are exactly those of I3D.",
        "Arrows therefore mean similar features, not something the network learnt to use.",
    ),
)

CARDS: dict[str, ModelCard] = {card.name: card for card in (DEFAULT,)}


def card_of(name_or_path: str) -> ModelCard:
    """The card of a model that we know, or one read off the header of a model file of ours.

    Raises:
        UnknownModel: neither a card's name nor a file.
        UnreadableCheckpoint: the file is not one of ours.
    """
    if card := CARDS.get(name_or_path):
        return card
    path = Path(name_or_path)
    if not path.is_file():
        raise UnknownModel(name_or_path, tuple(CARDS))
    header = read_header(path)
    return ModelCard(
        name=name_or_path,
        title=path.stem,
        summary="A model file that was given to this server.",
        spec=header.spec,
        weights=path,
        source=header.provenance.get("source", "unknown"),
        licence=header.provenance.get("licence", "unknown"),
    )
