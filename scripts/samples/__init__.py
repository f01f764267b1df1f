"""Sample clips with known truth: photographs, sprites cut from them, recipes, and clips composed by these."""
