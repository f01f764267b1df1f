"""Where weights come from: `cards.py` (what we know), `load.py` (a name or a file -> a Model), one converter per source."""
