"""The non-local block: each choice of its spec shows."""

import pytest
import torch

from nonlocal_core.model.block import NonLocalBlock
from nonlocal_core.model.spec import BlockSpec, Kind


def block_of(kind: Kind = "embedded_gaussian", **choices) -> NonLocalBlock:
    torch.manual_seed(0)
    block = NonLocalBlock(BlockSpec(after="mixed_4b", kind=kind, **choices), channels=8).eval()
    if block.spec.residual == "learned":
        torch.nn.init.normal_(block.w_z[1].weight)
    return block


@pytest.fixture
def x() -> torch.Tensor:
    return torch.randn(1, 8, 2, 5, 6, generator=torch.Generator().manual_seed(1))


def affinity_seen(block, x):
    seen = []
    block.pairwise.register_forward_hook(lambda _m, _i, affinity: seen.append(affinity))
    with torch.no_grad():
        block(x)
    return seen[0]


def test_a_new_block_is_the_identity(x):
    block = NonLocalBlock(BlockSpec(after="mixed_4b", kind="embedded_gaussian"), channels=8).eval()

    assert torch.equal(block(x), x)


@pytest.mark.parametrize("kind", Kind.__args__)
def test_the_block_is_eq_6_written_out(x, kind):
    block = block_of(kind)
    with torch.no_grad():
        z = block(x)

        pooled = torch.nn.functional.max_pool3d(x, (1, 2, 2))
        weights = block.pairwise(block.theta(x), block.phi(pooled)).matrix()
        y = torch.einsum("nqk,nck->ncq", weights, block.g(pooled).flatten(2)).reshape(1, 4, 2, 5, 6)
        torch.testing.assert_close(z, x + block.w_z(y), rtol=1e-4, atol=1e-5)


def test_pooling_before_and_after_the_projection_differ(x):
    before = affinity_seen(block_of(sub_sampling="pool_then_project"), x).phi
    after = affinity_seen(block_of(sub_sampling="project_then_pool"), x).phi

    assert before.shape == after.shape == (1, 4, 2, 2, 3)
    assert not torch.allclose(before, after)


def test_without_sub_sampling_keys_lie_on_the_queries_grid(x):
    assert affinity_seen(block_of(sub_sampling="none"), x).phi.shape[2:] == x.shape[2:]


def test_the_inverse_square_root_is_of_the_embeddings_width():
    assert block_of(scale="inverse_sqrt", inner_channels=16).pairwise.scale == 0.25
    assert block_of("gaussian", scale="inverse_sqrt").pairwise.scale == pytest.approx(8**-0.5)


def test_cosine_divides_both_sides_by_their_length(x):
    affinity = affinity_seen(block_of("gaussian", similarity="cosine"), x)

    for side in (affinity.theta, affinity.phi):
        torch.testing.assert_close(side.norm(dim=1), torch.ones_like(side[:, 0]))


def test_a_block_without_a_residual_changes_nothing_and_is_still_seen(x):
    block = block_of("gaussian", residual="absent")

    assert block(x) is x
    assert affinity_seen(block, x).theta.shape == x.shape
    assert not list(block.parameters())


def test_theta_asks_and_phi_answers_on_equal_grids_too(x):
    block = block_of(sub_sampling="none")

    affinity = affinity_seen(block, x)

    torch.testing.assert_close(affinity.theta, block.theta(x))
    torch.testing.assert_close(affinity.phi, block.phi(x))
