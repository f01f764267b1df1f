"""`ModelSpec`: every choice that changes a number, as data. It travels inside our .safetensors files.

A field enters here together with the code that reads it and a test that shows its effect; nothing else decides.
No torch: the web process reads specs too. Next: `build.py`, which turns a spec into a network.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Kind = Literal["gaussian", "embedded_gaussian", "dot_product", "concatenation"]
SubSampling = Literal["none", "pool_then_project", "project_then_pool"]
Norm = Literal["batch", "affine"]

SOFTMAX_KINDS: tuple[Kind, ...] = ("gaussian", "embedded_gaussian")  # C(x) = sum_j f; the other two divide by N


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class BlockSpec(_Frozen):
    """One non-local block: where it stands and how it computes f and g (Wang et al. 2018, Section 3)."""

    after: str = Field(
        description="the stage whose output the block reads, such as `res3_1` or `mixed_4c`; also the block's name"
    )
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
    domain: Literal["spacetime", "space", "time"] = Field(
        default="spacetime", description="the keys x_i is compared with: all, those of its frame, those of its place"
    )
    group_frames: int | None = Field(
        default=None,
        gt=0,
        description="x_i is compared within groups of so many time steps of the block's input",
    )
    residual: Literal["learned", "absent"] = Field(
        default="learned", description="absent: z = x; the block has no W_z and is only there to be looked at"
    )
    out_bias: bool = Field(default=True, description="whether the convolution of W_z has a bias")
    norm: Norm = Field(default="batch", description="what ends W_z: batch norm, or a learned scale and shift")
    norm_eps: float = Field(default=1e-5, gt=0, description="epsilon of a batch norm's variance")
    norm_momentum: float = Field(
        default=0.1, gt=0, le=1, description="weight of a training batch in a batch norm's running statistics"
    )

    @model_validator(mode="after")
    def _check(self) -> BlockSpec:
        if self.domain == "time" and self.sub_sampling != "none":
            raise ValueError(f"{self.after}: keys pooled in space have no own place; sub_sampling must be none")
        if self.domain == "space" and self.group_frames:
            raise ValueError(f"{self.after}: within one frame there is nothing to group; group_frames must be null")
        return self


class ResNetSpec(_Frozen):
    """A ResNet for video: C2D (inflation none) or I3D, and where time shrinks. Defaults: the paper's release, 32x2."""

    depth: Literal[50, 101] = 50
    inflation: Literal["none", "3x1x1", "3x3x3"] = Field(
        default="none",
        description="made temporal in every second bottleneck: nothing (C2D), the first 1x1, the 3x3",
    )
    stem_kernel_t: int = Field(default=1, gt=0, description="frames conv1's kernel spans: 1 in C2D, 5 in I3D")
    stem_stride_t: int = Field(default=2, gt=0, description="conv1's step in time")
    pool1_kernel_t: int = Field(default=2, gt=0, description="frames pool1 spans; it is 3x3 in space")
    pool1_stride_t: int = Field(default=2, gt=0, description="pool1's step in time; it is 2 in space")
    pool1_padding: Literal[0, 1] = Field(default=0, description="pool1's padding in space: 55x55 or 56x56 of 224 px")
    pool2_t: int = Field(default=2, gt=0, description="pool2, after res2, spans and steps so many frames; 1: none")
    spatial_stride_on: Literal["1x1", "3x3"] = Field(
        default="3x3", description="the convolution that halves the picture in a stage's first bottleneck"
    )
    norm: Norm = Field(default="batch", description="what follows every convolution: batch norm, or scale and shift")
    norm_eps: float = Field(default=1e-5, gt=0, description="epsilon of a batch norm's variance")
    head: Literal["global_average", "fully_convolutional"] = Field(
        default="fully_convolutional",
        description="classify the average of all places, or every 7x7 window, whose probabilities are averaged",
    )
    dropout: float = Field(default=0.5, ge=0, lt=1, description="before the classifier, in training only")


class ModelSpec(_Frozen):
    """A video network with non-local blocks, and the input it expects."""

    backbone: Literal["inception_v1", "resnet"] = Field(
        description="I3D of Carreira & Zisserman 2017 on Inception-v1, or a ResNet as `resnet` says"
    )
    resnet: ResNetSpec | None = None
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
        if (self.backbone == "resnet") != (self.resnet is not None):
            raise ValueError(f"backbone={self.backbone} and resnet={self.resnet} contradict each other")
        return self
