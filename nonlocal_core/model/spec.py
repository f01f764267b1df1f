"""`ModelSpec`: every choice that changes a number, as data. It travels inside our .safetensors files.

A field enters here together with the code that reads it and a test that shows its effect; nothing else decides.
No torch: the web process reads specs too. Next: `build.py`, which turns a spec into a network.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Kind = Literal["gaussian", "embedded_gaussian", "dot_product", "concatenation"]
SubSampling = Literal["none", "pool_then_project", "project_then_pool"]

SOFTMAX_KINDS: tuple[Kind, ...] = ("gaussian", "embedded_gaussian")  # C(x) = sum_j f; the other two divide by N


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class BlockSpec(_Frozen):
    """One non-local block: where it stands and how it computes f and g (Wang et al. 2018, Section 3)."""

    after: str = Field(description="the stage whose output the block reads, such as `mixed_4c`; also the block's name")
    kind: Kind = Field(description="the pairwise function f, in the paper's words")
    inner_channels: int | None = Field(
        default=None, gt=0, description="width of theta, phi and g; half of the input when null"
    )
    sub_sampling: SubSampling = Field(
        default="pool_then_project",
        description="2x2 max-pooling in space of what phi and g read (before the projection) or of what they give",
    )
    scale: float | Literal["inverse_sqrt"] = Field(
        default=1.0, description="factor on theta . phi: a number (1 in the paper), or 1/sqrt of the embedding's width"
    )
    similarity: Literal["dot", "cosine"] = Field(
        default="dot", description="cosine divides theta and phi by their lengths"
    )
    residual: Literal["learned", "absent"] = Field(
        default="learned", description="absent: z = x; the block has no W_z and is only there to be looked at"
    )


class ModelSpec(_Frozen):
    """A video network with non-local blocks, and the input it expects."""

    backbone: Literal["inception_v1"] = Field(description="I3D of Carreira & Zisserman 2017 on Inception-v1")
    classes: int = Field(default=400, gt=0)
    frames: int = Field(default=32, gt=0, description="T, frames of one clip")
    stride: int = Field(default=2, gt=0, description="every stride-th frame of the video is taken")
    size_px: int = Field(default=224, gt=0, description="side of the square crop the network sees")
    short_side_px: int = Field(
        default=256, gt=0, description="the shorter side of the video is resized to this before cropping"
    )
    mean: tuple[float, float, float] = Field(description="RGB mean of values in [0, 1], subtracted")
    std: tuple[float, float, float] = Field(description="RGB divisor after the mean")
    blocks: tuple[BlockSpec, ...] = ()

    @model_validator(mode="after")
    def _check(self) -> ModelSpec:
        names = [block.after for block in self.blocks]
        if len(set(names)) != len(names):
            raise ValueError(f"two blocks after the same stage: {names}; a stage carries at most one")
        if self.short_side_px < self.size_px:
            raise ValueError(f"short_side_px={self.short_side_px} is smaller than the crop size_px={self.size_px}")
        return self
