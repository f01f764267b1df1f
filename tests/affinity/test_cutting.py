"""Cut arrows: what is computed without them, against the formula written out place by place."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from nonlocal_core.affinity.cut import Cut
from nonlocal_core.affinity.cutting import CutAffinity, cut_and_run, cut_arrows
from nonlocal_core.errors import CellOutsideGrid, UnknownBlock
from nonlocal_core.geometry import Grid
from nonlocal_core.model.build import Model
from nonlocal_core.model.groups import box_of_each_place
from nonlocal_core.model.pairwise import Affinity, Pairwise
from nonlocal_core.model.spec import BlockSpec, Kind, ModelSpec

QUERIES, KEYS = (4, 4, 6), (4, 2, 3)  # keys pooled 2x2
CUTS = [
    Cut("b", (0, 7, 23)),
    Cut("b", (0, 7, 23), queries=(0, 50, 95)),
    Cut("b", "other_frames"),
    Cut("b", "other_frames", queries=(30,)),
    Cut("b", tuple(range(24)), queries=(5,)),  # nothing is left
    Cut("b", tuple(range(6))),  # the first of four groups of frames loses every key
]


def relation(kind: Kind, groups) -> tuple[Affinity, torch.Tensor]:
    """An affinity of two clips on unlike grids, and g for its keys."""
    random = torch.Generator().manual_seed(1)
    theta, phi, g = (
        torch.randn(2, channels, *grid, generator=random) for channels, grid in ((8, QUERIES), (8, KEYS), (5, KEYS))
    )
    torch.manual_seed(0)
    pairwise = Pairwise(kind, channels=8, scale=0.7)
    if pairwise.w_f is not None:
        torch.nn.init.normal_(pairwise.w_f)
    return pairwise(theta, phi, groups), g


def literal(affinity: Affinity, g: torch.Tensor, cut: Cut) -> np.ndarray:
    """y_i = 1/C_i sum over the keys that are left of f(x_i, x_j) g_j, one place at a time: [N, D, Q]."""
    theta, phi, values = (x.detach().double().flatten(2).numpy() for x in (affinity.theta, affinity.phi, g))
    boxes = [box_of_each_place(grid, affinity.groups, torch.device("cpu")).tolist() for grid in (QUERIES, KEYS)]
    y = np.zeros((2, 5, 96))
    for n in range(2):
        for i in range(96):
            total, count = 0.0, 0
            for j in range(24):
                cut_here = cut.queries is None or i in cut.queries
                if boxes[0][i] != boxes[1][j]:
                    continue
                if cut_here and (j // 6 != i // 24 if cut.keys == "other_frames" else j in cut.keys):
                    continue
                logit = affinity.scale * theta[n, :, i] @ phi[n, :, j]
                if affinity.kind == "dot_product":
                    f = logit
                elif affinity.kind == "concatenation":
                    f = max(logit, 0)
                else:
                    f = np.exp(logit)
                total, count = total + f, count + 1
                y[n, :, i] += f * values[n, :, j]
            softmax = affinity.kind in ("gaussian", "embedded_gaussian")
            y[n, :, i] /= (total if softmax else count) or 1
    return y


@pytest.mark.parametrize("groups", [(1, 1, 1), (4, 1, 1), (2, 1, 1)], ids=str)
@pytest.mark.parametrize("cut", CUTS, ids=lambda cut: f"{str(cut.keys)[:12]} of {cut.queries}")
@pytest.mark.parametrize("kind", Kind.__args__)
def test_a_cut_is_the_sum_over_the_keys_that_are_left(kind, cut, groups, monkeypatch):
    monkeypatch.setattr("nonlocal_core.affinity.cutting._CHUNK", 7)
    affinity, g = relation(kind, groups)

    y = CutAffinity(**vars(affinity), cut=cut).aggregate(g)

    assert y.shape == (2, 5, *QUERIES)
    np.testing.assert_allclose(y.detach().flatten(2).numpy(), literal(affinity, g, cut), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", Kind.__args__)
def test_rows_that_keep_their_keys_do_not_change_by_a_bit(kind):
    affinity, g = relation(kind, (1, 1, 1))

    uncut, y = affinity.aggregate(g), CutAffinity(**vars(affinity), cut=Cut("b", (3,), queries=(5,))).aggregate(g)

    others = torch.arange(96) != 5
    assert torch.equal(y.flatten(2)[..., others], uncut.flatten(2)[..., others])
    assert not torch.allclose(y.flatten(2)[..., 5], uncut.flatten(2)[..., 5])


@pytest.fixture(scope="module")
def network() -> tuple[Model, torch.Tensor]:
    """A small network whose two blocks say something, and a clip."""
    torch.manual_seed(0)
    blocks = tuple(BlockSpec(after=name, kind="embedded_gaussian") for name in ("mixed_3c", "mixed_4b"))
    model = Model(ModelSpec(backbone="inception_v1", classes=7, mean=(0, 0, 0), std=(1, 1, 1), blocks=blocks)).eval()
    for block in model.blocks.values():
        for parameter in block.parameters():
            torch.nn.init.normal_(parameter, std=0.3)
    return model, torch.randn(1, 3, 8, 64, 64)


@pytest.mark.parametrize(
    "cut", [Cut("mixed_4b", ()), Cut("mixed_4b", (1, 2), queries=()), Cut("mixed_3c", "block", ())]
)
def test_a_cut_of_nothing_changes_nothing_and_leaves_no_hook(network, cut):
    model, batch = network
    with torch.inference_mode():
        whole = model(batch)

    assert torch.equal(cut_and_run(model, batch, cut), whole)
    assert not any(module._forward_hooks for module in model.modules())


def test_every_other_cut_shows_in_the_logits_and_leaves_no_hook(network):
    model, batch = network
    with torch.inference_mode():
        whole = model(batch)

    for keys in ((1, 2), "other_frames", "block"):
        for queries in (None, (0, 9)):
            assert not torch.equal(cut_and_run(model, batch, Cut("mixed_3c", keys, queries)), whole)
    assert not any(module._forward_hooks for module in model.modules())


def test_without_the_block_the_stages_follow_each_other(network):
    model, batch = network
    with torch.inference_mode():
        x = batch
        for name, stage in model.stages.items():
            x = stage(x)
            x = model.blocks[name](x) if name == "mixed_3c" else x

        assert torch.equal(cut_and_run(model, batch, Cut("mixed_4b", "block")), model.head(x))


def test_the_block_is_cut_at_the_asked_places_only(network):
    model, _ = network
    block, x = model.blocks["mixed_4b"], torch.randn(1, 512, 2, 4, 4)
    with torch.inference_mode():
        z = block(x)
        with cut_arrows(model, Cut("mixed_4b", "block", queries=(3, 17))):
            cut = block(x)

    gone = torch.isin(torch.arange(32), torch.tensor([3, 17]))
    assert torch.equal(cut.flatten(2)[..., gone], x.flatten(2)[..., gone])
    assert torch.equal(cut.flatten(2)[..., ~gone], z.flatten(2)[..., ~gone])


def test_what_is_not_there_cannot_be_cut(network):
    model, batch = network

    with pytest.raises(UnknownBlock, match="no block 'res3_1'; this model has mixed_3c, mixed_4b"):
        cut_and_run(model, batch, Cut("res3_1", (0,)))
    for cut in (Cut("mixed_4b", (10**6,)), Cut("mixed_4b", (0,), queries=(-1,)), Cut("mixed_4b", "block", (10**6,))):
        with pytest.raises(CellOutsideGrid, match="outside the grid"):
            cut_and_run(model, batch, cut)
    assert not any(module._forward_hooks for module in model.modules())


def test_the_rows_of_a_large_block_are_never_all_there():
    """16x28x28 queries and 16x14x14 keys: the matrix would be 157 MB, a part of the rows is 13 MB."""
    torch.manual_seed(0)
    theta, phi, g = torch.randn(1, 4, 16, 28, 28), torch.randn(1, 4, 16, 14, 14), torch.randn(1, 4, 16, 14, 14)
    affinity = CutAffinity("embedded_gaussian", 1.0, theta, phi, cut=Cut("b", (0,)))
    largest = []
    rows = CutAffinity._rows

    def watched(self, queries):
        found = rows(self, queries)
        largest.append(found.numel() * 4)
        return found

    CutAffinity._rows = watched
    try:
        assert affinity.aggregate(g).shape == (1, 4, 16, 28, 28)
    finally:
        CutAffinity._rows = rows
    assert max(largest) <= 13_000_000
    assert Grid(16, 28, 28).cells * Grid(16, 14, 14).cells * 4 > 150_000_000
