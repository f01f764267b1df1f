"""Model cards: the models that are here, with what a person should know about each. No torch.

A model is here when its weights ship (CARDS) or lie in the models folder, where `models fetch` puts them. What others
published and can be fetched is in published.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from nonlocal_core.errors import AmbiguousModel, NotFetched, UnknownModel
from nonlocal_core.model.spec import BlockSpec, ModelSpec
from nonlocal_core.zoo import deepmind
from nonlocal_core.zoo.checkpoint import Header, read_header
from nonlocal_core.zoo.published import PUBLISHED

_ZOO = Path(__file__).parent
KINETICS_LABELS = _ZOO / "labels" / "kinetics-400.txt"
MODELS = Path("~/.local/share/nonlocal-lens/models")  # the models folder where nobody names another


class ModelCard(BaseModel):
    """What a model is, where it comes from, and what not to believe of it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    title: str
    summary: str
    spec: ModelSpec
    weights: Path = Field(description="our .safetensors file")
    block_weights: Path | None = Field(default=None, description="a second one, of the blocks' tensors alone")
    source: str
    licence: str
    page: str | None = Field(default=None, description="where its authors describe it")
    claimed_top1: float | None = Field(default=None, description="percent on Kinetics-400, as its authors report it")
    claimed_top5: float | None = None
    random_weights: bool = Field(default=False, description="nothing was learnt: what it answers means nothing")
    notes: tuple[str, ...] = Field(default=(), description="what differs from the paper, and limits")


_STAGES = ("mixed_3c", "mixed_4b", "mixed_4c", "mixed_4e", "mixed_4f")
_I3D = _ZOO / "weights" / "i3d-kinetics-400.safetensors"
_I3D_LICENCE = "Apache-2.0 (weights), MIT (the package they were taken from)"


def _related(stage: str) -> BlockSpec:
    return BlockSpec(after=stage, kind="embedded_gaussian", inner_channels=128, norm="affine")


def _observer(stage: str) -> BlockSpec:
    return BlockSpec(after=stage, kind="gaussian", similarity="cosine", scale=1 / TEMPERATURE, residual="absent")


# Cosines of one clip's features spread over about 0.1, a row's logits then over about 1. Sharper is possible, but
# some features live in one channel, where float16 would cost more than 0.2 % of a weight.
TEMPERATURE = 0.1

DEFAULT = ModelCard(
    name="default",
    title="Non-local I3D, Kinetics-400, with five embedded Gaussian blocks",
    summary=(
        "DeepMind's I3D (Inception-v1) as trained on Kinetics-400, frozen, with five non-local blocks that were fitted "
        "to unlabelled videos: theta and phi relate what moves together, g and W_z restore what is hidden."
    ),
    spec=deepmind.SPEC.model_copy(update={"blocks": tuple(map(_related, _STAGES))}),
    weights=_I3D,
    block_weights=_ZOO / "weights" / "i3d-related-blocks.safetensors",
    source=f"{deepmind.PROVENANCE['original']}; from {deepmind.PROVENANCE['source']}; blocks: `nonlocal-lens relate`",
    licence=_I3D_LICENCE,
    notes=(
        "The paper learns blocks and network together from Kinetics' labels; here the network is frozen and the blocks "
        "never saw a label. No gradient passed through the network.",
        "Theta and phi: whitening of what differs between cells that find each other across frames, then (but for "
        "mixed_3c) gradient steps that put the affinity of what moves against the camera on what moves so at other "
        "times. g and W_z: least squares. W_z ends in a scale and shift, not a batch norm; the softmax has no scale.",
        "Fitted to short real videos of other projects' repositories (people, animals, vehicles, sports, surveillance "
        "with fights), none of which may be redistributed. What they do not show, the blocks do not know.",
        "Measured by `nonlocal-lens score` on ten real sequences with masks: of the 20 arrows into other frames, "
        ".57 to .64 end on the same object in the middle square (chance .18, similar features .52 to .59), .55 to "
        ".58 in the whole frame (.09, .50 to .54). On composed clips, whose objects are pasted in, only mixed_3c is "
        "better than similarity.",
        "Of 104 held-out clips 96 % keep I3D's class; with half of the cells hidden in boxes of 2x4x4, 46 % do, and "
        "32 % without blocks. How strong the blocks are was chosen on these clips.",
        "Made in a quarter of an hour on two cores by `nonlocal-lens relate` and scripts/ship_blocks.py; curves, "
        "what was tried and what limits it: docs/experiments/0002.",
    ),
)

