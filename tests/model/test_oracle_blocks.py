"""Single blocks of seven published implementations, run by their own unmodified code: affinity and output.

The oracle is ../shared/oracles/blocks.npz; four of its modules are kept in tests/fixtures/oracle_blocks.npz, so that
the suite means something without the desk. `python -m tests.model.test_oracle_blocks` writes that file again.
"""

import re
from pathlib import Path

import numpy as np
import pytest
import torch

from nonlocal_core.model.block import NonLocalBlock
from nonlocal_core.model.spec import BlockSpec

ROOT = Path(__file__).parents[2]
ORACLE = ROOT.parent / "shared" / "oracles" / "blocks.npz"
GOLDEN = ROOT / "tests" / "fixtures" / "oracle_blocks.npz"
AFFINITY_BOUND = 1e-5  # absolute
Y_BOUND = 1e-6  # of the largest |y|, which is 4 to 141: 1e-5 and less for |y| up to 10, some float32 steps above

# Module of the oracle -> what its project chose, see FACTS.md.
AFTER_CONV, BEFORE_CONV, NONE = ({"sub_sampling": s} for s in ("project_then_pool", "pool_then_project", "none"))
SCALED = {"scale": "inverse_sqrt"}
KINDS = ("embedded_gaussian", "gaussian", "dot_product", "concatenation")
CHOICES = {
    **{f"alexhex_{kind}_sub1": {"kind": kind} | AFTER_CONV for kind in KINDS},
    **{f"alexhex_{kind}_sub0": {"kind": kind} | NONE for kind in KINDS},
    "tea1528_gaussian": {"kind": "gaussian"} | NONE,
    "tea1528_embedded": {"kind": "embedded_gaussian"} | NONE,
    "tea1528_dot": {"kind": "dot_product"} | NONE,
    "tea1528_concatenate": {"kind": "concatenation"} | NONE,
    **{f"mmcv_{kind}_sub1": {"kind": kind, "out_bias": False} | AFTER_CONV for kind in KINDS},
    **{f"mmcv_{kind}_sub0": {"kind": kind, "out_bias": False} | NONE for kind in KINDS},
    "mmcv_embedded_gaussian_sub1_scale": {"kind": "embedded_gaussian", "out_bias": False} | AFTER_CONV | SCALED,
    "pytorchvideo_softmax_pool122": {"kind": "embedded_gaussian"} | BEFORE_CONV | SCALED,
    "pytorchvideo_dot_product_pool122": {"kind": "dot_product"} | BEFORE_CONV,
    "pyslowfast_softmax_pool122": {"kind": "embedded_gaussian"} | BEFORE_CONV | SCALED,
    "pyslowfast_dot_product_pool122": {"kind": "dot_product"} | BEFORE_CONV,
    "tusharn_softmax": {"kind": "embedded_gaussian"} | BEFORE_CONV | SCALED,
    "gluoncv_gaussian": {"kind": "embedded_gaussian"} | NONE | SCALED,
}
KEPT = ("pyslowfast_softmax_pool122", "mmcv_concatenation_sub1", "mmcv_gaussian_sub1", "mmcv_dot_product_sub0")

RULES = [  # theirs, ours
    (r"(?:conv_)?(theta|phi|g)(?:\.0)?(?:\.conv)?\.(weight|bias)", r"\1.\2"),  # phi.0.conv.weight
    (r"(?:W\.0|W_z\.0|conv_out\.conv|conv_out|out|W)\.(weight|bias)", r"w_z.0.\1"),
    (r"(?:W\.1|W_z\.1|conv_out\.bn|norm|bn)\.(\w+)", r"w_z.1.\1"),
    (r"(?:concat_project|W_f)\.(?:0|conv)\.weight", "pairwise.w_f"),
]


def module_of(archive, name: str) -> dict[str, np.ndarray]:
    """Parameters by their own names, and `aff`, `y`; gluoncv's aliases are left out."""
    found = {key.removeprefix(f"{name}|").removeprefix("p|"): archive[key] for key in archive if f"{name}|" in key}
    return {key: value for key, value in found.items() if not key.startswith("W_bn.")}


