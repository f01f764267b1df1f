"""What not every machine has."""

import pytest

from nonlocal_core.model.precision import has_bfloat16

needs_bfloat16 = pytest.mark.skipif(
    not has_bfloat16("cpu"), reason="this processor does not compute in bfloat16: that takes AVX-512"
)
