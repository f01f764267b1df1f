"""Learning and measuring.

Training as the paper does it: `train.py`, from a `recipe.py` and a `listing.py`; `evaluate.py` tests with many views.
The blocks that ship: `relate.py` (theta, phi) and `restore.py` (g, W_z), from what moves in unlabelled videos.
Measuring: `scorecard.py` asks whether arrows reach the same object (`truth.py`) and whether classes survive hiding.
"""
