"""The network: `spec.py` (what), `pairwise.py` and `block.py` (the non-local block), `inception.py`, `build.py`."""
