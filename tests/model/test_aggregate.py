"""The exact routes without the matrix: the same numbers, the same gradients, and really no matrix."""

import pytest
import torch
from torch.nn import functional
from torch.utils._python_dispatch import TorchDispatchMode

from nonlocal_core.model import aggregate
from nonlocal_core.model.pairwise import Affinity, Pairwise
from nonlocal_core.model.spec import Kind

WIDTHS = [(6, 6), (6, 3)]  # of theta and of g: a Gaussian block's g is narrower than x
GROUPS = [(1, 1, 1), (2, 1, 1), (4, 1, 1), (1, 2, 3)]


@pytest.fixture(autouse=True)
def _little_counts_as_much(monkeypatch):
    """The routes of large inputs on small ones: a concatenation sorts its keys."""
    monkeypatch.setattr(aggregate, "_FEW_KEYS", 0)


class LargestTensor(TorchDispatchMode):
    """Remembers the size of the largest tensor that any operation within it gives, backward passes included."""

    numel = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        for each in out if isinstance(out, tuple | list) else (out,):
            if isinstance(each, torch.Tensor):
                self.numel = max(self.numel, each.untyped_storage().nbytes() // each.element_size())
        return out


def affinity_of(kind: Kind, channels: int, *, dtype=torch.float64, groups=(1, 1, 1), grid=(4, 4, 6)):
    random = torch.Generator().manual_seed(0)
    t, h, w = grid
    theta = torch.randn(2, channels, t, h, w, dtype=dtype, generator=random)
    phi = torch.randn(2, channels, t, h // 2, w // 2, dtype=dtype, generator=random)
    pairwise = Pairwise(kind, channels, scale=0.7).to(dtype)
    if pairwise.w_f is not None:
        torch.nn.init.normal_(pairwise.w_f)
    return theta, phi, lambda theta, phi: pairwise(theta, phi, groups)


def written_out(affinity: Affinity, g: torch.Tensor) -> torch.Tensor:
    y = torch.einsum("nqk,ndk->ndq", affinity.matrix(), g.flatten(2))
    return y.reshape(*y.shape[:2], *affinity.theta.shape[2:])


@pytest.mark.parametrize("groups", GROUPS, ids=str)
@pytest.mark.parametrize(("channels", "values"), WIDTHS)
@pytest.mark.parametrize("kind", Kind.__args__)
def test_a_route_and_its_gradients_are_those_of_the_formula(kind, channels, values, groups):
    theta, phi, pairwise = affinity_of(kind, channels, groups=groups)
    g = torch.randn(2, values, *phi.shape[2:], dtype=torch.float64)
    inputs = [x.requires_grad_() for x in (theta, phi, g)]
    weights = torch.randn(2, values, *theta.shape[2:], dtype=torch.float64)

    found, expected = (f(pairwise(theta, phi), g) for f in (Affinity.aggregate, written_out))

    torch.testing.assert_close(found, expected)
    for ours, theirs in zip(
        *(torch.autograd.grad((y * weights).sum(), inputs) for y in (found, expected)), strict=True
    ):
        torch.testing.assert_close(ours, theirs)


def test_a_concatenation_of_few_keys_is_the_formula_in_parts(monkeypatch):
    monkeypatch.setattr(aggregate, "_FEW_KEYS", 512)
    monkeypatch.setattr(functional, "embedding_bag", None)  # the other route would fail
    test_a_route_and_its_gradients_are_those_of_the_formula("concatenation", 6, 3, (2, 1, 1))
    test_w_f_and_the_embeddings_learn_through_the_route("concatenation")


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last_3d], ids=str)
@pytest.mark.parametrize("kind", ["gaussian", "embedded_gaussian"])
def test_y_is_laid_out_as_g_where_it_comes_in_parts(kind, layout):
    theta, phi, pairwise = affinity_of(kind, 8, dtype=torch.float32, grid=(4, 16, 16))
    g = torch.randn(2, 4, *phi.shape[2:]).contiguous(memory_format=layout)
    with torch.inference_mode():
        affinity = pairwise(theta, phi)
        y = affinity.aggregate(g)
        torch.testing.assert_close(y, written_out(affinity, g))
    assert y.is_contiguous(memory_format=layout)


@pytest.mark.parametrize("kind", Kind.__args__)
def test_w_f_and_the_embeddings_learn_through_the_route(kind):
    theta, phi, pairwise = affinity_of(kind, 2)
    g = torch.randn(2, 2, *phi.shape[2:], dtype=torch.float64)
    inputs = [x[:1, :, :1, :2, :2].clone().requires_grad_() for x in (theta, phi, g)]

    assert torch.autograd.gradcheck(lambda *x: pairwise(*x[:2]).aggregate(x[2]), inputs)


@pytest.mark.parametrize("values", [8, 4])
@pytest.mark.parametrize("kind", Kind.__args__)
def test_no_matrix_is_made_forward_or_backward(kind, values):
    theta, phi, pairwise = affinity_of(kind, 8, dtype=torch.float32, grid=(4, 32, 32))  # 4096 queries, 1024 keys
    g = torch.randn(2, values, *phi.shape[2:])
    with LargestTensor() as largest:
        pairwise(theta.requires_grad_(), phi.requires_grad_()).aggregate(g).sum().backward()
    with LargestTensor() as written, torch.no_grad():
        written_out(pairwise(theta, phi), g)

    assert written.numel >= 2 * 4096 * 1024
    assert largest.numel <= 2048 * 1024  # one chunk of 2048 queries, where attention is not fused


def test_the_concatenation_keeps_its_digits_where_its_sums_nearly_cancel():
    """f is small beside a and b: float32 suffix sums would lose all digits."""
    random = torch.Generator().manual_seed(0)
    a = 1000 + 0.01 * torch.randn(1, 1, 1, 32, 32, generator=random)
    b = -1000 + 0.01 * torch.randn(1, 1, 1, 64, 64, generator=random)
    affinity = Affinity("concatenation", 1.0, torch.cat([a, a * 0 + 1], 1), torch.cat([b * 0 + 1, b], 1))
    g = torch.randn(1, 3, 1, 64, 64, generator=random)

    double = Affinity("concatenation", 1.0, affinity.theta.double(), affinity.phi.double())
    exact = written_out(double, g.double())

    torch.testing.assert_close(affinity.aggregate(g).double(), exact, rtol=1e-5, atol=1e-8)


def test_ties_and_a_negative_scale_of_the_concatenation_are_those_of_the_formula():
    a, b = torch.tensor([-1.0, 0, 1, 5, -5]), torch.tensor([1.0, -1, 0, 0, 2, -2])
    theta = torch.stack([a, torch.ones(5)]).reshape(1, 2, 1, 1, 5)
    phi = torch.stack([torch.ones(6), b]).reshape(1, 2, 1, 1, 6)
    g = torch.randn(1, 3, 1, 1, 6)

    for scale in (1.0, -2.0):
        affinity = Affinity("concatenation", scale, theta, phi)
        torch.testing.assert_close(affinity.aggregate(g), written_out(affinity, g))
