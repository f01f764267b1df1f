"""Recording: what the hook sees is what the network used."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from nonlocal_core.affinity.capture import as_kept, capture, field_of, recorded_affinities
from nonlocal_core.geometry import Grid, cell_of
from nonlocal_core.model.build import Model
from nonlocal_core.model.pairwise import Pairwise
from nonlocal_core.model.spec import BlockSpec, Kind, ModelSpec


def small_model(kind: Kind, **choices) -> Model:
    torch.manual_seed(0)
    block = BlockSpec(after="mixed_4b", kind=kind, **choices)
    model = Model(ModelSpec(backbone="inception_v1", mean=(0, 0, 0), std=(1, 1, 1), blocks=(block,)))
    return model.eval()


@pytest.mark.parametrize("kind", Kind.__args__)
def test_a_captured_row_is_the_row_of_the_written_out_matrix(kind):
    torch.manual_seed(1)
    theta, phi = torch.randn(1, 6, 2, 3, 5), torch.randn(1, 6, 2, 1, 2)
    affinity = Pairwise(kind, channels=6, scale=0.7)(theta, phi)

    field = field_of(affinity)

    matrix = affinity.matrix()[0].detach().numpy()
    assert (field.query_grid, field.key_grid) == (Grid(2, 3, 5), Grid(2, 1, 2))
    rows = np.array([field.row(cell_of(field.query_grid, i)) for i in range(30)])
    np.testing.assert_allclose(rows, matrix, rtol=1e-4, atol=1e-6)


def test_grids_are_read_from_the_tensors_at_any_input_size():
    _, fields = capture(small_model("embedded_gaussian"), torch.randn(1, 3, 16, 96, 128))

    assert fields["mixed_4b"].query_grid == Grid(4, 6, 8)
    assert fields["mixed_4b"].key_grid == Grid(4, 3, 4)


def test_recording_changes_no_number_and_leaves_no_hook():
    model, batch = small_model("dot_product"), torch.randn(1, 3, 8, 64, 64)
    with torch.inference_mode():
        before = model(batch)
        with recorded_affinities(model) as found:
            during = model(batch)

    assert torch.equal(before, during)
    assert list(found) == ["mixed_4b"]
    assert not model.blocks["mixed_4b"].pairwise._forward_hooks


def test_a_batch_of_two_is_refused():
    with pytest.raises(ValueError, match="one clip at a time, got a batch of 2"):
        capture(small_model("gaussian"), torch.zeros(2, 3, 8, 64, 64))


def test_what_is_large_is_kept_as_float16_with_its_own_log_sum_exp(make_field, monkeypatch):
    field = make_field()
    assert as_kept(field).theta.dtype == as_kept(field).phi.dtype == np.float32
    monkeypatch.setattr("nonlocal_core.affinity.capture._EXACT_BYTES", field.theta.nbytes)

    kept = as_kept(field)

    assert kept.theta.dtype == kept.phi.dtype == np.float16
    again = replace(kept, given_log_sum_exp=None)  # computed in NumPy from the same operands
    np.testing.assert_allclose(kept.log_sum_exp, again.log_sum_exp, rtol=1e-5)
    assert as_kept(make_field("dot_product")).given_log_sum_exp is None


@pytest.mark.parametrize("norm", ["batch", "affine"])
def test_what_keys_carry_adds_up_to_what_the_block_adds(norm):
    """W_z y_i = sum_j p_ij (W_z g_j) + bias: with one key alone, its length is |W_z g_j| and |z - x| / |x| is told."""
    model, batch = small_model("embedded_gaussian", norm=norm), torch.randn(1, 3, 8, 64, 64)
    block = model.blocks["mixed_4b"]
    torch.nn.init.normal_(block.w_z[0].weight, std=0.1)
    torch.nn.init.uniform_(block.w_z[1].weight, 0.5, 2)
    seen = {}
    block.register_forward_hook(lambda _block, inputs, z: seen.update(x=inputs[0], z=z))

    _, fields = capture(model, batch)

    field, x, added = fields["mixed_4b"], seen["x"], seen["z"] - seen["x"]
    g = block.g(block.pool(x)).flatten(2)  # [1, D, K]
    columns = block.w_z(g[..., None, None]) - block.w_z(torch.zeros_like(g)[..., None, None])
    np.testing.assert_allclose(field.carried, columns.flatten(2).norm(dim=1)[0].detach(), rtol=1e-4)
    sizes = [tensor.flatten(2).norm(dim=1)[0] for tensor in (added, x)]
    np.testing.assert_allclose(field.added, sizes[0] / sizes[1], rtol=1e-4)
    y = (
        torch.tensor(np.stack([field.row(field.cell(0))])) @ columns[0, :, :, 0, 0].T
    )  # the first query's, by the matrix
    np.testing.assert_allclose(y[0].detach(), added[0, :, 0, 0, 0], rtol=1e-3, atol=1e-5)


def test_an_observer_adds_nothing_and_its_keys_carry_nothing_known():
    model = small_model("embedded_gaussian", residual="absent")

    _, fields = capture(model, torch.randn(1, 3, 8, 64, 64))

    assert fields["mixed_4b"].carried is None
    assert fields["mixed_4b"].added is None
