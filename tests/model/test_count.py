"""Parameters and multiply-adds: against hand counts, against PyTorch's own counter, and beside the paper."""

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from nonlocal_core.model.build import Model
from nonlocal_core.model.count import FIVE_BLOCKS, PAPER_GRIDS, cost_of, family_spec, family_table, format_family_table
from nonlocal_core.model.spec import BlockSpec


@pytest.fixture(scope="module")
def rows():
    return {(row.depth, row.network): row for row in family_table()}


def test_the_table_names_four_networks_of_two_depths(rows):
    assert len(rows) == 8
    assert all(f"R{depth} {network}" in format_family_table() for depth, network in rows)


def test_a_c2d_r50_has_the_parameters_of_its_image_network(rows):
    features = 25_557_032 - (2048 * 1000 + 1000)  # torchvision's ResNet-50 without its classifier

    assert rows[50, "C2D"].cost.parameters == features + 2048 * 400 + 400


def test_five_blocks_add_their_four_projections_and_two_products(rows):
    plain, with_blocks = rows[50, "C2D"].cost, rows[50, "NL C2D, 5 blocks"].cost
    parameters = multiply_adds = 0
    for name in FIVE_BLOCKS[50]:
        grid, c = plain.grids[name], 512 if name.startswith("res3") else 1024
        queries, keys = grid.cells, grid.t * (grid.h // 2) * (grid.w // 2)
        parameters += 4 * c * c // 2 + 3 * c // 2 + c + 2 * c  # theta, phi, g, W_z; their biases; batch norm
        multiply_adds += 2 * (queries + keys) * c * c // 2 + 2 * queries * keys * c // 2

    assert with_blocks.parameters - plain.parameters == parameters
    assert with_blocks.multiply_adds - plain.multiply_adds == multiply_adds


def test_pytorch_counts_the_same_flops():
    """Its counter sees convolutions and matrix products: twice ours. The Gaussian kind's route is two products."""
    spec = family_spec("I3D 3x1x1", 50).model_copy(
        update={"frames": 8, "size_px": 64, "blocks": (BlockSpec(after="res3_1", kind="gaussian"),)}
    )
    with torch.device("meta"):
        model, clip = Model(spec).eval(), torch.empty(1, 3, 8, 64, 64)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(clip)

    assert counter.get_total_flops() == 2 * cost_of(spec).multiply_adds


def test_groups_save_multiply_adds():
    def cost(**choices):
        block = BlockSpec(after="res3_1", kind="embedded_gaussian", **choices)
        return cost_of(family_spec("C2D", 50).model_copy(update={"blocks": (block,)})).multiply_adds

    pairs = 4 * 784 * 4 * 196 * 512  # both products of the whole clip
    assert cost() - cost(group_frames=2) == pairs // 2
    assert cost() - cost(domain="space") == pairs * 3 // 4


def test_the_ratios_of_r101_round_to_the_papers(rows):
    for (depth, _), row in rows.items():
        if depth == 101:
            assert round(row.parameters_ratio, 1) == row.paper_parameters_ratio
            assert round(row.multiply_adds_ratio, 1) == row.paper_multiply_adds_ratio


def test_five_blocks_on_r50_cost_less_than_an_r101_as_the_paper_says(rows):
    """Section 5.1: "only ~70% parameters and ~80% FLOPs of the ResNet-101 baseline"."""
    ours, deeper = rows[50, "NL C2D, 5 blocks"].cost, rows[101, "C2D"].cost

    assert ours.parameters / deeper.parameters == pytest.approx(0.7, abs=0.05)
    assert ours.multiply_adds / deeper.multiply_adds == pytest.approx(0.8, abs=0.05)


def test_the_grids_are_those_of_table_1_but_for_the_unpadded_pool(rows):
    grids = rows[50, "C2D"].grids

    differing = {name for name, grid in PAPER_GRIDS.items() if grids[name] != grid}
    assert differing == {"pool1", "res2", "pool2"}
    assert {grids[name].h for name in differing} == {55}
    spec = family_spec("C2D", 50)
    assert spec.resnet
    padded = spec.model_copy(update={"resnet": spec.resnet.model_copy(update={"pool1_padding": 1})})
    assert cost_of(padded).grids["pool2"] == PAPER_GRIDS["pool2"]
