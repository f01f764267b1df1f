"""The commands of `nonlocal-lens`, each a pair: one function declares its arguments, one runs it; see `cli.py`."""
