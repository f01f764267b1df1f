"""Learning and measuring: `truth.py` (clips whose objects are known), `score.py` (do the arrows point at them?)."""
