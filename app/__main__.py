"""`python -m app`: the same as `nonlocal-lens`."""

import sys

from app.cli import main

sys.exit(main())
