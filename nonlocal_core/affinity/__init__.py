"""Affinities of one clip: `capture.py` records them, `field.py` answers, `arrows.py` ranks, `store.py` keeps them on disk."""
