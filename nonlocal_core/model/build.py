"""From a `ModelSpec` to a network: the backbone's stages with a non-local block after each stage that asks for one."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

from torch import Tensor, nn

from nonlocal_core.errors import InvalidSpec
from nonlocal_core.model.block import NonLocalBlock
from nonlocal_core.model.inception import MODULES, InceptionHead, inception_stages, width_of
from nonlocal_core.model.precision import Precision
from nonlocal_core.model.resnet import ResNetHead, resnet_stages, resnet_widths
from nonlocal_core.model.spec import ModelSpec

if TYPE_CHECKING:
    from nonlocal_core.zoo.cards import ModelCard


class Model(nn.Module):
    """A video classifier with non-local blocks, built from its spec; weights are random until loaded.

    `labels` name the classes in the classifier's order; `card` says where the weights come from, None when they are
    random. `blocks[name]` is the block after stage `name`, in network order. `precision` is that of a fast twin
    (`engine.py`), None of the network as it is built here, which can be trained.
    """

    def __init__(self, spec: ModelSpec, labels: tuple[str, ...] = (), card: ModelCard | None = None) -> None:
        super().__init__()
        self.spec, self.card = spec, card
        self.precision: Precision | None = None
        self.labels = labels or tuple(f"class {i}" for i in range(spec.classes))
        if len(self.labels) != spec.classes:
            raise InvalidSpec(f"{len(self.labels)} labels for {spec.classes} classes; there must be one for each")
        widths = stage_widths(spec)
        wanted = {block.after: block for block in spec.blocks}
        if unknown := sorted(set(wanted) - set(widths)):
            raise InvalidSpec(f"no stage {', '.join(unknown)} for a block; blocks may follow {', '.join(widths)}")
        self.stages = nn.ModuleDict(resnet_stages(spec.resnet) if spec.resnet else inception_stages())
        self.blocks = nn.ModuleDict(
            {name: NonLocalBlock(wanted[name], width) for name, width in widths.items() if name in wanted}
        )
        features = list(widths.values())[-1]
        self.head: nn.Module = (
            ResNetHead(spec.resnet, features, spec.classes) if spec.resnet else InceptionHead(features, spec.classes)
        )

    def forward(self, batch: Tensor) -> Tensor:
        """Normalised clips float32 [N, 3, T, S, S] -> logits [N, classes]."""
        x = batch
        for name, stage in self.stages.items():
            x = stage(x)
            if name in self.blocks:
                x = self.blocks[name](x)
        return self.head(x)


def stage_widths(spec: ModelSpec) -> OrderedDict[str, int]:
    """The stages that a block may follow and the channels that leave each, in network order."""
    if spec.resnet:
        return resnet_widths(spec.resnet)
    return OrderedDict((name, width_of(name)) for name in MODULES)
