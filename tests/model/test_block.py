"""The non-local block: each choice of its spec shows."""

import pytest
import torch
from pydantic import ValidationError

from nonlocal_core.errors import InvalidSpec
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


@pytest.mark.parametrize("choices", [{"group_frames": 2}, {"domain": "space"}, {"domain": "time"}], ids=str)
@pytest.mark.parametrize("kind", Kind.__args__)
def test_a_group_is_a_block_of_its_own(kind, choices):
    x = torch.randn(2, 8, 4, 2, 6, generator=torch.Generator().manual_seed(1))
    block = block_of(kind, sub_sampling="none", **choices)
    whole = block_of(kind, sub_sampling="none")
    with torch.no_grad():
        if choices.get("domain") == "time":
            rows = [torch.cat([whole(x[..., h : h + 1, w : w + 1]) for w in range(6)], 4) for h in range(2)]
            alone = torch.cat(rows, 3)
        else:
            step = choices.get("group_frames", 1)
            alone = torch.cat([whole(x[:, :, t : t + step]) for t in range(0, 4, step)], 2)

        torch.testing.assert_close(block(x), alone)
        assert not torch.allclose(block(x), whole(x))


def test_the_size_of_the_groups_shows(x):
    x = torch.cat([x, x.flip(3)], 2)  # 4 frames
    with torch.no_grad():
        of_two, of_four = (block_of(group_frames=n)(x) for n in (2, 4))

        assert not torch.allclose(of_two, of_four)
        assert torch.equal(of_four, block_of()(x))


def test_frames_that_cannot_be_grouped_are_refused(x):
    with pytest.raises(InvalidSpec, match="mixed_4b: 2 frames cannot be cut into groups of 4"):
        block_of(group_frames=4)(x)


@pytest.mark.parametrize(
    ("choices", "why"),
    [({"domain": "time"}, "sub_sampling must be none"), ({"domain": "space", "group_frames": 4}, "nothing to group")],
)
def test_choices_that_contradict_each_other_are_refused(choices, why):
    with pytest.raises(ValidationError, match=why):
        BlockSpec(after="res3_1", kind="gaussian", **choices)


def test_w_z_has_a_bias_if_the_spec_says_so():
    assert "w_z.0.bias" in block_of().state_dict()
    assert "w_z.0.bias" not in block_of(out_bias=False).state_dict()


def test_an_affine_block_scales_and_shifts_and_starts_as_the_identity(x):
    block = NonLocalBlock(BlockSpec(after="res3_1", kind="embedded_gaussian", norm="affine"), channels=8).eval()
    assert torch.equal(block(x), x)
    assert {name for name in block.state_dict() if name.startswith("w_z.1.")} == {"w_z.1.weight", "w_z.1.bias"}

    torch.nn.init.normal_(block.w_z[0].weight)
    torch.nn.init.constant_(block.w_z[1].weight, 3)
    torch.nn.init.constant_(block.w_z[1].bias, 0.5)
    seen = []
    block.w_z[0].register_forward_hook(lambda _m, _i, out: seen.append(out))
    torch.testing.assert_close(block(x), x + 3 * seen[0] + 0.5)


def test_the_norms_epsilon_and_momentum_are_the_specs(x):
    block = block_of(norm_eps=0.5, norm_momentum=0.9)
    seen = []
    block.w_z[0].register_forward_hook(lambda _m, _i, out: seen.append(out.detach()))
    z = block.eval()(x)
    scale, shift = (v[:, None, None, None] for v in (block.w_z[1].weight, block.w_z[1].bias))
    torch.testing.assert_close(z, x + seen[0] / 1.5**0.5 * scale + shift)  # running mean 0, variance 1

    block.train()(x)
    torch.testing.assert_close(block.w_z[1].running_mean, 0.9 * seen[1].mean((0, 2, 3, 4)))


def test_nothing_follows_the_sum(x):
    """z = x + W_z y, without a ReLU: values below zero pass."""
    z = block_of()(x)

    assert (z < 0).any()
