"""Grouped blocks: rows, columns, arrows and files know that nothing is related across groups."""

import numpy as np
import pytest
import torch

from nonlocal_core.affinity.capture import as_kept, capture, field_of
from nonlocal_core.affinity.field import AffinityField, box_of_each_cell
from nonlocal_core.affinity.query import Query, answer
from nonlocal_core.affinity.store import field_from_bytes, field_to_bytes
from nonlocal_core.geometry import Grid, GridPoint, cell_of, centre_of
from nonlocal_core.model.build import Model
from nonlocal_core.model.pairwise import Pairwise
from nonlocal_core.model.spec import BlockSpec, Kind, ModelSpec, ResNetSpec

GROUPS = [(2, 1, 1), (4, 1, 1), (1, 2, 3)]  # of frames, space-only, time-only (as wide as the keys' grid)


def recorded(kind: Kind, groups=(2, 1, 1)):
    random = torch.Generator().manual_seed(0)
    theta = torch.randn(1, 6, 4, 4, 6, generator=random)
    phi = torch.randn(1, 6, 4, 2, 3, generator=random)
    torch.manual_seed(0)
    affinity = Pairwise(kind, channels=6, scale=0.7)(theta, phi, groups)
    return affinity.matrix()[0].detach().numpy(), field_of(affinity)


@pytest.mark.parametrize("groups", GROUPS, ids=str)
@pytest.mark.parametrize("kind", Kind.__args__)
def test_rows_and_columns_are_those_of_the_written_out_matrix(kind, groups):
    matrix, field = recorded(kind, groups)

    rows = np.array([field.row(cell_of(field.query_grid, i)) for i in range(len(matrix))])
    columns = np.array([field.column(cell_of(field.key_grid, j)) for j in range(matrix.shape[1])])

    assert field.groups == Grid(*groups)
    np.testing.assert_allclose(rows, matrix, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(columns.T, matrix, rtol=1e-4, atol=1e-6)
    apart = box_of_each_cell(field.query_grid, field.groups)[:, None] != box_of_each_cell(field.key_grid, field.groups)
    assert (rows[apart] == 0).all()
    assert np.abs(rows[~apart]).max() > 0


@pytest.mark.parametrize("direction", ["forward", "reverse"])
@pytest.mark.parametrize("kind", Kind.__args__)
def test_no_arrow_leaves_its_group(kind, direction):
    _, field = recorded(kind)  # frames 0 and 1, frames 2 and 3; a dot product has negative weights within a group

    point = centre_of(field.asking_grid(direction), GridPoint(2, 1, 2), 8)
    arrows = answer(field, Query("b", point, k=100, direction=direction), 8).arrows

    assert len(arrows) == field.answering_grid(direction).cells // 2
    assert {arrow.end.t for arrow in arrows} == {2, 3}


@pytest.mark.parametrize("kind", Kind.__args__)
def test_what_is_kept_and_stored_still_knows_its_groups(kind):
    _, field = recorded(kind)
    kept = as_kept(field)

    back = field_from_bytes(field_to_bytes(kept, "res3_1"), "res3_1")

    assert back.groups == field.groups
    for cell in (GridPoint(0, 1, 2), GridPoint(3, 0, 0)):
        np.testing.assert_array_equal(back.row(cell), kept.row(cell))
        np.testing.assert_array_equal(back.column(cell), kept.column(cell))
        np.testing.assert_allclose(back.column(cell), field.column(cell), rtol=0.02, atol=1e-3)


@pytest.mark.parametrize("groups", GROUPS, ids=str)
@pytest.mark.parametrize("kind", Kind.__args__)
def test_means_are_over_the_cells_that_see_each_other(kind, groups):
    matrix, field = recorded(kind, groups)
    boxes = np.prod(groups)

    for means in (field.means, as_kept(field).means):
        np.testing.assert_allclose(means[0], matrix.mean(0) * boxes, rtol=1e-3, atol=1e-5)
        np.testing.assert_allclose(means[1], matrix.mean(1) * boxes, rtol=1e-3, atol=1e-5)


def test_the_log_sum_exp_is_of_the_group_alone():
    _, field = recorded("embedded_gaussian")

    np.testing.assert_allclose(as_kept(field).log_sum_exp, field.log_sum_exp, atol=5e-3)
    assert (field.log_sum_exp < recorded("embedded_gaussian", (1, 1, 1))[1].log_sum_exp).all()


def test_a_file_from_before_groups_is_one_group(make_field):
    content = field_to_bytes(make_field(), "b")
    old = content.replace(b'"groups":"1,1,1"', b'"groupz":"1,1,1"')
    assert old != content

    assert field_from_bytes(old, "b").groups == Grid(1, 1, 1)


@pytest.mark.parametrize("groups", [Grid(1, 2, 4), Grid(1, 0, 1), Grid(-1, 1, 1)])
def test_grids_that_cannot_be_cut_are_refused(make_field, groups):
    field = make_field()
    with pytest.raises(ValueError, match="cannot be cut into"):
        AffinityField(field.kind, field.scale, field.query_grid, field.key_grid, field.theta, field.phi, groups=groups)


def test_the_affine_models_res3_looks_within_four_frames_and_res4_everywhere():
    block = {"kind": "embedded_gaussian", "scale": "inverse_sqrt", "norm": "affine"}
    blocks = (BlockSpec(after="res3_1", group_frames=4, **block), BlockSpec(after="res4_1", **block))
    stem = ResNetSpec(stem_stride_t=1, pool1_kernel_t=1, pool1_stride_t=1, norm="affine")
    model = Model(ModelSpec(backbone="resnet", resnet=stem, blocks=blocks, mean=(0,) * 3, std=(1,) * 3)).eval()

    _, fields = capture(model, torch.randn(1, 3, 16, 48, 48))  # 8 time steps from res3 on

    assert [field.groups for field in fields.values()] == [Grid(2, 1, 1), Grid(1, 1, 1)]
    looked_at = [np.flatnonzero(f.row(GridPoint(5, 0, 0)).reshape(8, -1).sum(1)) for f in fields.values()]
    assert [frames.tolist() for frames in looked_at] == [[4, 5, 6, 7], [0, 1, 2, 3, 4, 5, 6, 7]]
