"""Where weights come from: `cards.py` (what we know), `load.py` (a name or file -> a Model), a converter per source."""
