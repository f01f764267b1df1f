"""The non-local block: z_i = W_z y_i + x_i (Wang et al. 2018, Eq. 6 and Figure 2)."""

from __future__ import annotations

from typing import cast

from torch import Tensor, nn
from torch.nn import functional

from nonlocal_core.errors import InvalidSpec
from nonlocal_core.model.groups import WHOLE, Groups
from nonlocal_core.model.norm import norm_of, scale_of
from nonlocal_core.model.pairwise import Affinity, Pairwise
from nonlocal_core.model.spec import BlockSpec


class NonLocalBlock(nn.Module):
    """x [N, C, T, H, W] -> z of the same shape.

    theta, phi and g are 1x1x1 convolutions to half the channels; Gaussian blocks compare x itself. Sub-sampling
    max-pools 2x2 in space what the keys read (Section 3.3, "subsampling trick"). W_z ends in a norm and starts as
    zero, so that a new block changes nothing (Section 4.1): a batch norm by its scale, an affine by its convolution.
    """

    def __init__(self, spec: BlockSpec, channels: int) -> None:
        super().__init__()
        inner = spec.inner_channels or channels // 2
        embedded = spec.kind != "gaussian"
        width = inner if embedded else channels
        self.spec = spec
        self.theta = nn.Conv3d(channels, inner, 1) if embedded else nn.Identity()
        self.phi = nn.Conv3d(channels, inner, 1) if embedded else nn.Identity()
        self.pool = nn.Identity() if spec.sub_sampling == "none" else nn.MaxPool3d((1, 2, 2))
        self.pairwise = Pairwise(spec.kind, width, width**-0.5 if spec.scale == "inverse_sqrt" else spec.scale)
        if spec.residual == "learned":
            self.g = nn.Conv3d(channels, inner, 1)
            self.w_z = nn.Sequential(
                nn.Conv3d(inner, channels, 1, bias=spec.out_bias),
                norm_of(spec.norm, channels, spec.norm_eps, spec.norm_momentum),
            )
            self._initialise()

    def _initialise(self) -> None:
        for conv in (self.theta, self.phi, self.g, self.w_z[0]):
            if isinstance(conv, nn.Conv3d):
                nn.init.normal_(conv.weight, std=0.01)  # as in the authors' release, see FACTS
                if conv.bias is not None:
                    nn.init.zeros_(conv.bias)
        silent = self.w_z[1 if self.spec.norm == "batch" else 0]
        nn.init.zeros_(silent.weight)  # pyright: ignore[reportArgumentType]

    def forward(self, x: Tensor) -> Tensor:
        """Relate every place of x to every other of its group and add the result to x.

        Raises:
            InvalidSpec: the frames of x cannot be cut into groups of `group_frames`.
        """
        affinity = self.relate(x)
        if self.spec.residual == "absent":
            return x
        return x + self.w_z(affinity.aggregate(self.keys(self.g, x)))

    def relate(self, x: Tensor) -> Affinity:
        """f(x_i, x_j) for all places of x, as `pairwise` gives it to whoever listens.

        Raises:
            InvalidSpec: as `forward`.
        """
        theta, phi = self.theta(x), self.keys(self.phi, x)  # [N, C', T, H, W], [N, C', T, H/2, W/2]
        if self.spec.similarity == "cosine":
            theta, phi = functional.normalize(theta, dim=1), functional.normalize(phi, dim=1)
        return self.pairwise(theta, phi, self._groups(x))

    def carried(self, x: Tensor) -> Tensor:
        """|W_z g_j| for each key of x [N, C, T, H, W], the length of what it adds to a z_i per unit of weight: [N, K].

        Of a block with a learned residual; without biases and the norm's shift, which no key brings.
        """
        g = self.keys(self.g, x).flatten(2)  # [N, D, K]
        weight = cast(Tensor, self.w_z[0].weight).flatten(1)  # [C, D]
        return (weight * scale_of(self.w_z[1])[:, None] @ g).square().sum(1).sqrt()

    def keys(self, project: nn.Module, x: Tensor) -> Tensor:
        """What `project` (phi or g) gives on the grid of the keys."""
        if self.spec.sub_sampling == "project_then_pool":
            return self.pool(project(x))
        return project(self.pool(x))

    def _groups(self, x: Tensor) -> Groups:
        frames, rows, columns = x.shape[2:]
        together = self.spec.group_frames or frames
        if frames % together:
            raise InvalidSpec(f"{self.spec.after}: {frames} frames cannot be cut into groups of {together}")
        if self.spec.domain == "spacetime":
            return (frames // together, *WHOLE[1:])
        return (frames, 1, 1) if self.spec.domain == "space" else (frames // together, rows, columns)
