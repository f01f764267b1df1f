"""The precisions that a network is computed in, and whether this machine has them.

Torch is imported late: settings name precisions, and the server's own process runs no network.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any, Literal, cast

from nonlocal_core.errors import UnsupportedPrecision

# bfloat16 keeps 8 binary digits of a number where float32 keeps 24: two to four times as fast where the processor has
# AMX or the GPU tensor cores, and one to three in a hundred of the top 20 arrows are others (docs/performance.md).
Precision = Literal["float32", "bfloat16"]


def has_bfloat16(device: str) -> bool:
    """Whether a type of device, "cpu" or "cuda", computes in bfloat16.

    A processor without AVX-512 only emulates it: a convolution of I3D took 94 s instead of 0.2 s on an AMD EPYC with
    AVX2, and those that oneDNN prepares raise RuntimeError.
    """
    import torch

    if device == "cuda":
        return torch.cuda.is_bf16_supported()
    return torch.backends.mkldnn.is_available() and bool(cast(Any, torch.ops).mkldnn._is_mkldnn_bf16_supported())


def check_precision(precision: Precision) -> None:
    """Refuse what this machine does not have.

    Raises:
        UnsupportedPrecision: bfloat16, without a GPU or processor that computes in it.
    """
    if precision == "float32":
        return
    import torch

    if not has_bfloat16("cuda" if torch.cuda.is_available() else "cpu"):
        raise UnsupportedPrecision(precision)


def sooner(device: str) -> Precision:
    """The precision for what need not be exact."""
    return "bfloat16" if has_bfloat16(device) else "float32"


def computing_in(precision: Precision, device: str) -> AbstractContextManager[Any]:
    """Autocast to a precision."""
    import torch

    return torch.autocast(device, torch.bfloat16) if precision == "bfloat16" else nullcontext()
