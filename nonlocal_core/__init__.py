"""Look inside non-local neural networks: which places in space and time does a block relate?

    import nonlocal_core as nl
    model = nl.load_model("default")
    analysis = nl.analyse("kick.mp4", model)
    analysis.arrows("mixed_4c", frame=0, x=0.5, y=0.4)

Names are looked up when they are first used, so that a question to a stored analysis never imports torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nonlocal_core.affinity.arrows import Arrow
    from nonlocal_core.affinity.capture import capture
    from nonlocal_core.affinity.field import AffinityField
    from nonlocal_core.affinity.query import Answer, Near, Query, answer
    from nonlocal_core.affinity.store import AffinityStore
    from nonlocal_core.analysis import Analysis, Clip, analyse
    from nonlocal_core.geometry import ClipPoint, Grid, GridPoint
    from nonlocal_core.model.spec import BlockSpec, ModelSpec
    from nonlocal_core.zoo.cards import ModelCard
    from nonlocal_core.zoo.load import load_model

__all__ = [
    "AffinityField",
    "AffinityStore",
    "Analysis",
    "Answer",
    "Arrow",
    "BlockSpec",
    "Clip",
    "ClipPoint",
    "Grid",
    "GridPoint",
    "ModelCard",
    "ModelSpec",
    "Near",
    "Query",
    "analyse",
    "answer",
    "capture",
    "load_model",
]

_HOMES = {
    "affinity.arrows": ("Arrow",),
    "affinity.capture": ("capture",),
    "affinity.field": ("AffinityField",),
    "affinity.query": ("Answer", "Near", "Query", "answer"),
    "affinity.store": ("AffinityStore",),
    "analysis": ("Analysis", "Clip", "analyse"),
    "geometry": ("ClipPoint", "Grid", "GridPoint"),
    "model.spec": ("BlockSpec", "ModelSpec"),
    "zoo.cards": ("ModelCard",),
    "zoo.load": ("load_model",),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOME_OF[name]}"), name)
    globals()[name] = value
    return value