OBSERVERS = ModelCard(
    name="i3d-observers",
    title="I3D, Kinetics-400, with five observing Gaussian blocks",
    summary=(
        "DeepMind's I3D (Inception-v1) as trained on Kinetics-400. Its blocks have no parameters and were not trained: "
        "they show how alike the network's own features are, and change nothing in its predictions."
    ),
    spec=deepmind.SPEC.model_copy(update={"blocks": tuple(map(_observer, _STAGES))}),
    weights=_I3D,
    source=f"{deepmind.PROVENANCE['original']}; from {deepmind.PROVENANCE['source']}",
    licence=_I3D_LICENCE,
    notes=(
        "The blocks are of the Gaussian kind, f = exp(x_i . x_j), on features divided by their length (cosine) and a "
        f"temperature of {TEMPERATURE}; the paper divides by neither.",
        "Keys are max-pooled 2x2 in space, as in the paper's sub-sampling.",
        "The residual branch is absent (z = x), so the predictions are exactly those of I3D.",
        "Arrows therefore mean similar features, not something the network learnt to use.",
    ),
)

CARDS: dict[str, ModelCard] = {card.name: card for card in (DEFAULT, OBSERVERS)}


def models_folder(environ: Mapping[str, str]) -> Path:
    """The models folder of this user: in $XDG_DATA_HOME where that is set. The command line and the server ask."""
    home = environ.get("XDG_DATA_HOME")
    return Path(home, "nonlocal-lens", "models") if home else MODELS


def weights_path(name: str, models: Path = MODELS) -> Path:
    """Where the weights of a fetched model lie."""
    return models.expanduser() / f"{name}.safetensors"


def card_of(name_or_path: str, models: Path = MODELS) -> ModelCard:
    """The card of a model that is here: by its name, or read off the header of a model file of ours.

    Raises:
        NotFetched: published, but its weights are not in the models folder.
        UnknownModel: neither a name nor a file.
        UnreadableCheckpoint: the file is not one of ours.
    """
    if card := CARDS.get(name_or_path):
        return card
    fetched = {path.stem: path for path in models.expanduser().glob("*.safetensors")}
    path = fetched.get(name_or_path, Path(name_or_path))
    if path.is_file():
        return card_of_file(path, read_header(path))
    if name_or_path in PUBLISHED:
        raise NotFetched(name_or_path)
    raise UnknownModel(name_or_path, (*CARDS, *sorted(fetched)))


def cards_of(names: Iterable[str], models: Path = MODELS) -> dict[str, ModelCard]:
    """Cards by the names that people see: of a file, its stem and not its path.

    Raises:
        AmbiguousModel: two files have the same stem.
        NotFetched, UnknownModel, UnreadableCheckpoint: as `card_of`.
    """
    cards: dict[str, ModelCard] = {}
    for name in names:
        card = card_of(name, models)
        if cards.setdefault(card.name, card).weights != card.weights:
            raise AmbiguousModel(card.name)
    return cards


def card_of_file(path: Path, header: Header) -> ModelCard:
    """The card of a model file of ours; what its header does not tell is looked up where it was published."""
    told = header.provenance
    published = PUBLISHED.get(told.get("published", ""))
    random = told.get("weights") == "random"
    source = told.get("source", "unknown")
    return ModelCard(
        name=path.stem,
        title=published.title if published else path.stem,
        summary=_RANDOM if random else f"From {published.project}." if published else _GIVEN,
        spec=header.spec,
        weights=path,
        source=f"{published.project}, {published.file}" if published else source,
        page=published.page if published else None,
        licence=published.licence if published else told.get("licence", "unknown"),
        claimed_top1=published.claimed_top1 if published else None,
        claimed_top5=published.claimed_top5 if published else None,
        random_weights=random,
        notes=(*(published.differs if published else ()), *told.get("notes", "").splitlines()),
    )


_GIVEN = "A model file that was given to this server."
_RANDOM = "Random weights: this network has learnt nothing, and what it answers means nothing."
