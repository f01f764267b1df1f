"""Affinities of one clip: `capture.py` records, `field.py` answers, `arrows.py` ranks, `store.py` keeps them."""
