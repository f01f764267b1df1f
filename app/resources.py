"""Files that lie beside the code in a checkout and inside the package in a wheel."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path


def resource(name: str) -> Path:
    """The folder `static` or `templates`: the packages app.static and app.templates of a wheel, else the checkout's."""
    spec = find_spec(f"app.{name}")
    if spec is not None and spec.submodule_search_locations:
        return Path(next(iter(spec.submodule_search_locations)))
    return Path(__file__).parent.parent / name
