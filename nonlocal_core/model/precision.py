"""The precisions that a fast network is computed in; no torch, so that settings can name them."""

from __future__ import annotations

from typing import Literal

# bfloat16 keeps 8 binary digits of a number where float32 keeps 24: two to four times as fast where the processor has
# AMX or the GPU tensor cores, and one to three in a hundred of the top 20 arrows are others (docs/performance.md).
Precision = Literal["float32", "bfloat16"]