def load(block: NonLocalBlock, theirs: dict[str, np.ndarray]) -> None:
    ours = {}
    for key, value in theirs.items():
        if key in ("aff", "y", "W_f.0.bias"):
            continue
        [name] = {re.sub(pattern, name, key) for pattern, name in RULES if re.fullmatch(pattern, key)}
        ours[name] = torch.from_numpy(value).reshape(2, -1) if name == "pairwise.w_f" else torch.from_numpy(value)
    if (bias := theirs.get("W_f.0.bias")) is not None:  # tea1528's w_f has a bias: theta's bias takes it
        w_theta = ours["pairwise.w_f"][0]
        ours["theta.bias"] = ours["theta.bias"] + torch.from_numpy(bias) * w_theta / (w_theta @ w_theta)
    block.load_state_dict(ours, strict=True)


def differences(archive, name: str, **faults) -> tuple[float, float]:
    """Largest difference of the affinity, and of the output relative to its largest value."""
    theirs = module_of(archive, name)
    block = NonLocalBlock(BlockSpec(after="res3_1", **(CHOICES[name] | faults)), channels=16).eval()
    load(block, theirs)
    seen = []
    block.pairwise.register_forward_hook(lambda _m, _i, affinity: seen.append(affinity.matrix()))
    with torch.no_grad():
        y = block(torch.from_numpy(archive["x"])).numpy()
    return np.abs(seen[0].numpy() - theirs["aff"]).max(), np.abs(y - theirs["y"]).max() / np.abs(theirs["y"]).max()


@pytest.fixture(scope="module")
def oracle():
    if not ORACLE.is_file():
        pytest.skip(f"{ORACLE} is not here; the modules kept in tests/fixtures are tested without it")
    with np.load(ORACLE) as archive:
        yield dict(archive)


@pytest.fixture(scope="module")
def golden():
    with np.load(GOLDEN) as archive:
        yield dict(archive)


def test_every_module_of_the_oracle_is_in_the_table(oracle):
    assert {key.split("|")[0] for key in oracle} - {"x"} == set(CHOICES)


@pytest.mark.parametrize("name", CHOICES)
def test_a_block_gives_what_its_project_gives(oracle, name):
    affinity, y = differences(oracle, name)

    assert affinity <= AFFINITY_BOUND
    assert y <= Y_BOUND


@pytest.mark.parametrize("name", KEPT)
def test_a_block_gives_the_numbers_that_were_kept(golden, name):
    affinity, y = differences(golden, name)

    assert affinity <= AFFINITY_BOUND
    assert y <= Y_BOUND


def test_dropping_the_scale_is_noticed(golden):
    affinity, y = differences(golden, "pyslowfast_softmax_pool122", scale=1.0)

    assert min(affinity, y) > 1e-3


@pytest.mark.parametrize(
    ("name", "wrong"),
    [("pyslowfast_softmax_pool122", "project_then_pool"), ("mmcv_concatenation_sub1", "pool_then_project")],
)
def test_exchanging_pool_and_projection_is_noticed(golden, name, wrong):
    affinity, y = differences(golden, name, sub_sampling=wrong)

    assert min(affinity, y) > 1e-3


@pytest.mark.parametrize("name", ["pyslowfast_softmax_pool122", "mmcv_concatenation_sub1"])
def test_exchanging_theta_and_phi_is_noticed(golden, name):
    other = {"theta": "phi", "phi": "theta"}
    exchanged = {re.sub("theta|phi", lambda match: other[match[0]], key): value for key, value in golden.items()}

    affinity, y = differences(exchanged, name)

    assert min(affinity, y) > 1e-3


if __name__ == "__main__":
    with np.load(ORACLE) as archive:
        np.savez_compressed(GOLDEN, **{k: archive[k] for k in archive if k == "x" or k.split("|")[0] in KEPT})
