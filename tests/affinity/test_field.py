"""Rows and columns against the formulas of the paper, written out longhand in float64."""

import numpy as np
import pytest

from nonlocal_core.affinity.field import AffinityField
from nonlocal_core.geometry import Grid, cell_of
from nonlocal_core.model.spec import Kind

KINDS = Kind.__args__


def longhand(field: AffinityField) -> np.ndarray:
    """f(x_i, x_j) / C(x) for all i, j: one double loop, float64."""
    theta, phi = field.theta.astype(np.float64), field.phi.astype(np.float64)
    out = np.empty((len(theta), len(phi)))
    for i, x_i in enumerate(theta):
        dots = [field.scale * sum(a * b for a, b in zip(x_i, x_j, strict=True)) for x_j in phi]
        if field.kind in ("gaussian", "embedded_gaussian"):
            f = [np.exp(dot) for dot in dots]
            out[i] = np.array(f) / sum(f)
        elif field.kind == "dot_product":
            out[i] = np.array(dots) / len(phi)
        else:
            out[i] = np.array([max(dot, 0) for dot in dots]) / len(phi)
    return out


@pytest.mark.parametrize("kind", KINDS)
def test_a_row_is_the_papers_formula(make_field, kind):
    field = make_field(kind)

    rows = np.array([field.row(cell_of(field.query_grid, i)) for i in range(field.query_grid.cells)])

    np.testing.assert_allclose(rows, longhand(field), rtol=2e-5, atol=1e-7)


@pytest.mark.parametrize("kind", KINDS)
def test_a_column_holds_what_the_rows_give_to_one_key(make_field, kind):
    field = make_field(kind)

    columns = np.array([field.column(cell_of(field.key_grid, j)) for j in range(field.key_grid.cells)])

    np.testing.assert_allclose(columns.T, longhand(field), rtol=2e-5, atol=1e-7)


@pytest.mark.parametrize("kind", ["gaussian", "embedded_gaussian"])
def test_rows_of_the_gaussian_kinds_sum_to_one(make_field, kind):
    field = make_field(kind, scale=20.0)

    assert field.row(field.cell(0)).sum() == pytest.approx(1, abs=1e-6)


def test_large_logits_do_not_overflow(make_field):
    field = make_field(scale=1e4)

    assert np.isfinite(field.row(field.cell(0))).all()
    assert np.isfinite(field.column(field.cell(0))).all()


def test_the_scale_changes_the_answer(make_field):
    sharp, flat = make_field(scale=2.0), make_field(scale=0.1)

    assert sharp.row(sharp.cell(3)).max() > 2 * flat.row(flat.cell(3)).max()


def test_theta_and_phi_cannot_be_exchanged(make_field):
    field = make_field(query_grid=Grid(2, 2, 3), key_grid=Grid(2, 2, 3))
    exchanged = AffinityField(field.kind, field.scale, field.key_grid, field.query_grid, field.phi, field.theta)

    assert not np.allclose(field.row(field.cell(1)), exchanged.row(field.cell(1)), rtol=0.1)


def test_a_field_of_the_wrong_size_is_refused(make_field):
    field = make_field()
    with pytest.raises(ValueError, match=r"theta has shape \(48, 8\).*needs \[24, C\]"):
        AffinityField("gaussian", 1.0, Grid(2, 4, 3), field.key_grid, field.theta, field.phi)


def test_half_precision_changes_weights_by_less_than_two_in_a_thousand(make_field):
    field = make_field()
    theta, phi = field.theta.astype(np.float16), field.phi.astype(np.float16)
    half = AffinityField(field.kind, field.scale, field.query_grid, field.key_grid, theta, phi)

    np.testing.assert_allclose(half.row(field.cell(5)), field.row(field.cell(5)), rtol=2e-3)
