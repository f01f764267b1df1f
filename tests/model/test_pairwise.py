"""The four pairwise functions against the paper's equations, written out for two queries and three keys."""

import math

import pytest
import torch

from nonlocal_core.model.pairwise import Pairwise
from nonlocal_core.model.spec import Kind

THETA = torch.tensor([[1.0, 2.0], [-1.0, 0.5]])  # x_i: [Q=2, C=2]
PHI = torch.tensor([[0.5, 1.0], [2.0, -1.0], [0.0, 0.25]])  # x_j: [K=3, C=2]
W_F = torch.tensor([[1.0, -2.0], [0.5, 3.0]])


def affinity_of(kind: Kind, scale: float = 1.0):
    pairwise = Pairwise(kind, channels=2, scale=scale)
    if pairwise.w_f is not None:
        pairwise.w_f.data = W_F
    return pairwise(THETA.T.reshape(1, 2, 1, 1, 2), PHI.T.reshape(1, 2, 1, 1, 3))


def dot(i: int, j: int) -> float:
    return sum(float(a * b) for a, b in zip(THETA[i], PHI[j], strict=True))


@pytest.mark.parametrize("kind", ["gaussian", "embedded_gaussian"])
@pytest.mark.parametrize("scale", [1.0, 0.5])
def test_the_gaussian_kinds_are_exp_of_the_dot_product_over_its_sum(kind, scale):
    matrix = affinity_of(kind, scale).matrix()[0]

    for i in range(2):
        f = [math.exp(scale * dot(i, j)) for j in range(3)]
        assert matrix[i].tolist() == pytest.approx([value / sum(f) for value in f], rel=1e-5)


def test_the_dot_product_is_divided_by_the_number_of_keys():
    matrix = affinity_of("dot_product").matrix()[0]

    assert matrix[1].tolist() == pytest.approx([dot(1, j) / 3 for j in range(3)])


def test_the_concatenation_is_relu_of_a_weighted_pair():
    matrix = affinity_of("concatenation").matrix()[0].detach()

    for i in range(2):
        for j in range(3):
            pair = torch.cat([THETA[i], PHI[j]])
            f = max(float(W_F.flatten() @ pair), 0)
            assert float(matrix[i, j]) == pytest.approx(f / 3, abs=1e-6)


@pytest.mark.parametrize("kind", Kind.__args__)
def test_aggregating_is_multiplying_the_matrix_out(kind):
    torch.manual_seed(0)
    affinity = Pairwise(kind, channels=4, scale=0.3)(torch.randn(2, 4, 2, 3, 5), torch.randn(2, 4, 2, 2, 2))
    g = torch.randn(2, 7, 2, 2, 2)

    y = affinity.aggregate(g)

    longhand = torch.einsum("nqk,ndk->ndq", affinity.matrix(), g.flatten(2)).reshape(2, 7, 2, 3, 5)
    torch.testing.assert_close(y, longhand, rtol=1e-4, atol=1e-5)
